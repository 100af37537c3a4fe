//! The shipped experiment of a metastable failure: what is down because of retries stays down, unless something bounds them.

mod common;

use common::{plan, replications};
use simcap::engine::tally::Tally;

const STORM: &str = include_str!("../experiments/retry-storm.json");

/// Share of the requests that ended in the last quarter of the run and failed: long after the outage.
fn failing_at_the_end(tally: &Tally) -> f64 {
    let bins = tally.series.bins();
    let late = &bins[bins.len() * 3 / 4..];
    let failures: u64 = late.iter().map(|b| b.failures).sum();
    let all: u64 = late.iter().map(|b| b.failures + b.successes).sum();
    failures as f64 / all as f64
}

#[test]
fn naive_retries_outlast_the_outage_and_bounded_ones_do_not() {
    let plan = plan(STORM);
    let late = |policy: usize| failing_at_the_end(&replications(&plan.scenarios[policy], 1, 1)[0]);
    assert!(late(0) > 0.9, "naive retries keep it down: {}", late(0));
    assert!(late(1) < 0.01, "a budget lets it recover: {}", late(1));
    assert!(late(2) < 0.01, "a breaker lets it recover: {}", late(2));
}
