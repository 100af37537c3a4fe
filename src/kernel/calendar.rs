//! Days of the week and times of day of a replication, in UTC.
//!
//! A replication begins at a time of a week, and weeks follow each other without end: there are no dates, no months of
//! different lengths and no summer time. Whatever goes by the clock asks here, so that all of it goes by the same one. Dates are
//! of measurements alone ([`date`], [`minute_of`]).

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

/// Whether a trace that spans so many seconds has so many whole days. A hundredth may be missing: its last request came a little before the
/// last of them was over.
pub fn has_days(seconds: f64, days: f64) -> bool {
    seconds >= 0.99 * days * 86_400.0
}

/// The date so many days after 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
pub fn date(days: i64) -> String {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let part = (5 * of_year + 2) / 153;
    let day = of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The minute that so many seconds after 1970-01-01 are in, in UTC: `2026-11-28T16:05Z`.
pub fn minute_of(unix: f64) -> String {
    let minutes = (unix / 60.0).floor() as i64;
    let (day, minute) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    format!("{}T{:02}:{:02}Z", date(day), minute / 60, minute % 60)
}

/// The days from 1970-01-01 to a date as [`date`] writes it; nothing if it is not of that form.
pub fn days_of(date: &str) -> Option<i64> {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let is_date = (0..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date {
        return None;
    }
    // Years begin in March, so that the day that is not always there comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468)
}

/// The minute of the week of what [`minute_of`] writes; nothing if it is not of that form.
pub fn minute_of_week(written: &str) -> Option<usize> {
    let (date, time) = written.strip_suffix('Z')?.split_once('T')?;
    let (hour, minute) = time.split_once(':')?;
    let of_day = hour.parse::<usize>().ok()? * 60 + minute.parse::<usize>().ok()?;
    let days = days_of(date).filter(|_| of_day < DAY_MINUTES)?;
    // 1970-01-01 was a Thursday.
    Some((days + 3).rem_euclid(7) as usize * DAY_MINUTES + of_day)
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

    /// GNU date: `date -u -d @$((86400 * n)) +%F`.
    #[test]
    fn days_become_dates() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (19_782, "2024-02-29"),
            (20_778, "2026-11-21"),
            (11_016, "2000-02-29"),
            (47_540, "2100-02-28"),
        ] {
            assert_eq!(date(days), expected);
        }
    }

    /// GNU date: `date -u -d 2024-02-29 +%a` is Thu, of 2026-11-28 Sat, of 2000-03-01 Wed.
    #[test]
    fn dates_are_days_of_the_week() {
        let day = |date: &str| minute_of_week(&format!("{date}T06:05Z")).map(|minute| minute as i64 - 365);
        assert_eq!(
            ["2024-02-29", "2026-11-28", "2000-03-01"].map(day),
            [Some(3 * 1440), Some(5 * 1440), Some(2 * 1440)]
        );
        for wrong in [
            "",
            "2024-02-29",
            "2024-13-01T00:00Z",
            "2024-02-29T24:00Z",
            "x-y-zT00:00Z",
        ] {
            assert_eq!(minute_of_week(wrong), None, "{wrong}");
        }
    }

    /// GNU date: `date -u -d @1795848831 +%FT%RZ`.
    #[test]
    fn seconds_are_in_a_minute() {
        assert_eq!(minute_of(1_795_848_831.9), "2026-11-28T06:53Z");
        assert_eq!(minute_of(-1.0), "1969-12-31T23:59Z");
    }
}
