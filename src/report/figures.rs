//! The charts of a report: which figures go into which picture.
//!
//! Tails are on two logarithmic axes, where one in a hundred and one in a thousand are equally far; percentiles are points in the row of
//! their policy. Of many policies the leaders and the baseline have colours and names; the others are grey, or left out where they would
//! be rows. Nothing is smoothed. What a figure lacks is left out of the picture, and a picture with nothing in it is not made.

use super::chart::{Axis, Chart, Colour, Mark, Point, Reference, Scale, Series};
use crate::stats::interval::Estimate;
use crate::words::metric::Quantity;

use super::{Metric, PolicyReport, Report, Unit, estimate, format, shown};
use crate::stats::sorting;

mod bill;
mod front;
mod happened;

pub use bill::{steps_to_bill, waterfall};
pub use front::{Front, against};

/// The size of a chart that stands two to a row on a wide page.
const HALF: (u32, u32) = (480, 290);
/// The size of one in a row of several.
const SMALL: (u32, u32) = (320, 190);

/// The smallest share of requests that a tail is shown to.
const RAREST: f64 = 1e-5;

/// The share of all requests that took longer, one line a policy: that of those that failed took for ever, where a line ends level.
/// `points` picks the distribution function of those that did not.
pub fn tail(report: &Report, title: &str, points: impl Fn(&PolicyReport) -> &[(f64, f64)]) -> Chart {
    let mut least = f64::INFINITY;
    let series = by_policy(report, |policy, _| {
        let failed = estimate(policy, &Metric::ERROR_RATE).value.clamp(0.0, 1.0);
        let answered = if failed.is_finite() { 1.0 - failed } else { 1.0 };
        let left = points(policy).iter().map(|(x, share)| (*x, 1.0 - answered * share));
        Mark::Line(left.filter(|(_, left)| *left >= RAREST).collect())
    });
    for series in &series {
        if let Mark::Line(points) = &series.mark {
            least = points.iter().map(|(_, left)| *left).fold(least, f64::min);
        }
    }
    // From where something is left out on, to where there is something.
    let inner = series.iter().flat_map(|series| match &series.mark {
        Mark::Line(points) => points.as_slice(),
        _ => &[],
    });
    let (from, to) = (inner.filter(|(_, left)| *left < 0.995)).fold((f64::INFINITY, 0.0_f64), |(from, to), (x, _)| {
        (from.min(*x), to.max(*x))
    });
    let range = (from > 0.0 && to > from).then_some((from, to));
    let rung = |y: f64, label: &str| Reference { y, label: label.into() };
    let rungs = [rung(0.05, "p95"), rung(0.01, "p99"), rung(0.001, "p99.9")];
    Chart {
        title: title.into(),
        size: HALF,
        x: axis("", Unit::Seconds, Scale::Log, range),
        y: axis(
            "",
            Unit::Share,
            Scale::Log,
            Some((least.clamp(RAREST, 0.01) / 1.3, 1.0)),
        ),
        series,
        references: rungs.into_iter().filter(|rung| rung.y > least.min(0.01)).collect(),
    }
}

/// The percentiles of a quantity over all requests, one row a policy, without those that are longer than any time: those that every report has, and what else is asked for.
pub fn percentiles(report: &Report, title: &str, of: Quantity) -> Chart {
    let measured = report.policies.first().into_iter().flat_map(|policy| &policy.metrics);
    let mut metrics: Vec<&Metric> = measured
        .map(|measured| &measured.metric)
        .filter(|metric| metric.quantity() == of && metric.scope().is_all() && metric.percentile().is_some())
        .collect();
    sorting::by(&mut metrics, Ord::cmp);
    let colours = report.colours();
    let rows = in_rows(&colours, report);
    let known = |policy| metrics.iter().map(move |metric| (*metric, shown(policy, metric).0));
    let (scale, range) = scale_for(
        rows.iter()
            .flat_map(|(_, policy)| known(policy).map(|(_, figure)| figure.value)),
    );
    let mut series = Vec::new();
    for (row, (colour, policy)) in rows.iter().enumerate() {
        let at = -(row as f64);
        let points = known(policy).filter(|(_, figure)| figure.value.is_finite());
        let points: Vec<Point> = points
            .map(|(metric, figure)| Point {
                x: (figure.value, interval(&figure)),
                y: (at, None),
                label: format!(
                    "{} {}",
                    metric.statistic(),
                    format::value(metric.unit_in(report.code()), figure.value)
                ),
            })
            .collect();
        series.push(Series {
            colour: Colour::Grid,
            name: String::new(),
            mark: Mark::Line(points.iter().map(|point| (point.x.0, at)).collect()),
        });
        series.push(Series {
            colour: Colour::Policy(*colour),
            name: policy.name.clone(),
            mark: Mark::Points(points),
        });
    }
    let names = (rows.iter().enumerate()).map(|(row, (_, policy))| (-(row as f64), shortened(&policy.name, 18)));
    let lowest = 0.5 - rows.len() as f64;
    Chart {
        title: title.into(),
        size: (HALF.0, 36 + (rows.len() * 38) as u32),
        x: axis("", Unit::Seconds, scale, range),
        y: axis("", Unit::Number, Scale::Named(names.collect()), Some((lowest, 0.6))),
        series,
        references: vec![],
    }
}

/// The policies that have a colour, each with it, in the order of the page; of two results those of one name next to each other.
fn in_rows<'a>(colours: &[Option<usize>], report: &'a Report) -> Vec<(usize, &'a PolicyReport)> {
    let order = report.order().into_iter();
    let mut rows: Vec<(usize, &PolicyReport)> =
        order.filter_map(|p| Some((colours[p]?, &report.policies[p]))).collect();
    if report.joined.is_some() {
        sorting::by_key(&mut rows, |(colour, _)| (colour % super::chart::COLOURS, *colour));
    }
    rows
}

/// The two ends of an interval, if it has both.
fn interval(estimate: &Estimate) -> Option<(f64, f64)> {
    estimate.lo.zip(estimate.hi)
}

/// A figure over the counted time, one line a policy, what is scheduled to go wrong in grey. `level` picks the figure of a bin.
pub fn over_time(report: &Report, title: &str, unit: Unit, level: impl Fn(&super::Moment) -> Option<f64>) -> Chart {
    let clock = Clock::of(report);
    let levels = report
        .policies
        .iter()
        .flat_map(|policy| policy.series.iter().filter_map(&level));
    let levels: Vec<f64> = levels.filter(|level| level.is_finite()).collect();
    let highest = levels.iter().copied().fold(0.0, f64::max);
    let highest = match unit {
        _ if highest > 0.0 => highest * 1.02,
        Unit::Share => 0.01,
        _ => 1.0,
    };
    let (scale, range) = match unit {
        Unit::Seconds => scale_for(levels.into_iter()),
        _ => (Scale::Linear, None),
    };
    let (lowest, highest) = range.unwrap_or((0.0, highest));
    let lines = by_policy(report, |policy, _| {
        let bins = policy.series.iter();
        Mark::Steps(bins.map(|bin| (bin.until, level(bin).unwrap_or(f64::NAN))).collect())
    });
    let shades = report.stretches().into_iter().map(|stretch| Series {
        colour: Colour::Grid,
        name: format!("{}: {}", shortened(&stretch.provider, 18), stretch.what),
        mark: Mark::Band(
            [stretch.from, stretch.until]
                .map(|at| (at.clamp(0.0, clock.end), lowest, highest))
                .to_vec(),
        ),
    });
    let ticks = happened::ticks(report, clock.end);
    Chart {
        title: title.into(),
        size: HALF,
        x: clock.axis(6.0),
        y: axis("", unit, scale, Some((lowest, highest))),
        series: shades.chain(lines).chain(ticks).collect(),
        references: vec![],
    }
}

/// How one policy's attempts fall to providers over time, stacked to 100 %.
pub fn provider_shares(report: &Report, policy: &PolicyReport, title: &str) -> Chart {
    let clock = Clock::of(report);
    // Of each bin, what was sent in all, and to the providers below the one that is drawn.
    let all: Vec<f64> = policy.series.iter().map(|bin| bin.sent.iter().sum()).collect();
    let mut below = vec![0.0; policy.series.len()];
    let mut band = |provider: usize| {
        let mut begins = 0.0;
        let mut slices = Vec::with_capacity(2 * policy.series.len());
        for ((bin, &all), below) in policy.series.iter().zip(&all).zip(&mut below) {
            let own = bin.sent.get(provider).copied().unwrap_or(0.0);
            let ends = bin.until;
            // Nothing sent: 0 / 0 is NaN, a gap.
            slices.extend([begins, ends].map(|at| (at, *below / all, (*below + own) / all)));
            *below += own;
            begins = ends;
        }
        Mark::Band(slices)
    };
    Chart {
        title: title.into(),
        size: SMALL,
        x: clock.axis(3.0),
        y: axis("", Unit::Share, Scale::Linear, Some((0.0, 1.0))),
        series: (0..policy.providers.len())
            .map(|provider| Series {
                colour: Colour::Provider(provider),
                name: String::new(),
                mark: band(provider),
            })
            .collect(),
        references: vec![],
    }
}

/// Equal steps, or equal factors and room at both ends if the greatest figure is more than `APART` times the least.
fn scale_for(figures: impl Iterator<Item = f64>) -> (Scale, Option<(f64, f64)>) {
    const APART: f64 = 30.0;
    let known = figures.filter(|figure| figure.is_finite());
    let (least, most) = known.fold((f64::INFINITY, 0.0_f64), |(least, most), x| (least.min(x), most.max(x)));
    if least > 0.0 && most > APART * least {
        (Scale::Log, Some((least / 1.6, most * 1.6)))
    } else {
        (Scale::Linear, None)
    }
}

/// The unit of time that suits the length of a run, and steps in it that people count in.
struct Clock {
    seconds: f64,
    name: &'static str,
    steps: &'static [u32],
    end: f64,
}

impl Clock {
    fn of(report: &Report) -> Clock {
        let last = |policy: &PolicyReport| policy.series.last().map_or(0.0, |bin| bin.until);
        let end = report.policies.iter().map(last).fold(0.0, f64::max);
        let (seconds, name, steps): (f64, _, &[u32]) = match end {
            end if end <= 180.0 => (1.0, "s", &[1, 2, 5, 10, 15, 30, 60]),
            end if end <= 3.0 * 3600.0 => (60.0, "min", &[1, 2, 5, 10, 15, 20, 30, 60]),
            end if end <= 3.0 * 86_400.0 => (3600.0, "h", &[1, 2, 3, 6, 12, 24]),
            _ => (86_400.0, "days", &[1, 2, 5, 10, 20, 50, 100, 200]),
        };
        Clock {
            seconds,
            name,
            steps,
            end,
        }
    }

    /// An axis of at most so many steps.
    fn axis(&self, most: f64) -> Axis {
        let end = if self.end > 0.0 { self.end / self.seconds } else { 1.0 };
        let step = self
            .steps
            .iter()
            .copied()
            .map(f64::from)
            .find(|step| end / step <= most);
        let step = step.unwrap_or_else(|| libm::ceil(end / most));
        let places = (0..7).map(|index| f64::from(index) * step).filter(|at| *at <= end);
        let names = places.map(|at| {
            let name = format!("{} {}", format::tick(Unit::Number, at), self.name);
            (at * self.seconds, name)
        });
        axis(
            "",
            Unit::Seconds,
            Scale::Named(names.collect()),
            Some((0.0, end * self.seconds)),
        )
    }
}

fn axis(label: &str, unit: Unit, scale: Scale, range: Option<(f64, f64)>) -> Axis {
    Axis {
        label: label.into(),
        unit,
        scale,
        range,
    }
}

/// One mark a policy: the grey ones first, and so behind the others. `mark` is told whether the policy has a name in the chart.
fn by_policy(report: &Report, mark: impl Fn(&PolicyReport, bool) -> Mark) -> Vec<Series> {
    let colours = report.colours();
    let all = || colours.iter().zip(&report.policies);
    let grey = all().filter(|(colour, _)| colour.is_none()).map(|(_, policy)| Series {
        colour: Colour::Rest,
        name: String::new(),
        mark: mark(policy, false),
    });
    let named = all().filter_map(|(colour, policy)| {
        Some(Series {
            colour: Colour::Policy((*colour)?),
            name: shortened(&policy.name, 24),
            mark: mark(policy, true),
        })
    });
    grey.chain(named).collect()
}

/// A name cut to so many characters. Where two results are on one page, the end of a name says which of them it is of, and is kept.
fn shortened(name: &str, most: usize) -> String {
    let length = |text: &str| text.chars().count();
    if length(name) <= most {
        return name.into();
    }
    let cut = |text: &str, most: usize| {
        let kept: String = text.chars().take(most - 1).collect();
        format!("{}…", kept.trim_end())
    };
    match name.rsplit_once(" (").filter(|(_, of)| of.ends_with(')')) {
        Some((policy, of)) => {
            let of = match length(of) {
                n if n > most / 2 => format!("(…{}", of.chars().skip(n - most / 2 + 1).collect::<String>()),
                _ => format!("({of}"),
            };
            match most - length(&of) - 1 {
                room if length(policy) <= room => format!("{policy} {of}"),
                room => format!("{} {of}", cut(policy, room)),
            }
        }
        None => cut(name, most),
    }
}
