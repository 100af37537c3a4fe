//! One bucket and one sleep: the second rate limiter of the customer-service benchmark article, as published.
//!
//! The bucket refills by the time passed; with a token there the request goes; without one it sleeps for (1 − tokens) /
//! rate, the bucket is set to 0, and then the request goes, whatever others did meanwhile. Several callers that find
//! the bucket empty sleep at the same time and go together: under concurrency the limit does not hold. Ignores the
//! gate's cap and limiters.
//!
//! ```json
//! { "one_bucket": { "rate": "1000/min", "burst": 1000 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admission, BuildAdmission, Next, Offer};
use crate::client::gate::Gate;
use crate::form::build::{Built, Names};
use crate::form::units::{Count, Rate};
use crate::kernel::bucket::Bucket;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::provider::limits::bucket;
use crate::words::Ask;

/// One token bucket of requests; when it is empty, a request sleeps once and then goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneBucket {
    /// The rate at which the bucket refills, in requests.
    pub rate: Rate,
    /// The most requests that the bucket can hold. Default: what the rate brings in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Count>,
}

impl BuildAdmission for OneBucket {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Admission>> {
        Ok(Box::new(Running {
            bucket: bucket(self.rate, self.burst)?,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    bucket: Bucket,
}

impl Admission for Running {
    fn offer(&mut self, now: Time, _slot: u32, _ask: &Ask, gate: &mut Gate) -> Offer {
        let ready = self.bucket.ready_at(now, 1);
        gate.force(now);
        if ready <= now {
            self.bucket.take(1);
            Offer::Enter
        } else {
            self.bucket.empty();
            Offer::EnterAt(ready)
        }
    }

    fn next(&mut self, _now: Time, _gate: &mut Gate) -> Next {
        Next::NoRequest
    }

    fn remove(&mut self, _slot: u32) {}

    fn waiting(&self) -> usize {
        0
    }

    fn capacity(&self) -> Option<usize> {
        None
    }

    fn max_wait(&self) -> Span {
        Span::FOREVER
    }

    fn fresh(&self, _own: Key) -> Box<dyn Admission> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Burst 1, one a second. Ten at once: one goes, and nine sleep a second and go together.
    #[test]
    fn a_crowd_sleeps_together_and_goes_together() {
        let spec: OneBucket = serde_json::from_str(r#"{"rate": "1/s", "burst": 1}"#).unwrap();
        let (mut it, mut gate) = (spec.build(&Names::default()).unwrap(), Gate::new(Vec::new(), u32::MAX));
        let offers: Vec<_> = (0..10)
            .map(|slot| it.offer(Time::ZERO, slot, &Ask::default(), &mut gate))
            .collect();
        let second = Offer::EnterAt(Time::ZERO + Span::from_secs(1));
        assert_eq!(offers[0], Offer::Enter);
        assert!(offers[1..].iter().all(|&o| o == second));
    }
}
