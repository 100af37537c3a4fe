//! Limits of Envoy AI Gateway: of rules, and of backends; what they count is a sum of tokens.

use serde_json::{Map, Value, json};

use crate::gateways::model::{Gateway, Limit, Member};
use crate::gateways::source::Config;
use crate::gateways::tree::Node;
use crate::gateways::warning::Warning;

/// The rules of the limit for all of the gateway.
fn rules(traffic: Option<&Node>) -> &[Node] {
    let found = traffic.and_then(|node| node.find("rateLimit.global.rules"));
    found.map_or(&[][..], Node::items)
}

/// What a rule counts instead of requests: the cost that it names, if it names one that there is.
fn cost_of<'a>(config: &'a Config, rule: &Node) -> Option<&'a Node> {
    let key = rule.find("cost.response.metadata.key").and_then(Node::text)?;
    let all = config
        .documents
        .iter()
        .flat_map(|node| node.find("spec.llmRequestCosts").map_or(&[][..], Node::items));
    let mut named = all.filter(|cost| cost.text_of("metadataKey") == Some(key));
    named.next()
}

/// The gateway's own limiters: one for all that ask, or for each value of the header that tells them apart.
pub(super) fn limiters(config: &Config, traffic: Option<&Node>) -> Vec<Value> {
    let of_rule = |rule: &Node| {
        let limit = rule.get("limit")?.count_of("requests")?;
        let window = match rule.find("limit.unit")?.text()? {
            "Second" => "1s",
            "Minute" => "1m",
            "Hour" => "1h",
            _ => "24h",
        };
        let Some(cost) = cost_of(config, rule) else {
            let all = json!({ "fixed_window": { "unit": "requests", "limit": limit, "window": window } });
            return Some(of_identity(rule, all));
        };
        let (unit, input, output) = match cost.text_of("type") {
            Some("InputToken") => ("input_tokens", 1.0, 0.0),
            Some("OutputToken") => ("output_tokens", 0.0, 1.0),
            Some("CEL") => linear(cost.text_of("cel").unwrap_or(""))?,
            _ => ("tokens", 1.0, 1.0),
        };
        let all = json!({ "fixed_window": { "unit": unit, "limit": limit, "window": window, "charge": charge(unit, input, output) } });
        Some(of_identity(rule, all))
    };
    rules(traffic).iter().filter_map(of_rule).collect()
}

/// The limits in words, with the bounds that are not simulated.
pub(super) fn said(config: &Config, traffic: Option<&Node>) -> Vec<Limit> {
    let of_rule = |rule: &Node| {
        let limit = rule.get("limit")?.count_of("requests")?;
        let window = rule.find("limit.unit")?.text()?.to_lowercase();
        let cost = cost_of(config, rule);
        let unit = match cost.map(|cost| (cost.text_of("type"), cost.text_of("cel"))) {
            None => "requests".to_owned(),
            Some((Some("InputToken"), _)) => "tokens of input".to_owned(),
            Some((Some("OutputToken"), _)) => "tokens of output".to_owned(),
            Some((Some("CEL"), cel)) => format!("of {}", cel.unwrap_or("a cost in CEL")),
            Some(_) => "tokens".to_owned(),
        };
        let limiter = of_identity(rule, Value::Null);
        let whose = match limiter
            .get("each")
            .and_then(|each| each.get("per"))
            .and_then(Value::as_str)
        {
            Some(per) => format!(" for each {}", per.trim_start_matches("tag.")),
            None => String::new(),
        };
        let late = if cost.is_some() {
            "; it is charged when the answer ends, so that calls under way go beyond"
        } else {
            ""
        };
        let beyond = format!("Envoy refuses with a 429 before any backend is asked; nothing is tried again{late}");
        Some(Limit::new(
            format!("{limit} {unit} each {window}{whose}"),
            beyond,
            Some(rule.at),
        ))
    };
    let mut all: Vec<Limit> = rules(traffic).iter().filter_map(of_rule).collect();
    let breaker = traffic.and_then(|node| node.get("circuitBreaker"));
    for (key, what, beyond) in [
        (
            "maxConnections",
            "connections of each backend",
            "one more request waits for a connection",
        ),
        (
            "maxParallelRequests",
            "calls at once to each backend",
            "one more is refused by Envoy with a 503 and not tried again; not simulated",
        ),
        (
            "maxPendingRequests",
            "requests that wait at each backend",
            "one more is refused by Envoy with a 503 and not tried again; not simulated",
        ),
        (
            "maxParallelRetries",
            "retries at once",
            "one more retry is not made: the caller is told the failure",
        ),
    ] {
        if let Some(entry) = breaker.and_then(|of| of.entry(key))
            && let Some(n) = entry.value.number()
        {
            all.push(Limit::new(format!("{n} {what}"), beyond, Some(entry.at)));
        }
    }
    let quotas = config
        .documents
        .iter()
        .filter(|node| node.text_of("kind") == Some("QuotaPolicy"));
    for quota in quotas.flat_map(|node| node.find("spec.perModelQuotas").map_or(&[][..], Node::items)) {
        let bucket = quota.find("quota.defaultBucket");
        let Some(limit) = bucket.and_then(|bucket| bucket.count_of("limit")) else {
            continue;
        };
        let window = bucket.and_then(|bucket| bucket.text_of("duration")).unwrap_or("1m");
        let cost = quota
            .find("quota.costExpression")
            .and_then(Node::text)
            .unwrap_or("total_tokens");
        let model = quota
            .text_of("modelName")
            .map_or_else(String::new, |model| format!(" of {model}"));
        let what = format!("a quota of {limit} in {cost} each {window}{model}");
        let beyond = "the gateway answers 429 and asks no other backend; it is charged when the answer ends";
        all.push(Limit::new(what, beyond, Some(quota.at)));
    }
    all
}

/// The limiter of a rule: `all` itself, or for each identity that the rule's first selector tells apart. Its headers are tags of their
/// names; one with a value limits the requests that carry it.
fn of_identity(rule: &Node, all: Value) -> Value {
    let selector = rule.get("clientSelectors").map_or(&[][..], Node::items).first();
    let headers = selector
        .and_then(|selector| selector.get("headers"))
        .map_or(&[][..], Node::items);
    let is_distinct = |header: &&Node| header.text_of("type") == Some("Distinct");
    let header = headers.iter().find(is_distinct).or(headers.first());
    let by_address = selector
        .and_then(|selector| selector.find("sourceCIDR.type"))
        .and_then(Node::text)
        == Some("Distinct");
    match header.and_then(|header| Some((header, header.text_of("name")?))) {
        Some((header, name)) => match header.text_of("value").filter(|_| !is_distinct(&header)) {
            Some(value) => json!({ "each": { "per": format!("tag.{name}"), "of": [value], "limiter": all } }),
            None => json!({ "each": { "per": format!("tag.{name}"), "limiter": all } }),
        },
        None if by_address => json!({ "each": { "per": "tag.source-address", "limiter": all } }),
        None => all,
    }
}

/// What an answer costs a limit, when it ends.
fn charge(unit: &str, input: f64, output: f64) -> Value {
    match unit {
        "tokens" => json!({ "at": "end", "input_weight": input, "output_weight": output }),
        _ => json!({ "at": "end" }),
    }
}

/// A sum of `input_tokens`, `output_tokens` and `total_tokens` with whole factors.
fn linear(cel: &str) -> Option<(&'static str, f64, f64)> {
    let (mut input, mut output) = (0.0, 0.0);
    for term in cel.split('+') {
        let (mut factor, mut of) = (1.0, "");
        for part in term.split('*').map(str::trim) {
            match part.trim_end_matches('u').parse::<f64>() {
                Ok(number) => factor *= number,
                Err(_) => of = part,
            }
        }
        match of {
            "input_tokens" => input += factor,
            "output_tokens" => output += factor,
            "total_tokens" => (input, output) = (input + factor, output + factor),
            _ => return None,
        }
    }
    Some(("tokens", input, output))
}

/// Quotas of backends: beyond one the gateway answers 429 and asks no other.
pub(super) fn quotas(policies: &[&Node], gateway: &mut Gateway) {
    let mut limits = Map::new();
    for policy in policies {
        let targets = policy.find("spec.targetRefs").map_or(&[][..], Node::items);
        let backends: Vec<&str> = targets.iter().filter_map(|target| target.text_of("name")).collect();
        for quota in policy.find("spec.perModelQuotas").map_or(&[][..], Node::items) {
            let bucket = quota.find("quota.defaultBucket");
            let limit = bucket.and_then(|bucket| bucket.count_of("limit"));
            let window = bucket.and_then(|bucket| bucket.text_of("duration")).unwrap_or("1m");
            let cost = quota
                .find("quota.costExpression")
                .and_then(Node::text)
                .unwrap_or("total_tokens");
            let members = gateway.groups.iter().flat_map(|group| &group.members);
            let is_meant = |member: &&Member| {
                member
                    .account
                    .as_deref()
                    .is_some_and(|account| backends.contains(&account))
                    && quota.text_of("modelName").is_none_or(|model| member.model == model)
            };
            for member in members.filter(is_meant) {
                if let (Some(limit), Some((unit, input, output))) = (limit, linear(cost)) {
                    let of = json!([{ "fixed_window": { "unit": unit, "limit": limit, "window": window, "charge": charge(unit, input, output) } }]);
                    limits.insert(member.name.clone(), of);
                }
            }
            gateway
                .warnings
                .push(Warning::new("quota-does-not-reroute", "", Some(quota.at)));
            for rule in quota.find("quota.bucketRules").map_or(&[][..], Node::items) {
                if rule.flag("shadowMode") {
                    gateway.warnings.push(Warning::new("shadow-mode", "", Some(rule.at)));
                }
            }
        }
    }
    if !limits.is_empty() {
        gateway
            .facts
            .insert("limits_of_providers".to_owned(), Value::Object(limits));
    }
}
