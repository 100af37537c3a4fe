//! Copies that nobody waits for: sent beside the first attempt at a request, paid for, and otherwise without effect.
//!
//! A copy goes only if a connection is free, is told to no breaker and to no policy, and ends with the request's own deadline
//! (as a mirrored request of Envoy is fire and forget).

use crate::client::breaker::Ticket;
use crate::client::host::Connected;
use crate::engine::event::MOST_SLOTS;
use crate::kernel::time::Time;
use crate::request::Outcome;
use crate::routing::Fleet;

use super::{Attempt, Place, Request, Way, World};

/// Which part of a request's randomness its copy has.
const OF_MIRRORS: u64 = 1;

impl World<'_> {
    /// Sends a copy of the request in `slot`, if the policy asks for one.
    #[inline(never)]
    pub(super) fn mirror(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        request.mirrored = true;
        let call = request.call(false);
        let fleet = Fleet::new(&self.hosts, self.guard.as_deref(), self.now);
        let Some(p) = self.policy.mirror(&call, &fleet) else {
            return;
        };
        if self.requests.len() >= MOST_SLOTS || self.attempts.len() >= MOST_SLOTS {
            return;
        }
        let pool = &mut self.pools[self.scenario.fleet[p].pool];
        if pool.connect(self.now) != Connected::Now {
            return;
        }
        let original = self.requests[slot];
        let copy = self.requests.claim(Request::BLANK);
        self.requests[copy] = Request {
            ask: original.ask,
            key: original.key.part(OF_MIRRORS),
            arrived: original.arrived,
            deadline: original.deadline,
            wait_since: self.now,
            place: Place::Out,
            attempts: 1,
            tries: 1,
            provider: p as u32,
            mirrored: true,
            shadow: true,
            hedge_at: Time::NEVER,
            ..Request::BLANK
        };
        self.shadows += 1;
        let attempt = self.attempts.claim(Attempt::BLANK);
        self.requests[copy].copies.add(attempt);
        let way = Way {
            request: copy,
            provider: p as u32,
            number: 0,
            ticket: Ticket(0),
            hedge: false,
        };
        self.send_waiting(attempt, way);
    }

    /// The copy whose attempt is in `slot` is over, and gone.
    pub(super) fn mirror_ends(&mut self, slot: u32, outcome: Outcome) {
        self.close(slot, outcome);
        let copy = self.attempts[slot].way.request;
        self.forget(slot);
        let request = &self.requests[copy];
        if request.arrived >= self.scenario.window.warmup {
            self.tally.effort.mirrored += 1;
            self.tally.mirrored += u128::from(request.cost);
        }
        self.requests.remove(copy);
        self.shadows -= 1;
    }
}
