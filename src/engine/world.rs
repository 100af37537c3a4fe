//! The state of one replication, and one short method for each thing that can happen in it.
//!
//! Requests come from the traffic: those that the clock brings are pulled by the loop, those that follow an end are events.
//!
//! A request is in exactly one place: asleep before the gate, in the admission queue, out (with one attempt or several copies
//! of it, each in line for a connection or at a provider), or backing off. It has one pending event, but in a line, where it
//! has one only if the wait is limited, and out, where its attempts have theirs. Events that no longer matter are left behind
//! and recognised as stale: those of a wait or a hedge by their time, the end of an attempt that was called off by its place.

mod age;
mod attempt;
mod belief;
mod cache;
mod copies;
mod end;
mod ends;
mod entry;
mod follow;
mod gateway;
mod groups;
mod headers;
mod identity;
mod judge;
mod line;
mod marks;
mod mirror;
mod patience;
mod watched;

use std::cell::Cell;

use crate::client::admission::Admission;
use crate::client::breaker::Ticket;
use crate::client::budget::Budget;
use crate::client::gate::Gate;
use crate::client::groups::Trail;
use crate::client::hedge::Hedge;
use crate::client::host::{Cluster, Pool};
use crate::client::response_cache::Store;
use crate::client::retry::{Retry, To};
use crate::kernel::chance::{Chance, Key, Purpose, index};
use crate::kernel::clock::BoundClock;
use crate::kernel::queue::EventQueue;
use crate::kernel::slab::Slab;
use crate::kernel::time::{Span, Time};
use crate::provider::endpoint::{Answer, Endpoint, Quotas};
use crate::routing::{Call, Wants};
use crate::traffic::Source;
use crate::words::{Ask, Headers, Outcome};

use super::event::{Event, MOST_SLOTS};
use super::scenario::Scenario;
use super::tally::{Supposed, Tally};
use super::ties::SUPPOSED;
use super::watch::{Arrival, Watch, What};
use age::Aged;
use belief::Beliefs;
use gateway::{Gateway, OF_GROUPS};
use marks::Before;

/// A request in the system.
#[derive(Clone, Copy, Debug)]
struct Request {
    ask: Ask,
    key: Key,
    /// The gateway at which it arrived, by number.
    gateway: u16,
    arrived: Time,
    /// When the timeout of the whole request strikes, or its user leaves if no answer has begun.
    deadline: Time,
    /// Since when it has waited, and until when it may.
    wait_since: Time,
    wait_until: Time,
    waited: Span,
    place: Place,
    /// When the gate counted it, [`Time::NEVER`] before that; and how many requests were in flight then.
    entered: Time,
    beside: u32,
    /// Attempts made, and those of them since the last fallback that were not hedges.
    attempts: u32,
    tries: u32,
    /// The group of providers that it is at, and how often it has fallen back.
    group: u8,
    fallbacks: u8,
    /// Where the next try goes; whether the one under way is a retry that the retry rule watches, and after a failure at which provider
    /// that asked for it (`u32::MAX`: at none).
    to: To,
    retrying: bool,
    retry_of: u32,
    /// The state that the retry rule keeps with the request.
    memory: u64,
    /// The provider of the last attempt.
    provider: u32,
    /// The attempts under way or in line for a connection.
    copies: Copies,
    /// When another copy may follow, [`Time::NEVER`] if none may; and how many copies this try has had.
    hedge_at: Time,
    hedges: u32,
    /// The failure of its first group of providers, and that of its last try.
    first_failure: Option<Outcome>,
    failure: Outcome,
    cost: u64,
    /// The state that the policy keeps with the request, and how often the policy has sent it elsewhere.
    notes: u64,
    detours: u8,
    /// Whether mirroring has been considered for it; and whether it is itself a mirrored copy.
    mirrored: bool,
    shadow: bool,
    /// Number of answers rejected; whether the one being judged will be; and the provider of an answer kept as a last
    /// resort.
    rejected: u8,
    turned_down: bool,
    kept: u32,
    kept_quality: u32,
    /// Probability that the answer is good given all verdicts, in millionths; [`UNJUDGED`] if there was none that tells.
    quality: u32,
    /// Whether a verdict on an earlier answer tells of the next; whether the quality hangs on that, and that of the answer kept.
    doubted: bool,
    supposed: bool,
    kept_supposed: bool,
}

/// Bytes of a pending event in the event set.
const EVENT_BYTES: usize = 16;

/// Pending events that weigh less than a request with its attempt.
const EVENTS_EACH: usize = 16;

const _: () = assert!(World::bytes_each() >= EVENTS_EACH * EVENT_BYTES);

/// The `quality` of a request whose answer was not judged.
const UNJUDGED: u32 = u32::MAX - 1;

impl Request {
    /// The values of a new request.
    const BLANK: Request = Request {
        ask: Ask {
            id: 0,
            class: 0,
            user: 0,
            priority: 0,
            input: 0,
            output: 0,
            max_output: None,
            cached: 0,
            tags: 0,
            resent: 0,
        },
        key: Key::NONE,
        gateway: 0,
        arrived: Time::ZERO,
        deadline: Time::NEVER,
        wait_since: Time::ZERO,
        wait_until: Time::NEVER,
        waited: Span::ZERO,
        place: Place::Between,
        entered: Time::NEVER,
        beside: 0,
        attempts: 0,
        tries: 0,
        group: 0,
        fallbacks: 0,
        to: To::Anew,
        retrying: false,
        retry_of: u32::MAX,
        memory: 0,
        provider: u32::MAX,
        copies: Copies {
            slots: [0; MOST_COPIES],
            count: 0,
        },
        hedge_at: Time::NEVER,
        hedges: 0,
        first_failure: None,
        failure: Outcome::Success,
        cost: 0,
        notes: 0,
        detours: 0,
        mirrored: false,
        shadow: false,
        rejected: 0,
        turned_down: false,
        kept: u32::MAX,
        kept_quality: UNJUDGED,
        quality: UNJUDGED,
        doubted: false,
        supposed: false,
        kept_supposed: false,
    };
}

impl Request {
    /// The request's next attempt, as the policy sees it.
    #[inline(always)]
    fn call(&self, hedge: bool) -> Call {
        Call {
            class: usize::from(self.ask.class),
            user: self.ask.user,
            priority: self.ask.priority,
            input: self.ask.input,
            max_output: self.ask.max_output,
            attempts: self.attempts,
            last: (self.attempts > 0).then_some(self.provider as usize),
            failure: self.failure,
            rejected: u32::from(self.rejected),
            group: usize::from(self.group),
            hedge,
            mirrored: self.shadow,
            request: self.key,
            attempt: self.key.attempt(u64::from(self.attempts)),
            notes: Cell::new(self.notes),
            ticket: Cell::new(0),
        }
    }
}

/// The attempts of a request that are under way or in line.
#[derive(Clone, Copy, Debug, Default)]
struct Copies {
    slots: [u32; MOST_COPIES],
    count: u8,
}

/// The most attempts of one request at once.
pub const MOST_COPIES: usize = 4;

/// The place of a request in the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Neither in a line nor at a provider: backing off, or on its way.
    Between,
    /// Asleep on the way in.
    Asleep,
    /// In the admission queue.
    Queued,
    /// With attempts in line for a connection or at a provider.
    Out,
}

/// An attempt that is under way, its end decided, or in line for a connection.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    way: Way,
    stage: Stage,
    outcome: Outcome,
    /// How many other attempts the gateway had under way at the provider when it was sent.
    beside: u32,
    /// When it was sent; while in line, when the wait began.
    since: Time,
    /// The end of the longest wait in line.
    until: Time,
    answer: Answer,
}

impl Attempt {
    /// The content of a new slot until it is filled.
    const BLANK: Attempt = Attempt {
        way: Way {
            request: 0,
            provider: 0,
            number: 0,
            ticket: Ticket(0),
            hedge: false,
        },
        stage: Stage::CalledOff,
        outcome: Outcome::Cancelled,
        beside: 0,
        since: Time::ZERO,
        until: Time::NEVER,
        answer: Answer::NOTHING,
    };
}

/// The request that an attempt belongs to, and the provider it goes to.
#[derive(Clone, Copy, Debug)]
struct Way {
    request: u32,
    provider: u32,
    /// The attempt's number among those of its request, from 0.
    number: u32,
    /// The ticket that the breaker gave for it.
    ticket: Ticket,
    /// Whether it is a hedge: a further copy of a request under way.
    hedge: bool,
}

/// The stage that an attempt has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In line for a connection.
    InLine,
    /// At its provider.
    Away,
    /// Called off, although its end event is still pending.
    CalledOff,
}

/// The parts of a replication's own randomness, one for each kind of component.
const OF_PROVIDERS: u64 = 0;
const OF_BREAKERS: u64 = 1;
const OF_LIMITERS: u64 = 2;
const OF_ADMISSION: u64 = 3;
const OF_ARRIVALS: u64 = 4;

/// The state of one replication.
#[derive(Debug)]
pub struct World<'a> {
    scenario: &'a Scenario,
    chance: Chance,
    now: Time,
    /// Where requests come from; and the arrivals that are to follow the ends of others, if it makes any.
    source: Source<'a>,
    follows_ends: bool,
    counts_dialogues: bool,
    to_follow: Slab<Ask>,
    events: EventQueue,
    requests: Slab<Request>,
    attempts: Slab<Attempt>,
    endpoints: Vec<Endpoint>,
    accounts: Vec<Quotas>,
    gateways: Vec<Gateway>,
    /// Calls under way at each provider, of all gateways; empty if there is only one gateway.
    everybody: Vec<u32>,
    /// What policies know, if it is not what is.
    aged: Option<Aged>,
    pools: Vec<Pool>,
    /// What pools of one cluster share: bounds on all of them together.
    clusters: Vec<Cluster>,
    admission: Box<dyn Admission>,
    gate: Gate,
    /// Whether anything learns from how attempts end: the policy, the retry rule, the hedging rule or a budget.
    listened_to: bool,
    /// What the policy asks for.
    wants: Wants,
    /// Whether anything but breakers may keep a provider from a first copy.
    may_restrict: bool,
    /// Whether users of some class leave when an answer does not begin.
    is_impatient: bool,
    /// The rate-limit headers of each attempt's answer, by slot, if the policy reads them.
    headers: Vec<Headers>,
    /// By slot of attempt, what the policy keeps of it, if it asks to hear of ends.
    tickets: Vec<u64>,
    /// What verdicts tell; and by slot of request, what its answer and the one kept would be worth under other correlations. Empty if
    /// there are no judges.
    beliefs: Beliefs,
    /// By slot of request, its way through the named groups; empty if there are none.
    trails: Vec<Trail>,
    /// The limits of each named group that has some; empty if none has.
    gates: Vec<Option<Gate>>,
    /// The stores of the response caches, and by slot of request what was found for it; empty if there are none.
    stores: Vec<Box<dyn Store>>,
    served: Vec<Option<cache::Served>>,
    supposed: Vec<[[Supposed; SUPPOSED.len()]; 2]>,
    retry: Box<dyn Retry>,
    retry_listens: bool,
    /// Whether a retry is over for the rule when its answer begins.
    over_at_headers: bool,
    hedge: Option<Box<dyn Hedge>>,
    budget: Option<Box<dyn Budget>>,
    /// How many requests wait in the admission queue, and how many sleep before the gate.
    queued: usize,
    asleep: usize,
    /// How many of the requests in the system are mirrored copies.
    shadows: usize,
    /// The most requests at once that were not mirrored copies, if there are mirrored copies.
    most_in_system: usize,
    /// Whether the queue is being let in just now.
    admitting: bool,
    /// When a limiter next lets the queue's head pass, if that is scheduled.
    admit_at: Time,
    /// Whether a limiter holds a request back, and whether it last rejected one and has let none in since: either binds
    /// it.
    limiter_holds: bool,
    limiter_rejects: bool,
    limiter_binds: BoundClock,
    queue_full: BoundClock,
    tally: Tally,
    /// The next moment at which something is noted, and what had been counted when the warm-up was over.
    next_mark: Time,
    before: Option<Before>,
    /// What looks on, if anything does, and whether it watches breakers.
    watch: Option<&'a mut dyn Watch>,
    watches_breakers: bool,
}

impl<'a> World<'a> {
    /// The state before the first arrival.
    pub fn new(scenario: &'a Scenario, chance: Chance) -> World<'a> {
        let client = &scenario.client;
        let wants = scenario.policy.wants();
        let own = |part: u64, n: usize| chance.surroundings(part).part(n as u64);
        let source = Source::new(&scenario.traffic, chance, own(OF_ARRIVALS, 0));
        let mut world = World {
            scenario,
            chance,
            now: Time::ZERO,
            follows_ends: source.follows_ends(),
            counts_dialogues: scenario.traffic.has_dialogues(),
            source,
            to_follow: Slab::default(),
            events: EventQueue::with_capacity(1024),
            requests: Slab::default(),
            attempts: Slab::default(),
            endpoints: (scenario.fleet.iter().enumerate())
                .map(|(i, d)| Endpoint::new(&d.provider, own(OF_PROVIDERS, i), Some(chance.parameters())))
                .collect(),
            accounts: scenario.accounts.iter().map(|a| Quotas::new(&a.limits)).collect(),
            gateways: (0..usize::from(client.gateways))
                .map(|number| Gateway::new(scenario, chance, number))
                .collect(),
            everybody: if client.gateways > 1 {
                vec![0; scenario.fleet.len()]
            } else {
                Vec::new()
            },
            aged: (client.age).map(|age| {
                Aged::new(
                    age,
                    scenario.window.warmup,
                    usize::from(client.gateways),
                    scenario.fleet.len(),
                )
            }),
            pools: (scenario.pools.iter())
                .map(|p| Pool::in_cluster(p.connections, p.cluster))
                .collect(),
            clusters: scenario.clusters.iter().map(|&bound| Cluster::new(bound)).collect(),
            admission: client.admission.fresh(own(OF_ADMISSION, 0)),
            gate: Gate::new(
                (client.limiters.iter().enumerate())
                    .map(|(i, l)| l.fresh(own(OF_LIMITERS, i)))
                    .collect(),
                client.max_in_flight,
            ),
            may_restrict: client.budget.is_some() || !client.fallback.groups.is_empty() || client.groups.is_some(),
            is_impatient: scenario.traffic.classes.iter().any(|class| class.patience.is_some()),
            listened_to: wants.learns
                || wants.headers
                || client.retry.listens()
                || client.hedge.is_some()
                || client.budget.is_some(),
            wants,
            headers: Vec::new(),
            tickets: Vec::new(),
            beliefs: Beliefs::default(),
            trails: Vec::new(),
            stores: cache::stores(client),
            served: Vec::new(),
            gates: groups::gates(client.groups.as_ref(), chance.surroundings(OF_LIMITERS).part(OF_GROUPS)),
            supposed: Vec::new(),
            retry: client.retry.fresh(),
            retry_listens: client.retry.listens(),
            over_at_headers: client.retry.over_at_headers(),
            hedge: client.hedge.as_ref().map(|h| h.fresh()),
            budget: client.budget.as_ref().map(|b| b.fresh()),
            queued: 0,
            asleep: 0,
            shadows: 0,
            most_in_system: 0,
            admitting: false,
            admit_at: Time::NEVER,
            limiter_holds: false,
            limiter_rejects: false,
            limiter_binds: BoundClock::default(),
            queue_full: BoundClock::default(),
            tally: Tally::new(scenario),
            next_mark: Time::ZERO,
            before: None,
            watch: None,
            watches_breakers: false,
        };
        world.next_mark = world
            .tally
            .series
            .current_ends()
            .min(scenario.window.warmup)
            .min(world.next_tick());
        world
    }

    /// The current simulated time.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// When the next event is due; [`Time::NEVER`] if nothing is pending.
    #[inline]
    pub fn next_event(&self) -> Time {
        self.events.next_time()
    }

    /// The next arrival that follows no end, written into `ask`, and when it is due; `None` once there are no more.
    #[inline]
    pub fn next_arrival(&mut self, ask: &mut Ask) -> Option<Time> {
        self.source.next(ask)
    }

    /// A request arrives at `at`, not before anything that happened.
    #[inline]
    pub fn arrive(&mut self, at: Time, ask: &Ask) {
        self.advance(at);
        if let Some(bin) = self.tally.series.bin() {
            bin.arrivals += 1;
        }
        let slot = self.requests.claim(Request::BLANK);
        let request = &mut self.requests[slot];
        // Filled field by field: copying a whole blank costs a call.
        *request = Request {
            ask: *ask,
            key: self.chance.request(ask.id),
            arrived: at,
            deadline: at + self.scenario.client.timeouts.total,
            wait_since: at,
            ..Request::BLANK
        };
        if self.gateways.len() > 1 {
            request.gateway = index(request.key.draw(Purpose::Gateway), self.gateways.len()) as u16;
        }
        if ask.input == u32::MAX || ask.output == u32::MAX {
            self.tally.clipped += u64::from(at >= self.scenario.window.warmup);
        }
        let input_window = self.scenario.client.input_window;
        if ask.input > input_window {
            request.ask.input = input_window;
            self.tally.effort.shortened += u64::from(at >= self.scenario.window.warmup);
        }
        if self.is_impatient {
            self.set_patience(slot);
        }
        if let Some(groups) = &self.scenario.client.groups {
            let request = &mut self.requests[slot];
            request.group = groups.entry[usize::from(ask.class)];
            self.set_out(slot);
        }
        if self.wants.mirrors {
            self.most_in_system = self.most_in_system.max(self.in_system());
        }
        self.note(slot, |world| {
            let request = &world.requests[slot];
            What::Arrived(Arrival {
                ask: request.ask,
                whole_input: ask.input,
                deadline: world.times_out(request),
                gateway: request.gateway,
                shadow: false,
            })
        });
        if !self.scenario.client.rules.all.is_empty() {
            self.count_identity(slot);
        }
        if slot as usize >= MOST_SLOTS {
            return self.end(slot, Outcome::Shed, Span::ZERO);
        }
        if !self.stores.is_empty() {
            return self.look_up(slot);
        }
        self.ask_to_enter(slot);
    }

    /// Handles the next event. Returns whether there was one.
    #[inline]
    pub fn step(&mut self) -> bool {
        let Some((at, payload)) = self.events.pop() else {
            return false;
        };
        self.advance(at);
        match Event::unpack(payload) {
            Event::AttemptEnds(slot) => self.attempt_ends(slot),
            Event::TryAgain(slot) => self.route(slot),
            Event::Resolve(slot) => self.resolve(slot),
            Event::LineOver(slot) => self.line_over(slot),
            Event::Hedge(slot) => self.hedge(slot),
            Event::FirstToken(slot) => self.first_token(slot),
            Event::AskAgain(slot) => {
                self.wake(slot);
                self.ask_to_enter(slot);
            }
            Event::GoNow(slot) => {
                self.wake(slot);
                self.go(slot);
            }
            Event::WaitOver(slot) => self.wait_over(slot),
            Event::GiveUp(slot) => self.give_up(slot),
            Event::Judged(slot) => self.judged(slot),
            Event::Follow(slot) => self.arrive_after(slot),
            Event::Found(slot) => self.serve(slot),
            Event::Missed(slot) => self.ask_to_enter(slot),
            Event::Headers(slot) => self.headers_come(slot),
            // An earlier head may have asked for a later time: that event is stale.
            Event::Admit => {
                if self.now == self.admit_at {
                    self.admit_at = Time::NEVER;
                    self.admit();
                }
            }
        }
        true
    }

    /// How many requests the memory of this state would be filled by: those in the system, or the attempts under way, if hedging
    /// and copies that are called off make more of them, or a sixteenth of the pending events, if waits that are long over leave
    /// many behind.
    #[inline]
    pub fn held(&self) -> u64 {
        let (requests, attempts) = (self.requests.len(), self.attempts.len());
        requests.max(attempts).max(self.events.len() / EVENTS_EACH) as u64
    }

    /// Bytes that a request with one attempt takes, with its slots and its event.
    pub const fn bytes_each() -> usize {
        size_of::<Request>() + size_of::<Attempt>() + 2 * size_of::<u32>() + EVENT_BYTES
    }

    /// Bytes that a request takes besides where answers are judged.
    pub const fn bytes_of_judging() -> usize {
        Beliefs::bytes_each() + size_of::<[[Supposed; SUPPOSED.len()]; 2]>()
    }

    /// Requests in the system.
    fn in_system(&self) -> usize {
        self.requests.len() - self.shadows
    }

    // Advances the clock.

    #[inline]
    fn advance(&mut self, to: Time) {
        // `Time::NEVER` means that no mark is left, even if the clock has saturated to it (an answer that takes
        // centuries).
        while to >= self.next_mark && self.next_mark != Time::NEVER {
            self.mark(to);
        }
        self.now = to;
    }
}
