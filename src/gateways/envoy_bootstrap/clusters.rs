//! The clusters of a bootstrap: hosts by priority, how they are balanced, and what bounds all of them together.

use serde_json::{Map, Value, json};

use super::{Notes, items, seconds_at, span, text};
use crate::form::object;
use crate::gateways::spelling;
use crate::gateways::tree::{Node, Place};

/// Envoy's bound on connections, on requests that wait and on requests, where none is given.
const MANY: u64 = 1024;
/// Envoy's bound on retries at once.
const RETRIES: u64 = 3;
/// Envoy's `connect_timeout`, in seconds.
const CONNECT: f64 = 5.0;
/// The greatest weight that is kept.
const HEAVIEST: u64 = 1_000_000;

/// A cluster of the bootstrap.
pub(super) struct Cluster<'a> {
    pub(super) name: String,
    pub(super) at: Place,
    pub(super) node: &'a Node,
    pub(super) hosts: Vec<Host>,
    pub(super) balancer: Balancer,
    pub(super) connect_timeout: f64,
    /// The most retries at once, and where that is said.
    pub(super) max_retries: u64,
    pub(super) max_retries_at: Option<Place>,
    /// Where it is said that no request may wait.
    pub(super) no_pending_at: Option<Place>,
    /// The budget of retries that takes the place of that bound.
    pub(super) retry_budget: Option<Value>,
    bounds: Bounds,
}

/// A host of a cluster.
pub(super) struct Host {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) at: Place,
    pub(super) level: u64,
    pub(super) weight: u64,
}

/// What Envoy calls circuit breakers of a cluster: bounds on what is under way.
struct Bounds {
    connections: u64,
    pending: u64,
    requests: u64,
    over_http2: bool,
}

/// How a host is chosen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Balancer {
    InTurn,
    LeastRequest(Map<String, Value>),
    Random,
    Hash,
}

impl Balancer {
    pub(super) fn words(&self) -> &'static str {
        match self {
            Balancer::InTurn => "in turn, by weight",
            Balancer::LeastRequest(_) => "with the fewest requests of a few",
            Balancer::Random => "at random",
            Balancer::Hash => "by hash",
        }
    }
}

/// The clusters of a bootstrap.
pub(super) fn of<'a>(root: &'a Node, notes: &mut Notes) -> Vec<Cluster<'a>> {
    let mut clusters: Vec<Cluster<'a>> = Vec::new();
    for node in items(root, "static_resources.clusters") {
        let Some(name) = node.text_of("name") else {
            notes.warn("wrong-shape", "a cluster without a name", node.at);
            continue;
        };
        // A slash parts a cluster from its host.
        let name = name.replace('/', "|");
        if clusters.iter().any(|other| other.name == name) {
            notes.warn("repeated-key", &name, node.at);
            continue;
        }
        clusters.push(cluster(name, node, notes));
    }
    clusters
}

fn cluster<'a>(name: String, node: &'a Node, notes: &mut Notes) -> Cluster<'a> {
    let default = items(node, "circuit_breakers.thresholds")
        .iter()
        .find(|of| of.text_of("priority").is_none_or(|priority| priority == "DEFAULT"));
    let bound = |key: &str, most: u64| default.and_then(|of| of.count_of(key)).unwrap_or(most);
    let hosts = hosts(&name, node, notes);
    let budget = default.and_then(|of| of.get("retry_budget")).map(|budget| {
        let percent = budget
            .find("budget_percent.value")
            .and_then(Node::number)
            .unwrap_or(20.0);
        json!({ "envoy": {
            "budget_percent": format!("{}%", percent.clamp(0.0, 100.0)),
            "min_retry_concurrency": budget.count_of("min_retry_concurrency").unwrap_or(3).min(1_000_000),
        } })
    });
    Cluster {
        at: node.at,
        balancer: balancer(node, &name, notes),
        connect_timeout: seconds_at(node, "connect_timeout").unwrap_or(CONNECT),
        max_retries: bound("max_retries", RETRIES).min(u64::from(u32::MAX)),
        no_pending_at: default
            .and_then(|of| of.entry("max_pending_requests"))
            .filter(|entry| entry.value.number() == Some(0.0))
            .map(|entry| entry.at),
        max_retries_at: default.and_then(|of| of.entry("max_retries")).map(|entry| entry.at),
        retry_budget: budget,
        bounds: Bounds {
            connections: bound("max_connections", MANY),
            pending: bound("max_pending_requests", MANY),
            requests: bound("max_requests", MANY),
            over_http2: is_http2(node),
        },
        name,
        node,
        hosts,
    }
}

/// Whether the hosts are spoken to over HTTP/2.
fn is_http2(node: &Node) -> bool {
    let options = node
        .get("typed_extension_protocol_options")
        .map_or(&[][..], Node::entries);
    let said = |entry: &crate::gateways::tree::Entry| {
        entry
            .value
            .find("explicit_http_config.http2_protocol_options")
            .is_some()
            || entry
                .value
                .find("explicit_http_config.http3_protocol_options")
                .is_some()
    };
    node.get("http2_protocol_options").is_some() || options.iter().any(said)
}

fn hosts(cluster: &str, node: &Node, notes: &mut Notes) -> Vec<Host> {
    let mut hosts: Vec<Host> = Vec::new();
    for locality in items(node, "load_assignment.endpoints") {
        let level = locality.count_of("priority").unwrap_or(0);
        for endpoint in items(locality, "lb_endpoints") {
            let address = text(endpoint, "endpoint.address.socket_address.address");
            let port = text(endpoint, "endpoint.address.socket_address.port_value").unwrap_or("");
            let pipe = text(endpoint, "endpoint.address.pipe.path");
            let address = address.or(pipe).unwrap_or("host").replace('/', "|");
            let mut name = format!("{cluster}/{address}");
            if hosts.iter().any(|host| host.name == name) {
                name = format!("{name}:{port}");
            }
            while hosts.iter().any(|host| host.name == name) {
                name.push('\'');
            }
            if matches!(
                endpoint.text_of("health_status"),
                Some("UNHEALTHY" | "DRAINING" | "TIMEOUT")
            ) {
                notes.left_out.push(format!("{name} (said to be unhealthy)"));
                continue;
            }
            hosts.push(Host {
                name,
                address,
                at: endpoint.at,
                level,
                weight: endpoint
                    .count_of("load_balancing_weight")
                    .unwrap_or(1)
                    .clamp(1, HEAVIEST),
            });
        }
    }
    if let [only] = &mut hosts[..] {
        cluster.clone_into(&mut only.name);
    }
    if hosts.is_empty() {
        hosts.push(Host {
            name: cluster.to_owned(),
            address: cluster.to_owned(),
            at: node.at,
            level: 0,
            weight: 1,
        });
    }
    hosts
}

/// The values of `lb_policy`.
const POLICIES: [&str; 7] = [
    "ROUND_ROBIN",
    "LEAST_REQUEST",
    "RING_HASH",
    "RANDOM",
    "MAGLEV",
    "CLUSTER_PROVIDED",
    "LOAD_BALANCING_POLICY_CONFIG",
];

/// The balancer, from `load_balancing_policy`, which goes before it, or `lb_policy`.
fn balancer(node: &Node, cluster: &str, notes: &mut Notes) -> Balancer {
    let newer = items(node, "load_balancing_policy.policies").first();
    let named = newer.and_then(|of| text(of, "typed_extension_config.name"));
    let config = newer.and_then(|of| of.find("typed_extension_config.typed_config"));
    let (name, at) = match (named, node.entry("lb_policy")) {
        (Some(named), _) => (named.rsplit('.').next().unwrap_or(named).to_ascii_uppercase(), node.at),
        (None, Some(entry)) => (entry.value.text().unwrap_or("").to_ascii_uppercase(), entry.at),
        (None, None) => return Balancer::InTurn,
    };
    match name.as_str() {
        "ROUND_ROBIN" => Balancer::InTurn,
        "LEAST_REQUEST" => {
            let config = config.or(node.get("least_request_lb_config"));
            Balancer::LeastRequest(config.map_or_else(Map::new, least_request))
        }
        "RANDOM" => Balancer::Random,
        "RING_HASH" | "MAGLEV" => Balancer::Hash,
        _ => {
            let said = node.entry("lb_policy").filter(|_| named.is_none());
            let unknown =
                said.and_then(|entry| spelling::of_value(&format!("{cluster} lb_policy"), entry, &name, &POLICIES));
            match unknown {
                Some(warning) => notes.warnings.push(warning),
                None => notes.warn("balancer-is-approximated", &format!("{cluster} {name}"), at),
            }
            Balancer::InTurn
        }
    }
}

/// What a least-request balancer has of its own.
fn least_request(config: &Node) -> Map<String, Value> {
    let mut of = Map::new();
    if let Some(choices) = config.count_of("choice_count") {
        of.insert("choice_count".to_owned(), json!(choices.clamp(2, 1000)));
    }
    if config.text_of("selection_method") == Some("FULL_SCAN") {
        of.insert("selection_method".to_owned(), json!("full_scan"));
    }
    let bias = config.find("active_request_bias.default_value").and_then(Node::number);
    if let Some(bias) = bias.filter(|bias| *bias >= 0.0) {
        of.insert("active_request_bias".to_owned(), json!(bias));
    }
    let slow_start = config.get("slow_start_config");
    if let Some(window) = slow_start
        .and_then(|of| seconds_at(of, "slow_start_window"))
        .filter(|s| *s > 0.0)
    {
        let aggression = slow_start
            .and_then(|of| of.find("aggression.default_value"))
            .and_then(Node::number);
        let least = slow_start
            .and_then(|of| of.find("min_weight_percent.value"))
            .and_then(Node::number);
        of.insert(
            "slow_start".to_owned(),
            json!({
                "window": span(window),
                "aggression": aggression.filter(|of| *of > 0.0).unwrap_or(1.0),
                "min_weight": format!("{}%", least.unwrap_or(10.0).clamp(0.0, 100.0)),
            }),
        );
    }
    of
}

impl Cluster<'_> {
    /// The number of levels of priority.
    pub(super) fn levels(&self) -> usize {
        self.each_level().len()
    }

    /// The levels of priority that have hosts, in order.
    pub(super) fn each_level(&self) -> Vec<u64> {
        let mut levels: Vec<u64> = self.hosts.iter().map(|host| host.level).collect();
        levels.sort_unstable();
        levels.dedup();
        levels
    }

    /// The connections, as a host of an experiment has them.
    pub(super) fn pool(&self) -> Value {
        let Bounds {
            connections,
            pending,
            requests,
            over_http2,
        } = self.bounds;
        if over_http2 {
            return json!({ "connections": requests.max(1), "line": 0 });
        }
        // With fewer requests allowed than connections, none waits.
        let line = if requests < connections {
            0
        } else {
            pending.min(u64::from(u32::MAX))
        };
        let mut pool = json!({ "connections": connections.min(requests).max(1), "line": line });
        if self.hosts.len() > 1 {
            pool["pools"] = json!("each");
        }
        pool
    }

    /// The bounds on what is under way, in words.
    pub(super) fn bounds_in_words(&self) -> String {
        let pool = self.pool();
        let retries = match &self.retry_budget {
            Some(_) => "a budget of retries".to_owned(),
            None => format!("{} retries at once", self.max_retries),
        };
        format!(
            "at most {} at once, {} waiting, {retries}",
            pool["connections"], pool["line"]
        )
    }

    /// The policy among `hosts`, which are names with weights.
    pub(super) fn choice(&self, hosts: &[(&str, u64)]) -> Value {
        let weights = object(hosts.iter().map(|(name, weight)| ((*name).to_owned(), json!(weight))));
        let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
        if let [one] = names[..] {
            return json!({ "single": { "provider": one } });
        }
        match &self.balancer {
            Balancer::InTurn => json!({ "smooth_round_robin": { "weights": weights } }),
            Balancer::Random => json!({ "weighted": { "weights": weights } }),
            Balancer::Hash => json!({ "consistent_hash": { "by": "user", "weights": weights } }),
            Balancer::LeastRequest(own) => {
                let mut of = own.clone();
                of.insert("providers".to_owned(), json!(names));
                if hosts.iter().any(|(_, weight)| *weight != hosts[0].1) {
                    of.insert("weights".to_owned(), Value::Object(weights));
                }
                json!({ "envoy_least_request": of })
            }
        }
    }
}
