//! Rows of a log with whose requests they are, and what they ask: what limits of each key, user or team need, and a response cache.
//!
//! Two kinds of rows are read: LiteLLM's spend logs (a JSON list, a page of one, JSON lines, CSV), and traces whose rows have `timestamp`
//! in milliseconds, `input_length`, `output_length` and `hash_ids`, as Mooncake's have. Identities are called as limits call them:
//!
//! - `key`: `metadata.user_api_key_alias`, else the first characters of `api_key`, which LiteLLM keeps as a hash.
//! - `user`: the column `user`.
//! - `tag.team`: `metadata.user_api_key_team_alias`, `team_alias`, else `team_id`.
//! - `tag.NAME`: a column or a metadatum NAME, else a tag of the request, `NAME:VALUE` or `NAME=VALUE`.
//!
//! Two prompts are the same if their rows have one `cache_key`, else equal `messages`, else equal `hash_ids` and lengths. Nothing of a prompt
//! is kept but a hash. Source: LiteLLM, `spend_tracking_utils.py` (`cache_key` is `Cache OFF` without a cache). Left out: rows that cannot
//! be read, of which the reader of logs tells.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

use crate::import::trace::instant;

/// A request as a log has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// When it came, in seconds.
    pub at: f64,
    /// When its answer was there, in seconds.
    pub end: f64,
    /// The name that it asked for, if the log has it.
    pub group: Option<String>,
    /// The model that answered, if the log has it.
    pub model: Option<String>,
    /// Whose it is, in the order in which that was asked for.
    pub who: Vec<Option<String>>,
    /// Tokens of input and of output, of an answer.
    pub tokens: (Option<u32>, Option<u32>),
    /// Whether it was answered.
    pub good: bool,
    /// Whether the response cache answered it, if the log says so.
    pub hit: Option<bool>,
    /// A mark of its prompt, if the log has one.
    pub prompt: Option<u64>,
}

/// A row by the names of its columns.
type Row = Map<String, Value>;

/// The requests of a log in order of time, with what tells `identities` apart; nothing if it is not a log of these kinds.
pub fn asked(bytes: &[u8], identities: &[String]) -> Option<Vec<Asked>> {
    let rows = rows(bytes)?;
    let is_spend = rows.first()?.contains_key("startTime");
    if !is_spend && !rows.first()?.contains_key("hash_ids") {
        return None;
    }
    let read = |row: &Row| match is_spend {
        true => spent(row, identities),
        false => traced(row, identities.len()),
    };
    let mut all: Vec<Asked> = rows.iter().filter_map(read).collect();
    all.sort_by(|a, b| a.at.total_cmp(&b.at));
    Some(all)
}

/// The rows of a text, whatever its form.
fn rows(bytes: &[u8]) -> Option<Vec<Row>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let row = |value: Value| match value {
        Value::Object(row) => Some(row),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    };
    let listed = |items: Vec<Value>| items.into_iter().filter_map(row).collect();
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Array(items)) => return Some(listed(items)),
        Ok(Value::Object(mut whole)) => {
            if let Some(Value::Array(items)) = whole.remove("data") {
                return Some(listed(items));
            }
        }
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | Err(_) => {}
    }
    if bytes.trim_ascii_start().starts_with(b"{") {
        let lines = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty());
        return Some(
            lines
                .filter_map(|line| row(serde_json::from_slice(line).ok()?))
                .collect(),
        );
    }
    let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = table.headers().ok()?.clone();
    header.iter().any(|name| name == "startTime").then_some(())?;
    let in_row = |record: csv::StringRecord| {
        let cells = header.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(name, cell)| (name.to_owned(), Value::from(cell))).collect()
    };
    Some(table.records().filter_map(Result::ok).map(in_row).collect())
}

/// The text of a column that is not empty.
fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// The number of a column, which may be written as text.
fn number(row: &Row, name: &str) -> Option<f64> {
    let value = row.get(name)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn count(row: &Row, name: &str) -> Option<u32> {
    number(row, name).filter(|n| *n >= 0.0).map(|n| n as u32)
}

/// What stands in a column that may be JSON in text.
fn inner(row: &Row, name: &str) -> Value {
    match row.get(name) {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

fn mark(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// A row of a spend log.
fn spent(row: &Row, identities: &[String]) -> Option<Asked> {
    let time = |name: &str| Some(instant(text(row, name)?)? as f64 / 1e9);
    let at = time("startTime")?;
    let metadata = inner(row, "metadata");
    let said = |name: &str| {
        metadata
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let good = text(row, "status").or(said("status")).unwrap_or("success") == "success";
    let hit = row.get("cache_hit").map(|hit| match hit {
        Value::Bool(hit) => *hit,
        other => other.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")),
    });
    let group = text(row, "model_group").or(said("model_group")).map(str::to_owned);
    let of_key = text(row, "cache_key")
        .filter(|key| *key != "Cache OFF")
        .map(|key| mark(&[key]));
    let prompt = of_key.or_else(|| {
        let messages = row.get("messages").filter(|messages| match messages {
            Value::Array(items) => !items.is_empty(),
            Value::Object(of) => !of.is_empty(),
            Value::String(text) => !matches!(text.as_str(), "" | "{}" | "[]"),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        })?;
        Some(mark(&[group.as_deref().unwrap_or(""), &messages.to_string()]))
    });
    let tags = inner(row, "request_tags");
    let tagged = |name: &str| {
        let tags = tags.as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut values = tags.filter_map(|tag| tag.strip_prefix(name)?.strip_prefix([':', '=']));
        values.next()
    };
    let whose = |identity: &String| {
        let found = match identity.as_str() {
            "key" => said("user_api_key_alias")
                .map(str::to_owned)
                .or_else(|| Some(text(row, "api_key")?.chars().take(12).collect())),
            "user" => text(row, "user").map(str::to_owned),
            "tag.team" => {
                let named = said("user_api_key_team_alias").or(said("team_alias"));
                named.or(text(row, "team_id")).map(str::to_owned)
            }
            other => {
                let name = other.strip_prefix("tag.").unwrap_or(other);
                let own = text(row, name).or(said(name)).or_else(|| {
                    let inner = metadata.get("requester_metadata")?.get(name)?;
                    inner.as_str()
                });
                own.or_else(|| tagged(name)).map(str::to_owned)
            }
        };
        found.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
    };
    Some(Asked {
        at,
        end: time("endTime").unwrap_or(at).max(at),
        group,
        model: text(row, "model").map(str::to_owned),
        who: identities.iter().map(whose).collect(),
        tokens: (count(row, "prompt_tokens"), count(row, "completion_tokens")),
        good,
        hit,
        prompt,
    })
}

/// A row of a trace.
fn traced(row: &Row, identities: usize) -> Option<Asked> {
    let at = number(row, "timestamp")? / 1e3;
    let tokens = (count(row, "input_length"), count(row, "output_length"));
    let blocks = row
        .get("hash_ids")
        .filter(|blocks| blocks.as_array().is_some_and(|of| !of.is_empty()));
    Some(Asked {
        at,
        end: at,
        who: vec![None; identities],
        good: true,
        prompt: blocks.map(|blocks| mark(&[&blocks.to_string(), &tokens.0.unwrap_or(0).to_string()])),
        tokens,
        ..Asked::default()
    })
}

/// Which of these requests ask what was asked before, of those that a cache would still know: in order of time, each `lives` seconds from when it
/// was answered, at most `entries` of them, each of `replicas` by itself.
pub fn repeated(asked: &[Asked], lives: Option<f64>, entries: Option<u64>, replicas: u64) -> Vec<bool> {
    use std::collections::{BTreeMap, VecDeque};
    /// When each prompt was answered, and the order in which they were.
    type Cache = (BTreeMap<u64, f64>, VecDeque<(u64, f64)>);
    let mut caches: Vec<Cache> = Vec::new();
    caches.resize(replicas.clamp(1, 1000) as usize, Default::default());
    let many = caches.len();
    let each = asked.iter().enumerate().map(|(number, request)| {
        let Some(prompt) = request.prompt else { return false };
        let (kept, order) = &mut caches[number % many];
        let known = kept
            .get(&prompt)
            .is_some_and(|written| *written <= request.at && lives.is_none_or(|lives| request.at - written <= lives));
        if !known && request.good {
            kept.insert(prompt, request.end);
            order.push_back((prompt, request.end));
            while entries.is_some_and(|most| kept.len() as u64 > most) {
                let Some((oldest, written)) = order.pop_front() else {
                    break;
                };
                // One that was written again since stands further back.
                if kept.get(&oldest) == Some(&written) {
                    kept.remove(&oldest);
                }
            }
        }
        known
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"[
      {"request_id": "b", "startTime": "2026-01-31T12:00:05Z", "endTime": "2026-01-31T12:00:08Z", "model": "gpt", "model_group": "chat",
       "api_key": "0123456789abcdef", "user": "ann", "team_id": "t1", "metadata": "{\"user_api_key_team_alias\": \"search\"}",
       "prompt_tokens": 10, "completion_tokens": 5, "request_tags": "[\"app:web\"]", "cache_key": "Cache OFF", "messages": [{"role": "user"}]},
      {"request_id": "a", "startTime": "2026-01-31 12:00:00.5", "model": "gpt", "status": "failure", "cache_hit": "True",
       "metadata": {"user_api_key_alias": "mobile", "requester_metadata": {"app": "ios"}}, "team_id": "t2", "cache_key": "k", "messages": {}}]"#;

    #[test]
    fn rows_say_whose_they_are_and_stand_in_order_of_time() {
        let identities = ["key", "user", "tag.team", "tag.app"].map(str::to_owned);
        let read = asked(ROWS.as_bytes(), &identities).unwrap();
        let of = |who: [Option<&str>; 4]| who.map(|name| name.map(str::to_owned)).to_vec();
        assert_eq!(read[0].who, of([Some("mobile"), None, Some("t2"), Some("ios")]));
        assert_eq!(
            read[1].who,
            of([Some("0123456789ab"), Some("ann"), Some("search"), Some("web")])
        );
        assert_eq!((read[1].end - read[1].at, read[1].at - read[0].at), (3.0, 4.5));
        assert_eq!(
            (read[0].good, read[0].hit, read[1].good, read[1].hit),
            (false, Some(true), true, None)
        );
        assert!(read[1].prompt.is_some() && read[0].prompt == Some(mark(&["k"])));
        let lines: Vec<Value> = serde_json::from_str(ROWS).unwrap();
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        assert_eq!(asked(lines.join("\n").as_bytes(), &identities).unwrap(), read);
        assert!(asked(b"{\"probe\": 1}", &identities).is_none() && asked(b"a,b\n1,2\n", &identities).is_none());
    }

    #[test]
    fn a_table_and_a_trace_are_read_too() {
        let table = "request_id,startTime,endTime,model,team_id,prompt_tokens,completion_tokens\na,2026-01-31 12:00:00,,gpt,t1,7,3\n";
        let read = asked(table.as_bytes(), &["tag.team".to_owned()]).unwrap();
        assert_eq!(
            (read[0].who[0].as_deref(), read[0].tokens),
            (Some("t1"), (Some(7), Some(3)))
        );
        let trace = "{\"timestamp\": 1000, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [1, 2]}\n\
                     {\"timestamp\": 3000, \"input_length\": 600, \"output_length\": 9, \"hash_ids\": [1, 2]}\n\
                     {\"timestamp\": 4000, \"input_length\": 601, \"output_length\": 9, \"hash_ids\": [1, 2]}\n";
        let read = asked(trace.as_bytes(), &[]).unwrap();
        assert_eq!(repeated(&read, None, None, 1), [false, true, false]);
    }

    /// A at 0, 1, 5 and 12 s, B at 6 s. With a life of 10 s the third A is known and the fourth, 12 s after the first was written, not; where one
    /// answer is kept, B drives A out; two replicas that take turns have A at 0 and 5, and at 1 and 12 s.
    #[test]
    fn a_repeat_is_one_that_a_cache_would_still_know() {
        let of = |at: f64, prompt: u64| Asked {
            at,
            end: at,
            good: true,
            prompt: Some(prompt),
            ..Asked::default()
        };
        let all = [of(0.0, 1), of(1.0, 1), of(5.0, 1), of(6.0, 2), of(12.0, 1)];
        assert_eq!(repeated(&all, Some(10.0), None, 1), [false, true, true, false, false]);
        assert_eq!(repeated(&all, None, Some(1), 1), [false, true, true, false, false]);
        assert_eq!(repeated(&all, None, None, 1), [false, true, true, false, true]);
        assert_eq!(repeated(&all, None, None, 2), [false, false, true, false, true]);
        // One that is asked before the first was answered, and one of which the first failed.
        let mut early = all.clone();
        early[0].end = 2.0;
        assert!(!repeated(&early, None, None, 1)[1]);
        early[0].good = false;
        assert_eq!(repeated(&early, None, None, 1)[..3], [false, false, true]);
    }
}
