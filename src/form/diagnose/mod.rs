//! Mistakes in a file from outside: where it is, what was found, what is allowed, what was probably meant.
//!
//! [`parse`] reads JSON with comments into any type; an [`Error`] names file, line, column and JSON path, shows the line
//! and points at the value, and lists the allowed names with the nearest one. [`Error::at`] says the same of a mistake
//! found after parsing. No input panics, and what is printed holds no control characters of the file's.
//! serde stops at the first mistake; `several` finds those that stand beside it, so that a file can be mended in one go.

mod explain;
mod locate;
mod render;
mod several;

pub use explain::nearest;
pub use locate::Seg;
pub(crate) use locate::is_plain;
pub use render::{printable, quoted};

use super::comments::blank_comments;
use super::tree::{self, Mistake, Tree};
use explain::explain;
use locate::{Duplicate, Shown, find_duplicate, find_unclosed, locate};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};
use std::borrow::Cow;
use std::ops::Deref;

/// The largest file that is searched for more than its first mistake: it is read once for each.
const MOST_BYTES: usize = 4_000_000;

/// A mistake in a file, ready to print: the fields are those of [`Diagnosis`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(Box<Diagnosis>);

/// What is known of a mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The file, as the caller named it.
    pub file: String,
    /// The JSON path, such as `policies[0].policy`; empty for the whole file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The names that are allowed here, if the mistake is an unknown or missing name.
    pub allowed: Vec<String>,
    /// The line of the file and a mark under the place; empty where there is nothing to show.
    pub snippet: String,
    /// Further mistakes in the same file, in its order.
    pub also: Vec<Diagnosis>,
}

impl Deref for Error {
    type Target = Diagnosis;

    fn deref(&self) -> &Diagnosis {
        &self.0
    }
}

impl Error {
    /// A mistake in the value at `path` of `text`, found after parsing. If `text` has no such place, the deepest part
    /// of the path that it has is shown.
    pub fn at(file: &str, text: &str, path: &[Seg], message: impl Into<String>) -> Error {
        let source = Source::new(file, text);
        source.error(locate(&source.json, path).value, path, message.into())
    }

    /// A mistake at a JSON path, pointing at the key of the member instead of its value.
    pub fn at_key(file: &str, text: &str, path: &[Seg], message: impl Into<String>) -> Error {
        let source = Source::new(file, text);
        let place = locate(&source.json, path);
        let key = place.key.filter(|_| place.depth == path.len());
        source.error(key.unwrap_or(place.value), path, message.into())
    }

    /// A mistake in `line` (from 1) of a text that is not JSON, at `column` (from 1, in characters; 0 for the line as a
    /// whole).
    pub fn in_line(file: &str, text: &str, line: usize, column: usize, message: impl Into<String>) -> Error {
        let source = Source {
            file,
            text,
            json: Cow::Borrowed(text),
        };
        let start = render::offset(text, line, 0);
        let before: usize = text[start..]
            .chars()
            .take(column.saturating_sub(1))
            .map(char::len_utf8)
            .sum();
        source.error(start + before, &[], message.into())
    }

    /// One error of this mistake and others in the same file, in the order of their places.
    #[must_use]
    pub fn beside(self, others: impl IntoIterator<Item = Error>) -> Error {
        let others = others.into_iter().chain([self]);
        let mut all: Vec<Diagnosis> = others
            .flat_map(|Error(mut of)| {
                let also = std::mem::take(&mut of.also);
                std::iter::once(*of).chain(also)
            })
            .collect();
        all.sort_by_key(|one| (one.line, one.column));
        let also = all.split_off(1);
        let first = all.remove(0);
        Error(Box::new(Diagnosis { also, ..first }))
    }

    /// With what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(render::printable(&hint.into()));
        self
    }

    /// With the names that are allowed instead of `found`, and the nearest of them as the hint.
    #[must_use]
    pub fn with_allowed<'a>(mut self, found: &str, allowed: impl IntoIterator<Item = &'a str>) -> Error {
        let allowed: Vec<&str> = allowed.into_iter().collect();
        self.0.allowed = allowed.iter().map(|name| render::printable(name)).collect();
        match nearest(found, allowed) {
            Some(name) => self.with_hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// Reads `text`, JSON with comments, as a `T`; `file` is what errors call it.
///
/// # Errors
/// If it is not JSON, not a `T`, has a key twice in one object or a list in place of an object with fields, or goes on after the
/// end of the value.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Error> {
    let source = Source::new(file, text);
    if source.json.trim().is_empty() {
        return Err(source.error(0, &[], "the file is empty: a JSON value is missing".into()));
    }
    let mut deserializer = serde_json::Deserializer::from_str(&source.json);
    let tree: Tree = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| source.parser_error(error.inner(), &segments(error.path())))?;
    deserializer.end().map_err(|error| source.parser_error(&error, &[]))?;
    let value = tree::read(&tree).map_err(|first| source.mistakes::<T>(&tree, first))?;
    // A map takes the last of two equal keys in silence, so they are looked for here.
    match find_duplicate(&source.json) {
        Some(found) => Err(source.duplicate_error(&found)),
        None => Ok(value),
    }
}

/// Parses a file from bytes that should be UTF-8.
///
/// # Errors
/// Those of [`parse`], and bytes that are not UTF-8.
pub fn parse_bytes<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, Error> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return parse(file, text),
        Err(error) => error,
    };
    let text = String::from_utf8_lossy(bytes);
    let offset = error.valid_up_to();
    let source = Source {
        file,
        text: &text,
        json: Cow::Borrowed(&text),
    };
    let found = bytes.get(offset).copied().unwrap_or_default();
    let error = source.error(offset, &[], format!("not UTF-8 text: found the byte 0x{found:02x}"));
    Err(match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => error.with_hint("the file is UTF-16: save it as UTF-8"),
        _ => error.with_hint("save the file as UTF-8"),
    })
}

/// A file's text, and the same with its comments blanked: offsets fit both.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
    json: Cow<'a, str>,
}

impl<'a> Source<'a> {
    /// A byte order mark is not a part of the text: editors do not show it.
    fn new(file: &'a str, text: &'a str) -> Source<'a> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Source {
            file,
            text,
            json: blank_comments(text),
        }
    }

    fn error(&self, offset: usize, path: &[Seg], message: String) -> Error {
        let place = render::Place::of(self.text, offset);
        Error(Box::new(Diagnosis {
            file: render::printable(self.file),
            path: render::printable(&Shown(path).to_string()),
            line: place.line,
            column: place.column,
            message: render::printable(&message),
            hint: None,
            allowed: Vec::new(),
            snippet: place.snippet(),
            also: Vec::new(),
        }))
    }

    /// The text is not JSON.
    fn parser_error(&self, error: &serde_json::Error, path: &[Seg]) -> Error {
        let message = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let message = message.strip_suffix(&position).unwrap_or(&message);
        let read = render::offset(&self.json, error.line(), error.column());
        match error.classify() {
            Category::Eof => self.eof_error(message, path),
            Category::Syntax | Category::Io | Category::Data => {
                self.syntax_error(message, read.saturating_sub(1), path)
            }
        }
    }

    /// JSON, but not what it should be, in one place or in several.
    fn mistakes<T: DeserializeOwned>(&self, tree: &Tree, first: Mistake) -> Error {
        let found = match self.json.len() {
            ..MOST_BYTES => several::mistakes::<T>(tree, first),
            _ => vec![first],
        };
        self.together(&found)
    }

    /// One error of all mistakes, in the order of their places; of those alike at one place, the first.
    fn together(&self, found: &[Mistake]) -> Error {
        let mut all: Vec<Diagnosis> = found.iter().map(|mistake| *self.mistake(mistake).0).collect();
        let mut seen = Vec::new();
        all.retain(|one| {
            let place = (one.line, one.column, one.message.clone());
            let is_new = !seen.contains(&place);
            seen.push(place);
            is_new
        });
        all.sort_by_key(|one| (one.line, one.column));
        let also = all.split_off(1);
        let first = all.remove(0);
        Error(Box::new(Diagnosis { also, ..first }))
    }

    /// What one mistake is, and where.
    fn mistake(&self, mistake: &Mistake) -> Error {
        let path = &mistake.path()[..];
        if let Some(found) = find_duplicate(&self.json)
            && (mistake.message().starts_with("duplicate field `") || found.path == path)
        {
            return self.duplicate_error(&found);
        }
        let place = locate(&self.json, path);
        let key = place.key.filter(|_| place.depth == path.len() && mistake.is_of_key());
        let explained = explain(mistake.message());
        let error = self.error(key.unwrap_or(place.value), path, explained.message);
        error.with_allowed(
            explained.found.as_deref().unwrap_or_default(),
            explained.allowed.iter().map(String::as_str),
        )
    }

    fn eof_error(&self, message: &str, path: &[Seg]) -> Error {
        let message = match message.strip_prefix("EOF while parsing ") {
            Some("a value") | None => "the file ends where a value should be".into(),
            Some(inside) => format!("the file ends inside {inside}"),
        };
        let error = self.error(self.json.trim_end().len(), path, message);
        let Some(offset) = find_unclosed(&self.json) else {
            return error;
        };
        let place = render::Place::of(self.text, offset);
        let mark = if self.json[offset..].starts_with('"') {
            "quote"
        } else {
            "bracket"
        };
        error.with_hint(format!("the {mark} at {}:{} is never closed", place.line, place.column))
    }

    /// Not JSON: the byte at `offset` is out of place.
    fn syntax_error(&self, message: &str, offset: usize, path: &[Seg]) -> Error {
        let rest = self.json.get(offset..).unwrap_or_default();
        let next = rest.chars().next().unwrap_or_default();
        let (message, hint) = match message {
            _ if rest.starts_with("/*") => ("a comment that never ends", "close it with */"),
            _ if next == '\'' => ("expected a value or a key", "strings stand in double quotes"),
            "expected value" => match next {
                '+' | '.' => ("expected a value", "a number begins with a digit or `-`"),
                c if c.is_alphabetic() => (
                    "expected a value",
                    "words other than true, false and null stand in double quotes",
                ),
                _ => ("expected a value", ""),
            },
            "key must be a string" => (message, "keys stand in double quotes"),
            "trailing comma" => (message, "remove the comma before the closing bracket"),
            "trailing characters" => ("the file goes on after the end of its JSON value", ""),
            "recursion limit exceeded" => ("brackets are nested too deep", "127 levels are allowed"),
            "expected ident" => ("expected true, false or null", "other words stand in double quotes"),
            "expected `,` or `}`" | "expected `,` or `]`" if "\"{[".contains(next) => (message, "is a comma missing?"),
            "expected `,` or `]`" if next == ':' => (
                message,
                "in a list stand values alone; a name with a value stands in an object, {…}",
            ),
            "expected `,` or `}`" | "expected `,` or `]`" if next == '_' => (message, "a number stands without `_`"),
            _ if message.starts_with("control character") => match next {
                '\n' | '\r' => ("a string does not end on its line", "close it with a double quote"),
                _ => ("control character in a string", "write it as an escape, like \\t"),
            },
            _ => (message, ""),
        };
        let error = self.error(offset, path, message.into());
        if hint.is_empty() { error } else { error.with_hint(hint) }
    }

    fn duplicate_error(&self, found: &Duplicate) -> Error {
        let error = self.error(found.offset, &found.path, format!("duplicate key `{}`", found.key));
        let Some(first) = locate(&self.json, &found.path).key else {
            return error;
        };
        let first = render::Place::of(self.text, first);
        error.with_hint(format!("it was first given at {}:{}", first.line, first.column))
    }
}

/// Where the value at `path` of `json` begins, or its key: bytes from 0. If there is no such place, the deepest part of
/// the path that there is.
pub fn offset(json: &str, path: &[Seg], of_key: bool) -> usize {
    let place = locate(json, path);
    place.key.filter(|_| of_key).unwrap_or(place.value)
}

/// `path` as people write it: `providers[0].price`, and `models["gpt-4.1"]` for a key that is not a plain word.
pub fn shown(path: &[Seg]) -> String {
    Shown(path).to_string()
}

/// serde's path, as far as it is known.
fn segments(path: &Path) -> Vec<Seg> {
    let known = path.iter().map_while(|segment| match segment {
        Segment::Seq { index } => Some(Seg::Index(*index)),
        Segment::Map { key } => Some(Seg::Key(key.clone())),
        Segment::Enum { variant } => Some(Seg::Key(variant.clone())),
        Segment::Unknown => None,
    });
    known.collect()
}

#[cfg(test)]
mod tests;
