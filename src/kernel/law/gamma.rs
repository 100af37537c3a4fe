//! The gamma law: sums of exponentials (shape 1 is one of them), optionally above a floor.
//!
//! The distribution function is the regularised incomplete gamma function, by its power series below `shape + 1` and
//! its continued fraction above (Numerical Recipes, 6.2). Quantiles come from Newton's method on the logarithm of the
//! tail mass as a function of y = ln x. The density of ln X is log-concave, so both log tails are concave in y, and a
//! start on the far side of the root closes in from that side without ever overshooting. Shapes outside 0.01 to 1e5
//! are left out: the series would be too long, or the values all zero.

use super::{Law, LawError, Tail, nonnegative, positive};

/// A gamma law above a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gamma {
    shape: f64,
    scale: f64,
    shift: f64,
    /// ln Γ(shape + 1).
    log_factorial: f64,
}

const LEAST_SHAPE: f64 = 0.01;
const MOST_SHAPE: f64 = 1e5;

/// More than Newton's method takes for any legal shape; a bound, not a tuning knob.
const MOST_STEPS: usize = 100;

impl Gamma {
    /// The gamma law of the given mean and shape (1 / squared coefficient of variation), `shift` (0 for none) added to
    /// every value, hence to the mean.
    ///
    /// # Errors
    /// If `mean` is not above 0, `shape` not within 0.01 to 1e5, or `shift` below 0; if any is infinite or NaN.
    pub fn new(mean: f64, shape: f64, shift: f64) -> Result<Gamma, LawError> {
        let (mean, shift) = (positive("mean", mean)?, nonnegative("shift", shift)?);
        if !(LEAST_SHAPE..=MOST_SHAPE).contains(&shape) {
            return Err(LawError::OutOfRange {
                name: "shape",
                value: shape,
                least: LEAST_SHAPE,
                most: MOST_SHAPE,
            });
        }
        Ok(Gamma {
            shape,
            scale: positive("mean / shape", mean / shape)?,
            shift,
            log_factorial: libm::lgamma(shape + 1.0),
        })
    }

    /// `x` without floor and scale.
    fn standard(&self, x: f64) -> f64 {
        (x - self.shift).max(0.0) / self.scale
    }

    /// ln of x^shape e^-x / Γ(shape + 1), at y = ln x.
    fn log_weight(&self, y: f64) -> f64 {
        self.shape * y - libm::exp(y) - self.log_factorial
    }

    /// P(X <= x) over the weight: 1 + x/(k+1) + x²/((k+1)(k+2)) + …
    fn series(&self, x: f64) -> f64 {
        let (mut sum, mut term, mut k) = (1.0, 1.0, self.shape);
        while term > sum * f64::EPSILON / 4.0 {
            k += 1.0;
            term *= x / k;
            sum += term;
        }
        sum
    }

    /// P(X > x) over the weight times the shape, for x >= shape + 1: the continued fraction
    /// 1/(x+1-k- 1(1-k)/(x+3-k- 2(2-k)/(x+5-k- …))), by Lentz's method.
    fn fraction(&self, x: f64) -> f64 {
        let mut b = x + 1.0 - self.shape;
        let mut d = 1.0 / b;
        let mut c = f64::INFINITY;
        let (mut h, mut n) = (d, 0.0);
        loop {
            n += 1.0;
            let a = n * (self.shape - n);
            b += 2.0;
            d = 1.0 / (b + a * d);
            c = b + a / c;
            let factor = c * d;
            h *= factor;
            if (factor - 1.0).abs() <= f64::EPSILON || n > MOST_SHAPE {
                return h;
            }
        }
    }

    /// P and Q of the standard law: the masses below and above `x`.
    fn masses(&self, x: f64) -> (f64, f64) {
        if x <= 0.0 {
            return (0.0, 1.0);
        }
        if x == f64::INFINITY {
            return (1.0, 0.0);
        }
        let weight = libm::exp(self.log_weight(libm::log(x)));
        if x < self.shape + 1.0 {
            let below = (weight * self.series(x)).min(1.0);
            (below, 1.0 - below)
        } else {
            let above = (weight * self.shape * self.fraction(x)).min(1.0);
            (1.0 - above, above)
        }
    }

    /// ln x of the standard law's lower quantile. The start, from P(X <= x) <= x^k / Γ(k+1), is left of the root.
    fn log_lower(&self, p: f64) -> f64 {
        let log_p = libm::log(p);
        climb((log_p + self.log_factorial) / self.shape, |y| {
            let series = self.series(libm::exp(y));
            (log_p - self.log_weight(y) - libm::log(series)) * series / self.shape
        })
    }

    /// ln x of the standard law's upper quantile. The start, the sub-gamma tail bound P(X > k + sqrt(2kt) + t) <= e^-t
    /// (Boucheron, Lugosi and Massart, Concentration Inequalities, 2.4), is right of the root.
    fn log_upper(&self, p: f64) -> f64 {
        let log_p = libm::log(p);
        let start = self.shape - log_p + (-2.0 * self.shape * log_p).sqrt();
        climb(libm::log(start), |y| {
            let x = libm::exp(y);
            let log_density = self.log_weight(y) + libm::log(self.shape);
            if x < self.shape + 1.0 {
                let above = self.masses(x).1;
                (libm::log(above) - log_p) * above / libm::exp(log_density)
            } else {
                let fraction = self.fraction(x);
                (log_density + libm::log(fraction) - log_p) * fraction
            }
        })
    }
}

impl Law for Gamma {
    fn quantile(&self, at: Tail) -> f64 {
        let y = match at {
            Tail::Lower(p) => self.log_lower(p),
            Tail::Upper(p) => self.log_upper(p),
        };
        self.shift + self.scale * libm::exp(y)
    }

    fn cdf(&self, x: f64) -> f64 {
        self.masses(self.standard(x)).0
    }

    fn sf(&self, x: f64) -> f64 {
        self.masses(self.standard(x)).1
    }

    fn mean(&self) -> f64 {
        self.shift + self.scale * self.shape
    }
}

/// Newton's method from `y`, by `step`, until a step is so small that the next one would be lost in rounding.
fn climb(mut y: f64, step: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..MOST_STEPS {
        let change = step(y);
        y += change;
        if change.abs() <= 1e-10 || change.is_nan() {
            break;
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &Gamma::new(3.0, 2.5, 0.2).unwrap(),
            1e-8,
            check::Oracle {
                mean: 3.2,
                masses: [
                    (0.3, 0.0005684450625157717, 0.9994315549374843),
                    (3.0, 0.5421017727545988, 0.4578982272454012),
                    (30.0, 0.9999999983785788, 1.6214212003933433e-09),
                ],
                quantiles: [
                    0.20773769612389825,
                    0.5325788460369664,
                    2.810876114657316,
                    6.842298616109813,
                    9.251763481633393,
                    12.509003391459725,
                    30.615316220925816,
                ],
            },
        );
    }

    #[test]
    fn agrees_with_scipy_at_the_smallest_shapes() {
        check::agrees(
            &Gamma::new(1.0, 0.05, 0.0).unwrap(),
            1e-8,
            check::Oracle {
                mean: 1.0,
                masses: [
                    (1e-30, 0.02796473069952338, 0.9720352693004766),
                    (0.5, 0.8531887338043609, 0.14681126619563892),
                    (100.0, 0.999935596633657, 6.440336634295498e-05),
                ],
                quantiles: [
                    1.1689264114573103e-119,
                    1.1689264114573157e-39,
                    1.1147756881492512e-05,
                    5.318646048516824,
                    21.752548001836182,
                    54.72917197457355,
                    302.334801603536,
                ],
            },
        );
    }

    #[test]
    fn agrees_with_scipy_at_large_shapes() {
        check::agrees(
            &Gamma::new(1.0, 1000.0, 0.0).unwrap(),
            1e-8,
            check::Oracle {
                mean: 1.0,
                masses: [
                    (0.8, 5.501419776179194e-12, 0.9999999999944986),
                    (1.001, 0.5168114529297848, 0.4831885470702152),
                    (1.2, 0.9999999987118394, 1.288160608628143e-09),
                ],
                quantiles: [
                    0.8568146512793919,
                    0.9279081597966425,
                    0.9996666864269652,
                    1.0525771180823207,
                    1.075032832086435,
                    1.1005780982933144,
                    1.2014728729476594,
                ],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        check::pins(
            &Gamma::new(3.0, 2.5, 0.2).unwrap(),
            [
                0x3fc9_9a55_cbf5_01d0,
                0x3ff6_0892_32c8_f416,
                0x400a_f93c_e3e7_2b8f,
                0x4044_2a8b_7ec7_8421,
            ],
        );
    }

    #[test]
    fn samples_of_rand_distr_fit() {
        check::fits(
            &Gamma::new(0.3, 0.3, 0.0).unwrap(),
            rand_distr::Gamma::new(0.3, 1.0).unwrap(),
        );
    }

    /// The quantile inverts the distribution function over the whole legal range of shapes and masses.
    #[test]
    fn quantiles_invert_for_every_legal_shape() {
        for shape in [0.01, 0.05, 0.3, 0.999, 1.0, 1.001, 4.0, 60.0, 1e3, 1e5] {
            let law = Gamma::new(shape, shape, 0.0).unwrap();
            for p in [0.5, 0.3, 0.1, 1e-3, 1e-9, 1e-19] {
                let (low, high) = (law.quantile(Tail::Lower(p)), law.quantile(Tail::Upper(p)));
                assert!(
                    low == 0.0 || (law.cdf(low) / p - 1.0).abs() < 1e-8,
                    "shape {shape} lower {p}: {low}"
                );
                assert!((law.sf(high) / p - 1.0).abs() < 1e-8, "shape {shape} upper {p}: {high}");
            }
        }
    }
}
