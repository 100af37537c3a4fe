//! `simcap fit` on logs as other tools write them: what stands in them is read, and what does not is said.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::command::{simcap, text};

/// The report of `simcap fit` on this text as a log.
fn fitted(folder: &Path, log: &str, arguments: &[&str]) -> Value {
    std::fs::write(folder.join("log"), log).unwrap();
    let output = simcap(
        folder,
        &[&["fit", "log", "--json", "--refits", "0"], arguments].concat(),
    );
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What `simcap fit` says of this text when it refuses it.
fn refused(folder: &Path, log: &str, arguments: &[&str]) -> String {
    std::fs::write(folder.join("log"), log).unwrap();
    let output = simcap(folder, &[&["fit", "log"], arguments].concat());
    assert_eq!(output.status.code(), Some(2));
    text(&output.stderr)
}

/// The measured percentile of a quantity in milliseconds.
fn percentile(report: &Value, quantity: usize, share: f64) -> f64 {
    let all = report["quantities"][quantity]["percentiles"].as_array().unwrap();
    let of = all.iter().find(|p| p["share"] == json!(share)).unwrap();
    1e3 * of["measured"].as_f64().unwrap()
}

fn notes(report: &Value) -> String {
    let lines = [&report["notes"], &report["cannot_tell"]].map(|list| list.as_array().unwrap().clone());
    lines
        .concat()
        .iter()
        .map(|line| line.as_str().unwrap().to_owned() + "\n")
        .collect()
}

/// GuideLLM's `--sample-requests 100` keeps 100 of 3,888 answers and 100 of 112 failures: 2.8 % of 4,000 failed.
#[test]
fn a_sample_of_requests_has_the_rates_of_its_totals() {
    let request = |i: u32, more: Value| {
        let mut request = json!({
            "request_start_time": 1_790_000_000.0 + f64::from(i), "request_end_time": 1_790_000_002.0 + f64::from(i),
            "request_latency": 2.0, "prompt_tokens": 200, "output_tokens": 101
        });
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        request
    };
    let good = (0..100).map(|i| {
        let ttft = 200.0 + f64::from(i * 37 % 100);
        request(
            i,
            json!({ "time_to_first_token_ms": ttft, "inter_token_latency_ms": 18.0 }),
        )
    });
    let bad = (0..100).map(|i| {
        let error = "HTTPStatusError(\"Server error '503 Service Unavailable' for url 'x'\")";
        request(i, json!({ "info": { "error": error } }))
    });
    let report = json!({
        "metadata": { "version": 2, "guidellm_version": "0.8.1" },
        "benchmarks": [{
            "config": { "backend": { "model": "m" }, "strategy": { "rate": 8.0 }, "sample_size": 100 },
            "metrics": { "request_totals": { "successful": 3888, "errored": 112, "incomplete": 0, "total": 4000 } },
            "duration": 500.0,
            "requests": { "successful": good.collect::<Vec<_>>(), "errored": bad.collect::<Vec<_>>(), "incomplete": [] }
        }]
    });
    let folder = tempfile::tempdir().unwrap();
    let report = fitted(folder.path(), &report.to_string(), &[]);
    let error = &report["errors"][0];
    assert_eq!(
        (&error["many"], &error["of"], &error["becomes"]),
        (&json!(112), &json!(4000), &json!("faults.unavailable"))
    );
    assert_eq!(report["steps"][0]["requested"], json!(8.0));
    let said = notes(&report);
    assert!(said.contains("keeps a sample of its requests, 200 of 4000"), "{said}");
    assert!(
        said.contains("saturation, drift and requests in flight: the log keeps a sample"),
        "{said}"
    );
}

/// A lognormal law through a median of 150 ms and a p99 of 234 ms.
#[test]
fn two_percentiles_and_a_mean_make_a_law() {
    let folder = tempfile::tempdir().unwrap();
    let log = |ttft: &str| {
        format!(
            r#"{{"backend": "vllm", "model_id": "m", "request_rate": "inf", "duration": 80.0, "completed": 400, "failed": 0,
            "total_input_tokens": 200000, "total_output_tokens": 60000, "request_throughput": 5.0, "mean_ttft_ms": 153.0,
            {ttft} "mean_tpot_ms": 20.0, "median_tpot_ms": 19.8, "p99_tpot_ms": 22.4}}"#
        )
    };
    let report = fitted(
        folder.path(),
        &log(r#""median_ttft_ms": 150.0, "p99_ttft_ms": 234.0,"#),
        &[],
    );
    assert_eq!(
        (percentile(&report, 0, 0.5), percentile(&report, 0, 0.99)),
        (150.0, 234.0)
    );
    let ttft = &report["quantities"][0];
    assert_eq!(ttft["taken"], json!("lognormal"));
    assert!(
        (ttft["percentiles"][1]["fitted"].as_f64().unwrap() - 0.234).abs() < 1e-4,
        "{ttft}"
    );
    let said = refused(folder.path(), &log(r#""median_ttft_ms": 150.0,"#), &[]);
    assert!(
        said.contains("no law for the TTFT of m: it takes 2 percentiles")
            && said.contains("there are: p50. Measure with more"),
        "{said}"
    );
}

/// A line a run, with Python's `Infinity`, and end-to-end times under SGLang's names.
#[test]
fn results_that_python_appended_are_read() {
    let line = |rate: &str, p50: f64, p99: f64| {
        format!(
            r#"{{"backend": "sglang", "request_rate": {rate}, "duration": 40.0, "completed": 160, "total_output_tokens": 30720,
            "request_throughput": 4.0, "mean_e2e_latency_ms": 3900.0, "median_e2e_latency_ms": 3800.0,
            "p90_e2e_latency_ms": 5000.0, "p99_e2e_latency_ms": 6100.0, "mean_ttft_ms": 200.0, "median_ttft_ms": {p50},
            "p99_ttft_ms": {p99}, "mean_tpot_ms": NaN, "median_tpot_ms": 19.2, "p99_tpot_ms": 25.0}}"#
        )
        .replace('\n', "")
    };
    let folder = tempfile::tempdir().unwrap();
    let text = line("Infinity", 150.0, 700.0) + "\n" + &line("4.0", 100.0, 260.0) + "\n";
    let report = fitted(folder.path(), &text, &[]);
    assert_eq!(report["files"], json!(["log (SGLang bench_serving JSON, 2 results)"]));
    let steps: Vec<_> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["name"].clone(), s["requests"].clone()))
        .collect();
    assert_eq!(
        steps,
        [
            (json!("log, result 1"), json!(160)),
            (json!("log, result 2"), json!(160))
        ]
    );
    // The geometric mean of both: sqrt(150 × 100) ms.
    assert!((percentile(&report, 0, 0.5) - 15_000_f64.sqrt()).abs() < 0.01);
}

/// A page of LiteLLM's `/spend/logs/v2` is its rows.
#[test]
fn a_page_of_spend_logs_is_its_rows() {
    let row = |i: u32| {
        let second = |s: f64| format!("2026-03-01T00:{:02}:{:09.6}Z", i, s);
        json!({ "request_id": format!("r{i}"), "startTime": second(1.0), "endTime": second(3.0 + f64::from(i % 7)),
                "completionStartTime": second(1.2 + 0.01 * f64::from(i * 29 % 60)), "model": "gpt-x", "status": "success",
                "prompt_tokens": 100, "completion_tokens": 90, "metadata": {} })
    };
    let rows: Vec<Value> = (0..60).map(row).collect();
    let folder = tempfile::tempdir().unwrap();
    let page =
        |total: u32| json!({ "data": rows, "total": total, "page": 1, "page_size": 60, "total_pages": 9 }).to_string();
    let list = fitted(folder.path(), &json!(rows).to_string(), &[]);
    let whole = fitted(folder.path(), &page(60), &[]);
    assert_eq!(list["requests"], json!(60));
    assert_eq!(list, whole);
    let part = fitted(folder.path(), &page(500), &[]);
    assert!(notes(&part).contains("with 60 rows of 500: the other pages are missing"));
}

/// Local time over the end of summer time in Berlin, with `;`, decimal commas, missing values and CRLF.
#[test]
fn a_table_in_local_time_is_read_with_its_zone() {
    let mut log = "Zeitpunkt;HTTP;erstes;gesamt;aus\r\n".to_owned();
    // From 02:50 summer time on, a request each 6 s for 40 minutes; clocks step back after ten.
    for i in 0..400_u32 {
        let minutes = 170 + i / 10 - if i >= 100 { 60 } else { 0 };
        let (first, whole) = (300 + i * 83 % 100, 2 + i % 3);
        let (status, first, output) = if i % 50 == 49 {
            ("500", "NA".to_owned(), "0")
        } else {
            ("200", format!("{first},5"), "90")
        };
        let second = i % 10 * 6;
        write!(
            log,
            "26.10.2025 {:02}:{:02}:{second:02};{status};{first};{whole},25;{output}\r\n",
            minutes / 60,
            minutes % 60
        )
        .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let map = |zone: &str, status: &str| format!("at=Zeitpunkt{zone},ttft=erstes:ms,e2e=gesamt,output=aus{status}");
    let report = fitted(folder.path(), &log, &["--map", &map(":Europe/Berlin", ",status=HTTP")]);
    assert_eq!(
        (&report["errors"][0]["many"], &report["errors"][0]["of"]),
        (&json!(8), &json!(400))
    );
    assert_eq!(report["steps"][0]["lasts"], json!(2394.0));
    assert!(!notes(&report).contains("steps back"));

    let utc = fitted(folder.path(), &log, &["--map", &map("", ",status=HTTP")]);
    assert!(
        notes(&utc).contains("the clock steps back by 3594 s at line 102"),
        "{}",
        notes(&utc)
    );
    let unmapped = fitted(folder.path(), &log, &["--map", &map(":Europe/Berlin", "")]);
    let said = notes(&unmapped);
    assert!(
        said.contains("8 rows left out: neither a status, an error nor an answer"),
        "{said}"
    );
    assert!(said.contains("a rate of failures cannot be told"), "{said}");
    assert_eq!(unmapped["requests"], json!(392));
    let wrong = log.replace("26.10.2025 02:29:48;200;", "26.10.2025 02:29:48;200;x");
    let said = refused(folder.path(), &wrong, &["--map", &map("", "")]);
    assert!(said.contains("log: line 400, ttft: \"x"), "{said}");
}

/// Answers of 0.2 s to 0.4 s and 1.5 s of tokens from 12 slots, first come first served: a ladder of 22 s steps, and 24 at once.
#[test]
fn slots_are_found_from_a_ladder_and_a_closed_loop() {
    let folder = tempfile::tempdir().unwrap();
    let mut draws = 1_u64;
    let mut unit = || {
        draws = draws
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (draws >> 11) as f64 / 2f64.powi(53)
    };
    /// The step and the time of the next probe, given its number and when those before it ended.
    type Sent<'a> = &'a mut dyn FnMut(usize, &[f64]) -> Option<(u32, f64)>;
    let mut write = |name: &str, unix: u64, sent: Sent<'_>| {
        let mut text = format!(
            "{{\"run\":{{\"format\":\"simcap.probes/1\",\"version\":\"0.1.0\",\"unix_us\":{unix},\"seed\":1,\"plan\":\"00\",\
             \"targets\":[\"m\"]}}}}\n"
        );
        let (mut free, mut ends) = ([0.0_f64; 12], Vec::<f64>::new());
        let mut i = 0;
        while let Some((step, due)) = sent(i, &ends) {
            let slot = (0..12).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap();
            let begun = free[slot].max(due);
            let first = begun + 0.2 + 0.2 * unit();
            let end = first + 1.35 + 0.3 * unit();
            let there = 1 + ends.iter().filter(|end| **end > due).count();
            free[slot] = end;
            ends.push(end);
            let us = |s: f64| (s * 1e6).round() as u64;
            writeln!(
                text,
                r#"{{"probe":{{"id":{i},"target":"m","class":"c","stream":true,"step":{step},"due_us":{},"dispatch_us":0,"in_flight":{there},"input_planned":300,"max_output":120,"first_content_us":{},"last_token_us":{},"end_us":{},"usage":{{"input":300,"output":120}},"outcome":"success"}}}}"#,
                us(due), us(first - due), us(end - due), us(end - due)
            )
            .unwrap();
            i += 1;
        }
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    let mut clock = (0_u32, 0.0);
    write("ladder.jsonl", 1_700_000_000_000_000, &mut |_, _| {
        let rates = [1.0, 2.0, 4.0, 6.0, 8.0];
        clock.1 += 1.0 / rates[clock.0 as usize];
        if clock.1 >= 22.0 * f64::from(clock.0 + 1) {
            clock.0 += 1;
        }
        (clock.0 < 5).then_some(clock)
    });
    write("closed.jsonl", 1_700_000_300_000_000, &mut |i, ends| {
        // Each of 24 sends its next when its last has ended: in order, the i-th after 24 begins at the (i − 24)-th end.
        let mut sorted = ends.to_vec();
        sorted.sort_by(f64::total_cmp);
        (i < 300).then(|| (0, if i < 24 { 0.0 } else { sorted[i - 24] }))
    });
    let output = simcap(
        folder.path(),
        &["fit", "ladder.jsonl", "closed.jsonl", "--json", "--refits", "0"],
    );
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let slots = &report["slots"];
    assert_eq!(
        (&slots["slots"], &slots["least"], &slots["most"]),
        (&json!(12), &json!(12), &json!(12))
    );
    let closed = report["steps"].as_array().unwrap().last().unwrap();
    let why = closed["saturated"].as_str().unwrap();
    assert!(why.contains("waited for a slot: up to 24 at once, 12 served"), "{why}");
    assert!(
        (percentile(&report, 0, 0.5) - 300.0).abs() < 15.0,
        "{}",
        percentile(&report, 0, 0.5)
    );
    let said = notes(&report);
    assert!(
        said.contains("a quota by the minute: no step of load lasts one"),
        "{said}"
    );
    let model = std::fs::read_to_string(folder.path().join("m.json")).unwrap();
    let model: Value = serde_json::from_str(&model).unwrap();
    assert_eq!(model["variants"]["measured"]["load"][0]["slots"]["servers"], json!(12));
}

/// Two targets of a log: a model of each, and the experiment that compares them, which a run takes as it is.
#[test]
fn targets_become_models_and_the_experiment_that_compares_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = "at,model,ttft,e2e,in,out,status\n".to_owned();
    for i in 0..120_u32 {
        for (model, slower) in [("a/one", 0), ("two", 150)] {
            let ttft = 200 + slower + i * 37 % 120;
            writeln!(
                log,
                "{},{model},{ttft},{},300,{},200",
                1_700_000_000 + i,
                ttft + 1_000,
                40 + i % 30
            )
            .unwrap();
        }
    }
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    let map = "at=at,target=model,ttft=ttft:ms,e2e=e2e:ms,input=in,output=out,status=status";
    let fit = |experiment: &str| {
        simcap(
            folder.path(),
            &[
                "fit",
                "log.csv",
                "--map",
                map,
                "--refits",
                "0",
                "--experiment",
                experiment,
            ],
        )
    };
    let output = fit("try.json");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(
        text(&output.stdout)
            .contains("The experiment is in try.json. Next: simcap check try.json, and then simcap run try.json")
    );
    let written = std::fs::read_to_string(folder.path().join("try.json")).unwrap();
    let experiment: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(
        experiment["providers"],
        json!({ "a-one": { "model": "a-one.json" }, "two": { "model": "two.json" } })
    );
    assert_eq!(
        experiment["traffic"]["arrivals"],
        json!({ "poisson": { "rate": "1/s" } })
    );
    let policies: Vec<_> = experiment["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].clone())
        .collect();
    assert_eq!(policies, ["all-a-one", "all-two", "round-robin"]);
    let output = simcap(folder.path(), &["check", "try.json"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    // It may have been worked on since.
    let output = fit("try.json");
    assert!(
        text(&output.stdout).contains("try.json was there already and stays as it was"),
        "{}",
        text(&output.stderr)
    );
    // A model would be written over it.
    let output = fit("two.json");
    assert_eq!(output.status.code(), Some(2));
    std::fs::write(folder.path().join("two.json"), "{}").unwrap();
    let output = fit("other.json");
    assert!(
        text(&output.stderr).contains("two.json: it is there already and is no model"),
        "{}",
        text(&output.stderr)
    );
}
