//! What is known of a configuration, shown: text for a terminal, JSON, Markdown for a pull request, SARIF for code scanning.

mod json;
mod markdown;
mod sarif;
mod text;

pub use json::json;
pub use markdown::{assumed, ledger, markdown};
pub use sarif::sarif;
pub use text::{groups, text};

use super::Gateway;
use super::import::{MEDIANS, built_in_prices};
use super::model::{Case, Group, Limit};
use super::tree::Place;
use super::warning::{Level, Warning};
use super::worst::{Cost, cost};
use crate::report::Unit;
use crate::report::format::{span, value};

/// `file:line`, or the first file alone.
fn place(gateway: &Gateway, at: Option<Place>) -> String {
    let file = |n: usize| gateway.files.get(n).map_or("", String::as_str);
    match at {
        Some(at) => format!("{}:{}", file(usize::from(at.file)), at.line),
        None => file(0).to_owned(),
    }
}

/// How many warnings of each level there are, in words.
fn counts(gateway: &Gateway) -> String {
    let of = |level| gateway.warnings.iter().filter(|w| w.kind.level == level).count();
    let words = [
        (Level::Error, "error"),
        (Level::Warning, "warning"),
        (Level::Note, "note"),
    ];
    let parts = words.into_iter().filter_map(|(level, word)| match of(level) {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        "no warnings".to_owned()
    } else {
        parts.join(", ")
    }
}

/// A warning as `code: subject`.
fn title(warning: &Warning) -> String {
    match warning.subject.as_str() {
        "" => warning.kind.code.to_owned(),
        subject => format!("{}: {subject}", warning.kind.code),
    }
}

/// What a warning means here, and what to do.
fn words(warning: &Warning) -> (String, String) {
    let mut means = warning.kind.means.to_owned();
    if !warning.detail.is_empty() {
        means += &format!(" ({})", warning.detail);
    }
    (means, warning.kind.remedy.to_owned())
}

/// Names that are told of a longer list.
const SOME: usize = 4;

/// The first four names of a list joined by `between`, and how many there are beside them: `a, b, c, d and 3 more`.
pub fn some<'a>(mut names: impl Iterator<Item = &'a str>, between: &str) -> String {
    let told: Vec<&str> = names.by_ref().take(SOME).collect();
    match names.count() {
        0 => told.join(between),
        n => format!("{} and {n} more", told.join(", ")),
    }
}

/// A limit with its line: `60 requests a minute (line 3)`.
fn bound(limit: &Limit) -> String {
    match limit.at {
        Some(at) => format!("{} (line {})", limit.what, at.line),
        None => limit.what.clone(),
    }
}

/// The time of a case: "at once", "3.5 s to 5.8 s".
pub(super) fn time(case: &Case) -> String {
    let (least, most) = case.seconds;
    if !most.is_finite() {
        return "without end".to_owned();
    }
    match (most <= 0.0, most - least < 0.005) {
        (true, _) => "at once".to_owned(),
        (false, true) => rounded(most),
        (false, false) if least >= 120.0 && most - least <= least / 10.0 => format!("about {}", rounded(most)),
        (false, false) => format!("{} to {}", rounded(least), rounded(most)),
    }
}

/// A time as cases have it: of a second or two hundredths are shown, of minutes whole seconds.
fn rounded(s: f64) -> String {
    let digits = match s {
        s if s < 2.0 => 100.0,
        s if s < 120.0 => 10.0,
        _ => 1.0,
    };
    span((s * digits).round() / digits)
}

/// The group whose one request makes the most attempts: the cases of the most attempts, of the longest time and of attempts that hang, and
/// what the latter cost.
fn worst(gateway: &Gateway) -> Option<String> {
    // Of equals the first.
    let worst = gateway.groups.iter().rev().max_by_key(|group| group.worst_attempts)?;
    if worst.worst_attempts == 0 {
        return None;
    }
    let of = if worst.chain.len() > 1 {
        format!(" for one request of {} ({})", worst.name, worst.chain.join(" → "))
    } else {
        format!(" for one request of {}", worst.name)
    };
    let attempts = |n: u64| format!("{n} attempt{}", if n == 1 { "" } else { "s" });
    let by_time = |a: &&Case, b: &&Case| a.seconds.1.total_cmp(&b.seconds.1);
    // Of equals the last, in which more fails.
    let most = worst
        .whole_cases()
        .max_by(|a, b| a.attempts.cmp(&b.attempts).then_with(|| by_time(a, b)));
    let mut rows: Vec<&Case> = Vec::new();
    let longest = worst
        .whole_cases()
        .max_by(|a, b| by_time(a, b).then(a.attempts.cmp(&b.attempts)));
    for row in [most, longest, worst.hanging()].into_iter().flatten() {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    if rows.is_empty() {
        let long = match worst.worst_seconds.is_finite() {
            true => rounded(worst.worst_seconds),
            false => "no end".to_owned(),
        };
        let most = attempts(worst.worst_attempts);
        return Some(format!("{most}{of}; {long} if every one hangs until its timeout"));
    }
    let mut parts: Vec<String> = rows
        .into_iter()
        .enumerate()
        .map(|(number, row)| {
            let of = if number == 0 { of.as_str() } else { "" };
            let branch = match row.branch.as_str() {
                "" => String::new(),
                branch => format!(" ({branch})"),
            };
            let is = if row.when.contains(" (400)") { "it is " } else { "" };
            let (attempts, lasting) = (attempts(row.attempts), lasting(row));
            format!("{attempts}{of} {lasting} when {is}{}{branch}", row.when)
        })
        .collect();
    parts.extend(costs(gateway, worst));
    Some(parts.join("; "))
}

/// How long a case lasts at most, as what follows its attempts.
fn lasting(case: &Case) -> String {
    match case.seconds.1 {
        most if !most.is_finite() => "without end".to_owned(),
        most if most <= 0.0 => "at once".to_owned(),
        most => format!("in {}", rounded(most)),
    }
}

/// What one request of `group` costs if every attempt that hangs is billed; nothing where one is the most, where prices are not known or
/// nothing is billed by the token.
fn costs(gateway: &Gateway, group: &Group) -> Option<String> {
    let billed = match group.hanging_attempts() {
        0 | 1 => None,
        _ => cost(gateway, group, &built_in_prices()),
    };
    let Cost {
        answered: (least, most),
        worst,
    } = billed.filter(|cost| cost.worst > 0.0)?;
    let dollars = |x| value(Unit::Dollars, x);
    let once = if least < most {
        format!("{} to {}", dollars(least), dollars(most))
    } else {
        dollars(most)
    };
    Some(format!(
        "{} if each that hangs is billed, for {once} where the first one answers ({} tokens in and {} out)",
        dollars(worst),
        MEDIANS.0,
        MEDIANS.1
    ))
}
