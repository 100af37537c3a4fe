//! What each policy's bill is for: one row a policy, one part after the other, and the whole with its interval; and one policy's bill as
//! steps.

use super::{HALF, axis, front, in_rows, interval, shortened};
use crate::report::chart::{Chart, Colour, Mark, Point, Scale, Series};
use crate::report::{Metric, PolicyReport, Report, Unit, estimate, format};

/// Half the height of a row's bar, in rows.
const HALF_BAR: f64 = 0.3;

/// The parts of the bill by what the money went to; nothing if it is for answers of first attempts alone. Its parts have the colours of
/// providers, by their places in [`crate::words::Spending::ALL`].
pub fn waterfall(report: &Report, title: &str) -> Chart {
    let cost = front::cost(report);
    let colours = report.colours();
    let mut rows: Vec<&PolicyReport> = in_rows(&colours, report)
        .into_iter()
        .map(|(_, policy)| policy)
        .collect();
    if !rows.iter().any(|policy| policy.bill.has_purposes()) {
        rows.clear();
    }
    let unit = cost.unit_in(report.code());
    let mut series = Vec::new();
    let mut names = Vec::new();
    for (row, policy) in rows.iter().enumerate() {
        let at = -(row as f64);
        names.push((at, shortened(&policy.name, 18)));
        let whole = estimate(policy, &cost);
        let mut from = 0.0;
        for part in policy.bill.totals() {
            let month = cost == Metric::COST_PER_MONTH;
            let wide = if month {
                part.cost_per_month.value
            } else {
                part.share.value * whole.value
            };
            let ends = [from, from + wide].map(|x| (x, at - HALF_BAR, at + HALF_BAR));
            from += wide;
            series.push(Series {
                colour: Colour::Provider(part.purpose.index()),
                name: String::new(),
                mark: Mark::Band(ends.to_vec()),
            });
        }
        series.push(Series {
            colour: Colour::Muted,
            name: policy.name.clone(),
            mark: Mark::Points(vec![Point {
                x: (whole.value, interval(&whole)),
                y: (at, None),
                label: format::value(unit, whole.value),
            }]),
        });
    }
    let lowest = 0.5 - rows.len() as f64;
    Chart {
        title: title.into(),
        size: (HALF.0, 50 + (rows.len() * 30) as u32),
        x: axis(&cost.title_in(report.code()), unit, Scale::Linear, None),
        y: axis("", Unit::Number, Scale::Named(names), Some((lowest, 0.5))),
        series,
        references: vec![],
    }
}

/// One policy's bill as steps: a row for each part, which begins where the one before ends, and the whole below them.
pub fn steps_to_bill(report: &Report, policy: &PolicyReport, title: &str) -> Chart {
    let cost = front::cost(report);
    let unit = cost.unit_in(report.code());
    let whole = estimate(policy, &cost);
    let mut rows: Vec<Step> = Vec::new();
    let mut from = 0.0;
    for part in policy.bill.totals() {
        let wide = part.share.value * whole.value;
        rows.push(Step {
            name: part.purpose.title(),
            ends: [from, from + wide],
            colour: Colour::Provider(part.purpose.index()),
            said: format!("{} ({})", format::value(unit, wide), format::share(part.share.value)),
        });
        from += wide;
    }
    // What belongs to no attempt: judging answers.
    let rest = whole.value - from;
    if rest > 0.005 * whole.value {
        rows.push(Step {
            name: "judging answers",
            ends: [from, whole.value],
            colour: Colour::Muted,
            said: format!("{} ({})", format::value(unit, rest), format::share(rest / whole.value)),
        });
    }
    rows.push(Step {
        name: "the bill",
        ends: [0.0, whole.value],
        colour: Colour::Muted,
        said: format::value(unit, whole.value),
    });
    let mut series = Vec::new();
    let mut names = Vec::new();
    for (row, step) in rows.iter().enumerate() {
        let at = -(row as f64);
        names.push((at, shortened(step.name, 30)));
        series.push(Series {
            colour: step.colour,
            name: String::new(),
            mark: Mark::Band(step.ends.map(|x| (x, at - HALF_BAR, at + HALF_BAR)).to_vec()),
        });
    }
    // Words after bars, so that they lie upon them.
    series.extend(rows.iter().enumerate().map(|(row, step)| Series {
        colour: step.colour,
        name: String::new(),
        mark: Mark::Notes(vec![(
            0.5 * (step.ends[0] + step.ends[1]),
            -(row as f64),
            step.said.clone(),
        )]),
    }));
    let lowest = 0.5 - rows.len() as f64;
    Chart {
        title: title.into(),
        size: (HALF.0, 34 + (rows.len() * 26) as u32),
        x: axis("", unit, Scale::Linear, Some((0.0, whole.value.max(f64::MIN_POSITIVE)))),
        y: axis("", Unit::Number, Scale::Named(names), Some((lowest, 0.5))),
        series,
        references: vec![],
    }
}

/// A row of the steps to a bill.
struct Step {
    name: &'static str,
    ends: [f64; 2],
    colour: Colour,
    said: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Bill, PurposeRow};
    use crate::stats::interval::Estimate;
    use crate::words::Spending;

    #[test]
    fn parts_stand_one_after_the_other_and_reach_the_whole() {
        let mut report = crate::report::sample::sample();
        let whole = estimate(&report.policies[0], &front::cost(&report)).value;
        let part = |purpose, share: f64| PurposeRow {
            purpose,
            provider: None,
            class: None,
            share: Estimate::symmetric(share, None, 2, 0),
            cost_per_month: Estimate::symmetric(share * whole, None, 2, 0),
        };
        assert!(waterfall(&report, "t").series.is_empty(), "nothing is known");
        report.policies.truncate(1);
        report.policies[0].bill = Bill {
            by_purpose: vec![part(Spending::First, 0.75), part(Spending::Wasted, 0.25)],
            ..Bill::default()
        };
        let chart = waterfall(&report, "t");
        let ends: Vec<(f64, f64)> = (chart.series.iter())
            .filter_map(|series| match &series.mark {
                Mark::Band(slices) => Some((slices[0].0, slices[1].0)),
                _ => None,
            })
            .collect();
        assert_eq!(ends, [(0.0, 0.75 * whole), (0.75 * whole, whole)]);
        assert_eq!(chart.series[1].colour, Colour::Provider(Spending::Wasted.index()));
        let steps = steps_to_bill(&report, &report.policies[0], "t");
        let ends: Vec<(f64, f64)> = (steps.series.iter())
            .filter_map(|series| match &series.mark {
                Mark::Band(slices) => Some((slices[0].0, slices[1].0)),
                _ => None,
            })
            .collect();
        assert_eq!(ends, [(0.0, 0.75 * whole), (0.75 * whole, whole), (0.0, whole)]);
    }
}
