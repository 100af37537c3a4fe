//! A weighted random choice.
//!
//! LiteLLM's simple-shuffle with weights, Portkey's loadbalance: each attempt draws anew, so a retry may land where the
//! last attempt failed. A provider whose breaker is open is left out and the others share its weight in proportion.
//!
//! ```json
//! { "weighted": { "weights": { "fast": 70, "balanced": 20, "premium": 10 } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Policy};
use crate::kernel::chance::unit;
use crate::spec::build::{Built, Names, Refusal};
use crate::spec::named::Named;

/// Chance in proportion to weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weighted {
    /// The weight of each provider that takes part; only their proportions matter.
    pub weights: Named<f64>,
}

impl BuildPolicy for Weighted {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let mut weights = Vec::new();
        for (name, &weight) in self.weights.iter() {
            let provider = names.provider(name).map_err(|r| r.at(name).at("weights"))?;
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(Refusal::new(format!("a weight of {weight}: must be 0 or more"))
                    .at(name)
                    .at("weights"));
            }
            weights.push((provider, weight));
        }
        if !weights.iter().any(|&(_, w)| w > 0.0) {
            return Err(Refusal::new("at least one weight must be above 0").at("weights"));
        }
        Ok(Box::new(Running { weights }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    weights: Vec<(usize, f64)>,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let open = |&&(provider, weight): &&(usize, f64)| weight > 0.0 && fleet.is_open_to_calls(provider);
        let total: f64 = self.weights.iter().filter(open).map(|&(_, w)| w).sum();
        let mut left = unit(call.draw()) * total;
        let mut chosen = None;
        for &(provider, weight) in self.weights.iter().filter(open) {
            chosen = Some(provider);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        chosen
    }

    fn learns(&self) -> bool {
        false
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    const MIX: &str = r#"{"weighted": {"weights": {"a": 7, "b": 2, "c": 1}}}"#;

    /// Four standard deviations of a binomial count of 100,000 are under 600.
    #[test]
    fn shares_follow_the_weights() {
        let [a, b, c, none] = counts(&mut *policy(MIX), &hosts(&[]), 0, 100_000);
        assert!(a.abs_diff(70_000) < 600 && b.abs_diff(20_000) < 600 && c.abs_diff(10_000) < 600 && none == 0);
    }

    #[test]
    fn a_closed_providers_share_goes_to_the_others_in_proportion() {
        let [a, b, c, none] = counts(&mut *policy(MIX), &hosts(&[0]), 0, 90_000);
        assert!(a == 0 && b.abs_diff(60_000) < 600 && c.abs_diff(30_000) < 600 && none == 0);
        assert_eq!(counts(&mut *policy(MIX), &hosts(&[0, 1, 2]), 0, 5), [0, 0, 0, 5]);
    }

    #[test]
    fn weights_of_nothing_are_refused() {
        assert!(build(r#"{"weighted": {"weights": {"a": 0}}}"#).is_err());
        assert!(build(r#"{"weighted": {"weights": {}}}"#).is_err());
        assert!(build(r#"{"weighted": {"weights": {"a": -1, "b": 2}}}"#).is_err());
    }
}
