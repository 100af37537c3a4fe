//! The exponential law: times between independent events of a constant rate, optionally above a floor.

use super::{Law, LawError, Tail, nonnegative, positive};

/// An exponential law above a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    mean: f64,
    shift: f64,
}

impl Exponential {
    /// The exponential law of the given mean, `shift` (0 for none) added to every value.
    ///
    /// # Errors
    /// If `mean` is not above 0 or `shift` is below 0; if either is infinite or NaN.
    pub fn new(mean: f64, shift: f64) -> Result<Exponential, LawError> {
        Ok(Exponential {
            mean: positive("mean", mean)?,
            shift: nonnegative("shift", shift)?,
        })
    }
}

impl Law for Exponential {
    fn quantile(&self, at: Tail) -> f64 {
        self.shift + self.mean * at.hazard()
    }

    fn cdf(&self, x: f64) -> f64 {
        -libm::expm1(-(x - self.shift).max(0.0) / self.mean)
    }

    fn sf(&self, x: f64) -> f64 {
        libm::exp(-(x - self.shift).max(0.0) / self.mean)
    }

    fn mean(&self) -> f64 {
        self.shift + self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &Exponential::new(2.0, 0.5).unwrap(),
            1e-9,
            check::Oracle {
                mean: 2.5,
                masses: [
                    (0.6, 0.048770575499285984, 0.951229424500714),
                    (3.0, 0.7134952031398099, 0.2865047968601901),
                    (40.0, 0.9999999973534264, 2.646573638909117e-09),
                ],
                quantiles: [
                    0.500002000001,
                    0.5201006717070029,
                    1.8862943611198906,
                    6.491464547107982,
                    9.710340371976182,
                    14.315510557964274,
                    41.94653167389282,
                ],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        check::pins(
            &Exponential::new(2.0, 0.5).unwrap(),
            [
                0x3fe0_0000_0000_2000,
                0x3fea_121a_5c65_b68b,
                0x4003_661f_af59_83d2,
                0x404c_ab45_d6b0_9a3a,
            ],
        );
    }
}
