//! What an outage did: how soon a breaker ejected the provider, how many failures came through until then, and how soon
//! the system recovered.
//!
//! There is one record for each outage that is known beforehand and begins before arrivals end. The breaker is looked at whenever an attempt ends anywhere in the fleet. Without such
//! an outage nothing is recorded and nothing is spent.
//!
//! The system has recovered at the first moment from the end of the outage on, while arrivals last, at which at most 10
//! of the last 100 requests to end had failed, at any provider: one success at the provider is not a recovery if
//! nothing works afterwards. A client that was never affected recovers in no time. Failures that only show later,
//! because callers wait longer than the outage lasts, come too late to be seen.

use serde::{Deserialize, Serialize};

use crate::kernel::time::{Span, Time};
use crate::words::Outcome;

use super::scenario::Scenario;

/// The number of most recent requests that decide whether the system has recovered.
const RECENT: u32 = 100;
/// The number of those that may have failed.
const TOLERATED: u32 = 10;

/// What one outage did, added up over replications.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The number of the provider that is out.
    pub provider: usize,
    /// When the outage began.
    pub from: Time,
    /// When the outage ended.
    pub until: Time,
    /// Replications in which the provider's breaker opened at some time during the outage.
    pub ejected: u64,
    /// Nanoseconds from the start of the outage until the breaker opened, added up over those replications.
    pub to_eject: u128,
    /// Attempts that were sent to the provider during the outage before its breaker opened, or during all of it if the
    /// breaker never opened, and failed.
    pub leaked: u64,
    /// Replications in which the system recovered after the outage.
    pub recovered: u64,
    /// Nanoseconds from the end of the outage until the system recovered, added up over those replications.
    pub to_recover: u128,
    /// Replications in which the provider answered after the outage.
    pub returned: u64,
    /// Nanoseconds from the end of the outage until it first answered, added up over those replications.
    pub to_return: u128,
    /// Requests that ended during the outage, at any provider.
    pub requests: u64,
    /// Requests that ended during the outage and failed.
    pub errors: u64,
    /// What only a replication that runs needs: never written, and nothing once it has ended.
    #[serde(skip)]
    watch: Watch,
}

/// What is known of an outage while its replication runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Watch {
    /// When the breaker first kept calls out.
    ejected_at: Option<Time>,
    /// Whether the outage has begun.
    begun: bool,
    /// When arrivals end.
    arrivals_end: Time,
    /// The last requests that ended, a bit for each that failed.
    recent: u128,
    /// How many bits of `recent` are in use.
    known: u32,
}

/// The part of an ended attempt that outages need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) provider: usize,
    pub(super) sent: Time,
    pub(super) outcome: Outcome,
}

/// The outages that `scenario` schedules, before anything has happened.
pub(super) fn of(scenario: &Scenario) -> Vec<Incident> {
    let mut all = Vec::new();
    for (provider, deployment) in scenario.fleet.iter().enumerate() {
        for (from, until) in deployment.provider.faults.iter().filter_map(|f| f.outage()) {
            if from < scenario.window.end && from < until {
                all.push(Incident {
                    provider,
                    from,
                    until,
                    watch: Watch {
                        arrivals_end: scenario.window.end,
                        ..Watch::default()
                    },
                    ..Incident::default()
                });
            }
        }
    }
    all
}

impl Incident {
    /// Whether a request or an attempt that ends at `now` falls within the outage.
    fn lasts(&self, now: Time) -> bool {
        now >= self.from && now < self.until
    }

    /// Looks at the breaker of the provider before an attempt that ends at `now` is recorded: a breaker that was open
    /// when the outage began needs no time.
    pub(super) fn begin(&mut self, now: Time, permits: impl Fn(usize, Time) -> bool) {
        if !self.watch.begun && now >= self.from {
            self.watch.begun = true;
            if !permits(self.provider, self.from) {
                self.eject(self.from);
            }
        }
    }

    /// Counts the end of an attempt at `now`, after the breaker was told of it.
    pub(super) fn note(&mut self, now: Time, passed: &Passed, permits: impl Fn(usize, Time) -> bool) {
        let here = passed.provider == self.provider;
        let early = self.watch.ejected_at.is_none_or(|ejected| passed.sent <= ejected);
        let failed = !matches!(passed.outcome, Outcome::Success | Outcome::Cancelled);
        if here && failed && self.lasts(passed.sent) && early {
            self.leaked += 1;
        }
        if here && self.returned == 0 && passed.outcome == Outcome::Success && passed.sent >= self.until {
            self.returned = 1;
            self.to_return = u128::from(now.since(self.until).nanos());
        }
        if self.watch.ejected_at.is_none() && self.lasts(now) && !permits(self.provider, now) {
            self.eject(now);
        }
    }

    fn eject(&mut self, now: Time) {
        self.watch.ejected_at = Some(now);
        self.ejected = 1;
        self.to_eject = u128::from(now.since(self.from).nanos());
    }

    /// Counts the end of a request at `now`.
    pub(super) fn note_request(&mut self, now: Time, succeeded: bool) {
        if self.lasts(now) {
            self.requests += 1;
            self.errors += u64::from(!succeeded);
        }
        if self.recovered == 0 && now < self.watch.arrivals_end {
            if now >= self.until && self.is_well() {
                self.recover(self.until);
            }
            self.watch.recent = (self.watch.recent << 1 | u128::from(!succeeded)) & ((1 << RECENT) - 1);
            self.watch.known = (self.watch.known + 1).min(RECENT);
            if now >= self.until && self.recovered == 0 && self.is_well() {
                self.recover(now);
            }
        }
    }

    fn is_well(&self) -> bool {
        self.watch.known == RECENT && self.watch.recent.count_ones() <= TOLERATED
    }

    fn recover(&mut self, now: Time) {
        self.recovered = 1;
        self.to_recover = u128::from(now.since(self.until).nanos());
    }

    /// Forgets what only a running replication needs.
    pub(super) fn close(&mut self) {
        self.watch = Watch::default();
    }

    /// Adds the same outage of another replication.
    pub(super) fn merge(&mut self, other: &Incident) {
        self.ejected += other.ejected;
        self.to_eject += other.to_eject;
        self.leaked += other.leaked;
        self.recovered += other.recovered;
        self.to_recover += other.to_recover;
        self.returned += other.returned;
        self.to_return += other.to_return;
        self.requests += other.requests;
        self.errors += other.errors;
    }

    /// Seconds from the start of the outage until the breaker opened, in one replication; `None` if it never did.
    pub fn seconds_to_eject(&self) -> Option<f64> {
        (self.ejected > 0).then(|| seconds(self.to_eject))
    }

    /// Seconds from the end of the outage until the system recovered, in one replication; `None` if it never did.
    pub fn seconds_to_recover(&self) -> Option<f64> {
        (self.recovered > 0).then(|| seconds(self.to_recover))
    }

    /// Seconds from the end of the outage until the provider first answered what was sent after it, in one replication; `None` if it never
    /// did.
    pub fn seconds_to_return(&self) -> Option<f64> {
        (self.returned > 0).then(|| seconds(self.to_return))
    }
}

/// This outage with the given counts, for tests of what is done with them.
#[cfg(test)]
pub(super) fn counted(counts: [u64; 9]) -> Incident {
    let [
        ejected,
        to_eject,
        leaked,
        recovered,
        to_recover,
        returned,
        to_return,
        requests,
        errors,
    ] = counts;
    Incident {
        provider: 1,
        from: Time::from_nanos(100),
        until: Time::from_nanos(200),
        ejected,
        to_eject: to_eject.into(),
        leaked,
        recovered,
        to_recover: to_recover.into(),
        returned,
        to_return: to_return.into(),
        requests,
        errors,
        watch: Watch::default(),
    }
}

fn seconds(nanos: u128) -> f64 {
    Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Time {
        Time::from_nanos(secs * 1_000_000_000)
    }

    fn outage() -> Incident {
        Incident {
            provider: 1,
            from: at(100),
            until: at(200),
            watch: Watch {
                arrivals_end: at(1_000),
                ..Watch::default()
            },
            ..Incident::default()
        }
    }

    /// An attempt at provider 1 or 0 ends, while the breaker permits calls or does not.
    fn ends(it: &mut Incident, provider: usize, sent: u64, now: u64, outcome: Outcome, permits: bool) {
        let passed = Passed {
            provider,
            sent: at(sent),
            outcome,
        };
        it.begin(at(now), |_, _| true);
        it.note(at(now), &passed, |_, _| permits);
    }

    #[test]
    fn what_leaks_is_what_was_sent_in_it_before_the_ejection_and_failed() {
        let mut it = outage();
        let failed = Outcome::Unavailable;
        ends(&mut it, 1, 98, 101, failed, true);
        assert_eq!(it.leaked, 0, "sent before it began");
        ends(&mut it, 0, 101, 102, failed, true);
        assert_eq!(it.leaked, 0, "at another provider");
        ends(&mut it, 1, 101, 103, failed, true);
        ends(&mut it, 1, 104, 110, failed, false);
        assert_eq!((it.leaked, it.seconds_to_eject()), (2, Some(10.0)));
        ends(&mut it, 1, 109, 130, Outcome::TimeoutAttempt, false);
        assert_eq!(it.leaked, 3, "under way when it was ejected");
        ends(&mut it, 1, 140, 140, failed, false);
        assert_eq!((it.leaked, it.seconds_to_eject()), (3, Some(10.0)), "a trial");
    }

    #[test]
    fn a_provider_is_back_with_its_first_answer_after_the_outage() {
        let mut it = outage();
        ends(&mut it, 1, 150, 199, Outcome::Success, true);
        ends(&mut it, 0, 200, 201, Outcome::Success, true);
        ends(&mut it, 1, 201, 203, Outcome::Unavailable, true);
        ends(&mut it, 1, 90, 204, Outcome::Success, true);
        assert_eq!(
            it.seconds_to_return(),
            None,
            "an answer in it, another's, a failure, and an answer to what was sent before it"
        );
        ends(&mut it, 1, 203, 205, Outcome::Success, true);
        ends(&mut it, 1, 206, 207, Outcome::Success, true);
        assert_eq!(it.seconds_to_return(), Some(5.0));
        let mut both = it.clone();
        both.merge(&it);
        assert_eq!((both.returned, both.to_return), (2, 10_000_000_000));
    }

    /// Requests end one a second from `from` on: `F` failed.
    fn requests(it: &mut Incident, from: u64, ends: &str) {
        for (second, letter) in (from..).zip(ends.chars()) {
            it.note_request(at(second), letter != 'F');
        }
    }

    #[test]
    fn the_system_is_well_when_at_most_ten_of_the_last_hundred_requests_failed() {
        let mut it = outage();
        requests(&mut it, 100, &"F".repeat(100));
        // The 90th success after it leaves ten failures.
        requests(&mut it, 200, &"s".repeat(89));
        assert_eq!(it.seconds_to_recover(), None);
        requests(&mut it, 289, "s");
        assert_eq!(it.seconds_to_recover(), Some(89.0));
        // What comes later, good or bad, changes nothing.
        requests(&mut it, 290, &"F".repeat(200));
        assert_eq!((it.recovered, it.seconds_to_recover()), (1, Some(89.0)));
    }

    #[test]
    fn a_few_successes_are_no_recovery_nor_is_what_ends_after_arrivals_do() {
        let mut it = outage();
        requests(&mut it, 100, &"F".repeat(100));
        requests(&mut it, 200, &"sssssssF".repeat(100));
        requests(&mut it, 1_000, &"s".repeat(200));
        assert_eq!((it.recovered, it.seconds_to_recover()), (0, None));
    }

    #[test]
    fn who_was_well_all_along_needs_no_time() {
        let mut it = outage();
        requests(&mut it, 50, &"s".repeat(140));
        requests(&mut it, 230, "s");
        assert_eq!(it.seconds_to_recover(), Some(0.0));
        // Fewer than a hundred requests do not suffice to tell.
        let mut few = outage();
        requests(&mut few, 110, &"s".repeat(99));
        assert_eq!(few.seconds_to_recover(), None);
    }

    #[test]
    fn a_breaker_that_was_open_before_needs_no_time() {
        let mut it = outage();
        it.begin(at(120), |provider, now| (provider, now) != (1, at(100)));
        assert_eq!(it.seconds_to_eject(), Some(0.0));
    }

    #[test]
    fn requests_that_end_in_it_are_counted() {
        let mut it = outage();
        for (now, succeeded) in [(99, false), (100, false), (150, true), (199, false), (200, false)] {
            it.note_request(at(now), succeeded);
        }
        assert_eq!((it.requests, it.errors), (3, 2));
    }
}
