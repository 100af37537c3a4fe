//! Policies inside a policy: what every one that sends some requests to one and others to another has in common.
//!
//! Each branch learns from every attempt and hears of every call and its end, whichever branch sent it: what is known of a
//! provider is known of it. A request
//! must stay with its branch as long as a branch keeps something of it ([`Wants::notes`]).

use std::fmt;

use super::{BuildPolicy, Call, Chain, Fleet, Judge, Milestone, Policy, PolicySpec, Wants};
use crate::form::build::{Built, Names, Refusal};
use crate::words::{Ended, Headers};

/// Several policies, one of which each request goes by.
#[derive(Debug)]
pub(super) struct Branches(Vec<Branch>);

#[derive(Debug)]
struct Branch {
    policy: Box<dyn Policy>,
    wants: Wants,
}

/// The policy that `spec` says, inside another.
pub(super) fn inside(spec: &PolicySpec, names: &Names<'_>) -> Built<Box<dyn Policy>> {
    spec.as_dyn().build(names).map_err(|r| r.at(spec.name()))
}

/// The policy that goes to `providers`, to the first that is open and after a failure to the next, or by `policy`: whichever
/// of the two is given.
pub(super) fn either(providers: &[String], policy: Option<&PolicySpec>, names: &Names<'_>) -> Built<Box<dyn Policy>> {
    match (providers, policy) {
        ([], None) | ([_, ..], Some(_)) => Err(Refusal::new("give either `providers` or `policy`")),
        ([], Some(policy)) => inside(policy, names).map_err(|r| r.at("policy")),
        (providers, None) => Chain {
            providers: providers.to_vec().into(),
        }
        .build(names),
    }
}

/// Which branch a request goes by.
pub(super) trait Fork: fmt::Debug + Clone + Send + Sync + 'static {
    /// The branch, the same for every attempt at the request; nothing if there is none for it.
    fn branch(&self, call: &Call) -> Option<usize>;

    /// Where it goes next if `branch` has nobody who is open.
    fn after(&self, _branch: usize) -> Option<usize> {
        None
    }
}

/// A policy that only leaves each request to one of several others.
#[derive(Debug)]
pub(super) struct Forked<F> {
    pub(super) fork: F,
    pub(super) branches: Branches,
}

impl<F: Fork> Policy for Forked<F> {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let mut branch = self.fork.branch(call)?;
        loop {
            let chosen = self.branches.choose(branch, call, fleet);
            if chosen.is_some() {
                return chosen;
            }
            branch = self.fork.after(branch)?;
        }
    }

    fn wants(&self) -> Wants {
        self.branches.wants()
    }

    fn learn(&mut self, ended: &Ended) {
        self.branches.learn(ended);
    }

    fn read(&mut self, ended: &Ended, headers: &Headers) {
        self.branches.read(ended, headers);
    }

    fn sent(&mut self, call: &Call, provider: usize) {
        self.branches.sent(call, provider);
    }

    fn ended(&mut self, ended: &Ended) {
        self.branches.ended(ended);
    }

    fn mirror(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.branches.branch(self.fork.branch(call)?).mirror(call, fleet)
    }

    fn judge(&mut self, call: &Call) -> Option<Judge> {
        self.branches.branch(self.fork.branch(call)?).judge(call)
    }

    fn fall_back(&mut self, call: &Call) -> bool {
        let branch = self.fork.branch(call);
        branch.is_some_and(|b| self.branches.branch(b).fall_back(call))
    }

    fn milestones(&self) -> Vec<Milestone> {
        self.branches.milestones()
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(Forked {
            fork: self.fork.clone(),
            branches: self.branches.fresh(),
        })
    }
}

/// Who is left for a policy inside another.
pub(super) trait Filter: fmt::Debug + Clone + Send + Sync + 'static {
    /// Marks in `left` those of the open ones of `fleet` that `call` may go to; all marks are false before.
    fn filter(&self, call: &Call, fleet: &Fleet<'_>, left: &mut [bool]);
}

/// A policy that leaves the choice to another, among those that a filter leaves.
#[derive(Debug)]
pub(super) struct Filtered<F> {
    filter: F,
    left: Vec<bool>,
    inner: Branches,
}

impl<F: Filter> Filtered<F> {
    pub(super) fn new(filter: F, inner: Box<dyn Policy>, names: &Names<'_>) -> Filtered<F> {
        Filtered {
            filter,
            left: vec![false; names.providers.len()],
            inner: Branches::new([inner]),
        }
    }

    fn narrow(&mut self, call: &Call, fleet: &Fleet<'_>) {
        self.left.fill(false);
        self.filter.filter(call, fleet, &mut self.left);
    }
}

impl<F: Filter> Policy for Filtered<F> {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.narrow(call, fleet);
        self.inner.choose(0, call, &fleet.only(&self.left))
    }

    fn wants(&self) -> Wants {
        self.inner.wants()
    }

    fn learn(&mut self, ended: &Ended) {
        self.inner.learn(ended);
    }

    fn read(&mut self, ended: &Ended, headers: &Headers) {
        self.inner.read(ended, headers);
    }

    fn sent(&mut self, call: &Call, provider: usize) {
        self.inner.sent(call, provider);
    }

    fn ended(&mut self, ended: &Ended) {
        self.inner.ended(ended);
    }

    fn mirror(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.narrow(call, fleet);
        self.inner.branch(0).mirror(call, &fleet.only(&self.left))
    }

    fn judge(&mut self, call: &Call) -> Option<Judge> {
        self.inner.branch(0).judge(call)
    }

    fn fall_back(&mut self, call: &Call) -> bool {
        self.inner.branch(0).fall_back(call)
    }

    fn milestones(&self) -> Vec<Milestone> {
        self.inner.milestones()
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(Filtered {
            filter: self.filter.clone(),
            left: self.left.clone(),
            inner: self.inner.fresh(),
        })
    }
}

impl Branches {
    pub(super) fn new(policies: impl IntoIterator<Item = Box<dyn Policy>>) -> Branches {
        let branch = |policy: Box<dyn Policy>| Branch {
            wants: policy.wants(),
            policy,
        };
        Branches(policies.into_iter().map(branch).collect())
    }

    /// What all of them want together.
    pub(super) fn wants(&self) -> Wants {
        self.0.iter().fold(Wants::NOTHING, |all, b| all.and(b.wants))
    }

    #[inline]
    pub(super) fn choose(&mut self, branch: usize, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.0[branch].policy.choose(call, fleet)
    }

    pub(super) fn learn(&mut self, ended: &Ended) {
        for branch in self.0.iter_mut().filter(|b| b.wants.learns || b.wants.grades > 0) {
            branch.policy.learn(ended);
        }
    }

    pub(super) fn read(&mut self, ended: &Ended, headers: &Headers) {
        for branch in self.0.iter_mut().filter(|b| b.wants.headers) {
            branch.policy.read(ended, headers);
        }
    }

    pub(super) fn sent(&mut self, call: &Call, provider: usize) {
        for branch in self.0.iter_mut().filter(|b| b.wants.ends) {
            branch.policy.sent(call, provider);
        }
    }

    pub(super) fn ended(&mut self, ended: &Ended) {
        for branch in self.0.iter_mut().filter(|b| b.wants.ends) {
            branch.policy.ended(ended);
        }
    }

    /// The branch itself, for what only whoever handles the request is asked: mirrors, judges, fallbacks.
    pub(super) fn branch(&mut self, branch: usize) -> &mut dyn Policy {
        &mut *self.0[branch].policy
    }

    /// Those of every branch, in order.
    pub(super) fn milestones(&self) -> Vec<Milestone> {
        self.0.iter().flat_map(|b| b.policy.milestones()).collect()
    }

    pub(super) fn fresh(&self) -> Branches {
        Branches::new(self.0.iter().map(|b| b.policy.fresh()))
    }
}
