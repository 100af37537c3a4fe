//! The report of a fit: the content of `--json`, from which the terminal's text is made.

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
use super::slots::SlotsFound;

/// A fit and its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FitReport {
    /// The name of the model.
    pub name: String,
    /// The name of the measured target.
    pub target: String,
    /// The paths of the log files.
    pub files: Vec<String>,
    /// The number of requests to the target.
    pub requests: usize,
    /// The number of requests held out of the fit.
    pub held_out: usize,
    /// The fitted quantities, TTFT and decode speed, as far as they were measured.
    pub quantities: Vec<Quantity>,
    /// TTFT against input tokens, in seconds for each token that was not cached.
    pub prefill: Option<Effect>,
    /// The logarithm of decode speed against requests in flight.
    pub concurrency: Option<Effect>,
    /// The effect of load, from summaries at several loads.
    pub load: Option<LoadCurve>,
    /// The steps of load in the log.
    pub steps: Vec<Step>,
    /// The number of requests that were sent.
    pub sent: u64,
    /// The outcomes other than success, with their rates.
    pub errors: Vec<ErrorRate>,
    /// The quotas that were found.
    pub quotas: Vec<QuotaFound>,
    /// The most requests that are served at once, as far as it shows and was not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotsFound>,
    /// What refusals say about when to come back.
    pub retry_after: Option<RetryAfter>,
    /// The most requests within one minute that no quota refused; `null` if the log has no times.
    pub per_minute: Option<u32>,
    /// Remarks that a reader must know.
    pub notes: Vec<String>,
    /// What these measurements cannot determine.
    pub cannot_tell: Vec<String>,
    /// Data for the charts.
    #[serde(skip)]
    #[schemars(skip)]
    pub evidence: Evidence,
}

/// An effect on one quantity.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Effect {
    /// The slope of the effect.
    pub slope: Slope,
    /// The meaning of the slope, in a sentence.
    pub says: String,
    /// Whether the model includes the effect.
    pub in_model: bool,
}

/// One quantity and its law.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Quantity {
    /// `ttft` in seconds or `tps` in tokens per second.
    pub name: &'static str,
    /// The number of uncensored values.
    pub seen: usize,
    /// The number of right-censored values, of which only a lower bound is known.
    pub censored: usize,
    /// The autocorrelation of the values; `null` for summaries.
    pub serial: Option<Serial>,
    /// The families that were tried, best first.
    pub candidates: Vec<Candidate>,
    /// The families fitted to quantiles, where only quantiles were available.
    pub tables: Vec<TableFit>,
    /// The family that was chosen; `null` for a constant.
    pub taken: Option<Family>,
    /// The reason for the choice, in a sentence.
    pub why: String,
    /// The percentiles, measured beside fitted.
    pub percentiles: Vec<Percentile>,
    /// Outliers, changes of level and differences between hours.
    pub regimes: Regimes,
    /// The parameters of the law.
    #[serde(skip)]
    #[schemars(skip)]
    pub params: Params,
    /// Laws of the same family fitted to resampled values; empty where only summaries were available.
    #[serde(skip)]
    #[schemars(skip)]
    pub refits: Vec<Params>,
    /// The sample that was fitted; empty where only summaries were available.
    #[serde(skip)]
    #[schemars(skip)]
    pub sample: Sample,
}

impl Quantity {
    /// The title of the quantity for a reader.
    pub fn title(&self) -> &'static str {
        if self.name == "ttft" { "TTFT" } else { "Decode speed" }
    }
}
