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
    // Of a second or two hundredths are shown, of minutes whole seconds.
    let rounded = |s: f64| {
        let digits = match s {
            s if s < 2.0 => 100.0,
            s if s < 120.0 => 10.0,
            _ => 1.0,
        };
        span((s * digits).round() / digits)
    };
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

/// The group whose one request makes the most attempts: how many, how long they take and what they cost.
fn worst(gateway: &Gateway) -> Option<String> {
    // Of equals the first.
    let worst = gateway.groups.iter().rev().max_by_key(|group| group.worst_attempts)?;
    let long = match worst.worst_seconds.is_finite() {
        true => span(worst.worst_seconds.round()),
        false => "no end".to_owned(),
    };
    (worst.worst_attempts > 0).then(|| {
        format!(
            "{} attempt{} for one request of {}{}; {long} if every one hangs until its timeout{}",
            worst.worst_attempts,
            if worst.worst_attempts == 1 { "" } else { "s" },
            worst.name,
            if worst.chain.len() > 1 {
                format!(" ({})", worst.chain.join(" → "))
            } else {
                String::new()
            },
            costs(gateway, worst),
        )
    })
}

/// What one request of `group` costs if every attempt is billed; nothing where one is the most, where prices are not known or nothing
/// is billed by the token.
fn costs(gateway: &Gateway, group: &Group) -> String {
    let billed = match group.worst_attempts {
        0 | 1 => None,
        _ => cost(gateway, group, &built_in_prices()),
    };
    let Some(Cost {
        answered: (least, most),
        worst,
    }) = billed.filter(|cost| cost.worst > 0.0)
    else {
        return String::new();
    };
    let dollars = |x| value(Unit::Dollars, x);
    let once = if least < most {
        format!("{} to {}", dollars(least), dollars(most))
    } else {
        dollars(most)
    };
    format!(
        "; {} if each of them is billed, for {once} where the first one answers ({} tokens in and {} out)",
        dollars(worst),
        MEDIANS.0,
        MEDIANS.1
    )
}
