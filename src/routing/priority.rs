//! Levels: everything to the lowest level with any provider open, by weight inside it.
//!
//! The first level that has a provider open to calls is used, and one of those in it is drawn in proportion to its
//! weight, or by `inside`. Each attempt draws anew.
//!
//! - `overprovisioning`, Envoy's: a level takes min(100 %, the factor × the share of its providers that are well) of all calls, the next
//!   what is left; where none is well, each its share of all providers. Below half, the breaker `envoy_outlier` lets calls through
//!   to all of a level, if it has the same `levels`.
//! - `attempts_per_level`, Envoy's `previous_priorities` (`numAttemptsPerPriority` of Envoy Gateway): after each so many attempts the levels
//!   that they were at are left out, until none is left; then it begins anew.
//! - `previous_hosts`, Envoy's predicate of that name with its `host_selection_retry_max_attempts`: a choice that falls on a provider
//!   which the request has tried is drawn again, up to so many times; the last draw counts.
//!
//! Keeps nothing but, of a request, with `attempts_per_level` or `previous_hosts`, where it has been.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `levels` | required | 1 or more, with Envoy's parameters at most 8; weights above 0 |
//! | `inside` | by weight | a policy for each level |
//! | `overprovisioning` | none: the first level that has one open takes all | 1 to 100 |
//! | `attempts_per_level` | none | 1 to 100 |
//! | `previous_hosts` | none | 1 to 100; at most 40 providers |
//!
//! Sources: LiteLLM's `order` (the lowest value that still has a healthy deployment, then its default shuffle); Kong's `priority` balancer;
//! Envoy's `load_balancer_base.cc`, `extensions/retry/priority/previous_priorities`, `extensions/retry/host/previous_hosts`.
//!
//! Known faults: without a breaker no provider is ever closed, and without `attempts_per_level` no level but the first is used.
//!
//! ```json
//! { "priority": { "levels": [ { "a": 3, "b": 1 }, { "c": 1 } ], "overprovisioning": 1.4, "attempts_per_level": 2 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod envoy;

use super::branches::{Wrap, inside};
use super::wheel::Wheel;
use super::{BuildPolicy, Call, Fleet, Policy, PolicySpec, weight};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;

/// Levels of providers, by weight inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Priority {
    /// The levels, first choice first: the weights of their providers, above 0, of which only proportions matter.
    #[schemars(length(min = 1))]
    pub levels: Vec<Named<f64>>,
    /// The policy among the providers of each level, in the order of the levels. Default: a draw by weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<PolicySpec>,
    /// The factor by which the providers of a level are more than it needs, 1 to 100; 1.4 in Envoy. Default: none, so that the first level
    /// with a provider open takes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub overprovisioning: Option<f64>,
    /// The attempts of a request after which the levels that they were at are left out, 1 to 100. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts_per_level: Option<u32>,
    /// The times that a choice is drawn again which falls on a provider that the request has tried, 1 to 100. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub previous_hosts: Option<u32>,
}

impl BuildPolicy for Priority {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.levels.is_empty() {
            return Err(Refusal::new("there must be at least one level").at("levels"));
        }
        let mut taken = vec![false; names.providers.len()];
        let (mut levels, mut members) = (Vec::new(), Vec::new());
        for (i, level) in self.levels.iter().enumerate() {
            if level.is_empty() {
                return Err(Refusal::new("a level without providers").at(i).at("levels"));
            }
            let mut weights = Vec::new();
            for (name, &value) in level.iter() {
                let here = |r: Refusal| r.at(name).at(i).at("levels");
                let provider = names.provider(name).map_err(here)?;
                if std::mem::replace(&mut taken[provider], true) {
                    return Err(here(Refusal::new(format!("`{name}` is on a level already"))));
                }
                if weight(value).map_err(here)? == 0.0 {
                    return Err(here(Refusal::new("a weight of 0: must be above 0")));
                }
                weights.push((provider, value));
            }
            members.push(weights.iter().map(|&(p, _)| p).collect());
            levels.push(Wheel::new(weights));
        }
        let plain = self
            .overprovisioning
            .or(self.attempts_per_level.map(f64::from))
            .is_none();
        if plain && self.previous_hosts.is_none() && self.inside.is_empty() {
            return Ok(Box::new(Running { levels }));
        }
        Ok(envoy::Running::new(self, levels, members, names)?.wrapped())
    }
}

#[derive(Clone, Debug)]
struct Running {
    levels: Vec<Wheel>,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let draw = call.draw();
        self.levels
            .iter()
            .find_map(|l| l.spin(draw, |p| fleet.is_open_to_calls(p)))
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn the_first_level_with_anybody_open_takes_all() {
        let mut policy = policy(r#"{"priority": {"levels": [{"c": 3, "a": 1}, {"b": 1}]}}"#);
        let [a, b, c, _] = counts(&mut *policy, &hosts(&[]), 0, 40_000);
        assert!(a.abs_diff(10_000) < 400 && b == 0 && c == 40_000 - a);
        assert_eq!(counts(&mut *policy, &hosts(&[2]), 0, 9), [9, 0, 0, 0]);
        assert_eq!(counts(&mut *policy, &hosts(&[0, 2]), 0, 9), [0, 9, 0, 0]);
        assert_eq!(counts(&mut *policy, &hosts(&[0, 1, 2]), 0, 9), [0, 0, 0, 9]);
    }

    #[test]
    fn levels_of_nobody_and_of_one_twice_are_refused() {
        for (levels, message) in [
            ("[]", "there must be at least one level"),
            ("[{}]", "a level without providers"),
            (r#"[{"a": 1}, {"a": 1}]"#, "`a` is on a level already"),
            (r#"[{"a": 0}]"#, "a weight of 0: must be above 0"),
        ] {
            let refusal = build(&format!(r#"{{"priority": {{"levels": {levels}}}}}"#))
                .err()
                .unwrap();
            assert_eq!(refusal.message, message);
        }
    }
}
