//! Rows of a trace, as texts by column: from a CSV, or from JSON objects of a line each.

use std::borrow::Cow;
use std::io::{self, BufRead};

use serde_json::{Map, Value};

use super::TraceError;
use super::forms::Column;
use crate::form::diagnose::quoted;

/// Rows that come one after the other.
pub(super) trait Records {
    /// The names of the columns.
    ///
    /// # Errors
    /// If there are none that can be read.
    fn header(&mut self) -> Result<&[String], TraceError>;

    /// Goes to the next row, and says the line in which it begins; `None` after the last.
    ///
    /// # Errors
    /// If it is not a row, or the source fails.
    fn next(&mut self) -> Result<Option<u64>, TraceError>;

    /// What the row says in a column; nothing where it lacks it.
    fn text(&self, column: &Column) -> Cow<'_, str>;
}

/// Rows of cells, with a header.
#[derive(Debug)]
pub(super) struct Delimited<R> {
    reader: csv::Reader<R>,
    header: Vec<String>,
    record: csv::StringRecord,
}

impl<R: BufRead> Delimited<R> {
    /// The rows of `source`, whose cells are parted by what is most frequent in its first line: commas, semicolons or tabs.
    pub(super) fn new(mut source: R) -> Result<Delimited<R>, TraceError> {
        let begins = source
            .fill_buf()
            .map_err(|error| TraceError::Source(error.to_string()))?;
        let line = begins.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |delimiter: &u8| line.iter().filter(|byte| *byte == delimiter).count();
        // Of several that are as frequent the last is taken: the comma.
        let delimiter = *b"\t;,".iter().max_by_key(|delimiter| count(delimiter)).unwrap_or(&b',');
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.trim(csv::Trim::All).delimiter(delimiter).from_reader(source);
        Ok(Delimited {
            reader,
            header: Vec::new(),
            record: csv::StringRecord::new(),
        })
    }
}

impl<R: BufRead> Records for Delimited<R> {
    fn header(&mut self) -> Result<&[String], TraceError> {
        let header = self.reader.headers().map_err(|error| broken(&error, 1))?;
        self.header = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_owned())
            .collect();
        Ok(&self.header)
    }

    fn next(&mut self) -> Result<Option<u64>, TraceError> {
        let line = self.reader.position().line();
        let is_one = self
            .reader
            .read_record(&mut self.record)
            .map_err(|error| broken(&error, line))?;
        Ok(is_one.then(|| self.record.position().map_or(0, csv::Position::line)))
    }

    fn text(&self, column: &Column) -> Cow<'_, str> {
        Cow::Borrowed(self.record.get(column.place).unwrap_or_default())
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

/// JSON objects, of a line each. The columns are the members of the first.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    line: u64,
    text: String,
    header: Vec<String>,
    row: Map<String, Value>,
    /// Whether the row was read for its names and is still to be given out.
    is_first: bool,
}

impl<R: BufRead> Lines<R> {
    /// The objects of `source`.
    pub(super) fn new(source: R) -> Lines<R> {
        Lines {
            source,
            line: 0,
            text: String::new(),
            header: Vec::new(),
            row: Map::new(),
            is_first: false,
        }
    }

    /// Reads the next line that is not empty; whether there is one.
    fn advance(&mut self) -> Result<bool, TraceError> {
        loop {
            self.text.clear();
            self.line += 1;
            let line = self.line;
            let read = self
                .source
                .read_line(&mut self.text)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidData if !error.to_string().contains("longer") => TraceError::Row {
                        line,
                        what: "it is not UTF-8 text".to_owned(),
                    },
                    _ => TraceError::Source(error.to_string()),
                })?;
            if read == 0 {
                return Ok(false);
            }
            if !self.text.trim().is_empty() {
                break;
            }
        }
        self.row = serde_json::from_str(&self.text).map_err(|error| TraceError::Row {
            line: self.line,
            what: format!("it is not a JSON object: {}", quoted(&error.to_string())),
        })?;
        Ok(true)
    }
}

impl<R: BufRead> Records for Lines<R> {
    fn header(&mut self) -> Result<&[String], TraceError> {
        self.is_first = self.advance()?;
        self.header = self.row.keys().cloned().collect();
        Ok(&self.header)
    }

    fn next(&mut self) -> Result<Option<u64>, TraceError> {
        let is_one = std::mem::take(&mut self.is_first) || self.advance()?;
        Ok(is_one.then_some(self.line))
    }

    fn text(&self, column: &Column) -> Cow<'_, str> {
        match self.row.get(&column.name) {
            None | Some(Value::Null) => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
                Cow::Owned(value.to_string())
            }
        }
    }
}
