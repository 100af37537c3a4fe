//! What the experiment asks for beyond the main table: one row a metric, one column a policy.

use serde::Serialize;

use super::Cell;
use super::keys::{Key, Keys};
use super::notes::{Note, Notes};
use crate::report::Report;

#[derive(Serialize)]
pub(super) struct Further {
    columns: Vec<Key>,
    rows: Vec<FurtherRow>,
    notes: Vec<Note>,
}

#[derive(Serialize)]
struct FurtherRow {
    name: String,
    cells: Vec<Cell>,
}

pub(super) fn further(report: &Report, keys: &Keys<'_>) -> Option<Further> {
    let mut notes = Notes::of("further");
    let order = report.order();
    let metrics = report.further(|standard| standard.page.is_some());
    let rows = metrics.iter().map(|metric| FurtherRow {
        name: metric.title_in(report.code()),
        cells: order
            .iter()
            .map(|&place| notes.measured(&report.policies[place], metric, report.code()))
            .collect(),
    });
    let rows: Vec<FurtherRow> = rows.collect();
    (!rows.is_empty()).then(|| Further {
        columns: order.iter().map(|&place| keys.at(place)).collect(),
        rows,
        notes: notes.list(),
    })
}
