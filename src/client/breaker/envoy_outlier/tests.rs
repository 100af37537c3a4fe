//! Tests of `envoy_outlier`: its five detections and its bounds, in virtual time.

use super::super::testing::{Watch, at};
use super::*;

fn watch(hosts: usize, fields: &str) -> Watch {
    Watch::new(&format!(r#"{{"envoy_outlier": {{{fields}}}}}"#), hosts)
}

/// Every host may be ejected, and none panics.
const ALL: &str = r#""max_ejection_percent": "100%", "panic_threshold": "0%""#;

#[test]
fn five_5xx_in_a_row_eject_until_the_first_sweep_after_thirty_seconds() {
    let mut it = watch(2, ALL);
    assert_eq!(it.run(0, 0, 1_000, "FFFFsFFFFF."), "oooooooooox");
    // Ejected at 9 s, so 30 s are over at 39 s, and the next sweep is at 40 s.
    assert_eq!((it.permits(0, at(39_999)), it.permits(0, at(40_000))), (false, true));
    assert_eq!((it.trips(0), it.time_open(0, at(60_000))), (1, Span::from_secs(31)));
    // 429s and what the client ended are no failures; a 429 ends the row.
    let mut calm = watch(2, ALL);
    assert_eq!(calm.run(0, 0, 100, "rrrrrrFFFFrFFFFQQQ."), "o".repeat(19));
    // Timeouts and lost connections are.
    assert_eq!(watch(2, ALL).run(0, 0, 100, "tCtCF."), "ooooox");
}

#[test]
fn ejections_grow_with_each_and_shrink_with_each_interval_in() {
    let mut it = watch(2, ALL);
    it.run(0, 1_000, 1, "FFFFF");
    // 30 s from 1 s: back at 40 s. Again at once: 60 s from 41 s: back at 110 s. A third: 90 s from 111 s.
    assert_eq!((it.permits(0, at(39_999)), it.permits(0, at(40_000))), (false, true));
    it.run(0, 41_000, 1, "FFFFF");
    assert_eq!((it.permits(0, at(109_999)), it.permits(0, at(110_000))), (false, true));
    it.run(0, 111_000, 1, "FFFFF");
    assert_eq!((it.permits(0, at(209_999)), it.permits(0, at(210_000))), (false, true));
    // In for two sweeps after that of its return: 3 − 2 = 1, so the next is the second: 60 s from 231 s.
    it.run(0, 231_000, 1, "FFFFF");
    assert_eq!((it.permits(0, at(299_999)), it.permits(0, at(300_000))), (false, true));
    assert_eq!(it.trips(0), 4);
}

#[test]
fn no_more_than_a_share_is_out_and_below_half_everybody_is_asked() {
    // A tenth of three is less than one host, unless one is always allowed.
    assert_eq!(watch(3, "").run(0, 0, 10, "FFFFFFFFFFF."), "o".repeat(12));
    let mut one = watch(3, r#""always_eject_one_host": true"#);
    one.run(0, 0, 10, "FFFFF");
    one.run(1, 100, 10, "FFFFF");
    assert_eq!(one.open_to_calls(3, at(1_000)), "xoo");
    // Two of four out are half in: no panic. Three are.
    let mut many = watch(4, r#""max_ejection_percent": "100%""#);
    for (host, seen) in [(0, "xooo"), (1, "xxoo"), (2, "oooo")] {
        many.run(host, 0, 10, "FFFFF");
        assert_eq!(many.open_to_calls(4, at(1_000)), seen);
    }
    assert_eq!(many.trips(2), 1);
}

#[test]
fn the_longest_ejection_and_its_jitter() {
    let json = format!(r#"{ALL}, "max_ejection_time": "40s", "max_ejection_time_jitter": "20s", "interval": "1ms""#);
    let mut ends = Vec::new();
    for host in 0..20 {
        let mut it = watch(20, &json);
        it.run(host, 0, 0, "FFFFF");
        let end = it.time_open(host, at(100_000));
        assert!(end >= Span::from_secs(30) && end <= Span::from_secs(50), "{end}");
        ends.push(end);
        let again = 100_000;
        // The multiplier has shrunk to nothing by then: the same again.
        it.run(host, again, 0, "FFFFF");
        it.run(host, again + 60_000, 0, "FFFFF");
    }
    ends.sort_unstable();
    ends.dedup();
    assert!(ends.len() > 15, "{ends:?}");
}

#[test]
fn gateway_failures_are_a_row_of_their_own() {
    let json = format!(
        r#"{ALL}, "consecutive_5xx": 0, "consecutive_gateway_failure": 3, "enforcing_consecutive_gateway_failure": "100%""#
    );
    assert_eq!(watch(2, &json).run(0, 0, 10, "BUFBUG."), "oooooox");
    // Found, but not enforced.
    let json = format!(r#"{ALL}, "consecutive_5xx": 0, "consecutive_gateway_failure": 3"#);
    assert_eq!(watch(2, &json).run(0, 0, 10, "BUGBUG."), "ooooooo");
}

#[test]
fn split_failures_leave_the_answers_alone() {
    let json = format!(r#"{ALL}, "split_external_local_origin_errors": true, "consecutive_local_origin_failure": 3"#);
    // Two rows: five 5xx with refusals between, which each answer ends.
    assert_eq!(watch(2, &json).run(0, 0, 10, "FCCFCCFFF."), "ooooooooox");
    assert_eq!(watch(2, &json).run(0, 0, 10, "CCC."), "ooox");
    // A timeout comes after a connection that worked.
    assert_eq!(watch(2, &json).run(0, 0, 10, "tttttt."), "ooooooo");
}

/// `hosts` with 100 calls each in the first interval, so many of them failures.
fn interval(fields: &str, failures: &[usize]) -> String {
    let mut it = watch(failures.len(), &format!(r#"{ALL}, "consecutive_5xx": 0, {fields}"#));
    for (host, &failed) in failures.iter().enumerate() {
        let calls = "F".repeat(failed) + &"s".repeat(100 - failed);
        it.run(host, 0, 10, &calls);
    }
    assert_eq!(it.open_to_calls(failures.len(), at(9_999)), "o".repeat(failures.len()));
    it.open_to_calls(failures.len(), at(10_000))
}

#[test]
fn success_rates_far_below_the_mean_are_ejected_at_the_sweep() {
    // Envoy's own example: 50, 100, 100, 100, 100 have mean 90 and deviation 20: at 1.9 the threshold is 52.
    let plain = r#""success_rate_minimum_hosts": 5"#;
    assert_eq!(interval(plain, &[50, 0, 0, 0, 0]), "xoooo");
    // At 2.0 it is 50, which 50 is not below; and four hosts are too few.
    assert_eq!(
        interval(r#""success_rate_stdev_factor": 2000"#, &[50, 0, 0, 0, 0]),
        "ooooo"
    );
    assert_eq!(interval(plain, &[50, 0, 0, 0]), "oooo");
    assert_eq!(
        interval(r#""success_rate_request_volume": 101"#, &[50, 0, 0, 0, 0]),
        "ooooo"
    );
}

#[test]
fn a_percentage_of_failures_is_ejected_where_enforced() {
    let fields = r#""enforcing_success_rate": "0%", "enforcing_failure_percentage": "100%""#;
    assert_eq!(interval(fields, &[85, 84, 0, 0, 100]), "xooox");
    assert_eq!(
        interval(r#""enforcing_success_rate": "0%""#, &[85, 84, 0, 0, 100]),
        "ooooo"
    );
}

#[test]
fn an_idle_century_costs_nothing_and_everybody_is_back() {
    let mut it = watch(2, &format!(r#"{ALL}, "interval": "1ms""#));
    it.run(0, 0, 0, "FFFFF");
    assert!(it.permits(0, at(100 * 365 * 86_400_000)));
}

/// Panic is looked at by level, and not at all while the levels together can take every call: `load_balancer_base.cc`.
#[test]
fn a_level_panics_only_where_the_levels_together_are_too_few() {
    let json = r#""max_ejection_percent": "100%", "levels": [["p0", "p1", "p2"], ["p3", "p4"]]"#;
    let mut it = watch(5, json);
    // All of the first level are out: the second takes everything, so nothing panics.
    for (host, seen) in [(0, "xoooo"), (1, "xxooo"), (2, "xxxoo")] {
        it.run(host, 0, 10, "FFFFF");
        assert_eq!(it.open_to_calls(5, at(1_000)), seen);
    }
    // One of two on the second: it can take 70 %. The first level panics, the second, half in, does not.
    it.run(3, 100, 10, "FFFFF");
    assert_eq!(it.open_to_calls(5, at(1_000)), "oooxo");
    it.run(4, 200, 10, "FFFFF");
    assert_eq!(it.open_to_calls(5, at(1_000)), "ooooo");
    // On one level three of four in are enough for every call, whatever the threshold.
    let mut one = watch(4, r#""max_ejection_percent": "100%", "panic_threshold": "100%""#);
    one.run(0, 0, 10, "FFFFF");
    assert_eq!(one.open_to_calls(4, at(1_000)), "xooo");
    one.run(1, 0, 10, "FFFFF");
    assert_eq!(one.open_to_calls(4, at(1_000)), "oooo");
}

/// Measured on 1.40: ejections of 30 and 60 s lasted 34.0 and 69.7 s, until the next tick of the server's own clock; and 77 detections at
/// 10 % of three hosts ejected none.
#[test]
fn an_ejection_lasts_until_a_tick_of_the_interval() {
    let mut it = watch(2, ALL);
    it.run(0, 16_000, 0, "FFFFF");
    assert_eq!((it.permits(0, at(49_999)), it.permits(0, at(50_000))), (false, true));
    it.run(0, 50_300, 0, "FFFFF");
    assert_eq!((it.permits(0, at(119_999)), it.permits(0, at(120_000))), (false, true));
    assert_eq!(it.time_open(0, at(200_000)), Span::from_millis(34_000 + 69_700));
    let mut three = watch(3, "");
    (0..77).for_each(|i| drop(three.run(i % 3, i as u64 * 100, 0, "FFFFF")));
    assert_eq!((0..3).map(|host| three.trips(host)).sum::<u64>(), 0);
}

#[test]
fn levels_hold_every_host_once() {
    let refused = |levels: &str| {
        let json = format!(r#"{{"envoy_outlier": {{"levels": {levels}}}}}"#);
        super::super::testing::build(&json, 2, &[]).err().unwrap().message
    };
    assert_eq!(refused(r#"[["p0"]]"#), "`p1` is on no level: name every provider");
    assert_eq!(refused(r#"[["p0", "p1"], ["p0"]]"#), "`p0` is on a level already");
}
