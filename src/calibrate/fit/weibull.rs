//! The Weibull law by maximum likelihood: shape and scale.
//!
//! The scale has a closed form given the shape k, and k solves Σx^k ln x / Σx^k − 1/k = mean of ln x, with the sums
//! over all values and bounds, the mean over the uncensored values (Cohen, Technometrics 7, 1965). The left side rises
//! with k, so Newton's method kept between bounds finds the only root.

use super::sample::Sample;

/// Shape and scale; `None` if all values are equal or none is uncensored.
pub(super) fn fit(sample: &Sample) -> Option<(f64, f64)> {
    if sample.seen().len() < 2 || sample.is_constant() {
        return None;
    }
    let largest = sample
        .seen()
        .last()
        .into_iter()
        .chain(sample.beyond().last())
        .copied()
        .fold(0.0, f64::max);
    // Relative to the largest, so that no power overflows.
    let logs = |values: &[f64]| -> Vec<f64> { values.iter().map(|x| libm::log(*x / largest)).collect() };
    let (seen, beyond) = (logs(sample.seen()), logs(sample.beyond()));
    let d = seen.len() as f64;
    let mean = seen.iter().sum::<f64>() / d;
    let sums = |k: f64| {
        seen.iter().chain(&beyond).fold((0.0, 0.0, 0.0), |(s, s1, s2), y| {
            let w = libm::exp(k * y);
            (s + w, s1 + w * y, s2 + w * y * y)
        })
    };
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let spread = (seen.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / d).sqrt();
    // π/√6 over the spread of the logarithms: the method of moments.
    let mut k = 1.28 / spread.max(1e-6);
    for _ in 0..200 {
        let (s, s1, s2) = sums(k);
        let ratio = s1 / s;
        let error = ratio - 1.0 / k - mean;
        if error > 0.0 {
            high = k;
        } else {
            low = k;
        }
        let slope = s2 / s - ratio * ratio + 1.0 / (k * k);
        let mut next = k - error / slope;
        if !(next > low && next < high) {
            next = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * k };
        }
        let moved = (next / k - 1.0).abs();
        k = next;
        if moved < 1e-13 {
            break;
        }
    }
    let (s, _, _) = sums(k);
    let scale = largest * libm::exp(libm::log(s / d) / k);
    (k.is_finite() && scale.is_finite()).then_some((k, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With shape 1 the scale is the exponential's: total time over events, the bounds' time included.
    #[test]
    fn the_scale_is_total_time_over_events() {
        let sample = Sample::new(vec![1.0, 2.0, 4.0, 8.0], vec![5.0, 9.0]);
        let (k, scale) = fit(&sample).unwrap();
        let total: f64 = sample
            .seen()
            .iter()
            .chain(sample.beyond())
            .map(|x| libm::pow(*x, k))
            .sum();
        assert!((libm::pow(scale, k) / (total / 4.0) - 1.0).abs() < 1e-12, "{k} {scale}");
    }
}
