//! `simcap init`: a small experiment, or a plan of probes, with comments, to start from.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{Done, Exit, Failure, print};

/// The starter, which is itself a test.
const STARTER: &str = include_str!("starter.json");

/// The starter of a plan, likewise.
const PLAN: &str = include_str!("starter_plan.json");

/// Arguments of `simcap init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where to write it [default: experiment.json, or plan.json with --plan]
    file: Option<PathBuf>,
    /// Write a plan of probes for `simcap calibrate` in place of an experiment
    #[arg(long)]
    plan: bool,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> Done {
        let (starter, usual) = match self.plan {
            true => (PLAN, "plan.json"),
            false => (STARTER, "experiment.json"),
        };
        let path = self.file.unwrap_or_else(|| PathBuf::from(usual));
        let file = path.display();
        if path.exists() && !self.force {
            return Err(Failure::Input(format!(
                "{file}: is there already; --force overwrites it"
            )));
        }
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("starter");
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '-'
            }
        };
        let name: String = name.trim_start_matches('.').chars().take(100).map(plain).collect();
        let text = starter.replacen("\"starter\"", &format!("\"{name}\""), 1);
        std::fs::write(&path, text).with_context(|| format!("cannot write {file}"))?;
        let next = match self.plan {
            true => format!("simcap mock gpt-4.1, in another terminal, and simcap calibrate {file}"),
            false => format!("simcap run {file}"),
        };
        print(&format!("Wrote {file}. Next: {next}\n"))?;
        Ok(Exit::Fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_plan_plans_as_it_is() {
        let spec: crate::live::spec::PlanSpec =
            crate::form::diagnose::parse("plan.json", PLAN).unwrap_or_else(|e| panic!("{e}"));
        let plan = spec.plan().unwrap_or_else(|e| panic!("{}", e.message));
        assert_eq!(
            (plan.targets[0].name.as_str(), plan.spec.name.as_str()),
            ("gpt-4.1", "starter")
        );
        // Three a second for two minutes.
        assert!((300..430).contains(&plan.slots.len()), "{}", plan.slots.len());
    }

    #[test]
    fn the_starter_runs_as_it_is() {
        let loaded = crate::experiment::load::from_text("starter.json", STARTER).unwrap_or_else(|e| panic!("{e}"));
        let plan = crate::experiment::assemble::assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(plan.scenarios.len(), 2);
    }
}
