//! The Peak EWMA of each provider's round trip, for the policies that go by it.
//!
//! When a call ends after `rtt`, an `rtt` above the estimate replaces it; else estimate = estimate·w + rtt·(1−w),
//! w = e^(−Δt/decay), Δt since the last update. When it is asked for, it decays in the same way towards 0.
//!
//! Source: Finagle `loadbalancer/PeakEwma.scala`, tower `load/peak_ewma.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fleet;
use crate::form::build::{Built, Refusal};
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::Ended;

/// Finagle's `Long.MaxValue >> 16`, in nanoseconds: 39 hours.
const PENALTY: f64 = 140_737_488_355_327.0;

/// The round trip that is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measures {
    /// The time from sending to the end of the answer.
    #[default]
    End,
    /// The time from sending to the first token; to the end if none came.
    FirstToken,
}

impl Measures {
    /// The round trip of an attempt.
    #[inline]
    pub(super) fn of(self, ended: &Ended) -> Span {
        match self {
            Measures::End => ended.took,
            Measures::FirstToken => ended.took.min(ended.first_token),
        }
    }
}

/// One Peak EWMA estimate for each provider.
#[derive(Clone, Debug)]
pub(super) struct Peaks {
    decay: f64,
    measures: Measures,
    estimates: Vec<Estimate>,
}

impl Peaks {
    /// The first estimates of so many providers: `default_rtt`, or nothing as in Finagle.
    pub(super) fn new(
        decay: Duration,
        default_rtt: Option<Duration>,
        measures: Measures,
        providers: usize,
    ) -> Built<Peaks> {
        for (field, span) in [("decay", Some(decay)), ("default_rtt", default_rtt)] {
            if span.is_some_and(|d| d.span() == Span::ZERO) {
                return Err(Refusal::new("0s: must be longer than nothing").at(field));
            }
        }
        let rtt = default_rtt.map_or(0.0, |d| d.span().nanos() as f64);
        Ok(Peaks {
            decay: decay.span().nanos() as f64,
            measures,
            estimates: vec![Estimate { rtt, at: Time::ZERO }; providers],
        })
    }

    /// The cost of a call to provider `p`: its estimate for each call there, this one included.
    #[inline]
    pub(super) fn cost(&mut self, p: usize, fleet: &Fleet<'_>) -> f64 {
        let estimate = &mut self.estimates[p];
        estimate.observe(fleet.now(), 0.0, self.decay);
        estimate.cost(fleet.load(p))
    }

    /// The cost as in [`Peaks::cost`], without a change: that one decays an estimate in steps, one for each look, so
    /// both differ by rounding.
    #[inline]
    pub(super) fn peek(&self, p: usize, fleet: &Fleet<'_>) -> f64 {
        let mut estimate = self.estimates[p];
        estimate.observe(fleet.now(), 0.0, self.decay);
        estimate.cost(fleet.load(p))
    }

    #[inline]
    pub(super) fn learn(&mut self, ended: &Ended) {
        let rtt = self.measures.of(ended).nanos() as f64;
        self.estimates[ended.provider].observe(ended.now, rtt, self.decay);
    }
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    /// The estimate in nanoseconds.
    rtt: f64,
    /// The time of the last update.
    at: Time,
}

impl Estimate {
    #[inline]
    fn observe(&mut self, now: Time, rtt: f64, decay: f64) {
        if rtt > self.rtt {
            self.rtt = rtt;
        } else {
            let passed = now.since(self.at).nanos() as f64;
            let w = libm::exp(-passed / decay);
            self.rtt = self.rtt * w + rtt * (1.0 - w);
        }
        self.at = now;
    }

    #[inline]
    fn cost(self, calls: u32) -> f64 {
        let calls = f64::from(calls);
        if self.rtt == 0.0 && calls > 0.0 {
            PENALTY + calls
        } else {
            self.rtt * (calls + 1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tower's own tests `default_decay` and `compound_decay`: 10 ms, decay 1 s; 20 ms, then answers after 300 and 300
    /// ms.
    #[test]
    fn an_estimate_goes_as_towers_does() {
        let ms = |ms: u64| Time::ZERO + Span::from_millis(ms);
        let mut estimate = Estimate {
            rtt: 10e6,
            at: Time::ZERO,
        };
        estimate.observe(ms(100), 0.0, 1e9);
        assert!((estimate.rtt - 10e6 * (-0.1_f64).exp_m1().mul_add(1.0, 1.0)).abs() < 1.0);
        estimate.observe(ms(200), 0.0, 1e9);
        assert!(8e6 < estimate.rtt && estimate.rtt < 9e6);
        estimate.observe(ms(400), 200e6, 1e9);
        assert_eq!(estimate.rtt, 200e6, "a peak is believed at once");
        estimate.observe(ms(500), 200e6, 1e9);
        assert_eq!(estimate.rtt, 200e6, "and the same again changes nothing");
        estimate.observe(ms(1500), 0.0, 1e9);
        assert!(estimate.rtt < 100e6);
    }
}
