//! The lognormal by maximum likelihood: mean and spread of the logarithms.
//!
//! Without censoring they are the sample's own. With censoring the likelihood is a Tobit one, concave in 1/σ and μ/σ
//! (Olsen, Econometrica 46, 1978), so Newton's method from any start ends at the one maximum.

use super::sample::Sample;
use super::special::{hazard, log_above};

/// The most Newton steps; fewer than ten are needed.
const MOST_STEPS: usize = 100;

/// The μ and σ of ln X; `None` if all values are equal or none is uncensored.
pub(super) fn fit(sample: &Sample) -> Option<(f64, f64)> {
    let seen: Vec<f64> = sample.seen().iter().map(|x| libm::log(*x)).collect();
    let beyond: Vec<f64> = sample.beyond().iter().map(|x| libm::log(*x)).collect();
    fit_logs(&seen, &beyond)
}

/// The μ and σ of normal values, given a sample's logarithms.
fn fit_logs(seen: &[f64], beyond: &[f64]) -> Option<(f64, f64)> {
    let n = seen.len() as f64;
    let mu = seen.iter().sum::<f64>() / n;
    let sigma = (seen.iter().map(|y| (y - mu) * (y - mu)).sum::<f64>() / n).sqrt();
    if seen.len() < 2 || sigma.is_nan() || sigma <= 1e-12 * (1.0 + mu.abs()) {
        return None;
    }
    if beyond.is_empty() {
        return Some((mu, sigma));
    }
    // Centred and scaled by the uncensored values, so that the start is (1, 0) or near it.
    let scaled = |values: &[f64]| -> Vec<f64> { values.iter().map(|y| (y - mu) / sigma).collect() };
    let (theta, delta) = tobit(&scaled(seen), &scaled(beyond));
    Some((mu + sigma * delta / theta, sigma / theta))
}

/// 1/σ and μ/σ of normal values, some of them censored.
fn tobit(seen: &[f64], beyond: &[f64]) -> (f64, f64) {
    let d = seen.len() as f64;
    let (sum, squares) = seen.iter().fold((0.0, 0.0), |(s, q), y| (s + y, q + y * y));
    let value = |theta: f64, delta: f64| {
        let seen =
            d * libm::log(theta) - 0.5 * (theta * theta * squares - 2.0 * theta * delta * sum + d * delta * delta);
        seen + beyond.iter().map(|c| log_above(theta * c - delta)).sum::<f64>()
    };
    let (mut theta, mut delta) = (1.0, 0.0);
    let mut best = value(theta, delta);
    for _ in 0..MOST_STEPS {
        let mut slope = [d / theta - (theta * squares - delta * sum), theta * sum - d * delta];
        let mut bend = [d / (theta * theta) + squares, -sum, d];
        for c in beyond {
            let z = theta * c - delta;
            let h = hazard(z);
            let turn = h * (h - z);
            slope[0] -= h * c;
            slope[1] += h;
            bend[0] += turn * c * c;
            bend[1] -= turn * c;
            bend[2] += turn;
        }
        let determinant = bend[0] * bend[2] - bend[1] * bend[1];
        let step = [
            (bend[2] * slope[0] - bend[1] * slope[1]) / determinant,
            (bend[0] * slope[1] - bend[1] * slope[0]) / determinant,
        ];
        let mut length = 1.0;
        let next = loop {
            let (t, e) = (theta + length * step[0], delta + length * step[1]);
            if t > 0.0 {
                let v = value(t, e);
                if v >= best {
                    break Some((t, e, v));
                }
            }
            length *= 0.5;
            if length < 1e-10 {
                break None;
            }
        };
        let Some((t, e, v)) = next else { break };
        let moved = (t - theta).abs() + (e - delta).abs();
        (theta, delta, best) = (t, e, v);
        if moved < 1e-12 * (1.0 + theta + delta.abs()) {
            break;
        }
    }
    (theta, delta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_censoring_it_is_mean_and_spread_of_the_logarithms() {
        let (mu, sigma) = fit(&Sample::new([-1.0f64, 0.0, 4.0].map(libm::exp).to_vec(), vec![])).unwrap();
        assert!(
            (mu - 1.0).abs() < 1e-14 && (sigma * sigma - 14.0 / 3.0).abs() < 1e-13,
            "{mu} {sigma}"
        );
    }

    /// At the maximum the slope of the likelihood is 0: here checked on the likelihood itself, by differences.
    #[test]
    fn with_censoring_nothing_near_is_likelier() {
        let sample = Sample::new(vec![0.2, 0.5, 0.8, 1.1, 1.9], vec![1.0, 2.0, 2.0]);
        let (mu, sigma) = fit(&sample).unwrap();
        let value = |mu: f64, sigma: f64| -> f64 {
            let z = |x: &f64| (libm::log(*x) - mu) / sigma;
            let seen = sample
                .seen()
                .iter()
                .map(|x| super::super::special::log_phi(z(x)) - libm::log(sigma));
            seen.sum::<f64>() + sample.beyond().iter().map(|c| log_above(z(c))).sum::<f64>()
        };
        let best = value(mu, sigma);
        for (dm, ds) in [(1e-4, 0.0), (-1e-4, 0.0), (0.0, 1e-4), (0.0, -1e-4)] {
            assert!(value(mu + dm, sigma + ds) < best);
        }
    }
}
