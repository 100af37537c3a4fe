//! How every policy stands on every objective, and what follows: the first thing that a reader is told.
//!
//! An objective that is asked of some policies only is held against the others too, unless those have one of their own on the same
//! figure: the choice is among all of them. Exit codes go by what is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Code, Metric, format};
use crate::stats::interval::Estimate;

/// How every policy stands on every objective.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Scorecard {
    /// What follows from the run, in sentences: which policy to take, at what cost, and what the runs cannot tell; without objectives
    /// which is the first of the ranking, or in which figures the policies differ. Empty in a result of an earlier version.
    pub headline: Vec<String>,
    /// The cheapest policy that meets every objective, if any does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cheapest: Option<String>,
    /// The objectives, each once.
    pub goals: Vec<Goal>,
    /// How each policy stands on them, in the experiment's order; empty if there are none.
    pub rows: Vec<Scored>,
}

/// A bound on a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Goal {
    /// The metric that is bounded.
    pub metric: Metric,
    /// The bound, in the metric's unit.
    pub bound: f64,
    /// Whether the bound is an upper one: the metric must be at most the bound, else at least.
    pub at_most: bool,
}

impl Goal {
    /// The bound in words: `≤ 2.00 s`.
    pub fn bound_in(&self, code: Option<Code>) -> String {
        let side = if self.at_most { '≤' } else { '≥' };
        format!("{side} {}", format::value(self.metric.unit_in(code), self.bound))
    }
}

/// An objective and whether a policy meets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Judgement {
    /// The name of the policy that is judged.
    pub policy: String,
    /// The metric that the objective bounds.
    pub metric: Metric,
    /// The bound of the objective, in the metric's unit.
    pub bound: f64,
    /// Whether the bound is an upper one: the metric must be at most the bound, else at least.
    pub at_most: bool,
    /// The value of the metric, with its interval; of a percentile over all requests, one that never got its answer taking for ever.
    pub estimate: Estimate,
    /// Of a percentile, the share of all requests that never got the answer that they were owed, from 0 to 1.
    #[serde(default)]
    pub endless: f64,
    /// The verdict: pass, fail or undecided.
    pub judged: Judged,
}

impl Judgement {
    /// What the policy is judged by.
    pub fn goal(&self) -> Goal {
        Goal {
            metric: self.metric.clone(),
            bound: self.bound,
            at_most: self.at_most,
        }
    }

    /// What the value hangs on, where requests failed.
    pub fn caveat(&self) -> Option<String> {
        (self.endless > 0.0).then(|| {
            let what = if self.metric.is_of_dialogues() {
                "dialogues did not come to their end"
            } else {
                "requests never got their answer"
            };
            let share = format::share(self.endless);
            format!("{share} of {what} and count as taking for ever")
        })
    }
}

/// What an interval says of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Judged {
    /// The whole interval keeps to the bound.
    Pass,
    /// The whole interval lies beyond the bound.
    Fail,
    /// The interval contains the bound, or there is no interval.
    Undecided,
}

/// How one policy stands on every objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Scored {
    /// The name of the policy.
    pub policy: String,
    /// The verdict on each goal, in their order; nothing where the policy has another bound on the same metric.
    pub judged: Vec<Option<Judged>>,
    /// The verdict on all of them together: fail if any fails, pass if all pass, undecided otherwise.
    pub overall: Judged,
}

impl Scorecard {
    /// How the policy of that name stands, if there are objectives.
    pub fn of(&self, policy: &str) -> Option<&Scored> {
        if self.goals.is_empty() {
            return None;
        }
        self.rows.iter().find(|row| row.policy == policy)
    }

    /// The goals on which `row` has the verdict `judged`.
    pub fn goals_judged<'a>(&'a self, row: &'a Scored, judged: Judged) -> impl Iterator<Item = &'a Goal> {
        let pairs = self.goals.iter().zip(&row.judged);
        pairs.filter(move |(_, of)| **of == Some(judged)).map(|(goal, _)| goal)
    }
}
