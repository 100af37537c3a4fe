//! What is said first, against arithmetic: which policy to take, at what cost, and what cannot be told.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::sync::Arc;

use serde_json::{Value, json};
use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::report::terminal::{Style, full, headline, screen};
use simcap::report::{Judged, Report};

/// One request a second for an hour at three prices: a cent and 3 s, two cents and 2 s, four cents and 1 s: $25,920, $51,840
/// and $103,680 in a month of 30 days.
fn report(objectives: &Value, first: &str) -> Report {
    let provider = |time: &str, price: &str| json!({ "response": { "constant": time }, "prices": { "per_request": { "price": price } } });
    let policy = |name: &str| json!({ "name": name, "policy": { "single": { "provider": name } } });
    let mut names = vec!["slow", "middle", "quick"];
    names.retain(|name| *name != first);
    names.insert(0, first);
    run(&json!({
        "format": "simcap.experiment/2",
        "name": "headline",
        "traffic": {
            "arrivals": { "regular": { "rate": "1/s" } },
            "classes": { "a": { "input": { "constant": 1000 }, "output": { "constant": 500 } } },
        },
        "providers": {
            "slow": provider("3s", "$0.01"),
            "middle": provider("2s", "$0.02"),
            "quick": provider("1s", "$0.04"),
        },
        "policies": names.into_iter().map(policy).collect::<Vec<_>>(),
        "objectives": objectives,
        "plan": { "duration": "1h", "warmup": "10s", "replications": 3 },
    }))
}

fn run(experiment: &Value) -> Report {
    let loaded = from_text("test.json", &experiment.to_string()).unwrap_or_else(|e| panic!("{e}"));
    let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let control = Arc::new(Control::default());
    let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &control);
    decide::report(&loaded, &plan, &runs)
}

fn said(report: &Report) -> String {
    report.scorecard.headline.join(" ")
}

#[test]
fn the_cheapest_that_meets_every_objective_is_named_with_what_more_speed_costs() {
    let report = report(&json!([{ "metric": "e2e.p95", "at_most": "2500ms" }]), "quick");
    assert_eq!(report.scorecard.cheapest.as_deref(), Some("middle"));
    assert_eq!(
        said(&report),
        "Cheapest that meets every objective: middle, $51,840 ± 0/month. That is 50.0 % less than quick, which meets them too. \
         quick is faster by 1.00 s (E2E p95) for $51,840 more/month."
    );
}

#[test]
fn an_objective_of_one_policy_is_held_against_the_others_too() {
    let objectives = json!([{ "metric": "e2e.p95", "at_most": "3500ms", "policies": ["quick"] }]);
    let found = report(&objectives, "quick");
    assert_eq!(found.scorecard.cheapest.as_deref(), Some("slow"));
    // Only what is asked is an objective that may fail.
    assert_eq!(found.objectives.len(), 1);
    // One of its own on the same figure stands in its place.
    let own = json!([
        { "metric": "e2e.p95", "at_most": "3500ms", "policies": ["quick", "middle"] },
        { "metric": "e2e.p95", "at_most": "1s", "policies": ["slow"] },
    ]);
    let found = report(&own, "quick");
    let judged: Vec<Vec<Option<Judged>>> = found.scorecard.rows.iter().map(|row| row.judged.clone()).collect();
    assert_eq!(
        judged,
        [
            [Some(Judged::Pass), None],
            [None, Some(Judged::Fail)],
            [Some(Judged::Pass), None]
        ]
    );
    assert_eq!(found.scorecard.cheapest.as_deref(), Some("middle"));
}

#[test]
fn where_none_meets_every_objective_the_nearest_is_named_with_what_it_fails() {
    // slow and middle fail one each, by factors of 6 and of 4; quick fails both.
    let objectives = json!([
        { "metric": "e2e.p95", "at_most": "500ms" },
        { "metric": "cost_per_month", "at_most": "$60k" },
    ]);
    assert_eq!(
        said(&report(&objectives, "quick")),
        "No policy meets every objective. middle comes nearest; it fails E2E p95 2.00 s (≤ 500 ms)."
    );
}

#[test]
fn what_an_interval_leaves_open_is_said() {
    // Without an interval, of one replication, nothing is decided.
    let mut one = json!({
        "format": "simcap.experiment/2",
        "name": "one",
        "traffic": {
            "arrivals": { "regular": { "rate": "1/s" } },
            "classes": { "a": { "input": { "constant": 1000 }, "output": { "constant": 500 } } },
        },
        "providers": { "p": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0" } } } },
        "policies": [{ "name": "one", "policy": { "single": { "provider": "p" } } }],
        "objectives": [{ "metric": "e2e.p95", "at_most": "2s" }],
        "plan": { "duration": "1h", "warmup": "10s", "replications": 1 },
    });
    assert_eq!(
        said(&run(&one)),
        "Whether one meets every objective cannot be told. Undecided, because an interval contains the bound or there is none: one (E2E p95)."
    );
    one["plan"]["replications"] = json!(2);
    assert_eq!(said(&run(&one)), "one meets every objective.");
    one["objectives"] = json!([]);
    assert_eq!(
        said(&run(&one)),
        "No objective is given to judge one by: errors 0 % +0.05, E2E p95 1.00 s ± 0.",
        "none of 7,200 failed: up to 1 − 0.025^(1/7200) = 0.051 % may"
    );
    assert!(
        run(&one).scorecard.rows.is_empty(),
        "of no objectives there is no verdict"
    );
}

/// Prices and times differ by arithmetic, errors not at all; and three of one kind do not differ.
#[test]
fn without_objectives_it_is_said_in_what_the_policies_differ() {
    let found = report(&json!([]), "quick");
    let sentence = "No objective is given to choose by. The 3 policies range in E2E p95 from 1.00 s ± 0 (quick) to 3.00 s ± 0 (slow), \
                    and in $ / month from $25,920 ± 0 (slow) to $103,680 ± 0 (quick).";
    assert_eq!(said(&found), sentence);
    let style = Style {
        width: 200,
        colour: false,
    };
    assert_eq!(headline(&found, &style).trim_end(), sentence);
}

#[test]
fn the_first_screen_has_the_answer_first_and_no_column_of_nothing() {
    let report = report(&json!([{ "metric": "e2e.p95", "at_most": "2500ms" }]), "quick");
    let style = Style {
        width: 100,
        colour: false,
    };
    let text = screen(&report, &style);
    assert!(text.lines().count() <= 30, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[2].starts_with("Cheapest that meets every objective: middle, "),
        "{text}"
    );
    for absent in ["wait", "quality"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    assert!(text.contains("≤ 2.50 s") && text.contains("FAIL E2E p95"), "{text}");
    assert_eq!(headline(&report, &style).lines().count(), 4);
    assert!(!full(&report, &style).contains("wait p95"), "a column of nothing");
}

/// Of two policies that meet the objective on errors the cheaper fails 4 % of its requests, the other 1 %.
#[test]
fn a_policy_that_is_cheaper_because_it_fails_more_is_said_to() {
    let provider = |errors: &str, price: &str| {
        json!({
            "ttft": { "constant": "1s" }, "tps": { "constant": 1000 },
            "faults": [{ "random": { "server_error": errors } }],
            "prices": { "per_request": { "price": price } },
        })
    };
    let policy = |name: &str| json!({ "name": name, "policy": { "single": { "provider": name } } });
    let of = |cheap: &str| {
        run(&json!({
            "format": "simcap.experiment/2",
            "name": "headline",
            "traffic": {
                "arrivals": { "regular": { "rate": "10/s" } },
                "classes": { "a": { "input": { "constant": 10 }, "output": { "constant": 50 } } },
            },
            "providers": { "cheap": provider(cheap, "$0.01"), "dear": provider("1%", "$0.02") },
            "policies": [policy("cheap"), policy("dear")],
            "objectives": [{ "metric": "error_rate", "at_most": "10%" }],
            "plan": { "duration": "1h", "warmup": "10s", "replications": 3 },
        }))
    };
    let text = said(&of("4%"));
    assert!(text.starts_with("Cheapest that meets every objective: cheap"), "{text}");
    assert!(
        text.contains("It fails more requests: 4.") && text.contains(" under dear."),
        "{text}"
    );
    // Half a per cent is not told.
    let text = said(&of("1.2%"));
    assert!(!text.contains("fails more"), "{text}");
}

/// A provider is gone for a minute; one breaker leaves it out for good, the other asks again.
#[test]
fn a_policy_that_never_takes_a_provider_back_is_said_to() {
    let provider = json!({
        "ttft": { "constant": "100ms" }, "tps": { "constant": 1000 }, "prices": { "per_request": { "price": "$0.01" } },
    });
    let mut primary = provider.clone();
    primary["faults"] = json!([{ "outage": { "from": "5m", "for": "1m" } }]);
    let policy = |name: &str, breaker: Value| {
        json!({
            "name": name, "policy": "round_robin",
            "client": { "breaker": breaker },
        })
    };
    let text = said(&run(&json!({
        "format": "simcap.experiment/2",
        "name": "headline",
        "traffic": {
            "arrivals": { "regular": { "rate": "10/s" } },
            "classes": { "a": { "input": { "constant": 10 }, "output": { "constant": 50 } } },
        },
        "providers": { "a": primary, "b": provider },
        "policies": [
            policy("asks", json!({ "consecutive": { "failures": 5, "open_for": "30s", "half_open": "guarded" } })),
            policy("leaves", json!({ "rollback": { "primary": "a" } })),
        ],
        "plan": { "duration": "10m", "warmup": "10s", "replications": 3 },
    })));
    let sentence = "leaves does not take a back after its outage, in the 4 min that are left of the run.";
    assert!(text.contains(sentence), "{text}");
}
