//! The table of objectives: one column an objective, one row a policy.

use serde::Serialize;

use super::keys::policy_key;
use super::notes::Notes;
use super::{Cell, Named};
use crate::report::{Judged, Judgement, Report, format};

#[derive(Serialize)]
pub(super) struct Objectives {
    columns: Vec<String>,
    rows: Vec<Named<Vec<Option<Badge>>>>,
}

#[derive(Serialize)]
struct Badge {
    word: &'static str,
    cell: Cell,
}

pub(super) fn objectives(report: &Report, notes: &mut Notes) -> Option<Objectives> {
    let mut kinds: Vec<&Judgement> = vec![];
    let same = |a: &Judgement, b: &Judgement| (a.metric, a.bound, a.at_most) == (b.metric, b.bound, b.at_most);
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
                    cell: notes.measured(policy, own.metric),
                })
            })
            .collect(),
    });
    let rows = rows.collect();
    let columns = kinds.iter().map(|kind| {
        let sign = if kind.at_most { "≤" } else { "≥" };
        format!(
            "{} {sign} {}",
            kind.metric.title(),
            format::tick(kind.metric.unit(), kind.bound)
        )
    });
    (!kinds.is_empty()).then(|| Objectives {
        columns: columns.collect(),
        rows,
    })
}
