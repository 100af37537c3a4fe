//! Tests of whole fits, on logs that are generated here.

use rand::Rng;

use super::*;
use crate::calibrate::log::{Source, Summary, Timing};
use crate::calibrate::logs::gather::observed;
use crate::form::build::Names;
use crate::form::laws::LawSpec;
use crate::kernel::chance::{Chance, Purpose};
use crate::kernel::law::Tail;
use crate::kernel::sampler::Sampler;
use crate::provider::limits::LimitSpec;
use crate::provider::pricing::PerToken;
use crate::words::Outcome;

fn options() -> Options {
    Options {
        target: None,
        name: "m".into(),
        family: None,
        seed: 1,
        // How far a law is from its sample by chance alone is the subject of `goodness`, not of these.
        refits: 0,
        given: Given {
            date: "2026-01-01".into(),
            prices: serde_json::from_str::<PerToken>(r#"{"input": "$1/Mtok", "output": "$2/Mtok"}"#).unwrap(),
            assumed_prices: None,
            held_out: 0.0,
            slots: None,
        },
    }
}

/// `n` requests a second apart, each TTFT 100 ms + lognormal(200 ms, 0.4) + what `more` says, each token 20 ms.
fn log(n: usize, more: impl Fn(usize, &mut Observation)) -> Log {
    let law = Sampler::of(&crate::kernel::law::Lognormal::new(0.2, 0.4, 0.1).unwrap());
    let mut stream = Chance::new(9, 0).request(0).stream(Purpose::Ttft);
    let observations = (0..n).map(|i| {
        let ttft = law.at(stream.next_u64());
        let mut o = Observation {
            at: Some(i as f64),
            in_flight: Some(1),
            input: Some(500),
            output: Some(100),
            ttft: Timing::Seen(ttft),
            tpot: Some(0.02 * (1.0 + 0.001 * (i % 7) as f64)),
            e2e: Timing::Seen(ttft + 1.98),
            ..observed(0, Outcome::Success)
        };
        more(i, &mut o);
        o
    });
    Log {
        sources: vec![Source {
            file: "x.jsonl".into(),
            format: "made up".into(),
            sha256: "00".into(),
        }],
        targets: vec!["t".into()],
        observations: observations.collect(),
        ..Log::default()
    }
}

fn spec(model: &ModelFile) -> &crate::experiment::model::ModelSpec {
    model.variants.get(VARIANT).unwrap()
}

#[test]
fn a_model_has_the_law_that_was_measured_and_reads_back() {
    let (report, model) = fit(&log(600, |_, _| ()), &options()).unwrap();
    model.check(&Names::default()).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    let read: ModelFile = crate::form::diagnose::parse("m.json", &text).unwrap();
    assert_eq!(read, model);
    // The truth: p50 300 ms, p99 0.1 + 0.2 exp(0.4 · 2.3263) = 607 ms; of 600 draws p99 is known to some 7 %.
    let law = spec(&model).ttft.law(&Names::default()).unwrap();
    let (p50, p99) = (
        law.quantile(Tail::Lower(0.5)) / 1e9,
        law.quantile(Tail::Upper(0.01)) / 1e9,
    );
    assert!(
        (p50 / 0.3 - 1.0).abs() < 0.03 && (p99 / 0.607 - 1.0).abs() < 0.12,
        "{p50} {p99}"
    );
    let speed = spec(&model)
        .tps
        .law(&Names::default())
        .unwrap()
        .quantile(Tail::Lower(0.5));
    assert!((speed / 50.0 - 1.0).abs() < 0.01, "{speed}");
    assert!(
        report
            .cannot_tell
            .iter()
            .any(|s| s.starts_with("TTFT p99.9: not estimable")),
        "{:?}",
        report.cannot_tell
    );
    // What is stated as fitted is what the law gives.
    let stated = spec(&model).fit.as_ref().unwrap().fitted.p95.unwrap().span().nanos() as f64;
    assert!((stated / law.quantile(Tail::Upper(0.05)) - 1.0).abs() < 1e-4);
}

#[test]
fn a_slope_on_the_input_becomes_a_prefill_speed() {
    // 5,000 tokens a second.
    let slow = |i: usize, o: &mut Observation| {
        let input = 200 + 400 * (i as u32 * 7 % 10);
        o.input = Some(input);
        o.ttft = Timing::Seen(o.ttft.seen().unwrap() + f64::from(input) / 5000.0);
    };
    let (report, model) = fit(&log(400, slow), &options()).unwrap();
    assert!(report.prefill.unwrap().in_model);
    let speed = spec(&model).prefill.unwrap();
    assert!((speed / 5000.0 - 1.0).abs() < 0.05, "{speed}");
    let p50 = spec(&model)
        .ttft
        .law(&Names::default())
        .unwrap()
        .quantile(Tail::Lower(0.5))
        / 1e9;
    assert!((p50 / 0.3 - 1.0).abs() < 0.08, "{p50}");
    let (report, model) = fit(&log(400, |i, o| o.input = Some(100 + i as u32 % 900)), &options()).unwrap();
    assert!(!report.prefill.unwrap().in_model && spec(&model).prefill.is_none());
}

#[test]
fn timeouts_whose_input_nobody_wrote_down_do_not_hide_the_prefill_speed() {
    let slow = |i: usize, o: &mut Observation| {
        let input = 200 + 400 * (i as u32 * 7 % 10);
        o.input = Some(input).filter(|_| !i.is_multiple_of(40));
        o.ttft = match i % 40 {
            0 => Timing::AtLeast(3.0),
            _ => Timing::Seen(o.ttft.seen().unwrap() + f64::from(input) / 5000.0),
        };
    };
    let (_, model) = fit(&log(400, slow), &options()).unwrap();
    let speed = spec(&model).prefill.unwrap();
    assert!((speed / 5000.0 - 1.0).abs() < 0.05, "{speed}");
}

#[test]
fn a_saturated_step_is_left_to_the_queue() {
    let clean = fit(&log(300, |_, _| ()), &options()).unwrap();
    let mut two = log(300, |_, _| ());
    let queue = (0..300).map(|i| Observation {
        at: Some(300.0 + 0.1 * f64::from(i)),
        step: 1,
        ttft: Timing::Seen(1.0 + 0.1 * f64::from(i)),
        e2e: Timing::Seen(1.0 + 0.1 * f64::from(i)),
        ..observed(0, Outcome::Success)
    });
    // So long that its own answers do not decide: ten times the median answer.
    two.observations.extend(queue.map(|o| Observation {
        at: o.at.map(|at| 300.0 + (at - 300.0) * 6.0),
        in_flight: Some((o.ttft.seen().unwrap() * 10.0) as u32),
        ..o
    }));
    let (report, model) = fit(&two, &options()).unwrap();
    assert!(
        report.steps[0].saturated.is_none() && report.steps[1].saturated.is_some(),
        "{:?}",
        report.steps
    );
    assert_eq!(spec(&model).ttft, spec(&clean.1).ttft);
}

#[test]
fn failures_become_faults_and_refusals_quotas() {
    let fails = |i: usize, o: &mut Observation| {
        if i % 50 == 3 {
            (o.outcome, o.ttft, o.tpot) = (Outcome::ServerError, Timing::Unknown, None);
        } else if i >= 200 && i.is_multiple_of(2) {
            (o.outcome, o.ttft, o.tpot, o.retry_after) = (Outcome::RateLimited, Timing::Unknown, None, Some(1.0));
        }
    };
    let (report, model) = fit(&log(400, fails), &options()).unwrap();
    assert_eq!(spec(&model).faults.server_error.share().get(), 0.02);
    assert_eq!(spec(&model).faults.rate_limited.share().get(), 0.0);
    let [LimitSpec::token_bucket(bucket)] = spec(&model).limits.as_slice() else {
        panic!()
    };
    // Every second one of one a second.
    assert!((bucket.rate.per_second() - 0.5).abs() < 0.02, "{bucket:?}");
    let said = report.retry_after.unwrap();
    assert_eq!(
        (said.refusals, said.with, said.median, said.whole_seconds),
        (100, 100, Some(1.0), true)
    );
}

/// Two in a hundred never answer, and are given up after 10 s: the law is that of the others.
#[test]
fn hangs_are_faults_and_no_tail() {
    for outcome in [Outcome::TimeoutTtft, Outcome::TimeoutTotal] {
        let hang = |i: usize, o: &mut Observation| {
            if i % 50 == 3 {
                (o.outcome, o.ttft, o.tpot, o.e2e) = (outcome, Timing::AtLeast(10.0), None, Timing::AtLeast(10.0));
            }
        };
        let (report, model) = fit(&log(600, hang), &options()).unwrap();
        assert_eq!(spec(&model).faults.hang.share().get(), 0.02);
        assert_eq!((report.quantities[0].seen, report.quantities[0].censored), (588, 0));
        let p99 = spec(&model)
            .ttft
            .law(&Names::default())
            .unwrap()
            .quantile(Tail::Upper(0.01))
            / 1e9;
        assert!((p99 / 0.607 - 1.0).abs() < 0.12, "{p99}");
        let said = spec(&model).assumed.get("faults").unwrap();
        assert!(said.contains("Timeouts are among them, as hangs"), "{said}");
    }
}

/// Every tenth found two others and waited 2 s: given two slots, the law is that of the others, and the model queues.
#[test]
fn slots_that_are_told_take_the_wait_out_of_the_law() {
    let wait = |i: usize, o: &mut Observation| {
        if i % 10 == 4 {
            (o.in_flight, o.ttft) = (Some(3), Timing::Seen(o.ttft.seen().unwrap() + 2.0));
        }
    };
    let mut told = options();
    told.given.slots = Some(2);
    let (report, model) = fit(&log(600, wait), &told).unwrap();
    assert_eq!(report.quantities[0].seen, 540);
    let p95 = spec(&model)
        .ttft
        .law(&Names::default())
        .unwrap()
        .quantile(Tail::Upper(0.05))
        / 1e9;
    assert!(p95 < 0.6, "{p95}");
    let load = serde_json::to_string(&spec(&model).load).unwrap();
    assert_eq!(
        load,
        r#"[{"slots":{"servers":2,"when_full":"overloaded","on_hang_up":"finish"}}]"#
    );
}

/// Stages of the same shape at two levels, and one beyond saturation that must not count.
#[test]
fn summaries_are_fitted_by_their_quantiles() {
    let shares = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];
    let law = Params::Lognormal {
        shift: 0.02,
        mu: -4.0,
        sigma: 0.3,
    };
    let summary = |scale: f64| Summary {
        mean: None,
        quantiles: shares.iter().map(|s| (*s, scale * law.quantile(*s))).collect(),
    };
    let stage = |achieved: f64, scale: f64| Stage {
        requested_rate: Some(10.0),
        achieved_rate: Some(achieved),
        successes: 600,
        ttft: Some(summary(scale)),
        tpot: Some(summary(1.0)),
        ..Stage::default()
    };
    let log = Log {
        targets: vec!["t".into()],
        stages: vec![stage(10.0, 1.0), stage(9.9, 4.0), stage(9.0, 100.0)],
        ..Log::default()
    };
    let (report, model) = fit(&log, &options()).unwrap();
    assert_eq!(report.quantities[0].taken, Some(Family::ShiftedLognormal));
    assert!(report.quantities[0].tables[0].worst_error < 0.01);
    // The middle of two levels, one four times the other, is twice the lower.
    let p50 = spec(&model)
        .ttft
        .law(&Names::default())
        .unwrap()
        .quantile(Tail::Lower(0.5))
        / 1e9;
    assert!((p50 / (2.0 * law.quantile(0.5)) - 1.0).abs() < 0.01, "{p50}");
    assert!(!matches!(spec(&model).tps, LawSpec::constant(_)));
    model.check(&Names::default()).unwrap();
}

#[test]
fn the_extremes_of_few_requests_do_not_bend_the_law_of_a_summary() {
    let law = Params::Lognormal {
        shift: 0.0,
        mu: -1.0,
        sigma: 0.1,
    };
    // One answer of 400 was late by much.
    let shares = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];
    let late = |share: f64| if share == 0.999 { 4.0 } else { 1.0 };
    let stage = Stage {
        successes: 400,
        ttft: Some(Summary {
            mean: None,
            quantiles: shares.iter().map(|s| (*s, late(*s) * law.quantile(*s))).collect(),
        }),
        ..Stage::default()
    };
    let log = Log {
        targets: vec!["t".into()],
        stages: vec![stage],
        ..Log::default()
    };
    let (report, _) = fit(&log, &options()).unwrap();
    let ttft = &report.quantities[0];
    assert!(ttft.tables[0].worst_error < 0.01, "{:?}", ttft.tables[0]);
    assert_eq!(ttft.percentiles.len(), 9);
}

#[test]
fn errors_say_what_there_is() {
    let mut two = log(30, |_, _| ());
    two.targets.push("cheap".into());
    let error = fit(&two, &options()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the log has 2 targets, and a model is of one: name it with --target\n  targets: t, cheap"
    );
    let asked = Options {
        target: Some("chaep".into()),
        ..options()
    };
    assert_eq!(
        fit(&two, &asked).unwrap_err().to_string(),
        "\"chaep\" is not a target of the log; did you mean \"cheap\"?\n  targets: t, cheap"
    );
    let asked = Options {
        target: Some("cheap".into()),
        ..options()
    };
    assert_eq!(
        fit(&two, &asked).unwrap_err().to_string(),
        "no TTFT of cheap was seen: a model needs the time to the first token, from a stream"
    );
}

#[test]
fn the_text_names_what_was_taken_and_what_is_not_known() {
    let (report, _) = fit(&log(60, |_, _| ()), &options()).unwrap();
    let text = terminal(
        &report,
        &crate::report::terminal::Style {
            width: 120,
            colour: false,
        },
    );
    for part in [
        "m: a model of t",
        "TTFT: 60 seen",
        "Taken: ",
        "not estimable",
        "What these measurements cannot tell",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

/// Names of 29 letters, of which the last tell them apart.
#[test]
fn names_of_steps_are_whole_in_80_columns() {
    let stage = |n: u32, achieved: f64| Stage {
        name: format!("run/stage_{n}_lifecycle_metrics.json"),
        requested_rate: Some(10.0),
        achieved_rate: Some(achieved),
        successes: 600,
        ttft: Some(Summary {
            mean: Some(0.2),
            quantiles: vec![(0.1, 0.1), (0.5, 0.2), (0.9, 0.4)],
        }),
        ..Stage::default()
    };
    let log = Log {
        targets: vec!["t".into()],
        stages: vec![stage(0, 10.0), stage(1, 8.0)],
        ..Log::default()
    };
    let (report, _) = fit(&log, &options()).unwrap();
    let text = terminal(
        &report,
        &crate::report::terminal::Style {
            width: 80,
            colour: false,
        },
    );
    for part in [
        "\nstage_0_lifecycle_metrics.json ",
        "\nstage_1_lifecycle_metrics.json ",
        "no, saturated: 80 %\n",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

/// 300 requests in a step that keeps up and 300 in one where nine in ten are refused and one in ten fails.
#[cfg(feature = "plots")]
#[test]
fn a_page_shows_how_the_requests_of_each_step_ended() {
    let ended = |i: usize, o: &mut Observation| {
        if i >= 300 {
            o.step = 1;
            o.at = Some(300.0 + 0.1 * i as f64);
            o.outcome = if i.is_multiple_of(50) {
                Outcome::ServerError
            } else {
                Outcome::RateLimited
            };
            (o.ttft, o.tpot, o.e2e) = (Timing::Unknown, None, Timing::Seen(0.05));
        }
        o.input = Some(200 + 400 * (i as u32 * 7 % 10));
    };
    let (report, _) = fit(&log(600, ended), &options()).unwrap();
    let [calm, busy] = report.evidence.ends[..] else {
        panic!()
    };
    assert_eq!((calm.sent, calm.refused, calm.failed), (300, 0, 0));
    assert_eq!((busy.sent, busy.refused, busy.failed), (300, 294, 6));
    let page = page::page(&report).unwrap();
    // Two of TTFT, two of speed, one over the input and one over the rate.
    assert_eq!(page.matches("<svg").count(), 6);
    for part in ["refused (429)", "its p95", "rate_limited", "294 of 600"] {
        assert!(page.contains(part), "{part} is not in:\n{page}");
    }
}
