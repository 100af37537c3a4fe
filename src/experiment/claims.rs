//! Files of claims: published figures, and what each is held against.
//!
//! A claim has a figure as it was published, and what it is by arithmetic, by a simulation, or by a probability law. Arithmetic is a
//! formula ([`crate::form::formula`]) over `numbers` that the file names, each of which may stand on those before it and none on itself. A
//! simulated figure is a metric of a policy of one of the file's `experiments`; each is run once for all claims. Nothing that was
//! simulated stands in the file: what a claim is held against is computed when it is asked for. What follows from both is in
//! [`crate::study`].
//!
//! ```json
//! {
//!   "format": "simcap.claims/1",
//!   "name": "return on investment",
//!   "numbers": { "tokens": "500k * 280" },
//!   "claims": [ { "claim": "market cost a month", "published": "$392000", "found": "tokens * $2.80/Mtok", "expect": "fails" } ]
//! }
//! ```

mod held;
mod read;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::units::{Duration, Fraction};
use crate::words::{Holding, Metric};

pub use held::{Held, Seen, Sense};
pub use read::{Claims, Figure};

/// The format of a file of claims.
pub const FORMAT: &str = "simcap.claims/1";

/// A file of published figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimsFile {
    /// The format of this file: "simcap.claims/1".
    pub format: String,
    /// The name of what was published.
    pub name: String,
    /// What was published, and what is assumed to hold it against.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Numbers by name, for formulas: published prices and amounts, and what follows from those that stand before.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    #[schemars(extend("maxProperties" = 1_000))]
    pub numbers: Named<Found>,
    /// The experiments that figures are simulated by, by name.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    #[schemars(extend("maxProperties" = 100))]
    pub experiments: Named<RunSpec>,
    /// The published figures.
    #[schemars(length(min = 1, max = 10_000))]
    pub claims: Vec<ClaimSpec>,
}

/// An experiment that claims are held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The file of the experiment, or the `result.json` of a run, beside this one.
    pub file: String,
    /// What is changed in the experiment first, as by `simcap run --set`: paths and values. Default: nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// The number of replications. Default: as the experiment says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub replications: Option<u64>,
}

/// A published figure. Without `found` it is only listed: there is nothing to hold it against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["published"] }, { "required": ["at_most"] }, { "required": ["at_least"] }
]))]
pub struct ClaimSpec {
    /// What the figure is of, in a few words.
    pub claim: String,
    /// The table or part that it stands in. Default: that of the claim before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The figure as it was published: "$392000", "320ms", "1200/s", "94%" or a number; or a formula.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Figure>,
    /// The figure, where it was published as an upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Figure>,
    /// The figure, where it was published as a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Figure>,
    /// What it is held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// How far the figure may be off, as a share of it. Default: by half of its last digit where arithmetic or a law is what it is held
    /// against, by 5 % where a simulation is or where it was computed; of bounds by nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Fraction>,
    /// What is known to come out, for `simcap audit --check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Holding>,
    /// What a reader should know of it, such as what is assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Where a number comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A formula, or a quantity.
    Formula(Figure),
    /// A metric of an experiment.
    Simulated(Simulated),
    /// A statistic of a probability law.
    Law(OfLaw),
}

/// A metric of an experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulated {
    /// The name of the experiment, one of the file's `experiments`.
    pub experiment: String,
    /// The name of the policy. Default: the only one that the experiment has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The metric that is asked for.
    pub metric: Metric,
}

/// A statistic of a probability law of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfLaw {
    /// The law, such as `{ "p50": "320ms", "p95": "580ms" }`.
    pub of: LawSpec<Duration>,
    /// What is asked of it: "mean", or a percentile like "p99".
    pub statistic: String,
}
