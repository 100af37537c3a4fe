//! The most room for its weight: Kong's `least-connections`.
//!
//! Takes the lowest (calls + 1)/weight, the first of equals; calls are the client's own, under way or in line. The 1
//! makes the heaviest go first where no provider has any. A retry does not go where the last attempt failed.
//!
//! Keeps nothing of its own.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `weights` | 100 each | above 0 |
//!
//! Source: Kong, `kong/runloop/balancer/least_connections.lua`; offered by `ai-proxy-advanced` since 3.13. Known
//! faults: a provider that fails fast looks idle; a provider that takes more at once at the same speed needs a weight
//! that says so. Left out: that a heap decides among equals; that a target that failed before the last one in the same
//! request is avoided too.
//!
//! ```json
//! { "kong_least_connections": { "weights": { "a": 100, "b": 50 } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, lowest, taking_part};
use crate::form::build::{Built, Names};
use crate::form::named::Named;
use crate::words::Unit;

/// The fewest calls for its weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KongLeastConnections {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The weights by which calls are divided, above 0. Default: 100 each.
    pub weights: Named<f64>,
}

impl BuildPolicy for KongLeastConnections {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            weights: super::kong_latency::weights(&self.weights, names)?,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    weights: Vec<f64>,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let score = |p: usize| {
            let calls = f64::from(fleet.load(p)) + 1.0;
            fleet.is_open_to_calls(p).then(|| {
                fleet.tell(p, || ("(calls + 1)/weight", Unit::Number, calls / self.weights[p]));
                calls / self.weights[p]
            })
        };
        lowest(&self.order, |p| if call.last == Some(p) { None } else { score(p) })
            .or_else(|| lowest(&self.order, score))
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
    use super::*;
    use crate::form::build::Refusal;
    use crate::kernel::time::Time;

    #[test]
    fn calls_and_one_are_divided_by_the_weight() {
        let mut policy = policy(r#"{"kong_least_connections": {"weights": {"b": 300}}}"#);
        let mut next = |in_flight: [u32; 3], last: Option<usize>| {
            let mut hosts = hosts(&[]);
            for (host, n) in hosts.iter_mut().zip(in_flight) {
                host.in_flight = n;
            }
            let call = Call { last, ..call(0, 0) };
            policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO))
        };
        assert_eq!(next([0, 0, 0], None), Some(1), "the heaviest first");
        assert_eq!(next([0, 1, 0], None), Some(1), "2/300 against 1/100");
        assert_eq!(next([0, 2, 0], None), Some(0), "of equals the first");
        assert_eq!(next([1, 3, 0], None), Some(2));
        assert_eq!(next([0, 0, 0], Some(1)), Some(0), "a retry goes elsewhere");
    }

    #[test]
    fn weights_are_above_nothing() {
        let refusal = build(r#"{"kong_least_connections": {"weights": {"a": 0}}}"#)
            .err()
            .unwrap();
        assert_eq!(
            refusal,
            Refusal::new("a weight of 0: must be above 0").at("a").at("weights")
        );
    }
}
