//! A value swept from code: how the mean latency grows as the load comes near what two servers can do.
//!
//! An experiment is read once; for each point one value of it is changed, checked and simulated, and a figure is taken out of the
//! report.
//!
//! ```sh
//! cargo run --release --example sweep_from_code
//! ```
//!
//! prints one line for each rate: the mean latency of a request in milliseconds, and half the width of its 95 % interval. At 18 of
//! the 20 requests a second that the servers can do it is about five times the 100 ms of an idle system (M/M/2: 1 / (1 − 0.9²)).

use std::error::Error;

use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Loaded, from_text};
use simcap::experiment::pilot::warmed;
use simcap::form::units::Rate;
use simcap::report::Metric;
use simcap::traffic::arrivals::Poisson;

/// Two servers that answer in 100 ms in the mean: 20 requests a second are all that they can do.
const EXPERIMENT: &str = r#"{
    "name": "sweep",
    "traffic": {
        "arrivals": { "poisson": { "rate": "1/s" } },
        "classes": { "all": { "input": { "constant": 1 }, "output": { "constant": 1 } } }
    },
    "providers": { "servers": {
        "response": { "exponential": { "mean": "100ms" } },
        "load": [ { "slots": { "servers": 2 } } ],
        "prices": { "per_request": { "price": "$0.001" } }
    } },
    "policies": [ { "name": "it", "policy": { "single": { "provider": "servers" } } } ],
    "plan": { "duration": "10m", "replications": 8 }
}"#;

/// A point of the sweep: the rate, and the mean latency with the half width of its interval, in seconds.
pub(crate) type Point = (Rate, f64, Option<f64>);

/// The mean latency at each of `rates`.
pub(crate) fn sweep(rates: &[&str]) -> Result<Vec<Point>, Box<dyn Error>> {
    let mut loaded: Loaded = from_text("sweep.json", EXPERIMENT)?;
    let mut points = Vec::new();
    for rate in rates {
        let rate: Rate = rate.parse()?;
        loaded.experiment.traffic.arrivals = Some(Poisson { rate }.into());
        let plan = warmed(&loaded, assemble(&loaded)?, &Control::default())?;
        let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
        let report = decide::report(&loaded, &plan, &runs);
        let metrics = report.policies.iter().flat_map(|policy| &policy.metrics);
        for measured in metrics.filter(|measured| measured.metric == Metric::E2E_MEAN) {
            points.push((rate, measured.estimate.value, measured.estimate.half_width()));
        }
    }
    Ok(points)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:>8}  {:>10}  {:>8}", "rate", "mean", "±");
    for (rate, mean, half) in sweep(&["2/s", "6/s", "10/s", "14/s", "16/s", "18/s"])? {
        let half = half.map_or("–".to_owned(), |half| format!("{:.1}", half * 1e3));
        println!("{:>8}  {:>7.1} ms  {half:>8}", rate.to_string(), mean * 1e3);
    }
    Ok(())
}
