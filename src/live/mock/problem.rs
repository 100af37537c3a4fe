//! Error responses as OpenAI words them: `{"error": {"message", "type", "param", "code"}}` with a status.

use serde_json::json;

use crate::words::Outcome;

/// A response other than a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) param: Option<String>,
    pub(super) message: String,
    /// The allowed methods, if the method is the error.
    pub(super) allow: Option<&'static str>,
}

impl Problem {
    /// A request that is invalid as a whole.
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

    /// An error for a required field that is missing.
    pub(super) fn missing(param: &str, what: &str) -> Problem {
        Problem {
            param: Some(param.to_owned()),
            code: Some("missing_required_parameter"),
            ..Problem::bad(400, format!("`{param}` is missing: must be {what}"))
        }
    }

    /// An error for a field of the wrong type.
    pub(super) fn wrong_type(param: &str, what: &str, found: &serde_json::Value) -> Problem {
        Problem {
            param: Some(param.to_owned()),
            code: Some("invalid_type"),
            ..Problem::bad(400, format!("`{param}` is {}: must be {what}", kind_of(found)))
        }
    }

    /// An error for a field whose value is not supported.
    pub(super) fn wrong_value(param: &str, code: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            param: Some(param.to_owned()),
            code: Some(code),
            ..Problem::bad(400, message)
        }
    }

    /// The response to an attempt at `model` that ended as `outcome`, if the client sees a status.
    pub(super) fn of(outcome: Outcome, model: &str, is_oversized: bool) -> Option<Problem> {
        let status = outcome.status()?;
        let (kind, code) = outcome.row().body?;
        let message = match outcome {
            Outcome::RateLimited if is_oversized => {
                format!("the request is larger than a quota of `{model}` ever holds: waiting does not help")
            }
            Outcome::RateLimited => format!("the quota of `{model}` is used up for now"),
            Outcome::ContextExceeded => {
                format!("input and output together do not fit the context window of `{model}`")
            }
            Outcome::ContentFiltered => "the request was refused for what it says".to_owned(),
            Outcome::Unauthorized => "the key is not accepted".to_owned(),
            Outcome::PaymentRequired => "the account has nothing left to pay with".to_owned(),
            Outcome::Forbidden => format!("the key may not use `{model}`"),
            Outcome::NotFound => format!("the model `{model}` is not there"),
            Outcome::Conflict => format!("the request to `{model}` collides with another one"),
            Outcome::PayloadTooLarge => format!("the request has more bytes than `{model}` takes"),
            Outcome::Unprocessable => "a value in the request is not allowed".to_owned(),
            Outcome::BadRequest => "the request makes no sense".to_owned(),
            Outcome::Overloaded => format!("`{model}` has more work than it can do"),
            Outcome::RequestTimeout => format!("`{model}` waited too long for the request"),
            Outcome::ServerError | Outcome::BadGateway | Outcome::Unavailable | Outcome::GatewayTimeout => {
                format!("`{model}` failed: {}", outcome.name().replace('_', " "))
            }
            Outcome::Success
            | Outcome::ConnectionError
            | Outcome::Truncated
            | Outcome::TimeoutConnect
            | Outcome::TimeoutTtft
            | Outcome::TimeoutIdle
            | Outcome::TimeoutAttempt
            | Outcome::TimeoutTotal
            | Outcome::BreakerOpen
            | Outcome::Shed
            | Outcome::QueueTimeout
            | Outcome::BudgetExhausted
            | Outcome::Cancelled
            | Outcome::Abandoned => return None,
        };
        Some(Problem {
            kind: if is_oversized { "tokens" } else { kind },
            code,
            param: (outcome == Outcome::ContextExceeded).then(|| "messages".to_owned()),
            ..Problem::bad(status, message)
        })
    }

    /// The body of the response, in JSON.
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
    use crate::calibrate::answer::error_of_body;

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

    /// The probe reads every answer of the mock as what the mock meant, and so does the reader of a stream, where there is no
    /// status.
    #[test]
    fn the_probe_reads_back_what_the_mock_answers() {
        for outcome in Outcome::ALL {
            for is_oversized in [false, true] {
                let is_oversized = is_oversized && outcome == Outcome::RateLimited;
                let Some(problem) = Problem::of(outcome, "m", is_oversized) else {
                    continue;
                };
                let error = error_of_body(problem.body().as_bytes());
                assert_eq!(error.outcome(Some(problem.status)), outcome, "{problem:?}");
                assert_eq!(error.outcome(None), outcome, "{problem:?}");
            }
        }
    }
}
