//! A budget spread over its period: the share that goes to the dear provider is throttled so that the money lasts.
//!
//! `providers` are ordered from the best and dearest to the cheapest. A request goes to the first with the pass-through rate, else to
//! the second with the same rate, and so on; the last takes the rest. It is drawn once for each request. A try after a
//! failure, and one whose provider is closed to calls, goes to the next cheaper one that is open, or if there is none to the next dearer.
//!
//! Each `every` the rate is adjusted by what the listed providers have billed in this period, against the plan: the budget times the
//! part of the period gone by, or of its `shape` (weights of equal parts of the period).
//!
//! - `fixed_step`, as published: ahead of the plan the rate is multiplied by 1 − `step`, else by 1 + `step`.
//! - `in_proportion`: it is multiplied by what should be spent in the next `every` (the plan's own spend and a tenth of what it
//!   is behind, or less a tenth of what it is ahead) over what was spent in the last, at least by ½ and at most by 2.
//!
//! The rate stays between 0.1 % and 1 and carries over to the next period; money left over does not. Once the budget is
//! spent, only the last provider is used until the period ends (this rule of a published article on a multi-model
//! router, alone, spends it all early). Milestone: the first time that it is.
//!
//! Keeps the money billed in this period and in the last `every`, and the rate.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `money` | required | above 0 |
//! | `per` | 1 d | at least `every` |
//! | `shape` | even | weights of 0 or more, not all 0 |
//! | `law` | `fixed_step` | `fixed_step`, `in_proportion` |
//! | `every` | 1 min | 1 ms or more, at most a million in a period |
//! | `step` | 0.1 | above 0, below 1; only `fixed_step` |
//! | `start` | 0.1 | 0.001 to 1 |
//!
//! Sources: `fixed_step`: Agarwal and others, Budget pacing for targeted online advertisements at LinkedIn, KDD 2014;
//! `in_proportion`: after Xu and others, Smart pacing for effective online ad campaign optimization, KDD 2015; the
//! article on a multi-model router (daily budget, then the cheapest). The tenth, the bounds of the rate and the ladder
//! of more than two providers are ours.
//!
//! Known faults: a fixed step has no damping, so the rate swings about what it should be, for ever; it goes on rising while
//! traffic is low at night and falls only after the morning has come, unless the `shape` says so; bills come with the answers, so what is in
//! flight is not seen; a budget that does not even pay for the cheapest is overspent; the order is taken as it is given, and
//! from cheap to dear it does the opposite of what is wanted.
//!
//! ```json
//! { "budget_paced": { "providers": ["dear", "cheap"], "money": "$100", "per": "1d", "law": "in_proportion" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Milestone, Policy, Wants, weight};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Duration, Fraction, Money};
use crate::kernel::chance::{Purpose, unit};
use crate::kernel::time::{Span, Time};
use crate::words::{Course, Ended};

/// Budget pacing: a pass-through rate that keeps the spend to a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetPaced {
    /// The providers that take part, from the best and dearest to the cheapest: at least two.
    pub providers: Vec<String>,
    /// The budget of each period.
    pub money: Money,
    /// The length of a period. Default: 1d.
    #[serde(default = "day")]
    pub per: Duration,
    /// The weights of the equal parts of the period in the planned spend, 0 or more. Default: all alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<f64>,
    /// The rule by which the rate is adjusted. Default: `fixed_step`.
    #[serde(default)]
    pub law: Law,
    /// The time between adjustments, at least 1ms. Default: 1m.
    #[serde(default = "minute")]
    pub every: Duration,
    /// The relative step of an adjustment with `fixed_step`, above 0 and below 1. Default: 0.1.
    #[serde(default = "tenth")]
    pub step: Fraction,
    /// The pass-through rate at the beginning, 0.001 to 1. Default: 0.1.
    #[serde(default = "tenth")]
    pub start: Fraction,
}

/// The rule by which a pass-through rate is adjusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// Down by a fixed part when the spend is ahead of the plan, else up.
    #[default]
    FixedStep,
    /// In proportion to what should be spent next over what was spent last.
    InProportion,
}

fn day() -> Duration {
    Duration::from(Span::from_secs(86_400))
}

fn minute() -> Duration {
    Duration::from(Span::from_secs(60))
}

fn tenth() -> Fraction {
    Fraction::new(0.1).unwrap_or_default()
}

/// The least rate: from nothing no multiple leads back.
const LEAST: f64 = 0.001;
/// The most steps in a period.
const MOST_STEPS: u64 = 1_000_000;
/// The part of an error that the next step is to repay.
const REPAID: f64 = 0.1;

impl BuildPolicy for BudgetPaced {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = names.each_provider(&self.providers).map_err(|r| r.at("providers"))?;
        if order.len() < 2 {
            return Err(Refusal::new("there must be at least two, a dearer and a cheaper one").at("providers"));
        }
        let budget = names.money(self.money);
        if budget == 0 {
            return Err(Refusal::new("$0: a budget must be above nothing").at("money"));
        }
        let (per, every) = (self.per.span(), self.every.span());
        if every < Span::from_millis(1) {
            return Err(Refusal::new(format!("{}: must be at least 1ms", self.every)).at("every"));
        }
        if per < every {
            let text = format!("a period of {}: must be at least {}, an `every`", self.per, self.every);
            return Err(Refusal::new(text).at("per"));
        }
        if per.nanos() / every.nanos() > MOST_STEPS {
            let text = format!("more than {MOST_STEPS} of them in a period of {}", self.per);
            return Err(Refusal::new(text).at("every"));
        }
        for (i, &part) in self.shape.iter().enumerate() {
            weight(part).map_err(|r| r.at(i).at("shape"))?;
        }
        let step = self.step.get();
        if step <= 0.0 || step >= 1.0 {
            return Err(Refusal::new(format!("a step of {step}: must be above 0 and below 1")).at("step"));
        }
        let start = self.start.get();
        if start < LEAST {
            return Err(Refusal::new(format!("a rate of {start}: must be 0.001 to 1")).at("start"));
        }
        let mut places = vec![None; names.providers.len()];
        for (place, &provider) in order.iter().enumerate() {
            places[provider] = Some(place);
        }
        Ok(Box::new(Running {
            order,
            places,
            budget: budget as f64,
            per,
            planned: planned(&self.shape)?,
            law: self.law,
            every,
            step,
            start,
            rate: start,
            origin: names.origin,
            began: names.origin,
            next_step: names.origin + every,
            spent: 0,
            spent_before: 0,
            first_spent: None,
        }))
    }
}

/// The share of the budget that should be spent by the end of each part of the period.
fn planned(shape: &[f64]) -> Built<Vec<f64>> {
    if shape.is_empty() {
        return Ok(vec![1.0]);
    }
    let total: f64 = shape.iter().sum();
    if total <= 0.0 {
        return Err(Refusal::new("a plan that spends nothing: a weight must be above 0").at("shape"));
    }
    let mut sum = 0.0;
    let up_to = |part: &f64| {
        sum += part / total;
        sum
    };
    Ok(shape.iter().map(up_to).collect())
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    /// The place of each provider in the order.
    places: Vec<Option<usize>>,
    /// The budget in pico-dollars.
    budget: f64,
    per: Span,
    planned: Vec<f64>,
    law: Law,
    every: Span,
    step: f64,
    start: f64,
    rate: f64,
    /// The beginning of the first period: before it nothing is charged.
    origin: Time,
    /// The beginning of this period; `next_step` is when the rate is next adjusted.
    began: Time,
    next_step: Time,
    /// The money spent in this period by now; `spent_before` was spent by the last step.
    spent: u128,
    spent_before: u128,
    /// The time at which a budget was first spent.
    first_spent: Option<Time>,
}

impl Running {
    /// The money that should be spent at `at`, in pico-dollars.
    fn plan(&self, at: Time) -> f64 {
        let parts = self.planned.len() as f64;
        let gone = (at.since(self.began).seconds() / self.per.seconds()).min(1.0) * parts;
        let part = (gone as usize).min(self.planned.len() - 1);
        let before = if part == 0 { 0.0 } else { self.planned[part - 1] };
        self.budget * (before + (self.planned[part] - before) * (gone - part as f64))
    }

    fn is_spent(&self) -> bool {
        self.spent as f64 >= self.budget
    }

    /// Takes the steps and ends the periods that are due by `now`.
    #[inline]
    fn advance(&mut self, now: Time) {
        while now >= self.next_step && now != Time::NEVER {
            if self.spent == 0 && self.rate == 1.0 {
                return self.skip_to(now);
            }
            self.adjust();
        }
    }

    /// Skips to `now`: nothing has been spent and the rate is at its highest, so no step before `now` changes anything.
    #[cold]
    fn skip_to(&mut self, now: Time) {
        self.began += self.per.times(now.since(self.began).nanos() / self.per.nanos());
        let steps = now.since(self.began).nanos() / self.every.nanos();
        let next = self.began + self.every.times(steps + 1);
        self.next_step = next.min(self.began + self.per);
    }

    fn adjust(&mut self) {
        let at = self.next_step;
        let ahead = self.spent as f64 - self.plan(at);
        let last = self.spent.saturating_sub(self.spent_before) as f64;
        let mut repaid = REPAID * ahead;
        self.spent_before = self.spent;
        if at >= self.began + self.per {
            self.began = at;
            (self.spent, self.spent_before) = (0, 0);
            repaid = 0.0;
        }
        let factor = match self.law {
            Law::FixedStep if ahead > 0.0 => 1.0 - self.step,
            Law::FixedStep => 1.0 + self.step,
            // Where nothing was spent no rate can be read off, and it may rise.
            Law::InProportion if last == 0.0 => 2.0,
            Law::InProportion => {
                let next = self.plan(at + self.every) - self.plan(at) - repaid;
                (next / last).clamp(0.5, 2.0)
            }
        };
        self.rate = (self.rate * factor).clamp(LEAST, 1.0);
        self.next_step = (at + self.every).min(self.began + self.per);
    }

    /// The place in the order that `call` is drawn to.
    #[inline]
    fn rung(&self, call: &Call) -> usize {
        let last = self.order.len() - 1;
        if self.is_spent() {
            return last;
        }
        let passes = |&rung: &usize| unit(call.request.part(rung as u64 + 1).draw(Purpose::Route)) < self.rate;
        (0..last).find(passes).unwrap_or(last)
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.advance(fleet.now());
        let tried = call.last.and_then(|last| self.places[last]);
        let from = match tried {
            Some(place) => (place + 1).min(self.order.len() - 1),
            None => self.rung(call),
        };
        let is_open = |&p: &usize| fleet.is_open_to_calls(p);
        let (dearer, cheaper) = self.order.split_at(from);
        let down = cheaper.iter().copied().find(is_open);
        if down.is_some() || self.is_spent() {
            return down;
        }
        dearer.iter().rev().copied().find(is_open)
    }

    fn wants(&self) -> Wants {
        Wants::LEARNS
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        self.advance(ended.now);
        if ended.now >= self.origin && self.places[ended.provider].is_some() {
            self.spent += u128::from(ended.cost);
            if self.is_spent() {
                self.first_spent.get_or_insert(ended.now);
            }
        }
    }

    fn courses(&self) -> Vec<Course> {
        vec![Course::repeats("the period of a paced budget", self.per)]
    }

    fn milestones(&self) -> Vec<Milestone> {
        vec![Milestone {
            what: "budget spent".to_owned(),
            at: self.first_spent,
        }]
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(Running {
            rate: self.start,
            began: self.origin,
            next_step: self.origin + self.every,
            spent: 0,
            spent_before: 0,
            first_spent: None,
            order: self.order.clone(),
            places: self.places.clone(),
            planned: self.planned.clone(),
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::words::Outcome;

    fn spec(rest: &str) -> String {
        let per = if rest.contains("per\"") {
            ""
        } else {
            r#", "per": "10m""#
        };
        format!(r#"{{"budget_paced": {{"providers": ["a", "b", "c"], "money": "$10"{per}{rest}}}}}"#)
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_secs(seconds)
    }

    fn bills(policy: &mut dyn Policy, seconds: u64, dollars: f64) {
        let mut ended = Ended::new(at(seconds), 0, Outcome::Success);
        ended.cost = (dollars * 1e12) as u64;
        policy.learn(&ended);
    }

    /// How many of 100,000 requests go to a, b and c at that time.
    fn split(policy: &mut dyn Policy, seconds: u64) -> [f64; 3] {
        let (mut n, hosts) = ([0.0; 3], hosts(&[]));
        for id in 0..100_000 {
            n[choose_by(policy, &hosts, at(seconds), id).unwrap()] += 1e-5;
        }
        n
    }

    /// Four standard deviations of a share among 100,000 are at most 0.0064.
    fn rate_is(policy: &mut dyn Policy, seconds: u64, rate: f64) {
        let expected = [rate, (1.0 - rate) * rate, (1.0 - rate) * (1.0 - rate)];
        let found = split(policy, seconds);
        let near = |(a, b): (&f64, f64)| (a - b).abs() < 0.0064;
        assert!(
            found.iter().zip(expected).all(near),
            "at {seconds}: {found:?}, not {expected:?}"
        );
    }

    #[test]
    fn each_rung_passes_with_the_rate_and_the_last_takes_the_rest() {
        rate_is(&mut *policy(&spec(r#", "start": 0.3"#)), 0, 0.3);
        rate_is(&mut *policy(&spec(r#", "start": 1"#)), 0, 1.0);
    }

    /// The plan is a dollar a minute.
    #[test]
    fn a_fixed_step_goes_down_when_ahead_of_the_plan_and_else_up() {
        let mut policy = policy(&spec(r#", "start": 0.5"#));
        bills(&mut *policy, 30, 1.5);
        rate_is(&mut *policy, 60, 0.45);
        bills(&mut *policy, 90, 0.5);
        rate_is(&mut *policy, 120, 0.495);
    }

    /// After a minute 1.5 of 1 is spent: next 1 − 0.05, over 1.5. Then 0.5: 2 of 2, so 1 over 0.5.
    #[test]
    fn in_proportion_goes_by_what_comes_next_over_what_was_last() {
        let mut policy = policy(&spec(r#", "start": 0.3, "law": "in_proportion""#));
        bills(&mut *policy, 30, 1.5);
        rate_is(&mut *policy, 60, 0.3 * 0.95 / 1.5);
        bills(&mut *policy, 90, 0.5);
        rate_is(&mut *policy, 120, 0.3 * 0.95 / 1.5 * 2.0);
    }

    /// Nothing in the first half of the period, all in the second: a dollar in the first minute is too much.
    #[test]
    fn a_shape_says_what_the_plan_is() {
        let mut policy = policy(&spec(r#", "start": 0.5, "shape": [0, 2]"#));
        bills(&mut *policy, 30, 1.0);
        rate_is(&mut *policy, 60, 0.45);
        rate_is(&mut *policy, 361, 0.5 * 0.9_f64.powi(5) * 1.1);
    }

    #[test]
    fn a_spent_budget_leaves_the_cheapest_until_the_period_ends() {
        let mut policy = policy(&spec(r#", "start": 1"#));
        bills(&mut *policy, 10, 10.0);
        assert_eq!(policy.milestones()[0].at, Some(at(10)));
        // The breaker of a closed one lets calls through again after 30 s.
        assert_eq!(choose_at(&mut *policy, &hosts(&[2]), at(20)), None);
        assert_eq!(split(&mut *policy, 599)[2].round(), 1.0);
        assert!(split(&mut *policy, 600)[0] > 0.3, "nine steps down and one up");
    }

    /// Without requests the rate rises to 1 and stays there, and periods go by.
    #[test]
    fn a_long_silence_is_skipped() {
        let mut policy = policy(&spec(""));
        rate_is(&mut *policy, 600 * 1_000_000 + 59, 1.0);
        bills(&mut *policy, 600 * 1_000_000 + 59, 5.0);
        rate_is(&mut *policy, 600 * 1_000_000 + 60, 0.9);
        bills(&mut *policy, u64::MAX / 1_000_000_000, 0.0);
        policy.learn(&Ended::new(Time::NEVER, 0, Outcome::Success));
    }

    #[test]
    fn a_retry_or_a_closed_provider_leads_down_and_else_up() {
        let mut policy = policy(&spec(r#", "start": 1"#));
        let mut next = |closed: &[usize], last| {
            let hosts = hosts(closed);
            policy.choose(&Call { last, ..call(0, 0) }, &Fleet::new(&hosts, None, Time::ZERO))
        };
        assert_eq!(next(&[0], None), Some(1));
        assert_eq!([0, 1, 2].map(|last| next(&[], Some(last))), [Some(1), Some(2), Some(2)]);
        assert_eq!(next(&[2], Some(1)), Some(1));
        assert_eq!(next(&[1, 2], Some(1)), Some(0));
        assert_eq!(next(&[0, 1, 2], None), None);
    }

    #[test]
    fn mistakes_are_refused() {
        for (rest, message) in [
            (r#", "every": "0s""#, "0s: must be at least 1ms"),
            (
                r#", "per": "1d", "every": "1ms""#,
                "more than 1000000 of them in a period of 1d",
            ),
            (r#", "every": "1h""#, "a period of 10m: must be at least 1h, an `every`"),
            (
                r#", "shape": [0]"#,
                "a plan that spends nothing: a weight must be above 0",
            ),
            (r#", "shape": [-1]"#, "a weight of -1: must be 0 or more"),
            (r#", "step": 1"#, "a step of 1: must be above 0 and below 1"),
            (r#", "start": 0"#, "a rate of 0: must be 0.001 to 1"),
        ] {
            assert_eq!(build(&spec(rest)).err().unwrap().message, message);
        }
    }
}
