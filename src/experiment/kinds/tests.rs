//! That no kind is missing, that every part has a page, and every page what a page has.

use std::collections::BTreeSet;

use super::*;
use crate::form::manual::Block;
use crate::form::registry::KIND_KEYWORD;

/// The names of the parameters that the rows of `table` are about, in the first cell between backticks.
fn named(table: &[Vec<String>]) -> impl Iterator<Item = &str> {
    let cells = table.iter().skip(1).filter_map(|row| row.first());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2))
}

/// The schema of the parameters of `policy`.
fn parameters(policy: &str, schema: &Value) -> Value {
    let forms = schema["oneOf"].as_array().unwrap();
    let form = forms.iter().find_map(|form| form["properties"].get(policy)).unwrap();
    let reference = form["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    reference.map_or(form, |at| schema.pointer(at).unwrap()).clone()
}

/// What a page lacks that a page of any kind has.
fn lacks_something(kind: &PartKind, page: &Manual) -> Vec<String> {
    let mut lacks = Vec::new();
    if !page.title.ends_with('.') {
        lacks.push("a title that ends in a full stop and stands alone".to_owned());
    }
    let Some(example) = page.example() else {
        lacks.push("a block of ```json with one part".to_owned());
        return lacks;
    };
    match kind.read(&example.join("\n")) {
        Err(error) => lacks.push(format!("an example that is one: {error}")),
        Ok(written) => {
            let name = written.as_object().and_then(|object| object.keys().next());
            if name.is_none_or(|name| name != page.name) {
                lacks.push(format!("an example of its own: it shows `{}`", name.map_or("", |n| n)));
            }
            let again = kind.read(&written.to_string());
            if again.as_ref() != Ok(&written) {
                lacks.push(format!(
                    "an example that is the same after it was written: {again:?}, not {written}"
                ));
            }
        }
    }
    lacks
}

/// What the page of a policy lacks besides.
fn policy_lacks(page: &Manual, schema: &Value) -> Vec<String> {
    let mut lacks = Vec::new();
    let mut need = |has: bool, what: &str| {
        if !has {
            lacks.push(what.to_owned());
        }
    };
    need(
        page.text_from(&["Keeps "]).is_some(),
        "a sentence that begins with `Keeps `",
    );
    need(
        page.sources().is_some(),
        "a sentence that begins with `Source:` or `Sources:`",
    );
    let faults = page.text_from(&["Known faults:", "Known fault:"]);
    need(faults.is_some(), "a sentence that begins with `Known faults:`");

    let own = parameters(page.name, schema);
    let properties = own["properties"].as_object().cloned().unwrap_or_default();
    let tables: Vec<&Vec<Vec<String>>> = (page.blocks.iter())
        .filter_map(|block| match block {
            Block::Table(rows) if rows[0][0] == "parameter" => Some(rows),
            _ => None,
        })
        .collect();
    let rows: BTreeSet<&str> = tables.iter().flat_map(|table| named(table)).collect();
    let first = |row: &str| row.split(['.', '[']).next().unwrap_or_default().to_owned();
    let told: BTreeSet<String> = rows.iter().map(|row| first(row)).collect();
    for name in properties.keys().filter(|name| *name != "providers") {
        need(told.contains(name), &format!("a row for the parameter `{name}`"));
    }
    for name in &told {
        need(
            properties.contains_key(name),
            &format!("a parameter for the row `{name}`, which the schema does not know"),
        );
    }
    for table in tables {
        need(
            table[0] == ["parameter", "default", "range"],
            "the heads `| parameter | default | range |`",
        );
        need(
            table.iter().all(|row| row.len() == 3),
            "three cells in each row of its table",
        );
    }
    lacks
}

fn policies() -> PartKind {
    PartKind::of::<PolicySpec>()
}

fn lacks(page: &Manual, schema: &Value) -> Vec<String> {
    [lacks_something(&policies(), page), policy_lacks(page, schema)].concat()
}

#[test]
fn every_part_has_a_page_and_every_page_what_a_page_has() {
    let mut lacking = Vec::new();
    for kind in all() {
        for page in kind.pages {
            let lacks = lacks_something(&kind, &page_of(page));
            lacking.extend(
                lacks
                    .into_iter()
                    .map(|what| format!("{} {} lacks {what}", kind.name, page.name)),
            );
        }
    }
    let schema = schemars::schema_for!(PolicySpec).to_value();
    for page in manual::of::<PolicySpec>() {
        let lacks = policy_lacks(&page, &schema);
        lacking.extend(
            lacks
                .into_iter()
                .map(|what| format!("policy {} lacks {what}", page.name)),
        );
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn a_page_that_lacks_everything_says_so() {
    let schema = schemars::schema_for!(PolicySpec).to_value();
    let empty = manual::read("priority", None, "//! A title\n//!\n//! | `weights` | 1 |\n\nuse x;\n");
    let expected = [
        "a title that ends in a full stop and stands alone",
        "a block of ```json with one part",
        "a sentence that begins with `Keeps `",
        "a sentence that begins with `Source:` or `Sources:`",
        "a sentence that begins with `Known faults:`",
        "a row for the parameter `attempts_per_level`",
        "a row for the parameter `inside`",
        "a row for the parameter `levels`",
        "a row for the parameter `overprovisioning`",
        "a row for the parameter `previous_hosts`",
    ];
    assert_eq!(lacks(&empty, &schema), expected);
    let wrong = "//! A.\n//!\n//! Keeps it. Source: R. Known faults: none.\n//!\n//! | parameter | default |\n//! |---|---|\n//! | `levles` | |\n//!\n//! ```json\n//! { \"jiq\": {} }\n//! ```\n";
    let expected = [
        "an example of its own: it shows `jiq`",
        "a row for the parameter `attempts_per_level`",
        "a row for the parameter `inside`",
        "a row for the parameter `levels`",
        "a row for the parameter `overprovisioning`",
        "a row for the parameter `previous_hosts`",
        "a parameter for the row `levles`, which the schema does not know",
        "the heads `| parameter | default | range |`",
        "three cells in each row of its table",
    ];
    assert_eq!(lacks(&manual::read("priority", None, wrong), &schema), expected);
}

/// Adds every kind that `value` speaks of.
fn kinds_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(KIND_KEYWORD).and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| kinds_in(field, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| kinds_in(element, found)),
        _ => {}
    }
}

#[test]
fn every_kind_that_a_file_may_name_is_listed() {
    let mut spoken_of = BTreeSet::new();
    kinds_in(
        &schemars::schema_for!(crate::experiment::file::Experiment).to_value(),
        &mut spoken_of,
    );
    let listed: BTreeSet<String> = all().iter().map(|kind| kind.name.to_owned()).collect();
    assert_eq!(spoken_of, listed);
}

/// Every description under `value`, with its path.
fn descriptions(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            if let Some(says) = fields.get("description").and_then(Value::as_str) {
                found.push((path.to_owned(), says.to_owned()));
            }
            for (name, field) in fields {
                descriptions(field, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(elements) => {
            for (i, element) in elements.iter().enumerate() {
                descriptions(element, &format!("{path}/{i}"), found);
            }
        }
        _ => {}
    }
}

/// What an editor shows of a field must say something by itself.
#[test]
fn every_description_has_three_words() {
    let schemas = [
        schemars::schema_for!(crate::experiment::file::Experiment).to_value(),
        schemars::schema_for!(crate::experiment::model::ModelFile).to_value(),
        schemars::schema_for!(crate::report::Report).to_value(),
    ];
    let mut found = Vec::new();
    for schema in &schemas {
        descriptions(schema, "", &mut found);
    }
    let short: BTreeSet<String> = found
        .into_iter()
        .filter(|(_, says)| says.split_whitespace().count() < 3)
        .map(|(path, says)| format!("{path}: {says}"))
        .collect();
    let short: Vec<String> = short.into_iter().collect();
    assert!(short.is_empty(), "{} of them:\n{}", short.len(), short.join("\n"));
}
