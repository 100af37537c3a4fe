//! Where what went into a run comes from: its files, and the models of its providers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file that went into the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The name of the file, without its path.
    pub name: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
}

/// What is known of a provider's model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelNote {
    /// The provider's name in the experiment.
    pub provider: String,
    /// The model and its variant.
    pub model: String,
    /// The source of the model's figures.
    pub source: String,
    /// What is assumed in the model rather than published or measured, by field.
    pub assumed: Vec<(String, String)>,
    /// The fields of the model that the experiment changes.
    pub overrides: Vec<String>,
    /// Published prices and quotas that the experiment takes over by name, by field: their name, source and date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<(String, String)>,
    /// What the model was measured over and what was not seen there, in a sentence; absent if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<String>,
    /// Whether the model was validated against measurements; absent for a provider without a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Standing>,
}

/// Whether a model was validated against measurements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Standing {
    /// The model was not validated: its figures are published, assumed or fitted.
    Uncalibrated,
    /// The result of the validation, in a sentence with its number of probes and its date.
    Calibrated(String),
}
