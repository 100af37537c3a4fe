//! Whole messages, as a reader sees them, and random input that must not panic.

use super::*;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Experiment {
    name: String,
    #[serde(default)]
    providers: BTreeMap<String, Provider>,
    #[serde(default)]
    mode: Mode,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    #[serde(default)]
    slots: u32,
    #[serde(default)]
    weights: Vec<f64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Fast,
    Thorough,
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(parse::<Experiment>("x.json", text).unwrap_err().to_string(), expected);
}

#[test]
fn a_file_with_comments_is_read() {
    let text = "\u{feff}// An experiment.\n{\"name\": \"a // b\", /* none */ \"mode\": \"thorough\"}\n";
    let read: Experiment = parse("x.json", text).unwrap();
    assert_eq!(read.name, "a // b");
    assert!(matches!(read.mode, Mode::Thorough));
}

#[test]
fn a_wrong_type_points_at_the_value() {
    check(
        "{\n  \"name\": \"a\", // é\n  /* é */ \"providers\": { \"gpt-4.1\": { \"weights\": [1, \"two\"] } }\n}",
        r#"x.json:3:54: providers["gpt-4.1"].weights[1]: invalid type: string "two", expected a number
    3 |   /* é */ "providers": { "gpt-4.1": { "weights": [1, "two"] } }
      |                                                      ^"#,
    );
    check(
        "{\"name\":\n[5]}",
        "x.json:2:1: name: invalid type: a list, expected a string\n    2 | [5]}\n      | ^",
    );
    check(
        r#"{"name": "a", "providers": {"b": {"slots": -1}}}"#,
        r#"x.json:1:44: providers.b.slots: invalid value: -1, expected a whole number from 0 to 4294967295
    1 | {"name": "a", "providers": {"b": {"slots": -1}}}
      |                                            ^"#,
    );
}

#[test]
fn an_unknown_field_points_at_the_key() {
    check(
        "{\n  \"name\": \"a\",\n  \"provider\": {}\n}",
        r#"x.json:3:3: provider: unknown field `provider`
    3 |   "provider": {}
      |   ^
   help: did you mean `providers`?
   allowed: name, providers, mode"#,
    );
    check(
        r#"{"name": "a", "zzz": 1}"#,
        r#"x.json:1:15: zzz: unknown field `zzz`
    1 | {"name": "a", "zzz": 1}
      |               ^
   allowed: name, providers, mode"#,
    );
}

#[test]
fn an_unknown_name_points_at_the_value() {
    check(
        r#"{"name": "a", "mode": "fats"}"#,
        r#"x.json:1:23: mode: unknown name `fats`
    1 | {"name": "a", "mode": "fats"}
      |                       ^
   help: did you mean `fast`?
   allowed: fast, thorough"#,
    );
}

#[test]
fn a_missing_field_points_at_its_object() {
    check(
        "// x\n { }",
        "x.json:2:2: missing field `name`\n    2 |  { }\n      |  ^",
    );
}

#[test]
fn a_key_given_twice_is_refused_whatever_the_type() {
    check(
        "{\"name\": \"a\",\n \"name\": \"b\"}",
        "x.json:2:2: name: duplicate key `name`\n    2 |  \"name\": \"b\"}\n      |  ^\n   help: it was first given at 1:2",
    );
    check(
        "{\"name\": \"a\", \"providers\": {\n\"p\": {},\n\"p\": {}}}",
        "x.json:3:1: providers.p: duplicate key `p`\n    3 | \"p\": {}}}\n      | ^\n   help: it was first given at 2:1",
    );
}

#[test]
fn nothing_is_not_an_experiment() {
    check("", "x.json:1:1: the file is empty: a JSON value is missing");
    check("\n// later", "x.json:1:1: the file is empty: a JSON value is missing");
}

#[test]
fn what_is_not_json_is_explained() {
    check(
        "{\"name\": \"a\",\n}",
        "x.json:2:1: trailing comma\n    2 | }\n      | ^\n   help: remove the comma before the closing bracket",
    );
    check(
        "{\"name\": 'a'}",
        "x.json:1:10: name: expected a value or a key\n    1 | {\"name\": 'a'}\n      |          ^\n   help: strings stand in double quotes",
    );
    check(
        "{name: 1}",
        "x.json:1:2: key must be a string\n    1 | {name: 1}\n      |  ^\n   help: keys stand in double quotes",
    );
    check(
        "{\"name\": \"a\" \"mode\": 1}",
        "x.json:1:14: expected `,` or `}`\n    1 | {\"name\": \"a\" \"mode\": 1}\n      |              ^\n   help: is a comma missing?",
    );
    check(
        "{\"name\": \"a\n}",
        "x.json:1:12: name: a string does not end on its line\n    1 | {\"name\": \"a\n      |            ^\n   \
         help: close it with a double quote",
    );
    check(
        "{\"name\": \"a\"} {}",
        "x.json:1:15: the file goes on after the end of its JSON value\n    1 | {\"name\": \"a\"} {}\n      |               ^",
    );
    check(
        "{\"name\": /* a",
        "x.json:1:10: name: a comment that never ends\n    1 | {\"name\": /* a\n      |          ^\n   help: close it with */",
    );
    check(
        "{\"name\": nul}",
        "x.json:1:13: name: expected true, false or null\n    1 | {\"name\": nul}\n      |             ^\n   \
         help: other words stand in double quotes",
    );
}

#[test]
fn a_file_that_stops_short_says_what_is_open() {
    check(
        "{\"name\": \"a\",\n \"providers\": {\"p\": {}\n\n",
        "x.json:2:23: providers: the file ends inside an object\n    2 |  \"providers\": {\"p\": {}\n      |                       ^\n   \
         help: the bracket at 2:15 is never closed",
    );
    check(
        "{\"name\": \"a",
        "x.json:1:12: name: the file ends inside a string\n    1 | {\"name\": \"a\n      |            ^\n   \
         help: the quote at 1:10 is never closed",
    );
    check(
        "{\"name\":",
        "x.json:1:9: name: the file ends where a value should be\n    1 | {\"name\":\n      |         ^\n   \
         help: the bracket at 1:1 is never closed",
    );
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let error = parse::<Value>("x.json", &"[".repeat(100_000)).unwrap_err();
    assert_eq!(
        (error.message.as_str(), error.column),
        ("brackets are nested too deep", 128)
    );
    assert_eq!(error.hint.as_deref(), Some("127 levels are allowed"));
    assert!(parse::<Value>("x.json", &format!("{}{}", "[".repeat(127), "]".repeat(127))).is_ok());
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let error = parse_bytes::<Value>("x.json", b"{\n\"a\": \"\xe9\"}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.json:2:7: not UTF-8 text: found the byte 0xe9\n    2 | \"a\": \"\u{fffd}\"}\n      |       ^\n   \
         help: save the file as UTF-8"
    );
    let error = parse_bytes::<Value>("x.json", b"\xff\xfe{\0}\0").unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("the file is UTF-16: save it as UTF-8"));
    assert_eq!(
        parse_bytes::<Value>("x.json", b"\xef\xbb\xbf[1]").unwrap(),
        serde_json::json!([1])
    );
}

#[test]
fn a_mistake_found_later_has_its_place() {
    let text = "{ // x\n\t\"providers\": {\"gpt-4.1\": {\"weights\": [1,\n 2]}}}";
    let path = ["providers".into(), "gpt-4.1".into(), "weights".into(), 1.into()];
    let error = Error::at("x.json", text, &path, "2 is above 1").with_hint("weights sum to 1");
    assert_eq!(
        error.to_string(),
        "x.json:3:2: providers[\"gpt-4.1\"].weights[1]: 2 is above 1\n    3 |  2]}}}\n      |  ^\n   help: weights sum to 1"
    );
    let error =
        Error::at_key("x.json", text, &path[..2], "no such provider").with_allowed("gpt-4.1", ["gpt-4o", "other"]);
    assert_eq!(
        error.to_string(),
        "x.json:2:16: providers[\"gpt-4.1\"]: no such provider\n    2 |  \"providers\": {\"gpt-4.1\": {\"weights\": [1,\n      \
         |                ^\n   help: did you mean `gpt-4o`?\n   allowed: gpt-4o, other"
    );
    let error = Error::at_key("x.json", text, &["providers".into(), "none".into()], "missing");
    assert_eq!(
        (error.line, error.column, error.path.as_str()),
        (2, 15, "providers.none")
    );
}

#[test]
fn the_file_cannot_drive_the_terminal() {
    let error = parse::<Experiment>("x\u{1b}.json", "{\"\\u001b[2J\": 1}").unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
}

const VALID: &str = r#"{"name": "a\u00e9", /* c */ "providers": {"gpt-4.1": {"slots": 3, "weights": [1, 2.5e3]}}, // d
 "mode": "fast"}"#;

proptest! {
    #[test]
    fn random_text_never_panics(text in r#"([\[\]{}:,"\\/* \n é1-]|"name"|"providers":|//|null|"x":){0,80}"#) {
        let _ = parse::<Experiment>("x.json", &text).map_err(|error| error.to_string());
        let _ = parse::<Value>("x.json", &text).map_err(|error| error.to_string());
        let _ = Error::at_key("x.json", &text, &["providers".into(), 1.into()], "m").to_string();
    }

    #[test]
    fn a_damaged_file_never_panics(at in 0..VALID.len(), cut in 0_usize..4, put in prop::collection::vec(any::<u8>(), 0..3)) {
        let mut bytes = VALID.as_bytes().to_vec();
        bytes.splice(at..(at + cut).min(VALID.len()), put);
        if let Err(error) = parse_bytes::<Experiment>("x.json", &bytes) {
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
            prop_assert!((1..=lines).contains(&error.line));
            prop_assert!(error.column >= 1);
            prop_assert!(error.to_string().starts_with("x.json:"));
        }
    }
}
