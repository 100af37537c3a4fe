//! What quality hangs on: how far a request that is difficult for one model is difficult for the others.
//!
//! Where a policy judged answers and asked again, its quality is told besides under other correlations ([`SUPPOSED`]), from the same
//! requests and verdicts, each counted by how much likelier it would be there. A run says nothing of a correlation under which other
//! verdicts would come than it has met: one whose weights do not add up to its requests is left out. What the figures assume stands
//! beside them in words, and which objectives another correlation would decide otherwise.

use crate::engine::tally::{ClassTally, Tally};
use crate::engine::ties::{SUPPOSED, Ties};
use crate::experiment::assemble::Plan;
use crate::report::{Judged, Metric, PolicyReport, SupposedReport, Unit, estimate, format};
use crate::words::Outcome;

use super::judge::verdict;
use super::passes::{Each, Figure};

/// Weights may miss the requests by this share: they vary from run to run where verdicts do.
const MISSES: f64 = 0.02;

/// The smallest difference of quality that is worth a sentence: less is not shown of it.
const SHOWN: f64 = 0.0005;

/// The quality under each correlation that the replications, of which `pooled` is the sum, can tell; nothing if it hangs on none.
pub(super) fn supposed(pooled: &Tally, each: Each<'_>) -> Vec<SupposedReport> {
    let sum = |of: &dyn Fn(&ClassTally) -> u64| pooled.classes.iter().map(of).sum::<u64>();
    let rated = sum(&|class| class.rated);
    let is_rated = rated == sum(&|class| class.outcomes[Outcome::Success.index()]);
    if !is_rated || sum(&|class| class.hanging) == 0 {
        return Vec::new();
    }
    let is_told = |level: usize| {
        let weight = sum(&|class| class.supposed[level].weight) as f64 / 1e6;
        (weight / rated as f64 - 1.0).abs() <= MISSES
    };
    let levels = SUPPOSED.into_iter().enumerate().filter(|&(level, _)| is_told(level));
    levels
        .map(|(level, correlation)| SupposedReport {
            correlation,
            quality: each(&|tally| {
                let all = tally.classes.iter().map(|class| class.supposed[level]);
                let (quality, weight) = all.fold((0, 0), |(q, w), one| (q + one.quality, w + one.weight));
                Figure::Ratio(quality as f64, weight as f64)
            }),
        })
        .collect()
}

/// What the quality of `policy`, number `number` of the plan, assumes, and what it would be otherwise; nothing if that is the same.
pub(super) fn sentence(plan: &Plan, number: usize, policy: &PolicyReport) -> Option<String> {
    let quality = estimate(policy, &Metric::QUALITY);
    let is_independent = plan.scenarios[number].ties == Ties::None;
    let others = || (policy.supposed.iter()).filter(|other| !(is_independent && other.correlation == 0.0));
    if !others().any(|other| (other.quality.value - quality.value).abs() >= SHOWN) {
        return None;
    }
    let share = |value: f64| format::value(Unit::Share, value);
    let each: Vec<String> = others()
        .map(|other| format!("at {} {}", other.correlation, share(other.quality.value)))
        .collect();
    let mut text = format!(
        "{}: quality assumes {}: {}; at a correlation of {}",
        policy.name,
        plan.assumes,
        share(quality.value),
        each.join(", ").trim_start_matches("at ")
    );
    for objective in &plan.objectives {
        if objective.metric != Metric::QUALITY || !objective.policies.contains(&number) {
            continue;
        }
        let now = verdict(objective, &quality, &quality);
        let otherwise: Vec<String> = others()
            .filter_map(|other| {
                let then = verdict(objective, &other.quality, &other.quality);
                (then != now).then(|| format!("{} at {}", would(then), other.correlation))
            })
            .collect();
        if !otherwise.is_empty() {
            let side = if objective.at_most { '≤' } else { '≥' };
            text += &format!(
                "; quality {side} {} {}",
                share(objective.bound),
                otherwise.join(" and ")
            );
        }
    }
    Some(text)
}

fn would(judged: Judged) -> &'static str {
    match judged {
        Judged::Pass => "would pass",
        Judged::Fail => "would fail",
        Judged::Undecided => "would be undecided",
    }
}
