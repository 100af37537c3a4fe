//! What LiteLLM's proxy gives to each key, user and team that is made without limits of its own.
//!
//! `default_key_generate_params`, `default_internal_user_params` and `default_team_params` say limits of requests and tokens a minute,
//! calls at once, and a budget with its window. What the database says of single keys is not in the file. A window of a minute begins
//! with the first request that finds none open; tokens count when the answer is there. Over any of them the proxy answers 429.
//!
//! Source: LiteLLM, `proxy/hooks/parallel_request_limiter_v3.py`, `litellm_core_utils/duration_parser.py`.

use serde_json::{Value, json};

use crate::gateways::tree::Node;

/// The settings, and what each is for.
pub(super) const SETTINGS: [(&str, &str); 3] = [
    ("litellm_settings.default_key_generate_params", "key"),
    ("litellm_settings.default_internal_user_params", "user"),
    ("litellm_settings.default_team_params", "tag.team"),
];

/// The limiters of each key, user and team.
pub(super) fn limiters(root: &Node) -> Vec<Value> {
    let unit = match root.find("general_settings.token_rate_limit_type").and_then(Node::text) {
        Some("input") => "input_tokens",
        Some("output") => "output_tokens",
        Some(_) | None => "tokens",
    };
    let mut limiters = Vec::new();
    for (path, per) in SETTINGS {
        let Some(of) = root.find(path) else { continue };
        let mut add = |limiter: Value| limiters.push(json!({ "each": { "per": per, "limiter": limiter } }));
        if let Some(limit) = of.count_of("rpm_limit") {
            add(
                json!({ "fixed_window": { "unit": "requests", "limit": limit, "window": "1m", "begins": "first_use" } }),
            );
        }
        if let Some(limit) = of.count_of("tpm_limit") {
            add(json!({ "fixed_window": {
                "unit": unit, "limit": limit, "window": "1m", "begins": "first_use", "charge": { "at": "end" },
            } }));
        }
        if let Some(limit) = of.count_of("max_parallel_requests").filter(|limit| *limit > 0) {
            add(json!({ "concurrent": { "limit": limit } }));
        }
    }
    limiters
}

/// The budgets of each key, user and team, and that of the whole proxy.
pub(super) fn budgets(root: &Node) -> Vec<Value> {
    let budget = |of: &Node| {
        let most = of.number_of("max_budget").filter(|most| *most > 0.0)?;
        let window = of.text_of("budget_duration")?;
        Some(json!({ "per": super::policy::per(window), "money": format!("${most}") }))
    };
    let whole = root.get("litellm_settings").and_then(budget);
    let each = SETTINGS.into_iter().filter_map(|(path, per)| {
        let mut of = budget(root.find(path)?)?;
        of["each"] = json!(per);
        Some(of)
    });
    whole.into_iter().chain(each).collect()
}
