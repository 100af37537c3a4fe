//! A group that is gone, taken out of what names it: fallbacks and aliases of LiteLLM. What else names it is told by its line.

use std::collections::BTreeMap;

use super::edit::{Editor, Step, Why};
use super::places::{Is, Places};
use crate::gateways::printable;

/// Where groups are named.
const SECTIONS: [&str; 2] = ["router_settings", "litellm_settings"];

/// Lists of chains.
const CHAINS: [&str; 3] = ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"];

/// The most places that name one group.
const MOST: usize = 1000;

/// Takes the group out of the texts of a configuration.
pub(super) fn group(texts: &mut BTreeMap<String, String>, group: &str) -> Result<(), String> {
    for (file, text) in texts.iter_mut() {
        let told = |why: Why| {
            format!(
                "{}, line {}: it names the group, and {}",
                printable(file),
                why.line,
                why.what
            )
        };
        for _ in 0..MOST {
            match once(text, group).map_err(told)? {
                Some(after) => *text = after,
                None => break,
            }
        }
        if let Some(line) = left(text, group) {
            return Err(format!(
                "{}, line {line}: it names the group; change it by hand first",
                printable(file)
            ));
        }
    }
    Ok(())
}

/// Where the settings stand: in the root, or in the values of a chart.
fn sections(places: &Places) -> Vec<usize> {
    let Some(root) = places.roots.first().copied() else {
        return Vec::new();
    };
    let root = places.entry(root, "proxy_config").map_or(root, |(_, inner)| inner);
    let of = |key: &&str| places.entry(root, key).map(|(_, value)| places.behind(value));
    SECTIONS.iter().filter_map(of).collect()
}

/// The text with the first place that names the group changed; nothing if none does.
fn once(text: &str, group: &str) -> Result<Option<String>, Why> {
    let Ok(places) = Places::of(text) else { return Ok(None) };
    let editor = Editor::of(text, &places);
    let items = |list: usize| match &places.items[list].is {
        Is::List { items, .. } => items.as_slice(),
        Is::Scalar { .. } | Is::Alias(_) | Is::Map { .. } => &[],
    };
    // A list that would have nothing left is written as an empty one.
    let take = |key: usize, list: usize, number: usize| match &places.items[list].is {
        Is::List { flow: false, items } if items.len() == 1 => editor.emptied(key, list),
        _ => editor.take_item(list, number),
    };
    for section in sections(&places) {
        for (name, chains) in CHAINS.iter().filter_map(|key| places.entry(section, key)) {
            for (number, item) in items(chains).iter().enumerate() {
                if places.entry(*item, group).is_some() {
                    return match &places.items[*item].is {
                        Is::Map { entries, .. } if entries.len() > 1 => {
                            editor.set(*item, &[Step::Key(group.to_owned())], None).map(Some)
                        }
                        _ => take(name, chains, number).map(Some),
                    };
                }
                let Is::Map { entries, .. } = &places.items[*item].is else {
                    continue;
                };
                for (_, chain) in entries {
                    let named = items(*chain)
                        .iter()
                        .position(|target| places.text(*target) == Some(group));
                    match (named, items(*chain).len()) {
                        (None, _) => {}
                        // A chain without targets goes whole.
                        (Some(_), 1) if entries.len() == 1 => return take(name, chains, number).map(Some),
                        (Some(target), _) => return editor.take_item(*chain, target).map(Some),
                    }
                }
            }
        }
        if let Some((name, list)) = places.entry(section, "default_fallbacks")
            && let Some(number) = items(list).iter().position(|item| places.text(*item) == Some(group))
        {
            return take(name, list, number).map(Some);
        }
        let Some((_, aliases)) = places.entry(section, "model_group_alias") else {
            continue;
        };
        let Is::Map { entries, .. } = &places.items[aliases].is else {
            continue;
        };
        for (key, value) in entries {
            let named = places.entry(*value, "model").map_or(*value, |(_, model)| model);
            if let (Some(group_named), Some(alias)) = (places.text(named), places.text(*key))
                && group_named == group
            {
                let (from, way) = match entries.len() {
                    1 if !matches!(places.items[aliases].is, Is::Map { flow: true, .. }) => {
                        (section, "model_group_alias".to_owned())
                    }
                    _ => (aliases, alias.to_owned()),
                };
                return editor.set(from, &[Step::Key(way)], None).map(Some);
            }
        }
    }
    Ok(None)
}

/// The line of what still names the group.
fn left(text: &str, group: &str) -> Option<u32> {
    let places = Places::of(text).ok()?;
    let editor = Editor::of(text, &places);
    let of_sections = sections(&places)
        .into_iter()
        .find_map(|section| named(&places, section, group));
    let found = of_sections.or_else(|| routers(&places).into_iter().find_map(|at| named(&places, at, group)));
    found.map(|item| editor.lines_of(item).0)
}

/// The tiers of automatic routers, which are groups too.
fn routers(places: &Places) -> Vec<usize> {
    let Some(root) = places.roots.first().copied() else {
        return Vec::new();
    };
    let root = places.entry(root, "proxy_config").map_or(root, |(_, inner)| inner);
    let Some((_, list)) = places.entry(root, "model_list") else {
        return Vec::new();
    };
    let Is::List { items, .. } = &places.items[list].is else {
        return Vec::new();
    };
    let parameters = items.iter().filter_map(|item| places.entry(*item, "litellm_params"));
    let of = |(_, at): (usize, usize)| {
        let keys = ["complexity_router_config", "complexity_router_default_model"];
        keys.map(|key| places.entry(at, key).map(|(_, value)| value))
    };
    parameters.flat_map(of).flatten().collect()
}

fn named(places: &Places, at: usize, group: &str) -> Option<usize> {
    match &places.items[at].is {
        Is::Scalar { text, .. } => (text == group).then_some(at),
        Is::Alias(_) => None,
        Is::List { items, .. } => items.iter().find_map(|item| named(places, *item, group)),
        Is::Map { entries, .. } => entries
            .iter()
            .find_map(|(key, value)| named(places, *key, group).or_else(|| named(places, *value, group))),
    }
}
