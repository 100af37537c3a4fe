//! A tree of strategies through the whole engine: retries inside a target, then the next, and how the request ends.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;
use simcap::words::Outcome;

/// A thousand requests to providers a, b, c, d, with these faults of each, this policy and these client fields.
fn run(faults: [&str; 4], policy: &str, client: &str) -> Tally {
    let provider = |(name, faults): (&str, &str)| {
        format!(
            r#""{name}": {{ "response": {{ "constant": "10ms" }}, "prices": {{ "per_request": {{ "price": "$0" }} }}, {faults} }}"#
        )
    };
    let providers: Vec<String> = ["a", "b", "c", "d"].into_iter().zip(faults).map(provider).collect();
    let text = format!(
        r#"{{
        "name": "tree",
        "traffic": {{ "arrivals": {{ "regular": {{ "rate": "1/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 100 }}, "output": {{ "constant": 1 }} }} }} }},
        "providers": {{ {} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {{ "tree": {policy} }} }} ],
        "plan": {{ "duration": "1000s", "warmup": "0s" }}
    }}"#,
        providers.join(",")
    );
    replications(&plan(&text).scenarios[0], 1, 1).remove(0)
}

const WELL: &str = r#""faults": []"#;
const ERRORS: &str = r#""faults": [ { "random": { "server_error": 1.0 } } ]"#;
const LIMITED: &str = r#""faults": [ { "random": { "rate_limited": 1.0 } } ]"#;
const NARROW: &str = r#""context_window": 50"#;
const NESTED: &str = r#"{ "fallback": { "targets": [
    { "loadbalance": { "targets": [ { "provider": "a", "weight": 3 }, { "provider": "b", "weight": 1 } ] } },
    { "fallback": { "targets": ["c", "d"] } } ] } }"#;
const THRICE: &str = r#""retry": { "fixed": { "tries": 3, "wait": "10ms" } }"#;

/// Attempts at each provider.
fn attempts(tally: &Tally) -> [u64; 4] {
    [0, 1, 2, 3].map(|p| tally.providers[p].outcomes.iter().sum())
}

#[test]
fn each_target_has_its_retries_before_the_next() {
    let tally = run([ERRORS, ERRORS, ERRORS, WELL], NESTED, THRICE);
    let n = tally.requests();
    let [a, b, c, d] = attempts(&tally);
    assert_eq!(tally.ended(Outcome::Success), n);
    assert_eq!((a + b, c, d), (3 * n, 3 * n, n));
    // Three of four go to a; four standard deviations of 1,000 are 55.
    assert!(a % 3 == 0 && (a / 3).abs_diff(n * 3 / 4) < 55, "{a}");
    assert_eq!((tally.effort.fallbacks, tally.effort.retries), (2 * n, 4 * n));
}

#[test]
fn when_every_target_has_failed_the_last_failure_is_told() {
    let tally = run([ERRORS, ERRORS, ERRORS, LIMITED], NESTED, "");
    assert_eq!(tally.ended(Outcome::RateLimited), tally.requests());
    assert_eq!(tally.effort.fallbacks, 2 * tally.requests());
}

/// The retry rule gives up at once on a request that is too long; the tree may know a longer model.
#[test]
fn a_request_too_long_for_one_model_goes_on_to_the_next() {
    let tree = r#"{ "fallback": { "targets": ["a", "b"] } }"#;
    let tally = run([NARROW, WELL, WELL, WELL], tree, THRICE);
    let n = tally.requests();
    assert_eq!((attempts(&tally), tally.ended(Outcome::Success)), ([n, n, 0, 0], n));
    let only_5xx = r#"{ "fallback": { "on": ["5xx"], "targets": ["a", "b"] } }"#;
    let tally = run([NARROW, WELL, WELL, WELL], only_5xx, THRICE);
    assert_eq!(
        (attempts(&tally), tally.ended(Outcome::ContextExceeded)),
        ([n, 0, 0, 0], n)
    );
}

/// A breaker that opens at once: from then on the first target is skipped without an attempt.
#[test]
fn a_closed_target_is_skipped() {
    let tree = r#"{ "fallback": { "on": [429], "targets": ["a", "b"] } }"#;
    let breaker = r#""breaker": { "consecutive": { "failures": 1, "open_for": "2000s" } }"#;
    let tally = run([ERRORS, WELL, WELL, WELL], tree, breaker);
    let n = tally.requests();
    assert_eq!(
        (attempts(&tally), tally.ended(Outcome::ServerError)),
        ([1, n - 1, 0, 0], 1)
    );
}

/// The timeout of the whole request is not followed by another target.
#[test]
fn nothing_follows_the_end_of_patience() {
    let tree = r#"{ "fallback": { "targets": ["a", "b"] } }"#;
    let hangs = r#""faults": [ { "random": { "hang": 1.0 } } ]"#;
    let tally = run([hangs, WELL, WELL, WELL], tree, r#""timeouts": { "total": "1s" }"#);
    assert_eq!(
        (attempts(&tally)[1], tally.ended(Outcome::TimeoutTotal)),
        (0, tally.requests())
    );
}

/// Groups of providers are around the tree: in the next group it begins anew, among those who are in it.
#[test]
fn in_another_group_of_providers_the_tree_begins_anew() {
    let tree = r#"{ "fallback": { "targets": ["a", "b", "c", "d"] } }"#;
    let groups = r#""fallback": { "groups": [ { "providers": ["a", "b"] }, { "providers": ["c", "d"] } ] }"#;
    let tally = run([ERRORS, ERRORS, ERRORS, WELL], tree, groups);
    let n = tally.requests();
    assert_eq!((attempts(&tally), tally.ended(Outcome::Success)), ([n; 4], n));
}
