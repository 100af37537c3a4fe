//! The charts of a report: which figures go into which picture.
//!
//! Distributions are on a logarithmic axis, where a tail keeps its shape; bars start at 0, where lengths can be compared.
//! Only figures that differ by orders of magnitude are points on a logarithmic axis instead. Of many policies the leaders and the
//! baseline have colours and names; the others are grey, or left out where they would be bars. Nothing is smoothed. What a figure lacks is left out of the picture, and a picture with nothing in it is not made.

use super::chart::{Axis, Bar, Chart, Colour, Mark, Point, Reference, Scale, Series};
use crate::stats::interval::Estimate;
use crate::words::metric::Quantity;

use super::{Metric, PolicyReport, Report, Unit, estimate, format};

/// The size of a chart that stands two to a row on a wide page.
const HALF: (u32, u32) = (480, 290);
/// The size of one in a row of several.
const SMALL: (u32, u32) = (320, 190);

/// The share of requests within a time, one line a policy. `points` picks the distribution function.
pub fn distribution(report: &Report, title: &str, points: impl Fn(&PolicyReport) -> &[(f64, f64)]) -> Chart {
    Chart {
        title: title.into(),
        size: HALF,
        x: axis("", Unit::Seconds, Scale::Log, None),
        y: axis("", Unit::Share, Scale::Linear, Some((0.0, 1.0))),
        series: by_policy(report, |policy, _| Mark::Line(points(policy).to_vec())),
        references: vec![Reference {
            y: 0.95,
            label: "p95".into(),
        }],
    }
}

/// The percentiles of a quantity as bars, in one group a percentile and one bar a policy: those that every report has, and what else
/// is asked for.
pub fn percentiles(report: &Report, title: &str, of: Quantity) -> Chart {
    let measured = report.policies.first().into_iter().flat_map(|policy| &policy.metrics);
    let mut metrics: Vec<&Metric> = measured
        .map(|measured| &measured.metric)
        .filter(|metric| metric.quantity() == of && metric.scope().is_all() && metric.percentile().is_some())
        .collect();
    metrics.sort();
    let colours = report.colours();
    let named: Vec<(usize, &PolicyReport)> = (colours.iter().zip(&report.policies))
        .filter_map(|(colour, policy)| Some(((*colour)?, policy)))
        .collect();
    let policies = named.len();
    // One bar's breadth between groups.
    let group = (policies + 1) as f64;
    let place = |row: usize, policy: usize| -(row as f64 * group + policy as f64);
    let names = metrics
        .iter()
        .enumerate()
        .map(|(row, metric)| (place(row, 0) - (group - 2.0) / 2.0, metric.statistic().to_string()));
    let bar = |policy: &PolicyReport, index: usize, row: usize| {
        let estimate = estimate(policy, metrics[row]);
        Bar {
            at: place(row, index),
            value: estimate.value,
            interval: interval(&estimate),
            label: format::value(metrics[row].unit_in(report.code()), estimate.value),
        }
    };
    let series = named.iter().enumerate().map(|(index, &(colour, policy))| Series {
        colour: Colour::Policy(colour),
        mark: Mark::Bars(0.84, (0..metrics.len()).map(|row| bar(policy, index, row)).collect()),
    });
    let lowest = place(metrics.len(), 0) + 1.3;
    let all = metrics
        .iter()
        .flat_map(|metric| named.iter().map(|(_, policy)| estimate(policy, metric).value));
    let (scale, range) = scale_for(all);
    Chart {
        title: title.into(),
        size: (HALF.0, 36 + (metrics.len() * (policies + 1) * 17) as u32),
        x: axis("", Unit::Seconds, scale, range),
        y: axis("", Unit::Number, Scale::Named(names.collect()), Some((lowest, 0.7))),
        series: series.collect(),
        references: vec![],
    }
}

/// The two ends of an interval, if it has both.
fn interval(estimate: &Estimate) -> Option<(f64, f64)> {
    estimate.lo.zip(estimate.hi)
}

/// One figure against another, one point a policy; nothing for a single policy.
pub fn trade_off(report: &Report, title: &str, x: &Metric, y: &Metric) -> Chart {
    let both = |metric: &Metric| {
        let metric = metric.clone();
        move |policy: &PolicyReport| {
            let estimate = estimate(policy, &metric);
            (estimate.value, interval(&estimate))
        }
    };
    let across = |metric: &Metric| {
        let (scale, range) = scale_for(report.policies.iter().map(|policy| estimate(policy, metric).value));
        axis(
            &metric.title_in(report.code()),
            metric.unit_in(report.code()),
            scale,
            range,
        )
    };
    // One point trades nothing off.
    let mark = |policy: &PolicyReport, named: bool| match report.policies.len() {
        0 | 1 => Mark::Points(vec![]),
        _ => Mark::Points(vec![Point {
            x: both(x)(policy),
            y: both(y)(policy),
            label: if named {
                shortened(&policy.name, 30)
            } else {
                String::new()
            },
        }]),
    };
    Chart {
        title: title.into(),
        size: HALF,
        x: across(x),
        y: across(y),
        series: by_policy(report, mark),
        references: vec![],
    }
}

/// A figure over the counted time, one line a policy. `level` picks the figure of a bin.
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
    let series = by_policy(report, |policy, _| {
        let bins = policy.series.iter();
        Mark::Steps(
            bins.map(|bin| (bin.until / clock.seconds, level(bin).unwrap_or(f64::NAN)))
                .collect(),
        )
    });
    Chart {
        title: title.into(),
        size: HALF,
        x: clock.axis(),
        y: axis("", unit, scale, Some((lowest, highest))),
        series,
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
            let ends = bin.until / clock.seconds;
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
        x: clock.axis(),
        y: axis("", Unit::Share, Scale::Linear, Some((0.0, 1.0))),
        series: (0..policy.providers.len())
            .map(|provider| Series {
                colour: Colour::Provider(provider),
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
            end if end <= 180.0 => (1.0, "s", &[1, 2, 5, 10, 15, 30]),
            end if end <= 3.0 * 3600.0 => (60.0, "min", &[1, 2, 5, 10, 15, 30]),
            end if end <= 3.0 * 86_400.0 => (3600.0, "h", &[1, 2, 3, 6, 12]),
            _ => (86_400.0, "days", &[1, 2, 5, 10, 20, 50, 100]),
        };
        Clock {
            seconds,
            name,
            steps,
            end,
        }
    }

    fn axis(&self) -> Axis {
        let end = if self.end > 0.0 { self.end / self.seconds } else { 1.0 };
        let step = self.steps.iter().copied().map(f64::from).find(|step| end / step <= 6.0);
        let step = step.unwrap_or(end / 4.0);
        let places = (0..7).map(|index| f64::from(index) * step).filter(|at| *at <= end);
        let names = places.map(|at| (at, format!("{} {}", format::tick(Unit::Number, at), self.name)));
        axis("", Unit::Number, Scale::Named(names.collect()), Some((0.0, end)))
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
        mark: mark(policy, false),
    });
    let named = all().filter_map(|(colour, policy)| {
        Some(Series {
            colour: Colour::Policy((*colour)?),
            mark: mark(policy, true),
        })
    });
    grey.chain(named).collect()
}

/// A name cut to so many characters.
fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.into();
    }
    let kept: String = name.chars().take(most - 1).collect();
    format!("{}…", kept.trim_end())
}
