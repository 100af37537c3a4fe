//! Other products' files where an experiment should be: what they are, and what to do with one.
//!
//! Looked at only when a file does not read as an experiment. YAML and TOML are known by their first line that says something, which
//! no JSON begins with; products by the names on the outermost level of their configurations.

use crate::form::diagnose::{Error, Seg};
use crate::form::tree::Tree;

/// A product's configuration.
struct Product {
    name: &'static str,
    /// Names on its outermost level, any of which tells it.
    marks: &'static [&'static str],
    hint: &'static str,
}

/// Of products whose configurations are read.
const READ: &str = "`simcap explain` says what it does, and `simcap import` makes an experiment of it";

const PRODUCTS: [Product; 6] = [
    Product {
        name: "LiteLLM",
        marks: &["model_list", "litellm_settings", "router_settings"],
        hint: READ,
    },
    Product {
        name: "Envoy",
        marks: &["static_resources", "dynamic_resources"],
        hint: READ,
    },
    Product {
        name: "Kong",
        marks: &["_format_version"],
        hint: READ,
    },
    Product {
        name: "Portkey",
        marks: &["strategy", "targets"],
        hint: READ,
    },
    Product {
        name: "TensorZero",
        marks: &["gateway", "functions", "models"],
        hint: "`simcap init` writes an experiment to start from; `simcap kinds --find tensorzero` lists what there is of TensorZero",
    },
    Product {
        name: "Helicone",
        marks: &["routers", "helicone"],
        hint: "`simcap init` writes an experiment to start from; `simcap kinds --find helicone` lists what there is of Helicone",
    },
];

const NO_PRODUCT: &str = "an experiment is JSON, with comments if you like: `simcap init` writes one to start from";

/// The mistake that `text`, which does not read as an experiment, is a file of something else; nothing if it is not known to be.
pub(super) fn named(file: &str, text: &str) -> Option<Error> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().map(str::trim_end).find(|line| !is_silent(line))?;
    let (language, names) = if is_toml(first) {
        (Some("TOML"), toml_names(text))
    } else if is_yaml(first) {
        (Some("YAML"), yaml_names(text))
    } else {
        (None, json_names(text))
    };
    let product = PRODUCTS
        .iter()
        .find(|product| product.marks.iter().any(|mark| names.iter().any(|name| name == mark)));
    let message = match (language, product) {
        (Some(language), Some(product)) => format!(
            "this is {language}, a configuration of {}, and no experiment",
            product.name
        ),
        (Some(language), None) => format!("this is {language}, and no experiment"),
        (None, Some(product))
            if !names
                .iter()
                .any(|name| ["traffic", "policies", "plan"].contains(&name.as_str())) =>
        {
            format!("this is a configuration of {}, and no experiment", product.name)
        }
        (None, _) => return None,
    };
    let line = text
        .lines()
        .position(|line| line.trim_end() == first)
        .map_or(1, |line| line + 1);
    let error = match language {
        Some(_) => Error::in_line(file, text, line, 1, message),
        None => Error::at(file, text, &[] as &[Seg], message),
    };
    Some(error.with_hint(product.map_or(NO_PRODUCT, |product| product.hint)))
}

/// Blank, a comment of YAML or TOML, or the mark that begins a document.
fn is_silent(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line.starts_with("---") || line.starts_with("%YAML")
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    let begins = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    begins && letters.all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

/// `[table]`, `[[tables]]` or `key = …`.
fn is_toml(line: &str) -> bool {
    let table = line.trim_start_matches('[').trim_end_matches(']');
    let is_table = line.starts_with('[') && line.ends_with(']') && is_name(table);
    is_table || line.split_once('=').is_some_and(|(name, _)| is_name(name.trim()))
}

/// `key:`, `key: …` or `- …`.
fn is_yaml(line: &str) -> bool {
    let line = line.trim_start();
    let key = |(name, rest): (&str, &str)| is_name(name) && (rest.is_empty() || rest.starts_with(' '));
    line.starts_with("- ") || line.split_once(':').is_some_and(key)
}

fn toml_names(text: &str) -> Vec<String> {
    let tables = text.lines().filter_map(|line| line.strip_prefix('['));
    let first = |table: &str| {
        table
            .trim_start_matches('[')
            .split(['.', ']'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    tables.map(first).collect()
}

fn yaml_names(text: &str) -> Vec<String> {
    let keys = text
        .lines()
        .filter_map(|line| line.split_once(':').map(|(name, _)| name));
    keys.filter(|name| is_name(name)).map(str::to_owned).collect()
}

fn json_names(text: &str) -> Vec<String> {
    match serde_json::from_str::<Tree>(text) {
        Ok(Tree::Object(members)) => members.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, line: usize, message: &str, hint: &str) {
        let error = named("x", text).unwrap_or_else(|| panic!("{text} is not known"));
        assert_eq!((error.line, error.message.as_str()), (line, message));
        assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{error}");
    }

    #[test]
    fn other_languages_and_products_are_told() {
        check(
            "# ours\nmodel_list:\n  - model_name: gpt\n",
            2,
            "this is YAML, a configuration of LiteLLM, and no experiment",
            "simcap import",
        );
        check(
            "---\nstatic_resources:\n  clusters: []\n",
            2,
            "this is YAML, a configuration of Envoy, and no experiment",
            "simcap import",
        );
        check(
            "_format_version: \"3.0\"\n",
            1,
            "this is YAML, a configuration of Kong, and no experiment",
            "simcap import",
        );
        check("a: 1\n", 1, "this is YAML, and no experiment", "simcap init");
        check(
            "[gateway]\nbind = 1\n",
            1,
            "this is TOML, a configuration of TensorZero, and no experiment",
            "tensorzero",
        );
        check("x = 1\n", 1, "this is TOML, and no experiment", "simcap init");
        check(
            "{\"strategy\": {\"mode\": \"fallback\"}, \"targets\": []}",
            1,
            "this is a configuration of Portkey, and no experiment",
            "simcap import",
        );
    }

    #[test]
    fn json_with_a_mistake_is_json() {
        for text in [
            "{ \"name\": 1 }",
            "[1, 2]",
            "{ name: 1 }",
            "\"a\": 1",
            "// x\n{",
            "",
            "{\"strategy\": 1, \"traffic\": 2}",
            "hello",
        ] {
            assert!(named("x", text).is_none(), "{text}");
        }
    }
}
