//! Lists in a text: items that are equal stay, the others are replaced, put in or taken out one by one; and lists of chains, which are
//! fallbacks.

use serde_json::Value;

use super::super::places::Is;
use super::super::write::{Manner, in_place};
use super::{Edit, Editor, Step, Why};

impl Editor<'_> {
    /// The text with `names` as the chain of `group` in the list of chains at `path`; names in it that are `unknown` stay.
    pub(in super::super) fn set_chain(
        &self,
        root: usize,
        path: &[Step],
        group: &str,
        names: &[Value],
        unknown: &dyn Fn(&str) -> bool,
    ) -> Result<String, Why> {
        let mut at = root;
        for step in path {
            let Step::Key(key) = step else { continue };
            match self.places.entry(self.places.behind(at), key) {
                Some((_, inner)) if !self.places.is_null(inner) => at = inner,
                Some(_) | None => {
                    let chain = serde_json::json!([{ group: names }]);
                    return self.set(root, path, Some(&chain));
                }
            }
        }
        let Is::List { flow, items } = &self.places.items[at].is else {
            return Err(self.why(at, "it is not a plain list of chains"));
        };
        for item in items {
            let Some((key, chain)) = self.places.entry(self.places.behind(*item), group) else {
                continue;
            };
            let Is::List { items, .. } = &self.places.items[chain].is else {
                return Err(self.why(chain, "the chain is not a plain list"));
            };
            // Names that no group has are kept in their places.
            let mut wanted: Vec<Value> = Vec::new();
            let mut left = names.iter();
            for name in items {
                let text = self
                    .places
                    .text(*name)
                    .ok_or_else(|| self.why(*name, "the chain has more than names"))?;
                if unknown(text) {
                    wanted.push(Value::from(text));
                } else {
                    wanted.extend(left.next().cloned());
                }
            }
            wanted.extend(left.cloned());
            let is_block = matches!(self.places.items[chain].is, Is::List { flow: false, .. });
            if is_block && wanted.is_empty() {
                return self.emptied(key, chain);
            }
            return self.set_list(chain, &wanted);
        }
        let chain = serde_json::json!({ group: names });
        match (items.last(), flow) {
            (None, _) | (_, true) => {
                let all: Vec<Value> = vec![chain];
                self.append(at, &all)
            }
            (Some(last), false) => {
                let line = self.line_of(self.places.items[*last].start);
                let start = &self.text[line..self.places.items[*last].start];
                let dash = start
                    .rfind('-')
                    .ok_or_else(|| self.why(*last, "the list is written otherwise"))?;
                let text = format!(
                    "{}- {}: {}",
                    &start[..dash],
                    Manner::Yaml.key(group),
                    Manner::Yaml.write(&names.into())
                );
                Ok(self.below(self.places.items[*last].end, &text))
            }
        }
    }

    /// A list with these items: what is equal stays, the rest is replaced one by one.
    pub(super) fn set_list(&self, list: usize, wanted: &[Value]) -> Result<String, Why> {
        let Is::List { flow, items } = &self.places.items[list].is else {
            return Err(self.why(list, "there is no list"));
        };
        let text = |item: &usize| self.places.text(*item);
        let same = |item: &usize, value: &Value| match value {
            Value::String(value) => text(item) == Some(value),
            value => text(item).and_then(|t| t.parse::<f64>().ok()) == value.as_f64() && value.is_number(),
        };
        let head = items
            .iter()
            .zip(wanted)
            .take_while(|(item, value)| same(item, value))
            .count();
        let room = items.len().min(wanted.len()) - head;
        let tails = items.iter().rev().zip(wanted.iter().rev());
        let tail = tails.take(room).take_while(|(item, value)| same(item, value)).count();
        let (old, new) = (&items[head..items.len() - tail], &wanted[head..wanted.len() - tail]);
        let manner = items.first().map_or(Manner::Yaml, |item| Manner::of(self.style(*item)));
        let mut edits = Vec::new();
        for (item, value) in old.iter().zip(new) {
            let of = &self.places.items[*item];
            let text = in_place(value, self.style(*item), manner)
                .ok_or_else(|| self.why(*item, "its text stands in a block"))?;
            edits.push(Edit {
                start: of.start,
                end: of.end,
                text,
            });
        }
        if !flow && old.len() != new.len() {
            let (from, to) = (head + new.len().min(old.len()), head + old.len());
            return self.set_block(list, items, (from, to), &new[old.len().min(new.len())..], edits);
        }
        if new.len() > old.len() {
            let more: Vec<String> = new[old.len()..].iter().map(|value| manner.write(value)).collect();
            let more = more.join(", ");
            let at = head + old.len();
            edits.push(match (at.checked_sub(1).and_then(|n| items.get(n)), items.get(at)) {
                (Some(before), _) => {
                    let at = self.places.items[*before].end;
                    Edit {
                        start: at,
                        end: at,
                        text: format!(", {more}"),
                    }
                }
                (None, Some(after)) => {
                    let at = self.places.items[*after].start;
                    Edit {
                        start: at,
                        end: at,
                        text: format!("{more}, "),
                    }
                }
                (None, None) => return self.append(list, wanted),
            });
        }
        if old.len() > new.len() {
            let span = |n: usize| (self.places.items[items[n]].start, self.places.items[items[n]].end);
            edits.push(cut_many(items.len(), head + new.len(), head + old.len(), span));
        }
        Ok(self.apply(edits))
    }

    /// A block without the items `from` up to `to`, and with `more` before the item `to`, beside the `edits` of others.
    fn set_block(
        &self,
        list: usize,
        items: &[usize],
        (from, to): (usize, usize),
        more: &[Value],
        mut edits: Vec<Edit>,
    ) -> Result<String, Why> {
        if from == 0 && to == items.len() && more.is_empty() {
            return Err(self.why(list, "nothing would be left of it"));
        }
        for item in &items[from..to] {
            let lines = self.lines(*item)?;
            edits.push(Edit {
                start: lines.start,
                end: lines.end,
                text: String::new(),
            });
        }
        if let Some(first) = items.first().filter(|_| !more.is_empty()) {
            // In the manner of the item above, or of the first.
            let like = to.checked_sub(1).and_then(|n| items.get(n)).unwrap_or(first);
            let start = self.places.items[*like].start;
            let dash = self.slice(self.line_of(start), start);
            let mut text = String::new();
            for value in more {
                let value = in_place(value, self.style(*like), Manner::Yaml)
                    .ok_or_else(|| self.why(*like, "its text stands in a block"))?;
                text += &format!("{dash}{value}{}", self.eol());
            }
            let at = match to {
                0 => self.lines(*first)?.start,
                _ => self.lines(*like)?.end,
            };
            if at > 0 && !self.text[..at].ends_with('\n') {
                text = format!("{}{}", self.eol(), text.trim_end_matches(['\r', '\n']));
            }
            edits.push(Edit {
                start: at,
                end: at,
                text,
            });
        }
        Ok(self.apply(edits))
    }

    /// A flow list with further items at its end.
    fn append(&self, list: usize, more: &[Value]) -> Result<String, Why> {
        let Is::List { items, .. } = &self.places.items[list].is else {
            return Err(self.why(list, "there is no list"));
        };
        let manner = match items.first().map(|item| &self.places.items[*item].is) {
            Some(Is::Map { entries, .. }) => entries
                .first()
                .map_or(Manner::Yaml, |(key, _)| Manner::of(self.style(*key))),
            Some(Is::Scalar { style, .. }) => Manner::of(*style),
            Some(Is::Alias(_) | Is::List { .. }) | None => Manner::Yaml,
        };
        let more: Vec<String> = more.iter().map(|value| manner.write(value)).collect();
        let more = more.join(", ");
        let (at, text) = match items.last() {
            Some(last) => (self.places.items[*last].end, format!(", {more}")),
            None => (self.places.items[list].start + 1, more),
        };
        Ok(self.apply(vec![Edit {
            start: at,
            end: at,
            text,
        }]))
    }
}

/// The stretch of the members `from` up to `to`, of `n`.
pub(super) fn cut_many(n: usize, from: usize, to: usize, span: impl Fn(usize) -> (usize, usize)) -> Edit {
    let (start, end) = match (from, to) {
        (0, to) if to < n => (span(0).0, span(to).0),
        (0, to) => (span(0).0, span(to - 1).1),
        (from, to) => (span(from - 1).1, span(to - 1).1),
    };
    Edit {
        start,
        end,
        text: String::new(),
    }
}
