//! What a report warns of: things in an experiment that did nothing in its run, or never can.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use serde_json::{Value, json};
use simcap::decide::report;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Traces, from_text, load};
use simcap::report::{Judged, Metric};

/// The warnings of a short run of one or two providers under this client, that are not about its length.
fn warnings(providers: usize, client: &str) -> String {
    let provider =
        r#"{ "response": { "exponential": { "mean": "500ms" } }, "prices": { "per_request": { "price": "$0" } } }"#;
    let fleet: Vec<String> = (0..providers).map(|i| format!(r#""p{i}": {provider}"#)).collect();
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {{ "poisson": {{ "rate": "10/s" }} }}, "classes": {{ "all": {{ "input": {{ "constant": 100 }}, "output": {{ "constant": 10 }} }} }} }},
        "providers": {{ {} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "turns", "policy": "round_robin" }} ],
        "plan": {{ "duration": "100s", "replications": 2 }}
    }}"#,
        fleet.join(", ")
    );
    let loaded = from_text("case.json", &text).unwrap();
    let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
    let about_length = |w: &String| w.contains("warmup") || w.contains("settle");
    let all = report(&loaded, &plan, &runs).warnings;
    all.into_iter()
        .filter(|w| !about_length(w))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_policy_that_sends_nothing() {
    let limiter = r#""limiters": [ { "token_bucket": { "unit": "tokens", "rate": "10/s", "burst": 50 } } ]"#;
    insta::assert_snapshot!(warnings(2, limiter), @"
    turns: 100 % of requests are larger than a limiter of the client ever holds, and are shed
    turns: not one attempt was made: every request failed before it could be sent, most as `shed`
    ");
}

#[test]
fn a_percentile_hedge_without_its_samples() {
    let hedge = r#""hedge": { "percentile": { "min_samples": 1000 } }"#;
    insta::assert_snapshot!(warnings(2, hedge), @"turns: the hedge never fired: no class ever had `min_samples` observations within its `window`");
}

#[test]
fn a_hedge_with_nowhere_else_to_go() {
    insta::assert_snapshot!(warnings(1, r#""hedge": { "fixed": { "delay": "500ms" } }"#), @"turns: the hedge never fired: when a copy was due, the policy had no provider to send it to (with `elsewhere`, none but those under way)");
}

#[test]
fn a_hedge_that_fires_is_no_matter() {
    insta::assert_snapshot!(warnings(2, r#""hedge": { "fixed": { "delay": "500ms" } }"#), @"");
}

#[test]
fn an_outlier_detection_that_can_never_eject() {
    insta::assert_snapshot!(warnings(2, r#""breaker": "envoy_outlier""#), @"envoy_outlier can never eject a provider: one of 2 providers is 50% of them, and max_ejection_percent is 10%; raise it, or set always_eject_one_host");
}

/// Half of two is one; and one at least may be forced.
#[test]
fn an_outlier_detection_that_can() {
    for breaker in [r#""max_ejection_percent": "50%""#, r#""always_eject_one_host": true"#] {
        assert_eq!(
            warnings(2, &format!(r#""breaker": {{ "envoy_outlier": {{ {breaker} }} }}"#)),
            ""
        );
    }
}

/// An experiment of this traffic under this plan, with an objective that nothing breaks.
fn experiment(traffic: &Value, plan: &Value) -> Value {
    json!({
        "name": "case",
        "traffic": traffic,
        "providers": {
            "p": { "response": { "constant": "100ms" }, "prices": { "per_request": { "price": "$0.001" } } },
            "q": { "response": { "constant": "100ms" }, "prices": { "per_request": { "price": "$0.001" } } }
        },
        "policies": [ { "name": "one", "policy": { "single": { "provider": "p" } } } ],
        "objectives": [ { "metric": "cost_per_month", "at_most": "$1000000" } ],
        "plan": plan
    })
}

fn classes() -> Value {
    json!({ "a": { "input": { "constant": 10 }, "output": { "constant": 10 } } })
}

fn of(arrivals: &Value) -> Value {
    json!({ "arrivals": arrivals, "classes": classes() })
}

/// The cautions of an experiment that is counted for half an hour.
fn cautions(experiment: &Value) -> Vec<String> {
    let loaded = from_text("case.json", &experiment.to_string()).unwrap_or_else(|e| panic!("{e}"));
    assemble(&loaded).unwrap_or_else(|e| panic!("{e}")).cautions
}

#[test]
fn what_begins_after_the_counted_time_is_told() {
    let plan = json!({ "duration": "30m" });
    for (arrivals, said) in [
        (
            json!({ "spike": { "rate": "1/s", "peak": "50/s", "at": "2h", "lasts": "1m" } }),
            "traffic: the spike at 2h does not begin within the 30m that are counted: nothing here says anything of it",
        ),
        (
            json!({ "step": { "from": "1/s", "to": "9/s", "at": "5h" } }),
            "traffic: the step at 5h does not begin",
        ),
        (
            json!({ "ramp": { "from": "1/s", "to": "9/s", "at": "30m", "takes": "1h" } }),
            "traffic: the ramp at 30m does not begin",
        ),
        (
            json!({ "batch": { "size": 3, "at": ["5h"] } }),
            "traffic: the batch at 5h does not begin",
        ),
        (
            json!({ "batch": { "size": 3, "every": "24h", "first": "2h" } }),
            "traffic: the batch at 2h does not begin",
        ),
        (
            json!({ "batch": { "size": 3, "at": ["1m", "40m", "5h"] } }),
            "traffic: 2 of 3 batches, from the one at 40m on, do not begin",
        ),
        (
            json!({ "schedule": { "points": [ { "at": "0s", "rate": "1/s" }, { "at": "1h", "rate": "2/s" } ] } }),
            "traffic: the point of the schedule at 60m does not begin",
        ),
        (
            json!({ "conversations": { "starts": { "spike": { "rate": "1/s", "peak": "5/s", "at": "2h", "lasts": "1m" } },
                "turns": { "constant": 2 }, "think": { "constant": "1s" } } }),
            "traffic: the spike at 2h does not begin",
        ),
    ] {
        let found = cautions(&experiment(&of(&arrivals), &plan));
        assert!(
            found.iter().any(|caution| caution.starts_with(said)),
            "{arrivals}: {found:?}"
        );
    }
    let within = json!({ "spike": { "rate": "1/s", "peak": "50/s", "at": "29m", "lasts": "1h" } });
    assert_eq!(cautions(&experiment(&of(&within), &plan)), [""; 0]);
    let poisson = json!({ "poisson": { "rate": "1/s" } });
    let mut all = experiment(&of(&poisson), &plan);
    all["providers"]["p"]["faults"] = json!([
        { "outage": { "from": "1h", "for": "5m" } },
        { "slow_down": { "from": "40m", "for": "5m", "ttft": 2 } },
        { "outage": { "from": "10m", "for": "5m" } }
    ]);
    all["policies"] = json!([ { "name": "over", "policy": { "rollout": {
        "old": { "single": { "provider": "p" } }, "new": { "single": { "provider": "q" } },
        "stages": [ { "share": 1 } ], "from": "45m"
    } } } ]);
    let found = cautions(&all);
    for said in [
        "providers: the outage of p at 60m does not begin",
        "providers: the slow-down of p at 40m does not begin",
        "policies: the roll-out of over at 45m does not begin",
    ] {
        assert!(
            found.iter().any(|caution| caution.starts_with(said)),
            "{said}: {found:?}"
        );
    }
    assert_eq!(found.len(), 3, "{found:?}");
}

/// Nothing costs nothing, which meets a bound on what a month costs and is no answer.
#[test]
fn a_run_in_which_no_request_came_passes_nothing() {
    let batch = json!({ "batch": { "size": 3, "at": ["5h"] } });
    let text = experiment(&of(&batch), &json!({ "duration": "30m", "replications": 3 })).to_string();
    let loaded = from_text("case.json", &text).unwrap();
    let plan = assemble(&loaded).unwrap();
    let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
    let report = report(&loaded, &plan, &runs);
    assert!(
        report.warnings[0].starts_with("no request came in the 30 min that are counted"),
        "{:?}",
        report.warnings
    );
    assert!(
        !report
            .warnings
            .iter()
            .any(|warning| warning.contains("no request succeeded"))
    );
    assert!(
        report
            .objectives
            .iter()
            .all(|objective| objective.judged == Judged::Undecided)
    );
    assert_eq!(
        report.scorecard.headline,
        ["No request came: there is nothing to judge."]
    );
    assert!(report.scorecard.rows.iter().all(|row| row.overall == Judged::Undecided));
    let month = (report.policies[0].metrics.iter()).find(|of| of.metric == Metric::COST_PER_MONTH);
    assert_eq!(month.unwrap().note.as_deref(), Some("no request came"));
}

#[test]
fn a_closed_loop_is_told_of_its_own_stream() {
    let closed = json!({ "arrivals": { "closed_loop": { "users": 1, "think": { "constant": "1s" } } } });
    let open = json!({ "arrivals": { "poisson": { "rate": "50/s" } } });
    let with = |streams: Value| {
        let traffic = json!({ "streams": streams, "classes": classes() });
        cautions(&experiment(&traffic, &json!({ "duration": "30m" })))
    };
    let one = with(json!({ "open": open, "agent": closed }));
    assert!(
        one.len() == 1 && one[0].starts_with("the stream `agent` is a closed loop: its latency is measured"),
        "{one:?}"
    );
    let two = with(json!({ "open": open, "agent": closed, "desk": closed }));
    assert!(
        two[0].starts_with("the streams `agent`, `desk` are closed loops: their latency"),
        "{two:?}"
    );
    let all = with(json!({ "agent": closed, "desk": closed }));
    assert!(all[0].starts_with("the arrivals are a closed loop"), "{all:?}");
    assert_eq!(with(json!({ "open": open })), [""; 0]);
}

/// A trace of an hour in which ten requests come at once every two minutes, in the form of a file beside the experiment.
fn resampled(resample: &str, plan: &Value) -> Vec<String> {
    replayed(&json!({ "resample": resample }), plan)
}

/// What is said of such a trace that is replayed like `how`.
fn replayed(how: &Value, plan: &Value) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for burst in 0..30 {
        for request in 0..10 {
            let at = burst * 120 + request;
            trace += &format!("2023-11-16 18:{:02}:{:02}.0000000,100,10\n", at / 60, at % 60);
        }
    }
    std::fs::write(folder.path().join("hour.csv"), trace).unwrap();
    let mut replay = json!({ "replay": how });
    replay["replay"]["trace"] = "hour.csv".into();
    let whole = experiment(&json!({ "arrivals": replay, "classes": { "a": {} } }), plan);
    let file = folder.path().join("case.json");
    std::fs::write(&file, whole.to_string()).unwrap();
    let loaded = load(&file, &Traces::default()).unwrap_or_else(|e| panic!("{e}"));
    assemble(&loaded).unwrap_or_else(|e| panic!("{e}")).cautions
}

#[test]
fn a_plan_that_is_longer_than_its_trace_is_said_to_be_cut() {
    let day = json!({ "duration": "24h" });
    let said = replayed(&json!({}), &day);
    assert!(
        said.len() == 1
            && said[0].starts_with("plan: the trace ends after 58.")
            && said[0].contains("`duration` of 24h"),
        "{said:?}"
    );
    assert_eq!(replayed(&json!({ "loops": true }), &day), [""; 0]);
    assert_eq!(replayed(&json!({}), &json!({ "duration": "30m" })), [""; 0]);
}

#[test]
fn a_trace_that_is_put_together_anew_tells_no_more_than_its_length() {
    let hour = json!({ "duration": "58m" });
    assert_eq!(resampled("5m", &hour), [""; 0]);
    let longer = resampled("5m", &json!({ "duration": "24h" }));
    assert!(
        longer.len() == 1
            && longer[0].starts_with("traffic: 24h are put together from 58.3m of hour.csv: what is known"),
        "{longer:?}"
    );
    let few = resampled("58m", &hour);
    assert!(
        few.len() == 1 && few[0].starts_with("traffic: hour.csv has 1.0 stretches of 58m"),
        "{few:?}"
    );
    // In a minute there are ten or none, and in a second one or none.
    let short = resampled("1s", &hour);
    assert!(
        short.len() == 1
            && short[0]
                .starts_with("traffic: stretches of 1s take the bursts of hour.csv apart: its counts in 60s vary 5"),
        "{short:?}"
    );
}
