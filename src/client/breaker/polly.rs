//! Polly's circuit breaker: opens on the share of failures in the last seconds, and tries again with one call.
//!
//! Closed: calls are counted in windows of a tenth of `sampling_duration`, each begun by the first call after the one before is over;
//! those begun a `sampling_duration` ago are forgotten. After a failure it opens if there were at least `minimum_throughput`
//! calls and at least `failure_ratio` of them failed. Open: nothing goes through for `break_duration`; the next call then makes it
//! half-open. Half-open: nothing else goes through. The next call that ends, also one from before it opened, closes it with nothing
//! counted, or opens it again. If the client ends the trial itself, the next call is one.
//!
//! `failures` are what ShouldHandle handles; any other answer is a success. Default: a 5xx, 408, 429, no connection and timeouts, as
//! HttpCircuitBreakerStrategyOptions has it.
//!
//! Source: Polly 8, `CircuitBreakerStrategyOptions.cs`, `CircuitStateController.cs`, `RollingHealthMetrics.cs`; failures:
//! Microsoft.Extensions.Http.Resilience. Left out: durations from a function.
//!
//! ```json
//! { "polly": { "failure_ratio": "50%", "minimum_throughput": 10 } }
//! ```

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcomes};

/// Opens on the share of failures in the last seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Polly {
    /// The share of failures that opens it, above 0. Default: 10%.
    pub failure_ratio: Fraction,
    /// The calls from which on the share counts, at least 2. Default: 100.
    #[schemars(range(min = 2))]
    pub minimum_throughput: u32,
    /// The window in which calls are counted, at least 500ms. Default: 30s.
    pub sampling_duration: Duration,
    /// The time for which it stays open, at least 500ms. Default: 5s.
    pub break_duration: Duration,
    /// The outcomes of a call that are failures. Default: 5xx, 408, 429, no connection, timeouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for Polly {
    fn default() -> Self {
        Polly {
            failure_ratio: Fraction::new(0.1).unwrap_or_default(),
            minimum_throughput: 100,
            sampling_duration: Duration::from(Span::from_secs(30)),
            break_duration: Duration::from(Span::from_secs(5)),
            failures: None,
        }
    }
}

/// The number of windows in a sampling duration.
const WINDOWS: u64 = 10;

impl BuildBreaker for Polly {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        if self.failure_ratio == Fraction::ZERO {
            return Err(Refusal::new("failure_ratio is 0, and must be more").at("failure_ratio"));
        }
        if self.minimum_throughput < 2 {
            let text = format!(
                "minimum_throughput is {}, and must be at least 2",
                self.minimum_throughput
            );
            return Err(Refusal::new(text).at("minimum_throughput"));
        }
        for (key, value) in [
            ("sampling_duration", self.sampling_duration.span()),
            ("break_duration", self.break_duration.span()),
        ] {
            if value < Span::from_millis(500) {
                return Err(Refusal::new(format!("{key} is {value}, and must be at least 500ms")).at(key));
            }
        }
        Ok(Guard::Each(Box::new(Running {
            ratio: self.failure_ratio.get(),
            minimum: u64::from(self.minimum_throughput),
            sampling: self.sampling_duration.span(),
            open_for: self.break_duration.span(),
            failures: OutcomeList::set_or(self.failures.as_ref(), Outcomes::TRANSIENT, "failures")?,
            windows: VecDeque::with_capacity(WINDOWS as usize + 2),
            state: State::Closed,
            trial: Ticket::default(),
            openings: Openings::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    ratio: f64,
    minimum: u64,
    sampling: Span,
    open_for: Span,
    failures: Outcomes,
    windows: VecDeque<Window>,
    state: State,
    /// The ticket of the last trial; 0 before the first.
    trial: Ticket,
    openings: Openings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    HalfOpen,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Time,
    calls: u64,
    failures: u64,
}

impl Running {
    /// Counts a call, and says whether there are too many failures.
    fn count(&mut self, now: Time, failed: bool) -> bool {
        let length = Span::from_nanos(self.sampling.nanos() / WINDOWS);
        if self.windows.back().is_none_or(|w| now.since(w.since) >= length) {
            self.windows.push_back(Window {
                since: now,
                calls: 0,
                failures: 0,
            });
        }
        while (self.windows.front()).is_some_and(|w| now.since(w.since) >= self.sampling) {
            self.windows.pop_front();
        }
        if let Some(window) = self.windows.back_mut() {
            window.calls += 1;
            window.failures += u64::from(failed);
        }
        let calls: u64 = self.windows.iter().map(|w| w.calls).sum();
        let failures: u64 = self.windows.iter().map(|w| w.failures).sum();
        calls >= self.minimum && failures as f64 >= self.ratio * calls as f64
    }

    fn open(&mut self, now: Time) {
        self.openings.open(now, now + self.open_for);
        self.state = State::Open;
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        match self.state {
            State::Closed => true,
            State::Open => !self.openings.is_open(now),
            State::HalfOpen => false,
        }
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        if self.state == State::Open && !self.openings.is_open(now) {
            self.state = State::HalfOpen;
            self.trial = Ticket(self.trial.0.wrapping_add(1).max(1));
            return self.trial;
        }
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, ticket: Ticket, ended: &Ended) {
        let seen = Seen::of(ended.outcome, self.failures);
        match (seen, self.state) {
            (Seen::Nothing, State::HalfOpen) if ticket == self.trial => self.state = State::Open,
            (Seen::Nothing, _) => {}
            (Seen::Failure, State::HalfOpen) => {
                self.count(ended.now, true);
                self.open(ended.now);
            }
            (Seen::Success, State::HalfOpen) => {
                self.state = State::Closed;
                self.windows.clear();
            }
            (_, state) => {
                let failed = seen == Seen::Failure;
                if self.count(ended.now, failed) && failed && state == State::Closed {
                    self.open(ended.now);
                }
            }
        }
    }

    #[inline]
    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    over_openings!(openings);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;
    use crate::words::Outcome;

    fn watch(fields: &str) -> Watch {
        Watch::new(&format!(r#"{{"polly": {{"minimum_throughput": 4, {fields}}}}}"#), 1)
    }

    const HALF: &str = r#""failure_ratio": "50%""#;

    #[test]
    fn it_opens_on_a_failure_that_makes_the_share_of_enough_calls() {
        // Two of four; the success that makes it two of four is no reason to look.
        assert_eq!(watch(HALF).run(0, 0, 100, "FssF."), "oooox");
        assert_eq!(watch(HALF).run(0, 0, 100, "FFss."), "ooooo");
        assert_eq!(watch(HALF).run(0, 0, 100, "FFF."), "oooo");
        // A 400 is a success here, a 429 a failure.
        assert_eq!(watch(HALF).run(0, 0, 100, "ccrr."), "oooox");
        // Untouched it takes ten failures of a hundred calls.
        let mut plain = Watch::new(r#""polly""#, 1);
        assert_eq!(
            plain.run(0, 0, 10, &("s".repeat(90) + "FFFFFFFFFF.")).find('x'),
            Some(100)
        );
    }

    #[test]
    fn calls_are_forgotten_window_by_window() {
        // Windows begin at 0 and at 3.5 s, as the calls come. At 29.9 s all four count, at 30 s only the last window's.
        let mut it = watch(HALF);
        it.run(0, 0, 3_500, "FF");
        assert_eq!(it.run(0, 29_800, 100, "FF."), "oox");
        let mut late = watch(HALF);
        late.run(0, 0, 3_500, "FF");
        assert_eq!(late.run(0, 29_950, 50, "FF."), "ooo");
    }

    #[test]
    fn one_trial_closes_it_or_opens_it_again() {
        let mut it = watch(HALF);
        it.run(0, 0, 0, "FFFF");
        assert_eq!((it.permits(0, at(4_999)), it.permits(0, at(5_000))), (false, true));
        let trial = it.sent(0, at(6_000));
        assert!(!it.permits(0, at(60_000)), "a second trial");
        it.record(trial, &Ended::new(at(60_000), 0, Outcome::ServerError));
        assert_eq!((it.permits(0, at(64_999)), it.permits(0, at(65_000))), (false, true));
        // A success closes it with a clean slate: three failures are too few.
        assert_eq!(it.run(0, 65_000, 100, "sFFF."), "ooooo");
        assert_eq!((it.trips(0), it.time_open(0, at(70_000))), (2, Span::from_secs(10)));
    }

    #[test]
    fn a_call_from_before_decides_the_trial_and_one_that_never_left_does_not() {
        let mut it = watch(HALF);
        let old = it.sent(0, at(0));
        it.run(0, 0, 0, "FFFF");
        it.call(0, at(6_000), Outcome::QueueTimeout);
        assert!(it.permits(0, at(6_000)));
        it.sent(0, at(6_000));
        it.record(old, &Ended::new(at(7_000), 0, Outcome::Success));
        assert!(it.permits(0, at(7_000)));
    }
}
