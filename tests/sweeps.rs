//! `simcap sweep` as a user calls it: an experiment at several values of one thing.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::common::command::{simcap, text};
use serde_json::{Value, json};

/// A server that takes 100 ms for each of ten at once: up to 100/s.
fn server() -> String {
    json!({
        "format": "simcap.experiment/2",
        "name": "server",
        "traffic": {
            "arrivals": { "poisson": { "rate": "20/s" } },
            "classes": { "a": { "input": { "constant": 10 }, "output": { "constant": 10 } } },
        },
        "providers": { "p": {
            "response": { "constant": "100ms" },
            "load": [{ "slots": { "servers": 10 } }],
            "prices": { "per_request": { "price": "$0.001" } },
        } },
        "policies": [{ "name": "it", "policy": { "single": { "provider": "p" } } }],
        "objectives": [{ "metric": "e2e.p95", "at_most": "300ms" }],
        "plan": { "duration": "2m", "warmup": "10s", "replications": 2 },
    })
    .to_string()
}

/// What `simcap` with these arguments does where the experiment comes by standard input.
fn piped(arguments: &[&str], experiment: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(experiment.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn every_point_is_the_run_with_that_value() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("server.json"), server()).unwrap();
    let out = simcap(
        folder.path(),
        &[
            "sweep",
            "server.json",
            "--set",
            "traffic.rate=20/s,150/s",
            "--format",
            "json",
        ],
    );
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let sweep: Value = serde_json::from_slice(&out.stdout).unwrap();
    let points = sweep["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    for point in points {
        let set = format!("traffic.rate={}", point["values"][0].as_str().unwrap());
        let run = ["run", "server.json", "--set", &set, "--out", "alone", "-q"];
        simcap(folder.path(), &run);
        let alone = std::fs::read(folder.path().join("alone/result.json")).unwrap();
        let alone: Value = serde_json::from_slice(&alone).unwrap();
        let of = |metrics: &Value| {
            let metrics = metrics.as_array().unwrap();
            metrics.iter().find(|m| m["metric"] == "e2e.p95").unwrap()["estimate"].clone()
        };
        let (found, expected) = (
            point["policies"][0]["figures"][0].clone(),
            of(&alone["policies"][0]["metrics"]),
        );
        assert_eq!(found, expected, "{set}");
    }
}

#[test]
fn standard_input_is_read_once_for_all_points() {
    let out = piped(
        &["sweep", "-", "--set", "traffic.rate=20..60/s:3", "--format", "csv"],
        &server(),
    );
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let rates: Vec<String> = text(&out.stdout)
        .lines()
        .skip(1)
        .filter_map(|line| Some(line.split(',').next()?.to_owned()))
        .collect();
    for rate in ["20/s", "40/s", "60/s"] {
        assert!(rates.iter().any(|of| of == rate), "{rate}: {rates:?}");
    }
}

/// What a run warns of at a point is not lost: one wording, and where it was said.
#[test]
fn warnings_of_points_are_kept() {
    let of = |format: &str| {
        piped(
            &["sweep", "-", "--set", "plan.replications=1,2", "--format", format],
            &server(),
        )
    };
    let sweep: Value = serde_json::from_slice(&of("json").stdout).unwrap();
    let warnings = sweep["warnings"].as_array().unwrap();
    let one = warnings
        .iter()
        .find(|w| w["text"].as_str().unwrap().starts_with("one replication"));
    assert_eq!(
        (&one.unwrap()["points"], &one.unwrap()["first"]),
        (&1.into(), &"1".into()),
        "{sweep}"
    );
    assert!(text(&of("table").stdout).contains("warning: one replication"));
}

/// Twice the traffic is twice the requests, whatever the process; and of a process without a rate of its own the error says so.
#[test]
fn traffic_of_any_kind_has_a_scale() {
    let mut experiment: Value = serde_json::from_str(&server()).unwrap();
    let starts = json!({ "poisson": { "rate": "5/s" } });
    for arrivals in [
        json!({ "profile": { "preset": "office", "peak": "20/s", "trough": "10/s" } }),
        json!({ "mmpp": { "states": [{ "rate": "20/s", "stay": "10s" }, { "rate": "5/s", "stay": "10s" }] } }),
        json!({ "conversations": { "starts": starts, "turns": { "constant": 2 }, "think": { "constant": "1s" } } }),
    ] {
        let kind = arrivals.as_object().unwrap().keys().next().unwrap().clone();
        experiment["traffic"]["arrivals"] = arrivals;
        let rates: Vec<f64> = ["1", "2"]
            .map(|scale| {
                let set = format!("traffic.scale={scale}");
                let out = piped(
                    &[
                        "sweep",
                        "-",
                        "--set",
                        &set,
                        "--metric",
                        "throughput",
                        "--format",
                        "json",
                    ],
                    &experiment.to_string(),
                );
                let sweep: Value =
                    serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", text(&out.stderr)));
                sweep["points"][0]["policies"][0]["figures"][1]["value"]
                    .as_f64()
                    .unwrap()
            })
            .to_vec();
        assert!((1.8..2.2).contains(&(rates[1] / rates[0])), "{kind}: {rates:?}");
        let out = piped(&["run", "-", "--set", "traffic.rate=9/s"], &experiment.to_string());
        assert!(text(&out.stderr).contains("traffic.scale=2"), "{}", text(&out.stderr));
        let out = piped(&["run", "-", "--set", "traffic.scale=0"], &experiment.to_string());
        assert!(text(&out.stderr).contains("traffic.scale"), "{}", text(&out.stderr));
    }
}

/// Two numbers that grow together are one axis: each point is the run with both, and `risk` draws both at once.
#[test]
fn paths_with_a_comma_between_them_move_together() {
    let both = "traffic.rate,providers[p].load[0].slots.servers";
    let csv = |sets: &[String]| {
        let sets = sets.iter().flat_map(|set| ["--set", set.as_str()]);
        let arguments: Vec<&str> = ["sweep", "-", "--format", "csv"].into_iter().chain(sets).collect();
        let out = piped(&arguments, &server());
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        text(&out.stdout)
    };
    let together = csv(&[format!("{both}=[20/s,2],[40/s,5]")]);
    let rows: Vec<&str> = together.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{together}");
    for (row, (rate, servers)) in rows.iter().zip([("20/s", "2"), ("40/s", "5")]) {
        let apart = [
            format!("traffic.rate={rate}"),
            format!("providers[p].load[0].slots.servers={servers}"),
        ];
        let apart = csv(&apart);
        let figures = |row: &str| row.split_once(",it,").unwrap().1.to_owned();
        assert_eq!(figures(row), figures(apart.lines().nth(1).unwrap()), "{rate}");
    }
    let fixed = [
        "optimize",
        "-",
        "--set",
        "providers[p].connections,traffic.rate=[5,20/s],[6,30/s]",
    ];
    let out = piped(&fixed, &server());
    assert!(
        text(&out.stderr).contains("`traffic` is what is given"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn a_mistake_at_the_last_point_is_told_before_the_first_is_run() {
    let out = piped(&["sweep", "-", "--set", "plan.replications=2,-1"], &server());
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(text(&out.stdout), "");
    assert!(!text(&out.stderr).contains("of 2 points"), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("plan.replications"), "{}", text(&out.stderr));
}

/// The page draws one axis to scale and two as a map; an axis of one value is none.
#[test]
fn a_page_has_a_curve_for_each_metric_or_a_map() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("server.json"), server()).unwrap();
    let page = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let arguments: Vec<&str> = ["sweep", "server.json", "--out", "found", "--metric", "ttft.p95"]
            .into_iter()
            .chain(sets)
            .collect();
        let out = simcap(folder.path(), &arguments);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        let page = std::fs::read_to_string(folder.path().join("found/sweep.html")).unwrap();
        (page, text(&out.stdout))
    };
    let (one, said) = page(&["traffic.rate=20..95/s:6", "plan.duration=60s"]);
    assert!(one.contains("server over traffic.rate<"), "of one value");
    assert_eq!(
        (one.matches("<svg").count(), one.matches("class=\"heat\"").count()),
        (2, 0)
    );
    assert!(said.starts_with("it carries traffic.rate = "), "{said}");
    assert!(
        said.contains("it: E2E p95 goes up steeply beyond traffic.rate = "),
        "{said}"
    );
    let (two, _) = page(&["traffic.rate=20/s,80/s", "plan.seed=1,2,3"]);
    assert_eq!(
        (two.matches("<svg").count(), two.matches("class=\"heat\"").count()),
        (0, 2)
    );
}
