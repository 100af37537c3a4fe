//! Replications until a precision is reached: as many as it takes, to the figures of a run of that many; and how often intervals hold then.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::command::{simcap, text};
use simcap::report::Report;
use simcap::simulate::{Options, run};
use simcap::words::Metric;

/// M/M/1 at half its capacity, of which a request takes 50 ms in the mean.
fn server(plan: &str) -> String {
    format!(
        r#"{{
        "name": "server",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "20/s" }} }},
            "classes": {{ "all": {{ "input": 1, "output": 1 }} }}
        }},
        "providers": {{ "p": {{ "response": {{ "exponential": {{ "mean": "25ms" }} }}, "prices": {{ "per_request": {{ "price": "$0" }} }} }} }},
        "client": {{ "max_in_flight": 1, "admission": "queue" }},
        "policies": [ {{ "name": "only", "policy": "round_robin" }} ],
        "plan": {{ "duration": "60s", "warmup": "5s", {plan} }}
    }}"#
    )
}

fn mean(report: &Report) -> (f64, f64, f64) {
    let found = report.policies[0].metrics.iter().find(|m| m.metric == Metric::E2E_MEAN);
    let estimate = found.unwrap().estimate;
    (estimate.value, estimate.lo.unwrap(), estimate.hi.unwrap())
}

#[test]
fn it_takes_as_many_as_it_takes_and_they_are_those_of_a_run_of_that_many() {
    let text = server(r#""replications": 5, "until": { "e2e.mean": "±2%" }"#);
    let found = run(&text, &Options::default()).unwrap();
    let n = found.replications_finished;
    let (value, lo, hi) = mean(&found);
    assert!(n > 5 && n == found.replications_planned, "{n}");
    assert!((hi - value).max(value - lo) <= 0.02 * value, "{lo} {value} {hi}");
    let fixed = run(&server(&format!(r#""replications": {n}"#)), &Options::default()).unwrap();
    assert_eq!((mean(&fixed), fixed.warnings), (mean(&found), found.warnings));
    let given = run(&text, &Options::default().replications(4)).unwrap();
    assert_eq!(given.replications_finished, 4, "a number that is given is kept");
}

#[test]
fn what_cannot_be_reached_is_told() {
    let text = server(r#""replications": 4, "until": { "e2e.p99": "0.1%" }, "at_most": 8"#);
    let report = run(&text, &Options::default()).unwrap();
    assert_eq!(report.replications_finished, 8);
    let said = report.warnings.last().unwrap();
    assert!(
        said.contains("8 replications, the most that `until` may take, tell E2E p99 of only to ±"),
        "{said}"
    );
}

/// Of 120 seeds about 95 % should hold the mean; what looking several times costs is little. 86 % lie five standard deviations
/// below.
#[test]
fn intervals_hold_nearly_as_often_as_without() {
    let text = server(r#""replications": 10, "until": { "e2e.mean": "±4%" }"#);
    let seeds = 120;
    let holds = |seed: &u64| {
        let report = run(&text, &Options::default().seed(*seed)).unwrap();
        let (_, lo, hi) = mean(&report);
        lo <= 0.05 && 0.05 <= hi
    };
    let held = (1..=seeds).filter(holds).count();
    assert!(held as f64 >= 0.86 * seeds as f64, "{held} of {seeds}");
}

#[test]
fn the_command_line_does_it_too_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    std::fs::write(&file, server(r#""replications": 5, "until": { "e2e.mean": "±3%" }"#)).unwrap();
    let out = simcap(folder.path(), &["run", "x.json", "--out", "found"]);
    assert!(text(&out.stderr).contains("replications, for the precision that is asked for"));
    let result = |name: &str| std::fs::read_to_string(folder.path().join(name).join("result.json")).unwrap();
    let report = run(&std::fs::read_to_string(&file).unwrap(), &Options::default()).unwrap();
    let n = format!("\"replications_finished\": {}", report.replications_finished);
    assert!(result("found").contains(&n), "{n}");
    for (plan, said) in [
        (
            r#""replications": 5, "until": { "e2e.p95": "60%" }"#,
            "it is not between 0 and 50%",
        ),
        (r#""replications": 5, "until": { "e2e.p9x": "2%" }"#, "plan.until"),
        (
            r#""replications": 1, "until": { "e2e.p95": "2%" }"#,
            "one replication has no interval",
        ),
        (
            r#""replications": 5, "at_most": 9"#,
            "no precision that would ask for more",
        ),
        (
            r#""replications": 5, "until": { "e2e.p95": "2%" }, "at_most": 4"#,
            "must be 5 (`replications`) to 100000",
        ),
    ] {
        std::fs::write(&file, server(plan)).unwrap();
        let out = simcap(folder.path(), &["check", "x.json"]);
        assert_eq!(out.status.code(), Some(2), "{plan}");
        assert!(text(&out.stderr).contains(said), "{plan}: {}", text(&out.stderr));
    }
}
