//! `simcap diff`: what changed from one configuration to another, in words and simulated.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;

use serde_json::Value;
use simcap::gateways::diff::{Diff, diff};
use simcap::gateways::import::built_in_prices;

use super::{LONE, PAIR, of};
use crate::common::command::{simcap, text};

/// The changes in words: `group chat: retries 2 → 0`.
fn words(diff: &Diff<'_>) -> Vec<String> {
    let one = |change: &simcap::gateways::diff::Change| {
        let of = if change.subject.is_empty() {
            String::new()
        } else {
            format!("{}: ", change.subject)
        };
        format!("{of}{} {} → {}", change.what, change.old, change.new)
    };
    diff.changes.iter().map(one).collect()
}

fn changes(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (of(old), of(new));
    words(&diff(&old, &new, &built_in_prices()).unwrap())
}

#[test]
fn a_change_of_all_groups_is_told_once_and_one_of_a_group_with_its_name() {
    assert!(changes(PAIR, PAIR).is_empty());
    let new = PAIR
        .replace("timeout: 30", "timeout: 10")
        .replace("rpm: 200", "rpm: 600");
    assert_eq!(
        changes(PAIR, &new),
        [
            "every group: timeout 30 s → 10 s",
            "group helpdesk: rpm of north 200 → 600",
            "group helpdesk: share of north 25.0 % → 50.0 %",
            "group helpdesk: share of west 75.0 % → 50.0 %",
            "north: calls at once 200 → 600",
        ]
    );
}

#[test]
fn a_deployment_that_goes_does_not_rename_the_other() {
    let two = "model_list:\n- {model_name: a, litellm_params: {model: azure/x, api_key: os.environ/A, timeout: 5}}\n- {model_name: a, litellm_params: {model: openai/y, api_key: os.environ/B, rpm: 60}}\n";
    let one = "model_list:\n- {model_name: a, litellm_params: {model: openai/y, api_key: os.environ/B, rpm: 60}}\n";
    let told = changes(two, one);
    assert!(
        told.iter()
            .any(|line| line == "members a-1, a-2 → a-2" || line.ends_with("members a-1, a-2 → a-2")),
        "{told:#?}"
    );
    assert!(
        !told
            .iter()
            .any(|line| line.contains("model ") || line.contains("calls at once")),
        "{told:#?}"
    );
}

#[test]
fn groups_come_and_go_and_so_do_warnings_and_keys() {
    let more = LONE
        .replace(
            "litellm_settings",
            "  - {model_name: c, litellm_params: {model: groq/x, api_key: os.environ/C}}\nlitellm_settings",
        )
        .replace("[{a: [b]}]", "[{a: [b, c]}]")
        .replace("num_retries: 2", "num_retries: 2\n  allowed_fails: 1")
        + "router_settings: {cache_responses: true}\n";
    let (old, new) = (of(LONE), of(&more));
    let found = diff(&old, &new, &built_in_prices()).unwrap();
    let told = words(&found);
    assert!(
        told.contains(&"group c: members no such group → c".to_owned()),
        "{told:#?}"
    );
    assert!(
        told.contains(&"group a: falls back to b → b, c".to_owned()),
        "{told:#?}"
    );
    assert!(
        told.contains(&"every group: failures before a cooldown none → 1".to_owned()),
        "{told:#?}"
    );
    let keys: Vec<&str> = found.keys.iter().map(|key| key.row.path.as_str()).collect();
    assert_eq!(keys, ["router_settings.cache_responses"]);
    let codes = |list: &[&simcap::gateways::warning::Warning]| list.iter().map(|w| w.kind.code).collect::<Vec<_>>();
    assert_eq!(codes(&found.gone), ["lone-primary-never-cools"]);
    assert!(
        found
            .cases
            .iter()
            .any(|case| case.group == "a" && case.when == "it answers 500")
    );
    assert!(found.cases.iter().all(|case| case.old != case.new));
}

#[test]
fn of_two_products_what_both_say_is_compared() {
    let portkey = r#"{ "retry": { "attempts": 3 }, "request_timeout": 9000, "provider": "openai", "virtual_key": "a", "override_params": { "model": "gpt-4.1" } }"#;
    let kong = "_format_version: '3.0'\nplugins:\n- name: ai-proxy-advanced\n  config: {targets: [{route_type: llm/v1/chat, model: {provider: openai, name: gpt-4.1}}], balancer: {read_timeout: 5000, failover_criteria: [non_idempotent, timeout], retries: 1}}\n";
    let told = changes(portkey, kong);
    assert!(
        told.contains(&"timeout to the first token 9 s → 5 s".to_owned()),
        "{told:#?}"
    );
    assert!(told.iter().all(|line| !line.contains("none")), "{told:#?}");
}

const ASSUMPTIONS: &str = r#"{ "format": "simcap.assumptions/1", "rate": "2/s", "plan": { "duration": "4m", "replications": 4 },
  "providers": { "a": { "faults": [ { "random": { "server_error": "20%" } } ] } },
  "objectives": [ { "metric": "error_rate", "at_most": "5%" } ] }"#;

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn both_are_simulated_with_the_same_requests_and_objectives_decide() {
    let folder = tempfile::tempdir().unwrap();
    let without = LONE
        .replace("num_retries: 2", "num_retries: 0")
        .replace("fallbacks: [{a: [b]}]", "drop_params: true");
    write(
        folder.path(),
        &[("old.yaml", LONE), ("new.yaml", &without), ("with.json", ASSUMPTIONS)],
    );
    let run = |arguments: &[&str]| {
        let output = simcap(folder.path(), arguments);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, _) = run(&[
        "diff",
        "old.yaml",
        "new.yaml",
        "--with",
        "with.json",
        "--format",
        "json",
    ]);
    assert_eq!(code, Some(1), "{said}");
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["format"], "simcap.diff/1");
    assert_eq!(told["simulated"]["paired"], true);
    let objective = &told["objectives"][0];
    assert_eq!((&objective["old"], &objective["new"]), (&"pass".into(), &"fail".into()));
    let figures = told["simulated"]["figures"].as_array().unwrap();
    let errors = figures.iter().find(|figure| figure["metric"] == "error_rate").unwrap();
    // Half of the requests ask for a, of which a fifth fails.
    let value = errors["new"]["value"].as_f64().unwrap();
    assert!((value - 0.1).abs() < 0.03, "{value}");
    assert_eq!(errors["judged"], "worse");
    // The other way round the objective is met; a warning that is new fails from its level on.
    let other = [
        "diff",
        "new.yaml",
        "old.yaml",
        "--with",
        "with.json",
        "--format",
        "markdown",
    ];
    let (code, said, _) = run(&other);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("| fail | pass |"), "{said}");
    assert!(
        said.lines().filter(|line| line.starts_with("<details>")).count() >= 2,
        "{said}"
    );
    let again = run(&other);
    assert_eq!(again.1, said);
    let (code, said, _) = run(&["diff", "new.yaml", "old.yaml", "--level", "warning"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("lone-primary-never-cools: a"), "{said}");
    let (code, said, _) = run(&["diff", "old.yaml", "old.yaml", "--with", "with.json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("No setting changed."), "{said}");
}

#[test]
fn what_only_one_of_the_two_has_may_stand_in_the_assumptions() {
    let folder = tempfile::tempdir().unwrap();
    let less = LONE.replace(
        "  - {model_name: b, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: os.environ/B}}\n",
        "",
    );
    let with = |name: &str| ASSUMPTIONS.replace("\"a\":", &format!("\"{name}\":"));
    let (fine, wrong) = (with("b"), with("ghost"));
    write(
        folder.path(),
        &[
            ("old.yaml", LONE),
            ("new.yaml", &less),
            ("with.json", &fine),
            ("wrong.json", &wrong),
        ],
    );
    let output = simcap(
        folder.path(),
        &[
            "diff",
            "old.yaml",
            "new.yaml",
            "--with",
            "with.json",
            "--fail-on",
            "never",
        ],
    );
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("only the first has what b asks for"), "{said}");
    let output = simcap(folder.path(), &["diff", "old.yaml", "new.yaml", "--with", "wrong.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("has no provider `ghost`"),
        "{}",
        text(&output.stderr)
    );
}

/// A retry policy of one group is in what is explained alone: the figures are the same, and that must not read as if nothing had changed.
#[test]
fn a_key_that_the_experiment_leaves_out_is_told_when_it_changes() {
    let with = |n: u64| {
        let policy = format!("router_settings: {{model_group_retry_policy: {{a: {{RateLimitErrorRetries: {n}}}}}}}\n");
        of(&(LONE.to_owned() + &policy))
    };
    let (old, new) = (with(4), with(0));
    let found = diff(&old, &new, &built_in_prices()).unwrap();
    let style = simcap::report::terminal::Style {
        width: 300,
        colour: false,
    };
    let said = simcap::gateways::diff::text(&found, None, &style);
    assert!(said.contains("No setting that is simulated changed."), "{said}");
    let line = "Changed and not simulated\n  router_settings.model_group_retry_policy changed (gateway.yaml:";
    assert!(said.contains(line), "{said}");
    let json: Value = serde_json::from_str(&simcap::gateways::diff::json(&found, None)).unwrap();
    assert_eq!(
        json["not_simulated"][0]["key"],
        "router_settings.model_group_retry_policy"
    );
    assert_eq!(json["approximated"], serde_json::json!([]));
}

#[test]
fn a_difference_on_one_screen() {
    let new = PAIR
        .replace("num_retries: 1", "num_retries: 0")
        .replace("allowed_fails: 2, ", "enable_balancing: true, ");
    let (old, new) = (of(PAIR), of(&new));
    let found = diff(&old, &new, &built_in_prices()).unwrap();
    let style = simcap::report::terminal::Style {
        width: 110,
        colour: false,
    };
    insta::assert_snapshot!(
        "a_difference_as_text",
        simcap::gateways::diff::text(&found, None, &style)
    );
    insta::assert_snapshot!(
        "a_difference_as_markdown",
        simcap::gateways::diff::markdown(&found, None)
    );
}
