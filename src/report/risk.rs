//! What inputs that are not known exactly make of a decision: how widely figures lie over them, how often objectives hold and which policy is
//! the cheapest, and which input moves the answer.
//!
//! Every draw is a whole run under one seed, and so is every end of an input with the others as the file has them. The same result as a first
//! screen, a table, JSON, CSV and Markdown. That inputs are drawn anew is one thing, what a single replication is like another, and how well
//! the mean is known at the file's own values a third: each has a name of its own here. Left out: all else that a run says of a draw,
//! which `simcap run` with its settings has.

mod said;
mod screen;

use serde::Serialize;

use super::alone::Between;
use super::repeated::Repeated;
use super::sweep::{Point, Sweep};
use super::{Goal, Metric};
use crate::words::Code;

/// The result of a study of risk.
#[derive(Clone, Debug, Serialize)]
pub struct Risk {
    /// The format of this file and its version: `simcap.risk/1`.
    pub format: String,
    /// The version of simcap that made it.
    pub version: String,
    /// The name of the experiment.
    pub experiment: String,
    /// The seed of the draws of inputs, and of every run.
    pub seed: u64,
    /// Replications of each run, as far as each has as many.
    pub replications: u64,
    /// Simulated seconds that a replication counts.
    pub counted: f64,
    /// The confidence level of every interval.
    pub confidence: f64,
    /// The currency of money, if it is not the dollar.
    pub currency: Option<Code>,
    /// Draws that were asked for; fewer are finished if the study was interrupted.
    pub planned: usize,
    /// The metrics of every figure, in order: first that by which the cheapest is chosen.
    pub metrics: Vec<Metric>,
    /// The objectives that must hold.
    pub objectives: Vec<Goal>,
    /// The most that a month may cost, in the report's currency, if that is asked.
    pub budget: Option<f64>,
    /// The policy that the answer is about: at the file's own values the cheapest that meets every objective, or else the one that does in most draws.
    pub leader: String,
    /// Whether that policy meets every objective at the file's own values.
    pub is_met: bool,
    /// The place of the metric that the tornado is of: the first one of the leader's that some input moves.
    pub moved: usize,
    /// What follows, in sentences: the answer first.
    pub sentences: Vec<String>,
    /// What runs warned of, each once: the most important first.
    pub warnings: Vec<Repeated>,
    /// What is not modelled and would change the answer, in clauses.
    pub assumptions: Vec<String>,
    /// The inputs that are not known exactly, that which moves the leader most first.
    pub inputs: Vec<Input>,
    /// The run at what the file has itself.
    pub centre: Point,
    /// What becomes of each policy, in the experiment's order.
    pub policies: Vec<OfPolicy>,
    /// Draws in which no policy meets every objective.
    pub nowhere: u64,
    /// Draws in which the runs cannot tell of some objective of the leader; they count by its figure.
    pub untold: u64,
    /// The runs at the draws, in order.
    pub draws: Vec<Point>,
}

/// An input that is not known exactly.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The path in the experiment.
    pub path: String,
    /// What the file says there; nothing if it says nothing.
    pub own: Option<String>,
    /// What is possible, in words.
    pub possible: String,
    /// The unit of numbers, with what stands before them; empty of plain numbers and variants.
    pub unit: String,
    /// The number of each draw, in that unit; empty of variants.
    pub numbers: Vec<f64>,
    /// What either end, or each further variant, changes while the others are as the file has them; fewer if the study was interrupted.
    pub ends: Vec<End>,
}

/// One end of an input.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// The value there.
    pub value: String,
    /// The metric of the tornado there less that at the file's own values, by policy in the experiment's order; null where either has no value.
    pub changes: Vec<f64>,
    /// How far the interval of each change reaches to either side, at the study's confidence, from the same replications at both; null where there
    /// is none. A change within it may be chance.
    pub reaches: Vec<Option<f64>>,
    /// The cheapest policy there that meets every objective, if one does.
    pub cheapest: Option<String>,
    /// The run there.
    pub at: Point,
}

/// What becomes of one policy.
#[derive(Clone, Debug, Serialize)]
pub struct OfPolicy {
    /// The name of the policy.
    pub name: String,
    /// What is said of each metric, in their order.
    pub figures: Vec<Figure>,
    /// How often each objective holds, in their order; nothing where another bound on the same metric is asked of the policy.
    pub holds: Vec<Option<Share>>,
    /// How often all objectives hold that are asked of it; nothing without objectives.
    pub all: Option<Share>,
    /// How often it is the cheapest of those that meet every objective.
    pub cheapest: Share,
    /// How often the mean month is above the budget, if there is one and months have a cost.
    pub over_budget: Option<Share>,
    /// What one month costs when inputs are drawn anew; nothing where the runs say nothing of a month.
    pub month: Option<Month>,
}

/// A figure over what is not known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The figure below which one draw in ten lies, of the draws that have it; null with fewer than five, and where it is above every number.
    pub p10: Option<f64>,
    /// The median over draws.
    pub p50: Option<f64>,
    /// The figure below which nine draws in ten lie.
    pub p90: Option<f64>,
    /// The standard deviation that the inputs alone make of the figure; null where it cannot be told.
    pub inputs: Option<f64>,
    /// The standard deviation of one replication at inputs that are known.
    pub chance: Option<f64>,
    /// The share of the inputs in the variance of one replication at inputs that are drawn anew, from 0 to 1.
    pub of_inputs: Option<f64>,
    /// The ends between which eight of ten single replications lie, their inputs drawn anew.
    pub single: Option<Between>,
}

/// How often something holds, of so many draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Draws in which it does.
    pub held: u64,
    /// Draws in all.
    pub of: u64,
    /// The lower end of Wilson's interval of its probability, at the study's confidence.
    pub lo: f64,
    /// The upper end of that interval.
    pub hi: f64,
}

/// What one month costs when inputs are drawn anew: what is not known of them and the chance of a month together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Month {
    /// The amount below which one month in ten lies.
    pub p10: f64,
    /// The amount below which nine months in ten lie.
    pub p90: f64,
    /// The standard deviation that chance alone gives a month, from that of stretches as long as a replication, taken to be independent: what
    /// the models' measurements leave open, and stays the same over a month, is less in it than it should be.
    pub chance: f64,
    /// The standard error of the mean that was simulated, which moves both ends: more replications make it smaller.
    pub simulated: f64,
    /// The probability that a month is above the budget, if there is one.
    pub over_budget: Option<f64>,
}

impl Share {
    /// In words: `21 of 24`.
    pub fn words(&self) -> String {
        format!(
            "{} of {}",
            super::format::count(self.held),
            super::format::count(self.of)
        )
    }
}

impl Risk {
    /// What becomes of the policy that the answer is about.
    pub(super) fn led(&self) -> Option<&OfPolicy> {
        self.policies.iter().find(|policy| policy.name == self.leader)
    }

    /// The number of runs that the study has.
    pub(super) fn runs(&self) -> usize {
        1 + self.draws.len() + self.inputs.iter().map(|input| input.ends.len()).sum::<usize>()
    }

    /// The place of that policy among all.
    pub(super) fn lead(&self) -> usize {
        let found = self.policies.iter().position(|policy| policy.name == self.leader);
        found.unwrap_or(0)
    }

    /// Every run as rows: which it is, the value of each input, the policy, the metric, its estimate. Inputs that a run leaves as the file has them are
    /// empty.
    pub fn csv(&self) -> String {
        let empty = || vec![String::new(); self.inputs.len()];
        let row = |name: String, values: Vec<String>, point: &Point| Point {
            values: [vec![name], values].concat(),
            ..point.clone()
        };
        let mut points = vec![row("file".to_owned(), empty(), &self.centre)];
        for (i, input) in self.inputs.iter().enumerate() {
            for end in &input.ends {
                let mut values = empty();
                values[i].clone_from(&end.value);
                points.push(row("end".to_owned(), values, &end.at));
            }
        }
        let draws = self.draws.iter().enumerate();
        points.extend(draws.map(|(i, point)| row(format!("draw {}", i + 1), point.values.clone(), point)));
        let paths = self.inputs.iter().map(|input| input.path.clone());
        let sweep = Sweep {
            experiment: String::new(),
            axes: std::iter::once("run".to_owned()).chain(paths).collect(),
            metrics: self.metrics.clone(),
            objectives: Vec::new(),
            currency: None,
            points,
            warnings: Vec::new(),
        };
        sweep.csv()
    }
}
