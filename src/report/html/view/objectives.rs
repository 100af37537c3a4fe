//! Every policy on every objective: one column an objective, one row a policy.
//!
//! Figures are over all requests, as they are judged. Of many policies the leading ones come first, and the others are folded away.

use serde::Serialize;

use super::keys::Keys;
use super::notes::{Note, Notes};
use super::{Cell, Named};
use crate::report::{Goal, Judged, Report};

/// The most policies of which none is folded away, and how many are shown where there are more.
const ALL: usize = 12;
const LEADING: usize = 8;

#[derive(Serialize)]
pub(super) struct Objectives {
    columns: Vec<String>,
    rows: Vec<Row>,
    /// The rows that are folded away.
    more: Vec<Row>,
    /// Whether some objective is not asked of some policy.
    aside: bool,
    notes: Vec<Note>,
    more_notes: Vec<Note>,
}

type Row = Named<Vec<Option<Badge>>>;

#[derive(Serialize)]
struct Badge {
    word: &'static str,
    /// Whether the objective is asked of this policy; exit codes go by those.
    asked: bool,
    cell: Cell,
}

pub(super) fn objectives(report: &Report, keys: &Keys<'_>) -> Option<Objectives> {
    let card = &report.scorecard;
    if card.goals.is_empty() {
        return None;
    }
    let (mut notes, mut more_notes) = (Notes::of("objectives"), Notes::of("objectives-more"));
    let row = |place: usize, notes: &mut Notes| Named {
        key: keys.at(place),
        it: (card.goals.iter().enumerate())
            .map(|(at, goal)| badge(report, place, at, goal, notes))
            .collect(),
    };
    let mut leading = report.order();
    let rest = leading.split_off(if leading.len() <= ALL { leading.len() } else { LEADING });
    let rows: Vec<Row> = leading.into_iter().map(|place| row(place, &mut notes)).collect();
    let more: Vec<Row> = rest.into_iter().map(|place| row(place, &mut more_notes)).collect();
    let badges = || rows.iter().chain(&more).flat_map(|row| row.it.iter().flatten());
    Some(Objectives {
        columns: (card.goals.iter())
            .map(|goal| {
                format!(
                    "{} {}",
                    goal.metric.title_in(report.code()),
                    goal.bound_in(report.code())
                )
            })
            .collect(),
        aside: badges().any(|badge| !badge.asked),
        rows,
        more,
        notes: notes.list(),
        more_notes: more_notes.list(),
    })
}

fn badge(report: &Report, place: usize, at: usize, goal: &Goal, notes: &mut Notes) -> Option<Badge> {
    let policy = &report.policies[place];
    let row = report.scorecard.rows.get(place)?;
    let judged = row.judged.get(at).copied().flatten()?;
    let mut of_policy = report.objectives.iter().filter(|o| o.policy == policy.name);
    let own = of_policy.find(|o| o.goal() == *goal);
    Some(Badge {
        word: match judged {
            Judged::Pass => "pass",
            Judged::Fail => "fail",
            Judged::Undecided => "undecided",
        },
        asked: own.is_some(),
        cell: match own {
            Some(own) => notes.judged(own, crate::report::shown(policy, &goal.metric).1, report.code()),
            None => notes.measured(policy, &goal.metric, report.code()),
        },
    })
}
