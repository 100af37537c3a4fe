//! What the commands that run an experiment many times share: how they draw, on how many threads, and what they print.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Failure, print, style, traces};
use crate::experiment::load::Traces;
use crate::report::terminal::Style;
use crate::report::write::write_all;

/// Arguments of every command of many runs.
#[derive(Debug, Args)]
pub(super) struct Many {
    /// Seed [default: as the file says]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Threads [default: one a core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// The trace that the experiment replays, or the folder it is in [default: the environment's SIMCAP_TRACES]
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
}

impl Many {
    /// The threads to run on.
    pub(super) fn pool(&self) -> Result<rayon::ThreadPool, Failure> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0) as usize);
        Ok(pool.build().context("cannot start the threads")?)
    }

    /// Where a trace is looked for.
    pub(super) fn traces(&self) -> Traces {
        traces(self.trace.clone())
    }
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Table,
    Csv,
    Json,
    Markdown,
}

/// A result in each of its forms, of which the one that is asked for is made.
pub(super) struct Shown<'a> {
    pub(super) table: &'a dyn Fn(&Style) -> String,
    pub(super) csv: &'a dyn Fn() -> String,
    pub(super) json: &'a dyn Fn() -> Result<String, Failure>,
    pub(super) markdown: &'a dyn Fn() -> String,
}

impl Form {
    /// Prints the result in this form.
    pub(super) fn print(self, shown: &Shown<'_>) -> Result<(), Failure> {
        print(&match self {
            Form::Table => (shown.table)(&style()),
            Form::Csv => (shown.csv)(),
            Form::Json => (shown.json)()?,
            Form::Markdown => (shown.markdown)(),
        })
    }
}

/// A result as the text of a JSON file.
pub(super) fn as_json(result: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(result).context("cannot write the result as JSON")? + "\n")
}

/// Writes the files of a result into `folder`.
pub(super) fn keep(folder: &Path, files: &[(&str, String)]) -> Result<(), Failure> {
    Ok(write_all(folder, files).with_context(|| format!("cannot write to {}", folder.display()))?)
}
