//! Days of the week and times of day of a replication, in UTC.
//!
//! A replication begins at a time of a week, and weeks follow each other without end: there are no dates, no months of
//! different lengths and no summer time. Whatever goes by the clock asks here, so that all of it goes by the same one.

use super::time::{Span, Time};

/// Nanoseconds in a minute, and minutes in a day and in a week.
const MINUTE: u64 = 60_000_000_000;
/// Minutes in a day.
pub const DAY_MINUTES: usize = 24 * 60;
/// Minutes in a week.
pub const WEEK_MINUTES: usize = 7 * DAY_MINUTES;

/// What the clock says when a replication begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Nanoseconds since the last Monday, 00:00 UTC, at [`Time::ZERO`]: less than a week.
    starts: u64,
}

impl Calendar {
    /// A calendar in which [`Time::ZERO`] is so long after Monday, 00:00 UTC.
    pub const fn starting(after_monday: Span) -> Calendar {
        Calendar {
            starts: after_monday.nanos() % (WEEK_MINUTES as u64 * MINUTE),
        }
    }

    /// The calendar of what begins so long before.
    #[must_use]
    pub const fn before(self, span: Span) -> Calendar {
        const WEEK: u64 = WEEK_MINUTES as u64 * MINUTE;
        Calendar {
            starts: (self.starts + WEEK - span.nanos() % WEEK) % WEEK,
        }
    }

    /// The number of the minute of the week that `at` is in, from Monday, 00:00 UTC.
    #[inline]
    pub const fn minute(self, at: Time) -> usize {
        const WEEK: u64 = WEEK_MINUTES as u64 * MINUTE;
        ((at.nanos() % WEEK + self.starts) % WEEK / MINUTE) as usize
    }

    /// The time of day at [`Time::ZERO`].
    pub const fn time_of_day(self) -> Span {
        Span::from_nanos(self.starts % (DAY_MINUTES as u64 * MINUTE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_go_round_with_the_week() {
        let hours = |h: u64| Span::from_secs(3600 * h);
        let at = |h: u64| Time::ZERO + hours(h);
        let monday = Calendar::default();
        assert_eq!(
            [0, 1, 167, 168, 169].map(|h| monday.minute(at(h))),
            [0, 60, 167 * 60, 0, 60]
        );
        let sunday = Calendar::starting(hours(6 * 24 + 23));
        assert_eq!([0, 1, 2].map(|h| sunday.minute(at(h))), [167 * 60, 0, 60]);
        assert_eq!(sunday.time_of_day(), hours(23));
        assert_eq!(monday.before(hours(168 + 1)), Calendar::starting(hours(167)));
        assert_eq!(monday.minute(Time::from_nanos(MINUTE - 1)), 0);
        assert!(sunday.minute(Time::NEVER) < WEEK_MINUTES);
    }
}
