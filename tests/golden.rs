//! What LiteLLM 1.109's router did against a scripted local server, and what simcap's model of it does.
//!
//! Each test is one measured run: the same calls, at the same gaps, against the same answers. Where the router's rule is
//! deterministic the hits must be the same; where it draws, in the range that chance allows. The gateway's own few
//! milliseconds are left out.

use crate::common::script::{WELL, count, fire};
use simcap::provider::faults::Failure;
use simcap::words::Outcome;

const FREE: &str = r#""response": { "constant": "10ms" }, "prices": { "per_request": { "price": "$0" } }"#;
const A_FIFTH: &str = r#""response": { "constant": "200ms" }, "prices": { "per_request": { "price": "$0" } }"#;
const A_THIRD: &str = r#""response": { "constant": "300ms" }, "prices": { "per_request": { "price": "$0" } }"#;
const HALF: &str = r#""response": { "constant": "500ms" }, "prices": { "per_request": { "price": "$0" } }"#;

/// 400 calls by weights of 3, 1 and none: about 75 %, 25 % and nothing. Four standard deviations are 35.
#[test]
fn shuffle_by_weights_never_takes_who_has_none() {
    let policy = r#"{ "simple_shuffle": { "weights": { "a": 3, "b": 1 } } }"#;
    let (_, hits) = fire(&[(FREE, WELL); 3], policy, "", 400, 20);
    let [a, b, c] = [0, 1, 2].map(|p| count(&hits, p));
    assert!(a.abs_diff(300) <= 35 && a + b == 400 && c == 0, "{a} {b} {c}");
}

/// 60 calls 30 ms apart to three servers that take 0.5 s. Measured: 21, 21 and 18. Without the gateway's own time a call
/// ends before the next comes that would find it under way, which moves at most two.
#[test]
fn least_busy_spreads_what_overlaps() {
    let (_, hits) = fire(&[(HALF, WELL); 3], r#""least_busy""#, "", 60, 30);
    let [a, b, c] = [0, 1, 2].map(|p| count(&hits, p));
    assert!(
        a.abs_diff(21) <= 2 && b.abs_diff(21) <= 2 && c.abs_diff(18) <= 2,
        "{a} {b} {c}"
    );
    assert!(a >= b && b >= c, "the first of equals wins: {a} {b} {c}");
}

/// Calls that do not overlap: 8 of 8 to the first.
#[test]
fn least_busy_when_idle_knows_only_the_first() {
    let (_, hits) = fire(&[(HALF, WELL); 3], r#""least_busy""#, "", 8, 600);
    assert_eq!([0, 1, 2].map(|p| count(&hits, p)), [8, 0, 0]);
}

/// A takes 0.3 s and B 0.2 s; 60 calls 50 ms apart. Measured: A 6 to 9, all at the start, then only B.
#[test]
fn latency_based_gives_the_winner_all() {
    let (_, hits) = fire(&[(A_THIRD, WELL), (A_FIFTH, WELL)], r#""latency_based""#, "", 60, 50);
    let a = count(&hits, 0);
    assert!((1..=9).contains(&a), "{a}");
    assert!(hits[12..].iter().all(|&(p, _)| p == 1), "{hits:?}");
}

fn hangs_once(hit: usize) -> Option<Failure> {
    (hit == 1).then_some(Failure::Silent)
}

/// A times out once and is then six times as fast as B. Measured: A 4 of 41 attempts, all near the start.
#[test]
fn latency_based_puts_out_who_timed_out_once() {
    let fast = r#""response": { "constant": "50ms" }, "prices": { "per_request": { "price": "$0" } }"#;
    let client = r#""timeouts": { "attempt": "1s" }, "retry": { "exponential": { "tries": 2, "base": "1ms", "jitter": "none" } }"#;
    let (tally, hits) = fire(
        &[(fast, hangs_once), (A_THIRD, WELL)],
        r#""latency_based""#,
        client,
        40,
        1200,
    );
    assert_eq!((tally.ended(Outcome::Success), hits.len()), (40, 41));
    let a = count(&hits, 0);
    assert!((1..=4).contains(&a), "{a}");
    assert!(hits[4..].iter().all(|&(p, _)| p == 1), "{hits:?}");
}

/// `max_parallel_requests` of 2, which `rpm: 2` means too: of 6 at once 2 pass and 4 are turned away at once. Of 12 with 6
/// (which `tpm: 1000` means) 6 pass.
#[test]
fn parallel_requests_above_the_most_are_turned_away() {
    let two = r#""connections": 2, "line": 0, "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0" } }"#;
    let six = r#""connections": 6, "line": 0, "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0" } }"#;
    for (server, calls, pass) in [(two, 6, 2), (six, 12, 6)] {
        let (tally, _) = fire(&[(server, WELL)], r#""simple_shuffle""#, "", calls, 1);
        assert_eq!(
            (tally.ended(Outcome::Success), tally.ended(Outcome::Shed)),
            (pass, calls - pass)
        );
    }
}

/// `rpm` of 5 and 5, 14 calls within a minute: 8 pass, 4 each, and 6 find nobody.
#[test]
fn usage_v2_lets_one_less_than_rpm_through() {
    let policy = r#"{ "usage_based": { "version": "v2", "limits": { "rpm": { "a": 5, "b": 5 } } } }"#;
    let (tally, hits) = fire(&[(FREE, WELL); 2], policy, "", 14, 100);
    assert_eq!(
        (tally.ended(Outcome::Success), tally.ended(Outcome::BreakerOpen)),
        (8, 6)
    );
    assert_eq!([0, 1].map(|p| count(&hits, p)), [4, 4]);
}

/// $1 + $9 against $6 + $3.90 a million tokens: always the second, though the calls are ten parts input to one of output.
#[test]
fn cost_based_adds_up_prices_whatever_the_mix() {
    let first =
        r#""response": { "constant": "10ms" }, "prices": { "per_token": { "input": "$1/Mtok", "output": "$9/Mtok" } }"#;
    let second = r#""response": { "constant": "10ms" }, "prices": { "per_token": { "input": "$6/Mtok", "output": "$3.9/Mtok" } }"#;
    let (tally, hits) = fire(&[(first, WELL), (second, WELL)], r#""cost_based""#, "", 20, 20);
    assert_eq!(count(&hits, 1), 20);
    // 20 × (10 × $6 + $3.90) a million, where the first would have asked 20 × (10 × $1 + $9).
    assert_eq!(tally.cost(), 20 * 63_900_000);
}
