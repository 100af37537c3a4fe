//! One way to fail: how often, after how long, and what Retry-After comes with it.
//!
//! A plain probability, or an object that says more. `after` is the time from when the provider takes the attempt up until the
//! failure is back at the caller, the network included: always the same, or drawn from a law for each attempt. It takes the
//! place of the usual moment, which is at once or when the first token was due. A wait in the provider's own line comes on top;
//! weather and load do not change it. `retry_after` is what the failure's header asks for, rounded up to what the provider's
//! header can say: whole seconds, or milliseconds.
//!
//! ```json
//! { "share": "1%", "after": "3s", "retry_after": "20s" }
//! ```

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Failure, Refused};
use crate::form::build::{Built, Names, Refusal};
use crate::form::lasting::Lasting;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;

/// How often attempts fail in one way, and in what manner. Most ways of most providers never happen and take no room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Way(Option<Box<Said>>);

/// What is said of a way.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    share: Fraction,
    manner: Manner,
}

impl Way {
    fn new(share: Fraction, manner: Manner) -> Way {
        let said = Said { share, manner };
        Way((said != Said::default()).then(|| Box::new(said)))
    }

    /// The probability of this failure, from 0 to 1.
    pub fn share(&self) -> Fraction {
        self.0.as_ref().map_or(Fraction::ZERO, |said| said.share)
    }

    /// Adds to the probability, up to 1.
    pub fn add(&mut self, share: Fraction) {
        let sum = Fraction::new(self.share().get() + share.get()).unwrap_or(Fraction::ONE);
        self.0.get_or_insert_default().share = sum;
    }

    /// Changes the probability.
    pub(super) fn set(&mut self, share: Fraction) {
        self.0.get_or_insert_default().share = share;
    }

    /// `failure` as the way has it.
    ///
    /// # Errors
    /// As [`Manner::of`].
    pub(super) fn prepare(&self, failure: Failure, names: &Names<'_>) -> Built<Prepared> {
        self.0
            .as_ref()
            .map_or(Manner::default(), |said| said.manner.clone())
            .of(failure, names)
    }

    /// Whether nothing is said of it, so that no attempt fails like this.
    pub fn is_never(&self) -> bool {
        self.0.is_none()
    }
}

impl From<Fraction> for Way {
    fn from(share: Fraction) -> Way {
        Way::new(share, Manner::default())
    }
}

/// How a failure comes about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manner {
    /// After how long, if that is said.
    pub after: Option<Lasting>,
    /// The Retry-After that comes with it.
    pub retry_after: Option<Duration>,
}

impl Manner {
    /// `failure` in this manner.
    ///
    /// # Errors
    /// If it is a failure that has no such manner: only what comes back takes its time, and only an answer has a header.
    pub(super) fn of(&self, failure: Failure, names: &Names<'_>) -> Built<Prepared> {
        let (mut failure, mut after) = (failure, None);
        match &mut failure {
            Failure::Down(refused) | Failure::Failed(refused) => {
                if let Some(asked) = self.retry_after {
                    if refused.outcome.status().is_none() {
                        return Err(Refusal::new("only an answer with a status has a Retry-After").at("retry_after"));
                    }
                    refused.retry_after = Some(asked.span());
                }
                if let Some(lasting) = &self.after {
                    after = Some(lasting.sampler(names).map_err(|r| r.at("after"))?);
                }
            }
            Failure::Unreachable | Failure::Silent | Failure::Hang | Failure::Truncated(_) | Failure::Stalled(_) => {
                if self.after.is_some() {
                    let text = "only a failure that comes back by itself takes a time of its own";
                    return Err(Refusal::new(text).at("after"));
                }
                if self.retry_after.is_some() {
                    return Err(Refusal::new("only an answer with a status has a Retry-After").at("retry_after"));
                }
            }
        }
        Ok(Prepared { failure, after })
    }
}

/// A failure, ready to strike.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    /// What it is, without what has to be drawn.
    pub(super) failure: Failure,
    after: Option<Sampler>,
}

impl Prepared {
    /// What befalls the attempt keyed by `key`.
    #[inline]
    pub(super) fn strike(&self, key: Key) -> Failure {
        let Some(law) = &self.after else { return self.failure };
        let after = Some(Span::from_nanos((law.draw(key, Purpose::FailAfter) + 0.5) as u64));
        match self.failure {
            Failure::Down(refused) => Failure::Down(Refused { after, ..refused }),
            Failure::Failed(refused) => Failure::Failed(Refused { after, ..refused }),
            Failure::Unreachable | Failure::Silent | Failure::Hang | Failure::Truncated(_) | Failure::Stalled(_) => {
                self.failure
            }
        }
    }
}

/// A way to fail that says more than how often.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WayInFull {
    /// The probability of this failure, from 0 to 1.
    share: Fraction,
    /// How long it takes until the failure is back, from when the provider takes the attempt up. Default: at once, or when the
    /// first token was due, as the way has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Lasting>,
    /// The Retry-After that comes with it. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<Duration>,
}

struct WayVisitor;

impl<'de> Visitor<'de> for WayVisitor {
    type Value = Way;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a probability like 0.01, or an object with `share`, `after` and `retry_after`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Way, E> {
        Fraction::deserialize(text.into_deserializer()).map(Way::from)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Way, E> {
        Fraction::deserialize(number.into_deserializer()).map(Way::from)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Way, E> {
        Fraction::deserialize(number.into_deserializer()).map(Way::from)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Way, E> {
        Fraction::deserialize(number.into_deserializer()).map(Way::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Way, A::Error> {
        let full = WayInFull::deserialize(MapAccessDeserializer::new(map))?;
        let manner = Manner {
            after: full.after,
            retry_after: full.retry_after,
        };
        Ok(Way::new(full.share, manner))
    }
}

impl<'de> Deserialize<'de> for Way {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Way, D::Error> {
        deserializer.deserialize_any(WayVisitor)
    }
}

impl Serialize for Way {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(said) if said.manner != Manner::default() => WayInFull {
                share: said.share,
                after: said.manner.after.clone(),
                retry_after: said.manner.retry_after,
            }
            .serialize(serializer),
            Some(_) | None => self.share().serialize(serializer),
        }
    }
}

impl JsonSchema for Way {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Way".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A probability, or one with the time a failure takes and its Retry-After.",
            "oneOf": [
                generator.subschema_for::<Fraction>(),
                generator.subschema_for::<WayInFull>(),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::words::Outcome;

    fn way(json: &str) -> Way {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn both_forms_are_read_and_written_back() {
        for text in [
            "0.01",
            r#"{"share":0.01,"after":"3s","retry_after":"20s"}"#,
            r#"{"share":0.5,"after":{"uniform":{"min":"1s","max":"3s"}}}"#,
        ] {
            assert_eq!(serde_json::to_string(&way(text)).unwrap(), text);
        }
        assert_eq!(way(r#"{"share": "1%"}"#), way("0.01"));
    }

    #[test]
    fn a_law_is_drawn_for_each_attempt() {
        let way = way(r#"{"share": 1, "after": {"uniform": {"min": "1s", "max": "3s"}}, "retry_after": "20s"}"#);
        let prepared = way
            .prepare(Failure::Down(Refused::plain(Outcome::Unavailable)), &Names::default())
            .unwrap();
        let mut sum = 0.0;
        for i in 0..10_000 {
            let Failure::Down(refused) = prepared.strike(Chance::new(3, 0).request(i)) else {
                panic!("another failure")
            };
            assert_eq!(refused.retry_after, Some(Span::from_secs(20)));
            let after = refused.after.unwrap().seconds();
            assert!((1.0..=3.0).contains(&after), "{after}");
            sum += after;
        }
        // Four standard deviations of the mean of 10,000 are 0.023.
        assert!((sum / 10_000.0 - 2.0).abs() < 0.023, "{sum}");
    }

    #[test]
    fn a_manner_that_a_failure_cannot_have_is_refused() {
        let (after, header) = (
            way(r#"{"share": 1, "after": "3s"}"#),
            way(r#"{"share": 1, "retry_after": "3s"}"#),
        );
        let lost = Failure::Down(Refused::plain(Outcome::ConnectionError));
        for failure in [Failure::Hang, Failure::Truncated(0.0), Failure::Stalled(0.0)] {
            let why = after.prepare(failure, &Names::default()).unwrap_err().message;
            assert!(why.starts_with("only a failure that comes back"), "{why}");
            assert!(header.prepare(failure, &Names::default()).is_err());
        }
        assert!(after.prepare(lost, &Names::default()).is_ok());
        let why = header.prepare(lost, &Names::default()).unwrap_err().message;
        assert_eq!(why, "only an answer with a status has a Retry-After");
    }
}
