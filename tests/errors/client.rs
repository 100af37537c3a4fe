//! Clients, quotas and breakers that make no sense.

use insta::assert_snapshot;

use super::said;

#[test]
fn an_estimate_beyond_the_burst() {
    assert_snapshot!(said(r#""estimate": 500"#, r#""estimate": 50000"#), @r#"
    shop.json:35:102: client.limiters[0].token_bucket.estimate: an estimate of 50000 never fits a burst of 5000
       35 | …": [ { "token_bucket": { "unit": "tokens", "rate": "1M/min", "burst": 5000, "estimate": 50000 } } ],
          |                                                                                          ^
    "#);
}

#[test]
fn an_estimate_of_requests() {
    assert_snapshot!(said(r#""unit": "tokens", "rate": "1M/min""#, r#""unit": "requests", "rate": "1M/min""#), @r#"
    shop.json:35:104: client.limiters[0].token_bucket.estimate: an estimate is of tokens; this bucket counts requests
       35 | …": [ { "token_bucket": { "unit": "requests", "rate": "1M/min", "burst": 5000, "estimate": 500 } } ],
          |                                                                                            ^
    "#);
}

#[test]
fn a_bucket_beyond_integers() {
    assert_snapshot!(said(r#""rate": "1000/min" }"#, r#""rate": "1/365d", "burst": "100G" }"#), @r#"
    shop.json:24:27: providers.own.limits[0].token_bucket: rate 1/365d with a burst of 100000000000 is beyond what can be counted exactly
       24 |         { "token_bucket": { "unit": "requests", "rate": "1/365d", "burst": "100G" } },
          |                           ^
    "#);
}

#[test]
fn a_window_of_nothing() {
    assert_snapshot!(said(r#""window": "1m""#, r#""window": "0s""#), @r#"
    shop.json:25:74: providers.own.limits[1].fixed_window.window: a window must be longer than nothing
       25 |         { "fixed_window": { "unit": "tokens", "limit": "300k", "window": "0s" } }
          |                                                                          ^
    "#);
}

#[test]
fn no_gateway() {
    assert_snapshot!(said(r#""max_in_flight": 100"#, r#""gateways": 0"#), @r#"
    shop.json:36:17: client.gateways: 0 gateways: must be 1 to 1000
       36 |     "gateways": 0,
          |                 ^
    "#);
}

#[test]
fn a_ceiling_too_high() {
    assert_snapshot!(said(r#""queue": { "capacity": 1000, "max_wait": "20s" }"#, r#""poll": { "ceiling": 31 }"#), @r#"
    shop.json:34:41: client.admission.poll.ceiling: ceiling is 31, and must not exceed 30
       34 |     "admission": { "poll": { "ceiling": 31 } },
          |                                         ^
    "#);
}

#[test]
fn a_poll_without_sleep() {
    assert_snapshot!(said(r#""queue": { "capacity": 1000, "max_wait": "20s" }"#, r#""poll": { "base": "0s" }"#), @r#"
    shop.json:34:38: client.admission.poll.base: base is 0s, and must be at least 1ms
       34 |     "admission": { "poll": { "base": "0s" } },
          |                                      ^
    "#);
}

#[test]
fn a_jitter_reversed() {
    assert_snapshot!(said(r#"["0s", "1s"]"#, r#"["2s", "1s"]"#), @r#"
    shop.json:38:72: client.retry.exponential.jitter: the jitter runs from 2s down to 1s
       38 |     "retry": { "exponential": { "tries": 3, "base": "500ms", "jitter": { "add": ["2s", "1s"] } } },
          |                                                                        ^
    "#);
}

#[test]
fn half_a_jitter() {
    assert_snapshot!(said(r#"["0s", "1s"]"#, r#"["2s"]"#), @r#"
    shop.json:38:81: client.retry.exponential.jitter.add: invalid length 1, expected a list of 2
       38 |     "retry": { "exponential": { "tries": 3, "base": "500ms", "jitter": { "add": ["2s"] } } },
          |                                                                                 ^
    "#);
}

#[test]
fn no_tries() {
    assert_snapshot!(said(r#""tries": 3"#, r#""tries": 0"#), @r#"
    shop.json:38:42: client.retry.exponential.tries: tries is 0, and must lie between 1 and 100
       38 |     "retry": { "exponential": { "tries": 0, "base": "500ms", "jitter": { "add": ["0s", "1s"] } } },
          |                                          ^
    "#);
}

#[test]
fn a_breaker_that_opens_on_nothing() {
    assert_snapshot!(said(r#""failures": 5"#, r#""failures": 0"#), @r#"
    shop.json:39:47: client.breaker.consecutive.failures: failures is 0, and must be at least 1
       39 |     "breaker": { "consecutive": { "failures": 0, "open_for": "30s" } }
          |                                               ^
    "#);
}

/// What is said of the good file with this breaker in it.
fn said_of_breaker(breaker: &str) -> String {
    said(
        r#""breaker": { "consecutive": { "failures": 5, "open_for": "30s" } }"#,
        &format!(r#""breaker": {breaker}"#),
    )
}

#[test]
fn breakers_that_make_no_sense() {
    // The first line each: where, and what is wrong.
    let all = [
        r#"{ "litellm_cooldown": { "deployments": { "cheep": "1s" } } }"#,
        r#"{ "resilience4j": { "sliding_window_size": 0 } }"#,
        r#"{ "resilience4j": { "minimum_number_of_calls": 0 } }"#,
        r#"{ "resilience4j": { "permitted_calls_in_half_open": 0 } }"#,
        r#"{ "resilience4j": { "failure_rate_threshold": "0%" } }"#,
        r#"{ "resilience4j": { "slow_call_rate_threshold": 0 } }"#,
        r#"{ "resilience4j": { "record": [418] } }"#,
        r#"{ "envoy_outlier": { "interval": "0s" } }"#,
        r#"{ "envoy_outlier": { "max_ejection_time": "20s" } }"#,
        r#"{ "envoy_outlier": { "max_ejection_time_jitter": "2d" } }"#,
        r#"{ "polly": { "failure_ratio": 0 } }"#,
        r#"{ "polly": { "minimum_throughput": 1 } }"#,
        r#"{ "polly": { "sampling_duration": "100ms" } }"#,
        r#"{ "polly": { "break_duration": "0s" } }"#,
        r#"{ "gobreaker": { "max_requests": 0 } }"#,
        r#"{ "gobreaker": { "timeout": "0s" } }"#,
        r#"{ "helicone": { "interval": "0s" } }"#,
        r#"{ "helicone": { "window": "7s" } }"#,
        r#"{ "rollback": { "primary": "old" } }"#,
        r#"{ "rollback": { "window": 0 } }"#,
        r#"{ "rollback": { "minimum": 200 } }"#,
        r#"{ "hystrix": { "request_volume_threshold": 0 } }"#,
        r#"{ "hystrix": { "snapshot_interval": "0s" } }"#,
        r#"{ "hystrix": { "rolling_window": "1m" } }"#,
        r#"{ "finagle_accrual": { "window": "1ms" } }"#,
        r#"{ "finagle_accrual": { "consecutive_failures": 0 } }"#,
        r#"{ "finagle_accrual": { "mark_dead_for": "0s" } }"#,
        r#"{ "finagle_accrual": { "mark_dead_for_max": "1s" } }"#,
        r#"{ "portkey": { "failure_threshold": 1, "cooldown_interval": "5s" } }"#,
        r#"{ "portkey": { "failure_threshold": 0 } }"#,
        r#"{ "portkey": { "failure_threshold_percentage": 0 } }"#,
        r#"{ "portkey": {} }"#,
        r#"{ "kong": { "fail_timeout": "0s" } }"#,
        r#"{ "smg": { "failure_threshold": 0 } }"#,
        r#"{ "smg": { "success_threshold": 0 } }"#,
    ];
    let first_lines: Vec<String> = (all.iter())
        .map(|breaker| said_of_breaker(breaker).lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_snapshot!(first_lines.join("\n"), @"
    shop.json:39:57: client.breaker.litellm_cooldown.deployments.cheep: there is no provider `cheep`
    shop.json:39:59: client.breaker.resilience4j.sliding_window_size: a window of 0: must be 1 to 100000
    shop.json:39:63: client.breaker.resilience4j.minimum_number_of_calls: minimum_number_of_calls is 0, and must be at least 1
    shop.json:39:68: client.breaker.resilience4j.permitted_calls_in_half_open: permitted_calls_in_half_open is 0, and must be at least 1
    shop.json:39:62: client.breaker.resilience4j.failure_rate_threshold: failure_rate_threshold is 0, and must be more
    shop.json:39:64: client.breaker.resilience4j.slow_call_rate_threshold: slow_call_rate_threshold is 0, and must be more
    shop.json:39:47: client.breaker.resilience4j.record[0]: no outcome has the status 418; these have one: 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529
    shop.json:39:49: client.breaker.envoy_outlier.interval: interval is 0s, and must be at least 1ms
    shop.json:39:58: client.breaker.envoy_outlier.max_ejection_time: 20s is less than base_ejection_time, which is 30s
    shop.json:39:65: client.breaker.envoy_outlier.max_ejection_time_jitter: a jitter of 2d: must not exceed 24h
    shop.json:39:46: client.breaker.polly.failure_ratio: failure_ratio is 0, and must be more
    shop.json:39:51: client.breaker.polly.minimum_throughput: minimum_throughput is 1, and must be at least 2
    shop.json:39:50: client.breaker.polly.sampling_duration: sampling_duration is 100ms, and must be at least 500ms
    shop.json:39:47: client.breaker.polly.break_duration: break_duration is 0s, and must be at least 500ms
    shop.json:39:49: client.breaker.gobreaker.max_requests: max_requests is 0, and must be at least 1
    shop.json:39:44: client.breaker.gobreaker.timeout: timeout is 0s, and must be longer
    shop.json:39:44: client.breaker.helicone.interval: interval is 0s, and must be longer
    shop.json:39:42: client.breaker.helicone.window: a window of 7s is not a multiple of interval, which is 5s
    shop.json:39:43: client.breaker.rollback.primary: there is no provider `old`
    shop.json:39:42: client.breaker.rollback.window: a window of 0: must be 1 to 100000
    shop.json:39:43: client.breaker.rollback.minimum: a minimum of 200 never fits a window of 100
    shop.json:39:59: client.breaker.hystrix.request_volume_threshold: request_volume_threshold is 0, and must be at least 1
    shop.json:39:52: client.breaker.hystrix.snapshot_interval: snapshot_interval is 0s, and must be longer
    shop.json:39:49: client.breaker.hystrix.rolling_window: a rolling_window of 60s is not 1 to 100 times snapshot_interval, which is 500ms
    shop.json:39:49: client.breaker.finagle_accrual.window: window is 1ms, and must be at least 10ms
    shop.json:39:63: client.breaker.finagle_accrual.consecutive_failures: consecutive_failures is 0, and must be at least 1
    shop.json:39:56: client.breaker.finagle_accrual.mark_dead_for: mark_dead_for is 0s, and must be longer
    shop.json:39:60: client.breaker.finagle_accrual.mark_dead_for_max: mark_dead_for_max is 1s, and must not be below mark_dead_for, which is 5s
    shop.json:39:76: client.breaker.portkey.cooldown_interval: cooldown_interval is 5s, and must be at least 30s
    shop.json:39:52: client.breaker.portkey.failure_threshold: failure_threshold is 0, and must be at least 1
    shop.json:39:63: client.breaker.portkey.failure_threshold_percentage: failure_threshold_percentage is 0, and must be more
    shop.json:39:29: client.breaker.portkey: needs failure_threshold or failure_threshold_percentage, or nothing is ever too much
    shop.json:39:44: client.breaker.kong.fail_timeout: fail_timeout is 0s, and must be longer
    shop.json:39:48: client.breaker.smg.failure_threshold: failure_threshold is 0, and must be at least 1
    shop.json:39:48: client.breaker.smg.success_threshold: success_threshold is 0, and must be at least 1
    ");
}

#[test]
fn a_bad_client_of_one_policy() {
    assert_snapshot!(said(r#""name": "one", "#, r#""name": "one", "client": { "timeouts": { "total": "1s" }, "retry": { "exponential": { "tries": 0 } } }, "#), @r#"
    shop.json:42:102: policies[0].client.retry.exponential.tries: tries is 0, and must lie between 1 and 100
       42 | …": { "total": "1s" }, "retry": { "exponential": { "tries": 0 } } }, "policy": { "single": { "provide…
          |                                                             ^
    "#);
}

#[test]
fn a_client_of_one_policy_without_a_timeout() {
    assert_snapshot!(said(r#""name": "one", "#, r#""name": "one", "client": { "timeouts": null }, "#), @r#"
    shop.json:42:46: policies[0].client.timeouts: provider `own` may hang, and the client has no timeout that would end it: give "ttft", "attempt" or "total"
       42 |     { "name": "one", "client": { "timeouts": null }, "policy": { "single": { "provider": "dear" } } …
          |                                              ^
    "#);
}

/// A policy of the good file with these changes of the client.
const CHANGED: &str = r#"{ "name": "one", "policy": { "single": { "provider": "dear" } } }"#;

fn with_client(client: &str) -> String {
    said(
        CHANGED,
        &format!(r#"{{ "name": "one", "policy": {{ "single": {{ "provider": "dear" }} }}, "client": {client} }}"#),
    )
}

#[test]
fn a_mistake_in_what_a_policy_changes() {
    assert_snapshot!(with_client(r#"{ "retry": { "fixed": { "tries": 0 } } }"#), @r#"
    shop.json:42:113: policies[0].client.retry.fixed.tries: tries is 0, and must lie between 1 and 100
       42 | …policy": { "single": { "provider": "dear" } }, "client": { "retry": { "fixed": { "tries": 0 } } } },
          |                                                                                            ^
    "#);
    assert_snapshot!(with_client(r#"{ "timeouts": { "ttft": "0s" } }"#), @r#"
    shop.json:42:104: policies[0].client.timeouts.ttft: a timeout of 0s: must be longer; for no timeout, leave it out
       42 | …"one", "policy": { "single": { "provider": "dear" } }, "client": { "timeouts": { "ttft": "0s" } } },
          |                                                                                           ^
    "#);
    assert_snapshot!(with_client(r#"{ "hedges": null }"#), @r#"
    shop.json:42:82: policies[0].client.hedges: unknown field `hedges`
       42 |     { "name": "one", "policy": { "single": { "provider": "dear" } }, "client": { "hedges": null } },
          |                                                                                  ^
       help: did you mean `hedge`?
       allowed: admission, limiters, max_in_flight, gateways, refresh, sync, gateway_time, response_cache, retry, retry_budget, hedge, breaker, fallback, budgets, input_window, timeouts
    "#);
    assert_snapshot!(with_client(r#"{ "timeouts": { "totl": null } }"#), @r#"
    shop.json:42:96: policies[0].client.timeouts.totl: unknown field `totl`
       42 | …"one", "policy": { "single": { "provider": "dear" } }, "client": { "timeouts": { "totl": null } } },
          |                                                                                   ^
       help: did you mean `total`?
       allowed: connection, connect, ttft, idle, attempt, total
    "#);
}

#[test]
fn what_a_policy_changes_and_what_it_inherits_do_not_go_together() {
    let hang = r#""hang": 0.001"#;
    assert!(super::GOOD.contains(hang));
    assert_snapshot!(with_client(r#"{ "timeouts": { "total": null } }"#), @r#"
    shop.json:42:94: policies[0].client.timeouts: provider `own` may hang, and the client has no timeout that would end it: give "ttft", "attempt" or "total"
       42 | …one", "policy": { "single": { "provider": "dear" } }, "client": { "timeouts": { "total": null } } },
          |                                                                                ^
    "#);
    let budget = r#""retry_budget": "finagle", "retry": { "exponential""#;
    let good = super::GOOD.replacen(r#""retry": { "exponential""#, budget, 1);
    let changed = r#"{ "name": "one", "policy": { "single": { "provider": "dear" } }, "client": { "retry": null } }"#;
    assert_snapshot!(super::said_of(&good.replacen(CHANGED, changed, 1)), @r#"
    shop.json:42:80: policies[0].client: `retry_budget` is inherited from the experiment's client, and here: a budget of retries, and `retry` is `never`: nothing is tried again; give `retry` too; `"retry_budget": null` switches it off
       42 |     { "name": "one", "policy": { "single": { "provider": "dear" } }, "client": { "retry": null } },
          |                                                                                ^
    "#);
}

/// The mistake is the experiment's own, whoever meets it first.
#[test]
fn a_mistake_that_a_policy_inherits() {
    let wrong = super::GOOD.replacen(r#""tries": 3"#, r#""tries": 0"#, 1);
    let changed =
        r#"{ "name": "one", "policy": { "single": { "provider": "dear" } }, "client": { "hedge": "fixed" } }"#;
    assert_snapshot!(super::said_of(&wrong.replacen(CHANGED, changed, 1)), @r#"
    shop.json:38:42: client.retry.exponential.tries: tries is 0, and must lie between 1 and 100
       38 |     "retry": { "exponential": { "tries": 0, "base": "500ms", "jitter": { "add": ["0s", "1s"] } } },
          |                                          ^
    "#);
}

#[test]
fn too_many_choices() {
    let policy = r#"{ "envoy_least_request": { "choice_count": 1000000000000 } }"#;
    assert_snapshot!(said(r#""policy": { "single": { "provider": "dear" } }"#, &format!(r#""policy": {policy}"#)), @r#"
    shop.json:42:75: policies[0].policy.envoy_least_request.choice_count: 1000000000000 choices: must be at most 1000; `full_scan` looks at all
       42 |     { "name": "one", "policy": { "envoy_least_request": { "choice_count": 1000000000000 } } },
          |                                                                           ^
    "#);
}
