//! The figures of one replication.
//!
//! A percentile is undefined for a replication that has too few requests to bracket it (distribution-free, by order
//! statistics: 72 for p95 and 368 for p99 at 95 %); everything else is undefined only where it would divide by nothing.
//! [`Figures::value`] is the only place where a metric becomes a number, and [`quantile`] where a percentile is estimated.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::engine::lens::LensTally;
use crate::engine::tally::{ClassTally, Tally};
use crate::experiment::assemble::Source;
use crate::kernel::time::Span;
use crate::report::Metric;
use crate::stats::histogram::Histogram;
use crate::stats::interval::{Confidence, min_samples_for_quantile};
use crate::words::Outcome;
use crate::words::metric::{Quantity, Statistic, Times};

/// Days in the month that cost is scaled to.
pub(super) const MONTH_DAYS: f64 = 30.0;
/// Pico-dollars in a dollar.
pub(super) const PICO: f64 = 1e12;

/// What one replication counted of a part of the traffic, added up: the ground of every figure of that part.
#[derive(Debug)]
pub(super) struct Figures<'a> {
    /// The tallies of the classes, or that of the lens.
    of: Of<'a>,
    /// How requests ended, and attempts.
    outcomes: [u64; Outcome::COUNT],
    attempts: [u64; Outcome::COUNT],
    served: u64,
    good: u64,
    rated: u64,
    quality: u64,
    /// The cost in pico-dollars.
    cost: u128,
    /// The length of what is counted.
    seconds: f64,
    /// Each histogram, once it is asked for.
    times: [OnceCell<Option<Cow<'a, Histogram>>>; Times::COUNT],
    confidence: Confidence,
}

/// The tallies whose histograms are added up.
#[derive(Debug)]
enum Of<'a> {
    Classes(Vec<&'a ClassTally>),
    Lens(&'a LensTally),
}

/// A count, and the count that it is a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) of: u64,
    pub(super) part: u64,
}

impl<'a> Figures<'a> {
    pub(super) fn of(tally: &'a Tally, source: &Source, confidence: Confidence) -> Figures<'a> {
        match source {
            Source::All => Figures {
                attempts: sum(tally.providers.iter().map(|p| &p.outcomes)),
                served: tally.served,
                good: tally.good,
                cost: tally.cost(),
                ..Figures::of_classes(tally, tally.classes.iter().collect(), confidence)
            },
            Source::Classes(some) => {
                let classes = some.iter().filter_map(|&class| tally.classes.get(class)).collect();
                Figures::of_classes(tally, classes, confidence)
            }
            &Source::Lens(lens) => Figures::of_lens(&tally.lenses[lens], confidence),
        }
    }

    /// What the tallies of classes hold, which is not how attempts ended, nor what was served.
    fn of_classes(tally: &Tally, classes: Vec<&'a ClassTally>, confidence: Confidence) -> Figures<'a> {
        Figures {
            outcomes: sum(classes.iter().map(|c| &c.outcomes)),
            attempts: [0; Outcome::COUNT],
            served: 0,
            good: 0,
            rated: classes.iter().map(|c| c.rated).sum(),
            quality: classes.iter().map(|c| c.quality).sum(),
            cost: classes.iter().map(|c| c.cost).sum(),
            seconds: tally.counted as f64 / 1e9,
            times: Default::default(),
            of: Of::Classes(classes),
            confidence,
        }
    }

    fn of_lens(lens: &'a LensTally, confidence: Confidence) -> Figures<'a> {
        Figures {
            of: Of::Lens(lens),
            outcomes: lens.outcomes,
            attempts: lens.attempts,
            served: lens.served,
            good: lens.good,
            rated: lens.rated,
            quality: lens.quality,
            cost: lens.cost + lens.reserved,
            seconds: lens.counted as f64 / 1e9,
            times: Default::default(),
            confidence,
        }
    }

    /// The value of `metric`, whatever its scope, if this part of the replication has one.
    pub(super) fn value(&self, metric: &Metric) -> Option<f64> {
        if let Some(part) = self.part(metric) {
            return (part.of > 0).then(|| part.part as f64 / part.of as f64);
        }
        let requests: u64 = self.outcomes.iter().sum();
        let per_request = |x: f64| (requests > 0).then(|| x / requests as f64);
        match metric.quantity() {
            Quantity::Ttft => self.time(Times::Ttft, metric),
            Quantity::E2e => self.time(Times::E2e, metric),
            Quantity::Wait => self.time(Times::Wait, metric),
            Quantity::Tpot => self.time(Times::Tpot, metric),
            Quantity::Throughput => Some(self.served as f64 / self.seconds),
            Quantity::Goodput => Some(self.good as f64 / self.seconds),
            Quantity::AttemptsPerRequest => per_request(self.attempts.iter().sum::<u64>() as f64),
            Quantity::CostPer1k => per_request(self.cost as f64 / PICO * 1e3),
            Quantity::CostPerMonth => Some(self.cost as f64 / PICO / self.seconds * MONTH_DAYS * 86_400.0),
            // In this order a constant quality comes out exactly. None unless every success is rated.
            Quantity::Quality => (self.rated > 0 && self.rated == self.outcomes[Outcome::Success.index()])
                .then(|| self.quality as f64 / self.rated as f64 / 1e6),
            Quantity::ErrorRate | Quantity::Share | Quantity::Attempts => None,
        }
    }

    /// The counts that `metric` is the share of, if it is a share of counts.
    pub(super) fn part(&self, metric: &Metric) -> Option<Part> {
        let of = |counts: &[u64; Outcome::COUNT]| match metric.statistic() {
            Statistic::Outcome(outcome) => Some(Part {
                of: counts.iter().sum(),
                part: counts[outcome.index()],
            }),
            Statistic::Whole | Statistic::Percentile(_) | Statistic::Mean => None,
        };
        match metric.quantity() {
            Quantity::ErrorRate => {
                let requests: u64 = self.outcomes.iter().sum();
                Some(Part {
                    of: requests,
                    part: requests - self.outcomes[Outcome::Success.index()],
                })
            }
            Quantity::Share => of(&self.outcomes),
            Quantity::Attempts => of(&self.attempts),
            Quantity::Ttft
            | Quantity::E2e
            | Quantity::Wait
            | Quantity::Tpot
            | Quantity::Throughput
            | Quantity::Goodput
            | Quantity::AttemptsPerRequest
            | Quantity::CostPer1k
            | Quantity::CostPerMonth
            | Quantity::Quality => None,
        }
    }

    fn time(&self, which: Times, metric: &Metric) -> Option<f64> {
        let histogram = self.times[which.index()]
            .get_or_init(|| self.of.times(which))
            .as_ref()?;
        match metric.percentile() {
            Some(q) => quantile(histogram, q, self.confidence),
            None => histogram.mean().map(Span::seconds),
        }
    }
}

impl<'a> Of<'a> {
    fn times(&self, which: Times) -> Option<Cow<'a, Histogram>> {
        let classes = match self {
            Of::Lens(lens) => return lens.times[which.index()].as_ref().map(Cow::Borrowed),
            Of::Classes(classes) => classes,
        };
        let mut histograms = classes.iter().filter_map(|class| of_class(class, which));
        let first = histograms.next()?;
        let mut all = Cow::Borrowed(first);
        for histogram in histograms {
            all.to_mut().merge(histogram);
        }
        Some(all)
    }
}

fn of_class(class: &ClassTally, which: Times) -> Option<&Histogram> {
    match which {
        Times::Ttft => Some(&class.ttft),
        Times::E2e => Some(&class.e2e),
        Times::Wait => Some(&class.wait),
        Times::Tpot => class.tpot.as_ref(),
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a [u64; Outcome::COUNT]>) -> [u64; Outcome::COUNT] {
    counts.fold([0; Outcome::COUNT], |mut sum, counts| {
        for (a, b) in sum.iter_mut().zip(counts) {
            *a += b;
        }
        sum
    })
}

/// A percentile in seconds, if there are enough values to bracket it.
fn quantile(of: &Histogram, q: f64, confidence: Confidence) -> Option<f64> {
    if of.count() < min_samples_for_quantile(q, confidence) {
        return None;
    }
    of.quantile(q).map(Span::seconds)
}
