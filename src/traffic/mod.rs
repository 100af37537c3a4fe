//! Traffic: the requests of a scenario, their times of arrival, their users and their sizes.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod arrivals;
pub mod prompts;
pub mod ranks;
pub mod tags;
pub mod users;

use crate::kernel::chance::{Chance, Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Time;
use crate::words::{Ask, Finished};

use arrivals::{Arrival, Arrivals, Turn};
use prompts::Prompts;
use tags::Tags;
use users::Users;

/// The traffic of a scenario.
#[derive(Debug)]
pub struct Traffic {
    /// The arrival process.
    pub arrivals: Box<dyn Arrivals>,
    /// The classes of requests: at least one, at most `u16::MAX`.
    pub classes: Vec<Class>,
    /// The users who make the requests; `None` gives every request a user of its own.
    pub users: Option<Users>,
    /// The tags that requests carry besides those of their classes, if any.
    pub tags: Option<Tags>,
}

/// A class of requests.
#[derive(Clone, Debug)]
pub struct Class {
    /// The class's name in the experiment.
    pub name: String,
    /// A uniform draw at or below this (and above the class before) makes a request one of this class; the last class
    /// has `u64::MAX`.
    pub up_to: u64,
    /// The priority; lower numbers go first.
    pub priority: u8,
    /// The law of the number of input tokens.
    pub input: Sampler,
    /// The law of the number of output tokens.
    pub output: Sampler,
    /// The `max_tokens` that the client sends, if any: the output is cut there, and quotas may reserve that much.
    pub max_output: Option<u32>,
    /// The prompts that come back; `None` where no two requests have the same.
    pub prompts: Option<Prompts>,
}

/// A running source of traffic: makes requests one after the other.
#[derive(Debug)]
pub struct Source<'a> {
    arrivals: Box<dyn Arrivals>,
    classes: &'a [Class],
    users: Option<&'a Users>,
    tags: Option<&'a Tags>,
    chance: Chance,
    next_id: u64,
}

impl<'a> Source<'a> {
    /// The traffic of one replication. What its arrivals go through by themselves is keyed by `own`.
    pub fn new(traffic: &'a Traffic, chance: Chance, own: Key) -> Source<'a> {
        Source {
            arrivals: traffic.arrivals.fresh(own),
            classes: &traffic.classes,
            users: traffic.users.as_ref(),
            tags: traffic.tags.as_ref(),
            chance,
            next_id: 0,
        }
    }

    /// Writes the next request into `ask` and returns when it arrives; [`None`] once there are no more.
    ///
    /// The request is written in place, because copying what has just been written piece by piece would wait for the
    /// writes.
    #[inline]
    pub fn next(&mut self, ask: &mut Ask) -> Option<Time> {
        let id = self.next_id;
        let key = self.chance.request(id);
        let arrival = self.arrivals.next(key)?;
        self.next_id += 1;
        match arrival.turn {
            None => self.make(id, key, &arrival, ask),
            Some(turn) => self.make_turn(turn, &arrival, ask),
        }
        Some(arrival.at)
    }

    /// Whether it is to be told how requests end ([`Source::after`]).
    pub fn follows_ends(&self) -> bool {
        self.arrivals.follows_ends()
    }

    /// A request has ended. What follows it, if anything does, is written into `ask`; returns when it arrives.
    pub fn after(&mut self, ended: &Finished, ask: &mut Ask) -> Option<Time> {
        let arrival = self.arrivals.after(ended)?;
        match arrival.turn {
            Some(turn) => self.make_turn(turn, &arrival, ask),
            None => {
                let id = self.next_id;
                self.next_id += 1;
                self.make(id, self.chance.request(id), &arrival, ask);
            }
        }
        Some(arrival.at.max(ended.now))
    }

    #[inline(never)]
    fn make_turn(&self, turn: Turn, arrival: &Arrival, ask: &mut Ask) {
        let id = turn.id();
        let key = self.chance.request(id);
        self.make(id, key, arrival, ask);
        ask.user = turn.user;
        if let Some(tags) = self.tags {
            ask.tags = tags.pick(self.chance, key, turn.user);
        }
    }

    /// Writes request number `id`, keyed by `key`, into `ask`.
    #[inline(always)]
    fn make(&self, id: u64, key: Key, arrival: &Arrival, ask: &mut Ask) {
        let draw = if self.classes.len() > 1 {
            key.draw(Purpose::Class)
        } else {
            0
        };
        let index = self.classes.iter().position(|c| draw <= c.up_to).unwrap_or(0);
        let class = &self.classes[index];
        let (input, output) = match arrival.tokens {
            Some(tokens) => tokens,
            None => (
                class.input.count(key, Purpose::Input, 0),
                class.output.count(key, Purpose::Output, 1),
            ),
        };
        let output = output.min(class.max_output.unwrap_or(u32::MAX));
        let user = self.users.map_or(id as u32, |users| users.pick(key));
        *ask = Ask {
            id,
            class: index as u16,
            user,
            priority: class.priority,
            input,
            output,
            max_output: class.max_output,
            cached: 0,
            tags: self.tags.map_or(0, |tags| tags.pick(self.chance, key, user)),
        };
    }
}
