//! What a configuration comes to, setting by setting: the form in which two of them are compared and one is written back.
//!
//! An experiment may say a thing at several levels (its client, a policy, a group); what counts is what holds in the end. So each group has
//! its whole retry rule, breaker and timeouts here, whatever level they come from, and two experiments that mean the same have the same
//! settings. A setting is a path and a value; that of a mechanism's kind ends in [`KIND`], so that the parameters of two kinds stand at
//! the same paths. Of providers only what a gateway configures is here, not what a model knows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::import::{Assumptions, experiment};
use super::{Gateway, Refused};
use crate::client::groups::GroupChanges;
use crate::experiment::assemble::settings_of_groups;
use crate::experiment::file::{Experiment, PolicyEntry};
use crate::form::diagnose;
use crate::form::units::seconds;
use crate::provider::pricing::listed::Table;
use crate::report::format::span;
use crate::routing::PolicySpec;
use crate::stats::sorting;

/// The last step of the path of a mechanism's kind.
pub const KIND: &str = "kind";

/// The name of the only group where callers do not ask by name.
pub const ONLY: &str = "";

/// Where a setting is: `group`, its name and what of it; `provider`, its name and what of it; or what of the client.
pub type Path = Vec<String>;

/// The settings of a policy and its client.
pub type Settings = BTreeMap<Path, Value>;

/// The settings of a group that its own client may change.
const OF_GROUPS: [&str; 2] = ["retry", "breaker"];

/// The timeouts that a group may change.
const TIMEOUTS: [&str; 4] = ["connect", "ttft", "idle", "attempt"];

/// The keys under which a mechanism stands by its kind.
const MECHANISMS: [&str; 8] = [
    "policy",
    "retry",
    "breaker",
    "hedge",
    "retry_budget",
    "admission",
    "then",
    "default",
];

/// What of a provider a gateway configures.
const OF_PROVIDERS: [&str; 4] = ["connections", "line", "context_window", "limits"];

/// The settings of the gateway.
///
/// # Errors
/// If what the configuration says is not an experiment: a number out of range.
pub fn of_gateway(gateway: &Gateway, prices: &Table) -> Result<Settings, Refused> {
    let assumed = Assumptions::of(gateway, prices);
    let text = experiment(gateway, &assumed, "gateway").to_string();
    let file = gateway.files.first().map_or("", String::as_str);
    let spec: Experiment =
        diagnose::parse(file, &text).map_err(|error| Refused::whole(file, format!("makes no experiment: {error}")))?;
    let Some(entry) = spec.policies.first() else {
        return Ok(Settings::new());
    };
    let settings = of(&spec, entry);
    Ok(match (&gateway.groups[..], &entry.policy) {
        // A lone group that has something of its own is written as a named one, and is the only one all the same.
        ([one], PolicySpec::model_groups(_)) => alone(settings, &one.name),
        _ => settings,
    })
}

/// The settings of a lone group by the name of the only one.
pub(super) fn alone(settings: Settings, name: &str) -> Settings {
    let kept = settings.into_iter().filter_map(|(mut path, value)| {
        match &mut path[..] {
            [what, group, rest @ ..] if what == "group" && group == name => {
                if rest.first().is_some_and(|field| field == "providers") {
                    return None;
                }
                *group = ONLY.to_owned();
            }
            [what, ..] if what == "max_fallbacks" || what == "tells" => return None,
            _ => {}
        }
        Some((path, value))
    });
    sorting::map(kept)
}

/// The settings of the policy `entry` of `spec`.
pub fn of(spec: &Experiment, entry: &PolicyEntry) -> Settings {
    let mut out = Settings::new();
    let client = entry.effective(&spec.client);
    let below = settings_of_groups(&client);
    match &entry.policy {
        PolicySpec::model_groups(named) => {
            put(&mut out, &["max_fallbacks"], json!(named.max_fallbacks));
            put(&mut out, &["tells"], value(&named.tells));
            for (name, group) in named.groups.iter() {
                let none = GroupChanges::default();
                let whole = group.client.as_ref().unwrap_or(&none).over(&below);
                put(&mut out, &["group", name], value(&whole));
                let Value::Object(fields) = value(group) else { continue };
                for (field, of) in fields
                    .into_iter()
                    .filter(|(field, _)| field != "client" && field != "targets")
                {
                    put(&mut out, &["group", name, &field], of);
                }
                for (target, changes) in group.targets.iter() {
                    put(
                        &mut out,
                        &["group", name, "targets", target],
                        value(&changes.over(&whole)),
                    );
                }
            }
        }
        policy => {
            put(&mut out, &["group", ONLY], value(&below));
            put(&mut out, &["group", ONLY, "policy"], value(policy));
        }
    }
    let Value::Object(fields) = value(&*client) else {
        return out;
    };
    for (field, mut of) in fields {
        if field == "timeouts" {
            let inside = of.as_object_mut();
            inside
                .into_iter()
                .for_each(|of| of.retain(|name, _| !TIMEOUTS.contains(&name.as_str())));
        }
        if !OF_GROUPS.contains(&field.as_str()) {
            put(&mut out, &[&field], of);
        }
    }
    for (name, provider) in spec.providers.iter() {
        let Value::Object(fields) = value(provider) else {
            continue;
        };
        for (field, of) in fields
            .into_iter()
            .filter(|(field, _)| OF_PROVIDERS.contains(&field.as_str()))
        {
            put(&mut out, &["provider", name, &field], of);
        }
    }
    for (name, host) in spec.hosts.iter() {
        put(&mut out, &["host", name], value(host));
    }
    said_by_default(&mut out);
    out
}

/// Gives LiteLLM's cooldowns the length that they have where nothing says it, so that saying it changes nothing.
fn said_by_default(out: &mut Settings) {
    let cooling = out
        .iter()
        .filter(|(path, kind)| ends(path, "breaker.kind") && *kind == "litellm_cooldown");
    let lengths: Vec<Path> = cooling
        .map(|(path, _)| [&path[..path.len() - 1], &["cooldown_time".to_owned()]].concat())
        .collect();
    for path in lengths {
        out.entry(path).or_insert(json!("5s"));
    }
}

fn value<T: Serialize>(of: &T) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

fn put(out: &mut Settings, path: &[&str], value: Value) {
    let path: Path = path.iter().map(|step| (*step).to_owned()).collect();
    flatten(out, path, value);
}

fn flatten(out: &mut Settings, path: Path, value: Value) {
    let below = |step: &str| [path.as_slice(), &[step.to_owned()]].concat();
    let last = path.last().map_or("", String::as_str);
    match value {
        Value::Null => {}
        Value::Object(of) => {
            let is_mechanism = MECHANISMS.contains(&last) || last.parse::<usize>().is_ok();
            let alone = of.len() == 1 && of.values().all(Value::is_object);
            if !(is_mechanism && alone) {
                of.into_iter()
                    .for_each(|(name, inner)| flatten(out, below(&name), inner));
                return;
            }
            for (kind, inner) in of {
                // A tree is what its first node is.
                let (kind, inner) = match inner {
                    Value::Object(inner) if kind == "tree" && inner.len() == 1 => {
                        inner.into_iter().next().unwrap_or((kind, Value::Null))
                    }
                    inner => (kind, inner),
                };
                out.insert(below(KIND), json!(kind));
                flatten(out, path.clone(), inner);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (number, item) in items.into_iter().enumerate() {
                flatten(out, below(&number.to_string()), item);
            }
        }
        Value::Array(items) => drop(out.insert(path, items.into_iter().map(plain).collect())),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => drop(out.insert(path, plain(value))),
    }
}

/// A number in one form, so that 1 and 1.0 are equal.
fn plain(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => json!(number as i64),
        _ => value,
    }
}

/// Whether `path` ends as `pattern` says, in which `*` stands for any step.
pub fn ends(path: &[String], pattern: &str) -> bool {
    let mut steps = path.iter().rev();
    pattern
        .rsplit('.')
        .all(|word| steps.next().is_some_and(|step| word == "*" || word == step))
}

/// How settings are called, by the end of their path; `*` is the name of the provider that the setting is of.
#[rustfmt::skip]
const WORDS: &[(&str, &str)] = &[
    ("policy.kind", "strategy"),
    ("policy.weights.*", "weight of *"),
    ("policy.limits.rpm.*", "rpm of *"),
    ("policy.limits.tpm.*", "tpm of *"),
    ("retry.kind", "retries"),
    ("retry.num_retries", "retries"),
    ("retry.max_retries", "retries"),
    ("retry.attempts", "retries"),
    ("retry.tries", "attempts"),
    ("retry.retry_after", "shortest sleep before a retry"),
    ("retry.on_status_codes", "statuses that are tried again"),
    ("retry.retry_on", "what is tried again"),
    ("retry.on", "what is tried again"),
    ("retry.use_retry_after_header", "heeds Retry-After"),
    ("retry.base_interval", "first back-off"),
    ("retry.max_interval", "longest back-off"),
    ("retry.retry_backoff_initial", "first back-off"),
    ("retry.retry_backoff_max", "longest back-off"),
    ("breaker.kind", "breaker"),
    ("breaker.allowed_fails", "failures before a cooldown"),
    ("breaker.cooldown_time", "cooldown"),
    ("breaker.deployments.*", "cooldown of *"),
    ("breaker.max_fails", "failures before it is left out"),
    ("breaker.fail_timeout", "time that it is left out"),
    ("timeouts.attempt", "timeout"),
    ("timeouts.ttft", "timeout to the first token"),
    ("timeouts.idle", "timeout between tokens"),
    ("timeouts.connect", "timeout to connect"),
    ("timeouts.connection", "timeout for a free connection"),
    ("timeouts.total", "timeout of the whole request"),
    ("share.*", "share of *"),
    ("providers", "members"),
    ("aliases", "other names"),
    ("fallbacks", "falls back to"),
    ("context_window_fallbacks", "falls back for long inputs to"),
    ("content_policy_fallbacks", "falls back for filtered content to"),
    ("max_fallbacks", "fallbacks of one request at most"),
    ("connections", "calls at once"),
    ("line", "line for a free connection"),
    ("context_window", "context window"),
    ("response_cache.ttl", "life of an answer in the cache"),
    ("response_cache.entries", "answers that the cache keeps"),
    ("gateways", "replicas"),
];

/// What a setting is of (`group chat`, `weu`; empty for the whole) and how it is called there.
pub fn name(path: &[String]) -> (String, String) {
    let (subject, rest) = match path {
        [what, name, rest @ ..] if what == "group" && name == ONLY => (String::new(), rest),
        [what, name, target, of, rest @ ..] if what == "group" && target == "targets" => {
            (format!("{of} in group {name}"), rest)
        }
        [what, name, rest @ ..] if what == "group" => (format!("group {name}"), rest),
        [what, name, rest @ ..] if what == "provider" => (name.clone(), rest),
        [what, name, rest @ ..] if what == "host" => (format!("host {name}"), rest),
        rest => (String::new(), rest),
    };
    let known = WORDS.iter().find(|(pattern, _)| ends(rest, pattern));
    let last = rest.last().map_or("", String::as_str);
    let said = match known {
        Some((_, words)) => words.replace('*', last),
        // A parameter of a mechanism, in its own words.
        None => rest.join(".").replace('_', " "),
    };
    (subject, said)
}

/// A value as a person reads it: `30 s`, `a, b`, `none`.
pub fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => match seconds(text) {
            Some(seconds) => span(seconds),
            None => text.clone(),
        },
        Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| shown(Some(item))).collect();
            items.join(", ")
        }
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::import::built_in_prices;
    use crate::gateways::{read, source};

    fn settings(text: &str) -> Settings {
        let gateway = read(&source::from_text("x.yaml", text).unwrap(), None).unwrap();
        of_gateway(&gateway, &built_in_prices()).unwrap()
    }

    fn at<'a>(settings: &'a Settings, path: &str) -> Option<&'a Value> {
        settings.get(&path.split('/').map(str::to_owned).collect::<Path>())
    }

    const TWO: &str = "model_list:\n- {model_name: a, litellm_params: {model: openai/gpt-4.1, rpm: 60}}\n\
        - {model_name: a, litellm_params: {model: azure/x, timeout: 9}}\n\
        - {model_name: b, litellm_params: {model: openai/gpt-4.1}}\n\
        router_settings: {timeout: 30, num_retries: 1, fallbacks: [{a: [b]}]}\n";

    #[test]
    fn every_group_has_all_that_holds_for_it() {
        let of = settings(TWO);
        assert_eq!(at(&of, "group/a/timeouts/attempt"), Some(&json!("30s")));
        assert_eq!(at(&of, "group/a/targets/a-2/timeouts/attempt"), Some(&json!("9s")));
        assert_eq!(at(&of, "group/b/timeouts/attempt"), Some(&json!("30s")));
        assert_eq!(at(&of, "group/b/retry/num_retries"), Some(&json!(1)));
        assert_eq!(at(&of, "group/a/policy/kind"), Some(&json!("simple_shuffle")));
        assert_eq!(at(&of, "group/a/policy/limits/rpm/a-1"), Some(&json!(60)));
        assert_eq!(at(&of, "group/a/fallbacks"), Some(&json!(["b"])));
        assert_eq!(at(&of, "provider/a-1/connections"), Some(&json!(60)));
    }

    #[test]
    fn settings_have_names_and_values_for_people() {
        let path = |text: &str| -> Path { text.split('/').map(str::to_owned).collect() };
        let said = |text: &str| name(&path(text));
        assert_eq!(
            said("group/a/policy/weights/x"),
            ("group a".to_owned(), "weight of x".to_owned())
        );
        assert_eq!(
            said("provider/x/line"),
            ("x".to_owned(), "line for a free connection".to_owned())
        );
        assert_eq!(
            said("group//retry/retry_policy/default_retries").1,
            "retry.retry policy.default retries"
        );
        let values = [json!("90s"), json!(["a", "b"]), json!(3), json!([]), json!("chat")];
        assert_eq!(values.map(|v| shown(Some(&v))), ["90 s", "a, b", "3", "none", "chat"]);
        assert_eq!(shown(None), "none");
    }
}
