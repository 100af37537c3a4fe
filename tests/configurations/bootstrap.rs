//! A bootstrap of plain Envoy: what it must become stands beside it, and its experiment runs.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use serde_json::{Value, json};
use simcap::gateways::export::export;
use simcap::gateways::import::{Assumptions, built_in_prices, experiment};
use simcap::gateways::settled::of_gateway;
use simcap::gateways::{Gateway, read, source};

use super::expected::holds;
use super::explained;
use crate::common::{plan, replications};

const CONFIG: &str = include_str!("envoy-bootstrap.yaml");

fn gateway() -> Gateway {
    read(&source::from_text("envoy.yaml", CONFIG).unwrap(), None).unwrap()
}

#[test]
fn a_bootstrap_becomes_what_is_written_beside_it() {
    let gateway = gateway();
    let mut found = explained(&gateway);
    let mut expected: Value = serde_json::from_str(include_str!("envoy-bootstrap.expect.json")).unwrap();
    let said = gateway.warnings.iter().map(|warning| {
        let subject = match warning.subject.as_str() {
            "" => String::new(),
            subject => format!(": {subject}"),
        };
        format!("{}{subject} (line {})", warning.kind.code, warning.at.unwrap().line)
    });
    let mut said: Vec<String> = said.collect();
    let warnings = expected.as_object_mut().unwrap().remove("warnings").unwrap();
    let mut warnings: Vec<String> = serde_json::from_value(warnings).unwrap();
    said.sort();
    warnings.sort();
    assert_eq!(said, warnings);
    found.as_object_mut().unwrap().remove("warnings");
    for (key, value) in expected.as_object().unwrap() {
        assert!(holds(value, &found[key]), "{key}\n{value:#}\n{:#}", found[key]);
    }
}

/// Every key has a verdict with a line, and none is forgotten.
#[test]
fn every_key_of_a_bootstrap_has_a_verdict() {
    let unknown: Vec<String> = (gateway().ledger.iter())
        .filter(|row| row.how.is_empty())
        .map(|row| format!("{} (line {})", row.path, row.at.line))
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn the_experiment_of_a_bootstrap_runs_and_adds_up() {
    let gateway = gateway();
    let mut assumed = Assumptions::of(&gateway, &built_in_prices());
    assumed.plan.insert("duration".to_owned(), "5m".into());
    assumed.plan.insert("warmup".to_owned(), "0s".into());
    let made = experiment(&gateway, &assumed, "bootstrap").to_string();
    for tally in replications(&plan(&made).scenarios[0], 1, 2) {
        assert!(tally.requests() > 200);
        let attempts: u64 = tally.providers.iter().map(|p| p.outcomes.iter().sum::<u64>()).sum();
        assert_eq!(attempts, tally.attempts());
    }
}

#[test]
fn a_bootstrap_on_one_screen() {
    insta::assert_snapshot!(super::text(&gateway()));
}

/// What holds for one target: its own settings, or those of the strategy that it stands in, over the whole config's (Portkey); those of its
/// provider (Bifrost).
#[test]
fn targets_have_retries_and_timeouts_of_their_own() {
    let portkey = r#"{ "strategy": { "mode": "fallback" }, "retry": { "attempts": 1 }, "request_timeout": 9000, "targets": [
        { "name": "in", "strategy": { "mode": "loadbalance" }, "retry": { "attempts": 3 }, "targets": [
            { "name": "a", "provider": "openai", "override_params": { "model": "gpt-4.1" } },
            { "name": "b", "provider": "openai", "override_params": { "model": "gpt-4.1" }, "request_timeout": 5000 } ] },
        { "name": "c", "provider": "anthropic", "override_params": { "model": "claude-haiku-4-5" } } ] }"#;
    let bifrost = r#"{ "version": 2, "providers": {
        "openai": { "keys": [ { "name": "k", "value": "env.A", "models": ["*"] } ], "network_config": { "max_retries": 3, "default_request_timeout_in_seconds": 45 } },
        "azure": { "keys": [ { "name": "z", "value": "env.B", "models": ["*"] } ], "network_config": { "max_retries": 1 } } },
        "governance": { "virtual_keys": [ { "id": "v", "provider_configs": [
            { "provider": "openai", "weight": 1, "allowed_models": ["gpt-4.1"] }, { "provider": "azure", "weight": 1, "allowed_models": ["gpt-4.1"] } ] } ] } }"#;
    let of = |text: &str| {
        let gateway = read(&source::from_text("x.json", text).unwrap(), None).unwrap();
        let assumed = Assumptions::of(&gateway, &built_in_prices());
        let made = experiment(&gateway, &assumed, "x");
        simcap::experiment::assemble::assemble(
            &simcap::experiment::load::from_text("x.json", &made.to_string()).unwrap_or_else(|e| panic!("{e}")),
        )
        .unwrap_or_else(|e| panic!("{e}"));
        let groups = &made["policies"][0]["policy"]["model_groups"]["groups"];
        (
            groups.as_object().unwrap().values().next().unwrap()["targets"].clone(),
            made["client"].clone(),
        )
    };
    let (targets, client) = of(portkey);
    assert_eq!(targets["in.a"]["retry"]["portkey"]["attempts"], 3);
    assert_eq!(targets["in.b"]["timeouts"]["ttft"], "5s");
    assert!(targets.get("c").is_none());
    assert_eq!(
        (&client["retry"]["portkey"]["attempts"], &client["timeouts"]["ttft"]),
        (&1.into(), &"9s".into())
    );
    let (targets, client) = of(bifrost);
    assert_eq!(targets["azure/z"]["retry"]["bifrost"]["max_retries"], 1);
    assert_eq!(targets["azure/z"]["timeouts"]["attempt"], "30s");
    assert!(targets.get("openai/k").is_none());
    assert_eq!(client["retry"]["bifrost"]["max_retries"], 3);
}

#[test]
fn what_leads_to_no_provider_is_not_imported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("envoy.yaml");
    std::fs::write(&file, "static_resources:\n  clusters: []\n").unwrap();
    let ran = crate::common::command::simcap(folder.path(), &["import", "envoy.yaml"]);
    let said = crate::common::command::text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(
        said.contains("envoy.yaml: as Envoy reads it, leads to no provider"),
        "{said}"
    );
    assert!(!folder.path().join("envoy").exists());
}

/// Retries, ejection, weights and the timeout of a try are written into the bootstrap; each is one value in its text.
#[test]
fn what_an_experiment_changed_is_written_into_a_bootstrap() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("envoy.yaml");
    let before = include_str!("envoy-bootstrap.yaml");
    std::fs::write(&file, before).unwrap();
    let prices = built_in_prices();
    let settings = of_gateway(&gateway(), &prices).unwrap();
    for (end, value, written) in [
        ("group.gpt-4.1.retry.num_retries", json!(2), "num_retries: 2"),
        ("group.gpt-4.1.timeouts.attempt", json!("15s"), "per_try_timeout: 15s"),
        ("breaker.consecutive_5xx", json!(7), "consecutive_5xx: 7"),
        (".0.large/west.example.com", json!(9), "load_balancing_weight: 9"),
    ] {
        let mut changed = settings.clone();
        let paths: Vec<_> = changed
            .keys()
            .filter(|path| path.join(".").ends_with(end))
            .cloned()
            .collect();
        assert!(!paths.is_empty(), "{end}");
        paths
            .into_iter()
            .for_each(|path| drop(changed.insert(path, value.clone())));
        let made = export(&file, None, &prices, changed.into(), false).unwrap();
        let [(_, _, after)] = &made.files[..] else {
            panic!("{end}: {made:?}")
        };
        assert!(after.contains(written), "{end}: {after}");
        assert_eq!(
            before.lines().zip(after.lines()).filter(|(a, b)| a != b).count(),
            1,
            "{end}"
        );
    }
}
