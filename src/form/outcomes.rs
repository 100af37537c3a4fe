//! Sets of outcomes, as a file lists them: by name, by HTTP status, or by kind.
//!
//! ```json
//! [429, "5xx", "timeout", "connection_error"]
//! ```
//!
//! A status may also stand in quotes, "429".

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::build::{Built, Refusal};
use crate::words::{Outcome, Outcomes};

/// Kinds of outcome that go by one name.
const KINDS: [(&str, Outcomes); 4] = [
    ("5xx", Outcomes::SERVER_ERRORS),
    ("timeout", Outcomes::TIMEOUTS),
    ("provider_failure", Outcomes::PROVIDER_FAILURES),
    ("retryable", Outcomes::RETRYABLE),
];

/// The statuses that have an outcome.
const STATUSES: [u16; 9] = [400, 401, 408, 429, 500, 502, 503, 504, 529];

/// A list of outcomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct OutcomeList(Vec<Entry>);

impl OutcomeList {
    /// The outcomes listed.
    pub fn set(&self) -> Outcomes {
        self.0.iter().fold(Outcomes::NONE, |all, entry| all.and(entry.set))
    }

    /// The outcomes that `list`, the field called `field`, names, or `default` if it is not given.
    ///
    /// # Errors
    /// If it is given and names nothing.
    pub fn set_or(list: Option<&OutcomeList>, default: Outcomes, field: &'static str) -> Built<Outcomes> {
        list.map_or(Ok(default), |list| list.some().map_err(|r| r.at(field)))
    }

    /// The outcomes listed, of which there must be one.
    ///
    /// # Errors
    /// If nothing is listed.
    pub fn some(&self) -> Built<Outcomes> {
        if self.is_empty() {
            let text = "an empty list: name at least one outcome, like 429 or \"5xx\", or leave it out";
            return Err(Refusal::new(text));
        }
        Ok(self.set())
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One word or number of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    text: Word,
    set: Outcomes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Name(&'static str),
    Status(u16),
}

/// Every name that an entry may have.
fn names() -> impl Iterator<Item = &'static str> {
    let outcomes = Outcome::ALL
        .into_iter()
        .filter(|&o| !matches!(o, Outcome::Success | Outcome::Cancelled));
    KINDS.iter().map(|&(name, _)| name).chain(outcomes.map(Outcome::name))
}

impl Entry {
    fn named(name: &str) -> Option<Entry> {
        let text = Word::Name(names().find(|n| *n == name)?);
        let kind = KINDS.iter().find(|(kind, _)| *kind == name).map(|&(_, set)| set);
        let single = || Outcome::ALL.into_iter().find(|o| o.name() == name);
        let set = kind.or_else(|| single().map(|o| Outcomes::of(&[o])))?;
        Some(Entry { text, set })
    }

    fn of_status(status: u64) -> Option<Entry> {
        let status = STATUSES.into_iter().find(|&s| u64::from(s) == status)?;
        let with = |o: &Outcome| o.status() == Some(status);
        let all: Vec<Outcome> = Outcome::ALL.into_iter().filter(with).collect();
        Some(Entry {
            text: Word::Status(status),
            set: Outcomes::of(&all),
        })
    }
}

struct EntryVisitor;

impl Visitor<'_> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an outcome: a name like \"5xx\", or a status like 429")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Entry, E> {
        if let Ok(status) = name.parse() {
            return self.visit_u64(status);
        }
        Entry::named(name).ok_or_else(|| {
            let statuses = STATUSES.iter().map(|s| format!("`{s}`"));
            let known: Vec<String> = names().map(|n| format!("`{n}`")).chain(statuses).collect();
            E::custom(format_args!(
                "unknown variant `{name}`, expected one of {}",
                known.join(", ")
            ))
        })
    }

    fn visit_u64<E: de::Error>(self, status: u64) -> Result<Entry, E> {
        Entry::of_status(status).ok_or_else(|| {
            let known: Vec<String> = STATUSES.iter().map(u16::to_string).collect();
            E::custom(format_args!(
                "no outcome has the status {status}; these have one: {}",
                known.join(", ")
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entry, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text {
            Word::Name(name) => serializer.serialize_str(name),
            Word::Status(status) => serializer.serialize_u16(status),
        }
    }
}

impl JsonSchema for Entry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OutcomeName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = names().collect();
        json_schema!({
            "description": "An outcome by name, a kind of outcomes, or an HTTP status.",
            "oneOf": [{ "enum": names }, { "enum": STATUSES }, { "enum": STATUSES.map(|s| s.to_string()) }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_kinds_and_statuses_are_read_and_written_back() {
        let text = r#"[429,"5xx","timeout_ttft",400]"#;
        let list: OutcomeList = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), text);
        let members: Vec<&str> = Outcome::ALL
            .into_iter()
            .filter(|&o| list.set().contains(o))
            .map(Outcome::name)
            .collect();
        insta::assert_snapshot!(members.join(" "), @"rate_limited server_error bad_gateway unavailable gateway_timeout overloaded context_exceeded content_filtered timeout_ttft");
    }

    #[test]
    fn a_status_in_quotes_is_the_status() {
        let list: OutcomeList = serde_json::from_str(r#"["400", "529"]"#).unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), "[400,529]");
    }

    #[test]
    fn what_is_no_outcome_is_refused() {
        let refused = |text: &str| serde_json::from_str::<OutcomeList>(text).unwrap_err().to_string();
        assert!(refused("[\"success\"]").starts_with("unknown variant `success`, expected one of `5xx`, `timeout`"));
        for status in ["[404]", "[\"404\"]"] {
            assert!(refused(status).starts_with("no outcome has the status 404; these have one: 400, 401"));
        }
    }
}
