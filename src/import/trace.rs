//! Request traces as CSV: the form of the Azure LLM inference traces.
//!
//! Columns `TIMESTAMP` (YYYY-MM-DD HH:MM:SS.fffffff, or a number of seconds), `ContextTokens`, `GeneratedTokens`, in any
//! order and among others. Times are taken from the first row; rows must not go back in time. Published at
//! github.com/Azure/AzurePublicDataset, folder `data`, under CC-BY-4.0 (Patel et al., Splitwise, ISCA 2024).

use thiserror::Error;

use crate::kernel::time::Span;
use crate::traffic::arrivals::Row;

/// Where a trace may be had, if it is one that is known.
pub fn published_at(name: &str) -> Option<&'static str> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.starts_with("AzureLLMInferenceTrace_").then_some(
        "published at github.com/Azure/AzurePublicDataset, folder data/, under CC-BY-4.0, under this very name",
    )
}

/// Why a trace cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TraceError {
    /// A column is missing.
    #[error("no column `{0}`; the header has: {1}")]
    Column(&'static str, String),
    /// A row cannot be read.
    #[error("line {line}: {what}")]
    Row {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// There are no rows.
    #[error("no rows under the header")]
    Empty,
}

/// Reads a trace.
///
/// # Errors
/// If a column is missing, a value is not of its kind, time goes backwards, or there are no rows.
pub fn read(bytes: &[u8]) -> Result<Vec<Row>, TraceError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let row = |line, what: String| TraceError::Row { line, what };
    let header = reader.headers().map_err(|e| row(1, e.to_string()))?.clone();
    let column = |name: &'static str| {
        let clean = |h: &str| h.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name);
        let found: Vec<&str> = header.iter().collect();
        header
            .iter()
            .position(clean)
            .ok_or_else(|| TraceError::Column(name, found.join(", ")))
    };
    let (time, input, output) = (
        column("TIMESTAMP")?,
        column("ContextTokens")?,
        column("GeneratedTokens")?,
    );
    let mut rows: Vec<Row> = Vec::new();
    let mut first = None;
    for record in reader.records() {
        let record = record.map_err(|e| row(e.position().map_or(0, csv::Position::line), e.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let text = |column: usize| record.get(column).unwrap_or("");
        let tokens = |column: usize| {
            let found = text(column);
            found
                .parse::<u32>()
                .map_err(|_| row(line, format!("\"{found}\" is not a number of tokens")))
        };
        let at = instant(text(time)).ok_or_else(|| {
            row(
                line,
                format!(
                    "\"{}\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
                    text(time)
                ),
            )
        })?;
        let start = *first.get_or_insert(at);
        let since = u64::try_from(at - start).ok().map(Span::from_nanos);
        let (Some(at), last) = (since, rows.last().map_or(Span::ZERO, |r| r.at)) else {
            return Err(row(line, "it is earlier than the first row".into()));
        };
        if at < last {
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
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..61_000_000_000).contains(&second);
    in_range.then(|| {
        let minutes = (days(year, month, day) * 24 + hour) * 60 + minute;
        i128::from(minutes) * 60_000_000_000 + second
    })
}

/// Days since 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let year_of_era = y - era * 400;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A decimal number of seconds as nanoseconds; digits past the ninth are cut.
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
        let rows = read(b"GeneratedTokens,x,TIMESTAMP,ContextTokens\n7,?,1.5,3\n8,?,3,4\n").unwrap();
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
                "line 3: \"-2\" is not a number of tokens",
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
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), message);
        }
    }
}
