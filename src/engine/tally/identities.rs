//! Requests by identity, for one rule that tells identities apart: how many asked, and how many of them it turned away.
//!
//! While a replication runs, each identity that has asked has its counts. A finished one keeps the sums, and the counts of those that
//! were turned away most, at most a thousand of them; a sum of several has those of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most identities whose counts a finished tally keeps.
const MOST: usize = 1000;

/// What one rule did to the identities that it tells apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RuleTally {
    /// Counted requests with an identity, that came to it.
    pub asked: u64,
    /// Those of them that it turned away.
    pub refused: u64,
    /// Identities that asked, added up over replications.
    pub identities: u64,
    /// Identities of which it turned at least one request away, added up over replications.
    pub limited: u64,
    /// The counts of the identities that were turned away most, in order of their numbers.
    pub worst: Vec<Counts>,
    #[serde(skip)]
    counts: BTreeMap<u32, (u64, u64)>,
}

/// The requests of one identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// The number of the identity.
    pub identity: u32,
    /// Requests that came.
    pub asked: u64,
    /// Those of them that were turned away.
    pub refused: u64,
}

impl RuleTally {
    /// A request of `identity` comes.
    pub fn ask(&mut self, identity: u32) {
        self.asked += 1;
        self.counts.entry(identity).or_default().0 += 1;
    }

    /// A request of `identity` is turned away.
    pub fn refuse(&mut self, identity: u32) {
        self.refused += 1;
        self.counts.entry(identity).or_default().1 += 1;
    }

    /// Keeps what a finished tally has.
    pub(in crate::engine) fn pack(&mut self) {
        // A sum is packed once more: it has no counts of its own.
        if self.counts.is_empty() {
            return;
        }
        self.identities = self.counts.len() as u64;
        let counts = std::mem::take(&mut self.counts);
        let limited = counts.into_iter().filter(|(_, (_, refused))| *refused > 0);
        self.worst = limited
            .map(|(identity, (asked, refused))| Counts {
                identity,
                asked,
                refused,
            })
            .collect();
        self.limited = self.worst.len() as u64;
        self.keep_worst();
    }

    fn keep_worst(&mut self) {
        if self.worst.len() > MOST {
            let rank = |of: &Counts| (std::cmp::Reverse(of.refused), of.identity);
            self.worst.select_nth_unstable_by_key(MOST - 1, rank);
            self.worst.truncate(MOST);
            self.worst.sort_unstable_by_key(|of| of.identity);
        }
    }

    /// Adds what the same rule did in another replication.
    pub(super) fn merge(&mut self, other: &RuleTally) {
        self.asked += other.asked;
        self.refused += other.refused;
        self.identities += other.identities;
        self.limited += other.limited;
        for of in &other.worst {
            match self.worst.binary_search_by_key(&of.identity, |own| own.identity) {
                Ok(at) => {
                    self.worst[at].asked += of.asked;
                    self.worst[at].refused += of.refused;
                }
                Err(at) => self.worst.insert(at, *of),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(asks: &[(u32, u64, u64)]) -> RuleTally {
        let mut tally = RuleTally::default();
        for &(identity, asked, refused) in asks {
            (0..asked).for_each(|_| tally.ask(identity));
            (0..refused).for_each(|_| tally.refuse(identity));
        }
        tally.pack();
        tally
    }

    #[test]
    fn counts_add_up_over_replications() {
        let mut sum = tally(&[(7, 5, 2), (3, 4, 0)]);
        sum.merge(&tally(&[(7, 1, 1), (9, 2, 2)]));
        sum.pack();
        assert_eq!([sum.asked, sum.refused, sum.identities, sum.limited], [12, 5, 4, 3]);
        let worst: Vec<_> = sum.worst.iter().map(|of| (of.identity, of.asked, of.refused)).collect();
        assert_eq!(worst, [(7, 6, 3), (9, 2, 2)]);
    }

    #[test]
    fn a_finished_tally_is_bounded_and_keeps_the_worst() {
        let all: Vec<(u32, u64, u64)> = (0..3000)
            .map(|identity| (identity, 3, u64::from(identity % 3) + 1))
            .collect();
        let tally = tally(&all);
        assert_eq!((tally.worst.len(), tally.limited), (MOST, 3000));
        assert!(tally.worst.iter().all(|of| of.refused == 3));
    }
}
