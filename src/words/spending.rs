//! What money goes to: the answer of a first attempt, or what had to be paid besides.
//!
//! Each attempt is one of them once, so they add up to the bill. Left out: an answer that is turned down, which is an answer all the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ended, Outcome};

/// What money was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Spending {
    /// Answers of first attempts.
    First,
    /// Answers of further attempts, one after the other: retries, fallbacks, escalations.
    Further,
    /// Further copies of a request under way (hedges), whether they answered or not.
    Hedges,
    /// Attempts that were billed and brought no answer: failed or called off.
    Wasted,
    /// Mirrored copies, for which no caller waited.
    Mirrored,
    /// Capacity reserved at a provider, as far as it was used; all of it where no quota of the provider tells that.
    Reserved,
    /// Capacity reserved at a provider that was not used, by the mean use of the provider's quota that was used most.
    Idle,
}

impl Spending {
    /// Everything that an attempt can be.
    pub const ATTEMPTS: usize = 5;

    /// All of them, in the order of tables; those of no attempt last.
    pub const ALL: [Spending; Spending::ATTEMPTS + 2] = [
        Spending::First,
        Spending::Further,
        Spending::Hedges,
        Spending::Wasted,
        Spending::Mirrored,
        Spending::Reserved,
        Spending::Idle,
    ];

    /// What an attempt was.
    #[inline]
    pub fn of(ended: &Ended) -> Spending {
        match ended.outcome {
            _ if ended.mirrored => Spending::Mirrored,
            _ if ended.hedge => Spending::Hedges,
            Outcome::Success if ended.attempt == 0 => Spending::First,
            Outcome::Success => Spending::Further,
            _ => Spending::Wasted,
        }
    }

    /// The place of this in [`Spending::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name of this in tables.
    pub const fn title(self) -> &'static str {
        match self {
            Spending::First => "answers of first attempts",
            Spending::Further => "answers of further attempts",
            Spending::Hedges => "hedges",
            Spending::Wasted => "failed or called off",
            Spending::Mirrored => "mirrored copies",
            Spending::Reserved => "reserved capacity",
            Spending::Idle => "idle reserved capacity",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_at_its_own_place() {
        for (place, spending) in Spending::ALL.into_iter().enumerate() {
            assert_eq!(spending.index(), place);
        }
        assert_eq!(Spending::Reserved.index(), Spending::ATTEMPTS);
    }
}
