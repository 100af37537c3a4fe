//! gobreaker (Sony): opens on failures in a row; calls from before a change of state no longer count.
//!
//! Closed: opens when more than `consecutive_failures` calls have failed in a row. With `interval` the count starts anew with the first
//! call after each interval. Open: nothing goes through for `timeout`, then it is half-open. Half-open: `max_requests` calls
//! go through, no more; the first failure opens it again, as many successes in a row close it. Each state, and each interval, is a
//! generation: a call that ends in another one than it began in counts for nothing.
//!
//! `failures` are what IsSuccessful refuses, `excluded` what IsExcluded excludes. Default, as there: any error, and none.
//!
//! Source: github.com/sony/gobreaker/v2 `gobreaker.go`; ReadyToTrip is its default with another number. Left out: BucketPeriod.
//!
//! ```json
//! { "gobreaker": { "consecutive_failures": 5, "timeout": "60s", "max_requests": 1 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal, at_least_one};
use crate::form::outcomes::OutcomeList;
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcomes};

/// Opens on failures in a row, counted by generations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gobreaker {
    /// The most failures in a row that do not yet open it. Default: 5.
    pub consecutive_failures: u32,
    /// The interval after which the count starts anew; 0s: only when it closes. Default: 0s.
    pub interval: Duration,
    /// The time for which it stays open, above 0. Default: 60s.
    pub timeout: Duration,
    /// The calls that half-open lets through, at least 1. Default: 1.
    #[schemars(range(min = 1))]
    pub max_requests: u32,
    /// The outcomes of a call that are failures. Default: all but a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
    /// The outcomes of a call that count for nothing; this goes before `failures`. Default: none.
    #[serde(skip_serializing_if = "OutcomeList::is_empty")]
    pub excluded: OutcomeList,
}

impl Default for Gobreaker {
    fn default() -> Self {
        Gobreaker {
            consecutive_failures: 5,
            interval: Duration::from(Span::ZERO),
            timeout: Duration::from(Span::from_secs(60)),
            max_requests: 1,
            failures: None,
            excluded: OutcomeList::default(),
        }
    }
}

impl BuildBreaker for Gobreaker {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        at_least_one(&[("max_requests", self.max_requests)])?;
        if self.timeout.span() == Span::ZERO {
            return Err(Refusal::new("timeout is 0s, and must be longer").at("timeout"));
        }
        let interval = self.interval.span();
        Ok(Guard::Each(Box::new(Running {
            limit: self.consecutive_failures,
            interval: if interval == Span::ZERO {
                Span::FOREVER
            } else {
                interval
            },
            open_for: self.timeout.span(),
            trials: self.max_requests,
            failures: OutcomeList::set_or(self.failures.as_ref(), Outcomes::ANY_FAILURE, "failures")?,
            excluded: self.excluded.set(),
            state: State::Closed {
                failures: 0,
                until: Time::ZERO
                    + if interval == Span::ZERO {
                        Span::FOREVER
                    } else {
                        interval
                    },
            },
            generation: Ticket::default(),
            openings: Openings::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    limit: u32,
    interval: Span,
    open_for: Span,
    trials: u32,
    failures: Outcomes,
    excluded: Outcomes,
    state: State,
    generation: Ticket,
    openings: Openings,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Counts failures in a row, until the interval is over.
    Closed {
        failures: u32,
        until: Time,
    },
    Open,
    /// Counts the calls let through, and the successes in a row.
    HalfOpen {
        sent: u32,
        successes: u32,
    },
}

impl Running {
    fn turn(&mut self, state: State) {
        self.state = state;
        self.generation = Ticket(self.generation.0.wrapping_add(1));
    }

    fn close(&mut self, now: Time) {
        self.turn(State::Closed {
            failures: 0,
            until: now + self.interval,
        });
    }

    /// Brings the state up to date at `now`.
    fn settle(&mut self, now: Time) {
        match self.state {
            State::Closed { until, .. } if now > until => self.close(now),
            State::Open if !self.openings.is_open(now) => self.turn(State::HalfOpen { sent: 0, successes: 0 }),
            State::Closed { .. } | State::Open | State::HalfOpen { .. } => {}
        }
    }

    fn open(&mut self, now: Time) {
        self.openings.open(now, now + self.open_for);
        self.turn(State::Open);
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open => !self.openings.is_open(now),
            State::HalfOpen { sent, .. } => sent < self.trials,
        }
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        self.settle(now);
        if let State::HalfOpen { sent, .. } = &mut self.state {
            *sent += 1;
        }
        self.generation
    }

    #[inline]
    fn record(&mut self, ticket: Ticket, ended: &Ended) {
        let now = ended.now;
        self.settle(now);
        if ticket != self.generation {
            return;
        }
        let seen = if self.excluded.contains(ended.outcome) {
            Seen::Nothing
        } else {
            Seen::of(ended.outcome, self.failures)
        };
        match (seen, &mut self.state) {
            (Seen::Nothing, State::HalfOpen { sent, .. }) => *sent = sent.saturating_sub(1),
            (Seen::Success, State::Closed { failures, .. }) => *failures = 0,
            (Seen::Failure, State::Closed { failures, .. }) => {
                *failures = failures.saturating_add(1);
                if *failures > self.limit {
                    self.open(now);
                }
            }
            (Seen::Success, State::HalfOpen { successes, .. }) => {
                *successes += 1;
                if *successes >= self.trials {
                    self.close(now);
                }
            }
            (Seen::Failure, State::HalfOpen { .. }) => self.open(now),
            _ => {}
        }
    }

    #[inline]
    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    over_openings!(openings);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;
    use crate::words::Outcome;

    fn watch(fields: &str) -> Watch {
        Watch::new(&format!(r#"{{"gobreaker": {{{fields}}}}}"#), 1)
    }

    #[test]
    fn six_failures_in_a_row_open_it() {
        assert_eq!(watch("").run(0, 0, 100, "FFFFFsFrtcCF."), "oooooooooooox");
        assert_eq!(
            watch(r#""excluded": [429]"#).run(0, 0, 100, "FFFrFFrF."),
            "ooooooooX".replace('X', "x")
        );
    }

    #[test]
    fn an_interval_starts_the_count_anew_at_its_first_call() {
        let mut it = watch(r#""consecutive_failures": 1, "interval": "1s""#);
        // One at 0.9 s and one at 1.1 s are in two intervals; the second lasts from 1.1 to 2.1 s.
        assert_eq!(it.run(0, 900, 200, "FF."), "ooo");
        assert_eq!(it.run(0, 2_000, 10, "F."), "ox");
    }

    #[test]
    fn half_open_lets_so_many_through_and_no_more() {
        let mut it = watch(r#""consecutive_failures": 0, "max_requests": 2"#);
        it.run(0, 0, 0, "F");
        assert_eq!((it.permits(0, at(59_999)), it.permits(0, at(60_000))), (false, true));
        let first = it.sent(0, at(61_000));
        let second = it.sent(0, at(61_000));
        assert!(!it.permits(0, at(100_000)));
        it.record(first, &Ended::new(at(62_000), 0, Outcome::Success));
        assert!(!it.permits(0, at(62_000)), "one of two successes");
        it.record(second, &Ended::new(at(63_000), 0, Outcome::Success));
        assert!(it.permits(0, at(63_000)));
        // And one failure of a trial opens it again, for the whole time.
        it.run(0, 64_000, 0, "F");
        assert_eq!(it.run(0, 124_000, 0, "F."), "ox");
        assert_eq!((it.permits(0, at(183_999)), it.permits(0, at(184_000))), (false, true));
        assert_eq!((it.trips(0), it.time_open(0, at(200_000))), (3, Span::from_secs(180)));
    }

    #[test]
    fn calls_of_an_earlier_generation_count_for_nothing() {
        let mut it = watch(r#""consecutive_failures": 0"#);
        let old = [0; 2].map(|_| it.sent(0, at(0)));
        it.run(0, 0, 0, "F");
        let trial = it.sent(0, at(60_000));
        it.record(old[0], &Ended::new(at(60_001), 0, Outcome::ServerError));
        it.record(old[1], &Ended::new(at(60_001), 0, Outcome::Success));
        assert!(!it.permits(0, at(60_001)), "the trial is still under way");
        // One that the client ended itself makes room for another.
        it.record(trial, &Ended::new(at(60_002), 0, Outcome::Cancelled));
        assert_eq!((it.permits(0, at(60_002)), it.trips(0)), (true, 1));
    }
}
