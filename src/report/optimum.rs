//! What a choice among candidates found: the cheapest that keeps to every objective, what else was near, and what trades cost for the rest.
//!
//! The same result as a table, JSON, CSV and Markdown. Figures of points are those of a run on seeds that the search never met; those of the other
//! candidates are the search's own. Left out: all else that a run of a point says, which `simcap run` with its settings has.

use serde::Serialize;

use super::sweep::AtPoint;
use super::table::{Cell, Table, Tone};
use super::text::{clean, paragraph};
use super::{Goal, Judged, format};
use crate::stats::interval::Estimate;
use crate::words::{Aim, Code};

/// The result of a choice.
#[derive(Clone, Debug, Serialize)]
pub struct Optimum {
    /// The format of this file and its version: `simcap.optimum/1`.
    pub format: String,
    /// The version of simcap that made it.
    pub version: String,
    /// The name of the experiment.
    pub experiment: String,
    /// Whether the first of the metrics was to be as high as can be, instead of as low.
    pub maximise: bool,
    /// What every figure is of, in order: first that which was to be as low as can be, a metric or a sum of several, then latency, errors and, where answers are rated, quality.
    pub metrics: Vec<Aim>,
    /// The objectives that had to hold.
    pub objectives: Vec<Goal>,
    /// The paths that were changed.
    pub axes: Vec<String>,
    /// The currency of money, if it is not the dollar.
    pub currency: Option<Code>,
    /// The seed of the search.
    pub seed: u64,
    /// The run of the points on seeds of its own; absent where there was none.
    pub retest: Option<Retest>,
    /// The confidence level of every interval, and of the choice.
    pub confidence: f64,
    /// The share of the first metric by which a difference does not matter.
    pub matters: f64,
    /// How it ended.
    pub ended: Ended,
    /// The name of the candidate that was chosen, or of the best so far; absent where none keeps to every objective.
    pub best: Option<String>,
    /// A lower bound on the probability that the choice is right.
    pub probability: Option<f64>,
    /// What follows, in sentences.
    pub sentences: Vec<String>,
    /// What changes the verdict, in sentences.
    pub warnings: Vec<String>,
    /// What is not modelled and would change the answer, in clauses.
    pub assumptions: Vec<String>,
    /// The points that are shown: the one that was chosen, what was near, what the file says, and the front of cost against latency, errors and quality.
    pub points: Vec<Point>,
    /// Every candidate, as the search left it.
    pub candidates: Vec<Candidate>,
    /// Requests that the search simulated.
    pub requests: u64,
    /// Requests that it would have simulated with as many replications of each candidate as the last had.
    pub equal: u64,
}

/// A run on seeds that the search never met.
#[derive(Clone, Debug, Serialize)]
pub struct Retest {
    /// The seed of all draws.
    pub seed: u64,
    /// Replications of each point.
    pub replications: u64,
    /// Requests that it simulated.
    pub requests: u64,
}

/// How a choice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// One was chosen.
    Found,
    /// The most replications do not tell which.
    Open,
    /// No candidate keeps to every objective.
    Nowhere,
    /// The budget of simulated requests was spent.
    Spent,
    /// The search was interrupted.
    Interrupted,
}

/// A candidate that was run again.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The name of the candidate: its policy, and the values on the axes.
    pub name: String,
    /// The command that runs it.
    pub command: String,
    /// Whether it was chosen.
    pub is_best: bool,
    /// Whether it is what the file says, with its first policy.
    pub is_today: bool,
    /// Whether no other point is better in one metric and as good in all others.
    pub is_on_front: bool,
    /// The policy, how it stands on its objectives, and its figures.
    pub at: AtPoint,
}

/// A candidate as the search left it.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The name of the candidate: its policy, and the values on the axes.
    pub name: String,
    /// Replications that it was given.
    pub replications: u64,
    /// Requests in them.
    pub requests: u64,
    /// Why it is out, in a clause; absent if it is not.
    pub out: Option<String>,
    /// The estimates of the metrics.
    pub figures: Vec<Estimate>,
}

/// The most rows of the table of a terminal.
const SHOWN: usize = 12;

impl Optimum {
    /// The table of the points.
    pub(super) fn table(&self) -> Table {
        let heads = std::iter::once("policy").chain(self.axes.iter().map(String::as_str));
        let mut table = Table::new(&clean(&heads.collect::<Vec<_>>().join(" · ")));
        for metric in &self.metrics {
            table.column("", &metric.title_in(self.currency));
        }
        if !self.objectives.is_empty() {
            table.words("", "objectives");
        }
        table.words("", "");
        for point in self.points.iter().take(SHOWN) {
            let mut cells: Vec<Cell> = (self.metrics.iter().zip(&point.at.figures))
                .map(|(metric, figure)| {
                    let (value, spread) = format::parts(metric.unit_in(self.currency), figure);
                    Cell::new(value).tail(spread.map(|spread| spread.tight()).unwrap_or_default())
                })
                .collect();
            let fails = point.at.fails.join(", ");
            if !self.objectives.is_empty() {
                cells.push(match point.at.meets {
                    Some(Judged::Pass) => Cell::new("PASS").tone(Tone::Good),
                    Some(Judged::Fail) => Cell::new(format!("FAIL {fails}")).tone(Tone::Bad),
                    Some(Judged::Undecided) => Cell::new(format!("? {fails}")).tone(Tone::Dim),
                    None => Cell::new(format::NONE),
                });
            }
            cells.push(Cell::new(point.marks()));
            table.row(&clean(&point.name), cells);
        }
        table
    }

    /// The result for a terminal of that width: what follows, a table, how to run its points, then what changes the verdict.
    pub fn text(&self, width: usize, colour: bool) -> String {
        let mut text: String = self
            .sentences
            .iter()
            .map(|line| paragraph("", &clean(line), width))
            .collect();
        if !self.points.is_empty() {
            text += &format!("\n{}\n", self.table().render(width, colour));
        }
        let is_named = |point: &&Point| !self.axes.is_empty() && (point.is_best || point.is_today || point.is_on_front);
        for point in self.points.iter().take(SHOWN).filter(is_named) {
            text += &format!("{}: {}\n", clean(&point.name), clean(&point.command));
        }
        if !self.warnings.is_empty() {
            text += "\n";
        }
        for warning in &self.warnings {
            text += &paragraph("warning: ", &clean(warning), width);
        }
        text
    }

    /// The result in Markdown.
    pub fn markdown(&self) -> String {
        let item = |sentence: &String| format!("- {}\n", super::markdown::escaped(&clean(sentence)));
        let mut text = format!("# {}\n\n", super::markdown::escaped(&self.experiment));
        text.extend(self.sentences.iter().map(item));
        text += "\n";
        text += &self.table().markdown();
        if !self.warnings.is_empty() {
            text += "\n## Warnings\n\n";
            text.extend(self.warnings.iter().map(item));
        }
        text
    }

    /// The result as rows: a candidate each, with the figures of the second run where it was run again.
    pub fn csv(&self) -> String {
        let mut sheet = csv::Writer::from_writer(Vec::new());
        let mut head: Vec<String> = [
            "candidate",
            "best",
            "today",
            "front",
            "out",
            "replications",
            "requests",
            "again",
        ]
        .map(str::to_owned)
        .to_vec();
        for metric in &self.metrics {
            head.extend([metric.to_string(), format!("{metric} lo"), format!("{metric} hi")]);
        }
        // Writing to memory does not fail.
        let _ = sheet.write_record(&head);
        let number = |x: Option<f64>| x.filter(|x| x.is_finite()).map(|x| x.to_string()).unwrap_or_default();
        let known = |name: &String| self.candidates.iter().any(|candidate| candidate.name == *name);
        // What the file says need not be a candidate.
        let beside = self
            .points
            .iter()
            .filter(|point| !known(&point.name))
            .map(|point| (&point.name, None));
        let all = self
            .candidates
            .iter()
            .map(|candidate| (&candidate.name, Some(candidate)));
        for (name, candidate) in all.chain(beside) {
            let point = self.points.iter().find(|point| point.name == *name);
            let is = |of: fn(&Point) -> bool| point.is_some_and(of).to_string();
            let mut row = vec![
                super::csv::text(name),
                is(|point| point.is_best),
                is(|point| point.is_today),
                is(|point| point.is_on_front),
                super::csv::text(candidate.and_then(|c| c.out.as_deref()).unwrap_or_default()),
                candidate.map_or(0, |c| c.replications).to_string(),
                candidate.map_or(0, |c| c.requests).to_string(),
                point.is_some().to_string(),
            ];
            let own = candidate.map_or(&[][..], |candidate| &candidate.figures);
            for figure in point.map_or(own, |point| &point.at.figures) {
                row.extend([number(Some(figure.value)), number(figure.lo), number(figure.hi)]);
            }
            row.resize(head.len(), String::new());
            let _ = sheet.write_record(&row);
        }
        let bytes = sheet.into_inner().ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl Point {
    /// What is to know of it, in a few words.
    fn marks(&self) -> String {
        let all = [
            (self.is_best, "best"),
            (self.is_today, "today"),
            (self.is_on_front, "front"),
        ];
        let said: Vec<&str> = all.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        said.join(", ")
    }
}
