//! What the JSON Schema says of a kind of plug-in.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Bare, from_nothing};

/// What the schema says of one name.
#[derive(Debug)]
pub struct Entry {
    name: &'static str,
    parameters: Schema,
    description: Option<Value>,
    bare: bool,
}

impl Entry {
    /// The entry of `name`, whose parameters are a `T`.
    pub fn of<T: JsonSchema + DeserializeOwned>(name: &'static str, generator: &mut SchemaGenerator) -> Entry {
        let parameters = generator.subschema_for::<T>();
        let whole = T::json_schema(generator);
        Entry::from(name, parameters, &whole, from_nothing::<T>().is_ok())
    }

    /// The entry of a part whose schemas are known: one function for all types.
    fn from(name: &'static str, parameters: Schema, whole: &Schema, bare: bool) -> Entry {
        Entry {
            name,
            parameters,
            description: whole.get("description").cloned(),
            bare,
        }
    }
}

/// The keyword of a schema that names the kind of plug-in which it describes.
pub const KIND_KEYWORD: &str = "x-kind";

/// The schema of a kind of plug-in: its names where they may stand alone, the object form of each, and what may stand without a name. A
/// `kind` that is not empty is said too.
pub fn schema(doc: &str, kind: &str, unnamed: Option<&Bare>, entries: impl IntoIterator<Item = Entry>) -> Schema {
    let mut forms = Vec::new();
    for Entry {
        name,
        parameters,
        description,
        bare,
    } in entries
    {
        let mut object = json_schema!({
            "type": "object",
            "properties": { name: parameters.clone() },
            "required": [name],
            "additionalProperties": false,
        });
        let mut word = json_schema!({ "const": name });
        if let Some(description) = description {
            object.insert("description".into(), description.clone());
            word.insert("description".into(), description);
        }
        if bare {
            forms.push(word);
        }
        forms.push(object);
        if unnamed.is_some_and(|unnamed| unnamed.alone == name || unnamed.objects.contains(&name)) {
            forms.push(parameters);
        }
    }
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    let mut schema = json_schema!({ "description": lines.join("\n").trim(), "oneOf": forms });
    if !kind.is_empty() {
        schema.insert(KIND_KEYWORD.into(), kind.into());
    }
    schema
}
