//! The explanation as Markdown, and the ledger of keys as a table.

use serde_json::{Map, Value};

use super::{bound, counts, place, time, title, words, worst};
use crate::gateways::Gateway;
use crate::gateways::model::Limit;
use crate::report::text::clean;

/// The explanation of `gateway`.
pub fn markdown(gateway: &Gateway) -> String {
    let mut out = format!(
        "## {}\n\n{} {} ({}): {}.\n",
        cell(&gateway.files.join(" + ")),
        gateway.product.title,
        gateway.version,
        gateway.product.held,
        counts(gateway)
    );
    out += "\n| asked for | providers | then | attempts at most |\n|---|---|---|---|\n";
    for group in &gateway.groups {
        let names: Vec<&str> = group.members.iter().map(|member| member.name.as_str()).collect();
        let then = group.chain.get(1..).unwrap_or_default().join(" → ");
        out += &row(&[&group.name, &names.join(", "), &then, &group.worst_attempts.to_string()]);
    }
    for group in gateway
        .groups
        .iter()
        .filter(|group| group.members.len() > 1 || group.chain.len() > 1)
    {
        out += &format!("\n### {}\n\n", cell(&group.name));
        if !group.through.is_empty() {
            out += &format!("Each attempt: {}.\n\n", cell(&group.through.join(" → ")));
        }
        out += "| when | attempts | time | then |\n|---|---|---|---|\n";
        for case in &group.cases {
            let when = match case.branch.as_str() {
                "" => case.when.to_owned(),
                branch => format!("{branch}: {}", case.when),
            };
            out += &row(&[&when, &case.attempts.to_string(), &time(case), &case.then]);
        }
        out += &limits(&group.limits);
    }
    if !gateway.limits.is_empty() {
        out += "\n### Limits of every group\n";
        out += &limits(&gateway.limits);
    }
    if let Some(worst) = worst(gateway) {
        out += &format!("\nAt worst: {}.\n", cell(&worst));
    }
    if let Some(cache) = &gateway.cache {
        let says = cache.says.join("; ");
        out += &format!("\nResponse cache: {}; {}.\n", cell(&cache.summary()), cell(&says));
    }
    if !gateway.warnings.is_empty() {
        out += "\n| | where | warning | what to do |\n|---|---|---|---|\n";
    }
    for warning in &gateway.warnings {
        let (means, remedy) = words(warning);
        let what = format!("**{}** {means}", title(warning));
        out += &row(&[warning.kind.level.name(), &place(gateway, warning.at), &what, &remedy]);
    }
    out
}

/// Every key of the files, with what became of it.
pub fn ledger(gateway: &Gateway) -> String {
    let mut out = format!("# Keys of {}\n\n", cell(&gateway.files.join(" + ")));
    out += &format!(
        "{} {}; {}.\n\n",
        gateway.product.title, gateway.version, gateway.product.held
    );
    out += "| key | where | what became of it | how, or why not |\n|---|---|---|---|\n";
    for key in &gateway.ledger {
        out += &row(&[&key.path, &place(gateway, Some(key.at)), key.verdict.words(), &key.how]);
    }
    out
}

/// What no configuration says, and where it is from, as a table.
pub fn assumed(because: &Map<String, Value>) -> String {
    let mut out = "\n## What no configuration says\n\n| what | where it is from |\n|---|---|\n".to_owned();
    for (what, why) in because {
        out += &row(&[what, why.as_str().unwrap_or("")]);
    }
    out
}

/// Limits as a table; nothing if there are none.
fn limits(list: &[Limit]) -> String {
    if list.is_empty() {
        return String::new();
    }
    let rows = list.iter().map(|limit| row(&[&bound(limit), &limit.beyond]));
    format!("\n| limit | beyond it |\n|---|---|\n{}", rows.collect::<String>())
}

fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    clean(text).replace('|', "\\|").replace('<', "&lt;")
}
