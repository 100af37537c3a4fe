//! The choice of the cheapest candidate that keeps to every objective, by screening under common random numbers.
//!
//! All candidates meet the same replications. After 4, 8, 16, … of them each that remains is looked at, at a level shared by all looks and
//! tests: one whose interval breaks an objective is out, and so is one that is dearer, in pairs, than one that keeps to every objective. The
//! choice is made when one candidate keeps to all of them and no other that remains can be cheaper by more than what matters.
//!
//! Let `best` be the cheapest that truly meets the objectives. A wrong choice needs one of: at some look the interval of an objective of `best` lies
//! wholly on the wrong side of its bound, or another candidate that truly fails is found to keep to every objective, or one that truly is dearer is
//! found to be cheaper. At each look these are at most as many one-sided errors as there are objectives and other candidates (another candidate
//! either fails or is dearer), so that with each at α / (looks × (objectives + candidates − 1)) all of them together have at most α
//! (Bonferroni). How many replications a look has does not hang on what was seen, and so the level of each holds as stated, in so
//! far as intervals hold theirs.
//!
//! Those that cannot be cheaper than the best so far by more than what matters wait, and are sampled no further unless another takes its place.
//! Left out: a direction of search; every candidate is looked at.
//!
//! Source: screening and selection with common random numbers in Law, Simulation Modeling and Analysis (5th edition, 2015), 10.4, and
//! Nelson, Swann, Goldsman and Song, *Operations Research* 49 (2001); constraints are checked and costs compared at one go.

use rayon::prelude::*;

use super::point::{Fault, Warmth};
use super::search::Told;
use crate::decide::{Held, Sampled};
use crate::engine::run::{Control, Halt, run};
use crate::engine::tally::Tally;
use crate::experiment::assemble::{Plan, assemble, assemble_after};
use crate::experiment::load::{LoadError, Loaded};
use crate::report::{Judged, format};
use crate::stats::compare::{Paired, Side, Verdict};
use crate::stats::critical::Confidence;
use crate::stats::interval::Estimate;
use crate::words::{Aim, Metric};

/// Replications of the first look; each further one has twice as many.
pub const FIRST: u64 = 4;
/// Replications that are in memory at once.
const AT_ONCE: usize = 64;

/// Makes the experiment of a candidate, with its policy alone.
pub type Candidates<'a> = &'a mut dyn FnMut(usize) -> Result<Loaded, LoadError>;

/// What is to be chosen, and how.
#[derive(Clone, Debug)]
pub struct Choose {
    /// What is kept of candidates, of metrics that the plan measures: first that which is to be as low as can be.
    pub metrics: Vec<Aim>,
    /// Whether the first of them is to be as high as can be instead.
    pub is_most: bool,
    /// A difference in it that does not matter, as a share.
    pub matters: f64,
    /// The level of the whole choice.
    pub confidence: Confidence,
    /// The most replications of a candidate.
    pub most: u64,
    /// Requests that may be simulated.
    pub budget: u64,
    /// The seed of all draws.
    pub seed: u64,
    /// The warm-up of all, where the plan leaves it open.
    pub warmth: Option<Warmth>,
}

/// Why a candidate is out.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    /// It breaks the objective of this number.
    Fails(usize),
    /// It is dearer than the candidate of this number, which keeps to every objective.
    Dearer(usize),
    /// It does in every replication what the candidate of this number does.
    Same(usize),
    /// What is to be as low as can be has no value under it.
    Valueless,
    /// Requests piled up beyond the simulator's bound.
    Outgrown(u64),
}

/// A candidate as the search left it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Replications that it was given.
    pub replications: u64,
    /// Requests in them.
    pub requests: u64,
    /// Estimates of the metrics, in their order.
    pub figures: Vec<Estimate>,
    /// The objectives that are asked of it, with intervals of the plan's own level.
    pub held: Vec<Held>,
    /// Why it is out; nothing if it is not.
    pub out: Option<Out>,
}

/// How a choice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// One is chosen.
    Found,
    /// The most replications do not tell which.
    Open,
    /// Every candidate breaks an objective.
    Nowhere,
    /// The budget of requests was spent before.
    Spent,
    /// It was stopped.
    Stopped,
}

/// What was found.
#[derive(Debug)]
pub struct Selection {
    /// How it ended.
    pub ended: Chosen,
    /// The candidate that is chosen; where the choice is open, the best so far of those that keep to every objective, if there is one.
    pub best: Option<usize>,
    /// Candidates that may be cheaper than it by more than what matters, and keep to every objective for all that is known.
    pub rivals: Vec<usize>,
    /// A lower bound on the probability that the choice is right; nothing where none is made.
    pub probability: Option<f64>,
    /// Every candidate, by its number.
    pub tried: Vec<Tried>,
    /// Requests that were simulated.
    pub requests: u64,
}

struct Entry {
    sampled: Option<Sampled>,
    out: Option<Out>,
    /// The candidate that it can hardly be cheaper than.
    waits_for: Option<usize>,
    /// At the level of the search.
    held: Vec<Held>,
    side: Option<Side>,
    tried: Option<Tried>,
}

struct Going<'a, 's> {
    how: &'s Choose,
    at: Candidates<'a>,
    control: &'a Control,
    told: Told<'s>,
    all: Vec<Entry>,
    /// The level of each test.
    level: Confidence,
    spent: u64,
}

impl Choose {
    /// The looks that there can be.
    fn looks(&self) -> usize {
        std::iter::successors(Some(FIRST), |n| Some(2 * n))
            .take_while(|n| *n < 2 * self.most.max(FIRST))
            .count()
    }

    /// Every metric that is measured, each once.
    fn measured(&self) -> Vec<Metric> {
        let mut all: Vec<Metric> = Vec::new();
        for (_, metric) in self.metrics.iter().flat_map(Aim::terms) {
            if !all.contains(metric) {
                all.push(metric.clone());
            }
        }
        all
    }

    /// A figure of a candidate, and what replications add to its error.
    fn side(&self, sampled: &Sampled, aim: &Aim, confidence: Confidence) -> Option<Side> {
        let measured = self.measured();
        let of = |metric: &Metric| sampled.side(measured.iter().position(|known| known == metric)?, confidence);
        summed(aim, of)
    }

    /// Chooses among `count` candidates, of which each has at most so many `objectives`.
    ///
    /// # Errors
    /// If the experiment of a candidate makes no sense.
    pub fn run(
        &self,
        (count, objectives): (usize, usize),
        at: Candidates<'_>,
        control: &Control,
        told: Told<'_>,
    ) -> Result<Selection, Fault> {
        let entry = || Entry {
            sampled: None,
            out: None,
            waits_for: None,
            held: Vec::new(),
            side: None,
            tried: None,
        };
        // One-sided: what an interval leaves out on either side is half of what its level does.
        let alpha = 1.0 - self.confidence.level();
        let each_side = Confidence::new((1.0 - 2.0 * alpha).max(0.5)).unwrap_or_default();
        let tests = self.looks() * (count + objectives).saturating_sub(1).max(1);
        let mut going = Going {
            how: self,
            at,
            control,
            told,
            all: (0..count).map(|_| entry()).collect(),
            level: each_side.shared_by(tests),
            spent: 0,
        };
        let ended = match going.search() {
            Ok(ended) => ended,
            Err(Fault::Stopped) => Chosen::Stopped,
            Err(fault) => return Err(fault),
        };
        Ok(going.selection(ended))
    }
}

/// The figure of `aim`, of those that its metrics have by `of`.
pub(super) fn summed(aim: &Aim, of: impl Fn(&Metric) -> Option<Side>) -> Option<Side> {
    match aim {
        Aim::Metric(metric) => of(metric),
        Aim::Sum(terms) => {
            let sides = terms.iter().map(|(weight, metric)| Some((*weight, of(metric)?)));
            Some(Side::sum(&sides.collect::<Option<Vec<_>>>()?))
        }
    }
}

impl Entry {
    fn replications(&self) -> u64 {
        self.sampled.as_ref().map_or(0, Sampled::replications)
    }

    /// Requests of one replication.
    fn each(&self) -> Option<f64> {
        let sampled = self.sampled.as_ref()?;
        Some(sampled.requests() as f64 / sampled.replications().max(1) as f64)
    }

    /// Whether every objective is kept to, beyond doubt.
    fn keeps(&self) -> bool {
        self.side.is_some() && self.held.iter().all(|held| held.judged == Judged::Pass)
    }
}

impl Going<'_, '_> {
    fn search(&mut self) -> Result<Chosen, Fault> {
        let mut until = FIRST;
        loop {
            // One that waited for another than the best goes on at once.
            loop {
                if !self.look(until)? {
                    return Ok(Chosen::Spent);
                }
                self.screen(until);
                let is_behind = |entry: &Entry| entry.out.is_none() && entry.waits_for.is_none();
                if !(self.all.iter()).any(|entry| is_behind(entry) && entry.replications() < until) {
                    break;
                }
            }
            let best = self.best(until);
            let open: Vec<usize> = (self.alive().into_iter())
                .filter(|i| Some(*i) != best && (best.is_none() || self.all[*i].waits_for != best))
                .collect();
            let remain = self.alive().len();
            (self.told)(&format!(
                "{} replications: {} of {} candidates remain, {} requests so far",
                format::count(until),
                format::count(remain as u64),
                format::count(self.all.len() as u64),
                format::count(self.spent)
            ));
            match (best, open.is_empty(), remain) {
                (_, _, 0) => return Ok(Chosen::Nowhere),
                (Some(_), true, _) => return Ok(Chosen::Found),
                _ if 2 * until > self.how.most => return Ok(Chosen::Open),
                _ => until *= 2,
            }
        }
    }

    fn alive(&self) -> Vec<usize> {
        let all = self.all.iter().enumerate();
        all.filter(|(_, entry)| entry.out.is_none()).map(|(i, _)| i).collect()
    }

    /// Gives every candidate that remains and does not wait so many replications; whether the budget had room for them.
    fn look(&mut self, until: u64) -> Result<bool, Fault> {
        let mut wanted = self.alive();
        wanted.retain(|&i| self.all[i].waits_for.is_none() && self.all[i].replications() < until);
        let mut left = wanted.as_slice();
        while !left.is_empty() {
            let known = self.all.iter().filter_map(Entry::each).reduce(f64::max);
            // The first alone says what the others may cost.
            let size = if known.is_some() {
                (AT_ONCE / until as usize).max(1)
            } else {
                1
            };
            let (chunk, rest) = left.split_at(size.min(left.len()));
            let missing = |i: usize| (until - self.all[i].replications()) as f64;
            let each = |i: usize| self.all[i].each().or(known).unwrap_or(0.0);
            let costs: f64 = chunk.iter().map(|&i| missing(i) * each(i)).sum();
            if self.spent as f64 + costs > self.how.budget as f64 {
                return Ok(false);
            }
            self.sample(chunk, until)?;
            left = rest;
        }
        Ok(true)
    }

    /// Runs what `chunk` lacks of so many replications.
    fn sample(&mut self, chunk: &[usize], until: u64) -> Result<(), Fault> {
        let mut plans = Vec::new();
        for &i in chunk {
            plans.push(self.plan(i)?);
        }
        let of = |(place, &i): (usize, &usize)| {
            let from = self.all[i].replications();
            (from..until).map(move |replication| (place, replication))
        };
        let pairs: Vec<(usize, u64)> = chunk.iter().enumerate().flat_map(of).collect();
        let (seed, control) = (self.how.seed, self.control);
        let runs: Vec<Result<Tally, Halt>> = (pairs.par_iter().with_max_len(1))
            .map(|&(place, replication)| run(&plans[place].scenarios[0], seed, replication, control))
            .collect();
        if control.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Fault::Stopped);
        }
        let mut runs = runs.into_iter();
        for (place, &i) in chunk.iter().enumerate() {
            let count = pairs.iter().filter(|pair| pair.0 == place).count();
            let own: Vec<Result<Tally, Halt>> = runs.by_ref().take(count).collect();
            let own: Result<Vec<Tally>, Halt> = own.into_iter().collect();
            let (plan, entry) = (&plans[place], &mut self.all[i]);
            let Ok(tallies) = own else {
                entry.out = Some(Out::Outgrown(plan.scenarios[0].max_in_system));
                continue;
            };
            let sampled = entry
                .sampled
                .get_or_insert_with(|| Sampled::new(plan, &self.how.measured()));
            sampled.extend(plan, &tallies);
            self.spent += tallies.iter().map(Tally::requests).sum::<u64>();
            entry.held = sampled.held(plan, self.level);
            entry.side = self.how.side(sampled, &self.how.metrics[0], self.level);
            let figure = |aim| {
                self.how
                    .side(sampled, aim, plan.confidence)
                    .map_or(Estimate::NONE, |side| side.estimate)
            };
            entry.tried = Some(Tried {
                replications: sampled.replications(),
                requests: sampled.requests(),
                figures: self.how.metrics.iter().map(figure).collect(),
                held: sampled.held(plan, plan.confidence),
                out: None,
            });
        }
        Ok(())
    }

    fn plan(&mut self, i: usize) -> Result<Plan, Fault> {
        let loaded = (self.at)(i)?;
        let plan = match self.how.warmth {
            Some((warmup, start)) => Plan {
                start,
                ..assemble_after(&loaded, warmup).map_err(LoadError::Says)?
            },
            None => assemble(&loaded).map_err(LoadError::Says)?,
        };
        Ok(plan)
    }

    /// Puts out what breaks an objective, or is dearer than the best of those that keep to all; and lets wait what is hardly cheaper.
    fn screen(&mut self, until: u64) {
        for entry in &mut self.all {
            let broken = entry.held.iter().find(|held| held.judged == Judged::Fail);
            if let (None, Some(held)) = (&entry.out, broken) {
                entry.out = Some(Out::Fails(held.objective));
            }
            let is_nothing = entry.side.as_ref().is_some_and(|side| side.estimate.value.is_nan());
            if entry.out.is_none() && is_nothing {
                entry.out = Some(Out::Valueless);
            }
        }
        if let Some(best) = self.best(until) {
            self.compare(best, until);
        }
        for entry in self.all.iter_mut().filter(|entry| entry.out.is_some()) {
            entry.sampled = None;
        }
    }

    /// Holds every candidate that remains against the best.
    fn compare(&mut self, best: usize, until: u64) {
        for i in self.alive() {
            // What waits for another has fewer replications, and goes on first.
            self.all[i].waits_for = self.all[i].waits_for.filter(|of| *of == best);
            if i == best || self.all[i].replications() != until {
                continue;
            }
            let Some(paired) = self.behind(best, i) else { continue };
            let found = &paired.difference;
            let room = self.how.matters
                * self.all[best]
                    .side
                    .as_ref()
                    .map_or(0.0, |side| side.estimate.value.abs());
            if paired.verdict == Verdict::Same {
                self.all[i].out = Some(Out::Same(best));
            } else if paired.verdict == Verdict::Higher {
                self.all[i].out = Some(Out::Dearer(best));
            } else if found.lo.is_some_and(|lo| lo >= -room) {
                self.all[i].waits_for = Some(best);
            }
        }
    }

    /// The cheapest of those that keep to every objective, with so many replications.
    fn best(&self, until: u64) -> Option<usize> {
        let value = |i: &usize| {
            self.all[*i]
                .side
                .as_ref()
                .map_or(f64::NAN, |side| self.cost(side.estimate.value))
        };
        let keeping =
            (self.alive().into_iter()).filter(|&i| self.all[i].keeps() && self.all[i].replications() == until);
        let finite = keeping.filter(|i| value(i).is_finite());
        finite.reduce(|a, b| if value(&b) < value(&a) { b } else { a })
    }

    /// As a cost.
    fn cost(&self, value: f64) -> f64 {
        if self.how.is_most { -value } else { value }
    }

    /// By how much candidate `i` is dearer than `best`.
    fn behind(&self, best: usize, i: usize) -> Option<Paired> {
        let (a, b) = (self.all[best].side.as_ref()?, self.all[i].side.as_ref()?);
        Some(if self.how.is_most {
            Paired::compare(b, a, self.level)
        } else {
            Paired::compare(a, b, self.level)
        })
    }

    fn selection(self, ended: Chosen) -> Selection {
        let most = self
            .all
            .iter()
            .filter_map(|entry| Some(entry.tried.as_ref()?.replications))
            .max();
        let most = most.unwrap_or(0);
        // Of a look that was not finished, that which was before it.
        let best = self.best(most).or_else(|| self.best(most / 2));
        let (mut rivals, mut wrong) = (Vec::new(), 1.0 - self.how.confidence.level());
        for i in self.alive() {
            let of_best = best.filter(|best| *best != i && self.all[i].waits_for != Some(*best));
            let Some(best) = of_best else { continue };
            rivals.push(i);
            wrong += self.behind(best, i).map_or(1.0, |paired| {
                let half = paired.p / 2.0;
                if paired.difference.value > 0.0 {
                    half
                } else {
                    1.0 - half
                }
            });
        }
        if best.is_none() {
            rivals = self.alive();
        }
        Selection {
            ended,
            best,
            rivals,
            probability: best.map(|_| (1.0 - wrong).max(0.0)),
            requests: self.spent,
            tried: (self.all.into_iter())
                .map(|entry| {
                    let none = Tried {
                        replications: 0,
                        requests: 0,
                        figures: Vec::new(),
                        held: Vec::new(),
                        out: None,
                    };
                    Tried {
                        out: entry.out,
                        ..entry.tried.unwrap_or(none)
                    }
                })
                .collect(),
        }
    }
}
