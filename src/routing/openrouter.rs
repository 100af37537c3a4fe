//! Chance by 1/price² among those without a recent outage: OpenRouter's load balancing.
//!
//! Providers that had an outage in the last 30 s are set aside; of the others one is drawn with weight 1/price²; the
//! rest are fallbacks. At $1, $2 and $3 the first is drawn nine times as often as the last. An outage is a failure of
//! the provider: a 5xx or 408, a connection lost, an answer broken off, a timeout; a 429 is not one. A retry does not
//! go where the last attempt failed. If all have had an outage the cheapest is taken, the first of equals.
//!
//! A provider's price is (1 − `output_share`) × input price + `output_share` × output price.
//!
//! Keeps one time a provider, for `window`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `window` | 30 s | 0 or more |
//! | `output_share` | 50 % | 0 to 100 % |
//!
//! Source: OpenRouter's documentation, "Provider routing", the classic default. What it counts as an outage and how it
//! blends the two prices are not published; both are our reading. Since 2026 cache prices, throughput and latency count
//! as well, by a formula that is not published.
//!
//! Known faults: one error puts a provider out for half a minute.
//!
//! ```json
//! { "openrouter": { "window": "30s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wheel::Wheel;
use super::{BuildPolicy, Call, Fleet, Members, Policy, lowest, prices, taking_part};
use crate::form::build::{Built, Names};
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};
use crate::words::Ended;

/// A draw by 1/price² among those without a recent outage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Openrouter {
    /// The providers that take part. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The time for which an outage sets a provider aside. Default: 30 s.
    pub window: Duration,
    /// The weight of the output price in a provider's price, 0 to 100 %. Default: 50 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_share: Option<Fraction>,
}

impl Default for Openrouter {
    fn default() -> Self {
        Openrouter {
            providers: Members::default(),
            window: Duration::from(Span::from_secs(30)),
            output_share: None,
        }
    }
}

impl BuildPolicy for Openrouter {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        let share = self.output_share.map_or(0.5, |share| share.get());
        let blend = |(input, output): (u64, u64)| input as f64 * (1.0 - share) + output as f64 * share;
        let prices: Vec<f64> = prices(&order, names)?.into_iter().map(blend).collect();
        // A provider that is free weighs as if a token cost a pico-dollar.
        let weight = |p: usize| 1.0 / (prices[p].max(1.0) * prices[p].max(1.0));
        Ok(Box::new(Running {
            wheel: Wheel::new(order.iter().map(|&p| (p, weight(p)))),
            order,
            window: self.window.span(),
            aside: vec![Time::ZERO; names.providers.len()],
            prices,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    wheel: Wheel,
    prices: Vec<f64>,
    window: Span,
    /// The time until which each provider is set aside.
    aside: Vec<Time>,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let elsewhere = |p: usize| call.last != Some(p) && fleet.is_open_to_calls(p);
        let stable = |p: usize| elsewhere(p) && fleet.now() >= self.aside[p];
        let cheapest = |open: &dyn Fn(usize) -> bool| lowest(&self.order, |p| open(p).then(|| self.prices[p]));
        self.wheel
            .spin(call.draw(), stable)
            .or_else(|| cheapest(&elsewhere))
            .or_else(|| cheapest(&|p| fleet.is_open_to_calls(p)))
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        if ended.outcome.is_provider_failure() {
            self.aside[ended.provider] = ended.now + self.window;
        }
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::words::Outcome;

    /// $1, $2 and $3: weights of 36, 9 and 4 out of 49.
    const PRICES: [Option<(u64, u64)>; 3] = [Some((1, 1)), Some((2, 2)), Some((3, 3))];

    fn scaled() -> Vec<Option<(u64, u64)>> {
        PRICES
            .map(|price| price.map(|(i, o)| (i * 1_000_000, o * 1_000_000)))
            .to_vec()
    }

    #[test]
    fn the_inverse_square_of_the_price_decides() {
        let mut policy = policy_with(r#""openrouter""#, &scaled());
        let [a, b, c, _] = counts(&mut *policy, &hosts(&[]), 0, 49_000);
        assert!(
            a.abs_diff(36_000) < 400 && b.abs_diff(9000) < 350 && c.abs_diff(4000) < 250,
            "{a} {b} {c}"
        );
    }

    #[test]
    fn an_outage_sets_aside_for_thirty_seconds_and_a_429_does_not() {
        let mut policy = policy_with(r#""openrouter""#, &scaled());
        let at = |s: u64| Time::ZERO + Span::from_secs(s);
        let seen = |policy: &mut dyn Policy, now| {
            let hosts = hosts(&[]);
            let mut seen: Vec<_> = (0..200).filter_map(|id| choose_by(policy, &hosts, now, id)).collect();
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        policy.learn(&Ended::new(at(1), 0, Outcome::ServerError));
        policy.learn(&Ended::new(at(1), 1, Outcome::RateLimited));
        assert_eq!(seen(&mut *policy, at(30)), [1, 2]);
        assert_eq!(seen(&mut *policy, at(31)), [0, 1, 2]);
        for p in 0..3 {
            policy.learn(&Ended::new(at(40), p, Outcome::ServerError));
        }
        assert_eq!(seen(&mut *policy, at(41)), [0], "of the unstable the cheapest");
    }

    #[test]
    fn a_retry_goes_elsewhere_if_there_is_an_elsewhere() {
        let mut policy = policy_with(r#""openrouter""#, &scaled());
        let mut next = |closed: &[usize]| {
            let hosts = hosts(closed);
            let call = Call {
                last: Some(0),
                ..call(0, 0)
            };
            policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO))
        };
        assert_ne!(next(&[]), Some(0));
        assert_eq!(next(&[1, 2]), Some(0));
    }
}
