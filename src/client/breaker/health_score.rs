//! A health score from 0 to 100, from a published article on latency-based routing: as published, and mended.
//!
//! A success adds 2 to the score, which starts at 100, and takes one off the errors; a failure takes 15 off and adds one to the errors. A
//! provider is healthy if its score is above 70 and its errors are less than 5 % of all its calls so far. Only the healthy are asked.
//!
//! As published, a provider that is not healthy is never asked again, but for calls still under way; and a first call
//! that fails is 100 % of errors. Mended, with `probe_after`: that long after it was found ill one call goes there, and
//! nothing else until it has ended. If it succeeds, the provider starts anew; if not, it is out for as long again.
//!
//! A failure is a 5xx, a 429, no connection, a timeout, or an answer broken off.
//!
//! ```json
//! { "health_score": { "probe_after": "30s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcomes};

/// A health score for each provider: one with a low score or too many errors is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthScore {
    /// The points that a success adds to the score. Default: 2.
    pub success: u32,
    /// The points that a failure takes off the score. Default: 15.
    pub failure: u32,
    /// The score above which a provider is healthy, of 100. Default: 70.
    pub healthy_above: u32,
    /// The share of errors in all calls below which a provider is healthy. Default: 5%.
    pub error_rate: Fraction,
    /// The time after which one call is let through as a probe. Default: never, as published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_after: Option<Duration>,
    /// The outcomes of a call that are failures. Default: `["retryable"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for HealthScore {
    fn default() -> Self {
        HealthScore {
            success: 2,
            failure: 15,
            healthy_above: 70,
            error_rate: Fraction::new(0.05).unwrap_or_default(),
            probe_after: None,
            failures: None,
        }
    }
}

/// The best score, with which a provider begins.
const BEST: u32 = 100;

impl BuildBreaker for HealthScore {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        Ok(Guard::Each(Box::new(Running {
            success: self.success,
            failure: self.failure,
            healthy_above: self.healthy_above,
            error_rate: self.error_rate.get(),
            out_for: self.probe_after.map_or(Span::FOREVER, |d| d.span()),
            failures: OutcomeList::set_or(self.failures.as_ref(), Outcomes::TRANSIENT, "failures")?,
            score: BEST,
            errors: 0,
            calls: 0,
            state: State::Healthy,
            probe: Ticket::default(),
            openings: Openings::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    success: u32,
    failure: u32,
    healthy_above: u32,
    error_rate: f64,
    out_for: Span,
    failures: Outcomes,
    score: u32,
    errors: u64,
    calls: u64,
    state: State,
    /// The ticket of the last probe; 0 before the first.
    probe: Ticket,
    openings: Openings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Healthy,
    Ill,
    Probed,
}

impl Running {
    fn healthy(&self) -> bool {
        self.score > self.healthy_above
            && (self.calls == 0 || (self.errors as f64) < self.error_rate * self.calls as f64)
    }

    fn fall_ill(&mut self, now: Time) {
        self.openings.open(now, now + self.out_for);
        self.state = State::Ill;
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        match self.state {
            State::Healthy => true,
            State::Ill => !self.openings.is_open(now),
            State::Probed => false,
        }
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        if self.state == State::Ill && !self.openings.is_open(now) {
            self.state = State::Probed;
            self.probe = Ticket(self.probe.0.wrapping_add(1).max(1));
            return self.probe;
        }
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, ticket: Ticket, ended: &Ended) {
        let seen = Seen::of(ended.outcome, self.failures);
        let is_probe = self.state == State::Probed && ticket == self.probe;
        match seen {
            Seen::Nothing if is_probe => self.state = State::Ill,
            Seen::Nothing => {}
            Seen::Success if is_probe => {
                (self.score, self.errors, self.calls) = (BEST, 0, 1);
                self.state = State::Healthy;
            }
            Seen::Failure if is_probe => self.fall_ill(ended.now),
            Seen::Success | Seen::Failure => {
                self.calls += 1;
                if seen == Seen::Success {
                    self.score = self.score.saturating_add(self.success).min(BEST);
                    self.errors = self.errors.saturating_sub(1);
                } else {
                    self.score = self.score.saturating_sub(self.failure);
                    self.errors += 1;
                }
                match (self.state, self.healthy()) {
                    (State::Healthy, false) => self.fall_ill(ended.now),
                    (State::Ill, true) => {
                        self.openings.until_then(self.openings.until().min(ended.now));
                        self.state = State::Healthy;
                    }
                    _ => {}
                }
            }
        }
    }

    #[inline]
    fn is_closed(&self) -> bool {
        self.state == State::Healthy
    }

    over_openings!(openings);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;
    use crate::words::Outcome;

    fn watch(fields: &str) -> Watch {
        Watch::new(&format!(r#"{{"health_score": {{{fields}}}}}"#), 1)
    }

    #[test]
    fn a_first_failure_is_too_many_errors_for_ever() {
        let mut it = watch("");
        assert_eq!(it.run(0, 0, 10, "F."), "ox");
        assert!(!it.permits(0, at(1_000_000_000)));
        assert_eq!(it.time_open(0, at(10_000)), Span::from_secs(10));
    }

    #[test]
    fn errors_must_be_below_a_share_of_all_calls() {
        // 1 of 20 is 5 %, not less; 1 of 21 is less.
        assert_eq!(watch("").run(0, 0, 10, &("s".repeat(19) + "F.")).find('x'), Some(20));
        assert_eq!(watch("").run(0, 0, 10, &("s".repeat(20) + "F.")).find('x'), None);
    }

    #[test]
    fn the_score_falls_by_fifteen_and_rises_by_two() {
        let long = "s".repeat(100);
        // 85, then 70, which is not above 70.
        assert_eq!(watch("").run(0, 0, 10, &(long.clone() + "FF.")).find('x'), Some(102));
        // 85, 87, then 72: healthy. 74, 59: not.
        assert_eq!(watch("").run(0, 0, 10, &(long + "FsFsF.")).find('x'), Some(105));
    }

    #[test]
    fn calls_still_under_way_may_mend_it() {
        let mut it = watch("");
        let old = it.sent(0, at(0));
        it.run(0, 0, 10, &("s".repeat(100) + "FF"));
        assert!(!it.permits(0, at(2_000)));
        // 72, and one error in 103 calls.
        it.record(old, &Ended::new(at(3_010), 0, Outcome::Success));
        assert!(it.permits(0, at(3_010)));
        assert_eq!(it.time_open(0, at(9_000)), Span::from_secs(2));
    }

    #[test]
    fn mended_it_is_probed_by_one_call_at_a_time() {
        let mut it = watch(r#""probe_after": "30s""#);
        assert_eq!(it.run(0, 0, 10, "F."), "ox");
        assert_eq!((it.permits(0, at(29_999)), it.permits(0, at(30_000))), (false, true));
        let probe = it.sent(0, at(30_000));
        assert!(!it.permits(0, at(90_000)));
        it.record(probe, &Ended::new(at(90_000), 0, Outcome::ServerError));
        assert_eq!((it.permits(0, at(119_999)), it.permits(0, at(120_000))), (false, true));
        it.call(0, at(120_000), Outcome::Shed);
        it.call(0, at(120_000), Outcome::Success);
        assert!(it.permits(0, at(120_000)));
        assert_eq!((it.trips(0), it.time_open(0, at(200_000))), (2, Span::from_secs(60)));
    }
}
