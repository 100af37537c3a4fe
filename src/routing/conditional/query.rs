//! Portkey's queries: as a file writes them, and what is left to ask once the class is known.

use std::borrow::Cow;
use std::fmt;

use regex_lite::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::Call;
use crate::spec::build::{Asked, Built, Names, Refusal};

/// A query: all its clauses must be met.
#[derive(Clone, Debug, PartialEq)]
pub struct Query(Vec<Clause>);

#[derive(Clone, Debug, PartialEq)]
enum Clause {
    And(Vec<Query>),
    Or(Vec<Query>),
    Field(String, Wanted),
}

/// What a field must be.
#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Equal(Value),
    All(Vec<(Operator, Operand)>),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Value {
    Truth(bool),
    Number(serde_json::Number),
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    One(Value),
    Many(Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Operator {
    #[serde(rename = "$eq")]
    Eq,
    #[serde(rename = "$ne")]
    Ne,
    #[serde(rename = "$gt")]
    Gt,
    #[serde(rename = "$gte")]
    Gte,
    #[serde(rename = "$lt")]
    Lt,
    #[serde(rename = "$lte")]
    Lte,
    #[serde(rename = "$in")]
    In,
    #[serde(rename = "$nin")]
    Nin,
    #[serde(rename = "$regex")]
    Regex,
}

impl Operator {
    const NAMES: [&'static str; 9] = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$regex"];

    const fn name(self) -> &'static str {
        Operator::NAMES[self as usize]
    }
}

/// What is left to ask of a request of a class that is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Number(Number, Compared),
}

/// A number that the class does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Input,
    User,
    Priority,
}

/// How a number must compare.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Compared {
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    Among(Vec<f64>),
    NotAmong(Vec<f64>),
}

/// What a field is, of a class.
enum Found<'a> {
    Text(&'a str),
    Number(f64),
    Later(Number),
    Missing,
}

impl Test {
    pub(super) const TRUE: Test = Test::All(Vec::new());
    pub(super) const FALSE: Test = Test::Any(Vec::new());

    #[inline]
    pub(super) fn is_met(&self, call: &Call) -> bool {
        match self {
            Test::All(tests) => tests.iter().all(|t| t.is_met(call)),
            Test::Any(tests) => tests.iter().any(|t| t.is_met(call)),
            Test::Number(number, compared) => compared.is_met(match number {
                Number::Input => f64::from(call.input),
                Number::User => f64::from(call.user),
                Number::Priority => f64::from(call.priority),
            }),
        }
    }

    const fn constant(met: bool) -> Test {
        if met { Test::TRUE } else { Test::FALSE }
    }

    /// All of them, with what is known worked out.
    fn all(tests: Vec<Test>) -> Test {
        if tests.contains(&Test::FALSE) {
            return Test::FALSE;
        }
        Test::All(tests.into_iter().filter(|t| *t != Test::TRUE).collect())
    }

    /// Any of them, with what is known worked out.
    fn any(tests: Vec<Test>) -> Test {
        if tests.contains(&Test::TRUE) {
            return Test::TRUE;
        }
        Test::Any(tests.into_iter().filter(|t| *t != Test::FALSE).collect())
    }
}

impl Compared {
    fn is_met(&self, number: f64) -> bool {
        match self {
            Compared::Above(bound) => number > *bound,
            Compared::AtLeast(bound) => number >= *bound,
            Compared::Below(bound) => number < *bound,
            Compared::AtMost(bound) => number <= *bound,
            Compared::Among(values) => values.contains(&number),
            Compared::NotAmong(values) => !values.contains(&number),
        }
    }
}

impl Query {
    /// What is left to ask of requests of `class`.
    pub(super) fn of_class(&self, class: usize, mended: bool, names: &Names<'_>) -> Built<Test> {
        let nothing = Asked::default();
        let asked = names.asks.get(class).unwrap_or(&nothing);
        let several = |queries: &[Query], name: &'static str| -> Built<Vec<Test>> {
            let of = |(i, query): (usize, &Query)| query.of_class(class, mended, names).map_err(|r| r.at(i).at(name));
            queries.iter().enumerate().map(of).collect()
        };
        let mut tests = Vec::new();
        let mut over = false;
        for clause in &self.0 {
            // What is not looked at is read all the same, so that a mistake in it is said.
            let test = match clause {
                Clause::And(queries) => Test::all(several(queries, "$and")?),
                Clause::Or(queries) => Test::any(several(queries, "$or")?),
                Clause::Field(field, wanted) => (found(field, class, asked, names))
                    .and_then(|found| wanted.of(&found, field == "class", mended, names))
                    .map_err(|r| r.at(field.as_str()))?,
            };
            if !over {
                tests.push(test);
            }
            over |= !mended && matches!(clause, Clause::And(_) | Clause::Or(_));
        }
        Ok(Test::all(tests))
    }
}

/// The field of that name, of requests of a class.
fn found<'a>(field: &str, class: usize, asked: &'a Asked, names: &Names<'a>) -> Built<Found<'a>> {
    if let Some(tag) = field.strip_prefix("metadata.") {
        let mut tags: Vec<String> = names
            .asks
            .iter()
            .flat_map(|a| &a.tags)
            .map(|(k, _)| k.clone())
            .collect();
        if !tags.iter().any(|known| known == tag) {
            tags.sort_unstable();
            tags.dedup();
            return Err(Refusal::unknown("tag", tag, &tags));
        }
        if tag.contains('.') {
            let text = format!("a tag with a point in its name, `{tag}`, is none that Portkey can ask for");
            return Err(Refusal::new(text));
        }
        let value = asked.tags.iter().find(|(k, _)| k == tag);
        return Ok(value.map_or(Found::Missing, |(_, value)| Found::Text(value)));
    }
    Ok(match field {
        "params.max_tokens" => asked
            .max_output
            .map_or(Found::Missing, |most| Found::Number(f64::from(most))),
        "class" => Found::Text(&names.classes[class]),
        "input" => Found::Later(Number::Input),
        "user" => Found::Later(Number::User),
        "priority" => Found::Later(Number::Priority),
        _ => {
            let known = [
                "metadata.NAME",
                "params.max_tokens",
                "class",
                "input",
                "user",
                "priority",
                "$and",
                "$or",
            ];
            return Err(Refusal::unknown("field", field, &known.map(String::from)));
        }
    })
}

impl Wanted {
    fn of(&self, found: &Found<'_>, is_class: bool, mended: bool, names: &Names<'_>) -> Built<Test> {
        let known_class = |value: &Value| match value {
            Value::Text(name) if is_class => names.class(name).map(|_| ()),
            _ => Ok(()),
        };
        let operators = match self {
            Wanted::Equal(value) => {
                known_class(value)?;
                return Ok(among(found, std::slice::from_ref(value), true));
            }
            Wanted::All(operators) => operators,
        };
        let mut tests = Vec::new();
        let mut over = false;
        for (operator, operand) in operators {
            let here = |r: Refusal| r.at(operator.name());
            let test = match (operator, operand) {
                (Operator::Eq | Operator::Ne, Operand::One(value)) => {
                    known_class(value).map_err(here)?;
                    among(found, std::slice::from_ref(value), *operator == Operator::Eq)
                }
                (_, Operand::Many(values)) => {
                    for (i, value) in values.iter().enumerate() {
                        known_class(value).map_err(|r| here(r.at(i)))?;
                    }
                    among(found, values, *operator == Operator::In)
                }
                (Operator::Regex, Operand::One(value)) => matches(found, value, mended).map_err(here)?,
                (_, Operand::One(value)) => compared(found, *operator, value).map_err(here)?,
            };
            if !over {
                tests.push(test);
            }
            over |= !mended && *operator == Operator::Regex;
        }
        Ok(Test::all(tests))
    }
}

/// Whether what is found is one of `values`, or is not, strictly compared.
fn among(found: &Found<'_>, values: &[Value], wanted: bool) -> Test {
    let number = |value: &Value| match value {
        Value::Number(n) => n.as_f64(),
        _ => None,
    };
    let is = match found {
        Found::Later(what) => {
            let numbers = values.iter().filter_map(number).collect();
            return Test::Number(
                *what,
                if wanted {
                    Compared::Among(numbers)
                } else {
                    Compared::NotAmong(numbers)
                },
            );
        }
        Found::Text(text) => values.iter().any(|v| matches!(v, Value::Text(t) if t == text)),
        Found::Number(n) => values.iter().any(|v| number(v) == Some(*n)),
        Found::Missing => false,
    };
    Test::constant(is == wanted)
}

/// Whether what is found compares with `value` as numbers.
fn compared(found: &Found<'_>, operator: Operator, value: &Value) -> Built<Test> {
    let bound = match value {
        Value::Number(n) => n.as_f64(),
        Value::Text(text) => parse_float(text),
        Value::Truth(_) => None,
    };
    let bound = bound.ok_or_else(|| {
        let shown = match value {
            Value::Text(text) => format!("`{text}`"),
            Value::Number(n) => n.to_string(),
            Value::Truth(truth) => truth.to_string(),
        };
        Refusal::new(format!("{shown} is no number to compare with"))
    })?;
    let compared = match operator {
        Operator::Gt => Compared::Above(bound),
        Operator::Gte => Compared::AtLeast(bound),
        Operator::Lt => Compared::Below(bound),
        _ => Compared::AtMost(bound),
    };
    let number = match found {
        Found::Later(what) => return Ok(Test::Number(*what, compared)),
        Found::Number(n) => Some(*n),
        Found::Text(text) => parse_float(text),
        Found::Missing => None,
    };
    Ok(Test::constant(number.is_some_and(|n| compared.is_met(n))))
}

/// Whether what is found has a match of the regular expression `value`.
fn matches(found: &Found<'_>, value: &Value, mended: bool) -> Built<Test> {
    let Value::Text(pattern) = value else {
        return Err(Refusal::new("a regular expression is text"));
    };
    let regex =
        Regex::new(pattern).map_err(|error| Refusal::new(format!("`{pattern}` is no regular expression: {error}")))?;
    match found {
        Found::Text(text) => Ok(Test::constant(regex.is_match(text))),
        Found::Missing => Ok(Test::constant(!mended && regex.is_match("undefined"))),
        Found::Number(_) | Found::Later(_) => Err(Refusal::new("`$regex` looks at text, and this is a number")),
    }
}

/// The number at the head of `text`, as JavaScript's `parseFloat` reads it; never an infinity.
fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let plain = text.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)));
    let head = &text[..plain.unwrap_or(text.len())];
    (1..=head.len()).rev().find_map(|end| head[..end].parse().ok())
}

impl<'de> Deserialize<'de> for Query {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Query, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Query;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Query, A::Error> {
                let mut clauses = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    clauses.push(match key.as_str() {
                        "$and" => Clause::And(map.next_value()?),
                        "$or" => Clause::Or(map.next_value()?),
                        _ => {
                            let wanted = map.next_value()?;
                            Clause::Field(key, wanted)
                        }
                    });
                }
                Ok(Query(clauses))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

struct ValueReader;

impl Visitor<'_> for ValueReader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Truth(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("it is not a finite number"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueReader)
    }
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Wanted, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Wanted;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or an object of operators")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Wanted, E> {
                ValueReader.visit_bool(value).map(Wanted::Equal)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Wanted, E> {
                ValueReader.visit_u64(value).map(Wanted::Equal)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Wanted, E> {
                ValueReader.visit_i64(value).map(Wanted::Equal)
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Wanted, E> {
                ValueReader.visit_f64(value).map(Wanted::Equal)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Wanted, E> {
                ValueReader.visit_str(value).map(Wanted::Equal)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wanted, A::Error> {
                let mut operators = Vec::new();
                while let Some(operator) = map.next_key()? {
                    let operand = match operator {
                        Operator::In | Operator::Nin => Operand::Many(map.next_value::<List>()?.0),
                        _ => Operand::One(map.next_value()?),
                    };
                    operators.push((operator, operand));
                }
                Ok(Wanted::All(operators))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// What `$in` and `$nin` hold.
struct List(Vec<Value>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<List, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(List(values))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

impl Serialize for Query {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for clause in &self.0 {
            match clause {
                Clause::And(queries) => map.serialize_entry("$and", queries)?,
                Clause::Or(queries) => map.serialize_entry("$or", queries)?,
                Clause::Field(field, wanted) => map.serialize_entry(field, wanted)?,
            }
        }
        map.end()
    }
}

impl Serialize for Wanted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Wanted::Equal(value) => value.serialize(serializer),
            Wanted::All(operators) => {
                let mut map = serializer.serialize_map(Some(operators.len()))?;
                for (operator, operand) in operators {
                    match operand {
                        Operand::One(value) => map.serialize_entry(operator, value)?,
                        Operand::Many(values) => map.serialize_entry(operator, values)?,
                    }
                }
                map.end()
            }
        }
    }
}

impl JsonSchema for Query {
    fn schema_name() -> Cow<'static, str> {
        "Query".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let queries = generator.subschema_for::<Vec<Query>>();
        let value = json_schema!({ "type": ["string", "number", "boolean"] });
        let operators: serde_json::Map<String, serde_json::Value> = (Operator::NAMES.into_iter())
            .map(|name| {
                let many = name == "$in" || name == "$nin";
                let list = json_schema!({ "type": "array", "items": value });
                (name.to_owned(), if many { list } else { value.clone() }.to_value())
            })
            .collect();
        json_schema!({
            "description": "Fields of a request, all of which must be as said.",
            "type": "object",
            "properties": { "$and": queries, "$or": queries },
            "patternProperties": {
                "^(metadata\\..+|params\\.max_tokens|class|input|user|priority)$": { "anyOf": [
                    value,
                    { "type": "object", "properties": operators, "additionalProperties": false },
                ] },
            },
            "additionalProperties": false,
        })
    }
}
