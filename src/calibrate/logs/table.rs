//! Tables of text: cells separated by commas, semicolons, tabs or bars, read with the numbers of the lines they stand on.
//!
//! Lines end in LF or CRLF, and a quoted cell may hold line ends. The csv crate counts a CRLF as the end of one line and the
//! beginning of the next, so lines are counted here, from the place of each row in the file. What separates cells is what
//! the header says: the separator by which it has the names that are wanted.

use super::{Mistake, printable, quoted};
use crate::form::diagnose::nearest;

/// What may separate cells, the usual one first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A table: its header and its rows.
pub(super) struct Table {
    /// The names of the columns.
    pub(super) header: csv::StringRecord,
    /// The rows, each with the number of the line that it begins on.
    pub(super) rows: Vec<(usize, csv::StringRecord)>,
    /// Whether cells are separated by commas, so that a figure can have none.
    pub(super) by_comma: bool,
}

/// Reads the table in `bytes`, whose header should have the columns `wanted`.
///
/// # Errors
/// If a row has another number of cells than the header, or the text is not UTF-8.
pub(super) fn table(bytes: &[u8], wanted: &[&str]) -> Result<Table, Mistake> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let separator = separator(bytes, wanted);
    let mut reader = reader(bytes, separator);
    let header = reader.headers().map_err(|e| mistake(bytes, &e))?.clone();
    let (mut rows, mut line, mut counted) = (Vec::new(), 1, 0);
    for record in reader.records() {
        let record = record.map_err(|e| mistake(bytes, &e))?;
        let begins = begin(bytes, record.position());
        line += line_ends(&bytes[counted..begins]);
        counted = begins;
        rows.push((line, record));
    }
    Ok(Table {
        header,
        rows,
        by_comma: separator == b',',
    })
}

fn reader(bytes: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    let mut builder = csv::ReaderBuilder::new();
    builder.trim(csv::Trim::All).delimiter(separator).from_reader(bytes)
}

/// The separator by which the header has the most of `wanted`; of equals, by which it has the most columns.
fn separator(bytes: &[u8], wanted: &[&str]) -> u8 {
    let worth = |separator: &u8| {
        let mut reader = reader(bytes, *separator);
        let header = reader.headers().cloned().unwrap_or_default();
        let has = wanted.iter().filter(|name| header.iter().any(|h| h == **name)).count();
        (has, header.len())
    };
    // The last of equals counts for `max`, and the comma comes first.
    SEPARATORS.into_iter().rev().max_by_key(worth).unwrap_or(b',')
}

/// Where the row begins: what stands before it of a line end is not part of it.
fn begin(bytes: &[u8], position: Option<&csv::Position>) -> usize {
    let at = position
        .map_or(0, |p| usize::try_from(p.byte()).unwrap_or(usize::MAX))
        .min(bytes.len());
    at + bytes[at..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count()
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b == b'\n').count()
}

/// The line of the file at which the csv crate found a mistake, and what it is.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's kinds of error, of which there may be more"
)]
pub(super) fn mistake(bytes: &[u8], error: &csv::Error) -> Mistake {
    let at = begin(bytes, error.position());
    let place = match error.position() {
        Some(_) => format!("line {}", 1 + line_ends(&bytes[..at])),
        None => String::new(),
    };
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, and the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        csv::ErrorKind::Deserialize { err, .. } => {
            let column = err.field().and_then(|i| usize::try_from(i).ok());
            let column = column.map_or(String::new(), |i| format!("column {}: ", i + 1));
            format!("{column}{}", printable(&err.kind().to_string()))
        }
        _ => printable(&error.to_string()),
    };
    Mistake::new(place, what)
}

/// The place of the column of this name, if there is one.
///
/// # Errors
/// If there are several: which is meant cannot be told.
pub(super) fn one_column(header: &csv::StringRecord, name: &str) -> Result<Option<usize>, Mistake> {
    let mut places = header
        .iter()
        .enumerate()
        .filter(|(_, h)| *h == name)
        .map(|(place, _)| place);
    let first = places.next();
    match places.count() {
        0 => Ok(first),
        more => {
            let what = format!(
                "the header has {} columns `{}`: which is meant?",
                more + 1,
                quoted(name)
            );
            Err(Mistake::new("line 1", what))
        }
    }
}

/// The place of the column of this name, which `field` is to come from.
///
/// # Errors
/// If there is none, or there are several.
pub(super) fn column(header: &csv::StringRecord, name: &str, field: &str) -> Result<usize, Mistake> {
    one_column(header, name)?.ok_or_else(|| {
        let names: Vec<&str> = header.iter().collect();
        let meant =
            nearest(name, names.iter().copied()).map_or(String::new(), |n| format!(" (did you mean `{}`?)", quoted(n)));
        let what = format!(
            "no column `{}` for `{field}`; the header has: {}{meant}",
            quoted(name),
            printable(&names.join(", "))
        );
        Mistake::new("line 1", what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_on_their_lines() {
        for end in ["\n", "\r\n"] {
            let text = ["a,b", "1,2", "", "\"x", "y\",3", "4,5"].join(end) + end;
            let table = table(text.as_bytes(), &["a"]).unwrap();
            let lines: Vec<_> = table
                .rows
                .iter()
                .map(|(line, row)| (*line, row.get(1).unwrap()))
                .collect();
            assert_eq!(lines, [(2, "2"), (4, "3"), (6, "5")], "{end:?}");
            let short = ["a,b", "1,2", "3"].join(end) + end;
            let told = super::table(short.as_bytes(), &[]).err().unwrap();
            assert_eq!(told, Mistake::new("line 3", "1 cells, and the header has 2"), "{end:?}");
        }
    }

    #[test]
    fn cells_are_separated_by_what_the_header_says() {
        for (text, by_comma) in [
            ("a,b\n1,2\n", true),
            ("a;b\n1,5;2\n", false),
            ("a\tb\n1\t2\n", false),
            ("\u{feff}a|b\n1|2\n", false),
        ] {
            let table = table(text.as_bytes(), &["b"]).unwrap();
            assert_eq!(
                (table.by_comma, table.rows[0].1.get(1)),
                (by_comma, Some("2")),
                "{text:?}"
            );
            assert_eq!(table.header.get(0), Some("a"));
        }
        // Without a name to go by, the most columns; with a comma in a name, the name.
        assert_eq!(table(b"a;b;c,d\n1;2;3\n", &[]).unwrap().header.len(), 3);
        assert!(!table(b"a,b;c\n1;2\n", &["a,b"]).unwrap().by_comma);
    }
}
