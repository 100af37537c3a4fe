//! A new entry of a list while it is written: where it stands, and its keys.

use serde_json::Value;

use super::edit::{Editor, Step};
use super::places::{Is, Places};

/// A new entry: where it stands, and whose it is.
pub(super) struct Entry<'a> {
    pub(super) file: &'a String,
    pub(super) document: usize,
    pub(super) list: &'a [Step],
    pub(super) position: usize,
    pub(super) group: &'a str,
    pub(super) name: &'a str,
    /// The model, if it is not that of the copy.
    pub(super) model: &'a str,
    /// The model of the entry that is copied.
    pub(super) like: &'a str,
}

impl Entry<'_> {
    /// The way to a key of the entry.
    fn way(&self, key: &str) -> Vec<Step> {
        let own = key.split('.').filter(|key| !key.is_empty());
        let place = [Step::Item(self.position)];
        let own: Vec<Step> = own.map(|key| Step::Key(key.to_owned())).collect();
        [self.list, &place, &own].concat()
    }

    pub(super) fn edit(&self, text: &str, key: &str, value: Option<&Value>) -> Result<String, String> {
        let places = Places::of(text)?;
        let root = *places.roots.get(self.document).ok_or("there is no such document")?;
        let edited = Editor::of(text, &places).set(root, &self.way(key), value);
        edited.map_err(|why| format!("`{key}`, line {}: {}", why.line, why.what))
    }

    /// The lines that it takes.
    pub(super) fn lines(&self, text: &str) -> Option<(u32, u32)> {
        let places = Places::of(text).ok()?;
        let editor = Editor::of(text, &places);
        let item = editor.find(*places.roots.get(self.document)?, &self.way(""))?;
        Some(editor.lines_of(item))
    }

    pub(super) fn says(&self, text: &str, key: &str) -> bool {
        self.leaves(text).iter().any(|(known, _)| known == key)
    }

    /// The keys of the entry that hold no further ones, with what they say if that is a text.
    pub(super) fn leaves(&self, text: &str) -> Vec<(String, Option<String>)> {
        let Ok(places) = Places::of(text) else {
            return Vec::new();
        };
        let root = places.roots.get(self.document).copied();
        let item = root.and_then(|root| Editor::of(text, &places).find(root, &self.way("")));
        let mut found = Vec::new();
        if let Some(item) = item {
            leaves(&places, item, "", &mut found);
        }
        found
    }

    /// Whether something stands in the entry that its keys do not show: a list of other than texts, or a key that is an alias, is empty or
    /// has a dot, by which ways to keys are written.
    pub(super) fn hides(&self, text: &str) -> bool {
        let Ok(places) = Places::of(text) else {
            return true;
        };
        let root = places.roots.get(self.document).copied();
        let item = root.and_then(|root| Editor::of(text, &places).find(root, &self.way("")));
        item.is_none_or(|item| hides(&places, item))
    }

    /// The text without a key of the entry; without those that would hold nothing else.
    pub(super) fn drop(&self, text: &str, key: &str) -> Result<String, String> {
        let all = self.leaves(text);
        let mut key = key;
        while let Some((above, _)) = key.rsplit_once('.') {
            let beside = |(known, _): &&(String, Option<String>)| {
                known.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
            };
            if all.iter().filter(beside).count() > 1 {
                break;
            }
            key = above;
        }
        self.edit(text, key, None)
    }
}

fn hides(places: &Places, item: usize) -> bool {
    let is_plain = |item: &usize| matches!(places.items[*item].is, Is::Scalar { .. } | Is::Alias(_));
    let is_shown = |key: usize| {
        places
            .text(key)
            .is_some_and(|key| !key.is_empty() && !key.contains('.'))
    };
    match &places.items[item].is {
        Is::Scalar { .. } | Is::Alias(_) => false,
        Is::List { items, .. } => !items.iter().all(is_plain),
        Is::Map { entries, .. } => (entries.iter()).any(|(key, value)| !is_shown(*key) || hides(places, *value)),
    }
}

fn leaves(places: &Places, item: usize, path: &str, found: &mut Vec<(String, Option<String>)>) {
    let Is::Map { entries, .. } = &places.items[item].is else {
        return;
    };
    for (key, value) in entries {
        let Some(name) = places.text(*key) else { continue };
        let path = match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        match &places.items[*value].is {
            Is::Map { entries, .. } if !entries.is_empty() => leaves(places, *value, &path, found),
            _ => found.push((path, places.text(*value).map(str::to_owned))),
        }
    }
}
