//! Counts: whole numbers above zero, as `8000`, `"8k"` or `"200_000"`.
//!
//! The suffixes are decimal: `k` is 1000, not 1024, as price lists and quotas have it. A model card's "8k context"
//! of 8192 tokens is written `8192`.

use super::decimal::{Decimal, Misfit, split_suffix};
use super::{Number, Quantity, quantity};
use schemars::{Schema, json_schema};
use serde::Serializer;
use std::fmt;

/// A whole number from 1 to 2⁶⁴ − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(u64);

impl Count {
    /// The count 1.
    pub const ONE: Count = Count(1);

    /// `value` as a count; `None` if it is zero.
    pub const fn new(value: u64) -> Option<Count> {
        if value == 0 { None } else { Some(Count(value)) }
    }

    /// The number, at least 1.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Quantity for Count {
    const NAME: &'static str = "a count";
    const GRAMMAR: &'static str = "a whole number above 0 (in quotes with k, M or G), like 8000 or \"8k\"";
    const PATTERN: &'static str = r"^[0-9]+(_[0-9]+)*(\.[0-9]+)?[kMG]?$";
    const EXAMPLES: &'static [&'static str] = &["8000", "1000000"];

    fn read(text: &str) -> Result<Count, String> {
        let (number, rest) = Decimal::split(text)?;
        let (factor, rest) = split_suffix(rest);
        if !rest.is_empty() {
            return Err(format!("unknown suffix `{rest}`"));
        }
        match number.times(factor).map(u64::try_from) {
            Ok(Ok(value)) => Count::new(value).ok_or_else(|| "it is zero".into()),
            Ok(Err(_)) | Err(Misfit::TooLarge) => Err("it is too large".into()),
            Err(Misfit::TooFine) => Err("it is not whole".into()),
        }
    }

    fn read_number(number: Number) -> Result<Count, String> {
        match number {
            Number::Unsigned(n) => Count::new(n).ok_or_else(|| "it is zero".into()),
            Number::Negative(_) => Err("it may not be negative".into()),
            Number::Float(_) => Err("it is not written as a whole number".into()),
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }

    fn schema() -> Schema {
        json_schema!({
            "description": Self::description(),
            "oneOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string", "pattern": Self::PATTERN },
            ],
            "examples": [8000, "8k", "200_000"],
        })
    }
}

quantity!(Count);

/// A number of places, which may be none: a whole number from 0 to 2⁶⁴ − 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Places(u64);

impl Places {
    /// The number of places.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Quantity for Places {
    const NAME: &'static str = "a number of places";
    const GRAMMAR: &'static str = "a whole number from 0 (in quotes with k, M or G), like 0, 5000 or \"5k\"";
    const PATTERN: &'static str = Count::PATTERN;
    const EXAMPLES: &'static [&'static str] = &["0", "5000"];

    fn read(text: &str) -> Result<Places, String> {
        if text.trim() == "0" {
            return Ok(Places(0));
        }
        Count::read(text).map(|count| Places(count.0))
    }

    fn read_number(number: Number) -> Result<Places, String> {
        match number {
            Number::Unsigned(n) => Ok(Places(n)),
            Number::Negative(_) | Number::Float(_) => Count::read_number(number).map(|count| Places(count.0)),
        }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }

    fn schema() -> Schema {
        json_schema!({
            "description": Self::description(),
            "oneOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": Self::PATTERN },
            ],
            "examples": [0, 5000, "5k"],
        })
    }
}

quantity!(Places);

impl fmt::Display for Places {
    /// The digits alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Count {
    /// The digits alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    #[test]
    fn counts_are_read() {
        check::<Count>("8000", "8000");
        check::<Count>("\"8k\"", "8000");
        check::<Count>("\"1M\"", "1000000");
        check::<Count>("\"200_000\"", "200000");
        check::<Count>("\"1.5k\"", "1500");
        check::<Count>("1", "1");
        check::<Count>("18446744073709551615", "18446744073709551615");
    }

    #[test]
    fn odd_counts_are_refused() {
        check_refused::<Count>("0", "the number 0 is not a count: it is zero");
        check_refused::<Count>("-3", "the number -3 is not a count: it may not be negative");
        check_refused::<Count>(
            "8.5",
            "the number 8.5 is not a count: it is not written as a whole number",
        );
        check_refused::<Count>(
            "1e6",
            "the number 1000000.0 is not a count: it is not written as a whole number",
        );
        check_refused::<Count>("\"0k\"", "\"0k\" is not a count: it is zero");
        check_refused::<Count>("\"1.0005k\"", "\"1.0005k\" is not a count: it is not whole");
        check_refused::<Count>("\"8K\"", "\"8K\" is not a count: unknown suffix `K`");
        check_refused::<Count>("\"many\"", "\"many\" is not a count: it does not begin with a number");
        check_refused::<Count>("\"1_\"", "\"1_\" is not a count: the `_` in its number is out of place");
        check_refused::<Count>(
            "\"18446744073709551616\"",
            "\"18446744073709551616\" is not a count: it is too large",
        );
    }

    #[test]
    fn a_count_is_written_as_a_number() {
        assert_eq!(serde_json::to_string(&Count::new(8000)).unwrap(), "8000");
    }
}
