//! Of which requests a metric is: all that are counted, or those of a class, a tag, a provider or a window, or those that the response
//! cache answered or did not.
//!
//! In braces after the metric, `key=value` with commas between, all of which must hold: `{class=chat,window=outage}`. The keys
//! are `class`, `provider`, `tag.NAME`, `window` and `cache` (`hit` or `miss`), each at most once (of tags, each name once). A value, or a tag's name, that
//! is empty or holds white space or one of `{ } , = ' " \` stands in quotes of either kind, with `\` before a quote of that kind
//! and before itself: `{class='a, b'}`. It is shown in the order of the keys above, tags by name, with quotes only where they
//! must be.

use std::fmt;

/// The requests that a metric is restricted to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(Vec<(Key, String)>);

/// What a scope restricts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The class of the request.
    Class,
    /// The provider that answered the request, or that the attempt was sent to.
    Provider,
    /// The tag of this name that the request's class has.
    Tag(String),
    /// The named stretch of the plan's time that the request arrived in.
    Window,
    /// Whether the gateway's response cache answered the request: `hit` or `miss`.
    Cache,
}

impl Scope {
    /// Everything that is counted.
    pub const ALL: Scope = Scope(Vec::new());

    /// Whether it is everything that is counted.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys and their values, in order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.0.iter().map(|(key, value)| (key, value.as_str()))
    }

    /// The value of `key`, if the scope restricts that.
    pub fn get(&self, key: &Key) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The same, with `key` restricted to `value`.
    #[must_use]
    pub fn with(mut self, key: Key, value: impl Into<String>) -> Scope {
        self.0.retain(|(k, _)| *k != key);
        let at = self.0.partition_point(|(k, _)| *k < key);
        self.0.insert(at, (key, value.into()));
        self
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.iter().enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            write!(f, "{before}{key}={}", Word(value))?;
        }
        f.write_str(if self.is_all() { "" } else { "}" })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Class => f.write_str("class"),
            Key::Provider => f.write_str("provider"),
            Key::Tag(name) => write!(f, "tag.{}", Word(name)),
            Key::Window => f.write_str("window"),
            Key::Cache => f.write_str("cache"),
        }
    }
}

/// Whether a word with this character needs quotes.
pub(super) fn is_special(c: char) -> bool {
    c.is_whitespace() || "{},='\"\\".contains(c)
}

/// A word, in quotes where it must be.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && !self.0.contains(is_special) {
            return f.write_str(self.0);
        }
        let escaped = self.0.replace('\\', "\\\\").replace('\'', "\\'");
        write!(f, "'{escaped}'")
    }
}
