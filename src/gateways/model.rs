//! What a configuration says, in one form for all products.
//!
//! A [`Gateway`] has groups (what callers ask for by name), each with members, the policy among them, what a request passes, where
//! it goes when it fails, and in closed form what happens then ([`Case`]). Parts of experiments (policies, retries, breakers,
//! timeouts) are kept as the JSON that an experiment would have.

use serde_json::{Map, Value};

use super::cache::Cache;
use super::ledger::Row;
use super::tree::Place;
use super::warning::Warning;

/// A product whose configurations are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// The name on the command line and in results.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What the mapping was held against: the running product, or its source.
    pub held: &'static str,
}

/// A configuration in the form of all products.
#[derive(Debug)]
pub struct Gateway {
    /// The product whose configuration it is.
    pub product: &'static Product,
    /// The version whose rules are applied, and where that is known from.
    pub version: String,
    /// The files that were read; places name them by number.
    pub files: Vec<String>,
    /// What callers may ask for.
    pub groups: Vec<Group>,
    /// Further names of groups: the name and the group.
    pub aliases: Vec<(String, String)>,
    /// The client of the experiment: `retry`, `breaker`, `timeouts`.
    pub client: Map<String, Value>,
    /// The response cache, if it has one that answers requests of text models.
    pub cache: Option<Cache>,
    /// Further facts of the configuration, by name, for machines.
    pub facts: Map<String, Value>,
    /// How many of it run side by side.
    pub replicas: u64,
    /// The warnings, worst first.
    pub warnings: Vec<Warning>,
    /// A verdict on every key.
    pub ledger: Vec<Row>,
    /// What bounds the requests of every group, and what happens beyond.
    pub limits: Vec<Limit>,
    /// What the configuration leaves out and why: names of groups.
    pub left_out: Vec<String>,
    /// What no configuration can say and a simulation needs.
    pub ask: Vec<String>,
}

/// What callers ask for by one name.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The name that callers ask for.
    pub name: String,
    /// Where it is first said.
    pub at: Place,
    /// The providers behind it.
    pub members: Vec<Member>,
    /// What each attempt passes, in order, in words.
    pub through: Vec<String>,
    /// The policy among the members, as an experiment has it.
    pub policy: Value,
    /// The share of each member when all are well, if it follows from the file.
    pub shares: Option<Vec<f64>>,
    /// Where a request goes after a failure, as the file says it.
    pub fallback: Vec<String>,
    /// Where it goes when the input is too long, if that is a chain of its own.
    pub context_fallback: Vec<String>,
    /// Where it goes when the content filter refuses, if that is a chain of its own.
    pub content_fallback: Vec<String>,
    /// The groups that one request may go through, itself first.
    pub chain: Vec<String>,
    /// What happens when something fails.
    pub cases: Vec<Case>,
    /// What bounds the group's requests, and what happens beyond.
    pub limits: Vec<Limit>,
    /// The most attempts of one request.
    pub worst_attempts: u64,
    /// The longest that one request takes, in seconds, if every attempt hangs until its timeout.
    pub worst_seconds: f64,
    /// Further facts of the group, by name, for machines.
    pub facts: Map<String, Value>,
    /// What the group has of its own as an experiment's group has it: `client`, `limiters`, `retry_budget`.
    pub settings: Map<String, Value>,
}

impl Group {
    /// The cases that tell of a whole request: those that add up the chain, where there are any.
    pub fn whole_cases(&self) -> impl Iterator<Item = &Case> {
        let is_chain = self.cases.iter().any(|case| case.is_of_chain);
        self.cases.iter().filter(move |case| case.is_of_chain == is_chain)
    }

    /// The case in which attempts hang that lasts longest: of equals the last, in which more fails.
    pub fn hanging(&self) -> Option<&Case> {
        self.whole_cases()
            .filter(|case| case.is_hanging())
            .max_by(|a, b| a.seconds.1.total_cmp(&b.seconds.1))
    }

    /// The attempts of a request of which every one hangs.
    pub fn hanging_attempts(&self) -> u64 {
        self.hanging().map_or(self.worst_attempts, |case| case.attempts)
    }
}

/// A provider behind a group.
#[derive(Clone, Debug, Default)]
pub struct Member {
    /// The name, of which the whole configuration has one.
    pub name: String,
    /// Where it stands.
    pub at: Place,
    /// The model as the file has it.
    pub model: String,
    /// The model's name in price tables; none where the file does not tell.
    pub price: Option<String>,
    /// Dollars a token of input and of output, if the file says so.
    pub own_price: Option<(f64, f64)>,
    /// Whether it is a server of one's own, which bills nothing by the token.
    pub local: bool,
    /// What tells its account apart from others: the name of a reference, never a secret.
    pub account: Option<String>,
    /// The most calls under way at once.
    pub connections: Option<u64>,
    /// Whether further calls wait, rather than be refused.
    pub waits: bool,
    /// The timeout of one attempt in seconds, and that of one that streams, where they differ from the gateway's.
    pub timeout: Option<f64>,
    /// The timeout of an attempt that streams, likewise.
    pub stream_timeout: Option<f64>,
    /// The most tokens that it takes.
    pub context_window: Option<u64>,
    /// The most requests in a minute of the clock that the gateway lets through to it.
    pub enforced: Option<u64>,
}

/// What happens to a request of a group when something fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Which of the group's requests it is about: what a strategy chose before any failure; empty for all of them.
    pub branch: String,
    /// Whether it adds up what happens in all groups of the chain, rather than in this one.
    pub is_of_chain: bool,
    /// What fails, and how.
    pub when: &'static str,
    /// Attempts in this group.
    pub attempts: u64,
    /// Seconds from the first failure until the group gives up or answers, at least and at most; the answers' own time is not in it.
    pub seconds: (f64, f64),
    /// What follows: what is left out, where the request goes, what the caller is told.
    pub then: String,
}

impl Case {
    /// A case of every request of the group.
    pub fn new(when: &'static str, attempts: u64, seconds: (f64, f64), then: impl Into<String>) -> Case {
        Case {
            branch: String::new(),
            is_of_chain: false,
            when,
            attempts,
            seconds,
            then: then.into(),
        }
    }

    /// Whether what fails hangs.
    pub fn is_hanging(&self) -> bool {
        self.when.ends_with("hang") || self.when.ends_with("hangs")
    }

    /// This case as one that adds up what happens in all groups of the chain.
    #[must_use]
    pub fn of_the_chain(mut self) -> Case {
        self.is_of_chain = true;
        self
    }

    /// This case for requests of one branch alone.
    #[must_use]
    pub fn of_branch(mut self, branch: &str) -> Case {
        branch.clone_into(&mut self.branch);
        self
    }
}

/// A bound on requests, tokens, calls or money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is bounded, and by how much: `60 requests in a minute of the clock at west`.
    pub what: String,
    /// What happens beyond: what refuses, with which status, and whether it is tried again.
    pub beyond: String,
    /// Where it is said, if the file says it.
    pub at: Option<Place>,
}

impl Limit {
    /// A limit that is said at a place.
    pub fn new(what: impl Into<String>, beyond: impl Into<String>, at: Option<Place>) -> Limit {
        Limit {
            what: what.into(),
            beyond: beyond.into(),
            at,
        }
    }
}
