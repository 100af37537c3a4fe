//! The figures of one replication.
//!
//! A percentile is undefined for a replication that has too few requests to bracket it (distribution-free, by order
//! statistics: 72 for p95 and 368 for p99 at 95 %); everything else is undefined only where it would divide by nothing.

use crate::engine::tally::{ClassTally, Tally};
use crate::kernel::time::Span;
use crate::report::Metric;
use crate::stats::histogram::Histogram;
use crate::stats::interval::{Confidence, min_samples_for_quantile};
use crate::words::Outcome;

/// Days in the month that cost is scaled to.
pub(super) const MONTH_DAYS: f64 = 30.0;
/// Pico-dollars in a dollar.
pub(super) const PICO: f64 = 1e12;

/// One replication, with its classes' histograms added up.
#[derive(Debug)]
pub(super) struct Figures<'a> {
    tally: &'a Tally,
    ttft: Histogram,
    e2e: Histogram,
    wait: Histogram,
    confidence: Confidence,
}

impl<'a> Figures<'a> {
    pub(super) fn of(tally: &'a Tally, confidence: Confidence) -> Figures<'a> {
        let merged = |which: fn(&ClassTally) -> &Histogram| {
            let mut sum = Histogram::new();
            for class in &tally.classes {
                sum.merge(which(class));
            }
            sum
        };
        Figures {
            tally,
            ttft: merged(|c| &c.ttft),
            e2e: merged(|c| &c.e2e),
            wait: merged(|c| &c.wait),
            confidence,
        }
    }

    /// The value of `metric`, if this replication has one.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        let tally = self.tally;
        let requests = tally.requests();
        let seconds = tally.counted as f64 / 1e9;
        let per_request = |x: f64| (requests > 0).then(|| x / requests as f64);
        match metric {
            Metric::TtftP50 | Metric::TtftP95 | Metric::TtftP99 => self.percentile(&self.ttft, metric),
            Metric::E2eP50 | Metric::E2eP95 | Metric::E2eP99 => self.percentile(&self.e2e, metric),
            Metric::WaitP50 | Metric::WaitP95 | Metric::WaitP99 => self.percentile(&self.wait, metric),
            Metric::TtftMean => mean(&self.ttft),
            Metric::E2eMean => mean(&self.e2e),
            Metric::WaitMean => mean(&self.wait),
            Metric::ErrorRate => per_request((requests - tally.ended(Outcome::Success)) as f64),
            Metric::Throughput => Some(tally.served as f64 / seconds),
            Metric::Goodput => Some(tally.good as f64 / seconds),
            Metric::Attempts => per_request(tally.attempts() as f64),
            Metric::CostPer1k => per_request(tally.cost() as f64 / PICO * 1e3),
            Metric::CostPerMonth => Some(tally.cost() as f64 / PICO / seconds * MONTH_DAYS * 86_400.0),
            Metric::Quality => quality(tally.classes.iter()),
        }
    }

    fn percentile(&self, of: &Histogram, metric: Metric) -> Option<f64> {
        quantile(of, metric.percentile()?, self.confidence)
    }
}

/// A percentile in seconds, if there are enough values to bracket it.
pub(super) fn quantile(of: &Histogram, q: f64, confidence: Confidence) -> Option<f64> {
    if of.count() < min_samples_for_quantile(q, confidence) {
        return None;
    }
    of.quantile(q).map(Span::seconds)
}

/// The mean probability of a good answer; none unless every success is rated.
pub(super) fn quality<'a>(classes: impl Iterator<Item = &'a ClassTally>) -> Option<f64> {
    let success = Outcome::Success.index();
    let (served, rated, sum) = classes.fold((0, 0, 0), |(s, n, q), c| {
        (s + c.outcomes[success], n + c.rated, q + c.quality)
    });
    // In this order a constant quality comes out exactly.
    (rated > 0 && rated == served).then(|| sum as f64 / rated as f64 / 1e6)
}

/// Dollars for 1,000 requests of one class.
pub(super) fn class_cost_per_1k(class: &ClassTally) -> Option<f64> {
    let requests: u64 = class.outcomes.iter().sum();
    (requests > 0).then(|| class.cost as f64 / PICO * 1e3 / requests as f64)
}

fn mean(of: &Histogram) -> Option<f64> {
    of.mean().map(Span::seconds)
}
