//! Things that a file sets and that nothing would use, and lists and times of nothing.

use insta::assert_snapshot;

use super::{GOOD, said, said_of};

#[test]
fn a_host_that_nobody_uses() {
    assert_snapshot!(said(r#""client": {"#, r#""hosts": { "gateway": { "connections": 50 } }, "client": {"#), @r#"
    shop.json:33:25: hosts.gateway: no provider uses the host `gateway`: give those on it "host": "gateway", or leave it out
       33 |   "hosts": { "gateway": { "connections": 50 } }, "client": {
          |                         ^
    "#);
}

#[test]
fn an_account_that_nobody_uses() {
    assert_snapshot!(said(r#""client": {"#, r#""accounts": { "org": { "limits": [] } }, "client": {"#), @r#"
    shop.json:33:24: accounts.org: no provider uses the account `org`: give those on it "account": "org", or leave it out
       33 |   "accounts": { "org": { "limits": [] } }, "client": {
          |                        ^
    "#);
}

#[test]
fn an_unknown_host_when_there_is_none() {
    assert_snapshot!(said(r#""network": "20ms","#, r#""host": "gateway","#), @r#"
    shop.json:21:15: providers.own.host: there is no host `gateway`: none is defined; define it in `hosts`, beside `providers`
       21 |       "host": "gateway",
          |               ^
    "#);
}

#[test]
fn a_line_for_connections_without_bound() {
    assert_snapshot!(said(r#""connections": 50"#, r#""line": 50"#), @r#"
    shop.json:18:53: providers.dear.line: `line` without `connections`: no attempt waits for a connection where there is no bound on them; give `connections` too
       18 |     "dear": { "model": "claude-sonnet-4.5", "line": 50 },
          |                                                     ^
    "#);
}

#[test]
fn a_line_for_a_host_without_bound() {
    let text = r#""hosts": { "gateway": { "line": 5 } }, "client": {"#;
    let good = GOOD.replacen(r#""client": {"#, text, 1);
    assert_snapshot!(said_of(&good.replacen(r#""network": "20ms","#, r#""host": "gateway","#, 1)), @r#"
    shop.json:33:35: hosts.gateway.line: `line` without `connections`: no attempt waits for a connection where there is no bound on them; give `connections` too
       33 |   "hosts": { "gateway": { "line": 5 } }, "client": {
          |                                   ^
    "#);
}

#[test]
fn a_timeout_for_connections_without_bound() {
    let good = GOOD.replacen(r#", "connections": 50"#, "", 1);
    assert_snapshot!(said_of(&good.replacen(r#""total": "60s""#, r#""connection": "5s", "total": "60s""#, 1)), @r#"
    shop.json:37:33: client.timeouts.connection: a timeout for a free connection, and no provider bounds its `connections`: no attempt waits for one; give a provider or a host `connections`
       37 |     "timeouts": { "connection": "5s", "total": "60s" },
          |                                 ^
    "#);
}

#[test]
fn a_retry_budget_without_retries() {
    assert_snapshot!(said(r#""retry": { "exponential": { "tries": 3, "base": "500ms", "jitter": { "add": ["0s", "1s"] } } }"#, r#""retry_budget": "finagle""#), @r#"
    shop.json:38:21: client.retry_budget: a budget of retries, and `retry` is `never`: nothing is tried again; give `retry` too
       38 |     "retry_budget": "finagle",
          |                     ^
    "#);
}

#[test]
fn a_long_context_of_no_price() {
    assert_snapshot!(said(r#""output": "$4/Mtok" } }"#, r#""output": "$4/Mtok", "long_context": [ { "above": "200k" } ] } }"#), @r#"
    shop.json:22:93: providers.own.prices.per_token.long_context[0]: no price: give `input`, `output`, `cached_input` or `cache_write`, or leave this step out
       22 | …"per_token": { "input": "$1/Mtok", "output": "$4/Mtok", "long_context": [ { "above": "200k" } ] } },
          |                                                                            ^
    "#);
}

#[test]
fn a_hedge_after_no_samples() {
    assert_snapshot!(said(r#""max_in_flight": 100,"#, r#""hedge": { "percentile": { "min_samples": 0 } },"#), @r#"
    shop.json:36:47: client.hedge.percentile.min_samples: min_samples is 0, and must be at least 1
       36 |     "hedge": { "percentile": { "min_samples": 0 } },
          |                                               ^
    "#);
}

#[test]
fn an_outage_of_no_time() {
    assert_snapshot!(said(r#""for": "5m""#, r#""for": "0s""#), @r#"
    shop.json:29:45: providers.own.faults[1].outage.for: an outage of 0s strikes no attempt: must be longer
       29 |         { "outage": { "from": "10m", "for": "0s" } }
          |                                             ^
    "#);
}

#[test]
fn a_slow_down_of_no_time() {
    assert_snapshot!(said(r#""outage": { "from": "10m", "for": "5m" }"#, r#""slow_down": { "from": "10m", "for": "0s", "ttft": 2 }"#), @r#"
    shop.json:29:48: providers.own.faults[1].slow_down.for: a slow-down of 0s strikes no attempt: must be longer
       29 |         { "slow_down": { "from": "10m", "for": "0s", "ttft": 2 } }
          |                                                ^
    "#);
}

#[test]
fn a_retry_on_nothing() {
    assert_snapshot!(said(r#""tries": 3,"#, r#""tries": 3, "on": [],"#), @r#"
    shop.json:38:51: client.retry.exponential.on: an empty list: name at least one outcome, like 429 or "5xx", or leave it out
       38 |     "retry": { "exponential": { "tries": 3, "on": [], "base": "500ms", "jitter": { "add": ["0s", "1s…
          |                                                   ^
    "#);
}

#[test]
fn tries_by_nothing() {
    assert_snapshot!(said(r#""tries": 3,"#, r#""tries": 3, "tries_by": [ { "on": [], "tries": 2 } ],"#), @r#"
    shop.json:38:67: client.retry.exponential.tries_by[0].on: an empty list: name at least one outcome, like 429 or "5xx", or leave it out
       38 | …try": { "exponential": { "tries": 3, "tries_by": [ { "on": [], "tries": 2 } ], "base": "500ms", "jit…
          |                                                             ^
    "#);
}

#[test]
fn a_fallback_on_nothing() {
    assert_snapshot!(said(r#""max_in_flight": 100,"#, r#""fallback": { "groups": [ { "providers": ["cheap"] }, { "providers": ["own"], "on": [] } ] },"#), @r#"
    shop.json:36:89: client.fallback.groups[1].on: an empty list: name at least one outcome, like 429 or "5xx", or leave it out
       36 |     "fallback": { "groups": [ { "providers": ["cheap"] }, { "providers": ["own"], "on": [] } ] },
          |                                                                                         ^
    "#);
}

#[test]
fn a_fallback_that_never_happens() {
    assert_snapshot!(said(r#""max_in_flight": 100,"#, r#""fallback": { "groups": [ { "providers": ["cheap"] }, { "providers": ["own"] } ], "most": 0 },"#), @r#"
    shop.json:36:95: client.fallback.most: no request would ever fall back: must be at least 1; without `fallback` there is one group of all
       36 |     "fallback": { "groups": [ { "providers": ["cheap"] }, { "providers": ["own"] } ], "most": 0 },
          |                                                                                               ^
    "#);
}

#[test]
fn a_breaker_that_counts_nothing() {
    assert_snapshot!(said(r#""consecutive": { "failures": 5, "open_for": "30s" }"#, r#""polly": { "failures": [] }"#), @r#"
    shop.json:39:41: client.breaker.polly.failures: an empty list: name at least one outcome, like 429 or "5xx", or leave it out
       39 |     "breaker": { "polly": { "failures": [] } }
          |                                         ^
    "#);
}

#[test]
fn a_budget_that_bars_nobody() {
    assert_snapshot!(said(r#""max_in_flight": 100,"#, r#""budgets": [ { "per": "day", "money": "$5", "on_exhausted": "cheapest", "providers": ["own"] } ],"#), @r#"
    shop.json:36:65: client.budgets[0].on_exhausted: `cheapest` does nothing here: `own` is alone and goes on being used; name more `providers`, or give `reject`
       36 | …   "budgets": [ { "per": "day", "money": "$5", "on_exhausted": "cheapest", "providers": ["own"] } ],
          |                                                                 ^
    "#);
}

#[test]
fn a_retry_on_a_status_in_quotes_that_is_none() {
    assert_snapshot!(said(r#""tries": 3,"#, r#""tries": 3, "on": ["418"],"#), @r#"
    shop.json:38:52: client.retry.exponential.on[0]: no outcome has the status 418; these have one: 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529
       38 |     "retry": { "exponential": { "tries": 3, "on": ["418"], "base": "500ms", "jitter": { "add": ["0s"…
          |                                                    ^
    "#);
}

#[test]
fn a_retry_on_an_unknown_outcome() {
    assert_snapshot!(said(r#""tries": 3,"#, r#""tries": 3, "on": ["rate_limit"],"#), @r#"
    shop.json:38:52: client.retry.exponential.on[0]: unknown name `rate_limit`
       38 |     "retry": { "exponential": { "tries": 3, "on": ["rate_limit"], "base": "500ms", "jitter": { "add"…
          |                                                    ^
       help: did you mean `rate_limited`?
       allowed: 4xx, 5xx, timeout, provider_failure, retryable, rate_limited, server_error, bad_gateway, unavailable, gateway_timeout, overloaded, request_timeout, connection_error, truncated, context_exceeded, content_filtered, unauthorized, payment_required, forbidden, not_found, conflict, payload_too_large, unprocessable, bad_request, timeout_connect, timeout_ttft, timeout_idle, timeout_attempt, timeout_total, breaker_open, shed, queue_timeout, budget_exhausted, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529
    "#);
}

#[test]
fn a_duration_in_two_units() {
    assert_snapshot!(said(r#""total": "60s""#, r#""total": "12h30m""#), @r#"
    shop.json:37:28: client.timeouts.total: "12h30m" is not a duration: it has more than one unit, and may have one, like "750m"; write a number and one of ns, us, ms, s, m, h, d, like "250ms"
       37 |     "timeouts": { "total": "12h30m" },
          |                            ^
    "#);
}

#[test]
fn timeouts_of_nothing() {
    // The first line each: where, and what is wrong.
    let all = [
        r#""connection": "0s""#,
        r#""connect": "0s""#,
        r#""ttft": "0s""#,
        r#""idle": "0s""#,
        r#""attempt": "0s""#,
        r#""attempt": { "base": "0s", "per_1000_max_tokens": "0s" }"#,
        r#""total": "0s""#,
    ];
    let first_lines: Vec<String> = (all.iter())
        .map(|timeout| {
            said(r#""total": "60s""#, timeout)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_snapshot!(first_lines.join("\n"), @r#"
    shop.json:37:33: client.timeouts.connection: a timeout of 0s: must be longer; to shed an attempt that finds none free, give "line": 0 beside `connections`
    shop.json:37:30: client.timeouts.connect: a timeout of 0s: must be longer; for no timeout, leave it out
    shop.json:37:27: client.timeouts.ttft: a timeout of 0s: must be longer; for no timeout, leave it out
    shop.json:37:27: client.timeouts.idle: a timeout of 0s: must be longer; for no timeout, leave it out
    shop.json:37:30: client.timeouts.attempt: a timeout of 0s: must be longer; for no timeout, leave it out
    shop.json:37:30: client.timeouts.attempt: a timeout of 0s: must be longer; for no timeout, leave it out
    shop.json:37:28: client.timeouts.total: a timeout of 0s: must be longer; for no timeout, leave it out
    "#);
}

#[test]
fn a_status_in_quotes_is_fine() {
    assert_snapshot!(said(r#""tries": 3,"#, r#""tries": 3, "on": ["429", 503],"#), @"nothing is wrong");
}
