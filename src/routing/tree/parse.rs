//! The form of a tree in a file: `"name"`, or an object with one strategy, policy or `provider`, and maybe a `weight`.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{JsonSchema, Node, PolicySpec, Schema, SchemaGenerator, TreeStrategy, TreeTarget, json_schema};
use crate::form::registry::{Registered, Streamed};

/// The keys that an object may have: `weight` first, which only a target that is drawn has.
static KEYS: [&str; 2 + STRATEGIES + PolicySpec::NAMES.len()] = {
    let mut keys = ["weight"; 2 + STRATEGIES + PolicySpec::NAMES.len()];
    keys[1] = "provider";
    let mut i = 0;
    while i < STRATEGIES {
        keys[2 + i] = TreeStrategy::NAMES[i];
        i += 1;
    }
    let mut i = 0;
    while i < PolicySpec::NAMES.len() {
        keys[2 + STRATEGIES + i] = PolicySpec::NAMES[i];
        i += 1;
    }
    keys
};
const STRATEGIES: usize = TreeStrategy::NAMES.len();

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let reader = Reader { keys: &KEYS[1..] };
        deserializer.deserialize_any(reader).map(|target| target.node)
    }
}

impl<'de> Deserialize<'de> for TreeTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TreeTarget, D::Error> {
        deserializer.deserialize_any(Reader { keys: &KEYS })
    }
}

struct Reader {
    keys: &'static [&'static str],
}

impl<'de> Visitor<'de> for Reader {
    type Value = TreeTarget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a provider's name, or an object with a strategy or a policy")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<TreeTarget, E> {
        let node = Node::Provider(name.to_owned());
        Ok(TreeTarget { weight: None, node })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TreeTarget, A::Error> {
        let (mut weight, mut node) = (None, None::<(String, Node)>);
        loop {
            let beside = node.as_ref().map(|(name, _)| name.as_str());
            let keys = self.keys;
            let Some(key) = map.next_key_seed(Key { keys, beside })? else {
                break;
            };
            if key == "weight" {
                weight = Some(map.next_value()?);
                continue;
            }
            let value = if key == "provider" {
                Node::Provider(map.next_value()?)
            } else if TreeStrategy::NAMES.contains(&key.as_str()) {
                Node::TreeStrategy(Box::new(TreeStrategy::read(&key, Streamed::of(&mut map))?))
            } else {
                Node::Policy(Box::new(PolicySpec::read(&key, Streamed::of(&mut map))?))
            };
            node = Some((key, value));
        }
        let text = "an object that says no target: give a `provider`, a strategy or a policy";
        let (_, node) = node.ok_or_else(|| de::Error::custom(text))?;
        Ok(TreeTarget { weight, node })
    }
}

/// A reader of one of `keys`, which refuses a second target `beside` an earlier one.
struct Key<'a> {
    keys: &'static [&'static str],
    beside: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<String, E> {
        match self.beside {
            _ if !self.keys.contains(&name) => Err(E::unknown_variant(name, self.keys)),
            Some(first) if name != "weight" => Err(E::custom(format_args!(
                "`{name}` stands beside `{first}`: give one target only"
            ))),
            _ => Ok(name.to_owned()),
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::TreeStrategy(strategy) => strategy.serialize(serializer),
            Node::Provider(name) => serializer.serialize_str(name),
            Node::Policy(spec) => spec.serialize(serializer),
        }
    }
}

/// The node of a target as an object, beside which a weight can stand.
struct Object<'a>(&'a Node);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Node::Provider(name) = self.0 else {
            return self.0.serialize(serializer);
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("provider", name)?;
        map.end()
    }
}

impl Serialize for TreeTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Weighted<'a> {
            #[serde(flatten)]
            node: Object<'a>,
            weight: f64,
        }
        match self.weight {
            Some(weight) => Weighted {
                node: Object(&self.node),
                weight,
            }
            .serialize(serializer),
            None => self.node.serialize(serializer),
        }
    }
}

impl JsonSchema for Node {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TreeNode".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (strategy, policy) = (
            generator.subschema_for::<TreeStrategy>(),
            generator.subschema_for::<PolicySpec>(),
        );
        json_schema!({
            "description": "A provider's name, a strategy over further targets, or a policy in its long form.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": { "provider": { "type": "string", "description": "The name of a provider." } },
                    "required": ["provider"], "additionalProperties": false,
                },
                strategy,
                policy,
            ],
        })
    }
}

impl JsonSchema for TreeTarget {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TreeTarget".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let node = generator.subschema_for::<Node>();
        json_schema!({
            "description": "A target, and its weight beside it.",
            "anyOf": [
                node,
                {
                    "type": "object",
                    "properties": {
                        "weight": { "type": "number", "minimum": 0, "description": "The weight of the target. Default: 1." },
                        "provider": { "type": "string", "description": "The name of a provider." },
                    },
                    "required": ["weight"], "propertyNames": { "enum": KEYS.to_vec() },
                    "minProperties": 2, "maxProperties": 2,
                },
            ],
        })
    }
}
