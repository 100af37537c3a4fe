//! TensorZero's `rate_limiting.rules`: as limiters and budgets of an experiment, and in words.
//!
//! `RESOURCE_per_WINDOW` is a window that begins at the rule's first use, or with `capacity` and `refill_rate` a bucket. Tokens and money are
//! reserved before a call and corrected after it (in a bucket here they are not corrected). A rule is for all requests, for those with a tag (`tensorzero::total`), for each value of it
//! (`tensorzero::each`) or for one; likewise for keys. Of the rules that a request matches those with `always` hold, and of the others those of the
//! highest `priority` alone: a rule for some puts those below it aside for them.
//!
//! Source: tensorzero/tensorzero 7a6159a, `docs/operations/enforce-custom-rate-limits.mdx`, `crates/tensorzero-core/src/config/rate_limiting.rs`
//! and `rate_limiting/mod.rs` (`get_active_limits`). Requests of an experiment have every tag that a rule names, so that a rule for all that
//! have it puts the others aside for all. Left out: the part of a rule that one for a single tag puts aside; a second condition of a scope; money by
//! the second or the minute.

use serde_json::{Value, json};

use crate::gateways::model::Limit;
use crate::gateways::tree::{Entry, Node};

/// The rules of a file.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) limiters: Vec<Value>,
    pub(super) budgets: Vec<Value>,
    pub(super) said: Vec<Limit>,
}

/// Windows, and how long each is as an experiment writes it.
const WINDOWS: [(&str, &str); 6] = [
    ("second", "1s"),
    ("minute", "1m"),
    ("hour", "1h"),
    ("day", "24h"),
    ("week", "168h"),
    ("month", "720h"),
];

/// The callers that a rule is for: what tells them apart, the one value if it is for one, and in words.
struct Scope {
    per: Option<String>,
    of: Option<String>,
    words: String,
    /// The number of conditions.
    conditions: usize,
    /// The priority; none of a rule that always holds.
    priority: Option<u64>,
    /// The line of the rule.
    line: u32,
}

impl Scope {
    /// Whether all that this rule is for have the other one put aside.
    fn covers(&self, other: &Scope) -> bool {
        let is_above = self.priority > other.priority && other.priority.is_some();
        // Of several conditions the first alone is looked at.
        is_above && self.conditions < 2 && (self.of.is_none() || (&self.per, &self.of) == (&other.per, &other.of))
    }

    /// Whether the rule puts the other one aside for some of its requests.
    fn covers_some(&self, other: &Scope) -> bool {
        let is_above = self.priority > other.priority && other.priority.is_some();
        // Two values of one tag have no request in common.
        is_above && !(self.per == other.per && self.of.is_some() && other.of.is_some() && self.of != other.of)
    }
}

fn scope(rule: &Node) -> Scope {
    let conditions = rule.get("scope").map_or(&[][..], Node::items);
    let first = conditions.first();
    let mut found = Scope {
        per: None,
        of: None,
        words: "of all requests".to_owned(),
        conditions: conditions.len(),
        priority: rule.count_of("priority").filter(|_| !rule.flag("always")),
        line: rule.at.line,
    };
    let Some(first) = first else { return found };
    let (per, called, value) = match (first.text_of("tag_key"), first.text_of("api_key_public_id")) {
        (Some(tag), _) => (format!("tag.{tag}"), tag, first.text_of("tag_value").unwrap_or("")),
        (None, Some(key)) => ("key".to_owned(), "key", key),
        (None, None) => return found,
    };
    match value {
        "tensorzero::total" => found.words = format!("of all requests that have {called}"),
        "tensorzero::each" => {
            found.words = format!("of each {called}");
            found.per = Some(per);
        }
        one => {
            found.words = format!("of the {called} {one}");
            (found.per, found.of) = (Some(per), Some(one.to_owned()));
        }
    }
    found
}

/// The rules, if they are on.
pub(super) fn read(root: &Node) -> Rules {
    let mut rules = Rules::default();
    let Some(section) = root.get("rate_limiting") else {
        return rules;
    };
    if section.text_of("enabled") == Some("false") {
        return rules;
    }
    let all = section.get("rules").map_or(&[][..], Node::items);
    let scopes: Vec<Scope> = all.iter().map(scope).collect();
    for (rule, scope) in all.iter().zip(&scopes) {
        let above = scopes.iter().find(|other| other.covers(scope));
        let partly = scopes.iter().find(|other| other.covers_some(scope));
        rule.entries()
            .iter()
            .for_each(|entry| rules.add(entry, scope, (above, partly)));
    }
    rules
}

impl Rules {
    /// Adds a limit of a rule, with the rules that put it aside, wholly or for some.
    fn add(&mut self, entry: &Entry, scope: &Scope, (above, partly): (Option<&Scope>, Option<&Scope>)) {
        let Some((resource, window)) = entry.key.split_once("_per_") else {
            return;
        };
        let Some((_, lasts)) = WINDOWS.iter().find(|(name, _)| *name == window) else {
            return;
        };
        let most = entry.value.number().or_else(|| entry.value.number_of("capacity"));
        let Some(most) = most.filter(|most| *most > 0.0) else {
            return;
        };
        let refill = entry.value.number_of("refill_rate");
        let (unit, words, unknown) = match resource {
            "model_inferences" => ("requests", format!("{most} calls to models"), false),
            "tokens" => ("tokens", format!("{most} tokens"), false),
            "cost" => ("", format!("${most}"), matches!(window, "second" | "minute")),
            _ => return,
        };
        let refilled = refill.map_or(String::new(), |refill| format!(" at most, refilled by {refill}"));
        let what = format!("{words}{refilled} each {window} {}", scope.words);
        if let Some(above) = above {
            let beyond = format!(
                "not looked at: the rule of line {} has a higher priority, {}",
                above.line, above.words
            );
            self.said.push(Limit::new(what, beyond, Some(entry.at)));
            return;
        }
        let each = |mut of: Value, key: &str| {
            if let Some(per) = &scope.per {
                of[key] = json!(per);
            }
            if let Some(one) = &scope.of {
                of["of"] = json!([one]);
            }
            of
        };
        if unit.is_empty() {
            if !unknown {
                self.budgets
                    .push(each(json!({ "per": window, "money": format!("${most}") }), "each"));
            }
        } else {
            let count = most.max(1.0) as u64;
            let mut window = json!({ "unit": unit, "limit": count, "window": lasts, "begins": "first_use" });
            if unit == "tokens" {
                window["charge"] = json!({ "reconcile": true });
            }
            let of = match refill {
                Some(refill) => {
                    json!({ "token_bucket": { "unit": unit, "burst": count, "rate": format!("{refill}/{lasts}") } })
                }
                None => json!({ "fixed_window": window }),
            };
            self.limiters.push(match scope.per {
                Some(_) => json!({ "each": each(json!({ "limiter": of }), "per") }),
                None => of,
            });
        }
        let mut beyond = match unknown {
            true => "the gateway answers 429; not simulated",
            false => "the gateway answers 429 where every provider that is left is over it; it is not tried again",
        }
        .to_owned();
        if let Some(partly) = partly {
            beyond += &format!(
                "; the rule of line {} stands in its place {}, where a simulation has both",
                partly.line, partly.words
            );
        }
        self.said.push(Limit::new(what, beyond, Some(entry.at)));
    }
}
