//! Every policy on every objective, and the sentences that follow: what to take, at what price, and what cannot be told.
//!
//! "Cheapest" goes by the monthly cost, or by the cost of 1,000 requests where a run says nothing of a month. That one policy is cheaper
//! or faster than another is said only where the paired difference excludes zero; how many are compared is counted in (Bonferroni).

mod beside;
mod unjudged;

use crate::stats::sorting;
use std::cmp::Ordering;

use crate::experiment::assemble::{Objective, Plan};
use crate::report::{
    Code, Goal, Judged, Metric, PolicyReport, Ranking, Scorecard, Scored, cost_of_1k, estimate, format, shown,
};
use crate::stats::compare::{Paired, Side, Verdict};
use crate::stats::interval::Estimate;
use crate::stats::quantile::Of;

use super::judge::judge_one;
use super::measured::Gathered;
use super::{alone, left};
use beside::{against_baseline, fails_more, faster, gone, less_good};
use unjudged::{first, unjudged};

/// How many policies a sentence names.
const NAMED: usize = 3;

/// What the sentences are made from.
pub(super) struct Given<'a> {
    pub(super) plan: &'a Plan,
    pub(super) gathered: &'a [&'a Gathered],
    pub(super) policies: &'a [PolicyReport],
    /// The figures of each policy, over all requests, in the order of the plan's metrics.
    pub(super) sides: &'a [Vec<Side>],
    pub(super) ranking: Option<&'a Ranking>,
    pub(super) code: Option<Code>,
}

/// The scorecard of a run, with its headline.
pub(super) fn scorecard(given: &Given<'_>) -> Scorecard {
    let goals = goals(&given.plan.objectives);
    // Of no objectives there is no verdict.
    let judged = 0..if goals.is_empty() { 0 } else { given.policies.len() };
    let rows = judged.map(|p| scored(given, &goals, p)).collect();
    let mut card = Scorecard {
        headline: Vec::new(),
        cheapest: None,
        goals,
        rows,
    };
    if given.policies.is_empty() {
        return card;
    }
    if given.policies.iter().all(|policy| policy.requests == 0) {
        card.headline.push("No request came: there is nothing to judge.".into());
        return card;
    }
    if card.goals.is_empty() {
        match first(given) {
            Some((p, sentence)) => {
                card.headline.push(sentence);
                card.headline.extend(less_good(given, p));
                card.headline.extend(gone(given, &[p]));
            }
            None => {
                card.headline.push(unjudged(given));
                card.headline
                    .extend(gone(given, &(0..given.policies.len()).collect::<Vec<_>>()));
            }
        }
        card.headline.extend(left::sentence(given.policies));
        return card;
    }
    let meeting = of_verdict(&card, Judged::Pass);
    let (choice, mut sentences) = if meeting.is_empty() {
        let nearest = nearest(given, &card);
        let sentence = if_none(given, &card, nearest);
        let lost = nearest.and_then(|p| gone(given, &[p]));
        (None, std::iter::once(sentence).chain(lost).collect())
    } else {
        chosen(given, &meeting, &of_verdict(&card, Judged::Undecided))
    };
    sentences.extend(undecided(given, &card));
    sentences.extend(choice.and_then(|p| remarkable(given, &card, p)));
    card.cheapest = choice.map(|p| given.policies[p].name.clone());
    sentences.extend(left::sentence(given.policies));
    card.headline = sentences;
    card
}

/// What single replications make of the choice, where that is another thing than all of them together.
fn remarkable(given: &Given<'_>, card: &Scorecard, p: usize) -> Option<String> {
    let window = given.plan.scenarios.first()?.window;
    let missed = &given.policies[p].missed;
    alone::remarkable(
        given.plan,
        &card.rows[p],
        &card.goals,
        missed,
        window.counted().seconds(),
    )
}

/// Each bound once, in the experiment's order.
fn goals(objectives: &[Objective]) -> Vec<Goal> {
    let mut goals: Vec<Goal> = Vec::new();
    for goal in objectives.iter().map(goal_of) {
        if !goals.contains(&goal) {
            goals.push(goal);
        }
    }
    goals
}

fn goal_of(objective: &Objective) -> Goal {
    Goal {
        metric: objective.metric.clone(),
        bound: objective.bound,
        at_most: objective.at_most,
    }
}

fn scored(given: &Given<'_>, goals: &[Goal], p: usize) -> Scored {
    let plan = given.plan;
    let judged = goals.iter().map(|goal| {
        let asked = || plan.objectives.iter().filter(|o| o.policies.contains(&p));
        let has_own = asked().any(|o| o.metric == goal.metric && o.at_most == goal.at_most);
        let of = plan.objectives.iter().find(|o| goal_of(o) == *goal)?;
        let applies = !has_own || asked().any(|o| goal_of(o) == *goal);
        applies.then(|| judge_one(of, given.gathered[p], plan.confidence).1)
    });
    let judged: Vec<Option<Judged>> = judged.collect();
    let any = |of| judged.contains(&Some(of));
    Scored {
        policy: given.policies[p].name.clone(),
        overall: match (any(Judged::Fail), any(Judged::Undecided)) {
            (true, _) => Judged::Fail,
            (false, true) => Judged::Undecided,
            (false, false) => Judged::Pass,
        },
        judged,
    }
}

fn of_verdict(card: &Scorecard, verdict: Judged) -> Vec<usize> {
    let numbered = card.rows.iter().enumerate();
    numbered
        .filter(|(_, row)| row.overall == verdict)
        .map(|(p, _)| p)
        .collect()
}

impl Given<'_> {
    fn name(&self, p: usize) -> &str {
        &self.policies[p].name
    }

    /// `metric` of policy `b` less that of `a`, at the level that `comparisons` of them need; nothing if it is not measured.
    fn paired(&self, metric: &Metric, a: usize, b: usize, comparisons: usize) -> Option<Paired> {
        let at = self.plan.metrics.iter().position(|known| known.metric == *metric)?;
        let together = self.plan.confidence.shared_by(comparisons.max(1));
        let side = |p: usize| Side {
            estimate: self.gathered[p].estimate(at, Of::Everything, together),
            residuals: self.sides[p][at].residuals.clone(),
        };
        Some(Paired::compare(&side(a), &side(b), together))
    }

    /// The policies of `of` by `metric`, the best first; without those that lack it.
    fn by(&self, metric: &Metric, of: &[usize]) -> Vec<usize> {
        let value = |p: usize| self.over_all(metric, p).value;
        let mut order: Vec<usize> = of.iter().copied().filter(|&p| !value(p).is_nan()).collect();
        let better_first = |&a: &usize, &b: &usize| {
            let ascending = value(a).total_cmp(&value(b));
            if metric.lower_is_better() {
                ascending
            } else {
                ascending.reverse()
            }
        };
        sorting::by(&mut order, better_first);
        order
    }

    /// The figure over all requests, at the report's level.
    fn over_all(&self, metric: &Metric, p: usize) -> Estimate {
        let at = self.plan.metrics.iter().position(|known| known.metric == *metric);
        at.map_or(Estimate::NONE, |at| {
            self.gathered[p].estimate(at, Of::Everything, self.plan.confidence)
        })
    }

    /// The figure over all requests, without an interval that says nothing.
    fn told(&self, metric: &Metric, p: usize) -> Estimate {
        let found = self.over_all(metric, p);
        let mut of = self.policies[p].metrics.iter();
        match of.any(|measured| measured.metric == *metric && measured.replayed) {
            true => Estimate {
                lo: None,
                hi: None,
                ..found
            },
            false => found,
        }
    }

    /// Whether anything costs anything, and in which terms: a month's, or where some policy's run says nothing of a month, by 1,000 requests or
    /// answers.
    fn cost(&self, of: &[usize]) -> Option<Metric> {
        let known = |metric: &Metric| {
            of.iter()
                .all(|&p| estimate(&self.policies[p], metric).value.is_finite())
        };
        let some = |metric: &Metric| of.iter().any(|&p| estimate(&self.policies[p], metric).value > 0.0);
        let terms = [Metric::COST_PER_MONTH, cost_of_1k(self.policies.iter())];
        terms.into_iter().find(|metric| known(metric) && some(metric))
    }

    fn money(&self, cost: &Metric, p: usize) -> String {
        let unit = cost.unit_in(self.code);
        format!(
            "{}{}",
            format::plus_minus(unit, &shown(&self.policies[p], cost).0),
            per(cost)
        )
    }

    /// That the figures of a policy are of a run that has not settled.
    fn unsettled(&self, p: usize) -> Option<String> {
        let settled = self.policies[p].steady.settled;
        (!settled).then(|| {
            format!(
                "{} has not settled: its figures are those of a run of this length, see the warning.",
                self.name(p)
            )
        })
    }
}

/// What a cost is for, after its figure.
fn per(cost: &Metric) -> &'static str {
    if *cost == Metric::COST_PER_MONTH {
        "/month"
    } else if *cost == Metric::COST_PER_1K_ANSWERS {
        " for 1,000 answers"
    } else {
        " for 1,000 requests"
    }
}

/// The cheapest of those that meet every objective, and one that is faster for more.
fn chosen(given: &Given<'_>, meeting: &[usize], undecided: &[usize]) -> (Option<usize>, Vec<String>) {
    let alone = given.policies.len() == 1;
    let Some(cost) = given.cost(meeting) else {
        let names = named(given, meeting);
        let sentence = if alone {
            format!("{names} meets every objective.")
        } else {
            format!("Every objective is met by: {names}.")
        };
        return (
            None,
            std::iter::once(sentence)
                .chain(meeting.iter().filter_map(|&p| given.unsettled(p)).take(1))
                .collect(),
        );
    };
    let order = given.by(&cost, meeting);
    let choice = order[0];
    let others = meeting.len() - 1;
    let money = given.money(&cost, choice);
    let mut sentences = vec![match (alone, others) {
        (true, _) => format!("{} meets every objective, at {money}.", given.name(choice)),
        (false, 0) => format!("Only {} meets every objective, at {money}.", given.name(choice)),
        (false, _) => format!(
            "Cheapest that meets every objective: {}, {money}{}.",
            given.name(choice),
            level(given, &cost, &order)
        ),
    }];
    if choice != 0 && given.policies.len() > 1 {
        sentences.extend(against_baseline(given, &cost, choice, meeting, undecided));
    }
    sentences.extend(less_good(given, choice));
    sentences.extend(fails_more(given, choice, meeting));
    sentences.extend(gone(given, &[choice]));
    sentences.extend(faster(given, &cost, choice, meeting));
    sentences.extend(given.unsettled(choice));
    (Some(choice), sentences)
}

/// Those whose cost the runs cannot tell from the cheapest's.
fn level(given: &Given<'_>, cost: &Metric, order: &[usize]) -> String {
    let (choice, others) = (order[0], &order[1..]);
    let is_level = |p: &usize| {
        let paired = given.paired(cost, choice, *p, others.len());
        paired.is_some_and(|paired| !matches!(paired.verdict, Verdict::Higher | Verdict::Lower))
    };
    let level: Vec<usize> = others.iter().copied().filter(is_level).collect();
    if level.is_empty() {
        String::new()
    } else {
        format!(" (its cost cannot be told from that of {})", named(given, &level))
    }
}

/// Of policies that all fail an objective the one that comes nearest to meeting them.
fn nearest(given: &Given<'_>, card: &Scorecard) -> Option<usize> {
    let failed = of_verdict(card, Judged::Fail);
    let nearer = |&a: &usize, &b: &usize| {
        distance(given, card, a)
            .partial_cmp(&distance(given, card, b))
            .unwrap_or(Ordering::Equal)
    };
    let all_fail = failed.len() == card.rows.len();
    failed.into_iter().min_by(nearer).filter(|_| all_fail)
}

/// That none meets every objective, and which comes `nearest`.
fn if_none(given: &Given<'_>, card: &Scorecard, nearest: Option<usize>) -> String {
    let failed = of_verdict(card, Judged::Fail);
    let lead = match (failed.len() == card.rows.len(), card.rows.len()) {
        (true, 1) => format!("{} does not meet every objective", given.name(0)),
        (true, _) => "No policy meets every objective".to_owned(),
        (false, 1) => format!("Whether {} meets every objective cannot be told", given.name(0)),
        (false, _) => "No policy is certain to meet every objective".to_owned(),
    };
    let Some(best) = nearest else {
        return format!("{lead}.");
    };
    let row = &card.rows[best];
    let fails = card.goals_judged(row, Judged::Fail).map(|goal| {
        let unit = goal.metric.unit_in(given.code);
        let found = given.over_all(&goal.metric, best);
        let found = if found.value == f64::INFINITY {
            format::ENDLESS.to_owned()
        } else {
            format::value(unit, found.value)
        };
        format!(
            "{} {found} ({})",
            goal.metric.title_in(given.code),
            goal.bound_in(given.code)
        )
    });
    let fails: Vec<String> = fails.collect();
    if card.rows.len() == 1 {
        format!("{lead}: it fails {}.", fails.join(", "))
    } else {
        format!(
            "{lead}. {} comes nearest; it fails {}.",
            given.name(best),
            fails.join(", ")
        )
    }
}

/// How far a policy is from meeting every objective: the number that it fails, the largest factor by which a figure misses its bound,
/// and its share of errors, by which those differ whose requests never end.
fn distance(given: &Given<'_>, card: &Scorecard, p: usize) -> (usize, f64, f64) {
    let fails = || card.goals_judged(&card.rows[p], Judged::Fail);
    let missed = fails().map(|goal| {
        let found = given.over_all(&goal.metric, p).value;
        let (above, below) = if goal.at_most {
            (found, goal.bound)
        } else {
            (goal.bound, found)
        };
        if below > 0.0 { above / below } else { f64::INFINITY }
    });
    let errors = estimate(&given.policies[p], &Metric::ERROR_RATE).value;
    (fails().count(), missed.fold(1.0, f64::max), errors)
}

/// The policies that fail nothing and of which something cannot be told.
fn undecided(given: &Given<'_>, card: &Scorecard) -> Option<String> {
    let open = of_verdict(card, Judged::Undecided);
    if open.is_empty() {
        return None;
    }
    let one = |&p: &usize| {
        let goals: Vec<String> = (card.goals_judged(&card.rows[p], Judged::Undecided))
            .map(|goal| goal.metric.title_in(given.code))
            .collect();
        format!("{} ({})", given.name(p), goals.join(", "))
    };
    let more = open.len().saturating_sub(NAMED);
    let shown: Vec<String> = open.iter().take(NAMED).map(one).collect();
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    let grows = |&p: &usize| given.gathered[p].piles_up();
    let why = match (open.iter().any(grows), open.iter().all(grows)) {
        (_, true) => "requests pile up for as long as it is run",
        (true, false) => "an interval contains the bound, there is none, or requests pile up",
        (false, false) => "an interval contains the bound or there is none",
    };
    Some(format!("Undecided, because {why}: {}{more}.", shown.join("; ")))
}

/// Names with commas, the first few.
fn named(given: &Given<'_>, policies: &[usize]) -> String {
    let names: Vec<&str> = policies.iter().take(NAMED).map(|&p| given.name(p)).collect();
    match policies.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
