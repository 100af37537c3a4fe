//! Plug-ins by name: what stands behind every `"name"` or `{"name": {…}}` of a file.
//!
//! `registry!` lists the names of one kind of plug-in with the type that holds each one's parameters, and makes of the
//! list an enum that parses, writes and describes itself. The parameters are read where they stand and never out of a
//! buffer of serde's, so a mistake inside keeps its path, line and column (serde issue 1621 says what buffering loses).
//! Adding a plug-in is one file and its line of the list: the list also knows the file, whose header is the plug-in's
//! manual page, and under which method of [`OwnParts`](super::own::OwnParts) a program adds parts of its own to the
//! kind. What the parameters build is not the business of this file: the list names a trait for that, and the trait's
//! implementors do it.

mod bare;
mod schema;

pub use bare::{Bare, Whole};
pub use schema::{Entry, KIND_KEYWORD, schema};

use super::tree::{self, Mistake, Tree};
use bare::{Unnamed, alone};
use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, Unexpected, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Declares a kind of plug-in: an enum with one variant per name, each holding its type of parameters.
///
/// ```text
/// registry! {
///     /// What keeps calls from a provider that fails.
///     pub enum BreakerSpec as BuildBreaker, kind breaker in "breaker/" of Guard {
///         consecutive => Consecutive,
///         kong => Kong,
///         own in "../form/own.rs" => Own,
///     }
/// }
/// ```
///
/// Every type is `Clone + Debug + PartialEq + Serialize + DeserializeOwned + JsonSchema`, a struct with braces (also
/// when it has no fields), and refuses unknown fields. The enum gets `NAMES`, `name`, `Deserialize` from both
/// spellings (the bare name means `{}`), `Serialize` to the object form, `JsonSchema`, `From` each type, and with
/// `as Trait` (optional) a view of the parameters as `&dyn Trait`.
///
/// With `kind NAME in "FOLDER"` (optional) each name is also that of a file in the folder, whose header is its manual page:
/// the enum gets `PAGES`, and its schema says `"x-kind": "NAME"`. A page elsewhere is named by `in "FILE"` behind the
/// plug-in's name. `#[group = "…"]` before a name heads those that follow it. With `bare …` (optional) some may be written without
/// their names, as a [`Bare`] says. A kind may be generic over one type. With `of Out` (optional), the type that the
/// trait builds, [`OwnParts`](super::own::OwnParts) gets a method of the kind's name.
macro_rules! registry {
    ($(#[doc = $doc:expr])+ $vis:vis enum $Spec:ident $(<$Q:ident: $Bound:path>)? as $Trait:path,
        kind $kind:ident in $folder:literal $(of $Out:ty)? $(, bare $bare:ident)? {
        $($(#[group = $group:literal])? $name:ident $(in $file:literal)? => $Type:path),+ $(,)?
    }) => {
        $crate::form::registry::registry! {
            @kind stringify!($kind) $(, bare $bare)?;
            $(#[doc = $doc])+ $vis enum $Spec $(<$Q: $Bound>)? { $($name => $Type),+ }
        }
        $crate::form::registry::registry! { @view $vis $Spec $(<$Q: $Bound>)? as $Trait { $($name)+ } }

        impl $(<$Q: $Bound>)? $Spec $(<$Q>)? {
            /// The manual page of each, in the order of the list.
            $vis const PAGES: &'static [$crate::form::registry::Page] = &[$($crate::form::registry::Page {
                group: $crate::form::registry::first_of(&[$($group)?]),
                name: $crate::form::registry::plain_name(stringify!($name)),
                source: $crate::form::registry::registry!(@page $folder, $name $(, $file)?),
            }),+];
        }

        impl $(<$Q: $Bound>)? $crate::form::registry::Kind for $Spec $(<$Q>)? {
            const KIND: &'static str = stringify!($kind);
            const PAGES: &'static [$crate::form::registry::Page] = Self::PAGES;
        }

        $(impl $crate::form::own::OwnParts {
            #[doc = concat!("The same with `make` as the ", stringify!($kind), " called `name`, in place of any that had the name. \
                It checks the parameters, which are null if the file gives none, and refuses those that make no sense.")]
            #[must_use]
            pub fn $kind(
                self,
                name: impl Into<String>,
                make: impl Fn(&serde_json::Value, &$crate::form::build::Names<'_>) -> $crate::form::build::Built<$Out>
                    + Send + Sync + 'static,
            ) -> Self {
                self.with::<$Out>(stringify!($kind), name, make)
            }
        })?
    };

    ($(#[doc = $doc:expr])+ $vis:vis enum $Spec:ident as $Trait:path { $($name:ident => $Type:path),+ $(,)? }) => {
        $crate::form::registry::registry! { $(#[doc = $doc])+ $vis enum $Spec { $($name => $Type),+ } }
        $crate::form::registry::registry! { @view $vis $Spec as $Trait { $($name)+ } }
    };

    ($(#[doc = $doc:expr])+ $vis:vis enum $Spec:ident { $($name:ident => $Type:path),+ $(,)? }) => {
        $crate::form::registry::registry! { @kind ""; $(#[doc = $doc])+ $vis enum $Spec { $($name => $Type),+ } }
    };

    (@page $folder:literal, $name:ident) => {
        $crate::form::registry::registry!(@header include_str!(concat!($folder, stringify!($name), ".rs")))
    };
    (@page $folder:literal, $name:ident, $file:literal) => {
        $crate::form::registry::registry!(@header include_str!($file))
    };
    // A copy of the header alone: the program need not carry the sources of all parts.
    (@header $source:expr) => {{
        const LENGTH: usize = $crate::form::registry::header_length($source);
        const HEADER: [u8; LENGTH] = $crate::form::registry::beginning($source);
        match std::str::from_utf8(&HEADER) {
            Ok(header) => header,
            Err(_) => panic!("a header ends within a character"),
        }
    }};

    (@view $vis:vis $Spec:ident $(<$Q:ident: $Bound:path>)? as $Trait:path { $($name:ident)+ }) => {
        impl $(<$Q: $Bound>)? $Spec $(<$Q>)? {
            /// The parameters, as what builds from them.
            $vis fn as_dyn(&self) -> &dyn $Trait {
                match self { $($Spec::$name(parameters) => parameters,)+ }
            }
        }
    };

    (@kind $kind:expr $(, bare $bare:ident)?;
        $(#[doc = $doc:expr])+ $vis:vis enum $Spec:ident $(<$Q:ident: $Bound:path>)? { $($name:ident => $Type:path),+ }
    ) => {
        $(#[doc = $doc])+
        #[allow(non_camel_case_types)]
        #[derive(Clone, Debug, PartialEq)]
        $vis enum $Spec $(<$Q: $Bound>)? {
            $(#[doc = concat!("`", stringify!($name), "`, with the parameters of `", stringify!($Type), "`.")]
            $name($Type),)+
        }

        impl $(<$Q: $Bound>)? $Spec $(<$Q>)? {
            /// All names, in the order of the list.
            $vis const NAMES: &'static [&'static str] =
                &[$($crate::form::registry::plain_name(stringify!($name))),+];

            /// The name in the file.
            $vis fn name(&self) -> &'static str {
                match self { $($Spec::$name(_) => const { $crate::form::registry::plain_name(stringify!($name)) },)+ }
            }
        }

        impl $(<$Q: $Bound>)? $crate::form::registry::Registered for $Spec $(<$Q>)? {
            const NAMES: &'static [&'static str] = Self::NAMES;

            fn read<R: $crate::form::registry::Parameters>(name: &str, parameters: R) -> Result<Self, R::Error> {
                $(if name == const { $crate::form::registry::plain_name(stringify!($name)) } {
                    return parameters.read().map($Spec::$name);
                })+
                Err(serde::de::Error::unknown_variant(name, Self::NAMES))
            }

            $(
                const BARE: Option<&'static $crate::form::registry::Bare> = Some(&$bare);

                fn read_bare<R: $crate::form::registry::Parameters>(name: &str, parameters: R) -> Result<Self, R::Error> {
                    <Self as $crate::form::registry::Registered>::read(name, parameters)
                }
            )?
        }

        impl<'de $(, $Q: $Bound)?> serde::Deserialize<'de> for $Spec $(<$Q>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::form::registry::deserialize(deserializer)
            }
        }

        impl $(<$Q: $Bound>)? serde::Serialize for $Spec $(<$Q>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serde::Serializer::serialize_map(serializer, Some(1))?;
                match self {
                    $($Spec::$name(parameters) => {
                        serde::ser::SerializeMap::serialize_entry(&mut map, self.name(), parameters)?;
                    })+
                }
                serde::ser::SerializeMap::end(map)
            }
        }

        impl $(<$Q: $Bound>)? schemars::JsonSchema for $Spec $(<$Q>)? {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                let of: &[std::borrow::Cow<'static, str>] = &[$(<$Q as schemars::JsonSchema>::schema_name())?];
                $crate::form::registry::schema_name(stringify!($Spec), of)
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                let of: &[std::borrow::Cow<'static, str>] = &[$(<$Q as schemars::JsonSchema>::schema_id())?];
                $crate::form::registry::schema_name(concat!(module_path!(), "::", stringify!($Spec)), of)
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let entries = [
                    $($crate::form::registry::Entry::of::<$Type>(
                        const { $crate::form::registry::plain_name(stringify!($name)) },
                        generator,
                    )),+
                ];
                $crate::form::registry::schema(
                    concat!($($doc, "\n"),+),
                    $kind,
                    <Self as $crate::form::registry::Registered>::BARE,
                    entries,
                )
            }
        }

        $crate::form::registry::registry! {
            @each_from {$(<$Q: $Bound>)?} {$(<$Q>)?} $Spec { $($name => $Type),+ }
        }
    };

    (@each_from $declared:tt $given:tt $Spec:ident { $($name:ident => $Type:path),+ }) => {
        $($crate::form::registry::registry! { @from $declared $given $Spec $name $Type })+
    };

    (@from {$($declared:tt)*} {$($given:tt)*} $Spec:ident $name:ident $Type:path) => {
        impl $($declared)* From<$Type> for $Spec $($given)* {
            fn from(parameters: $Type) -> Self {
                $Spec::$name(parameters)
            }
        }
    };
}
pub(crate) use registry;

/// Where the manual page of a plug-in is.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The heading of the group that begins with it, if one does.
    pub group: Option<&'static str>,
    /// The name of the part in a file.
    pub name: &'static str,
    /// The header of its source file: its lines of inner documentation, which are the page.
    pub source: &'static str,
}

/// The length in bytes of the inner documentation (`//!`) that `source` begins with.
pub const fn header_length(source: &str) -> usize {
    let bytes = source.as_bytes();
    let mut line = 0;
    while line + 3 <= bytes.len() && bytes[line] == b'/' && bytes[line + 1] == b'/' && bytes[line + 2] == b'!' {
        while line < bytes.len() && bytes[line] != b'\n' {
            line += 1;
        }
        if line < bytes.len() {
            line += 1;
        }
    }
    line
}

/// The first `N` bytes of `source`, which must have as many.
pub const fn beginning<const N: usize>(source: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = source.as_bytes()[i];
        i += 1;
    }
    bytes
}

/// The first of `those`.
pub const fn first_of(those: &[&'static str]) -> Option<&'static str> {
    match those {
        [first, ..] => Some(first),
        [] => None,
    }
}

/// The name of a registry in a schema, with that of the type `of` which it is, if there is one.
pub fn schema_name(name: &'static str, of: &[Cow<'static, str>]) -> Cow<'static, str> {
    match of {
        [] => name.into(),
        [of, ..] => format!("{name}_for_{of}").into(),
    }
}

/// An enum that `registry!` declared with its `kind`.
pub trait Kind: Registered {
    /// What one of them is called: `breaker`, `retry_budget`.
    const KIND: &'static str;

    /// The manual page of each, in the order of the list.
    const PAGES: &'static [Page];
}

/// An enum that `registry!` declared.
pub trait Registered: Sized {
    /// All names, in the order of the list.
    const NAMES: &'static [&'static str];

    /// Reads the `parameters` of the plug-in called `name`.
    ///
    /// # Errors
    /// If there is no such plug-in, or the parameters are not its own.
    fn read<R: Parameters>(name: &str, parameters: R) -> Result<Self, R::Error>;

    /// How some may be written without their names, if any may.
    const BARE: Option<&'static Bare> = None;

    /// Reads what `BARE` says is the plug-in called `name`.
    ///
    /// # Errors
    /// As [`Registered::read`].
    fn read_bare<R: Parameters>(name: &str, _parameters: R) -> Result<Self, R::Error> {
        Err(de::Error::unknown_variant(name, Self::NAMES))
    }
}

/// Where the parameters of a plug-in come from, once its name has said which type they have.
pub trait Parameters {
    /// The error of the format that is read.
    type Error: de::Error;

    /// Reads them as a `T`.
    ///
    /// # Errors
    /// If they are not a `T`.
    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

/// Reads `"name"` or `{"name": {…}}`.
///
/// # Errors
/// If it is neither, the name is unknown, a second name stands beside it, or the parameters are wrong.
pub fn deserialize<'de, S: Registered, D: de::Deserializer<'de>>(deserializer: D) -> Result<S, D::Error> {
    deserializer.deserialize_any(SpecVisitor(PhantomData))
}

/// An identifier without the `r#` that lets a keyword be one.
pub const fn plain_name(identifier: &'static str) -> &'static str {
    match identifier.as_bytes() {
        [b'r', b'#', ..] => identifier.split_at(2).1,
        _ => identifier,
    }
}

struct SpecVisitor<S>(PhantomData<S>);

impl<'de, S: Registered> Visitor<'de> for SpecVisitor<S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match S::BARE {
            None => "a name, or an object with one name and its parameters",
            Some(_) => "a value, or an object with one name and its parameters",
        })
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<S, E> {
        alone(Tree::Unsigned(number), Unexpected::Unsigned(number), &self)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<S, E> {
        alone(Tree::Negative(number), Unexpected::Signed(number), &self)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<S, E> {
        alone(Tree::Float(number), Unexpected::Float(number), &self)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<S, E> {
        if S::BARE.is_some() && name.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
            return alone(Tree::Text(name.to_owned()), Unexpected::Str(name), &self);
        }
        S::read(
            name,
            NoParameters {
                name,
                error: PhantomData,
            },
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<S, A::Error> {
        let Some(name) = map.next_key_seed(Name {
            known: S::NAMES,
            bare: S::BARE,
            beside: None,
        })?
        else {
            let names = S::NAMES.join("`, `");
            return Err(de::Error::custom(format_args!(
                "an object without a name, expected one of `{names}`"
            )));
        };
        let bare = S::BARE.filter(|_| !S::NAMES.contains(&name.as_str()));
        if let Some(of) = bare.and_then(|bare| (bare.with)(&name)) {
            let whole = Whole { first: Some(name), map };
            let lifetime = PhantomData;
            return S::read_bare(of, Unnamed { whole, lifetime });
        }
        let spec = S::read(&name, Streamed::of(&mut map))?;
        // A second key is refused while it is read, so that the error carries its place.
        map.next_key_seed(Name {
            known: S::NAMES,
            bare: None,
            beside: Some(&name),
        })?;
        Ok(spec)
    }
}

/// The key of the object form: one of `known`, or one that may stand without it, and none at all `beside` an earlier one.
struct Name<'a> {
    known: &'static [&'static str],
    bare: Option<&'static Bare>,
    beside: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<String, E> {
        match self.beside {
            Some(first) => Err(E::custom(format_args!(
                "`{name}` stands beside `{first}`: give one name only"
            ))),
            None if self.known.contains(&name) || self.bare.is_some_and(|bare| (bare.with)(name).is_some()) => {
                Ok(name.to_string())
            }
            None => Err(E::unknown_variant(name, self.known)),
        }
    }
}

/// Parameters that stand in the file.
#[derive(Debug)]
pub struct Streamed<'a, 'de, A> {
    map: &'a mut A,
    lifetime: PhantomData<&'de ()>,
}

impl<'a, A> Streamed<'a, '_, A> {
    /// The value of the key that was last read from `map`.
    pub fn of(map: &'a mut A) -> Self {
        Streamed {
            map,
            lifetime: PhantomData,
        }
    }
}

impl<'de, A: MapAccess<'de>> Parameters for Streamed<'_, 'de, A> {
    type Error = A::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, A::Error> {
        self.map.next_value()
    }
}

/// The parameters of a bare name: none are given.
struct NoParameters<'a, E> {
    name: &'a str,
    error: PhantomData<E>,
}

impl<E: de::Error> Parameters for NoParameters<'_, E> {
    type Error = E;

    fn read<T: DeserializeOwned>(self) -> Result<T, E> {
        from_nothing().map_err(|error| needs(self.name, &error.to_string()))
    }
}

/// What `name` needs, where reading it from nothing said this. Apart from the type that was read, since there are a hundred.
fn needs<E: de::Error>(name: &str, said: &str) -> E {
    // A part that is a plain value, like a constant, is not made of fields.
    if said.starts_with("invalid type") {
        E::custom(format_args!("`{name}` needs its value, as in {{\"{name}\": …}}"))
    } else {
        E::custom(format_args!(
            "{said}: `{name}` needs parameters, as in {{\"{name}\": {{…}}}}"
        ))
    }
}

/// A `T` from the empty object.
fn from_nothing<T: DeserializeOwned>() -> Result<T, Mistake> {
    tree::read(&Tree::Object(Vec::new()))
}

#[cfg(test)]
mod tests;
