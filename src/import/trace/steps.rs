//! The steps of time of rows that are several requests each, and how many of them have no row.
//!
//! What monitoring leaves out looks like a quiet minute. Left out: steps before the first row and behind the last.

use crate::kernel::time::Span;

/// The steps of time of rows that are several requests each.
#[derive(Default)]
pub(super) struct Steps {
    first: i64,
    last: Option<i64>,
    /// The least time between two that differ.
    pub(super) least: Option<u64>,
    /// How many times there are.
    times: u64,
    /// Whether a time is earlier than the one before.
    has_earlier: bool,
}

impl Steps {
    pub(super) fn look(&mut self, at: i64) {
        let Some(last) = self.last.replace(at) else {
            (self.first, self.times) = (at, 1);
            return;
        };
        self.has_earlier |= at < last;
        let gap = at.abs_diff(last);
        if gap > 0 {
            self.times += 1;
            self.least = Some(self.least.map_or(gap, |least| least.min(gap)));
        }
    }

    /// How many steps have no row, if their rows are in order.
    pub(super) fn missing(&self) -> Option<String> {
        let least = self.least.filter(|_| !self.has_earlier)?;
        let all = (self.last?.abs_diff(self.first) + least / 2) / least + 1;
        let missing = all.checked_sub(self.times).filter(|missing| *missing > 0)?;
        let seconds = (Span::from_nanos(least).seconds() * 100.0).round() / 100.0;
        Some(format!(
            "{missing} of {all} steps of {seconds} s have no row: they count as no requests, whatever was asked in them"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn missing(minutes: &[i64]) -> Option<String> {
        let mut steps = Steps::default();
        minutes.iter().for_each(|minute| steps.look(minute * MINUTE));
        steps.missing()
    }

    #[test]
    fn minutes_without_a_row_are_counted() {
        assert_eq!(missing(&[5, 6, 7, 8]), None);
        assert_eq!(missing(&[5, 5, 6, 6, 7]), None, "a row for each class");
        let said = missing(&[5, 6, 9, 10]).unwrap();
        assert!(said.starts_with("2 of 6 steps of 60 s have no row"), "{said}");
    }

    #[test]
    fn rows_out_of_order_and_one_alone_say_nothing() {
        assert_eq!(missing(&[5, 9, 6]), None);
        assert_eq!(missing(&[5]), None);
        assert_eq!(missing(&[]), None);
    }
}
