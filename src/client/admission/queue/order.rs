//! The requests that wait, and which of them is next: a line for each priority, and the rule that chooses between their
//! ends.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Refusal};
use crate::form::units::{Count, Duration};
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

/// The largest least common multiple of the weights: a thousand million turns of it still fit.
const LARGEST: u64 = 1_000_000_000;

/// The order in which requests leave the line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The lowest priority number goes first; within it, the longest wait.
    #[default]
    Priority,
    /// The longest wait goes first: first in, first out.
    Fifo,
    /// The shortest wait goes first: last in, first out.
    Lifo,
    /// Self-clocked fair queueing: under overload each priority with a request in line gets its weight's share of the
    /// turns.
    WeightedFair(WeightedFair),
    /// The lowest priority number goes first, less one for each `step` that the request has waited; then the longest
    /// wait.
    Aging(Aging),
}

/// Self-clocked fair queueing: priorities take turns by weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedFair {
    /// The weight of each priority, from 0 on; priorities beyond the list have the last weight. The least common
    /// multiple of the weights may not exceed 1,000,000,000.
    pub weights: Vec<Count>,
}

/// Priority ageing: waiting raises the priority of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Aging {
    /// The wait that makes up for one step of priority; above 0.
    pub step: Duration,
}

/// A request that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) slot: u32,
    pub(super) ask: Ask,
    pub(super) since: Time,
    /// The number of the request in the order of arrival.
    number: u64,
}

/// A place in the lines: one end of one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    lane: usize,
    newest: bool,
}

/// The lines of all requests that wait.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    /// One line for each priority, longest wait first; grown when a request of a priority first waits.
    lanes: Vec<VecDeque<Waiting>>,
    waiting: usize,
    next_number: u64,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Priority,
    Fifo,
    Lifo,
    Fair(Fair),
    Aging(Span),
}

/// Self-clocked fair queueing (Golestani 1994) with requests of equal size. A priority's virtual finish time is max(its
/// previous one, the virtual clock) + its stride, the least common multiple of the weights over its own. The earliest
/// virtual finish time is next, and sets the clock.
#[derive(Clone, Debug)]
struct Fair {
    strides: Vec<u64>,
    /// The virtual finish time of the head of each line; for an empty line, of its last turn.
    ends: Vec<u64>,
    clock: u64,
}

impl Order {
    pub(super) fn build(&self) -> Built<Lines> {
        let rule = match self {
            Order::Priority => Rule::Priority,
            Order::Fifo => Rule::Fifo,
            Order::Lifo => Rule::Lifo,
            Order::WeightedFair(fair) => {
                let strides = fair.strides().map_err(|r| r.at("weights").at("weighted_fair"))?;
                Rule::Fair(Fair {
                    ends: Vec::new(),
                    strides,
                    clock: 0,
                })
            }
            Order::Aging(aging) if aging.step.span() == Span::ZERO => {
                let refusal = Refusal::new("step is 0s, and must be longer than nothing");
                return Err(refusal.at("step").at("aging"));
            }
            Order::Aging(aging) => Rule::Aging(aging.step.span()),
        };
        Ok(Lines {
            lanes: Vec::new(),
            waiting: 0,
            next_number: 0,
            rule,
        })
    }
}

impl WeightedFair {
    fn strides(&self) -> Built<Vec<u64>> {
        if !(1..=256).contains(&self.weights.len()) {
            let text = format!("{} weights: must be 1 to 256", self.weights.len());
            return Err(Refusal::new(text));
        }
        let mut multiple = 1u64;
        for (i, weight) in self.weights.iter().enumerate() {
            let (mut a, mut b) = (multiple, weight.get());
            while b > 0 {
                (a, b) = (b, a % b);
            }
            multiple = multiple.saturating_mul(weight.get() / a);
            if multiple > LARGEST {
                let text = format!("the weights up to {weight} have no common multiple up to {LARGEST}");
                return Err(Refusal::new(text).at(i));
            }
        }
        Ok(self.weights.iter().map(|w| multiple / w.get()).collect())
    }
}

impl Fair {
    fn stride(&self, lane: usize) -> u64 {
        self.strides[lane.min(self.strides.len() - 1)]
    }

    /// The virtual finish time of a first request in a `lane` that was empty.
    fn first_end(&self, lane: usize) -> u64 {
        let last = self.ends.get(lane).copied().unwrap_or(0);
        self.clock.max(last).saturating_add(self.stride(lane))
    }

    /// Called when a request is the first in an empty `lane`.
    fn begin(&mut self, lane: usize) {
        let end = self.first_end(lane);
        if self.ends.len() <= lane {
            self.ends.resize(lane + 1, 0);
        }
        self.ends[lane] = end;
    }

    /// The head of `lane` has its turn; `more` says whether others wait behind it.
    fn serve(&mut self, lane: usize, more: bool) {
        self.clock = self.ends[lane];
        if more {
            self.ends[lane] = self.ends[lane].saturating_add(self.stride(lane));
        }
    }

    /// The last request in `lane` has left without its turn.
    fn undo(&mut self, lane: usize) {
        self.ends[lane] -= self.stride(lane);
    }
}

/// The priority number of `waiting`, less one for each `step` of its wait.
fn aged(waiting: &Waiting, now: Time, step: Span) -> u64 {
    u64::from(waiting.ask.priority).saturating_sub(now.since(waiting.since).nanos() / step.nanos())
}

impl Lines {
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether `ask`, arriving at `now`, comes before every request that waits.
    #[inline]
    pub(super) fn is_first(&self, now: Time, ask: &Ask) -> bool {
        if self.waiting == 0 {
            return true;
        }
        let lane = usize::from(ask.priority);
        match &self.rule {
            Rule::Priority => self.lanes.iter().take(lane + 1).all(VecDeque::is_empty),
            Rule::Fifo => false,
            Rule::Lifo => true,
            Rule::Fair(fair) => {
                let end = fair.first_end(lane);
                self.heads()
                    .all(|(other, _)| other != lane && (end, lane) < (fair.ends[other], other))
            }
            Rule::Aging(step) => self.heads().all(|(_, w)| aged(w, now, *step) > u64::from(ask.priority)),
        }
    }

    /// Called when a request of this priority went at once.
    #[inline]
    pub(super) fn passed_by(&mut self, ask: &Ask) {
        // With no request in line there is none to be fair to.
        if self.waiting > 0
            && let Rule::Fair(fair) = &mut self.rule
        {
            fair.begin(usize::from(ask.priority));
            fair.serve(usize::from(ask.priority), false);
        }
    }

    pub(super) fn push(&mut self, now: Time, slot: u32, ask: &Ask) {
        let lane = usize::from(ask.priority);
        if self.lanes.len() <= lane {
            self.lanes.resize_with(lane + 1, VecDeque::new);
        }
        if self.lanes[lane].is_empty()
            && let Rule::Fair(fair) = &mut self.rule
        {
            fair.begin(lane);
        }
        self.lanes[lane].push_back(Waiting {
            slot,
            ask: *ask,
            since: now,
            number: self.next_number,
        });
        self.next_number += 1;
        self.waiting += 1;
    }

    /// The head of each line that is not empty: the longest wait of each priority.
    fn heads(&self) -> impl Iterator<Item = (usize, &Waiting)> {
        let heads = self.lanes.iter().map(VecDeque::front).enumerate();
        heads.filter_map(|(lane, head)| head.map(|head| (lane, head)))
    }

    /// The request that is next at `now`, and its place.
    #[inline]
    pub(super) fn next(&self, now: Time) -> Option<(Spot, &Waiting)> {
        let oldest = |(lane, waiting)| (Spot { lane, newest: false }, waiting);
        match &self.rule {
            Rule::Priority => self.heads().next().map(oldest),
            Rule::Fifo => self.oldest(),
            Rule::Lifo => {
                let tails = self.lanes.iter().map(VecDeque::back).enumerate();
                tails
                    .filter_map(|(lane, tail)| tail.map(|tail| (Spot { lane, newest: true }, tail)))
                    .max_by_key(|(_, tail)| tail.number)
            }
            Rule::Fair(fair) => (self.heads())
                .min_by_key(|&(lane, _)| (fair.ends[lane], lane))
                .map(oldest),
            Rule::Aging(step) => (self.heads())
                .min_by_key(|(_, head)| (aged(head, now, *step), head.number))
                .map(oldest),
        }
    }

    /// The request that has waited longest, and its place.
    pub(super) fn oldest(&self) -> Option<(Spot, &Waiting)> {
        let oldest = self.heads().min_by_key(|(_, head)| head.number);
        oldest.map(|(lane, waiting)| (Spot { lane, newest: false }, waiting))
    }

    /// The newest request of the lowest priority, the highest number, and its place.
    pub(super) fn lowest(&self) -> Option<(Spot, &Waiting)> {
        let mut tails = self.lanes.iter().map(VecDeque::back).enumerate();
        let last = tails.rfind(|(_, tail)| tail.is_some());
        last.and_then(|(lane, tail)| Some((Spot { lane, newest: true }, tail?)))
    }

    /// Takes the request at `spot` out of its line; `goes` says whether it is let in.
    #[inline]
    pub(super) fn take(&mut self, spot: Spot, goes: bool) {
        let lane = &mut self.lanes[spot.lane];
        let taken = if spot.newest { lane.pop_back() } else { lane.pop_front() };
        self.waiting -= usize::from(taken.is_some());
        let more = !lane.is_empty();
        if let Rule::Fair(fair) = &mut self.rule {
            if goes {
                fair.serve(spot.lane, more);
            } else if !more {
                fair.undo(spot.lane);
            }
        }
    }

    /// Removes the request in `slot`, wherever it stands.
    pub(super) fn remove(&mut self, slot: u32) {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            // A request that has waited too long is nearly always the oldest.
            if let Some(place) = lane.iter().position(|waiting| waiting.slot == slot) {
                lane.remove(place);
                self.waiting -= 1;
                if lane.is_empty()
                    && let Rule::Fair(fair) = &mut self.rule
                {
                    fair.undo(number);
                }
                return;
            }
        }
    }
}
