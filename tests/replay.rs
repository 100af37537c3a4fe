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

/// A gateway's spend log: alice of team t1 asks four times within three seconds, bob of t2 twice; `gpt-4.1` is the class `chat`, all else
/// `rest`. In the file their order is not that of time.
const SPEND: &str = "startTime,prompt_tokens,completion_tokens,end_user,team_id,model_group\n\
    2026-03-02T09:00:02Z,300,10,alice,t1,gpt-4.1\n\
    2026-03-02T09:00:00Z,100,10,alice,t1,gpt-4.1\n\
    2026-03-02T09:00:01Z,200,10,alice,t1,mini\n\
    2026-03-02T09:00:01.5Z,50,20,bob,t2,nano\n\
    2026-03-02T09:00:03Z,400,10,alice,t1,gpt-4.1\n\
    2026-03-02T09:00:09Z,60,20,bob,t2,gpt-4.1\n";

/// What simcap makes of that log with this replay, traffic and client, as JSON or as its error.
fn spent(keep: &str, traffic: &str, client: &str) -> Result<serde_json::Value, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spend.csv"), SPEND).unwrap();
    let text = format!(
        r#"{{
        "name": "kept",
        "traffic": {{ {traffic} "arrivals": {{ "replay": {{ "trace": "spend.csv", "keep": {keep} }} }} }},
        "providers": {{ "p": {{
            "ttft": {{ "constant": "100ms" }}, "tps": {{ "constant": 100 }},
            "prices": {{ "per_token": {{ "input": "$1/Mtok", "output": "$10/Mtok" }} }}
        }} }},
        "client": {client},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "p" }} }} }} ],
        "plan": {{ "replications": 2, "metrics": ["cost_per_1k{{tag.team=t1}}", "cost_per_1k{{tag.team=t2}}"] }}
    }}"#
    );
    std::fs::write(folder.path().join("kept.json"), text).unwrap();
    let ran = crate::common::command::simcap(folder.path(), &["run", "kept.json", "--out", "out"]);
    match ran.status.code() {
        Some(0) => Ok(serde_json::from_slice(&std::fs::read(folder.path().join("out/result.json")).unwrap()).unwrap()),
        _ => Err(crate::common::command::text(&ran.stderr)),
    }
}

const KEEP: &str = r#"{ "user": "end_user", "class": "model_group", "classes": { "gpt-4.1": "chat", "*": "rest" }, "tags": { "team": "team_id" } }"#;
const CLASSES: &str = r#""classes": { "chat": {}, "rest": {}, "never": {} },"#;

/// By hand: t1 reads 1,000 tokens and writes 40 in four requests, $0.0014 or $0.35 a thousand; t2 reads 110 and writes 40 in two, $0.00051 or
/// $0.255 a thousand. Of the six requests four are `chat`.
#[test]
fn a_replay_bills_by_the_tags_and_classes_that_rows_say() {
    let report = spent(KEEP, CLASSES, "{}").unwrap();
    let policy = &report["policies"][0];
    let of = |metric: &str| {
        let found = policy["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .find(|m| m["metric"] == metric);
        let found = found.unwrap_or_else(|| panic!("{metric}: {}", policy["metrics"]));
        found["estimate"]["value"].as_f64().unwrap()
    };
    assert!((of("cost_per_1k{tag.team=t1}") - 0.35).abs() < 1e-6);
    assert!((of("cost_per_1k{tag.team=t2}") - 0.255).abs() < 1e-6);
    let classes = policy["classes"].as_array().unwrap();
    for (class, name, share) in [(&classes[0], "chat", 4.0 / 6.0), (&classes[1], "rest", 2.0 / 6.0)] {
        assert_eq!(class["name"], name);
        let found = class["share"]["value"].as_f64().unwrap();
        assert!((found - share).abs() < 1e-9, "{name}: {found}");
    }
}

/// Two requests a minute for each user: of alice's four the last two are turned away, of bob's two none. The report calls her by twelve
/// digits of her name's hash (printf alice | sha256sum), or by the name where that is asked for.
#[test]
fn a_limit_for_each_user_holds_for_the_users_that_rows_say() {
    let client = r#"{ "limiters": [{ "each": { "per": "user", "limiter": { "fixed_window": { "unit": "requests", "limit": 2, "window": "1m" } } } }] }"#;
    for (keep, name) in [
        (KEEP.to_owned(), "user 2bd806c97f0e"),
        (KEEP.replacen('{', "{ \"names\": true,", 1), "user alice"),
    ] {
        let report = spent(&keep, CLASSES, client).unwrap();
        let of = &report["policies"][0]["identities"][0];
        assert_eq!(of["worst"].as_array().unwrap().len(), 1, "{of}");
        let worst = &of["worst"][0];
        // Over both replications, which play the same rows.
        assert_eq!(
            (&worst["name"], &worst["asked"], &worst["refused"]),
            (&name.into(), &8.into(), &4.into())
        );
    }
    // One of them is meant by name.
    let of_bob = client.replace("\"per\": \"user\"", "\"per\": \"user\", \"of\": [\"bob\"]");
    let report = spent(KEEP, CLASSES, &of_bob).unwrap();
    assert_eq!(report["policies"][0]["identities"][0]["worst"], serde_json::Value::Null);
}

#[test]
fn a_value_that_is_no_class_is_refused_with_the_classes_and_the_rule() {
    let keep = r#"{ "class": "model_group" }"#;
    let said = spent(keep, r#""classes": { "gpt-4.1": {}, "minis": {} },"#, "{}").unwrap_err();
    for part in [
        "traffic.arrivals.replay.keep.class: the rows say `mini`, and there is no class of that name, nor of 1 other values",
        "did you mean `minis`?",
        "the classes are `gpt-4.1`, `minis`",
        "\"*\" for all others",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for (keep, traffic, part) in [
        (
            KEEP,
            r#""classes": { "chat": { "share": 1 }, "rest": {} },"#,
            "leave this out",
        ),
        (
            KEEP,
            r#""users": { "count": 3 }, "classes": { "chat": {}, "rest": {} },"#,
            "the trace's rows say their users",
        ),
        (
            KEEP,
            r#""tags": { "team": { "a": 1 } }, "classes": { "chat": {}, "rest": {} },"#,
            "the rows say a tag `team`",
        ),
        (
            r#"{ "user": "enduser" }"#,
            r#""classes": { "chat": {} },"#,
            "did you mean `end_user`?",
        ),
    ] {
        let said = spent(keep, traffic, "{}").unwrap_err();
        assert!(said.contains(part), "{part}: {said}");
    }
}
