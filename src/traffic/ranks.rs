//! Things that are met by rank: a fixed number of them, some more often than others.
//!
//! The one of rank k is met with probability proportional to 1/k^skew (Zipf's law; 0 makes all alike). They are numbered by rank
//! from 0. Left out: shares that change with time.

use crate::form::build::{Built, Refusal};
use crate::form::units::Count;
use crate::kernel::chance::{index, threshold};

/// The most of them.
const MOST: u64 = 1_000_000;

/// Things of fixed shares.
#[derive(Clone, Debug)]
pub enum Ranks {
    /// This many with equal shares.
    Alike(u32),
    /// By rank: a draw at or below the number, and above the previous one, selects that one. The last is `u64::MAX`.
    Ranked(Vec<u64>),
}

impl Ranks {
    /// So many of `what`, with this skew.
    ///
    /// # Errors
    /// If there are none or too many, or the skew is out of range.
    pub fn new(count: Count, skew: f64, what: &str) -> Built<Ranks> {
        let count = count.get();
        if !(1..=MOST).contains(&count) {
            return Err(Refusal::new(format!("{count} {what}: must be 1 to {MOST}")).at("count"));
        }
        if !(0.0..=5.0).contains(&skew) {
            return Err(Refusal::new(format!("a skew of {skew}: must be 0 to 5")).at("skew"));
        }
        let count = count as u32;
        if skew == 0.0 {
            return Ok(Ranks::Alike(count));
        }
        let weight = |rank: u32| libm::pow(f64::from(rank), -skew);
        let total: f64 = (1..=count).map(weight).sum();
        let mut sum = 0.0;
        let mut up_to: Vec<u64> = (1..count)
            .map(|rank| {
                sum += weight(rank);
                threshold(sum / total)
            })
            .collect();
        up_to.push(u64::MAX);
        Ok(Ranks::Ranked(up_to))
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        match self {
            Ranks::Alike(count) => *count,
            Ranks::Ranked(up_to) => up_to.len() as u32,
        }
    }

    /// The one that a draw selects.
    #[inline]
    pub fn at(&self, draw: u64) -> u32 {
        match self {
            Ranks::Alike(count) => index(draw, *count as usize) as u32,
            Ranks::Ranked(up_to) => up_to.partition_point(|&most| most < draw) as u32,
        }
    }
}
