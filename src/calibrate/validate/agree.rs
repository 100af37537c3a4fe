//! Whether a prediction agrees with a sample: intervals of its percentiles, two one-sided tests, a distance.
//!
//! A percentile's interval is that between two order statistics, whose ranks the binomial distribution gives whatever
//! the law (Conover, Practical Nonparametric Statistics, 3.2). With autocorrelation that is too narrow, and the wider
//! of it and a block bootstrap counts (Künsch 1989; blocks of the cube root of n, Hall, Horowitz and Jing 1995).
//! Equivalence is two one-sided tests at 5 % of the logarithm of predicted over measured (Schuirmann 1987): the 90 %
//! interval must lie within the margin. A prediction of many more requests than were measured is taken as exact.

use statrs::distribution::{Binomial, DiscreteCDF};

use crate::experiment::calibration::Agreement;
use crate::kernel::chance::{hash, index};
use crate::stats::critical::Confidence;
use crate::stats::interval::min_samples_for_quantile;

/// The number of resamples of a block bootstrap.
const RESAMPLES: u64 = 1000;

/// The `q` quantile of sorted values: the one at rank ⌈qn⌉, as in the engine's histograms. NaN without values.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64 * (1.0 - 2.0 * f64::EPSILON)).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// The 90 % interval of the `q` quantile of values in order of time; `None` from fewer values than bound it at 95 % (72
/// for p95, 368 for p99).
pub(super) fn interval(values: &[f64], sorted: &[f64], q: f64) -> Option<(f64, f64)> {
    let n = sorted.len() as u64;
    if n < min_samples_for_quantile(q, Confidence::P95) {
        return None;
    }
    let (lo, hi) = ranks(n, q, Confidence::P90)?;
    let (lo, hi) = (sorted[lo as usize - 1], sorted[hi as usize - 1]);
    if !is_correlated(values) {
        return Some((lo, hi));
    }
    let (from, to) = bootstrap(values, q);
    Some((lo.min(from), hi.max(to)))
}

/// The ranks, from 1, between which the quantile lies with this confidence.
fn ranks(n: u64, q: f64, confidence: Confidence) -> Option<(u64, u64)> {
    let below = Binomial::new(q, n).ok()?;
    // The value at rank r is above the quantile if fewer than r lie below it.
    let first = |enough: f64| {
        let (mut from, mut to) = (0, n);
        while from < to {
            let middle = from.midpoint(to);
            if below.cdf(middle) >= enough {
                to = middle
            } else {
                from = middle + 1
            }
        }
        from
    };
    let (lo, hi) = (first(confidence.tail()), first(1.0 - confidence.tail()) + 1);
    (lo >= 1 && hi <= n).then_some((lo, hi))
}

/// Whether the values are autocorrelated: the lag-1 autocorrelation of their logarithms is more than two standard
/// errors above zero.
fn is_correlated(values: &[f64]) -> bool {
    let logs: Vec<f64> = values.iter().map(|x| libm::log(x.max(1e-9))).collect();
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let square = logs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    let next: f64 = logs.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
    square > 0.0 && next / square > 2.0 / n.sqrt()
}

/// The 90 % interval of a quantile by a circular block bootstrap.
fn bootstrap(values: &[f64], q: f64) -> (f64, f64) {
    let n = values.len();
    let block = libm::cbrt(n as f64).ceil() as usize;
    let mut found: Vec<f64> = (0..RESAMPLES)
        .map(|resample| {
            let starts = (0..n.div_ceil(block) as u64).map(|b| index(hash(b, hash(resample, 1)), n));
            let drawn = starts.flat_map(|start| (start..start + block).map(|i| values[i % n]));
            let mut drawn: Vec<f64> = drawn.take(n).collect();
            drawn.sort_by(f64::total_cmp);
            quantile(&drawn, q)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    (quantile(&found, 0.05), quantile(&found, 0.95))
}

/// The verdict of two one-sided tests on a ratio whose 90 % interval is known, to a factor of 1 + margin either way.
pub(super) fn verdict(ratio: (f64, f64), margin: f64) -> Agreement {
    let (lo, hi) = (libm::log(ratio.0), libm::log(ratio.1));
    let bound = libm::log1p(margin);
    if -bound <= lo && hi <= bound {
        Agreement::Equivalent
    } else if lo > bound || hi < -bound {
        Agreement::NotEquivalent
    } else {
        Agreement::CannotTell
    }
}

/// The greatest distance between the sample's distribution function and another (Kolmogorov–Smirnov): `at` gives the
/// latter at a point, `before` just before it, which differs where it jumps.
pub(super) fn distance(sorted: &[f64], at: impl Fn(f64) -> f64, before: impl Fn(f64) -> f64) -> f64 {
    let n = sorted.len() as f64;
    let each = sorted.iter().enumerate();
    let gaps = each.map(|(i, &x)| ((i as f64 + 1.0) / n - at(x)).max(before(x) - i as f64 / n));
    gaps.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::unit;
    use statrs::distribution::{ContinuousCDF, Normal};

    /// The exponentials of the normal law's quantiles at the middles of n equal parts: a sample without randomness, in
    /// a shuffled order.
    fn lognormal(n: usize, sigma: f64) -> Vec<f64> {
        let normal = Normal::new(0.0, sigma).unwrap();
        let place = |i: usize| (i * 149 % n) as f64;
        (0..n)
            .map(|i| libm::exp(normal.inverse_cdf((place(i) + 0.5) / n as f64)))
            .collect()
    }

    fn sorted(values: &[f64]) -> Vec<f64> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// R's qbinom(c(0.05, 0.95), n, q): 184 and 216 of 400 at the median, 373 and 387 at p95; the upper rank is one more.
    #[test]
    fn ranks_are_those_of_the_binomial_law() {
        assert_eq!(ranks(400, 0.5, Confidence::P90), Some((184, 217)));
        assert_eq!(ranks(400, 0.95, Confidence::P90), Some((373, 388)));
        assert_eq!(ranks(40, 0.99, Confidence::P90), None);
    }

    /// The median of n normal values has the standard error 1.2533 σ / √n, so the tests find it equal to a prediction d off (in
    /// logarithms) when d + 1.645 × 1.2533 σ / √n is within the margin: 0.1031 for σ = 1 and n = 400.
    #[test]
    fn the_tests_agree_with_the_normal_case() {
        let values = lognormal(400, 1.0);
        let (lo, hi) = interval(&values, &sorted(&values), 0.5).unwrap();
        assert!(
            (libm::log(hi) - 0.1031).abs() < 0.004 && (libm::log(lo) + 0.1031).abs() < 0.004,
            "{lo} {hi}"
        );
        let judge = |off: f64, margin: f64| verdict((libm::exp(off) / hi, libm::exp(off) / lo), libm::expm1(margin));
        assert_eq!(judge(0.0, 0.11), Agreement::Equivalent);
        assert_eq!(judge(0.0, 0.09), Agreement::CannotTell);
        assert_eq!(judge(0.09, 0.20), Agreement::Equivalent);
        assert_eq!(judge(0.11, 0.20), Agreement::CannotTell);
        assert_eq!(judge(-0.33, 0.20), Agreement::NotEquivalent);
    }

    #[test]
    fn too_few_values_have_no_percentile() {
        let values = lognormal(367, 0.5);
        let sorted = sorted(&values);
        assert!(interval(&values, &sorted, 0.95).is_some());
        assert_eq!(interval(&values, &sorted, 0.99), None);
        assert_eq!(interval(&values[..71], &sorted[..71], 0.95), None);
    }

    /// By hand: at 0.75 the sample's function jumps to 1 and the uniform law's is 0.75.
    #[test]
    fn the_distance_is_the_largest_gap() {
        let uniform = |x: f64| x.clamp(0.0, 1.0);
        assert!((distance(&[0.1, 0.4, 0.7, 0.75], uniform, uniform) - 0.25).abs() < 1e-12);
        assert!((distance(&[0.5], uniform, uniform) - 0.5).abs() < 1e-12);
        let step = |x: f64| f64::from(u8::from(x >= 2.0));
        assert_eq!(distance(&[2.0, 2.0, 2.0], step, |x| f64::from(u8::from(x > 2.0))), 0.0);
        assert_eq!(distance(&[1.0, 3.0], step, |x| f64::from(u8::from(x > 2.0))), 0.5);
    }

    #[test]
    fn neighbours_that_resemble_each_other_widen_the_interval() {
        let apart: Vec<f64> = (0..400).map(|i| 1.0 + unit(hash(i, 7))).collect();
        let runs: Vec<f64> = (0..400).map(|i| 1.0 + unit(hash(i / 20, 7))).collect();
        assert!(!is_correlated(&apart) && is_correlated(&runs));
        let width = |values: &[f64]| interval(values, &sorted(values), 0.5).map(|(lo, hi)| hi - lo).unwrap();
        assert!(width(&runs) > 1.5 * width(&apart));
    }
}
