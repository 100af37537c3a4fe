//! Measured values or their quantiles, joined by straight lines: for what no other law describes.
//!
//! `quantiles` are those of a published table; `values` a sample, of which the n-th of N in order is taken for the quantile (n − 1) / (N − 1),
//! as numpy's and R's default do. What lies beyond the measured range does not occur, so the tail is as good as the sample that it was
//! taken from.
//!
//! ```json
//! { "empirical": { "quantiles": [[0, "200ms"], [0.5, "320ms"], [0.95, "900ms"], [1, "4s"]] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, refusal};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::law::{self, Law};

/// The most values of a sample.
const MOST: usize = 100_000;

/// Measured values or their quantiles, joined by straight lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Empirical<Q: Magnitude> {
    /// Pairs (share of values at or below, value), from share 0 to share 1. Left out beside `values`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<(f64, Q)>,
    /// Measured values in any order, two to 100,000, instead of `quantiles`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100_000))]
    pub values: Vec<Q>,
}

impl<Q: Magnitude> BuildLaw for Empirical<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let quantiles = self.quantiles.iter().map(|(p, value)| (*p, value.magnitude()));
        let knots: Vec<(f64, f64)> = match (self.quantiles.len(), self.values.len()) {
            (_, 0) => quantiles.collect(),
            (0, 2..=MOST) => {
                let mut values: Vec<f64> = self.values.iter().map(Magnitude::magnitude).collect();
                values.sort_unstable_by(f64::total_cmp);
                let last = (values.len() - 1) as f64;
                values
                    .into_iter()
                    .enumerate()
                    .map(|(n, value)| (n as f64 / last, value))
                    .collect()
            }
            (0, count) => {
                return Err(Refusal::new(format!("{count} values: must be 2 to {MOST}")).at("values"));
            }
            _ => return Err(Refusal::new("beside `quantiles`: give one of the two").at("values")),
        };
        Ok(Box::new(law::Empirical::new(knots).map_err(refusal)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::LawSpec;
    use super::*;
    use crate::kernel::law::Tail;

    fn built(json: &str) -> Built<Box<dyn Law>> {
        let spec: LawSpec<f64> = serde_json::from_str(json).unwrap();
        spec.law(&Names::default())
    }

    /// Expected values from numpy 2.4: `numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], p)`.
    #[test]
    fn quantiles_of_a_sample_are_numpys() {
        let law = built(r#"{ "empirical": { "values": [3, 1, 4, 1, 5, 9, 2, 6] } }"#).unwrap();
        for (p, x) in [(0.1, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9), (0.99, 8.79)] {
            let found = law.quantile(Tail::Lower(p));
            assert!((found - x).abs() < 1e-9, "p{p}: {found}, numpy {x}");
        }
    }

    #[test]
    fn a_sample_is_given_once_and_has_two_values() {
        for (json, message) in [
            (r#"{ "empirical": { "values": [3] } }"#, "1 values: must be 2 to 100000"),
            (
                r#"{ "empirical": { "values": [3, 4], "quantiles": [[0, 1], [1, 2]] } }"#,
                "beside `quantiles`: give one of the two",
            ),
        ] {
            assert_eq!(built(json).err().unwrap().message, message);
        }
        assert!(built(r#"{ "empirical": {} }"#).is_err());
    }
}
