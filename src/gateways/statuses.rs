//! Statuses that lists of a configuration name, as an experiment has them.
//!
//! A list may name statuses that no outcome of the simulation has, like those of Cloudflare from 520 to 530. A 5xx among them is a server error,
//! as it is where a log tells of it; any other is left out. The ledger says which.

use serde_json::json;

use super::ledger::{Row, Verdict};
use super::source::Config;
use super::tree::{Node, Value};
use crate::form::outcomes::OutcomeList;

/// The status of a server error.
const SERVER_ERROR: u64 = 500;

/// The keys whose lists are statuses.
const LISTS: [&str; 5] = [
    "on_status_codes",
    "failure_status_codes",
    "httpStatusCodes",
    "retriable_status_codes",
    "retriableStatusCodes",
];

/// Whether an outcome has this status.
fn is_known(status: u64) -> bool {
    serde_json::from_value::<OutcomeList>(json!([status])).is_ok()
}

/// The status as which `status` is simulated, if it is.
pub(super) fn simulated(status: u64) -> Option<u64> {
    match status {
        status if is_known(status) => Some(status),
        500..600 => Some(SERVER_ERROR),
        _ => None,
    }
}

/// The statuses as which those of a list are simulated, each once.
pub(super) fn all(list: &[u64]) -> Vec<u64> {
    let mut of: Vec<u64> = Vec::new();
    for status in list.iter().filter_map(|status| simulated(*status)) {
        if !of.contains(&status) {
            of.push(status);
        }
    }
    of
}

/// Says in the ledger which statuses are simulated as another, or not at all.
pub(super) fn say(config: &Config, ledger: &mut [Row]) {
    let mut found = Vec::new();
    for document in &config.documents {
        walk(document, &mut found);
    }
    for (list, said) in found {
        let row = ledger
            .iter_mut()
            .filter(|row| row.at <= list.at)
            .max_by_key(|row| row.at);
        let Some(row) = row.filter(|row| row.verdict <= Verdict::Approximated) else {
            continue;
        };
        row.verdict = Verdict::Approximated;
        row.how = format!("{}; {said}", row.how);
    }
}

/// The lists that have statuses which are not simulated as they are, with what is said of them.
fn walk<'a>(node: &'a Node, found: &mut Vec<(&'a Node, String)>) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Map(entries) => {
            for entry in entries {
                if LISTS.contains(&entry.key.as_str()) {
                    found.extend(said(&entry.value).map(|said| (&entry.value, said)));
                }
                walk(&entry.value, found);
            }
        }
    }
}

fn said(list: &Node) -> Option<String> {
    let statuses: Vec<u64> = list
        .items()
        .iter()
        .filter_map(Node::number)
        .map(|status| status as u64)
        .collect();
    let of = |wanted: Option<u64>| {
        let mut own: Vec<String> = Vec::new();
        for status in &statuses {
            let said = status.to_string();
            if simulated(*status) == wanted && wanted != Some(*status) && !own.contains(&said) {
                own.push(said);
            }
        }
        own.join(", ")
    };
    let parts = [
        (of(Some(SERVER_ERROR)), "simulated as a 500"),
        (of(None), "left out: no outcome has it"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(of, _)| !of.is_empty())
        .map(|(of, what)| format!("{of} {what}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::import::{Assumptions, built_in_prices, experiment};
    use crate::gateways::source::from_text;
    use crate::gateways::{read, show};

    #[test]
    fn statuses_that_no_outcome_has_are_server_errors_and_the_ledger_says_so() {
        assert_eq!(all(&[429, 520, 524, 500, 418]), [429, 500]);
        let portkey = "strategy: {mode: fallback, on_status_codes: [429, 500, 524]}\ntargets:\n\
            - {provider: a, virtual_key: a, override_params: {model: gpt-4.1}, retry: {attempts: 2, on_status_codes: [418, 524, 524]}}\n\
            - {provider: b, virtual_key: b, override_params: {model: gpt-4.1}}\n";
        let envoy = "apiVersion: aigateway.envoyproxy.io/v1beta1\nkind: AIGatewayRoute\nspec: {rules: [{backendRefs: [{name: a}]}]}\n---\n\
            kind: BackendTrafficPolicy\nspec: {retry: {retryOn: {httpStatusCodes: [524]}}}\n";
        for (text, rows) in [
            (
                portkey,
                &[
                    "524 simulated as a 500 |",
                    "524 simulated as a 500; 418 left out: no outcome has it |",
                ][..],
            ),
            (envoy, &["524 simulated as a 500 |"]),
        ] {
            let gateway = read(&from_text("x", text).unwrap(), None).unwrap();
            let prices = built_in_prices();
            let made = experiment(&gateway, &Assumptions::of(&gateway, &prices), "x").to_string();
            crate::experiment::load::from_text("x.json", &made).unwrap_or_else(|e| panic!("{e}"));
            let ledger = show::ledger(&gateway);
            for row in rows {
                assert!(ledger.contains(row), "{ledger}");
            }
        }
    }
}
