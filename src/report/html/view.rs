//! What the page's template is given: every figure in words, every chart drawn, in the page's order.
//!
//! A figure without an interval carries the letter of a footnote that says why; equal reasons share a letter.

mod differences;
mod keys;
mod notes;
mod objectives;
mod pictures;
mod policy;

use serde::Serialize;

use crate::report::chart::Error;
use crate::report::{ModelNote, Report, Unit, format};
use differences::{Differences, differences};
use keys::{Key, key_of, keys, policy_key};
use notes::Notes;
use objectives::{Objectives, objectives};
use pictures::{pictures, shares};
use policy::{COLUMNS, Policy, main_row};

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
