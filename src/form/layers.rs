//! Layers of settings: what a narrower level changes of a wider one.
//!
//! A level changes what it names and inherits the rest; `null` switches a part off, which is what leaving it out of the widest level
//! means. What a level names replaces the wider level's value whole, since two retry rules or two lists of limiters cannot be mixed
//! into a third; only an object of independent settings is a layer itself and changes field by field. Which fields
//! are of which sort stands in one table, the struct that `layers!` makes, and in its schema.
//!
//! Left out: to take a single element out of an inherited list.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// What a level says of one setting of the wider level.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Change<T> {
    /// Nothing: the wider level's value holds.
    #[default]
    Inherited,
    /// `null`: the setting is switched off.
    Off,
    /// A value in place of the wider level's.
    To(T),
}

/// Where a setting of a level comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the wider level.
    Inherited,
    /// The level switches it off.
    Off,
    /// The level gives it.
    Own,
}

impl<T> Change<T> {
    /// Whether nothing is said.
    pub fn is_inherited(&self) -> bool {
        matches!(self, Change::Inherited)
    }

    /// Where the setting comes from.
    pub fn origin(&self) -> Origin {
        match self {
            Change::Inherited => Origin::Inherited,
            Change::Off => Origin::Off,
            Change::To(_) => Origin::Own,
        }
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Change::To(value) => value.serialize(serializer),
            Change::Inherited | Change::Off => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Change<T>, D::Error> {
        Ok(match Option::deserialize(deserializer)? {
            None => Change::Off,
            Some(value) => Change::To(value),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Change<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

/// How a change becomes the value of a setting: of a `W` that is always there, or of one that may be absent.
pub trait Over<W> {
    /// The value over that of the wider level, `below`; `off` is what it is when it is switched off.
    fn over(&self, below: &W, off: W) -> W;
}

impl<T: Clone> Over<T> for Change<T> {
    fn over(&self, below: &T, off: T) -> T {
        match self {
            Change::Inherited => below.clone(),
            Change::Off => off,
            Change::To(value) => value.clone(),
        }
    }
}

impl<T: Clone> Over<Option<T>> for Change<T> {
    fn over(&self, below: &Option<T>, off: Option<T>) -> Option<T> {
        match self {
            Change::Inherited => below.clone(),
            Change::Off => off,
            Change::To(value) => Some(value.clone()),
        }
    }
}

/// Makes the struct of what a level changes of another struct, `over` it: every field of that one, either `replaced` whole or, where
/// its own changes are given, `layered` field by field. A field that is left out does not compile.
macro_rules! layers {
    (
        $(#[$doc:meta])*
        pub struct $changes:ident over $whole:ident {
            replaced { $( $(#[$replaced_doc:meta])* $replaced:ident: $of:ty, )* }
            layered { $( $(#[$layered_doc:meta])* $layered:ident: $inner:ty, )* }
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $changes {
            $(
                $(#[$replaced_doc])*
                #[serde(default, skip_serializing_if = "crate::form::layers::Change::is_inherited")]
                pub $replaced: crate::form::layers::Change<$of>,
            )*
            $(
                $(#[$layered_doc])*
                #[serde(default, skip_serializing_if = "crate::form::layers::Change::is_inherited")]
                pub $layered: crate::form::layers::Change<$inner>,
            )*
        }

        impl $changes {
            /// The whole of the settings: these changes over the wider level's, `below`.
            pub fn over(&self, below: &$whole) -> $whole {
                let off = $whole::default();
                $whole {
                    $( $replaced: crate::form::layers::Over::over(&self.$replaced, &below.$replaced, off.$replaced), )*
                    $( $layered: match &self.$layered {
                        crate::form::layers::Change::Inherited => below.$layered.clone(),
                        crate::form::layers::Change::Off => off.$layered,
                        crate::form::layers::Change::To(changes) => changes.over(&below.$layered),
                    }, )*
                }
            }

            /// Where the setting at `path` comes from; of a path into a layer inside, where the setting of that layer does.
            pub fn origin(&self, path: &[crate::form::diagnose::Seg]) -> crate::form::layers::Origin {
                use crate::form::diagnose::Seg;
                let Some((Seg::Key(name), _rest)) = path.split_first() else {
                    return crate::form::layers::Origin::Own;
                };
                match name.as_str() {
                    $( stringify!($replaced) => self.$replaced.origin(), )*
                    $( stringify!($layered) => match &self.$layered {
                        crate::form::layers::Change::To(changes) => changes.origin(_rest),
                        change => change.origin(),
                    }, )*
                    _ => crate::form::layers::Origin::Own,
                }
            }

            /// The settings that are inherited from `below` and are not what leaving them out there would mean, by their paths.
            pub fn inherits(&self, below: &$whole) -> Vec<String> {
                let off = $whole::default();
                let mut all = Vec::new();
                $( if self.$replaced.is_inherited() && below.$replaced != off.$replaced {
                    all.push(stringify!($replaced).to_owned());
                } )*
                $( match &self.$layered {
                    crate::form::layers::Change::Inherited if below.$layered != off.$layered => {
                        all.push(stringify!($layered).to_owned());
                    }
                    crate::form::layers::Change::To(changes) => {
                        let inside = changes.inherits(&below.$layered);
                        all.extend(inside.iter().map(|path| format!(concat!(stringify!($layered), ".{}"), path)));
                    }
                    crate::form::layers::Change::Inherited | crate::form::layers::Change::Off => {}
                } )*
                all
            }
        }
    };
}

pub(crate) use layers;

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro's structs are public where they are used")]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct Inner {
        a: Option<u32>,
        b: Option<u32>,
    }

    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct Outer {
        list: Vec<u32>,
        part: Option<u32>,
        inner: Inner,
    }

    layers! {
        /// Changes of the inner one.
        pub struct InnerChanges over Inner {
            replaced {
                /// The first of two.
                a: u32,
                /// The second of two.
                b: u32,
            }
            layered {}
        }
    }

    layers! {
        /// Changes of the outer one.
        pub struct OuterChanges over Outer {
            replaced {
                /// A list of numbers.
                list: Vec<u32>,
                /// A single number.
                part: u32,
            }
            layered {
                /// A layer of two.
                inner: InnerChanges,
            }
        }
    }

    fn below() -> Outer {
        Outer {
            list: vec![1, 2],
            part: Some(3),
            inner: Inner { a: Some(4), b: None },
        }
    }

    fn over(text: &str) -> Outer {
        serde_json::from_str::<OuterChanges>(text).unwrap().over(&below())
    }

    #[test]
    fn what_is_named_changes_and_the_rest_is_inherited() {
        assert_eq!(over("{}"), below());
        assert_eq!(
            over(r#"{"list": [9]}"#),
            Outer {
                list: vec![9],
                ..below()
            }
        );
        let inner = Inner { a: Some(4), b: Some(5) };
        assert_eq!(over(r#"{"inner": {"b": 5}}"#), Outer { inner, ..below() });
    }

    #[test]
    fn null_switches_off() {
        let text = r#"{"list": null, "part": null, "inner": {"a": null}}"#;
        assert_eq!(over(text), Outer::default());
        assert_eq!(over(r#"{"inner": null}"#).inner, Inner::default());
        let changes: OuterChanges = serde_json::from_str(text).unwrap();
        assert_eq!(
            serde_json::to_string(&changes).unwrap(),
            text.replace(": ", ":").replace(", ", ",")
        );
    }

    #[test]
    fn each_setting_has_an_origin() {
        let changes: OuterChanges = serde_json::from_str(r#"{"part": null, "inner": {"b": 5}}"#).unwrap();
        let origin = |path: &[&str]| changes.origin(&path.iter().map(|&p| p.into()).collect::<Vec<_>>());
        assert_eq!(origin(&["list"]), Origin::Inherited);
        assert_eq!(origin(&["part"]), Origin::Off);
        assert_eq!(
            [&["inner", "a"][..], &["inner", "b"], &["inner"]].map(origin),
            [Origin::Inherited, Origin::Own, Origin::Own]
        );
        assert_eq!(changes.inherits(&below()), ["list", "inner.a"]);
        assert!(changes.inherits(&Outer::default()).is_empty());
    }
}
