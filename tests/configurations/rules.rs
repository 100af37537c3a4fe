//! Rules of Envoy AI Gateway: what each has of its own, and which policy is theirs.

use super::{of, warnings};

const ROUTE: &str = "
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIGatewayRoute
metadata: {name: chat}
spec:
  rules:
    - matches: [{headers: [{type: Exact, name: x-ai-eg-model, value: gpt-4.1}]}]
      timeouts: {request: 120s}
      backendRefs: [{name: openai}]
    - matches: [{headers: [{type: Exact, name: x-ai-eg-model, value: claude-sonnet-4-5}]}]
      backendRefs: [{name: anthropic}]
";

fn policy(name: &str, kind: &str, limit: u32) -> String {
    format!(
        "---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: BackendTrafficPolicy\nmetadata: {{name: {name}}}\nspec:\n  targetRefs: [{{kind: {kind}, name: x}}]\n  \
         rateLimit: {{type: Global, global: {{rules: [{{limit: {{requests: {limit}, unit: Minute}}}}]}}}}\n"
    )
}

/// `GetTimeoutsOrDefault` of ai-gateway gives each rule its own timeout, and 60 s to one that says none.
#[test]
fn a_rule_without_a_timeout_has_a_minute() {
    let gateway = of(ROUTE);
    let seconds: Vec<(&str, f64)> = gateway
        .groups
        .iter()
        .map(|g| (g.name.as_str(), g.worst_seconds))
        .collect();
    assert_eq!(seconds, [("gpt-4.1", 120.0), ("claude-sonnet-4-5", 60.0)]);
    assert_eq!(gateway.client["timeouts"]["total"], "120s");
}

/// What callers ask for is the model of a backend that gets no other name for it.
#[test]
fn a_backend_has_the_model_that_is_asked_for() {
    let gateway = of(ROUTE);
    let priced = |group: usize| gateway.groups[group].members[0].price.as_deref();
    assert_eq!((priced(0), priced(1)), (Some("gpt-4.1"), Some("claude-sonnet-4-5")));
}

/// Envoy Gateway: a policy of a route takes the place of its gateway's, wherever it stands.
#[test]
fn a_policy_of_the_route_takes_the_place_of_its_gateways() {
    let (of_route, of_gateway) = (policy("near", "HTTPRoute", 7), policy("far", "Gateway", 900));
    for policies in [of_route.clone() + &of_gateway, of_gateway.clone() + &of_route] {
        let gateway = of(&(ROUTE.to_owned() + &policies));
        assert!(
            gateway.client["limiters"].to_string().contains("\"limit\":7"),
            "{:?}",
            gateway.client
        );
        assert!(
            warnings(&gateway).contains(&"no-effect: far: spec.rateLimit".to_owned()),
            "{:?}",
            warnings(&gateway)
        );
    }
    let alone = of(&(ROUTE.to_owned() + &of_gateway));
    assert!(alone.client["limiters"].to_string().contains("\"limit\":900"));
    assert!(!warnings(&alone).iter().any(|warning| warning.starts_with("no-effect")));
}
