//! SMG's circuit breaker (the SGLang model gateway): failures in a row open it, and half-open lets everything through.
//!
//! Closed: `failure_threshold` failures in a row open it; a success begins the row anew. Open: nothing goes through for
//! `timeout`; the next call makes it half-open. Half-open: every call goes through; `success_threshold` successes in a row close it,
//! one failure opens it again. Calls from before a change of state count like any other, but while it is open none does.
//!
//! `failures`: default 5xx, timeouts, no connection, an answer broken off.
//!
//! Source: sgl-project/sglang, `model_gateway/src/worker/circuit_breaker.rs`. Left out: `window_duration_secs`, which that stores and
//! never uses.
//!
//! ```json
//! { "smg": { "failure_threshold": 10, "success_threshold": 3, "timeout": "60s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, at_least_one};
use crate::form::outcomes::OutcomeList;
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcomes};

/// Opens on failures in a row, and half-open lets everything through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Smg {
    /// The failures in a row that open it, at least 1. Default: 10.
    #[schemars(range(min = 1))]
    pub failure_threshold: u32,
    /// The successes in a row that close it, at least 1. Default: 3.
    #[schemars(range(min = 1))]
    pub success_threshold: u32,
    /// The time for which it stays open. Default: 60s.
    pub timeout: Duration,
    /// The outcomes of a call that are failures. Default: 5xx, timeouts, no connection, an answer broken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for Smg {
    fn default() -> Self {
        Smg {
            failure_threshold: 10,
            success_threshold: 3,
            timeout: Duration::from(Span::from_secs(60)),
            failures: None,
        }
    }
}

impl BuildBreaker for Smg {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        at_least_one(&[
            ("failure_threshold", self.failure_threshold),
            ("success_threshold", self.success_threshold),
        ])?;
        Ok(Guard::Each(Box::new(Running {
            opens_at: self.failure_threshold,
            closes_at: self.success_threshold,
            open_for: self.timeout.span(),
            failures: (self.failures.as_ref()).map_or(Outcomes::PROVIDER_FAILURES, OutcomeList::set),
            state: State::Closed,
            row: 0,
            openings: Openings::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    opens_at: u32,
    closes_at: u32,
    open_for: Span,
    failures: Outcomes,
    state: State,
    /// The failures in a row while closed, the successes in a row while half-open.
    row: u32,
    openings: Openings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    HalfOpen,
}

impl Running {
    fn turn(&mut self, state: State) {
        self.state = state;
        self.row = 0;
    }

    fn open(&mut self, now: Time) {
        self.openings.open(now, now + self.open_for);
        self.turn(State::Open);
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        self.state != State::Open || !self.openings.is_open(now)
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        if self.state == State::Open && !self.openings.is_open(now) {
            self.turn(State::HalfOpen);
        }
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        match (Seen::of(ended.outcome, self.failures), self.state) {
            (Seen::Nothing, _) | (_, State::Open) => {}
            (Seen::Success, State::Closed) => self.row = 0,
            (Seen::Failure, State::Closed) => {
                self.row += 1;
                if self.row >= self.opens_at {
                    self.open(ended.now);
                }
            }
            (Seen::Success, State::HalfOpen) => {
                self.row += 1;
                if self.row >= self.closes_at {
                    self.turn(State::Closed);
                }
            }
            (Seen::Failure, State::HalfOpen) => self.open(ended.now),
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

    fn watch() -> Watch {
        Watch::new(r#""smg""#, 1)
    }

    #[test]
    fn ten_failures_in_a_row_open_it_for_a_minute() {
        assert_eq!(watch().run(0, 0, 100, "FFFFFFFFFsFFFFFFFFF."), "o".repeat(20));
        let mut it = watch();
        // A 429 and a 400 are answers that it takes for successes.
        assert_eq!(it.run(0, 0, 100, "FFFFFrFFFFFcFFFFFFFFFF."), "o".repeat(22) + "x");
        assert_eq!((it.permits(0, at(62_099)), it.permits(0, at(62_100))), (false, true));
    }

    #[test]
    fn half_open_lets_everything_through_until_a_failure_or_three_successes() {
        let mut it = watch();
        it.run(0, 0, 0, "FFFFFFFFFF");
        let trials = [0; 20].map(|_| {
            assert!(it.permits(0, at(60_000)));
            it.sent(0, at(60_000))
        });
        it.record(trials[0], &Ended::new(at(60_100), 0, Outcome::Success));
        it.record(trials[1], &Ended::new(at(60_200), 0, Outcome::ServerError));
        assert!(!it.permits(0, at(60_200)));
        // What ends while it is open changes nothing.
        it.record(trials[2], &Ended::new(at(60_300), 0, Outcome::Success));
        assert_eq!((it.permits(0, at(120_199)), it.permits(0, at(120_200))), (false, true));
        // Three close it: then it takes ten again.
        assert_eq!(it.run(0, 120_200, 0, "sssFFFFFFFFFF."), "o".repeat(13) + "x");
        assert_eq!((it.trips(0), it.time_open(0, at(121_200))), (3, Span::from_secs(121)));
    }
}
