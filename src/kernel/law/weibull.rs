//! The Weibull law: an exponential raised to a power, so that the hazard grows (shape > 1) or fades (shape < 1) with
//! age; optionally above a floor.

use super::{Law, LawError, Tail, nonnegative, positive};

/// A Weibull law above a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weibull {
    scale: f64,
    shape: f64,
    shift: f64,
}

impl Weibull {
    /// The Weibull law of the given scale (its quantile at 1 - 1/e) and shape, `shift` (0 for none) added to every
    /// value.
    ///
    /// # Errors
    /// If `scale` or `shape` is not above 0 or `shift` is below 0; if any is infinite or NaN.
    pub fn new(scale: f64, shape: f64, shift: f64) -> Result<Weibull, LawError> {
        let (scale, shape) = (positive("scale", scale)?, positive("shape", shape)?);
        Ok(Weibull {
            scale,
            shape,
            shift: nonnegative("shift", shift)?,
        })
    }

    /// -ln P(X > x).
    fn hazard(&self, x: f64) -> f64 {
        libm::pow((x - self.shift).max(0.0) / self.scale, self.shape)
    }
}

impl Law for Weibull {
    fn quantile(&self, at: Tail) -> f64 {
        self.shift + self.scale * libm::pow(at.hazard(), 1.0 / self.shape)
    }

    fn cdf(&self, x: f64) -> f64 {
        -libm::expm1(-self.hazard(x))
    }

    fn sf(&self, x: f64) -> f64 {
        libm::exp(-self.hazard(x))
    }

    fn mean(&self) -> f64 {
        self.shift + self.scale * libm::tgamma(1.0 + 1.0 / self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &Weibull::new(3.0, 0.7, 0.25).unwrap(),
            1e-9,
            check::Oracle {
                mean: 4.047470518171851,
                masses: [
                    (0.3, 0.05533397961740498, 0.9446660203825951),
                    (3.0, 0.609727409288938, 0.39027259071106196),
                    (100.0, 0.9999910269514153, 8.973048584726218e-06),
                ],
                quantiles: [
                    0.25000000804809314,
                    0.25419849368743735,
                    2.027170338856401,
                    14.632680185168962,
                    26.833679328217578,
                    47.69320621882768,
                    228.1665296250381,
                ],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        check::pins(
            &Weibull::new(3.0, 0.7, 0.25).unwrap(),
            [
                0x3fd0_0000_0000_0000,
                0x3fdd_ad57_1c86_0cb9,
                0x4008_b8f9_241f_52b0,
                0x4076_61aa_622e_777a,
            ],
        );
    }

    #[test]
    fn samples_of_rand_distr_fit() {
        let theirs = rand_distr::Weibull::new(3.0, 0.7).unwrap();
        check::fits(&Weibull::new(3.0, 0.7, 0.0).unwrap(), theirs);
    }
}
