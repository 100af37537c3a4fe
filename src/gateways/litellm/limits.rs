//! LiteLLM's limits in words: what each bounds, what refuses beyond it, with which status, and whether that is tried again.
//!
//! - Calls at once (`max_parallel_requests`, else rpm, else 6 for each 1000 of tpm) are refused by the router with a 429 and no call; up to 1.80
//!   they wait. Such a 429 does not cool the deployment.
//! - `rpm` and `tpm` bound a rate only with `enforce_model_rate_limits`, which refuses with a 429 and cools the deployment, or where the
//!   strategy looks at them: by usage, latency or cost, a deployment at its limit is left out of the choice.
//! - Limits of keys, users and teams are the proxy's: a 429, and a 422 for money, before any deployment is chosen.
//!
//! Source: LiteLLM 1.109.1, `router_utils/pre_call_checks/model_rate_limit_check.py`, `async_routing_strategy_pre_call_checks`,
//! `router_strategy/budget_limiter.py`, `budget_exceeded_status_code`; calls at once were measured. Left out: limits in the database.

use super::Reading;
use super::deployments::Deployment;
use super::settings::Version;
use super::tenants::SETTINGS;
use crate::gateways::model::Limit;
use crate::gateways::tree::{Node, Place};

/// The limits of a group.
pub(super) fn of_group(reading: &Reading<'_>, deployments: &[Deployment]) -> Vec<Limit> {
    let settings = &reading.settings;
    let enforced = settings.checks.iter().any(|check| check == "enforce_model_rate_limits");
    let several = deployments.len() > 1;
    let at = deployments.iter().find_map(|d| d.limit_at);
    let mut all = Vec::new();
    let connections = listed(deployments, |d| {
        let own = d.member.connections?;
        let from = match (d.rpm, d.tpm) {
            _ if d.own_cap => "",
            (Some(_), _) => " (from its rpm)",
            (None, Some(_)) => " (from its tpm)",
            (None, None) => "",
        };
        Some(format!("{own} at {}{from}", d.member.name))
    });
    if let Some(listed) = connections {
        let beyond = match (settings.version, several) {
            (Version::V1_80, _) => "one more waits for a free place, without a bound",
            (Version::V1_109 | Version::V1_106, true) => {
                "one more is the router's own 429, without a call or a cooldown; it is tried again at once, by another choice"
            }
            (Version::V1_109 | Version::V1_106, false) => {
                "one more is the router's own 429, without a call or a cooldown; it is tried again after its back-off, like a provider's"
            }
        };
        all.push(Limit::new(format!("calls at once: {listed}"), beyond, at));
    }
    let by_strategy = match settings.strategy.as_str() {
        "usage-based-routing" | "usage-based-routing-v2" => Some("usage"),
        "latency-based-routing" => Some("latency"),
        "cost-based-routing" => Some("cost"),
        _ => None,
    };
    // Usage-based routing lets one request less through.
    let less = u64::from(by_strategy == Some("usage"));
    let rates = [
        listed(deployments, |d| {
            Some(format!("{} at {}", d.rpm?.saturating_sub(less), d.member.name))
        })
        .map(|of| ("requests", of)),
        listed(deployments, |d| Some(format!("{} at {}", d.tpm?, d.member.name))).map(|of| ("tokens", of)),
    ];
    for (unit, of) in rates.into_iter().flatten() {
        let what = format!("{unit} in a minute of the clock: {of}");
        let counted = match unit {
            "tokens" => "; tokens count when the answer is there, so that calls under way go beyond",
            _ => "",
        };
        let cooldown = settings.cooldown;
        let beyond = match (enforced, by_strategy) {
            (true, _) => format!(
                "one more is the router's own 429 with Retry-After 60, without a call; the deployment cools for {cooldown} s and the next try \
                 is another's{counted}"
            ),
            (false, Some(_)) if several => format!(
                "the strategy leaves it out of the choice; where none is left the request ends at once with a 429, without a retry{counted}"
            ),
            (false, Some(_)) => format!("the strategy has no other: the request ends at once with a 429{counted}"),
            (false, None) if settings.strategy == "simple-shuffle" => {
                "no request is refused for it: it is a weight of the draw, and a bound on calls at once".to_owned()
            }
            (false, None) => format!(
                "no request is refused for it, and {} does not look at it: it does nothing but bound calls at once",
                settings.strategy
            ),
        };
        all.push(Limit::new(what, beyond, at));
    }
    for deployment in deployments {
        let Some((most, window)) = &deployment.budget else {
            continue;
        };
        let what = format!("${most} each {window} at {}", deployment.member.name);
        all.push(Limit::new(what, BEYOND_BUDGET, Some(deployment.member.at)));
    }
    all
}

/// What happens when the money of a deployment or a provider is spent.
const BEYOND_BUDGET: &str = "it is left out of the choice until the window ends; where none is left the router fails without an attempt, and the \
    request falls back, or the caller is told a 500";

/// The values of the deployments that have one, in words.
fn listed(deployments: &[Deployment], say: impl Fn(&Deployment) -> Option<String>) -> Option<String> {
    let mut all = deployments.iter().filter_map(say);
    let few: Vec<String> = all.by_ref().take(6).collect();
    let more = all.count();
    match (few.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(few.join(", ")),
        (false, n) => Some(format!("{} and {n} more", few.join(", "))),
    }
}

/// The limits of all groups: those of providers, of keys, users and teams, of the whole proxy.
pub(super) fn of_all(reading: &Reading<'_>) -> Vec<Limit> {
    let root = reading.root;
    let mut all = Vec::new();
    let providers = root.find("router_settings.provider_budget_config");
    for entry in providers.map_or(&[][..], Node::entries) {
        let Some(most) = entry.value.number_of("budget_limit") else {
            continue;
        };
        let window = entry.value.text_of("time_period").unwrap_or("30d");
        let what = format!("${most} each {window} of all {}/ deployments together", entry.key);
        all.push(Limit::new(what, BEYOND_BUDGET, Some(entry.at)));
    }
    let refused = "the proxy refuses with a 429 before a deployment is chosen: no retry and no fallback";
    let money = "the proxy refuses with a 422 (`budget_exceeded_status_code`) before a deployment is chosen: no retry and no fallback";
    for (path, per) in SETTINGS {
        let Some(of) = root.find(path) else { continue };
        let whose = format!(
            "of each {} that is made without its own",
            per.trim_start_matches("tag.")
        );
        let mut add = |key: &str, words: &str, beyond: &str| {
            if let Some(entry) = of.entry(key)
                && let Some(n) = entry.value.number()
            {
                all.push(Limit::new(format!("{n} {words} {whose}"), beyond, Some(entry.at)));
            }
        };
        add("rpm_limit", "requests a minute", refused);
        add("tpm_limit", "tokens a minute", refused);
        add("max_parallel_requests", "calls at once", refused);
        all.extend(budget(of, &whose, money));
    }
    all.extend(
        root.get("litellm_settings")
            .and_then(|of| budget(of, "of the whole proxy", money)),
    );
    let general = root.get("general_settings");
    for (key, whose) in [
        ("global_max_parallel_requests", "of the whole proxy"),
        ("max_parallel_requests", "of each key"),
    ] {
        if let Some(entry) = general.and_then(|of| of.entry(key))
            && let Some(n) = entry.value.number()
        {
            let beyond = format!("{refused}; not simulated");
            all.push(Limit::new(format!("{n} calls at once {whose}"), beyond, Some(entry.at)));
        }
    }
    all
}

fn budget(of: &Node, whose: &str, beyond: &str) -> Option<Limit> {
    let entry = of.entry("max_budget")?;
    let most = entry.value.number().filter(|most| *most > 0.0)?;
    let window = match of.text_of("budget_duration") {
        Some(window) => format!(" each {window}"),
        None => String::new(),
    };
    let at: Option<Place> = Some(entry.at);
    Some(Limit::new(format!("${most}{window} {whose}"), beyond, at))
}
