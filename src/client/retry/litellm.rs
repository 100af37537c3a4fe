//! The retries of LiteLLM's router 1.109 (`router.py`: `async_function_with_retries`, `should_retry_this_error`,
//! `_time_to_sleep_before_retry`), with its own `num_retries` 2.
//!
//! Never tried again: a 4xx other than 401, 403, 408, 409 and 429 (`_should_retry`); a 401 or 403 in a group of one;
//! anything when no member of the group is healthy, so that a request goes on to its fallback, or fails, without a
//! sleep. Each retry is a fresh choice among the healthy, the one that failed included. The sleep is nothing if the
//! group has more than one member and any is healthy; otherwise Retry-After if it lies in (0, 60] s, plus U(0, 0.75) s,
//! else min(8, max(`retry_after`, 0.5 × 2ⁿ)) + U(0, 0.75) s after n failures before this one. It also follows the
//! **last** failed attempt, before the error or the fallback. A member is healthy if neither a budget nor a breaker
//! keeps it out: LiteLLM's own cooldown is a breaker here.
//!
//! An attempt for which no connection is free, where a provider's `line` is 0, is the gateway's own 429 (`max_parallel_requests`):
//! tried again like any other, and at once where there is another member.
//!
//! `retry_policy` gives a kind of error its own number of retries and overrides what is never tried again, as LiteLLM does.
//! Left out: its number is taken from the latest failure, where LiteLLM takes it from the first.
//!
//! ```json
//! { "litellm": { "num_retries": 2, "retry_policy": { "rate_limit_error_retries": 3 } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, NOTHING_TRIED, Next, Retry, check_retries, grown, part};
use crate::client::litellm::Kind;
use crate::client::view::Fleet;
use crate::form::build::{Built, Names};
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::Span;
use crate::words::{Outcome, Outcomes};

/// The retry rule of LiteLLM's router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Litellm {
    /// The retries after the first attempt, in each group; at most 99. Default: 2.
    #[schemars(range(max = 99))]
    pub num_retries: u32,
    /// The shortest sleep, where there is a sleep and no Retry-After. Default: 0s.
    pub retry_after: Duration,
    /// The retries by kind of error. Default: none given.
    pub retry_policy: RetryPolicy,
}

/// The retries by kind of error, each at most 99; where nothing is given, the router's own rules hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// The retries after a 401.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub authentication_error_retries: Option<u32>,
    /// The retries after a 408, a 504 or a timeout of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub timeout_error_retries: Option<u32>,
    /// The retries after a 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub rate_limit_error_retries: Option<u32>,
    /// The retries after an answer that the content filter refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub content_policy_violation_error_retries: Option<u32>,
    /// The retries after a 400 that has no entry of its own; a 404, 413 or 422 is not one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub bad_request_error_retries: Option<u32>,
    /// The retries after a 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub internal_server_error_retries: Option<u32>,
    /// The retries after a 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub service_unavailable_error_retries: Option<u32>,
    /// The retries after a 404.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub not_found_error_retries: Option<u32>,
    /// The retries after any failure that has no entry of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 99))]
    pub default_retries: Option<u32>,
}

impl Default for Litellm {
    fn default() -> Litellm {
        Litellm {
            num_retries: 2,
            retry_after: Duration::from(Span::ZERO),
            retry_policy: RetryPolicy::default(),
        }
    }
}

/// The outcomes that are tried again only if the group has another member.
const WITH_ANOTHER: Outcomes = Outcomes::of(&[Outcome::Unauthorized, Outcome::Forbidden]);

/// The outcomes that are tried again: what passes by itself, and the gateway's own 429 where as many requests are under way at a
/// deployment as `max_parallel_requests` allows.
const WORTH: Outcomes = Outcomes::RETRYABLE.and(Outcomes::of(&[Outcome::Shed]));

/// The largest addition to a sleep, and the bounds of a back-off.
const JITTER: Span = Span::from_millis(750);
const FIRST: Span = Span::from_millis(500);
const LONGEST: Span = Span::from_secs(8);
/// The longest Retry-After that is heeded.
const HEEDED: Span = Span::from_secs(60);

impl RetryPolicy {
    /// What is given, with the names of the fields.
    fn given(&self) -> [(Option<u32>, &'static str); 9] {
        [
            (self.authentication_error_retries, "authentication_error_retries"),
            (self.timeout_error_retries, "timeout_error_retries"),
            (self.rate_limit_error_retries, "rate_limit_error_retries"),
            (
                self.content_policy_violation_error_retries,
                "content_policy_violation_error_retries",
            ),
            (self.bad_request_error_retries, "bad_request_error_retries"),
            (self.internal_server_error_retries, "internal_server_error_retries"),
            (
                self.service_unavailable_error_retries,
                "service_unavailable_error_retries",
            ),
            (self.not_found_error_retries, "not_found_error_retries"),
            (self.default_retries, "default_retries"),
        ]
    }

    /// The number of retries that `outcome` gets, if it is given.
    fn of(&self, outcome: Outcome) -> Option<u32> {
        let own = Kind::of(outcome).and_then(|kind| match kind {
            Kind::Authentication => self.authentication_error_retries,
            Kind::Timeout => self.timeout_error_retries,
            Kind::RateLimit => self.rate_limit_error_retries,
            Kind::ContentPolicyViolation => self
                .content_policy_violation_error_retries
                .or(self.bad_request_error_retries),
            Kind::BadRequest => self.bad_request_error_retries,
            Kind::InternalServer => self.internal_server_error_retries,
            Kind::ServiceUnavailable => self.service_unavailable_error_retries,
            Kind::NotFound => self.not_found_error_retries,
            Kind::BadGateway => None,
        });
        own.or(self.default_retries)
    }
}

impl BuildRetry for Litellm {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        check_retries(self.num_retries, "num_retries")?;
        let policy = &self.retry_policy;
        for (retries, field) in policy.given() {
            check_retries(retries.unwrap_or(0), field).map_err(|r| r.at("retry_policy"))?;
        }
        Ok(Box::new(Running {
            num_retries: self.num_retries,
            least: self.retry_after.span(),
            by_outcome: Outcome::ALL.map(|o| policy.of(o)),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    num_retries: u32,
    least: Span,
    by_outcome: [Option<u32>; Outcome::COUNT],
}

impl Retry for Running {
    fn next(&mut self, failed: &Failed, fleet: &Fleet<'_>, key: Key, _memory: &mut u64) -> Next {
        if failed.attempts == 0 || NOTHING_TRIED.contains(&failed.outcome) {
            return Next::STOP;
        }
        let (mut members, mut healthy) = (0, 0);
        for i in 0..fleet.len() {
            members += u32::from(fleet.is_eligible(i));
            healthy += u32::from(fleet.is_open_to_calls(i));
        }
        let by_policy = self.by_outcome[failed.outcome.index()];
        let worth = WORTH.contains(failed.outcome) || (members > 1 && WITH_ANOTHER.contains(failed.outcome));
        if by_policy.is_none() && (!worth || healthy == 0) {
            return Next::STOP;
        }
        let retries = by_policy.unwrap_or(self.num_retries);
        if retries == 0 {
            return Next::STOP;
        }
        let after = if members > 1 && healthy > 0 {
            Span::ZERO
        } else {
            self.sleep(failed, key)
        };
        if failed.attempts > retries {
            Next::give_up(after)
        } else {
            Next::anew(after)
        }
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(self.clone())
    }
}

impl Running {
    fn sleep(&self, failed: &Failed, key: Key) -> Span {
        let jitter = part(JITTER, key);
        match failed.retry_after {
            Some(asked) if asked > Span::ZERO && asked <= HEEDED => asked + jitter,
            _ => {
                let backoff = grown(FIRST, 2.0, failed.attempts - 1, LONGEST);
                backoff.max(self.least).min(LONGEST) + jitter
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::client::retry::testing::{assert_uniform, decisions, hosts, in_words, rule};
    use crate::words::Outcome::{
        self, BadRequest, ContextExceeded, NotFound, RateLimited, ServerError, TimeoutAttempt, Unavailable,
        Unprocessable,
    };

    /// What follows in a group of `n` of which `open` are cooling, in words, jitter cut off.
    fn told(json: &str, n: usize, open: &[usize], failures: &[(Outcome, Option<f64>)]) -> Vec<String> {
        decisions(&mut *rule(json), &hosts(n, open), failures, 0)
            .iter()
            .map(in_words)
            .collect()
    }

    #[test]
    fn a_group_with_somebody_healthy_is_tried_again_at_once() {
        let failures = [(ServerError, None), (RateLimited, Some(30.0)), (TimeoutAttempt, None)];
        assert_eq!(told(r#""litellm""#, 2, &[], &failures), ["0s anew", "0s anew", "stop"]);
        assert_eq!(told(r#""litellm""#, 2, &[1], &failures), ["0s anew", "0s anew", "stop"]);
    }

    #[test]
    fn a_group_with_nobody_healthy_is_left_at_once() {
        assert_eq!(told(r#""litellm""#, 2, &[0, 1], &[(RateLimited, Some(3.0))]), ["stop"]);
        assert_eq!(told(r#""litellm""#, 1, &[0], &[(ServerError, None)]), ["stop"]);
    }

    /// A deployment alone: 0.5, 1 and 2 s, each with up to 0.75 s of jitter, the last before the error.
    #[test]
    fn a_deployment_alone_is_slept_on_even_after_the_last_failure() {
        let failures = [(ServerError, None), (Unavailable, None), (TimeoutAttempt, None)];
        let words = told(r#""litellm""#, 1, &[], &failures);
        assert!(words[0].ends_with("anew") && words[1].ends_with("anew"), "{words:?}");
        assert!(words[2].starts_with("stop after 2."), "{words:?}");
        for (n, least) in [(1, 0.5), (2, 1.0), (3, 2.0)] {
            assert_uniform(r#""litellm""#, &failures[..n], least, least + 0.75);
        }
    }

    #[test]
    fn a_retry_after_counts_up_to_a_minute() {
        for (asked, least) in [(1.0, 1.0), (60.0, 60.0), (61.0, 0.5), (0.0, 0.5)] {
            assert_uniform(r#""litellm""#, &[(RateLimited, Some(asked))], least, least + 0.75);
        }
    }

    #[test]
    fn a_back_off_lies_between_its_floor_and_8s() {
        let failures = [(ServerError, None); 7];
        let floor = r#"{"litellm": {"num_retries": 9, "retry_after": "3s"}}"#;
        assert_uniform(floor, &failures[..1], 3.0, 3.75);
        assert_uniform(floor, &failures, 8.0, 8.75);
    }

    /// By `_should_retry` (408, 409, 429 and 5xx), and 401 and 403 in a group of several.
    #[test]
    fn a_4xx_is_tried_again_if_its_status_is_one_of_few() {
        for outcome in Outcome::ALL {
            let Some(status @ 400..) = outcome.status() else {
                continue;
            };
            let several = told(r#""litellm""#, 2, &[], &[(outcome, None)]);
            let retried = matches!(status, 401 | 403 | 408 | 409 | 429 | 500..);
            assert_eq!(several, [if retried { "0s anew" } else { "stop" }], "{outcome:?}");
            let alone = told(r#""litellm""#, 1, &[], &[(outcome, None)]);
            let retried = matches!(status, 408 | 409 | 429 | 500..);
            assert_eq!(alone[0] != "stop", retried, "{outcome:?}");
        }
    }

    #[test]
    fn the_429_of_max_parallel_requests_is_tried_again() {
        let shed = [(Outcome::Shed, None), (Outcome::Shed, None), (Outcome::Shed, None)];
        assert_eq!(told(r#""litellm""#, 2, &[], &shed), ["0s anew", "0s anew", "stop"]);
        assert_uniform(r#""litellm""#, &shed[..1], 0.5, 1.25);
    }

    #[test]
    fn each_kind_of_error_has_its_own_retries_and_the_rest_the_default() {
        let policy = r#"{"litellm": {"retry_policy": {"service_unavailable_error_retries": 0, "not_found_error_retries": 1, "default_retries": 2}}}"#;
        for (outcome, retries) in [
            (Unavailable, 0),
            (NotFound, 1),
            (ServerError, 2),
            (BadRequest, 2),
            (Unprocessable, 2),
            (Outcome::BadGateway, 2),
        ] {
            let words = told(policy, 2, &[], &[(outcome, None); 4]);
            assert_eq!(words.iter().filter(|w| *w == "0s anew").count(), retries, "{outcome:?}");
        }
    }

    #[test]
    fn a_policy_for_bad_requests_is_for_400s() {
        let policy = r#"{"litellm": {"retry_policy": {"bad_request_error_retries": 1}}}"#;
        for (outcome, first) in [
            (BadRequest, "0s anew"),
            (ContextExceeded, "0s anew"),
            (NotFound, "stop"),
            (Unprocessable, "stop"),
        ] {
            assert_eq!(told(policy, 2, &[], &[(outcome, None)]), [first], "{outcome:?}");
        }
    }

    #[test]
    fn a_retry_policy_overrides_what_is_never_tried_again() {
        let policy = r#"{"litellm": {"retry_policy": {"rate_limit_error_retries": 1, "bad_request_error_retries": 1, "timeout_error_retries": 0}}}"#;
        let twice = |o: Outcome| [(o, None), (o, None)];
        assert_eq!(told(policy, 2, &[], &twice(ContextExceeded)), ["0s anew", "stop"]);
        assert_eq!(told(policy, 2, &[], &twice(TimeoutAttempt)), ["stop", "stop"]);
        let cooling = told(policy, 2, &[0, 1], &twice(RateLimited));
        assert!(
            cooling[0].ends_with("anew") && cooling[1].starts_with("stop after"),
            "{cooling:?}"
        );
        assert_eq!(told(policy, 2, &[], &twice(ServerError)), ["0s anew", "0s anew"]);
    }
}
