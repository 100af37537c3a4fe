//! The part of a run that concerns one target: its probes, in an open or closed loop, and how their answers affect
//! later ones.

mod finding;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::{Control, Fate, MOST_IN_FLIGHT, Start, lock};
use crate::calibrate::probe::{Probe, Sending as Announced};
use crate::live::client::{Client, Sent};
use crate::live::key::Key;
use crate::live::money::{self, Ledger, Reserved};
use crate::live::plan::{Mode, Plan, Slot};
use crate::live::prompts::Prompts;
use crate::words::Outcome;

/// The pause after a 429 without a Retry-After.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause in a closed loop; a target that asks for more is abandoned.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The number of 429s that end a ladder's step.
const REFUSALS: u32 = 10;

/// The number of consecutive permanent refusals, without an answer before, after which a target is abandoned.
const HOPELESS: u32 = 5;

/// The stack size of a probe's thread, in bytes.
const STACK: usize = 512 << 10;

/// The sending of probes to one target.
pub(super) struct Sending<'a> {
    plan: &'a Plan,
    index: usize,
    client: Client,
    prompts: Prompts,
    shared: Shared<'a>,
    /// The slots that have not been sent yet.
    slots: Vec<Slot>,
    in_flight: AtomicU32,
    state: Mutex<State>,
    /// Notified whenever a probe has ended.
    freed: Condvar,
}

/// What all targets share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) start: Start,
    pub(super) ledger: &'a Mutex<Ledger>,
    pub(super) control: &'a Control,
    /// Records that a probe is about to be sent; `false` if that fails.
    pub(super) announce: &'a (dyn Fn(Announced) -> bool + Sync),
}

/// The state that earlier probes of a target leave for later ones.
#[derive(Debug, Default)]
struct State {
    paused_until: Option<Instant>,
    refusals: u32,
    hopeless: u32,
    answered: bool,
    /// What is known of the endpoint so far, where that is looked for.
    seen: finding::Seen,
    fate: Fate,
}

type Results = mpsc::Sender<Probe>;

impl<'a> Sending<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        index: usize,
        keys: &[Option<Key>],
        shared: Shared<'a>,
        earlier: &[Probe],
    ) -> Sending<'a> {
        let spec = &plan.targets[index].spec;
        let key = keys
            .get(index)
            .cloned()
            .flatten()
            .map(|key| (spec.key_header.clone(), key));
        let done: BTreeSet<u64> = earlier.iter().map(|probe| probe.id).collect();
        let mut slots: Vec<Slot> = plan.slots.clone();
        slots.retain(|slot| !done.contains(&id(plan, index, slot)));
        // The rest of an earlier run begins now.
        let first = slots.first().map_or(Duration::ZERO, |slot| slot.due);
        if !done.is_empty() {
            slots.iter_mut().for_each(|slot| slot.due -= first);
        }
        // A ladder that has found its end is not repeated.
        let name = &plan.targets[index].name;
        let limited = earlier
            .iter()
            .filter(|probe| probe.target == *name && probe.outcome.0 == Outcome::RateLimited);
        let ladder_end = limited.map(|probe| probe.step).min();
        let mut seen = finding::Seen::default();
        let answers = earlier
            .iter()
            .filter(|probe| probe.target == *name && probe.outcome.0 == Outcome::Success);
        answers.for_each(|probe| seen.answer(probe.step, probe.end_us));
        let state = State {
            seen,
            fate: Fate {
                ladder_end: ladder_end.filter(|_| matches!(plan.mode, Mode::Ladder(_))),
                ..Fate::default()
            },
            ..State::default()
        };
        Sending {
            plan,
            index,
            client: Client::new(&spec.base_url, key, plan.timeouts, plan.targets[index].roots.as_deref()),
            // The start makes this run's words unique.
            prompts: Prompts {
                prefix: plan.spec.prefix,
                language: plan.spec.language,
                salt: shared.start.unix_us,
            },
            shared,
            slots,
            in_flight: AtomicU32::new(0),
            state: Mutex::new(state),
            freed: Condvar::new(),
        }
    }

    pub(super) fn name(&self) -> &'a str {
        &self.plan.targets[self.index].name
    }

    pub(super) fn leave(&self, why: String) {
        lock(&self.state).fate.left_alone.get_or_insert(why);
    }

    /// Whether nothing more is to be sent.
    fn over(&self) -> bool {
        self.shared.control.stop.load(Ordering::Relaxed) || lock(&self.state).fate.left_alone.is_some()
    }

    /// What became of the target so far.
    pub(super) fn fate(&self) -> Fate {
        lock(&self.state).fate.clone()
    }

    /// Sends all remaining probes.
    pub(super) fn carry_out<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, results: &mpsc::Sender<Probe>) {
        match &self.plan.mode {
            Mode::Closed(at_once, within) => self.closed(scope, *at_once, *within, results),
            Mode::Find(finding) => self.find(scope, finding, results),
            Mode::Open | Mode::Ladder(_) => self.open(scope, results),
        }
    }

    /// Sends the probes of an open loop, by the clock.
    fn open<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, results: &Results) {
        for (i, slot) in self.slots.iter().enumerate() {
            let ready = self.make(slot);
            if !self.wait_until(self.shared.start.at + slot.due) || self.climbed_out(slot) {
                break;
            }
            if self.paused() {
                lock(&self.state).fate.skipped += 1;
                continue;
            }
            self.wait_for_room();
            if self.over() {
                break;
            }
            let reserved = lock(self.shared.ledger).reserve(ready.worst);
            match reserved {
                Reserved::Yes => {}
                Reserved::NotNow => {
                    lock(&self.state).fate.unaffordable += 1;
                    continue;
                }
                Reserved::Never => {
                    lock(&self.state).fate.unaffordable += (self.slots.len() - i) as u64;
                    break;
                }
            }
            if !self.announce(slot, &ready) {
                break;
            }
            self.spawn(scope, *slot, ready, results);
        }
    }

    /// Sends the probes of a closed loop, with a fixed number in flight.
    fn closed<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        at_once: u64,
        within: Option<Duration>,
        results: &Results,
    ) {
        let next = Arc::new(AtomicU64::new(0));
        for _ in 0..at_once.min(self.slots.len() as u64) {
            let (next, results) = (Arc::clone(&next), results.clone());
            let spawned = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || {
                self.wait_until(self.shared.start.at);
                loop {
                    if self.over() || within.is_some_and(|within| self.shared.start.at.elapsed() > within) {
                        break;
                    }
                    let Some(slot) = self.slots.get(next.fetch_add(1, Ordering::Relaxed) as usize) else {
                        break;
                    };
                    let ready = self.make(slot);
                    if !self.wait_out_pause() {
                        break;
                    }
                    if !self.afford_in_turn(ready.worst) {
                        // The first thread to get here counts the probes that will not be sent.
                        let len = self.slots.len() as u64;
                        let rest = len.saturating_sub(next.swap(len, Ordering::Relaxed));
                        lock(&self.state).fate.unaffordable += 1 + rest;
                        break;
                    }
                    if !self.announce(slot, &ready) {
                        break;
                    }
                    let slot = Slot {
                        due: self.shared.start.at.elapsed(),
                        ..*slot
                    };
                    self.send(slot, ready, &results);
                }
            });
            if let Err(error) = spawned {
                self.leave(format!("no thread could be started: {error}"));
            }
        }
    }

    /// Prepares a probe before it is due.
    fn make(&self, slot: &Slot) -> Ready {
        let target = &self.plan.targets[self.index];
        let (body, bytes) = self.plan.body(target, slot, &self.prompts);
        Ready {
            worst: money::worst(&*target.price, bytes, slot.output),
            body,
        }
    }

    /// Reserves the worst-case cost of a probe, once those under way leave room for it; `false` if they never will.
    fn afford_in_turn(&self, worst: u64) -> bool {
        loop {
            // The guard must be gone before the sleep: a thread that slept with it and took it again at once has kept the others,
            // and the one that was to give money back, from it for minutes.
            let reserved = lock(self.shared.ledger).reserve(worst);
            match reserved {
                Reserved::Yes => return true,
                Reserved::Never => return false,
                Reserved::NotNow if self.over() => return false,
                Reserved::NotNow => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Records that a probe is about to be sent; if that fails, its reservation is released.
    fn announce(&self, slot: &Slot, ready: &Ready) -> bool {
        let announced = (self.shared.announce)(Announced {
            id: id(self.plan, self.index, slot),
            worst_pd: ready.worst,
        });
        if !announced {
            lock(self.shared.ledger).settle(ready.worst, 0);
        }
        announced
    }

    /// Sleeps until `then`; `false` if the run is over before.
    fn wait_until(&self, then: Instant) -> bool {
        /// The longest delay before a stop is noticed.
        const NOTICE: Duration = Duration::from_millis(50);
        loop {
            if self.over() {
                return false;
            }
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(NOTICE));
        }
    }

    fn paused(&self) -> bool {
        lock(&self.state)
            .paused_until
            .is_some_and(|until| Instant::now() < until)
    }

    /// Waits for a pause to end; `false` if the run is over before.
    fn wait_out_pause(&self) -> bool {
        let until = lock(&self.state).paused_until;
        until.is_none_or(|until| self.wait_until(until))
    }

    /// Whether the ladder ends before this slot.
    fn climbed_out(&self, slot: &Slot) -> bool {
        let state = lock(&self.state);
        state
            .fate
            .ladder_end
            .is_some_and(|end| slot.step > end || state.refusals >= REFUSALS)
    }

    fn wait_for_room(&self) {
        let mut state = lock(&self.state);
        while self.in_flight.load(Ordering::Relaxed) >= MOST_IN_FLIGHT {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn spawn<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, slot: Slot, ready: Ready, results: &Results) {
        let results = results.clone();
        let worst = ready.worst;
        let spawned = thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, move || self.send(slot, ready, &results));
        if let Err(error) = spawned {
            lock(self.shared.ledger).settle(worst, 0);
            self.leave(format!("no thread could be started: {error}"));
        }
    }

    /// Sends one probe and hands its result on.
    fn send(&self, slot: Slot, ready: Ready, results: &Results) {
        let mut probe = Probe {
            id: id(self.plan, self.index, &slot),
            target: self.name().to_owned(),
            class: self.plan.classes[slot.class].clone(),
            warmup: slot.warmup,
            step: slot.step,
            stream: self.plan.spec.stream,
            due_us: slot.due.as_micros() as u64,
            in_flight: self.in_flight.fetch_add(1, Ordering::Relaxed) + 1,
            input_planned: slot.input,
            max_output: slot.output,
            ..Probe::default()
        };
        self.shared.control.in_flight.fetch_add(1, Ordering::Relaxed);
        let sent = Sent {
            body: &ready.body,
            stream: self.plan.spec.stream,
            max_output: slot.output,
        };
        let began = self.client.send(&sent, &mut probe);
        probe.dispatch_us = began
            .saturating_duration_since(self.shared.start.at + slot.due)
            .as_micros() as u64;
        probe.cost_pd = money::billed(&*self.plan.targets[self.index].price, &probe, ready.worst);
        {
            let mut ledger = lock(self.shared.ledger);
            ledger.settle(ready.worst, probe.cost_pd);
            self.shared.control.spent.store(ledger.spent(), Ordering::Relaxed);
        }
        self.learn(&probe, slot.step);
        self.shared.control.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.freed.notify_all();
        // The receiver is gone only if the run has ended.
        let _ = results.send(probe);
    }

    /// Updates the target's state with an answer.
    fn learn(&self, probe: &Probe, step: u32) {
        let mut state = lock(&self.state);
        let outcome = probe.outcome.0;
        if outcome == Outcome::Success {
            state.answered = true;
            state.seen.answer(step, probe.end_us);
        } else if outcome == Outcome::RateLimited {
            state.hopeless = 0;
            if matches!(self.plan.mode, Mode::Ladder(_)) {
                state.refusals += 1;
                let end = state.fate.ladder_end.unwrap_or(u32::MAX).min(step);
                state.fate.ladder_end = Some(end);
                return;
            }
            if let Mode::Find(finding) = &self.plan.mode {
                if finding.beyond.as_ref().is_some_and(|beyond| beyond.step == step) {
                    state.seen.refusals += 1;
                    state.seen.refused = Some(Instant::now());
                    return;
                }
                let paused = state.paused_until.is_some_and(|until| Instant::now() < until);
                state.seen.pauses += u32::from(!paused);
            }
            let pause = probe.retry_after_us.map_or(PAUSE, Duration::from_micros);
            if matches!(self.plan.mode, Mode::Closed(..) | Mode::Find(_)) && pause > LONGEST_PAUSE {
                let why = format!("it asked for a pause of {} s", pause.as_secs());
                state.fate.left_alone.get_or_insert(why);
            }
            let until = Instant::now() + pause;
            state.paused_until = Some(state.paused_until.map_or(until, |before| before.max(until)));
        } else if matches!(probe.status, Some(300..500)) && outcome != Outcome::RequestTimeout && !state.answered {
            state.hopeless += 1;
            if state.hopeless >= HOPELESS {
                let why = probe.error.clone().unwrap_or_default();
                state
                    .fate
                    .left_alone
                    .get_or_insert(format!("it refuses everything: {why}"));
            }
        }
    }
}

/// The probe's number in the plan: the first of every target, then the second of every target, and so on.
fn id(plan: &Plan, index: usize, slot: &Slot) -> u64 {
    slot.n * plan.targets.len() as u64 + index as u64
}

/// A probe that is prepared for sending.
struct Ready {
    body: Vec<u8>,
    worst: u64,
}
