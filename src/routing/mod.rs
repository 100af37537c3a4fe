//! Routing: which provider is next; one policy in each file.
//!
//! A policy sees what a client can see: the request as it would go over the wire ([`Call`]) and what the client keeps
//! for each provider ([`Fleet`]). It never sees how a provider is modelled. It only chooses; it must choose among the
//! providers whose breakers let calls through, and says so if there is none it would take.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod bandit;
mod branches;
mod budget_paced;
mod by_context;
mod c3;
mod cache_affine;
mod canary;
mod cascade;
mod chain;
mod cheapest;
mod cheapest_within;
mod complexity;
mod conditional;
mod consistent_hash;
mod cost_based;
mod envoy_least_request;
mod helicone;
mod jiq;
mod kong_latency;
mod kong_least_connections;
mod kong_usage;
mod latency_based;
mod latency_router;
mod least_busy;
mod least_in_flight;
mod least_tokens_in_flight;
mod litellm;
mod litellm_adaptive;
mod litellm_pre_call_checks;
mod litellm_tags;
mod llm_d;
mod members;
mod memoryless;
mod model_groups;
mod openrouter;
mod p2c;
mod pair;
mod peak;
mod peak_ewma;
pub mod pipeline;
mod prequal;
mod priority;
mod prompt_caching;
mod reading;
mod rollout;
mod round_robin;
mod route_llm;
pub mod script;
mod shadow;
mod simple_shuffle;
mod single;
mod smooth_round_robin;
mod sticky;
mod task_router;
mod thompson;
mod tiered;
mod tree;
mod ucb;
mod usage_based;
mod weighted;
mod wheel;

pub use bandit::{Contexts, RewardSpec};
pub use budget_paced::{BudgetPaced, Law};
pub use by_context::{Band, ByContext, Counts};
pub use c3::C3;
pub use cache_affine::{CacheAffine, Uncached};
pub use canary::{Canary, Spill};
pub use cascade::{Cascade, CascadeStage, StageJudge};
pub use chain::Chain;
pub use cheapest::Cheapest;
pub use cheapest_within::{CheapestWithin, NoneWithin};
pub use complexity::{Complexity, Target, Tiers};
pub use conditional::{Condition, Conditional, Query};
pub use consistent_hash::{By, ConsistentHash};
pub use cost_based::CostBased;
pub use envoy_least_request::{EnvoyLeastRequest, SelectionMethod, SlowStart};
pub use helicone::{Helicone, HeliconeStrategy};
pub use jiq::Jiq;
pub use kong_latency::KongLatency;
pub use kong_least_connections::KongLeastConnections;
pub use kong_usage::{KongUsage, TokensCount};
pub use latency_based::LatencyBased;
pub use latency_router::{LatencyRouter, Mend};
pub use least_busy::LeastBusy;
pub use least_in_flight::LeastInFlight;
pub use least_tokens_in_flight::{CountedOutput, LeastTokensInFlight};
pub use litellm::{MinuteLimits, Version};
pub use litellm_adaptive::{AdaptiveModel, LitellmAdaptive};
pub use litellm_pre_call_checks::LitellmPreCallChecks;
pub use litellm_tags::{LitellmTags, TagMatch};
pub use llm_d::LlmD;
pub use members::Members;
pub use model_groups::{ModelGroup, ModelGroups};
pub use openrouter::Openrouter;
pub use p2c::P2c;
pub use peak::Measures;
pub use peak_ewma::PeakEwma;
pub use pipeline::Pipeline;
pub use prequal::Prequal;
pub use priority::Priority;
pub use prompt_caching::PromptCaching;
pub use reading::Misread;
pub use rollout::{AfterGate, ErrorRateGate, Gates, LatencyGate, Rollout, Stage};
pub use round_robin::RoundRobin;
pub use route_llm::{OtherSide, RouteLlm};
pub use script::Script;
pub use shadow::Shadow;
pub use simple_shuffle::SimpleShuffle;
pub use single::Single;
pub use smooth_round_robin::SmoothRoundRobin;
pub use sticky::{OnFailure, Sticky};
pub use task_router::{Estimate, Task, TaskRouter};
pub use thompson::Thompson;
pub use tiered::{Otherwise, Tier, Tiered};
pub use tree::{Fallback, Loadbalance, Node, SampleWithoutReplacement, Tree, TreeStrategy, TreeTarget};
pub use ucb::Ucb;
pub use usage_based::{Usage, UsageBased};
pub use weighted::Weighted;

pub use crate::client::view::{Call, Fleet, Ground, Grounds, KeptOut, Restriction, Sight};

use memoryless::memoryless;

use crate::form::own::Own;
use crate::form::registry::registry;
use std::fmt;

use crate::form::build::{Built, Names, Refusal};
use crate::kernel::chance::index;
use crate::kernel::time::{Span, Time};
use crate::words::{Course, Ended, Headers, Outcome};

/// A routing policy, as it runs.
///
/// `choose` is called once for each attempt. Nothing here may allocate but [`Policy::milestones`] and [`Policy::fresh`].
///
/// A policy that keeps counts of its own asks for [`Wants::ends`]. It then hears of every call that its gateway makes, twice:
/// [`Policy::sent`] when the call goes to a provider, and [`Policy::ended`] exactly once when that call is over, whatever
/// became of it: answered, failed, cut off by a timeout, called off because another copy won, refused by a full connection
/// pool, or given up while it waited in line for a connection. This includes the calls whose provider the engine names
/// instead of the policy (a retry that stays at its provider, the order of a fallback group, the provider that a spent budget
/// names) and the copies that [`Policy::mirror`] sends, so that a count kept in `sent` and `ended` is exactly what is under
/// way or in line at each provider. An answer that [`Policy::judge`] has looked at has ended before the look begins. At the
/// end of a replication every call has ended.
///
/// [`Policy::learn`] is narrower: it tells only of attempts that got a connection, and of no mirrored copy.
pub trait Policy: fmt::Debug + Send + Sync {
    /// The index of the provider to send `call` to; `None` if every one that this policy would take is closed to calls.
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize>;

    /// The services that the policy needs from the engine, besides choices. It is asked once; what is not wanted is not
    /// done.
    fn wants(&self) -> Wants {
        Wants::LEARNS
    }

    /// Called when an attempt that got a connection has ended. Policies that learn listen; the others need not.
    fn learn(&mut self, _ended: &Ended) {}

    /// Called with the rate-limit headers of an attempt that has ended, after [`Policy::learn`].
    fn read(&mut self, _ended: &Ended, _headers: &Headers) {}

    /// Called when `call` goes to `provider`: it is sent now, or refused, or waits in line for a connection.
    /// Comes after [`Policy::choose`], if that was asked, and before anything else; what it leaves in [`Call::ticket`]
    /// comes back in [`Ended::ticket`]. Needs [`Wants::ends`].
    fn sent(&mut self, _call: &Call, _provider: usize) {}

    /// Called when a call that [`Policy::sent`] told of is over: exactly once for each, after [`Policy::learn`]
    /// and [`Policy::read`] where these are told of it too. [`Ended::connected`] says whether it ever got a connection.
    /// Needs [`Wants::ends`].
    fn ended(&mut self, _ended: &Ended) {}

    /// The provider to which a copy of `call`, the first attempt at a request, goes as well; no caller waits for its
    /// answer, and it is paid for.
    fn mirror(&mut self, _call: &Call, _fleet: &Fleet<'_>) -> Option<usize> {
        None
    }

    /// The judge of an answer that `call.last` has given in full, before the caller gets it; `None` to hand it over as
    /// it is. If the answer is turned down, the request is routed again, with one more in `call.rejected`.
    fn judge(&mut self, _call: &Call) -> Option<Judge> {
        None
    }

    /// Whether the policy sends `call` elsewhere, now that its tries have failed where it went last and no more will be
    /// made there. If so, it is routed again, as if for the first time.
    fn fall_back(&mut self, _call: &Call) -> bool {
        false
    }

    /// What `call` is answered for which [`Policy::choose`] has just found no provider, and the Retry-After that comes with it, where
    /// the policy itself turns it away; `None` where nothing is open to calls. What is turned away counts as a try.
    fn turns_away(&mut self, _call: &Call) -> Option<(Outcome, Option<Span>)> {
        None
    }

    /// The milestones of the policy, and when each was passed: always the same ones, in one order.
    fn milestones(&self) -> Vec<Milestone> {
        Vec::new()
    }

    /// What the policy does over time besides answering to what it sees: budgets of its own, a roll-out.
    fn courses(&self) -> Vec<Course> {
        Vec::new()
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Policy>;
}

/// The services that a policy needs from the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Whether to be told how attempts end ([`Policy::learn`]).
    pub learns: bool,
    /// Whether to read rate-limit headers ([`Policy::read`]).
    pub headers: bool,
    /// The grading threshold ([`Ended::grade`]): an answer is graded if its draw is at most this; 0 grades none.
    pub grades: u64,
    /// Whether to send mirrored copies, for which no caller waits ([`Policy::mirror`]).
    pub mirrors: bool,
    /// Whether to have answers judged ([`Policy::judge`]).
    pub judges: bool,
    /// Whether to be asked what follows a failure ([`Policy::fall_back`]).
    pub falls_back: bool,
    /// Whether to keep notes of each request ([`Call::notes`]).
    pub notes: bool,
    /// Whether to be told of every call and of its end ([`Policy::sent`], [`Policy::ended`]).
    pub ends: bool,
}

impl Wants {
    /// No services at all.
    pub const NOTHING: Wants = Wants {
        learns: false,
        headers: false,
        grades: 0,
        mirrors: false,
        judges: false,
        falls_back: false,
        notes: false,
        ends: false,
    };

    /// Only to learn how attempts end.
    pub const LEARNS: Wants = Wants {
        learns: true,
        ..Wants::NOTHING
    };

    /// Only to hear of every call and of its end.
    pub const ENDS: Wants = Wants {
        ends: true,
        ..Wants::NOTHING
    };

    /// The services that either wants.
    #[must_use]
    pub fn and(self, other: Wants) -> Wants {
        Wants {
            learns: self.learns || other.learns,
            headers: self.headers || other.headers,
            grades: self.grades.max(other.grades),
            mirrors: self.mirrors || other.mirrors,
            judges: self.judges || other.judges,
            falls_back: self.falls_back || other.falls_back,
            notes: self.notes || other.notes,
            ends: self.ends || other.ends,
        }
    }
}

/// A judge that looks at an answer before the caller gets it, and how well it judges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judge {
    /// The probability that it accepts a good answer, 0 to 1.
    pub takes_good: f64,
    /// The probability that it accepts an answer that is not good, 0 to 1.
    pub takes_bad: f64,
    /// How much more it errs on difficult requests, 0 to 1: both errors are `1 − hard` times what they are on the whole for the easiest
    /// request and `1 + hard` times for the most difficult one, and neither may come to more than 1.
    pub hard: f64,
    /// The time that judging one answer takes.
    pub looks: Span,
    /// The cost of judging one answer, in pico-dollars.
    pub cost: u64,
    /// Whether an answer that is turned down still goes to the caller if nothing better follows.
    pub keeps: bool,
}

/// A milestone that a policy passes on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// The milestone in words, such as "budget spent".
    pub what: String,
    /// The time at which it was first passed, if it was.
    pub at: Option<Time>,
}

/// The parameters of a policy, as the file gives them.
pub trait BuildPolicy {
    /// Checks the parameters against the experiment's names and makes the policy.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>>;

    /// The policy's own name, where that of its kind does not say which it is.
    fn which(&self) -> Option<&str> {
        None
    }
}

impl BuildPolicy for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        self.make("policy", names)
    }

    fn which(&self) -> Option<&str> {
        Some(&self.name)
    }
}

registry! {
    /// The routing policy, which chooses the provider of each attempt.
    pub enum PolicySpec as BuildPolicy, kind policy in "" of Box<dyn Policy> {
        #[group = "Fixed beforehand"]
        single => Single,
        round_robin => RoundRobin,
        smooth_round_robin => SmoothRoundRobin,
        weighted => Weighted,
        simple_shuffle => SimpleShuffle,
        priority => Priority,
        chain => Chain,
        consistent_hash => ConsistentHash,
        sticky => Sticky,
        canary => Canary,
        rollout => Rollout,
        shadow => Shadow,
        #[group = "By what the request is"]
        tiered => Tiered,
        task_router => TaskRouter,
        conditional => Conditional,
        litellm_tags => LitellmTags,
        litellm_pre_call_checks => LitellmPreCallChecks,
        by_context => ByContext,
        complexity => Complexity,
        route_llm => RouteLlm,
        #[group = "By load and latency"]
        least_busy => LeastBusy,
        latency_based => LatencyBased,
        usage_based => UsageBased,
        least_in_flight => LeastInFlight,
        least_tokens_in_flight => LeastTokensInFlight,
        p2c => P2c,
        peak_ewma => PeakEwma,
        jiq => Jiq,
        envoy_least_request => EnvoyLeastRequest,
        prequal => Prequal,
        c3 => C3,
        helicone => Helicone,
        kong_latency => KongLatency,
        kong_usage => KongUsage,
        kong_least_connections => KongLeastConnections,
        latency_router => LatencyRouter,
        cache_affine => CacheAffine,
        prompt_caching => PromptCaching,
        llm_d => LlmD,
        #[group = "By money and quality"]
        cost_based => CostBased,
        openrouter => Openrouter,
        cheapest => Cheapest,
        cheapest_within => CheapestWithin,
        budget_paced => BudgetPaced,
        cascade => Cascade,
        thompson => Thompson,
        ucb => Ucb,
        litellm_adaptive => LitellmAdaptive,
        #[group = "Composed"]
        model_groups => ModelGroups,
        tree => Tree,
        pipeline => Pipeline,
        #[group = "Your own"]
        own in "../form/own.rs" => Own,
        script => Script,
    }
}

impl PolicySpec {
    /// The name of the policy's kind in reports.
    pub fn kind(&self) -> String {
        match self.as_dyn().which() {
            Some(which) => format!("{} {which}", self.name()),
            None => self.name().to_owned(),
        }
    }
}

/// The providers that take part: those `given` in a policy's field `providers`, in that order, or all.
fn taking_part(given: &Members, names: &Names<'_>) -> Built<Vec<usize>> {
    match given.given() {
        None => Ok(names.everybody()),
        Some(given) => names.each_provider(given).map_err(|r| r.at("providers")),
    }
}

/// The number of users, for a policy that tells them apart.
fn users(names: &Names<'_>) -> Built<u32> {
    names.users.ok_or_else(|| {
        Refusal::new("there are no users to tell apart: give `users` in `traffic`, like {\"count\": 1000}")
    })
}

/// The value of `weight`, if it is a valid one: 0 to [`MOST_WEIGHT`].
fn weight(weight: f64) -> Built<f64> {
    match weight {
        0.0..=MOST_WEIGHT => Ok(weight),
        _ if weight > MOST_WEIGHT => Err(Refusal::new(format!(
            "a weight of {weight:e}: must be at most {MOST_WEIGHT:e}"
        ))),
        _ => Err(Refusal::new(format!("a weight of {weight}: must be 0 or more"))),
    }
}

/// The largest weight: sums of such weights keep every digit that matters.
const MOST_WEIGHT: f64 = 1e12;

/// The price of a token of input and of one of output in pico-dollars, by provider; each one of `order` must be sold by
/// the token.
fn prices(order: &[usize], names: &Names<'_>) -> Built<Vec<(u64, u64)>> {
    let price = |p: usize| names.known.get(p).and_then(|known| known.price);
    if let Some(&p) = order.iter().find(|&&p| price(p).is_none()) {
        let name = &names.providers[p];
        return Err(Refusal::new(format!(
            "provider `{name}` has no price by the token, which this policy goes by: leave it out of `providers`"
        )));
    }
    Ok((0..names.providers.len())
        .map(|p| price(p).unwrap_or_default())
        .collect())
}

/// The one of `order` with the lowest score, the first of equals; a provider without a score is left out.
#[inline]
fn lowest<S: PartialOrd>(order: &[usize], score: impl Fn(usize) -> Option<S>) -> Option<usize> {
    let mut best: Option<(usize, S)> = None;
    for &p in order {
        if let Some(score) = score(p)
            && best.as_ref().is_none_or(|(_, lowest)| score < *lowest)
        {
            best = Some((p, score));
        }
    }
    best.map(|(p, _)| p)
}

/// The one of `order` with the lowest score, as in [`lowest`], but with `draw` choosing among equals.
#[inline]
fn lowest_drawn<S: PartialOrd>(order: &[usize], draw: u64, score: impl Fn(usize) -> Option<S>) -> Option<usize> {
    let mut best: Option<S> = None;
    let mut equals = 0;
    // The places of the best among the first 64: a second look at every score would cost as much as the first.
    let mut places = 0_u64;
    for (i, &p) in order.iter().enumerate() {
        let Some(score) = score(p) else { continue };
        match &best {
            Some(lowest) if score > *lowest => continue,
            Some(lowest) if score == *lowest => equals += 1,
            _ => {
                best = Some(score);
                equals = 1;
                places = 0;
            }
        }
        places |= 1_u64.checked_shl(i as u32).unwrap_or(0);
    }
    let best = best?;
    let nth = index(draw, equals);
    if nth < places.count_ones() as usize {
        let place = (0..nth).fold(places, |left, _| left & (left - 1)).trailing_zeros();
        return Some(order[place as usize]);
    }
    let mut equal = order.iter().copied().filter(|&p| score(p).is_some_and(|s| s == best));
    equal.nth(nth)
}

/// Policies stay usable behind a pointer.
const _: fn(Box<dyn Policy>) = drop;

#[cfg(test)]
mod shares;
#[cfg(test)]
pub(crate) mod testing;
