//! The log-logistic law (Fisk): the logarithm of a value is logistic. A lognormal body with a power-law tail, in one formula.
//!
//! P(X > x) = 1 / (1 + ((x - shift) / median)^shape), so far out the tail is (median / x)^shape; the quantile has a closed form. Used
//! for response times where a few are very late but no second mode is seen. The mean is infinite at `shape` 1 and below, the
//! variance at 2 and below. Source: Fisk, "The graduation of income distributions", Econometrica 29 (1961).
//!
//! ```json
//! { "log_logistic": { "median": "300ms", "shape": 4, "shift": "100ms" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, not_too_wide, refusal, shift};
use crate::form::build::{Built, Names};
use crate::kernel::law::{Law, LawError, Tail, nonnegative, positive};

/// Log-logistic: a lognormal body with a power-law tail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct LogLogistic<Q: Magnitude> {
    /// The median, without the shift.
    pub median: Q,
    /// The tail's exponent; the mean is infinite at 1 and below.
    pub shape: f64,
    /// A floor that is added to every value. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Q>,
}

impl<Q: Magnitude> BuildLaw for LogLogistic<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let law = Fisk::new(self.median.magnitude(), self.shape, shift(&self.shift));
        let law = law.map_err(refusal)?;
        not_too_wide(&law, "shape", self.shape)?;
        Ok(Box::new(law))
    }
}

/// A floor plus a log-logistic, as it is drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fisk {
    median: f64,
    shape: f64,
    shift: f64,
}

impl Fisk {
    /// The law of this median and shape, `shift` (0 for none) added to every value.
    ///
    /// # Errors
    /// If `median` or `shape` is not above 0 or `shift` is below 0; if any is infinite or NaN.
    pub fn new(median: f64, shape: f64, shift: f64) -> Result<Fisk, LawError> {
        Ok(Fisk {
            median: positive("median", median)?,
            shape: positive("shape", shape)?,
            shift: nonnegative("shift", shift)?,
        })
    }

    /// P(X <= x) / P(X > x).
    fn odds(&self, x: f64) -> f64 {
        libm::pow((x - self.shift).max(0.0) / self.median, self.shape)
    }
}

impl Law for Fisk {
    fn quantile(&self, at: Tail) -> f64 {
        let odds = match at {
            Tail::Lower(p) => p / (1.0 - p),
            Tail::Upper(p) => (1.0 - p) / p,
        };
        self.shift + self.median * libm::pow(odds, 1.0 / self.shape)
    }

    fn cdf(&self, x: f64) -> f64 {
        // In inverse odds, so that it is 1 and not NaN where the odds are infinite.
        1.0 / (1.0 + 1.0 / self.odds(x))
    }

    fn sf(&self, x: f64) -> f64 {
        1.0 / (1.0 + self.odds(x))
    }

    fn mean(&self) -> f64 {
        if self.shape <= 1.0 {
            return f64::INFINITY;
        }
        let angle = std::f64::consts::PI / self.shape;
        self.shift + self.median * angle / libm::sin(angle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::laws::LawSpec;
    use crate::form::units::Duration;
    use crate::kernel::law::check;

    /// `tests/oracle/laws.py`: scipy's `fisk`.
    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &Fisk::new(0.7, 2.5, 0.3).unwrap(),
            1e-9,
            check::Oracle {
                mean: 1.2249144797743547,
                masses: [
                    (0.4, 0.007654517091643761, 0.9923454829083562),
                    (1.0, 0.5, 0.5),
                    (40.0, 0.9999587189338974, 4.128106610257201e-05),
                ],
                quantiles: [
                    0.30278675130857535,
                    0.4113894250210598,
                    1.0,
                    2.573000233794968,
                    4.698981320779402,
                    11.389813314268128,
                    2787.0501927597816,
                ],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        let bits = [
            4_599_076_085_293_699_578,
            4_603_983_972_514_076_147,
            4_607_851_589_021_168_647,
            4_678_552_404_284_265_805,
        ];
        check::pins(&Fisk::new(0.7, 2.5, 0.3).unwrap(), bits);
    }

    #[test]
    fn a_shape_of_one_or_less_has_no_mean_and_the_far_ends_have_masses() {
        assert_eq!(Fisk::new(1.0, 1.0, 0.0).unwrap().mean(), f64::INFINITY);
        let law = Fisk::new(1.0, 400.0, 0.0).unwrap();
        assert_eq!((law.cdf(1e300), law.sf(1e300)), (1.0, 0.0));
        assert_eq!((law.cdf(0.0), law.sf(0.0)), (0.0, 1.0));
    }

    #[test]
    fn a_file_says_it_with_a_floor() {
        let spec: LawSpec<Duration> =
            serde_json::from_str(r#"{ "log_logistic": { "median": "300ms", "shape": 4, "shift": "100ms" } }"#).unwrap();
        let law = spec.law(&Names::default()).unwrap();
        assert!((law.quantile(Tail::Lower(0.5)) - 4e8).abs() < 1.0);
        let spec: LawSpec<f64> = serde_json::from_str(r#"{ "log_logistic": { "median": 3, "shape": 0 } }"#).unwrap();
        let refusal = spec.law(&Names::default()).unwrap_err();
        assert_eq!(refusal.message, "shape must be above 0 and finite, but is 0");
        assert_eq!(refusal.path, ["log_logistic".into(), "shape".into()]);
    }
}
