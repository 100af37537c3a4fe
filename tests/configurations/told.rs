//! What a user without the source asks of the commands: which failure, which limit, which file, which line.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;

use simcap::gateways::diff::diff;
use simcap::gateways::import::built_in_prices;
use simcap::gateways::{Gateway, show};
use simcap::report::terminal::Style;

use super::{LONE, PAIR, made, of, warnings};
use crate::common::command::{simcap, text};

fn in_columns(gateway: &Gateway, width: usize) -> String {
    show::text(gateway, &Style { width, colour: false }, true)
}

/// Runs the program in `folder`: its exit code, what it printed, and what it said beside.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = simcap(folder, arguments);
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

/// Measured on the running router 1.109.1, two deployments that answer 429: 8.3 s and 8.6 s with three retries, 16.4 s with five; 2, 2 and 4 calls.
#[test]
fn a_retry_policy_waits_while_every_deployment_cools() {
    let with = |retries: u64| {
        let policy = format!("router_settings: {{retry_policy: {{RateLimitErrorRetries: {retries}}}}}\n");
        let two = "model_list:\n- {model_name: a, litellm_params: {model: azure/x}}\n- {model_name: a, litellm_params: {model: openai/y}}\n";
        let gateway = of(&(two.to_owned() + &policy));
        let mut cases = gateway.groups[0].cases.iter();
        let case = cases.find(|case| case.when == "all answer 429").unwrap().clone();
        (case.attempts, case.seconds)
    };
    assert_eq!(with(3), (2, (7.0, 9.25)));
    assert_eq!(with(5), (4, (15.0, 18.0)));
}

const KONG: &str = "_format_version: '3.0'
services:
- name: ai
  routes: [{name: chat}, {name: fast, plugins: [{name: ai-proxy, config: {route_type: llm/v1/chat, model: {provider: openai, name: gpt-4.1-mini}}}]}]
  plugins:
  - name: ai-proxy-advanced
    config:
      balancer: {retries: 2, failover_criteria: [error, timeout, http_429, non_idempotent]}
      targets:
      - {route_type: llm/v1/chat, model: {provider: openai, name: gpt-4.1}}
      - {route_type: llm/v1/chat, model: {provider: azure, name: gpt-4.1}}
plugins:
- name: ai-rate-limiting-advanced
  config: {llm_providers: [{name: openai, limit: [50000], window_size: [60]}]}
";

#[test]
fn every_proxy_of_kong_is_a_group_with_rules_of_its_own() {
    let gateway = of(KONG);
    let groups: Vec<_> = gateway
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group.members.len()))
        .collect();
    assert_eq!(groups, [("chat", 2), ("fast", 1)]);
    let case = |group: usize, when: &str| {
        let mut cases = gateway.groups[group].cases.iter();
        cases.find(|case| case.when == when).unwrap().attempts
    };
    assert_eq!(
        (
            case(0, "one answers 429"),
            case(0, "one answers 500"),
            case(1, "it answers 429")
        ),
        (3, 1, 1)
    );
    assert!(
        gateway.limits[0]
            .what
            .starts_with("50000 total tokens of each consumer at openai")
    );
    super::made(&gateway, r#"{ "format": "simcap.assumptions/1" }"#);
}

#[test]
fn limits_say_who_refuses_and_whether_it_is_tried_again() {
    let gateway = of(&PAIR.replace(
        "redis_host",
        "optional_pre_call_checks: [enforce_model_rate_limits], redis_host",
    ));
    let limits: Vec<(&str, &str)> = gateway.groups[0]
        .limits
        .iter()
        .map(|limit| (limit.what.as_str(), limit.beyond.as_str()))
        .collect();
    let at_once = limits
        .iter()
        .find(|(what, _)| what.starts_with("calls at once"))
        .unwrap();
    assert_eq!(
        at_once.0,
        "calls at once: 600 at west (from its rpm), 200 at north (from its rpm)"
    );
    assert!(at_once.1.contains("429") && at_once.1.contains("tried again at once"));
    let rate = limits
        .iter()
        .find(|(what, _)| what.starts_with("requests in a minute"))
        .unwrap();
    assert!(rate.0.ends_with("600 at west, 200 at north") && rate.1.contains("429 with Retry-After 60"));
    let not_one = of(PAIR);
    let rate = not_one.groups[0]
        .limits
        .iter()
        .find(|limit| limit.what.starts_with("requests"))
        .unwrap();
    assert!(rate.beyond.starts_with("no request is refused for it"));
}

#[test]
fn every_line_fits_a_narrow_terminal() {
    for config in [LONE, PAIR, KONG] {
        let shown = in_columns(&of(config), 60);
        for line in shown
            .lines()
            .filter(|line| line.split_whitespace().all(|word| word.chars().count() < 40))
        {
            assert!(line.chars().count() <= 60, "{line}");
        }
    }
}

#[test]
fn a_group_is_told_by_its_name_and_the_others_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["alpha", "beta", "gamma", "delta"];
    let models = names.map(|name| format!("- {{model_name: {name}, litellm_params: {{model: openai/{name}}}}}\n"));
    std::fs::write(
        folder.path().join("g.yaml"),
        format!("model_list:\n{}", models.concat()),
    )
    .unwrap();
    let (_, said, _) = run(folder.path(), &["explain", "g.yaml"]);
    assert!(
        said.contains("told of 2 of 4 groups; not of gamma, delta. --group NAME"),
        "{said}"
    );
    let (code, said, _) = run(folder.path(), &["explain", "g.yaml", "--group", "gamma"]);
    assert!(
        code == 0 && said.contains("gamma (line 4)") && !said.contains("alpha (line"),
        "{said}"
    );
    let (code, _, said) = run(folder.path(), &["explain", "g.yaml", "--group", "gama"]);
    assert!(
        code == 2 && said.contains("has no group `gama`: did you mean `gamma`?"),
        "{said}"
    );
}

#[test]
fn what_is_not_read_is_told_with_its_line() {
    let gateway = of(
        "model_list:\n- {model_name: a, litellm_params: {model: openai/x, temprature: 0}}\nrouter_setings: {num_retries: 0}\n---\nb: 1\n",
    );
    let said = warnings(&gateway);
    let line = |code: &str| {
        gateway
            .warnings
            .iter()
            .find(|w| w.kind.code == code)
            .unwrap()
            .at
            .unwrap()
            .line
    };
    assert_eq!((line("unknown-section"), line("further-document")), (3, 5), "{said:?}");
    let keys = show::ledger(&gateway);
    assert!(
        keys.contains(
            "temprature | gateway.yaml:2 | not modelled | a parameter that is not known: sent to the provider"
        ),
        "{keys}"
    );
}

#[test]
fn two_products_are_said_to_be_two() {
    let kong = "_format_version: '3.0'\nplugins:\n- name: ai-proxy-advanced\n  config: {targets: [{route_type: llm/v1/chat, model: {provider: openai, name: gpt-4.1}}]}\n";
    let portkey = r#"{ "provider": "openai", "virtual_key": "a", "override_params": { "model": "gpt-4.1" } }"#;
    let (old, new) = (of(portkey), of(kong));
    let found = diff(&old, &new, &built_in_prices()).unwrap();
    let style = Style {
        width: 100,
        colour: false,
    };
    let said = simcap::gateways::diff::text(&found, None, &style);
    assert!(
        said.contains("Two products are compared, Portkey and Kong AI Gateway") && !said.contains("No setting changed"),
        "{said}"
    );
    assert!(said.contains("longest time of one request no end → 60 s"), "{said}");
}

#[test]
fn an_export_replaces_what_an_export_wrote_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("gateway.yaml"), LONE).unwrap();
    std::fs::write(at("other.yaml"), LONE.replace("num_retries: 2", "num_retries: 3")).unwrap();
    run(folder.path(), &["import", "gateway.yaml", "--out", "mine"]);
    let path = at("mine/experiment.json");
    let change = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(from, to)).unwrap();
    };
    change("\"num_retries\": 2", "\"num_retries\": 1");
    let asked = ["export", "mine/experiment.json", "--into", "gateway.yaml", "--out"];
    let out = |name: &str| run(folder.path(), &[&asked[..], &[name]].concat());
    let (code, _, said) = out("other.yaml");
    assert!(
        code == 2 && said.contains("other.yaml is there and is not what an export"),
        "{said}"
    );
    assert!(
        std::fs::read_to_string(at("other.yaml"))
            .unwrap()
            .contains("num_retries: 3")
    );
    let (code, _, said) = out("new.yaml");
    assert!(code == 0 && said.contains("wrote new.yaml"), "{said}");
    change("\"num_retries\": 1", "\"num_retries\": 4");
    assert_eq!(out("new.yaml").0, 0);
    assert!(
        std::fs::read_to_string(at("new.yaml"))
            .unwrap()
            .contains("num_retries: 4")
    );
    // It was edited since.
    std::fs::write(at("new.yaml"), LONE).unwrap();
    assert_eq!(out("new.yaml").0, 2);
    assert_eq!(
        run(folder.path(), &[&asked[..], &["new.yaml", "--force"]].concat()).0,
        0
    );
    // Another file than the one that was imported.
    let (_, _, said) = run(
        folder.path(),
        &["export", "mine/experiment.json", "--into", "other.yaml"],
    );
    assert!(
        said.contains("was imported from gateway.yaml, and other.yaml is another file"),
        "{said}"
    );
}

#[test]
fn a_log_of_other_models_is_refused_and_names_both() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("gateway.yaml"), LONE).unwrap();
    let row = |n: u64| {
        serde_json::json!({
            "request_id": n.to_string(), "model": "gpt-4.1-minj", "status": "success", "cache_hit": "False", "metadata": {},
            "startTime": format!("2026-01-05T00:00:{n:02}.000Z"), "completionStartTime": format!("2026-01-05T00:00:{n:02}.400Z"),
            "endTime": format!("2026-01-05T00:00:{n:02}.900Z"), "prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10,
        })
    };
    let rows: Vec<_> = (0..30).map(row).collect();
    std::fs::write(
        folder.path().join("log.json"),
        serde_json::Value::from(rows).to_string(),
    )
    .unwrap();
    let (code, _, said) = run(folder.path(), &["import", "gateway.yaml", "--usage", "log.json"]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("the log has gpt-4.1-minj; the configuration has a (openai/gpt-4.1)"),
        "{said}"
    );
    assert!(!folder.path().join("gateway").exists());
}

#[test]
fn values_are_set_in_the_experiment_of_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("gateway.yaml"), LONE).unwrap();
    std::fs::write(
        folder.path().join("with.json"),
        r#"{ "format": "simcap.assumptions/1", "rate": "2/s" }"#,
    )
    .unwrap();
    let asked = ["run", "gateway.yaml", "--with", "with.json", "--out", "r", "--set"];
    let set = |value: &str| {
        run(
            folder.path(),
            &[&asked[..], &[value, "--set", "plan.replications=2"]].concat(),
        )
    };
    let (code, _, said) = set("plan.duration=2m");
    assert_eq!(code, 0, "{said}");
    let result = std::fs::read_to_string(folder.path().join("r/result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["replications_finished"], 2);
    let (code, _, said) = set("plan.duratoin=2m");
    assert!(code == 2 && said.contains("plan.duratoin"), "{said}");
}

const NESTED: &str = r#"{ "request_timeout": 30000, "strategy": { "mode": "fallback", "on_status_codes": [429] }, "targets": [
    { "strategy": { "mode": "loadbalance" }, "targets": [{ "provider": "openai", "override_params": { "model": "gpt-4.1" } },
        { "provider": "azure", "override_params": { "model": "gpt-4.1" } }] },
    { "strategy": { "mode": "conditional", "default": "small", "conditions": [
        { "query": { "metadata.plan": { "$eq": "paid" } }, "then": "large" }] }, "targets": [
        { "name": "large", "provider": "anthropic", "override_params": { "model": "claude-sonnet-4-5" } },
        { "name": "small", "provider": "google", "override_params": { "model": "gemini-2.5-flash" } }] }] }"#;

/// A request of the first target that fails is asked of the second, by the `fallback` around it.
#[test]
fn a_draw_below_a_fallback_has_a_failover_and_conditions_there_have_classes() {
    let gateway = of(NESTED);
    let said = warnings(&gateway);
    assert!(
        !said.iter().any(|w| w.starts_with("loadbalance-has-no-failover")),
        "{said:?}"
    );
    super::made(&gateway, r#"{ "format": "simcap.assumptions/1" }"#);
    let alone =
        r#"{ "strategy": { "mode": "loadbalance" }, "targets": [{ "provider": "openai" }, { "provider": "azure" }] }"#;
    assert!(warnings(&of(alone)).contains(&"loadbalance-has-no-failover: config".to_owned()));
}

#[test]
fn a_provider_whose_keys_are_never_used_is_no_host() {
    let gateway = of(
        r#"{ "providers": { "openai": { "keys": [{ "name": "a", "models": ["*"], "weight": 1 }] },
        "anthropic": { "keys": [{ "name": "b", "models": [], "weight": 1 }] } } }"#,
    );
    super::made(&gateway, r#"{ "format": "simcap.assumptions/1" }"#);
}

#[test]
fn a_reference_inside_a_header_is_no_secret_and_a_switch_of_the_log_is_read() {
    let kong = KONG.replace(
        "{provider: openai, name: gpt-4.1}}",
        "{provider: openai, name: gpt-4.1}, auth: {header_name: Authorization, header_value: 'Bearer ${{ env \"KEY\" }}'}}",
    );
    let said = warnings(&of(&kong));
    assert!(
        said.contains(&"deck-env".to_owned()) && !said.iter().any(|w| w.starts_with("secret")),
        "{said:?}"
    );
    let verbose = LONE.replace("litellm_settings:", "litellm_settings:\n  set_verbose: true");
    assert_eq!(warnings(&of(&verbose)), warnings(&of(LONE)));
}

/// Of two on the first level another answers at the second attempt; one alone there is asked `numAttemptsPerPriority` times before the next level.
#[test]
fn envoys_backends_fail_one_at_a_time_too() {
    let with = |first: &str, per_level: &str| {
        let text = format!(
            "apiVersion: aigateway.envoyproxy.io/v1beta1\nkind: AIGatewayRoute\nspec: {{rules: [{{backendRefs: [{first}, {{name: z, priority: 1}}]}}]}}\n\
             ---\nkind: BackendTrafficPolicy\nspec: {{retry: {{{per_level}numRetries: 4, retryOn: {{httpStatusCodes: [429]}}}}}}\n"
        );
        let gateway = of(&text);
        let case = |when: &str| {
            gateway.groups[0]
                .cases
                .iter()
                .find(|case| case.when == when)
                .unwrap()
                .attempts
        };
        ["one answers 429", "all answer 429", "one answers 500"].map(case)
    };
    assert_eq!(with("{name: a}, {name: b}", ""), [2, 5, 1]);
    assert_eq!(with("{name: a}", "numAttemptsPerPriority: 2, "), [3, 5, 1]);
    assert_eq!(with("{name: a}", "numAttemptsPerPriority: 1, "), [2, 5, 1]);
    assert_eq!(with("{name: a}", ""), [5, 5, 1]);
}

/// `RouterBudgetLimiting.should_init_router_budget_limiter`: a budget switches on what looks at it.
#[test]
fn a_budget_needs_no_check_to_be_named() {
    let text = format!(
        "{LONE}router_settings: {{provider_budget_config: {{openai: {{budget_limit: 50, time_period: 1d}}}}}}\n"
    );
    let gateway = of(&text);
    assert_eq!(
        gateway.facts["budgets"],
        serde_json::json!([{ "per": "day", "money": "$50", "providers": ["a"] }])
    );
    assert!(
        gateway.limits[0]
            .beyond
            .starts_with("it is left out of the choice until the window ends")
    );
    let of_deployment = of(&LONE.replace(
        "api_key: os.environ/B",
        "api_key: os.environ/B, max_budget: 5, budget_duration: 1d",
    ));
    assert_eq!(of_deployment.facts["budgets"][0]["providers"], serde_json::json!(["b"]));
}

/// The timeout of a deployment goes before the router's, and one without has the router's, 6,000 s if nothing says another.
#[test]
fn a_timeout_of_one_deployment_is_not_that_of_others() {
    let alone = "model_list:\n- {model_name: a, litellm_params: {model: openai/gpt-4.1, timeout: 9}}\n";
    let routed = of(&format!("{alone}router_settings: {{timeout: 30}}\n"));
    assert_eq!(routed.client["timeouts"]["attempt"], "9s");
    let two = of(&format!(
        "{alone}- {{model_name: b, litellm_params: {{model: openai/gpt-4.1}}}}\n"
    ));
    let groups = &made(&two, "{}")["policies"][0]["policy"]["model_groups"]["groups"];
    assert_eq!(groups["a"]["client"]["timeouts"]["attempt"], "9s");
    assert_eq!(groups["b"]["client"]["timeouts"]["attempt"], "6000s");
}

/// Waits of 200 ms by U(0.8, 1.2), and of 200 and 400 ms.
#[test]
fn short_waits_are_told_to_ten_milliseconds() {
    let gateway = of(include_str!("../../fuzz/seeds/gateway/bifrost-keys"));
    let said = in_columns(&gateway, 100);
    assert!(
        said.contains("160 ms to 240 ms") && said.contains("480 ms to 720 ms"),
        "{said}"
    );
}

/// Measured on 1.106.2: a lone deployment with `allowed_fails: 1` is left out at its second failure, on 1.109.1 never; and of a pair with
/// `allowed_fails: 3`, LiteLLM's own default, one that answers 429 at its first, on 1.109.1 at its fourth.
#[test]
fn a_chart_has_the_rules_of_its_images_version() {
    let chart = |tag: &str, allowed: u32, members: usize| {
        let deployment = "    - {model_name: chat, litellm_params: {model: openai/gpt-4.1, api_key: os.environ/A}}\n";
        format!(
            "image: {{tag: {tag}}}\nproxy_config:\n  model_list:\n{}  router_settings: {{num_retries: 2, allowed_fails: {allowed}}}\n",
            deployment.repeat(members)
        )
    };
    let told = |tag: &str, allowed: u32, members: usize, when: &str| {
        let gateway = of(&chart(tag, allowed, members));
        let case = gateway.groups[0].cases.iter().find(|case| case.when == when).unwrap();
        (gateway.version.clone(), case.attempts, case.then.clone())
    };
    let (version, attempts, then) = told("main-v1.106.2-stable", 1, 1, "it answers 500");
    assert_eq!((version.as_str(), attempts), ("1.106 (image.tag says 1.106)", 2));
    assert!(then.contains("left out for 5 s at its failure 2"), "{then}");
    let (version, attempts, then) = told("v1.109.1", 1, 1, "it answers 500");
    assert_eq!((version.as_str(), attempts), ("1.109 (image.tag says 1.109)", 3));
    assert!(then.contains("never left out"), "{then}");
    for (tag, expected) in [("v1.106.2", "left out at once"), ("v1.109.1", "at its failure 4")] {
        let then = told(tag, 3, 2, "all answer 429").2;
        assert!(then.contains(expected), "{tag}: {then}");
    }
    assert_eq!(told("v1.75.0", 1, 1, "it answers 500").0, "1.80 (image.tag says 1.75)");
}
