//! What the world tells a watcher, if it has one ([`crate::engine::watch`]).

use crate::engine::scenario::Scenario;
use crate::engine::watch::{Seen, Watch, What};
use crate::kernel::time::{Span, Time};

use super::gateway::Gateway;
use super::{Way, World};
use crate::engine::watch::Sending;

impl Way {
    /// The attempt that goes this way.
    pub(super) fn sending(&self) -> Sending {
        Sending {
            number: self.number,
            provider: self.provider as usize,
            hedge: self.hedge,
        }
    }
}

impl<'a> World<'a> {
    /// Has `watch` look on from now on.
    pub(crate) fn watched_by(&mut self, watch: &'a mut dyn Watch) {
        self.watches_breakers = watch.watches_breakers();
        self.watch = Some(watch);
    }

    /// Tells the watcher what happens to the request in `slot`, if there is one.
    #[inline(always)]
    pub(super) fn note(&mut self, slot: u32, what: impl FnOnce(&Self) -> What) {
        if self.watch.is_some() {
            let what = what(self);
            self.tell_watch(slot, &what);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_watch(&mut self, slot: u32, what: &What) {
        if let Some(watch) = &mut self.watch {
            watch.note(self.now, slot, what);
        }
    }

    /// Shows the watcher every breaker, if it watches them.
    #[inline(always)]
    pub(super) fn show_breakers(&mut self) {
        if self.watches_breakers {
            self.show_all_breakers();
        }
    }

    #[cold]
    #[inline(never)]
    fn show_all_breakers(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        for (number, gateway) in self.gateways.iter().enumerate() {
            for provider in 0..gateway.hosts.len() {
                watch.breaker(self.now, &gateway.seen(self.scenario, number, provider, self.now));
            }
        }
    }
}

impl Gateway {
    /// A time so short that nothing changes, and long enough for the time that `provider`'s breakers are open to grow: a nanosecond for
    /// each of the groups that it is in, of whose times that is the mean.
    fn moment(&self, scenario: &Scenario, provider: usize) -> Span {
        let groups = scenario.client.groups.as_ref();
        Span::from_nanos(groups.map_or(1, |groups| groups.with(provider).count().max(1) as u64))
    }

    /// The breaker of `provider` at `now`, where this is gateway `number`.
    fn seen(&self, scenario: &Scenario, number: usize, provider: usize, now: Time) -> Seen {
        let open_for = self.time_open(scenario, provider, now);
        let soon = now + self.moment(scenario, provider);
        Seen {
            gateway: number,
            provider,
            trips: self.trips(provider),
            open_for,
            is_open: self.time_open(scenario, provider, soon) > open_for,
            is_closed: self.hosts[provider].is_closed()
                || self.guard.is_none() && self.of_groups.is_empty() && self.hosts[provider].breaker().is_none(),
        }
    }
}
