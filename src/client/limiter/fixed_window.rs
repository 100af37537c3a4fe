//! A counter per clock-aligned window on the client, as LiteLLM's and most rate-limit services keep.
//!
//! The same arithmetic as a provider's fixed window.
//!
//! ```json
//! { "fixed_window": { "unit": "requests", "limit": 1000, "window": "1m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLimiter, Limiter, Ready};
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::provider::limits::{self, BuildLimit, Limit};
use crate::request::Ask;
use crate::spec::build::Built;

/// A counter that is reset at each multiple of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FixedWindow(limits::FixedWindow);

impl BuildLimiter for FixedWindow {
    fn build(&self) -> Built<Box<dyn Limiter>> {
        Ok(Box::new(Running(self.0.build()?)))
    }
}

/// `ask` as a caller knows it: without `max_tokens` nothing of its output.
fn known(ask: &Ask) -> Ask {
    Ask { output: 0, ..*ask }
}

#[derive(Debug)]
struct Running(Box<dyn Limit>);

impl Limiter for Running {
    fn ready(&mut self, now: Time, ask: &Ask) -> Ready {
        Ready::from(now, self.0.ready_at(now, &known(ask)))
    }

    fn take(&mut self, now: Time, ask: &Ask) {
        self.0.charge(now, &known(ask));
    }

    fn fresh(&self, _own: Key) -> Box<dyn Limiter> {
        Box::new(Running(self.0.fresh()))
    }
}
