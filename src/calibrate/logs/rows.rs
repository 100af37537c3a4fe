//! Rows by the names of their columns, as what logs requests exports them: a JSON list, a page of one, JSON lines, or CSV.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::gather::{Gather, censor, clock, observed, seen, tokens, tpot};
use super::table::{one_column, table};
use super::{Look, Mistake, line, lines, quoted, value};
use crate::calibrate::log::{Observation, Timing};
use crate::stats::sorting;
use crate::words::Outcome;

/// A row by column name, all cells as text; those that are null or empty are not there.
pub(super) type Row = BTreeMap<String, String>;

/// Whether its rows have columns of these names.
pub(super) fn has(look: &Look<'_>, names: &[&str]) -> bool {
    let in_object = |v: &Value| names.iter().all(|n| v.get(n).is_some());
    look.entry_has(names)
        || page(look).is_some_and(|rows| rows.first().is_some_and(in_object))
        || look.first.as_ref().is_some_and(in_object)
        || names.iter().all(|n| look.header().iter().any(|h| h == n))
}

/// The rows of a page, as interfaces wrap them.
fn page<'a>(look: &'a Look<'_>) -> Option<&'a Vec<Value>> {
    look.whole.as_ref()?.get("data")?.as_array()
}

/// What is to be said if it is one page of `logs` and others are missing, by the number of all that a page of LiteLLM's or of Langfuse's has.
pub(super) fn missing(look: &Look<'_>, logs: &str) -> Option<String> {
    let (rows, whole) = page(look).zip(look.whole.as_ref())?;
    let total = whole.get("total").or_else(|| whole.pointer("/meta/totalItems"));
    let total = total
        .and_then(Value::as_u64)
        .filter(|total| *total > rows.len() as u64)?;
    Some(format!(
        "one page of {logs}, with {} rows of {total}: the other pages are missing; give each as a file of its own",
        rows.len()
    ))
}

/// All rows with their places; in CSV these columns must be there.
pub(super) fn rows(look: Look<'_>, needed: &[&str]) -> Result<Vec<(String, Row)>, Mistake> {
    let wrapped = page(&look).is_some();
    let listed = look.whole.map(|mut whole| match whole.get_mut("data") {
        Some(data) if wrapped => data.take(),
        Some(_) | None => whole,
    });
    if let Some(list @ Value::Array(_)) = listed {
        let rows: Vec<Map<String, Value>> = value(list)?;
        let numbered = rows.into_iter().enumerate();
        return Ok(numbered
            .map(|(i, row)| (format!("row {}", i + 1), in_text(row)))
            .collect());
    }
    if look.first.is_some() {
        let each = |(number, bytes)| Ok((format!("line {number}"), in_text(line(number, bytes)?)));
        return lines(&look.bytes).map(each).collect();
    }
    let table = table(&look.bytes, needed)?;
    let header = &table.header;
    header.iter().try_for_each(|name| one_column(header, name).map(drop))?;
    let in_row = |(number, record): (usize, csv::StringRecord)| {
        let cells = header.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
        let row = sorting::map(cells.map(|(name, cell)| (name.to_owned(), cell.to_owned())));
        (format!("line {number}"), row)
    };
    Ok(table.rows.into_iter().map(in_row).collect())
}

fn in_text(row: Map<String, Value>) -> Row {
    let text = |v: Value| match v {
        Value::Null => None,
        Value::String(ref s) => Some(s.clone()).filter(|s| !s.is_empty()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(v.to_string()),
    };
    sorting::map(row.into_iter().filter_map(|(name, v)| Some((name, text(v)?))))
}

/// The time in a column, in seconds since 1970; nothing where the row has none.
pub(super) fn time(place: &str, row: &Row, name: &str) -> Result<Option<f64>, Mistake> {
    let read = |text: &String| {
        clock(text).ok_or_else(|| {
            let what = format!(
                "\"{}\" is not a time like 2026-01-31 12:00:00.250 or 2026-01-31T12:00:00.250Z",
                quoted(text)
            );
            Mistake::new(format!("{place}, {name}"), what)
        })
    };
    row.get(name).map(read).transpose()
}

/// What a row says of a request that began at `start`.
pub(super) struct Timed {
    /// Seconds since 1970.
    pub(super) start: f64,
    pub(super) ended: Outcome,
    /// Seconds until the first token, where the answer was streamed.
    pub(super) ttft: Option<f64>,
    /// Seconds until its end.
    pub(super) e2e: Option<f64>,
    /// Input and output tokens.
    pub(super) tokens: [Option<f64>; 2],
}

impl Timed {
    /// Adds the request to those of `target`; of one that failed neither lengths nor a first token are heeded.
    pub(super) fn put(self, target: &str, gather: &mut Gather) -> Result<(), Mistake> {
        let good = self.ended == Outcome::Success;
        let (ttft, e2e) = (seen(self.ttft.filter(|_| good)), seen(self.e2e));
        let [input, output] = self.tokens.map(|found| tokens(found).filter(|_| good));
        if good && ttft == Timing::Unknown {
            gather.count("requests without a first token's time (not streamed)");
        }
        let target = gather.target(target)?;
        let mut observation = Observation {
            at: Some(self.start),
            unix: Some(self.start),
            input,
            output,
            ttft,
            tpot: tpot(ttft, e2e, output),
            e2e,
            ..observed(target, self.ended)
        };
        censor(&mut observation);
        gather.push(observation);
        Ok(())
    }
}

/// The number in a column; nothing where the row has none.
pub(super) fn number(row: &Row, name: &str) -> Option<f64> {
    row.get(name).and_then(|text| text.parse().ok())
}
