//! Helicone's requests: what its interface lists (`/v1/request/query`), as a page, a list or lines, or the same columns as CSV.
//!
//! E2E is `delay_ms`, or else the time from `request_created_at` to `response_created_at`; TTFT is `time_to_first_token`, in milliseconds, which only
//! streamed answers have. The outcome is that of `response_status`. Requests that are still under way and answers out of Helicone's own cache are left out. A
//! target is the model that answered, or was asked for. Helicone stands between the caller and the provider: its own time is in none of the figures.

use super::gather::{ENDPOINT, Gather, outcome};
use super::rows::{Row, Timed, has, missing, number, rows, time};
use super::{Format, Look, Mistake};
use crate::calibrate::log::Log;
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "Helicone requests (JSON, JSON lines or CSV)",
    is: |look| has(look, &NAMES),
    read,
};

/// The columns by which it is known.
const NAMES: [&str; 2] = ["request_id", "request_created_at"];

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let mut gather = Gather::default();
    missing(&look, "Helicone's requests")
        .into_iter()
        .for_each(|said| gather.note(said));
    for (place, row) in rows(look, &NAMES)? {
        take(&place, &row, &mut gather)?;
    }
    gather.note_gaps();
    Ok(("Helicone requests".to_owned(), gather.finish()))
}

fn take(place: &str, row: &Row, gather: &mut Gather) -> Result<(), Mistake> {
    let Some(start) = time(place, row, "request_created_at")? else {
        return Err(Mistake::new(format!("{place}, request_created_at"), "missing"));
    };
    let model = ["response_model", "model", "request_model"]
        .iter()
        .find_map(|name| row.get(*name));
    let model = model.map_or(ENDPOINT, String::as_str);
    let is_true = |name: &str| row.get(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
    if is_true("cached") || row.contains_key("cache_reference_id") {
        gather.count("answers out of Helicone's own cache left out");
        gather.cache_hit(model);
        return Ok(());
    }
    // Below 0 it has no answer: -2 is under way, the others were broken off.
    let ended = match number(row, "response_status") {
        Some(status) if (200.0..300.0).contains(&status) => Outcome::Success,
        Some(status) if status >= 0.0 => outcome(Some(status as u16), "error"),
        Some(status) if status != -2.0 => outcome(None, "cancelled"),
        Some(_) | None => {
            gather.count("requests without a status (still under way) left out");
            return Ok(());
        }
    };
    let took = match number(row, "delay_ms") {
        Some(ms) => Some(ms / 1000.0),
        None => time(place, row, "response_created_at")?.map(|end| end - start),
    };
    let first = number(row, "time_to_first_token").filter(|ms| *ms > 0.0);
    let timed = Timed {
        start,
        ended,
        ttft: first.map(|ms| ms / 1000.0),
        e2e: took,
        tokens: ["prompt_tokens", "completion_tokens"].map(|name| number(row, name)),
    };
    timed.put(model, gather)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::words::Outcome;

    #[test]
    fn statuses_times_and_caches_are_read() {
        let row = |at: u32, rest: &str| {
            format!(
                r#"{{"request_id": "{at}", "request_created_at": "2026-01-31T12:00:0{at}.000Z", "request_model": "gpt", {rest}}}"#
            )
        };
        let rows = [
            row(
                0,
                r#""response_status": 200, "delay_ms": 3000, "time_to_first_token": 1000, "prompt_tokens": 100, "completion_tokens": 11, "response_model": "gpt-5""#,
            ),
            row(
                1,
                r#""response_status": 429, "response_created_at": "2026-01-31T12:00:01.500Z", "response_model": "gpt-5""#,
            ),
            row(2, r#""response_status": -2"#),
            row(3, r#""response_status": 200, "delay_ms": 4, "cache_reference_id": "x""#),
            row(4, r#""response_status": 0, "delay_ms": 20, "response_model": "gpt-5""#),
        ];
        let text = format!(r#"{{"data": [{}], "error": null}}"#, rows.join(", "));
        let log = read("h.json", text.as_bytes()).unwrap();
        let [answered, refused, unknown] = &log.observations[..] else {
            panic!("{log:?}")
        };
        assert_eq!(log.targets, ["gpt-5"]);
        assert_ne!(unknown.outcome, Outcome::Success, "a status that no answer has");
        assert_eq!((answered.input, answered.output), (Some(100), Some(11)));
        let timing = (answered.ttft, answered.e2e, answered.tpot);
        assert_eq!(timing, (Timing::Seen(1.0), Timing::Seen(3.0), Some(0.2)));
        assert_eq!(
            (refused.outcome, refused.e2e),
            (Outcome::RateLimited, Timing::Seen(0.5))
        );
        assert_eq!(
            log.notes,
            [
                "1 answers out of Helicone's own cache left out",
                "1 requests without a status (still under way) left out"
            ]
        );
    }
}
