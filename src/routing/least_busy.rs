//! Fewest in flight, ties to the first: LiteLLM's `least-busy`.
//!
//! The gateway counts, for each deployment, the calls that it has under way, and takes the lowest count. Among equals
//! the first in the list wins.
//!
//! Up to 1.80 the lowest count was sought among *all* deployments, those in cooldown included: when it belonged to one
//! that may not be called, a random one of the others was taken, however busy.
//!
//! Keeps nothing of its own: the counts are the client's, and gone with each call's end. LiteLLM keeps them in a cache
//! for an hour, which matters only to calls that last longer.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `version` | `1.109` | `1.80`, `1.109` |
//!
//! Source: LiteLLM 1.80 and 1.109, `router_strategy/least_busy.py`.
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

use super::litellm::Version;
use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, lowest, lowest_drawn, taking_part};
use crate::form::build::{Built, Names};

/// Fewest calls in flight, ties to the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeastBusy {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    #[serde(default)]
    pub providers: Members,
    /// The version of LiteLLM whose rules hold. Default: `1.109`.
    #[serde(default)]
    pub version: Version,
}

impl BuildPolicy for LeastBusy {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        Ok(Box::new(Running {
            order,
            version: self.version,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    version: Version,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        match self.version {
            Version::V1_109 => lowest(&self.order, |p| fleet.is_open_to_calls(p).then(|| fleet.in_flight(p))),
            Version::V1_80 => lowest(&self.order, |p| fleet.is_eligible(p).then(|| fleet.in_flight(p)))
                .filter(|&p| fleet.is_open_to_calls(p))
                .or_else(|| lowest_drawn(&self.order, call.draw(), |p| fleet.is_open_to_calls(p).then_some(()))),
        }
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

    #[test]
    fn until_1_80_an_idle_one_in_cooldown_hides_the_others() {
        let mut busy = hosts(&[2]);
        (busy[0].in_flight, busy[1].in_flight) = (1, 9);
        assert_eq!(counts(&mut *policy(r#""least_busy""#), &busy, 0, 9), [9, 0, 0, 0]);
        let mut old = policy(r#"{"least_busy": {"version": "1.80"}}"#);
        let [a, b, c, _] = counts(&mut *old, &busy, 0, 10_000);
        assert!(c == 0 && a.abs_diff(b) < 400, "{a} {b} {c}");
        busy[2].in_flight = 2;
        assert_eq!(counts(&mut *old, &busy, 0, 9), [9, 0, 0, 0]);
    }
}
