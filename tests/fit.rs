//! `simcap fit` as a user meets it: a model that a run takes, and errors that say what is wrong.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::fmt::Write as _;
use std::path::Path;

use crate::common::command::{simcap, text};

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
        "report: reports/fit-gpt-mini/fit.html",
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
fn names_are_whole_on_a_terminal_of_80_columns() {
    let folder = tempfile::tempdir().unwrap();
    probes(folder.path());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_simcap"));
    command
        .args(["fit", "probes.jsonl", "--refits", "19"])
        .env("COLUMNS", "80");
    let printed = text(&command.current_dir(folder.path()).output().unwrap().stdout);
    for name in [
        "\nlognormal + Pareto tail ",
        "\nshift + lognormal ",
        "\ntwo lognormals ",
    ] {
        assert!(printed.contains(name), "{name} is not in:\n{printed}");
    }
    assert!(!printed.contains('…'), "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 80), "{printed}");
}

#[test]
fn its_pictures_need_nothing_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    probes(folder.path());
    let output = simcap(
        folder.path(),
        &["fit", "probes.jsonl", "--name", "<b>mine</b>", "--report", "there"],
    );
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let page = std::fs::read_to_string(folder.path().join("there/fit.html")).unwrap();
    // The slow end and the quantiles, of TTFT and of speed; input and load did not vary.
    assert_eq!(page.matches("<svg").count(), 4);
    for part in [
        "&lt;b&gt;mine",
        "Pareto tail",
        "<td class=\"strong\">",
        "What these measurements cannot tell",
    ] {
        assert!(page.contains(part), "{part} is not in:\n{page}");
    }
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for outside in [
        "<script", "http:", "https:", "src=", "@import", "url(", "NaN", "<b>mine",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    let report = std::fs::read_to_string(folder.path().join("there/fit.json")).unwrap();
    assert!(report.contains("\"cannot_tell\""));
}

#[test]
fn prices_are_those_that_the_probes_were_counted_with_unless_others_are_said() {
    let folder = tempfile::tempdir().unwrap();
    probes(folder.path());
    let path = folder.path().join("probes.jsonl");
    let fitted = |arguments: &[&str]| {
        let output = simcap(
            folder.path(),
            &[&["fit", "probes.jsonl", "--refits", "0"], arguments].concat(),
        );
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
        let model = std::fs::read_to_string(folder.path().join("gpt-mini.json")).unwrap();
        let model: serde_json::Value = serde_json::from_str(&model).unwrap();
        let measured = &model["variants"]["measured"];
        let assumed = measured["assumed"]["prices"].as_str().map(str::to_owned);
        (text(&output.stdout), measured["prices"].clone(), assumed)
    };
    // A file of before there were prices.
    let (printed, _, _) = fitted(&[]);
    assert!(printed.contains("It has no prices"), "{printed}");
    let log = std::fs::read_to_string(&path).unwrap();
    let prices = r#""targets":["gpt/mini"],"prices":{"gpt/mini":{"input":"$3/Mtok","output":"$7/Mtok","cached_input":"$1/Mtok"}}}}"#;
    std::fs::write(&path, log.replacen(r#""targets":["gpt/mini"]}}"#, prices, 1)).unwrap();
    let (printed, found, assumed) = fitted(&[]);
    assert!(
        printed.contains("Its prices are those that `simcap calibrate` counted the probes with"),
        "{printed}"
    );
    assert!(!printed.contains("It has no prices") && assumed.unwrap().contains("simcap calibrate"));
    assert_eq!(found["input"], "$3/Mtok");
    assert_eq!(found["output"], "$7/Mtok");
    assert_eq!(found["cached_input"], "$1/Mtok");
    let (_, found, assumed) = fitted(&["--price-input", "$5/Mtok", "--price-output", "$6/Mtok"]);
    assert_eq!((found["input"].as_str(), assumed), (Some("$5/Mtok"), None));
}

/// The score of a model is of its parameters: others have none.
#[test]
fn a_score_does_not_outlive_the_parameters_it_was_of() {
    let folder = tempfile::tempdir().unwrap();
    probes(folder.path());
    let fit = || {
        text(
            &simcap(
                folder.path(),
                &["fit", "probes.jsonl", "--out", "mine.json", "--refits", "0"],
            )
            .stdout,
        )
    };
    let scored = || {
        std::fs::read_to_string(folder.path().join("mine.json"))
            .unwrap()
            .contains("\"calibration\"")
    };
    assert!(!fit().contains("had a score") && !scored());
    simcap(folder.path(), &["validate", "mine.json", "probes.jsonl"]);
    assert!(scored());
    let printed = fit().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        printed.contains("the model that was in mine.json had a score (measured: "),
        "{printed}"
    );
    assert!(
        printed.contains("it belonged to its old parameters and is gone with them"),
        "{printed}"
    );
    assert!(!scored());
}

/// 120 answers, each whole within a fifth of a millisecond, as a proxy hands them over.
#[test]
fn answers_that_came_at_once_have_no_speed() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: u32| {
        let ttft = 0.4 + 0.001 * f64::from(i * 53 % 120);
        format!(
            r#"{{"error_code": null, "ttft_s": {ttft}, "end_to_end_latency_s": {}, "number_output_tokens": 20,
                "number_input_tokens": 100}}"#,
            ttft + 0.0002
        )
    };
    let rows: Vec<String> = (0..120).map(row).collect();
    std::fs::write(folder.path().join("log.json"), format!("[{}]", rows.join(","))).unwrap();
    let output = simcap(folder.path(), &["fit", "log.json", "--name", "m", "--refits", "0"]);
    let printed = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        printed.contains("the decode speed: 84 of 84 answers came at once"),
        "{printed}"
    );
    assert!(!printed.contains("Decode speed: 84 seen"), "{printed}");
    let model = std::fs::read_to_string(folder.path().join("m.json")).unwrap();
    assert!(model.contains("no decode speed could be measured"), "{model}");
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
        "error: \"gpt/mimi\" is not a target of the log; did you mean \"gpt/mini\"?\n  targets: gpt/mini\n"
    );
    assert!(refused(&["fit", "nowhere.jsonl"]).starts_with("error: nowhere.jsonl: "));
    assert!(refused(&["fit", "probes.jsonl", "--prices-from", "gpt"]).contains("not a built-in model: deepseek-v3.2"));
    assert!(refused(&["fit", "probes.jsonl", "./probes.jsonl"]).starts_with(
        "error: ./probes.jsonl: byte for byte the same as probes.jsonl: everything in it would count twice\n"
    ));
    assert!(
        refused(&["fit", "probes.jsonl", "--date", "2026-13-45"])
            .contains("there is no month 13; a date is YYYY-MM-DD")
    );
    assert!(refused(&["fit", "probes.jsonl", "--holdout", "1"]).contains("a share from 0 to 0.9"));
    assert!(!folder.path().join("gpt-mini.json").exists());
}
