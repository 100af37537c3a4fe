//! Percentiles of a sample, with intervals that hold whatever the distribution.
//!
//! The number of values below the q-quantile is binomial, so two order statistics bound it (David and Nagaraja, Order
//! Statistics, 7.1). Without enough values one of them does not exist: a two-sided 95 % interval takes 72 for p95, 368
//! for p99 and 3,688 for p99.9. Autocorrelation leaves fewer effective values, and the ranks are taken for those.

use schemars::JsonSchema;
use serde::Serialize;

use super::sample::Sample;
use crate::stats::critical::Confidence;
use crate::stats::interval::min_samples_for_quantile;

/// The percentiles that a report shows, as shares.
pub(super) const SHOWN: [f64; 4] = [0.5, 0.95, 0.99, 0.999];

/// A percentile, as measured and as fitted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Percentile {
    /// The share of values at or below the percentile, from 0 to 1.
    pub share: f64,
    /// The percentile of the sample; `None` if censoring hides it.
    pub measured: Option<f64>,
    /// The lower end of the measured percentile's 95 % interval.
    pub low: Option<f64>,
    /// The upper end of the measured percentile's 95 % interval.
    pub high: Option<f64>,
    /// The percentile of the fitted law.
    pub fitted: f64,
    /// The number of independent values that an interval needs.
    pub needed: u64,
}

impl Percentile {
    /// Whether the sample bounds the percentile on both sides.
    pub fn is_estimable(&self) -> bool {
        self.low.is_some() && self.high.is_some()
    }

    /// The `share`-quantile of a sample that is worth `effective` independent values, beside the `fitted` one.
    pub fn of(sample: &Sample, share: f64, effective: f64, fitted: f64) -> Percentile {
        let curve = sample.curve();
        let needed = min_samples_for_quantile(share, Confidence::P95);
        let n = effective.floor().max(0.0) as u64;
        let (low, high) = if n >= needed {
            let (low, high) = ranks(n, share, Confidence::P95);
            let at = |rank: u64| curve.quantile(rank as f64 / n as f64);
            (at(low), at(high))
        } else {
            (None, None)
        };
        Percentile {
            share,
            measured: curve.quantile(share),
            low,
            high,
            fitted,
            needed,
        }
    }
}

/// The ranks, from 1, of the order statistics out of `n` that bound the `share`-quantile, with at most half of the
/// error that `confidence` allows on each side. Only valid with enough values for them.
pub(super) fn ranks(n: u64, share: f64, confidence: Confidence) -> (u64, u64) {
    // Summing from the mode outwards would be shorter; from the ends it is plain: P(B <= k) by summing the binomial.
    let (mut below, mut low, mut high) = (0.0, 1, n);
    let (log_p, log_q) = (libm::log(share), libm::log1p(-share));
    let mut log_mass = n as f64 * log_q;
    let mut found_low = false;
    for k in 0..n {
        // below = P(B <= k), B the number of values under the quantile.
        below += libm::exp(log_mass);
        if !found_low {
            if below <= confidence.tail() {
                low = k + 1;
            } else {
                found_low = true;
            }
        }
        if below >= 1.0 - confidence.tail() {
            high = k + 1;
            break;
        }
        log_mass += libm::log((n - k) as f64 / (k + 1) as f64) + log_p - log_q;
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binom`: the largest l with cdf(l − 1) <= 0.025 and the least u with cdf(u − 1) >= 0.975.
    #[test]
    fn the_ranks_agree_with_scipy() {
        for (n, share, wanted) in [
            (100, 0.5, (40, 61)),
            (72, 0.95, (64, 72)),
            (368, 0.99, (360, 368)),
            (1000, 0.95, (936, 964)),
            (5000, 0.999, (4990, 5000)),
        ] {
            assert_eq!(ranks(n, share, Confidence::P95), wanted, "{n} {share}");
        }
    }

    #[test]
    fn too_few_values_have_no_interval_and_likeness_makes_fewer() {
        let sample = Sample::new((1..=100).map(f64::from).collect(), vec![]);
        assert!(Percentile::of(&sample, 0.95, 100.0, 95.0).is_estimable());
        assert!(!Percentile::of(&sample, 0.95, 71.0, 95.0).is_estimable());
        assert!(!Percentile::of(&sample, 0.99, 100.0, 99.0).is_estimable());
    }

    /// Half is censored at 50: the median is seen, its interval's end is not.
    #[test]
    fn what_censoring_hides_has_no_end() {
        let sample = Sample::new((1..=50).map(f64::from).collect(), vec![50.0; 50]);
        let median = Percentile::of(&sample, 0.5, 100.0, 50.0);
        assert_eq!(
            (median.measured, median.low, median.high),
            (Some(50.0), Some(40.0), None)
        );
    }
}
