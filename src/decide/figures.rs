//! What one replication counted for each metric: two numbers whose sums over replications are divided, or a histogram.
//!
//! [`Figures::pair`], [`Figures::times`] and [`kind`] are the only place where a metric becomes numbers; what they make of the
//! replications together is in `measured`.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::engine::lens::LensTally;
use crate::engine::tally::{ClassTally, DialogueTally, Tally};
use crate::experiment::assemble::Source;
use crate::report::Metric;
use crate::stats::histogram::Histogram;
use crate::words::Outcome;
use crate::words::metric::{Quantity, Statistic, Times};

/// Days in the month that cost is scaled to.
pub(super) const MONTH_DAYS: f64 = 30.0;
/// Pico-dollars in a dollar.
pub(super) const PICO: f64 = 1e12;

/// What one replication counted of a part of the traffic, added up: the ground of every figure of that part.
#[derive(Debug)]
pub(super) struct Figures<'a> {
    /// The tallies of the classes, or that of the lens.
    of: Of<'a>,
    /// How requests ended, and attempts.
    outcomes: [u64; Outcome::COUNT],
    attempts: [u64; Outcome::COUNT],
    served: u64,
    good: u64,
    rated: u64,
    quality: u64,
    /// The cost in pico-dollars.
    cost: u128,
    /// What the response cache answered, and what that had cost.
    hits: u64,
    saved: u128,
    /// Conversations and agent runs that began, those of them that failed or were left, and the turns and their cost.
    begun: u64,
    failed: u64,
    turns: u64,
    turns_cost: u128,
    /// The length of what is counted.
    seconds: f64,
    /// Each histogram, once it is asked for.
    times: [OnceCell<Option<Cow<'a, Histogram>>>; Times::COUNT],
}

/// The tallies whose histograms are added up.
#[derive(Debug)]
enum Of<'a> {
    Classes(Vec<&'a ClassTally>),
    Lens(&'a LensTally),
}

impl<'a> Figures<'a> {
    pub(super) fn of(tally: &'a Tally, source: &Source) -> Figures<'a> {
        match source {
            Source::All => Figures {
                attempts: sum(tally.providers.iter().map(|p| &p.outcomes)),
                served: tally.served,
                good: tally.good,
                cost: tally.cost(),
                ..Figures::of_classes(tally, tally.classes.iter().collect())
            },
            Source::Classes(some) => {
                let classes = some.iter().filter_map(|&class| tally.classes.get(class)).collect();
                Figures::of_classes(tally, classes)
            }
            &Source::Lens(lens) => Figures::of_lens(&tally.lenses[lens]),
        }
    }

    /// What the tallies of classes hold, which is not how attempts ended, nor what was served.
    fn of_classes(tally: &Tally, classes: Vec<&'a ClassTally>) -> Figures<'a> {
        let dialogues = || classes.iter().filter_map(|c| c.dialogues.as_ref());
        Figures {
            begun: dialogues().map(DialogueTally::begun).sum(),
            failed: dialogues().map(|d| d.failed + d.left).sum(),
            turns: dialogues().map(|d| d.turns).sum(),
            turns_cost: dialogues().map(|d| d.cost).sum(),
            outcomes: sum(classes.iter().map(|c| &c.outcomes)),
            attempts: [0; Outcome::COUNT],
            served: 0,
            good: 0,
            rated: classes.iter().map(|c| c.rated).sum(),
            quality: classes.iter().map(|c| c.quality).sum(),
            cost: classes.iter().map(|c| c.cost).sum(),
            hits: classes.iter().map(|c| c.hits).sum(),
            saved: classes.iter().map(|c| c.saved).sum(),
            seconds: tally.counted as f64 / 1e9,
            times: Default::default(),
            of: Of::Classes(classes),
        }
    }

    fn of_lens(lens: &'a LensTally) -> Figures<'a> {
        let dialogues = lens.dialogues.as_ref();
        Figures {
            begun: dialogues.map_or(0, DialogueTally::begun),
            failed: dialogues.map_or(0, |d| d.failed + d.left),
            turns: dialogues.map_or(0, |d| d.turns),
            turns_cost: dialogues.map_or(0, |d| d.cost),
            of: Of::Lens(lens),
            outcomes: lens.outcomes,
            attempts: lens.attempts,
            served: lens.served,
            good: lens.good,
            rated: lens.rated,
            quality: lens.quality,
            cost: lens.cost + lens.reserved,
            hits: lens.hits,
            saved: lens.saved,
            seconds: lens.counted as f64 / 1e9,
            times: Default::default(),
        }
    }

    /// Numerator and denominator of `metric`, whatever its scope, as [`kind`] takes them. Not numbers where the replication lacks what
    /// the metric is of; zeros for a percentile.
    pub(super) fn pair(&self, metric: &Metric) -> (f64, f64) {
        let requests = || self.outcomes.iter().sum::<u64>() as f64;
        let of_outcome = |counts: &[u64; Outcome::COUNT]| match metric.statistic() {
            Statistic::Outcome(outcome) => (counts[outcome.index()] as f64, counts.iter().sum::<u64>() as f64),
            Statistic::Whole | Statistic::Percentile(_) | Statistic::Mean => (0.0, 0.0),
        };
        let successes = self.outcomes[Outcome::Success.index()];
        match metric.quantity() {
            Quantity::Ttft => self.mean(Times::Ttft),
            Quantity::E2e => self.mean(Times::E2e),
            Quantity::Wait => self.mean(Times::Wait),
            Quantity::Tpot => self.mean(Times::Tpot),
            Quantity::ErrorRate => (requests() - successes as f64, requests()),
            Quantity::Throughput => (self.served as f64, self.seconds),
            Quantity::Goodput => (self.good as f64, self.seconds),
            Quantity::AttemptsPerRequest => (self.attempts.iter().sum::<u64>() as f64, requests()),
            Quantity::CostPer1k => (self.cost as f64, requests()),
            Quantity::CostPer1kAnswers => (self.cost as f64, successes as f64),
            Quantity::CostPerMonth => (self.cost as f64, self.seconds),
            // Nothing unless every success is rated.
            Quantity::Quality if self.rated != successes => (f64::NAN, f64::NAN),
            Quantity::Quality => (self.quality as f64, self.rated as f64),
            Quantity::Share => of_outcome(&self.outcomes),
            Quantity::Attempts => of_outcome(&self.attempts),
            Quantity::CacheHits => (self.hits as f64, requests()),
            Quantity::SavedPerMonth => (self.saved as f64, self.seconds),
            Quantity::DialogueTime => self.mean(Times::Dialogue),
            Quantity::DialogueFailures => (self.failed as f64, self.begun as f64),
            Quantity::TurnsPerDialogue => (self.turns as f64, self.begun as f64),
            Quantity::CostPerDialogue => (self.turns_cost as f64, self.begun as f64),
        }
    }

    /// The histogram of some times, if they were counted.
    pub(super) fn times(&self, which: Times) -> Option<&Histogram> {
        let histogram = self.times[which.index()].get_or_init(|| self.of.times(which));
        histogram.as_deref()
    }

    /// The requests that never got the answer that they were owed, and so have no time of this kind, or the dialogues that did not come to
    /// their end. The wait in the client is known of all that are counted for it.
    pub(super) fn endless(&self, which: Times) -> u64 {
        match which {
            Times::Wait => 0,
            Times::Dialogue => self.failed,
            Times::Ttft | Times::E2e | Times::Tpot => {
                let all = Outcome::ALL.into_iter().filter(|o| o.row().endless);
                all.map(|o| self.outcomes[o.index()]).sum()
            }
        }
    }

    fn mean(&self, which: Times) -> (f64, f64) {
        self.times(which)
            .map_or((0.0, 0.0), |times| (times.sum() as f64, times.count() as f64))
    }
}

/// How a metric is made of what replications counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A share of counted things, within 0..=1.
    Share,
    /// A ratio of sums, times the first number, over the second.
    Ratio(f64, f64),
    /// A ratio of sums that is never below zero and now and then large, times the first number, over the second.
    Positive(f64, f64),
    /// This quantile of these times.
    Percentile(f64, Times),
}

/// How `metric` is made of the pairs and histograms of [`Figures`].
pub(super) fn kind(metric: &Metric) -> Kind {
    let time = |which| match metric.percentile() {
        Some(q) => Kind::Percentile(q, which),
        None => Kind::Positive(1.0, 1e9),
    };
    match metric.quantity() {
        Quantity::Ttft => time(Times::Ttft),
        Quantity::E2e => time(Times::E2e),
        Quantity::Wait => time(Times::Wait),
        Quantity::Tpot => time(Times::Tpot),
        Quantity::DialogueTime => time(Times::Dialogue),
        Quantity::ErrorRate
        | Quantity::Share
        | Quantity::Attempts
        | Quantity::CacheHits
        | Quantity::DialogueFailures => Kind::Share,
        Quantity::Throughput | Quantity::Goodput => Kind::Ratio(1.0, 1.0),
        Quantity::AttemptsPerRequest | Quantity::TurnsPerDialogue => Kind::Positive(1.0, 1.0),
        Quantity::CostPerDialogue => Kind::Positive(1.0, PICO),
        Quantity::CostPer1k | Quantity::CostPer1kAnswers => Kind::Positive(1e3, PICO),
        Quantity::CostPerMonth | Quantity::SavedPerMonth => Kind::Positive(MONTH_DAYS * 86_400.0, PICO),
        Quantity::Quality => Kind::Ratio(1.0, 1e6),
    }
}

impl<'a> Of<'a> {
    fn times(&self, which: Times) -> Option<Cow<'a, Histogram>> {
        let classes = match self {
            Of::Lens(lens) if which == Times::Dialogue => {
                return lens.dialogues.as_ref().map(|dialogues| Cow::Borrowed(&dialogues.time));
            }
            Of::Lens(lens) => return lens.times[which.index()].as_ref().map(Cow::Borrowed),
            Of::Classes(classes) => classes,
        };
        let mut histograms = classes.iter().filter_map(|class| of_class(class, which));
        let first = histograms.next()?;
        let mut all = Cow::Borrowed(first);
        for histogram in histograms {
            all.to_mut().merge(histogram);
        }
        Some(all)
    }
}

fn of_class(class: &ClassTally, which: Times) -> Option<&Histogram> {
    match which {
        Times::Ttft => Some(&class.ttft),
        Times::E2e => Some(&class.e2e),
        Times::Wait => Some(&class.wait),
        Times::Tpot => class.tpot.as_ref(),
        Times::Dialogue => class.dialogues.as_ref().map(|dialogues| &dialogues.time),
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a [u64; Outcome::COUNT]>) -> [u64; Outcome::COUNT] {
    counts.fold([0; Outcome::COUNT], |mut sum, counts| {
        for (a, b) in sum.iter_mut().zip(counts) {
            *a += b;
        }
        sum
    })
}
