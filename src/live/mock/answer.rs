//! The delivery of one answer: whole, token by token, or as a failure.
//!
//! A stream looks like OpenAI's: a chunk with the role, one for each token, one with the finish reason, one with the
//! usage if that was asked for, then `[DONE]`. A text completion has no role.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::body::{Body, Form};
use super::fields::header;
use super::fleet::Attempt;
use super::http::{Framing, head};
use super::problem::Problem;
use super::rate_headers::rate_headers;
use super::wire::{Gone, Wire};
use super::words::push_token;
use crate::kernel::time::Span;
use crate::provider::RetryAfter;
use crate::words::{Headers, Outcome};

pub(super) const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";
/// The most bytes of a stream in one write, where that much is due at once.
const MOST_AT_ONCE: usize = 64 * 1024;

/// How an answer ended, and whether the connection can be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) outcome: Outcome,
    pub(super) keeps_open: bool,
}

/// An answer that is being delivered.
#[derive(Debug)]
pub(super) struct Delivery<'a, F> {
    pub(super) wire: &'a mut Wire,
    pub(super) attempt: &'a Attempt,
    pub(super) body: &'a Body,
    pub(super) form: Form,
    pub(super) retry_after: RetryAfter,
    /// Whether headers report what is left of the quotas.
    pub(super) quota_headers: bool,
    /// Whether each token carries the time at which it was sent.
    pub(super) stamps: bool,
    pub(super) is_1_1: bool,
    pub(super) keeps_open: bool,
    /// Whether the server keeps running.
    pub(super) goes_on: F,
}

impl<F: Fn() -> bool> Delivery<'_, F> {
    /// Delivers the answer, to its end or until the caller has gone.
    pub(super) fn run(mut self) -> Delivered {
        let outcome = self.attempt.answer.outcome;
        let is_begun = matches!(outcome, Outcome::Success | Outcome::Truncated);
        // A stall: what tokens there are come, and then nothing.
        let stalls = outcome == Outcome::TimeoutAttempt && self.attempt.answer.first_token != Span::FOREVER;
        let done = match (is_begun, self.body.streams) {
            (_, true) if is_begun || stalls => self.stream(),
            (true, _) => self.whole(),
            (false, _) => self.refuse(),
        };
        match done {
            Ok(keeps_open) => Delivered { outcome, keeps_open },
            Err(Gone) => Delivered {
                outcome: Outcome::Cancelled,
                keeps_open: false,
            },
        }
    }

    fn wait(&mut self, span: Span) -> Result<(), Gone> {
        self.wire.wait(self.attempt.due(span), &self.goes_on)
    }

    /// The header fields of every response: the request's number, and the quotas.
    fn fields(&self, retry_after: Option<Span>) -> Vec<(&'static str, String)> {
        let mut fields = vec![("x-request-id", format!("req_{:016x}", self.attempt.salt))];
        let left = if self.quota_headers {
            self.attempt.headers
        } else {
            Headers::default()
        };
        fields.extend(header(&self.body.ignored).map(|names| ("x-simcap-ignored", names)));
        fields.extend(rate_headers(&left, retry_after, self.retry_after));
        fields
    }

    /// Sends an error, closes the connection without a response, or sends nothing until the caller has gone.
    fn refuse(&mut self) -> Result<bool, Gone> {
        let answer = &self.attempt.answer;
        self.wait(answer.ends)?;
        let Some(problem) = Problem::of(answer.outcome, &self.body.model, answer.oversized) else {
            return Ok(false);
        };
        let body = problem.body();
        let mut text = head(
            problem.status,
            JSON,
            Framing::Length(body.len()),
            self.keeps_open,
            &self.fields(answer.retry_after),
        );
        text.push_str(&body);
        self.wire.send(text.as_bytes())?;
        Ok(self.keeps_open)
    }

    /// Sends the whole answer at once when its last token is due; or half of it, when it breaks off.
    fn whole(&mut self) -> Result<bool, Gone> {
        let attempt = self.attempt;
        let mut content = String::new();
        (0..attempt.ask.output).for_each(|i| push_token(&mut content, attempt.salt, i));
        let choice = match self.form {
            Form::Chat => json!({
                "index": 0,
                "message": { "role": "assistant", "content": content, "refusal": null },
                "logprobs": null,
                "finish_reason": self.reason(),
            }),
            Form::Text => json!({ "index": 0, "text": content, "logprobs": null, "finish_reason": self.reason() }),
        };
        let object = match self.form {
            Form::Chat => "chat.completion",
            Form::Text => "text_completion",
        };
        let body = json!({
            "id": self.id(),
            "object": object,
            "created": seconds(),
            "model": self.body.model,
            "system_fingerprint": "simcap",
            "choices": [choice],
            "usage": self.usage(),
        })
        .to_string();
        let fields = self.fields(None);
        self.wait(attempt.answer.ends)?;
        let mut text = head(200, JSON, Framing::Length(body.len()), self.keeps_open, &fields);
        if attempt.answer.outcome == Outcome::Truncated {
            text.push_str(&body[..body.len() / 2]);
            self.wire.send(text.as_bytes())?;
            return Ok(false);
        }
        text.push_str(&body);
        self.wire.send(text.as_bytes())?;
        Ok(self.keeps_open)
    }

    /// Streams token by token. All that is due is written at once, the head with the first token.
    fn stream(&mut self) -> Result<bool, Gone> {
        let (attempt, stamps) = (self.attempt, self.stamps);
        let framing = if self.is_1_1 {
            Framing::Chunks
        } else {
            Framing::UntilClosed
        };
        let keeps_open = self.keeps_open && self.is_1_1;
        let fields = [vec![("cache-control", "no-cache".to_owned())], self.fields(None)].concat();
        let mut out = head(200, EVENTS, framing, keeps_open, &fields).into_bytes();
        let shape = self.shape();
        let tokens = attempt.tokens();
        let mut events = String::new();
        if self.form == Form::Chat {
            shape.event(
                &mut events,
                r#"{"role":"assistant","content":"","refusal":null}"#,
                "null",
                None,
            );
        }
        let mut next = 0;
        while next < tokens {
            self.wait(attempt.token(next))?;
            let now = Instant::now();
            let sent_at = stamps.then(micros);
            loop {
                events.push_str(&shape.before_token);
                push_token(&mut events, attempt.salt, next);
                shape.end_token(&mut events, sent_at);
                next += 1;
                let is_due = next < tokens && attempt.due(attempt.token(next)).is_some_and(|due| due <= now);
                if !is_due || events.len() > MOST_AT_ONCE {
                    break;
                }
            }
            if next == tokens && attempt.answer.outcome == Outcome::Success {
                break;
            }
            frame(&mut out, &mut events, framing);
            self.wire.send(&out)?;
            out.clear();
        }
        if attempt.answer.outcome != Outcome::Success {
            self.wait(attempt.answer.ends)?;
            return Ok(false);
        }
        shape.event(&mut events, shape.nothing, &format!("\"{}\"", self.reason()), None);
        if self.body.tells_usage {
            shape.usage_event(&mut events, &self.usage());
        }
        events.push_str("data: [DONE]\n\n");
        frame(&mut out, &mut events, framing);
        if framing == Framing::Chunks {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        self.wire.send(&out)?;
        Ok(keeps_open)
    }

    fn id(&self) -> String {
        match self.form {
            Form::Chat => format!("chatcmpl-{:016x}", self.attempt.salt),
            Form::Text => format!("cmpl-{:016x}", self.attempt.salt),
        }
    }

    /// The finish reason of the answer.
    fn reason(&self) -> &'static str {
        if self.attempt.is_cut { "length" } else { "stop" }
    }

    fn usage(&self) -> serde_json::Value {
        let (input, output) = (self.attempt.ask.input, self.attempt.ask.output);
        json!({
            "prompt_tokens": input,
            "completion_tokens": output,
            "total_tokens": u64::from(input) + u64::from(output),
            "prompt_tokens_details": { "cached_tokens": self.attempt.answer.cached },
            "completion_tokens_details": { "reasoning_tokens": 0 },
        })
    }

    fn shape(&self) -> Shape {
        let object = match self.form {
            Form::Chat => "chat.completion.chunk",
            Form::Text => "text_completion",
        };
        let model = json!(self.body.model);
        let start = format!(
            r#"data: {{"id":"{}","object":"{object}","created":{},"model":{model},"system_fingerprint":"simcap","#,
            self.id(),
            seconds()
        );
        // With usage at the end, every chunk before it has a null field for it (API reference, `stream_options`).
        let usage = if self.body.tells_usage { r#","usage":null"# } else { "" };
        let choice = format!(r#"{start}"choices":[{{"index":0,"#);
        let (field, before_token, after_token, nothing) = match self.form {
            Form::Chat => ("delta", format!(r#"{choice}"delta":{{"content":""#), r#""}"#, "{}"),
            Form::Text => ("text", format!(r#"{choice}"text":""#), r#"""#, r#""""#),
        };
        Shape {
            before_delta: format!(r#"{choice}"{field}":"#),
            before_token,
            after_token,
            nothing,
            usage,
            start,
        }
    }
}

/// The fields that all chunks of a stream share.
#[derive(Debug)]
struct Shape {
    start: String,
    before_delta: String,
    before_token: String,
    after_token: &'static str,
    /// An empty delta.
    nothing: &'static str,
    usage: &'static str,
}

impl Shape {
    /// Writes a chunk with this delta and this finish reason.
    fn event(&self, events: &mut String, delta: &str, reason: &str, sent_at: Option<u128>) {
        events.push_str(&self.before_delta);
        events.push_str(delta);
        self.end(events, reason, sent_at);
    }

    /// Writes what follows the text of a token.
    fn end_token(&self, events: &mut String, sent_at: Option<u128>) {
        events.push_str(self.after_token);
        self.end(events, "null", sent_at);
    }

    fn end(&self, events: &mut String, reason: &str, sent_at: Option<u128>) {
        events.push_str(r#","logprobs":null,"finish_reason":"#);
        events.push_str(reason);
        events.push_str("}]");
        events.push_str(self.usage);
        if let Some(sent_at) = sent_at {
            events.push_str(&format!(r#","simcap_sent_us":{sent_at}"#));
        }
        events.push_str("}\n\n");
    }

    /// Writes the chunk that reports the usage.
    fn usage_event(&self, events: &mut String, usage: &serde_json::Value) {
        events.push_str(&format!("{}\"choices\":[],\"usage\":{usage}}}\n\n", self.start));
    }
}

/// Moves the content of `events` to `out`, as one chunk if the framing has chunks.
fn frame(out: &mut Vec<u8>, events: &mut String, framing: Framing) {
    if framing == Framing::Chunks {
        out.extend_from_slice(format!("{:x}\r\n", events.len()).as_bytes());
        out.extend_from_slice(events.as_bytes());
        out.extend_from_slice(b"\r\n");
    } else {
        out.extend_from_slice(events.as_bytes());
    }
    events.clear();
}

/// Seconds since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Microseconds since 1970.
fn micros() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_micros())
}
