//! Many replications on many threads, with the same result for any number of threads.
//!
//! Work is cut into (replication, scenario) pairs, replications first, so that what is finished at an interruption
//! is about as much of each scenario. Each pair is a pure function of the seed and its numbers; results are told apart
//! by those numbers, never by which was finished first.
//!
//! Where a result goes is not this module's business: [`replicate`] keeps all in memory, [`replicate_into`] hands each to a
//! [`Sink`] as soon as it is there (a file, say), and whatever holds them is read through [`Finished`].

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::run::{Control, Halt, run};
use super::scenario::Scenario;
use super::tally::Tally;

/// The replications of each scenario in memory, by replication number: what they counted, or why they have no result.
pub type Runs = Vec<Vec<Result<Tally, Halt>>>;

/// Takes replications as they end, from any thread and in any order.
pub trait Sink: Sync {
    /// Whether replication number `replication` of scenario number `scenario` is to be run at all; not if it is there already.
    fn wants(&self, replication: u64, scenario: usize) -> bool;

    /// Takes what came of a replication that was wanted.
    fn take(&self, replication: u64, scenario: usize, result: Result<Tally, Halt>);
}

/// Replications that have ended, wherever they are kept.
pub trait Finished {
    /// Why one cannot be read.
    type Error;

    /// How many replications of each scenario were asked for.
    fn planned(&self) -> u64;

    /// Whether replication number `replication` of scenario number `scenario` is finished.
    fn has(&self, replication: u64, scenario: usize) -> bool;

    /// Why it has no result, if it was run and has none.
    fn halt(&self, replication: u64, scenario: usize) -> Option<Halt>;

    /// The tally of one replication; nothing if it is not finished.
    ///
    /// # Errors
    /// If it is finished and cannot be read.
    fn tally(&self, replication: u64, scenario: usize) -> Result<Option<Cow<'_, Tally>>, Self::Error>;
}

/// Runs `replications` replications of every scenario on the current rayon pool, and keeps all in memory.
///
/// One that outgrows its bound ends alone: every other pair runs all the same. Which pairs have a result is therefore the same on
/// any number of threads.
pub fn replicate(scenarios: &[Scenario], seed: u64, replications: u64, control: &Control) -> Runs {
    let none = scenarios.iter().map(|_| Vec::new()).collect();
    replicate_on(scenarios, seed, none, replications, control)
}

/// Goes on with `runs` of the same scenarios and seed until there are so many replications of each.
pub fn replicate_on(scenarios: &[Scenario], seed: u64, mut runs: Runs, replications: u64, control: &Control) -> Runs {
    let count = usize::try_from(replications).unwrap_or(usize::MAX);
    runs.iter_mut().for_each(|of| of.resize(count, Err(Halt::Stopped)));
    let runs = Memory(Mutex::new(runs));
    replicate_into(scenarios, seed, replications, control, &runs);
    runs.0.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the replications that `sink` wants, as [`replicate`] does, and hands each to it as it ends.
pub fn replicate_into(scenarios: &[Scenario], seed: u64, replications: u64, control: &Control, sink: &dyn Sink) {
    let pairs: Vec<(u64, usize)> = (0..replications)
        .flat_map(|r| (0..scenarios.len()).map(move |s| (r, s)))
        .filter(|&(r, s)| sink.wants(r, s))
        .collect();
    pairs
        .par_iter()
        .with_max_len(1)
        .for_each(|&(r, s)| sink.take(r, s, run(&scenarios[s], seed, r, control)));
}

/// Keeps all in memory.
struct Memory(Mutex<Runs>);

impl Sink for Memory {
    fn wants(&self, replication: u64, scenario: usize) -> bool {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(find(&runs, replication, scenario), Some(Err(Halt::Stopped)))
    }

    fn take(&self, replication: u64, scenario: usize, result: Result<Tally, Halt>) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs[scenario][replication as usize] = result;
    }
}

/// The result of one replication among those in memory.
fn find(runs: &Runs, replication: u64, scenario: usize) -> Option<&Result<Tally, Halt>> {
    runs.get(scenario)?.get(usize::try_from(replication).ok()?)
}

impl Finished for Runs {
    type Error = Infallible;

    fn planned(&self) -> u64 {
        self.first().map_or(0, Vec::len) as u64
    }

    fn has(&self, replication: u64, scenario: usize) -> bool {
        find(self, replication, scenario).is_some_and(Result::is_ok)
    }

    fn halt(&self, replication: u64, scenario: usize) -> Option<Halt> {
        find(self, replication, scenario)?.as_ref().err().copied()
    }

    fn tally(&self, replication: u64, scenario: usize) -> Result<Option<Cow<'_, Tally>>, Infallible> {
        let tally = find(self, replication, scenario).and_then(|result| result.as_ref().ok());
        Ok(tally.map(Cow::Borrowed))
    }
}

/// The replications of some scenarios alone, numbered anew.
#[derive(Debug)]
pub struct Only<'a, F> {
    /// The replications of all scenarios.
    pub of: &'a F,
    /// The numbers in `of` of the scenarios that are left.
    pub scenarios: Vec<usize>,
}

impl<F: Finished> Finished for Only<'_, F> {
    type Error = F::Error;

    fn planned(&self) -> u64 {
        self.of.planned()
    }

    fn has(&self, replication: u64, scenario: usize) -> bool {
        self.scenarios
            .get(scenario)
            .is_some_and(|&s| self.of.has(replication, s))
    }

    fn halt(&self, replication: u64, scenario: usize) -> Option<Halt> {
        self.of.halt(replication, *self.scenarios.get(scenario)?)
    }

    fn tally(&self, replication: u64, scenario: usize) -> Result<Option<Cow<'_, Tally>>, F::Error> {
        match self.scenarios.get(scenario) {
            Some(&s) => self.of.tally(replication, s),
            None => Ok(None),
        }
    }
}
