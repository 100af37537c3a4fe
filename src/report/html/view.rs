//! What the page's template is given: every figure in words, every chart drawn, in the page's order.
//!
//! A figure without an interval carries the letter of a footnote under its table that says why.

mod differences;
mod files;
mod further;
mod keys;
mod limits;
mod notes;
mod objectives;
mod outages;
mod pictures;
mod policy;
mod prose;
mod ranking;

use serde::Serialize;

use crate::report::chart::Error;
use crate::report::{Metric, ModelNote, OVER_ALL, PolicyReport, Report, Unit, format};
use differences::{Differences, differences};
pub(super) use files::files;
use further::{Further, further};
use keys::{Key, Keys};
use limits::{Limits, limits, quotas};
use notes::{Mark, Note, Notes};
use objectives::{Objectives, objectives};
use outages::{Outage, outages};
use pictures::{Shares, pictures, shares};
use policy::{Column, Policy, columns, main_row, tells_of_classes};
pub(super) use prose::unbroken;
use prose::{Prose, prose};
use ranking::{Ranking, ranking};

/// More policies than this are folded away, each with a line that opens it.
const MANY: usize = 2;

/// Of more policies than this, tables show those that have a colour, and fold the others away.
const TOO_MANY: usize = 24;

/// The whole page.
#[derive(Serialize)]
pub(super) struct Page {
    title: String,
    /// What follows from the run, in sentences.
    headline: Vec<String>,
    about: Prose,
    /// How each result of the page was run: its name, where there are two, and the facts.
    facts: Vec<(String, Vec<String>)>,
    warnings: Vec<String>,
    /// How much of its interval each policy has from the models' own measurements.
    uncertain: Vec<String>,
    /// What is not modelled, in one line; empty if there is nothing to say.
    assumptions: String,
    objectives: Option<Objectives>,
    ranking: Option<Ranking>,
    verdicts: Vec<Named<String>>,
    /// Whether there are so many policies that what is said of each is folded away.
    many: bool,
    /// Whether there are so many that tables fold most of them away.
    too_many: bool,
    headings: Vec<Heading>,
    /// What is asked for beyond the main table.
    further: Option<Further>,
    policies: Vec<Named<Policy>>,
    outages: Vec<Outage>,
    limits: Option<Limits>,
    quotas: Option<Limits>,
    figures: Vec<Figure>,
    shares: Vec<Shares>,
    differences: Option<Differences>,
    models: Vec<ModelNote>,
    /// The files of each result of the page, with its name where there are two.
    inputs: Vec<(String, Vec<(String, String)>)>,
    notes: Vec<Note>,
    /// Whether there is a policy that is not settled.
    unsettled: bool,
    /// What is said of percentiles where some request never got its answer; else empty.
    over_all: &'static str,
    /// The days of a month, where one is shown.
    month_days: Option<String>,
    /// Which columns the tables of classes have, beside those that they always have: only those that have a figure anywhere.
    class_first: bool,
    class_cost: bool,
    class_quality: bool,
    /// Whether the main table has goodput.
    has_goodput: bool,
    /// The sign or the code of the currency.
    money: String,
    confidence: String,
}

/// Something of a policy's or a provider's, with its name and its colour.
#[derive(Serialize)]
struct Named<T> {
    key: Key,
    it: T,
}

/// A figure as a table shows it.
#[derive(Serialize)]
struct Cell {
    value: String,
    spread: Option<String>,
    note: Option<Mark>,
}

/// A heading over columns of the main table.
#[derive(Serialize)]
struct Heading {
    over: &'static str,
    columns: Vec<&'static str>,
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
    /// What its colours stand for, where they are not those of policies.
    legend: Vec<Key>,
    svg: String,
    /// Width and height as it was designed, in pixels.
    #[serde(skip)]
    size: (u32, u32),
}

impl Page {
    /// Puts a report into words and pictures.
    pub(super) fn of(report: &Report) -> Result<Page, Error> {
        let mut notes = Notes::of("results");
        let keys = Keys::of(report);
        let columns = columns(report);
        let rows = report.order().into_iter().map(|place| {
            let cells = main_row(&columns, &report.policies[place], report.code(), &mut notes);
            (place, cells)
        });
        let rows: Vec<_> = rows.collect();
        let policies = rows.into_iter().enumerate().map(|(index, (place, cells))| {
            Ok(Named {
                key: keys.at(place),
                it: Policy::of(index, &report.policies[place], cells, report)?,
            })
        });
        let policies = policies.collect::<Result<Vec<_>, Error>>()?;
        let of = |one: &Report| report.joined.as_ref().map_or(String::new(), |_| one.experiment.clone());
        Ok(Page {
            title: report.experiment.clone(),
            headline: report.scorecard.headline.clone(),
            about: prose(&report.about),
            facts: report.each().into_iter().map(|one| (of(one), facts(one))).collect(),
            warnings: report.told().collect(),
            uncertain: report.uncertain.clone(),
            assumptions: report.assumptions.join("; "),
            objectives: objectives(report, &keys),
            ranking: ranking(report, &keys),
            verdicts: report
                .comparisons
                .iter()
                .map(|comparison| Named {
                    key: keys.of_name(&comparison.policy),
                    it: comparison.sentence.clone(),
                })
                .collect(),
            many: report.policies.len() > MANY,
            too_many: report.policies.len() > TOO_MANY,
            headings: headings(&columns),
            further: further(report, &keys),
            policies,
            outages: outages(report, &keys),
            limits: limits(report, &keys),
            quotas: quotas(report, &keys),
            figures: pictures(report)?,
            shares: shares(report)?,
            differences: differences(report, &keys),
            models: report.models.clone(),
            inputs: report.each().into_iter().map(|one| (of(one), inputs(one))).collect(),
            notes: notes.list(),
            over_all: if report.policies.iter().any(PolicyReport::is_over_all) {
                OVER_ALL
            } else {
                ""
            },
            unsettled: report.policies.iter().any(|policy| !policy.steady.settled),
            money: report.code().map_or("$".into(), |code| code.to_string()),
            month_days: is_shown(&columns, &Metric::COST_PER_MONTH)
                .then(|| format::tick(Unit::Number, report.month_days)),
            class_first: tells_of_classes(report, &Metric::TTFT_P95),
            class_cost: tells_of_classes(report, &Metric::COST_PER_1K),
            class_quality: tells_of_classes(report, &Metric::QUALITY),
            has_goodput: is_shown(&columns, &Metric::GOODPUT),
            confidence: format::tick(Unit::Share, report.confidence),
        })
    }
}

fn is_shown(columns: &[Column], metric: &Metric) -> bool {
    columns.iter().any(|(shown, _)| shown == metric)
}

/// The headings of the main table: neighbours under one name share it.
fn headings(all: &[Column]) -> Vec<Heading> {
    let mut headings: Vec<Heading> = Vec::new();
    for &(_, (over, column)) in all {
        match headings.last_mut() {
            Some(last) if last.over == over && !over.is_empty() => last.columns.push(column),
            _ => headings.push(Heading {
                over,
                columns: vec![column],
            }),
        }
    }
    headings
}

fn facts(report: &Report) -> Vec<String> {
    let (finished, planned) = (report.replications_finished, report.replications_planned);
    let replications = match finished {
        n if n < planned => format!("{} of {} replications", format::count(n), format::count(planned)),
        1 => "1 replication".into(),
        n => format!("{} replications", format::count(n)),
    };
    let start = report.start.in_words(&format::span(report.warmup));
    let time = format!("{} counted {start}", format::span(report.counted));
    let mut facts = vec![
        replications,
        time,
        format!("seed {}", report.seed),
        format!("{} confidence", format::tick(Unit::Share, report.confidence)),
    ];
    facts.extend(report.rates());
    facts.push(format!("simcap {}", report.version));
    facts
}

fn inputs(report: &Report) -> Vec<(String, String)> {
    let named = report.inputs.iter();
    named.map(|input| (input.name.clone(), input.sha256.clone())).collect()
}
