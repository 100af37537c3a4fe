//! The Pareto law (type I): a power-law upper tail above a least value.

use super::{Law, LawError, Tail, positive};

/// P(X > x) = (min / x)^alpha for x >= min.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pareto {
    min: f64,
    alpha: f64,
}

impl Pareto {
    /// The Pareto law with least value `min` and tail index `alpha`; its mean is infinite for `alpha` up to 1.
    ///
    /// # Errors
    /// If either is not above 0, or is infinite or NaN.
    pub fn new(min: f64, alpha: f64) -> Result<Pareto, LawError> {
        Ok(Pareto {
            min: positive("min", min)?,
            alpha: positive("alpha", alpha)?,
        })
    }

    /// -ln P(X > x).
    fn hazard(&self, x: f64) -> f64 {
        self.alpha * libm::log(x.max(self.min) / self.min)
    }
}

impl Law for Pareto {
    fn quantile(&self, at: Tail) -> f64 {
        self.min * libm::exp(at.hazard() / self.alpha)
    }

    fn cdf(&self, x: f64) -> f64 {
        -libm::expm1(-self.hazard(x))
    }

    fn sf(&self, x: f64) -> f64 {
        libm::exp(-self.hazard(x))
    }

    fn mean(&self) -> f64 {
        if self.alpha > 1.0 {
            self.min * self.alpha / (self.alpha - 1.0)
        } else {
            f64::INFINITY
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &Pareto::new(2.0, 1.5).unwrap(),
            1e-9,
            check::Oracle {
                mean: 6.0,
                masses: [
                    (2.01, 0.007453396907827758, 0.9925466030921722),
                    (5.0, 0.7470177871865297, 0.25298221281347033),
                    (1000000.0, 0.9999999971715728, 2.8284271247461902e-09),
                ],
                quantiles: [
                    2.0000013333344446,
                    2.0134454412375686,
                    3.1748021039363987,
                    14.736125994561544,
                    43.088693800637664,
                    199.99999999999994,
                    1999999.9999999984,
                ],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        check::pins(
            &Pareto::new(2.0, 1.5).unwrap(),
            [
                0x4000_0000_0000_0555,
                0x4001_c508_2e6f_076b,
                0x400e_649f_cc7e_3784,
                0x41b4_28a2_f98d_727e,
            ],
        );
    }

    #[test]
    fn a_heavy_tail_has_no_mean() {
        assert_eq!(Pareto::new(1.0, 1.0).unwrap().mean(), f64::INFINITY);
    }
}
