//! The difference as Markdown for a comment on a pull request: figures and objectives first, the rest folded where it is long.

use super::super::{Diff, Simulated};
use super::{
    case, caution, cautions, difference, differs_after, figure, how, judged, key, keys, meets, products, setting,
    title, unchanged, warning,
};
use crate::report::Judged;
use crate::report::text::clean;

/// The changes that are shown without unfolding.
const OPEN: usize = 12;

/// The difference, and what a simulation of both says.
pub fn markdown(diff: &Diff<'_>, simulated: Option<&Simulated>) -> String {
    let mut out = format!("### simcap: {}\n", cell(&title(diff)));
    if let Some(simulated) = simulated {
        out += &objectives(simulated);
        out += &figures(simulated);
    }
    if let Some(caution) = caution(diff) {
        out += &format!("\n{}\n", cell(&caution));
    }
    let changes = table(
        &["setting", "before", "after"],
        diff.changes.iter().map(|change| {
            vec![
                setting(&change.subject, &change.what),
                change.old.clone(),
                change.new.clone(),
            ]
        }),
    );
    out += &match diff.changes.len() {
        0 => format!("\n{}\n", unchanged(diff)),
        n if n <= OPEN => format!("\n{changes}"),
        n => folded(&format!("{n} settings changed"), &changes),
    };
    if !diff.raised.is_empty() {
        let rows = diff.raised.iter().map(|one| {
            let [level, place, subject, means] = warning(diff.new, one);
            vec![level, place, format!("**{subject}** {means}")]
        });
        out += &format!("\n{}", table(&["", "where", "new warning"], rows));
    }
    if !diff.cases.is_empty() {
        let rows = diff.cases.iter().map(|change| {
            let rest = differs_after(change);
            vec![
                format!("{}: {}", change.group, change.when),
                case(&change.old, rest),
                case(&change.new, rest),
            ]
        });
        out += &folded("When something fails", &table(&["when", "before", "after"], rows));
    }
    for (title, changes) in keys(diff) {
        let told: Vec<String> = changes.into_iter().map(|change| key(diff, change)).collect();
        if !told.is_empty() {
            out += &folded(&format!("{title}: {}", told.len()), &list(&told));
        }
    }
    let gone: Vec<String> = diff
        .gone
        .iter()
        .map(|one| {
            let [level, place, subject, _] = warning(diff.old, one);
            format!("{level} {place} {subject}")
        })
        .collect();
    if !gone.is_empty() {
        out += &folded(&format!("Warnings that are gone: {}", gone.len()), &list(&gone));
    }
    let mut rests: Vec<String> = vec![products(diff)];
    if let Some(simulated) = simulated {
        rests.push(how(simulated));
        rests.extend(cautions(simulated));
        rests.push(format!("simcap {}", simulated.new.version));
    }
    out + &folded("What this rests on", &list(&rests))
}

fn objectives(simulated: &Simulated) -> String {
    let judged = simulated.judged();
    if judged.is_empty() {
        return String::new();
    }
    let rows = judged.iter().map(|of| {
        let new = match of.new {
            Judged::Fail => "**fail**",
            other => meets(other),
        };
        let name = of.metric.title_in(simulated.new.code());
        vec![
            format!("{name} {}", of.bound),
            of.old.map_or("not asked", meets).to_owned(),
            new.to_owned(),
        ]
    });
    format!("\n{}", table(&["objective", "before", "after"], rows))
}

fn figures(simulated: &Simulated) -> String {
    let rows = simulated.figures().into_iter().map(|of| {
        vec![
            of.metric.title_in(simulated.new.code()),
            figure(of.unit, &of.old),
            figure(of.unit, &of.new),
            difference(of.unit, of.difference),
            judged(of.difference).to_owned(),
        ]
    });
    format!("\n{}", table(&["simulated", "before", "after", "difference", ""], rows))
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        out += &format!("| {} |\n", cells.join(" | "));
    }
    out
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("- {}\n", cell(item))).collect()
}

fn folded(title: &str, inside: &str) -> String {
    format!(
        "\n<details><summary>{}</summary>\n\n{inside}\n</details>\n",
        cell(title)
    )
}

/// Text that stays in its cell, as text: what a file says is not markup, nor a mention of a person.
fn cell(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '<' => all.push_str("&lt;"),
            '@' => all.push_str("&#64;"),
            '|' | '\\' | '`' | '_' | '[' | ']' | '~' | '$' => {
                all.push('\\');
                all.push(c);
            }
            c => all.push(c),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn what_a_file_says_is_neither_markup_nor_a_mention() {
        assert_eq!(
            cell("a|b <img> @team x_y `z`\n"),
            "a\\|b &lt;img> &#64;team x\\_y \\`z\\` "
        );
    }
}
