//! Answers kept by their prompts: found while they live, evicted when there are too many.
//!
//! Which prompt a request has is its class's to say (`prompts`); a class that says nothing never asks the same again, and its answers take
//! up room. An answer is there from when it has come whole, so that equal requests under way all ask a provider. It lives for `ttl`,
//! counted from the last answer that was written under its prompt (Redis, Portkey, Bifrost), from the first while it lives
//! (LiteLLM's own memory), or from its last use. Answers whose time is over take no room. With more than `entries`, the one that was used least
//! recently goes, or the oldest: the one whose time ends first (LiteLLM's own memory, which has room for 200).
//!
//! With Poisson arrivals at rate λ of a prompt and answers that take no time, its share of hits without eviction is λT/(1 + λT) where T counts from a
//! write, and 1 − e^(−λT) where it counts from the last use.
//!
//! Source: LiteLLM `litellm/caching/in_memory_cache.py` (`evict_cache`, `allow_ttl_override`), `caching.py`; Redis `SET … EX`. Left out: sizes
//! in bytes, and that several replicas see one another's answers later.
//!
//! ```json
//! { "keyed": { "ttl": "10m", "entries": 200, "evicts": "oldest" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildStore, Kept, Lookup, Store};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration};
use crate::kernel::lru::Lru;
use crate::kernel::time::{Span, Time};
use crate::words::UNRATED;

/// Answers kept by their prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keyed {
    /// How long an answer lives. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// The event that the life of an answer counts from. Default: `last_write`.
    #[serde(default)]
    pub lives_from: LivesFrom,
    /// The most answers that are kept. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<Count>,
    /// Which answer goes where there are too many. Default: `least_recent`.
    #[serde(default)]
    pub evicts: Evicts,
}

/// The event that the life of an answer counts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LivesFrom {
    /// The last answer that was written under its prompt.
    #[default]
    LastWrite,
    /// The first answer that was written: one that is written while it lives does not prolong it.
    FirstWrite,
    /// From the last use on, or the last write if that is later.
    LastUse,
}

/// The answer that goes where there are too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Evicts {
    /// The one that was written or used least recently.
    #[default]
    LeastRecent,
    /// The one whose life began first.
    Oldest,
}

/// The most prompts of all classes together.
const MOST_PROMPTS: u64 = 4_000_000;

impl BuildStore for Keyed {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Store>> {
        if self.ttl.is_some_and(|ttl| ttl.span() == Span::ZERO) {
            return Err(Refusal::new("0s: must be longer than nothing").at("ttl"));
        }
        let mut firsts = Vec::with_capacity(names.asks.len());
        let mut end = 0_u64;
        for asked in names.asks {
            firsts.push(end as u32);
            end += u64::from(asked.prompts.unwrap_or(0));
        }
        if end == 0 {
            let text = "no class says which prompts come back, so that nothing would ever be found: give a class `prompts`, or \
                        state the share of hits with `stated`";
            return Err(Refusal::new(text));
        }
        if end > MOST_PROMPTS {
            let text = format!("{end} prompts of all classes: at most {MOST_PROMPTS} can be kept apart");
            return Err(Refusal::new(text));
        }
        Ok(Box::new(Running {
            ttl: self.ttl.map_or(Span::FOREVER, |ttl| ttl.span()),
            lives_from: self.lives_from,
            most: (self.entries).map_or(usize::MAX, |most| usize::try_from(most.get()).unwrap_or(usize::MAX)),
            evicts: self.evicts,
            firsts,
            next: end as u32,
            free: Vec::new(),
            end: end as u32,
            entries: Vec::new(),
            by_life: Lru::default(),
            by_use: Lru::default(),
        }))
    }
}

/// An answer and when its life began.
#[derive(Clone, Copy, Debug)]
struct Entry {
    kept: Kept,
    since: Time,
}

const NO_ENTRY: Entry = Entry {
    kept: Kept {
        given: Time::ZERO,
        cost: 0,
        quality: UNRATED,
    },
    since: Time::ZERO,
};

#[derive(Clone, Debug)]
struct Running {
    ttl: Span,
    lives_from: LivesFrom,
    most: usize,
    evicts: Evicts,
    /// The number of the first prompt of each class.
    firsts: Vec<u32>,
    /// Prompts that come once have numbers from `end` on: the next one, and those that are free again.
    end: u32,
    next: u32,
    free: Vec<u32>,
    /// The entries by number.
    entries: Vec<Entry>,
    /// The numbers that have an entry, in the order in which their lives began.
    by_life: Lru,
    /// The answers in the order of their last use, if that says which one goes.
    by_use: Lru,
}

impl Running {
    fn lives(&self, number: u32, now: Time) -> bool {
        now <= self.entries[number as usize].since + self.ttl
    }

    fn remove(&mut self, number: u32) {
        self.by_life.remove(number);
        self.by_use.remove(number);
        if number >= self.end {
            self.free.push(number);
        }
    }

    /// Makes room for one more entry at `now`.
    fn make_room(&mut self, now: Time) {
        if self.by_life.len() < self.most {
            return;
        }
        while let Some(oldest) = self.by_life.oldest().filter(|&oldest| !self.lives(oldest, now)) {
            self.remove(oldest);
        }
        if self.by_life.len() >= self.most {
            let goes = match self.evicts {
                Evicts::LeastRecent => self.by_use.oldest(),
                Evicts::Oldest => self.by_life.oldest(),
            };
            if let Some(goes) = goes {
                self.remove(goes);
            }
        }
    }

    fn used(&mut self, number: u32) {
        if self.evicts == Evicts::LeastRecent && self.most != usize::MAX {
            self.by_use.touch(number);
        }
    }

    /// The number under which an answer is written.
    fn number(&mut self, lookup: &Lookup) -> Option<u32> {
        match lookup.prompt {
            Some(prompt) => Some(self.firsts[lookup.class] + prompt),
            // Where there is room for all, one that is never found need not be kept.
            None if self.most == usize::MAX => None,
            None => Some(self.free.pop().unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            })),
        }
    }
}

impl Store for Running {
    fn find(&mut self, now: Time, lookup: &Lookup) -> Option<Kept> {
        let number = self.firsts[lookup.class] + lookup.prompt?;
        if !self.by_life.contains(number) {
            return None;
        }
        if !self.lives(number, now) {
            self.remove(number);
            return None;
        }
        self.used(number);
        if self.lives_from == LivesFrom::LastUse {
            self.entries[number as usize].since = now;
            self.by_life.touch(number);
        }
        Some(self.entries[number as usize].kept)
    }

    fn keep(&mut self, lookup: &Lookup, answer: Kept) {
        let now = answer.given;
        let known = lookup.prompt.map(|prompt| self.firsts[lookup.class] + prompt);
        let was_there = known.is_some_and(|number| self.by_life.contains(number) && self.lives(number, now));
        if !was_there {
            if let Some(dead) = known.filter(|&number| self.by_life.contains(number)) {
                self.remove(dead);
            }
            self.make_room(now);
        }
        let Some(number) = self.number(lookup) else { return };
        if self.entries.len() <= number as usize {
            self.entries.resize(number as usize + 1, NO_ENTRY);
        }
        let entry = &mut self.entries[number as usize];
        entry.kept = answer;
        if !was_there || self.lives_from != LivesFrom::FirstWrite {
            entry.since = now;
            self.by_life.touch(number);
        }
        self.used(number);
    }

    fn fresh(&self) -> Box<dyn Store> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
