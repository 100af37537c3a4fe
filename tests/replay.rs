//! Real input: the Azure LLM inference traces of 2023 and an hour of Mooncake's, replayed request by request.
//!
//! Needs the traces: SIMCAP_TRACES leads to a folder that holds them. Without them these tests say that they are skipped.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::traces;
use std::path::Path;

use simcap::engine::run::{Control, run};
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Traces, load};
use simcap::words::Outcome;

/// One provider that never fails, so that what is billed is what the trace holds.
fn experiment(trace: &str, speed: f64) -> String {
    format!(
        r#"{{
        "name": "replay",
        "traffic": {{ "arrivals": {{ "replay": {{ "trace": "{trace}", "speed": {speed} }} }}, "classes": {{ "all": {{}} }} }},
        "providers": {{ "p": {{
            "ttft": {{ "constant": "100ms" }}, "tps": {{ "constant": 100 }},
            "prices": {{ "per_token": {{ "input": "$1/Mtok", "output": "$2/Mtok" }} }}
        }} }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "p" }} }} }} ],
        "plan": {{ "replications": 1 }}
    }}"#
    )
}

/// Replays the trace at `path`. Returns the tally and the simulated seconds.
fn replay(path: &Path, speed: f64) -> (Tally, f64) {
    let traces = Traces {
        given: Some(path.to_owned()),
        below: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("replay.json");
    let name = path.file_name().unwrap().to_str().unwrap();
    std::fs::write(&file, experiment(name, speed)).unwrap();
    let plan = assemble(&load(&file, &traces).unwrap_or_else(|e| panic!("{e}"))).unwrap_or_else(|e| panic!("{e}"));
    let scenario = &plan.scenarios[0];
    (
        run(scenario, 1, 0, &Control::default()).unwrap(),
        scenario.window.end.seconds(),
    )
}

/// Rows, input and output tokens of a trace, by the simplest reading there is.
fn sums(trace: &Path) -> (u64, u128, u128) {
    let text = std::fs::read_to_string(trace).unwrap();
    let mut sums = (0, 0, 0);
    for line in text.lines().skip(1) {
        let mut fields = line.split(',').skip(1).map(|f| f.trim().parse::<u128>().unwrap());
        sums = (
            sums.0 + 1,
            sums.1 + fields.next().unwrap(),
            sums.2 + fields.next().unwrap(),
        );
    }
    sums
}

#[test]
fn every_row_is_replayed_with_its_own_lengths() {
    for (trace, rows) in [
        ("AzureLLMInferenceTrace_conv.csv", 19_366),
        ("AzureLLMInferenceTrace_code.csv", 8_819),
    ] {
        let Some(trace) = traces::find(trace) else { continue };
        let (tally, _) = replay(&trace, 1.0);
        let (counted, input, output) = sums(&trace);
        assert_eq!((counted, tally.ended(Outcome::Success)), (rows, rows));
        assert_eq!((tally.providers[0].input, tally.providers[0].output), (input, output));
        // One dollar a million for input, two for output, in pico-dollars.
        assert_eq!(tally.cost(), (input + 2 * output) * 1_000_000);
    }
}

/// Mooncake's hour: as many requests and tokens as its lines have, and the requests of each step of 3 s spread over it, so that they no longer
/// come ten at a time.
#[test]
fn mooncakes_lines_are_replayed_and_spread() {
    let Some(trace) = traces::find("conversation_trace.jsonl") else {
        return;
    };
    let (tally, seconds) = replay(&trace, 1.0);
    let text = std::fs::read_to_string(&trace).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let (mut input, mut output, mut last) = (0, 0, 0);
    for line in lines {
        input += u128::from(line["input_length"].as_u64().unwrap());
        output += u128::from(line["output_length"].as_u64().unwrap());
        last = line["timestamp"].as_u64().unwrap();
    }
    assert_eq!(tally.ended(Outcome::Success), 12_031);
    assert_eq!((tally.providers[0].input, tally.providers[0].output), (input, output));
    // The last of a step comes when nearly all of it is over.
    let last = last as f64 / 1e3;
    assert!((last + 1.0..last + 3.0).contains(&seconds), "{seconds} {last}");
}

#[test]
fn twice_the_speed_is_half_the_time_and_the_same_requests() {
    let Some(trace) = traces::find("AzureLLMInferenceTrace_conv.csv") else {
        return;
    };
    let ((slow, long), (fast, short)) = (replay(&trace, 1.0), replay(&trace, 2.0));
    assert!((long / short - 2.0).abs() < 1e-6, "{long} {short}");
    assert_eq!(slow.cost(), fast.cost());
    // Little's law: at twice the rate twice as many are under way.
    let busy = |t: &Tally| t.providers[0].busy as f64 / t.counted as f64;
    assert!((busy(&fast) / busy(&slow) - 2.0).abs() < 1e-3);
}
