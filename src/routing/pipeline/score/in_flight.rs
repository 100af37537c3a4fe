//! Calls under way or in line for a connection; less is better.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildScore, Direction, Scale, Scoring, Signal, one};
use crate::form::build::{Built, Names};
use crate::routing::{Call, Fleet};

/// Calls under way or in line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InFlight {
    /// The weight of this score in the total, 0 or more. Default: 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The conversion of values to scores. Default: `range`.
    #[serde(default)]
    pub scale: Scale,
}

impl BuildScore for InFlight {
    fn build(&self, _order: &[usize], _names: &Names<'_>) -> Built<Scoring> {
        Scoring::new(self.weight, self.scale, Direction::Less, Running)
    }
}

#[derive(Debug)]
struct Running;

impl Signal for Running {
    fn value(&self, p: usize, _call: &Call, fleet: &Fleet<'_>) -> Option<f64> {
        Some(f64::from(fleet.load(p)))
    }

    fn fresh(&self) -> Box<dyn Signal> {
        Box::new(Running)
    }
}
