//! The M/M/1 in SimPy, in a Python process of its own that reports its CPU time; skipped where Python or SimPy is absent.
//!
//! The script is `mm1_simpy.py` beside this package and runs alone too. It has streams of its own, so its mean differs
//! from the other rows' by chance.

use std::process::Command;
use std::time::Duration;

use super::Outcome;

const SCRIPT: &str = include_str!("../../mm1_simpy.py");

/// One process each for source and server, joined by a `Store`.
pub fn run_store(customers: u64, seed: u64) -> Result<(Outcome, Duration), String> {
    run("store", customers, seed)
}

/// One process for each customer, which requests a `Resource`: SimPy's own example of a bank.
pub fn run_resource(customers: u64, seed: u64) -> Result<(Outcome, Duration), String> {
    run("resource", customers, seed)
}

fn run(form: &str, customers: u64, seed: u64) -> Result<(Outcome, Duration), String> {
    let output = Command::new("python3")
        .args(["-c", SCRIPT, form, &customers.to_string(), &seed.to_string()])
        .output()
        .map_err(|error| format!("python3: {error}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "python3: {}",
            complaint.lines().last().unwrap_or("failed without a word")
        ));
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    read(&answer).ok_or_else(|| format!("mm1_simpy.py answered {answer:?}"))
}

/// Reads `customers mean p99 cpu_nanoseconds`.
fn read(answer: &str) -> Option<(Outcome, Duration)> {
    let mut words = answer.split_whitespace();
    let customers = words.next()?.parse().ok()?;
    let mean_sojourn = words.next()?.parse().ok()?;
    let p99_sojourn = words.next()?.parse().ok()?;
    let cpu = Duration::from_nanos(words.next()?.parse().ok()?);
    Some((
        Outcome {
            customers,
            mean_sojourn,
            p99_sojourn,
        },
        cpu,
    ))
}
