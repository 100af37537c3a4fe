//! `simcap init`: a small experiment, or a plan of probes, with comments, to start from.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::policies::columns;
use super::templates::Template;
use super::{Done, Exit, Failure, print};
use crate::report::text::paragraph;

/// The starter of a plan, which is itself a test.
const PLAN: &str = include_str!("starter_plan.json");

/// Arguments of `simcap init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where to write it [default: experiment.json, or plan.json with --plan]
    file: Option<PathBuf>,
    /// Which experiment to begin with
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        hide_possible_values = true,
        default_value_t,
        conflicts_with = "plan"
    )]
    template: Template,
    /// List the templates
    #[arg(long, conflicts_with_all = ["file", "plan", "template", "force"])]
    list: bool,
    /// Write a plan of probes for `simcap calibrate` in place of an experiment
    #[arg(long)]
    plan: bool,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> Done {
        if self.list {
            print(&list())?;
            return Ok(Exit::Fine);
        }
        let (starter, usual, own_name) = match self.plan {
            true => (PLAN, "plan.json", "starter".to_owned()),
            false => (self.template.text(), "experiment.json", self.template.name()),
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
        let named = |name: &str| format!("\"name\": \"{name}\"");
        let text = starter.replacen(&named(&own_name), &named(&name), 1);
        std::fs::write(&path, text).with_context(|| format!("cannot write {file}"))?;
        let next = match self.plan {
            true => format!("simcap mock gpt-4.1, in another terminal, and simcap calibrate {file}"),
            false => format!("simcap run {file}"),
        };
        print(&format!("Wrote {file}. Next: {next}\n"))?;
        Ok(Exit::Fine)
    }
}

/// The templates, each with what it is about.
fn list() -> String {
    let all = Template::value_variants();
    let wide = all.iter().map(|template| template.name().len()).max().unwrap_or(0);
    let line = |template: &Template| paragraph(&format!("  {:wide$}  ", template.name()), &template.about(), columns());
    let lines: String = all.iter().map(line).collect();
    format!("{lines}\n`simcap init mine.json --template NAME` writes one.\n")
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
}
