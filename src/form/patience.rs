//! How long to wait for one attempt: always as long, or longer for a longer answer.
//!
//! ```json
//! { "base": "30s", "per_1000_max_tokens": "10s", "by_class": { "complex": 2.5 } }
//! ```

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::named::Named;
use super::units::Duration;

/// The timeout of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptTimeout {
    /// A timeout that is always this long.
    Fixed(Duration),
    /// A timeout that grows with what is asked.
    Adaptive(AdaptiveTimeout),
}

/// A timeout that grows with what is asked: (`base` + `per_1000_max_tokens` × `max_tokens` / 1000) × the factor of the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveTimeout {
    /// The timeout of an answer without output tokens.
    pub base: Duration,
    /// The time added for each 1,000 of the `max_tokens` that the client sends; nothing if it sends none.
    pub per_1000_max_tokens: Duration,
    /// The factor of the timeout by class, above 0 and at most 1000. Default: 1.
    #[serde(default)]
    pub by_class: Named<f64>,
}

struct AttemptVisitor;

impl<'de> Visitor<'de> for AttemptVisitor {
    type Value = AttemptTimeout;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration like \"30s\", or an object with `base` and `per_1000_max_tokens`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AttemptTimeout, E> {
        Duration::deserialize(text.into_deserializer()).map(AttemptTimeout::Fixed)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<AttemptTimeout, E> {
        Duration::deserialize(number.into_deserializer()).map(AttemptTimeout::Fixed)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<AttemptTimeout, E> {
        Duration::deserialize(number.into_deserializer()).map(AttemptTimeout::Fixed)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<AttemptTimeout, E> {
        Duration::deserialize(number.into_deserializer()).map(AttemptTimeout::Fixed)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AttemptTimeout, A::Error> {
        AdaptiveTimeout::deserialize(MapAccessDeserializer::new(map)).map(AttemptTimeout::Adaptive)
    }
}

impl<'de> Deserialize<'de> for AttemptTimeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AttemptTimeout, D::Error> {
        deserializer.deserialize_any(AttemptVisitor)
    }
}

impl Serialize for AttemptTimeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            AttemptTimeout::Fixed(duration) => duration.serialize(serializer),
            AttemptTimeout::Adaptive(adaptive) => adaptive.serialize(serializer),
        }
    }
}

impl JsonSchema for AttemptTimeout {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AttemptTimeout".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration, or one that grows with what is asked.",
            "oneOf": [
                generator.subschema_for::<Duration>(),
                generator.subschema_for::<AdaptiveTimeout>(),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_written_back() {
        for text in [
            r#""30s""#,
            r#"{"base":"30s","per_1000_max_tokens":"10s","by_class":{"complex":2.5}}"#,
        ] {
            let timeout: AttemptTimeout = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&timeout).unwrap(), text);
        }
    }
}
