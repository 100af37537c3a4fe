//! Portkey's queries: their form, and the tests that are left once the class is known.

mod form;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use super::super::Call;
use crate::form::build::{Asked, Built, Names, Refusal};

/// A query: all its clauses must be met.
#[derive(Clone, Debug, PartialEq)]
pub struct Query(Vec<Clause>);

#[derive(Clone, Debug, PartialEq)]
enum Clause {
    And(Vec<Query>),
    Or(Vec<Query>),
    Field(String, Wanted),
}

/// The value or the operators that a field must meet.
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

/// The tests that are left for a request of a class that is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Number(Number, Compared),
}

/// A number of the request that its class does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Input,
    User,
    Priority,
}

/// The comparison that a number must meet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Compared {
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    Among(Vec<f64>),
    NotAmong(Vec<f64>),
}

/// The value of a field, for a class.
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

    /// The conjunction of all tests, with what is known worked out.
    fn all(tests: Vec<Test>) -> Test {
        if tests.contains(&Test::FALSE) {
            return Test::FALSE;
        }
        Test::All(tests.into_iter().filter(|t| *t != Test::TRUE).collect())
    }

    /// The disjunction of the tests, with what is known worked out.
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
    /// The test that is left for requests of `class`.
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

/// The field of that name, for requests of a class.
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
            Value::Truth(_) | Value::Number(_) | Value::Text(_) => Ok(()),
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
        Value::Truth(_) | Value::Text(_) => None,
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
        Refusal::new(format!("{shown} is not a number to compare with"))
    })?;
    let compared = match operator {
        Operator::Gt => Compared::Above(bound),
        Operator::Gte => Compared::AtLeast(bound),
        Operator::Lt => Compared::Below(bound),
        Operator::Eq | Operator::Ne | Operator::Lte | Operator::In | Operator::Nin | Operator::Regex => {
            Compared::AtMost(bound)
        }
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
    let regex = Regex::new(pattern)
        .map_err(|error| Refusal::new(format!("`{pattern}` is not a regular expression: {error}")))?;
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
