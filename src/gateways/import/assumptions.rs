//! Assumptions: what an experiment needs and no configuration says, in one short file.
//!
//! ```json
//! { "format": "simcap.assumptions/1", "rate": "2/s",
//!   "classes": { "chat": { "share": 3, "input": { "constant": 800 }, "output": { "constant": 200 } } },
//!   "providers": { "weu": { "model": "gpt-4.1" } }, "plan": { "duration": "1h", "replications": 10 } }
//! ```
//!
//! What is said of a provider is of the model in its `of`, where it says one: a configuration that has another model there takes that model's own
//! latency and prices. A model's name may stand among the providers too, for each that has this model.
//!
//! `classes`, `providers`, `response_cache`, `objectives` and `plan` hold what an experiment has there; `streams` (true, or a list of groups) says
//! whose requests stream; what is given replaces what is assumed for that class or provider. A name that the configuration does not have is
//! refused, unless it is compared with one that has it; but a class `GROUP/ANYTHING` is one more that asks for that group. `because` says of
//! each where it comes from, and is quoted.
//!
//! Where a gateway limits each user, key or tenant, `users` and `tags` say how many there are and how much each asks, as in an
//! experiment's `traffic`: `"users": { "count": 500 }`, `"tags": { "x-tenant": { "acme": 3, "globex": 1 } }`. `callers` are an experiment's
//! `traffic.streams`, which a log makes ([`super::callers`]) and a person may: they take the place of `rate`, `users` and assumed tags. A
//! `rate` beside them that is not theirs together is refused.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::callers::{total, written};
use super::prices::{dollars, last_name, listed};
use crate::experiment::caveats::invented_price;
use crate::experiment::model::BUILT_IN;
use crate::form::diagnose::nearest;
use crate::form::object;
use crate::form::units::Rate;
use crate::gateways::model::{Gateway, Group, Member};
use crate::gateways::{Refused, printable};
use crate::provider::pricing::listed::Table;

/// The name of the form.
const FORMAT: &str = "simcap.assumptions/1";

/// What is assumed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assumptions {
    /// Requests in a time, as an experiment writes a rate; beside callers that of all together.
    pub rate: String,
    /// The classes, by name, as an experiment has them.
    pub classes: Map<String, Value>,
    /// What is assumed of each provider, as an experiment has it.
    pub providers: Map<String, Value>,
    /// The users of the experiment's traffic; nothing if no limit tells them apart.
    pub users: Map<String, Value>,
    /// The tags of the experiment's traffic, as far as limits tell them apart.
    pub tags: Map<String, Value>,
    /// The streams of the experiment's traffic, which take the place of the rate; none for one source of all requests.
    pub callers: Map<String, Value>,
    /// The response cache as an experiment has it, if the configuration has one: what it finds.
    pub response_cache: Map<String, Value>,
    /// The groups whose requests stream, `*` for all, where the product bounds a stream otherwise than an answer as a whole.
    pub streams: Vec<String>,
    /// What must hold, as an experiment has it; none by default.
    pub objectives: Vec<Value>,
    /// The plan of the experiment.
    pub plan: Map<String, Value>,
    /// Where each comes from, in words.
    pub because: Map<String, Value>,
    /// The model of each provider, by the name that price tables have for it.
    pub models: BTreeMap<String, String>,
}

/// What is said of prices that nothing tells.
pub(super) const GUESSED: &str = "$1 and $4 a million tokens";

/// What hangs on the model that a provider has.
const OF_MODEL: [&str; 7] = ["model", "variant", "ttft", "tps", "prefill", "response", "prices"];

/// The configuration that one is compared with, under the same file of assumptions.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// What is assumed of the other one: its names may stand in the file.
    pub other: Assumptions,
    /// What the file calls a provider of this configuration, where it is not its own name.
    pub called: BTreeMap<String, String>,
}

/// Models that are built in, by what their names in price tables begin with once the provider is cut off.
const MODELS: &[(&str, &str)] = &[
    ("claude-sonnet-4-5", "claude-sonnet-4.5"),
    ("claude-sonnet-4.5", "claude-sonnet-4.5"),
    ("deepseek-chat", "deepseek-v3.2"),
    ("deepseek-v3", "deepseek-v3.2"),
    ("gpt-4.1", "gpt-4.1"),
    ("gemini-2.5-flash", "gemini-2.5-flash"),
    ("llama-3.3-70b", "llama-3.3-70b"),
    ("qwen2.5-72b", "qwen2.5-72b"),
];

/// The tokens of a request at the median, in and out.
pub(in crate::gateways) const MEDIANS: (u64, u64) = (800, 200);

/// Endings that make another model of a name.
const OTHERS: &[&str] = &["-mini", "-nano", "-lite", "-image", "-tts", "-live"];

impl Assumptions {
    /// The assumptions by default, for `gateway` with the prices of `table`.
    pub fn of(gateway: &Gateway, table: &Table) -> Assumptions {
        let mut assumed = Assumptions {
            rate: "1/s".to_owned(),
            plan: map(json!({ "duration": "1h", "replications": 10, "seed": 1 })),
            ..Assumptions::default()
        };
        assumed
            .because
            .insert("rate".to_owned(), json!("assumed: no configuration says it"));
        assumed.because.insert(
            "classes".to_owned(),
            json!(format!(
                "assumed: equal shares, {} tokens in and {} out at the median",
                MEDIANS.0, MEDIANS.1
            )),
        );
        assumed.assume_identities(gateway);
        if let Some(cache) = &gateway.cache {
            assumed.response_cache = cache.assumed();
            let why = "assumed: no request is answered from the cache, since no configuration says how many are";
            assumed.because.insert("response_cache".to_owned(), json!(why));
        }
        for group in &gateway.groups {
            let tiers = group.facts.get("complexity").and_then(Value::as_object);
            let given = gateway.facts.get("classes").and_then(Value::as_object);
            let names: Vec<String> = match (tiers, given) {
                (Some(tiers), _) => tiers
                    .keys()
                    .filter(|tier| *tier != "default")
                    .map(|tier| format!("{}/{tier}", group.name))
                    .collect(),
                (None, Some(given)) => given.keys().cloned().collect(),
                (None, None) => vec![group.name.clone()],
            };
            for name in names {
                let mut class = map(json!({
                    "share": 1,
                    "input": { "lognormal": { "median": MEDIANS.0, "sigma": 0.8 } },
                    "output": { "lognormal": { "median": MEDIANS.1, "sigma": 0.7 } },
                }));
                let own = given.and_then(|given| given.get(&name)).and_then(Value::as_object);
                class.extend(own.cloned().unwrap_or_default());
                assumed.classes.insert(name, Value::Object(class));
            }
            for member in group.members.iter().filter(|_| tiers.is_none()) {
                let (provider, why) = provider(member, &group.name, table);
                assumed.providers.insert(member.name.clone(), Value::Object(provider));
                assumed
                    .models
                    .insert(member.name.clone(), model(member, &group.name).to_owned());
                assumed.because.insert(format!("providers.{}", member.name), json!(why));
            }
        }
        assumed
    }

    /// What limits for each identity need: users, and values of tags. Where the configuration names none, there is one.
    fn assume_identities(&mut self, gateway: &Gateway) {
        for (identity, of) in identities(gateway) {
            if identity == "user" {
                self.users.insert("count".to_owned(), json!(1));
                let why = "assumed: one, so that limits of each user are limits of all";
                self.because.insert("users".to_owned(), json!(why));
                continue;
            }
            let name = identity.strip_prefix("tag.").unwrap_or(&identity).to_owned();
            let of_classes = |group: &Group| group.facts.get("tags").is_some_and(|tags| tags.get(&name).is_some());
            if gateway.groups.iter().any(of_classes) {
                continue;
            }
            let known = gateway.facts.get("tags").and_then(|tags| tags.get(&name));
            let mut values = known.and_then(Value::as_object).cloned().unwrap_or_default();
            values.extend(of.into_iter().map(|value| (value, json!(1))));
            let why = if values.is_empty() {
                values.insert("all".to_owned(), json!(1));
                "assumed: one, so that its limits are limits of all"
            } else {
                "assumed: equal shares"
            };
            let entry = self.tags.entry(name.clone()).or_insert(json!({}));
            if let Value::Object(before) = entry {
                before.extend(values);
            }
            self.because.insert(format!("tags.{name}"), json!(why));
        }
    }

    /// Takes what `text` says in the place of what is assumed.
    ///
    /// # Errors
    /// If it is not JSON of this form, or names what is not there.
    pub fn read(self, file: &str, text: &str) -> Result<Assumptions, Refused> {
        self.read_beside(file, text, &Beside::default())
    }

    /// Takes what `text` says for a configuration that is compared with another one.
    ///
    /// # Errors
    /// As [`Assumptions::read`]; a name is refused that neither of the two has.
    pub fn read_beside(mut self, file: &str, text: &str, beside: &Beside) -> Result<Assumptions, Refused> {
        let given: Value = serde_json::from_str(text)
            .map_err(|error| Refused::at(file, error.line() as u32, format!("is no JSON: {error}")))?;
        let Value::Object(given) = given else {
            return Err(Refused::whole(file, "must be an object of assumptions"));
        };
        let (before, mut because) = (self.clone(), Map::new());
        let is_rate_given = given.contains_key("rate");
        if given.contains_key("callers") {
            // The callers are given: nothing of it is assumed beside that.
            self.users.clear();
            self.tags.clear();
        }
        for (key, value) in given {
            match (key.as_str(), value) {
                ("format", Value::String(format)) if format == FORMAT => {}
                ("rate", Value::String(rate)) => self.rate = rate,
                ("classes", Value::Object(of)) => over(file, "class", &mut self.classes, of, &beside.other.classes)?,
                ("providers", Value::Object(of)) => {
                    let mut of = beside.own(of, &self);
                    self.strip(&mut of, beside);
                    over(file, "provider", &mut self.providers, of, &beside.other.providers)?;
                }
                ("objectives", Value::Array(of)) => self.objectives = of,
                ("users", Value::Object(of)) => self.users = of,
                ("tags", Value::Object(of)) => self.tags.extend(of),
                ("callers", Value::Object(of)) => self.callers = of,
                ("response_cache", Value::Object(of)) => {
                    if self.response_cache.is_empty() {
                        let what = "the configuration has no response cache, so that nothing can be assumed of it";
                        return Err(Refused::whole(file, what));
                    }
                    self.response_cache.extend(of);
                }
                ("streams", Value::Bool(all)) => self.streams = all.then(|| "*".to_owned()).into_iter().collect(),
                ("streams", Value::Array(of)) => self.streams = groups(file, of)?,
                ("plan", Value::Object(of)) => self.plan.extend(of),
                ("because", Value::Object(of)) => because = of,
                (key, _) => {
                    let known = "`format`, `rate`, `classes`, `providers`, `users`, `tags`, `callers`, `response_cache`, `streams`, `objectives`, `plan`, `because`";
                    let what = format!("`{}` is not what it may be; an object of {known}", printable(key));
                    return Err(Refused::whole(file, what));
                }
            }
        }
        let of_all = total(&self.callers);
        if is_rate_given && !self.callers.is_empty() {
            self.rate_beside(of_all).map_err(|what| Refused::whole(file, what))?;
        }
        if let Some(of_all) = of_all {
            self.rate = written(of_all);
        }
        // A class that no caller sends has no requests.
        let of_callers = self
            .callers
            .values()
            .map(|caller| caller.get("classes").and_then(Value::as_object));
        if let Some(sent) = of_callers.collect::<Option<Vec<_>>>().filter(|sent| !sent.is_empty()) {
            self.classes
                .retain(|name, _| sent.iter().any(|of| of.contains_key(name)));
        }
        // What is as it was assumed stays assumed, whatever repeats it; what was changed is given, if nothing else is said of it.
        let providers = self
            .providers
            .iter()
            .filter(|(name, value)| before.providers.get(*name) != Some(value));
        let mut changed: Vec<String> = providers.map(|(name, _)| format!("providers.{name}")).collect();
        let tags = self
            .tags
            .iter()
            .filter(|(name, value)| before.tags.get(*name) != Some(value));
        changed.extend(tags.map(|(name, _)| format!("tags.{name}")));
        changed.extend((self.users != before.users && !self.users.is_empty()).then(|| "users".to_owned()));
        changed.extend((self.callers != before.callers).then(|| "callers".to_owned()));
        let of_callers = of_all.is_some() && self.callers != before.callers;
        changed.extend((of_callers || self.rate != before.rate).then(|| "rate".to_owned()));
        changed.extend((self.response_cache != before.response_cache).then(|| "response_cache".to_owned()));
        changed.extend((self.classes != before.classes).then(|| "classes".to_owned()));
        for what in changed {
            let said = because
                .remove(&what)
                .filter(|why| why.as_str().is_some_and(|why| !why.starts_with("assumed")));
            self.because.insert(what, said.unwrap_or_else(|| json!("given")));
        }
        Ok(self)
    }

    /// Why the rate cannot stand beside callers: it is not that of all together, to a hundredth, if that is known.
    fn rate_beside(&self, of_all: Option<f64>) -> Result<(), String> {
        let own: Option<Rate> = serde_json::from_value(json!(self.rate)).ok();
        let together = match (own, of_all) {
            (Some(own), Some(of_all)) if (own.per_second() - of_all).abs() <= 0.01 * of_all => return Ok(()),
            (_, Some(of_all)) => format!(" ({} together)", written(of_all)),
            (_, None) => String::new(),
        };
        Err(format!(
            "`rate` is not used beside `callers`, which have rates of their own{together}: change those and take `rate` out, or take `callers` out"
        ))
    }

    /// Takes away what is given of another model than the provider's, and tells of it.
    fn strip(&mut self, given: &mut Map<String, Value>, beside: &Beside) {
        for (name, of) in given.iter_mut() {
            let Value::Object(of) = of else { continue };
            let said = of.remove("of").and_then(|of| of.as_str().map(str::to_owned));
            let called = beside
                .called
                .get(name)
                .and_then(|called| beside.other.models.get(called));
            let (Some(own), Some(of_file)) = (self.models.get(name), said.as_ref().or(called)) else {
                continue;
            };
            if own == of_file || !OF_MODEL.iter().any(|key| of.contains_key(*key)) {
                continue;
            }
            OF_MODEL.iter().for_each(|key| drop(of.remove(*key)));
            let key = format!("providers.{name}");
            let why = self.because.get(&key).and_then(Value::as_str).unwrap_or("assumed");
            let why = format!("{why}, since what the file says is of {of_file} and not of {own}");
            self.because.insert(key, json!(why));
        }
    }

    /// The providers whose prices nothing tells, so that an invented one stands in their place.
    pub fn unpriced(&self) -> Vec<&str> {
        let is_guessed = |name: &String, of: &Value| {
            let why = self.because.get(&format!("providers.{name}")).and_then(Value::as_str);
            of.get("prices") == Some(&invented_price()) && why.is_some_and(|why| why.contains(GUESSED))
        };
        let all = self.providers.iter().filter(|(name, of)| is_guessed(name, of));
        all.map(|(name, _)| name.as_str()).collect()
    }

    /// The text of the file.
    pub fn to_json(&self) -> String {
        let mut providers = self.providers.clone();
        for (name, of) in &mut providers {
            if let (Value::Object(of), Some(model)) = (of, self.models.get(name)) {
                of.insert("of".to_owned(), json!(model));
            }
        }
        let mut text = json!({
            "format": FORMAT, "rate": self.rate, "classes": self.classes, "providers": providers,
            "plan": self.plan, "because": self.because,
        });
        for (name, of) in [("users", &self.users), ("tags", &self.tags), ("callers", &self.callers)] {
            if !of.is_empty() {
                text[name] = Value::Object(of.clone());
            }
        }
        // Beside callers it says nothing.
        if let (false, Value::Object(of)) = (self.callers.is_empty(), &mut text) {
            of.remove("rate");
        }
        if !self.response_cache.is_empty() {
            text["response_cache"] = json!(self.response_cache);
        }
        if !self.streams.is_empty() {
            text["streams"] = json!(self.streams);
        }
        if !self.objectives.is_empty() {
            text["objectives"] = json!(self.objectives);
        }
        format!("{text:#}\n")
    }

    /// What is assumed, in a few words for the report.
    pub fn quoted(&self) -> String {
        let mut parts = match self.callers.is_empty() || total(&self.callers).is_some() {
            true => vec![format!("{} requests", self.rate)],
            false => vec!["requests of callers, as they are given".to_owned()],
        };
        for (what, why) in &self.because {
            if let Some(why) = why.as_str().filter(|why| why.starts_with("assumed") && what != "rate") {
                parts.push(format!(
                    "{} {}",
                    what.trim_start_matches("providers."),
                    why.trim_start_matches("assumed: ")
                ));
            }
        }
        parts.join("; ")
    }
}

/// What the limits and budgets of a gateway tell apart, each once.
pub fn told_apart(gateway: &Gateway) -> Vec<String> {
    let mut all: Vec<String> = identities(gateway).into_iter().map(|(identity, _)| identity).collect();
    all.retain(|identity| identity != "class");
    all.sort();
    all.dedup();
    all
}

/// What the limits and budgets of a gateway tell apart, as an experiment writes it, and the identities that they name.
fn identities(gateway: &Gateway) -> Vec<(String, Vec<String>)> {
    let listed = |of: Option<&Value>| of.and_then(Value::as_array).cloned().unwrap_or_default();
    let limiters = listed(gateway.client.get("limiters"));
    let limiters = limiters
        .iter()
        .filter_map(|limiter| Some((limiter.get("each")?, "per")));
    let budgets = listed(gateway.facts.get("budgets"));
    let all = limiters.chain(budgets.iter().map(|budget| (budget, "each")));
    let found = all.filter_map(|(of, key)| {
        let names = of.get("of").and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Some((of.get(key)?.as_str()?.to_owned(), names.collect()))
    });
    found.collect()
}

/// Names of groups.
fn groups(file: &str, list: Vec<Value>) -> Result<Vec<String>, Refused> {
    let name = |value: Value| match value {
        Value::String(name) => Ok(name),
        _ => Err(Refused::whole(
            file,
            "`streams` is true, false or a list of names of groups",
        )),
    };
    list.into_iter().map(name).collect()
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(of) => of,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

impl Beside {
    /// What is given, under the names that this configuration has; what it lacks keeps its name.
    fn own(&self, given: Map<String, Value>, assumed: &Assumptions) -> Map<String, Value> {
        let own = &assumed.providers;
        let is_model = |name: &String| !own.contains_key(name) && !self.other.providers.contains_key(name);
        let (of_models, given): (Vec<_>, Vec<_>) = given.into_iter().partition(|(name, _)| {
            let mut models = assumed.models.values().chain(self.other.models.values());
            is_model(name) && models.any(|model| model == name)
        });
        let given = object(given.into_iter());
        let taken = own.keys().filter_map(|name| {
            let called = match self.called.get(name) {
                Some(called) => called,
                // A name that the file has for the other one alone.
                None if self.other.providers.contains_key(name) => return None,
                None => name,
            };
            Some((name.clone(), given.get(called)?.clone()))
        });
        let taken = object(taken);
        let rest = given.into_iter().filter(|(name, _)| !own.contains_key(name));
        let mut all = object(rest.chain(taken));
        for (model, of) in of_models {
            for name in assumed
                .models
                .iter()
                .filter(|(_, own)| **own == model)
                .map(|(name, _)| name)
            {
                let is_of_it = |of: &Value| of.get("of").is_none_or(|of| *of == json!(model));
                if !all.get(name).is_some_and(is_of_it) {
                    let mut of = of.clone();
                    of["of"] = json!(model);
                    all.insert(name.clone(), of);
                }
            }
        }
        all
    }
}

/// Puts what is given over what is assumed, field by field; names of `elsewhere` are passed over.
fn over(
    file: &str,
    what: &str,
    assumed: &mut Map<String, Value>,
    given: Map<String, Value>,
    elsewhere: &Map<String, Value>,
) -> Result<(), Refused> {
    for (name, value) in given {
        // A part of what asks for a group: `GROUP/ANYTHING`, with tags of its own.
        let whole = name
            .rsplit_once('/')
            .filter(|(group, _)| what == "class" && assumed.contains_key(*group));
        if let Some(class) = whole
            .and_then(|(group, _)| assumed.get(group))
            .cloned()
            .filter(|_| !assumed.contains_key(&name))
        {
            assumed.insert(name.clone(), class);
        }
        let Some(before) = assumed.get_mut(&name) else {
            let of_other = |(group, _): (&str, &str)| what == "class" && elsewhere.contains_key(group);
            if elsewhere.contains_key(&name) || name.rsplit_once('/').is_some_and(of_other) {
                continue;
            }
            let near = nearest(&name, assumed.keys().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
            return Err(Refused::whole(
                file,
                format!("the configuration has no {what} `{}`{near}", printable(&name)),
            ));
        };
        match (before, value) {
            // A latency of its own takes the place of a model and the other way round.
            (Value::Object(before), Value::Object(value)) => {
                let ways: [&[&str]; 3] = [&["model", "variant"], &["ttft", "tps", "prefill"], &["response"]];
                if ways
                    .iter()
                    .flat_map(|way| way.iter())
                    .any(|key| value.contains_key(*key))
                {
                    ways.iter()
                        .flat_map(|way| way.iter())
                        .for_each(|key| drop(before.remove(*key)));
                }
                before.extend(value);
            }
            (before, value) => *before = value,
        }
    }
    Ok(())
}

/// The name of a provider's model in price tables; where the file does not tell it, the name that callers ask for.
pub(super) fn model<'a>(member: &'a Member, group: &'a str) -> &'a str {
    let is_reserved = member.price.is_none() && !member.model.is_empty();
    member
        .price
        .as_deref()
        .unwrap_or(if is_reserved { &member.model } else { group })
}

/// The prices of a built-in model as a provider has them.
pub(super) fn built_in(model: &str) -> Option<Value> {
    let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == model)?;
    let file: Value = serde_json::from_str(text).ok()?;
    let variant = file.get("default")?.as_str()?;
    let prices = file.get("variants")?.get(variant)?.get("prices")?;
    Some(json!({ "per_token": prices }))
}

/// What is assumed of a provider, and why.
fn provider(member: &Member, group: &str, table: &Table) -> (Map<String, Value>, String) {
    let mut of = Map::new();
    let price = model(member, group);
    let last = last_name(price);
    let last = last.as_str();
    let fits = |start: &str| last.starts_with(start) && !OTHERS.iter().any(|end| last.contains(end));
    let mut why = Vec::new();
    match MODELS.iter().find(|(start, _)| fits(start)) {
        Some((_, model)) => {
            of.insert("model".to_owned(), json!(model));
            why.push(format!("latency of the built-in model {model}"));
        }
        None => {
            of.insert(
                "ttft".to_owned(),
                json!({ "lognormal": { "median": "600ms", "sigma": 0.5 } }),
            );
            of.insert("tps".to_owned(), json!({ "lognormal": { "median": 60, "sigma": 0.3 } }));
            why.push("600 ms to the first token and 60 tokens a second at the median".to_owned());
        }
    }
    let per_token = |input: String, output: String| json!({ "per_token": { "input": input, "output": output } });
    let prices = match (member.own_price, listed(price, table)) {
        (Some((input, output)), _) => Some(per_token(dollars(input), dollars(output))),
        (None, _) if member.local => Some(per_token("$0/Mtok".to_owned(), "$0/Mtok".to_owned())),
        (None, Some((name, _))) => Some(json!({ "listed": { "model": name } })),
        (None, None) if of.contains_key("model") => None,
        (None, None) => {
            why.push(GUESSED.to_owned());
            Some(invented_price())
        }
    };
    if let Some(prices) = prices {
        of.insert("prices".to_owned(), prices);
    }
    (of, format!("assumed: {}", why.join(", ")))
}
