//! The front of several figures: the candidates of which no other is better in one of them and as good in the rest (Pareto).

use crate::stats::interval::Estimate;
use crate::stats::sorting;
use crate::words::{Aim, Unit};

/// Which of `figures` no other is better than: each of them has the metrics in their order, of which `lower` says whether less is better.
/// What is better by no more than `matters`, or by half a thousandth of a share, is as good; of several that are as good the first stays.
pub(super) fn front(figures: &[&[Estimate]], metrics: &[Aim], lower: &[bool], matters: f64) -> Vec<usize> {
    let value = |i: usize, column: usize| {
        let value = figures[i].get(column).map_or(f64::NAN, |figure| figure.value);
        if lower[column] { value } else { -value }
    };
    let covers = |a: usize, b: usize| {
        (0..metrics.len()).all(|column| {
            let (x, y) = (value(a, column), value(b, column));
            let share = metrics[column].unit_in(None) == Unit::Share;
            let room = matters * y.abs() + if share { 5e-4 } else { 0.0 };
            x.is_nan() || y.is_nan() || x <= y || x <= y + room
        })
    };
    let mut order: Vec<usize> = (0..figures.len()).filter(|&i| value(i, 0).is_finite()).collect();
    sorting::by(&mut order, |&a, &b| value(a, 0).total_cmp(&value(b, 0)));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        if !kept.iter().any(|&known| covers(known, i)) {
            kept.push(i);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Metric;

    #[test]
    fn the_front_has_what_nothing_covers() {
        let of = |values: [f64; 3]| values.map(|value| Estimate::symmetric(value, Some(0.0), 5, 0)).to_vec();
        let all = [
            of([100.0, 2.0, 0.01]),
            of([100.5, 2.0, 0.01]),
            of([120.0, 1.0, 0.01]),
            of([130.0, 1.5, 0.02]),
            of([140.0, 1.5, 0.0]),
            of([90.0, f64::INFINITY, 0.5]),
        ];
        let all: Vec<&[Estimate]> = all.iter().map(Vec::as_slice).collect();
        let metrics = [Metric::COST_PER_MONTH, Metric::E2E_P95, Metric::ERROR_RATE].map(Aim::from);
        assert_eq!(front(&all, &metrics, &[true; 3], 0.01), [5, 0, 2, 4]);
    }
}
