//! Measured quantiles, joined by straight lines: for what no other law describes.
//!
//! What lies beyond the measured range does not occur, so the tail is as good as the sample that it was taken from.
//!
//! ```json
//! { "empirical": { "quantiles": [[0, "200ms"], [0.5, "320ms"], [0.95, "900ms"], [1, "4s"]] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, refusal};
use crate::form::build::{Built, Names};
use crate::kernel::law::{self, Law};

/// Measured quantiles, joined by straight lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Empirical<Q: Magnitude> {
    /// Pairs (share of values at or below, value), from share 0 to share 1.
    pub quantiles: Vec<(f64, Q)>,
}

impl<Q: Magnitude> BuildLaw for Empirical<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let knots = self.quantiles.iter().map(|(p, value)| (*p, value.magnitude()));
        Ok(Box::new(law::Empirical::new(knots.collect()).map_err(refusal)?))
    }
}
