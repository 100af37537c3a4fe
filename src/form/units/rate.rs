//! Rates: `"35/s"`, `"1000/min"`, `"2.4M/30d"`, as an exact ratio of a count to a time.
//!
//! Providers publish quotas per minute and per day, people know their traffic per month (30 days); each stays what was written,
//! so that 1000/min is not 16.67/s. Serves requests and tokens alike: what is counted is said by the field.

use super::decimal::{Decimal, split_suffix};
use super::duration::{Duration, nanos};
use super::{Quantity, quantity};
use crate::kernel::time::Span;
use std::fmt;

/// Events per time, above zero: a ratio of two positive integers in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    count: u64,
    nanos: u64,
}

impl Rate {
    /// The events that happen in [`Rate::per`]: the numerator, in lowest terms.
    pub const fn count(self) -> u64 {
        self.count
    }

    /// The time in which [`Rate::count`] events happen: the denominator, in lowest terms.
    pub const fn per(self) -> Span {
        Span::from_nanos(self.nanos)
    }

    /// Events per second, rounded to a float.
    pub fn per_second(self) -> f64 {
        self.count as f64 * 1e9 / self.nanos as f64
    }

    /// The rate times `factor`, to nine digits behind the point of a rate per second; itself for 1. Nothing if that is not above zero, or
    /// beyond what a rate can say.
    pub fn times(self, factor: f64) -> Option<Rate> {
        if factor == 1.0 {
            return Some(self);
        }
        let billionths = (self.per_second() * factor * 1e9).round();
        let fits = (1.0..9e18).contains(&billionths);
        Rate::reduced(billionths as u128, 1_000_000_000_000_000_000)
            .ok()
            .filter(|_| fits)
    }

    fn reduced(count: u128, nanos: u128) -> Result<Rate, String> {
        let divisor = gcd(count, nanos);
        match (u64::try_from(count / divisor), u64::try_from(nanos / divisor)) {
            (Ok(count), Ok(nanos)) => Ok(Rate { count, nanos }),
            (Err(_), _) => Err("it is too large".into()),
            // Less than one event in 584 years.
            (_, Err(_)) if nanos / count > u128::from(u64::MAX) => Err("it is too small".into()),
            (_, Err(_)) => Err("it has too many digits: nine behind the point are enough".into()),
        }
    }
}

/// The greatest common divisor; at least one of the two is positive.
fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What is said for a rate elsewhere, and the unit of its time here.
const SHORT: [(&str, &str); 8] = [
    ("rps", "s"),
    ("qps", "s"),
    ("req/s", "s"),
    ("tps", "s"),
    ("rpm", "min"),
    ("req/min", "min"),
    ("tpm", "min"),
    ("rpd", "day"),
];

impl Quantity for Rate {
    const NAME: &'static str = "a rate";
    const GRAMMAR: &'static str = "a count (k, M, G allowed), `/` and a time in s, min, h, day, week or month \
        (30 days), like \"1000/min\" or \"2.4M/month\"";
    const PATTERN: &'static str = concat!(
        r"^[0-9]+(_[0-9]+)*(\.[0-9]+)?[kMG]?/",
        r"([0-9]+(_[0-9]+)*(\.[0-9]+)?)?(ns|us|ms|s|m|min|h|hour|d|day|week|month)$",
    );
    const EXAMPLES: &'static [&'static str] = &["35/s", "1000/min", "50k/day", "80k/day"];

    fn read(text: &str) -> Result<Rate, String> {
        let (count, rest) = Decimal::split(text)?;
        let (factor, rest) = split_suffix(rest);
        let Some(time) = rest.strip_prefix('/') else {
            return Err(match rest {
                "" => "it has no time".into(),
                _ => match SHORT.iter().find(|(short, _)| rest.trim().eq_ignore_ascii_case(short)) {
                    Some((_, unit)) => format!("write it as \"{}/{unit}\"", text[..text.len() - rest.len()].trim()),
                    None => format!("a `/` should stand where `{rest}` begins"),
                },
            });
        };
        let one = Decimal { digits: 1, places: 0 };
        let (number, unit) = if time.starts_with(|c: char| c.is_ascii_digit()) {
            Decimal::split(time)?
        } else {
            (one, time)
        };
        let days = |days: u128| {
            let digits = number.digits * days;
            nanos(Decimal { digits, ..number }, "d")
        };
        let nanos = match unit {
            "week" => days(7)?,
            // Of no fixed length, and of thirty days wherever a report speaks of a month.
            "month" => days(30)?,
            _ => nanos(number, unit)?,
        };
        if nanos == 0 {
            return Err("its time is zero".into());
        }
        if count.digits == 0 {
            return Err("it is zero".into());
        }
        // 24 digits and a suffix of 9 more fit; the denominator need not.
        let nanos = 10_u128
            .checked_pow(count.places)
            .and_then(|ten| ten.checked_mul(u128::from(nanos)));
        Rate::reduced(count.digits * factor, nanos.ok_or("it is too small")?)
    }
}

quantity!(Rate);

impl fmt::Display for Rate {
    /// A whole count per second, minute, hour or day, whichever comes first; otherwise the ratio as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, seconds) in [("s", 1_u128), ("min", 60), ("h", 3_600), ("day", 86_400)] {
            let scaled = u128::from(self.count) * seconds * 1_000_000_000;
            if scaled.is_multiple_of(u128::from(self.nanos)) && scaled / u128::from(self.nanos) <= u128::from(u64::MAX)
            {
                return write!(f, "{}/{unit}", Short(scaled / u128::from(self.nanos)));
            }
        }
        write!(f, "{}/{}", Short(u128::from(self.count)), Duration::from(self.per()))
    }
}

/// A count of five digits and more with the largest suffix that leaves it whole.
struct Short(u128);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONG: u128 = 10_000;
        for (suffix, factor) in [("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)] {
            if self.0 >= LONG && self.0.is_multiple_of(factor) {
                return write!(f, "{}{suffix}", self.0 / factor);
            }
        }
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    #[test]
    fn rates_are_exact_ratios() {
        let ratio = |text: &str| {
            let rate: Rate = text.parse().unwrap();
            (rate.count(), rate.per().nanos())
        };
        assert_eq!(ratio("1000/min"), (1, 60_000_000));
        assert_eq!(ratio("0.5/s"), (1, 2_000_000_000));
        assert_eq!(ratio("2.4M/30d"), (1, 1_080_000_000));
        assert_eq!(ratio("2.4M/month"), (1, 1_080_000_000));
        assert_eq!(ratio("260k/month"), (13, 129_600_000_000));
        assert_eq!(ratio("1.2M/week"), (1, 504_000_000));
        assert_eq!(ratio("7/3ns"), (7, 3));
    }

    #[test]
    fn a_rate_can_be_taken_times_a_factor() {
        let times = |text: &str, factor: f64| text.parse::<Rate>().unwrap().times(factor);
        assert_eq!(times("1000/min", 1.0), "1000/min".parse().ok());
        assert_eq!(times("35/s", 2.0), "70/s".parse().ok());
        assert_eq!(times("35/s", 0.1), "3.5/s".parse().ok());
        assert_eq!(times("1000/min", 1.5).map(|rate| rate.to_string()), Some("25/s".into()));
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e30] {
            assert_eq!(times("35/s", factor), None, "{factor}");
        }
    }

    #[test]
    fn per_second_is_the_nearest_float() {
        let per_second = |text: &str| text.parse::<Rate>().unwrap().per_second();
        assert_eq!(per_second("35/s"), 35.0);
        assert_eq!(per_second("1000/min"), 1000.0 / 60.0);
        assert_eq!(per_second("0.1/s"), 0.1);
        assert_eq!(per_second("50k/day"), 50_000.0 / 86_400.0);
    }

    #[test]
    fn rates_have_a_canonical_string() {
        check::<Rate>("\"35/s\"", "35/s");
        check::<Rate>("\"1000/min\"", "1000/min");
        check::<Rate>("\"60/min\"", "1/s");
        check::<Rate>("\"50k/day\"", "50k/day");
        check::<Rate>("\"2.4M/30d\"", "80k/day");
        check::<Rate>("\"1.5k/hour\"", "25/min");
        check::<Rate>("\"1M/min\"", "1M/min");
        check::<Rate>("\"0.25/s\"", "15/min");
        check::<Rate>("\"1/7s\"", "1/7s");
        check::<Rate>("\"1_500/s\"", "1500/s");
        check::<Rate>("\"18446744073709551615/ns\"", "18446744073709551615/1ns");
    }

    #[test]
    fn odd_rates_are_refused() {
        check_refused::<Rate>("35", "the number 35 is not a rate: it has no unit");
        check_refused::<Rate>("\"35\"", "\"35\" is not a rate: it has no time");
        check_refused::<Rate>("\"35/\"", "\"35/\" is not a rate: it has no unit");
        check_refused::<Rate>("\"0/s\"", "\"0/s\" is not a rate: it is zero");
        check_refused::<Rate>("\"5/0s\"", "\"5/0s\" is not a rate: its time is zero");
        check_refused::<Rate>("\"-5/s\"", "\"-5/s\" is not a rate: it may not be negative");
        check_refused::<Rate>("\"/s\"", "\"/s\" is not a rate: it does not begin with a number");
        check_refused::<Rate>("\"5/year\"", "\"5/year\" is not a rate: unknown unit `year`");
        check_refused::<Rate>("\"5/30\"", "\"5/30\" is not a rate: it has no unit");
        check_refused::<Rate>(
            "\"1M tokens/min\"",
            "\"1M tokens/min\" is not a rate: a `/` should stand where ` tokens/min` begins",
        );
        check_refused::<Rate>(
            "\"5K/s\"",
            "\"5K/s\" is not a rate: a `/` should stand where `K/s` begins",
        );
        check_refused::<Rate>("\"1/600y\"", "\"1/600y\" is not a rate: unknown unit `y`");
        check_refused::<Rate>(
            "\"1/213504d\"",
            "\"1/213504d\" is not a rate: it is longer than 584 years",
        );
        check_refused::<Rate>(
            "\"0.00000000001/s\"",
            "\"0.00000000001/s\" is not a rate: it is too small",
        );
        check_refused::<Rate>(
            "\"6.214539682474356/s\"",
            "\"6.214539682474356/s\" is not a rate: it has too many digits: nine behind the point are enough",
        );
        check_refused::<Rate>(
            "\"100000000000G/ns\"",
            "\"100000000000G/ns\" is not a rate: it is too large",
        );
    }
}
