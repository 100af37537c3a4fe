//! `simcap drill` as a user calls it: two providers of one account, without and with a way round the one that fails.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::command::{simcap, text};
use serde_json::{Value, json};

/// 20 requests a second, answered after 500 ms by one of two; a client that gives up after 3 s and, if `falls_back`, tries the other.
fn experiment() -> String {
    let provider = json!({
        "ttft": { "constant": "400ms" }, "tps": { "constant": 100 }, "account": "shared",
        "prices": { "per_request": { "price": "$0.001" } },
    });
    json!({
        "format": "simcap.experiment/2",
        "name": "two",
        "traffic": {
            "arrivals": { "regular": { "rate": "20/s" } },
            "classes": { "all": { "input": 10, "output": 11 } },
        },
        "accounts": { "shared": { "limits": [] } },
        "providers": { "a": provider, "b": provider },
        "client": { "timeouts": { "attempt": "3s" } },
        "policies": [
            { "name": "alone", "policy": { "single": { "provider": "a" } } },
            { "name": "falls back", "policy": { "chain": { "providers": ["a", "b"] } }, "client": { "retry": { "fixed": { "tries": 2, "wait": "0s" } } } },
        ],
        "objectives": [{ "metric": "e2e.p95{window=peak}", "at_most": "300ms" }],
        "plan": { "duration": "24h", "warmup": "10s", "replications": 50, "windows": { "peak": { "from": "8h", "until": "9h" } } },
    })
    .to_string()
}

fn drilled(arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("two.json"), experiment()).unwrap();
    let lasts: &[&str] = if arguments.contains(&"--for") {
        &[]
    } else {
        &["--for", "1m"]
    };
    let given = [&["drill", "two.json", "--replications", "2"], lasts, arguments].concat();
    let out = simcap(folder.path(), &given);
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn every_failure_of_every_domain_is_tried_and_costs_what_it_must() {
    let (code, out, _) = drilled(&["--format", "json"]);
    assert_eq!(code, Some(0));
    let drill: Value = serde_json::from_str(&out).unwrap();
    let cases = drill["cases"].as_array().unwrap();
    assert_eq!(
        cases.len(),
        1 + 3 * 4,
        "nothing, then a, b and the account in four ways"
    );
    let figure = |domain: &str, fails: &str, policy: usize, metric: usize| {
        let case = cases
            .iter()
            .find(|case| case["domain"] == domain && case["fails"] == fails);
        case.unwrap()["policies"][policy]["figures"][metric]["value"].as_f64()
    };
    assert_eq!(cases[0]["policies"][0]["figures"][0]["value"], 0.0);
    for fails in ["500", "429", "hangs"] {
        assert_eq!(figure("a", fails, 0, 0), Some(1.0), "alone, {fails}");
        assert_eq!(figure("b", fails, 0, 0), Some(0.0), "alone is never at b, {fails}");
        assert_eq!(figure("a", fails, 1, 0), Some(0.0), "b is there, {fails}");
        // What hangs in the last 3 s at the first may be answered by the second after it.
        let nowhere = figure("account shared", fails, 1, 0).unwrap();
        let expected = if fails == "hangs" { 0.95 } else { 1.0 };
        assert!((nowhere - expected).abs() < 1e-9, "nowhere to go, {fails}: {nowhere}");
    }
    // Ten times 400 ms and five times 100 ms are beyond the 3 s that the client waits.
    assert_eq!(figure("a", "slow", 0, 0), Some(1.0));
    let p95 = figure("b", "slow", 0, 2).unwrap();
    assert!((p95 - 0.5).abs() < 0.001, "{p95}");
}

#[test]
fn the_screen_says_the_worst_first_and_a_bound_is_an_exit_code() {
    let (code, out, progress) = drilled(&[
        "--of",
        "account shared",
        "--fails",
        "500,hangs",
        "--errors-at-most",
        "5%",
    ]);
    assert_eq!(code, Some(1), "{out}");
    assert!(progress.contains("3 of 3 cases"), "{progress}");
    assert!(
        out.contains("alone: most requests fail in 2 of 2 failures; at worst, when account shared answers 500, 100 %."),
        "{out}"
    );
    assert!(out.lines().count() < 40, "{out}");
    let (code, ..) = drilled(&["--of", "a", "--fails", "500", "--errors-at-most", "5%"]);
    assert_eq!(code, Some(0));
}

/// An office at midnight is no office by day: the stretch that is drilled is told, and so is an outage of the experiment's own.
#[test]
fn what_a_drill_sees_of_a_day_is_told() {
    let mut text: Value = serde_json::from_str(&experiment()).unwrap();
    text["traffic"]["arrivals"] = json!({ "profile": { "preset": "office", "peak": "20/s" } });
    text["providers"]["b"]["faults"] = json!([{ "outage": { "from": "90s", "for": "10s" } }]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("two.json"), text.to_string()).unwrap();
    let arguments = [
        "drill",
        "two.json",
        "--for",
        "1m",
        "--replications",
        "2",
        "--of",
        "a",
        "--fails",
        "500",
    ];
    let said = text_of(&simcap(folder.path(), &arguments));
    assert!(
        said.contains("of the hours of the week in the traffic, from monday on (UTC)"),
        "{said}"
    );
    assert!(
        said.contains("the experiment's own outage of b strikes in every case"),
        "{said}"
    );
}

/// What hangs is waited for without end by those alone that send something there and have no timeout.
#[test]
fn what_hangs_is_without_end_for_those_that_wait_for_it() {
    let mut of: Value = serde_json::from_str(&experiment()).unwrap();
    let at = |provider: &str| json!({ "single": { "provider": provider } });
    of["client"] = json!({});
    of["policies"] = json!([
        { "name": "waits", "policy": at("a") },
        { "name": "elsewhere", "policy": at("b") },
        { "name": "gives up", "policy": at("a"), "client": { "timeouts": { "attempt": "3s" } } },
    ]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("two.json"), of.to_string()).unwrap();
    let with = |format: &str| {
        let lasts = ["drill", "two.json", "--for", "1m", "--replications", "2"];
        let fails = ["--of", "a", "--fails", "hangs", "--format", format];
        simcap(folder.path(), &[lasts, fails].concat())
    };
    let drill: Value = serde_json::from_slice(&with("json").stdout).unwrap();
    let hangs = &drill["cases"][1];
    let errors: Vec<(&str, f64)> = (hangs["policies"].as_array().unwrap().iter())
        .map(|of| {
            (
                of["name"].as_str().unwrap(),
                of["figures"][0]["value"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(errors, [("elsewhere", 0.0), ("gives up", 1.0)], "{drill}");
    assert!(hangs["outgrown"].as_str().unwrap().contains("no timeout"), "{drill}");
    let said = text_of(&with("table"));
    assert!(
        said.contains("elsewhere: no failure costs more requests than fail anyway (0 %)."),
        "{said}"
    );
    assert!(
        said.contains("a hangs, without end under waits: provider `a` may hang"),
        "{said}"
    );
}

/// Of conversations it is whole ones that are told: every one that begins while its only provider answers 500 fails.
#[test]
fn dialogues_that_fail_are_told() {
    let mut of: Value = serde_json::from_str(&experiment()).unwrap();
    let starts = json!({ "poisson": { "rate": "5/s" } });
    of["traffic"]["arrivals"] =
        json!({ "conversations": { "starts": starts, "turns": { "constant": 2 }, "think": { "constant": "1s" } } });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("two.json"), of.to_string()).unwrap();
    let with = |format: &str| {
        let arguments = [
            "drill",
            "two.json",
            "--for",
            "1m",
            "--replications",
            "2",
            "--of",
            "a",
            "--fails",
            "500",
        ];
        simcap(folder.path(), &[&arguments[..], &["--format", format]].concat())
    };
    let drill: Value = serde_json::from_slice(&with("json").stdout).unwrap();
    let alone = &drill["cases"][1]["policies"][0]["figures"];
    assert_eq!(drill["metrics"][5], "dialogue_failures{window=failing}");
    assert_eq!(alone[5]["value"], 1.0, "{drill}");
    assert!(text_of(&with("table")).contains("Conversations and agent runs that fail, of those that begin meanwhile"));
}

/// What was printed, on one line.
fn text_of(output: &std::process::Output) -> String {
    let words = text(&output.stdout);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_cannot_be_drilled_is_refused() {
    for (arguments, said) in [
        (&["--of", "c"][..], "there is no failure domain `c`"),
        (&["--for", "0s"], "must be longer than nothing"),
        (&["--fails", "503"], "503"),
        (&["--errors-at-most", "120%"], "120%"),
    ] {
        let (code, _, err) = drilled(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        assert!(err.contains(said), "{arguments:?}: {err}");
    }
}
