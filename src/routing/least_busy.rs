//! Fewest in flight, ties to the first: LiteLLM's `least-busy`.
//!
//! The gateway counts, for each deployment, the calls that it has under way, and takes the lowest count. Among equals
//! the first in the list wins.
//!
//! Keeps nothing of its own: the counts are the client's, and gone with each call's end. LiteLLM keeps them in a cache
//! for an hour, which matters only to calls that last longer.
//!
//! Source: LiteLLM 1.109, `router_strategy/least_busy.py`.
//!
//! Known faults: while calls are rarer than they are long, everything goes to the first deployment, so the others are
//! never tried; a deployment that fails fast looks idle and draws traffic. Left out: that the count rises some
//! milliseconds after the choice, so that calls within that time do not see each other.
//!
//! ```json
//! { "least_busy": { "providers": ["a", "b"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Policy, lowest, taking_part};
use crate::spec::build::{Built, Names};

/// Fewest in flight, ties to the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeastBusy {
    /// Who takes part; of equals the first here wins. Default: every provider, in the experiment's order.
    #[serde(default)]
    pub providers: Vec<String>,
}

impl BuildPolicy for LeastBusy {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        Ok(Box::new(Running { order }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, _call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        lowest(&self.order, |p| fleet.is_open_to_calls(p).then(|| fleet.in_flight(p)))
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn the_idlest_takes_it_and_the_first_of_equals() {
        let mut hosts = hosts(&[]);
        let mut policy = policy(r#""least_busy""#);
        let mut next = |in_flight: [u32; 3]| {
            for (host, n) in hosts.iter_mut().zip(in_flight) {
                host.in_flight = n;
            }
            counts(&mut *policy, &hosts, 0, 1)
        };
        assert_eq!(next([0, 0, 0]), [1, 0, 0, 0]);
        assert_eq!(next([1, 0, 0]), [0, 1, 0, 0]);
        assert_eq!(next([2, 2, 1]), [0, 0, 1, 0]);
        assert_eq!(next([2, 1, 1]), [0, 1, 0, 0]);
    }

    #[test]
    fn order_is_that_of_the_list_and_closed_ones_are_passed_over() {
        let listed = r#"{"least_busy": {"providers": ["c", "a"]}}"#;
        assert_eq!(counts(&mut *policy(listed), &hosts(&[]), 0, 3), [0, 0, 3, 0]);
        assert_eq!(counts(&mut *policy(listed), &hosts(&[2]), 0, 3), [3, 0, 0, 0]);
        assert_eq!(counts(&mut *policy(listed), &hosts(&[0, 2]), 0, 3), [0, 0, 0, 3]);
    }
}
