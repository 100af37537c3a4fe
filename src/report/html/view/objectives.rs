//! The table of objectives: one column an objective, one row a policy that any is asked of.

use serde::Serialize;

use super::keys::policy_key;
use super::notes::{Note, Notes};
use super::{Cell, Named};
use crate::report::{Judged, Judgement, Report, format};

#[derive(Serialize)]
pub(super) struct Objectives {
    columns: Vec<String>,
    rows: Vec<Named<Vec<Option<Badge>>>>,
    notes: Vec<Note>,
}

#[derive(Serialize)]
struct Badge {
    word: &'static str,
    cell: Cell,
}

pub(super) fn objectives(report: &Report) -> Option<Objectives> {
    let mut notes = Notes::of("objectives");
    let mut kinds: Vec<&Judgement> = vec![];
    let same = |a: &Judgement, b: &Judgement| (&a.metric, a.bound, a.at_most) == (&b.metric, b.bound, b.at_most);
    for judgement in &report.objectives {
        if !kinds.iter().any(|known| same(known, judgement)) {
            kinds.push(judgement);
        }
    }
    let rows = report.policies.iter().enumerate().map(|(index, policy)| Named {
        key: policy_key(index, &policy.name),
        it: kinds
            .iter()
            .map(|kind| {
                let own = report
                    .objectives
                    .iter()
                    .find(|other| same(kind, other) && other.policy == policy.name)?;
                Some(Badge {
                    word: match own.judged {
                        Judged::Pass => "pass",
                        Judged::Fail => "fail",
                        Judged::Undecided => "undecided",
                    },
                    cell: notes.judged(own, report.code()),
                })
            })
            .collect::<Vec<_>>(),
    });
    let rows: Vec<_> = rows.filter(|row| row.it.iter().any(Option::is_some)).collect();
    let columns = kinds.iter().map(|kind| {
        let sign = if kind.at_most { "≤" } else { "≥" };
        format!(
            "{} {sign} {}",
            kind.metric.title_in(report.code()),
            format::tick(kind.metric.unit_in(report.code()), kind.bound)
        )
    });
    (!kinds.is_empty()).then(|| Objectives {
        columns: columns.collect(),
        rows,
        notes: notes.list(),
    })
}
