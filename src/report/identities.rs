//! What limits for each user, class, key or tag did to those that they tell apart, and how their names are shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{clean, fit};
use super::{Unit, format};
use crate::stats::interval::Estimate;

/// What one limiter, budget or line did that each identity has to itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct IdentityReport {
    /// Where the client says it: `limiters[0]`, `budgets[1]`, `admission`; of a named group, the group's name before it.
    pub place: String,
    /// What each identity has, in words: `token_bucket for each user`.
    pub what: String,
    /// Share of the requests with such an identity that it turned away, from 0 to 1.
    pub refused: Estimate,
    /// Identities that asked in one replication.
    pub identities: Estimate,
    /// Identities of which it turned at least one request away in one replication.
    pub limited: Estimate,
    /// The identities that were turned away most, the most first; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worst: Vec<IdentityRow>,
}

/// One identity that was turned away, over all replications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct IdentityRow {
    /// The name of the identity: a class, the value of a tag, or the number of a user.
    pub name: String,
    /// Requests of it that came, over the replications in which it was turned away.
    pub asked: u64,
    /// Those of them that were turned away.
    pub refused: u64,
}

impl IdentityRow {
    /// The share of its requests that were turned away.
    pub fn share(&self) -> f64 {
        self.refused as f64 / self.asked.max(1) as f64
    }
}

/// A name is shown in at most so many columns.
const NAME: usize = 28;

impl IdentityReport {
    /// The identities that were turned away most, in words.
    pub fn worst_in_words(&self, most: usize) -> String {
        let one = |row: &IdentityRow| {
            format!(
                "{} {}",
                fit(&clean(&row.name), NAME),
                format::tick(Unit::Share, row.share())
            )
        };
        let names: Vec<String> = self.worst.iter().take(most).map(one).collect();
        names.join(", ")
    }
}
