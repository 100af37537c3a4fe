//! The price of a token; less is better.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildScore, Direction, Scale, Scoring, Signal, one};
use crate::form::build::{Built, Names};
use crate::form::units::Fraction;
use crate::routing::{Call, Fleet, prices};

/// The price of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The weight of this score in the total, 0 or more. Default: 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The conversion of values to scores. Default: `range`.
    #[serde(default)]
    pub scale: Scale,
    /// The weight of the output price in a provider's price, 0 to 100 %. Default: 50 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_share: Option<Fraction>,
}

impl BuildScore for Price {
    fn build(&self, order: &[usize], names: &Names<'_>) -> Built<Scoring> {
        let share = self.output_share.map_or(0.5, |share| share.get());
        let blend = |(input, output): (u64, u64)| input as f64 * (1.0 - share) + output as f64 * share;
        // A provider that is free weighs as if a token cost a pico-dollar.
        let prices = prices(order, names)?.into_iter().map(|price| blend(price).max(1.0));
        let running = Running(prices.collect());
        Scoring::new(self.weight, self.scale, Direction::Less, running)
    }
}

#[derive(Clone, Debug)]
struct Running(Vec<f64>);

impl Signal for Running {
    fn value(&self, p: usize, _call: &Call, _fleet: &Fleet<'_>) -> Option<f64> {
        Some(self.0[p])
    }

    fn fresh(&self) -> Box<dyn Signal> {
        Box::new(self.clone())
    }
}
