//! The explanation as text: groups, what happens when something fails, limits, warnings; one screen unless all is asked for.
//!
//! Below [`WIDE`] columns what follows a failure stands below it rather than beside it.

use super::{bound, counts, place, some, time, title, worst};
use crate::gateways::Gateway;
use crate::gateways::model::{Case, Group, Limit};
use crate::gateways::warning::{Kind, Level, Warning};
use crate::report::table::Tone;
use crate::report::terminal::Style;
use crate::report::text::{clean, fit, paragraph, width};
use crate::stats::sorting;

/// Groups whose failures are told one by one.
const TOLD: usize = 2;
/// Groups that have a line.
const LISTED: usize = 12;
/// Branches of a group that are told.
const BRANCHES: usize = 4;
/// Limits that are told, of a group and of all.
const LIMITS: usize = 4;
/// Warnings of one kind that have a line each.
const ALIKE: usize = 4;
/// Kinds of notes that are told.
const NOTES: usize = 3;
/// The columns from which a failure and what follows it stand in one line.
const WIDE: usize = 90;

/// The explanation of `gateway`; `full` for every group, with what is left out and what no configuration says.
pub fn text(gateway: &Gateway, style: &Style, full: bool) -> String {
    let mut out = head(gateway, style);
    let mut by_stake: Vec<usize> = (0..gateway.groups.len())
        .filter(|n| !gateway.groups[*n].cases.is_empty())
        .collect();
    sorting::by_key(&mut by_stake, |number| {
        let group = &gateway.groups[*number];
        std::cmp::Reverse((group.members.len().min(2) + group.chain.len(), group.worst_attempts))
    });
    by_stake.truncate(if full { usize::MAX } else { TOLD });
    let listed = if full { usize::MAX } else { LISTED };
    let mut is_told = vec![false; gateway.groups.len()];
    by_stake.iter().for_each(|number| is_told[*number] = true);
    for (number, group) in gateway.groups.iter().enumerate() {
        if is_told[number] {
            out += &told(group, style, full);
        } else if number < listed {
            out += &listed_one(group, style);
        }
    }
    let rest = || {
        let groups = gateway.groups.iter().zip(&is_told);
        groups
            .filter(|(group, told)| !**told && !group.cases.is_empty())
            .map(|(group, _)| group.name.as_str())
    };
    let unlisted = gateway.groups.len().saturating_sub(listed);
    if rest().next().is_some() {
        let more = match unlisted {
            0 => String::new(),
            n => format!(" ({} without a line above)", plural(n, "group")),
        };
        let line = format!(
            "what happens when something fails is told of {} of {}{more}; not of {}. --group NAME tells it of one, --full of all.",
            by_stake.len(),
            plural(gateway.groups.len(), "group"),
            some(rest(), ", ")
        );
        out += &format!("\n{}", paragraph("", &capital(&line), style.width));
    }
    for (alias, group) in &gateway.aliases {
        out += &paragraph("", &format!("{alias} is another name of {group}"), style.width);
    }
    out += &of_all(gateway, style, full);
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
    out += &warnings(gateway, style, full, &|_| true);
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

/// The explanation of some groups alone: all that happens in each, its limits, and the warnings that name it or a provider of it.
pub fn groups(gateway: &Gateway, style: &Style, groups: &[&Group]) -> String {
    let mut out = head(gateway, style);
    for group in groups {
        out += &told(group, style, true);
    }
    out += &of_all(gateway, style, true);
    let names: Vec<&str> = groups
        .iter()
        .flat_map(|group| std::iter::once(&group.name).chain(group.members.iter().map(|member| &member.name)))
        .map(String::as_str)
        .collect();
    let is_about = |warning: &Warning| {
        let words = warning.subject.split([' ', ',']);
        names.contains(&warning.subject.as_str()) || words.into_iter().any(|word| names.contains(&word))
    };
    out + &warnings(gateway, style, true, &is_about)
}

fn head(gateway: &Gateway, style: &Style) -> String {
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
    let lines = paragraph("", &head, style.width);
    format!("{}\n", Tone::Strong.paint(lines.trim_end(), style.colour))
}

/// `text` in lines, of which the first begins with `name`, painted.
fn painted(name: &str, text: &str, tone: Tone, style: &Style) -> String {
    let lines = paragraph("", &format!("{name}{text}"), style.width.saturating_sub(2));
    match lines.strip_prefix(name) {
        Some(rest) => {
            format!(
                "{}{}",
                tone.paint(name, style.colour),
                rest.replace('\n', "\n  ").trim_end()
            ) + "\n"
        }
        None => lines,
    }
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

/// The members of a group and where it falls back to.
fn made_of(group: &Group) -> String {
    let names: Vec<&str> = group.members.iter().map(|member| member.name.as_str()).collect();
    let mut all = match names[..] {
        [one] if one == group.name => format!("one provider, {}", group.members[0].model),
        _ => names.join(", "),
    };
    if group.chain.len() > 1 {
        all += &format!(", then {}", group.chain[1..].join(", then "));
    }
    all
}

/// A group in a line.
fn listed_one(group: &Group, style: &Style) -> String {
    painted(
        &clean(&group.name),
        &format!(" (line {}): {}", group.at.line, made_of(group)),
        Tone::Plain,
        style,
    )
}

/// A group with all that happens in it.
fn told(group: &Group, style: &Style, full: bool) -> String {
    let line = format!(" (line {}): {}", group.at.line, made_of(group));
    let mut out = format!("\n{}", painted(&clean(&group.name), &line, Tone::Strong, style));
    if !group.through.is_empty() {
        out += &paragraph("  each attempt: ", &group.through.join(" → "), style.width);
    }
    out += &cases(group, style, full);
    let shown = if full {
        group.limits.len()
    } else {
        group.limits.len().min(LIMITS)
    };
    for limit in &group.limits[..shown] {
        out += &of_limit("  limit: ", limit, style);
    }
    if group.limits.len() > shown {
        let line = format!(
            "{} more; --group {} tells all",
            plural(group.limits.len() - shown, "limit"),
            group.name
        );
        out += &paragraph("  ", &line, style.width);
    }
    out
}

fn of_limit(first: &str, limit: &Limit, style: &Style) -> String {
    paragraph(first, &format!("{}: {}.", bound(limit), limit.beyond), style.width)
}

/// The limits of all groups.
fn of_all(gateway: &Gateway, style: &Style, full: bool) -> String {
    let list = &gateway.limits;
    let shown = if full { list.len() } else { list.len().min(LIMITS) };
    let mut out = String::new();
    for (number, limit) in list[..shown].iter().enumerate() {
        out += if number == 0 { "\n" } else { "" };
        out += &of_limit("Limit: ", limit, style);
    }
    if list.len() > shown {
        out += &format!("{} more; --full tells all\n", plural(list.len() - shown, "limit"));
    }
    out
}

fn cases(group: &Group, style: &Style, full: bool) -> String {
    let mut rows: Vec<(String, &Case)> = Vec::new();
    let mut cases = group.cases.iter().peekable();
    while let Some(case) = cases.next() {
        let mut when = case.when.to_owned();
        let key = |case: &Case| (case.attempts, case.seconds, case.then.clone(), case.branch.clone());
        if let Some(next) = cases.peek().filter(|next| key(next) == key(case))
            && let (Some(of), Some(code)) = (case.when.strip_suffix("429"), next.when.strip_suffix("500"))
            && of == code
        {
            when += " or 500";
            cases.next();
        }
        rows.push((when, case));
    }
    let column = rows
        .iter()
        .map(|(when, _)| width(when))
        .max()
        .unwrap_or(0)
        .clamp(23, 32);
    let (mut out, mut branch, mut branches) = (String::new(), "", 0);
    for (number, (when, case)) in rows.iter().enumerate() {
        if case.branch != branch {
            branch = &case.branch;
            branches += usize::from(!branch.is_empty());
            if branches > BRANCHES && !full {
                let mut rest: Vec<&str> = rows[number..].iter().map(|(_, case)| case.branch.as_str()).collect();
                rest.dedup();
                let line = format!(
                    "{} more {}: {}; --group {} tells all",
                    rest.len(),
                    if rest.len() == 1 { "way" } else { "ways" },
                    some(rest.iter().map(|of| of.split(':').next().unwrap_or(of)), ", "),
                    group.name
                );
                out += &paragraph("  ", &line, style.width);
                break;
            }
            let heading = if branch.is_empty() {
                "whatever was chosen"
            } else {
                branch
            };
            out += &paragraph("  ", &format!("{heading}:"), style.width);
        }
        let indent = if branches > 0 { "    " } else { "  " };
        let attempts = plural(case.attempts as usize, "attempt");
        if style.width < WIDE {
            out += &paragraph(indent, &format!("{when}: {attempts}, {}", time(case)), style.width);
            out += &paragraph(&format!("{indent}  "), &case.then, style.width);
            continue;
        }
        let first = format!(
            "{indent}{:<column$} {attempts:>11}  {:<16} ",
            fit(when, column),
            time(case)
        );
        out += &paragraph(&first, &case.then, style.width);
    }
    out
}

/// Warnings by kind, worst first: where each is, and once what it means and what to do.
fn warnings(gateway: &Gateway, style: &Style, full: bool, is_meant: &dyn Fn(&Warning) -> bool) -> String {
    let meant: Vec<&Warning> = gateway.warnings.iter().filter(|warning| is_meant(warning)).collect();
    let mut kinds: Vec<&Kind> = Vec::new();
    for warning in &meant {
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
        let all: Vec<&Warning> = meant.iter().copied().filter(|warning| warning.kind == kind).collect();
        let shown = if full { all.len() } else { all.len().min(ALIKE) };
        out.push('\n');
        for warning in &all[..shown] {
            let at = clean(&place(gateway, warning.at));
            let detail = match warning.detail.as_str() {
                "" => String::new(),
                detail => format!(" ({})", clean(detail)),
            };
            let line = format!(" {at} {}{detail}", title(warning));
            out += &painted(kind.level.name(), &line, tone, style);
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
        hidden = meant
            .iter()
            .filter(|w| w.kind.level == Level::Note)
            .count()
            .saturating_sub(notes - hidden);
        out += &format!("\n{} more; --full tells all\n", plural(hidden, "note"));
    }
    out
}
