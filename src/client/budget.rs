//! Budgets: what a client does when it has spent enough.

use std::fmt;

use crate::kernel::time::Time;
use crate::request::{Ask, Ended};

/// A budget, as it runs.
pub trait Budget: fmt::Debug + Send + Sync {
    /// What becomes of `ask` at the way in.
    fn offer(&mut self, now: Time, ask: &Ask) -> Verdict;

    /// Providers that are not to be used at `now`, by number; nothing if all may be.
    fn barred(&mut self, now: Time) -> Option<&[bool]>;

    /// An attempt has ended and cost something.
    fn spent(&mut self, ended: &Ended);

    /// When each share of it that is watched was first passed, in the order in which they are listed.
    fn alerts(&self) -> &[Option<Time>];

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Budget>;
}

/// What a budget says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Pass,
    /// It is turned away.
    Reject,
    /// It waits until this time.
    Wait(Time),
}
