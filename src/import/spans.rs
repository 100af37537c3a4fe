//! OpenTelemetry's spans of calls to language models, as OTLP's JSON has them: which attributes say what, and their values.
//!
//! The attributes are those of the semantic conventions for generative AI (`gen_ai.*`, 1.28 to 1.41 and their successor), with the names
//! that some had before. Spans of other operations (embeddings, tools, agents) are not calls.

use serde_json::{Map, Value};

/// The attribute that says what a span does, and what it says of calls. One without it is of a call if it has any of `gen_ai.*`.
pub const OPERATION: &str = "gen_ai.operation.name";

/// What the operations of calls are called.
pub const CALLS: &[&str] = &["chat", "text_completion", "generate_content"];

/// The attributes of the input tokens, the first of which is today's.
pub const INPUT: [&str; 2] = ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"];

/// The attributes of the output tokens.
pub const OUTPUT: [&str; 2] = ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"];

/// The attributes of the model, as it was asked for and as it answered.
pub const MODEL: [&str; 2] = ["gen_ai.request.model", "gen_ai.response.model"];

/// The time at which a span begins, in nanoseconds since 1970.
pub const STARTS: &str = "startTimeUnixNano";

/// The value of an attribute without the name of its type; 64-bit integers are texts there.
pub fn plain(value: &Value) -> Option<&Value> {
    let names = ["stringValue", "intValue", "doubleValue", "boolValue"];
    names.iter().find_map(|name| value.get(name))
}

/// A number as an attribute has it.
pub fn figure(value: &Value) -> Option<f64> {
    let int = value.get("intValue");
    let int = int.and_then(|v| v.as_f64().or_else(|| v.as_str()?.parse().ok()));
    int.or_else(|| value.get("doubleValue")?.as_f64())
}

/// Whether the code of a span's status says that it failed.
pub fn has_failed(code: &Value) -> bool {
    code == 2 || code == "STATUS_CODE_ERROR"
}

/// Whether a span with attributes of these names does something with a model.
pub fn is_named<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|name| name.starts_with("gen_ai."))
}

/// A span as a row: its attributes by name beside its own members. Whatever is a call has an operation, and of one that failed without
/// saying how long it was both lengths are 0.
pub fn row(mut span: Map<String, Value>) -> Map<String, Value> {
    let attributes = match span.remove("attributes") {
        Some(Value::Array(list)) => list,
        Some(_) | None => Vec::new(),
    };
    for attribute in &attributes {
        let Some(name) = attribute.get("key").and_then(Value::as_str) else {
            continue;
        };
        if let Some(value) = attribute.get("value").and_then(plain) {
            span.insert(name.to_owned(), value.clone());
        }
    }
    let code = span.get("status").and_then(|status| status.get("code"));
    let failed = code.is_some_and(has_failed) || span.contains_key("error.type");
    for names in [INPUT, OUTPUT] {
        let known = names.iter().find_map(|name| span.get(*name)).cloned();
        let known = known.or_else(|| failed.then(|| Value::from(0)));
        span.insert(names[0].to_owned(), known.unwrap_or(Value::Null));
    }
    let names = || attributes.iter().filter_map(|of| of.get("key")?.as_str());
    if !span.contains_key(OPERATION) {
        let what = if is_named(names()) { CALLS[0] } else { "" };
        span.insert(OPERATION.to_owned(), what.into());
    }
    span
}
