//! Inputs of an experiment that are not known exactly: between which values they lie, or of which variants one is true.
//!
//! An experiment names them by path in `uncertain`, a command line by `PATH=LOW..HIGH` and `PATH=A,B`. What the file says at the path itself is
//! the centre: a run takes it, and it must be one of the values that are possible. A number between two ends is uniform, or triangular with its
//! peak at the likeliest value; each variant has a weight. [`UncertainInput::value`] turns a share of what is possible into a value: the quantile function,
//! so that whatever spreads shares evenly spreads values as they are likely. Whether a field takes whole numbers only is found out by trying
//! one that is not. Left out: inputs that hang on each other; each is taken by itself.

mod law;

use serde_json::Value;

use super::assemble::assemble;
use super::axis::list;
use super::file::{Experiment, UncertainSpec};
use super::load::{LoadError, Loaded};
use super::settings::{Setting, is_same_path, split};
use crate::form::build::{Built, Refusal};
use crate::form::diagnose::{self, Seg};
use law::{Law, parts, shown};

/// The most inputs of one experiment, and the most variants of one.
const MOST: usize = 64;

/// How many paths a sentence names.
const NAMED: usize = 3;

/// What stands for paths that cannot be inputs: their first step, and why.
const NO_INPUTS: [(&str, &str); 4] = [
    ("plan", "how an experiment is run is no input of it"),
    ("objectives", "what is asked is no input: it is judged at every draw"),
    ("uncertain", "it says what is not known, and is known itself"),
    ("name", "a name is no input"),
];

/// An input that is not known exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct UncertainInput {
    /// The path as it was written.
    pub path: String,
    /// What the file says there itself; nothing if it says nothing.
    pub own: Option<Value>,
    law: Law,
    /// Where the experiment says it; on a command line nowhere.
    place: Vec<Seg>,
}

/// Makes the experiment with these values in it.
pub type Make<'a> = &'a mut dyn FnMut(&[Setting]) -> Result<Loaded, LoadError>;

/// A value of a command line: JSON, or the text as it is.
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

impl UncertainInput {
    fn new(path: &str, spec: &UncertainSpec) -> Built<UncertainInput> {
        let law = match (&spec.between, &spec.one_of, &spec.likely, &spec.weights) {
            (Some(ends), None, likely, None) => Law::between(ends, likely.as_ref())?,
            (None, Some(values), None, weights) => Law::one_of(values, weights.as_deref())?,
            (Some(_), None, _, Some(_)) => {
                return Err(Refusal::new("`weights` are of `one_of`: between two ends give `likely`").at("weights"));
            }
            (None, Some(_), Some(_), _) => {
                return Err(Refusal::new("`likely` is of `between`: of variants give `weights`").at("likely"));
            }
            (Some(_), Some(_), ..) => {
                return Err(Refusal::new("`one_of` beside `between`: give one of them").at("one_of"));
            }
            (None, None, ..) => {
                let text = "nothing of what is possible: give `between` with two ends, or `one_of` with variants";
                return Err(Refusal::new(text));
            }
        };
        Setting::new(path, "0").map_err(|error| Refusal::new(error.why()))?;
        let first = path.split(['.', '[']).next().unwrap_or_default();
        if let Some((_, why)) = NO_INPUTS.iter().find(|(name, _)| *name == first) {
            return Err(Refusal::new(format!("`{path}`: {why}")));
        }
        Ok(UncertainInput {
            path: path.to_owned(),
            own: None,
            law,
            place: Vec::new(),
        })
    }

    /// The input that `--between` says: `path=low..high`.
    ///
    /// # Errors
    /// If the text is of another form.
    pub fn between(text: &str) -> Result<UncertainInput, String> {
        let form = "a path, `=` and two ends, like traffic.rate=25/s..45/s";
        let (path, ends) = split(text).ok_or(form)?;
        let (low, high) = ends.split_once("..").ok_or(form)?;
        let (low, high) = (read(low.trim()), read(high.trim()));
        // The unit of the upper end may stand for both, as in a sweep.
        let low = match (parts(&low), parts(&high)) {
            (Some((_, _, "")), Some((before, _, after))) if high.is_string() => {
                let bare = low.as_str().map_or_else(|| low.to_string(), str::to_owned);
                Value::from(format!("{before}{}{after}", bare.trim_start_matches('$')))
            }
            _ => low,
        };
        let spec = UncertainSpec {
            between: Some(vec![low, high]),
            ..UncertainSpec::default()
        };
        UncertainInput::new(path, &spec).map_err(|refusal| refusal.message)
    }

    /// The input that `--one-of` says: `path=a,b`.
    ///
    /// # Errors
    /// If the text is of another form.
    pub fn one_of(text: &str) -> Result<UncertainInput, String> {
        let form = "a path, `=` and variants with commas between, like providers[a].model=gpt-4.1,gemini-2.5-flash";
        let (path, values) = split(text).ok_or(form)?;
        let spec = UncertainSpec {
            one_of: Some(list(values).iter().map(|value| read(value)).collect()),
            ..UncertainSpec::default()
        };
        UncertainInput::new(path, &spec).map_err(|refusal| refusal.message)
    }

    /// The value below which the share `u`, 0 to 1, of what is possible lies.
    pub fn value(&self, u: f64) -> Value {
        self.law.value(u)
    }

    /// Both ends, or the variants that the file itself does not have.
    pub fn ends(&self) -> Vec<Value> {
        match &self.law {
            Law::Between { ends, .. } => ends.to_vec(),
            Law::OneOf(values) => {
                let others = values.iter().map(|(value, _)| value);
                others
                    .filter(|value| self.own.as_ref() != Some(value))
                    .cloned()
                    .collect()
            }
        }
    }

    /// The number that `value` is, in the unit in which it is written; nothing of variants.
    pub fn number(&self, value: &Value) -> Option<f64> {
        match self.law {
            Law::Between { .. } => parts(value).map(|(_, number, _)| number),
            Law::OneOf(_) => None,
        }
    }

    /// The unit in which numbers are written, with what stands before them; empty of plain numbers and variants.
    pub fn unit(&self) -> String {
        match &self.law {
            Law::Between { ends, .. } => {
                parts(&ends[1]).map_or_else(String::new, |(before, _, after)| format!("{before}{after}"))
            }
            Law::OneOf(_) => String::new(),
        }
    }

    /// The experiment's value at the path, set to `value`.
    ///
    /// # Errors
    /// If the path is none.
    pub fn set(&self, value: &Value) -> Result<Setting, LoadError> {
        Setting::new(&self.path, &value.to_string()).map_err(|error| LoadError::Set(error.to_string()))
    }

    /// What is possible, in words: `25/s to 45/s, likeliest 30/s`.
    pub fn in_words(&self) -> String {
        self.law.in_words()
    }

    /// A value as people write it, in a few columns.
    pub fn shown(value: &Value) -> String {
        shown(value)
    }

    /// Finds what the experiment of `text` says itself, and refuses it if it is none of what is possible.
    fn check_own(&mut self, text: &str) -> Built<()> {
        let own = Setting::new(&self.path, "0").and_then(|setting| setting.own(text));
        self.own = own.map_err(|error| Refusal::new(error.why()))?;
        let Some(own) = &self.own else { return Ok(()) };
        match self.law.lacks(own) {
            Some(why) => Err(Refusal::new(format!(
                "the file has {} at `{}`, {why}",
                shown(own),
                self.path
            ))),
            None => Ok(()),
        }
    }

    /// A refusal of the input, where the experiment says it, or else on the command line.
    fn error(&self, refusal: Refusal, (file, text): (&str, &str)) -> LoadError {
        if self.place.is_empty() {
            return LoadError::Set(format!("{}: {}", self.path, refusal.message));
        }
        let path = [self.place.as_slice(), &refusal.path].concat();
        diagnose::Error::at(file, text, &path, refusal.message).into()
    }
}

/// What the experiment says of its inputs in `text`, checked as far as one file tells.
fn said(experiment: &Experiment, text: &str) -> Built<Vec<UncertainInput>> {
    if experiment.uncertain.len() > MOST {
        let text = format!("{} inputs: at most {MOST}", experiment.uncertain.len());
        return Err(Refusal::new(text).at("uncertain"));
    }
    let mut all: Vec<UncertainInput> = Vec::new();
    for (path, spec) in experiment.uncertain.iter() {
        let here = |refusal: Refusal| refusal.at(path).at("uncertain");
        let mut input = UncertainInput::new(path, spec).map_err(here)?;
        if let Some(same) = all.iter().find(|other| is_same_path(&other.path, path)) {
            return Err(here(Refusal::new(format!("`{}` is the same path", same.path))));
        }
        let place = Setting::new(path, "0").and_then(|setting| setting.own(text));
        input.own = place.map_err(|error| here(Refusal::new(error.why())))?;
        input.place = vec![Seg::from("uncertain"), Seg::from(path)];
        all.push(input);
    }
    Ok(all)
}

/// Refuses what the experiment of `text` says of its inputs where it makes no sense by itself.
pub(super) fn check(experiment: &Experiment, file: &str, text: &str) -> Result<(), diagnose::Error> {
    let said = said(experiment, text).map(|_| ());
    said.map_err(|refusal| refusal.error(file, text))
}

/// What a reader of a run must know of inputs that are not known exactly; nothing where all are.
pub fn sentence(loaded: &Loaded) -> Option<String> {
    let paths = loaded.experiment.uncertain.names();
    let file = loaded.file.strip_suffix(" with --set").unwrap_or(&loaded.file);
    let named = paths
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let more = match paths.len() {
        0 => return None,
        n if n > NAMED => format!(" and {} more", n - NAMED),
        _ => String::new(),
    };
    Some(format!(
        "not known exactly: {named}{more}. This is a run at what the file has there; `simcap risk {file}` carries them through"
    ))
}

/// The inputs of `base` that are not known exactly, with those of a command line, which stand for the file's of the same path. `make` makes
/// the experiment with values of them.
///
/// # Errors
/// If what the file has itself is none of what is possible, or the experiment makes no sense at one of the ends or variants.
pub fn inputs(base: &Loaded, given: &[UncertainInput], make: Make<'_>) -> Result<Vec<UncertainInput>, LoadError> {
    let text = (base.file.as_str(), base.text.as_str());
    let said = said(&base.experiment, &base.text).map_err(|refusal| refusal.error(text.0, text.1))?;
    let is_given = |input: &UncertainInput| given.iter().any(|other| is_same_path(&other.path, &input.path));
    let mut all: Vec<UncertainInput> = said.into_iter().filter(|input| !is_given(input)).collect();
    for input in given {
        if all.iter().any(|other| is_same_path(&other.path, &input.path)) {
            return Err(LoadError::Set(format!("{}: it is given twice", input.path)));
        }
        all.push(input.clone());
    }
    let names = |loaded: &Loaded| {
        loaded
            .experiment
            .policies
            .iter()
            .map(|entry| entry.name.clone())
            .collect::<Vec<_>>()
    };
    for input in &mut all {
        if let Err(refusal) = input.check_own(&base.text) {
            return Err(input.error(refusal, text));
        }
        for (i, end) in input.ends().iter().enumerate() {
            let what = || format!("at {} the experiment makes no sense: ", shown(end));
            let refused = |why: String| {
                let step = match input.law {
                    Law::Between { .. } => Refusal::new(what() + &why).at(i).at("between"),
                    Law::OneOf(_) => Refusal::new(what() + &why).at("one_of"),
                };
                input.error(step, text)
            };
            match make(&[input.set(end)?]).and_then(|loaded| assemble(&loaded).map(|_| loaded).map_err(LoadError::Says))
            {
                Ok(loaded) if names(&loaded) != names(base) => {
                    return Err(refused("its policies have other names".to_owned()));
                }
                Ok(_) => {}
                Err(LoadError::Says(error)) => return Err(refused(format!("{}: {}", error.path, error.message))),
                Err(error) => return Err(refused(error.to_string())),
            }
        }
        let Some(tried) = input.law.fraction() else { continue };
        let with = make(&[input.set(&tried)?]);
        let is_refused = with.is_err() || with.is_ok_and(|loaded| assemble(&loaded).is_err());
        if let Law::Between { is_whole, .. } = &mut input.law {
            *is_whole = is_refused;
        }
    }
    Ok(all)
}
