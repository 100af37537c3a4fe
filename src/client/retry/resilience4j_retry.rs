//! The retries of resilience4j (`RetryConfig`, `IntervalFunction`): 3 attempts, the first included, 500 ms between.
//!
//! With a multiplier the wait is `wait_duration` × multiplier^(n−1); with a randomisation factor f it is U(1 − f, 1 + f) times
//! that; then at most `max_wait`. resilience4j's own defaults for those, once asked for, are 1.5 and 0.5. By default it
//! retries every exception, a 400 too; `on` narrows that. Left out: an open breaker, which resilience4j retries too if the
//! retry is wrapped round the breaker.
//!
//! ```json
//! { "resilience4j_retry": { "max_attempts": 3, "multiplier": 1.5, "randomization": 0.5 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, NOTHING_TRIED, Next, Retry, check_tries, grown, listed, scaled};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::time::Span;
use crate::words::Outcomes;

/// The retry rule of resilience4j.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resilience4jRetry {
    /// The most attempts, the first included, from 1 to 100. Default: 3.
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: u32,
    /// The wait after the first failure. Default: 500ms.
    pub wait_duration: Duration,
    /// The factor by which each wait is longer than the one before, from 1 to 100. Default: 1.
    pub multiplier: f64,
    /// The largest random change of a wait, up or down, as a share of it. Default: 0.
    pub randomization: Fraction,
    /// The longest wait. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Duration>,
    /// The outcomes that are retried. Default: all failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
}

impl Default for Resilience4jRetry {
    fn default() -> Resilience4jRetry {
        Resilience4jRetry {
            max_attempts: 3,
            wait_duration: Duration::from(Span::from_millis(500)),
            multiplier: 1.0,
            randomization: Fraction::ZERO,
            max_wait: None,
            on: None,
        }
    }
}

impl BuildRetry for Resilience4jRetry {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        check_tries(self.max_attempts, "max_attempts")?;
        if !(1.0..=100.0).contains(&self.multiplier) {
            let text = format!("multiplier is {}, and must lie between 1 and 100", self.multiplier);
            return Err(Refusal::new(text).at("multiplier"));
        }
        let on = match &self.on {
            Some(list) => Some(listed(list).map_err(|r| r.at("on"))?),
            None => None,
        };
        Ok(Box::new(Running {
            attempts: self.max_attempts,
            wait: self.wait_duration.span(),
            multiplier: self.multiplier,
            random: self.randomization.get(),
            max: self.max_wait.map_or(Span::FOREVER, |d| d.span()),
            on,
        }))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    attempts: u32,
    wait: Span,
    multiplier: f64,
    random: f64,
    max: Span,
    on: Option<Outcomes>,
}

impl Retry for Running {
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, key: Key, _memory: &mut u64) -> Next {
        let worth = match self.on {
            Some(on) => on.contains(failed.outcome),
            None => failed.attempts > 0 && !NOTHING_TRIED.contains(&failed.outcome),
        };
        if !worth || failed.attempts >= self.attempts {
            return Next::STOP;
        }
        let wait = grown(
            self.wait,
            self.multiplier,
            failed.attempts.saturating_sub(1),
            Span::FOREVER,
        );
        let moved = if self.random > 0.0 {
            scaled(
                wait,
                1.0 - self.random + 2.0 * self.random * unit(key.draw(Purpose::Jitter)),
            )
        } else {
            wait
        };
        Next::anew(moved.min(self.max))
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use crate::client::retry::testing::{assert_uniform, told};
    use crate::words::Outcome::{BreakerOpen, ContextExceeded, RateLimited, ServerError};

    #[test]
    fn three_attempts_half_a_second_apart_whatever_failed() {
        let failures = [(ServerError, None), (ContextExceeded, None), (ServerError, None)];
        assert_eq!(
            told(r#""resilience4j_retry""#, &failures),
            ["0.5s anew", "0.5s anew", "stop"]
        );
        assert_eq!(told(r#""resilience4j_retry""#, &[(BreakerOpen, None)]), ["stop"]);
        let listed = r#"{"resilience4j_retry": {"on": ["5xx"]}}"#;
        assert_eq!(
            told(listed, &[(ServerError, None), (RateLimited, None)]),
            ["0.5s anew", "stop"]
        );
    }

    #[test]
    fn a_randomised_exponential_wait_is_cut_at_its_longest() {
        let spec = |more: &str| {
            format!(r#"{{"resilience4j_retry": {{"max_attempts": 9, "multiplier": 1.5, "randomization": 0.5{more}}}}}"#)
        };
        let failures = [(ServerError, None); 3];
        assert_uniform(&spec(""), &failures[..1], 0.25, 0.75);
        assert_uniform(&spec(""), &failures, 0.5625, 1.6875);
        let cut = r#"{"resilience4j_retry": {"max_attempts": 9, "multiplier": 1.5, "max_wait": "700ms"}}"#;
        assert_eq!(told(cut, &failures), ["0.5s anew", "0.7s anew", "0.7s anew"]);
    }
}
