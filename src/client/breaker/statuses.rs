//! Tests of which outcomes open each breaker by default, without a list of its own: every outcome, status by status.
//!
//! Sources: the breakers' own headers. 429 and the other 4xx are told apart because most breakers watch the provider (5xx, 408,
//! connections, timeouts) and a library that counts exceptions counts every error.

use super::testing::{Watch, at};
use crate::words::{Blame, Outcome};

/// A connection that fails, an answer broken off, or a timeout of one attempt.
fn lost(outcome: Outcome) -> bool {
    outcome.status().is_none() && outcome.row().blame == Blame::Provider
}

fn of_provider(outcome: Outcome) -> bool {
    lost(outcome) || matches!(outcome.status(), Some(408 | 500..))
}

fn or_limited(outcome: Outcome) -> bool {
    of_provider(outcome) || outcome.status() == Some(429)
}

fn any_error(outcome: Outcome) -> bool {
    lost(outcome) || outcome.status().is_some_and(|status| status >= 400)
}

fn of_network(outcome: Outcome) -> bool {
    lost(outcome) && outcome != Outcome::Truncated
}

fn as_5xx(outcome: Outcome) -> bool {
    lost(outcome) || matches!(outcome.status(), Some(500..))
}

fn above_500(outcome: Outcome) -> bool {
    outcome == Outcome::TimeoutConnect || matches!(outcome.status(), Some(501..))
}

/// A breaker and the outcomes that open it.
type Case = (&'static str, fn(Outcome) -> bool);

#[test]
fn each_breaker_opens_on_its_own_outcomes_and_no_other() {
    let cases: [Case; 13] = [
        (r#"{"consecutive": {"failures": 2}}"#, of_provider),
        (r#"{"smg": {"failure_threshold": 2}}"#, of_provider),
        (
            r#"{"helicone": {"minimum": 3, "window": "10s", "interval": "2s"}}"#,
            or_limited,
        ),
        (r#"{"polly": {"minimum_throughput": 3}}"#, or_limited),
        (r#"{"rollback": {"window": 4}}"#, or_limited),
        (r#""health_score""#, or_limited),
        (r#"{"resilience4j": {"sliding_window_size": 4}}"#, any_error),
        (r#"{"gobreaker": {"consecutive_failures": 2}}"#, any_error),
        (r#"{"hystrix": {"request_volume_threshold": 2}}"#, any_error),
        (r#"{"finagle_accrual": {"consecutive_failures": 2}}"#, any_error),
        (r#"{"kong": {"max_fails": 2}}"#, of_network),
        (r#"{"portkey": {"failure_threshold": 2}}"#, above_500),
        (
            r#"{"envoy_outlier": {"consecutive_5xx": 2, "max_ejection_percent": "100%", "panic_threshold": "0%"}}"#,
            as_5xx,
        ),
    ];
    for (json, opens) in cases {
        for outcome in Outcome::ALL {
            let mut watch = Watch::new(json, 2);
            for now in (0..20_000).step_by(200).map(at) {
                if watch.permits(0, now) {
                    watch.call(0, now, outcome);
                }
            }
            assert_eq!(watch.trips(0) > 0, opens(outcome), "{json}: {outcome:?}");
        }
    }
}
