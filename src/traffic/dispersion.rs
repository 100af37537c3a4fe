//! How much the requests of a trace bunch: the index of dispersion of their counts.
//!
//! The variance of the counts in intervals of one length over their mean (Cox and Lewis, *The Statistical Analysis of Series of Events*,
//! 1966): 1 for a Poisson process at any length, and rising with the length where busy times last. Left out: what is not whole at the
//! trace's end.

use super::rows::Rows;
use crate::kernel::time::Span;

/// Intervals that a trace must have for an index to mean something.
const FEW: u64 = 20;

/// The index of dispersion of the counts of `rows` in intervals of length `width`; nothing where the trace has fewer than twenty of them.
pub fn of_counts(rows: &Rows, width: Span) -> Option<f64> {
    let intervals = rows.last().nanos().checked_div(width.nanos())?;
    if intervals < FEW {
        return None;
    }
    // The last that had a request, how many it had, and the sums of counts and their squares.
    let (mut at, mut count) = (0, 0_u64);
    let (mut sum, mut squares) = (0.0, 0.0);
    for row in rows.iter() {
        let here = row.at.nanos() / width.nanos();
        if here >= intervals {
            break;
        }
        if here != at {
            sum += count as f64;
            squares += (count * count) as f64;
            (at, count) = (here, 0);
        }
        count += 1;
    }
    sum += count as f64;
    squares += (count * count) as f64;
    let n = intervals as f64;
    let mean = sum / n;
    (mean > 0.0).then(|| (squares - n * mean * mean) / (n - 1.0) / mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::arrivals::Row;

    fn rows(times: impl IntoIterator<Item = u64>) -> Rows {
        let row = |seconds| Row {
            at: Span::from_secs(seconds),
            input: 1,
            output: 1,
        };
        times.into_iter().map(row).collect()
    }

    /// Counts of 4 and 0 in turn have the mean 2 and the variance 4 · 40/39; in intervals twice as long all are alike.
    #[test]
    fn counts_in_turn_vary_by_their_interval() {
        let rows = rows((0..41).step_by(2).flat_map(|s| [s * 10; 4]));
        let of = |seconds| of_counts(&rows, Span::from_secs(seconds)).unwrap();
        assert!((of(10) - 2.0 * 40.0 / 39.0).abs() < 1e-9, "{}", of(10));
        assert!(of(20).abs() < 1e-9, "{}", of(20));
        assert_eq!(of_counts(&rows, Span::from_secs(60)), None);
        assert_eq!(of_counts(&rows, Span::ZERO), None);
    }
}
