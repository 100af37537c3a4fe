//! Request traces: when requests came, and how long they were.
//!
//! A CSV (with commas, semicolons or tabs) or JSON (an object a line, a list, pages of a list, or OpenTelemetry's spans), packed with gzip or
//! zstd or not, as UTF-8 or UTF-16, or with the feature `parquet` a Parquet file, in a form that is known ([`forms::FORMS`]) or with columns that the experiment names. Rows may come in any order of time. What a trace says that is not
//! heeded is told ([`Trace::notes`]), and so is what is done to its rows: failed requests are left out, times in steps of a second or
//! more are spread over their step.
//!
//! Rows are sorted in stretches and merged, and packed into some eight bytes each; beyond 64 MB of that they lie in a temporary file,
//! so that a trace may be larger than memory. Four bytes a row are in memory where it is kept whose requests they are.

mod column;
mod forms;
mod instant;
mod kept;
mod metrics;
#[cfg(feature = "parquet")]
mod parquet;
mod prefixes;
mod records;
mod sorted;
mod spill;
mod steps;
mod tidy;
mod unzstd;
mod utf16;
mod values;
mod whole;

use std::io::{self, BufRead, BufReader};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

pub use column::column;
pub use forms::{FORMS, Form};
pub(crate) use instant::instant;
pub use whole::whole;

use super::source::{MOST_OF_TRACE, PARQUET, Rows, first_that_counts, is_json};
use crate::form::diagnose::quoted;
use crate::kernel::time::Span;
use crate::traffic::arrivals::{Reading, TimeUnit};
use crate::traffic::kept::Kept;
use crate::traffic::rows::Rows as Packed;
use metrics::Metrics;
use prefixes::Prefixes;
use records::{Delimited, Objects, Records};
use sorted::Sorter;
use steps::Steps;
use utf16::Utf16;

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
    pub rows: Packed,
    /// Whose requests they are, if that is kept.
    pub kept: Option<Kept>,
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
    /// The number of rows left out because they are not calls of a language model.
    pub aside: u64,
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
    /// Whether times are dates that do not say of which zone: they are taken for UTC.
    pub has_no_zone: bool,
    /// The largest power of ten of nanoseconds that all times are whole multiples of, counted from the first.
    pub resolution: Span,
    /// The step of the clock that times were spread over, if they were.
    pub step: Option<Span>,
    /// The time that a row's requests were counted over, the least from one row to the next, where a row stands for as many requests as it says.
    pub counted_over: Option<Span>,
}

/// Reads a trace as `reading` says.
///
/// # Errors
/// If columns are missing or there twice, a value is not of its kind (and more than `skip_bad_rows` are not), times lie further apart than ten
/// years, no row is left, there are more than [`MOST_ROWS`], or `source` fails.
pub fn read(source: impl io::Read, reading: &Reading) -> Result<Trace, TraceError> {
    let mut read = Err(TraceError::Empty);
    packed(&mut BufReader::new(source), &mut |records| {
        read = Ok(take(records, reading)?);
        Ok(())
    })?;
    read
}

/// What is done with the rows of a file, whatever its form.
type Take<'a> = dyn FnMut(&mut dyn Records) -> Result<(), TraceError> + 'a;

fn packed(source: &mut dyn BufRead, take: &mut Take<'_>) -> Result<(), TraceError> {
    let begins = begins(source)?;
    if begins.starts_with(&PARQUET) {
        return columns(source, take);
    }
    if begins.starts_with(&GZIP) {
        let unpacked = Rows::of(MultiGzDecoder::new(source), MOST_OF_TRACE);
        return plain(&mut BufReader::new(unpacked), take);
    }
    if begins.starts_with(&ZSTD) {
        let unpacked = Rows::of(unzstd::Frames::new(source), MOST_OF_TRACE);
        return plain(&mut BufReader::new(unpacked), take);
    }
    plain(source, take)
}

/// Reads a Parquet file.
#[cfg(feature = "parquet")]
fn columns(source: &mut dyn BufRead, take: &mut Take<'_>) -> Result<(), TraceError> {
    take(&mut parquet::Parquet::new(source)?)
}

/// Says what reads a Parquet file.
#[cfg(not(feature = "parquet"))]
fn columns(_: &mut dyn BufRead, _: &mut Take<'_>) -> Result<(), TraceError> {
    let text = "it is a Parquet file, and this simcap is built without the feature `parquet`: cargo install --path . --features parquet; or write it as CSV";
    Err(TraceError::Source(text.to_owned()))
}

/// How what is packed with zstd begins (RFC 8878, 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How what is packed with gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first bytes of what comes.
fn begins(source: &mut dyn BufRead) -> Result<&[u8], TraceError> {
    source.fill_buf().map_err(|error| TraceError::Source(error.to_string()))
}

fn plain(source: &mut dyn BufRead, take: &mut Take<'_>) -> Result<(), TraceError> {
    let is_big = match begins(source)? {
        [0xff, 0xfe, ..] => false,
        [0xfe, 0xff, ..] => true,
        begins if begins.starts_with(&GZIP) || begins.starts_with(&ZSTD) => {
            return Err(TraceError::Source("it is packed twice: unpack it once".to_owned()));
        }
        _ => return text(source, take),
    };
    let text_of_it = Rows::of(Utf16::new(source, is_big), MOST_OF_TRACE);
    text(&mut BufReader::new(text_of_it), take)
}

/// Reads UTF-8 text.
fn text(source: &mut dyn BufRead, take: &mut Take<'_>) -> Result<(), TraceError> {
    if begins(source)?.starts_with(MARK.as_bytes()) {
        source.consume(MARK.len());
    }
    let first = loop {
        let begins = begins(source)?;
        if begins.is_empty() {
            return Err(TraceError::Source("it is empty".to_owned()));
        }
        if let Some(first) = first_that_counts(begins) {
            break first;
        }
        let spaces = begins.len();
        source.consume(spaces);
    };
    match is_json(first) {
        true => take(&mut Objects::new(source)),
        false => take(&mut Delimited::new(source)?),
    }
}

/// The byte order mark.
const MARK: &str = "\u{feff}";

/// In nanoseconds, a number of seconds that no clock shows: the year 5138.
const NO_SECONDS: u128 = 100_000_000_000 * 1_000_000_000;

/// A row before its place is known: nanoseconds from the first one that was read, and tokens.
type Raw = (i64, u32, u32);

/// Reads all of `records`, or of the rows that they come to as metrics.
fn take(records: &mut dyn Records, reading: &Reading) -> Result<Trace, TraceError> {
    let metrics = if reading.columns.is_none() {
        Metrics::of(records)?
    } else {
        None
    };
    match metrics {
        Some(mut metrics) => take_rows(&mut metrics, reading),
        None => take_rows(records, reading),
    }
}

fn take_rows(records: &mut dyn Records, reading: &Reading) -> Result<Trace, TraceError> {
    let header = records.header()?;
    let mut columns = forms::columns(header, reading)?;
    let mut prefixes = Prefixes::of(header);
    let mut rows = Sorter::new();
    let lost = |error: io::Error| TraceError::Source(error.to_string());
    let (mut first, mut count, mut aside, mut failed, mut others, mut bad) = (None, 0, 0, 0, 0, 0);
    let (mut is_dated, mut has_no_zone) = (false, false);
    let mut steps = Steps::default();
    let (mut without_tokens, mut without_requests) = (0_u64, 0_u64);
    loop {
        let line = match records.next() {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(TraceError::Row { .. }) if bad < reading.skip_bad_rows => {
                (count, bad) = (count + 1, bad + 1);
                continue;
            }
            Err(wrong) => return Err(wrong),
        };
        count += 1;
        columns.look(records);
        if columns.is_aside(records) {
            aside += 1;
            continue;
        }
        if columns
            .only
            .iter()
            .any(|(column, value)| *records.text(column) != **value)
        {
            others += 1;
            continue;
        }
        let mut read = one(records, &columns, &mut first);
        let many = match (&columns.requests, &read) {
            (Some(column), Ok(_)) => number(&records.text(column), column, "requests"),
            (Some(_), Err(_)) | (None, _) => Ok(1),
        };
        let many = many.unwrap_or_else(|what| {
            read = Err(what);
            1
        });
        if let Ok((_, input, output)) = &mut read {
            *input = input.saturating_add(columns.more(0, records));
            *output = output.saturating_add(columns.more(1, records));
        }
        let has_failed = matches!(&read, Ok((.., 0))) && columns.has_failed(records);
        let beside = match &mut columns.keeping {
            Some(keeping) if read.is_ok() && !has_failed => {
                let kept = keeping.take(records);
                kept.map_err(|what| TraceError::Row { line, what })?
            }
            _ => 0,
        };
        match read {
            Ok(_) if has_failed => failed += 1,
            Ok((at, input, output)) => {
                if rows.len() == 0 {
                    let found = records.text(&columns.time);
                    is_dated = found.contains(':');
                    has_no_zone = is_dated && !instant::has_zone(&found);
                }
                if let Some(prefixes) = &mut prefixes {
                    prefixes.add(records, input);
                }
                if columns.requests.is_some() {
                    steps.look(at);
                    without_tokens += u64::from(many > 0 && input == 0 && output == 0);
                    without_requests += u64::from(many == 0 && (input > 0 || output > 0));
                }
                if MOST_ROWS - rows.len() < many as usize {
                    let what = format!("a trace of more than {MOST_ROWS} requests");
                    return Err(TraceError::Row { line, what });
                }
                for i in 0..many {
                    let own = |sum: u32| sum / many + u32::from(i < sum % many);
                    rows.push((at, own(input), own(output).max(1)), beside).map_err(lost)?;
                }
            }
            Err(_) if bad < reading.skip_bad_rows => bad += 1,
            Err(what) => return Err(TraceError::Row { line, what }),
        }
    }
    let mut notes = columns.notes();
    notes.extend(prefixes.and_then(|prefixes| prefixes.note()));
    notes.extend(records.notes());
    let of_all = |n: u64, what: &str| (n > 0).then(|| format!("{n} of {count} rows {what}"));
    let left_out = [
        of_all(aside, "are no calls of a language model, and are left out"),
        of_all(others, "are of other values than `only` asks for, and are left out"),
        of_all(failed, "have no answer, so their requests failed: they are left out"),
        of_all(bad, "cannot be read, and are left out as `skip_bad_rows` allows"),
        of_all(
            without_tokens,
            "have requests and no tokens: lengths and bills are too low by these",
        ),
        of_all(without_requests, "have tokens and no requests: their tokens are lost"),
    ];
    let left_out: Vec<String> = left_out.into_iter().flatten().collect();
    if rows.len() == 0 {
        return Err(match count {
            0 => TraceError::Empty,
            count => TraceError::NoneLeft(count, left_out.join("; ")),
        });
    }
    notes.extend(left_out);
    let (least, missing) = steps.told();
    let mut facts = Facts {
        form: columns.form.map(|form| form.name),
        read: count,
        aside,
        others,
        failed,
        bad,
        has_no_zone,
        counted_over: columns.requests.as_ref().map(|_| Span::from_nanos(least.unwrap_or(0))),
        ..Facts::default()
    };
    notes.extend(missing);
    notes.extend(columns.requests.as_ref().map(|column| {
        format!(
            "each of its rows is several requests (`{}`), which share its tokens evenly: how lengths differ within a row cannot be told, so tails that long \
             requests make are missing",
            quoted(&column.name)
        )
    }));
    let sorted = rows.finish().map_err(lost)?;
    let (rows, of_row, said) = tidy::tidy(&sorted, columns.keeping.is_some(), &mut facts).map_err(lost)?;
    notes.extend(said);
    let kept = columns.keeping.map(|keeping| {
        let (kept, said) = keeping.kept(of_row);
        notes.extend(said);
        kept
    });
    let starts = first.zip(facts.starts).map(|(first, earliest)| first + earliest);
    facts.starts = starts.filter(|starts| is_dated || UNIX.contains(starts));
    Ok(Trace {
        rows,
        kept,
        notes,
        facts,
    })
}

/// Times that count from 1970 and not from the trace's beginning: those of 2000 to 2100, in nanoseconds.
const UNIX: std::ops::Range<i128> = 946_684_800_000_000_000..4_102_444_800_000_000_000;

/// What a column says, which must be a number of `what`.
fn number(found: &str, column: &forms::Column, what: &str) -> Result<u32, String> {
    // Some tools write whole numbers with a point, or where commas are points with one; of two zeros it would part thousands.
    let whole = found.strip_suffix(".0").or_else(|| found.strip_suffix(",0"));
    let digits = whole.unwrap_or(found);
    digits.parse::<u32>().map_err(|_| {
        format!(
            "{}: \"{}\" is not a number of {what}, from 0 to {}",
            quoted(&column.name),
            quoted(found),
            u32::MAX
        )
    })
}

/// The row that `records` is at.
fn one(records: &dyn Records, columns: &forms::Columns, first: &mut Option<i128>) -> Result<Raw, String> {
    let tokens = |column: &forms::Column| number(&records.text(column), column, "tokens");
    let found = records.text(&columns.time);
    let at = instant(&found).ok_or_else(|| {
        if found.contains(':') && found.starts_with(|c: char| c.is_ascii_digit()) && found.contains(['-', '.']) {
            return format!(
                "{}: there is no time \"{}\"",
                quoted(&columns.time.name),
                quoted(&found)
            );
        }
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
mod tests;
