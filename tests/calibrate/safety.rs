//! Money and keys: nothing is sent beyond the bound, nothing finished is lost, and the key is nowhere.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::server::{DONE, HEAD, STOP, Server, TOKEN, chunked, good, hang_up, say, usage, whole};
use super::{KEY, ask, probes, said, simcap, text};

#[track_caller]
fn refused(arguments: &[&str], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = simcap(folder.path(), arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(text(&output.stderr), format!("error: {expected}\n"));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is written"
    );
}

const HERE: [&str; 4] = ["--base-url", "http://127.0.0.1:9/v1", "--rate", "1/s"];

#[test]
fn what_is_missing_is_asked_for() {
    let with = |more: &[&'static str]| [&HERE[..], more].concat();
    refused(
        &with(&["--model", "mock", "--requests", "1"]),
        "give --max-cost, like --max-cost '$1': nothing is sent without a bound on what it may cost",
    );
    refused(
        &with(&["--model", "mock", "--requests", "1", "--max-cost", "$1"]),
        "--model: what `mock` costs is not known, so that no bound on cost could be kept: give its prices (`prices`, or --price-input and \
         --price-output; $0/Mtok if it is your own)",
    );
    refused(
        &with(&[
            "--model",
            "mock",
            "--requests",
            "1",
            "--max-cost",
            "$1",
            "--price-input",
            "$1/Mtok",
        ]),
        "give --price-output beside --price-input",
    );
    refused(
        &with(&["--model", "gpt-4.1", "--max-cost", "$1"]),
        "give `requests` or `duration`: how many probes there are",
    );
    let one = ["--model", "gpt-4.1", "--max-cost", "$1", "--requests", "1"];
    let key = |name: &'static str| with(&[&one[..], &["--api-key-env", name]].concat());
    refused(
        &key("NO_SUCH_KEY"),
        "the environment variable NO_SUCH_KEY is not set: put the API key there (export it), never into a file",
    );
    refused(
        &key(KEY),
        "what is given for the environment variable that holds the API key is not a variable's name (letters, digits and _): give the \
         name, never the key",
    );
}

#[test]
fn less_than_nothing_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, value) in [
        ("--rate", "-1/s"),
        ("--max-cost", "-$1"),
        ("--price-input", "-1"),
        ("--requests", "-5"),
    ] {
        let arguments = ["--base-url", "http://127.0.0.1:9/v1", "--model", "m", flag, value];
        let output = simcap(folder.path(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(
            said.contains(&format!("invalid value '{value}' for '{flag} ")),
            "{said}"
        );
    }
}

#[test]
fn an_address_that_would_be_written_down_holds_no_key() {
    for (url, expected) in [
        (
            "https://me:secret@api.example.com/v1",
            "--base-url: the address holds a user name or password, which would be written down; keys come from the environment: write it \
             like \"https://api.example.com/v1\"",
        ),
        (
            "https://api.example.com/v1?key=secret",
            "--base-url: the address has a query, which may hold a key and would be written down; keys come from the environment: write it \
             like \"https://api.example.com/v1\"",
        ),
    ] {
        refused(
            &[
                "--base-url",
                url,
                "--model",
                "gpt-4.1",
                "--rate",
                "1/s",
                "--requests",
                "1",
                "--max-cost",
                "$1",
            ],
            expected,
        );
    }
}

#[test]
fn a_mistake_in_a_plan_is_shown_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let plan = r#"{
  "name": "x",
  "targets": { "a": { "base_url": "http://127.0.0.1:9/v1", "modle": "m" } }
}"#;
    std::fs::write(folder.path().join("plan.json"), plan).unwrap();
    let output = simcap(folder.path(), &["plan.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("plan.json:3:60"), "{message}");
    assert!(message.contains("did you mean `model`?"), "{message}");
}

#[test]
fn a_dry_run_states_the_cost_and_sends_nothing() {
    let server = Server::new(|_, _, s| say(s, good()));
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--dry-run",
        "--rate",
        "2/s",
        "--requests",
        "100",
        "--warmup",
        "10",
        "--input",
        "300",
        "--output",
        "50",
        "--price-input",
        "$2/Mtok",
        "--price-output",
        "$10/Mtok",
        "--api-key-env",
        "NO_SUCH_KEY",
    ];
    let output = ask(folder.path(), &server.url(), &arguments).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    // 110 × (300 × $2/M + 50 × $10/M) = $0.121.
    let expected = format!(
        "mock: 110 probes to mock at {}; about 33,000 input tokens, at most 5,500 output tokens: $0.12 at most at its prices\n\
         $0.12 in all, if prompts have as many tokens as words; it stops at $1.00\n",
        server.url()
    );
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(server.requests().len(), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A word in, five tokens out, at prices that show both.
const ONE_AT_A_TIME: [&str; 10] = [
    "--concurrency",
    "1",
    "--input",
    "1",
    "--output",
    "5",
    "--price-input",
    "$1/Mtok",
    "--price-output",
    "$10/Mtok",
];

/// A target without prices, and no opinion on the machine.
fn whom(url: &str) -> Vec<&str> {
    [
        "--base-url",
        url,
        "--model",
        "mock",
        "--out",
        "out",
        "--dispatch-bound",
        "1h",
    ]
    .to_vec()
}

/// A probe costs 10 × $1/M + 5 × $10/M = $0.00006 by its usage, and may cost (8 bytes + 64) × $1/M + $0.00005 = $0.000122. The
/// fifth fits beside four ($0.000362); the sixth would not beside five ($0.000422).
#[test]
fn spending_stops_before_the_bound_could_be_passed() {
    let server = Server::new(|_, _, s| say(s, good()));
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let mut all = whom(&url);
    all.extend(ONE_AT_A_TIME);
    all.extend(["--requests", "100", "--max-cost", "$0.0004"]);
    let output = simcap(folder.path(), &all).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let costs: Vec<_> = probes(folder.path())
        .iter()
        .map(|probe| probe["cost_pd"].clone())
        .collect();
    assert_eq!(costs, vec![json!(60_000_000); 5]);
    assert_eq!(server.requests().len(), 5);
    let note = "mock: 95 probes were not sent, because they could have taken the bill over the bound";
    assert!(said(&output).contains(note), "{}", said(&output));
    let end = "The bound of $0.00040 kept back 95 of 100 probes: go on with a higher --max-cost and --resume, or ask for fewer.";
    assert!(said(&output).contains(end), "{}", said(&output));
}

/// Answers have three hundred tokens where five were allowed: at $10/Mtok, 60 times what a probe could cost.
#[test]
fn a_bill_beyond_the_worst_case_ends_the_run_and_is_said() {
    let server = Server::new(|_, _, s| say(s, chunked(&[TOKEN, STOP, &usage(10, 300), DONE])));
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let mut all = whom(&url);
    all.extend(ONE_AT_A_TIME);
    all.extend(["--requests", "100", "--max-cost", "$0.0004"]);
    let output = simcap(folder.path(), &all).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(server.requests().len(), 1);
    let note = "$0.0030 were billed, more than the bound of $0.00040: by their usage 1 answers are longer than the max_tokens that they \
                were given";
    assert!(said(&output).contains(note), "{}", said(&output));
}

#[test]
fn an_answer_without_usage_counts_in_full() {
    let server = Server::new(|_, _, s| say(s, chunked(&[TOKEN, STOP, DONE])));
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&ONE_AT_A_TIME[..], &["--requests", "1"]].concat();
    ask(folder.path(), &server.url(), &arguments).output().unwrap();
    assert_eq!(probes(folder.path())[0]["cost_pd"], 122_000_000);
}

/// Everything in `folder`, as text.
fn contents(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all += &path.display().to_string();
        all += &if path.is_dir() {
            contents(&path)
        } else {
            text(&std::fs::read(&path).unwrap())
        };
    }
    all
}

#[test]
fn the_key_is_sent_and_is_nowhere_else_even_if_the_server_quotes_it() {
    let quoting: [fn() -> String; 5] = [
        || {
            whole(
                "401 Unauthorized",
                "",
                &format!("{{\"error\":{{\"message\":\"wrong key {KEY}\",\"code\":\"{KEY}\"}}}}"),
            )
        },
        || {
            whole(
                "400 Bad Request",
                &format!("x-ratelimit-limit: {KEY}\r\nretry-after: {KEY}\r\n"),
                &format!("{} {KEY}", "x".repeat(190)),
            )
        },
        || whole("200 OK", &format!("content-type: text/{KEY}\r\n"), ""),
        || format!("{HEAD}event: error\ndata: {KEY}\n\n"),
        || format!("HTTP/1.1 {KEY}\r\n\r\n"),
    ];
    for answer in quoting {
        let server = Server::new(move |_, _, s| say(s, answer()) && hang_up());
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--concurrency", "1", "--requests", "6", "--api-key-env", "TEST_KEY"];
        let output = ask(folder.path(), &server.url(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(
            server.requests()[0]
                .head
                .contains(&format!("authorization: Bearer {KEY}\r\n"))
        );
        assert!(!probes(folder.path()).is_empty());
        let everything = said(&output) + &contents(folder.path());
        for part in [KEY, &KEY[..12], &KEY[12..], &KEY.to_lowercase()] {
            assert!(!everything.contains(part), "{part} in:\n{everything}");
        }
    }
}

#[test]
fn a_target_that_refuses_everything_is_left_alone() {
    let server = Server::new(|_, _, s| {
        say(
            s,
            whole("404 Not Found", "", r#"{"error":{"message":"no such model"}}"#),
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let output = ask(
        folder.path(),
        &server.url(),
        &["--concurrency", "1", "--requests", "50"],
    )
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(server.requests().len(), 5);
    let note = "mock: left alone before its time: it refuses everything: 404  no such model";
    assert!(said(&output).contains(note), "{}", said(&output));
}

fn lines(folder: &Path) -> usize {
    let text = std::fs::read_to_string(folder.join("out/probes.jsonl")).unwrap_or_default();
    text.lines().count()
}

/// Waits until the run has written so many lines.
fn wait_for_lines(folder: &Path, wanted: usize) {
    while lines(folder) < wanted {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ids(folder: &Path) -> Vec<u64> {
    let mut ids: Vec<u64> = probes(folder)
        .iter()
        .map(|probe| probe["id"].as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let server = Server::new(|_, _, s| say(s, good()));
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let arguments = ["--rate", "20/s", "--requests", "20", "--schedule", "fixed"];
    let mut child = ask(folder.path(), &url, &arguments)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for_lines(folder.path(), 9);
    child.kill().unwrap();
    child.wait().unwrap();
    // As if it had been in the middle of a line.
    let path = folder.path().join("out/probes.jsonl");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 7]).unwrap();

    let without = ask(folder.path(), &url, &arguments).output().unwrap();
    assert_eq!(without.status.code(), Some(2));
    let message = "error: out/probes.jsonl is there already: --resume goes on with it, --out writes elsewhere\n";
    assert_eq!(text(&without.stderr), message);
    let other = ask(
        folder.path(),
        &url,
        &[&arguments[..], &["--resume", "--seed", "9"]].concat(),
    )
    .output()
    .unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(
        text(&other.stderr).contains("it is of another plan"),
        "{}",
        said(&other)
    );

    let resumed = ask(folder.path(), &url, &[&arguments[..], &["--resume"]].concat())
        .output()
        .unwrap();
    assert_eq!(resumed.status.code(), Some(0), "{}", said(&resumed));
    assert_eq!(ids(folder.path()), (0..20).collect::<Vec<u64>>());
    let sent = server.requests().len();
    let again = ask(folder.path(), &url, &[&arguments[..], &["--resume"]].concat())
        .output()
        .unwrap();
    assert_eq!(
        (again.status.code(), server.requests().len()),
        (Some(0), sent),
        "nothing is left to send"
    );
}

/// Ten at once, whose first answers never come: each of three crashes leaves ten under way, and a probe can cost $0.000122, so that
/// of $0.004 nothing is left for the eleventh of the fourth time; nobody would know by what has ended.
#[test]
fn what_was_under_way_at_a_crash_counts_against_the_bound() {
    let server = Server::new(|before, _, s| {
        if before < 30 {
            std::thread::sleep(Duration::from_secs(60));
        }
        say(s, good())
    });
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let mut all = whom(&url);
    all.extend(&ONE_AT_A_TIME[2..]);
    all.extend(["--concurrency", "10", "--requests", "100", "--max-cost", "$0.004"]);
    for time in 1..=3 {
        let mut child = simcap(folder.path(), &all)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while server.requests().len() < 10 * time {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if time == 1 {
            all.push("--resume");
        }
    }
    let output = simcap(folder.path(), &all).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let note = "30 probes were under way when an earlier part of this run was killed: they count at the most that they can have cost, \
                $0.0037, and were due again";
    assert!(said(&output).contains(note), "{}", said(&output));
    let billed: u64 = probes(folder.path())
        .iter()
        .map(|probe| probe["cost_pd"].as_u64().unwrap())
        .sum();
    let (lost, bound, worst) = (30 * 122_000_000, 4_000_000_000, 122_000_000);
    assert!(billed + lost <= bound, "{billed}");
    assert!(
        billed + lost + worst > bound,
        "no more is kept back than must be: {billed}"
    );
}

#[cfg(unix)]
#[test]
fn being_asked_to_stop_loses_nothing_that_has_ended() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let server = Server::new(|_, _, s| say(s, good()));
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--rate", "20/s", "--requests", "10000"];
        let child = ask(folder.path(), &server.url(), &arguments)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_lines(folder.path(), 4);
        let interrupted = std::process::Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(interrupted.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{signal}: {}", said(&output));
        assert!(said(&output).contains("Interrupted. Go on with: the same command and --resume"));
        assert_eq!(
            ids(folder.path()).len(),
            server.requests().len(),
            "what was sent was awaited and written"
        );
    }
}
