//! The words that every part shares: what is asked of a provider, and how it can end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One request as traffic makes it: what a client could read off it, and the number that keys its draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Which arrival of the replication this is, from 0.
    pub id: u64,
    /// Index of its class.
    pub class: u16,
    /// Its priority: lower numbers go first.
    pub priority: u8,
    /// Input tokens.
    pub input: u32,
    /// Output tokens that the model will write if nothing stops it.
    pub output: u32,
    /// The `max_tokens` that the client sends, if it does. Never below `output`.
    pub max_output: Option<u32>,
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
    /// Failed at the provider (HTTP 5xx).
    ServerError,
    /// Input and output do not fit the context window (HTTP 400, `context_length_exceeded`).
    ContextExceeded,
    /// No first token within the first-token timeout.
    TimeoutTtft,
    /// Not finished within the timeout of one attempt.
    TimeoutAttempt,
    /// Not finished within the timeout of the whole request, wherever it then was.
    TimeoutTotal,
    /// Nobody to send it to: every provider that the policy would take has its breaker open.
    BreakerOpen,
    /// Turned away at once because the client's queue was full.
    Shed,
    /// Waited too long in the client for a slot, a limiter or a connection.
    QueueTimeout,
}

impl Outcome {
    /// Every outcome, in order of [`Outcome::index`].
    pub const ALL: [Outcome; 10] = [
        Outcome::Success,
        Outcome::RateLimited,
        Outcome::ServerError,
        Outcome::ContextExceeded,
        Outcome::TimeoutTtft,
        Outcome::TimeoutAttempt,
        Outcome::TimeoutTotal,
        Outcome::BreakerOpen,
        Outcome::Shed,
        Outcome::QueueTimeout,
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
            Outcome::ContextExceeded => "context_exceeded",
            Outcome::TimeoutTtft => "timeout_ttft",
            Outcome::TimeoutAttempt => "timeout_attempt",
            Outcome::TimeoutTotal => "timeout_total",
            Outcome::BreakerOpen => "breaker_open",
            Outcome::Shed => "shed",
            Outcome::QueueTimeout => "queue_timeout",
        }
    }

    /// Whether the provider is to blame as a breaker sees it: a server error, or no answer within the timeouts of an
    /// attempt. A 429 is not: it tells of the caller's quota. Nor is the timeout of the whole request, which may have been
    /// used up in the client: a breaker that is to see hangs needs a timeout of the attempt or of its first token.
    #[inline]
    pub const fn is_provider_failure(self) -> bool {
        matches!(
            self,
            Outcome::ServerError | Outcome::TimeoutTtft | Outcome::TimeoutAttempt
        )
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
