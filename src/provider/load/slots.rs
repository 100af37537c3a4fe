//! A fixed number of slots with one line before them: the provider as the queue G/G/c.
//!
//! An attempt takes a free slot, or the first that will be free, first come first served, and holds it until its work is done:
//! the whole answer, or as far as it gets before it fails. The time on the wire is not the slot's. With a `queue` an attempt
//! that finds so many waiting is turned away at once. An inference server is one of these: vLLM runs `--max-num-seqs`
//! sequences at once and lets the others wait; Text Generation Inference answers 429 `overloaded` beyond
//! `--max-concurrent-requests`.
//!
//! `on_hang_up` says what the provider does when the caller has given up. `finish` works on for nobody, as a server does that
//! sees the broken connection only when it writes: retries then pile up behind dead work, and a short overload can last for
//! good ("Metastable Failures in Distributed Systems", HotOS 2021). `abort` frees the slot at once, as vLLM does
//! (`AsyncLLM.generate` aborts the request when the client's connection is gone), and one that gives up while it waits never
//! takes a slot.
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

/// Slots with one line before them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// How many attempts are served at once, up to a million.
    pub servers: Count,
    /// The most that wait; further ones are turned away. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// How they are turned away. Default: `overloaded`.
    #[serde(default)]
    pub when_full: WhenFull,
    /// What becomes of the work when the caller hangs up. Default: `finish`.
    #[serde(default)]
    pub on_hang_up: OnHangUp,
}

impl Slots {
    /// So many, with an unbounded line before them.
    pub fn of(servers: Count) -> Slots {
        Slots {
            servers,
            queue: None,
            when_full: WhenFull::default(),
            on_hang_up: OnHangUp::default(),
        }
    }
}

/// The most slots.
const MOST: u64 = 1_000_000;

/// How a provider with a full queue turns an attempt away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// With a 529 (Anthropic's `overloaded_error`).
    #[default]
    Overloaded,
    /// With a 503.
    Unavailable,
    /// With a 429 that has no Retry-After.
    RateLimited,
}

/// What becomes of the work when the caller hangs up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnHangUp {
    /// It is done all the same.
    #[default]
    Finish,
    /// It stops, or never begins.
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
    /// When each slot in use is free of all that is decided yet, the first on top.
    free_at: BinaryHeap<Reverse<Time>>,
    /// When those who wait stop waiting, if that has to be known.
    line_left_at: BinaryHeap<Reverse<Time>>,
    /// When the attempt that entered last begins.
    begins: Time,
    /// While all slots are in use.
    full: SpanClock,
}

/// Takes out what is over by `now`.
#[inline]
fn drain(times: &mut BinaryHeap<Reverse<Time>>, now: Time) {
    while times.peek().is_some_and(|&Reverse(at)| at <= now) {
        times.pop();
    }
}

impl Load for Running {
    #[inline]
    fn enter(&mut self, start: &mut Start<'_>, _key: Key) -> Result<(), Outcome> {
        // Beginnings never go back in time, so what is free by this one is so for all that follow.
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
