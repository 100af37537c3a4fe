//! What is said of single replications against runs that were not in the study: fresh ones lie between the ends as often as is said.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use simcap::report::Judged;
use simcap::words::Metric;
use simcap::{Options, run};

/// One server, 70 requests a second, exponential times of 10 ms in the mean: single seconds differ widely.
const QUEUE: &str = r#"{
    "name": "queue",
    "traffic": {
        "arrivals": { "poisson": { "rate": "70/s" } },
        "classes": { "all": { "input": { "constant": 1 }, "output": { "constant": 1 } } }
    },
    "providers": { "server": {
        "response": { "exponential": { "mean": "10ms" } },
        "prices": { "per_request": { "price": "$0.001" } }
    } },
    "client": { "max_in_flight": 1 },
    "policies": [ { "name": "only", "policy": { "single": { "provider": "server" } } } ],
    "objectives": [ { "metric": "e2e.mean", "at_most": "40ms" } ],
    "plan": { "duration": "1s", "warmup": "1s", "replications": 20 }
}"#;

/// Studies of twenty replications, and one replication of another seed for each. A share of 1,200 has a standard deviation of 0.9 points
/// at 90 % and of 1.2 at 80 %.
#[test]
fn a_fresh_replication_lies_between_the_ends_as_often_as_is_said() {
    let pairs = 1_200;
    let (mut nine, mut eight) = (0, 0);
    for seed in 0..pairs {
        let study = run(QUEUE, &Options::default().seed(seed)).unwrap();
        let fresh = run(QUEUE, &Options::default().seed(1_000_000 + seed).replications(1)).unwrap();
        let measured = fresh.policies[0]
            .metrics
            .iter()
            .find(|of| of.metric == Metric::E2E_MEAN);
        let value = measured.unwrap().estimate.value;
        let alone = study.policies[0]
            .alone
            .iter()
            .find(|of| of.metric == Metric::E2E_MEAN)
            .unwrap();
        let holds = |between: Option<simcap::report::Between>| {
            let between = between.unwrap();
            u64::from(between.lo.unwrap() <= value && value <= between.hi.unwrap())
        };
        nine += holds(alone.nine_of_ten);
        eight += holds(alone.eight_of_ten);
    }
    let share = |held: u64| held as f64 / pairs as f64;
    assert!((share(nine) - 0.9).abs() <= 0.02, "{nine} of {pairs}");
    assert!((share(eight) - 0.8).abs() <= 0.03, "{eight} of {pairs}");
}

#[test]
fn what_single_replications_miss_is_said_where_all_together_meet_it() {
    // M/M/1 at load 0.7: the mean is 33 ms, and over single seconds it is skewed.
    let report = run(
        &QUEUE.replace("\"replications\": 20", "\"replications\": 400"),
        &Options::default(),
    )
    .unwrap();
    assert_eq!(report.objectives[0].judged, Judged::Pass);
    let missed = &report.policies[0].missed[0];
    let share = missed.missed as f64 / missed.of as f64;
    assert!(missed.of == 400 && (0.1..0.4).contains(&share), "{missed:?}");
    assert!(missed.lo < share && share < missed.hi, "{missed:?}");
    let said = report.scorecard.headline.join(" ");
    let words = "meets E2E mean ≤ 40.0 ms on the whole, but of single stretches of 1 s";
    assert!(said.contains(words), "{said}");
}

#[test]
fn too_few_replications_have_no_ends() {
    let ends = |replications: u64| {
        let report = run(QUEUE, &Options::default().replications(replications)).unwrap();
        let alone = report.policies[0].alone[0].clone();
        (alone.eight_of_ten.is_some(), alone.nine_of_ten.is_some())
    };
    assert_eq!(
        [8, 9, 18, 19].map(ends),
        [(false, false), (true, false), (true, false), (true, true)]
    );
}
