//! Whose request it is: what limits, budgets, caps and lines for each identity tell apart.
//!
//! An identity is a number: the user, the class, or the value of a tag. A tag is the class's (`tags` of a class) or the traffic's
//! (`traffic.tags`). A request that does not carry the tag has no identity: what is for each of them lets it pass, as Envoy leaves a
//! descriptor out whose header is missing.
//!
//! What is kept for each identity is made at its first use and dropped when it equals a new one ([`Keyed`]), so that memory grows with
//! those that are active.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Names, Refusal, Tagged};
use crate::form::hidden::Called;
use crate::words::Ask;

/// What tells identities apart, as the file says it: `user`, `class`, `key` or `tag.NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(String);

impl JsonSchema for Identity {
    fn schema_name() -> Cow<'static, str> {
        "Identity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(user|class|key|tag\..+)$",
            "description": "What tells identities apart: `user`, `class`, `tag.NAME`, or `key`, which is short for `tag.key`.",
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What tells identities apart, as it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Whose {
    /// How reports call it: `user`, `class`, `tag.team`.
    pub called: String,
    by: By,
    /// The identities that are meant, in order; nothing for all.
    only: Option<Arc<[u32]>>,
}

#[derive(Clone, Debug, PartialEq)]
enum By {
    /// The user, with what those are called whose names a trace says.
    User(Arc<[Called]>),
    Class(Arc<[String]>),
    /// The value that each class has of a tag, if it has one, and the names of the values.
    OfClass(Arc<[Option<u32>]>, Arc<[String]>),
    Tag(Tagged),
}

impl Identity {
    /// Checks that there are such identities, and that those of `only`, if given, are among them.
    ///
    /// # Errors
    /// If there is no such tag, no users, or no identity of a name.
    pub fn build(&self, only: Option<&[String]>, names: &Names<'_>) -> Built<Whose> {
        let tag = match self.0.as_str() {
            "user" if names.users.is_none() => {
                let text = "there are no users to tell apart: give `users` in `traffic`, like {\"count\": 1000}";
                return Err(Refusal::new(text));
            }
            "user" | "class" => None,
            "key" => Some("key"),
            other => match other.strip_prefix("tag.").filter(|name| !name.is_empty()) {
                Some(name) => Some(name),
                None => {
                    let known = ["user", "class", "key", "tag.NAME"].map(String::from);
                    return Err(Refusal::unknown("identity", other, &known));
                }
            },
        };
        let by = match tag {
            None if self.0 == "user" => By::User(names.called.into()),
            None => By::Class(names.classes.into()),
            Some(name) => tagged(name, names)?,
        };
        let whose = Whose {
            called: tag.map_or_else(|| self.0.clone(), |name| format!("tag.{name}")),
            by,
            only: None,
        };
        let Some(only) = only else { return Ok(whose) };
        if only.is_empty() {
            return Err(Refusal::new("for no identity: name one, or leave it out for all").at("of"));
        }
        let mut numbers = Vec::new();
        for (i, name) in only.iter().enumerate() {
            numbers.push(whose.number(name, names).map_err(|r| r.at(i).at("of"))?);
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Whose {
            only: Some(numbers.into()),
            ..whose
        })
    }
}

/// The tag called `name`: the traffic's, or the classes'.
fn tagged(name: &str, names: &Names<'_>) -> Built<By> {
    if let Some(tag) = names.tags.iter().find(|tag| tag.name == name) {
        return Ok(By::Tag(tag.clone()));
    }
    let value = |tags: &[(String, String)]| tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.clone());
    let of_class: Vec<Option<String>> = names.asks.iter().map(|asked| value(&asked.tags)).collect();
    let mut values: Vec<String> = Vec::new();
    let numbers = of_class.into_iter().map(|value| {
        let value = value?;
        let known = values.iter().position(|known| *known == value);
        Some(known.unwrap_or_else(|| {
            values.push(value);
            values.len() - 1
        }) as u32)
    });
    let numbers: Vec<Option<u32>> = numbers.collect();
    if values.is_empty() {
        let of_traffic = names.tags.iter().map(|tag| tag.name.clone());
        let of_classes = names
            .asks
            .iter()
            .flat_map(|asked| asked.tags.iter().map(|(tag, _)| tag.clone()));
        let mut known: Vec<String> = of_traffic.chain(of_classes).map(|tag| format!("tag.{tag}")).collect();
        known.sort();
        known.dedup();
        if known.is_empty() {
            let text = format!(
                "there is no tag `{name}`: give it to the classes as `tags`, or shares of its values in `traffic.tags`"
            );
            return Err(Refusal::new(text));
        }
        return Err(Refusal::unknown("identity", &format!("tag.{name}"), &known));
    }
    Ok(By::OfClass(numbers.into(), values.into()))
}

impl Whose {
    /// The number of the identity called `name`.
    fn number(&self, name: &str, names: &Names<'_>) -> Built<u32> {
        let among = |kind: &str, all: &[String]| {
            let found = all.iter().position(|known| known == name);
            found
                .map(|at| at as u32)
                .ok_or_else(|| Refusal::unknown(kind, name, all))
        };
        match &self.by {
            By::User(called) => {
                if let Some(number) = called.iter().find_map(|of| of.number(name)) {
                    return Ok(number);
                }
                let count = names.users.unwrap_or(0);
                let number = name.parse().ok().filter(|&user: &u32| user < count);
                number.ok_or_else(|| {
                    Refusal::new(format!(
                        "there is no user `{name}`: users are numbered from 0 to {}",
                        count.saturating_sub(1)
                    ))
                })
            }
            By::Class(classes) => among("class", classes),
            By::OfClass(_, values) => among("value of the tag", values),
            By::Tag(tag) => among("value of the tag", &tag.values),
        }
    }

    /// The identity of a request of `class` and `user` with these `tags`, if it has one that is meant.
    #[inline]
    pub fn of(&self, class: u16, user: u32, tags: u32) -> Option<u32> {
        let number = match &self.by {
            By::User(_) => user,
            By::Class(_) => u32::from(class),
            By::OfClass(of, _) => of[usize::from(class)]?,
            By::Tag(tag) => tag.of(tags),
        };
        match &self.only {
            Some(only) => only.binary_search(&number).is_ok().then_some(number),
            None => Some(number),
        }
    }

    /// The identity of `ask`, if it has one that is meant.
    #[inline]
    pub fn of_ask(&self, ask: &Ask) -> Option<u32> {
        self.of(ask.class, ask.user, ask.tags)
    }

    /// The name of identity `number`.
    pub fn name(&self, number: u32) -> String {
        let at = number as usize;
        match &self.by {
            By::User(called) => match called.iter().find_map(|of| of.name(number)) {
                Some(name) => format!("user {name}"),
                None => format!("user {number}"),
            },
            By::Class(classes) => classes[at].clone(),
            By::OfClass(_, values) => values[at].clone(),
            By::Tag(tag) => tag.values[at].clone(),
        }
    }

    /// The identities that are meant, in words: `each user`, or the names of those that are listed.
    pub fn words(&self) -> String {
        match &self.only {
            None => format!("each {}", self.called),
            Some(only) => {
                let names: Vec<String> = only.iter().take(3).map(|&number| self.name(number)).collect();
                let more = if only.len() > 3 { ", …" } else { "" };
                format!("{} {}{more}", self.called, names.join(", "))
            }
        }
    }
}

/// What is for each identity and can turn its requests away: it stands in reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Where the file says it: `limiters[0]`.
    pub place: String,
    /// What it is, in words: `token_bucket for each user`.
    pub what: String,
    /// The identities that it tells apart.
    pub whose: Whose,
}

/// All that is of identities in one client, and which part of it each is.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The rules; empty where nothing tells identities apart.
    pub all: Vec<Rule>,
    /// By limiter of the client, the number of the rule.
    pub limiters: Vec<Option<u16>>,
    /// By named group and limiter of that, the number of the rule.
    pub groups: Vec<Vec<Option<u16>>>,
    /// By budget, the number of the rule.
    pub budgets: Vec<Option<u16>>,
    /// The rule of the way in.
    pub lines: Option<u16>,
}

impl Rules {
    /// Adds a rule and returns its number.
    pub fn add(&mut self, place: String, what: &str, whose: &Whose) -> Option<u16> {
        let number = u16::try_from(self.all.len()).ok()?;
        self.all.push(Rule {
            place,
            what: format!("{what} for {}", whose.words()),
            whose: whose.clone(),
        });
        Some(number)
    }
}

/// The states of identities that are not as new, in order of their numbers.
#[derive(Clone, Debug)]
pub struct Keyed<T> {
    states: BTreeMap<u32, T>,
    /// The number of states at which those that are as new are dropped.
    sweeps_at: usize,
}

/// The fewest states at which any is dropped.
const FEW: usize = 64;

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Keyed {
            states: BTreeMap::new(),
            sweeps_at: FEW,
        }
    }
}

impl<T> Keyed<T> {
    /// The state of identity `number`, which `new` makes if there is none. Those for which `is_new` holds may be dropped before.
    #[inline]
    pub fn at(&mut self, number: u32, new: impl FnOnce() -> T, is_new: impl FnMut(&mut T) -> bool) -> &mut T {
        if self.states.len() >= self.sweeps_at {
            self.sweep(number, is_new);
        }
        self.states.entry(number).or_insert_with(new)
    }

    /// Drops every state that is as new, but that of `kept`; the next time is when there are twice as many as are left.
    #[cold]
    fn sweep(&mut self, kept: u32, mut is_new: impl FnMut(&mut T) -> bool) {
        self.states.retain(|&number, state| number == kept || !is_new(state));
        self.sweeps_at = (self.states.len() * 2).max(FEW);
    }

    /// The state of identity `number`, if it has one.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.states.get_mut(&number)
    }

    /// Drops the state of identity `number`.
    pub fn remove(&mut self, number: u32) {
        self.states.remove(&number);
    }

    /// Drops every state.
    pub fn clear(&mut self) {
        self.states.clear();
    }

    /// The number of states that are kept.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::build::Asked;

    fn identity(text: &str) -> Identity {
        serde_json::from_value(text.into()).unwrap()
    }

    fn asked(tags: &[(&str, &str)]) -> Asked {
        Asked {
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Asked::default()
        }
    }

    /// Three classes, of which two have a team; a key of the traffic; ten users.
    fn with<T>(check: impl FnOnce(&Names<'_>) -> T) -> T {
        let classes = ["a", "b", "c"].map(String::from);
        let asks = [asked(&[("team", "x")]), asked(&[]), asked(&[("team", "y")])];
        let tags = [Tagged {
            name: "key".into(),
            values: vec!["k0".into(), "k1".into()],
            stride: 1,
        }];
        check(&Names {
            classes: &classes,
            asks: &asks,
            tags: &tags,
            users: Some(10),
            ..Names::default()
        })
    }

    #[test]
    fn an_identity_is_the_user_the_class_or_the_value_of_a_tag() {
        with(|names| {
            for (text, expected) in [
                ("user", Some((7, "user 7"))),
                ("class", Some((2, "c"))),
                ("tag.team", Some((1, "y"))),
                ("key", Some((1, "k1"))),
                ("tag.key", Some((1, "k1"))),
            ] {
                let whose = identity(text).build(None, names).unwrap();
                let found = whose.of(2, 7, 1);
                assert_eq!(
                    found.map(|n| (n, whose.name(n))),
                    expected.map(|(n, name)| (n, name.to_owned())),
                    "{text}"
                );
            }
            let team = identity("tag.team").build(None, names).unwrap();
            assert_eq!(team.of(1, 7, 1), None, "the class has no team");
        });
    }

    #[test]
    fn only_those_that_are_named_are_meant() {
        with(|names| {
            let only = identity("tag.team").build(Some(&["y".to_owned()]), names).unwrap();
            assert_eq!((only.of(0, 0, 0), only.of(2, 0, 0)), (None, Some(1)));
            assert_eq!(only.words(), "tag.team y");
            let refused = identity("user").build(Some(&["10".to_owned()]), names).unwrap_err();
            assert_eq!(refused.message, "there is no user `10`: users are numbered from 0 to 9");
        });
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        with(|names| {
            let no_users = Names { users: None, ..*names };
            for (text, names, message) in [
                ("tag.region", names, "there is no identity `tag.region`"),
                ("tenant", names, "there is no identity `tenant`"),
                (
                    "user",
                    &no_users,
                    "there are no users to tell apart: give `users` in `traffic`, like {\"count\": 1000}",
                ),
            ] {
                assert_eq!(identity(text).build(None, names).unwrap_err().message, message);
            }
        });
    }

    /// Of a thousand identities used once, those that are as new again do not stay.
    #[test]
    fn memory_grows_with_active_identities_only() {
        let mut keyed = Keyed::default();
        for number in 0..1000 {
            *keyed.at(number, || 0, |used: &mut u32| *used < 5) += if number % 100 == 0 { 5 } else { 1 };
        }
        assert!(keyed.len() < 2 * FEW, "{}", keyed.len());
        assert_eq!(keyed.get_mut(100).copied(), Some(5), "one that is in use stays");
        assert_eq!(keyed.get_mut(1), None);
    }
}
