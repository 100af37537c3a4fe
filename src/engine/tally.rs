//! The result of one replication, in integer counts.
//!
//! Every field adds up: the tally of two replications is the sum of their tallies, in any order. Requests are counted by
//! their arrival: those that arrived inside the counted window, however late they ended. Only `served` and `good` go by
//! the end, because what a system gets through in a time is not what it gets through in the end, and times (`busy`, bounds)
//! are cut at the window. [`Series`] shows the rest.
//!
//! A finished tally can be written and read back ([`super::record`]), so that it need not stay in memory, nor on one machine.

mod dialogues;
mod identities;

use serde::{Deserialize, Serialize};

use crate::kernel::time::Span;
use crate::stats::histogram::Histogram;
use crate::words::{Ask, BoundKind, EffortKind, Outcome, Spending, UNRATED};

use super::incident::{self, Incident};
use super::lens::LensTally;
use super::scenario::Scenario;
use super::series::Series;
use super::ties::SUPPOSED;

pub use dialogues::{DialogueEnd, DialogueTally, Turned};
pub use identities::{Counts, RuleTally};

/// The result of one replication, or the sum of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// Requests by class.
    pub classes: Vec<ClassTally>,
    /// Attempts by provider.
    pub providers: Vec<ProviderTally>,
    /// Requests that succeeded within the counted window, whenever they arrived.
    pub served: u64,
    /// Requests in `served` that kept within the latency objectives.
    pub good: u64,
    /// Counted requests that a limiter of the client never lets pass, because they are larger than it ever holds.
    pub oversized: u64,
    /// Counted requests whose drawn length or time is where numbers end and was cut off there: 2^32 − 1 tokens, 584 years.
    pub clipped: u64,
    /// Requests that were in the system when the window ended. They ended too, afterwards.
    pub in_system_at_end: u64,
    /// Every bound that something could run into, and how long it was there.
    pub bounds: Vec<Bound>,
    /// What was taken of each quota within the counted window, as [`Limit::used`](crate::provider::limits::Limit::used) has it: of those
    /// of each provider in the order of the fleet, then of those of each account.
    pub used: Vec<u128>,
    /// Length of what was counted, added up over replications.
    pub counted: u128,
    /// The client's work beyond one attempt for each request.
    pub effort: Effort,
    /// The budgets of the client, in order.
    pub budgets: Vec<BudgetTally>,
    /// The watched shares of budgets, in order.
    pub alerts: Vec<AlertTally>,
    /// The milestones of the policy, in its own order.
    pub milestones: Vec<AlertTally>,
    /// Pico-dollars for mirrored copies, whose answers are discarded. They are not in the cost of any class.
    pub mirrored: u128,
    /// Pico-dollars for judging answers: part of the cost of the classes, but not of any provider.
    pub judging: u128,
    /// What each rule that tells identities apart did to them, in the order of [`crate::client::identity::Rules`].
    pub identities: Vec<RuleTally>,
    /// The effects of each outage that is known beforehand.
    pub incidents: Vec<Incident>,
    /// What each lens of the scenario counted, in order.
    pub lenses: Vec<LensTally>,
    /// How old the answers of hits were, if there is a response cache that knows.
    pub ages: Option<Histogram>,
    /// The most requests in the system at once.
    pub peak_in_system: usize,
    /// The counts over time, in equal bins.
    pub series: Series,
}

/// The requests of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassTally {
    /// Requests by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::COUNT],
    /// From arrival to first token, of the successes.
    pub ttft: Histogram,
    /// From arrival to last token, of the successes.
    pub e2e: Histogram,
    /// Time per output token after the first, of successes with more than one, if the scenario counts it.
    pub tpot: Option<Histogram>,
    /// Time spent waiting in the client for a slot, a limiter or a connection, of all that were not shed.
    pub wait: Histogram,
    /// Successes at providers whose quality for this class is known.
    pub rated: u64,
    /// Sum over the successes in `rated` of the probability of a good answer, in millionths.
    pub quality: u64,
    /// The sum of `quality` under other correlations of answers, in the order of [`SUPPOSED`]; only for a policy that has judges.
    pub supposed: [Supposed; SUPPOSED.len()],
    /// Successes in `rated` that come after an answer turned down, or whose judge errs more on difficult requests: only their
    /// quality hangs on the correlation.
    pub hanging: u64,
    /// Pico-dollars for all their attempts.
    pub cost: u128,
    /// What was spent by what the attempt was, mirrored copies left out, in the order of [`Spending::ALL`].
    pub spent: [u128; Spending::ATTEMPTS],
    /// Successes that the gateway's response cache answered.
    pub hits: u64,
    /// Hits whose answer was wrong for the request.
    pub wrong: u64,
    /// Pico-dollars that the answers of the hits had cost when they were first given.
    pub saved: u128,
    /// What became of conversations and agent runs, if the traffic has any.
    pub dialogues: Option<DialogueTally>,
}

/// What answers would be worth under a correlation that is not the one that is simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Supposed {
    /// How much likelier the verdicts on their requests would be, in millionths.
    pub weight: u64,
    /// Probability of a good answer times `weight`.
    pub quality: u64,
}

/// What the client did beyond one attempt for each counted request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Effort {
    /// Attempts that tried again after a failure, at the same group of providers.
    pub retries: u64,
    /// Second and further copies of a request under way.
    pub hedges: u64,
    /// Requests that were answered by a hedge.
    pub hedges_won: u64,
    /// Times a request went on to another group of providers.
    pub fallbacks: u64,
    /// Retries and hedges that a budget denied once counting had begun.
    pub denied: u64,
    /// Requests whose input was cut to fit the client's window.
    pub shortened: u64,
    /// Answers that a judge rejected, whose request was then routed again.
    pub escalations: u64,
    /// Mirrored copies, whose answers are discarded.
    pub mirrored: u64,
    /// Hedges that the hedging rule set a time for, in the whole replication.
    pub hedges_planned: u64,
    /// Planned hedges that found no provider when their time came, in the whole replication.
    pub hedges_stranded: u64,
}

/// Something that is passed in a replication or not: a share of a budget that is watched, a milestone of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTally {
    /// Replications in which the threshold was passed.
    pub passed: u64,
    /// Nanoseconds from the start of counting until the threshold was first passed, added up over the replications in `passed`.
    pub time: u128,
}

/// What became of one budget of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetTally {
    /// Replications in which it was spent at some time until the end of counting.
    pub spent: u64,
    /// Nanoseconds from the start until it was first spent, added up over the replications in `spent`.
    pub time: u128,
    /// Replications at whose end of counting it was spent.
    pub shut: u64,
    /// The most pico-dollars in one window, what was under way when it was spent included: the largest of all replications.
    pub most_money: u128,
    /// The most tokens in one window, in the same way.
    pub most_tokens: u64,
}

/// The attempts at one provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProviderTally {
    /// Attempts by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::COUNT],
    /// Pico-dollars billed for them.
    pub cost: u128,
    /// What was spent by what the attempt was, in the order of [`Spending::ALL`].
    pub spent: [u128; Spending::ATTEMPTS],
    /// Pico-dollars for capacity reserved over the counted window, used or not, where the policy may use it.
    pub reserved: u128,
    /// Pico-dollars of that for what was not used, by the quota that was used most; 0 where none tells it.
    pub idle: u128,
    /// Input tokens billed.
    pub input: u128,
    /// Billed input tokens that were read from the provider's prompt cache.
    pub cached: u128,
    /// Output tokens billed.
    pub output: u128,
    /// Nanoseconds of connection time within the counted window, added up over all attempts.
    pub busy: u128,
    /// How often its breaker opened once counting had begun.
    pub trips: u64,
    /// Attempts that were larger than a quota of it ever holds.
    pub oversized: u64,
}

/// Something with a limit, and how long it was at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bound {
    /// The kind of bound.
    pub what: BoundKind,
    /// The number of the provider that the bound belongs to, for bounds of providers.
    pub provider: Option<usize>,
    /// The value of the limit, where it is a number.
    pub limit: Option<u64>,
    /// Nanoseconds at the bound within the counted window, added up over replications.
    pub time: u128,
}

/// The end of a request, as the world reports it.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// The outcome of the request.
    pub outcome: Outcome,
    /// Time from arrival to first token, of a success.
    pub ttft: Span,
    /// Time from arrival to the end.
    pub e2e: Span,
    /// Time spent waiting in the client, part of `e2e`.
    pub waited: Span,
    /// Pico-dollars for all attempts of the request.
    pub cost: u64,
    /// Probability of a good answer, in millionths, of a success; [`UNRATED`] where it is unknown.
    pub quality: u32,
    /// What the response cache had for it, if it was answered from there.
    pub hit: Option<Hit>,
}

/// An answer out of the gateway's response cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Pico-dollars that the request cost which the answer was first given to.
    pub saved: u64,
    /// How old the answer is; nothing where the cache does not know.
    pub age: Option<Span>,
    /// Whether it is wrong for this request.
    pub is_wrong: bool,
}

impl Supposed {
    /// An answer of `quality` millionths under any correlation.
    pub const fn certain(quality: u32) -> Supposed {
        Supposed {
            weight: 1_000_000,
            quality: quality as u64,
        }
    }

    fn add(&mut self, other: Supposed) {
        self.weight += other.weight;
        self.quality += other.quality;
    }
}

impl ClassTally {
    /// A rated success would be worth so much under each of [`SUPPOSED`]; `hangs` says whether that differs.
    pub fn suppose(&mut self, all: &[Supposed; SUPPOSED.len()], hangs: bool) {
        for (a, b) in self.supposed.iter_mut().zip(all) {
            a.add(*b);
        }
        self.hanging += u64::from(hangs);
    }

    fn of(scenario: &Scenario) -> ClassTally {
        ClassTally {
            tpot: scenario.counts_tpot.then(Histogram::default),
            dialogues: scenario.traffic.has_dialogues().then(DialogueTally::default),
            ..ClassTally::default()
        }
    }
}

impl Tally {
    /// Creates an empty tally for `scenario`.
    pub fn new(scenario: &Scenario) -> Tally {
        Tally {
            // Created one by one: cloning a histogram would touch all its pages.
            classes: scenario
                .traffic
                .classes
                .iter()
                .map(|_| ClassTally::of(scenario))
                .collect(),
            providers: vec![ProviderTally::default(); scenario.fleet.len()],
            served: 0,
            good: 0,
            oversized: 0,
            clipped: 0,
            in_system_at_end: 0,
            bounds: Vec::new(),
            used: Vec::new(),
            counted: u128::from(scenario.window.counted().nanos()),
            effort: Effort::default(),
            budgets: vec![BudgetTally::default(); scenario.client.allowances.len()],
            alerts: vec![AlertTally::default(); scenario.client.alerts.len()],
            milestones: vec![AlertTally::default(); scenario.policy.milestones().len()],
            mirrored: 0,
            judging: 0,
            identities: vec![RuleTally::default(); scenario.client.rules.all.len()],
            incidents: incident::of(scenario),
            lenses: Tally::of_lenses(&scenario.lenses, &scenario.fleet, &scenario.may_use),
            ages: scenario.client.response_caches.know_ages().then(Histogram::default),
            peak_in_system: 0,
            series: Series::new(scenario.window, scenario.fleet.len()),
        }
    }

    /// A counted request has ended.
    #[inline]
    pub fn finish(&mut self, ask: &Ask, end: &Ending) {
        let class = &mut self.classes[usize::from(ask.class)];
        class.outcomes[end.outcome.index()] += 1;
        class.cost += u128::from(end.cost);
        if end.outcome != Outcome::Shed {
            class.wait.record(end.waited);
        }
        if end.outcome == Outcome::Success {
            class.ttft.record(end.ttft);
            class.e2e.record(end.e2e);
            if let (Some(tpot), Some(span)) = (&mut class.tpot, per_token(end.ttft, end.e2e, ask.output)) {
                tpot.record(span);
            }
            if end.quality != UNRATED {
                class.rated += 1;
                class.quality += u64::from(end.quality);
            }
            if let Some(hit) = &end.hit {
                class.hits += 1;
                class.wrong += u64::from(hit.is_wrong);
                class.saved += u128::from(hit.saved);
                if let (Some(ages), Some(age)) = (&mut self.ages, hit.age) {
                    ages.record(age);
                }
            }
        }
    }

    /// A request has succeeded within the counted window; `good` says whether within the latency objectives.
    #[inline]
    pub fn serve(&mut self, good: bool) {
        self.served += 1;
        self.good += u64::from(good);
    }

    /// Frees what only counting needs: for a tally that is kept or written.
    pub fn pack(&mut self) {
        for class in &mut self.classes {
            for histogram in [&mut class.ttft, &mut class.e2e, &mut class.wait] {
                histogram.pack();
            }
            if let Some(tpot) = &mut class.tpot {
                tpot.pack();
            }
            class.dialogues.iter_mut().for_each(DialogueTally::pack);
        }
        self.ages.iter_mut().for_each(Histogram::pack);
        self.lenses.iter_mut().for_each(LensTally::pack);
        self.incidents.iter_mut().for_each(Incident::close);
        self.identities.iter_mut().for_each(RuleTally::pack);
    }

    /// The number of requests counted.
    pub fn requests(&self) -> u64 {
        self.classes.iter().map(|c| c.outcomes.iter().sum::<u64>()).sum()
    }

    /// Requests that ended in `outcome`.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.classes.iter().map(|c| c.outcomes[outcome.index()]).sum()
    }

    /// The number of attempts made.
    pub fn attempts(&self) -> u64 {
        self.providers.iter().map(|p| p.outcomes.iter().sum::<u64>()).sum()
    }

    /// Pico-dollars for everything: attempts, reserved capacity, mirrored copies and judging.
    pub fn cost(&self) -> u128 {
        let attempts: u128 = self.classes.iter().map(|c| c.cost).sum();
        attempts + self.mirrored + self.providers.iter().map(|p| p.reserved).sum::<u128>()
    }

    /// Adds another replication of the same scenario.
    pub fn merge(&mut self, other: &Tally) {
        for (a, b) in self.classes.iter_mut().zip(&other.classes) {
            add(&mut a.outcomes, &b.outcomes);
            a.ttft.merge(&b.ttft);
            a.e2e.merge(&b.e2e);
            a.wait.merge(&b.wait);
            if let (Some(a), Some(b)) = (&mut a.tpot, &b.tpot) {
                a.merge(b);
            }
            a.rated += b.rated;
            a.quality += b.quality;
            a.suppose(&b.supposed, false);
            a.hanging += b.hanging;
            a.cost += b.cost;
            a.spent.iter_mut().zip(&b.spent).for_each(|(a, b)| *a += b);
            a.hits += b.hits;
            a.wrong += b.wrong;
            a.saved += b.saved;
            if let (Some(a), Some(b)) = (&mut a.dialogues, &b.dialogues) {
                a.merge(b);
            }
        }
        for (a, b) in self.providers.iter_mut().zip(&other.providers) {
            add(&mut a.outcomes, &b.outcomes);
            a.cost += b.cost;
            a.spent.iter_mut().zip(&b.spent).for_each(|(a, b)| *a += b);
            a.reserved += b.reserved;
            a.idle += b.idle;
            a.input += b.input;
            a.cached += b.cached;
            a.output += b.output;
            a.busy += b.busy;
            a.trips += b.trips;
            a.oversized += b.oversized;
        }
        self.served += other.served;
        self.good += other.good;
        self.oversized += other.oversized;
        self.clipped += other.clipped;
        self.in_system_at_end += other.in_system_at_end;
        for (a, b) in self.bounds.iter_mut().zip(&other.bounds) {
            a.time += b.time;
        }
        for (a, b) in self.used.iter_mut().zip(&other.used) {
            *a += b;
        }
        self.counted += other.counted;
        self.effort.merge(&other.effort);
        self.mirrored += other.mirrored;
        self.judging += other.judging;
        for (a, b) in self.budgets.iter_mut().zip(&other.budgets) {
            a.spent += b.spent;
            a.time += b.time;
            a.shut += b.shut;
            a.most_money = a.most_money.max(b.most_money);
            a.most_tokens = a.most_tokens.max(b.most_tokens);
        }
        let ours = self.alerts.iter_mut().chain(&mut self.milestones);
        for (a, b) in ours.zip(other.alerts.iter().chain(&other.milestones)) {
            a.passed += b.passed;
            a.time += b.time;
        }
        for (a, b) in self.identities.iter_mut().zip(&other.identities) {
            a.merge(b);
        }
        for (a, b) in self.incidents.iter_mut().zip(&other.incidents) {
            a.merge(b);
        }
        for (a, b) in self.lenses.iter_mut().zip(&other.lenses) {
            a.merge(b);
        }
        if let (Some(a), Some(b)) = (&mut self.ages, &other.ages) {
            a.merge(b);
        }
        self.peak_in_system = self.peak_in_system.max(other.peak_in_system);
        self.series.merge(&other.series);
    }
}

impl Effort {
    /// The count of one kind of effort.
    pub const fn of(&self, kind: EffortKind) -> u64 {
        match kind {
            EffortKind::Retries => self.retries,
            EffortKind::Hedges => self.hedges,
            EffortKind::HedgesWon => self.hedges_won,
            EffortKind::Fallbacks => self.fallbacks,
            EffortKind::Denied => self.denied,
            EffortKind::Shortened => self.shortened,
            EffortKind::Escalations => self.escalations,
            EffortKind::Mirrored => self.mirrored,
        }
    }

    fn merge(&mut self, other: &Effort) {
        self.retries += other.retries;
        self.hedges += other.hedges;
        self.hedges_won += other.hedges_won;
        self.fallbacks += other.fallbacks;
        self.denied += other.denied;
        self.shortened += other.shortened;
        self.escalations += other.escalations;
        self.mirrored += other.mirrored;
        self.hedges_planned += other.hedges_planned;
        self.hedges_stranded += other.hedges_stranded;
    }
}

/// The time for each output token after the first, of an answer with so many tokens; nothing if there is no further one.
#[inline]
pub fn per_token(ttft: Span, e2e: Span, output: u32) -> Option<Span> {
    let further = output.checked_sub(1).filter(|&n| n > 0)?;
    Some(Span::from_nanos(
        e2e.nanos().saturating_sub(ttft.nanos()) / u64::from(further),
    ))
}

fn add(to: &mut [u64], from: &[u64]) {
    for (a, b) in to.iter_mut().zip(from) {
        *a += b;
    }
}
