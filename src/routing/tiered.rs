//! By what the request is: a tier for each class, as a classifier sees it.
//!
//! Each class belongs to a tier. A classifier reads the request and is wrong sometimes: `misread` gives, for a class,
//! the probability that it lands in another tier. The reading is drawn once for each request, so retries read the same.
//! Inside a tier, retries go round its providers; if the whole tier is closed to calls, `otherwise` says where to go.
//!
//! Leaves out the keywords themselves: a simulated request has no text, so what they get wrong is a parameter.
//!
//! Keeps nothing.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `tiers` | required | from the cheapest up; each class in one |
//! | `misread` | never | 0 to 1, by class and tier |
//! | `otherwise` | `fail` | `fail`, `up`, `down` |
//!
//! Source: a published customer-service benchmark, whose three-tier routing goes by keywords.
//!
//! Known faults: a request that is misread stays so at every retry; a tier has no more room than its own providers,
//! however idle the others are.
//!
//! ```json
//! { "tiered": {
//!     "tiers": [ { "name": "fast", "providers": ["deepseek"], "classes": ["order_status"] },
//!                { "name": "premium", "providers": ["claude"], "classes": ["complaint"] } ],
//!     "misread": { "complaint": { "fast": 0.03 } },
//!     "otherwise": "up" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Misread, Reading, readings};
use super::{BuildPolicy, Call, Fleet, Policy, Wants};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::words::Unit;

/// Tiers by class, and a classifier that may err.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tiered {
    /// The tiers, from the cheapest up.
    pub tiers: Vec<Tier>,
    /// The probability for a class that it is read as belonging to each other tier. Default: never misread.
    #[serde(default)]
    pub misread: Named<Misread>,
    /// The tier to which a request goes when its whole own tier is closed to calls. Default: `fail`.
    #[serde(default)]
    pub otherwise: Otherwise,
}

/// One tier of providers and classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The name of the tier, which `misread` uses.
    pub name: String,
    /// The providers of the tier, in order of preference.
    pub providers: Vec<String>,
    /// The classes that belong to the tier. Every class must belong to exactly one tier.
    #[serde(default)]
    pub classes: Vec<String>,
}

/// The tier to which a request goes when its whole own tier is closed to calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// No other tier: the request fails.
    #[default]
    Fail,
    /// The next tier up, and so on.
    Up,
    /// The next tier down, and so on.
    Down,
}

impl BuildPolicy for Tiered {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.tiers.is_empty() {
            return Err(Refusal::new("there must be at least one tier").at("tiers"));
        }
        let mut tiers: Vec<Vec<usize>> = Vec::new();
        let mut home = vec![None; names.classes.len()];
        for (t, tier) in self.tiers.iter().enumerate() {
            if self.tiers[..t].iter().any(|other| other.name == tier.name) {
                let text = format!("a second tier named `{}`", tier.name);
                return Err(Refusal::new(text).at("name").at(t).at("tiers"));
            }
            if tier.providers.is_empty() {
                return Err(Refusal::new("a tier needs at least one provider")
                    .at("providers")
                    .at(t)
                    .at("tiers"));
            }
            let providers = names
                .each_provider(&tier.providers)
                .map_err(|r| r.at("providers").at(t).at("tiers"))?;
            tiers.push(providers);
            for (i, class) in tier.classes.iter().enumerate() {
                let here = |r: Refusal| r.at(i).at("classes").at(t).at("tiers");
                let index = names.class(class).map_err(here)?;
                if let Some(other) = home[index].replace(t) {
                    let other = &self.tiers[other].name;
                    let text = format!("class `{class}` belongs to tier `{other}` already");
                    return Err(here(Refusal::new(text)));
                }
            }
        }
        let homes: Vec<usize> = (names.classes.iter().zip(home))
            .map(|(class, home)| {
                let text = || format!("class `{class}` belongs to no tier: list it in the `classes` of one");
                home.ok_or_else(|| Refusal::new(text()).at("tiers"))
            })
            .collect::<Built<_>>()?;
        let kinds: Vec<String> = self.tiers.iter().map(|t| t.name.clone()).collect();
        let readings = readings(&self.misread, &homes, "tier", &kinds, names)?;
        Ok(Box::new(Running {
            tiers,
            readings,
            otherwise: self.otherwise,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    tiers: Vec<Vec<usize>>,
    readings: Vec<Reading>,
    otherwise: Otherwise,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let mut tier = self.readings[call.class].of(call);
        loop {
            let providers = &self.tiers[tier];
            for &p in providers {
                fleet.tell(p, || ("tier", Unit::Number, tier as f64 + 1.0));
            }
            let first = call.attempts as usize % providers.len();
            let (before, after) = providers.split_at(first);
            let open = after.iter().chain(before).copied().find(|&p| fleet.is_open_to_calls(p));
            if open.is_some() {
                return open;
            }
            tier = match self.otherwise {
                Otherwise::Up if tier + 1 < self.tiers.len() => tier + 1,
                Otherwise::Down if tier > 0 => tier - 1,
                Otherwise::Up | Otherwise::Down | Otherwise::Fail => return None,
            };
        }
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
    use super::super::Fleet;
    use super::super::testing::*;
    use crate::kernel::time::Time;

    fn spec(rest: &str) -> String {
        format!(
            r#"{{"tiered": {{"tiers": [
                {{"name": "low", "providers": ["a", "b"], "classes": ["x"]}},
                {{"name": "high", "providers": ["c"], "classes": ["y"]}}]{rest}}}}}"#
        )
    }

    #[test]
    fn a_class_goes_to_its_tier() {
        let mut policy = policy(&spec(""));
        assert_eq!(counts(&mut *policy, &hosts(&[]), 0, 10), [10, 0, 0, 0]);
        assert_eq!(counts(&mut *policy, &hosts(&[]), 1, 10), [0, 0, 10, 0]);
    }

    /// A tenth of x is read as high: four standard deviations of 100,000 are 380.
    #[test]
    fn a_misread_class_goes_to_the_wrong_tier_as_often_as_said() {
        let mut policy = policy(&spec(r#", "misread": {"x": {"high": 0.1}}"#));
        let [a, _, c, _] = counts(&mut *policy, &hosts(&[]), 0, 100_000);
        assert!(c.abs_diff(10_000) < 380 && a + c == 100_000);
        assert_eq!(counts(&mut *policy, &hosts(&[]), 1, 10), [0, 0, 10, 0]);
    }

    #[test]
    fn a_retry_moves_on_within_the_tier() {
        let (mut policy, hosts) = (policy(&spec("")), hosts(&[]));
        let fleet = Fleet::new(&hosts, None, Time::ZERO);
        let route = [0, 1, 2].map(|attempts| policy.choose(&super::Call { attempts, ..call(0, 0) }, &fleet));
        assert_eq!(route, [Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn a_closed_tier_fails_or_hands_on() {
        let closed = hosts(&[0, 1]);
        assert_eq!(counts(&mut *policy(&spec("")), &closed, 0, 5), [0, 0, 0, 5]);
        assert_eq!(
            counts(&mut *policy(&spec(r#", "otherwise": "up""#)), &closed, 0, 5),
            [0, 0, 5, 0]
        );
        assert_eq!(
            counts(&mut *policy(&spec(r#", "otherwise": "down""#)), &hosts(&[2]), 1, 5),
            [5, 0, 0, 0]
        );
    }

    #[test]
    fn every_class_needs_one_tier() {
        for (json, message) in [
            (
                r#"{"tiered": {"tiers": [{"name": "t", "providers": ["a"], "classes": ["x"]}]}}"#,
                "class `y` belongs to no tier: list it in the `classes` of one",
            ),
            (
                r#"{"tiered": {"tiers": [{"name": "t", "providers": ["a"], "classes": ["x", "y", "x"]}]}}"#,
                "class `x` belongs to tier `t` already",
            ),
        ] {
            assert_eq!(build(json).err().unwrap().message, message);
        }
        let misread = spec(r#", "misread": {"x": {"hgih": 0.1}}"#);
        assert_eq!(build(&misread).err().unwrap().allowed, ["low", "high"]);
    }
}
