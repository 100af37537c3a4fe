//! A token bucket in exact integers: what a rate limit means, without drift.
//!
//! A bucket holds up to `burst` tokens and gains `count` tokens every `period`. Its level is kept in parts of a token
//! so fine (one `period`-th) that the gain of one nanosecond is a whole number of parts: refilling in a thousand steps
//! or in one gives the same level. Over any window the tokens admitted are at most `burst + rate × window`.
//!
//! It is refilled lazily, when asked. A charge made afterwards ([`Bucket::charge`]) may leave it in debt.

use super::time::{Span, Time};

/// A token bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    level: i64,
    capacity: i64,
    /// Parts gained per nanosecond.
    gain: u64,
    /// Parts in one token.
    token: u64,
    /// Nanoseconds from empty to full.
    fills_in: u64,
    last: Time,
}

/// Parts must leave room for debts as large as the bucket.
const MOST_PARTS: u128 = 1 << 61;

impl Bucket {
    /// A full bucket of `burst` tokens that gains `count` tokens every `period`.
    ///
    /// `None` if the rate or the burst is zero, or if burst and period together are beyond 2⁶¹ parts even after the
    /// fraction is reduced (a burst of a million tokens at one token a month is within).
    pub fn new(count: u64, period: Span, burst: u64) -> Option<Bucket> {
        if count == 0 || period == Span::ZERO || burst == 0 {
            return None;
        }
        let common = gcd(count, period.nanos());
        let (gain, token) = (count / common, period.nanos() / common);
        let parts = u128::from(token) * u128::from(burst);
        if parts > MOST_PARTS || u128::from(gain) > MOST_PARTS {
            return None;
        }
        let capacity = parts as i64;
        Some(Bucket {
            level: capacity,
            capacity,
            gain,
            token,
            fills_in: (capacity as u64).div_ceil(gain),
            last: Time::ZERO,
        })
    }

    /// The most tokens it can hold.
    pub fn burst(&self) -> u64 {
        self.capacity as u64 / self.token
    }

    /// Whether `tokens` are there at `now`.
    #[inline]
    pub fn has(&mut self, now: Time, tokens: u64) -> bool {
        self.refill(now);
        i128::from(self.level) >= i128::from(tokens) * i128::from(self.token)
    }

    /// When `tokens` will be there if none are taken before: `now` or earlier if they are there already,
    /// [`Time::NEVER`] if they exceed the burst.
    #[inline]
    pub fn ready_at(&mut self, now: Time, tokens: u64) -> Time {
        self.refill(now);
        let need = i128::from(tokens) * i128::from(self.token);
        if need <= i128::from(self.level) {
            return now;
        }
        if need > i128::from(self.capacity) {
            return Time::NEVER;
        }
        // Both terms are within ±2^61, so the difference fits.
        let missing = (need as i64 - self.level) as u64;
        now + Span::from_nanos(missing.div_ceil(self.gain))
    }

    /// Takes `tokens`, which the caller has found to be there.
    #[inline]
    pub fn take(&mut self, tokens: u64) {
        self.charge(tokens);
    }

    /// Takes `tokens` whether they are there or not; the bucket goes into debt, at most by its own size.
    #[inline]
    pub fn charge(&mut self, tokens: u64) {
        let parts = (i128::from(tokens) * i128::from(self.token)).min(i128::from(self.capacity) * 2);
        self.level = (self.level - parts as i64).max(-self.capacity);
    }

    /// Gives `tokens` back, up to the burst.
    #[inline]
    pub fn credit(&mut self, tokens: u64) {
        let parts = (i128::from(tokens) * i128::from(self.token)).min(i128::from(self.capacity) * 2);
        self.level = (self.level + parts as i64).min(self.capacity);
    }

    /// Takes all there is; a debt stays.
    pub fn empty(&mut self) {
        self.level = self.level.min(0);
    }

    /// Whole tokens there at `now` (none when in debt).
    pub fn tokens(&mut self, now: Time) -> u64 {
        self.refill(now);
        self.level.max(0) as u64 / self.token
    }

    /// Whether it holds as much as it can at `now`.
    pub fn is_full(&mut self, now: Time) -> bool {
        self.refill(now);
        self.level == self.capacity
    }

    /// Refills the bucket up to `now`; a charge or a credit that is not preceded by a question needs this first.
    #[inline]
    pub fn refill(&mut self, now: Time) {
        let passed = now.since(self.last).nanos();
        self.last = self.last.max(now);
        // From the deepest debt a bucket is full after twice the time from empty.
        self.level = if passed >= 2 * self.fills_in {
            self.capacity
        } else {
            (self.level + (passed * self.gain) as i64).min(self.capacity)
        };
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    /// Two tokens, one a second: a state table.
    #[test]
    fn it_empties_and_fills_to_the_nanosecond() {
        let mut b = Bucket::new(1, Span::from_secs(1), 2).unwrap();
        b.take(2);
        assert!(!b.has(at(999_999_999), 1));
        assert_eq!(b.ready_at(at(999_999_999), 1), at(1_000_000_000));
        assert!(b.has(at(1_000_000_000), 1));
        assert_eq!(b.ready_at(at(1_000_000_000), 3), Time::NEVER);
        assert_eq!(b.tokens(at(50_000_000_000)), 2);
    }

    #[test]
    fn thirds_of_a_nanosecond_are_not_lost() {
        let mut stepped = Bucket::new(1000, Span::from_secs(60), 50).unwrap();
        let mut jumped = stepped.clone();
        stepped.take(50);
        jumped.take(50);
        for ns in 0..1000 {
            stepped.has(at(ns * 7), 1);
        }
        assert_eq!(
            (stepped.tokens(at(90_000_007)), stepped),
            (1, {
                jumped.has(at(90_000_007), 1);
                jumped
            })
        );
    }

    #[test]
    fn a_debt_is_paid_before_anything_passes() {
        let mut b = Bucket::new(10, Span::from_secs(1), 10).unwrap();
        b.charge(15);
        assert_eq!(b.ready_at(at(0), 1), at(600_000_000));
        b.charge(1_000_000);
        assert_eq!(
            b.ready_at(at(0), 10),
            at(2_000_000_000),
            "the debt is capped at the burst"
        );
        b.credit(u64::MAX);
        assert_eq!(b.tokens(at(0)), 10);
    }

    #[test]
    fn what_cannot_be_a_bucket_is_refused() {
        assert_eq!(Bucket::new(0, Span::from_secs(1), 1), None);
        assert_eq!(Bucket::new(1, Span::ZERO, 1), None);
        assert_eq!(Bucket::new(1, Span::from_secs(1), 0), None);
        assert_eq!(Bucket::new(1, Span::from_secs(86_400 * 30), u64::MAX), None);
        assert!(Bucket::new(1, Span::from_secs(86_400 * 30), 800).is_some());
        assert!(Bucket::new(1_000_000_000, Span::from_secs(60), 1_000_000_000).is_some());
    }

    proptest! {
        /// Never more than burst + rate × window in any window that starts at a decision.
        #[test]
        fn admitted_tokens_stay_under_the_line(
            gaps in prop::collection::vec((0u64..2_000_000_000, 1u64..5), 1..120),
            count in 1u64..50, burst in 5u64..40,
        ) {
            let mut bucket = Bucket::new(count, Span::from_secs(7), burst).unwrap();
            let mut now = 0;
            let mut admitted: Vec<(u64, u64)> = Vec::new();
            for (gap, n) in gaps {
                now += gap;
                if bucket.has(at(now), n) {
                    bucket.take(n);
                    admitted.push((now, n));
                }
            }
            for (i, &(from, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for &(t, n) in &admitted[i..] {
                    sum += n;
                    let line = u128::from(burst) * 7_000_000_000 + u128::from(count) * u128::from(t - from);
                    prop_assert!(u128::from(sum) * 7_000_000_000 <= line);
                }
            }
        }
    }
}
