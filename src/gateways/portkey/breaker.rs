//! Portkey's `cb_config`, the breaker of a strategy.

use serde_json::{Map, Value, json};

use super::codes;
use crate::gateways::statuses;
use crate::gateways::tree::Node;

/// The breaker as an experiment has it.
pub(super) fn of(node: &Node) -> Value {
    let mut of = Map::new();
    let mut put = |name: &str, value: Option<Value>| of.extend(value.map(|value| (name.to_owned(), value)));
    put(
        "failure_threshold",
        node.count_of("failure_threshold").map(|n| json!(n)),
    );
    put(
        "failure_threshold_percentage",
        node.number_of("failure_threshold_percentage")
            .map(|p| json!(format!("{p}%"))),
    );
    put("minimum_requests", node.count_of("minimum_requests").map(|n| json!(n)));
    let interval = node.number_of("cooldown_interval").map(|ms| ms.max(30_000.0) / 1e3);
    put("cooldown_interval", interval.map(|s| json!(format!("{s}s"))));
    put(
        "failures",
        node.get("failure_status_codes")
            .map(|node| json!(statuses::all(&codes(node)))),
    );
    json!({ "portkey": of })
}
