//! The keys of one file that a row stands for, those that are there and those that may be written.

use super::edit::Step;
use crate::gateways::source::Config;
use crate::gateways::tree::{Node, Value};
use crate::stats::sorting;

/// A key in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The number of the file.
    pub(super) file: usize,
    /// The number of the document in it.
    pub(super) document: usize,
    /// The way to the key in the document.
    pub(super) steps: Vec<Step>,
    /// How much of the way is not there yet.
    pub(super) missing: usize,
    /// The path in words: `model_list[2].litellm_params.rpm`.
    pub(super) path: String,
}

/// The keys of `config` that `pattern` stands for, those that are there first.
pub(super) fn keys(config: &Config, pattern: &str) -> Vec<Key> {
    let (kind, path) = match pattern.split_once(':') {
        Some((kind, path)) => (Some(kind), path),
        None => (None, pattern),
    };
    let parts: Vec<&str> = path.split('.').collect();
    let mut found = Vec::new();
    for (number, node) in config.documents.iter().enumerate() {
        if kind.is_none_or(|kind| node.text_of("kind") == Some(kind)) {
            let start = Key {
                file: usize::from(node.at.file),
                document: number,
                steps: match config.chart {
                    Some(_) => vec![Step::Key("proxy_config".to_owned())],
                    None => Vec::new(),
                },
                missing: 0,
                path: String::new(),
            };
            expand(Some(node), &parts, start, true, &mut found);
        }
        if kind.is_none() {
            // Without kinds only the first document is read.
            break;
        }
    }
    sorting::by_key(&mut found, |key| key.missing);
    found
}

fn expand(node: Option<&Node>, parts: &[&str], at: Key, is_root: bool, found: &mut Vec<Key>) {
    let Some((part, rest)) = parts.split_first() else {
        found.push(at);
        return;
    };
    let below = |key: &str| {
        let mut next = at.clone();
        next.steps.push(Step::Key(key.to_owned()));
        next.path = if at.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", at.path)
        };
        next
    };
    if *part == "*" {
        for entry in node.map_or(&[][..], Node::entries) {
            expand(Some(&entry.value), rest, below(&entry.key), false, found);
        }
        return;
    }
    let key = part.trim_end_matches("[]");
    let entry = node.and_then(|node| node.entry(key));
    let mut next = below(key);
    if let Some(entry) = entry.filter(|_| is_root) {
        next.file = usize::from(entry.at.file);
    }
    if !part.ends_with("[]") {
        next.missing += usize::from(entry.is_none());
        expand(entry.map(|entry| &entry.value), rest, next, false, found);
        return;
    }
    let Some(Value::List(items)) = entry.map(|entry| &entry.value.value) else {
        return;
    };
    let mut of_file: Vec<usize> = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let mut next = next.clone();
        if is_root {
            next.file = usize::from(item.at.file);
        }
        // A list that included files extend is in each file by itself.
        let place = of_file
            .iter()
            .filter(|file| **file == usize::from(item.at.file))
            .count();
        of_file.push(usize::from(item.at.file));
        next.steps.push(Step::Item(if is_root { place } else { number }));
        next.path += &format!("[{number}]");
        expand(Some(item), rest, next, false, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::source::from_text;

    #[test]
    fn keys_that_are_there_come_first() {
        let config = from_text("x", "a:\n- {b: {c: 1}}\n- {b: {}}\n- {}\nd: {e: {f: 2}}\n").unwrap();
        let paths = |pattern: &str| -> Vec<(String, usize)> {
            keys(&config, pattern)
                .into_iter()
                .map(|key| (key.path, key.missing))
                .collect()
        };
        let of = |all: &[(&str, usize)]| all.iter().map(|(path, n)| ((*path).to_owned(), *n)).collect::<Vec<_>>();
        assert_eq!(
            paths("a[].b.c"),
            of(&[("a[0].b.c", 0), ("a[1].b.c", 1), ("a[2].b.c", 2)])
        );
        assert_eq!(paths("d.*.f"), of(&[("d.e.f", 0)]));
        assert_eq!(paths("g.h"), of(&[("g.h", 2)]));
    }
}
