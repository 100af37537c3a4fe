//! Retry budgets: a bound on the retries of all requests together, whatever each of them would like.
//!
//! A rule alone multiplies the load of a provider that fails by its number of tries, just when that does the most harm. A
//! budget bounds the factor: it is asked before each retry that the rule wants, and what it denies is given up.

mod envoy;
mod finagle;

pub use envoy::Envoy;
pub use finagle::{Finagle, Leaky};

use std::fmt;

use crate::client::view::Fleet;
use crate::form::build::{Built, Names};
use crate::form::own::Own;
use crate::form::registry::registry;
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::words::Ended;

use super::retry::{At, Failed, Next, Retry};

/// A retry budget, as it runs.
pub trait RetryBudget: fmt::Debug + Send + Sync {
    /// Called when attempt number `attempt` (from 0) of a request is sent.
    fn sent(&mut self, now: Time, attempt: u32);

    /// Called when an attempt has ended.
    fn ended(&mut self);

    /// Whether there may be one more retry, from now on. If so, it is charged.
    fn withdraw(&mut self, now: Time) -> bool;

    /// Called when a retry that was allowed is over: it failed or was answered, or could not be made.
    fn over(&mut self);

    /// Whether a retry is over for the budget as soon as its answer begins, instead of when that ends.
    fn over_at_headers(&self) -> bool {
        false
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn RetryBudget>;
}

/// The parameters of a retry budget, as the file gives them.
pub trait BuildRetryBudget {
    /// Checks the parameters and makes the budget.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn RetryBudget>>;
}

impl BuildRetryBudget for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn RetryBudget>> {
        self.make("retry_budget", names)
    }
}

registry! {
    /// The retry budget, which bounds the retries of all requests together.
    pub enum RetryBudgetSpec as BuildRetryBudget, kind retry_budget in "retry_budget/" of Box<dyn RetryBudget> {
        finagle => Finagle,
        envoy => Envoy,
        own in "../form/own.rs" => Own,
    }
}

/// A retry rule under a retry budget.
#[derive(Debug)]
pub struct Budgeted {
    rule: Box<dyn Retry>,
    budget: Box<dyn RetryBudget>,
    denied: u64,
}

impl Budgeted {
    /// The rule `rule`, except for what `budget` denies.
    pub fn new(rule: Box<dyn Retry>, budget: Box<dyn RetryBudget>) -> Budgeted {
        Budgeted {
            rule,
            budget,
            denied: 0,
        }
    }
}

impl Retry for Budgeted {
    fn next(&mut self, failed: &Failed, fleet: &Fleet<'_>, key: Key, memory: &mut u64) -> Next {
        let next = self.rule.next(failed, fleet, key, memory);
        if matches!(next, Next::Again { .. }) && !self.budget.withdraw(failed.now) {
            self.denied += 1;
            // The rule, or a budget of a group in it, has counted a try that will not be made.
            self.rule.over(failed.at());
            return Next::STOP;
        }
        next
    }

    fn sent(&mut self, now: Time, attempt: u32, group: usize) {
        self.rule.sent(now, attempt, group);
        self.budget.sent(now, attempt);
    }

    fn ended(&mut self, ended: &Ended, group: usize) {
        self.rule.ended(ended, group);
        self.budget.ended();
    }

    fn over(&mut self, after: At) {
        self.rule.over(after);
        self.budget.over();
    }

    fn over_at_headers(&self) -> bool {
        self.rule.over_at_headers() || self.budget.over_at_headers()
    }

    fn listens(&self) -> bool {
        true
    }

    fn denied(&self) -> u64 {
        self.denied + self.rule.denied()
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(Budgeted::new(self.rule.fresh(), self.budget.fresh()))
    }
}
