//! How an experiment is run and measured: its plan, the windows and metrics that it asks for, and what must hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::bound::Target;
use crate::form::named::Named;
use crate::form::units::{Count, Duration, Fraction, Precision, WeekTime};
use crate::words::Metric;

/// An objective: a bound on a metric that must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["at_most"] }, { "required": ["at_least"] }]))]
pub struct ObjectiveSpec {
    /// The metric that is judged. An upper bound on a time of all requests, of a class or of a tag also bounds their goodput: a
    /// success counts as good if it keeps to the loosest such bound on each time, of each scope that it is in. One of a provider
    /// or a window does not.
    pub metric: Metric,
    /// The upper bound of the metric: "2s", "1%", "$20k", "900/s" or a number, as the metric is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Target>,
    /// The lower bound of the metric, written as for `at_most`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Target>,
    /// The names of the policies that it is asked of. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<String>>,
}

/// How to run an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanSpec {
    /// Simulated time that is counted in each replication. May be left out with a replayed trace that does not loop: as long as that
    /// is. All times of an experiment (of windows, budgets, scheduled faults, rollouts, the time of day) begin at 0 with this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Simulated time that passes before it, so that queues, caches and policies are as they are in the midst of things: nothing
    /// of it is in any figure, no budget is charged for it and no scheduled fault acts in it. "0s" starts empty. Default: as long as
    /// a pilot finds to be enough for all policies; with a replayed trace, whose beginning a warm-up is, "0s".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Duration>,
    /// When counting begins, for what goes by the clock (prices by the hour, the time of day): a day of the week and a time of
    /// day, in UTC, like "friday 18:00". Default: "monday", at midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<WeekTime>,
    /// The number of replications, each with draws of its own. Default: 20.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100_000))]
    pub replications: u64,
    /// How well figures are to be known, by metric: `{ "e2e.p95": "±2%" }`. Replications are added to `replications` until the interval of
    /// each, under every policy, reaches no further than this share of the figure, or `at_most` are reached, which is told. Default: as
    /// many as `replications` says.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub until: Named<Precision>,
    /// The most replications that `until` may take, up to 100,000. Default: 50 times `replications`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = 100_000))]
    pub at_most: Option<Count>,
    /// The seed that every draw is made from. Default: 1.
    #[serde(default = "first")]
    pub seed: u64,
    /// The most requests in the system at once, up to 8,000,000: a replication with more ends without a result, and the run with
    /// exit code 3. Each takes about 500 bytes. Default: 1,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = 8_000_000))]
    pub max_in_system: Option<Count>,
    /// The confidence level of every interval. Default: 0.95.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.5, max = 0.9999))]
    pub confidence: Option<f64>,
    /// The smallest relative difference between two policies that matters, up to "50%": one that is certain and smaller is said to be
    /// too little. Of shares a tenth of it counts in points: 0.1 points for "1%". Default: "1%".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matters: Option<Fraction>,
    /// Named stretches of a replication's time, for metrics of what arrives in one: `error_rate{window=outage}`. They may
    /// overlap.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub windows: Named<WindowSpec>,
    /// Metrics to report beside those that every report has and those of objectives and ranking. Only what is asked for is
    /// recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub metrics: Vec<Metric>,
}

/// A named stretch of the plan's time, which begins when counting does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// When the window begins. Default: at the start of the plan's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Duration>,
    /// When the window ends; what arrives at that time is no longer in it. Default: at the end of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
}

fn twenty() -> u64 {
    20
}

fn first() -> u64 {
    1
}
