//! The result of a run, every way it is shown: terminal, JSON, CSV, HTML.
//!
//! [`Report`] holds every figure that any of them shows, each with its interval; nothing here computes a statistic. It is
//! also the schema of `result.json`: times in seconds, money in US dollars (or the
//! experiment's currency), shares from 0 to 1. It holds no wall-clock figure, so the same experiment, seed and version give the
//! same bytes.

mod alone;
pub mod audit;
mod bill;
pub mod capacity;
#[cfg(feature = "plots")]
pub mod capacity_page;
#[cfg(feature = "plots")]
pub mod chart;
pub mod csv;
#[cfg(feature = "plots")]
mod curves;
mod dialogues;
pub mod drill;
pub mod events;
#[cfg(feature = "plots")]
pub mod figures;
pub mod format;
#[cfg(feature = "plots")]
pub mod html;
mod identities;
mod joined;
pub mod json;
mod leading;
pub mod markdown;
pub mod optimum;
#[cfg(feature = "plots")]
pub mod optimum_page;
mod outside;
pub mod repeated;
mod response_cache;
pub mod risk;
#[cfg(feature = "plots")]
pub mod risk_page;
mod scorecard;
pub mod story;
pub mod sweep;
#[cfg(feature = "plots")]
pub mod sweep_page;
pub mod table;
pub mod terminal;
pub mod text;
pub mod write;

#[cfg(test)]
pub(crate) mod sample;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alone::{Alone, Between, Missed};
pub(crate) use alone::{stretch, stretches};
pub use bill::{Bill, BillRow, Billed, PurposeRow};
pub use identities::{IdentityReport, IdentityRow};
pub use joined::Joined;
pub(crate) use leading::cost_of_1k;
pub use outside::{Asked, Outside};
pub(crate) use response_cache::warning as cache_warning;
pub use response_cache::{AgeReport, CacheReport, OF_HITS};
pub use scorecard::{Goal, Judged, Judgement, Scorecard, Scored};

use crate::stats::compare::Verdict;
use crate::stats::interval::{Estimate, nan_if_null};
use crate::words::metric::Standard;
use crate::words::{BoundKind, EffortKind, Outcome, Start};
pub use crate::words::{Code, Input, Metric, ModelNote, Standing, Unit};

/// How the warning begins that the estimates of times are of the requests that were answered. Tables show those of all, and words that
/// fit them.
pub const OF_SURVIVORS: &str =
    "times are of the requests that were answered; over all, with those that never were taking for ever";

/// What tables say of their percentiles where some request never got its answer.
pub(crate) const OVER_ALL: &str = "Percentiles are of all requests: one that never got its answer takes for ever.";

/// Everything a run has to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Report {
    /// The format of this file and its version: `simcap.result/2`.
    pub format: String,
    /// The version of simcap that made it.
    pub version: String,
    /// The experiment's name.
    pub experiment: String,
    /// What the experiment is about, in its own words.
    pub about: String,
    /// The files that the result was made from.
    pub inputs: Vec<Input>,
    /// The experiment as it was run: its file, with what the command line set in it; absent in a result of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<serde_json::Value>,
    /// The seed that every draw of the run is made from.
    pub seed: u64,
    /// Replications asked for.
    pub replications_planned: u64,
    /// Replications finished; fewer than planned if the run was interrupted.
    pub replications_finished: u64,
    /// The confidence level of every interval.
    pub confidence: f64,
    /// Simulated seconds before counting starts.
    pub warmup: f64,
    /// How replications start, and where the length of their warm-up comes from.
    #[serde(default)]
    pub start: Start,
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
    /// What intervals hold beside chance, in sentences: how far the models' own parameters are known. Absent where no model tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncertain: Vec<String>,
    /// What is not modelled and would change the figures, in clauses.
    pub assumptions: Vec<String>,
    /// Where the provider models come from, and how far they are to be trusted.
    pub models: Vec<ModelNote>,
    /// Where policies ask providers for more than their models were fitted on; absent where none does, or no model says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<Outside>,
    /// What is scheduled to go wrong at providers, in order of time; absent where nothing is, or in a result of an earlier version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheduled: Vec<Scheduled>,
    /// One entry for each policy, in the experiment's order; the first is the baseline of every comparison.
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
    /// How every policy stands on every objective, and what follows.
    #[serde(default)]
    pub scorecard: Scorecard,
    /// What two results on one page have to do with each other; of a report of one it is not there, and no file has it.
    #[serde(skip)]
    pub joined: Option<Joined>,
}

/// The policies in order of one figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Ranking {
    /// The metric that the policies are ordered by.
    pub metric: Metric,
    /// The policies, the best first; those that lack the figure last.
    pub rows: Vec<Ranked>,
}

/// One policy in a ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Ranked {
    /// The name of the policy.
    pub policy: String,
    /// The figure of this policy less that of the first in the ranking, replication by replication. The intervals of
    /// all rows together have the report's confidence.
    pub behind: Estimate,
    /// Whether the runs cannot tell this policy from the first in the ranking.
    pub may_be_best: bool,
}

/// The currency that a report's money is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Currency {
    /// The code of the currency: three capital letters.
    pub code: Code,
    /// Units of the currency for one US dollar.
    pub per_dollar: f64,
    /// Units of the currency that a provider takes for one dollar of its prices, by provider; only where that differs
    /// from `per_dollar`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub billed_at: Vec<(String, f64)>,
    /// What providers' own rates of exchange do to the comparisons, where some provider has one.
    pub exchange: Vec<Exchange>,
}

/// How much of a difference in cost is exchange rate alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Exchange {
    /// The name of the policy.
    pub policy: String,
    /// The name of the policy that it is compared with.
    pub baseline: String,
    /// The policy's monthly cost less the baseline's, in the report's currency.
    pub difference: f64,
    /// The policy's monthly cost less the baseline's if every provider took `per_dollar` units for a dollar of its
    /// prices.
    pub at_one_rate: f64,
    /// `difference` as a share of the baseline's cost; absent if that cost is 0.
    pub relative: Option<f64>,
    /// `at_one_rate` as a share of the baseline's cost at that rate; absent if that cost is 0.
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

    /// What was scheduled to go wrong; of a result of an earlier version its outages.
    #[cfg(feature = "plots")]
    pub(crate) fn stretches(&self) -> Vec<Scheduled> {
        let outages = || {
            let first = self.policies.first().into_iter();
            let incidents = first.flat_map(|policy| &policy.incidents);
            incidents.map(|incident| Scheduled {
                provider: incident.provider.clone(),
                what: "outage".into(),
                from: incident.from,
                until: incident.until,
            })
        };
        if self.scheduled.is_empty() {
            outages().collect()
        } else {
            self.scheduled.clone()
        }
    }

    /// The warnings as they stand beside tables, whose percentiles are over all requests.
    pub(crate) fn told(&self) -> impl Iterator<Item = String> {
        const TOLD: &str = "percentiles count requests that were never answered";
        let told = |warning: &String| match warning.split_once(OF_SURVIVORS) {
            Some((of, figures)) => {
                let figures = figures.replace(" never instead of ", " \"never\" instead of ");
                // Of two results the one that it is said of stands before it.
                format!(
                    "{of}{TOLD}{}",
                    figures.replace(" instead of ", ", although the answered ones took ")
                )
            }
            None => warning.clone(),
        };
        self.warnings.iter().map(told)
    }

    /// Whether an objective is asked of the policy of that name; others are held against it all the same.
    pub(crate) fn asks(&self, policy: &str, goal: &Goal) -> bool {
        let mut of_policy = self.objectives.iter().filter(|judgement| judgement.policy == policy);
        of_policy.any(|judgement| judgement.goal() == *goal)
    }

    /// Whether a metric is neither nothing nor zero under every policy, and so worth a column.
    pub fn says(&self, metric: &Metric) -> bool {
        let mut values = self.policies.iter().map(|policy| shown(policy, metric).0.value);
        self.policies.is_empty() || values.any(|value| !value.is_nan() && value != 0.0)
    }

    /// The metrics that the experiment asks for and the tables of the standard ones lack, in order. `shows` says of a standard
    /// metric whether the table in question has it.
    pub fn further(&self, shows: impl Fn(&Standard) -> bool) -> Vec<&Metric> {
        let all = self.policies.first().into_iter().flat_map(|policy| &policy.metrics);
        all.map(|measured| &measured.metric)
            .filter(|metric| match metric.as_standard() {
                Some(_) if **metric == Metric::COST_PER_1K_ANSWERS => cost_of_1k(self.policies.iter()) == **metric,
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
    /// The name of the policy in the experiment.
    pub name: String,
    /// The kind of policy, as `simcap policies` lists it.
    pub kind: String,
    /// Requests that were counted, summed over all replications.
    pub requests: u64,
    /// Attempts made for the requests counted, summed over all replications.
    pub attempts: u64,
    /// The metrics: those that every report has, in the order of [`Metric::standard`], then those that the experiment asks for.
    pub metrics: Vec<Measured>,
    /// The share of requests that ended each way; only those that occurred.
    pub outcomes: Vec<OutcomeShare>,
    /// The figures of each provider under this policy.
    pub providers: Vec<ProviderReport>,
    /// The figures of each class of requests under this policy.
    pub classes: Vec<ClassReport>,
    /// What the policy costs a month, by class and by provider. Both add up to all that it is billed.
    #[serde(default)]
    pub bill: Bill,
    /// The limits that were ever reached, the most binding first.
    pub bounds: Vec<BoundReport>,
    /// How much was used of each quota that anything was charged to, the most used first; absent if there is none, or in a result of an
    /// earlier version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaReport>,
    /// The watched shares of the client's budgets, and when each was passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<AlertReport>,
    /// The milestones of the policy, such as stages of a roll-out; absent if the policy has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<MilestoneReport>,
    /// What limits for each user, class, key or tag did to them; absent if the policy's client has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityReport>,
    /// What each scheduled outage did, in order of providers; absent if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<IncidentReport>,
    /// What the client did beyond one attempt for each request; only what occurred. Attempts for each request are among the
    /// figures of merit.
    #[serde(default)]
    pub effort: Vec<EffortReport>,
    /// What the gateway's response cache did; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_cache: Option<CacheReport>,
    /// The quality under other correlations of answers to one request than the experiment's; absent where it hangs on none, because no
    /// answer was turned down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supposed: Vec<SupposedReport>,
    /// What single replications are like, for the figures that tables begin with and those that objectives bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<Alone>,
    /// How often single replications miss the objectives that are asked of the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Missed>,
    /// Whether the run settled, and if not, why it is thought so.
    pub steady: Steady,
    /// Distribution functions of times, over the requests of all replications.
    pub curves: Curves,
    /// The course of the run in bins of time, averaged over replications.
    pub series: Vec<Moment>,
}

/// The quality under a correlation of answers to one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SupposedReport {
    /// The correlation, from 0 (independent answers) to 1 (the better model is right wherever the worse one is).
    pub correlation: f64,
    /// Mean probability that an answer is a good one under that correlation, from 0 to 1.
    pub quality: Estimate,
}

/// A figure of merit and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Measured {
    /// The metric that was measured.
    pub metric: Metric,
    /// The value of the metric over all replications together, and its confidence interval. A latency is that of the requests that
    /// have one.
    pub estimate: Estimate,
    /// The percentile over all requests, where one that never got the answer that it was owed takes for ever; absent where every
    /// request got it, and for what is not a percentile of a latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_all: Option<Estimate>,
    /// What the interval is made of, that of `of_all` where there is one, where a model tells how far its parameters are known and that
    /// is seen in the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartsOfError>,
    /// What each replication adds to the figure's error, on any scale: what a comparison with another result of the same seed and
    /// traffic is paired by. Empty where that cannot be told, or in a result of an earlier version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residuals: Vec<f32>,
    /// Why the metric has no value or no interval, what its interval hangs on, or what it leaves out of a month; absent if there is nothing to say.
    pub note: Option<String>,
    /// Whether replications agree in the figure because all replay the same rows of a trace: its interval, which is as wide as nothing, then
    /// says nothing of other traffic, and is not shown. Absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

/// How far the two parts of an interval reach from the figure, to the farther side, in the metric's unit. The whole is the root of the
/// sum of their squares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PartsOfError {
    /// What chance does in a run: less with more replications.
    pub run: f64,
    /// What the measurements leave open that the models were fitted to: less with more of those.
    pub models: f64,
}

/// How often requests ended one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OutcomeShare {
    /// The outcome that requests ended with.
    pub outcome: Outcome,
    /// Share of all requests that ended with this outcome, from 0 to 1.
    pub share: Estimate,
}

/// One provider under one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ProviderReport {
    /// The name of the provider in the experiment.
    pub name: String,
    /// Share of all successful requests that this provider answered, from 0 to 1.
    pub served: Estimate,
    /// Share of all cost that this provider billed, reserved capacity included, from 0 to 1.
    pub cost: Estimate,
    /// Share of the attempts at this provider that failed, from 0 to 1.
    pub failed: Estimate,
    /// Mean number of attempts in flight at this provider.
    pub in_flight: Estimate,
    /// Share of the input tokens billed that came from the provider's prompt cache; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<Estimate>,
    /// How often the provider's breaker opened in one replication.
    pub trips: Estimate,
}

impl ProviderReport {
    /// Whether it got any attempt in the counted time, or cost something without.
    pub fn used(&self) -> bool {
        self.failed.n > 0 || self.in_flight.value > 0.0 || self.cost.value > 0.0
    }
}

/// One class under one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ClassReport {
    /// The name of the class in the experiment.
    pub name: String,
    /// Share of all requests that are of this class, from 0 to 1.
    pub share: Estimate,
    /// 95th percentile of time to first token of the requests that have one, in seconds.
    pub ttft_p95: Estimate,
    /// 95th percentile of time to first token over all requests of this class, where one that never got the answer that it was owed takes
    /// for ever, in seconds; absent where every request got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_p95_of_all: Option<Estimate>,
    /// 95th percentile of time to last token of the requests that have one, in seconds.
    pub e2e_p95: Estimate,
    /// 95th percentile of time to last token over all requests of this class, where one that never got the answer that it was owed takes
    /// for ever, in seconds; absent where every request got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e_p95_of_all: Option<Estimate>,
    /// Share of the requests of this class that did not succeed, from 0 to 1.
    pub error_rate: Estimate,
    /// Cost of the attempts at 1,000 requests of this class. Reserved capacity belongs to no class and is left out.
    pub cost_per_1k: Estimate,
    /// Mean probability that an answer of this class is a good one, from 0 to 1.
    pub quality: Estimate,
}

impl ClassReport {
    /// The metrics that are reported of a class, each with its figure as tables show it: a percentile is over all requests.
    pub fn metrics(&self) -> [(Metric, &Estimate); 5] {
        [
            (
                Metric::TTFT_P95,
                self.ttft_p95_of_all.as_ref().unwrap_or(&self.ttft_p95),
            ),
            (Metric::E2E_P95, self.e2e_p95_of_all.as_ref().unwrap_or(&self.e2e_p95)),
            (Metric::ERROR_RATE, &self.error_rate),
            (Metric::COST_PER_1K, &self.cost_per_1k),
            (Metric::QUALITY, &self.quality),
        ]
    }

    /// Of `metric` the figure of the requests that were answered, where [`metrics`](Self::metrics) has another.
    pub(crate) fn of_answered(&self, metric: &Metric) -> Option<&Estimate> {
        let percentiles = [
            (Metric::TTFT_P95, &self.ttft_p95, self.ttft_p95_of_all),
            (Metric::E2E_P95, &self.e2e_p95, self.e2e_p95_of_all),
        ];
        let found = percentiles
            .into_iter()
            .find(|(known, _, of_all)| known == metric && of_all.is_some());
        found.map(|(_, answered, _)| answered)
    }
}

/// A limit that was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BoundReport {
    /// The kind of limit that was reached.
    pub what: BoundKind,
    /// The provider that the limit belongs to; absent for limits of the client.
    pub provider: Option<String>,
    /// The value of the limit, where it is a number.
    pub limit: Option<u64>,
    /// The limit in words, where that says which one it is: the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<String>,
    /// Share of the counted time in which the limit was reached, from 0 to 1.
    pub share: Estimate,
}

/// How much of a quota was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct QuotaReport {
    /// The provider that the quota belongs to; absent for one of an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The account that the quota belongs to; absent for one of a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The quota in words, such as "12,000 input tokens a minute".
    pub quota: String,
    /// Mean use over the counted time, as a share of what the quota has room for in the long run, from 0 to 1; a burst may make it
    /// more.
    pub used: Estimate,
}

impl QuotaReport {
    /// The provider or account, and the quota.
    pub fn title(&self) -> String {
        let of = self.provider.as_ref().or(self.account.as_ref());
        of.map(|of| format!("{of}: ")).unwrap_or_default() + &self.quota
    }
}

/// A share of a budget that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AlertReport {
    /// The budget, in words.
    pub budget: String,
    /// The watched share of the budget, from 0 to 1.
    pub share: f64,
    /// Replications in which the share was passed.
    pub passed: u64,
    /// Seconds from the start of counting until the share was first passed, over the replications in which it was.
    pub at: Estimate,
}

/// Something that a policy passes on its way: a stage of a roll-out, a roll-back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MilestoneReport {
    /// The milestone, in words.
    pub what: String,
    /// Replications in which the milestone was passed.
    pub passed: u64,
    /// Seconds from the start of counting until the milestone was first passed, over the replications in which it was.
    pub at: Estimate,
}

/// Something that is scheduled to go wrong at a provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Scheduled {
    /// The provider that it happens to.
    pub provider: String,
    /// What it is, in a few words without an article: "outage", "slow-down", "70 % rate limited".
    pub what: String,
    /// When it begins, in seconds from the start of counting.
    pub from: f64,
    /// When it ends, in seconds from the start of counting.
    pub until: f64,
}

/// What a scheduled outage did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct IncidentReport {
    /// The provider that the outage was scheduled for.
    pub provider: String,
    /// When the outage began, in seconds from the start of counting.
    pub from: f64,
    /// When the outage ended, in seconds from the start of counting.
    pub until: f64,
    /// Share of replications in which the provider's breaker kept calls out at some time during the outage.
    pub ejected: Estimate,
    /// Seconds from the start of the outage until the breaker first kept calls out, over the replications in which it
    /// did; no mean where it never did.
    pub time_to_eject: Estimate,
    /// Failed attempts at the provider that were sent during the outage before the breaker kept calls out; during the
    /// whole outage where it never did.
    pub leaked: Estimate,
    /// Share of the requests ending during the outage that failed, at whatever provider, from 0 to 1.
    pub error_rate: Estimate,
    /// Share of replications in which the system recovered: at some moment after the end of the outage, while arrivals
    /// lasted, at most 10 of the last 100 requests that had ended, at whatever provider, had failed.
    pub recovered: Estimate,
    /// Seconds from the end of the outage until the system had recovered, over the replications in which it did; no
    /// mean where it never did.
    pub time_to_recover: Estimate,
    /// Seconds from the end of the outage until the provider first answered what was sent after it, over the replications in which it
    /// did; absent in a result of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_return: Option<Estimate>,
}

impl IncidentReport {
    /// Whether what comes after it is seen, where so many seconds are counted.
    pub(crate) fn is_over(&self, counted: f64) -> bool {
        self.until < counted
    }

    /// The time until its provider was taken back; nothing where that is not seen, or where it was never left out.
    pub(crate) fn taken_back(&self, counted: f64) -> Option<&Estimate> {
        let was_left_out = self.time_to_eject.n > 0;
        self.time_to_return
            .as_ref()
            .filter(|_| was_left_out && self.is_over(counted))
    }
}

/// What the client did beyond one attempt for each request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct EffortReport {
    /// The kind of work that the client did.
    pub what: EffortKind,
    /// Times per 1,000 requests.
    pub per_1k: Estimate,
}

/// Whether a run settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Steady {
    /// Whether the run settled, as far as one can tell.
    pub settled: bool,
    /// The evidence for the verdict, in a sentence.
    pub why: String,
}

/// Distribution functions: points (seconds, share of requests at or below), from the pooled replications.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Curves {
    /// Distribution of the time to first token.
    #[serde(deserialize_with = "json::points")]
    #[schemars(with = "Vec<(Option<f64>, Option<f64>)>")]
    pub ttft: Vec<(f64, f64)>,
    /// Distribution of the time to last token.
    #[serde(deserialize_with = "json::points")]
    #[schemars(with = "Vec<(Option<f64>, Option<f64>)>")]
    pub e2e: Vec<(f64, f64)>,
    /// Distribution of the wait in the client before an attempt is sent.
    #[serde(deserialize_with = "json::points")]
    #[schemars(with = "Vec<(Option<f64>, Option<f64>)>")]
    pub wait: Vec<(f64, f64)>,
}

/// One bin of the counted time, averaged over replications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Moment {
    /// The end of the bin, in seconds from the start of counting.
    pub until: f64,
    /// Requests that arrived per second.
    #[serde(deserialize_with = "nan_if_null")]
    #[schemars(with = "Option<f64>")]
    pub arrivals: f64,
    /// Share of the requests ending in the bin that failed, from 0 to 1; absent if none ended.
    pub error_rate: Option<f64>,
    /// Attempts per second that were refused as `rate_limited` in the bin, mirrored copies included; absent in a result of an
    /// earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited: Option<f64>,
    /// Mean time from arrival to end of the successes that ended in the bin, in seconds; absent if none ended.
    pub e2e: Option<f64>,
    /// Requests in the system at the end of the bin.
    #[serde(deserialize_with = "nan_if_null")]
    #[schemars(with = "Option<f64>")]
    pub in_system: f64,
    /// Attempts sent to each provider per second, those that it refused included, in the order of `providers`.
    #[serde(deserialize_with = "json::numbers")]
    #[schemars(with = "Vec<Option<f64>>")]
    pub sent: Vec<f64>,
}

/// A policy against the first one, replication by replication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Comparison {
    /// The name of the policy.
    pub policy: String,
    /// The name of the policy that it is compared with.
    pub baseline: String,
    /// The differences, in the order of [`PolicyReport::metrics`].
    pub differences: Vec<Difference>,
    /// A sentence that says which policy is better at what, or that the runs cannot tell.
    pub sentence: String,
}

/// One figure's difference: this policy less the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Difference {
    /// The metric that the difference is of.
    pub metric: Metric,
    /// The difference, and its interval. Of a percentile it is over all requests, one that never got its answer taking for ever.
    pub difference: Estimate,
    /// The difference as a share of the baseline's figure; absent if that figure is 0, or a share below 1 %.
    pub relative: Option<f64>,
    /// Whether the figure is lower or higher than the baseline's, the same, or not to be told apart, all comparisons of the report
    /// taken together.
    pub verdict: Verdict,
    /// Whether the difference is at least as large as the smallest that matters (`matters` in the plan).
    #[serde(default = "yes")]
    pub matters: bool,
}

impl Measured {
    /// The estimate, without an interval that says nothing.
    pub(crate) fn telling(&self) -> Estimate {
        match self.replayed {
            true => Estimate {
                lo: None,
                hi: None,
                ..self.estimate
            },
            false => self.estimate,
        }
    }
}

impl PolicyReport {
    /// Whether requests that never got their answer make some percentile over all another than that of the answered.
    pub(crate) fn is_over_all(&self) -> bool {
        self.metrics.iter().any(|measured| measured.of_all.is_some())
    }
}

/// A policy's figure as tables and plots show it, and what is noted of it: a percentile is over all requests, one that never got its
/// answer taking for ever. It does not exist if the report lacks it.
pub(crate) fn shown<'a>(policy: &'a PolicyReport, metric: &Metric) -> (Estimate, Option<&'a str>) {
    let found = policy.metrics.iter().find(|measured| measured.metric == *metric);
    match found.map(|measured| (measured, measured.of_all)) {
        // The note is of the figure of the answered.
        Some((_, Some(of_all))) => (of_all, None),
        Some((measured, None)) => (measured.telling(), measured.note.as_deref()),
        None => (Estimate::NONE, None),
    }
}

/// A policy's figure as [`shown`] has it, if the report has one.
#[cfg(feature = "plots")]
pub(crate) fn measured<'a>(policy: &'a PolicyReport, metric: &Metric) -> Option<(Estimate, Option<&'a str>)> {
    let has = policy.metrics.iter().any(|measured| measured.metric == *metric);
    has.then(|| shown(policy, metric))
}

/// A policy's figure, of times that of the requests that were answered; one that does not exist if the report lacks it, never that of
/// another metric.
pub(crate) fn estimate(policy: &PolicyReport, metric: &Metric) -> Estimate {
    let found = policy.metrics.iter().find(|measured| measured.metric == *metric);
    found.map_or(Estimate::NONE, |measured| measured.estimate)
}

fn yes() -> bool {
    true
}
