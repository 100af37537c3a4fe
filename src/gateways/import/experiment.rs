//! The experiment itself, as the JSON that a person would write.
//!
//! Each group is one of `model_groups`, with its strategy, its fallbacks and what it or a member of it changes about the client; each class
//! asks for one. A gateway with one group that has nothing of its own and nothing of single members is the group's policy alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Assumptions;
use super::callers;
use crate::form::object;
use crate::gateways::model::{Gateway, Group, Member};
use crate::stats::sorting;

/// The experiment that `gateway` is, under `assumptions`; `name` names it.
pub fn experiment(gateway: &Gateway, assumptions: &Assumptions, name: &str) -> Value {
    let mut classes = Map::new();
    let groups = Groups::of(gateway);
    for (name, class) in &assumptions.classes {
        let mut class = class.clone();
        let asked = groups.asked(name);
        if let Value::Object(of) = &mut class
            && gateway.groups.len() > 1
        {
            of.insert("asks".to_owned(), json!(asked));
        }
        let group = groups.by_name.get(asked.as_str());
        let own = group
            .and_then(|group| group.facts.get("tags"))
            .and_then(Value::as_object);
        if let (Some(own), Value::Object(of)) = (own, &mut class)
            && let Value::Object(tags) = of.entry("tags").or_insert(json!({}))
        {
            for (tag, value) in own {
                tags.entry(tag.clone()).or_insert(value.clone());
            }
        }
        classes.insert(name.clone(), class);
    }
    let mut client = gateway.client.clone();
    if gateway.replicas > 1 {
        client.insert("gateways".to_owned(), json!(gateway.replicas));
    }
    if let Some(cache) = &gateway.cache {
        client.insert("response_cache".to_owned(), cache.part(&assumptions.response_cache));
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
    let mut traffic = match assumptions.callers.is_empty() {
        true => json!({ "arrivals": { "poisson": { "rate": assumptions.rate } }, "classes": classes }),
        false => {
            let streams = callers::streams(&assumptions.callers, &classes, &assumptions.users);
            // Where every stream says how often each class comes, a share says nothing.
            if callers::all_weigh(&streams) {
                let all = classes.values_mut().filter_map(Value::as_object_mut);
                all.for_each(|class| drop(class.remove("share")));
            }
            json!({ "streams": streams, "classes": classes })
        }
    };
    if !assumptions.users.is_empty() && assumptions.callers.is_empty() {
        traffic["users"] = Value::Object(assumptions.users.clone());
    }
    if !assumptions.tags.is_empty() {
        traffic["tags"] = Value::Object(assumptions.tags.clone());
    }
    let providers = providers(gateway, assumptions);
    // A host that no provider is on has nothing to bound.
    let on = |host: &String| providers.values().any(|of| of.get("host") == Some(&json!(host)));
    let mut hosts = gateway
        .facts
        .get("hosts")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    hosts.retain(|host, _| on(host));
    let mut made = json!({
        "format": "simcap.experiment/2",
        "name": name,
        "about": about,
        "traffic": traffic,
        "providers": providers,
        "hosts": hosts,
        "client": client,
        "policies": [{ "name": gateway.product.name, "policy": policy(gateway, assumptions) }],
        "plan": assumptions.plan,
    });
    if !assumptions.objectives.is_empty() {
        made["objectives"] = json!(assumptions.objectives);
    }
    made
}

/// The groups of a gateway by name: files have thousands.
struct Groups<'a> {
    by_name: BTreeMap<&'a str, &'a Group>,
    /// Routers by complexity.
    routers: Vec<&'a Group>,
    /// Groups whose names have a star.
    wild: Vec<&'a Group>,
    aliases: BTreeSet<&'a str>,
}

impl<'a> Groups<'a> {
    fn of(gateway: &'a Gateway) -> Groups<'a> {
        let all = || gateway.groups.iter();
        Groups {
            // Of two of one name the first.
            by_name: sorting::map(all().rev().map(|group| (group.name.as_str(), group))),
            routers: all().filter(|group| group.facts.contains_key("complexity")).collect(),
            wild: all().filter(|group| group.name.contains('*')).collect(),
            aliases: gateway.aliases.iter().map(|(alias, _)| alias.as_str()).collect(),
        }
    }

    /// The group that a class asks for: its own name, or that of the tier that stands behind the slash.
    fn asked(&self, class: &str) -> String {
        let tier = self.routers.iter().find_map(|group| {
            let tier = class.strip_prefix(group.name.as_str())?.strip_prefix('/')?;
            group.facts.get("complexity")?.get(tier)?.as_str()
        });
        let part = class.rsplit_once('/').map(|(group, _)| group);
        let is_group = |name: &str| self.by_name.contains_key(name);
        let name = part
            .filter(|group| !is_group(class) && is_group(group))
            .unwrap_or(class);
        tier.unwrap_or(name).to_owned()
    }

    /// Whether callers may ask for `name`: a group, an alias, or what a wildcard covers.
    fn leads(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
            || self.aliases.contains(name)
            || self.wild.iter().any(|group| covers(group, name))
    }
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

/// The timeouts of attempts at each member of a group: one that streams is bounded at each wait for a token, any other as a whole.
struct Timeouts<'a> {
    gateway: &'a Gateway,
    group: &'a Group,
    streams: bool,
}

impl Timeouts<'_> {
    /// Those of `seconds`, as a client has them.
    fn of(&self, seconds: &Value) -> Value {
        match self.streams {
            true => json!({ "attempt": null, "ttft": seconds, "idle": seconds }),
            false => json!({ "attempt": seconds }),
        }
    }

    fn own(&self, member: &Member) -> Option<f64> {
        match self.streams {
            true => member.stream_timeout,
            false => member.timeout,
        }
    }

    /// What the group says of them, and what single members do.
    fn said(&self) -> (Option<Value>, Map<String, Value>) {
        let seconds = |s: f64| json!(format!("{s}s"));
        let of_all = self.gateway.facts.get("stream_timeout_of_all").and_then(Value::as_f64);
        let general = match of_all.filter(|_| self.streams) {
            Some(of_all) => Some(seconds(of_all)),
            None => self
                .gateway
                .client
                .get("timeouts")
                .and_then(|t| t.get("attempt"))
                .cloned(),
        };
        let members = &self.group.members;
        let mut owns = members.iter().map(|member| self.own(member));
        let first = owns.next().flatten();
        if let Some(first) = first.filter(|first| owns.all(|own| own == Some(*first))) {
            return (Some(self.of(&seconds(first))), Map::new());
        }
        let each = members.iter().filter_map(|member| {
            let timeouts = self.of(&seconds(self.own(member)?));
            Some((member.name.clone(), json!({ "timeouts": timeouts })))
        });
        let of_all = self.gateway.facts.get("timeout_of_all").and_then(Value::as_f64);
        let general = match of_all.filter(|_| !self.streams) {
            Some(of_all) => Some(seconds(of_all)),
            None => general.filter(|_| self.streams),
        };
        (general.map(|general| self.of(&general)), object(each))
    }
}

fn policy(gateway: &Gateway, assumptions: &Assumptions) -> Value {
    let fact = |name: &str| gateway.facts.get(name).and_then(Value::as_object);
    let (own, of_streams) = (fact("of_targets"), fact("of_targets_that_stream"));
    let has_own_times = |group: &Group| {
        let (of_group, of_members) = timeouts(gateway, assumptions, group).said();
        gateway.product.name == "litellm"
            && (!of_members.is_empty() || (of_group.is_some() && streams(assumptions, group)))
    };
    if let [one] = &gateway.groups[..]
        && own.is_none()
        && (of_streams.is_none() || !streams(assumptions, one))
        && !has_own_times(one)
        && one.settings.is_empty()
    {
        return one.policy.clone();
    }
    // A name that the group itself covers leads to where the request is.
    let by_name = Groups::of(gateway);
    let known = |group: &Group, names: &[String]| -> Vec<String> {
        let leads = |name: &&String| by_name.leads(name) && !covers(group, name);
        names.iter().filter(leads).cloned().collect()
    };
    let flag = |name: &str| gateway.facts.get(name) == Some(&json!(true));
    let mut groups = Map::new();
    // A router by complexity has no providers: its tiers are asked for.
    for group in gateway
        .groups
        .iter()
        .filter(|group| !group.facts.contains_key("complexity"))
    {
        let mut of = Map::new();
        let mut put = |name: &str, value: Value| drop(of.insert(name.to_owned(), value));
        let names: Vec<&str> = group.members.iter().map(|member| member.name.as_str()).collect();
        put("providers", json!(names));
        if names.len() > 1 {
            put("policy", group.policy.clone());
        }
        let aliases = gateway
            .aliases
            .iter()
            .filter(|(_, named)| *named == group.name)
            .map(|(alias, _)| alias);
        let aliases: Vec<&String> = aliases.collect();
        for (name, list) in [
            ("aliases", json!(aliases)),
            ("fallbacks", json!(known(group, &group.fallback))),
        ] {
            if list.as_array().is_some_and(|list| !list.is_empty()) {
                put(name, list);
            }
        }
        // Where any group has a chain of its own for it, the others have none.
        for (name, chain) in [
            ("context_window_fallbacks", &group.context_fallback),
            ("content_policy_fallbacks", &group.content_fallback),
        ] {
            if flag(name) {
                put(name, json!(known(group, chain)));
            }
        }
        let retries = group.facts.get("num_retries");
        let mut client = Map::new();
        let (of_group, times_of_members) = match gateway.product.name {
            "litellm" => timeouts(gateway, assumptions, group).said(),
            _ => (None, Map::new()),
        };
        client.extend(of_group.map(|timeouts| ("timeouts".to_owned(), timeouts)));
        if let (Some(retries), Some(before)) = (
            retries,
            gateway.client.get("retry").and_then(|retry| retry.get("litellm")),
        ) {
            let mut retry = before.clone();
            retry["num_retries"] = retries.clone();
            client.insert("retry".to_owned(), json!({ "litellm": retry }));
        }
        if !client.is_empty() {
            put("client", Value::Object(client));
        }
        // A provider whose streams have times of their own.
        let of_streams = of_streams.filter(|_| streams(assumptions, group));
        let own_of = |name: &str| {
            let of_stream = of_streams.and_then(|of| of.get(name));
            of_stream.or_else(|| own.and_then(|of| of.get(name)))
        };
        let of_members = |name: &&str| Some(((*name).to_owned(), own_of(name)?.clone()));
        let mut targets = object(names.iter().filter_map(of_members));
        targets.extend(times_of_members);
        if !targets.is_empty() {
            put("targets", Value::Object(targets));
        }
        of.extend(group.settings.clone());
        groups.insert(group.name.clone(), Value::Object(of));
    }
    let mut of = json!({ "groups": groups });
    if let Some(most) = gateway.facts.get("max_fallbacks").and_then(Value::as_u64) {
        of["max_fallbacks"] = json!(most.clamp(1, 8));
    }
    json!({ "model_groups": of })
}

fn timeouts<'a>(gateway: &'a Gateway, assumptions: &Assumptions, group: &'a Group) -> Timeouts<'a> {
    Timeouts {
        gateway,
        group,
        streams: streams(assumptions, group),
    }
}

/// Whether requests for the group are assumed to stream.
fn streams(assumptions: &Assumptions, group: &Group) -> bool {
    assumptions
        .streams
        .iter()
        .any(|name| name == "*" || *name == group.name)
}

/// Whether `name` is the group's, or its wildcard covers it.
fn covers(group: &Group, name: &str) -> bool {
    match group.name.split_once('*') {
        Some((before, after)) => name.starts_with(before) && name.ends_with(after),
        None => group.name == name,
    }
}
