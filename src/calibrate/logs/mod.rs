//! Logs of measurements by any tool: one file for each format, and [`read`], which recognises the format.
//!
//! A format is recognised by the content of a file, not by its name. Unknown fields are ignored, because other tools
//! add fields freely. Only simcap's own probes are read strictly. No input causes a panic.

mod aiperf;
mod appended;
mod clock;
pub(crate) mod gather;
mod guidellm;
mod helicone;
mod inference_perf;
mod langfuse;
mod litellm;
mod llmperf;
mod mapped;
mod oha;
mod otel;
mod probes;
mod rows;
mod sampled;
mod sglang;
mod table;
mod thefastest;
mod twice;
mod vllm;
mod zone;

pub use mapped::{HELP as MAP_HELP, Mapping, read_mapped};

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::log::{Log, Observation, Source};
use crate::form::diagnose::{Seg, offset, printable, quoted, shown};
use crate::form::tree::{self, Tree};
use crate::import::python;
use crate::stats::sorting;
use crate::words::Outcome;

/// The reason why a log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The file is in no known format.
    #[error(
        "{file}: no measurement log that is known: {looks}\n  known: {known}\n  \
         a CSV of any other form: --map ttft=COLUMN:ms,e2e=COLUMN:s,…"
    )]
    Unknown {
        /// The path, as the caller gave it.
        file: String,
        /// What the content looks like.
        looks: String,
        /// The known formats.
        known: String,
    },
    /// The file was given twice.
    #[error(
        "{file}: byte for byte the same as {first}: everything in it would count twice\n  \
         give each log once; a run measured again has times of its own"
    )]
    Twice {
        /// The path, as the caller gave it.
        file: String,
        /// The path of the identical file before it.
        first: String,
    },
    /// The content of the file is invalid.
    #[error("{file}: {place}{what}")]
    Content {
        /// The path, as the caller gave it.
        file: String,
        /// The place in the file: "line 3, column 17: "; empty for the file as a whole.
        place: String,
        /// What is wrong and what is allowed.
        what: String,
    },
}

/// A mistake in a file whose name the reader does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    place: String,
    what: String,
}

impl Mistake {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Mistake {
        Mistake {
            place: place.into(),
            what: what.into(),
        }
    }

    /// This mistake, placed in a line.
    fn under(mut self, line: usize) -> Mistake {
        self.place = format!("line {line}, {}", self.place);
        self
    }

    fn in_file(self, file: &str) -> ReadError {
        let colon = if self.place.is_empty() { "" } else { ": " };
        ReadError::Content {
            file: file.to_owned(),
            place: self.place + colon,
            what: self.what,
        }
    }
}

/// The first look at a file, by which its format is recognised.
struct Look<'a> {
    /// The content, with `null` for what Python writes in place of numbers ([`python`]).
    bytes: Cow<'a, [u8]>,
    /// How many such figures there are.
    not_finite: u64,
    /// The whole content, if it is one JSON value.
    whole: Option<Value>,
    /// The first non-empty line, if it is a JSON value.
    first: Option<Value>,
}

impl<'a> Look<'a> {
    fn at(bytes: &'a [u8]) -> Look<'a> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let (bytes, not_finite) = python::as_json(bytes);
        let first = lines(&bytes)
            .next()
            .and_then(|(_, line)| serde_json::from_slice(line).ok());
        Look {
            whole: serde_json::from_slice(&bytes).ok(),
            first,
            bytes,
            not_finite,
        }
    }

    /// A file that is this value.
    fn of(value: Value) -> Look<'static> {
        Look {
            bytes: Cow::Owned(Vec::new()),
            not_finite: 0,
            whole: Some(value),
            first: None,
        }
    }

    /// Whether the whole content is one object with this key.
    fn has(&self, key: &str) -> bool {
        self.whole.as_ref().is_some_and(|v| v.get(key).is_some())
    }

    /// Whether the whole content is a list whose first entry has these keys.
    fn entry_has(&self, keys: &[&str]) -> bool {
        let entry = self.whole.as_ref().and_then(|v| v.get(0));
        entry.is_some_and(|v| keys.iter().all(|key| v.get(key).is_some()))
    }

    /// The names in the first line of a CSV.
    fn header(&self) -> Vec<String> {
        let line = lines(&self.bytes).next().map(|(_, line)| String::from_utf8_lossy(line));
        let line = line.filter(|_| self.whole.is_none() && self.first.is_none());
        let name = |n: &str| n.trim().trim_matches('"').to_owned();
        line.map_or(Vec::new(), |line| line.split(',').map(name).collect())
    }

    /// A description of the content, for a user who took it for a log.
    fn describe(&self) -> String {
        let keys = |v: &Value| match v {
            Value::Object(map) if map.is_empty() => "an empty JSON object".to_owned(),
            Value::Object(map) => {
                let names: Vec<String> = map.keys().take(8).map(|k| format!("`{}`", quoted(k))).collect();
                let more = if map.len() > names.len() { ", …" } else { "" };
                format!("a JSON object of {}{more}", names.join(", "))
            }
            Value::Array(_) => "a JSON list".to_owned(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => "a bare JSON value".to_owned(),
        };
        match (&self.whole, &self.first, lines(&self.bytes).next()) {
            (None, _, None) => "the file is empty".to_owned(),
            (Some(Value::Array(list)), _, _) if !list.is_empty() => {
                format!("it is a list, and begins with {}", keys(&list[0]))
            }
            (Some(whole), _, _) => format!("it is {}", keys(whole)),
            (None, Some(first), _) => format!("it has JSON lines, and the first is {}", keys(first)),
            (None, None, Some((_, line))) if line.starts_with(b"{") || line.starts_with(b"[") => {
                match serde_json::from_slice::<Value>(&self.bytes) {
                    Err(error) => format!("it begins like JSON but is none: {error}"),
                    Ok(_) => "it is JSON".to_owned(),
                }
            }
            (None, None, Some((_, line))) => {
                let line: String = String::from_utf8_lossy(line).chars().take(80).collect();
                format!("it is no JSON, and begins \"{}\"", quoted(&line))
            }
        }
    }
}

/// Lines with anything on them, and their numbers from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let numbered = bytes.split(|b| *b == b'\n').enumerate();
    numbered
        .map(|(i, line)| (i + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty())
}

/// Parses one line as a `T`.
fn line<T: DeserializeOwned>(number: usize, bytes: &[u8]) -> Result<T, Mistake> {
    let refused = |column: usize, path: &[Seg], what: String| {
        let path = match path {
            [] => String::new(),
            path => format!(", {}", printable(&shown(path))),
        };
        Mistake::new(format!("line {number}, column {column}{path}"), what)
    };
    let tree: Tree = serde_json::from_slice(bytes).map_err(|e| refused(e.column(), &[], without_place(&e)))?;
    tree::read(&tree).map_err(|mistake| {
        let (path, text) = (mistake.path(), String::from_utf8_lossy(bytes));
        let before = offset(&text, &path, mistake.is_of_key());
        refused(before + 1, &path, printable(mistake.message()))
    })
}

/// Converts a value to a `T`.
fn value<T: DeserializeOwned>(value: Value) -> Result<T, Mistake> {
    tree::read(&Tree::from(value))
        .map_err(|mistake| Mistake::new(printable(&shown(&mistake.path())), printable(mistake.message())))
}

/// The message of serde without its place, whose line is not that of the file.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let cut = text.rfind(" at line ").unwrap_or(text.len());
    printable(&text[..cut])
}

/// A format: its name, the test that recognises it, and its reader, which returns the format in words (with its
/// version, if the file states it) and the log.
struct Format {
    name: &'static str,
    is: fn(&Look<'_>) -> bool,
    read: fn(Look<'_>) -> Result<(String, Log), Mistake>,
}

/// Every known format, in the order in which they are tried.
const FORMATS: &[Format] = &[
    probes::FORMAT,
    guidellm::FORMAT,
    aiperf::RECORDS,
    aiperf::SUMMARY,
    inference_perf::RECORDS,
    inference_perf::STAGE,
    sglang::FORMAT,
    vllm::FORMAT,
    llmperf::FORMAT,
    oha::RECORDS,
    oha::SUMMARY,
    litellm::FORMAT,
    langfuse::FORMAT,
    helicone::FORMAT,
    otel::FORMAT,
    thefastest::FORMAT,
];

/// Reads the log of a tool, whose format the content determines; `file` is its name in errors.
///
/// # Errors
/// If the format is unknown, or the content violates it.
pub fn read(file: &str, bytes: &[u8]) -> Result<Log, ReadError> {
    let look = Look::at(bytes);
    let not_finite = python::note(look.not_finite);
    let read = match known(&look) {
        Some(format) => (format.read)(look),
        None => appended::results(&look).ok_or_else(|| ReadError::Unknown {
            file: file.to_owned(),
            looks: look.describe(),
            known: FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join("; "),
        })?,
    };
    let (format, mut log) = read.map_err(|m| m.in_file(file))?;
    log.notes.extend(not_finite);
    Ok(sourced(file, bytes, format, log))
}

/// The format of this content, if it is known.
fn known(look: &Look<'_>) -> Option<&'static Format> {
    FORMATS.iter().find(|f| (f.is)(look))
}

/// Adds the origin to a log; of what failed neither an output nor an input of nothing is what was asked.
fn sourced(file: &str, bytes: &[u8], format: String, mut log: Log) -> Log {
    for observation in log.observations.iter_mut().chain(&mut log.warmups) {
        if observation.outcome != Outcome::Success {
            observation.output = None;
            observation.input = observation.input.filter(|tokens| *tokens > 0);
        }
    }
    log.sources = vec![Source {
        file: file.to_owned(),
        format,
        sha256: sha256(bytes),
    }];
    for stage in &mut log.stages {
        stage.name = if stage.name.is_empty() {
            file.to_owned()
        } else {
            format!("{file}, {}", stage.name)
        };
    }
    log
}

/// The SHA-256 of `bytes` in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads several files as one log (see [`join`]).
///
/// # Errors
/// Those of [`read`], at the first file that has one, and those of [`join`].
pub fn read_all<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Log, ReadError> {
    let logs: Result<Vec<Log>, ReadError> = files.into_iter().map(|(file, bytes)| read(file, bytes)).collect();
    logs.and_then(join)
}

/// Joins several logs into one: targets are the same if their names are, or if the files say that they are the same endpoint, each
/// file's steps of load follow those of the previous one, and requests are in order of the clock if all of them have its time,
/// otherwise in order of the files. Their times are those of one clock, from the first request of all files: without the time of the
/// clock, each file is taken to follow the one before it an hour later, so that no two of them are taken for one load.
/// A request with a clock time that several files contain is kept once, and a summary of requests that other files
/// contain in full is left out. Targets beyond 65,536 are left out and noted.
///
/// # Errors
/// If a file was given twice.
pub fn join(mut logs: Vec<Log>) -> Result<Log, ReadError> {
    twice::refuse(&logs)?;
    let several = logs.len() > 1;
    let by_clock = several && logs.iter().flat_map(|log| &log.observations).all(|o| o.unix.is_some());
    if several && !by_clock {
        clock::one_after_another(&mut logs);
    }
    let summaries = twice::drop_summaries(&mut logs);
    let mut all = Log::default();
    let mut told = Vec::new();
    for log in logs {
        let file = log.sources.first().map_or(String::new(), |s| s.file.clone());
        let mut places: Vec<Option<u16>> = Vec::new();
        for (name, hits) in log.cache_hits {
            *all.cache_hits.entry(name).or_default() += hits;
        }
        // Two targets of one file are two, whatever they are.
        let before = all.targets.len();
        let mut prices = log.prices;
        for name in log.targets {
            let endpoint = log.endpoints.get(&name);
            let is_it = |other: &String| endpoint.is_some() && all.endpoints.get(other) == endpoint;
            let by_name = all.targets.iter().position(|other| *other == name);
            let place = by_name.or_else(|| all.targets[..before].iter().position(is_it));
            let place = place.unwrap_or(all.targets.len());
            if let (Some(other), Some(endpoint)) = (all.targets.get(place).filter(|other| **other != name), endpoint) {
                all.notes.push(format!(
                    "{name} is {other}, the same endpoint by another name ({endpoint}): both are taken together"
                ));
            }
            let place = u16::try_from(place).ok();
            if place.is_some_and(|p| usize::from(p) == all.targets.len()) {
                all.targets.push(name.clone());
            }
            if let Some(known) = place.map(|place| all.targets[usize::from(place)].clone()) {
                if let Some(priced) = prices.remove(&name)
                    && all.set_prices(&known, priced)
                {
                    all.notes.push(format!(
                        "{known}: its prices differ between the files: those of {file} are taken"
                    ));
                }
                if let Some(endpoint) = endpoint {
                    all.endpoints.entry(known).or_insert_with(|| endpoint.clone());
                }
            }
            places.push(place);
        }
        let place = |target: u16| places.get(usize::from(target)).copied().flatten();
        let steps = all
            .observations
            .iter()
            .map(|o| o.step)
            .max()
            .map_or(0, |last| last.saturating_add(1));
        let before = all.observations.len() + all.stages.len();
        let found = log.observations.len() + log.stages.len();
        all.observations
            .extend(log.observations.into_iter().filter_map(|mut o| {
                o.target = place(o.target)?;
                o.step = o.step.saturating_add(steps);
                Some(o)
            }));
        all.warmups.extend(log.warmups.into_iter().filter_map(|mut o| {
            o.target = place(o.target)?;
            Some(o)
        }));
        all.stages.extend(log.stages.into_iter().filter_map(|mut s| {
            s.target = place(s.target)?;
            Some(s)
        }));
        let left_out = before + found - all.observations.len() - all.stages.len();
        if left_out > 0 {
            all.notes
                .push(format!("{file}: {left_out} rows left out: more than 65,536 targets"));
        }
        all.sources.extend(log.sources);
        all.totals.extend(log.totals.into_iter().filter_map(|mut t| {
            t.target = place(t.target)?;
            t.step = t.step.saturating_add(steps);
            Some(t)
        }));
        told.push((file, log.notes));
    }
    all.notes.extend(together(told));
    all.notes.extend(summaries);
    if by_clock {
        clock::by_unix(&mut all);
        let key = |o: &Observation| (o.unix.unwrap_or(0.0), o.target);
        sorting::by(&mut all.observations, |a, b| {
            key(a).0.total_cmp(&key(b).0).then(a.target.cmp(&b.target))
        });
        let before = all.observations.len();
        let same = |a: &mut Observation, b: &mut Observation| {
            let alike = |o: &Observation| (o.ttft, o.e2e, o.outcome, o.input, o.output);
            key(a) == key(b) && alike(a) == alike(b)
        };
        all.observations.dedup_by(same);
        let twice = before - all.observations.len();
        if twice > 0 {
            all.notes
                .push(format!("{twice} requests are in several files and kept once"));
        }
    }
    Ok(all)
}

/// The notes of several files, each with its file, and once where several are equal.
fn together(told: Vec<(String, Vec<String>)>) -> Vec<String> {
    let files = told.len();
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for (file, notes) in told {
        for note in notes {
            match said.iter_mut().find(|(known, _)| *known == note) {
                Some((_, by)) => by.push(file.clone()),
                None => said.push((note, vec![file.clone()])),
            }
        }
    }
    let in_words = |(note, by): (String, Vec<String>)| match &by[..] {
        _ if files == 1 => note,
        [only] => format!("{only}: {note}"),
        several => format!("{} files: {note}", several.len()),
    };
    said.into_iter().map(in_words).collect()
}

#[cfg(test)]
mod tests;
