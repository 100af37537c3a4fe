//! The first screen: what follows from the run, the figures that decide, what binds, and warnings; all else is in `--full` and on the page.
//!
//! Times are over all requests, one that never got its answer taking for ever, as objectives judge them. A column that is nothing or
//! zero for all is left out; the best of each other one is marked. Of many policies those are shown that lead, with the baseline. What
//! is left out is counted.

use super::notes::Notes;
use super::{BINDS, HEAD, Page, Style, binds};
use crate::report::table::{Cell, Table, Tone};
use crate::report::text::{clean, fit, paragraph, width};
use crate::report::{Judged, Metric, OF_SURVIVORS, PolicyReport, Report, Scored, Unit, estimate, format};
use crate::stats::interval::Estimate;
use crate::words::Outcome;

/// The most policies that are shown.
const POLICIES: usize = 10;

/// The most warnings, the most lines of each, and the most notes.
const WARNINGS: usize = 4;
const LINES: usize = 3;
const NOTES: usize = 3;

/// The most comparisons that are told in a sentence each.
const SENTENCES: usize = 3;

/// The bins of a course over time, and the error rate from which it is worth a column.
const BINS: usize = 16;
const ERRORS: f64 = 0.01;

/// The marks of a course over time, from nothing to the most of all.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Marks the best of a column.
const BEST: char = '*';

/// The figures of the first screen that every experiment has, in order; what is bounded or ranked by comes first.
const FIGURES: [Metric; 7] = [
    Metric::TTFT_P95,
    Metric::E2E_P95,
    Metric::ERROR_RATE,
    Metric::COST_PER_MONTH,
    Metric::COST_PER_1K,
    Metric::QUALITY,
    Metric::GOODPUT,
];

/// The first screen. Ends in a newline.
pub fn screen(report: &Report, style: &Style) -> String {
    let mut notes = Notes::default();
    let mut page = Page {
        text: String::new(),
        style: *style,
    };
    page.title(report);
    page.headline(report);
    let left_out = page.warnings(report);
    page.standings(report);
    if !report.assumptions.is_empty() {
        let text = paragraph("not modelled: ", &report.assumptions.join("; "), style.width);
        page.text += &cut(&text, LINES, style.width);
    }
    let shown = shown(report);
    page.table("", &figures(report, &shown, &mut notes));
    page.captions(report, &shown, left_out, &notes);
    page.failures(report, &shown);
    page.binding(report, &shown);
    let sentences = &report.comparisons;
    if !sentences.is_empty() && sentences.len() <= SENTENCES {
        page.text.push('\n');
        for comparison in sentences {
            page.text += &paragraph("- ", &comparison.sentence, style.width);
        }
    }
    page.text
}

/// What follows from the run and nothing else: one paragraph a sentence.
pub fn headline(report: &Report, style: &Style) -> String {
    let mut page = Page {
        text: String::new(),
        style: *style,
    };
    page.headline(report);
    page.text.trim_start().to_owned()
}

impl Page {
    /// What follows from the run. Without objectives or a ranking, what each policy is better at than the first.
    fn headline(&mut self, report: &Report) {
        if report.scorecard.headline.is_empty() {
            return;
        }
        self.text.push('\n');
        for sentence in &report.scorecard.headline {
            for line in paragraph("", sentence, self.style.width).lines() {
                self.text += &Tone::Strong.paint(line, self.style.colour);
                self.text.push('\n');
            }
        }
        self.text.push('\n');
    }

    /// The first warnings, each cut to a few lines; returns whether any was left out or cut.
    fn warnings(&mut self, report: &Report) -> bool {
        let all: Vec<&String> = report
            .warnings
            .iter()
            .filter(|w| !w.starts_with(OF_SURVIVORS))
            .collect();
        let mut is_less = all.len() > WARNINGS;
        for warning in all.iter().take(WARNINGS) {
            let whole = paragraph("warning: ", warning, self.style.width);
            let text = cut(&whole, LINES, self.style.width);
            is_less |= text != whole;
            let (first, rest) = text.split_at("warning:".len());
            self.text += &Tone::Bad.paint(first, self.style.colour);
            self.text += rest;
        }
        if let Some(more) = all.len().checked_sub(WARNINGS).filter(|more| *more > 0) {
            let plural = if more == 1 { "" } else { "s" };
            self.text += &format!("and {more} more warning{plural}\n");
        }
        is_less
    }

    /// What the table needs to be said of it.
    fn captions(&mut self, report: &Report, shown: &[&PolicyReport], left_out: bool, notes: &Notes) {
        let mut said = Vec::new();
        if report.policies.len() > 1 {
            said.push(format!("{BEST} best of its column."));
        }
        if report
            .policies
            .iter()
            .all(|policy| policy.requests > 0 && estimate(policy, &Metric::ERROR_RATE).value == 0.0)
        {
            said.push("No request failed.".into());
        }
        let is_of_all = |policy: &&PolicyReport| policy.metrics.iter().any(|measured| measured.of_all.is_some());
        if shown.iter().any(is_of_all) {
            said.push("Times are over all requests: one that never got its answer takes for ever.".into());
        }
        let hidden = report.policies.len() - shown.len();
        if hidden > 0 {
            said.push(format!("{hidden} more policies are left out."));
        }
        if left_out || hidden > 0 {
            said.push("All of it: --full, or the page.".into());
        }
        if !said.is_empty() {
            self.text += &paragraph("", &said.join(" "), self.style.width);
        }
        self.missing(report);
        for (mark, note) in notes.iter().take(NOTES) {
            let text = paragraph(&format!("{mark} "), note, self.style.width);
            self.text += &cut(&text, LINES, self.style.width);
        }
    }

    /// How requests failed, under the policies shown where a notable share did.
    fn failures(&mut self, report: &Report, shown: &[&PolicyReport]) {
        let mut lines = Vec::new();
        for policy in shown {
            let failed = policy.outcomes.iter().filter(|of| of.outcome != Outcome::Success);
            let mut failed: Vec<_> = failed.filter(|of| of.share.value >= BINDS / 10.0).collect();
            failed.sort_by(|a, b| b.share.value.total_cmp(&a.share.value));
            let parts: Vec<String> = (failed.iter().take(3))
                .map(|of| {
                    format!(
                        "{} {}",
                        of.outcome.name().replace('_', " "),
                        format::share(of.share.value)
                    )
                })
                .collect();
            if !parts.is_empty() {
                lines.push((parts.join(", "), policy.name.clone()));
            }
        }
        self.grouped("Failed by", report, shown, lines);
    }

    /// The limits that were reached under the policies shown.
    fn binding(&mut self, report: &Report, shown: &[&PolicyReport]) {
        let mut lines = Vec::new();
        for policy in shown {
            let binding = policy.bounds.iter().filter(|bound| bound.share.value >= BINDS);
            let parts: Vec<String> = binding.take(2).map(binds).collect();
            if !parts.is_empty() {
                lines.push((parts.join("; "), policy.name.clone()));
            }
        }
        self.grouped("Binds", report, shown, lines);
    }

    /// One line for each policy that has something to say, those that say the same together.
    fn grouped(&mut self, title: &str, report: &Report, shown: &[&PolicyReport], lines: Vec<(String, String)>) {
        if lines.is_empty() || shown.is_empty() {
            return;
        }
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for (text, name) in lines {
            match groups.iter_mut().find(|(known, _)| *known == text) {
                Some((_, names)) => names.push(name),
                None => groups.push((text, vec![name])),
            }
        }
        let most = if report.policies.len() > SENTENCES + 1 {
            SENTENCES
        } else {
            SENTENCES + 1
        };
        self.text.push('\n');
        for (text, names) in groups.iter().take(most) {
            let names: Vec<String> = names.iter().map(|name| fit(&clean(name), HEAD)).collect();
            let line = paragraph(
                &format!("{title}: "),
                &format!("{}: {text}", names.join(", ")),
                self.style.width,
            );
            self.text += &cut(&line, 2, self.style.width);
        }
        if groups.len() > most {
            self.text += &format!("{title}: {} more in --full\n", groups.len() - most);
        }
    }
}

/// The first lines of a paragraph, with a mark where it goes on.
fn cut(text: &str, most: usize, limit: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= most {
        return text.to_owned();
    }
    let mut kept: Vec<String> = lines[..most].iter().map(|&line| line.to_owned()).collect();
    if let Some(last) = kept.last_mut() {
        while width(last) + 2 > limit {
            last.pop();
        }
        last.push_str(" …");
    }
    kept.join("\n") + "\n"
}

/// The policies to show.
fn shown(report: &Report) -> Vec<&PolicyReport> {
    report
        .leading(POLICIES)
        .into_iter()
        .map(|p| &report.policies[p])
        .collect()
}

/// The metrics of the columns: what is bounded, what is ranked by, then the usual; each once, and only what is not nothing for all.
fn columns(report: &Report, shown: &[&PolicyReport]) -> Vec<Metric> {
    let goals = report.scorecard.goals.iter().map(|goal| goal.metric.clone());
    let ranked = report.ranking.iter().map(|ranking| ranking.metric.clone());
    let mut columns: Vec<Metric> = Vec::new();
    for metric in goals.chain(ranked).chain(FIGURES) {
        let values = || shown.iter().map(|policy| of_all(policy, &metric).value);
        let says = values().any(|value| !value.is_nan() && value != 0.0);
        let is_bounded = report.scorecard.goals.iter().any(|goal| goal.metric == metric);
        let is_told =
            metric == Metric::COST_PER_1K && columns.contains(&Metric::COST_PER_MONTH) && values().all(f64::is_finite);
        let of_month = || values().all(|value| !value.is_nan()) || metric != Metric::COST_PER_MONTH;
        if !columns.contains(&metric) && (is_bounded || (says && !is_told && of_month())) {
            columns.push(metric);
        }
    }
    columns
}

/// The figure over all requests; of what is not a percentile, the figure.
fn of_all(policy: &PolicyReport, metric: &Metric) -> Estimate {
    let found = policy.metrics.iter().find(|measured| measured.metric == *metric);
    found.map_or(Estimate::NONE, |measured| measured.of_all.unwrap_or(measured.estimate))
}

fn figures(report: &Report, shown: &[&PolicyReport], notes: &mut Notes) -> Table {
    let columns = columns(report, shown);
    let code = report.code();
    let mut table = Table::new("policy");
    for metric in &columns {
        let goals = report.scorecard.goals.iter().filter(|goal| goal.metric == *metric);
        let bounds: Vec<String> = goals.map(|goal| goal.bound_in(code)).collect();
        table.column(&bounds.join(", "), &clean(&metric.title_in(code)));
    }
    let has_goals = !report.scorecard.goals.is_empty();
    if has_goals {
        table.words("", "objectives");
    }
    let most = shown.iter().flat_map(|policy| course(policy)).fold(0.0, f64::max);
    let has_course = most >= ERRORS;
    if has_course {
        table.words("", &format!("errors over time, █ {}", format::tick(Unit::Share, most)));
    }
    let best: Vec<Option<f64>> = columns.iter().map(|metric| best(metric, shown)).collect();
    for policy in shown {
        let mut cells: Vec<Cell> = Vec::new();
        for (metric, best) in columns.iter().zip(&best) {
            let measured = policy.metrics.iter().find(|measured| measured.metric == *metric);
            let estimate = of_all(policy, metric);
            // Of a percentile the note is of the survivors' figure, where another is shown.
            let note = measured
                .filter(|measured| measured.of_all.is_none())
                .and_then(|measured| measured.note.as_deref());
            let mut cell = notes.cell(metric.unit_in(code), &estimate, note);
            if *best == Some(estimate.value) {
                cell.text = format!("{BEST}{}", cell.text);
            }
            cells.push(cell);
        }
        if has_goals {
            cells.push(
                report
                    .scorecard
                    .of(&policy.name)
                    .map_or_else(|| Cell::new(""), |row| verdict(report, row)),
            );
        }
        if has_course {
            cells.push(Cell::new(spark(&course(policy), most)));
        }
        table.row(&fit(&clean(&policy.name), HEAD), cells);
    }
    table
}

/// The best value of a column, unless it is that of most or there is but one policy.
fn best(metric: &Metric, shown: &[&PolicyReport]) -> Option<f64> {
    let values: Vec<f64> = shown
        .iter()
        .map(|policy| of_all(policy, metric).value)
        .filter(|v| v.is_finite())
        .collect();
    let better = |a: f64, b: f64| if metric.lower_is_better() { a.min(b) } else { a.max(b) };
    let best = values.iter().copied().reduce(better)?;
    let ties = values.iter().filter(|value| **value == best).count();
    (shown.len() > 1 && 2 * ties <= shown.len()).then_some(best)
}

/// How a policy stands on the objectives together: `PASS`, or what it fails, or what cannot be told.
fn verdict(report: &Report, row: &Scored) -> Cell {
    let card = &report.scorecard;
    let titles = |judged| {
        let titles: Vec<String> = card
            .goals_judged(row, judged)
            .map(|goal| clean(&goal.metric.title_in(report.code())))
            .collect();
        match titles.as_slice() {
            [] | [_] => titles.concat(),
            [first, more @ ..] => format!("{first} +{}", more.len()),
        }
    };
    match row.overall {
        Judged::Pass => Cell::new("PASS").tone(Tone::Good),
        Judged::Fail => Cell::new(format!("FAIL {}", titles(Judged::Fail))).tone(Tone::Bad),
        Judged::Undecided => Cell::new(format!("? {}", titles(Judged::Undecided))).tone(Tone::Dim),
    }
}

/// The error rate over time in a few bins, each the largest of those that fall into it.
fn course(policy: &PolicyReport) -> Vec<f64> {
    let rates: Vec<f64> = policy
        .series
        .iter()
        .map(|moment| moment.error_rate.unwrap_or(0.0))
        .collect();
    let size = rates.len().div_ceil(BINS).max(1);
    rates
        .chunks(size)
        .map(|bin| bin.iter().copied().fold(0.0, f64::max))
        .collect()
}

/// A course as bars; what is not zero is never blank.
fn spark(course: &[f64], most: f64) -> String {
    let last = BARS.len() - 1;
    let bar = |share: f64| {
        let height = (share / most * last as f64).round() as usize;
        BARS[height.clamp(usize::from(share > 0.0), last)]
    };
    course.iter().map(|&share| bar(share)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_shows_what_is_little_and_what_is_most() {
        assert_eq!(spark(&[0.0, 0.001, 0.25, 0.5], 0.5), " ▁▄█");
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_mark() {
        assert_eq!(cut("a\nb\nc\n", 2, 10), "a\nb …\n");
        assert_eq!(cut("aaaa\nbbbb\nc\n", 2, 4), "aaaa\nbb …\n");
        assert_eq!(cut("a\nb\n", 2, 10), "a\nb\n");
    }
}
