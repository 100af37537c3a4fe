//! All policies in order of one figure, and which of them may be the best.
//!
//! The one with the best mean leads. Each other is compared with it replication by replication, and is behind if the
//! interval of the paired difference excludes zero; as there are many such comparisons, all intervals together have the
//! report's level (Bonferroni: Law, *Simulation Modeling and Analysis*, ch. 10). A policy that is not behind may be the
//! best.

use crate::report::{Metric, Ranked, Ranking};
use crate::stats::compare::{Paired, Side, Verdict};
use crate::stats::interval::Confidence;
use crate::stats::sorting;

/// The level that each of the comparisons with the leader needs.
pub(super) fn together(confidence: Confidence, policies: usize) -> Confidence {
    confidence.shared_by(policies.saturating_sub(1))
}

/// The policies of `names` by `metric`, the best first; those that lack it last. `sides` has that metric's figure of each policy, with
/// intervals of the level that [`together`] says.
pub(super) fn ranking(metric: &Metric, names: &[String], sides: &[&Side], together: Confidence) -> Option<Ranking> {
    let value = |p: usize| sides[p].estimate.value;
    let mut order: Vec<usize> = (0..names.len()).collect();
    sorting::by(&mut order, |&a, &b| {
        let (a, b) = (value(a), value(b));
        let known_first = a.is_nan().cmp(&b.is_nan());
        let better_first = if metric.lower_is_better() {
            a.total_cmp(&b)
        } else {
            b.total_cmp(&a)
        };
        known_first.then(better_first)
    });
    let leader = *order.first()?;
    let rows = order.iter().map(|&p| {
        let paired = Paired::compare(sides[leader], sides[p], together);
        Ranked {
            policy: names[p].clone(),
            behind: paired.difference,
            may_be_best: !matches!(paired.verdict, Verdict::Lower | Verdict::Higher) && !value(p).is_nan(),
        }
    });
    Some(Ranking {
        metric: metric.clone(),
        rows: rows.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(metric: Metric, figures: &[(&str, [f64; 3])]) -> Vec<(String, bool)> {
        let names: Vec<String> = figures.iter().map(|(name, _)| (*name).into()).collect();
        let together = together(Confidence::P95, names.len());
        let side = |(_, values): &(&str, [f64; 3])| Side::of_replications(values, together);
        let sides: Vec<Side> = figures.iter().map(side).collect();
        let sides: Vec<&Side> = sides.iter().collect();
        let ranking = ranking(&metric, &names, &sides, together).unwrap();
        ranking.rows.into_iter().map(|r| (r.policy, r.may_be_best)).collect()
    }

    #[test]
    fn who_is_level_with_the_leader_may_be_the_best() {
        let figures = [
            ("far", [9.0, 9.1, 9.0]),
            ("level", [1.0, 1.2, 0.9]),
            ("none", [f64::NAN; 3]),
            ("leads", [1.0, 1.0, 1.0]),
        ];
        let rows = |metric| {
            ranked(metric, &figures)
                .into_iter()
                .map(|(name, best)| format!("{name} {best}"))
        };
        assert_eq!(
            rows(Metric::E2E_P95).collect::<Vec<_>>(),
            ["leads true", "level true", "far false", "none false"]
        );
        assert_eq!(
            rows(Metric::GOODPUT).collect::<Vec<_>>(),
            ["far true", "level false", "leads false", "none false"]
        );
    }

    /// Twenty comparisons at 95 % together need 99.75 % each: t with 2 degrees of freedom is 19.96 instead of 4.30.
    #[test]
    fn many_comparisons_widen_each_interval() {
        let mut figures = vec![("leads", [1.0, 1.0, 1.0]), ("next", [1.9, 2.0, 2.2])];
        assert!(!ranked(Metric::E2E_P95, &figures)[1].1);
        figures.extend([("far", [50.0, 51.0, 50.0]); 19]);
        assert!(ranked(Metric::E2E_P95, &figures)[1].1);
    }
}
