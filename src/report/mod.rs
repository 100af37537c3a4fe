//! The result of a run, every way it is shown: terminal, JSON, CSV, HTML.
//!
//! [`Report`] holds every figure that any of them shows, each with its interval; nothing here computes a statistic. It is
//! also the schema of `result.json`: times in seconds, money in US dollars (or the
//! experiment's currency), shares from 0 to 1. It holds no wall-clock
//! figure, so the same experiment, seed and version give the same bytes.

#[cfg(feature = "plots")]
pub mod chart;
pub mod csv;
#[cfg(feature = "plots")]
pub mod figures;
pub mod format;
#[cfg(feature = "plots")]
pub mod html;
pub mod json;
pub mod table;
pub mod terminal;
pub mod text;
pub mod write;

#[cfg(test)]
mod sample;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::compare::Verdict;
use crate::stats::interval::{Estimate, nan_if_null};
use crate::words::metric::Standard;
use crate::words::{BoundKind, EffortKind, Outcome};
pub use crate::words::{Code, Input, Metric, ModelNote, Standing, Unit};

/// Everything a run has to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Report {
    /// What this file is: `simcap.result/1`.
    pub format: String,
    /// The version of simcap that made it.
    pub version: String,
    /// The experiment's name.
    pub experiment: String,
    /// What it is about, in its own words.
    pub about: String,
    /// The files it was made from.
    pub inputs: Vec<Input>,
    /// The seed.
    pub seed: u64,
    /// Replications asked for.
    pub replications_planned: u64,
    /// Replications finished; fewer than planned if the run was interrupted.
    pub replications_finished: u64,
    /// The confidence level of every interval.
    pub confidence: f64,
    /// Simulated seconds before counting starts.
    pub warmup: f64,
    /// Simulated seconds that are counted, in one replication.
    pub counted: f64,
    /// Days in the month that monthly cost is scaled to.
    pub month_days: f64,
    /// The currency of all money, if it is not the dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// What the reader must know before using any figure: an interrupted run, a system that never settles, too few
    /// samples for a percentile.
    pub warnings: Vec<String>,
    /// Where the provider models come from, and how far they are to be trusted.
    pub models: Vec<ModelNote>,
    /// One entry a policy, in the experiment's order; the first is the baseline of every comparison.
    pub policies: Vec<PolicyReport>,
    /// Each further policy against the first.
    pub comparisons: Vec<Comparison>,
    /// The policies in order of one figure, if the experiment asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
    /// The metrics that the plan asks for by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Metric>,
    /// The experiment's objectives, judged.
    pub objectives: Vec<Judgement>,
}

/// The policies in order of one figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Ranking {
    /// The figure.
    pub metric: Metric,
    /// The best first; those that lack the figure last.
    pub rows: Vec<Ranked>,
}

/// One policy in a ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Ranked {
    /// The policy.
    pub policy: String,
    /// Its figure less that of the first, replication by replication. The intervals of all rows together have the report's
    /// confidence.
    pub behind: Estimate,
    /// Whether it cannot be told from the first.
    pub may_be_best: bool,
}

/// The currency that a report's money is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Currency {
    /// Its code.
    pub code: Code,
    /// Units of it for one dollar.
    pub per_dollar: f64,
    /// Units of it that a provider takes for one dollar of its prices, where that is another number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub billed_at: Vec<(String, f64)>,
    /// What providers' own rates of exchange do to the comparisons, where some provider has one.
    pub exchange: Vec<Exchange>,
}

/// How much of a difference in cost is exchange rate alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Exchange {
    /// The policy.
    pub policy: String,
    /// The policy that it is compared with.
    pub baseline: String,
    /// The policy's cost less the baseline's, a month.
    pub difference: f64,
    /// The same if every provider took `per_dollar` for a dollar of its prices.
    pub at_one_rate: f64,
    /// Both as shares of the baseline's cost; absent if that is 0.
    pub relative: Option<f64>,
    /// See `relative`.
    pub relative_at_one_rate: Option<f64>,
}

impl Report {
    /// The rates of exchange in words, if its currency is not the dollar.
    pub fn rates(&self) -> Option<String> {
        let currency = self.currency.as_ref()?;
        let one = |rate: f64| format!("$1 = {rate} {}", currency.code);
        let own = currency
            .billed_at
            .iter()
            .map(|(name, rate)| format!("{name}: {}", one(*rate)));
        Some(
            std::iter::once(one(currency.per_dollar))
                .chain(own)
                .collect::<Vec<_>>()
                .join(", "),
        )
    }

    /// The metrics that the experiment asks for and the tables of the standard ones lack, in order. `shows` says of a standard
    /// metric whether the table in question has it.
    pub fn further(&self, shows: impl Fn(&Standard) -> bool) -> Vec<&Metric> {
        let all = self.policies.first().into_iter().flat_map(|policy| &policy.metrics);
        all.map(|measured| &measured.metric)
            .filter(|metric| match metric.as_standard() {
                Some(standard) => !shows(standard) && self.asked.contains(metric),
                None => true,
            })
            .collect()
    }

    /// The code of its currency, if it is not the dollar.
    pub fn code(&self) -> Option<Code> {
        self.currency.as_ref().map(|currency| currency.code)
    }
}

/// One policy's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PolicyReport {
    /// Its name in the experiment.
    pub name: String,
    /// Which policy it is.
    pub kind: String,
    /// Requests counted, over all replications.
    pub requests: u64,
    /// Attempts made for them.
    pub attempts: u64,
    /// The metrics: those that every report has, in the order of [`Metric::standard`], then those that the experiment asks for.
    pub metrics: Vec<Measured>,
    /// The share of requests that ended each way; only those that occurred.
    pub outcomes: Vec<OutcomeShare>,
    /// By provider.
    pub providers: Vec<ProviderReport>,
    /// By class.
    pub classes: Vec<ClassReport>,
    /// What was at its bound, the most binding first; only those that ever were.
    pub bounds: Vec<BoundReport>,
    /// The watched shares of the client's budgets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<AlertReport>,
    /// What the policy passed on its way; absent if it passes nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<MilestoneReport>,
    /// What each scheduled outage did, in order of providers; absent if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<IncidentReport>,
    /// What the client did beyond one attempt for each request; only what occurred. Attempts for each request are among the
    /// figures of merit.
    #[serde(default)]
    pub effort: Vec<EffortReport>,
    /// Whether the run settled, and if not, why it is thought so.
    pub steady: Steady,
    /// Distribution functions of the pooled requests.
    pub curves: Curves,
    /// Over time, averaged over replications.
    pub series: Vec<Moment>,
}

/// A figure of merit and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Measured {
    /// Which.
    pub metric: Metric,
    /// Its mean over replications, and the interval.
    pub estimate: Estimate,
    /// Why it has no value or no interval, if it has none.
    pub note: Option<String>,
}

/// How often requests ended one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OutcomeShare {
    /// Which way.
    pub outcome: Outcome,
    /// Share of requests.
    pub share: Estimate,
}

/// One provider under one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ProviderReport {
    /// Its name.
    pub name: String,
    /// Its share of all successful requests.
    pub served: Estimate,
    /// Its share of all cost, reserved capacity included.
    pub cost: Estimate,
    /// Share of its attempts that failed.
    pub failed: Estimate,
    /// Mean attempts under way.
    pub in_flight: Estimate,
    /// Share of the input tokens billed that came from its prompt cache, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<Estimate>,
    /// How often its breaker opened, in one replication.
    pub trips: Estimate,
}

impl ProviderReport {
    /// Whether it got any attempt in the counted time, or cost something without.
    pub fn used(&self) -> bool {
        self.failed.n > 0 || self.in_flight.mean > 0.0 || self.cost.mean > 0.0
    }
}

/// One class under one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ClassReport {
    /// Its name.
    pub name: String,
    /// Its share of all requests.
    pub share: Estimate,
    /// 95th percentile of time to first token, in seconds.
    pub ttft_p95: Estimate,
    /// 95th percentile of time to last token, in seconds.
    pub e2e_p95: Estimate,
    /// Share that did not succeed.
    pub error_rate: Estimate,
    /// Dollars for the attempts at 1,000 of them. Reserved capacity is no class's.
    pub cost_per_1k: Estimate,
    /// Mean probability that an answer given is a good one.
    pub quality: Estimate,
}

impl ClassReport {
    /// Its metrics, each with its figure.
    pub fn metrics(&self) -> [(Metric, &Estimate); 5] {
        [
            (Metric::TTFT_P95, &self.ttft_p95),
            (Metric::E2E_P95, &self.e2e_p95),
            (Metric::ERROR_RATE, &self.error_rate),
            (Metric::COST_PER_1K, &self.cost_per_1k),
            (Metric::QUALITY, &self.quality),
        ]
    }
}

/// Something that was at its bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BoundReport {
    /// What.
    pub what: BoundKind,
    /// Whose, for those that a provider has.
    pub provider: Option<String>,
    /// The limit, where it is a number.
    pub limit: Option<u64>,
    /// Share of the counted time that it was at its bound.
    pub share: Estimate,
}

/// A share of a budget that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AlertReport {
    /// The budget, in words.
    pub budget: String,
    /// The share of it, from 0 to 1.
    pub share: f64,
    /// Replications in which it was passed.
    pub passed: u64,
    /// Seconds from the start of the replication until it first was, over those in which it was.
    pub at: Estimate,
}

/// Something that a policy passes on its way: a stage of a roll-out, a roll-back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MilestoneReport {
    /// What.
    pub what: String,
    /// Replications in which it was passed.
    pub passed: u64,
    /// Seconds from the start of the replication until it first was, over those in which it was.
    pub at: Estimate,
}

/// What a scheduled outage did, over the whole of a replication, warm-up included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct IncidentReport {
    /// Whose.
    pub provider: String,
    /// When it began, in seconds from the start of the replication.
    pub from: f64,
    /// When it ended.
    pub until: f64,
    /// Share of replications in which the provider's breaker kept calls out at some time in it.
    pub ejected: Estimate,
    /// Seconds from its start until then, of those replications; no mean where it never did.
    pub time_to_eject: Estimate,
    /// Failed attempts at the provider that were sent in it before that; in the whole of it where that never happened.
    pub leaked: Estimate,
    /// Share of the requests ending while it lasted that failed, at whatever provider.
    pub error_rate: Estimate,
    /// Share of replications in which the system was well again: at some moment from its end on, while arrivals lasted, at most 10
    /// of the last 100 requests that had ended, at whatever provider, had failed.
    pub recovered: Estimate,
    /// Seconds from its end to the first such moment, of those replications; no mean where there never was one.
    pub time_to_recover: Estimate,
}

/// What the client did beyond one attempt for each request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct EffortReport {
    /// What.
    pub what: EffortKind,
    /// How often for 1,000 requests. What a budget denied is of the whole replication, warm-up included.
    pub per_1k: Estimate,
}

/// Whether a run settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Steady {
    /// Whether it did, as far as one can tell.
    pub settled: bool,
    /// What the verdict rests on, in a sentence.
    pub why: String,
}

/// Distribution functions: points (seconds, share of requests at or below), from the pooled replications.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Curves {
    /// Time to first token.
    #[serde(deserialize_with = "json::points")]
    #[schemars(with = "Vec<(Option<f64>, Option<f64>)>")]
    pub ttft: Vec<(f64, f64)>,
    /// Time to last token.
    #[serde(deserialize_with = "json::points")]
    #[schemars(with = "Vec<(Option<f64>, Option<f64>)>")]
    pub e2e: Vec<(f64, f64)>,
    /// Wait in the client.
    #[serde(deserialize_with = "json::points")]
    #[schemars(with = "Vec<(Option<f64>, Option<f64>)>")]
    pub wait: Vec<(f64, f64)>,
}

/// One bin of time, averaged over replications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Moment {
    /// Its end, in seconds.
    pub until: f64,
    /// Arrivals a second.
    #[serde(deserialize_with = "nan_if_null")]
    #[schemars(with = "Option<f64>")]
    pub arrivals: f64,
    /// Share of the requests ending in it that failed; absent if none ended.
    pub error_rate: Option<f64>,
    /// Mean time from arrival to end of the successes that ended in it, in seconds; absent if none ended.
    pub e2e: Option<f64>,
    /// Requests in the system at its end.
    #[serde(deserialize_with = "nan_if_null")]
    #[schemars(with = "Option<f64>")]
    pub in_system: f64,
    /// Attempts a second sent to each provider, in the order of `providers`.
    #[serde(deserialize_with = "json::numbers")]
    #[schemars(with = "Vec<Option<f64>>")]
    pub sent: Vec<f64>,
}

/// A policy against the first one, replication by replication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Comparison {
    /// The policy.
    pub policy: String,
    /// The policy that it is compared with.
    pub baseline: String,
    /// The differences, in the order of [`PolicyReport::metrics`].
    pub differences: Vec<Difference>,
    /// Which is better at what, or that the runs cannot tell.
    pub sentence: String,
}

/// One figure's difference: this policy less the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Difference {
    /// Which figure.
    pub metric: Metric,
    /// The mean of the paired differences, and the interval.
    pub difference: Estimate,
    /// As a share of the baseline's mean, if that is not 0.
    pub relative: Option<f64>,
    /// What the interval says.
    pub verdict: Verdict,
}

/// An objective and whether a policy meets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Judgement {
    /// The policy.
    pub policy: String,
    /// The figure.
    pub metric: Metric,
    /// The bound, in the figure's unit.
    pub bound: f64,
    /// Whether the figure must stay below the bound (or above it).
    pub at_most: bool,
    /// The figure.
    pub estimate: Estimate,
    /// Pass, fail or undecided.
    pub judged: Judged,
}

/// What an interval says of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Judged {
    /// The whole interval keeps to the bound.
    Pass,
    /// The whole interval breaks it.
    Fail,
    /// The interval reaches over it, or there is none.
    Undecided,
}

/// A policy's figure; one that does not exist if the report lacks it, never that of another metric.
pub(crate) fn estimate(policy: &PolicyReport, metric: &Metric) -> Estimate {
    let found = policy.metrics.iter().find(|measured| measured.metric == *metric);
    found.map_or(
        Estimate {
            mean: f64::NAN,
            half_width: None,
            n: 0,
            undefined: 0,
        },
        |measured| measured.estimate,
    )
}
