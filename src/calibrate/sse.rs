//! Server-sent events, fed in pieces of any size.
//!
//! Lines end in CR, LF or CRLF; a blank line ends an event; a comment (a line that begins with a colon) is not an
//! event; an event in which the stream breaks off is discarded (WHATWG HTML, 9.2.6 "Interpreting an event stream").
//! Only `data` and `event` matter to a chat completion; `id` and `retry` are ignored. Unlike a browser, this refuses
//! bytes that are not UTF-8, as openai-python does, and a line or an event of more than [`LONGEST`] bytes, so that no
//! server can fill the memory. There is no clock and no network here: the code that feeds it knows when the bytes came.

/// The most bytes of a line, and of the data of one event.
pub const LONGEST: usize = 1 << 20;

/// One event of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The type of the event; empty if the stream did not state it.
    pub name: &'a str,
    /// The data of the event: its lines joined by LF.
    pub data: &'a str,
}

/// Input that no valid event stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The input has bytes that are not UTF-8.
    #[error("the stream is not UTF-8")]
    NotUtf8,
    /// A line or an event exceeds [`LONGEST`].
    #[error("a line or an event of more than {LONGEST} bytes")]
    TooLong,
}

/// The state of a stream that is being read.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The line under way.
    line: Vec<u8>,
    name: String,
    data: String,
    /// Whether the event under way has data, which may be empty.
    has_data: bool,
    /// Whether the last byte was a CR: then an LF belongs to it.
    after_cr: bool,
    /// Whether the first line has ended: only that line may begin with a byte order mark.
    begun: bool,
}

impl Parser {
    /// Takes the next bytes; `sink` gets every event that they complete.
    ///
    /// # Errors
    /// At input that no valid event stream holds. What comes after it means nothing.
    pub fn feed(&mut self, mut bytes: &[u8], mut sink: impl FnMut(Event<'_>)) -> Result<(), Malformed> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            self.extend(&bytes[..end])?;
            self.end_line(&mut sink)?;
            let is_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_cr {
                self.after_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.extend(bytes)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.line.len() + bytes.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, sink: &mut impl FnMut(Event<'_>)) -> Result<(), Malformed> {
        let line = std::str::from_utf8(&self.line).map_err(|_| Malformed::NotUtf8)?;
        let line = if self.begun {
            line
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        };
        self.begun = true;
        if line.is_empty() {
            if self.has_data {
                sink(Event {
                    name: &self.name,
                    data: &self.data,
                });
            }
            self.name.clear();
            self.data.clear();
            self.has_data = false;
        } else {
            // A comment is a line whose field has no name.
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => {
                    if self.data.len() + value.len() >= LONGEST {
                        return Err(Malformed::TooLong);
                    }
                    if self.has_data {
                        self.data.push('\n');
                    }
                    self.data.push_str(value);
                    self.has_data = true;
                }
                "event" => self.name = value.to_owned(),
                _ => {}
            }
        }
        self.line.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Events = (Vec<(String, String)>, Option<Malformed>);

    fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Events {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for piece in pieces {
            let fed = parser.feed(piece, |event| {
                events.push((event.name.to_owned(), event.data.to_owned()))
            });
            if let Err(error) = fed {
                return (events, Some(error));
            }
        }
        (events, None)
    }

    #[track_caller]
    fn check(stream: &str, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> = expected.iter().map(|&(n, d)| (n.into(), d.into())).collect();
        assert_eq!(events([stream.as_bytes()]), (expected, None));
    }

    /// The examples of the standard (WHATWG HTML, 9.2.6).
    #[test]
    fn the_standards_examples() {
        check("data: YHOO\ndata: +2\ndata: 10\n\n", &[("", "YHOO\n+2\n10")]);
        check(
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            &[("", "first event"), ("", "second event"), ("", " third event")],
        );
        check("data\n\ndata\ndata\n\ndata:", &[("", ""), ("", "\n")]);
        check("data:test\n\ndata: test\n\n", &[("", "test"), ("", "test")]);
        check("event: error\ndata: {}\n\n", &[("error", "{}")]);
    }

    #[test]
    fn every_line_end_counts_and_a_mark_at_the_start_does_not() {
        check(
            "\u{feff}data: a\r\ndata: b\r\rdata: c\n\r\n",
            &[("", "a\nb"), ("", "c")],
        );
        // The second mark is not at the start, so the field has another name.
        check("data: a\n\n\u{feff}data: b\n\n", &[("", "a")]);
    }

    #[test]
    fn an_event_without_data_or_without_an_end_is_none() {
        check("event: ping\n\ndata: half", &[]);
    }

    #[test]
    fn what_no_stream_holds_is_refused_after_what_came_before() {
        let first = vec![(String::new(), "a".to_owned())];
        assert_eq!(
            events([&b"data: a\n\ndata: \xff\n"[..]]),
            (first.clone(), Some(Malformed::NotUtf8))
        );
        let gigantic = vec![b'x'; 1 << 16];
        let pieces = std::iter::once(&b"data: a\n\ndata: "[..]).chain(std::iter::repeat_n(&gigantic[..], 100));
        assert_eq!(events(pieces), (first, Some(Malformed::TooLong)));
        let line = [&b"data: "[..], &gigantic, b"\n"].concat();
        let pieces = std::iter::repeat_n(&line[..], 100);
        assert_eq!(events(pieces), (Vec::new(), Some(Malformed::TooLong)));
    }

    /// Byte sequences of which streams, valid and invalid, are made.
    const PARTS: &[&[u8]] = &[
        b"data",
        b": ",
        b":",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"event: error",
        b"id: 7",
        "é€🦀".as_bytes(),
        b"\xff",
        b"{\"a\": 1}",
        "\u{feff}".as_bytes(),
    ];

    proptest! {
        #[test]
        fn any_cut_of_the_bytes_gives_the_same_events(
            parts in prop::collection::vec(prop::sample::select(PARTS), 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = parts.concat();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
            prop_assert_eq!(events(pieces), events([&bytes[..]]));
            prop_assert_eq!(events(bytes.chunks(1)), events([&bytes[..]]));
        }
    }
}
