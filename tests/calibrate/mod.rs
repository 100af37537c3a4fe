//! `simcap calibrate` against servers that a test wrote: what it measures, what it writes down, what it never does.

#![cfg(feature = "live")]
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]
#![allow(clippy::disallowed_methods, reason = "what is tested looks at the clock")]

mod accuracy;
mod finding;
mod hostile;
mod measures;
mod safety;
mod server;
mod tls;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const KEY: &str = "sk-test-5f0c2a9d7b1e4c68";

/// The command in `folder`, with a key in the environment, no proxy, and no opinion on how calm the machine is.
fn simcap(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simcap"));
    command.arg("calibrate").args(arguments);
    command
        .current_dir(folder)
        .env("TEST_KEY", KEY)
        .env_remove("COLUMNS")
        .stdin(Stdio::null());
    for proxy in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        command.env_remove(proxy);
    }
    command
}

/// A run of one target at no price, except for what `arguments` say.
fn ask(folder: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut all = vec![
        "--base-url",
        url,
        "--model",
        "mock",
        "--max-cost",
        "$1",
        "--out",
        "out",
        "--dispatch-bound",
        "1h",
    ];
    if !arguments.contains(&"--price-input") {
        all.extend(["--price-input", "0"]);
    }
    all.extend(arguments);
    simcap(folder, &all)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Everything that a command said.
fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// The probes in the folder, in the order in which they ended.
fn probes(folder: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(folder.join("out/probes.jsonl")).unwrap();
    let probes = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap().get("probe").cloned());
    probes.collect()
}
