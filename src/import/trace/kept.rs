//! Whose requests rows are: texts of the columns that are kept, numbered in the order in which they come.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::TraceError;
use super::forms::Column;
use super::records::Records;
use crate::form::diagnose::quoted;
use crate::form::hidden::hidden;
use crate::traffic::kept::{Keep, Kept, NO_VALUE};

/// The most users of a trace.
const MOST_USERS: usize = 1_000_000;

/// The most values of the class's column, or of a tag.
const MOST_VALUES: usize = 10_000;

/// The most combinations of users, classes and tags.
const MOST_COMBINATIONS: usize = 4_000_000;

/// Texts that are numbered as they come.
#[derive(Debug, Default)]
struct Numbered {
    known: BTreeMap<Box<str>, u32>,
}

impl Numbered {
    /// The number of `text`, which may be the first of its kind.
    fn number(&mut self, text: &str, most: usize, what: &Column, are: &str) -> Result<u32, String> {
        if let Some(number) = self.known.get(text) {
            return Ok(*number);
        }
        if self.known.len() == most {
            return Err(format!("{}: more than {most} {are}", quoted(&what.name)));
        }
        let number = self.known.len() as u32;
        self.known.insert(text.into(), number);
        Ok(number)
    }

    /// The texts by their numbers, each as `shown` shows it.
    fn texts(self, shown: &dyn Fn(&str) -> String) -> Vec<String> {
        let mut texts = vec![String::new(); self.known.len()];
        for (text, number) in self.known {
            texts[number as usize] = shown(&text);
        }
        texts
    }
}

/// A column that is kept, and what was found there.
#[derive(Debug)]
struct Found {
    column: Column,
    texts: Numbered,
    lacking: u64,
}

impl Found {
    fn of(column: Column) -> Found {
        Found {
            column,
            texts: Numbered::default(),
            lacking: 0,
        }
    }

    /// The number of what the row says here.
    fn number(&mut self, records: &dyn Records, of_list: Option<&str>, most: usize, are: &str) -> Result<u32, String> {
        let text = records.text(&self.column);
        let text = of_list.map_or_else(|| Cow::Borrowed(&*text), |tag| one_of(&text, tag));
        let text = text.trim();
        self.lacking += u64::from(text.is_empty());
        let text = if text.is_empty() { NO_VALUE } else { text };
        self.texts.number(text, most, &self.column, are)
    }
}

/// What a list of values says of `tag`: the value behind the tag's name, or else its first. Anything but a list is taken as it is.
fn one_of<'a>(text: &'a str, tag: &str) -> Cow<'a, str> {
    let list = text
        .trim_start()
        .starts_with('[')
        .then(|| serde_json::from_str::<Vec<Value>>(text));
    let Some(Ok(list)) = list else {
        return Cow::Borrowed(text);
    };
    let named = list.iter().find_map(|value| {
        let value = value.as_str()?.strip_prefix(tag)?;
        value.strip_prefix(':').or_else(|| value.strip_prefix('='))
    });
    let first = || {
        list.first().map_or_else(String::new, |value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        })
    };
    Cow::Owned(named.map_or_else(first, str::to_owned))
}

/// What is kept while rows are read.
#[derive(Debug)]
pub(super) struct Keeping {
    user: Option<Found>,
    class: Option<Found>,
    tags: Vec<(String, Found)>,
    are_names_shown: bool,
    combinations: BTreeMap<Box<[u32]>, u32>,
    /// The row's combination, one after the other.
    row: Vec<u32>,
}

impl Keeping {
    /// Finds the columns.
    pub(super) fn new(keep: &Keep, column: &dyn Fn(&str) -> Result<Column, TraceError>) -> Result<Keeping, TraceError> {
        let one = |name: &Option<String>| name.as_deref().map(column).transpose();
        let tags = keep
            .tags
            .iter()
            .map(|(tag, of)| Ok((tag.to_owned(), Found::of(column(of)?))));
        Ok(Keeping {
            user: one(&keep.user)?.map(Found::of),
            class: one(&keep.class)?.map(Found::of),
            tags: tags.collect::<Result<_, TraceError>>()?,
            are_names_shown: keep.names,
            combinations: BTreeMap::new(),
            row: Vec::new(),
        })
    }

    /// Takes what the row says that `records` is at, and says the number of that.
    pub(super) fn take(&mut self, records: &dyn Records) -> Result<u32, String> {
        self.row.clear();
        for (of, most, are) in [
            (&mut self.user, MOST_USERS, "users"),
            (&mut self.class, MOST_VALUES, "values for classes"),
        ] {
            let number = of.as_mut().map_or(Ok(0), |of| of.number(records, None, most, are))?;
            self.row.push(number);
        }
        for (tag, of) in &mut self.tags {
            self.row
                .push(of.number(records, Some(tag), MOST_VALUES, "values of a tag")?);
        }
        let next = self.combinations.len();
        let number = match self.combinations.get(&self.row[..]) {
            Some(number) => *number,
            None if next == MOST_COMBINATIONS => {
                return Err(format!(
                    "more than {MOST_COMBINATIONS} combinations of users, classes and tags"
                ));
            }
            None => {
                self.combinations.insert(self.row.as_slice().into(), next as u32);
                next as u32
            }
        };
        Ok(number)
    }

    /// What was kept, where rows have these numbers in the order of their times, and what is to be said of it.
    pub(super) fn kept(self, of_row: Vec<u32>) -> (Kept, Vec<String>) {
        let rows = of_row.len();
        let mut notes = Vec::new();
        let mut lacks = |found: &Found, what: &str| {
            if found.lacking > 0 {
                let column = quoted(&found.column.name);
                notes.push(format!(
                    "{} of {rows} rows say nothing in `{column}`: {what}",
                    found.lacking
                ));
            }
        };
        if let Some(user) = &self.user {
            lacks(user, "they are taken for those of one user");
        }
        if let Some(class) = &self.class {
            lacks(class, "the value for classes is `none`");
        }
        for (tag, found) in &self.tags {
            lacks(found, &format!("their tag `{}` is `none`", quoted(tag)));
        }
        let mut each = vec![Box::default(); self.combinations.len()];
        for (combination, number) in self.combinations {
            each[number as usize] = combination;
        }
        let plain = |text: &str| text.to_owned();
        let shown = |text: &str| match text {
            NO_VALUE => text.to_owned(),
            text if self.are_names_shown => text.to_owned(),
            text => hidden(text),
        };
        let users = self.user.map(|found| {
            let texts = found.texts.texts(&shown);
            texts.into_iter().map(String::into_boxed_str).collect()
        });
        let kept = Kept {
            of_row,
            each,
            users,
            classes: self.class.map(|found| found.texts.texts(&plain)),
            tags: (self.tags.into_iter())
                .map(|(tag, found)| (tag, found.texts.texts(&plain)))
                .collect(),
        };
        (kept, notes)
    }
}

#[cfg(test)]
mod tests {
    use crate::import::trace::read;
    use crate::traffic::arrivals::Reading;

    fn reading(keep: serde_json::Value) -> Reading {
        Reading {
            keep: Some(serde_json::from_value(keep).unwrap()),
            ..Reading::default()
        }
    }

    /// LiteLLM's own columns, in an order of time that is not that of the file.
    const SPEND: &str = "startTime,prompt_tokens,completion_tokens,end_user,team_id,model_group,request_tags\n\
        2026-03-02T09:00:02Z,7,1,bob,t2,large,\"[\"\"a\"\", \"\"job:nightly\"\"]\"\n\
        2026-03-02T09:00:00Z,5,1,alice,t1,small,\"[\"\"b\"\"]\"\n\
        2026-03-02T09:00:01Z,6,1,bob,t2,large,[]\n\
        2026-03-02T09:00:03Z,8,1,,t1,small,plain\n";

    #[test]
    fn rows_keep_what_they_say_in_the_order_of_their_times() {
        let keep = serde_json::json!({ "user": "end_user", "names": true, "class": "model_group",
            "tags": { "team": "team_id", "job": "request_tags" } });
        let trace = read(SPEND.as_bytes(), &reading(keep)).unwrap();
        let kept = trace.kept.unwrap();
        let rows: Vec<_> = (kept.of_row.iter().zip(trace.rows.iter()))
            .map(|(at, row)| {
                let of = &kept.each[*at as usize];
                let tag = |name: &str| {
                    let at = kept.tags.iter().position(|tag| tag.0 == name).unwrap();
                    kept.tags[at].1[of[2 + at] as usize].as_str()
                };
                let user = &*kept.users.as_ref().unwrap()[of[0] as usize];
                let class = kept.classes.as_ref().unwrap()[of[1] as usize].as_str();
                (
                    row.input,
                    user.to_owned(),
                    class.to_owned(),
                    tag("team").to_owned(),
                    tag("job").to_owned(),
                )
            })
            .collect();
        let expected = [
            (5, "alice", "small", "t1", "b"),
            (6, "bob", "large", "t2", "none"),
            (7, "bob", "large", "t2", "nightly"),
            (8, "none", "small", "t1", "plain"),
        ]
        .map(|(input, user, class, team, job)| (input, user.into(), class.into(), team.into(), job.into()));
        assert_eq!(rows, expected);
        assert_eq!(kept.rows_by_class(), [2, 2]);
        let said = trace.notes.join("\n");
        assert!(
            said.contains("1 of 4 rows say nothing in `end_user`: they are taken for those of one user"),
            "{said}"
        );
    }

    #[test]
    fn names_of_users_are_hidden_unless_they_are_asked_for() {
        let trace = read(SPEND.as_bytes(), &reading(serde_json::json!({ "user": "end_user" }))).unwrap();
        let users = trace.kept.unwrap().users.unwrap();
        // printf bob | sha256sum
        assert_eq!(&*users[0], "81b637d8fcd2");
        assert_eq!(&*users[2], "none");
    }

    #[test]
    fn a_column_that_is_not_there_is_named() {
        let error = read(SPEND.as_bytes(), &reading(serde_json::json!({ "user": "enduser" }))).unwrap_err();
        assert!(error.to_string().ends_with("; did you mean `end_user`?"), "{error}");
    }
}
