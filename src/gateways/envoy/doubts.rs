//! What in the documents of Envoy AI Gateway does nothing or not what it seems to do, and what they do not say.

use super::{Policy, is_reserved};
use crate::form::units::seconds;
use crate::gateways::model::Gateway;
use crate::gateways::source::Config;
use crate::gateways::tree::Node;
use crate::gateways::warning::Warning;

/// Adds the warnings that follow from rules and policies together.
pub(super) fn doubts(config: &Config, rules: &[&Node], policy: &Policy, gateway: &mut Gateway) {
    let has = |name: &str| {
        config.documents.iter().any(|node| {
            node.find("metadata.name").and_then(Node::text) == Some(name)
                && matches!(node.text_of("kind"), Some("AIServiceBackend" | "InferencePool"))
        })
    };
    let backends = || {
        rules
            .iter()
            .flat_map(|rule| rule.get("backendRefs").map_or(&[][..], Node::items))
    };
    let mut missing: Vec<&str> = backends()
        .filter_map(|backend| backend.text_of("name"))
        .filter(|name| !has(name))
        .collect();
    missing.dedup();
    let at = backends().next().map(|backend| backend.at);
    if !missing.is_empty() {
        gateway
            .warnings
            .push(Warning::new("backend-not-in-file", missing.join(", "), at));
    }
    let levelled = rules.iter().find(|rule| {
        rule.get("backendRefs")
            .map_or(&[][..], Node::items)
            .iter()
            .any(|backend| backend.count_of("priority").is_some_and(|p| p > 0))
    });
    if let Some(rule) = levelled.filter(|_| policy.retries == 0) {
        gateway
            .warnings
            .push(Warning::new("priority-without-retry", "", Some(rule.at)));
    }
    if let Some(attempt) = policy
        .attempt
        .as_deref()
        .and_then(seconds)
        .filter(|s| *s >= policy.total)
    {
        let what = format!("perRetry.timeout {attempt} s, the request's {} s", policy.total);
        let at = rules.first().map(|rule| rule.at);
        let warning = Warning::new("timeout-never-strikes", "", policy.attempt_at.or(at));
        gateway.warnings.push(warning.saying(what));
    }
    let given = rules.iter().find_map(|rule| rule.get("timeouts"));
    if let Some(timeouts) = given {
        let what = format!("total {} s", policy.total);
        gateway
            .warnings
            .push(Warning::new("stream-timeout", "", Some(timeouts.at)).saying(what));
    }
}

/// Adds what no document says.
pub(super) fn ask(gateway: &mut Gateway, traffic: Option<&Node>) {
    let pools = gateway
        .groups
        .iter()
        .flat_map(|group| &group.members)
        .filter(|member| member.local);
    let pools: Vec<String> = pools
        .map(|member| format!("number of pods of {} and their speed", member.name))
        .collect();
    gateway.ask.extend(pools);
    let members = gateway.groups.iter().flat_map(|group| &group.members);
    if members.filter_map(|member| member.account.as_deref()).any(is_reserved) {
        gateway.ask.push("price of the reserved units".to_owned());
    }
    if traffic.is_some_and(|node| node.get("rateLimit").is_some()) {
        gateway.ask.push("tenants and their shares".to_owned());
    }
}
