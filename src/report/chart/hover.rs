//! The figures of a chart beside its drawing, for the page's script to show where the reader points.
//!
//! They are the attribute `data-hover`: a list of series, each with its name, its colour and its points, of which each is its place in
//! the drawing and its figures in words. The drawing is whole without it.

use serde::Serialize;

use super::paint::escaped;
use super::{Axis, COLOURS, Chart, Colour, Mark, Scale, Series};
use crate::report::{Unit, format};

/// The figures of one series.
#[derive(Serialize)]
pub(super) struct Seen {
    name: String,
    colour: String,
    points: Vec<(i32, i32, String)>,
}

/// What is told of a series; nothing of one that has no name.
pub(super) fn seen(chart: &Chart, series: &Series, at: &[Option<(i32, i32)>]) -> Option<Seen> {
    if series.name.is_empty() {
        return None;
    }
    let alone = |x, y| join(said(&chart.x, x, None), said(&chart.y, y, None));
    let words: Vec<String> = match &series.mark {
        Mark::Line(points) | Mark::Steps(points) | Mark::Dots(points) => {
            points.iter().map(|(x, y)| alone(*x, *y)).collect()
        }
        Mark::Points(points) => (points.iter())
            .map(|p| join(said(&chart.x, p.x.0, p.x.1), said(&chart.y, p.y.0, p.y.1)))
            .collect(),
        Mark::Band(_) | Mark::Ticks(_) | Mark::Notes(_) => Vec::new(),
    };
    let placed = at.iter().zip(words);
    let points: Vec<_> = placed
        .filter_map(|(at, words)| at.map(|(x, y)| (x, y, words)))
        .collect();
    (!points.is_empty()).then(|| Seen {
        name: series.name.clone(),
        colour: match series.colour {
            Colour::Policy(policy) => format!("--p{}", policy % COLOURS),
            Colour::Provider(provider) => format!("--v{}", provider % COLOURS),
            Colour::Rest => "--rest".into(),
            Colour::Muted | Colour::Grid => "--muted".into(),
        },
        points,
    })
}

/// A figure on an axis with the ends of its interval, in words. A time on an axis of names is one of the run, and any other figure
/// there is a row's place.
fn said(axis: &Axis, x: f64, interval: Option<(f64, f64)>) -> Option<String> {
    let value = match (&axis.scale, axis.unit) {
        (Scale::Named(_), Unit::Seconds) => format::span(x),
        (Scale::Named(_), _) => return None,
        (Scale::Linear | Scale::Log, unit) => format::value(unit, x),
    };
    Some(match interval {
        Some((lo, hi)) => format!(
            "{value} ({} to {})",
            format::value(axis.unit, lo),
            format::value(axis.unit, hi)
        ),
        None => value,
    })
}

fn join(x: Option<String>, y: Option<String>) -> String {
    [x, y].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// The attribute with a space before it; empty if nothing is told.
pub(super) fn attribute(all: &[Seen]) -> String {
    if all.is_empty() {
        return String::new();
    }
    // Strings and integers alone, which are always written.
    let json = serde_json::to_string(all).unwrap_or_default();
    format!(" data-hover=\"{}\"", escaped(&json))
}
