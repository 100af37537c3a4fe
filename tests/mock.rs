//! What `simcap mock` answers: transcripts, times, quotas, faults, on a raw socket.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]
#![allow(clippy::disallowed_methods, reason = "a server in real time is tested in real time")]

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::common::mock::{Answer, Mock, chat, request};
use serde_json::{Value, json};

/// The answer, with what says when it was made left out.
fn timeless(text: &str) -> String {
    let mut parts = text.split("\"created\":");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push_str("\"created\":0");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

#[test]
fn a_stream_is_what_openais_is() {
    let mock = Mock::of(&json!({}), &[]);
    let answer = mock.chat(json!({ "stream": true, "max_tokens": 3, "stream_options": { "include_usage": true } }));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("text/event-stream; charset=utf-8"));
    let start = r#"data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":0,"model":"m","system_fingerprint":"simcap","choices":["#;
    let chunk = |delta: &str, reason: &str| {
        format!(r#"{start}{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}],"usage":null}}"#)
            + "\n\n"
    };
    let expected = [
        chunk(r#"{"role":"assistant","content":"","refusal":null}"#, "null"),
        chunk(r#"{"content":"W1"}"#, "null"),
        chunk(r#"{"content":" W2"}"#, "null"),
        chunk(r#"{"content":" W3"}"#, "null"),
        chunk("{}", "\"length\""),
        format!(
            r#"{start}],"usage":{{"completion_tokens":3,"completion_tokens_details":{{"reasoning_tokens":0}},"prompt_tokens":4,"prompt_tokens_details":{{"cached_tokens":0}},"total_tokens":7}}}}"#
        ) + "\n\n",
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let id = &answer.body[answer.body.find("chatcmpl-").unwrap() + 9..][..16];
    let events = answer.events();
    let word = |i: usize| {
        let event: Value = serde_json::from_str(events[i]).unwrap();
        event["choices"][0]["delta"]["content"]
            .as_str()
            .unwrap()
            .trim()
            .to_owned()
    };
    let expected = expected
        .replace("chatcmpl-ID", &format!("chatcmpl-{id}"))
        .replace("W1", &word(1))
        .replace("W2", &word(2))
        .replace("W3", &word(3));
    assert_eq!(timeless(&answer.body), expected);
    assert!((1..4).all(|i| word(i).bytes().all(|b| b.is_ascii_lowercase()) && !word(i).is_empty()));
}

#[test]
fn a_whole_answer_and_a_text_completion_have_the_same_tokens() {
    let mock = Mock::of(&json!({}), &["--output", "5"]);
    let chat = mock.chat(json!({})).json();
    assert_eq!(
        (&chat["object"], &chat["model"]),
        (&json!("chat.completion"), &json!("m"))
    );
    let message = &chat["choices"][0]["message"];
    assert_eq!(message["role"], "assistant");
    assert_eq!(message["content"].as_str().unwrap().split(' ').count(), 5);
    assert_eq!(chat["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        (&chat["usage"]["prompt_tokens"], &chat["usage"]["completion_tokens"]),
        (&json!(4), &json!(5))
    );
    let body = json!({ "model": "m", "prompt": "a b c", "max_tokens": 2 });
    let text = mock.post("/v1/completions", &body).json();
    assert_eq!(
        (&text["object"], &text["choices"][0]["finish_reason"]),
        (&json!("text_completion"), &json!("length"))
    );
    assert_eq!(text["choices"][0]["text"].as_str().unwrap().split(' ').count(), 2);
    assert_eq!(text["usage"]["prompt_tokens"], 3);
    let streamed = mock.post(
        "/v1/completions",
        &json!({ "model": "m", "prompt": "a", "stream": true }),
    );
    let events = streamed.events();
    // Five tokens, the reason, the end: a text has no role.
    assert_eq!((events.len(), events[6]), (7, "[DONE]"));
    let last: Value = serde_json::from_str(events[5]).unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
}

#[test]
fn one_seed_gives_the_same_answers_and_another_does_not() {
    let change = json!({ "ttft": { "constant": "1ms" }, "faults": { "server_error": 0.3, "unavailable": 0.2 } });
    let answers = |seed: &str| -> Vec<String> {
        let law = r#"{"lognormal": {"median": 20, "sigma": 1}}"#;
        let mock = Mock::of(&change, &["--seed", seed, "--output", law]);
        let one = |_| {
            let answer = mock.chat(json!({}));
            format!("{} {}", answer.status, timeless(&answer.body))
        };
        (0..25).map(one).collect()
    };
    let first = answers("7");
    assert_eq!(first, answers("7"));
    assert_ne!(first, answers("8"));
    for status in ["200", "500", "503"] {
        assert!(first.iter().any(|a| a.starts_with(status)), "no {status}: {first:?}");
    }
}

/// The machine may be busy: no bound is asked of every answer but that none is early.
#[test]
fn tokens_come_when_the_model_says_and_never_before() {
    let change = json!({ "ttft": { "constant": "120ms" }, "network": "30ms", "tps": { "constant": 100 } });
    let mock = Mock::of(&change, &["--stamps"]);
    let mut best = Duration::MAX;
    for _ in 0..6 {
        let mut socket = mock.connect();
        let body = chat(json!({ "stream": true, "max_tokens": 6 }));
        let sent = Instant::now();
        socket
            .write_all(request("/v1/chat/completions", &body).as_bytes())
            .unwrap();
        let mut text = vec![0; 64 * 1024];
        let first = socket.read(&mut text).unwrap();
        let ttft = sent.elapsed();
        text.truncate(first);
        assert!(
            String::from_utf8_lossy(&text).contains(r#""content":""#),
            "the head comes with the first token"
        );
        socket.read_to_end(&mut text).unwrap();
        let whole = sent.elapsed();
        assert!(ttft >= Duration::from_millis(150), "{ttft:?}");
        assert!(whole >= Duration::from_millis(200), "{whole:?}");
        best = best.min(ttft);
        let answer = Answer::of(&String::from_utf8(text).unwrap());
        let stamps: Vec<u64> = answer
            .events()
            .iter()
            .filter_map(|event| serde_json::from_str::<Value>(event).ok()?["simcap_sent_us"].as_u64())
            .collect();
        assert_eq!(stamps.len(), 6, "a stamp a token");
        assert!(stamps.is_sorted(), "{stamps:?}");
    }
    assert!(best < Duration::from_millis(200), "{best:?}");
}

#[test]
fn a_spent_quota_is_a_429_that_says_when_to_come_back() {
    let limits = json!([{ "token_bucket": { "unit": "requests", "rate": "6/min", "burst": 2 } },
                        { "token_bucket": { "unit": "tokens", "rate": "1000/min", "burst": 1000 } }]);
    let mock = Mock::of(&json!({ "limits": limits }), &["--output", "6"]);
    let first = mock.chat(json!({}));
    assert_eq!(first.status, 200);
    assert_eq!(first.field("x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(first.field("x-ratelimit-remaining-requests"), Some("1"));
    assert_eq!(first.field("x-ratelimit-reset-requests"), Some("10s"));
    assert_eq!(first.field("x-ratelimit-remaining-tokens"), Some("990"));
    assert_eq!(mock.chat(json!({})).status, 200);
    let third = mock.chat(json!({ "stream": true }));
    assert_eq!(third.status, 429);
    let wait: u32 = third.field("retry-after").unwrap().parse().unwrap();
    assert!((8..=10).contains(&wait), "ten seconds less what has passed: {wait}");
    assert_eq!(third.field("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(
        third.json(),
        json!({ "error": {
            "message": "the quota of `m` is used up for now",
            "type": "requests", "param": null, "code": "rate_limit_exceeded",
        } })
    );
    // A server that says nothing of its quotas still says when to come back.
    let mock = Mock::of(&json!({ "limits": limits }), &["--no-quota-headers"]);
    let answers = [(); 3].map(|()| mock.chat(json!({})));
    assert_eq!(answers.each_ref().map(|a| a.status), [200, 200, 429]);
    assert!(answers.iter().all(|a| a.field("x-ratelimit-limit-requests").is_none()));
    assert!(answers[2].field("retry-after").is_some());
    // A text that never fits: no use in coming back.
    let mock = Mock::of(&json!({ "limits": limits }), &[]);
    let large = mock.chat(json!({ "max_tokens": 2000 }));
    assert_eq!((large.status, large.field("retry-after")), (429, None));
    assert_eq!(large.json()["error"]["type"], "tokens");
}

#[test]
fn every_fault_is_what_a_client_would_see() {
    for (fault, status, kind, code) in [
        ("server_error", 500, "server_error", Value::Null),
        ("bad_gateway", 502, "server_error", json!("bad_gateway")),
        ("unavailable", 503, "server_error", json!("service_unavailable")),
        ("gateway_timeout", 504, "server_error", json!("gateway_timeout")),
        ("overloaded", 529, "overloaded_error", Value::Null),
        ("request_timeout", 408, "timeout", json!("request_timeout")),
        ("payment_required", 402, "billing_error", json!("payment_required")),
        ("forbidden", 403, "permission_error", json!("forbidden")),
        ("not_found", 404, "invalid_request_error", json!("model_not_found")),
        ("conflict", 409, "invalid_request_error", json!("conflict")),
        (
            "payload_too_large",
            413,
            "invalid_request_error",
            json!("request_too_large"),
        ),
        (
            "unprocessable",
            422,
            "invalid_request_error",
            json!("unprocessable_entity"),
        ),
        ("bad_request", 400, "invalid_request_error", Value::Null),
        ("rate_limited", 429, "requests", json!("rate_limit_exceeded")),
        (
            "content_filtered",
            400,
            "invalid_request_error",
            json!("content_filter"),
        ),
        ("unauthorized", 401, "invalid_request_error", json!("invalid_api_key")),
    ] {
        let mock = Mock::of(&json!({ "faults": { fault: 1 } }), &[]);
        let answer = mock.chat(json!({ "stream": true }));
        assert_eq!(answer.status, status, "{fault}");
        let error = &answer.json()["error"];
        assert_eq!((&error["type"], &error["code"]), (&json!(kind), &code), "{fault}");
        assert_eq!(answer.field("retry-after"), None, "{fault}");
    }
}

/// A refusal comes when its model says, with the header that it asks for.
#[test]
fn a_failure_takes_its_time_and_says_when_to_come_back() {
    let faults = json!({ "unavailable": { "share": 1, "after": "300ms", "retry_after": "30s" } });
    let mock = Mock::of(&json!({ "faults": faults }), &[]);
    let begun = std::time::Instant::now();
    let answer = mock.chat(json!({}));
    assert!(begun.elapsed() >= std::time::Duration::from_millis(300));
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("30")));
}

#[test]
fn connections_break_streams_break_off_and_hangs_are_silent() {
    let ask = |mock: &Mock, stream: bool| {
        mock.raw(
            request(
                "/v1/chat/completions",
                &chat(json!({ "stream": stream, "max_tokens": 50 })),
            )
            .as_bytes(),
        )
    };
    let mock = Mock::of(&json!({ "faults": { "connection_error": 1 } }), &[]);
    assert_eq!(ask(&mock, true), "");
    let mock = Mock::of(&json!({ "faults": { "truncated": 1 } }), &[]);
    let stream = ask(&mock, true);
    assert!(
        stream.starts_with("HTTP/1.1 200 ") && stream.contains(r#""content":""#),
        "{stream}"
    );
    assert!(!stream.contains("[DONE]") && !stream.ends_with("0\r\n\r\n"), "{stream}");
    let whole = Answer::of(&ask(&mock, false));
    let length: usize = whole.field("content-length").unwrap().parse().unwrap();
    assert!(!whole.body.is_empty() && whole.body.len() < length);
    for (fault, begins) in [("hang", false), ("stalled", true)] {
        let mock = Mock::of(&json!({ "faults": { fault: 1 } }), &[]);
        let mut socket = mock.connect();
        socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        let body = chat(json!({ "stream": true, "max_tokens": 50 }));
        socket
            .write_all(request("/v1/chat/completions", &body).as_bytes())
            .unwrap();
        let mut text = Vec::new();
        let error = socket.read_to_end(&mut text).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{fault}: {error}"
        );
        assert_eq!(!text.is_empty(), begins, "{fault}");
    }
}

#[test]
fn what_does_not_fit_the_context_window_is_refused() {
    let mock = Mock::of(&json!({ "context_window": 10 }), &[]);
    assert_eq!(mock.chat(json!({ "max_tokens": 6 })).status, 200);
    let answer = mock.chat(json!({ "max_tokens": 7 }));
    let error = &answer.json()["error"];
    assert_eq!(
        (answer.status, &error["code"]),
        (400, &json!("context_length_exceeded"))
    );
}

#[test]
fn who_hangs_up_frees_a_place() {
    let limits = json!([{ "concurrent": { "limit": 1 } }]);
    let mock = Mock::of(&json!({ "limits": limits, "ttft": { "constant": "1h" } }), &[]);
    let bytes = request("/v1/chat/completions", &chat(json!({ "stream": true })));
    // Whether such a request is let in: then nothing comes for an hour.
    let is_let_in = || {
        let mut socket = mock.connect();
        socket.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
        socket.write_all(bytes.as_bytes()).unwrap();
        let mut text = [0; 12];
        match socket.read_exact(&mut text) {
            Ok(()) => {
                assert_eq!(&text, b"HTTP/1.1 429");
                None
            }
            Err(_) => Some(socket),
        }
    };
    let first = is_let_in().expect("the first is let in");
    assert!(is_let_in().is_none(), "the place is taken");
    drop(first);
    let again = (0..30).any(|_| is_let_in().is_some());
    assert!(again, "nobody noticed that the first has gone");
}

#[test]
fn an_experiments_providers_are_served_with_what_it_changes() {
    let experiment = json!({
        "name": "x",
        "traffic": {
            "arrivals": { "poisson": { "rate": "1/s" } },
            "classes": { "all": { "input": { "constant": 100 }, "output": { "constant": 10 } } },
        },
        "providers": {
            "east": { "model": "gpt-4.1", "ttft": { "constant": "1ms" }, "network": "0ms", "retry_after": "milliseconds",
                      "account": "ours", "limits": [], "faults": [] },
            "west": { "model": "gpt-4.1", "ttft": { "constant": "1ms" }, "network": "0ms", "account": "ours", "limits": [],
                      "faults": [] },
        },
        "accounts": { "ours": { "limits": [{ "token_bucket": { "unit": "requests", "rate": "1/min", "burst": 1 } }] } },
        "policies": [{ "name": "p", "policy": { "round_robin": {} } }],
        "plan": { "duration": "1m" },
    });
    let mock = Mock::run(
        "x.json",
        &experiment.to_string(),
        &["--experiment", "x.json", "--output", "1"],
    );
    assert_eq!(mock.chat(json!({ "model": "west" })).status, 200);
    // The account that both share is spent.
    let refused = mock.chat(json!({ "model": "east" }));
    assert_eq!((refused.status, refused.field("retry-after")), (429, None));
    let wait: u32 = refused.field("retry-after-ms").unwrap().parse().unwrap();
    assert!((50_000..=60_000).contains(&wait), "{wait}");
}
