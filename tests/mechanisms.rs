//! What happens where two mechanisms meet: each case once went, or could go, wrong.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;
use simcap::kernel::time::Span;
use simcap::words::BoundKind;
use simcap::words::Outcome;

/// One replication of one class and one provider, with these arrivals, provider fields and client fields.
fn run(arrivals: &str, provider: &str, client: &str) -> Tally {
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {arrivals}, "classes": {{ "all": {{ "input": {{ "uniform": {{ "min": 1, "max": 1000 }} }}, "output": {{ "constant": 1 }} }} }} }},
        "providers": {{ "p": {{ {provider}, "prices": {{ "per_request": {{ "price": "$0" }} }} }} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "p" }} }} }} ],
        "plan": {{ "duration": "1000s", "warmup": "0s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, 1).remove(0)
}

fn share(tally: &Tally, outcome: Outcome) -> f64 {
    tally.ended(outcome) as f64 / tally.requests() as f64
}

/// An answer that comes whole takes 1 s at the provider and 100 ms on the way; twice as long at the provider while it is slow, and
/// the way is the same.
#[test]
fn the_network_counts_beside_an_answer_that_comes_whole() {
    let slowly = r#"{ "regular": { "rate": "1/10s" } }"#;
    let answers = |faults: &str| {
        let provider = format!(r#""response": {{ "constant": "1s" }}, "network": "100ms", "faults": [ {faults} ]"#);
        run(slowly, &provider, "")
    };
    let all_take = |tally: &Tally, millis: u64| {
        let class = &tally.classes[0];
        let exactly = Some(Span::from_millis(millis));
        assert_eq!([class.ttft.max(), class.e2e.max(), class.e2e.mean()], [exactly; 3]);
    };
    all_take(&answers(""), 1100);
    all_take(
        &answers(r#"{ "slow_down": { "from": "0s", "for": "1000s", "ttft": 2 } }"#),
        2100,
    );
}

/// Four a second through one connection that does one: it gets through one a second, and never has two under way.
#[test]
fn an_overloaded_system_gets_through_its_capacity_and_no_more() {
    let fast = r#"{ "regular": { "rate": "4/s" } }"#;
    let tally = run(fast, r#""connections": 1, "response": { "constant": "1s" }"#, "");
    assert_eq!(tally.ended(Outcome::Success), 3999, "in the end all are answered");
    assert!((998..=1000).contains(&tally.served), "{}", tally.served);
    let busy = tally.providers[0].busy as f64 / tally.counted as f64;
    assert!(busy <= 1.0 && busy > 0.99, "{busy}");
}

/// A bucket that some requests can never pass: they are turned away, and the others go on.
#[test]
fn a_request_too_large_for_its_limiter_holds_nobody_up() {
    let limiter = r#""max_in_flight": 2, "limiters": [ { "token_bucket": { "unit": "input_tokens", "rate": "20000/s", "burst": 900 } } ]"#;
    let tally = run(
        r#"{ "poisson": { "rate": "10/s" } }"#,
        r#""response": { "constant": "50ms" }"#,
        limiter,
    );
    // Input is uniform up to 1,000: a tenth is above 900.
    assert!(
        (share(&tally, Outcome::Shed) - 0.1).abs() < 0.015,
        "{}",
        share(&tally, Outcome::Shed)
    );
    assert!(share(&tally, Outcome::Success) > 0.88);
}

/// 10 % of errors, and 10 % of hangs among the rest.
#[test]
fn two_sources_of_failure_strike_independently() {
    let provider = r#""response": { "constant": "1ms" }, "faults": [ { "random": { "server_error": 0.1 } }, { "random": { "hang": 0.1 } } ]"#;
    let tally = run(
        r#"{ "poisson": { "rate": "50/s" } }"#,
        provider,
        r#""timeouts": { "attempt": "1s" }"#,
    );
    let (errors, hangs) = (
        share(&tally, Outcome::ServerError),
        share(&tally, Outcome::TimeoutAttempt),
    );
    // Four standard deviations of a share of 0.1 among 50,000 are 0.0054.
    assert!(
        (errors - 0.1).abs() < 0.0054 && (hangs - 0.09).abs() < 0.0054,
        "{errors} {hangs}"
    );
}

/// A provider that is down answers 5xx, not 429, however little quota is left: a breaker sees it at once.
#[test]
fn an_outage_is_not_hidden_by_a_quota() {
    let provider = r#""response": { "constant": "1ms" },
        "limits": [ { "token_bucket": { "unit": "requests", "rate": "1/min", "burst": 1 } } ],
        "faults": [ { "outage": { "from": "0s", "for": "1000s" } } ]"#;
    let tally = run(r#"{ "poisson": { "rate": "10/s" } }"#, provider, "");
    assert_eq!(share(&tally, Outcome::ServerError), 1.0);
    let quota = tally
        .bounds
        .iter()
        .find(|b| b.what == BoundKind::Quota)
        .expect("it has a quota");
    assert_eq!(quota.time, 0);
}

/// A healthy provider behind too few connections: requests run out of time, and its breaker stays closed.
#[test]
fn time_lost_in_the_client_is_no_failure_of_the_provider() {
    let client = r#""timeouts": { "total": "10s" }, "breaker": "consecutive""#;
    let provider = r#""connections": 10, "response": { "constant": "1s" }"#;
    let tally = run(r#"{ "poisson": { "rate": "12/s" } }"#, provider, client);
    assert!(share(&tally, Outcome::TimeoutTotal) > 0.05);
    assert_eq!((tally.ended(Outcome::BreakerOpen), tally.providers[0].trips), (0, 0));
}

/// `max_tokens` is what a provider checks against its window, not what the model would have written.
#[test]
fn a_context_window_is_held_against_what_was_asked_for() {
    let text = r#"{
        "name": "window",
        "traffic": { "arrivals": { "regular": { "rate": "1/s" } }, "classes": {
            "asks": { "share": 1, "input": { "constant": 7900 }, "output": { "constant": 10 }, "max_output": 4096 },
            "does_not": { "share": 1, "input": { "constant": 7900 }, "output": { "constant": 10 } } } },
        "providers": { "p": { "response": { "constant": "1ms" }, "context_window": "8k", "prices": { "per_request": { "price": "$0" } } } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "p" } } } ],
        "plan": { "duration": "1000s", "warmup": "0s" }
    }"#;
    let tally = replications(&plan(text).scenarios[0], 1, 1).remove(0);
    let ended = |class: usize, outcome: Outcome| tally.classes[class].outcomes[outcome.index()];
    assert_eq!((ended(0, Outcome::Success), ended(1, Outcome::ContextExceeded)), (0, 0));
}

/// One replication of two providers, the first as given, with these client fields and the policy of whoever knows only it.
fn run_two(first: &str, client: &str) -> Tally {
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {{ "regular": {{ "rate": "1/s" }} }}, "classes": {{ "all": {{ "input": {{ "constant": 1000 }}, "output": {{ "constant": 1 }} }} }} }},
        "providers": {{
            "dear": {{ "prices": {{ "per_token": {{ "input": "$10/Mtok", "output": "$10/Mtok" }} }}, {first} }},
            "cheap": {{ "prices": {{ "per_token": {{ "input": "$1/Mtok", "output": "$1/Mtok" }} }}, "response": {{ "constant": "1ms" }} }}
        }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "dear" }} }} }} ],
        "plan": {{ "duration": "1000s", "warmup": "0s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, 1).remove(0)
}

fn sent(tally: &Tally, provider: usize) -> u64 {
    tally.providers[provider].outcomes.iter().sum()
}

/// The policy names one provider only; whoever falls back from it is served by the group's own order.
#[test]
fn a_fallback_reaches_whom_the_policy_does_not_know() {
    let dead = r#""response": { "constant": "1ms" }, "faults": [ { "random": { "server_error": 1 } } ]"#;
    let groups = r#""fallback": { "groups": [ { "providers": ["dear"] }, { "providers": ["cheap"] } ] }"#;
    let tally = run_two(dead, groups);
    assert_eq!((tally.ended(Outcome::Success), tally.effort.fallbacks), (999, 999));
    assert_eq!((sent(&tally, 0), sent(&tally, 1)), (999, 999));
}

/// A cent a request at the dear one: the dollar lasts for a hundred, and then everything goes to the cheap one.
#[test]
fn a_spent_budget_sends_everything_to_the_cheapest() {
    let fine = r#""response": { "constant": "1ms" }"#;
    let budget = r#""budgets": [ { "per": "day", "money": "$1.001", "on_exhausted": "cheapest" } ]"#;
    let tally = run_two(fine, budget);
    assert_eq!((sent(&tally, 0), sent(&tally, 1)), (100, 899));
    assert_eq!(tally.ended(Outcome::Success), 999);
}

/// No connection within the time for one: the next group may have one.
#[test]
fn whoever_gets_no_connection_falls_back() {
    let busy = r#""response": { "constant": "100s" }, "connections": 1"#;
    let client = r#""timeouts": { "connection": "50ms" }, "fallback": { "groups": [ { "providers": ["dear"] }, { "providers": ["cheap"] } ] }"#;
    let tally = run_two(busy, client);
    assert_eq!((sent(&tally, 0), sent(&tally, 1)), (10, 989));
    assert_eq!(tally.ended(Outcome::Success), 999);
}

/// A rule that is told to try everything again does not try a request again that is too long.
#[test]
fn what_is_too_long_is_never_tried_again() {
    let short = r#""response": { "constant": "1ms" }, "context_window": 500"#;
    let tally = run_two(short, r#""retry": { "fixed": { "tries": 3, "on": [400] } }"#);
    assert_eq!((tally.ended(Outcome::ContextExceeded), sent(&tally, 0)), (999, 999));
    let longer = r#""fallback": { "groups": [ { "providers": ["dear"] }, { "providers": ["cheap"], "on": ["context_exceeded"] } ] }"#;
    assert_eq!(run_two(short, longer).ended(Outcome::Success), 999);
}
