//! The content of a chat completion, whole or in chunks, and the outcomes that its errors mean.
//!
//! A *token-carrying* chunk has content, a refusal or a tool call that is not empty, or reasoning (`reasoning_content`
//! as DeepSeek and vLLM name it, `reasoning` as OpenRouter does). A chunk with a role alone, without choices, or with
//! usage alone carries none: five of seven mock servers send the role first, and a client that takes it for the first
//! token measures the network. A chunk is not a token: `usage` says how many there were. An `error` in place of an
//! answer is a failure, in a stream too (OpenRouter, vLLM), whatever the status was. Left out: the text of the answer.

use serde_json::Value;

use super::probe::Usage;
use crate::words::{Outcome, outcome_of};

/// The content of one JSON object of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chunk {
    /// Whether it carries content.
    pub content: bool,
    /// Whether it carries reasoning.
    pub reasoning: bool,
    /// The finish reason, if it is stated.
    pub finish: Option<String>,
    /// The token counts, if they are stated.
    pub usage: Option<Usage>,
    /// The error, if there is one.
    pub error: Option<ApiError>,
}

/// An error as an endpoint reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiError {
    /// The message for people.
    pub message: String,
    /// `code`, `type` and Gemini's `status`, in lower case, as far as it has them.
    pub kinds: String,
    /// The HTTP status, if `code` is one.
    pub status: Option<u16>,
}

/// Reads one object of an answer: a chunk of a stream, or all of it.
///
/// # Errors
/// If `json` is not a JSON object, in words.
pub fn read(json: &[u8]) -> Result<Chunk, String> {
    let value: Value = serde_json::from_slice(json).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(fields) = &value else {
        return Err("JSON, but no object".to_owned());
    };
    let mut chunk = Chunk {
        usage: fields.get("usage").and_then(usage),
        error: fields.get("error").and_then(api_error),
        ..Chunk::default()
    };
    for choice in fields.get("choices").and_then(Value::as_array).into_iter().flatten() {
        let said = |name: &str| {
            let text = |part: &str| {
                choice
                    .get(part)
                    .and_then(|part| part.get(name))
                    .is_some_and(is_something)
            };
            text("delta") || text("message")
        };
        chunk.content |= said("content") || said("refusal") || said("tool_calls");
        chunk.content |= choice.get("text").is_some_and(is_something);
        chunk.reasoning |= said("reasoning_content") || said("reasoning");
        if let Some(finish) = choice.get("finish_reason").and_then(Value::as_str) {
            chunk.finish = Some(finish.to_owned());
        }
    }
    Ok(chunk)
}

/// Whether a field is present and not empty.
fn is_something(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

fn usage(value: &Value) -> Option<Usage> {
    let count = |path: &str| Some(u32::try_from(value.pointer(path)?.as_u64()?).unwrap_or(u32::MAX));
    Some(Usage {
        input: count("/prompt_tokens")?,
        // DeepSeek reports it in a field of its own.
        cached: count("/prompt_tokens_details/cached_tokens")
            .or_else(|| count("/prompt_cache_hit_tokens"))
            .unwrap_or(0),
        output: count("/completion_tokens").unwrap_or(0),
        reasoning: count("/completion_tokens_details/reasoning_tokens").unwrap_or(0),
    })
}

/// The error in an `error` field: an object as OpenAI has it, or a bare text.
fn api_error(value: &Value) -> Option<ApiError> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(message) => Some(ApiError {
            message: message.clone(),
            ..ApiError::default()
        }),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(ApiError {
            message: text("message").to_owned(),
            kinds: format!("{} {} {}", text("code"), text("type"), text("status"))
                .trim()
                .to_lowercase(),
            status: value
                .get("code")
                .and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()))
                .and_then(|code| u16::try_from(code).ok())
                .filter(|code| (400..600).contains(code)),
        }),
    }
}

/// The error in the body of a response whose status is not 2xx: OpenAI's form, FastAPI's `detail`, or the text itself.
pub fn error_of_body(body: &[u8]) -> ApiError {
    let text = String::from_utf8_lossy(body);
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return ApiError {
            message: text.trim().to_owned(),
            ..ApiError::default()
        };
    };
    // Gemini wraps its error into a list; others send the error's fields bare.
    let value = value.get(0).unwrap_or(&value);
    let error = value.get("error").or_else(|| value.get("detail")).unwrap_or(value);
    api_error(error)
        .filter(|error| *error != ApiError::default())
        .unwrap_or_else(|| ApiError {
            message: text.trim().to_owned(),
            ..ApiError::default()
        })
}

impl ApiError {
    /// What it means: with the status that it came under, or, in place of an answer or in the middle of one, with its own.
    pub fn outcome(&self, status: Option<u16>) -> Outcome {
        outcome_of(status.or(self.status), &self.kinds, &self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(json: &str) -> Chunk {
        read(json.as_bytes()).unwrap()
    }

    #[test]
    fn only_what_is_not_empty_carries_tokens() {
        for (json, content, reasoning) in [
            (r#"{"choices":[{"delta":{"role":"assistant"}}]}"#, false, false),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
                false,
                false,
            ),
            (
                r#"{"choices":[{"delta":{"content":null,"tool_calls":[]}}]}"#,
                false,
                false,
            ),
            (r#"{"choices":[]}"#, false, false),
            ("{}", false, false),
            (r#"{"choices":[{"delta":{"content":" "}}]}"#, true, false),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, true, false),
            (r#"{"choices":[{"delta":{"refusal":"No"}}]}"#, true, false),
            (r#"{"choices":[{"delta":{"reasoning_content":"Hm"}}]}"#, false, true),
            (
                r#"{"choices":[{"delta":{"reasoning":"Hm","content":""}}]}"#,
                false,
                true,
            ),
            (r#"{"choices":[{"message":{"content":"Hi"}}]}"#, true, false),
            (r#"{"choices":[{"text":"Hi"}]}"#, true, false),
        ] {
            let found = chunk(json);
            assert_eq!((found.content, found.reasoning), (content, reasoning), "{json}");
        }
    }

    #[test]
    fn usage_is_read_as_each_provider_writes_it() {
        let usage = |json: &str| chunk(json).usage;
        let openai = r#"{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,
            "prompt_tokens_details":{"cached_tokens":16},"completion_tokens_details":{"reasoning_tokens":4}}}"#;
        let expected = Usage {
            input: 20,
            cached: 16,
            output: 9,
            reasoning: 4,
        };
        assert_eq!(usage(openai), Some(expected));
        let deepseek = r#"{"usage":{"prompt_tokens":20,"completion_tokens":9,"prompt_cache_hit_tokens":16}}"#;
        assert_eq!(
            usage(deepseek),
            Some(Usage {
                reasoning: 0,
                ..expected
            })
        );
        assert_eq!(usage(r#"{"usage":null}"#), None);
        assert_eq!(usage(r#"{"usage":{"prompt_tokens":-1}}"#), None);
        let large = usage(r#"{"usage":{"prompt_tokens":99999999999}}"#).unwrap();
        assert_eq!((large.input, large.output), (u32::MAX, 0));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(read(b"[1]"), Err("JSON, but no object".into()));
        assert!(read(b"hello").unwrap_err().starts_with("not JSON"));
        assert!(read(&[b'['; 10_000]).unwrap_err().starts_with("not JSON"));
    }

    #[test]
    fn an_error_in_a_stream_is_known_by_code_type_or_words() {
        for (json, outcome) in [
            (r#"{"error":"boom"}"#, Outcome::ServerError),
            (
                r#"{"error":{"message":"x","type":"overloaded_error"}}"#,
                Outcome::Overloaded,
            ),
            (r#"{"error":{"message":"x","code":429}}"#, Outcome::RateLimited),
            (r#"{"error":{"message":"x","code":"502"}}"#, Outcome::BadGateway),
            (r#"{"error":{"code":"rate_limit_exceeded"}}"#, Outcome::RateLimited),
            (
                r#"{"error":{"code":"context_length_exceeded","type":"x"}}"#,
                Outcome::ContextExceeded,
            ),
            (
                r#"{"error":{"message":"This model's maximum context length is 8192"}}"#,
                Outcome::ContextExceeded,
            ),
            (r#"{"error":{}}"#, Outcome::ServerError),
        ] {
            assert_eq!(chunk(json).error.unwrap().outcome(None), outcome, "{json}");
        }
        assert_eq!(chunk(r#"{"error":null}"#).error, None);
    }

    #[test]
    fn a_body_tells_what_its_status_leaves_open() {
        let body = |status, text: &str| error_of_body(text.as_bytes()).outcome(Some(status));
        for (status, text, expected) in [
            (
                400,
                r#"{"error":{"code":"content_filter","message":"no"}}"#,
                Outcome::ContentFiltered,
            ),
            (400, r#"[{"error":{"message":"bad","code":400}}]"#, Outcome::BadRequest),
            (404, r#"{"error":{"code":"model_not_found"}}"#, Outcome::NotFound),
            (404, "", Outcome::NotFound),
            (
                403,
                r#"[{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}]"#,
                Outcome::Forbidden,
            ),
            (
                422,
                r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
                Outcome::Unprocessable,
            ),
            (307, "", Outcome::ServerError),
            (418, "", Outcome::BadRequest),
            (599, "", Outcome::ServerError),
        ] {
            assert_eq!(body(status, text), expected, "{status} {text}");
        }
    }

    #[test]
    fn an_errors_words_are_found_wherever_they_stand() {
        for (body, message) in [
            (r#"{"error":{"message":"slow down"}}"#, "slow down"),
            (r#"[{"error":{"message":"slow down"}}]"#, "slow down"),
            (r#"{"detail":"slow down"}"#, "slow down"),
            (r#"{"message":"slow down"}"#, "slow down"),
            ("  slow down\n", "slow down"),
            (r#"{"other":1}"#, r#"{"other":1}"#),
        ] {
            assert_eq!(error_of_body(body.as_bytes()).message, message, "{body}");
        }
        assert_eq!(error_of_body(b"\xff").message, "\u{fffd}");
    }
}
