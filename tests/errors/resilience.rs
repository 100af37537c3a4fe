//! Retries, budgets, hedges, fallbacks and adaptive timeouts that make no sense.

use insta::assert_snapshot;

use super::{GOOD, said, said_of};

const RETRY: &str =
    r#""retry": { "exponential": { "tries": 3, "base": "500ms", "jitter": { "add": ["0s", "1s"] } } },"#;
const TIMEOUTS: &str = r#""timeouts": { "total": "60s" },"#;

#[test]
fn a_factor_that_shrinks() {
    assert_snapshot!(said(RETRY, r#""retry": { "exponential": { "factor": 0.5 } },"#), @r#"
    shop.json:38:43: client.retry.exponential.factor: factor is 0.5, and must lie between 1 and 100
       38 |     "retry": { "exponential": { "factor": 0.5 } },
          |                                           ^
    "#);
}

#[test]
fn a_retry_of_what_was_never_tried() {
    assert_snapshot!(said(RETRY, r#""retry": { "fixed": { "on": ["5xx", "breaker_open"] } },"#), @r#"
    shop.json:38:33: client.retry.fixed.on: after `breaker_open` there is nothing that could be tried again
       38 |     "retry": { "fixed": { "on": ["5xx", "breaker_open"] } },
          |                                 ^
    "#);
}

#[test]
fn no_tries_for_some() {
    assert_snapshot!(said(RETRY, r#""retry": { "exponential": { "tries_by": [ { "on": [429], "tries": 0 } ] } },"#), @r#"
    shop.json:38:71: client.retry.exponential.tries_by[0].tries: tries is 0, and must lie between 1 and 100
       38 |     "retry": { "exponential": { "tries_by": [ { "on": [429], "tries": 0 } ] } },
          |                                                                       ^
    "#);
}

#[test]
fn a_decorrelated_wait_that_scales() {
    assert_snapshot!(said(RETRY, r#""retry": { "exponential": { "jitter": "decorrelated", "retry_after": "scale" } },"#), @r#"
    shop.json:38:43: client.retry.exponential.jitter: a decorrelated wait grows from the wait before, so it cannot scale a Retry-After
       38 |     "retry": { "exponential": { "jitter": "decorrelated", "retry_after": "scale" } },
          |                                           ^
    "#);
}

#[test]
fn too_many_retries() {
    assert_snapshot!(said(RETRY, r#""retry": { "litellm": { "retry_policy": { "timeout_error_retries": 100 } } },"#), @r#"
    shop.json:38:72: client.retry.litellm.retry_policy.timeout_error_retries: timeout_error_retries is 100, and must not exceed 99
       38 |     "retry": { "litellm": { "retry_policy": { "timeout_error_retries": 100 } } },
          |                                                                        ^
    "#);
}

#[test]
fn more_attempts_than_portkey_makes() {
    assert_snapshot!(said(RETRY, r#""retry": { "portkey": { "attempts": 6 } },"#), @r#"
    shop.json:38:41: client.retry.portkey.attempts: attempts is 6, and must not exceed 5
       38 |     "retry": { "portkey": { "attempts": 6 } },
          |                                         ^
    "#);
}

#[test]
fn a_longest_wait_below_the_base() {
    assert_snapshot!(said(RETRY, r#""retry": { "envoy": { "max_interval": "10ms" } },"#), @r#"
    shop.json:38:43: client.retry.envoy.max_interval: max_interval is 10ms, and must not be below the base of 25ms
       38 |     "retry": { "envoy": { "max_interval": "10ms" } },
          |                                           ^
    "#);
}

#[test]
fn a_multiplier_that_shrinks() {
    assert_snapshot!(said(RETRY, r#""retry": { "resilience4j_retry": { "multiplier": 0.5 } },"#), @r#"
    shop.json:38:54: client.retry.resilience4j_retry.multiplier: multiplier is 0.5, and must lie between 1 and 100
       38 |     "retry": { "resilience4j_retry": { "multiplier": 0.5 } },
          |                                                      ^
    "#);
}

#[test]
fn a_budget_that_never_forgets() {
    assert_snapshot!(said(RETRY, r#""retry_budget": { "finagle": { "ttl": "10m" } },"#), @r#"
    shop.json:38:43: client.retry_budget.finagle.ttl: ttl is 10m, and must lie between 1s and 60s
       38 |     "retry_budget": { "finagle": { "ttl": "10m" } },
          |                                           ^
    "#);
}

#[test]
fn a_budget_without_a_bound() {
    assert_snapshot!(said(RETRY, r#""retry_budget": { "finagle": { "min_per_second": 1000001 } },"#), @r#"
    shop.json:38:54: client.retry_budget.finagle.min_per_second: min_per_second is 1000001, and must not exceed 1000000
       38 |     "retry_budget": { "finagle": { "min_per_second": 1000001 } },
          |                                                      ^
    "#);
}

#[test]
fn an_unknown_budget() {
    assert_snapshot!(said(RETRY, r#""retry_budget": "finable","#), @r#"
    shop.json:38:21: client.retry_budget: unknown name `finable`
       38 |     "retry_budget": "finable",
          |                     ^
       help: did you mean `finagle`?
       allowed: finagle, envoy, own
    "#);
}

#[test]
fn too_many_copies() {
    assert_snapshot!(said(RETRY, r#""hedge": { "fixed": { "most": 4 } },"#), @r#"
    shop.json:38:35: client.hedge.fixed.most: most is 4, and must lie between 1 and 3
       38 |     "hedge": { "fixed": { "most": 4 } },
          |                                   ^
    "#);
}

#[test]
fn a_percentile_of_everything() {
    assert_snapshot!(said(RETRY, r#""hedge": { "percentile": { "percentile": 1 } },"#), @r#"
    shop.json:38:46: client.hedge.percentile.percentile: percentile is 1, and must lie above 0 and below 1
       38 |     "hedge": { "percentile": { "percentile": 1 } },
          |                                              ^
    "#);
}

#[test]
fn a_window_of_hardly_anything() {
    assert_snapshot!(said(RETRY, r#""hedge": { "percentile": { "window": "1ms" } },"#), @r#"
    shop.json:38:42: client.hedge.percentile.window: window is 1ms, and must be at least 10ms
       38 |     "hedge": { "percentile": { "window": "1ms" } },
          |                                          ^
    "#);
}

#[test]
fn an_adaptive_timeout_of_nobody() {
    assert_snapshot!(said(TIMEOUTS, r#""timeouts": { "total": "60s", "attempt": { "base": "30s", "per_1000_max_tokens": "10s", "by_class": { "hart": 2 } } },"#), @r#"
    shop.json:37:107: client.timeouts.attempt.by_class.hart: there is no class `hart`
       37 | …al": "60s", "attempt": { "base": "30s", "per_1000_max_tokens": "10s", "by_class": { "hart": 2 } } },
          |                                                                                      ^
       help: did you mean `hard`?
       allowed: easy, hard
    "#);
}

#[test]
fn an_adaptive_timeout_of_nothing() {
    assert_snapshot!(said(TIMEOUTS, r#""timeouts": { "total": "60s", "attempt": { "base": "30s", "per_1000_max_tokens": "10s", "by_class": { "hard": 0 } } },"#), @r#"
    shop.json:37:115: client.timeouts.attempt.by_class.hard: a factor of 0: must be above 0 and at most 1000
       37 | …al": "60s", "attempt": { "base": "30s", "per_1000_max_tokens": "10s", "by_class": { "hard": 0 } } },
          |                                                                                              ^
    "#);
}

#[test]
fn a_timeout_without_a_unit() {
    assert_snapshot!(said(TIMEOUTS, r#""timeouts": { "total": "60s", "attempt": 30 },"#), @r#"
    shop.json:37:46: client.timeouts.attempt: the number 30 is not a duration: it has no unit; write a number and one of ns, us, ms, s, m, h, d, like "250ms"
       37 |     "timeouts": { "total": "60s", "attempt": 30 },
          |                                              ^
    "#);
}

#[test]
fn a_fallback_to_nobody_known() {
    assert_snapshot!(said(RETRY, r#""fallback": { "groups": [ { "providers": ["chaep"] } ] },"#), @r#"
    shop.json:38:47: client.fallback.groups[0].providers[0]: there is no provider `chaep`
       38 |     "fallback": { "groups": [ { "providers": ["chaep"] } ] },
          |                                               ^
       help: did you mean `cheap`?
       allowed: cheap, dear, own
    "#);
}

#[test]
fn a_group_without_providers() {
    assert_snapshot!(said(RETRY, r#""fallback": { "groups": [ { "providers": ["cheap"] }, { "providers": [] } ] },"#), @r#"
    shop.json:38:74: client.fallback.groups[1].providers: a group without providers
       38 |     "fallback": { "groups": [ { "providers": ["cheap"] }, { "providers": [] } ] },
          |                                                                          ^
    "#);
}

#[test]
fn no_groups() {
    assert_snapshot!(said(RETRY, r#""fallback": { "groups": [], "most": 1 },"#), @r#"
    shop.json:38:29: client.fallback.groups: 0 groups: must be 1 to 32
       38 |     "fallback": { "groups": [], "most": 1 },
          |                             ^
    "#);
}

#[test]
fn more_groups_than_there_may_be() {
    let group = r#"{ "providers": ["cheap"] }"#;
    let fallback = format!(r#""fallback": {{ "groups": [{}] }},"#, [group; 33].join(", "));
    assert_snapshot!(said_of(&GOOD.replacen(RETRY, &fallback, 1)), @r#"
    shop.json:38:29: client.fallback.groups: 33 groups: must be 1 to 32
       38 |     "fallback": { "groups": [{ "providers": ["cheap"] }, { "providers": ["cheap"] }, { "providers": …
          |                             ^
    "#);
}
