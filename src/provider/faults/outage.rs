//! A scheduled outage: between two moments every attempt fails alike, before any quota is asked or charged.
//!
//! For questions of the kind "what did fifteen minutes without this provider cost us" (R4: latency-based routing).
//!
//! ```json
//! { "outage": { "from": "30m", "for": "15m", "answer": "refused" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFault, Failure, Fault};
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::request::Outcome;
use crate::spec::build::Built;
use crate::spec::units::Duration;

/// A stretch of time in which the provider does not work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// When it begins, from the start of the replication.
    pub from: Duration,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub lasts: Duration,
    /// How the provider answers meanwhile. Default: `refused`.
    #[serde(default)]
    pub answer: Answer,
}

/// How a provider that is down answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// With a 5xx at once.
    #[default]
    Refused,
    /// Not at all.
    Hang,
}

impl BuildFault for Outage {
    fn build(&self) -> Built<Box<dyn Fault>> {
        let from = Time::ZERO + self.from.span();
        let failure = match self.answer {
            Answer::Refused => Failure::Down(Outcome::ServerError),
            Answer::Hang => Failure::Silent,
        };
        Ok(Box::new(Running {
            from,
            until: from + self.lasts.span(),
            failure,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    from: Time,
    until: Time,
    failure: Failure,
}

impl Fault for Running {
    #[inline]
    fn strike(&mut self, now: Time, _load: u32, _key: Key) -> Option<Failure> {
        (now >= self.from && now < self.until).then_some(self.failure)
    }

    fn outage(&self) -> Option<(Time, Time)> {
        Some((self.from, self.until))
    }

    fn may_hang(&self) -> bool {
        self.failure == Failure::Silent
    }

    fn fresh(&self, _own: Key) -> Box<dyn Fault> {
        Box::new(self.clone())
    }
}
