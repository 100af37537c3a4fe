//! The lognormal with a mean and a standard deviation that are known.
//!
//! The name may be left out: `{ "mean": "900ms", "sd": "400ms" }`. With c the ratio of the two, sigma² is ln(1 + c²) and the median the
//! mean over √(1 + c²). Of what is not a lognormal the mean and the standard deviation are met, and the percentiles are not: the gamma law
//! of the same two has a p99 that is lower by 6 % at c = 0.5 and at c = 1, and higher by 14 % at c = 2. If percentiles are known, they are the better figures.
//!
//! ```json
//! { "moments": { "mean": "900ms", "sd": "400ms" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, WIDEST_SIGMA, refusal};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::law::{self, Law};

/// Lognormal of a mean and a standard deviation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Moments<Q: Magnitude> {
    /// The mean of all values, above 0.
    pub mean: Q,
    /// The standard deviation, above 0.
    pub sd: Q,
}

impl<Q: Magnitude> BuildLaw for Moments<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        for (name, value) in [("mean", &self.mean), ("sd", &self.sd)] {
            if !(value.magnitude() > 0.0 && value.magnitude().is_finite()) {
                return Err(Refusal::new(format!("{value}: must be above 0")).at(name));
            }
        }
        let ratio = self.sd.magnitude() / self.mean.magnitude();
        let sigma = libm::log1p(ratio * ratio).sqrt();
        if sigma > WIDEST_SIGMA {
            let text = format!("{}: too far above the mean, which is {}", self.sd, self.mean);
            return Err(Refusal::new(text).at("sd"));
        }
        let median = self.mean.magnitude() / (1.0 + ratio * ratio).sqrt();
        Ok(Box::new(law::Lognormal::new(median, sigma, 0.0).map_err(refusal)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::LawSpec;
    use super::*;
    use crate::kernel::law::Tail;

    fn built(json: &str) -> Built<Box<dyn Law>> {
        let spec: LawSpec<f64> = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
        spec.law(&Names::default())
    }

    /// Expected values from scipy 1.17.1: `stats.lognorm(s=0.4245725189304461, scale=822.4303937582314)`, of which scipy's `mean` is 900
    /// and `std` 400.
    #[test]
    fn mean_and_standard_deviation_are_met_and_quantiles_are_scipys() {
        let law = built(r#"{ "mean": 900, "sd": 400 }"#).unwrap();
        assert!((law.mean() / 900.0 - 1.0).abs() < 1e-12);
        let expected = [
            (0.05, 409.07732781813496),
            (0.5, 822.4303937582314),
            (0.95, 1653.4569544221365),
            (0.99, 2208.275621531801),
        ];
        for (p, x) in expected {
            let at = if p > 0.5 { Tail::Upper(1.0 - p) } else { Tail::Lower(p) };
            let found = law.quantile(at);
            assert!((found / x - 1.0).abs() < 1e-9, "p{p}: {found}, scipy {x}");
        }
    }

    #[test]
    fn what_makes_no_law_is_refused_at_its_place() {
        for (json, message) in [
            (r#"{ "mean": 900, "sd": 0 }"#, "0: must be above 0"),
            (r#"{ "mean": -1, "sd": 1 }"#, "-1: must be above 0"),
            (r#"{ "mean": 1, "sd": 1e300 }"#, "1"),
        ] {
            let refusal = built(json).err().unwrap();
            assert!(refusal.message.starts_with(message), "{json}: {}", refusal.message);
            assert_eq!(refusal.path.len(), 2, "{json}");
        }
    }
}
