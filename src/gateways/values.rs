//! Values that a setting cannot have: negative times, counts that are not numbers, weights beyond all sense.
//!
//! A product's settings of numbers are a table of paths ([`Rule`]), as tables of keys have them. Each value that its rule does not allow is an
//! error with its line, and is taken out of the tree before the product's reader sees it, so that the setting is read as if it were not
//! there. A reference to what is elsewhere (`os.environ/X`, `env.X`, `$X`, `{…}`) is not looked at. Left out: values that are possible and
//! unwise, of which the products' own readers warn.

use super::ledger::{fits, step};
use super::source::Config;
use super::tree::{Entry, Node, Place, Value};
use super::warning::Warning;
use crate::form::units::seconds;

pub(super) mod rules;

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum May {
    /// A number from 0 up to this one.
    UpTo(f64),
    /// A time as text, or a number of seconds from 0.
    Time,
    /// Seconds with an `s`, as protobuf writes them.
    Seconds,
}

/// A row of a product's table: the path of a setting, and what it may be.
pub(super) type Rule = (&'static str, May);

/// The greatest weight.
pub(super) const WEIGHT: May = May::UpTo(1e9);
/// The most tries or failures.
pub(super) const TRIES: May = May::UpTo(10_000.0);
/// The most requests, tokens or calls.
pub(super) const COUNT: May = May::UpTo(1e15);
/// The longest time in seconds: some thirty years.
pub(super) const LONG: May = May::UpTo(1e9);
/// The longest time in milliseconds.
pub(super) const LONG_MS: May = May::UpTo(1e12);
/// The most money.
pub(super) const MONEY: May = May::UpTo(1e12);
/// A share in percent.
pub(super) const PERCENT: May = May::UpTo(100.0);

impl May {
    /// Whether it may be `text`, and in words what it may be.
    fn allows(self, text: &str, number: Option<f64>) -> Result<(), String> {
        let text = text.trim();
        let (fine, words) = match self {
            May::UpTo(most) => (
                number.is_some_and(|n| (0.0..=most).contains(&n)),
                format!("a number from 0 to {most}"),
            ),
            May::Time => (
                number.or_else(|| seconds(text)).is_some_and(|s| s >= 0.0),
                "a time like `30s`, from 0".to_owned(),
            ),
            May::Seconds => (
                text.strip_suffix('s')
                    .and_then(|of| of.parse::<f64>().ok())
                    .is_some_and(|s| (0.0..1e9).contains(&s)),
                "seconds like `0.25s`, from 0".to_owned(),
            ),
        };
        if fine { Ok(()) } else { Err(words) }
    }
}

/// Whether a value is a reference to what is elsewhere.
fn refers(text: &str) -> bool {
    ["os.environ/", "env.", "$", "{"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// What `rules` do not allow: the errors, and the paths of the entries.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    pub(super) warnings: Vec<Warning>,
    /// The entries that were taken out, with their paths and shapes.
    pub(super) taken: Vec<(String, String, Place)>,
}

/// The shape of a path as a product's rules have it.
pub(super) type Shape = fn(&str) -> String;

/// Takes what `rules` do not allow out of a configuration; nothing if it has nothing of the kind.
pub(super) fn sift(config: &Config, rules: &[Rule], shape: Shape) -> Option<(Config, Wrong)> {
    let mut wrong = Wrong::default();
    let sieve = Sieve { rules, shape };
    let documents = config
        .documents
        .iter()
        .map(|node| sieve.node(node, "", "", &mut wrong))
        .collect();
    if wrong.warnings.is_empty() {
        return None;
    }
    let config = Config {
        documents,
        ..config.clone()
    };
    Some((config, wrong))
}

struct Sieve<'a> {
    rules: &'a [Rule],
    shape: Shape,
}

impl Sieve<'_> {
    fn node(&self, node: &Node, path: &str, shape: &str, wrong: &mut Wrong) -> Node {
        let value = match &node.value {
            Value::Scalar { .. } => node.value.clone(),
            Value::List(items) => Value::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| self.node(item, &format!("{path}[{n}]"), &format!("{shape}[]"), wrong))
                    .collect(),
            ),
            Value::Map(entries) => {
                let kept = entries.iter().filter_map(|entry| self.entry(entry, path, shape, wrong));
                Value::Map(kept.collect())
            }
        };
        Node { at: node.at, value }
    }

    /// The entry without what is wrong in it; nothing if it is wrong itself.
    fn entry(&self, entry: &Entry, path: &str, shape: &str, wrong: &mut Wrong) -> Option<Entry> {
        let join = |before: &str, key: &str| match before {
            "" => key.to_owned(),
            before => format!("{before}.{key}"),
        };
        let (path, shape) = (join(path, &entry.key), join(shape, &step(&entry.key)));
        // Another form than a number is for the product's reader to tell of.
        let Some(text) = entry.value.text() else {
            let value = self.node(&entry.value, &path, &shape, wrong);
            let (key, at) = (entry.key.clone(), entry.at);
            return Some(Entry { key, at, value });
        };
        let ruled = (self.shape)(&shape);
        let rule = self.rules.iter().find(|(pattern, _)| fits(pattern, &ruled));
        let refused = match rule {
            Some((_, may)) if !refers(text) => may.allows(text, entry.value.number()),
            Some(_) | None => Ok(()),
        };
        match refused {
            Ok(()) => Some(entry.clone()),
            Err(words) => {
                let found: String = super::printable(text).chars().take(40).collect();
                let warning = Warning::new("wrong-value", &path, Some(entry.at));
                wrong
                    .warnings
                    .push(warning.saying(format!("`{found}`; it must be {words}")));
                wrong.taken.push((path, shape, entry.at));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gateways::import::{Assumptions, built_in_prices, experiment};
    use crate::gateways::source::from_text;
    use crate::gateways::{read, show};

    #[test]
    fn what_cannot_be_is_an_error_with_its_line_and_is_read_as_if_it_were_not_there() {
        let text = "model_list:\n- model_name: a\n  litellm_params:\n    model: openai/gpt-4.1\n    rpm: -5\n    weight: 1e300\n\
            \x20   timeout: os.environ/T\nrouter_settings:\n  num_retries: NaN\n  timeout: -30\n  cooldown_time: 7\n";
        let gateway = read(&from_text("x.yaml", text).unwrap(), None).unwrap();
        let wrong = gateway.warnings.iter().filter(|w| w.kind.code == "wrong-value");
        let wrong: Vec<_> = wrong
            .map(|w| (w.subject.as_str(), w.at.unwrap().line, w.detail.as_str()))
            .collect();
        assert_eq!(
            wrong,
            [
                (
                    "model_list[0].litellm_params.rpm",
                    5,
                    "`-5`; it must be a number from 0 to 1000000000000000"
                ),
                (
                    "model_list[0].litellm_params.weight",
                    6,
                    "`1e300`; it must be a number from 0 to 1000000000"
                ),
                (
                    "router_settings.num_retries",
                    9,
                    "`NaN`; it must be a number from 0 to 10000"
                ),
                (
                    "router_settings.timeout",
                    10,
                    "`-30`; it must be a number from 0 to 1000000000"
                ),
            ]
        );
        assert_eq!(gateway.client["retry"]["litellm"]["num_retries"], 2);
        assert_eq!(gateway.client["breaker"]["litellm_cooldown"]["cooldown_time"], "7s");
        assert_eq!(gateway.groups[0].members[0].connections, None);
        assert!(show::ledger(&gateway).contains("| router_settings.timeout |"));
    }

    #[test]
    fn every_product_has_values_that_cannot_be() {
        let wrong = [
            "{ \"retry\": { \"attempts\": -1 }, \"request_timeout\": \"soon\", \"strategy\": { \"mode\": \"loadbalance\" }, \
             \"targets\": [{ \"provider\": \"x\", \"weight\": -2 }] }",
            "apiVersion: aigateway.envoyproxy.io/v1beta1\nkind: AIGatewayRoute\nspec: {rules: [{backendRefs: [{name: a, weight: -1}]}]}\n\
             ---\nkind: BackendTrafficPolicy\nspec: {retry: {numRetries: many, perRetry: {timeout: -3s}}}\n",
            "_format_version: '3.0'\nplugins:\n- name: ai-proxy-advanced\n  config: {balancer: {retries: -1, read_timeout: NaN}, \
             targets: [{weight: 1e300, model: {provider: openai, name: x}}]}\n",
            "providers: {openai: {keys: [{name: a, weight: -1, models: ['*']}], network_config: {max_retries: .inf, \
             default_request_timeout_in_seconds: -3}}}\n",
            "static_resources: {listeners: [{filter_chains: [{filters: [{typed_config: {route_config: {virtual_hosts: [{routes: \
             [{match: {prefix: /}, route: {cluster: a, timeout: -1s, retryPolicy: {numRetries: -1, retry_on: 5xx}}}]}]}}}]}]}], \
             clusters: [{name: a, connect_timeout: soon}]}\n",
        ];
        for (text, expected) in wrong.iter().zip([3, 3, 3, 3, 3]) {
            let gateway = read(&from_text("x", text).unwrap(), None).unwrap();
            let found: Vec<&str> = gateway
                .warnings
                .iter()
                .filter(|w| w.kind.code == "wrong-value")
                .map(|w| w.subject.as_str())
                .collect();
            assert_eq!(found.len(), expected, "{}: {found:?}", gateway.product.name);
            let prices = built_in_prices();
            let made = experiment(&gateway, &Assumptions::of(&gateway, &prices), "x").to_string();
            let loaded = crate::experiment::load::from_text("x.json", &made).unwrap_or_else(|e| panic!("{e}"));
            crate::experiment::assemble::assemble(&loaded).unwrap_or_else(|e| panic!("{}: {e}", gateway.product.name));
        }
    }
}
