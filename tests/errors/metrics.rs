//! Metrics that name nothing or make no sense, and windows.

use super::{GOOD, said, said_of};
use insta::assert_snapshot;

/// The good file with `plan` before its duration.
fn with(plan: &str) -> String {
    said(r#""duration": "1h""#, &format!("{plan}, \"duration\": \"1h\""))
}

#[test]
fn an_unknown_metric() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""tfft.p95""#), @r#"
    shop.json:59:17: objectives[0].metric: unknown name `tfft.p95`
       59 |     { "metric": "tfft.p95", "at_most": "3s" },
          |                 ^
       help: did you mean `ttft.p95`?
       allowed: ttft.p95, e2e.p95, wait.p95, tpot.p95, error_rate, throughput, goodput, attempts_per_request, cost_per_1k, cost_per_1k_answers, cost_per_month, quality, share.rate_limited, attempts.rate_limited, share.cache_hit, saved_per_month, dialogue_time.p95, dialogue_failures, turns_per_dialogue, cost_per_dialogue
    "#);
}

#[test]
fn an_unknown_statistic() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.95""#), @r#"
    shop.json:59:17: objectives[0].metric: unknown name `ttft.95`
       59 |     { "metric": "ttft.95", "at_most": "3s" },
          |                 ^
       help: did you mean `ttft.p95`?
       allowed: ttft.mean, ttft.p50, ttft.p90, ttft.p95, ttft.p99, ttft.p99.9
    "#);
}

#[test]
fn an_unknown_outcome_of_a_metric() {
    assert_snapshot!(said(r#""ttft.p95", "at_most": "3s""#, r#""share.rate_limit", "at_most": "3%""#), @r#"
    shop.json:59:17: objectives[0].metric: unknown name `share.rate_limit`
       59 |     { "metric": "share.rate_limit", "at_most": "3%" },
          |                 ^
       help: did you mean `share.rate_limited`?
       allowed: share.success, share.rate_limited, share.server_error, share.bad_gateway, share.unavailable, share.gateway_timeout, share.overloaded, share.request_timeout, share.connection_error, share.truncated, share.context_exceeded, share.content_filtered, share.unauthorized, share.payment_required, share.forbidden, share.not_found, share.conflict, share.payload_too_large, share.unprocessable, share.bad_request, share.timeout_connect, share.timeout_ttft, share.timeout_idle, share.timeout_attempt, share.timeout_total, share.breaker_open, share.shed, share.queue_timeout, share.budget_exhausted, share.cancelled, share.abandoned, share.cache_hit
    "#);
}

#[test]
fn an_unknown_class_of_a_metric() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.p95{class=hrd}""#), @r#"
    shop.json:59:17: objectives[0].metric: there is no class `hrd`
       59 |     { "metric": "ttft.p95{class=hrd}", "at_most": "3s" },
          |                 ^
       help: did you mean `hard`?
       allowed: easy, hard
    "#);
}

#[test]
fn an_unknown_key_of_a_scope() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.p95{provder=cheap}""#), @r#"
    shop.json:59:17: objectives[0].metric: unknown name `provder`
       59 |     { "metric": "ttft.p95{provder=cheap}", "at_most": "3s" },
          |                 ^
       help: did you mean `provider`?
       allowed: class, provider, tag.NAME, window, cache
    "#);
}

#[test]
fn an_unknown_provider_of_a_metric_to_rank_by() {
    assert_snapshot!(said(r#""objectives""#, r#""rank_by": "e2e.p50{provider=chep}", "objectives""#), @r#"
    shop.json:58:14: rank_by: there is no provider `chep`
       58 |   "rank_by": "e2e.p50{provider=chep}", "objectives": [
          |              ^
       help: did you mean `cheap`?
       allowed: cheap, dear, own
    "#);
}

#[test]
fn an_unknown_window_of_an_asked_metric() {
    assert_snapshot!(said(
        r#""duration": "1h""#,
        r#""windows": { "outage": { "from": "10m", "until": "20m" } }, "metrics": ["quality{window=outge}"], "duration": "1h""#
    ), @r#"
    shop.json:62:85: plan.metrics[0]: there is no window `outge`
       62 | …"outage": { "from": "10m", "until": "20m" } }, "metrics": ["quality{window=outge}"], "duration": "1h…
          |                                                             ^
       help: did you mean `outage`?
       allowed: outage
    "#);
}

#[test]
fn an_unknown_tag_of_a_metric() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.p95{tag.team=search}""#), @r#"
    shop.json:59:17: objectives[0].metric: there is no tag `team`: no class has `tags`
       59 |     { "metric": "ttft.p95{tag.team=search}", "at_most": "3s" },
          |                 ^
    "#);
}

#[test]
fn a_scope_without_an_end() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""ttft.p95{class=hard""#), @r#"
    shop.json:59:17: objectives[0].metric: a `,` or `}` is missing, at the end: a scope looks like {class=chat,window=outage} or {tag.team='a, b'}
       59 |     { "metric": "ttft.p95{class=hard", "at_most": "3s" },
          |                 ^
    "#);
}

#[test]
fn the_wait_of_a_provider() {
    assert_snapshot!(said(r#""ttft.p95""#, r#""wait.p95{provider=cheap}""#), @r#"
    shop.json:59:17: objectives[0].metric: `wait.p95{provider=cheap}`: the wait in the client is not one provider's: most of it is over before one is chosen. Ask for `ttft.*` of the provider
       59 |     { "metric": "wait.p95{provider=cheap}", "at_most": "3s" },
          |                 ^
    "#);
}

#[test]
fn the_errors_of_a_provider() {
    assert_snapshot!(with(r#""metrics": ["error_rate{provider=cheap}"]"#), @r#"
    shop.json:62:25: plan.metrics[0]: `error_rate{provider=cheap}`: a request that fails may have been tried at several providers, so its failure is not one provider's. Ask for `attempts.success` or another outcome of the provider's attempts
       62 |   "plan": { "metrics": ["error_rate{provider=cheap}"], "duration": "1h", "warmup": "5m", "replicatio…
          |                         ^
    "#);
}

#[test]
fn an_unknown_value_of_a_tag() {
    let tags = r#""tags": { "team": "search" }, "max_output""#;
    assert_snapshot!(said_of(
        &GOOD.replace(r#""max_output""#, tags).replace(r#""ttft.p95""#, r#""ttft.p95{tag.team=serch}""#)
    ), @r#"
    shop.json:59:17: objectives[0].metric: there is no value of the tag `team`: `serch`
       59 |     { "metric": "ttft.p95{tag.team=serch}", "at_most": "3s" },
          |                 ^
       help: did you mean `search`?
       allowed: search, other
    "#);
}

#[test]
fn a_scope_of_nothing() {
    let tags = r#""tags": { "team": "search" }, "max_output""#;
    assert_snapshot!(said_of(
        &GOOD.replace(r#""max_output""#, tags).replace(r#""ttft.p95""#, r#""ttft.p95{class=easy,tag.team=search}""#)
    ), @r#"
    shop.json:59:17: objectives[0].metric: `ttft.p95{class=easy,tag.team=search}`: no class is in all of this scope
       59 |     { "metric": "ttft.p95{class=easy,tag.team=search}", "at_most": "3s" },
          |                 ^
    "#);
}

/// Of 33 teams the last is not kept apart.
#[test]
fn a_value_of_a_tag_beyond_those_that_are_kept() {
    let mut experiment: serde_json::Value = serde_json::from_str(GOOD).expect("it is JSON");
    // A tier would have to name every class.
    if let Some(policies) = experiment["policies"].as_array_mut() {
        policies.truncate(1);
    }
    experiment["objectives"] = serde_json::json!([]);
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
    assert_snapshot!(with(r#""windows": { "late": { "from": "30m", "until": "2h" } }"#), @r#"
    shop.json:62:60: plan.windows.late.until: the window ends at 2h, after the plan's end at 60m
       62 |   "plan": { "windows": { "late": { "from": "30m", "until": "2h" } }, "duration": "1h", "warmup": "5m…
          |                                                            ^
    "#);
}

#[test]
fn a_window_that_ends_before_it_begins() {
    assert_snapshot!(with(r#""windows": { "late": { "from": "30m", "until": "20m" } }"#), @r#"
    shop.json:62:44: plan.windows.late.from: the window begins at 30m, not before its end at 20m
       62 |   "plan": { "windows": { "late": { "from": "30m", "until": "20m" } }, "duration": "1h", "warmup": "5…
          |                                            ^
    "#);
}

#[test]
fn two_windows_of_one_name() {
    assert_snapshot!(with(r#""windows": { "late": { "from": "30m" }, "late": { "from": "40m" } }"#), @r#"
    shop.json:62:53: plan.windows.late: duplicate key `late`
       62 |   "plan": { "windows": { "late": { "from": "30m" }, "late": { "from": "40m" } }, "duration": "1h", "…
          |                                                     ^
       help: it was first given at 62:26
    "#);
}
