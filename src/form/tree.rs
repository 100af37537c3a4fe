//! A JSON value in memory, and the one deserialiser that reads every type from it.
//!
//! serde compiles a type's reading code anew for each deserialiser that it meets, and a streaming parser wrapped by a tracker of
//! paths is a large one: hundreds of types made it a third of all generated code. So one instance of the parser makes a
//! [`Tree`] of the text, and [`read`] takes types out of the tree with a deserialiser without type parameters.
//!
//! A tree keeps members in the order of the text, equal keys included, so the first mistake in the file is the one
//! reported. It keeps no positions: a [`Mistake`] gathers its path on its way out, and the caller, which has the text,
//! looks the place up ([`super::diagnose`]). A list in place of an object with fields is refused: serde would take one
//! as the fields in order. Left out: keys that are numbers, and 128-bit numbers.

mod reader;

use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeOwned, Deserializer, Expected, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::Value;

use super::diagnose::Seg;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// The value `null`.
    Null,
    /// The value `true` or `false`.
    Truth(bool),
    /// A whole number from 0.
    Unsigned(u64),
    /// A whole number below 0.
    Negative(i64),
    /// Any other number.
    Float(f64),
    /// A string of characters.
    Text(String),
    /// A list of values.
    List(Vec<Tree>),
    /// An object: its members as they stand in the text.
    Object(Vec<(String, Tree)>),
}

/// A value that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Mistake(Box<Said>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    message: String,
    /// The innermost step first.
    path: Vec<Seg>,
    of_key: bool,
}

impl Mistake {
    /// What is wrong, in serde's words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it is, from the outermost value.
    pub fn path(&self) -> Vec<Seg> {
        self.0.path.iter().rev().cloned().collect()
    }

    /// This mistake at another place: `path` from the outermost value.
    #[must_use]
    pub fn moved_to(mut self, path: &[Seg]) -> Mistake {
        self.0.path = path.iter().rev().cloned().collect();
        self
    }

    /// Whether the last key of the path is the mistake, and not the value under it.
    pub fn is_of_key(&self) -> bool {
        self.0.of_key
    }

    #[cold]
    fn under_key(mut self, key: &str) -> Mistake {
        self.0.path.push(Seg::Key(key.to_owned()));
        self
    }

    #[cold]
    fn under_index(mut self, index: usize) -> Mistake {
        self.0.path.push(Seg::Index(index));
        self
    }

    #[cold]
    fn of_key(mut self, key: &str) -> Mistake {
        self.0.of_key = true;
        self.under_key(key)
    }
}

impl de::Error for Mistake {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Mistake {
        Mistake(Box::new(Said {
            message: message.to_string(),
            path: Vec::new(),
            of_key: false,
        }))
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Mistake {
        de::Error::custom(format_args!("invalid type: {}, expected {expected}", Found(found)))
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Mistake {
        de::Error::custom(format_args!("invalid value: {}, expected {expected}", Found(found)))
    }
}

/// What was found, as JSON has it: serde would call `null` a unit value and round numbers as Rust does.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Unit => f.write_str("null"),
            Unexpected::Float(x) => write!(f, "floating point `{}`", Value::from(x)),
            found => found.fmt(f),
        }
    }
}

/// A `T` from `tree`.
///
/// # Errors
/// If it is not a `T`.
pub fn read<T: DeserializeOwned>(tree: &Tree) -> Result<T, Mistake> {
    T::deserialize(reader::Reader(tree))
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(Grower)
    }
}

struct Grower;

impl<'de> Visitor<'de> for Grower {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Tree, E> {
        Ok(Tree::Truth(truth))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Negative(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

impl From<Value> for Tree {
    fn from(value: Value) -> Tree {
        match value {
            Value::Null => Tree::Null,
            Value::Bool(truth) => Tree::Truth(truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Tree::Unsigned(number),
                (None, Some(number)) => Tree::Negative(number),
                (None, None) => Tree::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Tree::Text(text),
            Value::Array(items) => Tree::List(items.into_iter().map(Tree::from).collect()),
            Value::Object(members) => Tree::Object(members.into_iter().map(|(k, v)| (k, Tree::from(v))).collect()),
        }
    }
}

#[cfg(test)]
mod tests;
