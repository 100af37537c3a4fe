//! The duration of answers; less is better. Failures do not count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mean::Mean;
use super::{BuildScore, Direction, Scale, Scoring, Signal, one};
use crate::form::build::{Built, Names};
use crate::form::units::Fraction;
use crate::routing::{Call, Fleet, Measures};
use crate::words::{Ended, Outcome};

/// The duration of recent answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The weight of this score in the total, 0 or more. Default: 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The conversion of values to scores. Default: `range`.
    #[serde(default)]
    pub scale: Scale,
    /// The duration that is measured. Default: `end`.
    #[serde(default)]
    pub measures: Measures,
    /// The weight of the newest sample in the mean. Default: 0.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<Fraction>,
    /// The number of samples in a plain mean instead, 1 to 1,000. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub window: Option<u32>,
}

impl BuildScore for Latency {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Scoring> {
        let mean = Mean::new(self.alpha, self.window, 0.3)?;
        let running = Running {
            measures: self.measures,
            means: vec![mean; names.providers.len()],
        };
        Scoring::new(self.weight, self.scale, Direction::Less, running)
    }
}

#[derive(Debug)]
struct Running {
    measures: Measures,
    means: Vec<Mean>,
}

impl Signal for Running {
    fn value(&self, p: usize, _call: &Call, _fleet: &Fleet<'_>) -> Option<f64> {
        self.means[p].get()
    }

    fn learns(&self) -> bool {
        true
    }

    fn learn(&mut self, ended: &Ended) {
        if ended.outcome == Outcome::Success {
            let took = match self.measures {
                Measures::End => ended.took,
                Measures::FirstToken => ended.took.min(ended.first_token),
            };
            self.means[ended.provider].add(took.seconds());
        }
    }

    fn fresh(&self) -> Box<dyn Signal> {
        Box::new(Running {
            measures: self.measures,
            means: self.means.iter().map(Mean::fresh).collect(),
        })
    }
}
