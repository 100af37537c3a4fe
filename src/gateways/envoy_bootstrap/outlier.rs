//! The outlier detection of a cluster, as the breaker of the same name has it.

use serde_json::{Map, Value, json};

use super::clusters::{Cluster, Host};
use super::routes::Route;
use super::{seconds_at, span};
use crate::gateways::tree::Node;

/// Fields that are whole numbers.
const COUNTS: [&str; 8] = [
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
    "success_rate_minimum_hosts",
    "success_rate_request_volume",
    "success_rate_stdev_factor",
    "failure_percentage_minimum_hosts",
    "failure_percentage_request_volume",
];

/// Fields that are percentages.
const SHARES: [&str; 9] = [
    "max_ejection_percent",
    "failure_percentage_threshold",
    "enforcing_consecutive_5xx",
    "enforcing_consecutive_gateway_failure",
    "enforcing_consecutive_local_origin_failure",
    "enforcing_success_rate",
    "enforcing_local_origin_success_rate",
    "enforcing_failure_percentage",
    "enforcing_failure_percentage_local_origin",
];

/// The breaker of a route: that of its first cluster that has one.
pub(super) fn of(route: &Route<'_>, members: &[(&Cluster<'_>, &Host, String)]) -> Option<Value> {
    let with = route
        .clusters
        .iter()
        .find_map(|(cluster, _)| Some((cluster, cluster.node.get("outlier_detection")?)));
    let (cluster, detection) = with?;
    let mut of = Map::new();
    for key in COUNTS {
        if let Some(count) = detection.count_of(key) {
            of.insert(key.to_owned(), json!(count.min(u64::from(u32::MAX))));
        }
    }
    for key in SHARES {
        if let Some(percent) = detection.number_of(key) {
            of.insert(key.to_owned(), json!(format!("{}%", percent.clamp(0.0, 100.0))));
        }
    }
    let base = seconds_at(detection, "base_ejection_time");
    for (key, least) in [
        ("interval", 0.001),
        ("base_ejection_time", 0.0),
        ("max_ejection_time", base.unwrap_or(30.0)),
        ("max_ejection_time_jitter", 0.0),
    ] {
        if let Some(s) = seconds_at(detection, key).filter(|s| *s > 0.0) {
            of.insert(key.to_owned(), json!(span(s.max(least).min(86_400.0))));
        }
    }
    for key in ["split_external_local_origin_errors", "always_eject_one_host"] {
        if detection.flag(key) {
            of.insert(key.to_owned(), json!(true));
        }
    }
    let panic = cluster
        .node
        .find("common_lb_config.healthy_panic_threshold.value")
        .and_then(Node::number);
    if let Some(percent) = panic {
        of.insert(
            "panic_threshold".to_owned(),
            json!(format!("{}%", percent.clamp(0.0, 100.0))),
        );
    }
    if route.clusters.len() == 1 && cluster.levels() > 1 {
        let level = |level: u64| -> Vec<&str> {
            let own = members.iter().filter(|(_, host, _)| host.level == level);
            own.map(|(.., name)| name.as_str()).collect()
        };
        let levels: Vec<Vec<&str>> = cluster.each_level().into_iter().map(level).collect();
        of.insert("levels".to_owned(), json!(levels));
        let factor = cluster
            .node
            .find("load_assignment.policy.overprovisioning_factor")
            .and_then(Node::number);
        if let Some(factor) = factor {
            of.insert("overprovisioning".to_owned(), json!((factor / 100.0).clamp(1.0, 100.0)));
        }
    }
    Some(Value::Object(of))
}
