//! A sliding window log on the client: no more than the limit in any window, wherever it starts.
//!
//! The arithmetic is that of a provider's `sliding_log`: every request is remembered until it is a window old. The
//! limiter says only when a request may pass; how it waits is up to the admission discipline.
//!
//! ```json
//! { "sliding_window": { "unit": "requests", "limit": 1000, "window": "1m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counted::Counted;
use super::{BuildLimiter, Limiter};
use crate::form::build::{Built, Names};
use crate::provider::limits::{self, BuildOne};

/// A sliding window log of what was let in within the last window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SlidingWindow(limits::SlidingLog);

impl BuildLimiter for SlidingWindow {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        Ok(Box::new(Counted(self.0.build(names)?)))
    }
}
