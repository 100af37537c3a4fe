//! Quantiles of one sample with intervals from order statistics, whatever the distribution.
//!
//! Of n independent values the number at or below the q quantile is binomial, so two ranks bound it with at least the
//! asked probability (David and Nagaraja, *Order Statistics*, 7.1). Below [`min_samples_for_quantile`] values no rank
//! bounds the far side, and the quantile counts as not estimable. Left out: autocorrelation (a slow minute affects
//! neighbouring requests alike), which makes true intervals wider.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::critical::Confidence;
use super::interval::min_samples_for_quantile;

/// A quantile with the values that bound it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile<T> {
    /// The smallest value with at least the share q at or below it.
    pub value: T,
    /// The lower end of the confidence interval.
    pub lo: T,
    /// The upper end of the confidence interval.
    pub hi: T,
}

/// The `q` quantile of values in rising order; `None` if they are too few for it, or `q` is not strictly between 0 and
/// 1.
pub fn quantile<T: Copy>(sorted: &[T], q: f64, confidence: Confidence) -> Option<Quantile<T>> {
    let n = sorted.len() as u64;
    if n < min_samples_for_quantile(q, confidence) {
        return None;
    }
    let below = Binomial::new(q, n).ok()?;
    let tail = confidence.tail();
    // Ranks from 1: P(B < lo) ≤ tail and P(B ≥ hi) ≤ tail, where B values lie at or below the quantile.
    let lo = below.inverse_cdf(tail).max(1);
    let hi = below.inverse_cdf(1.0 - tail) + 1;
    let at = |rank: u64| sorted.get(rank.saturating_sub(1) as usize).copied();
    Some(Quantile {
        value: at(((q * n as f64 - 1e-9).ceil() as u64).max(1))?,
        lo: at(lo)?,
        hi: at(hi.min(n))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `binom.ppf([0.025, 0.975], n, q)`, ranks lo = max(ppf, 1) and hi = ppf + 1.
    #[test]
    fn ranks_are_those_of_the_binomial() {
        let confidence = Confidence::new(0.95).unwrap();
        for (n, q, value, lo, hi) in [
            (6, 0.5, 3, 1, 6),
            (100, 0.5, 50, 40, 61),
            (100, 0.95, 95, 90, 100),
            (1000, 0.99, 990, 983, 997),
        ] {
            let values: Vec<u64> = (1..=n).collect();
            let found = quantile(&values, q, confidence).unwrap();
            assert_eq!((found.value, found.lo, found.hi), (value, lo, hi), "{n} {q}");
        }
    }

    #[test]
    fn too_few_values_have_no_quantile() {
        let confidence = Confidence::new(0.95).unwrap();
        for (q, enough) in [(0.5, 6), (0.95, 72), (0.99, 368)] {
            let values: Vec<usize> = (0..enough).collect();
            assert!(quantile(&values, q, confidence).is_some(), "{q}");
            assert!(quantile(&values[1..], q, confidence).is_none(), "{q}");
        }
        assert_eq!(quantile(&[1.0; 1000], 1.0, confidence), None);
        assert_eq!(quantile::<u8>(&[], 0.5, confidence), None);
    }
}
