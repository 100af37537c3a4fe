//! Exponential back-off: the wait before try n + 1 is `base × factor^(n−1)`, at most `max`, with jitter.
//!
//! One rule with a few parameters covers what published articles do. Customer-service benchmark: 3 tries, 2^attempt s
//! between (`base` 1s). E-commerce migration: on 429 Retry-After × 2^attempt + U(0, 1) s, otherwise 2^attempt s
//! (`retry_after` "scale", `jitter` add 0–1 s, `jitter_on` "rate_limited"). Load balancer: on 429 Retry-After, 1 s if
//! absent, on 5xx and timeouts 2^attempt s (`retry_after` "wait", `without_retry_after` 1s). TTFT and TPS rankings: as
//! the e-commerce migration with 5 tries and U(0.1, 1) s. Latency-based routing: on 429 2^min(Retry-After, 5) s
//! (`retry_after` "power"). SGLang's router: 5 tries from 50 ms, factor 1.5, at most 30 s, ± 20 % (`jitter` plus_minus
//! 20%).
//!
//! A Retry-After is heeded with any refusal (RFC 9110, 10.2.3, has it with 503 and 3xx, RFC 6585 with 429).
//!
//! An attempt that another try cannot mend is never tried again: a 4xx other than 408, 409 and 429, no provider to send
//! to, a wait in the client given up (a connection's included), and the timeout of the whole request, which also
//! strikes during a wait between tries. `on` overrides what is tried again, `tries_by` how often for some failures: the
//! first entry that lists a failure decides, by how the attempt before it ended.
//!
//! Decorrelated jitter is that of AWS ("Exponential backoff and jitter", 2015): min(`max`, U(`base`, 3 × the wait before)),
//! the wait before the first being `base`.
//!
//! ```json
//! { "exponential": { "tries": 3, "base": "1s", "jitter": "full", "retry_after": "at_least" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, HOPELESS, Next, Retry, Where, check_tries, grown, listed, part, scaled};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::time::Span;
use crate::words::{Outcome, Outcomes};

/// Exponential back-off: waits that grow with each failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The most attempts, the first included, from 1 to 100. Default: 3.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub tries: u32,
    /// The wait after the first failure. Default: 1s.
    #[serde(default = "second")]
    pub base: Duration,
    /// The factor by which each wait is longer than the one before, from 1 to 100. Default: 2.
    #[serde(default = "two")]
    pub factor: f64,
    /// The longest back-off, before jitter; it does not cut what Retry-After asks for. Default: 60s.
    #[serde(default = "minute")]
    pub max: Duration,
    /// The random part of a wait. Default: `none`.
    #[serde(default)]
    pub jitter: Jitter,
    /// The waits that get the jitter. Default: `all`.
    #[serde(default)]
    pub jitter_on: JitterOn,
    /// The effect of a Retry-After, whatever refusal it comes with (429, 503, 529 …). Default: `at_least`.
    #[serde(default)]
    pub retry_after: RetryAfterRule,
    /// The Retry-After assumed for a 429 without one. Default: none, so that it backs off like any failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_retry_after: Option<Duration>,
    /// The outcomes that are tried again. Default: all that another try may mend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
    /// The number of tries for some failures, instead of `tries`; the first entry that lists a failure decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries_by: Vec<TriesBy>,
    /// The provider to which the next try goes. Default: `anew`.
    #[serde(default)]
    pub r#where: Where,
}

/// The number of tries for some failures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriesBy {
    /// The failures for which `tries` holds.
    pub on: OutcomeList,
    /// The most attempts, the first included, from 1 to 100; 1 for no second one.
    #[schemars(range(min = 1, max = 100))]
    pub tries: u32,
}

/// The random part of a wait, lest callers that failed together try together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// No jitter: the wait itself.
    #[default]
    None,
    /// Full jitter: uniform from 0 to the wait.
    Full,
    /// Equal jitter: half the wait, and uniform up to the other half.
    Equal,
    /// The wait plus a uniform time between these two.
    Add(Duration, Duration),
    /// The wait, up to this share longer or shorter.
    PlusMinus(Fraction),
    /// Decorrelated jitter: uniform from `base` to three times the wait before, at most `max`; `factor` is not used.
    Decorrelated,
}

/// The waits that get the jitter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JitterOn {
    /// Every wait gets the jitter.
    #[default]
    All,
    /// Only waits after a 429 get the jitter.
    RateLimited,
}

/// The effect of a Retry-After on the wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfterRule {
    /// The wait is at least the Retry-After.
    #[default]
    AtLeast,
    /// The wait is exactly the Retry-After, whatever the back-off says; no jitter.
    Wait,
    /// The wait is the Retry-After, grown by `factor` with each further attempt, plus the jitter.
    Scale,
    /// The wait is two to the power of the Retry-After in seconds, at most 2⁵ s; no jitter.
    Power,
    /// The Retry-After has no effect.
    Ignore,
}

fn three() -> u32 {
    3
}

fn two() -> f64 {
    2.0
}

fn second() -> Duration {
    Duration::from(Span::from_secs(1))
}

fn minute() -> Duration {
    Duration::from(Span::from_secs(60))
}

impl BuildRetry for Exponential {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        check_tries(self.tries, "tries")?;
        self.r#where.check(self.tries)?;
        if !(1.0..=100.0).contains(&self.factor) {
            let text = format!("factor is {}, and must lie between 1 and 100", self.factor);
            return Err(Refusal::new(text).at("factor"));
        }
        if let Jitter::Add(least, most) = self.jitter
            && least.span() > most.span()
        {
            return Err(Refusal::new(format!("the jitter runs from {least} down to {most}")).at("jitter"));
        }
        if self.jitter == Jitter::Decorrelated && self.retry_after == RetryAfterRule::Scale {
            let text = "a decorrelated wait grows from the wait before, so it cannot scale a Retry-After";
            return Err(Refusal::new(text).at("jitter"));
        }
        // The others get no tries at all: where there was no provider to send to, not even one was made.
        let mut tries = [0; Outcome::COUNT];
        let on = match &self.on {
            Some(list) => Some(listed(list).map_err(|r| r.at("on"))?),
            None => None,
        };
        for outcome in Outcome::ALL {
            if on.map_or(!HOPELESS.contains(outcome), |on| on.contains(outcome)) {
                tries[outcome.index()] = self.tries;
            }
        }
        let mut decided = Outcomes::NONE;
        for (i, rule) in self.tries_by.iter().enumerate() {
            let here = |r: Refusal| r.at(i).at("tries_by");
            check_tries(rule.tries, "tries").map_err(here)?;
            let these = listed(&rule.on).map_err(|r| here(r.at("on")))?;
            for outcome in Outcome::ALL {
                if these.contains(outcome) && !decided.contains(outcome) {
                    tries[outcome.index()] = rule.tries;
                }
            }
            decided = decided.and(these);
        }
        Ok(Box::new(Running {
            spec: self.clone(),
            tries,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    spec: Exponential,
    /// The number of tries that each outcome gets.
    tries: [u32; Outcome::COUNT],
}

impl Retry for Running {
    /// Decides by the latest failure; `memory` holds the last wait, for decorrelated jitter.
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, key: Key, memory: &mut u64) -> Next {
        let spec = &self.spec;
        if failed.attempts >= self.tries[failed.outcome.index()] {
            return Next::STOP;
        }
        let n = failed.attempts.saturating_sub(1);
        let backoff = grown(spec.base.span(), spec.factor, n, spec.max.span());
        let assumed = match spec.without_retry_after {
            Some(wait) if failed.outcome == Outcome::RateLimited => Some(wait.span()),
            Some(_) | None => None,
        };
        let asked = failed.retry_after.or(assumed);
        let before = Span::from_nanos(*memory);
        let after = match (asked, spec.retry_after) {
            (Some(asked), RetryAfterRule::Wait) => asked,
            (Some(asked), RetryAfterRule::Power) => Span::from_seconds_f64(libm::exp2(asked.seconds().min(5.0))),
            (Some(asked), RetryAfterRule::Scale) => {
                self.jittered(grown(asked, spec.factor, n, Span::FOREVER), before, key)
            }
            (Some(asked), RetryAfterRule::AtLeast) => self.jittered(backoff, before, key).max(asked),
            (_, _) if spec.jitter_on == JitterOn::RateLimited && failed.outcome != Outcome::RateLimited => backoff,
            (_, _) => self.jittered(backoff, before, key),
        };
        *memory = after.nanos();
        Next::Again {
            after,
            to: spec.r#where.of(failed.attempts, spec.tries),
        }
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(self.clone())
    }
}

impl Running {
    /// The value of `wait` with its jitter; `before` is the wait before it, 0 if there was none.
    fn jittered(&self, wait: Span, before: Span, key: Key) -> Span {
        let part = |whole: Span| part(whole, key);
        match self.spec.jitter {
            Jitter::None => wait,
            Jitter::Full => part(wait),
            Jitter::Equal => {
                let half = Span::from_nanos(wait.nanos() / 2);
                half + part(half)
            }
            Jitter::Add(least, most) => wait + least.span() + part(most.span() - least.span()),
            Jitter::PlusMinus(share) => {
                let share = share.get();
                scaled(wait, 1.0 - share + 2.0 * share * unit(key.draw(Purpose::Jitter)))
            }
            Jitter::Decorrelated => {
                let base = self.spec.base.span();
                let most = before.max(base).times(3);
                (base + part(most - base)).min(self.spec.max.span())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::retry::testing::{assert_uniform, decisions, hosts, refusal, rule, told};
    use crate::kernel::chance::Chance;
    use crate::kernel::time::Time;

    fn delays(json: &str, failures: &[(Outcome, Option<f64>)]) -> Vec<Option<f64>> {
        decisions(
            &mut *rule(&format!(r#"{{"exponential": {json}}}"#)),
            &hosts(1, &[]),
            failures,
            0,
        )
        .iter()
        .map(|next| match next {
            Next::Again { after, .. } => Some(after.seconds()),
            Next::GiveUp { .. } => None,
        })
        .collect()
    }

    use Outcome::{ContextExceeded, Overloaded, RateLimited, ServerError, TimeoutAttempt, Unavailable};

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_tries() {
        let spec = r#"{"tries": 5, "base": "1s", "max": "3s"}"#;
        let failures = [
            (ServerError, None),
            (TimeoutAttempt, None),
            (ServerError, None),
            (ServerError, None),
            (ServerError, None),
        ];
        assert_eq!(
            delays(spec, &failures),
            [Some(1.0), Some(2.0), Some(3.0), Some(3.0), None]
        );
    }

    #[test]
    fn retry_after_is_a_floor_a_wait_a_factor_or_nothing() {
        let seen = [(RateLimited, Some(5.0)), (RateLimited, Some(5.0)), (RateLimited, None)];
        let of = |rule: &str| {
            delays(
                &format!(r#"{{"tries": 9, "retry_after": "{rule}", "without_retry_after": "7s"}}"#),
                &seen,
            )
        };
        assert_eq!(of("at_least"), [Some(5.0), Some(5.0), Some(7.0)]);
        assert_eq!(of("wait"), [Some(5.0), Some(5.0), Some(7.0)]);
        assert_eq!(of("scale"), [Some(5.0), Some(10.0), Some(28.0)]);
        assert_eq!(of("ignore"), [Some(1.0), Some(2.0), Some(4.0)]);
    }

    #[test]
    fn a_retry_after_counts_whatever_it_comes_with() {
        let seen = [(Unavailable, Some(5.0)), (Overloaded, Some(30.0)), (Unavailable, None)];
        let spec = r#"{"tries": 9, "without_retry_after": "7s"}"#;
        assert_eq!(delays(spec, &seen), [Some(5.0), Some(30.0), Some(4.0)]);
        let ignored = r#"{"tries": 9, "retry_after": "ignore"}"#;
        assert_eq!(delays(ignored, &seen[..1]), [Some(1.0)]);
    }

    /// Every refusal of what the request is, but a conflict.
    #[test]
    fn a_4xx_is_not_tried_again_but_408_409_and_429() {
        for outcome in Outcome::ALL {
            let Some(status @ 400..) = outcome.status() else {
                continue;
            };
            let retried = delays("{}", &[(outcome, None)]) != [None];
            assert_eq!(retried, matches!(status, 408 | 409 | 429 | 500..), "{outcome:?}");
        }
    }

    /// The rule of an article on an e-commerce migration: on 429 Retry-After × 2^attempt + U(0, 1) s, otherwise
    /// 2^attempt s.
    #[test]
    fn jitter_may_be_kept_to_429s() {
        let spec = r#"{"retry_after": "scale", "jitter": {"add": ["0s", "1s"]}, "jitter_on": "rate_limited"}"#;
        let waits = delays(spec, &[(ServerError, None), (RateLimited, Some(5.0))]);
        assert_eq!(waits[0], Some(1.0));
        assert!(waits[1] > Some(10.0) && waits[1] < Some(11.0), "{waits:?}");
    }

    #[test]
    fn a_first_try_that_nobody_took_is_given_up() {
        let failed = Failed {
            attempts: 0,
            ..Failed::new(Time::ZERO, Outcome::BreakerOpen)
        };
        let fleet = Fleet::new(&[], None, Time::ZERO);
        let next = rule(r#""exponential""#).next(&failed, &fleet, Chance::new(1, 0).request(0), &mut 0);
        assert_eq!(next, Next::STOP);
    }

    #[test]
    fn what_another_try_cannot_mend_is_given_up() {
        assert_eq!(delays("{}", &[(ContextExceeded, None)]), [None]);
    }

    #[test]
    fn jitter_fills_its_bounds_evenly() {
        for (jitter, least, most) in [
            (r#""full""#, 0.0, 1.0),
            (r#""equal""#, 0.5, 1.0),
            (r#"{"add": ["100ms", "1s"]}"#, 1.1, 2.0),
            (r#"{"plus_minus": "20%"}"#, 0.8, 1.2),
            (r#""decorrelated""#, 1.0, 3.0),
        ] {
            let json = format!(r#"{{"exponential": {{"jitter": {jitter}}}}}"#);
            assert_uniform(&json, &[(ServerError, None)], least, most);
        }
    }

    /// AWS: each wait is uniform between the base and three times the wait before it, and at most the cap.
    #[test]
    fn a_decorrelated_wait_follows_from_the_wait_before() {
        let mut rule = rule(r#"{"exponential": {"jitter": "decorrelated", "tries": 9, "max": "20s"}}"#);
        let failures = [(ServerError, None); 8];
        let hosts = hosts(1, &[]);
        let (mut sum, mut count, mut capped) = (0.0, 0.0, 0);
        for id in 0..500 {
            let mut before = 1.0_f64;
            for next in decisions(&mut *rule, &hosts, &failures, id) {
                let Next::Again { after, .. } = next else {
                    panic!("{next:?}")
                };
                let wait = after.seconds();
                assert!(
                    wait >= 1.0 && wait <= (3.0 * before).min(20.0) + 1e-6,
                    "{wait} after {before}"
                );
                capped += u32::from(wait == 20.0);
                if 3.0 * before <= 20.0 {
                    sum += (wait - 1.0) / (3.0 * before - 1.0);
                    count += 1.0;
                }
                before = wait;
            }
        }
        // Four standard deviations of the mean of so many uniform draws.
        let tolerance = 4.0 * 0.2887 / f64::sqrt(count);
        assert!(
            (sum / count - 0.5).abs() < tolerance && capped > 0,
            "{} {capped}",
            sum / count
        );
    }

    #[test]
    fn any_factor_will_do() {
        let failures = [(ServerError, None); 4];
        assert_eq!(
            delays(
                r#"{"tries": 5, "base": "50ms", "factor": 1.5, "max": "150ms"}"#,
                &failures
            ),
            [Some(0.05), Some(0.075), Some(0.1125), Some(0.15)]
        );
    }

    /// The rule of an article on latency-based routing: 2^min(Retry-After, 5) seconds.
    #[test]
    fn a_retry_after_may_be_an_exponent() {
        let failures = [(RateLimited, Some(3.0)), (RateLimited, Some(60.0)), (RateLimited, None)];
        let waits = delays(r#"{"tries": 9, "retry_after": "power"}"#, &failures);
        assert_eq!(waits, [Some(8.0), Some(32.0), Some(4.0)]);
    }

    #[test]
    fn what_is_tried_again_and_how_often_can_be_listed() {
        let spec = r#"{"exponential": {"base": "1s", "factor": 1, "on": [429, "5xx"], "where": "same",
            "tries_by": [{"on": [503], "tries": 1}, {"on": [503, 429], "tries": 2}]}}"#;
        assert_eq!(
            told(spec, &[(ServerError, None), (ServerError, None), (ServerError, None)]),
            ["1s same", "1s same", "stop"]
        );
        assert_eq!(
            told(spec, &[(RateLimited, None), (RateLimited, None)]),
            ["1s same", "stop"]
        );
        assert_eq!(told(spec, &[(Outcome::Unavailable, None)]), ["stop"]);
        assert_eq!(told(spec, &[(TimeoutAttempt, None)]), ["stop"]);
    }

    #[test]
    fn a_wait_that_grows_from_the_one_before_scales_nothing() {
        let text = refusal(r#"{"exponential": {"jitter": "decorrelated", "retry_after": "scale"}}"#);
        assert!(text.starts_with("a decorrelated wait grows"), "{text}");
    }
}
