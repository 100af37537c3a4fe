//! The terminal text of a validation: one table, the errors, the notes, the verdict.

use super::Validation;
use crate::experiment::calibration::{Agreement, QuantileScore};
use crate::report::Unit;
use crate::report::format;
use crate::report::table::{Cell, Table, Tone};
use crate::report::terminal::Style;
use crate::report::text::paragraph;

/// The whole text, which ends in a newline.
pub fn text(validation: &Validation, style: &Style) -> String {
    let c = &validation.calibration;
    let held_out = if c.held_out { "held out" } else { "not held out" };
    let head = format!(
        "{}, variant {}, against {} requests of {} ({held_out}); {} replications of the same schedule",
        validation.model,
        validation.variant,
        format::count(c.probes),
        validation.target,
        format::count(validation.replications),
    );
    let mut text = paragraph("", &head, style.width);
    text.push('\n');
    text += &table(validation).render(style.width, style.colour);
    text.push('\n');
    let e = &validation.errors;
    let judged = if e.differ {
        "they differ"
    } else if e.interval.0 <= e.predicted && e.predicted <= e.interval.1 {
        "no difference seen"
    } else {
        "within a percentage point"
    };
    let errors = format!(
        "{} measured ({} to {}), {} predicted: {judged}",
        format::share(e.measured),
        format::share(e.interval.0),
        format::share(e.interval.1),
        format::share(e.predicted),
    );
    text += &paragraph("errors: ", &errors, style.width);
    for note in &validation.notes {
        text += &paragraph("note: ", note, style.width);
    }
    text += &paragraph("verdict: ", &c.sentence(), style.width);
    if let Some(n) = validation.would_tell {
        let told = format!(
            "about {} requests like these would tell: the interval narrows with the square root of their number",
            format::count(two_digits(n))
        );
        text += &paragraph("", &told, style.width);
    }
    text
}

/// Rounded up to two digits: no estimate of a number is better.
fn two_digits(n: u64) -> u64 {
    let step = 10_u64.pow(n.max(1).ilog10().saturating_sub(1));
    n.div_ceil(step) * step
}

fn table(validation: &Validation) -> Table {
    let mut table = Table::new("");
    for title in ["measured", "predicted", "error", "90 % interval"] {
        table.column("", title);
    }
    table.words("", "verdict");
    table.column("", "KS");
    for (name, score) in validation.calibration.metrics.iter() {
        for (i, q) in score.quantiles.iter().enumerate() {
            let ks = if i == 0 {
                format!("{:.3}", score.ks)
            } else {
                String::new()
            };
            let title = format!("{} p{:.0}", name.to_uppercase(), q.q * 100.0);
            table.row(&title, cells(q).into_iter().chain([Cell::new(ks)]));
        }
    }
    table
}

fn cells(q: &QuantileScore) -> Vec<Cell> {
    let interval = q.interval.map_or(format::NONE.to_owned(), |(lo, hi)| {
        format!("{} to {}", format::relative(lo), format::relative(hi))
    });
    let tone = match q.verdict {
        Agreement::Equivalent => Tone::Good,
        Agreement::NotEquivalent => Tone::Bad,
        Agreement::CannotTell => Tone::Plain,
    };
    let words = if q.interval.is_none() {
        "too few measured"
    } else {
        q.verdict.words()
    };
    vec![
        Cell::new(format::value(Unit::Seconds, q.measured)),
        Cell::new(format::value(Unit::Seconds, q.predicted)),
        Cell::new(format::relative(q.error)),
        Cell::new(interval),
        Cell::new(words).tone(tone),
    ]
}
