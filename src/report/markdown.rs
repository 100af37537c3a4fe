//! The result in Markdown, for an issue, a pull request or a wiki: the answer, a table of the policies, objectives, warnings.
//!
//! GitHub Flavored Markdown 0.29: tables, and backslash escapes of every character that could be markup (section 6.1), so that names and
//! texts out of files are text. What is noted of a figure stands under the tables. Left out: plots, and every figure that `result.json` has besides.

use super::leading::FIGURES;
use super::table::Table;
use super::terminal::{nothing_compared, of_one};
use super::text::{clean, mark};
use super::{Judged, Metric, OVER_ALL, PolicyReport, Report, format, shown};

/// The summary of a report. Ends in a newline.
pub fn render(report: &Report) -> String {
    let mut all = format!("# {}\n", escaped(&report.experiment));
    let mut paragraph = |text: &str| all += &format!("\n{text}\n");
    for sentence in &report.scorecard.headline {
        paragraph(&format!("**{}**", escaped(sentence)));
    }
    let mut notes = Vec::new();
    paragraph(&policies(report, &mut notes));
    if report.policies.iter().any(PolicyReport::is_over_all) {
        paragraph(OVER_ALL);
    }
    if !report.objectives.is_empty() {
        paragraph(&format!("## Objectives\n\n{}", objectives(report, &mut notes)));
    }
    for (number, note) in notes.iter().enumerate() {
        paragraph(&format!("{} {}", mark(number), escaped(note)));
    }
    let warnings = report.told().collect();
    let lists = [("Warnings", &warnings), ("Not modelled", &report.assumptions)];
    for (title, items) in lists.into_iter().filter(|(_, items)| !items.is_empty()) {
        let items: Vec<String> = items.iter().map(|item| format!("- {}", escaped(item))).collect();
        paragraph(&format!("## {title}\n\n{}", items.join("\n")));
    }
    let of = if report.replications_finished == report.replications_planned {
        String::new()
    } else {
        format!(" of {}", format::count(report.replications_planned))
    };
    paragraph(&format!(
        "{} replications{of} of {} after a warm-up of {}, seed {}, {} intervals; simcap {}.",
        format::count(report.replications_finished),
        format::span(report.counted),
        format::span(report.warmup),
        report.seed,
        format::level(report.confidence),
        escaped(&report.version),
    ));
    all
}

/// The differences of each policy from the first, or of two results: what follows, and a table under the name of each policy. Ends in a newline.
pub fn comparison(report: &Report) -> String {
    let mut all = format!("# {}\n", escaped(&report.experiment));
    let mut paragraph = |text: &str| all += &format!("\n{text}\n");
    // Of one result what follows from it is elsewhere.
    for sentence in report.scorecard.headline.iter().filter(|_| report.joined.is_some()) {
        paragraph(&format!("**{}**", escaped(sentence)));
    }
    if report.comparisons.is_empty() {
        paragraph(nothing_compared(report));
    }
    for comparison in &report.comparisons {
        let (table, notes) = of_one(report, comparison);
        let (name, baseline) = (escaped(&comparison.policy), escaped(&comparison.baseline));
        paragraph(&format!(
            "## {name} against {baseline}\n\n{}",
            table.markdown().trim_end()
        ));
        paragraph(&escaped(&comparison.sentence));
        notes.iter().for_each(|note| paragraph(&escaped(note)));
    }
    all
}

/// A table between what is said of it: the answer before it, and items behind.
pub(crate) fn around(title: &str, answer: &str, table: &Table, items: &[String]) -> String {
    let mut all = format!("# {}\n\n{}\n\n{}", escaped(title), escaped(answer), table.markdown());
    if !items.is_empty() {
        all += "\n";
    }
    all.extend(items.iter().map(|item| format!("- {}\n", escaped(item))));
    all
}

/// The mark of the note on a figure, which is put to the others if it is not among them; nothing without one.
fn marked(note: Option<&str>, notes: &mut Vec<String>) -> String {
    let Some(note) = note else { return String::new() };
    let known = notes.iter().position(|known| known == note);
    mark(known.unwrap_or_else(|| {
        notes.push(note.to_owned());
        notes.len() - 1
    }))
}

/// A row for each policy, with the figures that some policy has.
fn policies(report: &Report, notes: &mut Vec<String>) -> String {
    let asked = report.objectives.iter().map(|objective| &objective.metric);
    let ranked = report.ranking.iter().map(|ranking| &ranking.metric);
    let mut metrics: Vec<&Metric> = Vec::new();
    for metric in asked.chain(ranked).chain(&report.asked).chain(&FIGURES) {
        let has = |policy| !shown(policy, metric).0.value.is_nan();
        if !metrics.contains(&metric) && report.policies.iter().any(has) {
            metrics.push(metric);
        }
    }
    let code = report.code();
    let head = metrics.iter().map(|metric| escaped(&metric.to_string()));
    let mut rows = vec![row(std::iter::once("policy".to_owned()).chain(head))];
    rows.push(row(
        std::iter::once("---".to_owned()).chain(metrics.iter().map(|_| "---:".to_owned()))
    ));
    for policy in &report.policies {
        let figure = |metric: &&Metric| {
            let (estimate, note) = shown(policy, metric);
            let figure = format::plus_minus(metric.unit_in(code), &estimate);
            format!("{figure}{}", marked(note, notes))
        };
        rows.push(row(
            std::iter::once(escaped(&policy.name)).chain(metrics.iter().map(figure))
        ));
    }
    rows.join("\n")
}

fn objectives(report: &Report, notes: &mut Vec<String>) -> String {
    let mut rows = vec![row(["policy", "objective", "figure", "judged"].map(str::to_owned))];
    rows.push(row(["---", "---", "---:", "---"].map(str::to_owned)));
    for objective in &report.objectives {
        let unit = objective.metric.unit_in(report.code());
        let side = if objective.at_most { "at most" } else { "at least" };
        let policy = report.policies.iter().find(|policy| policy.name == objective.policy);
        let note = policy.and_then(|policy| shown(policy, &objective.metric).1);
        let judged = match objective.judged {
            Judged::Pass => "pass",
            Judged::Fail => "**fail**",
            Judged::Undecided => "undecided",
        };
        rows.push(row([
            escaped(&objective.policy),
            format!(
                "{} {side} {}",
                escaped(&objective.metric.to_string()),
                format::tick(unit, objective.bound)
            ),
            format!(
                "{}{}",
                format::plus_minus(unit, &objective.estimate),
                marked(note, notes)
            ),
            judged.to_owned(),
        ]));
    }
    rows.join("\n")
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {} |", cells.join(" | "))
}

/// `text` on one line, as text and nothing else.
pub(crate) fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for c in clean(text).chars() {
        if "\\`*_{}[]<>#|~&!$".contains(c) {
            all.push('\\');
        }
        all.push(c);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn every_policy_and_objective_has_a_row_of_as_many_cells_as_its_head() {
        let report = sample();
        let text = render(&report);
        for table in text.split("\n\n").filter(|part| part.starts_with("| ")) {
            let bars = |line: &str| line.replace("\\|", "").matches('|').count();
            let mut lines = table.lines();
            let head = bars(lines.next().unwrap());
            assert!(lines.all(|line| bars(line) == head), "{table}");
        }
        for policy in &report.policies {
            assert!(text.contains(&format!("| {} |", escaped(&policy.name))), "{text}");
        }
        assert!(text.contains("pass") || text.contains("fail") || text.contains("undecided"));
    }

    #[test]
    fn what_a_file_says_is_text() {
        assert_eq!(
            escaped("a|b\n<img> [x](y) *z* \u{1b}"),
            "a\\|b \\<img\\> \\[x\\](y) \\*z\\* \u{fffd}"
        );
    }
}
