//! A percentile of all replications together, and the interval that their spread allows.
//!
//! The percentile is that of the pooled values. Its interval is read off the other way round: it is made of all `x` at which the
//! share of values at most `x`, one share a replication, has a Student t interval that holds `q`. The shares are a ratio of sums
//! (replications with more requests weigh more), and their intervals are drawn on the logit scale. Requests within a replication may be as
//! autocorrelated as they like; only replications are independent. The interval may reach further to one side, and has no upper
//! end where the run does not hold enough of the tail to know one.
//!
//! In a tail that few independent stretches of the run have filled, the replications' own spread is too small more often than too
//! large, since most have not seen the tail at all. Where the tail holds fewer than twenty independent values, the
//! spread is therefore the largest of that at `x`, at the quantile itself, and at the value beyond which twice as many lie.
//! `examples/coverage.rs` measures what that comes to.
//!
//! Values are in the buckets of the histogram, which are what the interval's ends are known to. A failed request can be taken in as one whose
//! value is larger than any ([`Of::Everything`]). Left out: a difference of two percentiles; `stats::compare` has that.

use super::critical::Confidence;
use super::histogram::Histogram;
use super::interval::Estimate;
use crate::kernel::time::Span;

/// From so many independent values in the tail on, the spread at each point speaks for itself.
const ENOUGH: f64 = 20.0;

/// What the share of values at most `x` is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The values themselves.
    Values,
    /// The values and the requests that have none, as if theirs were larger than any.
    Everything,
}

/// Histograms of independent replications, added up together with what their spread needs.
///
/// Sums are of integers, so that replications may be added in any order.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    replications: u64,
    /// The buckets that hold something, in rising order.
    rows: Vec<Row>,
    /// By [`Of`]: the sum of the replications' counts, and of their squares.
    counts: [Counts; 2],
    max: Span,
}

/// The counts that the shares are shares of.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    sum: u64,
    squares: u128,
}

/// What one bucket adds, by which sums up to any bucket are prefix sums.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    bucket: u32,
    /// Values in the bucket.
    count: u64,
    /// The sum over replications of the growth of the squared number of values up to this bucket.
    squares: u128,
    /// The sum over replications of the number of values in the bucket times the replication's count, by [`Of`].
    products: [u128; 2],
}

impl Row {
    /// Adds what another replication has in the same bucket.
    fn add(&mut self, other: &Row) {
        self.count += other.count;
        self.squares += other.squares;
        for (product, more) in self.products.iter_mut().zip(other.products) {
            *product += more;
        }
    }
}

/// The share up to one bucket, and its relative error.
#[derive(Clone, Copy, Debug)]
struct At {
    bucket: u32,
    /// The share, 0 to 1.
    share: f64,
    /// The variance of the share as a multiple of `share * (1 - share)`: one over the number of values that would have it if they
    /// were independent.
    per_value: f64,
}

impl Shares {
    /// Adds one replication: its values, and how many requests there were besides that have none.
    pub fn add(&mut self, values: &Histogram, without: u64) {
        let all = [values.count(), values.count() + without];
        self.replications += 1;
        for (counts, of) in self.counts.iter_mut().zip(all) {
            counts.sum += of;
            counts.squares += u128::from(of) * u128::from(of);
        }
        self.max = self.max.max(values.max().unwrap_or(Span::ZERO));
        let (mut upto, mut place, mut new) = (0_u128, 0, Vec::new());
        for (bucket, count) in values.filled() {
            let before = upto;
            upto += u128::from(count);
            let row = Row {
                bucket: bucket as u32,
                count,
                squares: upto * upto - before * before,
                products: all.map(|of| u128::from(count) * u128::from(of)),
            };
            // Most replications fill few buckets, and hardly one that is not known.
            place += self.rows[place..].partition_point(|known| known.bucket < row.bucket);
            match self.rows.get_mut(place) {
                Some(known) if known.bucket == row.bucket => known.add(&row),
                Some(_) | None => new.push(row),
            }
        }
        if !new.is_empty() {
            self.rows = merged(&self.rows, &new);
        }
    }

    /// The value at the rank of the quantile; `None` where those that have a value do not reach that rank.
    fn point(&self, q: f64, of: Of) -> Option<Span> {
        let rank = Histogram::rank(q, self.counts[of as usize].sum);
        let mut upto = 0;
        let row = self.rows.iter().find(|row| {
            upto += row.count;
            upto >= rank
        })?;
        Some(self.value(row.bucket))
    }

    /// The value that stands for a bucket.
    fn value(&self, bucket: u32) -> Span {
        Histogram::middle_of(bucket as usize, self.max)
    }

    /// The `q` quantile, for `q` above 0 and below 1, in seconds, with its interval.
    pub fn quantile(&self, q: f64, of: Of, confidence: Confidence) -> Estimate {
        self.quantile_of_less(q, of, confidence, 1.0)
    }

    /// The `q` quantile like [`Shares::quantile`], where shares are known `times` less well than the replications' spread says: because
    /// the model is not known either that was run. Between two modes the interval then holds both as soon as their weight is not known.
    pub fn quantile_of_less(&self, q: f64, of: Of, confidence: Confidence, times: f64) -> Estimate {
        let n = usize::try_from(self.replications).unwrap_or(usize::MAX);
        let none = Estimate { n, ..Estimate::NONE };
        let total = self.total(of);
        if total == 0.0 {
            return Estimate {
                n: 0,
                undefined: n,
                ..none
            };
        }
        let value = self.point(q, of).map_or(f64::INFINITY, Span::seconds);
        if n < 2 {
            return Estimate { value, ..none };
        }
        let shares = self.shares(of);
        let bounds = Bounds::of(&shares, q, total, confidence, n).times(times);
        let end = |at: &At| self.value(at.bucket).seconds();
        // Down from the value itself: of the few values at the far end the share is known so badly that it could be any again.
        let point = shares.iter().position(|at| at.share >= q).unwrap_or(shares.len());
        let lo = match shares[..point].iter().rposition(|at| bounds.is_below(at)) {
            // Where that is the last, so many have no value that not even the largest can be the percentile.
            Some(last) => shares.get(last + 1).map_or(f64::INFINITY, end),
            None if bounds.holds_the_bottom => shares.first().map_or(0.0, end),
            None => 0.0,
        };
        Estimate {
            value,
            lo: Some(lo),
            hi: shares.iter().find(|at| bounds.is_above(at)).map(end),
            ..none
        }
    }

    /// As good as how many independent values lie beyond the `q` quantile, at most as many as do.
    pub fn independent_beyond(&self, q: f64, of: Of) -> f64 {
        let shares = self.shares(of);
        let spread = thresholds(q).filter_map(|share| at_share(&shares, share));
        q.min(1.0 - q) / spread.map(|at| at.per_value).fold(1.0 / self.total(of), f64::max)
    }

    /// The share of values at most `limit`, 0 to 1; values that share its bucket count as at most it. NaN if there are none.
    pub fn at_most(&self, limit: Span, of: Of) -> f64 {
        let last = Histogram::bucket_of(limit);
        let upto = self.rows.iter().take_while(|row| row.bucket as usize <= last);
        upto.map(|row| row.count).sum::<u64>() as f64 / self.total(of)
    }

    /// How many values there are, or values and requests without one.
    pub fn total(&self, of: Of) -> f64 {
        self.counts[of as usize].sum as f64
    }

    /// The share up to each bucket.
    fn shares(&self, of: Of) -> Vec<At> {
        let Counts { sum, squares } = self.counts[of as usize];
        let (total, replications) = (sum as f64, self.replications as f64);
        let mut upto = 0_u64;
        let (mut own, mut cross) = (0_u128, 0_u128);
        let one = |row: &Row| {
            upto += row.count;
            own += row.squares;
            cross += row.products[of as usize];
            let share = upto as f64 / total;
            let residual = own as f64 - 2.0 * share * cross as f64 + share * share * squares as f64;
            let variance = replications / (replications - 1.0) * residual.max(0.0) / (total * total);
            let of_one = share * (1.0 - share);
            let per_value = if variance > 1e-12 * of_one / total {
                variance / of_one
            } else {
                // Replications that agree exactly leave the chance of independent values.
                1.0 / total
            };
            At {
                bucket: row.bucket,
                share,
                per_value,
            }
        };
        self.rows.iter().map(one).collect()
    }
}

/// The shares of values at which the spread near the `q` quantile is looked at: beyond them lie as many and twice as many.
fn thresholds(q: f64) -> impl Iterator<Item = f64> {
    let tail = q.min(1.0 - q);
    let beyond = [1.0, 2.0].map(|times| times * tail);
    (beyond.into_iter())
        .filter(|&beyond| beyond <= 0.5)
        .map(move |beyond| if q < 0.5 { beyond } else { 1.0 - beyond })
}

/// The first bucket up to which at least this share lies, if not everything does.
fn at_share(shares: &[At], share: f64) -> Option<&At> {
    shares
        .iter()
        .find(|at| at.share >= share * (1.0 - 2.0 * f64::EPSILON))
        .filter(|at| at.share < 1.0)
}

/// By what a share is told from `q`.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    logit: f64,
    t: f64,
    /// The least spread that any share is taken to have.
    at_least: f64,
    /// Whether there are so many values that some lie beyond the quantile, and some below it, whatever their distribution.
    holds_the_top: bool,
    holds_the_bottom: bool,
}

impl Bounds {
    fn of(shares: &[At], q: f64, total: f64, confidence: Confidence, n: usize) -> Bounds {
        let near: f64 = thresholds(q)
            .filter_map(|share| at_share(shares, share))
            .map(|at| at.per_value)
            .fold(0.0, f64::max);
        let independent = (1.0 / near).min(total);
        let is_thin = q.min(1.0 - q) * independent < ENOUGH;
        let all_miss = |share: f64| independent * libm::log(share) <= libm::log(confidence.tail());
        Bounds {
            logit: logit(q),
            t: confidence.t(n - 1),
            at_least: if is_thin { near } else { 0.0 },
            holds_the_top: all_miss(q),
            holds_the_bottom: all_miss(1.0 - q),
        }
    }

    /// The same, of shares that are known so many times less well.
    fn times(self, times: f64) -> Bounds {
        Bounds {
            t: times * self.t,
            ..self
        }
    }

    fn reach(&self, at: &At) -> f64 {
        let of_one = at.share * (1.0 - at.share);
        self.t * (at.per_value.max(self.at_least) / of_one).sqrt()
    }

    /// Whether the true share up to here is certainly less than `q`.
    fn is_below(&self, at: &At) -> bool {
        at.share < 1.0 && logit(at.share) + self.reach(at) < self.logit
    }

    /// Whether the true share up to here is certainly more than `q`.
    fn is_above(&self, at: &At) -> bool {
        if at.share < 1.0 {
            logit(at.share) - self.reach(at) > self.logit
        } else {
            self.holds_the_top
        }
    }
}

fn logit(share: f64) -> f64 {
    libm::log(share / (1.0 - share))
}

/// Two lists of rows in rising order that share no bucket, as one.
fn merged(old: &[Row], new: &[Row]) -> Vec<Row> {
    let mut all = Vec::with_capacity(old.len() + new.len());
    let mut rest = old;
    for row in new {
        let (before, after) = rest.split_at(rest.partition_point(|known| known.bucket < row.bucket));
        all.extend_from_slice(before);
        all.push(*row);
        rest = after;
    }
    all.extend_from_slice(rest);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};
    use rand_distr::{Distribution, Exp};

    fn histogram(seconds: impl IntoIterator<Item = f64>) -> Histogram {
        let mut histogram = Histogram::new();
        seconds
            .into_iter()
            .for_each(|s| histogram.record(Span::from_seconds_f64(s)));
        histogram
    }

    fn shares(replications: &[Vec<f64>]) -> Shares {
        let mut shares = Shares::default();
        for values in replications {
            shares.add(&histogram(values.iter().copied()), 0);
        }
        shares
    }

    fn p95(shares: &Shares) -> Estimate {
        shares.quantile(0.95, Of::Values, Confidence::P95)
    }

    fn is_about(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= expected / 1024.0
    }

    /// The sums by bucket against the shares themselves, replication by replication.
    #[test]
    fn the_spread_is_that_of_the_replications_shares() {
        let mut random = SmallRng::seed_from_u64(1);
        let replications: Vec<Vec<f64>> = (0..7)
            .map(|_| {
                (0..random.random_range(50..90))
                    .map(|_| random.random::<f64>())
                    .collect()
            })
            .collect();
        let shares = shares(&replications);
        let total: usize = replications.iter().map(Vec::len).sum();
        for at in shares.shares(Of::Values).iter().filter(|at| at.share < 1.0) {
            let limit = Histogram::middle_of(at.bucket as usize, Span::FOREVER);
            let upto = |of: &Vec<f64>| {
                let is_at_most = |s: &&f64| Histogram::bucket_of(Span::from_seconds_f64(**s)) <= at.bucket as usize;
                of.iter().filter(is_at_most).count() as f64
            };
            let share = replications.iter().map(upto).sum::<f64>() / total as f64;
            assert!((share - at.share).abs() < 1e-12 && (share - shares.at_most(limit, Of::Values)).abs() < 1e-12);
            let squares: f64 = (replications.iter())
                .map(|of| (upto(of) - share * of.len() as f64).powi(2))
                .sum();
            let variance = 7.0 / 6.0 * squares / (total * total) as f64;
            assert!(
                (variance / (share * (1.0 - share)) - at.per_value).abs() < 1e-9,
                "{at:?}"
            );
        }
    }

    #[test]
    fn the_percentile_is_of_all_values_together() {
        // The replications' own medians are 1 and 9; of all six values the third is 2.
        let found = shares(&[vec![1.0], vec![1.0, 2.0, 9.0, 9.0, 9.0]]).quantile(0.5, Of::Values, Confidence::P95);
        assert!(is_about(found.value, 2.0), "{found:?}");
    }

    /// 95 % take 1 s and 5 % take 30 s: the percentile is one of the two, and nothing in between.
    #[test]
    fn a_jump_has_its_two_sides_as_ends() {
        let mut random = SmallRng::seed_from_u64(5);
        let mut one = || -> Vec<f64> {
            (0..1000)
                .map(|_| if random.random_bool(0.05) { 30.0 } else { 1.0 })
                .collect()
        };
        let found = p95(&shares(&[one(), one(), one(), one()]));
        assert!(
            is_about(found.lo.unwrap(), 1.0) && is_about(found.hi.unwrap(), 30.0),
            "{found:?}"
        );
    }

    /// Of 40,000 requests 5.5 % are slow, which is certain: p95 is theirs. Where shares are known to 0.5 points and not to 0.2, it is either's.
    #[test]
    fn shares_that_are_known_less_well_span_two_modes() {
        let one = || (0..10_000).map(|i| if i % 200 < 11 { 30.0 } else { 1.0 }).collect();
        let mut random = SmallRng::seed_from_u64(5);
        let mut noisy = || -> Vec<f64> {
            (0..10_000)
                .map(|_| if random.random_bool(0.055) { 30.0 } else { 1.0 })
                .collect()
        };
        for shares in [
            shares(&[one(), one(), one(), one()]),
            shares(&[noisy(), noisy(), noisy(), noisy()]),
        ] {
            let sure = p95(&shares);
            assert!(is_about(sure.lo.unwrap(), 30.0), "{sure:?}");
            let less = shares.quantile_of_less(0.95, Of::Values, Confidence::P95, 12.0);
            assert!(
                is_about(less.lo.unwrap(), 1.0) && is_about(less.hi.unwrap(), 30.0),
                "{less:?}"
            );
            assert_eq!(less.value, sure.value);
        }
    }

    /// One value in two thousand is a thousand times smaller: the median is not taken for it, however badly shares are known.
    #[test]
    fn an_interval_does_not_jump_to_the_far_end() {
        let values = || (0..2000).map(|i| 1.0 + f64::from(i) / 2000.0).chain([0.001]).collect();
        let known = shares(&[values(), values(), values(), values()]);
        let less = known.quantile_of_less(0.5, Of::Values, Confidence::P95, 8.0);
        assert!(less.lo.unwrap() > 1.0 && less.hi.unwrap() < 2.0, "{less:?}");
    }

    #[test]
    fn a_constant_is_certain_once_there_is_enough_of_it() {
        let found = p95(&shares(&vec![vec![1.0; 40]; 2]));
        assert!(is_about(found.value, 1.0) && found.lo == found.hi, "{found:?}");
        let found = p95(&shares(&vec![vec![1.0; 20]; 2]));
        assert_eq!((found.lo, found.hi), (Some(found.value), None));
        let beyond = shares(&vec![vec![1.0; 20]; 2]).independent_beyond(0.95, Of::Values);
        assert!((beyond - 2.0).abs() < 1e-9, "{beyond}");
    }

    #[test]
    fn one_replication_has_no_interval_and_none_no_value() {
        let found = p95(&shares(&[vec![1.0; 100]]));
        assert!(is_about(found.value, 1.0) && (found.lo, found.hi, found.n) == (None, None, 1));
        let found = p95(&shares(&[vec![], vec![]]));
        assert!(found.value.is_nan() && (found.n, found.undefined) == (0, 2));
    }

    /// 6 % of requests never get an answer: the 95th percentile of all is beyond any, the 90th is not.
    #[test]
    fn those_without_a_value_take_for_ever() {
        let mut shares = Shares::default();
        for _ in 0..4 {
            shares.add(&histogram((0..9400).map(|i| 1.0 + f64::from(i) / 1e4)), 600);
        }
        let found = shares.quantile(0.95, Of::Everything, Confidence::P95);
        assert_eq!((found.value, found.lo), (f64::INFINITY, Some(f64::INFINITY)));
        let found = shares.quantile(0.90, Of::Everything, Confidence::P95);
        assert!(is_about(found.value, 1.9) && found.hi.unwrap() < 1.92, "{found:?}");
        assert!(is_about(p95(&shares).value, 1.893));
    }

    /// M/M/1 at load 0.8 in its steady state: 20 replications of 3,000 requests each.
    #[test]
    fn the_interval_of_a_queues_tail_holds_the_truth() {
        let mut random = SmallRng::seed_from_u64(11);
        let (arrive, serve, wait) = (Exp::new(0.8).unwrap(), Exp::new(1.0).unwrap(), Exp::new(0.2).unwrap());
        let (mut held, mut bounded) = (0, 0);
        let truth = libm::log(100.0) / 0.2;
        for _ in 0..200 {
            let mut shares = Shares::default();
            for _ in 0..20 {
                let mut waited = if random.random_bool(0.8) {
                    wait.sample(&mut random)
                } else {
                    0.0
                };
                let mut values = Histogram::new();
                for _ in 0..3000 {
                    let sojourn: f64 = waited + serve.sample(&mut random);
                    values.record(Span::from_seconds_f64(sojourn));
                    waited = (sojourn - arrive.sample(&mut random)).max(0.0);
                }
                shares.add(&values, 0);
            }
            let found = shares.quantile(0.99, Of::Values, Confidence::P95);
            held += i32::from(found.lo.unwrap() <= truth && found.hi.is_none_or(|hi| truth <= hi));
            bounded += i32::from(found.hi.is_some());
        }
        assert!(
            held >= 183 && bounded >= 190,
            "{held} held and {bounded} bounded of 200"
        );
    }
}
