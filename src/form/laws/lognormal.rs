//! The lognormal law: the logarithm of a value is normal.
//!
//! `shift` plus lognormal is the form to reach for first: measured TTFTs have a floor of 38 to 88 % of their median
//! (llmperf-leaderboard 2023, 13 of 16 series), and below saturation it meets a vLLM server's published quantiles to 5 %
//! (inference-perf). The mean is the median times exp(sigma²/2).
//!
//! ```json
//! { "lognormal": { "median": "150ms", "sigma": 0.35, "shift": "400ms" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, WIDEST_SIGMA, refusal, shift, too_wide};
use crate::form::build::{Built, Names};
use crate::kernel::law::{self, Law};

/// Lognormal: many small factors multiplied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Lognormal<Q: Magnitude> {
    /// The median, without the shift.
    pub median: Q,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
    /// A floor that is added to every value. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Q>,
}

impl<Q: Magnitude> BuildLaw for Lognormal<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let law = law::Lognormal::new(self.median.magnitude(), self.sigma, shift(&self.shift));
        let law = law.map_err(refusal)?;
        if self.sigma > WIDEST_SIGMA {
            return Err(too_wide(self.sigma).at("sigma"));
        }
        Ok(Box::new(law))
    }
}
