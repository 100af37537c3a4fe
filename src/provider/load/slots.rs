//! A fixed number of slots with one queue before them: the provider as a G/G/c queue.
//!
//! An attempt takes a free slot, or the first that will be free, first come first served, and holds it until its work
//! is done: the whole answer, or as far as it gets before it fails. Network time does not occupy the slot. With a
//! `queue` an attempt that finds that many waiting is rejected at once. Inference servers work like this: vLLM runs
//! `--max-num-seqs` sequences at once and lets the others wait; Text Generation Inference answers 429 `overloaded`
//! beyond `--max-concurrent-requests`.
//!
//! `on_hang_up` says what the provider does when the caller has given up. `finish` completes work that has no caller
//! any more, like a server that notices the broken connection only when it writes: retries then pile up behind dead
//! work, and a short overload can last for good ("Metastable Failures in Distributed Systems", HotOS 2021). `abort`
//! frees the slot at once, as vLLM does (`AsyncLLM.generate` aborts the request when the client's connection is gone),
//! and an attempt that gives up while it waits never takes a slot.
//!
//! Leaves out preemption and priorities. An attempt that hangs by a fault takes no slot.
//!
//! ```json
//! { "slots": { "servers": 64, "queue": 200, "when_full": "overloaded", "on_hang_up": "finish" } }
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLoad, Full, Load, Servers, Start, Stay};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Count;
use crate::kernel::chance::Key;
use crate::kernel::clock::SpanClock;
use crate::kernel::time::Time;
use crate::words::Outcome;

/// A fixed number of slots with one queue before them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// How many attempts are served at once, 1 to a million.
    #[schemars(extend("maximum" = 1_000_000))]
    pub servers: Count,
    /// The most attempts that wait; further ones are rejected. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// The answer to an attempt that finds the queue full. Default: `overloaded`.
    #[serde(default)]
    pub when_full: WhenFull,
    /// What becomes of the work when the caller hangs up. Default: `finish`.
    #[serde(default)]
    pub on_hang_up: OnHangUp,
}

impl Slots {
    /// This many slots, with an unbounded queue before them.
    pub fn of(servers: Count) -> Slots {
        Slots {
            servers,
            queue: None,
            when_full: WhenFull::default(),
            on_hang_up: OnHangUp::default(),
        }
    }
}

/// The largest number of slots accepted.
const MOST: u64 = 1_000_000;

/// The answer of a provider whose queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Answers with a 529 (Anthropic's `overloaded_error`).
    #[default]
    Overloaded,
    /// Answers with a 503.
    Unavailable,
    /// Answers with a 429 that has no Retry-After.
    RateLimited,
}

/// What becomes of the work when the caller hangs up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnHangUp {
    /// The work is done to its end all the same.
    #[default]
    Finish,
    /// The work stops, or never begins.
    Abort,
}

impl BuildLoad for Slots {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Load>> {
        let servers = self.servers.get();
        if servers > MOST {
            return Err(Refusal::new(format!("{servers} slots: at most {MOST}")).at("servers"));
        }
        Ok(Box::new(Running {
            servers: servers as usize,
            queue: self.queue.map(|most| most as usize),
            refusal: match self.when_full {
                WhenFull::Overloaded => Outcome::Overloaded,
                WhenFull::Unavailable => Outcome::Unavailable,
                WhenFull::RateLimited => Outcome::RateLimited,
            },
            aborts: self.on_hang_up == OnHangUp::Abort,
            free_at: BinaryHeap::new(),
            line_left_at: BinaryHeap::new(),
            begins: Time::ZERO,
            full: SpanClock::default(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    servers: usize,
    queue: Option<usize>,
    refusal: Outcome,
    aborts: bool,
    /// When each slot in use will have finished all work decided so far, the earliest on top.
    free_at: BinaryHeap<Reverse<Time>>,
    /// When each waiting attempt stops waiting, if a bound on the queue needs that.
    line_left_at: BinaryHeap<Reverse<Time>>,
    /// When the work of the most recent attempt begins.
    begins: Time,
    /// The time during which all slots are in use.
    full: SpanClock,
}

/// Removes what is over by `now`.
#[inline]
fn drain(times: &mut BinaryHeap<Reverse<Time>>, now: Time) {
    while times.peek().is_some_and(|&Reverse(at)| at <= now) {
        times.pop();
    }
}

impl Load for Running {
    #[inline]
    fn enter(&mut self, start: &mut Start<'_>, _key: Key) -> Result<(), Outcome> {
        // Beginnings never go back in time, so a slot that is free by this one is free for all that follow.
        let ready = start.begins();
        drain(&mut self.free_at, ready);
        let first_free = self.free_at.peek().filter(|_| self.free_at.len() == self.servers);
        self.begins = first_free.map_or(ready, |&Reverse(at)| at);
        if let Some(most) = self.queue
            && self.begins > start.now
        {
            drain(&mut self.line_left_at, start.now);
            if self.line_left_at.len() >= most {
                return Err(self.refusal);
            }
        }
        start.wait = self.begins.since(start.now);
        start.in_service = self.free_at.len().min(self.servers - 1) as u32;
        Ok(())
    }

    #[inline]
    fn stay(&mut self, stay: &Stay) {
        let gone = if self.aborts { stay.left } else { Time::NEVER };
        if self.queue.is_some() && self.begins > stay.came {
            self.line_left_at.push(Reverse(self.begins.min(gone)));
        }
        if gone <= self.begins {
            return;
        }
        if self.free_at.len() == self.servers {
            self.free_at.pop();
        }
        self.free_at.push(Reverse(stay.done.min(gone)));
        if self.free_at.len() == self.servers
            && let Some(&Reverse(first_free)) = self.free_at.peek()
        {
            self.full.add(stay.came, self.begins, first_free);
        }
    }

    fn servers(&self) -> Option<Servers> {
        Some(Servers {
            at_once: self.servers as u64,
            line: self.queue.map(|most| most as u64),
        })
    }

    fn full(&self, now: Time) -> Option<Full> {
        Some(Full {
            limit: Some(self.servers as u64),
            time: self.full.total(now),
        })
    }

    fn fresh(&self) -> Box<dyn Load> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::load::tests::{ALONE, at, key};

    fn slots(text: &str) -> Box<dyn Load> {
        serde_json::from_str::<Slots>(text)
            .unwrap()
            .build(&Names::default())
            .unwrap()
    }

    /// One attempt at second `now` that would take `work` seconds, by a caller who waits `patience`: how long it waits and
    /// beside how many others it begins.
    fn one(slots: &mut dyn Load, now: u64, work: u64, patience: u64) -> Result<(u64, u32), Outcome> {
        let mut start = crate::provider::latency::Start { now: at(now), ..ALONE };
        slots.enter(&mut start, key())?;
        let done = start.begins() + at(work).since(Time::ZERO);
        slots.stay(&Stay {
            came: at(now),
            done,
            left: done.min(at(now + patience)),
        });
        Ok((start.wait.nanos() / 1_000_000_000, start.in_service))
    }

    #[test]
    fn the_first_free_slot_is_taken_first_come_first_served() {
        let mut two = slots(r#"{ "servers": 2 }"#);
        for (now, work, waits, beside) in [
            (0, 10, 0, 0), // until 10
            (1, 3, 0, 1),  // until 4
            (2, 5, 2, 1),  // 4 to 9
            (3, 9, 6, 1),  // 9 to 18
            (3, 1, 7, 1),  // 10 to 11
            (12, 1, 0, 1),
            (30, 1, 0, 0),
        ] {
            assert_eq!(one(&mut *two, now, work, 1000), Ok((waits, beside)), "at {now}");
        }
    }

    #[test]
    fn who_finds_the_line_full_is_turned_away() {
        let mut one_of_each = slots(r#"{ "servers": 1, "queue": 1, "when_full": "unavailable" }"#);
        assert_eq!(one(&mut *one_of_each, 0, 10, 1000), Ok((0, 0)));
        assert_eq!(one(&mut *one_of_each, 1, 10, 1000), Ok((9, 0)));
        assert_eq!(one(&mut *one_of_each, 9, 10, 1000), Err(Outcome::Unavailable));
        // At 10 the one in line is served, and its place is free.
        assert_eq!(one(&mut *one_of_each, 10, 10, 1000), Ok((10, 0)));
        let mut no_line = slots(r#"{ "servers": 1, "queue": 0 }"#);
        assert_eq!(one(&mut *no_line, 0, 2, 1000), Ok((0, 0)));
        assert_eq!(one(&mut *no_line, 1, 2, 1000), Err(Outcome::Overloaded));
        assert_eq!(one(&mut *no_line, 2, 2, 1000), Ok((0, 0)));
    }

    #[test]
    fn work_for_a_caller_who_has_hung_up_is_finished() {
        let mut one_slot = slots(r#"{ "servers": 1 }"#);
        assert_eq!(one(&mut *one_slot, 0, 10, 2), Ok((0, 0)));
        assert_eq!(one(&mut *one_slot, 3, 10, 2), Ok((7, 0)), "it hangs up in line");
        assert_eq!(one(&mut *one_slot, 6, 10, 100), Ok((14, 0)));
    }

    #[test]
    fn or_aborted_and_never_begun_by_one_who_hung_up_in_line() {
        let mut one_slot = slots(r#"{ "servers": 1, "queue": 1, "on_hang_up": "abort" }"#);
        assert_eq!(one(&mut *one_slot, 0, 10, 6), Ok((0, 0)), "until 6");
        assert_eq!(one(&mut *one_slot, 1, 10, 2), Ok((5, 0)), "gives up at 3");
        assert_eq!(one(&mut *one_slot, 2, 10, 100), Err(Outcome::Overloaded));
        assert_eq!(one(&mut *one_slot, 3, 10, 100), Ok((3, 0)), "in the place it left");
        assert_eq!(one(&mut *one_slot, 16, 1, 100), Ok((0, 0)));
    }
}
