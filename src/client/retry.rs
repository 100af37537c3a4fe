//! What a client does after a failed attempt: give up, or try again after a while.

mod exponential;
mod never;

pub use exponential::{Exponential, Jitter, JitterOn, RetryAfterRule};
pub use never::Never;

use crate::spec::registry::registry;
use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::Span;
use crate::request::Outcome;
use crate::spec::build::Built;

/// A retry rule. Stateless: it decides from the failure alone.
pub trait Retry: fmt::Debug + Send + Sync {
    /// How long to wait before the next attempt; `None` to give up.
    fn delay(&self, failed: &Failed, key: Key) -> Option<Span>;
}

/// A failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How it ended; never [`Outcome::Success`].
    pub outcome: Outcome,
    /// How many attempts have been made, this one included; 0 if there was nobody to make the first one at.
    pub attempts: u32,
    /// The Retry-After that came with it.
    pub retry_after: Option<Span>,
}

/// What the file says of a retry rule.
pub trait BuildRetry {
    /// Checks the parameters and makes the rule.
    fn build(&self) -> Built<Box<dyn Retry>>;
}

registry! {
    /// A retry rule.
    pub enum RetrySpec as BuildRetry {
        never => Never,
        exponential => Exponential,
    }
}

impl Default for RetrySpec {
    /// No retries.
    fn default() -> Self {
        RetrySpec::never(Never::default())
    }
}
