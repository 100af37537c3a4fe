//! Durations: `"250ms"`, `"1.5s"`, `"10m"`, `"7d"`, in whole nanoseconds.
//!
//! One number and one unit; `"1m30s"` is `"90s"`. Days are 24 hours. Months and years have no fixed length and do
//! not occur.

use super::decimal::{Decimal, Misfit, show};
use super::{Quantity, quantity};
use crate::kernel::time::Span;
use std::fmt;

/// A length of time as a file writes it: zero to 584 years, in whole nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(Span);

/// Nanoseconds of the units of time; the canonical name of a length comes first.
const UNITS: [(&str, u64); 10] = [
    ("d", 86_400_000_000_000),
    ("day", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("hour", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Duration {
    /// The span of simulated time.
    pub const fn span(self) -> Span {
        self.0
    }
}

/// The seconds of a length of time as another tool may write it: `10m`, or with several units, `1h30m`; nothing for another text.
pub fn seconds(text: &str) -> Option<f64> {
    let (number, units) = Decimal::split(text.trim()).ok()?;
    Some(sum(number, units)?.span().seconds())
}

impl From<Span> for Duration {
    fn from(span: Span) -> Duration {
        Duration(span)
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Span {
        duration.0
    }
}

/// `number` of the unit that `unit` names, in nanoseconds, or a clause that says what is wrong.
pub(super) fn nanos(number: Decimal, unit: &str) -> Result<u64, String> {
    let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(if unit.is_empty() {
            "it has no unit".into()
        } else if let Some(sum) = sum(number, unit) {
            format!("it has more than one unit, and may have one, like \"{sum}\"")
        } else {
            format!("unknown unit `{unit}`")
        });
    };
    match number.times(u128::from(*length)).map(u64::try_from) {
        Ok(Ok(nanos)) => Ok(nanos),
        Ok(Err(_)) | Err(Misfit::TooLarge) => Err("it is longer than 584 years".into()),
        Err(Misfit::TooFine) => Err("it is not a whole number of nanoseconds".into()),
    }
}

/// What `number` and `rest` amount to, if `rest` is a unit and then further numbers with their units: of `12h30m`, 750 minutes.
fn sum(number: Decimal, rest: &str) -> Option<Duration> {
    let mut sum = Span::ZERO;
    let (mut number, mut rest) = (number, rest);
    loop {
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, further) = rest.split_at(end);
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let nanos = u64::try_from(number.times(u128::from(*length)).ok()?).ok()?;
        sum = Span::from_nanos(sum.nanos().checked_add(nanos)?);
        if further.is_empty() {
            return Some(Duration(sum));
        }
        (number, rest) = Decimal::split(further).ok()?;
    }
}

impl Quantity for Duration {
    const NAME: &'static str = "a duration";
    const GRAMMAR: &'static str = "a number and one of ns, us, ms, s, m, h, d, like \"250ms\"";
    const PATTERN: &'static str = r"^[0-9]+(_[0-9]+)*(\.[0-9]+)?(ns|us|ms|s|m|min|h|hour|d|day)$";
    const EXAMPLES: &'static [&'static str] = &["250ms", "1.5s", "10m", "7d"];

    fn read(text: &str) -> Result<Duration, String> {
        let (number, unit) = Decimal::split(text)?;
        nanos(number, unit).map(|nanos| Duration(Span::from_nanos(nanos)))
    }
}

quantity!(Duration);

impl fmt::Display for Duration {
    /// The largest unit that gives a whole number, or below a minute a short decimal: `90s`, `1.5s`, `7d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.nanos();
        for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
            let length = length * 1_000_000_000;
            if nanos > 0 && nanos.is_multiple_of(length) {
                return write!(f, "{}{unit}", nanos / length);
            }
        }
        let (unit, places) = match nanos {
            0 | 1_000_000_000.. => ("s", 9),
            1_000_000.. => ("ms", 6),
            1_000.. => ("us", 3),
            _ => ("ns", 0),
        };
        write!(f, "{}{unit}", show(u128::from(nanos), places))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    #[test]
    fn durations_are_read_exactly() {
        let nanos = |json: &str| serde_json::from_str::<Duration>(json).unwrap().span().nanos();
        assert_eq!(nanos("\"250ms\""), 250_000_000);
        assert_eq!(nanos("\"0.1s\""), 100_000_000);
        assert_eq!(nanos("\"1.000000001s\""), 1_000_000_001);
        assert_eq!(nanos("\"18446744073709551615ns\""), u64::MAX);
    }

    #[test]
    fn durations_have_a_canonical_string() {
        check::<Duration>("\"250ms\"", "250ms");
        check::<Duration>("\"1500ms\"", "1.5s");
        check::<Duration>("\"10min\"", "10m");
        check::<Duration>("\"90s\"", "90s");
        check::<Duration>("\"1.5h\"", "90m");
        check::<Duration>("\"2h\"", "2h");
        check::<Duration>("\"168hour\"", "7d");
        check::<Duration>("\"1day\"", "1d");
        check::<Duration>("\"100us\"", "100us");
        check::<Duration>("\"50ns\"", "50ns");
        check::<Duration>("\"1_000.5us\"", "1.0005ms");
        check::<Duration>("\"0ms\"", "0s");
    }

    #[test]
    fn odd_durations_are_refused() {
        check_refused::<Duration>("250", "the number 250 is not a duration: it has no unit");
        check_refused::<Duration>("-1.5", "the number -1.5 is not a duration: it has no unit");
        check_refused::<Duration>("-7", "the number -7 is not a duration: it has no unit");
        check_refused::<Duration>("\"250\"", "\"250\" is not a duration: it has no unit");
        check_refused::<Duration>("\"\"", "\"\" is not a duration: it is empty");
        check_refused::<Duration>("\"-5ms\"", "\"-5ms\" is not a duration: it may not be negative");
        check_refused::<Duration>("\"ms\"", "\"ms\" is not a duration: it does not begin with a number");
        check_refused::<Duration>("\"1 s\"", "\"1 s\" is not a duration: unknown unit ` s`");
        check_refused::<Duration>("\"5M\"", "\"5M\" is not a duration: unknown unit `M`");
        check_refused::<Duration>(
            "\"1m30s\"",
            "\"1m30s\" is not a duration: it has more than one unit, and may have one, like \"90s\"",
        );
        check_refused::<Duration>("\"1h30\"", "\"1h30\" is not a duration: unknown unit `h30`");
        check_refused::<Duration>("\"1e3s\"", "\"1e3s\" is not a duration: unknown unit `e3s`");
        check_refused::<Duration>(
            "\"1.s\"",
            "\"1.s\" is not a duration: the `.` in its number is out of place",
        );
        check_refused::<Duration>(
            "\"0.5ns\"",
            "\"0.5ns\" is not a duration: it is not a whole number of nanoseconds",
        );
        check_refused::<Duration>(
            "\"213504d\"",
            "\"213504d\" is not a duration: it is longer than 584 years",
        );
    }
}
