//! Where the kinds of parts may stand in an experiment, read off its JSON Schema, and what the schema says of each part.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::experiment::kinds::{self, PartKind};
use crate::form::manual::fields::{self, Depth, Field};
use crate::form::registry::KIND_KEYWORD;

/// A kind of part, with what the schema says of it.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    pub(super) kind: PartKind,
    /// Where one may stand in an experiment.
    places: BTreeSet<String>,
    /// The definition of the kind in the schema.
    definition: &'a Value,
}

impl Listed<'_> {
    /// The kind in words.
    pub(super) fn words(&self) -> String {
        self.kind.name.replace('_', " ")
    }

    pub(super) fn places(&self) -> Vec<&str> {
        self.places.iter().map(String::as_str).collect()
    }

    /// The parameters of the part called `name`, and of the objects in them; of one that is a plain value, that value.
    pub(super) fn parameters(&self, name: &str, schema: &Value) -> Vec<Field> {
        let forms = self.definition["oneOf"].as_array();
        let mut forms = forms.into_iter().flatten();
        let parameters = forms.find_map(|form| form["properties"].get(name));
        parameters.map_or(Vec::new(), |parameters| fields::fields(parameters, schema, Depth::All))
    }
}

/// Every kind with its places: those outside other parts, or, if there are none, those inside other parts.
pub(super) fn listed(schema: &Value) -> Vec<Listed<'_>> {
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
