//! How well a figure is to be known: half of its interval as a share of its value.

use std::fmt;

use schemars::{Schema, json_schema};
use serde::Serializer;

use super::{Fraction, Number, Quantity, quantity};

/// A relative precision: how far an interval may reach to either side, as a share of the figure, above 0 and at most 1/2.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Precision(f64);

impl Precision {
    /// `share` as a precision; nothing if it is not above 0 or is above 1/2.
    pub fn new(share: f64) -> Option<Precision> {
        (share > 0.0 && share <= 0.5).then_some(Precision(share))
    }

    /// The share, above 0 and at most 1/2.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Quantity for Precision {
    const NAME: &'static str = "a precision";
    const GRAMMAR: &'static str = "a share of the figure above 0 and up to 50%, like \"±2%\" or \"2%\"";
    const PATTERN: &'static str = r"^±?[0-9]+(_[0-9]+)*(\.[0-9]+)?%?$";
    const EXAMPLES: &'static [&'static str] = &["±2%", "0.5%"];

    fn read(text: &str) -> Result<Precision, String> {
        let share = Fraction::read(text.trim_start_matches('±').trim_start())?;
        Precision::new(share.get()).ok_or_else(|| "it is not between 0 and 50%".into())
    }

    fn read_number(number: Number) -> Result<Precision, String> {
        let share = Fraction::read_number(number)?;
        Precision::new(share.get()).ok_or_else(|| "it is not between 0 and 0.5".into())
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }

    fn schema() -> Schema {
        json_schema!({
            "description": Self::description(),
            "oneOf": [
                { "type": "number", "exclusiveMinimum": 0, "maximum": 0.5 },
                { "type": "string", "pattern": Self::PATTERN },
            ],
            "examples": Self::EXAMPLES,
        })
    }
}

quantity!(Precision);

impl fmt::Display for Precision {
    /// As a percentage with its sign: `±2%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Percentages of few decimals are shown as they were written.
        let percent = (self.0 * 1e10 + 0.5).floor() / 1e8;
        write!(f, "±{percent}%")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    #[test]
    fn precisions_are_read() {
        check::<Precision>("\"±2%\"", "±2%");
        check::<Precision>("\"0.5%\"", "±0.5%");
        check::<Precision>("\"± 7%\"", "±7%");
        check::<Precision>("0.02", "±2%");
        check::<Precision>("\"50%\"", "±50%");
    }

    #[test]
    fn others_are_refused() {
        for (json, found, why) in [
            ("\"0%\"", "\"0%\"", "it is not between 0 and 50%"),
            ("\"60%\"", "\"60%\"", "it is not between 0 and 50%"),
            ("0.6", "the number 0.6", "it is not between 0 and 0.5"),
            ("\"2apples\"", "\"2apples\"", "unknown unit `apples`"),
        ] {
            check_refused::<Precision>(json, &format!("{found} is not a precision: {why}"));
        }
    }
}
