//! A log-linear histogram of durations: three significant digits from a nanosecond to 52 days, in one flat array.
//!
//! The layout is that of HdrHistogram (Gil Tene, <https://hdrhistogram.org>): each power of two is cut into 1,024
//! buckets of equal width, so that a bucket is never wider than 1/1,024 of the values in it. Values below 2,048 ns are
//! exact. Count, mean and maximum are exact whatever the buckets; a quantile is off by at most 0.05 % of itself.
//!
//! Left out: a configurable precision or range, and taking values back. Everything from 2^52 ns (52 days) up shares
//! the last bucket.

mod bytes;

use std::fmt;

use crate::kernel::time::Span;

/// Buckets per power of two, as a power of two.
const SUB_BITS: u32 = 10;
/// Buckets per power of two.
const SUB: u64 = 1 << SUB_BITS;

/// Two quantiles that differ by less than this share may be of equal values.
pub const RESOLUTION: f64 = 1.0 / SUB as f64;
/// Values from 2^52 ns up are counted in the last bucket.
const RANGE_BITS: u32 = 52;
/// The largest value with a bucket of its own width.
const LARGEST: u64 = (1 << RANGE_BITS) - 1;
/// Number of buckets: two linear powers of two worth below 2,048, and one for each power of two above.
const BUCKETS: usize = ((RANGE_BITS - SUB_BITS + 1) as usize) << SUB_BITS;

/// Buckets that are looked at together for whether all are empty.
const BLOCK: usize = 64;

/// Counts of durations, to three significant digits.
///
/// 344 KiB of address space while it is recorded into, of which the system backs only the pages that were written to;
/// once packed, sixteen bytes for each bucket that holds something. Merging is exact, so it is associative and
/// commutative: any order of replications, threads or machines gives the same histogram to the bit.
#[derive(Clone)]
pub struct Histogram {
    /// Every bucket's count; empty once packed.
    counts: Vec<u64>,
    /// The non-empty buckets in rising order, with their counts; used once packed.
    packed: Vec<(u32, u64)>,
    count: u64,
    /// Exact sum in nanoseconds; 2^64 values of 2^64 ns fit.
    sum: u128,
    max: u64,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Histogram {
        // A zeroed vector comes straight from the system as lazy zero pages.
        Histogram {
            counts: vec![0; BUCKETS],
            packed: Vec::new(),
            count: 0,
            sum: 0,
            max: 0,
        }
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: Span) {
        let nanos = value.nanos();
        match self.counts.get_mut(index_of(nanos)) {
            Some(bucket) => *bucket += 1,
            None => self.unpack()[index_of(nanos)] += 1,
        }
        self.count += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
    }

    /// Adds everything that `other` has counted.
    pub fn merge(&mut self, other: &Histogram) {
        // Writing only where there is something to add leaves untouched pages untouched.
        let counts = self.unpack();
        for (index, n) in other.filled() {
            counts[index] += n;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// Frees the empty buckets, which are nearly all: for a histogram that is kept but no longer recorded into. Every
    /// method still works; recording unpacks it again.
    pub fn pack(&mut self) {
        self.packed = self.filled().map(|(index, n)| (index as u32, n)).collect();
        self.counts = Vec::new();
    }

    /// How many values were recorded.
    #[inline]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest value, exact even above the range; `None` when empty.
    pub fn max(&self) -> Option<Span> {
        (self.count > 0).then(|| Span::from_nanos(self.max))
    }

    /// The exact mean, rounded to the nearest nanosecond; `None` when empty.
    pub fn mean(&self) -> Option<Span> {
        let count = u128::from(self.count);
        // The mean of 64-bit values fits in 64 bits.
        (count > 0).then(|| Span::from_nanos(((self.sum + count / 2) / count) as u64))
    }

    /// The `q` quantile, for `q` in 0..=1: the value at rank `ceil(q * n)` of the sorted values (rank 1 for `q = 0`),
    /// with no interpolation between ranks.
    ///
    /// What is returned is the midpoint of that value's bucket, but never more than [`Histogram::max`]. In the last
    /// bucket, which also holds everything above the range, it is the maximum itself. `None` when empty, or when `q` is
    /// out of range or NaN.
    pub fn quantile(&self, q: f64) -> Option<Span> {
        if self.count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = Histogram::rank(q, self.count);
        let mut seen = 0;
        for (index, n) in self.filled() {
            seen += n;
            if seen >= rank {
                return Some(Histogram::middle_of(index, Span::from_nanos(self.max)));
            }
        }
        Some(Span::from_nanos(self.max))
    }

    /// The share of values that are at most `limit`, in 0..=1, to the resolution of a bucket: values that share the
    /// bucket of `limit` count as at most `limit`. Exactly 1 when `limit` is the maximum or more. `None` when empty.
    pub fn fraction_at_most(&self, limit: Span) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        if limit.nanos() >= self.max {
            return Some(1.0);
        }
        Some(self.count_at_most(limit) as f64 / self.count as f64)
    }

    /// How many values are at most `limit`, to the resolution of a bucket: those that share the bucket of `limit` are.
    pub fn count_at_most(&self, limit: Span) -> u64 {
        let last = Histogram::bucket_of(limit);
        let upto = self.filled().take_while(|&(index, _)| index <= last);
        upto.map(|(_, n)| n).sum()
    }

    /// The exact sum of the values in nanoseconds.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Whether two lengths of time are one to a histogram.
    pub fn is_same(a: Span, b: Span) -> bool {
        Histogram::bucket_of(a) == Histogram::bucket_of(b)
    }

    /// The rank of the `q` quantile among `count` values, from 1.
    pub(super) fn rank(q: f64, count: u64) -> u64 {
        // 0.07 * 100 is 7.000000000000001 in binary: without the slack its rank would be 8.
        let exact = q * count as f64 * (1.0 - 2.0 * f64::EPSILON);
        (exact.ceil() as u64).clamp(1, count.max(1))
    }

    /// The number of the bucket that a value is counted in.
    pub(super) fn bucket_of(value: Span) -> usize {
        index_of(value.nanos())
    }

    /// The value that stands for bucket number `index` of a histogram with this maximum: its middle, but never more than the
    /// maximum; the maximum itself in the last bucket, which also holds everything above the range.
    pub(super) fn middle_of(index: usize, max: Span) -> Span {
        let middle = Span::from_nanos(lower_of(index) + width_of(index) / 2);
        if index == BUCKETS - 1 { max } else { middle.min(max) }
    }

    /// The non-empty buckets in rising order, each as the largest value that it stands for and its count. The last
    /// pair's value is the exact maximum.
    pub fn iter(&self) -> impl Iterator<Item = (Span, u64)> + '_ {
        let last = index_of(self.max);
        self.filled().map(move |(index, n)| {
            let upper = if index == last {
                self.max
            } else {
                lower_of(index) + (width_of(index) - 1)
            };
            (Span::from_nanos(upper), n)
        })
    }

    /// The non-empty buckets in rising order, with their counts.
    pub(super) fn filled(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        // Nearly all are empty: blocks of them are passed over at once.
        let blocks = self.used().chunks(BLOCK).zip((0..).step_by(BLOCK));
        let dense = blocks
            .filter(|(block, _)| **block != [0; BLOCK][..block.len()])
            .flat_map(|(block, from)| (from..).zip(block.iter().copied()))
            .filter(|&(_, n)| n > 0);
        dense.chain(self.packed.iter().map(|&(index, n)| (index as usize, n)))
    }

    /// Every bucket's count, for writing.
    #[cold]
    #[inline(never)]
    fn unpack(&mut self) -> &mut [u64] {
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
            for (index, n) in self.packed.drain(..) {
                self.counts[index as usize] = n;
            }
        }
        &mut self.counts
    }

    /// The buckets up to that of the maximum; those beyond are all zero.
    fn used(&self) -> &[u64] {
        self.counts.get(..=index_of(self.max)).unwrap_or(&self.counts)
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Histogram) -> bool {
        (self.count, self.sum, self.max) == (other.count, other.sum, other.max) && self.filled().eq(other.filled())
    }
}

impl Eq for Histogram {}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

impl fmt::Debug for Histogram {
    /// Writes the summary only: a list of 44,032 counts is unreadable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("sum", &self.sum)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

/// The bucket of a value, always below [`BUCKETS`].
#[inline]
fn index_of(nanos: u64) -> usize {
    let nanos = nanos.min(LARGEST);
    // How many low bits are dropped: none below 2,048, then one more with each power of two.
    let shift = (nanos | SUB).ilog2() - SUB_BITS;
    // The kept bits run from 1,024 to 2,047, so consecutive powers of two follow on without a gap.
    ((u64::from(shift) << SUB_BITS) + (nanos >> shift)) as usize
}

/// The smallest value of a bucket.
fn lower_of(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index >> SUB_BITS).saturating_sub(1);
    (index - (shift << SUB_BITS)) << shift
}

/// How many values share a bucket.
fn width_of(index: usize) -> u64 {
    1 << (index as u64 >> SUB_BITS).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|&v| histogram.record(Span::from_nanos(v)));
        histogram
    }

    /// Values spread evenly over the powers of two below 2^`bits`.
    fn spread(seed: u64, n: usize, bits: u32) -> Vec<u64> {
        let mut random = SmallRng::seed_from_u64(seed);
        (0..n)
            .map(|_| random.random::<u64>() >> random.random_range(64 - bits..64))
            .collect()
    }

    #[test]
    fn buckets_tile_the_range_without_gap_or_overlap() {
        let mut next = 0;
        for index in 0..BUCKETS {
            assert_eq!(lower_of(index), next);
            next += width_of(index);
            assert_eq!(index_of(lower_of(index)), index);
            assert_eq!(index_of(next - 1), index);
            assert!(width_of(index) == 1 || width_of(index) * SUB <= lower_of(index));
        }
        assert_eq!(next, LARGEST + 1);
    }

    #[test]
    fn packing_changes_nothing_that_can_be_seen() {
        let values = spread(7, 5_000, 40);
        let (plain, mut packed) = (of(&values), of(&values));
        packed.pack();
        assert!(packed.counts.is_empty());
        assert_eq!(plain, packed);
        assert_eq!(plain.quantile(0.37), packed.quantile(0.37));
        let limit = Span::from_nanos(1 << 20);
        assert_eq!(plain.fraction_at_most(limit), packed.fraction_at_most(limit));
        assert!(plain.iter().eq(packed.iter()));
        let (mut a, mut b) = (plain.clone(), packed.clone());
        a.merge(&packed);
        b.merge(&plain);
        assert_eq!(a, b);
        packed.record(limit);
        assert_eq!(packed.count(), 5_001);
        assert!(packed.quantile(1.0) == plain.quantile(1.0));
    }

    #[test]
    fn quantiles_agree_with_a_sort() {
        let mut values = spread(1, 20_000, 52);
        let histogram = of(&values);
        values.sort_unstable();
        for permille in 0..=1000_usize {
            let exact = values[(permille * values.len()).div_ceil(1000).max(1) - 1] as f64;
            let found = histogram.quantile(permille as f64 / 1000.0).unwrap().nanos() as f64;
            assert!(
                (found - exact).abs() <= exact / 2048.0,
                "{permille}: {found} for {exact}"
            );
        }
    }

    #[test]
    fn quantiles_agree_with_hdrhistogram() {
        // Over the whole range, up to the last nanosecond that has a bucket of its own width.
        let mut values = spread(2, 20_000, RANGE_BITS);
        values.push(LARGEST);
        let ours = of(&values);
        let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << RANGE_BITS, 3).unwrap();
        values.iter().for_each(|&v| theirs.record(v).unwrap());
        for q in [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            let (a, b) = (
                ours.quantile(q).unwrap().nanos() as f64,
                theirs.value_at_quantile(q) as f64,
            );
            assert!((a - b).abs() <= b / 1000.0, "{q}: {a} against {b}");
        }
    }

    #[test]
    fn a_rank_that_falls_on_a_whole_number_is_not_rounded_past_it() {
        let histogram = of(&(1..=100).collect::<Vec<_>>());
        for percent in 1..=100 {
            assert_eq!(
                histogram.quantile(percent as f64 / 100.0),
                Some(Span::from_nanos(percent))
            );
        }
    }

    #[test]
    fn mean_and_maximum_are_exact_beyond_the_range() {
        let histogram = of(&[u64::MAX, u64::MAX, u64::MAX - 3]);
        assert_eq!(histogram.mean(), Some(Span::from_nanos(u64::MAX - 1)));
        assert_eq!(histogram.quantile(0.1), Some(Span::FOREVER));
        assert_eq!(histogram.max(), Some(Span::FOREVER));
    }

    #[test]
    fn an_empty_histogram_has_no_figures() {
        let histogram = Histogram::new();
        assert_eq!(
            (
                histogram.mean(),
                histogram.max(),
                histogram.quantile(0.5),
                histogram.fraction_at_most(Span::FOREVER)
            ),
            (None, None, None, None)
        );
    }

    #[test]
    fn a_quantile_outside_zero_to_one_does_not_exist() {
        let histogram = of(&[1]);
        assert!([-0.1, 1.1, f64::NAN].iter().all(|&q| histogram.quantile(q).is_none()));
    }

    #[test]
    fn fraction_at_most_counts_the_whole_bucket_of_the_limit() {
        // 5,000 and 5,003 share a bucket of four; 5,004 opens the next.
        let histogram = of(&[10, 5_003, 5_004, 9_000]);
        let at = |nanos| histogram.fraction_at_most(Span::from_nanos(nanos)).unwrap();
        assert_eq!(
            [at(9), at(10), at(4_999), at(5_000), at(5_004), at(9_000)],
            [0.0, 0.25, 0.25, 0.5, 0.75, 1.0]
        );
    }

    #[test]
    fn iteration_gives_upper_values_and_ends_at_the_maximum() {
        let seen: Vec<_> = of(&[7, 7, 5_000, 9_000])
            .iter()
            .map(|(span, n)| (span.nanos(), n))
            .collect();
        assert_eq!(seen, [(7, 2), (5_003, 1), (9_000, 1)]);
    }

    proptest! {
        #[test]
        fn merging_in_any_order_is_the_same_as_recording_it_all(
            a in prop::collection::vec(any::<u64>(), 0..20),
            b in prop::collection::vec(0..10_000_u64, 0..20),
            c in prop::collection::vec(0..1_u64 << 52, 0..20),
        ) {
            let whole = of(&[a.clone(), b.clone(), c.clone()].concat());
            let (a, b, c) = (of(&a), of(&b), of(&c));
            let mut left = a.clone();
            left.merge(&b);
            left.merge(&c);
            let mut right = c;
            right.merge(&b);
            let mut right_then_a = Histogram::new();
            right_then_a.merge(&right);
            right_then_a.merge(&a);
            prop_assert!(left == whole && right_then_a == whole);
        }
    }
}
