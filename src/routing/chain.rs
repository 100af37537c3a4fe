//! An ordered list: the first that is open, and after a failure the next.
//!
//! The first attempt goes to the first provider of the list that may be called. Each further one goes to the next after
//! the last one tried; after the end of the list it begins again. How many are tried, and when, is the retry rule's to say:
//! without a `client.retry` a failure is final, and a rule that honours Retry-After waits for it before the next provider
//! is asked (`"retry_after": "ignore"` does not). A `tree` with `fallback` moves on by itself and at once.
//!
//! Keeps nothing.
//!
//! Sources: Portkey's `strategy: fallback`, OpenRouter's `order`, Bifrost's `fallbacks`, without their rules on which
//! failures count.
//!
//! Known faults: without a breaker each new request begins at the head of the list, however long that has been down.
//!
//! ```json
//! { "chain": { "providers": ["a", "b", "c"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, taking_part};
use crate::form::build::{Built, Names};

/// An ordered list: the first provider that is open, then the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The list of providers. Default: every provider, in the experiment's order.
    #[serde(default)]
    pub providers: Members,
}

impl BuildPolicy for Chain {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        let mut places = vec![0; names.providers.len()];
        for (place, &provider) in order.iter().enumerate() {
            places[provider] = place + 1;
        }
        Ok(Box::new(Running { order, places }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    /// The place after each provider in the list; 0 for a provider that is not in it.
    places: Vec<usize>,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let from = call.last.map_or(0, |last| self.places[last]);
        let (before, after) = self.order.split_at(from);
        after.iter().chain(before).copied().find(|&p| fleet.is_open_to_calls(p))
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{Call, Fleet};
    use crate::kernel::time::Time;

    #[test]
    fn a_failure_moves_on_to_the_next_that_is_open() {
        let mut policy = policy(r#"{"chain": {"providers": ["c", "a", "b"]}}"#);
        let mut next = |closed: &[usize], last| {
            let hosts = hosts(closed);
            let call = Call { last, ..call(0, 0) };
            policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO))
        };
        let all = [None, Some(2), Some(0), Some(1)];
        assert_eq!(all.map(|last| next(&[], last)), [Some(2), Some(0), Some(1), Some(2)]);
        assert_eq!(all.map(|last| next(&[0], last)), [Some(2), Some(1), Some(1), Some(2)]);
        assert_eq!(next(&[0, 1, 2], Some(0)), None);
    }
}
