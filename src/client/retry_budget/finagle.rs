//! Finagle's retry budget (`service/RetryBudget.scala`, `WindowedAdder.scala`): a share of the requests of the last `ttl`, and
//! a few retries a second besides.
//!
//! Each request deposits 1,000 and each retry withdraws 1,000 / `share`; both are forgotten after about `ttl`, in tenths of
//! it, each of which begins with the first call after the one before is over; a reserve of `min_per_second` × ttl retries never is. A retry may be made while the balance covers it. Under steady
//! failure that allows `share` × the rate of requests + `min_per_second`. A share of 0 allows the reserve alone.
//!
//! ```json
//! { "finagle": { "ttl": "10s", "min_per_second": 10, "share": "20%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetryBudget, RetryBudget};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};

/// The retry budget of Finagle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Finagle {
    /// The time for which a request counts, from 1s to 60s. Default: 10s.
    pub ttl: Duration,
    /// The retries a second that are always allowed, at most 1,000,000. Default: 10.
    #[schemars(range(max = 1_000_000))]
    pub min_per_second: u32,
    /// The retries allowed for each request. Default: 20%.
    pub share: Fraction,
}

impl Default for Finagle {
    fn default() -> Finagle {
        Finagle {
            ttl: Duration::from(Span::from_secs(10)),
            min_per_second: 10,
            share: Fraction::new(0.2).unwrap_or(Fraction::ZERO),
        }
    }
}

impl BuildRetryBudget for Finagle {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn RetryBudget>> {
        let ttl = self.ttl.span();
        if ttl < Span::from_secs(1) || ttl > Span::from_secs(60) {
            let text = format!("ttl is {}, and must lie between 1s and 60s", self.ttl);
            return Err(Refusal::new(text).at("ttl"));
        }
        if self.min_per_second > 1_000_000 {
            let text = format!("min_per_second is {}, and must not exceed 1000000", self.min_per_second);
            return Err(Refusal::new(text).at("min_per_second"));
        }
        Ok(Box::new(Running {
            bucket: Leaky::new(ttl, self.min_per_second, self.share),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    bucket: Leaky,
}

impl RetryBudget for Running {
    fn sent(&mut self, now: Time, attempt: u32) {
        if attempt == 0 {
            self.bucket.deposit(now);
        }
    }

    fn ended(&mut self) {}

    fn withdraw(&mut self, now: Time) -> bool {
        self.bucket.withdraw(now)
    }

    fn over(&mut self) {}

    fn fresh(&self) -> Box<dyn RetryBudget> {
        Box::new(self.clone())
    }
}

/// The deposit of a request, in whole units.
const SCALE: f64 = 1000.0;
/// The slices of the window that are over.
const SLICES: usize = 9;

/// A bucket whose deposits and withdrawals are forgotten after a while.
#[derive(Clone, Debug)]
pub struct Leaky {
    slice: Span,
    reserve: i64,
    deposit: i64,
    price: i64,
    /// The sum of the slice that is being written, since when, and the nine before it, the oldest at `oldest`.
    current: i64,
    since: Time,
    past: [i64; SLICES],
    oldest: usize,
}

impl Leaky {
    /// A bucket that allows `share` of the requests of the last `ttl` and `min_per_second` besides.
    pub fn new(ttl: Span, min_per_second: u32, share: Fraction) -> Leaky {
        let none = share.get() == 0.0;
        let price = if none { 1 } else { (SCALE / share.get()) as i64 };
        let per_ttl = i64::from(min_per_second) * (ttl.nanos() / 1_000_000_000) as i64;
        Leaky {
            slice: Span::from_nanos(ttl.nanos() / 10),
            reserve: per_ttl.saturating_mul(price),
            deposit: if none { 0 } else { SCALE as i64 },
            price,
            current: 0,
            since: Time::ZERO,
            past: [0; SLICES],
            oldest: 0,
        }
    }

    /// Adds the deposit of one request.
    #[inline]
    pub fn deposit(&mut self, now: Time) {
        self.turn(now);
        self.current = self.current.saturating_add(self.deposit);
    }

    /// Whether one more withdrawal is covered. If so, it is charged.
    pub fn withdraw(&mut self, now: Time) -> bool {
        self.turn(now);
        let past = self.past.iter().fold(0, |sum: i64, &slice| sum.saturating_add(slice));
        let balance = past.saturating_add(self.current).saturating_add(self.reserve);
        if balance < self.price {
            return false;
        }
        self.current = self.current.saturating_sub(self.price);
        true
    }

    /// Begins a new slice if the current one is over. As in Finagle, it begins now and not when that one ended.
    #[inline]
    fn turn(&mut self, now: Time) {
        let passed = now.since(self.since);
        if passed < self.slice {
            return;
        }
        self.put(self.current);
        self.current = 0;
        let skipped = (passed.nanos() / self.slice.nanos() - 1).min(SLICES as u64);
        for _ in 0..skipped {
            self.put(0);
        }
        self.since = now;
    }

    fn put(&mut self, slice: i64) {
        self.past[self.oldest] = slice;
        self.oldest = (self.oldest + 1) % SLICES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    fn bucket(min: u32, share: f64) -> Leaky {
        Leaky::new(Span::from_secs(10), min, Fraction::new(share).unwrap())
    }

    fn withdrawn(bucket: &mut Leaky, now: Time) -> u32 {
        (0..1_000_000).take_while(|_| bucket.withdraw(now)).count() as u32
    }

    /// Finagle's own test: five requests for each retry at 20 %, and not one less.
    #[test]
    fn a_fifth_of_the_requests_may_be_tried_again() {
        let mut bucket = bucket(0, 0.2);
        for requests in 1..=4 {
            bucket.deposit(at(0));
            assert!(!bucket.withdraw(at(0)), "after {requests}");
        }
        bucket.deposit(at(0));
        assert!(bucket.withdraw(at(0)) && !bucket.withdraw(at(0)));
    }

    #[test]
    fn the_reserve_lasts_for_a_ttl_and_comes_back() {
        let mut bucket = bucket(10, 0.2);
        assert_eq!(withdrawn(&mut bucket, at(0)), 100);
        assert_eq!(withdrawn(&mut bucket, at(9_999)), 0);
        assert_eq!(withdrawn(&mut bucket, at(20_000)), 100);
    }

    #[test]
    fn a_deposit_is_forgotten_after_a_ttl() {
        for (until, left) in [(0, 2), (5_000, 2), (9_900, 2), (10_000, 0), (60_000, 0)] {
            let mut bucket = bucket(0, 0.2);
            (0..10).for_each(|_| bucket.deposit(at(0)));
            (1..=until / 1000).for_each(|s| bucket.turn(at(s * 1000)));
            assert_eq!(withdrawn(&mut bucket, at(until)), left, "after {until} ms");
        }
    }

    #[test]
    fn without_a_share_the_reserve_is_all_there_is() {
        let mut bucket = bucket(3, 0.0);
        (0..1000).for_each(|_| bucket.deposit(at(0)));
        assert_eq!(withdrawn(&mut bucket, at(0)), 30);
    }
}
