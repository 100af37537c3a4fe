//! Where two experiments differ: which values, by their paths, which a reader of two results asks first.
//!
//! Elements of a list that have names are told apart by them, and so are found wherever they stand; others by their number. Left out: the
//! experiment's name and what it says about itself, and the same value written in another way, which is told as a difference.

use std::fmt::{Display, Formatter, Result};

use serde_json::Value;

use crate::form::diagnose::is_plain;

/// Members of an experiment that change nothing of what is simulated.
const WORDS: [&str; 3] = ["format", "name", "about"];

/// The longest value that is written out, in characters.
const LONGEST: usize = 40;

/// One value that is another in the second experiment, as people say it: `plan.duration (1h, was 30m)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    path: String,
    before: Option<Value>,
    after: Option<Value>,
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let short = |value: &Value| Some(words(value)).filter(|text| text.chars().count() <= LONGEST);
        let of = |value: &Option<Value>| value.as_ref().map(short);
        match (of(&self.before), of(&self.after)) {
            (Some(Some(before)), Some(Some(after))) => write!(f, "{} ({after}, was {before})", self.path),
            (Some(_), Some(_)) => write!(f, "{} (another value)", self.path),
            (None, Some(Some(after))) => write!(f, "{} ({after}, was not given)", self.path),
            (None, _) => write!(f, "{} (was not given)", self.path),
            (Some(Some(before)), None) => write!(f, "{} (not given, was {before})", self.path),
            (Some(None), None) => write!(f, "{} (not given)", self.path),
        }
    }
}

/// A value without the quotes of a text.
fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Every value of the second experiment that is another than in the first, or is in one of them only, in the order of their paths.
pub fn differences(first: &Value, second: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    add(&mut all, String::new(), Some(first), Some(second));
    all.retain(|difference| !WORDS.contains(&difference.path.as_str()));
    all
}

fn add(all: &mut Vec<Difference>, path: String, before: Option<&Value>, after: Option<&Value>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let new = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(new) {
                add(all, member(&path, key), a.get(key), b.get(key));
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if are_named(a) && are_named(b) => {
            let find = |list: &[Value], name: &str| list.iter().position(|of| name_of(of) == Some(name));
            let new = b
                .iter()
                .filter(|of| name_of(of).is_some_and(|name| find(a, name).is_none()));
            for name in a.iter().chain(new).filter_map(name_of) {
                let of = |list: &[Value]| find(list, name).map(|at| list[at].clone());
                add(all, format!("{path}[{name}]"), of(a).as_ref(), of(b).as_ref());
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                add(all, format!("{path}[{at}]"), Some(a), Some(b));
            }
        }
        (before, after) => all.push(Difference {
            path,
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

/// The path of a member.
fn member(path: &str, key: &str) -> String {
    match (is_plain(key), path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{}]", Value::from(key)),
    }
}

/// Whether every element has a name of its own.
fn are_named(list: &[Value]) -> bool {
    let names: Vec<&str> = list.iter().filter_map(name_of).collect();
    let is_new = |(at, name): (usize, &&str)| !names[..at].contains(name);
    names.len() == list.len() && names.iter().enumerate().all(is_new)
}

fn name_of(element: &Value) -> Option<&str> {
    element.get("name")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(first: Value, second: Value) -> Vec<String> {
        let all = differences(&first, &second);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values_are_told_by_their_paths_with_what_they_were() {
        assert_eq!(
            said(
                json!({ "plan": { "duration": "1h", "seed": 1 }, "client": { "retry": { "attempts": 2 } } }),
                json!({ "plan": { "duration": "2h", "seed": 1, "replications": 5 }, "client": {} }),
            ),
            [
                r#"client.retry (not given, was {"attempts":2})"#,
                "plan.duration (2h, was 1h)",
                "plan.replications (5, was not given)",
            ]
        );
    }

    #[test]
    fn elements_with_names_are_found_wherever_they_stand() {
        assert_eq!(
            said(
                json!({ "policies": [ { "name": "a", "policy": "random" }, { "name": "b", "policy": "random" } ] }),
                json!({ "policies": [ { "name": "c" }, { "name": "b", "policy": "random" }, { "name": "a", "policy": "cheapest" } ] }),
            ),
            [
                "policies[a].policy (cheapest, was random)",
                r#"policies[c] ({"name":"c"}, was not given)"#,
            ]
        );
    }

    #[test]
    fn other_elements_are_told_by_their_number_or_as_a_whole() {
        assert_eq!(
            said(json!({ "x": [1, 2] }), json!({ "x": [1, 3] })),
            ["x[1] (3, was 2)"]
        );
        assert_eq!(
            said(json!({ "x": [1] }), json!({ "x": [1, 3] })),
            ["x ([1,3], was [1])"]
        );
        // Two of a name: which is which cannot be told.
        let twice = |rate: u32| json!({ "x": [ { "name": "a" }, { "name": "a", "rate": rate } ] });
        assert_eq!(said(twice(1), twice(2)), ["x[1].rate (2, was 1)"]);
    }

    #[test]
    fn a_name_that_is_not_a_word_stands_in_quotes_and_a_long_value_is_left_out() {
        let of = |value: &str| json!({ "providers": { "gpt-4.1": { "source": value } } });
        assert_eq!(
            said(of("a"), of(&"long".repeat(20))),
            [r#"providers["gpt-4.1"].source (another value)"#]
        );
    }

    #[test]
    fn what_an_experiment_says_of_itself_is_no_difference() {
        let of = |text: &str| json!({ "name": text, "about": text, "format": text, "plan": { "about": 1 } });
        assert_eq!(said(of("a"), of("b")), Vec::<String>::new());
    }
}
