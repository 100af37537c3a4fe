//! Arrivals that follow the ends of others: the next turn of a user who has had its answer, or has failed to get one.
//!
//! The traffic is asked once for each request that ends, in the order of the ends. What it names arrives as an event: at equal
//! times in the order of scheduling, so after what was scheduled before that end and before the arrivals that the clock brings.
//! Nothing follows at or after the end of the window, when all arrivals stop. A mirrored copy has no user and is followed by
//! nothing. Where requests are turns of conversations or agent runs, these are counted here, as they end.

use crate::engine::event::{Event, MOST_SLOTS};
use crate::engine::tally::{DialogueEnd, Turned};
use crate::kernel::time::Span;
use crate::traffic::arrivals::Standing;
use crate::words::{Ask, Finished, Outcome};

use super::World;

impl World<'_> {
    /// The request in `slot` ends as `outcome`: what follows it is scheduled.
    #[inline(never)]
    pub(super) fn follow(&mut self, slot: u32, outcome: Outcome, ttft: Span) {
        let request = &self.requests[slot];
        let cost = request.cost;
        let ended = Finished {
            now: self.now,
            arrived: request.arrived,
            ask: request.ask,
            outcome,
            ttft,
        };
        let mut ask = Ask::default();
        let next = self.source.after(&ended, &mut ask);
        // Beyond that many the events could not say which it is: the user is gone.
        let next = next.filter(|&at| at < self.scenario.window.end && self.to_follow.len() < MOST_SLOTS);
        if let Some(at) = next {
            let place = self.to_follow.insert(ask);
            self.events.push(at, Event::Follow(place).pack());
        }
        if self.counts_dialogues {
            self.count_turn(&ended, cost, next.is_some());
        }
    }

    /// A request has ended, and if it was a turn of a dialogue, this may be over: `goes_on` says whether another turn comes.
    fn count_turn(&mut self, ended: &Finished, cost: u64, goes_on: bool) {
        let Some(dialogue) = self.source.dialogue(&ended.ask) else {
            return;
        };
        let window = self.scenario.window;
        let end = match dialogue.state {
            Standing::GoesOn if goes_on => None,
            Standing::GoesOn => Some(DialogueEnd::Cut),
            Standing::Done => Some(DialogueEnd::Done(ended.now.since(dialogue.began))),
            Standing::Failed => Some(DialogueEnd::Failed),
            Standing::Left => Some(DialogueEnd::Left),
        };
        let turned = Turned {
            arrived: ended.arrived,
            began: dialogue.began,
            cost: (ended.arrived >= window.warmup).then_some(cost),
            end: end.filter(|_| dialogue.began >= window.warmup),
        };
        self.tally.turn(&self.scenario.lenses, &ended.ask, &turned);
    }

    /// The arrival in `place` comes.
    pub(super) fn arrive_after(&mut self, place: u32) {
        let ask = self.to_follow[place];
        self.to_follow.remove(place);
        self.arrive(self.now, &ask);
    }
}
