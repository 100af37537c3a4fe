//! How far each replication keeps to each objective: what a search for the load at which they just hold goes by.
//!
//! A replication's margin is a number whose sum over replications is 0 where the figure of all of them together is at its bound: of a
//! percentile, the requests within the bound less the share of all that must be; of a ratio, the bound times the denominator less the
//! numerator. So the root of the mean margin is the root of the pooled figure, however skewed the figure itself is, and a percentile
//! that has no end still has a margin. A time in the bound's own bucket of the histogram keeps to it, as when objectives are judged.

use crate::engine::replicate::{Finished, Runs};
use crate::experiment::assemble::Plan;
use crate::report::Judged;
use crate::stats::interval::Estimate;

use super::judge;
use super::measured::Gathered;
use super::month::Month;
use super::passes::Replications;

/// An objective, and how replications of one policy keep to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// The number of the objective in the plan.
    pub objective: usize,
    /// The figure that is bounded, over all replications; of a percentile over all requests.
    pub estimate: Estimate,
    /// What its interval says of the bound.
    pub judged: Judged,
    /// By replication how far it keeps to the bound, and what that is a part of; empty where the figure has no value.
    pub kept: Vec<(f64, f64)>,
}

impl Weighed {
    /// The mean margin as a share of what it is a part of: below 0 where the objective fails. Nothing where the figure has no value.
    pub fn margin(&self) -> Option<f64> {
        let sum = |which: fn(&(f64, f64)) -> f64| self.kept.iter().map(which).sum::<f64>();
        let of = sum(|kept| kept.1);
        (of > 0.0).then(|| sum(|kept| kept.0) / of)
    }
}

/// The objectives that are asked of the policy number `scenario`, by the replications of `runs` that are finished, and whether requests pile
/// up there all the time.
pub fn weigh(plan: &Plan, scenario: usize, runs: &Runs) -> (Vec<Weighed>, bool) {
    let finished: Vec<u64> = (0..runs.planned()).filter(|&r| runs.has(r, scenario)).collect();
    let replications = Replications::new(runs, &finished, scenario);
    let Ok(pooled) = replications.pool(Gathered::new(plan.metrics.iter().cloned()));
    let Some(mut pooled) = pooled else {
        return (Vec::new(), false);
    };
    pooled.look_at_growth(plan, scenario);
    Month::of(&plan.scenarios[scenario], &pooled.tally).correct(&plan.metrics, &mut pooled);
    let gathered = &pooled.gathered;
    let asked = plan.objectives.iter().enumerate();
    let asked = asked.filter(|(_, objective)| objective.policies.contains(&scenario));
    let weighed = asked.map(|(number, objective)| {
        let (estimate, judged) = judge::judge_one(objective, gathered, plan.confidence);
        let place = gathered.find(&objective.metric);
        let tallies = finished
            .iter()
            .filter_map(|&r| runs[scenario][r as usize].as_ref().ok());
        let kept: Option<Vec<(f64, f64)>> = place.and_then(|i| {
            let each = tallies.map(|tally| gathered.margin(i, objective, tally));
            each.collect()
        });
        Weighed {
            objective: number,
            estimate,
            judged,
            kept: kept.unwrap_or_default(),
        }
    });
    (weighed.collect(), gathered.piles_up())
}
