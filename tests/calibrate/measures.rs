//! What a probe measures: tokens and not chunks, content and not roles, time as the server knows it.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{DONE, HEAD, ROLE, STOP, Server, THOUGHT, TOKEN, chunked, good, hang_up, say, usage, whole};
use super::{ask, probes, said, simcap};

fn pause(ms: u64) -> bool {
    std::thread::sleep(Duration::from_millis(ms));
    true
}

fn number(probe: &Value, field: &str) -> u64 {
    probe[field].as_u64().unwrap_or_else(|| panic!("no {field} in {probe}"))
}

/// Sleeps are never shorter than asked, so that times have lower bounds on any machine.
#[test]
fn the_first_token_is_content_and_usage_is_not_the_last() {
    let server = Server::new(|_, _, s| {
        say(s, HEAD)
            && say(s, ": hello\n\n")
            && say(s, ROLE)
            && pause(150)
            && say(s, TOKEN)
            && pause(50)
            && say(s, TOKEN.repeat(3))
            && say(s, STOP)
            && pause(200)
            && say(s, usage(12, 9))
            && say(s, DONE)
            && hang_up()
    });
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--rate", "100/s", "--requests", "1", "--input", "12", "--output", "9"];
    let output = ask(folder.path(), &server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let probe = &probes(folder.path())[0];
    let at = |field| number(probe, field);
    assert!(at("headers_us") <= at("first_byte_us"));
    assert!(at("first_content_us") >= at("first_byte_us") + 140_000, "{probe}");
    assert!(at("last_token_us") >= at("first_content_us") + 50_000, "{probe}");
    assert!(at("end_us") >= at("last_token_us") + 190_000, "{probe}");
    // A chunk is not a token.
    assert_eq!(at("chunks"), 4);
    assert_eq!(
        probe["usage"],
        json!({ "input": 12, "cached": 0, "output": 9, "reasoning": 0 })
    );
    let gaps = probe["gaps"].as_array().unwrap();
    assert_eq!(gaps.iter().map(|gap| gap[1].as_u64().unwrap()).sum::<u64>(), 3);
    assert!(said(&output).contains("4 chunks carried 9 output tokens: a chunk is not a token here"));
    let connection = &probe["connection"];
    assert_eq!(
        (&connection["reused"], &connection["tls_us"]),
        (&json!(false), &json!(0))
    );

    let request = &server.requests()[0];
    assert!(
        request.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{}",
        request.head
    );
    let body = &request.body;
    assert_eq!(
        (&body["model"], &body["max_tokens"], &body["stream"]),
        (&json!("mock"), &json!(9), &json!(true))
    );
    assert_eq!(body["stream_options"], json!({ "include_usage": true }));
    assert_eq!(
        body["messages"][0]["content"]
            .as_str()
            .unwrap()
            .split_whitespace()
            .count(),
        12
    );
}

#[test]
fn reasoning_stands_apart_from_content() {
    let server = Server::new(|_, _, s| {
        say(s, HEAD) && say(s, THOUGHT) && pause(100) && say(s, TOKEN) && say(s, STOP) && say(s, DONE) && hang_up()
    });
    let folder = tempfile::tempdir().unwrap();
    ask(folder.path(), &server.url(), &["--rate", "100/s", "--requests", "1"])
        .output()
        .unwrap();
    let probe = &probes(folder.path())[0];
    assert!(
        number(probe, "first_content_us") >= number(probe, "first_reasoning_us") + 90_000,
        "{probe}"
    );
}

#[test]
fn a_whole_answer_has_no_first_token() {
    let server = Server::new(|_, request, s| {
        assert_eq!(request.body["stream"], json!(false));
        let answer = r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#;
        say(s, whole("200 OK", "content-type: application/json\r\n", answer))
    });
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--rate", "100/s", "--requests", "1", "--no-stream"];
    let output = ask(folder.path(), &server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let probe = &probes(folder.path())[0];
    assert_eq!(
        (&probe["outcome"], probe.get("first_content_us")),
        (&json!("success"), None)
    );
    assert_eq!(probe["usage"]["output"], 2);
}

#[test]
fn connections_are_used_again() {
    let server = Server::new(|_, _, s| say(s, good()));
    let folder = tempfile::tempdir().unwrap();
    ask(folder.path(), &server.url(), &["--concurrency", "1", "--requests", "3"])
        .output()
        .unwrap();
    let reused: Vec<Value> = probes(folder.path())
        .iter()
        .map(|p| p["connection"]["reused"].clone())
        .collect();
    assert_eq!(reused, [json!(false), json!(true), json!(true)]);
}

#[test]
fn quotas_and_the_time_to_come_back_are_written_down() {
    let headers = "retry-after: 7\r\nx-ratelimit-limit-requests: 60\r\nx-ratelimit-reset-requests: 1.5s\r\n";
    let server = Server::new(move |_, _, s| {
        say(
            s,
            whole("429 Too Many Requests", headers, r#"{"error":{"message":"slow down"}}"#),
        )
    });
    let folder = tempfile::tempdir().unwrap();
    ask(folder.path(), &server.url(), &["--rate", "100/s", "--requests", "1"])
        .output()
        .unwrap();
    let probe = &probes(folder.path())[0];
    assert_eq!(
        (&probe["status"], &probe["retry_after_us"]),
        (&json!(429), &json!(7_000_000))
    );
    assert_eq!(
        probe["quotas"],
        json!({ "requests": { "limit": 60, "reset_us": 1_500_000 } })
    );
    assert!(probe["error"].as_str().unwrap().contains("slow down"));
}

#[test]
fn a_429_pauses_the_target_for_as_long_as_it_says() {
    let server = Server::new(|before, _, s| match before {
        0 => say(s, whole("429 Too Many Requests", "retry-after-ms: 1000\r\n", "")),
        _ => say(s, good()),
    });
    let folder = tempfile::tempdir().unwrap();
    // One every 100 ms: the first answer is long there before the second is due.
    let arguments = ["--rate", "10/s", "--schedule", "fixed", "--requests", "20"];
    let output = ask(folder.path(), &server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let requests = server.requests();
    let quiet = requests.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
    assert!(quiet >= Duration::from_millis(900), "{quiet:?}");
    let skipped = 20 - requests.len();
    assert!(skipped >= 5, "{skipped}");
    let note = format!("mock: {skipped} probes were not sent, because they were due while a 429 asked for a pause");
    assert!(said(&output).contains(&note), "{}", said(&output));
}

#[test]
fn a_ladder_ends_where_429s_begin() {
    // Whoever comes within 40 ms of the one before is refused.
    let last = std::sync::Mutex::new(None::<std::time::Instant>);
    let server = Server::new(move |_, request, s| {
        let before = last.lock().unwrap().replace(request.at);
        let soon = before.is_some_and(|before| request.at - before < Duration::from_millis(40));
        say(
            s,
            if soon {
                whole("429 Too Many Requests", "", "")
            } else {
                good()
            },
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--ladder", "4/s,100/s,200/s", "--step", "2s", "--schedule", "fixed"];
    let output = ask(folder.path(), &server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("mock: 429s begin at 100/s"), "{}", said(&output));
    let steps: Vec<u64> = probes(folder.path())
        .iter()
        .map(|probe| number(probe, "step"))
        .collect();
    assert!(
        steps.contains(&0) && steps.contains(&1) && !steps.contains(&2),
        "{steps:?}"
    );
    // The tenth refusal ends it, and there may be some in flight.
    assert!(steps.iter().filter(|&&step| step == 1).count() < 100, "{steps:?}");
}

#[test]
fn a_plan_asks_several_targets_side_by_side() {
    let (one, other) = (
        Server::new(|_, _, s| say(s, good())),
        Server::new(|_, _, s| say(s, good())),
    );
    let plan = json!({
        "name": "pair",
        "targets": {
            "one": { "base_url": one.url(), "model": "a", "prices": { "input": "$0/Mtok", "output": "$0/Mtok" } },
            "other": { "base_url": other.url(), "model": "b", "prices": { "input": "$0/Mtok", "output": "$4/Mtok" },
                "max_tokens_field": "max_completion_tokens", "extra_body": { "temperature": 0 } },
        },
        "classes": {
            "short": { "share": 3, "input": { "constant": 5 }, "output": { "constant": 2 } },
            "long": { "input": { "uniform": { "min": 40, "max": 60 } }, "output": { "constant": 7 } },
        },
        "load": { "open": { "rate": "100/s" } },
        "requests": 40,
        "warmup": 2,
        "prefix": "repeated",
        "language": "mixed",
        "dispatch_bound": "1h",
        "max_cost": "$1",
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plan.json"), plan.to_string()).unwrap();
    let output = simcap(folder.path(), &["plan.json", "--out", "out"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // What a fit takes for the prices of its model.
    let lines = std::fs::read_to_string(folder.path().join("out/probes.jsonl")).unwrap();
    let run: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(run["run"]["prices"]["other"]["output"], "$4/Mtok");
    assert!(run["run"]["prices"]["one"].is_object());
    let probes = probes(folder.path());
    let of = |name: &str| {
        let mut own: Vec<(u64, String)> = probes
            .iter()
            .filter(|probe| probe["target"] == name)
            .map(|probe| (number(probe, "due_us"), probe["class"].as_str().unwrap().to_owned()))
            .collect();
        own.sort();
        own
    };
    assert_eq!(of("one").len(), 42);
    assert_eq!(of("one"), of("other"), "the same probes at the same times");
    assert_eq!(probes.iter().filter(|probe| probe["warmup"] == true).count(), 4);
    let bodies: Vec<Value> = other.requests().into_iter().map(|request| request.body).collect();
    assert!(
        bodies
            .iter()
            .all(|body| body["temperature"] == 0 && body.get("max_tokens").is_none())
    );
    let mut most: Vec<u64> = bodies
        .iter()
        .map(|body| number(body, "max_completion_tokens"))
        .collect();
    most.sort_unstable();
    most.dedup();
    assert_eq!(most, [2, 7]);
}

#[test]
fn a_probe_that_lags_says_that_it_measured_itself() {
    let server = Server::new(|_, _, s| say(s, chunked(&[TOKEN, STOP, DONE])));
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--rate",
        "100/s",
        "--requests",
        "5",
        "--price-input",
        "0",
        "--base-url",
        &server.url(),
    ];
    let all = [
        &arguments[..],
        &["--model", "mock", "--max-cost", "$0", "--dispatch-bound", "0s"],
    ]
    .concat();
    let output = simcap(folder.path(), &all).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("This run measured the probe, not the endpoint"),
        "{}",
        said(&output)
    );
}

#[test]
fn token_lengths_come_from_an_experiment() {
    let server = Server::new(|_, _, s| say(s, good()));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.json"), include_str!("../common/everything.json")).unwrap();
    let arguments = ["--concurrency", "4", "--requests", "20", "--experiment", "x.json"];
    let output = ask(folder.path(), &server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let everything: Value = {
        let text = include_str!("../common/everything.json");
        let plain: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        serde_json::from_str(&plain.join("\n")).unwrap()
    };
    let classes = everything["traffic"]["classes"].as_object().unwrap();
    for probe in probes(folder.path()) {
        assert!(classes.contains_key(probe["class"].as_str().unwrap()), "{probe}");
    }
}
