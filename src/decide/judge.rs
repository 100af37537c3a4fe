//! Objectives against intervals: pass, fail, or undecided.
//!
//! A figure passes only if its whole interval keeps to the bound, and fails only if the whole interval breaks it. With one
//! replication there is no interval and nothing is decided; nor if some replications lack the figure, because those that
//! have it are not a fair sample of all.

use crate::experiment::assemble::Objective;
use crate::report::{Judged, Judgement, PolicyReport, estimate};
use crate::stats::interval::Estimate;

/// Judges every objective for every policy that it is asked of.
pub(super) fn judge(objectives: &[Objective], policies: &[PolicyReport]) -> Vec<Judgement> {
    let mut all = Vec::new();
    for objective in objectives {
        for policy in objective.policies.iter().filter_map(|&i| policies.get(i)) {
            let estimate = estimate(policy, &objective.metric);
            all.push(Judgement {
                policy: policy.name.clone(),
                metric: objective.metric.clone(),
                bound: objective.bound,
                at_most: objective.at_most,
                judged: verdict(&estimate, objective.bound, objective.at_most),
                estimate,
            });
        }
    }
    all
}

fn verdict(estimate: &Estimate, bound: f64, at_most: bool) -> Judged {
    let (Some(lo), Some(hi), 0) = (estimate.lo(), estimate.hi(), estimate.undefined) else {
        return Judged::Undecided;
    };
    let (keeps, breaks) = if at_most {
        (hi <= bound, lo > bound)
    } else {
        (lo >= bound, hi < bound)
    };
    match (keeps, breaks) {
        (true, _) => Judged::Pass,
        (_, true) => Judged::Fail,
        _ => Judged::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::interval::Confidence;

    /// Three replications at 9, 10, 11: 10 ± 2.48 at 95 %.
    #[test]
    fn only_a_whole_interval_decides() {
        let of = |values: &[f64]| Estimate::of_replications(values.iter().map(|&v| Some(v)), Confidence::P95);
        let it = of(&[9.0, 10.0, 11.0]);
        for (bound, at_most, judged) in [
            (12.5, true, Judged::Pass),
            (12.4, true, Judged::Undecided),
            (7.4, true, Judged::Fail),
            (7.4, false, Judged::Pass),
            (7.6, false, Judged::Undecided),
            (12.6, false, Judged::Fail),
        ] {
            assert_eq!(verdict(&it, bound, at_most), judged, "{bound} {at_most}");
        }
        assert_eq!(verdict(&of(&[9.0]), 100.0, true), Judged::Undecided);
        let gaps = Estimate::of_replications([Some(1.0), None, Some(1.1), Some(0.9)], Confidence::P95);
        assert_eq!(verdict(&gaps, 100.0, true), Judged::Undecided);
    }
}
