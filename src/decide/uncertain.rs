//! Intervals that hold what is not known of the models, beside what chance does: where a model tells how far its parameters are known.
//!
//! The metrics of policies, their comparisons, the ranking, the objectives, and what the report says by class, by provider and of bills
//! are widened ([`crate::stats::parts`]). Where no model tells it, nothing is changed.

use crate::experiment::assemble::Plan;
use crate::report::{Metric, PartsOfError, PolicyReport, Unit, format, shown};
use crate::stats::compare::Side;
use crate::stats::critical::Confidence;
use crate::stats::interval::Estimate;
use crate::stats::parts::{LEAST_PAIRS, Parts, Scale};

/// The parts of the errors of one policy's metrics, in the order of the plan's; empty where all models are exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Uncertain(Vec<Option<Parts>>);

/// Whether some model of the plan tells how far its parameters are known.
pub(super) fn is_uncertain(plan: &Plan) -> bool {
    let mut fleet = plan.scenarios.iter().flat_map(|scenario| scenario.fleet.iter());
    fleet.any(|deployment| deployment.provider.drawn.is_some())
}

impl Uncertain {
    /// Those of `sides`, whose residuals are of the replications of these numbers.
    pub(super) fn of(sides: &[Side], numbers: &[u64]) -> Uncertain {
        Uncertain((sides.iter()).map(|side| Parts::of(&side.residuals, numbers)).collect())
    }

    /// By how much the interval of metric number `i` grows where it holds both parts; `None` where the models' part does not show.
    pub(super) fn factor(&self, i: usize, confidence: Confidence) -> Option<f64> {
        self.0.get(i).copied().flatten()?.factor(confidence)
    }

    /// The estimate of metric number `i` with both parts in its interval.
    pub(super) fn widen(&self, i: usize, estimate: Estimate, scale: Scale, confidence: Confidence) -> Estimate {
        let parts = self.0.get(i).copied().flatten();
        parts.map_or(estimate, |parts| parts.widen(&estimate, scale, confidence))
    }

    /// What the interval of metric number `i` is made of: `of_run` has that of the run alone, and `whole` both.
    pub(super) fn parts(
        &self,
        i: usize,
        of_run: &Estimate,
        whole: &Estimate,
        confidence: Confidence,
    ) -> Option<PartsOfError> {
        let (run, models) = self.0.get(i).copied().flatten()?.reach(of_run, whole, confidence)?;
        Some(PartsOfError { run, models })
    }
}

/// What a reader must know of it: that there were too few replications.
pub(super) fn warning(plan: &Plan, replications: usize) -> Option<String> {
    let enough = 2 * LEAST_PAIRS;
    (is_uncertain(plan) && replications < enough).then(|| {
        format!(
            "intervals are the run's alone: what the models' own measurements leave open is told from {enough} replications on"
        )
    })
}

/// What the intervals hold, by the first latency of each policy that the models' uncertainty is seen in.
pub(super) fn sentences(policies: &[PolicyReport]) -> Vec<String> {
    let of = |policy: &PolicyReport| {
        let (measured, parts) = [Metric::TTFT_P95, Metric::E2E_P95].iter().find_map(|metric| {
            let found = policy.metrics.iter().find(|measured| measured.metric == *metric)?;
            Some((found, found.parts.as_ref()?))
        })?;
        let (figure, _) = shown(policy, &measured.metric);
        let seconds = |x: f64| format::value(Unit::Seconds, x);
        Some(format!(
            "{}: {} {}, of which the models' measurements leave open ±{} and the run ±{}",
            policy.name,
            measured.metric.title_in(None),
            format::plus_minus(Unit::Seconds, &figure),
            seconds(parts.models),
            seconds(parts.run)
        ))
    };
    policies.iter().filter_map(of).collect()
}
