//! The difference as text for a terminal.

use super::super::{Diff, Simulated};
use super::{
    case, caution, cautions, difference, differs_after, figure, how, judged, key, keys, meets, products, setting,
    title, unchanged, warning,
};
use crate::report::Judged;
use crate::report::table::{Cell, Table, Tone};
use crate::report::terminal::Style;
use crate::report::text::{clean, paragraph};

/// The difference, and what a simulation of both says.
pub fn text(diff: &Diff<'_>, simulated: Option<&Simulated>, style: &Style) -> String {
    let strong = |text: &str| Tone::Strong.paint(&clean(text), style.colour);
    let mut out = format!("{}\n", strong(&format!("{}: {}", title(diff), products(diff))));
    let heading = |out: &mut String, text: &str| *out += &format!("\n{}\n", strong(text));
    if let Some(caution) = caution(diff) {
        out += &format!("\n{}", paragraph("", &caution, style.width));
    }
    if diff.changes.is_empty() {
        out += &format!("\n{}\n", unchanged(diff));
    } else {
        let what = if diff.is_of_one_product() {
            "What changed"
        } else {
            "What differs"
        };
        heading(&mut out, what);
        for change in &diff.changes {
            let name = setting(&change.subject, &change.what);
            out += &paragraph("  ", &format!("{name} {} → {}", change.old, change.new), style.width);
        }
    }
    for (title, changes) in keys(diff) {
        if !changes.is_empty() {
            heading(&mut out, title);
        }
        for change in changes {
            out += &paragraph("  ", &key(diff, change), style.width);
        }
    }
    if !diff.cases.is_empty() {
        heading(&mut out, "When something fails");
        for change in &diff.cases {
            let rest = differs_after(change);
            let (old, new) = (case(&change.old, rest), case(&change.new, rest));
            let what = format!("{}: {}: {old} → {new}", change.group, change.when);
            out += &paragraph("  ", &what, style.width);
        }
    }
    for (what, gateway, warnings, tone) in [
        ("New warnings", diff.new, &diff.raised, Tone::Bad),
        ("Warnings that are gone", diff.old, &diff.gone, Tone::Good),
    ] {
        if !warnings.is_empty() {
            heading(&mut out, what);
        }
        for one in warnings {
            let [level, place, subject, means] = warning(gateway, one);
            let line = paragraph("  ", &format!("{level} {place} {subject}"), style.width);
            out += &line.replacen(&level, &tone.paint(&level, style.colour), 1);
            out += &paragraph("    ", &means, style.width);
        }
    }
    if let Some(simulated) = simulated {
        out += &of_both(simulated, style);
    }
    out
}

fn of_both(simulated: &Simulated, style: &Style) -> String {
    let mut out = format!("\n{}\n", Tone::Strong.paint("Simulated", style.colour));
    let mut table = Table::new("");
    table.column("", "before");
    table.column("", "after");
    table.column("", "difference");
    table.words("", "");
    for of in simulated.figures() {
        let said = judged(of.difference);
        let tone = match said {
            "better" => Tone::Good,
            "worse" => Tone::Bad,
            _ => Tone::Dim,
        };
        let cells = [
            Cell::new(figure(of.unit, &of.old)),
            Cell::new(figure(of.unit, &of.new)),
            Cell::new(difference(of.unit, of.difference)),
            Cell::new(said).tone(tone),
        ];
        table.row(&clean(&of.metric.title_in(simulated.new.code())), cells);
    }
    out += &table.render(style.width, style.colour);
    let objectives = simulated.judged();
    if !objectives.is_empty() {
        out += &format!("\n{}\n", Tone::Strong.paint("Objectives", style.colour));
    }
    for of in objectives {
        let tone = match of.new {
            Judged::Pass => Tone::Good,
            Judged::Fail => Tone::Bad,
            Judged::Undecided => Tone::Dim,
        };
        let old = of.old.map_or("not asked", meets);
        let name = clean(&of.metric.title_in(simulated.new.code()));
        out += &format!(
            "  {name} {}: {old} → {}\n",
            of.bound,
            tone.paint(meets(of.new), style.colour)
        );
    }
    out.push('\n');
    out += &paragraph("", &format!("{}.", how(simulated)), style.width);
    for caution in cautions(simulated) {
        out += &paragraph("note: ", &caution, style.width);
    }
    out
}
