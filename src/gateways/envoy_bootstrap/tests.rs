//! Tests of the reading of bootstraps: routes, clusters, bounds, and what is said of them.

use serde_json::{Value, json};

use crate::gateways::{Gateway, read, source};

/// A bootstrap with one route (its `route` in flow style) and these clusters.
fn bootstrap(route: &str, clusters: &[&str]) -> Gateway {
    let clusters: String = clusters.iter().map(|cluster| format!("    - {cluster}\n")).collect();
    let text = format!(
        "static_resources:
  listeners:
    - filter_chains:
        - filters:
            - typed_config:
                route_config:
                  virtual_hosts:
                    - routes:
                        - match: {{prefix: /}}
                          route: {route}
  clusters:
{clusters}"
    );
    read(&source::from_text("envoy.yaml", &text).unwrap(), None).unwrap()
}

fn cluster(name: &str, own: &str, hosts: &[&str]) -> String {
    let endpoint =
        |host: &&str| format!("{{endpoint: {{address: {{socket_address: {{address: {host}, port_value: 443}}}}}}}}");
    let hosts: Vec<String> = hosts.iter().map(endpoint).collect();
    format!(
        "{{name: {name}, {own} load_assignment: {{endpoints: [{{lb_endpoints: [{}]}}]}}}}",
        hosts.join(", ")
    )
}

fn codes(gateway: &Gateway) -> Vec<&str> {
    gateway.warnings.iter().map(|warning| warning.kind.code).collect()
}

#[test]
fn envoys_own_settings_come_along() {
    let gateway = bootstrap(
        "{cluster: llm}",
        &[&cluster("llm", "", &["a.example.com", "b.example.com"])],
    );
    assert_eq!(gateway.product.name, "envoy");
    assert_eq!(
        Value::Object(gateway.client.clone()),
        json!({ "retry": "never", "timeouts": { "connect": "5s", "total": "15s" } })
    );
    assert_eq!(
        gateway.facts["hosts"],
        json!({ "llm": { "connections": 1024, "line": 1024, "pools": "each" } })
    );
    let group = &gateway.groups[0];
    assert_eq!((group.name.as_str(), group.at.line), ("llm", 9));
    assert_eq!(
        group.policy,
        json!({ "smooth_round_robin": { "weights": { "llm/a.example.com": 1, "llm/b.example.com": 1 } } })
    );
    assert_eq!(codes(&gateway), ["stream-timeout", "no-outlier-detection"]);
}

#[test]
fn a_retry_policy_is_what_retry_on_says() {
    let of = |policy: &str| {
        let route = format!("{{cluster: llm, timeout: 60s, retry_policy: {policy}}}");
        bootstrap(&route, &[&cluster("llm", "", &["a.example.com"])])
    };
    let plain = of("{num_retries: 3}");
    assert_eq!(plain.client["retry"], json!("never"));
    assert!(codes(&plain).contains(&"no-retry_on"));
    let full = of(
        "{num_retries: 3, retry_on: 'gateway-error,retriable-status-codes', retriable_status_codes: [429], \
                   per_try_timeout: 10s, retry_back_off: {base_interval: 0.1s, max_interval: 2s}}",
    );
    assert_eq!(
        full.client["retry"],
        json!({ "envoy": {
            "num_retries": 3, "base_interval": "100ms", "max_interval": "2s", "max_retries": 3,
            "retry_on": [502, 503, 504, "connection_error", "timeout_connect", "timeout_ttft", "timeout_attempt", 429],
        } })
    );
    assert_eq!(full.client["timeouts"]["attempt"], json!("10s"));
    let case = |when: &str| full.groups[0].cases.iter().find(|case| case.when == when).unwrap();
    // A 500 is no gateway error. Three waits of at most 0.1, 0.2 and 0.4 s.
    assert_eq!(
        (case("it answers 500").attempts, case("it answers 429").attempts),
        (1, 4)
    );
    assert!((case("it answers 503").seconds.1 - 0.7).abs() < 1e-9);
    assert!((case("it hangs").seconds.1 - 40.7).abs() < 1e-9);
    assert!(codes(&full).contains(&"retries-are-bounded"));
    let unread = of("{retry_on: 5xx, retriable_status_codes: [429]}");
    assert!(codes(&unread).contains(&"codes-are-not-read"));
    assert!(codes(&unread).contains(&"no-per_try_timeout"));
    assert!(codes(&of("{retry_on: 5xxx}")).contains(&"unknown-name"));
}

/// A host that fails alone: what a retry chooses is said by the route's predicates and by the cluster's priorities.
#[test]
fn one_host_that_fails_is_told_apart_from_all() {
    let of = |policy: &str, hosts: &[&str]| {
        let route =
            format!("{{cluster: llm, timeout: 60s, retry_policy: {{retry_on: 5xx, num_retries: 2, {policy}}}}}");
        let gateway = bootstrap(&route, &[&cluster("llm", "", hosts)]);
        let found = gateway.groups[0]
            .cases
            .iter()
            .find(|case| case.when == "one answers 500");
        found.map(|case| (case.attempts, case.then.clone()))
    };
    let two = ["a.example.com", "b.example.com"];
    let predicate = "retry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts}]";
    assert_eq!(
        of(predicate, &two),
        Some((2, "another of its priority answers".to_owned()))
    );
    let (attempts, then) = of("", &two).expect("two hosts have it");
    assert!(attempts == 3 && then.contains("which may be the same one"), "{then}");
    assert_eq!(of("", &two[..1]), None);
}

#[test]
fn bounds_are_the_clusters() {
    let of = |own: &str, hosts: &[&str]| {
        let route = "{cluster: llm, retry_policy: {retry_on: 5xx, per_try_timeout: 2s}}";
        bootstrap(route, &[&cluster("llm", own, hosts)])
    };
    let two = ["a.example.com", "b.example.com"];
    let thresholds =
        "circuit_breakers: {thresholds: [{max_connections: 6, max_pending_requests: 2, max_retries: 40}]},";
    let http1 = of(thresholds, &two);
    assert_eq!(
        http1.facts["hosts"]["llm"],
        json!({ "connections": 6, "line": 2, "pools": "each" })
    );
    assert_eq!(http1.client["retry"]["envoy"]["max_retries"], json!(40));
    assert!(!codes(&http1).contains(&"retries-are-bounded"));
    let http2 = of(
        "http2_protocol_options: {}, circuit_breakers: {thresholds: [{max_requests: 50}]},",
        &two,
    );
    assert_eq!(http2.facts["hosts"]["llm"], json!({ "connections": 50, "line": 0 }));
    let budget = of(
        "circuit_breakers: {thresholds: [{retry_budget: {budget_percent: {value: 25}}}]},",
        &two,
    );
    assert_eq!(
        budget.client["retry_budget"],
        json!({ "envoy": { "budget_percent": "25%", "min_retry_concurrency": 3 } })
    );
    assert_eq!(budget.client["retry"]["envoy"].get("max_retries"), None);
    assert!(
        codes(&of(
            "circuit_breakers: {thresholds: [{max_pending_requests: 0}]},",
            &two
        ))
        .contains(&"max_pending_requests-0")
    );
    assert!(codes(&of("outlier_detection: {consecutive_5xx: 2},", &two)).contains(&"never-ejects"));
}

#[test]
fn a_limit_that_is_not_switched_on_limits_nothing() {
    let seed = include_str!("../../../fuzz/seeds/gateway/envoy_bootstrap");
    let of = |text: &str| read(&source::from_text("x", text).unwrap(), None).unwrap();
    let gateway = of(seed);
    assert_eq!(
        gateway.client["limiters"][0],
        json!({ "token_bucket": { "unit": "requests", "rate": "3/1s", "burst": 9 } })
    );
    assert!(!codes(&gateway).contains(&"limit-is-not-enforced"));
    let off = of(&seed.replace("filter_enforced", "filter_unenforced"));
    assert!(codes(&off).contains(&"limit-is-not-enforced"));
    assert_eq!(off.client["limiters"].as_array().unwrap().len(), 1);
}

#[test]
fn camel_case_is_read_like_snake_case() {
    let seed = include_str!("../../../fuzz/seeds/gateway/envoy_bootstrap");
    let words = [
        ("static_resources", "staticResources"),
        ("retry_policy", "retryPolicy"),
        ("load_assignment", "loadAssignment"),
        ("lb_endpoints", "lbEndpoints"),
        ("outlier_detection", "outlierDetection"),
    ];
    let camel = words
        .iter()
        .fold(seed.to_owned(), |text, (snake, camel)| text.replace(snake, camel));
    let of = |text: &str| crate::gateways::show::json(&read(&source::from_text("x", text).unwrap(), None).unwrap());
    assert_eq!(of(&camel), of(seed));
}
