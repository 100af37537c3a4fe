//! What a JSON Schema says of the fields of a value, in words: the form of each, its range and default, and what it means.
//!
//! The schema is the one that `simcap schema` prints, made from the types that read files: so nothing is said here that is not
//! accepted. References are followed, `null` beside another form is left out, and fields of objects inside are told by their paths:
//! `.*` for each name of an object of names, `[]` for each element of a list. A part of some kind is not gone into: it has a page.
//! What was told of an object once is not told again on the same page.
//! A default is the sentence `Default: …` of a field's description, which says it as a person would; where there is none, the
//! schema's own.

mod bounds;

use serde_json::Value;

use crate::form::registry::KIND_KEYWORD;
use bounds::{default, range, without_default};

/// A field of a value, or the value itself, whose path is then empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The path from the value that holds it: `timeouts.ttft`, `tries_by[].on`.
    pub path: String,
    /// Whether it may not be left out.
    pub is_required: bool,
    /// What stands there: `a duration like "250ms"`.
    pub form: String,
    /// The bounds of a number, or of how many values.
    pub range: Option<String>,
    /// What holds if it is left out.
    pub default: Option<String>,
    /// What it means, in one line.
    pub says: String,
    /// The names of which it is one, each with what it means.
    pub choices: Vec<(String, String)>,
}

/// How far the fields of objects inside are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Those of the value alone, or of each element or named value in it.
    Own,
    /// All but those of parts, which have pages.
    All,
}

/// The most steps from one schema to another, so that one that leads to itself ends.
const MOST_STEPS: usize = 16;

/// What a value may be.
#[derive(Debug)]
enum Shape<'a> {
    Kind(&'a str),
    Quantity(&'a str, Option<&'a Value>),
    Choices(Vec<(&'a str, &'a str)>),
    /// Parts without a kind of their own: the name, what it is, and its parameters.
    Variants(Vec<(&'a str, &'a str, &'a Value)>),
    Object(&'a Value),
    Names(&'a Value),
    List(&'a Value),
    /// A list of so many values, each of its own form.
    Row(&'a [Value]),
    Plain(&'static str),
    Either(Vec<&'a Value>),
    /// One of more names than a line has room for: what is said of them, and the definition that lists them.
    Long(&'a str, &'a str),
    Said(&'a str),
}

/// The most names that are told where one of them stands; those of a longer list are on a page of their own.
const MOST_NAMES: usize = 16;

/// The value of `schema`'s definition `of`, field by field; of one that is not an object, one field with an empty path.
pub fn fields<'a>(of: &'a Value, schema: &'a Value, depth: Depth) -> Vec<Field> {
    let mut reading = Reading {
        schema,
        depth,
        through: vec!["#"],
        told: Vec::new(),
        found: Vec::new(),
    };
    match shape(of, schema) {
        Shape::Object(_) => reading.inside(of, "", 0),
        _ => reading.field(of, "", false, 0),
    }
    reading.found
}

/// The schema `site`, then those that it leads to, up to what says what stands there.
fn chain<'a>(site: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut chain = vec![site];
    while chain.len() < MOST_STEPS {
        let last = chain[chain.len() - 1];
        let next = (last["$ref"].as_str())
            .and_then(|reference| schema.pointer(reference.strip_prefix('#')?))
            .or_else(|| only_form(last));
        let Some(next) = next else { break };
        chain.push(next);
    }
    chain
}

/// The one form beside `null`, if there is one.
fn only_form(value: &Value) -> Option<&Value> {
    let forms = value["anyOf"].as_array().or_else(|| value["oneOf"].as_array())?;
    let mut forms = forms.iter().filter(|form| form["type"] != "null");
    let first = forms.next()?;
    // Of a lone object form the name is what counts.
    (forms.next().is_none() && value.get(KIND_KEYWORD).is_none()).then_some(first)
}

/// The kind of the parts that stand at `site`, or each in the list there, if it is one.
pub fn kind_at<'a>(site: &'a Value, schema: &'a Value) -> Option<&'a str> {
    match shape(site, schema) {
        Shape::Kind(kind) => Some(kind),
        Shape::List(inner) | Shape::Names(inner) => kind_at(inner, schema),
        Shape::Either(forms) => forms.into_iter().find_map(|form| match shape(form, schema) {
            Shape::Kind(kind) => Some(kind),
            _ => None,
        }),
        _ => None,
    }
}

/// The schema of the field that `name` leads to from `site`, over lists and objects of names.
pub fn step<'a>(site: &'a Value, name: &str, schema: &'a Value) -> Option<&'a Value> {
    match shape(site, schema) {
        Shape::Object(object) => object["properties"].get(name),
        Shape::List(inner) | Shape::Names(inner) => step(inner, name, schema),
        Shape::Either(forms) => forms.into_iter().find_map(|form| step(form, name, schema)),
        _ => None,
    }
}

/// The names of the fields behind `site`, over lists and objects of names, and how they are reached: `.*.`, `[].` or `.`.
pub fn steps<'a>(site: &'a Value, schema: &'a Value) -> (String, Vec<&'a str>) {
    match shape(site, schema) {
        Shape::Object(object) => {
            let names = object["properties"].as_object().into_iter().flatten();
            (String::new(), names.map(|(name, _)| name.as_str()).collect())
        }
        Shape::List(inner) => {
            let (way, names) = steps(inner, schema);
            (format!("[]{way}"), names)
        }
        Shape::Names(inner) => {
            let (way, names) = steps(inner, schema);
            (format!(".*{way}"), names)
        }
        _ => (String::new(), Vec::new()),
    }
}

/// What is said at `site`, or else where it leads, in one line.
pub fn said(site: &Value, schema: &Value) -> String {
    let said = chain(site, schema)
        .into_iter()
        .find_map(|value| value["description"].as_str());
    line(said.unwrap_or_default())
}

fn shape<'a>(site: &'a Value, schema: &'a Value) -> Shape<'a> {
    let chain = chain(site, schema);
    let last = chain[chain.len() - 1];
    if let Some(kind) = last[KIND_KEYWORD].as_str() {
        return Shape::Kind(kind);
    }
    let description = last["description"].as_str().unwrap_or_default();
    if last["properties"].is_null()
        && let (Some(examples), Some((head, _))) = (last["examples"].as_array(), description.split_once(": "))
    {
        return Shape::Quantity(head, examples.first());
    }
    if let Some(names) = last["enum"].as_array() {
        return Shape::Choices(names.iter().filter_map(|name| Some((name.as_str()?, ""))).collect());
    }
    let forms = last["oneOf"].as_array().or_else(|| last["anyOf"].as_array());
    if let Some(forms) = forms.filter(|_| last["properties"].is_null()) {
        let name = chain
            .iter()
            .rev()
            .find_map(|value| value["$ref"].as_str()?.rsplit('/').next());
        return match name.filter(|_| is_long(last)) {
            Some(name) => Shape::Long(description, name),
            None => of_forms(forms),
        };
    }
    if last["properties"].is_object() {
        return Shape::Object(last);
    }
    let types: Vec<&str> = match &last["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several
            .iter()
            .filter_map(Value::as_str)
            .filter(|t| *t != "null")
            .collect(),
        _ => Vec::new(),
    };
    match types[..] {
        ["object"] if last["additionalProperties"].is_object() => Shape::Names(&last["additionalProperties"]),
        ["object"] if last["additionalProperties"] == false => Shape::Object(last),
        ["array"] if last["prefixItems"].is_array() => {
            Shape::Row(last["prefixItems"].as_array().map_or(&[], Vec::as_slice))
        }
        ["array"] if last["items"].is_object() => Shape::List(&last["items"]),
        ["boolean"] => Shape::Plain("true or false"),
        ["integer"] => Shape::Plain("a whole number"),
        ["number"] => Shape::Plain("a number"),
        ["string"] => Shape::Plain("text"),
        _ if !description.is_empty() => Shape::Said(description),
        _ => Shape::Plain("any JSON value"),
    }
}

/// Whether `definition` lists so many names that they have a page of their own.
pub fn is_long(definition: &Value) -> bool {
    let forms = definition["oneOf"].as_array();
    let names = forms.into_iter().flatten().filter(|form| form["const"].is_string());
    definition.get(KIND_KEYWORD).is_none() && names.count() > MOST_NAMES
}

/// The names that `definition` lists, each with what it means.
pub fn listed(definition: &Value) -> Vec<(String, String)> {
    let forms = definition["oneOf"].as_array().into_iter().flatten();
    let name = |form: &Value| Some((form["const"].as_str()?.to_owned(), line(form["description"].as_str()?)));
    forms.filter_map(name).collect()
}

/// The name of a definition as it is asked for: `TokenPrice` as `token_price`.
pub fn snake(name: &str) -> String {
    let mut text = String::new();
    for (i, letter) in name.trim_end_matches(|c: char| c.is_ascii_digit()).chars().enumerate() {
        if letter.is_uppercase() && i > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// What one of several forms may be.
fn of_forms(forms: &[Value]) -> Shape<'_> {
    let constant = |form: &'_ Value| form["const"].is_string();
    if forms.iter().all(constant) {
        let choices = forms.iter().filter_map(|form| {
            Some((
                form["const"].as_str()?,
                form["description"].as_str().unwrap_or_default(),
            ))
        });
        return Shape::Choices(choices.collect());
    }
    let lone = |form: &'_ Value| {
        form["properties"].as_object().is_some_and(|fields| fields.len() == 1) && form["required"].is_array()
    };
    if forms.iter().all(|form| constant(form) || lone(form)) {
        let variants = forms.iter().filter_map(|form| {
            let (name, parameters) = form["properties"].as_object()?.iter().next()?;
            Some((
                name.as_str(),
                form["description"].as_str().unwrap_or_default(),
                parameters,
            ))
        });
        return Shape::Variants(variants.collect());
    }
    Shape::Either(forms.iter().filter(|form| form["type"] != "null").collect())
}

/// What a shape is, in words that follow a name.
fn words(site: &Value, schema: &Value, left: usize) -> String {
    if left == 0 {
        return "a value".to_owned();
    }
    let inner = |site: &Value| words(site, schema, left - 1);
    match shape(site, schema) {
        Shape::Kind(kind) => with_article(&kind.replace('_', " ")),
        Shape::Quantity(head, example) => {
            let mut head = head.to_owned();
            if let Some(first) = head.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            example.map_or(head.clone(), |example| format!("{head} like {example}"))
        }
        Shape::Choices(names) => one_of(names.iter().map(|(name, _)| *name)),
        Shape::Variants(names) => one_of(names.iter().map(|(name, ..)| *name)),
        Shape::Object(_) => "an object".to_owned(),
        Shape::Names(each) => format!("an object of names, each with {}", inner(each)),
        Shape::List(each) => format!("a list, each {}", inner(each)),
        Shape::Row(each) => format!("[{}]", each.iter().map(inner).collect::<Vec<_>>().join(", ")),
        Shape::Plain(words) => words.to_owned(),
        Shape::Either(forms) => {
            let mut said: Vec<String> = Vec::new();
            for form in forms {
                let words = inner(form);
                if !said.contains(&words) {
                    said.push(words);
                }
            }
            said.join(", or ")
        }
        Shape::Long(said, name) => format!("{} (`simcap kinds {}`)", clause(said), snake(name)),
        Shape::Said(said) => clause(said),
    }
}

/// A sentence as a part of another one.
fn clause(said: &str) -> String {
    let mut said = line(said).trim_end_matches('.').to_owned();
    if let Some(first) = said.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    said
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    match noun {
        "arrivals" => "an arrival process".to_owned(),
        _ => format!("{article} {noun}"),
    }
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.dedup();
    match &names[..] {
        [only] => only.clone(),
        names => format!("one of {}", names.join(", ")),
    }
}

struct Reading<'a> {
    schema: &'a Value,
    depth: Depth,
    /// The references that the present value was reached through.
    through: Vec<&'a str>,
    /// The references whose fields have been told, and the paths where.
    told: Vec<(&'a str, String)>,
    found: Vec<Field>,
}

impl<'a> Reading<'a> {
    /// Takes up the value at `site`, and what is in it; it is `level` objects inside the first.
    fn field(&mut self, site: &'a Value, path: &str, is_required: bool, level: usize) {
        let said = said(site, self.schema);
        let (says, said_default) = without_default(&said);
        let default = said_default.or_else(|| default(site, self.schema));
        self.found.push(Field {
            path: path.to_owned(),
            is_required,
            form: words(site, self.schema, MOST_STEPS) + &self.as_before(site),
            range: range(site, self.schema),
            default: default.filter(|_| !is_required),
            says,
            choices: choices(site, self.schema, MOST_STEPS),
        });
        if self.depth == Depth::All || level == 0 && path.is_empty() {
            self.inside(site, path, level);
        }
    }

    /// Takes up what is in the value at `site`.
    fn inside(&mut self, site: &'a Value, path: &str, level: usize) {
        let before = self.through.len();
        let again = chain(site, self.schema)
            .into_iter()
            .any(|value| match value["$ref"].as_str() {
                Some(reference) if self.through.contains(&reference) => true,
                reference => {
                    self.through.extend(reference);
                    false
                }
            });
        if !again && self.where_told(site).is_none() {
            self.parts(site, path, level);
            if let (Shape::Object(_), Some(reference)) = (shape(site, self.schema), self.through[before..].last()) {
                self.told.push((reference, path.to_owned()));
            }
        }
        self.through.truncate(before);
    }

    /// The path where the fields of the object at `site` have been told.
    fn where_told(&self, site: &Value) -> Option<&str> {
        let references = chain(site, self.schema)
            .into_iter()
            .filter_map(|value| value["$ref"].as_str());
        let mut told = references.filter_map(|reference| self.told.iter().find(|(told, _)| *told == reference));
        told.next().map(|(_, path)| path.as_str())
    }

    /// Says that the fields at `site` are those that were told elsewhere, if they are.
    fn as_before(&self, site: &'a Value) -> String {
        let told = match shape(site, self.schema) {
            Shape::Either(forms) => forms.into_iter().find_map(|form| self.where_told(form)),
            Shape::List(inner) | Shape::Names(inner) => self.where_told(inner),
            _ => self.where_told(site),
        };
        told.map_or(String::new(), |path| format!(" as in `{path}`"))
    }

    fn parts(&mut self, site: &'a Value, path: &str, level: usize) {
        let dot = if path.is_empty() { "" } else { "." };
        match shape(site, self.schema) {
            Shape::Object(object) => {
                let is_required =
                    |name: &str| (object["required"].as_array()).is_some_and(|names| names.iter().any(|n| n == name));
                let fields = object["properties"].as_object().into_iter().flatten();
                let (first, then): (Vec<_>, Vec<_>) = fields.partition(|(name, _)| is_required(name));
                for (name, field) in first.into_iter().chain(then) {
                    self.field(field, &format!("{path}{dot}{name}"), is_required(name), level + 1);
                }
            }
            Shape::Names(each) => self.inside(each, &format!("{path}{dot}*"), level),
            Shape::List(each) => self.inside(each, &format!("{path}[]"), level),
            Shape::Variants(variants) => {
                for (name, _, parameters) in variants {
                    self.inside(parameters, &format!("{path}{dot}{name}"), level + 1);
                }
            }
            Shape::Either(forms) => forms.into_iter().for_each(|form| self.inside(form, path, level)),
            Shape::Kind(_)
            | Shape::Row(_)
            | Shape::Quantity(..)
            | Shape::Choices(_)
            | Shape::Plain(_)
            | Shape::Long(..)
            | Shape::Said(_) => {}
        }
    }
}

/// The names to choose from at `site` that say what they mean.
fn choices(site: &Value, schema: &Value, left: usize) -> Vec<(String, String)> {
    let owned = |(name, says): (&str, &str)| (name.to_owned(), line(says));
    let all: Vec<(String, String)> = match shape(site, schema) {
        Shape::Choices(names) => names.into_iter().map(owned).collect(),
        Shape::Variants(names) => names.into_iter().map(|(name, says, _)| owned((name, says))).collect(),
        Shape::List(each) | Shape::Names(each) if left > 0 => choices(each, schema, left - 1),
        Shape::Either(forms) if left > 0 => forms
            .into_iter()
            .flat_map(|form| choices(form, schema, left - 1))
            .collect(),
        _ => Vec::new(),
    };
    all.into_iter().filter(|(_, says)| !says.is_empty()).collect()
}

/// A description in one line.
pub fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
