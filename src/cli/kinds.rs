//! `simcap kinds`: the manual of everything that a file may name: parts by kind, the fields of an experiment, quantities; and a search.
//!
//! Where a kind may stand, what parameters its parts have and what every field means is read off the JSON Schema, so that what is
//! listed is what is accepted; what a part is and does is its manual page, the header of its source file.

mod find;
mod markdown;
mod page;
mod places;
mod sections;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::policies::columns;
use super::{Done, Exit, Failure, print};
use crate::experiment::file::Experiment;
use crate::experiment::kinds;
use crate::form::diagnose::nearest;
use crate::form::manual::plain;
use crate::form::own::OwnParts;
use crate::report::text::paragraph;
use places::Listed;

/// Arguments of `simcap kinds`.
#[derive(Debug, clap::Args)]
pub(super) struct Kinds {
    /// Show the page of this name: a part (`p2c`), a kind (`breaker`), a field of an experiment (`plan`, `client.timeouts`), a
    /// quantity (`duration`), or `experiment`
    name: Option<String>,
    /// Search names, pages and fields for words
    #[arg(long, value_name = "WORDS", num_args = 1.., conflicts_with_all = ["name", "json", "markdown"])]
    find: Vec<String>,
    /// Print all parts as JSON: kind, places, name, what it is, parameters, example
    #[arg(long, conflicts_with_all = ["name", "markdown"])]
    json: bool,
    /// Write the pages as Markdown into this folder, a file a kind
    #[arg(long, value_name = "FOLDER", conflicts_with = "name")]
    markdown: Option<PathBuf>,
}

impl Kinds {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let schema = schemars::schema_for!(Experiment).to_value();
        let listed = places::listed(&schema);
        let text = match (&self.name, &self.markdown) {
            _ if !self.find.is_empty() => find::find(&self.find.join(" "), &listed, &schema)?,
            (None, Some(folder)) => markdown::write(folder, &listed, &schema)?,
            (None, None) if self.json => as_json(&listed, &schema),
            (None, None) => list(&listed, own),
            (Some(name), _) => page_of(name, &listed, &schema)?,
        };
        print(&text)?;
        Ok(Exit::Fine)
    }
}

/// All that is called `name`: parts and the kind, or else a quantity and fields.
fn page_of(name: &str, listed: &[Listed<'_>], schema: &Value) -> Result<String, Failure> {
    if name == "experiment" {
        return Ok(sections::experiment(schema));
    }
    let mut pages: Vec<String> = listed
        .iter()
        .filter_map(|kind| page::part(kind, name, schema))
        .collect();
    pages.extend(listed.iter().filter(|kind| kind.kind.name == name).map(page::kind));
    if !pages.is_empty() {
        return Ok(pages.join("\n"));
    }
    let common = sections::common(schema);
    pages.extend(
        common
            .iter()
            .find(|common| common.name == name)
            .map(sections::Common::page),
    );
    let sections = sections::all(schema);
    let called = sections::called(name, &sections);
    if let Some((first, others)) = called.split_first() {
        let mut text = first.page(schema);
        if !others.is_empty() {
            let others: Vec<&str> = others.iter().map(|section| section.path.as_str()).collect();
            text += "\n";
            text += &paragraph("Also: ", &others.join(", "), columns());
        }
        pages.push(text);
    }
    if !pages.is_empty() {
        return Ok(pages.join("\n"));
    }
    // What there are several of may be asked for as such: laws, retries.
    let one = name.strip_suffix("ies").map(|stem| format!("{stem}y"));
    let one = one.or_else(|| name.strip_suffix('s').map(str::to_owned));
    one.and_then(|one| page_of(&one, listed, schema).ok())
        .ok_or_else(|| Failure::Input(unknown(name, listed, schema)))
}

fn unknown(name: &str, listed: &[Listed<'_>], schema: &Value) -> String {
    let names = names(listed, schema);
    let hint = nearest(name, names.iter().map(String::as_str));
    let hint = hint.map_or(String::new(), |near| format!("\nhelp: did you mean `{near}`?"));
    format!(
        "nothing is called `{name}`{hint}\nhelp: `simcap kinds` lists all, `simcap kinds --find {name}` searches the pages"
    )
}

/// Every name that has a page.
fn names(listed: &[Listed<'_>], schema: &Value) -> Vec<String> {
    let parts = listed
        .iter()
        .flat_map(|l| l.kind.pages)
        .map(|page| page.name.to_owned());
    let kinds = listed.iter().map(|l| l.kind.name.to_owned());
    let sections = sections::all(schema)
        .into_iter()
        .map(|section| section.name().to_owned());
    let common = sections::common(schema).into_iter().map(|common| common.name);
    parts.chain(kinds).chain(sections).chain(common).collect()
}

fn list(listed: &[Listed<'_>], own: &OwnParts) -> String {
    let columns = columns();
    let names = || listed.iter().flat_map(|l| l.kind.pages);
    let wide = names().map(|page| page.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for kind in listed {
        if !text.is_empty() {
            text += "\n";
        }
        text += &paragraph("", &format!("{}: {}", kind.words(), kind.places().join(", ")), columns);
        for page in kind.kind.pages {
            let title = kinds::page_of(page).title;
            text += &paragraph(&format!("  {:wide$}  ", page.name), &plain(&title), columns);
        }
        let registered = own.names(kind.kind.name);
        if !registered.is_empty() {
            text += &paragraph("  registered in this program: ", &registered.join(", "), columns);
        }
    }
    let more = "`simcap kinds NAME` shows the parameters of one, and also a field of an experiment (`simcap kinds plan`, \
        `client.timeouts`), a quantity (`duration`) and all fields (`experiment`); `simcap kinds --find WORDS` searches.";
    text + "\n" + &paragraph("", more, columns)
}

/// The list for programs.
fn as_json(listed: &[Listed<'_>], schema: &Value) -> String {
    let parts = listed.iter().flat_map(|l| {
        l.kind.pages.iter().map(|page| {
            let manual = kinds::page_of(page);
            let example = manual.example().map(|lines| lines.join("\n"));
            let parameters = l.parameters(page.name, schema).into_iter().map(|field| {
                json!({
                    "path": field.path,
                    "form": field.form,
                    "range": field.range,
                    "required": field.is_required,
                    "default": field.default,
                    "about": field.says,
                })
            });
            json!({
                "kind": l.kind.name,
                "places": l.places(),
                "name": page.name,
                "about": plain(&manual.title),
                "parameters": Value::from_iter(parameters),
                "example": example.and_then(|text| serde_json::from_str::<Value>(&text).ok()),
            })
        })
    });
    format!("{:#}\n", Value::from_iter(parts))
}

#[cfg(test)]
mod tests;
