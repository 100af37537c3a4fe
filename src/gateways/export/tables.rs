//! What may be written into each product's configuration: its keys, the settings that each makes, and how a value is written.
//!
//! A row joins a key of the file to a setting of [`crate::gateways::settled`]. Which of the keys that a row stands for makes a setting is
//! not said here: it is found by reading the changed file again. Earlier rows go before later ones. What the product's own table of keys
//! calls approximated is written only where that is accepted.

use serde_json::{Value, json};

use crate::form::units::seconds;
use crate::gateways::envoy_bootstrap::{cluster, host};

/// How a setting is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// As the number that it is.
    Number,
    /// As one less than the number that it is: retries, where attempts are counted.
    OneLess,
    /// As a number of seconds.
    Seconds,
    /// As a number of milliseconds.
    Millis,
    /// As a time with its unit.
    Time,
    /// As a number of per cent.
    Percent,
    /// As true or false.
    Truth,
    /// As a list of numbers or names.
    List,
    /// As the list of a group in a list of chains: `[{GROUP: [GROUP, …]}]`.
    Chain,
    /// As another word, for those that are given.
    Word(&'static [(&'static str, &'static str)]),
}

/// A key that may be written: its path, in which `[]` stands for every item and `*` for every key, behind the kind of its document
/// and a colon where there are several; the end of the setting's path; and the form.
pub(super) type Row = (&'static str, &'static str, Form);

use Form::{Chain, List, Millis, Number, OneLess, Percent, Seconds, Time, Truth, Word};

/// A rule of retries that never retries.
const NEVER: Form = Word(&[("never", "0")]);

#[rustfmt::skip]
const LITELLM: &[Row] = &[
    ("router_settings.num_retries", "retry.num_retries", Number),
    ("litellm_settings.num_retries", "retry.num_retries", Number),
    ("router_settings.num_retries", "retry.kind", NEVER),
    ("litellm_settings.num_retries", "retry.kind", NEVER),
    ("model_list[].litellm_params.num_retries", "retry.num_retries", Number),
    ("router_settings.retry_after", "retry.retry_after", Seconds),
    ("router_settings.retry_policy.BadRequestErrorRetries", "retry.retry_policy.bad_request_error_retries", Number),
    ("router_settings.retry_policy.AuthenticationErrorRetries", "retry.retry_policy.authentication_error_retries", Number),
    ("router_settings.retry_policy.TimeoutErrorRetries", "retry.retry_policy.timeout_error_retries", Number),
    ("router_settings.retry_policy.RateLimitErrorRetries", "retry.retry_policy.rate_limit_error_retries", Number),
    ("router_settings.retry_policy.ContentPolicyViolationErrorRetries", "retry.retry_policy.content_policy_violation_error_retries", Number),
    ("router_settings.retry_policy.InternalServerErrorRetries", "retry.retry_policy.internal_server_error_retries", Number),
    ("router_settings.allowed_fails", "breaker.allowed_fails", Number),
    ("litellm_settings.allowed_fails", "breaker.allowed_fails", Number),
    ("router_settings.cooldown_time", "breaker.cooldown_time", Seconds),
    ("router_settings.disable_cooldowns", "breaker.kind", Word(&[("never", "true"), ("litellm_cooldown", "false")])),
    ("model_list[].litellm_params.cooldown_time", "breaker.deployments.*", Seconds),
    ("model_list[].model_info.cooldown_time", "breaker.deployments.*", Seconds),
    ("router_settings.timeout", "timeouts.attempt", Seconds),
    ("litellm_settings.request_timeout", "timeouts.attempt", Seconds),
    ("model_list[].litellm_params.timeout", "timeouts.attempt", Seconds),
    ("router_settings.routing_strategy", "policy.kind", Word(&[
        ("simple_shuffle", "simple-shuffle"), ("least_busy", "least-busy"), ("latency_based", "latency-based-routing"),
        ("usage_based", "usage-based-routing-v2"), ("cost_based", "cost-based-routing"),
    ])),
    ("router_settings.routing_strategy", "policy.version", Word(&[("v1", "usage-based-routing"), ("v2", "usage-based-routing-v2")])),
    ("router_settings.routing_strategy_args.ttl", "policy.ttl", Seconds),
    ("router_settings.routing_strategy_args.lowest_latency_buffer", "policy.lowest_latency_buffer", Number),
    ("router_settings.routing_strategy_args.max_latency_list_size", "policy.max_latency_list_size", Number),
    ("model_list[].litellm_params.weight", "weights.*", Number),
    ("model_list[].litellm_params.rpm", "limits.rpm.*", Number),
    ("model_list[].rpm", "limits.rpm.*", Number),
    ("model_list[].litellm_params.tpm", "limits.tpm.*", Number),
    ("model_list[].tpm", "limits.tpm.*", Number),
    ("model_list[].litellm_params.max_parallel_requests", "connections", Number),
    ("model_list[].model_info.max_input_tokens", "context_window", Number),
    ("router_settings.fallbacks", "fallbacks", Chain),
    ("litellm_settings.fallbacks", "fallbacks", Chain),
    ("router_settings.context_window_fallbacks", "context_window_fallbacks", Chain),
    ("litellm_settings.context_window_fallbacks", "context_window_fallbacks", Chain),
    ("router_settings.content_policy_fallbacks", "content_policy_fallbacks", Chain),
    ("litellm_settings.content_policy_fallbacks", "content_policy_fallbacks", Chain),
    ("router_settings.max_fallbacks", "max_fallbacks", Number),
    ("litellm_settings.max_fallbacks", "max_fallbacks", Number),
];

/// Of a target at any depth, or of the whole.
#[rustfmt::skip]
const PORTKEY: &[Row] = &[
    ("retry.attempts", "retry.attempts", Number),
    ("retry.attempts", "retry.kind", NEVER),
    ("retry.on_status_codes", "retry.on_status_codes", List),
    ("retry.use_retry_after_header", "retry.use_retry_after_header", Truth),
    ("request_timeout", "timeouts.ttft", Millis),
    ("weight", "weight", Number),
    ("strategy.on_status_codes", "on", List),
    ("strategy.cb_config.failure_threshold", "breaker.failure_threshold", Number),
    ("strategy.cb_config.failure_threshold_percentage", "breaker.failure_threshold_percentage", Percent),
    ("strategy.cb_config.minimum_requests", "breaker.minimum_requests", Number),
    ("strategy.cb_config.cooldown_interval", "breaker.cooldown_interval", Millis),
    ("strategy.cb_config.failure_status_codes", "breaker.failures", List),
];

#[rustfmt::skip]
const ENVOY: &[Row] = &[
    ("BackendTrafficPolicy:spec.retry.numRetries", "retry.num_retries", Number),
    ("BackendTrafficPolicy:spec.retry.numRetries", "retry.kind", NEVER),
    ("BackendTrafficPolicy:spec.retry.perRetry.backOff.baseInterval", "retry.base_interval", Time),
    ("BackendTrafficPolicy:spec.retry.perRetry.backOff.maxInterval", "retry.max_interval", Time),
    ("BackendTrafficPolicy:spec.retry.perRetry.timeout", "timeouts.attempt", Time),
    ("BackendTrafficPolicy:spec.healthCheck.passive.consecutive5XxErrors", "breaker.consecutive_5xx", Number),
    ("BackendTrafficPolicy:spec.healthCheck.passive.interval", "breaker.interval", Time),
    ("BackendTrafficPolicy:spec.healthCheck.passive.baseEjectionTime", "breaker.base_ejection_time", Time),
    ("BackendTrafficPolicy:spec.healthCheck.passive.maxEjectionPercent", "breaker.max_ejection_percent", Percent),
    ("AIGatewayRoute:spec.rules[].backendRefs[].weight", "levels.*.*", Number),
    ("AIGatewayRoute:spec.rules[].timeouts.request", "timeouts.total", Time),
];

#[rustfmt::skip]
const KONG: &[Row] = &[
    ("plugins[].config.balancer.retries", "retry.tries", OneLess),
    ("plugins[].config.balancer.retries", "retry.kind", NEVER),
    ("plugins[].config.balancer.max_fails", "breaker.max_fails", Number),
    ("plugins[].config.balancer.max_fails", "breaker.kind", NEVER),
    ("plugins[].config.balancer.fail_timeout", "breaker.fail_timeout", Millis),
    ("plugins[].config.balancer.connect_timeout", "timeouts.connect", Millis),
    ("plugins[].config.balancer.read_timeout", "timeouts.ttft", Millis),
    ("plugins[].config.balancer.read_timeout", "timeouts.idle", Millis),
    ("plugins[].config.balancer.algorithm", "policy.kind", Word(&[
        ("smooth_round_robin", "round-robin"), ("kong_usage", "lowest-usage"), ("kong_latency", "lowest-latency"),
        ("kong_least_connections", "least-connections"), ("consistent_hash", "consistent-hashing"), ("priority", "priority"),
    ])),
    ("plugins[].config.targets[].weight", "weights.*", Number),
];

#[rustfmt::skip]
const BIFROST: &[Row] = &[
    ("providers.*.keys[].weight", "weights.*", Number),
    ("governance.virtual_keys[].provider_configs[].weight", "weight", Number),
    ("providers.*.network_config.max_retries", "retry.max_retries", Number),
    ("providers.*.network_config.max_retries", "retry.kind", NEVER),
    ("providers.*.network_config.retry_backoff_initial", "retry.retry_backoff_initial", Millis),
    ("providers.*.network_config.retry_backoff_max", "retry.retry_backoff_max", Millis),
    ("providers.*.network_config.default_request_timeout_in_seconds", "timeouts.attempt", Seconds),
    ("providers.*.network_config.stream_idle_timeout_in_seconds", "timeouts.idle", Seconds),
    ("providers.*.concurrency_and_buffer_size.concurrency", "connections", Number),
    ("providers.*.concurrency_and_buffer_size.buffer_size", "line", Number),
];

#[rustfmt::skip]
const BOOTSTRAP: &[Row] = &[
    (host!("routes[].route.retry_policy.num_retries"), "retry.num_retries", Number),
    (host!("routes[].route.retry_policy.num_retries"), "retry.kind", NEVER),
    (host!("routes[].route.retry_policy.retry_back_off.base_interval"), "retry.base_interval", Time),
    (host!("routes[].route.retry_policy.retry_back_off.max_interval"), "retry.max_interval", Time),
    (host!("routes[].route.retry_policy.per_try_timeout"), "timeouts.attempt", Time),
    (host!("routes[].route.retry_policy.retry_priority.typed_config.update_frequency"), "attempts_per_level", Number),
    (host!("routes[].route.retry_policy.host_selection_retry_max_attempts"), "previous_hosts", Number),
    (host!("retry_policy.num_retries"), "retry.num_retries", Number),
    (host!("retry_policy.num_retries"), "retry.kind", NEVER),
    (host!("retry_policy.retry_back_off.base_interval"), "retry.base_interval", Time),
    (host!("retry_policy.retry_back_off.max_interval"), "retry.max_interval", Time),
    (host!("retry_policy.per_try_timeout"), "timeouts.attempt", Time),
    (host!("routes[].route.timeout"), "timeouts.total", Time),
    (host!("routes[].route.timeout"), "timeouts.attempt", Time),
    (host!("routes[].route.weighted_clusters.clusters[].weight"), "weight", Number),
    (cluster!("connect_timeout"), "timeouts.connect", Time),
    (cluster!("outlier_detection.consecutive_5xx"), "breaker.consecutive_5xx", Number),
    (cluster!("outlier_detection.interval"), "breaker.interval", Time),
    (cluster!("outlier_detection.base_ejection_time"), "breaker.base_ejection_time", Time),
    (cluster!("outlier_detection.max_ejection_percent"), "breaker.max_ejection_percent", Percent),
    (cluster!("load_assignment.endpoints[].lb_endpoints[].load_balancing_weight"), "weights.*", Number),
    (cluster!("load_assignment.endpoints[].lb_endpoints[].load_balancing_weight"), "levels.*.*", Number),
    (cluster!("circuit_breakers.thresholds[].max_connections"), "connections", Number),
    (cluster!("circuit_breakers.thresholds[].max_requests"), "connections", Number),
    (cluster!("circuit_breakers.thresholds[].max_pending_requests"), "line", Number),
];

/// How deep targets of Portkey are looked for, and where plugins of Kong stand.
const TARGETS: [&str; 4] = [
    "",
    "targets[].",
    "targets[].targets[].",
    "targets[].targets[].targets[].",
];
const PLUGINS: [&str; 3] = ["", "services[].", "services[].routes[]."];

/// The rows of each product, with what may stand before their paths.
pub(super) const PRODUCTS: &[(&str, &[&str], &[Row])] = &[
    ("litellm", &[""], LITELLM),
    ("portkey", &TARGETS, PORTKEY),
    ("envoy-ai-gateway", &[""], ENVOY),
    ("kong", &PLUGINS, KONG),
    ("bifrost", &[""], BIFROST),
    ("envoy", &[""], BOOTSTRAP),
    // TOML is not written.
    ("tensorzero", &[""], &[]),
];

impl Form {
    /// A setting as the file has it; nothing if this form cannot say it.
    pub(super) fn write(self, value: &Value) -> Option<Value> {
        let time = |factor: f64| {
            let of = seconds(value.as_str()?)? * factor;
            // What multiplying adds beyond nanoseconds is cut off.
            Some(json!((of * 1e9).round() / 1e9))
        };
        match self {
            Form::Number => value.is_number().then(|| value.clone()),
            Form::OneLess => value.as_u64()?.checked_sub(1).map(|n| json!(n)),
            Form::Seconds => time(1.0),
            Form::Millis => time(1e3),
            Form::Time => value
                .as_str()
                .filter(|text| seconds(text).is_some())
                .map(|text| json!(text)),
            Form::Percent => {
                let text = value.as_str()?.strip_suffix('%')?;
                text.trim().parse::<f64>().ok().map(|n| json!(n))
            }
            Form::Truth => value.is_boolean().then(|| value.clone()),
            Form::List | Form::Chain => value.is_array().then(|| value.clone()),
            Form::Word(words) => {
                let (_, written) = words.iter().find(|(word, _)| value.as_str() == Some(word))?;
                Some(serde_json::from_str(written).unwrap_or_else(|_| json!(written)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::ledger::Verdict;
    use crate::gateways::{READERS, products};

    #[test]
    fn every_product_has_rows_and_every_row_a_key_that_is_read() {
        assert!(products().eq(PRODUCTS.iter().map(|(product, ..)| *product)));
        for (reader, (_, _, rows)) in READERS.iter().zip(PRODUCTS) {
            for (path, ..) in *rows {
                let shape = path.split_once(':').map_or(*path, |(_, shape)| shape);
                // A key may be named by the one that it stands in.
                let mut at = Some(shape);
                let found = std::iter::from_fn(|| {
                    let shape = at?;
                    at = shape.rsplit_once('.').map(|(before, _)| before);
                    Some((reader.verdict)(shape))
                });
                let verdict = found.flatten().next();
                assert!(
                    matches!(verdict, Some(Verdict::Modelled | Verdict::Approximated)),
                    "{path}: {verdict:?}"
                );
            }
        }
    }

    #[test]
    fn settings_are_written_as_the_file_has_them() {
        let of = |form: Form, value: Value| form.write(&value);
        assert_eq!(of(Form::Seconds, json!("1.5m")), Some(json!(90.0)));
        assert_eq!(of(Form::Millis, json!("1.5ms")), Some(json!(1.5)));
        assert_eq!(of(Form::OneLess, json!(3)), Some(json!(2)));
        assert_eq!(of(Form::Percent, json!("40%")), Some(json!(40.0)));
        assert_eq!(of(NEVER, json!("never")), Some(json!(0)));
        assert_eq!(of(NEVER, json!("litellm")), None);
        assert_eq!(of(Form::Number, json!("3")), None);
    }
}
