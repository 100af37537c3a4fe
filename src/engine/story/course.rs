//! The course of each breaker in a replication: when it opened, let calls through again, and closed.
//!
//! A breaker is looked at after the end of each attempt, and says how often it has opened and how long it has been open so far. From two
//! looks the moment follows at which an opening ended between them, to the nanosecond: the time open grew until then and not after. An
//! opening that began between two looks without an attempt having ended (a breaker that opens again by itself) is put where the later
//! look found it. Left out: what comes beyond [`MOST`] changes, which is counted.

use crate::engine::watch::{Seen, Watch, What};
use crate::kernel::time::{Span, Time};

/// The most changes that are kept of one replication.
const MOST: usize = 100_000;

/// What a breaker did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It opened: it keeps calls out, a cooldown begins.
    Opened,
    /// It lets calls through again, on trial or for good.
    Returned,
    /// It closed after it had let calls through on trial.
    Closed,
}

/// A change of one breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When it changed.
    pub at: Time,
    /// The gateway, by number.
    pub gateway: usize,
    /// The provider, by number.
    pub provider: usize,
    /// What it did.
    pub turn: Turn,
}

/// Follows the breakers of a replication.
#[derive(Debug)]
pub struct Course {
    providers: usize,
    /// Of each gateway and provider, what was seen of its breaker and when.
    last: Vec<Last>,
    /// What happened, in the order of time.
    pub happenings: Vec<Happening>,
    /// Changes beyond `MOST`.
    pub more: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Last {
    at: Time,
    trips: u64,
    open_for: Span,
    is_open: bool,
    on_trial: bool,
}

impl Course {
    /// The breakers of so many gateways to so many providers, none of which has opened.
    pub fn new(gateways: usize, providers: usize) -> Course {
        Course {
            providers,
            last: vec![Last::default(); gateways * providers],
            happenings: Vec::new(),
            more: 0,
        }
    }

    fn happens(&mut self, happening: Happening) {
        if self.happenings.len() >= MOST {
            self.more += 1;
            return;
        }
        // An opening that ended between two looks may be older than what another breaker did.
        let place = self.happenings.iter().rposition(|h| h.at <= happening.at);
        self.happenings.insert(place.map_or(0, |place| place + 1), happening);
    }
}

impl Watch for Course {
    fn note(&mut self, _now: Time, _slot: u32, _what: &What) {}

    fn watches_breakers(&self) -> bool {
        true
    }

    fn breaker(&mut self, now: Time, seen: &Seen) {
        let place = seen.gateway * self.providers + seen.provider;
        let last = self.last[place];
        let opened = seen.trips > last.trips;
        let one = |at, turn| Happening {
            at,
            gateway: seen.gateway,
            provider: seen.provider,
            turn,
        };
        let grown = Span::from_nanos(seen.open_for.nanos().saturating_sub(last.open_for.nanos()));
        let mut on_trial = last.on_trial;
        // An opening that was cut short, or goes on in another, ends where that begins.
        if last.is_open && (opened || !seen.is_open) {
            let until = (last.at + grown).min(now);
            self.happens(one(until, Turn::Returned));
            on_trial = true;
        }
        if opened {
            self.happens(one(now, Turn::Opened));
            on_trial = false;
            if !seen.is_open {
                self.happens(one(now, Turn::Returned));
                on_trial = true;
            }
        }
        if on_trial && seen.is_closed {
            self.happens(one(now, Turn::Closed));
            on_trial = false;
        }
        self.last[place] = Last {
            at: now,
            trips: seen.trips,
            open_for: seen.open_for,
            is_open: seen.is_open,
            on_trial,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(course: &mut Course, now: u64, trips: u64, open_for: u64, is_open: bool, is_closed: bool) {
        let seen = Seen {
            gateway: 0,
            provider: 1,
            trips,
            open_for: Span::from_secs(open_for),
            is_open,
            is_closed,
        };
        course.breaker(Time::ZERO + Span::from_secs(now), &seen);
    }

    #[test]
    fn an_opening_ends_where_the_time_open_stopped_growing() {
        let mut course = Course::new(1, 2);
        look(&mut course, 1, 0, 0, false, true);
        look(&mut course, 10, 1, 0, true, false);
        look(&mut course, 12, 1, 2, true, false);
        // It was open until 15, and a trial came back at 20.
        look(&mut course, 20, 1, 5, false, true);
        look(&mut course, 25, 1, 5, false, true);
        let told: Vec<(u64, Turn)> = (course.happenings.iter())
            .map(|h| (h.at.since(Time::ZERO).nanos() / 1_000_000_000, h.turn))
            .collect();
        assert_eq!(told, [(10, Turn::Opened), (15, Turn::Returned), (20, Turn::Closed)]);
    }

    #[test]
    fn a_failed_trial_opens_it_again() {
        let mut course = Course::new(1, 2);
        look(&mut course, 10, 1, 0, true, false);
        look(&mut course, 20, 2, 5, true, false);
        let told: Vec<(u64, Turn)> = (course.happenings.iter())
            .map(|h| (h.at.since(Time::ZERO).nanos() / 1_000_000_000, h.turn))
            .collect();
        assert_eq!(told, [(10, Turn::Opened), (15, Turn::Returned), (20, Turn::Opened)]);
    }
}
