//! Envoy AI Gateway with Envoy Gateway: routes by model, backends by priority and weight, policies that join them by name.
//!
//! - A rule of an `AIGatewayRoute` is a group for each value of `x-ai-eg-model` that it matches; a backend with a `modelNameOverride` is
//!   a provider, and the backend alone its account.
//! - A `BackendTrafficPolicy` says retries (without one there are none), the timeout of an attempt, outlier detection, limits, pools.
//!   Envoy Gateway's own defaults come along: 2 retries, 25 ms to 250 ms of back-off; ejection after 5, each 3 s, for 30 s, of 10 % at most.
//! - A retry waits U(0, min(2ᵏ⁻¹ × base, max)), goes to another host if five draws find one (`previous_hosts`), and 1024 may be under way
//!   at once, which are Envoy Gateway's own settings; the route's `request` (60 s) bounds a whole request, streams too.
//!
//! Source: envoyproxy/ai-gateway c217da8 (`api/v1beta1`, `api/v1alpha1/quota_policy.go`), Envoy Gateway's `BackendTrafficPolicy`. Left
//! out: policies for one rule, namespaces, CEL that is not linear in tokens.

use serde_json::{Map, Value, json};

mod cases;
mod doubts;
mod limits;

use super::ledger::Verdict::{Approximated as A, Ignored as I, Modelled as M, NotModelled as N};
use super::ledger::{self, Key};
use super::model::{Gateway, Group, Member, Product};
use super::source::Config;
use super::tree::{Node, Place};
use super::warning::{self, Warning};
use super::{spelling, statuses};
use crate::form::units::seconds;
use crate::stats::sorting;
use doubts::{ask, doubts};
use limits::{limiters, quotas};

/// Envoy AI Gateway as a product that is read.
pub static PRODUCT: Product = Product {
    name: "envoy-ai-gateway",
    title: "Envoy AI Gateway",
    held: "from source (ai-gateway c217da8); retries and outlier detection held against Envoy 1.40",
};

#[rustfmt::skip]
pub(super) const KEYS: &[Key<'static>] = &[
    ("apiVersion", I, "the form"),
    ("kind", I, "the form"),
    ("metadata.name", M, "joins routes, policies and backends"),
    ("metadata.*", I, "a description"),
    ("spec.rules[].matches", M, "the names that callers ask for"),
    ("spec.rules[].backendRefs[].name", M, "the provider"),
    ("spec.rules[].backendRefs[].modelNameOverride", M, "the model"),
    ("spec.rules[].backendRefs[].weight", M, "the weight of the draw in its level"),
    ("spec.rules[].backendRefs[].priority", M, "the level; lower first"),
    ("spec.rules[].backendRefs[].group", I, "the form"),
    ("spec.rules[].backendRefs[].kind", A, "an InferencePool is one provider"),
    ("spec.rules[].timeouts.request", A, "the longest that a request takes; where rules differ the longest of all is simulated, 60 s for one that says none"),
    ("spec.llmRequestCosts", A, "linear in tokens"),
    ("spec.retry.numRetries", M, "retries"),
    ("spec.retry.numAttemptsPerPriority", M, "after so many attempts their levels are left out"),
    ("spec.retry.perRetry.backOff", M, "the back-off"),
    ("spec.retry.perRetry.timeout", M, "the timeout of an attempt"),
    ("spec.retry.retryOn", M, "what is tried again"),
    ("spec.healthCheck.passive", M, "outlier detection"),
    ("spec.healthCheck.active", N, "checks in the background"),
    ("spec.circuitBreaker.maxParallelRetries", M, "retries at once, of each group"),
    ("spec.circuitBreaker.*", N, "bounds on connections and requests that wait"),
    ("spec.loadBalancer", N, "by weight inside a level"),
    ("spec.rateLimit", A, "a limiter for each value of the first header that tells callers apart, which is a tag; one for all without"),
    ("spec.perModelQuotas", A, "one quota for all of the backend's callers; rules for some of them are left out"),
    ("spec.timeout", N, "other timeouts"),
    ("spec.targetRefs", M, "what the policy is for"),
    ("spec.parentRefs", I, "the form"),
    ("spec.schema", I, "the provider's form of requests"),
    ("spec.backendRef", I, "an address"),
    ("spec.endpoints", I, "an address"),
    ("spec.type", I, "the form"),
    ("spec.apiKey", I, "a key"),
    ("spec.awsCredentials", I, "a key"),
    ("spec.azureCredentials", I, "a key"),
    ("spec.gcpCredentials", I, "a key"),
    ("spec.controllerName", I, "how it is deployed"),
    ("spec.parametersRef", I, "how it is deployed"),
    ("spec.gatewayClassName", I, "how it is deployed"),
    ("spec.listeners", I, "where requests come in"),
    ("spec.infrastructure", I, "how it is deployed"),
    ("spec.validation", I, "an address"),
    ("spec.selector", I, "which pods: their number must be given"),
    ("spec.targetPorts", I, "an address"),
    ("spec.endpointPickerRef", A, "a pool is one provider"),
    ("data", I, "not a gateway's"),
    ("status", I, "not a setting"),
];

/// The timeout of a request of a rule that says none, in seconds (ai-gateway, `GetTimeoutsOrDefault`).
const REQUEST: f64 = 60.0;

/// Envoy Gateway's bound on retries at once, and how often it lets a host that was tried be drawn again.
const PARALLEL_RETRIES: u64 = 1024;
const REDRAWS: u64 = 5;

/// The words of `retryOn.triggers`.
const TRIGGERS: [&str; 13] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

/// Whether a document is of one of these kinds.
pub(super) fn fits(config: &Config) -> bool {
    let of_it = |node: &Node| {
        node.text_of("apiVersion")
            .is_some_and(|version| version.starts_with("aigateway.envoyproxy.io"))
    };
    config.documents.iter().any(of_it)
}

/// What a request meets.
#[derive(Clone)]
struct Policy {
    retries: u64,
    base: f64,
    most: f64,
    /// The statuses and words that are tried again; nothing if there is no policy.
    on: Option<Vec<Value>>,
    attempt: Option<String>,
    attempt_at: Option<Place>,
    total: f64,
    /// The most retries at once.
    bound: u64,
    /// After so many attempts their levels are left out.
    per_level: Option<u64>,
}

impl Policy {
    fn retries_of(&self, code: u64) -> u64 {
        let on = self.on.as_deref().unwrap_or_default();
        let of_class = (500..600).contains(&code) && on.contains(&json!("5xx"));
        if on.contains(&json!(code)) || of_class {
            self.retries
        } else {
            0
        }
    }

    /// The longest that all waits before `retries` retries take.
    fn waits(&self, retries: u64) -> f64 {
        let wait = |k: u64| (libm::exp2((k - 1).min(30) as f64) * self.base).min(self.most);
        (1..=retries).map(wait).sum()
    }
}

/// Makes a gateway of a set of documents.
pub(super) fn read(config: &Config) -> Gateway {
    let of_kind = |kind: &'static str| {
        config
            .documents
            .iter()
            .filter(move |node| node.text_of("kind") == Some(kind))
    };
    let mut warnings = Vec::new();
    let traffic = nearest(&of_kind("BackendTrafficPolicy").collect::<Vec<_>>(), &mut warnings);
    let rules: Vec<&Node> = of_kind("AIGatewayRoute")
        .flat_map(|node| node.find("spec.rules").map_or(&[][..], Node::items))
        .collect();
    let total = rules.iter().map(|rule| request_timeout(rule)).fold(0.0, f64::max);
    let policy = policy(traffic, if rules.is_empty() { REQUEST } else { total });
    let mut uses: Map<String, Value> = Map::new();
    for backend in rules
        .iter()
        .flat_map(|rule| rule.get("backendRefs").map_or(&[][..], Node::items))
    {
        let models = uses.entry(backend.text_of("name").unwrap_or("")).or_insert(json!([]));
        let model = json!(backend.text_of("modelNameOverride").unwrap_or(""));
        if let Value::Array(models) = models
            && !models.contains(&model)
        {
            models.push(model);
        }
    }
    let groups: Vec<Group> = rules
        .iter()
        .map(|rule| {
            let own = Policy {
                total: request_timeout(rule),
                ..policy.clone()
            };
            group(rule, &uses, &own, &mut warnings)
        })
        .collect();
    let mut client = Map::new();
    client.insert("retry".to_owned(), retry(&policy));
    if let Some(passive) = traffic.and_then(|node| node.find("healthCheck.passive")) {
        client.insert("breaker".to_owned(), json!({ "envoy_outlier": outlier(passive) }));
        warnings.push(Warning::new("429-is-not-an-outlier", "", Some(passive.at)));
    }
    let mut timeouts = json!({ "total": format!("{}s", policy.total) });
    if let Some(attempt) = &policy.attempt {
        timeouts["attempt"] = json!(attempt);
    }
    client.insert("timeouts".to_owned(), timeouts);
    let limiters = limiters(config, traffic);
    if !limiters.is_empty() {
        client.insert("limiters".to_owned(), json!(limiters));
        // What is over a limit is refused, and does not wait.
        client.insert("admission".to_owned(), json!({ "queue": { "capacity": 0 } }));
    }
    let mut gateway = Gateway {
        product: &PRODUCT,
        version: version(config),
        files: config.files.clone(),
        groups,
        aliases: Vec::new(),
        client,
        facts: Map::new(),
        cache: None,
        replicas: 1,
        warnings,
        limits: limits::said(config, traffic),
        ledger: config
            .documents
            .iter()
            .flat_map(|node| ledger::of(node, KEYS))
            .collect(),
        left_out: Vec::new(),
        ask: vec!["arrivals and tokens, by name".to_owned()],
    };
    quotas(&of_kind("QuotaPolicy").collect::<Vec<_>>(), &mut gateway);
    doubts(config, &rules, &policy, &mut gateway);
    let said = traffic.and_then(|node| node.find("retry.retryOn")?.entry("triggers"));
    for (entry, word) in said
        .into_iter()
        .flat_map(|entry| entry.value.texts().into_iter().map(move |word| (entry, word)))
    {
        let warning = spelling::of_value("retry.retryOn.triggers", entry, word, &TRIGGERS);
        gateway.warnings.extend(warning);
    }
    ask(&mut gateway, traffic);
    warning::sort(&mut gateway.warnings);
    gateway
}

/// The longest that a request of a rule takes, in seconds.
fn request_timeout(rule: &Node) -> f64 {
    let given = rule.find("timeouts.request").and_then(Node::text).and_then(seconds);
    given.unwrap_or(REQUEST)
}

/// The traffic policy that holds: the first that is for a route, or for the gateway where none is. Limits of the others are told, since nothing
/// merges them.
fn nearest<'a>(policies: &[&'a Node], warnings: &mut Vec<Warning>) -> Option<&'a Node> {
    let is_of_route = |policy: &&Node| {
        let one = policy.find("spec.targetRef").into_iter();
        let all = policy.find("spec.targetRefs").map_or(&[][..], Node::items);
        let kinds = one.chain(all).filter_map(|of| of.text_of("kind"));
        kinds.into_iter().any(|kind| kind.ends_with("Route"))
    };
    let first = policies.iter().position(is_of_route).unwrap_or(0);
    let others = policies.iter().enumerate().filter(|(i, _)| *i != first);
    for (_, other) in others.filter(|(_, policy)| !is_of_route(policy)) {
        if let Some(limits) = other.find("spec.rateLimit") {
            let name = other
                .find("metadata.name")
                .and_then(Node::text)
                .unwrap_or("BackendTrafficPolicy");
            let what = "a policy of the route takes its place, and the two are not merged";
            warnings.push(Warning::new("no-effect", format!("{name}: spec.rateLimit"), Some(limits.at)).saying(what));
        }
    }
    policies.get(first)?.get("spec")
}

fn version(config: &Config) -> String {
    let versions = config
        .documents
        .iter()
        .filter_map(|node| node.text_of("apiVersion")?.strip_prefix("aigateway.envoyproxy.io/"));
    match versions.clone().min() {
        Some("v1beta1") => "v1beta1 (c217da8, 2026-08)".to_owned(),
        Some(version) => version.to_owned(),
        None => "v1beta1".to_owned(),
    }
}

fn policy(traffic: Option<&Node>, total: f64) -> Policy {
    let retry = traffic.and_then(|node| node.get("retry"));
    let of = |path: &str| retry.and_then(|node| node.find(path)).and_then(Node::text);
    let base = of("perRetry.backOff.baseInterval").and_then(seconds).unwrap_or(0.025);
    let on = retry.map(|retry| {
        let statuses = retry.find("retryOn.httpStatusCodes").map_or(&[][..], Node::items);
        let mut on: Vec<Value> = statuses
            .iter()
            .filter_map(Node::number)
            .filter_map(|code| statuses::simulated(code as u64))
            .map(|code| json!(code))
            .collect();
        on.dedup();
        let triggers = retry.find("retryOn.triggers").map_or_else(Vec::new, Node::texts);
        let words: &[(&str, &[&str])] = &[
            ("connect-failure", &["connection_error", "timeout_connect"]),
            ("5xx", &["5xx", "connection_error", "timeout_connect"]),
            ("gateway-error", &["bad_gateway", "unavailable", "gateway_timeout"]),
            ("reset", &["connection_error"]),
        ];
        for (_, outcomes) in words.iter().filter(|(trigger, _)| triggers.contains(trigger)) {
            on.extend(outcomes.iter().map(|outcome| json!(outcome)));
        }
        // Envoy Gateway's own.
        if on.is_empty() {
            vec![json!("connection_error"), json!("timeout_connect"), json!(503)]
        } else {
            on
        }
    });
    Policy {
        retries: match retry {
            Some(retry) => retry.count_of("numRetries").unwrap_or(2).min(10_000),
            None => 0,
        },
        base,
        most: of("perRetry.backOff.maxInterval")
            .and_then(seconds)
            .unwrap_or(base * 10.0),
        on,
        attempt: of("perRetry.timeout").map(str::to_owned),
        attempt_at: retry
            .and_then(|node| node.find("perRetry")?.entry("timeout"))
            .map(|entry| entry.at),
        total,
        bound: traffic
            .and_then(|node| node.find("circuitBreaker.maxParallelRetries")?.number())
            .map_or(PARALLEL_RETRIES, |n| n.clamp(0.0, f64::from(u32::MAX)) as u64),
        per_level: retry.and_then(|retry| retry.count_of("numAttemptsPerPriority")),
    }
}

fn retry(policy: &Policy) -> Value {
    match &policy.on {
        Some(on) if policy.retries > 0 => json!({ "envoy": {
            "num_retries": policy.retries, "retry_on": on,
            "base_interval": in_ms(policy.base), "max_interval": in_ms(policy.most), "max_retries": policy.bound,
        } }),
        Some(_) | None => json!("never"),
    }
}

fn in_ms(s: f64) -> String {
    if s >= 1.0 {
        format!("{s}s")
    } else {
        format!("{}ms", s * 1e3)
    }
}

fn outlier(passive: &Node) -> Value {
    let count = |key: &str, default: u64| passive.count_of(key).unwrap_or(default);
    let mut of = json!({
        "consecutive_5xx": count("consecutive5XxErrors", 5),
        "interval": passive.text_of("interval").unwrap_or("3s"),
        "base_ejection_time": passive.text_of("baseEjectionTime").unwrap_or("30s"),
        "max_ejection_percent": format!("{}%", count("maxEjectionPercent", 10)),
    });
    if let Some(gateway) = passive.count_of("consecutiveGatewayErrors").filter(|n| *n > 0) {
        of["consecutive_gateway_failure"] = json!(gateway);
        of["enforcing_consecutive_gateway_failure"] = json!("100%");
    }
    of
}

/// The names that a rule's matches stand for: exact ones, and the ways of `a(b|c)`.
fn names(rule: &Node) -> Vec<String> {
    let matches = rule.get("matches").map_or(&[][..], Node::items);
    let headers = matches
        .iter()
        .flat_map(|m| m.get("headers").map_or(&[][..], Node::items));
    let mut names = Vec::new();
    for header in headers.filter(|header| header.text_of("name") == Some("x-ai-eg-model")) {
        let value = header.text_of("value").unwrap_or("");
        let ways = || {
            let (before, rest) = value.split_once('(')?;
            let (inside, after) = rest.split_once(')')?;
            let plain = |text: &str| !text.contains(['(', '*', '+', '?', '[', '.', '\\']);
            (plain(before) && plain(inside) && plain(after)).then(|| {
                inside
                    .split('|')
                    .map(|way| format!("{before}{way}{after}"))
                    .collect::<Vec<_>>()
            })
        };
        match header.text_of("type") == Some("RegularExpression") {
            true => names.extend(ways().unwrap_or_else(|| vec![value.to_owned()])),
            false => names.push(value.to_owned()),
        }
    }
    if names.is_empty() {
        vec!["any".to_owned()]
    } else {
        names
    }
}

fn group(rule: &Node, uses: &Map<String, Value>, policy: &Policy, warnings: &mut Vec<Warning>) -> Group {
    let backends = rule.get("backendRefs").map_or(&[][..], Node::items);
    let named = names(rule);
    // A backend that serves several models has several prices.
    let is_of_one = |own: &str| {
        uses.get(own)
            .and_then(Value::as_array)
            .is_none_or(|models| models.len() < 2)
    };
    let mut levels: Vec<(u64, Map<String, Value>)> = Vec::new();
    let mut members: Vec<Member> = Vec::new();
    for backend in backends {
        let own = backend.text_of("name").unwrap_or("backend");
        let model = backend.text_of("modelNameOverride");
        let asked = match named.as_slice() {
            [one] if one != "any" && is_of_one(own) => Some(one.as_str()),
            _ => None,
        };
        let several = uses
            .get(own)
            .and_then(Value::as_array)
            .is_some_and(|models| models.len() > 1);
        let name = match model.filter(|_| several) {
            Some(model) => format!("{own}/{model}"),
            None => own.to_owned(),
        };
        let level = backend.count_of("priority").unwrap_or(0);
        let weight = json!(backend.count_of("weight").unwrap_or(1));
        match levels.iter_mut().find(|(priority, _)| *priority == level) {
            Some((_, of)) => drop(of.insert(name.clone(), weight)),
            None => levels.push((level, [(name.clone(), weight)].into_iter().collect())),
        }
        let pool = backend.text_of("kind") == Some("InferencePool");
        if pool {
            warnings.push(Warning::new("pool-is-one-provider", &name, Some(backend.at)));
        }
        members.push(Member {
            name,
            at: backend.at,
            model: model.unwrap_or(own).to_owned(),
            // Reserved units have a price a month, whatever model they serve; what has no name of its own for the model has the callers'.
            price: model.or(asked).filter(|_| !is_reserved(own)).map(str::to_owned),
            local: pool,
            account: Some(own.to_owned()),
            ..Member::default()
        });
    }
    sorting::by_key(&mut levels, |(level, _)| *level);
    let levels_of: Vec<&Map<String, Value>> = levels.iter().map(|(_, of)| of).collect();
    let among = match members.as_slice() {
        [one] => json!({ "single": { "provider": one.name } }),
        _ => {
            let mut of = json!({ "levels": levels_of });
            if levels.len() > 1 {
                of["overprovisioning"] = json!(1.4);
            }
            if policy.retries > 0 {
                of["previous_hosts"] = json!(REDRAWS);
                if let Some(attempts) = policy.per_level.filter(|_| levels.len() > 1) {
                    of["attempts_per_level"] = json!(attempts.clamp(1, 100));
                }
            }
            json!({ "priority": of })
        }
    };
    let mut through = vec![format!("at most {} s in all", policy.total)];
    if levels.len() > 1 {
        through.push("the first level with enough healthy hosts".to_owned());
    }
    if members.len() > 1 {
        through.push("at random by weight in it".to_owned());
    }
    let hung = match &policy.attempt {
        Some(attempt) => seconds(attempt).unwrap_or(policy.total),
        None => policy.total,
    };
    let timed = policy.retries_of(504);
    let most = (hung * (timed + 1) as f64 + policy.waits(timed)).min(policy.total);
    let cases = policy.cases(
        members.len(),
        levels.first().map_or(0, |(_, of)| of.len()),
        levels.len(),
        hung,
        most,
    );
    Group {
        name: named.join("|"),
        at: rule.at,
        worst_attempts: cases.iter().map(|case| case.attempts).max().unwrap_or(1),
        worst_seconds: most,
        chain: vec![named.join("|")],
        members,
        through,
        policy: among,
        cases,
        ..Group::default()
    }
}

/// Whether a backend's name says that it is of provisioned throughput.
fn is_reserved(backend: &str) -> bool {
    backend
        .split(['-', '_', '.'])
        .any(|part| part.eq_ignore_ascii_case("ptu"))
}
