//! What bounds requests in a bootstrap, in words: circuit breakers of clusters, local rate limits, throttles.
//!
//! Source: Envoy's API v3 and its behaviour as measured on 1.40: overflow of a pool is a 503 of Envoy's own, never retried; the local rate
//! limit is a 429 that the router behind it never retries; admission control and adaptive concurrency answer 503 without an attempt.

use serde_json::Value;

use super::limits::Limits;
use super::routes::Route;
use crate::gateways::model::Limit;

/// The limits of a route: its own buckets, and the bounds of its clusters.
pub(super) fn of(route: &Route<'_>) -> Vec<Limit> {
    let mut all: Vec<Limit> = route.buckets.iter().filter_map(bucket).collect();
    for (cluster, _) in &route.clusters {
        let pool = cluster.pool();
        let number = |key: &str| pool.get(key).and_then(Value::as_u64).unwrap_or(0);
        let what = format!(
            "{} calls at once to {}, and {} that wait for a connection",
            number("connections"),
            cluster.name,
            number("line")
        );
        let beyond = "one more is refused by Envoy with a 503, without a call, and not tried again";
        all.push(Limit::new(what, beyond, Some(cluster.at)));
        if !route.retry.is_any() {
            continue;
        }
        let budget = cluster.retry_budget.as_ref().and_then(|of| of.get("envoy"));
        let what = match budget {
            Some(of) => format!(
                "retries at once to {}: {} of the requests under way, at least {}",
                cluster.name,
                of["budget_percent"].as_str().unwrap_or("a share"),
                of["min_retry_concurrency"]
            ),
            None => format!(
                "{} retries at once to {}, back-offs included",
                cluster.max_retries, cluster.name
            ),
        };
        let beyond = "one more is not made: the caller is told the failure that it would have mended";
        all.push(Limit::new(what, beyond, cluster.max_retries_at.or(Some(cluster.at))));
    }
    all
}

/// The limits of all routes.
pub(super) fn of_all(limits: &Limits) -> Vec<Limit> {
    let throttle = |of: &Value| {
        let what = match of.get("envoy_gradient") {
            Some(_) => "calls at once, as adaptive concurrency finds by latency",
            None => "a share of the requests, as admission control finds by failures",
        };
        Limit::new(
            what,
            "Envoy refuses with a 503, without a call; nothing is tried again",
            None,
        )
    };
    let buckets = limits.buckets.iter().filter_map(bucket);
    buckets.chain(limits.throttles.iter().map(throttle)).collect()
}

fn bucket(of: &Value) -> Option<Limit> {
    let bucket = of.get("token_bucket")?;
    let what = format!("{} requests, and {} more", bucket["burst"], bucket["rate"].as_str()?);
    Some(Limit::new(
        what,
        "Envoy refuses with a 429, without a call; nothing is tried again",
        None,
    ))
}
