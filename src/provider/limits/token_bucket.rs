//! A token bucket: a quota that refills continuously.
//!
//! OpenAI and Anthropic document this: the per-minute figure is a rate, not a window, and a burst may use it up at
//! once. Each attempt takes its tokens out when it starts; `charge` says how many and whether its end corrects them. A
//! correction upwards may leave the bucket in debt, by its own size at most. A refused request is not charged.
//!
//! ```json
//! { "token_bucket": { "unit": "requests", "rate": "1000/min", "burst": 50 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::charge::Charge;
use super::ledger::{Counted, Ledger, by_the_minute};
use super::{BuildOne, Limit, Unit};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Rate};
use crate::kernel::bucket::Bucket;
use crate::kernel::time::{Span, Time};
use crate::words::Left;

/// A token bucket that refills continuously.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBucket {
    /// The unit that it counts.
    pub unit: Unit,
    /// The rate at which it refills, like "1000/min".
    pub rate: Rate,
    /// The most it can hold. Default: one minute's refill, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Count>,
    /// What an attempt costs. Default: its input and `max_tokens`, without correction.
    #[serde(default, skip_serializing_if = "Charge::is_default")]
    pub charge: Charge,
}

/// A bucket of this rate and burst; without a burst, the burst is one minute's refill.
pub(crate) fn bucket(rate: Rate, burst: Option<Count>) -> Built<Bucket> {
    let burst = burst.map_or_else(|| a_minutes_worth(rate), |b| b.get());
    Bucket::new(rate.count(), rate.per(), burst).ok_or_else(|| {
        Refusal::new(format!(
            "rate {rate} with a burst of {burst} is beyond what can be counted exactly"
        ))
    })
}

/// The refill of `rate` in one minute, at least 1: quotas are published by the minute.
fn a_minutes_worth(rate: Rate) -> u64 {
    by_the_minute(rate.count(), rate.per().nanos()).max(1)
}

impl BuildOne for TokenBucket {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limit>> {
        let ledger = bucket(self.rate, self.burst)?;
        let (burst, rate) = (ledger.burst(), self.rate);
        let refill = u128::from(burst) * u128::from(rate.per().nanos()) / u128::from(rate.count());
        Ok(Box::new(Counted {
            counting: self.charge.counting(self.unit, burst)?,
            ledger,
            per_minute: Some(a_minutes_worth(rate)),
            window: (burst, Span::from_nanos(u64::try_from(refill).unwrap_or(u64::MAX))),
            used: 0,
        }))
    }
}

impl Ledger for Bucket {
    #[inline]
    fn ready_at(&mut self, now: Time, need: u64) -> Time {
        Bucket::ready_at(self, now, need)
    }

    #[inline]
    fn charge(&mut self, now: Time, amount: u64) {
        self.refill(now);
        Bucket::charge(self, amount);
    }

    fn correct(&mut self, now: Time, _since: Time, was: u64, is: u64) {
        self.refill(now);
        if is > was {
            Bucket::charge(self, is - was);
        } else {
            self.credit(was - is);
        }
    }

    fn left(&mut self, now: Time) -> Left {
        let limit = self.burst();
        Left {
            limit,
            remaining: self.tokens(now),
            reset: Bucket::ready_at(self, now, limit).since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;
    use crate::provider::limits::Spent;
    use crate::words::{Ask, Usage};

    const SECOND: u64 = 1_000_000_000;

    fn limit(text: &str) -> Box<dyn Limit> {
        serde_json::from_str::<TokenBucket>(text)
            .unwrap()
            .build(&Names::default())
            .unwrap()
    }

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * SECOND)
    }

    /// A hundred tokens, one a second. 80 are reserved, 30 were used: 50 come back when the answer is there. Then 80 are
    /// reserved, none of it is used, and a reservation that proves 40 too small leaves a debt of 30.
    #[test]
    fn a_reservation_is_corrected_at_the_end() {
        let mut limit = limit(
            r#"{"unit": "tokens", "rate": "1/s", "burst": 100, "charge": {"reconcile": true, "failed_requests": false}}"#,
        );
        let ask = Ask {
            input: 20,
            output: 10,
            max_output: Some(60),
            ..Ask::default()
        };
        let usage = |input, output| Usage {
            input,
            output,
            cached: 0,
            written: 0,
        };
        let spent = |since, usage| Spent { ask, since, usage };
        let mut remaining = Vec::new();
        limit.charge(at(0), &ask);
        remaining.push(limit.left(at(0)).unwrap().remaining);
        limit.settle(at(10), &spent(at(0), usage(20, 10)));
        remaining.push(limit.left(at(10)).unwrap().remaining);
        limit.charge(at(10), &ask);
        remaining.push(limit.left(at(10)).unwrap().remaining);
        assert_eq!(limit.ready_at(at(10), &ask), at(10 + 80));
        limit.settle(at(11), &spent(at(10), usage(0, 0)));
        remaining.push(limit.left(at(11)).unwrap().remaining);
        limit.charge(at(11), &ask);
        limit.settle(at(11), &spent(at(11), usage(20, 100)));
        remaining.push(limit.left(at(11)).unwrap().remaining);
        assert_eq!(remaining, [20, 80, 0, 81, 0]);
        assert_eq!(limit.left(at(11)).unwrap().reset, Span::from_secs(100 + 39));
    }

    /// Ten tokens, one a second, charged at the end: all may start until the first has ended, and then none for a
    /// while.
    #[test]
    fn charged_at_the_end_it_lets_in_whoever_comes_before() {
        let mut limit = limit(r#"{"unit": "tokens", "rate": "1/s", "burst": 10, "charge": {"at": "end"}}"#);
        let ask = Ask {
            input: 8,
            output: 4,
            ..Ask::default()
        };
        for _ in 0..100 {
            assert_eq!(limit.ready_at(at(0), &ask), at(0));
            limit.charge(at(0), &ask);
        }
        let usage = Usage {
            input: 8,
            output: 4,
            cached: 0,
            written: 0,
        };
        limit.settle(
            at(5),
            &Spent {
                ask,
                since: at(0),
                usage,
            },
        );
        assert_eq!(limit.ready_at(at(5), &ask), at(5 + 3));
    }
}
