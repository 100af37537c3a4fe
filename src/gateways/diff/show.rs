//! A difference of two configurations, shown: text for a terminal, Markdown for a pull request, JSON for programs.

mod json;
mod markdown;
mod text;

pub use json::json;
pub use markdown::markdown;
pub use text::text;

use super::{CaseChange, Diff, KeyChange};
use crate::gateways::Gateway;
use crate::gateways::model::Case;
use crate::gateways::show::time;
use crate::gateways::tree::Place;
use crate::gateways::warning::Warning;
use crate::report::{Difference, Judged, Measured, Metric, format};
use crate::stats::compare::Verdict;

/// The file's name without its folder and the line: what a reader of a pull request knows it by.
fn place(gateway: &Gateway, at: Option<Place>) -> String {
    let file = |n: usize| gateway.files.get(n).map_or("", String::as_str);
    let short = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned();
    match at {
        Some(at) => format!("{}:{}", short(file(usize::from(at.file))), at.line),
        None => short(file(0)),
    }
}

/// What is compared: one name if both files have it, else both.
fn title(diff: &Diff<'_>) -> String {
    let (old, new) = (place(diff.old, None), place(diff.new, None));
    if old == new { new } else { format!("{old} → {new}") }
}

/// The products and their versions.
fn products(diff: &Diff<'_>) -> String {
    let of = |gateway: &Gateway| format!("{} {}", gateway.product.title, gateway.version);
    let (old, new) = (of(diff.old), of(diff.new));
    if old == new { new } else { format!("{old} → {new}") }
}

/// What is compared, where that is not the same settings of one product.
fn caution(diff: &Diff<'_>) -> Option<String> {
    let (old, new) = (diff.old.product.title, diff.new.product.title);
    (!diff.is_of_one_product()).then(|| {
        let cases = match diff.cases.is_empty() {
            true => "; no group is in both, so that failures are not compared group by group",
            false => "",
        };
        format!("Two products are compared, {old} and {new}: their settings are not the same ones. Told is what both can say{cases}.")
    })
}

/// What is said where no setting is told of.
fn unchanged(diff: &Diff<'_>) -> &'static str {
    match diff.is_of_one_product() {
        true if !diff.keys.is_empty() => "No setting that is simulated changed.",
        true => "No setting changed.",
        false => "Nothing that both can say differs.",
    }
}

/// A setting's owner and name: `group chat: retries`.
fn setting(subject: &str, what: &str) -> String {
    match subject {
        "" => what.to_owned(),
        subject => format!("{subject}: {what}"),
    }
}

/// What happens in a case, and how long it takes.
fn case(case: &Case, with_rest: bool) -> String {
    let attempts = if case.attempts == 1 { "attempt" } else { "attempts" };
    let rest = if with_rest {
        format!("; {}", case.then)
    } else {
        String::new()
    };
    format!("{} {attempts}, {}{rest}", case.attempts, time(case))
}

/// Whether what follows a failure is another, beside its attempts and times.
fn differs_after(change: &CaseChange) -> bool {
    change.old.then != change.new.then
}

/// A warning as `level place code: subject`, with what it means and what to do.
fn warning(gateway: &Gateway, warning: &Warning) -> [String; 4] {
    let subject = match warning.subject.as_str() {
        "" => warning.kind.code.to_owned(),
        subject => format!("{}: {subject}", warning.kind.code),
    };
    let detail = match warning.detail.as_str() {
        "" => String::new(),
        detail => format!(" ({detail})"),
    };
    [
        warning.kind.level.name().to_owned(),
        place(gateway, warning.at),
        subject,
        format!("{}{detail}. Remedy: {}.", warning.kind.means, warning.kind.remedy),
    ]
}

/// Keys that changed under what is said of them: those that are not simulated, and those that something near stands for.
fn keys<'a>(diff: &'a Diff<'_>) -> [(&'static str, Vec<&'a KeyChange>); 2] {
    let (near, not): (Vec<_>, Vec<_>) = diff.keys.iter().partition(|change| change.is_approximated());
    [("Changed and not simulated", not), ("Changed and approximated", near)]
}

/// A key that is not simulated: `router_settings.plugins is new in line 7: code of one's own`.
fn key(diff: &Diff<'_>, change: &KeyChange) -> String {
    let (gateway, how) = if change.is_new {
        (diff.new, "changed")
    } else {
        (diff.old, "is gone")
    };
    let is_there = diff.old.ledger.iter().any(|row| row.path == change.row.path);
    let how = if change.is_new && !is_there { "is new" } else { how };
    let why = match change.row.how.as_str() {
        "" => change.row.verdict.words().to_owned(),
        why => format!("{}: {why}", change.row.verdict.words()),
    };
    format!(
        "{} {how} ({}; {why})",
        change.row.path,
        place(gateway, Some(change.row.at))
    )
}

/// What a verdict means for the figure, in words.
fn verdict(metric: &Metric, verdict: Verdict) -> &'static str {
    match (verdict, metric.lower_is_better()) {
        (Verdict::Lower, true) | (Verdict::Higher, false) => "better",
        (Verdict::Lower, false) | (Verdict::Higher, true) => "worse",
        (Verdict::CannotTell, _) => "cannot tell",
        (Verdict::Same, _) => "same",
    }
}

/// What is said of a difference: its verdict, or that it is certain and too little to matter.
fn judged(difference: Option<&Difference>) -> &'static str {
    match difference {
        None => "",
        Some(d) if !d.matters && matches!(d.verdict, Verdict::Lower | Verdict::Higher) => "too little to matter",
        Some(d) => verdict(&d.metric, d.verdict),
    }
}

/// A figure with the reach of its interval; a time that too many requests never had is told.
fn figure(unit: crate::report::Unit, estimate: &crate::stats::interval::Estimate) -> String {
    if estimate.value == f64::INFINITY {
        return format::NEVER.to_owned();
    }
    format::plus_minus(unit, estimate)
}

/// A difference with the reach of its interval, and relative.
fn difference(unit: crate::report::Unit, difference: Option<&Difference>) -> String {
    let Some(of) = difference else { return String::new() };
    let relative = of
        .relative
        .map_or_else(String::new, |r| format!(" ({})", format::relative(r)));
    format!("{}{relative}", format::difference(unit, &of.difference))
}

/// A verdict on an objective, in a word.
fn meets(judged: Judged) -> &'static str {
    match judged {
        Judged::Pass => "pass",
        Judged::Fail => "fail",
        Judged::Undecided => "undecided",
    }
}

/// How many replications were simulated, and whether the two are paired.
fn how(simulated: &super::Simulated) -> String {
    let report = &simulated.new;
    let paired = if simulated.paired() {
        "the same arrivals in both, and differences are paired replication by replication"
    } else {
        "the two runs met other arrivals, so that the intervals of differences are wider"
    };
    format!(
        "{} replications of {} after a warm-up of {}, seed {}, {} intervals; {paired}",
        format::count(report.replications_finished),
        format::span(report.counted),
        format::span(report.warmup),
        report.seed,
        format::level(report.confidence)
    )
}

/// What a reader of the simulated figures must know: notes on the traffic, and what the reports of the two warn of.
fn cautions(simulated: &super::Simulated) -> Vec<String> {
    let mut all = simulated.notes.clone();
    let (old, new) = (&simulated.old, &simulated.new);
    let in_both: Vec<&String> = new.warnings.iter().filter(|text| old.warnings.contains(text)).collect();
    all.extend(in_both.iter().map(|text| (*text).clone()));
    for (report, name) in [(old, "before"), (new, "after")] {
        // Why a figure that the other one has is not there.
        let figures = simulated.figures();
        let metrics = report.policies.first().into_iter().flat_map(|policy| &policy.metrics);
        let missing = metrics.filter(|m| m.estimate.value.is_nan() && figures.iter().any(|f| *f.metric == m.metric));
        let why = |m: &Measured| {
            Some(format!(
                "{name}: {}: {}",
                m.metric.title_in(report.code()),
                m.note.as_ref()?
            ))
        };
        all.extend(missing.filter_map(why));
        let own = report.warnings.iter().filter(|text| !in_both.contains(text));
        all.extend(own.map(|text| format!("{name}: {text}")));
    }
    all
}
