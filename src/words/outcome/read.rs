//! Which outcome an answer or an error tells of: one reading for probes, for logs and for the mock's own answers.
//!
//! A status decides, because it is what gateways go by. The error's code and message are asked only where a status may mean
//! several outcomes (a 400 may be a context too long), and where there is no status (an error in the middle of a stream, a
//! line of a log). A 4xx without a row of its own is a bad request, any other status that is not a success a server error.
//! Left out: a refusal for want of credit under another status than 402 (OpenAI's `insufficient_quota` is a 429); retries and
//! breakers of gateways treat it as what its status says.

use super::table::{Outcome, TABLE};
use super::{Row, Statuses};

/// The outcomes that words can tell of, the more telling first: "429 … request too large" is a rate limit, "peer closed
/// connection" an answer broken off, and a bad request or a server error is what is left.
const ORDER: [Outcome; 20] = [
    Outcome::RateLimited,
    Outcome::ContextExceeded,
    Outcome::ContentFiltered,
    Outcome::Overloaded,
    Outcome::BadGateway,
    Outcome::Unavailable,
    Outcome::GatewayTimeout,
    Outcome::RequestTimeout,
    Outcome::TimeoutTotal,
    Outcome::Truncated,
    Outcome::Cancelled,
    Outcome::Unauthorized,
    Outcome::PaymentRequired,
    Outcome::Forbidden,
    Outcome::ConnectionError,
    Outcome::PayloadTooLarge,
    Outcome::Conflict,
    Outcome::NotFound,
    Outcome::Unprocessable,
    Outcome::BadRequest,
];

impl Row {
    /// Whether `text`, in lower case, has one of the words that tell of it.
    fn is_said(&self, text: &str) -> bool {
        self.words.iter().any(|word| text.contains(word))
    }

    /// Whether `kinds`, in lower case, has one of the codes that tell of it.
    fn is_coded(&self, kinds: &str) -> bool {
        self.kinds.iter().any(|kind| kinds.contains(kind))
    }

    /// Whether it has to be said that `status` means this one.
    fn may_come_with(&self, status: u16) -> bool {
        matches!(self.statuses, Statuses::Said(statuses) if statuses.contains(&status))
    }
}

/// What an answer that is not a success tells of: its status, if there is one, the `code` and `type` of its error, and the
/// error's message; whatever is not known is empty.
pub fn outcome_of(status: Option<u16>, kinds: &str, message: &str) -> Outcome {
    let (kinds, message) = (kinds.to_lowercase(), message.to_lowercase());
    let rows = || ORDER.iter().map(|o| o.row());
    let coded = || rows().find(|row| row.is_coded(&kinds)).map(|row| row.outcome);
    let told = |row: &&Row| row.is_coded(&kinds) || row.is_said(&message);
    let Some(status) = status else {
        let only_said = rows().filter(|row| matches!(row.statuses, Statuses::Said(_)));
        return coded()
            .filter(|&o| o != Outcome::BadRequest)
            .or_else(|| only_said.clone().find(told).map(|row| row.outcome))
            .or_else(coded)
            .unwrap_or(Outcome::ServerError);
    };
    if let Some(row) = rows().filter(|row| row.may_come_with(status)).find(told) {
        return row.outcome;
    }
    let by_status = TABLE
        .iter()
        .find(|row| matches!(row.statuses, Statuses::Of(statuses) if statuses.contains(&status)));
    match (by_status.map(|row| row.outcome), status) {
        (None | Some(Outcome::BadRequest), 400..500) => coded().unwrap_or(Outcome::BadRequest),
        (Some(outcome), 400..) => outcome,
        (_, _) => Outcome::ServerError,
    }
}

/// What the words of a log tell of where no status stands beside them: an error of an answer or of the client that wrote the
/// log. No words are a success. A status is known as a number of its own: the port of an address is not one.
pub fn outcome_of_words(words: &str) -> Outcome {
    if words.is_empty() {
        return Outcome::Success;
    }
    let words = words.to_lowercase();
    let numbers = || {
        words
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse().ok())
    };
    let tells = |row: &&Row| {
        let has_status = match row.statuses {
            Statuses::Of(statuses) => numbers().any(|n: u16| statuses.contains(&n)),
            Statuses::Said(_) | Statuses::Never => false,
        };
        has_status || row.is_said(&words)
    };
    let row = ORDER.iter().map(|o| o.row()).find(tells);
    row.map_or(Outcome::ServerError, |row| row.outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_can_be_told_is_looked_for_once() {
        for row in &TABLE {
            let times = ORDER.iter().filter(|o| **o == row.outcome).count();
            let told = !(row.kinds.is_empty() && row.words.is_empty()) && row.outcome != Outcome::ServerError;
            assert_eq!(times, usize::from(told), "{:?}", row.outcome);
        }
    }

    /// Each answer as the table has it is read as what it is, with its status and, in the middle of a stream, without.
    #[test]
    fn every_outcome_with_a_body_is_read_back() {
        for row in &TABLE {
            if let Some((kind, code)) = row.body {
                let kinds = format!("{} {kind}", code.unwrap_or_default());
                assert_eq!(outcome_of(row.outcome.status(), &kinds, ""), row.outcome, "{kinds}");
                assert_eq!(outcome_of(None, &kinds, ""), row.outcome, "{kinds}");
            }
        }
    }

    #[test]
    fn every_status_is_an_outcome() {
        for status in 100..=999 {
            let outcome = outcome_of(Some(status), "", "");
            let expected = match status {
                401 => Outcome::Unauthorized,
                402 => Outcome::PaymentRequired,
                403 => Outcome::Forbidden,
                404 => Outcome::NotFound,
                408 => Outcome::RequestTimeout,
                409 => Outcome::Conflict,
                413 => Outcome::PayloadTooLarge,
                422 => Outcome::Unprocessable,
                429 => Outcome::RateLimited,
                other if (400..500).contains(&other) => Outcome::BadRequest,
                502 => Outcome::BadGateway,
                503 => Outcome::Unavailable,
                504 => Outcome::GatewayTimeout,
                529 => Outcome::Overloaded,
                _ => Outcome::ServerError,
            };
            assert_eq!(outcome, expected, "{status}");
        }
    }

    /// Errors as providers word them: the code and type, and the message.
    #[test]
    fn errors_of_providers_are_known() {
        for (status, kinds, message, expected) in [
            // OpenAI.
            (
                Some(400),
                "context_length_exceeded invalid_request_error",
                "",
                Outcome::ContextExceeded,
            ),
            (
                Some(404),
                "model_not_found invalid_request_error",
                "",
                Outcome::NotFound,
            ),
            (
                Some(429),
                "insufficient_quota insufficient_quota",
                "",
                Outcome::RateLimited,
            ),
            (
                Some(400),
                "invalid_value invalid_request_error",
                "",
                Outcome::BadRequest,
            ),
            // Azure OpenAI.
            (
                Some(400),
                "content_filter",
                "the prompt triggering … content management policy",
                Outcome::ContentFiltered,
            ),
            (Some(404), "DeploymentNotFound", "", Outcome::NotFound),
            // Anthropic.
            (
                Some(400),
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000 maximum",
                Outcome::ContextExceeded,
            ),
            (Some(402), "billing_error", "", Outcome::PaymentRequired),
            (Some(403), "permission_error", "", Outcome::Forbidden),
            (Some(413), "request_too_large", "", Outcome::PayloadTooLarge),
            (None, "overloaded_error", "Overloaded", Outcome::Overloaded),
            (None, "rate_limit_error", "", Outcome::RateLimited),
            (None, "not_found_error", "", Outcome::NotFound),
            (None, "api_error", "", Outcome::ServerError),
            (None, "timeout_error", "", Outcome::GatewayTimeout),
            (None, "invalid_request_error", "", Outcome::BadRequest),
            // Gemini.
            (
                Some(400),
                "INVALID_ARGUMENT",
                "The input token count (1200000) exceeds the maximum",
                Outcome::ContextExceeded,
            ),
            (Some(429), "RESOURCE_EXHAUSTED", "", Outcome::RateLimited),
            (
                Some(503),
                "UNAVAILABLE",
                "The model is overloaded",
                Outcome::Unavailable,
            ),
            (None, "PERMISSION_DENIED", "", Outcome::Forbidden),
            // vLLM, and the text-generation-inference server.
            (
                Some(400),
                "BadRequestError",
                "This model's maximum context length is 8192 tokens",
                Outcome::ContextExceeded,
            ),
            (
                Some(422),
                "validation",
                "`inputs` tokens + `max_new_tokens` must be <= 2048",
                Outcome::ContextExceeded,
            ),
            // A status decides: a gateway would go by it.
            (Some(500), "overloaded_error", "", Outcome::ServerError),
            (Some(413), "rate_limit_exceeded", "", Outcome::PayloadTooLarge),
            (Some(451), "content_filter", "", Outcome::ContentFiltered),
            (None, "", "boom", Outcome::ServerError),
        ] {
            assert_eq!(
                outcome_of(status, kinds, message),
                expected,
                "{status:?} {kinds} {message}"
            );
        }
    }

    proptest::proptest! {
        /// Whatever an error says, its reading has an answer, and one that a status decides.
        #[test]
        fn any_error_is_read(status in 300_u16..1000, kinds in ".{0,40}", message in ".{0,80}") {
            let read = outcome_of(Some(status), &kinds, &message);
            proptest::prop_assert!(read != Outcome::Success && read.status().is_some());
            if !matches!(status, 400..500) {
                proptest::prop_assert_eq!(read, outcome_of(Some(status), "", ""));
            }
            proptest::prop_assert!(outcome_of(None, &kinds, &message).status().is_some());
            proptest::prop_assert_eq!(outcome_of_words(&message) == Outcome::Success, message.is_empty());
        }
    }

    #[test]
    fn words_of_logs_are_known() {
        for (words, expected) in [
            ("", Outcome::Success),
            ("litellm.RateLimitError: too fast", Outcome::RateLimited),
            ("Error code: 404 - {'error': …}", Outcome::NotFound),
            ("402 Client Error", Outcome::PaymentRequired),
            ("413 Request Entity Too Large", Outcome::PayloadTooLarge),
            ("HTTP 409", Outcome::Conflict),
            ("Unprocessable Entity", Outcome::Unprocessable),
            ("openai.PermissionDeniedError", Outcome::Forbidden),
            ("openai.BadRequestError", Outcome::BadRequest),
            ("asyncio.TimeoutError", Outcome::TimeoutTotal),
            (
                "('Connection aborted.', ConnectionResetError(104))",
                Outcome::ConnectionError,
            ),
            ("NullPointerException", Outcome::ServerError),
            (
                "error '500 Internal Server Error' for url 'http://127.0.0.1:15030/'",
                Outcome::ServerError,
            ),
        ] {
            assert_eq!(outcome_of_words(words), expected, "{words}");
        }
    }
}
