//! What an audit found: published figures beside what they were held against, and which of them hold.

use serde::Serialize;

use super::markdown::escaped;
use super::table::{Cell, Table, Tone};
use super::text::{clean, fit, paragraph};
use super::{Unit, format};
use crate::stats::interval::Estimate;
use crate::stats::sorting;
use crate::words::Holding;

/// The format of `audit.json`.
pub const FORMAT: &str = "simcap.audit/1";

/// So many figures that do not hold fit on one screen.
const SCREEN: usize = 14;
/// The widest column of a name, and of where a figure comes from, in characters.
const NAME: usize = 48;

/// The result of an audit.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// The format of this file: `simcap.audit/1`.
    pub format: String,
    /// The version of simcap that made it.
    pub version: String,
    /// What was audited, a file for each.
    pub reports: Vec<Audited>,
    /// The experiments that were run for it.
    pub runs: Vec<Ran>,
}

/// A file of claims.
#[derive(Clone, Debug, Serialize)]
pub struct Audited {
    /// The name of what was published.
    pub name: String,
    /// What was published, in the file's words.
    pub about: String,
    /// The path of the file.
    pub file: String,
    /// The published figures.
    pub claims: Vec<Claimed>,
}

/// A published figure.
#[derive(Clone, Debug, Serialize)]
pub struct Claimed {
    /// The table that it stands in.
    pub table: String,
    /// What the figure is of.
    pub claim: String,
    /// How it was published: `published`, `at_most` or `at_least`.
    pub sense: &'static str,
    /// The published figure.
    pub published: f64,
    /// How far the published figure may be off, in its unit.
    pub within: f64,
    /// What was found, with its interval; of arithmetic that is a point. Absent if there is nothing to hold the figure against.
    pub found: Option<Estimate>,
    /// The unit of the figures.
    #[serde(serialize_with = "unit")]
    pub unit: Unit,
    /// The published figure over the one that was found, where that is above 0.
    pub factor: Option<f64>,
    /// Whether the figure holds.
    pub holding: Holding,
    /// What was expected to come out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Holding>,
    /// Why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What a reader should know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where what was found comes from: a formula, a law, or an experiment, its policy and the metric.
    pub source: String,
}

/// An experiment that was run.
#[derive(Clone, Debug, Serialize)]
pub struct Ran {
    /// The file of the experiment.
    pub file: String,
    /// The values that were changed in it, as `PATH=VALUE`.
    pub set: Vec<String>,
    /// Replications that were finished.
    pub replications: u64,
    /// Simulated seconds that were counted in each.
    pub counted: f64,
    /// The seed of all draws.
    pub seed: u64,
    /// The confidence level of the intervals.
    pub confidence: f64,
}

fn unit<S: serde::Serializer>(unit: &Unit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&super::csv::unit(*unit))
}

impl Claimed {
    /// Whether the verdict is another than was expected.
    pub fn surprises(&self) -> bool {
        self.expected.is_some_and(|expected| expected != self.holding)
    }

    /// A figure of it as it is shown; days and more in days.
    fn figure(&self, estimate: &Estimate) -> Cell {
        let is_long = self.unit == Unit::Seconds && estimate.value.abs() >= 2.0 * 86_400.0;
        if is_long && estimate.value.is_finite() {
            return Cell::new(format::span(estimate.value));
        }
        let is_point = estimate.lo == Some(estimate.value) && estimate.hi == Some(estimate.value);
        if is_point {
            return Cell::new(format::value(self.unit, estimate.value));
        }
        let (value, spread) = format::parts(self.unit, estimate);
        Cell::new(value).tail(spread.map(|spread| spread.tight()).unwrap_or_default())
    }

    fn published(&self) -> String {
        let point = Estimate {
            value: self.published,
            ..Estimate::NONE
        };
        let value = self.figure(&point).text;
        match self.sense {
            "at_most" => format!("≤ {value}"),
            "at_least" => format!("≥ {value}"),
            _ => value,
        }
    }

    fn found(&self) -> Cell {
        self.found
            .as_ref()
            .map_or(Cell::new(format::NONE), |found| self.figure(found))
    }

    /// How far it is off, in words.
    fn off(&self) -> String {
        let Some(found) = self.found.map(|found| found.value) else {
            return String::new();
        };
        match self.factor {
            Some(factor) => {
                let (times, side) = if factor >= 1.0 {
                    (factor, "high")
                } else {
                    (1.0 / factor, "low")
                };
                if times < 1.1 {
                    format!("{} too {side}", format::tick(Unit::Share, times - 1.0))
                } else {
                    format!("{} × too {side}", format::value(Unit::Number, times))
                }
            }
            None if found.is_nan() => String::new(),
            None if found == 0.0 => "there is none".to_owned(),
            None if found.is_infinite() => "it never ends".to_owned(),
            None if self.published == 0.0 => "it is not 0".to_owned(),
            None => "of the other sign".to_owned(),
        }
    }

    /// How far it is off, to compare with others: what has no factor is furthest.
    fn distance(&self) -> f64 {
        self.factor.map_or(f64::INFINITY, |factor| libm::log(factor).abs())
    }

    fn tone(&self) -> Tone {
        match self.holding {
            Holding::Holds => Tone::Good,
            Holding::Fails => Tone::Bad,
            Holding::Unknown => Tone::Dim,
        }
    }

    /// What is said beside a verdict: how far off, or why it cannot be told.
    fn beside(&self) -> String {
        match self.holding {
            Holding::Holds => String::new(),
            Holding::Fails => self.off(),
            Holding::Unknown => clean(self.why.as_deref().unwrap_or_default()),
        }
    }
}

impl Audit {
    /// All claims, each with the name of its report.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &Claimed)> {
        self.reports
            .iter()
            .flat_map(|report| report.claims.iter().map(|claim| (report.name.as_str(), claim)))
    }

    /// How many claims came out so.
    pub fn count(&self, holding: Holding) -> usize {
        self.claims().filter(|(_, claim)| claim.holding == holding).count()
    }

    /// The claims that do not hold, the one that is furthest off first.
    fn worst(&self) -> Vec<(&str, &Claimed)> {
        let mut all: Vec<_> = self
            .claims()
            .filter(|(_, claim)| claim.holding == Holding::Fails)
            .collect();
        sorting::by(&mut all, |a, b| b.1.distance().total_cmp(&a.1.distance()));
        all
    }

    /// How many hold and which is furthest off, in a sentence or two.
    pub fn sentence(&self) -> String {
        let number = |n: usize| format::count(n as u64);
        let all = self.claims().count();
        let of = |holding| number(self.count(holding));
        let (holds, fails, unknown) = (of(Holding::Holds), of(Holding::Fails), of(Holding::Unknown));
        let first = format!(
            "Of {} published figures {holds} hold, {fails} do not, and {unknown} cannot be told.",
            number(all)
        );
        let worst = self.worst();
        let Some((report, claim)) = worst.iter().find(|(_, claim)| claim.factor.is_some()).or(worst.first()) else {
            return first;
        };
        format!(
            "{first} Worst: {} ({}), {}: {} published, {} found.",
            clean(&claim.claim),
            clean(report),
            claim.off(),
            claim.published(),
            claim.found().text
        )
    }

    /// The audit for a terminal of that width: the figures that do not hold, or all.
    pub fn text(&self, width: usize, colour: bool, full: bool) -> String {
        let mut text = paragraph("", &self.sentence(), width);
        if full {
            return text + &self.everything(width, colour);
        }
        let worst = self.worst();
        if !worst.is_empty() {
            let mut table = Table::new("does not hold");
            table.column("", "published");
            table.column("", "found");
            table.words("", "");
            table.words("", "in");
            for (report, claim) in worst.iter().take(SCREEN) {
                let cells = [
                    Cell::new(claim.published()),
                    claim.found(),
                    Cell::new(claim.off()).tone(Tone::Bad),
                    Cell::new(clean(report)).tone(Tone::Dim),
                ];
                table.row(&fit(&clean(&claim.claim), NAME), cells);
            }
            text += &format!("\n{}", table.render(width, colour));
        }
        let more = worst.len().saturating_sub(SCREEN);
        if more > 0 {
            text += &format!("and {} more\n", format::count(more as u64));
        }
        text + "\nEvery figure, and where what it is held against comes from: --full\n"
    }

    fn everything(&self, width: usize, colour: bool) -> String {
        let mut text = String::new();
        for report in &self.reports {
            text += &format!("\n{}", paragraph("", &report.name, width));
            if !report.about.is_empty() {
                text += &paragraph("  ", &report.about, width);
            }
            for (title, table) in report.tables() {
                if !title.is_empty() {
                    text += &format!("\n{}", paragraph("", &title, width));
                }
                text += &table.render(width, colour);
            }
            for claim in &report.claims {
                if let Some(note) = &claim.note {
                    text += &paragraph("  ", &format!("{}: {note}", claim.claim), width);
                }
            }
        }
        if !self.runs.is_empty() {
            text += "\n";
        }
        for run in &self.runs {
            text += &paragraph("", &run.sentence(), width);
        }
        text
    }

    /// Which verdicts are others than expected, in sentences.
    pub fn surprises(&self) -> Vec<String> {
        let surprising = self.claims().filter(|(_, claim)| claim.surprises());
        let said = surprising.map(|(report, claim)| {
            format!(
                "{}, {}: {} where {} is expected ({} published, {} found)",
                clean(report),
                clean(&claim.claim),
                claim.holding.words(),
                claim.expected.map_or("nothing", Holding::words),
                claim.published(),
                claim.found().text
            )
        });
        said.collect()
    }

    /// The audit in GitHub's Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Published figures, audited\n\n{}\n", escaped(&self.sentence()));
        for report in &self.reports {
            text += &format!("\n## {}\n\n{}\n", escaped(&report.name), escaped(&report.about));
            for (title, table) in report.tables() {
                text += &format!("\n### {}\n\n{}", escaped(&title), table.markdown());
            }
        }
        for run in &self.runs {
            text += &format!("\n{}\n", escaped(&run.sentence()));
        }
        text
    }

    /// The audit as rows, a figure each.
    pub fn csv(&self) -> String {
        let mut sheet = csv::Writer::from_writer(Vec::new());
        let number = |x: Option<f64>| x.filter(|x| x.is_finite()).map(|x| x.to_string()).unwrap_or_default();
        // Writing to memory does not fail.
        let _ = sheet.write_record([
            "report",
            "table",
            "claim",
            "sense",
            "published",
            "within",
            "unit",
            "found",
            "lo",
            "hi",
            "factor",
            "holding",
            "why",
            "source",
        ]);
        for (report, claim) in self.claims() {
            let found = claim.found.unwrap_or(Estimate::NONE);
            let _ = sheet.write_record([
                super::csv::text(report),
                super::csv::text(&claim.table),
                super::csv::text(&claim.claim),
                claim.sense.to_owned(),
                number(Some(claim.published)),
                number(Some(claim.within)),
                super::csv::unit(claim.unit),
                number(Some(found.value)),
                number(found.lo),
                number(found.hi),
                number(claim.factor),
                claim.holding.words().to_owned(),
                super::csv::text(claim.why.as_deref().unwrap_or_default()),
                super::csv::text(&claim.source),
            ]);
        }
        let bytes = sheet.into_inner().ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl Audited {
    /// The claims of each table that it has, in order, with its title.
    fn tables(&self) -> Vec<(String, Table)> {
        let groups = self.claims.chunk_by(|a, b| a.table == b.table);
        let table = |claims: &[Claimed]| {
            let mut table = Table::new("");
            table.column("", "published");
            table.column("", "found");
            table.words("", "verdict");
            table.words("", "");
            table.words("", "held against");
            for claim in claims {
                // Two figures that look alike may have been written with more digits or fewer.
                let within = match claim.within > 0.0 {
                    true => format!("±{}", format::value(claim.unit, claim.within)),
                    false => String::new(),
                };
                let cells = [
                    Cell::new(claim.published()).tail(within),
                    claim.found(),
                    Cell::new(claim.holding.words()).tone(claim.tone()),
                    Cell::new(claim.beside()),
                    Cell::new(clean(&claim.source)).tone(Tone::Dim),
                ];
                table.row(&clean(&claim.claim), cells);
            }
            (clean(&claims[0].table), table)
        };
        groups.map(table).collect()
    }
}

impl Ran {
    fn sentence(&self) -> String {
        let set = match self.set.len() {
            0 => String::new(),
            _ => format!(" with {}", self.set.join(", ")),
        };
        format!(
            "{}{set}: {} replications of {}, seed {}, intervals at {}",
            self.file,
            format::count(self.replications),
            format::span(self.counted),
            self.seed,
            format::level(self.confidence)
        )
    }
}
