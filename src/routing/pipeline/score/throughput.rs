//! Tokens a second after the first; more is better. What failed, and an answer at once, does not count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mean::Mean;
use super::{BuildScore, Direction, Scale, Scoring, Signal, one};
use crate::form::build::{Built, Names};
use crate::form::units::Fraction;
use crate::routing::{Call, Fleet};
use crate::words::{Ended, Outcome};

/// Tokens a second after the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Throughput {
    /// The weight of this score in the total, 0 or more. Default: 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The conversion of values to scores. Default: `range`.
    #[serde(default)]
    pub scale: Scale,
    /// The weight of the newest sample in the mean. Default: 0.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<Fraction>,
    /// The number of samples in a plain mean instead, 1 to 1,000. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub window: Option<u32>,
}

impl BuildScore for Throughput {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Scoring> {
        let mean = Mean::new(self.alpha, self.window, 0.3)?;
        let running = Running(vec![mean; names.providers.len()]);
        Scoring::new(self.weight, self.scale, Direction::More, running)
    }
}

#[derive(Debug)]
struct Running(Vec<Mean>);

impl Signal for Running {
    fn value(&self, p: usize, _call: &Call, _fleet: &Fleet<'_>) -> Option<f64> {
        self.0[p].get()
    }

    fn learns(&self) -> bool {
        true
    }

    fn learn(&mut self, ended: &Ended) {
        let Some(ttft) = ended.ttft() else { return };
        let writing = ended.took.seconds() - ttft;
        if ended.outcome == Outcome::Success && writing > 0.0 {
            self.0[ended.provider].add(f64::from(ended.usage.output) / writing);
        }
    }

    fn fresh(&self) -> Box<dyn Signal> {
        Box::new(Running(self.0.iter().map(Mean::fresh).collect()))
    }
}
