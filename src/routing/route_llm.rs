//! RouteLLM: the strong model if it is likely enough to win over the weak one, else the weak one.
//!
//! A router predicts for each request the rate at which the strong model's answer would be preferred. From `threshold`
//! on the request goes to the strong model. The threshold is given, or calibrated as RouteLLM does it: the quantile of
//! the predicted rates above which the wanted share of requests lies. A request has no text here, so its predicted rate
//! is drawn from a law, for each class or for all, once: a retry and a copy go by the same prediction. Without a law
//! rates are uniform, which is RouteLLM's own `random` router. One `strong_share` for all is calibrated on all classes
//! together, each with its `calibration` weight; one for each class is calibrated on that class alone. Within a side
//! the providers are tried in order, a retry going to the next.
//!
//! Keeps nothing.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `strong`, `weak` | required | providers in order of preference |
//! | `threshold` | none | 0 to 1; or `strong_share` |
//! | `strong_share` | none | 0 to 1, or one for each class; or `threshold` |
//! | `win_rates` | uniform | a law over 0 to 1 for each class |
//! | `calibration` | 1 each | weights of 0 or more, by class; only with one `strong_share` and `win_rates` |
//! | `otherwise` | `fail` | `fail`, `other` |
//!
//! Source: Ong et al., "RouteLLM" (2024); `lm-sys/RouteLLM` 0b64fda, `routellm/controller.py` and
//! `calibrate_threshold.py`.
//!
//! Known faults: as published, it fails if the model it chose does, though the other would answer (`otherwise` mends
//! that); a threshold calibrated on other traffic sends another share to the strong model than was wanted.
//!
//! ```json
//! { "route_llm": { "strong": ["large"], "weak": ["small"], "strong_share": "30%", "win_rates": {
//!     "chat": { "uniform": { "min": 0, "max": 0.4 } },
//!     "code": { "empirical": { "quantiles": [[0, 0.1], [0.5, 0.6], [1, 0.95]] } } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Wrap};
use super::{BuildPolicy, Call, Chain, Fleet, Policy, weight};
use crate::form::build::{Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::per_class::PerClass;
use crate::form::units::Fraction;
use crate::kernel::chance::Purpose;
use crate::kernel::law::{self, Law, Tail};
use crate::kernel::sampler::Sampler;

/// The strong model from a predicted win rate on, else the weak one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteLlm {
    /// The providers of the strong model, in order of preference.
    pub strong: Vec<String>,
    /// The providers of the weak model, in order of preference.
    pub weak: Vec<String>,
    /// The predicted win rate from which on the strong model is used, 0 to 1. Give this or `strong_share`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Fraction>,
    /// The share of requests that should go to the strong model: one figure, or one for each class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strong_share: Option<PerClass<Fraction>>,
    /// The laws of the predicted win rates, for each class. Default: uniform over 0 to 1.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub win_rates: Named<LawSpec<f64>>,
    /// The weight of each class when one `strong_share` is calibrated, 0 or more. Default: 1 each.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub calibration: Named<f64>,
    /// The side that a request goes to when the one it was meant for is closed to calls. Default: `fail`.
    #[serde(default)]
    pub otherwise: OtherSide,
}

/// The side that a request goes to when the one it was meant for is closed to calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtherSide {
    /// Neither side: the request fails.
    #[default]
    Fail,
    /// The other side takes the request.
    Other,
}

/// The numbers of the two sides as branches.
const STRONG: usize = 0;
const WEAK: usize = 1;

impl BuildPolicy for RouteLlm {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let side = |field: &'static str, providers: &Vec<String>| {
            if providers.is_empty() {
                return Err(Refusal::new("there must be at least one provider").at(field));
            }
            names.each_provider(providers).map_err(|r| r.at(field))?;
            let providers = providers.clone();
            Chain {
                providers: providers.into(),
            }
            .build(names)
        };
        let sides = [side("strong", &self.strong)?, side("weak", &self.weak)?];
        let laws = self.laws(names)?;
        let thresholds = self.thresholds(names, &laws)?;
        Ok(Running {
            sides: Branches::new(sides),
            predictions: laws.iter().map(|law| Sampler::of(&**law)).zip(thresholds).collect(),
            otherwise: self.otherwise,
        }
        .wrapped())
    }
}

impl RouteLlm {
    /// The law of each class's predicted win rates.
    fn laws(&self, names: &Names<'_>) -> Built<Vec<Box<dyn Law>>> {
        for (class, _) in self.win_rates.iter() {
            names.class(class).map_err(|r| r.at(class).at("win_rates"))?;
        }
        let of = |class: &String| -> Built<Box<dyn Law>> {
            let Some(spec) = self.win_rates.get(class) else {
                if !self.win_rates.is_empty() {
                    let text = format!("class `{class}` has no law here: every class needs one");
                    return Err(Refusal::new(text).at("win_rates"));
                }
                return Ok(Box::new(law::Uniform::new(0.0, 1.0).map_err(Refusal::of)?));
            };
            let here = |r: Refusal| r.at(class.as_str()).at("win_rates");
            let law = spec.law(names).map_err(here)?;
            if law.sf(1.0) > 0.0 {
                return Err(here(Refusal::new("a win rate may not be above 1")));
            }
            Ok(law)
        };
        names.classes.iter().map(of).collect()
    }

    /// The threshold of each class.
    fn thresholds(&self, names: &Names<'_>, laws: &[Box<dyn Law>]) -> Built<Vec<f64>> {
        let pooled = matches!(self.strong_share, Some(PerClass::All(_))) && !self.win_rates.is_empty();
        if !pooled && !self.calibration.is_empty() {
            let text = "weights are only for one `strong_share` of all classes with `win_rates`";
            return Err(Refusal::new(text).at("calibration"));
        }
        match (&self.threshold, &self.strong_share) {
            (Some(threshold), None) => Ok(vec![threshold.get(); laws.len()]),
            (None, Some(PerClass::All(share))) if pooled => {
                let mut parts: Vec<(f64, Box<dyn Law>)> = Vec::new();
                for (class, _) in self.calibration.iter() {
                    names.class(class).map_err(|r| r.at(class).at("calibration"))?;
                }
                for (class, law) in names.classes.iter().zip(self.laws(names)?) {
                    let given = self.calibration.get(class).copied().unwrap_or(1.0);
                    parts.push((weight(given).map_err(|r| r.at(class.as_str()).at("calibration"))?, law));
                }
                let all = law::Mixture::new(parts).map_err(|e| Refusal::of(e).at("calibration"))?;
                Ok(vec![calibrated(&all, share.get()); laws.len()])
            }
            (None, Some(shares)) => {
                let shares = shares.by_class(names).map_err(|r| r.at("strong_share"))?;
                let each = laws.iter().zip(shares);
                Ok(each.map(|(law, share)| calibrated(&**law, share.get())).collect())
            }
            _ => Err(Refusal::new(
                "either `threshold` or `strong_share` must be given, one of them and not both",
            )),
        }
    }
}

/// The threshold from which on `share` of a law's values lie.
fn calibrated(law: &dyn Law, share: f64) -> f64 {
    if share <= 0.0 {
        f64::INFINITY
    } else if share >= 1.0 {
        0.0
    } else if share <= 0.5 {
        law.quantile(Tail::Upper(share))
    } else {
        law.quantile(Tail::Lower(1.0 - share))
    }
}

#[derive(Debug)]
struct Running {
    sides: Branches,
    /// The laws of predicted win rates, and the thresholds from which on the strong model is used, by class.
    predictions: Vec<(Sampler, f64)>,
    otherwise: OtherSide,
}

impl Running {
    /// The side that `call` goes by.
    #[inline]
    fn side(&self, call: &Call) -> usize {
        let (rates, threshold) = &self.predictions[call.class];
        if rates.draw(call.request, Purpose::Classify) >= *threshold {
            STRONG
        } else {
            WEAK
        }
    }
}

impl Wrap for Running {
    fn inside(&self) -> &Branches {
        &self.sides
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.sides
    }

    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let side = self.side(call);
        let chosen = self.sides.choose(side, call, fleet);
        if chosen.is_none() && self.otherwise == OtherSide::Other {
            return self.sides.choose(STRONG + WEAK - side, call, fleet);
        }
        chosen
    }

    fn handler(&mut self, call: &Call) -> Option<usize> {
        Some(self.side(call))
    }

    fn fresh(&self) -> Self {
        Running {
            sides: self.sides.fresh(),
            predictions: self.predictions.clone(),
            otherwise: self.otherwise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;

    fn spec(rest: &str) -> String {
        format!(r#"{{"route_llm": {{"strong": ["c"], "weak": ["a", "b"], {rest}}}}}"#)
    }

    /// How many of 10,000 requests of each class go to the strong model; four standard deviations are at most 200.
    fn strong(rest: &str) -> [u64; 2] {
        let mut policy = policy(&spec(rest));
        [0, 1].map(|class| {
            let [a, _, c, _] = counts(&mut *policy, &hosts(&[]), class, 10_000);
            assert_eq!(a + c, 10_000);
            c
        })
    }

    fn assert_near(found: [u64; 2], wanted: [u64; 2]) {
        assert!(
            (0..2).all(|i| found[i].abs_diff(wanted[i]) <= 200),
            "{found:?}, not {wanted:?}"
        );
    }

    const LAWS: &str =
        r#""win_rates": {"x": {"uniform": {"min": 0, "max": 0.5}}, "y": {"uniform": {"min": 0, "max": 1}}}"#;

    #[test]
    fn the_strong_share_is_what_was_asked_for() {
        assert_near(strong(r#""strong_share": "30%""#), [3000; 2]);
        assert_near(strong(r#""strong_share": {"x": 0.2, "y": 0.9}"#), [2000, 9000]);
        assert_eq!(strong(r#""strong_share": 0"#), [0; 2]);
        assert_eq!(strong(r#""strong_share": 1"#), [10_000; 2]);
        assert_near(strong(r#""threshold": 0.25"#), [7500; 2]);
        assert_near(strong(&format!(r#""threshold": 0.25, {LAWS}"#)), [5000, 7500]);
    }

    /// Above 0.4 lie a fifth of x and three fifths of y: 0.4 of both together.
    #[test]
    fn one_share_is_calibrated_on_all_classes_together() {
        assert_near(strong(&format!(r#""strong_share": 0.4, {LAWS}"#)), [2000, 6000]);
        // 0.75·(1 − 2t) + 0.25·(1 − t) = 0.4 at t = 0.6/1.75.
        let weighed = format!(r#""strong_share": 0.4, {LAWS}, "calibration": {{"x": 3}}"#);
        assert_near(strong(&weighed), [3143, 6571]);
    }

    #[test]
    fn a_retry_stays_on_its_side_and_the_other_side_is_asked_only_if_said() {
        let route = |rest: &str, closed: &[usize], last| {
            let hosts = hosts(closed);
            let call = Call { last, ..call(0, 0) };
            policy(&spec(rest)).choose(&call, &Fleet::new(&hosts, None, Time::ZERO))
        };
        assert_eq!(route(r#""strong_share": 0"#, &[], Some(0)), Some(1));
        assert_eq!(route(r#""strong_share": 1"#, &[2], None), None);
        assert_eq!(route(r#""strong_share": 1, "otherwise": "other""#, &[2], None), Some(0));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (rest, message) in [
            (
                r#""strong_share": 0.1, "threshold": 0.5"#,
                "either `threshold` or `strong_share` must be given, one of them and not both",
            ),
            (
                r#""threshold": 0.5, "win_rates": {"x": {"constant": 1}}"#,
                "class `y` has no law here: every class needs one",
            ),
            (
                r#""threshold": 0.5, "win_rates": {"x": {"constant": 2}, "y": {"constant": 1}}"#,
                "a win rate may not be above 1",
            ),
            (
                r#""threshold": 0.5, "calibration": {"x": 1}"#,
                "weights are only for one `strong_share` of all classes with `win_rates`",
            ),
        ] {
            assert_eq!(build(&spec(rest)).err().unwrap().message, message, "{rest}");
        }
    }
}
