//! How every policy stands on every objective, and what follows: the first thing that a reader is told.
//!
//! An objective that is asked of some policies only is held against the others too, unless those have one of their own on the same
//! figure: the choice is among all of them. Exit codes go by what is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Code, Judged, Metric, format};

/// How every policy stands on every objective.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Scorecard {
    /// What follows from the run, in sentences: which policy to take, at what cost, and what the runs cannot tell. Empty if the
    /// experiment has neither objectives nor a figure to rank by.
    pub headline: Vec<String>,
    /// The cheapest policy that meets every objective, if any does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cheapest: Option<String>,
    /// The objectives, each once.
    pub goals: Vec<Goal>,
    /// How each policy stands on them, in the experiment's order.
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
