//! Policies inside a policy: what all that send some requests to one and others to another have in common.
//!
//! Each branch learns from every attempt, whichever branch sent it: what is known of a provider is known of it. A request
//! must stay with its branch as long as a branch keeps something of it ([`Wants::notes`]).

use std::fmt;

use super::{BuildPolicy, Call, Chain, Fleet, Judge, Milestone, Policy, PolicySpec, Wants};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::time::Span;
use crate::words::{Course, Ended, Headers, Outcome};

/// Several policies, of which each request goes by one.
#[derive(Debug)]
pub(super) struct Branches(Vec<Branch>);

#[derive(Debug)]
struct Branch {
    policy: Box<dyn Policy>,
    wants: Wants,
}

/// The policy that `spec` describes, inside another.
pub(super) fn inside(spec: &PolicySpec, names: &Names<'_>) -> Built<Box<dyn Policy>> {
    spec.as_dyn().build(names).map_err(|r| r.at(spec.name()))
}

/// The policy that goes to `providers`, to the first that is open and after a failure to the next, or by `policy`: the
/// one of the two that is given.
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

/// A policy that holds others: what it does by itself. Everything else reaches those inside, because [`Wrapped`] is the
/// one implementation of [`Policy`] for all of them.
pub(super) trait Wrap: fmt::Debug + Send + Sync + Sized + 'static {
    /// The policies inside.
    fn inside(&self) -> &Branches;

    /// The policies inside, to be told something.
    fn inside_mut(&mut self) -> &mut Branches;

    /// Chooses a provider for `call`, as in [`Policy::choose`].
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize>;

    /// The branch that decides what only one policy may: to mirror, to judge, to fall back. `None` if there is none.
    fn handler(&mut self, _call: &Call) -> Option<usize> {
        Some(0)
    }

    /// The wishes of this policy, as in [`Policy::wants`]. Default: those of the policies inside.
    fn wants(&self) -> Wants {
        self.inside().wants()
    }

    /// Called when an attempt has ended; those inside hear of it as well.
    fn learn(&mut self, _ended: &Ended) {}

    /// The provider of a mirrored copy, as in [`Policy::mirror`]. Default: what the handler says.
    fn mirror(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let handler = self.handler(call)?;
        self.inside_mut().branch(handler).mirror(call, fleet)
    }

    /// The judge of an answer, as in [`Policy::judge`]. Default: what the handler says.
    fn judge(&mut self, call: &Call) -> Option<Judge> {
        let handler = self.handler(call)?;
        self.inside_mut().branch(handler).judge(call)
    }

    /// Whether the policy sends `call` elsewhere after a failure, as in [`Policy::fall_back`]. Default: what the
    /// handler says.
    fn fall_back(&mut self, call: &Call) -> bool {
        let handler = self.handler(call);
        handler.is_some_and(|handler| self.inside_mut().branch(handler).fall_back(call))
    }

    /// What a call is answered for which no provider was found, as in [`Policy::turns_away`]. Default: what the handler says.
    fn turns_away(&mut self, call: &Call) -> Option<(Outcome, Option<Span>)> {
        let handler = self.handler(call)?;
        self.inside_mut().branch(handler).turns_away(call)
    }

    /// The milestones that it passes by itself, before those of the policies inside.
    fn milestones(&self) -> Vec<Milestone> {
        Vec::new()
    }

    /// What it does over time by itself, as in [`Policy::courses`].
    fn courses(&self) -> Vec<Course> {
        Vec::new()
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Self;

    /// This policy behind the trait [`Policy`].
    fn wrapped(self) -> Box<dyn Policy> {
        Box::new(Wrapped(self))
    }
}

/// A policy that holds others, as it runs.
#[derive(Debug)]
struct Wrapped<W>(W);

#[deny(
    clippy::missing_trait_methods,
    reason = "what is not passed on here is lost to every policy that is inside another"
)]
impl<W: Wrap> Policy for Wrapped<W> {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.0.choose(call, fleet)
    }

    fn wants(&self) -> Wants {
        self.0.wants()
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        self.0.learn(ended);
        self.0.inside_mut().learn(ended);
    }

    fn read(&mut self, ended: &Ended, headers: &Headers) {
        self.0.inside_mut().read(ended, headers);
    }

    #[inline]
    fn sent(&mut self, call: &Call, provider: usize) {
        self.0.inside_mut().sent(call, provider);
    }

    #[inline]
    fn ended(&mut self, ended: &Ended) {
        self.0.inside_mut().ended(ended);
    }

    fn mirror(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.0.mirror(call, fleet)
    }

    fn judge(&mut self, call: &Call) -> Option<Judge> {
        self.0.judge(call)
    }

    fn fall_back(&mut self, call: &Call) -> bool {
        self.0.fall_back(call)
    }

    fn turns_away(&mut self, call: &Call) -> Option<(Outcome, Option<Span>)> {
        self.0.turns_away(call)
    }

    fn milestones(&self) -> Vec<Milestone> {
        let mut all = self.0.milestones();
        all.extend(self.0.inside().milestones());
        all
    }

    fn courses(&self) -> Vec<Course> {
        let mut all = self.0.courses();
        all.extend(self.0.inside().courses());
        all
    }

    fn fresh(&self) -> Box<dyn Policy> {
        self.0.fresh().wrapped()
    }
}

/// A rule for the branch by which a request goes.
pub(super) trait Fork: fmt::Debug + Clone + Send + Sync + 'static {
    /// The branch, equal for every attempt at the request; `None` if there is none for it.
    fn branch(&self, call: &Call) -> Option<usize>;

    /// The branch that a request goes to next if none of the providers of `branch` is open.
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

impl<F: Fork> Wrap for Forked<F> {
    fn inside(&self) -> &Branches {
        &self.branches
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.branches
    }

    fn handler(&mut self, call: &Call) -> Option<usize> {
        self.fork.branch(call)
    }

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

    fn fresh(&self) -> Self {
        Forked {
            fork: self.fork.clone(),
            branches: self.branches.fresh(),
        }
    }
}

/// A rule for the providers that are left for a policy inside another.
pub(super) trait Filter: fmt::Debug + Clone + Send + Sync + 'static {
    /// Marks in `left` the open providers of `fleet` that `call` may go to; all marks are false before.
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

impl<F: Filter> Wrap for Filtered<F> {
    fn inside(&self) -> &Branches {
        &self.inner
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.inner
    }

    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.narrow(call, fleet);
        self.inner.choose(0, call, &fleet.only(&self.left))
    }

    fn mirror(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.narrow(call, fleet);
        self.inner.branch(0).mirror(call, &fleet.only(&self.left))
    }

    fn fresh(&self) -> Self {
        Filtered {
            filter: self.filter.clone(),
            left: self.left.clone(),
            inner: self.inner.fresh(),
        }
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

    /// The wishes of all branches together.
    pub(super) fn wants(&self) -> Wants {
        self.0.iter().fold(Wants::NOTHING, |all, b| all.and(b.wants))
    }

    #[inline]
    pub(super) fn choose(&mut self, branch: usize, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.0[branch].policy.choose(call, fleet)
    }

    fn learn(&mut self, ended: &Ended) {
        for branch in self.0.iter_mut().filter(|b| b.wants.learns || b.wants.grades > 0) {
            branch.policy.learn(ended);
        }
    }

    fn read(&mut self, ended: &Ended, headers: &Headers) {
        for branch in self.0.iter_mut().filter(|b| b.wants.headers) {
            branch.policy.read(ended, headers);
        }
    }

    fn sent(&mut self, call: &Call, provider: usize) {
        for branch in self.0.iter_mut().filter(|b| b.wants.ends) {
            branch.policy.sent(call, provider);
        }
    }

    fn ended(&mut self, ended: &Ended) {
        for branch in self.0.iter_mut().filter(|b| b.wants.ends) {
            branch.policy.ended(ended);
        }
    }

    /// The branch itself, for what only the policy that handles the request is asked: mirrors, judges, fallbacks.
    pub(super) fn branch(&mut self, branch: usize) -> &mut dyn Policy {
        &mut *self.0[branch].policy
    }

    /// The courses of every branch, in order.
    fn courses(&self) -> Vec<Course> {
        self.0.iter().flat_map(|b| b.policy.courses()).collect()
    }

    /// The milestones of every branch, in order.
    fn milestones(&self) -> Vec<Milestone> {
        self.0.iter().flat_map(|b| b.policy.milestones()).collect()
    }

    pub(super) fn fresh(&self) -> Branches {
        Branches::new(self.0.iter().map(|b| b.policy.fresh()))
    }
}

#[cfg(test)]
mod tests;
