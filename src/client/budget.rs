//! Budgets: what a client does when it has spent enough.
//!
//! A budget is charged when an attempt has ended, as gateways do, which see the bill with the answer: what is in flight when
//! it is spent comes on top. So a window exceeds its budget by at most the bills of the attempts under way at that moment.
//! Windows follow each other from the start of the plan's time: what is billed in the warm-up is charged to none, and at 0 each
//! budget is whole. Money left over is not carried on. What became of each budget ([`Progress`]) is for the report, which says of a
//! month only what whole windows have shown.

mod each;
mod running;
mod windows;

pub use windows::{BudgetSpec, OnExhausted, Per, build};

use std::fmt;

use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Ended};

use super::identity::Whose;

/// A client's budget, as it runs.
pub trait Budget: fmt::Debug + Send + Sync {
    /// What becomes of `ask` when it arrives.
    fn offer(&mut self, now: Time, ask: &Ask) -> Verdict;

    /// The providers that are not to be used for `ask` at `now`, by number; `None` if all may be.
    fn barred(&mut self, now: Time, ask: &Ask) -> Option<&[bool]>;

    /// The budget, by number, for which `ask` was turned away when it was last offered, and the identity whose budget that is: only of
    /// budgets for each identity.
    fn refused(&self, _ask: &Ask) -> Option<(usize, u32)> {
        None
    }

    /// The provider that takes everything at `now`, because a budget that says so is spent.
    fn instead(&mut self, _now: Time) -> Option<usize> {
        None
    }

    /// Called when an attempt has ended and cost something.
    fn spent(&mut self, ended: &Ended);

    /// The time at which each watched share was first passed, in the order in which they are listed.
    fn alerts(&self) -> &[Option<Time>];

    /// What became of each budget by `now`, in the order of the file. A window that is over by then is closed.
    fn progress(&mut self, now: Time) -> Vec<Progress>;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Budget>;
}

/// What has become of one budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When it was first spent.
    pub first_spent: Option<Time>,
    /// Whether it is spent now.
    pub is_spent: bool,
    /// How long it has been spent, over all windows.
    pub time_spent: Span,
    /// The most pico-dollars and the most tokens in one window so far: what was under way when it was spent included.
    pub most: (u128, u64),
}

/// All budgets of a client.
#[derive(Debug, Default)]
pub struct Budgets {
    /// The budgets as they run together, if there are any.
    pub running: Option<Box<dyn Budget>>,
    /// Each of them, as the report speaks of it.
    pub allowances: Vec<Allowance>,
    /// The watched shares of them, budget by budget.
    pub alerts: Vec<Alert>,
}

/// A budget as the report speaks of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    /// The budget in words, such as "$100 a day".
    pub budget: String,
    /// The length of a window.
    pub window: Span,
    /// The most pico-dollars in one window, if it bounds money.
    pub money: Option<u128>,
    /// The most tokens in one window, if it bounds tokens.
    pub tokens: Option<u64>,
    /// By provider, whether its bills count.
    pub counts: Vec<bool>,
    /// Whether nothing more is sent for the rest of a window once it is spent.
    pub stops_all: bool,
    /// What it tells apart, if each identity has so much.
    pub each: Option<Whose>,
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
