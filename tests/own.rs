//! A user's own parts, through the command line and the library; and a sweep from code.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::process::ExitCode;

use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::{assemble::assemble, load::from_text};
use simcap::form::own::OwnParts;
use simcap::report::{Metric, Report};

#[allow(dead_code, reason = "its main is the command line, which this calls for itself")]
#[path = "../examples/own_latency.rs"]
mod own_latency;
#[allow(dead_code, reason = "its main prints what this looks at")]
#[path = "../examples/sweep_from_code.rs"]
mod sweep_from_code;

#[allow(dead_code, reason = "its main is the command line, which this calls for itself")]
#[path = "../examples/own_policy.rs"]
mod example;

const EXPERIMENT: &str = include_str!("../examples/own_policy.json");

fn report(text: &str, own: OwnParts) -> Report {
    let mut loaded = from_text("own_policy.json", text).unwrap();
    loaded.own = own;
    let plan = assemble(&loaded).unwrap();
    let runs = replicate(&plan.scenarios, plan.seed, 2, &Control::default());
    decide::report(&loaded, &plan, &runs)
}

/// Whoever has been left alone longest is whose turn it is, as long as nobody rests.
#[test]
fn the_example_without_a_rest_is_round_robin() {
    let own = OwnParts::default().policy("least_recent", example::least_recent);
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
    let own = OwnParts::default().policy("least_recent", example::least_recent);
    let report = report(EXPERIMENT, own);
    let failures = |policy: usize| {
        let metrics = &report.policies[policy].metrics;
        metrics
            .iter()
            .find(|m| m.metric == simcap::report::Metric::ERROR_RATE)
            .unwrap()
            .estimate
            .value
    };
    assert!(failures(0) < failures(1) / 2.0, "{} {}", failures(0), failures(1));
}

#[test]
fn a_policy_that_nobody_registers_is_refused_where_it_is_named() {
    let loaded = from_text("own_policy.json", EXPERIMENT).unwrap();
    let said = assemble(&loaded).unwrap_err().to_string();
    let first = said.lines().next().unwrap();
    let expected = "policies[0].policy.own.name: there is no registered policy `least_recent`: this program registers none (a program of yours registers one with `OwnParts::policy`: see examples/own_policy.rs)";
    assert!(first.ends_with(expected), "{said}");
    let mut loaded = from_text("own_policy.json", &EXPERIMENT.replace("least_recent", "least_recnt")).unwrap();
    loaded.own = OwnParts::default().policy("least_recent", example::least_recent);
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
        cli.run_with(&OwnParts::default().policy("mine", example::least_recent))
    };
    assert_eq!(run("mine"), ExitCode::SUCCESS);
    assert_eq!(run("yours"), ExitCode::from(2));
}

/// Uniform over 400 ms above a floor of 100 ms: 300 ms in the mean, and no answer begins before 100 or after 500 ms. The
/// exponential beside it has the same mean.
#[test]
fn a_law_of_ones_own_is_drawn_from() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("x.json"), folder.path().join("out"));
    std::fs::write(&file, include_str!("../examples/own_latency.json")).unwrap();
    let arguments = ["simcap", "run", file.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let cli: simcap::cli::Cli = clap::Parser::try_parse_from(arguments).unwrap();
    let own = OwnParts::default().law("ticks", own_latency::ticks);
    assert_eq!(cli.run_with(&own), ExitCode::SUCCESS);
    let report: Report = serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    let figure = |policy: usize, metric: Metric| {
        let mut metrics = report.policies[policy].metrics.iter();
        metrics.find(|m| m.metric == metric).unwrap().estimate.value
    };
    let apart = figure(0, Metric::E2E_MEAN) - figure(1, Metric::E2E_MEAN);
    assert!(apart.abs() < 0.015, "{apart}");
    // 95 % of the way through the period; of the exponential, 100 ms + 200 ms × ln 20.
    assert!((figure(0, Metric::TTFT_P95) - 0.48).abs() < 0.005);
    assert!((figure(1, Metric::TTFT_P95) - 0.699).abs() < 0.03);
}

/// M/M/2 with a mean service of 100 ms: 100 ms / (1 − ρ²) in the mean, ρ being a twentieth of the rate.
#[test]
fn a_sweep_from_code_follows_the_closed_form() {
    let points = sweep_from_code::sweep(&["4/s", "12/s"]).unwrap();
    assert_eq!(points.len(), 2);
    for (rate, mean, half) in points {
        let rho = rate.per_second() / 20.0;
        let exact = 0.1 / (1.0 - rho * rho);
        assert!((mean - exact).abs() < 2.0 * half.unwrap(), "{rate}: {mean} {exact}");
    }
}

/// What is registered for one kind is not for another, and a refusal of the part's own code has its place in the file.
#[test]
fn parts_are_of_one_kind_and_their_refusals_have_their_place() {
    let law = include_str!("../examples/own_latency.json");
    let refused = |text: &str, own: OwnParts| {
        let mut loaded = from_text("x.json", text).unwrap();
        loaded.own = own;
        assemble(&loaded).unwrap_err()
    };
    let error = refused(law, OwnParts::default().policy("ticks", example::least_recent));
    assert!(
        error
            .message
            .contains("there is no registered law `ticks`: this program registers none"),
        "{error}"
    );
    let never = law.replace(r#""period": "400ms""#, r#""period": "0s""#);
    let error = refused(&never, OwnParts::default().law("ticks", own_latency::ticks));
    assert_eq!(error.path, "providers.batching.ttft.own.parameters.period");
    assert_eq!(error.message, "a period of 0s: must be longer");
}
