//! What a client does after a failed attempt: give up, or try again after a while.

mod exponential;
mod never;

pub use exponential::{Exponential, Jitter, JitterOn, RetryAfterRule};
pub use never::Never;

use crate::spec::registry::registry;
use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::request::{Ended, Outcome, Outcomes};
use crate::routing::Fleet;
use crate::spec::build::Built;

/// A retry rule, as it runs.
pub trait Retry: fmt::Debug + Send + Sync {
    /// What follows a failed attempt. `fleet` is as the next attempt would find it.
    fn next(&mut self, failed: &Failed, fleet: &Fleet<'_>, key: Key) -> Next;

    /// An attempt is sent, number `attempt` (from 0) of its request. Budgets listen.
    fn sent(&mut self, _now: Time, _attempt: u32) {}

    /// An attempt has ended. Budgets that count what is under way listen.
    fn ended(&mut self, _ended: &Ended) {}

    /// Whether it listens to [`Retry::sent`] and [`Retry::ended`].
    fn listens(&self) -> bool {
        false
    }

    /// How many tries it has denied for want of a budget.
    fn denied(&self) -> u64 {
        0
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Retry>;
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another try.
    Again {
        /// After so long.
        after: Span,
        /// At the same provider if its breaker lets it; otherwise the policy chooses anew.
        same: bool,
    },
    /// No more tries; a fallback may follow.
    GiveUp {
        /// The failure is known to the caller only after so long: a client that sleeps after its last try, too.
        after: Span,
    },
}

impl Next {
    /// Another try where the policy says.
    pub const fn anew(after: Span) -> Next {
        Next::Again { after, same: false }
    }

    /// No more tries, at once.
    pub const STOP: Next = Next::GiveUp { after: Span::ZERO };
}

/// A failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// When.
    pub now: Time,
    /// How it ended; never [`Outcome::Success`].
    pub outcome: Outcome,
    /// How many attempts have been made since the last fallback, this one included and hedges not; 0 if there was nobody to
    /// make the first one at.
    pub attempts: u32,
    /// Where it was made, if anywhere.
    pub provider: Option<usize>,
    /// The Retry-After that came with it.
    pub retry_after: Option<Span>,
}

impl Failed {
    /// A first attempt that failed at `now` and of which nothing else is known.
    pub const fn new(now: Time, outcome: Outcome) -> Failed {
        Failed {
            now,
            outcome,
            attempts: 1,
            provider: None,
            retry_after: None,
        }
    }
}

/// What another try cannot mend: what the request says, and what the client itself has given up. A rule that knows no
/// better gives up then.
pub const HOPELESS: Outcomes = Outcomes::of(&[
    Outcome::ContextExceeded,
    Outcome::ContentFiltered,
    Outcome::Unauthorized,
    Outcome::BreakerOpen,
    Outcome::Shed,
    Outcome::QueueTimeout,
    Outcome::TimeoutTotal,
    Outcome::BudgetExhausted,
]);

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
