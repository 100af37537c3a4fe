//! Ways in, adaptive limits and throttles that make no sense: the line that says so, without its place.

use super::said;

/// The first line that is said of the good file with `to` for `from`, from the path on.
#[track_caller]
fn line(from: &str, to: &str) -> String {
    let said = said(from, to);
    let first = said.lines().next().unwrap_or_default();
    first.splitn(4, ':').nth(3).unwrap_or(first).trim().to_owned()
}

#[test]
fn limiters() {
    let good = r#"{ "token_bucket": { "unit": "tokens", "rate": "1M/min", "burst": 5000, "estimate": 500 } }"#;
    for (json, said) in [
        (
            r#"{ "gradient2": { "min": 0 } }"#,
            "gradient2.min: min is 0, and must be at least 1: nothing would get through",
        ),
        (
            r#"{ "gradient2": { "max": 10 } }"#,
            "gradient2.max: max is 10, below the min of 20",
        ),
        (
            r#"{ "aimd": { "initial": 300 } }"#,
            "aimd.initial: initial is 300, and must lie between min and max, 20 and 200",
        ),
        (
            r#"{ "gradient2": { "smoothing": 0 } }"#,
            "gradient2.smoothing: smoothing is 0, and the limit would never change",
        ),
        (
            r#"{ "gradient2": { "long_window": 0 } }"#,
            "gradient2.long_window: long_window is 0, and must be at least 1",
        ),
        (
            r#"{ "gradient2": { "tolerance": 0.5 } }"#,
            "gradient2.tolerance: tolerance is 0.5, and must lie between 1 and 100",
        ),
        (
            r#"{ "aimd": { "backoff": 1 } }"#,
            "aimd.backoff: backoff is 1, and must be at least 0.5 and below 1",
        ),
        (
            r#"{ "envoy_gradient": { "update_interval": "0s" } }"#,
            "envoy_gradient.update_interval: update_interval is 0s, and must be at least 1ms",
        ),
        (
            r#"{ "envoy_gradient": { "min_rtt_requests": 0 } }"#,
            "envoy_gradient.min_rtt_requests: min_rtt_requests is 0, and must be at least 1",
        ),
        (
            r#"{ "sre_throttle": { "k": 0.9 } }"#,
            "sre_throttle.k: k is 0.9, and must lie between 1 and 1000",
        ),
        (
            r#"{ "sre_throttle": { "window": "0s" } }"#,
            "sre_throttle.window: window is 0s, and must be at least 1ms",
        ),
        (
            r#"{ "envoy_admission_control": { "window": "2h" } }"#,
            "envoy_admission_control.window: window is 2h, and must lie between 1s and 1h",
        ),
        (
            r#"{ "envoy_admission_control": { "success_rate": 0 } }"#,
            "envoy_admission_control.success_rate: success_rate is 0, and must be at least 0.01",
        ),
        (
            r#"{ "envoy_admission_control": { "aggression": 0.5 } }"#,
            "envoy_admission_control.aggression: aggression is 0.5, and must lie between 1 and 100",
        ),
    ] {
        assert_eq!(line(good, json), format!("client.limiters[0].{said}"));
    }
}

#[test]
fn ways_in() {
    let good = r#""queue": { "capacity": 1000, "max_wait": "20s" }"#;
    for (json, said) in [
        (
            r#""queue": { "order": { "weighted_fair": { "weights": [] } } }"#,
            "queue.order.weighted_fair.weights: 0 weights: must be 1 to 256",
        ),
        (
            r#""queue": { "order": { "weighted_fair": { "weights": [999983, 999979] } } }"#,
            "queue.order.weighted_fair.weights[1]: the weights up to 999979 have no common multiple up to 1000000000",
        ),
        (
            r#""queue": { "order": { "aging": { "step": "0s" } } }"#,
            "queue.order.aging.step: step is 0s, and must be longer than nothing",
        ),
        (
            r#""queue": { "codel": { "interval": "0s" } }"#,
            "queue.codel.interval: interval is 0s, and must be at least 1ms",
        ),
        (
            r#""queue": { "deadline": { "within": "2s", "expected": "3s" } }"#,
            "queue.deadline.expected: expected is 3s, longer than the 2s within which a request must be done: all would be dropped",
        ),
        (
            r#""window_poll": { "limit": 2000000 }"#,
            "window_poll.limit: limit is 2000000, and must not exceed 1000000",
        ),
        (
            r#""window_poll": { "limit": 1000, "window": "0s" }"#,
            "window_poll.window: window is 0s, and must be at least 1ms",
        ),
    ] {
        assert_eq!(line(good, json), format!("client.admission.{said}"));
    }
}
