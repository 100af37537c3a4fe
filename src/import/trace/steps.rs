//! The steps of time of rows that are several requests each, and how many of them have no row.
//!
//! What monitoring leaves out looks like a quiet minute. Left out: steps before the first row and behind the last.

use crate::kernel::time::Span;

/// The most times that are kept to be counted: ten years of minutes.
const MOST: usize = 5_300_000;

/// The steps of time of rows that are several requests each, in whatever order.
#[derive(Default)]
pub(super) struct Steps {
    times: Vec<i64>,
    is_cut: bool,
}

impl Steps {
    pub(super) fn look(&mut self, at: i64) {
        if self.times.last() == Some(&at) {
            return;
        }
        match self.times.len() < MOST {
            true => self.times.push(at),
            false => self.is_cut = true,
        }
    }

    /// The least time between two that differ, and how many steps have no row, in words.
    pub(super) fn told(mut self) -> (Option<u64>, Option<String>) {
        self.times.sort_unstable();
        self.times.dedup();
        let least = self.times.windows(2).map(|two| two[1].abs_diff(two[0])).min();
        let ends = self.times.first().zip(self.times.last());
        let missing = least.zip(ends).filter(|_| !self.is_cut).and_then(|(least, (first, last))| {
            let all = (last.abs_diff(*first) + least / 2) / least + 1;
            let missing = all.checked_sub(self.times.len() as u64).filter(|missing| *missing > 0)?;
            let seconds = (Span::from_nanos(least).seconds() * 100.0).round() / 100.0;
            Some(format!(
                "{missing} of {all} steps of {seconds} s have no row: they count as no requests, whatever was asked in them"
            ))
        });
        (least, missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn missing(minutes: &[i64]) -> Option<String> {
        let mut steps = Steps::default();
        minutes.iter().for_each(|minute| steps.look(minute * MINUTE));
        steps.told().1
    }

    #[test]
    fn minutes_without_a_row_are_counted() {
        assert_eq!(missing(&[5, 6, 7, 8]), None);
        assert_eq!(missing(&[5, 5, 6, 6, 7]), None, "a row for each class");
        let said = missing(&[5, 6, 9, 10]).unwrap();
        assert!(said.starts_with("2 of 6 steps of 60 s have no row"), "{said}");
    }

    #[test]
    fn rows_out_of_order_are_counted_too_and_one_alone_says_nothing() {
        let said = missing(&[10, 9, 6, 5, 9]).unwrap();
        assert!(said.starts_with("2 of 6 steps of 60 s have no row"), "{said}");
        assert_eq!(missing(&[5]), None);
        assert_eq!(missing(&[]), None);
    }
}
