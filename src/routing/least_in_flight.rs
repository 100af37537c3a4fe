//! Fewest in flight, ties by chance: join the shortest queue.
//!
//! Takes the provider with the fewest of the client's calls under way or in line for a connection; of equals one is
//! drawn.
//!
//! Keeps nothing of its own: the counts are the client's.
//!
//! Sources: join-the-shortest-queue (JSQ: Haight 1958; Winston 1977: the best that can be done for exponential service and
//! equal servers); Envoy's `least_request` with `full_scan`, and what "least connections" means in most
//! proxies.
//!
//! Known faults: it looks at every provider for each call; with several clients each sees only its own calls and all
//! herd alike; a provider that fails fast looks idle and draws traffic.
//!
//! ```json
//! { "least_in_flight": { "providers": ["a", "b"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, lowest_drawn, memoryless};
use crate::form::build::{Built, Names};

/// Fewest calls in flight, ties by chance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeastInFlight {
    /// The providers that take part. Default: every provider.
    #[serde(default)]
    pub providers: Members,
}

impl BuildPolicy for LeastInFlight {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        memoryless(&self.providers, names, choose)
    }
}

#[inline]
fn choose(order: &[usize], call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
    lowest_drawn(order, call.draw(), |p| fleet.is_open_to_calls(p).then(|| fleet.load(p)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::kernel::time::Time;

    #[test]
    fn the_shortest_queue_takes_it_and_chance_parts_equals() {
        let mut hosts = hosts(&[]);
        let mut policy = policy(r#""least_in_flight""#);
        hosts[0].in_flight = 1;
        let [a, b, c, _] = counts(&mut *policy, &hosts, 0, 10_000);
        assert!(
            a == 0 && b.abs_diff(5000) < 200 && c.abs_diff(5000) < 200,
            "{a} {b} {c}"
        );
        hosts[1].in_line = 1;
        assert_eq!(counts(&mut *policy, &hosts, 0, 9), [0, 0, 9, 0]);
    }

    /// The equals that stand after the first 64 are found another way.
    #[test]
    fn among_many_equals_each_has_its_share() {
        let names: Vec<String> = (0..100).map(|i| format!("p{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut policy = build_over(r#""least_in_flight""#, &names, None).unwrap();
        let mut hosts = many_hosts(100, &[]);
        hosts[3].in_flight = 1;
        let mut drawn = [0_u32; 100];
        for id in 0..99_000 {
            drawn[choose_by(&mut *policy, &hosts, Time::ZERO, id).unwrap()] += 1;
        }
        assert_eq!(drawn[3], 0);
        // Binomial(99,000, 1/99): mean 1,000, standard deviation 31; five of them.
        let uniform = |(p, &n): (usize, &u32)| p == 3 || n.abs_diff(1000) < 160;
        assert!(drawn.iter().enumerate().all(uniform), "{drawn:?}");
    }
}
