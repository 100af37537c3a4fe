//! `simcap validate` as a user meets it: the verdict and its exit code, the model file, and what a run then says of the model.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

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
