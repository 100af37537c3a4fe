//! Kong AI Gateway's passive breaker: a target with too many failures in all is out, and tried once each `fail_timeout`.
//!
//! Each failure adds one to a count that no window forgets: only a success at least `fail_timeout` after the last
//! failure clears it. With `max_fails` failures or more the target is out for `fail_timeout` from the last one; then
//! one call is let through, and a next one `fail_timeout` later if that has not ended by then. If all targets are out
//! there is no target to send to.
//!
//! `failures`: default no connection and timeouts, as failover_criteria has it (`error`, `timeout`): a 429 or a 5xx is a success unless
//! it is added.
//!
//! Source: Kong ai-proxy-advanced, `config.balancer` (`max_fails`, `fail_timeout`, `failover_criteria`). The breaker is off there
//! until `max_fails` is set, and so it is here.
//!
//! ```json
//! { "kong": { "max_fails": 3, "fail_timeout": "10s", "failures": ["5xx", "connection_error", "timeout"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes};

/// A target is out after a number of failures in all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kong {
    /// The failures with which a target is out; 0: never. Default: 0.
    pub max_fails: u32,
    /// The time for which a target is out after a failure, above 0. Default: 10s.
    pub fail_timeout: Duration,
    /// The outcomes of a call that are failures. Default: no connection, timeouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for Kong {
    fn default() -> Self {
        Kong {
            max_fails: 0,
            fail_timeout: Duration::from(Span::from_secs(10)),
            failures: None,
        }
    }
}

/// The default `failover_criteria`: error and timeout.
const CRITERIA: Outcomes = Outcomes::TIMEOUTS.and(Outcomes::of(&[Outcome::ConnectionError]));

impl BuildBreaker for Kong {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        let fail_timeout = self.fail_timeout.span();
        if fail_timeout == Span::ZERO {
            return Err(Refusal::new("fail_timeout is 0s, and must be longer").at("fail_timeout"));
        }
        Ok(Guard::Each(Box::new(Running {
            max_fails: if self.max_fails == 0 {
                u64::MAX
            } else {
                u64::from(self.max_fails)
            },
            fail_timeout,
            failures: self.failures.as_ref().map_or(CRITERIA, OutcomeList::set),
            fails: 0,
            last: Time::ZERO,
            openings: Openings::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    max_fails: u64,
    fail_timeout: Span,
    failures: Outcomes,
    fails: u64,
    /// The time at which a call last failed.
    last: Time,
    openings: Openings,
}

impl Running {
    fn open(&mut self, now: Time) {
        let until = now + self.fail_timeout;
        if self.openings.is_open(now) {
            self.openings.until_then(until);
        } else {
            self.openings.open(now, until);
        }
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        !self.openings.is_open(now)
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        if self.fails >= self.max_fails && !self.openings.is_open(now) {
            self.open(now);
        }
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        let now = ended.now;
        match Seen::of(ended.outcome, self.failures) {
            Seen::Nothing => {}
            Seen::Failure => {
                self.fails = self.fails.saturating_add(1);
                self.last = now;
                if self.fails >= self.max_fails {
                    self.open(now);
                }
            }
            Seen::Success => {
                if now.since(self.last) >= self.fail_timeout {
                    self.fails = 0;
                    if self.openings.is_open(now) {
                        self.openings.until_then(now);
                    }
                }
            }
        }
    }

    over_openings!(openings);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;

    fn watch(fields: &str) -> Watch {
        Watch::new(&format!(r#"{{"kong": {{{fields}}}}}"#), 1)
    }

    #[test]
    fn failures_add_up_however_many_successes_lie_between() {
        assert_eq!(
            watch(r#""max_fails": 3"#).run(0, 0, 1_000, "tssstssst."),
            "o".repeat(9) + "x"
        );
        // A success ten seconds after the last failure clears them.
        assert_eq!(watch(r#""max_fails": 3"#).run(0, 0, 5_000, "tt.stt."), "ooooooo");
        // A 5xx is no reason unless it is one of the criteria.
        assert_eq!(watch(r#""max_fails": 1"#).run(0, 0, 1_000, "FrBC."), "oooox");
        assert_eq!(
            watch(r#""max_fails": 1, "failures": ["5xx"]"#).run(0, 0, 1_000, "CF."),
            "oox"
        );
        assert_eq!(watch("").run(0, 0, 1_000, "tttttttt."), "ooooooooo");
    }

    #[test]
    fn one_call_each_fail_timeout_finds_out() {
        let mut it = watch(r#""max_fails": 2"#);
        it.run(0, 0, 1_000, "tt");
        assert_eq!((it.permits(0, at(10_999)), it.permits(0, at(11_000))), (false, true));
        let trial = it.sent(0, at(12_000));
        assert_eq!((it.permits(0, at(12_000)), it.permits(0, at(21_999))), (false, false));
        it.record(trial, &Ended::new(at(13_000), 0, Outcome::Success));
        assert!(it.permits(0, at(13_000)));
        // The count is gone: it takes two again.
        assert_eq!(it.run(0, 14_000, 1_000, "tt."), "oox");
        // A trial that never comes back leaves room for the next.
        it.sent(0, at(25_000));
        assert_eq!((it.permits(0, at(34_999)), it.permits(0, at(35_000))), (false, true));
    }
}
