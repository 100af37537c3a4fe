//! Thompson sampling: the provider that does best in a draw from what is believed of each.
//!
//! Of each provider's mean reward there is a belief, Beta(1 + S, 1 + n − S) after n rewards with sum S. For every
//! attempt one value is drawn from each belief, and the highest wins. A reward between 0 and 1 is added to S as it is;
//! Agrawal and Goyal round it to 0 or 1 by chance instead, which has the same mean and is the same for rewards of 0 and
//! 1.
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
//!
//! Sources: Thompson (1933); Agrawal, Goyal, "Analysis of Thompson sampling" (2012); Garivier, Moulines (2011).
//!
//! Known faults: without `discount` or `window` it does not notice for long that a provider has changed; what it learns
//! of calls under way comes late, so many calls go the same way first; failures of an overload teach it that a model is
//! bad.
//!
//! ```json
//! { "thompson": { "reward": { "quality": 0.7, "cost": 0.3, "max_cost": "$0.02" },
//!                 "feedback": "5%", "discount": 0.999 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bandit::{Arms, Contexts, Learning, RewardSpec, bandit};
use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, lowest};
use crate::form::build::{Built, Names};
use crate::form::units::{Count, Fraction};
use crate::kernel::beta::beta;
use crate::kernel::chance::Purpose;
use crate::words::{Ended, Unit};

bandit! {
    /// Thompson sampling: draws from beliefs about the mean reward.
    pub struct Thompson {}
}

impl BuildPolicy for Thompson {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        Ok(Box::new(Running {
            arms: Arms::new(&self.learning(), names)?,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    arms: Arms,
}

impl Policy for Running {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let beliefs = self.arms.of(call.class);
        let among = |may: &dyn Fn(usize) -> bool| {
            lowest(&self.arms.order, |p| {
                // Each draws from a stream of its own: which others are open changes nothing for it.
                let belief = beliefs[p];
                let mut stream = call.attempt.part(p as u64).stream(Purpose::Route);
                may(p).then(|| {
                    let drawn = beta(1.0 + belief.sum, 1.0 + (belief.n - belief.sum).max(0.0), &mut stream);
                    fleet.tell(p, || ("reward drawn", Unit::Number, drawn));
                    -drawn
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

    /// After 8 and 2 of 10 the beliefs are Beta(9, 3) and Beta(3, 9): the second draws higher as often as
    /// an exact sum says, to four standard deviations.
    #[test]
    fn the_better_wins_as_often_as_beliefs_say() {
        let mut policy = policy(&format!(r#"{{"thompson": {{"providers": ["a", "b"], {FAST}}}}}"#));
        for _ in 0..10 {
            ends(&mut *policy, 0, 2);
            ends(&mut *policy, 1, 8);
        }
        let [_, b, ..] = counts(&mut *policy, &hosts(&[]), 0, 20_000);
        let wanted = 20_000.0 * worse_wins(9, 3, 3, 9);
        assert!((b as f64 - wanted).abs() < 4.0 * wanted.sqrt(), "{b}, not {wanted}");
        let [.., c, _] = counts(&mut *policy, &hosts(&[]), 1, 100);
        assert_eq!(c, 0, "c does not take part");
    }

    /// P(Beta(c, d) > Beta(a, b)) for whole numbers:
    /// the sum over i < c of B(a + i, b + d) / ((d + i) B(1 + i, d) B(a, b)).
    fn worse_wins(a: u32, b: u32, c: u32, d: u32) -> f64 {
        let log_beta =
            |x: u32, y: u32| libm::lgamma(f64::from(x)) + libm::lgamma(f64::from(y)) - libm::lgamma(f64::from(x + y));
        (0..c)
            .map(|i| libm::exp(log_beta(a + i, b + d) - log_beta(1 + i, d) - log_beta(a, b)) / f64::from(d + i))
            .sum()
    }

    #[test]
    fn whoever_is_unknown_is_as_likely_as_any() {
        let mut policy = policy(&format!(r#"{{"thompson": {{{FAST}}}}}"#));
        let [a, b, c, none] = counts(&mut *policy, &hosts(&[]), 0, 30_000);
        // Four standard deviations are 327.
        assert!(
            [a, b, c].iter().all(|n| n.abs_diff(10_000) < 327) && none == 0,
            "{a} {b} {c}"
        );
        assert_eq!(counts(&mut *policy, &hosts(&[0, 1]), 0, 10), [0, 0, 10, 0]);
    }

    #[test]
    fn quality_must_be_known() {
        let refusal = build(r#""thompson""#).err().unwrap();
        assert_eq!(
            refusal.message,
            "provider `a` has no `quality` for class `x`, so no answer can be graded as good or not"
        );
    }
}
