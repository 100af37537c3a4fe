//! Circuit breakers: when a caller stops asking a provider that fails.

mod consecutive;
mod never;

pub use consecutive::Consecutive;
pub use never::Never;

use crate::spec::registry::registry;
use std::fmt;

use crate::kernel::time::{Span, Time};
use crate::request::Outcome;
use crate::spec::build::Built;

/// A breaker in front of one provider, as it runs.
pub trait Breaker: fmt::Debug + Send + Sync {
    /// Whether a call may go through at `now`. Asking changes nothing.
    fn permits(&self, now: Time) -> bool;

    /// A call goes through. What it returns is to be given back with its end.
    fn sent(&mut self, now: Time) -> Ticket;

    /// The call that `ticket` was given for has ended.
    fn record(&mut self, now: Time, ticket: Ticket, outcome: Outcome);

    /// How long it has been open, up to `now`. Half-open does not count, nor do calls that were let through before and
    /// still wait for a connection.
    fn time_open(&self, now: Time) -> Span;

    /// How often it has opened.
    fn trips(&self) -> u64;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Breaker>;
}

/// Which of a breaker's states a call was sent in, by number: so that a call from before it opened is not taken for one of
/// its trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket(pub u32);

/// What the file says of a breaker.
pub trait BuildBreaker {
    /// Checks the parameters and makes the breaker.
    fn build(&self) -> Built<Box<dyn Breaker>>;
}

registry! {
    /// A circuit breaker, one for each provider.
    pub enum BreakerSpec as BuildBreaker {
        never => Never,
        consecutive => Consecutive,
    }
}

impl Default for BreakerSpec {
    /// No breaker.
    fn default() -> Self {
        BreakerSpec::never(Never::default())
    }
}
