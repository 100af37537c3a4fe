//! Arrivals that follow the ends of others: the next turn of a user who has had its answer, or has failed to get one.
//!
//! The traffic is asked once for each request that ends, in the order of the ends. What it names arrives as an event: at equal
//! times in the order of scheduling, so after what was scheduled before that end and before the arrivals that the clock brings.
//! Nothing follows at or after the end of the window, when all arrivals stop. A mirrored copy has no user and is followed by
//! nothing.

use crate::engine::event::{Event, MOST_SLOTS};
use crate::words::{Ask, Finished, Outcome};

use super::World;

impl World<'_> {
    /// The request in `slot` ends as `outcome`: what follows it is scheduled.
    #[inline(never)]
    pub(super) fn follow(&mut self, slot: u32, outcome: Outcome) {
        let request = &self.requests[slot];
        let ended = Finished {
            now: self.now,
            arrived: request.arrived,
            ask: request.ask,
            outcome,
        };
        let mut ask = Ask::default();
        let Some(at) = self.source.after(&ended, &mut ask) else {
            return;
        };
        // Beyond that many the events could not say which it is: the user is gone.
        if at < self.scenario.window.end && self.to_follow.len() < MOST_SLOTS {
            let place = self.to_follow.insert(ask);
            self.events.push(at, Event::Follow(place).pack());
        }
    }

    /// The arrival in `place` comes.
    pub(super) fn arrive_after(&mut self, place: u32) {
        let ask = self.to_follow[place];
        self.to_follow.remove(place);
        self.arrive(self.now, &ask);
    }
}
