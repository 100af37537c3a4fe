//! Which requests have stories worth telling: those that are the worst, or ended in some way, or have a number.
//!
//! A [`Search`] watches a whole replication and keeps numbers of requests, never more than it is asked for: what is known of the worst ten
//! is known at the end alone, so their stories are told by a second, equal run. Only counted requests are found, those that
//! arrive when the warm-up is over; of equals, the one that ended first.

use crate::engine::watch::{Ending, Watch, What};
use crate::kernel::time::Time;
use crate::words::Outcome;

/// What makes a request bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The time from arrival to end; a request that failed took for ever, those that took longest to fail first.
    E2e,
    /// The time from arrival to the first token; a request that got none took for ever, those that waited longest for nothing first.
    Ttft,
    /// When it ended: the first ones are found.
    First,
}

/// A request that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of the request.
    pub id: u64,
    rank: (u64, u64),
}

/// Looks for requests.
#[derive(Debug)]
pub struct Search {
    /// What makes a request bad.
    pub rank: Rank,
    /// The most that are kept.
    pub most: usize,
    /// Counting starts here.
    pub from: Time,
    /// The only outcome of those looked for, if one is.
    pub outcome: Option<Outcome>,
    /// The only class of those looked for, if one is.
    pub class: Option<usize>,
    /// The only user of those looked for, if one is.
    pub user: Option<u32>,
    /// Those found, the worst first.
    pub found: Vec<Found>,
    /// How many there are, those that are not kept included.
    pub matching: u64,
}

impl Search {
    /// A search for `most` requests by `rank` among all that arrive from `from` on.
    pub fn new(rank: Rank, most: usize, from: Time) -> Search {
        Search {
            rank,
            most,
            from,
            outcome: None,
            class: None,
            user: None,
            found: Vec::new(),
            matching: 0,
        }
    }

    fn matches(&self, ending: &Ending) -> bool {
        !ending.shadow
            && ending.arrived >= self.from
            && self.outcome.is_none_or(|o| o == ending.outcome)
            && self.class.is_none_or(|c| c == usize::from(ending.ask.class))
            && self.user.is_none_or(|u| u == ending.ask.user)
    }
}

impl Watch for Search {
    fn note(&mut self, now: Time, _slot: u32, what: &What) {
        let What::Ended(ending) = what else { return };
        if !self.matches(ending) {
            return;
        }
        self.matching += 1;
        let took = now.since(ending.arrived).nanos();
        let is_answered = ending.outcome == Outcome::Success;
        let rank = match self.rank {
            Rank::First => (0, 0),
            Rank::E2e | Rank::Ttft if !is_answered => (1, took),
            Rank::E2e => (0, took),
            Rank::Ttft => (0, ending.ttft.nanos()),
        };
        let place = self.found.partition_point(|better| better.rank >= rank);
        if place < self.most {
            self.found.truncate(self.most - 1);
            let id = ending.ask.id;
            self.found.insert(place, Found { id, rank });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;
    use crate::words::Ask;

    fn ends(search: &mut Search, id: u64, arrived: u64, now: u64, outcome: Outcome, ttft: u64) {
        let ending = Ending {
            ask: Ask { id, ..Ask::default() },
            arrived: Time::from_nanos(arrived),
            outcome,
            ttft: Span::from_nanos(ttft),
            waited: Span::ZERO,
            cost: 0,
            shadow: false,
        };
        search.note(Time::from_nanos(now), 0, &What::Ended(ending));
    }

    fn ids(search: &Search) -> Vec<u64> {
        search.found.iter().map(|found| found.id).collect()
    }

    #[test]
    fn the_worst_are_kept_and_no_more() {
        let mut search = Search::new(Rank::E2e, 3, Time::from_nanos(5));
        for (id, arrived, now) in [
            (0, 0, 100),
            (1, 5, 10),
            (2, 6, 30),
            (3, 7, 12),
            (4, 20, 44),
            (5, 50, 56),
        ] {
            ends(&mut search, id, arrived, now, Outcome::Success, 1);
        }
        assert_eq!(
            (ids(&search), search.matching),
            (vec![2, 4, 5], 5),
            "0 came in the warm-up"
        );
    }

    #[test]
    fn what_got_no_token_took_for_ever() {
        let mut search = Search::new(Rank::Ttft, 9, Time::ZERO);
        ends(&mut search, 0, 0, 100, Outcome::Success, 90);
        ends(&mut search, 1, 0, 20, Outcome::TimeoutTotal, 0);
        ends(&mut search, 2, 0, 30, Outcome::Shed, 0);
        ends(&mut search, 3, 0, 40, Outcome::Success, 95);
        assert_eq!(ids(&search), [2, 1, 3, 0]);
    }

    #[test]
    fn what_failed_took_for_ever() {
        let failed = |outcome: Option<Outcome>| {
            let mut search = Search::new(Rank::E2e, 3, Time::ZERO);
            search.outcome = outcome;
            ends(&mut search, 0, 0, 100, Outcome::Success, 90);
            ends(&mut search, 1, 0, 20, Outcome::Unavailable, 0);
            ends(&mut search, 2, 0, 30, Outcome::TimeoutTotal, 5);
            ends(&mut search, 3, 0, 40, Outcome::Success, 1);
            ids(&search)
        };
        assert_eq!(failed(None), [2, 1, 0]);
        assert_eq!(failed(Some(Outcome::Success)), [0, 3]);
    }

    #[test]
    fn the_first_of_an_outcome_are_found_in_their_order() {
        let mut search = Search::new(Rank::First, 2, Time::ZERO);
        search.outcome = Some(Outcome::Shed);
        for (id, outcome) in [
            (4, Outcome::Shed),
            (2, Outcome::Success),
            (9, Outcome::Shed),
            (1, Outcome::Shed),
        ] {
            ends(&mut search, id, 0, 10, outcome, 0);
        }
        assert_eq!((ids(&search), search.matching), (vec![4, 9], 3));
    }
}
