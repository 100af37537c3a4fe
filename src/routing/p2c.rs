//! The power of two choices: of two providers at random, the one with fewer calls.
//!
//! Draws two different providers out of those that may be called and takes the one with fewer of the client's calls
//! under way or in line for a connection; of equals the first drawn. With n servers the longest queue is of order log
//! log n instead of log n / log log n under a random choice.
//!
//! Keeps nothing of its own: the counts are the client's.
//!
//! Sources: Azar et al. 1994; Mitzenmacher 1996; Finagle's `P2C`; Envoy's `least_request` with `choice_count` 2 (which
//! may draw the same host twice); NGINX's `random two least_conn`.
//!
//! Known faults: a provider that fails fast looks idle and draws traffic.
//!
//! ```json
//! { "p2c": { "providers": ["a", "b", "c"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pair::pair;
use super::{BuildPolicy, Call, Fleet, Members, Policy, memoryless};
use crate::form::build::{Built, Names};
use crate::words::Unit;

/// The power of two choices: the one of two with fewer calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct P2c {
    /// The providers that take part. Default: every provider.
    #[serde(default)]
    pub providers: Members,
}

impl BuildPolicy for P2c {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        memoryless(&self.providers, names, choose)
    }
}

#[inline]
fn choose(order: &[usize], call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
    let (one, other) = pair(order, call, fleet)?;
    for p in [one, other] {
        fleet.tell(p, || ("load, of the two drawn", Unit::Number, f64::from(fleet.load(p))));
    }
    Some(if fleet.load(other) < fleet.load(one) {
        other
    } else {
        one
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    /// The busiest of three is in two pairs of three and loses both; the idlest wins both of its own.
    #[test]
    fn the_less_busy_of_two_takes_it() {
        let mut hosts = hosts(&[]);
        (hosts[0].in_flight, hosts[1].in_flight) = (2, 1);
        let [a, b, c, _] = counts(&mut *policy(r#""p2c""#), &hosts, 0, 30_000);
        assert!(
            a == 0 && b.abs_diff(10_000) < 400 && c.abs_diff(20_000) < 400,
            "{a} {b} {c}"
        );
    }
}
