//! Independent failures: each attempt fails with the same probability, in one of several ways.
//!
//! The simplest reading of a published "error rate 0.08 %". Real errors come in clusters, which this leaves out; see
//! `regimes`.
//!
//! Each attempt is struck at most once: the probabilities add up. Some ways strike at once, before quotas are asked or
//! charged: the front of the provider answers. Others strike when the first token was due, after quotas: the work was begun
//! and failed. How long a gateway's own timeout is, is left out: a 504 comes when the first token was due.
//!
//! ```json
//! { "random": { "server_error": 0.0008, "overloaded": "0.2%", "hang": "0.01%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFault, Failure, Fault, Silence};
use crate::form::build::{Built, Refusal};
use crate::form::units::Fraction;
use crate::kernel::chance::{Key, Purpose, threshold, unit};
use crate::kernel::time::Time;
use crate::words::Outcome;

/// Failures that strike each attempt alike. Together at most 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// Probability of a 500 when the first token was due. Default: 0, as of all the others.
    #[serde(default)]
    pub server_error: Fraction,
    /// Probability that no answer comes at all.
    #[serde(default)]
    pub hang: Fraction,
    /// Probability of a 502 when the first token was due.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bad_gateway: Fraction,
    /// Probability of a 503 at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unavailable: Fraction,
    /// Probability of a 504 when the first token was due.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gateway_timeout: Fraction,
    /// Probability of a 529 at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overloaded: Fraction,
    /// Probability of a 429 at once although the quota has not been reached, without Retry-After: the provider is short of
    /// capacity.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rate_limited: Fraction,
    /// Probability of a 408 when the first token was due.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub request_timeout: Fraction,
    /// Probability that the connection is refused or reset at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub connection_error: Fraction,
    /// Probability that the answer breaks off, anywhere between its first token and its last alike.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub truncated: Fraction,
    /// Probability that tokens stop coming, anywhere between the first and the last alike: only a timeout ends it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stalled: Fraction,
    /// Probability of a 400 for what the request says, when the first token was due: it was let in and looked at.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub content_filtered: Fraction,
    /// Probability of a 401 at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unauthorized: Fraction,
}

fn is_zero(fraction: &Fraction) -> bool {
    *fraction == Fraction::ZERO
}

impl Random {
    /// What the probabilities come to.
    pub(super) fn odds(&self) -> Built<Odds> {
        // The order is part of the results: a way added in between would change who is struck how.
        let ways = [
            (self.server_error, Failure::Failed(Outcome::ServerError)),
            (self.hang, Failure::Hang),
            (self.bad_gateway, Failure::Failed(Outcome::BadGateway)),
            (self.unavailable, Failure::Down(Outcome::Unavailable)),
            (self.gateway_timeout, Failure::Failed(Outcome::GatewayTimeout)),
            (self.overloaded, Failure::Down(Outcome::Overloaded)),
            (self.rate_limited, Failure::Down(Outcome::RateLimited)),
            (self.request_timeout, Failure::Failed(Outcome::RequestTimeout)),
            (self.connection_error, Failure::Down(Outcome::ConnectionError)),
            (self.truncated, Failure::Truncated(0.0)),
            (self.stalled, Failure::Stalled(0.0)),
            (self.content_filtered, Failure::Failed(Outcome::ContentFiltered)),
            (self.unauthorized, Failure::Down(Outcome::Unauthorized)),
        ];
        let mut sum = 0.0;
        let mut parts = Vec::new();
        for (probability, failure) in ways {
            if probability > Fraction::ZERO {
                sum += probability.get();
                parts.push((threshold(sum), failure));
            }
        }
        if sum > 1.0 + 1e-9 {
            return Err(Refusal::new(format!("the probabilities add up to {sum}, more than 1")));
        }
        Ok(Odds {
            any_below: threshold(sum),
            parts: parts.into(),
        })
    }
}

impl BuildFault for Random {
    fn build(&self) -> Built<Box<dyn Fault>> {
        Ok(Box::new(Running { odds: self.odds()? }))
    }
}

/// How likely each way to fail is.
#[derive(Clone, Debug)]
pub(super) struct Odds {
    /// Draws below this are struck.
    any_below: u64,
    /// Draws below these, and not below the one before, are struck like this.
    parts: Box<[(u64, Failure)]>,
}

impl Odds {
    /// What befalls the attempt keyed by `key`, if anything.
    #[inline]
    pub(super) fn strike(&self, key: Key) -> Option<Failure> {
        let draw = key.draw(Purpose::Fault);
        if draw >= self.any_below {
            return None;
        }
        self.which(draw, key)
    }

    fn which(&self, draw: u64, key: Key) -> Option<Failure> {
        let &(_, failure) = self.parts.iter().find(|(below, _)| draw < *below)?;
        let share = || unit(key.draw(Purpose::Break));
        Some(match failure {
            Failure::Truncated(_) => Failure::Truncated(share()),
            Failure::Stalled(_) => Failure::Stalled(share()),
            other => other,
        })
    }

    /// See [`Fault::leaves`].
    pub(super) fn leaves(&self, silence: Silence) -> bool {
        self.parts.iter().any(|(_, failure)| failure.silence() == Some(silence))
    }
}

#[derive(Clone, Debug)]
struct Running {
    odds: Odds,
}

impl Fault for Running {
    #[inline]
    fn strike(&mut self, _now: Time, _load: u32, key: Key) -> Option<Failure> {
        self.odds.strike(key)
    }

    fn leaves(&self, silence: Silence) -> bool {
        self.odds.leaves(silence)
    }

    fn fresh(&self, _own: Key) -> Box<dyn Fault> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    fn random(json: &str) -> Box<dyn Fault> {
        let spec: Random = serde_json::from_str(json).unwrap();
        spec.build().unwrap()
    }

    /// What strikes each of `n` attempts.
    fn strikes(fault: &mut dyn Fault, n: u64) -> Vec<Option<Failure>> {
        let chance = Chance::new(5, 0);
        (0..n).map(|i| fault.strike(Time::ZERO, 0, chance.request(i))).collect()
    }

    /// Each way to fail on its own: what it is, and whether a timeout has to end it.
    #[test]
    fn every_way_to_fail_strikes_in_its_own_manner() {
        let cases = [
            ("server_error", Failure::Failed(Outcome::ServerError), false),
            ("hang", Failure::Hang, true),
            ("bad_gateway", Failure::Failed(Outcome::BadGateway), false),
            ("unavailable", Failure::Down(Outcome::Unavailable), false),
            ("gateway_timeout", Failure::Failed(Outcome::GatewayTimeout), false),
            ("overloaded", Failure::Down(Outcome::Overloaded), false),
            ("rate_limited", Failure::Down(Outcome::RateLimited), false),
            ("request_timeout", Failure::Failed(Outcome::RequestTimeout), false),
            ("connection_error", Failure::Down(Outcome::ConnectionError), false),
            ("content_filtered", Failure::Failed(Outcome::ContentFiltered), false),
            ("unauthorized", Failure::Down(Outcome::Unauthorized), false),
        ];
        for (name, failure, hangs) in cases {
            let mut fault = random(&format!(r#"{{"{name}": 1}}"#));
            assert_eq!(strikes(&mut *fault, 3), [Some(failure); 3], "{name}");
            assert_eq!(fault.leaves(Silence::Unanswered), hangs, "{name}");
        }
    }

    /// The mean of a uniform share among 20,000 has a standard deviation of 0.002.
    #[test]
    fn an_answer_breaks_off_anywhere_alike() {
        for name in ["truncated", "stalled"] {
            let shares: Vec<f64> = strikes(&mut *random(&format!(r#"{{"{name}": 1}}"#)), 20_000)
                .into_iter()
                .map(|failure| match failure {
                    Some(Failure::Truncated(share)) if name == "truncated" => share,
                    Some(Failure::Stalled(share)) if name == "stalled" => share,
                    other => panic!("{name}: {other:?}"),
                })
                .collect();
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let early = shares.iter().filter(|&&s| s < 0.1).count();
            assert!((mean - 0.5).abs() < 0.01, "{name}: {mean}");
            assert!((1800..2200).contains(&early), "{name}: {early}");
        }
    }

    /// Four standard deviations of a share of 0.02 among 100,000 are 0.0018.
    #[test]
    fn several_ways_share_one_draw() {
        let mut fault = random(r#"{"server_error": 0.05, "overloaded": "2%", "unauthorized": 0.02}"#);
        let struck = strikes(&mut *fault, 100_000);
        let share = |what: Option<Failure>| struck.iter().filter(|&&s| s == what).count() as f64 / 1e5;
        assert!((share(None) - 0.91).abs() < 0.0037);
        for outcome in [Outcome::Overloaded, Outcome::Unauthorized] {
            let found = share(Some(Failure::Down(outcome)));
            assert!((found - 0.02).abs() < 0.0018, "{outcome:?}: {found}");
        }
    }

    /// A file that names more ways strikes the same attempts as before in the ways that it named before.
    #[test]
    fn a_way_more_does_not_change_the_others() {
        let before = strikes(&mut *random(r#"{"server_error": 0.1, "hang": 0.1}"#), 1000);
        let after = strikes(
            &mut *random(r#"{"server_error": 0.1, "hang": 0.1, "stalled": 0.3}"#),
            1000,
        );
        for (before, after) in before.iter().zip(&after) {
            match before {
                Some(_) => assert_eq!(before, after),
                None => assert!(matches!(after, None | Some(Failure::Stalled(_)))),
            }
        }
    }
}
