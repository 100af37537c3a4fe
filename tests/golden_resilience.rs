//! What LiteLLM 1.109's cooldowns, retries and fallbacks did against a scripted local server, and what simcap's do.
//!
//! Each test is one measured run, as in `golden.rs`. A server takes 10 ms to answer, refusals included, because a cooldown begins
//! with the answer: a call that comes exactly as it ends would not have met it in a real run.

use crate::common::script::{WELL, count, fire};
use simcap::kernel::time::{Span, Time};
use simcap::provider::faults::{Failure, Refused};
use simcap::words::Outcome;

const FREE: &str =
    r#""response": { "constant": "10ms" }, "network": "10ms", "prices": { "per_request": { "price": "$0" } }"#;
const COOLS: &str = r#""breaker": { "litellm_cooldown": {} }"#;
const TWO_RETRIES: &str = r#""retry": { "litellm": { "num_retries": 2 } }"#;
const SHUFFLE: &str = r#""simple_shuffle""#;

/// This answer at once.
const fn down(outcome: Outcome) -> Failure {
    Failure::Down(Refused::plain(outcome))
}

const FAILS: fn(usize) -> Option<Failure> = |_| Some(down(Outcome::ServerError));
const REFUSES: fn(usize) -> Option<Failure> = |_| Some(down(Outcome::RateLimited));
const REFUSES_FOR_TWO_SECONDS: fn(usize) -> Option<Failure> = |_| {
    Some(Failure::Down(Refused {
        retry_after: Some(Span::from_secs(2)),
        ..Refused::plain(Outcome::RateLimited)
    }))
};
const UNAUTHORIZED: fn(usize) -> Option<Failure> = |_| Some(down(Outcome::Unauthorized));

/// Seconds between one hit of `provider` and the next.
fn gaps(hits: &[(usize, Time)], provider: usize) -> Vec<f64> {
    let times: Vec<Time> = hits
        .iter()
        .filter(|&&(p, _)| p == provider)
        .map(|&(_, at)| at)
        .collect();
    times.windows(2).map(|w| w[1].since(w[0]).seconds()).collect()
}

/// Measured: A is hit 5 of 60 times, then cooled; its score is still 0.
#[test]
fn latency_based_feeds_who_fails_at_once_until_it_cools() {
    let (_, hits) = fire(&[(FREE, FAILS), (FREE, WELL)], r#""latency_based""#, COOLS, 60, 50);
    assert_eq!(count(&hits, 0), 5);
}

/// Measured: hits of A at 0, 5.5 and 10.7 s, 0.1 s between calls: 5 s, and then the random choice.
#[test]
fn a_429_without_a_header_cools_for_five_seconds() {
    let (_, hits) = fire(&[(FREE, REFUSES), (FREE, WELL)], SHUFFLE, COOLS, 120, 100);
    let gaps = gaps(&hits, 0);
    assert!(
        gaps.len() >= 2 && gaps.iter().all(|gap| (5.05..6.5).contains(gap)),
        "{gaps:?}"
    );
}

/// Measured: hits of A at 0, 2.7 and 4.8 s.
#[test]
fn a_429_cools_for_its_retry_after() {
    let servers = [(FREE, REFUSES_FOR_TWO_SECONDS), (FREE, WELL)];
    let (_, hits) = fire(&servers, SHUFFLE, COOLS, 120, 100);
    let gaps = gaps(&hits, 0);
    assert!(
        gaps.len() >= 3 && gaps.iter().all(|gap| (2.05..3.5).contains(gap)),
        "{gaps:?}"
    );
}

/// Measured: 5 hits, 5 s out, then one hit each 5 s, because the failures before still count.
#[test]
fn a_500_cools_after_five_and_then_after_each() {
    let (_, hits) = fire(&[(FREE, FAILS), (FREE, WELL)], SHUFFLE, COOLS, 250, 100);
    let gaps = gaps(&hits, 0);
    assert!(gaps[..4].iter().all(|&gap| gap < 2.0), "{gaps:?}");
    assert!(
        gaps.len() >= 7 && gaps[4..].iter().all(|gap| (5.05..6.5).contains(gap)),
        "{gaps:?}"
    );
}

/// A fails hits 1 to 3 and 10 to 13. Measured: it cools at hit 13, with 7 of 13, not at hit 5, with 3 of 5: only a failure is a
/// reason to look.
#[test]
fn a_share_is_looked_at_only_on_a_failure() {
    let fails = |hit| matches!(hit, 1..=3 | 10..=13).then_some(down(Outcome::ServerError));
    let (_, hits) = fire(&[(FREE, fails), (FREE, WELL)], SHUFFLE, COOLS, 100, 50);
    assert_eq!(count(&hits, 0), 13);
}

/// Measured: 30 of 30 hits, never cooled.
#[test]
fn a_single_deployment_that_fails_is_never_cooled() {
    let (_, hits) = fire(&[(FREE, FAILS)], SHUFFLE, COOLS, 30, 100);
    assert_eq!(hits.len(), 30);
}

/// Measured: 1 hit, then 3 calls for which there is nobody.
#[test]
fn a_401_cools_even_a_single_deployment() {
    let (tally, hits) = fire(&[(FREE, UNAUTHORIZED)], SHUFFLE, COOLS, 4, 500);
    assert_eq!((hits.len(), tally.ended(Outcome::BreakerOpen)), (1, 3));
}

/// Measured: 6 attempts in 0.3 s, no sleep.
#[test]
fn with_two_deployments_retries_do_not_sleep() {
    let client = r#""retry": { "litellm": { "num_retries": 5 } }"#;
    let (_, hits) = fire(&[(FREE, FAILS), (FREE, FAILS)], SHUFFLE, client, 1, 100);
    assert_eq!(hits.len(), 6);
    assert!(hits[5].1.since(hits[0].1).seconds() < 0.3);
}

/// Measured: sleeps of 0.5, 1 and 2 s, each with up to 0.75 s on top, the last before the error. Of two calls 20 s apart the first
/// ends within the run, whose 120 bins are a third of a second each.
#[test]
fn a_single_deployment_is_waited_for_even_after_the_last_retry() {
    let (tally, hits) = fire(&[(FREE, FAILS)], SHUFFLE, TWO_RETRIES, 2, 20_000);
    let gaps = gaps(&hits[..3], 0);
    assert!(
        (0.5..1.3).contains(&gaps[0]) && (1.0..1.8).contains(&gaps[1]),
        "{gaps:?}"
    );
    let bin = tally.series.bins().iter().position(|b| b.failures > 0);
    let ended = bin.expect("it failed") as f64 / 3.0;
    let useless = ended - hits[2].1.seconds();
    assert!((2.0 - 0.35..2.8).contains(&useless), "{useless}");
}

/// Measured: 9 attempts and 16.8 s for one call. By the rule it is 3 × (0.5 + 1 + 2) s and nine times up to 0.75 s, of which
/// all but the last sleep lie between the first hit and the last.
#[test]
fn each_group_of_a_fallback_retries_in_full() {
    let client = format!(
        r#"{TWO_RETRIES}, "fallback": {{ "groups": [
        {{ "providers": ["a"] }}, {{ "providers": ["b"] }}, {{ "providers": ["c"] }} ] }}"#
    );
    let (tally, hits) = fire(&[(FREE, FAILS); 3], SHUFFLE, &client, 1, 100);
    assert_eq!((hits.len(), tally.ended(Outcome::ServerError)), (9, 1));
    assert_eq!([0, 1, 2].map(|p| count(&hits, p)), [3, 3, 3]);
    let seconds = hits[8].1.since(hits[0].1).seconds();
    assert!((8.5..8.5 + 8.0 * 0.75 + 0.1).contains(&seconds), "{seconds}");
}
