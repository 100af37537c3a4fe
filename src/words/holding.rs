//! Whether a published figure holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a published figure holds against what it was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holding {
    /// The figure holds.
    Holds,
    /// The figure does not hold.
    Fails,
    /// The figure can be neither confirmed nor refuted.
    Unknown,
}

impl Holding {
    /// What tables say.
    pub fn words(self) -> &'static str {
        match self {
            Holding::Holds => "holds",
            Holding::Fails => "does not hold",
            Holding::Unknown => "cannot be told",
        }
    }
}
