//! Request traces: when requests came, and how long they were.
//!
//! A CSV (with commas, semicolons or tabs) or one JSON object a line, packed with gzip or not, in a form that is known
//! ([`forms::FORMS`]) or with columns that the experiment names. Rows may come in any order of time. What a trace says that is not
//! heeded is told ([`Trace::notes`]), and so is what is done to its rows: failed requests are left out, times in steps of a second or
//! more are spread over their step.
//!
//! Sixteen bytes a row are held in memory.

mod forms;
mod instant;
mod records;
mod tidy;

use std::io::{self, BufRead, BufReader};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

pub use forms::{FORMS, Form};
pub(crate) use instant::instant;

use super::source::{MOST_OF_TRACE, Rows};
use crate::form::diagnose::quoted;
use crate::kernel::time::Span;
use crate::traffic::arrivals::{Reading, Row, TimeUnit};
use records::{Delimited, Lines, Records};

/// A note on where a trace of this file name is published, if it is a known one.
pub fn published_at(name: &str) -> Option<&'static str> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.starts_with("AzureLLMInferenceTrace_").then_some(
        "published at github.com/Azure/AzurePublicDataset, folder data/, under CC-BY-4.0, under this very name",
    )
}

/// The reason why a trace cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TraceError {
    /// A column is missing.
    #[error("no column `{0}`; the header has: {1}")]
    Column(String, String),
    /// A column is there more than once.
    #[error("the header has {1} columns `{0}`: which is meant?")]
    Twice(String, usize),
    /// The columns are those of no form that is known.
    #[error(
        "no trace of a known form; it has: {0}\n  known: {known}\n  any other: say in `replay` which they are, like \"columns\": \
         {{ \"time\": \"created_at\", \"input\": \"prompt_tokens\", \"output\": \"completion_tokens\" }}",
        known = forms::known()
    )]
    Unknown(String),
    /// A row cannot be read.
    #[error("line {line}: {what}")]
    Row {
        /// The line number, from 1.
        line: u64,
        /// The fault of the row.
        what: String,
    },
    /// The bytes cannot be had, are more than are read, or are of no form that is read.
    #[error("{0}")]
    Source(String),
    /// There are no rows.
    #[error("no rows under the header")]
    Empty,
    /// Rows were there, but none is left.
    #[error("none of its {0} rows is left: {1}")]
    NoneLeft(u64, String),
}

/// The most rows of a trace.
pub const MOST_ROWS: usize = 200_000_000;

/// The longest time from the first row to the last.
const LONGEST: Span = Span::from_secs(10 * 366 * 86_400);

/// A trace that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The rows in the order of their times, of which the first is zero.
    pub rows: Vec<Row>,
    /// What is not heeded of it, and what was done to its rows: a sentence each.
    pub notes: Vec<String>,
    /// What its file says of itself.
    pub facts: Facts,
}

/// What was found in a trace's file besides its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of the form that its columns are known by; `None` where they were given.
    pub form: Option<&'static str>,
    /// The number of rows in the file.
    pub read: u64,
    /// The number of rows left out because `only` asks for other values.
    pub others: u64,
    /// The number of rows left out because their requests have no answer.
    pub failed: u64,
    /// The number of rows left out because they cannot be read.
    pub bad: u64,
    /// The number of rows that are earlier than the row before.
    pub earlier: u64,
    /// The number of rows that repeat the time and both lengths of another one.
    pub duplicates: u64,
    /// When the first request came, in nanoseconds since 1970, where times are dates or count from then.
    pub starts: Option<i128>,
    /// The largest power of ten of nanoseconds that all times are whole multiples of, counted from the first.
    pub resolution: Span,
    /// The step of the clock that times were spread over, if they were.
    pub step: Option<Span>,
}

/// Reads a trace as `reading` says.
///
/// # Errors
/// If columns are missing or there twice, a value is not of its kind (and more than `skip_bad_rows` are not), times lie further apart than ten
/// years, no row is left, there are more than [`MOST_ROWS`], or `source` fails.
pub fn read(source: impl io::Read, reading: &Reading) -> Result<Trace, TraceError> {
    packed(&mut BufReader::new(source), reading)
}

fn packed(source: &mut dyn BufRead, reading: &Reading) -> Result<Trace, TraceError> {
    if begins(source)?.starts_with(&GZIP) {
        let unpacked = Rows::of(MultiGzDecoder::new(source), MOST_OF_TRACE);
        return plain(&mut BufReader::new(unpacked), reading);
    }
    plain(source, reading)
}

/// How what is packed with gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first bytes of what comes.
fn begins(source: &mut dyn BufRead) -> Result<&[u8], TraceError> {
    source.fill_buf().map_err(|error| TraceError::Source(error.to_string()))
}

fn plain(source: &mut dyn BufRead, reading: &Reading) -> Result<Trace, TraceError> {
    let begins = begins(source)?;
    let refused = match begins {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("it is packed with zstd: unpack it first, with zstd -d"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("it is UTF-16 text: save it as UTF-8"),
        _ if begins.starts_with(&GZIP) => Some("it is packed twice: unpack it once"),
        _ => None,
    };
    if let Some(why) = refused {
        return Err(TraceError::Source(why.to_owned()));
    }
    let first = begins.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{') => take(&mut Lines::new(source), reading),
        Some(b'[') => Err(TraceError::Source(
            "it is a JSON list: give one object a line, as jq -c '.[]' writes it".to_owned(),
        )),
        _ => take(&mut Delimited::new(source)?, reading),
    }
}

/// In nanoseconds, a number of seconds that no clock shows: the year 5138.
const NO_SECONDS: u128 = 100_000_000_000 * 1_000_000_000;

/// A row before its place is known: nanoseconds from the first one that was read, and tokens.
type Raw = (i64, u32, u32);

/// Reads all of `records`.
fn take(records: &mut dyn Records, reading: &Reading) -> Result<Trace, TraceError> {
    let mut columns = forms::columns(records.header()?, reading)?;
    let mut rows: Vec<Raw> = Vec::new();
    let (mut first, mut count, mut failed, mut others, mut bad) = (None, 0, 0, 0, 0);
    let mut is_dated = false;
    while let Some(line) = records.next()? {
        count += 1;
        if rows.len() == MOST_ROWS {
            let what = format!("a trace of more than {MOST_ROWS} rows");
            return Err(TraceError::Row { line, what });
        }
        columns.look(records);
        if columns
            .only
            .iter()
            .any(|(column, value)| *records.text(column) != **value)
        {
            others += 1;
            continue;
        }
        match one(records, &columns, &mut first) {
            Ok((.., 0)) if columns.form.is_some_and(|form| form.zero_is_failure) => failed += 1,
            Ok((at, input, output)) => {
                is_dated |= rows.is_empty() && records.text(&columns.time).contains(':');
                rows.push((at, input, output.max(1)));
            }
            Err(_) if bad < reading.skip_bad_rows => bad += 1,
            Err(what) => return Err(TraceError::Row { line, what }),
        }
    }
    let mut notes = columns.notes();
    let of_all = |n: u64, what: &str| (n > 0).then(|| format!("{n} of {count} rows {what}"));
    let left_out = [
        of_all(others, "are of other values than `only` asks for, and are left out"),
        of_all(failed, "have no answer, so their requests failed: they are left out"),
        of_all(bad, "cannot be read, and are left out as `skip_bad_rows` allows"),
    ];
    let left_out: Vec<String> = left_out.into_iter().flatten().collect();
    if rows.is_empty() {
        return Err(match count {
            0 => TraceError::Empty,
            count => TraceError::NoneLeft(count, left_out.join("; ")),
        });
    }
    notes.extend(left_out);
    let mut facts = Facts {
        form: columns.form.map(|form| form.name),
        read: count,
        others,
        failed,
        bad,
        ..Facts::default()
    };
    let (rows, said) = tidy::tidy(rows, &mut facts).map_err(|what| TraceError::Source(what.to_owned()))?;
    notes.extend(said);
    let starts = first.zip(facts.starts).map(|(first, earliest)| first + earliest);
    facts.starts = starts.filter(|starts| is_dated || UNIX.contains(starts));
    Ok(Trace { rows, notes, facts })
}

/// Times that count from 1970 and not from the trace's beginning: those of 2000 to 2100, in nanoseconds.
const UNIX: std::ops::Range<i128> = 946_684_800_000_000_000..4_102_444_800_000_000_000;

/// The row that `records` is at.
fn one(records: &dyn Records, columns: &forms::Columns, first: &mut Option<i128>) -> Result<Raw, String> {
    let tokens = |column: &forms::Column| {
        let found = records.text(column);
        // Some tools write whole numbers with a point.
        let digits = found.strip_suffix(".0").unwrap_or(&found);
        digits.parse::<u32>().map_err(|_| {
            format!(
                "{}: \"{}\" is not a number of tokens, from 0 to {}",
                quoted(&column.name),
                quoted(&found),
                u32::MAX
            )
        })
    };
    let found = records.text(&columns.time);
    let at = instant(&found).ok_or_else(|| {
        format!(
            "{}: \"{}\" is not a time like 2023-11-16 18:17:03.9799600 or a number of {}",
            quoted(&columns.time.name),
            quoted(&found),
            columns.unit.plural()
        )
    })?;
    let at = if found.contains(':') {
        at
    } else {
        at / columns.unit.of_a_second()
    };
    if columns.unit == TimeUnit::Seconds && !found.contains(':') && at.unsigned_abs() >= NO_SECONDS {
        let unit = match at.unsigned_abs() / NO_SECONDS {
            0..1_000 => "ms",
            1_000..1_000_000 => "us",
            _ => "ns",
        };
        return Err(format!(
            "{}: \"{}\" is no number of seconds, but of a smaller unit: say in `replay` which columns are which, with \"unit\": \"{unit}\"",
            quoted(&columns.time.name),
            quoted(&found)
        ));
    }
    let since = at - *first.get_or_insert(at);
    let far = || {
        format!(
            "{}: \"{}\" is more than ten years from the first row",
            quoted(&columns.time.name),
            quoted(&found)
        )
    };
    let since = i64::try_from(since).map_err(|_| far())?;
    if since.unsigned_abs() > LONGEST.nanos() {
        return Err(far());
    }
    Ok((since, tokens(&columns.input)?, tokens(&columns.output)?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::form::named::Named;
    use crate::traffic::arrivals::TraceColumns;

    fn plainly(text: &str) -> Result<Trace, TraceError> {
        read(text.as_bytes(), &Reading::default())
    }

    fn rows(text: &str) -> Vec<(f64, u32, u32)> {
        let rows = plainly(text).unwrap().rows;
        rows.iter()
            .map(|row| (row.at.seconds(), row.input, row.output))
            .collect()
    }

    #[test]
    fn azures_form_is_read_to_the_tenth_of_a_microsecond() {
        let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                    2023-11-16 23:59:59.9799600,4808,10\n\
                    2023-11-17 00:00:00.0319600,3180,0";
        assert_eq!(rows(text), [(0.0, 4808, 10), (0.052, 3180, 1)]);
        // That of 2024 has offsets, which may change.
        let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                    2024-05-10 00:00:00.5+00:00,2162,5\n2024-05-10 02:00:01+02:00,76,15\n";
        assert_eq!(rows(text), [(0.0, 2162, 5), (0.5, 76, 15)]);
        // That of 2025 has images.
        let text = "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2024-10-15T12:00:00.269Z,2,1,1\n";
        assert!(plainly(text).unwrap().notes[0].contains("images of its requests"));
        assert!(plainly(&text.replace(",2,", ",0,")).unwrap().notes.is_empty());
    }

    #[test]
    fn columns_may_come_in_any_order_and_times_as_seconds() {
        let text = "GeneratedTokens,x,TIMESTAMP,ContextTokens\n7,?,1.5,3\n8,?,3,4\n";
        assert_eq!(rows(text), [(0.0, 3, 7), (1.5, 4, 8)]);
        // As a table program in a country with decimal commas writes it, with a byte order mark.
        let text = "\u{feff}GeneratedTokens;TIMESTAMP;ContextTokens\n7;1,5;3\n8;3;4\n";
        assert_eq!(rows(text), [(0.0, 3, 7), (1.5, 4, 8)]);
    }

    /// The rows of BurstGPT's own README, one of which failed.
    #[test]
    fn burstgpts_failed_requests_are_left_out_and_told() {
        let text = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
                    5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,230,1317,Conversation log\n\
                    118,GPT-4,417,276,693,Conversation log\n120,ChatGPT,1360,0,1360,API log\n";
        assert_eq!(rows(text), [(0.0, 472, 18), (40.0, 1087, 230), (113.0, 417, 276)]);
        let notes = plainly(text).unwrap().notes;
        assert!(notes[0].contains("several models"), "{notes:?}");
        assert_eq!(
            notes[1],
            "1 of 4 rows have no answer, so their requests failed: they are left out"
        );
        let only = Reading {
            only: vec![("Model".to_owned(), "GPT-4".to_owned())],
            ..Reading::default()
        };
        let trace = read(text.as_bytes(), &only).unwrap();
        assert_eq!(trace.rows.len(), 1);
        assert_eq!(
            trace.notes,
            ["3 of 4 rows are of other values than `only` asks for, and are left out"]
        );
    }

    #[test]
    fn mooncakes_lines_are_milliseconds() {
        let text = "{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}\n\n\
                    {\"timestamp\": 30535, \"input_length\": 6472, \"output_length\": 26, \"hash_ids\": [46]}\n";
        assert_eq!(rows(text), [(0.0, 6955, 52), (3.053, 6472, 26)]);
        assert!(plainly(text).unwrap().notes[0].contains("hash_ids"));
    }

    #[test]
    fn any_other_form_is_read_by_its_columns_and_packed_too() {
        let text = "when,in,out\n1700000000500,1,2\n1700000001500,3,4\nnonsense,1,1\n";
        let reading = Reading {
            columns: Some(TraceColumns {
                time: "when".to_owned(),
                input: "in".to_owned(),
                output: "out".to_owned(),
                unit: TimeUnit::Milliseconds,
            }),
            skip_bad_rows: 1,
            ..Reading::default()
        };
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        for bytes in [text.as_bytes().to_vec(), packed.finish().unwrap()] {
            let trace = read(&bytes[..], &reading).unwrap();
            assert_eq!(trace.rows[1].at, Span::from_secs(1));
            assert_eq!(
                trace.notes,
                ["1 of 3 rows cannot be read, and are left out as `skip_bad_rows` allows"]
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_line() {
        let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
        for (text, message) in [
            (
                "TIMESTAMP,ContextTokens\n1,2\n".to_owned(),
                "no column `GeneratedTokens`; the header has: TIMESTAMP, ContextTokens",
            ),
            (head.to_owned(), "no rows under the header"),
            (
                format!("{head}1,2,3\n1,-2,3\n"),
                "line 3: ContextTokens: \"-2\" is not a number of tokens, from 0 to 4294967295",
            ),
            (
                format!("{head}yesterday,2,3\n"),
                "line 2: TIMESTAMP: \"yesterday\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
            ),
            (
                format!("{head}2024-02-30 00:00:00,2,3\n"),
                "line 2: TIMESTAMP: \"2024-02-30 00:00:00\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
            ),
            (
                format!("{head}0,2,3\n1000000000000000000,2,3\n"),
                "line 3: TIMESTAMP: \"1000000000000000000\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
            ),
            (
                format!("{head}0,2,3\n999999999,2,3\n"),
                "line 3: TIMESTAMP: \"999999999\" is more than ten years from the first row",
            ),
            (
                "TIMESTAMP,ContextTokens,timestamp,GeneratedTokens\n1,2,3,4\n".to_owned(),
                "the header has 2 columns `TIMESTAMP`: which is meant?",
            ),
            (format!("{head}1,2\n"), "line 2: a row of 2 cells under a header of 3"),
            (
                "{\"timestamp\": 1, \"input_length\": 2, \"output_length\": 3}\n{\n".to_owned(),
                "line 2: it is not a JSON object: EOF while parsing an object at line 2 column 0",
            ),
            (
                "\u{1f}\u{8b}".to_owned(),
                "no trace of a known form; it has: \\u{1f}\\u{8b}",
            ),
            (
                "[{\"a\": 1}]".to_owned(),
                "it is a JSON list: give one object a line, as jq -c '.[]' writes it",
            ),
        ] {
            let said = plainly(&text).unwrap_err().to_string();
            assert_eq!(said.lines().next().unwrap(), message);
        }
        let escape = plainly("\u{1b}[31mTIMESTAMP,a\n").unwrap_err().to_string();
        assert!(
            escape.starts_with("no trace of a known form; it has: \\u{1b}[31mTIMESTAMP, a"),
            "{escape}"
        );
    }

    /// Milliseconds since 1970 that are read as seconds would make a trace a thousand times as long.
    #[test]
    fn a_smaller_unit_than_seconds_is_told_by_its_numbers() {
        let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
        for (time, unit) in [
            ("1764000000123", "ms"),
            ("1764000000123456", "us"),
            ("1764000000123456789", "ns"),
        ] {
            let said = plainly(&format!("{head}{time},2,3\n")).unwrap_err().to_string();
            assert!(
                said.contains(&format!("\"unit\": \"{unit}\"")) || said.contains("is not a time"),
                "{said}"
            );
        }
        assert!(plainly(&format!("{head}1764000000.5,2,3\n")).is_ok());
    }

    #[test]
    fn a_cell_is_quoted_in_part() {
        let text = format!("TIMESTAMP,ContextTokens,GeneratedTokens\n1,{},1\n", "9".repeat(900_000));
        let message = plainly(&text).unwrap_err().to_string();
        assert!(
            message.starts_with("line 2: ContextTokens: \"999") && message.len() < 200,
            "{message}"
        );
    }

    /// A replay with columns is another reading of the same file.
    #[test]
    fn a_replay_says_how_its_trace_is_read() {
        use crate::traffic::arrivals::{BuildArrivals, Replay};
        let spec: Replay =
            serde_json::from_str(r#"{ "trace": "x", "only": { "a": "b" }, "skip_bad_rows": 3 }"#).unwrap();
        assert_eq!(spec.only, Named::from_iter([("a".to_owned(), "b".to_owned())]));
        assert_eq!(spec.reading().skip_bad_rows, 3);
        assert!(spec.ends());
    }
}
