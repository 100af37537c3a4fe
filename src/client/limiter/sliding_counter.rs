//! Two counters on the client, the older of which fades: an estimate of the last window.
//!
//! The same arithmetic as a provider's `sliding_counter`: `@upstash/ratelimit`'s `slidingWindow`.
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

/// Two counters, the older of which fades.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SlidingCounter(limits::SlidingCounter);

impl BuildLimiter for SlidingCounter {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        Ok(Box::new(Counted(self.0.build(names)?)))
    }
}
