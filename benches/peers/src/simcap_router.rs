//! simcap's whole engine on the project's own experiment of tiers, to be read against the bare router.
//!
//! `experiments/tiered.json`, its first policy, one replication on one core. The engine does what the bare router does and
//! also what the router leaves out: a queue and client-side limiters, connections, timeouts, breakers, policies behind a
//! trait, results by class and provider, a time series. Loading the file and tabulating its laws is not timed.

use std::path::Path;

use simcap::engine::run::{Control, run as run_engine};
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Traces, load};

/// The experiment's file, seen from this package.
const FILE: &str = "../../experiments/tiered.json";

/// What a run found.
pub struct Outcome {
    /// Requests that arrived, warm-up included: all that were simulated.
    pub requests: u64,
    /// The most of them in the system at once.
    pub peak: usize,
    /// The share that did not succeed, after warm-up.
    pub failed: f64,
}

/// The scenario of the experiment's first policy.
///
/// # Errors
///
/// If the file is missing or says something that it should not.
pub fn scenario() -> Result<Scenario, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let loaded = load(&file, &Traces::default()).map_err(|error| error.to_string())?;
    let plan = assemble(&loaded).map_err(|error| error.to_string())?;
    plan.scenarios
        .into_iter()
        .next()
        .ok_or_else(|| "an experiment has a policy".to_owned())
}

/// Runs one replication.
///
/// # Panics
///
/// Never: the run is not stopped.
pub fn run(scenario: &Scenario, seed: u64) -> Outcome {
    let tally = run_engine(scenario, seed, 0, &Control::default()).expect("nobody stops it");
    let counted = tally.requests();
    let succeeded = tally.ended(simcap::words::Outcome::Success);
    Outcome {
        requests: arrived(&tally),
        peak: tally.peak_in_system,
        failed: (counted - succeeded) as f64 / counted as f64,
    }
}

fn arrived(tally: &Tally) -> u64 {
    tally.series.bins().iter().map(|bin| bin.arrivals).sum()
}
