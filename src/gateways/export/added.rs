//! A provider that comes: an entry that is copied, and cut down to what it must say.
//!
//! The copy is one of the same list, best one of the same model in the same group. Where the experiment's order of members says it, it stands
//! there; in a tree of targets every place is tried, and the one is taken at which the file is nearest to the experiment.

use serde_json::Value;

use super::edit::Editor;
use super::entries::Lists;
use super::entry::Entry;
use super::members::{Asked, Came, Made, groups, in_words, list_of, same, text_of};
use super::names::{Renamed, renamed};
use super::places::{Is, Places};
use super::{Export, IN_A_MAP, State, is_in_a_map};
use crate::gateways::import::Assumptions;
use crate::gateways::litellm::deployments::provider;
use crate::gateways::model::Member;
use crate::gateways::settled::{Path, Settings};
use crate::gateways::source::Config;
use crate::gateways::tree::Place;
use crate::gateways::{Gateway, printable};

impl Export<'_> {
    /// The file with an entry for a new member.
    pub(super) fn with(
        &self,
        state: &mut State,
        (config, gateway): (&Config, &Gateway),
        lists: &Lists,
        asked: &Asked,
        (group, name): (&str, &str),
    ) -> Result<Made, String> {
        let own = groups(gateway).find(|(known, _)| *known == group).map(|(_, of)| of);
        if own.is_none() && lists.group.is_empty() {
            return Err("new groups are not written; change the file, and import it again".to_owned());
        }
        let provider = self.provider(name).ok_or("the experiment does not say what it is")?;
        let all: Vec<&Member> = groups(gateway).flat_map(|(_, of)| of).collect();
        let near: Vec<&Member> = own.map_or_else(|| all.clone(), |own| own.iter().collect());
        // Before and behind which members it stands.
        let order = asked
            .iter()
            .find(|(of, _)| of == group)
            .map_or(&[][..], |(_, of)| of.as_slice());
        let at = order.iter().position(|of| of == name).unwrap_or(order.len());
        let known = |name: &&String| near.iter().any(|member| member.name == **name);
        let before = order[..at].iter().rev().find(known);
        let behind = order[at..].iter().skip(1).find(known);
        let mut best: Option<(usize, Made, Came)> = None;
        let mut why = format!("{} has no list that it could stand in", gateway.product.title);
        let file = near.last().map_or(0, |member| member.at.file);
        let (file_name, text) = text_of(state, config, Place { file, line: 1 })?;
        let places = Places::of(text).map_err(|_| "the file cannot be read".to_owned())?;
        if is_in_a_map(&places, places.roots.first().copied(), gateway) {
            return Err(IN_A_MAP.to_owned());
        }
        let editor = Editor::of(text, &places);
        let items = self.items(config, lists, file);
        let mut seen: Vec<usize> = Vec::new();
        for key in &items {
            let Some((list, _)) = list_of(&places, &editor, key) else {
                continue;
            };
            if seen.contains(&list) || places.roots.get(key.document).is_none() {
                continue;
            }
            seen.push(list);
            let of_list = self.of_list(&places, &editor, list, &near, &all);
            let of_group = |item: &usize| near.iter().any(|m| of_list[*item].is_some_and(|of| of.name == m.name));
            if !(0..of_list.len()).any(|item| of_group(&item)) {
                continue;
            }
            let place_of = |name: Option<&String>| {
                let name = name?;
                of_list
                    .iter()
                    .position(|of| of.is_some_and(|member| member.name == *name))
            };
            let last = (0..of_list.len()).rev().find(|item| own.is_none() || of_group(item));
            let hint = place_of(before).map(|n| n + 1).or(place_of(behind));
            let end = last.map_or(of_list.len(), |n| n + 1);
            let mut positions = vec![hint.unwrap_or(end)];
            // The order of a tree is that of its list, which the experiment's list of providers does not say: every place is tried.
            if gateway.product.name == "portkey" && of_list.len() <= 32 {
                positions.extend((0..=of_list.len()).filter(|n| Some(*n) != hint));
            }
            let Some((like, alike)) = self.like(&of_list, provider, positions[0], &of_group) else {
                continue;
            };
            let Some(model) = alike.then(String::new).or_else(|| {
                let price = priced(provider)?;
                lists.spelled(gateway.product.name, &price, &of_list[like]?.model)
            }) else {
                why = "the experiment does not say which provider serves its model: give it the `model` or the listed prices of a provider \
                       that the file has"
                    .to_owned();
                continue;
            };
            for position in positions {
                let steps = &key.steps[..key.steps.len() - 1];
                let entry = Entry {
                    file: file_name,
                    document: key.document,
                    list: steps,
                    position,
                    group,
                    name,
                    model: &model,
                    like: of_list[like].map_or("", |member| member.model.as_str()),
                };
                let after = match editor.copy_item(list, like, position) {
                    Ok(after) => after,
                    Err(refused) => {
                        why = format!("line {}: {}", refused.line, refused.what);
                        continue;
                    }
                };
                match self.entered(state, gateway, lists, asked, &entry, after) {
                    Ok((made, _)) if gateway.product.name == "bifrost" && made.name != name => {
                        // A key of another provider.
                        why = format!("its entry would be called {}", printable(&made.name));
                    }
                    Ok((made, without)) => {
                        let score = self.score(&made);
                        let like = of_list[like].map_or("", |member| member.name.as_str()).to_owned();
                        let came = Came {
                            name: made.name.clone(),
                            like,
                            without,
                        };
                        if best.as_ref().is_none_or(|(least, ..)| score < *least) {
                            best = Some((score, made, came));
                        }
                    }
                    Err(refused) => why = refused,
                }
            }
        }
        let (_, made, came) = best.ok_or(why)?;
        state.came.push(came);
        Ok(made)
    }

    /// What the experiment says of a provider.
    fn provider(&self, name: &str) -> Option<&Value> {
        let found = self.providers.iter().find(|(known, _)| known == name);
        found.map(|(_, provider)| provider)
    }

    /// The member that each item of a list is; those of `near` first.
    pub(super) fn of_list<'m>(
        &self,
        places: &Places,
        editor: &Editor<'_>,
        list: usize,
        near: &[&'m Member],
        all: &[&'m Member],
    ) -> Vec<Option<&'m Member>> {
        let Is::List { items, .. } = &places.items[list].is else {
            return Vec::new();
        };
        let mut taken: Vec<&str> = Vec::new();
        let mut found = Vec::new();
        for item in items {
            let (first, last) = editor.lines_of(*item);
            let fits =
                |member: &&&Member| (first..=last).contains(&member.at.line) && !taken.contains(&member.name.as_str());
            let member = near.iter().find(fits).or_else(|| all.iter().find(fits)).copied();
            taken.extend(member.map(|member| member.name.as_str()));
            found.push(member);
        }
        found
    }

    /// The item whose copy is nearest to a provider, and whether it is one of the same model.
    fn like(
        &self,
        items: &[Option<&Member>],
        provider: &Value,
        position: usize,
        of_group: &dyn Fn(&usize) -> bool,
    ) -> Option<(usize, bool)> {
        let alike = |item: &usize| {
            items[*item].is_some_and(|of| self.provider(&of.name).is_some_and(|is| one_model(is, provider)))
        };
        let any = |item: &usize| items[*item].is_some();
        let of_one_maker = |item: &usize| {
            let price = items[*item].and_then(|of| self.provider(&of.name)).and_then(priced);
            let start = |name: &str| {
                name.rsplit('/')
                    .next()
                    .and_then(|last| last.split('-').next())
                    .map(str::to_owned)
            };
            price.as_deref().map(start) == priced(provider).as_deref().map(start)
        };
        let near = |item: &usize| item.abs_diff(position.saturating_sub(1));
        let pick = |fits: &dyn Fn(&usize) -> bool| {
            let own = (0..items.len()).filter(|item| fits(item) && of_group(item));
            let all = (0..items.len()).filter(|item| fits(item));
            own.min_by_key(near).or_else(|| all.min_by_key(near))
        };
        pick(&alike).map(|item| (item, true)).or_else(|| {
            Some((
                pick(&|item| any(item) && of_one_maker(item)).or_else(|| pick(&any))?,
                false,
            ))
        })
    }

    /// How far the settings are from what is asked for: what is missing or too much counts twice what is otherwise.
    fn score(&self, made: &Made) -> usize {
        let target = renamed(&self.target, &made.names);
        let of = |path: &Path, other: &Settings, value: &Value| match other.get(path) {
            None => 2,
            Some(other) => usize::from(other != value),
        };
        let own: usize = made.settings.iter().map(|(path, value)| of(path, &target, value)).sum();
        own + 2 * target.keys().filter(|path| !made.settings.contains_key(*path)).count()
    }

    /// The file in which `text` has a copy of an entry at a place, with what it says cut down to what it must.
    fn entered(
        &self,
        state: &State,
        before: &Gateway,
        lists: &Lists,
        asked: &Asked,
        entry: &Entry<'_>,
        mut text: String,
    ) -> Result<(Made, Vec<String>), String> {
        // What is copied is cut down key by key: nothing may stand in it that no key shows.
        if entry.hides(&text) {
            let what = "a copy of its neighbour would hold what cannot be looked at key by key, which may be a secret";
            return Err(format!(
                "{what}: a list of other than texts, or a key that is an alias or has a dot"
            ));
        }
        let product = before.product.name;
        let set = |text: &str, key: &str, value: Option<&str>| -> Result<String, String> {
            entry.edit(text, key, value.map(Value::from).as_ref())
        };
        if !lists.group.is_empty() {
            text = set(&text, lists.group, Some(entry.group))?;
        }
        if !entry.model.is_empty() {
            text = set(&text, lists.model, Some(entry.model))?;
        }
        let read = |text: &str| self.more(state, before, asked, entry, text);
        let own = lists.own_name(product, entry.name);
        let has_name = !lists.name.is_empty() && entry.says(&text, lists.name);
        match own {
            Some(own) if has_name => text = set(&text, lists.name, Some(own))?,
            None if has_name => text = entry.drop(&text, lists.name)?,
            Some(own) if read(&text)?.name != entry.name => text = set(&text, lists.name, Some(own))?,
            Some(_) | None => {}
        }
        let mut made = read(&text)?;
        let mut score = self.score(&made);
        let mut without = Vec::new();
        // Another kind of provider has another key.
        let is_same_kind =
            entry.model.is_empty() || product != "litellm" || provider(entry.like) == provider(entry.model);
        for (key, said) in entry.leaves(&text).into_iter().rev() {
            let refers = said.is_some_and(|said| lists.marks.iter().any(|mark| said.starts_with(mark)));
            if lists.keep.contains(&key.as_str()) || (refers && is_same_kind) {
                continue;
            }
            let shorter = entry.drop(&text, &key)?;
            let Ok(next) = read(&shorter) else { continue };
            let after = self.score(&next);
            // Without it nothing that is asked for is further away.
            if after > score || !self.says_as_much(entry, (&made, &next)) {
                continue;
            }
            if next.name == made.name {
                (text, made, score) = (shorter, next, after);
                without.push(key);
            }
        }
        without.reverse();
        Ok((made, without))
    }

    /// Whether what is assumed of the new provider by a shorter entry is as near to the experiment as before: its model and its prices.
    fn says_as_much(&self, entry: &Entry<'_>, (long, short): (&Made, &Made)) -> bool {
        let Some(asked) = self.provider(entry.name) else {
            return true;
        };
        let of = |made: &Made| {
            let (_, gateway, _) = self.read(&made.texts).ok()?;
            let assumed = Assumptions::of(&gateway, self.prices);
            assumed.providers.get(&made.name).cloned()
        };
        let (long, short) = (of(long), of(short));
        ["model", "prices"].iter().all(|key| {
            let asked = asked.get(key);
            let right = |of: &Option<Value>| of.as_ref().and_then(|of| of.get(key)) == asked;
            right(&short) || !right(&long)
        })
    }

    /// Whether `text` is the gateway with one more member, wherever the experiment has it.
    fn more(
        &self,
        state: &State,
        before: &Gateway,
        asked: &Asked,
        entry: &Entry<'_>,
        text: &str,
    ) -> Result<Made, String> {
        let mut texts = state.texts.clone();
        texts.insert(entry.file.clone(), text.to_owned());
        let (_, gateway, settings) = self.read(&texts).map_err(|refused| refused.to_string())?;
        let (first, last) = entry.lines(text).ok_or("the entry is not where it was put")?;
        let file = gateway.files.iter().position(|file| file == entry.file).unwrap_or(0);
        let mut names = Renamed::new();
        let mut called = None;
        for (group, members) in groups(&gateway) {
            let old = groups(before)
                .find(|(name, _)| *name == group)
                .map_or(&[][..], |(_, of)| of);
            let wanted = asked
                .iter()
                .any(|(name, of)| name == group && of.iter().any(|of| of == entry.name));
            if members.len() != old.len() + usize::from(wanted) {
                return Err(match wanted {
                    true => format!("an entry would not make it a member of {}", in_words(group)),
                    false => format!("it would be in {} too", in_words(group)),
                });
            }
            let is_new = |n: &usize| {
                let at = members[*n].at;
                let rest = members.iter().enumerate().filter(|(m, _)| m != n).map(|(_, of)| of);
                usize::from(at.file) == file
                    && (first..=last).contains(&at.line)
                    && rest.zip(old).all(|(a, b)| same(a, b))
            };
            let new = (0..members.len()).rev().find(is_new).filter(|_| wanted);
            if wanted && new.is_none() {
                return Err("other members would change with it".to_owned());
            }
            let rest = members.iter().enumerate().filter(|(n, _)| Some(*n) != new);
            names.extend(
                rest.zip(old)
                    .map(|((_, now), old)| (old.name.clone(), now.name.clone())),
            );
            called = called.or(new.map(|n| members[n].name.clone()));
        }
        let name = called.ok_or("no group has it")?;
        names.insert(entry.name.to_owned(), name.clone());
        Ok(Made {
            texts,
            settings,
            names,
            name,
        })
    }
}

/// The name of a provider's model in price tables, as an experiment says it.
fn priced(provider: &Value) -> Option<String> {
    let listed = provider.pointer("/prices/listed/model").and_then(Value::as_str);
    listed.or_else(|| provider.get("model")?.as_str()).map(str::to_owned)
}

/// Whether an experiment says the same model of two providers.
fn one_model(a: &Value, b: &Value) -> bool {
    let of = |provider: &Value| {
        let field = |key: &str| provider.get(key).cloned();
        (
            field("model"),
            field("variant"),
            provider.pointer("/prices/listed/model").cloned(),
        )
    };
    let (a_of, b_of) = (of(a), of(b));
    let is_said =
        |(model, _, listed): &(Option<Value>, Option<Value>, Option<Value>)| model.is_some() || listed.is_some();
    match is_said(&a_of) && is_said(&b_of) {
        // Of two that name a model one may say no prices.
        true => (a_of.2.is_none() || b_of.2.is_none() || a_of.2 == b_of.2) && a_of.0 == b_of.0 && a_of.1 == b_of.1,
        false => a == b,
    }
}
