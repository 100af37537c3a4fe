//! LiteLLM's complexity router: a score of the prompt puts the request into one of four tiers.
//!
//! The score is a weighted sum of seven features; below the boundaries it is `SIMPLE`, `MEDIUM`, `COMPLEX`, and from the last on
//! `REASONING`. A simulated request has no text, so of the seven only the token count (weight 0.10) is computed: −1 below 15 tokens, 1
//! above 400, else 0, of the last user message, which is `message` of the input. What the other six add up to is a law by class,
//! `score`, drawn once for each request. Two reasoning markers or more are `REASONING` whatever the score: a probability by class.
//!
//! A tier has providers, of which the first that is open is taken and after a failure the next, or a policy. A tier that is left out
//! goes by `default`, else by `MEDIUM`. Keeps nothing itself.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `tiers.*.providers`, `tiers.*.policy` | none | one of the two |
//! | `default.providers`, `default.policy` | none | one of the two |
//! | `score` | required | a law by class |
//! | `reasoning` | 0 | 0 to 1, by class |
//! | `message` | 1 | 0 to 1 |
//! | `token_weight` | 0.10 | 0 or more |
//! | `token_thresholds` | `[15, 400]` | |
//! | `boundaries` | `[0.15, 0.35, 0.60]` | not falling |
//!
//! Source: LiteLLM, `router_strategy/complexity_router/complexity_router.py` (a5f1460). Weights of the other six, to
//! make a law of them: code 0.30 (one keyword counts half), reasoning 0.25 (one counts 0.7), technical terms 0.25 (two
//! count half, four all), simple indicators −0.05, several steps 0.015, four questions or more 0.01. A law has no
//! values below 0; by the published boundaries nothing hangs on them.
//!
//! Known faults: it reads the last user message alone, so that a long conversation that ends in a short question is
//! `SIMPLE`; a tier is not a fallback for another.
//!
//! ```json
//! { "complexity": {
//!     "tiers": { "SIMPLE": { "providers": ["small"] }, "MEDIUM": { "providers": ["medium"] }, "REASONING": { "policy": "p2c" } },
//!     "score": { "chat": { "uniform": { "min": 0, "max": 0.3 } }, "code": { "constant": 0.55 } },
//!     "reasoning": { "code": "10%" } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Fork, Forked, Wrap, either};
use super::{BuildPolicy, Call, Policy, PolicySpec};
use crate::form::build::{Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::units::Fraction;
use crate::kernel::chance::{Purpose, threshold};
use crate::kernel::sampler::Sampler;

/// Tiers by a complexity score of the prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Complexity {
    /// The targets of the requests of each tier.
    pub tiers: Tiers,
    /// The target of the requests of a tier that is left out. Default: that of `MEDIUM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Target>,
    /// The law of each class's score, without the token count.
    pub score: Named<LawSpec<f64>>,
    /// The probability that a request of a class has two reasoning markers. Default: 0.
    #[serde(default)]
    pub reasoning: Named<Fraction>,
    /// The share of the input that is the last user message. Default: 1.
    #[serde(default = "whole")]
    pub message: Fraction,
    /// The weight of the token count. Default: 0.10.
    #[serde(default = "token_weight")]
    pub token_weight: f64,
    /// The tokens below which a message is short, and those above which it is long. Default: 15 and 400.
    #[serde(default = "token_thresholds")]
    pub token_thresholds: [u32; 2],
    /// The scores from which on a request is `MEDIUM`, `COMPLEX` and `REASONING`. Default: 0.15, 0.35 and 0.60.
    #[serde(default = "boundaries")]
    pub boundaries: [f64; 3],
}

fn whole() -> Fraction {
    Fraction::ONE
}

fn token_weight() -> f64 {
    0.10
}

fn token_thresholds() -> [u32; 2] {
    [15, 400]
}

fn boundaries() -> [f64; 3] {
    [0.15, 0.35, 0.60]
}

/// The targets of the four tiers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "UPPERCASE", default)]
pub struct Tiers {
    /// The target of basic questions and greetings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simple: Option<Target>,
    /// The target of standard queries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<Target>,
    /// The target of technical requests of several parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complex: Option<Target>,
    /// The target of chains of thought and analysis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Target>,
}

/// The providers or the policy for the requests of a tier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// The providers of the tier, in order of preference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// The policy of the tier, instead of `providers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<PolicySpec>>,
}

impl BuildPolicy for Complexity {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let build = |target: &Target| either(&target.providers, target.policy.as_deref(), names);
        let mut branches = Vec::new();
        let tiers = &self.tiers;
        let given = [&tiers.simple, &tiers.medium, &tiers.complex, &tiers.reasoning];
        let mut places = [None; 4];
        for ((target, place), name) in given.into_iter().zip(&mut places).zip(TIERS) {
            if let Some(target) = target {
                *place = Some(branches.len());
                branches.push(build(target).map_err(|r| r.at(name).at("tiers"))?);
            }
        }
        let mut default = places[1];
        if let Some(target) = &self.default {
            default = Some(branches.len());
            branches.push(build(target).map_err(|r| r.at("default"))?);
        }
        let mut to = [0; 4];
        for ((to, place), name) in to.iter_mut().zip(places).zip(TIERS) {
            let text = || format!("where `{name}` goes is not said: give that tier, `default` or `MEDIUM`");
            *to = place.or(default).ok_or_else(|| Refusal::new(text()).at("tiers"))?;
        }
        if !(self.token_weight >= 0.0 && self.token_weight.is_finite()) {
            let text = format!("{}: must be 0 or more", self.token_weight);
            return Err(Refusal::new(text).at("token_weight"));
        }
        if !self.boundaries.is_sorted() {
            return Err(Refusal::new("the boundaries must not fall").at("boundaries"));
        }
        Ok(Forked {
            fork: Scores {
                classes: self.classes(names)?,
                to,
                message: self.message.get(),
                weight: self.token_weight,
                thresholds: self.token_thresholds.map(f64::from),
                boundaries: self.boundaries,
            },
            branches: Branches::new(branches),
        }
        .wrapped())
    }
}

impl Complexity {
    fn classes(&self, names: &Names<'_>) -> Built<Vec<Class>> {
        for class in self.score.names() {
            names.class(&class).map_err(|r| r.at(&*class).at("score"))?;
        }
        for class in self.reasoning.names() {
            names.class(&class).map_err(|r| r.at(&*class).at("reasoning"))?;
        }
        let one = |class: &String| {
            let law = self.score.get(class);
            let law = law.ok_or_else(|| Refusal::new(format!("class `{class}` has no score")).at("score"))?;
            Ok(Class {
                score: law.sampler(names).map_err(|r| r.at(&**class).at("score"))?,
                reasoning: threshold(self.reasoning.get(class).map_or(0.0, |share| share.get())),
            })
        };
        names.classes.iter().map(one).collect()
    }
}

const TIERS: [&str; 4] = ["SIMPLE", "MEDIUM", "COMPLEX", "REASONING"];

#[derive(Clone, Debug)]
struct Class {
    score: Sampler,
    /// The draw below which a request has two reasoning markers.
    reasoning: u64,
}

#[derive(Clone, Debug)]
struct Scores {
    classes: Vec<Class>,
    /// The branch of each tier.
    to: [usize; 4],
    message: f64,
    weight: f64,
    thresholds: [f64; 2],
    boundaries: [f64; 3],
}

impl Fork for Scores {
    #[inline]
    fn branch(&self, call: &Call) -> Option<usize> {
        let class = &self.classes[call.class];
        if class.reasoning > 0 && call.request.part(1).draw(Purpose::Classify) < class.reasoning {
            return Some(self.to[3]);
        }
        let tokens = (f64::from(call.input) * self.message).floor();
        let length = if tokens < self.thresholds[0] {
            -1.0
        } else if tokens > self.thresholds[1] {
            1.0
        } else {
            0.0
        };
        let score = class.score.draw(call.request, Purpose::Classify) + self.weight * length;
        let tier = self.boundaries.iter().filter(|&&from| score >= from).count();
        Some(self.to[tier])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{Call, Fleet};
    use crate::kernel::time::Time;

    /// SIMPLE is a, REASONING is c, and the others b.
    fn spec(score: &str, more: &str) -> String {
        format!(
            r#"{{"complexity": {{"tiers": {{"SIMPLE": {{"providers": ["a"]}}, "MEDIUM": {{"policy": {{"chain": {{"providers": ["b", "a"]}}}}}},
                "REASONING": {{"providers": ["c"]}}}}, "score": {{"x": {score}, "y": {{"constant": 0}}}} {more}}}}}"#
        )
    }

    fn goes(score: f64, input: u32, more: &str) -> Option<usize> {
        let mut policy = policy(&spec(&format!(r#"{{"constant": {score}}}"#), more));
        let call = Call { input, ..call(0, 0) };
        policy.choose(&call, &Fleet::new(&hosts(&[]), None, Time::ZERO))
    }

    /// What `classify` gives: the token count moves a score by 0.10 at most, and a boundary belongs to the upper tier.
    #[test]
    fn a_score_has_its_tier() {
        for (score, input, expected) in [
            (0.14, 100, 0),
            (0.15, 100, 1),
            (0.35, 100, 1),
            (0.59, 100, 1),
            (0.60, 100, 2),
            (0.20, 14, 0),
            (0.20, 15, 1),
            (0.10, 400, 0),
            (0.10, 401, 1),
            (0.55, 401, 2),
        ] {
            assert_eq!(goes(score, input, ""), Some(expected), "{score} {input}");
        }
        assert_eq!(goes(0.55, 4010, r#", "message": "10%""#), Some(2), "401 tokens");
        assert_eq!(goes(0.55, 4009, r#", "message": "10%""#), Some(1), "400 tokens");
        assert_eq!(goes(0.5, 100, r#", "boundaries": [0.1, 0.2, 0.5]"#), Some(2));
    }

    /// A tenth is between 0.10 and 0.20 above the boundary of 0.15 by half; four standard deviations of 40,000 are under 400.
    #[test]
    fn a_score_is_drawn_by_its_law_and_markers_by_their_share() {
        let uniform = r#"{"uniform": {"min": 0.1, "max": 0.2}}"#;
        // Inputs of 0 are short, which takes 0.1 off.
        let [a, b, _, _] = counts(
            &mut *policy(&spec(uniform, r#", "token_weight": 0"#)),
            &hosts(&[]),
            0,
            40_000,
        );
        assert!(a.abs_diff(20_000) < 400 && a + b == 40_000, "{a} {b}");
        let marked = spec(uniform, r#", "reasoning": {"x": 0.25}"#);
        let [a, _, c, _] = counts(&mut *policy(&marked), &hosts(&[]), 0, 40_000);
        assert!(c.abs_diff(10_000) < 400 && a + c == 40_000, "{a} {c}");
    }

    #[test]
    fn a_tier_left_out_goes_by_the_default() {
        assert_eq!(goes(0.5, 100, r#", "default": {"providers": ["a"]}"#), Some(0));
        let closed = counts(
            &mut *policy(&spec(r#"{"constant": 0.3}"#, r#", "token_weight": 0"#)),
            &hosts(&[1]),
            0,
            10,
        );
        assert_eq!(closed, [10, 0, 0, 0], "the second of the policy of its tier");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let score = r#""score": {"x": {"constant": 0}, "y": {"constant": 0}}"#;
        for (json, path, message) in [
            (
                format!(r#"{{"complexity": {{"tiers": {{"SIMPLE": {{"providers": ["a"]}}}}, {score}}}}}"#),
                "tiers",
                "where `MEDIUM` goes is not said: give that tier, `default` or `MEDIUM`",
            ),
            (
                format!(r#"{{"complexity": {{"tiers": {{"SIMPLE": {{}}}}, {score}}}}}"#),
                "tiers/SIMPLE",
                "give either `providers` or `policy`",
            ),
            (
                r#"{"complexity": {"tiers": {"MEDIUM": {"providers": ["a"]}}, "score": {"x": {"constant": 0}}}}"#
                    .to_owned(),
                "score",
                "class `y` has no score",
            ),
            (
                spec(r#"{"constant": 1}"#, r#", "boundaries": [0.5, 0.2, 0.6]"#),
                "boundaries",
                "the boundaries must not fall",
            ),
            (
                spec(r#"{"constant": 1}"#, r#", "reasoning": {"z": 1}"#),
                "reasoning/z",
                "there is no class `z`",
            ),
            (
                spec(r#"{"constant": 1}"#, r#", "token_weight": -1"#),
                "token_weight",
                "-1: must be 0 or more",
            ),
        ] {
            assert_eq!(refused(&json), (path.to_owned(), message.to_owned()));
        }
    }
}
