//! Request traces as CSV: the form of the Azure LLM inference traces.
//!
//! Columns `TIMESTAMP` (YYYY-MM-DD HH:MM:SS.fffffff, or a number of seconds), `ContextTokens`, `GeneratedTokens`, in any
//! order and among others. Times are taken from the first row; rows must not go back in time. Published at
//! github.com/Azure/AzurePublicDataset, folder `data`, under CC-BY-4.0 (Patel et al., Splitwise, ISCA 2024).

use std::io;

use thiserror::Error;

use crate::form::diagnose::quoted;
use crate::kernel::time::Span;
use crate::traffic::arrivals::Row;

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
    Column(&'static str, String),
    /// A column is there more than once.
    #[error("the header has {1} columns `{0}`: which is meant?")]
    Twice(&'static str, usize),
    /// A row cannot be read.
    #[error("line {line}: {what}")]
    Row {
        /// The line number, from 1.
        line: u64,
        /// The fault of the row.
        what: String,
    },
    /// The bytes cannot be had, or are more than are read.
    #[error("{0}")]
    Source(String),
    /// There are no rows.
    #[error("no rows under the header")]
    Empty,
}

/// The most rows of a trace.
pub const MOST_ROWS: usize = 200_000_000;

/// The longest time from the first row to the last.
const LONGEST: Span = Span::from_secs(10 * 366 * 86_400);

/// Reads a trace, row by row.
///
/// # Errors
/// If a column is missing or there twice, a value is not of its kind, time goes backwards or further than ten years, there are
/// no rows or more than [`MOST_ROWS`], or `source` fails.
pub fn read(source: impl io::Read) -> Result<Vec<Row>, TraceError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let row = |line, what: String| TraceError::Row { line, what };
    let header = reader.headers().map_err(|e| broken(&e, 1))?.clone();
    let column = |name: &'static str| {
        let is_it = |h: &str| h.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name);
        let mut places = header
            .iter()
            .enumerate()
            .filter(|(_, h)| is_it(h))
            .map(|(place, _)| place);
        match (places.next(), places.count()) {
            (Some(place), 0) => Ok(place),
            (Some(_), more) => Err(TraceError::Twice(name, more + 1)),
            (None, _) => {
                let found: Vec<&str> = header.iter().collect();
                Err(TraceError::Column(name, quoted(&found.join(", "))))
            }
        }
    };
    let (time, input, output) = (
        column("TIMESTAMP")?,
        column("ContextTokens")?,
        column("GeneratedTokens")?,
    );
    let mut rows: Vec<Row> = Vec::new();
    let mut first = None;
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        if !reader.read_record(&mut record).map_err(|e| broken(&e, line))? {
            break;
        }
        let line = record.position().map_or(0, csv::Position::line);
        if rows.len() == MOST_ROWS {
            return Err(row(line, format!("a trace of more than {MOST_ROWS} rows")));
        }
        let text = |column: usize| record.get(column).unwrap_or("");
        let tokens = |column: usize| {
            let found = text(column);
            found.parse::<u32>().map_err(|_| {
                let what = format!(
                    "\"{}\" is not a number of tokens, from 0 to {}",
                    quoted(found),
                    u32::MAX
                );
                row(line, what)
            })
        };
        let at = instant(text(time)).ok_or_else(|| {
            row(
                line,
                format!(
                    "\"{}\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
                    quoted(text(time))
                ),
            )
        })?;
        let since = at - *first.get_or_insert(at);
        if since < 0 {
            return Err(row(line, "it is earlier than the first row".into()));
        }
        let at = match u64::try_from(since).map(Span::from_nanos) {
            Ok(at) if at <= LONGEST => at,
            _ => {
                let what = format!("\"{}\" is more than ten years after the first row", quoted(text(time)));
                return Err(row(line, what));
            }
        };
        if at < rows.last().map_or(Span::ZERO, |r| r.at) {
            return Err(row(line, "it is earlier than the row before".into()));
        }
        rows.push(Row {
            at,
            input: tokens(input)?,
            output: tokens(output)?.max(1),
        });
    }
    if rows.is_empty() {
        Err(TraceError::Empty)
    } else {
        Ok(rows)
    }
}

/// What the reader of rows says of one at `line` or below.
fn broken(error: &csv::Error, line: u64) -> TraceError {
    let line = error.position().map_or(line, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::Io(why) => return TraceError::Source(why.to_string()),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("a row of {len} cells under a header of {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8 text".to_owned(),
        other => quoted(&format!("{other:?}")),
    };
    TraceError::Row { line, what }
}

/// Nanoseconds since 1970 of a date with a clock, or since whatever a number of seconds counts from.
pub(crate) fn instant(text: &str) -> Option<i128> {
    let Some((date, clock)) = text.split_once([' ', 'T']) else {
        return decimal(text);
    };
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut clock = clock.trim_end_matches('Z').splitn(3, ':');
    let (hour, minute) = (clock.next()?.parse::<i64>().ok()?, clock.next()?.parse::<i64>().ok()?);
    let second = decimal(clock.next()?)?;
    let in_range = (0..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..61_000_000_000).contains(&second);
    in_range.then(|| {
        let minutes = (days(year, month, day) * 24 + hour) * 60 + minute;
        i128::from(minutes) * 60_000_000_000 + second
    })
}

/// Days of a month in the Gregorian calendar.
const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let year_of_era = y - era * 400;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A decimal number of seconds as nanoseconds; digits past the ninth are dropped.
fn decimal(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let nanos = format!("{:0<9}", &part[..part.len().min(9)]);
    Some(whole.parse::<i128>().ok()? * 1_000_000_000 + nanos.parse::<i128>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azures_form_is_read_to_the_tenth_of_a_microsecond() {
        let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                    2023-11-16 23:59:59.9799600,4808,10\n\
                    2023-11-17 00:00:00.0319600,3180,0";
        let rows = read(text.as_bytes()).unwrap();
        assert_eq!(
            rows[0],
            Row {
                at: Span::ZERO,
                input: 4808,
                output: 10
            }
        );
        assert_eq!(
            rows[1],
            Row {
                at: Span::from_nanos(52_000_000),
                input: 3180,
                output: 1
            }
        );
    }

    #[test]
    fn columns_may_come_in_any_order_and_times_as_seconds() {
        let rows = read(&b"GeneratedTokens,x,TIMESTAMP,ContextTokens\n7,?,1.5,3\n8,?,3,4\n"[..]).unwrap();
        assert_eq!(
            rows[1],
            Row {
                at: Span::from_millis(1500),
                input: 4,
                output: 8
            }
        );
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
                "line 3: \"-2\" is not a number of tokens, from 0 to 4294967295",
            ),
            (
                format!("{head}5,2,3\n6,2,3\n4,2,3\n"),
                "line 4: it is earlier than the first row",
            ),
            (
                format!("{head}5,2,3\n7,2,3\n6,2,3\n"),
                "line 4: it is earlier than the row before",
            ),
            (
                format!("{head}yesterday,2,3\n"),
                "line 2: \"yesterday\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
            ),
            (
                format!("{head}2024-02-30 00:00:00,2,3\n"),
                "line 2: \"2024-02-30 00:00:00\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
            ),
            (
                format!("{head}0,2,3\n1000000000000000000,2,3\n"),
                "line 3: \"1000000000000000000\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
            ),
            (
                format!("{head}0,2,3\n999999999,2,3\n"),
                "line 3: \"999999999\" is more than ten years after the first row",
            ),
            (
                "TIMESTAMP,ContextTokens,timestamp,GeneratedTokens\n1,2,3,4\n".to_owned(),
                "the header has 2 columns `TIMESTAMP`: which is meant?",
            ),
            (format!("{head}1,2\n"), "line 2: a row of 2 cells under a header of 3"),
            (
                "\u{1b}[31mTIMESTAMP,a\n".to_owned(),
                "no column `TIMESTAMP`; the header has: \\u{1b}[31mTIMESTAMP, a",
            ),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_cell_is_quoted_in_part() {
        let text = format!("TIMESTAMP,ContextTokens,GeneratedTokens\n1,{},1\n", "9".repeat(900_000));
        let message = read(text.as_bytes()).unwrap_err().to_string();
        assert!(message.starts_with("line 2: \"999") && message.len() < 200, "{message}");
    }

    /// The leap years of the Gregorian calendar: 2000 is one, 1900 and 2100 are not.
    #[test]
    fn a_day_that_its_month_lacks_is_no_date() {
        for (date, is_one) in [
            ("2024-02-29", true),
            ("2023-02-29", false),
            ("2000-02-29", true),
            ("1900-02-29", false),
            ("2023-04-31", false),
            ("2023-12-31", true),
        ] {
            assert_eq!(instant(&format!("{date} 12:00:00")).is_some(), is_one, "{date}");
        }
    }
}
