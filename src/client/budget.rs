//! Budgets: what a client does when it has spent enough.
//!
//! A budget is charged when an attempt has ended, as gateways do, which see the bill with the answer: what is in flight when
//! it is spent comes on top. So a window exceeds its budget by at most the bills of the attempts under way at that moment.
//! Windows follow each other from the start of the replication; money left over is not carried on.

mod windows;

pub use windows::{BudgetSpec, OnExhausted, Per, Watched, build};

use std::fmt;

use crate::kernel::time::Time;
use crate::words::{Ask, Ended};

/// A budget, as it runs.
pub trait Budget: fmt::Debug + Send + Sync {
    /// What becomes of `ask` at the way in.
    fn offer(&mut self, now: Time, ask: &Ask) -> Verdict;

    /// Providers that are not to be used at `now`, by number; nothing if all may be.
    fn barred(&mut self, now: Time) -> Option<&[bool]>;

    /// The provider that takes everything at `now`, because a budget that says so is spent.
    fn instead(&mut self, _now: Time) -> Option<usize> {
        None
    }

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

/// A share of a budget that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Which budget, in words.
    pub budget: String,
    /// The share of it, from 0 to 1.
    pub share: f64,
}
