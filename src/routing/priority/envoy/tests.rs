//! Tests of Envoy's levels: shares, levels and hosts that retries leave out, in choices one by one.

use crate::client::host::Host;
use crate::kernel::time::Time;
use crate::routing::testing::{build_over, call, many_hosts};
use crate::routing::{Call, Fleet, Policy};

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

fn policy(json: &str) -> Box<dyn Policy> {
    build_over(&format!(r#"{{"priority": {json}}}"#), &NAMES, None).unwrap()
}

/// The providers to which the attempts of request `id` go, one after the other.
fn way(policy: &mut dyn Policy, hosts: &[Host], id: u64, attempts: u64) -> Vec<usize> {
    let first = call(id, 0);
    let mut notes = 0;
    (0..attempts)
        .map(|n| {
            let call = Call {
                attempt: first.request.attempt(n),
                notes: notes.into(),
                ..call(id, 0)
            };
            let chosen = policy.choose(&call, &Fleet::new(hosts, None, Time::ZERO)).unwrap();
            notes = call.notes.get();
            chosen
        })
        .collect()
}

/// The share of 20,000 first attempts that goes to the first `n` providers.
fn share_of_first(policy: &mut dyn Policy, hosts: &[Host], n: usize) -> f64 {
    let of = (0..20_000).filter(|&id| way(policy, hosts, id, 1)[0] < n).count();
    of as f64 / 20_000.0
}

/// Measured on Envoy 1.40: half healthy 70/30, three of ten out 98/2.
#[test]
fn levels_share_the_calls_by_how_many_are_well() {
    let mut four =
        policy(r#"{"levels": [{"a": 1, "b": 1, "c": 1, "d": 1}, {"e": 1, "f": 1}], "overprovisioning": 1.4}"#);
    for (closed, share) in [
        (&[][..], 1.0),
        (&[0], 1.0),
        (&[0, 3], 0.7),
        (&[0, 1, 2], 0.35),
        (&[0, 1, 2, 3], 0.0),
    ] {
        let found = share_of_first(&mut *four, &many_hosts(10, closed), 4);
        // Four standard deviations of so many draws.
        assert!(
            (found - share).abs() < 4.0 * f64::sqrt(0.25 / 20_000.0),
            "{closed:?}: {found}"
        );
    }
    // Without the factor the first level takes all while any is open.
    let mut plain = policy(r#"{"levels": [{"a": 1, "b": 1}, {"c": 1}], "attempts_per_level": 9}"#);
    assert_eq!(share_of_first(&mut *plain, &many_hosts(10, &[0]), 2), 1.0);
}

#[test]
fn after_so_many_attempts_a_level_is_left_out_until_none_is_left() {
    let levels = r#""levels": [{"a": 1}, {"b": 1}, {"c": 1}], "overprovisioning": 1.4"#;
    let all = many_hosts(10, &[]);
    for (per_level, expected) in [
        (1, vec![0, 1, 2, 0, 1, 2, 0]),
        (2, vec![0, 0, 1, 1, 2, 2, 0]),
        (3, vec![0, 0, 0, 1, 1, 1, 2]),
    ] {
        let mut policy = policy(&format!(r#"{{{levels}, "attempts_per_level": {per_level}}}"#));
        assert_eq!(way(&mut *policy, &all, 1, 7), expected, "{per_level}");
    }
    // A level that has nothing is passed over.
    let mut policy = policy(&format!(r#"{{{levels}, "attempts_per_level": 1}}"#));
    assert_eq!(way(&mut *policy, &many_hosts(10, &[1]), 1, 4), [0, 2, 0, 2]);
}

/// A draw of n hosts falls on the one that was tried with 1/n; with one further draw with 1/n², as Envoy's default of one.
#[test]
fn a_host_that_was_tried_is_drawn_again_so_often() {
    let hosts = many_hosts(10, &[]);
    for (again, share) in [(1, 1.0 / 4.0), (2, 1.0 / 8.0), (5, 1.0 / 64.0)] {
        let mut policy = policy(&format!(
            r#"{{"levels": [{{"a": 1, "b": 1}}], "previous_hosts": {again}}}"#
        ));
        let same = (0..20_000).filter(|&id| {
            let way = way(&mut *policy, &hosts, id, 2);
            way[0] == way[1]
        });
        let found = same.count() as f64 / 20_000.0;
        assert!(
            (found - share).abs() < 4.0 * f64::sqrt(share / 20_000.0),
            "{again}: {found}"
        );
    }
    // A policy inside is asked among the others, while there are some.
    let json = r#"{"levels": [{"a": 1, "b": 1, "c": 1}], "previous_hosts": 5, "inside": [{"smooth_round_robin": {}}]}"#;
    let mut turns = policy(json);
    for id in 0..50 {
        let mut way = way(&mut *turns, &hosts, id, 3);
        way.sort_unstable();
        assert_eq!(way, [0, 1, 2]);
    }
}

#[test]
fn each_level_has_its_policy() {
    let json = r#"{"levels": [{"a": 1, "b": 1}, {"c": 1, "d": 1}], "overprovisioning": 1.4, "attempts_per_level": 1,
        "inside": ["round_robin", {"single": {"provider": "d"}}]}"#;
    let mut policy = policy(json);
    let hosts = many_hosts(10, &[]);
    assert_eq!(way(&mut *policy, &hosts, 1, 2), [0, 3]);
    assert_eq!(way(&mut *policy, &hosts, 2, 2), [1, 3]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let levels = r#""levels": [{"a": 1}, {"b": 1}]"#;
    for (fields, message) in [
        (r#""overprovisioning": 0.5"#, "0.5: must be 1 to 100"),
        (r#""attempts_per_level": 0"#, "0: must be 1 to 100"),
        (
            r#""inside": ["round_robin"]"#,
            "1 policies for 2 levels: give one for each",
        ),
        (
            r#""inside": ["round_robin", {"single": {"provider": "a"}}]"#,
            "there is no member of the group `a`",
        ),
    ] {
        let json = format!(r#"{{"priority": {{{levels}, {fields}}}}}"#);
        assert_eq!(build_over(&json, &NAMES, None).err().unwrap().message, message);
    }
}
