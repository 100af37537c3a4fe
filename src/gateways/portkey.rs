//! Portkey's gateway configs: a tree of strategies, which is what an experiment's `tree` and `conditional` are.
//!
//! - `loadbalance` draws one target and stays with it; `fallback` goes on after any failure, a 400 too, or after the statuses of
//!   `on_status_codes`; `conditional` names a target. Targets inherit `retry`, `request_timeout` and `cache`, and may say their own.
//! - A retry waits 1, 2, 4, 8, 16 s, without jitter, at the target where it is, on 429, 500, 502, 503, 504 unless `on_status_codes` says
//!   otherwise; `request_timeout` ends at the answer's headers with a 408, which is none of them.
//!
//! All callers ask for the one config: one group, `config`. Each leaf is a provider, called by its names or places from the top.
//!
//! Source: Portkey-AI/gateway 669825cb, `src/middlewares/requestValidator/schema/config.ts`, `src/handlers/handlerUtils.ts`; docs of
//! 2026-08. Left out: configs by reference, guardrails and hooks, `url.pathname` in conditions.

use serde_json::{Map, Value, json};

mod breaker;
mod cache;
mod query;
mod ways;

use super::cache::Cache;
use super::ledger::Verdict::{Approximated as A, Ignored as I, Modelled as M, NotModelled as N};
use super::ledger::{self, Key};
use super::model::{Gateway, Group, Member, Product};
use super::source::Config;
use super::tree::{Node, Place, Value as Is};
use super::warning::{self, Warning};
use super::{spelling, statuses};
use query::{classes, in_words, value};
use ways::{Cost, Costs, FAILURES, Way, chosen, drawn, in_turn, leaf};

/// Portkey as a product that is read.
pub static PRODUCT: Product = Product {
    name: "portkey",
    title: "Portkey",
    held: "held against the running product (retries and their waits, fallbacks) and its source (the rest)",
};

/// What callers ask for.
const ONLY: &str = "config";

/// Keys of a target or of the whole, by their last part.
#[rustfmt::skip]
pub(super) const KEYS: &[(&str, ledger::Verdict, &str)] = &[
    ("strategy.mode", M, "the strategy"),
    ("strategy.on_status_codes", M, "the failures that go on to the next target"),
    ("strategy.conditions", M, "the conditions, in order"),
    ("strategy.default", M, "the target if none is met"),
    ("strategy.cb_config", M, "the breaker; only the hosted gateway has it"),
    ("strategy.sticky", A, "drawn anew for each request"),
    ("sticky", A, "drawn anew for each request"),
    ("retry", M, "retries at a target, its own or inherited"),
    ("request_timeout", A, "the longest wait for the first token, of each target"),
    ("cache", A, "a response cache of the whole config; the share of hits is assumed"),
    ("weight", M, "the weight of the draw"),
    ("name", M, "the target's name"),
    ("provider", M, "the provider"),
    ("virtual_key", M, "tells accounts apart"),
    ("override_params.model", M, "the model"),
    ("override_params.max_tokens", N, "a cap of answers: give its classes an output of at most that"),
    ("override_params.*", I, "goes to the provider with the request"),
    ("config", N, "a config by reference"),
    ("custom_host", I, "an address"),
    ("api_key", I, "a key"),
    ("input_guardrails", I, "adds time before the call, which must be given"),
    ("output_guardrails", I, "adds time after the call, which must be given"),
    ("before_request_hooks", I, "adds time before the call, which must be given"),
    ("after_request_hooks", I, "adds time after the call, which must be given"),
    ("forward_headers", I, "headers are not simulated"),
    ("strict_open_ai_compliance", I, "the form of answers"),
    ("resource_name", I, "an address"),
    ("deployment_id", I, "an address"),
    ("api_version", I, "an address"),
    ("aws_region", I, "an address"),
    ("vertex_region", I, "an address"),
    ("vertex_project_id", I, "an address"),
];

/// How deep targets are looked for in keys.
const DEEPEST: usize = 8;

/// Whether the first document has this product's keys.
pub(super) fn fits(config: &Config) -> bool {
    let root = config.first();
    root.is_some_and(|root| {
        root.find("strategy.mode").is_some()
            || (root.get("targets").is_some_and(Node::is_list) || root.get("virtual_key").is_some())
    })
}

/// What holds at a place of the tree, its own or inherited.
#[derive(Clone, Default)]
struct Rules {
    attempts: u64,
    codes: Option<Vec<u64>>,
    header: bool,
    /// The timeout in milliseconds.
    timeout: Option<f64>,
}

/// The modes of a strategy.
const MODES: [&str; 4] = ["single", "loadbalance", "fallback", "conditional"];

/// The statuses that are tried again by default.
const RETRIED: [u64; 5] = [429, 500, 502, 503, 504];

struct Reading {
    members: Vec<Member>,
    warnings: Vec<Warning>,
    left_out: Vec<String>,
    /// Retries and timeouts that targets have of their own.
    own: Map<String, Value>,
    /// What holds for the whole config.
    root: Rules,
    breaker: Option<Value>,
    breaker_at: Option<Place>,
    /// The first `cache` of the config.
    cache: Option<Cache>,
    /// Whether the place that is read is a target of a fallback, and not the last one.
    below_fallback: bool,
}

/// Makes a gateway of a config.
pub(super) fn read(config: &Config) -> Gateway {
    let nothing = Node {
        at: Place::default(),
        value: Is::Map(Vec::new()),
    };
    let root = config.first().unwrap_or(&nothing);
    let mut reading = Reading {
        members: Vec::new(),
        warnings: Vec::new(),
        left_out: Vec::new(),
        own: Map::new(),
        root: Rules::default().under(root),
        breaker: None,
        breaker_at: None,
        cache: None,
        below_fallback: false,
    };
    let rules = Rules::default().under(root);
    let found = reading.place(root, "", &rules);
    let (policy, ways) = found.unwrap_or((Value::Null, Vec::new()));
    // A provider alone is not a policy.
    let policy = match policy.as_str() {
        Some(name) => json!({ "single": { "provider": name } }),
        None => whole(policy),
    };
    reading.of_whole(root, &rules);
    let mut client = Map::new();
    client.insert("retry".to_owned(), rules.retry());
    if let Some(breaker) = &reading.breaker {
        client.insert("breaker".to_owned(), breaker.clone());
    }
    if let Some(timeout) = rules.timeout {
        client.insert("timeouts".to_owned(), json!({ "ttft": format!("{}s", timeout / 1e3) }));
    }
    let costs = ways::most(&ways);
    let worst = costs.iter().map(|cost| cost.attempts).max().unwrap_or(0);
    let mut facts = Map::new();
    if !reading.own.is_empty() {
        facts.insert("of_targets".to_owned(), Value::Object(reading.own));
    }
    let classes = classes(root);
    if !classes.is_empty() {
        facts.insert("classes".to_owned(), Value::Object(classes));
    }
    let group = Group {
        name: ONLY.to_owned(),
        at: root.at,
        cases: ways::cases(&ways),
        policy,
        chain: vec![ONLY.to_owned()],
        worst_attempts: worst,
        worst_seconds: costs.iter().map(|cost| cost.seconds).fold(0.0, f64::max),
        members: reading.members,
        ..Group::default()
    };
    let mut ask = vec![
        "arrivals and tokens".to_owned(),
        "the tags and max_tokens that conditions look at, by class".to_owned(),
    ];
    if group.members.iter().any(|member| member.price.is_none()) {
        ask.push("the model asked for, where a target has none".to_owned());
    }
    if reading.cache.is_some() {
        ask.push("hit share of the cache".to_owned());
    }
    warning::sort(&mut reading.warnings);
    let table = keys();
    let table: Vec<Key<'_>> = table
        .iter()
        .map(|(path, verdict, how)| (path.as_str(), *verdict, *how))
        .collect();
    Gateway {
        product: &PRODUCT,
        version: "gateway 669825cb, docs 2026-08".to_owned(),
        files: config.files.clone(),
        ledger: ledger::of(root, &table),
        groups: vec![group],
        aliases: Vec::new(),
        client,
        facts,
        cache: reading.cache,
        replicas: 1,
        warnings: reading.warnings,
        limits: Vec::new(),
        left_out: reading.left_out,
        ask,
    }
}

/// The table of keys at every depth.
fn keys() -> Vec<(String, ledger::Verdict, &'static str)> {
    let at = |depth: usize| {
        let before = "targets[].".repeat(depth);
        KEYS.iter()
            .map(move |(key, verdict, how)| (format!("{before}{key}"), *verdict, *how))
    };
    (0..DEEPEST).flat_map(at).collect()
}

/// A strategy as a policy.
fn whole(policy: Value) -> Value {
    match policy.get("fallback").or(policy.get("loadbalance")) {
        Some(_) => json!({ "tree": policy }),
        None => policy,
    }
}

impl Rules {
    /// These rules with what `node` says of its own.
    fn under(&self, node: &Node) -> Rules {
        let mut rules = self.clone();
        if let Some(retry) = node.get("retry") {
            rules.attempts = retry.count_of("attempts").unwrap_or(0).min(10_000);
            rules.codes = retry.get("on_status_codes").map(codes);
            rules.header = retry.flag("use_retry_after_header");
        }
        rules.timeout = node.number_of("request_timeout").or(rules.timeout);
        rules
    }

    fn retry(&self) -> Value {
        if self.attempts == 0 {
            return json!("never");
        }
        let mut of = Map::new();
        of.insert("attempts".to_owned(), json!(self.attempts));
        if let Some(codes) = &self.codes {
            of.insert("on_status_codes".to_owned(), json!(statuses::all(codes)));
        }
        if self.header {
            of.insert("use_retry_after_header".to_owned(), json!(true));
        }
        json!({ "portkey": of })
    }

    /// What a leaf costs that fails with `code` at every try.
    fn cost(&self, code: u64) -> Cost {
        let retried = self.codes.as_deref().unwrap_or(&RETRIED).contains(&code);
        let retries = if retried { self.attempts } else { 0 };
        let waits: f64 = (0..retries.min(20)).map(|k| libm::exp2(k as f64)).sum();
        let hangs = if code == 408 {
            self.timeout.unwrap_or(f64::INFINITY) / 1e3
        } else {
            0.0
        };
        Cost {
            attempts: retries + 1,
            seconds: waits + hangs * (retries + 1) as f64,
        }
    }
}

fn codes(node: &Node) -> Vec<u64> {
    node.items()
        .iter()
        .filter_map(Node::number)
        .map(|code| code as u64)
        .collect()
}

/// A part of an experiment, and the ways of a request through it.
type Found = (Value, Vec<Way>);

impl Reading {
    fn warn(&mut self, code: &str, subject: &str, at: Place) {
        self.warnings.push(Warning::new(code, subject, Some(at)));
    }

    /// What stands at a place: a node of a `tree`, a policy, or a provider's name; nothing if it is left out.
    fn place(&mut self, node: &Node, path: &str, above: &Rules) -> Option<Found> {
        let rules = if path.is_empty() {
            above.clone()
        } else {
            above.under(node)
        };
        self.cache(node);
        if let Some(entry) = node.entry("cb_config") {
            let subject = match path {
                "" => "cb_config".to_owned(),
                path => format!("{path}.cb_config"),
            };
            let warning = Warning::new("wrong-section", subject, Some(entry.at));
            self.warnings.push(warning.saying("`strategy` has it"));
        }
        if node.get("targets").is_some() || node.get("strategy").is_some() {
            return self.strategy(node, path, &rules);
        }
        self.leaf(node, path, &rules)
    }

    fn strategy(&mut self, node: &Node, path: &str, rules: &Rules) -> Option<Found> {
        let strategy = node.get("strategy");
        let mode = strategy.and_then(|s| s.text_of("mode")).unwrap_or("single");
        let at = strategy.map_or(node.at, |s| s.at);
        if let Some(entry) = strategy.and_then(|s| s.entry("mode")) {
            self.warnings
                .extend(spelling::of_value("strategy.mode", entry, mode, &MODES));
        }
        if let Some(breaker) = strategy.and_then(|s| s.get("cb_config")) {
            self.breaker = Some(breaker::of(breaker));
            self.breaker_at = Some(breaker.at);
        }
        let items = node.get("targets").map_or(&[][..], Node::items);
        let mut found: Vec<(String, f64, Found)> = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let own = item.text_of("name").map_or_else(|| number.to_string(), str::to_owned);
            let inner = match path {
                "" => own.clone(),
                path => format!("{path}.{own}"),
            };
            let weight = item.number_of("weight").unwrap_or(1.0);
            if let Some(entry) = item.entry("weight")
                && mode == "loadbalance"
                && weight <= 0.0
            {
                self.warn("weight-0", &inner, entry.at);
            }
            let outside = self.below_fallback;
            self.below_fallback |= mode == "fallback" && number + 1 < items.len();
            if let Some(place) = self.place(item, &inner, rules) {
                found.push((own, weight, place));
            }
            self.below_fallback = outside;
        }
        if found.is_empty() {
            return None;
        }
        let name = if path.is_empty() { ONLY } else { path };
        match mode {
            "loadbalance" => {
                // Below a fallback the request goes on to the next target there.
                if !self.below_fallback {
                    self.warn("loadbalance-has-no-failover", name, at);
                }
                let target = |(_, weight, (place, _)): &(String, f64, Found)| match place.as_str() {
                    Some(provider) => json!({ "provider": provider, "weight": weight }),
                    None => {
                        let mut place = place.as_object().cloned().unwrap_or_default();
                        place.insert("weight".to_owned(), json!(weight));
                        Value::Object(place)
                    }
                };
                let targets: Vec<Value> = found.iter().map(target).collect();
                let of = json!({ "loadbalance": { "targets": targets } });
                let ways = found.into_iter().map(|(_, weight, (_, ways))| (weight, ways));
                Some((of, drawn(ways.collect())))
            }
            "fallback" => {
                let on = strategy.and_then(|s| s.get("on_status_codes")).map(codes);
                if on.is_none() {
                    self.warn("falls-back-on-400", name, at);
                }
                let targets: Vec<&Value> = found.iter().map(|(.., (place, _))| place).collect();
                let mut of = json!({ "targets": targets });
                if let Some(on) = &on {
                    of["on"] = json!(statuses::all(on));
                }
                let goes_on = |code: u64| on.as_ref().is_none_or(|on| on.contains(&code));
                let ways = found.into_iter().map(|(.., (_, ways))| ways);
                Some((json!({ "fallback": of }), in_turn(ways.collect(), goes_on)))
            }
            "conditional" => Some(self.conditional(strategy?, &found)),
            _ => found.into_iter().next().map(|(.., place)| place),
        }
    }

    fn conditional(&mut self, strategy: &Node, found: &[(String, f64, Found)]) -> Found {
        let mut policy = |name: Option<&Node>| -> Option<Value> {
            let named = name?;
            let target = found.iter().find(|(own, ..)| named.text() == Some(own));
            let Some((.., (place, _))) = target else {
                self.warnings.push(Warning::new(
                    "undefined-target",
                    named.text().unwrap_or(""),
                    Some(named.at),
                ));
                return None;
            };
            Some(match place.as_str() {
                Some(provider) => json!({ "single": { "provider": provider } }),
                None => whole(place.clone()),
            })
        };
        let items = strategy.get("conditions").map_or(&[][..], Node::items);
        let conditions: Vec<Value> = items
            .iter()
            .filter_map(|item| Some(json!({ "when": value(item.get("query")?), "then": policy(item.get("then"))? })))
            .collect();
        let mut of = json!({ "conditions": conditions });
        if let Some(default) = policy(strategy.get("default")) {
            of["default"] = default;
        }
        (json!({ "conditional": of }), chosen(by_target(strategy, found)))
    }

    fn leaf(&mut self, node: &Node, path: &str, rules: &Rules) -> Option<Found> {
        let name = if path.is_empty() { ONLY } else { path }.to_owned();
        if let Some(reference) = node.entry("config") {
            let named = reference.value.text().unwrap_or("").to_owned();
            self.warn("config-by-reference", &named, reference.at);
            self.left_out.push(format!("{named} (a config by reference)"));
            return None;
        }
        let provider = node.text_of("provider");
        let key = node.text_of("virtual_key");
        if let Some(entry) = node.entry("virtual_key") {
            self.warn("secret-reference", "virtual_key", entry.at);
        }
        if let Some(entry) = node
            .entry("provider")
            .filter(|e| e.value.text().is_some_and(|text| text.starts_with('@')))
        {
            self.warn("provider-integration", provider.unwrap_or(""), entry.at);
        }
        if let Some(entry) = node.entry("api_key").filter(|e| {
            e.value
                .text()
                .is_some_and(|t| !t.starts_with(['$', '{']) && t.len() >= 8)
        }) {
            self.warn("secret-in-file", &format!("{name}.api_key"), entry.at);
        }
        let model = node.find("override_params.model").and_then(Node::text);
        if model.is_none() {
            self.warn("no-model", key.unwrap_or(&name), node.at);
        }
        let mut own = Map::new();
        if rules.retry() != self.root.retry() {
            own.insert("retry".to_owned(), rules.retry());
        }
        if let Some(timeout) = rules.timeout.filter(|_| rules.timeout != self.root.timeout) {
            own.insert("timeouts".to_owned(), json!({ "ttft": format!("{}s", timeout / 1e3) }));
        }
        if !own.is_empty() {
            self.own.insert(name.clone(), Value::Object(own));
        }
        let member = Member {
            name: name.clone(),
            at: node.at,
            model: [provider, model].into_iter().flatten().collect::<Vec<_>>().join(" "),
            price: model.map(str::to_owned),
            account: key.or(provider.filter(|p| p.starts_with('@'))).map(str::to_owned),
            timeout: rules.timeout.map(|ms| ms / 1e3),
            ..Member::default()
        };
        self.members.push(member);
        let costs: Costs = FAILURES.map(|code| rules.cost(code));
        let ways = leaf(&name, costs);
        Some((json!(name), ways))
    }

    fn of_whole(&mut self, root: &Node, rules: &Rules) {
        if let Some(entry) = root.entry("request_timeout") {
            self.warn("request_timeout-ends-at-headers", "", entry.at);
        }
        if let Some(entry) = root
            .find("retry")
            .and_then(|retry| retry.entry("use_retry_after_header"))
            && rules.header
        {
            self.warn("use_retry_after_header-needs-a-patch", "", entry.at);
        }
        if rules.timeout.is_none() && !self.members.is_empty() && self.members.iter().all(|m| m.timeout.is_none()) {
            self.warn("no-timeout", "", root.at);
        }
        if let Some(at) = self.breaker_at {
            self.warn("breaker-needs-the-hosted-gateway", "", at);
        }
    }
}

/// The ways of each target that a condition names, or the default, with the words of those that lead to it.
fn by_target(strategy: &Node, found: &[(String, f64, Found)]) -> Vec<(Vec<String>, Vec<Way>)> {
    let items = strategy.get("conditions").map_or(&[][..], Node::items);
    let said = |item: &Node| {
        let words = item
            .get("query")
            .map_or_else(|| "always".to_owned(), |query| format!("where {}", in_words(query)));
        Some((item.text_of("then")?.to_owned(), words))
    };
    let default = strategy
        .text_of("default")
        .map(|name| (name.to_owned(), "otherwise".to_owned()));
    let mut all: Vec<(&String, Vec<String>, &Vec<Way>)> = Vec::new();
    for (name, words) in items.iter().filter_map(said).chain(default) {
        let known = all.iter_mut().find(|(own, ..)| **own == name);
        let target = found.iter().find(|(own, ..)| *own == name);
        match (known, target) {
            (Some((_, said, _)), _) => said.push(words),
            (None, Some((own, _, (_, ways)))) => all.push((own, vec![words], ways)),
            (None, None) => {}
        }
    }
    all.into_iter().map(|(_, said, ways)| (said, ways.clone())).collect()
}
