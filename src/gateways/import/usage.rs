//! Assumptions from a team's own logs: rates, lengths, models, and how long each took.
//!
//! A target of a log is a member if their models have the same name; one without a slash, also after the member's last. Rates are those from the
//! first request to the last, those that the response cache answered among them, whose share is taken by class; lengths and times are the
//! empirical quantiles of what succeeded, from 20 requests on. Requests of models that the configuration does not have count for nothing. Left
//! out: quotas, and faults, which a model that `simcap fit` makes of the same log has.

use serde_json::{Map, Value, json};

use super::Assumptions;
use super::assumptions::{GUESSED, built_in};
use super::callers::written;
use super::quantiles::{self, ENOUGH};
use crate::calibrate::log::{Log, Observation};
use crate::experiment::caveats::invented_price;
use crate::form::diagnose::nearest;
use crate::form::object;
use crate::gateways::model::{Gateway, Group, Member};
use crate::gateways::printable;
use crate::gateways::show::some;
use crate::report::format;
use crate::words::Outcome;

/// Puts what `log` tells over `assumptions`; what it told is returned, and what of the log has no place in the configuration.
pub fn learn(assumptions: &mut Assumptions, gateway: &Gateway, log: &Log) -> Vec<String> {
    let mut notes = Vec::new();
    let times: Vec<f64> = log.observations.iter().filter_map(|o| o.unix.or(o.at)).collect();
    let (first, last) = times
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| (a.min(*t), b.max(*t)));
    let mut shares: Vec<(String, usize)> = Vec::new();
    for (number, target) in log.targets.iter().enumerate() {
        let of: Vec<&Observation> = log
            .observations
            .iter()
            .filter(|o| usize::from(o.target) == number)
            .collect();
        let found = gateway
            .groups
            .iter()
            .find(|group| group.members.iter().any(|member| is_same(member, target)));
        let Some(group) = found else {
            notes.push(format!(
                "{target}: {} requests of a model that the configuration does not have",
                of.len()
            ));
            continue;
        };
        match shares.iter_mut().find(|(name, _)| *name == group.name) {
            Some((_, n)) => *n += of.len(),
            None => shares.push((group.name.clone(), of.len())),
        }
        let good: Vec<&&Observation> = of.iter().filter(|o| o.outcome == Outcome::Success).collect();
        if good.len() < ENOUGH {
            notes.push(format!(
                "{target}: {} answers, too few for its lengths and times",
                good.len()
            ));
            continue;
        }
        if let Some(Value::Object(class)) = assumptions.classes.get_mut(&group.name) {
            class.extend(lengths(good.iter().map(|o| (o.input, o.output))));
        }
        let mut ttft: Vec<f64> = good.iter().filter_map(|o| o.ttft.seen()).collect();
        let mut speed: Vec<f64> = good
            .iter()
            .filter_map(|o| o.tpot)
            .filter(|t| *t > 0.0)
            .map(|t| 1.0 / t)
            .collect();
        let mut whole: Vec<f64> = good.iter().filter_map(|o| o.e2e.seen()).collect();
        let seconds = |x: f64| json!(format!("{}ms", (x * 1e4).round() / 10.0));
        let mut told = Map::new();
        if let (Some(ttft), Some(speed)) = (
            quantiles::law(&mut ttft, seconds),
            quantiles::law(&mut speed, |x| json!((x * 100.0).round() / 100.0)),
        ) {
            told.insert("ttft".to_owned(), ttft);
            told.insert("tps".to_owned(), speed);
        } else if let Some(whole) = quantiles::law(&mut whole, seconds) {
            told.insert("response".to_owned(), whole);
        }
        // A log names models: every member that has this one, and none that another of the log's names is nearer to.
        let nearest = |member: &Member| log.targets.iter().filter_map(|target| nearness(member, target)).max();
        let members = gateway
            .groups
            .iter()
            .flat_map(|group| &group.members)
            .filter(|member| nearness(member, target).is_some_and(|near| Some(near) == nearest(member)));
        let members: Vec<&Member> = members.filter(|_| !told.is_empty()).collect();
        if let [_, _, ..] = members.as_slice() {
            let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
            notes.push(format!(
                "{target}: its answers do not say which of {} gave them, and each is taken to be as quick as all together",
                names.join(", ")
            ));
        }
        for member in members {
            let Some(Value::Object(before)) = assumptions.providers.get_mut(&member.name) else {
                continue;
            };
            let built_in = before.get("model").and_then(Value::as_str).and_then(built_in);
            ["model", "variant", "ttft", "tps", "response"]
                .iter()
                .for_each(|key| drop(before.remove(*key)));
            before.extend(told.clone());
            let prices = before
                .entry("prices")
                .or_insert_with(|| built_in.unwrap_or_else(invented_price));
            let priced = match *prices == invented_price() {
                true => format!(", and prices assumed: {GUESSED}"),
                false => String::new(),
            };
            let failed = match of.len() - good.len() {
                0 => String::new(),
                failed => format!(" ({failed} requests more failed: that is not simulated)"),
            };
            let why = format!("measured: {} answers of {target}{failed}{priced}", good.len());
            assumptions
                .because
                .insert(format!("providers.{}", member.name), json!(why));
        }
        let failed = of.len() - good.len();
        if failed > 0 {
            notes.push(format!(
                "{target}: {} of its {} requests failed, and nothing of that is in the assumptions: give its providers `faults`, as \
                 `simcap fit` finds them",
                format::count(failed as u64),
                format::count(of.len() as u64)
            ));
        }
    }
    let hits = hits(gateway, log, &mut notes);
    let has = |group: &Group, target: &String| {
        group.name == *target || group.members.iter().any(|member| is_same(member, target))
    };
    let is_known: Vec<bool> = log
        .targets
        .iter()
        .map(|target| gateway.groups.iter().any(|group| has(group, target)))
        .collect();
    let sent = log
        .observations
        .iter()
        .filter(|o| o.unix.or(o.at).is_some() && is_known.get(usize::from(o.target)) == Some(&true));
    // What the response cache answered was asked all the same.
    let asked = sent.count() as u64 + hits.iter().map(|(_, n)| n).sum::<u64>();
    if last > first && asked > 1 {
        let all = times.len() as u64 + log.cache_hits.values().sum::<u64>();
        assumptions.rate = written((asked - 1) as f64 / (last - first));
        let why = rate_of(asked, all, last - first);
        assumptions.because.insert("rate".to_owned(), json!(why));
    }
    if !hits.is_empty() && gateway.cache.is_some() {
        found(assumptions, &shares, &hits);
    }
    for (name, n) in hits {
        match shares.iter_mut().find(|(group, _)| *group == name) {
            Some((_, asked)) => *asked += n as usize,
            None => shares.push((name, n as usize)),
        }
    }
    if !shares.is_empty() {
        for (name, class) in &mut assumptions.classes {
            let share = shares.iter().find(|(group, _)| group == name).map(|(_, n)| *n);
            if let (Some(n), Value::Object(class)) = (share, class) {
                class.insert("share".to_owned(), json!(n));
            }
        }
        // A name that was never asked for has no class.
        let asked = |name: &String| {
            shares
                .iter()
                .any(|(group, _)| group == name || name.starts_with(&format!("{group}/")))
        };
        assumptions.classes.retain(|name, _| asked(name));
        assumptions.because.insert("classes".to_owned(), json!("measured"));
    }
    notes
}

/// Where a rate is from: `known` of the `all` requests of a log are of models that the configuration has.
pub(super) fn rate_of(known: u64, all: u64, seconds: f64) -> String {
    match known == all {
        true => format!("measured: {all} requests in {seconds:.0} s"),
        false => format!(
            "measured: {known} of the log's {all} requests in {seconds:.0} s, the others are of models that the configuration does not have"
        ),
    }
}

/// Why `log` cannot be of this gateway, if none of its models is one of the configuration's.
pub fn strange(gateway: &Gateway, log: &Log) -> Option<String> {
    let members = || gateway.groups.iter().flat_map(|group| &group.members);
    let of_log = || log.targets.iter().chain(log.cache_hits.keys());
    let is_known = |target: &String| {
        gateway.groups.iter().any(|group| group.name == *target) || members().any(|member| is_same(member, target))
    };
    if of_log().next().is_none() || of_log().any(is_known) {
        return None;
    }
    let mut asked: Vec<&str> = of_log().map(String::as_str).collect();
    asked.dedup();
    let names = || {
        let models = members().map(|member| member.model.as_str());
        let short = members().filter_map(|member| member.model.rsplit('/').next());
        gateway
            .groups
            .iter()
            .map(|group| group.name.as_str())
            .chain(short)
            .chain(models)
    };
    let near = asked
        .iter()
        .find_map(|target| Some((target, nearest(target, names())?)));
    let near = near.map_or_else(String::new, |(target, near)| {
        format!(" Is `{}` the configuration's `{}`?", printable(target), printable(near))
    });
    let groups: Vec<String> = gateway
        .groups
        .iter()
        .map(|group| {
            format!(
                "{} ({})",
                group.name,
                some(group.members.iter().map(|member| member.model.as_str()), ", ")
            )
        })
        .collect();
    Some(format!(
        "none of the log's models is one of {}: the log has {}; the configuration has {}.{near}",
        gateway.files.first().map_or("the configuration", String::as_str),
        some(asked.into_iter(), ", "),
        some(groups.iter().map(String::as_str), ", "),
    ))
}

/// How many requests of each group the response cache answered.
fn hits(gateway: &Gateway, log: &Log, notes: &mut Vec<String>) -> Vec<(String, u64)> {
    let mut hits: Vec<(String, u64)> = Vec::new();
    for (target, &n) in &log.cache_hits {
        let is_of =
            |group: &&Group| group.name == *target || group.members.iter().any(|member| is_same(member, target));
        let Some(group) = gateway.groups.iter().find(is_of) else {
            notes.push(format!(
                "{target}: {n} answers out of the cache, of a model that the configuration does not have"
            ));
            continue;
        };
        match hits.iter_mut().find(|(name, _)| *name == group.name) {
            Some((_, known)) => *known += n,
            None => hits.push((group.name.clone(), n)),
        }
    }
    hits
}

/// Puts the share of each class that the cache answered into the assumptions; `sent` is how many of each group were not.
fn found(assumptions: &mut Assumptions, sent: &[(String, usize)], hits: &[(String, u64)]) {
    let share = |class: &String| {
        let is_of = |group: &String| class == group || class.starts_with(&format!("{group}/"));
        let hits = hits.iter().find(|(group, _)| is_of(group)).map_or(0, |(_, n)| *n);
        let sent = sent.iter().find(|(group, _)| is_of(group)).map_or(0, |(_, n)| *n);
        (hits as f64 / (hits as f64 + sent as f64).max(1.0) * 1e4).round() / 1e4
    };
    // A name without any request has no class in the end.
    let is_asked = |class: &&String| {
        let named = sent
            .iter()
            .map(|(group, _)| group)
            .chain(hits.iter().map(|(group, _)| group));
        named
            .into_iter()
            .any(|group| *class == group || class.starts_with(&format!("{group}/")))
    };
    let asked = assumptions.classes.keys().filter(is_asked);
    let shares = object(asked.map(|class| (class.clone(), json!(share(class)))));
    assumptions
        .response_cache
        .insert("hits".to_owned(), json!({ "stated": { "share": shares } }));
    let all: u64 = hits.iter().map(|(_, n)| n).sum();
    let why = format!("measured: {all} answers out of the cache");
    assumptions.because.insert("response_cache".to_owned(), json!(why));
}

/// The laws of input and output of these answers, as far as there are enough.
pub(super) fn lengths(tokens: impl Iterator<Item = (Option<u32>, Option<u32>)>) -> Map<String, Value> {
    let (input, output): (Vec<Option<u32>>, Vec<Option<u32>>) = tokens.unzip();
    let law = |all: Vec<Option<u32>>| {
        let mut all: Vec<f64> = all.into_iter().flatten().filter(|n| *n > 0).map(f64::from).collect();
        quantiles::law(&mut all, |x| json!(x.round()))
    };
    let both = [("input", law(input)), ("output", law(output))];
    object(both.into_iter().filter_map(|(name, law)| Some((name.to_owned(), law?))))
}

/// Whether a log's target is this member's model.
pub(super) fn is_same(member: &Member, target: &str) -> bool {
    nearness(member, target).is_some()
}

/// How near a log's target is to this member, from 1 to 5: its own name goes before that of its model, the model's before that in price tables, and
/// either as it is before what stands behind its last slash. Nothing if it is another.
fn nearness(member: &Member, target: &str) -> Option<u8> {
    let ends = |name: &str| !target.contains('/') && name.rsplit('/').next() == Some(target);
    let (model, price) = (member.model.as_str(), member.price.as_deref());
    let ways = [
        member.name == target,
        model == target,
        price == Some(target),
        ends(model),
        price.is_some_and(ends),
    ];
    ways.iter().position(|is_it| *is_it).map(|way| 5 - way as u8)
}
