//! Rows put in order of time, counted from the first, and spread where their times are coarse.
//!
//! They are gone through twice, since how coarse times are is known when all have been seen, and are never all in memory.

use std::io;

use super::sorted::Sorted;
use super::spill::{MOST_IN_MEMORY, Spill};
use super::{Facts, LONGEST};
use crate::kernel::time::Span;
use crate::traffic::rows::{Entry, Packer, Rows};

/// From how long a step on, in nanoseconds, times are spread over it: a second, less what a clock may be off.
const COARSE: u64 = 900_000_000;

/// So many rows at least tell that times are in steps.
const ENOUGH: usize = 20;

/// What is learned of the times of all rows.
#[derive(Debug, Default)]
struct Times {
    first: Option<i64>,
    last: i64,
    /// What all times are multiples of, counted from the first.
    common: u64,
    /// The least time between two that differ, and how many rows have the time of the one before.
    least: Option<u64>,
    shared: usize,
    /// How many rows have the time and both lengths of another, and the lengths of those of the present time.
    duplicates: u64,
    together: Vec<u64>,
}

impl Times {
    fn look(&mut self, at: i64, row: &Entry) {
        let first = *self.first.get_or_insert(at);
        if self.common != 1 {
            self.common = common(at.abs_diff(first), self.common);
        }
        if at == self.last && !self.together.is_empty() {
            self.shared += 1;
        } else if !self.together.is_empty() {
            let gap = at.abs_diff(self.last);
            self.least = Some(self.least.map_or(gap, |least| least.min(gap)));
            self.step_on();
        }
        self.last = at;
        self.together.push(u64::from(row.input) << 32 | u64::from(row.output));
    }

    /// The rows of one time are all there.
    fn step_on(&mut self) {
        self.together.sort_unstable();
        let twice = self.together.windows(2).filter(|two| two[0] == two[1]);
        self.duplicates += twice.count() as u64;
        self.together.clear();
    }

    /// The least time between two that differ, if that is coarse and half of the requests share their time with the one before. A clock that
    /// steps need not do so evenly: Mooncake's goes on by 2.997 to 3.003 s.
    fn step(&self, count: usize) -> Option<u64> {
        if count < ENOUGH || self.shared * 2 < count {
            return None;
        }
        self.least.filter(|step| *step >= COARSE)
    }

    /// The largest power of ten of nanoseconds that all times are multiples of.
    fn resolution(&self) -> Span {
        let mut power = 1_u64;
        while self.common > 0 && power < 1_000_000_000_000 && self.common.is_multiple_of(power * 10) {
            power *= 10;
        }
        Span::from_nanos(power)
    }
}

/// The greatest number that both are multiples of.
fn common(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The rows in order, what is kept beside each if `keeps` says that something is, and what was done to them. `facts` gets what is seen on
/// the way; its `starts` is the earliest time as rows have it.
pub(super) fn tidy(sorted: &Sorted, keeps: bool, facts: &mut Facts) -> io::Result<(Rows, Vec<u32>, Vec<String>)> {
    let mut notes = Vec::new();
    facts.earlier = sorted.earlier;
    if sorted.earlier > 0 {
        notes.push(match facts.counted_over {
            Some(_) => "its rows are not in the order of time: they are sorted".to_owned(),
            None => format!(
                "{} of {} rows are earlier than the one before: they are sorted by time",
                sorted.earlier,
                sorted.len()
            ),
        });
    }
    let mut times = Times::default();
    sorted.each(&mut |at, row| {
        times.look(at, row);
        Ok(())
    })?;
    times.step_on();
    let first = times.first.unwrap_or(0);
    facts.starts = Some(i128::from(first));
    facts.duplicates = facts.counted_over.map_or(times.duplicates, |_| 0);
    facts.resolution = times.resolution();
    if times.last.abs_diff(first) > LONGEST.nanos() {
        return Err(io::Error::other("its last row is more than ten years after its first"));
    }
    let step = match facts.counted_over {
        None => times.step(sorted.len()),
        Some(over) => Some(over.nanos()).filter(|over| *over > 0),
    };
    facts.step = step.map(Span::from_nanos);
    if let Some(step) = step {
        let seconds = (Span::from_nanos(step).seconds() * 100.0).round() / 100.0;
        notes.push(format!(
            "its times are in steps of {seconds} s: the requests of each are spread evenly over it, since how they bunch within it cannot be told"
        ));
    }
    let mut packer = Packer::over(Box::new(Spill::beyond(MOST_IN_MEMORY)));
    let mut beside = Vec::with_capacity(if keeps { sorted.len() } else { 0 });
    let mut together: Vec<Entry> = Vec::new();
    sorted.each(&mut |at, row| {
        if keeps {
            beside.push(row.beside);
        }
        let row = Entry {
            at: at.abs_diff(first),
            beside: 0,
            ..*row
        };
        let Some(step) = step else { return packer.push(&row) };
        if together.first().is_some_and(|of| of.at != row.at) {
            spread(&mut together, step, &mut packer)?;
        }
        together.push(row);
        Ok(())
    })?;
    if let Some(step) = step {
        spread(&mut together, step, &mut packer)?;
    }
    Ok((packer.finish()?, beside, notes))
}

/// Puts the requests of one time at equal distances within the step that begins there, the first at its beginning.
fn spread(together: &mut Vec<Entry>, step: u64, packer: &mut Packer) -> io::Result<()> {
    let count = together.len() as u128;
    for (i, mut row) in together.drain(..).enumerate() {
        row.at += (u128::from(step) * i as u128 / count) as u64;
        packer.push(&row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Raw;
    use super::super::sorted::Sorter;
    use super::*;
    use crate::traffic::arrivals::Row;

    fn tidied(raw: Vec<Raw>, facts: &mut Facts) -> (Vec<Row>, Vec<String>) {
        let mut sorter = Sorter::new();
        raw.into_iter().for_each(|row| sorter.push(row, 0).unwrap());
        let (rows, _, notes) = tidy(&sorter.finish().unwrap(), false, facts).unwrap();
        (rows.iter().collect(), notes)
    }

    #[test]
    fn rows_are_sorted_and_counted_from_the_first() {
        let (rows, notes) = tidied(vec![(0, 1, 1), (-5, 2, 2), (7, 3, 3)], &mut Facts::default());
        let times: Vec<(u64, u32)> = rows.iter().map(|row| (row.at.nanos(), row.input)).collect();
        assert_eq!(times, [(0, 2), (5, 1), (12, 3)]);
        assert_eq!(
            notes,
            ["1 of 3 rows are earlier than the one before: they are sorted by time"]
        );
    }

    #[test]
    fn coarse_times_are_spread_and_fine_ones_are_not() {
        let second = 1_000_000_000;
        let coarse = (0..40).map(|i| (i / 10 * 3 * second + i / 30, 1, 1)).collect();
        let mut facts = Facts::default();
        let (rows, notes) = tidied(coarse, &mut facts);
        let times: Vec<f64> = rows.iter().map(|row| row.at.seconds()).collect();
        assert_eq!(&times[..3], [0.0, 0.3, 0.6]);
        assert_eq!(times[10], 3.0);
        assert!(notes[0].starts_with("its times are in steps of 3 s"), "{notes:?}");
        assert_eq!(facts.step, Some(Span::from_secs(3)));
        // Batches at finer times stay batches.
        let batches = (0..40).map(|i| (i / 10 * second / 4, 1, 1)).collect();
        let (rows, notes) = tidied(batches, &mut facts);
        assert_eq!(rows[9].at, rows[0].at);
        assert!(notes.is_empty());
    }

    #[test]
    fn what_is_there_twice_and_how_fine_the_clock_is() {
        let mut facts = Facts::default();
        tidied(
            vec![(0, 1, 1), (3_000, 2, 2), (3_000, 1, 2), (3_000, 2, 2), (9_500, 2, 2)],
            &mut facts,
        );
        assert_eq!((facts.duplicates, facts.resolution), (1, Span::from_nanos(100)));
        tidied(vec![(7, 1, 1), (3_000_000_007, 1, 1)], &mut facts);
        assert_eq!(facts.resolution, Span::from_secs(1));
    }
}
