//! The generic cell rate algorithm (GCRA): one time stamp says how far ahead of schedule the caller is.
//!
//! Each unit takes window ÷ limit, in whole nanoseconds and rounded down; a request passes if, after it, the schedule runs
//! no further ahead of the clock than a burst. As a meter it is a leaky bucket, which is how Azure describes the
//! utilisation of its provisioned deployments. Source: ITU-T I.371; the `governor` crate's `Quota::per_second(n)`, a burst of
//! n and one more every 1/n s, which Helicone's gateway uses. Unlike the token bucket's, its debt has no bound.
//!
//! ```json
//! { "gcra": { "unit": "requests", "limit": 500, "window": "1s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::charge::Charge;
use super::fixed_window::length;
use super::ledger::{Counted, Ledger, minutely};
use super::{BuildOne, Limit, Unit};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration};
use crate::kernel::time::{Span, Time};
use crate::words::Left;

/// A GCRA quota: a schedule that may run ahead by a burst.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gcra {
    /// The unit that it counts.
    pub unit: Unit,
    /// How much passes in each window in the long run.
    pub limit: Count,
    /// The length of the window to which `limit` refers.
    pub window: Duration,
    /// How much passes at once. Default: `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Count>,
    /// What an attempt costs. Default: its input and `max_tokens`, without correction.
    #[serde(default, skip_serializing_if = "Charge::is_default")]
    pub charge: Charge,
}

impl BuildOne for Gcra {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limit>> {
        let window = length(self.window)?;
        let limit = self.limit.get();
        let interval = window / limit;
        if interval == 0 {
            let text = format!("{limit} in {} are more than one a nanosecond", self.window);
            return Err(Refusal::new(text).at("limit"));
        }
        let burst = self.burst.map_or(limit, Count::get);
        let Some(tolerance) = burst.checked_mul(interval) else {
            let text = format!("a burst of {burst} is more than comes in 584 years");
            return Err(Refusal::new(text).at("burst"));
        };
        Ok(Box::new(Counted {
            counting: self.charge.counting(self.unit, burst)?,
            ledger: Schedule {
                interval,
                burst,
                tolerance,
                arrival: Time::ZERO,
            },
            per_minute: minutely(limit, window),
            window: (burst, Span::from_nanos(tolerance)),
            used: 0,
        }))
    }
}

#[derive(Clone, Debug)]
struct Schedule {
    /// Nanoseconds for one unit.
    interval: u64,
    burst: u64,
    /// Nanoseconds for a burst.
    tolerance: u64,
    /// The theoretical arrival time: when all that was admitted would have come, evenly spaced.
    arrival: Time,
}

impl Schedule {
    #[inline]
    fn takes(&self, amount: u64) -> Span {
        Span::from_nanos(self.interval).times(amount)
    }
}

impl Ledger for Schedule {
    #[inline]
    fn ready_at(&mut self, now: Time, need: u64) -> Time {
        if need > self.burst {
            return Time::NEVER;
        }
        let ahead = (self.arrival.max(now) + self.takes(need)).nanos();
        now.max(Time::from_nanos(ahead.saturating_sub(self.tolerance)))
    }

    #[inline]
    fn charge(&mut self, now: Time, amount: u64) {
        self.arrival = self.arrival.max(now) + self.takes(amount);
    }

    fn correct(&mut self, now: Time, _since: Time, was: u64, is: u64) {
        if is > was {
            self.charge(now, is - was);
        } else {
            let back = self.takes(was - is).nanos();
            self.arrival = Time::from_nanos(self.arrival.nanos().saturating_sub(back));
        }
    }

    fn left(&mut self, now: Time) -> Left {
        let ahead = self.arrival.since(now);
        Left {
            limit: self.burst,
            remaining: self.tolerance.saturating_sub(ahead.nanos()) / self.interval,
            reset: ahead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Ask;

    fn millis(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    /// Four a second, two at once: a cell every 250 ms.
    #[test]
    fn the_schedule_runs_ahead_by_a_burst_and_no_more() {
        let spec: Gcra =
            serde_json::from_str(r#"{"unit": "requests", "limit": 4, "window": "1s", "burst": 2}"#).unwrap();
        let (mut limit, ask) = (spec.build(&Names::default()).unwrap(), Ask::default());
        let rows = [
            (0, 0),
            (0, 0),
            (0, 250),
            (249, 250),
            (250, 250),
            (300, 500),
            (1000, 1000),
            (1000, 1000),
            (1000, 1250),
        ];
        for (now, ready) in rows {
            assert_eq!(limit.ready_at(millis(now), &ask), millis(ready), "at {now}");
            if ready == now {
                limit.charge(millis(now), &ask);
            }
        }
        let left = limit.left(millis(1100)).unwrap();
        assert_eq!((left.limit, left.remaining, left.reset), (2, 0, Span::from_millis(400)));
    }

    /// Helicone's 500 per 1 s: 500 at once, the next after 2 ms.
    #[test]
    fn a_second_of_five_hundred_may_come_at_once() {
        let spec: Gcra = serde_json::from_str(r#"{"unit": "requests", "limit": 500, "window": "1s"}"#).unwrap();
        let (mut limit, ask) = (spec.build(&Names::default()).unwrap(), Ask::default());
        for _ in 0..500 {
            assert_eq!(limit.ready_at(millis(7), &ask), millis(7));
            limit.charge(millis(7), &ask);
        }
        assert_eq!(limit.ready_at(millis(7), &ask), millis(9));
    }
}
