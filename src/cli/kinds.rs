//! `simcap kinds`: every kind of mechanism by the name that a file gives it, and the parameters of one.
//!
//! Read off the JSON Schema, so that what is listed is what is accepted.

use serde_json::Value;

use super::{Done, Exit, Failure, print};
use crate::experiment::file::Experiment;
use crate::form::diagnose::nearest;

/// The kinds by where they stand in a file: the definition in the schema, and the field.
const PLACES: [(&str, &str); 13] = [
    ("ArrivalsSpec", "traffic.arrivals"),
    ("LoadSpec", "providers.*.load[]"),
    ("CacheSpec", "providers.*.prompt_cache"),
    ("LimitSpec", "providers.*.limits[], accounts.*.limits[]"),
    ("FaultSpec", "providers.*.faults[]"),
    ("PriceSpec", "providers.*.prices"),
    ("AdmissionSpec", "client.admission"),
    ("LimiterSpec", "client.limiters[]"),
    ("BreakerSpec", "client.breaker"),
    ("RetrySpec", "client.retry"),
    ("RetryBudgetSpec", "client.retry_budget"),
    ("HedgeSpec", "client.hedge"),
    ("PolicySpec", "policies[].policy"),
];

/// Arguments of `simcap kinds`.
#[derive(Debug, clap::Args)]
pub(super) struct Kinds {
    /// Show the parameters of the kind of this name
    name: Option<String>,
}

/// One kind.
#[derive(Debug)]
struct Kind<'a> {
    place: &'static str,
    name: &'a str,
    says: &'a str,
    /// The schema of its parameters.
    parameters: Option<&'a Value>,
}

impl Kinds {
    pub(super) fn run(self) -> Done {
        let schema = schemars::schema_for!(Experiment).to_value();
        let kinds = all(&schema);
        let text = match &self.name {
            None => list(&kinds),
            Some(name) => {
                let named: Vec<&Kind<'_>> = kinds.iter().filter(|k| k.name == name).collect();
                if named.is_empty() {
                    return Err(Failure::Input(unknown(name, &kinds)));
                }
                named.iter().map(|kind| page(kind, &schema)).collect()
            }
        };
        print(&text)?;
        Ok(Exit::Fine)
    }
}

fn unknown(name: &str, kinds: &[Kind<'_>]) -> String {
    let hint = nearest(name, kinds.iter().map(|k| k.name));
    let hint = hint.map_or(String::new(), |near| format!("\nhelp: did you mean `{near}`?"));
    format!("there is no kind `{name}`{hint}\nhelp: `simcap kinds` lists all")
}

fn all(schema: &Value) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for (definition, place) in PLACES {
        let forms = schema["$defs"][definition]["oneOf"].as_array();
        // The object form of each: the bare name, where it may stand alone, says the same.
        for form in forms.into_iter().flatten() {
            let Some((name, parameters)) = form["properties"].as_object().and_then(|p| p.iter().next()) else {
                continue;
            };
            kinds.push(Kind {
                place,
                name,
                says: form["description"].as_str().unwrap_or_default(),
                parameters: target(parameters, schema),
            });
        }
    }
    kinds
}

/// What a reference leads to.
fn target<'a>(value: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    match value["$ref"].as_str() {
        Some(reference) => schema.pointer(reference.strip_prefix('#')?),
        None => Some(value),
    }
}

fn list(kinds: &[Kind<'_>]) -> String {
    let wide = kinds.iter().map(|k| k.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut place = "";
    for kind in kinds {
        if kind.place != place {
            place = kind.place;
            text += &format!("{}{place}\n", if text.is_empty() { "" } else { "\n" });
        }
        text += &format!("  {:wide$}  {}\n", kind.name, line(kind.says));
    }
    text + "\n`simcap kinds NAME` shows the parameters of one.\n"
}

fn page(kind: &Kind<'_>, schema: &Value) -> String {
    let mut text = format!("{}  ({})\n{}\n", kind.name, kind.place, line(kind.says));
    let Some(parameters) = kind.parameters else { return text };
    let required: Vec<&str> = (parameters["required"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let fields = parameters["properties"].as_object();
    for (name, field) in fields.into_iter().flatten() {
        let own = field["description"].as_str();
        let says = own.or_else(|| target(field, schema)?["description"].as_str());
        let needed = if required.contains(&name.as_str()) {
            " (required)"
        } else {
            ""
        };
        text += &format!("  {name}{needed}\n      {}\n", line(says.unwrap_or_default()));
    }
    if fields.is_none_or(serde_json::Map::is_empty) {
        let form = if parameters["oneOf"].is_array() || parameters["anyOf"].is_array() {
            format!(
                "  a form of its own: see `simcap policies {}`, and `simcap schema`\n",
                kind.name
            )
        } else {
            "  no parameters\n".to_owned()
        };
        text += &form;
    }
    text + "\n"
}

/// A description in one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
