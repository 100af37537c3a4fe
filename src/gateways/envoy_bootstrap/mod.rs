//! A bootstrap of plain Envoy: listeners with their routes, clusters with their hosts, in `static_resources`.
//!
//! - A route is a group; what it is called is the model that it matches by header, else its own name, else its path. A host of its
//!   cluster is a provider, `CLUSTER/ADDRESS`; the cluster alone if it has one host.
//! - A route's `timeout` (15 s if nothing is said) bounds a whole request, streams too. `retry_policy` decides by `retry_on` alone what is
//!   tried again, POSTs like everything; a retry waits U(0, min(2ᵏ⁻¹ × base, max)).
//! - `circuit_breakers` bound connections, requests that wait and retries at once, of the cluster: 1024, 1024 and 3 if nothing is said.
//!   HTTP/1 pools are each of a host; over HTTP/2 only `max_requests` binds, and one more is refused.
//! - `outlier_detection`, priorities with their overprovisioning, retry plug-ins and limits as the mechanisms of the same names.
//!
//! Names may be in camel case, as protobuf's JSON allows. Source: `envoy/config/{bootstrap,cluster,route}/v3`; retries, their bound,
//! priorities, ejections and pools as measured on 1.40. Left out: what comes by xDS, active health checks, subsets, zones, hedges and
//! mirrors, limits by descriptor.

mod bounds;
mod cases;
mod clusters;
mod doubts;
mod keys;
mod limits;
mod outlier;
mod routes;

use serde_json::{Map, Value, json};

use super::ledger;
use super::model::{Gateway, Group, Member, Product};
use super::source::Config;
use super::tree::{Entry, Node, Place, Value as Is};
use super::warning::{self, Warning};
use crate::form::object;
use clusters::{Cluster, Host};
pub(super) use keys::{KEYS, cluster, host};
use routes::Route;

/// Envoy with a bootstrap of its own as a product that is read.
pub static PRODUCT: Product = Product {
    name: "envoy",
    title: "Envoy",
    held: "retries, their bound, priorities, ejections and pools held against Envoy 1.40; the rest from its API v3",
};

/// Envoy's `timeout` of a route, in seconds.
const TIMEOUT: f64 = 15.0;
/// Envoy's `stream_idle_timeout`, in seconds.
const IDLE: f64 = 300.0;

/// Whether a document has `static_resources`.
pub(super) fn fits(config: &Config) -> bool {
    let of_it = |node: &Node| node.get("static_resources").or(node.get("staticResources")).is_some();
    config.documents.iter().any(of_it)
}

/// The tree with keys in snake case, as the API has them; what is quoted text stays.
fn snake(node: &Node) -> Node {
    let value = match &node.value {
        Is::Scalar { text, quoted } => Is::Scalar {
            text: text.clone(),
            quoted: *quoted,
        },
        Is::List(items) => Is::List(items.iter().map(snake).collect()),
        Is::Map(entries) => Is::Map(entries.iter().map(snake_entry).collect()),
    };
    Node { at: node.at, value }
}

/// A key or a path in snake case.
pub(super) fn snake_case(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    // A digit begins a word here, which camel case does not show.
    out.replace("consecutive5xx", "consecutive_5xx")
}

fn snake_entry(entry: &Entry) -> Entry {
    Entry {
        key: snake_case(&entry.key),
        at: entry.at,
        value: snake(&entry.value),
    }
}

/// The items of the list at `path`; none if there is no list.
fn items<'a>(node: &'a Node, path: &str) -> &'a [Node] {
    node.find(path).map_or(&[][..], Node::items)
}

/// The text at `path`.
fn text<'a>(node: &'a Node, path: &str) -> Option<&'a str> {
    node.find(path).and_then(Node::text)
}

/// Seconds of a duration like "0.25s".
fn seconds(node: &Node) -> Option<f64> {
    let number: f64 = node.text()?.trim().strip_suffix('s')?.parse().ok()?;
    (0.0..1e9).contains(&number).then_some(number)
}

/// The seconds at `path`.
fn seconds_at(node: &Node, path: &str) -> Option<f64> {
    seconds(node.find(path)?)
}

/// A length of time as an experiment has it; at least a millisecond.
fn span(s: f64) -> String {
    let ms = (s * 1e3).round().max(1.0);
    if ms >= 1e3 && ms % 1e3 == 0.0 {
        format!("{}s", ms / 1e3)
    } else {
        format!("{ms}ms")
    }
}

/// What all parts of the reading add to.
#[derive(Default)]
struct Notes {
    warnings: Vec<Warning>,
    left_out: Vec<String>,
    ask: Vec<String>,
}

impl Notes {
    fn warn(&mut self, code: &str, subject: &str, at: Place) {
        self.warnings.push(Warning::new(code, subject, Some(at)));
    }
}

/// Makes a gateway of a bootstrap.
pub(super) fn read(config: &Config) -> Gateway {
    let nothing = Node {
        at: Place::default(),
        value: Is::Map(Vec::new()),
    };
    let found = config
        .documents
        .iter()
        .map(snake)
        .find(|node| node.get("static_resources").is_some());
    let root = found.or_else(|| config.first().map(snake)).unwrap_or(nothing);
    let mut notes = Notes::default();
    let clusters = clusters::of(&root, &mut notes);
    let routes = routes::of(&root, &clusters, &mut notes);
    let limits = limits::of(&root, &mut notes);
    let one = routes.len() == 1;
    let total = routes
        .iter()
        .map(|route| route.timeout.unwrap_or(f64::INFINITY))
        .fold(0.0, f64::max);
    let groups: Vec<Group> = routes
        .iter()
        .map(|route| group(route, &routes, (one, total), &limits))
        .collect();
    let mut client = Map::new();
    let mut timeouts = Map::new();
    if let [route] = &routes[..] {
        client.extend(settings(route, &members_of(route, &routes)));
        if let Some(Value::Object(of)) = client.remove("timeouts") {
            timeouts = of;
        }
    }
    if total > 0.0 && total.is_finite() {
        timeouts.insert("total".to_owned(), json!(span(total)));
    }
    if !timeouts.is_empty() {
        client.insert("timeouts".to_owned(), Value::Object(timeouts));
    }
    // The limits of one route refuse with a 429 of its group; those of several are the client's.
    let of_all: Vec<&Value> = if one {
        limits.throttles.iter().collect()
    } else {
        limits.buckets.iter().chain(&limits.throttles).collect()
    };
    if !of_all.is_empty() {
        client.insert("limiters".to_owned(), json!(of_all));
        // Envoy lets none wait.
        client.insert("admission".to_owned(), json!({ "queue": { "capacity": 0 } }));
    }
    let mut facts = Map::new();
    let used = |cluster: &Cluster<'_>| {
        let all = routes.iter().flat_map(|route| &route.clusters);
        all.into_iter().any(|(other, _)| other.name == cluster.name)
    };
    let known = clusters.iter().filter(|cluster| used(cluster));
    let hosts = object(known.map(|cluster| (cluster.name.clone(), cluster.pool())));
    if !hosts.is_empty() {
        facts.insert("hosts".to_owned(), Value::Object(hosts));
    }
    for cluster in clusters.iter().filter(|cluster| !used(cluster)) {
        notes
            .left_out
            .push(format!("{} (a cluster that no route leads to)", cluster.name));
    }
    doubts::of(&routes, &mut notes);
    notes.ask.insert(0, "arrivals and tokens, by route".to_owned());
    if groups
        .iter()
        .flat_map(|group| &group.members)
        .any(|member| member.price.is_none() && !member.local)
    {
        notes.ask.push("the models asked for, and their prices".to_owned());
    }
    warning::sort(&mut notes.warnings);
    Gateway {
        product: &PRODUCT,
        version: "bootstrap (API v3)".to_owned(),
        files: config.files.clone(),
        ledger: ledger::of(&root, KEYS),
        groups,
        aliases: Vec::new(),
        client,
        facts,
        cache: None,
        replicas: 1,
        warnings: notes.warnings,
        limits: bounds::of_all(&limits),
        left_out: notes.left_out,
        ask: notes.ask,
    }
}

/// The providers of a route's clusters: the names of the hosts, with the model where a cluster serves several by name, each at times of
/// its own; a server of one's own is one, whatever it is asked for.
fn members_of<'a>(route: &'a Route<'a>, routes: &[Route<'_>]) -> Vec<(&'a Cluster<'a>, &'a Host, String)> {
    let mut members = Vec::new();
    for &(cluster, _) in &route.clusters {
        let models = routes
            .iter()
            .filter(|other| other.clusters.iter().any(|(of, _)| of.name == cluster.name))
            .map(|other| &other.model);
        let mut others = models.filter(|model| **model != route.model);
        let suffix = match (&route.model, others.next()) {
            (Some(model), Some(_)) => format!("/{model}"),
            (Some(_), None) | (None, _) => String::new(),
        };
        for host in &cluster.hosts {
            let suffix = if is_private(&host.address) { "" } else { &suffix };
            members.push((cluster, host, format!("{}{suffix}", host.name)));
        }
    }
    members
}

/// What a route says of its client: retries, the breaker, timeouts of an attempt, the budget of retries.
fn settings(route: &Route<'_>, members: &[(&Cluster<'_>, &Host, String)]) -> Map<String, Value> {
    let mut of = Map::new();
    of.insert(
        "retry".to_owned(),
        route.retry.to_json(route.clusters.first().map(|(c, _)| *c)),
    );
    let budget = route
        .clusters
        .first()
        .and_then(|(cluster, _)| cluster.retry_budget.clone());
    if let Some(budget) = budget.filter(|_| route.retry.is_any()) {
        of.insert("retry_budget".to_owned(), budget);
    }
    if let Some(breaker) = outlier::of(route, members) {
        of.insert("breaker".to_owned(), json!({ "envoy_outlier": breaker }));
    }
    let mut timeouts = Map::new();
    let connect = route
        .clusters
        .iter()
        .map(|(cluster, _)| cluster.connect_timeout)
        .fold(0.0, f64::max);
    if connect > 0.0 {
        timeouts.insert("connect".to_owned(), json!(span(connect)));
    }
    if let Some(attempt) = route.retry.per_try {
        timeouts.insert("attempt".to_owned(), json!(span(attempt)));
    }
    // Where no shorter timeout of the whole answer strikes first.
    if let Some(idle) = route
        .silence()
        .filter(|idle| route.timeout.is_none_or(|total| *idle < total))
    {
        timeouts.insert("ttft".to_owned(), json!(span(idle)));
        timeouts.insert("idle".to_owned(), json!(span(idle)));
    }
    of.insert("timeouts".to_owned(), Value::Object(timeouts));
    of
}

fn group(route: &Route<'_>, routes: &[Route<'_>], (one, total): (bool, f64), limits: &limits::Limits) -> Group {
    let members = members_of(route, routes);
    let mut own = Map::new();
    let buckets: Vec<&Value> = match one {
        true => route.buckets.iter().chain(&limits.buckets).collect(),
        false => route.buckets.iter().collect(),
    };
    if !buckets.is_empty() {
        own.insert("limiters".to_owned(), json!(buckets));
    }
    if !one {
        let mut client = settings(route, &members);
        // A route with a shorter timeout than the longest has it as that of an attempt.
        if let (Some(timeout), Some(of)) = (route.timeout.filter(|t| *t < total), client.get_mut("timeouts"))
            && route.retry.per_try.is_none_or(|per_try| per_try > timeout)
        {
            of["attempt"] = json!(span(timeout));
        }
        own.extend(
            client
                .remove("retry_budget")
                .map(|budget| ("retry_budget".to_owned(), budget)),
        );
        own.insert("client".to_owned(), Value::Object(client));
    }
    let policy = route.policy(&members);
    let (cases, worst) = cases::of(route);
    Group {
        name: route.name.clone(),
        at: route.at,
        through: through(route, members.len()),
        policy,
        chain: vec![route.name.clone()],
        worst_attempts: cases.iter().map(|case| case.attempts).max().unwrap_or(1),
        worst_seconds: worst,
        cases,
        limits: bounds::of(route),
        members: members
            .into_iter()
            .map(|(cluster, host, name)| member(route, cluster, host, name))
            .collect(),
        settings: own,
        ..Group::default()
    }
}

fn member(route: &Route<'_>, cluster: &Cluster<'_>, host: &Host, name: String) -> Member {
    let local = is_private(&host.address);
    Member {
        name,
        at: host.at,
        model: route.model.clone().unwrap_or_else(|| host.address.clone()),
        price: route.model.clone().filter(|_| !local),
        local,
        account: Some(cluster.name.clone()),
        ..Member::default()
    }
}

/// Whether an address is of a machine of one's own: loopback, a private network, a name inside a cluster.
fn is_private(address: &str) -> bool {
    let ends = [".local", ".internal", ".svc", ".lan"];
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_unspecified(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || (ip.segments()[0] & 0xfe00) == 0xfc00,
        Err(_) => !address.contains('.') || ends.iter().any(|end| address.ends_with(end)),
    }
}

/// What each attempt passes, in words.
fn through(route: &Route<'_>, members: usize) -> Vec<String> {
    let mut through = vec![match route.timeout {
        Some(total) => format!("at most {total} s in all"),
        None => "without a bound on the whole".to_owned(),
    }];
    if route.clusters.len() > 1 {
        through.push("a cluster by weight, for all tries".to_owned());
    }
    if route.clusters.iter().any(|(cluster, _)| cluster.levels() > 1) {
        through.push("the first priority with enough healthy hosts".to_owned());
    }
    if members > route.clusters.len() {
        let balancers: Vec<&str> = route
            .clusters
            .iter()
            .map(|(cluster, _)| cluster.balancer.words())
            .collect();
        through.push(format!("a host {}", balancers.first().copied().unwrap_or("in turn")));
    }
    if let Some((cluster, _)) = route.clusters.first() {
        through.push(cluster.bounds_in_words());
    }
    through
}

#[cfg(test)]
mod tests;
