//! Lengths by their own quantiles: few points, joined by straight lines, whose mean is that of the lengths.
//!
//! The i-th of n lengths in rising order stands at the share (i − ½)/n (Hazen's plotting position). Straight lines through all of these points
//! have the mean of the lengths exactly, and each percentile within a rank. A table has some of the points: an even grid that is denser towards the long
//! ones, and then what [`knots`](stats::knots) adds, until the area between the lines and all points is below [`OFF`] of the mean.

use crate::stats;

/// The area between the lines and all points, as a share of the mean, that is small enough.
const OFF: f64 = 0.002;
/// The most points of a table.
const MOST: usize = 250;
/// Percentiles of the grid have so many values beyond them at least.
const BEYOND: f64 = 4.0;

/// Points (share at or below, length) of lengths in rising order, of which there is one at least; from share 0 to share 1.
pub(super) fn knots(lengths: &[u32]) -> Vec<(f64, f64)> {
    let n = lengths.len();
    let at = |place: usize| f64::from(lengths.get(place).copied().unwrap_or(0));
    let first: Vec<(f64, f64)> = grid(n).into_iter().map(|place| (place as f64, at(place))).collect();
    let points = stats::knots::knots(lengths, &first, OFF, MOST);
    // To so many digits that neighbours of ten million lengths are told apart.
    let share = |place: f64| ((place + 0.5) / n as f64 * 1e9).round() / 1e9;
    let mut knots = vec![(0.0, at(0))];
    for (share, x) in points.into_iter().map(|(place, x)| (share(place), x)) {
        if knots.last().is_some_and(|last: &(f64, f64)| share > last.0) && share < 1.0 {
            knots.push((share, x));
        }
    }
    knots.push((1.0, at(n - 1)));
    knots
}

/// The places of the even grid: the first, the last, and between them as many as there are lengths enough for.
fn grid(n: usize) -> Vec<usize> {
    let fine = (1..40).map(|i| f64::from(i) / 40.0);
    let fine = [0.01]
        .into_iter()
        .chain(fine)
        .chain([0.99, 0.995, 0.998, 0.999, 0.9995]);
    let inner = fine.filter(|share| share.min(1.0 - share) * n as f64 >= BEYOND);
    let inner = inner.map(|share| ((share * n as f64) as usize).min(n - 1));
    let mut places: Vec<usize> = std::iter::once(0).chain(inner).chain([n - 1]).collect();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::super::lengths::{mean, quantile};
    use super::*;
    use crate::kernel::law::{Empirical, Law, Tail};

    fn law(lengths: &[u32]) -> Empirical {
        let knots = knots(lengths);
        assert!(knots.len() <= MOST + 2, "{}", knots.len());
        Empirical::new(knots).unwrap()
    }

    /// 21 prompts of 100,000 tokens among 2,000 of some 175: their mean is 1,223, and by straight lines between percentiles it was 1,901.
    #[test]
    fn a_few_long_prompts_stay_few() {
        let mut lengths: Vec<u32> = (0..2000_u32)
            .map(|k| if k % 94 == 50 { 100_000 } else { 150 + k % 50 })
            .collect();
        lengths.sort_unstable();
        let law = law(&lengths);
        assert!((law.mean() / mean(&lengths) - 1.0).abs() < 0.003, "{}", law.mean());
        for share in [0.05, 0.5, 0.95, 0.99] {
            let (own, found) = (
                f64::from(quantile(&lengths, share)),
                law.cdf(f64::from(quantile(&lengths, share))),
            );
            let at = if share < 0.5 {
                Tail::Lower(share)
            } else {
                Tail::Upper(1.0 - share)
            };
            let x = law.quantile(at);
            assert!((x - own).abs() <= 1.0 + 0.01 * own, "{share}: {x} for {own} ({found})");
        }
    }

    /// Seven of 400, which no percentile of the grid lies beyond; lengths of a heavy tail; and lengths all alike but one.
    #[test]
    fn the_mean_is_that_of_the_lengths() {
        let few: Vec<u32> = (0..400).map(|i| if i < 393 { 100 + i / 4 } else { 150_000 }).collect();
        let heavy: Vec<u32> = (0..20_000)
            .map(|i| (100.0 / (1.0 - (f64::from(i) + 0.5) / 20_000.0)).min(1e9) as u32)
            .collect();
        let mut alike = vec![7; 1000];
        alike.push(1_000_000);
        for lengths in [few, heavy, alike, vec![1, 2], (0..3000).collect()] {
            let found = law(&lengths).mean();
            let own = mean(&lengths);
            assert!((found / own - 1.0).abs() < 0.003, "{found} for {own}");
        }
    }
}
