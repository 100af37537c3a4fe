//! From a path to an experiment with everything it refers to: its text, its models, its traces.
//!
//! The only place that looks for files. A model by name is `models/NAME.json` in the experiment's folder or the nearest
//! folder above it, else the one built in; by path it is relative to the experiment. A trace is where `--trace` leads; without
//! it, beside the experiment or where SIMCAP_TRACES leads. A column that a law names is in a file beside the experiment, else there too.

mod columns;
mod models;
mod scores;
mod scripts;
mod source;
mod trace;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::file::{ClassSpec, Experiment};
use super::model::{BUILT_IN_PRICES, BUILT_IN_PRICES_SOURCE, ModelFile};
use crate::form::comments::blank_comments;
use crate::form::diagnose::{self, Seg};
use crate::form::laws::Columns;
use crate::form::own::OwnParts;
use crate::import::prices;
use crate::import::scores::Scores;
use crate::provider::pricing::PriceSpec;
use crate::provider::pricing::listed::Table;
use crate::routing::script::Scripts;
use crate::traffic::arrivals::{ArrivalsSpec, Row};
use crate::traffic::kept::Kept;
use crate::traffic::pairs::Pairs;
use crate::traffic::rows::Rows;
use crate::words::Input;
use source::{input, read, read_experiment};

pub use models::find_model;
pub use source::Source;
pub(super) use source::read as read_json;
pub use trace::Traces;

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
    /// The rows of the traces that it replays, by what the experiment calls them and how they are read.
    pub traces: BTreeMap<String, Rows>,
    /// Whose requests the rows are of those whose replay keeps that, by the same names.
    pub kept: BTreeMap<String, Arc<Kept>>,
    /// The rows of the traces that lengths of classes are drawn from, by the same names.
    pub pairs: BTreeMap<String, Arc<[Row]>>,
    /// The columns of files that laws name.
    pub columns: Columns,
    /// What was done to the rows of traces, and what they say that is not heeded.
    pub notes: Vec<String>,
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
    Source::read(path)?.load(&[], traces, prices, own)
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
    let mut loaded = Loaded::new(
        file.to_owned(),
        text.to_owned(),
        experiment,
        inputs,
        OwnParts::default(),
    );
    loaded.models = models;
    loaded.load_models(Path::new(""))?;
    loaded.load_prices(None)?;
    Ok(loaded)
}

impl Loaded {
    /// An experiment of which nothing that it refers to is loaded.
    fn new(file: String, text: String, experiment: Experiment, inputs: Vec<Input>, own: OwnParts) -> Loaded {
        Loaded {
            file,
            text,
            experiment,
            models: BTreeMap::new(),
            traces: BTreeMap::new(),
            kept: BTreeMap::new(),
            pairs: BTreeMap::new(),
            columns: Columns::default(),
            notes: Vec::new(),
            scores: None,
            prices: Table::default(),
            inputs,
            scripts: Scripts::new(),
            own,
        }
    }

    /// The experiment's text as JSON, whatever its comments; nothing if it is not.
    pub fn given(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&blank_comments(&self.text)).ok()
    }

    /// The rows of the trace that `arrivals` replay, if they replay one that has been loaded.
    pub fn trace_of(&self, arrivals: &ArrivalsSpec) -> Option<Rows> {
        let spec = arrivals.as_dyn();
        self.traces.get(&trace::called(spec.trace()?, &spec.reading())).cloned()
    }

    /// Whose requests the rows are that `arrivals` replay, if they keep that.
    pub fn kept_of(&self, arrivals: &ArrivalsSpec) -> Option<&Arc<Kept>> {
        let spec = arrivals.as_dyn();
        self.kept.get(&trace::called(spec.trace()?, &spec.reading()))
    }

    /// The lengths that requests of `class` have together, if they are drawn so and have been loaded.
    pub fn pairs_of(&self, class: &ClassSpec) -> Option<Pairs> {
        let spec = class.pairs.as_ref()?;
        let rows = self.pairs.get(&trace::called(&spec.trace, &spec.reading()))?;
        Pairs::of(Arc::clone(rows))
    }

    /// Whether some provider's prices are those of the price table.
    pub fn uses_listed_prices(&self) -> bool {
        let mut providers = self.experiment.providers.iter();
        providers.any(|(_, p)| matches!(p.prices, Some(PriceSpec::listed(_))))
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
}
