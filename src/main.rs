//! The `simcap` command: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use simcap::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
