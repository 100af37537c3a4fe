//! The spans in which a breaker was open, and what it takes each outcome of a call for: what most breakers here share.

use crate::kernel::time::{Span, Time};
use crate::words::{Outcome, Outcomes};

/// The spans in which a breaker was open. An opening is given its end when it begins, so nothing need happen then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Openings {
    count: u64,
    /// The total length of the earlier openings.
    before: Span,
    since: Time,
    until: Time,
}

impl Openings {
    /// Opens at `now`, which is not before anything that happened; the end of an opening under way is then the
    /// beginning of this one.
    pub(super) fn open(&mut self, now: Time, until: Time) {
        self.before = self.time(now);
        self.count += 1;
        self.since = now;
        self.until = until;
    }

    /// Whether the breaker is open at `now`.
    #[inline]
    pub(super) fn is_open(&self, now: Time) -> bool {
        now < self.until
    }

    /// The time at which the last opening ends or ended.
    #[inline]
    pub(super) fn until(&self) -> Time {
        self.until
    }

    /// Moves the end of the last opening, but not to before its beginning.
    pub(super) fn until_then(&mut self, until: Time) {
        self.until = until.max(self.since);
    }

    /// Repeats the last opening `times` times more, one each `period`.
    pub(super) fn repeat(&mut self, times: u64, period: Span) {
        self.count += times;
        self.before += self.until.since(self.since).times(times);
        self.since += period.times(times);
        self.until += period.times(times);
    }

    /// The time for which the breaker was open, up to `now`.
    pub(super) fn time(&self, now: Time) -> Span {
        self.before + self.until.min(now).since(self.since)
    }

    /// The number of times that the breaker has opened.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

/// The end of an implementation of `Breaker` over the `Openings` in a field, or of `FleetBreaker` over those of `each`
/// element of one: the time open, the number of openings, and a fresh copy, which has its key if the field for it is
/// named.
macro_rules! over_openings {
    ($($field:ident).+ $(; $own:ident)?) => {
        fn time_open(&self, now: crate::kernel::time::Time) -> crate::kernel::time::Span {
            self.$($field).+.time(now)
        }

        fn trips(&self) -> u64 {
            self.$($field).+.count()
        }

        fn fresh(&self, own: crate::kernel::chance::Key) -> Box<dyn super::Breaker> {
            let fresh = self.clone();
            over_openings!(@keyed fresh, own $(, $own)?)
        }
    };

    (each $each:ident $(; $own:ident)?) => {
        fn time_open(&self, provider: usize, now: crate::kernel::time::Time) -> crate::kernel::time::Span {
            self.$each[provider].openings.time(now)
        }

        fn trips(&self, provider: usize) -> u64 {
            self.$each[provider].openings.count()
        }

        fn fresh(&self, own: crate::kernel::chance::Key) -> Box<dyn super::FleetBreaker> {
            let fresh = self.clone();
            over_openings!(@keyed fresh, own $(, $own)?)
        }
    };

    (@keyed $fresh:ident, $key:ident) => {{
        let _ = $key;
        Box::new($fresh)
    }};

    (@keyed $fresh:ident, $key:ident, $own:ident) => {
        Box::new(Self {
            $own: Some($key),
            ..$fresh
        })
    };
}
pub(super) use over_openings;

/// What a breaker takes the end of a call for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The call was a success.
    Success,
    /// The call was a failure.
    Failure,
    /// The call says nothing about the provider.
    Nothing,
}

impl Seen {
    /// What `outcome` is where `failures` are the failures and other answers are successes. An outcome that is not
    /// counted ([`Outcomes::NOT_COUNTED`]) is nothing, unless it is listed.
    #[inline]
    pub(super) fn of(outcome: Outcome, failures: Outcomes) -> Seen {
        if failures.contains(outcome) {
            Seen::Failure
        } else if Outcomes::NOT_COUNTED.contains(outcome) {
            Seen::Nothing
        } else {
            Seen::Success
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::from_secs(secs)
    }

    /// By the table: what is listed is a failure, what the table does not count is nothing, and the rest tells that the
    /// provider answers.
    #[test]
    fn every_outcome_is_seen_as_its_row_says() {
        for outcome in Outcome::ALL {
            let expected = |listed| match outcome.row().seen {
                words::Seen::Nothing => Seen::Nothing,
                _ if listed => Seen::Failure,
                words::Seen::Success | words::Seen::Failure | words::Seen::RateLimit | words::Seen::Refusal => {
                    Seen::Success
                }
            };
            assert_eq!(Seen::of(outcome, Outcomes::NONE), expected(false), "{outcome:?}");
            let any = Seen::of(outcome, Outcomes::ANY_FAILURE);
            assert_eq!(any, expected(outcome != Outcome::Success), "{outcome:?}");
        }
    }

    #[test]
    fn time_open_is_the_union_of_the_openings() {
        let mut it = Openings::default();
        it.open(at(10), at(20));
        assert_eq!(
            (it.time(at(15)), it.time(at(30))),
            (Span::from_secs(5), Span::from_secs(10))
        );
        // An opening that begins inside another one ends that.
        it.open(at(12), at(13));
        assert_eq!((it.time(at(30)), it.count()), (Span::from_secs(3), 2));
        // 12 to 13, 22 to 23 and 32 to 33.
        it.repeat(2, Span::from_secs(10));
        assert_eq!(
            (it.time(at(99)), it.count(), it.until()),
            (Span::from_secs(5), 4, at(33))
        );
    }
}
