//! A cascade: the cheap model first, a dearer one if its answer does not do (FrugalGPT).
//!
//! The stages are asked in order. Each but the last has a judge that looks at its answer: accepted, the caller gets it;
//! turned down, the next stage is asked. The last stage's answer is always accepted. Costs and latencies of all stages
//! asked add up, those of the judges too; the caller sees nothing before the judge has seen the whole answer. A stage
//! all of whose providers are closed to calls is passed over; one whose tries have all failed is followed by the next.
//! If nothing follows an answer that was turned down, the caller gets that answer after all, unless the judge does not
//! keep it. Within a stage, `providers` are tried in order, a retry going to the next; or an inner `policy` chooses.
//!
//! A judge either accepts with a probability, whatever the answer is worth (`accept`), or tells good answers from bad
//! ones as well as it can (`takes_good`, `takes_bad`): whether an answer is good is drawn with the quality that its
//! provider has for the class, which must then be known. In FrugalGPT the judge is a small scoring model, which accepts
//! above a threshold: raising it lowers both probabilities. A request that is difficult for one model is so for the others as far
//! as the experiment's `quality` says, and with `hard` for the judge too: its errors are the more frequent the higher the rank of the
//! difficulty is, and on the whole as stated. What a cascade gains hangs on that; the report says how much.
//!
//! Keeps nothing between requests but what inner policies keep; of a request, its stage, until it ends.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `stages` | required | 1 or more |
//! | `stages.policy` | none | any that keeps nothing of a request; instead of `providers` |
//! | `stages.judge` | none | every stage but the last needs one |
//! | `stages.judge.accept` | none | 0 to 1, or one for each class |
//! | `stages.judge.takes_good`, `stages.judge.takes_bad` | none | 0 to 1, or one for each class; both, instead of `accept` |
//! | `stages.judge.hard` | 0 | 0 to 1; only beside these two |
//! | `stages.judge.looks` | 0 s | 0 or more |
//! | `stages.judge.cost` | $0 | 0 or more |
//! | `stages.judge.keeps` | true | true, false |
//!
//! Sources: Chen, Zaharia, Zou, "FrugalGPT" (2023); `stanford-futuredata/FrugalGPT` 2b23e6a, `llmcascade.py`.
//!
//! Known faults: a request that goes all the way pays for every stage and waits for all of them; an answer is never
//! streamed while it may still be turned down; a client's budget does not see what judges cost.
//!
//! ```json
//! { "cascade": { "stages": [
//!     { "providers": ["small"],
//!       "judge": { "takes_good": 0.9, "takes_bad": 0.2, "looks": "80ms", "cost": "$0.00002" } },
//!     { "providers": ["medium"], "judge": { "accept": { "chat": 0.8, "code": 0.4 } } },
//!     { "providers": ["large", "large_elsewhere"] } ] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Wrap, inside};
use super::{BuildPolicy, Call, Chain, Fleet, Judge, Policy, PolicySpec, Wants};
use crate::form::build::{Built, Names, Refusal};
use crate::form::per_class::PerClass;
use crate::form::units::{Duration, Fraction, Money};
use crate::words::Outcome;
use crate::words::UNRATED;

/// Stages in order, each but the last with a judge of its answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cascade {
    /// The stages, in the order in which they are asked.
    pub stages: Vec<CascadeStage>,
}

/// One stage of a cascade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CascadeStage {
    /// The providers of the stage, in order of preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// The policy that chooses its provider, instead of `providers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<PolicySpec>>,
    /// The judge of the stage's answers. Every stage but the last needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<StageJudge>,
}

/// The judge of a stage's answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageJudge {
    /// The probability that an answer is accepted, whatever it is worth: one figure, or one for each class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<PerClass<Fraction>>,
    /// The probability that a good answer is accepted: one figure, or one for each class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_good: Option<PerClass<Fraction>>,
    /// The probability that an answer that is not good is accepted: one figure, or one for each class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_bad: Option<PerClass<Fraction>>,
    /// How much more it errs on difficult requests than on the whole, 0 to 1, beside `takes_good` and `takes_bad`: both errors are
    /// `1 + hard` times as frequent for the most difficult request and `1 − hard` times for the easiest. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard: Option<Fraction>,
    /// The time that the judge takes. Default: 0 s.
    #[serde(default)]
    pub looks: Duration,
    /// The cost of judging one answer. Default: $0.
    #[serde(default)]
    pub cost: Money,
    /// Whether an answer turned down is what the caller gets if nothing better follows. Default: true.
    #[serde(default = "yes")]
    pub keeps: bool,
}

fn yes() -> bool {
    true
}

impl BuildPolicy for Cascade {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.stages.is_empty() {
            return Err(Refusal::new("there must be at least one stage").at("stages"));
        }
        if self.stages.len() > MOST_STAGES {
            let text = format!("{} stages: there may be at most {MOST_STAGES}", self.stages.len());
            return Err(Refusal::new(text).at("stages"));
        }
        let (mut policies, mut judges) = (Vec::new(), Vec::new());
        for (i, stage) in self.stages.iter().enumerate() {
            let here = |r: Refusal| r.at(i).at("stages");
            policies.push(stage.chooses(names).map_err(here)?);
            let is_last = i + 1 == self.stages.len();
            judges.push(match &stage.judge {
                Some(_) if is_last => {
                    let text = "the last stage's answer is always accepted: it can have no `judge`";
                    return Err(here(Refusal::new(text).at("judge")));
                }
                Some(judge) => {
                    let rated = || stage.is_rated(names);
                    judge.by_class(names, rated).map_err(|r| here(r.at("judge")))?
                }
                None if is_last => Vec::new(),
                None => return Err(here(Refusal::new("a stage before the last needs a `judge`"))),
            });
        }
        let branches = Branches::new(policies);
        let wants = branches.wants().and(Wants {
            judges: true,
            falls_back: true,
            notes: true,
            ..Wants::NOTHING
        });
        Ok(Running {
            branches,
            judges,
            wants,
        }
        .wrapped())
    }
}

/// The most stages, so that a request's stage fits into what is kept of it.
const MOST_STAGES: usize = 100;

impl CascadeStage {
    /// The policy that chooses a provider of this stage.
    fn chooses(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let Some(policy) = &self.policy else {
            if self.providers.is_empty() {
                return Err(Refusal::new("a stage needs `providers` or a `policy`"));
            }
            let providers = self.providers.clone();
            return Chain {
                providers: providers.into(),
            }
            .build(names);
        };
        if !self.providers.is_empty() {
            let text = "a stage has either `providers` or a `policy`, not both";
            return Err(Refusal::new(text).at("policy"));
        }
        let built = inside(policy, names).map_err(|r| r.at("policy"))?;
        let wants = built.wants();
        if wants.notes || wants.judges {
            let text = format!(
                "`{}` keeps something of each request, as the cascade itself does: it cannot be one of its stages",
                policy.name()
            );
            return Err(Refusal::new(text).at("policy"));
        }
        Ok(built)
    }

    /// Checks that the quality of every provider it may use is known for every class.
    fn is_rated(&self, names: &Names<'_>) -> Built<()> {
        let used = if self.policy.is_some() {
            names.everybody()
        } else {
            names.each_provider(&self.providers)?
        };
        for p in used {
            for (c, class) in names.classes.iter().enumerate() {
                let quality = names.known.get(p).and_then(|k| k.quality.get(c)).copied();
                if quality.unwrap_or(UNRATED) == UNRATED {
                    return Err(Refusal::new(format!(
                        "the quality of provider `{}` for class `{class}` is not known, so nothing tells its good \
                         answers: give it in the provider's `quality`, or use `accept`",
                        names.providers[p]
                    )));
                }
            }
        }
        Ok(())
    }
}

impl StageJudge {
    fn by_class(&self, names: &Names<'_>, rated: impl Fn() -> Built<()>) -> Built<Vec<Judge>> {
        let (good, bad) = match (&self.accept, &self.takes_good, &self.takes_bad) {
            (Some(accept), None, None) => (("accept", accept), ("accept", accept)),
            (None, Some(good), Some(bad)) => {
                rated().map_err(|r| r.at("takes_good"))?;
                (("takes_good", good), ("takes_bad", bad))
            }
            _ => {
                let text = "a judge has either `accept`, or both `takes_good` and `takes_bad`";
                return Err(Refusal::new(text));
            }
        };
        let of = |(field, value): (&'static str, &PerClass<Fraction>)| value.by_class(names).map_err(|r| r.at(field));
        if self.accept.is_some() && self.hard.is_some() {
            let text =
                "a judge that goes by `accept` makes no errors that could hang on difficulty: it can have no `hard`";
            return Err(Refusal::new(text).at("hard"));
        }
        let hard = self.hard.map_or(0.0, Fraction::get);
        let cost = u64::try_from(names.money(self.cost))
            .map_err(|_| Refusal::new(format!("{}: more than an attempt can cost", self.cost)).at("cost"))?;
        let (good, bad) = (of(good)?, of(bad)?);
        let worst = |error: f64| error * (1.0 + hard) > 1.0;
        if hard > 0.0 && (good.iter().any(|g| worst(1.0 - g.get())) || bad.iter().any(|b| worst(b.get()))) {
            let text = format!("{hard}: on the most difficult request an error would be more than certain");
            return Err(Refusal::new(text).at("hard"));
        }
        Ok(good
            .into_iter()
            .zip(bad)
            .map(|(good, bad)| Judge {
                takes_good: good.get(),
                takes_bad: bad.get(),
                hard,
                looks: self.looks.span(),
                cost,
                keeps: self.keeps,
            })
            .collect())
    }
}

/// The bits of a request's notes that count the stages passed without an answer. Stages that gave one are counted in
/// [`Call::rejected`].
const PASSED: u64 = 0xFF;
/// The bit that says that the attempt went where no stage sent it.
const ASTRAY: u64 = 0x100;

#[derive(Debug)]
struct Running {
    branches: Branches,
    /// The judges by stage and class; empty for the last stage.
    judges: Vec<Vec<Judge>>,
    wants: Wants,
}

impl Running {
    /// The stage that the request is at.
    #[inline]
    fn stage(&self, call: &Call) -> usize {
        let passed = (call.notes.get() & PASSED) as usize;
        (call.rejected as usize + passed).min(self.judges.len() - 1)
    }

    /// Notes that the request is at `stage`.
    #[inline]
    fn is_at(call: &Call, stage: usize) {
        call.notes.set((stage as u64).saturating_sub(u64::from(call.rejected)));
    }
}

impl Wrap for Running {
    fn inside(&self) -> &Branches {
        &self.branches
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.branches
    }

    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let from = self.stage(call);
        if call.hedge {
            // A copy that went to another stage would be looked at by the wrong judge.
            return self.branches.choose(from, call, fleet);
        }
        for stage in from..self.judges.len() {
            let chosen = self.branches.choose(stage, call, fleet);
            if chosen.is_some() {
                Self::is_at(call, stage);
                return chosen;
            }
        }
        call.notes.set(call.notes.get() | ASTRAY);
        None
    }

    fn wants(&self) -> Wants {
        self.wants
    }

    fn judge(&mut self, call: &Call) -> Option<Judge> {
        if call.notes.get() & ASTRAY != 0 {
            return None;
        }
        self.judges[self.stage(call)].get(call.class).copied()
    }

    fn fall_back(&mut self, call: &Call) -> bool {
        let stage = self.stage(call);
        if self.branches.branch(stage).fall_back(call) {
            return true;
        }
        // If there was no provider to send it to, later stages have been tried already.
        let is_unsent = matches!(call.failure, Outcome::BreakerOpen | Outcome::BudgetExhausted);
        let goes_on = !is_unsent && call.notes.get() & ASTRAY == 0 && stage + 1 < self.judges.len();
        if goes_on {
            Self::is_at(call, stage + 1);
        }
        goes_on
    }

    fn handler(&mut self, call: &Call) -> Option<usize> {
        Some(self.stage(call))
    }

    fn fresh(&self) -> Self {
        Running {
            branches: self.branches.fresh(),
            judges: self.judges.clone(),
            wants: self.wants,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;

    const THREE: &str = r#"{"cascade": {"stages": [
        {"providers": ["a"], "judge": {"accept": {"x": 0.5, "y": 0.25}, "cost": "$0.5", "looks": "1s", "keeps": false}},
        {"providers": ["b", "a"], "judge": {"accept": 0.5}},
        {"providers": ["c"]}]}}"#;

    fn next(policy: &mut dyn Policy, call: &Call, closed: &[usize]) -> Option<usize> {
        policy.choose(call, &Fleet::new(&hosts(closed), None, Time::ZERO))
    }

    #[test]
    fn an_answer_turned_down_goes_to_the_next_stage_and_a_retry_stays() {
        let mut policy = policy(THREE);
        let mut call = call(0, 0);
        assert_eq!(next(&mut *policy, &call, &[]), Some(0));
        (call.attempts, call.last) = (1, Some(0));
        assert_eq!(next(&mut *policy, &call, &[]), Some(0), "a retry");
        call.rejected = 1;
        call.last = Some(2);
        assert_eq!(next(&mut *policy, &call, &[]), Some(1));
        call.last = Some(1);
        assert_eq!(next(&mut *policy, &call, &[]), Some(0), "a retry at the next provider");
        assert_eq!(policy.judge(&call).unwrap().takes_bad, 0.5);
        call.rejected = 2;
        assert_eq!(next(&mut *policy, &call, &[]), Some(2));
        assert_eq!(policy.judge(&call), None, "the last is always accepted");
    }

    #[test]
    fn a_closed_stage_is_passed_over_and_a_copy_stays_in_its_stage() {
        let mut policy = policy(THREE);
        let mut call = call(0, 1);
        assert_eq!(next(&mut *policy, &call, &[0]), Some(1));
        assert_eq!(policy.judge(&call).unwrap().cost, 0, "the second stage's judge");
        call.hedge = true;
        assert_eq!(next(&mut *policy, &call, &[0, 1]), None);
        call.hedge = false;
        assert_eq!(next(&mut *policy, &call, &[0, 1]), Some(2));
        assert_eq!(policy.judge(&call), None);
        assert_eq!(next(&mut *policy, &call, &[0, 1, 2]), None);
    }

    #[test]
    fn a_stage_that_fails_is_followed_by_the_next() {
        let mut policy = policy(THREE);
        let mut call = call(0, 1);
        assert_eq!(next(&mut *policy, &call, &[]), Some(0));
        let judge = policy.judge(&call).unwrap();
        assert_eq!((judge.takes_good, judge.takes_bad, judge.keeps), (0.25, 0.25, false));
        assert_eq!((judge.cost, judge.looks.nanos()), (500_000_000_000, 1_000_000_000));
        call.failure = Outcome::ServerError;
        assert!(policy.fall_back(&call));
        assert_eq!(next(&mut *policy, &call, &[]), Some(1));
        assert!(policy.fall_back(&call));
        assert_eq!(next(&mut *policy, &call, &[]), Some(2));
        assert!(!policy.fall_back(&call));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let judged = |judge: &str| {
            format!(
                r#"{{"cascade": {{"stages": [{{"providers": ["a"], "judge": {judge}}}, {{"providers": ["b"]}}]}}}}"#
            )
        };
        for (json, message) in [
            (
                r#"{"cascade": {"stages": []}}"#.to_owned(),
                "there must be at least one stage",
            ),
            (
                r#"{"cascade": {"stages": [{"providers": ["a"]}, {"providers": ["b"]}]}}"#.to_owned(),
                "a stage before the last needs a `judge`",
            ),
            (
                r#"{"cascade": {"stages": [{"providers": ["a"], "judge": {"accept": 1}}]}}"#.to_owned(),
                "the last stage's answer is always accepted: it can have no `judge`",
            ),
            (
                r#"{"cascade": {"stages": [{}]}}"#.to_owned(),
                "a stage needs `providers` or a `policy`",
            ),
            (
                judged(r#"{"accept": 1, "takes_bad": 0}"#),
                "a judge has either `accept`, or both `takes_good` and `takes_bad`",
            ),
            (
                judged(r#"{"takes_good": 1, "takes_bad": 0}"#),
                "the quality of provider `a` for class `x` is not known, so nothing tells its good answers: give it \
                 in the provider's `quality`, or use `accept`",
            ),
            (
                r#"{"cascade": {"stages": [{"policy": {"cascade": {"stages": [{"providers": ["a"]}]}}}]}}"#.to_owned(),
                "`cascade` keeps something of each request, as the cascade itself does: it cannot be one of its stages",
            ),
        ] {
            assert_eq!(build(&json).err().unwrap().message, message, "{json}");
        }
    }
}
