//! `simcap calibrate --find`: what a mock of known slots and quota is found to have.

use std::process::Command;

use serde_json::{Value, json};

use super::{ask, said};
use crate::common::mock::{Mock, model};

/// Three slots and 150 requests in each 5 s, of answers of about 90 ms: 33 a second are served, 30 are let in.
#[test]
fn slots_and_quota_are_found_within_the_bound_on_refusals() {
    let truth = json!({
        "ttft": { "lognormal": { "median": "85ms", "sigma": 0.3 } },
        "load": [{ "slots": { "servers": 3 } }],
        "limits": [{ "fixed_window": { "unit": "requests", "limit": 150, "window": "5s" } }]
    });
    let served = model(&truth).replace(r#""model":"m""#, r#""model":"mock""#);
    let mock = Mock::run("mock.json", &served, &["mock.json", "--no-quota-headers"]);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}/v1", mock.port);
    let find = [
        "--find",
        "slots,quota",
        "--window",
        "5s",
        "--max-refusals",
        "200",
        "--output",
        "2",
    ];
    let dry = ask(folder.path(), &url, &[&find[..], &["--dry-run"]].concat())
        .output()
        .unwrap();
    let before = said(&dry);
    for part in [
        "1, 2, 4, 8, 16, 32, 64, 128 at once",
        "without pausing on a 429: at most 200 refusals",
    ] {
        assert!(before.contains(part), "{part}: {before}");
    }
    let output = ask(folder.path(), &url, &find).output().unwrap();
    let printed = said(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    for part in [
        "some wait",
        "beyond that, ",
        "\nFound\n",
        " slots",
        "requests a minute",
        "simcap fit out/probes.jsonl",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    // The model is fitted and can be run as the command says.
    let simcap = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_simcap"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        output.stdout
    };
    let next = printed
        .lines()
        .find_map(|line| line.split_once("simcap fit "))
        .unwrap()
        .1;
    let arguments: Vec<&str> = next.split(' ').chain(["--refits", "0", "--json"]).collect();
    let report: Value = serde_json::from_slice(&simcap(&[&["fit"], &arguments[..]].concat())).unwrap();
    let slots = ["least", "most"].map(|bound| report["slots"][bound].as_u64().unwrap());
    assert!(slots[0] <= 3 && 3 <= slots[1] && slots[1] <= 5, "{}", report["slots"]);
    let per_minute = report["quotas"][0]["per_minute"].as_f64().unwrap();
    assert!((per_minute / 1_800.0 - 1.0).abs() < 0.2, "{per_minute}: {printed}");
    let refused = report["retry_after"]["refusals"].as_u64().unwrap();
    assert!((1..=210).contains(&refused), "{refused}");
    simcap(&["check", "try-mock.json"]);
}
