//! A quota per clock-aligned window: a counter that is reset at each full minute.
//!
//! Azure OpenAI, Groq, Envoy AI Gateway and LiteLLM's own counters work like this. Two bursts either side of the
//! boundary can together pass twice the limit in a moment; a request refused near the end of a window waits only until
//! the boundary. A refused request is not charged. A correction goes to the window that was charged, and is dropped
//! once that window is over; what is charged at the end goes to the window in which the end falls. A window begins when counting
//! does, and the others at multiples of their length before and after that; or, with `"begins": "first_use"`, each begins with the first
//! request that finds no window open, as LiteLLM's limits of keys and Bifrost's limits do.
//!
//! ```json
//! { "fixed_window": { "unit": "tokens", "limit": "300k", "window": "1m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::charge::Charge;
use super::ledger::{Counted, Ledger, minutely};
use super::{BuildOne, Limit, Unit};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration};
use crate::kernel::time::{Span, Time};
use crate::words::Left;

/// A counter that is reset at each multiple of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedWindow {
    /// The unit that it counts.
    pub unit: Unit,
    /// How much fits into one window.
    pub limit: Count,
    /// The window's length; windows start at multiples of it in the plan's time, unless `begins` says otherwise.
    pub window: Duration,
    /// When windows begin. Default: `clock`.
    #[serde(default, skip_serializing_if = "Begins::is_default")]
    pub begins: Begins,
    /// What an attempt costs. Default: its input and `max_tokens`, without correction.
    #[serde(default, skip_serializing_if = "Charge::is_default")]
    pub charge: Charge,
}

/// When the windows of a counter begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Begins {
    /// Windows begin at multiples of their length in the plan's time.
    #[default]
    Clock,
    /// A window begins with the first request that finds the one before it over.
    FirstUse,
}

impl Begins {
    fn is_default(&self) -> bool {
        *self == Begins::Clock
    }
}

impl BuildOne for FixedWindow {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limit>> {
        let window = length(self.window)?;
        Ok(Box::new(Counted {
            counting: self.charge.counting(self.unit, self.limit.get())?,
            ledger: match self.begins {
                Begins::Clock => Counter::new(self.limit.get(), window, names.origin),
                Begins::FirstUse => Counter::unopened(self.limit.get(), window),
            },
            per_minute: minutely(self.limit.get(), window),
            window: (self.limit.get(), Span::from_nanos(window)),
            used: 0,
        }))
    }
}

/// The length of a window in nanoseconds; a length of zero is refused.
pub(super) fn length(window: Duration) -> Built<u64> {
    match window.span() {
        Span::ZERO => Err(Refusal::new("a window must be longer than nothing").at("window")),
        span => Ok(span.nanos()),
    }
}

/// The counter of the current window.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    limit: u64,
    window: u64,
    used: u64,
    /// When the window ends.
    ends: Time,
    /// Whether the next window begins with its first charge; none is open once `ends` is past.
    by_use: bool,
}

/// When the first of the windows ends of which one begins at `origin`.
pub(super) fn first_end(window: u64, origin: Time) -> Time {
    Time::from_nanos(match origin.nanos() % window {
        0 => window,
        part => part,
    })
}

/// When the window ends that `now` is in, `ends` being the end of an earlier one.
pub(super) fn end_after(window: u64, ends: Time, now: Time) -> Time {
    let further = now.since(ends).nanos() / window;
    ends + Span::from_nanos(window).times(further.saturating_add(1))
}

impl Counter {
    /// A counter with nothing used of `limit` in each `window` nanoseconds, which are at least one; a window begins at `origin`.
    pub(super) fn new(limit: u64, window: u64, origin: Time) -> Counter {
        Counter {
            limit,
            window,
            used: 0,
            ends: first_end(window, origin),
            by_use: false,
        }
    }

    /// A counter whose windows of `window` nanoseconds each begin with their first charge.
    fn unopened(limit: u64, window: u64) -> Counter {
        Counter {
            limit,
            window,
            used: 0,
            ends: Time::ZERO,
            by_use: true,
        }
    }

    #[inline]
    fn turn(&mut self, now: Time) {
        if now >= self.ends {
            self.used = 0;
            if !self.by_use {
                self.ends = end_after(self.window, self.ends, now);
            }
        }
    }
}

impl Ledger for Counter {
    #[inline]
    fn ready_at(&mut self, now: Time, need: u64) -> Time {
        self.turn(now);
        if need > self.limit {
            Time::NEVER
        } else if self.used.saturating_add(need) <= self.limit {
            now
        } else {
            self.ends
        }
    }

    #[inline]
    fn charge(&mut self, now: Time, amount: u64) {
        self.turn(now);
        if self.by_use && now >= self.ends {
            self.ends = now + Span::from_nanos(self.window);
        }
        self.used = self.used.saturating_add(amount);
    }

    fn correct(&mut self, now: Time, since: Time, was: u64, is: u64) {
        self.turn(now);
        if self.ends.since(since).nanos() <= self.window {
            self.used = self.used.saturating_sub(was).saturating_add(is);
        }
    }

    fn left(&mut self, now: Time) -> Left {
        self.turn(now);
        Left {
            limit: self.limit,
            remaining: self.limit.saturating_sub(self.used),
            reset: if self.used == 0 {
                Span::ZERO
            } else {
                self.ends.since(now)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::limits::Spent;
    use crate::words::{Ask, Usage};

    fn limit(text: &str) -> Box<dyn Limit> {
        serde_json::from_str::<FixedWindow>(text)
            .unwrap()
            .build(&Names::default())
            .unwrap()
    }

    const TWO: &str = r#"{"unit": "requests", "limit": 2, "window": "1m"}"#;

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    /// Two before the boundary and two after it: four within two seconds, as the real thing allows.
    #[test]
    fn both_sides_of_a_boundary_are_open() {
        let (mut limit, ask) = (limit(TWO), Ask::default());
        let mut passed = Vec::new();
        for t in [58, 59, 59, 60, 61, 61] {
            let now = at(t);
            if limit.ready_at(now, &ask) == now {
                limit.charge(now, &ask);
                passed.push(t);
            }
        }
        assert_eq!(passed, [58, 59, 60, 61]);
        assert_eq!(limit.ready_at(at(61), &ask), at(120));
    }

    #[test]
    fn what_never_fits_never_becomes_ready() {
        let mut limit = limit(r#"{"unit": "input_tokens", "limit": 2, "window": "1m"}"#);
        let ask = Ask {
            input: 3,
            ..Ask::default()
        };
        assert_eq!(limit.ready_at(Time::ZERO, &ask), Time::NEVER);
    }

    /// The first opens a window of a minute, and the next window opens with the next request after it.
    #[test]
    fn a_window_may_begin_with_its_first_use() {
        let json = r#"{"unit": "requests", "limit": 2, "window": "1m", "begins": "first_use"}"#;
        let (mut limit, ask) = (limit(json), Ask::default());
        let mut passed = Vec::new();
        for t in [58, 59, 60, 117, 118, 130, 140, 180, 189, 190] {
            let now = at(t);
            if limit.ready_at(now, &ask) == now {
                limit.charge(now, &ask);
                passed.push(t);
            }
        }
        assert_eq!(passed, [58, 59, 118, 130, 180, 189]);
        assert_eq!(limit.left(at(300)).unwrap().reset, Span::ZERO);
    }

    #[test]
    fn a_quota_by_the_day_is_none_by_the_minute() {
        assert_eq!(
            limit(r#"{"unit": "requests", "limit": 10, "window": "10s"}"#).per_minute(),
            Some(60)
        );
        assert_eq!(
            limit(r#"{"unit": "requests", "limit": 1000, "window": "1d"}"#).per_minute(),
            None
        );
    }

    /// A hundred a minute, 80 reserved and 30 used. Corrected within the window the 50 come back; in the next window
    /// they do not count.
    #[test]
    fn a_correction_stays_in_its_window() {
        let mut limit = limit(r#"{"unit": "tokens", "limit": 100, "window": "1m", "charge": {"reconcile": true}}"#);
        let ask = Ask {
            input: 20,
            output: 10,
            max_output: Some(60),
            ..Ask::default()
        };
        let usage = Usage {
            input: 20,
            output: 10,
            cached: 0,
            written: 0,
        };
        let mut remaining = Vec::new();
        for (charged, settled) in [(0, 59), (50, 61), (61, 62)] {
            limit.charge(at(charged), &ask);
            remaining.push(limit.left(at(charged)).unwrap().remaining);
            let since = at(charged);
            limit.settle(at(settled), &Spent { ask, since, usage });
            remaining.push(limit.left(at(settled)).unwrap().remaining);
        }
        assert_eq!(remaining, [20, 70, 0, 100, 20, 70]);
    }

    /// Envoy AI Gateway and LiteLLM's TPM: admitted while less than the limit is used, charged afterwards; the window over,
    /// all is forgotten.
    #[test]
    fn charged_at_the_end_it_overshoots_and_then_blocks_until_the_boundary() {
        let mut limit = limit(r#"{"unit": "tokens", "limit": 100, "window": "1m", "charge": {"at": "end"}}"#);
        let ask = Ask {
            input: 90,
            output: 10,
            ..Ask::default()
        };
        let usage = |output| Usage {
            input: 90,
            output,
            cached: 0,
            written: 0,
        };
        let since = at(1);
        limit.settle(
            at(10),
            &Spent {
                ask,
                since,
                usage: usage(9),
            },
        );
        assert_eq!(limit.ready_at(at(10), &ask), at(10), "99 of 100 are used");
        limit.settle(
            at(11),
            &Spent {
                ask,
                since,
                usage: usage(9),
            },
        );
        assert_eq!(limit.ready_at(at(11), &ask), at(60), "198 of 100 are used");
        assert_eq!(limit.ready_at(at(60), &ask), at(60));
    }
}
