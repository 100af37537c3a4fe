//! The state of one replication, and one short method for each thing that can happen in it.
//!
//! A request is in exactly one place: asleep before the gate, in the admission queue, in line for a connection, at a
//! provider (one attempt), or backing off. It has one pending event, plus one more while it waits in a line for a limited
//! time; that one is left behind when the wait ends early, and recognised as stale by its time.

use crate::client::admission::{Admission, Next, Offer};
use crate::client::gate::{BoundClock, Gate};
use crate::client::host::Host;
use crate::client::retry::Failed;
use crate::kernel::chance::{Chance, Key};
use crate::kernel::queue::EventQueue;
use crate::kernel::slab::Slab;
use crate::kernel::time::{Span, Time};
use crate::provider::endpoint::{Answer, Endpoint};
use crate::request::{Ask, Outcome};
use crate::routing::{Call, Fleet, Policy, Seen};

use super::event::{Event, MOST_SLOTS};
use super::scenario::Scenario;
use super::tally::{Bound, BoundKind, Ending, Tally};

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
    cost: u64,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Neither in a line nor at a provider: asleep, backing off, or on its way.
    Between,
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
            Event::Admit => {
                self.admit_at = Time::NEVER;
                self.admit();
            }
        }
        true
    }

    /// The tally, once nothing is pending.
    pub fn finish(mut self) -> Tally {
        while self.next_mark != Time::NEVER {
            self.mark();
        }
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

    // The way in.

    #[inline]
    fn ask_to_enter(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        match self.admission.offer(self.now, slot, &request.ask, &mut self.gate) {
            Offer::Enter => {
                request.entered = true;
                self.route(slot);
            }
            Offer::Wait => {
                request.place = Place::Queued;
                self.queued += 1;
                let max_wait = self.admission.max_wait();
                self.start_wait(slot, max_wait);
                if self.admission.capacity() == Some(self.queued) {
                    self.queue_full.enter(self.now);
                }
                if self.queued == 1 {
                    self.admit();
                }
            }
            Offer::Sleep(until) => {
                let give_up = (request.arrived + self.admission.max_wait()).min(request.deadline);
                self.sleep(slot, until, give_up, Event::AskAgain(slot));
            }
            Offer::EnterAt(at) => {
                request.entered = true;
                let deadline = request.deadline;
                self.sleep(slot, at, deadline, Event::GoNow(slot));
            }
            Offer::Shed => self.end(slot, Outcome::Shed, Span::ZERO),
        }
    }

    fn sleep(&mut self, slot: u32, until: Time, give_up: Time, then: Event) {
        self.requests[slot].wait_since = self.now;
        if self.asleep == 0 {
            self.limiter_holds.enter(self.now);
        }
        self.asleep += 1;
        self.push_unless_late(slot, until, give_up, then);
    }

    fn wake(&mut self, slot: u32) {
        self.stop_wait(slot);
        self.asleep -= 1;
        if self.asleep == 0 {
            self.limiter_holds.leave(self.now);
        }
    }

    /// Schedules `then` at `at`, or the end of the request at `give_up` if that is not later.
    fn push_unless_late(&mut self, slot: u32, at: Time, give_up: Time, then: Event) {
        let (at, event) = if at >= give_up {
            (give_up, Event::GiveUp(slot))
        } else {
            (at, then)
        };
        self.events.push(at.max(self.now), event.pack());
    }

    #[inline]
    fn start_wait(&mut self, slot: u32, at_most: Span) {
        let request = &mut self.requests[slot];
        request.wait_since = self.now;
        request.wait_until = (self.now + at_most).min(request.deadline);
        if request.wait_until != Time::NEVER {
            self.events.push(request.wait_until, Event::WaitOver(slot).pack());
        }
    }

    #[inline]
    fn stop_wait(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        request.waited += self.now.since(request.wait_since);
        request.place = Place::Between;
    }

    /// Lets in whoever may pass. One who is let in and fails at once makes room for the next: that is left to the loop
    /// here, lest a long queue behind a breaker go as deep into the stack.
    #[inline]
    fn admit(&mut self) {
        if self.admitting {
            return;
        }
        self.admitting = true;
        self.admit_all();
        self.admitting = false;
    }

    #[inline]
    fn admit_all(&mut self) {
        while self.queued > 0 {
            match self.admission.next(self.now, &mut self.gate) {
                Next::Enter(slot) => {
                    self.left_queue();
                    self.requests[slot].entered = true;
                    self.go(slot);
                }
                Next::Until(at) => {
                    self.limiter_holds.enter(self.now);
                    if at < self.admit_at {
                        self.admit_at = at;
                        self.events.push(at, Event::Admit.pack());
                    }
                    return;
                }
                Next::Nobody => break,
            }
        }
        if self.asleep == 0 {
            self.limiter_holds.leave(self.now);
        }
    }

    fn left_queue(&mut self) {
        self.queue_full.leave(self.now);
        self.queued -= 1;
    }

    fn go(&mut self, slot: u32) {
        self.stop_wait(slot);
        self.route(slot);
    }

    fn wait_over(&mut self, slot: u32) {
        let request = &self.requests[slot];
        if request.wait_until != self.now {
            return;
        }
        let outcome = if self.now >= request.deadline {
            Outcome::TimeoutTotal
        } else {
            Outcome::QueueTimeout
        };
        match request.place {
            Place::Queued => {
                self.admission.remove(slot);
                self.left_queue();
            }
            Place::InLine => {
                let host = &mut self.hosts[request.provider as usize];
                host.give_up(slot);
                host.breaker.record(self.now, Outcome::QueueTimeout);
            }
            Place::Between | Place::Away => return,
        }
        self.stop_wait(slot);
        self.end(slot, outcome, Span::ZERO);
        self.admit();
    }

    fn give_up(&mut self, slot: u32) {
        let request = self.requests[slot];
        if request.attempts == 0 {
            self.wake(slot);
        }
        let outcome = if self.now >= request.deadline {
            Outcome::TimeoutTotal
        } else {
            Outcome::QueueTimeout
        };
        self.end(slot, outcome, Span::ZERO);
        self.admit();
    }

    // At a provider.

    /// Chooses a provider for the request in `slot` and sends it there, or puts it in line for a connection.
    #[inline]
    fn route(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        let call = Call {
            class: usize::from(request.ask.class),
            priority: request.ask.priority,
            input: request.ask.input,
            max_output: request.ask.max_output,
            attempts: request.attempts,
            last: (request.attempts > 0).then_some(request.provider as usize),
            request: request.key,
            attempt: request.key.attempt(u64::from(request.attempts)),
        };
        let Some(provider) = self.policy.choose(&call, &Fleet::new(&self.hosts, self.now)) else {
            return self.failed(slot, Outcome::BreakerOpen, None);
        };
        request.provider = provider as u32;
        let host = &mut self.hosts[provider];
        host.breaker.sent(self.now);
        if host.connect(self.now, slot) {
            self.send(slot);
        } else {
            request.place = Place::InLine;
            self.start_wait(slot, self.scenario.client.pool_timeout);
        }
    }

    /// Sends the request in `slot`, which holds a connection, to its provider.
    #[inline]
    fn send(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        let p = request.provider as usize;
        let provider = &self.scenario.fleet[p].provider;
        let key = request.key.attempt(u64::from(request.attempts));
        request.attempts += 1;
        request.place = Place::Away;
        let answer = self.endpoints[p].answer(provider, self.now, &request.ask, key);
        let (outcome, lasts) = self
            .scenario
            .client
            .timeouts
            .cut(&answer, request.deadline.since(self.now));
        // Whatever the provider worked on is billed, up to where the caller hung up.
        let (input, written) = match (answer.outcome, outcome) {
            (Outcome::Success, Outcome::Success) => (request.ask.input, request.ask.output),
            (Outcome::Success, _) => (request.ask.input, written_by(&answer, request.ask.output, lasts)),
            _ => (0, 0),
        };
        let charge = if answer.outcome == Outcome::Success {
            provider.price.of(&request.ask, written)
        } else {
            0
        };
        let attempt = Attempt {
            request: slot,
            provider: request.provider,
            outcome,
            admitted: answer.admitted,
            sent: self.now,
            first_token: answer.first_token,
            retry_after: answer.retry_after,
            input,
            written,
            charge,
        };
        self.tally.series.send(p);
        let attempt = self.attempts.insert(attempt);
        self.events.push(self.now + lasts, Event::AttemptEnds(attempt).pack());
    }

    #[inline]
    fn attempt_ends(&mut self, slot: u32) {
        let attempt = self.attempts[slot];
        self.attempts.remove(slot);
        let p = attempt.provider as usize;
        if attempt.admitted {
            self.endpoints[p].leave();
        }
        let took = self.now.since(attempt.sent);
        let host = &mut self.hosts[p];
        host.breaker.record(self.now, attempt.outcome);
        if let Some(next) = host.disconnect(self.now) {
            self.stop_wait(next);
            self.send(next);
        }
        let succeeded = attempt.outcome == Outcome::Success;
        self.policy.learn(&Seen {
            now: self.now,
            provider: p,
            outcome: attempt.outcome,
            ttft: (attempt.first_token <= took).then(|| attempt.first_token.seconds()),
            took: took.seconds(),
        });
        let request = &mut self.requests[attempt.request];
        request.cost = request.cost.saturating_add(attempt.charge);
        if request.arrived >= self.scenario.window.warmup {
            let provider = &mut self.tally.providers[p];
            provider.outcomes[attempt.outcome.index()] += 1;
            provider.cost += u128::from(attempt.charge);
            provider.input += u128::from(attempt.input);
            provider.output += u128::from(attempt.written);
            provider.busy += u128::from(took.nanos());
        }
        if succeeded {
            let ttft = (attempt.sent + attempt.first_token).since(request.arrived);
            self.end(attempt.request, Outcome::Success, ttft);
            self.admit();
        } else {
            self.failed(attempt.request, attempt.outcome, attempt.retry_after);
        }
    }

    /// An attempt has failed, or there was nobody to make it at: the request tries again or ends.
    fn failed(&mut self, slot: u32, outcome: Outcome, retry_after: Option<Span>) {
        let request = &self.requests[slot];
        let failed = Failed {
            outcome,
            attempts: request.attempts,
            retry_after,
        };
        let key = request.key.attempt(u64::from(request.attempts.saturating_sub(1)));
        let deadline = request.deadline;
        match self.scenario.client.retry.delay(&failed, key) {
            Some(wait) => {
                self.requests[slot].place = Place::Between;
                self.push_unless_late(slot, self.now + wait, deadline, Event::TryAgain(slot));
            }
            None => {
                self.end(slot, outcome, Span::ZERO);
                self.admit();
            }
        }
    }

    /// The request in `slot` ends: the only way out of the system.
    #[inline]
    fn end(&mut self, slot: u32, outcome: Outcome, ttft: Span) {
        let request = &self.requests[slot];
        if request.entered {
            self.gate.leave(self.now);
        }
        let e2e = self.now.since(request.arrived);
        let succeeded = outcome == Outcome::Success;
        if let Some(bin) = self.tally.series.bin() {
            if succeeded {
                bin.successes += 1;
                bin.e2e += u128::from(e2e.nanos());
            } else {
                bin.failures += 1;
            }
        }
        if request.arrived >= self.scenario.window.warmup {
            let quality = if succeeded {
                self.scenario.fleet[request.provider as usize].provider.quality[usize::from(request.ask.class)]
            } else {
                0
            };
            let ending = Ending {
                outcome,
                ttft,
                e2e,
                waited: request.waited,
                cost: request.cost,
                quality,
            };
            self.tally.finish(&request.ask, &ending, &self.scenario.good);
        }
        self.requests.remove(slot);
    }
}

/// Output tokens written when the caller hangs up after `lasts`, at a steady speed between the first and the last.
fn written_by(answer: &Answer, output: u32, lasts: Span) -> u32 {
    if lasts < answer.first_token || output == 0 {
        return 0;
    }
    let decoding = u128::from((answer.ends - answer.first_token).nanos()).max(1);
    let passed = u128::from((lasts - answer.first_token).nanos());
    1 + (u128::from(output - 1) * passed / decoding).min(u128::from(output - 1)) as u32
}
