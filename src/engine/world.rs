//! The state of one replication, and one short method for each thing that can happen in it.
//!
//! A request is in exactly one place: asleep before the gate, in the admission queue, in line for a connection, at a
//! provider (one attempt), or backing off. It has one pending event, but in a line: there it has one only if the wait is
//! limited, which is left behind when the wait ends early and recognised as stale by its time.

mod attempt;
mod entry;

use crate::client::admission::Admission;
use crate::client::breaker::Ticket;
use crate::client::gate::{BoundClock, Gate};
use crate::client::host::Host;
use crate::kernel::chance::{Chance, Key};
use crate::kernel::queue::EventQueue;
use crate::kernel::slab::Slab;
use crate::kernel::time::{Span, Time};
use crate::provider::endpoint::Endpoint;
use crate::request::{Ask, Outcome};
use crate::routing::Policy;

use super::event::{Event, MOST_SLOTS};
use super::scenario::Scenario;
use super::tally::{Bound, BoundKind, Tally};

/// A request in the system.
#[derive(Clone, Copy, Debug)]
struct Request {
    ask: Ask,
    key: Key,
    arrived: Time,
    /// When the timeout of the whole request strikes.
    deadline: Time,
    /// Since when it has waited, and until when it may.
    wait_since: Time,
    wait_until: Time,
    waited: Span,
    place: Place,
    /// Whether the gate has counted it.
    entered: bool,
    attempts: u32,
    provider: u32,
    /// What the breaker of the provider gave for the attempt under way or in line.
    ticket: Ticket,
    cost: u64,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Neither in a line nor at a provider: backing off, or on its way.
    Between,
    /// Asleep on the way in.
    Asleep,
    /// In the admission queue.
    Queued,
    /// In line for a connection.
    InLine,
    /// At a provider.
    Away,
}

/// An attempt under way, its end decided.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    request: u32,
    provider: u32,
    outcome: Outcome,
    admitted: bool,
    sent: Time,
    first_token: Span,
    retry_after: Option<Span>,
    input: u32,
    written: u32,
    charge: u64,
}

/// The state of one replication.
#[derive(Debug)]
pub struct World<'a> {
    scenario: &'a Scenario,
    chance: Chance,
    now: Time,
    events: EventQueue,
    requests: Slab<Request>,
    attempts: Slab<Attempt>,
    endpoints: Vec<Endpoint>,
    hosts: Vec<Host>,
    admission: Box<dyn Admission>,
    gate: Gate,
    policy: Box<dyn Policy>,
    /// How many wait in the admission queue, and how many sleep before the gate.
    queued: usize,
    asleep: usize,
    /// Whether the queue is being let in just now.
    admitting: bool,
    /// When a limiter next lets the queue's head pass, if that is scheduled.
    admit_at: Time,
    limiter_holds: BoundClock,
    queue_full: BoundClock,
    tally: Tally,
    /// The next moment at which something is noted, and what the bounds' clocks read when counting began.
    next_mark: Time,
    counting_from: Option<Vec<Bound>>,
}

impl<'a> World<'a> {
    /// The state before the first arrival.
    pub fn new(scenario: &'a Scenario, chance: Chance) -> World<'a> {
        let client = &scenario.client;
        let mut world = World {
            scenario,
            chance,
            now: Time::ZERO,
            events: EventQueue::with_capacity(1024),
            requests: Slab::default(),
            attempts: Slab::default(),
            endpoints: scenario.fleet.iter().map(|d| Endpoint::new(&d.provider)).collect(),
            hosts: scenario
                .fleet
                .iter()
                .map(|d| Host::new(client.breaker.fresh(), d.connections))
                .collect(),
            admission: client.admission.fresh(),
            gate: Gate::new(
                client.limiters.iter().map(|l| l.fresh()).collect(),
                client.max_in_flight,
            ),
            policy: scenario.policy.fresh(),
            queued: 0,
            asleep: 0,
            admitting: false,
            admit_at: Time::NEVER,
            limiter_holds: BoundClock::default(),
            queue_full: BoundClock::default(),
            tally: Tally::new(scenario),
            next_mark: Time::ZERO,
            counting_from: None,
        };
        world.next_mark = world.tally.series.current_ends().min(scenario.window.warmup);
        world
    }

    /// The time of what happened last.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// When the next event is due; [`Time::NEVER`] if nothing is pending.
    #[inline]
    pub fn next_event(&self) -> Time {
        self.events.next_time()
    }

    /// A request arrives at `at`, not before anything that happened.
    #[inline]
    pub fn arrive(&mut self, at: Time, ask: Ask) {
        self.advance(at);
        if let Some(bin) = self.tally.series.bin() {
            bin.arrivals += 1;
        }
        let request = Request {
            ask,
            key: self.chance.request(ask.id),
            arrived: at,
            deadline: at + self.scenario.client.timeouts.total,
            wait_since: at,
            wait_until: Time::NEVER,
            waited: Span::ZERO,
            place: Place::Between,
            entered: false,
            attempts: 0,
            provider: u32::MAX,
            ticket: Ticket::default(),
            cost: 0,
        };
        let slot = self.requests.insert(request);
        if slot as usize >= MOST_SLOTS {
            return self.end(slot, Outcome::Shed, Span::ZERO);
        }
        self.ask_to_enter(slot);
    }

    /// The next event happens. Returns whether there was one.
    #[inline]
    pub fn step(&mut self) -> bool {
        let Some((at, payload)) = self.events.pop() else {
            return false;
        };
        self.advance(at);
        match Event::unpack(payload) {
            Event::AttemptEnds(slot) => self.attempt_ends(slot),
            Event::TryAgain(slot) => self.route(slot),
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

    /// The tally, once nothing is pending.
    pub fn finish(mut self) -> Tally {
        while self.next_mark != Time::NEVER {
            self.mark();
        }
        debug_assert!(self.requests.is_empty(), "every arrival ends");
        self.tally.pack();
        self.tally.peak_in_system = self.requests.peak();
        for (provider, host) in self.tally.providers.iter_mut().zip(&self.hosts) {
            provider.trips = host.breaker.trips();
        }
        self.tally
    }

    // Time passes.

    #[inline]
    fn advance(&mut self, to: Time) {
        // With no mark left the next one is never, and something may happen then: an answer that takes centuries.
        while to >= self.next_mark && self.next_mark != Time::NEVER {
            self.mark();
        }
        self.now = to;
    }

    /// Notes what is to be noted at `next_mark`: the end of a bin, the start or the end of counting.
    fn mark(&mut self) {
        let (mark, window) = (self.next_mark, self.scenario.window);
        if mark >= window.warmup && self.counting_from.is_none() {
            self.counting_from = Some(self.bounds(mark));
        }
        if mark == self.tally.series.current_ends() {
            self.tally.series.close_bin(self.requests.len());
        }
        if mark >= window.end && self.tally.bounds.is_empty() {
            let mut bounds = self.bounds(mark);
            for (bound, before) in bounds.iter_mut().zip(self.counting_from.iter().flatten()) {
                bound.time -= before.time;
            }
            self.tally.bounds = bounds;
            self.tally.in_system_at_end = self.requests.len() as u64;
        }
        let unless_passed = |t: Time| if t > mark { t } else { Time::NEVER };
        self.next_mark = self
            .tally
            .series
            .current_ends()
            .min(unless_passed(window.warmup))
            .min(unless_passed(window.end));
    }

    /// What every bound's clock reads at `now`.
    fn bounds(&self, now: Time) -> Vec<Bound> {
        let bound = |what, provider, limit, time: Span| Bound {
            what,
            provider,
            limit,
            time: u128::from(time.nanos()),
        };
        let number = |cap: u32| (cap != u32::MAX).then_some(u64::from(cap));
        let mut all = Vec::new();
        if let Some(cap) = number(self.gate.cap()) {
            all.push(bound(
                BoundKind::InFlight,
                None,
                Some(cap),
                self.gate.time_full().total(now),
            ));
        }
        all.push(bound(BoundKind::Limiter, None, None, self.limiter_holds.total(now)));
        if let Some(capacity) = self.admission.capacity() {
            all.push(bound(
                BoundKind::Queue,
                None,
                Some(capacity as u64),
                self.queue_full.total(now),
            ));
        }
        for (i, (host, endpoint)) in self.hosts.iter().zip(&self.endpoints).enumerate() {
            if let Some(cap) = number(host.connections()) {
                all.push(bound(
                    BoundKind::Connections,
                    Some(i),
                    Some(cap),
                    host.time_full().total(now),
                ));
            }
            all.push(bound(BoundKind::Quota, Some(i), None, endpoint.limited(now)));
            all.push(bound(BoundKind::Breaker, Some(i), None, host.breaker.time_open(now)));
        }
        all
    }
}
