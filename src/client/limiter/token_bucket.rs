//! A token bucket on the client: requests, or tokens by an estimate.
//!
//! The concurrency control of the customer-service benchmark article runs two: requests (burst 50, 1,000 a minute) and
//! tokens (a million a minute), the second charged with a flat estimate of 500 tokens a request, because a caller does
//! not know the answer's length.
//!
//! ```json
//! { "token_bucket": { "unit": "tokens", "rate": "1M/min", "estimate": 500 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLimiter, Limiter, Ready};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Rate};
use crate::kernel::bucket::Bucket;
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::provider::limits::{Unit, bucket};
use crate::words::Ask;

/// A token bucket that refills continuously.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBucket {
    /// The unit that the bucket counts: requests, or tokens of a kind.
    pub unit: Unit,
    /// The rate at which the bucket refills, in `unit`.
    pub rate: Rate,
    /// The most that the bucket can hold. Default: what the rate brings in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Count>,
    /// The tokens that each request is charged instead of its input and `max_tokens`; only for token units. Default:
    /// not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Count>,
}

impl BuildLimiter for TokenBucket {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        if self.unit == Unit::Concurrent {
            let text = "requests at once are not a rate: give `concurrent` (of a provider) or `max_in_flight` (of a client) instead";
            return Err(Refusal::new(text).at("unit"));
        }
        if self.unit == Unit::Requests && self.estimate.is_some() {
            return Err(Refusal::new("an estimate is of tokens; this bucket counts requests").at("estimate"));
        }
        let bucket = bucket(self.rate, self.burst)?;
        if let Some(estimate) = self.estimate
            && estimate.get() > bucket.burst()
        {
            let text = format!("an estimate of {estimate} never fits a burst of {}", bucket.burst());
            return Err(Refusal::new(text).at("estimate"));
        }
        Ok(Box::new(Running {
            unit: self.unit,
            flat: self.estimate.map(Count::get),
            bucket,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    unit: Unit,
    flat: Option<u64>,
    bucket: Bucket,
}

impl Running {
    fn need(&self, ask: &Ask) -> u64 {
        self.flat.unwrap_or_else(|| self.unit.known(ask))
    }
}

impl Limiter for Running {
    #[inline]
    fn ready(&mut self, now: Time, ask: &Ask) -> Ready {
        Ready::from(now, self.bucket.ready_at(now, self.need(ask)))
    }

    #[inline]
    fn take(&mut self, _now: Time, ask: &Ask) {
        self.bucket.take(self.need(ask));
    }

    fn is_as_new(&mut self, now: Time) -> bool {
        self.bucket.is_full(now)
    }

    fn fresh(&self, _own: Key) -> Box<dyn Limiter> {
        Box::new(self.clone())
    }
}
