//! Metrics that name nothing or make no sense, and windows.

use crate::{GOOD, said, said_of};
use insta::assert_snapshot;

/// The good file with `plan` before its duration.
fn with(plan: &str) -> String {
    said(r#""duration": "1h""#, &format!("{plan}, \"duration\": \"1h\""))
}

#[test]
fn an_unknown_metric() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""tfft.p95""#), @"");
}

#[test]
fn an_unknown_statistic() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.95""#), @"");
}

#[test]
fn an_unknown_outcome_of_a_metric() {
    assert_snapshot!(said(r#""ttft.p95", "at_most": "3s""#, r#""share.rate_limit", "at_most": "3%""#), @"");
}

#[test]
fn an_unknown_class_of_a_metric() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.p95{class=hrd}""#), @"");
}

#[test]
fn an_unknown_key_of_a_scope() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.p95{provder=cheap}""#), @"");
}

#[test]
fn an_unknown_provider_of_a_metric_to_rank_by() {
    assert_snapshot!(said(r#""objectives""#, r#""rank_by": "e2e.p50{provider=chep}", "objectives""#), @"");
}

#[test]
fn an_unknown_window_of_an_asked_metric() {
    assert_snapshot!(said(
        r#""duration": "1h""#,
        r#""windows": { "outage": { "from": "10m", "until": "20m" } }, "metrics": ["quality{window=outge}"], "duration": "1h""#
    ), @"");
}

#[test]
fn an_unknown_tag_of_a_metric() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.p95{tag.team=search}""#), @"");
}

#[test]
fn a_scope_without_an_end() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.p95{class=hard""#), @"");
}

#[test]
fn the_wait_of_a_provider() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""wait.p95{provider=cheap}""#), @"");
}

#[test]
fn the_errors_of_a_provider() {
    assert_snapshot!(with(r#""metrics": ["error_rate{provider=cheap}"]"#), @"");
}

#[test]
fn an_unknown_value_of_a_tag() {
    let tags = r#""tags": { "team": "search" }, "max_output""#;
    assert_snapshot!(said_of(
        &GOOD.replace(r#""max_output""#, tags).replace(r#""ttft.p95""#, r#""ttft.p95{tag.team=serch}""#)
    ), @"");
}

#[test]
fn a_scope_of_nothing() {
    let tags = r#""tags": { "team": "search" }, "max_output""#;
    assert_snapshot!(said_of(
        &GOOD.replace(r#""max_output""#, tags).replace(r#""ttft.p95""#, r#""ttft.p95{class=easy,tag.team=search}""#)
    ), @"");
}

/// Of 33 teams the last is not kept apart.
#[test]
fn a_value_of_a_tag_beyond_those_that_are_kept() {
    let mut experiment: serde_json::Value = serde_json::from_str(GOOD).expect("it is JSON");
    for i in 0..33 {
        let mut class = experiment["traffic"]["classes"]["easy"].clone();
        class["tags"] = serde_json::json!({ "team": format!("team-{i}") });
        experiment["traffic"]["classes"][format!("c{i:02}")] = class;
    }
    let mut with = |metric: &str| {
        experiment["plan"]["metrics"] = serde_json::json!([metric]);
        said_of(&experiment.to_string())
    };
    assert_eq!(with("error_rate{tag.team=team-31}"), "nothing is wrong");
    assert_eq!(with("error_rate{tag.team=other}"), "nothing is wrong");
    let refused = with("error_rate{tag.team=team-32}");
    let text = "plan.metrics[0]: `team-32` is not among the first 32 values of the tag `team`: the rest is `other`";
    assert!(refused.contains(text), "{refused}");
}

#[test]
fn a_window_beyond_the_end() {
    assert_snapshot!(with(r#""windows": { "late": { "from": "30m", "until": "2h" } }"#), @"");
}

#[test]
fn a_window_that_ends_before_it_begins() {
    assert_snapshot!(with(r#""windows": { "late": { "from": "30m", "until": "20m" } }"#), @"");
}

#[test]
fn a_window_within_the_warm_up() {
    assert_snapshot!(with(r#""windows": { "early": { "until": "5m" } }"#), @"");
}

#[test]
fn two_windows_of_one_name() {
    assert_snapshot!(with(r#""windows": { "late": { "from": "30m" }, "late": { "from": "40m" } }"#), @"");
}
