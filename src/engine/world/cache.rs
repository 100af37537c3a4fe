//! The gateway's response cache: the lookup of a request that arrives, and what becomes of its answer.

use crate::client::Client;
use crate::client::response_cache::{Kept, Lookup, ResponseCache, Store};
use crate::engine::event::Event;
use crate::engine::tally::Hit;
use crate::engine::watch::What;
use crate::kernel::time::Span;
use crate::words::{Outcome, UNRATED};

use super::World;

/// What the cache has said of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    hit: Hit,
    /// What the answer is worth, in millionths, or [`UNRATED`].
    quality: u32,
}

/// The stores of all gateways: those of each one after the other.
pub(super) fn stores(client: &Client) -> Vec<Box<dyn Store>> {
    let caches = &client.response_caches.of;
    let each = (0..client.gateways).flat_map(|_| caches);
    each.map(|cache| cache.store.fresh()).collect()
}

impl<'w> World<'w> {
    /// The request in `slot` has arrived: it is answered from the cache, or goes on.
    #[inline(never)]
    pub(super) fn look_up(&mut self, slot: u32) {
        if self.served.len() <= slot as usize {
            self.served.resize(slot as usize + 1, None);
        }
        self.served[slot as usize] = None;
        let Some((cache, number)) = self.cache_of(slot) else {
            return self.ask_to_enter(slot);
        };
        let request = &self.requests[slot];
        let (key, deadline) = (request.key, request.deadline);
        let asked = self.lookup(slot);
        let found = self.stores[number].find(self.now, &asked);
        let lookup = cache.lookup(key);
        let Some(kept) = found else {
            self.note(slot, |_| What::Missed { after: lookup });
            return match lookup {
                Span::ZERO => self.ask_to_enter(slot),
                after => self.push_unless_late(slot, self.now + after, deadline, Event::Missed(slot)),
            };
        };
        let is_wrong = cache.is_wrong(key);
        let age = cache.store.knows_ages().then(|| self.now.since(kept.given));
        let served = Served {
            hit: Hit {
                saved: kept.cost,
                age,
                is_wrong,
            },
            quality: match kept.quality {
                rated if is_wrong && rated != UNRATED => 0,
                quality => quality,
            },
        };
        self.served[slot as usize] = Some(served);
        let own = (self.scenario.client.gateway_time.as_ref()).map_or(Span::ZERO, |own| own.call(key));
        let after = lookup + own;
        self.note(slot, |_| What::Found { after, hit: served.hit });
        match after {
            Span::ZERO => self.serve(slot),
            after => self.push_unless_late(slot, self.now + after, deadline, Event::Found(slot)),
        }
    }

    /// The request in `slot` is given the answer that was found for it.
    pub(super) fn serve(&mut self, slot: u32) {
        let Some(served) = self.served[slot as usize] else {
            return;
        };
        let request = &mut self.requests[slot];
        request.quality = served.quality;
        let ttft = self.now.since(request.arrived);
        self.finish_request(slot, Outcome::Success, ttft);
    }

    /// What the cache had to do with the request in `slot`, which ends well with an answer of this quality: the hit that it was, or
    /// nothing, and then its answer is kept.
    #[inline(never)]
    pub(super) fn answered(&mut self, slot: u32, quality: u32) -> Option<Hit> {
        if let Some(served) = self.served[slot as usize] {
            return Some(served.hit);
        }
        let request = &self.requests[slot];
        let of_group = match &self.scenario.client.groups {
            Some(groups) => groups.entry[usize::from(request.ask.class)] == request.group,
            None => true,
        };
        if let Some((_, number)) = self.cache_of(slot).filter(|_| of_group) {
            let kept = Kept {
                given: self.now,
                cost: request.cost,
                quality,
            };
            let asked = self.lookup(slot);
            self.stores[number].keep(&asked, kept);
        }
        None
    }

    /// The cache that the request in `slot` is looked up in, and the number of the store.
    fn cache_of(&self, slot: u32) -> Option<(&'w ResponseCache, usize)> {
        let request = &self.requests[slot];
        let client: &'w Client = &self.scenario.client;
        let group = match &client.groups {
            Some(groups) => groups.entry[usize::from(request.ask.class)],
            None => 0,
        };
        let caches = &client.response_caches;
        let at = caches.at(group)?;
        let cache = &caches.of[at];
        let gateway = if cache.per_gateway {
            usize::from(request.gateway)
        } else {
            0
        };
        Some((cache, gateway * caches.of.len() + at))
    }

    fn lookup(&self, slot: u32) -> Lookup {
        let request = &self.requests[slot];
        let class = usize::from(request.ask.class);
        let prompts = self.scenario.traffic.classes[class].prompts.as_ref();
        Lookup {
            class,
            prompt: prompts.map(|prompts| prompts.pick(request.key)),
            key: request.key,
        }
    }
}
