//! Everything that a fit says: what `--json` prints, and what the terminal's text is made of.

use schemars::JsonSchema;
use serde::Serialize;

use super::choose::Candidate;
use super::errors::ErrorRate;
use super::evidence::Evidence;
use super::family::{Family, Params};
use super::line::Slope;
use super::load::LoadCurve;
use super::percentiles::Percentile;
use super::quantile_table::TableFit;
use super::quotas::{QuotaFound, RetryAfter};
use super::regimes::Regimes;
use super::sample::Sample;
use super::saturation::Step;
use super::serial::Serial;

/// A fit and its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FitReport {
    /// The model's name.
    pub name: String,
    /// What was measured.
    pub target: String,
    /// The files.
    pub files: Vec<String>,
    /// Requests of the target.
    pub requests: usize,
    /// Of these, held out of the fit.
    pub held_out: usize,
    /// What was fitted: TTFT and decode speed, those that were measured.
    pub quantities: Vec<Quantity>,
    /// TTFT against input tokens, in seconds for each token that was not cached.
    pub prefill: Option<Effect>,
    /// The logarithm of decode speed against requests in flight.
    pub concurrency: Option<Effect>,
    /// What load does, from summaries at several loads.
    pub load: Option<LoadCurve>,
    /// The steps of load.
    pub steps: Vec<Step>,
    /// Requests that were sent.
    pub sent: u64,
    /// How they ended if not well.
    pub errors: Vec<ErrorRate>,
    /// The quotas.
    pub quotas: Vec<QuotaFound>,
    /// What refusals say of when to come back.
    pub retry_after: Option<RetryAfter>,
    /// What a reader must know.
    pub notes: Vec<String>,
    /// What these measurements cannot tell.
    pub cannot_tell: Vec<String>,
    /// What its picture is drawn of.
    #[serde(skip)]
    #[schemars(skip)]
    pub evidence: Evidence,
}

/// What one quantity depends on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Effect {
    /// The slope.
    pub slope: Slope,
    /// What it means, in a sentence.
    pub says: String,
    /// Whether the model has it.
    pub in_model: bool,
}

/// One quantity and its law.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Quantity {
    /// `ttft` in seconds or `tps` in tokens per second.
    pub name: &'static str,
    /// Values seen.
    pub seen: usize,
    /// Values of which a lower bound is known.
    pub censored: usize,
    /// How alike neighbours are; nothing of summaries.
    pub serial: Option<Serial>,
    /// The families that were tried, best first.
    pub candidates: Vec<Candidate>,
    /// The same, where only quantiles were left to fit.
    pub tables: Vec<TableFit>,
    /// The family taken; nothing for a constant.
    pub taken: Option<Family>,
    /// Why.
    pub why: String,
    /// Measured beside fitted.
    pub percentiles: Vec<Percentile>,
    /// Outliers, changes, hours.
    pub regimes: Regimes,
    /// The law.
    #[serde(skip)]
    #[schemars(skip)]
    pub params: Params,
    /// What it was fitted to; empty where only summaries were.
    #[serde(skip)]
    #[schemars(skip)]
    pub sample: Sample,
}

impl Quantity {
    /// Its name for a reader.
    pub fn title(&self) -> &'static str {
        if self.name == "ttft" { "TTFT" } else { "Decode speed" }
    }
}
