//! How a file writes a query: read, written and described by hand, so that a mistake keeps its place in the file.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Clause, Operand, Operator, Query, Value, Wanted};
use crate::form::object;

impl<'de> Deserialize<'de> for Query {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Query, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Query;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Query, A::Error> {
                let mut clauses = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    clauses.push(match key.as_str() {
                        "$and" => Clause::And(map.next_value()?),
                        "$or" => Clause::Or(map.next_value()?),
                        _ => {
                            let wanted = map.next_value()?;
                            Clause::Field(key, wanted)
                        }
                    });
                }
                Ok(Query(clauses))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

struct ValueReader;

impl Visitor<'_> for ValueReader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Truth(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("it is not a finite number"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueReader)
    }
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Wanted, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Wanted;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or an object of operators")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Wanted, E> {
                ValueReader.visit_bool(value).map(Wanted::Equal)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Wanted, E> {
                ValueReader.visit_u64(value).map(Wanted::Equal)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Wanted, E> {
                ValueReader.visit_i64(value).map(Wanted::Equal)
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Wanted, E> {
                ValueReader.visit_f64(value).map(Wanted::Equal)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Wanted, E> {
                ValueReader.visit_str(value).map(Wanted::Equal)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wanted, A::Error> {
                let mut operators = Vec::new();
                while let Some(operator) = map.next_key()? {
                    let operand = match operator {
                        Operator::In | Operator::Nin => Operand::Many(map.next_value::<List>()?.0),
                        Operator::Eq
                        | Operator::Ne
                        | Operator::Gt
                        | Operator::Gte
                        | Operator::Lt
                        | Operator::Lte
                        | Operator::Regex => Operand::One(map.next_value()?),
                    };
                    operators.push((operator, operand));
                }
                Ok(Wanted::All(operators))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The list of values that `$in` and `$nin` hold.
struct List(Vec<Value>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<List, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(List(values))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

impl Serialize for Query {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for clause in &self.0 {
            match clause {
                Clause::And(queries) => map.serialize_entry("$and", queries)?,
                Clause::Or(queries) => map.serialize_entry("$or", queries)?,
                Clause::Field(field, wanted) => map.serialize_entry(field, wanted)?,
            }
        }
        map.end()
    }
}

impl Serialize for Wanted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Wanted::Equal(value) => value.serialize(serializer),
            Wanted::All(operators) => {
                let mut map = serializer.serialize_map(Some(operators.len()))?;
                for (operator, operand) in operators {
                    match operand {
                        Operand::One(value) => map.serialize_entry(operator, value)?,
                        Operand::Many(values) => map.serialize_entry(operator, values)?,
                    }
                }
                map.end()
            }
        }
    }
}

impl JsonSchema for Query {
    fn schema_name() -> Cow<'static, str> {
        "Query".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let queries = generator.subschema_for::<Vec<Query>>();
        let said = |says: &str| {
            let mut schema = queries.clone();
            schema.insert("description".to_owned(), says.into());
            schema
        };
        let all = said("Queries that must all hold.");
        let any = said("Queries of which one must hold.");
        let value = json_schema!({ "type": ["string", "number", "boolean"] });
        let operators = object(Operator::NAMES.into_iter().map(|name| {
            let many = name == "$in" || name == "$nin";
            let list = json_schema!({ "type": "array", "items": value });
            (name.to_owned(), if many { list } else { value.clone() }.to_value())
        }));
        json_schema!({
            "description": "Fields of a request, all of which must be as said.",
            "type": "object",
            "properties": { "$and": all, "$or": any },
            "patternProperties": {
                "^(metadata\\..+|params\\.max_tokens|class|input|user|priority)$": { "anyOf": [
                    value,
                    { "type": "object", "properties": operators, "additionalProperties": false },
                ] },
            },
            "additionalProperties": false,
        })
    }
}
