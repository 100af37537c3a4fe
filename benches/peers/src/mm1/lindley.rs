//! The M/M/1 by Lindley's recursion: no events at all, the floor that the draws and the records set.
//!
//! A customer waits as long as the one before, plus that one's service, less the gap between them, if that is positive
//! (Lindley, "The theory of queues with a single server", 1952). It leaves out the queue itself.

use super::{Draws, Outcome};
use crate::histogram::Histogram;

/// Serves this number of customers.
pub fn run(customers: u64, seed: u64) -> Outcome {
    let mut draws = Draws::new(seed);
    let mut sojourns = Histogram::new();
    let mut before = 0.0_f64;
    for _ in 0..customers {
        before = (before - draws.gap()).max(0.0) + draws.service();
        sojourns.record(before);
    }
    Outcome::from(&sojourns)
}
