//! What a figure of a month takes to be alike: all hours, where minutes of a trace stand for them; and the months, where traffic grows.
//!
//! A trace of less than a week says nothing of how its hours, or days, differ from the rest of a month, and replications that replay the same
//! rows agree in what those cost: their interval is none. The months of a run of several in which traffic grows are not alike either, so
//! that what is said is the mean of them, with the first and the last beside it. Left out: what a trace of a week leaves of a year.

use crate::engine::scenario::Scenario;
use crate::engine::tally::Tally;
use crate::kernel::calendar::has_days;
use crate::kernel::time::Span;
use crate::report::{Code, Measured, Metric, format};
use crate::words::Lasts;

use super::figures::{MONTH_DAYS, PICO};
use super::month::covers;

const DAY: f64 = 86_400.0;
const MONTH: Span = Span::from_secs(MONTH_DAYS as u64 * 86_400);

/// What the figures of a policy's month take to be alike.
#[derive(Debug)]
pub(super) struct Alike {
    replay: Option<Replay>,
    growth: Option<Growth>,
}

/// A trace that stands for a month.
#[derive(Debug)]
struct Replay {
    /// Seconds of the trace that the figures are of.
    told: f64,
    /// Whether each replication is put together from it anew.
    is_drawn: bool,
}

/// Several months in which traffic grows.
#[derive(Debug)]
struct Growth {
    months: f64,
    /// Dollars of the first and of the last, where they can be told.
    ends: Option<(f64, f64)>,
}

impl Alike {
    /// What a month by the sum of the replications of `scenario` takes to be alike.
    pub(super) fn of(scenario: &Scenario, sum: &Tally) -> Alike {
        let counted = scenario.window.counted();
        let streams = || scenario.traffic.streams.iter();
        let recorded = streams().filter_map(|stream| stream.arrivals.recorded());
        let shortest = recorded
            .map(|of| match of.stretches {
                Some(_) => (of.lasts, true),
                None => (of.lasts.min(counted), false),
            })
            .min_by_key(|(told, _)| *told);
        // Capacity that is reserved costs the same in every hour.
        let is_paid = sum.providers.iter().any(|provider| provider.cost > 0);
        let replay = shortest.filter(|(told, _)| is_paid && !has_days(told.seconds(), 7.0));
        let mut courses = streams().filter_map(|stream| stream.arrivals.course());
        let grows = courses.any(|course| course.lasts == Lasts::Grows);
        let months = (counted.seconds() / MONTH.seconds()).round();
        Alike {
            replay: replay.map(|(told, is_drawn)| Replay {
                told: told.seconds(),
                is_drawn,
            }),
            growth: (grows && months >= 2.0 && covers(counted, MONTH)).then(|| Growth {
                months,
                ends: ends(sum, counted),
            }),
        }
    }

    /// Notes at a figure of a month what it takes to be alike, and whether its replications agree because they are the same.
    pub(super) fn note(&self, measured: &mut Measured, code: Option<Code>) -> Option<String> {
        let growth = self
            .growth
            .as_ref()
            .map(|growth| growth.sentence(&measured.metric, code));
        let replay = self.replay.as_ref().filter(|_| measured.estimate.value != 0.0);
        let replay = replay.map(|replay| {
            let (lo, hi) = (measured.estimate.lo, measured.estimate.hi);
            let width = hi.zip(lo).map(|(hi, lo)| hi - lo);
            measured.replayed =
                !replay.is_drawn && width.is_some_and(|width| width <= 1e-9 * measured.estimate.value.abs());
            replay.sentence(width.is_some(), measured.replayed)
        });
        let all: Vec<String> = growth.into_iter().chain(replay).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

impl Replay {
    fn sentence(&self, has_interval: bool, agrees: bool) -> String {
        let (one, several) = match self.told < DAY * 0.98 {
            true => ("hour", "hours"),
            false => ("day", "days"),
        };
        let counted = if self.is_drawn { "" } else { " that are counted" };
        let alike = format!(
            "every {one} of the month is taken to be like the {} of the trace{counted}",
            format::span(to_minutes(self.told))
        );
        match (agrees, has_interval) {
            (true, _) => format!(
                "{alike}, and that replications agree, which all replay these, says nothing of how {several} differ"
            ),
            (false, true) => format!("{alike}; the ± says nothing of how {several} differ"),
            (false, false) => format!("{alike}, which says nothing of how {several} differ"),
        }
    }
}

/// Seconds to whole minutes, where there are many.
fn to_minutes(seconds: f64) -> f64 {
    if seconds < 600.0 {
        seconds
    } else {
        (seconds / 60.0).round() * 60.0
    }
}

impl Growth {
    fn sentence(&self, metric: &Metric, code: Option<Code>) -> String {
        let mean = format!(
            "the mean of the {} months that are counted, in which the traffic grows",
            self.months
        );
        let money = |x: f64| format::value(Metric::COST_PER_MONTH.unit_in(code), x);
        match self.ends.filter(|_| *metric == Metric::COST_PER_MONTH) {
            Some((first, last)) => format!(
                "{mean}: about {} in the first, {} in the last",
                money(first),
                money(last)
            ),
            None => mean,
        }
    }
}

/// What the first and the last month of a replication cost in the mean; nothing where they cannot be told apart from others.
fn ends(sum: &Tally, counted: Span) -> Option<(f64, f64)> {
    let (width, month, whole) = (sum.series.width().seconds(), MONTH.seconds(), counted.seconds());
    let is_all = sum.providers.iter().all(|provider| provider.reserved == 0) && sum.judging == 0;
    if !is_all || width > month / 2.0 {
        return None;
    }
    let within = |from: f64, until: f64| {
        let each = sum.series.bins().iter().enumerate().map(|(i, bin)| {
            let begins = i as f64 * width;
            let part = (until.min(begins + width) - from.max(begins)).max(0.0) / width;
            part * bin.cost as f64
        });
        each.sum::<f64>() / PICO / (sum.counted as f64 / 1e9 / whole)
    };
    Some((within(0.0, month), within(whole - month, whole)))
}
