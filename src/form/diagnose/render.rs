//! How a mistake is printed: one line that editors and terminals can click, the line of the file, and the help.
//!
//! ```text
//! experiments/x.json:12:25: policies[0].policy.weighted.weights.a: invalid type: string "two", expected a number
//!    12 |       "weights": { "a": "two" }
//!       |                         ^
//!    help: did you mean `weight`?
//!    allowed: choices, weight
//! ```
//!
//! Columns count characters, as editors do. What a file holds cannot drive the terminal: control characters are
//! written as escapes, and long texts are cut in the middle. The display width of letters is not known, so the mark
//! may stand aside under wide ones.

use super::Diagnosis;
use super::several::MOST_MISTAKES;
use std::fmt;

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if !self.snippet.is_empty() {
            write!(f, "\n{}", self.snippet)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n   help: {hint}")?;
        }
        if !self.allowed.is_empty() {
            write!(f, "\n   allowed: {}", self.allowed.join(", "))?;
        }
        for further in &self.also {
            write!(f, "\n{further}")?;
        }
        match self.also.len() + 1 {
            1 => Ok(()),
            MOST_MISTAKES => write!(f, "\n{MOST_MISTAKES} mistakes are told; there may be more"),
            n => write!(f, "\n{n} mistakes"),
        }
    }
}

/// A place in a text, for people: line, column, and the line itself.
pub(super) struct Place<'a> {
    /// The line, from 1.
    pub(super) line: usize,
    /// The column, from 1, in characters.
    pub(super) column: usize,
    text: &'a str,
}

impl<'a> Place<'a> {
    /// The place of the byte `offset` of `text`, or its end.
    pub(super) fn of(text: &'a str, offset: usize) -> Place<'a> {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let (before, after) = text.split_at(offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(text.len(), |length| offset + length);
        Place {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            text: text[start..end].trim_end(),
        }
    }

    /// The line with its number, and a mark under the column; empty if the line is.
    pub(super) fn snippet(&self) -> String {
        const WIDTH: usize = 100;
        const BEFORE: usize = 60;
        if self.text.is_empty() {
            return String::new();
        }
        let length = self.text.chars().count();
        let skipped = if length > WIDTH {
            self.column.saturating_sub(BEFORE).min(length - WIDTH)
        } else {
            0
        };
        let shown: String = self.text.chars().skip(skipped).take(WIDTH).map(visible).collect();
        let head = if skipped > 0 { "…" } else { "" };
        let tail = if length > skipped + WIDTH { "…" } else { "" };
        let indent = self.column - 1 - skipped.min(self.column - 1) + head.chars().count();
        format!("{:>5} | {head}{shown}{tail}\n      | {:indent$}^", self.line, "")
    }
}

/// The byte offset in `text` at which `column` bytes of `line` (from 1) lie behind.
pub(super) fn offset(text: &str, line: usize, column: usize) -> usize {
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1));
    let start = starts.take(line).last().unwrap_or(0);
    start.saturating_add(column).min(text.len())
}

/// A message with control characters as escapes, and its middle cut out if it has more than 500 characters.
pub fn printable(text: &str) -> String {
    cut(text, 300, 200)
}

/// The printable form of what is quoted inside a message: a cell, a name, a header. At most 100 characters are left.
pub fn quoted(text: &str) -> String {
    cut(text, 80, 20)
}

fn cut(text: &str, head: usize, tail: usize) -> String {
    let escape = |part: &str| -> String {
        let escaped = part.chars().map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        });
        escaped.collect()
    };
    let length = text.chars().count();
    if length <= head + tail {
        return escape(text);
    }
    let byte = |n| text.char_indices().nth(n).map_or(text.len(), |(byte, _)| byte);
    format!(
        "{} … {}",
        escape(&text[..byte(head)]),
        escape(&text[byte(length - tail)..])
    )
}

/// A tab or another control character would move the mark.
fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_place(text: &str, offset: usize, line: usize, column: usize) {
        let place = Place::of(text, offset);
        assert_eq!((place.line, place.column), (line, column));
    }

    #[test]
    fn columns_count_characters() {
        check_place("", 0, 1, 1);
        check_place("é: x", 4, 1, 4);
        check_place("é", 1, 1, 1);
        check_place("a\nbc", 1, 1, 2);
        check_place("a\nbc", 2, 2, 1);
        check_place("a\nbc", 99, 2, 3);
    }

    #[test]
    fn offsets_are_those_of_lines() {
        assert_eq!(offset("ab\ncd", 1, 0), 0);
        assert_eq!(offset("ab\ncd", 2, 1), 4);
        assert_eq!(offset("ab\ncd", 9, 9), 5);
        assert_eq!(offset("", 0, 0), 0);
    }

    #[test]
    fn the_mark_stands_under_the_column() {
        assert_eq!(
            Place::of("\t\"é\": 1\r\n", 7).snippet(),
            "    1 |  \"é\": 1\n      |       ^"
        );
        assert_eq!(Place::of("a\n  \n", 3).snippet(), "");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let snippet = Place::of(&text, 500).snippet();
        let lines: Vec<&str> = snippet.lines().collect();
        let (shown, mark) = (
            lines[0].chars().collect::<Vec<_>>(),
            lines[1].chars().collect::<Vec<_>>(),
        );
        assert_eq!(shown.len(), "    1 | ".len() + 102);
        assert_eq!(shown[mark.len() - 1], 'X');
        let snippet = Place::of(&text, 1001).snippet();
        assert_eq!(
            snippet.lines().map(|line| line.chars().count()).collect::<Vec<_>>(),
            [109, 110]
        );
    }

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(printable(&"é".repeat(1000)).chars().count(), 503);
    }
}
