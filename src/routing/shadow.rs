//! A shadow: a share of requests is sent to one more provider as well, for whose answer no caller waits.
//!
//! The inner `policy` serves. With probability `share`, drawn once for each request, a copy of its first attempt goes to
//! the provider `to`, if that is open to calls and a connection to it is free. The copy is paid for, fills the quotas and
//! the load of its provider, and ends with the request's own deadline, whatever becomes of the request; no breaker, budget or
//! policy hears how it ended, and the time and answer of the request do not depend on it. The report counts copies and
//! their cost as mirrored.
//!
//! A policy inside takes every provider unless told otherwise: name its providers, or `to` will serve as well.
//!
//! Keeps nothing itself.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `policy` | required | any without a shadow inside |
//! | `to` | required | a provider |
//! | `share` | 1 | 0 to 1 |
//!
//! Sources: Envoy `request_mirror_policies` (fire and forget, `runtime_fraction`), nginx `mirror`, Istio `mirrorPercentage`.
//! Known faults: it costs as much as it serves; where the copy shares an account, connections or a server with what
//! serves, it slows that down.
//!
//! ```json
//! { "shadow": { "policy": { "single": { "provider": "old" } }, "to": "new", "share": "25%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Wrap, inside};
use super::{BuildPolicy, Call, Fleet, Policy, PolicySpec, Wants};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Fraction;
use crate::kernel::chance::{Purpose, threshold};

/// Mirrored copies to one more provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    /// The policy that serves the requests.
    pub policy: Box<PolicySpec>,
    /// The provider to which the copies go.
    pub to: String,
    /// The share of requests that are copied. Default: all.
    #[serde(default = "all")]
    pub share: Fraction,
}

const fn all() -> Fraction {
    Fraction::ONE
}

impl BuildPolicy for Shadow {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let to = names.provider(&self.to).map_err(|r| r.at("to"))?;
        let inner = inside(&self.policy, names).map_err(|r| r.at("policy"))?;
        if inner.wants().mirrors {
            let text = "a request has one copy at most: a shadow holds no other shadow";
            return Err(Refusal::new(text).at("policy"));
        }
        Ok(Running {
            inner: Branches::new([inner]),
            to,
            below: (self.share < Fraction::ONE).then(|| threshold(self.share.get())),
        }
        .wrapped())
    }
}

#[derive(Debug)]
struct Running {
    inner: Branches,
    to: usize,
    /// The draw below which a request is copied; `None` if every one is.
    below: Option<u64>,
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
        self.inner.choose(0, call, fleet)
    }

    fn wants(&self) -> Wants {
        Wants {
            mirrors: true,
            ..self.inner.wants()
        }
    }

    fn mirror(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let copied = self
            .below
            .is_none_or(|below| call.request.draw(Purpose::Mirror) < below);
        (copied && fleet.is_open_to_calls(self.to)).then_some(self.to)
    }

    fn fresh(&self) -> Self {
        Running {
            inner: self.inner.fresh(),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;

    fn shadow(share: &str) -> Box<dyn Policy> {
        policy(&format!(
            r#"{{"shadow": {{"policy": {{"single": {{"provider": "a"}}}}, "to": "b", "share": {share}}}}}"#
        ))
    }

    fn copies(policy: &mut dyn Policy, closed: &[usize]) -> usize {
        let hosts = hosts(closed);
        let fleet = Fleet::new(&hosts, None, Time::ZERO);
        (0..10_000)
            .filter(|&id| policy.mirror(&call(id, 0), &fleet) == Some(1))
            .count()
    }

    /// The standard deviation of a count of 10,000 with probability 0.3 is 46.
    #[test]
    fn a_share_is_copied_and_all_is_served_by_the_policy_inside() {
        let mut policy = shadow("0.3");
        assert!(policy.wants().mirrors);
        assert!(copies(&mut *policy, &[]).abs_diff(3000) < 184);
        assert_eq!(
            copies(&mut *policy, &[0]),
            copies(&mut *policy, &[]),
            "whichever serves"
        );
        assert_eq!(counts(&mut *policy, &hosts(&[]), 0, 100), [100, 0, 0, 0]);
        assert_eq!(counts(&mut *policy, &hosts(&[0]), 0, 100), [0, 0, 0, 100]);
    }

    #[test]
    fn none_and_all_are_exact_and_a_closed_provider_gets_no_copy() {
        assert_eq!(
            [copies(&mut *shadow("0"), &[]), copies(&mut *shadow("1"), &[])],
            [0, 10_000]
        );
        assert_eq!(copies(&mut *shadow("1"), &[1]), 0);
    }

    #[test]
    fn a_shadow_in_a_shadow_is_refused() {
        let json = r#"{"shadow": {"to": "a", "policy": {"shadow": {"to": "b", "policy": "p2c"}}}}"#;
        assert_eq!(
            build(json).err().unwrap().message,
            "a request has one copy at most: a shadow holds no other shadow"
        );
    }
}
