//! The explanation as text: groups, what happens when something fails, warnings; one screen unless all is asked for.

use super::{counts, place, time, title, worst};
use crate::gateways::Gateway;
use crate::gateways::model::{Case, Group};
use crate::gateways::warning::{Kind, Level, Warning};
use crate::report::table::Tone;
use crate::report::terminal::Style;
use crate::report::text::{clean, fit, paragraph};
use crate::stats::sorting;

/// Groups whose failures are told one by one.
const TOLD: usize = 2;
/// Groups that have a line.
const LISTED: usize = 12;
/// Warnings of one kind that have a line each.
const ALIKE: usize = 4;
/// Kinds of notes that are told.
const NOTES: usize = 3;

/// The explanation of `gateway`; `full` for every group, with what is left out and what no configuration says.
pub fn text(gateway: &Gateway, style: &Style, full: bool) -> String {
    let mut out = String::new();
    let members: usize = gateway.groups.iter().map(|group| group.members.len()).sum();
    let head = format!(
        "{}: {} {}, {} of {}: {}",
        gateway.files.join(" + "),
        gateway.product.title,
        gateway.version,
        plural(gateway.groups.len(), "group"),
        plural(members, "provider"),
        counts(gateway)
    );
    out += &Tone::Strong.paint(clean(&head).as_str(), style.colour);
    out.push('\n');
    let mut by_stake: Vec<&Group> = gateway.groups.iter().filter(|group| !group.cases.is_empty()).collect();
    sorting::by_key(&mut by_stake, |group| {
        std::cmp::Reverse((group.members.len().min(2) + group.chain.len(), group.worst_attempts))
    });
    by_stake.truncate(if full { usize::MAX } else { TOLD });
    let is_told = |group: &Group| by_stake.iter().any(|told| told.name == group.name);
    let listed = if full { usize::MAX } else { LISTED };
    for (number, group) in gateway.groups.iter().enumerate() {
        if number < listed || is_told(group) {
            out += &one(group, style, is_told(group));
        }
    }
    if gateway.groups.len() > listed {
        out += &format!(
            "\n{} more; --full lists all\n",
            plural(gateway.groups.len() - listed, "group")
        );
    }
    for (alias, group) in &gateway.aliases {
        out += &clean(&format!("{alias} is another name of {group}"));
        out.push('\n');
    }
    if let Some(worst) = worst(gateway) {
        out += &paragraph("\nAt worst: ", &worst, style.width);
    }
    if let Some(cache) = &gateway.cache {
        let line = format!("{} (line {}). ", cache.summary(), cache.at.line);
        let told = if full {
            &cache.says[..]
        } else {
            &cache.says[..cache.says.len().min(2)]
        };
        let told: Vec<String> = told.iter().map(|says| format!("{}.", capital(says))).collect();
        out += &paragraph("\nResponse cache: ", &(line + &told.join(" ")), style.width);
    }
    out += &warnings(gateway, style, full);
    if full {
        for (title, items) in [
            ("Left out", &gateway.left_out),
            ("Not in any configuration", &gateway.ask),
        ] {
            if !items.is_empty() {
                out += &paragraph(&format!("\n{title}: "), &items.join("; "), style.width);
            }
        }
    }
    out
}

/// A sentence with a capital.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 {
        format!("1 {word}")
    } else {
        format!("{n} {word}s")
    }
}

fn one(group: &Group, style: &Style, told: bool) -> String {
    let names: Vec<&str> = group.members.iter().map(|member| member.name.as_str()).collect();
    let alone = names.len() == 1 && names[0] == group.name;
    let mut head = match alone {
        true => format!("one provider, {}", group.members[0].model),
        false => names.join(", "),
    };
    if group.chain.len() > 1 {
        head += &format!(", then {}", group.chain[1..].join(", then "));
    }
    let line = group.at.line;
    let name = clean(&group.name);
    let mut out = String::new();
    if told {
        out += &format!("\n{} (line {line}): ", Tone::Strong.paint(&name, style.colour));
        out += paragraph("", &head, style.width.saturating_sub(4)).trim_end();
        out.push('\n');
    } else {
        return paragraph(&format!("{name} (line {line}): "), &head, style.width);
    }
    if !group.through.is_empty() {
        out += &paragraph("  each attempt: ", &group.through.join(" → "), style.width);
    }
    let mut cases = group.cases.iter().peekable();
    while let Some(case) = cases.next() {
        let mut when = case.when.to_owned();
        let same =
            |next: &&&Case| (next.attempts, next.seconds, &next.then) == (case.attempts, case.seconds, &case.then);
        if let Some(next) = cases.peek().filter(same)
            && let (Some(of), Some(code)) = (case.when.strip_suffix("429"), next.when.strip_suffix("500"))
            && of == code
        {
            when += " or 500";
            cases.next();
        }
        let attempts = if case.attempts == 1 {
            "1 attempt".to_owned()
        } else {
            format!("{} attempts", case.attempts)
        };
        let first = format!("  {:<23} {attempts:>11}  {:<16} ", fit(&when, 23), time(case));
        out += &paragraph(&first, &case.then, style.width.max(90));
    }
    out
}

/// Warnings by kind, worst first: where each is, and once what it means and what to do.
fn warnings(gateway: &Gateway, style: &Style, full: bool) -> String {
    let mut kinds: Vec<&Kind> = Vec::new();
    for warning in &gateway.warnings {
        if !kinds.contains(&warning.kind) {
            kinds.push(warning.kind);
        }
    }
    let notes = kinds.iter().filter(|kind| kind.level == Level::Note).count();
    let mut hidden = if full { 0 } else { notes.saturating_sub(NOTES) };
    kinds.truncate(kinds.len() - hidden);
    let mut out = String::new();
    for kind in kinds {
        let tone = match kind.level {
            Level::Error => Tone::Bad,
            Level::Warning => Tone::Strong,
            Level::Note => Tone::Dim,
        };
        let all: Vec<&Warning> = gateway.warnings.iter().filter(|warning| warning.kind == kind).collect();
        let shown = if full { all.len() } else { all.len().min(ALIKE) };
        out.push('\n');
        for warning in &all[..shown] {
            let at = clean(&place(gateway, warning.at));
            let detail = match warning.detail.as_str() {
                "" => String::new(),
                detail => format!(" ({})", clean(detail)),
            };
            let first = format!("{} {at} ", tone.paint(kind.level.name(), style.colour));
            out += &first;
            out += &paragraph("", &format!("{}{detail}", title(warning)), usize::MAX);
        }
        if all.len() > shown {
            out += &format!(
                "{} and {} more of its kind\n",
                tone.paint(kind.level.name(), style.colour),
                all.len() - shown
            );
        }
        out += &paragraph("  ", &format!("{}. Remedy: {}.", kind.means, kind.remedy), style.width);
    }
    if hidden > 0 {
        hidden = gateway
            .warnings
            .iter()
            .filter(|w| w.kind.level == Level::Note)
            .count()
            .saturating_sub(notes - hidden);
        out += &format!("\n{} more; --full tells all\n", plural(hidden, "note"));
    }
    out
}
