//! `simcap kinds`: every kind of mechanism by the name that a file gives it, and the page of one.
//!
//! Where a kind may stand and what parameters its parts have is read off the JSON Schema, so that what is listed is what is
//! accepted; what a part is and does is its manual page, the header of its source file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::policies::{body, columns};
use super::{Done, Exit, Failure, print};
use crate::experiment::file::Experiment;
use crate::experiment::kinds::{self, PartKind};
use crate::form::diagnose::nearest;
use crate::form::manual::{Block, plain};
use crate::form::own::OwnParts;
use crate::form::registry::KIND_KEYWORD;
use crate::report::text::paragraph;

/// Arguments of `simcap kinds`.
#[derive(Debug, clap::Args)]
pub(super) struct Kinds {
    /// Show the page and the parameters of the kind of this name
    name: Option<String>,
    /// Print all as JSON: kind, places, name, what it is, example
    #[arg(long, conflicts_with = "name")]
    json: bool,
}

/// A kind of part, with what the schema says of it.
#[derive(Debug)]
struct Listed<'a> {
    kind: PartKind,
    /// Where one may stand in an experiment.
    places: BTreeSet<String>,
    /// The definition of the kind in the schema.
    definition: &'a Value,
}

impl Kinds {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let schema = schemars::schema_for!(Experiment).to_value();
        let listed = listed(&schema);
        let text = match &self.name {
            None if self.json => as_json(&listed),
            None => list(&listed, own),
            Some(name) => {
                let pages = listed.iter().filter_map(|kind| kind.page(name, &schema));
                let pages: Vec<String> = pages.collect();
                if pages.is_empty() {
                    return Err(Failure::Input(unknown(name, &listed)));
                }
                pages.join("\n")
            }
        };
        print(&text)?;
        Ok(Exit::Fine)
    }
}

fn unknown(name: &str, listed: &[Listed<'_>]) -> String {
    let names = listed.iter().flat_map(|l| l.kind.pages).map(|page| page.name);
    let hint = nearest(name, names);
    let hint = hint.map_or(String::new(), |near| format!("\nhelp: did you mean `{near}`?"));
    format!("there is no kind `{name}`{hint}\nhelp: `simcap kinds` lists all")
}

/// Every kind with its places: those outside other parts, or, if there are none, those inside other parts.
fn listed(schema: &Value) -> Vec<Listed<'_>> {
    let mut found = Found::default();
    found.walk(schema, schema, "", &mut Vec::new());
    let all = kinds::all().into_iter().filter_map(|kind| {
        let (definition, places) = found.0.remove(kind.name)?;
        Some(Listed {
            kind,
            places,
            definition,
        })
    });
    all.collect()
}

/// The definitions and places of kinds, by their names.
#[derive(Default)]
struct Found<'a>(BTreeMap<&'a str, (&'a Value, BTreeSet<String>)>);

impl<'a> Found<'a> {
    /// Goes through `value`, which stands at `place` in a file, down to parts and not into them. `through` are the references
    /// on the way.
    fn walk(&mut self, value: &'a Value, schema: &'a Value, place: &str, through: &mut Vec<&'a str>) {
        if let Some(kind) = value[KIND_KEYWORD].as_str() {
            let entry = self.0.entry(kind).or_insert((value, BTreeSet::new()));
            entry.1.insert(place.trim_start_matches('.').to_owned());
            return;
        }
        if let Some(reference) = value["$ref"].as_str()
            && !through.contains(&reference)
            && let Some(target) = reference.strip_prefix('#').and_then(|at| schema.pointer(at))
        {
            through.push(reference);
            self.walk(target, schema, place, through);
            through.pop();
        }
        for (name, field) in value["properties"].as_object().into_iter().flatten() {
            self.walk(field, schema, &format!("{place}.{name}"), through);
        }
        self.walk_each(&value["additionalProperties"], schema, &format!("{place}.*"), through);
        self.walk_each(&value["items"], schema, &format!("{place}[]"), through);
        for forms in ["oneOf", "anyOf", "allOf", "prefixItems"] {
            for form in value[forms].as_array().into_iter().flatten() {
                self.walk(form, schema, place, through);
            }
        }
    }

    fn walk_each(&mut self, value: &'a Value, schema: &'a Value, place: &str, through: &mut Vec<&'a str>) {
        if value.is_object() {
            self.walk(value, schema, place, through);
        }
    }
}

/// What a reference leads to, over as many references as there are.
fn target<'a>(mut value: &'a Value, schema: &'a Value) -> &'a Value {
    while let Some(next) = (value["$ref"].as_str())
        .and_then(|reference| reference.strip_prefix('#'))
        .and_then(|at| schema.pointer(at))
    {
        value = next;
    }
    value
}

impl Listed<'_> {
    /// The kind in words.
    fn words(&self) -> String {
        self.kind.name.replace('_', " ")
    }

    fn places(&self) -> String {
        let places: Vec<&str> = self.places.iter().map(String::as_str).collect();
        places.join(", ")
    }

    /// The page of the part called `name`, if there is one.
    fn page(&self, name: &str, schema: &Value) -> Option<String> {
        let columns = columns();
        let page = self.kind.pages.iter().find(|page| page.name == name)?;
        let mut manual = kinds::page_of(page);
        let heading = format!("{name} ({}): {}", self.words(), plain(&manual.title));
        let mut text = paragraph("", &heading, columns);
        text += &paragraph("  in ", &self.places(), columns);
        // Its parameters follow from the schema, which says more of each.
        manual
            .blocks
            .retain(|block| !matches!(block, Block::Table(rows) if rows[0][0] == "parameter"));
        text += &body(&manual, columns);
        text += "\nParameters:\n";
        text += &parameters(self.parameters(name, schema), schema, columns);
        if let Some(example) = manual.example() {
            text += "\nExample:\n";
            text += &example.iter().map(|line| format!("  {line}\n")).collect::<String>();
        }
        Some(text)
    }

    /// The schema of the parameters of a part.
    fn parameters<'s>(&'s self, name: &str, schema: &'s Value) -> &'s Value {
        let forms = self.definition["oneOf"].as_array();
        let mut forms = forms.into_iter().flatten();
        let form = forms.find_map(|form| form["properties"].get(name));
        form.map_or(&Value::Null, |form| target(form, schema))
    }
}

/// Each parameter of `schema`'s definition `of` with what it means.
fn parameters(of: &Value, schema: &Value, columns: usize) -> String {
    let required: Vec<&str> = (of["required"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let fields = of["properties"].as_object().filter(|fields| !fields.is_empty());
    let Some(fields) = fields else {
        let none = of["type"] == "object";
        let forms = of["oneOf"].is_array() || of["anyOf"].is_array();
        return match (none, forms) {
            (true, _) => "  none\n".to_owned(),
            (_, true) => "  a form of its own: see `simcap schema`\n".to_owned(),
            _ => {
                let says = of["description"].as_str().unwrap_or("one value");
                paragraph("  a value in its place: ", &line(says), columns)
            }
        };
    };
    let mut text = String::new();
    for (name, field) in fields {
        let says = field["description"].as_str();
        let says = says.or_else(|| target(field, schema)["description"].as_str());
        let needed = if required.contains(&name.as_str()) {
            " (required)"
        } else {
            ""
        };
        text += &format!("  {name}{needed}\n");
        text += &paragraph("      ", &line(says.unwrap_or_default()), columns);
    }
    text
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
        text += &paragraph("", &format!("{}: {}", kind.words(), kind.places()), columns);
        for page in kind.kind.pages {
            let title = kinds::page_of(page).title;
            text += &paragraph(&format!("  {:wide$}  ", page.name), &plain(&title), columns);
        }
        let registered = own.names(kind.kind.name);
        if !registered.is_empty() {
            text += &paragraph("  registered in this program: ", &registered.join(", "), columns);
        }
    }
    text + "\n`simcap kinds NAME` shows the parameters of one.\n"
}

/// The list for programs.
fn as_json(listed: &[Listed<'_>]) -> String {
    let parts = listed.iter().flat_map(|l| {
        l.kind.pages.iter().map(|page| {
            let manual = kinds::page_of(page);
            let example = manual.example().map(|lines| lines.join("\n"));
            json!({
                "kind": l.kind.name,
                "places": l.places,
                "name": page.name,
                "about": plain(&manual.title),
                "example": example.and_then(|text| serde_json::from_str::<Value>(&text).ok()),
            })
        })
    });
    format!("{:#}\n", Value::from_iter(parts))
}

/// A description in one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
