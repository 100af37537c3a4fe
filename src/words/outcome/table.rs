//! The table of outcomes: one row for each, and nothing about an outcome is written down anywhere else.
//!
//! The macro makes the enum and its rows out of the same lines, so that a row cannot be missing and a column cannot be left
//! out. The columns are those of [`Row`]. Body types and codes are those of OpenAI, Azure OpenAI, Anthropic, Gemini
//! (`status`), DeepSeek and OpenRouter as their references of 2026 list them; the words are those of messages that have no
//! code, and of the errors that load generators and client libraries log.
//! Left out: what single products make of an outcome (LiteLLM's cooldown, Bifrost's key rotation); that is theirs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Statuses::{Never, Of, Said};
use super::{Blame, Row, Seen};

macro_rules! outcomes {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal { $($column:ident: $value:expr,)+ })+) => {
        /// How a request, or one attempt at it, ended.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum Outcome {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Outcome {
            /// Every outcome, in order of [`Outcome::index`].
            pub const ALL: [Outcome; Outcome::COUNT] = [$(Outcome::$variant),+];

            /// How many outcomes there are.
            pub const COUNT: usize = [$(Outcome::$variant),+].len();
        }

        /// The rows, in order of [`Outcome::index`].
        pub(super) static TABLE: [Row; Outcome::COUNT] = [$(Row {
            outcome: Outcome::$variant,
            name: $name,
            doc: concat!($($doc),+),
            $($column: $value,)+
        }),+];
    };
}

outcomes! {
    /// Answered in full.
    Success "success" {
        statuses: Of(&[200]), body: None, kinds: &[], words: &[],
        blame: Blame::None, retryable: false, seen: Seen::Success, fault: None, endless: false,
    }
    /// Refused by the provider's rate limit (HTTP 429).
    RateLimited "rate_limited" {
        statuses: Of(&[429]), body: Some(("requests", Some("rate_limit_exceeded"))),
        kinds: &["rate_limit", "insufficient_quota", "too_many_requests", "resource_exhausted", "throttling"],
        words: &["rate limit", "ratelimit", "rate_limit", "too many requests"],
        blame: Blame::Caller, retryable: true, seen: Seen::RateLimit, fault: Some("rate_limited"), endless: true,
    }
    /// The provider failed (HTTP 500, and any 5xx without a name of its own here).
    ServerError "server_error" {
        statuses: Of(&[500]), body: Some(("server_error", None)),
        kinds: &["server_error", "api_error", "internal"], words: &[],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("server_error"), endless: true,
    }
    /// A gateway at the provider got no good answer (HTTP 502).
    BadGateway "bad_gateway" {
        statuses: Of(&[502]), body: Some(("server_error", Some("bad_gateway"))),
        kinds: &["bad_gateway"], words: &["bad gateway"],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("bad_gateway"), endless: true,
    }
    /// The provider does not serve for now (HTTP 503).
    Unavailable "unavailable" {
        statuses: Of(&[503]), body: Some(("server_error", Some("service_unavailable"))),
        kinds: &["unavailable"], words: &["unavailable"],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("unavailable"), endless: true,
    }
    /// A gateway at the provider got no answer in time (HTTP 504).
    GatewayTimeout "gateway_timeout" {
        statuses: Of(&[504]), body: Some(("server_error", Some("gateway_timeout"))),
        kinds: &["gateway_timeout", "timeout_error", "deadline_exceeded"],
        words: &["gateway timeout", "gateway time-out"],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("gateway_timeout"), endless: true,
    }
    /// The provider has more work than it can do (HTTP 529, Anthropic's `overloaded_error`).
    Overloaded "overloaded" {
        statuses: Of(&[529]), body: Some(("overloaded_error", None)),
        kinds: &["overloaded"], words: &["overloaded"],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("overloaded"), endless: true,
    }
    /// The provider waited too long for the request (HTTP 408).
    RequestTimeout "request_timeout" {
        statuses: Of(&[408]), body: Some(("timeout", Some("request_timeout"))),
        kinds: &["request_timeout"], words: &[],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("request_timeout"), endless: true,
    }
    /// The connection was refused or reset before there was an answer.
    ConnectionError "connection_error" {
        statuses: Never, body: None, kinds: &[],
        words: &["connect", "reset", "refused", "broken pipe", "dns"],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("connection_error"), endless: true,
    }
    /// The answer broke off before its end.
    Truncated "truncated" {
        statuses: Never, body: None, kinds: &[],
        words: &["truncated", "payload is not completed", "incompleteread", "peer closed"],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("truncated"), endless: true,
    }
    /// Input and output do not fit the context window (HTTP 400, `context_length_exceeded`).
    ContextExceeded "context_exceeded" {
        statuses: Said(&[400, 413, 422]), body: Some(("invalid_request_error", Some("context_length_exceeded"))),
        kinds: &["context_length", "context_window"],
        words: &[
            "context_length", "context length", "maximum context", "contextwindow", "prompt is too long",
            "input token count", "`max_new_tokens` must be",
        ],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: None, endless: false,
    }
    /// Refused for what it says (HTTP 400, `content_filter`).
    ContentFiltered "content_filtered" {
        statuses: Said(&[400]), body: Some(("invalid_request_error", Some("content_filter"))),
        kinds: &["content_filter", "content_policy", "responsibleaipolicyviolation"],
        words: &["content_filter", "content filter", "content_policy", "contentpolicy", "content management policy"],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: Some("content_filtered"), endless: false,
    }
    /// The key is not accepted (HTTP 401).
    Unauthorized "unauthorized" {
        statuses: Of(&[401]), body: Some(("invalid_request_error", Some("invalid_api_key"))),
        kinds: &["invalid_api_key", "authentication", "unauthenticated", "unauthorized"],
        words: &["unauthorized", "authentication"],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: Some("unauthorized"), endless: true,
    }
    /// The account has nothing left to pay with (HTTP 402, Anthropic's `billing_error`).
    PaymentRequired "payment_required" {
        statuses: Of(&[402]), body: Some(("billing_error", Some("payment_required"))),
        kinds: &["billing_error", "payment_required", "insufficient_credits", "insufficient_balance"],
        words: &["payment required", "insufficient balance", "insufficient credits"],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: Some("payment_required"), endless: true,
    }
    /// The key may not do this (HTTP 403, `permission_error`).
    Forbidden "forbidden" {
        statuses: Of(&[403]), body: Some(("permission_error", Some("forbidden"))),
        kinds: &["permission", "forbidden", "unsupported_country"], words: &["forbidden", "permission"],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: Some("forbidden"), endless: true,
    }
    /// There is no such model or path (HTTP 404, `model_not_found`).
    NotFound "not_found" {
        statuses: Of(&[404]), body: Some(("invalid_request_error", Some("model_not_found"))),
        kinds: &["not_found", "notfound"], words: &["not found", "notfounderror"],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: Some("not_found"), endless: true,
    }
    /// The request collides with another one, as where a lock is not had in time (HTTP 409).
    Conflict "conflict" {
        statuses: Of(&[409]), body: Some(("invalid_request_error", Some("conflict"))),
        kinds: &["conflict", "already_exists", "aborted"], words: &["conflicterror"],
        blame: Blame::Caller, retryable: true, seen: Seen::Refusal, fault: Some("conflict"), endless: true,
    }
    /// The request has more bytes than the provider takes (HTTP 413, Anthropic's `request_too_large`).
    PayloadTooLarge "payload_too_large" {
        statuses: Of(&[413]), body: Some(("invalid_request_error", Some("request_too_large"))),
        kinds: &["request_too_large", "payload_too_large", "entity_too_large"],
        words: &["payload too large", "request too large", "entity too large", "content too large"],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: Some("payload_too_large"), endless: false,
    }
    /// The request is well formed, and a value in it is not allowed (HTTP 422).
    Unprocessable "unprocessable" {
        statuses: Of(&[422]), body: Some(("invalid_request_error", Some("unprocessable_entity"))),
        kinds: &["unprocessable"], words: &["unprocessable"],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: Some("unprocessable"), endless: false,
    }
    /// The provider cannot make sense of the request (HTTP 400, and any 4xx without a name of its own here).
    BadRequest "bad_request" {
        statuses: Of(&[400]), body: Some(("invalid_request_error", None)),
        kinds: &["invalid_request", "bad_request", "badrequest", "invalid_argument", "failed_precondition"],
        words: &["bad request", "badrequest", "invalid_request"],
        blame: Blame::Caller, retryable: false, seen: Seen::Refusal, fault: Some("bad_request"), endless: false,
    }
    /// No connection within the connect timeout.
    TimeoutConnect "timeout_connect" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("hang"), endless: true,
    }
    /// No first token within the first-token timeout.
    TimeoutTtft "timeout_ttft" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("hang"), endless: true,
    }
    /// No further token within the idle timeout.
    TimeoutIdle "timeout_idle" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("stalled"), endless: true,
    }
    /// Not finished within the timeout of one attempt.
    TimeoutAttempt "timeout_attempt" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Provider, retryable: true, seen: Seen::Failure, fault: Some("hang"), endless: true,
    }
    /// Not finished within the timeout of the whole request, wherever it then was.
    TimeoutTotal "timeout_total" {
        statuses: Never, body: None, kinds: &[], words: &["timeout", "timed out", "deadline"],
        blame: Blame::Client, retryable: false, seen: Seen::Nothing, fault: Some("hang"), endless: true,
    }
    /// No provider to send it to: every provider that the policy would take has its breaker open.
    BreakerOpen "breaker_open" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Client, retryable: false, seen: Seen::Nothing, fault: None, endless: true,
    }
    /// Turned away at once by the client: its queue was full, or its throttle said no.
    Shed "shed" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Client, retryable: false, seen: Seen::Nothing, fault: None, endless: true,
    }
    /// Waited too long in the client for a slot, a limiter or a connection.
    QueueTimeout "queue_timeout" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Client, retryable: false, seen: Seen::Nothing, fault: None, endless: true,
    }
    /// Not sent, or not tried again, because a budget is spent.
    BudgetExhausted "budget_exhausted" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Client, retryable: false, seen: Seen::Nothing, fault: None, endless: true,
    }
    /// An attempt that was called off because another copy of its request was answered first.
    Cancelled "cancelled" {
        statuses: Never, body: None, kinds: &[], words: &["cancel", "incomplete"],
        blame: Blame::None, retryable: false, seen: Seen::Nothing, fault: None, endless: false,
    }
    /// A request that its user called off, whose patience was over before an answer began.
    Abandoned "abandoned" {
        statuses: Never, body: None, kinds: &[], words: &[],
        blame: Blame::Client, retryable: false, seen: Seen::Nothing, fault: None, endless: true,
    }
}
