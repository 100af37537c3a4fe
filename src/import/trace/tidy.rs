//! Rows put in order of time, counted from the first, and spread where their times are coarse.

use super::{Facts, LONGEST, Raw};
use crate::kernel::time::Span;
use crate::traffic::arrivals::Row;

/// From how long a step on, in nanoseconds, times are spread over it: a second, less what a clock may be off.
const COARSE: u64 = 900_000_000;

/// So many rows at least tell that times are in steps.
const ENOUGH: usize = 20;

/// The rows in order, and what was done to them; what is `beside` each is put in the same order. `facts` gets what is seen on the way; its
/// `starts` is the earliest time as rows have it.
pub(super) fn tidy(
    mut raw: Vec<Raw>,
    beside: Option<&mut Vec<u32>>,
    facts: &mut Facts,
) -> Result<(Vec<Row>, Vec<String>), &'static str> {
    let mut notes = Vec::new();
    let earlier = raw.windows(2).filter(|two| two[1].0 < two[0].0).count();
    if earlier > 0 {
        notes.push(format!(
            "{earlier} of {} rows are earlier than the row before: they are sorted by time",
            raw.len()
        ));
        if let Some(beside) = beside {
            let mut both: Vec<(i64, u32)> = raw.iter().zip(beside.iter()).map(|(row, of)| (row.0, *of)).collect();
            both.sort_by_key(|row| row.0);
            beside.clear();
            beside.extend(both.iter().map(|(_, of)| *of));
        }
        raw.sort_by_key(|row| row.0);
    }
    let first = raw[0].0;
    facts.earlier = earlier as u64;
    facts.starts = Some(i128::from(first));
    facts.duplicates = raw.chunk_by(|a, b| a.0 == b.0).map(repeated).sum();
    facts.resolution = resolution(&raw);
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
        facts.step = Some(Span::from_nanos(step));
        spread(&mut rows, step);
        let seconds = (Span::from_nanos(step).seconds() * 100.0).round() / 100.0;
        notes.push(format!(
            "its times are in steps of {seconds} s: the requests of each are spread evenly over it, since how they bunch within it cannot be told"
        ));
    }
    Ok((rows, notes))
}

/// How many of the rows of one time have both lengths of one before them.
fn repeated(together: &[Raw]) -> u64 {
    if together.len() < 2 {
        return 0;
    }
    let both = |row: &Raw| u64::from(row.1) << 32 | u64::from(row.2);
    let mut lengths: Vec<u64> = together.iter().map(both).collect();
    lengths.sort_unstable();
    lengths.windows(2).filter(|two| two[0] == two[1]).count() as u64
}

/// The largest power of ten of nanoseconds that all times are multiples of, counted from the first.
fn resolution(rows: &[Raw]) -> Span {
    let mut common = 0_u64;
    for row in rows {
        let (mut a, mut b) = (row.0.abs_diff(rows[0].0), common);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        common = a;
        if common == 1 {
            break;
        }
    }
    let mut power = 1_u64;
    while common > 0 && power < 1_000_000_000_000 && common.is_multiple_of(power * 10) {
        power *= 10;
    }
    Span::from_nanos(power)
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
        let (rows, notes) = tidy(vec![(0, 1, 1), (-5, 2, 2), (7, 3, 3)], None, &mut Facts::default()).unwrap();
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
        let mut facts = Facts::default();
        let (rows, notes) = tidy(coarse, None, &mut facts).unwrap();
        let times: Vec<f64> = rows.iter().map(|row| row.at.seconds()).collect();
        assert_eq!(&times[..3], [0.0, 0.3, 0.6]);
        assert_eq!(times[10], 3.0);
        assert!(notes[0].starts_with("its times are in steps of 3 s"), "{notes:?}");
        assert_eq!(facts.step, Some(Span::from_secs(3)));
        // Batches at finer times stay batches.
        let batches = (0..40).map(|i| (i / 10 * second / 4, 1, 1)).collect();
        let (rows, notes) = tidy(batches, None, &mut facts).unwrap();
        assert_eq!(rows[9].at, rows[0].at);
        assert!(notes.is_empty());
    }

    #[test]
    fn what_is_there_twice_and_how_fine_the_clock_is() {
        let mut facts = Facts::default();
        tidy(
            vec![(0, 1, 1), (3_000, 2, 2), (3_000, 1, 2), (3_000, 2, 2), (9_500, 2, 2)],
            None,
            &mut facts,
        )
        .unwrap();
        assert_eq!((facts.duplicates, facts.resolution), (1, Span::from_nanos(100)));
        tidy(vec![(7, 1, 1), (3_000_000_007, 1, 1)], None, &mut facts).unwrap();
        assert_eq!(facts.resolution, Span::from_secs(1));
    }
}
