//! What a choice found, as one HTML page: what latency, errors and quality are to be had for, a chart each.
//!
//! Every point was run on seeds that the search never met; the crosses are intervals, and the line goes through the points of which no other
//! is better in one metric and as good in the rest. The page needs no network and no script.

use super::chart::{Axis, Chart, Colour, Mark, Point, Reference, Scale, Series};
use super::curves::{Page, figure};
use super::html::Error;
use super::optimum::Optimum;
use super::text::clean;
use crate::stats::interval::Estimate;
use crate::stats::sorting;

const CAPTION: &str = "With intervals; the line is the front, dashed is the objective.";

/// Renders the HTML page of a choice.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(all: &Optimum) -> Result<String, Error> {
    let mut charts = Vec::new();
    for column in 1..all.metrics.len() {
        if let Some(chart) = chart(all, column) {
            let name = format!("{} against {}", chart.y.label, chart.x.label);
            charts.push(figure(&name, CAPTION, &chart)?);
        }
    }
    let commands = all
        .points
        .iter()
        .map(|point| format!("{}: {}\n", clean(&point.name), clean(&point.command)));
    let page = Page {
        title: format!("The best of {}", clean(&all.experiment)),
        sentences: all.sentences.clone(),
        warnings: all.warnings.iter().map(|warning| clean(warning)).collect(),
        charts,
        text: format!("{}\n{}", all.table().render(160, false), commands.collect::<String>())
            .trim()
            .to_owned(),
        assumptions: all.assumptions.join("; "),
        ..Page::default()
    };
    page.html()
}

/// Metric number `column` of the points against the first; nothing where no point has both.
pub fn chart(all: &Optimum, column: usize) -> Option<Chart> {
    let finite = |figure: &Estimate| figure.value.is_finite();
    let place = |figure: &Estimate| (figure.value, figure.lo.zip(figure.hi.filter(|hi| hi.is_finite())));
    let shown = all.points.iter().filter(|point| {
        let figures = &point.at.figures;
        figures.first().is_some_and(finite) && figures.get(column).is_some_and(finite)
    });
    let mut along: Vec<(f64, f64)> = (shown.clone().filter(|point| point.is_on_front))
        .map(|point| (point.at.figures[0].value, point.at.figures[column].value))
        .collect();
    sorting::by(&mut along, |a, b| a.0.total_cmp(&b.0));
    let series = |colour: Colour, mark: Mark| Series {
        colour,
        name: String::new(),
        mark,
    };
    let mut drawn = vec![series(Colour::Muted, Mark::Line(along))];
    for point in shown {
        let colour = match (point.is_best, point.is_today) {
            (true, _) => Colour::Policy(0),
            (false, true) => Colour::Policy(1),
            (false, false) => Colour::Rest,
        };
        drawn.push(series(
            colour,
            Mark::Points(vec![Point {
                x: place(&point.at.figures[0]),
                y: place(&point.at.figures[column]),
                label: clean(&point.name),
            }]),
        ));
    }
    drawn.retain(|series| !series.mark.is_empty());
    if drawn.is_empty() {
        return None;
    }
    let axis = |column: usize| Axis {
        label: all.metrics[column].title_in(all.currency),
        unit: all.metrics[column].unit_in(all.currency),
        scale: Scale::Linear,
        range: None,
    };
    let goals = all
        .objectives
        .iter()
        .filter(|goal| Some(&goal.metric) == all.metrics[column].metric());
    Some(Chart {
        title: format!(
            "{} of candidates against {}",
            all.metrics[column].title_in(all.currency),
            all.metrics[0].title_in(all.currency)
        ),
        size: (480, 290),
        x: axis(0),
        y: axis(column),
        series: drawn,
        references: goals
            .map(|goal| Reference {
                y: goal.bound,
                label: goal.bound_in(all.currency),
            })
            .collect(),
    })
}
