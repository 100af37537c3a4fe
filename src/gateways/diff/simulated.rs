//! What two simulations of the same traffic say of two configurations.

use crate::report::{Difference, Judged as Verdict, Metric, Report, Unit};
use crate::stats::interval::Estimate;

/// The figures that are told of every pair, in order; what is bounded by an objective comes before them.
static FIGURES: [Metric; 6] = [
    Metric::TTFT_P95,
    Metric::E2E_P95,
    Metric::ERROR_RATE,
    Metric::COST_PER_MONTH,
    Metric::COST_PER_1K,
    Metric::GOODPUT,
];

/// Both simulations and their comparison.
#[derive(Debug)]
pub struct Simulated {
    /// The report of the one before.
    pub old: Report,
    /// The report of the one after.
    pub new: Report,
    /// Both as one, with the differences.
    pub joined: Report,
    /// What is to be known of the traffic.
    pub notes: Vec<String>,
}

/// An objective, and whether each of the two meets it.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The metric that is bounded.
    pub metric: &'a Metric,
    /// The bound in words: `≤ 2.00 s`.
    pub bound: String,
    /// Whether the one before meets it, if it was asked.
    pub old: Option<Verdict>,
    /// Whether the one after meets it.
    pub new: Verdict,
}

/// A figure of both.
#[derive(Clone, Debug)]
pub(super) struct Figure<'a> {
    pub(super) metric: &'a Metric,
    pub(super) unit: Unit,
    pub(super) old: Estimate,
    pub(super) new: Estimate,
    pub(super) difference: Option<&'a Difference>,
}

impl Simulated {
    /// The objectives of the one after, with the verdict on both.
    pub fn judged(&self) -> Vec<Judged<'_>> {
        let code = self.new.code();
        let one = |judgement| {
            let of: &crate::report::Judgement = judgement;
            let before = self.old.objectives.iter().find(|other| other.goal() == of.goal());
            Judged {
                metric: &of.metric,
                bound: of.goal().bound_in(code),
                old: before.map(|other| other.judged),
                new: of.judged,
            }
        };
        self.new.objectives.iter().map(one).collect()
    }

    /// Whether the one after fails an objective.
    pub fn fails(&self) -> bool {
        self.new
            .objectives
            .iter()
            .any(|judgement| judgement.judged == Verdict::Fail)
    }

    /// Whether both met the same requests, so that their differences are paired.
    pub fn paired(&self) -> bool {
        self.joined.joined.as_ref().is_some_and(|joined| joined.paired)
    }

    /// The figures of both that some of the two has, those of objectives first.
    pub(super) fn figures(&self) -> Vec<Figure<'_>> {
        let (Some(old), Some(new)) = (self.old.policies.first(), self.new.policies.first()) else {
            return Vec::new();
        };
        let differences = self.joined.comparisons.first().map_or(&[][..], |of| &of.differences);
        let bounded = self.new.objectives.iter().map(|judgement| &judgement.metric);
        let mut found: Vec<Figure<'_>> = Vec::new();
        for metric in bounded.chain(&self.new.asked).chain(&FIGURES) {
            let of = |policy: &crate::report::PolicyReport| {
                let measured = policy.metrics.iter().find(|measured| measured.metric == *metric);
                // A percentile is over all requests, as the difference and the objectives have it.
                measured.map_or(Estimate::NONE, |m| m.of_all.unwrap_or(m.estimate))
            };
            let (old, new) = (of(old), of(new));
            let is_there = found.iter().any(|figure| figure.metric == metric);
            if is_there || (old.value.is_nan() && new.value.is_nan()) {
                continue;
            }
            found.push(Figure {
                metric,
                unit: metric.unit_in(self.new.code()),
                old,
                new,
                difference: differences.iter().find(|difference| difference.metric == *metric),
            });
        }
        found
    }
}
