//! That every name has a page that tells all of its parameters, and that every example loads.

use super::*;
use crate::experiment::assemble::assemble;
use crate::experiment::load::from_text;
use crate::form::manual::fields::Depth;

fn schema() -> Value {
    schemars::schema_for!(Experiment).to_value()
}

/// The names that an example gives to parameters: every key that is not one of the user's own.
fn keys(value: &Value, known: &dyn Fn(&str) -> bool, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                if known(&path) {
                    found.push(path.clone());
                    keys(inner, known, &path, found);
                }
            }
        }
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| keys(element, known, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// What a part's example gives by name is among the parameters that its page tells: the readers of files, which the example passes,
/// and the schema, which the page comes from, say the same. A part that takes something never shows "none".
#[test]
fn every_page_tells_the_parameters_of_its_example() {
    let schema = schema();
    for kind in &places::listed(&schema) {
        for (name, example) in kind.kind.examples() {
            let parameters = kind.parameters(name, &schema);
            let Some(given) = example.as_object().map(|object| &object[name]) else {
                continue;
            };
            let told: Vec<&str> = parameters.iter().map(|field| field.path.as_str()).collect();
            if given.as_object().is_some_and(serde_json::Map::is_empty) {
                continue;
            }
            assert!(
                !told.is_empty(),
                "{} {name} has no parameters and is given {given}",
                kind.kind.name
            );
            let Some(given) = given.as_object() else {
                assert_eq!(told[0], "", "{} {name} is a plain value", kind.kind.name);
                continue;
            };
            // A part that is one of several forms itself tells their names.
            let is_choice = parameters[0].path.is_empty();
            for key in given.keys() {
                let named = told.iter().any(|path| path.split(['.', '[']).next() == Some(key));
                assert!(
                    named || is_choice && parameters[0].form.contains(&format!("`{key}`")),
                    "{} {name} does not tell of {key}: {told:?}",
                    kind.kind.name
                );
            }
        }
    }
}

#[test]
fn every_parameter_says_its_form_and_what_it_means() {
    let schema = schema();
    let mut silent = Vec::new();
    for kind in &places::listed(&schema) {
        for page in kind.kind.pages {
            for field in kind.parameters(page.name, &schema) {
                if field.says.is_empty() || field.form == "any JSON value" && page.name != "own" {
                    silent.push(format!(
                        "{} {} {}: {}",
                        kind.kind.name, page.name, field.path, field.form
                    ));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

/// The fields that the example cannot have beside others.
const ELSEWHERE: [&str; 24] = [
    "plan.at_most",
    "plan.until",
    "traffic.classes.pairs",
    "traffic.classes.pairs.columns",
    "traffic.classes.pairs.columns.input",
    "traffic.classes.pairs.columns.output",
    "traffic.classes.pairs.columns.requests",
    "traffic.classes.pairs.columns.time",
    "traffic.classes.pairs.columns.unit",
    "traffic.classes.pairs.only",
    "traffic.classes.pairs.skip_bad_rows",
    "traffic.classes.pairs.trace",
    "traffic.streams",
    "traffic.streams.arrivals",
    "traffic.streams.classes",
    "traffic.streams.tags",
    "traffic.streams.users",
    "traffic.streams.users.count",
    "traffic.streams.users.skew",
    "quality.observed",
    "quality.observed.weak",
    "quality.observed.strong",
    "quality.observed.strong_where_weak_wrong",
    "quality.pairs",
];

#[test]
fn the_example_uses_every_field_and_passes_every_check() {
    let loaded = from_text("example.json", sections::EXAMPLE).unwrap_or_else(|e| panic!("{e}"));
    assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let schema = schema();
    let all = sections::all(&schema);
    let missing: Vec<&str> = (all.iter())
        .filter(|section| section.example(100).is_none())
        .map(|section| section.path.as_str())
        .filter(|path| !ELSEWHERE.contains(path))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let mut given = Vec::new();
    let example: Value = serde_json::from_str(sections::EXAMPLE).unwrap();
    let plain = |path: &str| path.replace("[]", "");
    keys(
        &example,
        &|path| all.iter().any(|section| section.path == plain(path)),
        "",
        &mut given,
    );
    for section in ["plan", "client.timeouts", "policies[].client.timeouts"] {
        assert!(given.iter().any(|path| path == section), "{section}");
    }
}

#[test]
fn every_name_has_a_page() {
    let schema = schema();
    let listed = places::listed(&schema);
    for name in names(&listed, &schema) {
        let page = page_of(&name, &listed, &schema).unwrap_or_else(|error| panic!("{error}"));
        assert!(page.lines().count() > 2, "{page}");
    }
    for path in [
        "client.timeouts",
        "plan.windows.from",
        "providers.*.limits[]",
        "policies[].client.retry",
    ] {
        assert!(page_of(path, &listed, &schema).is_ok(), "{path}");
    }
    let deep = crate::form::manual::fields::fields(&schema, &schema, Depth::Own);
    assert!(deep.iter().any(|field| field.path == "plan" && field.is_required));
}

#[test]
fn the_handbook_is_up_to_date() {
    let schema = schema();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/book/src/manual");
    let old: Vec<String> = markdown::files(&places::listed(&schema), &schema)
        .into_iter()
        .filter(|(name, text)| std::fs::read_to_string(folder.join(name)).ok().as_deref() != Some(text))
        .map(|(name, _)| name)
        .collect();
    assert!(
        old.is_empty(),
        "`simcap kinds --markdown docs/book/src/manual` writes them anew: {old:?}"
    );
}

#[test]
fn a_search_ranks_names_before_text_and_helps_where_nothing_is_found() {
    let schema = schema();
    let listed = places::listed(&schema);
    let found = |words: &str| find::find(words, &listed, &schema);
    let azure = found("azure").unwrap_or_else(|e| panic!("{e}"));
    let lines: Vec<&str> = azure.lines().collect();
    assert!(lines[0].starts_with("azure-openai/"), "{azure}");
    assert!(
        azure.contains("preset (limit)") && azure.contains("reserved (price)"),
        "{azure}"
    );
    let two = found("LATENCY kong").unwrap_or_else(|e| panic!("{e}"));
    assert!(two.starts_with("kong_latency (policy)"), "{two}");
    let nothing = found("exponentail").unwrap_err().to_string();
    assert!(nothing.contains("`exponential`"), "{nothing}");
}

#[test]
fn a_kind_is_found_by_its_name_before_what_only_speaks_of_it() {
    let schema = schema();
    let listed = places::listed(&schema);
    let found = |word: &str| find::find(word, &listed, &schema).unwrap();
    let text = found("breaker");
    let at = |part: &str| text.find(part).unwrap_or(usize::MAX);
    assert!(at("hystrix (breaker)") < at("own (any part)"), "{text}");
    assert_eq!(text.matches("\nown (").count(), 1, "{text}");
    assert!(found("breakers").contains("hystrix (breaker)"));
}
