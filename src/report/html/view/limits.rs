//! How long each limit was reached under the leading policies, and how much of each quota was used: one row each, one column a policy,
//! the greatest share of each marked.

use serde::Serialize;

use super::Cell;
use super::keys::{Key, Keys};
use super::notes::{Note, Notes};
use super::policy::bound_words;
use crate::report::{PolicyReport, Report, Unit, format};
use crate::stats::interval::Estimate;

/// The most policies that a table has a column for.
const MOST: usize = 8;

#[derive(Serialize)]
pub(super) struct Limits {
    columns: Vec<Key>,
    rows: Vec<Row>,
    notes: Vec<Note>,
    /// How many policies have no column.
    more: usize,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<Marked>,
}

#[derive(Serialize)]
struct Marked {
    cell: Cell,
    /// Whether no share is greater under the policy.
    binds: bool,
}

/// Shares with their names, the greatest first.
type Named<'a> = Vec<(String, &'a Estimate)>;

pub(super) fn limits(report: &Report, keys: &Keys<'_>) -> Option<Limits> {
    table(report, keys, "limits", |policy| {
        policy.bounds.iter().map(|b| (bound_words(b), &b.share)).collect()
    })
}

pub(super) fn quotas(report: &Report, keys: &Keys<'_>) -> Option<Limits> {
    table(report, keys, "quotas", |policy| {
        policy.quotas.iter().map(|q| (q.title(), &q.used)).collect()
    })
}

fn table(report: &Report, keys: &Keys<'_>, notes: &str, of: fn(&PolicyReport) -> Named<'_>) -> Option<Limits> {
    let mut places = report.order();
    places.truncate(MOST);
    let policies: Vec<Named<'_>> = places.iter().map(|&place| of(&report.policies[place])).collect();
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in policies.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return None;
    }
    let mut notes = Notes::of(notes);
    let rows = names.into_iter().map(|name| Row {
        cells: (policies.iter())
            .map(|shares| {
                let found = shares.iter().position(|(known, _)| known == name);
                Marked {
                    binds: found == Some(0),
                    cell: match found {
                        Some(at) => notes.cell(Unit::Share, shares[at].1),
                        None => Cell {
                            value: format::NONE.to_owned(),
                            spread: None,
                            note: None,
                        },
                    },
                }
            })
            .collect(),
        name: name.clone(),
    });
    let rows = rows.collect();
    Some(Limits {
        columns: places.iter().map(|&place| keys.at(place)).collect(),
        rows,
        notes: notes.list(),
        more: report.policies.len() - places.len(),
    })
}
