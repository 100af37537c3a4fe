//! What a report warns of: things in an experiment that did nothing in its run, or never can.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use simcap::decide::report;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;

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
