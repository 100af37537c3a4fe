//! Tests of `pipeline`: filters, scores and pickers together.

use super::super::testing::*;
use super::*;
use crate::client::host::Host;
use crate::form::build::Known;
use crate::kernel::time::{Span, Time};
use crate::words::{Left, Outcome};

const NONE: [usize; 0] = [];

fn at(seconds: u64) -> Time {
    Time::ZERO + Span::from_secs(seconds)
}

/// A pipeline with these fields; a, b, c cost 1, 2, 3 millionths of a dollar a token of input and 4, 2, 9 of output,
/// hold 1,000, 2,000, 4,000 tokens, allow 2 requests, 100 tokens and anything a minute, and are good in 90, 80, 70 %.
fn pipeline(fields: &str) -> Box<dyn Policy> {
    refused(fields).unwrap()
}

fn refused(fields: &str) -> Built<Box<dyn Policy>> {
    let known = |i: usize| Known {
        price: Some((
            [1_000_000, 2_000_000, 3_000_000][i],
            [4_000_000, 2_000_000, 9_000_000][i],
        )),
        context_window: [1000, 2000, 4000][i],
        requests_per_minute: [Some(2), None, None][i],
        tokens_per_minute: [None, Some(100), None][i],
        quality: vec![[900_000, 800_000, 700_000][i]; 2],
        ..Known::default()
    };
    build_with(
        &format!(r#"{{"pipeline": {{{fields}}}}}"#),
        &[known(0), known(1), known(2)],
    )
}

/// The providers that may be chosen for `call` at `now`, over many draws.
fn seen(policy: &mut dyn Policy, call: &Call, now: Time, closed: &[usize]) -> Vec<usize> {
    let hosts = hosts(closed);
    let mut seen: Vec<usize> = (0..100)
        .filter_map(|id| {
            let call = Call {
                attempt: super::super::testing::call(id, 0).attempt,
                ..call.clone()
            };
            policy.choose(&call, &Fleet::new(&hosts, None, now))
        })
        .collect();
    seen.sort_unstable();
    seen.dedup();
    seen
}

fn asks(input: u32, max_output: Option<u32>) -> Call {
    Call {
        input,
        max_output,
        ..call(0, 0)
    }
}

fn ended(seconds: u64, p: usize, outcome: Outcome) -> Ended {
    Ended::new(at(seconds), p, outcome)
}

#[test]
fn whoever_is_closed_is_left_out_and_nobody_left_is_nowhere_to_go() {
    let mut policy = pipeline("");
    assert_eq!(seen(&mut *policy, &asks(1, None), at(0), &[]), [0, 1, 2]);
    assert_eq!(seen(&mut *policy, &asks(1, None), at(0), &[1]), [0, 2]);
    assert_eq!(seen(&mut *policy, &asks(1, None), at(0), &[0, 1, 2]), NONE);
}

/// By input and `max_output` against windows of 1,000, 2,000 and 4,000.
#[test]
fn a_window_must_hold_the_input_and_what_may_follow() {
    for (input, max_output, left) in [
        (1000, None, vec![0, 1, 2]),
        (1000, Some(1), vec![1, 2]),
        (1001, None, vec![1, 2]),
        (1000, Some(3000), vec![2]),
        (4000, Some(1), vec![]),
    ] {
        let mut policy = pipeline(r#""filters": ["context"]"#);
        assert_eq!(
            seen(&mut *policy, &asks(input, max_output), at(0), &[]),
            left,
            "{input} {max_output:?}"
        );
    }
}

#[test]
fn limits_count_requests_when_sent_and_tokens_when_answered_until_the_clock_strikes() {
    let mut policy = pipeline(r#""filters": ["limits"], "pick": "first""#);
    let next = |policy: &mut dyn Policy, now, input| {
        let hosts = hosts(&[]);
        policy.choose(&asks(input, None), &Fleet::new(&hosts, None, at(now)))
    };
    // a: 2 requests a minute; b: 100 tokens.
    assert_eq!(
        [1, 2, 3].map(|now| next(&mut *policy, now, 10)),
        [Some(0), Some(0), Some(1)]
    );
    let mut answered = ended(4, 1, Outcome::Success);
    (answered.usage.input, answered.usage.output) = (10, 80);
    policy.learn(&answered);
    assert_eq!([10, 11].map(|input| next(&mut *policy, 5, input)), [Some(1), Some(2)]);
    assert_eq!(next(&mut *policy, 60, 11), Some(0));
    let mut own = pipeline(
        r#""filters": [{"limits": {"rpm": {"b": 1}, "from_quotas": false}}], "providers": ["b", "c"], "pick": "first""#,
    );
    assert_eq!([1, 2].map(|now| next(&mut *own, now, 500)), [Some(1), Some(2)]);
}

#[test]
fn headers_keep_a_provider_out_until_its_reset() {
    let left = |remaining, seconds| {
        Some(Left {
            limit: 100,
            remaining,
            reset: Span::from_secs(seconds),
        })
    };
    let mut policy = pipeline(r#""filters": ["headers"]"#);
    assert!(policy.wants().headers && !policy.wants().learns);
    // Sent at 8, ended at 10: what they say is of 8.
    let mut of_a = ended(10, 0, Outcome::Success);
    of_a.took = Span::from_secs(2);
    policy.read(
        &of_a,
        &Headers {
            requests: left(0, 30),
            tokens: None,
        },
    );
    policy.read(
        &ended(10, 1, Outcome::RateLimited),
        &Headers {
            requests: left(5, 30),
            tokens: left(50, 60),
        },
    );
    assert_eq!(seen(&mut *policy, &asks(50, None), at(37), &[]), [1, 2]);
    assert_eq!(seen(&mut *policy, &asks(51, None), at(37), &[]), [2]);
    assert_eq!(seen(&mut *policy, &asks(51, None), at(38), &[]), [0, 2]);
    assert_eq!(seen(&mut *policy, &asks(51, None), at(70), &[]), [0, 1, 2]);
    // One sent at 5 that ends later tells of an earlier moment.
    let mut early = ended(39, 0, Outcome::Success);
    early.took = Span::from_secs(34);
    policy.read(
        &of_a,
        &Headers {
            requests: left(0, 60),
            tokens: None,
        },
    );
    policy.read(
        &early,
        &Headers {
            requests: left(9, 60),
            tokens: None,
        },
    );
    assert_eq!(seen(&mut *policy, &asks(1, None), at(40), &[]), [1, 2]);
}

#[test]
fn a_budget_is_spent_until_the_next_window() {
    let mut policy = pipeline(r#""filters": [{"budget": {"budgets": {"a": "$1"}, "per": "1h"}}]"#);
    let spend = |policy: &mut dyn Policy, seconds, cost| {
        policy.learn(&Ended {
            cost,
            ..ended(seconds, 0, Outcome::Success)
        });
        seen(policy, &asks(1, None), at(seconds), &[])
    };
    assert_eq!(spend(&mut *policy, 10, 999_999_999_999), [0, 1, 2]);
    assert_eq!(spend(&mut *policy, 20, 1), [1, 2]);
    assert_eq!(spend(&mut *policy, 3600, 1), [0, 1, 2]);
}

#[test]
fn order_keeps_the_first_level_with_somebody_left() {
    let mut policy = pipeline(r#""filters": [{"order": {"levels": [["c"], ["a"]]}}]"#);
    let mut left = |closed: &[usize]| seen(&mut *policy, &asks(1, None), at(0), closed);
    assert_eq!([left(&[]), left(&[2]), left(&[0, 2])], [[2], [0], [1]]);
}

#[test]
fn max_price_looks_at_either_price() {
    for (most, left) in [
        (r#""input": "$2/Mtok""#, vec![0, 1]),
        (r#""output": "$2/Mtok""#, vec![1]),
        (r#""input": "$1/Mtok", "output": "$4/Mtok""#, vec![0]),
        ("", vec![0, 1, 2]),
    ] {
        let mut policy = pipeline(&format!(r#""filters": [{{"max_price": {{{most}}}}}]"#));
        assert_eq!(seen(&mut *policy, &asks(1, None), at(0), &[]), left, "{most}");
    }
}

#[test]
fn a_retry_goes_elsewhere_unless_there_is_no_elsewhere() {
    let mut policy = pipeline(r#""filters": ["not_last"]"#);
    let again = Call {
        last: Some(1),
        attempts: 1,
        ..call(0, 0)
    };
    assert_eq!(seen(&mut *policy, &again, at(0), &[]), [0, 2]);
    assert_eq!(seen(&mut *policy, &again, at(0), &[0, 2]), [1]);
}

#[test]
fn a_cooldown_follows_failures_in_a_row() {
    let fields = r#""filters": [{"cooldown": {"failures": 2, "lasts": "10s"}}]"#;
    let mut policy = pipeline(fields);
    let mut after = |seconds, outcome, retry_after| {
        policy.learn(&Ended {
            retry_after,
            ..ended(seconds, 0, outcome)
        });
        seen(&mut *policy, &asks(1, None), at(seconds), &[]).contains(&0)
    };
    let (bad, good) = (Outcome::ServerError, Outcome::Success);
    assert!(after(1, bad, None) && after(2, good, None) && after(3, bad, None));
    assert!(after(4, Outcome::ContextExceeded, None), "no fault of the provider's");
    assert!(!after(5, bad, None) && !after(14, good, None) && after(15, good, None));
    assert!(after(16, bad, None) && !after(17, bad, Some(Span::from_secs(2))) && after(19, good, None));
}

#[test]
fn relaxed_the_last_filters_are_dropped_until_somebody_is_left() {
    let filters = r#""filters": ["context", {"order": {"levels": [["a", "b"]]}}, {"cooldown": {}}, "not_last"]"#;
    let (mut strict, mut relaxed) = (pipeline(filters), pipeline(&format!("{filters}, \"relax\": true")));
    for policy in [&mut strict, &mut relaxed] {
        policy.learn(&ended(1, 0, Outcome::ServerError));
        policy.learn(&ended(1, 1, Outcome::ServerError));
    }
    let call = Call {
        last: Some(1),
        ..asks(10, None)
    };
    assert_eq!(seen(&mut *strict, &call, at(2), &[]), NONE);
    assert_eq!(
        seen(&mut *relaxed, &call, at(2), &[]),
        [0, 1],
        "neither the cooldown nor what follows it counts"
    );
    assert_eq!(
        seen(&mut *relaxed, &asks(9000, None), at(2), &[]),
        [0, 1, 2],
        "nor any filter"
    );
    assert_eq!(
        seen(&mut *relaxed, &call, at(2), &[0, 1, 2]),
        NONE,
        "but a breaker does"
    );
}

/// LiteLLM 1.109: cooldown, budget, context window, order, then the strategy. `order` sees only those whom the others
/// have left.
#[test]
fn litellms_filters_come_in_its_order() {
    let litellm = r#""filters": [{"cooldown": {}}, {"budget": {"budgets": {"b": "$1"}}}, "context",
        {"order": {"levels": [["a"], ["b"], ["c"]]}}, "not_last"], "pick": "random""#;
    let left = |events: &[(usize, Outcome, u64)], input| {
        let mut policy = pipeline(litellm);
        for &(p, outcome, cost) in events {
            policy.learn(&Ended {
                cost,
                ..ended(1, p, outcome)
            });
        }
        seen(&mut *policy, &asks(input, None), at(2), &[])
    };
    let (cooled, spent) = ((0, Outcome::RateLimited, 0), (1, Outcome::Success, 1_000_000_000_000));
    assert_eq!(left(&[], 10), [0]);
    assert_eq!(
        left(&[cooled], 10),
        [1],
        "the next level takes over from one that cools"
    );
    assert_eq!(left(&[spent], 10), [0]);
    assert_eq!(left(&[cooled, spent], 10), [2]);
    assert_eq!(left(&[], 1500), [1], "too long for the first level");
    assert_eq!(left(&[spent], 1500), [2]);
    assert_eq!(
        left(&[spent, (2, Outcome::Unauthorized, 0)], 1500),
        NONE,
        "an error at once, no wait"
    );
    let mut early = pipeline(r#""filters": [{"order": {"levels": [["a"], ["b"], ["c"]]}}, {"cooldown": {}}]"#);
    early.learn(&ended(1, 0, Outcome::RateLimited));
    assert_eq!(
        seen(&mut *early, &asks(10, None), at(2), &[]),
        NONE,
        "the other way round none would be left"
    );
}

/// The totals of a, b and c.
fn totals(policy: &str, learnt: &[Ended], in_flight: [u32; 3]) -> [f64; 3] {
    // `pick` proportional to the total shows it: out of 30,000 draws, four standard deviations are under 350.
    let mut policy = pipeline(&format!(r#"{policy}, "pick": "weighted""#));
    for ended in learnt {
        policy.learn(ended);
    }
    let mut hosts = hosts(&[]);
    for (host, n) in hosts.iter_mut().zip(in_flight) {
        host.in_flight = n;
    }
    let [a, b, c, _] = counts(&mut *policy, &hosts, 0, 30_000);
    [a, b, c].map(|n| n as f64 / 30_000.0)
}

fn shares(seen: [f64; 3], totals: [f64; 3]) {
    let sum: f64 = totals.iter().sum();
    for (seen, total) in seen.iter().zip(totals) {
        assert!((seen - total / sum).abs() < 0.0117, "{seen} against {}", total / sum);
        assert!(total > 0.0 || *seen == 0.0);
    }
}

fn took(p: usize, first: u64, end: u64, output: u32) -> Ended {
    let mut ended = ended(1, p, Outcome::Success);
    (ended.first_token, ended.took) = (Span::from_millis(first), Span::from_millis(end));
    ended.usage.output = output;
    ended
}

/// (max − x)/(max − min), as llm-d's scorers do it, and min/x.
#[test]
fn each_score_is_normalised_and_weighed() {
    let one = |score: &str| format!(r#""scores": [{score}]"#);
    let learnt = [took(0, 100, 1100, 100), took(1, 200, 700, 100), took(2, 400, 4400, 100)];
    // 1.1, 0.7 and 4.4 s; 0.1, 0.2 and 0.4 s; 100, 200 and 25 tokens a second.
    shares(totals(&one(r#""latency""#), &learnt, [0; 3]), [3.3 / 3.7, 1.0, 0.0]);
    shares(
        totals(&one(r#"{"latency": {"measures": "first_token"}}"#), &learnt, [0; 3]),
        [1.0, 2.0 / 3.0, 0.0],
    );
    shares(
        totals(
            &one(r#"{"latency": {"measures": "first_token", "scale": "inverse"}}"#),
            &learnt,
            [0; 3],
        ),
        [1.0, 0.5, 0.25],
    );
    shares(
        totals(&one(r#""throughput""#), &learnt, [0; 3]),
        [75.0 / 175.0, 1.0, 0.0],
    );
    shares(
        totals(&one(r#"{"throughput": {"scale": "inverse"}}"#), &learnt, [0; 3]),
        [0.5, 1.0, 0.125],
    );
    shares(totals(&one(r#""in_flight""#), &[], [4, 1, 0]), [0.0, 0.75, 1.0]);
    shares(totals(&one(r#""quality""#), &[], [0; 3]), [1.0, 0.5, 0.0]);
    // 2.5, 2 and 6 a million by half and half; 1, 2 and 3 by input alone.
    shares(totals(&one(r#""price""#), &[], [0; 3]), [3.5 / 4.0, 1.0, 0.0]);
    shares(
        totals(&one(r#"{"price": {"output_share": "0%"}}"#), &[], [0; 3]),
        [1.0, 0.5, 0.0],
    );
    let failed = [
        ended(1, 0, Outcome::ServerError),
        ended(1, 0, Outcome::ServerError),
        ended(1, 1, Outcome::RateLimited),
    ];
    // 0.1, then 0.19; 0.1; 0.
    shares(totals(&one(r#""errors""#), &failed, [0; 3]), [0.0, 0.09 / 0.19, 1.0]);
    let both = r#"{"in_flight": {"weight": 3}}, "quality""#;
    shares(totals(&one(both), &[], [4, 1, 0]), [1.0, 2.25 + 0.5, 3.0]);
    shares(totals(&one(r#""in_flight""#), &[], [7, 7, 7]), [1.0, 1.0, 1.0]);
    shares(totals(&one(r#""latency""#), &learnt[1..], [0; 3]), [1.0, 1.0, 0.0]);
}

#[test]
fn a_mean_fades_or_is_that_of_a_window() {
    let best = |mean: &str, millis: &[u64]| {
        let mut policy = pipeline(&format!(
            r#""providers": ["a", "b"], "scores": [{{"latency": {{{mean}}}}}]"#
        ))
        .fresh();
        policy.learn(&took(1, 0, 500, 1));
        for &ms in millis {
            policy.learn(&took(0, 0, ms, 1));
        }
        choose_at(&mut *policy, &hosts(&[]), at(1))
    };
    // 1,000, then 0.5·1,000 + 0.5·100 = 550, then 325.
    assert_eq!(best(r#""alpha": "50%""#, &[1000, 100]), Some(1));
    assert_eq!(best(r#""alpha": "50%""#, &[1000, 100, 100]), Some(0));
    assert_eq!(best(r#""window": 2"#, &[1000, 100]), Some(1), "550");
    assert_eq!(best(r#""window": 2"#, &[1000, 100, 100]), Some(0), "100");
}

#[test]
fn each_pick_takes_whom_it_says() {
    let scores = r#""scores": ["quality"]"#;
    let shares = |pick: &str| {
        let mut policy = pipeline(&format!(r#"{scores}, "pick": {pick}"#));
        counts(&mut *policy, &hosts(&[]), 0, 9000)
    };
    // a 1, b 0.5, c 0. Four standard deviations of a share of 9,000 are under 190.
    let near = |seen: [u64; 4], expected: [u64; 3]| {
        assert!(
            seen.iter()
                .zip(expected)
                .all(|(s, e)| s.abs_diff(e) < 190 && (e > 0 || *s == 0)),
            "{seen:?}"
        );
    };
    near(shares(r#""best""#), [9000, 0, 0]);
    near(shares(r#""first""#), [9000, 0, 0]);
    near(shares(r#""random""#), [3000, 3000, 3000]);
    near(shares(r#""weighted""#), [6000, 3000, 0]);
    near(shares(r#"{"weighted": {"power": 2}}"#), [7200, 1800, 0]);
    near(shares(r#""p2c""#), [6000, 3000, 0]);
    near(shares(r#""top""#), [4500, 4500, 0]);
    near(shares(r#"{"top": {"k": 9}}"#), [3000, 3000, 3000]);
}

/// Both make the same choice for each of so many requests, whatever is in flight and whichever is closed.
fn same(pipeline: &mut dyn Policy, other: &mut dyn Policy) {
    same_with([&[], &[], &[1], &[0, 2]], pipeline, other);
}

/// The same, with these closed in turn.
fn same_with(closed: [&[usize]; 4], pipeline: &mut dyn Policy, other: &mut dyn Policy) {
    for id in 0..5000_u64 {
        let closed = closed[id as usize % 4];
        let mut hosts: Vec<Host> = hosts(closed);
        for (i, host) in hosts.iter_mut().enumerate() {
            host.in_flight = (id / [1, 3, 9][i] % 3) as u32;
        }
        let fleet = Fleet::new(&hosts, None, Time::ZERO);
        let call = call(id, 0);
        assert_eq!(pipeline.choose(&call, &fleet), other.choose(&call, &fleet), "{id}");
    }
}

#[test]
fn some_pipelines_are_policies_of_their_own() {
    same(
        &mut *pipeline(r#""scores": ["in_flight"]"#),
        &mut *policy(r#""least_in_flight""#),
    );
    // Where one is closed, the policy draws again and the pipeline has filtered before.
    same_with(
        [&[], &[], &[], &[0, 2]],
        &mut *pipeline(r#""scores": ["in_flight"], "pick": "p2c""#),
        &mut *policy(r#""p2c""#),
    );
    let prices = [
        Some((1_000_000, 4_000_000)),
        Some((2_000_000, 2_000_000)),
        Some((3_000_000, 9_000_000)),
    ];
    same(
        &mut *pipeline(r#""scores": [{"price": {"scale": "inverse"}}], "pick": {"weighted": {"power": 2}}"#),
        &mut *policy_with(r#""openrouter""#, &prices),
    );
    same(
        &mut *pipeline(r#""filters": [{"order": {"levels": [["b"], ["a", "c"]]}}], "pick": "weighted""#),
        &mut *policy(r#"{"priority": {"levels": [{"b": 1}, {"a": 1, "c": 1}]}}"#),
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (fields, path, message) in [
        (
            r#""filters": ["context", {"limits": {"rpm": {"d": 1}}}]"#,
            "filters.1.limits.rpm.d",
            "there is no provider `d`",
        ),
        (
            r#""filters": [{"budget": {"budgets": {"d": "$1"}}}]"#,
            "filters.0.budget.budgets.d",
            "there is no provider `d`",
        ),
        (
            r#""filters": [{"budget": {"budgets": {}, "per": "0s"}}]"#,
            "filters.0.budget.per",
            "0s: must be longer than nothing",
        ),
        (
            r#""filters": [{"order": {"levels": []}}]"#,
            "filters.0.order.levels",
            "there must be at least one level",
        ),
        (
            r#""filters": [{"order": {"levels": [["a"], ["b", "a"]]}}]"#,
            "filters.0.order.levels.1.1",
            "`a` is on a level already",
        ),
        (
            r#""filters": [{"max_price": {"input": "$0/Mtok"}}]"#,
            "filters.0.max_price",
            "every provider that takes part asks more",
        ),
        (
            r#""filters": [{"cooldown": {"failures": 0}}]"#,
            "filters.0.cooldown.failures",
            "0 failures: must be 1 or more",
        ),
        (
            r#""scores": [{"errors": {"weight": -1}}]"#,
            "scores.0.errors.weight",
            "a weight of -1: must be 0 or more",
        ),
        (
            r#""scores": [{"latency": {"alpha": "10%", "window": 5}}]"#,
            "scores.0.latency.window",
            "stands beside `alpha`: give one of them",
        ),
        (
            r#""scores": [{"latency": {"window": 0}}]"#,
            "scores.0.latency.window",
            "0 samples: must be 1 to 1000",
        ),
        (
            r#""scores": [{"latency": {"alpha": "0%"}}]"#,
            "scores.0.latency.alpha",
            "0: nothing would ever be learnt; must be above 0",
        ),
        (
            r#""pick": {"top": {"k": 0}}"#,
            "pick.top.k",
            "the best 0: must be 1 or more",
        ),
        (
            r#""pick": {"weighted": {"power": -1}}"#,
            "pick.weighted.power",
            "a power of -1: must be 0 or more",
        ),
    ] {
        let refusal = refused(fields).unwrap_err();
        let step = |seg: &crate::form::diagnose::Seg| match seg {
            crate::form::diagnose::Seg::Key(key) => key.clone(),
            crate::form::diagnose::Seg::Index(i) => i.to_string(),
        };
        let path_of: Vec<String> = refusal.path.iter().map(step).collect();
        assert_eq!((path_of.join(".").as_str(), refusal.message.as_str()), (path, message));
    }
    let unrated = build(r#"{"pipeline": {"scores": ["quality"]}}"#).unwrap_err();
    assert_eq!(
        unrated.message,
        "it is not known how good `a` is at `x`: give its `quality`, by which this scores"
    );
}
