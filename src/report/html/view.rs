//! What the page's template is given: every figure in words, every chart drawn, in the page's order.
//!
//! A figure without an interval carries the letter of a footnote that says why; equal reasons share a letter.

use serde::Serialize;

use crate::engine::tally::BoundKind;
use crate::report::chart::{COLOURS, Chart, Error};
use crate::report::{
    BoundReport, ClassReport, Comparison, Difference, Judged, Judgement, Metric, ModelNote, PolicyReport,
    ProviderReport, Report, Unit, figures, format,
};
use crate::stats::compare::Verdict;
use crate::stats::interval::Estimate;

/// The whole page.
#[derive(Serialize)]
pub(super) struct Page {
    title: String,
    about: String,
    facts: Vec<String>,
    warnings: Vec<String>,
    objectives: Option<Objectives>,
    verdicts: Vec<Named<String>>,
    headings: Vec<Heading>,
    policies: Vec<Named<Policy>>,
    figures: Vec<Figure>,
    shares: Vec<Figure>,
    providers: Vec<Key>,
    differences: Option<Differences>,
    models: Vec<ModelNote>,
    inputs: Vec<(String, String)>,
    notes: Vec<Note>,
    month_days: String,
    confidence: String,
}

/// Something of a policy's or a provider's, with its name and its colour.
#[derive(Serialize)]
struct Named<T> {
    key: Key,
    it: T,
}

/// A name and its colour in charts.
#[derive(Clone, Serialize)]
struct Key {
    name: String,
    colour: String,
    dashed: bool,
}

/// A figure as a table shows it.
#[derive(Serialize)]
struct Cell {
    value: String,
    half_width: Option<String>,
    note: Option<String>,
}

/// A footnote.
#[derive(Serialize)]
struct Note {
    mark: String,
    text: String,
}

/// A heading over columns of the main table.
#[derive(Serialize)]
struct Heading {
    over: &'static str,
    columns: Vec<&'static str>,
}

#[derive(Serialize)]
struct Objectives {
    columns: Vec<String>,
    rows: Vec<Named<Vec<Option<Badge>>>>,
}

#[derive(Serialize)]
struct Badge {
    word: &'static str,
    cell: Cell,
}

#[derive(Serialize)]
struct Policy {
    kind: String,
    requests: String,
    attempts: String,
    cells: Vec<Cell>,
    settled: bool,
    why: String,
    outcomes: Vec<Level>,
    bounds: Vec<Level>,
    providers: Vec<Named<Vec<Cell>>>,
    classes: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<Cell>,
}

/// A share with a bar, as a percentage of the bar's full length.
#[derive(Serialize)]
struct Level {
    name: String,
    cell: Cell,
    length: String,
}

#[derive(Serialize)]
struct Figure {
    title: String,
    caption: String,
    svg: String,
}

#[derive(Serialize)]
struct Differences {
    baseline: Key,
    columns: Vec<Key>,
    rows: Vec<DifferenceRow>,
}

#[derive(Serialize)]
struct DifferenceRow {
    name: &'static str,
    cells: Vec<Option<DifferenceCell>>,
}

#[derive(Serialize)]
struct DifferenceCell {
    cell: Cell,
    relative: String,
    tone: &'static str,
    words: &'static str,
}

/// The main table's columns, under the headings over them.
const COLUMNS: [(&str, &[(Metric, &str)]); 7] = [
    (
        "Time to first token",
        &[
            (Metric::TtftP50, "p50"),
            (Metric::TtftP95, "p95"),
            (Metric::TtftP99, "p99"),
        ],
    ),
    (
        "Time to last token",
        &[
            (Metric::E2eP50, "p50"),
            (Metric::E2eP95, "p95"),
            (Metric::E2eP99, "p99"),
        ],
    ),
    ("Wait", &[(Metric::WaitP95, "p95")]),
    ("", &[(Metric::ErrorRate, "Errors")]),
    ("", &[(Metric::Goodput, "Goodput")]),
    (
        "Cost",
        &[(Metric::CostPer1k, "per 1,000"), (Metric::CostPerMonth, "per month")],
    ),
    ("", &[(Metric::Quality, "Quality")]),
];

impl Page {
    /// Puts a report into words and pictures.
    pub(super) fn of(report: &Report) -> Result<Page, Error> {
        // In the page's order, so that footnotes are lettered as they are met.
        let mut notes = Notes::default();
        let objectives = objectives(report, &mut notes);
        let rows = report.policies.iter().map(|policy| main_row(policy, &mut notes));
        let rows: Vec<_> = rows.collect();
        let policies = report.policies.iter().zip(rows).enumerate();
        let policies = policies.map(|(index, (policy, cells))| Named {
            key: policy_key(index, &policy.name),
            it: Policy::of(policy, cells, &mut notes),
        });
        let policies = policies.collect();
        let differences = differences(report, &mut notes);
        let providers = report.policies.first().map_or(&[][..], |policy| &policy.providers);
        Ok(Page {
            title: report.experiment.clone(),
            about: report.about.clone(),
            facts: facts(report),
            warnings: report.warnings.clone(),
            objectives,
            verdicts: report
                .comparisons
                .iter()
                .map(|comparison| Named {
                    key: key_of(report, &comparison.policy),
                    it: comparison.sentence.clone(),
                })
                .collect(),
            headings: COLUMNS
                .map(|(over, columns)| Heading {
                    over,
                    columns: columns.iter().map(|(_, name)| *name).collect(),
                })
                .into(),
            policies,
            figures: pictures(report)?,
            shares: shares(report)?,
            providers: keys(providers),
            differences,
            models: report.models.clone(),
            inputs: report
                .inputs
                .iter()
                .map(|input| (input.name.clone(), input.sha256.clone()))
                .collect(),
            notes: notes.0,
            month_days: format::tick(Unit::Number, report.month_days),
            confidence: format::tick(Unit::Share, report.confidence),
        })
    }
}

impl Policy {
    fn of(policy: &PolicyReport, cells: Vec<Cell>, notes: &mut Notes) -> Policy {
        Policy {
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
            providers: policy
                .providers
                .iter()
                .enumerate()
                .map(|(index, provider)| Named {
                    key: provider_key(index, &provider.name),
                    it: provider_cells(provider, notes),
                })
                .collect(),
            classes: policy.classes.iter().map(|class| class_row(class, notes)).collect(),
        }
    }
}

fn main_row(policy: &PolicyReport, notes: &mut Notes) -> Vec<Cell> {
    let columns = COLUMNS.iter().flat_map(|(_, columns)| columns.iter());
    columns.map(|(metric, _)| notes.measured(policy, *metric)).collect()
}

fn provider_cells(provider: &ProviderReport, notes: &mut Notes) -> Vec<Cell> {
    vec![
        notes.cell(Unit::Share, &provider.served),
        notes.cell(Unit::Share, &provider.cost),
        notes.cell(Unit::Share, &provider.failed),
        notes.cell(Unit::Number, &provider.in_flight),
        notes.cell(Unit::Number, &provider.trips),
    ]
}

fn class_row(class: &ClassReport, notes: &mut Notes) -> Row {
    Row {
        name: class.name.clone(),
        cells: vec![
            notes.cell(Unit::Share, &class.share),
            notes.cell(Unit::Seconds, &class.ttft_p95),
            notes.cell(Unit::Seconds, &class.e2e_p95),
            notes.cell(Unit::Share, &class.error_rate),
            notes.cell(Unit::Dollars, &class.cost_per_1k),
            notes.cell(Unit::Share, &class.quality),
        ],
    }
}

fn bound_words(bound: &BoundReport) -> String {
    let what = match bound.what {
        BoundKind::InFlight => "cap on requests in flight",
        BoundKind::Limiter => "the client's own limiter",
        BoundKind::Queue => "capacity of the client's queue",
        BoundKind::Connections => "connections",
        BoundKind::Quota => "quota",
        BoundKind::Breaker => "breaker open",
    };
    let limit = bound
        .limit
        .map(|limit| format!(" ({})", format::count(limit)))
        .unwrap_or_default();
    match &bound.provider {
        Some(provider) => format!("{provider}: {what}{limit}"),
        None => format!("{what}{limit}"),
    }
}

fn facts(report: &Report) -> Vec<String> {
    let (finished, planned) = (report.replications_finished, report.replications_planned);
    let replications = match finished {
        n if n < planned => format!("{} of {} replications", format::count(n), format::count(planned)),
        1 => "1 replication".into(),
        n => format!("{} replications", format::count(n)),
    };
    let time = format!("{} counted", format::span(report.counted));
    let time = if report.warmup > 0.0 {
        format!("{time} after {} of warm-up", format::span(report.warmup))
    } else {
        time
    };
    vec![
        replications,
        time,
        format!("seed {}", report.seed),
        format!("{} confidence", format::tick(Unit::Share, report.confidence)),
        format!("simcap {}", report.version),
    ]
}

fn objectives(report: &Report, notes: &mut Notes) -> Option<Objectives> {
    let mut kinds: Vec<&Judgement> = vec![];
    let same = |a: &Judgement, b: &Judgement| (a.metric, a.bound, a.at_most) == (b.metric, b.bound, b.at_most);
    for judgement in &report.objectives {
        if !kinds.iter().any(|known| same(known, judgement)) {
            kinds.push(judgement);
        }
    }
    let rows = report.policies.iter().enumerate().map(|(index, policy)| Named {
        key: policy_key(index, &policy.name),
        it: kinds
            .iter()
            .map(|kind| {
                let own = report
                    .objectives
                    .iter()
                    .find(|other| same(kind, other) && other.policy == policy.name)?;
                Some(Badge {
                    word: match own.judged {
                        Judged::Pass => "pass",
                        Judged::Fail => "fail",
                        Judged::Undecided => "undecided",
                    },
                    cell: notes.measured(policy, own.metric),
                })
            })
            .collect(),
    });
    let rows = rows.collect();
    let columns = kinds.iter().map(|kind| {
        let sign = if kind.at_most { "≤" } else { "≥" };
        format!(
            "{} {sign} {}",
            kind.metric.title(),
            format::tick(kind.metric.unit(), kind.bound)
        )
    });
    (!kinds.is_empty()).then(|| Objectives {
        columns: columns.collect(),
        rows,
    })
}

fn differences(report: &Report, notes: &mut Notes) -> Option<Differences> {
    let first = report.comparisons.first()?;
    let cell = |comparison: &Comparison, metric: Metric, notes: &mut Notes| {
        let found = comparison
            .differences
            .iter()
            .find(|difference| difference.metric == metric)?;
        Some(difference_cell(found, notes))
    };
    let rows = Metric::ALL.map(|metric| DifferenceRow {
        name: metric.title(),
        cells: report
            .comparisons
            .iter()
            .map(|comparison| cell(comparison, metric, notes))
            .collect(),
    });
    Some(Differences {
        baseline: key_of(report, &first.baseline),
        columns: report
            .comparisons
            .iter()
            .map(|comparison| key_of(report, &comparison.policy))
            .collect(),
        rows: rows.into(),
    })
}

fn difference_cell(difference: &Difference, notes: &mut Notes) -> DifferenceCell {
    let unit = difference.metric.unit();
    let (value, half_width) = format::difference_parts(unit, &difference.difference);
    let (tone, words) = match (difference.verdict, difference.metric.lower_is_better()) {
        (Verdict::Lower, true) => ("good", "lower, better"),
        (Verdict::Lower, false) => ("bad", "lower, worse"),
        (Verdict::Higher, true) => ("bad", "higher, worse"),
        (Verdict::Higher, false) => ("good", "higher, better"),
        (Verdict::CannotTell, _) => ("unsure", "cannot tell"),
        (Verdict::Same, _) => ("unsure", "the same"),
    };
    DifferenceCell {
        cell: Cell {
            value,
            half_width,
            note: notes.mark(difference.difference.why_no_interval()),
        },
        relative: difference.relative.map(format::relative).unwrap_or_default(),
        tone,
        words,
    }
}

fn pictures(report: &Report) -> Result<Vec<Figure>, Error> {
    let within = "Share of requests that needed at most this long.";
    let interval = format!(
        "Whiskers are {} intervals.",
        format::tick(Unit::Share, report.confidence)
    );
    let warmup = if report.warmup > 0.0 {
        " Shaded: warm-up, not counted."
    } else {
        ""
    };
    let ttft = [Metric::TtftP50, Metric::TtftP95, Metric::TtftP99];
    let e2e = [Metric::E2eP50, Metric::E2eP95, Metric::E2eP99];
    let charts: [(Chart, String); 8] = [
        (
            figures::distribution(report, "Time to first token", |policy| &policy.curves.ttft),
            within.into(),
        ),
        (
            figures::distribution(report, "Time to last token", |policy| &policy.curves.e2e),
            within.into(),
        ),
        (
            figures::percentiles(report, "Percentiles of time to first token", &ttft),
            interval.clone(),
        ),
        (
            figures::percentiles(report, "Percentiles of time to last token", &e2e),
            interval.clone(),
        ),
        (
            figures::trade_off(report, "Cost against latency", Metric::E2eP95, Metric::CostPerMonth),
            format!("Lower left is better. {interval}"),
        ),
        (
            figures::over_time(report, "Errors over time", Unit::Share, |bin| bin.error_rate),
            format!("Share of the requests ending then that failed.{warmup}"),
        ),
        (
            figures::over_time(report, "Latency over time", Unit::Seconds, |bin| bin.e2e),
            format!("Mean time to last token of the successes ending then.{warmup}"),
        ),
        (
            figures::over_time(report, "Requests in the system", Unit::Number, |bin| {
                Some(bin.in_system)
            }),
            format!("Rising to the end: it does not keep up.{warmup}"),
        ),
    ];
    let drawn = charts.into_iter().filter(|(chart, _)| has_data(chart));
    drawn
        .map(|(chart, caption)| {
            Ok(Figure {
                svg: chart.svg()?,
                title: chart.title,
                caption,
            })
        })
        .collect()
}

fn shares(report: &Report) -> Result<Vec<Figure>, Error> {
    let charts = report
        .policies
        .iter()
        .map(|policy| figures::provider_shares(report, policy, &policy.name));
    charts
        .filter(has_data)
        .map(|chart| {
            Ok(Figure {
                svg: chart.svg()?,
                title: chart.title,
                caption: String::new(),
            })
        })
        .collect()
}

fn has_data(chart: &Chart) -> bool {
    use crate::report::chart::Colour;
    let of_data = |colour| colour != Colour::Grid;
    chart
        .series
        .iter()
        .any(|series| of_data(series.colour) && !series.mark.is_empty())
}

/// Footnotes, in the order in which they are first needed.
#[derive(Default)]
struct Notes(Vec<Note>);

impl Notes {
    /// The letter for a reason; the same for the same reason.
    fn mark(&mut self, reason: Option<String>) -> Option<String> {
        let text = reason?;
        if let Some(known) = self.0.iter().find(|note| note.text == text) {
            return Some(known.mark.clone());
        }
        let number = self.0.len();
        let mark = match u8::try_from(number) {
            Ok(letter @ 0..26) => char::from(b'a' + letter).to_string(),
            _ => (number + 1).to_string(),
        };
        self.0.push(Note {
            mark: mark.clone(),
            text,
        });
        Some(mark)
    }

    fn cell(&mut self, unit: Unit, estimate: &Estimate) -> Cell {
        let (value, half_width) = format::parts(unit, estimate);
        Cell {
            value,
            half_width,
            note: self.mark(estimate.why_no_interval()),
        }
    }

    /// A policy's figure of merit. The report's own reason comes before the general one.
    fn measured(&mut self, policy: &PolicyReport, metric: Metric) -> Cell {
        let estimate = figures::estimate(policy, metric);
        let own = policy.metrics.iter().find(|measured| measured.metric == metric);
        let own = own.and_then(|measured| measured.note.clone());
        let (value, half_width) = format::parts(metric.unit(), &estimate);
        Cell {
            value,
            half_width,
            note: self.mark(own.or_else(|| estimate.why_no_interval())),
        }
    }

    fn level(&mut self, name: String, share: &Estimate) -> Level {
        let length = if share.mean.is_finite() {
            share.mean.clamp(0.0, 1.0)
        } else {
            0.0
        };
        Level {
            name,
            cell: self.cell(Unit::Share, share),
            length: format!("{:.2}", 100.0 * length),
        }
    }
}

fn key_of(report: &Report, name: &str) -> Key {
    let index = report
        .policies
        .iter()
        .position(|policy| policy.name == name)
        .unwrap_or(0);
    policy_key(index, name)
}

fn policy_key(index: usize, name: &str) -> Key {
    Key {
        name: name.into(),
        colour: format!("--p{}", index % COLOURS),
        dashed: index % (2 * COLOURS) >= COLOURS,
    }
}

fn provider_key(index: usize, name: &str) -> Key {
    Key {
        name: name.into(),
        colour: format!("--v{}", index % COLOURS),
        dashed: false,
    }
}

fn keys(providers: &[ProviderReport]) -> Vec<Key> {
    providers
        .iter()
        .enumerate()
        .map(|(index, provider)| provider_key(index, &provider.name))
        .collect()
}
