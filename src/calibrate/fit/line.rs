//! A straight line through a cloud of points, robust against outliers.
//!
//! The slope is the median of the slopes of all pairs (Theil 1950; Sen, JASA 63, 1968); its interval comes from the
//! spread of Kendall's score (Hollander and Wolfe, Nonparametric Statistical Methods, 9.4), widened by autocorrelation.

use schemars::JsonSchema;
use serde::Serialize;

use crate::stats::critical::Confidence;

/// The most points that are used; a larger set is thinned evenly.
const MOST_POINTS: usize = 600;

/// A slope with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Slope {
    /// The median of the slopes of all pairs.
    pub slope: f64,
    /// The lower end of the slope's 95 % interval.
    pub low: f64,
    /// The upper end of the slope's 95 % interval.
    pub high: f64,
}

impl Slope {
    /// The line through these points, of which each is worth `1 / time` independent ones. `None` if fewer than ten
    /// pairs differ in x.
    pub fn of(points: &[(f64, f64)], time: f64) -> Option<Slope> {
        let every = points.len().div_ceil(MOST_POINTS).max(1);
        let some: Vec<(f64, f64)> = points.iter().step_by(every).copied().collect();
        let mut slopes = Vec::with_capacity(some.len() * some.len() / 2);
        for (i, a) in some.iter().enumerate() {
            for b in &some[i + 1..] {
                if a.0 != b.0 {
                    slopes.push((b.1 - a.1) / (b.0 - a.0));
                }
            }
        }
        if slopes.len() < 10 {
            return None;
        }
        slopes.sort_by(f64::total_cmp);
        let n = some.len() as f64;
        // Variance of Kendall's score without ties; the autocorrelation that is left after thinning widens it.
        let likeness = (time / every as f64).max(1.0);
        let reach = Confidence::P95.z() * (likeness * n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        let middle = slopes.len() as f64 / 2.0;
        let at = |place: f64| slopes[(place.max(0.0) as usize).min(slopes.len() - 1)];
        Some(Slope {
            slope: at(middle),
            low: at((middle - reach / 2.0).floor()),
            high: at((middle + reach / 2.0).ceil()),
        })
    }

    /// Whether the interval excludes 0.
    pub fn is_significant(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.theilslopes(y, x, 0.95, "separate")`: slope 2.0, interval 1.0 to 3.0; a wild last point moves neither.
    #[test]
    fn one_wild_point_does_not_move_it() {
        let points: Vec<(f64, f64)> = (0..40)
            .map(|i| {
                let x = f64::from(i);
                (
                    x,
                    2.0 * x + if i % 2 == 0 { 0.5 } else { -0.5 } + if i == 39 { 1e6 } else { 0.0 },
                )
            })
            .collect();
        let slope = Slope::of(&points, 1.0).unwrap();
        assert!(
            (slope.slope - 2.0).abs() < 0.02 && slope.low > 1.9 && slope.high < 2.1,
            "{slope:?}"
        );
    }

    #[test]
    fn likeness_of_neighbours_widens_it() {
        let points: Vec<(f64, f64)> = (0..60).map(|i| (f64::from(i), f64::from(i * 7919 % 61))).collect();
        let (alone, alike) = (Slope::of(&points, 1.0).unwrap(), Slope::of(&points, 4.0).unwrap());
        assert!(
            alike.high - alike.low > 1.5 * (alone.high - alone.low),
            "{alone:?} {alike:?}"
        );
    }
}
