//! What a search for capacity found, as one HTML page: the figure that binds against the load, the objective, and the capacity.
//!
//! The band is the interval of the figure at each load that was looked at; the dashed line is the objective, and the cross on it the
//! capacity with its interval. The page needs no network and no script.

use super::Unit;
use super::capacity::{Capacities, Capacity, Ended};
use super::chart::{Axis, Chart, Colour, Mark, Point, Reference, Scale, Series};
use super::curves::{Page, figure};
use super::html::Error;

const CAPTION: &str = "Against the load, with its interval; dashed is the objective, the cross is the capacity.";

/// Renders the HTML page of a search.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(all: &Capacities) -> Result<String, Error> {
    let mut charts = Vec::new();
    for (i, policy) in all.policies.iter().enumerate() {
        if let Some(chart) = chart(all, policy, i) {
            charts.push(figure(
                &format!("{}: {}", policy.policy, chart.y.label),
                CAPTION,
                &chart,
            )?);
        }
    }
    let sentences = all.policies.iter().flat_map(|policy| policy.sentences.iter().cloned());
    let page = Page {
        title: format!("Capacity of {}", all.experiment),
        sentences: sentences.collect(),
        warnings: all.warnings(),
        charts,
        text: all.table().render(160, false),
        assumptions: all.assumptions.join("; "),
        ..Page::default()
    };
    page.html()
}

/// The figure that binds under `policy` against the lever; nothing where none does.
pub fn chart(all: &Capacities, policy: &Capacity, colour: usize) -> Option<Chart> {
    let binding = policy.objective.as_ref()?;
    let goal = &binding.goal;
    let shown = policy.curve.iter().filter(|looked| looked.figure.value.is_finite());
    let points: Vec<(f64, f64)> = shown.clone().map(|looked| (looked.at, looked.figure.value)).collect();
    let band = shown.filter_map(|looked| {
        Some((
            looked.at,
            looked.figure.lo?,
            looked.figure.hi.filter(|hi| hi.is_finite())?,
        ))
    });
    let colour = Colour::Policy(colour);
    let series = |name: &str, mark: Mark| Series {
        colour,
        name: name.into(),
        mark,
    };
    let at = policy.capacity;
    let cross = Point {
        x: (at.value, at.lo.zip(at.hi)),
        y: (goal.bound, None),
        label: String::new(),
    };
    let mut drawn = vec![
        Series {
            colour: Colour::Grid,
            name: String::new(),
            mark: Mark::Band(band.collect()),
        },
        series("", Mark::Line(points.clone())),
        series("", Mark::Dots(points.clone())),
    ];
    if policy.ended == Ended::Found {
        drawn.push(series("", Mark::Points(vec![cross])));
    }
    drawn.retain(|series| !series.mark.is_empty());
    // The figure may go up by orders of magnitude beyond the capacity: what matters is around the bound.
    let most = points.iter().map(|(_, y)| *y).fold(goal.bound, f64::max);
    let least = points.iter().map(|(_, y)| *y).fold(goal.bound, f64::min);
    let unit = goal.metric.unit_in(all.currency);
    let is_wide = least > 0.0 && most > 20.0 * least && unit != Unit::Share;
    Some(Chart {
        title: format!(
            "{} of {} against {}",
            goal.metric.title_in(all.currency),
            policy.policy,
            all.lever
        ),
        size: (480, 290),
        x: Axis {
            label: all.lever.clone(),
            unit: all.unit,
            scale: Scale::Log,
            range: None,
        },
        y: Axis {
            label: goal.metric.title_in(all.currency),
            unit,
            scale: if is_wide { Scale::Log } else { Scale::Linear },
            range: None,
        },
        series: drawn,
        references: vec![Reference {
            y: goal.bound,
            label: goal.bound_in(all.currency),
        }],
    })
}
