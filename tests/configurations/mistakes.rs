//! What a configuration says by mistake: values and names that no product knows, and what would not be let through.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use simcap::gateways::diff::diff;
use simcap::gateways::import::assumptions::built_in_prices;
use simcap::gateways::{self, show, source};

use super::{of, warnings};
use crate::common::command::simcap;

/// The details of the warnings of this kind, with their subjects.
fn told(text: &str, code: &str) -> Vec<String> {
    let gateway = of(text);
    let own = gateway.warnings.iter().filter(|warning| warning.kind.code == code);
    own.map(|warning| format!("{}: {}", warning.subject, warning.detail))
        .collect()
}

#[test]
fn values_that_a_product_does_not_know_are_told() {
    let kong = "_format_version: '3.0'\nplugins:\n- name: ai-proxy-advanced\n  config:\n    balancer: {algorithm: roundrobin, failover_criteria: [error, http_529]}\n\
        \x20   targets: [{model: {provider: openai, name: x}}]\n";
    let said = told(kong, "unknown-value");
    assert_eq!(said[0], "balancer.algorithm: `roundrobin`: did you mean `round-robin`?");
    assert!(
        said[1].starts_with("balancer.failover_criteria: `http_529`"),
        "{said:?}"
    );
    let envoy = "apiVersion: aigateway.envoyproxy.io/v1beta1\nkind: AIGatewayRoute\nspec: {rules: [{backendRefs: [{name: a}]}]}\n---\n\
        kind: BackendTrafficPolicy\nspec: {retry: {retryOn: {triggers: [conect-failure]}}}\n";
    let near = ["retry.retryOn.triggers: `conect-failure`: did you mean `connect-failure`?"];
    assert_eq!(told(envoy, "unknown-value"), near);
    let portkey = "strategy: {mode: falback}\ntargets: [{provider: x}]\n";
    assert_eq!(
        told(portkey, "unknown-value"),
        ["strategy.mode: `falback`: did you mean `fallback`?"]
    );
    let bootstrap = "static_resources: {clusters: [{name: a, lb_policy: LEAST_REQUESTS}]}\n";
    assert_eq!(
        told(bootstrap, "unknown-value"),
        ["a lb_policy: `LEAST_REQUESTS`: did you mean `LEAST_REQUEST`?"]
    );
    assert!(told(bootstrap, "balancer-is-approximated").is_empty());
}
