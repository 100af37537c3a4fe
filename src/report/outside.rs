//! Where a policy asked a provider for what its model was never measured at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A figure of what a policy asked of a provider that lies outside what the provider's model was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Outside {
    /// The name of the policy.
    pub policy: String,
    /// The name of the provider.
    pub provider: String,
    /// What is asked of the provider.
    pub what: Asked,
    /// The value of the figure under the policy.
    pub asked: f64,
    /// The end of the measured range that it is beyond, in the same unit.
    pub measured: f64,
    /// What the model says beyond it, and which way that errs.
    pub errs: String,
}

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Asked {
    /// Attempts a second in the busiest of the bins of the run's course, over all replications.
    Rate,
    /// Mean number of attempts in flight.
    InFlight,
    /// Attempts in a minute, as for `rate`; only of a provider without a quota.
    PerMinute,
    /// Mean input tokens of an attempt.
    Input,
    /// Mean output tokens of an attempt.
    Output,
    /// Seconds that are counted, where they are a day or more and the measurement lasted less than a day.
    Hours,
}
