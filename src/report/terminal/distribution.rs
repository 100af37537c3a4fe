//! When requests are answered, as one line of bars a policy: a small distribution function on an axis of time that all share.
//!
//! A bar is the share of all requests that were answered by then, so that what failed keeps the last one from being full, as on the page.

use super::screen::spark;
use crate::report::table::{Cell, Table};
use crate::report::text::clean;
use crate::report::{Metric, PolicyReport, Report, Unit, estimate, format};

/// Bars of a line.
const BARS: usize = 24;

/// The shares of answered requests between which the axis lies.
const FROM: f64 = 0.01;
const TO: f64 = 0.999;

/// The distribution of the time to the last token under each policy, and what its axis is. The table is empty where nothing is
/// answered, or everything after the same time.
pub(super) fn table(report: &Report) -> (String, Table) {
    let mut table = Table::new("policy");
    let curves = || report.policies.iter().map(|policy| policy.curves.e2e.as_slice());
    let from = curves().filter_map(|curve| reached(curve, FROM)).reduce(f64::min);
    let to = curves().filter_map(|curve| reached(curve, TO)).reduce(f64::max);
    let (Some(from), Some(to)) = (from, to) else {
        return (String::new(), table);
    };
    if !(from > 0.0 && to > from) {
        return (String::new(), table);
    }
    let seconds = |time: f64| format::value(Unit::Seconds, time);
    table.words("", &format!("{} to {}", seconds(from), seconds(to)));
    for policy in &report.policies {
        let shares: Vec<f64> = (1..=BARS).map(|i| answered(policy, between(from, to, i))).collect();
        table.row(&clean(&policy.name), [Cell::new(spark(&shares, 1.0))]);
    }
    let title = "Share of requests answered by a time, on a log axis; █ is all of them";
    (title.into(), table)
}

/// The end of bar `i` of [`BARS`], in seconds.
fn between(from: f64, to: f64, i: usize) -> f64 {
    from * libm::pow(to / from, i as f64 / BARS as f64)
}

/// The first time by which `share` of the answered requests were.
fn reached(curve: &[(f64, f64)], share: f64) -> Option<f64> {
    curve
        .iter()
        .find(|(_, reached)| *reached >= share)
        .map(|(time, _)| *time)
}

/// The share of all requests that were answered by `time`.
fn answered(policy: &PolicyReport, time: f64) -> f64 {
    let failed = estimate(policy, &Metric::ERROR_RATE).value.clamp(0.0, 1.0);
    let of_all = if failed.is_finite() { 1.0 - failed } else { 1.0 };
    // What is left of rounding where the axis ends on a point of the curve.
    let until = time * (1.0 + 1e-9);
    let known = policy.curves.e2e.iter().take_while(|(at, _)| *at <= until).last();
    known.map_or(0.0, |(_, share)| share * of_all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn half_of_what_fails_half_the_time_is_half_a_bar() {
        let mut report = sample();
        report.policies.truncate(1);
        let policy = &mut report.policies[0];
        policy.curves.e2e = vec![(1.0, 0.01), (2.0, 0.5), (4.0, 1.0)];
        let errors = policy
            .metrics
            .iter_mut()
            .find(|measured| measured.metric == Metric::ERROR_RATE);
        errors.expect("every report has it").estimate.value = 0.5;
        let (_, table) = table(&report);
        let bars: Vec<char> = table.rows()[0].1[0].text.chars().collect();
        assert_eq!((bars.len(), bars[0], bars[11], bars[23]), (24, '▁', '▂', '▄'));
    }

    #[test]
    fn what_is_never_answered_has_no_distribution() {
        let mut report = sample();
        report.policies.iter_mut().for_each(|policy| policy.curves.e2e.clear());
        assert!(table(&report).1.is_empty());
    }
}
