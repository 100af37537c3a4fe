//! Any CSV, read by a mapping: `ttft=first_token_ms:ms,e2e=total:s,input=prompt_tokens,…`, each a field, the column
//! that holds it, and its unit.
//!
//! Durations are in `s` unless the unit says `ms`, `us` or `ns`. Moments (`at`, `first`, `end`) are dates with a time
//! of day, or numbers since 1970 or any other origin in a unit; from them come TTFT (first − at) and end to end (end −
//! at) where these have no column. `status` is an HTTP status, or words; an empty cell means unknown.

use super::gather::{ENDPOINT, Gather, censor, clock, observed, outcome, seconds, seen, tokens, tpot};
use super::{Mistake, ReadError, printable, quoted, sourced};
use crate::calibrate::log::{Log, Observation};
use crate::form::diagnose::nearest;
use crate::words::Outcome;

/// The fields that a column can hold.
const FIELDS: [&str; 14] = [
    "at",
    "first",
    "end",
    "ttft",
    "tpot",
    "e2e",
    "dispatch",
    "input",
    "output",
    "cached",
    "reasoning",
    "target",
    "status",
    "error",
];

/// The fields that are durations or moments, and so may have a unit.
const TIMES: [&str; 7] = ["at", "first", "end", "ttft", "tpot", "e2e", "dispatch"];

/// A mapping from columns to fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping(Vec<(&'static str, String, f64)>);

impl Mapping {
    /// Reads `FIELD=COLUMN[:UNIT],…`. A column whose name has a colon needs a unit after it.
    ///
    /// # Errors
    /// If a field or a unit is unknown, a field comes twice, or no time is among the fields; in words.
    pub fn parse(text: &str) -> Result<Mapping, String> {
        let mut mapping: Vec<(&'static str, String, f64)> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let Some((field, column)) = part.split_once('=') else {
                return Err(format!("\"{}\" is not FIELD=COLUMN or FIELD=COLUMN:UNIT", quoted(part)));
            };
            let Some(field) = FIELDS.into_iter().find(|f| *f == field.trim()) else {
                let meant = nearest(field.trim(), FIELDS).map_or(String::new(), |n| format!(" (did you mean `{n}`?)"));
                return Err(format!(
                    "no field `{}`; there are {}{meant}",
                    quoted(field.trim()),
                    FIELDS.join(", ")
                ));
            };
            let (column, unit) = column.rsplit_once(':').unwrap_or((column, ""));
            let scale = match (unit, TIMES.contains(&field)) {
                ("", _) | ("s", true) => 1.0,
                ("ms", true) => 1e-3,
                ("us", true) => 1e-6,
                ("ns", true) => 1e-9,
                (unit, true) => {
                    return Err(format!(
                        "`{field}`: no unit `{}`; there are s, ms, us, ns",
                        quoted(unit)
                    ));
                }
                (unit, false) => return Err(format!("`{field}` has no unit, and `{}` stands there", quoted(unit))),
            };
            if mapping.iter().any(|(f, ..)| *f == field) {
                return Err(format!("`{field}` comes twice"));
            }
            mapping.push((field, column.trim().to_owned(), scale));
        }
        if !mapping
            .iter()
            .any(|(f, ..)| ["first", "end", "ttft", "e2e"].contains(f))
        {
            return Err("no column for `ttft`, `e2e`, `first` or `end`: there would be nothing to learn".to_owned());
        }
        let moments = mapping.iter().any(|(f, ..)| ["first", "end"].contains(f));
        if moments && !mapping.iter().any(|(f, ..)| *f == "at") {
            return Err("`first` and `end` are counted from `at`, which has no column".to_owned());
        }
        Ok(Mapping(mapping))
    }
}

/// Reads a CSV by a mapping; `file` is its name in errors.
///
/// # Errors
/// If a column is missing or a cell is not of its type.
pub fn read_mapped(file: &str, bytes: &[u8], mapping: &Mapping) -> Result<Log, ReadError> {
    let log = rows(bytes, mapping).map_err(|m| m.in_file(file))?;
    Ok(sourced(file, bytes, "CSV by a mapping".to_owned(), log))
}

fn rows(bytes: &[u8], mapping: &Mapping) -> Result<Log, Mistake> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header = reader
        .headers()
        .map_err(|e| Mistake::new("line 1", e.to_string()))?
        .clone();
    let mut columns: Vec<(&'static str, usize, f64)> = Vec::new();
    for (field, column, scale) in &mapping.0 {
        let Some(place) = one_column(&header, column)? else {
            let names: Vec<&str> = header.iter().map(|h| h.trim_start_matches('\u{feff}')).collect();
            let meant = nearest(column, names.iter().copied())
                .map_or(String::new(), |n| format!(" (did you mean `{}`?)", quoted(n)));
            let what = format!(
                "no column `{}` for `{field}`; the header has: {}{meant}",
                quoted(column),
                printable(&names.join(", "))
            );
            return Err(Mistake::new("line 1", what));
        };
        columns.push((field, place, *scale));
    }
    let mut gather = Gather::default();
    for record in reader.records() {
        let record = record.map_err(|e| Mistake::new("", e.to_string()))?;
        row(&record, &columns, &mut gather)?;
    }
    Ok(gather.finish())
}

/// The place of the column of this name, if there is one.
///
/// # Errors
/// If there are several: which is meant cannot be told.
pub(super) fn one_column(header: &csv::StringRecord, name: &str) -> Result<Option<usize>, Mistake> {
    let is_it = |h: &str| h.trim_start_matches('\u{feff}') == name;
    let mut places = header
        .iter()
        .enumerate()
        .filter(|(_, h)| is_it(h))
        .map(|(place, _)| place);
    let first = places.next();
    match places.count() {
        0 => Ok(first),
        more => Err(Mistake::new(
            "line 1",
            format!(
                "the header has {} columns `{}`: which is meant?",
                more + 1,
                quoted(name)
            ),
        )),
    }
}

fn row(record: &csv::StringRecord, columns: &[(&'static str, usize, f64)], gather: &mut Gather) -> Result<(), Mistake> {
    let number = record.position().map_or(0, csv::Position::line);
    let cell = |field: &str| {
        let (_, place, scale) = columns.iter().find(|(f, ..)| *f == field)?;
        let text = record.get(*place).unwrap_or("");
        (!text.is_empty()).then_some((text, *scale))
    };
    let wrong = |field: &str, text: &str, what: &str| {
        Mistake::new(
            format!("line {number}, {field}"),
            format!("\"{}\" is not {what}", quoted(text)),
        )
    };
    let figure = |field: &str| {
        let Some((text, scale)) = cell(field) else {
            return Ok(None);
        };
        let read = text.parse::<f64>().ok().filter(|x| x.is_finite() && *x >= 0.0);
        read.map(|x| Some(x * scale))
            .ok_or_else(|| wrong(field, text, "a number of 0 or more"))
    };
    let moment = |field: &str| {
        let Some((text, scale)) = cell(field) else {
            return Ok(None);
        };
        let read = text
            .parse::<f64>()
            .ok()
            .map(|x| x * scale)
            .or_else(|| clock(text))
            .filter(|x| x.is_finite());
        read.map(Some)
            .ok_or_else(|| wrong(field, text, "a number or a time like 2026-01-31T12:00:00.250Z"))
    };
    let (at, first, end) = (moment("at")?, moment("first")?, moment("end")?);
    let status = cell("status").and_then(|(text, _)| text.parse::<u16>().ok());
    let mut words = cell("error").map_or(String::new(), |(text, _)| text.to_owned());
    if let (Some((text, _)), None) = (cell("status"), status)
        && !["ok", "success", "successful", "completed", "true"].contains(&text.to_lowercase().as_str())
    {
        words = format!("{text} {words}");
    }
    let ended = outcome(status, &words);
    let since = |moment: Option<f64>| moment.zip(at).map(|(moment, at)| moment - at);
    let dispatch = figure("dispatch")?;
    let (ttft, e2e) = (
        seen(figure("ttft")?.or(since(first))),
        seen(figure("e2e")?.or(since(end))),
    );
    let output = tokens(figure("output")?);
    let own = seconds(figure("tpot")?);
    let mut observation = Observation {
        at,
        // A number of this size is seconds since 1970 in some year after 2001.
        unix: at.filter(|at| *at > 1e9),
        dispatch,
        input: tokens(figure("input")?),
        cached: tokens(figure("cached")?),
        output,
        reasoning: tokens(figure("reasoning")?),
        ttft,
        tpot: own.or(tpot(ttft, e2e, output)).filter(|_| ended == Outcome::Success),
        e2e,
        ..observed(gather.target(cell("target").map_or(ENDPOINT, |(text, _)| text))?, ended)
    };
    censor(&mut observation);
    gather.push(observation);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::log::Timing;

    fn message(mapping: &str) -> String {
        Mapping::parse(mapping).unwrap_err()
    }

    #[test]
    fn columns_are_taken_with_their_units() {
        let mapping =
            Mapping::parse("at=when:ms, ttft=first:ms, e2e=total, output=tokens, status=code, target=model").unwrap();
        let text = "model,when,first,total,tokens,code\na,1700000000000,250,1.25,11,200\na,1700000001000,,0.1,,503\n";
        let log = read_mapped("m.csv", text.as_bytes(), &mapping).unwrap();
        let [ok, refused] = &log.observations[..] else { panic!() };
        assert_eq!(
            (ok.ttft, ok.e2e, ok.tpot),
            (Timing::Seen(0.25), Timing::Seen(1.25), Some(0.1))
        );
        assert_eq!((ok.at, ok.unix), (Some(0.0), Some(1.7e9)));
        assert_eq!((refused.outcome, refused.ttft), (Outcome::Unavailable, Timing::Unknown));
        assert_eq!(log.targets, ["a"]);
    }

    #[test]
    fn moments_give_lengths() {
        let mapping = Mapping::parse("at=s,first=f,end=e").unwrap();
        let text = "s,f,e\n2026-01-31T12:00:00Z,2026-01-31T12:00:00.5Z,2026-01-31T12:00:02Z\n";
        let log = read_mapped("m.csv", text.as_bytes(), &mapping).unwrap();
        assert_eq!(
            (log.observations[0].ttft, log.observations[0].e2e),
            (Timing::Seen(0.5), Timing::Seen(2.0))
        );
    }

    #[test]
    fn mistakes_are_told_exactly() {
        assert_eq!(
            message("tfft=a"),
            "no field `tfft`; there are at, first, end, ttft, tpot, e2e, dispatch, input, output, cached, reasoning, target, \
             status, error (did you mean `ttft`?)"
        );
        assert_eq!(message("ttft"), "\"ttft\" is not FIELD=COLUMN or FIELD=COLUMN:UNIT");
        assert_eq!(message("ttft=a:min"), "`ttft`: no unit `min`; there are s, ms, us, ns");
        assert_eq!(
            message("ttft=a,input=b:ms"),
            "`input` has no unit, and `ms` stands there"
        );
        assert_eq!(message("ttft=a,ttft=b"), "`ttft` comes twice");
        assert_eq!(
            message("input=a"),
            "no column for `ttft`, `e2e`, `first` or `end`: there would be nothing to learn"
        );
        assert_eq!(
            message("end=a"),
            "`first` and `end` are counted from `at`, which has no column"
        );
        let mapping = Mapping::parse("ttft=first").unwrap();
        let refused = |text: &str| read_mapped("m.csv", text.as_bytes(), &mapping).unwrap_err().to_string();
        assert_eq!(
            refused("frist,b\n1,2\n"),
            "m.csv: line 1: no column `first` for `ttft`; the header has: frist, b (did you mean `frist`?)"
        );
        assert_eq!(
            refused("first,b,first\n1,2,3\n"),
            "m.csv: line 1: the header has 2 columns `first`: which is meant?"
        );
        assert_eq!(
            refused("first\n1\n-2\n"),
            "m.csv: line 3, ttft: \"-2\" is not a number of 0 or more"
        );
    }
}
