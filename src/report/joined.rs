//! What two results on one page have to do with each other, and how that is said.

use super::Report;

/// What two results on one page have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// Whether both met the same requests, so that their differences are paired.
    pub paired: bool,
    /// The seed of the second.
    pub seed: u64,
}

impl Report {
    /// The seed in words, or both where two results have different ones.
    pub fn seeds(&self) -> String {
        match self.joined {
            Some(Joined { seed, .. }) if seed != self.seed => format!("seeds {} and {seed}", self.seed),
            Some(_) | None => format!("seed {}", self.seed),
        }
    }
}
