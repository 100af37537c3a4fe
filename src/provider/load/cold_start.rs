//! Cold starts: after a while without work the provider has to start before it serves.
//!
//! An attempt that comes after `idle` without any other wakes the provider, and waits `extra`; one that comes before
//! the start is over waits for the rest of it. Then the provider is warm until it is idle again: `idle` counts from the
//! end of the last work, or from the end of the start if nothing came after it. It is warm when a replication begins.
//! With `until_warm` at `unavailable` no attempt waits: all are rejected until the provider is warm. Hugging Face's
//! Inference Endpoints scaled to zero (after an hour by default) answer 503 while a replica starts, or hold the request
//! if it has an `X-Scale-Up-Timeout` header (their guide to autoscaling): the two settings. In llmperf-leaderboard
//! 2023, one series whose provider seems to have cold-started has a median TTFT of 0.55 s and a 99th percentile of 53
//! s.
//!
//! Leaves out several instances of which some are warm.
//!
//! ```json
//! { "cold_start": { "idle": "15m", "extra": { "lognormal": { "median": "40s", "sigma": 0.5 } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLoad, Load, Start, Stay};
use crate::form::build::{Built, Names};
use crate::form::laws::LawSpec;
use crate::form::units::Duration;
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};
use crate::words::Outcome;

/// A start that the first attempts after an idle time have to wait for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColdStart {
    /// How long the provider stays warm without work.
    pub idle: Duration,
    /// The law of how long a start takes.
    pub extra: LawSpec<Duration>,
    /// How attempts are treated until the provider is warm. Default: `wait`.
    #[serde(default)]
    pub until_warm: UntilWarm,
}

/// The treatment of an attempt at a provider that is starting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UntilWarm {
    /// The attempt is held until the provider is warm.
    #[default]
    Wait,
    /// The attempt is rejected with a 503.
    Unavailable,
}

/// The part of an attempt's randomness for the time to first token that this draws from.
const PART: u64 = 1;

impl BuildLoad for ColdStart {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Load>> {
        Ok(Box::new(Running {
            idle: self.idle.span(),
            extra: self.extra.sampler(names).map_err(|r| r.at("extra"))?,
            holds: self.until_warm == UntilWarm::Wait,
            warm_from: Time::ZERO,
            last_work: Time::ZERO,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    idle: Span,
    extra: Sampler,
    holds: bool,
    /// When the last start ended or will end.
    warm_from: Time,
    /// The end of the last work that is known so far.
    last_work: Time,
}

impl Load for Running {
    #[inline]
    fn enter(&mut self, start: &mut Start<'_>, key: Key) -> Result<(), Outcome> {
        let now = start.now;
        if now >= self.warm_from && now.since(self.last_work) > self.idle {
            let extra = self.extra.draw(key.part(PART), Purpose::Ttft);
            self.warm_from = now + Span::from_nanos((extra + 0.5) as u64);
        }
        self.last_work = self.last_work.max(self.warm_from).max(now);
        if !self.holds && self.warm_from > now {
            return Err(Outcome::Unavailable);
        }
        start.wait = start.wait.max(self.warm_from.since(now));
        Ok(())
    }

    #[inline]
    fn stay(&mut self, stay: &Stay) {
        self.last_work = self.last_work.max(stay.done.min(stay.left));
    }

    fn fresh(&self) -> Box<dyn Load> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::load::tests::{ALONE, at, key};

    #[test]
    fn the_first_after_a_pause_wakes_it_and_all_wait_until_it_is_warm() {
        let spec: ColdStart = serde_json::from_str(r#"{ "idle": "60s", "extra": { "constant": "20s" } }"#).unwrap();
        let mut provider = spec.build(&Names::default()).unwrap();
        for (now, work, wait) in [
            (60, 5, 0), // warm from the start, and busy until 65
            (125, 1, 0),
            (187, 1, 20), // asleep since 186
            (190, 3, 17),
            (207, 1, 0),
            (270, 2, 0), // the last work was done at 210
            (333, 1, 20),
        ] {
            let mut start = Start { now: at(now), ..ALONE };
            provider.enter(&mut start, key()).unwrap();
            assert_eq!(start.wait, Span::from_secs(wait), "at {now}");
            let done = start.begins() + Span::from_secs(work);
            provider.stay(&Stay {
                came: at(now),
                done,
                left: done,
            });
        }
    }

    #[test]
    fn or_all_are_turned_away_until_it_is_warm() {
        let spec: ColdStart =
            serde_json::from_str(r#"{ "idle": "60s", "extra": { "constant": "20s" }, "until_warm": "unavailable" }"#)
                .unwrap();
        let mut provider = spec.build(&Names::default()).unwrap();
        for (now, met) in [
            (61, Err(Outcome::Unavailable)),
            (80, Err(Outcome::Unavailable)),
            (81, Ok(())),
            (141, Ok(())),
            (202, Err(Outcome::Unavailable)),
            (283, Err(Outcome::Unavailable)), // warm from 222, and asleep since 282
        ] {
            let mut start = Start { now: at(now), ..ALONE };
            assert_eq!(provider.enter(&mut start, key()), met, "at {now}");
            assert_eq!(start.wait, Span::ZERO);
        }
    }
}
