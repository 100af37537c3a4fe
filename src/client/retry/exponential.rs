//! Back-off that doubles: the wait before try n + 1 is `base × 2^(n−1)`, at most `max`, with jitter.
//!
//! One rule with a few knobs covers what the reports do:
//! R0: 3 tries, 2^attempt s between (`base` 1s). R1: on 429 Retry-After × 2^attempt + U(0, 1) s, otherwise 2^attempt s
//! (`retry_after` "scale", `jitter` add 0–1 s, `jitter_on` "rate_limited"). R2: on 429 Retry-After, 1 s if absent, on 5xx and timeouts 2^attempt s
//! (`retry_after` "wait", `without_retry_after` 1s). R3: as R1 with 5 tries and U(0.1, 1) s.
//!
//! What another try cannot mend is never tried again: context length, no provider to send to, a wait in the client given
//! up (a connection's included), and the timeout of the whole request, which also strikes during a wait between tries.
//!
//! ```json
//! { "exponential": { "tries": 3, "base": "1s", "jitter": "full", "retry_after": "at_least" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, HOPELESS, Next, Retry};
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::time::Span;
use crate::request::Outcome;
use crate::routing::Fleet;
use crate::spec::build::{Built, Refusal};
use crate::spec::units::Duration;

/// Waits that double.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The most attempts, the first included, from 1 to 100. Default: 3.
    #[serde(default = "three")]
    pub tries: u32,
    /// The wait after the first failure. Default: 1s.
    #[serde(default = "second")]
    pub base: Duration,
    /// The longest back-off, before jitter; it does not cut what Retry-After asks for. Default: 60s.
    #[serde(default = "minute")]
    pub max: Duration,
    /// Default: `none`.
    #[serde(default)]
    pub jitter: Jitter,
    /// Which waits get the jitter. Default: `all`.
    #[serde(default)]
    pub jitter_on: JitterOn,
    /// What the Retry-After of a 429 does. Default: `at_least`.
    #[serde(default)]
    pub retry_after: RetryAfterRule,
    /// What to take a 429 without Retry-After to have said. Default: nothing, so that it backs off like any failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_retry_after: Option<Duration>,
}

/// Chance in the wait, lest callers that failed together try together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// The wait itself.
    #[default]
    None,
    /// Anything from nothing to the wait.
    Full,
    /// Half the wait and anything up to the other half.
    Equal,
    /// The wait and a uniform time between these two.
    Add(Duration, Duration),
}

/// Which waits get the jitter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JitterOn {
    /// Every wait.
    #[default]
    All,
    /// Only those after a 429.
    RateLimited,
}

/// What the Retry-After of a 429 does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfterRule {
    /// The wait is at least that long.
    #[default]
    AtLeast,
    /// The wait is exactly that, whatever the back-off says; no jitter.
    Wait,
    /// The wait is that, doubled with each further attempt, and the jitter.
    Scale,
    /// Nothing.
    Ignore,
}

fn three() -> u32 {
    3
}

fn second() -> Duration {
    Duration::from(Span::from_secs(1))
}

fn minute() -> Duration {
    Duration::from(Span::from_secs(60))
}

impl BuildRetry for Exponential {
    fn build(&self) -> Built<Box<dyn Retry>> {
        if !(1..=100).contains(&self.tries) {
            return Err(Refusal::new(format!("tries is {}, and must lie between 1 and 100", self.tries)).at("tries"));
        }
        if let Jitter::Add(least, most) = self.jitter
            && least.span() > most.span()
        {
            return Err(Refusal::new(format!("the jitter runs from {least} down to {most}")).at("jitter"));
        }
        Ok(Box::new(Running { spec: self.clone() }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    spec: Exponential,
}

impl Retry for Running {
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, key: Key) -> Next {
        let spec = &self.spec;
        if HOPELESS.contains(failed.outcome) || failed.attempts >= spec.tries {
            return Next::STOP;
        }
        let doublings = 1u64 << failed.attempts.saturating_sub(1).min(62);
        let backoff = spec.base.span().times(doublings).min(spec.max.span());
        let asked = if failed.outcome == Outcome::RateLimited {
            failed.retry_after.or(spec.without_retry_after.map(|d| d.span()))
        } else {
            None
        };
        Next::anew(match (asked, spec.retry_after) {
            (Some(asked), RetryAfterRule::Wait) => asked,
            (Some(asked), RetryAfterRule::Scale) => self.jittered(asked.times(doublings), key),
            (Some(asked), RetryAfterRule::AtLeast) => self.jittered(backoff, key).max(asked),
            (_, _) if spec.jitter_on == JitterOn::RateLimited && failed.outcome != Outcome::RateLimited => backoff,
            (_, _) => self.jittered(backoff, key),
        })
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(self.clone())
    }
}

impl Running {
    fn jittered(&self, wait: Span, key: Key) -> Span {
        let part = |of: Span| Span::from_nanos((of.nanos() as f64 * unit(key.draw(Purpose::Jitter))) as u64);
        match self.spec.jitter {
            Jitter::None => wait,
            Jitter::Full => part(wait),
            Jitter::Equal => {
                let half = Span::from_nanos(wait.nanos() / 2);
                half + part(half)
            }
            Jitter::Add(least, most) => wait + least.span() + part(most.span() - least.span()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::kernel::time::Time;

    const KEY: u64 = 0;

    fn wait(rule: &mut dyn Retry, failed: &Failed, id: u64) -> Option<f64> {
        let fleet = Fleet::new(&[], None, Time::ZERO);
        match rule.next(failed, &fleet, Chance::new(1, 0).request(id)) {
            Next::Again { after, .. } => Some(after.seconds()),
            Next::GiveUp { .. } => None,
        }
    }

    fn delays(json: &str, failures: &[(Outcome, Option<u64>)]) -> Vec<Option<f64>> {
        let mut rule = serde_json::from_str::<Exponential>(json).unwrap().build().unwrap();
        let of = |(i, &(outcome, after)): (usize, &(Outcome, Option<u64>))| {
            let failed = Failed {
                attempts: i as u32 + 1,
                retry_after: after.map(Span::from_secs),
                ..Failed::new(Time::ZERO, outcome)
            };
            wait(&mut *rule, &failed, KEY)
        };
        failures.iter().enumerate().map(of).collect()
    }

    use Outcome::{ContextExceeded, RateLimited, ServerError, TimeoutAttempt};

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
        let seen = [(RateLimited, Some(5)), (RateLimited, Some(5)), (RateLimited, None)];
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

    /// R1: on 429 Retry-After × 2^attempt + U(0, 1) s, otherwise 2^attempt s.
    #[test]
    fn jitter_may_be_kept_to_429s() {
        let spec = r#"{"retry_after": "scale", "jitter": {"add": ["0s", "1s"]}, "jitter_on": "rate_limited"}"#;
        let waits = delays(spec, &[(ServerError, None), (RateLimited, Some(5))]);
        assert_eq!(waits[0], Some(1.0));
        assert!(waits[1] > Some(10.0) && waits[1] < Some(11.0), "{waits:?}");
    }

    #[test]
    fn what_another_try_cannot_mend_is_given_up() {
        assert_eq!(delays("{}", &[(ContextExceeded, None)]), [None]);
    }

    #[test]
    fn jitter_stays_within_its_bounds() {
        let rule = |json: &str| serde_json::from_str::<Exponential>(json).unwrap().build().unwrap();
        for (json, least, most) in [
            (r#"{"jitter": "full"}"#, 0.0, 1.0),
            (r#"{"jitter": "equal"}"#, 0.5, 1.0),
            (r#"{"jitter": {"add": ["100ms", "1s"]}}"#, 1.1, 2.0),
        ] {
            let mut rule = rule(json);
            let failed = Failed::new(Time::ZERO, ServerError);
            let drawn: Vec<f64> = (0..2000).filter_map(|i| wait(&mut *rule, &failed, i)).collect();
            let (low, high) = drawn
                .iter()
                .fold((f64::MAX, f64::MIN), |(l, h), &d| (l.min(d), h.max(d)));
            let width = most - least;
            assert!(low >= least && low < least + width * 0.01, "{json}: {low}");
            assert!(high <= most && high > most - width * 0.01, "{json}: {high}");
        }
    }
}
