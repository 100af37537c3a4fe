//! Rows put in order of time, counted from the first, and spread where their times are coarse.

use super::{LONGEST, Raw};
use crate::kernel::time::Span;
use crate::traffic::arrivals::Row;

/// From how long a step on, in nanoseconds, times are spread over it: a second, less what a clock may be off.
const COARSE: u64 = 900_000_000;

/// So many rows at least tell that times are in steps.
const ENOUGH: usize = 20;

/// The rows in order, and what was done to them.
pub(super) fn tidy(mut raw: Vec<Raw>) -> Result<(Vec<Row>, Vec<String>), &'static str> {
    let mut notes = Vec::new();
    let earlier = raw.windows(2).filter(|two| two[1].0 < two[0].0).count();
    if earlier > 0 {
        notes.push(format!(
            "{earlier} of {} rows are earlier than the row before: they are sorted by time",
            raw.len()
        ));
        raw.sort_by_key(|row| row.0);
    }
    let first = raw[0].0;
    let mut rows: Vec<Row> = (raw.into_iter())
        .map(|(at, input, output)| Row {
            at: Span::from_nanos(at.abs_diff(first)),
            input,
            output,
        })
        .collect();
    if rows.last().is_some_and(|row| row.at > LONGEST) {
        return Err("its last row is more than ten years after its first");
    }
    if let Some(step) = step(&rows) {
        spread(&mut rows, step);
        let seconds = (Span::from_nanos(step).seconds() * 100.0).round() / 100.0;
        notes.push(format!(
            "its times are in steps of {seconds} s: the requests of each are spread evenly over it, since how they bunch within it cannot be told"
        ));
    }
    Ok((rows, notes))
}

/// The least time between two that differ, if that is coarse and half of the requests share their time with the one before. A clock that
/// steps need not do so evenly: Mooncake's goes on by 2.997 to 3.003 s.
fn step(rows: &[Row]) -> Option<u64> {
    let gaps = || rows.windows(2).map(|two| two[1].at.nanos() - two[0].at.nanos());
    let shared = gaps().filter(|gap| *gap == 0).count();
    if rows.len() < ENOUGH || shared * 2 < rows.len() {
        return None;
    }
    gaps().filter(|gap| *gap > 0).min().filter(|step| *step >= COARSE)
}

/// Puts the requests of one time at equal distances within the step that begins there, the first at its beginning.
fn spread(rows: &mut [Row], step: u64) {
    for together in rows.chunk_by_mut(|a, b| a.at == b.at) {
        let count = together.len() as u128;
        for (i, row) in together.iter_mut().enumerate() {
            let into = u128::from(step) * i as u128 / count;
            row.at += Span::from_nanos(into as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_counted_from_the_first() {
        let (rows, notes) = tidy(vec![(0, 1, 1), (-5, 2, 2), (7, 3, 3)]).unwrap();
        let times: Vec<(u64, u32)> = rows.iter().map(|row| (row.at.nanos(), row.input)).collect();
        assert_eq!(times, [(0, 2), (5, 1), (12, 3)]);
        assert_eq!(
            notes,
            ["1 of 3 rows are earlier than the row before: they are sorted by time"]
        );
    }

    #[test]
    fn coarse_times_are_spread_and_fine_ones_are_not() {
        let second = 1_000_000_000;
        let coarse = (0..40).map(|i| (i / 10 * 3 * second + i / 30, 1, 1)).collect();
        let (rows, notes) = tidy(coarse).unwrap();
        let times: Vec<f64> = rows.iter().map(|row| row.at.seconds()).collect();
        assert_eq!(&times[..3], [0.0, 0.3, 0.6]);
        assert_eq!(times[10], 3.0);
        assert!(notes[0].starts_with("its times are in steps of 3 s"), "{notes:?}");
        // Batches at finer times stay batches.
        let batches = (0..40).map(|i| (i / 10 * second / 4, 1, 1)).collect();
        let (rows, notes) = tidy(batches).unwrap();
        assert_eq!(rows[9].at, rows[0].at);
        assert!(notes.is_empty());
    }
}
