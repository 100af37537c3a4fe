//! Any bytes as an experiment file: a mistake is said at its place, and what is accepted runs.
//!
//! Files are read and checked whatever they hold; one replication of each policy is run where it is short, a replay
//! with a trace of a hundred seconds. Polling is not run: it may ask the limiters a thousand times a second for years,
//! which is slow and not a mistake.

use simcap::client::admission::AdmissionSpec;
use simcap::engine::run::{Control, Halt, run};
use simcap::experiment::assemble::assemble;
use simcap::experiment::estimate::estimate;
use simcap::experiment::file::Experiment;
use simcap::experiment::load::{Loaded, from_text};
use simcap::form::diagnose::parse_bytes;
use simcap::kernel::time::Span;
use simcap::traffic::arrivals::Row;

/// The most requests of a replication that is run, and of all policies together.
const SHORT: f64 = 500.0;
const SHORT_TOGETHER: f64 = 25_000.0;

/// The longest message: a file's own text in it is cut.
const MESSAGE: usize = 20_000;

/// Panics where what holds of any bytes does not hold of these.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let error = parse_bytes::<Experiment>("fuzz.json", bytes).expect_err("it is not UTF-8");
        assert!(error.to_string().starts_with("fuzz.json:"));
        return;
    };
    let mut loaded = match from_text("fuzz.json", text) {
        Ok(loaded) => loaded,
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && said.len() < MESSAGE && !said.contains('\u{1b}'));
            return;
        }
    };
    let traces = loaded.experiment.traffic.origins();
    let traces: Vec<String> = traces
        .filter_map(|origin| Some(origin.arrivals.as_dyn().trace()?.to_owned()))
        .collect();
    for trace in traces {
        let row = |second| Row {
            at: Span::from_secs(second),
            input: 100,
            output: 50,
        };
        loaded.traces.insert(trace, (0..100).map(row).collect());
    }
    match assemble(&loaded) {
        Err(error) => assert!(error.to_string().starts_with("fuzz.json:")),
        Ok(plan) => {
            let estimate = estimate(&loaded, &plan, 1);
            assert!(estimate.memory >= 0.0 && estimate.seconds >= 0.0);
            let requests = estimate.policies.first().map_or(0.0, |p| p.requests);
            if requests > SHORT || requests * plan.scenarios.len() as f64 > SHORT_TOGETHER || polls(&loaded) {
                return;
            }
            for scenario in &plan.scenarios {
                match run(scenario, plan.seed, 0, &Control::default()) {
                    // Both go by when an answer ended; `requests` goes by when a request came.
                    Ok(tally) => assert!(tally.good <= tally.served),
                    Err(halt) => assert_ne!(halt, Halt::Stopped),
                }
            }
        }
    }
}

fn polls(loaded: &Loaded) -> bool {
    let experiment = &loaded.experiment;
    let mut clients = experiment
        .policies
        .iter()
        .map(|policy| policy.effective(&experiment.client));
    clients.any(|client| matches!(client.admission, AdmissionSpec::poll(_) | AdmissionSpec::window_poll(_)))
}
