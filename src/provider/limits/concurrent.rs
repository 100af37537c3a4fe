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
use crate::kernel::time::Time;
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
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    limit: u64,
    inside: u64,
    full: BoundClock,
}

impl Limit for Running {
    #[inline]
    fn ready_at(&mut self, now: Time, _ask: &Ask) -> Time {
        if self.inside < self.limit { now } else { Time::NEVER }
    }

    #[inline]
    fn charge(&mut self, now: Time, _ask: &Ask) {
        self.inside += 1;
        if self.inside == self.limit {
            self.full.enter(now);
        }
    }

    #[inline]
    fn settle(&mut self, now: Time, _spent: &Spent) {
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

    fn fresh(&self) -> Box<dyn Limit> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Usage;

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
