//! A sweep as one HTML page: along one axis a curve for each metric, with its intervals and objectives; along two a map of each.
//!
//! An axis whose values are numbers of one unit is drawn to scale, logarithmically where they span more than a factor of twenty; any other has its
//! values side by side. The page needs no network and no script. Left out: pictures of three axes and more, whose figures are in the
//! table below and in sweep.csv.

use minijinja::{Value, context};

use super::chart::{Axis, Chart, Colour, Mark, Point, Reference, Scale, Series};
use super::curves::{Page, figure};
use super::html::Error;
use super::sweep::{Sweep, numbers};
use super::text::clean;
use super::{Metric, Unit, format};

/// Renders the page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(sweep: &Sweep) -> Result<String, Error> {
    let mut charts = Vec::new();
    if sweep.axes.len() == 1 {
        for (i, metric) in sweep.metrics.iter().enumerate() {
            let caption = match sweep.objectives.iter().any(|goal| goal.metric == *metric) {
                true => "With its intervals; dashed is the objective.",
                false => "With its intervals.",
            };
            charts.push(figure(&metric.title_in(sweep.currency), caption, &chart(sweep, i))?);
        }
    }
    let page = Page {
        title: format!("{} over {}", clean(&sweep.experiment), clean(&sweep.axes.join(" and "))),
        sentences: sweep.sentences(),
        warnings: (sweep.warnings.iter())
            .map(|warning| clean(&warning.sentence(sweep.points.len())))
            .collect(),
        charts,
        heats: match sweep.axes.len() {
            2 => heats(sweep),
            _ => Vec::new(),
        },
        text: sweep.tables(160, false).trim().to_owned(),
        ..Page::default()
    };
    page.html()
}

/// The places of the points on an axis, and how it is laid out.
fn places(sweep: &Sweep) -> (Vec<f64>, Axis) {
    let values: Vec<&str> = sweep.points.iter().map(|point| point.values[0].as_str()).collect();
    let label = clean(&sweep.axes[0]);
    match numbers(&values) {
        Some((numbers, unit)) => {
            let (least, most) = numbers
                .iter()
                .fold((f64::INFINITY, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
            let axis = Axis {
                label: if unit.is_empty() {
                    label
                } else {
                    format!("{label}, {}", clean(&unit))
                },
                unit: Unit::Number,
                scale: if least > 0.0 && most > 20.0 * least {
                    Scale::Log
                } else {
                    Scale::Linear
                },
                range: None,
            };
            (numbers, axis)
        }
        None => {
            let places: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
            let names = places.iter().copied().zip(values.iter().map(|value| clean(value)));
            let axis = Axis {
                label,
                unit: Unit::Number,
                scale: Scale::Named(names.collect()),
                range: Some((-0.5, values.len() as f64 - 0.5)),
            };
            (places, axis)
        }
    }
}

/// One metric along the only axis, under every policy.
fn chart(sweep: &Sweep, metric: usize) -> Chart {
    let (places, axis) = places(sweep);
    let of = &sweep.metrics[metric];
    let unit = of.unit_in(sweep.currency);
    let mut series = Vec::new();
    for (number, name) in sweep.policies().into_iter().enumerate() {
        let along = sweep.points.iter().zip(&places).filter_map(|(point, at)| {
            let policy = point.policies.iter().find(|policy| policy.name == name)?;
            Some((*at, policy.figures[metric]))
        });
        let along: Vec<(f64, crate::stats::interval::Estimate)> = along.filter(|(_, e)| e.value.is_finite()).collect();
        let line: Vec<(f64, f64)> = along.iter().map(|(at, e)| (*at, e.value)).collect();
        let whiskers = along.iter().map(|(at, e)| Point {
            x: (*at, None),
            y: (e.value, e.lo.zip(e.hi.filter(|hi| hi.is_finite()))),
            label: String::new(),
        });
        let whiskers: Vec<Point> = whiskers.collect();
        let mut put = |name: &str, mark: Mark| {
            series.push(Series {
                colour: Colour::Policy(number),
                name: name.to_owned(),
                mark,
            });
        };
        put(&clean(name), Mark::Line(line));
        put("", Mark::Points(whiskers));
        if let Some(knee) = sweep.knee(name, metric) {
            let at = (places[knee], None);
            let value = sweep.points[knee].policies.iter().find(|policy| policy.name == name);
            let value = value.map_or(f64::NAN, |policy| policy.figures[metric].value);
            put(
                "",
                Mark::Points(vec![Point {
                    x: at,
                    y: (value, None),
                    label: "knee".to_owned(),
                }]),
            );
        }
    }
    series.retain(|series| !series.mark.is_empty());
    let goals = sweep.objectives.iter().filter(|goal| goal.metric == *of);
    Chart {
        title: format!("{} against {}", of.title_in(sweep.currency), clean(&sweep.axes[0])),
        size: (480, 290),
        x: axis,
        y: Axis {
            label: of.title_in(sweep.currency),
            unit,
            scale: Scale::Linear,
            range: None,
        },
        series,
        references: goals
            .map(|goal| Reference {
                y: goal.bound,
                label: goal.bound_in(sweep.currency),
            })
            .collect(),
    }
}

/// A map of each metric under each policy: a row for each value on the first axis, a column for each on the second.
fn heats(sweep: &Sweep) -> Vec<Value> {
    let values = |axis: usize| {
        let mut all: Vec<&str> = Vec::new();
        for point in &sweep.points {
            if !all.contains(&point.values[axis].as_str()) {
                all.push(&point.values[axis]);
            }
        }
        all
    };
    let (down, across) = (values(0), values(1));
    let mut all = Vec::new();
    for name in sweep.policies() {
        for (i, metric) in sweep.metrics.iter().enumerate() {
            let value = |row: &str, column: &str| {
                let point = sweep.points.iter().find(|point| point.values == [row, column])?;
                Some(point.policies.iter().find(|policy| policy.name == name)?.figures[i].value)
            };
            all.push(heat(
                sweep,
                metric,
                &format!("{} of {}", metric.title_in(sweep.currency), clean(name)),
                &down,
                &across,
                &value,
            ));
        }
    }
    all
}

fn heat(
    sweep: &Sweep,
    metric: &Metric,
    title: &str,
    down: &[&str],
    across: &[&str],
    value: &dyn Fn(&str, &str) -> Option<f64>,
) -> Value {
    let all = down
        .iter()
        .flat_map(|row| across.iter().filter_map(move |column| value(row, column)));
    let (least, most) = all
        .filter(|x| x.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let unit = metric.unit_in(sweep.currency);
    let cell = |row: &str, column: &str| {
        let found = value(row, column);
        let share = match found {
            Some(x) if x.is_finite() && most > least => (x - least) / (most - least),
            Some(x) if x == f64::INFINITY => 1.0,
            Some(_) | None => 0.0,
        };
        let text = match found {
            Some(x) if x == f64::INFINITY => format::ENDLESS.to_owned(),
            Some(x) if x.is_finite() => format::value(unit, x),
            Some(_) | None => format::NONE.to_owned(),
        };
        context! { heat => format!("{share:.3}"), text => text }
    };
    let rows: Vec<Value> = down
        .iter()
        .map(|row| context! { name => clean(row), cells => across.iter().map(|column| cell(row, column)).collect::<Vec<_>>() })
        .collect();
    context! {
        title => title,
        corner => clean(&sweep.axes.join(" / ")),
        heads => across.iter().map(|column| clean(column)).collect::<Vec<_>>(),
        rows => rows,
    }
}
