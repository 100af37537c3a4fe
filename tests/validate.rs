//! `simcap validate` as a user meets it: the verdict and its exit code, the model file, and what a run then says of the model.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::fmt::Write as _;

use crate::common::command::{simcap, text};

/// A model whose TTFT lies evenly between two times, and 400 requests whose TTFT lies evenly between 300 and 500 ms, 20 ms a
/// token after that, in the form of llmperf.
fn folder(from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let model = format!(
        r#"{{ "model": "mine", "default": "day", "variants": {{ "day": {{
            "source": "a test", "ttft": {{ "uniform": {{ "min": "{from}", "max": "{to}" }} }}, "tps": {{ "constant": 50 }},
            "network": "0ms", "prices": {{ "input": "$1/Mtok", "output": "$1/Mtok" }}, "faults": {{}} }} }} }}"#
    );
    std::fs::write(folder.path().join("mine.json"), model).unwrap();
    let rows = (0..400).map(|i| {
        let ttft = 0.3 + 0.2 * (f64::from(i * 149 % 400) + 0.5) / 400.0;
        format!(
            r#"{{"error_code": null, "ttft_s": {ttft}, "end_to_end_latency_s": {}, "number_output_tokens": 51,
                "number_input_tokens": 100}}"#,
            ttft + 1.0
        )
    });
    let rows: Vec<String> = rows.collect();
    std::fs::write(folder.path().join("log.json"), format!("[{}]", rows.join(","))).unwrap();
    folder
}

#[test]
fn a_model_that_predicts_is_calibrated_and_reports_quote_it() {
    let folder = folder("300ms", "500ms");
    let output = simcap(folder.path(), &["validate", "mine.json", "log.json"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let printed = text(&output.stdout);
    assert!(printed.contains("\nverdict: p95 TTFT predicted within "), "{printed}");
    assert!(
        printed.contains("(400 held-out probes, 20") && printed.contains("): equivalent within 10 %\n"),
        "{printed}"
    );
    assert!(printed.contains("note: the log has no times: "), "{printed}");
    assert!(folder.path().join("reports/validate-mine/validation.json").is_file());
    let page = std::fs::read_to_string(folder.path().join("reports/validate-mine/validation.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 3);
    // The model file now has it, still reads as a model, and a run quotes it.
    let experiment = r#"{ "name": "x",
        "traffic": { "arrivals": { "poisson": { "rate": "1/s" } },
                     "classes": { "all": { "input": { "constant": 10 }, "output": { "constant": 10 } } } },
        "providers": { "a": { "model": "mine.json" }, "b": { "model": "gpt-4.1" } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "a" } } } ],
        "plan": { "duration": "100s", "replications": 2 } }"#;
    std::fs::write(folder.path().join("x.json"), experiment).unwrap();
    let output = simcap(folder.path(), &["run", "x.json"]);
    let printed = text(&output.stdout);
    assert!(
        printed.contains(": p95 TTFT predicted within "),
        "{printed}{}",
        text(&output.stderr)
    );
    assert!(
        printed.contains("error in the figures of `b`: published or assumed"),
        "{printed}"
    );
}

#[test]
fn one_that_does_not_fails_the_objective_and_may_be_left_as_it_is() {
    let folder = folder("400ms", "650ms");
    let before = std::fs::read(folder.path().join("mine.json")).unwrap();
    let output = simcap(
        folder.path(),
        &["validate", "mine.json", "log.json", "--no-write", "--out", "there"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("): not equivalent within 10 %\n"));
    assert!(folder.path().join("there/validation.html").is_file());
    assert_eq!(std::fs::read(folder.path().join("mine.json")).unwrap(), before);
}

#[test]
fn what_is_wrong_is_told_before_any_work() {
    let folder = folder("300ms", "500ms");
    for (arguments, message) in [
        (
            &["validate", "mine.json", "log.json", "--margin", "0"][..],
            "error: --margin: \"0\" is not a share above 0 and below 1, like 10% or 0.1\n",
        ),
        (
            &["validate", "mine.json", "log.json", "--variant", "night"],
            "error: the model has no variant `night`; it has day\n",
        ),
        (
            &["validate", "mine.json", "log.json", "--map", "tfft=x"],
            "error: --map: no field `tfft`; there are at, first, end, ttft, tpot, e2e, dispatch, input, output, cached, \
             reasoning, target, status, error (did you mean `ttft`?)\n",
        ),
    ] {
        let output = simcap(folder.path(), arguments);
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(2), message.to_owned())
        );
        assert!(!folder.path().join("reports").exists());
    }
}

/// Two logs of one endpoint that answers a hundred requests in each window of a minute, of which one begins 25 s after the first
/// request: two a second for 40 s; and from 200 s on four a second, by a client that waits where it is refused, which is once.
fn two_logs(folder: &std::path::Path) {
    let (mut window, mut used) = (i64::MIN, 0);
    let mut answered = |at: u64| {
        let place = (at as i64 - 25_000_000).div_euclid(60_000_000);
        if place > window {
            (window, used) = (place, 0);
        }
        used += 1;
        let ends = ((place + 1) * 60_000_000 + 25_000_000) as u64;
        (used <= 100)
            .then_some(())
            .ok_or((ends - at).div_ceil(1_000_000) * 1_000_000)
    };
    for (name, begins, gap, many) in [("one", 0, 500_000, 80_u64), ("two", 200_000_000, 250_000, 200)] {
        let mut lines = format!(
            r#"{{"run":{{"format":"simcap.probes/1","version":"0.1.0","unix_us":{},"seed":1,"plan":"00","targets":["mine","else"]}}}}"#,
            1_700_000_000_000_000_u64 + begins
        );
        let mut due = 0;
        for id in 0..many {
            let first = 300_000 + 200_000 * (id * 149 % many) / many;
            let last = first + 1_000_000;
            let ended = match answered(begins + due) {
                Ok(()) => format!(
                    r#""first_content_us":{first},"last_token_us":{last},"end_us":{last},"usage":{{"input":100,"output":51}},"outcome":"success""#
                ),
                Err(pause) => {
                    format!(r#""end_us":1000,"status":429,"retry_after_us":{pause},"outcome":"rate_limited""#)
                }
            };
            write!(
                lines,
                "\n{{\"probe\":{{\"id\":{id},\"target\":\"mine\",\"class\":\"c\",\"stream\":true,\"due_us\":{due},\"dispatch_us\":0,\
                 \"in_flight\":1,\"input_planned\":100,\"max_output\":51,{ended}}}}}"
            )
            .unwrap();
            due += match ended.split_once("retry_after_us\":") {
                Some((_, rest)) => rest.split(',').next().unwrap().parse().unwrap(),
                None => gap,
            };
        }
        std::fs::write(folder.join(format!("{name}.jsonl")), lines + "\n").unwrap();
    }
}

/// One of 280 is refused, in the log and in the simulation, whatever the order in which the logs are given. Laid on one clock, or with
/// a window from the first request on, or by a client that goes on sending, it would be a fifth of them.
#[test]
fn logs_are_replayed_by_the_clock_with_the_pauses_of_their_client() {
    let folder = folder("300ms", "500ms");
    two_logs(folder.path());
    let path = folder.path().join("mine.json");
    let model = std::fs::read_to_string(&path).unwrap();
    let quota = r#""limits": [{ "fixed_window": { "unit": "requests", "limit": 100, "window": "1m" } }], "faults""#;
    std::fs::write(&path, model.replace("\"faults\"", quota)).unwrap();
    for logs in [["one.jsonl", "two.jsonl"], ["two.jsonl", "one.jsonl"]] {
        let output = simcap(folder.path(), &["validate", "mine.json", logs[0], logs[1]]);
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{printed}{}", text(&output.stderr));
        assert!(printed.contains("errors: 0.36 % measured"), "{printed}");
        assert!(printed.contains("): equivalent within 10 %"), "{printed}");
        let found = std::fs::read(folder.path().join("reports/validate-mine/validation.json")).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&found).unwrap();
        let predicted = found["errors"]["predicted"].as_f64().unwrap();
        assert!((0.003..0.008).contains(&predicted), "{predicted}");
        let notes = found["notes"].to_string();
        for said in [
            "2 stretches of measurements, far apart in time",
            "the measuring client waited where it was refused",
            "of the log's targets (mine, else) `mine` is taken",
        ] {
            assert!(notes.contains(said), "{said} is not in {notes}");
        }
        assert!(found["calibration"]["rate"].as_f64().unwrap() > 1.0);
    }
}

/// Sixty requests do not tell p95: that is no failure, no score is written, and how many would tell is said.
#[test]
fn what_cannot_be_told_is_no_failure_and_leaves_no_score() {
    let folder = folder("300ms", "480ms");
    let log = folder.path().join("log.json");
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(&log).unwrap()).unwrap();
    std::fs::write(&log, serde_json::to_string(&rows[..20]).unwrap()).unwrap();
    let before = std::fs::read(folder.path().join("mine.json")).unwrap();
    let output = simcap(folder.path(), &["validate", "mine.json", "log.json"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("too few to tell within 10 %"), "{printed}");
    assert!(printed.contains(" requests like these would tell"), "{printed}");
    assert!(
        printed.contains("no score is written, as these measurements do not tell"),
        "{printed}"
    );
    assert_eq!(std::fs::read(folder.path().join("mine.json")).unwrap(), before);
}

/// Each form has the figures of the table; what else is said goes beside it, so that a program reads the result alone.
#[test]
fn a_validation_is_also_for_other_programs() {
    let folder = folder("400ms", "650ms");
    let of = |format: &str| {
        let output = simcap(
            folder.path(),
            &["validate", "mine.json", "log.json", "--no-write", "--format", format],
        );
        assert_eq!(output.status.code(), Some(1), "{format}");
        let said = text(&output.stderr);
        assert!(
            said.contains("report: reports/validate-mine") == (format != "table"),
            "{format}: {said}"
        );
        text(&output.stdout)
    };
    let table = of("table");
    assert!(table.contains("\nreport: "), "{table}");
    let json: serde_json::Value = serde_json::from_str(&of("json")).unwrap();
    let kept = std::fs::read(folder.path().join("reports/validate-mine/validation.json")).unwrap();
    assert_eq!(json, serde_json::from_slice::<serde_json::Value>(&kept).unwrap());
    let score = &json["calibration"]["metrics"]["ttft"]["quantiles"][0];
    let csv = of("csv");
    assert_eq!(
        csv.lines().next(),
        Some("figure,unit,measured,predicted,error,lo,hi,verdict")
    );
    let row = csv.lines().nth(1).unwrap();
    let begins = format!(
        "ttft.p50,seconds,{},{},{},",
        score["measured"], score["predicted"], score["error"]
    );
    assert!(row.starts_with(&begins) && row.ends_with(",not equivalent"), "{row}");
    assert!(csv.lines().last().unwrap().starts_with("errors,share,0,0,,,,"), "{csv}");
    let markdown = of("markdown");
    assert!(
        markdown.starts_with("# mine\n\nmine, variant day, against "),
        "{markdown}"
    );
    assert!(
        markdown.contains("\n| TTFT p50 | ")
            && markdown.contains("\n- note: the log has no times: ")
            && markdown.contains("\n- verdict: "),
        "{markdown}"
    );
}
