//! The fields of an experiment by their paths, and the quantities that stand in them: what `simcap kinds plan`, `client.timeouts` or
//! `duration` show.
//!
//! All of it is read off the JSON Schema. The examples come from one experiment that uses every field there is, `example.json`; it is
//! a test that it does, and that it passes every check.

use crate::stats::sorting;
use serde_json::Value;

use super::columns;
use super::page;
use crate::experiment::kinds;
use crate::form::diagnose;
use crate::form::manual::fields::{self, Depth, Field, fields, kind_at, line, said};
use crate::form::manual::plain;
use crate::form::manual::pretty::pretty;
use crate::form::tree::Tree;
use crate::report::text::paragraph;

/// An experiment that uses every field.
pub(super) const EXAMPLE: &str = include_str!("example.json");

/// A field of an experiment.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// The path with names and elements left out: `providers.limits`.
    pub(super) path: String,
    /// The path as it is told: `providers.*.limits`.
    pub(super) shown: String,
    site: &'a Value,
}

/// Every field of an experiment, each before those in it.
pub(super) fn all(schema: &Value) -> Vec<Section<'_>> {
    let mut found = Vec::new();
    below(schema, "", "", schema, &mut found);
    found
}

fn below<'a>(site: &'a Value, path: &str, shown: &str, schema: &'a Value, found: &mut Vec<Section<'a>>) {
    let (way, names) = fields::steps(site, schema);
    for name in names {
        let Some(site) = fields::step(site, name, schema) else {
            continue;
        };
        let dot = if path.is_empty() { "" } else { "." };
        let (path, shown) = (format!("{path}{dot}{name}"), format!("{shown}{way}{dot}{name}"));
        found.push(Section {
            path: path.clone(),
            shown: shown.clone(),
            site,
        });
        below(site, &path, &shown, schema, found);
    }
}

/// The fields that `name` means: the one of this path, or else all whose paths end so, those least deep first.
pub(super) fn called<'s, 'a>(name: &str, all: &'s [Section<'a>]) -> Vec<&'s Section<'a>> {
    let name = name.replace("[]", "").replace(".*", "");
    if let Some(exactly) = all.iter().find(|section| section.path == name) {
        return vec![exactly];
    }
    let ends = format!(".{name}");
    let mut found: Vec<&Section<'_>> = all.iter().filter(|section| section.path.ends_with(&ends)).collect();
    sorting::by_key(&mut found, |section| section.path.matches('.').count());
    found
}

impl Section<'_> {
    /// What the field means.
    pub(super) fn says(&self, schema: &Value) -> String {
        plain(&said(self.site, schema))
    }

    /// The name of the field.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// The field and what stands in it.
    pub(super) fn page(&self, schema: &Value) -> String {
        let columns = columns();
        let told = fields(self.site, schema, Depth::Own);
        let mut text = paragraph(
            "",
            &format!("{} (field of an experiment): {}", self.shown, self.says(schema)),
            columns,
        );
        let inside = match told.split_first() {
            Some((own, rest)) if own.path.is_empty() => {
                text += &paragraph("  ", &plain(&page::form(own)), columns);
                text += &page::choices(own, "  ", columns);
                rest
            }
            _ => &told[..],
        };
        if !inside.is_empty() {
            text += "\nFields:\n";
            text += &page::fields(inside, columns);
        }
        if let Some(kind) = kind_at(self.site, schema)
            && let Some(kind) = kinds::all().into_iter().find(|known| known.name == kind)
        {
            text += "\nOne of:\n";
            text += &page::names(&kind, columns);
        }
        if let Some(example) = self.example(columns.saturating_sub(2)) {
            text += "\nExample:\n";
            text += &example.lines().map(|line| format!("  {line}\n")).collect::<String>();
        }
        text
    }

    /// The fields in it, or in each of its elements.
    pub(super) fn fields(&self, schema: &Value) -> Vec<Field> {
        let told = fields(self.site, schema, Depth::Own);
        told.into_iter().filter(|field| !field.path.is_empty()).collect()
    }

    /// The field as the example has it, with its name.
    pub(super) fn example(&self, columns: usize) -> Option<String> {
        let tree: Tree = diagnose::parse("example.json", EXAMPLE).ok()?;
        let steps: Vec<&str> = self.path.split('.').collect();
        let value = reached(&tree, &steps)?;
        let name = format!("\"{}\": ", self.name());
        Some(format!("{name}{}", pretty(value, name.len(), 0, columns)))
    }
}

/// What `path` leads to from `tree`, over the first of several named values or elements that have it.
fn reached<'t>(tree: &'t Tree, path: &[&str]) -> Option<&'t Tree> {
    let Some((name, rest)) = path.split_first() else {
        return Some(tree);
    };
    match tree {
        Tree::Object(members) => {
            let named = members.iter().find(|(key, _)| key == name);
            (named.and_then(|(_, value)| reached(value, rest)))
                .or_else(|| members.iter().find_map(|(_, value)| reached_here(value, path)))
        }
        Tree::List(items) => items.iter().find_map(|item| reached(item, path)),
        _ => None,
    }
}

/// What `path` leads to from one of several named values, which must have the first step itself.
fn reached_here<'t>(tree: &'t Tree, path: &[&str]) -> Option<&'t Tree> {
    let Tree::Object(members) = tree else { return None };
    let (name, rest) = path.split_first()?;
    let (_, value) = members.iter().find(|(key, _)| key == name)?;
    reached(value, rest)
}

/// The experiment as a whole.
pub(super) fn experiment(schema: &Value) -> String {
    let columns = columns();
    let mut text = paragraph("", &format!("experiment: {}", plain(&said(schema, schema))), columns);
    text += "\nFields:\n";
    text += &page::fields(&fields(schema, schema, Depth::Own), columns);
    text + "\n`simcap kinds FIELD` goes into one: `simcap kinds client`, `simcap kinds plan.windows`.\n"
}

/// What may stand in many fields: a quantity with examples, or one of many names.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) name: String,
    pub(super) says: String,
    examples: Vec<String>,
    names: Vec<(String, String)>,
}

/// The quantities, and the long lists of names.
pub(super) fn common(schema: &Value) -> Vec<Common> {
    let defined = schema["$defs"].as_object().into_iter().flatten();
    let common = defined.filter_map(|(name, of)| {
        let examples = of["examples"].as_array().filter(|_| of["properties"].is_null());
        let names = fields::is_long(of).then(|| fields::listed(of));
        (examples.is_some() || names.is_some()).then(|| Common {
            name: fields::snake(name),
            says: plain(&line(of["description"].as_str().unwrap_or_default())),
            examples: examples.into_iter().flatten().map(Value::to_string).collect(),
            names: names.unwrap_or_default(),
        })
    });
    common.collect()
}

impl Common {
    pub(super) fn page(&self) -> String {
        let columns = columns();
        let what = if self.names.is_empty() { "quantity" } else { "name" };
        let mut text = paragraph("", &format!("{} ({what}): {}", self.name, self.says), columns);
        if !self.examples.is_empty() {
            text += "\nExamples:\n";
            text += &self
                .examples
                .iter()
                .map(|example| format!("  {example}\n"))
                .collect::<String>();
        }
        if !self.names.is_empty() {
            text += "\nOne of:\n";
            let wide = self.names.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            let line = |(name, says): &(String, String)| paragraph(&format!("  {name:wide$}  "), &plain(says), columns);
            text += &self.names.iter().map(line).collect::<String>();
        }
        text
    }

    /// The names and what each means.
    pub(super) fn names(&self) -> &[(String, String)] {
        &self.names
    }
}
