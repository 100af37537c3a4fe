//! Scripted failures in virtual time, against what the router did in process and what its source says.

use super::*;
use crate::client::breaker::testing::{Watch, at};

const DEFAULT: &str = r#""litellm_cooldown""#;

fn failure(now: u64, provider: usize, outcome: Outcome, retry_after: Option<f64>) -> Ended {
    Ended {
        retry_after: retry_after.map(Span::from_seconds_f64),
        ..Ended::new(at(now), provider, outcome)
    }
}

/// When calls reach provider 0, which always answers so, if one is offered each 100 ms: in milliseconds.
fn hits(watch: &mut Watch, until: u64, outcome: Outcome, retry_after: Option<f64>) -> Vec<u64> {
    let mut hits = Vec::new();
    for now in (0..until).step_by(100) {
        if watch.permits(0, at(now)) {
            let ticket = watch.sent(0, at(now));
            watch.record(ticket, &failure(now, 0, outcome, retry_after));
            hits.push(now);
        }
    }
    hits
}

#[test]
fn a_429_cools_at_once_for_its_retry_after_or_five_seconds() {
    let of = |retry_after| hits(&mut Watch::new(DEFAULT, 2), 11_000, Outcome::RateLimited, retry_after);
    // Measured: 0, 2.7, 4.8 and 0, 5.5, 10.7 s, with the client's own time.
    assert_eq!(of(Some(2.0))[..3], [0, 2_000, 4_000]);
    assert_eq!(of(None), [0, 5_000, 10_000]);
    // A Retry-After that is not a whole number of seconds does not parse.
    assert_eq!(of(Some(1.5)), [0, 5_000, 10_000]);
    // Nothing to wait is no cooldown.
    assert_eq!(of(Some(0.0)).len(), 110);
}

#[test]
fn a_dead_deployment_of_two_gets_five_hits_and_then_one_each_cooldown() {
    let seen = hits(&mut Watch::new(DEFAULT, 2), 75_000, Outcome::ServerError, None);
    assert_eq!(seen[..8], [0, 100, 200, 300, 400, 5_400, 10_400, 15_400]);
    // The failures' window ends at 60 s: it takes five again.
    assert_eq!(
        seen[14..],
        [50_400, 55_400, 60_400, 60_500, 60_600, 60_700, 60_800, 65_800, 70_800]
    );
}

#[test]
fn only_a_failure_is_a_reason_to_look() {
    let mut watch = Watch::new(DEFAULT, 2);
    // Three of five have failed, but the fifth call is a success; the thirteenth makes it 7 of 13.
    let seen = watch.run(0, 0, 50, "FFFssssssFFFF.");
    assert_eq!(seen, "ooooooooooooox");
}

#[test]
fn the_share_counts_the_successes_before() {
    for (successes, failures) in [(0, 5), (2, 3), (4, 5), (8, 9)] {
        let mut watch = Watch::new(DEFAULT, 2);
        watch.run(0, 0, 100, &"s".repeat(successes));
        let seen = watch.run(0, 10_000, 100, &"F".repeat(12));
        assert_eq!(seen.find('x'), Some(failures), "after {successes} successes");
    }
}

#[test]
fn the_windows_of_failures_and_successes_end_apart() {
    let mut watch = Watch::new(DEFAULT, 2);
    // 20 successes from 0 on, 5 failures from 50 s on: a fifth. At 60 s the successes are forgotten.
    watch.run(0, 0, 100, &"s".repeat(20));
    assert_eq!(watch.run(0, 50_000, 100, "FFFFF."), "oooooo");
    assert_eq!(watch.run(0, 61_000, 100, "F."), "ox");
}

#[test]
fn whoever_is_alone_cools_only_when_it_must() {
    let of = |json: &str, outcome| hits(&mut Watch::new(json, 1), 3_000, outcome, None).len();
    assert_eq!(of(DEFAULT, Outcome::ServerError), 30);
    assert_eq!(of(DEFAULT, Outcome::RateLimited), 30);
    assert_eq!(of(DEFAULT, Outcome::Unauthorized), 1);
    assert_eq!(
        of(r#"{"litellm_cooldown": {"allowed_fails": 2}}"#, Outcome::ServerError),
        30
    );
    // A thousand failures and no success.
    let seen = hits(&mut Watch::new(DEFAULT, 1), 59_000, Outcome::ServerError, None);
    assert_eq!(seen.len(), 590);
    let mut fast = Watch::new(DEFAULT, 1);
    assert_eq!(fast.run(0, 0, 10, &"F".repeat(1001)).find('x'), Some(1000));
}

/// LiteLLM 1.106.2 in process: 429, 401 and 404 cool at once (402 by its source), 400, 403, 409 and 422 never, a 5xx, a 408,
/// a timeout or a refused connection by its share: at the fifth of five.
#[test]
fn each_status_cools_at_once_or_by_its_share_or_never() {
    for outcome in Outcome::ALL.into_iter().filter(|&o| o != Outcome::Success) {
        let hits = hits(&mut Watch::new(DEFAULT, 2), 4_000, outcome, None).len();
        let expected = match outcome.status() {
            Some(401 | 402 | 404 | 429) => 1,
            Some(408) => 5,
            Some(400..500) => 40,
            Some(_) => 5,
            None if outcome.is_provider_failure() => 5,
            None => 40,
        };
        assert_eq!(hits, expected, "{outcome:?}");
    }
}

#[test]
fn alone_means_alone_in_every_fallback_group() {
    let cools = |groups: &[Vec<usize>]| {
        let mut watch = Watch::in_groups(DEFAULT, 3, groups);
        watch.call(0, at(0), Outcome::RateLimited);
        !watch.permits(0, at(1))
    };
    assert!(cools(&[]));
    assert!(cools(&[vec![0, 1], vec![2]]));
    assert!(!cools(&[vec![0], vec![1, 2]]));
    assert!(cools(&[vec![0], vec![0, 2]]));
}

#[test]
fn what_the_caller_did_wrong_or_the_client_ended_cools_nothing() {
    let mut watch = Watch::new(DEFAULT, 2);
    assert_eq!(watch.run(0, 0, 100, "ccccccccQQQQxxxx."), "ooooooooooooooooo");
    // Yet a 400 is a failure: eight of them, and the next 500 makes nine of nine.
    assert_eq!(watch.run(0, 2_000, 100, "F."), "ox");
}

#[test]
fn a_failure_during_a_cooldown_counts_and_prolongs_nothing() {
    let mut watch = Watch::new(DEFAULT, 2);
    let late = watch.sent(0, at(0));
    watch.run(0, 0, 100, "FFFFF");
    watch.record(late, &failure(3_000, 0, Outcome::ServerError, None));
    assert_eq!(
        (watch.permits(0, at(5_399)), watch.permits(0, at(5_400))),
        (false, true)
    );
    assert_eq!(
        (watch.trips(0), watch.time_open(0, at(60_000))),
        (1, Span::from_secs(5))
    );
}

#[test]
fn allowed_fails_are_counted_for_a_cooldown_time() {
    let mut watch = Watch::new(r#"{"litellm_cooldown": {"allowed_fails": 2}}"#, 2);
    // Two in five seconds are allowed; the third cools, whatever succeeds between.
    assert_eq!(watch.run(0, 0, 1_000, "FsFsF."), "ooooox");
    // Back at 9 s; the two of before were forgotten at 5 s.
    assert_eq!(watch.run(0, 9_000, 100, "FFF."), "ooox");
    // Two in five seconds and a third after them: allowed.
    let mut slow = Watch::new(r#"{"litellm_cooldown": {"allowed_fails": 2}}"#, 2);
    assert_eq!(slow.run(0, 0, 2_600, "FFFFFF."), "ooooooo");
}

#[test]
fn a_deployments_own_time_goes_before_retry_after() {
    let json = r#"{"litellm_cooldown": {"cooldown_time": "20s", "deployments": {"p0": "10s"}}}"#;
    let mut watch = Watch::new(json, 3);
    for (provider, retry_after, back) in [(0, Some(2.0), 10_000), (1, Some(2.0), 2_000), (2, None, 20_000)] {
        watch.record(
            Ticket::default(),
            &failure(0, provider, Outcome::RateLimited, retry_after),
        );
        let seen = (watch.permits(provider, at(back - 1)), watch.permits(provider, at(back)));
        assert_eq!(seen, (false, true), "provider {provider}");
    }
}

/// Measured, a deployment alone that answers 500: 1.106.2 cools it at the second failure with one allowed, with and without a
/// fallback; 1.109.1 and 1.110.2 with a fallback only. Three allowed are none in 1.106.2.
#[test]
fn allowed_fails_of_a_deployment_alone_by_version_and_fallback() {
    let fails = |version, rest: &str, falls_back, outcome| {
        let json = format!(r#"{{"litellm_cooldown": {{"version": "{version}", "cooldown_time": "30s", {rest}}}}}"#);
        let mut watch = Watch::falling_back(&json, 1, &[vec![0]], &[falls_back]);
        hits(&mut watch, 3_000, outcome, None).len()
    };
    let (one, three) = (r#""allowed_fails": 1"#, r#""allowed_fails": 3"#);
    let unknown = r#""allowed_fails_policy": {}"#;
    let named = r#""allowed_fails_policy": {"internal_server_error_allowed_fails": 1}"#;
    const NEVER: usize = 30;
    for (version, given, with, without) in [
        ("1.106", one, 2, 2),
        ("1.109", one, 2, NEVER),
        ("1.106", three, NEVER, NEVER),
        ("1.109", three, 4, NEVER),
        ("1.109", unknown, 4, NEVER),
        ("1.109", named, 2, 2),
    ] {
        let seen = [true, false].map(|falls_back| fails(version, given, falls_back, Outcome::ServerError));
        assert_eq!(seen, [with, without], "{version} {given}");
    }
    // A 429 counts like any other, and a kind without a number has three.
    assert_eq!(fails("1.109", one, true, Outcome::RateLimited), 2);
    assert_eq!(fails("1.109", named, true, Outcome::BadGateway), 4);
}

/// Measured on 1.106.2: two deployments, three allowed, cooled at the fifth failure as if nothing had been given.
#[test]
fn three_allowed_are_none_up_to_1_106() {
    for (version, at) in [("1.106", 5), ("1.109", 4)] {
        let json = format!(r#"{{"litellm_cooldown": {{"version": "{version}", "allowed_fails": 3}}}}"#);
        let seen = hits(&mut Watch::new(&json, 2), 3_000, Outcome::ServerError, None);
        assert_eq!(seen.len(), at, "{version}");
    }
}

#[test]
fn kinds_of_failure_share_a_count_and_have_limits_of_their_own() {
    let json = r#"{"litellm_cooldown": {"cooldown_time": "30s", "allowed_fails_policy": {"rate_limit_error_allowed_fails": 0, "timeout_error_allowed_fails": 9}}}"#;
    let mut watch = Watch::new(json, 2);
    // Five timeouts are allowed nine; then a 503 is the sixth of three.
    for i in 0..5 {
        watch.call(0, at(i), Outcome::TimeoutAttempt);
        assert!(watch.permits(0, at(i + 1)));
    }
    watch.call(0, at(6), Outcome::Unavailable);
    watch.call(1, at(6), Outcome::RateLimited);
    assert_eq!([0, 1].map(|p| watch.permits(p, at(7))), [false, false]);
}

#[test]
fn the_retry_after_of_a_503_is_the_length_of_the_cooldown() {
    let mut watch = Watch::new(r#"{"litellm_cooldown": {"allowed_fails": 0}}"#, 2);
    watch.record(Ticket::default(), &failure(0, 0, Outcome::Unavailable, Some(7.0)));
    assert_eq!([6_999, 7_000].map(|t| watch.permits(0, at(t))), [false, true]);
}

#[test]
fn the_older_version_cools_on_a_lone_failure_and_knows_no_three() {
    let mut old = Watch::new(r#"{"litellm_cooldown": {"version": "1.80"}}"#, 2);
    assert_eq!(old.run(0, 0, 100, "F."), "ox");
    let mut three = Watch::new(r#"{"litellm_cooldown": {"version": "1.80", "allowed_fails": 3}}"#, 2);
    assert_eq!(three.run(0, 0, 100, "F."), "ox");
}
