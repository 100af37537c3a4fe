//! What a policy hears of the ends of its calls, if it asks for them: each call that it was told of ends exactly once.
//!
//! A call that gets a connection ends in `World::close`; one that does not ends where it is refused or leaves the line.

use crate::kernel::time::Time;
use crate::words::{Ended, Outcome};

use super::{Request, Way, World};

impl Request {
    /// How attempt `number` at it ended for the policy, which went to `provider`, or would have, and never got a connection.
    pub(super) fn never_connected(
        &self,
        now: Time,
        provider: usize,
        number: u32,
        outcome: Outcome,
        ticket: u64,
    ) -> Ended {
        Ended {
            class: self.ask.class,
            user: self.ask.user,
            tags: self.ask.tags,
            priority: self.ask.priority,
            input: self.ask.input,
            max_output: self.ask.max_output,
            attempt: number,
            notes: self.notes,
            ticket,
            connected: false,
            mirrored: self.shadow,
            ..Ended::new(now, provider, outcome)
        }
    }
}

impl World<'_> {
    /// Keeps what the policy has left of the attempt in `slot` until it ends.
    #[inline(never)]
    pub(super) fn keep_ticket(&mut self, slot: u32, ticket: u64) {
        if self.tickets.len() <= slot as usize {
            self.tickets.resize(slot as usize + 1, 0);
        }
        self.tickets[slot as usize] = ticket;
    }

    /// Tells the policy that the attempt that went this `way` is over without a connection.
    #[inline(never)]
    pub(super) fn never_connected(&mut self, way: Way, outcome: Outcome, ticket: u64) {
        let request = &self.requests[way.request];
        let ended = Ended {
            hedge: way.hedge,
            ..request.never_connected(self.now, way.provider as usize, way.number, outcome, ticket)
        };
        let gateway = usize::from(request.gateway);
        self.tell_policy_end(gateway, &ended);
    }

    /// Tells the policy that the attempt in `slot`, which had a connection, is over.
    #[inline(never)]
    pub(super) fn tell_end(&mut self, slot: u32, way: Way, ended: &Ended) {
        let ended = Ended {
            ticket: self.tickets[slot as usize],
            ..*ended
        };
        let gateway = usize::from(self.requests[way.request].gateway);
        self.tell_policy_end(gateway, &ended);
    }
}
