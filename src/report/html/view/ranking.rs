//! The policies in order of one figure: a table with a mark and its interval on a scale in every cell.

use serde::Serialize;

use super::Cell;
use super::keys::{Key, Keys};
use super::notes::{Note, Notes};
use crate::report::shown;
use crate::report::{Metric, PolicyReport, Ranked, Report, format};
use crate::stats::interval::Estimate;
use crate::stats::sorting;

/// Figures further apart than this are shown by their logarithms.
const APART: f64 = 30.0;

#[derive(Serialize)]
pub(super) struct Ranking {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Row>,
    notes: Vec<Note>,
}

#[derive(Serialize)]
struct Row {
    place: usize,
    key: Key,
    may_be_best: bool,
    cells: Vec<Marked>,
}

/// A figure, and where it lies on its column's scale, in hundredths.
#[derive(Serialize)]
struct Marked {
    cell: Cell,
    at: Option<String>,
    from: String,
    wide: String,
}

/// From the least to the greatest figure of a column, the furthest tenth at either end left out: a few policies that are far
/// off would leave no room between the others. They are marked at the ends.
struct Across {
    low: f64,
    high: f64,
    by_factors: bool,
}

pub(super) fn ranking(report: &Report, keys: &Keys<'_>) -> Option<Ranking> {
    let ranking = report.ranking.as_ref()?;
    let policies: Vec<(&Ranked, &PolicyReport)> = ranking
        .rows
        .iter()
        .filter_map(|row| Some((row, report.policies.iter().find(|p| p.name == row.policy)?)))
        .collect();
    let is_known = |metric: &Metric| policies.iter().any(|(_, p)| shown(p, metric).0.value.is_finite());
    let mut beside: Vec<(u8, Metric)> = Metric::standard()
        .filter_map(|(metric, standard)| Some((standard.beside?, metric)))
        .filter(|(_, metric)| *metric != ranking.metric)
        .collect();
    sorting::by(&mut beside, Ord::cmp);
    let beside = beside.into_iter().map(|(_, metric)| metric);
    let metrics: Vec<Metric> = std::iter::once(ranking.metric.clone())
        .chain(beside)
        .filter(is_known)
        .collect();
    let across: Vec<Across> = metrics
        .iter()
        .map(|metric| Across::of(policies.iter().map(|(_, p)| shown(p, metric).0.value)))
        .collect();
    let mut notes = Notes::of("ranking");
    let rows = policies.iter().enumerate().map(|(place, (row, policy))| Row {
        place: place + 1,
        key: keys.of_name(&policy.name),
        may_be_best: row.may_be_best,
        cells: metrics
            .iter()
            .zip(&across)
            .map(|(metric, across)| {
                across.mark(&shown(policy, metric).0, notes.measured(policy, metric, report.code()))
            })
            .collect(),
    });
    let rows = rows.collect();
    Some(Ranking {
        caption: caption(report, ranking),
        columns: metrics.iter().map(|m| m.title_in(report.code())).collect(),
        rows,
        notes: notes.list(),
    })
}

impl Across {
    fn of(figures: impl Iterator<Item = f64>) -> Across {
        let mut known: Vec<f64> = figures.filter(|x| x.is_finite()).collect();
        known.sort_by(f64::total_cmp);
        let left_out = known.len() / 10;
        let low = known.get(left_out).copied().unwrap_or_default();
        let high = known.iter().rev().nth(left_out).copied().unwrap_or_default();
        Across {
            low,
            high,
            by_factors: low > 0.0 && high > APART * low,
        }
    }

    /// Where `x` lies, from 0 to 1; in the middle if all are the same.
    fn place(&self, x: f64) -> f64 {
        let scale = |x: f64| if self.by_factors { libm::log(x.max(self.low)) } else { x };
        let (low, high) = (scale(self.low), scale(self.high));
        if high > low {
            ((scale(x) - low) / (high - low)).clamp(0.0, 1.0)
        } else {
            0.5
        }
    }

    fn mark(&self, estimate: &Estimate, cell: Cell) -> Marked {
        let hundredths = |share: f64| format!("{:.1}%", share * 100.0);
        let (from, to) = match (estimate.lo, estimate.hi) {
            (Some(lo), Some(hi)) => (self.place(lo), self.place(hi)),
            // One without an upper end reaches to the edge.
            (Some(lo), None) => (self.place(lo), 1.0),
            (None, _) => (0.0, 0.0),
        };
        Marked {
            cell,
            at: estimate
                .value
                .is_finite()
                .then(|| hundredths(self.place(estimate.value))),
            from: hundredths(from),
            wide: hundredths(to - from),
        }
    }
}

/// What the ranking says, in a sentence.
fn caption(report: &Report, ranking: &crate::report::Ranking) -> String {
    let best = ranking.rows.iter().filter(|row| row.may_be_best).count();
    let beyond = if ranking.rows.len() < 10 {
        ""
    } else {
        " Each scale leaves out the furthest tenth of the policies at either end, which are marked there."
    };
    format!(
        "By {}, the best first. Marked: {} that the paired intervals, {} together, do not set apart from the first.{beyond}",
        ranking.metric.title_in(report.code()),
        format::count(best as u64),
        format::tick(crate::report::Unit::Share, report.confidence)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_runs_from_its_least_to_its_greatest() {
        let across = Across::of([2.0, f64::NAN, 4.0].into_iter());
        assert_eq!([2.0, 3.0, 4.0, 9.0].map(|x| across.place(x)), [0.0, 0.5, 1.0, 1.0]);
        let across = Across::of([1.0, 100.0].into_iter());
        assert!((across.place(10.0) - 0.5).abs() < 1e-12, "by factors");
        assert_eq!(Across::of([3.0].into_iter()).place(3.0), 0.5);
        assert_eq!(Across::of([f64::NAN].into_iter()).place(3.0), 0.5);
    }

    #[test]
    fn one_of_ten_that_is_far_off_takes_no_room() {
        let figures = (0..9).map(f64::from).chain([1e9]);
        let across = Across::of(figures);
        assert_eq!([1.0, 8.0, 1e9, 0.0].map(|x| across.place(x)), [0.0, 1.0, 1.0, 0.0]);
    }
}
