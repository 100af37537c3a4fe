//! The keys that sections of Envoy AI Gateway's documents and of Envoy's bootstrap may have: tables.
//!
//! Sources: Envoy Gateway's API (`api/v1alpha1`) and AI Gateway's (`api/v1beta1`, `api/v1alpha1`), Envoy's `config/{cluster,route}/v3`.

use super::tables::{some, whole};
use super::{Spelling, Unknown};

/// Those of Envoy AI Gateway and Envoy Gateway.
pub(in crate::gateways) const ENVOY_AI: Spelling = Spelling {
    sections: &[
        some(
            "spec",
            "hostnames serviceQuota azureAPIKey anthropicAPIKey credentialOverride headerMutation bodyMutation targetRef targetSelectors",
        ),
        whole(
            "spec.rules[]",
            "name backendRefs matches timeouts streamIdleTimeout modelsOwnedBy modelsCreatedAt filters",
        ),
        whole("spec.rules[].timeouts", "request backendRequest"),
        whole("spec.rules[].matches[]", "headers"),
        whole(
            "spec.rules[].backendRefs[]",
            "name namespace group kind modelNameOverride headerMutation bodyMutation weight priority",
        ),
        whole("spec.retry", "numRetries numAttemptsPerPriority retryOn perRetry"),
        whole("spec.retry.retryOn", "triggers httpStatusCodes"),
        whole("spec.retry.perRetry", "timeout backOff"),
        whole("spec.retry.perRetry.backOff", "baseInterval maxInterval"),
        whole("spec.healthCheck", "active passive panicThreshold"),
        whole(
            "spec.healthCheck.passive",
            "splitExternalLocalOriginErrors interval consecutiveLocalOriginFailures consecutiveGatewayErrors consecutive5XxErrors \
             baseEjectionTime maxEjectionPercent failurePercentageThreshold alwaysEjectOneEndpoint",
        ),
        whole(
            "spec.circuitBreaker",
            "maxConnections maxPendingRequests maxParallelRequests maxParallelRetries maxRequestsPerConnection perEndpoint retryBudget",
        ),
        whole("spec.rateLimit", "type global local"),
        whole(
            "spec.rateLimit.global.rules[]",
            "clientSelectors limit cost shared shadowMode xRateLimitHeaders",
        ),
        whole("spec.rateLimit.global.rules[].limit", "requests unit fromMetadata"),
        whole("spec.perModelQuotas[]", "modelName quota"),
        whole(
            "spec.perModelQuotas[].quota",
            "costExpression mode defaultBucket bucketRules",
        ),
        whole("spec.perModelQuotas[].quota.defaultBucket", "limit duration"),
    ],
    unknown: Unknown::Skipped,
    is_other: |node, shape| {
        let kinds = [
            "AIGatewayRoute",
            "AIServiceBackend",
            "BackendTrafficPolicy",
            "BackendSecurityPolicy",
            "QuotaPolicy",
        ];
        let kind = node.text_of("kind");
        shape.is_empty() && kind.is_some_and(|kind| !kinds.contains(&kind))
    },
};

macro_rules! manager {
    ($rest:literal) => {
        concat!(
            "static_resources.listeners[].filter_chains[].filters[].typed_config.",
            $rest
        )
    };
}

const RETRY_POLICY: &str = "retry_on num_retries per_try_timeout per_try_idle_timeout retry_priority retry_host_predicate retry_options_predicates \
    host_selection_retry_max_attempts retriable_status_codes retry_back_off rate_limited_retry_back_off retriable_headers \
    retriable_request_headers";

/// Those of Envoy's bootstrap, in snake case.
pub(in crate::gateways) const ENVOY: Spelling = Spelling {
    sections: &[
        some(
            manager!("route_config.virtual_hosts[].routes[]"),
            "name match route redirect direct_response filter_action metadata decorator typed_per_filter_config request_headers_to_add \
             request_headers_to_remove response_headers_to_add response_headers_to_remove tracing",
        ),
        some(
            manager!("route_config.virtual_hosts[].routes[].route"),
            "cluster cluster_header weighted_clusters cluster_not_found_response_code metadata_match prefix_rewrite regex_rewrite \
             host_rewrite_literal auto_host_rewrite host_rewrite_header timeout idle_timeout flush_timeout retry_policy request_mirror_policies \
             priority rate_limits include_vh_rate_limits hash_policy cors upgrade_configs max_stream_duration hedge_policy",
        ),
        whole(
            manager!("route_config.virtual_hosts[].routes[].route.retry_policy"),
            RETRY_POLICY,
        ),
        whole(
            manager!("route_config.virtual_hosts[].routes[].route.retry_policy.retry_back_off"),
            "base_interval max_interval",
        ),
        whole(manager!("route_config.virtual_hosts[].retry_policy"), RETRY_POLICY),
        some(
            "static_resources.clusters[]",
            "name alt_stat_name type cluster_type eds_cluster_config connect_timeout per_connection_buffer_limit_bytes lb_policy \
             load_assignment health_checks max_requests_per_connection circuit_breakers upstream_http_protocol_options \
             common_http_protocol_options http_protocol_options http2_protocol_options typed_extension_protocol_options dns_refresh_rate \
             dns_failure_refresh_rate respect_dns_ttl dns_lookup_family typed_dns_resolver_config wait_for_warm_on_init outlier_detection \
             cleanup_interval upstream_bind_config lb_subset_config ring_hash_lb_config maglev_lb_config original_dst_lb_config \
             least_request_lb_config round_robin_lb_config common_lb_config transport_socket transport_socket_matches metadata \
             upstream_connection_options close_connections_on_host_health_failure ignore_health_on_host_removal filters \
             load_balancing_policy track_timeout_budgets preconnect_policy connection_pool_per_downstream_connection",
        ),
        whole(
            "static_resources.clusters[].circuit_breakers.thresholds[]",
            "priority max_connections max_pending_requests max_requests max_retries retry_budget track_remaining max_connection_pools",
        ),
        whole(
            "static_resources.clusters[].circuit_breakers.thresholds[].retry_budget",
            "budget_percent min_retry_concurrency",
        ),
        whole(
            "static_resources.clusters[].outlier_detection",
            "consecutive_5xx interval base_ejection_time max_ejection_percent enforcing_consecutive_5xx enforcing_success_rate \
             success_rate_minimum_hosts success_rate_request_volume success_rate_stdev_factor consecutive_gateway_failure \
             enforcing_consecutive_gateway_failure split_external_local_origin_errors consecutive_local_origin_failure \
             enforcing_consecutive_local_origin_failure enforcing_local_origin_success_rate failure_percentage_threshold \
             enforcing_failure_percentage enforcing_failure_percentage_local_origin failure_percentage_minimum_hosts \
             failure_percentage_request_volume max_ejection_time max_ejection_time_jitter successful_active_health_check_uneject_host \
             monitors always_eject_one_host detect_degraded_hosts",
        ),
        whole(
            "static_resources.clusters[].load_assignment",
            "cluster_name endpoints named_endpoints policy",
        ),
        whole(
            "static_resources.clusters[].load_assignment.endpoints[]",
            "locality metadata lb_endpoints load_balancer_endpoints leds_cluster_locality_config load_balancing_weight priority proximity",
        ),
        whole(
            "static_resources.clusters[].load_assignment.endpoints[].lb_endpoints[]",
            "endpoint endpoint_name health_status metadata load_balancing_weight",
        ),
    ],
    // A static bootstrap with a field that its proto does not have is refused, unless --allow-unknown-static-fields is given.
    unknown: Unknown::RefusedAnywhere,
    is_other: |node, shape| {
        let kind = node
            .text_of("@type")
            .map(|kind| kind.to_ascii_lowercase().replace('_', ""));
        shape.ends_with("filters[].typed_config") && kind.is_some_and(|kind| !kind.contains("httpconnectionmanager"))
    },
};
