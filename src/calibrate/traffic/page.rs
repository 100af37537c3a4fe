//! A trace and its model as one HTML page: the course of the rate, the dispersion of counts, and how long requests are.
//!
//! The page is self-contained: it needs no network and no script. Its text is that of the terminal, table by table.

use minijinja::context;
use minijinja::value::Serde;

use super::describe::Description;
use super::model::Model;
use super::text;
use crate::calibrate::fit::page::{Grid, drawn, keys};
use crate::report::Unit;
use crate::report::chart::{Axis, Chart, Colour, Mark, Reference, Scale, Series};
use crate::report::html::{Error, environment};

const PAGE: &str = concat!(
    include_str!("../charts.html"),
    include_str!("../head.html"),
    include_str!("page.html")
);
const STYLE: &str = include_str!("../page.css");

const TRACE: usize = 0;
const MODEL: usize = 1;

/// Renders the page of a trace, with its model if there is one.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(it: &Description, model: Option<&Model>) -> Result<String, Error> {
    let mut wide = Vec::new();
    let both = [(TRACE, "the trace"), (MODEL, "the model's rate")];
    let shown = if model.is_some() { &both[..] } else { &both[..1] };
    wide.extend(drawn(
        course(it, model),
        "Requests a second over time",
        COURSE,
        keys(shown),
    )?);
    let mut charts = Vec::new();
    if let Some(model) = model {
        let both = [(TRACE, "the trace"), (MODEL, "the model: median of nine draws")];
        charts.extend(drawn(
            dispersion(model),
            "How counts disperse",
            DISPERSION,
            keys(&both),
        )?);
        let both = [(TRACE, "the trace"), (MODEL, "the model")];
        for (i, name) in ["Input tokens", "Output tokens"].into_iter().enumerate() {
            charts.extend(drawn(longer(model, i, name), name, LONGER, keys(&both))?);
        }
    }
    let tables = [text::arrivals(it), text::correlations(it), text::tokens(it)];
    let of_model = model
        .iter()
        .flat_map(|model| [text::processes(model), text::checks(model)]);
    let of_model: Vec<Grid> = of_model
        .filter_map(|table| Grid::of(&table))
        .map(|Serde(grid)| grid)
        .collect();
    let tables: Vec<Grid> = tables.iter().filter_map(Grid::of).map(|Serde(grid)| grid).collect();
    Ok(environment().render_str(
        PAGE,
        context! {
            style => STYLE,
            title => crate::report::text::clean(&it.file),
            facts => text::facts(it),
            means => it.means.clone(),
            wide,
            charts,
            tables => Serde(tables),
            of_model => Serde(of_model),
            says => model.map(text::of_model),
            verdict => model.map(text::verdict),
            lists => [
                ("Beware", it.warnings.clone()),
                ("Of the model", model.map(|model| model.cautions.clone()).unwrap_or_default()),
            ],
            json => model.map(Model::traffic_text),
        },
    )?)
}

const COURSE: &str =
    "The trace in equal bins, and the rate that the model goes by; what is left between them is the process around it.";
const DISPERSION: &str = "Variance over mean of counts in windows of a width: a Poisson process has 1 at any. Grey: the least to the greatest of \
                          the model's draws.";
const LONGER: &str =
    "How many requests are longer than what. Both axes are logarithmic, so that the long end is seen: at 1 % is p99.";

const WIDE: (u32, u32) = (960, 300);
const PAIR: (u32, u32) = (480, 360);

fn series(colour: Colour, mark: Mark) -> Series {
    Series {
        colour,
        name: String::new(),
        mark,
    }
}

fn axis(label: &str, unit: Unit, scale: Scale, range: Option<(f64, f64)>) -> Axis {
    Axis {
        label: label.to_owned(),
        unit,
        scale,
        range,
    }
}

/// The rate over time; `None` of a single bin.
fn course(it: &Description, model: Option<&Model>) -> Option<Chart> {
    let (factor, label) = match it.seconds {
        s if s >= 2.0 * 86_400.0 => (86_400.0, "days after the first request"),
        s if s >= 2.0 * 3600.0 => (3600.0, "hours after the first request"),
        s if s >= 120.0 => (60.0, "minutes after the first request"),
        _ => (1.0, "seconds after the first request"),
    };
    let bins: Vec<(f64, f64)> = (1..)
        .zip(&it.course)
        .map(|(i, rate)| (f64::from(i) * it.bin / factor, *rate))
        .collect();
    let end = bins.last()?.0;
    let mut drawn = vec![series(Colour::Policy(TRACE), Mark::Steps(bins))];
    if let Some(model) = model {
        let line = model
            .course
            .iter()
            .map(|(at, rate)| (at / factor, *rate))
            .filter(|(at, _)| *at <= end);
        drawn.push(series(Colour::Policy(MODEL), Mark::Line(line.collect())));
    }
    let most = it.course.iter().copied().fold(0.0, f64::max);
    (it.course.len() > 1).then(|| Chart {
        title: "Requests a second over time, in the trace and as the model has it".to_owned(),
        size: WIDE,
        x: axis(label, Unit::Number, Scale::Linear, Some((0.0, end))),
        y: axis(
            "requests/s",
            Unit::Number,
            Scale::Linear,
            Some((0.0, (1.1 * most).max(1e-9))),
        ),
        series: drawn,
        references: Vec::new(),
    })
}

/// The index of dispersion over the width of windows; `None` of fewer than two widths.
fn dispersion(model: &Model) -> Option<Chart> {
    let positive = |x: f64| x > 0.0;
    let own: Vec<(f64, f64)> = model
        .dispersion
        .iter()
        .map(|of| (of.0, of.1))
        .filter(|of| positive(of.1))
        .collect();
    let middle = model
        .dispersion
        .iter()
        .map(|of| (of.0, of.2[1]))
        .filter(|of| positive(of.1))
        .collect();
    let band = model
        .dispersion
        .iter()
        .map(|of| (of.0, of.2[0], of.2[2]))
        .filter(|of| positive(of.1))
        .collect();
    let every = model
        .dispersion
        .iter()
        .flat_map(|of| [of.1, of.2[0], of.2[2]])
        .filter(|x| x.is_finite());
    let (lo, hi) = every.fold((1.0_f64, 1.0_f64), |(lo, hi), x| (lo.min(x), hi.max(x)));
    (own.len() > 1).then(|| Chart {
        title: "Index of dispersion of counts over the width of windows, of the trace and of the model".to_owned(),
        size: PAIR,
        x: axis("width of windows", Unit::Seconds, Scale::Log, None),
        y: axis(
            "variance over mean",
            Unit::Number,
            Scale::Log,
            Some((lo.max(1e-3) / 1.5, 1.2 * hi)),
        ),
        series: vec![
            series(Colour::Grid, Mark::Band(band)),
            series(Colour::Policy(TRACE), Mark::Line(own)),
            series(Colour::Policy(MODEL), Mark::Line(middle)),
        ],
        references: vec![Reference {
            y: 1.0,
            label: "Poisson".to_owned(),
        }],
    })
}

/// The share of requests that are longer than each length; `None` where all are alike.
fn longer(model: &Model, side: usize, name: &str) -> Option<Chart> {
    let [own, drawn] = &model.lengths;
    let least = 1.0 / own[side].len().max(2) as f64;
    let (own, drawn) = (tail(&own[side], least), tail(&drawn[side], least));
    (own.len() > 2).then(|| Chart {
        title: format!("{name}: share of requests that are longer, in the trace and as the model draws them"),
        size: PAIR,
        x: axis("tokens", Unit::Number, Scale::Log, None),
        y: axis(
            "share that is longer",
            Unit::Share,
            Scale::Log,
            Some((least.min(0.01), 1.0)),
        ),
        series: vec![
            series(Colour::Policy(TRACE), Mark::Line(own)),
            series(Colour::Policy(MODEL), Mark::Line(drawn)),
        ],
        references: Vec::new(),
    })
}

/// Points of the tail of lengths in rising order that a picture can tell apart: (length, share that is longer), down to `least`.
fn tail(sorted: &[u32], least: f64) -> Vec<(f64, f64)> {
    let n = sorted.len() as f64;
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut place = 0;
    while place < sorted.len() {
        let x = sorted[place];
        let after = sorted.partition_point(|y| *y <= x);
        let (at, share) = (f64::from(x), (sorted.len() - after) as f64 / n);
        let far = points
            .last()
            .is_none_or(|last| at > 1.01 * last.0 || share < 0.985 * last.1);
        if x > 0 && share >= least && far {
            points.push((at, share));
        }
        place = after;
    }
    points
}
