//! Fallback: the providers to which a request goes when those before have failed it.
//!
//! The providers form groups, tried one after the other. Inside a group the policy chooses and the retry rule decides, both
//! as if the group were all there is; when that rule gives up, the next group that takes this kind of failure follows, with
//! its tries all its own (LiteLLM: every target runs its own full retry loop). A policy that would take none of a later group,
//! because it does not know them, leaves them to their order: the first that is open.
//! The timeout of the whole request ends it in whatever group it is, and is what the caller is told then.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::{Outcome, Outcomes};

/// The fallback groups in their order.
#[derive(Clone, Debug, Default)]
pub struct Fallback {
    /// All groups; empty if every provider is in the only one.
    pub groups: Vec<Group>,
    /// Whether the caller of a request that every group failed is told of the first group's failure instead of the last's.
    pub tells_first: bool,
    /// The most groups that one request falls back to.
    pub most: usize,
}

/// A group of providers that are tried together.
#[derive(Clone, Debug)]
pub struct Group {
    /// Whether each provider is in the group.
    pub members: Vec<bool>,
    /// The members by number, in the order in which the file names them.
    pub order: Vec<usize>,
    /// The failures of earlier groups that bring a request here.
    pub on: Outcomes,
}

impl Fallback {
    /// The group that follows group `now` after `outcome`, if any does.
    pub fn next(&self, now: usize, outcome: Outcome) -> Option<usize> {
        (now + 1..self.groups.len()).find(|&g| self.groups[g].on.contains(outcome))
    }

    /// The members of each group, by number.
    pub fn members_of_each(&self) -> Vec<Vec<usize>> {
        let numbers = |group: &Group| (0..group.members.len()).filter(|&i| group.members[i]).collect();
        self.groups.iter().map(numbers).collect()
    }

    /// Whether each provider is in group `group`; `None` if all are.
    #[inline]
    pub fn members(&self, group: usize) -> Option<&[bool]> {
        self.groups.get(group).map(|g| &*g.members)
    }
}

/// The group whose failure a caller is told of when every group has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tells {
    /// The first group's failure (Bifrost).
    First,
    /// The last group's failure.
    #[default]
    Last,
}
