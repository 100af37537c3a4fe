//! What replications of one scenario say of its objectives and figures, kept without their tallies: what a choice among many goes by.
//!
//! Replications come in the order of their numbers, some at a time. Estimates and verdicts are those that a report of all of them has, at whatever
//! level is asked for. What each adds to the error of a figure is kept as two numbers: those of a ratio, and of a percentile the requests beyond the
//! place where it lay after the first batch, and all. Left out: what models' own measurements leave open, which a report has.

use crate::engine::tally::Tally;
use crate::experiment::assemble::Plan;
use crate::kernel::time::Span;
use crate::report::Judged;
use crate::stats::compare::Side;
use crate::stats::critical::Confidence;
use crate::stats::interval::Estimate;
use crate::stats::quantile::Of;
use crate::words::Metric;

use super::judge;
use super::measured::Gathered;
use super::month::Month;
use super::passes::Pooled;

/// The replications of the only scenario of a plan, so far.
#[derive(Debug, Default)]
pub struct Sampled {
    pooled: Option<Pooled>,
    compared: Vec<Column>,
    requests: u64,
}

/// A figure that is compared, and what replications are to it.
#[derive(Debug)]
struct Column {
    /// The place among the plan's metrics.
    measure: usize,
    mark: Option<Span>,
    pairs: Vec<(f64, f64)>,
}

/// An objective and what replications say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The number of the objective in the plan.
    pub objective: usize,
    /// The figure that is bounded; of a percentile over all requests.
    pub estimate: Estimate,
    /// What its interval says of the bound.
    pub judged: Judged,
}

impl Sampled {
    /// No replication yet; the `metrics` that the plan measures are to be compared.
    pub fn new(plan: &Plan, metrics: &[Metric]) -> Sampled {
        let place = |metric: &Metric| plan.metrics.iter().position(|measure| measure.metric == *metric);
        let column = |measure: usize| Column {
            measure,
            mark: None,
            pairs: Vec::new(),
        };
        Sampled {
            pooled: None,
            compared: metrics.iter().filter_map(place).map(column).collect(),
            requests: 0,
        }
    }

    /// Takes further replications, those with the next numbers.
    pub fn extend(&mut self, plan: &Plan, tallies: &[Tally]) {
        for tally in tallies {
            self.requests += tally.requests();
            match &mut self.pooled {
                None => self.pooled = Some(Pooled::of(Gathered::new(plan.metrics.iter().cloned()), tally)),
                Some(pooled) => pooled.add(tally),
            }
        }
        let Some(pooled) = &mut self.pooled else { return };
        if let Some(scenario) = plan.scenarios.first() {
            Month::of(scenario, &pooled.tally).correct(&plan.metrics, pooled);
            pooled.look_at_growth(plan, 0);
        }
        for column in &mut self.compared {
            let at = column.measure;
            let mark = *column
                .mark
                .get_or_insert_with(|| pooled.gathered.mark(at, plan.confidence));
            column
                .pairs
                .extend(tallies.iter().map(|tally| pooled.gathered.pair(at, mark, tally)));
        }
    }

    /// Replications that were taken.
    pub fn replications(&self) -> u64 {
        self.pooled.as_ref().map_or(0, |pooled| pooled.replications as u64)
    }

    /// Requests that they counted.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// The objectives that are asked of the scenario, with intervals of the level `confidence`.
    pub fn held(&self, plan: &Plan, confidence: Confidence) -> Vec<Held> {
        let Some(pooled) = &self.pooled else { return Vec::new() };
        let asked = plan.objectives.iter().enumerate();
        let asked = asked.filter(|(_, objective)| objective.policies.contains(&0));
        let held = asked.map(|(number, objective)| {
            let (estimate, judged) = judge::judge_one(objective, &pooled.gathered, confidence);
            Held {
                objective: number,
                estimate,
                judged,
            }
        });
        held.collect()
    }

    /// Figure number `column` of those that are compared, at the level `confidence`; nothing without replications.
    pub fn side(&self, column: usize, confidence: Confidence) -> Option<Side> {
        let (pooled, column) = (self.pooled.as_ref()?, self.compared.get(column)?);
        let sum = column
            .pairs
            .iter()
            .fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x, sum.1 + y));
        let ratio = sum.0 / sum.1;
        Some(Side {
            estimate: pooled.gathered.estimate(column.measure, Of::Everything, confidence),
            residuals: column.pairs.iter().map(|(x, y)| x - ratio * y).collect(),
        })
    }
}
