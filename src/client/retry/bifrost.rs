//! The retries of Bifrost (maximhq/bifrost, `core/utils.go`, `docs/features/retries-and-fallbacks`): min(`initial` × 2ⁿ, `max`)
//! × U(0.8, 1.2) between tries.
//!
//! 500, 502, 503, 504, a connection that fails and a timeout: the same key again, after the back-off. 429: another key,
//! after the back-off. 401, 402 and 403: another key, at once. Anything else (400, 404, 409, 413, 422): never. A key of
//! Bifrost is a provider of the group here, and another key is the provider that the policy chooses. Left out: that a
//! key refused so is dead for the request.
//!
//! ```json
//! { "bifrost": { "max_retries": 3 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, Next, Retry, To, check_retries, grown, scaled};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names};
use crate::form::units::Duration;
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::time::Span;
use crate::words::{Outcome, Outcomes};

/// The retry rule of Bifrost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bifrost {
    /// The retries after the first attempt, at most 99. Default: 0.
    #[schemars(range(max = 99))]
    pub max_retries: u32,
    /// The first back-off. Default: 500ms.
    pub retry_backoff_initial: Duration,
    /// The longest back-off, before jitter. Default: 5s.
    pub retry_backoff_max: Duration,
}

impl Default for Bifrost {
    fn default() -> Bifrost {
        Bifrost {
            max_retries: 0,
            retry_backoff_initial: Duration::from(Span::from_millis(500)),
            retry_backoff_max: Duration::from(Span::from_secs(5)),
        }
    }
}

/// The outcomes after which the same key is tried again.
const SAME_KEY: Outcomes = Outcomes::TIMEOUTS.and(Outcomes::of(&[
    Outcome::ServerError,
    Outcome::BadGateway,
    Outcome::Unavailable,
    Outcome::GatewayTimeout,
    Outcome::ConnectionError,
]));

/// The outcomes after which another key is tried at once: this one is of no use.
const OTHER_KEY: Outcomes = Outcomes::of(&[Outcome::Unauthorized, Outcome::PaymentRequired, Outcome::Forbidden]);

impl BuildRetry for Bifrost {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        check_retries(self.max_retries, "max_retries")?;
        Ok(Box::new(Running {
            retries: self.max_retries,
            initial: self.retry_backoff_initial.span(),
            max: self.retry_backoff_max.span(),
        }))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    retries: u32,
    initial: Span,
    max: Span,
}

impl Retry for Running {
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, key: Key, _memory: &mut u64) -> Next {
        let same = SAME_KEY.contains(failed.outcome);
        let at_once = OTHER_KEY.contains(failed.outcome);
        let other = at_once || failed.outcome == Outcome::RateLimited;
        if !(same || other) || failed.attempts > self.retries {
            return Next::STOP;
        }
        let n = failed.attempts.saturating_sub(1);
        let after = if at_once {
            Span::ZERO
        } else {
            scaled(
                grown(self.initial, 2.0, n, self.max),
                0.8 + 0.4 * unit(key.draw(Purpose::Jitter)),
            )
        };
        Next::Again {
            after,
            to: if same { To::Same } else { To::Anew },
        }
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use crate::client::retry::testing::{assert_uniform, told};
    use crate::words::Outcome::{
        BadRequest, Conflict, ConnectionError, ContextExceeded, Forbidden, NotFound, Overloaded, PayloadTooLarge,
        PaymentRequired, RateLimited, ServerError, TimeoutAttempt, Unauthorized, Unprocessable,
    };

    #[test]
    fn waits_double_up_to_5s_give_or_take_a_fifth() {
        let spec = r#"{"bifrost": {"max_retries": 9}}"#;
        let failures = [(ServerError, None); 6];
        for (n, wait) in [(1, 0.5), (2, 1.0), (4, 4.0), (5, 5.0), (6, 5.0)] {
            assert_uniform(spec, &failures[..n], wait * 0.8, wait * 1.2);
        }
    }

    #[test]
    fn a_failure_stays_with_its_key_and_a_refusal_rotates() {
        let spec = r#"{"bifrost": {"max_retries": 3}}"#;
        for (outcome, ends) in [
            (ServerError, " same"),
            (ConnectionError, " same"),
            (TimeoutAttempt, " same"),
            (RateLimited, " anew"),
            (Unauthorized, "0s anew"),
            (PaymentRequired, "0s anew"),
            (Forbidden, "0s anew"),
            (BadRequest, "stop"),
            (NotFound, "stop"),
            (Conflict, "stop"),
            (PayloadTooLarge, "stop"),
            (Unprocessable, "stop"),
            (ContextExceeded, "stop"),
            (Overloaded, "stop"),
        ] {
            let words = told(spec, &[(outcome, None)]);
            assert!(words[0].ends_with(ends), "{outcome:?}: {words:?}");
        }
        assert_eq!(told(spec, &[(ServerError, None); 4])[3], "stop");
        assert_eq!(told(r#""bifrost""#, &[(ServerError, None)]), ["stop"]);
    }
}
