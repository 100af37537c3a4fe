//! `simcap mock` as a server and as a command: paths, connections, hostile callers, how it begins and ends.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::common::mock::{Answer, Mock, chat, request};
use serde_json::json;

#[test]
fn other_paths_and_methods_are_answered_as_http_has_it() {
    let mock = Mock::run("x", "", &["gpt-4.1", "deepseek-v3.2@r3"]);
    let ask = |line: &str| {
        Answer::of(&mock.raw(format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()))
    };
    assert_eq!(ask("GET /health").json(), json!({ "status": "ok" }));
    let models = ask("GET /v1/models?limit=5").json();
    let ids: Vec<_> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].clone())
        .collect();
    assert_eq!(ids, ["gpt-4.1", "deepseek-v3.2"]);
    assert_eq!(ask("GET /v1/models/gpt-4.1").json()["object"], "model");
    assert_eq!(ask("GET /v1/models/gpt-5").status, 404);
    let head = ask("HEAD /v1/models");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.field("content-length").unwrap().parse::<u32>().unwrap() > 50);
    let wrong = ask("GET /v1/chat/completions");
    assert_eq!((wrong.status, wrong.field("allow")), (405, Some("POST")));
    assert_eq!(ask("HEAD /v1/completions").body, "");
    assert_eq!((ask("DELETE /health").status, ask("GET /").status), (405, 404));
    let unknown = mock.post("/v1/chat/completions", &chat(json!({ "model": "gpt-4" })));
    assert_eq!(unknown.status, 404);
    assert_eq!(
        unknown.json(),
        json!({ "error": {
            "message": "there is no model `gpt-4` here; did you mean `gpt-4.1`? There are: gpt-4.1, deepseek-v3.2",
            "type": "invalid_request_error", "param": "model", "code": "model_not_found",
        } })
    );
}

#[test]
fn a_connection_serves_several_requests_even_sent_at_once() {
    let mock = Mock::of(&json!({}), &["--output", "2"]);
    let open = |fields| request("/v1/chat/completions", &chat(fields)).replace("Connection: close\r\n", "");
    let last = request("/v1/chat/completions", &chat(json!({ "n": 3 })));
    let bytes = [open(json!({})), open(json!({ "stream": true })), last].concat();
    let text = mock.raw(bytes.as_bytes());
    let statuses: Vec<_> = text
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &text[at + 9..at + 12])
        .collect();
    assert_eq!(statuses, ["200", "200", "400"]);
    assert!(text.contains("data: [DONE]\n\n\r\n0\r\n\r\nHTTP/1.1 400"), "{text}");
}

#[test]
fn whatever_comes_in_the_server_goes_on() {
    let mock = Mock::of(&json!({}), &["--output", "2"]);
    let body = |text: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
    };
    let deep = body(&"[".repeat(100_000));
    let huge = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(200_000));
    for (bytes, status) in [
        ("\u{16}\u{3}\u{1}\u{0}garbage\r\n\r\n", 400),
        ("GET\r\n\r\n", 400),
        (huge.as_str(), 431),
        (deep.as_str(), 400),
        (&body("{\"model\": \"m\", \"messages\": {}}"), 400),
        (&body("{\"model\": [], \"messages\": []}"), 400),
        (&body("{\"model\": \"m\"}"), 400),
        (&body("\"m\""), 400),
        (&body(""), 400),
        (
            &body("{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": [3]}]}"),
            400,
        ),
        (
            &body("{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"max_tokens\": 1e99}"),
            400,
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
            413,
        ),
    ] {
        let answer = Answer::of(&mock.raw(bytes.as_bytes()));
        assert_eq!(answer.status, status, "{}", &bytes[..bytes.len().min(200)]);
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    // Who leaves in the middle, of a head or of a body.
    for part in [
        "POST /v1/ch",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
    ] {
        mock.connect().write_all(part.as_bytes()).unwrap();
    }
    // Chunks, a byte at a time.
    let text = chat(json!({})).to_string();
    let (front, back) = text.split_at(20);
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{front}\r\n{:x}\r\n{back}\r\n0\r\n\r\n",
        front.len(),
        back.len()
    );
    let mut socket = mock.connect();
    for byte in chunked.bytes() {
        socket.write_all(&[byte]).unwrap();
    }
    let mut slow = String::new();
    socket.read_to_string(&mut slow).unwrap();
    assert_eq!(Answer::of(&slow).json()["usage"]["completion_tokens"], 2);
}

#[test]
fn more_connections_than_allowed_are_told_so() {
    let mock = Mock::of(&json!({}), &["--max-connections", "1"]);
    let mut first = mock.connect();
    first.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    first.read_exact(&mut [0; 12]).unwrap();
    let answer = Answer::of(&mock.raw(b""));
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (503, &json!("mock_is_full"))
    );
    drop(first);
    let again = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        mock.raw(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .starts_with("HTTP/1.1 200")
    });
    assert!(again);
}

#[cfg(unix)]
#[test]
fn whatever_asks_it_to_stop_it_ends_with_a_summary() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut mock = Mock::of(
            &json!({ "limits": [{ "concurrent": { "limit": 1 } }] }),
            &["--output", "7"],
        );
        assert_eq!(mock.chat(json!({})).status, 200);
        assert_eq!(mock.chat(json!({ "n": 2 })).status, 400);
        let id = mock.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut rest = String::new();
        mock.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(
            rest, "1 request (1 success); 1 that reached no model; 4 prompt and 7 completion tokens\n",
            "{signal}"
        );
        assert_eq!(mock.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

fn simcap(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_TARGET_TMPDIR")))
        .output()
        .unwrap()
}

#[test]
fn what_cannot_be_served_is_refused_by_name() {
    let output = simcap(&["mock", "gpt-4.2", "--port", "0"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: there is no model `gpt-4.2`: no models/gpt-4.2.json in this folder or above it, and none built in; did you mean `gpt-4.1`?
   built in: deepseek-v3.2, gpt-4.1, claude-sonnet-4.5, gemini-2.5-flash, relay-fast, llama-3.3-70b, qwen2.5-72b\n"
    );
    let output = simcap(&["mock", "--port", "0"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_port_in_use_is_a_failure_of_the_machine() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = simcap(&["mock", "gpt-4.1", "--port", &port]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "error: cannot listen on 127.0.0.1:{port}: the port is in use; choose another with --port, or any that is free with --port 0\n"
        )
    );
}
