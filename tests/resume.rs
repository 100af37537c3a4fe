//! A run that is stopped or killed goes on where it was, and ends with the same bytes as one that nothing disturbed.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::command::{simcap, text};

const EXPERIMENT: &str = include_str!("common/everything.json");

/// The file of finished replications in a run's folder.
const PART: &str = "out/replications.part";

/// A folder with the experiment in it, of so many simulated seconds a replication, after a warm-up of 10.
fn folder(seconds: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (duration, warmup) = (r#""duration": "360s""#, r#""warmup": "40s""#);
    assert!(EXPERIMENT.contains(duration) && EXPERIMENT.contains(warmup));
    let text = EXPERIMENT
        .replace(duration, &format!(r#""duration": "{seconds}s""#))
        .replace(warmup, r#""warmup": "10s""#);
    fs::write(folder.path().join("x.json"), text).unwrap();
    folder
}

/// `simcap run x.json --out out` with these further arguments.
fn run(folder: &Path, further: &[&str]) -> Output {
    simcap(folder, &[&["run", "x.json", "--out", "out"], further].concat())
}

/// The same, going on beside the test.
fn begin(folder: &Path, further: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args(["run", "x.json", "--out", "out"])
        .args(further)
        .current_dir(folder)
        .env_remove("COLUMNS")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    // A child that has ended and was not waited for is still there to take it.
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Every file of a finished run, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder.join("out")).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

/// Bytes of the file of finished replications, once there are some beyond its first line.
fn wait_for_replications(folder: &Path) {
    loop {
        let bytes = fs::read(folder.join(PART)).unwrap_or_default();
        if bytes
            .split(|&byte| byte == b'\n')
            .nth(1)
            .is_some_and(|records| !records.is_empty())
        {
            return;
        }
        sleep(Duration::from_millis(5));
    }
}

/// Waits until `child` watches for signals, where the system tells.
fn wait_for_watch(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let is_caught = |text: &str| {
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        // SIGTERM is number 15.
        mask.is_some_and(|mask| mask & (1 << 14) != 0)
    };
    if !Path::new(&status).exists() {
        return sleep(Duration::from_secs(2));
    }
    while !is_caught(&fs::read_to_string(&status).unwrap()) {
        sleep(Duration::from_millis(5));
    }
}

/// A run with more replications than it will get to, that has finished some.
fn begun(folder: &Path, replications: &str) -> Child {
    let child = begin(folder, &["--replications", replications]);
    wait_for_replications(folder);
    child
}

/// Numbers that look random, the same in every test run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn whatever_ends_a_run_and_whenever_it_goes_on_to_the_same_bytes() {
    let folder = folder(60);
    let arguments = ["--replications", "24"];
    #[allow(
        clippy::disallowed_methods,
        reason = "says when a run may be disturbed; nothing is asserted of it"
    )]
    let began = Instant::now();
    let undisturbed = run(folder.path(), &arguments);
    let lasts = began.elapsed().as_millis() as u64;
    let expected = files(folder.path());
    assert!(
        !expected.contains_key("replications.part"),
        "removed when all is reported"
    );
    let mut chance = Chance(12);
    let mut kept = 0;
    for round in 0..8 {
        fs::remove_dir_all(folder.path().join("out")).unwrap();
        for again in 0..4 {
            let resume: &[&str] = if again == 0 { &[] } else { &["--resume"] };
            let child = begin(folder.path(), &[&arguments, resume].concat());
            sleep(Duration::from_millis(chance.below(lasts * 2 / 3)));
            let name = ["KILL", "TERM", "HUP", "INT"][chance.below(4) as usize];
            signal(&child, if is_ignored(name) { "INT" } else { name });
            let output = child.wait_with_output().unwrap();
            let part = folder.path().join(PART);
            let length = fs::metadata(&part).map_or(0, |m| m.len());
            kept += u64::from(length > 1000);
            // Only one that was killed before it could watch for signals ends by one.
            match output.status.code() {
                Some(3) => {
                    let said = text(&output.stdout) + &text(&output.stderr);
                    assert!(said.contains("nterrupted"), "{name}: {said}");
                }
                code => assert!(code.is_none() || code == undisturbed.status.code(), "{name}: {code:?}"),
            }
            // What a system that goes down leaves: the last record in part.
            if length > 0 && chance.below(2) == 0 {
                let torn = fs::OpenOptions::new().write(true).open(&part).unwrap();
                torn.set_len(length - chance.below(length.min(60))).unwrap();
            }
        }
        let output = run(folder.path(), &[&arguments[..], &["--resume"]].concat());
        assert_eq!(output.status, undisturbed.status, "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), text(&undisturbed.stdout), "round {round}");
        let found = files(folder.path());
        let names: Vec<&String> = found.keys().collect();
        assert_eq!(names, expected.keys().collect::<Vec<_>>(), "round {round}");
        for (name, bytes) in &expected {
            assert!(found[name] == *bytes, "round {round}: {name} differs");
        }
    }
    assert!(kept > 0, "some rounds had something to go on with");
}

#[test]
fn an_interrupted_run_says_how_it_goes_on_and_may_go_on_further() {
    let folder = folder(60);
    let child = begun(folder.path(), "5000");
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let said = text(&output.stdout) + &text(&output.stderr);
    let command = format!(
        "Go on with: {} run x.json --out out --replications 5000 --resume\n",
        env!("CARGO_BIN_EXE_simcap")
    );
    assert!(said.contains(&command), "{said}");
    // Fewer or more replications than before, in another number of threads.
    let resumed = run(folder.path(), &["--replications", "7", "--resume", "--threads", "1"]);
    assert!(
        text(&resumed.stderr).starts_with("note: going on with "),
        "{}",
        text(&resumed.stderr)
    );
    let resumed = files(folder.path());
    fs::remove_dir_all(folder.path().join("out")).unwrap();
    run(folder.path(), &["--replications", "7", "--threads", "3"]);
    assert!(resumed == files(folder.path()));
}

#[test]
fn a_run_of_something_else_does_not_go_on_and_one_without_resume_begins_anew() {
    let folder = folder(60);
    let mut child = begun(folder.path(), "5000");
    let second = run(folder.path(), &["--replications", "2"]);
    assert_eq!(second.status.code(), Some(2));
    let expected = "error: out/replications.part: another run is writing to this folder: let that one end, or give another folder with --out\n";
    assert_eq!(text(&second.stderr), expected);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = fs::read(folder.path().join(PART)).unwrap();
    let refused = |further: &[&str]| {
        let output = run(folder.path(), &[&["--resume", "--replications", "2"], further].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(fs::read(folder.path().join(PART)).unwrap() == before, "left as it was");
        text(&output.stderr)
    };
    let seed = refused(&["--seed", "8"]);
    assert!(
        seed.contains("the replications there cannot be gone on with, because their seed is "),
        "{seed}"
    );
    let file = folder.path().join("x.json");
    let experiment = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        experiment.replace(r#""duration": "60s""#, r#""duration": "61s""#),
    )
    .unwrap();
    let text_changed = refused(&[]);
    assert!(
        text_changed.contains("because x.json has changed. Leave out --resume"),
        "{text_changed}"
    );
    fs::write(&file, experiment).unwrap();
    let anew = run(folder.path(), &["--replications", "2"]);
    let said = text(&anew.stderr);
    assert!(
        said.starts_with("note: out held an unfinished run, of which ")
            && said.ends_with("begun anew, as --resume was not given\n"),
        "{said}"
    );
    // Nothing is left to go on with.
    let nothing = run(folder.path(), &["--replications", "2", "--resume"]);
    assert_eq!(
        text(&nothing.stderr),
        "note: out holds no unfinished run: it begins anew\n"
    );
}

/// `simcap sweep x.json --out swept` at many points, with these further arguments.
fn sweep(further: &[&str]) -> Vec<String> {
    let all = ["sweep", "x.json", "--out", "swept", "--set", "plan.seed=1..40:40"];
    let all = all.iter().chain(further);
    all.map(|argument| (*argument).to_owned()).collect()
}

/// A sweep that is killed or interrupted goes on behind the points that were finished, and what it writes and prints is what it would have been.
#[test]
fn a_sweep_goes_on_behind_its_finished_points() {
    let folder = folder(20);
    let path = folder.path();
    let whole = |further: &[&str]| {
        let arguments = sweep(further);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        simcap(path, &arguments)
    };
    let written = || {
        let names = ["sweep.csv", "sweep.json", "sweep.html"];
        names.map(|name| fs::read(path.join("swept").join(name)).unwrap())
    };
    let part = path.join("swept/points.part");
    let points = || {
        let bytes = fs::read(&part).unwrap_or_default();
        bytes.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1)
    };
    let undisturbed = whole(&["--replications", "2"]);
    let expected = written();
    assert!(!part.exists(), "removed when all is written");
    fs::remove_dir_all(path.join("swept")).unwrap();
    for (name, resume) in [("KILL", &[][..]), ("INT", &["--resume"])] {
        let before = points();
        let mut child = Command::new(env!("CARGO_BIN_EXE_simcap"))
            .args(sweep(&[&["--replications", "2"], resume].concat()))
            .current_dir(path)
            .env_remove("COLUMNS")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while points() < before + 4 {
            assert!(child.try_wait().unwrap().is_none(), "{name}: it ended by itself");
            sleep(Duration::from_millis(2));
        }
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert!(points() >= before + 4 && points() < 40, "{name}: {}", points());
        if name == "INT" {
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{said}");
            assert!(
                said.contains("note: going on with ") && said.contains("which are kept. Go on with: "),
                "{said}"
            );
            assert!(said.trim_end().ends_with("--resume"), "{said}");
        }
        // What a system that goes down leaves: the last line in part.
        let file = fs::OpenOptions::new().write(true).open(&part).unwrap();
        file.set_len(file.metadata().unwrap().len() - 7).unwrap();
    }
    let other = whole(&["--replications", "3", "--resume"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("because --replications said something else"));
    let resumed = whole(&["--replications", "2", "--resume", "--threads", "1"]);
    assert_eq!(resumed.status, undisturbed.status, "{}", text(&resumed.stderr));
    assert_eq!(text(&resumed.stdout), text(&undisturbed.stdout));
    assert!(written() == expected);
    assert!(!part.exists());
    let again = text(&resumed.stderr)
        .lines()
        .filter(|line| line.ends_with("of 40 points"))
        .count();
    assert!(again <= 34, "{again} points were run again");
}

/// How often a script failed is in no tally: replications that may have seen it are run again.
#[cfg(feature = "script")]
#[test]
fn failures_of_a_script_are_counted_as_if_nothing_had_been_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = r#"{
        "name": "x",
        "traffic": { "arrivals": { "poisson": { "rate": "10/s" } },
            "classes": { "all": { "input": { "constant": 100 }, "output": { "constant": 50 } } } },
        "providers": { "a": { "response": { "exponential": { "mean": "20ms" } }, "prices": { "per_request": { "price": "$0.001" } } } },
        "policies": [ { "name": "script", "policy": { "script": { "file": "fails.rhai" } } } ],
        "plan": { "duration": "100s", "warmup": "10s" }
    }"#;
    fs::write(folder.path().join("x.json"), experiment).unwrap();
    let script = "fn choose(request, fleet) { if request.unit() < 0.0003 { throw \"a bad draw\"; } if fleet.open(0) { 0 } else { () } }";
    fs::write(folder.path().join("fails.rhai"), script).unwrap();
    let arguments = ["--replications", "30", "--threads", "1"];
    let undisturbed = run(folder.path(), &arguments);
    let said = text(&undisturbed.stderr);
    assert_eq!(undisturbed.status.code(), Some(3), "{said}");
    assert!(said.contains("the script fails.rhai failed "), "{said}");
    let expected = files(folder.path());
    fs::remove_dir_all(folder.path().join("out")).unwrap();
    let child = begin(folder.path(), &arguments);
    wait_for_replications(folder.path());
    signal(&child, "INT");
    child.wait_with_output().unwrap();
    let resumed = run(folder.path(), &[&arguments[..], &["--resume"]].concat());
    assert_eq!(resumed.status.code(), Some(3));
    assert!(files(folder.path()) == expected, "{}", text(&resumed.stderr));
}

/// How `child` ends after these signals.
fn after(child: &mut Child, signals: &[&str]) -> ExitStatus {
    signals.iter().for_each(|name| signal(child, name));
    child.wait().unwrap()
}

/// Whether the tests were started so that HUP ends nothing, under `nohup` say, which what they start takes over: said aloud.
fn is_ignored(name: &str) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is number 1.
    let is_ignored = name == "HUP" && mask.is_some_and(|mask| mask & 1 != 0);
    if is_ignored {
        println!("skipped: the tests were started with HUP ignored");
    }
    is_ignored
}

#[test]
fn compare_ends_in_order_too() {
    for name in ["INT", "TERM", "HUP"].into_iter().filter(|name| !is_ignored(name)) {
        let folder = folder(60);
        let mut child = Command::new(env!("CARGO_BIN_EXE_simcap"))
            .args(["compare", "x.json", "--replications", "100000"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_watch(&child);
        let status = after(&mut child, &[name]);
        assert_eq!(status.code(), Some(3), "{name}");
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        assert!(
            said.contains("stopping: ") || said.contains("interrupted before"),
            "{said}"
        );
    }
}

/// A long run that is told twice does not wait for its report: 128 + 15, unless that was done before.
#[test]
fn the_second_signal_ends_it_at_once() {
    let folder = folder(60);
    let mut child = begun(folder.path(), "5000");
    let status = after(&mut child, &["TERM", "TERM"]);
    assert!(matches!(status.code(), Some(143 | 3)), "{status}");
    assert!(folder.path().join(PART).exists(), "what is finished is kept");
}

#[cfg(target_os = "linux")]
#[test]
fn under_nohup_a_closing_terminal_ends_nothing() {
    let folder = folder(60);
    let line = format!(
        "trap '' HUP; exec {} run x.json --out out --replications 12",
        env!("CARGO_BIN_EXE_simcap")
    );
    let child = Command::new("sh")
        .args(["-c", &line])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_replications(folder.path());
    signal(&child, "HUP");
    let output = child.wait_with_output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&files(folder.path())["result.json"]).unwrap();
    assert_eq!(result["replications_finished"], 12);
}
