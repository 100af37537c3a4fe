//! Retries, budgets, hedges and fallbacks through experiment files: what they make of a fleet that fails.

use crate::common::{interval, plan, replications};
use simcap::engine::tally::Tally;
use simcap::words::Outcome;

/// Replications of an experiment with these arrivals, providers and client, under one policy.
fn run_all(arrivals: &str, output: u32, providers: &str, client: &str, policy: &str, n: u64) -> Vec<Tally> {
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {arrivals}, "classes": {{ "all": {{ "input": {{ "constant": 100 }}, "output": {{ "constant": {output} }} }} }} }},
        "providers": {{ {providers} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {policy} }} ],
        "plan": {{ "duration": "90s", "warmup": "10s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, n)
}

const FREE: &str = r#""prices": { "per_request": { "price": "$0" } }"#;

/// A provider by this name with these fields and no price.
fn provider(name: &str, fields: &str) -> String {
    format!(r#""{name}": {{ {fields}, {FREE} }}"#)
}

/// Poisson arrivals at 200 a second of one token each, at one provider that answers every attempt with a 500 after 1 s.
fn failing(client: &str, n: u64) -> Vec<Tally> {
    let dead = provider(
        "p",
        r#""response": { "constant": "1s" }, "faults": [ { "random": { "server_error": 1 } } ]"#,
    );
    run_all(
        r#"{ "poisson": { "rate": "200/s" } }"#,
        1,
        &dead,
        client,
        r#"{ "single": { "provider": "p" } }"#,
        n,
    )
}

fn amplification(tally: &Tally) -> f64 {
    tally.attempts() as f64 / tally.requests() as f64
}

#[test]
fn without_a_budget_a_dead_provider_gets_every_try() {
    let tally = failing(r#""retry": { "fixed": { "tries": 4, "wait": "0s" } }"#, 1).remove(0);
    assert_eq!(tally.attempts(), 4 * tally.requests());
    assert_eq!((tally.effort.retries, tally.effort.denied), (3 * tally.requests(), 0));
}

/// 20 % of the requests and 10 a second: 1 + 0.2 + 10/200.
#[test]
fn finagles_budget_bounds_the_attempts_for_each_request() {
    let client = r#""retry": { "fixed": { "tries": 4, "wait": "0s" } }, "retry_budget": "finagle""#;
    let tallies = failing(client, 10);
    let found = interval(&tallies, amplification);
    // What is left of a window for less than a whole retry is lost.
    assert!(found.hi.unwrap() <= 1.25 && found.lo.unwrap() > 1.247, "{found:?}");
    assert!(tallies.iter().all(|t| t.effort.denied > 0));
}

/// Retries without back-off under way are at most a fifth of all attempts under way: r ≤ 0.2 (1 + r), so 1 + r = 1.25, less what
/// rounding down takes of some 250.
#[test]
fn envoys_budget_bounds_the_retries_under_way() {
    let client = r#""retry": { "fixed": { "tries": 4, "wait": "0s" } }, "retry_budget": "envoy""#;
    let found = interval(&failing(client, 10), amplification);
    assert!(found.hi.unwrap() <= 1.25 && found.lo.unwrap() > 1.235, "{found:?}");
}

/// A retry that is never made, because its request runs out of time in the back-off, does not stay in Envoy's count.
#[test]
fn a_retry_that_runs_out_of_time_gives_its_place_back() {
    let client = r#""retry": { "fixed": { "tries": 2, "wait": "5s" } }, "retry_budget": { "envoy": { "budget_percent": 0, "min_retry_concurrency": 1 } },
        "timeouts": { "total": "3s" }"#;
    let tally = failing(client, 1).remove(0);
    // One at a time, each for the 2 s from its failure to the timeout of its request: 45 in 90 s.
    let timed_out = tally.ended(Outcome::TimeoutTotal);
    assert!((43..=47).contains(&timed_out), "{timed_out}");
    assert_eq!(tally.attempts(), tally.requests());
}

/// LiteLLM: three groups of one, each with its two retries, make nine attempts at a request that always fails.
#[test]
fn every_group_has_tries_of_its_own() {
    let dead = |name: &str| {
        provider(
            name,
            r#""response": { "constant": "1ms" }, "faults": [ { "random": { "server_error": 1 } } ]"#,
        )
    };
    let providers = format!("{}, {}, {}", dead("a"), dead("b"), dead("c"));
    let client = r#""retry": "litellm", "fallback": { "groups": [ { "providers": ["a"] }, { "providers": ["b"] }, { "providers": ["c"] } ] }"#;
    let tally = run_all(
        r#"{ "regular": { "rate": "1/s" } }"#,
        1,
        &providers,
        client,
        r#""round_robin""#,
        1,
    )
    .remove(0);
    assert_eq!(tally.attempts(), 9 * tally.requests());
    assert_eq!(tally.effort.fallbacks, 2 * tally.requests());
    // A request in the system sleeps 3.5 s and three times U(0, 0.75) s in each group: 13.875 s on average.
    let bins = tally.series.bins();
    let inside =
        bins[bins.len() / 2..].iter().map(|b| b.in_system as f64).sum::<f64>() / (bins.len() - bins.len() / 2) as f64;
    assert!((inside - 13.9).abs() < 0.7, "{inside}");
}

/// What a group's request ends as, and the fallbacks for each, when the first group fails as `fails` says.
fn fallen_back(first: &str, fallback: &str) -> (Outcome, f64) {
    let bad = |name: &str, faults: &str| provider(name, &format!(r#""response": {{ "constant": "1ms" }}, {faults}"#));
    let providers = format!(
        "{}, {}, {}",
        bad("a", first),
        bad("b", r#""faults": [ { "random": { "server_error": 1 } } ]"#),
        provider("c", r#""response": { "constant": "1ms" }"#)
    );
    let client = format!(r#""fallback": {fallback}"#);
    let tally = run_all(
        r#"{ "regular": { "rate": "1/s" } }"#,
        1,
        &providers,
        &client,
        r#""round_robin""#,
        1,
    )
    .remove(0);
    let ended = Outcome::ALL.into_iter().find(|&o| tally.ended(o) == tally.requests());
    (
        ended.expect("all end the same way"),
        tally.effort.fallbacks as f64 / tally.requests() as f64,
    )
}

const FAILS: &str = r#""faults": [ { "random": { "server_error": 1 } } ]"#;
const SMALL: &str = r#""context_window": 50"#;

/// A group that lists only `context_exceeded` is for what did not fit; others pass it by.
#[test]
fn a_group_is_for_the_failures_that_it_lists() {
    let groups =
        |on: &str| format!(r#"{{ "groups": [ {{ "providers": ["a"] }}, {{ "providers": ["c"], "on": {on} }} ] }}"#);
    let large = groups(r#"["context_exceeded"]"#);
    assert_eq!(fallen_back(SMALL, &large), (Outcome::Success, 1.0));
    assert_eq!(fallen_back(FAILS, &large), (Outcome::ServerError, 0.0));
    assert_eq!(fallen_back(FAILS, &groups("[500]")), (Outcome::Success, 1.0));
    assert_eq!(fallen_back(FAILS, &groups("[503, 429]")), (Outcome::ServerError, 0.0));
    // Portkey without codes: any answer that is no 2xx, a 400 too.
    let any = groups(r#"["retryable", 400, 401]"#);
    assert_eq!(fallen_back(SMALL, &any), (Outcome::Success, 1.0));
    // By default, what another try may mend.
    let usual = r#"{ "groups": [ { "providers": ["a"] }, { "providers": ["c"] } ] }"#;
    assert_eq!(fallen_back(SMALL, usual), (Outcome::ContextExceeded, 0.0));
    assert_eq!(fallen_back(FAILS, usual), (Outcome::Success, 1.0));
}

/// What is asked does not fit the first group, and the second fails with 500s.
#[test]
fn the_caller_is_told_of_the_first_or_the_last_failure() {
    let groups = |tells: &str| {
        format!(
            r#"{{ "groups": [ {{ "providers": ["a"] }}, {{ "providers": ["b"], "on": [400] }} ], "tells": "{tells}" }}"#
        )
    };
    assert_eq!(fallen_back(SMALL, &groups("last")), (Outcome::ServerError, 1.0));
    assert_eq!(fallen_back(SMALL, &groups("first")), (Outcome::ContextExceeded, 1.0));
}

#[test]
fn a_request_falls_back_no_more_often_than_it_may() {
    let groups = |most: u8| {
        format!(
            r#"{{ "groups": [ {{ "providers": ["a"] }}, {{ "providers": ["b"] }}, {{ "providers": ["c"] }} ], "most": {most} }}"#
        )
    };
    assert_eq!(fallen_back(FAILS, &groups(1)), (Outcome::ServerError, 1.0));
    assert_eq!(fallen_back(FAILS, &groups(2)), (Outcome::Success, 2.0));
}

/// Erlang's loss formula: the share of arrivals that find all of `slots` taken, at an offered load of `load`.
fn erlang_b(slots: u32, load: f64) -> f64 {
    (1..=slots).fold(1.0, |blocked, n| load * blocked / (f64::from(n) + load * blocked))
}

/// The share of requests that fail where every first attempt is answered by a 500 at once and every retry goes to a provider that is well.
fn lost(good: &str, retry: &str) -> (f64, f64) {
    let providers = format!(
        "{}, {}",
        provider(
            "dead",
            r#""response": { "constant": "1ms" }, "faults": [ { "random": { "server_error": 1 } } ]"#
        ),
        provider("good", good)
    );
    let client = format!(r#""retry": {{ "envoy": {retry} }}"#);
    let chain = r#"{ "priority": { "levels": [ { "dead": 1 }, { "good": 1 } ], "attempts_per_level": 1 } }"#;
    let tallies = run_all(
        r#"{ "poisson": { "rate": "10/s" } }"#,
        100,
        &providers,
        &client,
        chain,
        60,
    );
    assert!(tallies.iter().all(|t| t.effort.denied == t.ended(Outcome::ServerError)));
    let found = interval(&tallies, |t| t.ended(Outcome::ServerError) as f64 / t.requests() as f64);
    (found.lo.unwrap_or(f64::NAN), found.hi.unwrap_or(f64::NAN))
}

/// Measured on Envoy 1.40: a retry holds one of the cluster's three places from when it is decided, through its back-off, until the headers
/// of its answer. So three places see 10 arrivals a second that hold each for the back-off (12.5 ms on average) and the time to the
/// headers: Erlang's formula, which does not care how that time is distributed. An answer that comes whole has its headers at the end.
#[test]
fn three_retries_at_once_lose_what_erlangs_formula_says() {
    for (good, holds) in [
        (r#""ttft": { "constant": "100ms" }, "tps": { "constant": 20 }"#, 0.1125),
        (r#""ttft": { "constant": "1s" }, "tps": { "constant": 20 }"#, 1.0125),
        (r#""response": { "constant": "1s" }"#, 1.0125),
    ] {
        let (lo, hi) = lost(good, "{}");
        let exact = erlang_b(3, 10.0 * holds);
        assert!(
            lo <= exact + 0.004 && exact - 0.004 <= hi,
            "{good}: {lo} to {hi}, not {exact}"
        );
    }
    let (_, unbounded) = lost(r#""response": { "constant": "1s" }"#, r#"{ "max_retries": null }"#);
    assert!(unbounded < 1e-9, "{unbounded}");
}

/// A retry budget takes the place of the bound: a fifth of what is under way.
#[test]
fn a_budget_replaces_envoys_bound() {
    let client = r#""retry": { "envoy": { "num_retries": 3, "base_interval": "1ms" } }, "retry_budget": "envoy""#;
    let found = interval(&failing(client, 3), amplification);
    assert!(found.lo.unwrap() > 1.2, "{found:?}");
    let bound = failing(
        r#""retry": { "envoy": { "num_retries": 3, "base_interval": "1ms" } }"#,
        1,
    )
    .remove(0);
    // Three places, each held for a second and a moment, in 90 s.
    let retries = bound.effort.retries;
    assert!((260..=270).contains(&retries), "{retries}");
}

/// HAProxy's `option redispatch`, by the number of attempts at a dead server and at the other one for each request that came to it.
#[test]
fn a_retry_may_go_elsewhere_each_time_or_the_last_time() {
    let providers = format!(
        "{}, {}",
        provider(
            "dead",
            r#""response": { "constant": "1ms" }, "faults": [ { "random": { "server_error": 1 } } ]"#
        ),
        provider("good", r#""response": { "constant": "1ms" }"#)
    );
    let at = |tally: &Tally, p: usize| tally.providers[p].outcomes.iter().sum::<u64>();
    for (place, each) in [
        (r#""elsewhere""#, 1),
        (r#"{ "redispatch": -1 }"#, 3),
        (r#"{ "redispatch": 1 }"#, 1),
        (r#"{ "redispatch": 2 }"#, 2),
    ] {
        let client = format!(r#""retry": {{ "fixed": {{ "tries": 4, "wait": "0s", "where": {place} }} }}"#);
        let policy = r#"{ "weighted": { "weights": { "dead": 1, "good": 1 } } }"#;
        let arrivals = r#"{ "regular": { "rate": "20/s" } }"#;
        let tally = run_all(arrivals, 1, &providers, &client, policy, 1).remove(0);
        assert_eq!(tally.ended(Outcome::Success), tally.requests(), "{place}");
        assert_eq!(at(&tally, 1), tally.requests(), "{place}: one answer each");
        let first = at(&tally, 0) / each;
        assert_eq!(at(&tally, 0), each * first, "{place}");
        let half = tally.requests() / 2;
        assert!(first.abs_diff(half) < half / 5, "{place}: {first} of {half}");
        // Where the policy takes no other, it stays.
        let alone = run_all(
            arrivals,
            1,
            &providers,
            &client,
            r#"{ "single": { "provider": "dead" } }"#,
            1,
        )
        .remove(0);
        assert_eq!(alone.attempts(), 4 * alone.requests(), "{place}");
    }
}

/// Portkey's package on npm: the caller is told a 500 in the place of the last 429, and a fallback by status goes by that.
#[test]
fn what_the_caller_is_told_may_differ_from_the_last_failure() {
    let limited = provider(
        "a",
        r#""response": { "constant": "1ms" }, "limits": [ { "fixed_window": { "unit": "requests", "limit": 1, "window": "1h" } } ]"#,
    );
    let providers = format!("{limited}, {}", provider("b", r#""response": { "constant": "1ms" }"#));
    let of = |version: &str, on: u32| {
        let client = format!(
            r#""retry": {{ "portkey": {{ "use_retry_after_header": true, "version": "{version}" }} }},
               "fallback": {{ "groups": [ {{ "providers": ["a"] }}, {{ "providers": ["b"], "on": [{on}] }} ] }}"#
        );
        let arrivals = r#"{ "regular": { "rate": "1/s" } }"#;
        let tally = run_all(arrivals, 1, &providers, &client, r#""round_robin""#, 1).remove(0);
        [Outcome::Success, Outcome::RateLimited, Outcome::ServerError].map(|o| tally.ended(o) > 5)
    };
    assert_eq!(of("repository", 503), [false, true, false]);
    assert_eq!(of("npm", 503), [false, false, true]);
    assert_eq!(of("npm", 500), [true, false, false]);
    assert_eq!(of("repository", 500), [false, true, false]);
}
