//! One value for every class, or one for each.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::build::{Built, Names, Refusal};
use super::named::Named;

/// A plain value, or an object with a value for each class.
#[derive(Clone, Debug, PartialEq)]
pub enum PerClass<T> {
    /// One value for all classes.
    All(T),
    /// A value for each class; none may be left out.
    Each(Named<T>),
}

impl<T: Clone> PerClass<T> {
    /// The values, by class.
    ///
    /// # Errors
    /// If a class has no value, or a name is not that of a class.
    pub fn by_class(&self, names: &Names<'_>) -> Built<Vec<T>> {
        let named = match self {
            PerClass::All(value) => return Ok(vec![value.clone(); names.classes.len()]),
            PerClass::Each(named) => named,
        };
        for (class, _) in named.iter() {
            names.class(class).map_err(|r| r.at(class))?;
        }
        let of = |class: &String| {
            let missing = || Refusal::new(format!("class `{class}` has no value here: every class needs one"));
            named.get(class).cloned().ok_or_else(missing)
        };
        names.classes.iter().map(of).collect()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PerClass<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = PerClass<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or an object with one for each class")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PerClass<T>, A::Error> {
                Named::deserialize(MapAccessDeserializer::new(map)).map(PerClass::Each)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PerClass<T>, E> {
                T::deserialize(text.into_deserializer()).map(PerClass::All)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<PerClass<T>, E> {
                T::deserialize(number.into_deserializer()).map(PerClass::All)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<PerClass<T>, E> {
                T::deserialize(number.into_deserializer()).map(PerClass::All)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<PerClass<T>, E> {
                T::deserialize(number.into_deserializer()).map(PerClass::All)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

impl<T: Serialize> Serialize for PerClass<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            PerClass::All(value) => value.serialize(serializer),
            PerClass::Each(named) => named.serialize(serializer),
        }
    }
}

impl<T: JsonSchema> JsonSchema for PerClass<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("PerClass_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (one, each) = (generator.subschema_for::<T>(), generator.subschema_for::<Named<T>>());
        json_schema!({ "anyOf": [one, each] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::units::Fraction;

    fn read(json: &str) -> Built<Vec<f64>> {
        let value: PerClass<Fraction> = serde_json::from_str(json).unwrap();
        assert_eq!(
            serde_json::from_str::<PerClass<Fraction>>(&serde_json::to_string(&value).unwrap()).unwrap(),
            value
        );
        let classes = ["x", "y"].map(String::from);
        let values = value.by_class(&Names {
            classes: &classes,
            ..Names::default()
        })?;
        Ok(values.into_iter().map(Fraction::get).collect())
    }

    #[test]
    fn one_for_all_or_one_for_each() {
        assert_eq!(read("0.5"), Ok(vec![0.5; 2]));
        assert_eq!(read("1"), Ok(vec![1.0; 2]));
        assert_eq!(read(r#""20%""#), Ok(vec![0.2; 2]));
        assert_eq!(read(r#"{"y": 0.1, "x": "90%"}"#), Ok(vec![0.9, 0.1]));
    }

    #[test]
    fn no_class_is_left_out_and_none_made_up() {
        let refusal = read(r#"{"x": 0.1}"#).unwrap_err();
        assert_eq!(refusal.message, "class `y` has no value here: every class needs one");
        let refusal = read(r#"{"x": 0.1, "z": 1}"#).unwrap_err();
        assert_eq!(refusal.allowed, ["x", "y"]);
        let error = serde_json::from_str::<PerClass<Fraction>>("1.5").unwrap_err();
        assert!(error.to_string().contains("above 1"), "{error}");
    }
}
