//! Times as files write them: RFC 3339 and what is near to it, dates as `31.12.2025`, or a number of seconds.

/// Nanoseconds since 1970 of a date with a clock (RFC 3339, with a space for the `T` and a comma for the point too; UTC if it has no offset), or
/// since whatever a number of seconds counts from.
pub(crate) fn instant(text: &str) -> Option<i128> {
    let Some((date, clock)) = text.split_once([' ', 'T', 't']) else {
        return decimal(text);
    };
    let is_german = date.contains('.');
    let mut date = date
        .splitn(3, if is_german { '.' } else { '-' })
        .map(|part| part.parse::<i64>().ok());
    let (first, month, last) = (date.next()??, date.next()??, date.next()??);
    let (year, day) = if is_german { (last, first) } else { (first, last) };
    let (clock, offset) = zone(clock)?;
    let mut clock = clock.splitn(3, ':');
    let (hour, minute) = (clock.next()?.parse::<i64>().ok()?, clock.next()?.parse::<i64>().ok()?);
    let second = decimal(clock.next()?)?;
    let in_range = (0..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..61_000_000_000).contains(&second);
    in_range.then(|| {
        let minutes = (days(year, month, day) * 24 + hour) * 60 + minute;
        i128::from(minutes - offset) * 60_000_000_000 + second
    })
}

/// The text of a clock without its offset from UTC, and that offset in minutes; UTC if it has none. `None` for an offset that is not one.
fn zone(clock: &str) -> Option<(&str, i64)> {
    let clock = clock.strip_suffix("UTC").unwrap_or(clock).trim_end();
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else {
        return Some((clock, 0));
    };
    let (clock, offset) = clock.split_at(at);
    let digits = offset[1..].replacen(':', "", 1);
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at(2);
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().unwrap_or(0));
    let whole = hours * 60 + minutes;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    (hours < 24 && minutes < 60).then(|| (clock.trim_end(), sign * whole))
}

/// Whether a date with a clock says its offset from UTC.
pub(super) fn has_zone(text: &str) -> bool {
    let clock = text.split_once([' ', 'T', 't']).map_or("", |(_, clock)| clock);
    clock.ends_with(['Z', 'z']) || clock.ends_with("UTC") || clock.contains(['+', '-'])
}

/// Days of a month in the Gregorian calendar.
const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let year_of_era = y - era * 400;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A decimal number of seconds as nanoseconds, with a point or a comma; digits past the ninth are dropped.
fn decimal(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let digits = |s: &str| s.len() <= 19 && s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let nanos = format!("{:0<9}", &part[..part.len().min(9)]);
    Some(whole.parse::<i128>().ok()? * 1_000_000_000 + nanos.parse::<i128>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leap years of the Gregorian calendar: 2000 is one, 1900 and 2100 are not.
    #[test]
    fn a_day_that_its_month_lacks_is_no_date() {
        for (date, is_one) in [
            ("2024-02-29", true),
            ("2023-02-29", false),
            ("2000-02-29", true),
            ("1900-02-29", false),
            ("2023-04-31", false),
            ("2023-12-31", true),
        ] {
            assert_eq!(instant(&format!("{date} 12:00:00")).is_some(), is_one, "{date}");
        }
    }

    /// One instant, as RFC 3339 and ISO 8601 let it be written; seconds since 1970 by `date -u -d … +%s`.
    #[test]
    fn offsets_are_those_of_rfc_3339() {
        for text in [
            "2024-05-10T00:00:01.5Z",
            "2024-05-10 00:00:01.5",
            "2024-05-10 00:00:01,5 UTC",
            "2024-05-10 02:00:01.5+02:00",
            "2024-05-10 02:00:01.5 +0200",
            "2024-05-10T02:00:01.5+02",
            "2024-05-09T18:30:01.5-05:30",
        ] {
            assert_eq!(instant(text), Some(1_715_299_201_500_000_000), "{text}");
        }
        for text in [
            "2024-05-10 02:00:01+2",
            "2024-05-10 02:00:01+25:00",
            "2024-05-10 02:00:01+0x:00",
            "2024-05-10",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
