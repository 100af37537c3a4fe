//! Rows of a trace, as texts by column: from a CSV, or from JSON objects, whose inner members have names that points part
//! (`usageDetails.input`).

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io::BufRead;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::TraceError;
use super::forms::Column;
use super::values::Values;
use crate::form::diagnose::quoted;
use crate::import::{python, spans};

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

    /// Whether numbers may have a decimal comma, because cells are parted by something else that goes with it.
    fn has_decimal_commas(&self) -> bool {
        false
    }

    /// What is to be said of the whole, once it is read.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Rows of cells, with a header.
#[derive(Debug)]
pub(super) struct Delimited<R> {
    reader: csv::Reader<R>,
    header: Vec<String>,
    record: csv::StringRecord,
    delimiter: u8,
    /// Lines before the header.
    before: u64,
}

/// An object, and the line in which it begins.
type Object = (u64, Map<String, Value>);

impl<R: BufRead> Delimited<R> {
    /// The rows of `source`, whose cells are parted by what is most frequent in its first line: commas, semicolons, tabs or bars; or by what a line
    /// `sep=` before them says, as Excel writes it.
    pub(super) fn new(mut source: R) -> Result<Delimited<R>, TraceError> {
        let begins = source
            .fill_buf()
            .map_err(|error| TraceError::Source(error.to_string()))?;
        let line = begins.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |delimiter: &u8| line.iter().filter(|byte| *byte == delimiter).count();
        // Of several that are as frequent the last is taken: the comma.
        let most = *b"|\t;,"
            .iter()
            .max_by_key(|delimiter| count(delimiter))
            .unwrap_or(&b',');
        let said = line.trim_ascii().strip_prefix(b"sep=").filter(|said| said.len() == 1);
        let (delimiter, before) = said.map_or((most, 0), |said| (said[0], line.len() + 1));
        source.consume(before);
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.trim(csv::Trim::All).delimiter(delimiter).from_reader(source);
        Ok(Delimited {
            reader,
            header: Vec::new(),
            record: csv::StringRecord::new(),
            delimiter,
            before: u64::from(before > 0),
        })
    }
}

impl<R: BufRead> Records for Delimited<R> {
    fn header(&mut self) -> Result<&[String], TraceError> {
        let header = self.reader.headers().map_err(|error| broken(&error, 1, self.before))?;
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
            .map_err(|error| broken(&error, line, self.before))?;
        Ok(is_one.then(|| self.record.position().map_or(0, csv::Position::line) + self.before))
    }

    fn has_decimal_commas(&self) -> bool {
        self.delimiter == b';'
    }

    fn text(&self, column: &Column) -> Cow<'_, str> {
        Cow::Borrowed(self.record.get(column.place).unwrap_or_default())
    }
}

/// What the reader of rows says of one at `line` or below, where so many lines came before.
fn broken(error: &csv::Error, line: u64, before: u64) -> TraceError {
    let line = error.position().map_or(line, csv::Position::line) + before;
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

/// JSON objects: one after the other, in a list, or in the list of a page; or OpenTelemetry's spans.
#[derive(Debug)]
pub(super) struct Objects<R> {
    values: Values<R>,
    header: Vec<String>,
    row: Map<String, Value>,
    /// Rows that were read for the names of their members and are still to be given out, with their lines; or what is wrong with them.
    ahead: VecDeque<Result<Object, TraceError>>,
    /// How many figures were not finite, as Python writes them.
    not_finite: u64,
}

/// So many rows at most are looked at for the names of their members: not every row has each.
const AHEAD: usize = 50;

/// So many levels of objects within a row have names, which points part.
const LEVELS: usize = 3;

/// The most names that are looked for.
const MOST_NAMES: usize = 1000;

/// The members of an object, of which no two have the same name.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("`{name}` is there twice")));
                    }
                    members.insert(name, value);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

impl<R: BufRead> Objects<R> {
    /// The objects of `source`.
    pub(super) fn new(source: R) -> Objects<R> {
        Objects {
            values: Values::new(source),
            header: Vec::new(),
            row: Map::new(),
            ahead: VecDeque::new(),
            not_finite: 0,
        }
    }

    /// Reads the next object, with the line in which it begins.
    fn read(&mut self) -> Result<Option<Object>, TraceError> {
        let Some(line) = self.values.next()? else {
            return Ok(None);
        };
        let wrong = |what: String| TraceError::Row { line, what };
        let text = std::str::from_utf8(self.values.text());
        let text = text.map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
        let row = serde_json::from_str(text).or_else(|error| {
            let (plain, many) = python::as_json(text.as_bytes());
            self.not_finite += many;
            if many > 0 {
                serde_json::from_slice(&plain)
            } else {
                Err(error)
            }
        });
        let Members(row) = row.map_err(|error: serde_json::Error| {
            let said = error.to_string();
            // The place is within the row.
            let cut = said.rfind(" at line ").unwrap_or(said.len());
            wrong(format!("it is not a JSON object: {}", quoted(&said[..cut])))
        })?;
        let row = if self.values.is_span() { spans::row(row) } else { row };
        Ok(Some((line, row)))
    }
}

/// Adds the names of what `row` holds, behind `before`, that are not there yet.
fn add_names(row: &Map<String, Value>, before: &str, levels: usize, names: &mut Vec<String>) {
    for (name, value) in row {
        let name = format!("{before}{name}");
        if let (Value::Object(inner), true) = (value, levels > 1) {
            add_names(inner, &format!("{name}."), levels - 1, names);
        }
        if names.len() < MOST_NAMES && !names.contains(&name) {
            names.push(name);
        }
    }
}

/// The member of this name, or of an object within if points part its name.
fn member<'a>(row: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    row.get(name).or_else(|| {
        let (outer, inner) = name.split_once('.')?;
        member(row.get(outer)?.as_object()?, inner)
    })
}

impl<R: BufRead> Records for Objects<R> {
    fn header(&mut self) -> Result<&[String], TraceError> {
        while self.ahead.len() < AHEAD {
            let read = match self.read() {
                Ok(None) => break,
                Ok(Some(read)) => {
                    add_names(&read.1, "", LEVELS, &mut self.header);
                    Ok(read)
                }
                // A row may be left out, and is told when it comes.
                Err(wrong @ TraceError::Row { .. }) => Err(wrong),
                Err(lost) => return Err(lost),
            };
            self.ahead.push_back(read);
        }
        let first = self.ahead.iter().find_map(|read| read.as_ref().err());
        match first {
            _ if self.ahead.is_empty() => Err(TraceError::Source("it has no rows: its lists are empty".to_owned())),
            Some(wrong) if self.header.is_empty() => Err(wrong.clone()),
            Some(_) | None => Ok(&self.header),
        }
    }

    fn next(&mut self) -> Result<Option<u64>, TraceError> {
        let next = match self.ahead.pop_front() {
            Some(read) => Some(read?),
            None => self.read()?,
        };
        Ok(next.map(|(line, row)| {
            self.row = row;
            line
        }))
    }

    fn text(&self, column: &Column) -> Cow<'_, str> {
        match member(&self.row, &column.name) {
            None | Some(Value::Null) => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
                Cow::Owned(value.to_string())
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        let both = [self.values.missing(), python::note(self.not_finite)];
        both.into_iter().flatten().collect()
    }
}
