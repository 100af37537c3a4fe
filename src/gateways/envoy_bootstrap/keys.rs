//! A verdict on every key of a bootstrap.

use crate::gateways::ledger::Key;
use crate::gateways::ledger::Verdict::{Approximated as A, Ignored as I, Modelled as M, NotModelled as N};

/// The path of an HTTP connection manager, of its routes and of a cluster.
macro_rules! manager {
    ($rest:literal) => {
        concat!(
            "static_resources.listeners[].filter_chains[].filters[].typed_config.",
            $rest
        )
    };
}
macro_rules! host {
    ($rest:literal) => {
        concat!(
            "static_resources.listeners[].filter_chains[].filters[].typed_config.route_config.virtual_hosts[].",
            $rest
        )
    };
}
macro_rules! cluster {
    ($rest:literal) => {
        concat!("static_resources.clusters[].", $rest)
    };
}

pub(in crate::gateways) use {cluster, host};

/// The table of keys.
#[rustfmt::skip]
pub(in crate::gateways) const KEYS: &[Key<'static>] = &[
    ("admin", I, "an address"),
    ("node", I, "a description"),
    ("layered_runtime", N, "runtime keys may change what is said here"),
    ("stats_config", I, "figures are the simulation's own"),
    ("stats_sinks", I, "figures are the simulation's own"),
    ("stats_flush_interval", I, "figures are the simulation's own"),
    ("overload_manager", N, "what Envoy sheds for want of memory"),
    ("dynamic_resources", N, "what comes by xDS is not in this file"),
    ("static_resources.secrets", I, "a key"),
    ("static_resources.listeners[].name", I, "a description"),
    ("static_resources.listeners[].address", I, "an address"),
    ("static_resources.listeners[].default_filter_chain", A, "as the other chains"),
    ("static_resources.listeners[].filter_chains[].filters[].name", I, "the form"),
    (manager!("@type"), I, "the form"),
    (manager!("stat_prefix"), I, "a description"),
    (manager!("codec_type"), I, "how callers speak"),
    (manager!("access_log"), I, "a log"),
    (manager!("stream_idle_timeout"), A, "the longest silence, where no shorter timeout strikes first"),
    (manager!("request_timeout"), I, "requests are small"),
    (manager!("rds"), N, "routes come from elsewhere"),
    (manager!("http_filters[].name"), M, "what the filter is"),
    (manager!("http_filters[].typed_config.@type"), I, "the form"),
    (manager!("http_filters[].typed_config.stat_prefix"), I, "a description"),
    (manager!("http_filters[].typed_config.token_bucket"), A, "requests of all callers; refused with a 429 where there is one route"),
    (manager!("http_filters[].typed_config.filter_enabled"), A, "on or off: shares in between are on"),
    (manager!("http_filters[].typed_config.filter_enforced"), A, "on or off: shares in between are on"),
    (manager!("http_filters[].typed_config.gradient_controller_config"), M, "adaptive concurrency"),
    (manager!("http_filters[].typed_config.sampling_window"), M, "admission control"),
    (manager!("http_filters[].typed_config.sr_threshold"), M, "admission control"),
    (manager!("http_filters[].typed_config.aggression"), M, "admission control"),
    (manager!("http_filters[].typed_config.rps_threshold"), M, "admission control"),
    (manager!("http_filters[].typed_config.max_rejection_probability"), M, "admission control"),
    (manager!("http_filters[].typed_config.enabled"), I, "taken as on"),
    (manager!("http_filters[].typed_config.*"), N, ""),
    (manager!("route_config.name"), I, "a description"),
    (host!("name"), I, "a description"),
    (host!("domains"), I, "where requests come in"),
    (host!("retry_policy"), M, "retries of routes without their own"),
    (host!("typed_per_filter_config"), A, "local rate limits: requests of all callers; refused with a 429"),
    (host!("routes[].name"), M, "the name of the route"),
    (host!("routes[].match"), A, "one route is one group: which requests come is said by the traffic"),
    (host!("routes[].direct_response"), I, "answered by Envoy itself"),
    (host!("routes[].redirect"), I, "answered by Envoy itself"),
    (host!("routes[].typed_per_filter_config"), A, "local rate limits: requests of all callers; refused with a 429"),
    (host!("routes[].route.cluster"), M, "the cluster"),
    (host!("routes[].route.weighted_clusters"), M, "a draw by weight, for all tries of a request"),
    (host!("routes[].route.timeout"), A, "the timeout of the whole request; of several routes the longest, shorter ones as that of an attempt"),
    (host!("routes[].route.idle_timeout"), A, "the longest silence, where no shorter timeout strikes first"),
    (host!("routes[].route.hash_policy"), A, "by user"),
    (host!("routes[].route.prefix_rewrite"), I, "an address"),
    (host!("routes[].route.host_rewrite_literal"), I, "an address"),
    (host!("routes[].route.auto_host_rewrite"), I, "an address"),
    (host!("routes[].route.retry_policy.retry_on"), M, "what is tried again"),
    (host!("routes[].route.retry_policy.num_retries"), M, "retries"),
    (host!("routes[].route.retry_policy.per_try_timeout"), M, "the timeout of an attempt"),
    (host!("routes[].route.retry_policy.per_try_idle_timeout"), A, "the longest silence of an attempt, before its first token and after it"),
    (host!("routes[].route.retry_policy.retriable_status_codes"), M, "what is tried again, where `retry_on` has the word"),
    (host!("routes[].route.retry_policy.retry_back_off"), M, "the back-off"),
    (host!("routes[].route.retry_policy.rate_limited_retry_back_off"), A, "Retry-After in seconds"),
    (host!("routes[].route.retry_policy.retry_host_predicate"), M, "hosts that were tried are drawn again"),
    (host!("routes[].route.retry_policy.host_selection_retry_max_attempts"), M, "how often"),
    (host!("routes[].route.retry_policy.retry_priority"), M, "levels that were tried are left out"),
    (host!("routes[].route.retry_policy.*"), N, ""),
    (host!("routes[].route.*"), N, ""),
    (host!("routes[].*"), I, "headers and descriptions"),
    (host!("*"), I, "headers and descriptions"),
    (manager!("*"), I, "how callers are met"),
    (cluster!("name"), M, "joins routes and hosts"),
    (cluster!("alt_stat_name"), I, "a description"),
    (cluster!("type"), A, "a name is one host, whatever it resolves to"),
    (cluster!("connect_timeout"), M, "the longest wait for a connection to open"),
    (cluster!("lb_policy"), M, "the policy among the hosts of a level"),
    (cluster!("load_balancing_policy"), M, "the policy among the hosts of a level; the first that is named"),
    (cluster!("least_request_lb_config"), M, "the policy's parameters"),
    (cluster!("ring_hash_lb_config"), I, "the size of the ring"),
    (cluster!("maglev_lb_config"), I, "the size of the table"),
    (cluster!("common_lb_config.healthy_panic_threshold"), M, "panic, where there is outlier detection"),
    (cluster!("common_lb_config.*"), N, ""),
    (cluster!("load_assignment.cluster_name"), I, "a description"),
    (cluster!("load_assignment.policy.overprovisioning_factor"), M, "what a level of priority can take"),
    (cluster!("load_assignment.policy.*"), N, ""),
    (cluster!("load_assignment.endpoints[].priority"), M, "the level"),
    (cluster!("load_assignment.endpoints[].locality"), I, "a description: zones are not simulated"),
    (cluster!("load_assignment.endpoints[].load_balancing_weight"), N, "weights of localities"),
    (cluster!("load_assignment.endpoints[].lb_endpoints[].endpoint"), M, "a provider"),
    (cluster!("load_assignment.endpoints[].lb_endpoints[].load_balancing_weight"), M, "the host's weight"),
    (cluster!("load_assignment.endpoints[].lb_endpoints[].health_status"), A, "what is said to be unhealthy is left out"),
    (cluster!("load_assignment.endpoints[].lb_endpoints[].metadata"), N, "subsets"),
    (cluster!("circuit_breakers.thresholds[].priority"), A, "DEFAULT alone"),
    (cluster!("circuit_breakers.thresholds[].max_connections"), A, "connections of all hosts together, each in its host's pool"),
    (cluster!("circuit_breakers.thresholds[].max_pending_requests"), M, "requests that wait at all hosts together"),
    (cluster!("circuit_breakers.thresholds[].max_requests"), A, "over HTTP/2 the bound; over HTTP/1 one on connections"),
    (cluster!("circuit_breakers.thresholds[].max_retries"), M, "retries at once, of each route to the cluster"),
    (cluster!("circuit_breakers.thresholds[].retry_budget"), M, "retries at once, of each route to the cluster"),
    (cluster!("circuit_breakers.thresholds[].track_remaining"), I, "figures are the simulation's own"),
    (cluster!("circuit_breakers.thresholds[].*"), N, ""),
    (cluster!("circuit_breakers.per_host_thresholds"), N, "connections of each host"),
    (cluster!("outlier_detection"), M, "outlier detection, counted for each route; of several clusters of a route that of the first"),
    (cluster!("health_checks"), N, "checks in the background"),
    (cluster!("typed_extension_protocol_options"), A, "HTTP/1 or HTTP/2"),
    (cluster!("http2_protocol_options"), M, "over HTTP/2"),
    (cluster!("transport_socket"), I, "TLS"),
    (cluster!("dns_lookup_family"), I, "names are resolved"),
    (cluster!("dns_refresh_rate"), I, "names are resolved"),
    (cluster!("respect_dns_ttl"), I, "names are resolved"),
    (cluster!("upstream_connection_options"), I, "connections stay open"),
];
