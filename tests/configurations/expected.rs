//! Configurations with what each must become, beside the traces where `SIMCAP_TRACES` leads (`../cases/configs`, `NAME.expect.json`);
//! without them the test is skipped and says so.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use simcap::gateways::{self, Gateway, source};

use super::{explained, warnings};

/// The folder of configurations beside the traces.
pub(super) fn cases() -> Option<PathBuf> {
    let traces = std::env::var_os("SIMCAP_TRACES").filter(|path| !path.is_empty())?;
    let folder = Path::new(&traces).parent()?.join("cases/configs");
    folder.is_dir().then_some(folder)
}

/// Whether all that `expected` says is in `found`: objects may have more, numbers may be near.
pub(super) fn holds(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|found| holds(value, found))),
        // A share may be written as one.
        (Value::Number(a), Value::String(b)) => {
            b.strip_suffix('%').is_some_and(|b| b.parse::<f64>().ok() == a.as_f64())
        }
        (Value::Number(a), Value::Number(b)) => (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9,
        (expected, found) => expected == found,
    }
}

/// What an expectation says in the form of an explanation.
const COMPARED: [&str; 12] = [
    "product",
    "groups",
    "aliases",
    "price",
    "shares_when_all_are_well",
    "fallback",
    "context_window_fallback",
    "breaker",
    "never_cools",
    "worst_attempts_of_one_request",
    "gateways",
    "account",
];

/// Warnings that an expectation says in other words, and their codes.
const SAID: [(&str, &str); 3] = [
    ("@slug", "provider-integration"),
    ("vault", "vault-reference"),
    ("shadow-mode", "shadow-mode"),
];

/// Whether a value is said in words, where others say it as an experiment would.
fn in_words(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text != "never" && text.contains(' '))
}

fn hold(name: &str, expected: &Value, gateway: &Gateway) {
    let found = explained(gateway);
    for key in COMPARED {
        if let Some(value) = expected.get(key).filter(|value| !in_words(value)) {
            // What is asked for under a wildcard is said beside it, and words stand for what is not known.
            let mut value: Value = serde_json::from_str(&value.to_string().replace(" (as asked)", "")).unwrap();
            if let Some(of) = value.as_object_mut().filter(|_| key == "price") {
                of.retain(|_, value| !in_words(value));
            }
            assert!(
                found.get(key).is_some_and(|found| holds(&value, found)),
                "{name}: {key}\n{value:#}\n{:#}",
                found[key]
            );
        }
    }
    policies(name, expected, &found);
    let retry = expected
        .get("retry")
        .filter(|retry| gateway.product.name != "bifrost" && !in_words(retry));
    if let Some(mut retry) = retry.cloned() {
        let on = retry.pointer_mut("/envoy/retry_on").map(Value::take);
        if let Some(of) = retry.as_object_mut() {
            of.retain(|key, _| !key.starts_with("at "));
            of.values_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|of| drop(of.remove("retry_on")));
        }
        assert!(
            holds(&retry, &found["retry"]),
            "{name}: {retry:#}\n{:#}",
            found["retry"]
        );
        let codes = on
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter(|code| code.is_number());
        let also = found["retry"]["envoy"]["retry_on"].as_array();
        codes.for_each(|code| assert!(also.unwrap().contains(code), "{name}: {code}"));
    }
    for (key, value) in expected["timeouts"].as_object().into_iter().flatten() {
        // Those of single targets, and of streams, are facts of members.
        if value.is_string() && !key.starts_with("at ") && key != "stream" {
            assert_eq!(&found["timeouts"][key], value, "{name}: {key}");
        }
    }
    let members: Vec<&str> = gateway
        .groups
        .iter()
        .flat_map(|group| &group.members)
        .map(|m| m.name.as_str())
        .collect();
    for provider in expected["providers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        assert!(
            members.contains(&provider.split(' ').next().unwrap()),
            "{name}: {provider}\n{members:?}"
        );
    }
    for (member, cap) in expected["in_flight_cap"].as_object().into_iter().flatten() {
        assert_eq!(&found["connections"][member]["connections"], cap, "{name}");
    }
    for (member, cap) in expected["connections"].as_object().into_iter().flatten() {
        let own = found["connections"]
            .get(member)
            .or(found["hosts"].get(member.split(' ').next().unwrap()));
        assert_eq!(own.unwrap()["connections"], cap["connections"], "{name}");
        if cap["line"].is_number() {
            assert_eq!(own.unwrap()["line"], cap["line"], "{name}");
        }
    }
    if let Some(refused) = expected.get("refused_without").and_then(Value::as_str) {
        let first = refused.split(':').next().unwrap();
        assert!(gateway.left_out.iter().any(|left| left.starts_with(first)), "{name}");
    }
    let said = warnings(gateway);
    let codes: Vec<&str> = gateway.warnings.iter().map(|w| w.kind.code).collect();
    for warning in expected["warnings"].as_array().into_iter().flatten() {
        let warning = warning.as_str().unwrap();
        let code = warning.split([' ', ':']).next().unwrap();
        let code = SAID
            .iter()
            .find(|(words, _)| *words == code)
            .map_or(code, |(_, code)| *code);
        assert!(codes.contains(&code), "{name}: {warning}\n{said:#?}");
        // The subject, where the expectation names one and the warning has one.
        let subjects = warning
            .strip_prefix(code)
            .and_then(|rest| rest.strip_prefix(": "))
            .unwrap_or("");
        let subjects = subjects.split(" (").next().unwrap();
        let own: Vec<&str> = gateway
            .warnings
            .iter()
            .filter(|w| w.kind.code == code)
            .map(|w| w.subject.as_str())
            .collect();
        let named = own.contains(&subjects) || subjects.split(", ").all(|subject| own.contains(&subject));
        let none = subjects.is_empty() || own.iter().all(|subject| subject.is_empty());
        assert!(named || none, "{name}: {warning}\n{said:#?}");
    }
}

/// Policies stand by group, or by themselves where there is one group.
fn policies(name: &str, expected: &Value, found: &Value) {
    let Some(policies) = expected["policy"].as_object() else {
        return;
    };
    for (group, policy) in policies {
        let own = found["policy"].get(group);
        if own.is_none() && group.starts_with("for ") {
            // A draw without what follows a failure.
            let group = group.trim_start_matches("for ").replace(", ", " ");
            let text = found["policy"][&group].to_string();
            assert!(
                text.contains("sample_without_replacement") && text.contains("\"openai/oa-main\":0.7"),
                "{name}: {text}"
            );
            continue;
        }
        let whole = found["policy"].as_object().unwrap().values().next().unwrap();
        let (policy, own) = match own {
            Some(own) => (policy.clone(), own),
            None => (serde_json::json!({ group: policy }), whole),
        };
        // Some say of a part in words what it is.
        if !policy.to_string().contains("sticky over") {
            assert!(holds(&policy, own), "{name}: {policy:#}\n{own:#}");
        }
    }
}

#[test]
fn configurations_become_what_is_written_beside_them() {
    let Some(folder) = cases() else {
        eprintln!("skipped: SIMCAP_TRACES has no cases/configs beside it");
        return;
    };
    let known: Vec<&str> = gateways::products().collect();
    let mut held = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = file.strip_suffix(".expect.json") else {
            continue;
        };
        let expected: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if !known.contains(&expected["product"].as_str().unwrap()) {
            continue;
        }
        let config = ["yaml", "json"].map(|end| folder.join(format!("{name}.{end}")));
        let config = config.iter().find(|path| path.exists()).unwrap();
        held += 1;
        match expected.get("refused") {
            Some(refused) => {
                let said = source::open(config).unwrap_err().to_string();
                assert!(said.ends_with(refused.as_str().unwrap()), "{said}");
                let text = std::fs::read_to_string(config).unwrap();
                let start = text.find("{{").unwrap();
                let end = text.find("}}").unwrap() + 2;
                let rendered = format!("{}rendered{}", &text[..start], &text[end..]);
                let read = source::from_text(name, &rendered).unwrap();
                hold(
                    name,
                    &expected["after_rendering"],
                    &gateways::read(&read, None).unwrap(),
                );
            }
            None => {
                let read = source::open(config).unwrap_or_else(|refused| panic!("{refused}"));
                let gateway = gateways::read(&read, None).unwrap_or_else(|refused| panic!("{refused}"));
                hold(name, &expected, &gateway);
                let prices = gateways::import::built_in_prices();
                let assumed = gateways::import::Assumptions::of(&gateway, &prices);
                let experiment = gateways::import::experiment(&gateway, &assumed, name).to_string();
                let loaded = simcap::experiment::load::from_text(name, &experiment);
                let loaded = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
                simcap::experiment::assemble::assemble(&loaded).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
    assert!(held > 0);
}
