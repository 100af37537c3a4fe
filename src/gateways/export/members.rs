//! Providers that come and go: an entry of the file's list is copied or taken out.
//!
//! The file is read again after each, and every group must then have the members that the experiment asks for, in the order that they had.
//! A new entry is the copy of one of the same list, best one of the same model: of what the copy says stays what makes it that provider,
//! what refers to the environment, and what a setting of the experiment needs; the rest goes, and is told as what may have to be filled in.
//! A group that loses its last member is taken out of the fallbacks and aliases that name it ([`super::forget`]).
//!
//! Left out: groups that come or go in products other than LiteLLM; a change of the model of a provider that stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::edit::{Editor, Step};
use super::entries::{self, Lists};
use super::keys::{Key, keys};
use super::names::{Renamed, renamed};
use super::places::{Is, Places};
use super::{Export, IN_A_MAP, State, forget, is_in_a_map};
use crate::gateways::model::Member;
use crate::gateways::settled::{ONLY, Settings};
use crate::gateways::source::Config;
use crate::gateways::tree::Place;
use crate::gateways::{Gateway, printable};
use crate::stats::sorting;

/// The most entries that one export adds and takes out.
const MOST: usize = 256;

/// A provider that came, and what was not said of it.
#[derive(Clone, Debug)]
pub(super) struct Came {
    /// The name as the file now has it.
    pub(super) name: String,
    /// The provider whose entry was copied.
    pub(super) like: String,
    /// Keys of that entry that were left out.
    pub(super) without: Vec<String>,
}

/// What one step makes of the file.
pub(super) struct Made {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) settings: Settings,
    pub(super) names: Renamed,
    /// The name that the file gives to a provider that came.
    pub(super) name: String,
}

/// The groups that are asked for, with their members in order.
pub(super) type Asked = Vec<(String, Vec<String>)>;

/// The groups of a gateway that have providers.
pub(super) fn groups(gateway: &Gateway) -> impl Iterator<Item = (&str, &[Member])> {
    let all = gateway.groups.iter();
    all.filter(|group| !group.facts.contains_key("complexity"))
        .map(|group| (group.name.as_str(), group.members.as_slice()))
}

/// Whether two are the same provider, whatever they are called.
pub(super) fn same(a: &Member, b: &Member) -> bool {
    // An account may be called by the line of its key.
    (&a.model, &a.price, a.own_price) == (&b.model, &b.price, b.own_price)
        && (a.connections, a.timeout, a.context_window) == (b.connections, b.timeout, b.context_window)
}

impl Export<'_> {
    /// The file with the members that are asked for; the experiment's names are changed to those that the file then gives.
    pub(super) fn people(&mut self, mut state: State) -> Result<State, Vec<String>> {
        for _ in 0..MOST {
            let read = self.read(&state.texts);
            let (config, gateway, _) = read.map_err(|refused| vec![refused.to_string()])?;
            let Some(asked) = self.asked(&gateway) else {
                return Ok(state);
            };
            let of = |group: &str| {
                asked
                    .iter()
                    .find(|(name, _)| name == group)
                    .map(|(_, of)| of.as_slice())
            };
            let of_file = |group: &str| groups(&gateway).find(|(name, _)| *name == group).map(|(_, of)| of);
            let has = |group: &str, name: &str| of_file(group).is_some_and(|of| of.iter().any(|m| m.name == name));
            let new = asked
                .iter()
                .find_map(|(group, of)| Some((group, of.iter().find(|name| !has(group, name))?)));
            let gone = groups(&gateway).find_map(|(group, members)| {
                let asked = of(group).unwrap_or(&[]);
                Some((group, members.iter().find(|member| !asked.contains(&member.name))?))
            });
            if new.is_none() && gone.is_none() {
                return Ok(state);
            }
            let stays = groups(&gateway).any(|(group, of)| {
                let asked = asked.iter().find(|(name, _)| name == group);
                asked.is_some_and(|(_, asked)| of.iter().any(|member| asked.contains(&member.name)))
            });
            if !stays {
                // Another configuration altogether.
                return Ok(state);
            }
            let lists = entries::of(gateway.product.name);
            let (said, made) = match (new, gone) {
                (Some((group, name)), _) => (
                    format!("{}: member {} added", in_words(group), printable(name)),
                    lists
                        .map_err(str::to_owned)
                        .and_then(|lists| self.with(&mut state, (&config, &gateway), lists, &asked, (group, name))),
                ),
                (None, Some((group, member))) => (
                    format!("{}: member {} taken out", in_words(group), printable(&member.name)),
                    lists
                        .map_err(str::to_owned)
                        .and_then(|lists| self.without(&state, (&config, &gateway), lists, &asked, (group, member))),
                ),
                (None, None) => return Ok(state),
            };
            let made = made.map_err(|why| vec![format!("{said}: {why}")])?;
            if let (None, Some((_, member))) = (new, gone)
                && !asked.iter().any(|(_, of)| of.contains(&member.name))
            {
                // Nothing is asked of a member that is gone.
                self.target
                    .retain(|path, _| !matches!(path.as_slice(), [what, name, ..] if what == "provider" && *name == member.name));
            }
            self.rename(&made.names);
            state.came.iter_mut().for_each(|came| {
                if let Some(to) = made.names.get(&came.name) {
                    came.name.clone_from(to);
                }
            });
            state.written.push(said);
            state.texts = made.texts;
            state.settings = made.settings;
        }
        Err(vec![format!(
            "more than {MOST} providers come and go: write some of them first"
        )])
    }

    /// Takes new names of providers over into what is asked for.
    fn rename(&mut self, names: &Renamed) {
        self.target = renamed(&self.target, names);
        for (name, _) in &mut self.providers {
            if let Some(to) = names.get(name) {
                name.clone_from(to);
            }
        }
        let changed = names.iter().filter(|(from, to)| from != to);
        for (from, to) in changed.map(|(from, to)| (from.clone(), to.clone())).collect::<Vec<_>>() {
            match self.renamed.iter_mut().find(|(_, last)| *last == from) {
                Some((_, last)) => *last = to,
                None => self.renamed.push((from, to)),
            }
        }
    }

    /// The groups and members that the experiment asks for; nothing if it does not say so in the gateway's terms.
    fn asked(&self, gateway: &Gateway) -> Option<Asked> {
        let strings = |value: &Value| {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect::<Vec<_>>()
        };
        let named = self.target.iter().filter_map(|(path, value)| match path.as_slice() {
            [what, group, of] if what == "group" && of == "providers" => Some((group.clone(), strings(value))),
            _ => None,
        });
        let mut asked: Asked = named.collect();
        // In the order of the file, so that entries come in that order too.
        let place = |name: &str| gateway.groups.iter().position(|group| group.name == name);
        sorting::by_key(&mut asked, |(name, _)| place(name).unwrap_or(usize::MAX));
        if !asked.is_empty() {
            return Some(asked);
        }
        let [one] = &gateway.groups[..] else { return None };
        let inside = |path: &[String]| matches!(path, [what, group, policy, ..] if what == "group" && group == ONLY && policy == "policy");
        let of_policy = || self.target.iter().filter(|(path, _)| inside(path));
        let listed = of_policy().find(|(path, _)| path.len() == 4 && path[3] == "providers");
        if let Some((_, listed)) = listed {
            return Some(vec![(one.name.clone(), strings(listed))]);
        }
        let is_index = |name: &str| name.parse::<u64>().is_ok();
        let values: BTreeSet<String> = of_policy()
            .flat_map(|(_, value)| value.as_str().map(str::to_owned).into_iter().chain(strings(value)))
            .collect();
        let steps: BTreeSet<&String> = of_policy().flat_map(|(path, _)| &path[3..]).collect();
        let known = self.providers.iter().map(|(name, _)| name);
        // A number is a step of a tree too: as a provider it is a value.
        let is_asked = |name: &&String| values.contains(*name) || (!is_index(name) && steps.contains(*name));
        let of: Vec<String> = known.filter(is_asked).cloned().collect();
        (!of.is_empty()).then(|| vec![(one.name.clone(), of)])
    }

    /// The items of the product's lists in one file, each with its place in it.
    pub(super) fn items(&self, config: &Config, lists: &Lists, file: u16) -> Vec<Key> {
        let all = lists.lists.iter().flat_map(|pattern| keys(config, pattern));
        all.filter(|key| key.file == usize::from(file) && key.missing == 0)
            .collect()
    }

    /// The file without the entry of a member.
    fn without(
        &self,
        state: &State,
        (config, gateway): (&Config, &Gateway),
        lists: &Lists,
        asked: &Asked,
        (group, member): (&str, &Member),
    ) -> Result<Made, String> {
        let (name, text) = text_of(state, config, member.at)?;
        let places = Places::of(text).map_err(|_| "the file cannot be read".to_owned())?;
        if is_in_a_map(&places, places.roots.first().copied(), gateway) {
            return Err(IN_A_MAP.to_owned());
        }
        let editor = Editor::of(text, &places);
        let mut why = format!("{} has no entry for it that could be taken out", gateway.product.title);
        let near = groups(gateway)
            .find(|(known, _)| *known == group)
            .map_or(&[][..], |(_, of)| of);
        let near: Vec<&Member> = near.iter().collect();
        let mut items = self.items(config, lists, member.at.file);
        // Of several in one line the one that is that member by its order goes before the others.
        sorting::by_key(&mut items, |key| {
            let found = list_of(&places, &editor, key);
            let of = found.and_then(|(list, n)| *self.of_list(&places, &editor, list, &near, &near).get(n)?);
            of.is_none_or(|of| of.name != member.name)
        });
        for key in items {
            let Some((list, number)) = list_of(&places, &editor, &key) else {
                continue;
            };
            let Is::List { items, .. } = &places.items[list].is else {
                continue;
            };
            let (first, last) = editor.lines_of(items[number]);
            if !(first..=last).contains(&member.at.line) {
                continue;
            }
            let after = match editor.take_item(list, number) {
                Ok(after) => after,
                Err(refused) => {
                    why = format!("`{}`, line {}: {}", printable(&key.path), refused.line, refused.what);
                    continue;
                }
            };
            let mut texts = state.texts.clone();
            texts.insert(name.clone(), after);
            match self.fewer((&state.texts, texts), gateway, asked, (group, member)) {
                Ok(made) => return Ok(made),
                Err(refused) => why = refused,
            }
        }
        Err(why)
    }

    /// Whether `texts` are the gateway without one member, wherever the experiment does not have it.
    fn fewer(
        &self,
        (old, mut texts): (&BTreeMap<String, String>, BTreeMap<String, String>),
        before: &Gateway,
        asked: &Asked,
        (of, member): (&str, &Member),
    ) -> Result<Made, String> {
        let unreadable = |_| "it cannot be read without that entry: is an anchor in it used elsewhere?".to_owned();
        let (_, gateway, _) = self.read(&texts).map_err(unreadable)?;
        let is_gone = |group: &str| groups(&gateway).all(|(name, _)| name != group);
        if is_gone(of) && before.product.name == "litellm" && !is_known(&gateway, of) {
            // What cannot be changed is told by its line in the file as it is.
            forget::group(&mut old.clone(), of)?;
            forget::group(&mut texts, of)?;
        }
        let (_, gateway, settings) = self.read(&texts).map_err(unreadable)?;
        let mut names = Renamed::new();
        for (group, members) in groups(before) {
            let left: Vec<&Member> = members
                .iter()
                .filter(|m| !(m.at == member.at && m.name == member.name))
                .collect();
            let asked = asked.iter().find(|(name, _)| name == group);
            let wanted = asked.is_some_and(|(_, of)| of.contains(&member.name));
            if wanted && left.len() < members.len() {
                return Err(format!("it is in {} too, where the experiment has it", in_words(group)));
            }
            let after = groups(&gateway)
                .find(|(name, _)| *name == group)
                .map_or(&[][..], |(_, of)| of);
            if after.len() != left.len() || !left.iter().zip(after).all(|(a, b)| same(a, b)) {
                return Err("other members would change with it".to_owned());
            }
            names.extend(left.iter().zip(after).map(|(a, b)| (a.name.clone(), b.name.clone())));
        }
        Ok(Made {
            texts,
            settings,
            names,
            name: String::new(),
        })
    }
}

/// The list that an item is of, and its number there; nothing where an alias is on the way.
pub(super) fn list_of(places: &Places, editor: &Editor<'_>, key: &Key) -> Option<(usize, usize)> {
    let (Step::Item(number), steps) = key.steps.split_last()? else {
        return None;
    };
    let list = editor.find(*places.roots.get(key.document)?, steps)?;
    (*number < editor.len_of(list)).then_some((list, *number))
}

/// The text of the file that a place is in, if it can be written.
pub(super) fn text_of<'s>(state: &'s State, config: &Config, at: Place) -> Result<(&'s String, &'s String), String> {
    let name = config.files.get(usize::from(at.file)).ok_or("its file is not known")?;
    let found = state.texts.get_key_value(name).ok_or("its file is not known")?;
    Ok(found)
}

/// Whether callers can ask for a name: a group, one with a star that covers it, or an alias.
pub(super) fn is_known(gateway: &Gateway, name: &str) -> bool {
    let of_group = |known: &str| match known.split_once('*') {
        Some((before, after)) => name.starts_with(before) && name.ends_with(after),
        None => known == name,
    };
    gateway.groups.iter().any(|group| of_group(&group.name)) || gateway.aliases.iter().any(|(alias, _)| alias == name)
}

/// What a group is called in a sentence.
pub(super) fn in_words(group: &str) -> String {
    match group {
        "" => "the gateway".to_owned(),
        group => format!("group {}", printable(group)),
    }
}
