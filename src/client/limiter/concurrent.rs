//! At most so many requests inside at once: a fixed cap, for each identity or beside other limiters.
//!
//! A request counts from when it is let in until it ends, back-off included. Beyond the cap a request waits until another leaves, or is
//! turned away where `each` says so: LiteLLM's `max_parallel_requests` of a key answers 429. For all requests of the client together
//! `max_in_flight` says the same.
//!
//! ```json
//! { "concurrent": { "limit": 2 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::slots::Slots;
use super::{BuildLimiter, Done, Limiter, Ready};
use crate::form::build::{Built, Names};
use crate::form::units::Count;
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::words::Ask;

/// A fixed cap on requests inside at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrent {
    /// The most requests inside at once.
    pub limit: Count,
}

impl BuildLimiter for Concurrent {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        Ok(Box::new(Running {
            limit: u32::try_from(self.limit.get()).unwrap_or(u32::MAX),
            inside: Slots::default(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    limit: u32,
    inside: Slots,
}

impl Limiter for Running {
    #[inline]
    fn ready(&mut self, _now: Time, _ask: &Ask) -> Ready {
        self.inside.ready(self.limit)
    }

    #[inline]
    fn take(&mut self, _now: Time, _ask: &Ask) {
        self.inside.enter();
    }

    fn give_back(&mut self) {
        self.inside.leave();
    }

    fn leave(&mut self, _done: &Done) {
        self.inside.leave();
    }

    fn listens(&self) -> bool {
        true
    }

    fn is_as_new(&mut self, _now: Time) -> bool {
        self.inside.is_empty()
    }

    fn fresh(&self, _own: Key) -> Box<dyn Limiter> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_cap_a_request_waits_for_another_to_leave() {
        let spec: Concurrent = serde_json::from_str(r#"{"limit": 2}"#).unwrap();
        let (mut limiter, now) = (spec.build(&Names::default()).unwrap(), Time::ZERO);
        assert_eq!(super::super::slots::limit_of(&mut *limiter, now), 2);
        (0..2).for_each(|_| limiter.take(now, &Ask::default()));
        assert_eq!(limiter.ready(now, &Ask::default()), Ready::WhenOneLeaves);
        limiter.leave(&Done::at(now));
        assert_eq!(limiter.ready(now, &Ask::default()), Ready::Now);
    }
}
