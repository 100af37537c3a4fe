//! The charts of a fit: how slow the slowest requests are, a Q–Q plot, TTFT against the input, failures against the
//! rate.
//!
//! Measured is blue, fitted orange, everywhere. What matters is the slow end, which a distribution function hides in
//! its last pixel: so the share that is *slower* has a logarithmic axis; slower means a larger TTFT, but a smaller
//! decode speed.

use super::super::evidence::Ends;
use super::super::report::{FitReport, Quantity};
use super::super::saturation::Step;
use crate::report::Unit;
use crate::report::chart::{Axis, Chart, Colour, Mark, Point, Reference, Scale, Series};
use crate::report::format;
use crate::stats::critical::Confidence;
use crate::stats::interval::wilson_of_share;
use crate::stats::sorting;

/// The colours: of measurements, of the fit, of its slow end, of refusals and of other failures.
pub(super) const MEASURED: usize = 0;
pub(super) const FITTED: usize = 1;
pub(super) const FITTED_P95: usize = 9;
pub(super) const REFUSED: usize = 1;
pub(super) const FAILED: usize = 3;

/// Size of the two charts that stand side by side, in pixels.
const PAIR: (u32, u32) = (480, 400);
/// Size of the wide charts, in pixels.
const WIDE: (u32, u32) = (640, 340);
/// Number of points at which a law is drawn.
const PLACES: usize = 240;
/// The most dots of one chart.
const DOTS: usize = 800;

fn series(colour: usize, mark: Mark) -> Series {
    Series {
        colour: Colour::Policy(colour),
        name: String::new(),
        mark,
    }
}

fn unit(quantity: &Quantity) -> Unit {
    if is_time(quantity) { Unit::Seconds } else { Unit::Number }
}

/// Whether larger values are slower.
fn is_time(quantity: &Quantity) -> bool {
    quantity.name == "ttft"
}

fn log(label: &str, unit: Unit, range: (f64, f64)) -> Axis {
    Axis {
        label: label.to_owned(),
        unit,
        scale: Scale::Log,
        range: Some(range),
    }
}

/// `places` points from `lo` to `hi`, in constant ratios.
fn between((lo, hi): (f64, f64)) -> impl Iterator<Item = f64> {
    let (a, b) = (libm::log(lo), libm::log(hi));
    (0..=PLACES).map(move |i| libm::exp(a + (b - a) * i as f64 / PLACES as f64))
}

/// The factor that leaves this share of the way from `lo` to `hi` free beyond an end, and some where both are equal.
fn room(lo: f64, hi: f64, share: f64) -> f64 {
    libm::pow(hi / lo, share).max(1.02)
}

/// The sample as pairs (value, share slower than it), from the fast end to the slow one.
fn measured(quantity: &Quantity) -> Vec<(f64, f64)> {
    let time = is_time(quantity);
    if quantity.sample.is_empty() {
        let known = quantity.percentiles.iter();
        let known = known.filter_map(|p| Some((p.measured?, if time { 1.0 - p.share } else { p.share })));
        let mut known: Vec<(f64, f64)> = known.filter(|(_, share)| *share > 0.0).collect();
        sorting::by(&mut known, |a, b| b.1.total_cmp(&a.1));
        return known;
    }
    let curve = quantity.sample.curve();
    let steps = curve.steps();
    if time {
        // Before each value: after the last one no share is left.
        let before = std::iter::once(0.0).chain(steps.iter().map(|(_, below)| *below));
        steps
            .iter()
            .zip(before)
            .map(|((x, _), below)| (*x, 1.0 - below))
            .collect()
    } else {
        steps.iter().rev().copied().collect()
    }
}

/// A subset of the points that a chart can distinguish.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let apart = |a: f64, b: f64, by: f64| libm::log(a / b).abs() >= by;
    for (i, point) in points.iter().enumerate() {
        let far = kept
            .last()
            .is_none_or(|last| apart(point.0, last.0, 0.01) || apart(point.1, last.1, 0.015));
        if far || i + 1 == points.len() {
            kept.push(*point);
        }
    }
    kept
}

/// The share slower than each value, measured and fitted, both axes logarithmic; `None` without data.
pub(super) fn slowest(quantity: &Quantity) -> Option<Chart> {
    let points = thinned(&measured(quantity));
    let time = is_time(quantity);
    let least = points.iter().map(|p| p.1).fold(1.0, f64::min) / 3.0;
    let values = || points.iter().map(|p| p.0);
    let (lo, hi) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    if !(lo > 0.0 && hi.is_finite()) {
        return None;
    }
    // Room for the law to continue where the sample ends.
    let (little, much) = (room(lo, hi, 0.04), room(lo, hi, 0.15));
    let across = if time {
        (lo / little, hi * much)
    } else {
        (lo / much, hi * little)
    };
    let law = quantity.params.law().ok();
    let fitted = law
        .iter()
        .flat_map(|law| between(across).map(|x| (x, if time { law.sf(x) } else { law.cdf(x) })));
    // A curve that leaves the chart at its foot ends there.
    let fitted: Vec<(f64, f64)> = fitted
        .map(|(x, share)| (x, if share < least { f64::NAN } else { share }))
        .collect();
    let mark = if quantity.sample.is_empty() {
        Mark::Dots(points.clone())
    } else {
        Mark::Line(
            points
                .iter()
                .zip(points.iter().skip(1))
                .flat_map(|(a, b)| [*a, (a.0, b.1), *b])
                .collect(),
        )
    };
    let label = if time { "TTFT" } else { "tokens/s" };
    Some(Chart {
        title: format!(
            "{}: share of requests that are slower, measured and fitted",
            quantity.title()
        ),
        size: PAIR,
        x: log(label, unit(quantity), across),
        y: log("share that is slower", Unit::Share, (least, 1.0)),
        series: vec![
            Series {
                colour: Colour::Grid,
                name: String::new(),
                mark: Mark::Band(band(quantity, &points, least)),
            },
            series(MEASURED, mark),
            series(FITTED, Mark::Line(fitted)),
        ],
        references: Vec::new(),
    })
}

/// The 95 % interval of each share, for the effective number of independent values, up to where censoring begins.
fn band(quantity: &Quantity, points: &[(f64, f64)], least: f64) -> Vec<(f64, f64, f64)> {
    let Some(serial) = &quantity.serial else {
        return Vec::new();
    };
    let known = quantity.sample.beyond().first().copied().unwrap_or(f64::INFINITY);
    let n = serial.effective.max(1.0);
    let slice = |(x, share): &(f64, f64)| {
        let (low, high) = wilson_of_share(*share, n, Confidence::P95);
        (*x, low.max(least), high.min(1.0))
    };
    points.iter().filter(|(x, _)| *x <= known).map(slice).collect()
}

/// The Q–Q plot: fitted quantiles against measured ones, with the names of the percentiles that have enough
/// measurements; `None` without data.
pub(super) fn quantiles(quantity: &Quantity) -> Option<Chart> {
    let n = quantity.sample.len();
    let curve = quantity.sample.curve();
    let even = n.min(199);
    let mut shares: Vec<f64> = (0..even).map(|i| (i as f64 + 0.5) / even as f64).collect();
    // Evenly spread shares end long before the tails of a large sample do.
    let ends = [0.002, 0.001, 0.0005, 0.0002, 0.0001].into_iter();
    let ends = ends.filter(|share| share * n as f64 >= 0.5 && n > even);
    shares.extend(ends.flat_map(|share| [share, 1.0 - share]));
    let dot = |share: &f64| Some((curve.quantile(*share)?, quantity.params.quantile(*share)));
    let dots: Vec<(f64, f64)> = shares
        .iter()
        .filter_map(dot)
        .filter(|(x, y)| *x > 0.0 && *y > 0.0)
        .collect();
    let named: Vec<Point> = quantity
        .percentiles
        .iter()
        .filter(|p| p.is_estimable() || quantity.serial.is_none())
        .filter_map(|p| {
            let measured = p.measured.filter(|x| *x > 0.0 && p.fitted > 0.0)?;
            Some(Point {
                x: (measured, None),
                y: (p.fitted, None),
                label: format!("p{}", format::tick(Unit::Number, 100.0 * p.share)),
            })
        })
        .collect();
    let all = dots.iter().flat_map(|(x, y)| [*x, *y]);
    let all = all.chain(named.iter().flat_map(|p| [p.x.0, p.y.0]));
    let (lo, hi) = all.fold((f64::INFINITY, 0.0_f64), |(lo, hi), x| (lo.min(x), hi.max(x)));
    if !(lo > 0.0 && hi.is_finite()) {
        return None;
    }
    let little = room(lo, hi, 0.04);
    let range = (lo / little, hi * little);
    let unit = unit(quantity);
    Some(Chart {
        title: format!("{}: fitted quantiles against measured ones", quantity.title()),
        size: PAIR,
        x: log("measured", unit, range),
        y: log("fitted", unit, range),
        series: vec![
            series(7, Mark::Line(vec![(range.0, range.0), (range.1, range.1)])),
            series(MEASURED, Mark::Dots(dots)),
            series(FITTED, Mark::Points(named)),
        ],
        references: Vec::new(),
    })
}

/// TTFT against input tokens, with the model's line; `None` without a slope.
pub(super) fn over_input(report: &FitReport) -> Option<Chart> {
    let effect = report.prefill.as_ref()?;
    let all = &report.evidence.inputs;
    let every = all.len().div_ceil(DOTS).max(1);
    let dots: Vec<(f64, f64)> = all.iter().step_by(every).copied().collect();
    let law = report.quantities.iter().find(|q| q.name == "ttft")?;
    let most = all.iter().map(|p| p.0).fold(0.0, f64::max);
    let slope = if effect.in_model { effect.slope.slope } else { 0.0 };
    let line = |share: f64| {
        let at = law.params.quantile(share);
        Mark::Line(vec![(0.0, at), (most, at + slope * most)])
    };
    Some(Chart {
        title: "TTFT over input tokens, with the median and p95 of the model".to_owned(),
        size: WIDE,
        x: Axis {
            label: "input tokens that were not cached".to_owned(),
            unit: Unit::Number,
            scale: Scale::Linear,
            range: None,
        },
        y: Axis {
            label: "TTFT".to_owned(),
            unit: Unit::Seconds,
            scale: Scale::Linear,
            range: None,
        },
        series: vec![
            series(MEASURED, Mark::Dots(dots)),
            series(FITTED, line(0.5)),
            series(FITTED_P95, line(0.95)),
        ],
        references: Vec::new(),
    })
}

/// Refusals and other failures against the requested rate, saturated steps on a grey ground; `None` with fewer than two
/// steps of known rate.
pub(super) fn over_rate(report: &FitReport) -> Option<Chart> {
    let steps = report.steps.iter().zip(&report.evidence.ends);
    let mut steps: Vec<(f64, &Step, &Ends)> = steps
        .filter_map(|(step, ends)| Some((step.requested?, step, ends)))
        .filter(|(_, _, ends)| ends.sent > 0)
        .collect();
    sorting::by(&mut steps, |a, b| a.0.total_cmp(&b.0));
    if steps.len() < 2 {
        return None;
    }
    let share = |of: fn(&Ends) -> u64| -> Vec<(f64, f64)> {
        let share = |(rate, _, ends): &(f64, &Step, &Ends)| (*rate, of(ends) as f64 / ends.sent as f64);
        steps.iter().map(share).collect()
    };
    let (refused, failed) = (share(|e| e.refused), share(|e| e.failed));
    let most = refused.iter().chain(&failed).map(|p| p.1).fold(0.0, f64::max);
    // A flat line at zero still needs an axis; a share is at most 100 %.
    let top = (1.15 * most).clamp(0.01, 1.0);
    let end = steps.last().map_or(1.0, |(rate, ..)| 1.06 * rate);
    let mut drawn = Vec::new();
    for (i, (rate, step, _)) in steps.iter().enumerate() {
        if step.saturated.is_none() {
            continue;
        }
        let from = if i == 0 {
            0.0
        } else {
            f64::midpoint(steps[i - 1].0, *rate)
        };
        let to = steps.get(i + 1).map_or(end, |next| f64::midpoint(*rate, next.0));
        drawn.push(Series {
            colour: Colour::Grid,
            name: String::new(),
            mark: Mark::Band(vec![(from, 0.0, top), (to, 0.0, top)]),
        });
    }
    let points = |of: &[(f64, f64)]| {
        let point = |&(x, y): &(f64, f64)| Point {
            x: (x, None),
            y: (y, None),
            label: String::new(),
        };
        Mark::Points(of.iter().map(point).collect())
    };
    for (colour, shares) in [(FAILED, failed), (REFUSED, refused)] {
        drawn.push(series(colour, Mark::Line(shares.clone())));
        drawn.push(series(colour, points(&shares)));
    }
    Some(Chart {
        title: "Share of requests refused or failed over the rate asked for".to_owned(),
        size: WIDE,
        x: Axis {
            label: "requests a second that were asked for".to_owned(),
            unit: Unit::Number,
            scale: Scale::Linear,
            range: Some((0.0, end)),
        },
        y: Axis {
            label: "share of requests".to_owned(),
            unit: Unit::Share,
            scale: Scale::Linear,
            range: Some((0.0, top)),
        },
        series: drawn,
        references: Vec::<Reference>::new(),
    })
}

#[cfg(test)]
mod tests;
