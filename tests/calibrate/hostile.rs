//! Servers that mean no good: each is classified, none hangs or breaks the probe.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::server::{DONE, HEAD, ROLE, STOP, Server, TOKEN, chunked, good, hang_up, say, usage, whole};
use super::{ask, probes, said};

/// Far above what any case needs, and far below for ever.
const GENEROUS: Duration = Duration::from_secs(60);

/// One probe at a server that does `deed`: how it is classified, and words of the error.
#[track_caller]
fn check(outcome: &str, words: &str, deed: impl Fn(&mut TcpStream) -> bool + Send + Sync + 'static) {
    check_with(&[], outcome, words, deed);
}

#[track_caller]
fn check_with(
    arguments: &[&str],
    outcome: &str,
    words: &str,
    deed: impl Fn(&mut TcpStream) -> bool + Send + Sync + 'static,
) -> Server {
    let server = Server::new(move |_, _, stream| deed(stream));
    let folder = tempfile::tempdir().unwrap();
    let timeouts = [
        ("--connect-timeout", "2s"),
        ("--ttft-timeout", "1s"),
        ("--idle-timeout", "500ms"),
        ("--total-timeout", "3s"),
    ];
    let mut all = vec!["--rate", "100/s", "--requests", "1", "--input", "3", "--output", "4"];
    for (name, time) in timeouts.iter().filter(|(name, _)| !arguments.contains(name)) {
        all.extend([*name, *time]);
    }
    all.extend(arguments);
    let began = Instant::now();
    let output = ask(folder.path(), &server.url(), &all).output().unwrap();
    assert!(began.elapsed() < GENEROUS);
    let expected = if outcome == "success" { 0 } else { 3 };
    assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
    let probes = probes(folder.path());
    assert_eq!(probes.len(), 1);
    let error = probes[0]["error"].as_str().unwrap_or_default();
    assert_eq!(probes[0]["outcome"], outcome, "{error}");
    assert!(error.contains(words), "{error}");
    server
}

#[test]
fn garbage() {
    check("server_error", "malformed answer: not HTTP", |s| {
        say(s, b"\x00\xff\x16\x03 garbage\r\n\r\n") && hang_up()
    });
}

#[test]
fn headers_without_end() {
    check("server_error", "malformed answer", |s| {
        say(s, "HTTP/1.1 200 OK\r\n") && (0..200_000).all(|i| say(s, format!("x-{i}: y\r\n")))
    });
}

#[test]
fn a_stream_of_comments_without_end() {
    check("timeout_ttft", "", |s| {
        say(s, HEAD);
        while say(s, ": still here\n\n") {}
        false
    });
}

#[test]
fn comments_do_not_stand_for_tokens() {
    check("timeout_idle", "", |s| {
        say(s, HEAD);
        say(s, ROLE);
        say(s, TOKEN);
        while say(s, ": still here\n\n") {
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    });
}

#[test]
fn a_stream_of_tokens_without_end() {
    check("server_error", "chunks and no end", |s| {
        say(s, HEAD);
        while say(s, TOKEN) {}
        false
    });
}

#[test]
fn tokens_that_trickle_beyond_the_total_timeout() {
    check("timeout_total", "", |s| {
        say(s, HEAD);
        while say(s, TOKEN) {
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    });
}

#[test]
fn one_byte_at_a_time_is_an_answer_all_the_same() {
    let answer = [ROLE, TOKEN, STOP, &usage(3, 1), DONE].concat();
    let pieces: Vec<String> = answer.bytes().map(|byte| (byte as char).to_string()).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let bytes = chunked(&pieces);
    check("success", "", move |s| {
        bytes.as_bytes().chunks(1).all(|byte| say(s, byte))
    });
}

#[test]
fn a_slow_loris_in_the_head() {
    check("timeout_ttft", "", |s| {
        say(s, "HTTP/1.1 200 OK\r\nx-slow: ");
        while say(s, "x") {
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    });
}

#[test]
fn a_slow_loris_in_the_body() {
    check("timeout_ttft", "", |s| {
        say(s, HEAD);
        while say(s, "d") {
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    });
}

#[test]
fn bytes_that_are_no_text() {
    check("server_error", "malformed answer: the stream is not UTF-8", |s| {
        say(s, HEAD) && say(s, b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n")
    });
}

#[test]
fn a_gigantic_line() {
    check("server_error", "a line or an event of more than", |s| {
        say(s, HEAD);
        say(s, "data: ");
        let piece = [b'x'; 65536];
        while say(s, piece) {}
        false
    });
}

#[test]
fn a_gigantic_body_that_does_not_stream() {
    let server = check_with(
        &["--no-stream", "--total-timeout", "50s"],
        "server_error",
        "bytes",
        |s| {
            say(
                s,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n[",
            );
            let piece = [b' '; 65536];
            while say(s, piece) {}
            false
        },
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn another_content_type() {
    check(
        "server_error",
        "malformed answer: asked for a stream, got text/html",
        |s| say(s, whole("200 OK", "content-type: text/html\r\n", "<html>hello</html>")),
    );
}

#[test]
fn no_json_in_the_stream() {
    check("server_error", "malformed answer: not JSON", |s| {
        say(s, HEAD) && say(s, "data: hello\n\n") && hang_up()
    });
}

#[test]
fn a_redirect_is_not_followed() {
    let server = check_with(&[], "server_error", "307  a redirect, which is not followed", |s| {
        say(
            s,
            whole("307 Temporary Redirect", "location: /v1/chat/completions\r\n", ""),
        )
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn nobody_answers() {
    check("timeout_ttft", "", |_| {
        std::thread::sleep(Duration::from_secs(5));
        false
    });
}

#[test]
fn it_hangs_up_before_an_answer() {
    check("connection_error", "", |_| false);
}

#[test]
fn it_hangs_up_in_an_answer() {
    check("truncated", "", |s| say(s, HEAD) && say(s, TOKEN) && hang_up());
    // A chunk of 255 bytes that never come.
    let started = chunked(&[ROLE, TOKEN]).replace("0\r\n\r\n", "ff\r\n");
    check("truncated", "", move |s| say(s, &started) && hang_up());
}

#[test]
fn a_stream_that_ends_well_without_done_is_complete() {
    check("success", "", |s| {
        say(s, HEAD) && say(s, TOKEN) && say(s, STOP) && hang_up()
    });
}

#[test]
fn it_stalls_in_an_answer() {
    check("timeout_idle", "", |s| {
        say(s, HEAD);
        say(s, TOKEN);
        std::thread::sleep(Duration::from_secs(5));
        false
    });
}

#[test]
fn it_keeps_the_connection_open_after_the_end() {
    let open = good().replace("0\r\n\r\n", "");
    check("success", "", move |s| {
        say(s, &open);
        std::thread::sleep(Duration::from_secs(5));
        false
    });
}

#[test]
fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{address}/v1");
    let output = ask(folder.path(), &url, &["--rate", "100/s", "--requests", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(probes(folder.path())[0]["outcome"], "connection_error");
}

/// Nobody reads the prompt, which is larger than any buffer on the way.
#[test]
fn nobody_reads() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--rate",
        "100/s",
        "--requests",
        "1",
        "--input",
        "2000000",
        "--ttft-timeout",
        "1s",
    ];
    let output = ask(folder.path(), &url, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(probes(folder.path())[0]["outcome"], "timeout_ttft");
}

#[test]
fn refusals_are_what_their_status_says() {
    for (status, body, outcome) in [
        ("429 Too Many Requests", "", "rate_limited"),
        ("500 Internal Server Error", "", "server_error"),
        ("502 Bad Gateway", "<html>", "bad_gateway"),
        ("503 Service Unavailable", "", "unavailable"),
        ("504 Gateway Timeout", "", "gateway_timeout"),
        ("529 Overloaded", "", "overloaded"),
        ("408 Request Timeout", "", "request_timeout"),
        ("401 Unauthorized", "", "unauthorized"),
        (
            "400 Bad Request",
            r#"{"error":{"code":"context_length_exceeded"}}"#,
            "context_exceeded",
        ),
        (
            "400 Bad Request",
            r#"{"error":{"code":"content_filter"}}"#,
            "content_filtered",
        ),
        ("400 Bad Request", "", "bad_request"),
        ("402 Payment Required", "", "payment_required"),
        ("403 Forbidden", "", "forbidden"),
        ("404 Not Found", "", "not_found"),
        ("409 Conflict", "", "conflict"),
        ("413 Content Too Large", "", "payload_too_large"),
        ("422 Unprocessable Content", "", "unprocessable"),
        ("418 I'm a teapot", "short and stout", "bad_request"),
    ] {
        let answer = whole(status, "", body);
        check(outcome, &status[..3], move |s| say(s, &answer));
    }
}

#[test]
fn an_error_in_a_stream_is_a_failure() {
    for (event, outcome) in [
        ("data: {\"error\":{\"message\":\"boom\"}}\n\n", "server_error"),
        (
            "event: error\ndata: {\"type\":\"overloaded_error\",\"message\":\"boom\"}\n\n",
            "overloaded",
        ),
        (
            "data: {\"error\":{\"code\":429,\"message\":\"boom\"}}\n\n",
            "rate_limited",
        ),
    ] {
        check(outcome, "boom", move |s| {
            say(s, HEAD) && say(s, TOKEN) && say(s, event) && say(s, DONE) && hang_up()
        });
    }
}

#[test]
fn any_status_of_success_is_an_answer() {
    check("success", "", |s| say(s, good().replace("200 OK", "201 Created")));
}
