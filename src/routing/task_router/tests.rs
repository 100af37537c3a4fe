//! Tests of `task_router`: the published table, its budget, and the mended rules.

use super::super::testing::*;
use super::*;
use crate::client::host::Host;
use crate::form::build::Known;
use crate::kernel::time::Time;

/// Class x is code, which b does; y is general.
fn spec(rest: &str) -> String {
    format!(
        r#"{{"task_router": {{ "tasks": {{"code": {{"provider": "b", "classes": ["x"]}}}},
            "weights": {{"a": 3, "b": 1}}, "cheapest": "c" {rest}}}}}"#
    )
}

const DOLLAR: u64 = 1_000_000_000_000;

/// The policy where x asks for `x`; a, b and c cost $10, $5 and $1 a million tokens, whichever way.
fn asking(rest: &str, x: Asked) -> Box<dyn Policy> {
    let known = [10, 5, 1].map(|price| Known {
        price: Some((price * 1_000_000, price * 1_000_000)),
        context_window: u64::MAX,
        ..Known::default()
    });
    build_asking(&spec(rest), &known, &[x, Asked::default()]).unwrap()
}

fn goes(policy: &mut dyn Policy, hosts: &[Host], call: &Call) -> Option<usize> {
    policy.choose(call, &Fleet::new(hosts, None, Time::ZERO))
}

#[test]
fn a_task_has_its_provider_and_general_goes_by_weight() {
    let mut policy = asking("", Asked::default());
    assert_eq!(counts(&mut *policy, &hosts(&[]), 0, 10), [0, 10, 0, 0]);
    // Four standard deviations of a binomial count of 40,000 are under 350.
    let [a, b, _, _] = counts(&mut *policy, &hosts(&[]), 1, 40_000);
    assert!(a.abs_diff(30_000) < 350 && a + b == 40_000, "{a} {b}");
}

#[test]
fn as_published_the_name_asked_for_wins_then_a_small_budget_and_nothing_else_counts() {
    let small = Some(DOLLAR - 1);
    for (asked, expected) in [
        (
            Asked {
                cost_budget: small,
                ..Asked::default()
            },
            2,
        ),
        (
            Asked {
                cost_budget: Some(DOLLAR),
                ..Asked::default()
            },
            1,
        ),
        (
            Asked {
                cost_budget: small,
                provider: Some(0),
                ..Asked::default()
            },
            0,
        ),
        (
            Asked {
                latency_budget: Some(Span::from_millis(1)),
                ..Asked::default()
            },
            1,
        ),
    ] {
        let mut policy = asking(r#", "max_context": {"b": 1}"#, asked.clone());
        assert_eq!(
            goes(&mut *policy, &hosts(&[]), &call(0, 0)),
            Some(expected),
            "{asked:?}"
        );
        assert_eq!(
            goes(&mut *policy, &hosts(&[expected]), &call(0, 0)),
            None,
            "no fallback"
        );
    }
}

#[test]
fn a_misread_task_goes_by_weight() {
    let mut policy = asking(r#", "misread": {"x": {"general": 1}}"#, Asked::default());
    let [a, b, _, _] = counts(&mut *policy, &hosts(&[]), 0, 40_000);
    assert!(a.abs_diff(30_000) < 350 && a + b == 40_000, "{a} {b}");
}

/// 900 tokens are taken for 1,000, and 2,000 more of output: 3,000 in all, at $5 a million $0.015.
#[test]
fn mended_it_is_the_estimate_that_must_be_within_the_budget_and_the_context() {
    let read = Call {
        input: 900,
        ..call(0, 0)
    };
    let short = Call {
        max_output: Some(1),
        ..read.clone()
    };
    let latency = r#", "mended": true, "latency": {"a": "45ms", "b": "55ms", "c": "50ms"}"#;
    let budget = |budget| Asked {
        cost_budget: Some(budget),
        ..Asked::default()
    };
    let hurry = |millis| Asked {
        latency_budget: Some(Span::from_millis(millis)),
        ..Asked::default()
    };
    for (more, asked, call, expected) in [
        ("", budget(DOLLAR * 15 / 1000), &read, [1]),
        ("", budget(DOLLAR * 15 / 1000 - 1), &read, [2]),
        ("", budget(DOLLAR * 6 / 1000), &short, [1]),
        ("", budget(1), &read, [2]),
        ("", hurry(55), &read, [1]),
        ("", hurry(45), &read, [0]),
        ("", hurry(1), &read, [0]),
        (r#", "max_context": {"b": 3000}"#, Asked::default(), &read, [1]),
        (r#", "max_context": {"b": 2999}"#, Asked::default(), &read, [0]),
        (r#", "max_context": {"b": 2999}"#, Asked::default(), &short, [1]),
        (
            r#", "max_context": {"a": 1, "b": 1, "c": 1}"#,
            Asked::default(),
            &read,
            [1],
        ),
        (
            r#", "estimate": {"characters": 8}, "max_context": {"b": 5699}"#,
            Asked::default(),
            &read,
            [0],
        ),
    ] {
        let mut policy = asking(&format!("{latency}{more}"), asked.clone());
        assert_eq!(
            goes(&mut *policy, &hosts(&[]), call),
            Some(expected[0]),
            "{more} {asked:?}"
        );
    }
}

#[test]
fn mended_it_goes_elsewhere_after_a_failure_and_around_a_closed_one() {
    let mut policy = asking(
        r#", "mended": true"#,
        Asked {
            provider: Some(1),
            ..Asked::default()
        },
    );
    let after = |last| Call {
        last: Some(last),
        attempts: 1,
        ..call(0, 0)
    };
    assert_eq!(goes(&mut *policy, &hosts(&[]), &call(0, 0)), Some(1));
    assert_eq!(goes(&mut *policy, &hosts(&[1]), &call(0, 0)), Some(0));
    assert_eq!(goes(&mut *policy, &hosts(&[]), &after(1)), Some(0));
    assert_eq!(
        goes(&mut *policy, &hosts(&[0, 1]), &after(1)),
        Some(2),
        "none left has a weight"
    );
    assert_eq!(
        goes(&mut *policy, &hosts(&[0, 2]), &after(1)),
        Some(1),
        "no other is left"
    );
    assert_eq!(goes(&mut *policy, &hosts(&[0, 1, 2]), &after(1)), None);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let task =
        |tasks: &str| format!(r#"{{"task_router": {{"tasks": {{{tasks}}}, "weights": {{"a": 1}}, "cheapest": "a"}}}}"#);
    for (json, path, message) in [
        (
            task(r#""general": {"provider": "a"}"#),
            "tasks/general",
            "`general` is what belongs to no task, and goes by `weights`",
        ),
        (
            task(r#""t": {"provider": "a", "classes": ["x"]}, "u": {"provider": "b", "classes": ["x"]}"#),
            "tasks/u/classes/0",
            "class `x` is of task `t` already",
        ),
        (
            spec(r#", "misread": {"x": {"code": 0.1}}"#),
            "misread/x/code",
            "`code` is this class's own task; give only the wrong ones",
        ),
        (spec(r#", "misread": {"z": {}}"#), "misread/z", "there is no class `z`"),
        (
            spec(r#", "mended": true, "estimate": {"output": -1}"#),
            "estimate/output",
            "-1: must be 0 or more",
        ),
    ] {
        assert_eq!(refused(&json), (path.to_owned(), message.to_owned()));
    }
    let hurried = [
        Asked {
            latency_budget: Some(Span::ZERO),
            ..Asked::default()
        },
        Asked::default(),
    ];
    let refusal = build_asking(
        &spec(r#", "mended": true, "latency": {"a": "1ms", "b": "1ms"}"#),
        &[],
        &hurried,
    )
    .err()
    .unwrap();
    assert_eq!(
        refusal.message,
        "class `x` has a latency budget, and `c` no typical latency here"
    );
}
