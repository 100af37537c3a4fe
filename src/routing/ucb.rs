//! UCB: the provider that may be the best, as far as is known: the upper confidence bound.
//!
//! The provider with the highest mean + sqrt(`exploration` · ln t / n) wins, n being its rewards and t those of all; of
//! equals the first. One without a reward comes first. With `exploration` 2 that is UCB1; with `discount` it is D-UCB
//! (ξ = 1/2), with `window` SW-UCB. Calls under way are counted in n and t, with the mean so far, lest all of a burst
//! go to one: the algorithm is stated for one call at a time.
//!
//! An attempt's reward is `quality`·good + `cost`·(1 − cost / `max_cost`) + `latency`·(1 − time / `max_latency`), the
//! weights scaled to a sum of 1, costs and times cut at their most; a failure's is 0. Whether an answer was good is
//! said of a share of the answers only, `feedback`: the others teach nothing, nor does the same share of failures,
//! unless quality has no weight. Each class is learned by itself, or all together (`contexts`). For providers that
//! change, `discount` weighs a reward by a power of itself for every later one, and `window` forgets all but so many
//! (Garivier and Moulines). A retry goes elsewhere if it can.
//!
//! Keeps of each provider and context the number and the sum of rewards: for ever, or as `discount` and `window` say.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `reward.quality`, `reward.cost`, `reward.latency` | 1, 0, 0 | weights of 0 or more |
//! | `reward.max_cost` | $0.01 | above 0 |
//! | `reward.max_latency` | 30 s | above 0 |
//! | `contexts` | `class` | `class`, `none` |
//! | `feedback` | 1 | above 0, to 1 |
//! | `discount` | 1 | above 0, to 1 |
//! | `window` | none | 1 to 1,000,000 |
//! | `exploration` | 2 | above 0 |
//!
//! Sources: Auer, Cesa-Bianchi, Fischer, "Finite-time analysis of the multiarmed bandit problem" (2002); Garivier,
//! Moulines, "On upper-confidence bound policies for switching bandit problems" (2011).
//!
//! Known faults: explores far more than it needs to where rewards vary little (a smaller `exploration` mends that);
//! without `discount` or `window` it does not notice for long that a provider has changed.
//!
//! ```json
//! { "ucb": { "reward": { "quality": 0.6, "latency": 0.4, "max_latency": "10s" },
//!            "contexts": "none", "window": 2000 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bandit::{Arms, Contexts, Learning, RewardSpec, bandit};
use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, lowest};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Fraction};
use crate::words::{Ended, Unit};

bandit! {
    /// Upper confidence bounds (UCB1, D-UCB, SW-UCB) on the mean reward.
    pub struct Ucb {
        /// The exploration factor under the root, above 0. Default: 2.
        pub exploration: f64 = 2.0,
    }
}

/// What the policy goes by, as it tells the story of a request.
const BOUND: &str = "upper bound of the mean reward";

impl BuildPolicy for Ucb {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if !(self.exploration > 0.0 && self.exploration.is_finite()) {
            let text = format!("{}: must be above 0", self.exploration);
            return Err(Refusal::new(text).at("exploration"));
        }
        Ok(Box::new(Running {
            arms: Arms::new(&self.learning(), names)?,
            exploration: self.exploration,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    arms: Arms,
    exploration: f64,
}

impl Policy for Running {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let arms = self.arms.of(call.class);
        let pulls = |p: usize| arms[p].n + self.arms.feedback() * f64::from(fleet.load(p));
        let total: f64 = self.arms.order.iter().map(|&p| pulls(p)).sum();
        let spread = self.exploration * libm::log(total.max(1.0));
        let among = |may: &dyn Fn(usize) -> bool| {
            lowest(&self.arms.order, |p| {
                let (arm, pulls) = (arms[p], pulls(p));
                may(p).then(|| {
                    if pulls <= 0.0 {
                        fleet.tell(p, || (BOUND, Unit::Number, f64::INFINITY));
                        return f64::NEG_INFINITY;
                    }
                    // Nothing is known of a provider that has not answered yet: the best is assumed.
                    let mean = if arm.n > 0.0 { arm.sum / arm.n } else { 1.0 };
                    let bound = mean + libm::sqrt(spread / pulls);
                    fleet.tell(p, || (BOUND, Unit::Number, bound));
                    -bound
                })
            })
        };
        among(&|p| call.last != Some(p) && fleet.is_open_to_calls(p)).or_else(|| among(&|p| fleet.is_open_to_calls(p)))
    }

    fn wants(&self) -> Wants {
        self.arms.wants()
    }

    fn learn(&mut self, ended: &Ended) {
        self.arms.learn(ended);
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::{Span, Time};
    use crate::words::Outcome;

    /// An answer of `p` that took so many of the 10 s from which on nothing is earned.
    fn ends(policy: &mut dyn Policy, p: usize, seconds: u64) {
        let mut ended = Ended::new(Time::ZERO, p, Outcome::Success);
        ended.took = Span::from_secs(seconds);
        policy.learn(&ended);
    }

    const FAST: &str = r#""reward": {"quality": 0, "latency": 1, "max_latency": "10s"}"#;

    fn next(policy: &mut dyn Policy) -> Option<usize> {
        choose_at(policy, &hosts(&[]), Time::ZERO)
    }

    #[test]
    fn everybody_is_tried_once_and_then_the_bound_decides() {
        let mut policy = policy(&format!(r#"{{"ucb": {{{FAST}}}}}"#));
        for (p, seconds) in [(0, 1), (1, 5), (2, 9)] {
            assert_eq!(next(&mut *policy), Some(p));
            ends(&mut *policy, p, seconds);
        }
        // 0.9, 0.5, 0.1 with sqrt(2 ln 3) each; then a at n = 2, t = 4: 0.9 + 1.177 against 0.5 + 1.665.
        assert_eq!(next(&mut *policy), Some(0));
        ends(&mut *policy, 0, 1);
        assert_eq!(next(&mut *policy), Some(1));
        // b at n = 2, t = 5: 0.5 + 1.269, a 0.9 + 1.269, c 0.1 + 1.794.
        ends(&mut *policy, 1, 5);
        assert_eq!(next(&mut *policy), Some(0));
    }

    #[test]
    fn calls_under_way_count() {
        let mut policy = policy(&format!(r#"{{"ucb": {{{FAST}}}}}"#));
        let mut hosts = hosts(&[]);
        for p in [0, 1, 2] {
            assert_eq!(choose_at(&mut *policy, &hosts, Time::ZERO), Some(p));
            hosts[p].in_flight += 1;
        }
    }

    #[test]
    fn a_window_forgets_and_a_discount_fades() {
        for rest in [r#""window": 4"#, r#""discount": 0.5"#] {
            let mut policy = policy(&format!(
                r#"{{"ucb": {{"providers": ["a", "b"], "exploration": 0.001, {FAST}, {rest}}}}}"#
            ));
            for (p, seconds) in [(0, 1), (0, 1), (0, 1), (1, 5), (0, 9), (0, 9), (0, 9)] {
                ends(&mut *policy, p, seconds);
            }
            assert_eq!(next(&mut *policy), Some(1), "{rest}");
        }
        let mut policy = policy(&format!(
            r#"{{"ucb": {{"providers": ["a", "b"], "exploration": 0.001, {FAST}}}}}"#
        ));
        for (p, seconds) in [(0, 1), (0, 1), (0, 1), (0, 1), (1, 6), (0, 9), (0, 9)] {
            ends(&mut *policy, p, seconds);
        }
        assert_eq!(next(&mut *policy), Some(0), "6.3 of 10 on the whole");
    }
}
