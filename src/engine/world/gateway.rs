//! One instance of the client's gateway: its policy, its breakers, and what it knows of each provider.
//!
//! Gateways that run side by side know nothing of one another's calls: each counts its own, and trips its own breakers. What
//! the whole client shares (the way in, limits, connections, budgets) is the world's.

use crate::client::breaker::{FleetBreaker, Ticket};
use crate::client::host::Host;
use crate::engine::scenario::Scenario;
use crate::kernel::chance::Chance;
use crate::kernel::time::{Span, Time};
use crate::routing::{Fleet, Policy};
use crate::words::Ended;

use super::OF_BREAKERS;

/// The part of a randomness that belongs to the first group, of which the others follow.
pub(super) const OF_GROUPS: u64 = 1 << 32;

/// The breakers that watch a request at group `group`, if they are of more than one provider: those of the group, if there are named
/// groups, or else that of the fleet.
#[inline(always)]
pub(super) fn watching<'a>(
    of_groups: &'a [Box<dyn FleetBreaker>],
    guard: Option<&'a dyn FleetBreaker>,
    group: u8,
) -> Option<&'a dyn FleetBreaker> {
    match of_groups.get(usize::from(group)) {
        Some(watch) => Some(&**watch),
        None => guard,
    }
}

#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) hosts: Vec<Host>,
    pub(super) guard: Option<Box<dyn FleetBreaker>>,
    /// The breakers of each named group, which stand in for those above.
    pub(super) of_groups: Vec<Box<dyn FleetBreaker>>,
    pub(super) policy: Box<dyn Policy>,
}

impl Gateway {
    /// Gateway `number` of `scenario`, before its first request.
    pub(super) fn new(scenario: &Scenario, chance: Chance, number: usize) -> Gateway {
        let breaker = &scenario.client.breaker;
        let providers = scenario.fleet.len();
        let own = |i: usize| chance.surroundings(OF_BREAKERS).part((number * providers + i) as u64);
        let host = |i| Host::behind(breaker.of_one(own(i)));
        let Some(groups) = &scenario.client.groups else {
            return Gateway {
                hosts: (0..providers).map(host).collect(),
                guard: breaker.of_all(own(0)),
                of_groups: Vec::new(),
                policy: scenario.policy.fresh(),
            };
        };
        let of_group = |g: usize| own(0).part(OF_GROUPS + g as u64);
        Gateway {
            hosts: (0..providers).map(|_| Host::default()).collect(),
            guard: None,
            of_groups: (groups.of.iter().enumerate())
                .map(|(g, group)| group.watch.fresh(of_group(g)))
                .collect(),
            policy: scenario.policy.fresh(),
        }
    }

    /// The fleet as this gateway sees it for a request at group `group`.
    #[inline]
    pub(super) fn fleet(&self, group: u8, now: Time) -> Fleet<'_> {
        let guard = watching(&self.of_groups, self.guard.as_deref(), group);
        Fleet::new(&self.hosts, guard, now)
    }

    /// Whether the breakers let a call to provider `p` through, in any of the groups that it is in.
    pub(super) fn permits(&self, scenario: &Scenario, p: usize, now: Time) -> bool {
        match &scenario.client.groups {
            None => self.fleet(0, now).breaker_permits(p),
            Some(groups) => groups.with(p).any(|g| self.of_groups[g].permits(p, now)),
        }
    }

    /// Counts a call of group `group` that goes to provider `p`, and returns the breaker's ticket for it.
    #[inline]
    pub(super) fn sent(&mut self, group: u8, p: usize, now: Time) -> Ticket {
        if let Some(watch) = self.of_groups.get_mut(usize::from(group)) {
            return watch.sent(p, now);
        }
        match (self.hosts[p].sent(now), &mut self.guard) {
            (Some(ticket), _) => ticket,
            (None, Some(guard)) => guard.sent(p, now),
            (None, None) => Ticket::default(),
        }
    }

    /// Reports the end of an attempt to the breakers of its group, or else to that of its provider, or else to that of the fleet.
    #[inline]
    pub(super) fn record(&mut self, group: u8, ticket: Ticket, ended: &Ended) {
        if let Some(watch) = self.of_groups.get_mut(usize::from(group)) {
            return watch.record(ticket, ended);
        }
        if !self.hosts[ended.provider].record(ticket, ended)
            && let Some(guard) = &mut self.guard
        {
            guard.record(ticket, ended);
        }
    }

    /// How often the breaker of provider `p` has opened.
    pub(super) fn trips(&self, p: usize) -> u64 {
        if !self.of_groups.is_empty() {
            return self.of_groups.iter().map(|watch| watch.trips(p)).sum();
        }
        match (self.hosts[p].breaker(), &self.guard) {
            (Some(breaker), _) => breaker.trips(),
            (None, Some(guard)) => guard.trips(p),
            (None, None) => 0,
        }
    }

    /// How long the breaker of provider `p` has been open, up to `now`: of several in different groups the mean.
    pub(super) fn time_open(&self, scenario: &Scenario, p: usize, now: Time) -> Span {
        if let Some(groups) = &scenario.client.groups {
            let (mut all, mut n) = (0, 0);
            for g in groups.with(p) {
                all += self.of_groups[g].time_open(p, now).nanos();
                n += 1;
            }
            return Span::from_nanos(all / n.max(1));
        }
        match (self.hosts[p].breaker(), &self.guard) {
            (Some(breaker), _) => breaker.time_open(now),
            (None, Some(guard)) => guard.time_open(p, now),
            (None, None) => Span::ZERO,
        }
    }
}
