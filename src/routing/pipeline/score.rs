//! Scores, by which the providers left are compared: one in each file.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Names};
use crate::form::registry::registry;
use crate::routing::{Call, Fleet, weight};
use crate::words::Ended;

mod errors;
mod in_flight;
mod latency;
mod mean;
mod price;
mod quality;
mod throughput;

pub use errors::Errors;
pub use in_flight::InFlight;
pub use latency::Latency;
pub use price::Price;
pub use quality::Quality;
pub use throughput::Throughput;

/// The signal of each provider that a score goes by. Only [`Signal::fresh`] may allocate.
pub trait Signal: fmt::Debug + Send + Sync {
    /// The value of provider `p` for `call`, not below 0, if there is one yet.
    fn value(&self, p: usize, call: &Call, fleet: &Fleet<'_>) -> Option<f64>;

    /// Whether the signal learns how attempts end.
    fn learns(&self) -> bool {
        false
    }

    /// Called when an attempt has ended.
    fn learn(&mut self, _ended: &Ended) {}

    /// A copy in its initial state.
    fn fresh(&self) -> Box<dyn Signal>;
}

/// The parameters of a score, as the file gives them.
pub trait BuildScore {
    /// Checks the parameters and makes the score, for the providers that take part.
    fn build(&self, order: &[usize], names: &Names<'_>) -> Built<Scoring>;
}

registry! {
    /// The score, by which the providers left are compared.
    pub enum ScoreSpec as BuildScore {
        latency => Latency,
        price => Price,
        in_flight => InFlight,
        throughput => Throughput,
        quality => Quality,
        errors => Errors,
    }
}

/// The conversion of values to scores from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// By where a value lies between the worst, 0, and the best, 1.
    #[default]
    Range,
    /// In inverse proportion to the value, the best 1.
    Inverse,
}

/// The direction in which values are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Low values are better.
    Less,
    /// High values are better.
    More,
}

/// A score, as it runs.
#[derive(Debug)]
pub struct Scoring {
    weight: f64,
    scale: Scale,
    better: Direction,
    signal: Box<dyn Signal>,
}

fn one() -> f64 {
    1.0
}

impl Scoring {
    /// A score by `signal`.
    ///
    /// # Errors
    /// If the weight is not a valid one.
    pub fn new(by: f64, scale: Scale, better: Direction, signal: impl Signal + 'static) -> Built<Scoring> {
        Ok(Scoring {
            weight: weight(by).map_err(|r| r.at("weight"))?,
            scale,
            better,
            signal: Box::new(signal),
        })
    }

    /// Adds the scores of those `left` to their `totals`.
    pub(super) fn add(
        &mut self,
        left: &[usize],
        totals: &mut [f64],
        values: &mut Vec<Option<f64>>,
        call: &Call,
        fleet: &Fleet<'_>,
    ) {
        values.clear();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for &p in left {
            let value = self.signal.value(p, call, fleet);
            if let Some(value) = value {
                (low, high) = (low.min(value), high.max(value));
            }
            values.push(value);
        }
        for (total, value) in totals.iter_mut().zip(values.iter()) {
            let score = value.map_or(1.0, |x| match (self.scale, self.better) {
                _ if low == high => 1.0,
                (Scale::Range, Direction::Less) => (high - x) / (high - low),
                (Scale::Range, Direction::More) => (x - low) / (high - low),
                (Scale::Inverse, Direction::Less) if x == 0.0 => 1.0,
                (Scale::Inverse, Direction::Less) => low / x,
                (Scale::Inverse, Direction::More) => x / high,
            });
            *total += self.weight * score;
        }
    }

    pub(super) fn learns(&self) -> bool {
        self.signal.learns()
    }

    pub(super) fn learn(&mut self, ended: &Ended) {
        self.signal.learn(ended);
    }

    pub(super) fn fresh(&self) -> Scoring {
        Scoring {
            signal: self.signal.fresh(),
            ..*self
        }
    }
}
