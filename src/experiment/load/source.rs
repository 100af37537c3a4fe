//! The file of an experiment, read once, and the reading of those that it refers to.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::trace::{Trace, Traces};
use super::{LoadError, Loaded, columns};
use crate::experiment::file::Experiment;
use crate::experiment::settings::Setting;
use crate::experiment::{foreign, format, uncertain_inputs};
use crate::form::diagnose::{self, Seg, nearest};
use crate::form::own::OwnParts;
use crate::import::source::{self, MOST_OF_JSON};
use crate::words::Input;

/// An experiment's file as it was read, to be loaded with one set of values after another.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where what it refers to is looked for.
    path: PathBuf,
    /// What it is called in messages.
    file: String,
    bytes: Vec<u8>,
    /// The traces that were read last.
    traces: Vec<Trace>,
    /// The columns that were read.
    columns: Vec<columns::Read>,
}

impl Source {
    /// Reads the file at `path`, or standard input if that is `-`: what such an experiment refers to is looked for here.
    ///
    /// # Errors
    /// If it cannot be read, or is larger than files of JSON may be.
    pub fn read(path: &Path) -> Result<Source, LoadError> {
        let is_piped = path == Path::new("-");
        Ok(Source {
            path: if is_piped {
                "experiment.json".into()
            } else {
                path.into()
            },
            file: if is_piped {
                "standard input".into()
            } else {
                path.display().to_string()
            },
            bytes: if is_piped { piped()? } else { read(path)? },
            traces: Vec::new(),
            columns: Vec::new(),
        })
    }

    /// The experiment with these values in it in place of its own, and all that it refers to; a trace that the one before replays too is not
    /// read again.
    ///
    /// # Errors
    /// As [`load_priced`](super::load_priced), and if the experiment has no place for a value.
    pub fn load(
        &mut self,
        settings: &[Setting],
        traces: &Traces,
        prices: Option<&Path>,
        own: OwnParts,
    ) -> Result<Loaded, LoadError> {
        let mut file = self.file.clone();
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if !settings.is_empty() {
            // A file that is not an experiment is told of as such, and not by a value that it has no place for.
            read_experiment(&file, &self.bytes)?;
            for setting in settings {
                text = setting.put(&text).map_err(|error| LoadError::Set(error.to_string()))?;
            }
            file += " with --set";
        }
        // Without a value of another, the bytes are those of the file.
        let bytes = if settings.is_empty() {
            &self.bytes
        } else {
            text.as_bytes()
        };
        let experiment = read_experiment(&file, bytes)?;
        let inputs = vec![input(&self.path, bytes)];
        let mut loaded = Loaded::new(file, text, experiment, inputs, own);
        loaded.load_models(&self.path)?;
        loaded.load_prices(prices)?;
        loaded.load_traces(&self.path, traces, &mut self.traces)?;
        loaded.load_columns(&self.path, traces, &mut self.columns)?;
        loaded.load_scripts(&self.path)?;
        loaded.load_scores(&self.path)?;
        Ok(loaded)
    }
}

/// The experiment in `bytes`. An unknown format, or a file of something else, is the mistake, and not what follows from it.
pub(super) fn read_experiment(file: &str, bytes: &[u8]) -> Result<Experiment, diagnose::Error> {
    let mut experiment: Experiment = diagnose::parse_bytes(file, bytes).map_err(|error| {
        let text = String::from_utf8_lossy(bytes);
        format::unknown_in(file, &text)
            .or_else(|| foreign::named(file, &text))
            .unwrap_or(error)
    })?;
    // What follows knows of no scale.
    if experiment.traffic.scale.is_some() {
        experiment.traffic = experiment.traffic.at_scale().map_err(|why| {
            let path = [Seg::from("traffic"), Seg::from("scale")];
            diagnose::Error::at(file, &String::from_utf8_lossy(bytes), &path, why)
        })?;
    }
    if !experiment.uncertain.is_empty() {
        uncertain_inputs::check(&experiment, file, &String::from_utf8_lossy(bytes))?;
    }
    Ok(experiment)
}

/// What comes by standard input, up to the bound on files.
fn piped() -> Result<Vec<u8>, LoadError> {
    source::piped(MOST_OF_JSON).map_err(|error| LoadError::Read {
        file: "standard input".into(),
        why: match error.kind() {
            io::ErrorKind::FileTooLarge => error.to_string(),
            _ => format!("cannot be read: {error}"),
        },
    })
}

/// A file of JSON.
pub(in crate::experiment) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    source::read(path, MOST_OF_JSON).map_err(|error| unreadable(path, &error))
}

/// Why the file at `path` cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> LoadError {
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
    let beside = path.parent().unwrap_or(Path::new(""));
    let folder = if beside.as_os_str().is_empty() {
        Path::new(".")
    } else {
        beside
    };
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
        Some(near) => format!("there is no such file; did you mean {}?", beside.join(near).display()),
        None => "there is no such file".to_owned(),
    }
}

/// What is told of a file that was read.
pub(super) fn input(path: &Path, bytes: &[u8]) -> Input {
    let sha256 = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    Input {
        name: name_of(path),
        sha256,
    }
}

/// A file's name without its folder.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}
