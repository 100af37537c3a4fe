//! The prices of a provider in an experiment: a tariff by its name, or prices by the token as a model file has them.
//!
//! `simcap models NAME` and the models that `simcap fit` writes say `{ "input": "$2.00/Mtok", "output": "$8.00/Mtok" }`: what is copied
//! from there into an experiment means `per_token`. The first name in the object tells which of the two it is, so nothing is read
//! twice and a mistake keeps its place.

use std::cell::Cell;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{Error as Silent, MapAccessDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{PerToken, PriceSpec};
use crate::form::registry::Whole;

/// Reads prices, or `null` for none.
///
/// # Errors
/// If they are neither a tariff nor prices by the token.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PriceSpec>, D::Error> {
    Option::<Prices>::deserialize(deserializer).map(|prices| prices.map(|prices| prices.0))
}

/// The schema of what [`read`] reads.
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    let (named, bare) = (generator.subschema_for::<PriceSpec>(), PerToken::json_schema(generator));
    json_schema!({ "anyOf": [named, bare, { "type": "null" }] })
}

struct Prices(PriceSpec);

impl<'de> Deserialize<'de> for Prices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Prices, D::Error> {
        deserializer.deserialize_any(Reader).map(Prices)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = PriceSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or an object with one name and its parameters")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<PriceSpec, E> {
        PriceSpec::deserialize(name.into_deserializer())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PriceSpec, A::Error> {
        let first = map.next_key_seed(First)?;
        let is_bare = first.as_deref().is_some_and(|first| !PriceSpec::NAMES.contains(&first));
        let whole = MapAccessDeserializer::new(Whole { first, map });
        match is_bare {
            true => PerToken::deserialize(whole).map(PriceSpec::per_token),
            false => PriceSpec::deserialize(whole),
        }
    }
}

/// The first name of the object: that of a tariff, or of a price.
struct First;

impl<'de> DeserializeSeed<'de> for First {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let name = String::deserialize(deserializer)?;
        let prices = fields_of::<PerToken>();
        if PriceSpec::NAMES.contains(&name.as_str()) || prices.contains(&name.as_str()) {
            return Ok(name);
        }
        let further = prices.iter().filter(|price| !PriceSpec::NAMES.contains(price));
        let allowed = PriceSpec::NAMES
            .iter()
            .chain(further)
            .copied()
            .collect::<Vec<_>>()
            .join("`, `");
        Err(D::Error::custom(format_args!(
            "unknown variant `{name}`, expected one of `{allowed}`"
        )))
    }
}

/// The names of the fields of `T`, as its reader gives them.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let fields = Cell::new(&[] as &[&str]);
    // It fails for want of a value, having said what it wants.
    let _ = T::deserialize(Asking(&fields));
    fields.get()
}

struct Asking<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Asking<'_> {
    type Error = Silent;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Silent> {
        Err(Silent::custom("there is no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Silent> {
        self.0.set(fields);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::tree::{self, Tree};

    fn prices(json: &str) -> Result<PriceSpec, String> {
        let tree: Tree = serde_json::from_str(json).unwrap();
        tree::read::<Prices>(&tree)
            .map(|prices| prices.0)
            .map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn the_name_per_token_may_be_left_out() {
        let inside = r#"{ "input": "$2.00/Mtok", "output": "$8/Mtok", "per_request": "$0.01" }"#;
        let bare = prices(inside).unwrap();
        assert_eq!(bare.name(), "per_token");
        assert_eq!(Ok(bare), prices(&format!(r#"{{ "per_token": {inside} }}"#)));
        assert_eq!(
            prices(r#"{ "per_request": { "price": "$1" } }"#).unwrap().name(),
            "per_request"
        );
    }

    #[test]
    fn a_wrong_name_is_told_with_all_that_may_stand_there() {
        assert_eq!(
            prices(r#"{ "inptu": "$2/Mtok" }"#).unwrap_err(),
            "unknown variant `inptu`, expected one of `per_token`, `per_request`, `listed`, `reserved`, `own`, `input`, `output`, \
             `cached_input`, `cache_write`, `long_context`, `batch`, `off_peak`"
        );
        assert_eq!(
            prices(r#"{ "input": "$2/Mtok" }"#).unwrap_err(),
            "missing field `output`"
        );
        assert!(
            prices(r#"{ "input": "$2", "output": "$8/Mtok" }"#)
                .unwrap_err()
                .contains("for how many tokens")
        );
    }
}
