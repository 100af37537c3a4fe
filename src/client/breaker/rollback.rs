//! A rollback manager (from a published article on migration in stages): too many errors of the primary, and everything
//! goes to the fallback.
//!
//! It watches one provider, `primary`: when more than `error_rate` of its last `window` calls have failed, and it has had at least
//! `minimum`, nothing goes there any more. As published it never closes again. Mended, with `close_after`: it closes after that
//! time, with nothing counted. The other providers are not watched; a policy that prefers the primary goes to them meanwhile.
//!
//! A failure is a 5xx, a 429, no connection, a timeout, or an answer broken off.
//!
//! ```json
//! { "rollback": { "primary": "new", "error_rate": "5%", "close_after": "10m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen};
use super::{BuildBreaker, FleetBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcomes};

/// Leaves the primary when it fails too often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rollback {
    /// The provider that is watched. Default: the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The share of failures above which the primary is left. Default: 5%.
    pub error_rate: Fraction,
    /// The number of the primary's last calls that count, from 1 to 100000. Default: 100.
    #[schemars(range(min = 1, max = 100_000))]
    pub window: u32,
    /// The calls from which on the share counts, at most the window. Default: the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
    /// The time after which the primary is asked again. Default: never, as published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_after: Option<Duration>,
    /// The outcomes of a call that are failures. Default: `["retryable"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for Rollback {
    fn default() -> Self {
        Rollback {
            primary: None,
            error_rate: Fraction::new(0.05).unwrap_or_default(),
            window: 100,
            minimum: None,
            close_after: None,
            failures: None,
        }
    }
}

/// The largest window, in calls.
const MOST: u32 = 100_000;

impl BuildBreaker for Rollback {
    fn build(&self, names: &Names<'_>) -> Built<Guard> {
        let primary = match &self.primary {
            Some(name) => names.provider(name).map_err(|r| r.at("primary"))?,
            None => 0,
        };
        if !(1..=MOST).contains(&self.window) {
            let text = format!("a window of {}: must be 1 to {MOST}", self.window);
            return Err(Refusal::new(text).at("window"));
        }
        let minimum = self.minimum.unwrap_or(self.window);
        if minimum > self.window {
            let text = format!("a minimum of {minimum} never fits a window of {}", self.window);
            return Err(Refusal::new(text).at("minimum"));
        }
        Ok(Guard::Fleet(Box::new(Running {
            primary,
            rate: self.error_rate.get(),
            minimum: minimum as usize,
            open_for: self.close_after.map_or(Span::FOREVER, |d| d.span()),
            failures: OutcomeList::set_or(self.failures.as_ref(), Outcomes::TRANSIENT, "failures")?,
            ring: vec![false; self.window as usize],
            calls: 0,
            errors: 0,
            next: 0,
            openings: Openings::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    primary: usize,
    rate: f64,
    minimum: usize,
    open_for: Span,
    failures: Outcomes,
    /// Whether each of the last calls failed; the oldest is at `next` once the ring is full.
    ring: Vec<bool>,
    calls: usize,
    errors: usize,
    next: usize,
    openings: Openings,
}

impl FleetBreaker for Running {
    #[inline]
    fn permits(&self, provider: usize, now: Time) -> bool {
        provider != self.primary || !self.openings.is_open(now)
    }

    #[inline]
    fn sent(&mut self, _provider: usize, _now: Time) -> Ticket {
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        let seen = Seen::of(ended.outcome, self.failures);
        if ended.provider != self.primary || seen == Seen::Nothing || self.openings.is_open(ended.now) {
            return;
        }
        let failed = seen == Seen::Failure;
        if self.calls == self.ring.len() {
            self.errors -= usize::from(self.ring[self.next]);
        } else {
            self.calls += 1;
        }
        self.errors += usize::from(failed);
        self.ring[self.next] = failed;
        self.next = (self.next + 1) % self.ring.len();
        if self.calls >= self.minimum && self.errors as f64 > self.rate * self.calls as f64 {
            self.openings.open(ended.now, ended.now + self.open_for);
            (self.calls, self.errors, self.next) = (0, 0, 0);
        }
    }

    fn time_open(&self, provider: usize, now: Time) -> Span {
        if provider == self.primary {
            self.openings.time(now)
        } else {
            Span::ZERO
        }
    }

    fn trips(&self, provider: usize) -> u64 {
        if provider == self.primary {
            self.openings.count()
        } else {
            0
        }
    }

    fn fresh(&self, _own: Key) -> Box<dyn FleetBreaker> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;

    #[test]
    fn above_five_of_the_last_hundred_it_is_left_for_good() {
        let mut it = Watch::new(r#"{"rollback": {"primary": "p1"}}"#, 2);
        // Five of a hundred are allowed; the sixth within the last hundred is not.
        let calls = "FFFFF".to_string() + &"s".repeat(95) + "sssssFFFFFF.";
        let seen = it.run(1, 0, 10, &calls);
        assert_eq!(seen.find('x'), Some(calls.len() - 1));
        assert_eq!(it.open_to_calls(2, at(u64::MAX / 2_000_000)), "ox");
        assert_eq!((it.trips(1), it.trips(0)), (1, 0));
        // The fallback may fail as it likes.
        assert_eq!(it.run(0, 10_000, 10, &"F".repeat(200)), "o".repeat(200));
    }

    #[test]
    fn the_window_forgets_what_is_older() {
        let mut it = Watch::new(r#"{"rollback": {"window": 4, "error_rate": "50%"}}"#, 2);
        // 2 of 4, 2 of 4, 2 of 4 (the first is gone), 3 of 4.
        assert_eq!(it.run(0, 0, 10, "FFssFFF."), "ooooooox");
    }

    #[test]
    fn mended_it_closes_after_a_while_with_nothing_counted() {
        let json = r#"{"rollback": {"window": 10, "minimum": 2, "error_rate": "50%", "close_after": "10s"}}"#;
        let mut it = Watch::new(json, 2);
        assert_eq!(it.run(0, 0, 0, "FF."), "oox");
        assert_eq!((it.permits(0, at(9_999)), it.permits(0, at(10_000))), (false, true));
        assert_eq!(it.run(0, 10_000, 0, "FsF."), "ooox");
        assert_eq!((it.trips(0), it.time_open(0, at(15_000))), (2, Span::from_secs(15)));
    }
}
