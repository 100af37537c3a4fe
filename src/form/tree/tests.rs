//! Types read from a tree, against the same read by serde_json from the text.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {
    whole: i32,
    #[serde(default)]
    float: f64,
    #[serde(default)]
    maybe: Option<Wrapped>,
    #[serde(default)]
    pair: (u8, String),
    #[serde(default)]
    kinds: BTreeMap<Name, Vec<Kind>>,
    #[serde(default)]
    any: Value,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(bool);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    First,
    Second,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    One(u32),
    Two(u32, u32),
    Fields { a: u32 },
}

/// What is read, or the path and the message.
fn read_text(text: &str) -> Result<All, (Vec<Seg>, bool, String)> {
    let tree: Tree = serde_json::from_str(text).unwrap();
    read(&tree).map_err(|m| (m.path(), m.is_of_key(), m.message().to_owned()))
}

#[test]
fn every_form_is_read_as_serde_json_reads_it() {
    for text in [
        r#"{"whole": -3}"#,
        r#"{"whole": 7, "float": 2, "maybe": true, "pair": [255, "x"]}"#,
        r#"{"whole": 0, "float": 0.1, "maybe": null, "any": [1, -1, 1.5, null, {"a": "b"}]}"#,
        r#"{"whole": 0, "kinds": {"first": ["plain", {"one": 1}, {"two": [1, 2]}, {"fields": {"a": 3}}, {"plain": null}], "second": []}}"#,
    ] {
        assert_eq!(read_text(text).unwrap(), serde_json::from_str::<All>(text).unwrap());
    }
}

#[test]
fn mistakes_have_the_path_and_the_words_of_serde_json() {
    let check = |text: &str, path: &[Seg], of_key: bool| {
        let (found, found_of_key, message) = read_text(text).unwrap_err();
        assert_eq!((&found[..], found_of_key), (path, of_key), "{text}: {message}");
        let theirs = serde_json::from_str::<All>(text).unwrap_err().to_string();
        assert!(
            theirs.starts_with(&format!("{message} at line")),
            "{message} / {theirs}"
        );
    };
    let first = |more: &[Seg]| [&["kinds".into(), "first".into(), 0.into()], more].concat();
    check(r#"{"whole": "3"}"#, &["whole".into()], false);
    check(r#"{"whole": 1e300}"#, &["whole".into()], false);
    check(r#"{"whole": 3000000000}"#, &["whole".into()], false);
    check(r#"{"whole": null}"#, &["whole".into()], false);
    check(r#"{"whole": {}}"#, &["whole".into()], false);
    check("{}", &[], false);
    check(r#"{"hole": 3}"#, &["hole".into()], true);
    check(r#"{"whole": 1, "pair": [1]}"#, &["pair".into()], false);
    check(
        r#"{"whole": 1, "kinds": {"third": []}}"#,
        &["kinds".into(), "third".into()],
        true,
    );
    check(r#"{"whole": 1, "kinds": {"first": ["plane"]}}"#, &first(&[]), false);
    check(
        r#"{"whole": 1, "kinds": {"first": [{"one": "x"}]}}"#,
        &first(&["one".into()]),
        false,
    );
    check(
        r#"{"whole": 1, "kinds": {"first": ["one"]}}"#,
        &first(&["one".into()]),
        false,
    );
    check(
        r#"{"whole": 1, "kinds": {"first": [{"fields": {"b": 1, "a": "x"}}]}}"#,
        &first(&["fields".into(), "a".into()]),
        false,
    );
}

#[test]
fn what_serde_json_calls_a_mistake_of_syntax_has_a_path_here() {
    let check = |text: &str, path: &[Seg], message: &str| {
        let (found, _, said) = read_text(text).unwrap_err();
        assert_eq!((&found[..], said.as_str()), (path, message));
        assert!(serde_json::from_str::<All>(text).is_err());
    };
    check(
        r#"{"whole": 1, "pair": [1, "a", 2]}"#,
        &["pair".into(), 2.into()],
        "the list has too many values",
    );
    let first = || ["kinds".into(), "first".into(), 0.into()];
    check(
        r#"{"whole": 1, "kinds": {"first": [{}]}}"#,
        &first(),
        "an object without a name",
    );
    check(
        r#"{"whole": 1, "kinds": {"first": [7]}}"#,
        &first(),
        "expected a name, or an object with one name and its parameters",
    );
    check(
        r#"{"whole": 1, "kinds": {"first": [{"one": 1, "plain": null}]}}"#,
        &[&first()[..], &["plain".into()]].concat(),
        "`plain` stands beside `one`: give one name only",
    );
}

#[test]
fn a_list_is_no_object_with_fields() {
    for text in ["[1, 2.5]", r#"{"whole": 1, "kinds": {"first": [{"fields": [3]}]}}"#] {
        let (_, _, message) = read_text(text).unwrap_err();
        assert_eq!(
            message,
            "invalid type: a list, expected an object with the names of its fields"
        );
    }
}

proptest! {
    #[test]
    fn a_tree_is_the_same_from_text_and_from_a_value(number in any::<f64>(), whole in any::<i64>(), text in ".*") {
        let value = serde_json::json!([{"a": number, "b": [whole, text]}, null, true]);
        let tree: Tree = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert_eq!(&tree, &Tree::from(value.clone()));
        prop_assert_eq!(read::<Value>(&tree).unwrap(), value);
    }
}
