//! Conditions: as an experiment has them, and the classes of traffic that meet them.

use serde_json::{Map, Value, json};

use super::ONLY;
use crate::form::object;
use crate::gateways::tree::{Entry, Node, Value as Is};

/// A query as an experiment has it: the same.
pub(super) fn value(node: &Node) -> Value {
    match &node.value {
        Is::List(items) => items.iter().map(value).collect(),
        Is::Map(entries) => {
            let fields = entries.iter().map(|entry| (entry.key.clone(), value(&entry.value)));
            Value::Object(object(fields))
        }
        Is::Scalar { quoted: false, text } if matches!(text.as_str(), "true" | "false") => json!(text == "true"),
        Is::Scalar { quoted: false, .. } if node.number().is_some() => {
            let number = node.number().unwrap_or(0.0);
            if number.fract() == 0.0 && number.abs() < 1e15 {
                json!(number as i64)
            } else {
                json!(number)
            }
        }
        Is::Scalar { text, .. } => json!(text),
    }
}

/// The operators, in words.
const OPERATORS: [(&str, &str); 9] = [
    ("$eq", "is"),
    ("$ne", "is not"),
    ("$gt", ">"),
    ("$gte", "≥"),
    ("$lt", "<"),
    ("$lte", "≤"),
    ("$in", "is one of"),
    ("$nin", "is none of"),
    ("$regex", "matches"),
];

/// A query in words: `metadata.region is eu`.
pub(super) fn in_words(query: &Node) -> String {
    let list = |items: &[Node], word: &str| {
        let parts: Vec<String> = items.iter().map(in_words).collect();
        parts.join(word)
    };
    let one = |entry: &Entry| match (entry.key.as_str(), entry.value.entries()) {
        ("$and", _) => list(entry.value.items(), " and "),
        ("$or", _) => format!("({})", list(entry.value.items(), " or ")),
        (field, []) => format!("{field} is {}", entry.value.texts().join(", ")),
        (field, of) => {
            let each = of.iter().map(|inner| {
                let known = OPERATORS.iter().find(|(name, _)| *name == inner.key);
                let word = known.map_or(inner.key.as_str(), |(_, word)| word);
                format!("{field} {word} {}", inner.value.texts().join(", "))
            });
            each.collect::<Vec<_>>().join(" and ")
        }
    };
    let parts: Vec<String> = query.entries().iter().map(one).collect();
    parts.join(" and ")
}

/// The conditions of a place and of all below it.
fn conditions(place: &Node) -> Vec<&Node> {
    let mut found: Vec<&Node> = place
        .find("strategy.conditions")
        .map_or(&[][..], Node::items)
        .iter()
        .collect();
    let targets = place.get("targets").map_or(&[][..], Node::items);
    found.extend(targets.iter().flat_map(conditions));
    found
}

/// A class for each condition, wherever it stands, with tags that meet it, and one that meets none.
pub(super) fn classes(root: &Node) -> Map<String, Value> {
    let conditions = conditions(root);
    let mut tags = Map::new();
    let mut found: Vec<(String, Map<String, Value>, Option<u64>)> = Vec::new();
    for item in conditions {
        let (mut own, mut most) = (Map::new(), None);
        if let Some(query) = item.get("query") {
            meet(query, &mut own, &mut most);
        }
        tags.extend(own.keys().map(|name| (name.clone(), json!("other"))));
        found.push((item.text_of("then").unwrap_or("").to_owned(), own, most));
    }
    if found.is_empty() {
        return Map::new();
    }
    found.push(("other".to_owned(), Map::new(), None));
    let class = |(then, own, most): (String, Map<String, Value>, Option<u64>)| {
        let mut all = tags.clone();
        all.extend(own);
        let mut class = json!({ "tags": all });
        if let Some(most) = most {
            class["max_output"] = json!(most);
        }
        (format!("{ONLY}/{then}"), class)
    };
    object(found.into_iter().map(class))
}

/// What a class has that meets a query: one way of the first alternative.
fn meet(query: &Node, tags: &mut Map<String, Value>, most: &mut Option<u64>) {
    for entry in query.entries() {
        let first = |node: &Node| node.text().or_else(|| node.texts().first().copied()).map(str::to_owned);
        match entry.key.as_str() {
            "$and" => entry.value.items().iter().for_each(|item| meet(item, tags, most)),
            "$or" => entry
                .value
                .items()
                .iter()
                .take(1)
                .for_each(|item| meet(item, tags, most)),
            "params.max_tokens" => {
                let bound = |key: &str| entry.value.count_of(key);
                *most = bound("$lte")
                    .or(bound("$eq"))
                    .or(bound("$lt").map(|n| n.saturating_sub(1)))
                    .or(bound("$gte"));
                *most = most.or(bound("$gt").map(|n| n + 1)).map(|n| n.max(1));
            }
            key => {
                let Some(name) = key.strip_prefix("metadata.") else {
                    continue;
                };
                let value = match entry.value.is_map() {
                    true => entry.value.get("$eq").or(entry.value.get("$in")).and_then(first),
                    false => first(&entry.value),
                };
                tags.insert(name.to_owned(), json!(value.unwrap_or_else(|| "other".to_owned())));
            }
        }
    }
}
