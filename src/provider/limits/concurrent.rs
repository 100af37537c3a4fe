//! A concurrency quota: each request holds its place from when it is admitted until it has left.
//!
//! When full, it answers 429 and cannot say when there will be room: no Retry-After. Several serverless providers
//! enforce this beside their rates, and so does a self-hosted server's `--max-concurrent-requests` (Hugging Face TGI).
//! A caller that hangs up frees its place at once.
//!
//! ```json
//! { "concurrent": { "limit": 100 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildOne, Full, Limit, Spent, Unit};
use crate::form::build::{Built, Names};
use crate::form::units::Count;
use crate::kernel::clock::BoundClock;
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

/// A concurrency quota: a bound on the requests in service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrent {
    /// The most requests in service at once.
    pub limit: Count,
}

impl BuildOne for Concurrent {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limit>> {
        Ok(Box::new(Running {
            limit: self.limit.get(),
            inside: 0,
            full: BoundClock::default(),
            used: 0,
            since: Time::ZERO,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    limit: u64,
    inside: u64,
    full: BoundClock,
    /// Nanoseconds inside, added up over attempts until `since`.
    used: u128,
    since: Time,
}

impl Running {
    /// The nanoseconds inside, added up until `now`.
    #[inline]
    fn used_until(&self, now: Time) -> u128 {
        self.used + u128::from(self.inside) * u128::from(now.since(self.since).nanos())
    }
}

impl Limit for Running {
    #[inline]
    fn ready_at(&mut self, now: Time, _ask: &Ask) -> Time {
        if self.inside < self.limit { now } else { Time::NEVER }
    }

    #[inline]
    fn charge(&mut self, now: Time, _ask: &Ask) {
        (self.used, self.since) = (self.used_until(now), now);
        self.inside += 1;
        if self.inside == self.limit {
            self.full.enter(now);
        }
    }

    #[inline]
    fn settle(&mut self, now: Time, _spent: &Spent) {
        (self.used, self.since) = (self.used_until(now), now);
        self.inside = self.inside.saturating_sub(1);
        self.full.leave(now);
    }

    fn full(&self, now: Time) -> Option<Full> {
        Some(Full {
            limit: Some(self.limit),
            time: self.full.total(now),
        })
    }

    fn listens(&self) -> bool {
        true
    }

    fn unit(&self) -> Unit {
        Unit::Concurrent
    }

    fn per_minute(&self) -> Option<u64> {
        None
    }

    fn used(&self, now: Time) -> u128 {
        self.used_until(now)
    }

    fn most(&self, over: Span) -> Option<u128> {
        Some(u128::from(self.limit) * u128::from(over.nanos()))
    }

    fn fresh(&self) -> Box<dyn Limit> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Usage;

    /// One for 4 ns, two for 3 ns more, then one to the end at 10: 4 + 6 + 3 of 20.
    #[test]
    fn what_is_used_is_the_time_of_all_that_were_inside() {
        let spec: Concurrent = serde_json::from_str(r#"{"limit": 2}"#).unwrap();
        let mut limit = spec.build(&Names::default()).unwrap();
        let (at, ask) = (Time::from_nanos, Ask::default());
        limit.charge(at(0), &ask);
        limit.charge(at(4), &ask);
        let (since, usage) = (at(0), Usage::default());
        limit.settle(at(7), &Spent { ask, since, usage });
        assert_eq!((limit.used(at(10)), limit.most(Span::from_nanos(10))), (13, Some(20)));
    }

    #[test]
    fn a_place_is_free_again_when_its_holder_has_left() {
        let spec: Concurrent = serde_json::from_str(r#"{"limit": 2}"#).unwrap();
        let mut limit = spec.build(&Names::default()).unwrap();
        let (now, ask) = (Time::from_nanos(5), Ask::default());
        let spent = Spent {
            ask,
            since: now,
            usage: Usage::default(),
        };
        let mut open = Vec::new();
        for enters in [true, true, false, true] {
            if enters {
                limit.charge(now, &ask);
            } else {
                limit.settle(now, &spent);
            }
            open.push(limit.ready_at(now, &ask) == now);
        }
        assert_eq!(open, [true, false, true, false]);
        assert_eq!(limit.ready_at(now, &ask), Time::NEVER);
    }
}
