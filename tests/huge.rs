//! Every whole number that a file can give, at its largest: it is refused, or the run ends all the same.
//!
//! The numbers are found in the experiment's schema, those of every part by its example. What a huge one must not do is take memory
//! or time before anything is simulated, or in every request: a test that hangs or is killed has found such a one.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::parts::{Named, examples, put, stage, with_part};
use schemars::schema_for;
use serde_json::{Value, json};
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::file::Experiment;
use simcap::experiment::load::{Loaded, from_text};

/// A few requests: enough to be hedged, retried, limited and closed out by.
const SHORT: (&str, &str) = ("60/s", "3s");

/// The numbers tried: the end of 32 bits, what no list holds, and the end of 64 bits.
const HUGE: [u64; 3] = [u32::MAX as u64, 1_000_000_000_000, u64::MAX];

/// Whether the experiment runs; the alternative is a refusal.
fn runs(loaded: &Loaded) -> bool {
    let Ok(plan) = assemble(loaded) else { return false };
    let done = replicate(&plan.scenarios, 1, 1, &Control::default());
    done.iter().flatten().flatten().count() == plan.scenarios.len()
}

/// The schema behind a reference.
fn resolved<'a>(whole: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str();
    reference.map_or(schema, |at| whole.pointer(at.trim_start_matches('#')).unwrap())
}

/// Whether a value of this schema may be a whole number.
fn is_whole(whole: &Value, schema: &Value) -> bool {
    let schema = resolved(whole, schema);
    let says = |of: &Value| of == "integer" || of.as_array().is_some_and(|all| all.contains(&json!("integer")));
    let among = ["oneOf", "anyOf"]
        .iter()
        .filter_map(|key| schema[*key].as_array())
        .flatten();
    says(&schema["type"]) || among.into_iter().any(|one| is_whole(whole, one))
}

/// The fields of this schema that may be whole numbers.
fn whole_fields(whole: &Value, schema: &Value) -> Vec<String> {
    let properties = resolved(whole, schema)["properties"].as_object().into_iter().flatten();
    let numbers = properties.filter(|(_, of)| is_whole(whole, of));
    numbers.map(|(name, _)| name.clone()).collect()
}

/// The fields of the parameters of any part called `name`, whatever its kind.
fn fields_of_part(whole: &Value, name: &str) -> Vec<String> {
    let defs = whole["$defs"].as_object().unwrap().values();
    let variants = defs.filter_map(|def| def["oneOf"].as_array()).flatten();
    let mut all: Vec<String> = variants
        .filter_map(|variant| variant["properties"].get(name))
        .flat_map(|parameters| whole_fields(whole, parameters))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn a_huge_number_in_a_part_neither_hangs_nor_takes_all_memory() {
    let schema = schema_for!(Experiment).to_value();
    let mut tried = 0;
    for (kind, parts) in examples() {
        for (name, part) in parts {
            for field in fields_of_part(&schema, name) {
                for huge in HUGE {
                    let mut parameters = part.get(name).cloned().unwrap_or(json!({}));
                    let Some(fields) = parameters.as_object_mut() else {
                        continue;
                    };
                    fields.insert(field.clone(), json!(huge));
                    let part = json!({ name: parameters });
                    if kind.read(&part.to_string()).is_err() {
                        continue;
                    }
                    // The names of the example are put in, as far as they are refused.
                    let mut names = Named::default();
                    while let Ok(loaded) = with_part(SHORT, kind.name, Some(&part), &names) {
                        let Err(error) = assemble(&loaded) else {
                            assert!(runs(&loaded), "{part}");
                            tried += 1;
                            break;
                        };
                        let missing = |what: &str| {
                            let rest = error.message.split_once(&format!("there is no {what} `"))?.1;
                            Some(rest.split('`').next().unwrap_or_default().to_owned())
                        };
                        match (missing("provider"), missing("class")) {
                            (Some(provider), _) => names.providers.push(provider),
                            (_, Some(class)) => names.classes.push(class),
                            _ => break,
                        }
                    }
                }
            }
        }
    }
    assert!(tried > 100, "only {tried}");
}

#[test]
fn a_huge_number_of_the_experiment_neither_hangs_nor_takes_all_memory() {
    let schema = schema_for!(Experiment).to_value();
    for (def, place) in [
        ("ClientSpec", "/client"),
        ("ProviderSpec", "/providers/a"),
        ("ClassSpec", "/traffic/classes/chat"),
        ("UsersSpec", "/traffic/users"),
        ("StreamSpec", "/traffic/streams/one"),
        ("PlanSpec", "/plan"),
        ("FallbackSpec", "/client/fallback"),
    ] {
        for field in whole_fields(&schema, &schema["$defs"][def]) {
            for huge in HUGE {
                let mut experiment = stage(SHORT);
                put(&mut experiment, "limit", None);
                if def == "FallbackSpec" {
                    experiment["client"]["fallback"] =
                        json!({ "groups": [{ "providers": ["a"] }, { "providers": ["b"] }] });
                }
                if def == "StreamSpec" {
                    let traffic = &mut experiment["traffic"];
                    let (arrivals, users) = (traffic["arrivals"].take(), traffic["users"].take());
                    traffic["streams"] = json!({ "one": { "arrivals": arrivals, "users": users } });
                }
                experiment.pointer_mut(place).unwrap()[&field] = json!(huge);
                if let Ok(loaded) = from_text("huge.json", &experiment.to_string()) {
                    runs(&loaded);
                }
            }
        }
    }
}
