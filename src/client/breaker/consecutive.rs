//! A breaker that counts failures up and successes down, from a published article on a load balancer: as published, and
//! as it should be.
//!
//! Closed: each failure adds one, each success takes one off (not below zero); at `failures` it opens. Open: nothing goes
//! through until `open_for` after the last failure; failures of calls still under way push that back. The first call after
//! that makes it half-open, until `successes` calls have succeeded, which closes it and clears the count.
//!
//! `half_open` says what happens in between. `unguarded`, as published: every call goes through and failures change
//! nothing. `guarded`, the textbook: at most `successes` calls are under way at once, and one failure opens it again; calls
//! from before the state changed no longer count (as in gobreaker's generations).
//!
//! A call is under way from when it is given to a provider, a wait for a connection included.
//!
//! A failure is a 5xx or a timeout. A 429 counts for nothing, nor does any other 4xx.
//!
//! ```json
//! { "consecutive": { "failures": 5, "open_for": "30s", "successes": 3, "half_open": "guarded" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, at_least_one};
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome};

/// Opens on a surplus of failures over successes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consecutive {
    /// The failures, less successes, that open the breaker; at least 1. Default: 5.
    #[serde(default = "five")]
    #[schemars(range(min = 1))]
    pub failures: u32,
    /// The time for which it stays open after the last failure. Default: 30s.
    #[serde(default = "half_a_minute")]
    pub open_for: Duration,
    /// The successes in half-open that close it, at least 1. Default: 3.
    #[serde(default = "three")]
    #[schemars(range(min = 1))]
    pub successes: u32,
    /// The calls that half-open lets through. Default: `guarded`.
    #[serde(default)]
    pub half_open: HalfOpen,
}

/// The calls that half-open lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HalfOpen {
    /// The textbook rule: as many calls at once as successes are needed; a failure opens it again.
    #[default]
    Guarded,
    /// All calls; a failure changes nothing.
    Unguarded,
}

fn five() -> u32 {
    5
}

fn three() -> u32 {
    3
}

fn half_a_minute() -> Duration {
    Duration::from(Span::from_secs(30))
}

impl BuildBreaker for Consecutive {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        at_least_one(&[("failures", self.failures), ("successes", self.successes)])?;
        Ok(Guard::Each(Box::new(Running {
            trips_at: self.failures,
            open_for: self.open_for.span(),
            closes_at: self.successes,
            guarded: self.half_open == HalfOpen::Guarded,
            state: State::Closed { failures: 0 },
            epoch: Ticket::default(),
            trips: 0,
            open: Span::ZERO,
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    trips_at: u32,
    open_for: Span,
    closes_at: u32,
    guarded: bool,
    state: State,
    epoch: Ticket,
    trips: u64,
    /// The time spent open in earlier openings.
    open: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    /// Lets nothing through until `until`; from then on the next call makes it half-open.
    Open {
        since: Time,
        until: Time,
    },
    HalfOpen {
        successes: u32,
        under_way: u32,
    },
}

impl Running {
    fn trip(&mut self, now: Time) {
        self.trips += 1;
        self.turn(State::Open {
            since: now,
            until: now + self.open_for,
        });
    }

    /// Goes over to another state; calls sent from now on have another ticket.
    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch = Ticket(self.epoch.0.wrapping_add(1));
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until, .. } => now >= until,
            State::HalfOpen { under_way, .. } => !self.guarded || under_way < self.closes_at,
        }
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { since, until } => {
                if now >= *until {
                    self.open += until.since(*since);
                    self.turn(State::HalfOpen {
                        successes: 0,
                        under_way: 1,
                    });
                }
            }
            State::HalfOpen { under_way, .. } => *under_way += 1,
        }
        self.epoch
    }

    #[inline]
    fn record(&mut self, ticket: Ticket, ended: &Ended) {
        let (now, outcome) = (ended.now, ended.outcome);
        let failed = outcome.is_provider_failure();
        let is_old = self.guarded && ticket != self.epoch;
        match &mut self.state {
            State::Open { until, .. } => {
                if failed && now < *until {
                    *until = now + self.open_for;
                }
            }
            _ if is_old => {}
            State::Closed { failures } => {
                if failed {
                    *failures += 1;
                    if *failures >= self.trips_at {
                        self.trip(now);
                    }
                } else if outcome == Outcome::Success {
                    *failures = failures.saturating_sub(1);
                }
            }
            State::HalfOpen { successes, under_way } => {
                *under_way = under_way.saturating_sub(1);
                if failed && self.guarded {
                    self.trip(now);
                } else if outcome == Outcome::Success {
                    *successes += 1;
                    if *successes >= self.closes_at {
                        self.turn(State::Closed { failures: 0 });
                    }
                }
            }
        }
    }

    #[inline]
    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    fn time_open(&self, now: Time) -> Span {
        match self.state {
            State::Open { since, until } => self.open + until.min(now).since(since),
            State::Closed { .. } | State::HalfOpen { .. } => self.open,
        }
    }

    fn trips(&self) -> u64 {
        self.trips
    }

    fn fresh(&self, _own: Key) -> Box<dyn Breaker> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    fn breaker(half_open: &str) -> Box<dyn Breaker> {
        let json = format!(r#"{{"half_open": "{half_open}"}}"#);
        let spec: Consecutive = serde_json::from_str(&json).unwrap();
        let own = Chance::new(1, 0).surroundings(0);
        spec.build(&Names::default()).unwrap().of_one(own).unwrap()
    }

    fn at(secs: u64) -> Time {
        Time::from_nanos(secs * 1_000_000_000)
    }

    /// One call a second, each with an outcome: `F` failure, `s` success, `r` 429, `.` no call. Returns for each second
    /// whether a call was permitted (`o` or `x`).
    fn run(breaker: &mut dyn Breaker, calls: &str) -> String {
        let mut seen = String::new();
        for (second, call) in calls.chars().enumerate() {
            let now = at(second as u64);
            let permitted = breaker.permits(now);
            seen.push(if permitted { 'o' } else { 'x' });
            if permitted && call != '.' {
                let ticket = breaker.sent(now);
                let outcome = match call {
                    'F' => Outcome::ServerError,
                    'r' => Outcome::RateLimited,
                    _ => Outcome::Success,
                };
                breaker.record(ticket, &Ended::new(now, 0, outcome));
            }
        }
        seen
    }

    #[test]
    fn successes_take_failures_off_and_429s_do_nothing() {
        // The surplus goes 1 2 3 4 | 3 | 4 | (429) 4 | 5: open from the ninth call on.
        assert_eq!(
            run(&mut *breaker("guarded"), "FFFFsFrF.."),
            "oooooooo".to_string() + "xx"
        );
        // Successes do not bank below zero: five failures still open it.
        assert_eq!(
            run(&mut *breaker("guarded"), "ssssFFFFF."),
            "ooooooooo".to_string() + "x"
        );
    }

    #[test]
    fn it_opens_for_thirty_seconds_after_the_last_failure() {
        let calls = format!("FFFFF{}", ".".repeat(31));
        // Failure five at second 4: closed to calls from 5 to 33, open to them at 34.
        assert_eq!(
            run(&mut *breaker("guarded"), &calls),
            format!("ooooo{}oo", "x".repeat(29))
        );
        // A failure that comes in at second 10 from before pushes that to 40.
        let mut late = breaker("guarded");
        run(&mut *late, "FFFFF");
        late.record(Ticket::default(), &Ended::new(at(10), 0, Outcome::TimeoutAttempt));
        assert_eq!((late.permits(at(39)), late.permits(at(40))), (false, true));
    }

    #[test]
    fn half_open_as_published_lets_everything_through_and_forgives() {
        let mut it = breaker("unguarded");
        run(&mut *it, "FFFFF");
        for _ in 0..20 {
            assert!(it.permits(at(60)));
            it.sent(at(60));
        }
        for outcome in [
            Outcome::Success,
            Outcome::ServerError,
            Outcome::ServerError,
            Outcome::Success,
        ] {
            it.record(Ticket::default(), &Ended::new(at(61), 0, outcome));
        }
        assert_eq!(it.trips(), 1);
        it.record(Ticket::default(), &Ended::new(at(61), 0, Outcome::Success));
        // Closed again, with a clean count: it takes five more.
        for failures in 1..=5 {
            assert!(it.permits(at(62)), "after {failures} failures");
            it.record(Ticket::default(), &Ended::new(at(62), 0, Outcome::ServerError));
        }
        assert!(!it.permits(at(62)));
    }

    #[test]
    fn half_open_guarded_admits_three_and_reopens_on_one_failure() {
        let mut it = breaker("guarded");
        run(&mut *it, "FFFFF");
        let trials = [0; 3].map(|_| {
            assert!(it.permits(at(40)));
            it.sent(at(40))
        });
        assert!(!it.permits(at(40)));
        // Calls from before it opened are none of the trials, however they end.
        for outcome in [
            Outcome::Success,
            Outcome::Success,
            Outcome::Success,
            Outcome::ServerError,
        ] {
            it.record(Ticket::default(), &Ended::new(at(41), 0, outcome));
        }
        assert!(!it.permits(at(41)));
        it.record(trials[0], &Ended::new(at(41), 0, Outcome::ServerError));
        assert_eq!((it.trips(), it.permits(at(70)), it.permits(at(71))), (2, false, true));
        // 4 to 34, and 41 to 71.
        assert_eq!(it.time_open(at(100)), Span::from_secs(60));
    }
}
