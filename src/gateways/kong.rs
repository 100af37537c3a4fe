//! Kong's `ai-proxy-advanced` in a decK file: targets and the balancer among them.
//!
//! - `retries` (5) more tries follow without waiting, the next target by the balancer, after the failures of `failover_criteria`
//!   (error, timeout). A request to an LLM is a POST: without `non_idempotent` among them it is tried once.
//! - `max_fails` 0 means that there is none; else a target that failed so often in `fail_timeout` (10 s) is left out as long.
//! - Timeouts of 60 s: to connect, and between two reads, which bounds the first token and each further one.
//! - Rate limits by tokens count when the answer ends.
//!
//! A proxy is a group, for the routes at which no other is nearer (`places`); one of several has its retries, breaker and timeouts for
//! itself. The plain `ai-proxy` has one target and no balancer: one try, and timeouts of 60 s.
//!
//! Source: schema 3.15 of ai-proxy-advanced and ai-rate-limiting-advanced; the balancer's ancestor in Kong/kong 22246ef. Left out:
//! KongPlugin resources, plugins of consumers, accuracy by a judge.

use serde_json::{Map, Value, json};

mod cases;
mod limits;
mod places;

use super::cache::Cache;
use super::ledger::Verdict::{Approximated as A, Ignored as I, Modelled as M, NotModelled as N};
use super::ledger::{self, Key};
use super::model::{Gateway, Group, Member, Product};
use super::source::Config;
use super::spelling;
use super::tree::{Node, Place};
use super::warning::{self, Warning};
use crate::form::object;
use crate::stats::sorting;
use cases::Balancer;
use limits::{identity, limiters};
use places::{Places, Proxy};

/// Kong AI Gateway as a product that is read.
pub static PRODUCT: Product = Product {
    name: "kong",
    title: "Kong AI Gateway",
    held: "from source (schema 3.15; the balancer of Kong 22246ef)",
};

#[rustfmt::skip]
pub(super) const KEYS: &[Key<'static>] = &[
    ("_format_version", I, "the form"),
    ("consumers", A, "the callers, in equal shares unless they are given"),
    ("plugins[].name", M, "the plugin"),
    ("plugins[].service", M, "where the plugin holds"),
    ("plugins[].route", M, "where the plugin holds"),
    ("plugins[].consumer", N, "a plugin of some callers"),
    ("plugins[].enabled", M, "whether it is on"),
    ("plugins[].config.balancer.algorithm", M, "the policy"),
    ("plugins[].config.balancer.retries", M, "further tries"),
    ("plugins[].config.balancer.failover_criteria", M, "what is tried again"),
    ("plugins[].config.balancer.max_fails", M, "the breaker"),
    ("plugins[].config.balancer.fail_timeout", M, "the breaker"),
    ("plugins[].config.balancer.connect_timeout", M, "the longest wait for a connection"),
    ("plugins[].config.balancer.read_timeout", A, "the longest wait for the first token and for each further one"),
    ("plugins[].config.balancer.write_timeout", I, "requests are small"),
    ("plugins[].config.balancer.tokens_count_strategy", M, "what the usage is"),
    ("plugins[].config.balancer.latency_strategy", A, "times of the whole answer"),
    ("plugins[].config.balancer.hash_on_header", A, "by user"),
    ("plugins[].config.balancer.slots", I, "the size of the ring"),
    ("plugins[].config.targets[].weight", M, "the weight"),
    ("plugins[].config.targets[].route_type", M, "what is no chat is left out"),
    ("plugins[].config.targets[].auth", I, "a key"),
    ("plugins[].config.targets[].model.provider", M, "the provider"),
    ("plugins[].config.targets[].model.name", M, "the model"),
    ("plugins[].config.targets[].model.options.input_cost", M, "the price of a million tokens"),
    ("plugins[].config.targets[].model.options.output_cost", M, "the price of a million tokens"),
    ("plugins[].config.targets[].model.options.max_tokens", N, "a cap of answers: give its classes an output of at most that"),
    ("plugins[].config.targets[].model.options.*", I, "an address or a parameter"),
    ("plugins[].config.targets[].*", I, "a description or a log"),
    ("plugins[].config.route_type", M, "what is no chat is left out"),
    ("plugins[].config.auth", I, "a key"),
    ("plugins[].config.logging", I, "a log"),
    ("plugins[].config.model.provider", M, "the provider of an ai-proxy"),
    ("plugins[].config.model.name", M, "the model of an ai-proxy"),
    ("plugins[].config.model.options.input_cost", M, "the price of a million tokens"),
    ("plugins[].config.model.options.output_cost", M, "the price of a million tokens"),
    ("plugins[].config.model.options.max_tokens", N, "a cap of answers: give its classes an output of at most that"),
    ("plugins[].config.model.options.*", I, "an address or a parameter"),
    ("plugins[].config.embeddings", A, "by meaning: shares must be given"),
    ("plugins[].config.vectordb", A, "by meaning: shares must be given"),
    ("plugins[].config.llm_providers", A, "a limiter of all models, for each that the identifier tells apart"),
    ("plugins[].config.identifier", M, "what has a limiter each, as a tag; a service or a path is one for all"),
    ("plugins[].config.window_type", M, "the limiter's window"),
    ("plugins[].config.strategy", I, "where counts are kept; here all nodes count together"),
    ("plugins[].config.tokens_count_strategy", M, "what the limiter counts"),
    ("plugins[].config.cache_ttl", A, "how long answers live, where prompts are kept; else in the share of hits"),
    ("plugins[].config.exact_caching", A, "in the share of hits"),
    ("plugins[].config.message_countback", A, "in the share of hits"),
    ("plugins[].config.ignore_system_prompts", A, "in the share of hits"),
    ("plugins[].config.ignore_assistant_prompts", A, "in the share of hits"),
    ("plugins[].config.ignore_tool_prompts", A, "in the share of hits"),
    ("plugins[].config.cache_control", I, "what callers say of single requests"),
    ("plugins[].config.stop_on_failure", I, "a vector database that fails"),
    ("plugins[].config.*", N, ""),
    ("services[].routes[].*", I, "where requests come in"),
    ("services[].*", I, "where requests come in"),
    ("routes[].*", I, "where requests come in"),
];

/// Where plugins stand.
const HOLDERS: [&str; 4] = ["", "services[].", "services[].routes[].", "routes[]."];

/// The table of keys at every place where plugins stand.
fn keys() -> Vec<(String, ledger::Verdict, &'static str)> {
    let row = |holder: &str, (key, verdict, how): &Key<'static>| (format!("{holder}{key}"), *verdict, *how);
    let (inside, rest): (Vec<_>, Vec<_>) = KEYS.iter().partition(|(key, ..)| key.starts_with("plugins[]"));
    let at = HOLDERS
        .iter()
        .flat_map(|holder| inside.iter().map(|of| row(holder, of)));
    at.chain(rest.iter().map(|of| row("", of))).collect()
}

/// What may fail over, and the outcomes that it is.
const CRITERIA: &[(&str, &[&str])] = &[
    ("error", &["connection_error"]),
    ("timeout", &["timeout_connect", "timeout_ttft"]),
    ("http_403", &["403"]),
    ("http_404", &["404"]),
    ("http_429", &["429"]),
    ("http_500", &["500"]),
    ("http_502", &["502"]),
    ("http_503", &["503"]),
    ("http_504", &["504"]),
];

/// How long ai-semantic-cache keeps an answer unless it is told, in seconds.
const CACHE_TTL: f64 = 300.0;

/// Plugins that refuse, bound or answer requests before a proxy has them, and that are not read.
const BOUNDING: &[&str] = &[
    "rate-limiting",
    "rate-limiting-advanced",
    "response-ratelimiting",
    "service-protection",
    "request-termination",
    "proxy-cache",
    "proxy-cache-advanced",
];

/// Routes that are simulated.
const TEXT: &[&str] = &["llm/v1/chat", "llm/v1/completions", "llm/v1/responses"];

/// Whether the first document has this product's keys.
pub(super) fn fits(config: &Config) -> bool {
    config.first().is_some_and(|root| {
        let plugins = root.get("plugins").map_or(&[][..], Node::items);
        let named = |plugin: &Node| plugin.text_of("name").is_some_and(|name| name.starts_with("ai-"));
        root.get("_format_version").is_some() || plugins.iter().any(named)
    })
}

/// A proxy as it is read: its group, and what it says of its client.
struct Read {
    group: Group,
    client: Map<String, Value>,
}

/// Makes a gateway of a file.
pub(super) fn read(config: &Config) -> Gateway {
    let nothing = Node {
        at: Place::default(),
        value: super::tree::Value::Map(Vec::new()),
    };
    let root = config.first().unwrap_or(&nothing);
    let places = Places::of(root);
    let (proxies, idle) = places.proxies();
    let mut warnings = Vec::new();
    let mut left_out: Vec<String> = places
        .of_consumers
        .iter()
        .map(|(at, consumer)| format!("the proxy of line {} (for {consumer} alone)", at.line))
        .collect();
    for plugin in idle {
        let subject = format!(
            "{} of line {}",
            plugin.text_of("name").unwrap_or("plugin"),
            plugin.at.line
        );
        let what = "another one is nearer at every route";
        warnings.push(Warning::new("no-effect", subject, Some(plugin.at)).saying(what));
    }
    let mut members: Vec<Member> = Vec::new();
    let mut read: Vec<Read> = Vec::new();
    let several = proxies.len() > 1;
    for proxy in &proxies {
        let mut name = if several {
            proxy.called.join("|")
        } else {
            "ai-proxy".to_owned()
        };
        while read.iter().any(|of| of.group.name == name) {
            name += "'";
        }
        let of = one(proxy, name, &members, &mut warnings, &mut left_out);
        members.extend(of.group.members.iter().cloned());
        read.push(of);
    }
    let mut client = Map::new();
    if let [of] = &mut read[..] {
        client = std::mem::take(&mut of.client);
    }
    let mut of_all: Vec<Value> = Vec::new();
    let mut of_all_said = Vec::new();
    for (proxy, of) in proxies.iter().zip(&mut read) {
        let Some((plugin, global)) = places.beside(proxy, "ai-rate-limiting-advanced") else {
            continue;
        };
        let Some(limits) = plugin.get("config") else { continue };
        let each: Vec<Value> = match identity(limits) {
            Some(per) => limiters(limits)
                .into_iter()
                .map(|limiter| json!({ "each": { "per": per, "limiter": limiter } }))
                .collect(),
            None => limiters(limits),
        };
        let said = limits::said(limits);
        if (global || !several) && of_all.is_empty() {
            (of_all, of_all_said) = (each, said);
        } else if !global && several && !each.is_empty() {
            of.group.settings.insert("limiters".to_owned(), json!(each));
            of.group.limits = said;
        }
    }
    if !of_all.is_empty() {
        client.insert("limiters".to_owned(), json!(of_all));
        // What is over a limit is refused, and does not wait.
        client.insert("admission".to_owned(), json!({ "queue": { "capacity": 0 } }));
    }
    let groups: Vec<Group> = read
        .into_iter()
        .map(|Read { mut group, client }| {
            if !client.is_empty() {
                group.settings.insert("client".to_owned(), Value::Object(client));
            }
            group
        })
        .collect();
    let cache = places.any("ai-semantic-cache").and_then(|plugin| plugin.get("config"));
    let cache = cache.map(|of| self::cache(of, &mut warnings));
    warnings.dedup();
    warning::sort(&mut warnings);
    let mut facts = Map::new();
    let consumers = consumers(root);
    if !consumers.is_empty() {
        facts.insert("tags".to_owned(), json!({ "consumer": consumers }));
    }
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let table = keys();
    let table: Vec<Key<'_>> = table
        .iter()
        .map(|(path, verdict, how)| (path.as_str(), *verdict, *how))
        .collect();
    let mut ledger = ledger::of(root, &table);
    bounded(&places, &mut ledger, &mut warnings);
    warning::sort(&mut warnings);
    Gateway {
        product: &PRODUCT,
        version: "ai-proxy-advanced 3.15".to_owned(),
        files: config.files.clone(),
        ask: vec![
            "arrivals and tokens".to_owned(),
            format!("latency of {}", names.join(", ")),
            "consumers and their shares".to_owned(),
        ],
        groups,
        aliases: Vec::new(),
        client,
        facts,
        cache,
        replicas: 1,
        warnings,
        limits: of_all_said,
        ledger,
        left_out,
    }
}

/// Warns of plugins that bound or answer requests before any proxy has them, and says it of their keys.
fn bounded(places: &Places<'_>, ledger: &mut [ledger::Row], warnings: &mut Vec<Warning>) {
    for plugin in places.all(BOUNDING) {
        let name = plugin.text_of("name").unwrap_or("plugin");
        warnings.push(Warning::new("plugin-is-not-simulated", name, Some(plugin.at)));
        let config = plugin.get("config").map_or(&[][..], Node::entries);
        let mut first = true;
        for entry in config {
            let end = format!("config.{}", ledger::step(&entry.key));
            let is_own = |row: &&mut ledger::Row| {
                row.at == entry.at && row.verdict == N && row.how.is_empty() && row.shape.ends_with(&end)
            };
            if let Some(row) = ledger.iter_mut().find(is_own) {
                row.how = match first {
                    true => format!("the plugin {name} bounds requests"),
                    false => "as the plugin has it".to_owned(),
                };
                first = false;
            }
        }
    }
}

/// The group of a proxy, and what it says of its client; `before` are the members of those before it.
fn one(
    proxy: &Proxy<'_>,
    name: String,
    before: &[Member],
    warnings: &mut Vec<Warning>,
    left_out: &mut Vec<String>,
) -> Read {
    let nothing = Node {
        at: proxy.plugin.at,
        value: super::tree::Value::Map(Vec::new()),
    };
    let config = proxy.plugin.get("config").unwrap_or(&nothing);
    let plain = proxy.plugin.text_of("name") == Some("ai-proxy");
    let balancer = config.get("balancer").filter(|_| !plain).unwrap_or(&nothing);
    // A plain proxy is its own target.
    let targets = if plain {
        std::slice::from_ref(config)
    } else {
        config.get("targets").map_or(&[][..], Node::items)
    };
    let mut members: Vec<Member> = Vec::new();
    let mut weights = Map::new();
    for (number, target) in targets.iter().enumerate() {
        if let Some(other) = target.text_of("route_type").filter(|route| !TEXT.contains(route)) {
            let what = if plain {
                name.clone()
            } else {
                format!("targets[{number}]")
            };
            left_out.push(format!("{what} (route_type {})", other.trim_start_matches("llm/v1/")));
            continue;
        }
        let known: Vec<&str> = before
            .iter()
            .chain(&members)
            .map(|member| member.name.as_str())
            .collect();
        let member = member(target, &known, warnings);
        weights.insert(member.name.clone(), json!(target.count_of("weight").unwrap_or(100)));
        members.push(member);
    }
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let policy = policy(balancer, &names, &weights);
    let given = balancer.get("failover_criteria");
    let criteria = given.map_or_else(|| vec!["error", "timeout"], Node::texts);
    let posts = criteria.contains(&"non_idempotent") && !plain;
    let retries = if posts {
        balancer.count_of("retries").unwrap_or(5).min(10_000)
    } else {
        0
    };
    if !plain {
        doubts(config, balancer, &criteria, warnings);
    }
    let on: Vec<Value> = CRITERIA
        .iter()
        .filter(|(name, _)| criteria.contains(name))
        .flat_map(|(_, outcomes)| outcomes.iter())
        .map(|outcome| {
            outcome
                .parse::<u64>()
                .map_or_else(|_| json!(outcome), |code| json!(code))
        })
        .collect();
    let mut client = Map::new();
    let retry = match retries {
        0 => json!("never"),
        n => json!({ "fixed": { "tries": n + 1, "wait": "0s", "on": on } }),
    };
    client.insert("retry".to_owned(), retry);
    let fails = balancer.count_of("max_fails").filter(|fails| *fails > 0);
    let out = balancer.number_of("fail_timeout").unwrap_or(10_000.0) / 1e3;
    if let Some(fails) = fails {
        client.insert(
            "breaker".to_owned(),
            json!({ "kong": { "max_fails": fails, "fail_timeout": format!("{out}s") } }),
        );
    }
    let of = |key: &str| balancer.number_of(key).unwrap_or(60_000.0) / 1e3;
    let (connect, reads) = (of("connect_timeout"), of("read_timeout"));
    client.insert(
        "timeouts".to_owned(),
        json!({ "connect": format!("{connect}s"), "ttft": format!("{reads}s"), "idle": format!("{reads}s") }),
    );
    let algorithm = balancer.text_of("algorithm").unwrap_or("round-robin");
    // Those of the heaviest weight are the first level of a balancer by priority.
    let heaviest = weights.values().filter_map(Value::as_u64).max();
    let level = weights.values().filter(|weight| weight.as_u64() == heaviest).count();
    let (cases, worst_attempts, worst_seconds) = Balancer {
        algorithm,
        targets: if algorithm == "priority" { level } else { members.len() },
        retries,
        on: &on,
        reads,
        breaker: fails.map(|fails| (fails, out)),
    }
    .cases();
    let mut through = Vec::new();
    if members.len() > 1 {
        through.push(format!("by {algorithm}"));
    }
    let group = Group {
        chain: vec![name.clone()],
        name,
        at: proxy.plugin.at,
        through,
        policy,
        worst_attempts,
        worst_seconds,
        cases,
        members,
        ..Group::default()
    };
    Read { group, client }
}

/// The cache that goes by meaning.
fn cache(of: &Node, warnings: &mut Vec<Warning>) -> Cache {
    warnings.push(Warning::new("cache-share-unknown", "ai-semantic-cache", Some(of.at)));
    Cache {
        at: of.at,
        semantic: true,
        ttl: Some(of.number_of("cache_ttl").filter(|ttl| *ttl > 0.0).unwrap_or(CACHE_TTL)),
        says: vec![
            "by the meaning of the last `message_countback` messages: a conversation may be given the answer of another",
            "every lookup asks for an embedding first (give its time as `lookup` and the share of `wrong` answers)",
        ],
        ..Cache::default()
    }
}

fn member(target: &Node, before: &[&str], warnings: &mut Vec<Warning>) -> Member {
    let of = |path: &str| target.find(path).and_then(Node::text);
    let provider = of("model.provider").unwrap_or("provider");
    let model = of("model.name").unwrap_or("");
    let mut name = format!(
        "{provider}/{}",
        of("model.options.azure_deployment_id").unwrap_or(model)
    );
    while before.contains(&name.as_str()) {
        name += "'";
    }
    let secret = target
        .find("auth")
        .map_or(&[][..], Node::entries)
        .iter()
        .find(|entry| entry.key.ends_with("value"));
    let account = secret
        .and_then(|entry| Some((entry.at, entry.value.text()?)))
        .map(|(at, text)| {
            if text.contains("${{") {
                warnings.push(Warning::new("deck-env", "", Some(at)));
            } else if text.contains("{vault") {
                warnings.push(Warning::new("vault-reference", "", Some(at)));
            } else {
                warnings.push(Warning::new("secret-in-file", format!("{name} auth"), Some(at)));
                return format!("{provider} by the key of line {}", at.line);
            }
            text.to_owned()
        });
    let cost = |path: &str| target.find(path).and_then(Node::number).map(|dollars| dollars / 1e6);
    Member {
        at: target.at,
        model: format!("{provider}/{model}"),
        price: (!model.is_empty()).then(|| model.to_owned()),
        own_price: cost("model.options.input_cost").zip(cost("model.options.output_cost")),
        account,
        name,
        ..Member::default()
    }
}

fn policy(balancer: &Node, names: &[&str], weights: &Map<String, Value>) -> Value {
    if let [one] = names {
        return json!({ "single": { "provider": one } });
    }
    match balancer.text_of("algorithm").unwrap_or("round-robin") {
        "lowest-usage" => {
            let strategy = balancer
                .text_of("tokens_count_strategy")
                .unwrap_or("total-tokens")
                .replace('-', "_");
            json!({ "kong_usage": { "providers": names, "tokens_count_strategy": strategy } })
        }
        "lowest-latency" => json!({ "kong_latency": { "providers": names, "weights": weights } }),
        "least-connections" => json!({ "kong_least_connections": { "providers": names, "weights": weights } }),
        "consistent-hashing" => json!({ "consistent_hash": { "by": "user", "weights": weights } }),
        "priority" => {
            let mut levels: Vec<(u64, Map<String, Value>)> = Vec::new();
            for (name, weight) in weights {
                let level = weight.as_u64().unwrap_or(0);
                match levels.iter_mut().find(|(of, _)| *of == level) {
                    Some((_, level)) => drop(level.insert(name.clone(), json!(1))),
                    None => levels.push((level, [(name.clone(), json!(1))].into_iter().collect())),
                }
            }
            sorting::by_key(&mut levels, |(level, _)| std::cmp::Reverse(*level));
            json!({ "priority": { "levels": levels.into_iter().map(|(_, of)| of).collect::<Vec<_>>() } })
        }
        _ => json!({ "smooth_round_robin": { "weights": weights } }),
    }
}

/// The algorithms of a balancer.
const ALGORITHMS: [&str; 7] = [
    "round-robin",
    "lowest-latency",
    "lowest-usage",
    "consistent-hashing",
    "least-connections",
    "semantic",
    "priority",
];

/// The criteria of a failover that no failure of a provider is.
const FURTHER: [&str; 2] = ["invalid_header", "non_idempotent"];

fn doubts(proxy: &Node, balancer: &Node, criteria: &[&str], warnings: &mut Vec<Warning>) {
    if let Some((entry, name)) = balancer
        .entry("algorithm")
        .and_then(|entry| Some((entry, entry.value.text()?)))
    {
        warnings.extend(spelling::of_value("balancer.algorithm", entry, name, &ALGORITHMS));
    }
    if let Some(entry) = balancer.entry("failover_criteria") {
        let known: Vec<&'static str> = CRITERIA.iter().map(|(name, _)| *name).chain(FURTHER).collect();
        let unknown = criteria
            .iter()
            .filter_map(|name| spelling::of_value("balancer.failover_criteria", entry, name, &known));
        warnings.extend(unknown);
    }
    let at = balancer.entry("failover_criteria").map_or(proxy.at, |entry| entry.at);
    let code = if criteria.contains(&"non_idempotent") {
        "post-needs-non_idempotent"
    } else {
        "no-non_idempotent"
    };
    warnings.push(Warning::new(code, "", Some(at)));
    let has = |name: &str| criteria.contains(&name);
    let missing: Vec<&str> = ["http_500", "http_502"].into_iter().filter(|name| !has(name)).collect();
    if missing.len() == 2 {
        warnings.push(Warning::new("500-and-502-do-not-fail-over", "", Some(at)));
    }
    if !has("http_429") {
        warnings.push(Warning::new("429-does-not-fail-over", "", Some(at)));
    }
}

/// The consumers of the file, in equal shares.
fn consumers(root: &Node) -> Map<String, Value> {
    let all = root.get("consumers").map_or(&[][..], Node::items).iter();
    let names = all.filter_map(|consumer| consumer.text_of("username").or(consumer.text_of("custom_id")));
    object(names.map(|name| (name.to_owned(), json!(1))))
}
