//! The words that every part shares: what is asked of a provider, and how it can end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::time::{Span, Time};

/// One request as traffic makes it: what a client could read off it, and the number that keys its draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Which arrival of the replication this is, from 0.
    pub id: u64,
    /// Index of its class.
    pub class: u16,
    /// Who asks, counted from 0; where the traffic has no users, `id`.
    pub user: u32,
    /// Its priority: lower numbers go first.
    pub priority: u8,
    /// Input tokens.
    pub input: u32,
    /// Output tokens that the model will write if nothing stops it.
    pub output: u32,
    /// The `max_tokens` that the client sends, if it does. Never below `output`.
    pub max_output: Option<u32>,
    /// Input tokens that the provider finds in its prompt cache: 0 until it has looked.
    pub cached: u32,
}

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

/// What an attempt has used, as the provider counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens read, cached ones included.
    pub input: u32,
    /// Input tokens of these that came from the provider's prompt cache.
    pub cached: u32,
    /// Input tokens of these that were written to the prompt cache, if there is one.
    pub written: u32,
    /// Output tokens written.
    pub output: u32,
}

/// An attempt that has ended, as the client sees it.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// When it ended.
    pub now: Time,
    /// Where it went.
    pub provider: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// From sending to the first token; [`Span::FOREVER`] if none came.
    pub first_token: Span,
    /// From sending to the end.
    pub took: Span,
    /// The Retry-After that came with it.
    pub retry_after: Option<Span>,
    /// What was used and billed; nothing if it was not answered.
    pub usage: Usage,
    /// Pico-dollars billed.
    pub cost: u64,
    /// The class of its request.
    pub class: u16,
    /// Who asked, as in [`Ask::user`].
    pub user: u32,
    /// Which attempt at its request it was, from 0.
    pub attempt: u32,
    /// The client's other attempts under way there when it was sent, those of all its gateways: with several of them it takes
    /// a provider that says so.
    pub beside: u32,
    /// Whether the answer was a good one, if somebody has said so.
    pub grade: Option<bool>,
    /// What the policy keeps of its request ([`crate::routing::Call::notes`]).
    pub notes: u64,
}

impl Ended {
    /// An attempt at `provider` that ended at `now` and of which nothing else is known.
    pub const fn new(now: Time, provider: usize, outcome: Outcome) -> Ended {
        Ended {
            now,
            provider,
            outcome,
            first_token: Span::FOREVER,
            took: Span::ZERO,
            retry_after: None,
            usage: Usage {
                input: 0,
                cached: 0,
                written: 0,
                output: 0,
            },
            cost: 0,
            class: 0,
            user: 0,
            attempt: 0,
            beside: 0,
            grade: None,
            notes: 0,
        }
    }

    /// Seconds from sending to the first token, if one came.
    #[inline]
    pub fn ttft(&self) -> Option<f64> {
        (self.first_token <= self.took).then(|| self.first_token.seconds())
    }
}

/// What rate-limit headers say (`x-ratelimit-*`, `anthropic-ratelimit-*`): of the requests, and of the tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Requests.
    pub requests: Option<Left>,
    /// Tokens, of whichever kind has the least left.
    pub tokens: Option<Left>,
}

/// What is left of one quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The quota.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// Until it is whole again.
    pub reset: Span,
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
