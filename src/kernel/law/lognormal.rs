//! The lognormal law: a median times the exponential of a normal, optionally above a floor.

use super::{Law, LawError, Tail, nonnegative, normal, positive};

/// A lognormal law above a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lognormal {
    median: f64,
    sigma: f64,
    shift: f64,
}

impl Lognormal {
    /// The lognormal law of the given median, `sigma` the standard deviation of the logarithm, `shift` (0 for none)
    /// added to every value.
    ///
    /// # Errors
    /// If `median` or `sigma` is not above 0 or `shift` is below 0; if any is infinite or NaN.
    pub fn new(median: f64, sigma: f64, shift: f64) -> Result<Lognormal, LawError> {
        let (median, sigma) = (positive("median", median)?, positive("sigma", sigma)?);
        Ok(Lognormal {
            median,
            sigma,
            shift: nonnegative("shift", shift)?,
        })
    }

    /// How many standard deviations the logarithm of `x` lies above its mean.
    fn score(&self, x: f64) -> f64 {
        libm::log((x - self.shift).max(0.0) / self.median) / self.sigma
    }
}

impl Law for Lognormal {
    fn quantile(&self, at: Tail) -> f64 {
        self.shift + self.median * libm::exp(self.sigma * normal::quantile(at))
    }

    fn cdf(&self, x: f64) -> f64 {
        normal::sf(-self.score(x))
    }

    fn sf(&self, x: f64) -> f64 {
        normal::sf(self.score(x))
    }

    fn mean(&self) -> f64 {
        self.shift + self.median * libm::exp(self.sigma * self.sigma / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &Lognormal::new(0.8, 1.2, 0.1).unwrap(),
            1e-9,
            check::Oracle {
                mean: 1.7435465685151104,
                masses: [
                    (0.2, 0.04155957087040847, 0.9584404291295915),
                    (1.0, 0.5390944119106784, 0.46090558808932164),
                    (40.0, 0.9994388659543856, 0.0005611340456144068),
                ],
                quantiles: [
                    0.10266579561980808,
                    0.14905755883457622,
                    0.9,
                    5.858521749323941,
                    13.145899861387354,
                    32.72683848504481,
                    1068.8284611041154,
                ],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        check::pins(
            &Lognormal::new(0.8, 1.2, 0.1).unwrap(),
            [
                0x3fb9_a386_2033_80b9,
                0x3fd4_d3dd_648b_38bd,
                0x3ff3_f438_a1d6_4cb1,
                0x40b0_828e_1cfc_04dc,
            ],
        );
    }

    #[test]
    fn samples_of_rand_distr_fit() {
        let theirs = rand_distr::LogNormal::new(0.0, 1.2).unwrap();
        check::fits(&Lognormal::new(1.0, 1.2, 0.0).unwrap(), theirs);
    }
}
