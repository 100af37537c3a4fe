//! Mirrored copies: sent beside the first attempt at a request, paid for, their answers discarded.
//!
//! A copy goes only if a connection is free, and ends with the request's own deadline (as a mirrored request of Envoy is fire
//! and forget). Breakers, budgets and [`crate::routing::Policy::learn`] are not told of it; a policy that counts calls is,
//! since it chose where the copy goes ([`crate::routing::Policy::ended`]).

use crate::client::breaker::Ticket;
use crate::client::host::Connected;
use crate::engine::event::MOST_SLOTS;
use crate::engine::watch::{Arrival, What};
use crate::kernel::time::Span;
use crate::routing::Fleet;
use crate::words::Outcome;

use super::age::as_seen;
use super::gateway::watching;
use super::{Attempt, Gateway, Place, Request, Way, World};

/// The part of a request's randomness that belongs to its mirrored copy: nothing else draws from it.
const OF_MIRRORS: u64 = 1 << 32;

impl World<'_> {
    /// Routes the request in `slot` for the first time, and sends a mirrored copy of it if the policy asks for one. The
    /// request goes first, so that the copy cannot take a connection that it needs.
    #[inline(never)]
    pub(super) fn route_with_copy(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        request.mirrored = true;
        let call = request.call(false);
        let Gateway {
            hosts,
            guard,
            of_groups,
            policy,
        } = &mut self.gateways[usize::from(request.gateway)];
        let watch = watching(of_groups, guard.as_deref(), request.group);
        let fleet = as_seen(
            Fleet::new(hosts, watch, self.now),
            self.aged.as_ref(),
            usize::from(request.gateway),
        );
        let copy_to = policy.mirror(&call, &fleet);
        // The request may have ended, and its slot be reused, before the copy is made.
        let copy = Request {
            ask: request.ask,
            key: request.key.part(OF_MIRRORS),
            gateway: request.gateway,
            group: request.group,
            arrived: request.arrived,
            deadline: request.deadline,
            wait_since: self.now,
            place: Place::Out,
            tries: 1,
            mirrored: true,
            shadow: true,
            ..Request::BLANK
        };
        self.route(slot);
        if let Some(to) = copy_to {
            self.send_mirrored(copy, to);
        }
    }

    /// Sends `copy` to provider `to`, if a connection to it is free.
    fn send_mirrored(&mut self, mut copy: Request, to: usize) {
        let call = copy.call(false);
        if self.wants.ends {
            let gateway = usize::from(copy.gateway);
            match &mut self.aged {
                Some(aged) if aged.delays_own() => call.ticket.set(aged.sent(gateway, &call, to)),
                _ => self.gateways[gateway].policy.sent(&call, to),
            }
            copy.notes = call.notes.get();
        }
        copy.attempts = 1;
        copy.provider = to as u32;
        let too_many = self.requests.len() >= MOST_SLOTS || self.attempts.len() >= MOST_SLOTS;
        if too_many || self.connect(self.scenario.fleet[to].pool) != Connected::Now {
            if self.wants.ends {
                let ended = copy.never_connected(self.now, to, 0, Outcome::Shed, call.ticket.get());
                self.tell_policy_end(usize::from(copy.gateway), &ended);
            }
            return;
        }
        let attempt = self.attempts.claim(Attempt::BLANK);
        copy.copies.add(attempt);
        if self.wants.ends {
            self.keep_ticket(attempt, call.ticket.get());
        }
        let way = Way {
            request: self.requests.insert(copy),
            provider: to as u32,
            number: 0,
            ticket: Ticket(0),
            hedge: false,
        };
        self.shadows += 1;
        self.note(way.request, |world| {
            What::Arrived(Arrival {
                ask: copy.ask,
                whole_input: copy.ask.input,
                deadline: world.times_out(&copy),
                gateway: copy.gateway,
                shadow: true,
            })
        });
        self.send_waiting(attempt, way);
    }

    /// Ends the mirrored copy whose attempt is in `slot`, and frees it.
    pub(super) fn mirror_ends(&mut self, slot: u32, outcome: Outcome) {
        self.close(slot, outcome);
        let copy = self.attempts[slot].way.request;
        self.forget(slot);
        let request = &self.requests[copy];
        if request.arrived >= self.scenario.window.warmup {
            self.tally.effort.mirrored += 1;
            self.tally.mirrored += u128::from(request.cost);
        }
        self.note(copy, |world| world.ending(copy, outcome, Span::ZERO));
        self.requests.remove(copy);
        self.shadows -= 1;
    }
}
