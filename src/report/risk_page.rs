//! A study of risk as one HTML page: the tornado, what each policy's figure does along every input that is a number, and the tables.
//!
//! In the tornado a bar goes from what the lower end of an input changes to what its upper end does, the others as the file has them. In the charts
//! below every dot is a draw of all inputs together: what is narrow along an input hangs on it. The page needs no network and no script.

use super::chart::{Axis, Chart, Colour, Mark, Point, Reference, Scale, Series};
use super::curves::{Page, figure};
use super::html::Error;
use super::risk::{Input, Risk};
use super::text::{clean, fit};
use super::{Metric, Unit, format};

/// Half of what a bar takes of its row.
const HALF_BAR: f64 = 0.32;

/// The most policies that dots are drawn of.
const POLICIES: usize = 6;

/// The most columns of the name of an input.
const NAME: usize = 24;

/// Renders the page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(all: &Risk) -> Result<String, Error> {
    let mut charts = vec![figure(
        &all.tornado_title(),
        "A bar goes from what one end changes to what the other does.",
        &tornado(all),
    )?];
    for input in all.inputs.iter().filter(|input| !input.numbers.is_empty()) {
        let chart = dots(all, input);
        let name = format!("{} over {}", chart.y.label, clean(&input.path));
        charts.push(figure(
            &name,
            "A dot is a draw of all inputs together; dashed is the objective.",
            &chart,
        )?);
    }
    let page = Page {
        title: format!("What is not known of {}", clean(&all.experiment)),
        sentences: all.sentences.clone(),
        warnings: all
            .warnings
            .iter()
            .map(|warning| clean(&warning.sentence(all.runs())))
            .collect(),
        charts,
        text: all.tables().trim().to_owned(),
        assumptions: all.assumptions.join("; "),
        ..Page::default()
    };
    page.html()
}

/// The unit and the name of the metric that the tornado is of.
fn measure(all: &Risk) -> (Unit, String) {
    all.metrics
        .get(all.moved)
        .map_or((Unit::Number, String::new()), |metric| {
            (metric.unit_in(all.currency), metric.title_in(all.currency))
        })
}

/// The tornado: a row for each input, the one that moves the leader most at the top.
fn tornado(all: &Risk) -> Chart {
    let (unit, title) = measure(all);
    let lead = all.lead();
    let changes = all
        .inputs
        .iter()
        .flat_map(|input| &input.ends)
        .filter_map(|end| end.changes.get(lead));
    let finite = changes.filter(|change| change.is_finite());
    let (least, most) = finite.fold((0.0_f64, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
    // Words stand beside the bars, those of lower ends on the left.
    let room = 0.45 * (most - least);
    let mut series = Vec::new();
    for (row, input) in all.inputs.iter().enumerate() {
        let at = -(row as f64);
        let (low, high) = input.extremes(lead);
        let sides = [
            (Colour::Provider(3), low, least - room / 2.0),
            (Colour::Provider(4), high, most + room / 2.0),
        ];
        for (colour, of, beside) in sides {
            let Some((end, change)) = of.filter(|(_, change)| change.is_finite()) else {
                continue;
            };
            let mut put = |colour: Colour, mark: Mark| {
                series.push(Series {
                    colour,
                    name: String::new(),
                    mark,
                });
            };
            let band = [0.0_f64.min(change), 0.0_f64.max(change)].map(|x| (x, at - HALF_BAR, at + HALF_BAR));
            put(colour, Mark::Band(band.to_vec()));
            let note = format!("{}: {}", clean(&end.value), all.change_at(end, change));
            put(Colour::Muted, Mark::Notes(vec![(beside, at, note)]));
        }
    }
    let rows = all.inputs.len() as f64;
    series.push(Series {
        colour: Colour::Muted,
        name: String::new(),
        mark: Mark::Line(vec![(0.0, 0.5 - rows), (0.0, 0.5)]),
    });
    let names = all
        .inputs
        .iter()
        .enumerate()
        .map(|(row, input)| (-(row as f64), fit(&clean(&input.path), NAME)));
    Chart {
        title: all.tornado_title(),
        size: (480, 70 + 36 * all.inputs.len() as u32),
        x: Axis {
            label: format!("change of {title}"),
            unit,
            scale: Scale::Linear,
            range: (most > least).then_some((least - room, most + room)),
        },
        y: Axis {
            label: String::new(),
            unit: Unit::Number,
            scale: Scale::Named(names.collect()),
            range: Some((0.5 - rows, 0.5)),
        },
        series,
        references: Vec::new(),
    }
}

/// The tornado's metric at the draws against the number of one input, under every policy.
fn dots(all: &Risk, input: &Input) -> Chart {
    let (unit, title) = measure(all);
    let shown = all.policies.iter().take(POLICIES).enumerate();
    let series = shown.map(|(number, policy)| {
        let along = input.numbers.iter().zip(&all.draws).filter_map(|(x, draw)| {
            let of = draw.policies.iter().find(|of| of.name == policy.name)?;
            Some((*x, of.figures.get(all.moved)?.value)).filter(|(_, y)| y.is_finite())
        });
        let mut points: Vec<Point> = along
            .map(|(x, y)| Point {
                x: (x, None),
                y: (y, None),
                label: String::new(),
            })
            .collect();
        if let Some(last) = points.iter_mut().reduce(|a, b| if b.x.0 > a.x.0 { b } else { a }) {
            last.label = clean(&policy.name);
        }
        Series {
            colour: Colour::Policy(number),
            name: clean(&policy.name),
            mark: Mark::Points(points),
        }
    });
    let goals = all
        .objectives
        .iter()
        .filter(|goal| Some(&goal.metric) == all.metrics.get(all.moved));
    let is_month = all.metrics.get(all.moved) == Some(&Metric::COST_PER_MONTH);
    let budget = all.budget.filter(|_| is_month).map(|budget| Reference {
        y: budget,
        label: format!("≤ {}", format::value(unit, budget)),
    });
    Chart {
        title: format!("{title} over {}", clean(&input.path)),
        size: (480, 290),
        x: Axis {
            label: match input.unit.is_empty() {
                true => clean(&input.path),
                false => format!("{}, {}", clean(&input.path), clean(&input.unit)),
            },
            unit: Unit::Number,
            scale: Scale::Linear,
            range: None,
        },
        y: Axis {
            label: title,
            unit,
            scale: Scale::Linear,
            range: None,
        },
        series: series.filter(|series| !series.mark.is_empty()).collect(),
        references: goals
            .map(|goal| Reference {
                y: goal.bound,
                label: goal.bound_in(all.currency),
            })
            .chain(budget)
            .collect(),
    }
}
