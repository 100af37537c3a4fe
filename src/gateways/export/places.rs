//! Where everything stands in a text, to the byte: what a change is written by.
//!
//! The parser that reads configurations (saphyr-parser) makes the tree here too, but nothing is followed here: an alias stays an alias and a
//! merge key a key, since what is written goes where it stands. A block has no end of its own; it ends where its last value does. The text
//! has been read before, so that its size and depth are bounded. Left out: block scalars, whose text is not changed.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// A text and its tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The values, keys among them; those inside another follow it.
    pub(super) items: Vec<Item>,
    /// The roots of the documents that say something.
    pub(super) roots: Vec<usize>,
}

/// A value in a text.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The first byte, behind an anchor or a tag.
    pub(super) start: usize,
    /// The byte behind the last.
    pub(super) end: usize,
    /// What it is.
    pub(super) is: Is,
}

/// What stands at a place.
#[derive(Clone, Debug)]
pub(super) enum Is {
    /// Text, as it is read, and how it is written.
    Scalar { text: String, style: ScalarStyle },
    /// Another value again; nothing if it is inside of that value.
    Alias(Option<usize>),
    /// A list, in brackets if it is a flow.
    List { flow: bool, items: Vec<usize> },
    /// A mapping, in braces if it is a flow: keys and values.
    Map { flow: bool, entries: Vec<(usize, usize)> },
}

/// A collection whose end has not come.
struct Open {
    item: usize,
    anchor: usize,
    key: Option<usize>,
}

impl Places {
    /// The places of `text`, or what its parser says.
    pub(super) fn of(text: &str) -> Result<Places, String> {
        let skipped = text.len() - text.trim_start_matches('\u{feff}').len();
        let body = &text[skipped..];
        // Positions are counted in characters.
        let bytes: Vec<usize> = body
            .char_indices()
            .map(|(at, _)| at + skipped)
            .chain([text.len()])
            .collect();
        let byte = |n: usize| bytes.get(n).copied().unwrap_or(text.len());
        let mut places = Places::default();
        let mut open: Vec<Open> = Vec::new();
        let mut anchors: Vec<(usize, usize)> = Vec::new();
        for event in Parser::new_from_str(body) {
            let (event, span) = event.map_err(|error| error.info().to_owned())?;
            let Span { start, end } = span;
            let (mut start, mut end) = (byte(start.index()), byte(end.index()));
            let (is, anchor) = match event {
                Event::Scalar(read, style, anchor, tag) => {
                    if anchor > 0 || tag.is_some() {
                        start = behind_properties(text, start, end);
                    }
                    end = end_of_scalar(text, start, end, style);
                    let text = read.into_owned();
                    (Is::Scalar { text, style }, anchor)
                }
                Event::Alias(anchor) => {
                    let of = anchors.iter().find(|(id, _)| *id == anchor).map(|(_, item)| *item);
                    (Is::Alias(of), 0)
                }
                Event::SequenceStart(anchor, ref tag) | Event::MappingStart(anchor, ref tag) => {
                    if anchor > 0 || tag.is_some() {
                        start = behind_properties(text, start, text.len());
                    }
                    let flow = text[start..].starts_with(['[', '{']);
                    let is_list = matches!(event, Event::SequenceStart(..));
                    let is = if is_list {
                        Is::List {
                            flow,
                            items: Vec::new(),
                        }
                    } else {
                        Is::Map {
                            flow,
                            entries: Vec::new(),
                        }
                    };
                    let item = places.add(start, end, is);
                    places.put(&mut open, item);
                    let key = None;
                    open.push(Open { item, anchor, key });
                    continue;
                }
                // Its own position is that of the bracket in some places and not in others.
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some(Open { item, anchor, .. }) = open.pop() else {
                        continue;
                    };
                    places.close(text, item);
                    if anchor > 0 {
                        anchors.push((anchor, item));
                    }
                    continue;
                }
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {
                    continue;
                }
            };
            let item = places.add(start, end, is);
            if anchor > 0 {
                anchors.push((anchor, item));
            }
            places.put(&mut open, item);
        }
        Ok(places)
    }

    fn add(&mut self, start: usize, end: usize, is: Is) -> usize {
        self.items.push(Item { start, end, is });
        self.items.len() - 1
    }

    /// Puts an item into the collection that is open.
    fn put(&mut self, open: &mut [Open], item: usize) {
        let Some(into) = open.last_mut() else {
            let is_nothing =
                matches!(&self.items[item].is, Is::Scalar { text, style: ScalarStyle::Plain } if is_null(text));
            if !is_nothing {
                self.roots.push(item);
            }
            return;
        };
        match &mut self.items[into.item].is {
            Is::List { items, .. } => items.push(item),
            Is::Map { entries, .. } => match into.key.take() {
                None => into.key = Some(item),
                Some(key) => entries.push((key, item)),
            },
            Is::Scalar { .. } | Is::Alias(_) => {}
        }
    }

    /// Gives a collection its end: behind its bracket, or that of what stands in it last.
    fn close(&mut self, text: &str, item: usize) {
        let start = self.items[item].start;
        let end_of = |at: usize| self.items[at].start.max(self.items[at].end);
        let last = match &self.items[item].is {
            Is::List { items, .. } => items.last().map(|at| end_of(*at)),
            Is::Map { entries, .. } => entries.last().map(|(key, value)| match self.said(*value) {
                Some(()) => end_of(*value),
                None => end_of(*key),
            }),
            Is::Scalar { .. } | Is::Alias(_) => None,
        };
        let flow = matches!(
            self.items[item].is,
            Is::List { flow: true, .. } | Is::Map { flow: true, .. }
        );
        self.items[item].end = match flow {
            true => behind_bracket(text, last.unwrap_or(start + 1)),
            false => last.unwrap_or(start),
        };
        if let Is::Map { flow: false, entries } = &self.items[item].is
            && let Some((key, _)) = entries.first()
        {
            self.items[item].start = self.items[*key].start;
        }
    }

    /// The text of a scalar that is written out; nothing where a value is left out.
    pub(super) fn said(&self, item: usize) -> Option<()> {
        match &self.items[item].is {
            Is::Scalar {
                text,
                style: ScalarStyle::Plain,
            } if text.is_empty() || self.items[item].end <= self.items[item].start => None,
            Is::Scalar { .. } | Is::Alias(_) | Is::List { .. } | Is::Map { .. } => Some(()),
        }
    }

    /// The key and the value under `key` of a mapping: the last that is not nothing, as configurations are read.
    pub(super) fn entry(&self, map: usize, key: &str) -> Option<(usize, usize)> {
        let Is::Map { entries, .. } = &self.items[map].is else {
            return None;
        };
        let mut found = entries.iter().rev().filter(|(name, _)| self.text(*name) == Some(key));
        let all: Vec<&(usize, usize)> = found.by_ref().collect();
        let says = |(_, value): &&&(usize, usize)| !matches!(&self.items[*value].is, Is::Scalar { text, style: ScalarStyle::Plain } if is_null(text));
        all.iter().find(says).or(all.first()).map(|pair| **pair)
    }

    /// Whether the value says nothing.
    pub(super) fn is_null(&self, item: usize) -> bool {
        matches!(&self.items[item].is, Is::Scalar { text, style: ScalarStyle::Plain } if is_null(text))
    }

    /// The text of a scalar.
    pub(super) fn text(&self, item: usize) -> Option<&str> {
        match &self.items[item].is {
            Is::Scalar { text, .. } => Some(text),
            Is::Alias(_) | Is::List { .. } | Is::Map { .. } => None,
        }
    }

    /// What an item is in the end: behind aliases.
    pub(super) fn behind(&self, item: usize) -> usize {
        match self.items[item].is {
            Is::Alias(Some(of)) => of,
            Is::Alias(None) | Is::Scalar { .. } | Is::List { .. } | Is::Map { .. } => item,
        }
    }

    /// The mappings that are merged into one, in the order in which they count.
    pub(super) fn merged(&self, map: usize) -> Vec<usize> {
        let Is::Map { entries, .. } = &self.items[map].is else {
            return Vec::new();
        };
        let values = entries.iter().filter(|(key, _)| self.text(*key) == Some("<<"));
        let each = values.flat_map(|(_, value)| {
            let of = self.behind(*value);
            match &self.items[of].is {
                Is::List { items, .. } => items.iter().map(|item| self.behind(*item)).collect(),
                Is::Map { .. } | Is::Scalar { .. } | Is::Alias(_) => vec![of],
            }
        });
        each.collect()
    }
}

/// Whether a plain text is nothing.
fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The byte behind a scalar: its quote, or its last letter. The parser's own end may lie behind what follows it.
fn end_of_scalar(text: &str, start: usize, end: usize, style: ScalarStyle) -> usize {
    let mut inside = text[start..].char_indices().skip(1).peekable();
    match style {
        ScalarStyle::SingleQuoted => {
            while let Some((at, c)) = inside.next() {
                if c == '\'' && inside.next_if(|(_, next)| *next == '\'').is_none() {
                    return start + at + 1;
                }
            }
            end
        }
        ScalarStyle::DoubleQuoted => {
            while let Some((at, c)) = inside.next() {
                match c {
                    '\\' => drop(inside.next()),
                    '"' => return start + at + 1,
                    _ => {}
                }
            }
            end
        }
        ScalarStyle::Plain => start + text.get(start..end).map_or(0, |text| text.trim_end().len()),
        ScalarStyle::Literal | ScalarStyle::Folded => end,
    }
}

/// The byte behind the bracket that follows `from`, where nothing but space, commas and comments stands before it.
fn behind_bracket(text: &str, from: usize) -> usize {
    let mut comment = false;
    for (at, c) in text[from..].char_indices() {
        match c {
            '\n' => comment = false,
            '#' => comment = true,
            ']' | '}' if !comment => return from + at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The first byte behind an anchor and a tag.
fn behind_properties(text: &str, start: usize, end: usize) -> usize {
    let mut at = start;
    while text[at..end].starts_with(['&', '!']) {
        let rest = &text[at..end];
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let space = rest[word..]
            .find(|c: char| !c.is_whitespace())
            .unwrap_or(rest.len() - word);
        at += word + space;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(text: &'a str, path: &str) -> &'a str {
        let places = Places::of(text).unwrap();
        let at = path
            .split('.')
            .fold(places.roots[0], |at, step| match step.parse::<usize>() {
                Ok(number) => match &places.items[at].is {
                    Is::List { items, .. } => items[number],
                    _ => panic!("no list"),
                },
                Err(_) => places.entry(at, step).unwrap().1,
            });
        &text[places.items[at].start..places.items[at].end]
    }

    #[test]
    fn every_value_is_found_to_the_byte() {
        let text = "\u{feff}# käse\r\na: 1 # one\r\nb:\r\n  - c: 'x y'\r\n    d: {e: \"f\", g: [1, 2 ]}\r\nh: &h 5\r\ni: *h\r\nk: !!str 7\r\nl:\r\n- ü: plain text \r\n";
        for (path, is) in [
            ("a", "1"),
            ("b.0.c", "'x y'"),
            ("b.0.d", "{e: \"f\", g: [1, 2 ]}"),
            ("b.0.d.e", "\"f\""),
            ("b.0.d.g", "[1, 2 ]"),
            ("b.0.d.g.1", "2"),
            ("b.0", "c: 'x y'\r\n    d: {e: \"f\", g: [1, 2 ]}"),
            ("h", "5"),
            ("i", "*h"),
            ("k", "7"),
            ("l.0.ü", "plain text"),
        ] {
            assert_eq!(value(text, path), is, "{path}");
        }
    }

    #[test]
    fn what_follows_a_quote_is_not_in_it() {
        let text = "a: \"x \\\" y\"   # one\nb: 'it''s'  # two\nc: x y  # three\n";
        assert_eq!(
            ["a", "b", "c"].map(|path| value(text, path)),
            ["\"x \\\" y\"", "'it''s'", "x y"]
        );
    }

    #[test]
    fn json_is_found_too() {
        let text = "{\n  \"a\": { \"b\": [ 429, 503 ], \"c\": 1.5e-6 },\n  \"d\": []\n}\n";
        assert_eq!(value(text, "a.b"), "[ 429, 503 ]");
        assert_eq!(value(text, "a.c"), "1.5e-6");
        assert_eq!(value("a: [ { \"b\": [\"c\"] } ]", "a"), "[ { \"b\": [\"c\"] } ]");
        assert_eq!(value(text, "d"), "[]");
        assert_eq!(value(text, "a"), "{ \"b\": [ 429, 503 ], \"c\": 1.5e-6 }");
    }

    #[test]
    fn aliases_and_merges_are_kept() {
        let text = "x: &x {a: 1}\ny: {<<: *x, b: 2}\nz: *x\n";
        let places = Places::of(text).unwrap();
        let root = places.roots[0];
        let x = places.entry(root, "x").unwrap().1;
        let y = places.entry(root, "y").unwrap().1;
        assert_eq!(places.merged(y), [x]);
        assert_eq!(places.behind(places.entry(root, "z").unwrap().1), x);
        assert!(places.entry(y, "a").is_none());
    }
}
