//! Connections: how an attempt comes to one, and gives it back; and how one that stands in line for it leaves the line.

use crate::client::host::Connected;
use crate::engine::watch::What;
use crate::words::{Ended, Outcome, Outcomes};

use super::{Attempt, Stage, World};

/// The ends of an attempt whose connection cannot be used again: it broke, or was cut while an answer was on its way.
const CONNECTION_LOST: Outcomes = Outcomes::TIMEOUTS.and(Outcomes::of(&[
    Outcome::ConnectionError,
    Outcome::Truncated,
    Outcome::Cancelled,
]));

impl World<'_> {
    /// Takes a connection of pool number `pool`, if there is one to take.
    #[inline]
    pub(super) fn connect(&mut self, pool: usize) -> Connected {
        let pool = &mut self.pools[pool];
        match pool.cluster() {
            None => pool.connect(self.now),
            Some(cluster) => pool.connect_in(&mut self.clusters[cluster], self.now),
        }
    }

    /// Gives a connection of pool number `pool` back, on which an attempt came to `outcome`. Returns the slot of the attempt that goes on
    /// it next, if one waits.
    #[inline]
    pub(super) fn disconnect(&mut self, pool: usize, outcome: Outcome) -> Option<u32> {
        let pool = &mut self.pools[pool];
        match pool.cluster() {
            None => pool.disconnect(self.now),
            Some(cluster) => {
                let cluster = &mut self.clusters[cluster];
                pool.disconnect_in(cluster, self.now, CONNECTION_LOST.contains(outcome))
            }
        }
    }

    /// Puts the attempt in `slot` in the line of pool number `pool`.
    pub(super) fn stand_in_line(&mut self, pool: usize, slot: u32) {
        let pool = &mut self.pools[pool];
        pool.stand_in_line(slot);
        if let Some(cluster) = pool.cluster() {
            self.clusters[cluster].joins_line();
        }
    }

    /// Takes the attempt in `slot` out of the line of pool number `pool`.
    fn leave_pool_line(&mut self, pool: usize, slot: u32) {
        let pool = &mut self.pools[pool];
        pool.give_up(slot);
        if let Some(cluster) = pool.cluster() {
            self.clusters[cluster].leaves_line();
        }
    }

    /// The attempt in `slot` leaves the line without a connection, and is gone: its wait has come to `outcome`. To a breaker
    /// it is a wait that was too long, whatever ended it.
    pub(super) fn leave_line(&mut self, slot: u32, outcome: Outcome) {
        let attempt = self.attempts[slot];
        let p = attempt.way.provider as usize;
        self.leave_pool_line(self.scenario.fleet[p].pool, slot);
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
        // The attempt is called off; it is the request that is abandoned.
        let outcome = self.waited_out(attempt.way.request);
        let is_left = outcome == Outcome::Abandoned;
        let outcome = if is_left { Outcome::Cancelled } else { outcome };
        self.leave_line(slot, outcome);
        if self.requests[attempt.way.request].copies.count() > 0 {
            return;
        }
        if is_left {
            return self.end_left(attempt.way.request, Outcome::Abandoned);
        }
        let p = attempt.way.provider as usize;
        self.failed(attempt.way.request, outcome, None, Some(p));
    }
}
