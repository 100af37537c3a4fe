//! Traffic: the requests of a scenario, their times of arrival, their users and their sizes.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod arrivals;
pub mod dispersion;
pub mod kept;
pub mod pairs;
pub mod prompts;
pub mod ranks;
pub mod rows;
pub mod stream;
pub mod tags;
pub mod users;

use std::collections::BTreeMap;

use crate::form::hidden::Called;
use crate::kernel::chance::{Chance, Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Time;
use crate::words::{Ask, Finished};

use arrivals::{Arrival, Arrivals, Dialogue, Turn};
use pairs::Pairs;
use prompts::Prompts;
use stream::Stream;
use tags::{STREAM, Tags};

/// The traffic of a scenario.
#[derive(Debug)]
pub struct Traffic {
    /// The streams that make it up, at least one: several, or one with a name, where the experiment names them.
    pub streams: Vec<Stream>,
    /// The classes of requests: at least one, at most `u16::MAX`.
    pub classes: Vec<Class>,
    /// The tags that requests carry besides those of their classes, if any. Where streams have names, the first is `stream`.
    pub tags: Option<Tags>,
    /// The number of users of all streams together; `None` if every request has a user of its own.
    pub users: Option<u32>,
    /// What the users of streams are called whose traces name them.
    pub called: Vec<Called>,
}

impl Traffic {
    /// The stream that `ask` came in.
    pub fn stream_of(&self, ask: &Ask) -> Option<&Stream> {
        self.streams.get(self.number_of(ask))
    }

    /// Which turn of its user `ask` is, where its stream's requests follow answers.
    pub fn turn_of(&self, ask: &Ask) -> Option<Turn> {
        Turn::of(self.stream_of(ask)?.unmarked(ask.id))
    }

    /// The values of the tags that `ask` carries, by name; without the tag that its stream is.
    pub fn tags_of(&self, ask: &Ask) -> BTreeMap<String, String> {
        let named = self.tags.iter().flat_map(|tags| &tags.named);
        let own = named.filter(|tag| tag.name != STREAM);
        own.map(|tag| (tag.name.clone(), tag.values[tag.of(ask.tags) as usize].clone()))
            .collect()
    }

    /// Whether requests of any stream are turns of dialogues.
    pub fn has_dialogues(&self) -> bool {
        self.streams.iter().any(|stream| stream.dialogues.is_some())
    }

    /// The number of that stream.
    fn number_of(&self, ask: &Ask) -> usize {
        match (&self.streams[..], &self.tags) {
            ([_], _) | (_, None) => 0,
            (_, Some(tags)) => tags.first_of(ask.tags),
        }
    }
}

/// A class of requests.
#[derive(Clone, Debug)]
pub struct Class {
    /// The class's name in the experiment.
    pub name: String,
    /// The priority; lower numbers go first.
    pub priority: u8,
    /// The law of the number of input tokens.
    pub input: Sampler,
    /// The law of the number of output tokens.
    pub output: Sampler,
    /// The `max_tokens` that the client sends, if any: the output is cut there, and quotas may reserve that much.
    pub max_output: Option<u32>,
    /// Input and output drawn together, instead of by their laws.
    pub pairs: Option<Pairs>,
    /// The prompts that come back; `None` where no two requests have the same.
    pub prompts: Option<Prompts>,
    /// The law of how long a user waits for an answer to begin, in nanoseconds; `None` for as long as it takes.
    pub patience: Option<Sampler>,
}

impl Class {
    /// Input and output tokens of the request that `key` belongs to.
    #[inline]
    fn lengths(&self, key: Key) -> (u32, u32) {
        match &self.pairs {
            None => (
                self.input.count(key, Purpose::Input, 0),
                self.output.count(key, Purpose::Output, 1),
            ),
            Some(pairs) => pairs.pick(key),
        }
    }
}

/// A running source of traffic: makes requests one after the other.
#[derive(Debug)]
pub struct Source<'a> {
    traffic: &'a Traffic,
    chance: Chance,
    lanes: Vec<Lane<'a>>,
    /// When the next request of each lane comes; empty if there is only one, which is asked when its request is wanted.
    due: Vec<Time>,
}

/// A stream as it runs.
#[derive(Debug)]
struct Lane<'a> {
    number: usize,
    stream: &'a Stream,
    arrivals: Box<dyn Arrivals>,
    /// How many requests it has made that are not turns.
    made: u64,
    /// The number and the arrival of the next request, once they are drawn.
    next: Option<(u64, Arrival)>,
}

impl Lane<'_> {
    /// The number of the next request, unless it is a turn, and its arrival.
    #[inline]
    fn draw(&mut self, chance: Chance) -> Option<(u64, Arrival)> {
        let id = self.stream.id(self.made);
        let arrival = self.arrivals.next(chance.request(id))?;
        self.made += 1;
        Some((id, arrival))
    }

    /// When the next request comes, which is drawn for that.
    fn look(&mut self, chance: Chance) -> Time {
        self.next = self.draw(chance);
        self.next.map_or(Time::NEVER, |(_, arrival)| arrival.at)
    }
}

impl<'a> Source<'a> {
    /// The traffic of one replication. What its arrivals go through by themselves is keyed by `own`.
    pub fn new(traffic: &'a Traffic, chance: Chance, own: Key) -> Source<'a> {
        let lane = |(number, stream): (usize, &'a Stream)| Lane {
            number,
            stream,
            arrivals: stream.arrivals.fresh(stream.own(own)),
            made: 0,
            next: None,
        };
        let mut lanes: Vec<Lane<'_>> = traffic.streams.iter().enumerate().map(lane).collect();
        let due = match &mut lanes[..] {
            [_] => Vec::new(),
            several => several.iter_mut().map(|lane| lane.look(chance)).collect(),
        };
        Source {
            traffic,
            chance,
            lanes,
            due,
        }
    }

    /// Writes the next request into `ask` and returns when it arrives; [`None`] once there are no more.
    ///
    /// The request is written in place, because copying what has just been written piece by piece would wait for the
    /// writes.
    #[inline]
    pub fn next(&mut self, ask: &mut Ask) -> Option<Time> {
        let [lane] = &mut self.lanes[..] else {
            return self.earliest(ask);
        };
        let (id, arrival) = lane.draw(self.chance)?;
        make(self.traffic, self.chance, lane, id, &arrival, ask);
        Some(arrival.at)
    }

    /// The earliest of all lanes' next requests; of several at one time, that of the lane named first.
    #[inline(never)]
    fn earliest(&mut self, ask: &mut Ask) -> Option<Time> {
        let mut first = 0;
        for (i, at) in self.due.iter().enumerate() {
            if *at < self.due[first] {
                first = i;
            }
        }
        let lane = self.lanes.get_mut(first)?;
        let (id, arrival) = lane.next?;
        self.due[first] = lane.look(self.chance);
        make(self.traffic, self.chance, lane, id, &arrival, ask);
        Some(arrival.at)
    }

    /// Whether it is to be told how requests end ([`Source::after`]).
    pub fn follows_ends(&self) -> bool {
        self.lanes.iter().any(|lane| lane.arrivals.follows_ends())
    }

    /// A request has ended. What follows it, if anything does, is written into `ask`; returns when it arrives. Only the stream that the
    /// request came from is told.
    pub fn after(&mut self, ended: &Finished, ask: &mut Ask) -> Option<Time> {
        let lane = self.lanes.get_mut(self.traffic.number_of(&ended.ask))?;
        let arrival = match lane.stream.mark {
            None => lane.arrivals.after(ended),
            Some(_) => {
                let mut own = *ended;
                own.ask.id = lane.stream.unmarked(ended.ask.id);
                own.ask.user = own.ask.user.wrapping_sub(lane.stream.first_user);
                lane.arrivals.after(&own)
            }
        }?;
        let id = lane.stream.id(lane.made);
        lane.made += u64::from(arrival.turn.is_none());
        match lane.stream.dialogues {
            None => make(self.traffic, self.chance, lane, id, &arrival, ask),
            Some(_) => go_on(self.traffic, self.chance, lane, &ended.ask, &arrival, ask),
        }
        Some(arrival.at.max(ended.now))
    }

    /// The dialogue that the request belongs to which [`Source::after`] has just been told of, if it belongs to one.
    pub fn dialogue(&self, ended: &Ask) -> Option<Dialogue> {
        let lane = self.lanes.get(self.traffic.number_of(ended))?;
        lane.stream.dialogues.and_then(|_| lane.arrivals.dialogue())
    }
}

/// Writes the next turn of a dialogue into `ask`: of the class and with the tags of the request before it, `last`.
fn go_on(traffic: &Traffic, chance: Chance, lane: &Lane<'_>, last: &Ask, arrival: &Arrival, ask: &mut Ask) {
    let id = arrival.turn.map_or(last.id, |turn| lane.stream.id_of_turn(turn));
    let key = chance.request(id);
    let class = &traffic.classes[usize::from(last.class)];
    let continued = lane.arrivals.continued();
    let (input, output) = arrival.tokens.unwrap_or_else(|| {
        let (own, output) = class.lengths(key);
        let message = continued.message.unwrap_or(own);
        (continued.before.saturating_add(message), output)
    });
    *ask = Ask {
        id,
        input,
        output: output.min(class.max_output.unwrap_or(u32::MAX)),
        cached: 0,
        resent: continued.resent.min(input),
        ..*last
    };
}

/// Writes the request of `arrival` into `ask`: the one with the number `id`, unless it is a turn.
#[inline(always)]
fn make(traffic: &Traffic, chance: Chance, lane: &Lane<'_>, id: u64, arrival: &Arrival, ask: &mut Ask) {
    let stream = lane.stream;
    let id = match arrival.turn {
        None => id,
        Some(turn) => stream.id_of_turn(turn),
    };
    let key = chance.request(id);
    let said = stream.said(arrival);
    let index = said.class.unwrap_or_else(|| {
        let draw = if stream.classes.len() > 1 {
            key.draw(Purpose::Class)
        } else {
            0
        };
        let found = stream.classes.iter().find(|(up_to, _)| draw <= *up_to);
        found.map_or(0, |&(_, class)| class)
    });
    let class = &traffic.classes[usize::from(index)];
    let (input, output) = match arrival.tokens {
        Some(tokens) => tokens,
        None => {
            let (input, output) = class.lengths(key);
            (input.saturating_add(stream.before()), output)
        }
    };
    let user = match (arrival.turn, said.user, &stream.users) {
        (Some(turn), ..) => stream.user_of(turn),
        (None, Some(user), _) => user,
        (None, None, Some(users)) => users.pick(key),
        (None, None, None) => id as u32,
    };
    *ask = Ask {
        id,
        class: index,
        user: stream.first_user.wrapping_add(user),
        priority: class.priority,
        input,
        output: output.min(class.max_output.unwrap_or(u32::MAX)),
        max_output: class.max_output,
        cached: 0,
        tags: (traffic.tags.as_ref()).map_or(0, |tags| tags.pick(lane.number, chance, key, user) + said.tags),
        resent: 0,
    };
}
