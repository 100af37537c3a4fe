//! The headers of an answer that concern quotas and retries.
//!
//! `retry-after-ms` (OpenAI, Azure) takes precedence over `Retry-After`, which is seconds or a date (RFC 9110, 10.2.3;
//! seconds with a fraction are accepted too, as openai-python does). Quotas:
//! `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` as OpenAI, Groq and vLLM's gateways send them, without the
//! last word as OpenRouter does (requests are meant), and
//! `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`. A reset is a duration as
//! Go writes it (`6m0s`, `59.56s`, `20ms`), a bare number of seconds, a UNIX time (in s, or in ms from 10¹² on), or a
//! date of RFC 3339. Anything else is ignored, as if the header were absent: headers come from outside and nothing
//! depends on them.

use super::probe::{Quota, Quotas};

/// The relevant headers of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The time after which to retry, in microseconds from the answer.
    pub retry_after_us: Option<u64>,
    /// The state of the quotas.
    pub quotas: Option<Quotas>,
}

/// Reads headers, with names in lower case, of an answer that came at `now_us` (microseconds since 1970).
pub fn read<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>, now_us: u64) -> Said {
    let (mut exact, mut plain) = (None, None);
    let mut quotas = Quotas::default();
    for (name, value) in headers {
        let Ok(value) = std::str::from_utf8(value) else {
            continue;
        };
        let value = value.trim();
        match name {
            "retry-after-ms" => exact = number(value).and_then(|ms| micros(ms * 1e3)),
            "retry-after" => {
                let seconds = number(value).and_then(|s| micros(s * 1e6));
                plain = seconds.or_else(|| Some(http_date(value)?.saturating_sub(now_us)));
            }
            _ => quota(&mut quotas, name, value, now_us),
        }
    }
    Said {
        retry_after_us: exact.or(plain),
        quotas: Some(quotas).filter(|quotas| *quotas != Quotas::default()),
    }
}

/// Records the header, if it is about a quota.
fn quota(quotas: &mut Quotas, name: &str, value: &str, now_us: u64) {
    let (part, of) = if let Some(rest) = name.strip_prefix("x-ratelimit-") {
        rest.split_once('-').unwrap_or((rest, "requests"))
    } else if let Some(rest) = name.strip_prefix("anthropic-ratelimit-") {
        let Some((of, part)) = rest.rsplit_once('-') else {
            return;
        };
        (part, of)
    } else {
        return;
    };
    let slot = match of {
        "requests" => &mut quotas.requests,
        "tokens" => &mut quotas.tokens,
        "input-tokens" => &mut quotas.input_tokens,
        "output-tokens" => &mut quotas.output_tokens,
        _ => return,
    };
    let amount = || number(value).map(|n| n as u64);
    let mut quota = slot.unwrap_or_default();
    match part {
        "limit" => quota.limit = amount(),
        "remaining" => quota.remaining = amount(),
        "reset" => quota.reset_us = reset(value, now_us),
        _ => return,
    }
    *slot = Some(quota).filter(|quota| *quota != Quota::default());
}

/// A finite, nonnegative number in plain digits.
fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|n: &f64| plain && n.is_finite())
}

/// Whole microseconds, at most a century.
fn micros(us: f64) -> Option<u64> {
    const CENTURY: f64 = 100.0 * 366.0 * 86_400e6;
    (0.0..=CENTURY).contains(&us).then_some((us + 0.5) as u64)
}

/// How long until a quota is whole, in microseconds.
fn reset(text: &str, now_us: u64) -> Option<u64> {
    const UNIX_SECONDS: f64 = 1e9;
    const UNIX_MILLIS: f64 = 1e12;
    match number(text) {
        Some(n) if n >= UNIX_MILLIS => Some(micros(n * 1e3)?.saturating_sub(now_us)),
        Some(n) if n >= UNIX_SECONDS => Some(micros(n * 1e6)?.saturating_sub(now_us)),
        Some(n) => micros(n * 1e6),
        None => length(text).or_else(|| Some(rfc3339(text)?.saturating_sub(now_us))),
    }
}

/// A duration as Go's `time.Duration` is written: `1h2m3.5s`.
fn length(mut text: &str) -> Option<u64> {
    let mut sum = 0.0;
    if text.is_empty() {
        return None;
    }
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count = number(&text[..digits])?;
        text = &text[digits..];
        let unit = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        sum += count
            * match &text[..unit] {
                "h" => 3600e6,
                "m" => 60e6,
                "s" => 1e6,
                "ms" => 1e3,
                "us" | "µs" => 1.0,
                "ns" => 1e-3,
                _ => return None,
            };
        text = &text[unit..];
    }
    micros(sum)
}

/// A date such as `Sun, 06 Nov 1994 08:49:37 GMT`, in microseconds since 1970. The two obsolete forms of RFC 9110 are
/// not read.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day = whole(words.next()?, 2)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year = whole(words.next()?, 4)?;
    let (seconds, rest) = time_of_day(words.next()?)?;
    let utc = rest.is_empty() && words.next() == Some("GMT") && words.next().is_none();
    utc.then(|| Some((days(year, month, day)? * 86_400 + seconds) * 1_000_000))?
}

/// A date such as `2026-11-21T16:04:05.123Z`, or with an offset, in microseconds since 1970.
fn rfc3339(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, day) = (whole(year, 4)?, whole(month, 2)?, whole(day, 2)?);
    let (seconds, rest) = time_of_day(time)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("0", rest),
    };
    let fraction = format!("0.{fraction}")
        .parse::<f64>()
        .ok()
        .filter(|_| !fraction.is_empty())?;
    let local = days(year, month, day)? * 86_400 + seconds;
    let utc = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => local,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let offset = whole(hours, 2)? * 3600 + whole(minutes, 2)? * 60;
            match sign {
                "+" => local.checked_sub(offset)?,
                "-" => local + offset,
                _ => return None,
            }
        }
    };
    Some(utc * 1_000_000 + (fraction * 1e6) as u64)
}

/// The seconds of `hh:mm:ss`, and the text that follows.
fn time_of_day(text: &str) -> Option<(u64, &str)> {
    let (time, rest) = text.split_at_checked(8)?;
    let mut parts = time.split(':');
    let (h, m, s) = (parts.next()?, parts.next()?, parts.next()?);
    let (h, m, s) = (whole(h, 2)?, whole(m, 2)?, whole(s, 2)?);
    // 60 is a leap second.
    (parts.next().is_none() && h < 24 && m < 60 && s <= 60).then_some((h * 3600 + m * 60 + s, rest))
}

/// A whole number of exactly `digits` digits.
fn whole(text: &str, digits: usize) -> Option<u64> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// Days from 1970-01-01 to a later date of the Gregorian calendar: leap days of the years before, and of this one.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const LENGTH: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month.checked_sub(1)?).ok()?;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let leap_day = u64::from(is_leap);
    let length = LENGTH.get(month)? + if month == 1 { leap_day } else { 0 };
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    let leaps = |before: u64| before / 4 - before / 100 + before / 400;
    let of_this_year = if month > 1 { leap_day } else { 0 };
    Some((year - 1970) * 365 + leaps(year - 1) - leaps(1969) + BEFORE[month] + of_this_year + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T16:04:05Z, by `date -u -d @1795277045`.
    const NOW: u64 = 1_795_277_045_000_000;

    fn said(headers: &[(&str, &str)]) -> Said {
        read(headers.iter().map(|(name, value)| (*name, value.as_bytes())), NOW)
    }

    #[test]
    fn retry_after_in_every_form() {
        for (value, expected) in [
            ("0", Some(0)),
            ("30", Some(30_000_000)),
            ("1.5", Some(1_500_000)),
            ("Sat, 21 Nov 2026 16:05:05 GMT", Some(60_000_000)),
            ("Sat, 21 Nov 2026 16:00:00 GMT", Some(0)),
            ("-1", None),
            ("1e3", None),
            ("inf", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
            ("99999999999999", None),
            ("Sat, 31 Feb 2026 16:05:05 GMT", None),
            ("Sat, 21 Nov 2026 24:05:05 GMT", None),
            ("Sat, 21 Nov 2026 16:05:05", None),
            ("Saturday, 21-Nov-26 16:05:05 GMT", None),
        ] {
            assert_eq!(said(&[("retry-after", value)]).retry_after_us, expected, "{value:?}");
        }
        let both = said(&[("retry-after-ms", "32"), ("retry-after", "1")]);
        assert_eq!(both.retry_after_us, Some(32_000));
        let odd = said(&[("retry-after-ms", "x"), ("retry-after", "1")]);
        assert_eq!(odd.retry_after_us, Some(1_000_000));
    }

    #[test]
    fn openais_quotas() {
        // As OpenAI's page on rate limits shows them.
        let quotas = said(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        let quota = |limit, remaining, reset| {
            Some(Quota {
                limit: Some(limit),
                remaining: Some(remaining),
                reset_us: Some(reset),
            })
        };
        let expected = Quotas {
            requests: quota(60, 59, 1_000_000),
            tokens: quota(150_000, 149_984, 360_000_000),
            ..Quotas::default()
        };
        assert_eq!(quotas.quotas, Some(expected));
    }

    #[test]
    fn anthropics_quotas() {
        let found = said(&[
            ("anthropic-ratelimit-input-tokens-limit", "50000"),
            ("anthropic-ratelimit-output-tokens-remaining", "7999"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T16:04:06Z"),
        ]);
        let quotas = found.quotas.unwrap();
        assert_eq!(quotas.input_tokens.unwrap().limit, Some(50_000));
        assert_eq!(quotas.output_tokens.unwrap().remaining, Some(7999));
        assert_eq!(quotas.requests.unwrap().reset_us, Some(1_000_000));
        assert_eq!(quotas.tokens, None);
    }

    #[test]
    fn resets_in_every_form() {
        for (value, expected) in [
            ("20ms", Some(20_000)),
            ("2m59.56s", Some(179_560_000)),
            ("1h0m1s", Some(3_601_000_000)),
            ("150µs", Some(150)),
            ("7.66", Some(7_660_000)),
            // OpenRouter and GitHub send a point in time.
            ("1795277046000", Some(1_000_000)),
            ("1795277046", Some(1_000_000)),
            ("2026-11-21T17:04:05.250+01:00", Some(250_000)),
            ("2026-11-21T15:34:06-00:30", Some(1_000_000)),
            ("2024-02-29T00:00:00Z", Some(0)),
            ("2100-02-29T00:00:00Z", None),
            ("5", Some(5_000_000)),
            ("5x", None),
            ("s", None),
            ("1.2.3s", None),
            ("2026-11-21T16:04:05", None),
            ("2026-11-21T16:04:05.Z", None),
        ] {
            let found = said(&[("x-ratelimit-reset", value)]).quotas;
            assert_eq!(found.and_then(|q| q.requests?.reset_us), expected, "{value:?}");
        }
    }

    #[test]
    fn other_headers_and_odd_bytes_say_nothing() {
        assert_eq!(
            said(&[
                ("x-ratelimit-policy", "1"),
                ("anthropic-ratelimit-x", "1"),
                ("date", "x")
            ]),
            Said::default()
        );
        assert_eq!(read([("retry-after", &b"\xff"[..])], NOW), Said::default());
        assert_eq!(said(&[("x-ratelimit-limit-requests", "many")]), Said::default());
    }
}
