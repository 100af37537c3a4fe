//! Providers by other names: a file names those without a name of their own by their place in it, so that a name may change when one comes or
//! goes.
//!
//! In settings a name is a step of a path or a value. What else is text there (groups, kinds, conditions) is left alone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::gateways::settled::{Path, Settings};
use crate::stats::sorting;

/// New names by old ones; those that stay may be among them.
pub(super) type Renamed = BTreeMap<String, String>;

/// Steps behind which the name of a provider stands.
const BEFORE: [&str; 5] = ["weights", "rpm", "tpm", "deployments", "share"];

/// Last steps of values that are names of groups, or no names.
const OTHERS: [&str; 7] = [
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "aliases",
    "kind",
    "of",
    "per",
];

/// The settings with providers by their new names.
pub(super) fn renamed(settings: &Settings, by: &Renamed) -> Settings {
    let is_same = by.iter().all(|(from, to)| from == to);
    if is_same {
        return settings.clone();
    }
    let of = |name: &str| by.get(name).cloned();
    let value = |path: &Path, value: &Value| {
        if path.iter().any(|step| OTHERS.contains(&step.as_str())) {
            return value.clone();
        }
        match value {
            Value::String(name) => of(name).map_or_else(|| value.clone(), Value::from),
            Value::Array(items) => {
                let name = |item: &Value| item.as_str().and_then(of).map_or_else(|| item.clone(), Value::from);
                items.iter().map(name).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.clone(),
        }
    };
    let pairs = settings.iter().map(|(path, is)| {
        let mut to = path.clone();
        for at in (0..path.len()).filter(|at| is_name(path, *at)) {
            if let Some(name) = of(&path[at]) {
                to[at] = name;
            }
        }
        (to, value(path, is))
    });
    sorting::map(pairs)
}

/// Whether the step `at` of a path is the name of a provider.
fn is_name(path: &[String], at: usize) -> bool {
    let back = |n: usize| at.checked_sub(n).map(|at| path[at].as_str());
    match (at, path[0].as_str()) {
        (1, "provider") => true,
        (3, "group") if path[2] == "targets" => true,
        _ => back(1).is_some_and(|step| BEFORE.contains(&step)) || back(2) == Some("levels"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_change_at_once_and_nothing_else_does() {
        let settings = |all: &[(&str, Value)]| -> Settings {
            let path = |text: &str| text.split('/').map(str::to_owned).collect::<Path>();
            all.iter().map(|(at, value)| (path(at), value.clone())).collect()
        };
        let before = settings(&[
            ("group/a/policy/weights/a", json!(3)),
            ("group/a/policy/weights/b", json!(4)),
            ("group/a/policy/levels/0/b", json!(1)),
            ("group/a/providers", json!(["a", "b"])),
            ("group/a/fallbacks", json!(["b"])),
            ("group/b/targets/a/timeouts/attempt", json!("9s")),
            ("provider/b/connections", json!(5)),
            ("group//policy/targets/0", json!("b")),
        ]);
        let by: Renamed = [("a", "b"), ("b", "c")]
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into_iter()
            .collect();
        let after = settings(&[
            ("group/a/policy/weights/b", json!(3)),
            ("group/a/policy/weights/c", json!(4)),
            ("group/a/policy/levels/0/c", json!(1)),
            ("group/a/providers", json!(["b", "c"])),
            ("group/a/fallbacks", json!(["b"])),
            ("group/b/targets/b/timeouts/attempt", json!("9s")),
            ("provider/c/connections", json!(5)),
            ("group//policy/targets/0", json!("c")),
        ]);
        assert_eq!(renamed(&before, &by), after);
    }
}
