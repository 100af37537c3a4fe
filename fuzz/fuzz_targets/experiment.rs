//! Any bytes as an experiment file: a mistake is said at its place, and what is accepted runs.
//!
//! Files are read and checked whatever they hold; one replication is run where it is short. Polling is not run: it may
//! ask the limiters a thousand times a second for years, which is slow and no mistake.

#![no_main]

use libfuzzer_sys::fuzz_target;
use simcap::client::admission::AdmissionSpec;
use simcap::engine::run::{Control, run};
use simcap::experiment::assemble::assemble;
use simcap::form::diagnose::parse_bytes;
use simcap::experiment::file::Experiment;
use simcap::experiment::load::{Loaded, from_text};

/// The most requests of a replication that is run.
const SHORT: f64 = 500.0;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let error = parse_bytes::<Experiment>("fuzz.json", bytes).expect_err("it is not UTF-8");
        assert!(error.to_string().starts_with("fuzz.json:"));
        return;
    };
    let loaded = match from_text("fuzz.json", text) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    match assemble(&loaded) {
        Err(error) => assert!(error.to_string().starts_with("fuzz.json:")),
        Ok(plan) => {
            let scenario = &plan.scenarios[0];
            if !is_short(&loaded, scenario.window.end.seconds()) {
                return;
            }
            let tally = run(scenario, plan.seed, 0, &Control::default()).expect("nobody stopped it");
            assert!(tally.good <= tally.requests());
        }
    }
});

fn is_short(loaded: &Loaded, seconds: f64) -> bool {
    let experiment = &loaded.experiment;
    let own = experiment.policies.first().and_then(|p| p.client.as_ref());
    let polls = matches!(own.unwrap_or(&experiment.client).admission, AdmissionSpec::poll(_));
    let rate = experiment.traffic.arrivals.as_dyn().rate();
    !polls && rate.is_some_and(|rate| rate * seconds < SHORT)
}
