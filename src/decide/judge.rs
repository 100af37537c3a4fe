//! Objectives against intervals: pass, fail, or undecided.
//!
//! A figure passes only if its whole interval keeps to the bound, and fails only if the whole interval breaks it. A percentile of a
//! latency is that of all requests, one that never got its answer taking for ever; and a time that shares its histogram
//! bucket with the bound keeps to it. Where requests pile up all the time nothing passes. A share fails only if its 99 % interval breaks the bound too, since the one that is reported is
//! skewed where failures are rare. With one replication there is no interval and nothing is decided; nor where no request came, though
//! nothing costs nothing.

use crate::experiment::assemble::{Objective, Plan};
use crate::kernel::time::Span;
use crate::report::{Judged, Judgement, Unit};
use crate::stats::histogram::Histogram;
use crate::stats::interval::{Confidence, Estimate};
use crate::stats::quantile::Of;

use super::measured::Gathered;

/// Judges every objective for every policy that it is asked of. `gathered` is what each policy's replications counted, in the order of
/// the plan's scenarios.
pub(super) fn judge(plan: &Plan, gathered: &[&Gathered]) -> Vec<Judgement> {
    let mut all = Vec::new();
    for objective in &plan.objectives {
        let scenarios = objective
            .policies
            .iter()
            .filter_map(|&i| Some((&plan.scenarios[i], gathered.get(i)?)));
        for (scenario, gathered) in scenarios {
            let (estimate, judged) = judge_one(objective, gathered, plan.confidence);
            let place = gathered.find(&objective.metric);
            all.push(Judgement {
                policy: scenario.name.clone(),
                metric: objective.metric.clone(),
                bound: objective.bound,
                at_most: objective.at_most,
                judged,
                estimate,
                endless: place.map_or(0.0, |i| gathered.endless(i)),
            });
        }
    }
    all
}

/// The figure of one policy that an objective bounds, over all requests, and the verdict, whether it is asked of that policy or not.
pub(super) fn judge_one(objective: &Objective, gathered: &Gathered, confidence: Confidence) -> (Estimate, Judged) {
    let place = gathered.find(&objective.metric);
    let at = |confidence| place.map_or(Estimate::NONE, |i| gathered.estimate(i, Of::Everything, confidence));
    let (estimate, of_break) = (at(confidence), at(strict(confidence)));
    // Of requests of which none got its answer no percentile has an interval, and each is for ever.
    let none_answered = estimate.n > 1 && place.is_some_and(|i| gathered.endless(i) >= 1.0);
    let judged = if gathered.requests() == 0 {
        Judged::Undecided
    } else if none_answered && objective.at_most {
        Judged::Fail
    } else {
        verdict(objective, &estimate, &of_break)
    };
    // What this run keeps to a longer one may break.
    let judged = match judged {
        Judged::Pass if gathered.piles_up() => Judged::Undecided,
        Judged::Pass | Judged::Undecided | Judged::Fail => judged,
    };
    (estimate, judged)
}

/// The level at which a share fails.
fn strict(confidence: Confidence) -> Confidence {
    if confidence > Confidence::P99 {
        confidence
    } else {
        Confidence::P99
    }
}

/// What the interval of `estimate` says of a bound; `strict` is the interval at 99 %, or more.
pub(super) fn verdict(objective: &Objective, estimate: &Estimate, strict: &Estimate) -> Judged {
    let Objective { bound, at_most, .. } = *objective;
    let unit = objective.metric.unit();
    let span = Span::from_seconds_f64;
    let is_same = |x: f64| unit == Unit::Seconds && x.is_finite() && Histogram::is_same(span(x), span(bound));
    let no_more = |x: f64| x <= bound || is_same(x);
    let no_less = |x: f64| x >= bound || is_same(x);
    let of_break = if unit == Unit::Share { strict } else { estimate };
    let (keeps, breaks) = if at_most {
        (
            estimate.hi.is_some_and(no_more),
            of_break.lo.is_some_and(|lo| !no_more(lo)),
        )
    } else {
        (
            estimate.lo.is_some_and(no_less),
            of_break.hi.is_some_and(|hi| !no_less(hi)),
        )
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
    use crate::report::Metric;

    fn judged(metric: Metric, values: &[f64], bound: f64, at_most: bool) -> Judged {
        let at = |confidence| Estimate::of_replications(values.iter().map(|&v| Some(v)), confidence);
        let objective = Objective {
            metric,
            bound,
            at_most,
            policies: vec![0],
        };
        verdict(&objective, &at(Confidence::P95), &at(Confidence::P99))
    }

    /// Three replications at 9, 10, 11: 10 ± 2.48 at 95 %.
    #[test]
    fn only_a_whole_interval_decides() {
        for (bound, at_most, expected) in [
            (12.5, true, Judged::Pass),
            (12.4, true, Judged::Undecided),
            (7.4, true, Judged::Fail),
            (7.4, false, Judged::Pass),
            (7.6, false, Judged::Undecided),
            (12.6, false, Judged::Fail),
        ] {
            let found = judged(Metric::COST_PER_MONTH, &[9.0, 10.0, 11.0], bound, at_most);
            assert_eq!(found, expected, "{bound} {at_most}");
        }
        assert_eq!(judged(Metric::COST_PER_MONTH, &[9.0], 100.0, true), Judged::Undecided);
    }

    /// 0.10 ± 0.025 at 95 % and ± 0.057 at 99 %.
    #[test]
    fn a_share_fails_at_99_percent_only() {
        let shares = [0.09, 0.10, 0.11];
        assert_eq!(judged(Metric::ERROR_RATE, &shares, 0.07, true), Judged::Undecided);
        assert_eq!(judged(Metric::ERROR_RATE, &shares, 0.04, true), Judged::Fail);
        assert_eq!(judged(Metric::ERROR_RATE, &shares, 0.126, true), Judged::Pass);
        assert_eq!(judged(Metric::ERROR_RATE, &shares, 0.126, false), Judged::Undecided);
        assert_eq!(judged(Metric::ERROR_RATE, &shares, 0.16, false), Judged::Fail);
    }

    #[test]
    fn a_time_in_the_bounds_own_bucket_keeps_to_it() {
        // What a histogram says of exactly 1 s.
        let middle = 1.000_079_36;
        assert_eq!(judged(Metric::E2E_P95, &[middle; 3], 1.0, true), Judged::Pass);
        assert_eq!(judged(Metric::E2E_P95, &[middle; 3], 1.0, false), Judged::Pass);
        assert_eq!(judged(Metric::E2E_P95, &[1.002; 3], 1.0, true), Judged::Fail);
    }

    #[test]
    fn what_never_ends_fails_and_what_has_no_end_does_not_pass() {
        let objective = Objective {
            metric: Metric::E2E_P95,
            bound: 2.0,
            at_most: true,
            policies: vec![0],
        };
        let open = |lo| Estimate {
            value: f64::INFINITY,
            lo: Some(lo),
            n: 4,
            ..Estimate::NONE
        };
        let verdict = |it: Estimate| verdict(&objective, &it, &it);
        assert_eq!(verdict(open(f64::INFINITY)), Judged::Fail);
        assert_eq!(verdict(open(1.0)), Judged::Undecided);
    }
}
