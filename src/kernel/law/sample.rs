//! The values of a sample as they are, each as likely as the others: a law of steps.

use std::sync::Arc;

use super::{Law, LawError, Tail, nonnegative};

/// Values in order, of which each has the same mass.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    values: Arc<[f64]>,
}

impl Sample {
    /// The law of `values`, which are in order.
    ///
    /// # Errors
    /// If there are none, one is negative, infinite or NaN, or one is below the one before it.
    pub fn new(values: Arc<[f64]>) -> Result<Sample, LawError> {
        if values.is_empty() {
            return Err(LawError::NoParts);
        }
        for &value in &*values {
            nonnegative("value", value)?;
        }
        match values.windows(2).position(|pair| pair[1] < pair[0]) {
            Some(before) => Err(LawError::KnotOrder { index: before + 1 }),
            None => Ok(Sample { values }),
        }
    }

    /// The share of the `count` values of which there are so many.
    fn share(&self, count: usize) -> f64 {
        count as f64 / self.values.len() as f64
    }

    /// The number of values up to `x`.
    fn up_to(&self, x: f64) -> usize {
        self.values.partition_point(|value| *value <= x)
    }
}

impl Law for Sample {
    fn quantile(&self, at: Tail) -> f64 {
        let (count, last) = (self.values.len() as f64, self.values.len() - 1);
        let place = match at {
            Tail::Lower(p) => (libm::ceil(p * count) as usize).saturating_sub(1),
            Tail::Upper(p) => last.saturating_sub((p * count) as usize),
        };
        self.values[place.min(last)]
    }

    fn cdf(&self, x: f64) -> f64 {
        self.share(self.up_to(x))
    }

    fn sf(&self, x: f64) -> f64 {
        self.share(self.values.len() - self.up_to(x))
    }

    fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(values: &[f64]) -> Result<Sample, LawError> {
        Sample::new(values.into())
    }

    /// Expected values from numpy 2.4: `numpy.quantile([1, 1, 2, 5, 9], p, method="inverted_cdf")`.
    #[test]
    fn quantiles_are_numpys_of_the_inverted_distribution() {
        let law = law(&[1.0, 1.0, 2.0, 5.0, 9.0]).unwrap();
        for (p, x) in [(0.01, 1.0), (0.4, 1.0), (0.41, 2.0), (0.5, 2.0)] {
            assert_eq!(law.quantile(Tail::Lower(p)), x, "{p}");
        }
        for (p, x) in [
            (0.5, 2.0),
            (0.41, 2.0),
            (0.39, 5.0),
            (0.21, 5.0),
            (0.19, 9.0),
            (1e-9, 9.0),
        ] {
            assert_eq!(law.quantile(Tail::Upper(p)), x, "{p} above");
        }
        assert_eq!(
            [law.cdf(0.5), law.cdf(1.0), law.cdf(4.9), law.cdf(9.0)],
            [0.0, 0.4, 0.6, 1.0]
        );
        assert_eq!(
            [law.sf(0.5), law.sf(1.0), law.sf(4.9), law.sf(9.0)],
            [1.0, 0.6, 0.4, 0.0]
        );
        assert_eq!(law.mean(), 3.6);
    }

    #[test]
    fn values_are_some_and_in_order() {
        assert_eq!(law(&[]), Err(LawError::NoParts));
        assert_eq!(law(&[1.0, 3.0, 2.0]), Err(LawError::KnotOrder { index: 2 }));
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(law(&[bad]).is_err());
        }
    }
}
