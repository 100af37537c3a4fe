//! Langfuse's observations: what its public interface lists (`/api/public/observations`), as a page, a list or lines, or the same columns as CSV.
//!
//! TTFT is `completionStartTime` − `startTime`, which only streamed answers have. Input and output are `usageDetails`, whose parts of a prompt cache,
//! of reasoning and of audio are not within them, or `usage` of older versions. An observation of the level ERROR failed, by what its `statusMessage`
//! says. Others than generations (spans, events, tools) are passed over. A target is a `model`. What the caller did between its start and the
//! request is part of every figure, its retries too.

use serde_json::Value;

use super::gather::{ENDPOINT, Gather, outcome};
use super::rows::{Row, Timed, has, missing, number, rows, time};
use super::{Format, Look, Mistake};
use crate::calibrate::log::Log;
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "Langfuse observations (JSON, JSON lines or CSV)",
    is: |look| has(look, &NAMES),
    read,
};

/// The columns by which it is known.
const NAMES: [&str; 3] = ["traceId", "type", "startTime"];

/// How the parts of `usageDetails` are called that `input`, and `output`, do not count.
const PARTS: [&str; 2] = ["input_", "output_"];

/// Parts of the input whose names begin otherwise, as Anthropic's usage has them.
const OF_CACHE: [&str; 2] = ["cache_read_input_tokens", "cache_creation_input_tokens"];

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let mut gather = Gather::default();
    missing(&look, "Langfuse's observations")
        .into_iter()
        .for_each(|said| gather.note(said));
    for (place, row) in rows(look, &NAMES)? {
        if row.get("type").is_some_and(|of| of == "GENERATION") {
            take(&place, &row, &mut gather)?;
        } else {
            gather.count("observations that are not of a model (spans, events, tools) left out");
        }
    }
    gather.note_gaps();
    Ok(("Langfuse observations".to_owned(), gather.finish()))
}

/// The input and the output tokens of a row.
fn usage(row: &Row) -> [Option<f64>; 2] {
    let object = |name: &str| row.get(name).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let details = object("usageDetails").unwrap_or_default();
    let before = object("usage").unwrap_or_default();
    [
        ("input", PARTS[0], &OF_CACHE[..], "promptTokens"),
        ("output", PARTS[1], &[], "completionTokens"),
    ]
    .map(|(name, part, more, flat)| {
        let own = details.get(name).and_then(Value::as_f64);
        let own = own.or_else(|| before.get(name).and_then(Value::as_f64));
        let own = own.or_else(|| number(row, flat))?;
        let is_more = |key: &str| key.starts_with(part) || more.contains(&key);
        let members = details.as_object().into_iter().flatten();
        let beside: f64 = members
            .filter(|(key, _)| is_more(key))
            .filter_map(|(_, value)| value.as_f64())
            .sum();
        Some(own + beside)
    })
}

fn take(place: &str, row: &Row, gather: &mut Gather) -> Result<(), Mistake> {
    let Some(start) = time(place, row, "startTime")? else {
        return Err(Mistake::new(format!("{place}, startTime"), "missing"));
    };
    let (first, end) = (time(place, row, "completionStartTime")?, time(place, row, "endTime")?);
    let words = row.get("statusMessage").map_or("error", String::as_str);
    let ended = match row.get("level").map(String::as_str) {
        Some("ERROR") => outcome(None, words),
        Some(_) | None => Outcome::Success,
    };
    let timed = Timed {
        start,
        ended,
        ttft: first.map(|first| first - start),
        e2e: end.map(|end| end - start),
        tokens: usage(row),
    };
    timed.put(row.get("model").map_or(ENDPOINT, String::as_str), gather)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::words::Outcome;

    #[test]
    fn generations_are_requests_and_the_rest_is_left_out() {
        let text = r#"{"data": [
          {"id": "a", "traceId": "t", "type": "GENERATION", "startTime": "2026-01-31T12:00:00.000Z", "endTime": "2026-01-31T12:00:03.000Z",
           "completionStartTime": "2026-01-31T12:00:01.000Z", "model": "gpt", "level": "DEFAULT",
           "usageDetails": {"input": 80, "input_cached_tokens": 20, "output": 8, "output_reasoning_tokens": 3, "total": 111}},
          {"id": "b", "traceId": "t", "type": "SPAN", "startTime": "2026-01-31T12:00:00.000Z", "endTime": "2026-01-31T12:00:03.000Z"},
          {"id": "c", "traceId": "u", "type": "GENERATION", "startTime": "2026-01-31T12:00:10.000Z", "endTime": "2026-01-31T12:00:10.500Z",
           "completionStartTime": null, "model": "gpt", "level": "ERROR", "statusMessage": "RateLimitError: Error code: 429", "usage": {"input": 7}},
          {"id": "d", "traceId": "u", "type": "GENERATION", "startTime": "2026-01-31T12:00:12.000Z", "endTime": "2026-01-31T12:00:14.000Z",
           "model": "gpt", "level": "DEFAULT", "usage": {"input": 7, "output": 5}}],
          "meta": {"page": 1, "limit": 4, "totalItems": 90, "totalPages": 23}}"#;
        let log = read("l.json", text.as_bytes()).unwrap();
        let [streamed, refused, whole] = &log.observations[..] else {
            panic!("{log:?}")
        };
        assert_eq!((streamed.input, streamed.output), (Some(100), Some(11)));
        let timing = (streamed.ttft, streamed.e2e, streamed.tpot);
        assert_eq!(timing, (Timing::Seen(1.0), Timing::Seen(3.0), Some(0.2)));
        assert_eq!(
            (refused.outcome, refused.e2e),
            (Outcome::RateLimited, Timing::Seen(0.5))
        );
        assert_eq!(
            (whole.ttft, whole.input, whole.output),
            (Timing::Unknown, Some(7), Some(5))
        );
        assert_eq!(
            log.notes,
            [
                "one page of Langfuse's observations, with 4 rows of 90: the other pages are missing; give each as a file of its own",
                "1 observations that are not of a model (spans, events, tools) left out",
                "1 requests without a first token's time (not streamed)"
            ]
        );
    }
}
