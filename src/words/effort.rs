//! The kinds of work beyond one attempt for each request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of work that the client does beyond one attempt for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EffortKind {
    /// Attempts that tried again after a failure.
    Retries,
    /// Further copies of a request under way (hedges).
    Hedges,
    /// Requests that were answered by a further copy (a hedge).
    HedgesWon,
    /// Times a request went on to another group of providers.
    Fallbacks,
    /// Retries and hedges that a budget denied.
    Denied,
    /// Requests whose input was cut.
    Shortened,
    /// Answers turned down, whose request went on to another provider.
    Escalations,
    /// Copies sent to a provider whose answer was not waited for.
    Mirrored,
}

impl EffortKind {
    /// Every kind, in the order of tables.
    pub const ALL: [EffortKind; 8] = [
        EffortKind::Retries,
        EffortKind::Hedges,
        EffortKind::HedgesWon,
        EffortKind::Fallbacks,
        EffortKind::Denied,
        EffortKind::Shortened,
        EffortKind::Escalations,
        EffortKind::Mirrored,
    ];

    /// The name of the effort in files.
    pub const fn name(self) -> &'static str {
        match self {
            EffortKind::Retries => "retries",
            EffortKind::Hedges => "hedges",
            EffortKind::HedgesWon => "hedges_won",
            EffortKind::Fallbacks => "fallbacks",
            EffortKind::Denied => "denied",
            EffortKind::Shortened => "shortened",
            EffortKind::Escalations => "escalations",
            EffortKind::Mirrored => "mirrored",
        }
    }
}
