//! Footnotes: why a figure has no interval, or does not exist. Each table has its own, and in it equal reasons share a
//! letter.

use serde::Serialize;

use super::{Cell, Level};
use crate::report::{Code, Judgement, Metric, PolicyReport, Unit, format};
use crate::stats::interval::Estimate;

/// What stands behind a figure that has a footnote.
#[derive(Clone, Serialize)]
pub(super) struct Mark {
    letter: String,
    /// Where the note is on the page.
    id: String,
}

/// A footnote of the page.
#[derive(Serialize)]
pub(super) struct Note {
    mark: Mark,
    text: String,
}

/// One table's footnotes, in the order in which they are first needed.
pub(super) struct Notes {
    table: String,
    list: Vec<Note>,
}

impl Notes {
    /// Makes an empty list of notes; `table` is a name that no other table of the page has.
    pub(super) fn of(table: impl Into<String>) -> Notes {
        Notes {
            table: table.into(),
            list: vec![],
        }
    }

    /// What goes under the table.
    pub(super) fn list(self) -> Vec<Note> {
        self.list
    }

    /// The mark for a reason; the same for the same reason.
    pub(super) fn mark(&mut self, reason: Option<String>) -> Option<Mark> {
        let text = reason?;
        if let Some(known) = self.list.iter().find(|note| note.text == text) {
            return Some(known.mark.clone());
        }
        let number = self.list.len();
        let letter = match u8::try_from(number) {
            Ok(letter @ 0..26) => char::from(b'a' + letter).to_string(),
            _ => (number + 1).to_string(),
        };
        let id = format!("note-{}-{letter}", self.table);
        let mark = Mark { letter, id };
        self.list.push(Note {
            mark: mark.clone(),
            text,
        });
        Some(mark)
    }

    pub(super) fn cell(&mut self, unit: Unit, estimate: &Estimate) -> Cell {
        self.cell_because(unit, estimate, None)
    }

    /// A figure of which there may be more to say than why it has no interval.
    pub(super) fn cell_because(&mut self, unit: Unit, estimate: &Estimate, own: Option<String>) -> Cell {
        let (value, spread) = format::parts(unit, estimate);
        Cell {
            value,
            spread: spread.map(|spread| spread.to_string()),
            note: self.mark(own.or_else(|| estimate.why_no_interval())),
        }
    }

    /// When something came about, in seconds; "never" if it did in no replication.
    pub(super) fn moment(&mut self, estimate: &Estimate) -> Cell {
        if estimate.n > 0 {
            return self.cell(Unit::Seconds, estimate);
        }
        Cell {
            value: format::NEVER.into(),
            spread: None,
            note: None,
        }
    }

    /// A policy's figure of merit. The report's own reason comes before the general one.
    pub(super) fn measured(&mut self, policy: &PolicyReport, metric: &Metric, code: Option<Code>) -> Cell {
        let (estimate, own) = crate::report::shown(policy, metric);
        self.cell_because(metric.unit_in(code), &estimate, own.map(str::to_owned))
    }

    /// The figure that an objective was judged by, and what else is noted of it.
    pub(super) fn judged(&mut self, judgement: &Judgement, noted: Option<&str>, code: Option<Code>) -> Cell {
        let (value, spread) = format::parts(judgement.metric.unit_in(code), &judgement.estimate);
        Cell {
            value,
            spread: spread.map(|spread| spread.to_string()),
            note: self.mark(
                (judgement.caveat().or_else(|| noted.map(str::to_owned)))
                    .or_else(|| judgement.estimate.why_no_interval()),
            ),
        }
    }

    pub(super) fn level(&mut self, name: String, share: &Estimate) -> Level {
        let length = if share.value.is_finite() {
            share.value.clamp(0.0, 1.0)
        } else {
            0.0
        };
        Level {
            name,
            cell: self.cell(Unit::Share, share),
            length: format!("{:.2}", 100.0 * length),
        }
    }
}
