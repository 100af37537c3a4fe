//! Each table is read back with the csv crate's reader and held against the report.

use super::*;
use crate::report::Metric;
use crate::report::sample::{ranked, sample};

fn read(name: &str, report: &Report) -> Vec<Vec<String>> {
    let all = tables(report);
    let (_, text) = all.iter().find(|(found, _)| *found == name).unwrap();
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

#[test]
fn metrics_are_read_back_to_the_last_digit() {
    let report = sample();
    let rows = read("metrics.csv", &report);
    assert_eq!(
        rows[0],
        ["policy", "metric", "unit", "value", "lo", "hi", "n", "requests"]
    );
    let mut rows = rows[1..].iter();
    for policy in &report.policies {
        for measured in &policy.metrics {
            let row = rows.next().unwrap();
            let Estimate { value, lo, hi, n, .. } = measured.estimate;
            assert_eq!((&row[0], &row[1]), (&policy.name, &measured.metric.to_string()));
            assert_eq!(row[3].parse(), Ok(value));
            assert_eq!((row[4].parse().ok(), row[5].parse().ok()), (lo, hi));
            assert_eq!(row[6], n.to_string());
        }
    }
    assert_eq!(rows.next(), None);
}

#[test]
fn every_table_has_rows_and_as_many_cells_in_each_as_its_head() {
    let report = sample();
    for (name, _) in tables(&report) {
        // The reader refuses a row of another length.
        assert!(read(name, &report).len() > 1, "{name}");
    }
}

#[test]
fn tables_have_one_line_for_each_figure() {
    let report = ranked();
    let sum = |count: fn(&PolicyReport) -> usize| report.policies.iter().map(count).sum::<usize>();
    for (name, count) in [
        ("outcomes.csv", sum(|policy| policy.outcomes.len())),
        ("providers.csv", 5 * sum(|policy| policy.providers.len())),
        ("classes.csv", 6 * sum(|policy| policy.classes.len())),
        ("bounds.csv", sum(|policy| policy.bounds.len())),
        ("incidents.csv", 7 * sum(|policy| policy.incidents.len())),
        ("effort.csv", sum(|policy| policy.effort.len())),
        ("series.csv", sum(|policy| policy.series.len())),
        (
            "differences.csv",
            report.comparisons.iter().map(|c| c.differences.len()).sum(),
        ),
        ("objectives.csv", report.objectives.len()),
        ("ranking.csv", report.policies.len()),
    ] {
        assert_eq!(read(name, &report).len() - 1, count, "{name}");
    }
}

#[test]
fn what_does_not_exist_is_an_empty_cell() {
    let mut report = sample();
    report.policies[0].metrics[0].estimate = Estimate::NONE;
    let row = &read("metrics.csv", &report)[1];
    assert_eq!(row[3..], ["", "", "", "0", ""]);
}

#[test]
fn what_was_sent_stands_under_its_provider_by_name() {
    let mut report = sample();
    report.policies[1].providers.swap(0, 1);
    for moment in &mut report.policies[1].series {
        moment.sent.swap(0, 1);
    }
    assert_eq!(read("series.csv", &report), read("series.csv", &sample()));
}

#[test]
fn names_are_no_formulas_and_keep_their_commas_and_quotes() {
    for (name, cell) in [
        ("=1+1", "'=1+1"),
        ("+a", "'+a"),
        ("-a", "'-a"),
        ("@a", "'@a"),
        ("\ta", "'\ta"),
        ("a=1", "a=1"),
        ("a, \"b\"\nc", "a, \"b\"\nc"),
        ("\u{1b}[2Ja\u{202e}b", "\u{fffd}[2Ja\u{fffd}b"),
    ] {
        let mut report = sample();
        report.policies[0].name = name.into();
        assert_eq!(read("metrics.csv", &report)[1][0], cell);
    }
}

#[test]
fn words_are_those_of_the_json() {
    for what in [
        BoundKind::InFlight,
        BoundKind::Limiter,
        BoundKind::Queue,
        BoundKind::Connections,
        BoundKind::Quota,
        BoundKind::Capacity,
        BoundKind::Breaker,
        BoundKind::Budget,
    ] {
        assert_eq!(serde_json::to_value(what).unwrap(), kind(what));
    }
    for said in [Verdict::Lower, Verdict::Higher, Verdict::CannotTell, Verdict::Same] {
        assert_eq!(serde_json::to_value(said).unwrap(), verdict(said));
    }
    for said in [Judged::Pass, Judged::Fail, Judged::Undecided] {
        assert_eq!(serde_json::to_value(said).unwrap(), judged(said));
    }
}

#[test]
fn a_class_has_the_metrics_that_the_table_says() {
    let report = sample();
    let found = report.policies[0].classes[0].metrics().map(|(metric, _)| metric);
    let table = Metric::standard().filter(|(_, standard)| standard.of_classes);
    assert!(table.map(|(metric, _)| metric).eq(found));
}
