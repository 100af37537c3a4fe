//! What a number of a file from outside counts, where it is a time: the unit that a column of times has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a time counts that is a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimeUnit {
    /// Seconds, also in parts.
    #[default]
    #[serde(rename = "s")]
    Seconds,
    /// Thousandths of a second.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Millionths of a second.
    #[serde(rename = "us")]
    Microseconds,
    /// Thousandths of a microsecond.
    #[serde(rename = "ns")]
    Nanoseconds,
}

impl TimeUnit {
    /// The unit's name for several of them.
    pub const fn plural(self) -> &'static str {
        match self {
            TimeUnit::Seconds => "seconds",
            TimeUnit::Milliseconds => "milliseconds",
            TimeUnit::Microseconds => "microseconds",
            TimeUnit::Nanoseconds => "nanoseconds",
        }
    }

    /// How many of them are a second.
    pub const fn of_a_second(self) -> i128 {
        match self {
            TimeUnit::Seconds => 1,
            TimeUnit::Milliseconds => 1_000,
            TimeUnit::Microseconds => 1_000_000,
            TimeUnit::Nanoseconds => 1_000_000_000,
        }
    }
}
