//! What the commands that run an experiment many times share: how they draw, on how many threads, and what they print.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{Failure, traces};
use crate::experiment::load::Traces;

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
