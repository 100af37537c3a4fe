//! Keys that no product has, and what they were probably meant to be.
//!
//! Each product has a table of the keys that its sections may have (`tables`), beside the one that says what becomes of them. A key that is in
//! neither is a slip of the pen if a known one is near it; a section of which all keys are known has others that are unknown, which the ledger
//! says. Some products skip such a key, others do not start with it. LiteLLM's own settings are looked at by its reader, of which only
//! sections that it leaves out are here. Left out: sections that hold what a provider or a person puts there.

use super::Reader;
use super::ledger::{self, Row, Verdict, step};
use super::model::Gateway;
use super::source::Config;
use super::tree::{Entry, Node, Value};
use super::warning::Warning;

mod envoys;
mod tables;

pub(super) use envoys::{ENVOY, ENVOY_AI};
pub(super) use tables::{BIFROST, KONG, LITELLM, PORTKEY, TENSORZERO};

/// What a product does with a key that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// The key does nothing.
    Skipped,
    /// The gateway refuses the file. Only a key that is near a known one is told of, since a version that is not known here may have others.
    Refused,
    /// The same, where a section may have further keys too: one that is near a known one is none of them.
    RefusedAnywhere,
    /// The gateway refuses the file, and the table is held against its source.
    RefusedBySource,
}

/// A section of a configuration and the keys that it may have, in words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// The section's path as tables of keys have it; empty for the top.
    path: &'static str,
    /// Whether it has no others.
    is_whole: bool,
    keys: &'static str,
}

/// The sections of a product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    sections: &'static [Section],
    unknown: Unknown,
    /// Whether a value is of a kind that has keys of its own, which are not looked at.
    is_other: fn(&Node, &str) -> bool,
}

/// What is said of a key that no table has.
pub(super) const NOT_KNOWN: &str = "a key that is not known here";

/// Letters below which a near key is chance.
const SHORTEST: usize = 4;

/// A key that is not known.
struct Found<'a> {
    path: String,
    shape: String,
    entry: &'a Entry,
    /// The known one that is near.
    near: Option<&'static str>,
    is_refused: bool,
}

/// Adds a warning of each misspelt key, and says in the ledger of unknown ones that they are.
pub(super) fn look(config: &Config, reader: &Reader, gateway: &mut Gateway) {
    let looking = Looking { reader };
    let mut found = Vec::new();
    for document in &config.documents {
        looking.walk(document, "", "", &mut found);
    }
    for row in gateway.ledger.iter_mut().filter(|row| !row.known && row.how.is_empty()) {
        row.how = NOT_KNOWN.to_owned();
    }
    for of in found {
        let here = |warning: &Warning| warning.at == Some(of.entry.at) && warning.subject.ends_with(&of.entry.key);
        if gateway.warnings.iter().any(here) {
            continue;
        }
        let code = match (of.near, of.is_refused) {
            (Some(_), false) => Some("misspelt"),
            (Some(_), true) => Some("misspelt-and-refused"),
            (None, true) => Some("unknown-and-refused"),
            (None, false) => None,
        };
        let said = of
            .near
            .map_or_else(String::new, |near| format!("did you mean `{near}`?"));
        let how = match of.near {
            Some(near) => format!("{NOT_KNOWN}; `{near}` is near"),
            None => NOT_KNOWN.to_owned(),
        };
        if let Some(code) = code {
            let warning = Warning::new(code, &of.path, Some(of.entry.at));
            gateway.warnings.push(warning.saying(said));
        }
        put(&mut gateway.ledger, of, how);
    }
}

/// Says in the ledger of an unknown key what it is, in its own row or in one after that of the section that holds it.
fn put(ledger: &mut Vec<Row>, of: Found<'_>, how: String) {
    let verdict = match (of.near, of.is_refused) {
        (None, false) => Verdict::NotModelled,
        (Some(_), _) | (None, true) => Verdict::NoEffect,
    };
    if let Some(row) = ledger
        .iter_mut()
        .find(|row| row.path == of.path && row.at == of.entry.at)
    {
        (row.verdict, row.how) = (verdict, how);
        return;
    }
    let holds = |row: &Row| {
        of.path
            .strip_prefix(row.path.as_str())
            .is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    let after = ledger.iter().rposition(holds).map_or(ledger.len(), |at| at + 1);
    let row = Row {
        path: of.path,
        shape: of.shape,
        at: of.entry.at,
        verdict,
        how,
        known: false,
        mark: ledger::mark(&of.entry.value),
    };
    ledger.insert(after, row);
}

struct Looking<'a> {
    reader: &'a Reader,
}

impl Looking<'_> {
    fn walk<'a>(&self, node: &'a Node, path: &str, shape: &str, found: &mut Vec<Found<'a>>) {
        let Spelling { is_other, .. } = self.reader.spelling;
        match &node.value {
            Value::Scalar { .. } => {}
            Value::List(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.walk(item, &format!("{path}[{number}]"), &format!("{shape}[]"), found);
                }
            }
            Value::Map(entries) => {
                let own = self.ruled(shape);
                if is_other(node, &own) {
                    return;
                }
                let section = self.section(&own);
                for entry in entries {
                    let join = |before: &str, key: &str| match before {
                        "" => key.to_owned(),
                        before => format!("{before}.{key}"),
                    };
                    let (path, shape) = (join(path, &entry.key), join(shape, &step(&entry.key)));
                    if let Some((known, is_whole)) = &section {
                        let key = (self.reader.values.1)(&entry.key);
                        if !known.contains(&key.as_str()) && !is_note(&key) {
                            let near = nearest(&key, known, *is_whole);
                            let is_refused = match self.reader.spelling.unknown {
                                Unknown::Skipped => false,
                                Unknown::Refused => *is_whole && near.is_some(),
                                Unknown::RefusedAnywhere => near.is_some(),
                                Unknown::RefusedBySource => *is_whole,
                            };
                            if near.is_some() || *is_whole {
                                let (path, shape) = (path.clone(), shape.clone());
                                found.push(Found {
                                    path,
                                    shape,
                                    entry,
                                    near,
                                    is_refused,
                                });
                                continue;
                            }
                        }
                    }
                    self.walk(&entry.value, &path, &shape, found);
                }
            }
        }
    }

    /// The shape of a section as the tables have it.
    fn ruled(&self, shape: &str) -> String {
        // What stands for a place at any depth ends in a dot.
        let whole = (self.reader.values.1)(&format!("{shape}."));
        whole.trim_end_matches('.').to_owned()
    }

    /// The keys that are known of a section, and whether it has no others; nothing if its keys are names.
    fn section(&self, own: &str) -> Option<(Vec<&'static str>, bool)> {
        let of = self
            .reader
            .spelling
            .sections
            .iter()
            .find(|of| ledger::fits(of.path, own))?;
        let mut known: Vec<&str> = of.keys.split_whitespace().collect();
        known.extend(self.reader.keys.iter().filter_map(|(pattern, ..)| below(pattern, own)));
        Some((known, of.is_whole))
    }
}

/// The key that `pattern` names in the section `own`, if it is in it.
fn below(pattern: &'static str, own: &str) -> Option<&'static str> {
    let depth = match own {
        "" => 0,
        own => own.split('.').count(),
    };
    let mut steps = pattern.split('.');
    let mut of_own = own.split('.');
    for _ in 0..depth {
        let (pattern, part) = (steps.next()?, of_own.next()?);
        if pattern != part && pattern != "*" {
            return None;
        }
    }
    steps
        .next()
        .filter(|key| *key != "*")
        .map(|key| key.trim_end_matches("[]"))
}

/// Whether a key is by custom a note or holds what others share.
fn is_note(key: &str) -> bool {
    key.starts_with(['_', '.', '$', '@', '#']) || key.starts_with("x-") || key.contains("comment")
}

/// The known key that `key` was probably meant to be: a third of its letters may be wrong where all are known, else one.
fn nearest(key: &str, known: &[&'static str], is_whole: bool) -> Option<&'static str> {
    let letters = key.chars().count();
    let lower = key.to_lowercase();
    let near = known.iter().filter_map(|known| {
        let most = match is_whole {
            true => letters.max(known.chars().count()) / 3,
            false => 1,
        };
        let plural = |text: &str| {
            text.strip_suffix("ies")
                .map_or_else(|| text.trim_end_matches('s').to_owned(), |stem| format!("{stem}y"))
        };
        let theirs = known.to_lowercase();
        // `retires` is one slip from `retries`, and three from `retry`.
        let many = theirs.strip_suffix('y').map(|stem| format!("{stem}ies"));
        let from = |theirs: &str| strsim::osa_distance(&lower, theirs);
        let distance = match plural(&lower) == plural(&theirs) {
            true => 0,
            false => many.map_or(usize::MAX, |many| from(&many)).min(from(&theirs)),
        };
        (distance <= most && letters.min(known.chars().count()) >= SHORTEST).then_some((distance, *known))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// The warning of a value that is none of those that a setting takes; nothing if it is one of them.
pub(super) fn of_value(subject: &str, entry: &Entry, text: &str, known: &[&'static str]) -> Option<Warning> {
    if known.contains(&text) || text.starts_with(['$', '{']) {
        return None;
    }
    // Another number is another thing.
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let near = nearest(text, known, true).filter(|near| digits(near) == digits(text));
    let said = match near {
        Some(near) => format!("`{text}`: did you mean `{near}`?"),
        None => format!("`{text}`; it takes {}", known.join(", ")),
    };
    Some(Warning::new("unknown-value", subject, Some(entry.at)).saying(said))
}

#[cfg(test)]
mod tests {
    use crate::gateways::source::from_text;
    use crate::gateways::{READERS, read, show};

    /// The misspelt keys of a configuration with what is near, and its ledger.
    fn told(text: &str) -> (Vec<String>, String) {
        let gateway = read(&from_text("x", text).unwrap(), None).unwrap();
        let own = gateway
            .warnings
            .iter()
            .filter(|warning| warning.kind.code.contains("misspelt"));
        let own = own.map(|w| format!("{} {} {}", w.at.unwrap().line, w.subject, w.detail));
        (own.collect(), show::ledger(&gateway))
    }

    #[test]
    fn every_product_tells_of_misspelt_keys() {
        let cases: [(&str, &[&str]); 7] = [
            (
                "model_list:\n- {model_name: a, litellm_params: {model: openai/x}, model_inf: {id: b}}\n",
                &["2 model_list[0].model_inf did you mean `model_info`?"],
            ),
            (
                "strategy: {mode: fallback, on_status_code: [429]}\nretrys: {attempts: 2}\ntargets:\n- {provider: x, wieght: 2}\n\
                 - {provider: y, retry: {attempt: 3}}\n",
                &[
                    "1 strategy.on_status_code did you mean `on_status_codes`?",
                    "2 retrys did you mean `retry`?",
                    "4 targets[0].wieght did you mean `weight`?",
                    "5 targets[1].retry.attempt did you mean `attempts`?",
                ],
            ),
            (
                "apiVersion: aigateway.envoyproxy.io/v1beta1\nkind: AIGatewayRoute\nspec:\n  rules:\n  - timeout: {request: 9s}\n\
                 \x20   backendRefs: [{name: a, prioriti: 1}]\n---\nkind: BackendTrafficPolicy\nspec:\n  retry: {numRetry: 3}\n\
                 \x20 healthCheck: {passive: {consecutive5xxErrors: 3}}\n",
                &[
                    "5 spec.rules[0].timeout did you mean `timeouts`?",
                    "6 spec.rules[0].backendRefs[0].prioriti did you mean `priority`?",
                    "10 spec.retry.numRetry did you mean `numRetries`?",
                    "11 spec.healthCheck.passive.consecutive5xxErrors did you mean `consecutive5XxErrors`?",
                ],
            ),
            (
                "_format_version: '3.0'\nservices:\n- routes:\n  - plugins:\n    - name: ai-proxy-advanced\n      config:\n\
                 \x20       balancer: {retrys: 3, max_fail: 3}\n        targets: [{wieght: 30, model: {provider: openai, name: x}}]\n\
                 \x20   - {name: my-own, config: {balancer: {retrys: 1}}}\n",
                &[
                    "7 services[0].routes[0].plugins[0].config.balancer.retrys did you mean `retries`?",
                    "7 services[0].routes[0].plugins[0].config.balancer.max_fail did you mean `max_fails`?",
                    "8 services[0].routes[0].plugins[0].config.targets[0].wieght did you mean `weight`?",
                ],
            ),
            (
                "client: {drop_excess_request: true}\nproviders:\n  openai: {keys: [{name: a, wieght: 1, models: ['*']}], network_config: {max_retry: 9}}\n\
                 provders: {}\ngovernance: {budgets: [{id: b, max_limits: 3}]}\n",
                &[
                    "1 client.drop_excess_request did you mean `drop_excess_requests`?",
                    "3 providers.openai.keys[0].wieght did you mean `weight`?",
                    "3 providers.openai.network_config.max_retry did you mean `max_retries`?",
                    "4 provders did you mean `providers`?",
                    "5 governance.budgets[0].max_limits did you mean `max_limit`?",
                ],
            ),
            (
                "static_resources:\n  listeners:\n  - filter_chains:\n    - filters:\n      - typed_config:\n          route_config:\n\
                 \x20           virtual_hosts:\n            - routes:\n              - route: {cluster: a, retryPolicy: {retry_on: 5xx, numRetry: 3}}\n\
                 \x20               match: {prefix: /}\n  clusters:\n  - {name: a, conect_timeout: 1s}\n",
                &[
                    "12 static_resources.clusters[0].conect_timeout did you mean `connect_timeout`?",
                    "9 static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.retryPolicy.numRetry \
                     did you mean `num_retries`?",
                ],
            ),
            (
                "models:\n  gpt: {routing: [a], providers: {a: {type: openai, model_nam: x}}}\nfunctions:\n  f:\n    variants:\n\
                 \x20     v: {type: chat_completion, model: gpt, wieght: 1, retries: {num_retry: 2}}\n",
                &[
                    "2 models.gpt.providers.a.model_nam did you mean `model_name`?",
                    "6 functions.f.variants.v.wieght did you mean `weight`?",
                    "6 functions.f.variants.v.retries.num_retry did you mean `num_retries`?",
                ],
            ),
        ];
        for (text, expected) in cases {
            let (mut found, _) = told(text);
            let mut expected: Vec<&str> = expected.to_vec();
            found.sort();
            expected.sort();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn unknown_keys_are_said_to_be_in_the_ledger_and_refused_where_the_product_refuses_them() {
        let (found, ledger) = told("providers: {openai: {keys: [{name: a, models: ['*'], colour: red}]}}\n");
        assert_eq!(found, Vec::<String>::new());
        let row = "| providers.openai.keys[0].colour | x:1 | not modelled | a key that is not known here |";
        assert!(ledger.contains(row), "{ledger}");
        let text = "models:\n  gpt: {routing: [a], fallback_total_timeout_ms: 9, providers: {a: {type: openai, model_name: x}}}\n";
        let gateway = read(&from_text("x", text).unwrap(), None).unwrap();
        let codes: Vec<&str> = gateway.warnings.iter().map(|warning| warning.kind.code).collect();
        assert!(codes.contains(&"unknown-and-refused"), "{codes:?}");
        assert!(
            show::ledger(&gateway)
                .contains("fallback_total_timeout_ms | x:2 | does nothing | a key that is not known here |")
        );
    }

    #[test]
    fn every_key_of_the_tables_of_verdicts_is_known_where_its_section_is() {
        for reader in READERS {
            for section in reader.spelling.sections {
                let mut keys: Vec<&str> = section.keys.split_whitespace().collect();
                let before = keys.len();
                keys.sort_unstable();
                keys.dedup();
                assert_eq!(before, keys.len(), "{}: {}", reader.product.name, section.path);
            }
        }
    }
}
