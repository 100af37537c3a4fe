//! The figures of single replications, one by one: what a question that spans several runs is asked of.
//!
//! A report keeps of them what a reader of one run needs; how much of a spread over runs is a single run's chance asks for the figures
//! themselves. They are those of the replications that every policy finished, in the order of their numbers.

use crate::engine::replicate::Finished;
use crate::experiment::assemble::{Measure, Plan};
use crate::words::Metric;

use super::measured::Gathered;
use super::month::Month;
use super::passes::Replications;

/// The figures of each replication by itself, by policy of `plan` and then by metric of `metrics`, in each metric's unit: NaN where the replication
/// does not define it, infinite where too many requests never got their answer. A metric that the plan lacks has none.
///
/// # Errors
/// If a replication that is finished cannot be read.
pub fn singles<F: Finished>(plan: &Plan, runs: &F, metrics: &[Metric]) -> Result<Vec<Vec<Vec<f64>>>, F::Error> {
    let scenarios = 0..plan.scenarios.len();
    let complete: Vec<u64> = (0..runs.planned())
        .filter(|&r| scenarios.clone().all(|s| runs.has(r, s)))
        .collect();
    let find = |metric: &Metric| plan.metrics.iter().find(|measure| measure.metric == *metric).cloned();
    let known: Vec<Option<Measure>> = metrics.iter().map(find).collect();
    let measures: Vec<Measure> = known.iter().flatten().cloned().collect();
    let mut all = Vec::new();
    for (s, scenario) in plan.scenarios.iter().enumerate() {
        let replications = Replications::new(runs, &complete, s);
        let Some(mut pooled) = replications.pool(Gathered::new(measures.iter().cloned()))? else {
            return Ok(Vec::new());
        };
        Month::of(scenario, &pooled.tally).correct(&measures, &mut pooled);
        let mut compared = pooled.gathered.compared(measures.len(), plan.confidence);
        replications.each(|tally| pooled.gathered.residuals(tally, &mut compared))?;
        let mut next = 0;
        let of = |measure: &Option<Measure>| {
            let at = next;
            next += usize::from(measure.is_some());
            measure.as_ref().map_or_else(Vec::new, |_| compared.values(at).to_vec())
        };
        all.push(known.iter().map(of).collect());
    }
    Ok(all)
}
