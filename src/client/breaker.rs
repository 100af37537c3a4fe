//! Circuit breakers: when a caller stops asking a provider that fails.

mod consecutive;
mod envoy_outlier;
mod litellm_cooldown;
mod never;
mod openings;
mod resilience4j;
#[cfg(test)]
mod testing;

pub use consecutive::Consecutive;
pub use envoy_outlier::EnvoyOutlier;
pub use litellm_cooldown::{LitellmCooldown, Version};
pub use never::Never;
pub use resilience4j::{Resilience4j, WindowType};

use crate::spec::registry::registry;
use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::request::Ended;
use crate::spec::build::{Built, Names};

/// A breaker in front of one provider, as it runs.
pub trait Breaker: fmt::Debug + Send + Sync {
    /// Whether a call may go through at `now`. Asking changes nothing.
    fn permits(&self, now: Time) -> bool;

    /// A call goes through. What it returns is to be given back with its end.
    fn sent(&mut self, now: Time) -> Ticket;

    /// The call that `ticket` was given for has ended.
    fn record(&mut self, ticket: Ticket, ended: &Ended);

    /// How long it has been open, up to `now`. Half-open does not count, nor do calls that were let through before and
    /// still wait for a connection.
    fn time_open(&self, now: Time) -> Span;

    /// How often it has opened.
    fn trips(&self) -> u64;

    /// A copy in its initial state, for one replication. `own` is the randomness of its own choices.
    fn fresh(&self, own: Key) -> Box<dyn Breaker>;
}

/// A breaker that watches a whole fleet: one that keeps out a provider because of how it does beside the others, or not more
/// than so many at once. As it runs.
pub trait FleetBreaker: fmt::Debug + Send + Sync {
    /// Whether a call to `provider` may go through at `now`. Asking changes nothing.
    fn permits(&self, provider: usize, now: Time) -> bool;

    /// A call to `provider` goes through.
    fn sent(&mut self, provider: usize, now: Time) -> Ticket;

    /// The call that `ticket` was given for has ended.
    fn record(&mut self, ticket: Ticket, ended: &Ended);

    /// As [`Breaker::time_open`].
    fn time_open(&self, provider: usize, now: Time) -> Span;

    /// As [`Breaker::trips`].
    fn trips(&self, provider: usize) -> u64;

    /// As [`Breaker::fresh`].
    fn fresh(&self, own: Key) -> Box<dyn FleetBreaker>;
}

/// What watches the providers.
#[derive(Debug)]
pub enum Guard {
    /// One of these for each provider.
    Each(Box<dyn Breaker>),
    /// One for all.
    Fleet(Box<dyn FleetBreaker>),
}

impl Guard {
    /// The breaker of one provider, if each has its own, in its initial state.
    pub fn of_one(&self, own: Key) -> Option<Box<dyn Breaker>> {
        match self {
            Guard::Each(breaker) => Some(breaker.fresh(own)),
            Guard::Fleet(_) => None,
        }
    }

    /// The breaker of all, if there is one for all, in its initial state.
    pub fn of_all(&self, own: Key) -> Option<Box<dyn FleetBreaker>> {
        match self {
            Guard::Each(_) => None,
            Guard::Fleet(breaker) => Some(breaker.fresh(own)),
        }
    }
}

/// Which of a breaker's states a call was sent in, by number: so that a call from before it opened is not taken for one of
/// its trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket(pub u32);

/// What the file says of a breaker.
pub trait BuildBreaker {
    /// Checks the parameters and makes the breaker.
    fn build(&self, names: &Names<'_>) -> Built<Guard>;
}

registry! {
    /// What keeps calls from a provider that fails.
    pub enum BreakerSpec as BuildBreaker {
        never => Never,
        consecutive => Consecutive,
        litellm_cooldown => LitellmCooldown,
        resilience4j => Resilience4j,
        envoy_outlier => EnvoyOutlier,
    }
}

impl Default for BreakerSpec {
    /// No breaker.
    fn default() -> Self {
        BreakerSpec::never(Never::default())
    }
}
