//! Where what went into a run comes from: its files, and the models of its providers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file that went into the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Its name, without the path.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What is known of a provider's model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelNote {
    /// The provider's name in the experiment.
    pub provider: String,
    /// The model and its variant.
    pub model: String,
    /// Where its figures come from.
    pub source: String,
    /// What is assumed in it rather than published or measured, by field.
    pub assumed: Vec<(String, String)>,
    /// The experiment's own changes to it, by field.
    pub overrides: Vec<String>,
    /// Prices and quotas that are taken over by a name, by field: what, from where, of when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<(String, String)>,
    /// Whether anybody has held it against measurements; nothing for what has no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Standing>,
}

/// Whether a model was held against measurements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Standing {
    /// Nobody has: its figures are published or assumed.
    Uncalibrated,
    /// What came of it, in a sentence with its number of probes and its date.
    Calibrated(String),
}
