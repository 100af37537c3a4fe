//! How long each limit was reached under the leading policies: one row a limit, one column a policy, the one that binds most marked.

use serde::Serialize;

use super::Cell;
use super::keys::{Key, Keys};
use super::notes::{Note, Notes};
use super::policy::bound_words;
use crate::report::{Report, Unit, format};

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
    /// Whether no limit was reached for longer under the policy.
    binds: bool,
}

pub(super) fn limits(report: &Report, keys: &Keys<'_>) -> Option<Limits> {
    let places = report.leading(MOST);
    let policies = || places.iter().map(|&place| &report.policies[place]);
    let mut names: Vec<String> = Vec::new();
    for bound in policies().flat_map(|policy| &policy.bounds) {
        let name = bound_words(bound);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return None;
    }
    let mut notes = Notes::of("limits");
    let rows = names.into_iter().map(|name| Row {
        cells: policies()
            .map(|policy| {
                let found = policy.bounds.iter().position(|bound| bound_words(bound) == name);
                Marked {
                    // They come with the most binding first.
                    binds: found == Some(0),
                    cell: match found {
                        Some(at) => notes.cell(Unit::Share, &policy.bounds[at].share),
                        None => Cell {
                            value: format::NONE.to_owned(),
                            spread: None,
                            note: None,
                        },
                    },
                }
            })
            .collect(),
        name,
    });
    let rows = rows.collect();
    Some(Limits {
        columns: places.iter().map(|&place| keys.at(place)).collect(),
        rows,
        notes: notes.list(),
        more: report.policies.len() - places.len(),
    })
}
