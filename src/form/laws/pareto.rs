//! The Pareto law: a power-law tail from its least value on, P(X > x) = (min / x)^alpha.
//!
//! As a part of a `mixture` it gives a body a power-law tail: above `min`, P(X > x) is the tail's weight times (min / x)^alpha.
//! The mean is infinite at `alpha` 1 and below, the variance at 2 and below.
//!
//! ```json
//! { "pareto": { "min": "600ms", "alpha": 1.5 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, not_too_wide, refusal};
use crate::form::build::{Built, Names};
use crate::kernel::law::{self, Law};

/// Pareto: a power-law tail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Pareto<Q: Magnitude> {
    /// The least value.
    pub min: Q,
    /// The tail's exponent; the mean is infinite at 1 and below.
    pub alpha: f64,
}

impl<Q: Magnitude> BuildLaw for Pareto<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let law = law::Pareto::new(self.min.magnitude(), self.alpha);
        let law = law.map_err(refusal)?;
        not_too_wide(&law, "alpha", self.alpha)?;
        Ok(Box::new(law))
    }
}
