//! Single requests as they are told: what happened to each, with its times and its bill.
//!
//! Times are whole nanoseconds and money whole pico-units, so that the parts of a story add up to it exactly; JSON gives them
//! in seconds and in the experiment's currency. Rendered as text ([`text`]), as a trace for a timeline viewer ([`trace`]) and as rows of
//! tables ([`rows`]).

pub mod rows;
pub mod text;
pub mod trace;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::Code;
use crate::words::Outcome;

/// A length of time in nanoseconds; seconds in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The length in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.seconds())
    }
}

/// An amount of money in millionths of a millionth of its unit; whole units in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pico(pub u64);

impl Pico {
    /// The amount in whole units.
    pub fn units(self) -> f64 {
        self.0 as f64 / 1e12
    }
}

impl Serialize for Pico {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.units())
    }
}

/// What happened to one request under one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// The policy's name.
    pub policy: String,
    /// The policy's kind.
    pub kind: String,
    /// What the policy goes by, in the words of its manual page; empty for a policy of the user's own.
    pub goes_by: String,
    /// The replication, from 0.
    pub replication: u64,
    /// The number of the request among the arrivals; where arrivals follow ends or come in streams, what its user and its turn make, or its
    /// stream.
    pub id: u64,
    /// Whether it is the mirrored copy of a request, for which no caller waits.
    pub mirrored: bool,
    /// Whether it is counted: it arrived when the warm-up was over.
    pub counted: bool,
    /// The name of its class.
    pub class: String,
    /// The stream that it came in, if the traffic has named streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The user that asks, if the traffic has users.
    pub user: Option<u32>,
    /// Which of the user's requests it is, from 0, where requests follow answers: a turn of a conversation, a call of an agent run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// The values of its tags, by name; that of its stream is apart.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The request's priority: lower numbers go first.
    pub priority: u8,
    /// The gateway at which it arrived, from 0, if there are several.
    pub gateway: Option<u16>,
    /// Input tokens that were sent.
    pub input: u32,
    /// Input tokens that were cut off before.
    pub cut_off: u32,
    /// Output tokens that the model would write.
    pub output: u32,
    /// The `max_tokens` that was sent, if any.
    pub max_output: Option<u32>,
    /// Seconds from the start of counting to its arrival; negative in the warm-up.
    pub arrived: f64,
    /// The total timeout, if there is one.
    pub timeout: Option<Nanos>,
    /// How it ended.
    pub outcome: Outcome,
    /// From its arrival to its end.
    pub e2e: Nanos,
    /// From its arrival to the first token, if it succeeded.
    pub ttft: Option<Nanos>,
    /// What was paid for it.
    pub cost: Pico,
    /// What of that was paid for looking at its answers.
    pub judging: Pico,
    /// The currency of all money, if it is not the dollar.
    pub currency: Option<Code>,
    /// Where it was, one stay after the other from its arrival to its end.
    pub stays: Vec<Stay>,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// The attempts at it, in the order in which they were made.
    pub attempts: Vec<Attempt>,
}

/// Where a request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the response cache.
    Cache,
    /// A budget or a limiter held it back.
    HeldBack,
    /// In the admission queue.
    Queued,
    /// In line for a connection.
    Connection,
    /// At a provider.
    Provider,
    /// It backs off before it tries again.
    BackOff,
    /// Looked at by a judge.
    Judge,
}

impl Place {
    /// All of them, in the order of tables.
    pub const ALL: [Place; 7] = [
        Place::Cache,
        Place::HeldBack,
        Place::Queued,
        Place::Connection,
        Place::Provider,
        Place::BackOff,
        Place::Judge,
    ];

    /// The place in words.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Cache => "response cache",
            Place::HeldBack => "held back",
            Place::Queued => "admission queue",
            Place::Connection => "connection",
            Place::Provider => "provider",
            Place::BackOff => "back-off",
            Place::Judge => "judge",
        }
    }
}

/// A time spent in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stay {
    /// Which part of the time.
    pub place: Place,
    /// When it began, after the arrival.
    pub from: Nanos,
    /// When it was over.
    pub until: Nanos,
}

impl Stay {
    /// How long it was.
    pub fn lasted(&self) -> Nanos {
        Nanos(self.until.0 - self.from.0)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// When, after the request's arrival.
    pub at: Nanos,
    /// What happened, in a word.
    pub what: &'static str,
    /// What happened, in words.
    pub text: String,
    /// The provider it is about, if it is about one.
    pub provider: Option<String>,
    /// The number of the attempt it is about, from 1, if it is about one.
    pub attempt: Option<usize>,
    /// Each provider as it was seen, where one was chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Glance>,
    /// What the policy went by when it chose, as far as it says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub went_by: Vec<Ground>,
}

/// A figure that a policy went by when it chose a provider.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ground {
    /// What the figure is, in words.
    pub what: &'static str,
    /// The provider that it is of.
    pub provider: String,
    /// The figure: in seconds, US dollars, or a number, as `what` says; `null` where it is endless.
    pub value: f64,
    /// The figure with its unit.
    pub text: String,
}

/// A provider as the policy saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Glance {
    /// The provider's name.
    pub provider: String,
    /// Calls under way there.
    pub in_flight: u32,
    /// Calls in line for a connection to it.
    pub in_line: u32,
    /// Whether its breaker kept calls out.
    pub breaker_open: bool,
    /// What else kept the call from it, in words: "not in its group".
    pub left_out: Option<&'static str>,
}

/// One attempt at a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// The provider of the attempt.
    pub provider: String,
    /// Whether it was a further copy of a request under way.
    pub hedge: bool,
    /// When it was made, after the request's arrival.
    pub made: Nanos,
    /// When it was sent, if it got a connection.
    pub sent: Option<Nanos>,
    /// When it was over.
    pub over: Nanos,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether one of its provider's faults struck it.
    pub faulty: bool,
    /// How long it waited for a connection.
    pub connection: Nanos,
    /// How long it waited in its provider's own queue; this and the next two add up to its time at the provider.
    pub queue: Nanos,
    /// How long from there to the first token, or to its end if none came.
    pub prefill: Nanos,
    /// How long from its first token to its end.
    pub decode: Nanos,
    /// Input tokens that were billed, those found in a cache and those written to one, and output tokens.
    pub billed: [u32; 4],
    /// What it cost; reserved capacity, which is billed by the hour, left out.
    pub cost: Pico,
    /// Whether its provider bills for reserved capacity besides.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reserved: bool,
}

impl Attempt {
    /// How long it was at its provider.
    pub fn at_provider(&self) -> Nanos {
        Nanos(self.queue.0 + self.prefill.0 + self.decode.0)
    }
}

impl Story {
    /// How long it was in `place`.
    pub fn time_in(&self, place: Place) -> Nanos {
        let stays = self.stays.iter().filter(|stay| stay.place == place);
        Nanos(stays.map(|stay| stay.lasted().0).sum())
    }
}
