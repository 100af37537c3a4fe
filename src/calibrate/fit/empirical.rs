//! The sample itself as a law: its quantiles, joined by straight lines.
//!
//! It has no likelihood to compare and extrapolates nothing beyond the largest value, so it is not a candidate but the
//! last resort: it is taken where every family is rejected and the sample is large enough for its own p99.

use super::sample::Sample;

/// Shares at which the law has its knots, besides 0 and 1; denser towards the tail.
const SHARES: [f64; 23] = [
    0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98,
    0.99, 0.995, 0.999,
];

/// Knots from share 0 to share 1; `None` if the largest value is unknown because it is censored.
pub(super) fn knots(sample: &Sample) -> Option<Vec<(f64, f64)>> {
    let (least, most) = (sample.least(), *sample.seen().last()?);
    if sample.beyond().last().is_some_and(|bound| *bound >= most) {
        return None;
    }
    let curve = sample.curve();
    let n = sample.seen().len() as f64;
    let inner = SHARES
        .iter()
        // At most one knot for every five values, so that the law does not repeat the sample's accidents.
        .filter(|share| share.min(1.0 - **share) * n >= 5.0)
        .filter_map(|share| Some((*share, curve.quantile(*share)?)));
    Some([(0.0, least)].into_iter().chain(inner).chain([(1.0, most)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_knots_are_the_samples_quantiles() {
        let sample = Sample::new((1..=100).map(f64::from).collect(), vec![]);
        let knots = knots(&sample).unwrap();
        assert_eq!((knots.first(), knots.last()), (Some(&(0.0, 1.0)), Some(&(1.0, 100.0))));
        assert!(knots.contains(&(0.05, 5.0)) && knots.contains(&(0.5, 50.0)) && knots.contains(&(0.95, 95.0)));
        assert!(!knots.iter().any(|(share, _)| *share == 0.99), "{knots:?}");
    }

    #[test]
    fn a_censored_end_is_no_end() {
        assert_eq!(knots(&Sample::new(vec![1.0, 2.0], vec![3.0])), None);
    }
}
