//! Passes over finished replications: one tally at a time, in the order of their numbers, wherever they are kept.
//!
//! A report takes two of them a policy. The first adds the tallies up and notes what is compared replication by replication
//! ([`Pooled`]); the second asks each tally for the figures that the sum shows to be of interest ([`ask`]). In between and
//! afterwards a few numbers a replication are held and no tally. The order is what makes sums of floats the same on any number
//! of threads.

use std::cell::{Cell, RefCell};

use crate::engine::replicate::Finished;
use crate::engine::scenario::Window;
use crate::engine::tally::Tally;
use crate::stats::interval::{Confidence, Estimate, Values};
use crate::stats::warmup::Trend;

use super::compare::Columns;
use super::steady;

/// The replications of one policy that take part in the report.
#[derive(Debug)]
pub(super) struct Replications<'a, F> {
    finished: &'a F,
    numbers: &'a [u64],
    scenario: usize,
}

/// What the first pass leaves of a policy.
#[derive(Debug)]
pub(super) struct Pooled {
    /// The sum of the replications' tallies.
    pub(super) tally: Tally,
    /// How many replications the sum is of.
    pub(super) replications: usize,
    /// The figures that are compared, by replication.
    pub(super) columns: Columns,
    /// Seconds counted, added up replication by replication.
    pub(super) seconds: f64,
    /// How each replication's requests in the system rose.
    pub(super) trends: Vec<Trend>,
}

impl<'a, F: Finished> Replications<'a, F> {
    /// The replications of scenario number `scenario` with these `numbers`, all of which are finished.
    pub(super) fn new(finished: &'a F, numbers: &'a [u64], scenario: usize) -> Replications<'a, F> {
        Replications {
            finished,
            numbers,
            scenario,
        }
    }

    /// Shows `look` each tally.
    fn each(&self, mut look: impl FnMut(&Tally)) -> Result<(), F::Error> {
        for &number in self.numbers {
            if let Some(tally) = self.finished.tally(number, self.scenario)? {
                look(&tally);
            }
        }
        Ok(())
    }

    /// The first pass; nothing if there are no replications. `figures` gives a column of one figure for each that is compared.
    pub(super) fn pool(&self, window: Window, figures: impl Fn(&Tally) -> Columns) -> Result<Option<Pooled>, F::Error> {
        let mut pooled: Option<Pooled> = None;
        self.each(|tally| {
            let seconds = tally.counted as f64 / 1e9;
            let trend = steady::trend(window, &tally.series);
            let figures = figures(tally);
            match &mut pooled {
                None => {
                    pooled = Some(Pooled {
                        tally: tally.clone(),
                        replications: 1,
                        columns: figures,
                        seconds,
                        trends: vec![trend],
                    });
                }
                Some(pooled) => {
                    pooled.tally.merge(tally);
                    pooled.replications += 1;
                    for (column, figure) in pooled.columns.iter_mut().zip(figures) {
                        column.extend(figure);
                    }
                    pooled.seconds += seconds;
                    pooled.trends.push(trend);
                }
            }
        })?;
        if let Some(pooled) = &mut pooled {
            pooled.tally.pack();
        }
        Ok(pooled)
    }
}

/// Puts one figure of each replication into an estimate.
pub(super) type Each<'a> = &'a dyn Fn(&dyn Fn(&Tally) -> Option<f64>) -> Estimate;

/// The second pass: what `build` makes of estimates over `replications`.
///
/// So that one pass is enough for all of them, `build` is called once a replication, with an [`Each`] that notes each figure of
/// that replication and returns an empty estimate, and a last time with one that returns the estimates. It must therefore ask
/// for the same figures in the same order each time, whatever the estimates are.
pub(super) fn ask<T, F: Finished>(
    replications: &Replications<'_, F>,
    confidence: Confidence,
    build: impl Fn(Each<'_>) -> T,
) -> Result<T, F::Error> {
    let noted: RefCell<Vec<Values>> = RefCell::default();
    replications.each(|tally| {
        let next = Cell::new(0);
        build(&|figure| {
            let mut noted = noted.borrow_mut();
            let at = next.replace(next.get() + 1);
            if at == noted.len() {
                noted.push(Values::default());
            }
            noted[at].add(figure(tally));
            Values::default().estimate(confidence)
        });
    })?;
    let (noted, next) = (noted.into_inner(), Cell::new(0));
    Ok(build(&|_| {
        let values = noted.get(next.replace(next.get() + 1));
        values.copied().unwrap_or_default().estimate(confidence)
    }))
}
