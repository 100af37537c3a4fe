//! The shipped experiment of a metastable failure: what is down because of retries stays down, unless something bounds them.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;

const STORM: &str = include_str!("../experiments/retry-storm.json");

/// Some replications of a policy: 0 retries at will, 1 has a budget, 2 a breaker.
fn storms(policy: usize) -> Vec<Tally> {
    replications(&plan(STORM).scenarios[policy], 1, 3)
}

/// Share of the requests that ended in each minute of the 20 and failed.
fn failing(tally: &Tally) -> Vec<f64> {
    let bins = tally.series.bins();
    let minutes = bins.chunks(bins.len() / 20);
    minutes
        .map(|minute| {
            let failures: u64 = minute.iter().map(|b| b.failures).sum();
            let all: u64 = minute.iter().map(|b| b.failures + b.successes).sum();
            failures as f64 / all as f64
        })
        .collect()
}

/// It fails in every minute after the third, in which the outage ends.
#[test]
fn naive_retries_outlast_the_outage() {
    for tally in storms(0) {
        let failing = failing(&tally);
        assert!(failing[..2].iter().all(|&share| share < 0.01), "{failing:?}");
        assert!(failing[3..].iter().all(|&share| share > 0.9), "{failing:?}");
        let incident = &tally.incidents[0];
        assert_eq!((incident.recovered, incident.seconds_to_recover()), (0, None));
    }
}

#[test]
fn bounded_retries_do_not() {
    for (policy, within) in [(1, 60.0), (2, 60.0)] {
        for tally in storms(policy) {
            let failing = failing(&tally);
            assert!(failing[4..].iter().all(|&share| share < 0.01), "{failing:?}");
            let seconds = tally.incidents[0].seconds_to_recover().expect("it recovers");
            assert!(seconds < within, "{policy}: {seconds}");
        }
    }
}
