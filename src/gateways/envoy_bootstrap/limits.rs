//! HTTP filters that refuse: the local rate limit with a 429, admission control and adaptive concurrency with a 503.

use serde_json::{Map, Value, json};

use super::{Notes, items, routes, seconds_at, span, text};
use crate::gateways::tree::Node;

/// The name of the filter for local rate limits.
const LOCAL: &str = "envoy.filters.http.local_ratelimit";

/// What the filters of all listeners refuse.
#[derive(Default)]
pub(super) struct Limits {
    /// Local rate limits.
    pub(super) buckets: Vec<Value>,
    /// Throttles that watch success or latency.
    pub(super) throttles: Vec<Value>,
}

/// The limits that hold for every route.
pub(super) fn of(root: &Node, notes: &mut Notes) -> Limits {
    let mut limits = Limits::default();
    for filter in routes::managers(root).flat_map(|manager| items(manager, "http_filters")) {
        let (name, Some(config)) = (filter.text_of("name").unwrap_or(""), filter.get("typed_config")) else {
            continue;
        };
        if name == LOCAL {
            limits.buckets.extend(bucket(config, notes));
        } else if name.ends_with("admission_control") {
            limits.throttles.push(admission(config));
        } else if name.ends_with("adaptive_concurrency") {
            limits.throttles.push(concurrency(config));
        } else if name == "envoy.filters.http.ratelimit" {
            notes.warn("limits-not-in-file", text(config, "domain").unwrap_or(""), filter.at);
        }
    }
    limits
}

/// The local rate limit that a virtual host or a route has of its own.
pub(super) fn of_filters(node: &Node, notes: &mut Notes) -> Vec<Value> {
    let own = node.get("typed_per_filter_config").and_then(|of| of.get(LOCAL));
    own.and_then(|config| bucket(config, notes)).into_iter().collect()
}

/// A local rate limit; nothing if the file does not switch it on.
fn bucket(config: &Node, notes: &mut Notes) -> Option<Value> {
    let bucket = config.get("token_bucket")?;
    let is_on = |key: &str| {
        let of = config.find(&format!("{key}.default_value"))?;
        of.number_of("numerator").filter(|share| *share > 0.0)
    };
    if is_on("filter_enabled").is_none() || is_on("filter_enforced").is_none() {
        notes.warn("limit-is-not-enforced", "", config.at);
        return None;
    }
    let most = bucket.count_of("max_tokens")?.max(1);
    let fill = bucket.count_of("tokens_per_fill").unwrap_or(1).max(1);
    let each = seconds_at(bucket, "fill_interval").filter(|s| *s >= 0.001)?;
    let rate = format!("{fill}/{}", span(each));
    Some(json!({ "token_bucket": { "unit": "requests", "rate": rate, "burst": most } }))
}

fn admission(config: &Node) -> Value {
    let mut of = Map::new();
    let of_default = |key: &str| config.find(&format!("{key}.default_value"));
    let percent = |key: &str| of_default(key).and_then(|of| of.number_of("value").or(of.number()));
    if let Some(window) = seconds_at(config, "sampling_window") {
        of.insert("window".to_owned(), json!(span(window.clamp(1.0, 3600.0))));
    }
    if let Some(rate) = percent("sr_threshold") {
        of.insert("success_rate".to_owned(), json!(format!("{}%", rate.clamp(1.0, 100.0))));
    }
    if let Some(aggression) = percent("aggression") {
        of.insert("aggression".to_owned(), json!(aggression.clamp(1.0, 100.0)));
    }
    if let Some(most) = percent("max_rejection_probability") {
        of.insert(
            "max_rejection".to_owned(),
            json!(format!("{}%", most.clamp(0.0, 100.0))),
        );
    }
    if let Some(rps) = percent("rps_threshold") {
        of.insert("rps".to_owned(), json!(rps as u32));
    }
    json!({ "envoy_admission_control": of })
}

fn concurrency(config: &Node) -> Value {
    let Some(controller) = config.get("gradient_controller_config") else {
        return json!({ "envoy_gradient": {} });
    };
    let mut of = Map::new();
    let spans = [
        (
            "update_interval",
            "concurrency_limit_params.concurrency_update_interval",
        ),
        ("min_rtt_interval", "min_rtt_calc_params.interval"),
    ];
    for (key, path) in spans {
        if let Some(s) = seconds_at(controller, path) {
            of.insert(key.to_owned(), json!(span(s)));
        }
    }
    let counts = [
        ("max", "concurrency_limit_params.max_concurrency_limit"),
        ("min_rtt_requests", "min_rtt_calc_params.request_count"),
        ("min", "min_rtt_calc_params.min_concurrency"),
    ];
    for (key, path) in counts {
        if let Some(count) = controller.find(path).and_then(Node::number) {
            of.insert(key.to_owned(), json!((count as u32).max(1)));
        }
    }
    let shares = [
        ("percentile", "sample_aggregate_percentile.value"),
        ("jitter", "min_rtt_calc_params.jitter.value"),
        ("buffer", "min_rtt_calc_params.buffer.value"),
    ];
    for (key, path) in shares {
        if let Some(percent) = controller.find(path).and_then(Node::number) {
            of.insert(key.to_owned(), json!(format!("{}%", percent.clamp(0.0, 100.0))));
        }
    }
    json!({ "envoy_gradient": of })
}
