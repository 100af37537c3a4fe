//! `simcap fit` as a user meets it: a model that a run takes, and errors that say what is wrong.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

#[path = "common/command.rs"]
mod command;

use std::fmt::Write as _;
use std::path::Path;

use command::{simcap, text};

/// 120 probes, one a second: TTFT climbs from 400 ms to 519 ms in a scrambled order, 50 tokens a second.
fn probes(folder: &Path) {
    let mut lines = concat!(
        r#"{"run":{"format":"simcap.probes/1","version":"0.1.0","unix_us":1700000000000000,"seed":1,"plan":"00","#,
        r#""targets":["gpt/mini"]}}"#,
        "\n"
    )
    .to_owned();
    for i in 0..120_u64 {
        let first = 400_000 + 1_000 * (i * 53 % 120);
        let last = first + 1_980_000;
        writeln!(
            lines,
            r#"{{"probe":{{"id":{i},"target":"gpt/mini","class":"c","stream":true,"due_us":{due},"dispatch_us":0,"in_flight":1,"input_planned":500,"max_output":100,"first_content_us":{first},"last_token_us":{last},"end_us":{last},"usage":{{"input":500,"output":100}},"outcome":"success"}}}}"#,
            due = i * 1_000_000
        )
        .unwrap();
    }
    std::fs::write(folder.join("probes.jsonl"), lines).unwrap();
}

#[test]
fn a_log_becomes_a_model_that_a_run_takes() {
    let folder = tempfile::tempdir().unwrap();
    probes(folder.path());
    let output = simcap(folder.path(), &["fit", "probes.jsonl", "--prices-from", "gpt-4.1"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let printed = text(&output.stdout);
    for part in [
        "84 requests fitted, 36 held out",
        "Taken: ",
        "not estimable",
        "The model is in gpt-mini.json.",
    ] {
        assert!(printed.contains(part), "{part} is not in:\n{printed}");
    }
    let experiment = r#"{
        "name": "x",
        "traffic": {
            "arrivals": { "regular": { "rate": "1/s" } },
            "classes": { "c": { "input": { "constant": 500 }, "output": { "constant": 100 } } }
        },
        "providers": { "p": { "model": "gpt-mini.json" } },
        "policies": [{ "name": "one", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "100s", "warmup": "0s", "replications": 2 }
    }"#;
    std::fs::write(folder.path().join("x.json"), experiment).unwrap();
    let output = simcap(folder.path(), &["check", "x.json"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn the_same_seed_prints_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    probes(folder.path());
    let once = || simcap(folder.path(), &["fit", "probes.jsonl", "--json", "--holdout", "0"]).stdout;
    let printed = once();
    assert_eq!(printed, once());
    let report: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(report["quantities"][0]["seen"], 120);
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    probes(folder.path());
    let refused = |arguments: &[&str]| {
        let output = simcap(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    assert_eq!(
        refused(&["fit", "probes.jsonl", "--target", "gpt/mimi"]),
        "error: \"gpt/mimi\" is no target of the log; did you mean \"gpt/mini\"?\n  targets: gpt/mini\n"
    );
    assert!(refused(&["fit", "nowhere.jsonl"]).starts_with("error: nowhere.jsonl: "));
    assert!(refused(&["fit", "probes.jsonl", "--prices-from", "gpt"]).contains("no model built in: deepseek-v3.2"));
    assert!(refused(&["fit", "probes.jsonl", "--holdout", "1"]).contains("a share from 0 to 0.9"));
    assert!(!folder.path().join("gpt-mini.json").exists());
}
