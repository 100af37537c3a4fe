//! Looking for what an endpoint can take: closed loops of more and more at once, and then a rate beyond that.
//!
//! Each level of a closed loop has twice as many at once as the one before. Its throughput is the number at once over the mean
//! time of an answer (Little's law, so pauses that a 429 asks for do not count), and the levels end when it no longer grows by
//! [`GROWS`]: from then on requests wait. The rate of the last phase is a tenth above that throughput, by the clock and without
//! pausing, for longer than the window that is looked for, so that a quota is seen to be spent and to come back. While it
//! refuses, a probe is sent only so often that the refusals stay below their bound. It cannot be told from
//! this how a quota far above the throughput would be spent.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::{Results, STACK, Sending, lock};
use crate::live::money::Reserved;
use crate::live::plan::{Beyond, Finding, Slot};
use crate::report::{Unit, format};

/// By how much the throughput of a level must exceed that of the one before for there to be a further one.
const GROWS: f64 = 1.15;

/// How far above the greatest throughput the last phase goes.
const ABOVE: f64 = 1.1;

/// Pauses for refusals after which there is no further level: the quota is spent before the slots are taken.
const PAUSES: u32 = 3;

/// What answers tell of the levels.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Answers of each step, and the sum of their times in microseconds.
    answers: Vec<(u64, u64)>,
    /// Pauses that refusals asked for.
    pub(super) pauses: u32,
    /// The last refusal of the phase beyond.
    pub(super) refused: Option<Instant>,
    /// The refusals of the phase beyond.
    pub(super) refusals: u64,
}

impl Seen {
    /// Takes an answer of a step into account.
    pub(super) fn answer(&mut self, step: u32, end_us: u64) {
        let step = step as usize;
        if self.answers.len() <= step {
            self.answers.resize(step + 1, (0, 0));
        }
        let (many, sum) = self.answers[step];
        self.answers[step] = (many + 1, sum.saturating_add(end_us));
    }

    /// Answers a second with so many at once in this step; `None` without an answer.
    fn throughput(&self, step: usize, at_once: u64) -> Option<f64> {
        let (many, sum) = *self.answers.get(step)?;
        (sum > 0).then(|| at_once as f64 * many as f64 * 1e6 / sum as f64)
    }
}

impl Sending<'_> {
    /// Sends the levels and then the phase beyond them, as far as they are planned.
    pub(super) fn find<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, finding: &Finding, results: &Results) {
        self.wait_until(self.shared.start.at);
        let (mut before, mut best) = (None::<(u64, f64)>, 0.0_f64);
        for (step, at_once) in finding.levels.iter().enumerate() {
            self.level(step, *at_once, results);
            let (throughput, pauses) = {
                let state = lock(&self.state);
                (state.seen.throughput(step, *at_once), state.seen.pauses)
            };
            let Some(throughput) = throughput.filter(|_| !self.over()) else {
                break;
            };
            best = best.max(throughput);
            let rate = |x: f64| format::value(Unit::PerSecond, x);
            if let Some((fewer, was)) = before
                && throughput < GROWS * was
            {
                let (was, is) = (rate(was), rate(throughput));
                self.say(format!(
                    "{at_once} at once bring {is}, {fewer} brought {was}: some wait"
                ));
                break;
            }
            if pauses >= PAUSES {
                self.say(format!(
                    "its quota is spent with {at_once} at once: whether more are served at once is not seen"
                ));
                break;
            }
            if step + 1 == finding.levels.len() {
                self.say(format!(
                    "{at_once} at once bring {}, and it may be that more would bring more",
                    rate(throughput)
                ));
            }
            before = Some((*at_once, throughput));
        }
        if let Some(beyond) = finding.beyond.as_ref().filter(|_| best > 0.0 && !self.over()) {
            self.beyond(scope, beyond, ABOVE * best, results);
        }
    }

    fn say(&self, what: String) {
        lock(&self.state).fate.found.push(what);
    }

    /// A closed loop over the slots of a step; returns when all of it has ended.
    fn level(&self, step: usize, at_once: u64, results: &Results) {
        let slots: Vec<&Slot> = self.slots.iter().filter(|slot| slot.step as usize == step).collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..at_once.min(slots.len() as u64) {
                let (results, slots, next) = (results.clone(), &slots, &next);
                let spawned = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || {
                    while let Some(slot) = slots.get(next.fetch_add(1, Relaxed)) {
                        let ready = self.make(slot);
                        if self.over() || !self.wait_out_pause() {
                            break;
                        }
                        if !self.afford_in_turn(ready.worst) {
                            let rest = slots.len().saturating_sub(next.swap(slots.len(), Relaxed));
                            lock(&self.state).fate.unaffordable += 1 + rest as u64;
                            break;
                        }
                        if !self.announce(slot, &ready) {
                            break;
                        }
                        let slot = Slot {
                            due: self.shared.start.at.elapsed(),
                            ..**slot
                        };
                        self.send(slot, ready, &results);
                    }
                });
                if let Err(error) = spawned {
                    self.leave(format!("no thread could be started: {error}"));
                }
            }
        });
    }

    /// Sends at `rate` for as long as planned, whatever is refused.
    fn beyond<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, beyond: &Beyond, rate: f64, results: &Results) {
        if !self.wait_out_pause() {
            return;
        }
        let began = Instant::now().max(self.shared.start.at);
        let since_start = began.duration_since(self.shared.start.at);
        let mut slots = self.slots.iter().filter(|slot| slot.step == beyond.step);
        let mut sent = 0_u64;
        for tick in 0_u32.. {
            let after = Duration::from_secs_f64(f64::from(tick) / rate);
            if after > beyond.lasts || !self.wait_until(began + after) {
                break;
            }
            let (refused, refusals) = {
                let state = lock(&self.state);
                (state.seen.refused, state.seen.refusals)
            };
            if refusals >= beyond.refusals {
                break;
            }
            if refused.is_some_and(|then| then.elapsed() < beyond.gap()) {
                continue;
            }
            self.wait_for_room();
            let Some(slot) = slots.next() else { break };
            let slot = Slot {
                due: since_start + after,
                ..*slot
            };
            let ready = self.make(&slot);
            let reserved = lock(self.shared.ledger).reserve(ready.worst);
            match reserved {
                Reserved::Yes => {}
                Reserved::NotNow | Reserved::Never => {
                    lock(&self.state).fate.unaffordable += 1;
                    if matches!(reserved, Reserved::Never) {
                        break;
                    }
                    continue;
                }
            }
            if !self.announce(&slot, &ready) {
                break;
            }
            sent += 1;
            self.spawn(scope, slot, ready, results);
        }
        let lasted = began.elapsed().as_secs_f64();
        let refusals = lock(&self.state).seen.refusals;
        self.say(format!(
            "beyond that, {sent} probes at up to {} for {}: {refusals} were refused",
            format::value(Unit::PerSecond, rate),
            format::span(lasted.round())
        ));
    }
}
