//! Many seeds on many threads, and the same answer on any number of them.
//!
//! Work is cut into (replication, scenario) pairs, replications first, so that what is finished when somebody interrupts
//! is about as much of each scenario. Each pair is a pure function of the seed and its numbers; results are put in order
//! by those numbers, never by who was done first.

use rayon::prelude::*;

use super::run::{Control, Halt, run};
use super::scenario::Scenario;
use super::tally::Tally;

/// The replications of each scenario, by replication number: what they counted, or why they have no result.
pub type Runs = Vec<Vec<Result<Tally, Halt>>>;

/// Runs `replications` replications of every scenario on the current rayon pool.
///
/// One that outgrows its bound ends alone: every other pair runs all the same. Which pairs have a result is therefore the same on
/// any number of threads.
pub fn replicate(scenarios: &[Scenario], seed: u64, replications: u64, control: &Control) -> Runs {
    let pairs: Vec<(u64, usize)> = (0..replications)
        .flat_map(|r| (0..scenarios.len()).map(move |s| (r, s)))
        .collect();
    let mut tallies: Vec<Result<Tally, Halt>> = pairs
        .par_iter()
        .with_max_len(1)
        .map(|&(r, s)| run(&scenarios[s], seed, r, control))
        .collect();
    let mut runs: Runs = scenarios.iter().map(|_| Vec::new()).collect();
    for (tally, (_, s)) in tallies.drain(..).zip(pairs) {
        runs[s].push(tally);
    }
    runs
}
