//! The routes of a bootstrap: what they match, where they lead, their timeouts and retries.

use serde_json::{Map, Value, json};

use super::clusters::{Cluster, Host};
use super::{IDLE, Notes, TIMEOUT, items, limits, seconds, seconds_at, span, text};
use crate::form::object;
use crate::gateways::statuses;
use crate::gateways::tree::{Node, Place};

/// A route that leads to clusters.
pub(super) struct Route<'a> {
    pub(super) name: String,
    pub(super) at: Place,
    /// The model that callers ask for, if the route matches it.
    pub(super) model: Option<String>,
    /// The clusters with their weights.
    pub(super) clusters: Vec<(&'a Cluster<'a>, u64)>,
    pub(super) retry: Retries,
    /// The timeout of the whole request in seconds, if there is one, and where it is said.
    pub(super) timeout: Option<f64>,
    pub(super) timeout_at: Option<Place>,
    /// The longest silence in seconds, if it is bounded.
    pub(super) idle: Option<f64>,
    /// The limits of the route alone.
    pub(super) buckets: Vec<Value>,
}

/// The retry policy of a route.
#[derive(Clone, Default)]
pub(super) struct Retries {
    pub(super) at: Option<Place>,
    /// Where `retry_on` is said.
    pub(super) on_at: Option<Place>,
    pub(super) count: u64,
    /// The statuses and words that are tried again.
    pub(super) on: Vec<Value>,
    /// The base of the back-off and the longest wait, in seconds.
    base: f64,
    most: f64,
    pub(super) per_try: Option<f64>,
    /// The longest silence of an attempt in seconds, before its answer and in it.
    pub(super) per_try_idle: Option<f64>,
    heeds: bool,
    /// How often a host that was tried is drawn again.
    pub(super) previous_hosts: Option<u64>,
    pub(super) per_level: Option<u64>,
}

/// What `retry_on` may say, and the outcomes that it means.
const TRIGGERS: &[(&str, &[&str])] = &[
    (
        "5xx",
        &[
            "5xx",
            "connection_error",
            "timeout_connect",
            "timeout_ttft",
            "timeout_attempt",
        ],
    ),
    (
        "gateway-error",
        &[
            "502",
            "503",
            "504",
            "connection_error",
            "timeout_connect",
            "timeout_ttft",
            "timeout_attempt",
        ],
    ),
    (
        "reset",
        &["connection_error", "timeout_connect", "timeout_ttft", "timeout_attempt"],
    ),
    ("reset-before-request", &["connection_error", "timeout_connect"]),
    ("connect-failure", &["connection_error", "timeout_connect"]),
    ("refused-stream", &["connection_error"]),
    ("retriable-4xx", &["409"]),
    ("retriable-status-codes", &[]),
    ("retriable-headers", &[]),
    ("envoy-ratelimited", &[]),
    ("http3-post-connect-failure", &[]),
    ("cancelled", &[]),
    ("deadline-exceeded", &[]),
    ("internal", &[]),
    ("resource-exhausted", &[]),
    ("unavailable", &[]),
];

/// The routes of a bootstrap that lead to clusters.
pub(super) fn of<'a>(root: &'a Node, clusters: &'a [Cluster<'a>], notes: &mut Notes) -> Vec<Route<'a>> {
    let mut routes: Vec<Route<'a>> = Vec::new();
    for manager in managers(root) {
        let idle = manager.find("stream_idle_timeout").and_then(seconds).unwrap_or(IDLE);
        if let Some(rds) = manager.entry("rds") {
            notes.warn(
                "routes-not-in-file",
                text(&rds.value, "route_config_name").unwrap_or(""),
                rds.at,
            );
        }
        for host in items(manager, "route_config.virtual_hosts") {
            for node in items(host, "routes") {
                let Some(action) = node.get("route") else {
                    if node.get("direct_response").or(node.get("redirect")).is_some() {
                        notes.left_out.push(format!("{} (answers by itself)", path_of(node)));
                    }
                    continue;
                };
                let retry = action.entry("retry_policy").or(host.entry("retry_policy"));
                let to = targets(action, clusters, notes);
                if to.is_empty() {
                    continue;
                }
                let own = action.entry("timeout");
                let timeout = own.and_then(|entry| seconds(&entry.value)).unwrap_or(TIMEOUT);
                let idle = action.find("idle_timeout").and_then(seconds).unwrap_or(idle);
                let retry = retry.map_or_else(Retries::default, |entry| retries(&entry.value, entry.at, notes));
                let model = model_of(node);
                let mut buckets = limits::of_filters(host, notes);
                buckets.extend(limits::of_filters(node, notes));
                routes.push(Route {
                    name: unique(called(node, model.as_deref(), &to), &routes, node.at),
                    at: node.at,
                    model,
                    clusters: to,
                    retry,
                    timeout: Some(timeout).filter(|timeout| *timeout > 0.0),
                    timeout_at: own.map(|entry| entry.at),
                    idle: Some(idle).filter(|idle| *idle > 0.0),
                    buckets,
                });
            }
        }
    }
    routes
}

/// The HTTP connection managers of all listeners.
pub(super) fn managers(root: &Node) -> impl Iterator<Item = &Node> {
    let chains = items(root, "static_resources.listeners").iter().flat_map(|listener| {
        let default = listener.get("default_filter_chain");
        items(listener, "filter_chains").iter().chain(default)
    });
    chains
        .flat_map(|chain| items(chain, "filters"))
        .filter_map(|filter| filter.get("typed_config"))
        .filter(|config| {
            let kind = config.text_of("@type").unwrap_or("http_connection_manager");
            kind.to_ascii_lowercase()
                .replace('_', "")
                .contains("httpconnectionmanager")
        })
}

/// The path that a route matches, in words.
fn path_of(node: &Node) -> String {
    let of = |key: &str| text(node, key).map(str::to_owned);
    of("match.path")
        .or_else(|| of("match.prefix"))
        .or_else(|| of("match.path_separated_prefix"))
        .or_else(|| of("match.safe_regex.regex"))
        .unwrap_or_else(|| "/".to_owned())
}

/// The value that a header must have exactly, of a header whose name speaks of a model.
fn model_of(node: &Node) -> Option<String> {
    let exact = |header: &Node| {
        let name = header.text_of("name")?;
        let value = text(header, "string_match.exact").or(header.text_of("exact_match"))?;
        name.to_ascii_lowercase().contains("model").then(|| value.to_owned())
    };
    items(node, "match.headers").iter().find_map(exact)
}

/// What a route is called.
fn called(node: &Node, model: Option<&str>, to: &[(&Cluster<'_>, u64)]) -> String {
    if let Some(name) = model.or(node.text_of("name")) {
        return name.to_owned();
    }
    match (path_of(node).as_str(), to) {
        ("/", [(cluster, _)]) => cluster.name.clone(),
        (path, _) => path.to_owned(),
    }
}

fn unique(name: String, routes: &[Route<'_>], at: Place) -> String {
    // A star in a group's name stands for any text, which it does not in a path.
    let name = name.replace('*', "…");
    if routes.iter().all(|route| route.name != name) {
        return name;
    }
    format!("{name} (line {})", at.line)
}

fn targets<'a>(action: &Node, clusters: &'a [Cluster<'a>], notes: &mut Notes) -> Vec<(&'a Cluster<'a>, u64)> {
    let mut found = Vec::new();
    let mut add = |named: &str, weight: u64, at: Place, notes: &mut Notes| {
        let name = named.replace('/', "|");
        match clusters.iter().find(|cluster| cluster.name == name) {
            Some(cluster) if weight > 0 => found.push((cluster, weight)),
            Some(_) => notes.left_out.push(format!("{name} (weight 0)")),
            None => notes.warn("undefined-target", named, at),
        }
    };
    if let Some(entry) = action.entry("cluster") {
        add(entry.value.text().unwrap_or(""), 1, entry.at, notes);
    }
    for of in items(action, "weighted_clusters.clusters") {
        add(
            of.text_of("name").unwrap_or(""),
            of.count_of("weight").unwrap_or(0),
            of.at,
            notes,
        );
    }
    if let Some(entry) = action.entry("cluster_header") {
        notes.warn("cluster-by-header", entry.value.text().unwrap_or(""), entry.at);
    }
    found
}

fn retries(policy: &Node, at: Place, notes: &mut Notes) -> Retries {
    let said = policy.entry("retry_on");
    let words: Vec<&str> = said.and_then(|entry| entry.value.text()).map_or_else(Vec::new, |text| {
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
    });
    let mut on: Vec<Value> = Vec::new();
    let mut add = |outcome: &str| {
        let value = outcome
            .parse::<u64>()
            .map_or_else(|_| json!(outcome), |code| json!(code));
        if !on.contains(&value) {
            on.push(value);
        }
    };
    for word in &words {
        match TRIGGERS.iter().find(|(name, _)| name == word) {
            Some((_, outcomes)) => outcomes.iter().for_each(|outcome| add(outcome)),
            None => notes.warn(
                "unknown-name",
                &format!("retry_on {word}"),
                said.map_or(at, |entry| entry.at),
            ),
        }
    }
    let codes: Vec<u64> = items(policy, "retriable_status_codes")
        .iter()
        .filter_map(Node::number)
        .map(|code| code as u64)
        .filter_map(statuses::simulated)
        .collect();
    if words.contains(&"retriable-status-codes") {
        codes.iter().for_each(|code| add(&code.to_string()));
    } else if let Some(entry) = policy.entry("retriable_status_codes") {
        notes.warn("codes-are-not-read", "retriable_status_codes", entry.at);
    }
    if said.is_none() {
        notes.warn("no-retry_on", "", at);
    }
    let named = |list: &str, name: &str| {
        items(policy, list)
            .iter()
            .any(|of| of.text_of("name").is_some_and(|own| own.contains(name)))
    };
    let again = policy
        .count_of("host_selection_retry_max_attempts")
        .unwrap_or(1)
        .clamp(1, 100);
    let base = seconds_at(policy, "retry_back_off.base_interval")
        .filter(|s| *s > 0.0)
        .unwrap_or(0.025);
    let most = seconds_at(policy, "retry_back_off.max_interval").unwrap_or(base * 10.0);
    let frequency = policy
        .find("retry_priority.typed_config.update_frequency")
        .and_then(Node::number);
    Retries {
        at: Some(at),
        on_at: said.map(|entry| entry.at),
        count: policy.count_of("num_retries").unwrap_or(1).min(99),
        on,
        base,
        most: most.max(base),
        per_try: seconds_at(policy, "per_try_timeout").filter(|s| *s > 0.0),
        per_try_idle: seconds_at(policy, "per_try_idle_timeout").filter(|s| *s > 0.0),
        heeds: items(policy, "rate_limited_retry_back_off.reset_headers")
            .iter()
            .any(|header| {
                header
                    .text_of("name")
                    .is_some_and(|name| name.eq_ignore_ascii_case("retry-after"))
            }),
        previous_hosts: named("retry_host_predicate", "previous_hosts").then_some(again),
        per_level: policy
            .get("retry_priority")
            .map(|_| frequency.map_or(2, |n| n as u64).clamp(1, 100)),
    }
}

impl Retries {
    /// Whether anything is tried again.
    pub(super) fn is_any(&self) -> bool {
        self.count > 0 && !self.on.is_empty()
    }

    /// The retries of an answer with this status.
    pub(super) fn of(&self, code: u64) -> u64 {
        let class = (500..600).contains(&code) && self.on.contains(&json!("5xx"));
        if class || self.on.contains(&json!(code)) {
            self.count
        } else {
            0
        }
    }

    /// The retries of what does not answer within the timeout of an attempt.
    pub(super) fn of_hangs(&self) -> u64 {
        if self.on.contains(&json!("timeout_attempt")) {
            self.count
        } else {
            0
        }
    }

    /// How long an attempt that hangs lasts in seconds, if it is bounded by itself.
    pub(super) fn longest_try(&self) -> Option<f64> {
        let both = self.per_try.into_iter().chain(self.per_try_idle);
        both.min_by(f64::total_cmp)
    }

    /// The longest that all waits before so many retries take, in seconds.
    pub(super) fn waits(&self, retries: u64) -> f64 {
        let wait = |k: u64| (libm::exp2((k - 1).min(30) as f64) * self.base).min(self.most);
        (1..=retries).map(wait).sum()
    }

    /// The retry rule as an experiment has it, under the bound of `cluster`.
    pub(super) fn to_json(&self, cluster: Option<&Cluster<'_>>) -> Value {
        if !self.is_any() {
            return json!("never");
        }
        let mut of = json!({
            "num_retries": self.count, "retry_on": self.on,
            "base_interval": span(self.base), "max_interval": span(self.most),
        });
        if self.heeds {
            of["rate_limited"] = json!(true);
        }
        if let Some(cluster) = cluster.filter(|cluster| cluster.retry_budget.is_none()) {
            of["max_retries"] = json!(cluster.max_retries);
        }
        json!({ "envoy": of })
    }
}

impl Route<'_> {
    /// The longest silence in seconds, of the stream or of an attempt.
    pub(super) fn silence(&self) -> Option<f64> {
        let both = self.idle.into_iter().chain(self.retry.per_try_idle);
        both.min_by(f64::total_cmp)
    }

    /// The policy among the hosts of the route's clusters.
    pub(super) fn policy(&self, members: &[(&Cluster<'_>, &Host, String)]) -> Value {
        let of = |cluster: &Cluster<'_>, plain: bool| {
            let own = members.iter().filter(|(of, ..)| of.name == cluster.name);
            let hosts: Vec<(&Host, &str)> = own.map(|(_, host, name)| (*host, name.as_str())).collect();
            self.of_cluster(cluster, &hosts, plain)
        };
        match &self.clusters[..] {
            [(cluster, _)] => of(cluster, false),
            several => {
                let target = |(cluster, weight): &(&Cluster<'_>, u64)| {
                    let mut target = of(cluster, true).as_object().cloned().unwrap_or_default();
                    if let Some(name) = target.get("single").and_then(|of| of.get("provider")).cloned() {
                        target = Map::from_iter([("provider".to_owned(), name)]);
                    }
                    target.insert("weight".to_owned(), json!(weight));
                    Value::Object(target)
                };
                let targets: Vec<Value> = several.iter().map(target).collect();
                json!({ "tree": { "loadbalance": { "targets": targets } } })
            }
        }
    }

    /// The policy among the hosts of one cluster; a `plain` one keeps nothing of a request.
    fn of_cluster(&self, cluster: &Cluster<'_>, hosts: &[(&Host, &str)], plain: bool) -> Value {
        let levels: Vec<Vec<(&str, u64)>> = cluster
            .each_level()
            .into_iter()
            .map(|level| {
                let own = hosts.iter().filter(|(host, _)| host.level == level);
                own.map(|(host, name)| (*name, host.weight)).collect()
            })
            .collect();
        let redraws = self
            .retry
            .previous_hosts
            .filter(|_| !plain && self.retry.is_any() && hosts.len() > 1);
        let all: Vec<(&str, u64)> = levels.iter().flatten().copied().collect();
        if levels.len() < 2 && redraws.is_none() {
            return cluster.choice(&all);
        }
        let weights = |level: &Vec<(&str, u64)>| -> Map<String, Value> {
            object(level.iter().map(|(name, weight)| ((*name).to_owned(), json!(weight))))
        };
        let inside: Vec<Value> = levels.iter().map(|level| cluster.choice(level)).collect();
        let mut of = json!({ "levels": levels.iter().map(weights).collect::<Vec<_>>(), "inside": inside });
        if levels.len() > 1 {
            let factor = cluster
                .node
                .find("load_assignment.policy.overprovisioning_factor")
                .and_then(Node::number);
            of["overprovisioning"] = json!((factor.unwrap_or(140.0) / 100.0).clamp(1.0, 100.0));
            if let Some(attempts) = self.retry.per_level.filter(|_| !plain && self.retry.is_any()) {
                of["attempts_per_level"] = json!(attempts);
            }
        }
        if let Some(redraws) = redraws {
            of["previous_hosts"] = json!(redraws);
        }
        json!({ "priority": of })
    }
}
