//! What follows from a run without objectives: the first of the ranking, or in which figures the policies differ.

use super::{Given, named};
use crate::report::{Metric, Unit, format};
use crate::stats::compare::Verdict;

/// Without objectives: the first of the ranking, and those that may be as good.
pub(super) fn first(given: &Given<'_>) -> Option<(usize, String)> {
    let ranking = given.ranking?;
    let best = ranking.rows.first()?;
    let p = given.policies.iter().position(|policy| policy.name == best.policy)?;
    let value = given.over_all(&ranking.metric, p);
    if value.value.is_nan() {
        return None;
    }
    let level: Vec<usize> = (ranking.rows.iter().skip(1))
        .filter(|row| row.may_be_best)
        .filter_map(|row| given.policies.iter().position(|policy| policy.name == row.policy))
        .collect();
    let level = if level.is_empty() {
        String::new()
    } else {
        format!("; the runs cannot tell it from {}", named(given, &level))
    };
    let sentence = format!(
        "Best by {}: {}, {}{level}.",
        ranking.metric.title_in(given.code),
        best.policy,
        format::plus_minus(ranking.metric.unit_in(given.code), &given.told(&ranking.metric, p))
    );
    Some((p, sentence))
}

/// With neither objectives nor a ranking: in which figures the policies differ, or what the only one has.
pub(super) fn unjudged(given: &Given<'_>) -> String {
    /// A difference of shares below this is not told, however sure it is.
    const NOTABLE: f64 = 0.001;
    let all: Vec<usize> = (0..given.policies.len()).collect();
    let cost = given.cost(&all);
    let metrics: Vec<Metric> = [Metric::ERROR_RATE, Metric::E2E_P95].into_iter().chain(cost).collect();
    let figure = |metric: &Metric, p: usize| format::plus_minus(metric.unit_in(given.code), &given.told(metric, p));
    let title = |metric: &Metric| metric.title_in(given.code);
    if let [only] = all[..] {
        let known = metrics
            .iter()
            .filter(|metric| !given.over_all(metric, only).value.is_nan());
        let figures: Vec<String> = known
            .map(|metric| format!("{} {}", title(metric), figure(metric, only)))
            .collect();
        let name = given.name(only);
        return match figures.is_empty() {
            true => format!("No objective is given, and {name} has no figure to judge it by: no request was counted."),
            false => format!("No objective is given to judge {name} by: {}.", figures.join(", ")),
        };
    }
    let mut apart: Vec<String> = Vec::new();
    let mut errors_differ = false;
    for metric in &metrics {
        // A request that fails costs less: where errors differ, costs say little.
        if metric.unit() == Unit::Dollars && errors_differ {
            continue;
        }
        let order = given.by(metric, &all);
        let (Some(&best), Some(&worst)) = (order.first(), order.last()) else {
            continue;
        };
        // The two ends of so many are chosen from all their pairs.
        let Some(paired) = given.paired(metric, best, worst, all.len() * (all.len() - 1) / 2) else {
            continue;
        };
        let differs = matches!(paired.verdict, Verdict::Higher | Verdict::Lower);
        let matters = match metric.unit() {
            Unit::Share => paired.difference.value.abs() >= NOTABLE,
            _ => paired.relative.is_none_or(|share| share.abs() >= given.plan.matters),
        };
        if differs && matters {
            errors_differ |= *metric == Metric::ERROR_RATE;
            apart.push(format!(
                "{} from {} ({}) to {} ({})",
                title(metric),
                figure(metric, best),
                given.name(best),
                figure(metric, worst),
                given.name(worst)
            ));
        }
    }
    let count = all.len();
    if apart.is_empty() {
        let titles: Vec<String> = metrics.iter().map(title).collect();
        format!(
            "No objective is given to choose by, and the runs do not set the {count} policies apart by {}.",
            titles.join(", ")
        )
    } else {
        format!(
            "No objective is given to choose by. The {count} policies range in {}.",
            apart.join(", and in ")
        )
    }
}
