//! The table of differences: one column a policy, one row a figure, each less the first policy's.

use serde::Serialize;

use super::Cell;
use super::keys::{Key, Keys};
use super::notes::{Note, Notes};
use crate::report::{Code, Comparison, Difference, Joined, Metric, Report, format};
use crate::stats::compare::Verdict;

#[derive(Serialize)]
pub(super) struct Differences {
    title: &'static str,
    caption: String,
    columns: Vec<Key>,
    rows: Vec<DifferenceRow>,
    notes: Vec<Note>,
}

#[derive(Serialize)]
struct DifferenceRow {
    name: String,
    cells: Vec<Option<DifferenceCell>>,
}

#[derive(Serialize)]
struct DifferenceCell {
    cell: Cell,
    relative: String,
    tone: &'static str,
    words: &'static str,
}

pub(super) fn differences(report: &Report, keys: &Keys<'_>) -> Option<Differences> {
    let mut notes = Notes::of("differences");
    let first = report.comparisons.first()?;
    let cell = |comparison: &Comparison, metric: &Metric, notes: &mut Notes| {
        let found = comparison
            .differences
            .iter()
            .find(|difference| difference.metric == *metric)?;
        let differs = report.joined.as_ref().is_some_and(|joined| joined.traffic.is_some());
        let is_traffic = differs && found.metric.grows_with_traffic();
        Some(difference_cell(found, is_traffic, report.code(), notes))
    };
    let told = |difference: &&Difference| difference.metric == Metric::ERROR_RATE || report.says(&difference.metric);
    let rows = first.differences.iter().filter(told);
    let rows = rows.map(|Difference { metric, .. }| DifferenceRow {
        name: metric.title_in(report.code()),
        cells: report
            .comparisons
            .iter()
            .map(|comparison| cell(comparison, metric, &mut notes))
            .collect(),
    });
    let rows = rows.collect();
    let (title, caption) = match report.joined {
        Some(Joined { paired: true, .. }) => (
            "Differences of the second result, replication by replication",
            "Each policy less its namesake in the first result, under the same arrivals and the same provider weather."
                .into(),
        ),
        Some(Joined { paired: false, .. }) => (
            "Differences of the second result",
            "Each policy less its namesake in the first result, as of independent runs.".into(),
        ),
        None => (
            "Differences, replication by replication",
            format!(
                "Each policy less {}, under the same arrivals and the same provider weather.",
                first.baseline
            ),
        ),
    };
    Some(Differences {
        title,
        caption: caption + " Shares differ in percentage points (pp).",
        columns: report
            .comparisons
            .iter()
            .map(|comparison| keys.of_name(&comparison.policy))
            .collect(),
        rows,
        notes: notes.list(),
    })
}

/// Where it is a difference of the traffic it is neither better nor worse.
fn difference_cell(difference: &Difference, is_traffic: bool, code: Option<Code>, notes: &mut Notes) -> DifferenceCell {
    let unit = difference.metric.unit_in(code);
    let (value, spread) = format::difference_parts(unit, &difference.difference);
    let (tone, words) = match (difference.verdict, difference.metric.lower_is_better()) {
        (Verdict::Lower, _) if is_traffic => ("unsure", "lower, with the traffic"),
        (Verdict::Higher, _) if is_traffic => ("unsure", "higher, with the traffic"),
        (Verdict::Lower, true) => ("good", "lower, better"),
        (Verdict::Lower, false) => ("bad", "lower, worse"),
        (Verdict::Higher, true) => ("bad", "higher, worse"),
        (Verdict::Higher, false) => ("good", "higher, better"),
        (Verdict::CannotTell, _) => ("unsure", "cannot tell"),
        (Verdict::Same, _) => ("unsure", "the same"),
    };
    DifferenceCell {
        cell: Cell {
            value,
            spread: spread.map(|spread| spread.to_string()),
            note: notes.mark(difference.difference.why_no_interval()),
        },
        relative: difference.relative.map(format::relative).unwrap_or_default(),
        tone,
        words,
    }
}
