//! OpenTelemetry spans of LLM calls: OTLP as JSON, whole or one export a line, with the `gen_ai.*` attributes of the semantic
//! conventions (1.28 to 1.41 and their successor, semantic-conventions-genai; spans of kind inference).
//!
//! TTFT is `gen_ai.response.time_to_first_chunk`, or what vLLM and others write before there was a convention
//! (`gen_ai.latency.time_to_first_token`, `gen_ai.server.time_to_first_token`), all in seconds: a first chunk may be empty, so
//! it can be shorter than the TTFT of other formats, which a note says. A span covers the retries of its caller. Spans of other
//! operations (embeddings, tools, agents) are passed over. A target is a provider and the requested model.

use serde::Deserialize;
use serde_json::Value;

use super::gather::{ENDPOINT, Gather, censor, observed, outcome, seen, tokens, tpot};
use super::{Format, Look, Mistake, line, lines, value};
use crate::calibrate::log::{Log, Observation, Timing};
use crate::import::spans;
use crate::stats::sorting;
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "OpenTelemetry GenAI spans (OTLP JSON)",
    is: |look| {
        let spans = |v: &Value| v.get("resourceSpans").is_some();
        look.has("resourceSpans") || look.first.as_ref().is_some_and(spans)
    },
    read,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    #[serde(default)]
    resource_spans: Vec<OfResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfResource {
    #[serde(default)]
    scope_spans: Vec<OfScope>,
}

#[derive(Deserialize)]
struct OfScope {
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    start_time_unix_nano: Value,
    end_time_unix_nano: Value,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: String,
}

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let mut gather = Gather::default();
    let exports: Vec<Export> = match look.whole {
        Some(whole) => vec![value(whole)?],
        None => lines(&look.bytes)
            .map(|(number, bytes)| line(number, bytes))
            .collect::<Result<_, _>>()?,
    };
    for span in exports
        .iter()
        .flat_map(|e| &e.resource_spans)
        .flat_map(|r| &r.scope_spans)
        .flat_map(|s| &s.spans)
    {
        take(span, &mut gather)?;
    }
    gather.note_gaps();
    Ok(("OpenTelemetry GenAI spans".to_owned(), gather.finish()))
}

fn take(span: &Span, gather: &mut Gather) -> Result<(), Mistake> {
    let attributes = sorting::map(span.attributes.iter().map(|a| (a.key.as_str(), &a.value)));
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|n| attributes.get(n)?.get("stringValue")?.as_str())
    };
    let number = |names: &[&str]| names.iter().find_map(|n| spans::figure(attributes.get(n)?));
    let operation = text(&[spans::OPERATION]).unwrap_or(spans::CALLS[0]);
    let named = spans::is_named(attributes.keys().copied());
    if !named || !spans::CALLS.contains(&operation) {
        gather.count("spans of other operations left out");
        return Ok(());
    }
    let nanos = |v: &Value, name: &str| {
        let found = v.as_u64().or_else(|| v.as_str()?.parse().ok());
        found.ok_or_else(|| Mistake::new(name, format!("{v} is not a time in nanoseconds")))
    };
    let start = nanos(&span.start_time_unix_nano, "startTimeUnixNano")?;
    let end = nanos(&span.end_time_unix_nano, "endTimeUnixNano")?;
    let failed = spans::has_failed(&span.status.code);
    let error = text(&["error.type"]).unwrap_or("");
    let words = match (failed || !error.is_empty(), error) {
        (false, _) => String::new(),
        (true, error) => format!("{error} {} failed", span.status.message),
    };
    let status = number(&["http.response.status_code"]).or_else(|| error.parse().ok());
    let ended = outcome(status.map(|s| s as u16), &words);
    let provider = text(&["gen_ai.provider.name", "gen_ai.system"]);
    let model = text(&spans::MODEL);
    let name = match (provider, model) {
        (Some(provider), Some(model)) => format!("{provider}/{model}"),
        (one, other) => one.or(other).unwrap_or(ENDPOINT).to_owned(),
    };
    let first = [
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.latency.time_to_first_token",
        "gen_ai.server.time_to_first_token",
    ];
    let ttft = seen(number(&first));
    if ttft != Timing::Unknown {
        gather.count("spans give the time to the first chunk, which may be empty");
    }
    let e2e = seen(end.checked_sub(start).map(|ns| ns as f64 / 1e9));
    let output = tokens(number(&spans::OUTPUT));
    let mut observation = Observation {
        at: Some(start as f64 / 1e9),
        unix: Some(start as f64 / 1e9),
        input: tokens(number(&spans::INPUT)),
        cached: tokens(number(&["gen_ai.usage.cache_read.input_tokens"])),
        output,
        reasoning: tokens(number(&["gen_ai.usage.reasoning.output_tokens"])),
        ttft,
        tpot: tpot(ttft, e2e, output).filter(|_| ended == Outcome::Success),
        e2e,
        ..observed(gather.target(&name)?, ended)
    };
    censor(&mut observation);
    gather.push(observation);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::words::Outcome;

    /// By opentelemetry-proto's `trace.proto` in its JSON form, and the attribute names of the conventions.
    const EXPORT: &str = r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":"x"},"spans":[
      {"traceId":"5b8e","spanId":"eee1","name":"chat gpt-4o","kind":3,
       "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712662000000000","status":{},
       "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
         {"key":"gen_ai.provider.name","value":{"stringValue":"openai"}},
         {"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},
         {"key":"gen_ai.usage.input_tokens","value":{"intValue":"100"}},
         {"key":"gen_ai.usage.output_tokens","value":{"intValue":16}},
         {"key":"gen_ai.response.time_to_first_chunk","value":{"doubleValue":0.5}}]},
      {"name":"chat gpt-4o","startTimeUnixNano":"1544712663000000000","endTimeUnixNano":"1544712664000000000",
       "attributes":[{"key":"gen_ai.provider.name","value":{"stringValue":"openai"}},
         {"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},{"key":"error.type","value":{"stringValue":"429"}}],
       "status":{"code":2,"message":"slow down"}},
      {"name":"execute_tool x","startTimeUnixNano":"1","endTimeUnixNano":"2",
       "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"execute_tool"}}]}]}]}]}"#;

    #[test]
    fn spans_of_calls_become_observations() {
        for text in [
            EXPORT.to_owned(),
            format!("{0}\n{{\"resourceSpans\":[]}}\n", EXPORT.replace('\n', "")),
        ] {
            let log = read("o.json", text.as_bytes()).unwrap();
            assert_eq!(log.targets, ["openai/gpt-4o"]);
            let [ok, refused] = &log.observations[..] else {
                panic!("{log:?}")
            };
            assert_eq!(
                (ok.ttft, ok.e2e, ok.tpot),
                (Timing::Seen(0.5), Timing::Seen(2.0), Some(0.1))
            );
            assert_eq!((ok.input, ok.output), (Some(100), Some(16)));
            assert_eq!((refused.outcome, refused.at), (Outcome::RateLimited, Some(3.0)));
            assert!(log.notes.contains(&"1 spans of other operations left out".to_owned()));
        }
    }

    #[test]
    fn a_span_without_a_time_is_refused() {
        let text = EXPORT.replace("\"1544712662000000000\"", "\"later\"");
        assert_eq!(
            read("o.json", text.as_bytes()).unwrap_err().to_string(),
            "o.json: endTimeUnixNano: \"later\" is not a time in nanoseconds"
        );
    }
}
