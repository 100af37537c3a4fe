//! A fit as one HTML page: for each quantity its law beside the measurements, and everything that the terminal shows.
//!
//! The page is self-contained: it needs no network and no script. Its text is that of the terminal, table by table.

mod charts;

use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use super::report::{FitReport, Quantity};
use super::text;
use crate::report::chart::Chart;
use crate::report::html::{Error, environment};
use crate::report::table::{Cell, Table, Tone};

const PAGE: &str = concat!(
    include_str!("../charts.html"),
    include_str!("../head.html"),
    include_str!("page.html")
);
const STYLE: &str = include_str!("../page.css");

/// Renders the HTML page of a fit.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(report: &FitReport) -> Result<String, Error> {
    let quantities: Result<Vec<Value>, Error> = report.quantities.iter().map(|q| quantity(report, q)).collect();
    let input = charts::over_input(report);
    let in_model = report.prefill.as_ref().is_some_and(|e| e.in_model);
    let input = drawn(
        input,
        "TTFT over input tokens",
        INPUT[usize::from(in_model)],
        keys(&[
            (charts::MEASURED, "measured"),
            (charts::FITTED, "median of the model"),
            (charts::FITTED_P95, "its p95"),
        ]),
    )?;
    let rate = charts::over_rate(report);
    let rate = drawn(
        rate,
        "Refused and failed over the rate",
        RATE,
        keys(&[
            (charts::REFUSED, "refused (429)"),
            (charts::FAILED, "failed in another way"),
        ]),
    )?;
    let limits = text::limits(report)
        .into_iter()
        .map(|(title, words)| format!("{title}: {words}."));
    Ok(environment().render_str(
        PAGE,
        context! {
            style => STYLE,
            title => format!("{}: a model of {}", report.name, report.target),
            facts => facts(report),
            quantities => quantities?,
            input,
            rate,
            steps => Grid::of(&text::steps(report)),
            sent => report.sent,
            failures => Grid::of(&text::failures(report)),
            limits => limits.collect::<Vec<_>>(),
            lists => [
                ("What they depend on", text::effects(report)),
                ("To be known", report.notes.clone()),
                ("What these measurements cannot tell", report.cannot_tell.clone()),
            ],
        },
    )?)
}

const SLOWEST: &str = "How many are slower than what. Both axes are logarithmic, so the slow end is seen: at 1 % is p99. \
                       Grey: the 95 % interval of what was measured.";
const SUMMARIES: &str = "How many are slower than what, as far as the summaries say. Both axes are logarithmic.";
const QUANTILES: &str = "Each dot is a quantile; on the line, fit and measurement are the same. Percentiles are named.";
const INPUT: [&str; 2] = [
    "The slope is not in the model: its law is the same for every input.",
    "What the slope makes of the input is taken out of the law above, and comes back in the model as its prefill speed.",
];
const RATE: &str =
    "Steps of load by the rate that was asked for. On grey ground: saturated, and so left out of the laws.";

fn facts(report: &FitReport) -> Vec<String> {
    let mut facts: Vec<String> = report.files.iter().map(|file| format!("from {file}")).collect();
    if report.requests > 0 {
        let kept = report.requests - report.held_out;
        facts.push(format!(
            "{kept} requests fitted, {} held out for simcap validate",
            report.held_out
        ));
    }
    facts
}

fn quantity(report: &FitReport, quantity: &Quantity) -> Result<Value, Error> {
    let less = quantity.name == "ttft" && report.prefill.as_ref().is_some_and(|e| e.in_model);
    let less = if less { ", less the reading of the prompt" } else { "" };
    let title = quantity.title();
    let name = if quantity.name == "ttft" { title } else { "decode speed" };
    let slow = if quantity.sample.is_empty() { SUMMARIES } else { SLOWEST };
    let both = [(charts::MEASURED, "measured"), (charts::FITTED, "fitted")];
    let charts = [
        drawn(
            charts::slowest(quantity),
            &format!("The slow end of {name}{less}"),
            slow,
            keys(&both),
        )?,
        drawn(
            charts::quantiles(quantity),
            &format!("Quantiles of {name}{less}"),
            QUANTILES,
            Vec::new(),
        )?,
    ];
    let beyond = match quantity.censored {
        0 => String::new(),
        n => format!(", {n} more than what was waited for"),
    };
    Ok(context! {
        title,
        seen => format!("{} seen{beyond}", quantity.seen),
        taken => text::taken(quantity),
        charts => charts.into_iter().flatten().collect::<Vec<_>>(),
        families => Grid::of(&text::families(quantity, true)),
        percentiles => Grid::of(&text::percentiles(quantity)),
    })
}

/// An entry of the legend: its colour and its meaning.
#[derive(Serialize)]
pub(in crate::calibrate) struct Key {
    colour: usize,
    dashed: bool,
    name: &'static str,
}

pub(in crate::calibrate) fn keys(of: &[(usize, &'static str)]) -> Vec<Key> {
    let colours = crate::report::chart::COLOURS;
    let key = |(colour, name): &(usize, &'static str)| Key {
        colour: colour % colours,
        dashed: *colour >= colours,
        name,
    };
    of.iter().map(key).collect()
}

/// A chart with its heading.
pub(in crate::calibrate) fn drawn(
    chart: Option<Chart>,
    name: &str,
    says: &str,
    keys: Vec<Key>,
) -> Result<Option<Value>, Error> {
    let Some(chart) = chart else { return Ok(None) };
    let svg = Value::from_safe_string(chart.svg()?);
    Ok(Some(context! { name, says, keys => Serde(keys), svg }))
}

/// A table in the form of the page's template.
#[derive(Serialize)]
pub(in crate::calibrate) struct Grid {
    heads: Vec<Field>,
    rows: Vec<Vec<Field>>,
}

#[derive(Serialize)]
struct Field {
    text: String,
    words: bool,
    class: &'static str,
}

impl Grid {
    /// The table for the template; `None` if it has no rows.
    pub(in crate::calibrate) fn of(table: &Table) -> Option<Serde<Grid>> {
        let heads: Vec<Field> = table
            .heads()
            .map(|(text, words)| Field {
                text: text.to_owned(),
                words,
                class: "",
            })
            .collect();
        let field = |(cell, head): (&Cell, &Field)| Field {
            text: cell.text.clone(),
            words: head.words,
            class: class(cell.tone),
        };
        let row = |(name, cells): &(String, Vec<Cell>)| {
            // The name of a row is emphasised like its figures.
            let class = cells.first().map_or("", |cell| class(cell.tone));
            let name = Field {
                text: name.clone(),
                words: true,
                class,
            };
            std::iter::once(name)
                .chain(cells.iter().zip(&heads[1..]).map(field))
                .collect()
        };
        let rows = table.rows().iter().map(row).collect();
        (!table.is_empty()).then_some(Serde(Grid { rows, heads }))
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Strong => "strong",
        Tone::Bad => "bad",
        Tone::Good | Tone::Dim | Tone::Plain => "",
    }
}
