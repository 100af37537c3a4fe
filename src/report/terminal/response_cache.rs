//! What response caches did: hits, what they saved, how many were wrong and how old.

use super::notes::Notes;
use crate::report::table::{Cell, Table};
use crate::report::text::clean;
use crate::report::{Metric, Report, Unit, format};

/// What the response cache did under each policy that has one.
pub(super) fn table(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    let unit = Metric::COST_PER_MONTH.unit_in(report.code());
    table.column("share of requests", "hits");
    table.column("", "saved / month");
    table.column("share of hits", "wrong");
    table.column("age of answers", "mean");
    table.column("age of answers", "p95");
    for policy in &report.policies {
        let Some(cache) = &policy.response_cache else { continue };
        let none = || Cell::new(format::NONE);
        let age = cache.age.as_ref();
        let cells = [
            notes.cell(Unit::Share, &cache.hits, None),
            notes.cell(unit, &cache.saved_per_month, None),
            (cache.wrong.as_ref()).map_or_else(none, |wrong| notes.cell(Unit::Share, wrong, None)),
            age.map_or_else(none, |age| notes.cell(Unit::Seconds, &age.mean, None)),
            age.map_or_else(none, |age| Cell::new(format::value(Unit::Seconds, age.p95))),
        ];
        table.row(&clean(&policy.name), cells);
    }
    table
}
