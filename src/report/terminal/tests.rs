//! What the terminal shows, whole at two widths, and what must hold at any.

use super::*;
use crate::report::Judgement;
use crate::report::sample::{ranked, sample};
use crate::report::text::width;
use crate::stats::interval::Estimate;

fn style(width: usize) -> Style {
    Style { width, colour: false }
}

#[test]
fn full_at_80_columns() {
    insta::assert_snapshot!(full(&sample(), &style(80)));
}

#[test]
fn full_at_160_columns() {
    insta::assert_snapshot!(full(&sample(), &style(160)));
}

#[test]
fn the_first_screen_at_80_columns() {
    insta::assert_snapshot!(screen(&sample(), &style(80)));
}

#[test]
fn comparison_at_80_columns() {
    insta::assert_snapshot!(comparison(&sample(), &style(80)));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for limit in [40, 60, 79, 80, 100, 120, 200] {
        for shown in [full, screen, headline] {
            for line in shown(&sample(), &style(limit)).lines() {
                assert!(width(line) <= limit, "{limit}: {line}");
            }
        }
    }
}

#[test]
fn without_colour_there_are_no_escapes_and_with_it_the_words_are_the_same() {
    let plain = full(&sample(), &style(120));
    assert!(!plain.contains('\u{1b}'));
    let coloured = full(
        &sample(),
        &Style {
            width: 120,
            colour: true,
        },
    );
    let stripped = ["0", "1", "2", "31", "32"].iter().fold(coloured.clone(), |text, code| {
        text.replace(&format!("\u{1b}[{code}m"), "")
    });
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert!(coloured != plain && words(&stripped) == words(&plain));
}

#[test]
fn names_from_files_cannot_steer_the_terminal() {
    let mut report = sample();
    let evil = "a\u{1b}]0;b\u{7}\nc";
    report.experiment = evil.into();
    report.warnings = vec![evil.into()];
    for policy in &mut report.policies {
        policy.name = evil.into();
        policy
            .providers
            .iter_mut()
            .for_each(|provider| provider.name = evil.into());
        for bound in &mut policy.bounds {
            bound.provider = Some(evil.into());
        }
        for measured in &mut policy.metrics {
            (measured.estimate.lo, measured.estimate.hi) = (None, None);
            measured.note = Some(evil.into());
        }
    }
    for comparison in &mut report.comparisons {
        (comparison.policy, comparison.baseline) = (evil.into(), evil.into());
        comparison.sentence = evil.into();
    }
    report
        .objectives
        .iter_mut()
        .for_each(|objective| objective.policy = evil.into());
    let found = full(&report, &style(100));
    assert!(
        !found.contains(|c: char| c.is_control() && c != '\n') && !found.contains("\nc"),
        "{found}"
    );
}

#[test]
fn an_interrupted_run_says_how_far_it_came() {
    let mut report = sample();
    report.replications_finished = 1;
    assert!(full(&report, &style(80)).starts_with("support-chat: 1 of 10 replications × "));
}

#[test]
fn what_does_not_exist_is_a_dash_with_its_reason_once() {
    let mut report = sample();
    // A column that is nothing under every policy is left out.
    for measured in report
        .policies
        .iter_mut()
        .skip(1)
        .flat_map(|policy| &mut policy.metrics)
    {
        measured.note = None;
        measured.estimate = Estimate {
            undefined: 10,
            ..Estimate::NONE
        };
    }
    let found = full(&report, &style(80));
    assert!(!found.contains("NaN"));
    assert_eq!(
        found.matches("none of the 10 replications defines this figure").count(),
        1
    );
}

#[test]
fn a_provider_without_attempts_has_no_row_and_a_policy_without_any_says_so() {
    let mut report = sample();
    let idle = Estimate {
        undefined: 10,
        ..Estimate::NONE
    };
    for (policy, unused) in [(0, 0..1), (1, 0..2)] {
        for provider in &mut report.policies[policy].providers[unused] {
            provider.failed = idle;
            provider.in_flight.value = 0.0;
            provider.cost.value = 0.0;
        }
    }
    let found = full(&report, &style(80));
    let table = found.split_once("Share of successes by provider").unwrap().1;
    let names: Vec<Vec<&str>> = table
        .lines()
        .skip(3)
        .take(4)
        .map(|line| line.split_whitespace().take(2).collect())
        .collect();
    let expected = [
        ["round-robin", "direct,"],
        ["quickest", "none"],
        ["weighted-70-30", "relay"],
        ["direct,", "\"EU\""],
    ];
    assert_eq!(names, expected);
}

#[test]
fn nothing_failed_and_nothing_compared_are_said() {
    let mut report = sample();
    report.comparisons.clear();
    report
        .policies
        .iter_mut()
        .for_each(|policy| policy.outcomes.truncate(1));
    assert!(full(&report, &style(80)).contains("\nNo request failed.\n"));
    assert!(comparison(&report, &style(80)).ends_with("\nThere is one policy, and nothing to compare it with.\n"));
}

#[test]
fn a_ranking_says_who_is_behind_and_by_how_much() {
    let text = full(&ranked(), &style(120));
    let from = text.find("Ranked by").expect("a ranking");
    let table: Vec<&str> = text[from..].lines().take(6).map(str::trim_end).collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn a_model_that_was_measured_is_quoted() {
    let mut report = sample();
    let sentence = "p95 TTFT predicted within 3 % (1,200 held-out probes, 2026-11-21): equivalent within 10 %";
    report.models[0].calibration = Some(Standing::Calibrated(sentence.into()));
    let text = full(&report, &style(160));
    assert!(text.contains(&format!("\nnote: relay-fast/1: {sentence}\n")));
    assert!(!text.contains("uncalibrated"));
}

#[test]
fn a_report_of_nothing_is_only_its_header() {
    let mut report = sample();
    report.policies.clear();
    report.comparisons.clear();
    report.objectives.clear();
    report.warnings.clear();
    report.models.clear();
    report.assumptions.clear();
    report.replications_finished = 0;
    assert_eq!(
        full(&report, &style(120)),
        "support-chat: 0 of 10 replications × 10 min simulated after 60 s of warm-up, seed 42, 95 % confidence\n"
    );
}

#[test]
fn a_verdict_on_what_is_not_asked_of_a_policy_stands_in_brackets() {
    let asked = sample();
    let shown = screen(&asked, &style(160));
    assert!(
        shown.contains("FAIL TTFT p95") && !shown.contains("In brackets"),
        "{shown}"
    );
    // Of the third nothing is asked that it fails, of the second nothing at all.
    let mut some = sample();
    let [_, second, third] = [0, 1, 2].map(|at| some.policies[at].name.clone());
    let fails = |o: &Judgement| o.policy == third && o.judged == Judged::Fail;
    some.objectives.retain(|o| o.policy != second && !fails(o));
    let shown = screen(&some, &style(160));
    for words in [
        "PASS (fails TTFT p95)",
        "(meets them)",
        "In brackets: objectives that are not asked",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("FAIL"), "{shown}");
}
