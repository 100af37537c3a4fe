//! What simcap takes is bounded: memory, by an estimate beforehand and by a bound while it runs; files, while they are read;
//! values, by what can be.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::common::command::{simcap, text};
use serde_json::Value;
use simcap::engine::run::{Control, run};
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::kernel::time::Span;
use simcap::traffic::arrivals::Row;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// The exit code of these arguments on an experiment alone in its folder, and what it says on standard error.
fn ends(arguments: &[&str], experiment: &str) -> (Option<i32>, String) {
    let folder = folder(&[("x.json", experiment)]);
    let output = simcap(folder.path(), arguments);
    (output.status.code(), text(&output.stderr))
}

#[track_caller]
fn assert_refused(experiment: &str, path: &str, words: &str) {
    for command in ["check", "run"] {
        let (code, said) = ends(&[command, "x.json"], experiment);
        assert_eq!(code, Some(2), "{command}: {said}");
        assert!(said.contains(path) && said.contains(words), "{command}: {said}");
    }
}

/// 100,000 a second for an hour each, over an hour; and a million a second of which one is served: 3.6e8 and 3.6e9.
#[test]
fn a_backlog_that_no_memory_holds_is_refused_at_the_rate() {
    let at = ": traffic.arrivals.poisson.rate: s: about ";
    assert_refused(include_str!("bounds/backlog.json"), at, "360 million requests");
    assert_refused(include_str!("bounds/queue.json"), at, "3.66 billion requests");
}

/// A hundred requests a second, for which one provider takes 10 ms and the other 10 s: 1 and 1,000 in the system, of which 300 may be.
const TWO: &str = r#"{ "name": "two",
    "traffic": { "arrivals": { "poisson": { "rate": "100/s" } },
        "classes": { "c": { "input": { "constant": 100 }, "output": { "constant": 50 } } } },
    "providers": {
        "fast": { "response": { "constant": "10ms" }, "prices": { "per_request": { "price": "$0.001" } } },
        "slow": { "response": { "constant": "10s" }, "prices": { "per_request": { "price": "$0.001" } } } },
    "policies": [ { "name": "slow", "policy": { "single": { "provider": "slow" } } },
        { "name": "fast", "policy": { "single": { "provider": "fast" } } } ],
    "objectives": [ { "metric": "ttft.p50", "at_most": "1s", "policies": ["fast"] } ],
    "plan": { "duration": "95s", "warmup": "5s", "replications": 3, "max_in_system": 300 } }"#;

#[test]
fn a_run_that_outgrows_its_bound_keeps_what_it_has_and_says_where_on_any_number_of_threads() {
    let run = |threads: &str| {
        let folder = folder(&[("x.json", TWO)]);
        let output = simcap(folder.path(), &["run", "x.json", "--threads", threads]);
        let result = std::fs::read_to_string(folder.path().join("reports/two/result.json")).unwrap();
        (output.status.code(), text(&output.stderr), result)
    };
    let (code, said, result) = run("1");
    assert_eq!(code, Some(3), "{said}");
    let expected = "error: slow: all 3 replications had more than 300 requests in the system (`max_in_system`) and were ended, \
                    replication 0 after ";
    assert!(said.contains(expected), "{said}");
    let report: Value = serde_json::from_str(&result).unwrap();
    let names: Vec<_> = report["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names, report["replications_finished"].as_u64()),
        (vec!["fast"], Some(3))
    );
    assert_eq!(report["objectives"][0]["policy"], "fast");
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("slow: all 3 replications")
    );
    let (many_code, many_said, many_result) = run("4");
    assert_eq!((many_code, many_result), (code, result));
    let errors = |said: &str| {
        said.lines()
            .filter(|l| l.starts_with("error"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(errors(&many_said), errors(&said));
}

#[test]
fn a_run_of_which_nothing_is_left_says_why_and_writes_no_report() {
    let slow_alone = TWO.replace(
        r#""fast", "policy": { "single": { "provider": "fast""#,
        r#""fast", "policy": { "single": { "provider": "slow""#,
    );
    let (code, said) = ends(&["run", "x.json"], &slow_alone);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("fast: all 3 replications") && said.contains("there is nothing to report"),
        "{said}"
    );
}

#[test]
fn check_says_what_a_plan_takes() {
    let folder = folder(&[("x.json", TWO)]);
    let output = simcap(folder.path(), &["check", "x.json"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    // Half of the requests take 10 s each and half 10 ms: 500.5 at once, of 10,000.
    for words in [
        "estimate: less than 10 MB of memory on ",
        "  slow: about 10,000 requests a replication, about 500 in the system at once (at most 300)\n",
        "note: slow: about 50",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
}

#[test]
fn a_bound_beyond_what_can_be_held_is_refused() {
    let text = TWO.replace(r#""max_in_system": 300"#, r#""max_in_system": 9000000"#);
    assert_refused(&text, "plan.max_in_system", "at most 8000000 can be asked for");
}

#[test]
fn files_are_bounded_while_they_are_read() {
    let folder = folder(&[]);
    let huge = File::create(folder.path().join("x.json")).unwrap();
    huge.set_len(10_000_000_000).unwrap();
    let output = simcap(folder.path(), &["check", "x.json"]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (
            Some(2),
            "error: x.json: it has 10 GB, and at most 100 MB are read of such a file\n".to_owned()
        )
    );
}

const REPLAY: &str = r#"{ "name": "tr",
    "traffic": { "arrivals": { "replay": { "trace": "t.csv" } }, "classes": { "c": {} } },
    "providers": { "p": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0.001" } } } },
    "policies": [{ "name": "s", "policy": "round_robin" }], "plan": { "replications": 1 } }"#;

#[test]
fn a_trace_is_quoted_in_part_and_its_lines_are_bounded() {
    let check = |folder: &Path| {
        let output = simcap(folder, &["check", "x.json"]);
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    let folder = folder(&[("x.json", REPLAY), ("t.csv", "\u{1b}[31mTIMESTAMP,a\n")]);
    assert_eq!(
        check(folder.path()).lines().next().unwrap_or_default(),
        "error: t.csv: no trace of a known form; it has: \\u{1b}[31mTIMESTAMP, a"
    );
    let mut trace = File::create(folder.path().join("t.csv")).unwrap();
    trace.write_all(b"TIMESTAMP,ContextTokens,GeneratedTokens\n1,").unwrap();
    for _ in 0..50 {
        trace.write_all(&[b'9'; 1_000_000]).unwrap();
    }
    trace.write_all(b",1\n").unwrap();
    assert_eq!(
        check(folder.path()),
        "error: t.csv: line 2 is longer than 1000000 bytes\n"
    );
}

#[test]
fn values_that_cannot_be_are_refused_at_their_place() {
    let sigma = "providers.p.response.lognormal.sigma: a sigma of ";
    assert_refused(include_str!("bounds/sigma.json"), sigma, "must be at most 10");
    assert_refused(
        include_str!("bounds/sigma-percent.json"),
        sigma,
        "p99/p50 would be e^(2.33 × sigma) = 10^40",
    );
    assert_refused(
        include_str!("bounds/tokens.json"),
        "traffic.classes.c.output.lognormal: a median of 1.000e308 tokens",
        "at most 4294967295",
    );
}

/// Half of a lognormal lies above its median, which is just below 2^32 here.
#[test]
fn what_is_cut_off_when_it_is_drawn_is_counted_and_said() {
    let experiment = include_str!("bounds/tokens.json").replace("1e+308", "4e9");
    let folder = folder(&[("x.json", &experiment)]);
    let output = simcap(folder.path(), &["run", "x.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let result = std::fs::read_to_string(folder.path().join("reports/big/result.json")).unwrap();
    let report: Value = serde_json::from_str(&result).unwrap();
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("lengths or times were cut off at 2^32"), "{warnings}");
}

#[test]
fn lists_have_a_most() {
    let one = r#"{ "name": "fast", "policy": "round_robin" }"#;
    let many: Vec<String> = (0..1001).map(|i| one.replace("fast", &format!("p{i}"))).collect();
    let from = TWO.find("\"policies\": [").unwrap();
    let to = TWO.find("\"objectives\"").unwrap();
    let text = format!("{}\"policies\": [{}],{}", &TWO[..from], many.join(","), &TWO[to..]);
    assert_refused(&text, "policies: 1001 policies: at most 1000", "");
}

/// A burst before the end of the warm-up: its answers are served within the window, its requests came before. What is good is
/// a part of what was served, not of what came.
#[test]
fn goodput_may_exceed_what_arrived_but_not_what_was_served() {
    let loaded = from_text("late-burst.json", include_str!("bounds/late-burst.json")).unwrap();
    let plan = assemble(&loaded).unwrap();
    let tally = run(&plan.scenarios[0], plan.seed, 0, &Control::default()).unwrap();
    assert!(tally.good > tally.requests(), "{} {}", tally.good, tally.requests());
    assert!(tally.good <= tally.served, "{} {}", tally.good, tally.served);
}

/// The fuzz target runs what has fewer than 500 requests; a replay gets a trace of its own there.
#[test]
fn every_experiment_is_a_seed_of_the_fuzz_target_and_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(root.join("experiments")).unwrap() {
        let name = entry.unwrap().file_name();
        if !name.to_string_lossy().ends_with(".json") {
            continue;
        }
        let seed = root.join("fuzz/seeds/experiment").join(&name);
        let text = std::fs::read_to_string(&seed).unwrap_or_else(|e| panic!("{}: {e}", seed.display()));
        let mut loaded = from_text("seed.json", &text).unwrap_or_else(|e| panic!("{e}"));
        let mut rate = 0.0;
        let mut traces = Vec::new();
        for origin in loaded.experiment.traffic.origins() {
            let arrivals = origin.arrivals.as_dyn();
            rate += arrivals.rate().unwrap_or(0.0);
            traces.extend(arrivals.trace().map(str::to_owned));
        }
        for trace in traces {
            loaded.traces.insert(trace, (0..100).map(second).collect());
        }
        let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
        let seconds = plan.scenarios[0].window.end.seconds();
        assert!(rate * seconds < 500.0, "{}: {rate} for {seconds} s", seed.display());
    }
}

/// A request in this second.
fn second(number: u64) -> Row {
    Row {
        at: Span::from_secs(number),
        input: 100,
        output: 50,
    }
}
