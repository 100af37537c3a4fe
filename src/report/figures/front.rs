//! Cost against latency and against quality, and which policies are worth their price.
//!
//! A policy is dominated if another is nowhere worse on cost, latency and quality by the figures, and better on one of them by more than
//! the intervals of both leave open. The line is the front of the two figures that are drawn, among the policies that answer enough: those
//! that fail an objective on errors are drawn and not on it. Latency is over all requests: where too many fail it is longer than any time,
//! and the policy has no place in either picture. Colours are those of all charts, whatever a policy is worth. Left out: simultaneous
//! confidence in which policy dominates which; the paired differences have it.

use super::{HALF, axis, interval, scale_for, shortened};
use crate::report::chart::{Chart, Colour, Mark, Point, Series};
use crate::report::{Judged, Metric, PolicyReport, Report, cost_of_1k, estimate, shown};
use crate::stats::interval::Estimate;
use crate::stats::sorting;

/// A picture of one figure against another, and what it shows.
#[derive(Debug)]
pub struct Front {
    /// The picture of the front.
    pub chart: Chart,
    /// The places of the policies on the line, from left to right.
    pub front: Vec<usize>,
    /// The places of the policies that are dominated in cost, latency and quality.
    pub dominated: Vec<usize>,
    /// The places of the policies that are not shown, as too many of their requests fail.
    pub endless: Vec<usize>,
    /// The places of the policies that are shown and cannot be on the line, as they fail an objective on errors.
    pub failing: Vec<usize>,
}

/// The cost that the policies are compared by: of a month, or where a run says nothing of a month, of 1,000 requests.
pub(super) fn cost(report: &Report) -> Metric {
    let month = |policy: &PolicyReport| estimate(policy, &Metric::COST_PER_MONTH).value.is_finite();
    // A month of another traffic is another bill, whatever the policies are worth.
    let is_of_one_traffic = report.joined.as_ref().is_none_or(|joined| joined.traffic.is_none());
    if is_of_one_traffic && report.policies.iter().any(month) {
        Metric::COST_PER_MONTH
    } else {
        cost_of_1k(report.policies.iter())
    }
}

/// One figure against the cost, one point a policy; nothing for a single policy.
pub fn against(report: &Report, title: &str, metric: &Metric) -> Front {
    let cost = cost(report);
    let figures = |metric: &Metric| -> Vec<Estimate> { report.policies.iter().map(|p| shown(p, metric).0).collect() };
    let (x, y) = (figures(metric), figures(&cost));
    let latency = figures(&Metric::E2E_P95);
    let endless: Vec<usize> = (0..report.policies.len())
        .filter(|&p| x[p].value == f64::INFINITY || latency[p].value == f64::INFINITY)
        .collect();
    let shown: Vec<usize> = (0..report.policies.len())
        .filter(|p| x[*p].value.is_finite() && y[*p].value.is_finite() && !endless.contains(p))
        .collect();
    let failing: Vec<usize> = shown.iter().copied().filter(|&p| fails(report, p)).collect();
    let all = [
        (cost.clone(), y.clone()),
        (Metric::E2E_P95, latency),
        (Metric::QUALITY, figures(&Metric::QUALITY)),
    ];
    let is_dominated = |p: usize| (0..report.policies.len()).any(|q| q != p && dominates(&all, q, p));
    let dominated: Vec<usize> = shown.iter().copied().filter(|&p| is_dominated(p)).collect();
    let may: Vec<usize> = shown.iter().copied().filter(|p| !failing.contains(p)).collect();
    let front = front_of(&may, &x, &y, metric.lower_is_better());
    let several = shown.len() > 1;
    let point = |p: usize, label: String| {
        Mark::Points(vec![Point {
            x: (x[p].value, interval(&x[p])),
            y: (y[p].value, interval(&y[p])),
            label,
        }])
    };
    let mut series = vec![Series {
        colour: Colour::Muted,
        name: String::new(),
        mark: Mark::Line(stairs(&front, &x, &y)),
    }];
    let colours = report.colours();
    // Those without a name first, and so behind the others.
    let mut order = shown.clone();
    sorting::by_key(&mut order, |&p| (colours[p].is_some(), !dominated.contains(&p)));
    series.extend(order.into_iter().map(|p| {
        Series {
            colour: colours[p].map_or(Colour::Rest, Colour::Policy),
            name: shortened(&report.policies[p].name, 40),
            mark: point(
                p,
                colours[p]
                    .map(|_| shortened(&report.policies[p].name, 30))
                    .unwrap_or_default(),
            ),
        }
    }));
    let scaled = |metric: &Metric, of: &[Estimate]| {
        let (scale, range) = scale_for(shown.iter().map(|&p| of[p].value));
        axis(
            &metric.title_in(report.code()),
            metric.unit_in(report.code()),
            scale,
            range,
        )
    };
    Front {
        chart: Chart {
            title: title.into(),
            size: HALF,
            x: scaled(metric, &x),
            y: scaled(&cost, &y),
            series: if several { series } else { Vec::new() },
            references: vec![],
        },
        front,
        dominated,
        endless,
        failing,
    }
}

/// Whether policy number `p` fails an objective on the share of requests that fail.
fn fails(report: &Report, p: usize) -> bool {
    let card = &report.scorecard;
    let Some(row) = card.rows.get(p) else { return false };
    card.goals_judged(row, Judged::Fail)
        .any(|goal| goal.metric == Metric::ERROR_RATE)
}

/// Whether policy `q` dominates policy `p` in all these figures.
fn dominates(all: &[(Metric, Vec<Estimate>)], q: usize, p: usize) -> bool {
    let mut better = false;
    for (metric, figures) in all {
        let (q, p) = (&figures[q], &figures[p]);
        if q.value.is_nan() && p.value.is_nan() {
            continue;
        }
        // Of the two the one that ought to be larger.
        let (low, high) = if metric.lower_is_better() { (q, p) } else { (p, q) };
        if low.value.is_nan() || high.value.is_nan() || low.value > high.value {
            return false;
        }
        better |= low.hi.is_some_and(|end| high.lo.is_some_and(|begin| end < begin));
    }
    better
}

/// The policies of which no other is as good in both figures and better in one, from left to right.
fn front_of(shown: &[usize], x: &[Estimate], y: &[Estimate], lower_is_better: bool) -> Vec<usize> {
    let sign = if lower_is_better { 1.0 } else { -1.0 };
    let mut order: Vec<usize> = shown.to_vec();
    sorting::by(&mut order, |&a, &b| {
        let across = (sign * x[a].value).total_cmp(&(sign * x[b].value));
        across.then(y[a].value.total_cmp(&y[b].value))
    });
    let mut least = f64::INFINITY;
    let mut front: Vec<usize> = Vec::new();
    for p in order {
        if y[p].value < least {
            least = y[p].value;
            front.push(p);
        }
    }
    if !lower_is_better {
        front.reverse();
    }
    front
}

/// The line through a front: whatever lies beyond it is met by one on it.
fn stairs(front: &[usize], x: &[Estimate], y: &[Estimate]) -> Vec<(f64, f64)> {
    let mut corners = Vec::new();
    for pair in front.windows(2) {
        let ((x0, y0), (x1, y1)) = (
            (x[pair[0]].value, y[pair[0]].value),
            (x[pair[1]].value, y[pair[1]].value),
        );
        corners.extend([(x0, y0), if y0 > y1 { (x1, y0) } else { (x0, y1) }, (x1, y1)]);
    }
    corners
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Vec<Estimate> {
        values
            .iter()
            .map(|v| Estimate::symmetric(*v, Some(0.1), 5, 0))
            .collect()
    }

    #[test]
    fn a_front_is_what_nothing_else_beats_in_both() {
        let (x, y) = (of(&[1.0, 2.0, 3.0, 2.5]), of(&[9.0, 5.0, 1.0, 6.0]));
        let all = [0, 1, 2, 3];
        assert_eq!(front_of(&all, &x, &y, true), [0, 1, 2]);
        // Of two that are equal in one figure only the better in the other.
        assert_eq!(front_of(&[0, 1], &of(&[1.0, 1.0]), &of(&[2.0, 1.0]), true), [1]);
        // Quality: the dear ones lie to the right.
        let quality = of(&[0.9, 0.8, 0.7]);
        assert_eq!(front_of(&[0, 1, 2], &quality, &of(&[9.0, 5.0, 6.0]), false), [1, 0]);
        // A policy at (2, 5) meets whatever is slower and dearer: the line goes right and then down.
        assert_eq!(stairs(&[0, 1], &x, &y), [(1.0, 9.0), (2.0, 9.0), (2.0, 5.0)]);
        assert_eq!(
            stairs(&[1, 0], &quality, &of(&[9.0, 5.0])),
            [(0.8, 5.0), (0.8, 9.0), (0.9, 9.0)]
        );
    }

    #[test]
    fn whoever_leaves_too_many_unanswered_is_on_no_front() {
        use crate::report::{Goal, Scored};
        let mut report = crate::report::sample::sample();
        let all = against(&report, "t", &Metric::QUALITY);
        let cheap = all.front[0];
        report.scorecard.goals = vec![Goal {
            metric: Metric::ERROR_RATE,
            bound: 0.01,
            at_most: true,
        }];
        report.scorecard.rows = (report.policies.iter().enumerate())
            .map(|(p, policy)| {
                let judged = if p == cheap { Judged::Fail } else { Judged::Pass };
                Scored {
                    policy: policy.name.clone(),
                    judged: vec![Some(judged)],
                    overall: judged,
                }
            })
            .collect();
        let without = against(&report, "t", &Metric::QUALITY);
        assert!(without.failing == [cheap] && !without.front.contains(&cheap));
        let e2e = report.policies[cheap]
            .metrics
            .iter_mut()
            .find(|m| m.metric == Metric::E2E_P95);
        let e2e = e2e.unwrap();
        e2e.of_all = Some(Estimate {
            value: f64::INFINITY,
            ..e2e.estimate
        });
        let without = against(&report, "t", &Metric::QUALITY);
        assert_eq!(without.endless, [cheap]);
        assert!(without.failing.is_empty());
    }

    #[test]
    fn one_that_is_worse_by_no_more_than_chance_is_not_dominated() {
        let all = |cost: [f64; 2], latency: [f64; 2], quality: [f64; 2]| {
            [
                (Metric::COST_PER_MONTH, of(&cost)),
                (Metric::E2E_P95, of(&latency)),
                (Metric::QUALITY, of(&quality)),
            ]
        };
        assert!(dominates(&all([1.0, 2.0], [1.0, 1.0], [9.0, 9.0]), 0, 1));
        assert!(
            !dominates(&all([1.0, 1.1], [1.0, 1.0], [9.0, 9.0]), 0, 1),
            "within the intervals"
        );
        assert!(
            !dominates(&all([1.0, 2.0], [1.0, 2.0], [8.0, 9.0]), 0, 1),
            "worse on quality"
        );
        assert!(dominates(&all([1.0, 2.0], [1.0, f64::INFINITY], [f64::NAN; 2]), 0, 1));
    }
}
