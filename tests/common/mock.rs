//! A mock at work, and what a raw client of it needs.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// A model that answers after 20 ms, a million tokens a second, with these fields besides or instead.
pub(crate) fn model(change: &Value) -> String {
    let mut variant = json!({
        "source": "a test",
        "ttft": { "constant": "20ms" },
        "tps": { "constant": 1_000_000 },
        "network": "0ms",
        "prices": { "input": "$1/Mtok", "output": "$1/Mtok" },
        "faults": {},
    });
    for (field, value) in change.as_object().unwrap() {
        variant[field] = value.clone();
    }
    json!({ "model": "m", "default": "a", "variants": { "a": variant } }).to_string()
}

/// A mock at work. It ends with the test.
pub(crate) struct Mock {
    pub(crate) child: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mock {
    /// `simcap mock` with these arguments in a folder with this file in it.
    pub(crate) fn run(file: &str, text: &str, arguments: &[&str]) -> Mock {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_simcap"))
            .args(["mock", "--port", "0"])
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .strip_prefix("listening on http://127.0.0.1:")
            .and_then(|rest| rest.split('/').next()?.parse().ok())
            .unwrap_or_else(|| panic!("{line}"));
        Mock {
            child,
            port,
            _folder: folder,
        }
    }

    pub(crate) fn of(change: &Value, arguments: &[&str]) -> Mock {
        Mock::run("m.json", &model(change), &[&["m.json"], arguments].concat())
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    /// What comes back for these bytes until the connection is closed.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect();
        // It may have heard enough before the end.
        let _ = socket.write_all(bytes);
        let mut text = Vec::new();
        let _ = socket.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(&self.raw(request(path, body).as_bytes()))
    }

    /// A chat for `model` "m" with these fields besides.
    pub(crate) fn chat(&self, fields: Value) -> Answer {
        self.post("/v1/chat/completions", &chat(fields))
    }
}

pub(crate) fn request(path: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn chat(fields: Value) -> Value {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "how are you today" }] });
    for (field, value) in fields.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

/// An answer, its body out of its chunks.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(text: &str) -> Answer {
        let Some((head, mut rest)) = text.split_once("\r\n\r\n") else {
            panic!("no answer: {text:?}");
        };
        let mut body = String::new();
        if head.contains("transfer-encoding: chunked") {
            while let Some((size, after)) = rest.split_once("\r\n") {
                let size = usize::from_str_radix(size, 16).unwrap();
                body.push_str(&after[..size]);
                rest = &after[size + 2..];
            }
        } else {
            body = rest.to_owned();
        }
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body,
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The events of a stream.
    pub(crate) fn events(&self) -> Vec<&str> {
        self.body
            .split("\n\n")
            .filter(|event| !event.is_empty())
            .map(|event| event.strip_prefix("data: ").unwrap())
            .collect()
    }
}
