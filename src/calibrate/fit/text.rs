//! The terminal text of a fit: for each quantity the families that were tried and the percentiles, then all remarks.

use super::choose::Candidate;
use super::quotas::QuotaFound;
use super::report::{FitReport, Quantity};
use super::saturation::ACHIEVED;
use super::unknown::shown;
use crate::report::table::{Cell, Table, Tone};
use crate::report::terminal::Style;
use crate::report::text::{clean, paragraph};
use crate::report::{Unit, format};

/// The whole report in lines of the style's width.
pub fn terminal(report: &FitReport, style: &Style) -> String {
    let mut text = String::new();
    let mut say = |first: &str, words: &str| text.push_str(&paragraph(first, words, style.width));
    say("", &format!("{}: a model of {}", report.name, report.target));
    for file in &report.files {
        say("  from ", file);
    }
    if report.requests > 0 {
        let kept = report.requests - report.held_out;
        say(
            "  ",
            &format!(
                "{kept} requests fitted, {} held out for `simcap validate`",
                report.held_out
            ),
        );
    }
    for quantity in &report.quantities {
        text.push('\n');
        text.push_str(&of_quantity(quantity, style));
    }
    let steps = steps(report);
    if !steps.is_empty() {
        text.push('\n');
        text.push_str(&steps.render(style.width, style.colour));
    }
    if report.sent > 0 {
        text.push('\n');
        text.push_str(&errors(report, style));
    }
    let mut list = |title: &str, lines: &[String]| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{}\n", Tone::Strong.paint(title, style.colour)));
            lines
                .iter()
                .for_each(|line| text.push_str(&paragraph("- ", line, style.width)));
        }
    };
    list("What they depend on", &effects(report));
    list("To be known", &report.notes);
    list("What these measurements cannot tell", &report.cannot_tell);
    text
}

/// The effects on TTFT and decode speed, in sentences.
pub(super) fn effects(report: &FitReport) -> Vec<String> {
    let effects = report.prefill.iter().chain(&report.concurrency);
    let says = effects.map(|effect| effect.says.clone());
    says.chain(report.load.iter().map(|load| load.says())).collect()
}

fn of_quantity(quantity: &Quantity, style: &Style) -> String {
    let mut head = format!("{}: {} seen", quantity.title(), quantity.seen);
    if quantity.censored > 0 {
        head.push_str(&format!(", {} more than what was waited for", quantity.censored));
    }
    let mut text = format!("{}\n", Tone::Strong.paint(&head, style.colour));
    let families = families(quantity, false);
    if !families.is_empty() {
        text.push_str(&families.render(style.width, style.colour));
    }
    text.push_str(&paragraph("Taken: ", &taken(quantity), style.width));
    text.push_str(&percentiles(quantity).render(style.width, style.colour));
    text
}

/// The families that were tried; their parameters too where there is room for them.
pub(super) fn families(quantity: &Quantity, with_parameters: bool) -> Table {
    let mut families = Table::new("Family");
    let tone = |family| {
        if Some(family) == quantity.taken {
            Tone::Strong
        } else {
            Tone::Plain
        }
    };
    if !quantity.candidates.is_empty() {
        ["log L", "AIC", "BIC", "KS", "p"]
            .iter()
            .for_each(|title| families.column("", title));
        if with_parameters {
            families.words("", "parameters");
        }
        for c in &quantity.candidates {
            let p = c
                .goodness
                .ks_p
                .map_or_else(|| format::NONE.to_owned(), |p| format!("{p:.3}"));
            let cells = [
                format!("{:.1}", c.log_likelihood),
                format!("{:.1}", c.aic),
                format!("{:.1}", c.bic),
                format!("{:.3}", c.goodness.ks),
                p,
                parameters(c),
            ];
            families.row(c.family.name(), cells.map(|cell| Cell::new(cell).tone(tone(c.family))));
        }
    } else if !quantity.tables.is_empty() {
        families.column("", "mean error");
        families.column("", "worst error");
        for fit in &quantity.tables {
            let cells = [format::share(fit.mean_error), format::share(fit.worst_error)];
            families.row(
                fit.family.name(),
                cells.map(|cell| Cell::new(cell).tone(tone(fit.family))),
            );
        }
    }
    families
}

fn parameters(candidate: &Candidate) -> String {
    // A floor at 0 is not shown.
    let named = candidate
        .parameters
        .iter()
        .filter(|p| p.name != "shift" || p.value != 0.0);
    let named: Vec<String> = named.map(|p| format!("{} {:.4}", p.name, p.value)).collect();
    named.join(", ")
}

/// The family that was chosen, the reason, and its parameters.
pub(super) fn taken(quantity: &Quantity) -> String {
    let name = quantity.taken.map_or("constant", |f| f.name());
    let found = quantity.candidates.iter().find(|c| Some(c.family) == quantity.taken);
    let found = found.map_or_else(String::new, |c| format!("; {}", parameters(c)));
    format!("{name}: {}{found}", quantity.why)
}

/// The percentiles, measured and fitted.
pub(super) fn percentiles(quantity: &Quantity) -> Table {
    let mut percentiles = Table::new("Percentile");
    ["measured", "95 % interval", "fitted", "error"]
        .iter()
        .for_each(|title| percentiles.column("", title));
    for p in &quantity.percentiles {
        let value = |x: f64| shown(quantity, x);
        let interval = match (p.low, p.high) {
            (Some(low), Some(high)) => format!("{} to {}", value(low), value(high)),
            _ if quantity.serial.is_some() => "not estimable".to_owned(),
            _ => format::NONE.to_owned(),
        };
        let error = p
            .measured
            .map_or_else(|| format::NONE.to_owned(), |m| format::relative(p.fitted / m - 1.0));
        let cells = [
            p.measured.map_or_else(|| format::NONE.to_owned(), value),
            interval,
            value(p.fitted),
            error,
        ];
        percentiles.row(
            &format!("p{}", format::tick(Unit::Number, 100.0 * p.share)),
            cells.map(Cell::new),
        );
    }
    percentiles
}

/// The steps of load, if there are several or one that is saturated.
pub(super) fn steps(report: &FitReport) -> Table {
    let mut table = Table::new("Step of load");
    ["requests", "asked", "achieved"]
        .iter()
        .for_each(|title| table.column("", title));
    table.words("", "in the laws");
    if report.steps.len() < 2 && report.steps.iter().all(|s| s.saturated.is_none()) {
        return table;
    }
    for step in &report.steps {
        let rate =
            |rate: Option<f64>| rate.map_or_else(|| format::NONE.to_owned(), |r| format::value(Unit::PerSecond, r));
        // How far the rate fell short is shown beside it.
        let short = step
            .requested
            .zip(step.achieved)
            .filter(|(asked, got)| *got < ACHIEVED * asked);
        let verdict = match (&step.saturated, short) {
            (None, _) => "yes".to_owned(),
            (Some(_), Some((asked, got))) => format!("no, saturated: {:.0} %", 100.0 * got / asked),
            (Some(why), None) => format!("no, saturated: {why}"),
        };
        let tone = if step.saturated.is_some() {
            Tone::Bad
        } else {
            Tone::Plain
        };
        table.row(
            &clean(step.name.rsplit(['/', '\\']).next().unwrap_or(&step.name)),
            [
                Cell::new(format::count(step.requests)),
                Cell::new(rate(step.requested)),
                Cell::new(rate(step.achieved)),
                Cell::new(verdict).tone(tone),
            ],
        );
    }
    table
}

fn errors(report: &FitReport, style: &Style) -> String {
    let table = failures(report);
    if table.is_empty() {
        return paragraph("", &format!("No failure in {} requests.", report.sent), style.width);
    }
    let mut text = table.render(style.width, style.colour);
    for (title, words) in limits(report) {
        text.push_str(&paragraph(&format!("{title}: "), &words, style.width));
    }
    text
}

/// The outcomes other than success, with their rates.
pub(super) fn failures(report: &FitReport) -> Table {
    let mut table = Table::new("Failure");
    ["many", "rate", "95 % interval"]
        .iter()
        .for_each(|title| table.column("", title));
    table.words("", "becomes");
    for rate in &report.errors {
        let interval = format!("{} to {}", format::share(rate.low), format::share(rate.high));
        let cells = [
            format!("{} of {}", rate.many, rate.of),
            format::share(rate.rate()),
            interval,
            rate.becomes.to_string(),
        ];
        table.row(rate.outcome.name(), cells.map(Cell::new));
    }
    table
}

/// The slots, the quotas and what refusals say, as pairs of a name and a description.
pub(super) fn limits(report: &FitReport) -> Vec<(&'static str, String)> {
    let slots = report.slots.iter().map(|found| ("Slots", found.note()));
    let quotas = report.quotas.iter().map(|quota| ("Quota", of_quota(quota)));
    let mut lines: Vec<_> = slots.chain(quotas).collect();
    if let Some(said) = &report.retry_after {
        let when = said.median.map_or_else(String::new, |m| {
            format!(
                ", median {}{}",
                format::span(m),
                if said.whole_seconds { ", in whole seconds" } else { "" }
            )
        });
        let words = format!(
            "{} of {} refusals say when to come back{when}",
            said.with, said.refusals
        );
        lines.push(("Retry-After", words));
    }
    lines
}

/// A quota in a sentence: "120 requests a minute (119.4 to 120.2), 20 at once (20); …".
pub(super) fn of_quota(quota: &QuotaFound) -> String {
    let unit = serde_json::to_value(quota.unit).ok();
    let unit = unit
        .as_ref()
        .and_then(|u| u.as_str())
        .unwrap_or("requests")
        .replace('_', " ");
    let number = |x: f64| match x {
        // Bounds are often closer than three digits can show.
        1.0..1000.0 => format!("{x:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        1000.0.. => format::count(x.round() as u64),
        _ => format::value(Unit::Number, x),
    };
    let minute = match quota.per_minute_interval {
        Some([low, high]) => format!(" ({} to {})", number(low), number(high)),
        None => " (assumed)".to_owned(),
    };
    let burst = match quota.burst_interval {
        Some([low, high]) if low < high => format!(" ({} to {})", format::count(low), format::count(high)),
        _ => String::new(),
    };
    let at_once = match quota.window {
        Some(seconds) => format!("in each window of {}", format::span(seconds)),
        None => "at once".to_owned(),
    };
    format!(
        "{} {unit} a minute{minute}, {}{burst} {at_once}; {}",
        number(quota.per_minute),
        format::count(quota.burst),
        quota.from
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::limits;

    #[test]
    fn a_quota_is_said_with_its_bounds() {
        let mut quota = QuotaFound {
            unit: limits::Unit::Requests,
            window: None,
            burst: 20,
            burst_interval: Some([19, 21]),
            per_minute: 120.0,
            per_minute_interval: Some([119.5, 120.25]),
            from: "9 refusals".into(),
        };
        let said = "120 requests a minute (119.5 to 120.25), 20 (19 to 21) at once; 9 refusals";
        assert_eq!(of_quota(&quota), said);
        quota.window = Some(10.0);
        (quota.burst_interval, quota.per_minute_interval) = (Some([20, 20]), None);
        quota.unit = limits::Unit::InputTokens;
        let said = "120 input tokens a minute (assumed), 20 in each window of 10 s; 9 refusals";
        assert_eq!(of_quota(&quota), said);
    }
}
