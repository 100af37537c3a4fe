//! How a replication starts: empty, or warm, and where the length of its warm-up comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a replication starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Start {
    /// Warm, after the time that the plan gives.
    #[default]
    Given,
    /// Warm, after the time that a pilot found to be enough.
    Pilot,
    /// Warm, after the longest time that a pilot may find, which was not enough.
    Cut,
    /// Empty, because the plan says so: what begins with nothing under way, like a launch, or ends, like a batch.
    Empty,
    /// Empty, because traffic that was recorded has no past.
    Replayed,
    /// Empty, because the plan leaves the warm-up to a pilot that has not been run.
    Unpiloted,
}

impl Start {
    /// The rest of a sentence after the length of what is counted; `warmup` is the length of the warm-up, in words.
    pub fn in_words(self, warmup: &str) -> String {
        match self {
            Start::Given => format!("after {warmup} of warm-up"),
            Start::Pilot => format!("after {warmup} of warm-up, which a pilot found"),
            Start::Cut => format!("after {warmup} of warm-up, the most that a pilot may find"),
            Start::Empty | Start::Unpiloted => "from an empty start".to_owned(),
            Start::Replayed => "from an empty start, as a trace has no past".to_owned(),
        }
    }
}
