//! A validation as one HTML page: the verdict, and a Q–Q plot for each quantity.
//!
//! A point is a percentile, measured on the horizontal axis and predicted on the vertical one; on the diagonal both are
//! equal. Axes are logarithmic: an equal distance from the diagonal is an equal relative error everywhere. The page is
//! self-contained: it needs no network and no script.

use minijinja::context;

use super::{Pairs, Validation, text};
use crate::report::Unit;
use crate::report::chart::{Axis, Chart, Colour, Mark, Point, Scale, Series};
use crate::report::html::{Error, environment};
use crate::report::terminal::Style;

const PAGE: &str = concat!(include_str!("../head.html"), include_str!("page.html"));
const STYLE: &str = include_str!("../page.css");

/// Renders the HTML page of a validation.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(validation: &Validation) -> Result<String, Error> {
    let style = Style {
        width: 110,
        colour: false,
    };
    let title = format!("{} against {}", validation.model, validation.target);
    let pairs: Vec<&Pairs> = validation.quantiles.iter().collect();
    of(
        &title,
        &validation.calibration.sentence(),
        &text::text(validation, &style),
        &pairs,
    )
}

/// A page of this title, verdict and text, with a plot for each of `pairs`.
pub(in crate::calibrate) fn of(title: &str, verdict: &str, text: &str, pairs: &[&Pairs]) -> Result<String, Error> {
    let charts: Result<Vec<_>, Error> = pairs.iter().map(|pairs| drawn(pairs)).collect();
    let context = context! { style => STYLE, title, verdict, text, charts => charts? };
    Ok(environment().render_str(PAGE, context)?)
}

fn drawn(pairs: &Pairs) -> Result<minijinja::Value, Error> {
    let name = pairs.name.to_uppercase();
    let all = pairs.points.iter().flat_map(|&(_, x, y)| [x, y]);
    let (lo, hi) = all.fold((f64::INFINITY, 0.0_f64), |(lo, hi), x| (lo.min(x), hi.max(x)));
    // Room at both ends, also where all values are equal.
    let range = (lo / 1.1, hi * 1.1);
    let axis = |label: &str| Axis {
        label: label.to_owned(),
        unit: Unit::Seconds,
        scale: Scale::Log,
        range: Some(range),
    };
    let point = |&(_, x, y): &(f64, f64, f64)| Point {
        x: (x, None),
        y: (y, None),
        label: String::new(),
    };
    let chart = Chart {
        title: format!("{name}: predicted quantiles against measured ones"),
        size: (420, 420),
        x: axis("measured"),
        y: axis("predicted"),
        series: vec![
            Series {
                colour: Colour::Policy(7),
                name: String::new(),
                mark: Mark::Line(vec![(range.0, range.0), (range.1, range.1)]),
            },
            Series {
                colour: Colour::Policy(0),
                name: String::new(),
                mark: Mark::Points(pairs.points.iter().map(point).collect()),
            },
        ],
        references: Vec::new(),
    };
    let svg = minijinja::Value::from_safe_string(chart.svg()?);
    Ok(context! { name, svg })
}
