//! No breaker: every call goes through.
//!
//! ```json
//! "never"
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ended;

/// A breaker that never opens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Never {}

impl BuildBreaker for Never {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        Ok(Guard::Each(Box::new(Running)))
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
    fn record(&mut self, _ticket: Ticket, _ended: &Ended) {}

    #[inline]
    fn is_closed(&self) -> bool {
        true
    }

    fn time_open(&self, _now: Time) -> Span {
        Span::ZERO
    }

    fn trips(&self) -> u64 {
        0
    }

    fn fresh(&self, _own: Key) -> Box<dyn Breaker> {
        Box::new(Running)
    }
}
