//! A sliding window log: a quota over exactly the last minute, in which every charge is remembered until it is a window
//! old.
//!
//! As in the textbooks (and Redis sorted sets in many gateways), no window of that length, wherever it starts, holds
//! more than the limit. A charge at t counts from t up to, but not at, t + window. A refused request is not logged. A
//! correction changes the entry that was made at the start, if it is still in the log. Charges at the same instant
//! share an entry; the log's memory grows to its peak and is then reused.
//!
//! ```json
//! { "sliding_log": { "unit": "requests", "limit": 1000, "window": "1m" } }
//! ```

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::charge::Charge;
use super::fixed_window::length;
use super::ledger::{Counted, Ledger, minutely};
use super::{BuildOne, Limit, Unit};
use crate::form::build::{Built, Names};
use crate::form::units::{Count, Duration};
use crate::kernel::time::{Span, Time};
use crate::words::Left;

/// A log of what was charged within the last window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlidingLog {
    /// The unit that it counts.
    pub unit: Unit,
    /// How much fits into any window of that length.
    pub limit: Count,
    /// The window's length.
    pub window: Duration,
    /// What an attempt costs. Default: its input and `max_tokens`, without correction.
    #[serde(default, skip_serializing_if = "Charge::is_default")]
    pub charge: Charge,
}

impl BuildOne for SlidingLog {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limit>> {
        let window = length(self.window)?;
        let limit = self.limit.get();
        Ok(Box::new(Counted {
            counting: self.charge.counting(self.unit, limit)?,
            ledger: Log {
                limit,
                window: Span::from_nanos(window),
                used: 0,
                entries: VecDeque::new(),
            },
            per_minute: minutely(limit, window),
            window: (limit, Span::from_nanos(window)),
            used: 0,
        }))
    }
}

#[derive(Clone, Debug)]
struct Log {
    limit: u64,
    window: Span,
    /// The sum of the entries.
    used: u64,
    /// The time and amount of each charge, in order.
    entries: VecDeque<(Time, u64)>,
}

impl Log {
    #[inline]
    fn forget(&mut self, now: Time) {
        while let Some(&(at, amount)) = self.entries.front()
            && at + self.window <= now
        {
            self.used -= amount;
            self.entries.pop_front();
        }
    }
}

impl Ledger for Log {
    #[inline]
    fn ready_at(&mut self, now: Time, need: u64) -> Time {
        self.forget(now);
        if need > self.limit {
            return Time::NEVER;
        }
        let most = self.limit - need;
        if self.used <= most {
            return now;
        }
        let mut still = self.used;
        for &(at, amount) in &self.entries {
            still -= amount;
            if still <= most {
                return at + self.window;
            }
        }
        now
    }

    #[inline]
    fn charge(&mut self, now: Time, amount: u64) {
        self.forget(now);
        // The sum must not overflow, whatever is charged beyond the limit.
        let amount = amount.min(u64::MAX - self.used);
        self.used += amount;
        match self.entries.back_mut() {
            _ if amount == 0 => {}
            Some((at, of)) if *at == now => *of += amount,
            _ => self.entries.push_back((now, amount)),
        }
    }

    fn correct(&mut self, now: Time, since: Time, was: u64, is: u64) {
        self.forget(now);
        match self.entries.binary_search_by_key(&since, |&(at, _)| at) {
            Ok(i) => {
                let of = &mut self.entries[i].1;
                self.used -= *of;
                *of = of.saturating_sub(was).saturating_add(is).min(u64::MAX - self.used);
                self.used += *of;
            }
            // Nothing was reserved, so nothing was logged.
            Err(i) if since + self.window > now && is > 0 => {
                let amount = is.min(u64::MAX - self.used);
                self.used += amount;
                self.entries.insert(i, (since, amount));
            }
            Err(_) => {}
        }
    }

    fn left(&mut self, now: Time) -> Left {
        self.forget(now);
        let whole = self.entries.back().map_or(now, |&(at, _)| at + self.window);
        Left {
            limit: self.limit,
            remaining: self.limit.saturating_sub(self.used),
            reset: whole.since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::limits::Spent;
    use crate::words::{Ask, Usage};

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    fn limit(text: &str) -> Box<dyn Limit> {
        serde_json::from_str::<SlidingLog>(text)
            .unwrap()
            .build(&Names::default())
            .unwrap()
    }

    /// Three in any ten seconds: which requests pass, and when a refused one may come back.
    #[test]
    fn each_charge_is_forgotten_a_window_later() {
        let mut limit = limit(r#"{"unit": "requests", "limit": 3, "window": "10s"}"#);
        let ask = Ask::default();
        let rows = [
            (0, 0),
            (4, 4),
            (9, 9),
            (9, 10),
            (10, 10),
            (10, 14),
            (13, 14),
            (14, 14),
            (14, 19),
            (40, 40),
        ];
        for (now, ready) in rows {
            assert_eq!(limit.ready_at(at(now), &ask), at(ready), "at {now}");
            if ready == now {
                limit.charge(at(now), &ask);
            }
        }
        assert_eq!(limit.left(at(40)).unwrap().remaining, 2);
        assert_eq!(limit.left(at(43)).unwrap().reset, Span::from_secs(7));
    }

    /// A large request waits until enough of the small ones are forgotten.
    #[test]
    fn several_entries_may_have_to_go() {
        let mut limit = limit(r#"{"unit": "input_tokens", "limit": 100, "window": "10s"}"#);
        let ask = |input| Ask {
            input,
            ..Ask::default()
        };
        for (now, input) in [(0, 30), (1, 30), (2, 30)] {
            limit.charge(at(now), &ask(input));
        }
        let ready = [10, 40, 41, 71, 101].map(|input| limit.ready_at(at(3), &ask(input)));
        assert_eq!(ready, [at(3), at(10), at(11), at(12), Time::NEVER]);
    }

    /// Nothing is reserved for the output, and nothing logged: the correction logs it as of the start.
    #[test]
    fn a_correction_of_nothing_is_logged_as_of_the_start() {
        let charge = r#"{"reserve": "input", "reconcile": true}"#;
        let text = format!(r#"{{"unit": "output_tokens", "limit": 100, "window": "10s", "charge": {charge}}}"#);
        let mut limit = limit(&text);
        let ask = Ask::default();
        let spent = |since| Spent {
            ask,
            since: at(since),
            usage: Usage {
                output: 30,
                ..Usage::default()
            },
        };
        for started in [0, 2, 1] {
            limit.charge(at(started.max(2)), &ask);
            limit.settle(at(3), &spent(started));
        }
        let remaining = [3, 10, 11, 12].map(|now| limit.left(at(now)).unwrap().remaining);
        assert_eq!(remaining, [10, 40, 70, 100]);
        limit.settle(at(12), &spent(2));
        assert_eq!(limit.left(at(12)).unwrap().remaining, 100, "it began a window ago");
    }

    #[test]
    fn a_correction_changes_the_entry_of_the_start() {
        let mut limit =
            limit(r#"{"unit": "input_tokens", "limit": 100, "window": "10s", "charge": {"reconcile": true}}"#);
        let ask = Ask {
            input: 80,
            ..Ask::default()
        };
        let spent = |since, input| Spent {
            ask,
            since: at(since),
            usage: Usage {
                input,
                ..Usage::default()
            },
        };
        limit.charge(at(0), &ask);
        limit.charge(at(5), &ask);
        limit.settle(at(6), &spent(5, 10));
        assert_eq!(limit.left(at(6)).unwrap().remaining, 10);
        limit.settle(at(11), &spent(0, 10));
        assert_eq!(
            limit.left(at(11)).unwrap().remaining,
            90,
            "the first is forgotten already"
        );
    }
}
