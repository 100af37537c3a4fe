//! `simcap export`: what an experiment changed, written back into the configuration.
//!
//! Over random permitted changes of the files here and of those beside the traces: what is written and read again is the experiment, and
//! only the bytes of values that differ have changed.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use simcap::gateways::export::{Exported, NotWritten, export, unified::unified};
use simcap::gateways::import::built_in_prices;
use simcap::gateways::settled::{Settings, ends, of_gateway};
use simcap::gateways::{self, source};

use super::{LONE, PAIR, expected::cases};
use crate::common::command::{simcap, text};

fn settings(file: &Path) -> Settings {
    let gateway = gateways::read(&source::open(file).unwrap(), None).unwrap();
    of_gateway(&gateway, &built_in_prices()).unwrap()
}

/// Every configuration that there is: those here, the fuzzer's, and those beside the traces; templates are rendered.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut add = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        all.push(path);
    };
    add("lone.yaml", LONE);
    add("pair.yaml", &PAIR.replace('\n', "\r\n"));
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/gateway");
    let mut of_fuzzer: Vec<PathBuf> = std::fs::read_dir(seeds)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    of_fuzzer.sort();
    for seed in of_fuzzer {
        let name = seed.file_name().unwrap().to_str().unwrap();
        // Of these nothing is written.
        if !name.starts_with("tensorzero") {
            add(&format!("seed-{name}"), &std::fs::read_to_string(&seed).unwrap());
        }
    }
    let Some(cases) = cases() else {
        eprintln!("skipped in part: SIMCAP_TRACES has no cases/configs beside it");
        return all;
    };
    let mut names: Vec<PathBuf> = std::fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    for path in names.iter().filter(|path| path.is_file()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace("{{ .Values.azure.deployment }}", "rendered");
        std::fs::write(folder.join(name), &text).unwrap();
        if !name.ends_with(".expect.json") && name != "l2-extra-models.yaml" {
            all.push(folder.join(name));
        }
    }
    all
}

#[test]
fn what_is_not_changed_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    for file in files(folder.path()) {
        let made = export(&file, None, &built_in_prices(), settings(&file).into(), false).unwrap();
        assert_eq!(
            made,
            Exported {
                files: Vec::new(),
                written: Vec::new(),
                open: Vec::new(),
                renamed: Vec::new(),
            },
            "{}",
            file.display()
        );
    }
}

/// Settings that every file may have changed, and the values that are drawn for them.
const DRAWN: &[(&str, &[&str])] = &[
    ("retry.num_retries", &["1", "4", "7"]),
    ("retry.attempts", &["1", "5"]),
    ("retry.tries", &["3", "4"]),
    ("retry.max_retries", &["1", "5"]),
    ("retry.retry_after", &["\"2s\"", "\"0.25s\""]),
    ("retry.base_interval", &["\"50ms\"", "\"75ms\""]),
    ("breaker.allowed_fails", &["1", "6"]),
    ("breaker.cooldown_time", &["\"7s\"", "\"90s\""]),
    ("breaker.fail_timeout", &["\"7s\"", "\"12.5s\""]),
    ("breaker.cooldown_interval", &["\"31s\"", "\"2m\""]),
    ("breaker.base_ejection_time", &["\"10s\"", "\"45s\""]),
    ("timeouts.attempt", &["\"7s\"", "\"12.5s\"", "\"3m\""]),
    ("timeouts.ttft", &["\"7s\"", "\"12.5s\""]),
    ("timeouts.total", &["\"70s\"", "\"2m\""]),
    ("weights.*", &["2", "0.25"]),
    ("weight", &["0.4", "3"]),
    ("levels.*.*", &["2", "5"]),
    ("connections", &["3", "17"]),
    ("max_fallbacks", &["1", "2"]),
    ("fallbacks", &["[]"]),
    ("policy.ttl", &["\"5m\"", "\"30s\""]),
    ("policy.lowest_latency_buffer", &["0.125"]),
];

/// The text without what stands where the two differ, as whole words: what must have stayed.
fn common(before: &str, after: &str) -> f64 {
    let head = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let room = before.len().min(after.len()) - head;
    let tails = before.bytes().rev().zip(after.bytes().rev());
    let tail = tails.take(room).take_while(|(a, b)| a == b).count();
    (head + tail) as f64 / before.len() as f64
}

#[test]
fn what_is_written_and_read_again_is_the_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let prices = built_in_prices();
    let mut state = 11_u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut written, mut refused) = (0, 0);
    for file in files(folder.path()) {
        let before = settings(&file);
        let text = std::fs::read_to_string(&file).unwrap();
        let known: Vec<_> = before
            .keys()
            .filter_map(|path| Some((path, DRAWN.iter().find(|(pattern, _)| ends(path, pattern))?)))
            .collect();
        for _ in 0..if known.is_empty() { 0 } else { 12 } {
            // One setting, or the same one of every group: what holds for all of them can be said once.
            let (path, (pattern, values)) = known[draw(known.len())];
            let value: Value = serde_json::from_str(values[draw(values.len())]).unwrap();
            let everywhere = draw(2) == 0;
            let mut target = before.clone();
            for (other, old) in target.iter_mut() {
                let same_kind = old.is_array() == value.is_array() && old.is_number() == value.is_number();
                if (other == path || (everywhere && ends(other, pattern) && other.first() == path.first())) && same_kind
                {
                    *old = value.clone();
                }
            }
            // A chain of none is not there.
            target.retain(|path, value| !(ends(path, "fallbacks") && value.as_array().is_some_and(Vec::is_empty)));
            match export(&file, None, &prices, target.clone().into(), true) {
                Ok(made) => {
                    let changed = made.files.iter().find(|(name, ..)| Path::new(name) == file);
                    assert_eq!(made.files.is_empty(), target == before, "{}", file.display());
                    for (name, old, new) in &made.files {
                        std::fs::write(name, new).unwrap();
                        assert!(!unified(name, old, new).is_empty());
                    }
                    assert_eq!(settings(&file), target, "{}: {path:?} {value}", file.display());
                    for (name, old, _) in &made.files {
                        std::fs::write(name, old).unwrap();
                    }
                    if let Some((_, old, new)) = changed.filter(|_| made.written.len() == 1) {
                        // One value: a few bytes in one place.
                        let share = common(old, new);
                        assert!(
                            (1.0 - share) * old.len() as f64 <= 40.0,
                            "{}: {path:?}\n{}",
                            file.display(),
                            unified("x", old, new)
                        );
                    }
                    written += 1;
                }
                Err(NotWritten::Settings(lines)) => {
                    assert!(
                        !lines.is_empty() && lines.iter().all(|line| line.contains(" → ")),
                        "{lines:?}"
                    );
                    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
                    refused += 1;
                }
                Err(NotWritten::Read(refused)) => panic!("{refused}"),
            }
        }
    }
    assert!(written > 2 * refused, "{written} written, {refused} refused");
}

#[test]
fn the_command_shows_what_it_would_write_and_writes_it_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("gateway.yaml"), LONE).unwrap();
    let run = |arguments: &[&str]| {
        let output = simcap(folder.path(), arguments);
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    run(&["import", "gateway.yaml", "--out", "mine"]);
    let (code, said, _) = run(&["export", "mine/experiment.json", "--into", "gateway.yaml"]);
    assert_eq!((code, said.as_str()), (0, "nothing to change\n"));
    // A policy of one's own beside the imported one, which changes a client's settings.
    let path = at("mine/experiment.json");
    let mut experiment: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let mut better = experiment["policies"][0].clone();
    better["name"] = json!("better");
    better["client"] = json!({ "retry": { "litellm": { "num_retries": 1 } }, "timeouts": { "attempt": "8s" } });
    experiment["policies"].as_array_mut().unwrap().push(better);
    std::fs::write(&path, experiment.to_string()).unwrap();
    let (code, _, said) = run(&["export", "mine/experiment.json", "--into", "gateway.yaml"]);
    assert!(
        code == 2 && said.contains("name one with --policy (litellm, better)"),
        "{said}"
    );
    let asked = [
        "export",
        "mine/experiment.json",
        "--policy",
        "better",
        "--into",
        "gateway.yaml",
    ];
    let (code, said, notes) = run(&asked);
    assert_eq!(code, 0, "{notes}");
    let expected = "--- gateway.yaml\n+++ gateway.yaml\n@@ -4,6 +4,6 @@\n   - {model_name: b, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: os.environ/B}}\n litellm_settings:\n-  num_retries: 2\n-  request_timeout: 20\n+  num_retries: 1\n+  request_timeout: 8\n   fallbacks: [{a: [b]}]\n";
    assert!(
        said.contains("-  num_retries: 2\n-  request_timeout: 20\n+  num_retries: 1\n+  request_timeout: 8\n"),
        "{said}\n{expected}"
    );
    assert_eq!(std::fs::read_to_string(at("gateway.yaml")).unwrap(), LONE);
    let (code, ..) = run(&[&asked[..], &["--out", "better.yaml"]].concat());
    assert_eq!(code, 0);
    let better = LONE
        .replace("num_retries: 2", "num_retries: 1")
        .replace("request_timeout: 20", "request_timeout: 8");
    assert_eq!(std::fs::read_to_string(at("better.yaml")).unwrap(), better);
    run(&[&asked[..], &["--write"]].concat());
    assert_eq!(std::fs::read_to_string(at("gateway.yaml")).unwrap(), better);
    let (_, said, _) = run(&asked);
    assert_eq!(said, "nothing to change\n");
    // The other policy is what was imported.
    let (_, said, _) = run(&[
        "export",
        "mine/experiment.json",
        "--policy",
        "litellm",
        "--into",
        "gateway.yaml",
        "--write",
    ]);
    assert!(said.contains("+  num_retries: 2\n"), "{said}");
    assert_eq!(std::fs::read_to_string(at("gateway.yaml")).unwrap(), LONE);
}

#[test]
fn a_value_in_an_included_file_is_changed_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let more = "model_list:\n- {model_name: b, litellm_params: {model: openai/gpt-4.1, weight: 1}}\n- {model_name: b, litellm_params: {model: azure/x, weight: 2}}\n";
    std::fs::write(
        at("a.yaml"),
        "include: [b.yaml]\nmodel_list:\n- {model_name: a, litellm_params: {model: openai/gpt-4.1}}\n",
    )
    .unwrap();
    std::fs::write(at("b.yaml"), more).unwrap();
    let mut target = settings(&at("a.yaml"));
    let path = target.keys().find(|path| ends(path, "weights.b-2")).unwrap().clone();
    target.insert(path, json!(5));
    let made = export(&at("a.yaml"), None, &built_in_prices(), target.into(), false).unwrap();
    let [(name, _, after)] = made.files.as_slice() else {
        panic!("{made:?}")
    };
    assert!(name.ends_with("b.yaml"));
    assert_eq!(*after, more.replace("weight: 2", "weight: 5"));
}
