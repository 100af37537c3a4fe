//! The generic cell rate algorithm (GCRA) on the client: a burst of the limit, then evenly spaced.
//!
//! The arithmetic is that of a provider's `gcra`. Helicone's ai-gateway limits each key so, by default to 500 in a
//! second (`ai-gateway/src/config/rate_limit.rs`); there a request over it is answered 429 at once, here it waits as
//! the admission says.
//!
//! ```json
//! { "gcra": { "unit": "requests", "limit": 500, "window": "1s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counted::Counted;
use super::{BuildLimiter, Limiter};
use crate::form::build::{Built, Names};
use crate::provider::limits::{self, BuildOne};

/// A GCRA limit: a schedule that may run ahead by a burst.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Gcra(limits::Gcra);

impl BuildLimiter for Gcra {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        Ok(Box::new(Counted(self.0.build(names)?)))
    }
}
