//! LiteLLM's `prompt_caching` check: a prompt that was answered before goes where it was answered.
//!
//! Inputs of at least `min_tokens` tokens: if an earlier one with the same beginning was answered within `ttl`, only
//! the deployment that answered it is left, as long as it takes calls; otherwise the routing strategy, here any
//! `policy`, chooses among all. Every success notes where it was, anew for `ttl` from its end. Shorter inputs go by the
//! strategy alone and note nothing. An equal beginning means an equal user here.
//!
//! `mended`: a retry is not held to the deployment where the last attempt failed.
//!
//! Keeps one deployment and one time for each user, for `ttl`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `policy` | `simple_shuffle` | any policy |
//! | `min_tokens` | 1,024 | 0 or more |
//! | `ttl` | 5 min | above 0 |
//! | `mended` | false | |
//!
//! Sources: LiteLLM `router_utils/pre_call_checks/prompt_caching_deployment_check.py` and
//! `router_utils/prompt_caching_cache.py` (300 s; 3,600 s where every `cache_control` says `"ttl": "1h"`). There the key is a
//! hash of everything up to the last block with `cache_control`, and only an exact match counts; the fewest tokens are the
//! model's, 1,024 unless known.
//!
//! Known faults: it looks at no load, so that a user that asks much fills one deployment however long its line;
//! requests that come before the first answer go anywhere, and the last of them to be answered decides; a retry goes
//! where the last attempt failed, until a cooldown takes that out (see `mended`); the time runs from the end of an
//! answer, the provider's own from its beginning.
//!
//! ```json
//! { "prompt_caching": { "policy": "p2c", "min_tokens": 1024, "ttl": "5m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Wrap, inside};
use super::{BuildPolicy, Call, Fleet, Policy, PolicySpec, SimpleShuffle, Wants, users};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome};

/// A prompt goes where it was answered before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PromptCaching {
    /// The policy where nothing is known. Default: `simple_shuffle`.
    pub policy: Box<PolicySpec>,
    /// The fewest input tokens from which on the check applies. Default: 1,024.
    pub min_tokens: u32,
    /// The time for which an answer is remembered, from its end. Default: 5 minutes.
    pub ttl: Duration,
    /// Whether a retry may go elsewhere. Default: false.
    pub mended: bool,
}

impl Default for PromptCaching {
    fn default() -> Self {
        PromptCaching {
            policy: Box::new(SimpleShuffle::default().into()),
            min_tokens: 1024,
            ttl: Duration::from(Span::from_secs(300)),
            mended: false,
        }
    }
}

impl BuildPolicy for PromptCaching {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let users = users(names)?;
        if self.ttl.span() == Span::ZERO {
            return Err(Refusal::new("0s: must be longer than nothing").at("ttl"));
        }
        Ok(Running {
            inner: Branches::new([inside(&self.policy, names).map_err(|r| r.at("policy"))?]),
            least: self.min_tokens,
            ttl: self.ttl.span(),
            mended: self.mended,
            answered: vec![Answered::NOWHERE; users as usize],
        }
        .wrapped())
    }
}

/// The provider that last answered a user, and until when that counts.
#[derive(Clone, Copy, Debug)]
struct Answered {
    provider: u32,
    until: Time,
}

impl Answered {
    const NOWHERE: Answered = Answered {
        provider: u32::MAX,
        until: Time::ZERO,
    };
}

#[derive(Debug)]
struct Running {
    inner: Branches,
    least: u32,
    ttl: Span,
    mended: bool,
    answered: Vec<Answered>,
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
        if call.input >= self.least {
            let known = self.answered[call.user as usize];
            let home = known.provider as usize;
            if home < fleet.len()
                && fleet.now() <= known.until
                && fleet.is_open_to_calls(home)
                && !(self.mended && call.last == Some(home))
            {
                return Some(home);
            }
        }
        self.inner.choose(0, call, fleet)
    }

    fn wants(&self) -> Wants {
        self.inner.wants().and(Wants::LEARNS)
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        if ended.outcome == Outcome::Success && ended.usage.input >= self.least {
            self.answered[ended.user as usize] = Answered {
                provider: ended.provider as u32,
                until: ended.now + self.ttl,
            };
        }
    }

    fn fresh(&self) -> Self {
        Running {
            inner: self.inner.fresh(),
            answered: self.answered.clone(),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::client::host::Host;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_secs(seconds)
    }

    fn goes(
        policy: &mut dyn Policy,
        hosts: &[Host],
        seconds: u64,
        user: u32,
        input: u32,
        last: Option<usize>,
    ) -> usize {
        let call = Call {
            user,
            input,
            last,
            ..call(0, 0)
        };
        policy.choose(&call, &Fleet::new(hosts, None, at(seconds))).unwrap()
    }

    fn answered(policy: &mut dyn Policy, seconds: u64, user: u32, input: u32, provider: usize, outcome: Outcome) {
        let mut ended = Ended::new(at(seconds), provider, outcome);
        ended.user = user;
        ended.usage.input = input;
        policy.learn(&ended);
    }

    /// The inner policy always says `a`, so that whatever else is chosen is the check's doing.
    fn built(mended: bool) -> Box<dyn Policy> {
        let mended = format!(r#"{{"policy": {{"single": {{"provider": "a"}}}}, "mended": {mended}}}"#);
        policy(&format!(r#"{{"prompt_caching": {mended}}}"#))
    }

    #[test]
    fn a_long_prompt_goes_where_it_was_answered_for_five_minutes() {
        let (mut policy, hosts) = (built(false), hosts(&[]));
        answered(&mut *policy, 100, 7, 1024, 2, Outcome::Success);
        answered(&mut *policy, 100, 8, 1023, 2, Outcome::Success);
        answered(&mut *policy, 100, 9, 2000, 2, Outcome::ServerError);
        for (what, seconds, user, input, to) in [
            ("known", 101, 7, 5000, 2),
            ("too short to look", 101, 7, 1023, 0),
            ("was too short to note", 101, 8, 5000, 0),
            ("was not answered", 101, 9, 5000, 0),
            ("somebody else", 101, 6, 5000, 0),
            ("at the last moment", 400, 7, 5000, 2),
            ("too late", 401, 7, 5000, 0),
        ] {
            assert_eq!(goes(&mut *policy, &hosts, seconds, user, input, None), to, "{what}");
        }
        answered(&mut *policy, 399, 7, 1024, 1, Outcome::Success);
        assert_eq!(
            goes(&mut *policy, &hosts, 699, 7, 5000, None),
            1,
            "the last answer counts"
        );
    }

    #[test]
    fn one_that_takes_no_calls_is_not_waited_for() {
        let mut policy = built(false);
        answered(&mut *policy, 0, 7, 2000, 2, Outcome::Success);
        assert_eq!(goes(&mut *policy, &hosts(&[2]), 1, 7, 2000, None), 0);
        assert_eq!(goes(&mut *policy, &hosts(&[]), 1, 7, 2000, None), 2, "nor forgotten");
    }

    #[test]
    fn a_retry_goes_back_there_unless_mended() {
        for (mended, to) in [(false, 2), (true, 0)] {
            let mut policy = built(mended);
            answered(&mut *policy, 0, 7, 2000, 2, Outcome::Success);
            assert_eq!(goes(&mut *policy, &hosts(&[]), 1, 7, 2000, Some(2)), to, "{mended}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |json: &str| build(json).unwrap_err();
        assert_eq!(
            refused(r#"{"prompt_caching": {"ttl": "0s"}}"#),
            Refusal::new("0s: must be longer than nothing").at("ttl")
        );
        let inner = refused(r#"{"prompt_caching": {"policy": {"single": {"provider": "d"}}}}"#);
        assert_eq!(inner.message, "there is no provider `d`");
        assert_eq!(inner.path, ["policy", "single", "provider"].map(Into::into));
    }
}
