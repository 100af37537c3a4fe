//! The body of a request: the part of OpenAI's chat and text completions that has an effect here.
//!
//! Fields that have no effect here (`temperature`, `tools` and the like) may have any value; [`fields`] says which they are.

use serde_json::{Map, Value};

use super::fields;
use super::fleet::{MOST_OUTPUT, Wanted};
use super::problem::Problem;
use super::words;
use crate::kernel::chance::hash;

/// The number of words at the beginning of a prompt that identify its user, where nothing else does.
const BEGINNING: usize = 256;

/// The two completion interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The chat interface, `/v1/chat/completions`.
    Chat,
    /// The text interface, `/v1/completions`.
    Text,
}

/// The content of a valid body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// The name of the model.
    pub(super) model: String,
    /// Whether the answer is streamed, and whether the stream ends with the usage.
    pub(super) streams: bool,
    pub(super) tells_usage: bool,
    pub(super) wanted: Wanted,
    /// The names of the fields that have no effect here.
    pub(super) ignored: Vec<String>,
}

impl Body {
    /// Parses `bytes` as a body in `form`; `strict` refuses what has no effect here.
    ///
    /// # Errors
    /// At the first invalid field.
    pub(super) fn read(form: Form, bytes: &[u8], strict: bool) -> Result<Body, Problem> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|e| Problem::bad(400, format!("the body is not JSON: {e}")))?;
        let Value::Object(fields) = &value else {
            return Err(Problem::bad(400, "the body is not a JSON object"));
        };
        let model = match present(fields, "model") {
            None => return Err(Problem::missing("model", "the name of a model, a string")),
            Some(Value::String(name)) => name.clone(),
            Some(other) => return Err(Problem::wrong_type("model", "a string", other)),
        };
        let mut prompt = Prompt::default();
        match form {
            Form::Chat => prompt.read_messages(fields)?,
            Form::Text => prompt.read_text(fields)?,
        }
        let streams = boolean(fields, "stream")?;
        let tells_usage = match present(fields, "stream_options") {
            None => false,
            Some(Value::Object(options)) if streams => boolean(options, "include_usage")?,
            Some(Value::Object(_)) => {
                let text = "`stream_options` is only for a request with `stream`: true";
                return Err(Problem::wrong_value("stream_options", "invalid_value", text));
            }
            Some(other) => return Err(Problem::wrong_type("stream_options", "an object", other)),
        };
        if whole(fields, "n", u64::MAX)?.is_some_and(|n| n != 1) {
            let text = "`n` may only be 1: one answer to a request";
            return Err(Problem::wrong_value("n", "unsupported_value", text));
        }
        let newer = whole(fields, "max_completion_tokens", MOST_OUTPUT.into())?;
        let older = whole(fields, "max_tokens", MOST_OUTPUT.into())?;
        if newer.is_some() && older.is_some() {
            let text = "`max_tokens` beside `max_completion_tokens`: give one or the other";
            return Err(Problem::wrong_value("max_tokens", "invalid_value", text));
        }
        let ignored = fields::ignored(form, fields, strict)?;
        let named = |field| present(fields, field).and_then(Value::as_str);
        let who = match named("prompt_cache_key").or_else(|| named("user")) {
            Some(name) => stands_for(name),
            None => prompt.beginning,
        };
        Ok(Body {
            ignored,
            model,
            streams,
            tells_usage,
            wanted: Wanted {
                input: u32::try_from(prompt.tokens).unwrap_or(u32::MAX),
                max_output: newer.or(older).and_then(|most| u32::try_from(most).ok()),
                who,
            },
        })
    }
}

/// The counts that are kept of a prompt.
#[derive(Debug, Default)]
struct Prompt {
    tokens: u64,
    /// A hash of the prompt's first words.
    beginning: u64,
    words: usize,
}

impl Prompt {
    fn add(&mut self, text: &str) {
        self.tokens += words::count(text);
        for word in text.split_whitespace().take(BEGINNING - self.words) {
            self.beginning = hash(stands_for(word), self.beginning);
            self.words += 1;
        }
    }

    fn read_messages(&mut self, fields: &Map<String, Value>) -> Result<(), Problem> {
        let what = "an array of at least one message";
        let messages = match present(fields, "messages") {
            None => return Err(Problem::missing("messages", what)),
            Some(Value::Array(messages)) => messages,
            Some(other) => return Err(Problem::wrong_type("messages", what, other)),
        };
        if messages.is_empty() {
            let text = format!("`messages` is empty: must be {what}");
            return Err(Problem::wrong_value("messages", "empty_array", text));
        }
        for (i, message) in messages.iter().enumerate() {
            let at = format!("messages[{i}]");
            let Value::Object(message) = message else {
                return Err(Problem::wrong_type(&at, "an object", message));
            };
            match present(message, "role") {
                Some(Value::String(_)) => {}
                None => return Err(Problem::missing(&format!("{at}.role"), "a string")),
                Some(other) => return Err(Problem::wrong_type(&format!("{at}.role"), "a string", other)),
            }
            let at = format!("{at}.content");
            match message.get("content") {
                // An assistant's message with tool calls only.
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => self.add(text),
                Some(Value::Array(parts)) => self.read_parts(&at, parts)?,
                Some(other) => return Err(Problem::wrong_type(&at, "a string or an array of parts", other)),
            }
        }
        Ok(())
    }

    /// Reads the parts of a message; parts that are not text have no words.
    fn read_parts(&mut self, at: &str, parts: &[Value]) -> Result<(), Problem> {
        for (j, part) in parts.iter().enumerate() {
            let at = format!("{at}[{j}]");
            let Value::Object(part) = part else {
                return Err(Problem::wrong_type(&at, "an object", part));
            };
            match part.get("text") {
                Some(Value::String(text)) => self.add(text),
                None => {}
                Some(other) => return Err(Problem::wrong_type(&format!("{at}.text"), "a string", other)),
            }
        }
        Ok(())
    }

    /// Reads a prompt given as text, or as a list of token numbers.
    fn read_text(&mut self, fields: &Map<String, Value>) -> Result<(), Problem> {
        let what = "a string, an array of one string, or an array of token numbers";
        match present(fields, "prompt") {
            None => Err(Problem::missing("prompt", what)),
            Some(Value::String(text)) => {
                self.add(text);
                Ok(())
            }
            Some(Value::Array(parts)) => match &parts[..] {
                [Value::String(text)] => {
                    self.add(text);
                    Ok(())
                }
                numbers if !numbers.is_empty() && numbers.iter().all(Value::is_u64) => {
                    self.tokens += numbers.len() as u64;
                    let beginning = numbers.iter().filter_map(Value::as_u64).take(BEGINNING);
                    self.beginning = beginning.fold(0, |so_far, number| hash(number, so_far));
                    Ok(())
                }
                _ => {
                    let text = format!("`prompt` must be {what}");
                    Err(Problem::wrong_value("prompt", "unsupported_value", text))
                }
            },
            Some(other) => Err(Problem::wrong_type("prompt", what, other)),
        }
    }
}

/// A field that is present; null counts as absent.
fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn boolean(fields: &Map<String, Value>, name: &str) -> Result<bool, Problem> {
    match present(fields, name) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(other) => Err(Problem::wrong_type(name, "a boolean", other)),
    }
}

/// A whole number from 1 to `most`, if the field is present.
fn whole(fields: &Map<String, Value>, name: &str, most: u64) -> Result<Option<u64>, Problem> {
    let Some(value) = present(fields, name) else {
        return Ok(None);
    };
    let Value::Number(number) = value else {
        return Err(Problem::wrong_type(name, "a whole number", value));
    };
    match number.as_u64() {
        Some(number) if (1..=most).contains(&number) => Ok(Some(number)),
        _ if most == u64::MAX => Err(Problem::wrong_value(
            name,
            "invalid_value",
            format!("`{name}` is {number}: must be a whole number above 0"),
        )),
        _ => Err(Problem::wrong_value(
            name,
            "invalid_value",
            format!("`{name}` is {number}: must be a whole number from 1 to {most}"),
        )),
    }
}

/// A hash of `text`.
fn stands_for(text: &str) -> u64 {
    text.bytes().fold(0, |so_far, byte| hash(u64::from(byte), so_far))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(text: &str) -> Result<Body, Problem> {
        Body::read(Form::Chat, text.as_bytes(), false)
    }

    #[test]
    fn words_of_all_messages_are_the_prompt() {
        let body = chat(
            r#"{"model": "m", "temperature": 0, "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 9,
                "messages": [
                    {"role": "system", "content": "you are  terse"},
                    {"role": "user", "content": [{"type": "text", "text": "what is\nthis"},
                                                 {"type": "image_url", "image_url": {"url": "x y z"}}]},
                    {"role": "assistant", "content": null, "tool_calls": []}]}"#,
        )
        .unwrap();
        assert_eq!((body.wanted.input, body.wanted.max_output), (6, Some(9)));
        assert!(body.streams && body.tells_usage);
    }

    #[test]
    fn a_text_completion_has_a_prompt() {
        let text = |prompt: &str| {
            let body = format!(r#"{{"model": "m", "prompt": {prompt}}}"#);
            Body::read(Form::Text, body.as_bytes(), false).map(|b| b.wanted.input)
        };
        assert_eq!(text(r#""one two three""#), Ok(3));
        assert_eq!(text(r#"["one two"]"#), Ok(2));
        assert_eq!(text("[5, 6, 7, 8]"), Ok(4));
        assert_eq!(text(r#"["a", "b"]"#).unwrap_err().code, Some("unsupported_value"));
    }

    #[test]
    fn who_asks_is_who_says_so_or_whose_prompt_begins_alike() {
        let who = |fields: &str, text: &str| {
            let body = format!(r#"{{"model": "m", {fields} "messages": [{{"role": "user", "content": "{text}"}}]}}"#);
            chat(&body).unwrap().wanted.who
        };
        assert_eq!(who(r#""user": "u","#, "a"), who(r#""user": "u","#, "b"));
        assert_ne!(who(r#""user": "u","#, "a"), who(r#""user": "v","#, "a"));
        assert_ne!(who("", "a b"), who("", "b a"));
        let beginning = "w ".repeat(BEGINNING);
        assert_eq!(who("", &format!("{beginning} x")), who("", &format!("{beginning} y")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = r#""messages": [{"role": "user", "content": "x"}]"#;
        for (body, param, text) in [
            (
                "",
                None,
                "the body is not JSON: EOF while parsing a value at line 1 column 0",
            ),
            ("[]", None, "the body is not a JSON object"),
            (
                "{}",
                Some("model"),
                "`model` is missing: must be the name of a model, a string",
            ),
            (
                r#"{"model": 3}"#,
                Some("model"),
                "`model` is a number: must be a string",
            ),
            (
                r#"{"model": "m"}"#,
                Some("messages"),
                "`messages` is missing: must be an array of at least one message",
            ),
            (
                r#"{"model": "m", "messages": []}"#,
                Some("messages"),
                "`messages` is empty: must be an array of at least one message",
            ),
            (
                r#"{"model": "m", "messages": ["x"]}"#,
                Some("messages[0]"),
                "`messages[0]` is a string: must be an object",
            ),
            (
                r#"{"model": "m", "messages": [{"content": "x"}]}"#,
                Some("messages[0].role"),
                "`messages[0].role` is missing: must be a string",
            ),
            (
                r#"{"model": "m", "messages": [{"role": "user", "content": 5}]}"#,
                Some("messages[0].content"),
                "`messages[0].content` is a number: must be a string or an array of parts",
            ),
            (
                &format!(r#"{{"model": "m", {message}, "stream": "yes"}}"#),
                Some("stream"),
                "`stream` is a string: must be a boolean",
            ),
            (
                &format!(r#"{{"model": "m", {message}, "stream_options": {{}}}}"#),
                Some("stream_options"),
                "`stream_options` is only for a request with `stream`: true",
            ),
            (
                &format!(r#"{{"model": "m", {message}, "n": 2}}"#),
                Some("n"),
                "`n` may only be 1: one answer to a request",
            ),
            (
                &format!(r#"{{"model": "m", {message}, "max_tokens": 0}}"#),
                Some("max_tokens"),
                "`max_tokens` is 0: must be a whole number from 1 to 1000000",
            ),
            (
                &format!(r#"{{"model": "m", {message}, "max_tokens": 1, "max_completion_tokens": 1}}"#),
                Some("max_tokens"),
                "`max_tokens` beside `max_completion_tokens`: give one or the other",
            ),
        ] {
            let problem = chat(body).unwrap_err();
            assert_eq!(
                (problem.param.as_deref(), problem.message.as_str()),
                (param, text),
                "{body}"
            );
            assert_eq!(problem.status, 400);
        }
    }
}
