//! What an experiment says of how the worth of answers to one request hangs together.
//!
//! ```json
//! { "correlation": 0.55 }
//! ```
//!
//! or by class, or from evidence: `{ "observed": { "weak": 0.68, "strong": 0.81, "strong_where_weak_wrong": 0.56 } }`, or
//! `{ "pairs": "pairs.csv" }`. Without any of it answers are independent, and the report says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::per_class::PerClass;
use crate::form::units::Fraction;

/// How far what is difficult for one model is difficult for the others: exactly one of the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["correlation"] }, { "required": ["observed"] }, { "required": ["pairs"] }]))]
pub struct QualitySpec {
    /// The correlation of answers of two models to one request, 0 to 1: that of the normal scores behind good and bad (tetrachoric).
    /// At 0 they are independent; at 1 the better model is right wherever the worse one is. One figure, or one for each class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<PerClass<Fraction>>,
    /// Shares counted on requests that two models both answered, from which the correlation follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedSpec>,
    /// The path of a CSV file, relative to the experiment: one row a request, and for each of two or more models a column with the
    /// score of its answer, 0 to 1, of which ½ and more counts as good; an empty field where there is none. The columns are called as
    /// providers or their models are; others are not read. From three on, each model gets a loading of its own; a provider without a
    /// column gets the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<String>,
}

/// Shares of requests that two models both answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObservedSpec {
    /// The share to which the weaker model's answer was good.
    pub weak: Fraction,
    /// The share to which the stronger model's answer was good.
    pub strong: Fraction,
    /// The share to which the stronger model's answer was good, of the requests to which the weaker one's was not.
    pub strong_where_weak_wrong: Fraction,
}
