//! Do the intervals of capacities hold the truth? Systems whose capacity is known, searched under many seeds.
//!
//! `cargo run --release --example capacity -- 100` prints the table of the chapter on capacity.
//!
//! - M/M/5, of which each takes 50 ms in the mean, under a bound on the p95 of the time in the system. That is longer than t with the
//!   probability e^(−μt) (1 + C (1 − e^(−μt (5 − 1 − a))) / (5 − 1 − a)), where a = λ/μ and C is Erlang's (Gross and Harris, 4th edition, 2.31).
//! - A token bucket that holds one token and gets 100 a second, under a bound on errors: after each request that it lets through, it refuses
//!   those of the next 10 ms, a counter with a dead time, whose share of losses is λ/(λ + 100).
//!
//! It is also how a program of its own asks for a capacity: what the lever does at a value is the program's.

use simcap::engine::run::Control;
use simcap::experiment::load::{LoadError, Loaded, from_text};
use simcap::study::{Fault, Found, Search};

/// A system whose capacity is known.
pub(crate) struct Known {
    /// What the study calls it.
    pub(crate) name: &'static str,
    /// The text of the experiment.
    pub(crate) text: String,
    /// Requests a second of the experiment.
    pub(crate) today: f64,
    /// The requests a second at which its objective just holds.
    pub(crate) truth: f64,
}

/// Both systems; each replication counts so many seconds.
pub(crate) fn known(seconds: u32) -> [Known; 2] {
    let experiment = |provider: &str, rate: f64, objective: &str| {
        format!(
            r#"{{
            "name": "known",
            "traffic": {{
                "arrivals": {{ "poisson": {{ "rate": "{rate}/s" }} }},
                "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
            }},
            "providers": {{ "p": {{ {provider}, "prices": {{ "per_request": {{ "price": "$0" }} }} }} }},
            "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "p" }} }} }} ],
            "objectives": [ {objective} ],
            "plan": {{ "duration": "{seconds}s", "warmup": "20s", "replications": 10 }}
        }}"#
        )
    };
    let queue = r#""response": { "exponential": { "mean": "50ms" } }, "load": [ { "slots": { "servers": 5 } } ]"#;
    let bucket = r#""response": { "constant": "1ms" },
        "limits": [ { "token_bucket": { "unit": "requests", "rate": "100/s", "burst": 1 } } ]"#;
    [
        Known {
            name: "M/M/5, e2e.p95 at most 250 ms",
            text: experiment(queue, 40.0, r#"{ "metric": "e2e.p95", "at_most": "250ms" }"#),
            today: 40.0,
            truth: root(|rate| longer(rate, 0.25) - 0.05, 1.0, 99.0),
        },
        Known {
            name: "token bucket, errors at most 10 %",
            text: experiment(bucket, 5.0, r#"{ "metric": "error_rate", "at_most": "10%" }"#),
            today: 5.0,
            truth: 100.0 / 9.0,
        },
    ]
}

/// The probability that a request takes longer than `t` seconds in M/M/5 with a mean of 50 ms.
fn longer(rate: f64, t: f64) -> f64 {
    let (mu, servers) = (20.0, 5);
    let a = rate / mu;
    let blocked = (1..=servers).fold(1.0, |b, k| a * b / (f64::from(k) + a * b));
    let c = f64::from(servers);
    let waits = blocked / (1.0 - a / c * (1.0 - blocked));
    let free = c - 1.0 - a;
    let more = if free.abs() < 1e-9 {
        mu * t
    } else {
        -libm::expm1(-mu * t * free) / free
    };
    libm::exp(-mu * t) * (1.0 + waits * more)
}

/// Where a rising function is 0.
fn root(of: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if of(middle) > 0.0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

/// What a search finds, as factors on the traffic of the experiment.
///
/// # Errors
/// If the experiment makes no sense, which it does.
pub(crate) fn find(known: &Known, seed: u64, precision: f64, budget: u64) -> Result<Found, Fault> {
    let base = from_text("known.json", &known.text)?;
    let mut lever = |value: f64| -> Result<Loaded, LoadError> {
        let mut loaded = base.clone();
        loaded.experiment.traffic = base.experiment.traffic.scaled(value, None).map_err(LoadError::Set)?;
        Ok(loaded)
    };
    let search = Search {
        start: 1.0,
        range: (1e-3, 1e3),
        is_relief: false,
        step: 0.0,
        seed: Some(seed),
        replications: None,
        precision,
        budget,
    };
    search.run(&mut lever, &Control::default(), &|_| {})
}

/// How many of `seeds` searches hold the truth, lie below it and above it, the mean width of their intervals as a share of the truth, and
/// the mean of the requests that they simulated.
pub(crate) fn cover(known: &Known, seeds: u64, precision: f64, budget: u64) -> Result<([u64; 3], f64, f64), Fault> {
    let (mut held, mut width, mut requests) = ([0; 3], 0.0, 0.0);
    for seed in 1..=seeds {
        let found = find(known, seed, precision, budget)?;
        let (lo, hi) = found
            .interval
            .map_or((f64::NAN, f64::NAN), |(lo, hi)| (lo * known.today, hi * known.today));
        held[0] += u64::from(lo <= known.truth && known.truth <= hi);
        held[1] += u64::from(hi < known.truth);
        held[2] += u64::from(lo > known.truth);
        width += (hi - lo) / known.truth / seeds as f64;
        requests += found.requests as f64 / seeds as f64;
    }
    Ok((held, width, requests))
}

fn main() {
    let seeds = std::env::args()
        .nth(1)
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(20);
    println!("| system | true capacity | holds | below | above | width | requests |");
    println!("|---|---|---|---|---|---|---|");
    for known in known(200) {
        match cover(&known, seeds, 0.02, 20_000_000) {
            Ok((held, width, requests)) => println!(
                "| {} | {:.3}/s | {} of {seeds} | {} | {} | {:.2} % | {:.1} million |",
                known.name,
                known.truth,
                held[0],
                held[1],
                held[2],
                100.0 * width,
                requests / 1e6
            ),
            Err(fault) => println!("| {} | {fault:?} |", known.name),
        }
    }
}
