//! The traces that an experiment replays: where they are looked for, and their rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::{name_of, unreadable};
use super::{LoadError, Loaded};
use crate::form::build::Refusal;
use crate::import::source::{MOST_OF_TRACE, Rows};
use crate::import::trace;
use crate::stats::sorting;
use crate::traffic::arrivals::{Reading, Row};
use crate::traffic::kept::Kept;
use crate::traffic::rows::Rows as Packed;
use crate::words::Input;

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
    pub(super) fn find(&self, experiment: &Path, name: &str) -> Option<PathBuf> {
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

impl Traces {
    /// The file called `name` at `beside`, or where traces are looked for.
    pub(super) fn beside_or_below(&self, beside: &Path, name: &str) -> Option<PathBuf> {
        if beside.is_file() {
            return Some(beside.to_owned());
        }
        let file = Path::new(Path::new(name).file_name()?);
        let mut places = [&self.given, &self.below].into_iter().flatten();
        places.find_map(|place| match place.file_name() {
            Some(own) if own == file && place.is_file() => Some(place.clone()),
            _ => search(place, file, 3),
        })
    }
}

/// A trace that was read.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    found: PathBuf,
    reading: Reading,
    rows: Packed,
    /// The rows one beside the other, once lengths are drawn from them.
    pairs: Option<Arc<[Row]>>,
    kept: Option<Arc<Kept>>,
    notes: Vec<String>,
    input: Input,
}

/// What the rows of the trace `name` are kept by: its name, and how it is read if that is not by itself.
pub(super) fn called(name: &str, reading: &Reading) -> String {
    if *reading == Reading::default() {
        return name.to_owned();
    }
    format!("{name} {reading:?}")
}

impl Trace {
    fn read(found: PathBuf, reading: Reading) -> Result<Trace, LoadError> {
        let mut source = Rows::open(&found, MOST_OF_TRACE).map_err(|error| unreadable(&found, &error))?;
        let trace = trace::read(&mut source, &reading).map_err(|e| LoadError::Read {
            file: found.display().to_string(),
            why: e.to_string(),
        })?;
        let input = Input {
            name: name_of(&found),
            sha256: source.sha256(),
        };
        Ok(Trace {
            found,
            reading,
            rows: trace.rows,
            pairs: None,
            kept: trace.kept.map(Arc::new),
            notes: trace.notes,
            input,
        })
    }
}

impl Loaded {
    /// Loads the traces that the arrivals replay and those that classes have their lengths from: `before` keeps what was read for the
    /// experiment before.
    pub(super) fn load_traces(
        &mut self,
        experiment: &Path,
        traces: &Traces,
        before: &mut Vec<Trace>,
    ) -> Result<(), LoadError> {
        let spec = self.experiment.traffic.clone();
        for origin in spec.origins() {
            let Some(name) = origin.arrivals.as_dyn().trace() else {
                continue;
            };
            let reading = origin.arrivals.as_dyn().reading();
            let called = called(name, &reading);
            if self.traces.contains_key(&called) {
                continue;
            }
            let here = |refusal: Refusal| origin.at_arrivals(refusal);
            let read = self.load_trace((experiment, traces), before, (name, reading), &here)?;
            if let Some(kept) = &read.kept {
                self.kept.insert(called.clone(), Arc::clone(kept));
            }
            self.traces.insert(called, read.rows.clone());
        }
        for (class, spec) in spec.classes.iter() {
            let Some(spec) = &spec.pairs else { continue };
            let called = called(&spec.trace, &spec.reading());
            if self.pairs.contains_key(&called) {
                continue;
            }
            let here = |refusal: Refusal| refusal.at("pairs").at(class).at("classes");
            let read = self.load_trace((experiment, traces), before, (&spec.trace, spec.reading()), &here)?;
            if read.pairs.is_none() {
                let lost = |why| LoadError::Read {
                    file: read.found.display().to_string(),
                    why,
                };
                read.pairs = Some(read.rows.all().map_err(lost)?.into());
            }
            if let Some(rows) = &read.pairs {
                self.pairs.insert(called, Arc::clone(rows));
            }
        }
        let is_used = |read: &Trace| {
            let of_pairs = |rows: &Arc<[Row]>| read.pairs.as_ref().is_some_and(|own| Arc::ptr_eq(rows, own));
            self.traces.values().any(|rows| rows.is(&read.rows)) || self.pairs.values().any(of_pairs)
        };
        before.retain(is_used);
        Ok(())
    }

    /// Loads one trace, which `here` places in the traffic.
    fn load_trace<'a>(
        &mut self,
        (experiment, traces): (&Path, &Traces),
        before: &'a mut Vec<Trace>,
        (name, reading): (&str, Reading),
        here: &dyn Fn(Refusal) -> Refusal,
    ) -> Result<&'a mut Trace, LoadError> {
        let Some(found) = traces.find(experiment, name) else {
            let message = match &traces.given {
                Some(given) => format!("there is no trace `{name}` at {}", given.display()),
                None => format!("there is no trace `{name}` beside this file or under SIMCAP_TRACES"),
            };
            let refusal = here(Refusal::new(message).at("trace")).at("traffic");
            let mut error = refusal.error(&self.file, &self.text);
            if let Some(source) = trace::published_at(name) {
                error = error.with_hint(format!(
                    "it is {source}; give its path with --trace, or its folder in the environment variable SIMCAP_TRACES"
                ));
            }
            return Err(error.into());
        };
        let known = before
            .iter()
            .position(|read| read.found == found && read.reading == reading);
        let known = match known {
            Some(known) => known,
            None => {
                before.push(Trace::read(found, reading)?);
                before.len() - 1
            }
        };
        let read = &mut before[known];
        if !self.inputs.contains(&read.input) {
            self.inputs.push(read.input.clone());
        }
        let of = name_of(Path::new(name));
        for note in read.notes.iter().map(|note| format!("{of}: {note}")) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(read)
    }
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
    sorting::by(&mut below, Ord::cmp);
    below.iter().find_map(|f| search(f, name, depth - 1))
}
