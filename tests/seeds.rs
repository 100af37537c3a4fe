//! What the fuzz targets hold of any bytes, held of their seeds: whole, cut short and with a byte changed.
//!
//! So the checks are compiled and run without libFuzzer; the targets themselves are three lines each, which `.ci/full` builds and runs.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;

#[path = "../fuzz/checks/claims.rs"]
mod claims;
#[path = "../fuzz/checks/experiment.rs"]
mod experiment;
#[path = "../fuzz/checks/gateway.rs"]
mod gateway;
#[path = "../fuzz/checks/headers.rs"]
mod headers;
#[path = "../fuzz/checks/logs.rs"]
mod logs;
#[path = "../fuzz/checks/sse.rs"]
mod sse;
#[path = "../fuzz/checks/trace.rs"]
mod trace;

/// Panics where what holds of any bytes does not hold of these.
type Check = fn(&[u8]);

/// Every target by its name, with its check.
const TARGETS: [(&str, Check); 7] = [
    ("claims", claims::check),
    ("experiment", experiment::check),
    ("gateway", gateway::check),
    ("headers", headers::check),
    ("logs", logs::check),
    ("sse", sse::check),
    ("trace", trace::check),
];

/// The seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn every_target_has_its_check_and_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
    for (name, _) in TARGETS {
        assert!(!seeds(name).is_empty(), "{name} has no seed");
    }
}

#[test]
fn seeds_are_what_targets_hold_of_any_bytes() {
    for (name, check) in TARGETS {
        seeds(name).iter().for_each(|seed| {
            eprintln!("{name}: {} bytes", seed.len());
            check(seed);
        });
    }
}

/// Eight places in each seed: what is behind it is missing, or the byte there is another one.
#[test]
fn seeds_that_are_cut_or_changed_are_too() {
    const PLACES: usize = 8;
    for (name, check) in TARGETS {
        for seed in seeds(name).iter().filter(|seed| seed.len() > PLACES) {
            for place in 1..=PLACES {
                let at = seed.len() * place / (PLACES + 1);
                eprintln!("{name}: {} bytes, byte {at}", seed.len());
                check(&seed[..at]);
                let mut changed = seed.clone();
                changed[at] ^= 1 << (place % PLACES);
                check(&changed);
            }
        }
    }
}
