//! The differences of each policy from the first: one row a figure, three columns a policy, and each verdict in words.
//!
//! "Better" and "worse" are said only when the interval of the paired difference excludes zero. Left out: the figures
//! themselves, which the main table has.

use super::notes::Notes;
use super::{HEAD, Page, shown};
use crate::report::table::{Cell, Table, Tone};
use crate::report::text::{clean, fit, paragraph};
use crate::report::{Code, Comparison, Difference, Joined, Metric, Report, format};
use crate::stats::compare::Verdict;

impl Page {
    /// The table of differences and a sentence for each policy.
    pub(super) fn comparison(&mut self, report: &Report, notes: &mut Notes) {
        let baseline = report.comparisons.first().map_or("", |comparison| &comparison.baseline);
        let title = match report.joined {
            Some(Joined { paired: true, .. }) => "Differences of the second result, replication by replication".into(),
            Some(Joined { paired: false, .. }) => "Differences of the second result, of independent runs".into(),
            None => format!(
                "Differences from {}, replication by replication",
                fit(&clean(baseline), HEAD)
            ),
        };
        // Of one result what follows from it is elsewhere.
        for sentence in report.scorecard.headline.iter().filter(|_| report.joined.is_some()) {
            self.text += &paragraph("", sentence, self.style.width);
        }
        self.table(&title, &differences(report, &report.comparisons, notes));
        let all = report.comparisons.iter().flat_map(|comparison| &comparison.differences);
        // Said of what looks clear by itself: one figure whose interval excludes zero.
        let excludes_zero = |d: &Difference| {
            let ends = d.difference.lo.zip(d.difference.hi);
            ends.is_some_and(|(lo, hi)| lo > 0.0 || hi < 0.0)
        };
        let mut unsure = all.filter(|d| d.verdict == Verdict::CannotTell && d.difference.n > 1);
        if unsure.any(excludes_zero) {
            let why = "cannot tell: an interval may exclude zero by itself, but of so many figures some do by chance; more replications would \
                       tell.";
            self.text += &paragraph("", why, self.style.width);
        }
        self.text.push('\n');
        for comparison in &report.comparisons {
            self.text += &paragraph("- ", &comparison.sentence, self.style.width);
        }
    }
}

/// The differences of one policy, and what is noted of them, each note with its mark.
pub(in crate::report) fn of_one(report: &Report, comparison: &Comparison) -> (Table, Vec<String>) {
    let mut notes = Notes::default();
    let table = differences(report, std::slice::from_ref(comparison), &mut notes);
    let notes = notes.iter().map(|(mark, note)| format!("{mark} {note}"));
    (table, notes.collect())
}

fn differences(report: &Report, comparisons: &[Comparison], notes: &mut Notes) -> Table {
    let mut table = Table::new("");
    for comparison in comparisons {
        let group = fit(&clean(&comparison.policy), HEAD);
        table.column(&group, "difference");
        table.column(&group, "relative");
        table.words(&group, "");
    }
    let further = report.further(|standard| standard.terminal).into_iter().cloned();
    let differs = report.joined.as_ref().is_some_and(|joined| joined.traffic.is_some());
    for metric in shown(report).chain(further) {
        let cells = comparisons.iter().flat_map(|comparison| {
            let found = comparison
                .differences
                .iter()
                .find(|difference| difference.metric == metric);
            found.map_or_else(
                || [format::NONE, "", ""].map(Cell::new),
                |difference| {
                    let more = differs && metric.grows_with_traffic();
                    cells(difference, more, report.code(), notes)
                },
            )
        });
        let cells: Vec<Cell> = cells.collect();
        table.row(&clean(&metric.title_in(report.code())), cells);
    }
    table
}

/// The cells of a difference; one that `more` traffic makes is neither better nor worse.
fn cells(difference: &Difference, more: bool, code: Option<Code>, notes: &mut Notes) -> [Cell; 3] {
    let (said, tone) = match more {
        true => ("other traffic", Tone::Dim),
        false => verdict(&difference.metric, difference.verdict),
    };
    let relative = difference.relative.map_or(String::new(), format::relative);
    [
        notes.difference(difference.metric.unit_in(code), &difference.difference),
        Cell::new(relative),
        Cell::new(said).tone(tone),
    ]
}

/// What a verdict means for the figure.
fn verdict(metric: &Metric, verdict: Verdict) -> (&'static str, Tone) {
    match (verdict, metric.lower_is_better()) {
        (Verdict::Lower, true) | (Verdict::Higher, false) => ("+ better", Tone::Good),
        (Verdict::Lower, false) | (Verdict::Higher, true) => ("- worse", Tone::Bad),
        (Verdict::CannotTell, _) => ("? cannot tell", Tone::Dim),
        (Verdict::Same, _) => ("= same", Tone::Dim),
    }
}
