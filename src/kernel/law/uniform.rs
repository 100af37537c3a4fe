//! The uniform law: every value of a range equally likely.

use super::{Law, LawError, Tail, nonnegative};

/// A uniform law between two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    low: f64,
    high: f64,
}

impl Uniform {
    /// The uniform law from `low` to `high`.
    ///
    /// # Errors
    /// If an end is negative, infinite or NaN, or `low` is not below `high`.
    pub fn new(low: f64, high: f64) -> Result<Uniform, LawError> {
        let (low, high) = (nonnegative("low", low)?, nonnegative("high", high)?);
        if low < high {
            Ok(Uniform { low, high })
        } else {
            Err(LawError::EmptyRange { low, high })
        }
    }
}

impl Law for Uniform {
    fn quantile(&self, at: Tail) -> f64 {
        let width = self.high - self.low;
        match at {
            Tail::Lower(p) => self.low + p * width,
            Tail::Upper(p) => self.high - p * width,
        }
    }

    fn cdf(&self, x: f64) -> f64 {
        ((x - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn sf(&self, x: f64) -> f64 {
        ((self.high - x) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn mean(&self) -> f64 {
        self.low + (self.high - self.low) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &Uniform::new(2.0, 5.0).unwrap(),
            1e-9,
            check::Oracle {
                mean: 3.5,
                masses: [
                    (2.1, 0.03333333333333336, 0.9666666666666667),
                    (3.7, 0.5666666666666668, 0.43333333333333324),
                    (4.9, 0.9666666666666668, 0.033333333333333215),
                ],
                quantiles: [2.000003, 2.03, 3.5, 4.85, 4.97, 4.997, 4.999999997],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        check::pins(
            &Uniform::new(2.0, 5.0).unwrap(),
            [
                0x4000_0000_0000_0c00,
                0x4003_7e8e_ed9f_7235,
                0x400e_d533_6963_eefc,
                0x4013_ffff_ffff_fa00,
            ],
        );
    }

    #[test]
    fn an_empty_range_fails() {
        assert_eq!(
            Uniform::new(2.0, 2.0),
            Err(LawError::EmptyRange { low: 2.0, high: 2.0 })
        );
    }
}
