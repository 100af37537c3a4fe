//! The experiment itself, as the JSON that a person would write.
//!
//! Each group is a branch of a `conditional` by the class's tag `model`; in it a `tree` `fallback` goes from the group's own policy to those
//! it falls back to, each with retries of its own. What is approximated so: a cooldown counts the whole fleet as one group, so
//! that a lone deployment cools as if it were one of many.

use serde_json::{Map, Value, json};

use super::Assumptions;
use crate::gateways::model::{Gateway, Group};

/// The experiment that `gateway` is, under `assumptions`; `name` names it.
pub fn experiment(gateway: &Gateway, assumptions: &Assumptions, name: &str) -> Value {
    let mut classes = Map::new();
    for (name, class) in &assumptions.classes {
        let mut class = class.clone();
        if let Value::Object(of) = &mut class
            && gateway.groups.len() > 1
        {
            let tags = of.entry("tags").or_insert(json!({}));
            tags["model"] = json!(asked(gateway, name));
        }
        classes.insert(name.clone(), class);
    }
    let mut client = gateway.client.clone();
    if gateway.replicas > 1 {
        client.insert("gateways".to_owned(), json!(gateway.replicas));
    }
    if let Some(budgets) = gateway.facts.get("budgets") {
        client.insert("budgets".to_owned(), budgets.clone());
    }
    let about = format!(
        "{} {} as {} says it. Assumed: {}.",
        gateway.product.title,
        gateway.version,
        gateway.files.join(" + "),
        assumptions.quoted()
    );
    json!({
        "format": "simcap.experiment/2",
        "name": name,
        "about": about,
        "traffic": { "arrivals": { "poisson": { "rate": assumptions.rate } }, "classes": classes },
        "providers": providers(gateway, assumptions),
        "hosts": gateway.facts.get("hosts").unwrap_or(&json!({})),
        "client": client,
        "policies": [{ "name": gateway.product.name, "policy": policy(gateway, assumptions) }],
        "plan": assumptions.plan,
    })
}

/// The group that a class asks for: its own name, or that of the tier that stands behind the slash.
fn asked(gateway: &Gateway, class: &str) -> String {
    let tier = gateway.groups.iter().find_map(|group| {
        let tier = class.strip_prefix(group.name.as_str())?.strip_prefix('/')?;
        group.facts.get("complexity")?.get(tier)?.as_str()
    });
    let part = class.rsplit_once('/').map(|(group, _)| group);
    let is_group = |name: &str| gateway.groups.iter().any(|group| group.name == name);
    let name = part
        .filter(|group| !is_group(class) && is_group(group))
        .unwrap_or(class);
    tier.unwrap_or(name).to_owned()
}

fn providers(gateway: &Gateway, assumptions: &Assumptions) -> Map<String, Value> {
    let mut providers = Map::new();
    for member in gateway.groups.iter().flat_map(|group| &group.members) {
        let Some(assumed) = assumptions.providers.get(&member.name) else {
            continue;
        };
        let mut of = assumed.as_object().cloned().unwrap_or_default();
        if let Some(connections) = member.connections {
            of.entry("connections").or_insert(json!(connections));
            if !member.waits {
                of.entry("line").or_insert(json!(0));
            }
        }
        if let Some(window) = member.context_window {
            of.entry("context_window").or_insert(json!(window));
        }
        if let Some(limits) = gateway
            .facts
            .get("limits_of_providers")
            .and_then(|all| all.get(&member.name))
        {
            of.entry("limits").or_insert(limits.clone());
        }
        if let Some(limit) = member.enforced {
            let limit = json!([{ "fixed_window": { "unit": "requests", "limit": limit, "window": "1m" } }]);
            of.entry("limits").or_insert(limit);
        }
        let host = member.name.split('/').next().unwrap_or("");
        if gateway
            .facts
            .get("hosts")
            .is_some_and(|hosts| hosts.get(host).is_some())
        {
            of.entry("host").or_insert(json!(host));
        }
        providers.insert(member.name.clone(), Value::Object(of));
    }
    providers
}

fn policy(gateway: &Gateway, assumptions: &Assumptions) -> Value {
    let asked: Vec<String> = assumptions.classes.keys().map(|class| asked(gateway, class)).collect();
    let groups: Vec<&Group> = gateway
        .groups
        .iter()
        .filter(|group| asked.contains(&group.name))
        .collect();
    if let [one] = groups[..] {
        return chain(gateway, one);
    }
    let conditions = groups
        .iter()
        .map(|group| json!({ "when": { "metadata.model": group.name }, "then": chain(gateway, group) }));
    json!({ "conditional": { "conditions": conditions.collect::<Vec<_>>() } })
}

/// A group and those that it falls back to.
fn chain(gateway: &Gateway, group: &Group) -> Value {
    let find = |name: &String| {
        let alias = gateway
            .aliases
            .iter()
            .find(|(alias, _)| alias == name)
            .map_or(name, |(_, group)| group);
        let covers = |group: &&Group| match group.name.split_once('*') {
            Some((before, after)) => alias.starts_with(before) && alias.ends_with(after),
            None => group.name == *alias,
        };
        gateway
            .groups
            .iter()
            .find(|group| group.name == *alias)
            .or_else(|| gateway.groups.iter().find(covers))
    };
    let policies: Vec<&Value> = group.chain.iter().filter_map(find).map(|group| &group.policy).collect();
    match policies[..] {
        [one] => one.clone(),
        _ => json!({ "tree": { "fallback": { "targets": policies.into_iter().map(target).collect::<Vec<_>>() } } }),
    }
}

/// A policy as a target of a tree.
fn target(policy: &Value) -> Value {
    match (policy.get("single"), policy.get("tree")) {
        (Some(single), _) => single.clone(),
        (None, Some(tree)) => tree.clone(),
        (None, None) => policy.clone(),
    }
}
