//! From a path to an experiment with everything it refers to: its text, its models, its trace.
//!
//! The only place that looks for files. A model by name is `models/NAME.json` in the experiment's folder or the nearest
//! folder above it, else the one built in; by path it is relative to the experiment. A trace is where `--trace` leads; without
//! it, beside the experiment or where SIMCAP_TRACES leads.

mod scores;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::file::Experiment;
use super::model::{BUILT_IN, BUILT_IN_PRICES, BUILT_IN_PRICES_SOURCE, ModelFile};
use super::settings::Setting;
use super::{foreign, format};
use crate::form::build::Names;
use crate::form::diagnose::{self, Seg, nearest};
use crate::form::own::OwnParts;
use crate::import::scores::Scores;
use crate::import::source::{self, MOST_OF_JSON, MOST_OF_SCRIPT, MOST_OF_TRACE, Rows};
use crate::import::{prices, trace};
use crate::provider::pricing::PriceSpec;
use crate::provider::pricing::listed::Table;
use crate::routing::script::{Fault, Program, Scripts};
use crate::traffic::arrivals::Row;
use crate::words::Input;

/// An experiment and all that it refers to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The path of the file, as it was given.
    pub file: String,
    /// The text of the file.
    pub text: String,
    /// The experiment that the text describes.
    pub experiment: Experiment,
    /// The models, by what the experiment calls them.
    pub models: BTreeMap<String, ModelFile>,
    /// The rows of the trace, if it replays one.
    pub trace: Option<Arc<[Row]>>,
    /// The scores that the correlation of answers follows from, if it follows from a file.
    pub scores: Option<Scores>,
    /// The price table; empty if no provider asks for a listed price.
    pub prices: Table,
    /// Every file that was read, with its hash: the experiment first.
    pub inputs: Vec<Input>,
    /// The scripts of policies, by the name that the experiment gives them.
    pub scripts: Scripts,
    /// The parts that the caller registers: those given to [`load_with`], or put here before the experiment is assembled.
    pub own: OwnParts,
}

/// Why an experiment cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// A file cannot be read.
    Read {
        /// The path of the file.
        file: String,
        /// Why it cannot be read.
        why: String,
    },
    /// A file says something that it should not.
    Says(diagnose::Error),
    /// A value that is to be set has no place in the experiment; the text says which, and why.
    Set(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Read { file, why } => write!(f, "{file}: {why}"),
            LoadError::Says(error) => error.fmt(f),
            LoadError::Set(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<diagnose::Error> for LoadError {
    fn from(error: diagnose::Error) -> Self {
        LoadError::Says(error)
    }
}

/// Where to look for a trace.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// The trace itself, or the folder it is in: then nowhere else is looked.
    pub given: Option<PathBuf>,
    /// Without `given`, and if it is not beside the experiment: a folder to look through, or the trace.
    pub below: Option<PathBuf>,
}

impl Traces {
    /// The file that is meant by `name` in the experiment at `experiment`.
    fn find(&self, experiment: &Path, name: &str) -> Option<PathBuf> {
        let file = Path::new(Path::new(name).file_name()?);
        let in_place = |place: &PathBuf| {
            if place.is_file() {
                Some(place.clone())
            } else {
                search(place, file, 3)
            }
        };
        if let Some(given) = &self.given {
            return in_place(given);
        }
        let beside = experiment.parent().unwrap_or(Path::new("")).join(name);
        if beside.is_file() {
            Some(beside)
        } else {
            self.below.as_ref().and_then(in_place)
        }
    }
}

/// Loads the experiment at `path`, with its models, its prices, and its trace if it replays one.
///
/// # Errors
/// If a file cannot be read or does not say what it should.
pub fn load(path: &Path, traces: &Traces) -> Result<Loaded, LoadError> {
    load_priced(path, traces, None)
}

/// Loads the experiment at `path`, with the price table at `prices` in place of the one built in.
///
/// # Errors
/// As [`load`], and those of the price table.
pub fn load_priced(path: &Path, traces: &Traces, prices: Option<&Path>) -> Result<Loaded, LoadError> {
    load_with(path, traces, prices, OwnParts::default())
}

/// Loads the experiment at `path`, with parts of the caller's own, which the experiment and its models may name.
///
/// # Errors
/// As [`load_priced`].
pub fn load_with(path: &Path, traces: &Traces, prices: Option<&Path>, own: OwnParts) -> Result<Loaded, LoadError> {
    load_set(path, &[], traces, prices, own)
}

/// Loads the experiment at `path`, or from standard input if that is `-`, with these values in it in place of its own. What it refers to is
/// looked for beside it, or here.
///
/// # Errors
/// As [`load_priced`], and if the experiment has no place for a value.
pub fn load_set(
    path: &Path,
    settings: &[Setting],
    traces: &Traces,
    prices: Option<&Path>,
    own: OwnParts,
) -> Result<Loaded, LoadError> {
    let is_piped = path == Path::new("-");
    let mut file = if is_piped {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let mut bytes = if is_piped { piped()? } else { read(path)? };
    let path = if is_piped { Path::new("experiment.json") } else { path };
    if !settings.is_empty() {
        // A file that is not an experiment is told of as such, and not by a value that it has no place for.
        read_experiment(&file, &bytes)?;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        for setting in settings {
            text = setting.put(&text).map_err(|error| LoadError::Set(error.to_string()))?;
        }
        bytes = text.into_bytes();
        file += " with --set";
    }
    let experiment = read_experiment(&file, &bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut loaded = Loaded {
        file,
        text,
        experiment,
        models: BTreeMap::new(),
        trace: None,
        scores: None,
        prices: Table::default(),
        inputs: vec![input(path, &bytes)],
        scripts: Scripts::new(),
        own,
    };
    loaded.load_models(path)?;
    loaded.load_prices(prices)?;
    loaded.load_trace(path, traces)?;
    loaded.load_scripts(path)?;
    loaded.load_scores(path)?;
    Ok(loaded)
}

/// Loads an experiment from its text, with built-in models only: for the library's users and for tests.
///
/// # Errors
/// As [`load`].
pub fn from_text(file: &str, text: &str) -> Result<Loaded, LoadError> {
    with_models(file, text, BTreeMap::new())
}

/// Loads an experiment from its text, with `models` by what the text calls them: those are looked for nowhere.
///
/// # Errors
/// As [`load`].
pub fn with_models(file: &str, text: &str, models: BTreeMap<String, ModelFile>) -> Result<Loaded, LoadError> {
    let experiment = read_experiment(file, text.as_bytes())?;
    let inputs = vec![input(Path::new(file), text.as_bytes())];
    let mut loaded = Loaded {
        file: file.to_owned(),
        text: text.to_owned(),
        experiment,
        models,
        trace: None,
        scores: None,
        prices: Table::default(),
        inputs,
        scripts: Scripts::new(),
        own: OwnParts::default(),
    };
    loaded.load_models(Path::new(""))?;
    loaded.load_prices(None)?;
    Ok(loaded)
}

/// The experiment in `bytes`. An unknown format, or a file of something else, is the mistake, and not what follows from it.
fn read_experiment(file: &str, bytes: &[u8]) -> Result<Experiment, diagnose::Error> {
    diagnose::parse_bytes(file, bytes).map_err(|error| {
        let text = String::from_utf8_lossy(bytes);
        format::unknown_in(file, &text)
            .or_else(|| foreign::named(file, &text))
            .unwrap_or(error)
    })
}

impl Loaded {
    /// Whether some provider's prices are those of the price table.
    pub fn uses_listed_prices(&self) -> bool {
        let mut providers = self.experiment.providers.iter();
        providers.any(|(_, p)| matches!(p.prices, Some(PriceSpec::listed(_))))
    }

    fn load_models(&mut self, experiment: &Path) -> Result<(), LoadError> {
        for (name, provider) in self.experiment.providers.iter() {
            let Some(model) = provider.model.clone() else { continue };
            if self.models.contains_key(&model) {
                continue;
            }
            let path = [Seg::from("providers"), Seg::from(name), Seg::from("model")];
            let Some((file, input)) = find_model(experiment, &model, &self.own).map_err(|e| self.blame(&path, e))?
            else {
                let names = BUILT_IN.map(|(name, _)| name);
                let message = format!(
                    "there is no model `{model}`: no models/{model}.json beside this file or above it, and none built in"
                );
                return Err(diagnose::Error::at(&self.file, &self.text, &path, message)
                    .with_allowed(&model, names)
                    .into());
            };
            self.inputs.push(input);
            self.models.insert(model, file);
        }
        Ok(())
    }

    /// A model that cannot be read is a mistake of the line that names it; one that reads badly is its own.
    fn blame(&self, path: &[Seg], error: LoadError) -> LoadError {
        match error {
            LoadError::Read { file, why } => {
                diagnose::Error::at(&self.file, &self.text, path, format!("cannot read {file}: {why}")).into()
            }
            says => says,
        }
    }

    /// The price table at `given`, or if there is none and some provider asks for a listed price, the one built in.
    fn load_prices(&mut self, given: Option<&Path>) -> Result<(), LoadError> {
        let (file, bytes, source): (String, Cow<'_, [u8]>, String) = match given {
            Some(path) => {
                let file = path.display().to_string();
                (file.clone(), read(path)?.into(), file)
            }
            None => {
                if !self.uses_listed_prices() {
                    return Ok(());
                }
                let bytes = BUILT_IN_PRICES.as_bytes().into();
                ("prices.json".to_owned(), bytes, BUILT_IN_PRICES_SOURCE.to_owned())
            }
        };
        let entries: prices::File = diagnose::parse_bytes(&file, &bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        self.prices = prices::table(&entries).map_err(|refusal| refusal.error(&file, &text))?;
        self.prices.source = source;
        self.inputs.push(input(Path::new(&file), &bytes));
        Ok(())
    }

    fn load_trace(&mut self, experiment: &Path, traces: &Traces) -> Result<(), LoadError> {
        let arrivals = &self.experiment.traffic.arrivals;
        let Some(name) = arrivals.as_dyn().trace().map(str::to_owned) else {
            return Ok(());
        };
        let path = [
            Seg::from("traffic"),
            Seg::from("arrivals"),
            Seg::from(arrivals.name()),
            Seg::from("trace"),
        ];
        let Some(found) = traces.find(experiment, &name) else {
            let message = match &traces.given {
                Some(given) => format!("there is no trace `{name}` at {}", given.display()),
                None => format!("there is no trace `{name}` beside this file or under SIMCAP_TRACES"),
            };
            let mut error = diagnose::Error::at(&self.file, &self.text, &path, message);
            if let Some(source) = trace::published_at(&name) {
                error = error.with_hint(format!(
                    "it is {source}; give its path with --trace, or its folder in the environment variable SIMCAP_TRACES"
                ));
            }
            return Err(error.into());
        };
        let mut source = Rows::open(&found, MOST_OF_TRACE).map_err(|error| unreadable(&found, &error))?;
        let rows = trace::read(&mut source).map_err(|e| LoadError::Read {
            file: found.display().to_string(),
            why: e.to_string(),
        })?;
        self.inputs.push(Input {
            name: name_of(&found),
            sha256: source.sha256(),
        });
        self.trace = Some(rows.into());
        Ok(())
    }
}

impl Loaded {
    /// Adds the script that the experiment calls `name`: for experiments that are not files.
    ///
    /// # Errors If it is not a script, or not one of a policy.
    pub fn add_script(&mut self, name: &str, text: &str) -> Result<(), LoadError> {
        let program = Program::read(text).map_err(|fault| misread(name, text, &fault))?;
        self.inputs.push(input(Path::new(name), text.as_bytes()));
        self.scripts.insert(name.to_owned(), program);
        Ok(())
    }

    /// The scripts that policies name, in any depth, from the experiment's folder.
    fn load_scripts(&mut self, experiment: &Path) -> Result<(), LoadError> {
        let mut found = Vec::new();
        for (i, entry) in self.experiment.policies.iter().enumerate() {
            let path = vec![Seg::from("policies"), Seg::from(i), Seg::from("policy")];
            let says = serde_json::to_value(&entry.policy).unwrap_or_default();
            scripts_in(&says, path, &mut found);
        }
        for (path, name) in found {
            if self.scripts.contains_key(&name) {
                continue;
            }
            let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            if !Path::new(&name).components().all(inside) {
                let why = "a script must lie in the experiment's folder, or below it";
                return Err(diagnose::Error::at(&self.file, &self.text, &path, why).into());
            }
            let at = experiment.parent().unwrap_or(Path::new("")).join(&name);
            let bytes = source::read(&at, MOST_OF_SCRIPT).map_err(|e| self.blame(&path, unreadable(&at, &e)))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let program = Program::read(&text).map_err(|fault| misread(&at.display().to_string(), &text, &fault))?;
            self.inputs.push(input(&at, &bytes));
            self.scripts.insert(name, program);
        }
        Ok(())
    }
}

/// Every `{ "script": { "file": … } }` in what a policy says, with the place of its file. Policies inside others are found by
/// what they look like, so that no policy that holds others need know of scripts.
fn scripts_in(says: &Value, path: Vec<Seg>, found: &mut Vec<(Vec<Seg>, String)>) {
    let step = |seg: Seg| [path.as_slice(), &[seg]].concat();
    match says {
        Value::Object(fields) => {
            if let (1, Some(Value::String(file))) = (fields.len(), says.pointer("/script/file")) {
                let at = [path.as_slice(), &[Seg::from("script"), Seg::from("file")]].concat();
                found.push((at, file.clone()));
            } else if !fields.contains_key("own") {
                for (name, field) in fields {
                    scripts_in(field, step(Seg::from(name.as_str())), found);
                }
            }
        }
        Value::Array(elements) => {
            for (i, element) in elements.iter().enumerate() {
                scripts_in(element, step(Seg::from(i)), found);
            }
        }
        _ => {}
    }
}

fn misread(file: &str, text: &str, fault: &Fault) -> LoadError {
    if fault.line == 0 {
        return LoadError::Read {
            file: file.to_owned(),
            why: fault.message.clone(),
        };
    }
    diagnose::Error::in_line(file, text, fault.line, fault.column, fault.message.clone()).into()
}

/// The model that an experiment at `experiment` means by `name`, which may have parts of the caller's `own`; nothing if there
/// is none.
///
/// # Errors
/// If its file cannot be read or does not say what it should.
pub fn find_model(experiment: &Path, name: &str, own: &OwnParts) -> Result<Option<(ModelFile, Input)>, LoadError> {
    if name.ends_with(".json") {
        return read_model(&experiment.parent().unwrap_or(Path::new("")).join(name), own).map(Some);
    }
    if let Some(at) = nearest_model(experiment, name) {
        return read_model(&at, own).map(Some);
    }
    let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) else {
        return Ok(None);
    };
    let input = input(Path::new(&format!("{name}.json")), text.as_bytes());
    Ok(Some((diagnose::parse(name, text)?, input)))
}

fn read_model(path: &Path, own: &OwnParts) -> Result<(ModelFile, Input), LoadError> {
    let bytes = read(path)?;
    let file = path.display().to_string();
    let model: ModelFile = diagnose::parse_bytes(&file, &bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let names = Names {
        extras: &[own],
        ..Names::default()
    };
    model.check(&names).map_err(|refusal| refusal.error(&file, &text))?;
    Ok((model, input(path, &bytes)))
}

/// `models/NAME.json` in the experiment's folder or the nearest folder above it.
fn nearest_model(experiment: &Path, name: &str) -> Option<PathBuf> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_plain || experiment.as_os_str().is_empty() {
        return None;
    }
    let folder = std::path::absolute(experiment).ok()?;
    folder
        .ancestors()
        .skip(1)
        .map(|f| f.join("models").join(format!("{name}.json")))
        .find(|p| p.is_file())
}

/// A file of this name in `folder` or up to `depth` folders below it, the first in order of names.
fn search(folder: &Path, name: &Path, depth: u32) -> Option<PathBuf> {
    let direct = folder.join(name);
    if direct.is_file() {
        return Some(direct);
    }
    if depth == 0 {
        return None;
    }
    let mut below: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    below.sort();
    below.iter().find_map(|f| search(f, name, depth - 1))
}

/// A file of JSON.
/// What comes by standard input, up to the bound on files.
fn piped() -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(MOST_OF_JSON + 1).read_to_end(&mut bytes);
    let why = match read {
        Ok(count) if count as u64 > MOST_OF_JSON => format!("is larger than {MOST_OF_JSON} bytes"),
        Ok(_) => return Ok(bytes),
        Err(error) => format!("cannot be read: {error}"),
    };
    Err(LoadError::Read {
        file: "standard input".into(),
        why,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    source::read(path, MOST_OF_JSON).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> LoadError {
    let why = match error.kind() {
        io::ErrorKind::NotFound => missing(path),
        io::ErrorKind::IsADirectory => "is a folder, not a file".to_owned(),
        io::ErrorKind::FileTooLarge => error.to_string(),
        _ => format!("cannot be read: {error}"),
    };
    LoadError::Read {
        file: path.display().to_string(),
        why,
    }
}

/// Says that there is no such file, and which one may have been meant.
fn missing(path: &Path) -> String {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries
                .filter_map(Result::ok)
                .filter_map(|e| e.file_name().into_string().ok())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("there is no such file; did you mean {}?", folder.join(near).display()),
        None => "there is no such file".to_owned(),
    }
}

fn input(path: &Path, bytes: &[u8]) -> Input {
    let sha256 = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    Input {
        name: name_of(path),
        sha256,
    }
}

/// A file's name without its folder.
fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}
