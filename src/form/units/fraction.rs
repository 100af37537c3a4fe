//! Fractions: shares, probabilities and thresholds, as `0.7` or `"70%"`.
//!
//! A plain number from 0 to 1 has one meaning only, so it is taken as it is; a percentage carries its sign, so 70 for
//! 0.7 is refused, not guessed.

use super::decimal::Decimal;
use super::{Number, Quantity, quantity};
use schemars::{Schema, json_schema};
use serde::Serializer;
use std::fmt;

/// A number from 0 to 1, both included; never NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Fraction(f64);

impl Fraction {
    /// The fraction 0.
    pub const ZERO: Fraction = Fraction(0.0);
    /// The fraction 1.
    pub const ONE: Fraction = Fraction(1.0);

    /// `value` as a fraction; `None` if it is below 0, above 1 or NaN.
    pub fn new(value: f64) -> Option<Fraction> {
        // Adding 0 turns -0 into 0.
        (0.0..=1.0).contains(&value).then_some(Fraction(value + 0.0))
    }

    /// The number, from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// The parts of [`Part`] in a whole.
const PARTS: u64 = 1_000_000_000;

/// A fraction for whole things: what it is of so many is exact, where a product of floats would fall short of a whole number
/// that the decimal gives (29 % of 12,800 tokens are 3,712, and not 3,711).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part(u64);

impl Part {
    /// So many of `whole`, rounded down.
    #[inline]
    pub const fn of(self, whole: u32) -> u32 {
        // At most 2^32 times 10^9, which 64 bits hold.
        (whole as u64 * self.0 / PARTS) as u32
    }
}

impl From<Fraction> for Part {
    /// The nearest billionth.
    fn from(fraction: Fraction) -> Part {
        Part((fraction.0 * PARTS as f64 + 0.5) as u64)
    }
}

impl Quantity for Fraction {
    const NAME: &'static str = "a fraction";
    const GRAMMAR: &'static str = "a number from 0 to 1 or a percentage, like 0.7 or \"70%\"";
    const PATTERN: &'static str = r"^[0-9]+(_[0-9]+)*(\.[0-9]+)?%?$";
    const EXAMPLES: &'static [&'static str] = &["0.7", "0.025"];

    fn read(text: &str) -> Result<Fraction, String> {
        let (number, unit) = Decimal::split(text)?;
        let (places, limit) = match unit {
            "" => (number.places, "1"),
            "%" => (number.places + 2, "100%"),
            _ => return Err(format!("unknown unit `{unit}`")),
        };
        // The nearest float to the exact decimal, as if it had been written out.
        let value = format!("{}e-{places}", number.digits).parse().ok();
        value
            .and_then(Fraction::new)
            .ok_or_else(|| format!("it is above {limit}"))
    }

    fn read_number(number: Number) -> Result<Fraction, String> {
        let value = match number {
            Number::Unsigned(n) => n as f64,
            Number::Negative(n) => n as f64,
            Number::Float(x) => x,
        };
        Fraction::new(value).ok_or_else(|| match value < 0.0 {
            true => "it may not be negative".into(),
            false => "it is above 1".into(),
        })
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }

    fn schema() -> Schema {
        json_schema!({
            "description": Self::description(),
            "oneOf": [
                { "type": "number", "minimum": 0, "maximum": 1 },
                { "type": "string", "pattern": Self::PATTERN },
            ],
            "examples": [0.7, "70%"],
        })
    }
}

quantity!(Fraction);

impl fmt::Display for Fraction {
    /// The shortest decimal that reads as the same number: `0.7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    #[test]
    fn fractions_are_read() {
        check::<Fraction>("0.7", "0.7");
        check::<Fraction>("\"70%\"", "0.7");
        check::<Fraction>("\"0.7\"", "0.7");
        check::<Fraction>("0", "0");
        check::<Fraction>("-0.0", "0");
        check::<Fraction>("1", "1");
        check::<Fraction>("1.0", "1");
        check::<Fraction>("\"100%\"", "1");
        check::<Fraction>("\"99.9%\"", "0.999");
        check::<Fraction>("1e-7", "0.0000001");
    }

    #[test]
    fn a_percentage_is_the_nearest_float() {
        assert_eq!("7%".parse::<Fraction>().unwrap().get(), 0.07);
        assert_eq!("0.1%".parse::<Fraction>().unwrap().get(), 0.001);
    }

    /// Every percentage of every input up to 20,000, in integers: products of floats are wrong for 906 of these.
    #[test]
    fn a_percentage_of_whole_things_is_exact() {
        for percent in 0..=100_u32 {
            let part = Part::from(format!("{percent}%").parse::<Fraction>().unwrap());
            for whole in (0..20_000).chain([u32::MAX - 1, u32::MAX]) {
                let exact = u64::from(whole) * u64::from(percent) / 100;
                assert_eq!(u64::from(part.of(whole)), exact, "{percent}% of {whole}");
            }
        }
    }

    #[test]
    fn odd_fractions_are_refused() {
        check_refused::<Fraction>("70", "the number 70 is not a fraction: it is above 1");
        check_refused::<Fraction>("1.0000001", "the number 1.0000001 is not a fraction: it is above 1");
        check_refused::<Fraction>("-0.5", "the number -0.5 is not a fraction: it may not be negative");
        check_refused::<Fraction>("-1", "the number -1 is not a fraction: it may not be negative");
        check_refused::<Fraction>("\"70\"", "\"70\" is not a fraction: it is above 1");
        check_refused::<Fraction>("\"101%\"", "\"101%\" is not a fraction: it is above 100%");
        check_refused::<Fraction>("\"-5%\"", "\"-5%\" is not a fraction: it may not be negative");
        check_refused::<Fraction>("\"%\"", "\"%\" is not a fraction: it does not begin with a number");
        check_refused::<Fraction>("\"7 %\"", "\"7 %\" is not a fraction: unknown unit ` %`");
        check_refused::<Fraction>("\"1/2\"", "\"1/2\" is not a fraction: unknown unit `/2`");
    }

    #[test]
    fn no_nan_gets_in() {
        assert_eq!(Fraction::new(f64::NAN), None);
    }
}
