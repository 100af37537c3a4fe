//! LiteLLM's settings: what holds for all groups, where it is said, and which saying goes before which.
//!
//! `router_settings` goes before `litellm_settings`, and nothing is joined: fallbacks in both are the router's only. A policy of
//! names that are all unknown is empty and yet not absent: an empty `allowed_fails_policy` puts the counter, with 3 allowed, in
//! the place of the rules by share (measured on 1.109.1: a deployment cools at its own 4th failure, by default at its 5th).

use super::keys::{FAILS, RETRIES};
use crate::form::diagnose::nearest;
use crate::gateways::tree::{Entry, Node};
use crate::gateways::warning::Warning;

/// The version whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1_109,
    /// Those of 1.109, but that `allowed_fails: 3` is as good as none, and any other cools a deployment that is alone.
    V1_106,
    V1_80,
}

/// The rule by which deployments cool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cooling {
    /// No failure cools a deployment.
    Off,
    /// By LiteLLM's rules by share.
    ByShare,
    /// At one failure more than allowed, by the kind of the latest.
    Counted,
}

/// Settings that hold for all groups.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) version: Version,
    pub(super) strategy: String,
    /// The parameters of the strategy by latency, as an experiment has them.
    pub(super) latency: serde_json::Map<String, serde_json::Value>,
    pub(super) num_retries: u64,
    pub(super) retry_after: f64,
    /// Retries by kind of error, by the experiment's names.
    pub(super) retries_by: Vec<(&'static str, u64)>,
    /// The groups that have a retry policy of their own, which takes the place of the general one.
    pub(super) retries_of_groups: Vec<(String, Vec<(&'static str, u64)>)>,
    pub(super) cooling: Cooling,
    /// The failures that do not yet lead to a cooldown, if they are counted: by kind, by the experiment's names, if there is a policy; and
    /// of the kinds that it does not name, if that is given.
    pub(super) allowed_by: Option<Vec<(&'static str, u64)>>,
    pub(super) allowed: Option<u64>,
    pub(super) cooldown: f64,
    pub(super) cooldown_given: bool,
    pub(super) timeout: Option<f64>,
    pub(super) stream_timeout: Option<f64>,
    pub(super) fallbacks: Chains,
    pub(super) default_fallbacks: Vec<String>,
    pub(super) max_fallbacks: u64,
    pub(super) context: Option<Chains>,
    pub(super) content: Option<Chains>,
    pub(super) checks: Vec<String>,
    pub(super) pre_call_checks: bool,
    pub(super) tags: bool,
    pub(super) shared_store: bool,
}

/// Fallbacks: a group, the line of its entry, and its targets with theirs.
pub(super) type Chains = Vec<(String, Vec<(String, crate::gateways::tree::Place)>)>;

/// The seconds that an attempt may take if nothing says otherwise.
pub(super) const TIMEOUT: f64 = 6000.0;
/// The failures that a counter allows if nothing says otherwise.
const ALLOWED: u64 = 3;
/// The check that looks at budgets of providers and deployments.
pub(super) const BUDGETS: &str = "router_budget_limiting";
/// The seconds of a cooldown if nothing says otherwise.
const COOLDOWN: f64 = 5.0;

impl Settings {
    pub(super) fn read(root: &Node, version: Version, warnings: &mut Vec<Warning>) -> Settings {
        let empty = Node {
            at: root.at,
            value: crate::gateways::tree::Value::Map(Vec::new()),
        };
        let router = root.get("router_settings").unwrap_or(&empty);
        let general = root.get("litellm_settings").unwrap_or(&empty);
        let mut first = |key: &str, second: &str| -> Option<&Entry> {
            match (router.entry(key), general.entry(second)) {
                (Some(one), Some(other)) => {
                    let what = format!("`router_settings.{key}`, line {}, goes before it", one.at.line);
                    let subject = format!("litellm_settings.{second}");
                    warnings.push(Warning::new("overridden", subject, Some(other.at)).saying(what));
                    Some(one)
                }
                (one, other) => one.or(other),
            }
        };
        let number = |entry: Option<&Entry>| entry.and_then(|entry| entry.value.number());
        let num_retries = number(first("num_retries", "num_retries")).map_or(2, whole);
        let timeout = number(first("timeout", "request_timeout"));
        let allowed_fails = number(first("allowed_fails", "allowed_fails")).map(whole);
        let max_fallbacks = number(first("max_fallbacks", "max_fallbacks")).map_or(5, whole);
        let plain = first("fallbacks", "fallbacks").cloned();
        let default = first("default_fallbacks", "default_fallbacks").cloned();
        let context = first("context_window_fallbacks", "context_window_fallbacks").cloned();
        let content = first("content_policy_fallbacks", "content_policy_fallbacks").cloned();
        if let Some(entry) = default.as_ref().filter(|entry| !entry.value.is_list()) {
            let what = format!("it must be a list: `[{}]`", entry.value.text().unwrap_or("GROUP, …"));
            warnings.push(Warning::new("does-not-start", "default_fallbacks", Some(entry.at)).saying(what));
        }
        let mut chains = |entry: &Option<Entry>| entry.as_ref().map(|entry| chains(entry, warnings));
        let fallbacks = chains(&plain).unwrap_or_default();
        let (context, content) = (chains(&context), chains(&content));
        let retries_by = retries(router.entry("retry_policy"), warnings);
        let of_groups = router.get("model_group_retry_policy").map_or(&[][..], Node::entries);
        let retries_of_groups = of_groups
            .iter()
            .map(|group| (group.key.clone(), retries(Some(group), warnings)))
            .collect();
        let policy = fails(router.entry("allowed_fails_policy"), warnings);
        let cooldown = router.number_of("cooldown_time");
        let cooling = match (&policy, allowed_fails) {
            _ if router.flag("disable_cooldowns") || cooldown.is_some_and(|c| c <= 0.0) => Cooling::Off,
            (Some(_), _) => Cooling::Counted,
            // Up to 1.106 the default, written out, was taken for not given.
            (None, Some(3)) if version != Version::V1_109 => Cooling::ByShare,
            (None, Some(_)) => Cooling::Counted,
            (None, None) => Cooling::ByShare,
        };
        Settings {
            version,
            strategy: router
                .text_of("routing_strategy")
                .unwrap_or("simple-shuffle")
                .to_owned(),
            latency: latency(router.get("routing_strategy_args")),
            num_retries,
            retry_after: router.number_of("retry_after").unwrap_or(0.0).max(0.0),
            retries_by,
            retries_of_groups,
            cooling,
            allowed_by: policy,
            allowed: allowed_fails,
            cooldown: cooldown.unwrap_or(COOLDOWN),
            cooldown_given: cooldown.is_some(),
            timeout,
            stream_timeout: router.number_of("stream_timeout"),
            fallbacks,
            default_fallbacks: default
                .map_or_else(Vec::new, |e| e.value.texts().into_iter().map(str::to_owned).collect()),
            max_fallbacks,
            context,
            content,
            checks: checks(root, router),
            pre_call_checks: router.flag("enable_pre_call_checks"),
            tags: router.flag("enable_tag_filtering"),
            shared_store: ["redis_host", "redis_url"].iter().any(|key| router.get(key).is_some())
                || root.find("general_settings.coordination_redis").is_some(),
        }
    }
}

/// The checks before a call. A budget of a provider or a deployment switches the one that looks at it on by itself
/// (`RouterBudgetLimiting.should_init_router_budget_limiter`).
fn checks(root: &Node, router: &Node) -> Vec<String> {
    let listed = router
        .get("optional_pre_call_checks")
        .map_or_else(Vec::new, Node::texts);
    let mut checks: Vec<String> = listed.into_iter().map(str::to_owned).collect();
    let of_deployment = |item: &Node| {
        let parameters = item.get("litellm_params");
        parameters.is_some_and(|of| of.get("max_budget").is_some() || of.get("budget_duration").is_some())
    };
    let deployments = root.get("model_list").map_or(&[][..], Node::items);
    let has_budget = router.get("provider_budget_config").is_some() || deployments.iter().any(of_deployment);
    if has_budget && !checks.iter().any(|check| check == BUDGETS) {
        checks.push(BUDGETS.to_owned());
    }
    checks
}

fn chains(entry: &Entry, warnings: &mut Vec<Warning>) -> Chains {
    let mut found = Chains::new();
    let mut misshapen = !entry.value.is_list();
    for item in entry.value.items() {
        if !item.is_map() || item.entries().iter().any(|pair| !pair.value.is_list()) {
            misshapen = true;
            continue;
        }
        for pair in item.entries() {
            let target = |node: &Node| Some((node.text().or(node.text_of("model"))?.to_owned(), node.at));
            let targets = pair.value.items().iter().filter_map(target).collect();
            found.push((pair.key.clone(), targets));
        }
    }
    if misshapen {
        let what = "it must be a list of `{GROUP: [GROUP, …]}`";
        warnings.push(Warning::new("wrong-shape", &entry.key, Some(entry.at)).saying(what));
    }
    found
}

/// The retry policy by the experiment's names.
fn retries(entry: Option<&Entry>, warnings: &mut Vec<Warning>) -> Vec<(&'static str, u64)> {
    let Some(entry) = entry else { return Vec::new() };
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    let mut misshapen = !entry.value.is_map();
    for pair in entry.value.entries() {
        let known = RETRIES.iter().find(|(name, _)| *name == pair.key);
        match (known, pair.value.number()) {
            (Some((_, name)), Some(retries)) => found.push((*name, whole(retries))),
            (_, None) => misshapen = true,
            (None, Some(_)) => unknown.push(pair.key.as_str()),
        }
    }
    if misshapen {
        let what = "its values must be numbers, under names like `RateLimitErrorRetries`";
        warnings.push(Warning::new("wrong-shape", "retry_policy", Some(entry.at)).saying(what));
    }
    unknown_names(
        "retry_policy",
        entry,
        &unknown,
        RETRIES.iter().map(|(name, _)| *name),
        warnings,
    );
    found
}

/// The policy of allowed failures by the experiment's names; none if there is no policy.
fn fails(entry: Option<&Entry>, warnings: &mut Vec<Warning>) -> Option<Vec<(&'static str, u64)>> {
    let entry = entry?;
    let pairs = entry.value.entries();
    let known = |name: &str| FAILS.iter().find(|(known, _)| *known == name);
    let unknown: Vec<&str> = pairs
        .iter()
        .map(|pair| pair.key.as_str())
        .filter(|key| known(key).is_none())
        .collect();
    let names = FAILS.iter().map(|(name, _)| *name);
    unknown_names("allowed_fails_policy", entry, &unknown, names, warnings);
    let counts = pairs
        .iter()
        .filter_map(|pair| Some((known(&pair.key)?.1, whole(pair.value.number()?))));
    Some(counts.collect())
}

fn unknown_names<'a>(
    policy: &str,
    entry: &Entry,
    unknown: &[&str],
    known: impl Iterator<Item = &'a str> + Clone,
    warnings: &mut Vec<Warning>,
) {
    let Some(first) = unknown.first() else { return };
    let like = known
        .clone()
        .find(|name| name.starts_with(first.trim_end_matches("Retries")));
    let near = like.or_else(|| nearest(first, known));
    let mut what = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
    if policy == "allowed_fails_policy" && unknown.len() == entry.value.entries().len() {
        what += " Empty as it then is, it still replaces the rules by share by a counter of 3";
    }
    let subject = format!("{policy}.{}", unknown.join(", "));
    warnings.push(Warning::new("unknown-name", subject, Some(entry.at)).saying(what.trim_start()));
}

impl Settings {
    /// The failures of the kind that is called so which do not yet lead to a cooldown, where they are counted, and whether the number
    /// holds for a deployment that is alone and whose group has no fallback.
    pub(super) fn allowed(&self, kind: &str) -> (u64, bool) {
        let by = self.allowed_by.iter().flatten().find(|(name, _)| *name == kind);
        match by {
            Some((_, fails)) => (*fails, true),
            None => (self.allowed.unwrap_or(ALLOWED), false),
        }
    }
}

fn latency(args: Option<&Node>) -> serde_json::Map<String, serde_json::Value> {
    let mut of = serde_json::Map::new();
    let Some(args) = args else { return of };
    if let Some(ttl) = args.number_of("ttl") {
        of.insert("ttl".to_owned(), super::policy::seconds(ttl));
    }
    if let Some(buffer) = args.number_of("lowest_latency_buffer") {
        of.insert("lowest_latency_buffer".to_owned(), buffer.into());
    }
    if let Some(size) = args.count_of("max_latency_list_size") {
        of.insert("max_latency_list_size".to_owned(), size.into());
    }
    of
}

/// A number of tries or failures: none has more than ten thousand.
fn whole(n: f64) -> u64 {
    n.clamp(0.0, 10_000.0) as u64
}
