//! TOML into a [`Node`] tree, bounded while it is read.
//!
//! The parser (toml_parser, TOML 1.1) yields events with positions; nothing here recurses. Tables, dotted keys and inline tables are all
//! mappings, and `[[…]]` makes lists of them. Bounds are those of [`super::yaml`]. A key that is there twice is refused, as TOML wants it. Left
//! out: whether a table may still be extended after it was written inline, which this reader allows.

use std::borrow::Cow;

use toml_parser::decoder::ScalarKind;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};
use toml_parser::{ParseError, Source};

use super::tree::{Entry, Node, Place, Value};
use super::yaml::{DEEPEST, Documents, MOST_BYTES, MOST_KEYS, MOST_VALUES};
use super::{Refused, printable};

/// Whether a file is TOML: by its name, or because its first line that says anything is the head of a table.
pub fn is_toml(name: &str, text: &str) -> bool {
    if name.ends_with(".toml") {
        return true;
    }
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(head) = lines.next().and_then(|line| line.strip_prefix('[')?.strip_suffix(']')) else {
        return false;
    };
    let inside = head.trim_start_matches('[').trim_end_matches(']');
    let sign = |c: char| c.is_ascii_alphanumeric() || "-_.\"'".contains(c);
    // A list of one word is YAML, and has nothing after it.
    !inside.is_empty() && inside.chars().all(sign) && lines.next().is_some()
}

/// Reads `text`, which is file number `file` and called `name`.
///
/// # Errors
/// If it is not TOML, or outgrows a bound.
pub fn read(name: &str, file: u16, text: &str) -> Result<Documents, Refused> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() as u64 > MOST_BYTES {
        let what = format!("has more than {} MB: no configuration has", MOST_BYTES / 1_000_000);
        return Err(Refused::whole(name, what));
    }
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let (mut events, mut error) = (Vec::<Event>::new(), None::<ParseError>);
    let mut guard = RecursionGuard::new(&mut events, DEEPEST as u32);
    parse_document(&tokens, &mut guard, &mut error);
    let mut reading = Reading {
        name,
        file,
        starts: std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect(),
        root: empty(Place { file, line: 1 }),
        table: Vec::new(),
        keys: Vec::new(),
        open: Vec::new(),
        values: 0,
    };
    // What could not be parsed comes first: what follows from it is not told.
    reading.whole(&error)?;
    for event in &events {
        reading.take(&source, event, &mut error)?;
        reading.whole(&error)?;
    }
    Ok(Documents {
        documents: vec![reading.root],
        ..Documents::default()
    })
}

/// A key, and where it stands.
type Key = (String, Place);

struct Reading<'a> {
    name: &'a str,
    file: u16,
    /// Where each line begins.
    starts: Vec<usize>,
    root: Node,
    /// The table that keys go into.
    table: Vec<Key>,
    /// The parts of the key that is being read.
    keys: Vec<Key>,
    /// The collections whose end has not come yet, with the key that each is for.
    open: Vec<(Vec<Key>, Node)>,
    values: usize,
}

fn empty(at: Place) -> Node {
    Node {
        at,
        value: Value::Map(Vec::new()),
    }
}

impl Reading<'_> {
    fn place(&self, at: usize) -> Place {
        Place {
            file: self.file,
            line: self.starts.partition_point(|start| *start <= at) as u32,
        }
    }

    fn refuse(&self, at: Place, what: &str) -> Refused {
        Refused::at(self.name, at.line, what.to_owned())
    }

    /// Refuses the file if it has a mistake.
    fn whole(&self, error: &Option<ParseError>) -> Result<(), Refused> {
        let Some(error) = error else { return Ok(()) };
        let span = error.unexpected().or(error.context());
        let at = span.map_or(
            Place {
                file: self.file,
                line: 1,
            },
            |span| self.place(span.start()),
        );
        Err(self.refuse(at, &format!("is no TOML: {}", printable(error.description()))))
    }

    fn take(&mut self, source: &Source<'_>, event: &Event, error: &mut Option<ParseError>) -> Result<(), Refused> {
        let at = self.place(event.span().start());
        let raw = source.get(event);
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => self.keys.clear(),
            EventKind::StdTableClose => {
                self.table = std::mem::take(&mut self.keys);
                self.enter_table(at)?;
            }
            EventKind::ArrayTableClose => {
                self.table = std::mem::take(&mut self.keys);
                let (mut table, last) = (self.table.clone(), self.table.last().cloned());
                table.pop();
                let Some((key, at)) = last else { return Ok(()) };
                self.count(at)?;
                let name = self.name;
                let holder = enter(&mut self.root, &table).map_err(|what| mistake(name, what))?;
                append(holder, key, at).map_err(|what| mistake(name, what))?;
            }
            EventKind::SimpleKey => {
                let mut key = Cow::Borrowed("");
                if let Some(raw) = raw {
                    raw.decode_key(&mut key, error);
                }
                if self.keys.len() >= DEEPEST {
                    return Err(self.refuse(at, &format!("it goes deeper than {DEEPEST} levels")));
                }
                self.keys.push((key.into_owned(), at));
            }
            EventKind::Scalar => {
                let mut text = Cow::Borrowed("");
                let kind = raw.map(|raw| raw.decode_scalar(&mut text, error));
                let quoted = kind == Some(ScalarKind::String);
                let text = text.into_owned();
                self.put(Node {
                    at,
                    value: Value::Scalar { text, quoted },
                })?;
            }
            EventKind::ArrayOpen => {
                let keys = std::mem::take(&mut self.keys);
                let value = Value::List(Vec::new());
                self.open.push((keys, Node { at, value }));
            }
            EventKind::InlineTableOpen => {
                let keys = std::mem::take(&mut self.keys);
                self.open.push((keys, empty(at)));
            }
            EventKind::ArrayClose | EventKind::InlineTableClose => {
                if let Some((keys, node)) = self.open.pop() {
                    self.keys = keys;
                    self.put(node)?;
                }
            }
            EventKind::KeySep
            | EventKind::KeyValSep
            | EventKind::ValueSep
            | EventKind::Whitespace
            | EventKind::Comment
            | EventKind::Newline
            | EventKind::Error => {}
        }
        Ok(())
    }

    fn count(&mut self, at: Place) -> Result<(), Refused> {
        self.values += 1;
        match self.values > MOST_VALUES {
            true => Err(self.refuse(
                at,
                &format!("it has more than {MOST_VALUES} values: no configuration has"),
            )),
            false => Ok(()),
        }
    }

    fn enter_table(&mut self, at: Place) -> Result<(), Refused> {
        self.count(at)?;
        let name = self.name;
        enter(&mut self.root, &self.table)
            .map(drop)
            .map_err(|what| mistake(name, what))
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node) -> Result<(), Refused> {
        self.count(node.at)?;
        let keys = std::mem::take(&mut self.keys);
        let name = self.name;
        let holder = match self.open.last_mut() {
            Some((
                _,
                Node {
                    value: Value::List(items),
                    ..
                },
            )) => {
                items.push(node);
                return Ok(());
            }
            Some((_, map)) => map,
            None => enter(&mut self.root, &self.table).map_err(|what| mistake(name, what))?,
        };
        let Some(((key, at), before)) = keys.split_last() else {
            return Ok(());
        };
        let holder = enter(holder, before).map_err(|what| mistake(name, what))?;
        insert(holder, key.clone(), *at, node).map_err(|what| mistake(name, what))
    }
}

/// What is wrong about a key.
enum Mistake {
    Twice(String, Place),
    NoTable(String, Place),
    TooMany(Place),
}

fn mistake(name: &str, what: Mistake) -> Refused {
    match what {
        Mistake::Twice(key, at) => Refused::at(name, at.line, format!("`{}` is there twice", printable(&key))),
        Mistake::NoTable(key, at) => Refused::at(
            name,
            at.line,
            format!("`{}` has a value already and is no table", printable(&key)),
        ),
        Mistake::TooMany(at) => {
            let what = format!("a table has more than {MOST_KEYS} keys: none of a configuration has");
            Refused::at(name, at.line, what)
        }
    }
}

/// The table at the end of `keys` under `node`, which is made where it is not there; of a list of tables the last one.
fn enter<'a>(node: &'a mut Node, keys: &[Key]) -> Result<&'a mut Node, Mistake> {
    let mut node = node;
    for (key, at) in keys {
        let wrong = || Mistake::NoTable(key.clone(), *at);
        let Value::Map(entries) = &mut node.value else {
            return Err(wrong());
        };
        let number = match entries.iter().position(|entry| entry.key == *key) {
            Some(number) => number,
            None => {
                if entries.len() >= MOST_KEYS {
                    return Err(Mistake::TooMany(*at));
                }
                entries.push(Entry {
                    key: key.clone(),
                    at: *at,
                    value: empty(*at),
                });
                entries.len() - 1
            }
        };
        node = &mut entries[number].value;
        if node.is_list() {
            let Value::List(items) = &mut node.value else {
                return Err(wrong());
            };
            node = items.last_mut().ok_or_else(wrong)?;
        }
        if !node.is_map() {
            return Err(wrong());
        }
    }
    Ok(node)
}

fn insert(holder: &mut Node, key: String, at: Place, value: Node) -> Result<(), Mistake> {
    let Value::Map(entries) = &mut holder.value else {
        return Err(Mistake::NoTable(key, at));
    };
    if entries.iter().any(|entry| entry.key == key) {
        return Err(Mistake::Twice(key, at));
    }
    if entries.len() >= MOST_KEYS {
        return Err(Mistake::TooMany(at));
    }
    entries.push(Entry { key, at, value });
    Ok(())
}

/// Appends a table to the list under `key`, which is made where it is not there.
fn append(holder: &mut Node, key: String, at: Place) -> Result<(), Mistake> {
    let Value::Map(entries) = &mut holder.value else {
        return Err(Mistake::NoTable(key, at));
    };
    match entries.iter_mut().find(|entry| entry.key == key) {
        Some(Entry {
            value: Node {
                value: Value::List(items),
                ..
            },
            ..
        }) => {
            items.push(empty(at));
            Ok(())
        }
        Some(_) => Err(Mistake::Twice(key, at)),
        None => {
            let value = Node {
                at,
                value: Value::List(vec![empty(at)]),
            };
            insert(holder, key, at, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Node {
        read("x.toml", 0, text)
            .unwrap_or_else(|refused| panic!("{refused}"))
            .documents
            .remove(0)
    }

    fn refused(text: &str) -> String {
        read("x.toml", 0, text).unwrap_err().to_string()
    }

    #[test]
    fn tables_dotted_keys_and_inline_tables_are_mappings_that_know_their_lines() {
        let root = of(
            "# first\ntop = 1_000\n[models.\"a-1.5\"]\nrouting = [\"x\", # one\n  'y']\ntimeouts.streaming.ttft_ms = 3\n\n\
            [models.\"a-1.5\".providers.x]\ncost = [{ pointer = \"/p\", rate = -1.25 }]\n[[rules]]\nalways = true\n[[rules]]\nscope = [{ k = \"v\" }]\n\
            [rules.deep]\nx = 2026-01-31\n",
        );
        assert_eq!(root.number_of("top"), Some(1000.0));
        let model = root.get("models").unwrap().get("a-1.5").unwrap();
        assert_eq!(
            (model.get("routing").unwrap().texts(), model.at.line),
            (vec!["x", "y"], 3)
        );
        assert_eq!(model.find("timeouts.streaming.ttft_ms").unwrap().at.line, 6);
        let cost = &model.find("providers.x.cost").unwrap().items()[0];
        assert_eq!(
            (cost.text_of("pointer"), cost.number_of("rate")),
            (Some("/p"), Some(-1.25))
        );
        let rules = root.get("rules").unwrap().items();
        assert!(rules[0].flag("always") && rules.len() == 2);
        assert_eq!(rules[1].entry("scope").unwrap().at.line, 13);
        assert_eq!(rules[1].find("deep.x").unwrap().text(), Some("2026-01-31"));
        assert_eq!(of("a = \"\"\"\n{{ x }}\"\"\"\n").text_of("a"), Some("{{ x }}"));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        assert_eq!(refused("a = 1\na = 2\n"), "x.toml: line 2: `a` is there twice");
        assert_eq!(
            refused("a = 1\n[a.b]\n"),
            "x.toml: line 2: `a` has a value already and is no table"
        );
        assert!(refused("a = 1\n\nb = [\n").starts_with("x.toml: line "));
        assert!(refused("a = 1\nb: 2\n").starts_with("x.toml: line 2: is no TOML: "));
        assert!(refused(&format!("a = {}", "[".repeat(100_000))).contains("is no TOML"));
        assert!(refused(&format!("{}a = 1", "a.".repeat(500))).contains("deeper than 64"));
        let wide: String = (0..2_000).map(|n| format!("k{n} = 1\n")).collect();
        assert!(refused(&wide).contains("more than 1000 keys"));
        assert!(refused(&format!("a = [{}]", "1,".repeat(60_000))).contains("more than 50000 values"));
    }

    #[test]
    fn a_text_is_toml_by_its_name_or_its_first_line() {
        assert!(is_toml("a.toml", "x") && is_toml("a", "# c\n\n[models.x]\nrouting = []\n"));
        assert!(is_toml("a", "[[rate_limiting.rules]]\nx = 1\n"));
        assert!(!is_toml("a", "[\n1]") && !is_toml("a", "[a]") && !is_toml("a", "a: 1\n[x]\n") && !is_toml("a", ""));
    }
}
