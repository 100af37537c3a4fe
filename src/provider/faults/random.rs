//! Independent failures: each attempt fails with the same probability, in one of several ways.
//!
//! This is the simplest reading of a published "error rate 0.08 %". Real errors come in clusters, which this leaves
//! out; see `regimes`.
//!
//! Each attempt is struck at most once: the probabilities add up. Some ways strike at once, before quotas are asked or
//! charged: the front of the provider answers. Others strike when the first token was due, after quotas: the work was begun
//! and failed. `after` says otherwise when ([`Way`]), and `retry_after` what its header asks for: a gateway's 504 comes after its
//! own timeout, say `{ "share": "0.1%", "after": "60s" }`. Retry-After may come with any answer that has a status.
//!
//! ```json
//! { "random": { "server_error": 0.0008, "overloaded": { "share": "0.2%", "retry_after": "20s" }, "hang": "0.01%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::way::{Prepared, Way};
use super::{BuildFault, Failure, Fault, Refused, Silence};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Fraction;
use crate::kernel::chance::{Key, Purpose, threshold, unit};
use crate::kernel::time::Time;
use crate::words::Outcome;

/// This answer at once, before quotas are asked.
const fn at_once(outcome: Outcome) -> Failure {
    Failure::Down(Refused::plain(outcome))
}

/// This answer when the first token was due.
const fn begun(outcome: Outcome) -> Failure {
    Failure::Failed(Refused::plain(outcome))
}

/// Makes the struct and its list of ways out of the same lines.
macro_rules! ways {
    ($($(#[$attribute:meta])+ $field:ident: $failure:expr,)+) => {
        /// Failures that strike each attempt alike. Together at most 1.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Random {
            $($(#[$attribute])+ pub $field: Way,)+
        }

        impl Random {
            /// Every way, by its name. The order is part of the results: a way added in between would change which attempts are
            /// struck how.
            fn ways(&self) -> impl Iterator<Item = (&'static str, &Way, Failure)> {
                [$((stringify!($field), &self.$field, $failure)),+].into_iter()
            }

            /// Ways with other probabilities: what `new` gives for the number and the probability of each that has one.
            #[must_use]
            pub fn with_shares(&self, mut new: impl FnMut(u64, Fraction) -> Fraction) -> Random {
                let mut other = self.clone();
                let all = [$(&mut other.$field),+];
                for (number, way) in (0..).zip(all) {
                    if way.share() > Fraction::ZERO {
                        way.set(new(number, way.share()));
                    }
                }
                other
            }

            /// The way of this name, as the table of outcomes has it ([`crate::words::Row::fault`]).
            pub fn way_mut(&mut self, name: &str) -> Option<&mut Way> {
                match name {
                    $(stringify!($field) => Some(&mut self.$field),)+
                    _ => None,
                }
            }
        }
    };
}

ways! {
    /// Probability of a 500 when the first token was due. Default: 0, as of all the others.
    #[serde(default)]
    server_error: begun(Outcome::ServerError),
    /// Probability that no answer comes at all.
    #[serde(default)]
    hang: Failure::Hang,
    /// Probability of a 502 when the first token was due.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    bad_gateway: begun(Outcome::BadGateway),
    /// Probability of a 503 at once.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    unavailable: at_once(Outcome::Unavailable),
    /// Probability of a 504 when the first token was due.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    gateway_timeout: begun(Outcome::GatewayTimeout),
    /// Probability of a 529 at once.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    overloaded: at_once(Outcome::Overloaded),
    /// Probability of a 429 at once although the quota has not been reached: the provider is short of capacity.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    rate_limited: at_once(Outcome::RateLimited),
    /// Probability of a 408 when the first token was due.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    request_timeout: begun(Outcome::RequestTimeout),
    /// Probability that the connection is refused or reset at once.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    connection_error: at_once(Outcome::ConnectionError),
    /// Probability that the answer breaks off, anywhere between its first token and its last alike.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    truncated: Failure::Truncated(0.0),
    /// Probability that tokens stop coming, anywhere between the first and the last alike: only a timeout ends it.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    stalled: Failure::Stalled(0.0),
    /// Probability of a 400 for what the request says, when the first token was due: it was let in and looked at.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    content_filtered: begun(Outcome::ContentFiltered),
    /// Probability of a 401 at once.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    unauthorized: at_once(Outcome::Unauthorized),
    /// Probability of a 402 at once: the account has nothing left to pay with.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    payment_required: at_once(Outcome::PaymentRequired),
    /// Probability of a 403 at once.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    forbidden: at_once(Outcome::Forbidden),
    /// Probability of a 404 at once: the model is not there, or not any more.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    not_found: at_once(Outcome::NotFound),
    /// Probability of a 409 at once.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    conflict: at_once(Outcome::Conflict),
    /// Probability of a 413 at once.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    payload_too_large: at_once(Outcome::PayloadTooLarge),
    /// Probability of a 422 at once.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    unprocessable: at_once(Outcome::Unprocessable),
    /// Probability of a 400 at once, for the form of the request.
    #[serde(default, skip_serializing_if = "Way::is_never")]
    bad_request: at_once(Outcome::BadRequest),
}

impl Random {
    /// What the probabilities come to.
    pub(super) fn odds(&self, names: &Names<'_>) -> Built<Odds> {
        let mut sum = 0.0;
        let mut parts = Vec::new();
        for (name, way, failure) in self.ways() {
            let prepared = way.prepare(failure, names).map_err(|r| r.at(name))?;
            if way.share() > Fraction::ZERO {
                sum += way.share().get();
                parts.push((threshold(sum), prepared));
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
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>> {
        Ok(Box::new(Running {
            odds: self.odds(names)?,
        }))
    }
}

/// The probability of each way to fail, as thresholds for a draw.
#[derive(Clone, Debug)]
pub(super) struct Odds {
    /// Attempts whose draw is below this fail.
    any_below: u64,
    /// Draws below these, and not below the one before, are struck like this.
    parts: Box<[(u64, Prepared)]>,
}

impl Odds {
    /// The failure of the attempt keyed by `key`, if it fails.
    #[inline]
    pub(super) fn strike(&self, key: Key) -> Option<Failure> {
        let draw = key.draw(Purpose::Fault);
        if draw >= self.any_below {
            return None;
        }
        self.which(draw, key)
    }

    fn which(&self, draw: u64, key: Key) -> Option<Failure> {
        let (_, prepared) = self.parts.iter().find(|(below, _)| draw < *below)?;
        let share = || unit(key.draw(Purpose::Break));
        Some(match prepared.failure {
            Failure::Truncated(_) => Failure::Truncated(share()),
            Failure::Stalled(_) => Failure::Stalled(share()),
            Failure::Down(_) | Failure::Failed(_) | Failure::Unreachable | Failure::Silent | Failure::Hang => {
                prepared.strike(key)
            }
        })
    }

    /// Whether a failure can leave an attempt in this silence (see [`Fault::leaves`]).
    pub(super) fn leaves(&self, silence: Silence) -> bool {
        self.parts.iter().any(|(_, it)| it.failure.silence() == Some(silence))
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
    use crate::kernel::time::Span;

    fn random(json: &str) -> Box<dyn Fault> {
        let spec: Random = serde_json::from_str(json).unwrap();
        spec.build(&Names::default()).unwrap()
    }

    /// The failure of each of `n` attempts.
    fn strikes(fault: &mut dyn Fault, n: u64) -> Vec<Option<Failure>> {
        let chance = Chance::new(5, 0);
        (0..n).map(|i| fault.strike(Time::ZERO, 0, chance.request(i))).collect()
    }

    /// Each way to fail on its own: what it is, and whether a timeout has to end it.
    #[test]
    fn every_way_to_fail_strikes_in_its_own_manner() {
        let cases = [
            ("server_error", begun(Outcome::ServerError), false),
            ("hang", Failure::Hang, true),
            ("bad_gateway", begun(Outcome::BadGateway), false),
            ("unavailable", at_once(Outcome::Unavailable), false),
            ("gateway_timeout", begun(Outcome::GatewayTimeout), false),
            ("overloaded", at_once(Outcome::Overloaded), false),
            ("rate_limited", at_once(Outcome::RateLimited), false),
            ("request_timeout", begun(Outcome::RequestTimeout), false),
            ("connection_error", at_once(Outcome::ConnectionError), false),
            ("content_filtered", begun(Outcome::ContentFiltered), false),
            ("unauthorized", at_once(Outcome::Unauthorized), false),
            ("payment_required", at_once(Outcome::PaymentRequired), false),
            ("forbidden", at_once(Outcome::Forbidden), false),
            ("not_found", at_once(Outcome::NotFound), false),
            ("conflict", at_once(Outcome::Conflict), false),
            ("payload_too_large", at_once(Outcome::PayloadTooLarge), false),
            ("unprocessable", at_once(Outcome::Unprocessable), false),
            ("bad_request", at_once(Outcome::BadRequest), false),
        ];
        for (name, failure, hangs) in cases {
            let mut fault = random(&format!(r#"{{"{name}": 1}}"#));
            assert_eq!(strikes(&mut *fault, 3), [Some(failure); 3], "{name}");
            assert_eq!(fault.leaves(Silence::Unanswered), hangs, "{name}");
        }
    }

    /// The fault that the table of outcomes names for an outcome makes that outcome, or leaves it to a timeout; and each way
    /// is named by an outcome.
    #[test]
    fn the_table_of_outcomes_and_the_ways_to_fail_name_each_other() {
        let mut all = Random::default();
        for row in Outcome::ALL.map(Outcome::row) {
            let Some(name) = row.fault else { continue };
            let way = all.way_mut(name).expect(name);
            way.add(Fraction::ONE);
            let struck = strikes(&mut *random(&format!(r#"{{"{name}": 1}}"#)), 1)
                .remove(0)
                .unwrap();
            match struck {
                Failure::Down(it) | Failure::Failed(it) => assert_eq!(it.outcome, row.outcome),
                Failure::Truncated(_) => assert_eq!(row.outcome, Outcome::Truncated),
                Failure::Stalled(_) => assert_eq!(row.outcome, Outcome::TimeoutIdle),
                Failure::Hang | Failure::Unreachable | Failure::Silent => assert!(row.name.starts_with("timeout_")),
            }
        }
        for (name, way, _) in all.ways() {
            assert_eq!(way.share(), Fraction::ONE, "no outcome names the fault {name}");
        }
        assert!(all.way_mut("nothing").is_none());
    }

    #[test]
    fn a_failure_may_take_its_time_and_ask_for_some() {
        let mut fault = random(r#"{"server_error": {"share": 1, "after": "3s", "retry_after": "20s"}}"#);
        let expected = Failure::Failed(Refused {
            outcome: Outcome::ServerError,
            after: Some(Span::from_secs(3)),
            retry_after: Some(Span::from_secs(20)),
        });
        assert_eq!(strikes(&mut *fault, 2), [Some(expected); 2]);
        let refused: Random = serde_json::from_str(r#"{"hang": {"share": 0, "after": "3s"}}"#).unwrap();
        assert_eq!(
            refused.build(&Names::default()).unwrap_err().path,
            ["hang".into(), "after".into()]
        );
    }

    #[test]
    fn saying_more_of_a_way_does_not_change_which_attempts_it_strikes() {
        let plain = strikes(&mut *random(r#"{"server_error": 0.1, "overloaded": 0.1}"#), 1000);
        let full = r#"{"server_error": {"share": 0.1, "after": "3s"}, "overloaded": 0.1, "not_found": 0.2}"#;
        for (before, after) in plain.iter().zip(strikes(&mut *random(full), 1000)) {
            match (before, after) {
                (Some(Failure::Failed(a)), Some(Failure::Failed(b))) => assert_eq!(a.outcome, b.outcome),
                (Some(a), Some(b)) => assert_eq!(*a, b),
                (None, after) => assert!(after.is_none() || after == Some(at_once(Outcome::NotFound))),
                (Some(_), None) => panic!("spared"),
            }
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
            let found = share(Some(at_once(outcome)));
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
