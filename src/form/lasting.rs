//! A length of time: always the same, or drawn from a law.
//!
//! ```json
//! { "lognormal": { "median": "3s", "sigma": 0.5 } }
//! ```
//!
//! A plain duration, "3s", is a law too: the constant one.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::build::{Built, Names};
use super::laws::LawSpec;
use super::units::Duration;
use crate::kernel::sampler::Sampler;

/// A duration, or a law of durations.
#[derive(Clone, Debug, PartialEq)]
pub enum Lasting {
    /// Always this long.
    Fixed(Duration),
    /// As the law has it.
    Law(LawSpec<Duration>),
}

impl Lasting {
    /// The law, ready for drawing, in nanoseconds.
    ///
    /// # Errors
    /// If a parameter of the law is out of range.
    pub fn sampler(&self, names: &Names<'_>) -> Built<Sampler> {
        match self {
            Lasting::Fixed(duration) => Ok(Sampler::Constant(duration.span().nanos() as f64)),
            Lasting::Law(law) => law.sampler(names),
        }
    }
}

struct LastingVisitor;

impl<'de> Visitor<'de> for LastingVisitor {
    type Value = Lasting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration like \"3s\", or a law like { \"lognormal\": { \"median\": \"3s\", \"sigma\": 0.5 } }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Lasting, E> {
        Duration::deserialize(text.into_deserializer()).map(Lasting::Fixed)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Lasting, E> {
        Duration::deserialize(number.into_deserializer()).map(Lasting::Fixed)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Lasting, E> {
        Duration::deserialize(number.into_deserializer()).map(Lasting::Fixed)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Lasting, E> {
        Duration::deserialize(number.into_deserializer()).map(Lasting::Fixed)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Lasting, A::Error> {
        LawSpec::deserialize(MapAccessDeserializer::new(map)).map(Lasting::Law)
    }
}

impl<'de> Deserialize<'de> for Lasting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lasting, D::Error> {
        deserializer.deserialize_any(LastingVisitor)
    }
}

impl Serialize for Lasting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Lasting::Fixed(duration) => duration.serialize(serializer),
            Lasting::Law(law) => law.serialize(serializer),
        }
    }
}

impl JsonSchema for Lasting {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Lasting".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration, or a law of durations.",
            "oneOf": [
                generator.subschema_for::<Duration>(),
                generator.subschema_for::<LawSpec<Duration>>(),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_written_back() {
        for text in [r#""3s""#, r#"{"uniform":{"min":"1s","max":"3s"}}"#] {
            let lasting: Lasting = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&lasting).unwrap(), text);
        }
        let refused = serde_json::from_str::<Lasting>(r#"{"uniforn": {}}"#)
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with("unknown variant `uniforn`, expected one of `constant`"),
            "{refused}"
        );
    }

    #[test]
    fn a_plain_duration_is_always_that_long() {
        let lasting: Lasting = serde_json::from_str(r#""3s""#).unwrap();
        for draw in [0, u64::MAX / 2, u64::MAX] {
            assert_eq!(lasting.sampler(&Names::default()).unwrap().at(draw), 3e9);
        }
    }
}
