//! The power of two choices on Peak EWMA: latency that believes a peak at once and forgets it slowly.
//!
//! For each provider an estimate of its round trip is kept. When a call ends after `rtt`, an `rtt` above the estimate
//! replaces it; else estimate = estimate·w + rtt·(1−w), w = e^(−Δt/decay), Δt since the last update. When it is asked
//! for, it decays in the same way towards 0. Of two different providers at random the lower (estimate × (calls + 1))
//! wins, of equals the first drawn.
//!
//! A provider without history: with `default_rtt` that is its first estimate (tower; Linkerd 30 ms). Without it the
//! estimate is 0, and one that has a call under way costs more than any with a history, so a fresh provider gets one
//! call at a time until it answers (Finagle).
//!
//! Keeps one number and one time a provider, for about `decay`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `decay` | 10 s | above 0 |
//! | `default_rtt` | none | above 0 |
//! | `measures` | `end` | `end`, `first_token` |
//!
//! Sources: Finagle `loadbalancer/PeakEwma.scala` and `p2c/P2CPick.scala`; tower `load/peak_ewma.rs`; Linkerd
//! (linkerd2-proxy: decay 10 s, default 30 ms); Helicone's provider latency (tower's, decay 30 s, default 250 ms).
//!
//! Known faults: failures count with their time, so one that fails fast looks good; the length of an answer is taken
//! for latency unless it `measures` the first token.
//!
//! ```json
//! { "peak_ewma": { "decay": "10s", "default_rtt": "30ms", "measures": "first_token" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pair::pair;
use super::peak::{Measures, Peaks};
use super::{BuildPolicy, Call, Fleet, Members, Policy, taking_part};
use crate::form::build::{Built, Names};
use crate::form::units::Duration;
use crate::kernel::time::Span;
use crate::words::{Ended, Unit};

/// The power of two choices on Peak EWMA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PeakEwma {
    /// The providers that take part. Default: every provider.
    pub providers: Members,
    /// The time in which an estimate falls to 1/e. Default: 10 s.
    pub decay: Duration,
    /// The first estimate of a provider without history. Default: none, as in Finagle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_rtt: Option<Duration>,
    /// The round trip that is measured. Default: `end`.
    pub measures: Measures,
}

impl Default for PeakEwma {
    fn default() -> Self {
        PeakEwma {
            providers: Members::default(),
            decay: Duration::from(Span::from_secs(10)),
            default_rtt: None,
            measures: Measures::default(),
        }
    }
}

impl BuildPolicy for PeakEwma {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            peaks: Peaks::new(self.decay, self.default_rtt, self.measures, names.providers.len())?,
        }))
    }
}

/// The power of two choices on Peak EWMA, as it runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) order: Vec<usize>,
    pub(super) peaks: Peaks,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let (one, other) = pair(&self.order, call, fleet)?;
        let (cost, others) = (self.peaks.cost(one, fleet), self.peaks.cost(other, fleet));
        for (p, cost) in [(one, cost), (other, others)] {
            fleet.tell(p, || {
                ("latency times calls, of the two drawn", Unit::Seconds, cost * 1e-9)
            });
        }
        Some(if others < cost { other } else { one })
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        self.peaks.learn(ended);
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;
    use crate::words::Outcome;

    fn ends(policy: &mut dyn Policy, p: usize, millis: u64) {
        let mut ended = Ended::new(Time::ZERO, p, Outcome::Success);
        ended.took = Span::from_millis(millis);
        ended.first_token = Span::from_millis(1000 - millis);
        policy.learn(&ended);
    }

    fn winner(policy: &mut dyn Policy, in_flight: [u32; 3]) -> [u64; 4] {
        let mut hosts = hosts(&[]);
        for (host, n) in hosts.iter_mut().zip(in_flight) {
            host.in_flight = n;
        }
        counts(policy, &hosts, 0, 100)
    }

    #[test]
    fn latency_times_calls_is_what_counts() {
        let mut policy = policy(r#"{"peak_ewma": {"providers": ["a", "b"], "default_rtt": "10ms"}}"#);
        ends(&mut *policy, 0, 100);
        ends(&mut *policy, 1, 300);
        assert_eq!(winner(&mut *policy, [1, 0, 0]), [100, 0, 0, 0], "200 against 300");
        assert_eq!(winner(&mut *policy, [3, 0, 0]), [0, 100, 0, 0], "400 against 300");
    }

    #[test]
    fn finagle_gives_a_fresh_node_one_call_at_a_time() {
        let mut policy = policy(r#"{"peak_ewma": {"providers": ["a", "b"]}}"#);
        ends(&mut *policy, 0, 100);
        assert_eq!(winner(&mut *policy, [0, 0, 0]), [0, 100, 0, 0]);
        assert_eq!(winner(&mut *policy, [50, 1, 0]), [100, 0, 0, 0]);
    }

    #[test]
    fn the_first_token_may_be_what_is_measured() {
        for (measures, first) in [("end", 100), ("first_token", 0)] {
            let json = format!(r#"{{"peak_ewma": {{"providers": ["a", "b"], "measures": "{measures}"}}}}"#);
            let mut policy = policy(&json);
            // a: first token after 400 ms, end after 600; b: 300, 700.
            ends(&mut *policy, 0, 600);
            ends(&mut *policy, 1, 700);
            assert_eq!(winner(&mut *policy, [0, 0, 0])[0], first, "{measures}");
        }
    }
}
