//! Whose requests the rows of a trace are: the users, classes and tags that a replay keeps.
//!
//! A replay that says so ([`Keep`]) gives each request the user, the class and the tags of its row, so that limits, policies, bills and
//! metrics tell them apart as they would those of drawn traffic. Users are numbered in the order in which the file first names them. What
//! several rows have in common is held once: four bytes a row, and one entry for each combination.
//!
//! Left out: requests that carry several values of one tag, of which one is taken, and sessions, which a trace plays at their recorded
//! times whatever the answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::named::Named;

/// The columns that say whose requests the rows of a trace are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The column of the user. Rows without one are those of one more user. Default: the traffic's `users` say whose requests they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether reports call users by their names, rather than by the first twelve digits of the SHA-256 of these. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names: bool,
    /// The column of the class. Default: classes are drawn by their `share`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The class that each value of that column stands for, and with `"*"` that of all other values: `{ "gpt-4.1": "chat", "*": "rest" }`.
    /// Default: the class of that name.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub classes: Named<String>,
    /// Tags and their columns: `{ "team": "team_id" }`. A row without a value has `none`. Of a list of values, as LiteLLM's `request_tags`
    /// is one, the one that begins with the tag's name and a colon is taken, without these, or else the first. Default: none.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub tags: Named<String>,
}

// Names and texts only: nothing in it is unlike itself.
impl Eq for Keep {}

/// What stands for a value that a row lacks.
pub const NO_VALUE: &str = "none";

/// What the rows of a trace say of whose requests they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// For each row, in order, the place of its combination in `each`.
    pub of_row: Vec<u32>,
    /// Every combination that occurs: the places of the user, the class and each tag in what follows, 0 for what is not kept.
    pub each: Vec<Box<[u32]>>,
    /// What users are called, in the order in which the file names them; nothing where users are not kept.
    pub users: Option<Box<[Box<str>]>>,
    /// The values of the class's column; nothing where classes are not kept.
    pub classes: Option<Vec<String>>,
    /// The tags with their values.
    pub tags: Vec<(String, Vec<String>)>,
}

impl Kept {
    /// How many rows have each value of the class's column.
    pub fn rows_by_class(&self) -> Vec<u64> {
        let mut counts = vec![0; self.classes.as_ref().map_or(0, Vec::len)];
        for row in &self.of_row {
            let class = self.each[*row as usize][1] as usize;
            if let Some(count) = counts.get_mut(class) {
                *count += 1;
            }
        }
        counts
    }

    /// The number of bytes that it takes, without those of names.
    pub fn bytes(&self) -> usize {
        let combination = (2 + self.tags.len()) * size_of::<u32>() + size_of::<Box<[u32]>>();
        self.of_row.len() * size_of::<u32>() + self.each.len() * combination
    }
}

/// What a row says, as requests carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The user, from 0 within the stream, if rows say users.
    pub user: Option<u32>,
    /// The class, if rows say classes.
    pub class: Option<u16>,
    /// What its tags add to the number of all tags.
    pub tags: u32,
}

/// What rows say, as a stream runs.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The rows of the trace.
    pub kept: std::sync::Arc<Kept>,
    /// By combination, what its requests carry.
    pub each: Box<[Said]>,
}

impl Identified {
    /// What the row of this number says.
    #[inline]
    pub fn of(&self, row: u32) -> Said {
        let combination = self.kept.of_row.get(row as usize);
        combination
            .and_then(|at| self.each.get(*at as usize))
            .copied()
            .unwrap_or_default()
    }
}
