//! A continuous quota: a bucket that refills all the time.
//!
//! What OpenAI and Anthropic document: the per-minute figure is a rate, not a window, and a burst may use it up at once.
//! Tokens are reserved when the request starts (input + `max_tokens`) and not corrected afterwards. A refused request is
//! not charged.
//!
//! ```json
//! { "token_bucket": { "unit": "requests", "rate": "1000/min", "burst": 50 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLimit, Limit, Unit};
use crate::kernel::bucket::Bucket;
use crate::kernel::time::Time;
use crate::request::Ask;
use crate::spec::build::{Built, Refusal};
use crate::spec::units::{Count, Rate};

/// A bucket that refills continuously.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBucket {
    /// What it counts.
    pub unit: Unit,
    /// How fast it refills.
    pub rate: Rate,
    /// The most it can hold. Default: what the rate brings in a minute, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Count>,
}

impl TokenBucket {
    /// The bucket that these parameters describe.
    ///
    /// # Errors
    /// If rate and burst together exceed what integers can hold.
    pub fn bucket(&self) -> Built<Bucket> {
        bucket(self.rate, self.burst)
    }
}

/// A bucket of this rate and burst; without a burst, of a minute's worth.
pub(crate) fn bucket(rate: Rate, burst: Option<Count>) -> Built<Bucket> {
    let burst = burst.map_or_else(|| a_minutes_worth(rate), |b| b.get());
    Bucket::new(rate.count(), rate.per(), burst).ok_or_else(|| {
        Refusal::new(format!(
            "rate {rate} with a burst of {burst} is beyond what can be counted exactly"
        ))
    })
}

/// What `rate` brings in a minute, at least 1: quotas are published by the minute.
fn a_minutes_worth(rate: Rate) -> u64 {
    let worth = u128::from(rate.count()) * 60_000_000_000 / u128::from(rate.per().nanos());
    u64::try_from(worth).unwrap_or(u64::MAX).max(1)
}

impl BuildLimit for TokenBucket {
    fn build(&self) -> Built<Box<dyn Limit>> {
        Ok(Box::new(Running {
            unit: self.unit,
            bucket: self.bucket()?,
            per_minute: a_minutes_worth(self.rate),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    unit: Unit,
    bucket: Bucket,
    per_minute: u64,
}

impl Limit for Running {
    #[inline]
    fn ready_at(&mut self, now: Time, ask: &Ask) -> Time {
        self.bucket.ready_at(now, self.unit.reserved(ask))
    }

    #[inline]
    fn charge(&mut self, _now: Time, ask: &Ask) {
        self.bucket.take(self.unit.reserved(ask));
    }

    fn unit(&self) -> Unit {
        self.unit
    }

    fn per_minute(&self) -> Option<u64> {
        Some(self.per_minute)
    }

    fn fresh(&self) -> Box<dyn Limit> {
        Box::new(self.clone())
    }
}
