//! Promises 1 and 2: the same bytes on any number of threads, in any process, with or without the processor's FMA; and
//! every policy meets the same requests.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use simcap::engine::replicate::replicate;
use simcap::engine::run::{Control, run};
use simcap::routing::{Call, Fleet, Policy};
use simcap::words::Outcome;

/// A little of everything: limits, faults, hangs, retries, breakers, priorities, timeouts, two policies.
const EXPERIMENT: &str = include_str!("common/everything.json");

/// The `result.json` that the command writes, with these arguments and environment.
fn result(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("everything.json");
    std::fs::write(&file, EXPERIMENT).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args([
            "run".as_ref(),
            file.as_os_str(),
            "--out".as_ref(),
            folder.path().join("out").as_os_str(),
        ])
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    std::fs::read(folder.path().join("out/result.json")).unwrap()
}

#[test]
fn threads_and_processes_change_no_byte() {
    let one = result(&["--threads", "1"], &[]);
    assert_eq!(one, result(&["--threads", "1"], &[]), "two processes");
    assert_eq!(one, result(&["--threads", "5"], &[]), "five threads");
}

#[test]
fn a_processor_without_fma_gives_the_same_bytes() {
    let hidden = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2");
    assert_eq!(result(&[], &[]), result(&[], &[hidden]));
}

/// Pinned on purpose: it differs between machines, builds or versions only if results do. A change that is meant to
/// change results changes this line too.
#[test]
fn the_bytes_are_those_of_every_other_machine_and_build() {
    insta::assert_snapshot!(sha256(&result(&[], &[])), @"d79ff7df6bbceea057b7ad2cb7f76af3c9dfb38fe03915338026727146dcb055");
}

#[test]
fn another_seed_gives_another_result() {
    assert_ne!(result(&[], &[]), result(&["--seed", "2"], &[]));
}

#[test]
fn a_replication_does_not_depend_on_its_neighbours() {
    let plan = common::plan(EXPERIMENT);
    let together = replicate(&plan.scenarios, 9, 4, &Control::default());
    for (scenario, runs) in plan.scenarios.iter().zip(&together) {
        for (r, tally) in runs.iter().enumerate() {
            let alone = run(scenario, 9, r as u64, &Control::default());
            assert_eq!(*tally, alone, "replication {r} of {}", scenario.name);
        }
    }
}

/// Class, input tokens and `max_tokens`.
type Request = (usize, u32, Option<u32>);

/// Notes each request as it first comes by, and sends it on by a rule of its own.
#[derive(Debug, Clone)]
struct Notes {
    to: usize,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Policy for Notes {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        if call.attempts == 0 {
            self.seen
                .lock()
                .unwrap()
                .push((call.class, call.input, call.max_output));
        }
        fleet.is_open_to_calls(self.to).then_some(self.to)
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

/// One provider fails often and makes retries, the other never: the requests they meet are the same, one by one.
#[test]
fn every_policy_meets_the_same_requests() {
    let requests = |to: usize| {
        let mut plan = common::plan(EXPERIMENT);
        let scenario = &mut plan.scenarios[0];
        let seen = Arc::new(Mutex::new(Vec::new()));
        scenario.policy = Box::new(Notes {
            to,
            seen: Arc::clone(&seen),
        });
        // Nothing waits, so requests come to the policy in the order of their arrival.
        scenario.client.max_in_flight = u32::MAX;
        scenario.client.limiters.clear();
        let tally = run(scenario, 1, 0, &Control::default()).unwrap();
        assert_eq!(tally.ended(Outcome::Shed), 0);
        let seen = seen.lock().unwrap().clone();
        (
            seen,
            tally.attempts(),
            tally.series.bins().iter().map(|b| b.arrivals).collect::<Vec<_>>(),
        )
    };
    let (steady, flaky) = (requests(0), requests(1));
    assert!(flaky.1 > steady.1, "the flaky provider makes retries");
    assert!(steady.0.len() > 1000);
    assert_eq!(steady.0, flaky.0, "classes and lengths");
    assert_eq!(steady.2, flaky.2, "arrival times");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Nothing of the machine or the moment is in a result.
#[test]
fn a_result_holds_no_path_and_no_time_of_day() {
    let text = String::from_utf8(result(&[], &[])).unwrap();
    assert!(!text.contains(std::env::temp_dir().to_str().unwrap()));
    assert!(!text.contains(Path::new(env!("CARGO_MANIFEST_DIR")).to_str().unwrap()));
}
