//! Items of a list that go or are copied: whole lines in a block, with the comments that belong to them; what stands between commas in a flow.
//!
//! A comment belongs to the item below it if it stands directly above, as far in as the item's dash; one that stands further in belongs to the
//! item above. A copy has the form of its original, without comments and without the anchors that other values repeat.

use super::super::places::{Is, Item};
use super::{Edit, Editor, Step, Why, cut};

/// The lines of an item of a block.
pub(super) struct Lines {
    /// Where the comments above it begin.
    pub(super) start: usize,
    /// Where its own first line begins.
    own: usize,
    /// Where its own last line ends.
    own_end: usize,
    /// Where the comments further in below it end.
    pub(super) end: usize,
}

impl Editor<'_> {
    /// What stands at `path` from `root`; nothing where an alias is on the way.
    pub(in super::super) fn find(&self, root: usize, path: &[Step]) -> Option<usize> {
        path.iter().try_fold(root, |at, step| match step {
            Step::Key(key) => self.places.entry(at, key).map(|(_, value)| value),
            Step::Item(number) => match &self.places.items[at].is {
                Is::List { items, .. } => items.get(*number).copied(),
                Is::Scalar { .. } | Is::Alias(_) | Is::Map { .. } => None,
            },
        })
    }

    /// How many items the list has.
    pub(in super::super) fn len_of(&self, list: usize) -> usize {
        match &self.places.items[list].is {
            Is::List { items, .. } => items.len(),
            Is::Scalar { .. } | Is::Alias(_) | Is::Map { .. } => 0,
        }
    }

    /// The lines, from 1, from the first of a value to its last.
    pub(in super::super) fn lines_of(&self, item: usize) -> (u32, u32) {
        let line = |at: usize| 1 + self.text[..at].bytes().filter(|byte| *byte == b'\n').count() as u32;
        let of = &self.places.items[item];
        let end = of.end.max(of.start);
        let last = end - usize::from(end > of.start && self.text[..end].ends_with('\n'));
        (line(of.start), line(last))
    }

    /// The text without an item of a list.
    pub(in super::super) fn take_item(&self, list: usize, number: usize) -> Result<String, Why> {
        let Is::List { flow, items } = &self.places.items[list].is else {
            return Err(self.why(list, "there is no list"));
        };
        let item = *items
            .get(number)
            .ok_or_else(|| self.why(list, "the list has no such item"))?;
        if *flow {
            let span = |n: usize| (self.places.items[items[n]].start, self.places.items[items[n]].end);
            return Ok(self.apply(vec![cut(items.len(), number, span)]));
        }
        if items.len() == 1 {
            return Err(self.why(item, "it is the only one of its list"));
        }
        let Lines { start, end, .. } = self.lines(item)?;
        Ok(self.apply(vec![Edit {
            start,
            end,
            text: String::new(),
        }]))
    }

    /// The text in which a block under a key is an empty list.
    pub(in super::super) fn emptied(&self, key: usize, list: usize) -> Result<String, Why> {
        let Is::List { flow: false, items } = &self.places.items[list].is else {
            return Err(self.why(list, "there is no block"));
        };
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return Err(self.why(list, "the list is empty"));
        };
        let (start, end) = (self.lines(*first)?.start, self.lines(*last)?.end);
        let name = self.places.items[key].end;
        let colon = self.text[name..start]
            .find(':')
            .ok_or_else(|| self.why(key, "its key is written otherwise"))?;
        let at = name + colon + 1;
        Ok(self.apply(vec![
            Edit {
                start: at,
                end: at,
                text: " []".to_owned(),
            },
            Edit {
                start,
                end,
                text: String::new(),
            },
        ]))
    }

    /// The text with a copy of the item `of` before the item `at`, or behind the last.
    pub(in super::super) fn copy_item(&self, list: usize, of: usize, at: usize) -> Result<String, Why> {
        let Is::List { flow, items } = &self.places.items[list].is else {
            return Err(self.why(list, "there is no list"));
        };
        let original = *items
            .get(of)
            .ok_or_else(|| self.why(list, "the list has no such item"))?;
        if matches!(self.places.items[original].is, Is::Alias(_)) {
            return Err(self.why(original, "it is an alias"));
        }
        let span = |n: usize| (self.places.items[items[n]].start, self.places.items[items[n]].end);
        if *flow {
            let (start, end) = span(of);
            let copy = self.plain(start, end);
            let gap = match items.len() {
                1 => self.slice(self.places.items[list].start + 1, start),
                _ => self.slice(span(0).1, span(1).0).trim_start().trim_start_matches(','),
            };
            let gap = if gap.chars().all(char::is_whitespace) { gap } else { " " };
            let gap = if gap.contains('\n') { gap } else { " " };
            let (at, text) = match at.checked_sub(1) {
                Some(before) => (span(before).1, format!(",{gap}{copy}")),
                None => (span(0).0, format!("{copy},{gap}")),
            };
            return Ok(self.apply(vec![Edit {
                start: at,
                end: at,
                text,
            }]));
        }
        let lines = self.lines(original)?;
        let mut copy = self.plain(lines.own, lines.own_end);
        let eol = self.eol();
        if !copy.ends_with('\n') {
            copy += eol;
        }
        let place = match at.checked_sub(1) {
            Some(before) => {
                let place = self.lines(items[before])?.end;
                // Items that all stand apart from each other stay so.
                let mut apart = items.len() > 1;
                for item in &items[1..] {
                    let start = self.lines(*item)?.start;
                    apart &= start > 0 && self.line_at(self.line_of(start - 1)).trim().is_empty();
                }
                if apart {
                    copy.insert_str(0, eol);
                }
                place
            }
            None => self.lines(items[0])?.start,
        };
        if place > 0 && !self.text[..place].ends_with('\n') {
            copy = format!("{eol}{}", copy.trim_end_matches(['\r', '\n']));
        }
        Ok(self.apply(vec![Edit {
            start: place,
            end: place,
            text: copy,
        }]))
    }

    /// The line that begins at `start`.
    fn line_at(&self, start: usize) -> &str {
        let rest = &self.text[start..];
        &rest[..rest.find('\n').map_or(rest.len(), |newline| newline + 1)]
    }

    /// The lines of an item of a block, with its comments.
    pub(super) fn lines(&self, item: usize) -> Result<Lines, Why> {
        let of = &self.places.items[item];
        let own = self.line_of(of.start);
        let before = &self.text[own..of.start];
        let indent = before.len() - before.trim_start_matches(' ').len();
        // Behind the dash an anchor may stand, and nothing else.
        let behind = before.trim_start_matches(' ').strip_prefix('-');
        let is_alone = behind.is_some_and(|rest| rest.trim().is_empty() || rest.trim().starts_with(['&', '!']));
        if !is_alone {
            return Err(self.why(item, "it does not begin its line"));
        }
        let own_end = match of.end > of.start && self.text[..of.end].ends_with('\n') {
            true => of.end,
            false => self.end_of_line(of.end),
        };
        let comment = |line: &str| {
            let rest = line.trim_start_matches(' ');
            rest.starts_with('#').then(|| line.len() - rest.len())
        };
        let mut start = own;
        while start > 0 {
            let above = self.line_of(start - 1);
            if comment(&self.text[above..start]) != Some(indent) {
                break;
            }
            start = above;
        }
        let mut end = own_end;
        while end < self.text.len() && comment(self.line_at(end)).is_some_and(|far| far > indent) {
            end += self.line_at(end).len();
        }
        Ok(Lines {
            start,
            own,
            own_end,
            end,
        })
    }

    /// A stretch of the text without comments and anchors.
    fn plain(&self, start: usize, end: usize) -> String {
        let is_text = |item: &&Item| matches!(item.is, Is::Alias(_) | Is::Scalar { .. });
        let inside = |item: &&Item| item.start >= start && item.start < end && item.end > item.start;
        let all = self.places.items.iter().filter(inside).filter(is_text);
        let mut spans: Vec<(usize, usize)> = all.map(|item| (item.start, item.end.min(end))).collect();
        spans.push((end, end));
        let (mut out, mut at) = (String::new(), start);
        for (from, to) in spans {
            let mut rest = self.slice(at, from);
            while let Some(mark) = rest.find(['#', '&']) {
                out += &rest[..mark];
                if rest[mark..].starts_with('&') {
                    let word = rest[mark..].find(char::is_whitespace).map_or(rest.len(), |n| mark + n);
                    rest = rest[word..].strip_prefix(' ').unwrap_or(&rest[word..]);
                } else {
                    let line = rest[mark..].find(['\r', '\n']).map_or(rest.len(), |n| mark + n);
                    rest = &rest[line..];
                }
                if rest.starts_with(['\r', '\n']) || rest.is_empty() {
                    out.truncate(out.trim_end_matches(' ').len());
                }
                // A line that was nothing but a comment is gone.
                if out.is_empty() || out.ends_with('\n') {
                    rest = rest.trim_start_matches('\r');
                    rest = rest.strip_prefix('\n').unwrap_or(rest);
                }
            }
            out += rest;
            out += self.slice(from, to);
            at = to.max(at);
        }
        out
    }
}
