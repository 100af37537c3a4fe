//! LiteLLM's deployments: the entries of `model_list`, each a provider of the group that its name says.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{KEPT, LOCAL, TEXT};
use super::settings::{Settings, Version};
use crate::gateways::model::Member;
use crate::gateways::tree::{Node, Place};
use crate::gateways::warning::Warning;

/// An entry of the list, with what only LiteLLM has.
#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) group: String,
    pub(super) member: Member,
    /// The mode, if it is not that of a text model.
    pub(super) other_mode: Option<String>,
    pub(super) weight: Option<f64>,
    pub(super) rpm: Option<u64>,
    pub(super) tpm: Option<u64>,
    pub(super) order: Option<u64>,
    pub(super) num_retries: Option<u64>,
    pub(super) cooldown: Option<f64>,
    pub(super) tags: Vec<String>,
    pub(super) budget: Option<(f64, String)>,
    /// The tiers of an automatic router, and its default.
    pub(super) tiers: Option<Vec<(String, String)>>,
    /// Whether a bound on calls at once is given, rather than derived.
    pub(super) own_cap: bool,
    pub(super) weight_at: Option<Place>,
    pub(super) limit_at: Option<Place>,
}

/// What marks a reference to the environment.
const ENVIRONMENT: &str = "os.environ/";

pub(super) fn read(root: &Node, settings: &Settings, warnings: &mut Vec<Warning>) -> Vec<Deployment> {
    let items = root.get("model_list").map_or(&[][..], Node::items);
    let mut of_group: BTreeMap<&str, usize> = BTreeMap::new();
    for name in items.iter().filter_map(|item| item.text_of("model_name")) {
        *of_group.entry(name).or_default() += 1;
    }
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for item in items {
        let Some(group) = item.text_of("model_name") else {
            continue;
        };
        let number = count.entry(group).or_default();
        *number += 1;
        let of_own = item.find("model_info.id").and_then(Node::text);
        let mut name = match (of_own, of_group[group]) {
            (Some(id), _) => id.to_owned(),
            (None, 1) => group.to_owned(),
            (None, _) => format!("{group}-{number}"),
        };
        while taken.contains(&name) {
            name += "'";
        }
        taken.insert(name.clone());
        found.push(deployment(item, group, name, settings, warnings));
    }
    found
}

fn deployment(item: &Node, group: &str, name: String, settings: &Settings, warnings: &mut Vec<Warning>) -> Deployment {
    let nothing = Node {
        at: item.at,
        value: crate::gateways::tree::Value::Map(Vec::new()),
    };
    let params = item.get("litellm_params").unwrap_or(&nothing);
    let info = item.get("model_info").unwrap_or(&nothing);
    let of = |key: &str| params.entry(key).or(item.entry(key)).or(info.entry(key));
    let count = |key: &str| {
        of(key)
            .and_then(|entry| entry.value.number())
            .filter(|n| *n >= 0.0 && *n < 1e15)
            .map(|n| n as u64)
    };
    let at = item.entry("model_name").map_or(item.at, |entry| entry.at);
    let model = params.text_of("model").unwrap_or("").to_owned();
    for key in ["rpm_limit", "tpm_limit"] {
        if let Some(entry) = of(key) {
            let what = format!("the parameter is `{}`", &key[..3]);
            warnings.push(Warning::new("no-effect", key, Some(entry.at)).saying(what));
        }
    }
    if let Some(entry) = params.entry("max_retries") {
        warnings.push(Warning::new("max_retries-is-not-used", "", Some(entry.at)));
    }
    if let Some(entry) = params.entry("mock_response") {
        warnings.push(Warning::new("mock-response", &name, Some(entry.at)));
    }
    if model.starts_with(ENVIRONMENT) {
        warnings.push(Warning::new(
            "unresolved-model",
            &model,
            params.entry("model").map(|e| e.at),
        ));
    }
    let (rpm, tpm, given) = (count("rpm"), count("tpm"), count("max_parallel_requests"));
    let derived = rpm.or(tpm.map(|tpm| (tpm * 6 / 1000).max(1)));
    let connections = given.or(derived).filter(|n| *n > 0);
    let cost = |key: &str| params.number_of(key).or(info.number_of(key));
    let own_price = cost("input_cost_per_token").zip(cost("output_cost_per_token"));
    let local =
        LOCAL.iter().any(|prefix| model.split('/').next() == Some(prefix)) || is_near(params.text_of("api_base"));
    let budget = params.number_of("max_budget").map(|most| {
        let window = params.text_of("budget_duration").unwrap_or("30d").to_owned();
        (most, window)
    });
    let mode = info.text_of("mode").filter(|mode| !TEXT.contains(mode));
    Deployment {
        group: group.to_owned(),
        other_mode: mode.map(str::to_owned),
        weight: count_or(params, "weight"),
        rpm,
        tpm,
        order: count("order"),
        num_retries: count("num_retries").map(|n| n.min(10_000)),
        cooldown: of("cooldown_time").and_then(|entry| entry.value.number()),
        tags: params
            .get("tags")
            .map_or_else(Vec::new, |node| node.texts().into_iter().map(str::to_owned).collect()),
        budget,
        tiers: tiers(params),
        own_cap: given.is_some(),
        weight_at: params.entry("weight").map(|entry| entry.at),
        limit_at: of("rpm").or(of("tpm")).map(|entry| entry.at),
        member: Member {
            name,
            at,
            price: price(&model, info.text_of("base_model")),
            own_price,
            local,
            account: account(params, &model),
            connections,
            waits: settings.version == Version::V1_80,
            timeout: params.number_of("timeout"),
            stream_timeout: params.number_of("stream_timeout"),
            // It is looked at with the checks before a call only.
            context_window: info.count_of("max_input_tokens").filter(|_| settings.pre_call_checks),
            enforced: rpm.filter(|_| settings.checks.iter().any(|check| check == "enforce_model_rate_limits")),
            model,
        },
    }
}

fn count_or(params: &Node, key: &str) -> Option<f64> {
    params.number_of(key).filter(|weight| *weight >= 0.0)
}

/// Whether an address is of one's own machines.
fn is_near(base: Option<&str>) -> bool {
    let host = base
        .and_then(|base| base.split("://").nth(1))
        .and_then(|rest| rest.split([':', '/']).next());
    host.is_some_and(|host| {
        let private = ["127.", "10.", "192.168.", "172.16."]
            .iter()
            .any(|start| host.starts_with(start));
        private
            || host == "localhost"
            || host == "host.docker.internal"
            || !host.contains('.')
            || host.ends_with(".svc.cluster.local")
    })
}

/// The model's name in price tables.
fn price(model: &str, base: Option<&str>) -> Option<String> {
    if let Some(base) = base {
        return Some(base.to_owned());
    }
    let (prefix, rest) = model.split_once('/').unwrap_or(("", model));
    if model.is_empty() || model.starts_with(ENVIRONMENT) || prefix == "auto_router" || model.contains('*') {
        return None;
    }
    // The name of a deployment is not that of a model.
    if prefix == "azure" {
        return None;
    }
    Some(if KEPT.contains(&prefix) { model } else { rest }.to_owned())
}

/// What tells accounts apart: the references to keys, else the address; never a secret's text.
fn account(params: &Node, model: &str) -> Option<String> {
    let keys = [
        "api_key",
        "aws_access_key_id",
        "vertex_credentials",
        "vertex_project",
        "litellm_credential_name",
    ];
    let entry = keys.iter().find_map(|key| params.entry(key))?;
    Some(match entry.value.text()?.strip_prefix(ENVIRONMENT) {
        Some(name) => name.to_owned(),
        None if entry.key.starts_with("vertex") || entry.key.ends_with("name") => entry.value.text()?.to_owned(),
        None => format!("{} by the key of line {}", provider(model), entry.value.at.line),
    })
}

/// The provider that a model's name begins with.
pub(in crate::gateways) fn provider(model: &str) -> &str {
    model.split_once('/').map_or("openai", |(prefix, _)| prefix)
}

fn tiers(params: &Node) -> Option<Vec<(String, String)>> {
    let tiers = params.find("complexity_router_config.tiers")?.entries().iter();
    let tier = |entry: &crate::gateways::tree::Entry| {
        let target = entry.value.texts().into_iter().next()?.to_owned();
        Some((entry.key.clone(), target))
    };
    let mut found: Vec<_> = tiers.filter_map(tier).collect();
    if let Some(default) = params.text_of("complexity_router_default_model") {
        found.push(("default".to_owned(), default.to_owned()));
    }
    Some(found)
}
