//! What became of conversations and agent runs, counted by when they began: those that began inside the counted window.
//!
//! One that is under way when the window ends is cut: no further turn of it comes, so that how long it would have taken is not known. Turns
//! and their cost are those of counted requests, so that where traffic is steady they are those of as many dialogues as begin.

use serde::{Deserialize, Serialize};

use crate::engine::lens::Lenses;
use crate::kernel::time::{Span, Time};
use crate::stats::histogram::Histogram;
use crate::words::Ask;

use super::Tally;

/// What became of the dialogues of a class, or of those that a lens looks at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DialogueTally {
    /// From the first turn's arrival to the last one's end, of those that came to their end.
    pub time: Histogram,
    /// Those in which a turn failed for good.
    pub failed: u64,
    /// Those whose user left because an answer took too long to begin.
    pub left: u64,
    /// Those that were under way when the window ended.
    pub cut: u64,
    /// Counted requests that are turns, whenever their dialogue began.
    pub turns: u64,
    /// Pico-dollars for the attempts of those turns.
    pub cost: u128,
}

/// How a dialogue came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogueEnd {
    /// The last turn was answered, this long after the first arrived.
    Done(Span),
    /// A turn failed for good.
    Failed,
    /// The user left.
    Left,
    /// The window ended before.
    Cut,
}

impl DialogueTally {
    /// Dialogues that began in the counted window.
    pub fn begun(&self) -> u64 {
        self.time.count() + self.failed + self.left + self.cut
    }

    /// Adds what was counted in another replication.
    pub fn merge(&mut self, other: &DialogueTally) {
        self.time.merge(&other.time);
        self.failed += other.failed;
        self.left += other.left;
        self.cut += other.cut;
        self.turns += other.turns;
        self.cost += other.cost;
    }

    /// Frees what only counting needs.
    pub fn pack(&mut self) {
        self.time.pack();
    }

    pub(in crate::engine) fn turn(&mut self, cost: u64) {
        self.turns += 1;
        self.cost += u128::from(cost);
    }

    pub(in crate::engine) fn end(&mut self, end: DialogueEnd) {
        match end {
            DialogueEnd::Done(took) => self.time.record(took),
            DialogueEnd::Failed => self.failed += 1,
            DialogueEnd::Left => self.left += 1,
            DialogueEnd::Cut => self.cut += 1,
        }
    }
}

/// A turn that has ended, and with it perhaps its dialogue.
#[derive(Clone, Copy, Debug)]
pub struct Turned {
    /// When the turn arrived.
    pub arrived: Time,
    /// When its dialogue began.
    pub began: Time,
    /// What the turn cost in pico-dollars, if it is a counted request.
    pub cost: Option<u64>,
    /// How the dialogue ended, if it is over and is counted.
    pub end: Option<DialogueEnd>,
}

impl Tally {
    /// A turn of a dialogue has ended.
    pub fn turn(&mut self, lenses: &Lenses, ask: &Ask, turned: &Turned) {
        if let Some(dialogues) = &mut self.classes[usize::from(ask.class)].dialogues {
            turned.cost.into_iter().for_each(|cost| dialogues.turn(cost));
            turned.end.into_iter().for_each(|end| dialogues.end(end));
        }
        if !self.lenses.is_empty() {
            self.see_turn(lenses, ask, turned);
        }
    }
}
