//! The pages as Markdown, for the handbook: a file for each kind, and one for the fields of an experiment.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::page::{form, says, without_parameters};
use super::places::Listed;
use super::sections;
use crate::cli::Failure;
use crate::experiment::kinds;
use crate::form::manual::fields::{Depth, Field, fields};
use crate::form::manual::{Block, Manual};

/// The width of JSON in the handbook.
const COLUMNS: usize = 100;

/// What heads every file.
const MADE: &str = "<!-- Written by `simcap kinds --markdown`: change the headers and descriptions in the source, not this file. -->\n\n";

/// Writes all files into `folder`, and says so.
///
/// # Errors
/// If one cannot be written.
pub(super) fn write(folder: &Path, listed: &[Listed<'_>], schema: &Value) -> Result<String, Failure> {
    let files = files(listed, schema);
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {shown}"))?;
    for (name, text) in &files {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write {name} in {shown}"))?;
    }
    Ok(format!("Wrote {} files to {shown}.\n", files.len()))
}

/// Each file: its name and its text.
pub(super) fn files(listed: &[Listed<'_>], schema: &Value) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = (listed.iter())
        .map(|kind| (format!("{}.md", kind.kind.name), of_kind(kind, schema)))
        .collect();
    files.push(("experiment.md".to_owned(), of_experiment(schema)));
    files
}

fn of_kind(kind: &Listed<'_>, schema: &Value) -> String {
    let places: Vec<String> = kind.places().iter().map(|place| format!("`{place}`")).collect();
    let mut text = format!(
        "{MADE}# {}\n\nStands in {}.\n",
        capital(&kind.words()),
        places.join(", ")
    );
    for page in kind.kind.pages {
        let manual = kinds::page_of(page);
        if let Some(group) = manual.group {
            text += &format!("\n## {group}\n");
        }
        text += &format!("\n### {}\n\n{}\n", page.name, unlinked(&manual.title));
        text += &blocks(&without_parameters(&manual));
        let parameters = kind.parameters(page.name, schema);
        if !parameters.is_empty() {
            text += "\n";
            text += &table(&parameters, "parameter");
        }
        if let Some(example) = manual.example() {
            text += &format!("\n```json\n{}\n```\n", example.join("\n"));
        }
    }
    text
}

/// What a page says between its title and its example.
fn blocks(page: &Manual) -> String {
    let mut text = String::new();
    let mut item_before = false;
    let mut example = page.example();
    for block in &page.blocks {
        let is_item = matches!(block, Block::Item(_));
        let shown = match block {
            Block::Text(said) => unlinked(said) + "\n",
            Block::Item(said) => format!("- {}\n", unlinked(said)),
            Block::Table(rows) => rows_of(rows),
            // The example stands at the end of the page.
            Block::Code(lines) if example.take_if(|example| *example == lines.as_slice()).is_some() => continue,
            Block::Code(lines) => format!("```text\n{}\n```\n", lines.join("\n")),
        };
        if !(is_item && item_before) {
            text += "\n";
        }
        text += &shown;
        item_before = is_item;
    }
    text
}

fn rows_of(rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&rows[0]);
    text += &format!("|{}\n", "---|".repeat(rows[0].len()));
    text + &rows[1..].iter().map(|row| line(row)).collect::<String>()
}

/// A table of fields.
fn table(fields: &[Field], what: &str) -> String {
    let mut text = format!("| {what} | what stands there | what it means |\n|---|---|---|\n");
    for field in fields {
        let name = match field.path.as_str() {
            "" => "(the value)".to_owned(),
            path => format!("`{path}`"),
        };
        let choices: String = (field.choices.iter())
            .map(|(name, says)| format!("<br>`{name}`: {says}"))
            .collect();
        let cell = |text: &str| text.replace('|', "\\|");
        text += &format!(
            "| {} | {} | {} |\n",
            cell(&name),
            cell(&form(field)),
            cell(&(says(field) + &choices))
        );
    }
    text
}

fn of_experiment(schema: &Value) -> String {
    let mut text = format!(
        "{MADE}# Fields of an experiment\n\nThe examples are pieces of one experiment that uses every field.\n\n{}",
        table(&fields(schema, schema, Depth::Own), "field")
    );
    for common in sections::common(schema) {
        text += &format!("\n## {}\n\n{}\n", common.name, common.says);
        if !common.names().is_empty() {
            text += "\n| name | what it means |\n|---|---|\n";
            let row = |(name, says): &(String, String)| format!("| `{name}` | {} |\n", says.replace('|', "\\|"));
            text += &common.names().iter().map(row).collect::<String>();
        }
    }
    for section in sections::all(schema) {
        let inside: Vec<Field> = section.fields(schema);
        if inside.is_empty() {
            continue;
        }
        text += &format!("\n## {}\n\n{}\n\n", section.shown, section.says(schema));
        text += &table(&inside, "field");
        if let Some(example) = section.example(COLUMNS) {
            text += &format!("\n```json\n{example}\n```\n");
        }
    }
    text
}

/// `text` with links to the code's own documentation as plain names.
fn unlinked(text: &str) -> String {
    text.replace("[`", "`").replace("`]", "`")
}

fn capital(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
