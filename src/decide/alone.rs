//! What single replications are like, and how often one misses an objective.
//!
//! The figures of replications come from the second pass over them, so that they are known for what is measured of all traffic or a part
//! of it alike. Replications are independent by their seeds, which is what order statistics and Wilson's interval ask. Kept for the figures
//! that tables begin with and for those that objectives bound.

use crate::experiment::assemble::{Measure, Objective, Plan};
use crate::kernel::time::Span;
use crate::report::{Alone, Between, Goal, Judged, Metric, Missed, Scored, Unit, format, stretches};
use crate::stats::histogram::Histogram;
use crate::stats::interval::wilson;
use crate::stats::spread::Spread;

use super::measured::Compared;

/// The figures that are told of single replications whatever the experiment asks.
const ALWAYS: [Metric; 4] = [
    Metric::TTFT_P95,
    Metric::E2E_P95,
    Metric::ERROR_RATE,
    Metric::COST_PER_1K,
];

/// A share of replications that miss an objective which all together meet, from which on a reader must know of it.
const REMARKABLE: f64 = 0.05;

/// The figures of single replications, of which `compared` has each.
pub(super) fn alone(plan: &Plan, compared: &Compared) -> Vec<Alone> {
    let measures = plan.metrics.iter().enumerate();
    let asked = measures.filter(|(_, measure)| {
        let is_bounded = plan
            .objectives
            .iter()
            .any(|objective| objective.metric == measure.metric);
        is_bounded || ALWAYS.contains(&measure.metric)
    });
    let of = |(i, measure): (usize, &Measure)| -> Option<Alone> {
        let spread = Spread::of(compared.values(i));
        Some(Alone {
            metric: measure.metric.clone(),
            n: spread.n() as u64,
            median: spread.below(0.5)?,
            eight_of_ten: spread.middle(0.8).map(Between::new),
            nine_of_ten: spread.middle(0.9).map(Between::new),
        })
    };
    asked.filter_map(of).collect()
}

/// How often single replications under policy number `number` miss the objectives that are asked of it.
pub(super) fn missed(plan: &Plan, number: usize, compared: &Compared) -> Vec<Missed> {
    let asked = plan
        .objectives
        .iter()
        .filter(|objective| objective.policies.contains(&number));
    let of = |objective: &Objective| {
        let i = plan
            .metrics
            .iter()
            .position(|measure| measure.metric == objective.metric)?;
        let values = compared.values(i).iter().copied().filter(|value| !value.is_nan());
        let (mut missed, mut of) = (0, 0);
        for value in values {
            of += 1;
            missed += u64::from(!keeps(objective, value));
        }
        let (lo, hi) = wilson(missed, of, plan.confidence);
        (of > 1).then(|| Missed {
            metric: objective.metric.clone(),
            bound: objective.bound,
            at_most: objective.at_most,
            missed,
            of,
            lo,
            hi,
        })
    };
    asked.filter_map(of).collect()
}

/// Whether a figure keeps to the bound; a time that shares its bucket with the bound does.
fn keeps(objective: &Objective, value: f64) -> bool {
    let span = Span::from_seconds_f64;
    let is_time = objective.metric.unit() == Unit::Seconds && value.is_finite();
    let is_same = is_time && Histogram::is_same(span(value), span(objective.bound));
    is_same
        || if objective.at_most {
            value <= objective.bound
        } else {
            value >= objective.bound
        }
}

/// The objective that a policy meets over all replications and single ones miss most often, in a sentence, if that is often.
pub(super) fn remarkable(plan: &Plan, row: &Scored, goals: &[Goal], missed: &[Missed], counted: f64) -> Option<String> {
    let meets = |missed: &&Missed| {
        let of = goals.iter().zip(&row.judged).find(|(goal, _)| {
            goal.metric == missed.metric && goal.bound == missed.bound && goal.at_most == missed.at_most
        });
        of.is_some_and(|(_, judged)| *judged == Some(Judged::Pass))
    };
    let share = |missed: &Missed| missed.missed as f64 / missed.of as f64;
    let often = missed.iter().filter(meets).filter(|missed| missed.lo > REMARKABLE);
    let worst = often.reduce(|a, b| if share(b) > share(a) { b } else { a })?;
    let code = plan.currency.as_ref().map(|billing| billing.code);
    let goal = Goal {
        metric: worst.metric.clone(),
        bound: worst.bound,
        at_most: worst.at_most,
    };
    let (counts, interval) = worst.words();
    Some(format!(
        "{} meets {} {} on the whole, but of single {} {} miss it ({counts} replications, {interval}).",
        row.policy,
        goal.metric.title_in(code),
        goal.bound_in(code),
        stretches(counted),
        format::tick(Unit::Share, share(worst)),
    ))
}
