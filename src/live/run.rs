//! A calibration run: probes are sent when they are due, within the budget and subject to refusals; each is announced
//! before it is sent and handed on as it ends.
//!
//! Open loop: a probe is due by the plan, and all delay counts (`due_us`, `dispatch_us`), so there is no coordinated
//! omission. There is one thread for each probe in flight; at [`MOST_IN_FLIGHT`] of them a probe waits, and its delay
//! shows that. A 429 with Retry-After (without: one second) pauses its target; probes that are due meanwhile are
//! skipped and counted. A ladder does not pause, because it searches for the onset of 429s: it ends with the step of
//! the first 429, or with the tenth 429, whichever comes first. What looks for capacity pauses while it looks for slots, and
//! not beyond them. A target that has refused permanently (401, 404 and the
//! like) five times in a row without an answer is abandoned.

mod sending;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::journal::Kept;
use super::key::Key;
use super::money::Ledger;
use super::plan::Plan;
use crate::calibrate::probe::{Probe, Sending as Announced};
use sending::{Sending, Shared};

/// The most probes in flight to one target.
pub const MOST_IN_FLIGHT: u32 = 1000;

/// How long before its start a run is prepared, so that its first probe is not late.
const LEAD: Duration = Duration::from_millis(20);

/// The start of a run on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The instant from which times within the run count.
    pub at: Instant,
    /// The instant of the start in microseconds since 1970 (UTC).
    pub unix_us: u64,
}

impl Start {
    /// A start in the near future, after the time for preparation.
    pub fn soon() -> Start {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Start {
            at: Instant::now() + LEAD,
            unix_us: (now + LEAD).as_micros() as u64,
        }
    }
}

/// The controls and the progress of a run.
#[derive(Debug, Default)]
pub struct Control {
    /// Set to stop sending; probes in flight may end.
    pub stop: AtomicBool,
    /// Probes in flight, over all targets.
    pub in_flight: AtomicU32,
    /// The amount spent so far, in pico-dollars.
    pub spent: AtomicU64,
}

/// What became of one target, besides its probes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Probes that were skipped because a refusal had paused the target.
    pub skipped: u64,
    /// Probes that were not sent because of the bound on cost.
    pub unaffordable: u64,
    /// The step in which a ladder ended early.
    pub ladder_end: Option<u32>,
    /// What was found of the endpoint's capacity on the way, in sentences.
    pub found: Vec<String>,
    /// The reason why the target was abandoned early, if it was.
    pub left_alone: Option<String>,
}

/// A recorder of a run. Its error stops the run.
pub trait Keep: Sync {
    /// The reason why recording failed.
    type Error: Send;

    /// Records a probe that is about to be sent, on the thread that sends it.
    ///
    /// # Errors
    /// If it cannot be recorded: then the probe is not sent.
    fn sending(&self, probe: Announced) -> Result<(), Self::Error>;

    /// Records a probe that has ended, on the thread that carries out the run.
    ///
    /// # Errors
    /// If it cannot be recorded.
    fn ended(&self, probe: Probe) -> Result<(), Self::Error>;
}

/// Carries out what is left of `plan` from `start` on, after what `earlier` runs of it did. An error of `keep` is
/// returned beside what became of the targets.
pub fn run<K: Keep>(
    plan: &Plan,
    keys: &[Option<Key>],
    start: Start,
    earlier: &Kept,
    control: &Control,
    keep: &K,
) -> (Vec<Fate>, Result<(), K::Error>) {
    let costs = earlier.probes.iter().map(|probe| probe.cost_pd);
    let spent = costs.fold(earlier.lost.worst_pd, u64::saturating_add);
    let ledger = Mutex::new(Ledger::new(plan.max_cost, spent));
    control.spent.store(spent, Ordering::Relaxed);
    let failed = Mutex::new(None);
    let kept = |result: Result<(), K::Error>| match result {
        Ok(()) => true,
        Err(error) => {
            lock(&failed).get_or_insert(error);
            control.stop.store(true, Ordering::Relaxed);
            false
        }
    };
    let announce = |probe| kept(keep.sending(probe));
    let shared = Shared {
        start,
        ledger: &ledger,
        control,
        announce: &announce,
    };
    let (sender, receiver) = mpsc::channel();
    let targets: Vec<Sending<'_>> = (0..plan.targets.len())
        .map(|index| Sending::new(plan, index, keys, shared, &earlier.probes))
        .collect();
    thread::scope(|scope| {
        for sending in &targets {
            let sender = sender.clone();
            let name = format!("sends to {}", sending.name());
            let spawned = thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, move || sending.carry_out(scope, &sender));
            if let Err(error) = spawned {
                sending.leave(format!("no thread could be started: {error}"));
            }
        }
        drop(sender);
        for probe in receiver {
            kept(keep.ended(probe));
        }
        let fates = targets.iter().map(Sending::fate).collect();
        (fates, lock(&failed).take().map_or(Ok(()), Err))
    })
}

/// Locks a mutex even if it is poisoned: a panic elsewhere ends the run anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
