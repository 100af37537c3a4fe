//! How often the intervals hold the truth, and how often a verdict is a wrong one: experiments whose answers are known, run over
//! many seeds.
//!
//! ```sh
//! cargo run --release --example coverage -- 4000    # the tables of docs/coverage.md; without a number, 200 seeds
//! ```
//!
//! The first table has a line for each figure of each experiment: at 4, 10 and 20 replications the share of seeds whose interval holds the
//! truth, how many lie wholly below and above it, and how wide they are. The second says how often an objective is judged wrongly when the
//! truth lies 1 % off its bound, and how often it is decided at all when the truth lies further off. The third compares policies that
//! are the same but for their luck.
//!
//! The truths are closed forms: the time in an M/M/1 queue is exponential with mean 1 / (μ − λ); the probability of a fault is the share of
//! requests that fail; under `regimes` that share is the share of time under repair times the probability of a failure there; the mean
//! cost is that of the mean number of tokens.

#![allow(clippy::disallowed_methods, reason = "a theory's last digit does not matter")]

use std::error::Error;

use serde_json::{Value, json};
use simcap::Options;
use simcap::report::{Judged, Metric, Report};
use simcap::stats::interval::Estimate;

/// The numbers of replications that are looked at.
pub(crate) const REPLICATIONS: [u64; 3] = [4, 10, 20];

/// An experiment whose answers are known.
pub(crate) struct Known {
    /// A few words on the experiment, for the tables.
    pub(crate) name: &'static str,
    /// The experiment that is run.
    pub(crate) experiment: Value,
    /// Metrics of its first policy and their true values.
    pub(crate) truths: Vec<(&'static str, f64)>,
}

/// What became of the intervals of one figure.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// Seeds that were looked at.
    pub(crate) seeds: u32,
    /// Intervals that lie wholly below the truth.
    pub(crate) below: u32,
    /// Intervals that lie wholly above the truth.
    pub(crate) above: u32,
    /// Intervals with an upper end.
    pub(crate) bounded: u32,
    /// The sum of half their widths, as shares of the truth.
    widths: f64,
}

impl Held {
    fn add(&mut self, estimate: &Estimate, truth: f64) {
        self.seeds += 1;
        self.below += u32::from(estimate.hi.is_some_and(|hi| hi * (1.0 + RESOLUTION) < truth));
        self.above += u32::from(estimate.lo.is_some_and(|lo| lo * (1.0 - RESOLUTION) > truth));
        if let Some(half) = estimate.half_width() {
            self.bounded += 1;
            self.widths += half / truth;
        }
    }

    /// The share of seeds whose interval holds the truth.
    pub(crate) fn share(&self) -> f64 {
        1.0 - f64::from(self.below + self.above) / f64::from(self.seeds)
    }
}

/// Percentiles are read off a histogram of three digits.
const RESOLUTION: f64 = 0.000_5;

/// What objectives said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Judgements {
    /// Verdicts in all.
    pub(crate) all: u32,
    /// Verdicts that are wrong.
    pub(crate) wrong: u32,
    /// Verdicts that decide, rightly or wrongly.
    pub(crate) decided: u32,
}

/// How far off the truth the bounds of objectives lie.
pub(crate) const OFF: [f64; 6] = [0.8, 0.9, 0.99, 1.01, 1.1, 1.25];

/// An experiment of one class and providers that are alike, with a policy for each.
fn experiment(rate: f64, provider: &Value, providers: usize, plan: &Value, objectives: Vec<Value>) -> Value {
    let name = |i: usize| format!("p{i}");
    let fleet: serde_json::Map<String, Value> = (0..providers).map(|i| (name(i), provider.clone())).collect();
    let policies: Vec<Value> = (0..providers)
        .map(|i| json!({ "name": name(i), "policy": { "single": { "provider": name(i) } } }))
        .collect();
    json!({
        "name": "known",
        "traffic": {
            "arrivals": { "poisson": { "rate": format!("{rate}/s") } },
            "classes": { "all": { "input": { "constant": 1 }, "output": { "exponential": { "mean": 500 } } } }
        },
        "providers": fleet,
        "policies": policies,
        "objectives": objectives,
        "plan": plan,
    })
}

/// Objectives on `metric` whose bounds, in this unit, lie off `truth` as [`OFF`] says.
fn objectives(metric: &str, truth: f64, unit: &str) -> Vec<Value> {
    let bounds = OFF.map(|off| json!({ "metric": metric, "at_most": format!("{:.6}{unit}", truth * off) }));
    bounds.to_vec()
}

/// A single server with Poisson arrivals: `requests` of 100 ms at this load, once it has forgotten that it began empty.
fn queue(name: &'static str, load: f64, requests: f64) -> Known {
    let mean = 0.1 / (1.0 - load);
    // The relaxation time of M/M/1 (Morse 1955), ten times over.
    let relaxed = 10.0 * 0.1 / (1.0 - load.sqrt()).powi(2);
    let rate = 10.0 * load;
    let provider = json!({
        "response": { "exponential": { "mean": "100ms" } },
        "connections": 1,
        "prices": { "per_request": { "price": "$0" } },
    });
    let plan = json!({ "duration": format!("{:.0}s", requests / rate), "warmup": format!("{relaxed:.0}s") });
    Known {
        name,
        experiment: experiment(
            rate,
            &provider,
            1,
            &plan,
            objectives("e2e.p95", mean * 20_f64.ln(), "s"),
        ),
        truths: vec![
            ("e2e.mean", mean),
            ("e2e.p50", mean * 2_f64.ln()),
            ("e2e.p95", mean * 20_f64.ln()),
            ("e2e.p99", mean * 100_f64.ln()),
        ],
    }
}

/// A provider with this fault, which is the only thing that happens, and 1,000 requests a replication.
fn failing(name: &'static str, fault: &Value, truth: f64, duration: &str, rate: f64) -> Known {
    let provider = json!({
        "response": { "constant": "10ms" },
        "faults": [fault],
        "prices": { "per_token": { "input": "$0/Mtok", "output": "$10/Mtok" } },
    });
    let plan = json!({ "duration": duration, "warmup": "0s" });
    Known {
        name,
        experiment: experiment(rate, &provider, 1, &plan, objectives("error_rate", truth, "")),
        truths: vec![("error_rate", truth)],
    }
}

/// The experiments whose answers are known.
pub(crate) fn known() -> Vec<Known> {
    let incidents = json!({ "regimes": {
        "between": { "exponential": { "mean": "9h" } }, "repair": { "exponential": { "mean": "1h" } },
        "outage_share": 0, "degraded": { "faults": { "server_error": "20%" } } } });
    let cost = Known {
        name: "27 requests a replication, exponential lengths",
        experiment: experiment(
            1.0,
            &json!({
                "response": { "constant": "10ms" },
                "prices": { "per_token": { "input": "$0/Mtok", "output": "$10/Mtok" } },
            }),
            1,
            &json!({ "duration": "27s", "warmup": "0s" }),
            vec![],
        ),
        // A length is rounded to whole tokens, at least one.
        truths: vec![("cost_per_1k", 5.0)],
    };
    vec![
        queue("M/M/1 at load 0.5", 0.5, 3000.0),
        queue("M/M/1 at load 0.8", 0.8, 6000.0),
        queue("M/M/1 at load 0.9", 0.9, 6000.0),
        failing(
            "1 % fail, one by one",
            &json!({ "random": { "server_error": "1%" } }),
            0.01,
            "1000s",
            2.0,
        ),
        failing(
            "0.03 % fail, one by one",
            &json!({ "random": { "server_error": "0.03%" } }),
            0.0003,
            "1000s",
            4.0,
        ),
        failing("2 % fail, in incidents of an hour", &incidents, 0.02, "100h", 0.02),
        cost,
    ]
}

fn run(experiment: &Value, seed: u64, replications: u64) -> Result<Report, Box<dyn Error>> {
    let options = Options::default().seed(seed).replications(replications);
    Ok(simcap::run(&experiment.to_string(), &options)?)
}

/// Runs `known` under `seeds` seeds: what became of each figure's intervals, and what the objectives said, by [`OFF`].
///
/// # Errors
/// If the experiment is not sound.
pub(crate) fn cover(
    known: &Known,
    seeds: u64,
    replications: u64,
) -> Result<(Vec<Held>, [Judgements; 6]), Box<dyn Error>> {
    let mut held = vec![Held::default(); known.truths.len()];
    let mut judged = [Judgements::default(); 6];
    for seed in 0..seeds {
        let report = run(&known.experiment, seed, replications)?;
        for ((metric, truth), held) in known.truths.iter().zip(&mut held) {
            let metric: Metric = metric.parse()?;
            let measured = report.policies[0].metrics.iter().find(|m| m.metric == metric);
            held.add(&measured.ok_or("a known metric is missing")?.estimate, *truth);
        }
        for ((judgement, off), judged) in report.objectives.iter().zip(OFF).zip(&mut judged) {
            let wrong = if off < 1.0 { Judged::Pass } else { Judged::Fail };
            judged.all += 1;
            judged.wrong += u32::from(judgement.judged == wrong);
            judged.decided += u32::from(judgement.judged != Judged::Undecided);
        }
    }
    Ok((held, judged))
}

/// Runs three policies that are the same but for the weather of their providers: how many of `seeds` reports say of any that it is
/// better or worse.
///
/// # Errors
/// If the experiment is not sound.
pub(crate) fn false_differences(seeds: u64, replications: u64) -> Result<u32, Box<dyn Error>> {
    let provider = json!({
        "response": { "lognormal": { "median": "1s", "sigma": 1 } },
        "faults": [ { "regimes": {
            "between": { "exponential": { "mean": "100s" } }, "repair": { "exponential": { "mean": "50s" } },
            "outage_share": 0, "degraded": { "faults": { "server_error": "20%" }, "ttft": 2 } } } ],
        "prices": { "per_token": { "input": "$0/Mtok", "output": "$10/Mtok" } },
    });
    let plan = json!({ "duration": "1000s", "warmup": "0s" });
    let experiment = experiment(2.0, &provider, 4, &plan, vec![]);
    let mut wrong = 0;
    for seed in 0..seeds {
        let report = run(&experiment, seed, replications)?;
        let is_said = |sentence: &str| sentence.contains("better on") || sentence.contains("worse on");
        wrong += u32::from(report.comparisons.iter().any(|c| is_said(&c.sentence)));
    }
    Ok(wrong)
}

fn main() -> Result<(), Box<dyn Error>> {
    let seeds: u64 = std::env::args().nth(1).map_or(Ok(200), |text| text.parse())?;
    println!(
        "{seeds} seeds; below and above: intervals that miss the truth on that side; ±: half the width, of the truth\n"
    );
    println!("| experiment | figure | replications | holds | below | above | ± | with an upper end |");
    println!("|---|---|---|---|---|---|---|---|");
    let percent = |count: u32, of: u32| format!("{:.1} %", 100.0 * f64::from(count) / f64::from(of));
    let mut objectives = Vec::new();
    for known in known() {
        for replications in REPLICATIONS {
            let (held, judged) = cover(&known, seeds, replications)?;
            for ((metric, _), held) in known.truths.iter().zip(&held) {
                println!(
                    "| {} | `{metric}` | {replications} | {:.1} % | {} | {} | {:.1} % | {} |",
                    known.name,
                    100.0 * held.share(),
                    percent(held.below, held.seeds),
                    percent(held.above, held.seeds),
                    100.0 * held.widths / f64::from(held.bounded),
                    percent(held.bounded, held.seeds),
                );
            }
            objectives.push((known.name, replications, judged));
        }
    }
    println!(
        "\n| experiment | replications | wrong at −1 % | wrong at +1 % | decided at −20 % | −10 % | +10 % | +25 % |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, replications, judged) in objectives.iter().filter(|(.., judged)| judged[0].all > 0) {
        let wrong = |at: usize| percent(judged[at].wrong, judged[at].all);
        let decided = |at: usize| percent(judged[at].decided, judged[at].all);
        println!(
            "| {name} | {replications} | {} | {} | {} | {} | {} | {} |",
            wrong(2),
            wrong(3),
            decided(0),
            decided(1),
            decided(4),
            decided(5)
        );
    }
    println!("\n| four policies that are alike | reports that call one better or worse |\n|---|---|");
    for replications in REPLICATIONS {
        let wrong = false_differences(seeds, replications)?;
        println!("| {replications} replications | {} |", percent(wrong, seeds as u32));
    }
    Ok(())
}
