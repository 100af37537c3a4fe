//! Which settings of each product are numbers, and from where to where: tables.
//!
//! Sources: LiteLLM 1.109.1 (`types/router.py`), Portkey's `requestValidator/schema/config.ts`, Envoy Gateway's and Envoy's API, Kong's plugin
//! schema 3.15, Bifrost's config.schema.json, TensorZero's configuration reference; bounds from above are this program's own, beyond what is ever meant.

use super::{COUNT, LONG, LONG_MS, MONEY, May, PERCENT, Rule, TRIES, WEIGHT};

/// LiteLLM's numbers.
#[rustfmt::skip]
pub(in crate::gateways) const LITELLM: &[Rule] = &[
    ("model_list[].litellm_params.rpm", COUNT),
    ("model_list[].litellm_params.tpm", COUNT),
    ("model_list[].rpm", COUNT),
    ("model_list[].tpm", COUNT),
    ("model_list[].model_info.rpm", COUNT),
    ("model_list[].model_info.tpm", COUNT),
    ("model_list[].litellm_params.weight", WEIGHT),
    ("model_list[].litellm_params.order", COUNT),
    ("model_list[].litellm_params.max_parallel_requests", COUNT),
    ("model_list[].litellm_params.timeout", LONG),
    ("model_list[].litellm_params.stream_timeout", LONG),
    ("model_list[].litellm_params.num_retries", TRIES),
    ("model_list[].litellm_params.cooldown_time", LONG),
    ("model_list[].model_info.cooldown_time", LONG),
    ("model_list[].litellm_params.max_budget", MONEY),
    ("model_list[].litellm_params.input_cost_per_token", MONEY),
    ("model_list[].litellm_params.output_cost_per_token", MONEY),
    ("model_list[].model_info.input_cost_per_token", MONEY),
    ("model_list[].model_info.output_cost_per_token", MONEY),
    ("model_list[].model_info.max_input_tokens", COUNT),
    ("router_settings.num_retries", TRIES),
    ("router_settings.retry_after", LONG),
    ("router_settings.retry_policy.*", TRIES),
    ("router_settings.model_group_retry_policy.*.*", TRIES),
    ("router_settings.allowed_fails", TRIES),
    ("router_settings.allowed_fails_policy.*", TRIES),
    ("router_settings.cooldown_time", LONG),
    ("router_settings.timeout", LONG),
    ("router_settings.stream_timeout", LONG),
    ("router_settings.max_fallbacks", TRIES),
    ("router_settings.routing_strategy_args.ttl", LONG),
    ("router_settings.routing_strategy_args.lowest_latency_buffer", WEIGHT),
    ("router_settings.routing_strategy_args.max_latency_list_size", COUNT),
    ("router_settings.provider_budget_config.*.budget_limit", MONEY),
    ("router_settings.default_max_parallel_requests", COUNT),
    ("litellm_settings.num_retries", TRIES),
    ("litellm_settings.request_timeout", LONG),
    ("litellm_settings.allowed_fails", TRIES),
    ("litellm_settings.max_fallbacks", TRIES),
    ("litellm_settings.max_budget", MONEY),
    ("litellm_settings.default_key_generate_params.max_budget", MONEY),
    ("litellm_settings.default_key_generate_params.rpm_limit", COUNT),
    ("litellm_settings.default_key_generate_params.tpm_limit", COUNT),
    ("litellm_settings.default_key_generate_params.max_parallel_requests", COUNT),
    ("litellm_settings.default_internal_user_params.max_budget", MONEY),
    ("litellm_settings.default_internal_user_params.rpm_limit", COUNT),
    ("litellm_settings.default_internal_user_params.tpm_limit", COUNT),
    ("litellm_settings.default_internal_user_params.max_parallel_requests", COUNT),
    ("litellm_settings.default_team_params.max_budget", MONEY),
    ("litellm_settings.default_team_params.rpm_limit", COUNT),
    ("litellm_settings.default_team_params.tpm_limit", COUNT),
    ("litellm_settings.default_team_params.max_parallel_requests", COUNT),
    ("general_settings.global_max_parallel_requests", COUNT),
    ("general_settings.max_parallel_requests", COUNT),
];

/// Portkey's numbers, of a target at any depth.
#[rustfmt::skip]
pub(in crate::gateways) const PORTKEY: &[Rule] = &[
    ("retry.attempts", TRIES),
    ("request_timeout", LONG_MS),
    ("weight", WEIGHT),
    ("cache.max_age", LONG),
    ("strategy.cb_config.failure_threshold", COUNT),
    ("strategy.cb_config.failure_threshold_percentage", PERCENT),
    ("strategy.cb_config.minimum_requests", COUNT),
    ("strategy.cb_config.cooldown_interval", LONG_MS),
];

/// The numbers of Envoy AI Gateway and Envoy Gateway.
#[rustfmt::skip]
pub(in crate::gateways) const ENVOY_AI: &[Rule] = &[
    ("spec.rules[].backendRefs[].weight", WEIGHT),
    ("spec.rules[].backendRefs[].priority", COUNT),
    ("spec.rules[].timeouts.request", May::Time),
    ("spec.retry.numRetries", TRIES),
    ("spec.retry.numAttemptsPerPriority", TRIES),
    ("spec.retry.perRetry.timeout", May::Time),
    ("spec.retry.perRetry.backOff.baseInterval", May::Time),
    ("spec.retry.perRetry.backOff.maxInterval", May::Time),
    ("spec.healthCheck.passive.consecutive5XxErrors", COUNT),
    ("spec.healthCheck.passive.consecutiveGatewayErrors", COUNT),
    ("spec.healthCheck.passive.interval", May::Time),
    ("spec.healthCheck.passive.baseEjectionTime", May::Time),
    ("spec.healthCheck.passive.maxEjectionPercent", PERCENT),
    ("spec.circuitBreaker.*", COUNT),
    ("spec.rateLimit.global.rules[].limit.requests", COUNT),
    ("spec.perModelQuotas[].quota.defaultBucket.limit", COUNT),
    ("spec.perModelQuotas[].quota.defaultBucket.duration", May::Time),
];

/// Kong's numbers, of a plugin wherever it stands.
#[rustfmt::skip]
pub(in crate::gateways) const KONG: &[Rule] = &[
    ("plugins[].config.balancer.retries", TRIES),
    ("plugins[].config.balancer.max_fails", COUNT),
    ("plugins[].config.balancer.fail_timeout", LONG_MS),
    ("plugins[].config.balancer.connect_timeout", LONG_MS),
    ("plugins[].config.balancer.read_timeout", LONG_MS),
    ("plugins[].config.balancer.write_timeout", LONG_MS),
    ("plugins[].config.targets[].weight", WEIGHT),
    ("plugins[].config.targets[].model.options.input_cost", MONEY),
    ("plugins[].config.targets[].model.options.output_cost", MONEY),
    ("plugins[].config.model.options.input_cost", MONEY),
    ("plugins[].config.model.options.output_cost", MONEY),
    ("plugins[].config.cache_ttl", LONG),
];

/// Bifrost's numbers.
#[rustfmt::skip]
pub(in crate::gateways) const BIFROST: &[Rule] = &[
    ("providers.*.keys[].weight", WEIGHT),
    ("providers.*.network_config.max_retries", TRIES),
    ("providers.*.network_config.retry_backoff_initial", LONG_MS),
    ("providers.*.network_config.retry_backoff_max", LONG_MS),
    ("providers.*.network_config.default_request_timeout_in_seconds", LONG),
    ("providers.*.network_config.stream_idle_timeout_in_seconds", LONG),
    ("providers.*.concurrency_and_buffer_size.concurrency", COUNT),
    ("providers.*.concurrency_and_buffer_size.buffer_size", COUNT),
    ("governance.virtual_keys[].provider_configs[].weight", WEIGHT),
    ("governance.virtual_keys[].provider_configs[].budget.max_limit", MONEY),
    ("governance.virtual_keys[].provider_configs[].rate_limit.request_max_limit", COUNT),
    ("governance.virtual_keys[].provider_configs[].rate_limit.token_max_limit", COUNT),
    ("governance.virtual_keys[].budget.max_limit", MONEY),
    ("governance.virtual_keys[].rate_limit.request_max_limit", COUNT),
    ("governance.virtual_keys[].rate_limit.token_max_limit", COUNT),
    ("governance.budgets[].max_limit", MONEY),
    ("governance.rate_limits[].request_max_limit", COUNT),
    ("governance.rate_limits[].token_max_limit", COUNT),
];

macro_rules! route {
    ($rest:literal) => {
        concat!(
            "static_resources.listeners[].filter_chains[].filters[].typed_config.route_config.virtual_hosts[].routes[].route.",
            $rest
        )
    };
}

/// Envoy's numbers.
#[rustfmt::skip]
pub(in crate::gateways) const ENVOY: &[Rule] = &[
    (route!("timeout"), May::Seconds),
    (route!("idle_timeout"), May::Seconds),
    (route!("retry_policy.num_retries"), TRIES),
    (route!("retry_policy.per_try_timeout"), May::Seconds),
    (route!("retry_policy.per_try_idle_timeout"), May::Seconds),
    (route!("retry_policy.retry_back_off.base_interval"), May::Seconds),
    (route!("retry_policy.retry_back_off.max_interval"), May::Seconds),
    (route!("retry_policy.host_selection_retry_max_attempts"), TRIES),
    (route!("weighted_clusters.clusters[].weight"), WEIGHT),
    ("static_resources.clusters[].connect_timeout", May::Seconds),
    ("static_resources.clusters[].load_assignment.endpoints[].priority", COUNT),
    ("static_resources.clusters[].load_assignment.endpoints[].lb_endpoints[].load_balancing_weight", WEIGHT),
    ("static_resources.clusters[].load_assignment.policy.overprovisioning_factor", COUNT),
    ("static_resources.clusters[].circuit_breakers.thresholds[].max_connections", COUNT),
    ("static_resources.clusters[].circuit_breakers.thresholds[].max_pending_requests", COUNT),
    ("static_resources.clusters[].circuit_breakers.thresholds[].max_requests", COUNT),
    ("static_resources.clusters[].circuit_breakers.thresholds[].max_retries", COUNT),
    ("static_resources.clusters[].outlier_detection.consecutive_5xx", COUNT),
    ("static_resources.clusters[].outlier_detection.consecutive_gateway_failure", COUNT),
    ("static_resources.clusters[].outlier_detection.interval", May::Seconds),
    ("static_resources.clusters[].outlier_detection.base_ejection_time", May::Seconds),
    ("static_resources.clusters[].outlier_detection.max_ejection_time", May::Seconds),
    ("static_resources.clusters[].outlier_detection.max_ejection_percent", PERCENT),
];

/// TensorZero's numbers.
#[rustfmt::skip]
pub(in crate::gateways) const TENSORZERO: &[Rule] = &[
    ("gateway.global_outbound_http_timeout_ms", LONG_MS),
    ("models.*.timeouts.non_streaming.total_ms", LONG_MS),
    ("models.*.timeouts.streaming.ttft_ms", LONG_MS),
    ("models.*.timeouts.streaming.total_ms", LONG_MS),
    ("models.*.providers.*.timeouts.non_streaming.total_ms", LONG_MS),
    ("models.*.providers.*.timeouts.streaming.ttft_ms", LONG_MS),
    ("models.*.providers.*.timeouts.streaming.total_ms", LONG_MS),
    ("functions.*.variants.*.weight", WEIGHT),
    ("functions.*.variants.*.retries.num_retries", TRIES),
    ("functions.*.variants.*.retries.max_delay_s", LONG),
    ("functions.*.variants.*.timeouts.non_streaming.total_ms", LONG_MS),
    ("functions.*.experimentation.candidate_variants.*", WEIGHT),
];
