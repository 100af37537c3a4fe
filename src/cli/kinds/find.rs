//! `simcap kinds --find`: a search of every page by words.
//!
//! Every word must be found somewhere on a page. A page counts for each word the best place that has it: its name, its title, a
//! field's name, what kind of part it is of, what a field means, its text. Small letters and capitals are alike; a word is found inside longer ones too.

use crate::stats::sorting;
use serde_json::Value;

use super::columns;
use super::places::Listed;
use super::sections;
use crate::cli::Failure;
use crate::experiment::kinds;
use crate::experiment::model::BUILT_IN;
use crate::form::diagnose::nearest;
use crate::form::manual::fields::Field;
use crate::form::manual::plain;
use crate::provider::limits::published;
use crate::report::text::paragraph;

/// The most pages that are shown.
const SHOWN: usize = 20;

/// The most names that are told when nothing is found.
const NEAREST: usize = 3;

/// The name of a part of the user's own, in every kind.
const OWN: &str = "own";

/// What a word counts where it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Text = 1,
    FieldsDoc = 2,
    FieldsName = 4,
    Title = 8,
    /// What kind of thing the page is of: of a breaker, all breakers.
    Kind = 12,
    PartOfName = 16,
    Name = 32,
}

/// A page that can be found.
#[derive(Debug)]
struct Entry {
    name: String,
    what: String,
    title: String,
    fields: Vec<(String, String)>,
    text: Vec<String>,
}

/// The pages that have every word of `wanted`, best first.
///
/// # Errors
/// If there are none.
pub(super) fn find(wanted: &str, listed: &[Listed<'_>], schema: &Value) -> Result<String, Failure> {
    let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
    let entries = entries(listed, schema)?;
    let mut found: Vec<(u32, &Entry)> = entries
        .iter()
        .filter_map(|entry| Some((entry.score(&words)?, entry)))
        .collect();
    if words.is_empty() || found.is_empty() {
        return Err(Failure::Input(nothing(wanted, &entries)));
    }
    // A stable order: of equals the one that comes first in the manual.
    sorting::by_key(&mut found, |(score, _)| std::cmp::Reverse(*score));
    let columns = columns();
    let mut text = String::new();
    for (_, entry) in found.iter().take(SHOWN) {
        text += &paragraph(
            "",
            &format!("{} ({}): {}", entry.name, entry.what, entry.title),
            columns,
        );
        if let Some(said) = entry.sentence(&words) {
            text += &paragraph("    … ", &said, columns);
        }
    }
    if found.len() > SHOWN {
        text += &format!("and {} more: a further word narrows it down\n", found.len() - SHOWN);
    }
    Ok(
        text + "\n`simcap kinds NAME` shows a part or a field, `simcap limits NAME` a published quota, `simcap models NAME` a model.\n"
    )
}

fn nothing(wanted: &str, entries: &[Entry]) -> String {
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut near = Vec::new();
    while near.len() < NEAREST {
        let Some(name) = nearest(wanted, names.iter().copied()) else {
            break;
        };
        near.push(format!("`{name}`"));
        names.retain(|other| *other != name);
    }
    let hint = match near.is_empty() {
        true => "`simcap kinds` lists all names".to_owned(),
        false => format!("the nearest names are {}", near.join(", ")),
    };
    format!("no page speaks of `{wanted}`\nhelp: {hint}")
}

fn entries(listed: &[Listed<'_>], schema: &Value) -> Result<Vec<Entry>, Failure> {
    let told = |fields: Vec<Field>| {
        fields
            .into_iter()
            .map(|field| (field.path, plain(&field.says)))
            .collect()
    };
    let mut entries: Vec<Entry> = Vec::new();
    for kind in listed {
        for page in kind.kind.pages {
            // A part of one's own is the same in every kind.
            if page.name == OWN && entries.iter().any(|known| known.name == OWN) {
                continue;
            }
            let manual = kinds::page_of(page);
            entries.push(Entry {
                name: page.name.to_owned(),
                what: if page.name == OWN {
                    "any part".to_owned()
                } else {
                    kind.words()
                },
                title: plain(&manual.title),
                fields: told(kind.parameters(page.name, schema)),
                text: manual.words().skip(1).map(plain).collect(),
            });
        }
    }
    let entry = |name: &str, what: &str, title: String| Entry {
        name: name.to_owned(),
        what: what.to_owned(),
        title,
        fields: Vec::new(),
        text: Vec::new(),
    };
    let sections = sections::all(schema);
    entries.extend(
        sections
            .iter()
            .map(|section| entry(&section.path, "field of an experiment", section.says(schema))),
    );
    entries.extend(sections::common(schema).into_iter().map(|common| Entry {
        fields: common.names().to_vec(),
        ..entry(&common.name, "quantity", common.says.clone())
    }));
    for (name, quota) in published()?.iter() {
        entries.push(Entry {
            text: vec![quota.source.clone()],
            ..entry(
                name,
                "published quota",
                format!("the quota of a tier, as published in {}", quota.date),
            )
        });
    }
    entries.extend(
        BUILT_IN
            .iter()
            .map(|(name, _)| entry(name, "model", "a model that is built in".to_owned())),
    );
    Ok(entries)
}

impl Entry {
    /// How well the page meets `words`, if it has all of them.
    fn score(&self, words: &[String]) -> Option<u32> {
        words
            .iter()
            .map(|word| self.place(word).map(|place| place as u32))
            .sum()
    }

    /// The best place of the page that has `word`.
    fn place(&self, word: &str) -> Option<Place> {
        let has = |text: &str| text.to_lowercase().contains(word);
        let places = [
            (Place::Name, self.name.to_lowercase() == word),
            (Place::PartOfName, has(&self.name)),
            (
                Place::Kind,
                self.what == word
                    || self
                        .what
                        .strip_suffix('y')
                        .is_some_and(|stem| word == format!("{stem}ies"))
                    || word == format!("{}s", self.what),
            ),
            (Place::Title, has(&self.title)),
            (Place::FieldsName, self.fields.iter().any(|(name, _)| has(name))),
            (Place::FieldsDoc, self.fields.iter().any(|(_, says)| has(says))),
            (Place::Text, self.text.iter().any(|text| has(text))),
        ];
        places.into_iter().find_map(|(place, found)| found.then_some(place))
    }

    /// What the page says with the first word that neither its name nor its title has.
    fn sentence(&self, words: &[String]) -> Option<String> {
        let word = words
            .iter()
            .find(|word| self.place(word).is_some_and(|place| place < Place::Title))?;
        let has = |text: &str| text.to_lowercase().contains(word.as_str());
        let of_field = self.fields.iter().find(|(name, says)| has(name) || has(says));
        let text = of_field
            .map(|(name, says)| format!("{name}: {says}"))
            .or_else(|| self.text.iter().find(|text| has(text)).cloned())?;
        let sentence = text
            .split_inclusive(". ")
            .find(|sentence| has(sentence))
            .map(str::to_owned);
        Some(sentence.unwrap_or(text).trim().to_owned())
    }
}
