//! The kinds of exception by which LiteLLM's `retry_policy` and `allowed_fails_policy` tell failures apart.
//!
//! Source: `litellm/types/router.py` (`RetryPolicy`, `AllowedFailsPolicy`) and `litellm/router_utils/get_retry_from_policy.py`.

use crate::words::Outcome;

/// A kind of exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The status is 401.
    Authentication,
    /// A 408, a 504 or a timeout of the client.
    Timeout,
    /// A 429, that of `max_parallel_requests` included.
    RateLimit,
    /// An answer that the content filter refused.
    ContentPolicyViolation,
    /// A 400, a prompt that is too long included.
    BadRequest,
    /// The status is 500.
    InternalServer,
    /// The status is 503.
    ServiceUnavailable,
    /// The status is 502.
    BadGateway,
    /// The status is 404.
    NotFound,
}

impl Kind {
    /// The kind of `outcome`, if it is of one that a policy can name.
    pub(super) fn of(outcome: Outcome) -> Option<Kind> {
        match outcome {
            Outcome::Unauthorized => Some(Kind::Authentication),
            Outcome::RequestTimeout
            | Outcome::GatewayTimeout
            | Outcome::TimeoutConnect
            | Outcome::TimeoutTtft
            | Outcome::TimeoutIdle
            | Outcome::TimeoutAttempt => Some(Kind::Timeout),
            Outcome::RateLimited | Outcome::Shed => Some(Kind::RateLimit),
            Outcome::ContentFiltered => Some(Kind::ContentPolicyViolation),
            Outcome::ContextExceeded | Outcome::BadRequest => Some(Kind::BadRequest),
            Outcome::ServerError => Some(Kind::InternalServer),
            Outcome::Unavailable => Some(Kind::ServiceUnavailable),
            Outcome::BadGateway => Some(Kind::BadGateway),
            Outcome::NotFound => Some(Kind::NotFound),
            Outcome::Success
            | Outcome::Overloaded
            | Outcome::ConnectionError
            | Outcome::Truncated
            | Outcome::PaymentRequired
            | Outcome::Forbidden
            | Outcome::Conflict
            | Outcome::PayloadTooLarge
            | Outcome::Unprocessable
            | Outcome::TimeoutTotal
            | Outcome::BreakerOpen
            | Outcome::QueueTimeout
            | Outcome::BudgetExhausted
            | Outcome::Cancelled
            | Outcome::Abandoned => None,
        }
    }
}
