//! A verdict on every key of a configuration: what became of it, and why.
//!
//! A product's keys are a table of paths ([`Key`]), in which `[]` stands for the items of a list and `*` for any key; the first row that
//! fits decides, and what it covers is not looked into; a row that ends in `*` yields to rows of what lies deeper. What no row names is not modelled.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::tree::{Node, Place, Value};

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The mechanism is simulated.
    Modelled,
    /// Something near to it is simulated.
    Approximated,
    /// It changes nothing that is simulated.
    Ignored,
    /// It would change something and is not simulated.
    NotModelled,
    /// The product itself does nothing with it.
    NoEffect,
}

impl Verdict {
    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Modelled => "modelled",
            Verdict::Approximated => "approximated",
            Verdict::Ignored => "ignored without loss",
            Verdict::NotModelled => "not modelled",
            Verdict::NoEffect => "does nothing",
        }
    }
}

/// A row of a product's table of keys.
pub type Key<'a> = (&'a str, Verdict, &'static str);

/// A key of a file, and the verdict on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The path, with the numbers of items.
    pub path: String,
    /// The path as tables have it.
    pub shape: String,
    /// Where the key stands.
    pub at: Place,
    /// The verdict on the key.
    pub verdict: Verdict,
    /// How it is modelled, or why not.
    pub how: String,
    /// Whether a row of the table names it, other than by `*` alone.
    pub known: bool,
    /// A mark of what stands under the key, by which a change of it is seen; the value itself may be a secret and is not kept.
    pub mark: u64,
}

impl Row {
    /// Whether it would change an experiment and is not in it: what is not modelled, or only explained.
    pub fn is_dropped(&self) -> bool {
        match self.verdict {
            Verdict::NotModelled => true,
            Verdict::Approximated => self.how.trim_start_matches("only ").starts_with("in what is explained"),
            Verdict::Modelled | Verdict::Ignored | Verdict::NoEffect => false,
        }
    }
}

/// The verdict of the table `keys` on a key of this shape, if a row names it.
pub fn verdict(shape: &str, keys: &[Key<'_>]) -> Option<Verdict> {
    let row = keys.iter().find(|(pattern, ..)| fits(pattern, shape));
    row.map(|(_, verdict, _)| *verdict)
}

/// A mark of a value that two values share only if they are equal, or by rare chance.
pub(super) fn mark(node: &Node) -> u64 {
    fn add(node: &Node, hasher: &mut DefaultHasher) {
        match &node.value {
            Value::Scalar { text, quoted } => (0, text, quoted).hash(hasher),
            Value::List(items) => {
                (1, items.len()).hash(hasher);
                items.iter().for_each(|item| add(item, hasher));
            }
            Value::Map(entries) => {
                (2, entries.len()).hash(hasher);
                for entry in entries {
                    entry.key.hash(hasher);
                    add(&entry.value, hasher);
                }
            }
        }
    }
    let mut hasher = DefaultHasher::new();
    add(node, &mut hasher);
    hasher.finish()
}

/// The rows of all keys under `node`.
pub fn of(node: &Node, keys: &[Key<'_>]) -> Vec<Row> {
    let mut rows = Vec::new();
    walk(node, "", "", keys, &mut rows);
    rows
}

fn walk(node: &Node, path: &str, shape: &str, keys: &[Key<'_>], rows: &mut Vec<Row>) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => {
            for (number, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{number}]"), &format!("{shape}[]"), keys, rows);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let join = |before: &str, key: &str| match before {
                    "" => key.to_owned(),
                    before => format!("{before}.{key}"),
                };
                let (path, shape) = (join(path, &entry.key), join(shape, &step(&entry.key)));
                let row = keys.iter().find(|(pattern, ..)| fits(pattern, &shape));
                let deeper = || keys.iter().any(|(pattern, ..)| leads(pattern, &shape));
                match row {
                    // What stands for all the rest says nothing of what has rows of its own below.
                    row if row.is_none_or(|(pattern, ..)| pattern.ends_with('*')) && deeper() => {
                        walk(&entry.value, &path, &shape, keys, rows)
                    }
                    row => rows.push(Row {
                        path,
                        at: entry.at,
                        verdict: row.map_or(Verdict::NotModelled, |row| row.1),
                        how: row.map_or("", |row| row.2).to_owned(),
                        known: row.is_some_and(|(pattern, ..)| !pattern.ends_with('*')),
                        mark: mark(&entry.value),
                        shape,
                    }),
                }
            }
        }
    }
}

/// A key as one step of a shape, whatever dots it has.
pub(super) fn step(key: &str) -> Cow<'_, str> {
    match key.contains('.') {
        true => Cow::Owned(key.replace('.', "_")),
        false => Cow::Borrowed(key),
    }
}

/// Whether `pattern` names `shape`.
pub(super) fn fits(pattern: &str, shape: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('.'), shape.split('.'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(p), Some(s)) if same(p, s) => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

/// Whether `pattern` names something under `shape`.
fn leads(pattern: &str, shape: &str) -> bool {
    let mut patterns = pattern.split('.');
    let below = shape.split('.').all(|s| {
        patterns
            .next()
            .is_some_and(|p| same(p, s) || p.strip_suffix("[]").is_some_and(|p| same(p, s)))
    });
    below && (patterns.next().is_some() || pattern.ends_with("[]"))
}

fn same(pattern: &str, part: &str) -> bool {
    pattern == part || pattern == "*"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::source::from_text;

    #[test]
    fn the_first_row_that_fits_decides() {
        let text = "a:\n- {b: 1, c: {d: 2}}\n- {e: 3}\nf: {g: 1}\nh: 1\n";
        let config = from_text("x", text).unwrap();
        let keys: [Key<'_>; 4] = [
            ("a[].b", Verdict::Modelled, "so"),
            ("a[].c.d", Verdict::Approximated, "about"),
            ("a[].*", Verdict::Ignored, "rest"),
            ("f", Verdict::Ignored, ""),
        ];
        let rows = of(config.first().unwrap(), &keys);
        let short: Vec<_> = rows
            .iter()
            .map(|row| (row.path.as_str(), row.verdict, row.known))
            .collect();
        assert_eq!(
            short,
            [
                ("a[0].b", Verdict::Modelled, true),
                ("a[0].c.d", Verdict::Approximated, true),
                ("a[1].e", Verdict::Ignored, false),
                ("f", Verdict::Ignored, true),
                ("h", Verdict::NotModelled, false)
            ]
        );
    }
}
