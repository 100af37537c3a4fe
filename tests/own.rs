//! A user's own policies, through the command line and the library.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::process::ExitCode;

use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::{assemble::assemble, load::from_text};
use simcap::report::Report;
use simcap::routing::own::OwnPolicies;

#[allow(dead_code, reason = "its main is the command line, which this calls for itself")]
#[path = "../examples/own_policy.rs"]
mod example;

const EXPERIMENT: &str = include_str!("../examples/own_policy.json");

fn report(text: &str, own: OwnPolicies) -> Report {
    let mut loaded = from_text("own_policy.json", text).unwrap();
    loaded.own = own;
    let plan = assemble(&loaded).unwrap();
    let runs = replicate(&plan.scenarios, plan.seed, 2, &Control::default());
    decide::report(&loaded, &plan, &runs)
}

/// Whoever has been left alone longest is whose turn it is, as long as nobody rests.
#[test]
fn the_example_without_a_rest_is_round_robin() {
    let own = OwnPolicies::default().with("least_recent", example::least_recent);
    let report = report(&EXPERIMENT.replace(r#""rest": "2s""#, r#""rest": "0s""#), own);
    let [own, turns] = [&report.policies[0], &report.policies[1]];
    assert_eq!(
        (own.kind.as_str(), turns.kind.as_str()),
        ("own least_recent", "round_robin")
    );
    // In words, because what is undefined equals nothing.
    assert_eq!(format!("{:?}", own.metrics), format!("{:?}", turns.metrics));
}

#[test]
fn the_example_keeps_away_from_whoever_fails() {
    let own = OwnPolicies::default().with("least_recent", example::least_recent);
    let report = report(EXPERIMENT, own);
    let failures = |policy: usize| {
        let metrics = &report.policies[policy].metrics;
        metrics
            .iter()
            .find(|m| m.metric == simcap::report::Metric::ERROR_RATE)
            .unwrap()
            .estimate
            .mean
    };
    assert!(failures(0) < failures(1) / 2.0, "{} {}", failures(0), failures(1));
}

#[test]
fn a_policy_that_nobody_registers_is_refused_where_it_is_named() {
    let loaded = from_text("own_policy.json", EXPERIMENT).unwrap();
    let said = assemble(&loaded).unwrap_err().to_string();
    let first = said.lines().next().unwrap();
    let expected = "policies[0].policy.own.name: there is no registered policy `least_recent`: this program registers none (a program of yours registers one with `OwnPolicies::with`: see examples/own_policy.rs)";
    assert!(first.ends_with(expected), "{said}");
    let mut loaded = from_text("own_policy.json", &EXPERIMENT.replace("least_recent", "least_recnt")).unwrap();
    loaded.own = OwnPolicies::default().with("least_recent", example::least_recent);
    let said = assemble(&loaded).unwrap_err().to_string();
    assert!(said.contains("did you mean `least_recent`?"), "{said}");
}

/// The command line of a program with policies of its own is simcap's, and knows them.
#[test]
fn the_command_line_takes_policies_of_its_own() {
    let run = |policy: &str| -> ExitCode {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.json");
        std::fs::write(&file, EXPERIMENT.replace("least_recent", policy)).unwrap();
        let arguments = ["simcap", "check", file.to_str().unwrap()];
        let cli: simcap::cli::Cli = clap::Parser::try_parse_from(arguments).unwrap();
        cli.run_with(&OwnPolicies::default().with("mine", example::least_recent))
    };
    assert_eq!(run("mine"), ExitCode::SUCCESS);
    assert_eq!(run("yours"), ExitCode::from(2));
}
