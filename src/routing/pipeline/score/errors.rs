//! The share of attempts that failed; less is better. What was called off does not count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mean::Mean;
use super::{BuildScore, Direction, Scale, Scoring, Signal, one};
use crate::form::build::{Built, Names};
use crate::form::units::Fraction;
use crate::routing::{Call, Fleet};
use crate::words::{Ended, Outcome};

/// The share of attempts that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// The weight of this score in the total, 0 or more. Default: 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The conversion of values to scores. Default: `range`.
    #[serde(default)]
    pub scale: Scale,
    /// The weight of the newest attempt in the share. Default: 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<Fraction>,
}

impl BuildScore for Errors {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Scoring> {
        let mut mean = Mean::new(self.alpha, None, 0.1)?;
        mean.add(0.0);
        let running = Running(vec![mean; names.providers.len()]);
        Scoring::new(self.weight, self.scale, Direction::Less, running)
    }
}

#[derive(Clone, Debug)]
struct Running(Vec<Mean>);

impl Signal for Running {
    fn value(&self, p: usize, _call: &Call, _fleet: &Fleet<'_>) -> Option<f64> {
        self.0[p].get()
    }

    fn learns(&self) -> bool {
        true
    }

    fn learn(&mut self, ended: &Ended) {
        if ended.outcome == Outcome::Success {
            self.0[ended.provider].add(0.0);
        } else if ended.outcome != Outcome::Cancelled {
            self.0[ended.provider].add(1.0);
        }
    }

    fn fresh(&self) -> Box<dyn Signal> {
        Box::new(self.clone())
    }
}
