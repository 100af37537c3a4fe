//! Gamma arrivals: bursts, by one number.
//!
//! Independent gaps of a gamma law with shape 1/cv²: cv = 1 is Poisson, larger values bunch the requests. ServeGen (Xiang
//! et al., 2025) finds gamma and Weibull gaps in most client windows of production traffic. cv
//! above 4 (a coding service in the Azure traces has 13) is beyond what one number can say: replay the trace.
//!
//! ```json
//! { "gamma": { "rate": "35/s", "cv": 2.0 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrivals, ArrivalsSpec, BuildArrivals, Renewal};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Rate;
use crate::kernel::law;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Time;
use crate::traffic::rows::Rows;

/// Arrivals with gamma-distributed gaps: bursts, by one number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gamma {
    /// Mean rate of arrivals, like "35/s".
    pub rate: Rate,
    /// Coefficient of variation of the gaps: standard deviation over mean, from 0.05 to 4.
    pub cv: f64,
}

impl BuildArrivals for Gamma {
    fn build(&self, _trace: Option<Rows>, _names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        if !(0.05..=4.0).contains(&self.cv) {
            return Err(Refusal::new(format!("cv is {}, and must lie between 0.05 and 4", self.cv)).at("cv"));
        }
        let law = law::Gamma::new(1e9 / self.rate.per_second(), 1.0 / (self.cv * self.cv), 0.0).map_err(Refusal::of)?;
        Ok(Box::new(Renewal {
            gap: Sampler::of(&law),
            now: Time::ZERO,
        }))
    }

    fn rate(&self) -> Option<f64> {
        Some(self.rate.per_second())
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let rate = self.rate.times(factor)?;
        Some(Gamma { rate, ..self.clone() }.into())
    }
}
