//! Dates of the calendar.

use crate::kernel::calendar::date;

/// A date as it was given, if there is such a day.
///
/// # Errors
/// In words: what is wrong, and what is allowed.
pub(super) fn day(text: &str) -> Result<String, String> {
    let wrong = |why: String| Err(format!("{why}; a date is YYYY-MM-DD, like 2026-11-21"));
    let number = |part: &str, digits: usize| {
        let plain = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| plain)
    };
    let parts: Vec<&str> = text.split('-').collect();
    let numbers = match parts[..] {
        [year, month, day] => number(year, 4).zip(number(month, 2)).zip(number(day, 2)),
        _ => None,
    };
    let Some(((year, month), day)) = numbers else {
        return wrong("it is not a date".to_owned());
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return wrong(format!("there is no month {month}")),
    };
    if !(1..=days).contains(&day) {
        return wrong(format!("{year:04}-{month:02} has {days} days, and no {day}"));
    }
    Ok(text.to_owned())
}

/// Today's date (UTC).
pub(super) fn today() -> String {
    #[allow(
        clippy::disallowed_methods,
        reason = "models and growth have a date; no simulated figure depends on it"
    )]
    let now = std::time::SystemTime::now();
    let seconds = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    date((seconds / 86_400) as i64)
}

#[cfg(test)]
mod tests {
    use super::{date, day};
    use crate::kernel::calendar::days_of;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        for good in ["2026-11-21", "2024-02-29", "2000-02-29", "0001-01-01"] {
            assert_eq!(day(good), Ok(good.to_owned()));
        }
        for (bad, why) in [
            ("2026-13-45", "there is no month 13"),
            ("2026-00-01", "there is no month 0"),
            ("2026-02-29", "2026-02 has 28 days, and no 29"),
            ("1900-02-29", "1900-02 has 28 days, and no 29"),
            ("2026-04-00", "2026-04 has 30 days, and no 0"),
            ("2026-4-1", "it is not a date"),
            ("21.11.2026", "it is not a date"),
            ("2026-11-21T10:00", "it is not a date"),
            ("+026-11-21", "it is not a date"),
            ("", "it is not a date"),
        ] {
            assert_eq!(
                day(bad),
                Err(format!("{why}; a date is YYYY-MM-DD, like 2026-11-21")),
                "{bad}"
            );
        }
    }

    /// Every day from 1970 to 2100, against the other way round.
    #[test]
    fn every_day_there_is_is_taken() {
        for days in 0..=47_541 {
            assert!(day(&date(days)).is_ok(), "{}", date(days));
            assert_eq!(days_of(&date(days)), Some(days));
        }
    }
}
