//! What limits for each user, class, key or tag did, on a terminal.

use super::notes::Notes;
use crate::report::table::{Cell, Table};
use crate::report::text::clean;
use crate::report::{Report, Unit};

/// The identities that are named in a row.
const NAMED: usize = 3;

/// One row for each limit of each policy that is for each identity.
pub(super) fn table(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    table.words("", "for each");
    table.column("", "refused");
    table.column("identities", "asked");
    table.column("identities", "limited");
    table.words("", "most refused");
    for policy in &report.policies {
        for of in &policy.identities {
            let cells = [
                Cell::new(clean(&format!("{} ({})", of.place, of.what))),
                notes.cell(Unit::Share, &of.refused, None),
                notes.cell(Unit::Number, &of.identities, None),
                notes.cell(Unit::Number, &of.limited, None),
                Cell::new(of.worst_in_words(NAMED)),
            ];
            table.row(&clean(&policy.name), cells);
        }
    }
    table
}
