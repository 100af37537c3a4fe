//! JSON objects that are rows, taken from a text one by one: one after the other, in a list, or in a list within a page.
//!
//! No more than one row is held, however long the text is. A page is an object whose `data` is the list of its rows, as the logs of
//! LiteLLM's, Langfuse's and Helicone's interfaces come; what else it says tells whether other pages are missing. Spans are the rows of what
//! OpenTelemetry's collector writes, two lists further down. Azure Monitor's metrics are in the list `value`.

use std::io::{self, BufRead};

use serde_json::{Map, Value};

use super::TraceError;

/// The most bytes of one row.
const MOST_OF_ROW: usize = 16_000_000;

/// Where the reader is within the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// In a list whose objects are rows, or hold lists of rows; the list's name.
    List(&'static str),
    /// In an object behind one of its lists.
    Object,
}

/// The list of a page's rows.
const OF_PAGE: &str = "data";

/// The list of Azure Monitor's metrics, in an object that says their `interval`.
const OF_METRICS: &str = "value";

/// The list of spans.
const OF_SPANS: &str = "spans";

/// Objects, one after the other.
#[derive(Debug)]
pub(super) struct Values<R> {
    source: R,
    line: u64,
    /// The object that was read last.
    text: Vec<u8>,
    levels: Vec<Level>,
    /// What the page says that is being read, without its rows.
    page: Vec<u8>,
    /// How many rows there are in all pages together, as the last page says.
    total: Option<u64>,
    /// How many rows were in pages.
    in_pages: u64,
}

impl<R: BufRead> Values<R> {
    pub(super) fn new(source: R) -> Values<R> {
        Values {
            source,
            line: 1,
            text: Vec::new(),
            levels: Vec::new(),
            page: Vec::new(),
            total: None,
            in_pages: 0,
        }
    }

    /// Reads the next object, and says the line in which it begins; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<u64>, TraceError> {
        loop {
            let level = self.levels.last().copied();
            if level == Some(Level::Object) {
                self.text.clear();
                let ends = self.object(1)?;
                let rest = std::mem::take(&mut self.text);
                if self.levels.len() == 1 {
                    self.page.extend_from_slice(&rest);
                    if ends {
                        self.page_ends();
                    }
                }
                if ends {
                    self.levels.pop();
                }
                continue;
            }
            let begins = self.solid(level.is_some())?;
            let line = self.line;
            match (begins, level) {
                (None, None) => return Ok(None),
                (None, Some(_)) => return Err(self.wrong("it ends within a list")),
                (Some(b']'), Some(_)) => {
                    self.skip();
                    self.levels.pop();
                }
                (Some(b'['), None) => {
                    self.skip();
                    self.levels.push(Level::List(""));
                }
                (Some(b'{'), _) => {
                    self.text.clear();
                    if self.object(0)? {
                        self.in_pages += u64::from(self.levels.contains(&Level::List(OF_PAGE)));
                        return Ok(Some(line));
                    }
                }
                (Some(_), _) => {
                    let wrong = self.wrong("it is not a JSON object");
                    self.skip_line()?;
                    return Err(wrong);
                }
            }
        }
    }

    /// The object that was read last.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether that object is a span.
    pub(super) fn is_span(&self) -> bool {
        self.levels.last() == Some(&Level::List(OF_SPANS))
    }

    /// What is to be said of pages that are missing.
    pub(super) fn missing(&self) -> Option<String> {
        let total = self.total.filter(|total| *total > self.in_pages)?;
        Some(format!(
            "its pages have {} rows of {total}: the other pages are missing; write them one after the other into the same file",
            self.in_pages
        ))
    }

    fn wrong(&self, what: &str) -> TraceError {
        TraceError::Row {
            line: self.line,
            what: what.to_owned(),
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, TraceError> {
        let bytes = self.source.fill_buf().map_err(|error| broken(&error))?;
        Ok(bytes.first().copied())
    }

    fn skip(&mut self) {
        self.source.consume(1);
    }

    /// Goes to the end of the line.
    fn skip_line(&mut self) -> Result<(), TraceError> {
        while self.peek()?.is_some_and(|byte| byte != b'\n') {
            self.skip();
        }
        Ok(())
    }

    /// The next byte that is not a space, nor a comma where commas part rows. It is not taken.
    fn solid(&mut self, has_commas: bool) -> Result<Option<u8>, TraceError> {
        while let Some(byte) = self.peek()? {
            if !(byte.is_ascii_whitespace() || has_commas && byte == b',') {
                return Ok(Some(byte));
            }
            self.line += u64::from(byte == b'\n');
            self.skip();
        }
        Ok(None)
    }

    /// Takes an object of which so many levels are open already. Returns whether it was taken to its end (or that of the text): if not, the
    /// reader is in one of its lists.
    fn object(&mut self, mut depth: u32) -> Result<bool, TraceError> {
        let (mut in_string, mut is_escaped, mut begins) = (false, false, 0);
        // Where the last string of the object itself stands: the name of what follows.
        let mut name = 0..0;
        loop {
            let bytes = self.source.fill_buf().map_err(|error| broken(&error))?;
            if bytes.is_empty() {
                return Ok(true);
            }
            let mut taken = 0;
            let mut list = false;
            for byte in bytes {
                taken += 1;
                self.text.push(*byte);
                self.line += u64::from(*byte == b'\n');
                match *byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' if in_string => is_escaped = true,
                    b'"' if in_string => {
                        in_string = false;
                        if depth == 1 {
                            name = begins..self.text.len() - 1;
                        }
                    }
                    _ if in_string => {}
                    b'"' => {
                        in_string = true;
                        begins = self.text.len();
                    }
                    b'[' if depth == 1 => {
                        list = true;
                        break;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            self.source.consume(taken);
            if self.text.len() > MOST_OF_ROW {
                let what = format!("a row that is longer than {MOST_OF_ROW} bytes");
                return Err(self.wrong(&what));
            }
            if list {
                if let Some(named) = self.opens(&self.text[name.clone()]) {
                    self.descend(named);
                    return Ok(false);
                }
                depth += 1;
            }
            if depth == 0 {
                return Ok(true);
            }
        }
    }

    /// The name of the list, if it holds rows or what holds rows.
    fn opens(&self, name: &[u8]) -> Option<&'static str> {
        let within = self.levels.iter().rev().find_map(|level| match level {
            Level::List(name) => Some(*name),
            Level::Object => None,
        });
        let (is_top, within) = (within.is_none(), within.unwrap_or(""));
        match (within, name) {
            ("", b"data") if is_top => Some(OF_PAGE),
            ("", b"value") if is_top && self.says_interval() => Some(OF_METRICS),
            ("", b"resourceSpans") => Some("resourceSpans"),
            ("resourceSpans", b"scopeSpans" | b"instrumentationLibrarySpans") => Some("scopeSpans"),
            ("scopeSpans", b"spans") => Some(OF_SPANS),
            _ => None,
        }
    }

    /// Whether what has been read of an object says the interval of metrics.
    fn says_interval(&self) -> bool {
        let name = b"\"interval\"";
        self.text.windows(name.len()).any(|found| found == name)
    }

    /// Goes into the list of this name that has just been opened.
    fn descend(&mut self, name: &'static str) {
        if self.levels.is_empty() {
            self.page = std::mem::take(&mut self.text);
        }
        if self.levels.last() != Some(&Level::Object) {
            self.levels.push(Level::Object);
        }
        // In what is kept of the page the list is empty.
        if self.levels.len() == 1 {
            self.page.append(&mut self.text);
            self.page.push(b']');
        }
        self.text.clear();
        self.levels.push(Level::List(name));
    }

    /// Reads what the page says of all pages.
    fn page_ends(&mut self) {
        let page: Map<String, Value> = serde_json::from_slice(&self.page).unwrap_or_default();
        let meta = page.get("meta").and_then(|meta| meta.get("totalItems"));
        self.total = page.get("total").or(meta).and_then(Value::as_u64).or(self.total);
        self.page.clear();
    }
}

/// What the source says of itself.
fn broken(error: &io::Error) -> TraceError {
    TraceError::Source(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> (Vec<(u64, String)>, Option<String>) {
        // A source that gives three bytes at a time.
        let mut values = Values::new(io::BufReader::with_capacity(3, text.as_bytes()));
        let mut rows = Vec::new();
        while let Some(line) = values.next().unwrap() {
            rows.push((line, String::from_utf8(values.text().to_vec()).unwrap()));
        }
        (rows, values.missing())
    }

    #[test]
    fn rows_are_found_in_lines_lists_and_pages() {
        let one = r#"{"a": [1, {"b": "]}\\\"{"}], "data": 3}"#;
        let two = r#"{"spans": []}"#;
        let of = |lines: [u64; 2]| vec![(lines[0], one.to_owned()), (lines[1], two.to_owned())];
        assert_eq!(rows(&format!("{one}\n\n{two}\n")), (of([1, 3]), None));
        assert_eq!(rows(&format!("[{one},\n{two}]")), (of([1, 2]), None));
        let page = format!("{{\"x\": [0], \"data\": [{one},\n{two}], \"total\": 2, \"page\": {{\"data\": [1]}}}}");
        assert_eq!(rows(&page), (of([1, 2]), None));
        let (found, missing) = rows(&page.replace("\"total\": 2", "\"total\": 7"));
        assert_eq!(found.len(), 2);
        assert!(missing.unwrap().starts_with("its pages have 2 rows of 7"));
        assert_eq!(rows(r#"{"meta": {"totalItems": 9}, "data": []}"#).0, []);
    }

    #[test]
    fn spans_are_found_two_lists_down() {
        let text = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"spans"}]},"scopeSpans":[{"scope":{},"spans":[{"a":1},{"b":[{}]}]},
            {"spans":[{"c":3}],"schemaUrl":""}]},{"scopeSpans":[{"spans":[]}]}]}
            {"resourceSpans":[{"scopeSpans":[{"spans":[{"d":4}]}]}]}"#;
        let found: Vec<String> = rows(text).0.into_iter().map(|(_, row)| row).collect();
        assert_eq!(found, [r#"{"a":1}"#, r#"{"b":[{}]}"#, r#"{"c":3}"#, r#"{"d":4}"#]);
    }

    #[test]
    fn what_is_no_object_or_has_no_end_is_refused() {
        for (text, what) in [
            ("[1]", "it is not a JSON object"),
            ("[{},", "it ends within a list"),
            ("{}\n3", "it is not a JSON object"),
        ] {
            let mut values = Values::new(text.as_bytes());
            let error = loop {
                match values.next() {
                    Ok(found) => assert!(found.is_some(), "{text}"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.ends_with(what), "{error}");
        }
        let mut endless = Values::new(io::BufReader::new(io::Read::chain(&b"{\""[..], io::repeat(b'x'))));
        assert!(
            endless
                .next()
                .unwrap_err()
                .to_string()
                .contains("longer than 16000000 bytes")
        );
    }
}
