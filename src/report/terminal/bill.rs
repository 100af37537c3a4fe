//! The bill of each policy in parts: by class and by provider, where there are several of either.

use super::HEAD;
use super::notes::Notes;
use crate::report::table::{Cell, Table};
use crate::report::text::{clean, fit};
use crate::report::{Bill, BillRow, Metric, Report, Unit};

/// One row for each part of a policy's bill, by class and by provider, where some policy's has several parts.
pub(super) fn bill(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    table.words("", "bill of");
    table.column("", "share");
    table.column("", &Metric::COST_PER_MONTH.short_in(report.code()));
    let unit = Metric::COST_PER_MONTH.unit_in(report.code());
    let several = |of: fn(&Bill) -> &Vec<BillRow>| report.policies.iter().any(|policy| of(&policy.bill).len() > 1);
    let (classes, providers) = (several(|bill| &bill.by_class), several(|bill| &bill.by_provider));
    for policy in &report.policies {
        let mut name = clean(&policy.name);
        let why = policy.metrics.iter().find(|m| m.metric == Metric::COST_PER_MONTH);
        let why = why.and_then(|measured| measured.note.as_deref());
        let by_class = policy.bill.by_class.iter().filter(|_| classes);
        for row in by_class.chain(policy.bill.by_provider.iter().filter(|_| providers)) {
            let cells = [
                Cell::new(fit(&clean(row.title()), HEAD)),
                notes.cell(Unit::Share, &row.share, None),
                notes.cell(unit, &row.cost_per_month, why),
            ];
            table.row(&std::mem::take(&mut name), cells);
        }
    }
    table
}
