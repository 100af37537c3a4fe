//! `simcap init`: a small experiment with comments, to start from.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{Done, Exit, Failure, print};

/// The starter, which is itself a test.
const STARTER: &str = include_str!("starter.json");

/// Arguments of `simcap init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where to write it
    #[arg(default_value = "experiment.json")]
    file: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> Done {
        let file = self.file.display();
        if self.file.exists() && !self.force {
            return Err(Failure::Input(format!(
                "{file}: is there already; --force overwrites it"
            )));
        }
        let name = self
            .file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or("starter");
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '-'
            }
        };
        let name: String = name.trim_start_matches('.').chars().take(100).map(plain).collect();
        let text = STARTER.replacen("\"starter\"", &format!("\"{name}\""), 1);
        std::fs::write(&self.file, text).with_context(|| format!("cannot write {file}"))?;
        print(&format!("Wrote {file}. Next: simcap run {file}\n"))?;
        Ok(Exit::Fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_runs_as_it_is() {
        let loaded = crate::experiment::load::from_text("starter.json", STARTER).unwrap_or_else(|e| panic!("{e}"));
        let plan = crate::experiment::assemble::assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(plan.scenarios.len(), 2);
    }
}
