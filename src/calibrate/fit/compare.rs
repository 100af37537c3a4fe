//! The experiment that compares fitted models: the traffic that was measured, each model alone, and all in turn.
//!
//! It is a start and says so: the rate is the highest that every target was measured at below saturation, the lengths are those
//! of the requests measured. It refers to the models by their files, beside which it stands.

use serde_json::{Value, json};

use super::report::FitReport;
use crate::calibrate::log::{Log, Observation};
use crate::form::object;

/// A target that was fitted: its report, and the name of its model's file.
#[derive(Clone, Copy, Debug)]
pub struct Fitted<'a> {
    /// The report of the fit.
    pub report: &'a FitReport,
    /// The name that the provider has in the experiment.
    pub provider: &'a str,
    /// The model's file, from the folder of the experiment.
    pub file: &'a str,
}

/// The rate where none was measured, in requests a second.
const RATE: f64 = 1.0;

/// The experiment of this name as text of JSON.
pub fn experiment(name: &str, log: &Log, targets: &[Fitted<'_>]) -> String {
    let rate = targets
        .iter()
        .filter_map(|t| highest(t.report))
        .fold(f64::INFINITY, f64::min);
    let (rate, from) = match rate.is_finite() {
        true => (
            rate,
            "the highest rate at which every one of them was measured below saturation",
        ),
        false => (RATE, "a rate to start from: none was measured below saturation"),
    };
    let providers = object(
        targets
            .iter()
            .map(|t| (t.provider.to_owned(), json!({ "model": t.file }))),
    );
    let alone = |t: &Fitted<'_>| json!({ "name": format!("all-{}", t.provider), "policy": { "single": { "provider": t.provider } } });
    let mut policies: Vec<Value> = targets.iter().map(alone).collect();
    if targets.len() > 1 {
        policies.push(json!({ "name": "round-robin", "policy": "round_robin" }));
    }
    let names: Vec<&str> = targets.iter().map(|t| t.provider).collect();
    // In the order in which a person reads it, a policy a line.
    let fields = [
        ("format", json!("simcap.experiment/2")),
        ("name", json!(name)),
        (
            "about",
            json!(format!(
                "{} by models fitted to measurements, at {from}.",
                names.join(" and ")
            )),
        ),
        (
            "traffic",
            json!({
                "arrivals": { "poisson": { "rate": format!("{}/s", three(rate)) } },
                "classes": { "all": { "input": lengths(log, |o| o.input, 200), "output": lengths(log, |o| o.output, 64) } }
            }),
        ),
        ("providers", Value::Object(providers)),
        ("client", json!({ "timeouts": { "ttft": "60s", "total": "300s" } })),
    ];
    let fields = fields.iter().map(|(name, value)| format!("  \"{name}\": {value},\n"));
    let policies: Vec<String> = policies.iter().map(|policy| format!("    {policy}")).collect();
    format!(
        "{{\n{}  \"policies\": [\n{}\n  ],\n  \"plan\": {}\n}}\n",
        fields.collect::<String>(),
        policies.join(",\n"),
        json!({ "duration": "1h", "replications": 10, "seed": 1 })
    )
}

/// The highest rate of an unsaturated step.
fn highest(report: &FitReport) -> Option<f64> {
    let calm = report.steps.iter().filter(|step| step.saturated.is_none());
    let rates = calm.filter_map(|step| step.achieved.or(step.requested));
    rates.filter(|rate| *rate > 0.0).max_by(f64::total_cmp)
}

/// Three digits, which is as many as a rate is known to.
fn three(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// The law of a number of tokens: the number if all are equal, else a lognormal of the same median and spread.
fn lengths(log: &Log, of: fn(&Observation) -> Option<u32>, otherwise: u32) -> Value {
    let mut values: Vec<u32> = log.observations.iter().filter_map(of).filter(|n| *n > 0).collect();
    values.sort_unstable();
    let (Some(least), Some(most)) = (values.first(), values.last()) else {
        return json!({ "constant": otherwise });
    };
    let median = values[values.len() / 2];
    if least == most {
        return json!({ "constant": median });
    }
    let logs: Vec<f64> = values.iter().map(|n| libm::log(f64::from(*n))).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let variance = logs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / logs.len() as f64;
    json!({ "lognormal": { "median": median, "sigma": three(variance.sqrt().max(0.001)) } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;
    use crate::words::Outcome;

    #[test]
    fn lengths_are_a_number_or_a_law() {
        let log = |inputs: &[u32]| Log {
            observations: inputs
                .iter()
                .map(|n| Observation {
                    input: Some(*n),
                    ..observed(0, Outcome::Success)
                })
                .collect(),
            ..Log::default()
        };
        assert_eq!(lengths(&log(&[300, 300]), |o| o.input, 7), json!({ "constant": 300 }));
        assert_eq!(lengths(&log(&[]), |o| o.input, 7), json!({ "constant": 7 }));
        // ln 100, ln 200 and ln 400 lie ln 2 apart: the spread is ln 2 times the square root of two thirds.
        let law = lengths(&log(&[100, 200, 400]), |o| o.input, 7);
        assert_eq!(law, json!({ "lognormal": { "median": 200, "sigma": 0.566 } }));
    }
}
