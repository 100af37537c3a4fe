//! How a provider fails.

mod outage;
mod random;

pub use outage::Outage;
pub use random::Random;

use crate::spec::registry::registry;
use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::spec::build::Built;

/// A source of failures, as it runs. A provider may have several; the first that strikes decides.
pub trait Fault: fmt::Debug + Send + Sync {
    /// What befalls the attempt keyed by `key` that arrives at `now`, if anything.
    fn strike(&mut self, now: Time, key: Key) -> Option<Failure>;

    /// Whether an attempt may be left without any answer.
    fn may_hang(&self) -> bool;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Fault>;
}

/// What the file says of a source of failures.
pub trait BuildFault {
    /// Checks the parameters and makes the fault.
    fn build(&self) -> Built<Box<dyn Fault>>;
}

/// What goes wrong with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A 5xx at once, before quotas are asked: the provider is down.
    Down,
    /// Nothing at all, not even a 429: the provider is down and silent. Only a timeout ends it.
    Silent,
    /// A 5xx when the first token would have come: the work was begun.
    Failed,
    /// No answer although it was let in: only a timeout ends it.
    Hang,
}

registry! {
    /// A source of failures of a provider.
    pub enum FaultSpec as BuildFault {
        random => Random,
        outage => Outage,
    }
}
