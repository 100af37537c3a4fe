//! The most that a token may cost (OpenRouter's `max_price`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFilter, Filter};

use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Money, TokenPrice};
use crate::routing::{Call, Fleet, prices};

/// Leaves out a provider that asks more for a token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaxPrice {
    /// The highest price of a token of input. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<TokenPrice>,
    /// The highest price of a token of output. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<TokenPrice>,
}

impl BuildFilter for MaxPrice {
    fn build(&self, order: &[usize], names: &Names<'_>) -> Built<Box<dyn Filter>> {
        let most = |price: Option<TokenPrice>| {
            let in_currency = |price: TokenPrice| names.money(Money::from_picodollars(price.picodollars().into()));
            price.map_or(u128::MAX, in_currency)
        };
        let (most_input, most_output) = (most(self.input), most(self.output));
        let within = |(input, output): (u64, u64)| u128::from(input) <= most_input && u128::from(output) <= most_output;
        let kept: Vec<bool> = prices(order, names)?.into_iter().map(within).collect();
        if order.iter().all(|&p| !kept[p]) {
            return Err(Refusal::new("every provider that takes part asks more"));
        }
        Ok(Box::new(Running(kept)))
    }
}

#[derive(Clone, Debug)]
struct Running(Vec<bool>);

impl Filter for Running {
    fn sift(&mut self, left: &mut Vec<usize>, _call: &Call, _fleet: &Fleet<'_>) {
        left.retain(|&p| self.0[p]);
    }

    fn fresh(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
