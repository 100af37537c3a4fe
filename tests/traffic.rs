//! `simcap traffic` as a user meets it: what it says of a trace, the model that it writes, and that `run` takes it.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::command::{simcap, text};
use crate::common::traces;

/// Half an hour of 1,800 requests: one in every second at an irregular place of it.
fn trace() -> String {
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for i in 0..1800_u64 {
        let (at, input) = (i * 7_919 % 997, 200 + i * i % 900);
        writeln!(
            text,
            "2024-05-10 00:{:02}:{:02}.{at:03},{input},{}",
            i / 60,
            i % 60,
            20 + i * 31 % 70
        )
        .unwrap();
    }
    text
}

fn experiment(traffic: &Value) -> String {
    json!({
        "format": "simcap.experiment/2",
        "name": "server",
        "traffic": traffic,
        "providers": { "p": { "response": "100ms", "prices": { "per_request": { "price": "$0.001" } } } },
        "policies": [{ "name": "it", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "20m", "warmup": "0s", "replications": 3 },
    })
    .to_string()
}

/// What the command says of a trace, as JSON.
fn found(folder: &Path, arguments: &[&str]) -> Value {
    let output = simcap(folder, arguments);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_trace_becomes_the_traffic_of_an_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("mine.csv"), trace()).unwrap();
    let output = simcap(at, &["traffic", "mine.csv", "--out", "model"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let said = text(&output.stdout);
    for part in [
        "1,800 requests of 1,800 rows, in the form of Azure",
        "more regular than a Poisson process",
        "model/traffic.json",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    let traffic: Value = serde_json::from_slice(&fs::read(at.join("model/traffic.json")).unwrap()).unwrap();
    fs::write(at.join("x.json"), experiment(&traffic)).unwrap();
    let output = simcap(at, &["run", "x.json", "-q"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let result: Value = serde_json::from_slice(&fs::read(at.join("reports/server/result.json")).unwrap()).unwrap();
    let sent = result["policies"][0]["requests"].as_f64().unwrap();
    // Three times 20 minutes of one a second.
    assert!((sent / 3600.0 - 1.0).abs() < 0.03, "{sent}");
    let page = fs::read_to_string(at.join("model/traffic.html")).unwrap();
    assert!(
        page.matches("<svg").count() == 4 && !page.contains("src=\"http"),
        "{}",
        page.matches("<svg").count()
    );
    let report: Value = serde_json::from_slice(&fs::read(at.join("model/report.json")).unwrap()).unwrap();
    assert_eq!(report["model"]["traffic"], traffic);
    // The same once more, and in place of another traffic.
    let again = found(at, &["traffic", "mine.csv", "--fit", "again.json", "--format", "json"]);
    assert_eq!(again, report);
    let setting = format!("traffic={}", fs::read_to_string(at.join("again.json")).unwrap());
    let other = experiment(
        &json!({ "arrivals": { "poisson": { "rate": "9/s" } }, "classes": { "all": { "input": 1, "output": 1 } } }),
    );
    fs::write(at.join("y.json"), other).unwrap();
    let output = simcap(at, &["check", "y.json", "--set", &setting]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn other_columns_are_said_as_in_a_replay() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut rows = "when,model,in,out\n".to_owned();
    for i in 0..300 {
        writeln!(
            rows,
            "{},{},{},{}",
            1_700_000_000_000_u64 + i * 500,
            ["a", "b"][i as usize % 2],
            100 + i,
            7
        )
        .unwrap();
    }
    fs::write(at.join("mine.csv"), rows + "wrong,a,1,1\n").unwrap();
    let columns = [
        "--columns",
        "time=when,input=in,output=out,unit=ms",
        "--skip-bad-rows",
        "1",
    ];
    let all = found(
        at,
        &[&["traffic", "mine.csv", "--format", "json"][..], &columns].concat(),
    );
    let of = |found: &Value, what: &str| found["trace"][what].as_u64();
    assert_eq!((of(&all, "requests"), of(&all, "bad")), (Some(300), Some(1)));
    assert_eq!(all["trace"]["starts"], "2023-11-14T22:13Z");
    let some = found(
        at,
        &[
            &["traffic", "mine.csv", "--format", "json", "--only", "model=a"][..],
            &columns,
        ]
        .concat(),
    );
    assert_eq!((of(&some, "requests"), of(&some, "others")), (Some(150), Some(150)));
    let output = simcap(
        at,
        &[&["traffic", "mine.csv", "--format", "markdown"][..], &columns].concat(),
    );
    assert!(
        text(&output.stdout).contains("| Tokens | mean | p50 |"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("a.csv"), "when,in,out\n1,2,3\n").unwrap();
    fs::write(at.join("short.csv"), "TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n").unwrap();
    fs::write(at.join("packed.csv.zst"), [0x28, 0xb5, 0x2f, 0xfd, 0]).unwrap();
    fs::write(at.join("wide.csv"), [0xff, 0xfe, b'a']).unwrap();
    fs::write(at.join("empty.csv"), "").unwrap();
    for (arguments, wrong) in [
        (&["traffic", "a.csv"][..], "like --columns time=created_at"),
        (
            &["traffic", "a.csv", "--columns", "time=when,input=int,output=out"],
            "did you mean `in`?",
        ),
        (&["traffic", "none.csv"], "none.csv"),
        (&["traffic", "packed.csv.zst"], "cannot be unpacked by zstd"),
        (&["traffic", "wide.csv"], "it is not UTF-16 text"),
        (&["traffic", "empty.csv"], "empty.csv: it is empty"),
        (&["traffic", "short.csv", "--fit", "x.json"], "make no model"),
        (
            &["traffic", "short.csv", "short.csv", "--fit", "x.json"],
            "a model is of one",
        ),
        (
            &["traffic", "short.csv", "--only", "model"],
            "is not a column, `=` and a value",
        ),
    ] {
        let output = simcap(at, arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(wrong), "{arguments:?}: {said}");
        assert!(!at.join("x.json").exists());
    }
}

/// Figures by numpy 2.4 over the same file: `var(c, ddof=1) / mean(c)` of counts in windows from the first request on, `std / mean` of gaps, and
/// `percentile(..., method="inverted_cdf")`.
#[test]
fn an_hour_of_azures_chat_is_as_numpy_has_it() {
    let Some(path) = traces::find("AzureLLMInferenceTrace_conv.csv") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let found = found(
        folder.path(),
        &["traffic", path.to_str().unwrap(), "--fit", "x.json", "--format", "json"],
    );
    let it = &found["trace"];
    let near = |found: &Value, wanted: f64| {
        let found = found.as_f64().unwrap();
        assert!((found / wanted - 1.0).abs() < 1e-3, "{found} {wanted}");
    };
    assert_eq!(it["requests"], 19_366);
    near(&it["gap_cv"], 1.094_198);
    for (place, wanted) in [(0, 1.3855), (1, 3.868), (2, 16.4112)] {
        near(&it["dispersion"][place]["index"], wanted);
    }
    near(&it["input"]["mean"], 1_154.697);
    assert_eq!((&it["input"]["p50"], &it["output"]["p95"]), (&json!(1020), &json!(451)));
    // Its rate moves; about that it is nearly Poisson.
    let schedule = &found["model"]["traffic"]["arrivals"]["schedule"];
    assert!(schedule["points"].as_array().unwrap().len() >= 8, "{schedule}");
    let dispersion = found["model"]["checks"].as_array().unwrap();
    let of = dispersion
        .iter()
        .find(|check| check["figure"] == "dispersion, 10 s")
        .unwrap();
    assert_eq!(of["holds"], true, "{of}");
}

/// 21 prompts of 100,000 tokens among 2,000 of some 175: by straight lines between percentiles the model had half as many tokens again.
#[test]
fn the_model_has_the_tokens_of_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = "time,in,out\n".to_owned();
    for k in 0..2000_u64 {
        let input = if k % 94 == 50 { 100_000 } else { 150 + k % 50 };
        // Short outputs of short prompts, so that the two go together.
        writeln!(
            rows,
            "{}.{:03},{input},{}",
            k,
            k * 7_919 % 997,
            10 + k % 50 + k * 31 % 23
        )
        .unwrap();
    }
    fs::write(folder.path().join("mine.csv"), rows).unwrap();
    let columns = "time=time,input=in,output=out";
    let fitted = ["traffic", "mine.csv", "--columns", columns, "--fit", "m.json"];
    let all = found(folder.path(), &[&fitted[..], &["--format", "json"]].concat());
    let model = &all["model"];
    let of = |figure: &str| {
        let whole = model["whole"].as_array().unwrap();
        let it = whole.iter().find(|of| of["figure"] == figure).unwrap();
        (it["trace"].as_f64().unwrap(), it["model"].as_f64().unwrap())
    };
    for figure in ["input mean", "output mean"] {
        let (trace, model) = of(figure);
        assert!((model / trace - 1.0).abs() < 0.01, "{figure}: {model} for {trace}");
    }
    let (trace, kept) = of("rank correlation");
    assert!(trace > 0.7 && (kept - trace).abs() < 0.06, "{kept} for {trace}");
    let checks = model["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["figure"] == "rank correlation"),
        "{checks:?}"
    );
    let said = text(&simcap(folder.path(), &fitted).stdout);
    assert!(
        said.contains("The model's lengths, and the whole trace's: input mean"),
        "{said}"
    );
}

#[test]
fn advice_is_in_the_options_of_this_command() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut rows =
        "startTime,prompt_tokens,completion_tokens,end_user,team_id,userId,request_tags,Model,status\n".to_owned();
    for i in 0..30 {
        writeln!(
            rows,
            "2026-03-02T09:00:{i:02}.120Z,{},40,u{two},t{two},v{two},x{two},m{two},s{two}",
            100 + i,
            two = i % 2
        )
        .unwrap();
    }
    fs::write(at.join("spend.csv"), rows).unwrap();
    let it = &found(at, &["traffic", "spend.csv", "--format", "json"])["trace"];
    let warnings = it["warnings"].to_string();
    for option in [
        "--columns user=end_user",
        "--columns tag.team=team_id",
        "--columns user=userId",
        "--only",
    ] {
        assert!(warnings.contains(option), "{warnings}");
    }
    assert!(!warnings.contains("`replay`"), "{warnings}");
    fs::write(at.join("ms.csv"), "when,in,out\n1700000000000,2,3\n").unwrap();
    let output = simcap(at, &["traffic", "ms.csv", "--columns", "time=when,input=in,output=out"]);
    let said = text(&output.stderr);
    assert!(said.contains("with unit=ms") && !said.contains("`replay`"), "{said}");
}

/// More rows are written than a pipe holds, so that the command reads them; then it waits for others.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_with_a_message() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args(["traffic", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let rows = "2024-05-10 00:00:01,7,7\n".repeat(20_000);
    pipe.write_all(format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{rows}").as_bytes())
        .unwrap();
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().unwrap();
    drop(pipe);
    let said = text(&output.stderr);
    assert_eq!(
        (output.status.code(), said.as_str()),
        (Some(3), "error: interrupted: no model is written\n")
    );
}
