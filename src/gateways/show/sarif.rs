//! The warnings as SARIF 2.1.0, which code scanning reads.

use serde_json::{Value, json};

use super::{title, words};
use crate::gateways::Gateway;
use crate::gateways::warning::KINDS;

/// The warnings of `gateway` as a SARIF text.
pub fn sarif(gateway: &Gateway) -> String {
    let used = KINDS
        .iter()
        .filter(|kind| gateway.warnings.iter().any(|w| w.kind.code == kind.code));
    let rules = used.map(|kind| {
        json!({
            "id": kind.code,
            "shortDescription": { "text": kind.means },
            "help": { "text": kind.remedy },
            "defaultConfiguration": { "level": kind.level.name() },
        })
    });
    let rules: Vec<Value> = rules.collect();
    let results = gateway.warnings.iter().map(|warning| {
        let at = warning.at.unwrap_or_default();
        let (means, remedy) = words(warning);
        json!({
            "ruleId": warning.kind.code,
            "level": warning.kind.level.name(),
            "message": { "text": format!("{}. {means}. {remedy}.", title(warning)) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": gateway.files[usize::from(at.file)].replace('\\', "/") },
                "region": { "startLine": at.line.max(1) },
            } }],
        })
    });
    let results: Vec<Value> = results.collect();
    let text = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "simcap explain", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    });
    format!("{text:#}\n")
}
