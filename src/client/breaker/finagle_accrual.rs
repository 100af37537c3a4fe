//! Finagle's failure accrual: dead on a low success rate or failures in a row, for longer each time a probe fails.
//!
//! Two rules watch an endpoint. One keeps an exponential moving average of successes (weight of the past e^(−Δt/`window`), in whole
//! milliseconds), and marks it dead on a failure if that is below `success_rate` with at least `minimum_requests` in the last
//! `window`. The other marks it dead on the `consecutive_failures`th failure in a row, and on each further one. Each has its own
//! back-off: `mark_dead_for` the first time, then that times 2^(n−1) and as much again at most, at random, up to
//! `mark_dead_for_max`. If both speak the longer counts.
//!
//! Dead: nothing goes through. Then one call does, the probe. The next call that ends, also one from before, decides: a success
//! revives the endpoint, and both rules begin anew; a failure leads to the rules again, and if neither speaks to another probe.
//! A probe that the client ends itself is followed by another.
//!
//! `failures`: default any failure, as its response classifier has it.
//!
//! Source: twitter/finagle, `liveness/FailureAccrualFactory.scala`, `FailureAccrualPolicy.scala`, `service/Backoff.scala`: the
//! default hybrid policy. Left out: the load balancer that sends to a dead endpoint when all are dead.
//!
//! ```json
//! { "finagle_accrual": { "consecutive_failures": 5, "success_rate": "80%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal, at_least_one};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcomes};

/// Finagle's failure accrual: marks an endpoint dead on a low success rate or failures in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FinagleAccrual {
    /// The success rate below which an endpoint is dead; 0: never. Default: 80%.
    pub success_rate: Fraction,
    /// The time constant of the moving average of successes, at least 10ms. Default: 30s.
    pub window: Duration,
    /// The calls in the window from which on the success rate counts. Default: 5.
    pub minimum_requests: u32,
    /// The failures in a row that mark an endpoint dead, at least 1. Default: 5.
    #[schemars(range(min = 1))]
    pub consecutive_failures: u32,
    /// The time for which it is dead the first time, above 0. Default: 5s.
    pub mark_dead_for: Duration,
    /// The longest time for which it is dead, not below `mark_dead_for`. Default: 300s.
    pub mark_dead_for_max: Duration,
    /// The outcomes of a call that are failures. Default: all but a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for FinagleAccrual {
    fn default() -> Self {
        let secs = |n| Duration::from(Span::from_secs(n));
        FinagleAccrual {
            success_rate: Fraction::new(0.8).unwrap_or_default(),
            window: secs(30),
            minimum_requests: 5,
            consecutive_failures: 5,
            mark_dead_for: secs(5),
            mark_dead_for_max: secs(300),
            failures: None,
        }
    }
}

/// The slices of a window in which calls are counted.
const SLICES: u64 = 5;

impl BuildBreaker for FinagleAccrual {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        let (window, first, longest) = (
            self.window.span(),
            self.mark_dead_for.span(),
            self.mark_dead_for_max.span(),
        );
        if window < Span::from_millis(10) {
            return Err(Refusal::new(format!("window is {window}, and must be at least 10ms")).at("window"));
        }
        at_least_one(&[("consecutive_failures", self.consecutive_failures)])?;
        if first == Span::ZERO {
            return Err(Refusal::new("mark_dead_for is 0s, and must be longer").at("mark_dead_for"));
        }
        if longest < first {
            let text = format!("mark_dead_for_max is {longest}, and must not be below mark_dead_for, which is {first}");
            return Err(Refusal::new(text).at("mark_dead_for_max"));
        }
        Ok(Guard::Each(Box::new(Running {
            success_rate: self.success_rate.get(),
            window,
            minimum: u64::from(self.minimum_requests),
            in_a_row: u64::from(self.consecutive_failures),
            first,
            longest,
            failures: self.failures.as_ref().map_or(Outcomes::ANY_FAILURE, OutcomeList::set),
            own: None,
            state: State::Alive,
            probe: Ticket::default(),
            record: Record::default(),
            openings: Openings::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    success_rate: f64,
    window: Span,
    minimum: u64,
    in_a_row: u64,
    first: Span,
    longest: Span,
    failures: Outcomes,
    own: Option<Key>,
    state: State,
    /// The ticket of the last probe; 0 before the first.
    probe: Ticket,
    record: Record,
    openings: Openings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Alive,
    /// The endpoint is dead: nothing goes through until the last opening ends; from then on a probe may go.
    Dead,
    Probing,
}

/// The memory of both rules; empty after a revival.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    average: f64,
    /// The time at which the average last changed.
    updated: Option<Time>,
    /// The number of calls in each slice of the window, as a ring.
    calls: [u64; SLICES as usize],
    slice: u64,
    row: u64,
    /// The number of times that each rule has marked the endpoint dead.
    marks: [u32; 2],
}

impl Record {
    fn update(&mut self, now: Time, window: Span, x: f64) {
        let slice = now.nanos() / (window.nanos() / SLICES);
        for ahead in 0..slice.saturating_sub(self.slice).min(SLICES) {
            self.calls[((slice - ahead) % SLICES) as usize] = 0;
        }
        self.slice = slice;
        self.calls[(slice % SLICES) as usize] += 1;
        let millis = |t: Time| t.nanos() / 1_000_000;
        self.average = match self.updated {
            None => x,
            Some(before) => {
                let passed = (millis(now) - millis(before)) as f64;
                let weight = libm::exp(-passed / (window.nanos() / 1_000_000) as f64);
                x * (1.0 - weight) + self.average * weight
            }
        };
        self.updated = Some(now);
    }
}

impl Running {
    /// The time for which a rule marks the endpoint dead the `n`th time, from 0.
    fn dead_for(&self, rule: usize, n: u32) -> Span {
        if n == 0 {
            return self.first;
        }
        let half = self.first.times(1 << (n - 1).min(40));
        let draw = self.own.map_or(0, |own| {
            let spoken = self.openings.count() * 2 + rule as u64;
            own.part(spoken).draw(Purpose::Eject)
        });
        let more = (u128::from(half.nanos()) * u128::from(draw)) >> 64;
        (half + Span::from_nanos(more as u64)).min(self.longest)
    }

    /// Records a failure; returns for how long it marks the endpoint dead, if at all.
    fn fail(&mut self, now: Time) -> Option<Span> {
        self.record.update(now, self.window, 0.0);
        self.record.row += 1;
        let enough = self.record.calls.iter().sum::<u64>() >= self.minimum;
        let spoken = [
            enough && self.record.average < self.success_rate,
            self.record.row >= self.in_a_row,
        ];
        let mut longest = None;
        for (rule, _) in spoken.iter().enumerate().filter(|(_, spoken)| **spoken) {
            longest = longest.max(Some(self.dead_for(rule, self.record.marks[rule])));
            self.record.marks[rule] += 1;
        }
        longest
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        match self.state {
            State::Alive => true,
            State::Dead => !self.openings.is_open(now),
            State::Probing => false,
        }
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        if self.state == State::Dead && !self.openings.is_open(now) {
            self.state = State::Probing;
            self.probe = Ticket(self.probe.0.wrapping_add(1).max(1));
            return self.probe;
        }
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, ticket: Ticket, ended: &Ended) {
        let now = ended.now;
        match Seen::of(ended.outcome, self.failures) {
            Seen::Nothing => {
                if self.state == State::Probing && ticket == self.probe {
                    self.state = State::Dead;
                }
            }
            Seen::Success => {
                if self.state == State::Probing {
                    self.state = State::Alive;
                    self.record = Record::default();
                }
                self.record.update(now, self.window, 1.0);
                self.record.row = 0;
            }
            Seen::Failure if self.state == State::Dead => {}
            Seen::Failure => match self.fail(now) {
                Some(span) => {
                    self.openings.open(now, now + span);
                    self.state = State::Dead;
                }
                None if self.state == State::Probing => self.state = State::Dead,
                None => {}
            },
        }
    }

    #[inline]
    fn is_closed(&self) -> bool {
        self.state == State::Alive
    }

    over_openings!(openings; own);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;
    use crate::words::Outcome;

    fn watch(fields: &str) -> Watch {
        Watch::new(&format!(r#"{{"finagle_accrual": {{{fields}}}}}"#), 1)
    }

    /// Only failures in a row.
    const ROW: &str = r#""success_rate": "0%""#;

    #[test]
    fn five_failures_in_a_row_kill_it_for_five_seconds() {
        assert_eq!(watch(ROW).run(0, 0, 100, "FFFFsFFFF."), "oooooooooo");
        let mut it = watch(ROW);
        assert_eq!(it.run(0, 0, 100, "FFFFF."), "ooooox");
        assert_eq!((it.permits(0, at(5_399)), it.permits(0, at(5_400))), (false, true));
    }

    #[test]
    fn a_success_rate_below_80_percent_kills_it_on_a_failure() {
        let fields = r#""consecutive_failures": 100"#;
        // After a success at 0 the average is 1. A failure 6 s on leaves e^-0.2 = 0.819, one 7 s on e^-(7/30) = 0.792.
        let two = format!(r#"{fields}, "minimum_requests": 2"#);
        assert_eq!(watch(&two).run(0, 0, 6_000, "sF."), "ooo");
        let mut later = watch(&two);
        later.run(0, 0, 7_000, "sF");
        assert!(!later.permits(0, at(7_000)));
        // With fewer than five calls the rate is not looked at.
        assert_eq!(watch(fields).run(0, 0, 2_000, "sFFFF."), "ooooox");
        assert_eq!(watch(fields).run(0, 0, 5_000, "sFFF."), "ooooo");
        // Failures of the same moment weigh nothing, except the first of all.
        assert_eq!(watch(fields).run(0, 0, 0, "sFFFFFF."), "oooooooo");
        assert_eq!(watch(fields).run(0, 0, 0, "FFFFF."), "ooooox");
    }

    #[test]
    fn a_probe_revives_it_or_leaves_it_dead_for_longer() {
        let mut it = watch(ROW);
        it.run(0, 0, 0, "FFFFF");
        let mut now = 5_000;
        // 5 to 10 s, 10 to 20 s, …, at most 300 s.
        for half in [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000] {
            assert!(it.permits(0, at(now)), "{half}");
            let probe = it.sent(0, at(now));
            assert!(!it.permits(0, at(now)), "a second probe");
            it.record(probe, &Ended::new(at(now), 0, Outcome::Unavailable));
            let least = half.min(300_000);
            let most = (2 * half).min(300_000);
            assert!(!it.permits(0, at(now + least - 1)), "{half}");
            assert!(it.permits(0, at(now + most)), "{half}");
            now += most;
        }
        assert_eq!(it.run(0, now, 10, "sFFFF"), "ooooo");
        // Revived it has forgotten everything: dead for five seconds again.
        assert_eq!(it.run(0, now + 50, 10, "F."), "ox");
        assert_eq!(
            (it.permits(0, at(now + 5_049)), it.permits(0, at(now + 5_050))),
            (false, true)
        );
    }

    #[test]
    fn a_probe_that_tells_nothing_is_followed_by_another() {
        let mut it = watch(ROW);
        let old = it.sent(0, at(0));
        it.run(0, 0, 0, "FFFFF");
        it.call(0, at(6_000), Outcome::Cancelled);
        assert!(it.permits(0, at(6_000)));
        it.sent(0, at(6_000));
        // A call from before decides like any other.
        it.record(old, &Ended::new(at(7_000), 0, Outcome::Success));
        assert!(it.permits(0, at(7_000)));
    }
}
