//! The gateway's response cache: answers given before, given again without asking a provider.
//!
//! A request is looked up when it arrives, before budgets, the queue, limiters and everything behind them. A hit costs nothing, takes
//! the lookup's time and the gateway's own time before a call, and is a success whose first token and last come together. A miss goes
//! on after the lookup, and its answer is kept when it has come whole. What a hit saves is what the request that brought the answer
//! was billed. The answer of a hit is as good as it was; one that is `wrong`, which a cache that goes by meaning gives now
//! and then, is good for nothing.
//!
//! In a policy with named groups each answer is kept under the group that gave it, and found by requests that ask for that group: an
//! answer by a fallback is not found by the next request of the same prompt. Without them every answer is found.
//!
//! Left out: what looking up by meaning costs (an embedding of the prompt), joining of equal requests under way, and callers that ask
//! for a fresh answer. Not the provider's prompt cache, which makes input cheaper and leaves the answer to the model.

mod keyed;
mod stated;

pub use keyed::{Evicts, Keyed, LivesFrom};
pub use stated::Stated;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::form::own::Own;
use crate::form::registry::registry;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose, threshold};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};

/// What is looked up: what a store knows of a request.
#[derive(Clone, Copy, Debug)]
pub struct Lookup {
    /// The class of the request, by number.
    pub class: usize,
    /// Which of the prompts of the class that come back it has; `None` for a prompt that comes once.
    pub prompt: Option<u32>,
    /// The randomness of the request.
    pub key: Key,
}

/// An answer that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// When the answer was given by a provider.
    pub given: Time,
    /// Pico-dollars that the request cost which it answered.
    pub cost: u64,
    /// Probability that it is a good one, in millionths; [`crate::words::UNRATED`] where that is unknown.
    pub quality: u32,
}

/// What finds answers again, as it runs.
pub trait Store: fmt::Debug + Send + Sync {
    /// The answer for a request that arrives at `now`, if there is one.
    fn find(&mut self, now: Time, lookup: &Lookup) -> Option<Kept>;

    /// Keeps an answer that a provider has given at `answer.given`.
    fn keep(&mut self, lookup: &Lookup, answer: Kept);

    /// Whether what is found was given at the time that it says, so that the age of answers means something.
    fn knows_ages(&self) -> bool {
        true
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Store>;
}

/// The parameters of a store, as the file gives them.
pub trait BuildStore {
    /// Checks the parameters against the experiment's names and makes the store.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Store>>;
}

impl BuildStore for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Store>> {
        self.make("response_cache", names)
    }
}

registry! {
    /// How a response cache finds answers again.
    pub enum StoreSpec as BuildStore, kind response_cache in "response_cache/" of Box<dyn Store> {
        stated => Stated,
        keyed => Keyed,
        own in "../form/own.rs" => Own,
    }
}

/// What two requests must have in common so that one is given the answer of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The whole request, every message and parameter of it.
    #[default]
    Exact,
    /// The meaning: a similar prompt may be given the answer of another, and so a wrong one.
    Semantic,
}

impl Mode {
    /// The mode in words.
    pub const fn words(self) -> &'static str {
        match self {
            Mode::Exact => "exact",
            Mode::Semantic => "semantic",
        }
    }
}

/// A response cache of the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseCacheSpec {
    /// What finds answers again: a share of hits that is stated, or prompts that are kept and found.
    pub hits: StoreSpec,
    /// What two requests must have in common. Default: `exact`.
    #[serde(default)]
    pub mode: Mode,
    /// The share of hits whose answer is wrong for the request, of a `semantic` cache. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<Fraction>,
    /// The time that a lookup takes, hit or miss: of a semantic one, that of an embedding. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LawSpec<Duration>>,
    /// Whether each of several `gateways` keeps answers by itself, as in its own memory. Default: false, one store for all.
    #[serde(default)]
    pub per_gateway: bool,
}

/// A response cache, as it runs.
#[derive(Debug)]
pub struct ResponseCache {
    /// What finds answers again, in its initial state.
    pub store: Box<dyn Store>,
    /// What two requests must have in common.
    pub mode: Mode,
    /// Whether each gateway has a store of its own.
    pub per_gateway: bool,
    wrong: u64,
    lookup: Sampler,
}

impl ResponseCacheSpec {
    /// Checks the parameters and makes the cache.
    ///
    /// # Errors
    /// If the store refuses, a law's parameter is out of range, or answers are wrong in an exact cache.
    pub fn build(&self, names: &Names<'_>) -> Built<ResponseCache> {
        let wrong = self.wrong.map_or(0.0, Fraction::get);
        if wrong > 0.0 && self.mode == Mode::Exact {
            let text = "an exact cache gives no wrong answers: leave this out, or make it `\"mode\": \"semantic\"`";
            return Err(Refusal::new(text).at("wrong"));
        }
        let store = self.hits.as_dyn().build(names);
        Ok(ResponseCache {
            store: store.map_err(|r| r.at(self.hits.name()).at("hits"))?,
            mode: self.mode,
            per_gateway: self.per_gateway,
            wrong: threshold(wrong),
            lookup: match &self.lookup {
                None => Sampler::Constant(0.0),
                Some(law) => law.sampler(names).map_err(|r| r.at("lookup"))?,
            },
        })
    }
}

/// The parts of a request's randomness for the cache, beside the one that stores draw from themselves.
const OF_WRONG: u64 = 1;
const OF_LOOKUP: u64 = 2;

impl ResponseCache {
    /// Whether the answer is wrong for the request of key `request`, if it is given one.
    pub fn is_wrong(&self, request: Key) -> bool {
        request.part(OF_WRONG).draw(Purpose::ResponseCache) < self.wrong
    }

    /// How long the lookup of the request of key `request` takes.
    pub fn lookup(&self, request: Key) -> Span {
        Span::from_nanos(self.lookup.draw(request.part(OF_LOOKUP), Purpose::ResponseCache) as u64)
    }
}

/// The response caches of a client: one for all, or where there are named groups, of each.
#[derive(Debug, Default)]
pub struct Caches {
    /// The caches, each once.
    pub of: Vec<ResponseCache>,
    /// By named group the number of its cache, if it has one; empty without named groups, where there is the first cache only.
    pub by_group: Vec<Option<usize>>,
}

impl Caches {
    /// Those of a client without named groups.
    pub fn one(cache: Option<ResponseCache>) -> Caches {
        Caches {
            of: cache.into_iter().collect(),
            by_group: Vec::new(),
        }
    }

    /// The number of the cache in which requests for `group` are looked up.
    #[inline]
    pub fn at(&self, group: u8) -> Option<usize> {
        match self.by_group.get(usize::from(group)) {
            Some(cache) => *cache,
            None => (!self.of.is_empty() && self.by_group.is_empty()).then_some(0),
        }
    }

    /// Whether any of them knows how old its answers are.
    pub fn know_ages(&self) -> bool {
        self.of.iter().any(|cache| cache.store.knows_ages())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    fn build(json: &str) -> Built<ResponseCache> {
        let classes = ["x", "y"].map(String::from);
        let names = Names {
            classes: &classes,
            ..Names::default()
        };
        serde_json::from_str::<ResponseCacheSpec>(json).unwrap().build(&names)
    }

    #[test]
    fn wrong_answers_are_those_of_a_semantic_cache() {
        let refusal = build(r#"{ "hits": { "stated": { "share": 0.5 } }, "wrong": 0.1 }"#).unwrap_err();
        assert!(
            refusal.message.starts_with("an exact cache gives no wrong answers"),
            "{}",
            refusal.message
        );
        assert_eq!(refusal.path, ["wrong".into()]);
        let cache = build(r#"{ "hits": { "stated": { "share": 0.5 } }, "mode": "semantic", "wrong": "10%" }"#).unwrap();
        let wrong = (0..20_000)
            .filter(|&id| cache.is_wrong(Chance::new(1, 0).request(id)))
            .count();
        // Of 20,000 with probability 0.1 the standard deviation is 42.
        assert!((1830..2170).contains(&wrong), "{wrong}");
    }

    #[test]
    fn a_lookup_takes_its_law() {
        let cache = build(r#"{ "hits": { "stated": { "share": 1 } }, "lookup": { "constant": "8ms" } }"#).unwrap();
        assert_eq!(cache.lookup(Chance::new(1, 0).request(3)), Span::from_millis(8));
        let refusal = build(r#"{ "hits": { "stated": { "share": { "x": 1 } } } }"#).unwrap_err();
        assert_eq!(refusal.path, ["hits".into(), "stated".into(), "share".into()]);
    }
}
