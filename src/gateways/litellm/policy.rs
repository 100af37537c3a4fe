//! LiteLLM's settings as parts of an experiment: the policy of a group, the client of all.

use serde_json::{Map, Value, json};

use super::Reading;
use super::deployments::Deployment;
use super::settings::{BUDGETS, Cooling, Settings, TIMEOUT, Version};
use super::tenants;
use crate::form::object;

/// Seconds as an experiment writes them.
pub(super) fn seconds(s: f64) -> Value {
    json!(if s > 60.0 && s % 60.0 == 0.0 {
        format!("{}m", s / 60.0)
    } else {
        format!("{s}s")
    })
}

/// A map of the members that have a value.
fn by_name<T: Into<Value>>(deployments: &[Deployment], value: impl Fn(&Deployment) -> Option<T>) -> Map<String, Value> {
    let pairs = deployments
        .iter()
        .filter_map(|d| Some((d.member.name.clone(), value(d)?.into())));
    object(pairs)
}

fn limits(deployments: &[Deployment]) -> Map<String, Value> {
    let mut limits = Map::new();
    for (name, of) in [
        ("rpm", by_name(deployments, |d| d.rpm)),
        ("tpm", by_name(deployments, |d| d.tpm)),
    ] {
        if !of.is_empty() {
            limits.insert(name.to_owned(), Value::Object(of));
        }
    }
    limits
}

/// The policy among the deployments of one group.
pub(super) fn among(settings: &Settings, deployments: &[Deployment]) -> Value {
    let names: Vec<&str> = deployments.iter().map(|d| d.member.name.as_str()).collect();
    if let [one] = names[..] {
        return json!({ "single": { "provider": one } });
    }
    let levels = levels(deployments);
    if levels.len() > 1 {
        return levelled(settings, deployments, &levels);
    }
    json!({ settings_kind(settings).0: parameters(settings, deployments, &names) })
}

/// The lowest `order` that has a deployment left, each level by the strategy.
fn levelled(settings: &Settings, deployments: &[Deployment], levels: &[Vec<&str>]) -> Value {
    let targets = levels.iter().map(|names| match names[..] {
        [one] => json!(one),
        _ => {
            let own: Vec<&Deployment> = deployments
                .iter()
                .filter(|d| names.contains(&d.member.name.as_str()))
                .collect();
            json!({ settings_kind(settings).0: part(settings, &own, names) })
        }
    });
    json!({ "tree": { "fallback": { "targets": targets.collect::<Vec<_>>() } } })
}

fn part(settings: &Settings, own: &[&Deployment], names: &[&str]) -> Value {
    let limits_of = |value: &dyn Fn(&Deployment) -> Option<u64>| -> Map<String, Value> {
        object(
            own.iter()
                .filter_map(|d| Some((d.member.name.clone(), json!(value(d)?)))),
        )
    };
    let mut limits = Map::new();
    for (name, of) in [("rpm", limits_of(&|d| d.rpm)), ("tpm", limits_of(&|d| d.tpm))] {
        if !of.is_empty() {
            limits.insert(name.to_owned(), Value::Object(of));
        }
    }
    let weights = object(
        own.iter()
            .filter_map(|d| Some((d.member.name.clone(), json!(d.weight?)))),
    );
    fill(settings, names, limits, weights)
}

fn parameters(settings: &Settings, deployments: &[Deployment], names: &[&str]) -> Value {
    fill(settings, names, limits(deployments), by_name(deployments, |d| d.weight))
}

/// The parameters of the strategy.
fn fill(settings: &Settings, names: &[&str], limits: Map<String, Value>, weights: Map<String, Value>) -> Value {
    let mut of = Map::new();
    of.insert("providers".to_owned(), json!(names));
    let (kind, extra) = settings_kind(settings);
    of.extend(extra);
    if kind == "simple_shuffle" && !weights.is_empty() {
        of.insert("weights".to_owned(), Value::Object(weights));
    }
    if kind != "least_busy" && !limits.is_empty() {
        of.insert("limits".to_owned(), Value::Object(limits));
    }
    let old = settings.version == Version::V1_80 && kind != "usage_based" && kind != "cost_based";
    if old {
        of.insert("version".to_owned(), json!("1.80"));
    }
    Value::Object(of)
}

/// The policy of a strategy, and what is fixed about it.
fn settings_kind(settings: &Settings) -> (&'static str, Map<String, Value>) {
    let none = Map::new();
    match settings.strategy.as_str() {
        "least-busy" => ("least_busy", none),
        "latency-based-routing" => ("latency_based", settings.latency.clone()),
        "usage-based-routing" => (
            "usage_based",
            [("version".to_owned(), json!("v1"))].into_iter().collect(),
        ),
        "usage-based-routing-v2" => (
            "usage_based",
            [("version".to_owned(), json!("v2"))].into_iter().collect(),
        ),
        "cost-based-routing" => ("cost_based", none),
        _ => ("simple_shuffle", none),
    }
}

/// The names of the deployments by `order`, lowest first; those without one come last.
fn levels(deployments: &[Deployment]) -> Vec<Vec<&str>> {
    let mut orders: Vec<u64> = deployments.iter().map(|d| d.order.unwrap_or(u64::MAX)).collect();
    orders.sort_unstable();
    orders.dedup();
    let of = |order: &u64| {
        let on = deployments.iter().filter(|d| d.order.unwrap_or(u64::MAX) == *order);
        on.map(|d| d.member.name.as_str()).collect()
    };
    orders.iter().map(of).collect()
}

/// How many deployments each level of `order` has.
pub(super) fn level_sizes(deployments: &[Deployment]) -> Vec<usize> {
    levels(deployments).iter().map(Vec::len).collect()
}

/// The shares of a draw by weight, else rpm, else tpm, else equal; nothing where a strategy looks at something else.
pub(super) fn shares(settings: &Settings, deployments: &[Deployment]) -> Option<Vec<f64>> {
    let drawn = settings_kind(settings).0 == "simple_shuffle";
    if deployments.len() > 1 && (!drawn || level_sizes(deployments).len() > 1) {
        return None;
    }
    let of_weight: fn(&Deployment) -> Option<f64> = |d| d.weight;
    let vectors = [of_weight, |d| d.rpm.map(|n| n as f64), |d| d.tpm.map(|n| n as f64)];
    let values = vectors.iter().find_map(|of| {
        // Up to 1.80 the first deployment alone says which vector is used.
        let asked = if settings.version == Version::V1_80 {
            &deployments[..1]
        } else {
            deployments
        };
        let used = asked.iter().any(|d| of(d).unwrap_or(0.0) > 0.0);
        used.then(|| deployments.iter().map(|d| of(d).unwrap_or(0.0)).collect::<Vec<f64>>())
    });
    let values = values.unwrap_or_else(|| vec![1.0; deployments.len()]);
    let sum: f64 = values.iter().sum();
    Some(values.iter().map(|value| value / sum).collect())
}

/// The most requests that usage-based-v2 lets through in a minute of the clock: one less than each `rpm`.
pub(super) fn admitted_in_a_minute(settings: &Settings, deployments: &[Deployment]) -> Option<u64> {
    if settings.strategy != "usage-based-routing-v2" || deployments.len() < 2 {
        return None;
    }
    let each: Option<Vec<u64>> = deployments.iter().map(|d| d.rpm).collect();
    Some(each?.iter().map(|rpm| rpm.saturating_sub(1)).sum())
}

/// What each attempt passes, in order.
pub(super) fn through(reading: &Reading<'_>, deployments: &[Deployment], shares: Option<&[f64]>) -> Vec<String> {
    let settings = &reading.settings;
    let mut steps = Vec::new();
    if deployments.iter().any(|d| d.tiers.is_some()) {
        return vec!["a tier by the prompt's complexity".to_owned()];
    }
    if settings.cooling != Cooling::Off && deployments.len() > 1 {
        steps.push("not cooling".to_owned());
    }
    if settings.checks.iter().any(|check| check == BUDGETS) {
        let own = deployments.iter().filter_map(|d| {
            let (most, window) = d.budget.as_ref()?;
            Some(format!("{} ${most} {}", d.member.name, a_window(window)))
        });
        let of_providers = reading.root.find("router_settings.provider_budget_config");
        let of_providers = of_providers
            .map_or(&[][..], |node| node.entries())
            .iter()
            .filter_map(|entry| {
                let most = entry.value.number_of("budget_limit")?;
                let window = a_window(entry.value.text_of("time_period").unwrap_or("30d"));
                Some(format!("every {}/ deployment together ${most} {window}", entry.key))
            });
        let budgets: Vec<String> = own.chain(of_providers).collect();
        if !budgets.is_empty() {
            steps.push(format!("budget: {}", budgets.join(", ")));
        }
    }
    if settings.pre_call_checks {
        let windows = deployments
            .iter()
            .filter_map(|d| Some(format!("{} {}", d.member.name, d.member.context_window?)));
        let windows: Vec<String> = windows.collect();
        if !windows.is_empty() {
            steps.push(format!("context window: {}", windows.join(", ")));
        }
    }
    if settings.tags && deployments.iter().any(|d| !d.tags.is_empty()) {
        steps.push("tags".to_owned());
    }
    if settings.checks.iter().any(|check| check == "enforce_model_rate_limits") {
        let v2 = u64::from(settings.strategy == "usage-based-routing-v2");
        let limits = deployments
            .iter()
            .filter_map(|d| Some(format!("{} {}", d.member.name, d.rpm?.saturating_sub(v2))));
        let limits: Vec<String> = limits.collect();
        if !limits.is_empty() {
            steps.push(format!("at most, in a minute of the clock: {}", limits.join(", ")));
        }
    }
    let several = deployments.len() > 1;
    if level_sizes(deployments).len() > 1 {
        steps.push("lowest order with anybody left".to_owned());
    }
    if several {
        let kind = match settings_kind(settings).0 {
            "simple_shuffle" if deployments.iter().any(|d| d.weight.is_some_and(|w| w > 0.0)) => "at random by weight",
            "simple_shuffle" if deployments.iter().any(|d| d.rpm.is_some()) => "at random by rpm",
            "simple_shuffle" if deployments.iter().any(|d| d.tpm.is_some()) => "at random by tpm",
            "simple_shuffle" => "at random",
            "least_busy" => "the one with the fewest calls under way",
            "latency_based" => "the fastest so far",
            "usage_based" => "the one with the fewest tokens of this minute",
            _ => "the cheapest",
        };
        let drawn = shares.map(|shares| {
            let each = deployments
                .iter()
                .zip(shares)
                .map(|(d, share)| format!("{} {:.0} %", d.member.name, share * 100.0));
            format!(": {}", each.collect::<Vec<_>>().join(", "))
        });
        steps.push(format!("{kind}{}", drawn.unwrap_or_default()));
    }
    steps
}

fn a_window(text: &str) -> String {
    match text {
        "1d" => "a day".to_owned(),
        "7d" => "a week".to_owned(),
        "1mo" | "30d" => "a month".to_owned(),
        other => format!("each {other}"),
    }
}

/// The longest timeout that a deployment has of its own.
pub(super) fn longest(reading: &Reading<'_>) -> Option<f64> {
    let all = reading.groups.iter().flat_map(|(_, of)| of);
    all.filter_map(|d| d.member.timeout).reduce(f64::max)
}

/// The budgets of the proxy, of keys, users and teams; and of deployments and providers, if the router looks at them.
pub(super) fn budgets(reading: &Reading<'_>) -> Option<Value> {
    let mut all = tenants::budgets(reading.root);
    let checks = &reading.settings.checks;
    if checks.iter().any(|check| check == BUDGETS) {
        all.extend(of_router(reading));
    }
    (!all.is_empty()).then(|| json!(all))
}

/// The window of a budget that is nearest to LiteLLM's.
pub(super) fn per(window: &str) -> &'static str {
    match window {
        "1d" | "24h" => "day",
        "7d" => "week",
        _ if window.ends_with('h') || window.ends_with('m') || window.ends_with('s') => "hour",
        _ => "month",
    }
}

/// The budgets of deployments and of providers.
fn of_router(reading: &Reading<'_>) -> Vec<Value> {
    let everybody = || reading.groups.iter().flat_map(|(_, of)| of);
    let own = everybody().filter_map(|d| {
        let (most, window) = d.budget.as_ref()?;
        Some(json!({ "per": per(window), "money": format!("${most}"), "providers": [d.member.name] }))
    });
    let of_providers = reading.root.find("router_settings.provider_budget_config");
    let of_providers = of_providers
        .map_or(&[][..], |node| node.entries())
        .iter()
        .filter_map(|entry| {
            let names: Vec<&str> = everybody()
                .filter(|d| super::deployments::provider(&d.member.model) == entry.key)
                .map(|d| d.member.name.as_str())
                .collect();
            let most = entry.value.number_of("budget_limit").filter(|_| !names.is_empty())?;
            let window = entry.value.text_of("time_period").unwrap_or("30d");
            Some(json!({ "per": per(window), "money": format!("${most}"), "providers": names }))
        });
    own.chain(of_providers).collect()
}

/// The client of all groups.
pub(super) fn client(settings: &Settings, reading: &Reading<'_>) -> Map<String, Value> {
    let mut retry = Map::new();
    retry.insert("num_retries".to_owned(), json!(settings.num_retries));
    if settings.retry_after > 0.0 {
        retry.insert("retry_after".to_owned(), seconds(settings.retry_after));
    }
    if !settings.retries_by.is_empty() {
        let by = settings
            .retries_by
            .iter()
            .map(|(name, n)| ((*name).to_owned(), json!(n)));
        retry.insert("retry_policy".to_owned(), Value::Object(object(by)));
    }
    let mut cooldown = Map::new();
    match settings.version {
        Version::V1_109 => {}
        Version::V1_106 => drop(cooldown.insert("version".to_owned(), json!("1.106"))),
        Version::V1_80 => drop(cooldown.insert("version".to_owned(), json!("1.80"))),
    }
    if settings.cooling == Cooling::Counted {
        if let Some(allowed) = settings.allowed {
            cooldown.insert("allowed_fails".to_owned(), json!(allowed));
        }
        if let Some(by) = &settings.allowed_by {
            let by = by.iter().map(|(name, n)| ((*name).to_owned(), json!(n)));
            cooldown.insert("allowed_fails_policy".to_owned(), Value::Object(object(by)));
        }
    }
    if settings.cooldown_given || settings.cooling == Cooling::Counted {
        cooldown.insert("cooldown_time".to_owned(), seconds(settings.cooldown));
    }
    let everybody = || reading.groups.iter().flat_map(|(_, of)| of);
    let own = object(everybody().filter_map(|d| Some((d.member.name.clone(), seconds(d.cooldown?)))));
    if !own.is_empty() {
        cooldown.insert("deployments".to_owned(), Value::Object(own));
    }
    // What all deployments of the only group have goes before the router's.
    let own_timeout = match &reading.groups[..] {
        [(_, of)] => of.first().and_then(|d| d.member.timeout),
        _ => None,
    };
    let timeout = own_timeout
        .filter(|own| everybody().all(|d| d.member.timeout == Some(*own)))
        .or(settings.timeout)
        .or(longest(reading))
        .unwrap_or(TIMEOUT);
    let mut client = Map::new();
    let never = settings.num_retries == 0 && settings.retries_by.is_empty();
    client.insert(
        "retry".to_owned(),
        if never {
            json!("never")
        } else {
            json!({ "litellm": retry })
        },
    );
    let breaker = match settings.cooling {
        Cooling::Off => json!("never"),
        Cooling::ByShare | Cooling::Counted => json!({ "litellm_cooldown": cooldown }),
    };
    client.insert("breaker".to_owned(), breaker);
    client.insert("timeouts".to_owned(), json!({ "attempt": format!("{timeout}s") }));
    let limiters = tenants::limiters(reading.root);
    if !limiters.is_empty() {
        client.insert("limiters".to_owned(), json!(limiters));
    }
    // Replicas that count together in a shared store see one another's counts a second later.
    if settings.shared_store && reading.replicas > 1 {
        client.insert("refresh".to_owned(), json!("1s"));
    }
    client
}
