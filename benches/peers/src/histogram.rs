//! A log-linear histogram: one counter per 1/128 of an octave, so a quantile is known to 0.8 %.
//!
//! The bucket of a positive `f64` is its exponent and the first seven bits of its fraction, read off its bits: a shift
//! and a subtraction, the idea of HdrHistogram without its configuration. It leaves out resizing and merging.

/// Fraction bits kept: 2^7 = 128 buckets per octave.
const FRACTION_BITS: u32 = 7;
/// Smallest value told apart from zero: 2^-20, a microsecond if the unit is a second.
const LOWEST_EXPONENT: i64 = -20;
/// Octaves covered; larger values count in the last bucket.
const OCTAVES: usize = 48;
const BUCKETS: usize = OCTAVES << FRACTION_BITS;
/// What the bits of 2^-20 are after the shift.
const OFFSET: u64 = ((1023 + LOWEST_EXPONENT) as u64) << FRACTION_BITS;

/// Counts of non-negative values, with their exact sum.
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    sum: f64,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Histogram {
        Histogram {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            total: 0,
            sum: 0.0,
        }
    }

    /// Counts `value`, which must not be negative.
    #[inline]
    pub fn record(&mut self, value: f64) {
        let bucket = (value.to_bits() >> (52 - FRACTION_BITS)).saturating_sub(OFFSET) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
        self.sum += value;
    }

    /// How many values were recorded.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Their arithmetic mean; NaN if there are none.
    pub fn mean(&self) -> f64 {
        self.sum / self.total as f64
    }

    /// The value below which a share `q` of the values lie: the lower edge of the bucket; 0 if there are none.
    pub fn quantile(&self, q: f64) -> f64 {
        let rank = (q * self.total as f64) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|&count| {
            seen += count;
            seen > rank
        });
        match bucket {
            None | Some(0) => 0.0,
            Some(bucket) => f64::from_bits((bucket as u64 + OFFSET) << (52 - FRACTION_BITS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_a_bucket_of_the_exact_one() {
        let mut histogram = Histogram::new();
        (1..=10_000).for_each(|i| histogram.record(i as f64 / 100.0));
        for q in [0.01, 0.5, 0.9, 0.999] {
            let exact = (q * 10_000.0 + 1.0) / 100.0;
            assert!((histogram.quantile(q) / exact - 1.0).abs() < 1.0 / 128.0, "q = {q}");
        }
    }

    #[test]
    fn zero_and_the_huge_fall_into_the_end_buckets() {
        let mut histogram = Histogram::new();
        histogram.record(0.0);
        histogram.record(1e300);
        assert_eq!((histogram.counts[0], histogram.counts[BUCKETS - 1]), (1, 1));
    }
}
