//! Configurations of gateways: what is said of them, at the command line and by the library.
//!
//! The configurations here are small and written for these tests; larger ones are in [`expected`].

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

mod bootstrap;
mod diffs;
mod expected;
mod exports;
mod members;
mod mistakes;
mod models;
mod newcomer;
mod rules;
mod tensorzero;
mod told;

use std::path::Path;

use serde_json::Value;
use simcap::gateways::{self, Gateway, show, source};

use crate::common::command::simcap;

fn of(text: &str) -> Gateway {
    let config = source::from_text("gateway.yaml", text).unwrap_or_else(|refused| panic!("{refused}"));
    gateways::read(&config, None).unwrap_or_else(|refused| panic!("{refused}"))
}

fn explained(gateway: &Gateway) -> Value {
    serde_json::from_str(&show::json(gateway)).unwrap()
}

/// The codes and subjects of the warnings, in order.
fn warnings(gateway: &Gateway) -> Vec<String> {
    let said = gateway.warnings.iter().map(|w| match w.subject.as_str() {
        "" => w.kind.code.to_owned(),
        subject => format!("{}: {subject}", w.kind.code),
    });
    said.collect()
}

const LONE: &str = "
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4.1, api_key: os.environ/A}}
  - {model_name: b, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: os.environ/B}}
litellm_settings:
  num_retries: 2
  request_timeout: 20
  fallbacks: [{a: [b]}]
";

/// litellm#40405 measured 3 attempts and 5 to 6 s of each request; 0.5 + 1 + 2 s and as many jitters of up to 0.75 s are 3.5 to 5.75 s.
#[test]
fn a_lone_primary_is_tried_to_the_end_by_every_request() {
    let gateway = of(LONE);
    let case = gateway.groups[0]
        .cases
        .iter()
        .find(|case| case.when == "it answers 500")
        .unwrap();
    assert_eq!((case.attempts, case.seconds), (3, (3.5, 5.75)));
    assert_eq!(warnings(&gateway), ["lone-primary-never-cools: a"]);
    assert_eq!(gateway.groups[0].worst_attempts, 6);
    // Six attempts of 20 s and six sleeps.
    assert!((gateway.groups[0].worst_seconds - (120.0 + 11.5)).abs() < 1e-9);
    let counted = of(&LONE.replace("num_retries: 2", "num_retries: 2\n  allowed_fails: 1"));
    assert!(warnings(&counted).is_empty(), "{:?}", warnings(&counted));
    // It cools at its second failure, after one sleep.
    let case = counted.groups[0]
        .cases
        .iter()
        .find(|case| case.when == "it answers 500")
        .unwrap();
    assert_eq!((case.attempts, case.seconds), (2, (0.5, 1.25)));
}

/// Measured on the router: three groups by fallback and two retries make 9 attempts.
#[test]
fn retries_multiply_along_a_chain() {
    let chain = LONE.replace("[{a: [b]}]", "[{a: [b]}, {b: [c]}]").replace(
        "litellm_settings",
        "  - {model_name: c, litellm_params: {model: groq/llama-3.3-70b-versatile, api_key: os.environ/C}}\nlitellm_settings",
    );
    let gateway = of(&chain);
    assert_eq!(gateway.groups[0].chain, ["a", "b", "c"]);
    assert_eq!(gateway.groups[0].worst_attempts, 9);
    assert!(warnings(&gateway).contains(&"retries-multiply: a 3 x 3".to_owned()));
    let short = of(&chain.replace("num_retries: 2", "num_retries: 2\n  max_fallbacks: 1"));
    assert_eq!(short.groups[0].worst_attempts, 6);
}

/// Two Azure resources and OpenAI behind one name, one of them without what the others have.
const PAIR: &str = "
model_list:
  - model_name: helpdesk
    litellm_params: {model: azure/desk-west, api_key: os.environ/WEST, rpm: 600, tpm: 90000}
    model_info: {id: west, base_model: azure/gpt-4.1}
  - model_name: helpdesk
    litellm_params: {model: azure/desk-north, api_key: os.environ/NORTH, rpm: 200}
    model_info: {id: north, base_model: azure/gpt-4.1}
  - model_name: helpdesk
    litellm_params: {model: openai/gpt-4.1, api_key: os.environ/OPENAI}
    model_info: {id: direct}
  - {model_name: small, litellm_params: {model: openai/gpt-4.1-mini, api_key: os.environ/OPENAI}}
router_settings: {num_retries: 1, timeout: 30, allowed_fails: 2, cooldown_time: 20, redis_host: os.environ/REDIS}
litellm_settings:
  num_retries: 4
  fallbacks: [{helpdesk: [small]}]
";

/// All of this starts without an error.
const WRONG: &str = "
model_list:
  - {model_name: talk, litellm_params: {model: groq/llama-3.3-70b-versatile, api_key: os.environ/G, rpm_limit: 30}}
  - {model_name: talk, litellm_params: {model: cerebras/llama-3.3-70b, api_key: os.environ/C}, rpm: 90}
  - {model_name: deep, litellm_params: {model: os.environ/DEEP, api_key: sk-0000-not-a-key-0000}}
router_settings:
  enable_balancing: true
  model_group_alias: {quick: [talk, deep]}
  allowed_fails_policy: {RateLimitErrors: 1}
  retry_policy: {TimeoutErrorRetries: {n: 0}}
litellm_settings:
  cooldown_time: 120
  context_window_fallbacks: [{model: talk, context_window: 8192}]
cache_params: {ttl: 60}
";

fn text(gateway: &Gateway) -> String {
    let style = simcap::report::terminal::Style {
        width: 110,
        colour: false,
    };
    show::text(gateway, &style, false)
}

#[test]
fn a_pair_of_resources_on_one_screen() {
    insta::assert_snapshot!(text(&of(PAIR)));
}

#[test]
fn what_is_wrong_but_accepted_on_one_screen() {
    insta::assert_snapshot!(text(&of(WRONG)));
}

#[test]
fn sarif_has_a_rule_and_a_place_for_each_result() {
    let sarif: Value = serde_json::from_str(&show::sarif(&of(WRONG))).unwrap();
    let run = &sarif["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].as_str().unwrap())
        .collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), of(WRONG).warnings.len());
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()));
        let at = &result["locations"][0]["physicalLocation"];
        assert_eq!(at["artifactLocation"]["uri"], "gateway.yaml");
        assert!(at["region"]["startLine"].as_u64().unwrap() >= 1);
    }
}

/// Four hundred requests, a quarter of them of the large model, over 399 s.
#[test]
fn logs_of_use_take_the_place_of_assumptions() {
    let row = |n: u64| {
        let (model, output) = if n.is_multiple_of(4) {
            ("azure/gpt-4.1", 300)
        } else {
            ("gpt-4.1-mini", 30)
        };
        let at = |ms: u64| {
            format!(
                "2026-01-05T00:{:02}:{:02}.{:03}Z",
                (n + ms / 1000) / 60,
                (n + ms / 1000) % 60,
                ms % 1000
            )
        };
        serde_json::json!({
            "request_id": n.to_string(), "model": model, "status": "success", "cache_hit": "False", "metadata": {},
            "startTime": at(0), "completionStartTime": at(400), "endTime": at(2400),
            "prompt_tokens": 500, "completion_tokens": output, "total_tokens": 500 + output,
        })
    };
    let rows: Vec<Value> = (0..400).map(row).collect();
    let log = simcap::calibrate::logs::read("log.json", Value::from(rows).to_string().as_bytes()).unwrap();
    let gateway = of(PAIR);
    let mut assumed = gateways::import::Assumptions::of(&gateway, &gateways::import::built_in_prices());
    let notes = gateways::import::usage::learn(&mut assumed, &gateway, &log);
    assert_eq!(
        notes,
        [
            "azure/gpt-4.1: its answers do not say which of west, north gave them, and each is taken to be as quick as all together"
        ]
    );
    assert_eq!(assumed.rate, "1/s");
    assert_eq!(
        (
            &assumed.classes["helpdesk"]["share"],
            &assumed.classes["small"]["share"]
        ),
        (&Value::from(100), &Value::from(300))
    );
    for name in ["west", "north", "small"] {
        let ttft = &assumed.providers[name]["ttft"]["empirical"]["quantiles"];
        let median = serde_json::json!([0.5, "400ms"]);
        assert!(ttft.as_array().unwrap().contains(&median), "{name}: {ttft}");
    }
    assert_eq!(
        assumed.because["providers.direct"],
        "assumed: latency of the built-in model gpt-4.1"
    );
}

/// Of 401 requests in 400 s every second one is of a model that the configuration does not have.
#[test]
fn a_rate_is_that_of_the_requests_that_the_configuration_answers() {
    let row = |n: u64| {
        let at = |s: u64| format!("2026-01-05T00:{:02}:{:02}Z", s / 60, s % 60);
        serde_json::json!({
            "request_id": n.to_string(), "model": if n.is_multiple_of(2) { "gpt-4.1" } else { "other" }, "status": "success",
            "cache_hit": "False", "metadata": {}, "startTime": at(n), "completionStartTime": at(n + 1), "endTime": at(n + 2),
            "prompt_tokens": 500, "completion_tokens": 100, "total_tokens": 600,
        })
    };
    let rows: Vec<Value> = (0..401).map(row).collect();
    let log = simcap::calibrate::logs::read("log.json", Value::from(rows).to_string().as_bytes()).unwrap();
    let gateway = of(LONE);
    let mut assumed = gateways::import::Assumptions::of(&gateway, &gateways::import::built_in_prices());
    let notes = gateways::import::usage::learn(&mut assumed, &gateway, &log);
    assert_eq!(
        notes,
        ["other: 200 requests of a model that the configuration does not have"]
    );
    assert_eq!(assumed.rate, "0.5/s");
    assert_eq!(
        assumed.because["rate"],
        "measured: 201 of the log's 401 requests in 400 s, the others are of models that the configuration does not have"
    );
}

#[test]
fn secrets_are_told_of_and_never_shown() {
    let text = LONE.replace("os.environ/A", "sk-proj-0123456789abcdef");
    let gateway = of(&text);
    assert!(
        warnings(&gateway)
            .iter()
            .any(|w| w == "secret-in-file: model_list[0].litellm_params.api_key")
    );
    let style = simcap::report::terminal::Style {
        width: 100,
        colour: false,
    };
    let shown = [
        show::json(&gateway),
        show::markdown(&gateway),
        show::sarif(&gateway),
        show::ledger(&gateway),
        show::text(&gateway, &style, true),
    ];
    assert!(shown.iter().all(|text| !text.contains("0123456789")));
    let assumed = gateways::import::Assumptions::of(&gateway, &gateways::import::built_in_prices());
    let experiment = gateways::import::experiment(&gateway, &assumed, "x").to_string();
    assert!(!experiment.contains("0123456789") && !assumed.to_json().contains("0123456789"));
}

#[test]
fn a_file_of_no_known_product_is_named_by_what_it_has() {
    let config = source::from_text("x.yaml", "services: {a: 1}\nvolumes: {}").unwrap();
    let refused = gateways::read(&config, None).unwrap_err().to_string();
    assert!(refused.contains("it has `services`, `volumes`"), "{refused}");
    let refused = gateways::read(&config, Some("nginx")).unwrap_err().to_string();
    assert!(
        refused.contains("no product is called `nginx`; known are litellm"),
        "{refused}"
    );
}

#[test]
fn explain_exits_by_the_level_of_its_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let warned = write("warned.yaml", LONE);
    let wrong = write("wrong.yaml", &LONE.replace("{a: [b]}", "{a: [nobody]}"));
    let code = |arguments: &[&str]| simcap(folder.path(), arguments).status.code();
    assert_eq!(code(&["explain", &warned]), Some(0));
    assert_eq!(code(&["explain", &warned, "--fail-on", "warning"]), Some(1));
    assert_eq!(code(&["explain", &wrong]), Some(1));
    assert_eq!(code(&["explain", &wrong, "--fail-on", "never"]), Some(0));
    assert_eq!(code(&["explain", &write("no.yaml", "a: *b")]), Some(2));
}

#[test]
fn import_writes_an_experiment_that_runs_and_keeps_what_was_edited() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.yaml");
    std::fs::write(&config, LONE).unwrap();
    let out = folder.path().join("out");
    let run = |arguments: &[&str]| {
        let output = simcap(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (config, out) = (config.to_str().unwrap(), out.to_str().unwrap());
    run(&["import", config, "--out", out]);
    let assumed = Path::new(out).join("assumptions.json");
    let text = std::fs::read_to_string(&assumed)
        .unwrap()
        .replace("\"1/s\"", "\"3/s\"")
        .replace("\"1h\"", "\"2m\"");
    std::fs::write(&assumed, text).unwrap();
    run(&["import", config, "--out", out]);
    let experiment = std::fs::read_to_string(Path::new(out).join("experiment.json")).unwrap();
    assert!(experiment.contains("\"3/s\"") && experiment.contains("\"2m\""));
    let report = folder.path().join("report");
    let report = report.to_str().unwrap();
    let with = assumed.to_str().unwrap();
    let said = run(&["run", config, "--with", with, "--out", report, "--replications", "2"]);
    assert!(said.contains("litellm"), "{said}");
    let keys = std::fs::read_to_string(Path::new(out).join("keys.md")).unwrap();
    assert!(keys.contains("| litellm_settings.request_timeout |"), "{keys}");
}

/// The experiment of a gateway with what `given` assumes.
fn made(gateway: &Gateway, given: &str) -> Value {
    let assumed = gateways::import::Assumptions::of(gateway, &gateways::import::built_in_prices());
    let assumed = assumed
        .read("a.json", given)
        .unwrap_or_else(|refused| panic!("{refused}"));
    let experiment = gateways::import::experiment(gateway, &assumed, "x");
    let loaded =
        simcap::experiment::load::from_text("x.json", &experiment.to_string()).unwrap_or_else(|e| panic!("{e}"));
    simcap::experiment::assemble::assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    experiment
}

/// What LiteLLM keeps by each type of cache, from its source: how long, how many, and whether it is on.
#[test]
fn litellms_cache_is_what_its_source_says() {
    let of_type = |params: &str| of(&LONE.replace("num_retries: 2", &format!("num_retries: 2\n  {params}")));
    for (params, summary) in [
        ("cache: true", "exact, answers kept for 60 s"),
        (
            "cache: true\n  cache_params: {ttl: 120}",
            "exact, answers kept for 2 min, at most 200",
        ),
        (
            "cache: true\n  cache_params: {type: local}",
            "exact, answers kept for 10 min, at most 200",
        ),
        (
            "cache: true\n  cache_params: {type: redis, ttl: 1800}",
            "exact, answers kept for 30 min",
        ),
        (
            "cache: true\n  cache_params: {type: redis-semantic, similarity_threshold: 0.8}",
            "by meaning, answers kept for ever",
        ),
        (
            "cache: true\n  cache_params: {type: qdrant-semantic, ttl: 60}",
            "by meaning, answers kept for ever",
        ),
        (
            "cache: true\n  cache_params: {type: redis, supported_call_types: [acompletion]}",
            "exact, answers kept for 60 s",
        ),
    ] {
        let gateway = of_type(params);
        assert_eq!(gateway.cache.as_ref().unwrap().summary(), summary, "{params}");
        assert!(warnings(&gateway).iter().any(|w| w.starts_with("cache-share-unknown")));
        assert_eq!(
            explained(&gateway)["response_cache"]["mode"].as_str(),
            summary.contains("meaning").then_some("semantic").or(Some("exact"))
        );
        assert!(text(&gateway).contains("Response cache: "), "{params}");
    }
    for (params, warning) in [
        (
            "cache_params: {type: redis}",
            "no-effect: litellm_settings.cache_params",
        ),
        (
            "cache: false\n  cache_params: {type: redis}",
            "no-effect: litellm_settings.cache_params",
        ),
        (
            "cache: true\n  cache_params: {supported_call_types: [aembedding]}",
            "cache-not-for-chat: aembedding",
        ),
    ] {
        let gateway = of_type(params);
        assert_eq!(gateway.cache, None, "{params}");
        assert!(
            warnings(&gateway).contains(&warning.to_owned()),
            "{:?}",
            warnings(&gateway)
        );
    }
}

/// None is found unless it is assumed; where prompts come back, lives and room are the configuration's.
#[test]
fn a_cache_finds_what_is_assumed_of_it() {
    let gateway = of(&LONE.replace(
        "num_retries: 2",
        "num_retries: 2\n  cache: true\n  cache_params: {type: local, ttl: 120}",
    ));
    let nothing = made(&gateway, "{}");
    assert_eq!(nothing["client"]["response_cache"]["hits"]["stated"]["share"], 0);
    assert!(
        nothing["about"]
            .as_str()
            .unwrap()
            .contains("no request is answered from the cache"),
        "{}",
        nothing["about"]
    );
    let stated = made(
        &gateway,
        r#"{ "response_cache": { "hits": { "stated": { "share": { "a": 0.3, "b": 0 } } } } }"#,
    );
    assert_eq!(stated["client"]["response_cache"]["hits"]["stated"]["share"]["a"], 0.3);
    let keyed = made(
        &gateway,
        r#"{ "response_cache": { "hits": { "keyed": {} } }, "classes": { "a": { "prompts": { "count": 50 } } } }"#,
    );
    let expected = serde_json::json!({ "keyed": { "ttl": "120s", "lives_from": "first_write", "entries": 200, "evicts": "oldest" } });
    assert_eq!(keyed["client"]["response_cache"]["hits"], expected);
    let none = gateways::import::Assumptions::of(&of(LONE), &gateways::import::built_in_prices());
    let refused = none
        .read("a.json", r#"{ "response_cache": { "hits": "keyed" } }"#)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("the configuration has no response cache"), "{refused}");
}

#[test]
fn other_products_caches_are_read() {
    let portkey = of(
        r#"{"cache": {"mode": "semantic", "max_age": 3600}, "provider": "openai", "virtual_key": "v", "override_params": {"model": "gpt-4.1"}}"#,
    );
    assert_eq!(
        portkey.cache.as_ref().unwrap().summary(),
        "by meaning, answers kept for 60 min"
    );
    assert!(warnings(&portkey).contains(&"cache-needs-the-hosted-gateway".to_owned()));
    let simple = of(
        r#"{"strategy": {"mode": "fallback"}, "targets": [{"cache": {}, "virtual_key": "v"}, {"virtual_key": "w"}]}"#,
    );
    assert_eq!(simple.cache.as_ref().unwrap().summary(), "exact, answers kept for 24 h");
    let kong = of(
        "_format_version: '3.0'\nplugins:\n- {name: ai-semantic-cache, config: {cache_ttl: 30}}\n- {name: ai-proxy-advanced, config: {targets: [{route_type: llm/v1/chat, model: {provider: openai, name: gpt-4.1}}]}}\n",
    );
    assert_eq!(
        kong.cache.as_ref().unwrap().summary(),
        "by meaning, answers kept for 30 s"
    );
    let bifrost = |config: &str| {
        of(&format!(
            r#"{{"providers": {{"openai": {{"keys": [{{"name": "a", "value": "env.A", "models": ["gpt-4.1"]}}]}}}},
                "plugins": [{{"name": "semantic_cache", "enabled": true, "config": {config}}}]}}"#
        ))
    };
    let direct = bifrost(r#"{"dimension": 1, "ttl": "10m"}"#);
    assert_eq!(
        direct.cache.as_ref().unwrap().summary(),
        "exact, answers kept for 10 min"
    );
    assert!(warnings(&direct).contains(&"cache-needs-a-key".to_owned()));
    let keyed =
        bifrost(r#"{"provider": "openai", "embedding_model": "text-embedding-3-small", "default_cache_key": "all"}"#);
    assert_eq!(
        keyed.cache.as_ref().unwrap().summary(),
        "by meaning, answers kept for 5 min"
    );
    assert!(!warnings(&keyed).contains(&"cache-needs-a-key".to_owned()));
}

/// The rows of the policy of allowed failures by its kind: one deployment with a fallback and nine retries, so that it is tried until it cools.
#[test]
fn allowed_failures_go_by_their_kind() {
    let policy = "allowed_fails: 2\n  allowed_fails_policy: {RateLimitErrorAllowedFails: 1, InternalServerErrorAllowedFails: 0, TimeoutErrorAllowedFails: 5}";
    let text = LONE.replace("num_retries: 2", "num_retries: 9") + &format!("router_settings:\n  {policy}\n");
    let gateway = of(&text);
    let cooldown = &gateway.client["breaker"]["litellm_cooldown"];
    let expected = serde_json::json!({ "rate_limit_error_allowed_fails": 1, "internal_server_error_allowed_fails": 0, "timeout_error_allowed_fails": 5 });
    assert_eq!(
        (&cooldown["allowed_fails"], &cooldown["allowed_fails_policy"]),
        (&Value::from(2), &expected)
    );
    let attempts = |when: &str| {
        gateway.groups[0]
            .cases
            .iter()
            .find(|case| case.when == when)
            .unwrap()
            .attempts
    };
    assert_eq!(
        ["it answers 429", "it answers 500", "it hangs"].map(attempts),
        [2, 1, 6],
        "one more than is allowed of each"
    );
    made(&gateway, "{}");
    // A name of the policy counts for one alone without a fallback, `allowed_fails` does not.
    let alone = of(&text.replace("  fallbacks: [{a: [b]}]\n", ""));
    let case = |when: &str| alone.groups[0].cases.iter().find(|case| case.when == when).unwrap();
    assert_eq!(
        (case("it answers 429").attempts, case("it answers 500").attempts),
        (2, 1)
    );
    assert!(
        case("a key is refused (401)").then.contains("never left out"),
        "{:?}",
        case("a key is refused (401)")
    );
    // A policy without a known name replaces the rules by share by a counter of 3.
    let empty = of(&(LONE.to_owned() + "router_settings: {allowed_fails_policy: {X: 1}}\n"));
    let cooldown = &empty.client["breaker"]["litellm_cooldown"];
    assert_eq!(cooldown["allowed_fails_policy"], serde_json::json!({}));
}

/// A tier of LiteLLM's complexity router that leads to no group is warned of, and what is imported runs without it.
#[test]
fn a_tier_that_leads_nowhere_is_told_and_left_out() {
    let tiers = "tiers: {SIMPLE: a, MEDIUM: b, COMPLEX: c}";
    let router = format!(
        "  - {{model_name: auto, litellm_params: {{model: auto_router/complexity_router, complexity_router_config: {{{tiers}}}}}}}\n"
    );
    let gateway = of(&LONE.replace("litellm_settings:", &(router + "litellm_settings:")));
    let told = warnings(&gateway);
    assert!(
        told.contains(&"undefined-target: auto, tier COMPLEX -> c".to_owned()),
        "{told:?}"
    );
    let experiment = made(&gateway, "{}");
    let classes: Vec<&String> = experiment["traffic"]["classes"].as_object().unwrap().keys().collect();
    assert_eq!(classes, ["a", "auto/MEDIUM", "auto/SIMPLE", "b"]);
}

/// The attempts of each case of the group, by when it is.
fn attempts(gateway: &Gateway, group: &str) -> Vec<(&'static str, u64)> {
    let group = gateway.groups.iter().find(|of| of.name == group).unwrap();
    group.cases.iter().map(|case| (case.when, case.attempts)).collect()
}

/// Calls that LiteLLM 1.110.2's router made to a server that fails, with files like these.
#[test]
fn attempts_are_those_of_the_router_kind_by_kind_and_level_by_level() {
    // Two retries of each 429 in a group and in the one that it falls back to: six calls.
    let text = LONE.replace("num_retries: 2", "num_retries: 0");
    let gateway = of(&(text + "router_settings: {retry_policy: {RateLimitErrorRetries: 2}}\n"));
    let of_a = attempts(&gateway, "a");
    assert!(of_a.contains(&("everything answers 429", 6)), "{of_a:?}");
    assert!(of_a.contains(&("everything answers 500", 2)), "{of_a:?}");
    assert_eq!(gateway.groups[0].worst_attempts, 6);
    // A group's own policy takes the place of `num_retries`, of a deployment's too.
    let own =
        "router_settings: {model_group_retry_policy: {a: {TimeoutErrorRetries: 0, InternalServerErrorRetries: 0}}}\n";
    let of_a = attempts(&of(&(LONE.to_owned() + own)), "a");
    assert!(
        of_a.contains(&("it hangs", 1)) && of_a.contains(&("it answers 500", 1)),
        "{of_a:?}"
    );
    // Two levels, two retries: A, A, A, B, B, B.
    let ordered = "
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4.1, order: 1}}
  - {model_name: a, litellm_params: {model: azure/gpt-4.1, order: 2}}
litellm_settings: {num_retries: 2}
";
    let of_a = attempts(&of(ordered), "a");
    assert!(
        of_a.contains(&("all answer 500", 6)) && of_a.contains(&("all hang", 6)),
        "{of_a:?}"
    );
}

/// One that answers 429 is followed by another only where there is a retry, and where it cools at its first.
#[test]
fn what_follows_a_429_of_one_hangs_on_retries_and_cooldowns() {
    let two = |more: &str| {
        let text = "
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4.1}}
  - {model_name: a, litellm_params: {model: azure/gpt-4.1, timeout: 5}}
";
        of(&format!("{text}{more}"))
    };
    let said = |gateway: &Gateway, when: &str| {
        let case = gateway.groups[0].cases.iter().find(|case| case.when == when).unwrap();
        (case.attempts, case.then.clone(), case.seconds)
    };
    let (tries, then, _) = said(&two("litellm_settings: {num_retries: 0}\n"), "one answers 429");
    assert!(
        tries == 1 && then.starts_with("the caller is told 429, since there is no retry"),
        "{then}"
    );
    let (tries, then, _) = said(&two("litellm_settings: {num_retries: 3}\n"), "one answers 429");
    assert!(tries == 2 && then.starts_with("another answers"), "{then}");
    let counted = two("router_settings: {num_retries: 3, allowed_fails: 5}\n");
    let (tries, then, _) = said(&counted, "one answers 429");
    assert!(
        tries == 4 && then.contains("if all tries meet it, the caller is told 429"),
        "{then}"
    );
    // One has a timeout of its own, the other the default of 6,000 s.
    let (tries, _, (_, most)) = said(&two("litellm_settings: {num_retries: 2}\n"), "all hang");
    assert_eq!((tries, most), (3, 18_000.0));
}

#[test]
fn misspelt_parameters_and_deployments_without_a_model_are_told() {
    let gateway = of("
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4.1, wieght: 3, api_base: x, top_p: 1}}
  - {model_name: b, litellm_params: {modle: openai/gpt-4.1}}
");
    let told = warnings(&gateway);
    assert!(
        told.contains(&"unknown-parameter: model_list[0].litellm_params.wieght".to_owned()),
        "{told:?}"
    );
    assert!(
        !told
            .iter()
            .any(|said| said.contains("api_base") || said.contains("top_p")),
        "{told:?}"
    );
    assert!(told.contains(&"deployment-without-model: b".to_owned()), "{told:?}");
}

#[test]
fn a_configuration_comes_by_standard_input_and_without_groups_it_is_refused() {
    let explain = |config: &str| {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_simcap"))
            .args(["explain", "--product", "litellm", "--fail-on", "never", "-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), config.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let out = explain(LONE);
    assert_eq!(out.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&out.stdout).starts_with("-: LiteLLM"));
    let out = explain("model_list: hello\n");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("has no group"));
}

/// What the configuration bounds and no experiment has stands beside the figures, and a plugin of Kong that limits is warned of.
#[test]
fn limits_that_are_not_simulated_are_said_by_run_and_explain() {
    let folder = tempfile::tempdir().unwrap();
    let kong = "_format_version: '3.0'\nplugins:\n- name: ai-proxy\n  config: {route_type: llm/v1/chat, model: {provider: openai, name: gpt-4.1}}\n\
        - name: rate-limiting\n  config: {minute: 5, policy: local}\n";
    assert!(warnings(&of(kong)).contains(&"plugin-is-not-simulated: rate-limiting".to_owned()));
    std::fs::write(folder.path().join("kong.yaml"), kong).unwrap();
    std::fs::write(folder.path().join("with.json"), r#"{ "plan": { "duration": "2m" } }"#).unwrap();
    let arguments = ["run", "kong.yaml", "--with", "with.json", "--replications", "2"];
    let output = simcap(folder.path(), &arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    let told = "not modelled: settings of the configuration: `config.minute` (line 6:";
    assert!(said.contains(told), "{said}");
}

#[test]
fn an_experiment_that_was_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("gateway.yaml"), LONE).unwrap();
    let import = || simcap(folder.path(), &["import", "gateway.yaml", "--out", "mine"]);
    let (path, before) = (
        folder.path().join("mine/experiment.json"),
        folder.path().join("mine/experiment.before.json"),
    );
    assert_eq!(import().status.code(), Some(0));
    assert_eq!(import().status.code(), Some(0));
    assert!(!before.exists(), "nothing was changed");
    std::fs::write(&path, "edited").unwrap();
    let out = import();
    assert!(String::from_utf8_lossy(&out.stderr).contains("experiment.before.json"));
    assert_eq!(std::fs::read_to_string(&before).unwrap(), "edited");
}

/// A stream is bounded at each wait for a token, by its own timeout, the router's, or that of all requests, in this order.
#[test]
fn timeouts_are_those_of_the_deployment_and_of_streams() {
    let text = "
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4.1, timeout: 30, stream_timeout: 5}, model_info: {id: one}}
  - {model_name: a, litellm_params: {model: openai/gpt-4.1, timeout: 90}, model_info: {id: two}}
  - {model_name: b, litellm_params: {model: openai/gpt-4.1-mini}}
router_settings: {timeout: 60, stream_timeout: 8}
";
    let gateway = of(text);
    let groups = |given: &str| made(&gateway, given)["policies"][0]["policy"]["model_groups"]["groups"].clone();
    let whole = groups("{}");
    let of_target = |groups: &Value, name: &str| groups["a"]["targets"][name]["timeouts"].clone();
    assert_eq!(of_target(&whole, "one"), serde_json::json!({ "attempt": "30s" }));
    assert_eq!(of_target(&whole, "two"), serde_json::json!({ "attempt": "90s" }));
    assert_eq!(whole["b"].get("client"), None);
    let streams = groups(r#"{ "streams": ["a"] }"#);
    let stream = |s: &str| serde_json::json!({ "attempt": null, "ttft": s, "idle": s });
    assert_eq!(of_target(&streams, "one"), stream("5s"));
    assert_eq!(streams["a"]["client"]["timeouts"], stream("8s"));
    assert_eq!(of_target(&streams, "two"), Value::Null);
    assert_eq!(streams["b"].get("client"), None);
    assert_eq!(
        groups(r#"{ "streams": true }"#)["b"]["client"]["timeouts"],
        stream("8s")
    );
}

/// LiteLLM's spend logs tell hits: a hundred of four hundred requests.
#[test]
fn hits_of_a_log_are_arrivals_and_the_share_of_the_cache() {
    let row = |n: u64| {
        let at = |ms: u64| {
            format!(
                "2026-01-05T00:{:02}:{:02}.{:03}Z",
                (n + ms / 1000) / 60,
                (n + ms / 1000) % 60,
                ms % 1000
            )
        };
        let hit = if n % 4 == 1 { "True" } else { "False" };
        serde_json::json!({
            "request_id": n.to_string(), "model": "gpt-4.1", "status": "success", "cache_hit": hit, "metadata": {},
            "startTime": at(0), "completionStartTime": at(400), "endTime": at(2400),
            "prompt_tokens": 500, "completion_tokens": 100, "total_tokens": 600,
        })
    };
    let rows: Vec<Value> = (0..400).map(row).collect();
    let log = simcap::calibrate::logs::read("log.json", Value::from(rows).to_string().as_bytes()).unwrap();
    let learned = |gateway: &Gateway| {
        let mut assumed = gateways::import::Assumptions::of(gateway, &gateways::import::built_in_prices());
        let _ = gateways::import::usage::learn(&mut assumed, gateway, &log);
        assumed
    };
    let gateway = of(&LONE.replace("num_retries: 2", "num_retries: 2\n  cache: true"));
    let assumed = learned(&gateway);
    assert_eq!(assumed.rate, "1/s");
    let experiment = gateways::import::experiment(&gateway, &assumed, "x");
    let share = &experiment["client"]["response_cache"]["hits"]["stated"]["share"];
    assert_eq!(share, &serde_json::json!({ "a": 0.25 }));
    assert_eq!(
        assumed.because["response_cache"],
        "measured: 100 answers out of the cache"
    );
    // Without a cache in the configuration the same requests come, and none is found.
    let without = learned(&of(LONE));
    assert_eq!((without.rate.as_str(), without.response_cache.len()), ("1/s", 0));
}
