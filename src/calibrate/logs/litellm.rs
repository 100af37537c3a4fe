//! LiteLLM's spend logs: a JSON list, JSON lines or CSV of the table `LiteLLM_SpendLogs` (`schema.prisma` of BerriAI/litellm).
//!
//! TTFT is `completionStartTime` − `startTime`. The proxy writes the end of a request that was not streamed under the
//! former name too, so there it is unknown. The proxy's own time is part of every figure, its retries and fallbacks
//! included. Answers out of LiteLLM's own cache are left out. A target is a `model`. The outcome of a failure is read
//! from `metadata.error_information`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::gather::{ENDPOINT, Gather, outcome};
use super::rows::{Row, Timed, has, missing, number, rows, time};
use super::{Format, Look, Mistake};
use crate::calibrate::log::Log;
use crate::import::python;
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "LiteLLM spend logs (JSON, JSON lines or CSV)",
    is: |look| has(look, &NAMES),
    read,
};

/// The columns by which it is known.
const NAMES: [&str; 2] = ["request_id", "startTime"];

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let mut gather = Gather::default();
    missing(&look, "LiteLLM's spend logs")
        .into_iter()
        .for_each(|said| gather.note(said));
    let rows = rows(look, &NAMES)?;
    let several = of_several_deployments(&rows);
    for (place, row) in rows {
        let model = row.get("model").map_or(ENDPOINT, String::as_str);
        let named = deployment(&row).filter(|_| several.contains(model));
        take(&place, &row, named.unwrap_or(model), &mut gather)?;
    }
    gather.note_gaps();
    Ok(("LiteLLM spend logs".to_owned(), gather.finish()))
}

/// The name that the configuration gives the row's deployment (`model_info.id`); where it gives none, LiteLLM has a hash, which says nothing.
fn deployment(row: &Row) -> Option<&str> {
    let is_hash = |id: &str| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    row.get("model_id").map(String::as_str).filter(|id| !is_hash(id))
}

/// The models that several named deployments answer for: these are told apart by their names.
fn of_several_deployments(rows: &[(String, Row)]) -> BTreeSet<String> {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, row) in rows {
        if let (Some(model), Some(id)) = (row.get("model"), deployment(row)) {
            names.entry(model).or_default().insert(id);
        }
    }
    let several = names.into_iter().filter(|(_, ids)| ids.len() > 1);
    several.map(|(model, _)| model.to_owned()).collect()
}

fn take(place: &str, row: &Row, target: &str, gather: &mut Gather) -> Result<(), Mistake> {
    let time = |name: &str| time(place, row, name);
    if row.get("cache_hit").is_some_and(|hit| hit.eq_ignore_ascii_case("true")) {
        gather.count("answers out of LiteLLM's own cache left out");
        gather.cache_hit(row.get("model").map_or(ENDPOINT, String::as_str));
        return Ok(());
    }
    let Some(start) = time("startTime")? else {
        return Err(Mistake::new(format!("{place}, startTime"), "missing"));
    };
    let (first, end) = (time("completionStartTime")?, time("endTime")?);
    let streamed = first.filter(|first| end.is_none_or(|end| *first < end));
    let timed = Timed {
        start,
        ended: ending(row),
        ttft: streamed.map(|first| first - start),
        e2e: end.map(|end| end - start),
        tokens: ["prompt_tokens", "completion_tokens"].map(|name| number(row, name)),
    };
    timed.put(target, gather)
}

fn ending(row: &Row) -> Outcome {
    let metadata: Value = row
        .get("metadata")
        .and_then(|m| python::one(m.as_bytes()))
        .unwrap_or_default();
    let told = |path: &str| metadata.pointer(path).and_then(Value::as_str);
    let status = row
        .get("status")
        .map(String::as_str)
        .or(told("/status"))
        .unwrap_or("success");
    if status == "success" {
        return Outcome::Success;
    }
    let part = |name: &str| told(&format!("/error_information/{name}")).unwrap_or("");
    let words = format!("{} {} {status}", part("error_class"), part("error_message"));
    outcome(part("error_code").parse().ok(), &words)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::{Log, Timing};
    use crate::words::Outcome;

    /// Rows with the columns of `LiteLLM_SpendLogs` that are read.
    const ROWS: &str = r#"[
      {"request_id": "a", "call_type": "acompletion", "spend": 0.01, "prompt_tokens": 100, "completion_tokens": 11,
       "startTime": "2026-01-31T12:00:00.000Z", "endTime": "2026-01-31T12:00:03.000Z",
       "completionStartTime": "2026-01-31T12:00:01.000Z", "model": "gpt", "cache_hit": "False", "status": "success",
       "metadata": {"status": "success"}},
      {"request_id": "b", "prompt_tokens": 100, "completion_tokens": 11, "startTime": "2026-01-31T12:00:05.000+00:00",
       "endTime": "2026-01-31T12:00:08Z", "completionStartTime": "2026-01-31T12:00:08Z", "model": "gpt"},
      {"request_id": "c", "startTime": "2026-01-31T12:00:10Z", "endTime": "2026-01-31T12:00:10.500Z", "model": "gpt",
       "completionStartTime": "2026-01-31T12:00:10.500Z", "status": "failure",
       "metadata": "{\"error_information\": {\"error_code\": \"429\", \"error_class\": \"RateLimitError\"}}"},
      {"request_id": "d", "startTime": "2026-01-31T12:00:11Z", "endTime": "2026-01-31T12:00:11Z", "model": "gpt",
       "cache_hit": "True"}]"#;

    fn check(log: &Log) {
        let [streamed, whole, refused] = &log.observations[..] else {
            panic!("{log:?}")
        };
        assert_eq!(
            (streamed.ttft, streamed.e2e, streamed.tpot),
            (Timing::Seen(1.0), Timing::Seen(3.0), Some(0.2))
        );
        assert_eq!(streamed.unix, Some(1_769_860_800.0));
        assert_eq!(
            (whole.at, whole.ttft, whole.e2e),
            (Some(5.0), Timing::Unknown, Timing::Seen(3.0))
        );
        assert_eq!(
            (refused.outcome, refused.e2e),
            (Outcome::RateLimited, Timing::Seen(0.5))
        );
    }

    #[test]
    fn deployments_of_one_model_that_have_names_are_told_apart() {
        let row = |id: &str, second: u32| {
            format!(
                r#"{{"request_id": "{second}", "model": "gpt", "model_id": "{id}", "startTime": "2026-01-31T12:00:0{second}.000Z",
                "endTime": "2026-01-31T12:00:09.000Z", "prompt_tokens": 1, "completion_tokens": 2, "cache_hit": "False"}}"#
            )
        };
        let targets = |ids: [&str; 3]| {
            let rows: Vec<String> = ids.iter().zip(1..).map(|(id, second)| row(id, second)).collect();
            read("x", format!("[{}]", rows.join(",")).as_bytes()).unwrap().targets
        };
        assert_eq!(targets(["eu", "us", "eu"]), ["eu", "us"]);
        assert_eq!(targets(["eu", "eu", "eu"]), ["gpt"], "one alone has the model's name");
        let hashes = ["a", "b", "c"].map(|digit| digit.repeat(64));
        assert_eq!(targets([&hashes[0], &hashes[1], &hashes[2]]), ["gpt"]);
    }

    #[test]
    fn a_list_and_lines_say_the_same() {
        let log = read("s.json", ROWS.as_bytes()).unwrap();
        check(&log);
        assert_eq!(
            log.notes,
            [
                "1 answers out of LiteLLM's own cache left out",
                "1 requests without a first token's time (not streamed)"
            ]
        );
        let rows: Vec<serde_json::Value> = serde_json::from_str(ROWS).unwrap();
        let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
        check(&read("s.jsonl", lines.join("\n").as_bytes()).unwrap());
    }

    /// LiteLLM 1.110.2, `spend_management_endpoints.py`.
    #[test]
    fn a_page_is_its_rows_and_says_if_others_are_missing() {
        let of = |total: u32| {
            let page = format!(r#"{{"data": {ROWS}, "total": {total}, "page": 1, "page_size": 4, "total_pages": 1}}"#);
            read("s.json", page.as_bytes()).unwrap()
        };
        check(&of(4));
        assert_eq!(
            of(4).observations,
            read("s.json", ROWS.as_bytes()).unwrap().observations
        );
        assert_eq!(of(4).notes.len(), 2);
        assert_eq!(
            of(1000).notes[0],
            "one page of LiteLLM's spend logs, with 4 rows of 1000: the other pages are missing; give each as a file of its own"
        );
    }

    #[test]
    fn a_table_is_read_too() {
        let text = "request_id,startTime,endTime,completionStartTime,model,prompt_tokens,completion_tokens,status,metadata\n\
            a,2026-01-31 12:00:00,2026-01-31 12:00:03,2026-01-31 12:00:01,gpt,100,11,success,{}\n\
            b,2026-01-31 12:00:05,2026-01-31 12:00:08,2026-01-31 12:00:08,gpt,100,11,success,{}\n\
            c,2026-01-31 12:00:10,2026-01-31 12:00:10.5,,gpt,0,0,failure,\
            \"{\"\"error_information\"\": {\"\"error_code\"\": \"\"429\"\"}}\"\n";
        check(&read("s.csv", text.as_bytes()).unwrap());
    }

    #[test]
    fn a_time_that_is_none_is_named_by_its_row() {
        let text = ROWS.replace("2026-01-31T12:00:08Z\", \"model", "yesterday\", \"model");
        assert_eq!(
            read("s.json", text.as_bytes()).unwrap_err().to_string(),
            "s.json: row 2, completionStartTime: \"yesterday\" is not a time like 2026-01-31 12:00:00.250 or \
             2026-01-31T12:00:00.250Z"
        );
    }
}
