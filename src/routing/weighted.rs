//! A weighted random choice.
//!
//! Each attempt draws anew, so a retry may land where the last attempt failed. A provider whose breaker is open is left
//! out and the others share its weight in proportion.
//!
//! Keeps nothing.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `weights` | required | 0 or more, one of them above 0 |
//!
//! Sources: LiteLLM's `simple-shuffle` with weights, Portkey's `loadbalance`, Bifrost's keys, Helicone's
//! `provider-weighted`.
//!
//! Known faults: it knows nothing of load or latency, and does not avoid where a request has just failed.
//!
//! ```json
//! { "weighted": { "weights": { "fast": 70, "balanced": 20, "premium": 10 } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wheel::Wheel;
use super::{BuildPolicy, Call, Fleet, Policy, Wants, weight};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;

/// A random choice in proportion to weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weighted {
    /// The weight of each provider that takes part; only their proportions matter.
    pub weights: Named<f64>,
}

impl BuildPolicy for Weighted {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let mut weights = Vec::new();
        for (name, &value) in self.weights.iter() {
            let here = |r: Refusal| r.at(name).at("weights");
            let provider = names.provider(name).map_err(here)?;
            weights.push((provider, weight(value).map_err(here)?));
        }
        let wheel = Wheel::new(weights);
        if wheel.is_empty() {
            return Err(Refusal::new("at least one weight must be above 0").at("weights"));
        }
        Ok(Box::new(Running { wheel }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    wheel: Wheel,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.wheel.tell(fleet);
        self.wheel.spin(call.draw(), |p| fleet.is_open_to_calls(p))
    }

    fn wants(&self) -> Wants {
        Wants::NOTHING
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
