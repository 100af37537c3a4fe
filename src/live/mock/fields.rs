//! The fields of a request: which are heeded, which change nothing here, and which would need answers that are not words.
//!
//! An answer is words from a generator, at the times of the model. A field that only steers which words a model would choose
//! (`temperature`, `seed`) changes nothing, and the header `x-simcap-ignored` names it; with `--strict` it is refused instead. A field
//! that a client relies on for the form of the answer (a tool call that it forces, JSON that it parses) is always refused, since an answer
//! without it would fail in the client and look like a fault of the endpoint. Source: OpenAI's API reference for chat and text
//! completions, 2026.

use serde_json::{Map, Value};

use super::body::Form;
use super::problem::Problem;

/// What a field does here.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// It is read elsewhere.
    Heeded,
    /// It changes nothing here.
    Ignored,
    /// It asks for an answer in a form that there is none of here, where the function says so; else it changes nothing.
    Shapes(fn(&Value) -> bool),
}

use Effect::{Heeded, Ignored, Shapes};

/// The fields of OpenAI's chat and text completions.
const FIELDS: &[(&str, Effect)] = &[
    ("model", Heeded),
    ("messages", Heeded),
    ("prompt", Heeded),
    ("stream", Heeded),
    ("stream_options", Heeded),
    ("n", Heeded),
    ("max_tokens", Heeded),
    ("max_completion_tokens", Heeded),
    ("user", Heeded),
    ("prompt_cache_key", Heeded),
    ("safety_identifier", Ignored),
    ("prompt_cache_retention", Ignored),
    ("temperature", Ignored),
    ("top_p", Ignored),
    ("seed", Ignored),
    ("presence_penalty", Ignored),
    ("frequency_penalty", Ignored),
    ("logit_bias", Ignored),
    ("metadata", Ignored),
    ("store", Ignored),
    ("service_tier", Ignored),
    ("reasoning_effort", Ignored),
    ("verbosity", Ignored),
    ("parallel_tool_calls", Ignored),
    ("prediction", Ignored),
    ("web_search_options", Ignored),
    // No answer here contains a stop sequence but by chance.
    ("stop", Ignored),
    ("suffix", Ignored),
    ("tools", Ignored),
    ("functions", Ignored),
    ("tool_choice", Shapes(forces_a_call)),
    ("function_call", Shapes(forces_a_call)),
    ("response_format", Shapes(is_json)),
    ("logprobs", Shapes(is_asked)),
    ("top_logprobs", Shapes(is_asked)),
    ("best_of", Shapes(|value| value.as_u64() != Some(1))),
    ("echo", Shapes(is_asked)),
    ("audio", Shapes(|_| true)),
    ("modalities", Shapes(|value| *value != serde_json::json!(["text"]))),
];

/// Whether a choice of tools leaves the model no choice but to call one.
fn forces_a_call(value: &Value) -> bool {
    !matches!(value.as_str(), Some("auto" | "none"))
}

/// Whether an answer in JSON is asked for.
fn is_json(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) != Some("text")
}

/// Whether something is switched on.
fn is_asked(value: &Value) -> bool {
    *value != Value::Bool(false) && value.as_u64() != Some(0)
}

/// The names of the fields that change nothing here, in the order of the body.
///
/// # Errors
/// If a field asks for a form of answer that there is none of here; with `strict`, if any field is ignored.
pub(super) fn ignored(form: Form, fields: &Map<String, Value>, strict: bool) -> Result<Vec<String>, Problem> {
    let mut ignored = Vec::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let effect = FIELDS
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, effect)| *effect);
        match effect {
            Some(Heeded) => {}
            Some(Shapes(asks)) if asks(value) => {
                let text =
                    format!("`{name}` asks for an answer in a form that is not served here: answers are plain words");
                return Err(Problem::wrong_value(name, "unsupported_value", text));
            }
            Some(Ignored | Shapes(_)) => ignored.push(name.clone()),
            None if strict => {
                let of = match form {
                    Form::Chat => "chat",
                    Form::Text => "text",
                };
                let text = format!("`{name}` is not a field of {of} completions");
                return Err(Problem::wrong_value(name, "unknown_parameter", text));
            }
            None => ignored.push(name.clone()),
        }
    }
    match ignored.first() {
        Some(name) if strict => {
            let text = format!("`{name}` has no effect here, and the server was told to refuse what it would ignore");
            Err(Problem::wrong_value(name, "unsupported_parameter", text))
        }
        _ => Ok(ignored),
    }
}

/// The names as the value of a header: the first few, without characters that a header may not have.
pub(super) fn header(ignored: &[String]) -> Option<String> {
    const NAMED: usize = 12;
    let clean = |name: &String| -> String {
        let allowed = |c: char| {
            if c.is_ascii_alphanumeric() || "_-.".contains(c) {
                c
            } else {
                '?'
            }
        };
        name.chars().take(40).map(allowed).collect()
    };
    let mut names: Vec<String> = ignored.iter().take(NAMED).map(clean).collect();
    if ignored.len() > NAMED {
        names.push(format!("and {} more", ignored.len() - NAMED));
    }
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, strict: bool) -> Result<Vec<String>, Problem> {
        let value: Value = serde_json::from_str(text).unwrap();
        ignored(Form::Chat, value.as_object().unwrap(), strict)
    }

    #[test]
    fn what_changes_nothing_is_named_or_refused() {
        let body = r#"{"model": "m", "temperature": 0.2, "tools": [], "tool_choice": "auto", "stop": null, "own": 1}"#;
        let mut found = of(body, false).unwrap();
        found.sort();
        assert_eq!(found, ["own", "temperature", "tool_choice", "tools"]);
        assert_eq!(
            of(r#"{"model": "m", "seed": 1}"#, true).unwrap_err().code,
            Some("unsupported_parameter")
        );
        assert_eq!(
            of(r#"{"model": "m", "own": 1}"#, true).unwrap_err().code,
            Some("unknown_parameter")
        );
        assert_eq!(
            of(r#"{"model": "m", "max_tokens": 1, "stream": true}"#, true),
            Ok(vec![])
        );
    }

    #[test]
    fn a_form_of_answer_that_there_is_none_of_is_always_refused() {
        for (field, refused) in [
            (r#""tool_choice": "required""#, true),
            (
                r#""tool_choice": {"type": "function", "function": {"name": "f"}}"#,
                true,
            ),
            (r#""tool_choice": "none""#, false),
            (r#""response_format": {"type": "json_object"}"#, true),
            (r#""response_format": {"type": "text"}"#, false),
            (r#""logprobs": true"#, true),
            (r#""logprobs": false"#, false),
            (r#""top_logprobs": 0"#, false),
            (r#""modalities": ["text", "audio"]"#, true),
            (r#""best_of": 1"#, false),
        ] {
            let found = of(&format!("{{{field}}}"), false);
            assert_eq!(found.is_err(), refused, "{field}");
            if let Err(problem) = found {
                assert_eq!((problem.status, problem.code), (400, Some("unsupported_value")));
            }
        }
    }

    #[test]
    fn names_cannot_break_a_header() {
        let names = ["a\r\nset-cookie: x".to_owned(), "ok".to_owned()];
        assert_eq!(header(&names).as_deref(), Some("a??set-cookie??x, ok"));
        assert_eq!(header(&[]), None);
        let many = vec!["a".to_owned(); 15];
        assert!(header(&many).unwrap().ends_with(", and 3 more"));
    }
}
