//! Policies inside a policy: what every one that sends some requests to one and others to another has in common.
//!
//! Each branch learns from every attempt, whichever branch sent it: what is known of a provider is known of it. A request
//! must stay with its branch as long as a branch keeps something of it ([`Wants::notes`]).

use super::{Call, Fleet, Milestone, Policy, PolicySpec, Wants};
use crate::request::{Ended, Headers};
use crate::spec::build::{Built, Names};

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
