//! A lognormal body and a Pareto tail by maximum likelihood.
//!
//! The density is w · lognormal + (1 − w) · Pareto above `min`, from which the law `mixture` of the two draws. The
//! start of the tail is not a regular parameter (the density jumps there, and the likelihood is highest exactly at a
//! value of the sample), so it is profiled over the sample's own values between its 50th and 98th percentile: first a
//! coarse grid, then the neighbours of the best (as Clauset, Shalizi and Newman choose x_min by trying the values of
//! the sample, SIAM Review 51, 2009, though by likelihood and not by distance). The other parameters are optimised by
//! BFGS.

use super::optimum::{Peak, climb};
use super::sample::Sample;
use super::special::{hazard, log_above, log_phi};

/// A lognormal body with a Pareto tail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tailed {
    /// Weight of the body, from 0 to 1.
    pub weight: f64,
    /// Mean of the body's logarithm.
    pub mu: f64,
    /// Standard deviation of the body's logarithm.
    pub sigma: f64,
    /// The value at which the tail begins.
    pub min: f64,
    /// The exponent of the tail.
    pub alpha: f64,
}

/// Shares of the sample below the tail that are tried first.
const BEGINNINGS: [f64; 9] = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98];

/// The law of greatest likelihood; `None` if there is no recognisable tail. With `start`, the start of its tail is kept
/// and the rest is optimised from there.
pub(super) fn fit(sample: &Sample, start: Option<&Tailed>) -> Option<Tailed> {
    if let Some(start) = start {
        return above(sample, start.min, Some(start)).map(|peak| unpack(&peak.at, start.min));
    }
    let seen = sample.seen();
    let rank = |share: f64| ((share * seen.len() as f64) as usize).min(seen.len().saturating_sub(5));
    let tried = |i: usize| above(sample, *seen.get(i)?, None).map(|peak| (i, peak));
    let mut best = BEGINNINGS
        .iter()
        .filter_map(|share| tried(rank(*share)))
        .max_by(|a, b| a.1.value.total_cmp(&b.1.value))?;
    let mut stride = (seen.len() / 20).max(1);
    loop {
        let beside = [best.0.saturating_sub(stride).max(seen.len() / 2), best.0 + stride];
        let better = beside
            .into_iter()
            .filter(|i| *i != best.0 && *i + 5 <= seen.len())
            .filter_map(tried)
            .max_by(|a, b| a.1.value.total_cmp(&b.1.value));
        match better {
            Some(found) if found.1.value > best.1.value => best = found,
            _ if stride == 1 => break,
            _ => stride = (stride / 2).max(1),
        }
    }
    Some(unpack(&best.1.at, seen[best.0]))
}

/// The law of greatest likelihood with the tail from `min` on.
fn above(sample: &Sample, min: f64, start: Option<&Tailed>) -> Option<Peak<4>> {
    let logs = |values: &[f64]| -> Vec<f64> { values.iter().map(|x| libm::log(*x / min)).collect() };
    let (seen, beyond) = (logs(sample.seen()), logs(sample.beyond()));
    let start = match start {
        Some(tailed) => pack(tailed),
        None => {
            let body: Vec<f64> = seen.iter().copied().filter(|y| *y < 0.0).collect();
            let over: f64 = seen.iter().copied().filter(|y| *y >= 0.0).sum();
            let (n, many) = (body.len() as f64, (seen.len() - body.len()) as f64);
            let mu = body.iter().sum::<f64>() / n;
            let sigma = (body.iter().map(|y| (y - mu) * (y - mu)).sum::<f64>() / n).sqrt();
            let ok = body.len() >= 5 && many >= 5.0 && sigma > 0.0 && over > 0.0;
            if !ok {
                return None;
            }
            let weight: f64 = n / (n + many);
            [
                libm::log(weight / (1.0 - weight)),
                mu,
                libm::log(sigma),
                libm::log(many / over),
            ]
        }
    };
    let peak = climb(start, |at| value_and_slope(at, &seen, &beyond));
    // From the density of ln X to that of X, and from multiples of `min` to the sample's unit: a constant for every
    // tail.
    peak.value.is_finite().then_some(peak)
}

/// Logit of the weight, μ over `min`, ln σ, ln α: all relative to the start of the tail.
fn pack(t: &Tailed) -> [f64; 4] {
    let odds = libm::log(t.weight / (1.0 - t.weight));
    [odds, t.mu - libm::log(t.min), libm::log(t.sigma), libm::log(t.alpha)]
}

fn unpack(at: &[f64; 4], min: f64) -> Tailed {
    Tailed {
        weight: 1.0 / (1.0 + libm::exp(-at[0])),
        mu: at[1] + libm::log(min),
        sigma: libm::exp(at[2]),
        min,
        alpha: libm::exp(at[3]),
    }
}

/// The log-likelihood of ln(x / min) and its gradient.
fn value_and_slope(at: &[f64; 4], seen: &[f64], beyond: &[f64]) -> (f64, [f64; 4]) {
    let (weight, mu, sigma, alpha) = (
        1.0 / (1.0 + libm::exp(-at[0])),
        at[1],
        libm::exp(at[2]),
        libm::exp(at[3]),
    );
    // Tails of almost no weight and bodies of almost none belong to another family.
    if !(weight > 1e-6 && weight < 1.0 - 1e-6 && sigma > 1e-6 && sigma < 1e3 && alpha > 1e-3 && alpha < 1e3) {
        return (f64::NEG_INFINITY, [0.0; 4]);
    }
    let (lw, lv) = (libm::log(weight), libm::log1p(-weight));
    let (mut value, mut slope) = (0.0, [0.0; 4]);
    let mut add = |body: f64, tail: Option<f64>, of_body: [f64; 2], of_tail: f64| {
        let a = lw + body;
        let b = tail.map_or(f64::NEG_INFINITY, |t| lv + t);
        let top = a.max(b);
        let sum = libm::exp(a - top) + libm::exp(b - top);
        value += top + libm::log(sum);
        let share = libm::exp(a - top) / sum;
        slope[0] += share - weight;
        slope[1] += share * of_body[0];
        slope[2] += share * of_body[1];
        slope[3] += (1.0 - share) * of_tail;
    };
    for y in seen {
        let z = (y - mu) / sigma;
        let tail = (*y >= 0.0).then(|| at[3] - alpha * y);
        add(log_phi(z) - at[2], tail, [z / sigma, z * z - 1.0], 1.0 - alpha * y);
    }
    for c in beyond {
        let z = (c - mu) / sigma;
        let h = hazard(z);
        let over = c.max(0.0);
        add(log_above(z), Some(-alpha * over), [h / sigma, h * z], -alpha * over);
    }
    (value, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_the_likelihood() {
        let (seen, beyond) = (vec![-1.5, -1.0, -0.7, 0.0, 0.4, 1.3], vec![-0.2, 0.9]);
        let at = [0.7, -1.1, -0.4, 0.3];
        let (_, slope) = value_and_slope(&at, &seen, &beyond);
        for i in 0..4 {
            let beside = |by: f64| {
                let mut there = at;
                there[i] += by;
                value_and_slope(&there, &seen, &beyond).0
            };
            let measured = (beside(1e-5) - beside(-1e-5)) / 2e-5;
            assert!((slope[i] - measured).abs() < 1e-7, "{i}: {} {measured}", slope[i]);
        }
    }
}
