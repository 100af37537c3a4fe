//! Everything that can happen besides an arrival of the clock's, packed into the payload of the event set.

use crate::kernel::queue::MAX_PAYLOAD;

const KIND_BITS: u32 = 4;
const SLOT_BITS: u32 = 24;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;

/// The largest number of requests in the system at once, and of attempts.
pub const MOST_SLOTS: usize = SLOT_MASK as usize;

/// An event of the simulation, other than an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The attempt in this slot ends: answered, failed or timed out, as decided when it was sent. If it has been called off
    /// meanwhile, its slot is free from now on.
    AttemptEnds(u32),
    /// The back-off of the request in this slot is over.
    TryAgain(u32),
    /// The request in this slot has slept outside the gate long enough, and asks for admission again.
    AskAgain(u32),
    /// The request in this slot has slept inside the gate long enough, and is routed.
    GoNow(u32),
    /// The request in this slot has reached the limit of its wait in the admission queue. Stale if it no longer waits.
    WaitOver(u32),
    /// The attempt in this slot has reached the limit of its wait for a connection. Stale if it no longer waits.
    LineOver(u32),
    /// The request in this slot, asleep or backing off, has run out of time.
    GiveUp(u32),
    /// The caller learns of the failure of the request in this slot, which is not retried in its group of providers.
    Resolve(u32),
    /// Time for another copy (a hedge) of the request in this slot. Stale if its answer has begun, or another time was
    /// set.
    Hedge(u32),
    /// The attempt in this slot, one of several copies, has its first token. Stale if it has been called off.
    FirstToken(u32),
    /// The judge of the answer to the request in this slot has reached its decision.
    Judged(u32),
    /// The arrival in this slot, which follows the end of another request, comes.
    Follow(u32),
    /// The request in this slot is given the answer that the response cache had for it.
    Found(u32),
    /// The response cache has nothing for the request in this slot, which goes on.
    Missed(u32),
    /// The answer to the attempt in this slot, a retry, begins. Stale if it has been called off.
    Headers(u32),
    /// A limiter lets the head of the queue pass. Stale if there is none.
    Admit,
}

impl Event {
    /// Packs the event into a payload.
    #[inline]
    pub const fn pack(self) -> u32 {
        let (kind, slot) = match self {
            Event::AttemptEnds(slot) => (0, slot),
            Event::TryAgain(slot) => (1, slot),
            Event::AskAgain(slot) => (2, slot),
            Event::GoNow(slot) => (3, slot),
            Event::WaitOver(slot) => (4, slot),
            Event::LineOver(slot) => (5, slot),
            Event::GiveUp(slot) => (6, slot),
            Event::Resolve(slot) => (7, slot),
            Event::Hedge(slot) => (8, slot),
            Event::FirstToken(slot) => (9, slot),
            Event::Judged(slot) => (10, slot),
            Event::Follow(slot) => (11, slot),
            Event::Admit => (12, 0),
            Event::Found(slot) => (13, slot),
            Event::Missed(slot) => (14, slot),
            Event::Headers(slot) => (15, slot),
        };
        (kind << SLOT_BITS) | slot
    }

    /// Unpacks a payload that [`Event::pack`] made.
    #[inline]
    pub const fn unpack(payload: u32) -> Event {
        let slot = payload & SLOT_MASK;
        match payload >> SLOT_BITS {
            0 => Event::AttemptEnds(slot),
            1 => Event::TryAgain(slot),
            2 => Event::AskAgain(slot),
            3 => Event::GoNow(slot),
            4 => Event::WaitOver(slot),
            5 => Event::LineOver(slot),
            6 => Event::GiveUp(slot),
            7 => Event::Resolve(slot),
            8 => Event::Hedge(slot),
            9 => Event::FirstToken(slot),
            10 => Event::Judged(slot),
            11 => Event::Follow(slot),
            13 => Event::Found(slot),
            14 => Event::Missed(slot),
            15 => Event::Headers(slot),
            _ => Event::Admit,
        }
    }
}

const _: () = assert!(KIND_BITS + SLOT_BITS == 28 && MAX_PAYLOAD == (1 << 28) - 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_survives_packing() {
        let slot = SLOT_MASK - 5;
        for event in [
            Event::AttemptEnds(slot),
            Event::TryAgain(slot),
            Event::AskAgain(slot),
            Event::GoNow(slot),
            Event::WaitOver(slot),
            Event::LineOver(slot),
            Event::GiveUp(slot),
            Event::Resolve(slot),
            Event::Hedge(slot),
            Event::FirstToken(slot),
            Event::Judged(slot),
            Event::Follow(slot),
            Event::Found(slot),
            Event::Missed(slot),
            Event::Headers(slot),
            Event::Admit,
        ] {
            assert_eq!(Event::unpack(event.pack()), event);
            assert!(event.pack() <= MAX_PAYLOAD);
        }
    }
}
