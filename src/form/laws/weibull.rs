//! The Weibull law: a power of an exponential, so that the hazard grows (shape above 1) or fades (shape below 1) with age.
//!
//! Below shape 1 its tail is heavier than exponential and lighter than any power law.
//!
//! ```json
//! { "weibull": { "scale": "300ms", "shape": 0.8, "shift": "100ms" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, not_too_wide, refusal, shift};
use crate::form::build::{Built, Names};
use crate::kernel::law::{self, Law};

/// Weibull: the hazard is a power of the age.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Weibull<Q: Magnitude> {
    /// The scale: 63.2 % of values are below it, without the shift.
    pub scale: Q,
    /// The shape: 1 is exponential, below 1 the tail is heavy.
    pub shape: f64,
    /// A floor that is added to every value. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Q>,
}

impl<Q: Magnitude> BuildLaw for Weibull<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let law = law::Weibull::new(self.scale.magnitude(), self.shape, shift(&self.shift));
        let law = law.map_err(refusal)?;
        not_too_wide(&law, "shape", self.shape)?;
        Ok(Box::new(law))
    }
}
