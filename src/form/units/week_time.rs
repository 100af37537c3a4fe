//! A time of the week, in UTC: `"monday 08:30"`.
//!
//! The day is one of the seven English names or their first three letters, in any case; without a time it is midnight.

use super::{Quantity, quantity};
use crate::kernel::time::Span;
use std::fmt;

/// The days of the week, Monday first.
pub const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// A time of the week, to the minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeekTime {
    /// Minutes since Monday, 00:00.
    minutes: u16,
}

impl WeekTime {
    /// How long it is after Monday, 00:00 UTC.
    pub const fn after_monday(self) -> Span {
        Span::from_secs(self.minutes as u64 * 60)
    }
}

/// The number of a day of the week, from 0 for Monday; by its English name or the first three letters and more of it.
pub fn weekday(name: &str) -> Option<u8> {
    let name = name.trim().to_ascii_lowercase();
    let found = DAYS.iter().position(|day| name.len() >= 3 && day.starts_with(&name))?;
    u8::try_from(found).ok()
}

/// Minutes since midnight of a time of day like `08:30`.
pub fn minutes(time: &str) -> Option<u16> {
    let (hours, minutes) = time.split_once(':')?;
    let number = |text: &str, below: u16| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|&n| digits && n < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

impl Quantity for WeekTime {
    const NAME: &'static str = "a time of the week";
    const GRAMMAR: &'static str =
        "a day and, if it is not midnight, a time of day in UTC, like \"monday\" or \"sunday 16:30\"";
    const PATTERN: &'static str = r"^[A-Za-z]{3,9}( [0-9]{1,2}:[0-9]{2})?$";
    const EXAMPLES: &'static [&'static str] = &["monday", "sunday 16:30"];

    fn read(text: &str) -> Result<WeekTime, String> {
        let (day, time) = text
            .split_once(' ')
            .map_or((text, None), |(day, time)| (day, Some(time)));
        let number = weekday(day).ok_or_else(|| format!("`{day}` is not a day of the week"))?;
        let time = match time {
            None => 0,
            Some(time) => minutes(time).ok_or_else(|| format!("`{time}` is not a time from 00:00 to 23:59"))?,
        };
        Ok(WeekTime {
            minutes: u16::from(number) * 1440 + time,
        })
    }
}

quantity!(WeekTime);

impl fmt::Display for WeekTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, time) = (usize::from(self.minutes / 1440), self.minutes % 1440);
        f.write_str(DAYS[day])?;
        if time > 0 {
            write!(f, " {:02}:{:02}", time / 60, time % 60)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    #[test]
    fn times_of_the_week_are_read() {
        check::<WeekTime>("\"monday\"", "monday");
        check::<WeekTime>("\"Mon 00:00\"", "monday");
        check::<WeekTime>("\"SUN 16:30\"", "sunday 16:30");
        check::<WeekTime>("\"thurs 8:05\"", "thursday 08:05");
        let late = "sunday 23:59".parse::<WeekTime>().unwrap();
        assert_eq!(late.after_monday(), Span::from_secs(7 * 86_400 - 60));
    }

    #[test]
    fn others_are_refused() {
        check_refused::<WeekTime>(
            "\"mo\"",
            "\"mo\" is not a time of the week: `mo` is not a day of the week",
        );
        check_refused::<WeekTime>(
            "\"monday 24:00\"",
            "\"monday 24:00\" is not a time of the week: `24:00` is not a time from 00:00 to 23:59",
        );
        check_refused::<WeekTime>("7", "the number 7 is not a time of the week: it has no unit");
    }
}
