//! How a request, or one attempt at it, can end, and sets of such ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a request, or one attempt at it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// Answered in full.
    Success,
    /// Refused by the provider's rate limit (HTTP 429).
    RateLimited,
    /// The provider failed (HTTP 500, and any 5xx without a name of its own here).
    ServerError,
    /// A gateway at the provider got no good answer (HTTP 502).
    BadGateway,
    /// The provider does not serve for now (HTTP 503).
    Unavailable,
    /// A gateway at the provider got no answer in time (HTTP 504).
    GatewayTimeout,
    /// The provider has more work than it can do (HTTP 529, Anthropic's `overloaded_error`).
    Overloaded,
    /// The provider waited too long for the request (HTTP 408).
    RequestTimeout,
    /// The connection was refused or reset before there was an answer.
    ConnectionError,
    /// The answer broke off before its end.
    Truncated,
    /// Input and output do not fit the context window (HTTP 400, `context_length_exceeded`).
    ContextExceeded,
    /// Refused for what it says (HTTP 400, `content_filter`).
    ContentFiltered,
    /// The key is not accepted (HTTP 401).
    Unauthorized,
    /// No connection within the connect timeout.
    TimeoutConnect,
    /// No first token within the first-token timeout.
    TimeoutTtft,
    /// No further token within the idle timeout.
    TimeoutIdle,
    /// Not finished within the timeout of one attempt.
    TimeoutAttempt,
    /// Not finished within the timeout of the whole request, wherever it then was.
    TimeoutTotal,
    /// Nobody to send it to: every provider that the policy would take has its breaker open.
    BreakerOpen,
    /// Turned away at once by the client: its queue was full, or its throttle said no.
    Shed,
    /// Waited too long in the client for a slot, a limiter or a connection.
    QueueTimeout,
    /// Not sent, or not tried again, because a budget is spent.
    BudgetExhausted,
    /// An attempt that was called off because another copy of its request was answered first.
    Cancelled,
}

impl Outcome {
    /// Every outcome, in order of [`Outcome::index`].
    pub const ALL: [Outcome; 23] = [
        Outcome::Success,
        Outcome::RateLimited,
        Outcome::ServerError,
        Outcome::BadGateway,
        Outcome::Unavailable,
        Outcome::GatewayTimeout,
        Outcome::Overloaded,
        Outcome::RequestTimeout,
        Outcome::ConnectionError,
        Outcome::Truncated,
        Outcome::ContextExceeded,
        Outcome::ContentFiltered,
        Outcome::Unauthorized,
        Outcome::TimeoutConnect,
        Outcome::TimeoutTtft,
        Outcome::TimeoutIdle,
        Outcome::TimeoutAttempt,
        Outcome::TimeoutTotal,
        Outcome::BreakerOpen,
        Outcome::Shed,
        Outcome::QueueTimeout,
        Outcome::BudgetExhausted,
        Outcome::Cancelled,
    ];

    /// How many outcomes there are.
    pub const COUNT: usize = Outcome::ALL.len();

    /// Its place in tables of counts.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::RateLimited => "rate_limited",
            Outcome::ServerError => "server_error",
            Outcome::BadGateway => "bad_gateway",
            Outcome::Unavailable => "unavailable",
            Outcome::GatewayTimeout => "gateway_timeout",
            Outcome::Overloaded => "overloaded",
            Outcome::RequestTimeout => "request_timeout",
            Outcome::ConnectionError => "connection_error",
            Outcome::Truncated => "truncated",
            Outcome::ContextExceeded => "context_exceeded",
            Outcome::ContentFiltered => "content_filtered",
            Outcome::Unauthorized => "unauthorized",
            Outcome::TimeoutConnect => "timeout_connect",
            Outcome::TimeoutTtft => "timeout_ttft",
            Outcome::TimeoutIdle => "timeout_idle",
            Outcome::TimeoutAttempt => "timeout_attempt",
            Outcome::TimeoutTotal => "timeout_total",
            Outcome::BreakerOpen => "breaker_open",
            Outcome::Shed => "shed",
            Outcome::QueueTimeout => "queue_timeout",
            Outcome::BudgetExhausted => "budget_exhausted",
            Outcome::Cancelled => "cancelled",
        }
    }

    /// The HTTP status that it came with, if there was one.
    pub const fn status(self) -> Option<u16> {
        match self {
            Outcome::Success => Some(200),
            Outcome::RateLimited => Some(429),
            Outcome::ServerError => Some(500),
            Outcome::BadGateway => Some(502),
            Outcome::Unavailable => Some(503),
            Outcome::GatewayTimeout => Some(504),
            Outcome::Overloaded => Some(529),
            Outcome::RequestTimeout => Some(408),
            Outcome::ContextExceeded | Outcome::ContentFiltered => Some(400),
            Outcome::Unauthorized => Some(401),
            _ => None,
        }
    }

    /// Whether the provider is to blame as a breaker sees it: a 5xx or 408, a connection lost, an answer broken off, or no
    /// answer within the timeouts of an attempt. A 429 is not: it tells of the caller's quota. Nor is the timeout of the
    /// whole request, which may have been used up in the client: a breaker that is to see hangs needs a timeout of the
    /// attempt or of its first token.
    #[inline]
    pub const fn is_provider_failure(self) -> bool {
        Outcomes::PROVIDER_FAILURES.contains(self)
    }
}

/// A set of outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(u32);

impl Outcomes {
    /// None.
    pub const NONE: Outcomes = Outcomes(0);

    /// What a provider answers with a 5xx.
    pub const SERVER_ERRORS: Outcomes = Outcomes::of(&[
        Outcome::ServerError,
        Outcome::BadGateway,
        Outcome::Unavailable,
        Outcome::GatewayTimeout,
        Outcome::Overloaded,
    ]);

    /// The client's patience with one attempt is at an end.
    pub const TIMEOUTS: Outcomes = Outcomes::of(&[
        Outcome::TimeoutConnect,
        Outcome::TimeoutTtft,
        Outcome::TimeoutIdle,
        Outcome::TimeoutAttempt,
    ]);

    /// See [`Outcome::is_provider_failure`].
    pub const PROVIDER_FAILURES: Outcomes = Outcomes::SERVER_ERRORS.and(Outcomes::TIMEOUTS).and(Outcomes::of(&[
        Outcome::RequestTimeout,
        Outcome::ConnectionError,
        Outcome::Truncated,
    ]));

    /// What another try may mend: a provider's failures and its rate limit.
    pub const RETRYABLE: Outcomes = Outcomes::PROVIDER_FAILURES.and(Outcomes::of(&[Outcome::RateLimited]));

    /// The set of these.
    pub const fn of(outcomes: &[Outcome]) -> Outcomes {
        let mut bits = 0;
        let mut i = 0;
        while i < outcomes.len() {
            bits |= 1 << outcomes[i].index();
            i += 1;
        }
        Outcomes(bits)
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Outcomes) -> Outcomes {
        Outcomes(self.0 | other.0)
    }

    /// Whether `outcome` is one of them.
    #[inline]
    pub const fn contains(self, outcome: Outcome) -> bool {
        self.0 & (1 << outcome.index()) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_outcomes_agree_with_the_enum() {
        for (i, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.index(), i);
            assert_eq!(
                serde_json::to_string(&outcome).unwrap(),
                format!("\"{}\"", outcome.name())
            );
        }
    }
}
