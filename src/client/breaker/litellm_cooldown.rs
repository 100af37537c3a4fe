//! LiteLLM's cooldown: a deployment that fails is left out for some seconds, and comes back with all of its traffic.
//!
//! Failures and successes of each deployment are counted in windows of 60 s, one for each of the two, each of which starts at its
//! own first event. Only a failure is a reason to look. With f and s as counted, the failure included, a deployment cools if
//!
//! | | rule |
//! |---|---|
//! | a | it was a 429, and its group has another deployment |
//! | b | s = 0 and f ≥ 1000 |
//! | c | f / (f + s) > 50 % and f + s ≥ 5, and its group has another deployment |
//! | d | it was a 401, 402 or 404, also if it is alone |
//!
//! Any other 4xx but a 408 (400, 403, 409, 413, 422) never leads to a cooldown, but counts among the failures. What the client ends by itself (its queue, the timeout of the
//! whole request, a copy called off, the 429 of `max_parallel_requests`) counts for nothing. With `allowed_fails` or `allowed_fails_policy` another rule stands in for the four: a
//! counter of failures of any kind that is forgotten `cooldown_time` after its first; with more than the latest kind is allowed the
//! deployment cools. The policy gives a kind of error its own number; the others have `allowed_fails`, or 3. A deployment that is
//! alone and whose group has no fallback cools only by a number that the policy gives, up to 1.106 by any.
//!
//! A cooldown lasts as long as its deployment has in `deployments`, else as long as a Retry-After in whole seconds says
//! (of any failure), else `cooldown_time`. With a length of 0 there is no cooldown. A failure that comes in meanwhile
//! is counted but prolongs nothing. There is no half-open: when it is over everything goes there again, and because f
//! still stands, one more failure is enough.
//!
//! A group is one of `model_groups`, a fallback group of the client, or the whole fleet if there are none. A deployment that is in
//! several fallback groups counts as alone if it is alone in each of them.
//!
//! Up to version "1.106" `allowed_fails: 3` is taken for not given, that being the router's own default; "1.80" has no minimum of 5
//! requests in rule c either.
//!
//! Source: LiteLLM 1.109.1, `litellm/router_utils/cooldown_handlers.py`, `cooldown_cache.py`, `litellm/constants.py`; measured on
//! 1.106.2, 1.109.1 and 1.110.2 where they differ. Left out: the limit of 200 cached counters, and the delay at which other processes
//! see a cooldown.
//!
//! ```json
//! { "litellm_cooldown": { "cooldown_time": "60s", "deployments": { "azure": "10s" } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, over_openings};
use super::{BuildBreaker, FleetBreaker, Guard, Ticket};
use crate::client::litellm::Kind;
use crate::form::build::{Built, Names};
use crate::form::named::Named;
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes};

/// Cooldowns of deployments, as LiteLLM's router has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LitellmCooldown {
    /// The LiteLLM version whose rules hold. Default: `1.109`.
    #[serde(default)]
    pub version: Version,
    /// The failures that do not yet lead to a cooldown, instead of LiteLLM's rules by share. Default: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_fails: Option<u32>,
    /// The failures that do not yet lead to a cooldown, by kind of error; `{}` for a policy that names no kind. Default: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_fails_policy: Option<AllowedFailsPolicy>,
    /// The length of a cooldown where neither `deployments` nor a Retry-After says so; 0s: no cooldown. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_time: Option<Duration>,
    /// The providers with a cooldown time of their own, which goes before Retry-After. Default: none.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub deployments: Named<Duration>,
}

/// The failures allowed by kind of error; a kind without a number has `allowed_fails`, or 3.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AllowedFailsPolicy {
    /// The failures allowed where the latest is a 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_request_error_allowed_fails: Option<u32>,
    /// The failures allowed where the latest is a 401.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_error_allowed_fails: Option<u32>,
    /// The failures allowed where the latest is a 408, a 504 or a timeout of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_error_allowed_fails: Option<u32>,
    /// The failures allowed where the latest is a 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit_error_allowed_fails: Option<u32>,
    /// The failures allowed where the latest is an answer that the content filter refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_policy_violation_error_allowed_fails: Option<u32>,
    /// The failures allowed where the latest is a 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_server_error_allowed_fails: Option<u32>,
    /// The failures allowed where the latest is a 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_unavailable_error_allowed_fails: Option<u32>,
    /// The failures allowed where the latest is a 502.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_gateway_error_allowed_fails: Option<u32>,
    /// The failures allowed where the latest is a 404.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_found_error_allowed_fails: Option<u32>,
}

impl AllowedFailsPolicy {
    /// The number that is given for failures like `outcome`.
    fn of(&self, outcome: Outcome) -> Option<u32> {
        match Kind::of(outcome)? {
            Kind::BadRequest => self.bad_request_error_allowed_fails,
            Kind::Authentication => self.authentication_error_allowed_fails,
            Kind::Timeout => self.timeout_error_allowed_fails,
            Kind::RateLimit => self.rate_limit_error_allowed_fails,
            Kind::ContentPolicyViolation => self.content_policy_violation_error_allowed_fails,
            Kind::InternalServer => self.internal_server_error_allowed_fails,
            Kind::ServiceUnavailable => self.service_unavailable_error_allowed_fails,
            Kind::BadGateway => self.bad_gateway_error_allowed_fails,
            Kind::NotFound => self.not_found_error_allowed_fails,
        }
    }
}

impl LitellmCooldown {
    /// These rules, without the times of deployments that are not among `members`.
    pub(crate) fn only(&self, members: &[String]) -> LitellmCooldown {
        let times = self
            .deployments
            .iter()
            .filter(|(name, _)| members.iter().any(|member| member == name));
        LitellmCooldown {
            deployments: times.map(|(name, time)| (name.to_owned(), *time)).collect(),
            ..self.clone()
        }
    }
}

/// The version of LiteLLM whose rules hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// The rules of 1.109: a share counts from five requests on.
    #[default]
    #[serde(rename = "1.109")]
    V1_109,
    /// The rules of 1.106: `allowed_fails: 3` is as good as none, and any other cools a deployment that is alone.
    #[serde(rename = "1.106")]
    V1_106,
    /// The rules of 1.80: those of 1.106, and a lone failure is a share of 100 %.
    #[serde(rename = "1.80")]
    V1_80,
}

/// The window in which failures and successes are counted.
const WINDOW: Span = Span::from_secs(60);
/// The value of LiteLLM's `DEFAULT_COOLDOWN_TIME_SECONDS`.
const COOLDOWN: Span = Span::from_secs(5);
/// The value of LiteLLM's `DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS`.
const MINIMUM: u64 = 5;
/// The value of LiteLLM's `SINGLE_DEPLOYMENT_TRAFFIC_FAILURE_THRESHOLD`.
const ALL_FAILED: u64 = 1000;
/// The default of LiteLLM's `litellm.allowed_fails`.
const ALLOWED_BY_DEFAULT: u32 = 3;

/// The outcomes that lead to a cooldown at once (`_should_cooldown_deployment`: considered, and not a status that
/// LiteLLM retries).
const AT_ONCE: Outcomes = Outcomes::of(&[Outcome::Unauthorized, Outcome::PaymentRequired, Outcome::NotFound]);
/// The outcomes that may lead to a cooldown (`_is_cooldown_required`: 401, 402, 404, 408, 429 and all that is not a
/// 4xx).
const CONSIDERED: Outcomes = Outcomes::TRANSIENT.and(AT_ONCE);
/// The outcomes that count as failures.
const FAILURES: Outcomes = Outcomes::ANY_FAILURE;

impl BuildBreaker for LitellmCooldown {
    fn build(&self, names: &Names<'_>) -> Built<Guard> {
        let mut lasts = vec![None; names.providers.len()];
        for (name, duration) in self.deployments.iter() {
            let provider = names.provider(name).map_err(|r| r.at(name).at("deployments"))?;
            lasts[provider] = Some(duration.span());
        }
        let everybody: Vec<usize> = (0..lasts.len()).collect();
        let groups = if names.groups.is_empty() {
            std::slice::from_ref(&everybody)
        } else {
            names.groups
        };
        let alone = |p: &usize| groups.iter().filter(|g| g.contains(p)).all(|g| g.len() == 1);
        let falls_back = |p: usize| {
            let of_groups = groups.iter().zip(names.falls_back);
            of_groups
                .filter(|(g, _)| g.contains(&p))
                .any(|(_, &falls_back)| falls_back)
        };
        let up_to_106 = self.version != Version::V1_109;
        let given = (self.allowed_fails).filter(|&n| !up_to_106 || n != ALLOWED_BY_DEFAULT);
        let policy = self.allowed_fails_policy.as_ref();
        let of_others = self.allowed_fails.unwrap_or(ALLOWED_BY_DEFAULT);
        let allowed = (given.is_some() || policy.is_some()).then(|| {
            let by_policy = |outcome| policy.and_then(|policy| policy.of(outcome));
            Outcome::ALL.map(|outcome| Allowed {
                fails: u64::from(by_policy(outcome).unwrap_or(of_others)),
                also_alone: up_to_106 || by_policy(outcome).is_some(),
            })
        });
        let states = (lasts.into_iter().enumerate())
            .map(|(p, lasts)| State {
                lasts,
                alone: alone(&p),
                falls_back: falls_back(p),
                ..State::default()
            })
            .collect();
        Ok(Guard::Fleet(Box::new(Running {
            minimum: if self.version == Version::V1_80 { 0 } else { MINIMUM },
            allowed,
            cooldown_time: self.cooldown_time.map_or(COOLDOWN, |d| d.span()),
            states,
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    minimum: u64,
    /// By the outcome of the latest failure, if failures are counted instead of shares.
    allowed: Option<[Allowed; Outcome::COUNT]>,
    cooldown_time: Span,
    states: Vec<State>,
}

/// What is allowed of one kind of failure.
#[derive(Clone, Copy, Debug)]
struct Allowed {
    fails: u64,
    /// Whether the number holds for a deployment that is alone and whose group has no fallback.
    also_alone: bool,
}

/// The state of one deployment.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The deployment's own cooldown time, if it has one.
    lasts: Option<Span>,
    /// Whether the deployment is alone in its group.
    alone: bool,
    /// Whether a group that it is in has a fallback.
    falls_back: bool,
    failures: Counter,
    successes: Counter,
    /// The failures held against `allowed_fails`.
    held: Counter,
    openings: Openings,
}

/// A number that is forgotten a fixed time after it was first counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    count: u64,
    until: Time,
}

impl Counter {
    fn get(&self, now: Time) -> u64 {
        if now < self.until { self.count } else { 0 }
    }

    fn add(&mut self, now: Time, lasts: Span) {
        if now >= self.until {
            *self = Counter {
                count: 0,
                until: now + lasts,
            };
        }
        self.count += 1;
    }
}

impl Running {
    /// Whether the failure just counted is a reason to cool.
    fn cools(&mut self, provider: usize, now: Time, outcome: Outcome) -> bool {
        let state = &mut self.states[provider];
        if let Some(allowed) = &self.allowed {
            let allowed = allowed[outcome.index()];
            if state.alone && !state.falls_back && !allowed.also_alone {
                return false;
            }
            if state.held.get(now) + 1 > allowed.fails {
                return true;
            }
            state.held.add(now, self.cooldown_time);
            return false;
        }
        let (f, s) = (state.failures.get(now), state.successes.get(now));
        if AT_ONCE.contains(outcome) || (outcome == Outcome::RateLimited && !state.alone) {
            return true;
        }
        (s == 0 && f >= ALL_FAILED) || (!state.alone && f > s && f + s >= self.minimum)
    }
}

impl FleetBreaker for Running {
    #[inline]
    fn permits(&self, provider: usize, now: Time) -> bool {
        !self.states[provider].openings.is_open(now)
    }

    #[inline]
    fn sent(&mut self, _provider: usize, _now: Time) -> Ticket {
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        let (now, outcome) = (ended.now, ended.outcome);
        let state = &mut self.states[ended.provider];
        if outcome == Outcome::Success {
            state.successes.add(now, WINDOW);
            return;
        }
        if !FAILURES.contains(outcome) {
            return;
        }
        state.failures.add(now, WINDOW);
        let whole_seconds = |d: &Span| d.nanos().is_multiple_of(1_000_000_000);
        let lasts = (state.lasts)
            .or(ended.retry_after.filter(whole_seconds))
            .unwrap_or(self.cooldown_time);
        if !CONSIDERED.contains(outcome) || lasts == Span::ZERO || !self.cools(ended.provider, now, outcome) {
            return;
        }
        let openings = &mut self.states[ended.provider].openings;
        if !openings.is_open(now) {
            openings.open(now, now + lasts);
        }
    }

    over_openings!(each states);
}

#[cfg(test)]
mod tests;
