//! The explanation as JSON, for programs: `simcap.explain/1`.

use serde_json::{Map, Value, json};

use super::{place, words};
use crate::form::object;
use crate::gateways::Gateway;
use crate::gateways::import::{MEDIANS, built_in_prices};
use crate::gateways::model::{Group, Limit, Member};
use crate::gateways::worst::cost;

/// The explanation of `gateway` as a JSON text.
pub fn json(gateway: &Gateway) -> String {
    let by_group = |of: &dyn Fn(&Group) -> Option<Value>| -> Value {
        let pairs = gateway
            .groups
            .iter()
            .filter_map(|group| Some((group.name.clone(), of(group)?)));
        Value::Object(object(pairs))
    };
    let by_member = |of: &dyn Fn(&Member) -> Option<Value>| -> Value {
        let members = gateway.groups.iter().flat_map(|group| &group.members);
        Value::Object(object(
            members.filter_map(|member| Some((member.name.clone(), of(member)?))),
        ))
    };
    let names = |list: &[String]| (!list.is_empty()).then(|| json!(list));
    let mut of = Map::new();
    let mut put = |name: &str, value: Value| {
        let empty = value.is_null()
            || value.as_object().is_some_and(Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty);
        if !empty {
            of.insert(name.to_owned(), value);
        }
    };
    put("format", json!("simcap.explain/1"));
    put("product", json!(gateway.product.name));
    put("version", json!(gateway.version));
    put("held", json!(gateway.product.held));
    put("files", json!(gateway.files));
    put(
        "groups",
        by_group(&|group| {
            let members = || group.members.iter().map(|m| json!(m.name)).collect();
            Some(
                group
                    .facts
                    .get("complexity")
                    .map_or_else(members, |tiers| json!({ "complexity": tiers })),
            )
        }),
    );
    put(
        "aliases",
        Value::Object(object(
            gateway
                .aliases
                .iter()
                .map(|(alias, group)| (alias.clone(), json!(group))),
        )),
    );
    put(
        "price",
        by_member(&|m| match (m.own_price, &m.price) {
            (Some((input, output)), _) => Some(json!({ "input": per_million(input), "output": per_million(output) })),
            (None, Some(price)) => Some(json!(price)),
            (None, None) => None,
        }),
    );
    let mut accounts: Map<String, Value> = Map::new();
    for member in gateway.groups.iter().flat_map(|group| &group.members) {
        let Some(account) = &member.account else { continue };
        if let Value::Array(of) = accounts.entry(account.as_str()).or_insert(json!([])) {
            of.push(json!(member.name));
        }
    }
    put("account", Value::Object(accounts));
    put(
        "connections",
        by_member(&|m| {
            Some(json!({ "connections": m.connections?, "line": if m.waits { Value::Null } else { json!(0) } }))
        }),
    );
    put("timeout", by_member(&|m| m.timeout.map(|s| json!(format!("{s}s")))));
    put(
        "stream_timeout",
        by_member(&|m| m.stream_timeout.map(|s| json!(format!("{s}s")))),
    );
    put(
        "policy",
        by_group(&|group| Some(group.policy.clone()).filter(|policy| !policy.is_null())),
    );
    put(
        "shares_when_all_are_well",
        by_group(&|group| {
            let shares = group.shares.as_ref().filter(|shares| shares.len() > 1)?;
            Some(Value::Object(object(
                group
                    .members
                    .iter()
                    .zip(shares)
                    .map(|(m, share)| (m.name.clone(), json!(share))),
            )))
        }),
    );
    put("through", by_group(&|group| names(&group.through)));
    let mut fallback = by_group(&|group| names(&group.fallback));
    if let Some(default) = gateway.facts.get("default_fallbacks") {
        fallback["*"] = default.clone();
    }
    put("fallback", fallback);
    put(
        "context_window_fallback",
        by_group(&|group| names(&group.context_fallback)),
    );
    put(
        "content_policy_fallback",
        by_group(&|group| names(&group.content_fallback)),
    );
    put(
        "chain",
        by_group(&|group| (group.chain.len() > 1).then(|| json!(group.chain))),
    );
    for (name, value) in &gateway.client {
        put(name, value.clone());
    }
    for (name, value) in &gateway.facts {
        put(name, value.clone());
    }
    put(
        "by_group",
        by_group(&|group| (!group.facts.is_empty()).then(|| Value::Object(group.facts.clone()))),
    );
    if let Some(cache) = &gateway.cache {
        put("response_cache", cache.facts());
    }
    put(
        "settings",
        by_group(&|group| (!group.settings.is_empty()).then(|| Value::Object(group.settings.clone()))),
    );
    if gateway.replicas > 1 {
        put("gateways", json!(gateway.replicas));
    }
    put(
        "worst_attempts_of_one_request",
        by_group(&|group| (group.worst_attempts > 0).then(|| json!(group.worst_attempts))),
    );
    put(
        "worst_seconds_of_one_request",
        by_group(&|group| (group.worst_attempts > 0).then(|| json!(group.worst_seconds))),
    );
    let prices = built_in_prices();
    put(
        "dollars_of_one_request",
        by_group(&|group| {
            let cost = cost(gateway, group, &prices)?;
            let (least, most) = cost.answered;
            let of = json!({ "input": MEDIANS.0, "output": MEDIANS.1, "answered_at_once": [least, most], "every_attempt_billed": cost.worst });
            Some(of).filter(|_| group.worst_attempts > 0)
        }),
    );
    put(
        "when",
        by_group(&|group| {
            let case = |case: &crate::gateways::model::Case| {
                let mut of = json!({ "when": case.when, "attempts": case.attempts, "seconds": [case.seconds.0, case.seconds.1], "then": case.then });
                if !case.branch.is_empty() {
                    of["branch"] = json!(case.branch);
                }
                of
            };
            (!group.cases.is_empty()).then(|| group.cases.iter().map(case).collect())
        }),
    );
    let limits = |list: &[Limit]| -> Value {
        let one = |limit: &Limit| json!({ "what": limit.what, "beyond": limit.beyond, "at": limit.at.map(|at| place(gateway, Some(at))) });
        list.iter().map(one).collect()
    };
    put(
        "limits",
        by_group(&|group| (!group.limits.is_empty()).then(|| limits(&group.limits))),
    );
    put("limits_of_all", limits(&gateway.limits));
    let warnings = gateway.warnings.iter().map(|warning| {
        let (means, remedy) = words(warning);
        json!({
            "code": warning.kind.code, "level": warning.kind.level.name(), "subject": warning.subject,
            "file": warning.at.map(|at| &gateway.files[usize::from(at.file)]), "line": warning.at.map(|at| at.line),
            "means": means, "remedy": remedy,
        })
    });
    put("warnings", warnings.collect());
    put("left_out", json!(gateway.left_out));
    put("ask", json!(gateway.ask));
    let rows = gateway.ledger.iter().map(|row| {
        json!({ "key": row.path, "at": place(gateway, Some(row.at)), "verdict": row.verdict.words(), "how": row.how })
    });
    put("keys", rows.collect());
    format!("{:#}\n", Value::Object(of))
}

/// Dollars a million tokens, as an experiment has it.
fn per_million(dollars_a_token: f64) -> String {
    // Prices have few digits; what multiplying adds is cut off.
    format!("${}/Mtok", (dollars_a_token * 1e12).round() / 1e6)
}
