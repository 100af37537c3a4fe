//! Footnotes: why a figure has no interval, or does not exist; each reason once.
//!
//! A mark stands behind the figure where its interval would be, or behind the interval of one of which there is more to say. Left
//! out: notes in the order of the page; they are numbered as they come up, which is the same while tables are made in the order in
//! which they are shown.

use crate::report::Unit;
use crate::report::format::{self, Spread, difference_parts, parts};
use crate::report::table::Cell;
use crate::report::text::mark;
use crate::stats::interval::Estimate;

/// The reasons so far.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    /// A figure with its interval, or with the mark of the reason why it has none; `why` if a better one is known.
    pub(super) fn cell(&mut self, unit: Unit, estimate: &Estimate, why: Option<&str>) -> Cell {
        let parts = parts(unit, estimate);
        self.joined(parts, estimate, why)
    }

    /// When something came about, in seconds; "never" if it did in no replication.
    pub(super) fn moment(&mut self, estimate: &Estimate) -> Cell {
        match estimate.n {
            0 => Cell::new(format::NEVER),
            _ => self.cell(Unit::Seconds, estimate, None),
        }
    }

    /// The cell of a signed difference, with its note.
    pub(super) fn difference(&mut self, unit: Unit, estimate: &Estimate) -> Cell {
        let parts = difference_parts(unit, estimate);
        self.joined(parts, estimate, None)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each reason with its mark.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, &str)> {
        self.0
            .iter()
            .enumerate()
            .map(|(index, note)| (mark(index), note.as_str()))
    }

    fn joined(&mut self, parts: (String, Option<Spread>), estimate: &Estimate, why: Option<&str>) -> Cell {
        let (figure, spread) = parts;
        let cell = Cell::new(figure);
        match (spread, why) {
            (Some(spread), Some(why)) => cell.tail(format!("{}{}", spread.tight(), self.mark(why))),
            (Some(spread), None) => cell.tail(spread.tight()),
            (None, why) => cell.tail(self.mark(&reason(estimate, why))),
        }
    }

    fn mark(&mut self, note: &str) -> String {
        let found = self.0.iter().position(|known| known == note);
        mark(found.unwrap_or_else(|| {
            self.0.push(note.to_owned());
            self.0.len() - 1
        }))
    }
}

fn reason(estimate: &Estimate, why: Option<&str>) -> String {
    if estimate.value == f64::INFINITY {
        let why = why.unwrap_or("more requests never got their answer than the percentile leaves out");
        return why.to_owned();
    }
    let missing = if estimate.value.is_finite() {
        "no interval"
    } else {
        format::NONE
    };
    match (why, estimate.n, estimate.undefined) {
        (Some(why), _, _) => format!("{missing}: {why}"),
        (None, 1, 0) => format!("{missing}: 1 replication"),
        _ => match estimate.why_no_interval() {
            Some(why) => format!("{missing}: {why}"),
            None => format!("{missing}: the figure is not a number"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(mean: f64, n: usize, undefined: usize) -> Estimate {
        Estimate {
            value: mean,
            n,
            undefined,
            ..Estimate::NONE
        }
    }

    #[test]
    fn each_reason_is_given_once() {
        let mut notes = Notes::default();
        let mut tail = |estimate, why| notes.cell(Unit::Seconds, &estimate, why).tail;
        let marks = [
            tail(estimate(1.0, 1, 0), None),
            tail(estimate(2.0, 1, 0), None),
            tail(estimate(f64::NAN, 0, 3), None),
            tail(estimate(2.0, 1, 0), Some("too few")),
        ];
        assert_eq!(marks, ["¹", "¹", "²", "³"]);
        let found: Vec<&str> = notes.iter().map(|(_, note)| note).collect();
        assert_eq!(
            found,
            [
                "no interval: 1 replication",
                "–: none of the 3 replications defines this figure",
                "no interval: too few"
            ]
        );
    }
}
