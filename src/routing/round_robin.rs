//! Each provider in turn.
//!
//! A provider whose breaker is open is passed over, and its turn goes to the next.
//!
//! Keeps which provider is next, for ever.
//!
//! Sources: what every load balancer has; Kong's default, without its weights; the vLLM production stack's
//! `roundrobin`.
//!
//! Known faults: every provider gets as much, however slow or dear; the one that comes after a closed one gets its
//! share as well.
//!
//! ```json
//! { "round_robin": { "providers": ["a", "b"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, taking_part};
use crate::form::build::{Built, Names};

/// Round robin: each provider in turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoundRobin {
    /// The providers that take part, in this order. Default: every provider, in the experiment's order.
    #[serde(default)]
    pub providers: Members,
}

impl BuildPolicy for RoundRobin {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        Ok(Box::new(Running { order, next: 0 }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    next: usize,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, _call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        for _ in 0..self.order.len() {
            let provider = self.order[self.next];
            self.next = if self.next + 1 == self.order.len() {
                0
            } else {
                self.next + 1
            };
            if fleet.is_open_to_calls(provider) {
                return Some(provider);
            }
        }
        None
    }

    fn wants(&self) -> Wants {
        Wants::NOTHING
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn everybody_gets_the_same_number() {
        assert_eq!(
            counts(&mut *policy(r#""round_robin""#), &hosts(&[]), 0, 9),
            [3, 3, 3, 0]
        );
        let some = r#"{"round_robin": {"providers": ["c", "a"]}}"#;
        assert_eq!(counts(&mut *policy(some), &hosts(&[]), 0, 10), [5, 0, 5, 0]);
    }

    #[test]
    fn a_closed_provider_is_passed_over() {
        assert_eq!(
            counts(&mut *policy(r#""round_robin""#), &hosts(&[1]), 0, 9),
            [5, 0, 4, 0]
        );
        assert_eq!(
            counts(&mut *policy(r#""round_robin""#), &hosts(&[0, 1, 2]), 0, 9),
            [0, 0, 0, 9]
        );
    }
}
