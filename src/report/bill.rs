//! What a policy costs, in parts: by class, by provider, and by what the money went to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::interval::Estimate;
use crate::words::Spending;

/// What a policy costs, in parts that add up to all that it is billed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Bill {
    /// The bill by class, with what belongs to no class in rows of its own.
    pub by_class: Vec<BillRow>,
    /// The bill by provider, the capacity reserved there included, with what belongs to no provider in a row of its own.
    pub by_provider: Vec<BillRow>,
    /// The bill of the attempts and of reserved capacity by what the money went to, in all and then, where there are several, at each
    /// provider and for each class (reserved capacity and mirrored copies belong to no class); judging answers is left out. Empty in a
    /// result of an earlier version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_purpose: Vec<PurposeRow>,
}

/// What money was spent on: in all, at one provider, or for the requests of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PurposeRow {
    /// What the money went to.
    pub purpose: Spending,
    /// The name of the provider that was paid; absent for all of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The name of the class whose requests it was spent on; absent for all of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Share of the whole bill, from 0 to 1.
    pub share: Estimate,
    /// The cost of a month. It has no value where the metric `cost_per_month` has none, and is a bound where that is one.
    pub cost_per_month: Estimate,
}

/// One row of a bill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BillRow {
    /// What was paid for.
    pub what: Billed,
    /// The name of the class or of the provider; absent for what belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Share of the whole bill, from 0 to 1.
    pub share: Estimate,
    /// The cost of a month. It has no value where the metric `cost_per_month` has none, and is a bound where that is one.
    pub cost_per_month: Estimate,
}

/// What a row of a bill was paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Billed {
    /// The attempts at the requests of a class, and what judges them.
    Class,
    /// The attempts at a provider, and the capacity reserved there.
    Provider,
    /// Capacity reserved at any provider, used or not.
    Reserved,
    /// Mirrored copies, for which no caller waited.
    Mirrored,
    /// What it costs to judge answers.
    Judging,
}

impl Bill {
    /// Whether at least one in a hundred went to anything but answers of first attempts.
    pub fn has_purposes(&self) -> bool {
        self.totals()
            .filter(|row| row.purpose != Spending::First)
            .any(|row| row.share.value >= 0.01)
    }

    /// What the money went to at all providers and for all classes together.
    pub fn totals(&self) -> impl Iterator<Item = &PurposeRow> + Clone {
        let is_total = |row: &&PurposeRow| row.provider.is_none() && row.class.is_none();
        self.by_purpose.iter().filter(is_total)
    }
}

impl PurposeRow {
    /// What the row is called in tables: the provider or class, and what the money went to.
    pub fn title(&self) -> String {
        let of = self.provider.as_ref().or(self.class.as_ref());
        let of = of.map(|of| format!("{of}: ")).unwrap_or_default();
        of + self.purpose.title()
    }
}

impl BillRow {
    /// What the row is called in tables.
    pub fn title(&self) -> &str {
        match (&self.name, self.what) {
            (Some(name), _) => name,
            (None, Billed::Class | Billed::Provider) => "",
            (None, Billed::Reserved) => "reserved capacity",
            (None, Billed::Mirrored) => "mirrored copies",
            (None, Billed::Judging) => "judging answers",
        }
    }
}
