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

#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) hosts: Vec<Host>,
    pub(super) guard: Option<Box<dyn FleetBreaker>>,
    pub(super) policy: Box<dyn Policy>,
}

impl Gateway {
    /// Gateway `number` of `scenario`, before its first request.
    pub(super) fn new(scenario: &Scenario, chance: Chance, number: usize) -> Gateway {
        let breaker = &scenario.client.breaker;
        let providers = scenario.fleet.len();
        let own = |i: usize| chance.surroundings(OF_BREAKERS).part((number * providers + i) as u64);
        let host = |i| Host::behind(breaker.of_one(own(i)));
        Gateway {
            hosts: (0..providers).map(host).collect(),
            guard: breaker.of_all(own(0)),
            policy: scenario.policy.fresh(),
        }
    }

    /// The fleet as this gateway sees it.
    #[inline]
    pub(super) fn fleet(&self, now: Time) -> Fleet<'_> {
        Fleet::new(&self.hosts, self.guard.as_deref(), now)
    }

    /// Counts a call that goes to provider `p`, and returns the breaker's ticket for it.
    #[inline]
    pub(super) fn sent(&mut self, p: usize, now: Time) -> Ticket {
        match (self.hosts[p].sent(now), &mut self.guard) {
            (Some(ticket), _) => ticket,
            (None, Some(guard)) => guard.sent(p, now),
            (None, None) => Ticket::default(),
        }
    }

    /// Reports the end of an attempt to the breaker of its provider, or else to that of the fleet.
    #[inline]
    pub(super) fn record(&mut self, ticket: Ticket, ended: &Ended) {
        if !self.hosts[ended.provider].record(ticket, ended)
            && let Some(guard) = &mut self.guard
        {
            guard.record(ticket, ended);
        }
    }

    /// How often the breaker of provider `p` has opened.
    pub(super) fn trips(&self, p: usize) -> u64 {
        match (self.hosts[p].breaker(), &self.guard) {
            (Some(breaker), _) => breaker.trips(),
            (None, Some(guard)) => guard.trips(p),
            (None, None) => 0,
        }
    }

    /// How long the breaker of provider `p` has been open, up to `now`.
    pub(super) fn time_open(&self, p: usize, now: Time) -> Span {
        match (self.hosts[p].breaker(), &self.guard) {
            (Some(breaker), _) => breaker.time_open(now),
            (None, Some(guard)) => guard.time_open(p, now),
            (None, None) => Span::ZERO,
        }
    }
}
