//! `simcap export` of providers that come and go: over every configuration that there is, one provider more and one less.
//!
//! The change is made in the experiment's JSON, as a person would. What is written and read again is that experiment but for names that
//! follow from a place in the file; and of the file nothing else has changed: one of the two texts is the other one with something left out.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use simcap::gateways::export::{Exported, NotWritten, Target, export};
use simcap::gateways::import::Assumptions;
use simcap::gateways::import::built_in_prices;
use simcap::gateways::{self, import, source};

use super::exports::files;
use crate::common::command::{simcap, text};

/// The experiment that a file is.
fn experiment(file: &Path) -> Value {
    let gateway = gateways::read(&source::open(file).unwrap(), None).unwrap();
    import::experiment(&gateway, &Assumptions::of(&gateway, &built_in_prices()), "x")
}

/// What an experiment asks for; nothing if it is none.
fn target(experiment: &Value) -> Option<Target> {
    let loaded = simcap::experiment::load::from_text("x.json", &experiment.to_string()).ok()?;
    let entry = loaded.experiment.policies.first()?;
    Some(Target::of(&loaded.experiment, entry))
}

/// Keys under which no provider is named.
const OTHERS: [&str; 6] = [
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "aliases",
    "asks",
    "of",
];

/// A part of an experiment without a provider; nothing if the part is about that provider alone.
fn without(part: &Value, name: &str) -> Option<Value> {
    match part {
        Value::String(text) => (text != name).then(|| part.clone()),
        Value::Array(items) => Some(items.iter().filter_map(|item| without(item, name)).collect()),
        Value::Object(of) => {
            if of.get("provider") == Some(&json!(name)) {
                return None;
            }
            let kept = of.iter().filter(|(key, _)| *key != name);
            let kept = kept.filter_map(|(key, inner)| {
                let inner = match OTHERS.contains(&key.as_str()) {
                    true => inner.clone(),
                    false => without(inner, name)?,
                };
                Some((key.clone(), inner))
            });
            Some(Value::Object(kept.collect()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(part.clone()),
    }
}

/// A part of an experiment in which a provider is wherever another one is, behind it.
fn beside(part: &Value, name: &str, new: &str) -> Value {
    match part {
        Value::Array(items) => {
            let each = items.iter().flat_map(|item| {
                let is_it = item == &json!(name) || item.get("provider") == Some(&json!(name));
                let mut copy = item.clone();
                match &mut copy {
                    Value::String(text) => new.clone_into(text),
                    Value::Object(of) => drop(of.insert("provider".to_owned(), json!(new))),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
                }
                match is_it {
                    true => vec![item.clone(), copy],
                    false => vec![beside(item, name, new)],
                }
            });
            each.collect()
        }
        Value::Object(of) => {
            let each = of.iter().flat_map(|(key, inner)| match key {
                key if OTHERS.contains(&key.as_str()) => vec![(key.clone(), inner.clone())],
                key if key == name => vec![(key.clone(), inner.clone()), (new.to_owned(), inner.clone())],
                key => vec![(key.clone(), beside(inner, name, new))],
            });
            Value::Object(each.collect())
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => part.clone(),
    }
}

/// A part of an experiment with providers by other names.
fn renamed(part: &Value, by: &BTreeMap<String, String>) -> Value {
    match part {
        Value::String(text) => by.get(text).map_or_else(|| part.clone(), |to| json!(to)),
        Value::Array(items) => items.iter().map(|item| renamed(item, by)).collect(),
        Value::Object(of) => {
            let each = of.iter().map(|(key, inner)| match key.as_str() {
                key if OTHERS.contains(&key) => (key.to_owned(), inner.clone()),
                // Groups keep their names, whatever providers are called.
                "groups" => {
                    let inside = inner.as_object().unwrap().iter();
                    let inside = inside.map(|(group, of)| (group.clone(), renamed(of, by)));
                    (key.clone(), Value::Object(inside.collect()))
                }
                _ => (by.get(key).cloned().unwrap_or(key.clone()), renamed(inner, by)),
            });
            Value::Object(each.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => part.clone(),
    }
}

/// The experiment with parts changed in which providers stand.
fn changed(experiment: &Value, change: &dyn Fn(&Value) -> Value) -> Value {
    let mut made = experiment.clone();
    for key in ["providers", "policies", "client"] {
        made[key] = change(&experiment[key]);
    }
    made
}

/// Whether the letters of one text stand in another in their order.
fn is_inside(less: &str, more: &str) -> bool {
    let mut rest = more.bytes();
    less.bytes().all(|byte| rest.any(|other| other == byte))
}

#[test]
fn one_more_or_one_less_is_written_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let prices = built_in_prices();
    let (mut written, mut refused) = (BTreeMap::new(), Vec::new());
    for file in files(folder.path()) {
        let whole = experiment(&file);
        let names: Vec<String> = whole["providers"].as_object().unwrap().keys().cloned().collect();
        for (n, name) in names.iter().enumerate() {
            let fewer = changed(&whole, &|part| without(part, name).unwrap_or_default());
            // A number is the place of a target.
            let new = match name.parse::<u64>() {
                Ok(_) => format!("{}", names.len()),
                Err(_) => format!("{name}x{n}"),
            };
            let more = changed(&whole, &|part| beside(part, name, &new));
            for (asked, is_more) in [(fewer, false), (more, true)] {
                // A group without members is none.
                if asked["policies"].to_string().contains("\"providers\":[]") {
                    continue;
                }
                let Some(of) = target(&asked) else { continue };
                let before = std::fs::read_to_string(&file).unwrap();
                match export(&file, None, &prices, of, true) {
                    Ok(Exported { files, renamed: by, .. }) => {
                        for (name, old, new) in &files {
                            let (less, all) = if is_more { (old, new) } else { (new, old) };
                            assert!(is_inside(less, all), "{name}\n{new}");
                            std::fs::write(name, new).unwrap();
                        }
                        let by = by.into_iter().collect();
                        let again = changed(&asked, &|part| renamed(part, &by));
                        let left = export(&file, None, &prices, target(&again).unwrap(), true).unwrap();
                        assert!(left.files.is_empty(), "{}: {name} {is_more}: {left:?}", file.display());
                        for (name, old, _) in &files {
                            std::fs::write(name, old).unwrap();
                        }
                        *written.entry(is_more).or_insert(0) += usize::from(!files.is_empty());
                    }
                    Err(NotWritten::Settings(lines)) => {
                        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
                        let what = if is_more { "more" } else { "less" };
                        let file = file.file_name().unwrap().to_string_lossy();
                        refused.push(format!("{file} {what} {name}: {lines:?}"));
                    }
                    Err(NotWritten::Read(refused)) => panic!("{refused}"),
                }
            }
        }
    }
    eprintln!(
        "{written:?} written, {} refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
    assert!(
        written[&true] >= 10 && written[&false] >= 10 && written.values().sum::<usize>() > refused.len(),
        "{written:?} written, {refused:#?}"
    );
}

/// What a person sees: a member more, as a diff, with what must be filled in.
#[test]
fn the_command_adds_a_deployment_and_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let config = "model_list:\n  - model_name: chat\n    litellm_params:\n      model: openai/gpt-4.1\n      api_key: os.environ/A\n      api_base: https://one.example.com\n  \
        - model_name: spare\n    litellm_params:\n      model: openai/gpt-4.1-mini\n      api_key: os.environ/A\nlitellm_settings:\n  fallbacks: [{chat: [spare]}]\n";
    std::fs::write(at("gateway.yaml"), config).unwrap();
    let run = |arguments: &[&str]| {
        let output = simcap(folder.path(), arguments);
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    run(&["import", "gateway.yaml", "--out", "mine"]);
    let path = at("mine/experiment.json");
    let mut made: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    made["providers"]["second"] = made["providers"]["chat"].clone();
    let group = &mut made["policies"][0]["policy"]["model_groups"]["groups"]["chat"];
    group["providers"] = json!(["chat", "second"]);
    group["policy"] = json!({ "simple_shuffle": { "providers": ["chat", "second"] } });
    std::fs::write(&path, made.to_string()).unwrap();
    let (code, said, notes) = run(&["export", "mine/experiment.json", "--into", "gateway.yaml"]);
    assert_eq!(code, 0, "{notes}");
    let new = "+  - model_name: chat\n+    litellm_params:\n+      model: openai/gpt-4.1\n+      api_key: os.environ/A\n+    model_info:\n+      id: second\n";
    assert!(said.contains(new) && !said.contains("\n-"), "{said}");
    for line in [
        "note: group chat: member second added\n",
        "note: gateway.yaml, line 7: second, after the entry of chat, does not say `litellm_params.api_base`, which chat does: fill in what it needs\n",
        "note: chat is chat-1 in the file, and so when it is imported again\n",
    ] {
        assert!(notes.contains(line), "{line}{notes}");
    }
}
