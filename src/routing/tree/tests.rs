//! Tests of `tree`: nested strategies, against what Portkey's documentation says of them.

use std::collections::BTreeSet;

use super::super::testing::*;
use super::*;
use crate::client::host::Host;
use crate::kernel::time::Time;

use Outcome::{BreakerOpen, ContextExceeded, RateLimited, ServerError, Success};

/// Where the tries of request `id` go, `tries` of them at each target, if provider p answers as `answers[p]` says; and
/// how it ends.
fn route(policy: &mut dyn Policy, hosts: &[Host], id: u64, tries: u32, answers: [Outcome; 3]) -> (Vec<usize>, Outcome) {
    let (mut call, mut here, mut way) = (call(id, 0), 0, Vec::new());
    loop {
        call.attempt = call.request.attempt(u64::from(call.attempts));
        let chosen = policy.choose(&call, &Fleet::new(hosts, None, Time::ZERO));
        call.failure = chosen.map_or(BreakerOpen, |p| answers[p]);
        if let Some(p) = chosen {
            way.push(p);
            (call.last, call.attempts, here) = (chosen, call.attempts + 1, here + 1);
        }
        if call.failure == Success {
            return (way, Success);
        }
        if chosen.is_some() && here < tries {
            continue;
        }
        if !policy.fall_back(&call) {
            return (way, call.failure);
        }
        here = 0;
    }
}

/// Portkey's documentation and `tryTargetsRecursively`: which targets a request is sent to, and what the caller gets.
#[test]
fn fallback_goes_on_as_portkeys_does() {
    const ALL: &str = r#"{"tree": {"fallback": {"targets": ["a", "b", "c"]}}}"#;
    const ON_429: &str = r#"{"tree": {"fallback": {"on": [429], "targets": ["a", "b", "c"]}}}"#;
    const INNER_429: &str = r#"{"tree": {"fallback": {"targets": [
        {"fallback": {"on": [429], "targets": ["a", "b"]}}, "c"]}}}"#;
    const OUTER_429: &str = r#"{"tree": {"fallback": {"on": [429], "targets": [
        {"fallback": {"targets": ["a", "b"]}}, "c"]}}}"#;
    let (ok, e500, e429, e400) = (Success, ServerError, RateLimited, ContextExceeded);
    for (tree, answers, way, end) in [
        (ALL, [ok, ok, ok], vec![0], ok),
        (ALL, [e500, ok, ok], vec![0, 1], ok),
        (ALL, [e400, e400, ok], vec![0, 1, 2], ok),
        (ALL, [e500, e429, e400], vec![0, 1, 2], e400),
        (ON_429, [e429, ok, ok], vec![0, 1], ok),
        (ON_429, [e500, ok, ok], vec![0], e500),
        (ON_429, [e429, e500, ok], vec![0, 1], e500),
        (ON_429, [e429, e429, e429], vec![0, 1, 2], e429),
        // What the inner one stops at, the outer one sees.
        (INNER_429, [e500, ok, ok], vec![0, 2], ok),
        (INNER_429, [e429, e500, ok], vec![0, 1, 2], ok),
        (INNER_429, [e429, ok, ok], vec![0, 1], ok),
        (OUTER_429, [e429, e500, ok], vec![0, 1], e500),
        (OUTER_429, [e500, e429, ok], vec![0, 1, 2], ok),
        (OUTER_429, [e500, e429, e500], vec![0, 1, 2], e500),
    ] {
        let mut policy = policy(tree);
        assert_eq!(
            route(&mut *policy, &hosts(&[]), 1, 1, answers),
            (way, end),
            "{tree} {answers:?}"
        );
    }
}

#[test]
fn retries_come_before_the_next_target() {
    let mut policy = policy(r#"{"tree": {"fallback": {"targets": ["b", "a"]}}}"#);
    let all_fail = [ServerError; 3];
    assert_eq!(route(&mut *policy, &hosts(&[]), 1, 3, all_fail).0, [1, 1, 1, 0, 0, 0]);
}

#[test]
fn a_request_stays_with_the_target_that_was_drawn_for_it() {
    let mut policy = policy(r#"{"tree": {"loadbalance": {"targets": ["a", "b", "c"]}}}"#);
    let mut firsts = BTreeSet::new();
    for id in 0..100 {
        let (way, end) = route(&mut *policy, &hosts(&[]), id, 4, [ServerError; 3]);
        assert!(way.len() == 4 && way.iter().all(|p| *p == way[0]), "{way:?}");
        assert_eq!(end, ServerError, "and no other is asked");
        firsts.insert(way[0]);
    }
    assert_eq!(firsts.len(), 3);
}

/// fallback(loadbalance(a, b), fallback(c, a)): one of two, then c, then a, whatever was drawn.
#[test]
fn strategies_nest() {
    let mut policy = policy(
        r#"{"tree": {"fallback": {"targets": [
            {"loadbalance": {"targets": [{"provider": "a", "weight": 3}, {"provider": "b", "weight": 1}]}},
            {"fallback": {"targets": ["c", "a"]}}]}}}"#,
    );
    let mut ways = BTreeSet::new();
    for id in 0..200 {
        ways.insert(route(&mut *policy, &hosts(&[]), id, 1, [ServerError; 3]).0);
    }
    assert_eq!(ways, BTreeSet::from([vec![0, 2, 0], vec![1, 2, 0]]));
    let way = |policy: &mut dyn Policy, closed: &[usize], answers| route(policy, &hosts(closed), 7, 1, answers);
    assert_eq!(way(&mut *policy, &[0, 1], [Success; 3]), (vec![2], Success));
    assert_eq!(
        way(&mut *policy, &[0, 1], [ServerError; 3]),
        (vec![2], BreakerOpen),
        "c, and then none"
    );
    assert_eq!(way(&mut *policy, &[0, 1, 2], [Success; 3]), (vec![], BreakerOpen));
}

/// Chi-square against the shares `expected`, out of 120,000.
fn chi_square(policy: &mut dyn Policy, closed: &[usize], expected: &[f64]) -> f64 {
    let seen = counts(policy, &hosts(closed), 0, 120_000);
    assert_eq!(seen[3], 0);
    let term = |(seen, share): (&u64, &f64)| {
        let expected = share * 120_000.0;
        if expected == 0.0 {
            assert_eq!(*seen, 0);
            return 0.0;
        }
        (*seen as f64 - expected) * (*seen as f64 - expected) / expected
    };
    seen.iter().zip(expected).map(term).sum()
}

/// With two degrees of freedom 99.99 % lie under 18.4, with one under 15.1.
#[test]
fn shares_follow_the_weights_and_a_closed_targets_share_goes_to_the_others() {
    let json = r#"{"tree": {"loadbalance": {"targets": [
        {"provider": "a", "weight": 5}, {"weight": 3, "provider": "b"}, {"provider": "c", "weight": 2}]}}}"#;
    let mut policy = policy(json);
    let chi = chi_square(&mut *policy, &[], &[0.5, 0.3, 0.2]);
    assert!(chi < 18.4, "{chi}");
    let chi = chi_square(&mut *policy, &[1], &[5.0 / 7.0, 0.0, 2.0 / 7.0]);
    assert!(chi < 15.1, "{chi}");
}

/// Were a draw used twice, all that went left would go left again: a half, nothing, a half.
#[test]
fn every_strategy_and_every_leaf_draws_for_itself() {
    for json in [
        r#"{"tree": {"loadbalance": {"targets": [
            {"loadbalance": {"targets": ["a", "b"]}}, {"loadbalance": {"targets": ["b", "c"]}}]}}}"#,
        r#"{"tree": {"loadbalance": {"targets": [
            {"weighted": {"weights": {"a": 1, "b": 1}}}, {"weighted": {"weights": {"b": 1, "c": 1}}, "weight": 1}]}}}"#,
    ] {
        let chi = chi_square(&mut *policy(json), &[], &[0.25, 0.5, 0.25]);
        assert!(chi < 18.4, "{json}: {chi}");
    }
}

/// Weights 2, 1, 1: a first in a half of all cases, and then b and c alike; b first in a quarter, and then a twice as
/// often as c.
#[test]
fn variants_are_sampled_without_replacement() {
    let json = r#"{"tree": {"fallback": {"targets": [
        {"sample_without_replacement": {"targets": [{"provider": "a", "weight": 2}, "b", {"provider": "c", "weight": 1}]}},
        "a"]}}}"#;
    let mut policy = policy(json);
    let n = 48_000;
    let mut seen = std::collections::BTreeMap::new();
    for id in 0..n {
        let (way, end) = route(&mut *policy, &hosts(&[]), id, 1, [ServerError; 3]);
        assert_eq!(
            (end, way[3..].to_vec()),
            (ServerError, vec![0]),
            "after all variants the fallback"
        );
        *seen.entry(way[..3].to_vec()).or_insert(0_u64) += 1;
    }
    // Four standard deviations of a quarter of 48,000 are 380.
    for (way, share) in [
        (vec![0, 1, 2], 0.25),
        (vec![0, 2, 1], 0.25),
        (vec![1, 0, 2], 1.0 / 6.0),
        (vec![1, 2, 0], 1.0 / 12.0),
        (vec![2, 0, 1], 1.0 / 6.0),
        (vec![2, 1, 0], 1.0 / 12.0),
    ] {
        let (seen, expected) = (seen[&way], share * n as f64);
        assert!((seen as f64 - expected).abs() < 380.0, "{way:?}: {seen}");
    }
    assert_eq!(seen.len(), 6, "none twice");
}

#[test]
fn a_variant_that_fails_otherwise_ends_the_sampling() {
    let mut policy = policy(r#"{"tree": {"sample_without_replacement": {"on": ["5xx"], "targets": ["a", "b", "c"]}}}"#);
    let (way, end) = route(&mut *policy, &hosts(&[]), 3, 1, [ContextExceeded; 3]);
    assert_eq!((way.len(), end), (1, ContextExceeded));
    let (way, end) = route(&mut *policy, &hosts(&[1]), 3, 1, [ServerError; 3]);
    assert_eq!((way.len(), end), (2, BreakerOpen), "the third is closed");
}

#[test]
fn one_that_closes_between_two_tries_is_left_whatever_the_list_says() {
    let mut policy = policy(r#"{"tree": {"fallback": {"on": [429], "targets": ["a", "b"]}}}"#);
    let mut call = call(1, 0);
    let mut choose = |call: &Call, closed: &[usize]| {
        let hosts = hosts(closed);
        policy.choose(call, &Fleet::new(&hosts, None, Time::ZERO))
    };
    assert_eq!(choose(&call, &[]), Some(0));
    assert_eq!(choose(&call, &[0]), None, "a retry stays");
    call.failure = BreakerOpen;
    assert!(policy.fall_back(&call));
    let hosts = hosts(&[0]);
    assert_eq!(policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO)), Some(1));
}

#[test]
fn a_copy_goes_where_the_request_is_or_else_one_further_and_leaves_it_there() {
    let mut policy = policy(r#"{"tree": {"fallback": {"targets": ["a", "b"]}}}"#);
    let mut call = call(1, 0);
    let mut choose = |call: &Call, closed: &[usize]| {
        let hosts = hosts(closed);
        policy.choose(call, &Fleet::new(&hosts, None, Time::ZERO))
    };
    assert_eq!(choose(&call, &[]), Some(0));
    call.hedge = true;
    assert_eq!([choose(&call, &[]), choose(&call, &[0])], [Some(0), Some(1)]);
    call.hedge = false;
    assert_eq!(choose(&call, &[]), Some(0), "the request is still at a");
}

#[test]
fn a_tree_wants_what_its_leaves_want_and_to_keep_the_way() {
    let wants = |json: &str| policy(json).wants();
    let learns = wants(r#"{"tree": {"fallback": {"targets": [{"peak_ewma": {}}, "a"]}}}"#);
    assert!(learns.learns && learns.falls_back && learns.notes && !learns.headers);
    let draws = wants(r#"{"tree": {"loadbalance": {"targets": ["a", "b"]}}}"#);
    assert!(!draws.learns && !draws.falls_back && draws.notes);
}

#[test]
fn a_leaf_may_be_a_policy_that_takes_turns() {
    let mut policy =
        policy(r#"{"tree": {"fallback": {"targets": [{"round_robin": {"providers": ["c", "b"]}}, "a"]}}}"#);
    let mut way = |id| route(&mut *policy, &hosts(&[]), id, 2, [ServerError; 3]).0;
    assert_eq!([way(0), way(1)], [[2, 1, 0, 0], [2, 1, 0, 0]]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let wide = (0..20).map(|_| "\"a\"").collect::<Vec<_>>().join(",");
    let level = |inner: String| format!(r#"{{"sample_without_replacement": {{"targets": [{inner}, {wide}]}}}}"#);
    let deep = format!(r#"{{"tree": {}}}"#, level(level(level("\"b\"".to_owned()))));
    let many = vec!["\"a\""; 64].join(",");
    let many = format!(r#"{{"tree": {{"fallback": {{"targets": [{many}]}}}}}}"#);
    let leaf = |leaf: &str| format!(r#"{{"tree": {{"fallback": {{"targets": ["a", {leaf}]}}}}}}"#);
    for (json, path, message) in [
        (
            deep,
            "sample_without_replacement.targets.0.sample_without_replacement.targets.0.sample_without_replacement",
            "too deep or too wide: the way through here takes 81 bits of each request, and there are 63",
        ),
        (many, "fallback.targets", "64 targets: must be 1 to 63"),
        (leaf("\"d\""), "fallback.targets.1", "there is no provider `d`"),
        (
            leaf("\"round_robin\""),
            "fallback.targets.1",
            "there is no provider `round_robin`; the policy is written { \"round_robin\": {…} } here",
        ),
        (
            leaf(r#"{"tree": "b"}"#),
            "fallback.targets.1.tree",
            "`tree` keeps something of each request, as the tree around it does: it cannot be a leaf",
        ),
        (
            leaf(r#"{"single": {"provider": "d"}}"#),
            "fallback.targets.1.single.provider",
            "there is no provider `d`",
        ),
        (
            leaf(r#"{"loadbalance": {"targets": [{"provider": "a", "weight": 0}]}}"#),
            "fallback.targets.1.loadbalance.targets",
            "at least one weight must be above 0",
        ),
        (
            leaf(r#"{"loadbalance": {"targets": [{"provider": "a", "weight": -1}]}}"#),
            "fallback.targets.1.loadbalance.targets.0.weight",
            "a weight of -1: must be 0 or more",
        ),
        (
            r#"{"tree": {"fallback": {"targets": ["a"], "on": []}}}"#.to_owned(),
            "fallback.on",
            "an empty list: name at least one outcome, like 429 or \"5xx\", or leave it out",
        ),
    ] {
        let refusal = build(&json).unwrap_err();
        let steps: Vec<String> = refusal.path.iter().map(step).collect();
        assert_eq!((steps.join(".").as_str(), refusal.message.as_str()), (path, message));
    }
}

fn step(seg: &crate::form::diagnose::Seg) -> String {
    match seg {
        crate::form::diagnose::Seg::Key(key) => key.to_string(),
        crate::form::diagnose::Seg::Index(i) => i.to_string(),
    }
}

#[test]
fn what_is_no_tree_is_not_read() {
    for (json, message) in [
        (
            r#"{"fallback": {"targets": [{"weight": 1, "provider": "a"}]}}"#,
            "unknown variant `weight`",
        ),
        (
            r#"{"provider": "a", "single": {"provider": "a"}}"#,
            "`single` stands beside `provider`: give one target only",
        ),
        (
            r#"{}"#,
            "an object that says no target: give a `provider`, a strategy or a policy",
        ),
        (
            r#"{"fallbak": {}}"#,
            "unknown variant `fallbak`, expected one of `provider`, `fallback`",
        ),
        (
            r#"{"loadbalance": {"targets": ["a"], "on": [429]}}"#,
            "unknown field `on`, expected `targets`",
        ),
    ] {
        let error = serde_json::from_str::<Tree>(json).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn a_tree_is_written_as_it_is_read() {
    let json = r#"{"fallback":{"targets":["a",{"loadbalance":{"targets":["b",{"provider":"c","weight":2.5},{"round_robin":{"providers":["b"]},"weight":1.0}]}},{"single":{"provider":"a"}}],"on":[429,"5xx"]}}"#;
    let tree: Tree = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&tree).unwrap(), json);
}
