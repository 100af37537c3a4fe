//! The law of a quantity that never varies: all mass on one value.

use super::{Law, LawError, Tail, nonnegative};

/// A constant: every draw has the same value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    value: f64,
}

impl Constant {
    /// The law that always gives `value`.
    ///
    /// # Errors
    /// If the value is negative, infinite or NaN.
    pub fn new(value: f64) -> Result<Constant, LawError> {
        Ok(Constant {
            value: nonnegative("value", value)?,
        })
    }
}

impl Law for Constant {
    fn quantile(&self, _: Tail) -> f64 {
        self.value
    }

    fn cdf(&self, x: f64) -> f64 {
        if x >= self.value { 1.0 } else { 0.0 }
    }

    fn sf(&self, x: f64) -> f64 {
        if x >= self.value { 0.0 } else { 1.0 }
    }

    fn mean(&self) -> f64 {
        self.value
    }

    fn atoms(&self) -> Option<Vec<(f64, f64)>> {
        Some(vec![(self.value, 1.0)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn all_mass_is_on_the_value() {
        let law = Constant::new(0.3).unwrap();
        assert_eq!(check::TAILS.map(|at| law.quantile(at)), [0.3; 7]);
        assert_eq!(
            [law.cdf(0.299), law.sf(0.299), law.cdf(0.3), law.sf(0.3)],
            [0.0, 1.0, 1.0, 0.0]
        );
        assert_eq!(law.mean(), 0.3);
    }

    #[test]
    fn draws_never_change() {
        check::pins(&Constant::new(0.3).unwrap(), [0.3_f64.to_bits(); 4]);
    }
}
