//! The result on a terminal: tables of plain text that fit its width.
//!
//! [`screen`] is what `run` shows; [`full`] all of it: first the answer and what a reader must know (warnings), then the figures with their intervals,
//! what went wrong, which provider served, what binds, the objectives, and the policies' differences. Colour marks what the words
//! already say, never more (<https://no-color.org>; WCAG 2.2, 1.4.1). Left out: figures by class and over time, which the files hold.

mod bill;
mod comparison;
mod distribution;
mod identities;
mod notes;
mod response_cache;
mod room;
mod screen;

use super::alone;
use super::estimate;
use super::table::{Cell, Table, Tone};
use super::text::{clean, fit, paragraph};
use super::{
    BoundReport, Code, Goal, Judged, Metric, Missed, ModelNote, OVER_ALL, PolicyReport, Ranking, Report, Standing,
    Unit, format, stretch,
};
use crate::words::Outcome;
use crate::words::metric::Statistic;
use crate::words::{BoundKind, EffortKind};
pub(super) use comparison::of_one;
use notes::Notes;

pub(crate) use screen::spark;
pub use screen::{headline, screen};

/// How the terminal is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The width of the terminal in columns. Below about 40 some lines are wider.
    pub width: usize,
    /// Whether it shows ANSI colours.
    pub colour: bool,
}

/// What stands before a warning.
const WARNING: &str = "warning: ";

/// A name is shown in at most so many columns where it heads others.
const HEAD: usize = 28;

/// The smallest share of time at a bound that is worth a line.
const BINDS: f64 = 0.01;

/// Everything: figures, outcomes, providers, bounds, objectives and comparisons. Ends in a newline.
pub fn full(report: &Report, style: &Style) -> String {
    let mut notes = Notes::default();
    let mut page = Page::new(style);
    report.each().into_iter().for_each(|one| page.title(one));
    if !report.policies.is_empty() {
        page.headline(report);
    }
    page.cautions(report);
    page.table("", &figures(report, &mut notes));
    if report.objectives.iter().any(|o| o.at_most && o.metric.bounds_goodput()) {
        let text = "Goodput is requests a second that succeed within every latency objective of the experiment.";
        page.text += &paragraph("", text, style.width);
    }
    if report.policies.iter().any(PolicyReport::is_over_all) {
        page.text += &paragraph("", OVER_ALL, style.width);
    }
    page.missing(report);
    let (title, table) = distribution::table(report);
    page.table(&title, &table);
    page.table("Asked for besides", &further(report, &mut notes));
    if let Some(table) = errors(report, &mut notes) {
        page.table("Errors by outcome, share of requests", &table);
    } else if !report.policies.is_empty() {
        page.heading("No request failed.");
    }
    if let Some(table) = effort(report, &mut notes) {
        page.table("Beyond one attempt, for 1,000 requests", &table);
    }
    page.table("Response cache", &response_cache::table(report, &mut notes));
    page.table("Share of successes by provider", &providers(report, &mut notes));
    page.table("Bill by class and by provider", &bill::bill(report, &mut notes));
    page.bounds(report);
    page.table("Shares of budgets, first passed", &alerts(report, &mut notes));
    page.table("Milestones, first passed", &milestones(report, &mut notes));
    page.table(
        "Turned away by limits of each identity, share of its requests",
        &identities::table(report, &mut notes),
    );
    if report.policies.iter().any(|policy| !policy.incidents.is_empty()) {
        page.table("Outages", &incidents(report, &mut notes));
        let text = "Ejected: the share of replications in which the breaker kept attempts out, and how long after the outage began. Errors until then: failed attempts sent to the provider before that. Errors: the share of all requests ending meanwhile that failed. Recovered: the share of replications in which at most 10 of the last 100 requests failed at some time after the outage, and how long after its end.";
        page.text += &paragraph("", text, style.width);
    }
    if let Some(ranking) = report.ranking.as_ref().filter(|ranking| !ranking.rows.is_empty()) {
        let heading = format!("Ranked by {}", ranking.metric.title_in(report.code()));
        page.table(&heading, &ranked(report, ranking, &mut notes));
        let text = "Behind: its figure less that of the first, replication by replication; = where the intervals, taken together, cannot tell it from the first.";
        page.text += &paragraph("", text, style.width);
    }
    page.table("Objectives", &objectives(report, &mut notes));
    if let Some((title, table)) = alone::table(report) {
        page.table(&title, &table);
    }
    if !report.comparisons.is_empty() {
        page.comparison(report, &mut notes);
    }
    page.notes(&notes);
    page.text
}

/// The differences of each policy from the first, alone. Ends in a newline.
pub fn comparison(report: &Report, style: &Style) -> String {
    let mut notes = Notes::default();
    let mut page = Page::new(style);
    page.header(report);
    if report.comparisons.is_empty() {
        page.heading(nothing_compared(report));
    } else {
        page.comparison(report, &mut notes);
    }
    page.notes(&notes);
    page.text
}

/// Why a report has no differences.
pub(super) fn nothing_compared(report: &Report) -> &'static str {
    match report.joined {
        Some(_) => "The two results have no policy of the same name, and nothing is compared.",
        None => "There is one policy, and nothing to compare it with.",
    }
}

/// What has been written so far.
struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn new(style: &Style) -> Page {
        Page {
            text: String::new(),
            style: *style,
        }
    }

    fn header(&mut self, report: &Report) {
        report.each().into_iter().for_each(|one| self.title(one));
        self.cautions(report);
    }

    /// What must be known of the figures: warnings, what models are worth, what is not modelled.
    fn cautions(&mut self, report: &Report) {
        for warning in report.told() {
            let lines = self.warning(&warning);
            self.warn(&lines);
        }
        self.standings(report);
        if !report.assumptions.is_empty() {
            self.text += &paragraph("not modelled: ", &report.assumptions.join("; "), self.style.width);
        }
    }

    /// The lines of a warning.
    fn warning(&self, text: &str) -> String {
        paragraph(WARNING, text, self.style.width)
    }

    /// Writes the lines of a warning, the first word in colour.
    fn warn(&mut self, lines: &str) {
        let (first, rest) = lines.split_at(WARNING.trim_end().len());
        self.text += &Tone::Bad.paint(first, self.style.colour);
        self.text += rest;
    }

    /// What was run, how often and for how long.
    fn title(&mut self, report: &Report) {
        let finished = report.replications_finished;
        let of = if finished < report.replications_planned {
            format!(" of {}", format::count(report.replications_planned))
        } else {
            String::new()
        };
        let plural = if finished == 1 && of.is_empty() { "" } else { "s" };
        let start = report.start.in_words(&format::span(report.warmup));
        let line = format!(
            "{}: {}{of} replication{plural} × {} simulated {start}, {}, {} confidence",
            report.experiment,
            format::count(finished),
            format::span(report.counted),
            format_args!("seed {}", report.seed),
            format::level(report.confidence),
        );
        let rates = report.rates().map(|rates| format!(", {rates}")).unwrap_or_default();
        self.text += &paragraph("", &format!("{line}{rates}"), self.style.width);
    }

    /// What the models are worth: what their measurements leave open of the intervals, what each was measured over, and how it did
    /// when it was held against measurements.
    fn standings(&mut self, report: &Report) {
        let of = |note: &ModelNote| match &note.calibration {
            Some(Standing::Calibrated(sentence)) => Some(format!("{}: {sentence}", note.model)),
            Some(Standing::Uncalibrated) | None => None,
        };
        let measured = |note: &ModelNote| Some(format!("{}: {}", note.model, note.measured.as_ref()?));
        let mut lines: Vec<String> = (report.models.iter())
            .flat_map(|note| measured(note).into_iter().chain(of(note)))
            .collect();
        lines.dedup();
        for line in report.uncertain.iter().chain(&lines) {
            self.text += &paragraph("note: ", line, self.style.width);
        }
    }

    /// Why nothing is said of a month's cost, where something costs and no policy's run says it.
    fn missing(&mut self, report: &Report) {
        let has = |metric: &Metric, is: &dyn Fn(f64) -> bool| {
            report.policies.iter().any(|policy| is(estimate(policy, metric).value))
        };
        let month = Metric::COST_PER_MONTH;
        if has(&month, &|value| !value.is_nan()) || !has(&Metric::COST_PER_1K, &|value| value > 0.0) {
            return;
        }
        let measured = report.policies.iter().flat_map(|policy| &policy.metrics);
        let why = measured
            .filter(|measured| measured.metric == month)
            .find_map(|measured| measured.note.as_deref());
        let title = month.title_in(report.code());
        self.text += &paragraph(
            "",
            &format!("No {title}: {}.", why.unwrap_or("not known")),
            self.style.width,
        );
    }

    fn heading(&mut self, title: &str) {
        self.text.push('\n');
        for line in paragraph("", title, self.style.width).lines() {
            self.text += &Tone::Strong.paint(line, self.style.colour);
            self.text.push('\n');
        }
    }

    /// A table under its title, if it has rows.
    fn table(&mut self, title: &str, table: &Table) {
        if table.is_empty() {
            return;
        }
        if title.is_empty() {
            self.text.push('\n');
        } else {
            self.heading(title);
        }
        self.text += &table.render(self.style.width, self.style.colour);
    }

    fn bounds(&mut self, report: &Report) {
        if report.policies.is_empty() {
            return;
        }
        self.heading("What binds");
        let is_binding = |bound: &&BoundReport| bound.share.value >= BINDS;
        let (bound, free): (Vec<_>, Vec<_>) =
            (report.policies.iter()).partition(|p| p.bounds.iter().any(|b| is_binding(&b)));
        for policy in bound {
            self.text += &paragraph("", &format!("{}:", policy.name), self.style.width);
            for bound in policy.bounds.iter().filter(is_binding) {
                self.text += &paragraph("  ", &binds(bound), self.style.width);
            }
        }
        if !free.is_empty() {
            let names: Vec<&str> = free.iter().map(|policy| policy.name.as_str()).collect();
            self.text += &paragraph("", &format!("{}:", names.join(", ")), self.style.width);
            self.text += &paragraph("  ", "nothing for 1 % of the time or more", self.style.width);
        }
    }

    fn notes(&mut self, notes: &Notes) {
        if !notes.is_empty() {
            self.text.push('\n');
        }
        for (mark, note) in notes.iter() {
            self.text += &paragraph(&format!("{mark} "), note, self.style.width);
        }
    }
}

/// The standard metrics of the main table and of comparisons, without those that are nothing or zero under every policy.
fn shown(report: &Report) -> impl Iterator<Item = Metric> {
    Metric::standard()
        .filter(|(_, standard)| standard.terminal)
        .map(|(metric, _)| metric)
        .filter(|metric| report.says(metric))
}

/// The group and the title of a figure's column.
fn head(metric: &Metric, code: Option<Code>) -> (String, String) {
    let short = metric.short_in(code);
    match metric.statistic() {
        Statistic::Whole | Statistic::Outcome(_) => (String::new(), short),
        Statistic::Percentile(_) | Statistic::Mean => (short, metric.statistic().to_string()),
    }
}

fn figures(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    let shown: Vec<Metric> = shown(report).collect();
    for (group, title) in shown.iter().map(|metric| head(metric, report.code())) {
        table.column(&group, &title);
    }
    for policy in &report.policies {
        let cells: Vec<Cell> = shown
            .iter()
            .map(|metric| figure(report, policy, metric, notes))
            .collect();
        table.row(&clean(&policy.name), cells);
    }
    table
}

/// What the experiment asks for beyond the main table: one row a metric, one column a policy.
fn further(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("metric");
    for policy in &report.policies {
        table.column("", &fit(&clean(&policy.name), HEAD));
    }
    for metric in report.further(|standard| standard.terminal) {
        let policies = report.policies.iter();
        let cells: Vec<Cell> = policies.map(|policy| figure(report, policy, metric, notes)).collect();
        table.row(&clean(&metric.title_in(report.code())), cells);
    }
    table
}

fn figure(report: &Report, policy: &PolicyReport, metric: &Metric, notes: &mut Notes) -> Cell {
    let is_known = policy.metrics.iter().any(|measured| measured.metric == *metric);
    let (estimate, note) = super::shown(policy, metric);
    if is_known {
        notes.cell(metric.unit_in(report.code()), &estimate, note)
    } else {
        Cell::new(format::NONE)
    }
}

/// One column for each way of failing that occurred; nothing if none did.
fn errors(report: &Report, notes: &mut Notes) -> Option<Table> {
    let share = |policy: &PolicyReport, outcome| {
        let found = policy.outcomes.iter().find(|share| share.outcome == outcome);
        found.map(|found| found.share)
    };
    let occurred = |outcome: &Outcome| {
        let mut shares = report.policies.iter().filter_map(|policy| share(policy, *outcome));
        *outcome != Outcome::Success && shares.any(|share| share.value > 0.0)
    };
    let occurred: Vec<Outcome> = Outcome::ALL.into_iter().filter(occurred).collect();
    if occurred.is_empty() {
        return None;
    }
    let mut table = Table::new("policy");
    for outcome in &occurred {
        table.column("", &outcome.name().replace('_', " "));
    }
    for policy in &report.policies {
        let cells = occurred.iter().map(|&outcome| match share(policy, outcome) {
            Some(share) => notes.cell(Unit::Share, &share, None),
            // Of no requests at all, no share is 0.
            None if policy.requests == 0 => Cell::new(format::NONE),
            None => Cell::new(format::share(0.0)),
        });
        let cells: Vec<Cell> = cells.collect();
        table.row(&clean(&policy.name), cells);
    }
    Some(table)
}

/// One column for each kind of effort that occurred; nothing if none did.
fn effort(report: &Report, notes: &mut Notes) -> Option<Table> {
    let of = |policy: &PolicyReport, kind| {
        let found = policy.effort.iter().find(|effort| effort.what == kind);
        found.map(|found| found.per_1k)
    };
    let occurred = |kind: &EffortKind| report.policies.iter().any(|policy| of(policy, *kind).is_some());
    let occurred: Vec<EffortKind> = EffortKind::ALL.into_iter().filter(occurred).collect();
    if occurred.is_empty() {
        return None;
    }
    let mut table = Table::new("policy");
    for kind in &occurred {
        table.column("", &kind.name().replace('_', " "));
    }
    for policy in &report.policies {
        let cells = occurred.iter().map(|&kind| match of(policy, kind) {
            Some(effort) => notes.cell(Unit::Number, &effort, None),
            None if policy.requests == 0 => Cell::new(format::NONE),
            None => Cell::new("0"),
        });
        let cells: Vec<Cell> = cells.collect();
        table.row(&clean(&policy.name), cells);
    }
    Some(table)
}

/// One row for each provider that a policy sent anything to; the policy's name is on its first row.
fn providers(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    table.words("", "provider");
    table.column("", "share");
    let used = |policy: &PolicyReport| policy.providers.iter().any(|p| p.used() && p.cached.is_some());
    if report.policies.iter().any(used) {
        table.column("", "input cached");
    }
    for policy in &report.policies {
        let mut name = clean(&policy.name);
        for provider in policy.providers.iter().filter(|provider| provider.used()) {
            let cells = [
                Cell::new(fit(&clean(&provider.name), HEAD)),
                notes.cell(Unit::Share, &provider.served, None),
            ];
            let cached = (provider.cached.as_ref()).map(|cached| notes.cell(Unit::Share, cached, None));
            let cells: Vec<Cell> = cells.into_iter().chain(cached).collect();
            table.row(&std::mem::take(&mut name), cells);
        }
        if !name.is_empty() {
            table.row(&name, [Cell::new("none got an attempt").tone(Tone::Dim)]);
        }
    }
    table
}

/// A bound in words: what, whose, how much of the time.
fn binds(bound: &BoundReport) -> String {
    let what = match bound.what {
        BoundKind::InFlight => "the client's cap on requests in flight",
        BoundKind::Limiter => "the client's limiter",
        BoundKind::Queue => "the client's queue",
        BoundKind::Connections => "connections",
        BoundKind::Quota => "quota",
        BoundKind::Capacity => "capacity",
        BoundKind::Breaker => "breaker",
        BoundKind::Budget => "the client's budget",
    };
    let whose = match (&bound.provider, bound.what) {
        (None, _) => (bound.budget.as_ref())
            .map(|budget| format!(" of {}", clean(budget)))
            .unwrap_or_default(),
        (Some(provider), BoundKind::Quota | BoundKind::Capacity | BoundKind::Breaker) => format!(" of {provider}"),
        (Some(provider), _) => format!(" to {provider}"),
    };
    let limit = bound
        .limit
        .map(|limit| format!(" (limit {})", format::count(limit)))
        .unwrap_or_default();
    let state = match bound.what {
        BoundKind::Breaker => "open",
        BoundKind::Budget => "spent",
        // From a refusal until there is room: a quota that lets one through at a time refuses far more than is asked in that time.
        BoundKind::Quota => "refusing",
        BoundKind::InFlight | BoundKind::Limiter | BoundKind::Queue | BoundKind::Connections | BoundKind::Capacity => {
            "at the bound"
        }
    };
    let share = format::plus_minus(Unit::Share, &bound.share);
    format!("{what}{whose}{limit}: {state} {share} of the time")
}

/// One row for each share of a budget that is watched.
fn alerts(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    table.words("", "budget");
    table.column("", "share");
    table.column("", "after");
    table.column("", "replications");
    let of = format::count(report.replications_finished);
    for policy in &report.policies {
        for alert in &policy.alerts {
            let cells = [
                Cell::new(clean(&alert.budget)),
                Cell::new(format::tick(Unit::Share, alert.share)),
                notes.cell(Unit::Seconds, &alert.at, None),
                Cell::new(format!("{} of {of}", format::count(alert.passed))),
            ];
            table.row(&clean(&policy.name), cells);
        }
    }
    table
}

/// One row for each policy, the best first.
fn ranked(report: &Report, ranking: &Ranking, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    let unit = ranking.metric.unit_in(report.code());
    table.column("", "place");
    table.column("", &clean(&ranking.metric.title()));
    table.column("", "behind");
    for (place, row) in ranking.rows.iter().enumerate() {
        let found = report.policies.iter().find(|policy| policy.name == row.policy);
        let Some(policy) = found else { continue };
        let level = if row.may_be_best { "=" } else { "" };
        let value = super::shown(policy, &ranking.metric).0;
        let behind = if place == 0 {
            Cell::new("")
        } else {
            Cell::new(format::difference(unit, &row.behind))
        };
        let cells = [
            Cell::new(format!("{level}{}", place + 1)),
            notes.cell(unit, &value, None),
            behind,
        ];
        table.row(&clean(&policy.name), cells);
    }
    table
}

/// One row for each thing that a policy passes on its way.
fn milestones(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    table.words("", "milestone");
    table.column("", "after");
    table.column("", "replications");
    let of = format::count(report.replications_finished);
    for policy in &report.policies {
        for milestone in &policy.milestones {
            let cells = [
                Cell::new(clean(&milestone.what)),
                notes.cell(Unit::Seconds, &milestone.at, None),
                Cell::new(format!("{} of {of}", format::count(milestone.passed))),
            ];
            table.row(&clean(&policy.name), cells);
        }
    }
    table
}

/// One row for each outage under each policy; the policy's name is on its first row.
fn incidents(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    table.words("", "outage of");
    table.column("", "begins");
    table.column("", "lasts");
    table.column("ejected", "share");
    table.column("ejected", "after");
    table.column("", "errors until then");
    table.column("", "errors");
    table.column("recovered", "share");
    table.column("recovered", "after");
    table.column("taken back", "after");
    for policy in &report.policies {
        let mut name = clean(&policy.name);
        for incident in &policy.incidents {
            let unseen = || Cell::new(format::NONE);
            let mut cells = vec![
                Cell::new(fit(&clean(&incident.provider), HEAD)),
                Cell::new(format::span(incident.from)),
                Cell::new(format::span(incident.until - incident.from)),
                notes.cell(Unit::Share, &incident.ejected, None),
                notes.moment(&incident.time_to_eject),
                notes.cell(Unit::Number, &incident.leaked, None),
                notes.cell(Unit::Share, &incident.error_rate, None),
            ];
            cells.extend(match incident.is_over(report.counted) {
                true => [
                    notes.cell(Unit::Share, &incident.recovered, None),
                    notes.moment(&incident.time_to_recover),
                ],
                false => [unseen(), unseen()],
            });
            let back = incident.taken_back(report.counted);
            cells.push(back.map_or_else(unseen, |time| notes.moment(time)));
            table.row(&std::mem::take(&mut name), cells);
        }
    }
    table
}

fn objectives(report: &Report, notes: &mut Notes) -> Table {
    let mut table = Table::new("policy");
    table.words("", "objective");
    table.column("", "value");
    table.words("", "judged");
    let misses = |policy: &PolicyReport, goal: &Goal| {
        let is_same = |missed: &&Missed| {
            missed.metric == goal.metric && missed.bound == goal.bound && missed.at_most == goal.at_most
        };
        policy.missed.iter().find(is_same).map(Missed::words)
    };
    if report.policies.iter().any(|policy| !policy.missed.is_empty()) {
        table.column("", &format!("missed by a single {}", stretch(report.counted)));
    }
    for objective in &report.objectives {
        let unit = objective.metric.unit_in(report.code());
        let goal = objective.goal();
        let policy = report.policies.iter().find(|policy| policy.name == objective.policy);
        let measured = policy.and_then(|policy| policy.metrics.iter().find(|m| m.metric == objective.metric));
        // Of a cost, what it leaves out of a month; a percentile is of all requests here, and has a caveat of its own.
        let noted = measured.filter(|_| objective.metric.percentile().is_none());
        let noted = noted.and_then(|measured| measured.note.clone());
        let why = objective.caveat().or(noted);
        let (judged, tone) = match objective.judged {
            Judged::Pass => ("PASS", Tone::Good),
            Judged::Fail => ("FAIL", Tone::Bad),
            Judged::Undecided => ("UNDECIDED", Tone::Dim),
        };
        let missed = policy.and_then(|policy| misses(policy, &goal));
        let missed = missed.map_or(Cell::new(format::NONE), |(counts, interval)| {
            Cell::new(counts).tail(interval)
        });
        let cells = [
            Cell::new(clean(&format!(
                "{} {}",
                goal.metric.title_in(report.code()),
                goal.bound_in(report.code())
            ))),
            notes.cell(unit, &objective.estimate, why.as_deref()),
            Cell::new(judged).tone(tone),
            missed,
        ];
        table.row(&clean(&objective.policy), cells);
    }
    table
}

#[cfg(test)]
mod tests;
