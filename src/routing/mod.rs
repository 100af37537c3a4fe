//! Which provider next: one policy a file.
//!
//! A policy sees what a client can see: the request as it would go over the wire ([`Call`]) and what the client keeps of
//! each provider ([`Fleet`]). It never sees how a provider is modelled. It only chooses; it must choose among the
//! providers whose breakers let calls through, and says so if there is none it would take.

mod chain;
mod cheapest;
mod cost_based;
mod jiq;
mod kong_latency;
mod latency_based;
mod latency_router;
mod least_busy;
mod least_in_flight;
mod litellm;
mod openrouter;
mod p2c;
mod pair;
mod peak_ewma;
mod priority;
mod round_robin;
mod simple_shuffle;
mod single;
mod tiered;
mod usage_based;
mod weighted;
mod wheel;

pub use chain::Chain;
pub use cheapest::Cheapest;
pub use cost_based::CostBased;
pub use jiq::Jiq;
pub use kong_latency::KongLatency;
pub use latency_based::LatencyBased;
pub use latency_router::LatencyRouter;
pub use least_busy::LeastBusy;
pub use least_in_flight::LeastInFlight;
pub use litellm::{MinuteLimits, Version};
pub use openrouter::Openrouter;
pub use p2c::P2c;
pub use peak_ewma::{Measures, PeakEwma};
pub use priority::Priority;
pub use round_robin::RoundRobin;
pub use simple_shuffle::SimpleShuffle;
pub use single::Single;
pub use tiered::{Misread, Otherwise, Tier, Tiered};
pub use usage_based::{Usage, UsageBased};
pub use weighted::Weighted;

use crate::spec::registry::registry;
use std::fmt;

use crate::client::breaker::FleetBreaker;
use crate::client::host::Host;
use crate::kernel::chance::{Key, Purpose, index};
use crate::kernel::time::Time;
use crate::request::{Ended, Headers};
use crate::spec::build::{Built, Names, Refusal};

/// A routing policy, as it runs.
///
/// `choose` is called once for each attempt. It must not allocate.
pub trait Policy: fmt::Debug + Send + Sync {
    /// The index of the provider to send `call` to; `None` if every one that this policy would take is closed to calls.
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize>;

    /// An attempt has ended. Policies that learn listen; the others need not.
    fn learn(&mut self, _ended: &Ended) {}

    /// Whether it listens to [`Policy::learn`]. One that never does may say so, and is asked no more.
    fn learns(&self) -> bool {
        true
    }

    /// Whether it reads rate-limit headers.
    fn reads_headers(&self) -> bool {
        false
    }

    /// The rate-limit headers of an attempt that has ended, after [`Policy::learn`]. Only for policies that read them.
    fn read(&mut self, _ended: &Ended, _headers: &Headers) {}

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Policy>;
}

/// One attempt to be routed, as the client knows it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The kind of request. A policy that has to guess it draws its guess with [`Call::draw`].
    pub class: usize,
    /// Lower numbers go first.
    pub priority: u8,
    /// Input tokens.
    pub input: u32,
    /// The `max_tokens` sent along, if any.
    pub max_output: Option<u32>,
    /// Attempts already made at this request.
    pub attempts: u32,
    /// Where the last attempt went, if there was one.
    pub last: Option<usize>,
    /// Whether this is a further copy of a request that is under way.
    pub hedge: bool,
    /// The randomness of the request.
    pub request: Key,
    /// The randomness of this attempt.
    pub attempt: Key,
}

impl Call {
    /// A uniform draw for this attempt's choice.
    #[inline]
    pub fn draw(&self) -> u64 {
        self.attempt.draw(Purpose::Route)
    }
}

/// What the client keeps of each provider, read-only.
#[derive(Clone, Copy, Debug)]
pub struct Fleet<'a> {
    hosts: &'a [Host],
    guard: Option<&'a dyn FleetBreaker>,
    now: Time,
    restriction: Option<&'a Restriction<'a>>,
}

/// What keeps providers out besides their breakers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Restriction<'a> {
    /// Who is in the group that the request is at; nothing if everybody is.
    pub members: Option<&'a [bool]>,
    /// Whom a budget bars; nothing if nobody.
    pub barred: Option<&'a [bool]>,
    /// Who has a copy of the request already, where another must go elsewhere.
    pub excluded: &'a [u32],
}

impl Restriction<'_> {
    fn allows(&self, index: usize) -> bool {
        self.members.is_none_or(|m| m[index])
            && self.barred.is_none_or(|b| !b[index])
            && !self.excluded.contains(&(index as u32))
    }
}

impl<'a> Fleet<'a> {
    /// The fleet at `now`.
    #[inline]
    pub fn new(hosts: &'a [Host], guard: Option<&'a dyn FleetBreaker>, now: Time) -> Fleet<'a> {
        Fleet {
            hosts,
            guard,
            now,
            restriction: None,
        }
    }

    /// The same, but only of those whom `restriction` allows.
    #[inline]
    #[must_use]
    pub fn within(self, restriction: &'a Restriction<'a>) -> Fleet<'a> {
        Fleet {
            restriction: Some(restriction),
            ..self
        }
    }

    /// How many providers there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The time.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Whether a call may go to provider `index`: its breaker lets it through, it is in the group that the request is at, and
    /// no budget bars it.
    #[inline]
    pub fn is_open_to_calls(&self, index: usize) -> bool {
        self.is_eligible(index) && self.breaker_permits(index)
    }

    /// Whether provider `index` could take the call but for its breaker.
    #[inline]
    pub fn is_eligible(&self, index: usize) -> bool {
        self.restriction.is_none_or(|r| r.allows(index))
    }

    /// Whether the breaker of provider `index` lets a call through.
    #[inline]
    pub fn breaker_permits(&self, index: usize) -> bool {
        match (&self.hosts[index].breaker, self.guard) {
            (Some(breaker), _) => breaker.permits(self.now),
            (None, Some(guard)) => guard.permits(index, self.now),
            (None, None) => true,
        }
    }

    /// Attempts that wait for a connection to provider `index`.
    #[inline]
    pub fn in_line(&self, index: usize) -> u32 {
        self.hosts[index].in_line
    }

    /// Attempts under way at provider `index` or in line for it.
    #[inline]
    pub fn load(&self, index: usize) -> u32 {
        self.in_flight(index).saturating_add(self.in_line(index))
    }

    /// The client's own attempts under way at provider `index`, those in line not counted.
    #[inline]
    pub fn in_flight(&self, index: usize) -> u32 {
        self.hosts[index].in_flight
    }
}

/// What the file says of a policy.
pub trait BuildPolicy {
    /// Checks the parameters against the experiment's names and makes the policy.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>>;
}

registry! {
    /// A routing policy.
    pub enum PolicySpec as BuildPolicy {
        single => Single,
        round_robin => RoundRobin,
        weighted => Weighted,
        tiered => Tiered,
        simple_shuffle => SimpleShuffle,
        least_busy => LeastBusy,
        latency_based => LatencyBased,
        usage_based => UsageBased,
        cost_based => CostBased,
        least_in_flight => LeastInFlight,
        p2c => P2c,
        peak_ewma => PeakEwma,
        jiq => Jiq,
        openrouter => Openrouter,
        kong_latency => KongLatency,
        latency_router => LatencyRouter,
        cheapest => Cheapest,
        priority => Priority,
        chain => Chain,
    }
}

/// Who takes part: those `given` in a policy's field `providers`, in that order, or everybody.
fn taking_part(given: &[String], names: &Names<'_>) -> Built<Vec<usize>> {
    if given.is_empty() {
        return Ok((0..names.providers.len()).collect());
    }
    names.each_provider(given).map_err(|r| r.at("providers"))
}

/// `weight`, if it is one.
fn weight(weight: f64) -> Built<f64> {
    if weight >= 0.0 && weight.is_finite() {
        return Ok(weight);
    }
    Err(Refusal::new(format!("a weight of {weight}: must be 0 or more")))
}

/// Pico-dollars for a token of input and one of output, by provider; each one of `order` must be sold by the token.
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

/// The one of `order` with the lowest score, the first of equals; `None` for whoever has no score.
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

/// As [`lowest`], with `draw` choosing among equals.
#[inline]
fn lowest_drawn<S: PartialOrd>(order: &[usize], draw: u64, score: impl Fn(usize) -> Option<S>) -> Option<usize> {
    let mut best: Option<S> = None;
    let mut equals = 0;
    for &p in order {
        let Some(score) = score(p) else { continue };
        match &best {
            Some(lowest) if score > *lowest => {}
            Some(lowest) if score == *lowest => equals += 1,
            _ => {
                best = Some(score);
                equals = 1;
            }
        }
    }
    let best = best?;
    let nth = index(draw, equals);
    order
        .iter()
        .copied()
        .filter(|&p| score(p).is_some_and(|s| s == best))
        .nth(nth)
}

/// Policies stay usable behind a pointer.
const _: fn(Box<dyn Policy>) = drop;

#[cfg(test)]
pub(crate) mod testing {
    //! One fleet and one call, for the tests of every policy.

    use super::*;
    use crate::client::breaker::BreakerSpec;
    use crate::kernel::chance::Chance;
    use crate::request::Outcome;
    use crate::spec::build::Known;

    /// A policy over providers a, b, c and classes x, y.
    pub(crate) fn policy(json: &str) -> Box<dyn Policy> {
        build(json).unwrap()
    }

    /// As [`policy`], with the refusal.
    pub(crate) fn build(json: &str) -> Built<Box<dyn Policy>> {
        build_with(json, &[])
    }

    /// As [`policy`], with these prices in pico-dollars for a token of input and one of output.
    pub(crate) fn policy_with(json: &str, prices: &[Option<(u64, u64)>]) -> Box<dyn Policy> {
        let known = |&price: &Option<(u64, u64)>| Known {
            price,
            ..Known::default()
        };
        build_with(json, &prices.iter().map(known).collect::<Vec<_>>()).unwrap()
    }

    fn build_with(json: &str, known: &[Known]) -> Built<Box<dyn Policy>> {
        let (providers, classes) = (["a", "b", "c"].map(String::from), ["x", "y"].map(String::from));
        let spec: PolicySpec = serde_json::from_str(json).unwrap();
        spec.as_dyn().build(&Names {
            providers: &providers,
            classes: &classes,
            known,
            ..Names::default()
        })
    }

    /// The choice for one call at `now`.
    pub(crate) fn choose_at(policy: &mut dyn Policy, hosts: &[Host], now: Time) -> Option<usize> {
        choose_by(policy, hosts, now, 0)
    }

    /// The choice for call number `id` at `now`.
    pub(crate) fn choose_by(policy: &mut dyn Policy, hosts: &[Host], now: Time, id: u64) -> Option<usize> {
        policy.choose(&call(id, 0), &Fleet::new(hosts, None, now))
    }

    /// Three hosts; those named in `closed` have an open breaker.
    pub(crate) fn hosts(closed: &[usize]) -> Vec<Host> {
        let spec: BreakerSpec = serde_json::from_str(r#"{"consecutive": {"failures": 1}}"#).unwrap();
        let host = |i| {
            let guard = spec.as_dyn().build(&Names::default()).unwrap();
            let mut breaker = guard.of_one(Chance::new(1, 0).surroundings(0)).unwrap();
            if closed.contains(&i) {
                let ticket = breaker.sent(Time::ZERO);
                breaker.record(ticket, &Ended::new(Time::ZERO, i, Outcome::ServerError));
            }
            Host {
                breaker: Some(breaker),
                ..Host::default()
            }
        };
        (0..3).map(host).collect()
    }

    /// The call that request number `id` of class `class` makes.
    pub(crate) fn call(id: u64, class: usize) -> Call {
        let request = Chance::new(1, 0).request(id);
        Call {
            class,
            priority: 0,
            input: 0,
            max_output: None,
            attempts: 0,
            last: None,
            hedge: false,
            request,
            attempt: request,
        }
    }

    /// How often each provider is chosen out of `n` calls of `class`, and how often none.
    pub(crate) fn counts(policy: &mut dyn Policy, hosts: &[Host], class: usize, n: u64) -> [u64; 4] {
        let mut counts = [0; 4];
        for id in 0..n {
            let chosen = policy.choose(&call(id, class), &Fleet::new(hosts, None, Time::ZERO));
            counts[chosen.unwrap_or(3)] += 1;
        }
        counts
    }
}
