//! What a configuration bounds and the experiment does not: limits, quotas, budgets, timeouts, retries and caches that no simulation has.
//!
//! Only keys are told whose subject is such a bound, by the words of the key and of what the table says of it: what else is not modelled
//! is in `keys.md`. Keys of one kind are told once.

use crate::gateways::ledger::Row;
use crate::gateways::spelling::NOT_KNOWN;
use crate::gateways::{Gateway, printable};

/// What a key that bounds requests has in it, or in what is said of it.
const BOUNDS: &[&str] = &[
    "limit",
    "quota",
    "budget",
    "timeout",
    "cache",
    "caching",
    "rpm",
    "tpm",
    "rpd",
    "tpd",
    "parallel",
    "concurren",
    "throttl",
    "circuit",
    "breaker",
    "bound",
    "retry",
    "retries",
];

/// The keys that would refuse, bound or answer requests and are not in the experiment, each as a clause: `rate_limit` (line 3: why).
pub fn dropped(gateway: &Gateway) -> Vec<String> {
    let mut kinds: Vec<(&Row, usize)> = Vec::new();
    for row in gateway.ledger.iter().filter(|row| row.is_dropped() && bounds(row)) {
        let known = kinds
            .iter()
            .position(|(first, _)| (end(&first.shape), &first.how) == (end(&row.shape), &row.how));
        match known {
            Some(at) => kinds[at].1 += 1,
            None => kinds.push((row, 0)),
        }
    }
    kinds.into_iter().map(|(row, more)| said(row, more)).collect()
}

fn bounds(row: &Row) -> bool {
    let own = if row.how == NOT_KNOWN { "" } else { row.how.as_str() };
    let text = format!("{} {own}", row.path).to_lowercase();
    BOUNDS.iter().any(|word| text.contains(word))
}

/// The last two steps of a path, by which a reader finds it.
fn end(path: &str) -> &str {
    match path.rmatch_indices('.').nth(1) {
        Some((at, _)) => &path[at + 1..],
        None => path,
    }
}

fn said(row: &Row, more: usize) -> String {
    let more = match more {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let why = match row.how.as_str() {
        "" => String::new(),
        how => format!(": {how}"),
    };
    format!("`{}` (line {}{more}{why})", printable(end(&row.path)), row.at.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::read;
    use crate::gateways::source::from_text;

    fn of(text: &str) -> Vec<String> {
        dropped(&read(&from_text("x", text).unwrap(), None).unwrap())
    }

    #[test]
    fn limits_that_no_experiment_has_are_told_once_by_kind() {
        let bifrost = r#"{ "version": 2, "providers": { "openai": { "keys": [ { "name": "k", "value": "env.K", "models": ["*"], "weight": 1 } ] } },
            "governance": { "virtual_keys": [ { "id": "v", "name": "t", "provider_configs": [
            { "provider": "openai", "weight": 1, "allowed_models": ["gpt-4o"],
              "rate_limit": { "request_max_limit": 10, "request_reset_duration": "1m" } } ] } ] } }"#;
        assert_eq!(
            of(bifrost),
            ["`provider_configs[0].rate_limit` (line 4: an exceeded provider leaves routing)"]
        );
        let litellm = "model_list:\n- {model_name: a, litellm_params: {model: openai/x, rpd: 9}}\n\
            - {model_name: b, litellm_params: {model: openai/y, rpd: 9}}\n\
            general_settings: {global_max_parallel_requests: 3, background_health_checks: true}\n";
        assert_eq!(
            of(litellm),
            [
                "`litellm_params.rpd` (line 2 and 1 more: a limit of a day)",
                "`general_settings.global_max_parallel_requests` (line 4: a bound on all calls)",
            ]
        );
    }

    #[test]
    fn a_plugin_that_limits_is_told_by_its_name() {
        let kong = "_format_version: '3.0'\nplugins:\n- name: ai-proxy\n  config: {route_type: llm/v1/chat, model: {provider: openai, name: x}}\n\
            - name: rate-limiting\n  config: {minute: 5, policy: local}\n";
        assert_eq!(
            of(kong),
            ["`config.minute` (line 6: the plugin rate-limiting bounds requests)"]
        );
    }
}
