//! The retries of Envoy (`route_components.proto` RetryPolicy, router filter): U(0, min(2ⁿ⁻¹ × `base_interval`, `max_interval`))
//! before retry n, fully jittered. So the binary does it: on 1.40.0 the longest of some 500 waits were 32, 52 and 102 ms, the answer
//! from the same machine included. Its documentation says 2ⁿ − 1, which would be 25, 75 and 175.
//!
//! `retry_on` lists what is retried; by default Envoy's `5xx`, which also covers a connection that fails and no answer
//! in time. Envoy's `retriable-4xx` is 409; `retriable-status-codes` are statuses in the list. An answer that has begun
//! is not retried, nor is what Envoy refuses by itself: its rate limit's 429, its 503 without a healthy host. With `rate_limited` (`rate_limited_retry_back_off`) an answer with a Retry-After of at most 300 s is
//! retried after that times U(1, 1.5), instead of the back-off.
//!
//! `max_retries` is the cluster's circuit breaker (`circuit_breakers.thresholds.max_retries`): at most so many retries at once, 3 if
//! nothing is said. A retry counts from when it is decided, its back-off included, until its answer begins or it fails; one more is
//! not made, and the failure is the caller's. Where answers are long before they begin, that is most of them. A `retry_budget`
//! takes its place. The cluster is the named group or, without groups, the whole fleet; all gateways together have one bound.
//!
//! ```json
//! { "envoy": { "num_retries": 3, "retry_on": ["5xx", 429], "rate_limited": true } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, BuildRetry, Failed, Next, Retry, check_retries, grown, listed, part, scaled};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::Span;
use crate::words::{Outcome, Outcomes};

/// The retry rule of Envoy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Envoy {
    /// The retries after the first attempt, at most 99. Default: 1.
    #[schemars(range(max = 99))]
    pub num_retries: u32,
    /// The base of the exponential back-off. Default: 25ms.
    pub base_interval: Duration,
    /// The longest back-off. Default: ten times the base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<Duration>,
    /// The outcomes that are retried. Default: 5xx, a connection that fails, and no answer in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<OutcomeList>,
    /// Whether Retry-After is heeded. Default: no.
    pub rate_limited: bool,
    /// The most retries at once, back-offs included, of all requests together; `null` for no bound. Default: 3, or none beside a
    /// `retry_budget`.
    pub max_retries: Option<u32>,
}

impl Default for Envoy {
    fn default() -> Envoy {
        Envoy {
            num_retries: 1,
            base_interval: Duration::from(Span::from_millis(25)),
            max_interval: None,
            retry_on: None,
            rate_limited: false,
            max_retries: Some(3),
        }
    }
}

/// The outcomes in Envoy's `5xx`.
const FAILURES: Outcomes = Outcomes::SERVER_ERRORS.and(Outcomes::of(&[
    Outcome::ConnectionError,
    Outcome::TimeoutConnect,
    Outcome::TimeoutTtft,
    Outcome::TimeoutAttempt,
]));

/// The longest Retry-After that is heeded.
const HEEDED: Span = Span::from_secs(300);

impl BuildRetry for Envoy {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        check_retries(self.num_retries, "num_retries")?;
        let base = self.base_interval.span();
        let max = self.max_interval.map_or(base.times(10), |d| d.span());
        if let Some(given) = self.max_interval
            && max < base
        {
            let text = format!(
                "max_interval is {given}, and must not be below the base of {}",
                self.base_interval
            );
            return Err(Refusal::new(text).at("max_interval"));
        }
        let on = match &self.retry_on {
            Some(list) => listed(list).map_err(|r| r.at("retry_on"))?,
            None => FAILURES,
        };
        Ok(Box::new(Running {
            retries: self.num_retries,
            base,
            max,
            on,
            heeds: self.rate_limited,
            most: self.max_retries,
            under_way: 0,
            denied: 0,
        }))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    retries: u32,
    base: Span,
    max: Span,
    on: Outcomes,
    heeds: bool,
    /// The most retries at once, if there is a bound; those under way, and those that it denied.
    most: Option<u32>,
    under_way: u32,
    denied: u64,
}

impl Retry for Running {
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, key: Key, _memory: &mut u64) -> Next {
        // What no host was asked for is a refusal of Envoy's own.
        if failed.provider.is_none() || !self.on.contains(failed.outcome) || failed.attempts > self.retries {
            return Next::STOP;
        }
        if self.most.is_some_and(|most| self.under_way >= most) {
            self.denied += 1;
            return Next::STOP;
        }
        self.under_way += u32::from(self.most.is_some());
        Next::anew(match failed.retry_after {
            Some(asked) if self.heeds && asked <= HEEDED => asked + part(scaled(asked, 0.5), key),
            _ => part(grown(self.base, 2.0, failed.attempts - 1, self.max), key),
        })
    }

    fn over(&mut self, _after: At) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    fn over_at_headers(&self) -> bool {
        self.most.is_some()
    }

    fn listens(&self) -> bool {
        self.most.is_some()
    }

    fn denied(&self) -> u64 {
        self.denied
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(Running {
            under_way: 0,
            denied: 0,
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::client::retry::testing::{assert_uniform, decisions, hosts, in_words, refusal, rule, told};
    use crate::client::retry::{At, Failed, Next};
    use crate::client::view::Fleet;
    use crate::kernel::chance::Chance;
    use crate::kernel::time::Time;
    use crate::words::Outcome::{self, Conflict, ConnectionError, RateLimited, ServerError, Truncated, Unavailable};

    /// 0 to 25, 50, 100, 200 and then 250 ms, as the binary has it.
    #[test]
    fn a_back_off_is_fully_jittered_up_to_ten_times_the_base() {
        let failures = [(ServerError, None); 6];
        for (n, most) in [(1, 0.025), (2, 0.05), (3, 0.1), (4, 0.2), (6, 0.25)] {
            let json = r#"{"envoy": {"num_retries": 9, "max_retries": null}}"#;
            assert_uniform(json, &failures[..n], 0.0, most);
        }
    }

    #[test]
    fn one_retry_of_what_is_a_5xx() {
        let words = told(r#""envoy""#, &[(ConnectionError, None), (ServerError, None)]);
        assert!(words[0].ends_with("anew") && words[1] == "stop", "{words:?}");
        assert_eq!(told(r#""envoy""#, &[(RateLimited, None)]), ["stop"]);
        assert_eq!(told(r#""envoy""#, &[(Truncated, None)]), ["stop"]);
    }

    #[test]
    fn a_4xx_is_retried_only_if_it_is_listed() {
        for outcome in Outcome::ALL {
            let Some(status @ 400..) = outcome.status() else {
                continue;
            };
            let retried = told(r#""envoy""#, &[(outcome, None)]) != ["stop"];
            assert_eq!(retried, status >= 500, "{outcome:?}");
        }
        let conflicts = told(r#"{"envoy": {"retry_on": ["5xx", 409]}}"#, &[(Conflict, None)]);
        assert!(conflicts[0].ends_with("anew"), "{conflicts:?}");
    }

    #[test]
    fn a_503s_retry_after_is_heeded_too() {
        let spec = r#"{"envoy": {"rate_limited": true, "max_retries": null}}"#;
        assert_uniform(spec, &[(Unavailable, Some(10.0))], 10.0, 15.0);
    }

    #[test]
    fn a_retry_after_may_be_heeded_up_to_five_minutes() {
        let spec = r#"{"envoy": {"retry_on": [429], "rate_limited": true, "max_retries": null}}"#;
        assert_uniform(spec, &[(RateLimited, Some(10.0))], 10.0, 15.0);
        assert_uniform(spec, &[(RateLimited, Some(301.0))], 0.0, 0.025);
        assert_uniform(spec, &[(RateLimited, None)], 0.0, 0.025);
    }

    /// Measured on 1.40: at most 3 retries under way, the fourth failure is the caller's at once.
    #[test]
    fn three_retries_at_once_and_no_more() {
        for (json, most) in [
            (r#""envoy""#, 3),
            (r#"{"envoy": {"max_retries": 7}}"#, 7),
            (r#"{"envoy": {"max_retries": 0}}"#, 0),
            (r#"{"envoy": {"max_retries": null}}"#, 20),
        ] {
            let (mut rule, hosts) = (rule(json), hosts(2, &[]));
            let try_again = |rule: &mut dyn crate::client::retry::Retry, id| {
                let next = decisions(rule, &hosts, &[(ServerError, None)], id);
                matches!(next[0], Next::Again { .. })
            };
            let made = (0..20).filter(|&id| try_again(&mut *rule, id)).count();
            assert_eq!((made, rule.denied()), (most, 20 - most as u64), "{json}");
            if most > 0 {
                rule.over(At::default());
                assert!(try_again(&mut *rule, 20), "{json}: a slot is free");
            }
            assert!(rule.fresh().denied() == 0);
        }
    }

    #[test]
    fn what_envoy_refuses_itself_is_not_tried_again() {
        let hosts = hosts(2, &[]);
        let fleet = Fleet::new(&hosts, None, Time::ZERO);
        let failed = Failed::new(Time::ZERO, RateLimited);
        let key = Chance::new(1, 0).request(0);
        let next = |failed| rule(r#"{"envoy": {"retry_on": [429]}}"#).next(&failed, &fleet, key, &mut 0);
        assert_eq!(in_words(&next(failed)), "stop");
        let of_a_host = Failed {
            provider: Some(1),
            ..failed
        };
        assert!(in_words(&next(of_a_host)).ends_with("anew"));
    }

    #[test]
    fn a_cap_below_the_base_is_refused() {
        assert_eq!(
            refusal(r#"{"envoy": {"max_interval": "10ms"}}"#),
            "max_interval is 10ms, and must not be below the base of 25ms"
        );
    }
}
