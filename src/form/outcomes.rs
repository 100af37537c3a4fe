//! Sets of outcomes, as a file lists them: by name, by HTTP status, or by kind.
//!
//! ```json
//! [429, "5xx", "timeout", "connection_error"]
//! ```
//!
//! A status may also stand in quotes, "429".

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::build::{Built, Refusal};
use crate::words::{Outcome, Outcomes, Row};

/// Kinds of outcome that go by one name, and what each is.
const KINDS: [(&str, Outcomes, &str); 5] = [
    (
        "4xx",
        Outcomes::CLIENT_ERRORS,
        "Answers with a 4xx, 408 and 429 included.",
    ),
    ("5xx", Outcomes::SERVER_ERRORS, "Answers with a 5xx."),
    ("timeout", Outcomes::TIMEOUTS, "The timeouts of one attempt."),
    (
        "provider_failure",
        Outcomes::PROVIDER_FAILURES,
        "Whatever the provider is to blame for: 5xx, 408, lost connections and timeouts of an attempt.",
    ),
    (
        "retryable",
        Outcomes::RETRYABLE,
        "What another try may mend: failures of the provider, 409 and 429.",
    ),
];

/// The statuses that an outcome comes with, in order.
fn statuses() -> Vec<u16> {
    let with_one = Outcome::ALL.into_iter().filter(|&o| is_listed(o));
    let mut all: Vec<u16> = with_one.filter_map(Outcome::status).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a list may name it: it is a way to fail that the caller is told of, and is there to hear.
fn is_listed(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Success | Outcome::Cancelled | Outcome::Abandoned)
}

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

/// Every name that an entry may have, with what it stands for and a sentence on it.
fn names() -> impl Iterator<Item = (&'static str, Outcomes, &'static str)> {
    let outcomes = Outcome::ALL.into_iter().filter(|&o| is_listed(o)).map(Outcome::row);
    let single = |row: &Row| (row.name, Outcomes::of(&[row.outcome]), row.doc.trim());
    KINDS.into_iter().chain(outcomes.map(single))
}

impl Entry {
    fn named(name: &str) -> Option<Entry> {
        let (name, set, _) = names().find(|(n, ..)| *n == name)?;
        let text = Word::Name(name);
        Some(Entry { text, set })
    }

    fn of_status(status: u64) -> Option<Entry> {
        let status = statuses().into_iter().find(|&s| u64::from(s) == status)?;
        let with = |o: &Outcome| is_listed(*o) && o.status() == Some(status);
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
            let statuses = statuses().into_iter().map(|s| format!("`{s}`"));
            let known: Vec<String> = names().map(|(n, ..)| format!("`{n}`")).chain(statuses).collect();
            E::custom(format_args!(
                "unknown variant `{name}`, expected one of {}",
                known.join(", ")
            ))
        })
    }

    fn visit_u64<E: de::Error>(self, status: u64) -> Result<Entry, E> {
        Entry::of_status(status).ok_or_else(|| {
            let known: Vec<String> = statuses().iter().map(u16::to_string).collect();
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
        let names = names().map(|(name, _, doc)| json_schema!({ "const": name, "description": doc }));
        let statuses = statuses();
        let quoted: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let mut any: Vec<Schema> = names.collect();
        any.extend([json_schema!({ "enum": statuses }), json_schema!({ "enum": quoted })]);
        json_schema!({
            "description": "An outcome by name, a kind of outcomes, or an HTTP status.",
            "oneOf": any,
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
        insta::assert_snapshot!(members.join(" "), @"rate_limited server_error bad_gateway unavailable gateway_timeout overloaded context_exceeded content_filtered bad_request timeout_ttft");
    }

    #[test]
    fn a_status_in_quotes_is_the_status() {
        let list: OutcomeList = serde_json::from_str(r#"["400", "529"]"#).unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), "[400,529]");
    }

    /// Every outcome that can be listed is, by its name and, if it has one, by its status.
    #[test]
    fn every_way_to_fail_has_a_name_and_its_status() {
        for row in Outcome::ALL
            .map(Outcome::row)
            .into_iter()
            .filter(|r| is_listed(r.outcome))
        {
            let read = |text: String| serde_json::from_str::<OutcomeList>(&text).unwrap().set();
            assert_eq!(read(format!("[\"{}\"]", row.name)), Outcomes::of(&[row.outcome]));
            if let Some(status) = row.outcome.status() {
                assert!(read(format!("[{status}]")).contains(row.outcome), "{status}");
            }
        }
    }

    #[test]
    fn what_is_not_an_outcome_is_refused() {
        let refused = |text: &str| serde_json::from_str::<OutcomeList>(text).unwrap_err().to_string();
        for name in ["success", "cancelled"] {
            let text = refused(&format!("[\"{name}\"]"));
            let expected = format!("unknown variant `{name}`, expected one of `4xx`, `5xx`, `timeout`");
            assert!(text.starts_with(&expected), "{text}");
        }
        for status in ["[418]", "[\"418\"]"] {
            let known = "400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529";
            let expected = format!("no outcome has the status 418; these have one: {known}");
            assert!(refused(status).starts_with(&expected), "{}", refused(status));
        }
        assert!(refused("[200]").starts_with("no outcome has the status 200"));
    }
}
