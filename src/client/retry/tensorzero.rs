//! The retries of TensorZero: d + U(0, d), where d = min(1 s × 2ⁿ, `max_delay`).
//!
//! Every failure of a provider is tried again: a 400, a refused key and an input that is too long too. What its own rate limits refuse is not,
//! and in an experiment never becomes an attempt. Retry-After is not read.
//!
//! Source: tensorzero/tensorzero 7a6159a, `crates/tensorzero-core/src/utils/retries.rs` (`RetryConfig::retry_collecting_errors`, with backon's
//! exponential builder) and `crates/tensorzero-error/src/lib.rs` (`ErrorDetails::is_retryable`: all but `AllRetriesFailed` and
//! `RateLimitExceeded`). Left out: the walk through the providers of a variant inside each try, which is a policy's business.
//!
//! ```json
//! { "tensorzero": { "num_retries": 3 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, NOTHING_TRIED, Next, Retry, check_retries, grown, part};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names};
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::Span;

/// The retry rule of TensorZero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tensorzero {
    /// The retries after the first attempt, at most 99. Default: 0.
    #[schemars(range(max = 99))]
    pub num_retries: u32,
    /// The longest delay, before jitter. Default: 10s.
    pub max_delay: Duration,
}

impl Default for Tensorzero {
    fn default() -> Tensorzero {
        Tensorzero {
            num_retries: 0,
            max_delay: Duration::from(Span::from_secs(10)),
        }
    }
}

impl BuildRetry for Tensorzero {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        check_retries(self.num_retries, "num_retries")?;
        Ok(Box::new(Running {
            retries: self.num_retries,
            max: self.max_delay.span(),
        }))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    retries: u32,
    max: Span,
}

impl Retry for Running {
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, key: Key, _memory: &mut u64) -> Next {
        if NOTHING_TRIED.contains(&failed.outcome) || failed.attempts > self.retries {
            return Next::STOP;
        }
        let delay = grown(Span::from_secs(1), 2.0, failed.attempts.saturating_sub(1), self.max);
        Next::anew(delay + part(delay, key))
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use crate::client::retry::testing::{assert_uniform, told};
    use crate::words::Outcome::{self, ContextExceeded, RateLimited, ServerError};

    #[test]
    fn a_delay_doubles_up_to_10s_and_its_jitter_adds_up_to_as_much() {
        let spec = r#"{"tensorzero": {"num_retries": 9}}"#;
        let failures = [(RateLimited, Some(50.0)); 6];
        for (n, delay) in [(1, 1.0), (2, 2.0), (4, 8.0), (5, 10.0), (6, 10.0)] {
            assert_uniform(spec, &failures[..n], delay, 2.0 * delay);
        }
    }

    #[test]
    fn nothing_is_retried_unless_asked_for() {
        assert_eq!(told(r#""tensorzero""#, &[(ServerError, None)]), ["stop"]);
        let spec = r#"{"tensorzero": {"num_retries": 1}}"#;
        assert_eq!(told(spec, &[(ServerError, None); 2])[1], "stop");
    }

    /// `is_retryable` is true of every error of a provider, whatever its status.
    #[test]
    fn a_request_that_no_try_can_mend_is_tried_again_all_the_same() {
        let spec = r#"{"tensorzero": {"num_retries": 1}}"#;
        for outcome in [
            ContextExceeded,
            Outcome::Unauthorized,
            Outcome::BadRequest,
            Outcome::ContentFiltered,
        ] {
            assert_uniform(spec, &[(outcome, None)], 1.0, 2.0);
        }
        assert_eq!(told(spec, &[(Outcome::TimeoutTotal, None)]), ["stop"]);
    }
}
