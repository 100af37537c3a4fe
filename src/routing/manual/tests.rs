//! That every policy has a page, and every page what a page has.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// The names of the parameters that the rows of `table` are about, in the first cell between backticks.
fn named(table: &[Vec<String>]) -> impl Iterator<Item = &str> {
    let cells = table.iter().skip(1).filter_map(|row| row.first());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2))
}

/// The schema of the parameters of `policy`.
fn parameters(policy: &str, schema: &Value) -> Value {
    let forms = schema["oneOf"].as_array().unwrap();
    let form = forms.iter().find_map(|form| form["properties"].get(policy)).unwrap();
    target(form, schema).clone()
}

fn target<'a>(value: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    reference.map_or(value, |at| schema.pointer(at).unwrap())
}

/// What the page of `policy` lacks.
fn lacks(page: &Manual, schema: &Value) -> Vec<String> {
    let mut lacks = Vec::new();
    let mut need = |has: bool, what: &str| {
        if !has {
            lacks.push(what.to_owned());
        }
    };
    need(
        page.title.ends_with('.'),
        "a title that ends in a full stop and stands alone",
    );
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

    let Some(example) = page.example() else {
        need(false, "a block of ```json with one policy");
        return lacks;
    };
    match serde_json::from_str::<PolicySpec>(&example.join("\n")) {
        Err(error) => need(false, &format!("an example that is a policy: {error}")),
        Ok(spec) => {
            need(
                spec.name() == page.name,
                &format!("an example of its own: it shows `{}`", spec.name()),
            );
            let written = serde_json::to_string(&spec).unwrap();
            let again: Result<PolicySpec, _> = serde_json::from_str(&written);
            need(
                again.as_ref().is_ok_and(|again| *again == spec),
                &format!("an example that is the same after it was written: {again:?}, not {spec:?}"),
            );
        }
    }
    lacks
}

#[test]
fn every_page_has_what_a_page_has() {
    let schema = schemars::schema_for!(PolicySpec).to_value();
    let lacking: Vec<String> = (all().iter())
        .flat_map(|page| {
            let lacks = lacks(page, &schema);
            lacks
                .into_iter()
                .map(|what| format!("src/routing/{}.rs lacks {what}", page.name))
        })
        .collect();
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn a_page_that_lacks_everything_says_so() {
    let schema = schemars::schema_for!(PolicySpec).to_value();
    let empty = read("priority", None, "//! A title\n//!\n//! | `weights` | 1 |\n\nuse x;\n");
    let expected = [
        "a title that ends in a full stop and stands alone",
        "a sentence that begins with `Keeps `",
        "a sentence that begins with `Source:` or `Sources:`",
        "a sentence that begins with `Known faults:`",
        "a row for the parameter `levels`",
        "a block of ```json with one policy",
    ];
    assert_eq!(lacks(&empty, &schema), expected);
    let wrong = "//! A.\n//!\n//! Keeps it. Source: R. Known faults: none.\n//!\n//! | parameter | default |\n//! |---|---|\n//! | `levles` | |\n//!\n//! ```json\n//! { \"jiq\": {} }\n//! ```\n";
    let expected = [
        "a row for the parameter `levels`",
        "a parameter for the row `levles`, which the schema does not know",
        "the heads `| parameter | default | range |`",
        "three cells in each row of its table",
        "an example of its own: it shows `jiq`",
    ];
    assert_eq!(lacks(&read("priority", None, wrong), &schema), expected);
}

#[test]
fn a_page_is_read_block_by_block() {
    let page = read(
        "x",
        None,
        "//! Title.\n//!\n//! One\n//! two.\n//!\n//! - a\n//!   b\n//! - c\n//!\n//! | h |\n//! |---|\n//! | `r` |\n//!\n//! ```json\n//! { }\n//! ```\n\n//! no more\n",
    );
    let text = |text: &str| Block::Text(text.into());
    let item = |text: &str| Block::Item(text.into());
    let expected = [
        text("One two."),
        item("a b"),
        item("c"),
        Block::Table(vec![vec!["h".into()], vec!["`r`".into()]]),
        Block::Code(vec!["{ }".into()]),
    ];
    assert_eq!(
        (page.title.as_str(), page.blocks.as_slice()),
        ("Title.", expected.as_slice())
    );
}

#[test]
fn products_are_whole_words_of_titles_and_sources() {
    let page = |text: &str| read("x", None, &format!("//! Kong's way.\n//!\n//! Unlike LiteLLM. {text}"));
    let products = |text: &str| page(text).products().collect::<Vec<_>>();
    assert_eq!(
        products("Source: Envoy 1.2. Known faults: not those of NGINX."),
        ["Kong", "Envoy"]
    );
    assert_eq!(products("Source: Towering Envoyage."), ["Kong"]);
    assert_eq!(
        page("Source: Envoy, Kong.").other_products().collect::<Vec<_>>(),
        ["Envoy"]
    );
}

#[test]
fn marks_are_left_out_and_what_is_quoted_stays() {
    for (text, expected) in [
        ("of `a` and [`b`]", "of a and b"),
        ("see [the paper](https://x.y/z) first", "see the paper first"),
        ("an `[0]` and `a](b)` and 2*3", "an [0] and a](b) and 2*3"),
        ("**R4** (one) [and](x) two", "R4 (one) and two"),
        ("an [a] (b", "an [a] (b"),
    ] {
        assert_eq!(plain(text), expected);
    }
}
