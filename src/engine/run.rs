//! The loop: the earlier of the next arrival and the next event, until neither is left.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::kernel::chance::Chance;
use crate::kernel::time::Time;
use crate::traffic::Source;
use crate::words::Ask;

use super::scenario::Scenario;
use super::tally::Tally;
use super::world::World;

/// How the outside watches and stops a run. Neither changes what the run computes.
#[derive(Debug, Default)]
pub struct Control {
    /// Set it, and every run ends soon without a result.
    pub stop: AtomicBool,
    /// Nanoseconds simulated, over all runs.
    pub simulated: AtomicU64,
}

/// Steps between two looks at the outside.
const STEPS: u32 = 1 << 13;

/// Runs replication number `replication` of `scenario` under `seed`; `None` if it was stopped.
///
/// An event that is due at the time of an arrival happens before it: what it frees, the arrival finds free.
pub fn run(scenario: &Scenario, seed: u64, replication: u64, control: &Control) -> Option<Tally> {
    if control.stop.load(Ordering::Relaxed) {
        return None;
    }
    let chance = Chance::new(seed, replication);
    let mut world = World::new(scenario, chance);
    let end = scenario.window.end;
    let mut arrivals = Source::new(&scenario.traffic, chance);
    let mut ask = Ask::default();
    let mut next = arrivals.next(&mut ask).filter(|&at| at < end);
    let mut reported = Time::ZERO;
    loop {
        for _ in 0..STEPS {
            match next {
                Some(at) if at < world.next_event() => {
                    world.arrive(at, &ask);
                    next = arrivals.next(&mut ask).filter(|&at| at < end);
                }
                _ => {
                    if !world.step() {
                        control
                            .simulated
                            .fetch_add(end.since(reported).nanos(), Ordering::Relaxed);
                        return Some(world.finish());
                    }
                }
            }
        }
        if control.stop.load(Ordering::Relaxed) {
            return None;
        }
        let now = world.now().min(end).max(reported);
        control
            .simulated
            .fetch_add(now.since(reported).nanos(), Ordering::Relaxed);
        reported = now;
    }
}
