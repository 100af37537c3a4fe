//! Overload: the more attempts are in service, the more are rejected at once.
//!
//! With up to `above` others in service none is rejected; from `full` on all are; in between the probability grows
//! linearly. The fault strikes before quotas are asked or charged. Attempts count as in service from when the provider
//! admits them until they leave. A provider that slows down under load, or queues, needs a load model instead; this one
//! sheds.
//!
//! ```json
//! { "overload": { "above": 100, "full": 150, "answer": "overloaded", "retry_after": "10s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outage::Answer;
use super::way::{Manner, Prepared};
use super::{BuildFault, Failure, Fault, Silence};
use crate::form::build::{Built, Names, Refusal};
use crate::form::lasting::Lasting;
use crate::form::units::Duration;
use crate::kernel::chance::{Key, Purpose, threshold};
use crate::kernel::time::Time;

/// Load shedding that grows with the number of attempts in service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overload {
    /// The number of attempts in service up to which none is rejected.
    pub above: u32,
    /// The number of attempts in service from which on all are rejected, above `above`. Default: one more than `above`,
    /// a hard limit.
    #[serde(default)]
    pub full: Option<u32>,
    /// The answer to a rejected attempt. Default: `overloaded`.
    #[serde(default = "overloaded")]
    pub answer: Answer,
    /// How long it takes until the answer is back. Default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Lasting>,
    /// The Retry-After that comes with the answer. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
}

fn overloaded() -> Answer {
    Answer::Overloaded
}

impl BuildFault for Overload {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>> {
        let full = self.full.unwrap_or(self.above.saturating_add(1));
        if full <= self.above {
            let text = format!("full at {full}: must be above `above`, which is {}", self.above);
            return Err(Refusal::new(text).at("full"));
        }
        Ok(Box::new(Running {
            above: self.above,
            full,
            slope: 1.0 / f64::from(full - self.above),
            failure: Manner {
                after: self.after.clone(),
                retry_after: self.retry_after,
            }
            .of(self.answer.failure(), names)?,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    above: u32,
    full: u32,
    slope: f64,
    failure: Prepared,
}

impl Fault for Running {
    #[inline]
    fn strike(&mut self, _now: Time, load: u32, key: Key) -> Option<Failure> {
        if load <= self.above {
            return None;
        }
        let spared =
            load < self.full && key.draw(Purpose::Fault) >= threshold(f64::from(load - self.above) * self.slope);
        (!spared).then(|| self.failure.strike(key))
    }

    fn leaves(&self, silence: Silence) -> bool {
        self.failure.failure.silence() == Some(silence)
    }

    fn fresh(&self, _own: Key) -> Box<dyn Fault> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::provider::faults::Refused;
    use crate::words::Outcome;

    /// Four standard deviations of a share among 20,000 are at most 0.0142.
    #[test]
    fn the_share_turned_away_grows_in_a_straight_line() {
        let spec: Overload = serde_json::from_str(r#"{"above": 100, "full": 150}"#).unwrap();
        let mut it = spec.build(&Names::default()).unwrap();
        for (load, expected) in [(0, 0.0), (100, 0.0), (110, 0.2), (140, 0.8), (150, 1.0), (9999, 1.0)] {
            let struck = (0..20_000)
                .filter_map(|i| it.strike(Time::ZERO, load, Chance::new(1, 0).request(i)))
                .inspect(|f| assert_eq!(*f, Failure::Down(Refused::plain(Outcome::Overloaded))))
                .count();
            let share = struck as f64 / 20_000.0;
            assert!((share - expected).abs() < 0.0142, "at {load}: {share}");
        }
    }
}
