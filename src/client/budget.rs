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

/// A client's budget, as it runs.
pub trait Budget: fmt::Debug + Send + Sync {
    /// What becomes of `ask` when it arrives.
    fn offer(&mut self, now: Time, ask: &Ask) -> Verdict;

    /// The providers that are not to be used at `now`, by number; `None` if all may be.
    fn barred(&mut self, now: Time) -> Option<&[bool]>;

    /// The provider that takes everything at `now`, because a budget that says so is spent.
    fn instead(&mut self, _now: Time) -> Option<usize> {
        None
    }

    /// Called when an attempt has ended and cost something.
    fn spent(&mut self, ended: &Ended);

    /// The time at which each watched share was first passed, in the order in which they are listed.
    fn alerts(&self) -> &[Option<Time>];

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Budget>;
}

/// What a budget decides about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request may go on.
    Pass,
    /// The request is turned away.
    Reject,
    /// The request waits until this time.
    Wait(Time),
}

/// A watched share of a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The budget in words, such as "$100 a day".
    pub budget: String,
    /// The share of the budget that is watched, above 0 up to 1.
    pub share: f64,
}
