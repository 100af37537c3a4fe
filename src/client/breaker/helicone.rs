//! Helicone ai-gateway's health monitor: a provider is out while too many of this minute's calls fail, and after a 429.
//!
//! Each `interval` the monitor looks at the calls that ended since the current `window` of the clock began: with more than `ratio` of
//! at least `minimum` calls failed the provider is out until a look finds otherwise, at the latest the first in the next
//! window, which begins with nothing counted. There is no half-open.
//!
//! A 429 takes the provider out at once for its Retry-After, or `retry_after` without one, and `grace` on top. More of
//! them while it is out change nothing. The monitor does not count a 429 as an error, but as a call.
//!
//! Source: Helicone/ai-gateway `ai-gateway/src/config/monitor.rs`: its ten buckets make one lap of the window, of which only the current
//! one counts. Errors are 5xx and answers broken off; connections refused and timeouts are taken for these.
//!
//! ```json
//! { "helicone": { "ratio": "10%", "minimum": 20 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes};

/// A health monitor with laps, and a time out after a 429.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Helicone {
    /// The share of failures above which a provider is out. Default: 10%.
    pub ratio: Fraction,
    /// The calls from which on the share counts. Default: 20.
    pub minimum: u32,
    /// The windows of the clock in which calls are counted, a multiple of `interval`. Default: 60s.
    pub window: Duration,
    /// The time between two looks at the counts, above 0. Default: 5s.
    pub interval: Duration,
    /// The Retry-After assumed for a 429 without one. Default: 30s.
    pub retry_after: Duration,
    /// The time that is added to a Retry-After. Default: 30s.
    pub grace: Duration,
    /// The outcomes of a call that are failures. Default: 5xx, timeouts, no connection, an answer broken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for Helicone {
    fn default() -> Self {
        let secs = |n| Duration::from(Span::from_secs(n));
        Helicone {
            ratio: Fraction::new(0.1).unwrap_or_default(),
            minimum: 20,
            window: secs(60),
            interval: secs(5),
            retry_after: secs(30),
            grace: secs(30),
            failures: None,
        }
    }
}

impl BuildBreaker for Helicone {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        let (window, interval) = (self.window.span(), self.interval.span());
        if interval == Span::ZERO {
            return Err(Refusal::new("interval is 0s, and must be longer").at("interval"));
        }
        if window < interval || window.nanos() % interval.nanos() != 0 {
            let text = format!("a window of {window} is not a multiple of interval, which is {interval}");
            return Err(Refusal::new(text).at("window"));
        }
        Ok(Guard::Each(Box::new(Running {
            ratio: self.ratio.get(),
            minimum: u64::from(self.minimum),
            window,
            interval,
            retry_after: self.retry_after.span(),
            grace: self.grace.span(),
            failures: OutcomeList::set_or(self.failures.as_ref(), Outcomes::PROVIDER_FAILURES, "failures")?,
            lap: 0,
            calls: 0,
            errors: 0,
            next_look: Time::ZERO + interval,
            health: Health::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    ratio: f64,
    minimum: u64,
    window: Span,
    interval: Span,
    retry_after: Span,
    grace: Span,
    failures: Outcomes,
    /// The number of the window to which the counts belong.
    lap: u64,
    calls: u64,
    errors: u64,
    /// The time of the first look that the counts have not been through.
    next_look: Time,
    health: Health,
}

/// The reasons that keep the provider out.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    /// The ends of both reasons: errors (`sick_until`) and a 429 (`limited_until`).
    sick_until: Time,
    limited_until: Time,
    openings: Openings,
}

impl Health {
    /// Called when one of the two reasons has changed at `now`.
    fn changed(&mut self, now: Time) {
        let until = self.sick_until.max(self.limited_until).max(now);
        if self.openings.is_open(now) {
            self.openings.until_then(until);
        } else if until > now {
            self.openings.open(now, until);
        }
    }
}

impl Running {
    /// The health after the looks up to `now`. Counts only change when a call ends, so the first look says it all,
    /// until the window ends.
    #[inline]
    fn looked(&self, now: Time) -> Health {
        let mut health = self.health;
        let (look, lap_ends) = (
            self.next_look,
            Time::from_nanos((self.lap + 1).saturating_mul(self.window.nanos())),
        );
        if look <= now {
            let sick =
                look < lap_ends && self.calls >= self.minimum && self.errors as f64 > self.ratio * self.calls as f64;
            let sick_until = if sick { lap_ends } else { Time::ZERO };
            if sick || health.sick_until > look {
                health.sick_until = sick_until;
                health.changed(look);
            }
        }
        health
    }

    /// Brings the counts up to `now`, a new lap included.
    fn settle(&mut self, now: Time) {
        if now < self.next_look {
            return;
        }
        self.health = self.looked(now);
        let after = |span: Span| now.nanos() / span.nanos();
        self.next_look = Time::from_nanos((after(self.interval) + 1).saturating_mul(self.interval.nanos()));
        if after(self.window) != self.lap {
            (self.lap, self.calls, self.errors) = (after(self.window), 0, 0);
        }
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        !self.looked(now).openings.is_open(now)
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        self.settle(now);
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        let now = ended.now;
        self.settle(now);
        let seen = Seen::of(ended.outcome, self.failures);
        if seen == Seen::Nothing {
            return;
        }
        self.calls += 1;
        self.errors += u64::from(seen == Seen::Failure);
        if ended.outcome == Outcome::RateLimited && now >= self.health.limited_until {
            self.health.limited_until = now + ended.retry_after.unwrap_or(self.retry_after) + self.grace;
            self.health.changed(now);
        }
    }

    over_openings!(health.openings);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;

    fn watch() -> Watch {
        Watch::new(r#""helicone""#, 1)
    }

    #[test]
    fn a_look_takes_it_out_until_the_minute_is_over() {
        let mut it = watch();
        // Three of twenty, by 2 s. The look at 5 s finds it.
        it.run(0, 0, 100, &("FFF".to_string() + &"s".repeat(17)));
        let seen = [4_999, 5_000, 59_999, 60_000].map(|t| it.permits(0, at(t)));
        assert_eq!(seen, [true, false, false, true]);
        // A call makes it known, in the figures too.
        it.run(0, 61_000, 100, "s");
        assert_eq!((it.trips(0), it.time_open(0, at(99_000))), (1, Span::from_secs(55)));
    }

    #[test]
    fn the_share_must_be_above_the_ratio_of_enough_calls() {
        for (calls, permitted) in [
            ("FF".to_string() + &"s".repeat(18), true),
            ("FFF".to_string() + &"s".repeat(17), false),
            ("F".repeat(19), true),
            ("F".repeat(20), false),
            ("r".to_string() + &"s".repeat(19), false),
        ] {
            let mut it = watch();
            it.run(0, 0, 10, &calls);
            assert_eq!(it.permits(0, at(5_000)), permitted, "{calls}");
        }
    }

    #[test]
    fn a_later_look_may_find_it_well_again() {
        let mut it = watch();
        let slow = [0; 20].map(|_| it.sent(0, at(0)));
        it.run(0, 0, 10, &("FFF".to_string() + &"s".repeat(17)));
        // Calls that were under way end well at 7 s: 3 of 40 at the look at 10 s.
        for ticket in slow {
            it.record(ticket, &Ended::new(at(7_000), 0, Outcome::Success));
        }
        assert_eq!((it.permits(0, at(9_999)), it.permits(0, at(10_000))), (false, true));
    }

    #[test]
    fn a_429_takes_it_out_for_its_time_and_thirty_seconds() {
        for (retry_after, back) in [(None, 60_000), (Some(Span::from_secs(7)), 37_000)] {
            let mut it = watch();
            let limited = |now| Ended {
                retry_after,
                ..Ended::new(at(now), 0, Outcome::RateLimited)
            };
            it.record(Ticket::default(), &limited(0));
            // Another one while it is out changes nothing.
            it.record(Ticket::default(), &limited(20_000));
            assert_eq!((it.permits(0, at(back - 1)), it.permits(0, at(back))), (false, true));
            assert_eq!(it.trips(0), 1);
        }
    }
}
