//! Bifrost's configuration: keys of providers, and virtual keys that share among providers.
//!
//! - A key of a provider is a provider here, drawn by `weight` among those that allow the model; version 2 reads an empty list of
//!   models as none, version 1 as all.
//! - A virtual key is a group for each model that it allows: drawn among its providers by weight, and the provider that was not drawn
//!   comes next. Each makes all of its own retries; the caller is told of the first's failure.
//! - What a virtual key does not allow (`virtual_keys`) goes to no provider; one that is not active makes no group.
//! - A retry waits min(initial × 2ᵏ, max) × U(0.8, 1.2); 500 ms and 5 s by default, with no retries. Timeouts are 30 s, and 120 s between tokens.
//!
//! Source: config.schema.json 003ecc6, `core/schemas/provider.go`. Left out: routing rules in CEL, the enterprise balancer, what a
//! config store holds.

use serde_json::{Map, Value, json};

use super::cache::Cache;
use super::ledger::Verdict::{Approximated as A, Ignored as I, Modelled as M, NotModelled as N};
use super::ledger::{self, Key};
use super::model::{Gateway, Group, Member, Product};
use super::source::Config;
use super::tree::{Entry, Node, Place};
use super::warning::{self, Warning};
use crate::form::object;
use crate::form::units::seconds;
use cases::Part;
use virtual_keys::{allowed, doubts, is_off, may_use, models};

mod cases;
mod limits;
mod virtual_keys;

/// Bifrost as a product that is read.
pub static PRODUCT: Product = Product {
    name: "bifrost",
    title: "Bifrost",
    held: "from source (config.schema.json 003ecc6)",
};

#[rustfmt::skip]
pub(super) const KEYS: &[Key<'static>] = &[
    ("$schema", I, "for editors"),
    ("version", M, "what an empty list of models means"),
    ("client.drop_excess_requests", A, "a full line refuses; without it callers wait for a place in the line"),
    ("client.*", I, "how it runs"),
    ("providers.*.keys[].name", M, "the provider's name"),
    ("providers.*.keys[].weight", M, "the weight of the draw among keys"),
    ("providers.*.keys[].models", M, "which models the key allows"),
    ("providers.*.keys[].aliases", M, "other names of models"),
    ("providers.*.keys[].value", I, "a key"),
    ("providers.*.keys[].*", I, "an address"),
    ("providers.*.network_config.max_retries", M, "retries, of each provider"),
    ("providers.*.network_config.retry_backoff_initial", M, "the back-off, of each provider"),
    ("providers.*.network_config.retry_backoff_max", M, "the back-off, of each provider"),
    ("providers.*.network_config.default_request_timeout_in_seconds", M, "the timeout of an attempt, of each provider"),
    ("providers.*.network_config.stream_idle_timeout_in_seconds", M, "the longest silence in a stream, of each provider"),
    ("providers.*.network_config.*", I, "an address"),
    ("providers.*.concurrency_and_buffer_size", M, "connections and a line of all keys together"),
    ("providers.*.*", N, ""),
    ("governance.virtual_keys[].provider_configs[].provider", M, "the provider"),
    ("governance.virtual_keys[].provider_configs[].weight", M, "the weight of the draw among providers"),
    ("governance.virtual_keys[].provider_configs[].allowed_models", M, "which models may be asked for"),
    ("governance.virtual_keys[].provider_configs[].key_ids", M, "which keys of the provider may be used"),
    ("governance.virtual_keys[].is_active", M, "whether requests with the virtual key are served"),
    ("governance.virtual_keys[].provider_configs[].rate_limit", N, "an exceeded provider leaves routing"),
    ("governance.virtual_keys[].provider_configs[].budget", M, "the virtual key's budget at that provider's keys"),
    ("governance.virtual_keys[].rate_limit", A, "the virtual key's own limits, in windows that begin with their first use"),
    ("governance.virtual_keys[].budget", A, "the virtual key's own budget, in windows of an hour, a day, a week or 30 days"),
    ("governance.virtual_keys[].rate_limit_id", A, "the virtual key's own limits, in windows that begin with their first use"),
    ("governance.virtual_keys[].budget_id", A, "the virtual key's own budget, in windows of an hour, a day, a week or 30 days"),
    ("governance.virtual_keys[].*", I, "a description"),
    ("governance.rate_limits", A, "as the virtual keys that name them have it"),
    ("governance.budgets", A, "as the virtual keys that name them have it"),
    ("governance.teams", N, "limits of teams"),
    ("governance.customers", N, "limits of customers"),
    ("governance.routing_rules", N, "rules in CEL"),
    ("governance.virtual_keys[].provider_configs[].budget_id", N, "an exceeded provider leaves routing"),
    ("governance.virtual_keys[].provider_configs[].*", I, "a description"),
    ("governance.*", I, "not in routing"),
    ("plugins[].name", M, "the plugin"),
    ("plugins[].enabled", M, "whether it is on"),
    ("plugins[].config.ttl", A, "how long answers live, where prompts are kept; else in the share of hits"),
    ("plugins[].config.threshold", A, "in the share of hits, and in that of wrong ones"),
    ("plugins[].config.conversation_history_threshold", A, "in the share of hits"),
    ("plugins[].config.exclude_system_prompt", A, "in the share of hits"),
    ("plugins[].config.default_cache_key", M, "whether requests without a key are looked up"),
    ("plugins[].config.*", I, "where answers are kept"),
    ("plugins[].*", N, ""),
    ("config_store", A, "the database may hold more"),
    ("logs_store", I, "a log"),
    ("vector_store", I, "where answers are kept"),
    ("load_balancer_config", N, "the enterprise balancer"),
];

/// Whether the first document has this product's keys.
pub(super) fn fits(config: &Config) -> bool {
    config.first().is_some_and(|root| {
        let keyed = |entry: &Entry| entry.value.get("keys").is_some_and(Node::is_list);
        root.text_of("$schema").is_some_and(|schema| schema.contains("bifrost"))
            || root
                .get("providers")
                .is_some_and(|providers| providers.entries().iter().any(keyed))
    })
}

/// What holds for the calls of a provider.
struct Network {
    retries: u64,
    initial: f64,
    most: f64,
    timeout: f64,
    idle: f64,
}

impl Network {
    fn of(provider: &Node) -> Network {
        let number = |key: &str, default: f64| {
            provider
                .get("network_config")
                .and_then(|node| node.number_of(key))
                .unwrap_or(default)
        };
        Network {
            retries: number("max_retries", 0.0).clamp(0.0, 10_000.0) as u64,
            initial: number("retry_backoff_initial", 500.0) / 1e3,
            most: number("retry_backoff_max", 5000.0) / 1e3,
            timeout: number("default_request_timeout_in_seconds", 30.0),
            idle: number("stream_idle_timeout_in_seconds", 120.0),
        }
    }

    /// The retry rule as an experiment has it.
    fn retry(&self) -> Value {
        match self.retries {
            0 => json!("never"),
            retries => json!({ "bifrost": {
                "max_retries": retries,
                "retry_backoff_initial": format!("{}ms", self.initial * 1e3),
                "retry_backoff_max": format!("{}s", self.most),
            } }),
        }
    }

    /// The wait after failure `k`, from 0, in the middle of its jitter.
    fn wait(&self, k: u64) -> f64 {
        (self.initial * libm::exp2(k.min(30) as f64)).min(self.most)
    }

    /// All waits of a request that fails at every try, in the middle of their jitter.
    fn waits(&self) -> f64 {
        (0..self.retries).map(|k| self.wait(k)).sum()
    }
}

/// Makes a gateway of a file.
pub(super) fn read(config: &Config) -> Gateway {
    let nothing = Node {
        at: Place::default(),
        value: super::tree::Value::Map(Vec::new()),
    };
    let root = config.first().unwrap_or(&nothing);
    let old = root.count_of("version") == Some(1);
    let providers = root.get("providers").map_or(&[][..], Node::entries);
    let mut warnings = Vec::new();
    let mut groups = Vec::new();
    let mut left_out = Vec::new();
    let (mut budgets, mut key_budgets, mut limiters) = (Vec::new(), Vec::new(), Vec::new());
    for key in root.find("governance.virtual_keys").map_or(&[][..], Node::items) {
        let own = key.text_of("id").or(key.text_of("name")).unwrap_or("virtual key");
        if is_off(key) {
            warnings.push(Warning::new("virtual-key-is-off", own, Some(key.at)));
            left_out.push(format!("{own} (not active)"));
            continue;
        }
        doubts(key, own, old, &mut warnings);
        for model in models(key, old) {
            groups.extend(group(
                &format!("{own} {model}"),
                own,
                &model,
                key,
                providers,
                old,
                &mut warnings,
            ));
        }
        budgets.extend(
            key.get("provider_configs")
                .map_or(&[][..], Node::items)
                .iter()
                .filter_map(|share| {
                    let most = share.find("budget.max_limit")?.number()?;
                    let window = share.find("budget.reset_duration").and_then(Node::text).unwrap_or("1M");
                    if window.ends_with(['M', 'm']) {
                        warnings.push(Warning::new("duration-letters", "", Some(share.at)));
                    }
                    Some((
                        own.to_owned(),
                        share.text_of("provider")?.to_owned(),
                        most,
                        window.to_owned(),
                    ))
                }),
        );
        of_key(root, key, own, &mut limiters, &mut key_budgets);
        let limits = key
            .get("provider_configs")
            .map_or(&[][..], Node::items)
            .iter()
            .filter_map(|share| share.entry("rate_limit"));
        if let Some(limit) = limits.into_iter().next() {
            warnings.push(Warning::new("duration-letters", "", Some(limit.at)));
        }
    }
    let asks_for_keys = ["enforce_auth_on_inference", "enforce_governance_header"];
    let asks_for_keys = root
        .get("client")
        .is_some_and(|client| asks_for_keys.iter().any(|key| client.flag(key)));
    if groups.is_empty() && !asks_for_keys {
        // Without virtual keys callers name provider and model.
        let all = providers.iter().filter_map(|entry| direct(entry, old, &mut warnings));
        groups = all.collect();
    }
    let cache = cache(root, &mut warnings);
    let networks: Vec<Network> = providers.iter().map(|entry| Network::of(&entry.value)).collect();
    let mut client = client(&networks);
    if !limiters.is_empty() {
        client.insert("limiters".to_owned(), json!(limiters));
    }
    warnings.dedup();
    warning::sort(&mut warnings);
    let mut facts = Map::new();
    let is_of = |name: &str, provider: &str| name.split('/').next() == Some(provider);
    let mut names: Vec<String> = Vec::new();
    for member in groups.iter().flat_map(|group: &Group| &group.members) {
        if !names.contains(&member.name) {
            names.push(member.name.clone());
        }
    }
    let of_providers = budgets.into_iter().map(|(own, provider, most, window)| {
        let of: Vec<&String> = names.iter().filter(|name| is_of(name, &provider)).collect();
        json!({ "per": per(&window), "money": format!("${most}"), "providers": of, "each": "key", "of": [own] })
    });
    let budgets: Vec<Value> = of_providers.chain(key_budgets).collect();
    if !budgets.is_empty() {
        facts.insert("budgets".to_owned(), json!(budgets));
    }
    facts.insert("hosts".to_owned(), Value::Object(hosts(providers)));
    let own = of_targets(&names, providers, &client);
    if !own.is_empty() {
        facts.insert("of_targets".to_owned(), Value::Object(own));
    }
    Gateway {
        product: &PRODUCT,
        version: format!("config version {}", if old { "1" } else { "2" }),
        files: config.files.clone(),
        groups,
        aliases: Vec::new(),
        client,
        facts,
        cache,
        replicas: 1,
        warnings,
        limits: limits::of(root),
        ledger: ledger::of(root, KEYS),
        left_out,
        ask: vec![
            "which virtual keys ask, and how much".to_owned(),
            "tokens, and latency of every key".to_owned(),
        ],
    }
}

/// The window of a budget that is nearest to Bifrost's.
fn per(window: &str) -> &'static str {
    match window {
        "1d" | "24h" => "day",
        "1w" | "7d" => "week",
        _ if window.ends_with('h') || window.ends_with('m') => "hour",
        _ => "month",
    }
}

/// What a virtual key has of its own: limits of requests and tokens, counted when the answer is there, and a budget; both in the key or
/// by name in `governance`.
fn of_key(root: &Node, key: &Node, own: &str, limiters: &mut Vec<Value>, budgets: &mut Vec<Value>) {
    let named = |list: &str, id: &str| {
        let wanted = key.text_of(id)?;
        let all = root.find(list).map_or(&[][..], Node::items);
        all.iter().find(|of| of.text_of("id") == Some(wanted))
    };
    let limits = key
        .get("rate_limit")
        .or_else(|| named("governance.rate_limits", "rate_limit_id"));
    for (unit, most, window) in [
        ("requests", "request_max_limit", "request_reset_duration"),
        ("tokens", "token_max_limit", "token_reset_duration"),
    ] {
        let Some(limit) = limits.and_then(|limits| limits.count_of(most)) else {
            continue;
        };
        let window = limits.and_then(|limits| limits.text_of(window)).unwrap_or("1m");
        limiters.push(
            json!({ "each": { "per": "key", "of": [own], "limiter": { "fixed_window": {
            "unit": unit, "limit": limit, "window": in_days(window), "begins": "first_use", "charge": { "at": "end" },
        } } } }),
        );
    }
    let budget = key.get("budget").or_else(|| named("governance.budgets", "budget_id"));
    if let Some(most) = budget.and_then(|budget| budget.number_of("max_limit")) {
        let window = budget
            .and_then(|budget| budget.text_of("reset_duration"))
            .unwrap_or("1M");
        budgets.push(json!({ "per": per(window), "money": format!("${most}"), "each": "key", "of": [own] }));
    }
}

/// A window as an experiment writes it: months have 30 days, and weeks seven.
fn in_days(window: &str) -> String {
    let days = |of: &str, each: u64| of.parse::<u64>().ok().map(|n| format!("{}d", n * each));
    let long = window.strip_suffix('M').and_then(|n| days(n, 30));
    long.or_else(|| window.strip_suffix('w').and_then(|n| days(n, 7)))
        .unwrap_or_else(|| window.to_owned())
}

/// How long the cache keeps an answer unless it is told, in seconds.
const CACHE_TTL: f64 = 300.0;

/// The response cache, if its plugin is on.
fn cache(root: &Node, warnings: &mut Vec<Warning>) -> Option<Cache> {
    let plugins = root.get("plugins").map_or(&[][..], Node::items);
    let plugin = plugins
        .iter()
        .find(|plugin| plugin.text_of("name") == Some("semantic_cache") && plugin.flag("enabled"))?;
    let of = |key: &str| plugin.get("config").and_then(|config| config.get(key));
    if of("default_cache_key").is_none() {
        warnings.push(Warning::new("cache-needs-a-key", "", Some(plugin.at)));
    }
    // Without anything that makes embeddings it goes by hashes alone.
    let semantic = ["provider", "embedding_model"].iter().any(|key| of(key).is_some());
    let kind = if semantic {
        "semantic_cache"
    } else {
        "semantic_cache, exact"
    };
    warnings.push(Warning::new("cache-share-unknown", kind, Some(plugin.at)));
    let mut says = vec![
        "an answer is found by provider and model too: what a fallback answered is kept under the fallback's",
        "a conversation of more than `conversation_history_threshold` messages (3) is not looked up",
    ];
    if semantic {
        says.push(
            "by meaning where no prompt is the same; every such lookup asks for an embedding first (give its time as `lookup` and the share \
             of `wrong` answers)",
        );
    }
    Some(Cache {
        at: plugin.at,
        semantic,
        ttl: of("ttl").map_or(Some(CACHE_TTL), |node| {
            node.number().or_else(|| seconds(node.text()?).filter(|ttl| *ttl > 0.0))
        }),
        says,
        ..Cache::default()
    })
}

/// The keys of a provider that allow `model` and that `may` be used, with their weights.
fn keys(
    entry: &Entry,
    model: &str,
    old: bool,
    may: &dyn Fn(&Node) -> bool,
    warnings: &mut Vec<Warning>,
) -> Vec<(Member, f64)> {
    let provider = &entry.value;
    let mut found = Vec::new();
    let all = provider.get("keys").map_or(&[][..], Node::items).iter();
    for key in all.filter(|key| may(key)) {
        let own = key.text_of("name").unwrap_or("key");
        let allowed = key.get("models").map_or_else(Vec::new, Node::texts);
        if allowed.is_empty() && !old && key.get("models").is_some() {
            let warning = Warning::new("key-allows-nothing", own, Some(key.at));
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
            continue;
        }
        let any = allowed.is_empty() || allowed.contains(&"*") || model.contains('*');
        if !any && !allowed.contains(&model) {
            continue;
        }
        let network = Network::of(provider);
        let member = Member {
            name: format!("{}/{own}", entry.key),
            at: key.at,
            model: format!("{}/{model}", entry.key),
            price: (!model.contains('*')).then(|| model.to_owned()),
            local: matches!(entry.key.as_str(), "ollama" | "vllm" | "sgl"),
            account: Some(own.to_owned()),
            timeout: Some(network.timeout),
            ..Member::default()
        };
        found.push((member, key.number_of("weight").unwrap_or(1.0)));
    }
    found
}

/// Names with their weights as a policy.
fn among(of: &[(Member, f64)]) -> Value {
    match of {
        [(one, _)] => json!({ "single": { "provider": one.name } }),
        _ => {
            let weights = object(of.iter().map(|(m, weight)| (m.name.clone(), json!(weight))));
            json!({ "weighted": { "weights": weights } })
        }
    }
}

fn group(
    name: &str,
    virtual_key: &str,
    model: &str,
    key: &Node,
    providers: &[Entry],
    old: bool,
    warnings: &mut Vec<Warning>,
) -> Option<Group> {
    let mut targets = Vec::new();
    let mut members = Vec::new();
    let mut parts = Vec::new();
    for share in key.get("provider_configs").map_or(&[][..], Node::items) {
        let allowed = allowed(share, "allowed_models", old);
        let entry = providers
            .iter()
            .find(|entry| Some(entry.key.as_str()) == share.text_of("provider"));
        let Some(entry) = entry.filter(|_| allowed.contains(&model) || allowed.contains(&"*")) else {
            continue;
        };
        let of = keys(entry, model, old, &|key| may_use(share, key, old), warnings);
        if of.is_empty() {
            continue;
        }
        let weight = share.number_of("weight").unwrap_or(1.0);
        parts.push(Part {
            name: entry.key.clone(),
            network: Network::of(&entry.value),
            keys: of.len() as u64,
            weight,
        });
        let mut target = match among(&of) {
            one if of.len() == 1 => one["single"].clone(),
            several => several,
        };
        target["weight"] = json!(weight);
        targets.push(target);
        members.extend(of);
    }
    let first = members.first()?.0.clone();
    let policy = match targets.as_slice() {
        [_] => among(&members),
        _ => json!({ "tree": { "sample_without_replacement": { "targets": targets } } }),
    };
    let (cases, worst_attempts, worst_seconds) = cases::of(&parts);
    Some(Group {
        name: name.to_owned(),
        at: first.at,
        through: vec![
            format!("a provider of {virtual_key} by weight"),
            "a key of it by weight".to_owned(),
        ],
        policy,
        chain: vec![name.to_owned()],
        cases,
        worst_attempts,
        worst_seconds,
        members: members.into_iter().map(|(member, _)| member).collect(),
        facts: [("tags".to_owned(), json!({ "key": virtual_key }))]
            .into_iter()
            .collect(),
        ..Group::default()
    })
}

/// A provider that callers name themselves.
fn direct(entry: &Entry, old: bool, warnings: &mut Vec<Warning>) -> Option<Group> {
    let of = keys(entry, "*", old, &|_| true, warnings);
    let first = of.first()?.0.at;
    let part = Part {
        name: entry.key.clone(),
        network: Network::of(&entry.value),
        keys: of.len() as u64,
        weight: 1.0,
    };
    let (cases, worst_attempts, worst_seconds) = cases::of(&[part]);
    Some(Group {
        name: entry.key.clone(),
        at: first,
        through: vec!["a key by weight".to_owned()],
        policy: among(&of),
        chain: vec![entry.key.clone()],
        cases,
        worst_attempts,
        worst_seconds,
        members: of.into_iter().map(|(member, _)| member).collect(),
        ..Group::default()
    })
}

/// The rule of those that have no other: that of the provider with the most retries, and the longest timeouts.
fn client(networks: &[Network]) -> Map<String, Value> {
    let mut client = Map::new();
    let most = networks.iter().rev().max_by_key(|network| network.retries);
    client.insert("retry".to_owned(), most.map_or(json!("never"), Network::retry));
    let longest = |of: fn(&Network) -> f64| networks.iter().map(of).fold(0.0, f64::max);
    let (attempt, idle) = (longest(|n| n.timeout), longest(|n| n.idle));
    if attempt > 0.0 {
        client.insert(
            "timeouts".to_owned(),
            json!({ "attempt": format!("{attempt}s"), "idle": format!("{idle}s") }),
        );
    }
    client
}

/// What members have of their own beside the rule of all: the retries and timeouts of their provider.
fn of_targets(names: &[String], providers: &[Entry], client: &Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    for name in names {
        let own = name.split('/').next().unwrap_or("");
        let Some(entry) = providers.iter().find(|entry| entry.key == own) else {
            continue;
        };
        let network = Network::of(&entry.value);
        let mut of = Map::new();
        if client.get("retry") != Some(&network.retry()) {
            of.insert("retry".to_owned(), network.retry());
        }
        let mut timeouts = Map::new();
        for (key, s) in [("attempt", network.timeout), ("idle", network.idle)] {
            let shared = client.get("timeouts").and_then(|of| of.get(key));
            if s > 0.0 && shared != Some(&json!(format!("{s}s"))) {
                timeouts.insert(key.to_owned(), json!(format!("{s}s")));
            }
        }
        if !timeouts.is_empty() {
            of.insert("timeouts".to_owned(), Value::Object(timeouts));
        }
        if !of.is_empty() {
            all.insert(name.clone(), Value::Object(of));
        }
    }
    all
}

/// The connections of each provider, which its keys share, and the line for them.
fn hosts(providers: &[Entry]) -> Map<String, Value> {
    let each = providers.iter().map(|entry| {
        let of = |key: &str, default: u64| {
            let given = entry.value.get("concurrency_and_buffer_size");
            given
                .and_then(|node| node.count_of(key))
                .filter(|n| *n > 0)
                .unwrap_or(default)
        };
        let host = json!({ "connections": of("concurrency", 1000), "line": of("buffer_size", 5000) });
        (entry.key.clone(), host)
    });
    object(each)
}
