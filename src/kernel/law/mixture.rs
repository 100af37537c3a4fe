//! A mixture of laws: each draw comes from one part, chosen by weight.
//!
//! The quantile has no closed form. It is found by bisection over the bit patterns of nonnegative floats, which are in
//! the order of their values: at most 64 steps, exact to the last bit, and jumps (a constant part) need no care.

use super::{Law, LawError, Tail, nonnegative};

/// Laws with their weights.
#[derive(Debug)]
pub struct Mixture {
    /// Weights are above 0 and sum to 1.
    parts: Vec<(f64, Box<dyn Law>)>,
}

impl Mixture {
    /// The mixture of `parts`, each a weight and a law. Weights are relative; a part of weight 0 is dropped.
    ///
    /// # Errors
    /// If a weight is negative, infinite or NaN, or no weight is above 0, or their sum overflows.
    pub fn new(mut parts: Vec<(f64, Box<dyn Law>)>) -> Result<Mixture, LawError> {
        for (weight, _) in &parts {
            nonnegative("weight", *weight)?;
        }
        parts.retain(|(weight, _)| *weight > 0.0);
        if parts.is_empty() {
            return Err(LawError::NoParts);
        }
        let total = nonnegative("sum of weights", parts.iter().map(|(weight, _)| weight).sum())?;
        for (weight, _) in &mut parts {
            *weight /= total;
        }
        Ok(Mixture { parts })
    }

    /// The weighted mean of a property of the parts.
    fn average(&self, of: impl Fn(&dyn Law) -> f64) -> f64 {
        self.parts.iter().map(|(weight, law)| weight * of(law.as_ref())).sum()
    }
}

impl Law for Mixture {
    fn quantile(&self, at: Tail) -> f64 {
        // The mixture's quantile lies between the least and the greatest of its parts'.
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for (_, law) in &self.parts {
            let value = law.quantile(at);
            low = low.min(value);
            high = high.max(value);
        }
        least(low, high, |x| match at {
            Tail::Lower(p) => self.cdf(x) >= p,
            Tail::Upper(p) => self.sf(x) <= p,
        })
    }

    fn cdf(&self, x: f64) -> f64 {
        self.average(|law| law.cdf(x))
    }

    fn sf(&self, x: f64) -> f64 {
        self.average(|law| law.sf(x))
    }

    fn mean(&self) -> f64 {
        self.average(|law| law.mean())
    }

    fn atoms(&self) -> Option<Vec<(f64, f64)>> {
        let mut all: Vec<(f64, f64)> = Vec::new();
        for (weight, law) in &self.parts {
            all.extend(law.atoms()?.into_iter().map(|(value, mass)| (value, weight * mass)));
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(all)
    }
}

/// The least float from `low` to `high` (both at least 0) of which `holds` is true, taking it to be true of `high`.
fn least(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low.to_bits(), high.to_bits());
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(f64::from_bits(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from_bits(low)
}

#[cfg(test)]
mod tests {
    use super::super::{Constant, Exponential, Lognormal, check};
    use super::*;

    fn law() -> Mixture {
        let fast = Lognormal::new(0.8, 0.5, 0.0).unwrap();
        let slow = Exponential::new(10.0, 2.0).unwrap();
        // Weights 9 : 1.
        Mixture::new(vec![(1.8, Box::new(fast)), (0.2, Box::new(slow))]).unwrap()
    }

    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &law(),
            1e-9,
            check::Oracle {
                mean: 2.0158668862081153,
                masses: [
                    (0.2, 0.0025025560760785696, 0.9974974439239214),
                    (2.5, 0.8946733617841355, 0.10532663821586456),
                    (90.0, 0.9999849266924905, 1.5073307509547653e-05),
                ],
                quantiles: [
                    0.07508102143504027,
                    0.25501892344988897,
                    0.8578822712764214,
                    8.931597507707698,
                    25.025850932520807,
                    48.05170185988209,
                    186.20680743952366,
                ],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        check::pins(
            &law(),
            [
                0x3f97_3117_4083_7b54,
                0x3fdf_4102_0462_f163,
                0x3ff0_5347_8e11_dc75,
                0x4070_72a1_c384_35bf,
            ],
        );
    }

    #[test]
    fn a_jump_is_met_exactly() {
        let parts: Vec<(f64, Box<dyn Law>)> = vec![
            (3.0, Box::new(Constant::new(0.1).unwrap())),
            (1.0, Box::new(Constant::new(7.0).unwrap())),
        ];
        let law = Mixture::new(parts).unwrap();
        let values = [Tail::Lower(0.1), Tail::Upper(0.3), Tail::Upper(0.2)].map(|at| law.quantile(at));
        assert_eq!(values, [0.1, 0.1, 7.0]);
    }

    #[test]
    fn weights_must_make_sense() {
        let part = |weight| -> (f64, Box<dyn Law>) { (weight, Box::new(Constant::new(1.0).unwrap())) };
        assert_eq!(Mixture::new(vec![part(0.0)]).unwrap_err(), LawError::NoParts);
        assert_eq!(Mixture::new(vec![]).unwrap_err(), LawError::NoParts);
        assert!(Mixture::new(vec![part(1.0), part(f64::NAN)]).is_err());
        assert!(Mixture::new(vec![part(1.0), part(-1.0)]).is_err());
        assert!(Mixture::new(vec![part(f64::MAX), part(f64::MAX)]).is_err());
    }
}
