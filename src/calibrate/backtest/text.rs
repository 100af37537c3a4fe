//! A backtest in words: the answer, what the models are of, one table, the notes; for a terminal, as Markdown, and its rows as CSV.

use super::{Backtest, Share, Target};
use crate::experiment::calibration::Agreement;
use crate::report::csv::{self, number};
use crate::report::markdown::around;
use crate::report::table::{Cell, Table, Tone};
use crate::report::terminal::Style;
use crate::report::text::{clean, paragraph};
use crate::report::{Unit, format};

/// One figure, measured and predicted.
struct Row {
    title: String,
    unit: Unit,
    measured: Option<f64>,
    predicted: f64,
    range: Option<(f64, f64)>,
    verdict: Option<Agreement>,
}

/// What each target of the log is in the experiment, a sentence a target.
fn models(found: &Backtest) -> Vec<String> {
    let models = found.targets.iter().filter(|target| !target.providers.is_empty());
    let sentence = |target: &Target| {
        let (name, providers) = (clean(&target.name), clean(&target.providers.join(", ")));
        format!("{name} is {providers}: {}", target.model)
    };
    models.map(sentence).collect()
}

/// The whole text, which ends in a newline.
pub fn text(found: &Backtest, style: &Style) -> String {
    let mut text = paragraph("", &sentence(found), style.width);
    for what in models(found) {
        text += &paragraph("", &what, style.width);
    }
    text.push('\n');
    text += &table(found).render(style.width, style.colour);
    text.push('\n');
    for note in &found.notes {
        text += &paragraph("note: ", &clean(note), style.width);
    }
    text
}

/// The backtest in Markdown.
pub fn markdown(found: &Backtest) -> String {
    let notes = found.notes.iter().map(|note| format!("note: {note}"));
    let items: Vec<String> = models(found).into_iter().chain(notes).collect();
    around(&found.experiment, &sentence(found), &table(found), &items)
}

/// A row for each figure, with the range in which it lies in nine of ten replications.
pub fn csv(found: &Backtest) -> String {
    let optional = |x: Option<f64>| x.map(number).unwrap_or_default();
    let row = |row: Row| {
        let (lo, hi) = row.range.unzip();
        vec![
            csv::text(&row.title),
            csv::unit(row.unit),
            optional(row.measured),
            number(row.predicted),
            optional(lo),
            optional(hi),
            row.verdict
                .map(|verdict| words(verdict).0.to_owned())
                .unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = rows(found).into_iter().map(row).collect();
    let head = ["figure", "unit", "measured", "predicted", "lo", "hi", "verdict"];
    csv::table(&head, &rows)
}

/// The answer in one sentence.
pub fn sentence(found: &Backtest) -> String {
    let rows = rows(found);
    let many = |verdict| rows.iter().filter(|row| row.verdict == Some(verdict)).count();
    let [good, bad, open] = [Agreement::Equivalent, Agreement::NotEquivalent, Agreement::CannotTell].map(many);
    let differ: Vec<&str> = (rows.iter())
        .filter(|row| row.verdict == Some(Agreement::NotEquivalent))
        .map(|row| row.title.as_str())
        .collect();
    let which = if differ.is_empty() {
        String::new()
    } else {
        format!(" ({})", differ.join(", "))
    };
    let from = if found.fitted == 0 {
        "by the experiment's own models".to_owned()
    } else {
        format!("from the {} before them", format::count(found.fitted))
    };
    let money = match (found.bill.invoice, found.bill.verdict) {
        (Some(_), Some(Agreement::Equivalent)) => " The bill agrees with the invoice.",
        (Some(_), Some(Agreement::NotEquivalent)) => " The bill differs from the invoice.",
        (Some(_), _) => " Whether the bill agrees with the invoice cannot be told.",
        (None, _) => "",
    };
    format!(
        "{}, policy {}: of {} figures of {} requests, predicted {from}, {good} agree within {}, {bad} differ{which} and {open} cannot be told.{money}",
        found.experiment,
        clean(&found.policy),
        good + bad + open,
        format::count(found.compared),
        format::share(found.margin.get()),
    )
}

fn rows(found: &Backtest) -> Vec<Row> {
    let mut rows = Vec::new();
    for times in &found.times {
        for (q, range) in times.score.quantiles.iter().zip(&times.ranges) {
            rows.push(Row {
                title: format!("{} p{:.0}", times.name.to_uppercase(), q.q * 100.0),
                unit: Unit::Seconds,
                measured: Some(q.measured),
                predicted: q.predicted,
                range: *range,
                verdict: Some(q.verdict),
            });
        }
    }
    let share = |title: String, share: &Share| Row {
        title,
        unit: Unit::Share,
        measured: Some(share.measured),
        predicted: share.predicted,
        range: share.range,
        verdict: Some(share.verdict),
    };
    rows.extend(found.outcomes.iter().map(|one| share(one.name.clone(), one)));
    let by = |one: &Share| share(format!("answered by {}", clean(&one.name)), one);
    rows.extend(found.answers.iter().map(by));
    let bill = &found.bill;
    let unit = bill.currency.map_or(Unit::Dollars, Unit::Money);
    rows.push(match bill.invoice {
        Some(invoice) => Row {
            title: "bill of the whole log".to_owned(),
            unit,
            measured: Some(invoice),
            predicted: bill.whole,
            range: bill.range.map(|(lo, hi)| {
                let times = if bill.predicted > 0.0 {
                    bill.whole / bill.predicted
                } else {
                    1.0
                };
                (lo * times, hi * times)
            }),
            verdict: bill.verdict,
        },
        None => Row {
            title: "bill (no invoice)".to_owned(),
            unit,
            measured: None,
            predicted: bill.predicted,
            range: bill.range,
            verdict: None,
        },
    });
    rows
}

fn table(found: &Backtest) -> Table {
    let mut table = Table::new("");
    for title in ["measured", "predicted", "error", "9 of 10 runs"] {
        table.column("", title);
    }
    table.words("", "verdict");
    for row in rows(found) {
        table.row(&row.title, cells(&row));
    }
    table
}

fn words(verdict: Agreement) -> (&'static str, Tone) {
    match verdict {
        Agreement::Equivalent => ("agrees", Tone::Good),
        Agreement::NotEquivalent => ("differs", Tone::Bad),
        Agreement::CannotTell => ("cannot tell", Tone::Plain),
    }
}

fn cells(row: &Row) -> Vec<Cell> {
    let value = |x: f64| format::value(row.unit, x);
    let error = match (row.measured, row.unit) {
        (Some(measured), Unit::Share) => format!("{:+.2} points", (row.predicted - measured) * 100.0).replace('-', "−"),
        (Some(measured), _) if measured > 0.0 => format::relative(row.predicted / measured - 1.0),
        _ => format::NONE.to_owned(),
    };
    let (words, tone) = row.verdict.map_or((format::NONE, Tone::Plain), words);
    let range = row.range.map_or(format::NONE.to_owned(), |(lo, hi)| {
        format!("{} to {}", value(lo), value(hi))
    });
    vec![
        Cell::new(row.measured.map_or(format::NONE.to_owned(), value)),
        Cell::new(value(row.predicted)),
        Cell::new(error),
        Cell::new(range),
        Cell::new(words).tone(tone),
    ]
}
