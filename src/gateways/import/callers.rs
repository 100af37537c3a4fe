//! Callers: streams of the traffic out of a log, one for each team, key or user where the configuration has limits by them, else one for each
//! name that is asked for.
//!
//! A caller has the rate that it has in the log and, from 20 answers on, lengths of its own; its classes carry the tags by which limits tell it
//! apart, and where limits tell users apart it is one user. The [`MOST`] with the most requests are told apart; the others are one stream
//! without such tags, which no limit of theirs bounds. How many prompts come again says how many requests a response cache answers, where
//! the log does not say it itself. Left out: bursts, which a model that `simcap traffic` makes of a trace has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Assumptions;
use super::asked::{Asked, repeated};
use super::usage::{is_same, lengths, rate_of};
use crate::form::object;
use crate::form::units::Rate;
use crate::gateways::model::{Gateway, Group};

/// The most callers that are told apart.
pub const MOST: usize = 32;

/// Whose requests they are: values of what tells callers apart.
type Who = Vec<Option<String>>;

/// A caller: what it is called, whose its requests are, and which they are by the number of their group.
struct Caller {
    name: String,
    who: Option<Who>,
    of: BTreeMap<usize, Vec<usize>>,
}

impl Caller {
    fn count(&self) -> usize {
        self.of.values().map(Vec::len).sum()
    }
}

/// Puts what `asked` tells of callers over `assumptions`, in which `identities` are what limits tell apart; what is to be told of it is returned.
pub fn learn(assumptions: &mut Assumptions, gateway: &Gateway, asked: &[Asked], identities: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let of_groups: Vec<Option<usize>> = asked.iter().map(|request| group(gateway, request)).collect();
    let known = || of_groups.iter().flatten();
    let names: BTreeSet<&str> = known().map(|number| gateway.groups[*number].name.as_str()).collect();
    let (Some(first), Some(last)) = (asked.first(), asked.last()) else {
        return notes;
    };
    // Where classes are parts of a group, a log does not tell of which.
    if names.iter().any(|name| !assumptions.classes.contains_key(*name)) {
        let what = "the configuration tells requests apart by what the log does not say: who asks is not taken from it";
        return vec![what.to_owned()];
    }
    let count = known().count();
    if count < 2 || last.at <= first.at {
        return notes;
    }
    let rate = (count - 1) as f64 / (last.at - first.at);
    // What no row has tells no callers apart.
    let said: Vec<usize> = (0..identities.len())
        .filter(|number| asked.iter().any(|request| request.who[*number].is_some()))
        .collect();
    let silent = (0..identities.len()).filter(|number| !said.contains(number));
    notes.extend(silent.map(|number| {
        let what = called(&identities[number]);
        format!("the log does not say the {what} of a request, by which limits count")
    }));
    let callers = match said.is_empty() {
        true => by_group(gateway, &of_groups),
        false => by_identity(asked, &of_groups, &said, identities, &mut notes),
    };
    let mut classes = Map::new();
    let mut streams = Map::new();
    let mut class_of: Vec<Option<String>> = vec![None; asked.len()];
    for caller in &callers {
        let mut weights = Map::new();
        for (number, of) in &caller.of {
            let group = &gateway.groups[*number].name;
            let name = match &caller.who {
                None if said.is_empty() => group.clone(),
                Some(_) | None => format!("{group}/{}", caller.name),
            };
            let mut class = assumptions.classes[group.as_str()]
                .as_object()
                .cloned()
                .unwrap_or_default();
            class.insert("share".to_owned(), json!(of.len()));
            let good: Vec<&Asked> = of.iter().map(|n| &asked[*n]).filter(|request| request.good).collect();
            class.extend(lengths(good.iter().map(|request| request.tokens)));
            let tags = caller.who.iter().flat_map(|who| said.iter().zip(who));
            let tags = tags.filter_map(|(number, value)| {
                let tag = identities[*number].as_str();
                let tag = tag.strip_prefix("tag.").unwrap_or(tag);
                Some((tag.to_owned(), json!(value.as_ref().filter(|_| tag != "user")?)))
            });
            let tags = object(tags);
            if !tags.is_empty() {
                class.insert("tags".to_owned(), Value::Object(tags));
            }
            weights.insert(name.clone(), json!(of.len()));
            of.iter().for_each(|n| class_of[*n] = Some(name.clone()));
            classes.insert(name, Value::Object(class));
        }
        let own = rate * caller.count() as f64 / count as f64;
        let mut stream = json!({ "arrivals": { "poisson": { "rate": written(own) } }, "classes": weights });
        if identities.iter().any(|identity| identity == "user") {
            let users = match &caller.who {
                Some(_) => 1,
                // Of the others each is a user.
                None => distinct(asked, caller, identities),
            };
            stream["users"] = json!({ "count": users });
        }
        streams.insert(caller.name.clone(), stream);
    }
    // That of all callers together.
    assumptions.rate = written(rate);
    let why = rate_of(count as u64, asked.len() as u64, last.at - first.at);
    assumptions.because.insert("rate".to_owned(), json!(why));
    let is_all = callers.len() < 2 && said.is_empty() && names.len() == assumptions.classes.len();
    assumptions.classes = classes;
    assumptions.because.insert("classes".to_owned(), json!("measured"));
    if !is_all {
        let what = match said.is_empty() {
            true => "name that is asked for".to_owned(),
            false => said
                .iter()
                .map(|n| called(&identities[*n]))
                .collect::<Vec<_>>()
                .join(" and "),
        };
        let why = format!(
            "measured: {count} requests, a stream for each {what} ({})",
            callers.len()
        );
        assumptions.because.insert("callers".to_owned(), json!(why));
        assumptions.callers = streams;
        assumptions.users.clear();
        assumptions.because.remove("users");
        for number in said {
            let tag = identities[number].trim_start_matches("tag.");
            assumptions.tags.remove(tag);
            assumptions.because.remove(&format!("tags.{tag}"));
        }
    }
    notes.extend(hits(assumptions, gateway, asked, &class_of));
    notes
}

/// A rate as an experiment has it.
pub(super) fn written(a_second: f64) -> String {
    let digits = 1e4_f64.max(libm::pow(10.0, 3.0 - libm::floor(libm::log10(a_second))));
    format!("{}/s", (a_second * digits).round() / digits)
}

/// The requests a second of all these callers; nothing if there are none, or the rate of one is not said.
pub(super) fn total(callers: &Map<String, Value>) -> Option<f64> {
    let rate = |caller: &Value| {
        let rate = caller.pointer("/arrivals/poisson/rate")?;
        let rate: Rate = serde_json::from_value(rate.clone()).ok()?;
        Some(rate.per_second())
    };
    let all: Vec<f64> = callers.values().map(rate).collect::<Option<_>>()?;
    (!all.is_empty()).then(|| all.iter().sum())
}

/// A part of a rate; a text that is not a rate stays, to be refused where it is read.
pub(in crate::gateways) fn part(rate: &str, part: f64) -> String {
    match serde_json::from_value::<Rate>(json!(rate)) {
        Ok(of) => format!("{:.9}/s", of.per_second() * part),
        Err(_) => rate.to_owned(),
    }
}

/// The group that a request asked for: the one that the log names, else the first with the model.
fn group(gateway: &Gateway, request: &Asked) -> Option<usize> {
    let groups = &gateway.groups;
    let named = |name: &String| {
        let alias = gateway.aliases.iter().find(|(alias, _)| alias == name);
        let name = alias.map_or(name, |(_, group)| group);
        groups.iter().position(|group| group.name == *name)
    };
    let serves = |model: &String| {
        let has = |group: &Group| group.members.iter().any(|member| is_same(member, model));
        groups.iter().position(has)
    };
    let by_name = request.group.as_ref().and_then(named);
    let by_model = || request.model.as_ref().and_then(serves);
    let only = (request.group.is_none() && request.model.is_none() && groups.len() == 1).then_some(0);
    by_name.or_else(by_model).or(only)
}

/// How people call what tells callers apart.
fn called(identity: &str) -> &str {
    identity.strip_prefix("tag.").unwrap_or(identity)
}

/// A caller for each group.
fn by_group(gateway: &Gateway, of_groups: &[Option<usize>]) -> Vec<Caller> {
    let mut all: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (n, group) in of_groups.iter().enumerate() {
        if let Some(group) = group {
            all.entry(*group).or_default().push(n);
        }
    }
    // Streams are few: of many names the rarest are one.
    let mut callers: Vec<Caller> = all
        .into_iter()
        .map(|(group, of)| Caller {
            name: plain(&gateway.groups[group].name),
            who: None,
            of: BTreeMap::from([(group, of)]),
        })
        .collect();
    few(&mut callers);
    callers
}

/// A caller for each identity, and one for all that are rare.
fn by_identity(
    asked: &[Asked],
    of_groups: &[Option<usize>],
    said: &[usize],
    identities: &[String],
    notes: &mut Vec<String>,
) -> Vec<Caller> {
    let mut all: BTreeMap<Who, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
    for (n, (request, group)) in asked.iter().zip(of_groups).enumerate() {
        if let Some(group) = group {
            let who = said.iter().map(|number| request.who[*number].clone()).collect();
            all.entry(who).or_default().entry(*group).or_default().push(n);
        }
    }
    let of_who = |(who, of): (Who, BTreeMap<usize, Vec<usize>>)| {
        let words: Vec<String> = who
            .iter()
            .map(|value| value.as_deref().map_or("-".to_owned(), plain))
            .collect();
        let name = match who.iter().all(Option::is_none) {
            true => "nobody".to_owned(),
            false => words.join("+"),
        };
        Caller {
            name,
            who: Some(who),
            of,
        }
    };
    let mut callers: Vec<Caller> = all.into_iter().map(of_who).collect();
    let before = callers.len();
    few(&mut callers);
    if before > callers.len() {
        let what: Vec<&str> = said.iter().map(|number| called(&identities[*number])).collect();
        notes.push(format!(
            "{} of {before} callers by {} have a stream of their own; the others are one, which no limit of theirs bounds",
            callers.len() - 1,
            what.join(" and ")
        ));
    }
    callers
}

/// Leaves the callers with the most requests, each under a name of its own, and makes one of all others.
fn few(callers: &mut Vec<Caller>) {
    // Of equals the first by name: the sort is stable.
    callers.sort_by_key(|caller| std::cmp::Reverse(caller.count()));
    if callers.len() > MOST {
        let mut rest: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (group, of) in callers.split_off(MOST - 1).into_iter().flat_map(|caller| caller.of) {
            rest.entry(group).or_default().extend(of);
        }
        callers.push(Caller {
            name: "others".to_owned(),
            who: None,
            of: rest,
        });
    }
    let mut taken = BTreeSet::new();
    for caller in callers {
        let name = caller.name.clone();
        let mut number = 1;
        while !taken.insert(caller.name.clone()) {
            number += 1;
            caller.name = format!("{name}-{number}");
        }
    }
}

/// A name that may be written anywhere: letters, digits and few signs.
fn plain(text: &str) -> String {
    let sign = |c: char| {
        if c.is_alphanumeric() || "-_.@".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = text.chars().take(40).map(sign).collect();
    match name.trim_matches('-').is_empty() {
        true => "any".to_owned(),
        false => name,
    }
}

/// How many users the requests of a caller have.
fn distinct(asked: &[Asked], caller: &Caller, identities: &[String]) -> usize {
    let Some(user) = identities.iter().position(|identity| identity == "user") else {
        return 1;
    };
    let all: BTreeSet<&String> = caller
        .of
        .values()
        .flatten()
        .filter_map(|n| asked[*n].who[user].as_ref())
        .collect();
    all.len().max(1)
}

/// Puts the share of each class that the response cache answers into the assumptions: as the log says it, else by the prompts that come again.
fn hits(assumptions: &mut Assumptions, gateway: &Gateway, asked: &[Asked], class_of: &[Option<String>]) -> Vec<String> {
    let Some(cache) = &gateway.cache else { return Vec::new() };
    let told = asked.iter().any(|request| request.hit == Some(true));
    let marked = asked.iter().filter(|request| request.prompt.is_some()).count();
    if !told && marked == 0 {
        return Vec::new();
    }
    let replicas = if cache.per_replica { gateway.replicas } else { 1 };
    let found: Vec<bool> = match told {
        true => asked.iter().map(|request| request.hit == Some(true)).collect(),
        false => repeated(asked, cache.ttl, cache.entries, replicas),
    };
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (class, hit) in class_of.iter().zip(&found) {
        if let Some(class) = class {
            let (hits, all) = counts.entry(class).or_default();
            *hits += u64::from(*hit);
            *all += 1;
        }
    }
    let all: u64 = counts.values().map(|(hits, _)| hits).sum();
    let share = |(hits, all): (u64, u64)| (hits as f64 / all.max(1) as f64 * 1e4).round() / 1e4;
    let shares = object(counts.iter().map(|(class, n)| ((*class).to_owned(), json!(share(*n)))));
    let hits = json!({ "stated": { "share": shares } });
    assumptions.response_cache.insert("hits".to_owned(), hits);
    let why = match told {
        true => format!("measured: {all} answers out of the cache"),
        false => format!("measured: {all} of {marked} prompts come again while the cache would know them"),
    };
    assumptions.because.insert("response_cache".to_owned(), json!(why));
    match !told && cache.semantic {
        true => vec![
            "the cache goes by meaning and the log's prompts by their letters: the share of hits is the least that there is".to_owned(),
        ],
        false => Vec::new(),
    }
}

/// The streams of an experiment: those of `callers`, without classes that `classes` lacks, and that part of their rate.
pub(super) fn streams(callers: &Map<String, Value>, classes: &Map<String, Value>, users: &Map<String, Value>) -> Value {
    let each = callers.iter().filter_map(|(name, stream)| {
        let mut stream = stream.clone();
        if let Some(of) = stream.get_mut("classes").and_then(Value::as_object_mut) {
            let sum = |of: &Map<String, Value>| of.values().filter_map(Value::as_f64).sum::<f64>();
            let before = sum(of);
            of.retain(|class, _| classes.contains_key(class));
            let left = sum(of);
            if of.is_empty() {
                return None;
            }
            let rate = stream.pointer_mut("/arrivals/poisson/rate");
            if let Some(rate) = rate.filter(|_| left < before) {
                *rate = json!(part(rate.as_str().unwrap_or(""), left / before));
            }
        }
        if let (false, Value::Object(of)) = (users.is_empty(), &mut stream) {
            of.entry("users").or_insert(Value::Object(users.clone()));
        }
        Some((name.clone(), stream))
    });
    Value::Object(object(each))
}

/// Whether each of these streams says how often it sends each class.
pub(super) fn all_weigh(streams: &Value) -> bool {
    let mut all = streams.as_object().into_iter().flat_map(Map::values);
    all.all(|stream| stream.get("classes").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::import::{built_in_prices, experiment};
    use crate::gateways::{read, source};

    const LIMITED: &str = "model_list:\n- {model_name: chat, litellm_params: {model: openai/gpt-4.1}}\n\
        - {model_name: small, litellm_params: {model: openai/gpt-4.1-mini}}\n\
        litellm_settings: {cache: true, cache_params: {type: redis, ttl: 60}, default_team_params: {rpm_limit: 60}}\n";

    /// Of two a second three quarters are of the team search, with 100 tokens each and one of three prompts; and one quarter of support, with 900
    /// tokens each and a prompt of its own, every second one for `small`.
    fn requests() -> Vec<Asked> {
        let one = |n: u64| {
            let search = n % 4 != 3;
            Asked {
                at: n as f64 / 2.0,
                end: n as f64 / 2.0,
                group: Some(if n % 8 == 7 { "small" } else { "chat" }.to_owned()),
                model: Some("gpt-4.1".to_owned()),
                who: vec![Some(if search { "search" } else { "support team" }.to_owned())],
                tokens: (Some(if search { 100 } else { 900 }), Some(10)),
                good: true,
                hit: None,
                prompt: Some(if search { n % 3 } else { 1000 + n }),
            }
        };
        (0..401).map(one).collect()
    }

    fn learnt(text: &str, asked: &[Asked]) -> (Gateway, Assumptions, Vec<String>) {
        let gateway = read(&source::from_text("x.yaml", text).unwrap(), None).unwrap();
        let mut assumed = Assumptions::of(&gateway, &built_in_prices());
        let notes = learn(&mut assumed, &gateway, asked, &["tag.team".to_owned()]);
        (gateway, assumed, notes)
    }

    fn assembles(made: &Value) {
        let loaded = crate::experiment::load::from_text("x.json", &made.to_string()).unwrap_or_else(|e| panic!("{e}"));
        crate::experiment::assemble::assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    }

    #[test]
    fn teams_are_streams_of_their_own_where_limits_are_by_team() {
        let (gateway, assumed, notes) = learnt(LIMITED, &requests());
        assert!(notes.is_empty() && assumed.tags.is_empty(), "{notes:?}");
        // 301 of 401 requests in 200 s at 2/s, and 100 of them.
        let rate = |name: &str| {
            assumed.callers[name]["arrivals"]["poisson"]["rate"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            (rate("search"), rate("support-team")),
            ("1.5012/s".to_owned(), "0.4988/s".to_owned())
        );
        assert_eq!(
            assumed.callers["support-team"]["classes"],
            json!({ "chat/support-team": 50, "small/support-team": 50 })
        );
        let class = |name: &str| &assumed.classes[name];
        assert_eq!(class("chat/search")["tags"], json!({ "team": "search" }));
        assert_eq!(class("small/support-team")["tags"], json!({ "team": "support team" }));
        let input = |name: &str| class(name)["input"]["empirical"]["quantiles"].as_array().unwrap();
        assert!(input("chat/search").contains(&json!([0.5, 100.0])));
        assert!(input("chat/support-team").contains(&json!([0.5, 900.0])));
        let made = experiment(&gateway, &assumed, "x");
        assert_eq!(made["traffic"]["classes"]["small/support-team"]["asks"], "small");
        assembles(&made);
        // Every prompt of the three is forgotten once a minute: known but for the first and one each 60 s.
        let share = &assumed.response_cache["hits"]["stated"]["share"];
        assert_eq!(share["chat/support-team"], json!(0.0));
        assert!(
            (share["chat/search"].as_f64().unwrap() - (301.0 - 12.0) / 301.0).abs() < 0.005,
            "{share}"
        );
    }

    #[test]
    fn what_is_read_again_is_the_same() {
        let (gateway, assumed, _) = learnt(LIMITED, &requests());
        let of = Assumptions::of(&gateway, &built_in_prices());
        let again = of.read("a.json", &assumed.to_json()).unwrap();
        assert_eq!(
            experiment(&gateway, &again, "x")["traffic"],
            experiment(&gateway, &assumed, "x")["traffic"]
        );
        assert_eq!(
            (again.rate.as_str(), &again.because["rate"]),
            ("2/s", &assumed.because["rate"])
        );
    }

    #[test]
    fn requests_of_strange_models_are_in_no_rate() {
        let mut asked = requests();
        for one in asked.iter_mut().skip(1).step_by(2) {
            (one.group, one.model) = (Some("other".to_owned()), Some("other".to_owned()));
        }
        let (_, assumed, _) = learnt(LIMITED, &asked);
        assert_eq!(assumed.rate, "1/s");
        assert_eq!(
            assumed.because["rate"],
            "measured: 201 of the log's 401 requests in 200 s, the others are of models that the configuration does not have"
        );
        assert_eq!(total(&assumed.callers), Some(1.0));
    }

    #[test]
    fn a_rate_beside_callers_is_refused_if_it_is_not_theirs() {
        let (gateway, assumed, _) = learnt(LIMITED, &requests());
        let read = |rate: Option<&str>| {
            let mut text: Value = serde_json::from_str(&assumed.to_json()).unwrap();
            assert!(text.get("rate").is_none());
            if let Some(rate) = rate {
                text["rate"] = json!(rate);
            }
            Assumptions::of(&gateway, &built_in_prices()).read("a.json", &text.to_string())
        };
        assert_eq!(read(None).unwrap().rate, "2/s");
        // As files have it that an earlier import wrote.
        assert_eq!(read(Some("2/s")).unwrap().rate, "2/s");
        let refused = read(Some("5/s")).err().unwrap().to_string();
        assert!(
            refused.contains("`rate` is not used beside `callers`, which have rates of their own (2/s together)"),
            "{refused}"
        );
    }

    #[test]
    fn names_that_are_asked_for_are_streams_where_nothing_tells_callers_apart() {
        let asked: Vec<Asked> = requests()
            .into_iter()
            .map(|one| Asked { who: vec![None], ..one })
            .collect();
        let (gateway, assumed, notes) = learnt(LIMITED, &asked);
        assert_eq!(
            notes,
            ["the log does not say the team of a request, by which limits count"]
        );
        assert_eq!(assumed.callers.keys().collect::<Vec<_>>(), ["chat", "small"]);
        assert_eq!(assumed.tags["team"], json!({ "all": 1 }));
        assembles(&experiment(&gateway, &assumed, "x"));
    }

    #[test]
    fn of_many_callers_the_rarest_are_one_without_a_tag() {
        let mut asked = requests();
        for (n, one) in asked.iter_mut().enumerate().skip(300) {
            one.who = vec![Some(format!("t{n}"))];
        }
        let (gateway, assumed, notes) = learnt(LIMITED, &asked);
        assert_eq!(assumed.callers.len(), MOST);
        assert!(assumed.classes["chat/others"].get("tags").is_none());
        assert!(
            notes[0].starts_with("31 of 103 callers by team have a stream of their own"),
            "{notes:?}"
        );
        assembles(&experiment(&gateway, &assumed, "x"));
    }
}
