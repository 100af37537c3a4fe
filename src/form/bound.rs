//! The bound of an objective: a quantity in the unit of the figure that it bounds.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::units::{Duration, Fraction, Money, Rate};
use crate::words::Unit;

/// A bound as written; [`Target::value`] reads it once the figure is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A bare number.
    Number(f64),
    /// A quantity with its unit.
    Text(String),
}

impl Target {
    /// The bound in seconds, dollars, per second, as a share or a plain number.
    ///
    /// # Errors
    /// If it is not a quantity of that kind; the message says what one looks like.
    pub fn value(&self, unit: Unit) -> Result<f64, String> {
        fn read<T: std::str::FromStr>(text: &str, value: impl Fn(T) -> f64) -> Result<f64, String>
        where
            T::Err: fmt::Display,
        {
            text.parse::<T>().map(value).map_err(|e| e.to_string())
        }
        match (unit, self) {
            (Unit::Seconds, Target::Text(text)) => read(text, |d: Duration| d.span().seconds()),
            (Unit::Share, Target::Text(text)) => read(text, |f: Fraction| f.get()),
            (Unit::PerSecond, Target::Text(text)) => read(text, |r: Rate| r.per_second()),
            (Unit::Dollars | Unit::Money(_), Target::Text(text)) => read(&ungrouped(text), |m: Money| m.dollars()),
            (Unit::Share, Target::Number(n)) if (0.0..=1.0).contains(n) => Ok(*n),
            (Unit::Share, Target::Number(n)) => {
                Err(format!("{n} is not a share: write 0 to 1, or a string like \"1%\""))
            }
            (Unit::Number, Target::Number(n)) => Ok(*n),
            (Unit::Number, Target::Text(text)) => Err(format!(
                "\"{text}\" is not a plain number: write one without quotes, like 1.2"
            )),
            (_, Target::Number(n)) => {
                let example = match unit {
                    Unit::Seconds => "1.5s",
                    Unit::Dollars | Unit::Money(_) => "$20k",
                    _ => "900/s",
                };
                Err(format!("the number {n} has no unit: write a string like \"{example}\""))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a string like \"1.5s\", \"1%\", \"$20k\" or \"900/s\"")
            }

            fn visit_f64<E: Error>(self, n: f64) -> Result<Target, E> {
                Ok(Target::Number(n))
            }

            fn visit_u64<E: Error>(self, n: u64) -> Result<Target, E> {
                Ok(Target::Number(n as f64))
            }

            fn visit_i64<E: Error>(self, n: i64) -> Result<Target, E> {
                Ok(Target::Number(n as f64))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Target, E> {
                Ok(Target::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Target::Number(n) => serializer.serialize_f64(*n),
            Target::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A quantity in the unit of the figure: \"1.5s\", \"1%\" or 0.01, \"$20k\", \"900/s\", or a number.",
            "type": ["number", "string"]
        })
    }
}

/// The text without commas, if each has a digit before it and three digits and no more behind it: `$200,000`.
fn ungrouped(text: &str) -> String {
    let mut groups = text.split(',');
    let is_begun = groups
        .next()
        .is_some_and(|first| first.ends_with(|c: char| c.is_ascii_digit()));
    let is_group = |group: &str| {
        let digits = group.chars().take_while(char::is_ascii_digit).count();
        digits == 3
    };
    if is_begun && groups.all(is_group) {
        text.replace(',', "")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_read_in_the_unit_of_its_figure() {
        let text = |t: &str| Target::Text(t.into());
        assert_eq!(text("1500ms").value(Unit::Seconds), Ok(1.5));
        assert_eq!(text("1%").value(Unit::Share), Ok(0.01));
        assert_eq!(text("60/min").value(Unit::PerSecond), Ok(1.0));
        assert_eq!(text("$20k").value(Unit::Dollars), Ok(20_000.0));
        assert_eq!(text("$1,200,000").value(Unit::Dollars), Ok(1.2e6));
        assert!(text("$1,20").value(Unit::Dollars).unwrap_err().contains("200_000"));
        assert_eq!(Target::Number(0.01).value(Unit::Share), Ok(0.01));
        assert!(Target::Number(2.0).value(Unit::Seconds).unwrap_err().contains("1.5s"));
        assert!(Target::Number(2.0).value(Unit::Share).is_err());
        assert!(text("fast").value(Unit::Seconds).is_err());
    }
}
