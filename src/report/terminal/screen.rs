//! The first screen: what follows from the run, the figures that decide, what binds, and warnings; all else is in `--full` and on the page.
//!
//! Percentiles are over all requests, one that never got its answer taking for ever, as objectives judge them. A column that is nothing or
//! zero for all is left out; the best of each other one is marked. Of many policies those are shown that lead, with the baseline. What
//! is left out is counted.

use std::collections::BTreeSet;

use super::notes::Notes;
use super::room::{LINES, NARROW, Room};
use super::{BINDS, HEAD, Page, Style, binds};
use crate::report::dialogues;
use crate::report::leading::FIGURES;
use crate::report::table::{Cell, Table, Tone};
use crate::report::text::{clean, fit, paragraph, width};
use crate::report::{Judged, Metric, OF_SURVIVORS, OVER_ALL, PolicyReport, Report, Scored, Unit, estimate, format};
use crate::report::{cost_of_1k, shown as figure_of};
use crate::stats::interval::Estimate;
use crate::stats::sorting;
use crate::words::Outcome;
use crate::words::metric::Statistic;

/// From so many objectives on, figures beside them are left out but for errors and costs.
const MANY_GOALS: usize = 4;

/// Lines behind the screen that say where the page is.
const OF_PAGE: usize = 2;

/// The bins of a course over time, and the error rate from which it is worth a column.
const BINS: usize = 16;
const ERRORS: f64 = 0.01;

/// The marks of a course over time, from nothing to the most of all.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Marks the best of a column.
const BEST: char = '*';

/// The first screen, of about forty lines. Ends in a newline.
pub fn screen(report: &Report, style: &Style) -> String {
    let room = Room::of(report, style.width);
    let is_screen = |text: &str| text.lines().count() + OF_PAGE <= LINES;
    // A wide table has few lines: there what is told in sentences, and stands in the table too, is all that is ever left out.
    let smaller = [
        room,
        room.without_sentences(),
        room.tight(),
        room.tighter(),
        room.tightest(),
        room.barest(),
    ];
    let most = if style.width >= NARROW { 2 } else { smaller.len() };
    let mut text = String::new();
    for room in &smaller[..most] {
        text = of_room(report, style, *room);
        if is_screen(&text) {
            break;
        }
    }
    text
}

/// What there is `room` for.
fn of_room(report: &Report, style: &Style, room: Room) -> String {
    let mut notes = Notes::default();
    let mut page = Page::new(style);
    page.title(report);
    page.headline(report);
    let left_out = page.warnings(report, room) || room.sentences == 0;
    page.standings(report);
    if !report.assumptions.is_empty() {
        let text = paragraph("not modelled: ", &report.assumptions.join("; "), style.width);
        page.text += &cut(&text, room.assumptions, style.width);
    }
    let leading = report.leading(room.policies).into_iter();
    let shown: Vec<&PolicyReport> = leading.map(|p| &report.policies[p]).collect();
    page.table("", &figures(report, &shown, room, &mut notes));
    page.captions(report, &shown, left_out, room, &notes);
    if room.details {
        page.failures(report, &shown, room);
    }
    page.caches(report, &shown, room);
    page.dialogues(report, &shown, room);
    if room.details || report.scorecard.goals.is_empty() {
        page.incidents(report, &shown, room);
    }
    page.binding(report, &shown, room);
    let sentences = &report.comparisons;
    if !sentences.is_empty() && sentences.len() <= room.sentences {
        page.text.push('\n');
        for comparison in sentences {
            page.text += &paragraph("- ", &comparison.sentence, style.width);
        }
    }
    page.text
}

/// What follows from the run and nothing else: one paragraph a sentence, and what the bill of a month takes to be so, which stands at the figure elsewhere.
pub fn headline(report: &Report, style: &Style) -> String {
    let mut page = Page::new(style);
    page.headline(report);
    let bills = (report.policies.iter())
        .filter_map(|policy| policy.metrics.iter().find(|of| of.metric == Metric::COST_PER_MONTH));
    let notes: BTreeSet<&String> = bills.filter_map(|bill| bill.note.as_ref()).collect();
    let speaks = |sentence: &String| sentence.contains("month");
    if report.scorecard.headline.iter().any(speaks) {
        for note in notes {
            page.text += &paragraph("- ", &format!("of the bill of a month: {note}"), style.width);
        }
    }
    page.text.trim_start().to_owned()
}

impl Page {
    /// What follows from the run, if anything does.
    pub(super) fn headline(&mut self, report: &Report) {
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
    fn warnings(&mut self, report: &Report, room: Room) -> bool {
        let all = together(report);
        let mut is_less = all.len() > room.warnings;
        for warning in all.iter().take(room.warnings) {
            let whole = self.warning(warning);
            let lines = cut(&whole, room.lines, self.style.width);
            is_less |= lines != whole;
            self.warn(&lines);
        }
        if let Some(more) = all.len().checked_sub(room.warnings).filter(|more| *more > 0) {
            let plural = if more == 1 { "" } else { "s" };
            self.text += &format!("and {more} more warning{plural}\n");
        }
        is_less
    }

    /// What the table needs to be said of it.
    fn captions(&mut self, report: &Report, shown: &[&PolicyReport], left_out: bool, room: Room, notes: &Notes) {
        let mut said = Vec::new();
        if report.policies.len() > 1 {
            let all_compare = shown.iter().all(|policy| comparable(report, shown, policy));
            let of_costs = match (all_compare, report.scorecard.goals.is_empty()) {
                (true, _) => "",
                (false, false) if shown.iter().any(|p| is_met(report, p)) => {
                    "; of costs, among those that meet every objective"
                }
                (false, _) => "; of costs, among those that fail hardly more than the best",
            };
            said.push(format!("{BEST} best of its column{of_costs}."));
        }
        if report
            .policies
            .iter()
            .all(|policy| policy.requests > 0 && estimate(policy, &Metric::ERROR_RATE).value == 0.0)
        {
            said.push("No request failed.".into());
        }
        if shown.iter().any(|policy| policy.is_over_all()) {
            said.push(OVER_ALL.into());
        }
        let hidden = report.policies.len() - shown.len();
        if hidden > 0 {
            said.push(format!("{hidden} more policies are left out."));
        }
        let of_goals = |policy: &&PolicyReport| stands(report, report.scorecard.of(&policy.name)?, false);
        if shown.iter().any(|policy| of_goals(policy).is_some()) {
            said.push("In brackets: objectives that are not asked of the policy.".into());
        }
        if left_out || hidden > 0 {
            said.push("All of it: --full, or the page.".into());
        }
        if !said.is_empty() {
            self.text += &paragraph("", &said.join(" "), self.style.width);
        }
        self.missing(report);
        for (mark, note) in notes.iter().take(room.notes) {
            let text = paragraph(&format!("{mark} "), note, self.style.width);
            self.text += &cut(&text, room.lines, self.style.width);
        }
    }

    /// As what requests failed in the end, under the policies shown where a notable share did.
    fn failures(&mut self, report: &Report, shown: &[&PolicyReport], room: Room) {
        let mut lines = Vec::new();
        for policy in shown {
            let failed = policy.outcomes.iter().filter(|of| of.outcome != Outcome::Success);
            let mut failed: Vec<_> = failed.filter(|of| of.share.value >= BINDS / 10.0).collect();
            sorting::by(&mut failed, |a, b| b.share.value.total_cmp(&a.share.value));
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
        self.grouped("Failed as", &lines, report.answer(), room);
    }

    /// What response caches did under the policies shown.
    fn caches(&mut self, report: &Report, shown: &[&PolicyReport], room: Room) {
        let line = |policy: &&PolicyReport| {
            let cache = policy.response_cache.as_ref()?;
            Some((cache.line(report.code()), policy.name.clone()))
        };
        let lines: Vec<(String, String)> = shown.iter().filter_map(line).collect();
        self.grouped("Response cache", &lines, report.answer(), room);
    }

    /// What became of conversations and agent runs under the policies shown.
    fn dialogues(&mut self, report: &Report, shown: &[&PolicyReport], room: Room) {
        let line = |policy: &&PolicyReport| Some((dialogues::line(policy, report.code())?, policy.name.clone()));
        let lines: Vec<(String, String)> = shown.iter().filter_map(line).collect();
        self.grouped("Dialogues", &lines, report.answer(), room);
    }

    /// What became of the first outage under the policies shown: when its provider was left out, what reached it before, how long it
    /// took until requests were answered again, and until the provider answered one.
    fn incidents(&mut self, report: &Report, shown: &[&PolicyReport], room: Room) {
        let Some(first) = shown.iter().find_map(|policy| policy.incidents.first()) else {
            return;
        };
        let mut table = Table::new("policy");
        for (group, title) in [
            ("left out", "after"),
            ("failed attempts", "until then"),
            ("requests", "failed"),
            ("well again", "after"),
            ("taken back", "after"),
        ] {
            table.column(group, title);
        }
        for policy in shown {
            let Some(incident) = policy.incidents.first() else {
                continue;
            };
            let told = |time: Option<&Estimate>| time.map_or(format::NONE.to_owned(), moment);
            let well = Some(&incident.time_to_recover).filter(|_| incident.is_over(report.counted));
            let cells = [
                moment(&incident.time_to_eject),
                format::count(incident.leaked.value.round() as u64),
                format::share(incident.error_rate.value),
                told(well),
                told(incident.taken_back(report.counted)),
            ];
            table.row(&fit(&clean(&policy.name), room.name), cells.map(Cell::new));
        }
        let of = match report.policies.first().map_or(0, |policy| policy.incidents.len()) {
            0 | 1 => String::new(),
            many => format!(", the first of {many}"),
        };
        self.table(&format!("Outage of {}{of}", fit(&clean(&first.provider), HEAD)), &table);
    }

    /// The limits that were reached under the policies shown.
    fn binding(&mut self, report: &Report, shown: &[&PolicyReport], room: Room) {
        let mut lines = Vec::new();
        for policy in shown {
            let binding = policy.bounds.iter().filter(|bound| bound.share.value >= BINDS);
            let parts: Vec<String> = binding.take(2).map(binds).collect();
            if !parts.is_empty() {
                lines.push((parts.join("; "), policy.name.clone()));
            }
        }
        self.grouped("Binds", &lines, report.answer(), room);
    }

    /// One line for each policy that has something to say, those that say the same together.
    fn grouped(&mut self, title: &str, lines: &[(String, String)], first: Option<&str>, room: Room) {
        if lines.is_empty() || room.binding == 0 {
            return;
        }
        let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
        for (text, name) in lines {
            let name = fit(&clean(name), HEAD);
            match groups.iter_mut().find(|(known, _)| known == text) {
                Some((_, names)) => names.push(name),
                None => groups.push((text, vec![name])),
            }
        }
        // What is said of the answer comes first.
        if let Some(at) = first.and_then(|first| {
            groups
                .iter()
                .position(|(_, names)| names.contains(&fit(&clean(first), HEAD)))
        }) {
            let answer = groups.remove(at);
            groups.insert(0, answer);
        }
        self.text.push('\n');
        for (text, names) in groups.iter().take(room.binding) {
            let line = format!("{}: {text}", names.join(", "));
            let line = paragraph(&format!("{title}: "), &line, self.style.width);
            self.text += &cut(&line, 2, self.style.width);
        }
        // Where there is no room for more, that all of it is in --full is said once, above.
        let more = groups.len().checked_sub(room.binding);
        if let Some(more) = more.filter(|more| *more > 0 && !room.is_tightest) {
            self.text += &format!("{title}: {more} more in --full\n");
        }
    }
}

/// When something came about, in the replications in which it did; in how many of them, where not in all.
fn moment(time: &Estimate) -> String {
    let at = format::value(Unit::Seconds, time.value);
    match (time.n, time.undefined) {
        (0, _) => format::NEVER.to_owned(),
        (_, 0) => at,
        (n, never) => format!("{at} ({n} of {})", n + never),
    }
}

/// The warnings that change what is shown here; what is said of several policies in the same words is said once.
fn together(report: &Report) -> Vec<String> {
    let mut all: Vec<(Vec<&str>, &str)> = Vec::new();
    for warning in report.warnings.iter().filter(|w| !w.contains(OF_SURVIVORS)) {
        let of_policy = warning
            .split_once(": ")
            .filter(|(name, _)| report.policies.iter().any(|p| p.name == *name));
        let (names, text) = of_policy.map_or((Vec::new(), warning.as_str()), |(name, text)| (vec![name], text));
        match all
            .iter_mut()
            .find(|(of, known)| *known == text && !of.is_empty() && !names.is_empty())
        {
            Some((of, _)) => of.extend(names),
            None => all.push((names, text)),
        }
    }
    let said = all.into_iter().map(|(names, text)| match names.as_slice() {
        [] => text.to_owned(),
        names => format!("{}: {text}", names.join(", ")),
    });
    said.collect()
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
            // Not in the middle of a word, unless it is all there is.
            match last.rfind(' ').filter(|at| *at > 0) {
                Some(space) => last.truncate(space),
                None => drop(last.pop()),
            }
        }
        last.push_str(" …");
    }
    kept.join("\n") + "\n"
}

/// The metrics of the columns: what is bounded, what is ranked by, then the usual; each once, and only what is not nothing for all.
fn columns(report: &Report, shown: &[&PolicyReport], room: Room) -> Vec<Metric> {
    let goals = report.scorecard.goals.iter().map(|goal| goal.metric.clone());
    let ranked = report.ranking.iter().map(|ranking| ranking.metric.clone());
    let of_1k = cost_of_1k(report.policies.iter());
    let mut columns: Vec<Metric> = Vec::new();
    let asked = report.asked.iter().filter(|_| room.details).cloned();
    let goals_are = report.scorecard.goals.len();
    let has_many = goals_are >= MANY_GOALS || room.is_tightest && goals_are > 0;
    let besides = |metric: &&Metric| !has_many || **metric == Metric::ERROR_RATE || metric.unit() == Unit::Dollars;
    for metric in
        goals
            .chain(ranked)
            .chain(FIGURES.iter().take(room.figures).filter(besides).map(|metric| {
                match *metric == Metric::COST_PER_1K {
                    true => of_1k.clone(),
                    false => metric.clone(),
                }
            }))
            .chain(asked)
    {
        let values = || shown.iter().map(|policy| figure_of(policy, &metric).0.value);
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

fn figures(report: &Report, shown: &[&PolicyReport], room: Room, notes: &mut Notes) -> Table {
    let columns = columns(report, shown, room);
    let code = report.code();
    let mut table = Table::new("policy");
    for metric in &columns {
        let goals = report.scorecard.goals.iter().filter(|goal| goal.metric == *metric);
        let bounds: Vec<String> = goals.map(|goal| goal.bound_in(code)).collect();
        let title = match metric.as_standard().map(|_| metric.statistic()) {
            Some(Statistic::Whole) => metric.short_in(code),
            _ => metric.title_in(code),
        };
        // Of a part of the traffic its name alone, where that says by itself which part it is.
        let title = match part(metric, &columns) {
            Some((whole, part)) => format!("{}: {}", fit(&clean(part), room.name), clean(&whole.title_in(code))),
            None => clean(&title),
        };
        table.column(&bounds.join(", "), &title);
    }
    let has_goals = !report.scorecard.goals.is_empty();
    if has_goals {
        table.words("", if room.details { "objectives" } else { "met" });
    }
    let most = shown.iter().flat_map(|policy| course(policy)).fold(0.0, f64::max);
    let has_course = room.course && most >= ERRORS;
    if has_course {
        table.words("", &format!("errors over time, █ {}", format::tick(Unit::Share, most)));
    }
    let best: Vec<Option<f64>> = columns.iter().map(|metric| best(report, metric, shown)).collect();
    for policy in shown {
        let mut cells: Vec<Cell> = Vec::new();
        for (metric, best) in columns.iter().zip(&best) {
            let (estimate, note) = figure_of(policy, metric);
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
                    .map_or_else(|| Cell::new(""), |row| verdict(report, row, room)),
            );
        }
        if has_course {
            cells.push(Cell::new(spark(&course(policy), most)));
        }
        table.row(&fit(&clean(&policy.name), room.name), cells);
    }
    table
}

/// A metric of one part of the traffic as the metric of all of it and the name of the part, where every metric of a part among `columns` has
/// a part of the same kind.
fn part<'a>(metric: &'a Metric, columns: &[Metric]) -> Option<(Metric, &'a str)> {
    let mut parts = metric.scope().iter();
    let (key, value) = parts.next().filter(|_| metric.scope().iter().count() == 1)?;
    let alike = |other: &Metric| other.scope().is_all() || other.scope().iter().all(|(known, _)| known == key);
    let whole = Metric::new(metric.quantity(), metric.statistic())?;
    columns.iter().all(alike).then_some((whole, value))
}

/// The best value of a column, unless another is within its interval, or it within that of another: then the runs do not say which is the best.
/// A request that fails costs less, so that of costs only those of [`comparable`] policies count.
fn best(report: &Report, metric: &Metric, shown: &[&PolicyReport]) -> Option<f64> {
    let counts = |policy: &&&PolicyReport| metric.unit() != Unit::Dollars || comparable(report, shown, policy);
    let all: Vec<Estimate> = (shown.iter().filter(counts))
        .map(|policy| figure_of(policy, metric).0)
        .filter(|estimate| estimate.value.is_finite())
        .collect();
    let better = |a: &Estimate, b: &Estimate| {
        let order = a.value.total_cmp(&b.value);
        if metric.lower_is_better() {
            order
        } else {
            order.reverse()
        }
    };
    let best = all.iter().min_by(|a, b| better(a, b))?;
    // One replication tells nothing apart, and one value is the best of none.
    if best.n < 2 || all.len() < 2 {
        return None;
    }
    let holds = |of: &Estimate, value: f64| {
        let bounds = of.lo.unwrap_or(of.value)..=of.hi.unwrap_or(of.value);
        bounds.contains(&value)
    };
    let alike = all.iter().filter(|of| holds(of, best.value) || holds(best, of.value));
    (shown.len() > 1 && alike.count() == 1).then_some(best.value)
}

/// Whether the costs of a policy may be the best: those that meet every objective, or if none of `shown` does, those that fail hardly more
/// requests than the best.
fn comparable(report: &Report, shown: &[&PolicyReport], policy: &PolicyReport) -> bool {
    if shown.iter().any(|policy| is_met(report, policy)) {
        return is_met(report, policy);
    }
    let errors = |policy: &PolicyReport| estimate(policy, &Metric::ERROR_RATE).value;
    let least = shown.iter().map(|policy| errors(policy)).fold(f64::INFINITY, f64::min);
    errors(policy) <= least + ERRORS
}

/// Whether a policy meets every objective, of which there are some.
fn is_met(report: &Report, policy: &PolicyReport) -> bool {
    let card = &report.scorecard;
    !card.goals.is_empty() && card.of(&policy.name).is_some_and(|row| row.overall == Judged::Pass)
}

/// How a policy stands on the objectives that are asked of it, and in brackets on the others; in a word where there is little room.
fn verdict(report: &Report, row: &Scored, room: Room) -> Cell {
    let of = |is_asked| {
        let (judged, titles) = stands(report, row, is_asked)?;
        let titles = match titles.as_slice() {
            [] | [_] => titles.concat(),
            [first, more @ ..] => format!("{first} +{}", more.len()),
        };
        let (word, said, quiet, tone) = match judged {
            Judged::Pass => ("yes", "PASS", "meets them", Tone::Good),
            Judged::Fail => ("no", "FAIL ", "fails ", Tone::Bad),
            Judged::Undecided => ("?", "? ", "? ", Tone::Dim),
        };
        Some(match (is_asked, room.details) {
            (true, true) => (format!("{said}{titles}"), tone),
            (true, false) => (word.to_owned(), tone),
            (false, true) => (format!("({quiet}{titles})"), Tone::Dim),
            (false, false) => (format!("({word})"), Tone::Dim),
        })
    };
    match (of(true), of(false)) {
        (Some((asked, tone)), None) => Cell::new(asked).tone(tone),
        (Some((asked, tone)), Some((others, _))) => Cell::new(format!("{asked} {others}")).tone(tone),
        (None, others) => others.map_or_else(|| Cell::new(""), |(others, tone)| Cell::new(others).tone(tone)),
    }
}

/// The verdict on the objectives that are asked of a policy, or on those that are not, and the titles of those that decide it. Nothing if
/// there are none, or if it meets what is not asked of it beside others.
fn stands(report: &Report, row: &Scored, is_asked: bool) -> Option<(Judged, Vec<String>)> {
    let card = &report.scorecard;
    let of = |judged| {
        let goals = card.goals_judged(row, judged);
        goals.filter(move |goal| report.asks(&row.policy, goal) == is_asked)
    };
    let judged = [Judged::Fail, Judged::Undecided, Judged::Pass];
    let worst = judged.into_iter().find(|judged| of(*judged).next().is_some())?;
    if worst == Judged::Pass {
        let beside = !is_asked && stands(report, row, true).is_some();
        return (!beside).then(|| (worst, Vec::new()));
    }
    let titles = of(worst).map(|goal| clean(&goal.metric.title_in(report.code())));
    Some((worst, titles.collect()))
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
pub(crate) fn spark(course: &[f64], most: f64) -> String {
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
