//! LiteLLM's proxy configuration, by the rules of 1.109 (1.106 or 1.80 where a chart's image says so).
//!
//! `model_list` makes groups of deployments (`deployments`), `router_settings` and `litellm_settings` say what holds for all of them
//! (`settings`); `policy` says it as parts of an experiment, `cases` works out what happens when something fails, and `doubts`
//! what is worth a warning. `keys` has the tables.
//!
//! Source: LiteLLM 1.109.1 (`router_python_core.py`, `router_utils/`, `proxy/proxy_server.py`), held against the running router where
//! the manual pages of `litellm` retries and `litellm_cooldown` say so. Left out: what the database holds, limits of single keys,
//! routing by health checks, affinity.

mod cache;
mod cases;
pub(super) mod deployments;
mod doubts;
mod keys;
mod limits;
mod policy;
mod settings;
mod tenants;
mod waits;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ledger;
use super::model::{Gateway, Group, Product};
use super::source::Config;
use super::tree::{Node, Place};
use super::warning;
use crate::form::object;
use deployments::Deployment;
pub(super) use keys::KEYS;
use settings::{Settings, Version};

/// LiteLLM as a product that is read.
pub static PRODUCT: Product = Product {
    name: "litellm",
    title: "LiteLLM",
    held: "held against the running product (retries, cooldowns, fallbacks) and its source (the rest)",
};

/// Whether the first document has this product's keys.
pub(super) fn fits(config: &Config) -> bool {
    let marks = ["model_list", "litellm_settings", "router_settings"];
    config
        .first()
        .is_some_and(|root| root.entries().iter().any(|entry| marks.contains(&entry.key.as_str())))
}

/// All that was read of a file.
struct Reading<'a> {
    root: &'a Node,
    settings: Settings,
    /// The groups in the order of the file, with their deployments; those of other modes are not among them.
    groups: Vec<(String, Vec<Deployment>)>,
    aliases: Vec<(String, String)>,
    names: Names,
    replicas: u64,
}

/// Numbers by name: files have thousands of groups, and each is asked for by others.
#[derive(Default)]
struct Names {
    groups: BTreeMap<String, usize>,
    /// The groups whose names have a star.
    wild: Vec<usize>,
    aliases: BTreeMap<String, usize>,
    /// The entries of `fallbacks`; of two of one name the first.
    fallbacks: BTreeMap<String, usize>,
}

impl Reading<'_> {
    /// The number of the group of that name, or of the first whose star covers it.
    fn number(&self, name: &str) -> Option<usize> {
        let covers = |number: &&usize| match self.groups[**number].0.split_once('*') {
            Some((before, after)) => name.starts_with(before) && name.ends_with(after),
            None => false,
        };
        let own = self.names.groups.get(name);
        own.or_else(|| self.names.wild.iter().find(covers)).copied()
    }

    fn has(&self, name: &str) -> bool {
        self.names.aliases.contains_key(name) || self.number(name).is_some()
    }

    /// The group that `name` is another name of.
    fn alias(&self, name: &str) -> Option<&str> {
        let number = self.names.aliases.get(name)?;
        Some(self.aliases[*number].1.as_str())
    }

    /// The entry of the fallbacks of `name`, or of all groups.
    fn entry(&self, name: &str) -> Option<&(String, Vec<(String, Place)>)> {
        let of = |name: &str| self.names.fallbacks.get(name);
        of(name)
            .or_else(|| of("*"))
            .map(|number| &self.settings.fallbacks[*number])
    }

    /// The groups that `name` falls back to, as the file says it, with where; those that no group has too.
    fn said(&self, name: &str) -> &[(String, Place)] {
        self.entry(name).map_or(&[], |(_, targets)| targets)
    }

    /// The groups that `name` falls back to and that exist.
    fn fallbacks(&self, name: &str) -> Vec<String> {
        let targets: Vec<String> = match self.entry(name).is_some() {
            true => self.said(name).iter().map(|(target, _)| target.clone()).collect(),
            false => self.settings.default_fallbacks.clone(),
        };
        targets
            .into_iter()
            .filter(|target| target != name && self.has(target))
            .collect()
    }

    fn deployments(&self, name: &str) -> &[Deployment] {
        let number = self.names.groups.get(name);
        number.map_or(&[], |number| &self.groups[*number].1)
    }
}

/// Makes a gateway of a file.
pub(super) fn read(config: &Config) -> Gateway {
    let nothing = Node {
        at: Place::default(),
        value: super::tree::Value::Map(Vec::new()),
    };
    let root = config.first().unwrap_or(&nothing);
    let mut warnings = Vec::new();
    let (version, named) = version(config);
    let settings = Settings::read(root, version, &mut warnings);
    let all = deployments::read(root, &settings, &mut warnings);
    let (mut groups, mut left_out) = (Vec::<(String, Vec<Deployment>)>::new(), Vec::new());
    let mut names = Names::default();
    for deployment in all {
        if let Some(mode) = &deployment.other_mode {
            left_out.push(format!("{} (mode {mode})", deployment.group));
            continue;
        }
        match names.groups.get(&deployment.group) {
            Some(number) => groups[*number].1.push(deployment),
            None => {
                names.groups.insert(deployment.group.clone(), groups.len());
                if deployment.group.contains('*') {
                    names.wild.push(groups.len());
                }
                groups.push((deployment.group.clone(), vec![deployment]));
            }
        }
    }
    for (number, (group, _)) in settings.fallbacks.iter().enumerate() {
        names.fallbacks.entry(group.clone()).or_insert(number);
    }
    let mut reading = Reading {
        root,
        settings,
        groups,
        aliases: Vec::new(),
        names,
        replicas: config
            .chart
            .as_ref()
            .and_then(|chart| chart.count_of("replicaCount"))
            .unwrap_or(1)
            .max(1),
    };
    let cache = cache::read(root, reading.replicas, &mut warnings);
    reading.aliases = doubts::aliases(&reading, &mut warnings);
    for (number, (alias, _)) in reading.aliases.iter().enumerate() {
        reading.names.aliases.entry(alias.clone()).or_insert(number);
    }
    let mut ledger = ledger::of(root, KEYS);
    let mut groups: Vec<Group> = reading
        .groups
        .iter()
        .map(|(name, of)| group(&reading, name, of))
        .collect();
    groups.iter_mut().for_each(|group| cases::work_out(&reading, group));
    doubts::of_keys(&reading, config, &mut ledger, &mut warnings);
    doubts::of_groups(&reading, &groups, &mut warnings);
    warning::sort(&mut warnings);
    let mut ask = ask(&reading);
    if cache.is_some() {
        ask.push("hit share of the response cache".to_owned());
    }
    Gateway {
        product: &PRODUCT,
        version: named,
        files: config.files.clone(),
        client: policy::client(&reading.settings, &reading),
        facts: facts(&reading),
        limits: limits::of_all(&reading),
        cache,
        // With a shared store the replicas count together.
        replicas: if reading.settings.shared_store {
            1
        } else {
            reading.replicas
        },
        aliases: reading.aliases,
        groups,
        warnings,
        ledger,
        left_out,
        ask,
    }
}

/// The version whose rules hold, and where that is known from.
fn version(config: &Config) -> (Version, String) {
    let tag = config
        .chart
        .as_ref()
        .and_then(|chart| chart.find("image.tag"))
        .and_then(Node::text);
    let number = |tag: &str| -> Option<(u64, u64)> {
        let rest = &tag[tag.find("v1.")? + 1..];
        let mut parts = rest.split(|c: char| !c.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let said = |rules: &str, (major, minor): (u64, u64)| format!("{rules} (image.tag says {major}.{minor})");
    match tag.and_then(number) {
        Some(found) if found <= (1, 80) => (Version::V1_80, said("1.80", found)),
        Some(found) if found <= (1, 106) => (Version::V1_106, said("1.106", found)),
        Some(found) => (Version::V1_109, said("1.109", found)),
        None => (Version::V1_109, "1.109".to_owned()),
    }
}

fn group(reading: &Reading<'_>, name: &str, deployments: &[Deployment]) -> Group {
    let settings = &reading.settings;
    let of = |chains: &Option<settings::Chains>| {
        let own = chains.iter().flatten().find(|(group, _)| group == name);
        own.map_or_else(Vec::new, |(_, targets)| {
            targets
                .iter()
                .map(|(target, _)| target.clone())
                .filter(|target| reading.has(target))
                .collect()
        })
    };
    let shares = policy::shares(settings, deployments);
    let mut facts = Map::new();
    if let Some(tiers) = deployments.iter().find_map(|d| d.tiers.as_ref()) {
        let known = tiers.iter().filter(|(_, to)| reading.has(to));
        let tiers = object(known.map(|(tier, to)| (tier.clone(), json!(to))));
        facts.insert("complexity".to_owned(), Value::Object(tiers));
    }
    if let [
        Deployment {
            num_retries: Some(retries),
            ..
        },
    ] = deployments
    {
        facts.insert("num_retries".to_owned(), json!(retries));
    }
    if let Some(most) = policy::admitted_in_a_minute(settings, deployments) {
        facts.insert("admitted_in_a_minute_at_most".to_owned(), json!(most));
    }
    Group {
        name: name.to_owned(),
        at: deployments.first().map_or(Place::default(), |d| d.member.at),
        members: deployments.iter().map(|d| d.member.clone()).collect(),
        through: policy::through(reading, deployments, shares.as_deref()),
        policy: policy::among(settings, deployments),
        shares,
        fallback: reading.fallbacks(name),
        limits: limits::of_group(reading, deployments),
        context_fallback: of(&settings.context),
        content_fallback: of(&settings.content),
        facts,
        ..Group::default()
    }
}

fn facts(reading: &Reading<'_>) -> Map<String, Value> {
    let settings = &reading.settings;
    let mut facts = Map::new();
    facts.insert("max_fallbacks".to_owned(), json!(settings.max_fallbacks));
    if !settings.default_fallbacks.is_empty() {
        facts.insert("default_fallbacks".to_owned(), json!(settings.default_fallbacks));
    }
    // Where the client has the longest timeout of a deployment, that is not of those without one.
    if settings.timeout.is_none() && policy::longest(reading).is_some() {
        facts.insert("timeout_of_all".to_owned(), json!(settings::TIMEOUT));
    }
    if let Some(timeout) = settings.stream_timeout {
        facts.insert("stream_timeout_of_all".to_owned(), json!(timeout));
    }
    // Where any group has a chain of its own for it, the others have none.
    facts.insert("context_window_fallbacks".to_owned(), json!(settings.context.is_some()));
    facts.insert("content_policy_fallbacks".to_owned(), json!(settings.content.is_some()));
    if let Some(budgets) = policy::budgets(reading) {
        facts.insert("budgets".to_owned(), budgets);
    }
    if settings.cooling == settings::Cooling::ByShare {
        let alone = reading.groups.iter().filter(|(_, of)| of.len() == 1);
        facts.insert("never_cools".to_owned(), alone.map(|(name, _)| json!(name)).collect());
    }
    facts
}

/// What no configuration can say.
fn ask(reading: &Reading<'_>) -> Vec<String> {
    let mut ask = vec![
        "arrivals, by name".to_owned(),
        "tokens of input and output, by name".to_owned(),
    ];
    let everybody = || reading.groups.iter().flat_map(|(_, deployments)| deployments);
    let names: Vec<&str> = everybody()
        .filter(|d| d.tiers.is_none())
        .map(|d| d.member.name.as_str())
        .collect();
    ask.push(format!("latency and faults of {}", names.join(", ")));
    let mut accounts: BTreeMap<&str, u32> = BTreeMap::new();
    for account in everybody().filter_map(|d| d.member.account.as_deref()) {
        *accounts.entry(account).or_default() += 1;
    }
    let accounts: Vec<&str> = accounts.into_keys().collect();
    if !accounts.is_empty() {
        ask.push(format!("quotas of the accounts {}", accounts.join(", ")));
    }
    let local: Vec<&str> = everybody()
        .filter(|d| d.member.local)
        .map(|d| d.member.name.as_str())
        .collect();
    if !local.is_empty() {
        ask.push(format!(
            "what the servers behind {} can do (slots or batching)",
            local.join(", ")
        ));
    }
    let without = everybody().filter(|d| d.member.price.is_none() && d.member.own_price.is_none() && d.tiers.is_none());
    for deployment in without.filter(|d| !d.member.local) {
        ask.push(match deployment.member.model.contains('*') {
            true => format!("which models are asked for under {}", deployment.group),
            false => format!(
                "which model {} is ({})",
                deployment.member.name, deployment.member.model
            ),
        });
    }
    if reading.settings.tags {
        ask.push("tags by class".to_owned());
    }
    if reading.settings.stream_timeout.is_some() || everybody().any(|d| d.member.stream_timeout.is_some()) {
        ask.push("share of requests that stream".to_owned());
    }
    if everybody().any(|d| d.tiers.is_some()) {
        ask.push("share of each complexity tier, or prompts' scores".to_owned());
    }
    if reading
        .root
        .find("general_settings.store_model_in_db")
        .is_some_and(Node::is_true)
    {
        ask.push("the models in the database".to_owned());
    }
    ask
}
