//! Levels: everything to the lowest level with any provider open, by weight inside it.
//!
//! The first level that has a provider open to calls is used, and one of those in it is drawn in proportion to its
//! weight. Each attempt draws anew.
//!
//! Keeps nothing.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `levels` | required | one or more; weights above 0 |
//!
//! Sources: LiteLLM's `order` (the lowest value that still has a healthy deployment, then its default shuffle); Envoy's
//! priorities without their overprovisioning; Kong's `priority` balancer.
//!
//! Known faults: without a breaker no provider is ever closed, and no level but the first is used.
//!
//! ```json
//! { "priority": { "levels": [ { "a": 3, "b": 1 }, { "c": 1 } ] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wheel::Wheel;
use super::{BuildPolicy, Call, Fleet, Policy, weight};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;

/// Levels of providers, by weight inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Priority {
    /// The levels, first choice first: the weights of their providers, above 0, of which only proportions matter.
    #[schemars(length(min = 1))]
    pub levels: Vec<Named<f64>>,
}

impl BuildPolicy for Priority {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.levels.is_empty() {
            return Err(Refusal::new("there must be at least one level").at("levels"));
        }
        let mut taken = vec![false; names.providers.len()];
        let mut levels = Vec::new();
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
            levels.push(Wheel::new(weights));
        }
        Ok(Box::new(Running { levels }))
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
