//! The lowest price per token, input and output added up: LiteLLM's `cost-based-routing`.
//!
//! Takes the lowest sum of the price of an input token and that of an output token, among those that have room left in
//! the minute (`rpm`, `tpm`); of equals the first in the list. A price that is not known counts as $5 for each token of
//! either kind, so no such provider is chosen beside one whose price is known; a provider that is sold by the request
//! has no token price here. If none has room there is no provider to send to. A minute's requests and tokens are
//! counted when an answer has come, so a burst passes the limits.
//!
//! Keeps the requests and tokens of the wall clock's minute.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `limits.rpm`, `limits.tpm` | none | 1 or more |
//! | `limits.from_quotas` | false | true, false |
//!
//! Source: LiteLLM 1.80 and 1.109, `router_strategy/lowest_cost.py`, which choose alike: 1.109 only finds the price of a
//! deployment under more names.
//!
//! Known faults: the plain sum is not a cost. With $1 + $9 against $6 + $3.90 a million it always takes the second,
//! though the first is cheaper for everything with a long prompt. Left out: that among equals it is the one answered
//! first that wins, which is the first in the list unless that was closed at the time.
//!
//! ```json
//! { "cost_based": { "limits": { "rpm": { "a": 500 } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::litellm::{MinuteLimits, Minutes};
use super::{BuildPolicy, Call, Fleet, Members, Policy, lowest, taking_part};
use crate::form::build::{Built, Names};
use crate::words::{Ended, Outcome, Unit};

/// Pico-dollars for one token of each kind whose price is not known: $5 and $5.
const UNKNOWN: u64 = 10_000_000_000_000;

/// The lowest sum of the two token prices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostBased {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    #[serde(default)]
    pub providers: Members,
    /// The `rpm` and `tpm` of deployments. Default: none given.
    #[serde(default)]
    pub limits: MinuteLimits,
}

impl BuildPolicy for CostBased {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let price = |p: usize| names.known.get(p).and_then(|known| known.price);
        let sum = |p: usize| price(p).map_or(UNKNOWN, |(input, output)| input.saturating_add(output));
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            prices: (0..names.providers.len()).map(sum).collect(),
            minutes: Minutes::new(self.limits.given(names)?),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    prices: Vec<u64>,
    minutes: Minutes,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.minutes.turn(fleet.now());
        lowest(&self.order, |p| {
            (fleet.is_open_to_calls(p) && self.minutes.has_room(p, call.input)).then(|| {
                fleet.tell(p, || {
                    (
                        "a million tokens in and as many out",
                        Unit::Dollars,
                        self.prices[p] as f64 * 1e-6,
                    )
                });
                self.prices[p]
            })
        })
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        if ended.outcome == Outcome::Success {
            self.minutes.turn(ended.now);
            self.minutes.add_request(ended.provider);
            self.minutes.add_tokens(ended);
        }
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::kernel::time::{Span, Time};
    use crate::words::{Ended, Outcome};

    /// $1 + $9, $6 + $3.90 and no price known, in pico-dollars a token.
    const PRICES: [Option<(u64, u64)>; 3] = [Some((1_000_000, 9_000_000)), Some((6_000_000, 3_900_000)), None];

    #[test]
    fn the_lowest_plain_sum_wins_and_the_unknown_comes_last() {
        let mut policy = policy_with(r#""cost_based""#, &PRICES);
        assert_eq!(counts(&mut *policy, &hosts(&[]), 0, 5), [0, 5, 0, 0]);
        assert_eq!(counts(&mut *policy, &hosts(&[1]), 0, 5), [5, 0, 0, 0]);
        assert_eq!(counts(&mut *policy, &hosts(&[0, 1]), 0, 5), [0, 0, 5, 0]);
    }

    #[test]
    fn of_equals_the_first_wins() {
        let mut policy = policy_with(r#"{"cost_based": {"providers": ["c", "b", "a"]}}"#, &[Some((1, 1)); 3]);
        assert_eq!(counts(&mut *policy, &hosts(&[]), 0, 5), [0, 0, 5, 0]);
    }

    #[test]
    fn a_full_minute_passes_to_the_next_until_the_clock_strikes() {
        let json = r#"{"cost_based": {"limits": {"rpm": {"b": 2}, "tpm": {"a": 100}}}}"#;
        let mut policy = policy_with(json, &PRICES);
        let mut done = |seconds: u64, p: usize, tokens: u32| {
            let now = Time::ZERO + Span::from_secs(seconds);
            let mut ended = Ended::new(now, p, Outcome::Success);
            ended.usage.output = tokens;
            policy.learn(&ended);
            choose_at(&mut *policy, &hosts(&[]), now)
        };
        assert_eq!(done(1, 1, 10), Some(1));
        assert_eq!(done(2, 1, 10), Some(0));
        assert_eq!(done(3, 0, 101), Some(2));
        assert_eq!(done(60, 0, 1), Some(1));
    }
}
