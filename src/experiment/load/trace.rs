//! The trace that an experiment replays: where it is looked for, and its rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::{name_of, unreadable};
use super::{LoadError, Loaded};
use crate::form::diagnose::{self, Seg};
use crate::import::source::{MOST_OF_TRACE, Rows};
use crate::import::trace;
use crate::traffic::arrivals::Row;
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

/// A trace that was read.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    found: PathBuf,
    rows: Arc<[Row]>,
    input: Input,
}

impl Trace {
    fn read(found: PathBuf) -> Result<Trace, LoadError> {
        let mut source = Rows::open(&found, MOST_OF_TRACE).map_err(|error| unreadable(&found, &error))?;
        let rows = trace::read(&mut source).map_err(|e| LoadError::Read {
            file: found.display().to_string(),
            why: e.to_string(),
        })?;
        let input = Input {
            name: name_of(&found),
            sha256: source.sha256(),
        };
        Ok(Trace {
            found,
            rows: rows.into(),
            input,
        })
    }
}

impl Loaded {
    /// Loads the trace, if the arrivals replay one: `before` keeps what was read last.
    pub(super) fn load_trace(
        &mut self,
        experiment: &Path,
        traces: &Traces,
        before: &mut Option<Trace>,
    ) -> Result<(), LoadError> {
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
        let read = match before {
            Some(read) if read.found == found => read,
            _ => before.insert(Trace::read(found)?),
        };
        self.inputs.push(read.input.clone());
        self.trace = Some(Arc::clone(&read.rows));
        Ok(())
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
    below.sort();
    below.iter().find_map(|f| search(f, name, depth - 1))
}
