//! The metrics of one policy: a column of figures for each, one a replication, and each column put into an estimate.

use crate::engine::tally::Tally;
use crate::experiment::assemble::{Measure, Source};
use crate::report::{Measured, Metric};
use crate::stats::interval::{Confidence, Estimate, min_samples_for_quantile, wilson};

use super::compare::Columns;
use super::figures::{Figures, Part};

/// The figures of each of `measures` in each of `tallies`.
pub(super) fn columns(measures: &[Measure], tallies: &[&Tally], confidence: Confidence) -> Columns {
    let mut columns: Columns = vec![Vec::with_capacity(tallies.len()); measures.len()];
    for tally in tallies {
        // Metrics of the same part of the traffic share what is added up for it.
        let mut parts: Vec<(&Source, Figures<'_>)> = Vec::new();
        for (column, measure) in columns.iter_mut().zip(measures) {
            let at = parts.iter().position(|(source, _)| **source == measure.source);
            let at = at.unwrap_or_else(|| {
                parts.push((&measure.source, Figures::of(tally, &measure.source, confidence)));
                parts.len() - 1
            });
            column.push(parts[at].1.value(&measure.metric));
        }
    }
    columns
}

/// The estimate of each column, and why it has no value or no interval where it has none.
pub(super) fn measured(
    measures: &[Measure],
    columns: &Columns,
    pooled: &Tally,
    confidence: Confidence,
) -> Vec<Measured> {
    let one = |(Measure { metric, source }, column): (&Measure, &Vec<Option<f64>>)| {
        let mut estimate = Estimate::of_replications(column.iter().copied(), confidence);
        if let Some(part) = Figures::of(pooled, source, confidence).part(metric) {
            estimate = at_least_wilson(estimate, part, confidence);
        }
        let note = match metric.percentile() {
            Some(q) if estimate.undefined > 0 => Some(format!(
                "{} of {} replications have fewer than the {} values that this percentile needs",
                estimate.undefined,
                column.len(),
                min_samples_for_quantile(q, confidence)
            )),
            _ if estimate.n == 0 && metric.quantity() == Metric::QUALITY.quantity() => {
                Some("not every model used rates every class".into())
            }
            _ => estimate.why_no_interval(),
        };
        Measured {
            metric: metric.clone(),
            estimate,
            note,
        }
    };
    measures.iter().zip(columns).map(one).collect()
}

/// Replications that agree exactly on a share, as they do when nothing ever failed, have no spread, but that does not
/// prove that nothing can fail. Then the half width is what Wilson's interval of the pooled counts leaves room for.
fn at_least_wilson(estimate: Estimate, pooled: Part, confidence: Confidence) -> Estimate {
    if estimate.half_width != Some(0.0) || pooled.of == 0 {
        return estimate;
    }
    let (lo, hi) = wilson(pooled.part, pooled.of, confidence);
    let half_width = Some((hi - estimate.mean).max(estimate.mean - lo));
    Estimate { half_width, ..estimate }
}
