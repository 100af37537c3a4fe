//! What changed from one configuration to another: settings, what happens when something fails, keys that are not simulated, warnings.
//!
//! Settings are compared as they hold in the end ([`super::settled`]), group by group and provider by provider; a change that every group
//! has is told once. A provider that has no name of its own in the file is known again by its model and account, so that a deployment
//! more or less does not rename the others ([`alike`]). Warnings are known again by their code and what they are about, since lines move.
//! Of two products only what both say is compared (`across`). Left out: keys that change nothing, as the ledger has it.

mod across;
mod alike;
mod show;
mod simulated;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ledger::{Row, Verdict};
use super::model::{Case, Group, Limit};
use super::settled::{self, ONLY, Path, Settings};
use super::warning::Warning;
use super::{Gateway, Refused};
use crate::form::units::seconds;
use crate::provider::pricing::listed::Table;
use crate::report::format::share;
use crate::stats::sorting;

pub use alike::alike;
pub use show::{json, markdown, text};
pub use simulated::{Judged, Simulated};
pub use traffic::level;

/// What changed from one configuration to another.
#[derive(Debug)]
pub struct Diff<'a> {
    /// The configuration before.
    pub old: &'a Gateway,
    /// The configuration after.
    pub new: &'a Gateway,
    /// The settings that changed.
    pub changes: Vec<Change>,
    /// What happens otherwise when something fails.
    pub cases: Vec<CaseChange>,
    /// The keys that changed and are not simulated, or not as they stand.
    pub keys: Vec<KeyChange>,
    /// The warnings that only the one after has, worst first.
    pub raised: Vec<&'a Warning>,
    /// The warnings that only the one before has, worst first.
    pub gone: Vec<&'a Warning>,
}

/// A setting that changed, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What the setting is of: `group chat`, a provider, `every group`; empty for the whole gateway.
    pub subject: String,
    /// The name of the setting.
    pub what: String,
    /// The value before, `none` if it was not there.
    pub old: String,
    /// The value after.
    pub new: String,
}

/// What happens otherwise when something fails.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseChange {
    /// The name of the group.
    pub group: String,
    /// What fails, and how.
    pub when: &'static str,
    /// What happened before.
    pub old: Case,
    /// What happens after.
    pub new: Case,
}

/// A key that changed and is not simulated, or not as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Whether it is a row of the one after: else the key is gone.
    pub is_new: bool,
    /// The key with its verdict and place.
    pub row: Row,
}

impl KeyChange {
    /// Whether something near to it is simulated.
    pub fn is_approximated(&self) -> bool {
        self.row.verdict == Verdict::Approximated && !self.row.is_dropped()
    }
}

impl Diff<'_> {
    /// Whether both are configurations of one product, so that their settings are the same ones.
    pub fn is_of_one_product(&self) -> bool {
        self.old.product == self.new.product
    }
}

/// Compares two configurations.
///
/// # Errors
/// If one of them makes no experiment.
pub fn diff<'a>(old: &'a Gateway, new: &'a Gateway, prices: &Table) -> Result<Diff<'a>, Refused> {
    let called = alike(old, new);
    let before = all(old, settled::of_gateway(old, prices)?);
    let after = renamed(all(new, settled::of_gateway(new, prices)?), &called);
    let same_product = old.product == new.product;
    let mut changes = members(old, new, same_product);
    changes.extend(settings(&before, &after, same_product));
    if same_product {
        changes.extend(beyond(old, new));
    }
    let raised = only(&new.warnings, &old.warnings);
    let gone = only(&old.warnings, &new.warnings);
    let keys = if same_product { keys(old, new) } else { Vec::new() };
    let cases = if same_product {
        cases(old, new)
    } else {
        let further = across::changes(old, new, &changes);
        changes.splice(0..0, further);
        across::cases(old, new)
    };
    Ok(Diff {
        old,
        new,
        changes,
        cases,
        keys,
        raised,
        gone,
    })
}

/// What happens otherwise beyond limits that both have.
fn beyond(old: &Gateway, new: &Gateway) -> Vec<Change> {
    let of = |subject: &str, before: &[Limit], after: &[Limit]| -> Vec<Change> {
        let change = |limit: &Limit| {
            let was = before
                .iter()
                .find(|was| was.what == limit.what && was.beyond != limit.beyond)?;
            Some(Change {
                subject: subject.to_owned(),
                what: format!("beyond {}", limit.what),
                old: was.beyond.clone(),
                new: limit.beyond.clone(),
            })
        };
        after.iter().filter_map(change).collect()
    };
    let mut changes = of("", &old.limits, &new.limits);
    for group in &new.groups {
        let was = old.groups.iter().find(|was| was.name == group.name);
        let limits = was.map_or(&[][..], |was| &was.limits);
        changes.extend(of(&format!("group {}", group.name), limits, &group.limits));
    }
    changes
}

/// The settings of a gateway with what its model says besides: shares, models, accounts, prices, what its cache keeps.
fn all(gateway: &Gateway, mut settings: Settings) -> Settings {
    if let Some(cache) = &gateway.cache {
        let path = |of: &str| ["response_cache", of].map(str::to_owned).to_vec();
        let lives = cache.ttl.map_or("for ever".to_owned(), |ttl| format!("{ttl}s"));
        settings.insert(path("ttl"), json!(lives));
        if let Some(entries) = cache.entries {
            settings.insert(path("entries"), json!(entries));
        }
    }
    let lone = matches!(gateway.groups.as_slice(), [_])
        && settings.keys().any(|path| path.get(1).is_some_and(String::is_empty));
    for group in &gateway.groups {
        let name = if lone { ONLY } else { group.name.as_str() };
        let path = |steps: &[&str]| -> Path { ["group", name].iter().chain(steps).map(|s| (*s).to_owned()).collect() };
        let names: Vec<&str> = group.members.iter().map(|member| member.name.as_str()).collect();
        settings.insert(path(&["providers"]), json!(names));
        // Which of the members take part follows from them.
        settings.remove(&path(&["policy", "providers"]));
        settings.remove(&path(&["policy", "provider"]));
        if names.len() < 2 {
            settings.remove(&path(&["policy", settled::KIND]));
        }
        for (member, part) in group.members.iter().zip(group.shares.iter().flatten()) {
            settings.insert(path(&["share", &member.name]), json!(share(*part)));
        }
        for member in &group.members {
            let mut put = |what: &str, value: Option<Value>| {
                if let Some(value) = value {
                    let path = ["provider", &member.name, what].map(str::to_owned).to_vec();
                    settings.insert(path, value);
                }
            };
            put("model", (!member.model.is_empty()).then(|| json!(member.model)));
            let is_told = |price: &&String| member.model.rsplit('/').next() == Some(price.as_str());
            let priced = member
                .price
                .as_ref()
                .filter(|price| **price != member.model && !is_told(price));
            put("priced as", priced.map(|price| json!(price)));
            put("account", alike::account(member).map(|account| json!(account)));
            put(
                "price",
                member.own_price.map(|(input, output)| {
                    let each = |price: f64| (price * 1e12).round() / 1e6;
                    json!(format!("${} and ${} a million tokens", each(input), each(output)))
                }),
            );
            put(
                "timeout of a stream",
                member.stream_timeout.map(|s| json!(format!("{s}s"))),
            );
        }
    }
    // The rules' version is told with the product's; the file does not say it.
    settings.retain(|path, value| {
        let is_rules = settled::ends(path, "version") && value.as_str().is_some_and(|v| v.starts_with("1."));
        !is_rules && !settled::ends(path, "limits.from_quotas")
    });
    settings
}

/// Settings under the names that the other configuration has for the same providers.
fn renamed(settings: Settings, called: &BTreeMap<String, String>) -> Settings {
    let one = |name: &str| called.get(name).map_or(name, String::as_str).to_owned();
    let groups = [
        "fallbacks",
        "context_window_fallbacks",
        "content_policy_fallbacks",
        "aliases",
    ];
    let pair = |(path, value): (Path, Value)| {
        let of_group = path.first().is_some_and(|what| what == "group");
        let kept = if of_group { 2 } else { 1 };
        if path.iter().any(|step| groups.contains(&step.as_str())) || path.first().is_some_and(|what| what == "host") {
            return (path, value);
        }
        let path: Path = path
            .iter()
            .enumerate()
            .map(|(number, step)| if number < kept { step.clone() } else { one(step) })
            .collect();
        // A provider may be called after its model, which is none of its names.
        let of_provider = path.first().is_some_and(|what| what == "provider");
        let value = match value {
            value if of_provider && path.last().is_some_and(|what| what == "model" || what == "priced as") => value,
            Value::String(text) => json!(one(&text)),
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => json!(one(&text)),
                    item => item,
                })
                .collect(),
            value => value,
        };
        (path, value)
    };
    sorting::map(settings.into_iter().map(pair))
}

/// Groups that are new or gone.
fn members(old: &Gateway, new: &Gateway, same_product: bool) -> Vec<Change> {
    if !same_product {
        return Vec::new();
    }
    let has = |gateway: &Gateway, name: &str| gateway.groups.iter().any(|group| group.name == name);
    let names = |group: &Group| {
        let names: Vec<&str> = group.members.iter().map(|member| member.name.as_str()).collect();
        names.join(", ")
    };
    let change = |group: &Group, old: String, new: String| Change {
        subject: format!("group {}", group.name),
        what: "members".to_owned(),
        old,
        new,
    };
    let none = || "no such group".to_owned();
    let gone = old.groups.iter().filter(|group| !has(new, &group.name));
    let added = new.groups.iter().filter(|group| !has(old, &group.name));
    gone.map(|group| change(group, names(group), none()))
        .chain(added.map(|group| change(group, none(), names(group))))
        .collect()
}

/// What a path is of, if it is of a group, a provider or a host.
fn owner(path: &[String]) -> Option<(&str, &str)> {
    match path {
        [what, name, ..] if ["group", "provider", "host"].contains(&what.as_str()) => Some((what, name)),
        _ => None,
    }
}

/// The settings that differ, of what both have; what every group has in common is told once.
fn settings(before: &Settings, after: &Settings, same_product: bool) -> Vec<Change> {
    let owners = |settings: &Settings| -> BTreeSet<(String, String)> {
        let all = settings.keys().filter_map(|path| owner(path));
        all.map(|(what, name)| (what.to_owned(), name.to_owned())).collect()
    };
    let (of_old, of_new) = (owners(before), owners(after));
    let is_in_both = |path: &Path| {
        owner(path).is_none_or(|(what, name)| {
            let owner = (what.to_owned(), name.to_owned());
            of_old.contains(&owner) && of_new.contains(&owner)
        })
    };
    let paths: BTreeSet<&Path> = before.keys().chain(after.keys()).collect();
    // Parameters of a mechanism that is another one now are told with its kind; those of a strategy are told besides.
    let replaced: Vec<&[String]> = paths
        .iter()
        .copied()
        .filter(|path| is_kind(path) && before.get(*path) != after.get(*path))
        .map(|path| &path[..path.len() - 1])
        .collect();
    let differ = |path: &&Path| {
        let (old, new) = (before.get(*path), after.get(*path));
        let in_replaced = replaced.iter().any(|mechanism| {
            let is_strategy = mechanism.last().is_some_and(|last| last == "policy");
            path.starts_with(mechanism) && !is_kind(path) && (new.is_none() || !is_strategy)
        });
        old != new && is_in_both(path) && !in_replaced && (same_product || (old.is_some() && new.is_some()))
    };
    let different: Vec<&Path> = paths.into_iter().filter(differ).collect();
    let groups = of_old
        .iter()
        .filter(|owner| owner.0 == "group" && of_new.contains(*owner))
        .count();
    let mut told: Vec<&[String]> = Vec::new();
    let mut changes = Vec::new();
    for path in &different {
        let (old, new) = (before.get(*path), after.get(*path));
        let (mut subject, what) = settled::name(path);
        if path.first().is_some_and(|what| what == "group") && groups > 1 {
            let rest = &path[2..];
            let same = different
                .iter()
                .filter(|other| other.first() == path.first() && other[2..] == *rest)
                .filter(|other| (before.get(**other), after.get(**other)) == (old, new));
            if same.count() == groups {
                if told.contains(&rest) {
                    continue;
                }
                told.push(rest);
                subject = "every group".to_owned();
            }
        }
        let change = Change {
            subject,
            what,
            old: mechanism(before, path, old),
            new: mechanism(after, path, new),
        };
        if change.old != change.new {
            changes.push(change);
        }
    }
    sorting::by_key(&mut changes, |change| change.subject != "every group");
    changes
}

/// Whether a setting is the kind of a mechanism.
fn is_kind(path: &[String]) -> bool {
    path.last().is_some_and(|last| last == settled::KIND)
}

/// A value in words; a mechanism's kind with its numbers and times: `litellm (retries 2)`.
fn mechanism(settings: &Settings, path: &Path, value: Option<&Value>) -> String {
    let shown = settled::shown(value);
    if !is_kind(path) || value.is_none() || settled::ends(path, "policy.kind") {
        return shown;
    }
    let inside = &path[..path.len() - 1];
    let one = |(of, value): (&Path, &Value)| {
        let is_parameter = of.len() == path.len() && of.starts_with(inside) && !is_kind(of);
        let says = value.is_number() || value.as_str().and_then(seconds).is_some_and(|s| s > 0.0);
        (is_parameter && says).then(|| format!("{} {}", settled::name(of).1, settled::shown(Some(value))))
    };
    let inside: Vec<String> = settings.iter().filter_map(one).collect();
    match inside.is_empty() {
        true => shown,
        false => format!("{shown} ({})", inside.join(", ")),
    }
}

/// What happens otherwise when something fails, in groups and cases that both have.
fn cases(old: &Gateway, new: &Gateway) -> Vec<CaseChange> {
    let alone = [old, new].iter().all(|gateway| gateway.groups.len() == 1);
    let mut found = Vec::new();
    for group in &new.groups {
        let Some(before) = old.groups.iter().find(|other| alone || other.name == group.name) else {
            continue;
        };
        for case in &group.cases {
            let same = |other: &&Case| (other.when, &other.branch) == (case.when, &case.branch);
            let Some(was) = before.cases.iter().find(same).filter(|was| *was != case) else {
                continue;
            };
            found.push(CaseChange {
                group: match case.branch.as_str() {
                    "" => group.name.clone(),
                    branch => format!("{}: {branch}", group.name),
                },
                when: case.when,
                old: was.clone(),
                new: case.clone(),
            });
        }
    }
    found
}

/// The keys whose value changed, came or went, and that are not simulated or not as they stand.
fn keys(old: &Gateway, new: &Gateway) -> Vec<KeyChange> {
    let is_told = |row: &&Row| match row.verdict {
        Verdict::NotModelled | Verdict::NoEffect | Verdict::Approximated => true,
        Verdict::Modelled | Verdict::Ignored => false,
    };
    let same = |a: &Row, b: &Row| (&a.shape, a.mark) == (&b.shape, b.mark);
    let rows = |of: &Gateway, other: &Gateway, is_new: bool| -> Vec<KeyChange> {
        let changed = of.ledger.iter().filter(is_told).filter(|row| {
            let elsewhere = other.ledger.iter().any(|b| same(row, b));
            // A key that changed is told once, where it is now.
            let is_there = !is_new && other.ledger.iter().any(|b| b.path == row.path);
            !elsewhere && !is_there
        });
        let change = |row: &Row| KeyChange {
            is_new,
            row: row.clone(),
        };
        changed.map(change).collect()
    };
    let mut all = rows(new, old, true);
    all.extend(rows(old, new, false));
    all
}

/// The warnings of `these` that `those` lack, each as often as it is there more often.
fn only<'a>(these: &'a [Warning], those: &[Warning]) -> Vec<&'a Warning> {
    let key = |warning: &Warning| (warning.kind.code, warning.subject.clone());
    let mut left: Vec<_> = those.iter().map(key).collect();
    let is_new = |warning: &&Warning| match left.iter().position(|known| *known == key(warning)) {
        Some(at) => {
            left.remove(at);
            false
        }
        None => true,
    };
    these.iter().filter(is_new).collect()
}
