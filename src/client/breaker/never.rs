//! No breaker: every call goes through.
//!
//! ```json
//! "never"
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Breaker, BuildBreaker, Ticket};
use crate::kernel::time::{Span, Time};
use crate::request::Outcome;
use crate::spec::build::Built;

/// A breaker that never opens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Never {}

impl BuildBreaker for Never {
    fn build(&self) -> Built<Box<dyn Breaker>> {
        Ok(Box::new(Running))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running;

impl Breaker for Running {
    #[inline]
    fn permits(&self, _now: Time) -> bool {
        true
    }

    #[inline]
    fn sent(&mut self, _now: Time) -> Ticket {
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _now: Time, _ticket: Ticket, _outcome: Outcome) {}

    fn time_open(&self, _now: Time) -> Span {
        Span::ZERO
    }

    fn trips(&self) -> u64 {
        0
    }

    fn fresh(&self) -> Box<dyn Breaker> {
        Box::new(Running)
    }
}
