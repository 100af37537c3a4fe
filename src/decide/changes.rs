//! What became of each policy from one result to another: the first sentences of a page of two results.
//!
//! An objective is one that fails now, one that fails no longer, one that fails still, or one that was met and is open now, by the verdicts of the
//! two results; what is open in both is not told. Left out: how sure a change of verdict is, which the intervals beside the figures say.

use super::compare::{Terms, in_short};
use crate::report::{Code, Comparison, Goal, Judged, Metric, PolicyReport, Report, format};

/// The objectives of a policy whose verdict is another in the second result, and those that it fails in both, in the words of the second.
pub(super) struct Changes {
    now_fails: Vec<(Goal, f64)>,
    no_longer_fails: Vec<(Goal, f64)>,
    still_fails: Vec<(Goal, f64)>,
    /// Those that it met, and of which it cannot be told now.
    now_open: Vec<(Goal, f64)>,
    /// Those that it fails now and are not asked of it.
    fails_unasked: Vec<(Goal, f64)>,
}

impl Changes {
    /// What became of the objectives of the policy of that name.
    pub(super) fn of(policy: &str, first: &Report, second: &Report) -> Changes {
        let before: Vec<_> = first.objectives.iter().filter(|o| o.policy == policy).collect();
        let mut changes = Changes {
            now_fails: Vec::new(),
            no_longer_fails: Vec::new(),
            still_fails: Vec::new(),
            now_open: Vec::new(),
            fails_unasked: Vec::new(),
        };
        for now in second.objectives.iter().filter(|o| o.policy == policy) {
            let was = before.iter().find(|o| o.goal() == now.goal()).map(|o| o.judged);
            let list = match (was, now.judged) {
                (Some(Judged::Fail), Judged::Fail) => &mut changes.still_fails,
                (Some(Judged::Fail), Judged::Pass | Judged::Undecided) => &mut changes.no_longer_fails,
                (Some(Judged::Pass | Judged::Undecided) | None, Judged::Fail) => &mut changes.now_fails,
                (Some(Judged::Pass), Judged::Undecided) => &mut changes.now_open,
                (Some(Judged::Pass | Judged::Undecided) | None, Judged::Pass | Judged::Undecided) => continue,
            };
            list.push((now.goal(), now.estimate.value));
        }
        let judged = |report: &Report, goal: &Goal| {
            let at = report.scorecard.goals.iter().position(|known| known == goal)?;
            *report.scorecard.of(policy)?.judged.get(at)?
        };
        let is_asked = |goal: &Goal| {
            second
                .objectives
                .iter()
                .any(|o| o.policy == policy && o.goal() == *goal)
        };
        let reported = second.policies.iter().find(|of| of.name == policy);
        for goal in second.scorecard.goals.iter().filter(|goal| !is_asked(goal)) {
            let became = judged(second, goal) == Some(Judged::Fail) && judged(first, goal) != Some(Judged::Fail);
            let measured = reported.and_then(|of| of.metrics.iter().find(|m| m.metric == goal.metric));
            if let Some(measured) = measured.filter(|_| became) {
                let estimate = measured.of_all.unwrap_or(measured.estimate);
                changes.fails_unasked.push((goal.clone(), estimate.value));
            }
        }
        changes
    }

    /// Whether it now fails an objective that it did not fail.
    pub(super) fn is_worse(&self) -> bool {
        !self.now_fails.is_empty()
    }

    /// What is said where no difference stands and matters. Beside an objective that is met in one run alone that would be no answer.
    fn without_difference(&self, terms: Terms<'_>) -> &'static str {
        match (
            self.now_fails.is_empty() && self.no_longer_fails.is_empty(),
            terms.same_traffic,
        ) {
            (false, _) => "no difference is certain",
            (true, true) => "no difference that stands and matters",
            (true, false) => "beside what follows from the traffic no difference that stands and matters",
        }
    }

    /// The changes in words; empty if there are none.
    pub(super) fn in_words(&self, code: Option<Code>) -> String {
        let one = |(goal, value): &(Goal, f64)| {
            let value = match *value {
                f64::INFINITY => format::ENDLESS.to_owned(),
                value => format::value(goal.metric.unit_in(code), value),
            };
            format!("{} {} ({value})", goal.metric.title_in(code), goal.bound_in(code))
        };
        let parts = [
            ("now fails", &self.now_fails),
            ("no longer fails", &self.no_longer_fails),
            ("still fails", &self.still_fails),
            ("met before, and cannot be told now:", &self.now_open),
            ("now fails, where it is not asked of it,", &self.fails_unasked),
        ];
        let parts = parts.iter().filter(|(_, list)| !list.is_empty());
        let parts = parts.map(|(what, list)| {
            let list: Vec<String> = list.iter().map(one).collect();
            format!("{what} {}", list.join(", "))
        });
        parts.collect::<Vec<_>>().join("; ")
    }
}

/// What became of the policies: the end of the first sentence, and one for each policy.
pub(super) fn told(
    comparisons: &[Comparison],
    changes: &[Changes],
    namesakes: &[(&PolicyReport, &PolicyReport)],
    terms: Terms<'_>,
    has_objectives: bool,
) -> (String, Vec<String>) {
    /// More policies than this are told of further below alone.
    const MOST: usize = 4;
    if namesakes.is_empty() {
        return (".".into(), Vec::new());
    }
    let count = |list: fn(&Changes) -> &Vec<(Goal, f64)>| changes.iter().filter(|of| !list(of).is_empty()).count();
    let (worse, better) = (count(|c| &c.now_fails), count(|c| &c.no_longer_fails));
    let of_all = |n: usize| format!("{n} of {} policies", namesakes.len());
    let fail = |n: usize| if n == 1 { "fails" } else { "fail" };
    let open = match count(|c| &c.now_open) {
        0 => String::new(),
        n => format!(
            ", and of {} it cannot be told any more whether one that was met is",
            of_all(n)
        ),
    };
    let objectives = match (worse, better) {
        _ if !has_objectives => ".".into(),
        (0, 0) if count(|c| &c.still_fails) > 0 => {
            format!(": no policy fails an objective that it did not fail before{open}.")
        }
        (0, 0) => format!(": no policy fails an objective that is asked of it{open}."),
        (0, n) => format!(": {} no longer {} an objective that failed.", of_all(n), fail(n)),
        (n, 0) => format!(": {} now {} an objective that did not fail.", of_all(n), fail(n)),
        (n, m) => format!(
            ": {} now {} an objective that did not fail, {m} no longer {} one.",
            of_all(n),
            fail(n),
            fail(m)
        ),
    };
    let each = comparisons.iter().zip(changes);
    let lines = each
        .zip(namesakes)
        .take(MOST)
        .map(|((comparison, changes), (before, policy))| {
            let said = changes.in_words(terms.code);
            let and = if said.is_empty() { "" } else { "; " };
            let bill = bill(before, policy, terms);
            let short = in_short(comparison, terms).unwrap_or_else(|| changes.without_difference(terms).to_owned());
            format!("{}: {short}{bill}{and}{said}.", policy.name)
        });
    let mut lines: Vec<String> = lines.collect();
    if namesakes.len() > MOST {
        lines.push(format!("{} more policies: under Verdict.", namesakes.len() - MOST));
    }
    (objectives, lines)
}

/// The bill of a month before and now, where more traffic in one of the two keeps it from being judged.
fn bill(before: &PolicyReport, now: &PolicyReport, terms: Terms<'_>) -> String {
    let month = Metric::COST_PER_MONTH;
    let of = |policy: &PolicyReport| {
        let found = policy.metrics.iter().find(|measured| measured.metric == month)?;
        Some(found.of_all.unwrap_or(found.estimate).value).filter(|value| value.is_finite())
    };
    match (of(before), of(now)) {
        (Some(before), Some(now)) if !terms.same_traffic && before > 0.0 => {
            let money = |value| format::value(month.unit_in(terms.code), value);
            format!(
                "; {} {} to {} ({})",
                month.title_in(terms.code),
                money(before),
                money(now),
                format::relative(now / before - 1.0)
            )
        }
        _ => String::new(),
    }
}
