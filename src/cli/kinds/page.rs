//! The pages of parts and of kinds, as they are printed.

use serde_json::Value;

use super::columns;
use super::places::Listed;
use crate::cli::policies::body;
use crate::experiment::kinds::{self, PartKind};
use crate::form::manual::fields::Field;
use crate::form::manual::{Block, Manual, plain};
use crate::report::text::paragraph;

/// The most characters of a default that stands behind the form; a longer one stands below.
const SHORT_DEFAULT: usize = 40;

/// The page of the part of `kind` called `name`, if there is one.
pub(super) fn part(kind: &Listed<'_>, name: &str, schema: &Value) -> Option<String> {
    let columns = columns();
    let manual = kinds::page_of(kind.kind.pages.iter().find(|page| page.name == name)?);
    let heading = format!("{name} ({}): {}", kind.words(), plain(&manual.title));
    let mut text = paragraph("", &heading, columns);
    text += &paragraph("  in ", &kind.places().join(", "), columns);
    text += &body(&without_parameters(&manual), columns);
    text += "\nParameters:\n";
    text += &fields(&kind.parameters(name, schema), columns);
    if let Some(example) = manual.example() {
        text += "\nExample:\n";
        text += &example.iter().map(|line| format!("  {line}\n")).collect::<String>();
    }
    Some(text)
}

/// The page without its table of parameters: they follow from the schema, which says more of each.
pub(super) fn without_parameters(page: &Manual) -> Manual {
    let mut page = page.clone();
    page.blocks
        .retain(|block| !matches!(block, Block::Table(rows) if rows[0][0] == "parameter"));
    page
}

/// The page of a kind: where its parts stand, and what they are.
pub(super) fn kind(kind: &Listed<'_>) -> String {
    let columns = columns();
    let mut text = paragraph(
        "",
        &format!("{} (kind): {}", kind.words(), kind.places().join(", ")),
        columns,
    );
    text += &names(&kind.kind, columns);
    text + "\n`simcap kinds NAME` shows one.\n"
}

/// The parts of a kind, each in a line.
pub(super) fn names(kind: &PartKind, columns: usize) -> String {
    let wide = kind.pages.iter().map(|page| page.name.len()).max().unwrap_or(0);
    let line = |page| {
        let manual = kinds::page_of(page);
        paragraph(&format!("  {:wide$}  ", manual.name), &plain(&manual.title), columns)
    };
    kind.pages.iter().map(line).collect()
}

/// What stands in a field: its form, its range, and what holds without it.
pub(super) fn form(field: &Field) -> String {
    let mut text = field.form.clone();
    if let Some(range) = &field.range {
        text += &format!(", {range}");
    }
    if field.is_required {
        text += "; required";
    } else if let Some(default) = short_default(field) {
        text += &format!("; default: {default}");
    }
    text
}

fn short_default(field: &Field) -> Option<&str> {
    let default = field.default.as_deref();
    default.filter(|default| default.chars().count() <= SHORT_DEFAULT)
}

/// What a field means, with a default that is too long to stand behind its form.
pub(super) fn says(field: &Field) -> String {
    match &field.default {
        Some(default) if !field.is_required && short_default(field).is_none() => {
            format!("{} Default: {default}.", field.says).trim_start().to_owned()
        }
        _ => field.says.clone(),
    }
}

/// Each field with its form and what it means.
pub(super) fn fields(fields: &[Field], columns: usize) -> String {
    if fields.is_empty() {
        return "  none\n".to_owned();
    }
    let mut text = String::new();
    for field in fields {
        let name = match field.path.as_str() {
            "" => String::new(),
            path => format!("{path}: "),
        };
        text += &paragraph(&format!("  {name}"), &plain(&form(field)), columns);
        let says = says(field);
        if !says.is_empty() {
            text += &paragraph("      ", &plain(&says), columns);
        }
        text += &choices(field, "      ", columns);
    }
    text
}

/// The names to choose from, each with what it means.
pub(super) fn choices(field: &Field, indent: &str, columns: usize) -> String {
    let one = |(name, says): &(String, String)| paragraph(&format!("{indent}- {name}: "), &plain(says), columns);
    field.choices.iter().map(one).collect()
}
