//! An adaptive concurrency limit by additive increase and multiplicative decrease (AIMD): Netflix concurrency-limits,
//! `AIMDLimit.java` (0.5).
//!
//! A call that was dropped or lasted longer than `timeout` makes the limit `⌊limit · backoff⌋`; another one that succeeded
//! adds 1, if at least half of the limit was in flight when it was let in. Both stay between `min` and `max`. The latency is
//! that of the whole call since it was let in: waits for a connection, retries and back-off included. What ended neither in
//! success nor in an outcome of `drops` only gives its slot back (`onIgnore`).
//!
//! A request that finds no slot waits in the admission queue, or polls.
//!
//! ```json
//! { "aimd": { "initial": 20, "min": 5, "max": 200, "timeout": "20s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::slots::{Bounds, Slots, or_overload};
use super::{BuildLimiter, Done, Limiter, Ready};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Outcome, Outcomes};

/// An AIMD concurrency limit: it grows by one and shrinks by a share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Aimd {
    /// The concurrency limit to start with, from `min` to `max`. Default: 20.
    pub initial: u32,
    /// The lowest limit, at least 1. Default: 20.
    #[schemars(range(min = 1))]
    pub min: u32,
    /// The highest limit, at least `min`. Default: 200.
    pub max: u32,
    /// The share of the limit that is left after a drop, from 0.5 to below 1. Default: 0.9.
    pub backoff: Fraction,
    /// The duration above which a call counts as dropped. Default: 5s.
    pub timeout: Duration,
    /// The outcomes that are drops. Default: 429, 503, 529 and timeouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops: Option<OutcomeList>,
}

impl Default for Aimd {
    fn default() -> Self {
        Aimd {
            initial: 20,
            min: 20,
            max: 200,
            backoff: Fraction::new(0.9).unwrap_or(Fraction::ONE),
            timeout: Duration::from(Span::from_secs(5)),
            drops: None,
        }
    }
}

impl BuildLimiter for Aimd {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        let Aimd { initial, min, max, .. } = *self;
        let bounds = Bounds { initial, min, max }.check()?;
        if !(0.5..1.0).contains(&self.backoff.get()) {
            let text = format!(
                "backoff is {}, and must be at least 0.5 and below 1",
                self.backoff.get()
            );
            return Err(Refusal::new(text).at("backoff"));
        }
        Ok(Box::new(Running {
            slots: Slots::default(),
            limit: initial,
            bounds,
            backoff: self.backoff.get(),
            timeout: self.timeout.span(),
            drops: or_overload(self.drops.as_ref()),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    slots: Slots,
    limit: u32,
    bounds: Bounds,
    backoff: f64,
    timeout: Span,
    drops: Outcomes,
}

impl Limiter for Running {
    #[inline]
    fn ready(&mut self, _now: Time, _ask: &Ask) -> Ready {
        self.slots.ready(self.limit)
    }

    #[inline]
    fn take(&mut self, _now: Time, _ask: &Ask) {
        self.slots.enter();
    }

    fn give_back(&mut self) {
        self.slots.leave();
    }

    fn leave(&mut self, done: &Done) {
        self.slots.leave();
        let dropped = self.drops.contains(done.outcome);
        if !dropped && done.outcome != Outcome::Success {
            return;
        }
        if dropped || done.now.since(done.entered) > self.timeout {
            self.limit = (f64::from(self.limit) * self.backoff) as u32;
        } else if u64::from(done.in_flight) * 2 >= u64::from(self.limit) {
            self.limit = self.limit.saturating_add(1);
        }
        self.limit = self.limit.clamp(self.bounds.min, self.bounds.max);
    }

    fn listens(&self) -> bool {
        true
    }

    fn fresh(&self, _own: Key) -> Box<dyn Limiter> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::limit_of;
    use super::*;

    /// By hand from `_update` of AIMDLimit.java: drops of every kind, growth only at half of the limit, both bounds.
    #[test]
    fn it_grows_by_one_when_it_is_used_and_shrinks_by_a_tenth_when_a_call_is_dropped() {
        let spec = r#"{"initial": 10, "min": 8, "max": 12, "timeout": "5s"}"#;
        let spec: Aimd = serde_json::from_str(spec).unwrap();
        let mut it = spec.build(&Names::default()).unwrap();
        for (outcome, secs, in_flight, after) in [
            (Outcome::Success, 1, 4, 10),
            (Outcome::Success, 1, 5, 11),
            (Outcome::Success, 5, 6, 12),
            (Outcome::Success, 1, 9, 12),
            (Outcome::Success, 6, 1, 10),
            (Outcome::ServerError, 1, 9, 10),
            (Outcome::RateLimited, 1, 1, 9),
            (Outcome::TimeoutTtft, 1, 9, 8),
            (Outcome::Overloaded, 1, 9, 8),
            (Outcome::TimeoutTotal, 9, 9, 8),
        ] {
            it.leave(&Done {
                now: Time::ZERO + Span::from_secs(secs),
                entered: Time::ZERO,
                outcome,
                ask: Ask::default(),
                in_flight,
            });
            assert_eq!(
                limit_of(&mut *it, Time::ZERO),
                after,
                "{outcome:?} after {secs} s with {in_flight}"
            );
        }
    }
}
