//! A configuration as a tree whose every value knows its file and line.
//!
//! Scalars keep the text that the file has, with whether it was quoted; what it is (a number, a truth, nothing) is asked when it is
//! needed, by the rules of YAML 1.1 that the products' own readers have: `yes` and `on` are true, `~` is nothing. Numbers in
//! quotes count as numbers, as the products cast them. Of equal keys in a mapping the last one counts; [`super::yaml`] tells of
//! the others. Left out: octal and sexagesimal numbers, tags, keys that are not text.

/// Where a value stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, by its number among those that were read.
    pub file: u16,
    /// The line, from 1.
    pub line: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub at: Place,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, a number, a truth or nothing.
    Scalar {
        /// As the file has it, escapes read.
        text: String,
        /// Whether it stood in quotes or in a block.
        quoted: bool,
    },
    /// A list of values.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// An entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key of the entry.
    pub key: String,
    /// Where the key stands.
    pub at: Place,
    /// The value under it.
    pub value: Node,
}

impl Node {
    /// The entries, if it is a mapping.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar { .. } | Value::List(_) => &[],
        }
    }

    /// The items, if it is a list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar { .. } | Value::Map(_) => &[],
        }
    }

    /// The entry under `key`, with the place of its key; one that says nothing (`null`) counts as absent.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        let mut entries = self.entries().iter().rev();
        entries.find(|entry| entry.key == key && !entry.value.is_null())
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value under the keys of `path`, which are separated by dots.
    pub fn find(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The text of a scalar that is not nothing.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The text under `key`.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// A finite number.
    pub fn number(&self) -> Option<f64> {
        let text = self.text()?.trim();
        let is_plain = |c: char| c.is_ascii_digit() || "+-.eE_".contains(c);
        if !text.chars().all(is_plain) {
            return None;
        }
        text.replace('_', "").parse().ok().filter(|x: &f64| x.is_finite())
    }

    /// The number under `key`.
    pub fn number_of(&self, key: &str) -> Option<f64> {
        self.get(key)?.number()
    }

    /// The whole number from 0 under `key`; what follows the point is cut off.
    pub fn count_of(&self, key: &str) -> Option<u64> {
        self.number_of(key).filter(|x| *x >= 0.0 && *x < 1e15).map(|x| x as u64)
    }

    /// Whether it is `true`, `yes` or `on`.
    pub fn is_true(&self) -> bool {
        let words = ["true", "yes", "on"];
        self.text()
            .is_some_and(|text| words.iter().any(|word| text.eq_ignore_ascii_case(word)))
    }

    /// Whether `key` is there and true.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(Node::is_true)
    }

    /// Whether it says nothing: empty, `~` or `null`.
    pub fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, quoted: false } => matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => false,
        }
    }

    /// Whether it is a mapping.
    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// The texts of a list, or the one text that stands in its place.
    pub fn texts(&self) -> Vec<&str> {
        match self.text() {
            Some(text) => vec![text],
            None => self.items().iter().filter_map(Node::text).collect(),
        }
    }
}
