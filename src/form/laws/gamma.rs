//! The gamma law: a sum of exponentials, for any number of them, also below one.
//!
//! Below saturation `shift` plus gamma meets a vLLM server's published quantiles to 5 % (inference-perf), as does
//! `shift` plus lognormal; its tail is exponential and so the lighter of the two. The coefficient of variation is 1/√shape.
//!
//! ```json
//! { "gamma": { "mean": "300ms", "shape": 2, "shift": "100ms" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, not_too_wide, refusal, shift};
use crate::form::build::{Built, Names};
use crate::kernel::law::{self, Law};

/// Gamma: a sum of exponentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Gamma<Q: Magnitude> {
    /// The mean, without the shift.
    pub mean: Q,
    /// The shape: 1 is exponential, larger is narrower.
    pub shape: f64,
    /// A floor that is added to every value. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Q>,
}

impl<Q: Magnitude> BuildLaw for Gamma<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let law = law::Gamma::new(self.mean.magnitude(), self.shape, shift(&self.shift));
        let law = law.map_err(refusal)?;
        not_too_wide(&law, "shape", self.shape)?;
        Ok(Box::new(law))
    }
}
