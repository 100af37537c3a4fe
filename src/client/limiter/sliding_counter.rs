//! A sliding window counter on the client: two counters, the older of which fades, estimate the last window.
//!
//! The arithmetic is that of a provider's `sliding_counter`: `@upstash/ratelimit`'s `slidingWindow`.
//!
//! ```json
//! { "sliding_counter": { "unit": "requests", "limit": 1000, "window": "1m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counted::Counted;
use super::{BuildLimiter, Limiter};
use crate::form::build::{Built, Names};
use crate::provider::limits::{self, BuildOne};

/// A sliding window counter: two counters, the older of which fades.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SlidingCounter(limits::SlidingCounter);

impl BuildLimiter for SlidingCounter {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        Ok(Box::new(Counted(self.0.build(names)?)))
    }
}
