//! A counter per clock-aligned window on the client, as LiteLLM's and most rate-limit services keep.
//!
//! The arithmetic is that of a provider's fixed window. LiteLLM's TPM check charges at the end: `"charge": { "at":
//! "end" }`.
//!
//! ```json
//! { "fixed_window": { "unit": "requests", "limit": 1000, "window": "1m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counted::Counted;
use super::{BuildLimiter, Limiter};
use crate::form::build::{Built, Names};
use crate::provider::limits::{self, BuildOne};

/// A counter that is reset at each multiple of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FixedWindow(limits::FixedWindow);

impl BuildLimiter for FixedWindow {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        Ok(Box::new(Counted(self.0.build(names)?)))
    }
}
