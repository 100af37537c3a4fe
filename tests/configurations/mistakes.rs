//! What a configuration says by mistake: values and names that no product knows, and what would not be let through.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use simcap::gateways::diff::diff;
use simcap::gateways::import::built_in_prices;
use simcap::gateways::{self, show, source};

use super::{of, warnings};
use crate::common::command::simcap;

/// The details of the warnings of this kind, with their subjects.
fn told(text: &str, code: &str) -> Vec<String> {
    let gateway = of(text);
    let own = gateway.warnings.iter().filter(|warning| warning.kind.code == code);
    own.map(|warning| format!("{}: {}", warning.subject, warning.detail))
        .collect()
}

/// LiteLLM 1.110 adds the text to a list and raises a TypeError.
#[test]
fn default_fallbacks_that_are_no_list_keep_litellm_from_starting() {
    let text = "model_list:\n- {model_name: a, litellm_params: {model: openai/gpt-4.1}}\n- {model_name: b, litellm_params: {model: openai/gpt-4.1}}\n\
        litellm_settings: {default_fallbacks: b}\n";
    assert_eq!(
        told(text, "does-not-start"),
        ["default_fallbacks: it must be a list: `[b]`"]
    );
    assert!(told(&text.replace(": b}\n", ": [b]}\n"), "does-not-start").is_empty());
}

#[test]
fn a_weight_of_0_beside_none_is_said_to_count_for_nothing() {
    let text = "model_list:\n- {model_name: a, litellm_params: {model: openai/gpt-4.1}}\n\
        - {model_name: a, litellm_params: {model: azure/x, weight: 0}}\n";
    let said = told(text, "weight-0-counts-for-nothing");
    assert_eq!(said, ["a-2: 50 % of the group's requests"]);
    let drained = text.replace("openai/gpt-4.1}", "openai/gpt-4.1, weight: 1}");
    assert!(told(&drained, "weight-0-counts-for-nothing").is_empty());
}

#[test]
fn rpm_is_no_weight_where_nothing_is_drawn() {
    let text = "model_list:\n- {model_name: a, litellm_params: {model: openai/gpt-4.1, rpm: 5}}\n\
        - {model_name: a, litellm_params: {model: azure/x, rpm: 9}}\nrouter_settings: {routing_strategy: least-busy}\n";
    let gateway = of(text);
    let limits = &gateway.groups[0].limits;
    let said = limits
        .iter()
        .find(|limit| limit.what.starts_with("requests in a minute"))
        .unwrap();
    assert!(
        said.beyond.ends_with("it does nothing but bound calls at once"),
        "{}",
        said.beyond
    );
    assert!(show::ledger(&gateway).contains("a bound on calls at once; least-busy has no draw that it could weigh"));
}

#[test]
fn what_leads_to_no_provider_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    for (text, product, expected) in [
        (
            "model_list:\n",
            None,
            "has no group that callers could ask for: it needs a `model_list`",
        ),
        (
            "{\"strategy\":{\"mode\":\"fallback\"}}",
            None,
            "leads to no provider: it needs `targets`",
        ),
        (
            "model_list: [{model_name: a, litellm_params: {model: x/y}}]",
            Some("portkey"),
            "has no key that is known: it needs `targets`",
        ),
    ] {
        std::fs::write(folder.path().join("x.yaml"), text).unwrap();
        let mut arguments = vec!["explain", "x.yaml"];
        arguments.extend(product.into_iter().flat_map(|name| ["--product", name]));
        let output = simcap(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(expected), "{said}");
    }
}

/// `check_duplicates_across` of TensorZero refuses a variant that is in both lists.
#[test]
fn a_variant_is_asked_once_and_one_in_both_lists_is_refused() {
    let text = "models: {gpt: {routing: [openai], providers: {openai: {type: openai, model_name: gpt-4.1}}}}\nfunctions:\n  answer:\n    type: chat\n\
        \x20   variants: {main: {type: chat_completion, model: gpt}, alt: {type: chat_completion, model: gpt}}\n\
        \x20   experimentation: {type: static_weights, candidate_variants: {main: 0.9, alt: 0.1}, fallback_variants: [alt]}\n";
    assert_eq!(of(text).groups[0].worst_attempts, 2);
    let said = told(text, "does-not-start");
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("functions.answer.experimentation: alt: "),
        "{said:?}"
    );
    let none = text.replace("candidate_variants", "candidates");
    assert_eq!(
        told(&none, "does-not-start"),
        ["functions.answer.experimentation: `candidate_variants` is missing: main is never drawn"]
    );
}

const KEYS: &str = "providers: {openai: {keys: [{name: k1, value: env.A, weight: 0.7, models: ['*']}, \
    {name: k2, value: env.B, weight: 0.3, models: ['*']}]}}\n\
    governance: {virtual_keys: [{id: v, is_active: true, provider_configs: [{provider: openai, weight: 1, allowed_models: [gpt-4.1]}]}]}\n";

#[test]
fn a_virtual_key_draws_its_keys_by_weight_and_is_let_through_only_where_it_is_allowed() {
    let policy = |text: &str| of(text).groups[0].policy.clone();
    let weights = serde_json::json!({ "weighted": { "weights": { "openai/k1": 0.7, "openai/k2": 0.3 } } });
    assert_eq!(policy(KEYS), weights);
    let one = KEYS.replace("allowed_models", "key_ids: [k2], allowed_models");
    assert_eq!(policy(&one)["single"]["provider"], "openai/k2");
    let none = KEYS.replace("allowed_models", "key_ids: [], allowed_models");
    assert_eq!(
        told(&none, "virtual-key-allows-nothing"),
        ["v at openai: `key_ids` is empty"]
    );
    assert!(of(&none).groups.iter().all(|group| !group.name.starts_with("v ")));
    let missing = KEYS.replace(", allowed_models: [gpt-4.1]", "");
    assert_eq!(
        told(&missing, "virtual-key-allows-nothing"),
        ["v at openai: `allowed_models` is missing"]
    );
    // Version 1 reads it as all.
    let old = of(&format!("version: 1\n{missing}"));
    assert_eq!(old.groups[0].name, "v *");
    let off = of(&KEYS.replace("is_active: true", "is_active: false"));
    assert!(warnings(&off).contains(&"virtual-key-is-off: v".to_owned()));
    assert!(off.groups.iter().all(|group| !group.name.starts_with("v ")));
    let ledger = show::ledger(&of(
        &KEYS.replace("{virtual_keys", "{budgets: [{id: b, max_limit: 3}], virtual_keys")
    ));
    assert!(
        !ledger.contains("| governance |") && ledger.contains("| governance.budgets |"),
        "{ledger}"
    );
}

#[test]
fn a_difference_tells_of_caches_and_of_what_happens_beyond_a_limit() {
    let changes = |before: &str, after: &str| -> Vec<String> {
        let read = |text: &str| gateways::read(&source::from_text("x", text).unwrap(), None).unwrap();
        let (old, new) = (read(before), read(after));
        let found = diff(&old, &new, &built_in_prices()).unwrap();
        found
            .changes
            .iter()
            .map(|of| format!("{} {} → {}", of.what, of.old, of.new))
            .collect()
    };
    let litellm = "model_list: [{model_name: a, litellm_params: {model: openai/gpt-4.1}}]\n\
        litellm_settings: {cache: true, cache_params: {type: local, ttl: 600}}\n";
    let life = "life of an answer in the cache 10 min → 30 s";
    assert_eq!(changes(litellm, &litellm.replace("600", "30")), [life]);
    let portkey = "{provider: openai, virtual_key: a, cache: {mode: simple, max_age: 600}}";
    assert_eq!(changes(portkey, &portkey.replace("600", "30")), [life]);
    let bifrost = "client: {drop_excess_requests: false}\nproviders: {openai: {keys: [{name: a, models: ['*']}], \
        concurrency_and_buffer_size: {concurrency: 5, buffer_size: 9}}}\n";
    let said = changes(bifrost, &bifrost.replace("false", "true"));
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("beyond 5 calls at once to openai") && said[0].contains("refused at once"),
        "{said:?}"
    );
}

#[test]
fn values_that_a_product_does_not_know_are_told() {
    let kong = "_format_version: '3.0'\nplugins:\n- name: ai-proxy-advanced\n  config:\n    balancer: {algorithm: roundrobin, failover_criteria: [error, http_529]}\n\
        \x20   targets: [{model: {provider: openai, name: x}}]\n";
    let said = told(kong, "unknown-value");
    assert_eq!(said[0], "balancer.algorithm: `roundrobin`: did you mean `round-robin`?");
    assert!(
        said[1].starts_with("balancer.failover_criteria: `http_529`"),
        "{said:?}"
    );
    let envoy = "apiVersion: aigateway.envoyproxy.io/v1beta1\nkind: AIGatewayRoute\nspec: {rules: [{backendRefs: [{name: a}]}]}\n---\n\
        kind: BackendTrafficPolicy\nspec: {retry: {retryOn: {triggers: [conect-failure]}}}\n";
    let near = ["retry.retryOn.triggers: `conect-failure`: did you mean `connect-failure`?"];
    assert_eq!(told(envoy, "unknown-value"), near);
    let portkey = "strategy: {mode: falback}\ntargets: [{provider: x}]\n";
    assert_eq!(
        told(portkey, "unknown-value"),
        ["strategy.mode: `falback`: did you mean `fallback`?"]
    );
    let bootstrap = "static_resources: {clusters: [{name: a, lb_policy: LEAST_REQUESTS}]}\n";
    assert_eq!(
        told(bootstrap, "unknown-value"),
        ["a lb_policy: `LEAST_REQUESTS`: did you mean `LEAST_REQUEST`?"]
    );
    assert!(told(bootstrap, "balancer-is-approximated").is_empty());
}

/// What is drawn by a weight of 0 never is, and a breaker stands in `strategy` alone.
#[test]
fn portkeys_target_without_a_weight_and_what_stands_elsewhere_are_told() {
    let text = r#"{ "strategy": {"mode": "loadbalance"}, "retires": {"attempts": 5}, "targets": [
        {"provider": "openai", "weight": 1, "override_params": {"model": "gpt-4.1"}},
        {"provider": "anthropic", "weight": 0, "cb_config": {"failure_threshold": 3}, "override_params": {"model": "claude-sonnet-4-5"}} ] }"#;
    assert_eq!(told(text, "weight-0"), ["1: "]);
    assert_eq!(told(text, "misspelt"), ["retires: did you mean `retry`?"]);
    assert_eq!(told(text, "wrong-section"), ["1.cb_config: `strategy` has it"]);
    // A fallback asks every target, whatever its weight.
    assert!(told(&text.replace("loadbalance", "fallback"), "weight-0").is_empty());
}

/// Envoy does not start with a field that its proto does not have; of a section whose fields are not all known here one that is near is told.
#[test]
fn envoy_refuses_what_is_misspelt_in_any_section() {
    let text = "static_resources:\n  clusters:\n  - name: llm\n    lb_polcy: LEAST_REQUEST\n    outlier_detektion: {consecutive_5xx: 3}\n\
        \x20   something_new: {}\n";
    let expected = [
        "static_resources.clusters[0].lb_polcy: did you mean `lb_policy`?",
        "static_resources.clusters[0].outlier_detektion: did you mean `outlier_detection`?",
    ];
    let routed = format!(
        "{text}  listeners:\n  - filter_chains:\n    - filters:\n      - typed_config:\n          route_config:\n            virtual_hosts:\n\
        \x20           - routes: [{{match: {{prefix: /}}, route: {{cluster: llm}}}}]\n"
    );
    assert_eq!(told(&routed, "misspelt-and-refused"), expected);
    assert!(told(&routed, "misspelt").is_empty());
}

/// Attempts, time and cost are those of rows of the table: a 429 takes no timeout and is not billed.
#[test]
fn the_worst_of_a_request_is_told_by_rows() {
    let lone = "model_list:\n- {model_name: g, litellm_params: {model: openai/gpt-4.1}}\n\
        router_settings: {timeout: 60, retry_policy: {TimeoutErrorRetries: 0, RateLimitErrorRetries: 9}}\n";
    let said = show::markdown(&of(lone));
    let worst =
        "At worst: 10 attempts for one request of g in 63 s when it answers 429; 1 attempt in 60 s when it hangs.\n";
    assert!(said.contains(worst), "{said}");
    let chain = "model_list:\n- {model_name: a, litellm_params: {model: openai/gpt-4.1}}\n\
        - {model_name: b, litellm_params: {model: openai/gpt-4.1-mini}}\n\
        router_settings: {timeout: 10, num_retries: 1, retry_policy: {RateLimitErrorRetries: 4}, fallbacks: [{a: [b]}]}\n";
    let said = show::markdown(&of(chain));
    let (_, worst) = said.split_once("At worst: ").unwrap();
    assert!(
        worst.starts_with("10 attempts for one request of a (a → b) in "),
        "{worst}"
    );
    let hanging = "; 4 attempts in 46 s when everything hangs; $0.0077 if each that hangs is billed";
    assert!(worst.contains(hanging), "{worst}");
}

/// Held against the router: without a retry the next `order` answers all the same.
#[test]
fn the_next_order_is_asked_without_a_retry() {
    let gateway = of(
        "model_list:\n- {model_name: a, litellm_params: {model: openai/gpt-4.1, order: 1}}\n\
        - {model_name: a, litellm_params: {model: azure/gpt-4.1, order: 2}}\nrouter_settings: {num_retries: 0}\n",
    );
    for when in [
        "one answers 429",
        "one answers 500",
        "one hangs",
        "a key is refused (401)",
    ] {
        let case = gateway.groups[0].cases.iter().find(|case| case.when == when).unwrap();
        assert_eq!(case.attempts, 2, "{when}");
        assert!(
            case.then.starts_with("its next `order` is asked"),
            "{when}: {}",
            case.then
        );
    }
}
