//! Users that leave: a request whose answer has not begun by its user's own patience, counted from its arrival, is called off.
//!
//! Until an answer begins, the patience is as a timeout of the whole request: waits, back-offs and lines end with it. An attempt that is
//! under way is decided when it is sent, as every attempt is: if its first token comes after its user has left, it ends then, called off
//! like a copy that is not needed any more, with what the provider bills for that. Where another copy's answer has begun by then, the
//! user stays with that, and the copy that has not begun is called off alone. An answer that has begun in time is waited for; if it
//! breaks off after the user's patience is over, nothing is tried again. An answer that a judge is to see first has not begun for its
//! user: it is finished, and billed, before its user is found gone.

use crate::kernel::chance::Purpose;
use crate::kernel::time::{Span, Time};
use crate::words::Outcome;

use super::{Request, World};

impl World<'_> {
    /// When the user of `request` leaves if no answer has begun.
    fn leaves(&self, request: &Request) -> Time {
        let patience = &self.scenario.traffic.classes[usize::from(request.ask.class)].patience;
        patience.as_ref().map_or(Time::NEVER, |law| {
            let nanos = law.draw(request.key, Purpose::Patience) + 0.5;
            request.arrived + Span::from_nanos(nanos as u64)
        })
    }

    /// When the timeout of the whole request strikes, whatever its user does.
    pub(super) fn times_out(&self, request: &Request) -> Time {
        request.arrived + self.scenario.client.timeouts.total
    }

    /// The request in `slot` has arrived: it waits for an answer to begin no longer than its user does.
    #[inline(never)]
    pub(super) fn set_patience(&mut self, slot: u32) {
        let leaves = self.leaves(&self.requests[slot]);
        let request = &mut self.requests[slot];
        request.deadline = request.deadline.min(leaves);
    }

    /// How long an attempt at `request` that is sent now may take, and how long its first token may.
    #[inline(never)]
    pub(super) fn has_left(&self, request: &Request) -> (Span, Span) {
        let first_token = match request.shadow {
            true => Span::FOREVER,
            false => request.deadline.since(self.now),
        };
        (self.times_out(request).since(self.now), first_token)
    }

    /// Whether the user of the request in `slot` has left, unless its answer has begun.
    #[inline(never)]
    pub(super) fn is_left(&self, slot: u32) -> bool {
        self.now >= self.leaves(&self.requests[slot])
    }

    /// How the wait of the request in `slot` has ended, whose time is up or whose place in a line is given up.
    pub(super) fn waited_out(&self, slot: u32) -> Outcome {
        if self.is_impatient && self.is_left(slot) {
            Outcome::Abandoned
        } else if self.now >= self.requests[slot].deadline {
            Outcome::TimeoutTotal
        } else {
            Outcome::QueueTimeout
        }
    }

    /// The request in `slot`, no attempt at which is under way, ends, since nothing is tried once its user has left.
    #[inline(never)]
    pub(super) fn end_left(&mut self, slot: u32, outcome: Outcome) {
        self.end(slot, outcome, Span::ZERO);
        self.admit();
    }

    /// The user of the request whose attempt is in `slot` has no first token of it now that its patience is over.
    #[inline(never)]
    pub(super) fn abandon(&mut self, slot: u32) {
        let request = self.attempts[slot].way.request;
        let stays = self.any_has_begun(request);
        if !stays {
            self.leave_lines(request, slot);
        }
        self.close_called_off(slot);
        self.forget(slot);
        self.requests[request].copies.remove(slot);
        if !stays {
            self.call_off_rivals(request, slot);
            self.end_left(request, Outcome::Abandoned);
        }
    }
}
