//! Quantities as a file writes them: a number and its unit in one string, kept exact.
//!
//! `"250ms"`, `"1000/min"`, `"$0.42/Mtok"`: a bare number would leave the unit to memory, which is how a timeout of 30
//! comes to be 30 ms. Each type reads its string without passing through a float, writes back one canonical
//! string that reads as the same value, and describes itself in the JSON Schema. Where a bare number has only one
//! meaning ([`Fraction`], [`Count`]) it is taken too.
//! What quantities do (adding, scaling) belongs to the parts that use them, not here.

mod count;
mod decimal;
mod duration;
mod fraction;
mod growth;
mod money;
mod precision;
mod rate;
mod time_unit;
mod week_time;

pub use count::{Count, Places};
pub use duration::{Duration, seconds};
pub use fraction::{Fraction, Part};
pub use growth::Growth;
pub use money::{Money, MoneyRate, TokenPrice};
pub use precision::Precision;
pub use rate::Rate;
pub use time_unit::TimeUnit;
pub use week_time::{DAYS, WeekTime, minutes, weekday};

use schemars::{Schema, json_schema};
use serde::Serializer;
use serde::de::{self, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A text that is not the quantity it should be: says what was found, why it is wrong, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

impl UnitError {
    fn new<Q: Quantity>(found: &dyn fmt::Display, reason: &str) -> UnitError {
        UnitError(format!("{found} is not {}: {reason}; write {}", Q::NAME, Q::GRAMMAR))
    }
}

/// A bare JSON number where a quantity should be.
#[derive(Clone, Copy, Debug)]
enum Number {
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Unsigned(n) => write!(f, "{n}"),
            Number::Negative(n) => write!(f, "{n}"),
            Number::Float(x) => write!(f, "{x:?}"),
        }
    }
}

/// What a quantity says of itself; `quantity!` makes the reading and writing from it.
trait Quantity: Sized + fmt::Display {
    /// With its article: `a duration`.
    const NAME: &'static str;
    /// What to write, with an example; follows "write ".
    const GRAMMAR: &'static str;
    /// The regular expression of the string form.
    const PATTERN: &'static str;
    /// Examples in canonical form.
    const EXAMPLES: &'static [&'static str];

    /// The value of `text`, or a clause that says what is wrong.
    fn read(text: &str) -> Result<Self, String>;

    /// The value of a bare number, or a clause that says what is wrong.
    fn read_number(_: Number) -> Result<Self, String> {
        Err("it has no unit".into())
    }

    /// Writes the canonical form.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }

    /// The JSON Schema.
    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "description": Self::description(),
            "pattern": Self::PATTERN,
            "examples": Self::EXAMPLES,
        })
    }

    fn description() -> String {
        let mut name = Self::NAME.to_string();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        format!("{name}: {}.", Self::GRAMMAR)
    }

    /// `text` read, with the whole message if it is wrong.
    fn parse(text: &str) -> Result<Self, UnitError> {
        Self::read(text).map_err(|reason| UnitError::new::<Self>(&Quoted(text), &reason))
    }
}

/// A found string in quotes, cut short if it is long.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Reads a quantity from a JSON string or number.
struct QuantityVisitor<Q>(PhantomData<Q>);

impl<Q: Quantity> QuantityVisitor<Q> {
    fn number<E: de::Error>(self, number: Number) -> Result<Q, E> {
        Q::read_number(number)
            .map_err(|reason| E::custom(UnitError::new::<Q>(&format_args!("the number {number}"), &reason)))
    }
}

impl<Q: Quantity> Visitor<'_> for QuantityVisitor<Q> {
    type Value = Q;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Q::NAME, Q::GRAMMAR)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        Q::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Q, E> {
        self.number(Number::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Q, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => self.number(Number::Negative(number)),
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Q, E> {
        self.number(Number::Float(number))
    }
}

/// `FromStr`, `Deserialize`, `Serialize` and `JsonSchema` of a [`Quantity`].
macro_rules! quantity {
    ($Type:ident) => {
        impl std::str::FromStr for $Type {
            type Err = $crate::form::units::UnitError;

            fn from_str(text: &str) -> Result<$Type, Self::Err> {
                <$Type as $crate::form::units::Quantity>::parse(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$Type, D::Error> {
                deserializer.deserialize_any($crate::form::units::QuantityVisitor(std::marker::PhantomData))
            }
        }

        impl serde::Serialize for $Type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::form::units::Quantity::write(self, serializer)
            }
        }

        impl schemars::JsonSchema for $Type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($Type).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($Type)).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$Type as $crate::form::units::Quantity>::schema()
            }
        }
    };
}
use quantity;

#[cfg(test)]
mod tests;
