//! A change of one value in a text: what stands around it stays, byte for byte.
//!
//! A value is replaced in its quotes; one that is missing is written as a key behind the last of its mapping, in the manner of the others.
//! What an alias or a merge key brings is shared with others: it is given an explicit key, which goes before what is merged, or stands in
//! the place of the alias; where neither can be, it is refused with the line. Lists are in [`lists`], whole items of them in [`items`]. Left
//! out: text in blocks, comments of keys that are taken out.

mod items;
mod lists;

use saphyr_parser::ScalarStyle;
use serde_json::Value;

use super::places::{Is, Places};
use super::write::{Manner, in_place};
use crate::stats::sorting;
use lists::cut_many;

/// A step to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The value under a key.
    Key(String),
    /// The item of a list, from 0.
    Item(usize),
}

/// Why a value cannot be written: the line, and what stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) line: u32,
    pub(super) what: &'static str,
}

/// A stretch of bytes with what comes in its place.
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

/// A text with its places.
pub(super) struct Editor<'a> {
    text: &'a str,
    places: &'a Places,
}

impl<'a> Editor<'a> {
    pub(super) fn of(text: &'a str, places: &'a Places) -> Editor<'a> {
        Editor { text, places }
    }

    /// The text with `value` at `path` from `root`; without the key where no value is given.
    pub(super) fn set(&self, root: usize, path: &[Step], value: Option<&Value>) -> Result<String, Why> {
        let mut at = root;
        // An alias on the way, and whether the last step is into what it repeats.
        let mut alias: Option<usize> = None;
        for (depth, step) in path.iter().enumerate() {
            let behind = self.places.behind(at);
            if behind != at {
                if alias.is_some() {
                    return Err(self.why(at, "it is shared by an alias inside another"));
                }
                alias = Some(at);
            } else if alias.is_some() {
                return Err(self.why(
                    alias.unwrap_or(at),
                    "it lies deep in what an alias repeats; write it out first",
                ));
            }
            at = behind;
            let key = match step {
                Step::Item(number) => {
                    let Is::List { items, .. } = &self.places.items[at].is else {
                        return Err(self.why(at, "there is no list"));
                    };
                    at = *items
                        .get(*number)
                        .ok_or_else(|| self.why(at, "the list has no such item"))?;
                    continue;
                }
                Step::Key(key) => key,
            };
            let rest = &path[depth + 1..];
            match self.places.entry(at, key) {
                Some((_, inner)) if !rest.is_empty() && !self.places.is_null(inner) => at = inner,
                Some((name, inner)) if rest.is_empty() => {
                    return match (alias, value) {
                        (Some(alias), Some(value)) => self.beside_alias(alias, key, value),
                        (Some(alias), None) => Err(self.why(alias, "what an alias repeats cannot be taken out of it")),
                        (None, Some(value)) => self.replace(name, inner, value),
                        (None, None) => self.take_out(at, name, inner),
                    };
                }
                Some((name, inner)) => {
                    let value = value.ok_or_else(|| self.why(at, "there is nothing to take out"))?;
                    return self.fill(name, inner, &nested(rest, value));
                }
                None => {
                    let is_merged = self.places.merged(at).into_iter().any(|of| self.has(of, key, 0));
                    let value = value.ok_or_else(|| self.why(at, "what is merged cannot be taken out"))?;
                    return match (alias, is_merged && !rest.is_empty()) {
                        (_, true) => Err(self.why(at, "it lies deep in what is merged; write it out first")),
                        (Some(alias), false) => self.beside_alias(alias, key, &nested(rest, value)),
                        (None, false) => self.insert(at, key, rest, value),
                    };
                }
            }
        }
        Err(self.why(at, "it is a whole part of the file"))
    }

    fn has(&self, map: usize, key: &str, depth: usize) -> bool {
        self.places
            .entry(map, key)
            .is_some_and(|(_, value)| !self.places.is_null(value))
            || (depth < 64
                && self
                    .places
                    .merged(map)
                    .into_iter()
                    .any(|of| self.has(of, key, depth + 1)))
    }

    fn why(&self, item: usize, what: &'static str) -> Why {
        let start = self.places.items[item].start.min(self.text.len());
        Why {
            line: 1 + self.text.as_bytes()[..start].iter().filter(|b| **b == b'\n').count() as u32,
            what,
        }
    }

    fn style(&self, item: usize) -> ScalarStyle {
        match self.places.items[item].is {
            Is::Scalar { style, .. } => style,
            Is::Alias(_) | Is::List { .. } | Is::Map { .. } => ScalarStyle::Plain,
        }
    }

    fn slice(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end.max(start)).unwrap_or("")
    }

    /// A value in the place of another, under the key `name`.
    fn replace(&self, name: usize, old: usize, value: &Value) -> Result<String, Why> {
        let manner = Manner::of(self.style(name));
        if self.places.said(old).is_none() {
            return self.fill(name, old, value);
        }
        let item = &self.places.items[old];
        let text = match (&item.is, value) {
            (Is::List { .. }, Value::Array(wanted)) => return self.set_list(old, wanted),
            (Is::Alias(_), value) => manner.write(value),
            (Is::Scalar { style, .. }, value) => {
                in_place(value, *style, manner).ok_or_else(|| self.why(name, "its text stands in a block"))?
            }
            (Is::List { .. } | Is::Map { .. }, _) => return Err(self.why(old, "it is written in another form")),
        };
        Ok(self.apply(vec![Edit {
            start: item.start,
            end: item.end,
            text,
        }]))
    }

    /// A value behind a key that has none, or says `null`.
    fn fill(&self, name: usize, old: usize, value: &Value) -> Result<String, Why> {
        let manner = Manner::of(self.style(name));
        let item = &self.places.items[old];
        if self.places.said(old).is_some() {
            let text = manner.write(value);
            return Ok(self.apply(vec![Edit {
                start: item.start,
                end: item.end,
                text,
            }]));
        }
        let end = self.places.items[name].end;
        let colon = self.text[end..]
            .find(':')
            .ok_or_else(|| self.why(name, "its key is written otherwise"))?;
        let at = end + colon + 1;
        let text = format!(" {}", manner.write(value));
        Ok(self.apply(vec![Edit {
            start: at,
            end: at,
            text,
        }]))
    }

    /// A mapping that merges what the alias repeats and has a key of its own, in the place of the alias.
    fn beside_alias(&self, alias: usize, key: &str, value: &Value) -> Result<String, Why> {
        let item = &self.places.items[alias];
        let is_map = matches!(self.places.items[self.places.behind(alias)].is, Is::Map { .. });
        if !is_map {
            return Err(self.why(alias, "it is shared by an alias"));
        }
        let yaml = Manner::Yaml;
        let text = format!(
            "{{<<: {}, {}: {}}}",
            self.slice(item.start, item.end),
            yaml.key(key),
            yaml.write(value)
        );
        Ok(self.apply(vec![Edit {
            start: item.start,
            end: item.end,
            text,
        }]))
    }

    /// A key behind the last one of a mapping; `rest` are keys inside of it.
    fn insert(&self, map: usize, key: &str, rest: &[Step], value: &Value) -> Result<String, Why> {
        let Is::Map { flow, entries } = &self.places.items[map].is else {
            return Err(self.why(map, "there is no mapping"));
        };
        let manner = entries
            .first()
            .map_or(Manner::Yaml, |(name, _)| Manner::of(self.style(*name)));
        let end_of = |(name, value): &(usize, usize)| match self.places.said(*value) {
            Some(()) => self.places.items[*value].end,
            None => self.places.items[*name].end,
        };
        if !flow {
            let Some((first, _)) = entries.first() else {
                return Err(self.why(map, "the mapping is empty"));
            };
            let start = self.places.items[*first].start;
            let indent = " ".repeat(self.text[self.line_of(start)..start].chars().count());
            let eol = self.eol();
            let mut text = format!("{indent}{}:", manner.key(key));
            // Beside mappings in braces a new one is in braces too.
            let in_braces = entries
                .iter()
                .rev()
                .find_map(|(_, value)| match &self.places.items[*value].is {
                    Is::Map { flow, entries } if !entries.is_empty() => Some(*flow),
                    Is::Map { .. } | Is::Scalar { .. } | Is::Alias(_) | Is::List { .. } => None,
                });
            if in_braces == Some(true) {
                text += &format!(" {}", manner.write(&nested(rest, value)));
                return Ok(self.below(entries.last().map_or(start, end_of), &text));
            }
            for (depth, step) in (1..).zip(rest) {
                let Step::Key(key) = step else { continue };
                text += &format!("{eol}{indent}{}{}:", "  ".repeat(depth), manner.key(key));
            }
            text += &format!(" {}", manner.write(value));
            return Ok(self.below(entries.last().map_or(start, end_of), &text));
        }
        let pair = format!("{}: {}", manner.key(key), manner.write(&nested(rest, value)));
        let start = self.places.items[map].start + 1;
        let (at, text) = match entries.as_slice() {
            [] => (start, pair),
            [.., last] => {
                let gap = match entries.as_slice() {
                    [.., before, _] => self.slice(end_of(before), self.places.items[last.0].start),
                    _ => self.slice(start, self.places.items[last.0].start),
                };
                let is_space = gap.chars().all(|c| c.is_whitespace() || c == ',');
                let separator = match gap.trim_start_matches(',') {
                    space if is_space && entries.len() > 1 => format!(",{space}"),
                    space if is_space && space.contains('\n') => format!(",{space}"),
                    _ => ", ".to_owned(),
                };
                (end_of(last), format!("{separator}{pair}"))
            }
        };
        Ok(self.apply(vec![Edit {
            start: at,
            end: at,
            text,
        }]))
    }

    /// The text without an entry of a mapping.
    fn take_out(&self, map: usize, name: usize, value: usize) -> Result<String, Why> {
        let Is::Map { flow, entries } = &self.places.items[map].is else {
            return Err(self.why(map, "there is no mapping"));
        };
        let number = entries.iter().position(|(key, _)| *key == name).unwrap_or(0);
        let end_of = |(name, value): &(usize, usize)| match self.places.said(*value) {
            Some(()) => self.places.items[*value].end,
            None => self.places.items[*name].end,
        };
        if *flow {
            let span = |n: usize| (self.places.items[entries[n].0].start, end_of(&entries[n]));
            return Ok(self.apply(vec![cut(entries.len(), number, span)]));
        }
        let start = self.line_of(self.places.items[name].start);
        let is_alone = self.text[start..self.places.items[name].start]
            .chars()
            .all(|c| c == ' ');
        if entries.len() < 2 {
            return Err(self.why(name, "it is the only one of its mapping; take it out by hand"));
        }
        if !is_alone {
            // It begins a list item: the next key moves up to its place.
            let next = entries.get(number + 1).map(|(key, _)| self.places.items[*key].start);
            let start = self.places.items[name].start;
            let end = next.ok_or_else(|| self.why(name, "it begins its list item; take it out by hand"))?;
            return Ok(self.apply(vec![Edit {
                start,
                end,
                text: String::new(),
            }]));
        }
        let end = self.end_of_line(end_of(&(name, value)));
        Ok(self.apply(vec![Edit {
            start,
            end,
            text: String::new(),
        }]))
    }

    /// The text with a line below the one that `end` is in.
    fn below(&self, end: usize, line: &str) -> String {
        let at = self.end_of_line(end);
        let eol = self.eol();
        let text = if self.text[..at].ends_with('\n') || at == 0 {
            format!("{line}{eol}")
        } else {
            format!("{eol}{line}")
        };
        self.apply(vec![Edit {
            start: at,
            end: at,
            text,
        }])
    }

    fn line_of(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The byte behind the line that ends at or after `end`.
    fn end_of_line(&self, end: usize) -> usize {
        if end > 0 && self.text[..end].ends_with('\n') {
            return end;
        }
        self.text[end..]
            .find('\n')
            .map_or(self.text.len(), |newline| end + newline + 1)
    }

    fn eol(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    fn apply(&self, mut edits: Vec<Edit>) -> String {
        sorting::by_key(&mut edits, |edit| std::cmp::Reverse((edit.start, edit.end)));
        let mut text = self.text.to_owned();
        for edit in edits {
            text.replace_range(edit.start..edit.end, &edit.text);
        }
        text
    }
}

/// The stretch of one of `n` members of a flow, with the comma that goes with it.
fn cut(n: usize, number: usize, span: impl Fn(usize) -> (usize, usize)) -> Edit {
    cut_many(n, number, number + 1, span)
}

/// `value` under the keys of `rest`.
fn nested(rest: &[Step], value: &Value) -> Value {
    rest.iter().rev().fold(value.clone(), |inner, step| match step {
        Step::Key(key) => serde_json::json!({ key: inner }),
        Step::Item(_) => serde_json::json!([inner]),
    })
}

#[cfg(test)]
mod tests;
