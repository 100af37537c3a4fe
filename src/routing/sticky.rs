//! Session affinity: a user's requests go where the first one went.
//!
//! The first request of a user goes where the inner `policy` says; this pins the user to that provider for `ttl`. Further
//! ones go there while it is open to calls. If it is not, or the pin has expired, the inner policy chooses anew.
//!
//! `on_failure` says what follows when the pinned provider is closed, or an attempt there has failed:
//! - `insist`: a retry goes there again; only if it is closed does the inner policy choose, and the pin moves. LiteLLM's.
//! - `move`: the inner policy chooses for the retry too, and the pin moves.
//! - `return`: the inner policy chooses for this attempt, and the pin stays: the next request tries the old one first.
//!
//! A pin expires `ttl` after it was set, however often it is used and wherever it has moved since; with `refresh` `ttl` after its last use.
//! LiteLLM writes the pin anew before each attempt, but its in-memory cache keeps the first expiry of a key: no `refresh`; with
//! Redis the expiry is written too: `refresh`. A hedge goes where the inner policy says and moves no pin.
//!
//! Keeps a provider and a time for each user, for `ttl`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `policy` | required | any that keeps no account of single requests |
//! | `ttl` | 1h | above 0 |
//! | `refresh` | false | |
//! | `on_failure` | `insist` | `insist`, `move`, `return` |
//!
//! Sources: LiteLLM `router_utils/pre_call_checks/deployment_affinity_check.py` and `caching/in_memory_cache.py`
//! (`deployment_affinity`, `session_affinity`, `deployment_affinity_ttl_seconds` 3600); Portkey's `sticky {hash_fields,
//! ttl}` by its documentation. Not modelled: LiteLLM's in-memory cache holds 200 entries, so with more users than that
//! pins are lost early. Known faults: users of a provider that was closed stay where they went, so it comes back empty;
//! a pin set in an outage outlives it; `insist` sends every retry to the provider that has just failed until a breaker
//! opens.
//!
//! ```json
//! { "sticky": { "policy": { "weighted": { "weights": { "large": 3, "small": 1 } } }, "ttl": "30m", "on_failure": "move" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Wrap, inside};
use super::{BuildPolicy, Call, Fleet, Policy, PolicySpec, users};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};

/// Session affinity: each user stays with one provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sticky {
    /// The policy that chooses for a user without a pin.
    pub policy: Box<PolicySpec>,
    /// The time for which a pin holds. Default: 1 h.
    #[serde(default = "an_hour")]
    pub ttl: Duration,
    /// Whether each use of a pin renews it. Default: false.
    #[serde(default)]
    pub refresh: bool,
    /// What follows when the pinned provider fails or is closed. Default: `insist`.
    #[serde(default)]
    pub on_failure: OnFailure,
}

fn an_hour() -> Duration {
    Duration::from(Span::from_secs(3600))
}

/// What becomes of a pin whose provider fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Retries go to the pinned provider too, while it is open; then the pin moves.
    #[default]
    Insist,
    /// The pin moves to where the retry goes.
    Move,
    /// The pin stays, and the attempt goes elsewhere.
    Return,
}

impl BuildPolicy for Sticky {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let users = users(names)?;
        if self.ttl.span() == Span::ZERO {
            return Err(Refusal::new("0s: must be longer than nothing").at("ttl"));
        }
        let inner = inside(&self.policy, names).map_err(|r| r.at("policy"))?;
        let wants = inner.wants();
        if wants.notes || wants.judges || wants.falls_back {
            let name = self.policy.name();
            let text =
                format!("`{name}` keeps account of each request, which a pin passes over: put `sticky` inside it");
            return Err(Refusal::new(text).at("policy"));
        }
        Ok(Running {
            inner: Branches::new([inner]),
            ttl: self.ttl.span(),
            refresh: self.refresh,
            on_failure: self.on_failure,
            pins: vec![Pin::NONE; users as usize],
        }
        .wrapped())
    }
}

#[derive(Clone, Copy, Debug)]
struct Pin {
    to: u32,
    until: Time,
}

impl Pin {
    const NONE: Pin = Pin {
        to: 0,
        until: Time::ZERO,
    };
}

#[derive(Debug)]
struct Running {
    inner: Branches,
    ttl: Span,
    refresh: bool,
    on_failure: OnFailure,
    /// The pins by user.
    pins: Vec<Pin>,
}

impl Wrap for Running {
    fn inside(&self) -> &Branches {
        &self.inner
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.inner
    }

    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        if call.hedge {
            return self.inner.choose(0, call, fleet);
        }
        let now = fleet.now();
        let pin = self.pins[call.user as usize];
        let pinned = (now < pin.until).then_some(pin.to as usize);
        let again = self.on_failure == OnFailure::Insist;
        let there = pinned.filter(|&p| fleet.is_open_to_calls(p) && (again || call.last != Some(p)));
        let chosen = there.or_else(|| self.inner.choose(0, call, fleet))?;
        if there.is_some() || pinned.is_none() || self.on_failure != OnFailure::Return {
            let until = match pinned {
                Some(_) if !self.refresh => pin.until,
                _ => now + self.ttl,
            };
            self.pins[call.user as usize] = Pin {
                to: chosen as u32,
                until,
            };
        }
        Some(chosen)
    }

    fn fresh(&self) -> Self {
        Running {
            inner: self.inner.fresh(),
            pins: vec![Pin::NONE; self.pins.len()],
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn sticky(parameters: &str) -> Box<dyn Policy> {
        let json = format!(r#"{{"sticky": {{"policy": "round_robin"{parameters}}}}}"#);
        build_over(&json, &["a", "b", "c"], Some(5)).unwrap()
    }

    /// Where the calls of these (second, user, last, who is closed) go.
    fn go(policy: &mut dyn Policy, calls: &[(u64, u32, Option<usize>, &[usize])]) -> Vec<Option<usize>> {
        let one = |&(second, user, last, closed): &(u64, u32, Option<usize>, &[usize])| {
            let (hosts, now) = (hosts(closed), Time::ZERO + Span::from_secs(second));
            let call = Call {
                user,
                last,
                ..call(0, 0)
            };
            policy.choose(&call, &Fleet::new(&hosts, None, now))
        };
        calls.iter().map(one).collect()
    }

    const NONE: &[usize] = &[];

    #[test]
    fn a_user_stays_where_the_first_request_went() {
        let calls: Vec<_> = [0, 1, 0, 2, 1, 0, 3].map(|user| (0, user, None, NONE)).into();
        let went = go(&mut *sticky(""), &calls);
        assert_eq!(went, [0, 1, 0, 2, 1, 0, 0].map(Some));
    }

    /// Requests every 25 minutes: a pin set at 0 holds until 60 minutes, renewed at 50 until 110.
    #[test]
    fn a_pin_expires_and_use_renews_it_only_if_asked() {
        let at = |minute: u64, user| (60 * minute, user, None, NONE);
        let calls = [
            at(0, 0),
            at(25, 0),
            at(50, 0),
            at(75, 0),
            at(100, 0),
            at(134, 0),
            at(136, 0),
        ];
        assert_eq!(go(&mut *sticky(""), &calls), [0, 0, 0, 1, 1, 1, 2].map(Some));
        assert_eq!(go(&mut *sticky(r#", "refresh": true"#), &calls), [0; 7].map(Some));
        let calls = [at(0, 0), at(60, 0)];
        assert_eq!(go(&mut *sticky(r#", "refresh": true"#), &calls), [0, 1].map(Some));
    }

    /// One user: pinned to a, which then fails, or closes and opens again.
    #[test]
    fn what_follows_a_failure() {
        let failed: [(u64, u32, Option<usize>, &[usize]); 3] =
            [(0, 0, None, &[]), (0, 0, Some(0), &[]), (1, 0, None, &[])];
        let closed: [(u64, u32, Option<usize>, &[usize]); 3] =
            [(0, 0, None, &[]), (0, 0, None, &[0]), (1, 0, None, &[])];
        for (rule, after_failing, after_closing) in [
            ("insist", [0, 0, 0], [0, 1, 1]),
            ("move", [0, 1, 1], [0, 1, 1]),
            ("return", [0, 1, 0], [0, 1, 0]),
        ] {
            let parameters = format!(r#", "on_failure": "{rule}""#);
            assert_eq!(
                go(&mut *sticky(&parameters), &failed),
                after_failing.map(Some),
                "{rule}"
            );
            assert_eq!(
                go(&mut *sticky(&parameters), &closed),
                after_closing.map(Some),
                "{rule}"
            );
        }
    }

    /// As in LiteLLM's in-memory cache: what is kept changes, its expiry does not.
    #[test]
    fn a_pin_that_moves_keeps_its_expiry() {
        let calls = [
            (0, 0, None, NONE),
            (5, 0, None, &[0]),
            (9, 0, None, NONE),
            (10, 0, None, NONE),
        ];
        let went = go(&mut *sticky(r#", "ttl": "10s""#), &calls);
        assert_eq!(went, [0, 1, 1, 2].map(Some));
    }

    #[test]
    fn a_hedge_goes_where_the_inner_policy_says_and_moves_nothing() {
        let mut policy = sticky("");
        let mut at = |hedge| {
            let call = Call {
                user: 1,
                hedge,
                ..call(0, 0)
            };
            policy.choose(&call, &Fleet::new(&hosts(&[]), None, Time::ZERO))
        };
        assert_eq!([false, true, false, true].map(&mut at), [0, 1, 0, 2].map(Some));
    }

    #[test]
    fn nobody_open_is_nobody_and_a_fresh_copy_has_no_pins() {
        let json = r#"{"sticky": {"policy": "chain"}}"#;
        let mut policy = build_over(json, &["a", "b", "c"], Some(1)).unwrap();
        assert_eq!(go(&mut *policy, &[(0, 0, None, &[0, 1, 2])]), [None]);
        let calls: [(u64, u32, Option<usize>, &[usize]); 2] = [(0, 0, None, &[0]), (0, 0, None, &[])];
        assert_eq!(go(&mut *policy, &calls), [Some(1), Some(1)]);
        assert_eq!(go(&mut *policy.fresh(), &[(0, 0, None, NONE)]), [Some(0)]);
    }

    #[test]
    fn what_cannot_stick_is_refused() {
        let refusal = build_over(r#"{"sticky": {"policy": "round_robin"}}"#, &["a"], None)
            .err()
            .unwrap();
        assert_eq!(
            refusal.message,
            "there are no users to tell apart: give `users` in `traffic`, like {\"count\": 1000}"
        );
        let message = |json| build_over(json, &["a"], Some(1)).err().unwrap();
        let refusal = message(r#"{"sticky": {"policy": "round_robin", "ttl": "0s"}}"#);
        assert_eq!(refusal.message, "0s: must be longer than nothing");
        let refusal = message(r#"{"sticky": {"policy": {"single": {"provider": "z"}}}}"#);
        assert_eq!(refusal.message, "there is no provider `z`");
        assert_eq!(refusal.path.len(), 3, "{:?}", refusal.path);
    }
}
