//! Files that are read as bytes, or that an experiment refers to: models and traces.

use std::path::Path;

use insta::assert_snapshot;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Traces, load};

use super::{GOOD, said_of};

/// What is said of an experiment that lies in a folder with `others`; the folder is called `DIR`.
fn said_in_folder(experiment: &[u8], others: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be written");
    let path = folder.path().join("shop.json");
    std::fs::write(&path, experiment).expect("a temporary folder can be written");
    for (name, text) in others {
        std::fs::write(folder.path().join(name), text).expect("a temporary folder can be written");
    }
    said_at(&path).replace(&folder.path().display().to_string(), "DIR")
}

fn said_at(path: &Path) -> String {
    match load(path, &Traces::default()) {
        Err(error) => error.to_string(),
        Ok(loaded) => match assemble(&loaded) {
            Err(error) => error.to_string(),
            Ok(_) => "nothing is wrong".into(),
        },
    }
}

#[track_caller]
fn edited(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(GOOD.matches(from).count(), 1);
    GOOD.replacen(from, to, 1).into_bytes()
}

const MODEL: &str = r#"{
  "model": "mine",
  "default": "lab",
  "variants": {
    "lab": {
      "source": "measured",
      "ttft": { "lognormal": { "median": "300ms", "sigma": 0.5 } },
      "tps": { "constant": 50 },
      "network": "10ms",
      "prices": { "input": "$1/Mtok", "output": "$2/Mtok" },
      "faults": {}
    }
  }
}"#;

/// What is said when the model `mine.json` has been edited.
#[track_caller]
fn said_of_model(from: &str, to: &str) -> String {
    assert_eq!(MODEL.matches(from).count(), 1);
    let experiment = edited(r#""claude-sonnet-4.5""#, r#""mine.json""#);
    said_in_folder(&experiment, &[("mine.json", &MODEL.replacen(from, to, 1))])
}

#[test]
fn comments_and_a_byte_order_mark_are_no_mistake() {
    let text = GOOD.replacen("\"traffic\"", "// who asks\n  /* and\n  when */ \"traffic\"", 1);
    assert_eq!(said_of(&format!("\u{feff}{text}")), "nothing is wrong");
}

#[test]
fn a_mistake_behind_a_byte_order_mark_has_its_place() {
    let text = GOOD.replacen("\"seed\": 1", "\"sead\": 1", 1);
    assert!(said_of(&format!("\u{feff}{text}")).starts_with("shop.json:62:67: plan.sead: unknown field `sead`"));
}

#[test]
fn an_empty_file() {
    assert_snapshot!(said_of(""), @r#"
    shop.json:1:1: the file is empty: a JSON value is missing
    "#);
}

#[test]
fn only_a_comment() {
    assert_snapshot!(said_of("// later\n"), @r#"
    shop.json:1:1: the file is empty: a JSON value is missing
        1 | // later
          | ^
    "#);
}

#[test]
fn not_json_at_all() {
    assert_snapshot!(said_of("name: shop\nplan:\n  duration: 1h\n"), @r#"
    shop.json:1:1: this is YAML, and no experiment
        1 | name: shop
          | ^
       help: an experiment is JSON, with comments if you like: `simcap init` writes one to start from
    "#);
}

#[test]
fn a_list_of_experiments() {
    assert_snapshot!(said_of("[]"), @r"
    shop.json:1:1: invalid type: a list, expected an object with the names of its fields
        1 | []
          | ^
    ");
}

#[test]
fn another_encoding() {
    assert_snapshot!(said_in_folder(b"\xff\xfe{\0}\0", &[]), @r#"
    DIR/shop.json:1:1: not UTF-8 text: found the byte 0xff
        1 | ��{ } 
          | ^
       help: the file is UTF-16: save it as UTF-8
    "#);
}

#[test]
fn a_byte_that_is_no_text() {
    let mut bytes = GOOD.as_bytes().to_vec();
    bytes[13] = 0xfc;
    assert_snapshot!(said_in_folder(&bytes, &[]), @r#"
    DIR/shop.json:2:12: not UTF-8 text: found the byte 0xfc
        2 |   "name": "�hop",
          |            ^
       help: save the file as UTF-8
    "#);
}

#[test]
fn a_file_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.json"), GOOD).unwrap();
    let said = said_at(&folder.path().join("shpo.json"));
    assert_snapshot!(said.replace(&folder.path().display().to_string(), "DIR"), @r#"
    DIR/shpo.json: there is no such file; did you mean DIR/shop.json?
    "#);
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let said = said_at(folder.path());
    assert_snapshot!(said.replace(&folder.path().display().to_string(), "DIR"), @r#"
    DIR: is a folder, not a file
    "#);
}

#[test]
fn a_model_file_that_is_not_there() {
    let experiment = edited(r#""claude-sonnet-4.5""#, r#""mine.json""#);
    assert_snapshot!(said_in_folder(&experiment, &[]), @r#"
    DIR/shop.json:18:24: providers.dear.model: cannot read DIR/mine.json: there is no such file
       18 |     "dear": { "model": "mine.json", "connections": 50 },
          |                        ^
    "#);
}

#[test]
fn a_good_model_file() {
    assert_eq!(said_of_model("measured", "measured again"), "nothing is wrong");
}

#[test]
fn a_model_file_that_is_not_json() {
    assert_snapshot!(said_of_model(r#""source": "measured","#, r#""source": "measured""#), @r#"
    DIR/mine.json:7:7: variants.lab: expected `,` or `}`
        7 |       "ttft": { "lognormal": { "median": "300ms", "sigma": 0.5 } },
          |       ^
       help: is a comma missing?
    "#);
}

#[test]
fn a_model_file_with_an_unknown_field() {
    assert_snapshot!(said_of_model("\"tps\"", "\"tsp\""), @r#"
    DIR/mine.json:8:7: variants.lab.tsp: unknown field `tsp`
        8 |       "tsp": { "constant": 50 },
          |       ^
       help: did you mean `tps`?
       allowed: source, date, ttft, fit, tps, prefill, network, load, prompt_cache, prices, context_window, limits, faults, quality, assumed, fitted_on, uncertainty, calibration
    "#);
}

#[test]
fn a_model_file_with_a_law_out_of_range() {
    assert_snapshot!(said_of_model("0.5", "-0.5"), @r#"
    DIR/mine.json:7:60: variants.lab.ttft.lognormal.sigma: sigma must be above 0 and finite, but is -0.5
        7 |       "ttft": { "lognormal": { "median": "300ms", "sigma": -0.5 } },
          |                                                            ^
    "#);
}

#[test]
fn a_model_file_without_its_default() {
    assert_snapshot!(said_of_model(r#""default": "lab""#, r#""default": "lib""#), @r#"
    DIR/mine.json:3:14: default: there is no variant `lib`
        3 |   "default": "lib",
          |              ^
       help: did you mean `lab`?
       allowed: lab
    "#);
}

#[test]
fn a_trace_that_is_published() {
    let replay = r#"{ "replay": { "trace": "AzureLLMInferenceTrace_conv.csv" } }"#;
    let experiment = edited(r#"{ "poisson": { "rate": "5/s" } }"#, replay);
    assert_snapshot!(said_in_folder(&experiment, &[]), @r#"
    DIR/shop.json:4:40: traffic.arrivals.replay.trace: there is no trace `AzureLLMInferenceTrace_conv.csv` beside this file or under SIMCAP_TRACES
        4 |     "arrivals": { "replay": { "trace": "AzureLLMInferenceTrace_conv.csv" } },
          |                                        ^
       help: it is published at github.com/Azure/AzurePublicDataset, folder data/, under CC-BY-4.0, under this very name; give its path with --trace, or its folder in the environment variable SIMCAP_TRACES
    "#);
}

#[test]
fn a_trace_of_ones_own() {
    let experiment = edited(
        r#"{ "poisson": { "rate": "5/s" } }"#,
        r#"{ "replay": { "trace": "mine.csv" } }"#,
    );
    assert_snapshot!(said_in_folder(&experiment, &[]), @r#"
    DIR/shop.json:4:40: traffic.arrivals.replay.trace: there is no trace `mine.csv` beside this file or under SIMCAP_TRACES
        4 |     "arrivals": { "replay": { "trace": "mine.csv" } },
          |                                        ^
    "#);
}

#[test]
fn a_trace_with_a_bad_row() {
    let experiment = edited(
        r#"{ "poisson": { "rate": "5/s" } }"#,
        r#"{ "replay": { "trace": "mine.csv" } }"#,
    );
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n0.0,100,10\n1.5,many,10\n";
    assert_snapshot!(said_in_folder(&experiment, &[("mine.csv", trace)]), @r#"
    DIR/mine.csv: line 3: ContextTokens: "many" is not a number of tokens, from 0 to 4294967295
    "#);
}

#[test]
fn lengths_beside_a_trace() {
    let experiment = edited(
        r#"{ "poisson": { "rate": "5/s" } }"#,
        r#"{ "replay": { "trace": "mine.csv" } }"#,
    );
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n0.0,100,10\n600,90,10\n";
    assert_snapshot!(said_in_folder(&experiment, &[("mine.csv", trace)]), @r#"
    DIR/shop.json:6:39: traffic.classes.easy.input: the trace has its own lengths: leave this out
        6 |       "easy": { "share": 70, "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "max"…
          |                                       ^
    "#);
}
