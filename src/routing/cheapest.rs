//! The cheapest for this call that is open.
//!
//! A call's price is its input tokens at the input price and its output tokens at the output price, where the output is
//! its `max_tokens`, or `output` tokens if it sends none; of equals the first in the list. Unlike `cost_based` (a plain
//! sum of prices) it sees that a long prompt and a long answer cost differently. It refuses providers that are not sold
//! by the token.
//!
//! Keeps nothing.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `output` | 500 | 0 or more |
//!
//! Sources: what a careful client does with a price list; OpenRouter's `sort: price` and `:floor`.
//!
//! Known faults: everything goes to one provider until its breaker opens, whatever its quotas and latency; it cannot
//! see prompt-cache prices.
//!
//! ```json
//! { "cheapest": { "output": 300 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, lowest, prices, taking_part};
use crate::form::build::{Built, Names};
use crate::words::Unit;

/// The cheapest provider for this call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cheapest {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The output tokens expected of a call without `max_tokens`. Default: 500.
    pub output: u32,
}

impl Default for Cheapest {
    fn default() -> Self {
        Cheapest {
            providers: Members::default(),
            output: 500,
        }
    }
}

impl BuildPolicy for Cheapest {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        Ok(Box::new(Running {
            prices: prices(&order, names)?,
            order,
            output: self.output,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    prices: Vec<(u64, u64)>,
    output: u32,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let (read, written) = (
            u128::from(call.input),
            u128::from(call.max_output.unwrap_or(self.output)),
        );
        lowest(&self.order, |p| {
            let (input, output) = self.prices[p];
            let price = || read * u128::from(input) + written * u128::from(output);
            fleet.is_open_to_calls(p).then(|| {
                fleet.tell(p, || ("price of the call", Unit::Dollars, price() as f64 * 1e-12));
                price()
            })
        })
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{Call, Fleet};
    use crate::kernel::time::Time;

    /// $1 + $9 against $6 + $3.90 a million tokens: 1000 read and 500 written are $5,500 against $7,950 a million calls.
    #[test]
    fn long_prompts_and_long_answers_go_different_ways() {
        let prices = [
            Some((1_000_000, 9_000_000)),
            Some((6_000_000, 3_900_000)),
            Some((50_000_000, 0)),
        ];
        let mut policy = policy_with(r#""cheapest""#, &prices);
        let mut next = |input, max_output, closed: &[usize]| {
            let hosts = hosts(closed);
            let call = Call {
                input,
                max_output,
                ..call(0, 0)
            };
            policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO))
        };
        assert_eq!(next(1000, None, &[]), Some(0));
        assert_eq!(next(1000, Some(1000), &[]), Some(1));
        assert_eq!(next(1000, Some(1000), &[1]), Some(0));
        assert_eq!(next(0, Some(10), &[]), Some(2));
    }

    #[test]
    fn who_has_no_price_by_the_token_is_refused() {
        let refusal = build(r#""cheapest""#).err().unwrap();
        assert_eq!(
            refusal.message,
            "provider `a` has no price by the token, which this policy goes by: leave it out of `providers`"
        );
    }
}
