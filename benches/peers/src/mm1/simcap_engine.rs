//! The M/M/1 as a simcap experiment: the whole engine, which does far more for a customer than the other rows do.
//!
//! A customer is a request: it has a class and tokens, passes the client's queue and cap, is routed by a policy, asks for
//! a connection, meets quotas, faults and timeouts that are none here, is billed, and leaves three histograms, counts by
//! class and provider and a time series. The cap of one in flight makes the queue; the endpoint's response is the service.

use simcap::engine::run::{Control, run as run_engine};
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::stats::histogram::Histogram;

use super::{ARRIVAL_RATE, Outcome, simcap_kernel};

/// Serves about `customers`: as many as come in the time in which so many are expected.
///
/// # Panics
///
/// If simcap refuses the experiment, which would be a mistake in this file.
pub fn run(customers: u64, seed: u64) -> Outcome {
    let seconds = (customers as f64 / ARRIVAL_RATE) as u64;
    let text = format!(
        r#"{{
        "name": "mm1",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "{ARRIVAL_RATE}/s" }} }},
            "classes": {{ "customer": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ "server": {{
            "response": {{ "exponential": {{ "mean": "1s" }} }},
            "prices": {{ "per_request": {{ "price": "$0.001" }} }}
        }} }},
        "client": {{ "max_in_flight": 1 }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "server" }} }} }} ],
        "plan": {{ "duration": "{seconds}s", "warmup": "0s" }}
    }}"#
    );
    let loaded = from_text("mm1.json", &text).unwrap_or_else(|error| panic!("{error}"));
    let plan = assemble(&loaded).unwrap_or_else(|error| panic!("{error}"));
    let tally = run_engine(&plan.scenarios[0], seed, 0, &Control::default()).expect("nobody stops it");
    let mut sojourns = Histogram::new();
    tally.classes.iter().for_each(|class| sojourns.merge(&class.e2e));
    simcap_kernel::outcome(&sojourns)
}
