//! A mixture of two lognormals by maximum likelihood: a body, and a mode that a few values fall into.
//!
//! The likelihood of a mixture has several maxima, and is unbounded where one part closes in on a single value. So the
//! search starts from several splits of the sample, always the same; each is improved by some steps of EM (Dempster,
//! Laird and Rubin, JRSS B 39, 1977) and the best then by BFGS, whose gradient comes from the same responsibilities;
//! and no part may be narrower than a hundredth of the whole (Hathaway, Annals of Statistics 13, 1985). A
//! right-censored value contributes the mass above its bound.

use super::optimum::climb;
use super::sample::Sample;
use super::special::{hazard, log_above, log_phi};
use crate::stats::sorting;

/// A mixture of two lognormals, that of the smaller median first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Two {
    /// Weight of the first lognormal, from 0 to 1.
    pub weight: f64,
    /// Mean of the logarithm in each lognormal.
    pub mu: [f64; 2],
    /// Standard deviation of the logarithm in each lognormal.
    pub sigma: [f64; 2],
}

/// Shares of the sample at which it is split for a start.
const SPLITS: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.9, 0.97];

/// Steps of EM for each start.
const EM_STEPS: usize = 25;

/// The least σ of a part, relative to that of the whole.
const NARROWEST: f64 = 0.01;

/// The sample's logarithms, centred and scaled.
struct Logs {
    seen: Vec<f64>,
    beyond: Vec<f64>,
}

/// The maximum-likelihood mixture; `None` if all values are equal. With `start`, only the maximum uphill from there.
pub(super) fn fit(sample: &Sample, start: Option<&Two>) -> Option<Two> {
    let (mu, sigma) = super::lognormal::fit(sample)?;
    let scaled = |values: &[f64]| -> Vec<f64> { values.iter().map(|x| (libm::log(*x) - mu) / sigma).collect() };
    let logs = Logs {
        seen: scaled(sample.seen()),
        beyond: scaled(sample.beyond()),
    };
    let starts: Vec<Two> = match start {
        Some(two) => vec![Two {
            weight: two.weight,
            mu: two.mu.map(|m| (m - mu) / sigma),
            sigma: two.sigma.map(|s| s / sigma),
        }],
        None => {
            let splits = SPLITS.iter().filter_map(|share| split(&logs.seen, *share));
            // One more start has one mode inside the other: the same middle, different widths.
            let nested = Two {
                weight: 0.8,
                mu: [0.0, 0.0],
                sigma: [0.5, 2.0],
            };
            splits.chain([nested]).collect()
        }
    };
    let alone = start.is_some();
    let advanced = starts.into_iter().map(|two| if alone { two } else { em(&logs, two) });
    let mut advanced: Vec<(f64, Two)> = advanced.map(|two| (logs.value_and_slope(&pack(&two)).0, two)).collect();
    sorting::by(&mut advanced, |a, b| b.0.total_cmp(&a.0));
    let best = advanced
        .iter()
        .take(3)
        .map(|(_, two)| climb(pack(two), |at| logs.value_and_slope(at)))
        .filter(|peak| peak.value.is_finite())
        .max_by(|a, b| a.value.total_cmp(&b.value))?;
    let mut two = unpack(&best.at);
    two.mu = two.mu.map(|m| mu + sigma * m);
    two.sigma = two.sigma.map(|s| sigma * s);
    // The part of the smaller median comes first.
    if two.mu[0] > two.mu[1] {
        two = Two {
            weight: 1.0 - two.weight,
            mu: [two.mu[1], two.mu[0]],
            sigma: [two.sigma[1], two.sigma[0]],
        };
    }
    Some(two)
}

/// The two sides of a share of the sample, each as a normal.
fn split(seen: &[f64], share: f64) -> Option<Two> {
    let place = ((share * seen.len() as f64) as usize).clamp(2, seen.len().checked_sub(2)?);
    let moments = |part: &[f64]| {
        let n = part.len() as f64;
        let mean = part.iter().sum::<f64>() / n;
        let spread = (part.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n).sqrt();
        (mean, spread.max(0.05))
    };
    let (low, high) = (moments(seen.get(..place)?), moments(seen.get(place..)?));
    Some(Two {
        weight: share,
        mu: [low.0, high.0],
        sigma: [low.1, high.1],
    })
}

/// Performs some steps of EM.
fn em(logs: &Logs, mut two: Two) -> Two {
    for _ in 0..EM_STEPS {
        let mut sums = [[0.0f64; 3]; 2];
        for y in &logs.seen {
            let shares = two.shares(log_density_of(*y, &two));
            for (sum, share) in sums.iter_mut().zip(shares) {
                *sum = [sum[0] + share, sum[1] + share * y, sum[2] + share * y * y];
            }
        }
        for c in &logs.beyond {
            let shares = two.shares(log_above_of(*c, &two));
            for (j, (sum, share)) in sums.iter_mut().zip(shares).enumerate() {
                // Moments of a normal above the bound.
                let z = (c - two.mu[j]) / two.sigma[j];
                let h = hazard(z);
                let mean = two.mu[j] + two.sigma[j] * h;
                let square = two.mu[j] * two.mu[j]
                    + two.sigma[j] * two.sigma[j] * (1.0 + z * h)
                    + 2.0 * two.mu[j] * two.sigma[j] * h;
                *sum = [sum[0] + share, sum[1] + share * mean, sum[2] + share * square];
            }
        }
        let n = sums[0][0] + sums[1][0];
        for (j, [w, s, q]) in sums.into_iter().enumerate() {
            if w > 1e-9 {
                two.mu[j] = s / w;
                two.sigma[j] = (q / w - two.mu[j] * two.mu[j]).max(NARROWEST * NARROWEST).sqrt();
            }
        }
        two.weight = (sums[0][0] / n).clamp(1e-6, 1.0 - 1e-6);
    }
    two
}

/// ln of each part's density at `y`.
fn log_density_of(y: f64, two: &Two) -> [f64; 2] {
    std::array::from_fn(|j| log_phi((y - two.mu[j]) / two.sigma[j]) - libm::log(two.sigma[j]))
}

/// ln of each part's mass above `c`.
fn log_above_of(c: f64, two: &Two) -> [f64; 2] {
    std::array::from_fn(|j| log_above((c - two.mu[j]) / two.sigma[j]))
}

impl Two {
    /// ln of the weighted sum of two terms that are given as logarithms.
    fn log_sum(&self, terms: [f64; 2]) -> f64 {
        let (a, b) = (libm::log(self.weight) + terms[0], libm::log1p(-self.weight) + terms[1]);
        let top = a.max(b);
        top + libm::log(libm::exp(a - top) + libm::exp(b - top))
    }

    /// The share of each part in the sum.
    fn shares(&self, terms: [f64; 2]) -> [f64; 2] {
        let odds = libm::log(self.weight) - libm::log1p(-self.weight) + terms[0] - terms[1];
        let first = 1.0 / (1.0 + libm::exp(-odds));
        [first, 1.0 - first]
    }
}

/// The logit of the weight, means, and logarithms of the excess of σ over the narrowest.
fn pack(two: &Two) -> [f64; 5] {
    let wide = |s: f64| libm::log((s - NARROWEST).max(1e-9));
    let odds = two.weight.clamp(1e-9, 1.0 - 1e-9);
    [
        libm::log(odds / (1.0 - odds)),
        two.mu[0],
        two.mu[1],
        wide(two.sigma[0]),
        wide(two.sigma[1]),
    ]
}

fn unpack(at: &[f64; 5]) -> Two {
    Two {
        weight: 1.0 / (1.0 + libm::exp(-at[0])),
        mu: [at[1], at[2]],
        sigma: [NARROWEST + libm::exp(at[3]), NARROWEST + libm::exp(at[4])],
    }
}

impl Logs {
    /// The log-likelihood and its gradient, by Fisher's identity: responsibilities times the slope of each part.
    fn value_and_slope(&self, at: &[f64; 5]) -> (f64, [f64; 5]) {
        let two = unpack(at);
        if !(two.weight > 1e-12 && two.weight < 1.0 - 1e-12) || two.sigma.iter().any(|s| !s.is_finite()) {
            return (f64::NEG_INFINITY, [0.0; 5]);
        }
        let (mut value, mut slope) = (0.0, [0.0; 5]);
        for y in &self.seen {
            let terms = log_density_of(*y, &two);
            value += two.log_sum(terms);
            let shares = two.shares(terms);
            slope[0] += shares[0] - two.weight;
            for j in 0..2 {
                let z = (y - two.mu[j]) / two.sigma[j];
                slope[1 + j] += shares[j] * z / two.sigma[j];
                slope[3 + j] += shares[j] * (z * z - 1.0) * (two.sigma[j] - NARROWEST) / two.sigma[j];
            }
        }
        for c in &self.beyond {
            let terms = log_above_of(*c, &two);
            value += two.log_sum(terms);
            let shares = two.shares(terms);
            slope[0] += shares[0] - two.weight;
            for j in 0..2 {
                let z = (c - two.mu[j]) / two.sigma[j];
                let h = hazard(z);
                slope[1 + j] += shares[j] * h / two.sigma[j];
                slope[3 + j] += shares[j] * h * z * (two.sigma[j] - NARROWEST) / two.sigma[j];
            }
        }
        (value, slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_the_likelihood() {
        let logs = Logs {
            seen: vec![-1.0, -0.4, 0.1, 0.3, 1.9, 2.2],
            beyond: vec![0.5, 2.5],
        };
        let at = [0.4, -0.2, 1.5, -0.5, -1.0];
        let (_, slope) = logs.value_and_slope(&at);
        for i in 0..5 {
            let beside = |by: f64| {
                let mut there = at;
                there[i] += by;
                logs.value_and_slope(&there).0
            };
            let measured = (beside(1e-5) - beside(-1e-5)) / 2e-5;
            assert!((slope[i] - measured).abs() < 1e-7, "{i}: {} {measured}", slope[i]);
        }
    }
}
