//! Passes over finished replications: one tally at a time, in the order of their numbers, wherever they are kept.
//!
//! A report takes two of them a policy. The first adds the tallies up and notes what is compared replication by replication
//! ([`Pooled`]); the second asks each tally for the figures that the sum shows to be of interest ([`ask`]). In between and
//! afterwards a few numbers a replication are held and no tally. The order is what makes sums of floats the same on any number
//! of threads.

use std::cell::{Cell, RefCell};

use crate::engine::replicate::Finished;
use crate::engine::tally::Tally;
use crate::experiment::assemble::Plan;
use crate::stats::interval::{Confidence, Estimate, Values};
use crate::stats::parts::{Parts, Scale};
use crate::stats::ratio::Pairs;

use super::measured::Gathered;
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
    /// What the replications counted for each metric.
    pub(super) gathered: Gathered,
    /// Seconds counted, added up replication by replication.
    pub(super) seconds: f64,
    /// What the replications were like over time.
    pub(super) course: steady::Course,
}

impl Pooled {
    /// The first replication; `gathered` has none yet.
    pub(super) fn of(mut gathered: Gathered, tally: &Tally) -> Pooled {
        gathered.add(tally);
        let mut course = steady::Course::default();
        course.add(&tally.series);
        Pooled {
            tally: tally.clone(),
            replications: 1,
            gathered,
            seconds: tally.counted as f64 / 1e9,
            course,
        }
    }

    /// Notes whether requests pile up under the policy of this number all the time, as far as the replications taken so far tell.
    pub(super) fn look_at_growth(&mut self, plan: &Plan, number: usize) {
        let piles_up = steady::piles_up(plan, number, &self.tally.series, &self.course);
        self.gathered.note_growth(piles_up);
    }

    /// Takes one more replication.
    pub(super) fn add(&mut self, tally: &Tally) {
        self.tally.merge(tally);
        self.replications += 1;
        self.gathered.add(tally);
        self.seconds += tally.counted as f64 / 1e9;
        self.course.add(&tally.series);
    }
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
    pub(super) fn each(&self, mut look: impl FnMut(&Tally)) -> Result<(), F::Error> {
        for &number in self.numbers {
            if let Some(tally) = self.finished.tally(number, self.scenario)? {
                look(&tally);
            }
        }
        Ok(())
    }

    /// The first pass; nothing if there are no replications. `gathered` takes what is counted for each metric.
    pub(super) fn pool(&self, gathered: Gathered) -> Result<Option<Pooled>, F::Error> {
        let mut pooled: Option<Pooled> = None;
        let mut gathered = Some(gathered);
        self.each(|tally| match &mut pooled {
            None => pooled = gathered.take().map(|gathered| Pooled::of(gathered, tally)),
            Some(pooled) => pooled.add(tally),
        })?;
        if let Some(pooled) = &mut pooled {
            pooled.tally.pack();
        }
        Ok(pooled)
    }
}

/// What one replication says of a figure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    /// The figure itself, if the replication defines it; what is reported is the mean.
    Each(Option<f64>),
    /// A count, and the count that it is a part of.
    Share(f64, f64),
    /// A part of something that is not counted piece by piece, and the whole.
    Portion(f64, f64),
    /// Numerator and denominator.
    Ratio(f64, f64),
}

/// The figures of all replications so far.
#[derive(Clone, Copy, Debug)]
enum Noted {
    Each(Values),
    Share(Pairs),
    Portion(Pairs),
    Ratio(Pairs),
}

impl Noted {
    fn with(noted: Option<Noted>, figure: Figure) -> Noted {
        let pairs = |x, y| {
            let mut pairs = match noted {
                Some(Noted::Share(pairs) | Noted::Portion(pairs) | Noted::Ratio(pairs)) => pairs,
                Some(Noted::Each(_)) | None => Pairs::default(),
            };
            pairs.add(x, y);
            pairs
        };
        match figure {
            Figure::Each(value) => {
                let mut values = match noted {
                    Some(Noted::Each(values)) => values,
                    Some(Noted::Share(_) | Noted::Portion(_) | Noted::Ratio(_)) | None => Values::default(),
                };
                values.add(value);
                Noted::Each(values)
            }
            Figure::Share(x, y) => Noted::Share(pairs(x, y)),
            Figure::Portion(x, y) => Noted::Portion(pairs(x, y)),
            Figure::Ratio(x, y) => Noted::Ratio(pairs(x, y)),
        }
    }

    fn estimate(&self, confidence: Confidence) -> Estimate {
        match self {
            Noted::Each(values) => values.estimate(confidence),
            Noted::Share(pairs) => pairs.share(confidence),
            Noted::Portion(pairs) => pairs.portion(confidence),
            // Of times, counts and money, which are never below zero.
            Noted::Ratio(pairs) => {
                let even = pairs.estimate(confidence);
                let lo = even.lo.map(|lo| lo.max(0.0));
                Estimate { lo, ..even }
            }
        }
    }
}

/// The figure of every replication, and what each adds to its error where that is wanted.
#[derive(Clone, Debug)]
struct Course {
    noted: Noted,
    figures: Vec<Figure>,
}

impl Course {
    /// The estimate with what the models' own measurements leave open in its interval; `numbers` are those of the replications.
    fn estimate(&self, numbers: &[u64], confidence: Confidence) -> Estimate {
        let estimate = self.noted.estimate(confidence);
        if self.figures.is_empty() {
            return estimate;
        }
        let error = |figure: &Figure| match (&self.noted, figure) {
            (Noted::Share(pairs) | Noted::Portion(pairs) | Noted::Ratio(pairs), figure) => match figure {
                Figure::Share(x, y) | Figure::Portion(x, y) | Figure::Ratio(x, y) => pairs.residual(*x, *y),
                Figure::Each(_) => f64::NAN,
            },
            (Noted::Each(_), Figure::Each(Some(value))) => value - estimate.value,
            (Noted::Each(_), Figure::Each(None) | Figure::Share(..) | Figure::Portion(..) | Figure::Ratio(..)) => {
                f64::NAN
            }
        };
        let scale = match self.noted {
            Noted::Share(_) | Noted::Portion(_) => Scale::Share,
            Noted::Each(_) | Noted::Ratio(_) => Scale::Plain,
        };
        let errors: Vec<f64> = self.figures.iter().map(error).collect();
        let parts = Parts::of(&errors, numbers);
        parts.map_or(estimate, |parts| parts.widen(&estimate, scale, confidence))
    }
}

/// How estimates are made of figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    /// The level of the intervals.
    pub(super) confidence: Confidence,
    /// Whether the models' own measurements leave something open, which the intervals then hold.
    pub(super) is_uncertain: bool,
}

/// Puts one figure of each replication into an estimate.
pub(super) type Each<'a> = &'a dyn Fn(&dyn Fn(&Tally) -> Figure) -> Estimate;

/// The second pass: what `build` makes of estimates over `replications`; `look` sees each tally besides.
///
/// So that one pass is enough for all of them, `build` is called once a replication, with an [`Each`] that notes each figure of
/// that replication and returns an empty estimate, and a last time with one that returns the estimates. It must therefore ask
/// for the same figures in the same order each time, whatever the estimates are.
pub(super) fn ask<T, F: Finished>(
    replications: &Replications<'_, F>,
    asking: Asking,
    mut look: impl FnMut(&Tally),
    build: impl Fn(Each<'_>) -> T,
) -> Result<T, F::Error> {
    let noted: RefCell<Vec<Course>> = RefCell::default();
    replications.each(|tally| {
        look(tally);
        let next = Cell::new(0);
        build(&|figure| {
            let mut noted = noted.borrow_mut();
            let at = next.replace(next.get() + 1);
            let figure = figure(tally);
            let with = Noted::with(noted.get(at).map(|known| known.noted), figure);
            match noted.get_mut(at) {
                Some(known) => known.noted = with,
                None => noted.push(Course {
                    noted: with,
                    figures: Vec::new(),
                }),
            }
            if let Some(known) = noted.get_mut(at).filter(|_| asking.is_uncertain) {
                known.figures.push(figure);
            }
            Estimate::NONE
        });
    })?;
    let (noted, next) = (noted.into_inner(), Cell::new(0));
    Ok(build(&|_| {
        let figure = noted.get(next.replace(next.get() + 1));
        figure.map_or(Estimate::NONE, |noted| {
            noted.estimate(replications.numbers, asking.confidence)
        })
    }))
}
