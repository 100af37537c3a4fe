//! What an experiment changed about a configuration, written back into the file that it came from.
//!
//! The configuration is read, and its settings are held against those of the experiment's policy ([`super::settled`]). For each that
//! differs, the product's table says which keys may make it (`tables`); one is changed in the text (`edit`), and the text is read
//! again. A change is kept if the setting then is what the experiment says and no other has changed, or those that did can be set right by
//! keys of their own. So what is written means what the experiment says by the same reader that imports, and a file that is written and
//! read again is that experiment; only the bytes of values that differ are changed. Before that, providers come and go (`members`).
//!
//! Nothing is written if a setting cannot be: it is refused by name. What was approximated when it was read is written only if that is
//! accepted. Left out: budgets, limits of tenants, conditions.

mod added;
mod asked;
mod edit;
mod entries;
mod entry;
mod forget;
mod keys;
mod members;
mod names;
mod places;
mod tables;
pub mod unified;
mod write;

use std::collections::BTreeMap;
use std::path::Path as File;

use serde_json::Value;

pub use self::asked::Target;
use self::asked::{both_cache, comparable, is_assumed, others};
use self::edit::{Editor, Why};
use self::keys::{Key, keys};
use self::members::{Came, is_known};
use self::places::Places;
use self::tables::{Form, PRODUCTS, Row};
use super::ledger::Verdict;
use super::settled::{self, Path, Settings};
use super::source::{self, Config};
use super::{Gateway, Refused, printable};
use crate::provider::pricing::listed::Table;
use crate::stats::sorting;

/// How many settings one change may upset that are then set right, and how deep.
const UPSET: usize = 8;
const DEPTH: usize = 3;
/// Changes of a setting that are followed further when none leaves the others alone.
const WAYS: usize = 4;

/// A configuration with what an experiment changed about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The files whose text changed: the name, the text before and after.
    pub files: Vec<(String, String, String)>,
    /// What was written, one line each: the key, and the setting before and after.
    pub written: Vec<String>,
    /// What new entries do not say and may need, a sentence each with its line.
    pub open: Vec<String>,
    /// Providers that the file calls otherwise than the experiment: its name of each, and the file's.
    pub renamed: Vec<(String, String)>,
}

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// The configuration cannot be read.
    Read(Refused),
    /// Settings that cannot be written, a sentence each.
    Settings(Vec<String>),
}

impl From<Refused> for NotWritten {
    fn from(refused: Refused) -> NotWritten {
        NotWritten::Read(refused)
    }
}

/// Why nothing in a document can be written: it is a ConfigMap, whose configuration is a text inside.
const IN_A_MAP: &str = "it is a text inside a ConfigMap; give the configuration by itself, and put it back";

fn is_in_a_map(places: &Places, root: Option<usize>, gateway: &Gateway) -> bool {
    gateway.product.name == "litellm" && root.is_some_and(|root| places.entry(root, "data").is_some())
}

/// The texts of a configuration as they stand, and what they come to.
#[derive(Clone)]
struct State {
    texts: BTreeMap<String, String>,
    settings: Settings,
    written: Vec<String>,
    /// Keys that have been written already.
    used: Vec<String>,
    /// Providers that have come.
    came: Vec<Came>,
}

/// What all states have in common.
struct Export<'a> {
    file: &'a File,
    product: Option<&'a str>,
    prices: &'a Table,
    /// The settings that the experiment asks for.
    target: Settings,
    /// What it says of each provider.
    providers: Vec<(String, Value)>,
    /// Names of the experiment, and the file's.
    renamed: Vec<(String, String)>,
    accept: bool,
    /// Whether the file and the experiment both have a response cache, of which what it finds is assumed.
    is_cached: bool,
}

/// The configuration at `file` with what `target` says otherwise; `accept` for what was approximated when it was read.
///
/// # Errors
/// If the configuration cannot be read, or a setting that differs cannot be written.
pub fn export(
    file: &File,
    product: Option<&str>,
    prices: &Table,
    target: Target,
    accept: bool,
) -> Result<Exported, NotWritten> {
    let mut before = BTreeMap::new();
    let config = source::open_with(file, &mut |path| {
        let name = path.display().to_string();
        let text = source::text_of(path, &name)?;
        before.insert(name, text.clone());
        Ok(text)
    })?;
    let gateway = super::read(&config, product)?;
    if gateway.product == &super::tensorzero::PRODUCT {
        let name = file.display().to_string();
        let what = "is TOML, which is not written back: change the file, and import it again";
        return Err(Refused::whole(&name, what).into());
    }
    let settings = settled::of_gateway(&gateway, prices)?;
    let Target {
        settings: target,
        providers,
    } = target;
    let mut export = Export {
        file,
        product: Some(gateway.product.name),
        prices,
        is_cached: both_cache(&settings, &target),
        target: comparable(target, &settings, &gateway),
        providers,
        renamed: Vec::new(),
        accept,
    };
    let state = State {
        texts: before.clone(),
        settings,
        written: Vec::new(),
        used: Vec::new(),
        came: Vec::new(),
    };
    let mut state = export.people(state).map_err(NotWritten::Settings)?;
    export.settle(&state.settings);
    let others = others(&state.settings, &export.target);
    if !others.is_empty() {
        return Err(NotWritten::Settings(others));
    }
    let mut open = Vec::new();
    for path in export.differences(&state.settings) {
        if !export.differs(&state.settings, &path) {
            continue;
        }
        let mut doubts = Doubts::default();
        match export.solve(&state, &path, 0, &mut doubts) {
            Some(next) => state = next,
            None => open.push((path, doubts)),
        }
    }
    // What follows from another setting is right once that is.
    open.retain(|(path, _)| export.differs(&state.settings, path));
    if !open.is_empty() {
        let line = |(path, doubts): &(Path, Doubts)| export.refusal(&gateway, &state, path, doubts);
        return Err(NotWritten::Settings(open.iter().map(line).collect()));
    }
    let said = export.left_open(&state);
    let changed = state.texts.into_iter().filter_map(|(name, after)| {
        let text = before.get(&name)?.clone();
        (text != after).then_some((name, text, after))
    });
    Ok(Exported {
        files: changed.collect(),
        written: state.written,
        open: said,
        renamed: export.renamed,
    })
}

/// What stood in the way of a setting.
#[derive(Default)]
struct Doubts {
    /// Whether the product has a key for it.
    has_key: bool,
    /// The key that would say it and was approximated.
    approximated: Option<String>,
    /// A place that cannot be written, and why.
    why: Option<(String, Why)>,
    /// Another setting that would change with it.
    upsets: Option<Path>,
}

impl Export<'_> {
    fn differs(&self, settings: &Settings, path: &Path) -> bool {
        settings.get(path) != self.target.get(path) && !(self.is_cached && is_assumed(path))
    }

    /// The settings that differ from what is asked for.
    fn differences(&self, settings: &Settings) -> Vec<Path> {
        let mut all: Vec<&Path> = settings.keys().chain(self.target.keys()).collect();
        sorting::by(&mut all, Ord::cmp);
        all.dedup();
        all.into_iter()
            .filter(|path| self.differs(settings, path))
            .cloned()
            .collect()
    }

    /// Reads texts as a configuration.
    fn read(&self, texts: &BTreeMap<String, String>) -> Result<(Config, Gateway, Settings), Refused> {
        let config = source::open_with(self.file, &mut |path| {
            let name = path.display().to_string();
            texts
                .get(&name)
                .cloned()
                .ok_or_else(|| Refused::whole(&name, "was not read before"))
        })?;
        let gateway = super::read(&config, self.product)?;
        let settings = settled::of_gateway(&gateway, self.prices)?;
        Ok((config, gateway, settings))
    }

    /// A state in which the setting at `path` is what is asked for and everything else that was right still is.
    fn solve(&self, state: &State, path: &Path, depth: usize, doubts: &mut Doubts) -> Option<State> {
        let (config, gateway, _) = self.read(&state.texts).ok()?;
        let before = self.differences(&state.settings);
        let mut upsetting: Vec<(Vec<Path>, State)> = Vec::new();
        for (key, form) in self.candidates(&config, &gateway, path, doubts) {
            if state.used.contains(&key.path) {
                continue;
            }
            let approximated = super::verdict(gateway.product, &shape(&key.path)) == Some(Verdict::Approximated);
            let value = match self.target.get(path) {
                Some(value) => match form.write(value) {
                    Some(value) => Some(value),
                    None => continue,
                },
                None if key.missing > 0 => continue,
                None => None,
            };
            let next = match self.written(state, (&config, &gateway), (&key, form), (path, value.as_ref())) {
                Ok(next) => next,
                Err(why) => {
                    doubts.why.get_or_insert((key.path.clone(), why));
                    continue;
                }
            };
            let Some(next) = next.filter(|next| !self.differs(&next.settings, path)) else {
                continue;
            };
            let after = self.differences(&next.settings);
            let upset: Vec<Path> = after.into_iter().filter(|path| !before.contains(path)).collect();
            if approximated && !self.accept {
                if upset.is_empty() {
                    doubts.approximated.get_or_insert(key.path.clone());
                }
                continue;
            }
            if upset.is_empty() {
                return Some(next);
            }
            doubts.upsets.get_or_insert(upset[0].clone());
            upsetting.push((upset, next));
        }
        sorting::by_key(&mut upsetting, |(upset, _)| upset.len());
        upsetting.retain(|(upset, _)| depth < DEPTH && upset.len() <= UPSET);
        for (upset, mut next) in upsetting.into_iter().take(WAYS) {
            let right = upset.iter().all(|path| {
                if !self.differs(&next.settings, path) {
                    return true;
                }
                match self.solve(&next, path, depth + 1, &mut Doubts::default()) {
                    Some(further) => {
                        next = further;
                        true
                    }
                    None => false,
                }
            });
            let after = self.differences(&next.settings);
            if right && after.iter().all(|path| before.contains(path)) && !after.contains(path) {
                return Some(next);
            }
        }
        None
    }

    /// The keys that may make the setting at `path`, and how it is written there.
    fn candidates(&self, config: &Config, gateway: &Gateway, path: &Path, doubts: &mut Doubts) -> Vec<(Key, Form)> {
        let of_product = PRODUCTS.iter().filter(|(name, ..)| *name == gateway.product.name);
        let rows = of_product
            .flat_map(|(_, before, rows)| rows.iter().flat_map(move |row| before.iter().map(move |b| (*b, row))));
        let mut found: Vec<(Key, Form)> = Vec::new();
        for (before, row) in rows {
            let (pattern, ends, form): &Row = row;
            if !settled::ends(path, ends) {
                continue;
            }
            doubts.has_key = true;
            let keys = keys(config, &format!("{before}{pattern}"));
            found.extend(keys.into_iter().map(|key| (key, *form)));
        }
        // What is there is changed before anything is added.
        sorting::by_key(&mut found, |(key, _)| key.missing);
        found
    }

    /// The state in which the value of the setting stands at `key`; nothing if the text then is not a configuration.
    fn written(
        &self,
        state: &State,
        (config, gateway): (&Config, &Gateway),
        (key, form): (&Key, Form),
        (path, value): (&Path, Option<&Value>),
    ) -> Result<Option<State>, Why> {
        let Some((name, text)) = config
            .files
            .get(key.file)
            .and_then(|name| state.texts.get_key_value(name))
        else {
            return Ok(None);
        };
        let Ok(places) = Places::of(text) else { return Ok(None) };
        let Some(&root) = places.roots.get(key.document) else {
            return Ok(None);
        };
        if is_in_a_map(&places, Some(root), gateway) {
            return Err(Why {
                line: 1,
                what: IN_A_MAP,
            });
        }
        let editor = Editor::of(text, &places);
        let after = match (form, value, path.as_slice()) {
            (Form::Chain, Some(Value::Array(names)), [what, group, ..]) if what == "group" => {
                editor.set_chain(root, &key.steps, group, names, &|name| !is_known(gateway, name))?
            }
            (Form::Chain, None, [what, group, ..]) if what == "group" => {
                editor.set_chain(root, &key.steps, group, &[], &|_| false)?
            }
            _ => editor.set(root, &key.steps, value)?,
        };
        if after == *text {
            return Ok(None);
        }
        let mut texts = state.texts.clone();
        texts.insert(name.clone(), after);
        let Ok((_, _, settings)) = self.read(&texts) else {
            return Ok(None);
        };
        let (subject, what) = settled::name(path);
        let of = if subject.is_empty() {
            String::new()
        } else {
            format!("{subject}: ")
        };
        let line = format!(
            "{}: {of}{what} {} → {}",
            printable(&key.path),
            settled::shown(state.settings.get(path)),
            settled::shown(self.target.get(path))
        );
        let mut next = state.clone();
        next.written.push(line);
        if !matches!(form, Form::Chain) {
            next.used.push(key.path.clone());
        }
        Ok(Some(State {
            texts,
            settings,
            ..next
        }))
    }

    /// Why a setting is not written, in a sentence.
    fn refusal(&self, gateway: &Gateway, state: &State, path: &Path, doubts: &Doubts) -> String {
        let (subject, what) = settled::name(path);
        let of = if subject.is_empty() {
            String::new()
        } else {
            format!("{subject}: ")
        };
        let change = format!(
            "{of}{what} {} → {}",
            settled::shown(state.settings.get(path)),
            settled::shown(self.target.get(path))
        );
        let why = match doubts {
            Doubts {
                approximated: Some(key),
                ..
            } => {
                format!("`{key}` says it, and is approximated when it is read: write it with --accept")
            }
            Doubts {
                why: Some((key, why)), ..
            } => format!("`{key}`, line {}: {}", why.line, why.what),
            Doubts {
                upsets: Some(other), ..
            } => {
                let (subject, what) = settled::name(other);
                let of = if subject.is_empty() {
                    String::new()
                } else {
                    format!("{subject}: ")
                };
                format!("it would change {of}{what} too, which the experiment has as before; change both, or none")
            }
            Doubts { has_key: true, .. } => {
                format!("{} cannot say it there, or not this value", gateway.product.title)
            }
            Doubts { has_key: false, .. } => format!("nothing that is written of {} says it", gateway.product.title),
        };
        format!("{change}: {why}")
    }
}

/// A path as a product's table of keys has it.
fn shape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => {
                out.push_str("[]");
                inside = true;
            }
            ']' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    match out.find("plugins[]") {
        Some(at) if out.starts_with("services[]") => out.split_off(at),
        _ => out,
    }
}

#[cfg(test)]
mod tests;
