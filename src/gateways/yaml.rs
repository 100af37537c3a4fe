//! YAML, of which JSON is a part, into a [`Node`] tree, bounded while it is read.
//!
//! The parser (saphyr-parser, YAML 1.2) yields events with positions; nothing here recurses. An alias is its anchor's value again, at
//! the line of the anchor, because that is where it would be changed; one inside its own anchor is refused. `<<` merges mappings: what
//! stands beside it goes before, earlier mappings before later ones.
//!
//! Bounds: [`MOST_BYTES`] of text, [`MOST_VALUES`] values, [`MOST_KEYS`] keys of one mapping and [`MOST_COPIED`] bytes after aliases are followed, [`DEEPEST`] levels. They are
//! looked at while events come in and before an alias is copied, so that no bomb goes off. A placeholder of a template (`{{`,
//! `{%`) is refused before anything is read: what is rendered is the configuration.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::tree::{Entry, Node, Place, Value};
use super::{Refused, printable};

/// The most bytes of one file.
pub const MOST_BYTES: u64 = 4_000_000;
/// The most values of one file, those that aliases repeat included.
pub const MOST_VALUES: usize = 50_000;
/// The most keys of one mapping.
pub const MOST_KEYS: usize = 1_000;
/// The most bytes of text that aliases repeat.
pub const MOST_COPIED: usize = 16_000_000;
/// The deepest level.
pub const DEEPEST: usize = 64;

/// The documents of a text.
#[derive(Debug, Default)]
pub struct Documents {
    /// The documents, in order; empty ones are left out.
    pub documents: Vec<Node>,
    /// Where the first alias stands.
    pub alias: Option<Place>,
    /// Keys that stand in one mapping more than once: where the later one is.
    pub repeated: Vec<(Place, String)>,
}

/// Reads `text`, which is file number `file`, called `name`, and begins after `before` lines of it.
///
/// # Errors
/// If it is not YAML, holds a placeholder of a template, or outgrows a bound.
pub fn read(name: &str, file: u16, before: u32, text: &str) -> Result<Documents, Refused> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() as u64 > MOST_BYTES {
        return Err(Refused::whole(
            name,
            format!("has more than {} MB: no configuration has", MOST_BYTES / 1_000_000),
        ));
    }
    if let Some((line, mark)) = placeholder(text) {
        let what = format!("{mark} is a template. Render it first (helm template), or give the value");
        return Err(Refused::at(name, before + line, what));
    }
    let mut reading = Reading {
        name,
        file,
        before,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        values: 0,
        copied: 0,
        found: Documents::default(),
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let line = before + error.marker().line() as u32;
            Refused::at(name, line, format!("is no YAML: {}", printable(error.info())))
        })?;
        reading.take(event, span)?;
    }
    Ok(reading.found)
}

/// The first placeholder of a template outside comments: its line and how it looks. `${{` is decK's and is not one.
fn placeholder(text: &str) -> Option<(u32, &'static str)> {
    text.lines().zip(1..).find_map(|(line, number)| {
        if line.trim_start().starts_with('#') {
            return None;
        }
        let braces = line.match_indices("{{").any(|(at, _)| !line[..at].ends_with('$'));
        match (braces, line.contains("{%")) {
            (true, _) => Some((number, "{{ … }}")),
            (false, true) => Some((number, "{% … %}")),
            (false, false) => None,
        }
    })
}

/// A collection whose end has not come yet.
struct Open {
    at: Place,
    anchor: usize,
    values_before: usize,
    copied_before: usize,
    what: Collection,
}

enum Collection {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<(String, Place)>,
        merged: Vec<Node>,
    },
}

/// The value of an anchor, and how large it is.
struct Anchored {
    node: Node,
    values: usize,
    bytes: usize,
}

struct Reading<'a> {
    name: &'a str,
    file: u16,
    before: u32,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    values: usize,
    copied: usize,
    found: Documents,
}

impl Reading<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Refused> {
        let at = Place {
            file: self.file,
            line: self.before + span.start.line() as u32,
        };
        match event {
            Event::Scalar(text, style, anchor, _) => {
                self.count(1, text.len(), at)?;
                let node = Node {
                    at,
                    value: Value::Scalar {
                        quoted: style != ScalarStyle::Plain,
                        text: text.into_owned(),
                    },
                };
                self.keep(anchor, &node, 1, 0);
                self.place(node)
            }
            Event::SequenceStart(anchor, _) => self.begin(at, anchor, Collection::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let (entries, key, merged) = (Vec::new(), None, Vec::new());
                self.begin(at, anchor, Collection::Map { entries, key, merged })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                self.found.alias.get_or_insert(at);
                let Some(Anchored { node, values, bytes }) = self.anchors.get(&anchor) else {
                    return Err(self.refuse(at, "an alias stands inside what it repeats"));
                };
                let (node, values, bytes) = (node, *values, *bytes);
                if self.values + values > MOST_VALUES || self.copied + bytes > MOST_COPIED {
                    return Err(self.refuse(at, "its aliases repeat more than a configuration would hold"));
                }
                let node = node.clone();
                self.values += values;
                self.copied += bytes;
                self.place(node)
            }
            Event::DocumentStart(_) | Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
        }
    }

    fn count(&mut self, values: usize, bytes: usize, at: Place) -> Result<(), Refused> {
        self.values += values;
        self.copied += bytes;
        match self.values > MOST_VALUES {
            true => Err(self.refuse(
                at,
                &format!("it has more than {MOST_VALUES} values: no configuration has"),
            )),
            false => Ok(()),
        }
    }

    fn begin(&mut self, at: Place, anchor: usize, what: Collection) -> Result<(), Refused> {
        let (values_before, copied_before) = (self.values, self.copied);
        self.count(1, 0, at)?;
        if self.open.len() >= DEEPEST {
            return Err(self.refuse(at, &format!("it goes deeper than {DEEPEST} levels")));
        }
        self.open.push(Open {
            at,
            anchor,
            values_before,
            copied_before,
            what,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refused> {
        let Some(Open {
            at,
            anchor,
            values_before,
            copied_before,
            what,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let value = match what {
            Collection::List(items) => Value::List(items),
            Collection::Map {
                mut entries, merged, ..
            } => {
                for entry in merged.into_iter().flat_map(|node| match node.value {
                    Value::Map(entries) => entries,
                    Value::Scalar { .. } | Value::List(_) => Vec::new(),
                }) {
                    if !entries.iter().any(|e| e.key == entry.key) {
                        entries.push(entry);
                    }
                }
                Value::Map(entries)
            }
        };
        let node = Node { at, value };
        self.keep(anchor, &node, self.values - values_before, self.copied - copied_before);
        self.place(node)
    }

    /// Remembers the value of an anchor, if it has one.
    fn keep(&mut self, anchor: usize, node: &Node, values: usize, bytes: usize) {
        if anchor > 0 {
            let bytes = bytes.max(node.text().map_or(0, str::len));
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, values, bytes });
        }
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node) -> Result<(), Refused> {
        let Some(open) = self.open.last_mut() else {
            if !node.is_null() {
                self.found.documents.push(node);
            }
            return Ok(());
        };
        match &mut open.what {
            Collection::List(items) => items.push(node),
            Collection::Map { entries, key, merged } => match key.take() {
                None => {
                    let Value::Scalar { text, .. } = node.value else {
                        return Err(self.refuse(node.at, "a key must be text"));
                    };
                    *key = Some((text, node.at));
                }
                Some((name, _)) if name == "<<" => match node.value {
                    Value::List(items) => merged.extend(items),
                    Value::Map(_) | Value::Scalar { .. } => merged.push(node),
                },
                Some((key, at)) => {
                    if entries.len() >= MOST_KEYS {
                        return Err(self.refuse(
                            at,
                            &format!("a mapping has more than {MOST_KEYS} keys: none of a configuration has"),
                        ));
                    }
                    if entries.iter().any(|entry| entry.key == key) {
                        self.found.repeated.push((at, key.clone()));
                    }
                    entries.push(Entry { key, at, value: node });
                }
            },
        }
        Ok(())
    }

    fn refuse(&self, at: Place, what: &str) -> Refused {
        Refused::at(self.name, at.line, what.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Documents {
        read("x.yaml", 0, 0, text).unwrap_or_else(|refused| panic!("{refused}"))
    }

    fn refused(text: &str) -> String {
        read("x.yaml", 0, 0, text).unwrap_err().to_string()
    }

    #[test]
    fn every_value_knows_its_line() {
        let read = of("# first\na:\n  - b: 1\n    c: {d: yes}\n---\ne: 'x'\n");
        let first = &read.documents[0];
        let item = &first.get("a").unwrap().items()[0];
        assert_eq!(item.entry("b").unwrap().at.line, 3);
        assert_eq!(item.find("c.d").unwrap().at.line, 4);
        assert!(item.get("c").unwrap().flag("d"));
        assert_eq!(read.documents[1].get("e").unwrap().at.line, 6);
    }

    #[test]
    fn json_is_yaml() {
        let read = of("{\n\t\"a\": [1.5e-6, \"b\\n\", null],\n  \"c\": {\"d\":true}\n}");
        let a = read.documents[0].get("a").unwrap();
        assert_eq!(
            (a.items()[0].number(), a.items()[1].text()),
            (Some(1.5e-6), Some("b\n"))
        );
        assert!(a.items()[2].is_null());
        assert!(read.documents[0].get("c").unwrap().flag("d"));
        assert_eq!(read.documents[0].entry("c").unwrap().at.line, 3);
    }

    #[test]
    fn merge_keys_yield_to_what_stands_beside_them() {
        let read = of("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], a: 0}\n");
        let z = read.documents[0].get("z").unwrap();
        let numbers = ["a", "b", "c"].map(|key| z.number_of(key));
        assert_eq!(numbers, [Some(0.0), Some(2.0), Some(4.0)]);
        // Where it would be changed.
        assert_eq!(z.entry("b").unwrap().at.line, 1);
        assert_eq!(read.alias.unwrap().line, 3);
    }

    #[test]
    fn of_equal_keys_the_last_counts_and_both_are_told() {
        let read = of("a: 1\nb: 2\na: 3\n");
        assert_eq!(read.documents[0].number_of("a"), Some(3.0));
        assert_eq!(read.repeated, [(Place { file: 0, line: 3 }, "a".to_owned())]);
    }

    #[test]
    fn placeholders_of_templates_are_refused_by_their_line() {
        let text = "# {{ fine }}\na: azure/{{ .Values.x }}\n";
        assert_eq!(
            refused(text),
            "x.yaml: line 2: {{ … }} is a template. Render it first (helm template), or give the value"
        );
        assert!(refused("{% if x %}\na: 1\n{% endif %}").contains("line 1: {% … %}"));
        assert_eq!(of("a: \"${{ env 'X' }}\"").documents.len(), 1);
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (this, before) in ('b'..='j').zip('a'..) {
            let ten = vec![format!("*{before}"); 10].join(",");
            bomb += &format!("{this}: &{this} [{ten}]\n");
        }
        assert!(refused(&bomb).contains("repeat more"));
        let heavy = format!(
            "a: &a \"{}\"\nb: [{}]",
            "x".repeat(1_000_000),
            vec!["*a"; 1000].join(",")
        );
        assert!(refused(&heavy).contains("repeat more"));
        assert!(refused("a: &a [*a]").contains("inside what it repeats"));
        assert!(refused(&"[".repeat(100_000)).contains("x.yaml: line 1"));
        let deep: String = (0..500).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(refused(&deep).contains("deeper than 64"));
        assert!(refused(&"- a\n".repeat(60_000)).contains("more than 50000 values"));
        assert!(refused(&"x".repeat(4_000_001)).contains("more than 4 MB"));
        let wide: String = (0..20_000).map(|n| format!("k{n}: 1\n")).collect();
        assert!(refused(&wide).contains("more than 1000 keys"));
        assert!(refused("a: *nobody").contains("line 1"));
        assert!(refused("? [a]\n: b").contains("a key must be text"));
    }
}
