//! The line for a connection: how an attempt that stands in one leaves it.

use crate::engine::watch::What;
use crate::words::{Ended, Outcome};

use super::{Attempt, Stage, World};

impl World<'_> {
    /// The attempt in `slot` leaves the line without a connection, and is gone: its wait has come to `outcome`. To a breaker
    /// it is a wait that was too long, whatever ended it.
    pub(super) fn leave_line(&mut self, slot: u32, outcome: Outcome) {
        let attempt = self.attempts[slot];
        let p = attempt.way.provider as usize;
        self.pools[self.scenario.fleet[p].pool].give_up(slot);
        self.no_longer_in_line(&attempt);
        let ended = Ended::new(self.now, p, Outcome::QueueTimeout);
        let group = self.requests[attempt.way.request].group;
        self.gateway_of(attempt.way).record(group, attempt.way.ticket, &ended);
        self.show_breakers();
        self.note(attempt.way.request, |_| What::LeftLine {
            number: attempt.way.number,
            outcome,
        });
        if self.wants.ends {
            self.never_connected(attempt.way, outcome, self.tickets[slot as usize]);
        }
        self.forget(slot);
        self.requests[attempt.way.request].copies.remove(slot);
    }

    /// Counts the wait of `attempt`, unless its request was under way meanwhile.
    #[inline]
    pub(super) fn no_longer_in_line(&mut self, attempt: &Attempt) {
        self.gateway_of(attempt.way).hosts[attempt.way.provider as usize].in_line -= 1;
        if !attempt.way.hedge {
            self.requests[attempt.way.request].waited += self.now.since(attempt.since);
        }
    }

    pub(super) fn line_over(&mut self, slot: u32) {
        let attempt = self.attempts[slot];
        if attempt.stage != Stage::InLine || attempt.until != self.now {
            return;
        }
        let outcome = if self.now >= self.requests[attempt.way.request].deadline {
            Outcome::TimeoutTotal
        } else {
            Outcome::QueueTimeout
        };
        self.leave_line(slot, outcome);
        if self.requests[attempt.way.request].copies.count() > 0 {
            return;
        }
        let p = attempt.way.provider as usize;
        self.failed(attempt.way.request, outcome, None, Some(p));
    }
}
