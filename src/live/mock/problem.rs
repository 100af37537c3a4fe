//! What goes wrong, as OpenAI words it: `{"error": {"message", "type", "param", "code"}}` under a status.

use serde_json::json;

use crate::words::Outcome;

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) param: Option<String>,
    pub(super) message: String,
    /// The methods that would have been right, if it is the method that is wrong.
    pub(super) allow: Option<&'static str>,
}

impl Problem {
    /// A request that makes no sense as a whole.
    pub(super) fn bad(status: u16, message: impl Into<String>) -> Problem {
        Problem {
            status,
            kind: "invalid_request_error",
            code: None,
            param: None,
            message: message.into(),
            allow: None,
        }
    }

    /// A field that a request must have.
    pub(super) fn missing(param: &str, what: &str) -> Problem {
        Problem {
            param: Some(param.to_owned()),
            code: Some("missing_required_parameter"),
            ..Problem::bad(400, format!("`{param}` is missing: must be {what}"))
        }
    }

    /// A field of the wrong type.
    pub(super) fn wrong_type(param: &str, what: &str, found: &serde_json::Value) -> Problem {
        Problem {
            param: Some(param.to_owned()),
            code: Some("invalid_type"),
            ..Problem::bad(400, format!("`{param}` is {}: must be {what}", kind_of(found)))
        }
    }

    /// A field whose value is not served.
    pub(super) fn wrong_value(param: &str, code: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            param: Some(param.to_owned()),
            code: Some(code),
            ..Problem::bad(400, message)
        }
    }

    /// What a client sees of an attempt at `model` that ended as `outcome`, if it sees a status.
    pub(super) fn of(outcome: Outcome, model: &str, is_oversized: bool) -> Option<Problem> {
        let status = outcome.status().filter(|&status| status != 200)?;
        let problem = |kind, code, message: String| Problem {
            kind,
            code,
            ..Problem::bad(status, message)
        };
        let invalid = "invalid_request_error";
        Some(match outcome {
            Outcome::RateLimited if is_oversized => problem(
                "tokens",
                Some("rate_limit_exceeded"),
                format!("the request is larger than a quota of `{model}` ever holds: waiting does not help"),
            ),
            Outcome::RateLimited => problem(
                "requests",
                Some("rate_limit_exceeded"),
                format!("the quota of `{model}` is used up for now"),
            ),
            Outcome::ContextExceeded => Problem {
                param: Some("messages".to_owned()),
                ..problem(
                    invalid,
                    Some("context_length_exceeded"),
                    format!("input and output together do not fit the context window of `{model}`"),
                )
            },
            Outcome::ContentFiltered => problem(
                invalid,
                Some("content_filter"),
                "the request was refused for what it says".to_owned(),
            ),
            Outcome::Unauthorized => problem(invalid, Some("invalid_api_key"), "the key is not accepted".to_owned()),
            Outcome::Overloaded => problem(
                "overloaded_error",
                None,
                format!("`{model}` has more work than it can do"),
            ),
            Outcome::RequestTimeout => problem("timeout", None, format!("`{model}` waited too long for the request")),
            other => problem(
                "server_error",
                None,
                format!("`{model}` failed: {}", other.name().replace('_', " ")),
            ),
        })
    }

    /// Its body.
    pub(super) fn body(&self) -> String {
        json!({ "error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        } })
        .to_string()
    }
}

fn kind_of(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "a boolean",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a string",
        serde_json::Value::Array(_) => "an array",
        serde_json::Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_with_a_status_has_a_body_and_no_other() {
        for outcome in Outcome::ALL {
            let problem = Problem::of(outcome, "m", false);
            assert_eq!(
                problem.as_ref().map(|p| p.status),
                outcome.status().filter(|&s| s != 200),
                "{outcome:?}"
            );
            if let Some(problem) = problem {
                let body: serde_json::Value = serde_json::from_str(&problem.body()).unwrap();
                assert_eq!(body["error"]["message"], problem.message);
                assert_eq!(body["error"].as_object().unwrap().len(), 4);
            }
        }
    }
}
