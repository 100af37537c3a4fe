//! Tests of `resilience4j`: its states and windows, in virtual time.

use super::super::testing::{Watch, at};
use super::*;
use crate::words::Outcome;

fn watch(fields: &str) -> Watch {
    Watch::new(&format!(r#"{{"resilience4j": {{{fields}}}}}"#), 1)
}

#[test]
fn rates_count_from_the_minimum_on_and_reach_the_threshold() {
    let small = r#""sliding_window_size": 4, "minimum_number_of_calls": 4"#;
    // 3 of 3 are too few to tell; 3 of 4 open it. 1 of 4 does not; 2 of the last 4 do.
    assert_eq!(watch(small).run(0, 0, 10, "FFFs."), "oooox");
    assert_eq!(watch(small).run(0, 0, 10, "FsssFF."), "oooooox");
    // The first failure has left the window when the second comes.
    assert_eq!(watch(small).run(0, 0, 10, "FssssF."), "ooooooo");
    // A minimum above the window is the window.
    let capped = r#""sliding_window_size": 4"#;
    assert_eq!(watch(capped).run(0, 0, 10, "FFFF."), "oooox");
    // Untouched, it takes a hundred calls.
    assert_eq!(watch("").run(0, 0, 10, &"F".repeat(101)).find('x'), Some(100));
}

#[test]
fn a_window_of_seconds_forgets_by_the_clock() {
    let seconds = r#""sliding_window_type": "time_based", "sliding_window_size": 3, "minimum_number_of_calls": 3"#;
    // At 0, 1 and 2 s: three in three seconds. At 0, 1 and 3 s, the first is forgotten.
    assert_eq!(watch(seconds).run(0, 0, 1_000, "FFF."), "ooox");
    assert_eq!(watch(seconds).run(0, 0, 1_000, "FF.F."), "ooooo");
    // Seconds are those of the clock: 0.9 s counts as second 0, and is gone at 3.0 s.
    let mut edge = watch(seconds);
    edge.run(0, 900, 100, "FF");
    assert_eq!(edge.run(0, 3_000, 10, "F."), "oo");
    assert_eq!(edge.run(0, 3_500, 10, "F."), "ox");
}

#[test]
fn slow_calls_open_it_too() {
    let mut it =
        watch(r#""sliding_window_size": 2, "slow_call_duration_threshold": "1s", "slow_call_rate_threshold": "50%""#);
    let took = |millis| Ended {
        took: Span::from_millis(millis),
        ..Ended::new(at(5_000), 0, Outcome::Success)
    };
    // Exactly the threshold is not slow.
    for (millis, permitted) in [(1_000, true), (999, true), (1_001, false)] {
        it.record(Ticket::default(), &took(millis));
        assert_eq!(it.permits(0, at(5_000)), permitted, "{millis}");
    }
}

const TRIALS: &str = r#""sliding_window_size": 2, "permitted_calls_in_half_open": 3, "minimum_number_of_calls": 10"#;

#[test]
fn half_open_decides_after_as_many_calls_as_it_permits() {
    let mut it = watch(TRIALS);
    assert_eq!(it.run(0, 0, 1_000, "FF."), "oox");
    assert!(!it.permits(0, at(60_999)));
    let trials = [0; 3].map(|_| {
        assert!(it.permits(0, at(61_000)));
        it.sent(0, at(61_000))
    });
    assert!(!it.permits(0, at(61_000)), "a fourth trial");
    // 1 of 3 is below half: it closes, and the window is empty.
    for (trial, outcome, permitted) in [
        (trials[0], Outcome::ServerError, false),
        (trials[1], Outcome::Success, false),
        (trials[2], Outcome::Success, true),
    ] {
        it.record(trial, &Ended::new(at(62_000), 0, outcome));
        assert_eq!(it.permits(0, at(62_000)), permitted);
    }
    assert_eq!(it.run(0, 63_000, 1_000, "FF."), "oox");
    // 2 of 3 open it again, at once.
    assert_eq!(it.run(0, 130_000, 1_000, "FFs."), "ooox");
    // 1 to 61, 64 to 124, and from 132 on.
    assert_eq!((it.trips(0), it.time_open(0, at(140_000))), (3, Span::from_secs(128)));
}

#[test]
fn a_trial_that_says_nothing_gives_its_permission_back() {
    let mut it = watch(TRIALS);
    it.run(0, 0, 1_000, "FF");
    assert_eq!(it.run(0, 100_000, 10, "QQxxQQss."), "ooooooooo");
    assert_eq!(it.trips(0), 1);
}

#[test]
fn half_open_may_last_only_so_long() {
    let mut it = watch(&format!(r#"{TRIALS}, "max_wait_in_half_open": "5s""#));
    it.run(0, 0, 1_000, "FF");
    // A trial that never ends: half-open from 70 s, open again from 75 to 135 s.
    it.sent(0, at(70_000));
    let seen = [74_999, 75_000, 134_999, 135_000].map(|t| it.permits(0, at(t)));
    assert_eq!(seen, [true, false, false, true]);
    assert_eq!(it.time_open(0, at(200_000)), Span::from_secs(120));
}

#[test]
fn time_alone_moves_it_with_automatic_transition() {
    let mut it = watch(&format!(
        r#"{TRIALS}, "max_wait_in_half_open": "40s", "automatic_transition": true"#
    ));
    // Opens at 1 s, and then each 100 s for 60 s.
    it.run(0, 0, 1_000, "FF");
    for (secs, permitted) in [
        (60, false),
        (61, true),
        (100, true),
        (101, false),
        (161, true),
        (1_000_060, false),
    ] {
        assert_eq!(it.permits(0, at(secs * 1_000)), permitted, "{secs}");
    }
    assert_eq!(it.time_open(0, at(1_001_000)), Span::from_secs(10 * 60));
    it.call(0, at(961_000), Outcome::Success);
    assert_eq!(it.trips(0), 10);
}

#[test]
fn what_is_recorded_and_what_ignored_is_for_the_user_to_say() {
    // By default whatever is no success.
    assert_eq!(watch(r#""sliding_window_size": 2"#).run(0, 0, 10, "rc."), "oox");
    let chosen = r#""sliding_window_size": 2, "record": ["5xx"], "ignore": [429]"#;
    // A 429 is nothing, a 400 a success.
    assert_eq!(watch(chosen).run(0, 0, 10, "FrrrF."), "ooooox");
    assert_eq!(watch(chosen).run(0, 0, 10, "ccF."), "ooox");
}
