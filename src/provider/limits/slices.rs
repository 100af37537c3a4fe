//! A quota by the minute that is enforced in each short slice of it, so that an even minute passes and a burst does
//! not.
//!
//! Azure OpenAI checks its requests per minute over 1 or 10 seconds; OpenAI says that 60,000 requests a minute may be enforced
//! as 1,000 a second. Each slice lets limit × slice ÷ window through, rounded up to a whole one, and the window no more than
//! the limit. Slices and windows are aligned to the clock. Not published, and so assumed: the rounding, and that both bounds
//! hold. A refused request is not charged.
//!
//! ```json
//! { "slices": { "unit": "requests", "limit": 600, "window": "1m", "slice": "10s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::charge::Charge;
use super::fixed_window::{Counter, length};
use super::ledger::{Counted, Ledger, minutely};
use super::{BuildOne, Limit, Unit};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration};
use crate::kernel::time::{Span, Time};
use crate::words::Left;

/// A counter for each window and one for each slice of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slices {
    /// The unit that it counts.
    pub unit: Unit,
    /// How much fits into one window.
    pub limit: Count,
    /// The window's length, a whole number of slices. Default: 1m.
    #[serde(default = "minute")]
    pub window: Duration,
    /// The slice's length: 1s or 10s at Azure.
    pub slice: Duration,
    /// What an attempt costs. Default: its input and `max_tokens`, without correction.
    #[serde(default, skip_serializing_if = "Charge::is_default")]
    pub charge: Charge,
}

fn minute() -> Duration {
    Duration::from(Span::from_secs(60))
}

impl BuildOne for Slices {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limit>> {
        let window = length(self.window)?;
        let slice = self.slice.span().nanos();
        if slice == 0 || window % slice != 0 {
            let text = format!(
                "a window of {} cannot be cut into slices of {}",
                self.window, self.slice
            );
            return Err(Refusal::new(text).at("slice"));
        }
        let limit = self.limit.get();
        let share = limit.div_ceil(window / slice);
        Ok(Box::new(Counted {
            counting: self.charge.counting(self.unit, share)?,
            ledger: Sliced {
                window: Counter::new(limit, window, names.origin),
                slice: Counter::new(share, slice, names.origin),
            },
            per_minute: minutely(limit, window),
            window: (limit, Span::from_nanos(window)),
            used: 0,
        }))
    }
}

#[derive(Clone, Debug)]
struct Sliced {
    window: Counter,
    slice: Counter,
}

impl Ledger for Sliced {
    #[inline]
    fn ready_at(&mut self, now: Time, need: u64) -> Time {
        self.slice.ready_at(now, need).max(self.window.ready_at(now, need))
    }

    #[inline]
    fn charge(&mut self, now: Time, amount: u64) {
        self.slice.charge(now, amount);
        self.window.charge(now, amount);
    }

    fn correct(&mut self, now: Time, since: Time, was: u64, is: u64) {
        self.slice.correct(now, since, was, is);
        self.window.correct(now, since, was, is);
    }

    /// The headers report on the window, not on the slice.
    fn left(&mut self, now: Time) -> Left {
        self.window.left(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Ask;

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    /// Eight a minute in slices of ten seconds: two a slice, and the eighth closes the minute.
    #[test]
    fn a_slice_is_full_before_its_minute_is() {
        let spec: Slices = serde_json::from_str(r#"{"unit": "requests", "limit": 8, "slice": "10s"}"#).unwrap();
        let (mut limit, ask) = (spec.build(&Names::default()).unwrap(), Ask::default());
        let rows = [
            (0, 0),
            (1, 1),
            (2, 10),
            (10, 10),
            (10, 10),
            (10, 20),
            (25, 25),
            (25, 25),
            (31, 31),
            (32, 32),
            (33, 60),
            (45, 60),
            (60, 60),
        ];
        for (now, ready) in rows {
            assert_eq!(limit.ready_at(at(now), &ask), at(ready), "at {now}");
            if ready == now {
                limit.charge(at(now), &ask);
            }
        }
        assert_eq!(limit.left(at(60)).unwrap().remaining, 7);
        assert_eq!(limit.per_minute(), Some(8));
    }

    /// 60,000 a minute are 1,000 a second.
    #[test]
    fn a_burst_of_more_than_a_slice_is_refused() {
        let spec: Slices = serde_json::from_str(r#"{"unit": "requests", "limit": "60k", "slice": "1s"}"#).unwrap();
        let (mut limit, ask) = (spec.build(&Names::default()).unwrap(), Ask::default());
        for _ in 0..1000 {
            assert_eq!(limit.ready_at(at(5), &ask), at(5));
            limit.charge(at(5), &ask);
        }
        assert_eq!(limit.ready_at(at(5), &ask), at(6));
    }
}
