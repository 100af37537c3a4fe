//! What the world tells a watcher, if it has one ([`crate::engine::watch`]).

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
                watch.breaker(self.now, &gateway.seen(number, provider, self.now));
            }
        }
    }
}

impl Gateway {
    /// The breaker of `provider` at `now`, where this is gateway `number`.
    fn seen(&self, number: usize, provider: usize, now: Time) -> Seen {
        let open_for = self.time_open(provider, now);
        let soon = now + Span::from_nanos(1);
        Seen {
            gateway: number,
            provider,
            trips: self.trips(provider),
            open_for,
            is_open: self.time_open(provider, soon) > open_for,
            is_closed: self.hosts[provider].is_closed()
                || self.guard.is_none() && self.hosts[provider].breaker().is_none(),
        }
    }
}
