//! Named groups through experiment files: what LiteLLM's router, which has them, did against a scripted local server.
//!
//! The router was 1.106.2 in process, and 1.109.1 and 1.110.2 where they are named. Files are written as its user would.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use serde_json::{Value, json};
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::provider::faults::{Failure, Refused};
use simcap::words::Outcome;

use crate::common::script::{WELL, count, fire};
use crate::common::{plan, replications};

const FREE: &str =
    r#""response": { "constant": "10ms" }, "network": "10ms", "prices": { "per_request": { "price": "$0" } }"#;
const LITELLM: &str = r#""retry": { "litellm": { "num_retries": 2 } }, "breaker": { "litellm_cooldown": {} }"#;
/// A group of one and the group of one that it falls back to.
const LONE: &str = r#"{ "model_groups": { "groups": { "all": { "providers": ["a"], "fallbacks": ["spare"] }, "spare": { "providers": ["b"] } } } }"#;

const fn plain(outcome: Outcome) -> Failure {
    Failure::Down(Refused::plain(outcome))
}

const FAILS: fn(usize) -> Option<Failure> = |_| Some(plain(Outcome::ServerError));

/// A provider that answers `response` after so long, free, with further fields.
fn provider(response: &str, rest: Value) -> Value {
    let mut it = json!({ "response": { "constant": response }, "prices": { "per_request": { "price": "$0" } } });
    let fields = it.as_object_mut().unwrap();
    fields.extend(rest.as_object().unwrap().clone());
    it
}

/// An experiment of small requests.
fn experiment(
    arrivals: Value,
    classes: &[&str],
    providers: Value,
    client: Value,
    policy: Value,
    seconds: u32,
) -> String {
    let class = json!({ "share": 1, "input": { "constant": 8 }, "output": { "constant": 16 } });
    let classes: serde_json::Map<String, Value> = classes.iter().map(|&c| (c.to_owned(), class.clone())).collect();
    json!({
        "name": "groups",
        "traffic": { "arrivals": arrivals, "classes": classes },
        "providers": providers,
        "client": client,
        "policies": [{ "name": "router", "policy": policy }],
        "plan": { "duration": format!("{seconds}s"), "warmup": "0s" },
    })
    .to_string()
}

fn tallies(text: &str, n: u64) -> Vec<Tally> {
    replications(&plan(text).scenarios[0], 1, n)
}

fn attempts_at(tally: &Tally, provider: usize) -> u64 {
    tally.providers[provider].outcomes.iter().sum()
}

/// Three attempts at the lone primary, its sleeps and the one after the last, and then the fallback; it is never cooled (the report of
/// a user: 3 attempts and 5 to 6 s a request).
#[test]
fn a_lone_primary_is_tried_in_full_by_every_request() {
    let (tally, hits) = fire(&[(FREE, FAILS), (FREE, WELL)], LONE, LITELLM, 20, 10_000);
    // The last two calls have not come to the end of their sleeps when the run is over; each is run to its own end all the same.
    assert_eq!((count(&hits, 0), count(&hits, 1)), (60, 20));
    assert_eq!(tally.ended(Outcome::Success), 20);
    let slept = tally.classes[0].e2e.quantile(0.5).unwrap().seconds();
    assert!((3.5..5.8).contains(&slept), "{slept}");
}

/// Of two model names one has a quota below its callers' rate: it is a group of one, which no 429 cools, whose failures are slept on
/// for Retry-After and up to 0.75 s. Measured: 95 % within 3.3 s, 2.2 attempts a request; the other name is not touched.
#[test]
fn two_model_names_are_two_groups_of_one() {
    let limits = json!({ "limits": [{ "token_bucket": { "unit": "requests", "rate": "300/min", "burst": 30 } }] });
    let text = experiment(
        json!({ "poisson": { "rate": "16/s" } }),
        &["gpt", "claude"],
        json!({ "gpt": provider("300ms", limits), "claude": provider("600ms", json!({})) }),
        json!({ "retry": "litellm", "breaker": "litellm_cooldown" }),
        json!({ "model_groups": { "groups": { "gpt": { "providers": ["gpt"] }, "claude": { "providers": ["claude"] } } } }),
        180,
    );
    // In the order of their names: claude, gpt.
    let (mut slow, mut attempts) = (0.0, 0.0);
    for tally in tallies(&text, 10) {
        let gpt = &tally.classes[1];
        slow += gpt.e2e.quantile(0.95).unwrap().seconds() / 10.0;
        attempts += attempts_at(&tally, 1) as f64 / gpt.outcomes.iter().sum::<u64>() as f64 / 10.0;
        assert_eq!(
            attempts_at(&tally, 0),
            tally.classes[0].outcomes[Outcome::Success.index()]
        );
    }
    assert!(
        (slow - 3.3).abs() < 0.25 && (attempts - 2.2).abs() < 0.12,
        "{slow} {attempts}"
    );
}

/// With one failure allowed a deployment alone cools at its second: in 1.106.2 always, in 1.109.1 and 1.110.2 if the group has a
/// fallback. Then calls go there at once, and each cooldown of 30 s costs two more failures.
#[test]
fn allowed_fails_cool_a_group_of_one_by_version() {
    let alone = r#"{ "model_groups": { "groups": { "all": { "providers": ["a"] } } } }"#;
    for (version, policy, seen) in [
        ("1.106", LONE, 4),
        ("1.109", LONE, 4),
        ("1.106", alone, 4),
        ("1.109", alone, 40),
    ] {
        let client = format!(
            r#""breaker": {{ "litellm_cooldown": {{ "version": "{version}", "allowed_fails": 1, "cooldown_time": "30s" }} }}"#
        );
        let (_, hits) = fire(&[(FREE, FAILS), (FREE, WELL)], policy, &client, 40, 1_000);
        assert_eq!(count(&hits, 0), seen, "{version} {policy}");
    }
}

/// One of two deployments takes one call at a time. The gateway's own 429 is tried again at once by the strategy and cools nothing: an
/// error is three draws of the full one in a row. Measured by that rule: about 7.5 %.
#[test]
fn max_parallel_requests_is_a_429_that_is_tried_again() {
    let text = experiment(
        json!({ "poisson": { "rate": "10/s" } }),
        &["chat"],
        json!({ "p": provider("300ms", json!({ "connections": 1, "line": 0 })), "b": provider("300ms", json!({})) }),
        json!({ "retry": { "litellm": { "num_retries": 2 } }, "breaker": "litellm_cooldown" }),
        json!({ "model_groups": { "groups": { "chat": { "providers": ["p", "b"] } } } }),
        120,
    );
    let all = tallies(&text, 20);
    let failed: u64 = all.iter().map(|t| t.ended(Outcome::Shed)).sum();
    let whole: u64 = all.iter().map(Tally::requests).sum();
    let share = failed as f64 / whole as f64;
    // With x the share of time that p is full: x = 0.3 × 10/s × (taken by p), where a call finds p with probability 1/2 if it is idle,
    // else goes round: taken = (1 − x)/2 × 1 of all calls, so x = 1.5 (1 − x) = 0.6, and x/8 of the calls fail.
    assert!((share - 0.075).abs() < 0.004, "{share}");
    assert!(
        all.iter()
            .all(|t| t.ended(Outcome::Success) + t.ended(Outcome::Shed) == t.requests())
    );
}

/// A fallback follows any failure, those of the request included: nobody is told of one. A 401 also cools for 5 s, 400 and 403 never.
#[test]
fn a_fallback_follows_400_401_403_404_and_the_content_filter() {
    for (fails, hits_of_a) in [
        (Outcome::BadRequest, 10),
        (Outcome::ContextExceeded, 10),
        (Outcome::ContentFiltered, 10),
        (Outcome::Forbidden, 10),
        (Outcome::Unauthorized, 2),
        (Outcome::NotFound, 2),
    ] {
        let answer: fn(usize) -> Option<Failure> = match fails {
            Outcome::BadRequest => |_| Some(plain(Outcome::BadRequest)),
            Outcome::ContextExceeded => |_| Some(plain(Outcome::ContextExceeded)),
            Outcome::ContentFiltered => |_| Some(plain(Outcome::ContentFiltered)),
            Outcome::Forbidden => |_| Some(plain(Outcome::Forbidden)),
            Outcome::Unauthorized => |_| Some(plain(Outcome::Unauthorized)),
            _ => |_| Some(plain(Outcome::NotFound)),
        };
        let (tally, hits) = fire(&[(FREE, answer), (FREE, WELL)], LONE, LITELLM, 10, 1_000);
        assert_eq!(tally.ended(Outcome::Success), 10, "{fails:?}");
        assert_eq!((count(&hits, 0), count(&hits, 1)), (hits_of_a, 10), "{fails:?}");
    }
}

/// A prompt that is too long and a filtered answer have fallbacks of their own, and what is left empty has none: the caller is told.
#[test]
fn context_and_content_have_fallbacks_of_their_own() {
    let groups = |own: &str| {
        format!(
            r#"{{ "model_groups": {{ "groups": {{ "all": {{ "providers": ["a"], "fallbacks": ["b"], {own} }},
                "b": {{ "providers": ["b"] }}, "c": {{ "providers": ["c"] }} }} }} }}"#
        )
    };
    let long: fn(usize) -> Option<Failure> = |_| Some(plain(Outcome::ContextExceeded));
    let filtered: fn(usize) -> Option<Failure> = |_| Some(plain(Outcome::ContentFiltered));
    let other: fn(usize) -> Option<Failure> = |_| Some(plain(Outcome::BadRequest));
    for (own, answer, seen, told) in [
        (
            r#""context_window_fallbacks": ["c"]"#,
            long,
            [4, 0, 4],
            Outcome::Success,
        ),
        (
            r#""context_window_fallbacks": ["c"]"#,
            filtered,
            [4, 4, 0],
            Outcome::Success,
        ),
        (
            r#""context_window_fallbacks": ["c"]"#,
            other,
            [4, 4, 0],
            Outcome::Success,
        ),
        (
            r#""content_policy_fallbacks": ["c"]"#,
            filtered,
            [4, 0, 4],
            Outcome::Success,
        ),
        (
            r#""context_window_fallbacks": []"#,
            long,
            [4, 0, 0],
            Outcome::ContextExceeded,
        ),
        (
            r#""content_policy_fallbacks": []"#,
            filtered,
            [4, 0, 0],
            Outcome::ContentFiltered,
        ),
    ] {
        let servers = [(FREE, answer), (FREE, WELL), (FREE, WELL)];
        let (tally, hits) = fire(&servers, &groups(own), LITELLM, 4, 1_000);
        assert_eq!([0, 1, 2].map(|p| count(&hits, p)), seen, "{own}");
        assert_eq!(tally.ended(told), 4, "{own}");
    }
}

/// usage-based-v2 in a group of one answers with its own 429 and a Retry-After of 60 s: measured 60.7 s, with a fallback and without.
#[test]
fn usage_based_alone_sleeps_for_its_own_retry_after() {
    for groups in [
        json!({ "chat": { "providers": ["p"], "policy": { "usage_based": { "limits": { "rpm": { "p": 11 } } } } } }),
        json!({ "chat": { "providers": ["p"], "policy": { "usage_based": { "limits": { "rpm": { "p": 11 } } } }, "fallbacks": ["b"] },
                "b": { "providers": ["b"] } }),
    ] {
        let text = experiment(
            json!({ "regular": { "rate": "15/min" } }),
            &["chat"],
            json!({ "p": provider("10ms", json!({})), "b": provider("10ms", json!({})) }),
            json!({ "retry": { "litellm": { "num_retries": 2 } }, "breaker": "litellm_cooldown" }),
            json!({ "model_groups": { "groups": groups } }),
            60,
        );
        let tally = tallies(&text, 1).remove(0);
        // Ten in the first minute; four that wait, and are answered in the next.
        assert_eq!((tally.ended(Outcome::Success), tally.requests()), (14, 14));
        let e2e = |q| tally.classes[0].e2e.quantile(q).unwrap().seconds();
        assert!(
            e2e(0.5) < 0.1 && (60.0..60.8).contains(&e2e(0.99)),
            "{} {}",
            e2e(0.5),
            e2e(0.99)
        );
        // In the order of their names: b, p.
        assert_eq!(attempts_at(&tally, 0), 0);
    }
}

/// Each group has a client of its own, and a member of it may have its own again.
#[test]
fn groups_and_members_change_retries_timeouts_and_breakers() {
    let slow = r#""response": { "constant": "2s" }, "prices": { "per_request": { "price": "$0" } }"#;
    let one = |client: &str, targets: &str| {
        let group =
            format!(r#""providers": ["a"], "fallbacks": ["b"], "client": {{ {client} }}, "targets": {{ {targets} }}"#);
        format!(r#"{{ "model_groups": {{ "groups": {{ "all": {{ {group} }}, "b": {{ "providers": ["b"] }} }} }} }}"#)
    };
    let client = r#""timeouts": { "attempt": "5s" }, "retry": { "fixed": { "tries": 2, "wait": "0s" } }"#;
    for (group, target, attempts) in [
        ("", "", 1),
        (r#""timeouts": { "attempt": "1s" }"#, "", 2),
        (
            r#""timeouts": { "attempt": "1s" }"#,
            r#""a": { "timeouts": { "attempt": "3s" } }"#,
            1,
        ),
        ("", r#""a": { "timeouts": { "attempt": "1s" } }"#, 2),
        (
            r#""timeouts": { "attempt": "1s" }, "retry": { "fixed": { "tries": 4, "wait": "0s" } }"#,
            "",
            4,
        ),
        (r#""timeouts": { "attempt": "1s" }, "retry": null"#, "", 1),
        (
            r#""timeouts": { "attempt": "1s" }"#,
            r#""a": { "retry": { "fixed": { "tries": 3, "wait": "0s" } } }"#,
            3,
        ),
    ] {
        let (tally, hits) = fire(&[(slow, WELL), (FREE, WELL)], &one(group, target), client, 3, 20_000);
        assert_eq!(count(&hits, 0), 3 * attempts, "{group} {target}");
        assert_eq!(tally.ended(Outcome::Success), 3, "{group} {target}");
    }
    // Two failures open the target's breaker, where the group has none.
    let breaker = one(
        "",
        r#""a": { "breaker": { "consecutive": { "failures": 2, "open_for": "60s" } } }"#,
    );
    let (_, hits) = fire(&[(FREE, FAILS), (FREE, WELL)], &breaker, client, 5, 1_000);
    assert_eq!((count(&hits, 0), count(&hits, 1)), (2, 5));
}

/// A retry policy of one group (`model_group_retry_policy`) leaves the other's alone.
#[test]
fn a_retry_policy_may_be_one_groups_own() {
    let policy = r#"{ "model_groups": { "groups": {
        "all": { "providers": ["a", "b"], "fallbacks": ["spare"],
                 "client": { "retry": { "litellm": { "num_retries": 2, "retry_policy": { "internal_server_error_retries": 0 } } } } },
        "spare": { "providers": ["c", "d"] } } } }"#;
    let servers = [(FREE, FAILS); 4];
    let (_, hits) = fire(
        &servers,
        policy,
        r#""retry": { "litellm": { "num_retries": 2 } }"#,
        10,
        1_000,
    );
    assert_eq!(count(&hits, 0) + count(&hits, 1), 10);
    assert_eq!(count(&hits, 2) + count(&hits, 3), 30);
}

/// The counts of a breaker are the group's own: who cools in one is open in the other.
#[test]
fn a_provider_in_two_groups_has_a_breaker_in_each() {
    let policy = r#"{ "model_groups": { "groups": {
        "all": { "providers": ["a", "b"], "policy": { "single": { "provider": "a" } }, "fallbacks": ["other"] },
        "other": { "providers": ["a", "c"], "policy": { "single": { "provider": "a" } } } } } }"#;
    let limited: fn(usize) -> Option<Failure> = |_| Some(plain(Outcome::RateLimited));
    let servers = [(FREE, limited), (FREE, WELL), (FREE, WELL)];
    let (_, hits) = fire(&servers, policy, r#""breaker": "litellm_cooldown""#, 3, 1_000);
    // The first call meets a 429 in each of the two groups; then both keep it out.
    assert_eq!(count(&hits, 0), 2);
}

/// A member of an Envoy cluster is ejected by the share of its own cluster that is out, not of the whole fleet.
#[test]
fn a_groups_breaker_sees_its_members_alone() {
    let policy = r#"{ "model_groups": { "groups": { "all": { "providers": ["a"], "fallbacks": ["rest"] },
        "rest": { "providers": ["b", "c", "d"] } } } }"#;
    // One of one host is 100 %, one of a fleet of four 25 %.
    let client = r#""breaker": { "envoy_outlier": { "max_ejection_percent": "50%", "panic_threshold": "0%" } }"#;
    let servers = [(FREE, FAILS), (FREE, WELL), (FREE, WELL), (FREE, WELL)];
    let (_, hits) = fire(&servers, policy, client, 20, 1_000);
    assert_eq!(count(&hits, 0), 20);
}

#[test]
fn a_class_asks_by_name_alias_or_wildcard() {
    let groups = json!({
        "chat": { "providers": ["a"], "aliases": ["gpt-4"] },
        "openai/*": { "providers": ["b"] },
        "*": { "providers": ["c"] },
        "openai/o*": { "providers": ["d"] },
    });
    let free = provider("10ms", json!({}));
    let providers = json!({ "a": free, "b": free, "c": free, "d": free });
    for (asks, goes_to) in [
        ("chat", 0),
        ("gpt-4", 0),
        ("openai/gpt", 1),
        ("claude", 2),
        ("openai/o3", 3),
    ] {
        let text = experiment(
            json!({ "regular": { "rate": "1/s" } }),
            &["all"],
            providers.clone(),
            json!({}),
            json!({ "model_groups": { "groups": groups } }),
            5,
        );
        let mut text: Value = serde_json::from_str(&text).unwrap();
        text["traffic"]["classes"]["all"]["asks"] = json!(asks);
        let tally = tallies(&text.to_string(), 1).remove(0);
        assert_eq!(attempts_at(&tally, goes_to), tally.requests(), "{asks}");
    }
}

/// The caller is told of the first group's failure (LiteLLM raises its exception), or of the last's if the file says so.
#[test]
fn the_caller_is_told_of_the_first_groups_failure() {
    let long: fn(usize) -> Option<Failure> = |_| Some(plain(Outcome::BadRequest));
    for (tells, told) in [("first", Outcome::BadRequest), ("last", Outcome::ServerError)] {
        let policy = LONE.replace(r#"{ "groups""#, &format!(r#"{{ "tells": "{tells}", "groups""#));
        let (tally, _) = fire(&[(FREE, long), (FREE, FAILS)], &policy, "", 3, 1_000);
        assert_eq!(tally.ended(told), 3, "{tells}");
    }
}

/// A group's own limits turn away what is too much for it, and its fallback takes that; other groups are not counted.
#[test]
fn a_group_has_limits_of_its_own() {
    let limited = |limit: &str| LONE.replace(r#""fallbacks""#, &format!(r#"{limit}, "fallbacks""#));
    let ten = r#""limiters": [{ "fixed_window": { "unit": "requests", "limit": 10, "window": "1m" } }]"#;
    let (tally, hits) = fire(&[(FREE, WELL), (FREE, WELL)], &limited(ten), "", 30, 1_000);
    assert_eq!((count(&hits, 0), count(&hits, 1)), (10, 20));
    assert_eq!(tally.ended(Outcome::Success), 30);
    // Calls of 2 s, one a second, one at a time: every other one, and whoever has ended makes room.
    let slow = r#""response": { "constant": "1900ms" }, "prices": { "per_request": { "price": "$0" } }"#;
    let (tally, hits) = fire(
        &[(slow, WELL), (FREE, WELL)],
        &limited(r#""max_in_flight": 1"#),
        "",
        30,
        1_000,
    );
    assert_eq!((count(&hits, 0), count(&hits, 1)), (15, 15));
    assert_eq!(tally.ended(Outcome::Success), 30);
    // Without a fallback the caller is told of the 429, after the retries that the group's rule makes.
    let alone = limited(r#""max_in_flight": 1"#).replace(r#""fallbacks": ["spare"]"#, r#""fallbacks": []"#);
    let (tally, _) = fire(&[(slow, WELL), (FREE, WELL)], &alone, "", 30, 1_000);
    assert_eq!(tally.ended(Outcome::RateLimited), 15);
}

/// The gateway's own time lies before the first call and between a failure and the next attempt, of a fallback too.
#[test]
fn the_gateway_takes_time_of_its_own() {
    let client = r#""gateway_time": { "call": { "constant": "10ms" }, "between": { "constant": "15ms" } },
        "retry": { "fixed": { "tries": 2, "wait": "100ms" } }"#;
    let (tally, hits) = fire(&[(FREE, FAILS), (FREE, WELL)], LONE, client, 1, 1_000);
    let at: Vec<f64> = hits.iter().map(|(_, at)| at.seconds()).collect();
    // Arrival at 1 s; a refusal takes 10 ms.
    for (seen, expected) in at.iter().zip([1.010, 1.135, 1.160]) {
        assert!((seen - expected).abs() < 1e-9, "{at:?}");
    }
    // An answer takes 20 ms.
    let e2e = tally.classes[0].e2e.quantile(1.0).unwrap().seconds();
    assert!((e2e - 0.18).abs() < 1e-3, "{e2e}");
}

/// What is refused, and how.
#[test]
fn mistakes_are_told_where_they_are() {
    let free = provider("10ms", json!({}));
    let with = |groups: Value, client: Value| {
        let text = experiment(
            json!({ "regular": { "rate": "1/s" } }),
            &["x", "y"],
            json!({ "a": free, "b": free }),
            client,
            json!({ "model_groups": { "groups": groups } }),
            5,
        );
        assemble(&from_text("test.json", &text).unwrap())
            .unwrap_err()
            .to_string()
    };
    let a = json!({ "providers": ["a"] });
    for (groups, client, said) in [
        (
            json!({ "x": { "providers": ["a"], "fallbacks": ["z"] }, "y": a }),
            json!({}),
            "there is no group `z`",
        ),
        (
            json!({ "x": { "providers": ["a"], "fallbacks": ["x"] }, "y": a }),
            json!({}),
            "falls back to itself",
        ),
        (
            json!({ "x": { "providers": ["c"] }, "y": a }),
            json!({}),
            "there is no provider `c`",
        ),
        (
            json!({ "x": { "providers": [] }, "y": a }),
            json!({}),
            "a group without providers",
        ),
        (
            json!({ "x": { "providers": ["a"], "targets": { "b": {} } }, "y": a }),
            json!({}),
            "no member of the group `b`",
        ),
        (
            json!({ "x": { "providers": ["a"], "aliases": ["y"] }, "y": a }),
            json!({}),
            "`y` names a group already",
        ),
        (
            json!({ "x": a, "z": a }),
            json!({}),
            "class `y` does not say which group it asks for",
        ),
        (
            json!({ "x": { "providers": ["a"], "targets": { "a": { "breaker": "litellm_cooldown" } } }, "y": a }),
            json!({}),
            "watches all members of a group together",
        ),
        (
            json!({ "x": a, "y": a }),
            json!({ "fallback": { "groups": [{ "providers": ["a"] }] } }),
            "has fallbacks of its own",
        ),
    ] {
        let error = with(groups, client);
        assert!(error.contains(said), "{said}: {error}");
    }
}

/// Two groups that fall back to one another are no mistake, and are said.
#[test]
fn fallbacks_in_a_circle_are_said() {
    let free = provider("10ms", json!({}));
    let groups = json!({
        "x": { "providers": ["a"], "fallbacks": ["y"] }, "y": { "providers": ["b"], "fallbacks": ["x"] } });
    let text = experiment(
        json!({ "regular": { "rate": "1/s" } }),
        &["x"],
        json!({ "a": free, "b": free }),
        json!({}),
        json!({ "model_groups": { "groups": groups } }),
        5,
    );
    let said = plan(&text).cautions;
    assert_eq!(
        said,
        [
            "router: the fallbacks go round in a circle, from x to y to x again: a group that a request has been at is passed over"
        ]
    );
}
