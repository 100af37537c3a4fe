//! The retries of OpenAI's and Anthropic's Python SDKs (openai-python, `_base_client.py`: `_should_retry`,
//! `_calculate_retry_timeout`; `_constants.py`): 2 retries, on 408, 409, 429, 5xx, a connection that fails and no answer
//! in time.
//!
//! The wait is Retry-After if it lies in (0, 60] s, as it is; otherwise min(0.5 × 2ⁿ, 8) s × (1 − 0.25 × U(0, 1)). An answer
//! that has begun to stream is not retried. Left out: the header `x-should-retry`.
//!
//! ```json
//! { "openai_sdk": { "max_retries": 2 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, Next, Retry, check_retries, grown, scaled};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names};
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::time::Span;
use crate::words::{Outcome, Outcomes};

/// The retry rule of OpenAI's and Anthropic's Python SDKs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpenaiSdk {
    /// The retries after the first attempt, at most 99. Default: 2.
    #[schemars(range(max = 99))]
    pub max_retries: u32,
}

impl Default for OpenaiSdk {
    fn default() -> OpenaiSdk {
        OpenaiSdk { max_retries: 2 }
    }
}

const RETRIED: Outcomes = Outcomes::SERVER_ERRORS.and(Outcomes::of(&[
    Outcome::RequestTimeout,
    Outcome::Conflict,
    Outcome::RateLimited,
    Outcome::ConnectionError,
    Outcome::TimeoutConnect,
    Outcome::TimeoutTtft,
    Outcome::TimeoutAttempt,
]));

const FIRST: Span = Span::from_millis(500);
const LONGEST: Span = Span::from_secs(8);
/// The longest Retry-After that is heeded.
const HEEDED: Span = Span::from_secs(60);

impl BuildRetry for OpenaiSdk {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        check_retries(self.max_retries, "max_retries")?;
        Ok(Box::new(Running {
            retries: self.max_retries,
        }))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    retries: u32,
}

impl Retry for Running {
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, key: Key, _memory: &mut u64) -> Next {
        if !RETRIED.contains(failed.outcome) || failed.attempts > self.retries {
            return Next::STOP;
        }
        Next::anew(match failed.retry_after {
            Some(asked) if asked > Span::ZERO && asked <= HEEDED => asked,
            _ => scaled(
                grown(FIRST, 2.0, failed.attempts.saturating_sub(1), LONGEST),
                1.0 - 0.25 * unit(key.draw(Purpose::Jitter)),
            ),
        })
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use crate::client::retry::testing::{assert_uniform, told};
    use crate::words::Outcome::{
        self, ContextExceeded, RateLimited, ServerError, TimeoutIdle, Unauthorized, Unavailable,
    };

    #[test]
    fn waits_double_from_half_a_second_to_eight_less_up_to_a_quarter() {
        let spec = r#"{"openai_sdk": {"max_retries": 9}}"#;
        let failures = [(ServerError, None); 6];
        for (n, wait) in [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (6, 8.0)] {
            assert_uniform(spec, &failures[..n], 0.75 * wait, wait);
        }
    }

    #[test]
    fn a_retry_after_up_to_a_minute_is_taken_as_it_is() {
        let asked = |s: f64| told(r#""openai_sdk""#, &[(RateLimited, Some(s))]).remove(0);
        assert_eq!(
            [asked(7.0), asked(60.0), asked(0.2)],
            ["7s anew", "60s anew", "0.2s anew"]
        );
        for ignored in [0.0, 61.0] {
            assert_uniform(r#""openai_sdk""#, &[(RateLimited, Some(ignored))], 0.375, 0.5);
        }
    }

    /// `_should_retry`: 408, 409, 429 and 5xx.
    #[test]
    fn a_status_is_retried_as_the_sdk_says() {
        for outcome in Outcome::ALL {
            let Some(status @ 400..) = outcome.status() else {
                continue;
            };
            let retried = told(r#""openai_sdk""#, &[(outcome, None)]) != ["stop"];
            assert_eq!(retried, matches!(status, 408 | 409 | 429 | 500..), "{outcome:?}");
        }
    }

    /// Whatever it comes with: the SDK reads the header of any response.
    #[test]
    fn a_503s_retry_after_is_heeded_too() {
        assert_eq!(told(r#""openai_sdk""#, &[(Unavailable, Some(7.0))]), ["7s anew"]);
    }

    #[test]
    fn two_retries_and_none_of_what_they_cannot_mend() {
        assert_eq!(told(r#""openai_sdk""#, &[(ServerError, None); 3])[2], "stop");
        for outcome in [ContextExceeded, Unauthorized, TimeoutIdle] {
            assert_eq!(told(r#""openai_sdk""#, &[(outcome, None)]), ["stop"], "{outcome:?}");
        }
    }
}
