//! Poisson arrivals: many users who act independently of each other.
//!
//! The textbook process and the calm case: measured LLM traffic is burstier (a squared coefficient of variation of the
//! gaps of 1.2 for a conversation service and 173 for a coding service in the Azure traces of 2023).
//!
//! ```json
//! { "poisson": { "rate": "35/s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrivals, ArrivalsSpec, BuildArrivals, Renewal};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Rate;
use crate::kernel::law::Exponential;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Time;
use crate::traffic::rows::Rows;

/// Arrivals with exponential gaps: a Poisson process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poisson {
    /// Mean rate of arrivals, like "35/s".
    pub rate: Rate,
}

impl BuildArrivals for Poisson {
    fn build(&self, _trace: Option<Rows>, _names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        let law = Exponential::new(1e9 / self.rate.per_second(), 0.0).map_err(Refusal::of)?;
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
        Some(Poisson { rate }.into())
    }
}
