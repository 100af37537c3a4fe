//! A scenario: one policy on one traffic, fleet and client. Immutable, checked, shared by all threads.

use std::sync::Arc;

use crate::client::Client;
use crate::client::host::Connections;
use crate::kernel::time::{Span, Time};
use crate::provider::Provider;
use crate::provider::limits::Limit;
use crate::routing::Policy;
use crate::traffic::Traffic;
use crate::words::metric::Times;

use super::lens::Lenses;
use super::tally::per_token;
use super::ties::Ties;

/// One policy on one traffic, fleet and client.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// The policy's name in the experiment.
    pub name: String,
    /// The traffic: arrivals, classes and users.
    pub traffic: Arc<Traffic>,
    /// The fleet of providers, in the order of the experiment.
    pub fleet: Arc<[Deployment]>,
    /// The client's connection pools, each used by one or several providers.
    pub pools: Arc<[PoolOf]>,
    /// The bounds of each cluster of pools.
    pub clusters: Arc<[Connections]>,
    /// The accounts whose quotas providers share.
    pub accounts: Arc<[Account]>,
    /// The client: admission, limiters, breakers, timeouts, retries, hedging and budgets.
    pub client: Client,
    /// The policy that chooses a provider for each attempt.
    pub policy: Box<dyn Policy>,
    /// Whether the policy may send to each provider, in the order of the fleet: whether it pays for what is reserved there.
    pub may_use: Vec<bool>,
    /// How the worth of the answers to one request hangs together.
    pub ties: Ties,
    /// What counts as a good answer, by class.
    pub good: Vec<Good>,
    /// From when to when.
    pub window: Window,
    /// The most requests in the system, as [`held`](super::world::World::held) counts them, at which a run goes on.
    pub max_in_system: u64,
    /// Whether the time for each token is counted too: if a metric asks for it, or it is compared with measurements.
    pub counts_tpot: bool,
    /// The parts of the traffic that are counted apart.
    pub lenses: Lenses,
}

/// A provider, with the pool that the client's connections to it come from.
#[derive(Debug)]
pub struct Deployment {
    /// The provider: everything about it that does not change during a run.
    pub provider: Provider,
    /// The number of the connection pool.
    pub pool: usize,
}

/// A connection pool of the client.
#[derive(Clone, Copy, Debug)]
pub struct PoolOf {
    /// The number of the first provider that uses the pool.
    pub owner: usize,
    /// The bounds on its connections and on waiting for one; in a cluster those of all its pools together.
    pub connections: Connections,
    /// The number of the cluster that the pool is in, if it is in one.
    pub cluster: Option<usize>,
}

/// An account: quotas that several providers share.
#[derive(Debug)]
pub struct Account {
    /// The account's name in the experiment.
    pub name: String,
    /// The account's quotas.
    pub limits: Vec<Box<dyn Limit>>,
}

/// What a success must keep to in order to count as goodput, from the experiment's latency objectives: the longest that each of
/// its times may be, by [`Times::index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Good {
    /// The bounds; [`Span::FOREVER`] where there is none.
    pub longest: [Span; Times::COUNT],
}

impl Good {
    /// Every success is good.
    pub const ANY: Good = Good {
        longest: [Span::FOREVER; Times::COUNT],
    };

    /// Whether a success with these times and so many output tokens is good.
    #[inline]
    pub fn holds(&self, ttft: Span, e2e: Span, waited: Span, output: u32) -> bool {
        let within = |which: Times, time: Span| time <= self.longest[which.index()];
        let is_fast = || {
            self.longest[Times::Tpot.index()] == Span::FOREVER
                || per_token(ttft, e2e, output).is_none_or(|span| within(Times::Tpot, span))
        };
        within(Times::Ttft, ttft) && within(Times::E2e, e2e) && within(Times::Wait, waited) && is_fast()
    }
}

/// The simulated time, and the part of it that is counted.
///
/// The plan's time begins at `warmup`, with queues that the warm-up before it has filled: requests that arrive from then until `end`
/// are counted; arrivals stop at `end`, and the requests then in the system are run to their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When counting and the plan's time start: the end of the warm-up.
    pub warmup: Time,
    /// When arrivals and counting end.
    pub end: Time,
}

impl Window {
    /// The length of the counted part.
    pub fn counted(&self) -> Span {
        self.end.since(self.warmup)
    }
}
