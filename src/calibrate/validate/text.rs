//! A validation in words: one table, the errors, the notes, the verdict; for a terminal, as Markdown, and its rows as CSV.

use super::{Errors, Validation};
use crate::experiment::calibration::{Agreement, QuantileScore};
use crate::report::csv::{self, number};
use crate::report::markdown::around;
use crate::report::table::{Cell, Table, Tone};
use crate::report::terminal::Style;
use crate::report::text::paragraph;
use crate::report::{Unit, format};

/// What is said around the table: of what the validation is, and behind it each sentence with the word that it begins with.
fn said(validation: &Validation) -> (String, Vec<(&'static str, String)>) {
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
    let e = &validation.errors;
    let errors = format!(
        "{} measured ({} to {}), {} predicted: {}",
        format::share(e.measured),
        format::share(e.interval.0),
        format::share(e.interval.1),
        format::share(e.predicted),
        of_errors(e),
    );
    let mut behind = vec![("errors: ", errors)];
    behind.extend(validation.notes.iter().map(|note| ("note: ", note.clone())));
    behind.push(("verdict: ", c.sentence()));
    behind.extend(validation.would_tell.map(|n| {
        let told = format!(
            "about {} requests like these would tell: the interval narrows with the square root of their number",
            format::count(two_digits(n))
        );
        ("", told)
    }));
    (head, behind)
}

fn of_errors(errors: &Errors) -> &'static str {
    if errors.differ {
        "they differ"
    } else if errors.interval.0 <= errors.predicted && errors.predicted <= errors.interval.1 {
        "no difference seen"
    } else {
        "within a percentage point"
    }
}

/// The whole text, which ends in a newline.
pub fn text(validation: &Validation, style: &Style) -> String {
    let (head, behind) = said(validation);
    let mut text = paragraph("", &head, style.width);
    text.push('\n');
    text += &table(validation).render(style.width, style.colour);
    text.push('\n');
    for (word, sentence) in behind {
        text += &paragraph(word, &sentence, style.width);
    }
    text
}

/// The validation in Markdown.
pub fn markdown(validation: &Validation) -> String {
    let (head, behind) = said(validation);
    let items: Vec<String> = behind
        .iter()
        .map(|(word, sentence)| format!("{word}{sentence}"))
        .collect();
    around(&validation.model, &head, &table(validation), &items)
}

/// A row for each percentile, with its relative error and that error's interval, and one for the share of errors.
pub fn csv(validation: &Validation) -> String {
    let mut rows = Vec::new();
    for (name, score) in validation.calibration.metrics.iter() {
        rows.extend(score.quantiles.iter().map(|q| {
            let (lo, hi) = q.interval.unzip();
            let end = |x: Option<f64>| x.map(number).unwrap_or_default();
            vec![
                format!("{name}.p{:.0}", q.q * 100.0),
                "seconds".to_owned(),
                number(q.measured),
                number(q.predicted),
                number(q.error),
                end(lo),
                end(hi),
                q.verdict.words().to_owned(),
            ]
        }));
    }
    let e = &validation.errors;
    let mut errors = vec![
        "errors".to_owned(),
        "share".to_owned(),
        number(e.measured),
        number(e.predicted),
    ];
    errors.extend([String::new(), String::new(), String::new(), of_errors(e).to_owned()]);
    rows.push(errors);
    let head = [
        "figure",
        "unit",
        "measured",
        "predicted",
        "error",
        "lo",
        "hi",
        "verdict",
    ];
    csv::table(&head, &rows)
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
