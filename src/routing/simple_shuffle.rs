//! LiteLLM's default: a random choice by `weight`, else by `rpm`, else by `tpm`, else uniform.
//!
//! Each attempt draws anew among the deployments that may be called. The first of the vectors weight, rpm, tpm with
//! anything above 0 among them is used, and an entry that is missing counts 0: a deployment without a `weight` in a
//! group where another has one is never chosen. Up to 1.80 the first deployment that may be called decides alone which
//! vector is used, and if all entries of it are 0 the call fails.
//!
//! Keeps nothing.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `weights` | none | 0 or more |
//! | `limits.rpm`, `limits.tpm` | none | 1 or more |
//! | `limits.from_quotas` | false | true, false |
//! | `version` | `1.109` | `1.80`, `1.109` |
//!
//! Source: LiteLLM, `router_strategy/simple_shuffle.py`.
//!
//! Known faults: `rpm` and `tpm` are only weights here, not limits; a retry may land where the last attempt failed.
//! Left out: weights that come with a request.
//!
//! ```json
//! { "simple_shuffle": { "weights": { "a": 3, "b": 1 } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::litellm::{MinuteLimits, Version};
use super::wheel::Wheel;
use super::{BuildPolicy, Call, Fleet, Members, Policy, taking_part, weight};
use crate::form::build::{Built, Names};
use crate::form::named::Named;

/// A random choice by weight, else rpm, else tpm, else uniform.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimpleShuffle {
    /// The providers that take part. Default: every provider, in the experiment's order.
    #[serde(default)]
    pub providers: Members,
    /// The `weight` of deployments, 0 or more; only proportions matter. Default: none given.
    #[serde(default)]
    pub weights: Named<f64>,
    /// The `rpm` and `tpm` of deployments, which are weights here. Default: none given.
    #[serde(default)]
    pub limits: MinuteLimits,
    /// The version of LiteLLM whose rules hold. Default: `1.109`.
    #[serde(default)]
    pub version: Version,
}

impl BuildPolicy for SimpleShuffle {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        let given = self.limits.given(names)?;
        let mut weights = vec![None; names.providers.len()];
        for (name, &value) in self.weights.iter() {
            let here = |r: crate::form::build::Refusal| r.at(name).at("weights");
            let provider = names.provider(name).map_err(here)?;
            weights[provider] = Some(weight(value).map_err(here)?);
        }
        let as_weights = |limit: &dyn Fn(usize) -> Option<u64>| -> Vec<Option<f64>> {
            (0..given.len()).map(|p| limit(p).map(|n| n as f64)).collect()
        };
        let vectors = [weights, as_weights(&|p| given[p].rpm), as_weights(&|p| given[p].tpm)];
        let wheel = |of: &Vec<Option<f64>>| Wheel::new(order.iter().map(|&p| (p, of[p].unwrap_or(0.0))));
        let wheels = [
            wheel(&vectors[0]),
            wheel(&vectors[1]),
            wheel(&vectors[2]),
            Wheel::new(order.iter().map(|&p| (p, 1.0))),
        ];
        Ok(Box::new(Running {
            order,
            vectors,
            wheels,
            version: self.version,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    /// The values given as weight, rpm and tpm, by provider.
    vectors: [Vec<Option<f64>>; 3],
    /// The wheels, one for each vector, and a uniform one.
    wheels: [Wheel; 4],
    version: Version,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let open = |p: usize| fleet.is_open_to_calls(p);
        let spin = |wheel: &Wheel| {
            wheel.tell(fleet);
            wheel.spin(call.draw(), open)
        };
        match self.version {
            Version::V1_109 => self.wheels.iter().find_map(spin),
            Version::V1_80 => {
                let first = self.order.iter().copied().find(|&p| open(p))?;
                let vector = self.vectors.iter().position(|v| v[first].is_some());
                spin(&self.wheels[vector.unwrap_or(3)])
            }
        }
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    /// Four standard deviations of a binomial count of 40,000 are under 400.
    fn check(parameters: &str, closed: &[usize], expected: [u64; 4]) {
        let text = format!(r#"{{"simple_shuffle": {{{parameters}}}}}"#);
        let counts = counts(&mut *policy(&text), &hosts(closed), 0, 40_000);
        for (count, expected) in counts.into_iter().zip(expected) {
            let slack = if expected % 40_000 == 0 { 1 } else { 400 };
            assert!(count.abs_diff(expected) < slack, "{text} {closed:?}: {counts:?}");
        }
    }

    #[test]
    fn nothing_given_is_uniform() {
        check("", &[], [13_333, 13_333, 13_333, 0]);
    }

    #[test]
    fn who_has_no_weight_among_weights_is_never_chosen() {
        check(r#""weights": {"a": 3, "b": 1}"#, &[], [30_000, 10_000, 0, 0]);
    }

    #[test]
    fn the_first_vector_with_anything_among_the_open_ones_counts() {
        let given = r#""weights": {"a": 1}, "limits": {"rpm": {"b": 10, "c": 30}}"#;
        check(given, &[], [40_000, 0, 0, 0]);
        check(given, &[0], [0, 10_000, 30_000, 0]);
        check(given, &[0, 1, 2], [0, 0, 0, 40_000]);
        check(r#""limits": {"tpm": {"b": 10}}"#, &[1], [20_000, 0, 20_000, 0]);
    }

    #[test]
    fn until_1_80_the_first_alone_decides() {
        let given = r#""version": "1.80", "limits": {"rpm": {"b": 10, "c": 30}}"#;
        check(given, &[], [13_333, 13_333, 13_333, 0]);
        check(given, &[0], [0, 10_000, 30_000, 0]);
        check(r#""version": "1.80", "weights": {"a": 0}"#, &[], [0, 0, 0, 40_000]);
    }

    #[test]
    fn a_weight_below_nothing_is_refused() {
        let refusal = build(r#"{"simple_shuffle": {"weights": {"a": -1}}}"#).err().unwrap();
        assert_eq!(refusal.message, "a weight of -1: must be 0 or more");
    }
}
