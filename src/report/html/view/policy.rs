//! What the page says of one policy: its row of the main table, and its own part.

use serde::Serialize;

use super::keys::provider_key;
use super::notes::{Note, Notes};
use super::pictures::waterfall;
use super::{Cell, Figure, Level, Named};
use crate::report::chart::Error;
use crate::report::{
    BoundReport, CacheReport, ClassReport, Code, Metric, PolicyReport, ProviderReport, PurposeRow, Report, Unit,
    estimate, format,
};
use crate::stats::interval::Estimate;
use crate::words::{BoundKind, Spending};

#[derive(Serialize)]
pub(super) struct Policy {
    /// The policy's number on the page, from 1.
    number: usize,
    kind: String,
    requests: String,
    attempts: String,
    cells: Vec<Cell>,
    settled: bool,
    why: String,
    outcomes: Vec<Level>,
    bounds: Vec<Level>,
    /// Watched shares of budgets: the budget and the share, when it was passed, and how often.
    alerts: Vec<AlertRow>,
    milestones: Vec<AlertRow>,
    /// What limits of each identity did: the limit, the share refused, the numbers of identities, those refused most.
    identities: Vec<LimitRow>,
    identities_notes: Vec<Note>,
    /// How often for 1,000 requests, by kind of effort.
    effort: Vec<Row>,
    effort_notes: Vec<Note>,
    /// What the response cache did, row by row.
    cache: Vec<Row>,
    cache_notes: Vec<Note>,
    /// Of the shares of outcomes and of time.
    notes: Vec<Note>,
    /// The providers that got any attempt.
    providers: Vec<Named<Vec<Cell>>>,
    providers_notes: Vec<Note>,
    /// Whether any of them has a prompt cache, and so a column of it.
    cached: bool,
    /// How many got none.
    unused: usize,
    classes: Vec<Row>,
    /// Whether capacity is paid for that belongs to no class.
    has_capacity: bool,
    classes_notes: Vec<Note>,
    /// The bill by class, by provider and by what the money went to, where any has several rows.
    bill: Vec<Group>,
    /// Whether it tells what a month costs.
    bill_of_month: bool,
    bill_notes: Vec<Note>,
    /// How the parts add up to the bill, where there are several.
    waterfall: Option<Figure>,
}

/// Rows that add up to the whole, under a heading.
#[derive(Serialize)]
struct Group {
    title: &'static str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct AlertRow {
    what: String,
    at: Cell,
    passed: String,
}

#[derive(Serialize)]
struct LimitRow {
    what: String,
    cells: Vec<Cell>,
    worst: String,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<Cell>,
}

/// A metric of the main table, with the heading over its column and the column's own.
pub(super) type Column = (Metric, (&'static str, &'static str));

/// The standard metrics of the main table, each with the heading over its column and the column's own; errors always, of others
/// those that say anything.
pub(super) fn columns(report: &Report) -> Vec<Column> {
    Metric::standard()
        .filter_map(|(metric, standard)| Some((metric, standard.page?)))
        .filter(|(metric, _)| *metric == Metric::ERROR_RATE || report.says(metric))
        .collect()
}

impl Policy {
    pub(super) fn of(index: usize, policy: &PolicyReport, cells: Vec<Cell>, report: &Report) -> Result<Policy, Error> {
        let code = report.code();
        let mut notes = Notes::of(format!("policy-{index}"));
        let mut of_providers = Notes::of(format!("policy-{index}-providers"));
        let mut of_identities = Notes::of(format!("policy-{index}-identities"));
        let mut of_effort = Notes::of(format!("policy-{index}-effort"));
        let mut of_cache = Notes::of(format!("policy-{index}-cache"));
        let mut of_classes = Notes::of(format!("policy-{index}-classes"));
        let mut of_bill = Notes::of(format!("policy-{index}-bill"));
        let cached = policy
            .providers
            .iter()
            .any(|provider| provider.used() && provider.cached.is_some());
        Ok(Policy {
            number: index + 1,
            kind: policy.kind.clone(),
            requests: format::count(policy.requests),
            attempts: format::count(policy.attempts),
            cells,
            settled: policy.steady.settled,
            why: policy.steady.why.clone(),
            outcomes: policy
                .outcomes
                .iter()
                .map(|outcome| notes.level(outcome.outcome.name().replace('_', " "), &outcome.share))
                .collect(),
            bounds: policy
                .bounds
                .iter()
                .map(|bound| notes.level(bound_words(bound), &bound.share))
                .collect(),
            alerts: policy
                .alerts
                .iter()
                .map(|alert| AlertRow {
                    what: format!("{} of {}", format::tick(Unit::Share, alert.share), alert.budget),
                    at: notes.cell(Unit::Seconds, &alert.at),
                    passed: format::count(alert.passed),
                })
                .collect(),
            milestones: policy
                .milestones
                .iter()
                .map(|milestone| AlertRow {
                    what: milestone.what.clone(),
                    at: notes.cell(Unit::Seconds, &milestone.at),
                    passed: format::count(milestone.passed),
                })
                .collect(),
            identities: policy
                .identities
                .iter()
                .map(|of| LimitRow {
                    what: format!("{} ({})", of.place, of.what),
                    cells: vec![
                        of_identities.cell(Unit::Share, &of.refused),
                        of_identities.cell(Unit::Number, &of.identities),
                        of_identities.cell(Unit::Number, &of.limited),
                    ],
                    worst: of.worst_in_words(usize::MAX),
                })
                .collect(),
            identities_notes: of_identities.list(),
            providers: policy
                .providers
                .iter()
                .enumerate()
                .filter(|(_, provider)| provider.used())
                .map(|(index, provider)| Named {
                    key: provider_key(index, &provider.name),
                    it: provider_cells(provider, cached, &mut of_providers),
                })
                .collect(),
            cached,
            unused: policy.providers.iter().filter(|provider| !provider.used()).count(),
            has_capacity: {
                let mut totals = policy.bill.totals();
                let is_reserved = |purpose| matches!(purpose, Spending::Reserved | Spending::Idle);
                totals.any(|row| is_reserved(row.purpose) && row.share.value > 0.0)
            },
            classes: policy
                .classes
                .iter()
                .map(|class| class_row(report, class, &mut of_classes))
                .collect(),
            bill: bill(policy, code, &mut of_bill),
            bill_of_month: has_month(policy),
            waterfall: waterfall(report, policy)?,
            bill_notes: of_bill.list(),
            effort: policy
                .effort
                .iter()
                .map(|effort| Row {
                    name: effort.what.name().replace('_', " "),
                    cells: vec![of_effort.cell(Unit::Number, &effort.per_1k)],
                })
                .collect(),
            effort_notes: of_effort.list(),
            cache: policy
                .response_cache
                .as_ref()
                .map_or_else(Vec::new, |cache| cache_rows(cache, code, &mut of_cache)),
            cache_notes: of_cache.list(),
            notes: notes.list(),
            providers_notes: of_providers.list(),
            classes_notes: of_classes.list(),
        })
    }
}

pub(super) fn main_row(columns: &[Column], policy: &PolicyReport, code: Option<Code>, notes: &mut Notes) -> Vec<Cell> {
    columns
        .iter()
        .map(|(metric, _)| notes.measured(policy, metric, code))
        .collect()
}

fn provider_cells(provider: &ProviderReport, cached: bool, notes: &mut Notes) -> Vec<Cell> {
    let mut cells = vec![
        notes.cell(Unit::Share, &provider.served),
        notes.cell(Unit::Share, &provider.cost),
        notes.cell(Unit::Share, &provider.failed),
        notes.cell(Unit::Number, &provider.in_flight),
        notes.cell(Unit::Number, &provider.trips),
    ];
    if cached {
        let none = Cell {
            value: format::NONE.to_owned(),
            spread: None,
            note: None,
        };
        cells.push((provider.cached.as_ref()).map_or(none, |share| notes.cell(Unit::Share, share)));
    }
    cells
}

/// Whether any class has a figure of `metric` under any policy; of times and errors the tables of classes always tell.
pub(super) fn tells_of_classes(report: &Report, metric: &Metric) -> bool {
    let classes = report.policies.iter().flat_map(|policy| &policy.classes);
    let mut figures = classes.flat_map(ClassReport::metrics).filter(|(of, _)| of == metric);
    figures.any(|(_, figure)| !figure.value.is_nan())
}

fn class_row(report: &Report, class: &ClassReport, notes: &mut Notes) -> Row {
    let mut cells = vec![notes.cell(Unit::Share, &class.share)];
    for (metric, figure) in class.metrics() {
        let always = [Metric::E2E_P95, Metric::ERROR_RATE].contains(&metric);
        if always || tells_of_classes(report, &metric) {
            cells.push(notes.cell(metric.unit_in(report.code()), figure));
        }
    }
    Row {
        name: class.name.clone(),
        cells,
    }
}

fn cache_rows(cache: &CacheReport, code: Option<Code>, notes: &mut Notes) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut put = |name: &str, cell: Cell| {
        rows.push(Row {
            name: name.to_owned(),
            cells: vec![cell],
        });
    };
    put("share of requests answered", notes.cell(Unit::Share, &cache.hits));
    let unit = Metric::COST_PER_MONTH.unit_in(code);
    put("saved a month", notes.cell(unit, &cache.saved_per_month));
    if let Some(wrong) = &cache.wrong {
        put("answers that were wrong", notes.cell(Unit::Share, wrong));
    }
    if let Some(age) = &cache.age {
        put("mean age of answers", notes.cell(Unit::Seconds, &age.mean));
        for (name, seconds) in [
            ("median age", age.p50),
            ("age, p95", age.p95),
            ("oldest answer", age.max),
        ] {
            let cell = Cell {
                value: format::value(Unit::Seconds, seconds),
                spread: None,
                note: None,
            };
            put(name, cell);
        }
    }
    rows
}

/// Whether a month's cost is known of the policy.
fn has_month(policy: &PolicyReport) -> bool {
    !estimate(policy, &Metric::COST_PER_MONTH).value.is_nan()
}

/// A part of a bill: its name, its share, and what it costs a month.
type Part<'a> = (String, &'a Estimate, &'a Estimate);

/// The bill in groups of rows, each of which adds up to the whole: by class, by provider and by purpose, and by two of them.
fn bill(policy: &PolicyReport, code: Option<Code>, notes: &mut Notes) -> Vec<Group> {
    let month = policy.metrics.iter().find(|m| m.metric == Metric::COST_PER_MONTH);
    let why = month.and_then(|month| month.note.clone());
    let unit = Metric::COST_PER_MONTH.unit_in(code);
    let of_month = has_month(policy);
    let mut group = |title: &'static str, parts: Vec<Part<'_>>| {
        let rows = parts.into_iter().map(|(name, share, cost)| {
            let mut cells = vec![notes.cell(Unit::Share, share)];
            if of_month {
                cells.push(notes.cell_because(unit, cost, why.clone()));
            }
            Row { name, cells }
        });
        Group {
            title,
            rows: rows.collect(),
        }
    };
    let mut groups = Vec::new();
    for (title, rows) in [
        ("By class", &policy.bill.by_class),
        ("By provider", &policy.bill.by_provider),
    ] {
        if rows.len() > 1 {
            let parts = rows
                .iter()
                .map(|row| (row.title().to_owned(), &row.share, &row.cost_per_month));
            groups.push(group(title, parts.collect()));
        }
    }
    let purposes = policy.bill.by_purpose.iter().filter(|_| policy.bill.has_purposes());
    for (title, of_class, of_provider) in [
        ("By purpose", false, false),
        ("By class and purpose", true, false),
        ("By provider and purpose", false, true),
    ] {
        let own = |row: &&PurposeRow| (row.class.is_some(), row.provider.is_some()) == (of_class, of_provider);
        let parts = purposes.clone().filter(own);
        let parts: Vec<Part<'_>> = parts
            .map(|row| (row.title(), &row.share, &row.cost_per_month))
            .collect();
        if !parts.is_empty() {
            groups.push(group(title, parts));
        }
    }
    groups
}

pub(super) fn bound_words(bound: &BoundReport) -> String {
    let what = match bound.what {
        BoundKind::InFlight => "cap on requests in flight",
        BoundKind::Limiter => "the client's own limiter",
        BoundKind::Queue => "capacity of the client's queue",
        BoundKind::Connections => "connections",
        BoundKind::Quota => "quota",
        BoundKind::Capacity => "its own capacity",
        BoundKind::Breaker => "breaker open",
        BoundKind::Budget => "budget spent",
    };
    let limit = bound.limit.map(format::count).or_else(|| bound.budget.clone());
    let limit = limit.map(|limit| format!(" ({limit})")).unwrap_or_default();
    match &bound.provider {
        Some(provider) => format!("{provider}: {what}{limit}"),
        None => format!("{what}{limit}"),
    }
}
