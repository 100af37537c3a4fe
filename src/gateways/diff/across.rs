//! Configurations of two products: what both can say, whatever each calls it.
//!
//! Groups, providers, retries and timeouts are told in each product's own words; what happens to a request when something fails is
//! told of the same failures. Groups are the same if they have one name, or if each configuration has one alone. A product tells some
//! failures by the branch that was chosen before: of several the most attempts and the longest time are compared.

use serde_json::Value;

use super::{CaseChange, Change};
use crate::gateways::model::{Case, Gateway, Group};
use crate::gateways::settled;
use crate::gateways::show::some;
use crate::report::format::span;

/// How a failure is called by products, and how it is called where they are compared.
const CALLED: [(&str, &str); 20] = [
    ("one answers 429", "one answers 429"),
    ("the first answers 429", "one answers 429"),
    ("one key answers 429", "one answers 429"),
    ("its key answers 429", "one answers 429"),
    ("one answers 500", "one answers 500"),
    ("the first answers 500", "one answers 500"),
    ("one key answers 500", "one answers 500"),
    ("its key answers 500", "one answers 500"),
    ("one hangs", "one hangs"),
    ("the first hangs", "one hangs"),
    ("one key hangs", "one hangs"),
    ("its key hangs", "one hangs"),
    ("it answers 429", "all answer 429"),
    ("all answer 429", "all answer 429"),
    ("it answers 500", "all answer 500"),
    ("all answer 500", "all answer 500"),
    ("it answers 503", "all answer 503"),
    ("all answer 503", "all answer 503"),
    ("it hangs", "all hang"),
    ("all hang", "all hang"),
];

/// The failures that are compared, in order.
const COMPARED: [&str; 7] = [
    "one answers 429",
    "one answers 500",
    "one hangs",
    "all answer 429",
    "all answer 500",
    "all answer 503",
    "all hang",
];

/// What both say of themselves, where it differs; `told` are the settings that have been compared already.
pub(super) fn changes(old: &Gateway, new: &Gateway, told: &[Change]) -> Vec<Change> {
    let is_told = |word: &str| told.iter().any(|change| change.what.contains(word));
    let mut rows = vec![
        ("groups", groups(old), groups(new)),
        ("models of the providers", models(old), models(new)),
        ("attempts of one request at most", attempts(old), attempts(new)),
        ("longest time of one request", longest(old), longest(new)),
    ];
    for (what, key, word) in [
        ("retries", "retry", "retries"),
        ("timeouts", "timeouts", "timeout"),
        ("breaker", "breaker", "breaker"),
    ] {
        if !is_told(word) {
            rows.push((what, of_client(old, key), of_client(new, key)));
        }
    }
    let differ = rows.into_iter().filter(|(_, old, new)| old != new);
    differ
        .map(|(what, old, new)| Change {
            subject: String::new(),
            what: what.to_owned(),
            old,
            new,
        })
        .collect()
}

fn groups(gateway: &Gateway) -> String {
    let names = gateway.groups.iter().map(|group| group.name.as_str());
    format!("{} ({})", gateway.groups.len(), some(names, ", "))
}

fn models(gateway: &Gateway) -> String {
    let mut names: Vec<&str> = Vec::new();
    for member in gateway.groups.iter().flat_map(|group| &group.members) {
        // Products write the provider in ways of their own.
        let name = member.price.as_deref().unwrap_or(&member.model);
        let name = name.rsplit(['/', ' ']).next().unwrap_or(name);
        if !names.contains(&name) && names.len() < 64 {
            names.push(name);
        }
    }
    some(names.into_iter(), ", ")
}

fn attempts(gateway: &Gateway) -> String {
    let most = gateway.groups.iter().map(|group| group.worst_attempts).max();
    most.unwrap_or(0).to_string()
}

fn longest(gateway: &Gateway) -> String {
    let most = gateway
        .groups
        .iter()
        .map(|group| group.worst_seconds)
        .fold(0.0, f64::max);
    match most.is_finite() {
        true => span(most.round()),
        false => "no end".to_owned(),
    }
}

/// A part of the client of all in words: its kind and what it says.
fn of_client(gateway: &Gateway, key: &str) -> String {
    let own = |group: &Group| group.settings.get("client").and_then(|of| of.get(key)).cloned();
    let part = gateway.client.get(key).cloned();
    let Some(part) = part.or_else(|| gateway.groups.iter().find_map(own)) else {
        return "not said".to_owned();
    };
    let inside = |of: &serde_json::Map<String, Value>| {
        let parts = of.iter().filter(|(_, value)| !value.is_object()).map(|(name, value)| {
            let name = name.replace('_', " ");
            format!("{name} {}", settled::shown(Some(value)))
        });
        parts.collect::<Vec<_>>().join("; ")
    };
    match &part {
        Value::Object(of) if of.values().all(Value::is_object) => {
            let kinds = of.iter().map(|(kind, of)| match of.as_object().map(inside) {
                Some(inside) if !inside.is_empty() => format!("{} ({inside})", kind.replace('_', " ")),
                Some(_) | None => kind.replace('_', " "),
            });
            kinds.collect::<Vec<_>>().join(", ")
        }
        Value::Object(of) => inside(of),
        other => settled::shown(Some(other)),
    }
}

/// What happens otherwise at the same failure, in groups that are the same.
pub(super) fn cases(old: &Gateway, new: &Gateway) -> Vec<CaseChange> {
    let alone = [old, new].iter().all(|gateway| gateway.groups.len() == 1);
    let mut found = Vec::new();
    for group in &new.groups {
        let Some(before) = old.groups.iter().find(|other| alone || other.name == group.name) else {
            continue;
        };
        for when in COMPARED {
            let (Some(was), Some(is)) = (worst(before, when), worst(group, when)) else {
                continue;
            };
            if was == is {
                continue;
            }
            let group = match before.name == group.name {
                true => group.name.clone(),
                false => format!("{} → {}", before.name, group.name),
            };
            found.push(CaseChange {
                group,
                when,
                old: was,
                new: is,
            });
        }
    }
    found
}

/// The worst of the group's cases of a failure.
fn worst(group: &Group, when: &'static str) -> Option<Case> {
    let is_it = |case: &&Case| CALLED.iter().any(|(own, common)| *own == case.when && *common == when);
    let mut all = group.cases.iter().filter(is_it);
    let first = all.next()?;
    let most = all.fold(first, |most, case| {
        let key = |case: &Case| (case.attempts, case.seconds.1);
        if key(case) > key(most) { case } else { most }
    });
    let Case {
        attempts,
        seconds,
        then,
        ..
    } = most.clone();
    Some(Case::new(when, attempts, seconds, then))
}
