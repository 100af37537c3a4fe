//! A provider that goes to sleep: after a while without work it has to start before it serves.
//!
//! Whoever comes after `idle` without any attempt wakes it, and waits `extra`; whoever comes before that is over waits for
//! the rest of it. Then it is warm, until it is left alone again: `idle` counts from the end of the last work. It is warm when
//! a replication begins. Serverless inference works like that (Hugging Face Inference Endpoints scale to zero after 15
//! minutes at the least; AWS SageMaker and Replicate load the model at the first request): of the series in
//! llmperf-leaderboard 2023 one that cold-started had a median TTFT of 0.55 s and a 99th percentile of 53 s.
//!
//! Leaves out several instances of which some are warm.
//!
//! ```json
//! { "cold_start": { "idle": "15m", "extra": { "lognormal": { "median": "40s", "sigma": 0.5 } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLoad, Load, Start, Stay};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};
use crate::request::Outcome;
use crate::spec::build::Built;
use crate::spec::laws::LawSpec;
use crate::spec::units::Duration;

/// A start that the first attempts after a pause have to wait for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColdStart {
    /// How long it stays warm without work.
    pub idle: Duration,
    /// How long it takes to start.
    pub extra: LawSpec<Duration>,
}

/// Which part of an attempt's time to first token this draws.
const PART: u64 = 1;

impl BuildLoad for ColdStart {
    fn build(&self) -> Built<Box<dyn Load>> {
        Ok(Box::new(Running {
            idle: self.idle.span(),
            extra: self.extra.sampler().map_err(|r| r.at("extra"))?,
            warm_from: Time::ZERO,
            last_work: Time::ZERO,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    idle: Span,
    extra: Sampler,
    /// When the last start was over, or will be.
    warm_from: Time,
    /// When the last work that is known of ends.
    last_work: Time,
}

impl Load for Running {
    #[inline]
    fn enter(&mut self, start: &mut Start, key: Key) -> Result<(), Outcome> {
        let now = start.now;
        if now >= self.warm_from && now.since(self.last_work) > self.idle {
            let extra = self.extra.draw(key.part(PART), Purpose::Ttft);
            self.warm_from = now + Span::from_nanos((extra + 0.5) as u64);
        }
        self.last_work = self.last_work.max(self.warm_from).max(now);
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
        let mut provider = spec.build().unwrap();
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
}
