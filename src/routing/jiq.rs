//! Join an idle queue: any provider that is idle, else any.
//!
//! Draws among the providers at which the client has nothing under way nor in line; if there is none, among all.
//!
//! Keeps nothing of its own: the counts are the client's.
//!
//! Source: Join-Idle-Queue (Lu et al., Performance Evaluation 68, 2011) with one dispatcher, which knows at once which
//! are idle.
//!
//! Known faults: once every provider is busy it does no better than chance.
//!
//! ```json
//! { "jiq": { "providers": ["a", "b"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, lowest_drawn, memoryless};
use crate::form::build::{Built, Names};

/// Join-Idle-Queue: any provider that is idle, else any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jiq {
    /// The providers that take part. Default: every provider.
    #[serde(default)]
    pub providers: Members,
}

impl BuildPolicy for Jiq {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        memoryless(&self.providers, names, choose)
    }
}

#[inline]
fn choose(order: &[usize], call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
    lowest_drawn(order, call.draw(), |p| {
        let busy = || fleet.load(p) > 0;
        fleet.is_open_to_calls(p).then(busy)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn an_idle_one_is_drawn_and_among_the_busy_load_is_nothing() {
        let mut hosts = hosts(&[]);
        let mut policy = policy(r#""jiq""#);
        hosts[0].in_flight = 1;
        let [a, b, c, _] = counts(&mut *policy, &hosts, 0, 10_000);
        assert!(a == 0 && b.abs_diff(c) < 400, "{a} {b} {c}");
        hosts[1].in_flight = 7;
        hosts[2].in_line = 1;
        let [a, b, c, _] = counts(&mut *policy, &hosts, 0, 9000);
        assert!([a, b, c].iter().all(|n| n.abs_diff(3000) < 200), "{a} {b} {c}");
    }
}
