//! The keys that sections of each product's configuration may have: tables of all but the Envoys'.
//!
//! Sources: Portkey-AI/gateway 669825cb (`requestValidator/schema/config.ts`) and its documentation, Kong's plugin schemas 3.15, Bifrost's
//! config.schema.json 003ecc6, TensorZero 7a6159a (`crates/tensorzero-core/src/`), LiteLLM 1.109 (`types/router.py`, `proxy/_types.py`).

use super::{Section, Spelling, Unknown};

/// A section that has no other keys.
pub(super) const fn whole(path: &'static str, keys: &'static str) -> Section {
    let is_whole = true;
    Section { path, is_whole, keys }
}

/// A section that may have further keys.
pub(super) const fn some(path: &'static str, keys: &'static str) -> Section {
    let is_whole = false;
    Section { path, is_whole, keys }
}

/// LiteLLM's, where its reader does not look itself.
pub(in crate::gateways) const LITELLM: Spelling = Spelling {
    sections: &[
        some("model_list[]", "model_name litellm_params model_info rpm tpm"),
        some(
            "model_list[].model_info",
            "id mode model model_name base_model key db_model created_at updated_at created_by team_id tier supported_environments \
             access_groups health_check_model health_check_timeout max_tokens max_input_tokens max_output_tokens description \
             supports_vision supports_function_calling litellm_provider version disable_background_health_check",
        ),
        some(
            "general_settings",
            "master_key database_url database_connection_pool_limit database_connection_timeout store_model_in_db alerting alert_types \
             alerting_threshold alerting_args alert_to_webhook_url enable_jwt_auth litellm_jwtauth health_check_interval \
             background_health_checks health_check_details allow_requests_on_db_unavailable proxy_batch_write_at max_parallel_requests \
             global_max_parallel_requests max_request_size_mb max_response_size_mb custom_auth custom_key_generate pass_through_endpoints \
             disable_spend_logs store_prompts_in_spend_logs token_rate_limit_type coordination_redis key_management_system \
             key_management_settings ui_access_mode allowed_routes admin_only_routes proxy_budget_rescheduler_min_time \
             proxy_budget_rescheduler_max_time use_redis_transaction_buffer maximum_spend_logs_retention_period",
        ),
        some(
            "litellm_settings.cache_params",
            "type host port password ttl namespace ssl url s3_bucket_name redis_startup_nodes",
        ),
    ],
    unknown: Unknown::Skipped,
    is_other: |_, _| false,
};

/// Portkey's, of a target at any depth.
pub(in crate::gateways) const PORTKEY: Spelling = Spelling {
    sections: &[
        some(
            "",
            "strategy targets provider virtual_key api_key weight name retry cache request_timeout on_status_codes override_params \
             openai_project openai_organization openai_beta azure_resource_name azure_deployment_id azure_api_version azure_model_name \
             azure_auth_mode azure_foundry_url aws_access_key_id aws_secret_access_key aws_session_token aws_auth_type aws_role_arn \
             aws_external_id vertex_service_account_json vertex_model_name anthropic_beta anthropic_version metadata \
             default_input_guardrails default_output_guardrails prompt_id workers_ai_account_id huggingface_base_url",
        ),
        whole(
            "strategy",
            "mode on_status_codes conditions default cb_config sticky sticky_session",
        ),
        whole(
            "strategy.cb_config",
            "failure_threshold failure_threshold_percentage minimum_requests cooldown_interval failure_status_codes",
        ),
        whole("strategy.conditions[]", "query then"),
        whole("retry", "attempts on_status_codes use_retry_after_header"),
        whole("cache", "mode max_age"),
        some("override_params", "model max_tokens temperature top_p"),
    ],
    unknown: Unknown::Skipped,
    is_other: |_, _| false,
};

/// The plugins of Kong whose keys are known.
const PLUGINS: [&str; 4] = [
    "ai-proxy-advanced",
    "ai-proxy",
    "ai-rate-limiting-advanced",
    "ai-semantic-cache",
];

const AUTH: &str = "allow_override header_name header_value param_name param_value param_location azure_use_managed_identity azure_client_id \
    azure_client_secret azure_tenant_id gcp_use_service_account gcp_service_account_json gcp_metadata_url gcp_oauth_token_url \
    aws_access_key_id aws_secret_access_key";
const OPTIONS: &str = "max_tokens temperature top_p top_k input_cost output_cost anthropic_version azure_instance azure_api_version \
    azure_deployment_id upstream_url upstream_path llama2_format mistral_format embeddings_dimensions cohere gemini bedrock huggingface \
    dashscope databricks";

/// Those of Kong's AI plugins wherever they stand, and of what holds them.
pub(in crate::gateways) const KONG: Spelling = Spelling {
    sections: &[
        some(
            "",
            "services routes consumers consumer_groups plugins upstreams certificates ca_certificates snis vaults keys key_sets licenses partials",
        ),
        whole(
            "plugins[]",
            "name service route consumer consumer_group enabled protocols tags id instance_name ordering config condition partials \
             created_at updated_at",
        ),
        some(
            "plugins[].config",
            "balancer targets embeddings vectordb genai_category llm_format max_request_body_size model_name_header response_streaming \
             route_type auth model logging window_size dictionary_name sync_rate namespace header_name path disable_penalty \
             hide_client_headers error_code error_message error_hide_providers request_prompt_count_function retry_after_jitter_max redis \
             policies decrease_by_fractions_in_redis",
        ),
        whole(
            "plugins[].config.balancer",
            "algorithm retries failover_criteria max_fails fail_timeout connect_timeout read_timeout write_timeout tokens_count_strategy \
             latency_strategy hash_on_header slots",
        ),
        whole(
            "plugins[].config.targets[]",
            "auth description id logging metadata model route_type weight",
        ),
        whole(
            "plugins[].config.targets[].model",
            "name provider options model_alias alias",
        ),
        some("plugins[].config.targets[].model.options", OPTIONS),
        some("plugins[].config.targets[].auth", AUTH),
        whole("plugins[].config.model", "name provider options model_alias alias"),
        some("plugins[].config.model.options", OPTIONS),
        some("plugins[].config.auth", AUTH),
        whole("plugins[].config.llm_providers[]", "name limit window_size"),
        some(
            "services[]",
            "name url host port protocol path retries connect_timeout write_timeout read_timeout tags enabled routes plugins id",
        ),
        some(
            "services[].routes[]",
            "name paths hosts methods headers protocols strip_path preserve_host tags plugins service id",
        ),
        some(
            "routes[]",
            "name paths hosts methods headers protocols strip_path preserve_host tags plugins service id",
        ),
    ],
    unknown: Unknown::Refused,
    is_other: |node, shape| {
        let named = node.text_of("name").is_some_and(|name| PLUGINS.contains(&name));
        shape.ends_with("plugins[]") && !named
    },
};

/// Bifrost's settings of limits and of budgets.
const RATES: &str = "id name token_max_limit token_reset_duration request_max_limit request_reset_duration token_current_usage \
    request_current_usage token_last_reset request_last_reset calendar_aligned config_hash created_at updated_at";
const BUDGETS: &str = "id name max_limit reset_duration current_usage last_reset calendar_aligned virtual_key_id team_id customer_id \
    provider_config_id config_hash created_at updated_at";

/// Those of Bifrost.
pub(in crate::gateways) const BIFROST: Spelling = Spelling {
    sections: &[
        some(
            "",
            "server version source_of_truth encryption_key env_label auth_config client framework providers governance mcp vector_store \
             config_store logs_store cluster_config scim_config load_balancer_config guardrails_config plugins audit_logs websocket",
        ),
        some(
            "client",
            "drop_excess_requests initial_pool_size prometheus_labels allowed_origins allowed_headers enable_logging \
             disable_content_logging log_retention_days enforce_governance_header enforce_auth_on_inference max_request_body_size_mb \
             allow_direct_keys required_headers logging_headers compat header_filter_config async_job_result_ttl routing_chain_max_depth \
             mcp_agent_depth mcp_tool_execution_timeout enable_governance enable_litellm_fallbacks",
        ),
        some(
            "providers.*",
            "keys network_config concurrency_and_buffer_size proxy_config send_back_raw_request send_back_raw_response custom_provider_config store_raw_request_response openai_config pricing_overrides",
        ),
        whole(
            "providers.*.keys[]",
            "id name value models blacklisted_models weight aliases enabled description use_for_batch_api status config_hash \
             azure_key_config vertex_key_config bedrock_key_config bedrock_mantle_key_config vllm_key_config replicate_key_config \
             ollama_key_config sgl_key_config huggingface_key_config provider",
        ),
        whole(
            "providers.*.network_config",
            "base_url extra_headers default_request_timeout_in_seconds max_retries retry_backoff_initial retry_backoff_max \
             insecure_skip_verify ca_cert_pem stream_idle_timeout_in_seconds max_conns_per_host enforce_http2 beta_header_overrides \
             keep_alive_timeout_in_seconds allow_private_network max_conn_duration_in_seconds",
        ),
        whole("providers.*.concurrency_and_buffer_size", "concurrency buffer_size"),
        some(
            "governance",
            "virtual_keys teams customers budgets rate_limits routing_rules auth_config model_configs providers pricing_overrides",
        ),
        some(
            "governance.virtual_keys[]",
            "id name value description is_active expires_at provider_configs mcp_configs team_id customer_id budget budgets budget_id \
             rate_limit rate_limit_id calendar_aligned keys config_hash",
        ),
        some(
            "governance.virtual_keys[].provider_configs[]",
            "id virtual_key_id provider weight allowed_models blacklisted_models allow_all_keys key_ids keys budget budgets budget_id \
             rate_limit rate_limit_id",
        ),
        some("governance.virtual_keys[].provider_configs[].rate_limit", RATES),
        some("governance.virtual_keys[].provider_configs[].budget", BUDGETS),
        some("governance.virtual_keys[].rate_limit", RATES),
        some("governance.virtual_keys[].budget", BUDGETS),
        some("governance.rate_limits[]", RATES),
        some("governance.budgets[]", BUDGETS),
        some("plugins[]", "name enabled config path version placement order"),
        some(
            "plugins[].config",
            "provider keys embedding_model dimension ttl threshold conversation_history_threshold exclude_system_prompt default_cache_key \
             cache_by_model cache_by_provider cleanup_on_shutdown vector_store_namespace",
        ),
    ],
    unknown: Unknown::Skipped,
    is_other: |node, shape| shape == "plugins[]" && node.text_of("name") != Some("semantic_cache"),
};

const TIMEOUTS: &str = "non_streaming streaming";

/// Those of TensorZero.
pub(in crate::gateways) const TENSORZERO: Spelling = Spelling {
    sections: &[
        whole(
            "",
            "gateway clickhouse postgres rate_limiting object_storage models embedding_models functions metrics tools evaluations \
             provider_types optimizers autopilot",
        ),
        some(
            "gateway",
            "bind_address observability debug template_filesystem_access export base_path unstable_disable_feedback_target_validation \
             unstable_error_json disable_pseudonymous_usage_analytics fetch_and_encode_input_files_before_inference auth \
             global_outbound_http_timeout_ms relay metrics cache",
        ),
        whole("models.*", "routing providers timeouts skip_relay namespace"),
        whole("models.*.timeouts", TIMEOUTS),
        whole("models.*.timeouts.non_streaming", "total_ms"),
        whole("models.*.timeouts.streaming", "ttft_ms total_ms"),
        whole(
            "models.*.providers.*",
            "type model_name model_id deployment_id endpoint endpoint_id endpoint_name endpoint_url hosted_provider location project_id \
             region api_base api_key api_key_location api_type credential_location access_key_id secret_access_key session_token \
             allow_auto_detect_region beta_structured_outputs include_encrypted_reasoning parse_think_blocks prompt_mode provider_tools \
             reasoning_format extra_body extra_headers timeouts discard_unknown_chunks cost batch_cost",
        ),
        whole("models.*.providers.*.timeouts", TIMEOUTS),
        whole("models.*.providers.*.timeouts.non_streaming", "total_ms"),
        whole("models.*.providers.*.timeouts.streaming", "ttft_ms total_ms"),
        whole(
            "functions.*",
            "type variants system_schema user_schema assistant_schema output_schema schemas tools tool_choice parallel_tool_calls \
             description experimentation evaluators",
        ),
        whole(
            "functions.*.variants.*",
            "type weight model system_template user_template assistant_template input_wrappers templates temperature top_p max_tokens \
             presence_penalty frequency_penalty seed stop_sequences reasoning_effort service_tier thinking_budget_tokens verbosity \
             json_mode retries extra_body extra_headers timeouts namespace candidates evaluator fuser timeout_s embedding_model k \
             max_distance system_instructions",
        ),
        some("functions.*.variants.*.retries", "num_retries max_delay_s"),
        whole("functions.*.variants.*.timeouts", TIMEOUTS),
        whole("functions.*.variants.*.timeouts.non_streaming", "total_ms"),
        whole("functions.*.variants.*.timeouts.streaming", "ttft_ms total_ms"),
        some(
            "functions.*.experimentation",
            "type candidate_variants fallback_variants namespaces metric algorithm min_samples_per_variant delta epsilon update_period_s min_prob max_samples_per_variant",
        ),
    ],
    unknown: Unknown::RefusedBySource,
    is_other: |_, _| false,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_plugins_and_kinds_are_left_alone() {
        let read = |text: &str| crate::gateways::source::from_text("x", text).unwrap();
        let of = |text: &str, shape: &str, spelling: &Spelling| {
            let config = read(text);
            (spelling.is_other)(config.first().unwrap(), shape)
        };
        assert!(of("{name: mine}", "plugins[]", &KONG));
        assert!(!of("{name: ai-proxy}", "plugins[]", &KONG));
        assert!(of("{kind: GatewayClass}", "", &super::super::ENVOY_AI));
    }
}
