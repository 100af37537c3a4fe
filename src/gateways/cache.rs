//! A gateway's own response cache as its configuration says it: what it keeps, how long, and what to know of it.
//!
//! How many requests find an answer is in no configuration. It stands among the assumptions as an experiment has it
//! (`response_cache`), with nothing found by default; where `keyed` is put there, what the configuration says of lives and room is filled in.
//! Left out: namespaces, and single requests that ask for a fresh answer.

use serde_json::{Map, Value, json};

use super::tree::Place;
use crate::report::format::span;

/// A response cache as a configuration has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cache {
    /// Where it stands.
    pub at: Place,
    /// Whether a similar prompt finds an answer too.
    pub semantic: bool,
    /// How long an answer lives, in seconds; nothing if for ever.
    pub ttl: Option<f64>,
    /// Whether a life counts from the first answer under a prompt, rather than from the last.
    pub from_first: bool,
    /// The most answers that are kept; nothing for no bound.
    pub entries: Option<u64>,
    /// Whether each replica keeps answers by itself.
    pub per_replica: bool,
    /// What to know of it, in sentences without their stops.
    pub says: Vec<&'static str>,
}

impl Cache {
    /// What it keeps, in a few words.
    pub fn summary(&self) -> String {
        let mode = if self.semantic { "by meaning" } else { "exact" };
        let ttl = self
            .ttl
            .map_or("for ever".to_owned(), |ttl| format!("for {}", span(ttl)));
        let room = self.entries.map_or(String::new(), |most| format!(", at most {most}"));
        let own = if self.per_replica {
            ", each replica by itself"
        } else {
            ""
        };
        format!("{mode}, answers kept {ttl}{room}{own}")
    }

    /// The facts of it, for machines.
    pub fn facts(&self) -> Value {
        json!({
            "mode": self.mode(), "ttl": self.ttl.map(seconds), "entries": self.entries, "per_gateway": self.per_replica,
            "says": self.says,
        })
    }

    fn mode(&self) -> &'static str {
        if self.semantic { "semantic" } else { "exact" }
    }

    /// What is assumed of it: nothing is found.
    pub fn assumed(&self) -> Map<String, Value> {
        let mut of = Map::new();
        of.insert("hits".to_owned(), json!({ "stated": { "share": 0 } }));
        of
    }

    /// The cache of an experiment, where `assumed` says what is found.
    pub fn part(&self, assumed: &Map<String, Value>) -> Value {
        let mut of = assumed.clone();
        of.entry("mode").or_insert(json!(self.mode()));
        if self.per_replica {
            of.entry("per_gateway").or_insert(json!(true));
        }
        if let Some(Value::Object(keyed)) = of.get_mut("hits").and_then(|hits| hits.get_mut("keyed")) {
            if let Some(ttl) = self.ttl {
                keyed.entry("ttl").or_insert(json!(seconds(ttl)));
            }
            if self.from_first {
                keyed.entry("lives_from").or_insert(json!("first_write"));
            }
            if let Some(entries) = self.entries {
                keyed.entry("entries").or_insert(json!(entries));
                keyed.entry("evicts").or_insert(json!("oldest"));
            }
        }
        Value::Object(of)
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_and_room_are_filled_in_where_prompts_are_kept() {
        let cache = Cache {
            ttl: Some(600.0),
            from_first: true,
            entries: Some(200),
            per_replica: true,
            ..Cache::default()
        };
        assert_eq!(
            cache.summary(),
            "exact, answers kept for 10 min, at most 200, each replica by itself"
        );
        let stated = json!({ "hits": { "stated": { "share": 0 } }, "mode": "exact", "per_gateway": true });
        assert_eq!(cache.part(&cache.assumed()), stated);
        let Value::Object(keyed) = json!({ "hits": { "keyed": { "ttl": "1h" } } }) else {
            unreachable!()
        };
        let hits = json!({ "keyed": { "ttl": "1h", "lives_from": "first_write", "entries": 200, "evicts": "oldest" } });
        assert_eq!(cache.part(&keyed)["hits"], hits);
    }
}
