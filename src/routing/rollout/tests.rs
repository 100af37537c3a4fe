//! Tests of `rollout`: stages, gates and roll-back, in virtual time.

use super::super::testing::*;
use super::*;
use crate::client::host::Host;
use crate::form::diagnose::Seg;

fn at(seconds: u64) -> Time {
    Time::ZERO + Span::from_secs(seconds)
}

/// From a to b by these stages and this rest.
fn spec(stages: &str, rest: &str) -> String {
    format!(
        r#"{{"rollout": {{"old": {{"single": {{"provider": "a"}}}}, "new": {{"single": {{"provider": "b"}}}},
            "stages": [{stages}]{rest}}}}}"#
    )
}

const ALL: &str = r#"{"share": 1}"#;

/// An attempt of the new side (or the old one) ends so, after this time.
fn ends(policy: &mut dyn Policy, now: u64, is_new: bool, outcome: Outcome, millis: u64) {
    let mut ended = Ended::new(at(now), usize::from(is_new), outcome);
    ended.notes = 1 + u64::from(is_new);
    ended.took = Span::from_millis(millis);
    if outcome == Outcome::Success {
        ended.first_token = Span::from_millis(millis / 2);
    }
    policy.learn(&ended);
}

/// As many attempts of the new side as there are letters, one a second from `from` on: F fails, s succeeds.
fn run(policy: &mut dyn Policy, from: u64, letters: &str) {
    for (i, letter) in letters.chars().enumerate() {
        let outcome = if letter == 'F' {
            Outcome::ServerError
        } else {
            Outcome::Success
        };
        ends(policy, from + i as u64, true, outcome, 100);
    }
}

/// Which of so many users are on the new side.
fn moved(policy: &mut dyn Policy, hosts: &[Host], seconds: u64, users: u64) -> Vec<bool> {
    (0..users)
        .map(|u| choose_by(policy, hosts, at(seconds), u) == Some(1))
        .collect()
}

/// What has been passed, and at what second.
fn passed(policy: &dyn Policy) -> Vec<(String, f64)> {
    let passed = |m: Milestone| m.at.map(|at| (m.what, at.seconds()));
    policy.milestones().into_iter().filter_map(passed).collect()
}

fn rolled_back(policy: &dyn Policy) -> Option<f64> {
    passed(policy)
        .into_iter()
        .find(|(what, _)| what == "rolled back")
        .map(|(_, at)| at)
}

/// Of 20,000 users the standard deviation of a share of 0.25 is 0.0031.
#[test]
fn the_share_grows_stage_by_stage_and_whoever_has_moved_stays_moved() {
    let stages = r#"{"share": "5%", "hold": "10s"}, {"share": "25%", "hold": "20s"}, {"share": 0.5, "hold": "30s"}, {"share": 1}"#;
    for by in ["user", "request"] {
        let mut policy = policy(&spec(stages, &format!(r#", "by": "{by}", "from": "5s""#)));
        let hosts = hosts(&[]);
        let mut before = moved(&mut *policy, &hosts, 4, 20_000);
        assert!(before.iter().all(|moved| !moved));
        for (now, share) in [(5, 0.05), (14, 0.05), (15, 0.25), (34, 0.25), (35, 0.5), (65, 1.0)] {
            let after = moved(&mut *policy, &hosts, now, 20_000);
            let part = after.iter().filter(|m| **m).count() as f64 / 20_000.0;
            assert!((part - share).abs() < 0.013, "{by} at {now}: {part}");
            assert!(
                before.iter().zip(&after).all(|(before, after)| before <= after),
                "{by} at {now}"
            );
            before = after;
        }
        let stages = ["5%", "25%", "50%", "100%"].map(|s| format!("{s} on the new side"));
        let expected: Vec<_> = stages.into_iter().zip([5.0, 15.0, 35.0, 65.0]).collect();
        assert_eq!(passed(&*policy), expected);
    }
}

#[test]
fn another_salt_moves_others_and_all_requests_of_a_user_go_one_way() {
    let users = |rest: &str| moved(&mut *policy(&spec(r#"{"share": 0.5}"#, rest)), &hosts(&[]), 0, 1000);
    let (one, other) = (users(""), users(r#", "salt": 1"#));
    let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(
        same.abs_diff(500) < 64,
        "four standard deviations of 1,000 fair coins: {same}"
    );

    let (mut policy, hosts) = (policy(&spec(r#"{"share": 0.5}"#, "")), hosts(&[]));
    for (user, &moved) in one.iter().enumerate() {
        let call = Call {
            user: user as u32,
            ..call(7, 0)
        };
        let side = policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO));
        assert_eq!(side, Some(usize::from(moved)));
    }
}

#[test]
fn a_request_stays_where_it_began_until_a_rollback() {
    let stages = r#"{"share": 1e-9, "hold": "10s"}, {"share": 1}"#;
    let rest = r#", "gates": {"error_rate": {"at_most": 0, "window": 1}}"#;
    let (mut policy, hosts) = (policy(&spec(stages, rest)), hosts(&[]));
    let (early, late) = (call(1, 0), call(1, 0));
    let next = |policy: &mut dyn Policy, call: &Call, now| policy.choose(call, &Fleet::new(&hosts, None, at(now)));
    assert_eq!(next(&mut *policy, &early, 0), Some(0));
    assert_eq!(next(&mut *policy, &late, 10), Some(1));
    assert_eq!(
        next(&mut *policy, &early, 11),
        Some(0),
        "its user has moved, it has not"
    );
    run(&mut *policy, 12, "F");
    assert_eq!(next(&mut *policy, &late, 12), Some(0));
}

/// An article on a migration in stages: more than 5 % of the last 100. Five are allowed; the sixth within a hundred is
/// not; then never again.
#[test]
fn above_five_of_the_last_hundred_everything_goes_back_for_good() {
    let mut policy = policy(&spec(ALL, r#", "gates": {"error_rate": {"at_most": "5%"}}"#));
    let calls = "FFFFF".to_string() + &"s".repeat(95) + "sssssFFFFF";
    run(&mut *policy, 0, &calls);
    assert_eq!(choose_at(&mut *policy, &hosts(&[]), at(109)), Some(1));
    run(&mut *policy, 110, "F");
    assert_eq!(choose_at(&mut *policy, &hosts(&[]), at(110)), Some(0));
    run(&mut *policy, 111, &"s".repeat(200));
    assert_eq!(choose_at(&mut *policy, &hosts(&[]), at(86_400 * 365)), Some(0));
    let whole = |what: &str| (what.to_string(), if what.starts_with("100") { 0.0 } else { 110.0 });
    assert_eq!(
        passed(&*policy),
        ["100% on the new side", "gate error_rate fails", "rolled back"].map(whole)
    );
}

#[test]
fn too_few_attempts_are_not_judged() {
    for (least, first) in [("", 100), (r#", "min_requests": 20"#, 20)] {
        let mut policy = policy(&spec(
            ALL,
            &format!(r#", "gates": {{"error_rate": {{"at_most": "5%"{least}}}}}"#),
        ));
        run(&mut *policy, 1, &"F".repeat(first - 1));
        assert_eq!(rolled_back(&*policy), None);
        run(&mut *policy, first as u64, "F");
        assert_eq!(rolled_back(&*policy), Some(first as f64));
    }
}

#[test]
fn what_the_old_side_or_the_client_did_is_not_held_against_the_new_one() {
    let rest = r#", "gates": {"error_rate": {"at_most": 0, "window": 1}}"#;
    let mut policy = policy(&spec(ALL, rest));
    choose_at(&mut *policy, &hosts(&[]), at(0));
    ends(&mut *policy, 1, false, Outcome::ServerError, 1);
    for own in [
        Outcome::Cancelled,
        Outcome::TimeoutTotal,
        Outcome::QueueTimeout,
        Outcome::ContextExceeded,
    ] {
        ends(&mut *policy, 2, true, own, 1);
    }
    assert_eq!(rolled_back(&*policy), None);
    ends(&mut *policy, 3, true, Outcome::RateLimited, 1);
    assert_eq!(rolled_back(&*policy), Some(3.0));
}

/// The 19th of 20 values is their 95th percentile.
#[test]
fn a_percentile_may_be_bounded_by_a_time_or_by_the_old_sides() {
    // Gate; how the old side's 20 attempts end; the new side's; whether the gate fails.
    let cases = [
        (r#""e2e": {"at_most": "300ms""#, 100, [200, 200], 400, false),
        (r#""e2e": {"at_most": "300ms""#, 100, [200, 400], 400, true),
        (r#""e2e": {"at_most": "400ms""#, 100, [200, 400], 400, false),
        (
            r#""e2e": {"percentile": 0.9, "at_most": "300ms""#,
            100,
            [200, 400],
            400,
            false,
        ),
        (r#""ttft": {"at_most": "200ms""#, 100, [200, 400], 400, false),
        (r#""ttft": {"at_most": "199ms""#, 100, [200, 400], 400, true),
        (r#""e2e": {"times_old": 2"#, 200, [200, 400], 400, false),
        (r#""e2e": {"times_old": 1.9"#, 200, [200, 400], 400, true),
        (
            r#""e2e": {"times_old": 1.9, "at_most": "1s""#,
            200,
            [200, 400],
            400,
            true,
        ),
    ];
    for (gate, old, [most, last_but_one], last, fails) in cases {
        let mut policy = policy(&spec(ALL, &format!(r#", "gates": {{{gate}, "window": 20}}}}"#)));
        choose_at(&mut *policy, &hosts(&[]), at(0));
        for _ in 0..20 {
            ends(&mut *policy, 1, false, Outcome::Success, old);
        }
        for millis in std::iter::repeat_n(most, 18).chain([last_but_one, last]) {
            ends(&mut *policy, 2, true, Outcome::Success, millis);
        }
        assert_eq!(rolled_back(&*policy).is_some(), fails, "{gate}");
    }
}

#[test]
fn without_enough_of_the_old_side_there_is_nothing_to_compare_with() {
    let rest = r#", "gates": {"e2e": {"times_old": 1.2, "window": 5}}"#;
    let mut policy = policy(&spec(ALL, rest));
    choose_at(&mut *policy, &hosts(&[]), at(0));
    for _ in 0..4 {
        ends(&mut *policy, 1, false, Outcome::Success, 10);
    }
    run(&mut *policy, 2, "sssss");
    assert_eq!(rolled_back(&*policy), None);
    ends(&mut *policy, 8, false, Outcome::Success, 10);
    run(&mut *policy, 9, "s");
    assert_eq!(rolled_back(&*policy), Some(9.0));
}

/// Answers too slow to come within a timeout are slow; a refusal has no time.
#[test]
fn a_timeout_counts_as_long_as_it_took() {
    let rest = r#", "gates": {"ttft": {"percentile": 0.5, "at_most": "1s", "window": 3}}"#;
    let mut policy = policy(&spec(ALL, rest));
    choose_at(&mut *policy, &hosts(&[]), at(0));
    ends(&mut *policy, 1, true, Outcome::Success, 10);
    for (now, outcome) in [
        (2, Outcome::ServerError),
        (3, Outcome::TimeoutTtft),
        (4, Outcome::TimeoutTtft),
    ] {
        assert_eq!(rolled_back(&*policy), None);
        ends(&mut *policy, now, true, outcome, 5000);
    }
    assert_eq!(rolled_back(&*policy), Some(4.0));
}

#[test]
fn a_stage_waits_for_its_hold_and_for_its_requests() {
    let stages = r#"{"share": 0.5, "hold": "10s", "min_requests": 3}, {"share": 1, "hold": "5s", "min_requests": 1}"#;
    for (answers, second) in [([1, 2, 3], 10.0), ([1, 2, 30], 30.0)] {
        let (mut policy, hosts) = (policy(&spec(stages, "")), hosts(&[]));
        choose_at(&mut *policy, &hosts, at(0));
        for now in answers {
            ends(&mut *policy, now, true, Outcome::Success, 1);
        }
        choose_at(&mut *policy, &hosts, at(90));
        assert_eq!(passed(&*policy).get(1).map(|p| p.1), Some(second));
        assert_eq!(passed(&*policy).len(), 2, "not finished: nothing judged since");
        ends(&mut *policy, 100, true, Outcome::Success, 1);
        assert_eq!(passed(&*policy).get(2), Some(&("finished".to_string(), 100.0)));
    }
}

#[test]
fn once_finished_nobody_is_judged() {
    let stages = r#"{"share": 1, "hold": "10s"}"#;
    let mut policy = policy(&spec(
        stages,
        r#", "gates": {"error_rate": {"at_most": 0, "window": 1}}"#,
    ));
    run(&mut *policy, 10, "FFF");
    assert_eq!(choose_at(&mut *policy, &hosts(&[]), at(20)), Some(1));
    assert_eq!(rolled_back(&*policy), None);
}

#[test]
fn a_rollback_takes_its_time() {
    let rest = r#", "rollback_takes": "5m", "gates": {"error_rate": {"at_most": 0, "window": 1}}"#;
    let (mut policy, hosts) = (policy(&spec(ALL, rest)), hosts(&[]));
    choose_at(&mut *policy, &hosts, at(0));
    run(&mut *policy, 10, "FsFs");
    assert_eq!(choose_at(&mut *policy, &hosts, at(309)), Some(1));
    assert_eq!(choose_at(&mut *policy, &hosts, at(400)), Some(0));
    assert_eq!(rolled_back(&*policy), Some(310.0));
}

#[test]
fn a_pause_lasts_while_a_gate_fails_and_the_hold_begins_anew() {
    let stages = r#"{"share": 1e-9, "hold": "10s"}, {"share": 1, "hold": "10s"}"#;
    let rest = r#", "on_failure": "pause", "gates": {"error_rate": {"at_most": 0, "window": 2}}"#;
    let (mut policy, hosts) = (policy(&spec(stages, rest)), hosts(&[]));
    choose_at(&mut *policy, &hosts, at(0));
    run(&mut *policy, 5, "sF");
    assert_eq!(choose_at(&mut *policy, &hosts, at(100)), Some(0), "paused at its share");
    run(&mut *policy, 200, "ss");
    assert_eq!(choose_at(&mut *policy, &hosts, at(210)), Some(0));
    assert_eq!(
        choose_at(&mut *policy, &hosts, at(211)),
        Some(1),
        "ten seconds after 201"
    );
    assert_eq!(
        passed(&*policy)[1..],
        [
            ("100% on the new side", 211.0),
            ("gate error_rate fails", 6.0),
            ("paused", 6.0)
        ]
        .map(|(w, t)| (w.to_string(), t))
    );
}

#[test]
fn it_may_try_again_with_nothing_counted() {
    let stages = r#"{"share": 1e-9, "hold": "10s"}, {"share": 1}"#;
    let rest = r#", "on_failure": {"retry_after": "1h"}, "gates": {"error_rate": {"at_most": "50%", "window": 2}}"#;
    let (mut policy, hosts) = (policy(&spec(stages, rest)), hosts(&[]));
    assert_eq!(choose_at(&mut *policy, &hosts, at(10)), Some(1));
    run(&mut *policy, 10, "FF");
    assert_eq!(
        choose_at(&mut *policy, &hosts, at(3611)),
        Some(0),
        "the first stage again"
    );
    run(&mut *policy, 3612, "F");
    assert_eq!(
        choose_at(&mut *policy, &hosts, at(3621)),
        Some(1),
        "one failure is too few"
    );
    run(&mut *policy, 3622, "F");
    assert_eq!(choose_at(&mut *policy, &hosts, at(3622)), Some(0));
    assert_eq!(rolled_back(&*policy), Some(11.0), "the first time");
}

#[test]
fn a_fresh_one_has_passed_nothing() {
    let mut policy = policy(&spec(ALL, r#", "gates": {"error_rate": {"at_most": 0, "window": 1}}"#));
    run(&mut *policy, 0, "F");
    assert_eq!(passed(&*policy).len(), 3);
    let mut fresh = policy.fresh();
    assert_eq!(passed(&*fresh), []);
    assert_eq!(choose_at(&mut *fresh, &hosts(&[]), at(0)), Some(1));
}

#[test]
fn mistakes_are_refused_with_their_place() {
    let nested = spec(ALL, "").replacen(r#"{"single": {"provider": "b"}}"#, &spec(ALL, ""), 1);
    let gate = |gate: &str| spec(ALL, &format!(r#", "gates": {{{gate}}}"#));
    for (json, path, message) in [
        (spec("", ""), "stages", "there must be at least one stage"),
        (
            spec(r#"{"share": 0}"#, ""),
            "stages[0].share",
            "a share of 0: must be above 0",
        ),
        (
            spec(r#"{"share": 0.5, "hold": "1h"}, {"share": 0.5}"#, ""),
            "stages[1].share",
            "a share of 0.5: must be above 0.5, that of the stage before",
        ),
        (
            spec(r#"{"share": 0.5}, {"share": 1}"#, ""),
            "stages[0]",
            "a stage that is never over: give `hold` to all but the last",
        ),
        (
            nested,
            "new",
            "`rollout` keeps notes of each request, and so does the rollout: only one of them can",
        ),
        (
            spec(ALL, "").replace("\"b\"", "\"d\""),
            "new.single.provider",
            "there is no provider `d`",
        ),
        (
            gate(r#""error_rate": {}"#),
            "gates.error_rate",
            "a gate that lets everything through: give `at_most`, `times_old` or both",
        ),
        (
            gate(r#""ttft": {"times_old": 0}"#),
            "gates.ttft.times_old",
            "0 times: must be above 0",
        ),
        (
            gate(r#""e2e": {"at_most": "1s", "percentile": 0}"#),
            "gates.e2e.percentile",
            "a percentile of 0: must be above 0",
        ),
        (
            gate(r#""error_rate": {"at_most": 0.1, "window": 20000}"#),
            "gates.error_rate.window",
            "a window of 20000: must be 1 to 10000",
        ),
        (
            gate(r#""error_rate": {"at_most": 0.1, "min_requests": 101}"#),
            "gates.error_rate.min_requests",
            "a minimum of 101: must be 1 to 100, the window",
        ),
    ] {
        let refusal = build(&json).err().unwrap();
        let mut place = String::new();
        for step in &refusal.path {
            match step {
                Seg::Key(key) if place.is_empty() => place.push_str(key),
                Seg::Key(key) => place.push_str(&format!(".{key}")),
                Seg::Index(i) => place.push_str(&format!("[{i}]")),
            }
        }
        assert_eq!((place.as_str(), refusal.message.as_str()), (path, message), "{json}");
    }
}
