//! How gaps vary: the shape of a gamma or a Weibull law of greatest likelihood, where the shortest gaps are known only to be short.
//!
//! A clock cuts times to its steps, so that a gap of a few steps is known to no digit, and one below a step may be 0. Gaps of a coefficient of
//! variation of 2.5 are below a billionth of a second one time in twenty, and a likelihood that takes such a gap at its word, or leaves it out, gets the
//! shape wrong. So gaps below [`STEPS`] steps count for P(X < that), as values censored from below (Lawless, *Statistical Models and
//! Methods for Lifetime Data*, 2003, chapter 2), and the others for the density. The mean is that of the gaps: a process is written with its rate
//! and its variation, and its likelihood is that of both.

use crate::kernel::law::{Gamma, Law};
use crate::stats::moments::Moments;

/// Steps of the clock from which on a gap is known well enough.
const STEPS: f64 = 5.0;

/// Gaps in seconds, of which the short ones are only counted.
#[derive(Clone, Debug)]
pub(super) struct Gaps {
    /// Those that are known.
    seen: Vec<f64>,
    /// How many are shorter than `bound`.
    short: f64,
    /// The least gap that is known.
    bound: f64,
    /// The mean of all.
    mean: f64,
}

/// A law of gaps with the mean that they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The gamma law.
    Gamma,
    /// The Weibull law.
    Weibull,
}

impl Gaps {
    /// Gaps that a clock with steps of `step` seconds has taken; `None` where fewer than two are known.
    pub(super) fn of(gaps: impl Iterator<Item = f64>, step: f64) -> Option<Gaps> {
        let bound = STEPS * step;
        let (mut all, mut seen) = (Moments::new(), Vec::new());
        for gap in gaps {
            all.add(gap);
            if gap >= bound {
                seen.push(gap);
            }
        }
        let mean = all.mean().filter(|mean| *mean > 0.0)?;
        (seen.len() > 1).then(|| Gaps {
            short: (all.n() - seen.len() as u64) as f64,
            seen,
            bound,
            mean,
        })
    }

    /// What a likelihood by densities has to add to be one of these: a short gap is as likely as its density says, all over the bound.
    pub(super) fn of_densities(&self, log_likelihood: f64) -> f64 {
        log_likelihood + self.short * libm::log(self.bound)
    }

    /// The logarithm of the likelihood of an exponential law.
    pub(super) fn exponential(&self) -> f64 {
        let seen: f64 = self.seen.iter().map(|x| -x / self.mean).sum();
        seen - self.seen.len() as f64 * libm::log(self.mean) + self.below(-libm::expm1(-self.bound / self.mean))
    }

    /// The shape of greatest likelihood, and its logarithm, by golden section over that of the shape.
    pub(super) fn fit(&self, law: Shape) -> (f64, f64) {
        const GOLDEN: f64 = 0.618_033_988_749_895;
        let logs: f64 = self.seen.iter().map(|x| libm::log(*x)).sum();
        let at = |log: f64| match law {
            Shape::Gamma => self.gamma(libm::exp(log), logs),
            Shape::Weibull => self.weibull(libm::exp(log), logs),
        };
        let (lo, hi): (f64, f64) = (0.03, 1000.0);
        let (mut lo, mut hi) = (libm::log(lo), libm::log(hi));
        let (mut left, mut right) = (hi - GOLDEN * (hi - lo), lo + GOLDEN * (hi - lo));
        let (mut of_left, mut of_right) = (at(left), at(right));
        while hi - lo > 1e-4 {
            if of_left > of_right {
                (hi, right, of_right) = (right, left, of_left);
                left = hi - GOLDEN * (hi - lo);
                of_left = at(left);
            } else {
                (lo, left, of_left) = (left, right, of_right);
                right = lo + GOLDEN * (hi - lo);
                of_right = at(right);
            }
        }
        let best = f64::midpoint(lo, hi);
        (libm::exp(best), at(best))
    }

    /// That of a gamma law of this shape; `logs` are the sum of the logarithms of the gaps that are known.
    fn gamma(&self, shape: f64, logs: f64) -> f64 {
        let scale = self.mean / shape;
        let n = self.seen.len() as f64;
        let sum: f64 = self.seen.iter().sum();
        let seen = (shape - 1.0) * logs - sum / scale - n * (shape * libm::log(scale) + libm::lgamma(shape));
        let Ok(law) = Gamma::new(self.mean, shape, 0.0) else {
            return f64::NEG_INFINITY;
        };
        seen + self.below(law.cdf(self.bound))
    }

    fn weibull(&self, shape: f64, logs: f64) -> f64 {
        let scale = self.mean / libm::exp(libm::lgamma(1.0 + 1.0 / shape));
        let n = self.seen.len() as f64;
        let powers: f64 = self.seen.iter().map(|x| libm::pow(x / scale, shape)).sum();
        let seen = n * (libm::log(shape) - shape * libm::log(scale)) + (shape - 1.0) * logs - powers;
        seen + self.below(-libm::expm1(-libm::pow(self.bound / scale, shape)))
    }

    /// What the short gaps have to it, each of which is as likely as `share` says.
    fn below(&self, share: f64) -> f64 {
        if self.short > 0.0 {
            self.short * libm::log(share.max(1e-300))
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::traffic::{SECOND, draw};
    use crate::traffic::arrivals::ArrivalsSpec;

    /// The gaps of a process as a clock with steps of so many nanoseconds has them.
    fn gaps(json: &str, step: u64) -> Gaps {
        let spec: ArrivalsSpec = serde_json::from_str(json).unwrap();
        let times = draw::times(&spec, 5, 1, 3_600_000_000_000).unwrap();
        let gaps = times
            .windows(2)
            .map(|two| ((two[1] / step - two[0] / step) * step) as f64 / SECOND);
        Gaps::of(gaps, step as f64 / SECOND).unwrap()
    }

    /// By their densities alone, or without those of 0, the first has 2.29 and the third 1.82.
    #[test]
    fn a_clock_does_not_change_the_variation() {
        for (rate, cv, step) in [(20, 2.5, 1), (20, 2.5, 1000), (5, 2.0, 1_000_000), (5, 0.5, 1_000_000)] {
            let found = gaps(&format!(r#"{{ "gamma": {{ "rate": "{rate}/s", "cv": {cv} }} }}"#), step);
            let (shape, log_likelihood) = found.fit(Shape::Gamma);
            let of = 1.0 / shape.sqrt();
            assert!((of / cv - 1.0).abs() < 0.03, "{of} for {cv} by {step} ns");
            assert!(log_likelihood > found.fit(Shape::Weibull).1 && log_likelihood > found.exponential());
            let weibull = gaps(
                &format!(r#"{{ "weibull": {{ "rate": "{rate}/s", "cv": {cv} }} }}"#),
                step,
            );
            assert!(
                weibull.fit(Shape::Weibull).1 > weibull.fit(Shape::Gamma).1,
                "{cv} by {step} ns"
            );
        }
    }

    /// Of shape 1 both are the exponential law.
    #[test]
    fn of_shape_one_all_are_the_exponential() {
        let gaps = Gaps::of([0.0, 0.001, 0.4, 1.7, 0.2, 0.9].into_iter(), 0.001).unwrap();
        let logs = gaps.seen.iter().map(|x| libm::log(*x)).sum();
        for found in [gaps.gamma(1.0, logs), gaps.weibull(1.0, logs)] {
            assert!((found - gaps.exponential()).abs() < 1e-9, "{found}");
        }
    }
}
