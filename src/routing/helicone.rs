//! Helicone's gateway: two choices on latency, the lowest latency, or weights.
//!
//! - `provider_latency`: of two different providers at random the lower (estimate × (calls + 1)) wins, of equals the
//!   first drawn. The estimate is the Peak EWMA of the time to the response's headers, as in `peak_ewma`.
//! - `model_latency`: the lowest of all by the same measure, the first of equals; no two choices.
//! - `weighted`: at random in proportion to `weights`, which must add up to 1.
//!
//! A retry is a choice like any other.
//!
//! Keeps one number and one time a provider, for about `decay`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `strategy` | `provider_latency` | `provider_latency`, `model_latency`, `weighted` |
//! | `decay` | 30 s | above 0 |
//! | `default_rtt` | 250 ms | above 0 |
//! | `weights` | none | 0 to 1 each, 1 together; for `weighted` alone |
//!
//! Source: Helicone/ai-gateway 42d2998 (2025-07), `config/balance.rs`, `router/strategy.rs`, over tower's
//! `balance::p2c` and `load::peak_ewma`. Known faults: the clock stops at the headers, so one that answers errors at
//! once looks fast; `model_latency` sends every call to the same one until its calls pile up. Left out: that a call
//! counts as one under way only until its headers have come: here it does so until it ends.
//!
//! ```json
//! { "helicone": { "strategy": "provider_latency", "decay": "30s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::peak::Peaks;
use super::{BuildPolicy, Call, Fleet, Measures, Members, Policy, Weighted, lowest, peak_ewma, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::Duration;
use crate::kernel::time::Span;
use crate::words::{Ended, Unit};

/// Helicone's gateway: two choices on latency, the lowest latency, or weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Helicone {
    /// The providers that take part. Default: every provider, in the experiment's order; under `weighted`, those with a
    /// weight.
    pub providers: Members,
    /// The strategy of Helicone's gateway. Default: `provider_latency`.
    pub strategy: HeliconeStrategy,
    /// The time in which an estimate falls to 1/e. Default: 30 s.
    pub decay: Duration,
    /// The first estimate of every provider. Default: 250 ms.
    pub default_rtt: Duration,
    /// The weights of `weighted`, 1 together. Default: none.
    pub weights: Named<f64>,
}

/// The strategy by which Helicone's gateway chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeliconeStrategy {
    /// The better of two drawn at random, by Peak EWMA.
    #[default]
    ProviderLatency,
    /// The best of all, by Peak EWMA.
    ModelLatency,
    /// At random in proportion to `weights`.
    Weighted,
}

impl Default for Helicone {
    fn default() -> Self {
        Helicone {
            providers: Members::default(),
            strategy: HeliconeStrategy::default(),
            decay: Duration::from(Span::from_secs(30)),
            default_rtt: Duration::from(Span::from_millis(250)),
            weights: Named::default(),
        }
    }
}

impl BuildPolicy for Helicone {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.strategy == HeliconeStrategy::Weighted {
            if self.providers.given().is_some() {
                return Err(Refusal::new("under `weighted`, those with a weight take part").at("providers"));
            }
            let sum: f64 = self.weights.iter().map(|(_, weight)| weight).sum();
            if (sum - 1.0).abs() > 1e-9 {
                return Err(Refusal::new(format!("the weights add up to {sum}: must be 1")).at("weights"));
            }
            let weights = self.weights.clone();
            return Weighted { weights }.build(names);
        }
        if !self.weights.is_empty() {
            return Err(Refusal::new("weights are for the strategy `weighted`").at("weights"));
        }
        let order = taking_part(&self.providers, names)?;
        let (decay, rtt) = (self.decay, Some(self.default_rtt));
        let peaks = Peaks::new(decay, rtt, Measures::FirstToken, names.providers.len())?;
        Ok(match self.strategy {
            HeliconeStrategy::ModelLatency => Box::new(Lowest { order, peaks }),
            HeliconeStrategy::ProviderLatency | HeliconeStrategy::Weighted => {
                Box::new(peak_ewma::Running { order, peaks })
            }
        })
    }
}

#[derive(Clone, Debug)]
struct Lowest {
    order: Vec<usize>,
    peaks: Peaks,
}

impl Policy for Lowest {
    #[inline]
    fn choose(&mut self, _call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        lowest(&self.order, |p| {
            fleet.is_open_to_calls(p).then(|| {
                let peak = self.peaks.peek(p, fleet);
                fleet.tell(p, || ("latency times calls", Unit::Seconds, peak * 1e-9));
                peak
            })
        })
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        self.peaks.learn(ended);
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;
    use crate::words::Outcome;

    fn ends(policy: &mut dyn Policy, p: usize, outcome: Outcome, first_token: u64, took: u64) {
        let mut ended = Ended::new(Time::ZERO, p, outcome);
        ended.took = Span::from_millis(took);
        ended.first_token = Span::from_millis(first_token);
        policy.learn(&ended);
    }

    /// Estimates of 250 ms each, then peaks of 300, 400 and 500 ms: the first wins both of its pairs, of three.
    #[test]
    fn two_are_compared_or_all() {
        for (strategy, expected) in [
            ("provider_latency", [20_000, 10_000, 0]),
            ("model_latency", [30_000, 0, 0]),
        ] {
            let mut policy = policy(&format!(r#"{{"helicone": {{"strategy": "{strategy}"}}}}"#));
            for p in 0..3 {
                ends(
                    &mut *policy,
                    p,
                    Outcome::Success,
                    300 + 100 * p as u64,
                    9000 - 1000 * p as u64,
                );
            }
            let shares = counts(&mut *policy, &hosts(&[]), 0, 30_000);
            // Four standard deviations are under 330.
            for (share, expected) in shares.into_iter().zip(expected) {
                assert!(share.abs_diff(expected) < 330, "{strategy}: {shares:?}");
            }
        }
    }

    #[test]
    fn calls_under_way_multiply() {
        let mut policy = policy(r#"{"helicone": {"strategy": "model_latency"}}"#);
        ends(&mut *policy, 0, Outcome::Success, 300, 300);
        let mut hosts = hosts(&[]);
        (hosts[1].in_flight, hosts[2].in_flight) = (1, 1);
        assert_eq!(
            choose_at(&mut *policy, &hosts, Time::ZERO),
            Some(0),
            "300 against 250 · 2"
        );
        hosts[0].in_flight = 1;
        assert_eq!(choose_at(&mut *policy, &hosts, Time::ZERO), Some(1), "600 against 500");
    }

    #[test]
    fn an_error_at_once_looks_fast() {
        let mut policy = policy(r#"{"helicone": {"strategy": "model_latency", "decay": "1s"}}"#);
        let mut failed = Ended::new(Time::ZERO + Span::from_secs(1), 2, Outcome::ServerError);
        failed.took = Span::from_millis(1);
        policy.learn(&failed);
        // The others have decayed to 250/e = 92 ms, it to 92·… + 1·0.63: only a longer while tells them apart.
        for p in 0..2 {
            let mut ended = Ended::new(Time::ZERO + Span::from_secs(1), p, Outcome::Success);
            (ended.took, ended.first_token) = (Span::from_millis(200), Span::from_millis(200));
            policy.learn(&ended);
        }
        let now = Time::ZERO + Span::from_secs(1);
        assert_eq!(choose_at(&mut *policy, &hosts(&[]), now), Some(2));
    }

    #[test]
    fn weights_draw_and_must_add_up_to_one() {
        let weighted = |weights: &str| {
            build(&format!(
                r#"{{"helicone": {{"strategy": "weighted", "weights": {weights}}}}}"#
            ))
        };
        let [a, b, c, _] = counts(
            &mut *weighted(r#"{"a": 0.75, "c": 0.25}"#).unwrap(),
            &hosts(&[]),
            0,
            40_000,
        );
        assert!(
            b == 0 && a.abs_diff(30_000) < 350 && c.abs_diff(10_000) < 350,
            "{a} {b} {c}"
        );
        let refusal = weighted(r#"{"a": 0.5}"#).err().unwrap();
        assert_eq!(
            refusal,
            Refusal::new("the weights add up to 0.5: must be 1").at("weights")
        );
        let refusal = build(r#"{"helicone": {"weights": {"a": 1}}}"#).err().unwrap();
        assert_eq!(
            refusal,
            Refusal::new("weights are for the strategy `weighted`").at("weights")
        );
    }
}
