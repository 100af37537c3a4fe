//! LiteLLM's adaptive router: Thompson sampling of quality for each type of request and model, and a price.
//!
//! For each class (their request type) and model a belief Beta(α, β) is kept. It begins with a mass of 10 and the mean
//! of the model's `tier` (1: 0.3, 2: 0.5, 3: 0.7), 0.3 more if the class is among its `strengths`, at most 0.95. For
//! every attempt the model with the highest `quality` · (a draw from its belief) + `cost` · (1 − its place between the
//! lowest and the highest price of an input token) wins, of equals the first; if all prices are the same, that place
//! counts 0.5. With an `exploration_rate` below 1 the other requests go by the mean instead of a draw. A sign that an
//! answer was good adds 1 to α, one that it was bad adds 1 to β; beyond α + β = 200 nothing is added.
//!
//! Signs are found in what users write next; here `feedback` says of which share of the answers there is one, and it is
//! right. Failed calls are not a sign. Leaves out priors from offline evaluations, sessions, and the signs that add a
//! half.
//!
//! Keeps two numbers for each class and model, for ever.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `models` | every provider, tier 2 | by provider |
//! | `models.tier` | 2 | 1 to 3 |
//! | `models.strengths` | none | classes |
//! | `quality`, `cost` | 0.7, 0.3 | 0 to 1; must add up to 1 |
//! | `exploration_rate` | 1 | 0 to 1 |
//! | `feedback` | 20 % | above 0, to 1 |
//!
//! Sources: `BerriAI/litellm` 2026-10, `router_strategy/adaptive_router/bandit.py`, `config.py`, `README.md`.
//!
//! Known faults: once 190 signs have been seen nothing more is learned, whatever changes; latency and failures
//! do not count; its constants are said to be guesses; it refuses providers that are not sold by the token.
//!
//! ```json
//! { "litellm_adaptive": { "models": { "small": { "tier": 1 }, "large": { "tier": 3, "strengths": ["code"] } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bandit::rated;
use super::{BuildPolicy, Call, Fleet, Policy, Wants, lowest, prices};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::Fraction;
use crate::kernel::beta::beta;
use crate::kernel::chance::{Purpose, threshold};
use crate::words::Ended;

/// The mass that a belief begins with, and the most that it holds.
const PRIOR_MASS: f64 = 10.0;
const MOST_MASS: f64 = 200.0;
/// The mean that a belief begins with, by tier, and what a strength adds.
const TIER_MEANS: [f64; 3] = [0.3, 0.5, 0.7];
const STRENGTH: f64 = 0.3;
const HIGHEST_MEAN: f64 = 0.95;

/// LiteLLM's adaptive router: Thompson sampling of quality, and a price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LitellmAdaptive {
    /// The models that take part, and what is assumed of them beforehand. Default: every provider, of tier 2.
    pub models: Named<AdaptiveModel>,
    /// The weight of quality, 0 to 1. Default: 0.7.
    pub quality: Fraction,
    /// The weight of a low price, 0 to 1. Default: 0.3.
    pub cost: Fraction,
    /// The share of requests that go by a draw; the others go by the mean. Default: 1.
    pub exploration_rate: Fraction,
    /// The share of answers with a sign of whether they were good, above 0. Default: 20 %.
    pub feedback: Fraction,
}

/// The assumptions about a model beforehand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveModel {
    /// The tier: 1 for a cheap model, 3 for one of the best. Default: 2.
    #[schemars(range(min = 1, max = 3))]
    pub tier: u8,
    /// The classes that the model is good at. Default: none.
    pub strengths: Vec<String>,
}

impl Default for AdaptiveModel {
    fn default() -> Self {
        AdaptiveModel {
            tier: 2,
            strengths: Vec::new(),
        }
    }
}

impl Default for LitellmAdaptive {
    fn default() -> Self {
        let fraction = |value| Fraction::new(value).unwrap_or_default();
        LitellmAdaptive {
            models: Named::default(),
            quality: fraction(0.7),
            cost: fraction(0.3),
            exploration_rate: Fraction::ONE,
            feedback: fraction(0.2),
        }
    }
}

impl BuildPolicy for LitellmAdaptive {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if (self.quality.get() + self.cost.get() - 1.0).abs() > 1e-9 {
            return Err(Refusal::new("`quality` and `cost` must add up to 1").at("cost"));
        }
        if self.feedback.get() <= 0.0 {
            return Err(Refusal::new("0: without any sign nothing is learned").at("feedback"));
        }
        let everybody = || {
            names
                .providers
                .iter()
                .map(|name| (name.clone(), AdaptiveModel::default()))
        };
        let all: Named<AdaptiveModel> = everybody().collect();
        let models = if self.models.is_empty() { &all } else { &self.models };
        let classes = names.classes.len();
        let mut order = Vec::new();
        let mut beliefs = vec![(1.0, 1.0); names.providers.len() * classes];
        for (name, model) in models.iter() {
            let here = |r: Refusal| r.at(name).at("models");
            let p = names.provider(name).map_err(here)?;
            let tier = usize::from(model.tier).checked_sub(1).and_then(|t| TIER_MEANS.get(t));
            let Some(base) = tier else {
                let text = format!("{}: must be 1, 2 or 3", model.tier);
                return Err(here(Refusal::new(text).at("tier")));
            };
            let mut means = vec![*base; classes];
            for (i, class) in model.strengths.iter().enumerate() {
                let c = names.class(class).map_err(|r| here(r.at(i).at("strengths")))?;
                means[c] = (base + STRENGTH).min(HIGHEST_MEAN);
            }
            for (c, mean) in means.into_iter().enumerate() {
                beliefs[p * classes + c] = (mean * PRIOR_MASS, (1.0 - mean) * PRIOR_MASS);
            }
            order.push(p);
        }
        rated(&order, names).map_err(|r| r.at("models"))?;
        let prices = prices(&order, names)?;
        let input = |p: usize| prices[p].0 as f64;
        let lowest = order.iter().map(|&p| input(p)).fold(f64::INFINITY, f64::min);
        let highest = order.iter().map(|&p| input(p)).fold(0.0, f64::max);
        let cheapness = |p: usize| {
            if highest > lowest {
                1.0 - (input(p) - lowest) / (highest - lowest)
            } else {
                0.5
            }
        };
        Ok(Box::new(Running {
            bonus: (0..names.providers.len())
                .map(|p| self.cost.get() * cheapness(p))
                .collect(),
            order,
            beliefs,
            classes,
            quality: self.quality.get(),
            explores: self.exploration_rate,
            feedback: threshold(self.feedback.get()),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    /// The parameters α and β of each belief, by provider and class.
    beliefs: Vec<(f64, f64)>,
    classes: usize,
    /// The amount that a provider's price adds to its score.
    bonus: Vec<f64>,
    quality: f64,
    explores: Fraction,
    feedback: u64,
}

impl Policy for Running {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let explores = call.draw_once() <= threshold(self.explores.get()) && self.explores.get() > 0.0;
        lowest(&self.order, |p| {
            let (a, b) = self.beliefs[p * self.classes + call.class];
            fleet.is_open_to_calls(p).then(|| {
                let quality = if explores {
                    beta(a, b, &mut call.attempt.part(p as u64).stream(Purpose::Route))
                } else {
                    a / (a + b)
                };
                -(self.quality * quality + self.bonus[p])
            })
        })
    }

    fn wants(&self) -> Wants {
        Wants {
            grades: self.feedback,
            ..Wants::LEARNS
        }
    }

    fn learn(&mut self, ended: &Ended) {
        let Some(good) = ended.grade else { return };
        let (a, b) = &mut self.beliefs[ended.provider * self.classes + usize::from(ended.class)];
        if *a + *b + 1.0 > MOST_MASS {
            return;
        }
        *(if good { a } else { b }) += 1.0;
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::PolicySpec;
    use super::super::testing::*;
    use super::*;
    use crate::form::build::Known;
    use crate::kernel::time::Time;
    use crate::words::Outcome;

    /// Input tokens of a, b, c cost 1, 2, 5.
    fn built(json: &str) -> Built<Box<dyn Policy>> {
        let (providers, classes) = (["a", "b", "c"].map(String::from), ["x", "y"].map(String::from));
        let known = [1, 2, 5].map(|price| Known {
            price: Some((price, 7)),
            quality: vec![500_000; 2],
            ..Known::default()
        });
        let spec: PolicySpec = serde_json::from_str(json).unwrap();
        spec.as_dyn().build(&Names {
            providers: &providers,
            classes: &classes,
            known: &known,
            ..Names::default()
        })
    }

    fn by_mean(models: &str) -> Box<dyn Policy> {
        built(&format!(
            r#"{{"litellm_adaptive": {{"exploration_rate": 0, "models": {{{models}}}}}}}"#
        ))
        .unwrap()
    }

    fn next(policy: &mut dyn Policy, class: usize) -> Option<usize> {
        policy.choose(&call(0, class), &Fleet::new(&hosts(&[]), None, Time::ZERO))
    }

    fn signs(policy: &mut dyn Policy, p: usize, good: bool, n: u32) {
        for _ in 0..n {
            let mut ended = Ended::new(Time::ZERO, p, Outcome::Success);
            ended.grade = Some(good);
            policy.learn(&ended);
        }
    }

    /// 0.7·0.3 + 0.3 = 0.51 against 0.7·0.7 + 0 = 0.49; where the dear one is strong, 0.7·0.95 = 0.665.
    #[test]
    fn tiers_strengths_and_prices_decide_beforehand() {
        let mut policy = by_mean(r#""a": {"tier": 1}, "c": {"tier": 3, "strengths": ["y"]}"#);
        assert_eq!((next(&mut *policy, 0), next(&mut *policy, 1)), (Some(0), Some(2)));
    }

    /// Against 0.51 a score of 0.7·m needs m > 0.7286: (7 + k)/(10 + k) passes it at k = 2.
    #[test]
    fn signs_move_a_belief_until_it_is_full() {
        let mut policy = by_mean(r#""a": {"tier": 1}, "c": {"tier": 3}"#);
        signs(&mut *policy, 2, true, 1);
        assert_eq!(next(&mut *policy, 0), Some(0));
        signs(&mut *policy, 2, true, 1);
        assert_eq!(next(&mut *policy, 0), Some(2));
        signs(&mut *policy, 2, true, 188);
        signs(&mut *policy, 2, false, 10_000);
        assert_eq!(next(&mut *policy, 0), Some(2), "190 signs, and no more are heard");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (rest, message) in [
            (r#""quality": 0.5"#, "`quality` and `cost` must add up to 1"),
            (r#""models": {"a": {"tier": 4}}"#, "4: must be 1, 2 or 3"),
            (r#""feedback": 0"#, "0: without any sign nothing is learned"),
        ] {
            let refusal = built(&format!(r#"{{"litellm_adaptive": {{{rest}}}}}"#)).err().unwrap();
            assert_eq!(refusal.message, message);
        }
    }
}
