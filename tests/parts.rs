//! Every registered part of every kind, put to work: it acts, nothing is lost, and the same seed gives the same result on
//! any number of threads.
//!
//! The parts are those of the registries, each as the example of its manual page says it, so that one which is added joins by
//! itself. A part that no stage of `common/parts.rs` makes act fails: then its example cannot act, or it needs a stage.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::checks;
use crate::common::parts;
use crate::common::parts::{OWN_KINDS, STAGES, examples, never_acts, put, stage, staged};
use serde_json::Value;
use simcap::engine::replicate::{Runs, replicate};
use simcap::engine::run::Control;
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::{Plan, assemble};
use simcap::kernel::time::Span;
use simcap::words::Outcome;

/// No part's example tries more often, with copies and stages.
const MOST_TRIES: u64 = 100;

/// Two replications on so many threads.
fn runs(plan: &Plan, threads: usize) -> Runs {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| replicate(&plan.scenarios, 7, 2, &Control::default()))
}

fn tallies(runs: &Runs) -> impl Iterator<Item = &Tally> {
    runs.iter().flatten().flatten()
}

/// Whether the part did what one of its kind is there for; `without` is what happened in its absence.
fn acted(kind: &str, with: &Runs, without: &Runs) -> bool {
    let ended = |outcome: Outcome| tallies(with).any(|tally| tally.ended(outcome) > 0);
    let said = |outcome: Outcome| {
        let mut providers = tallies(with).flat_map(|tally| &tally.providers);
        providers.any(|provider| provider.outcomes[outcome.index()] > 0)
    };
    let waited = || {
        let mut classes = tallies(with).flat_map(|tally| &tally.classes);
        classes.any(|class| class.wait.max().is_some_and(|longest| longest > Span::ZERO))
    };
    let differs = with != without;
    differs
        && match kind {
            "breaker" => tallies(with).any(|tally| tally.providers.iter().any(|provider| provider.trips > 0)),
            "retry" => tallies(with).any(|tally| tally.effort.retries > 0),
            "retry_budget" => tallies(with).any(|tally| tally.effort.denied > 0),
            "hedge" => tallies(with).any(|tally| tally.effort.hedges > 0),
            "limit" => said(Outcome::RateLimited),
            "prompt_cache" => tallies(with).any(|tally| tally.providers.iter().any(|provider| provider.cached > 0)),
            "response_cache" => tallies(with).any(|tally| tally.classes.iter().any(|class| class.hits > 0)),
            "admission" | "limiter" => waited() || ended(Outcome::Shed) || ended(Outcome::QueueTimeout),
            _ => true,
        }
}

/// What is wrong with a part, if anything is.
fn wrong(kind: &str, name: &str, part: &Value) -> Option<String> {
    let mut did = false;
    for stage_of in STAGES {
        let (names, plan) = staged(stage_of, kind, Some(part));
        let with = runs(&plan, 1);
        if with != runs(&plan, 2) {
            return Some("another result on two threads".to_owned());
        }
        let scenario: &Scenario = &plan.scenarios[0];
        for tally in tallies(&with) {
            if let Err(error) = checks::all_hold(tally, scenario, MOST_TRIES) {
                return Some(format!("in {stage_of:?}: {error}"));
            }
        }
        let neutral = parts::with_part(stage_of, kind, None, &names).unwrap();
        let without = runs(&assemble(&neutral).unwrap_or_else(|e| panic!("{kind} {name}: {e}")), 1);
        did |= acted(kind, &with, &without);
        if did {
            break;
        }
    }
    match (did, never_acts(name)) {
        (false, false) => Some("acted in no stage".to_owned()),
        (true, true) => Some("acted, although it never should".to_owned()),
        _ => None,
    }
}

#[test]
fn every_part_acts_and_loses_nothing() {
    let mut faults = Vec::new();
    for (kind, examples) in examples() {
        assert_eq!(
            examples.len(),
            kind.pages.len(),
            "{} has parts without an example",
            kind.name
        );
        for (name, part) in examples {
            if let Some(what) = wrong(kind.name, name, &part) {
                faults.push(format!("{} {name}: {what}", kind.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A program can add parts of its own to every kind.
#[test]
fn every_kind_has_parts_of_ones_own() {
    let kinds: Vec<&str> = examples().iter().map(|(kind, _)| kind.name).collect();
    assert_eq!(OWN_KINDS, kinds);
    for (kind, examples) in examples() {
        assert!(examples.iter().any(|(name, _)| *name == "own"), "{}", kind.name);
    }
}

/// Without a registered part the file is refused at its name, wherever it stands.
#[test]
fn a_part_that_is_not_registered_is_refused_where_it_is_named() {
    for (kind, _) in examples() {
        let part = serde_json::json!({ "own": { "name": "nobodys" } });
        let mut experiment = stage(STAGES[0]);
        put(&mut experiment, kind.name, Some(&part));
        let loaded = simcap::experiment::load::from_text("x.json", &experiment.to_string()).unwrap();
        let error = assemble(&loaded).unwrap_err();
        let words = kind.name.replace('_', " ");
        let expected = format!("there is no registered {words} `nobodys`: this program registers none");
        assert!(error.message.starts_with(&expected), "{}: {error}", kind.name);
        assert!(error.path.ends_with("own.name"), "{}: {}", kind.name, error.path);
        assert!(error.line > 0);
    }
}
