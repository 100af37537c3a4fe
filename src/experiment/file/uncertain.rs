//! What an experiment says of an input that is not known exactly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is possible at a path: a number between two ends, or one of some variants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["between"] }, { "required": ["one_of"] }]))]
pub struct UncertainSpec {
    /// The least and the greatest value, written as the field has it and both in one unit: `["25/s", "45/s"]`. All between are equally likely,
    /// unless there is a likeliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 2))]
    pub between: Option<Vec<Value>>,
    /// The likeliest value between both ends, from which it falls evenly to either (a triangular law). Only beside `between`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likely: Option<Value>,
    /// Values of which one is the true one: numbers, names of models, whole parts of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 64))]
    pub one_of: Option<Vec<Value>>,
    /// How likely each of `one_of` is, in proportion: as many numbers above 0. Default: all are equally likely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<f64>>,
}
