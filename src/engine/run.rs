//! The loop: the earlier of the next arrival and the next event, until neither is left.
//!
//! A run ends early for two reasons ([`Halt`]): it is stopped from outside, or it holds more requests than the scenario allows.
//! The second is judged by simulated things at fixed steps, never by memory or by a clock, so that the same run halts at the same
//! point on every machine and on any number of threads.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::kernel::chance::Chance;
use crate::kernel::time::Time;
use crate::words::Ask;

use super::event::MOST_SLOTS;
use super::scenario::Scenario;
use super::tally::Tally;
use super::watch::Watch;
use super::world::World;

/// How the caller watches and stops a run. Neither changes what the run computes.
#[derive(Debug, Default)]
pub struct Control {
    /// Setting this makes every run end soon, without a result.
    pub stop: AtomicBool,
    /// Simulated time so far in nanoseconds, over all runs.
    pub simulated: AtomicU64,
}

/// Why a run has no result.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// [`Control::stop`] was set.
    Stopped,
    /// More requests were in the system than [`Scenario::max_in_system`] allows. A property of the scenario and the seed: the
    /// run halts at the same point wherever it is repeated.
    TooMany {
        /// The simulated time at which that was seen, from the start of the warm-up.
        at: Time,
        /// How many there were, as [`World::held`] counts them.
        in_system: u64,
    },
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::Stopped => f.write_str("stopped"),
            Halt::TooMany { at, in_system } => {
                write!(f, "{in_system} requests in the system after {}", at.since(Time::ZERO))
            }
        }
    }
}

impl std::error::Error for Halt {}

/// Requests in the system at which a run halts unless the plan says otherwise.
///
/// A request with one attempt takes about 500 bytes ([`World::bytes_each`]), and growing arrays hold up to three times that for a
/// moment: a million take 0.5 to 1.5 GB in each thread. Ten thousand requests a second that last a minute are 600,000.
pub const DEFAULT_MAX_IN_SYSTEM: u64 = 1_000_000;

/// The highest bound on requests in the system.
///
/// Half of what events can number, so that even when every waiting request is let in at one step, while as many attempts are still
/// under way, each has a number.
pub const MOST_IN_SYSTEM: u64 = 8_000_000;

/// Steps between two looks at the outside and at the bound.
const STEPS: u32 = 1 << 13;

// A step adds at most a request and its copy.
const _: () = assert!(2 * (MOST_IN_SYSTEM + 2 * STEPS as u64) < MOST_SLOTS as u64);

/// Runs replication number `replication` of `scenario` under `seed`.
///
/// An event that is due at the time of an arrival happens before it: what it frees, the arrival finds free. An arrival that
/// follows the end of another request is itself an event, and happens among those of its time in the order of scheduling.
///
/// # Errors
/// If it is stopped, or outgrows the scenario's bound.
pub fn run(scenario: &Scenario, seed: u64, replication: u64, control: &Control) -> Result<Tally, Halt> {
    run_watched(scenario, seed, replication, control, None)
}

/// Runs a replication with `watch`, if there is one, looking on: it changes nothing of the result.
///
/// # Errors
/// As [`run`].
pub fn run_watched(
    scenario: &Scenario,
    seed: u64,
    replication: u64,
    control: &Control,
    watch: Option<&mut dyn Watch>,
) -> Result<Tally, Halt> {
    if control.stop.load(Ordering::Relaxed) {
        return Err(Halt::Stopped);
    }
    let chance = Chance::new(seed, replication);
    let mut world = World::new(scenario, chance);
    if let Some(watch) = watch {
        world.watched_by(watch);
    }
    let end = scenario.window.end;
    let mut ask = Ask::default();
    let mut next = world.next_arrival(&mut ask).filter(|&at| at < end);
    let mut reported = Time::ZERO;
    loop {
        for _ in 0..STEPS {
            match next {
                Some(at) if at < world.next_event() => {
                    world.arrive(at, &ask);
                    next = world.next_arrival(&mut ask).filter(|&at| at < end);
                }
                _ => {
                    if !world.step() {
                        control
                            .simulated
                            .fetch_add(end.since(reported).nanos(), Ordering::Relaxed);
                        return Ok(world.finish());
                    }
                }
            }
        }
        if control.stop.load(Ordering::Relaxed) {
            return Err(Halt::Stopped);
        }
        let in_system = world.held();
        if in_system > scenario.max_in_system {
            control
                .simulated
                .fetch_add(end.since(reported).nanos(), Ordering::Relaxed);
            return Err(Halt::TooMany {
                at: world.now(),
                in_system,
            });
        }
        let now = world.now().min(end).max(reported);
        control
            .simulated
            .fetch_add(now.since(reported).nanos(), Ordering::Relaxed);
        reported = now;
    }
}
