//! A latency router with health scores, as a published article has it, and mended.
//!
//! Each provider has its last 50 latencies, its calls and its errors counted, and a score that begins at 100.
//!
//! - A success adds 2 to the score (at most 100), takes 1 from the errors (not below 0), and stores its time.
//! - A failure takes 15 from the score (at least 0) and adds 1 to the errors.
//! - A provider is healthy if it has a score above 70 and fewer errors than 5 % of its calls.
//! - Of the healthy the lowest weighted latency wins, the first of equals: the mean of the stored latencies with weight
//!   1/(1 + 0.1·i) for sample number i.
//!
//! With no healthy provider the request fails. `mended` mends all its faults, `mends` some of them:
//!
//! - `exploration`: a provider that is healthy and has no sample, or had its last call `probe_after` ago, gets one
//!   call;
//! - `weights`: sample 0 is the newest;
//! - `ejection`: a provider that is not healthy gets one call when its last failure is `probe_after` old, and begins
//!   anew if that succeeds;
//! - `retry`: a retry goes elsewhere if it can.
//!
//! Keeps 50 samples, three counts and two times a provider, for ever.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `mended` | false | true, false |
//! | `mends` | none | any of `exploration`, `weights`, `ejection`, `retry`; not beside `mended` |
//! | `probe_after` | 30 s | 0 or more; only with `exploration` or `ejection` |
//!
//! Source: a published article on latency-based routing with failover across LLM providers.
//!
//! Known faults: as published, without a sample a latency is infinite, so the first one used takes everything; sample 0
//! is the oldest, so what was meant to favour recent latencies favours old ones; a provider that is no longer healthy
//! is never asked again; and a retry goes to the same one until its score falls. `tests/latency_router.rs` measures
//! each by itself.
//!
//! ```json
//! { "latency_router": { "mended": true, "probe_after": "30s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, lowest, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Unit};

/// The number of samples that are kept.
const SAMPLES: usize = 50;

/// The lowest weighted latency among the healthy providers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LatencyRouter {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// Whether all its faults are mended. Default: false.
    pub mended: bool,
    /// The faults that are mended, if not all. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mends: Vec<Mend>,
    /// The time after its last failure at which an unhealthy provider is tried again, and after its last call a healthy
    /// one, where that is mended. Default: 30 s.
    pub probe_after: Duration,
}

/// A fault of the published router that is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// A provider without a sample, or with an old one, is never tried.
    Exploration,
    /// The oldest sample weighs most.
    Weights,
    /// A provider that is not healthy never comes back.
    Ejection,
    /// A retry goes where the try before it failed.
    Retry,
}

impl Default for LatencyRouter {
    fn default() -> Self {
        LatencyRouter {
            providers: Members::default(),
            mended: false,
            mends: Vec::new(),
            probe_after: Duration::from(Span::from_secs(30)),
        }
    }
}

impl BuildPolicy for LatencyRouter {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.mended && !self.mends.is_empty() {
            return Err(
                Refusal::new("`mends` beside `mended`, which mends everything: give one or the other").at("mends"),
            );
        }
        let mends = |fault: Mend| self.mended || self.mends.contains(&fault);
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            explores: mends(Mend::Exploration),
            newest_first: mends(Mend::Weights),
            readmits: mends(Mend::Ejection),
            goes_elsewhere: mends(Mend::Retry),
            probe_after: self.probe_after.span(),
            states: vec![State::NEW; names.providers.len()],
        }))
    }
}

#[derive(Clone, Debug)]
struct State {
    /// The samples in seconds, the oldest first.
    samples: [f64; SAMPLES],
    stored: usize,
    score: i32,
    errors: u64,
    calls: u64,
    /// The time from which an unhealthy provider may be tried again; at `explore_at` a healthy one is tried for want of
    /// a recent sample.
    probe_at: Time,
    explore_at: Time,
    /// The weighted latency; infinite without samples.
    latency: f64,
}

impl State {
    const NEW: State = State {
        samples: [0.0; SAMPLES],
        stored: 0,
        score: 100,
        errors: 0,
        calls: 0,
        probe_at: Time::ZERO,
        explore_at: Time::ZERO,
        latency: f64::INFINITY,
    };

    fn is_healthy(&self) -> bool {
        self.score > 70 && (self.calls == 0 || self.errors * 20 < self.calls)
    }

    fn store(&mut self, seconds: f64, newest_first: bool) {
        if self.stored == SAMPLES {
            self.samples.copy_within(1.., 0);
            self.stored -= 1;
        }
        self.samples[self.stored] = seconds;
        self.stored += 1;
        let (mut sum, mut weights) = (0.0, 0.0);
        for i in 0..self.stored {
            let sample = if newest_first { self.stored - 1 - i } else { i };
            let weight = 1.0 / (1.0 + 0.1 * i as f64);
            sum += weight * self.samples[sample];
            weights += weight;
        }
        self.latency = sum / weights;
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    explores: bool,
    newest_first: bool,
    readmits: bool,
    goes_elsewhere: bool,
    probe_after: Span,
    states: Vec<State>,
}

impl Running {
    /// The choice as it was published.
    fn plain(&self, fleet: &Fleet<'_>, open: impl Fn(usize) -> bool) -> Option<usize> {
        lowest(&self.order, |p| {
            let state = &self.states[p];
            fleet.tell(p, || ("health score", Unit::Number, f64::from(state.score)));
            fleet.tell(p, || ("weighted latency", Unit::Seconds, state.latency));
            (state.is_healthy() && open(p) && fleet.is_open_to_calls(p)).then_some(state.latency)
        })
    }

    /// The provider that is to get one call, for want of a recent sample or to show whether it is well again.
    fn due(&self, now: Time, open: impl Fn(usize) -> bool) -> Option<usize> {
        let is_due = |&p: &usize| {
            let state = &self.states[p];
            let (mends, at) = if state.is_healthy() {
                (self.explores, state.explore_at)
            } else {
                (self.readmits, state.probe_at)
            };
            mends && now >= at && open(p)
        };
        self.order.iter().copied().find(is_due)
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let now = fleet.now();
        let elsewhere = |p: usize| (!self.goes_elsewhere || call.last != Some(p)) && fleet.is_open_to_calls(p);
        let due = self.due(now, elsewhere);
        let chosen = due
            .or_else(|| self.plain(fleet, elsewhere))
            .or_else(|| self.plain(fleet, |_| true))?;
        let state = &mut self.states[chosen];
        state.explore_at = now + self.probe_after;
        if due.is_some() {
            state.probe_at = now + self.probe_after;
        }
        Some(chosen)
    }

    fn learn(&mut self, ended: &Ended) {
        if ended.outcome == Outcome::Cancelled {
            return;
        }
        let state = &mut self.states[ended.provider];
        state.explore_at = ended.now + self.probe_after;
        if ended.outcome == Outcome::Success {
            if self.readmits && !state.is_healthy() {
                (state.score, state.errors, state.calls) = (100, 0, 0);
            }
            state.calls += 1;
            state.score = (state.score + 2).min(100);
            state.errors = state.errors.saturating_sub(1);
            state.store(ended.took.seconds(), self.newest_first);
        } else {
            state.calls += 1;
            state.score = (state.score - 15).max(0);
            state.errors += 1;
            state.probe_at = ended.now + self.probe_after;
        }
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn ends(policy: &mut dyn Policy, seconds: u64, p: usize, outcome: Outcome, millis: u64) -> Option<usize> {
        let now = Time::ZERO + Span::from_secs(seconds);
        let mut ended = Ended::new(now, p, outcome);
        ended.took = Span::from_millis(millis);
        policy.learn(&ended);
        choose_at(policy, &hosts(&[]), now)
    }

    #[test]
    fn as_published_the_first_one_used_takes_everything_and_old_samples_weigh_most() {
        let mut policy = policy(r#""latency_router""#);
        assert_eq!(
            ends(&mut *policy, 0, 0, Outcome::Success, 900),
            Some(0),
            "the others are infinite"
        );
        assert_eq!(ends(&mut *policy, 0, 1, Outcome::Success, 700), Some(1));
        // (0.7 + 1.1/1.1)/(1 + 1/1.1) = 0.890: the recent 1.1 weighs less.
        assert_eq!(ends(&mut *policy, 0, 1, Outcome::Success, 1100), Some(1));
    }

    #[test]
    fn as_published_two_failures_of_a_hundred_calls_are_nothing_and_two_at_once_are_for_ever() {
        let mut policy = policy(r#"{"latency_router": {"providers": ["a"]}}"#);
        for _ in 0..98 {
            ends(&mut *policy, 0, 0, Outcome::Success, 100);
        }
        assert_eq!(ends(&mut *policy, 0, 0, Outcome::ServerError, 100), Some(0), "85");
        assert_eq!(
            ends(&mut *policy, 0, 0, Outcome::ServerError, 100),
            None,
            "70 is not above 70"
        );
        assert_eq!(
            choose_at(&mut *policy, &hosts(&[]), Time::ZERO + Span::from_secs(86_400)),
            None
        );
    }

    #[test]
    fn as_published_one_error_early_on_is_more_than_five_percent() {
        let mut policy = policy(r#""latency_router""#);
        assert_eq!(ends(&mut *policy, 0, 0, Outcome::ServerError, 100), Some(1));
    }

    #[test]
    fn mended_it_tries_the_untried_and_favours_the_recent() {
        let mut policy = policy(r#"{"latency_router": {"mended": true}}"#);
        assert_eq!(ends(&mut *policy, 0, 0, Outcome::Success, 900), Some(1));
        assert_eq!(ends(&mut *policy, 0, 1, Outcome::Success, 700), Some(2));
        assert_eq!(ends(&mut *policy, 0, 2, Outcome::Success, 2000), Some(1));
        // (1.1 + 0.7/1.1)/(1 + 1/1.1) = 0.910: the recent 1.1 weighs more.
        assert_eq!(ends(&mut *policy, 0, 1, Outcome::Success, 1100), Some(0));
    }

    #[test]
    fn mended_a_sample_that_is_old_is_renewed_by_one_call() {
        let mut policy = policy(r#"{"latency_router": {"mends": ["exploration"], "providers": ["a", "b"]}}"#);
        ends(&mut *policy, 0, 0, Outcome::Success, 900);
        ends(&mut *policy, 5, 1, Outcome::Success, 100);
        let at = |s: u64| Time::ZERO + Span::from_secs(s);
        let hosts = hosts(&[]);
        assert_eq!(choose_at(&mut *policy, &hosts, at(29)), Some(1));
        assert_eq!(choose_at(&mut *policy, &hosts, at(30)), Some(0), "the slower one");
        assert_eq!(choose_at(&mut *policy, &hosts, at(31)), Some(1));
    }

    #[test]
    fn all_and_some_cannot_both_be_mended() {
        let refusal = build(r#"{"latency_router": {"mended": true, "mends": ["retry"]}}"#)
            .err()
            .unwrap();
        assert_eq!(refusal.path, ["mends".into()]);
        assert_eq!(
            refusal.message,
            "`mends` beside `mended`, which mends everything: give one or the other"
        );
    }

    #[test]
    fn mended_an_unhealthy_one_is_probed_and_comes_back() {
        let mut policy = policy(r#"{"latency_router": {"mended": true, "providers": ["a", "b"]}}"#);
        ends(&mut *policy, 0, 0, Outcome::Success, 100);
        ends(&mut *policy, 0, 1, Outcome::Success, 900);
        assert_eq!(ends(&mut *policy, 1, 0, Outcome::ServerError, 100), Some(1));
        let at = |s: u64| Time::ZERO + Span::from_secs(s);
        let hosts = hosts(&[]);
        assert_eq!(choose_at(&mut *policy, &hosts, at(30)), Some(1));
        assert_eq!(choose_at(&mut *policy, &hosts, at(31)), Some(0), "one call");
        assert_eq!(choose_at(&mut *policy, &hosts, at(31)), Some(1));
        assert_eq!(ends(&mut *policy, 32, 0, Outcome::Success, 100), Some(0));
    }
}
