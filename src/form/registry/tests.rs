//! Two toy plug-ins and one named by a keyword, through every door of the registry.

use super::{beginning, header_length};
use crate::form::diagnose::parse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

trait Build {
    fn build(&self) -> String;
}

/// Each in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Turns {
    /// How many at a time.
    #[serde(default = "two")]
    step: u32,
}

fn two() -> u32 {
    2
}

/// Each by its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Weighted {
    weights: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fixed {}

impl Build for Turns {
    fn build(&self) -> String {
        format!("turns of {}", self.step)
    }
}

impl Build for Weighted {
    fn build(&self) -> String {
        format!("{} weights", self.weights.len())
    }
}

impl Build for Fixed {
    fn build(&self) -> String {
        "fixed".into()
    }
}

registry! {
    /// A toy, as a file names it.
    ///
    /// It has a second paragraph.
    enum ToySpec as Build {
        turns => Turns,
        weighted => self::Weighted,
        r#static => Fixed,
    }
}

#[derive(Debug, Deserialize)]
struct File {
    toys: Vec<ToySpec>,
}

/// The one toy of the file, or the error's path, place and message.
fn read(toy: &str) -> Result<ToySpec, String> {
    let text = format!("{{\"toys\": [\n{toy}\n]}}");
    match parse::<File>("f", &text) {
        Ok(file) => Ok(file.toys.into_iter().next().unwrap()),
        Err(error) => Err(format!(
            "{}:{}: {}: {}",
            error.line, error.column, error.path, error.message
        )),
    }
}

#[track_caller]
fn check(toy: &str, expected: impl Into<ToySpec>) {
    assert_eq!(read(toy), Ok(expected.into()));
}

#[track_caller]
fn check_refused(toy: &str, expected: &str) {
    assert_eq!(read(toy), Err(expected.to_string()));
}

#[test]
fn both_spellings_are_read() {
    check(r#""turns""#, Turns { step: 2 });
    check(r#"{"turns": {}}"#, Turns { step: 2 });
    check(r#"{"turns": {"step": 5}}"#, Turns { step: 5 });
    check(
        r#"{"weighted": {"weights": [1, 2.5]}}"#,
        Weighted {
            weights: vec![1.0, 2.5],
        },
    );
    check(r#""static""#, Fixed {});
}

#[test]
fn mistakes_keep_their_place() {
    check_refused(
        r#"{"weighted": {"weights": [1, "two"]}}"#,
        r#"2:30: toys[0].weighted.weights[1]: invalid type: string "two", expected a number"#,
    );
    check_refused(
        r#"{"turns": {"stop": 1}}"#,
        "2:12: toys[0].turns.stop: unknown field `stop`",
    );
    check_refused(r#"{"turn": {}}"#, "2:2: toys[0].turn: unknown name `turn`");
    check_refused(r#""turn""#, "2:1: toys[0]: unknown name `turn`");
    check_refused(
        r#"{"turns": {}, "static": {}}"#,
        "2:15: toys[0].static: `static` stands beside `turns`: give one name only",
    );
    check_refused(
        r#"{"turns": {}, "turns": {}}"#,
        "2:15: toys[0].turns: duplicate key `turns`",
    );
    check_refused("{}", "2:1: toys[0]: an object without a name");
    check_refused(
        "7",
        "2:1: toys[0]: invalid type: 7, expected a name, or an object with one name and its parameters",
    );
    check_refused(
        r#"{"turns": 7}"#,
        "2:11: toys[0].turns: invalid type: 7, expected an object",
    );
    check_refused(r#"{"weighted": {}}"#, "2:14: toys[0].weighted: missing field `weights`");
    check_refused(
        r#""weighted""#,
        r#"2:1: toys[0]: missing field `weights`: `weighted` needs parameters, as in {"weighted": {…}}"#,
    );
}

#[test]
fn an_unknown_name_is_shown_with_the_allowed_ones() {
    let error = parse::<ToySpec>("f.json", r#"{"weigthed": {}}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "f.json:1:2: weigthed: unknown name `weigthed`\n    1 | {\"weigthed\": {}}\n      |  ^\n   \
         help: did you mean `weighted`?\n   allowed: turns, weighted, static"
    );
    let error = parse::<ToySpec>("f.json", "{}").unwrap_err();
    assert_eq!(error.allowed, ToySpec::NAMES);
}

#[test]
fn names_are_those_of_the_list() {
    assert_eq!(ToySpec::NAMES, ["turns", "weighted", "static"]);
    assert_eq!(ToySpec::from(Fixed {}).name(), "static");
}

#[test]
fn the_object_form_is_written() {
    let toys = [ToySpec::from(Turns { step: 3 }), Fixed {}.into()];
    assert_eq!(
        serde_json::to_value(toys).unwrap(),
        json!([{"turns": {"step": 3}}, {"static": {}}])
    );
}

#[test]
fn the_trait_is_reached() {
    let toys: Vec<ToySpec> = serde_json::from_str(r#"["turns", {"weighted": {"weights": []}}, "static"]"#).unwrap();
    let built: Vec<String> = toys.iter().map(|toy| toy.as_dyn().build()).collect();
    assert_eq!(built, ["turns of 2", "0 weights", "fixed"]);
}

#[test]
fn the_schema_has_both_spellings() {
    let schema = schemars::schema_for!(ToySpec).to_value();
    assert_eq!(
        schema["description"],
        "A toy, as a file names it.\n\nIt has a second paragraph."
    );
    assert_eq!(
        schema["oneOf"],
        json!([
            {"const": "turns", "description": "Each in turn."},
            {
                "type": "object",
                "properties": {"turns": {"$ref": "#/$defs/Turns"}},
                "required": ["turns"],
                "additionalProperties": false,
                "description": "Each in turn."
            },
            {
                "type": "object",
                "properties": {"weighted": {"$ref": "#/$defs/Weighted"}},
                "required": ["weighted"],
                "additionalProperties": false,
                "description": "Each by its weight."
            },
            {"const": "static"},
            {
                "type": "object",
                "properties": {"static": {"$ref": "#/$defs/Fixed"}},
                "required": ["static"],
                "additionalProperties": false
            },
        ])
    );
    assert_eq!(
        schema["$defs"]["Turns"]["properties"]["step"]["description"],
        "How many at a time."
    );
}

#[test]
fn a_header_is_the_inner_documentation_that_a_file_begins_with() {
    for (source, header) in [
        (
            "//! One.\n//!\n//! Zwei: ä.\n\nuse x;\n//! no more",
            "//! One.\n//!\n//! Zwei: ä.\n",
        ),
        ("//! alone", "//! alone"),
        ("use x;\n//! late", ""),
        ("", ""),
    ] {
        assert_eq!(header_length(source), header.len(), "{source}");
    }
    assert_eq!(beginning::<4>("//! One."), *b"//! ");
}
