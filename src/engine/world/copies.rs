//! Copies of a request: a hedge sent, the race between copies decided, the losers called off.

use crate::client::hedge::Race;
use crate::engine::event::Event;
use crate::kernel::time::Time;
use crate::words::Outcome;

use super::{Copies, MOST_COPIES, Stage, World};

impl Copies {
    /// The number of attempts under way or in line.
    #[inline]
    pub(super) fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// The slots of these attempts.
    #[inline]
    pub(super) fn slots(&self) -> &[u32] {
        &self.slots[..self.count()]
    }

    /// Adds an attempt; there must be room for it.
    #[inline]
    pub(super) fn add(&mut self, slot: u32) {
        let at = self.count();
        self.slots[at] = slot;
        self.count += 1;
    }

    /// Removes an attempt.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        if self.count == 1 {
            debug_assert_eq!(self.slots[0], slot);
            self.count = 0;
        } else if let Some(at) = self.slots().iter().position(|&s| s == slot) {
            let last = self.count() - 1;
            self.slots[at] = self.slots[last];
            self.count -= 1;
        }
    }
}

impl World<'_> {
    /// Sets the time of the first copy of the try that begins now.
    #[inline]
    pub(super) fn plan_hedge(&mut self, slot: u32) {
        let Some(hedge) = &mut self.hedge else { return };
        let request = &mut self.requests[slot];
        request.hedges = 0;
        request.hedge_at = Time::NEVER;
        if let Some(wait) = hedge.wait(self.now, usize::from(request.ask.class)) {
            request.hedge_at = self.now + wait;
            self.events.push(request.hedge_at, Event::Hedge(slot).pack());
            self.tally.effort.hedges_planned += 1;
        }
    }

    /// Handles the end of the wait before another copy of the request in `slot`.
    pub(super) fn hedge(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        if request.hedge_at != self.now {
            return;
        }
        request.hedge_at = Time::NEVER;
        if self.is_impatient && self.now >= request.deadline {
            return;
        }
        if request.copies.count() == 0 || request.copies.count() == MOST_COPIES || self.has_begun(slot) {
            return;
        }
        let sent = self.requests[slot].hedges;
        let Some(hedge) = &mut self.hedge else { return };
        // A copy that is denied or has no provider to go to is not tried again: with a delay of zero that would never
        // end.
        if !hedge.fire(self.now, sent) || !self.send_copy(slot) {
            return;
        }
        let Some(hedge) = &mut self.hedge else { return };
        let request = &mut self.requests[slot];
        if let Some(wait) = hedge.wait_again(self.now, usize::from(request.ask.class), request.hedges) {
            request.hedge_at = self.now + wait;
            self.events.push(request.hedge_at, Event::Hedge(slot).pack());
        }
    }

    /// Sends one more copy of the request in `slot`, if a provider can take it. Returns whether one did.
    #[inline(never)]
    pub(super) fn send_copy(&mut self, slot: u32) -> bool {
        if !self.dispatch(slot, true) {
            self.tally.effort.hedges_stranded += 1;
            return false;
        }
        let request = &mut self.requests[slot];
        request.hedges += 1;
        // From now on the race is decided by first tokens: the copy, once sent, schedules its own.
        let (copies, is_first) = (request.copies, request.hedges == 1);
        if is_first && self.races_for_first_token() {
            for &attempt in copies.slots() {
                if !self.attempts[attempt].way.hedge {
                    self.expect_first_token(attempt);
                }
            }
        }
        true
    }

    /// Whether copies race for the first token.
    pub(super) fn races_for_first_token(&self) -> bool {
        self.hedge.as_ref().is_some_and(|h| h.race() == Race::FirstToken)
    }

    /// Schedules the first token of the attempt in `slot`, which has at least one rival.
    pub(super) fn expect_first_token(&mut self, slot: u32) {
        let attempt = &self.attempts[slot];
        let at = attempt.since + attempt.answer.first_token;
        if attempt.stage == Stage::Away && at != Time::NEVER && at >= self.now {
            self.events.push(at, Event::FirstToken(slot).pack());
        }
    }

    /// Whether an answer to the request in `slot` has begun.
    pub(super) fn any_has_begun(&self, slot: u32) -> bool {
        let begun = |&attempt: &u32| {
            let attempt = &self.attempts[attempt];
            attempt.stage == Stage::Away && attempt.since + attempt.answer.first_token <= self.now
        };
        self.requests[slot].copies.slots().iter().any(begun)
    }

    /// Whether an answer to the request in `slot` has begun, in a race that is decided by first tokens.
    fn has_begun(&self, slot: u32) -> bool {
        self.races_for_first_token() && self.any_has_begun(slot)
    }

    /// Handles the first token of the attempt in `slot`: its rivals are called off.
    pub(super) fn first_token(&mut self, slot: u32) {
        let attempt = &self.attempts[slot];
        if attempt.stage != Stage::Away || attempt.since + attempt.answer.first_token != self.now {
            return;
        }
        let request = attempt.way.request;
        self.requests[request].hedge_at = Time::NEVER;
        self.call_off_rivals(request, slot);
    }

    /// Calls off every attempt of the request in `slot` but the one in `winner`.
    #[inline]
    pub(super) fn call_off_rivals(&mut self, slot: u32, winner: u32) {
        if self.requests[slot].copies.count() > 0 {
            self.call_off_all_but(slot, winner);
        }
    }

    #[inline(never)]
    fn call_off_all_but(&mut self, slot: u32, winner: u32) {
        self.leave_lines(slot, winner);
        let copies = self.requests[slot].copies;
        for &attempt in copies.slots().iter().filter(|&&a| a != winner) {
            if self.attempts[attempt].stage == Stage::Away {
                self.attempts[attempt].stage = Stage::CalledOff;
                self.requests[slot].copies.remove(attempt);
                self.close_called_off(attempt);
            }
        }
    }

    /// Takes every attempt of the request in `slot` but the one in `winner` out of the line for connections. This comes
    /// before a connection is freed, so that the connection does not go to an attempt that is about to be called off.
    pub(super) fn leave_lines(&mut self, slot: u32, winner: u32) {
        let copies = self.requests[slot].copies;
        for &attempt in copies.slots().iter().filter(|&&a| a != winner) {
            if self.attempts[attempt].stage == Stage::InLine {
                self.leave_line(attempt, Outcome::Cancelled);
            }
        }
    }
}
