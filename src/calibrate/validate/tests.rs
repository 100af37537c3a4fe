//! Tests of validation: what it distinguishes, and when there are too few measurements.

use super::*;
use crate::calibrate::log::{Source, Timing};
use crate::calibrate::logs::gather::observed;
use crate::experiment::calibration::LogFile;
use crate::form::diagnose::parse;
use crate::kernel::chance::{hash, unit};
use crate::report::terminal::Style;
use statrs::distribution::{ContinuousCDF, Normal};

/// TTFT is 20 ms of network and a lognormal law; then 50 tokens a second.
fn model(median: &str) -> ModelFile {
    let text = r#"{ "model": "mine", "default": "day", "variants": { "day": {
        "source": "a test", "ttft": { "lognormal": { "median": "MEDIAN", "sigma": 0.5 } }, "tps": { "constant": 50 },
        "network": "20ms", "prices": { "input": "$1/Mtok", "output": "$1/Mtok" }, "faults": {} } } }"#;
    parse("mine.json", &text.replace("MEDIAN", median)).unwrap()
}

/// What that law gives, by its formula and not by the simulator: requests a second apart, `failed` in a hundred refused.
fn log(n: u64, failed: u64) -> Log {
    let normal = Normal::standard();
    let observations = (0..n).map(|i| {
        let outcome = if i % 100 < failed {
            Outcome::ServerError
        } else {
            Outcome::Success
        };
        let mut o = observed(0, outcome);
        let ttft = 0.02 + 0.4 * libm::exp(0.5 * normal.inverse_cdf(unit(hash(i, 3))));
        let output = 50 + (i % 100) as u32;
        (o.at, o.input, o.output, o.in_flight) = (Some(i as f64), Some(100), Some(output), Some(1));
        if outcome == Outcome::Success {
            o.ttft = Timing::Seen(ttft);
            o.tpot = Some(0.02);
            o.e2e = Timing::Seen(ttft + 0.02 * f64::from(output - 1));
        }
        o
    });
    Log {
        sources: vec![Source {
            file: "probes.jsonl".into(),
            format: "test".into(),
            sha256: "ab".into(),
        }],
        targets: vec!["mine".into()],
        observations: observations.collect(),
        ..Log::default()
    }
}

fn settings() -> Settings {
    Settings {
        margin: Fraction::new(0.1).unwrap(),
        // Enough for what most of these ask; `run_in_full` is for the others.
        replications: Some(20),
        seed: 1,
        target: None,
        date: "2026-11-21".into(),
    }
}

fn run(model: &ModelFile, log: &Log) -> Validation {
    validate(model, "day", log, &settings()).unwrap()
}

/// As [`run`], with as many replications as a user gets who does not say.
fn run_in_full(model: &ModelFile, log: &Log) -> Validation {
    let settings = Settings {
        replications: None,
        ..settings()
    };
    validate(model, "day", log, &settings).unwrap()
}

/// One in a thousand hangs, and by chance none of these did: no timeout is known.
#[test]
fn a_model_that_may_hang_is_held_against_a_log_without_a_timeout() {
    let mut model = model("400ms");
    let spec = model.variants.get_mut("day").unwrap();
    spec.faults.hang = Fraction::new(0.001).unwrap().into();
    let found = run(&model, &log(1000, 0));
    assert!(
        found.errors.predicted > 0.0 && found.errors.measured == 0.0,
        "{:?}",
        found.errors
    );
}

#[test]
fn a_model_is_equivalent_to_what_its_own_law_gives() {
    let found = run_in_full(&model("400ms"), &log(4000, 0));
    assert_eq!(found.verdict(), Agreement::Equivalent, "{found:?}");
    assert_eq!(found.calibration.metrics.names(), ["ttft", "tpot", "e2e"]);
    let ttft = found.calibration.metrics.get("ttft").unwrap();
    // The law's own p95: 20 ms + 400 ms × exp(0.5 × 1.644854) = 930.4 ms.
    assert!((ttft.quantiles[1].predicted - 0.9304).abs() < 0.01);
    // √n × distance is below 1.63 in 99 of 100 samples (Kolmogorov's law).
    assert!(ttft.ks * 4000_f64.sqrt() < 1.63, "{}", ttft.ks);
}

#[test]
fn a_median_that_is_off_by_a_third_is_not_equivalent() {
    let found = run(&model("520ms"), &log(1000, 0));
    assert_eq!(found.verdict(), Agreement::NotEquivalent);
    let ttft = found.calibration.metrics.get("ttft").unwrap();
    assert_eq!(ttft.quantiles[0].verdict, Agreement::NotEquivalent);
    // (20 + 520) / (20 + 400) − 1 = 0.286.
    assert!((ttft.quantiles[0].error - 0.286).abs() < 0.05);
}

#[test]
fn errors_that_the_model_does_not_have_count_against_it() {
    let found = run(&model("400ms"), &log(4000, 5));
    assert_eq!((found.errors.measured, found.errors.predicted), (0.05, 0.0));
    assert!(found.errors.differ);
    assert_eq!(found.verdict(), Agreement::NotEquivalent);
}

#[test]
fn few_requests_do_not_say() {
    let found = run(&model("400ms"), &log(60, 0));
    assert_eq!(found.verdict(), Agreement::CannotTell);
    let ttft = found.calibration.metrics.get("ttft").unwrap();
    assert_eq!(
        ttft.quantiles.iter().map(|q| q.interval.is_some()).collect::<Vec<_>>(),
        [true, false, false]
    );
}

fn fitted(files: &[&str], held_out: f64) -> ModelFile {
    let mut model = model("400ms");
    let file = |sha: &&str| LogFile {
        name: "probes.jsonl".into(),
        sha256: (*sha).into(),
    };
    model.variants.get_mut("day").unwrap().fitted_on = Some(crate::experiment::domain::FittedOn {
        files: files.iter().map(file).collect(),
        held_out: Fraction::new(held_out).unwrap(),
        input: Range::of([100]),
        output: Range::of([1, 100]),
        ..Default::default()
    });
    model
}

#[test]
fn only_what_was_held_out_is_compared() {
    let found = run(&fitted(&["ab"], 0.5), &log(400, 0));
    assert_eq!((found.calibration.probes, found.calibration.held_out), (200, true));
    assert_eq!(
        found.notes[0],
        "the model was fitted to 50 % of this log: compared with the rest"
    );
    // Of each hundred, the last 49 have more than 100 tokens; of the blocks of 20 every other one is held out.
    assert!(
        found.notes[1].ends_with("of 200 requests have output tokens outside 1 to 100, which the model was fitted to")
    );
    let other = run(&fitted(&["cd"], 0.5), &log(400, 0));
    assert_eq!((other.calibration.probes, other.calibration.held_out), (400, true));
    for known in [fitted(&["ab", "cd"], 0.5), fitted(&["ab"], 0.0)] {
        let found = run(&known, &log(400, 0));
        assert_eq!((found.calibration.probes, found.calibration.held_out), (400, false));
        assert_eq!(
            found.notes[0],
            "the model was fitted to this log or part of it: this is not held out"
        );
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (model, log) = (model("400ms"), log(10, 0));
    let refused = |variant: &str, log: &Log, target: Option<&str>| {
        let settings = Settings {
            target: target.map(str::to_owned),
            ..settings()
        };
        validate(&model, variant, log, &settings).unwrap_err()
    };
    assert_eq!(
        refused("night", &log, None),
        "the model has no variant `night`; it has day"
    );
    assert_eq!(
        refused("day", &log, Some("yours")),
        "the log has no target `yours`; it has mine"
    );
    let mut two = log.clone();
    two.targets = vec!["theirs".into(), "yours".into()];
    assert_eq!(
        refused("day", &two, None),
        "the log has several targets, and --target says which the model is of: theirs, yours"
    );
    assert_eq!(
        refused("day", &two, Some("yours")),
        "the log has no single requests of `yours` that succeeded: nothing to compare with"
    );
}

#[test]
fn the_terminal_says_it_all() {
    let style = Style {
        width: 110,
        colour: false,
    };
    insta::assert_snapshot!(text::text(&run_in_full(&model("400ms"), &log(1000, 1)), &style));
}

#[cfg(feature = "plots")]
#[test]
fn the_page_has_a_plot_a_quantity() {
    let page = page::page(&run(&model("400ms"), &log(200, 0))).unwrap();
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(!page.contains("NaN") && page.contains("Each point is a percentile"));
}

/// Ten workers at five slots, where an answer takes 0.3 s to its first token and 1 s more: each waits for one answer of another, so that
/// TTFT is 1.3 + 0.3 = 1.6 s, but for the first five. The model is 2 % off: at the recorded times its queue would be gone after 250
/// answers.
#[test]
fn a_closed_loop_is_one_in_the_simulation_too() {
    let text = r#"{ "model": "mine", "default": "day", "variants": { "day": {
        "source": "a test", "ttft": { "constant": "294ms" }, "tps": { "constant": 51 }, "network": "0s",
        "load": [{ "slots": { "servers": 5 } }],
        "prices": { "input": "$1/Mtok", "output": "$1/Mtok" }, "faults": {} } } }"#;
    let model: ModelFile = parse("mine.json", text).unwrap();
    let mut log = log(0, 0);
    for round in 0..100_u32 {
        for place in 0..5_u32 {
            // A slot is free again every 1.3 s; the slots began 0.1 s apart.
            let ends = 1.3 * f64::from(round + 1) + 0.1 * f64::from(place);
            let mut o = observed(0, Outcome::Success);
            let sent = (ends - 2.6).max(0.0);
            (o.at, o.input, o.output, o.in_flight) = (Some(sent), Some(100), Some(51), Some(10));
            (o.ttft, o.e2e, o.tpot) = (Timing::Seen(ends - 1.0 - sent), Timing::Seen(ends - sent), Some(0.02));
            log.observations.push(o);
        }
    }
    let found = run(&model, &log);
    let ttft = found.calibration.metrics.get("ttft").unwrap();
    assert!((ttft.quantiles[0].predicted / 1.568 - 1.0).abs() < 0.01, "{ttft:?}");
    assert_eq!(found.verdict(), Agreement::Equivalent, "{found:?}");
    assert!(
        found.notes.iter().any(|note| note.contains("were a closed loop of 10")),
        "{:?}",
        found.notes
    );
}
