//! The search for the value of a lever at which a policy just meets its objectives.
//!
//! Whatever the lever is, its logarithm is turned so that more of it is worse: the load. From the start the load is doubled while every
//! objective holds, or halved until it does; the bracket is then halved with few replications to a tenth, and at its middle all of
//! them measure, at three loads close together, how far each keeps to the objectives (its margin, [`crate::decide::weigh`]). The same
//! draws at all three make a line of each replication, from the middle to the side of the root, and where the mean of those crosses zero is
//! the root, with Fieller's interval ([`crate::stats::crossing`]); the three are moved there until the root lies between them (Newton's
//! method, as the sample's average is a function without noise). The objective with the least root binds. While the interval is wider than
//! asked for, or rests on fewer than thirty replications, more are run at the three. The interval of several objectives is that from the least lower to the least upper end.
//!
//! A lever with steps ends at one of them (`steps`), and a load that no objective feels where queues begin to grow (`limit`).
//!
//! What is not found is said: loads that never matter, a bound on the search or on the simulator, a budget of requests that is spent.
//! One point beyond the first that failed is looked at, so that a response that is not monotone is noticed. Left out: roots at which
//! an objective that failed begins to hold again.

mod limit;
mod steps;

use std::collections::BTreeMap;

use super::end::{End, Found};
use super::noise::{is_flat, never, turns};
use super::point::{Bench, Excess, Fault, Lever, Ran, Seen, Warmth};
use super::root::{Root, Three, root};
use crate::engine::run::Control;
use crate::stats::critical::Confidence;

/// Replications while points are far apart.
const FEW: u64 = 4;
/// The bracket within which the root is looked for with all replications: a tenth.
const CLOSE: f64 = 0.095;
/// Times that the three loads are moved before what is there is taken.
const MOVES: usize = 12;
/// Replications below which no interval is taken for narrow: where a queue is near its limit, most of a few are calm.
const LEAST: u64 = 30;
/// Requests of a replication below which nothing is told of a load.
pub(super) const HARDLY_ANY: f64 = 25.0;
/// The most replications at one load.
const MOST: u64 = 4_000;

/// How a search goes.
#[derive(Clone, Debug)]
pub struct Search {
    /// Where the search begins.
    pub start: f64,
    /// The least and the greatest value that is looked at.
    pub range: (f64, f64),
    /// Whether more of the lever is better, as of a quota, and not worse, as of traffic.
    pub is_relief: bool,
    /// The smallest step of the lever: 1 of a whole number, 0 where any value can be.
    pub step: f64,
    /// The seed; that of the plan if nothing.
    pub seed: Option<u64>,
    /// Replications; nothing for those of the plan, and as many more as the precision takes.
    pub replications: Option<u64>,
    /// How wide the interval may be, as a share of the value.
    pub precision: f64,
    /// Requests that may be simulated.
    pub budget: u64,
}

/// What a search is told while it goes on.
pub type Told<'a> = &'a dyn Fn(&str);

struct Going<'a, 's> {
    how: &'s Search,
    bench: Bench<'a>,
    told: Told<'s>,
    /// Points by load and warm-up.
    known: BTreeMap<(u64, u64), (f64, Seen)>,
    confidence: Confidence,
    replications: u64,
    /// The greatest load at which objectives hold, and the least at which they fail.
    holds: Option<f64>,
    fails: Option<f64>,
    last: Option<Root>,
    /// The value next to the root that the lever can have, and the interval of such values.
    settled: Option<(f64, (f64, f64))>,
    middle: f64,
}

impl Search {
    /// Searches. `lever` makes the experiment, with one policy.
    ///
    /// # Errors
    /// If the experiment makes no sense where the search begins.
    pub fn run(&self, lever: Lever<'_>, control: &Control, told: Told<'_>) -> Result<Found, Fault> {
        let bench = Bench {
            lever,
            seed: self.seed,
            control,
            spent: 0,
        };
        let mut going = Going {
            how: self,
            bench,
            told,
            known: BTreeMap::new(),
            confidence: Confidence::default(),
            replications: self.replications.unwrap_or(FEW),
            holds: None,
            fails: None,
            last: None,
            settled: None,
            middle: self.load(self.start),
        };
        let end = match going.search() {
            Ok(end) => end,
            Err(Fault::Stopped) => End::Stopped,
            Err(fault) => return Err(fault),
        };
        Ok(going.found(end))
    }

    /// The load that a value is: its logarithm, turned so that more is worse.
    fn load(&self, value: f64) -> f64 {
        if self.is_relief {
            -libm::log(value)
        } else {
            libm::log(value)
        }
    }

    /// The smallest relative step at a load.
    fn step(&self, load: f64) -> f64 {
        (self.step / self.value(load)).min(0.5)
    }

    fn value(&self, load: f64) -> f64 {
        libm::exp(if self.is_relief { -load } else { load })
    }
}

impl Going<'_, '_> {
    fn search(&mut self) -> Result<End, Fault> {
        if let Some(end) = self.bracket()? {
            return Ok(end);
        }
        let (Some(holds), Some(fails)) = (self.holds, self.fails) else {
            return Ok(End::Nowhere);
        };
        let (mut holds, mut fails) = (holds, fails);
        while fails - holds > CLOSE.max(2.0 * self.how.step(holds)) {
            let middle = f64::midpoint(holds, fails);
            if !self.affords(middle, FEW) {
                return Ok(End::Spent);
            }
            let seen = self.see(middle, FEW.min(self.replications), None)?;
            self.note(middle, &seen);
            if seen.holds() {
                holds = middle;
            } else {
                fails = middle;
            }
        }
        if self.only_grows(fails) {
            return self.limit(holds, fails);
        }
        self.middle = f64::midpoint(holds, fails);
        self.close()
    }

    /// Whether every objective holds at a load that was looked at, and nothing but requests that pile up is wrong there.
    fn only_grows(&self, load: f64) -> bool {
        let seen = self.known.get(&key(load, None));
        seen.is_some_and(|(_, seen)| seen.outgrown == Some(Excess::Growing))
    }

    /// Finds a load at which objectives hold and one at which they fail, a factor of two apart; or how it ended.
    fn bracket(&mut self) -> Result<Option<End>, Fault> {
        let ends = [self.how.range.0, self.how.range.1].map(|value| self.how.load(value));
        let (least, most) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let start = self.how.load(self.how.start);
        let first = self.first(start)?;
        if let Some(unjudged) = first.weighed.iter().find(|weighed| weighed.kept.is_empty()) {
            return Ok(Some(End::Unjudged(unjudged.objective)));
        }
        let mut load = start;
        let is_up = first.holds();
        let mut down = vec![first.clone()];
        loop {
            let next = if is_up {
                load + libm::log(2.0)
            } else {
                load - libm::log(2.0)
            };
            let next = next.clamp(least, most);
            let is_less = !is_up && !self.how.is_relief;
            if next == load || is_less && self.requests_at(next) < HARDLY_ANY {
                return Ok(Some(if is_up { End::Beyond } else { End::Nowhere }));
            }
            if !self.affords(next, FEW) {
                return Ok(Some(End::Spent));
            }
            let seen = match self.see(next, FEW.min(self.replications), None) {
                // What is refused at more traffic than the file's own is a bound on the search.
                Err(Fault::Input(why)) if is_up => {
                    return Ok(Some(End::Outgrown(Excess::Refused(why.to_string()))));
                }
                seen => seen?,
            };
            self.note(next, &seen);
            load = next;
            if seen.holds() != is_up {
                break;
            }
            if is_less {
                down.push(seen.clone());
                if let Some(number) = never(&down) {
                    return Ok(Some(End::Never(number)));
                }
            }
            if is_up && load - start > 2.0 && !seen.touched && is_flat(&first, &seen) {
                return Ok(Some(End::Unfelt));
            }
        }
        // Whether it goes on to fail: an answer for one load is none for all that are less.
        let beyond = self.fails.unwrap_or(load) + libm::log(2.0);
        if beyond <= most && self.affords(beyond, 4 * FEW) {
            match self.see(beyond, FEW.min(self.replications), None) {
                Err(Fault::Stopped) => return Err(Fault::Stopped),
                Ok(_) | Err(Fault::Input(_)) => {}
            }
        }
        Ok(None)
    }

    /// The point where the search begins, with all replications of the plan.
    fn first(&mut self, start: f64) -> Result<Seen, Fault> {
        let value = self.how.value(start);
        let (seen, ran) = self.bench.see(value, None, FEW.min(self.replications), None)?;
        self.confidence = ran.plan.confidence;
        let planned = ran.loaded.experiment.plan.replications;
        self.replications = self.how.replications.unwrap_or(planned).clamp(2, MOST);
        let seen = if self.replications > seen.replications && self.affords_more(&seen, self.replications) {
            self.bench.see(value, Some(seen), self.replications, None)?.0
        } else {
            seen
        };
        self.keep(start, None, seen.clone());
        self.note(start, &seen);
        Ok(seen)
    }

    /// The root, from three loads close together around the middle of the bracket.
    fn close(&mut self) -> Result<End, Fault> {
        let reach = (self.how.precision / 2.0)
            .clamp(0.002, 0.015)
            .max(1.5 * self.how.step(self.middle));
        let mut warmth = self.warmth()?;
        let (mut warm_at, mut room) = (self.middle, CLOSE);
        let mut moves = 0;
        while self.replications > FEW && !self.affords(self.middle, 3 * self.replications) {
            self.replications = (self.replications / 2).max(FEW);
        }
        loop {
            if self.last.is_some() && !self.affords(self.middle, self.missing(reach, warmth)) {
                return self.settle(warmth);
            }
            if (self.middle - warm_at).abs() > CLOSE {
                warmth = self.warmth()?;
                warm_at = self.middle;
            }
            let three = self.three(reach, warmth)?;
            if let Some(outgrown) = self.outgrown(&three)? {
                match outgrown {
                    Some(end) => return Ok(end),
                    None => continue,
                }
            }
            let root = root(&three, self.middle, self.confidence);
            let by = root.at;
            let is_there = by.abs() <= 0.5 * reach;
            moves += 1;
            let told = format!(
                "{} replications around {}: {}",
                three.middle.replications,
                shown(self.how.value(self.middle)),
                if is_there {
                    "the root is between"
                } else {
                    "the root is further"
                }
            );
            (self.told)(&told);
            if !is_there && moves < MOVES {
                if moves > 4 {
                    room *= 0.5;
                }
                let by = by.clamp(-room.max(reach), room.max(reach));
                self.middle += by;
                continue;
            }
            let wanted = self.wanted(&root);
            self.last = Some(root);
            let Some(more) = wanted else { return self.settle(warmth) };
            self.replications = more;
            moves = 0;
            room = CLOSE;
        }
    }

    /// How many replications it takes to be as precise as asked for; nothing if it is, or if that is not wanted.
    fn wanted(&self, root: &Root) -> Option<u64> {
        if self.how.replications.is_some() {
            return None;
        }
        let width = root.interval.map_or(f64::INFINITY, |(lo, hi)| hi - lo);
        if width <= self.how.precision && self.replications >= LEAST {
            return None;
        }
        let n = self.replications as f64;
        let times = (width / self.how.precision).powi(2) * 1.15;
        let wanted = ((n * times.min(4.0)).ceil() as u64).max(LEAST);
        // As many as there is a budget for.
        let each = 3.0 * self.requests_at(self.middle);
        let left = self.how.budget.saturating_sub(self.bench.spent) as f64;
        let affords = n + (left / each.max(1.0)).floor();
        Some(wanted.min(affords as u64).min(MOST)).filter(|more| *more as f64 >= 1.1 * n)
    }

    /// What to do where requests piled up at one of the three: nothing if at none, else the end, or that the middle was moved.
    fn outgrown(&mut self, three: &Three) -> Result<Option<Option<End>>, Fault> {
        if three.middle.outgrown.is_some() || three.below.outgrown.is_some() {
            let holds = self.holds.unwrap_or(self.middle - 1.0);
            self.fails = Some(self.middle - three.reach);
            let next = f64::midpoint(holds, self.middle - three.reach);
            if self.middle - next < 0.5 * three.reach || next <= holds {
                let why = three.middle.outgrown.clone().or(three.below.outgrown.clone());
                return Ok(Some(Some(End::Outgrown(why.unwrap_or(Excess::Growing)))));
            }
            self.middle = next;
            return Ok(Some(None));
        }
        if let (Some(why), true) = (&three.above.outgrown, three.middle.holds()) {
            self.holds = Some(self.middle);
            self.fails = Some(self.middle + three.reach);
            return Ok(Some(Some(End::Outgrown(why.clone()))));
        }
        Ok(None)
    }

    /// The three points around the middle, with all replications.
    fn three(&mut self, reach: f64, warmth: Option<Warmth>) -> Result<Three, Fault> {
        let (middle, n) = (self.middle, self.replications);
        Ok(Three {
            below: self.see(middle - reach, n, warmth)?,
            middle: self.see(middle, n, warmth)?,
            above: self.see(middle + reach, n, warmth)?,
            reach,
        })
    }

    /// Replications that the three points lack.
    fn missing(&self, reach: f64, warmth: Option<Warmth>) -> u64 {
        let there = |load: f64| {
            self.known
                .get(&key(load, warmth))
                .map_or(0, |(_, seen)| seen.replications)
        };
        let lacks = |load: f64| self.replications.saturating_sub(there(load));
        [self.middle - reach, self.middle, self.middle + reach]
            .map(lacks)
            .iter()
            .sum()
    }

    /// The warm-up that a pilot finds at the middle, for all points close to it.
    fn warmth(&mut self) -> Result<Option<Warmth>, Fault> {
        let value = self.how.value(self.middle);
        let ran = self.bench.run(value, 0, 0, None)?;
        Ok(Ran::warmth(&ran))
    }

    /// The point at `load`, with at least so many replications.
    fn see(&mut self, load: f64, replications: u64, warmth: Option<Warmth>) -> Result<Seen, Fault> {
        let key = key(load, warmth);
        let known = self.known.get(&key).map(|(_, seen)| seen.clone());
        if let Some(known) = &known
            && known.replications >= replications
        {
            return Ok(known.clone());
        }
        let value = self.how.value(load);
        let (seen, _) = self.bench.see(value, known, replications, warmth)?;
        let verdict = match (&seen.outgrown, seen.holds()) {
            (Some(Excess::Refused(_) | Excess::Growing), _) => "requests pile up",
            (None, true) => "every objective holds",
            (None, false) => "an objective fails",
        };
        if warmth.is_none() {
            (self.told)(&format!("{}: {verdict}", shown(value)));
        }
        self.keep(load, warmth, seen.clone());
        Ok(seen)
    }

    fn keep(&mut self, load: f64, warmth: Option<Warmth>, seen: Seen) {
        self.known.insert(key(load, warmth), (load, seen));
    }

    fn note(&mut self, load: f64, seen: &Seen) {
        if seen.holds() {
            self.holds = Some(self.holds.map_or(load, |known| known.max(load)));
        } else {
            self.fails = Some(self.fails.map_or(load, |known| known.min(load)));
        }
    }

    /// Requests of a replication at `load`, as far as can be told from the point that is nearest.
    fn requests_at(&self, load: f64) -> f64 {
        let near = self.known.values().map(|(at, seen)| (at - load, seen.requests));
        let near = near.reduce(|a, b| if b.0.abs() < a.0.abs() { b } else { a });
        near.map_or(0.0, |(by, requests)| {
            if self.how.is_relief {
                requests
            } else {
                requests * libm::exp(-by)
            }
        })
    }

    fn affords(&self, load: f64, replications: u64) -> bool {
        self.bench.spent as f64 + self.requests_at(load) * replications as f64 <= self.how.budget as f64
    }

    fn affords_more(&self, seen: &Seen, replications: u64) -> bool {
        let more = replications.saturating_sub(seen.replications);
        self.bench.spent as f64 + seen.requests * more as f64 <= self.how.budget as f64
    }

    fn found(self, end: End) -> Found {
        let mut points: Vec<(f64, Seen)> = self.known.into_values().collect();
        crate::stats::sorting::by(&mut points, |a, b| a.1.value.total_cmp(&b.1.value));
        let turns =
            turns(&points, self.confidence).map(|(fails, holds)| (self.how.value(fails), self.how.value(holds)));
        // What fails however easy it is made.
        let easiest = points.iter().reduce(|a, b| if b.0 < a.0 { b } else { a });
        let worst = match end {
            End::Never(number) => Some(number),
            End::Nowhere => easiest.and_then(|(_, seen)| Some(seen.weighed[seen.worst()?.0].objective)),
            _ => None,
        };
        let (holds, fails) = (self.holds, self.fails);
        let bracket = holds.zip(fails).filter(|(holds, fails)| holds < fails);
        let settled = self.settled.filter(|_| end == End::Found);
        let at = match (&end, &self.last) {
            (End::Found, Some(root)) => settled.map_or(root.middle + root.at, |(value, _)| self.how.load(value)),
            _ => holds.or(fails).unwrap_or(self.middle),
        };
        let interval = match (&end, &self.last) {
            (End::Found, Some(root)) => root.interval.map(|(lo, hi)| (root.middle + lo, root.middle + hi)),
            (End::Outgrown(_) | End::Spent | End::Stopped, _) => bracket,
            _ => None,
        };
        // No finer than the lever goes.
        let step = self.how.step(at);
        let interval = interval.map(|(lo, hi)| (lo.min(at - step / 2.0), hi.max(at + step / 2.0)));
        let width = interval.map_or(f64::INFINITY, |(lo, hi)| hi - lo);
        Found {
            is_precise: width <= self.how.precision.max(step) * (1.0 + 1e-9),
            value: settled.map_or_else(|| self.how.value(at), |(value, _)| value),
            interval: settled.map(|(_, interval)| interval).or_else(|| {
                interval.map(|(lo, hi)| {
                    let (one, other) = (self.how.value(lo), self.how.value(hi));
                    (one.min(other), one.max(other))
                })
            }),
            objective: self.last.as_ref().and_then(|root| root.objective).or(worst),
            end,
            points: points.into_iter().map(|(_, seen)| seen).collect(),
            turns,
            replications: self.replications,
            requests: self.bench.spent,
        }
    }
}

fn key(load: f64, warmth: Option<Warmth>) -> (u64, u64) {
    (load.to_bits(), warmth.map_or(u64::MAX, |(warmup, _)| warmup.nanos()))
}

/// A value of the lever for a line of progress.
fn shown(value: f64) -> String {
    crate::report::format::tick(crate::words::Unit::Number, value)
}
