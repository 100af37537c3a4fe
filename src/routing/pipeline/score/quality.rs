//! The probability of a good answer, as it is known for the class; more is better.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildScore, Direction, Scale, Scoring, Signal, one};
use crate::form::build::{Built, Names, Refusal};
use crate::routing::{Call, Fleet};
use crate::words::UNRATED;

/// The probability of a good answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The weight of this score in the total, 0 or more. Default: 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The conversion of values to scores. Default: `range`.
    #[serde(default)]
    pub scale: Scale,
}

impl BuildScore for Quality {
    fn build(&self, order: &[usize], names: &Names<'_>) -> Built<Scoring> {
        let known = |p: usize| {
            names
                .known
                .get(p)
                .map(|known| known.quality.clone())
                .unwrap_or_default()
        };
        let all: Vec<Vec<u32>> = (0..names.providers.len()).map(known).collect();
        for &p in order {
            for (class, name) in names.classes.iter().enumerate() {
                if all[p].get(class).is_none_or(|&quality| quality == UNRATED) {
                    let provider = &names.providers[p];
                    return Err(Refusal::new(format!(
                        "it is not known how good `{provider}` is at `{name}`: give its `quality`, by which this scores"
                    )));
                }
            }
        }
        Scoring::new(self.weight, self.scale, Direction::More, Running(all))
    }
}

/// The qualities in millionths, by provider and class.
#[derive(Clone, Debug)]
struct Running(Vec<Vec<u32>>);

impl Signal for Running {
    fn value(&self, p: usize, call: &Call, _fleet: &Fleet<'_>) -> Option<f64> {
        Some(f64::from(self.0[p][call.class]))
    }

    fn fresh(&self) -> Box<dyn Signal> {
        Box::new(self.clone())
    }
}
