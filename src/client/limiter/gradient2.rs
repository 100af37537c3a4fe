//! An adaptive limit on concurrency: Netflix concurrency-limits, `Gradient2Limit.java` (0.5).
//!
//! Each call that is done is a sample of the latency. With `long` the exponential average over `long_window` samples (the
//! plain mean of the first ten) and `L` the limit before it is cut to a whole number:
//!
//! ```text
//! long ← long + (sample − long) · 2/(long_window + 1);  if long > 2·sample: long ← 0.95·long from the next sample on
//! if fewer than L/2 were in flight when the call was let in: no change
//! g = max(0.5, min(1, tolerance · long/sample))
//! L ← min(max, max(min, (1 − smoothing)·L + smoothing·(L·g + queue)))
//! ```
//!
//! The latency is that of the whole call since it was let in: waits for a connection, retries and back-off included.
//! Successes and outcomes of `drops` are samples, as `onSuccess` and `onDropped` are; what ended otherwise only gives its slot
//! back (`onIgnore`). Under standing overload the long average takes in the overload too: the limit
//! then swings widely above what the provider can serve at once. That is in the rule. Left out: `WindowedLimit`, which may be put round it, and queue sizes that depend on the limit.
//!
//! A request that finds no slot waits in the admission queue, or polls.
//!
//! ```json
//! { "gradient2": { "initial": 20, "min": 5, "max": 200 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::slots::{Bounds, Slots, or_overload};
use super::{BuildLimiter, Done, Limiter, Ready};
use crate::form::build::{Built, Names, Refusal, at_least_one};
use crate::form::outcomes::OutcomeList;
use crate::form::units::Fraction;
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::words::{Ask, Outcome, Outcomes};

/// The number of samples whose plain mean the long average starts from.
const WARMUP: u32 = 10;

/// A concurrency limit that follows the gradient between the average latency and the latest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gradient2 {
    /// The concurrency limit to start with, from `min` to `max`. Default: 20.
    pub initial: u32,
    /// The lowest limit, at least 1. Default: 20.
    #[schemars(range(min = 1))]
    pub min: u32,
    /// The highest limit, at least `min`. Default: 200.
    pub max: u32,
    /// The share of a change that is made at each sample, above 0 and up to 1. Default: 0.2.
    pub smoothing: Fraction,
    /// The number of requests that may queue at the provider: what the limit gains while latency is steady. Default: 4.
    pub queue: u32,
    /// The number of samples in the long average, at least 1. Default: 600.
    #[schemars(range(min = 1))]
    pub long_window: u32,
    /// The multiple of the long average that a sample may last without lowering the limit, 1 to 100. Default: 1.5.
    pub tolerance: f64,
    /// The outcomes that are samples beside success. Default: 429, 503, 529 and timeouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops: Option<OutcomeList>,
}

impl Default for Gradient2 {
    fn default() -> Self {
        Gradient2 {
            initial: 20,
            min: 20,
            max: 200,
            smoothing: Fraction::new(0.2).unwrap_or(Fraction::ONE),
            queue: 4,
            long_window: 600,
            tolerance: 1.5,
            drops: None,
        }
    }
}

impl BuildLimiter for Gradient2 {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        let Gradient2 { initial, min, max, .. } = *self;
        let bounds = Bounds { initial, min, max }.check()?;
        if self.smoothing == Fraction::ZERO {
            return Err(Refusal::new("smoothing is 0, and the limit would never change").at("smoothing"));
        }
        at_least_one(&[("long_window", self.long_window)])?;
        if !(1.0..=100.0).contains(&self.tolerance) {
            let text = format!("tolerance is {}, and must lie between 1 and 100", self.tolerance);
            return Err(Refusal::new(text).at("tolerance"));
        }
        Ok(Box::new(Running {
            slots: Slots::default(),
            limit: f64::from(initial),
            long: 0.0,
            sum: 0.0,
            samples: 0,
            bounds,
            smoothing: self.smoothing.get(),
            queue: f64::from(self.queue),
            factor: 2.0 / (f64::from(self.long_window) + 1.0),
            tolerance: self.tolerance,
            sampled: or_overload(self.drops.as_ref()).and(Outcomes::of(&[Outcome::Success])),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    slots: Slots,
    limit: f64,
    /// The long average in nanoseconds; `sum` and `samples` are those of the mean that it starts from.
    long: f64,
    sum: f64,
    samples: u32,
    bounds: Bounds,
    smoothing: f64,
    queue: f64,
    factor: f64,
    tolerance: f64,
    sampled: Outcomes,
}

impl Running {
    fn sample(&mut self, short: f64, in_flight: u32) {
        let long = if self.samples < WARMUP {
            self.sum += short;
            self.samples += 1;
            self.sum / f64::from(self.samples)
        } else {
            self.long * (1.0 - self.factor) + short * self.factor
        };
        self.long = if long / short > 2.0 { long * 0.95 } else { long };
        if f64::from(in_flight) < self.limit / 2.0 {
            return;
        }
        let gradient = (self.tolerance * long / short).clamp(0.5, 1.0);
        let next = self.limit * (1.0 - self.smoothing) + (self.limit * gradient + self.queue) * self.smoothing;
        self.limit = next.clamp(f64::from(self.bounds.min), f64::from(self.bounds.max));
    }
}

impl Limiter for Running {
    #[inline]
    fn ready(&mut self, _now: Time, _ask: &Ask) -> Ready {
        self.slots.ready(self.limit as u32)
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
        if self.sampled.contains(done.outcome) {
            // A duration of zero would divide by zero: nothing takes less than a nanosecond.
            let took = done.now.since(done.entered).nanos().max(1);
            self.sample(took as f64, done.in_flight);
        }
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
    use crate::kernel::time::Span;

    /// From an independent script after `_update` in Gradient2Limit.java: warm-up, growth by 0.8, no growth below half of the
    /// limit (the second and third call), the gradient at its floor, between and at 1, and the long average lowered (the last two).
    #[test]
    fn the_limit_follows_the_gradient_call_by_call() {
        let spec = r#"{"initial": 20, "min": 4, "max": 40, "long_window": 19}"#;
        let mut it = serde_json::from_str::<Gradient2>(spec)
            .unwrap()
            .build(&Names::default())
            .unwrap();
        let steady = [(1_000, 20, 20), (1_000, 9, 20), (1_000, 10, 20)];
        let warm = [21, 22, 23, 24, 24, 25, 26].map(|limit| (1_000, 20, limit));
        let rest = [
            (4_000, 30, 24),
            (4_000, 30, 23),
            (4_000, 30, 22),
            (500, 30, 23),
            (500, 30, 24),
            (2_000, 2, 24),
            (100, 30, 25),
            (100, 30, 25),
        ];
        for (i, (millis, in_flight, limit)) in steady.into_iter().chain(warm).chain(rest).enumerate() {
            it.leave(&Done {
                now: Time::ZERO + Span::from_millis(millis),
                in_flight,
                ..Done::at(Time::ZERO)
            });
            assert_eq!(limit_of(&mut *it, Time::ZERO), limit, "call {i}");
        }
        it.leave(&Done {
            outcome: Outcome::ServerError,
            in_flight: 30,
            ..Done::at(Time::ZERO)
        });
        assert_eq!(limit_of(&mut *it, Time::ZERO), 25, "what is no sample changes nothing");
    }
}
