//! One point of a search: a policy at one value of the lever, and how each of its replications keeps to the objectives.
//!
//! Replications are numbered, so that more of them are run at a point without those that are there already. What was counted is weighed
//! and let go: a point keeps two numbers a replication and objective. The warm-up is a pilot's at each point of its own while points
//! are far apart; close to the root all share one, because two windows of one length at different times are two samples.

use std::sync::{Mutex, PoisonError};

use crate::decide::{Weighed, weigh};
use crate::engine::replicate::{Runs, Sink, replicate_into};
use crate::engine::run::{Control, Halt};
use crate::engine::tally::Tally;
use crate::experiment::assemble::{Plan, assemble, assemble_after};
use crate::experiment::load::{LoadError, Loaded};
use crate::experiment::pilot::warmed;
use crate::kernel::time::{Span, Time};
use crate::words::Start;

/// Makes the experiment at a value of the lever, with one policy.
pub type Lever<'a> = &'a mut dyn FnMut(f64) -> Result<Loaded, LoadError>;

/// Why there is no point.
#[derive(Debug)]
pub enum Fault {
    /// The experiment makes no sense at that value.
    Input(LoadError),
    /// It was stopped.
    Stopped,
}

impl From<LoadError> for Fault {
    fn from(error: LoadError) -> Fault {
        Fault::Input(error)
    }
}

/// A warm-up that points share, and what it is called.
pub type Warmth = (Span, Start);

/// A point that was looked at.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The value of the lever.
    pub value: f64,
    /// Replications that were finished.
    pub replications: u64,
    /// Requests of one replication, in the mean.
    pub requests: f64,
    /// Requests that arrived in a second, in the mean.
    pub rate: f64,
    /// The objectives, by the replications that were run there first; of each the margins are those of all.
    pub weighed: Vec<Weighed>,
    /// Whether anything that could bind was so much as touched: a limit reached, a quota charged, a provider with load.
    pub touched: bool,
    /// The largest share of time in which a limit was reached, from 0 to 1; of the replications that were run there first.
    pub reached: f64,
    /// Why its figures say nothing of this load, if requests pile up there.
    pub outgrown: Option<Excess>,
}

/// Why a load is too much, whatever its figures are.
#[derive(Clone, Debug, PartialEq)]
pub enum Excess {
    /// It is refused, or was given up: why.
    Refused(String),
    /// Every objective holds in runs of this length, while requests pile up all the time.
    Growing,
}

impl Seen {
    /// The objective that is furthest beyond its bound, by number among `weighed`, and its margin: that which fails the most, or holds
    /// the least. Nothing where no figure has a value.
    pub(super) fn worst(&self) -> Option<(usize, f64)> {
        let margins = self.weighed.iter().enumerate();
        let margins = margins.filter_map(|(i, weighed)| Some((i, weighed.margin()?)));
        margins.reduce(|a, b| if b.1 < a.1 { b } else { a })
    }

    /// Whether every objective holds in the mean.
    pub fn holds(&self) -> bool {
        self.outgrown.is_none() && self.worst().is_some_and(|(_, margin)| margin >= 0.0)
    }
}

/// What was simulated at a point.
pub(super) struct Ran {
    pub(super) loaded: Loaded,
    pub(super) plan: Plan,
    pub(super) runs: Runs,
}

/// The experiment with one of its policies alone, and the objectives that are asked of it.
#[must_use]
pub fn alone(mut loaded: Loaded, policy: &str) -> Loaded {
    let experiment = &mut loaded.experiment;
    experiment.policies.retain(|entry| entry.name == policy);
    experiment
        .objectives
        .retain_mut(|objective| match &mut objective.policies {
            None => true,
            Some(names) => {
                names.retain(|name| name == policy);
                !names.is_empty()
            }
        });
    loaded
}

/// What runs the points of a search.
pub(super) struct Bench<'a> {
    pub(super) lever: Lever<'a>,
    pub(super) seed: Option<u64>,
    pub(super) control: &'a Control,
    /// Requests counted so far.
    pub(super) spent: u64,
}

impl Bench<'_> {
    /// Runs the replications from number `from` to `until` at `value`. Without a `warmth` the point has a warm-up of its own.
    pub(super) fn run(&mut self, value: f64, from: u64, until: u64, warmth: Option<Warmth>) -> Result<Ran, Fault> {
        let loaded = (self.lever)(value)?;
        let said = LoadError::Says;
        let seed = |plan: Plan| Plan {
            seed: self.seed.unwrap_or(plan.seed),
            // What a pilot may cost goes by it.
            replications: plan.replications.max(until),
            ..plan
        };
        let plan = match warmth {
            Some((warmup, start)) => Plan {
                start,
                ..seed(assemble_after(&loaded, warmup).map_err(said)?)
            },
            None => warmed(&loaded, seed(assemble(&loaded).map_err(said)?), self.control).map_err(said)?,
        };
        let further = Further {
            from,
            runs: Mutex::new(vec![(0..until).map(|_| Err(Halt::Stopped)).collect()]),
        };
        replicate_into(&plan.scenarios, plan.seed, until, self.control, &further);
        let runs = further.runs.into_inner().unwrap_or_else(PoisonError::into_inner);
        if self.control.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Fault::Stopped);
        }
        let tallies = runs.iter().flatten().flatten();
        self.spent += tallies.map(Tally::requests).sum::<u64>();
        Ok(Ran { loaded, plan, runs })
    }

    /// Runs a point and returns what is kept of it, `seen` being what is there of its earlier replications.
    pub(super) fn see(
        &mut self,
        value: f64,
        seen: Option<Seen>,
        until: u64,
        warmth: Option<Warmth>,
    ) -> Result<(Seen, Ran), Fault> {
        let from = seen.as_ref().map_or(0, |seen| seen.replications);
        let ran = self.run(value, from, until, warmth)?;
        Ok((ran.seen(value, from, seen), ran))
    }
}

/// Takes replications from a number on.
struct Further {
    from: u64,
    runs: Mutex<Runs>,
}

impl Sink for Further {
    fn wants(&self, replication: u64, _scenario: usize) -> bool {
        replication >= self.from
    }

    fn take(&self, replication: u64, scenario: usize, result: Result<Tally, Halt>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs[scenario][replication as usize] = result;
    }
}

impl Ran {
    /// The warm-up that a pilot found here, for other points to share; nothing where the plan says how long it is.
    pub(super) fn warmth(&self) -> Option<Warmth> {
        let found = matches!(self.plan.start, Start::Pilot | Start::Cut);
        let scenario = self.plan.scenarios.first()?;
        found.then(|| (scenario.window.warmup.since(Time::ZERO), self.plan.start))
    }

    fn seen(&self, value: f64, from: u64, before: Option<Seen>) -> Seen {
        let finished: Vec<&Tally> = self.runs.iter().flatten().flatten().collect();
        let outgrown = (self.runs.iter().flatten()).any(|run| matches!(run, Err(Halt::TooMany { .. })));
        let requests: u64 = finished.iter().map(|tally| tally.requests()).sum();
        let seconds = finished.iter().map(|tally| tally.counted as f64 / 1e9).sum::<f64>();
        let scenario = self.plan.scenarios.first();
        let outgrown = outgrown.then(|| {
            let most = scenario.map_or(0, |scenario| scenario.max_in_system);
            Excess::Refused(format!(
                "more than {} requests were in the system (`max_in_system`)",
                crate::report::format::count(most)
            ))
        });
        let has_load = scenario.is_some_and(|s| s.fleet.iter().any(|of| !of.provider.load.is_empty()));
        let reached = |tally: &&Tally| tally.bounds.iter().any(|bound| bound.time > 0);
        let share = |tally: &Tally| {
            let most = tally.bounds.iter().map(|bound| bound.time).max().unwrap_or(0);
            most as f64 / tally.counted.max(1) as f64
        };
        let most_reached = finished.iter().map(|tally| share(tally)).fold(0.0, f64::max);
        let charged = |tally: &&Tally| tally.used.iter().any(|used| *used > 0);
        let touched = has_load || finished.iter().any(|tally| reached(tally) || charged(tally));
        let (weighed, piles_up) = weigh(&self.plan, 0, &self.runs);
        // Where an objective fails, it says how far beyond it is.
        let keeps = |weighed: &Weighed| weighed.margin().is_none_or(|margin| margin >= 0.0);
        let grows = piles_up && weighed.iter().all(keeps);
        let outgrown = outgrown.or(grows.then_some(Excess::Growing));
        let n = finished.len().max(1) as f64;
        let Some(mut seen) = before else {
            return Seen {
                value,
                replications: self.runs.first().map_or(0, Vec::len) as u64,
                requests: requests as f64 / n,
                rate: if seconds > 0.0 {
                    requests as f64 / seconds
                } else {
                    f64::NAN
                },
                weighed,
                touched,
                reached: most_reached,
                outgrown,
            };
        };
        debug_assert_eq!(seen.replications, from);
        for (known, new) in seen.weighed.iter_mut().zip(weighed) {
            known.kept.extend(new.kept);
        }
        Seen {
            replications: self.runs.first().map_or(0, Vec::len) as u64,
            touched: seen.touched || touched,
            outgrown: seen.outgrown.or(outgrown),
            ..seen
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A point with these margins of one objective, each of ten requests.
    pub(in crate::study) fn seen(value: f64, kept: &[f64]) -> Seen {
        Seen {
            value,
            replications: kept.len() as u64,
            requests: 1.0,
            rate: 1.0,
            weighed: vec![Weighed {
                objective: 0,
                estimate: crate::stats::interval::Estimate::NONE,
                judged: crate::report::Judged::Undecided,
                kept: kept.iter().map(|kept| (*kept, 10.0)).collect(),
            }],
            touched: true,
            reached: 0.0,
            outgrown: None,
        }
    }
}
