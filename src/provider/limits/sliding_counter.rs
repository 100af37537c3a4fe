//! A sliding window counter: an estimate of the last minute from two counters, the current minute's, and the previous
//! one's in proportion to how much of it is still within a minute.
//!
//! This is what `@upstash/ratelimit`'s `slidingWindow` does (its Lua script): it passes a request while
//! ⌊previous × (1 − share of the current window that has passed)⌋ + current + need ≤ limit. Kong's `rate-limiting-advanced`
//! and Cloudflare estimate in the same way. It takes the last window's charges as evenly spread, so that after a burst it
//! refuses too little at first and too much later. Counted without floats here. A refused request is not charged; a
//! correction goes to the window that was charged, while that is one of the two.
//!
//! ```json
//! { "sliding_counter": { "unit": "requests", "limit": 1000, "window": "1m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::charge::Charge;
use super::fixed_window::{end_after, first_end, length};
use super::ledger::{Counted, Ledger, minutely};
use super::{BuildOne, Limit, Unit};
use crate::form::build::{Built, Names};
use crate::form::units::{Count, Duration};
use crate::kernel::time::{Span, Time};
use crate::words::Left;

/// Two counters, the older of which fades.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlidingCounter {
    /// The unit that it counts.
    pub unit: Unit,
    /// How much fits into a window, by the estimate.
    pub limit: Count,
    /// The window's length; windows start at multiples of it.
    pub window: Duration,
    /// What an attempt costs. Default: its input and `max_tokens`, without correction.
    #[serde(default, skip_serializing_if = "Charge::is_default")]
    pub charge: Charge,
}

impl BuildOne for SlidingCounter {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limit>> {
        let window = length(self.window)?;
        let limit = self.limit.get();
        Ok(Box::new(Counted {
            counting: self.charge.counting(self.unit, limit)?,
            ledger: Counters {
                limit,
                window,
                previous: 0,
                current: 0,
                ends: first_end(window, names.origin),
            },
            per_minute: minutely(limit, window),
            window: (limit, Span::from_nanos(window)),
            used: 0,
        }))
    }
}

#[derive(Clone, Debug)]
struct Counters {
    limit: u64,
    window: u64,
    previous: u64,
    current: u64,
    /// When the current window ends.
    ends: Time,
}

impl Counters {
    #[inline]
    fn turn(&mut self, now: Time) {
        if now >= self.ends {
            let is_next = now.since(self.ends).nanos() < self.window;
            self.previous = if is_next { self.current } else { 0 };
            self.current = 0;
            self.ends = end_after(self.window, self.ends, now);
        }
    }

    /// When the current window started; the replication's start if that is later, when there is nothing of a window before.
    fn started(&self) -> Time {
        Time::from_nanos(self.ends.nanos().saturating_sub(self.window))
    }

    /// The weighted remainder of the previous window at `now`.
    fn fading(&self, now: Time) -> u64 {
        let remains = self.ends.since(now).nanos().min(self.window);
        (u128::from(self.previous) * u128::from(remains) / u128::from(self.window)) as u64
    }

    /// How far into a window the weighted remainder of `previous` has faded to `room` or less.
    fn fades_in(&self, previous: u64, room: u64) -> Span {
        if previous <= room {
            return Span::ZERO;
        }
        let beyond = u128::from(previous - room - 1) * u128::from(self.window);
        let nanos = beyond / u128::from(previous) + 1;
        Span::from_nanos(nanos.min(u128::from(self.window)) as u64)
    }
}

impl Ledger for Counters {
    fn ready_at(&mut self, now: Time, need: u64) -> Time {
        self.turn(now);
        if need > self.limit {
            return Time::NEVER;
        }
        let most = self.limit - need;
        if self.current <= most {
            return now.max(self.started() + self.fades_in(self.previous, most - self.current));
        }
        self.ends + self.fades_in(self.current, most)
    }

    #[inline]
    fn charge(&mut self, now: Time, amount: u64) {
        self.turn(now);
        self.current = self.current.saturating_add(amount);
    }

    fn correct(&mut self, now: Time, since: Time, was: u64, is: u64) {
        self.turn(now);
        let of = if self.ends.since(since).nanos() <= self.window {
            &mut self.current
        } else if self.started().since(since).nanos() <= self.window {
            &mut self.previous
        } else {
            return;
        };
        *of = of.saturating_sub(was).saturating_add(is);
    }

    fn left(&mut self, now: Time) -> Left {
        self.turn(now);
        let windows = match (self.current, self.previous) {
            (0, 0) => 0,
            (0, _) => 1,
            _ => 2,
        };
        let whole = self.started() + Span::from_nanos(self.window).times(windows);
        Left {
            limit: self.limit,
            remaining: self.limit.saturating_sub(self.current.saturating_add(self.fading(now))),
            reset: whole.since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Ask;

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    /// Four in ten seconds. All four at 9 s; at 10 s they count as 4, at 12 s as ⌊3.2⌋, from just after 12.5 s as 2 (⌊2.99…⌋).
    #[test]
    fn the_last_window_fades() {
        let spec: SlidingCounter =
            serde_json::from_str(r#"{"unit": "requests", "limit": 4, "window": "10s"}"#).unwrap();
        let (mut limit, ask) = (spec.build(&Names::default()).unwrap(), Ask::default());
        for _ in 0..4 {
            assert_eq!(limit.ready_at(at(9), &ask), at(9));
            limit.charge(at(9), &ask);
        }
        let just_after = |ms: u64| Time::from_nanos(ms * 1_000_000 + 1);
        assert_eq!(limit.ready_at(at(9), &ask), just_after(10_000));
        assert_eq!(limit.ready_at(at(10), &ask), just_after(10_000));
        assert_eq!(limit.ready_at(at(12), &ask), at(12));
        assert_eq!(limit.left(at(12)).unwrap().remaining, 1);
        limit.charge(at(12), &ask);
        assert_eq!(limit.ready_at(at(12), &ask), just_after(12_500));
        limit.charge(at(13), &ask);
        assert_eq!(limit.left(at(13)).unwrap().remaining, 0);
        assert_eq!(limit.ready_at(at(14), &ask), just_after(15_000));
        assert_eq!(
            limit.ready_at(at(31), &ask),
            at(31),
            "two windows later all is forgotten"
        );
        assert_eq!(limit.left(at(31)).unwrap().remaining, 4);
    }
}
