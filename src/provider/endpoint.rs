//! One running endpoint: decides what becomes of an attempt that reaches it.
//!
//! The order is: whether the provider is down, what its prompt cache has, its quotas and those of its account (a 429
//! with Retry-After, uncharged), the context window (a 400 if input and `max_tokens` exceed it), failures of its work,
//! its own queue, then service, which leaves something in the cache. Everything is decided when the attempt arrives, so
//! that the engine can take the earlier of the answer and the client's timeouts and keep one pending event. The answer
//! is what the provider would do if the caller never hung up.

use crate::kernel::chance::{Key, Parameters, Purpose};
use crate::kernel::clock::SpanClock;
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Headers, Left, Outcome};

use super::Provider;
use super::cache::{Cache, Found};
use super::faults::{Failure, Fault, Weather};
use super::latency::{Latency, Patience, Service, Start};
use super::limits::{Limit, Spent, Unit};
use super::load::{Full, Load, Stay};
use super::pricing::HungUp;

/// How an attempt would end at the provider, counted from when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The outcome at the provider; for a hang, the outcome if nothing else ends it.
    pub outcome: Outcome,
    /// Time to the first token; [`Span::FOREVER`] if there is none.
    pub first_token: Span,
    /// Time to the last token, if nothing stopped it; with `first_token` it gives the decode speed.
    pub last_token: Span,
    /// Time to where tokens stop coming before the last; [`Span::FOREVER`] if they do not.
    pub stops: Span,
    /// Time to the end of the answer; [`Span::FOREVER`] for a hang.
    pub ends: Span,
    /// Whether not even a connection is made, so that the connect timeout may end it.
    pub unreachable: bool,
    /// The Retry-After that comes with it, as the header would read.
    pub retry_after: Option<Span>,
    /// Whether the attempt was admitted, so that it occupies the provider until it leaves.
    pub admitted: bool,
    /// Whether the attempt was refused because it is larger than a quota ever holds.
    pub oversized: bool,
    /// Input tokens found in the provider's prompt cache.
    pub cached: u32,
    /// Input tokens written to the provider's prompt cache.
    pub cache_written: u32,
}

impl Answer {
    /// An attempt that is never answered.
    pub const NOTHING: Answer = Answer {
        outcome: Outcome::TimeoutAttempt,
        first_token: Span::FOREVER,
        last_token: Span::FOREVER,
        stops: Span::FOREVER,
        ends: Span::FOREVER,
        unreachable: false,
        retry_after: None,
        admitted: false,
        oversized: false,
        cached: 0,
        cache_written: 0,
    };

    /// The number of the `output` tokens that the caller has received when it hangs up after `lasts`: the first at the
    /// first token, the others at a steady speed.
    #[inline]
    pub fn written(&self, output: u32, lasts: Span) -> u32 {
        let lasts = lasts.min(self.stops);
        if lasts < self.first_token || output == 0 {
            return 0;
        }
        if lasts >= self.last_token {
            return output;
        }
        let decoding = u128::from((self.last_token - self.first_token).nanos()).max(1);
        let passed = u128::from((lasts - self.first_token).nanos());
        1 + (u128::from(output - 1) * passed / decoding).min(u128::from(output - 1)) as u32
    }

    /// The Retry-After that a caller has read if the attempt ended as `outcome` for it: `None` if it hung up before that.
    #[inline]
    pub fn retry_after_of(&self, outcome: Outcome) -> Option<Span> {
        self.retry_after.filter(|_| outcome == self.outcome)
    }

    /// How many output tokens of an attempt at `output` of them that ended as `outcome` after `took` are billed, beside its
    /// input; [`None`] if nothing is, because no answer was begun for it.
    #[inline]
    pub fn billed(&self, outcome: Outcome, took: Span, output: u32, hung_up: HungUp) -> Option<u32> {
        if self.first_token == Span::FOREVER {
            return None;
        }
        let broke_off = outcome == self.outcome && self.ends != Span::FOREVER;
        match hung_up {
            _ if outcome == Outcome::Success => Some(output),
            _ if broke_off => Some(self.written(output, took)),
            HungUp::Written => Some(self.written(output, took)),
            HungUp::Whole => Some(output),
            HungUp::Nothing => None,
        }
    }
}

/// Quotas that are charged together: a provider's own, or an account's.
#[derive(Debug, Default)]
pub struct Quotas {
    limits: Vec<Box<dyn Limit>>,
    /// Whether any of the limits needs to know how an attempt ended.
    listening: bool,
}

impl Quotas {
    /// A fresh copy of these quotas, unused.
    pub fn new(limits: &[Box<dyn Limit>]) -> Quotas {
        Quotas {
            limits: limits.iter().map(|l| l.fresh()).collect(),
            listening: limits.iter().any(|l| l.listens()),
        }
    }

    #[inline]
    fn ready_at(&mut self, now: Time, ask: &Ask) -> Time {
        let ready = self.limits.iter_mut().map(|l| l.ready_at(now, ask));
        ready.max().unwrap_or(now)
    }

    /// Whether one of the limits never has room for `ask`, however long it waits.
    fn is_too_small(&mut self, now: Time, ask: &Ask) -> bool {
        let rates = self.limits.iter_mut().filter(|l| l.unit() != Unit::Concurrent);
        rates.map(|l| l.ready_at(now, ask)).any(|ready| ready == Time::NEVER)
    }

    /// How long each concurrency limit among them was full.
    fn full(&self, now: Time) -> impl Iterator<Item = Full> {
        self.limits.iter().filter_map(move |l| l.full(now))
    }

    /// What was taken of each of them.
    pub fn used(&self, now: Time) -> impl Iterator<Item = u128> {
        self.limits.iter().map(move |l| l.used(now))
    }

    #[inline]
    fn charge(&mut self, now: Time, ask: &Ask) {
        for limit in &mut self.limits {
            limit.charge(now, ask);
        }
    }

    #[inline]
    fn settle(&mut self, now: Time, spent: &Spent) {
        if self.listening {
            for limit in &mut self.limits {
                limit.settle(now, spent);
            }
        }
    }

    fn headers(&mut self, now: Time, headers: &mut Headers) {
        for limit in &mut self.limits {
            let Some(left) = limit.left(now) else { continue };
            let of = match limit.unit() {
                Unit::Requests => &mut headers.requests,
                Unit::Concurrent => continue,
                Unit::Tokens | Unit::InputTokens | Unit::OutputTokens => &mut headers.tokens,
            };
            let less = |other: &Left| left.remaining < other.remaining;
            if of.as_ref().is_none_or(less) {
                *of = Some(left);
            }
        }
    }
}

/// The state of one provider in one replication.
#[derive(Debug)]
pub struct Endpoint {
    latency: Box<dyn Latency>,
    load: Vec<Box<dyn Load>>,
    cache: Option<Box<dyn Cache>>,
    quotas: Quotas,
    faults: Vec<Box<dyn Fault>>,
    has_weather: bool,
    in_service: u32,
    /// When the work of the most recent attempt is done, if it is worked on.
    works_until: Option<Time>,
    /// How long the most recent attempt waits in the provider's own queue, and whether a fault struck it.
    waits: Span,
    faulty: bool,
    /// The time during which a quota refuses, as far as that is known at a refusal.
    limited: SpanClock,
}

impl Endpoint {
    /// The state of `provider` before the first request. `weather` keys the randomness that does not depend on
    /// requests; `parameters` say what the provider is taken to be, where it is not known exactly: nothing for what is likeliest.
    pub fn new(provider: &Provider, weather: Key, parameters: Option<Parameters>) -> Endpoint {
        let drawn = provider.drawn.as_ref().zip(parameters);
        let one = drawn.and_then(|(drawn, of)| drawn.all.get(of.index(drawn.model, drawn.all.len())));
        let (latency, faults) = match one {
            Some((latency, faults)) => (latency, faults),
            None => (&provider.latency, &provider.faults),
        };
        // Faults take parts from 1 on: part 0 is the key itself, and part 1 of the first provider's key the second
        // provider's.
        Endpoint {
            latency: latency.fresh(),
            load: provider.load.iter().map(|l| l.fresh()).collect(),
            cache: provider.cache.as_ref().map(|c| c.fresh()),
            quotas: Quotas::new(&provider.limits),
            faults: (faults.iter().enumerate())
                .map(|(i, fault)| fault.fresh(weather.part(i as u64 + 1)))
                .collect(),
            has_weather: faults.iter().any(|f| f.has_weather()),
            in_service: 0,
            works_until: None,
            waits: Span::ZERO,
            faulty: false,
            limited: SpanClock::default(),
        }
    }

    /// Decides the attempt keyed by `key` that reaches `provider` at `now`, by a caller of this `patience`. `account`
    /// holds the quotas that the provider shares with others.
    ///
    /// The answer is written where it will stay: a copy of what has just been written piece by piece would wait for the
    /// writes, and cost more than most of what happens here.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one thing that an attempt brings along"
    )]
    #[inline(always)]
    pub fn answer(
        &mut self,
        provider: &Provider,
        account: Option<&mut Quotas>,
        now: Time,
        ask: &Ask,
        patience: &Patience,
        key: Key,
        into: &mut Answer,
    ) {
        *into = Answer::NOTHING;
        self.works_until = None;
        self.waits = Span::ZERO;
        let load = self.in_service;
        let fault = |(i, f): (usize, &mut Box<dyn Fault>)| f.strike(now, load, key.part(i as u64));
        let failure = self.faults.iter_mut().enumerate().find_map(fault);
        self.faulty = failure.is_some();
        match failure {
            Some(Failure::Down(refused)) => {
                into.retry_after = refused.retry_after.map(|wait| provider.retry_after.worded(wait));
                let lasts = refused.after.unwrap_or_else(|| provider.network_time(key));
                return into.at_once(refused.outcome, lasts);
            }
            Some(Failure::Silent) => return,
            Some(Failure::Unreachable) => {
                into.unreachable = true;
                return;
            }
            Some(Failure::Failed(_) | Failure::Hang | Failure::Truncated(_) | Failure::Stalled(_)) | None => {}
        }
        let known;
        let mut cache_factor = 1.0;
        let ask = match &mut self.cache {
            None => ask,
            Some(cache) => {
                let Found { cached, written } = cache.look(now, ask, key);
                (into.cached, into.cache_written) = (cached, written);
                if cached > 0 {
                    cache_factor = cache.ttft_factor();
                }
                known = Ask { cached, ..*ask };
                &known
            }
        };
        let mut account = account;
        let mut ready = self.quotas.ready_at(now, ask);
        if let Some(shared) = &mut account {
            ready = ready.max(shared.ready_at(now, ask));
        }
        if ready > now {
            if ready != Time::NEVER {
                self.limited.add(now, now, ready);
            } else {
                into.oversized =
                    self.quotas.is_too_small(now, ask) || account.is_some_and(|shared| shared.is_too_small(now, ask));
            }
            into.retry_after = provider.retry_after.header(ready.since(now));
            return into.at_once(Outcome::RateLimited, provider.network_time(key));
        }
        let reserved = ask.max_output.unwrap_or(ask.output);
        if provider.context_window < u64::from(ask.input) + u64::from(reserved) {
            return into.at_once(Outcome::ContextExceeded, provider.network_time(key));
        }
        self.quotas.charge(now, ask);
        if let Some(shared) = account {
            shared.charge(now, ask);
        }
        self.in_service += 1;
        into.admitted = true;
        if failure == Some(Failure::Hang) {
            return;
        }
        // The weather is built in place, for the reason that the answer is.
        let mut start = Start {
            now,
            wait: Span::ZERO,
            network: Span::ZERO,
            in_service: self.in_service - 1,
            weather: Weather::FAIR,
            patience,
        };
        if self.has_weather {
            for (i, fault) in self.faults.iter_mut().enumerate() {
                fault.weather(now, key.part(i as u64), &mut start.weather);
            }
        }
        if into.cached > 0 {
            start.weather.ttft *= cache_factor;
        }
        if !self.load.is_empty() {
            start.network = self.latency.network(key);
        }
        for load in &mut self.load {
            if let Err(outcome) = load.enter(&mut start, key) {
                return into.at_once(outcome, provider.network_time(key));
            }
        }
        let mut service = self.latency.serve(&start, ask, key);
        for load in &mut self.load {
            service = load.slow(&start, service, ask);
        }
        service.first_token += start.wait;
        service.last_token += start.wait;
        self.waits = start.wait;
        into.serve(failure, &service, start.wait);
        if let Some(Failure::Failed(refused)) = failure {
            into.retry_after = refused.retry_after.map(|wait| provider.retry_after.worded(wait));
        }
        // What is refused, hangs or fails at its first token leaves nothing behind.
        if into.first_token != Span::FOREVER
            && let Some(cache) = &mut self.cache
        {
            cache.read(now, ask, now + into.first_token);
        }
        if !self.load.is_empty() {
            // One that hangs is worked on to its last token; one that fails late, until it fails.
            let ends = if into.ends == Span::FOREVER {
                service.last_token
            } else {
                into.ends
            };
            self.works_until = Some(now + (ends - start.network).max(start.wait));
        }
    }

    /// What no caller sees of the most recent attempt: how long it waits in the provider's own queue, which is part of its time to the
    /// first token, and whether a fault strikes it.
    pub fn told(&self) -> (Span, bool) {
        (self.waits, self.faulty)
    }

    /// Reports that the caller of the most recent attempt, which arrived at `now`, leaves after `lasts`, with or
    /// without an answer.
    #[inline]
    pub fn stay(&mut self, now: Time, lasts: Span) {
        let Some(done) = self.works_until else { return };
        let stay = Stay {
            came: now,
            done,
            left: now + lasts,
        };
        for load in &mut self.load {
            load.stay(&stay);
        }
    }

    /// An admitted attempt has left: answered, failed or given up by the caller.
    #[inline]
    pub fn leave(&mut self, account: Option<&mut Quotas>, now: Time, spent: impl FnOnce() -> Spent) {
        self.in_service -= 1;
        let shared = account.filter(|a| a.listening);
        if self.quotas.listening || shared.is_some() {
            let spent = spent();
            self.quotas.settle(now, &spent);
            if let Some(shared) = shared {
                shared.settle(now, &spent);
            }
        }
    }

    /// The rate-limit headers of an answer at `now`.
    pub fn headers(&mut self, account: Option<&mut Quotas>, now: Time) -> Headers {
        let mut headers = Headers::default();
        self.quotas.headers(now, &mut headers);
        if let Some(shared) = account {
            shared.headers(now, &mut headers);
        }
        headers
    }

    /// The total time, up to `now`, during which the quotas refused attempts, where a refusal knew how long that would
    /// last.
    pub fn limited(&self, now: Time) -> Span {
        self.limited.total(now)
    }

    /// How long each concurrency limit was full, up to `now`: the provider's own, and those of its account.
    pub fn full_quotas(&self, account: Option<&Quotas>, now: Time) -> impl Iterator<Item = Full> {
        self.quotas
            .full(now)
            .chain(account.into_iter().flat_map(move |shared| shared.full(now)))
    }

    /// What was taken of each of its own quotas, up to `now`.
    pub fn used_quotas(&self, now: Time) -> impl Iterator<Item = u128> {
        self.quotas.used(now)
    }

    /// How long each load model was at its capacity, up to `now`.
    pub fn full_load(&self, now: Time) -> impl Iterator<Item = Full> {
        self.load.iter().filter_map(move |load| load.full(now))
    }
}

impl Answer {
    /// Sets the answer to `outcome`, returned after the network time alone.
    #[inline]
    fn at_once(&mut self, outcome: Outcome, network: Span) {
        self.outcome = outcome;
        self.ends = network;
    }

    /// Sets the answer to what `service` gives after a wait of `wait`, and what `failure` makes of that.
    #[inline]
    fn serve(&mut self, failure: Option<Failure>, service: &Service, wait: Span) {
        if let Some(Failure::Failed(refused)) = failure {
            self.outcome = refused.outcome;
            self.ends = refused.after.map_or(service.first_token, |after| wait + after);
            return;
        }
        self.outcome = Outcome::Success;
        self.first_token = service.first_token;
        self.last_token = service.last_token;
        self.ends = service.last_token;
        let stops = |share: f64| {
            let decoding = (service.last_token - service.first_token).nanos() as f64;
            service.first_token + Span::from_nanos((decoding * share) as u64)
        };
        match failure {
            Some(Failure::Truncated(share)) => {
                self.outcome = Outcome::Truncated;
                self.stops = stops(share);
                self.ends = self.stops;
            }
            Some(Failure::Stalled(share)) => {
                self.outcome = Outcome::TimeoutAttempt;
                self.stops = stops(share);
                self.ends = Span::FOREVER;
            }
            Some(Failure::Down(_) | Failure::Failed(_) | Failure::Unreachable | Failure::Silent | Failure::Hang)
            | None => {}
        }
    }
}

impl Provider {
    /// The time that a refusal takes to come back.
    #[inline]
    fn network_time(&self, key: Key) -> Span {
        Span::from_nanos((self.network.draw(key, Purpose::Network) + 0.5) as u64)
    }
}
