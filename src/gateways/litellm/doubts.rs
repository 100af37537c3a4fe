//! What of a LiteLLM configuration is worth a warning.

use std::collections::BTreeMap;

use super::Reading;
use super::keys::{KEYS, PARAMETERS};
use super::settings::{Cooling, Settings};
use crate::form::diagnose::nearest;
use crate::gateways::ledger::{Row, Verdict};
use crate::gateways::model::Group;
use crate::gateways::source::Config;
use crate::gateways::tree::{Node, Place};
use crate::gateways::warning::Warning;
use crate::report::format::span;

/// How long a caller waits: the default of OpenAI's libraries, in seconds.
const CALLER: f64 = 600.0;

/// The strategies with which the router starts.
const STRATEGIES: &[&str] = &[
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "usage-based-routing",
    "usage-based-routing-v2",
    "cost-based-routing",
    "lar1",
];

/// The aliases that lead to one group, and warnings of the others.
pub(super) fn aliases(reading: &Reading<'_>, warnings: &mut Vec<Warning>) -> Vec<(String, String)> {
    let node = reading.root.find("router_settings.model_group_alias");
    let mut found = Vec::new();
    for entry in node.map_or(&[][..], Node::entries) {
        let target = entry.value.text().or(entry.value.text_of("model"));
        match target {
            _ if entry.value.is_list() => {
                warnings.push(Warning::new("alias-is-a-list", &entry.key, Some(entry.at)));
            }
            Some(target) if reading.has(target) => found.push((entry.key.clone(), target.to_owned())),
            target => {
                let subject = format!("{} -> {}", entry.key, target.unwrap_or("nobody"));
                warnings.push(Warning::new("undefined-alias", subject, Some(entry.at)));
            }
        }
    }
    found
}

/// Warnings about keys, and their verdicts in the ledger.
pub(super) fn of_keys(reading: &Reading<'_>, config: &Config, ledger: &mut [Row], warnings: &mut Vec<Warning>) {
    if let Some(at) = config.alias {
        warnings.push(Warning::new("yaml-anchor", "", Some(at)));
    }
    let repeated = config
        .repeated
        .iter()
        .map(|(at, key)| Warning::new("repeated-key", key, Some(*at)));
    warnings.extend(repeated);
    let replaced = config
        .replaced
        .iter()
        .map(|(at, key)| Warning::new("include-replaces-section", key, Some(*at)));
    warnings.extend(replaced);
    for row in ledger.iter().filter(|row| !row.known) {
        warnings.extend(misplaced(row));
    }
    let settings = &reading.settings;
    if !STRATEGIES.contains(&settings.strategy.as_str()) {
        let at = reading
            .root
            .get("router_settings")
            .and_then(|node| node.entry("routing_strategy"))
            .map(|e| e.at);
        let near = nearest(&settings.strategy, STRATEGIES.iter().copied());
        let what = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
        warnings.push(Warning::new("unknown-strategy", &settings.strategy, at).saying(what));
    }
    for (group, targets) in &settings.fallbacks {
        for (target, at) in targets.iter().filter(|(target, _)| !reading.has(target)) {
            warnings.push(Warning::new(
                "undefined-fallback",
                format!("{group} -> {target}"),
                Some(*at),
            ));
        }
        if group != "*" && !reading.has(group) {
            let at = targets.first().map(|(_, at)| *at);
            let what = "nobody is called that: the entry is never looked up";
            warnings.push(Warning::new("no-effect", format!("fallbacks of {group}"), at).saying(what));
        }
    }
    for target in settings.default_fallbacks.iter().filter(|target| !reading.has(target)) {
        warnings.push(Warning::new("undefined-fallback", format!("* -> {target}"), None));
    }
    for (group, targets) in settings.context.iter().chain(&settings.content).flatten() {
        for (target, at) in targets.iter().filter(|(target, _)| !reading.has(target)) {
            warnings.push(Warning::new(
                "undefined-fallback",
                format!("{group} -> {target}"),
                Some(*at),
            ));
        }
    }
    for deployment in reading.groups.iter().flat_map(|(_, of)| of) {
        if deployment.member.model.is_empty() {
            let (name, at) = (&deployment.member.name, deployment.member.at);
            warnings.push(Warning::new("deployment-without-model", name, Some(at)));
        }
    }
    for (group, deployments) in &reading.groups {
        for (tier, target) in deployments.iter().flat_map(|of| of.tiers.iter().flatten()) {
            if !reading.has(target) {
                let at = deployments.first().map(|of| of.member.at);
                let what = "requests of this tier fail, and an import leaves them out";
                let warning = Warning::new("undefined-target", format!("{group}, tier {tier} -> {target}"), at);
                warnings.push(warning.saying(what));
            }
        }
    }
    if reading.replicas > 1 && !settings.shared_store {
        let subject = format!("no redis, {} replicas", reading.replicas);
        warnings.push(Warning::new("counts-are-per-replica", subject, None));
    }
    let general = reading.root.get("general_settings");
    if let Some(entry) = general
        .and_then(|node| node.entry("store_model_in_db"))
        .filter(|e| e.value.is_true())
    {
        warnings.push(Warning::new("models-in-database", "", Some(entry.at)));
    }
    // What does nothing says so in the ledger too.
    let idle = [
        "unknown-key",
        "wrong-section",
        "wrong-shape",
        "no-effect",
        "overridden",
        "top-level-unknown",
        "unknown-section",
    ];
    // By their place: a file may have as many warnings as it has keys.
    let mut by_place: BTreeMap<Place, Vec<&Warning>> = BTreeMap::new();
    for warning in warnings.iter().filter(|w| idle.contains(&w.kind.code)) {
        if let Some(at) = warning.at {
            by_place.entry(at).or_default().push(warning);
        }
    }
    let bounds = ["rpm", "tpm"].map(|key| format!("model_list[].litellm_params.{key}"));
    for row in ledger {
        if settings.strategy != "simple-shuffle" && bounds.contains(&row.shape) {
            row.how = format!(
                "a bound on calls at once; {} has no draw that it could weigh",
                settings.strategy
            );
        }
        // What the router does not know goes to the provider with every request, and may change what it does.
        let parameter = row
            .shape
            .strip_prefix("model_list[].litellm_params.")
            .filter(|_| !row.known);
        if parameter.is_some_and(|parameter| !PARAMETERS.contains(&parameter)) {
            row.verdict = Verdict::NotModelled;
            row.how = "a parameter that is not known: sent to the provider with every request".to_owned();
        }
        let mut here = by_place.get(&row.at).into_iter().flatten();
        if let Some(warning) = here.find(|w| is_about(&w.subject, &row.path)) {
            row.verdict = Verdict::NoEffect;
            row.how = warning.kind.means.to_owned();
        }
    }
}

/// Whether a warning's subject is the key at `path`, of which one line may have several.
fn is_about(subject: &str, path: &str) -> bool {
    path.strip_suffix(subject)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The warning of a key that no row of the table names, if it is worth one.
fn misplaced(row: &Row) -> Option<Warning> {
    let is_known = |section: &str, key: &str| {
        let named = format!("{section}.{key}");
        let is_it = |path: &str| {
            path.strip_prefix(&named)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        KEYS.iter().any(|(path, ..)| is_it(path))
    };
    let (section, key) = match row.shape.split_once('.') {
        Some((section, key)) => (section, key),
        None => ("", row.shape.as_str()),
    };
    let warn = |code, what: String| Some(Warning::new(code, &row.path, Some(row.at)).saying(what));
    let reads = ["router_settings", "litellm_settings", "general_settings"]
        .into_iter()
        .find(|other| *other != section && is_known(other, key));
    let of_section = KEYS
        .iter()
        .filter_map(|(path, ..)| path.strip_prefix(section)?.strip_prefix('.'));
    match section {
        "" | "router_settings" | "litellm_settings" | "general_settings" if reads.is_some() => warn(
            "wrong-section",
            format!("it is read in `{}`", reads.unwrap_or_default()),
        ),
        "" => match nearest(key, KEYS.iter().filter_map(|(path, ..)| path.split(['.', '[']).next())) {
            // Sections of one's own, which hold anchors, begin so by custom.
            Some(_) if key.starts_with(['_', '.']) || key.starts_with("x-") => warn("top-level-unknown", String::new()),
            Some(near) => warn("unknown-section", format!("did you mean `{near}`?")),
            None => warn("top-level-unknown", String::new()),
        },
        "router_settings" if !key.contains('.') => {
            let near = nearest(key, of_section);
            warn(
                "unknown-key",
                near.map_or_else(String::new, |near| format!("did you mean `{near}`?")),
            )
        }
        "model_list[]" => {
            // What no part of LiteLLM knows is a parameter of the provider: only a slip of the pen is worth a word.
            let parameter = key
                .strip_prefix("litellm_params.")
                .filter(|own| !PARAMETERS.contains(own))?;
            let near = of_section
                .filter_map(|known| known.strip_prefix("litellm_params."))
                .chain(PARAMETERS.iter().copied())
                .find(|known| strsim::osa_distance(known, parameter) == 1)?;
            warn("unknown-parameter", format!("did you mean `{near}`?"))
        }
        "litellm_settings" => {
            let near = of_section
                .into_iter()
                .find(|known| strsim::osa_distance(known, key) == 1)?;
            warn("unknown-key", format!("did you mean `{near}`?"))
        }
        _ => None,
    }
}

/// Warnings about groups.
pub(super) fn of_groups(reading: &Reading<'_>, groups: &[Group], warnings: &mut Vec<Warning>) {
    let settings = &reading.settings;
    weights(reading, groups, warnings);
    let lone: Vec<&Group> = groups
        .iter()
        .filter(|group| settings.cooling == Cooling::ByShare && group.members.len() == 1 && group.chain.len() > 1)
        .collect();
    if let Some(first) = lone.first() {
        let names: Vec<&str> = lone.iter().map(|group| group.name.as_str()).collect();
        let case = first.cases.iter().find(|case| case.when == "it answers 500");
        let what = case.map_or_else(String::new, |case| {
            let (attempts, (least, most)) = (case.attempts, case.seconds);
            format!(
                "{attempts} attempts and {least:.1} to {most:.1} s of each request before {} is asked",
                first.chain[1]
            )
        });
        warnings.push(Warning::new("lone-primary-never-cools", shortened(&names), Some(first.at)).saying(what));
    }
    for group in groups
        .iter()
        .filter(|group| group.chain.len() > 2 && group.worst_attempts > group.chain.len() as u64)
    {
        let tries = group.worst_attempts / group.chain.len() as u64;
        let subject = match tries * group.chain.len() as u64 == group.worst_attempts {
            true => format!("{} {} x {tries}", group.name, group.chain.len()),
            false => format!("{} over {} groups", group.name, group.chain.len()),
        };
        let what = format!("up to {} attempts of one request", group.worst_attempts);
        warnings.push(Warning::new("retries-multiply", subject, said_at(reading, &group.name)).saying(what));
    }
    for group in groups {
        let back = group.fallback.iter().find(|target| {
            // The groups are in the order of the reading.
            let number = |name: &str| reading.names.groups.get(name).copied();
            let leads_back = number(target).is_some_and(|other| groups[other].fallback.contains(&group.name));
            leads_back && number(&group.name) < number(target)
        });
        if let Some(other) = back {
            let subject = format!("{}, {other}", group.name);
            warnings.push(Warning::new("fallback-cycle", subject, said_at(reading, &group.name)));
        }
        for target in &group.fallback {
            let accounts = |name: &str| -> Vec<Option<&str>> {
                let mut of: Vec<_> = reading
                    .deployments(name)
                    .iter()
                    .map(|d| d.member.account.as_deref())
                    .collect();
                of.dedup();
                of
            };
            let (own, theirs) = (accounts(&group.name), accounts(target));
            if let ([Some(one)], [Some(other)]) = (&own[..], &theirs[..])
                && one == other
            {
                let subject = format!("{} -> {target}", group.name);
                let what = format!("both use {one}");
                warnings
                    .push(Warning::new("fallback-same-account", subject, said_at(reading, &group.name)).saying(what));
            }
        }
    }
    let slow: Vec<&Group> = groups
        .iter()
        .filter(|group| group.worst_seconds > CALLER && !group.cases.is_empty())
        .collect();
    if let Some(worst) = slow.iter().max_by(|a, b| a.worst_seconds.total_cmp(&b.worst_seconds)) {
        let names: Vec<&str> = slow.iter().map(|group| group.name.as_str()).collect();
        let hanging = match worst.hanging_attempts() {
            1 => "1 attempt that hangs takes".to_owned(),
            n => format!("{n} attempts that hang take"),
        };
        let what = format!(
            "{hanging} {} at {}; OpenAI's libraries wait {} by default{}",
            span(worst.worst_seconds),
            worst.name,
            span(CALLER),
            if timed(settings, worst) {
                ""
            } else {
                ". No timeout is given: the default is 6000 s"
            },
        );
        warnings.push(Warning::new("timeout-longer-than-the-callers", shortened(&names), Some(worst.at)).saying(what));
    }
    for group in groups.iter().filter(|group| group.name.contains('*')) {
        warnings.push(Warning::new("wildcard-needs-traffic", &group.name, Some(group.at)));
    }
}

fn timed(settings: &Settings, group: &Group) -> bool {
    settings.timeout.is_some() || group.members.iter().any(|member| member.timeout.is_some())
}

/// Where the fallbacks of a group stand.
fn said_at(reading: &Reading<'_>, group: &str) -> Option<Place> {
    let of_group = || reading.deployments(group).first().map(|d| d.member.at);
    reading.said(group).first().map(|(_, at)| *at).or_else(of_group)
}

/// Names, the first few of many.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    match names.len() {
        n if n > SHOWN + 1 => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}

/// Warnings about weights and limits.
fn weights(reading: &Reading<'_>, groups: &[Group], warnings: &mut Vec<Warning>) {
    let settings = &reading.settings;
    let shuffles = settings.strategy == "simple-shuffle";
    let mut counted = None;
    for ((name, deployments), group) in reading.groups.iter().zip(groups) {
        if deployments.len() < 2 {
            continue;
        }
        for (deployment, share) in deployments.iter().zip(group.shares.iter().flatten()) {
            if deployment.weight == Some(0.0) && *share > 0.0 {
                let (name, at) = (&deployment.member.name, deployment.weight_at);
                let what = format!("{:.0} % of the group's requests", share * 100.0);
                warnings.push(Warning::new("weight-0-counts-for-nothing", name, at).saying(what));
            }
            if *share == 0.0 {
                warnings.push(Warning::new(
                    "zero-weight",
                    &deployment.member.name,
                    Some(deployment.member.at),
                ));
            }
        }
        if shuffles && deployments.iter().all(|d| d.weight.is_none()) {
            counted = counted.or(deployments.iter().find_map(|d| d.limit_at));
        }
        let weighted = deployments.iter().find_map(|d| d.weight_at);
        if let Some(at) = weighted.filter(|_| !shuffles) {
            let what = format!("{} does not look at it", settings.strategy);
            warnings.push(Warning::new("no-effect", "weight", Some(at)).saying(what));
        }
        let equal_prices = || {
            let prices = deployments
                .iter()
                .map(|d| (d.member.price.as_ref(), d.member.own_price.map(|p| p.0 + p.1)));
            let prices: Vec<_> = prices.collect();
            prices.windows(2).all(|pair| pair[0] == pair[1])
        };
        let ties = match settings.strategy.as_str() {
            "least-busy" => true,
            "cost-based-routing" => equal_prices(),
            _ => false,
        };
        if ties {
            warnings.push(Warning::new("ties-to-the-first", name, Some(group.at)));
        }
    }
    let enforced = settings.checks.iter().any(|check| check == "enforce_model_rate_limits");
    if let Some(at) = counted.filter(|_| !enforced) {
        warnings.push(Warning::new("rpm-is-a-weight", "", Some(at)));
    }
}
